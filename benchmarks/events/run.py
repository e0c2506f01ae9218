"""An event of the suite from raw records to scores."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.events.banks import event_bank, event_region, event_surface_bank
from benchmarks.events.cases import Case, cases_of
from benchmarks.events.draws import draw_ensemble
from benchmarks.events.event import Event, read_event_records
from benchmarks.events.prediction import (
    SURFACE,
    Prediction,
    around,
    best_prediction,
    method_prediction,
    prior_prediction,
    surface_prediction,
)
from benchmarks.events.remembered import remembered_checks
from benchmarks.events.scores import crps, holds, pit
from benchmarks.events.waves import FirstWave, first_waves, impossible, known_samples
from slipcast.errors import InputError, SlipcastWarning
from slipcast.forecasting.wave_fit import fit_waves
from slipcast.greens.bank import GreensBank
from slipcast.greens.surface_bank import SurfaceBank
from slipcast.inversion.candidates import candidate_sources
from slipcast.inversion.estimate import SlipEstimate
from slipcast.inversion.first_magnitude import FirstMagnitude
from slipcast.realtime.event_slip import UNLIKE
from slipcast.records import Records

__all__ = ["BEST", "N_SCENARIOS", "PRIOR", "EventScores", "Prepared", "prepare", "score_event"]

N_SCENARIOS = 2000
PRIOR, BEST = "prior", "best scenarios"
_SMALLEST_M = 1e-3
_LARGEST_MW = 9.6

Row = dict[str, Any]


@dataclass(frozen=True)
class EventScores:
    """What the suite found of an event.

    Attributes
    ----------
    event : Event
        Its facts.
    waves : tuple of FirstWave
        At the buoys that count.
    left_out : dict of str to str
        By station why it does not.
    cases : list of dict
        A row for each case and method.
    gauges : list of dict
        A row for each case, method and buoy that is held out.
    seconds : float
        How long it took.
    failure : str
        Why there is nothing; empty if there is.
    """

    event: Event
    waves: tuple[FirstWave, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)
    cases: list[Row] = field(default_factory=list)
    gauges: list[Row] = field(default_factory=list)
    seconds: float = 0.0
    failure: str = ""


@dataclass(frozen=True)
class Prepared:
    """An event with its records, bank and first waves."""

    records: Records
    bank: GreensBank
    waves: dict[str, FirstWave]
    left_out: dict[str, str]
    near: GreensBank
    surface: SurfaceBank | str = ""  # why there is none, where it was wanted


def score_event(
    event: Event,
    raw: Path | None,
    banks: Path,
    methods: Sequence[str],
    *,
    figures: Path | None = None,
    n_scenarios: int = N_SCENARIOS,
) -> EventScores:
    """Read, invert, forecast and score an event.

    Parameters
    ----------
    event : Event
        Of which methods are told epicentre and first magnitude.
    raw : path or None
        Folder of raw data.
    banks : path
        Folder of banks, one an event.
    methods : sequence of str
        Of :data:`slipcast.inversion.methods.METHODS`, or :data:`~benchmarks.events.prediction.SURFACE`.
    figures : path, optional
        Where a picture is drawn.
    n_scenarios : int, optional
        Ruptures of which the best are taken.

    Returns
    -------
    scores : EventScores
        With a failure instead where no station can be used.
    """
    begin = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SlipcastWarning)  # gauges left out by a method are in its notes
        try:
            ready = prepare(event, raw, banks, surface=SURFACE in methods)
        except InputError as error:
            return EventScores(event, seconds=time.monotonic() - begin, failure=str(error))
        with remembered_checks():
            scores = _score(event, ready, methods, n_scenarios, figures)
    return EventScores(event, tuple(ready.waves.values()), ready.left_out, *scores, seconds=time.monotonic() - begin)


def prepare(event: Event, raw: Path | None, banks: Path, *, surface: bool = False) -> Prepared:
    """Read the records, find first waves, open the banks; InputError where no station can be used."""
    records, left_out = read_event_records(event, raw)
    waves, more = first_waves(records)
    region, nowhere = event_region(event.region_settings(), records, waves)
    bank = event_bank(region, banks / f"{event.name}.nc", workers=1)
    left_out |= more | nowhere
    waves = [wave for wave in waves if wave.gauge not in nowhere]
    largest = min(FirstMagnitude(event.first_magnitude).largest, _LARGEST_MW)
    near = candidate_sources(bank.sources, event.epicentre, largest)
    left_out |= impossible(waves, bank, near)
    kept = {wave.gauge: wave for wave in waves if wave.gauge not in left_out}
    if not kept:
        raise InputError("; ".join(f"{name}: {why}" for name, why in left_out.items()))
    of_surface: SurfaceBank | str = ""
    if surface:
        try:
            of_surface = event_surface_bank(region, banks / f"{event.name}-{SURFACE}.nc", event.epicentre)
        except InputError as error:
            of_surface = str(error)
    seen = Records(records.dataset.sel(gauge=list(kept)))
    return Prepared(seen, bank, kept, left_out, bank.with_sources(near), of_surface)


def _score(
    event: Event, ready: Prepared, methods: Sequence[str], n_scenarios: int, figures: Path | None
) -> tuple[list[Row], list[Row]]:
    """Score all cases and methods."""
    cases = cases_of(list(ready.waves.values()))
    ensemble = draw_ensemble(event, ready.bank, _times(ready, cases), count=n_scenarios, rng=np.random.default_rng(0))
    of_cases: list[Row] = []
    of_gauges: list[Row] = []
    shown: dict[tuple[str, str], SlipEstimate] = {}
    for case in cases:
        predictions: dict[str, Prediction | str] = {PRIOR: prior_prediction(ensemble, ready.waves, case)}
        if case.used:
            predictions[BEST] = best_prediction(ensemble, ready.records, ready.waves, case)
            for method in methods:
                try:
                    found = _predicted(event, ready, case, method)
                except (InputError, np.linalg.LinAlgError) as error:
                    predictions[method] = str(error)
                    continue
                predictions[method] = found
                if found.slip is not None and found.probabilistic:
                    shown[case.name, method] = found.slip
        for method, prediction in predictions.items():
            about = _about(event, case, method)
            of_cases.append(about | _case_row(event, prediction))
            if not isinstance(prediction, str):
                of_gauges += [about | row for row in _gauge_rows(ready, case, prediction)]
    if figures is not None:
        from benchmarks.events.figures import draw_figure

        draw_figure(event, ready.records, ready.bank, cases, shown, figures)
    return of_cases, of_gauges


def _predicted(event: Event, ready: Prepared, case: Case, method: str) -> Prediction:
    """Predict a case by a method; InputError where it cannot."""
    if method != SURFACE:
        return method_prediction(event, ready.records, ready.bank, ready.waves, case, method)
    if isinstance(ready.surface, str):
        raise InputError(ready.surface)
    return surface_prediction(ready.records, ready.surface, ready.near, ready.waves, case)


def _times(ready: Prepared, cases: Sequence[Case]) -> dict[str, np.ndarray]:
    """Return at which times of its record a buoy is used or scored, s."""
    longest_s = 60 * max((case.last_min for case in cases if case.kind != "left out"), default=0.0)
    times = {}
    for gauge, wave in ready.waves.items():
        time_s, _ = known_samples(ready.records, gauge)
        until_s = min(max(wave.end_s + 600.0, longest_s), float(ready.bank.time_s[-1]))
        times[gauge] = time_s[(time_s > 0) & (time_s <= until_s)]
    return times


def _about(event: Event, case: Case, method: str) -> Row:
    """Name an event, a case and a method."""
    return {
        "event": event.name,
        "interface": event.interface,
        "case": case.name,
        "kind": case.kind,
        "last_min": case.last_min,
        "used": list(case.used),
        "method": method,
    }


def _case_row(event: Event, prediction: Prediction | str) -> Row:
    """Score the magnitude."""
    if isinstance(prediction, str):
        return {"failure": prediction}
    low, high = prediction.magnitude_interval or (np.nan, np.nan)
    row: Row = {
        "failure": "",
        "magnitude": _plain(prediction.magnitude),
        "magnitude_low": _plain(low),
        "magnitude_high": _plain(high),
        "magnitude_error": _plain(prediction.magnitude - event.magnitude),
        "magnitude_held": bool(low <= event.magnitude <= high) if np.isfinite(low + high) else None,
    }
    if prediction.slip is not None:
        note = prediction.slip.note
        row |= {"note": note, "unlike": UNLIKE in note, "put_aside": sorted(prediction.slip.put_aside)}
    if prediction.note:
        row["note"] = prediction.note
    return row


def _gauge_rows(ready: Prepared, case: Case, prediction: Prediction) -> list[Row]:
    """Score the waves at buoys that are held out."""
    rows = []
    for gauge in case.held_out:
        fits = fit_waves(ready.records, prediction.made[gauge], used=case.used)
        fit = next((each for each in fits if each.gauge == gauge), None)
        time_s, level_m = known_samples(ready.records, gauge)
        observed_m = float(level_m[around(ready.waves[gauge], time_s)].max())
        draws_m = prediction.highest_m[gauge]
        row: Row = {"gauge": gauge, "probabilistic": prediction.probabilistic, "highest_m": observed_m}
        row |= {"median_m": float(np.median(draws_m)), "crps_m": crps(draws_m, observed_m)}
        if prediction.probabilistic:
            row |= {f"in_{share}": holds(draws_m, observed_m, share / 100) for share in (50, 90)}
            row["pit"] = pit(draws_m, observed_m)
        rows.append(row | _wave_scores(fit))
    return rows


def _wave_scores(fit: Any) -> Row:
    """Score a mean wave; levels below a millimetre count as one."""
    if fit is None:
        return dict.fromkeys(("explained_variance", "ln_ratio", "arrival_error_min"))
    ratio = max(fit.modelled_m, _SMALLEST_M) / max(fit.observed_m, _SMALLEST_M)
    return {
        "explained_variance": _plain(fit.explained_variance),
        "ln_ratio": float(np.log(ratio)),
        "arrival_error_min": _plain((fit.modelled_arrival_s - fit.observed_arrival_s) / 60),
    }


def _plain(value: float) -> float | None:
    """Return a number, None where it is none."""
    return round(float(value), 5) if np.isfinite(value) else None
