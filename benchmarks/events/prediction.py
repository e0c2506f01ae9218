"""Predictions of a case: what a method, or a baseline without one, says of waves and magnitude."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from benchmarks.events.cases import Case
from benchmarks.events.draws import Ensemble, at_times, misfit_of, wave_draws
from benchmarks.events.event import Event
from benchmarks.events.waves import FirstWave, known_samples
from slipcast.forecasting.forecast import Forecast, forecast
from slipcast.greens.bank import GreensBank
from slipcast.greens.surface_bank import SurfaceBank
from slipcast.inversion.estimate import SlipEstimate
from slipcast.inversion.surface_estimate import SurfaceEstimate, invert_surface
from slipcast.inversion.surface_posterior import SurfacePosterior
from slipcast.realtime.real_event import FIRST_WAVE, invert_event
from slipcast.records import Records

__all__ = [
    "AROUND_S",
    "N_BEST",
    "N_PRIOR",
    "SURFACE",
    "Prediction",
    "best_prediction",
    "method_prediction",
    "prior_prediction",
    "surface_prediction",
]

SURFACE = "surface"
"""The method that finds the sea surface in place of slip."""


N_PRIOR, N_BEST = 200, 20
AROUND_S = 600.0
"""By how much more than the first wave the highest level is looked for, before and after, s."""


@dataclass(frozen=True)
class Prediction:
    """What is said of a case.

    Attributes
    ----------
    magnitude : float
        Mw; NaN where there is no slip.
    magnitude_interval : (float, float) or None
        Ends of the central 90 %.
    made : dict of str to Forecast
        By gauge that is held out, the mean wave.
    highest_m : dict of str to array, shape (n_draws,)
        By gauge, the highest level of each draw around the first wave, at the times of the record; a single one where
        nothing is drawn.
    probabilistic : bool
        Whether there are draws.
    slip : SlipEstimate or None
        Of a method.
    note : str
        What is to be said besides.
    """

    magnitude: float
    magnitude_interval: tuple[float, float] | None
    made: dict[str, Forecast]
    highest_m: dict[str, np.ndarray]
    probabilistic: bool
    slip: SlipEstimate | None = None
    note: str = ""


def around(wave: FirstWave, time_s: np.ndarray) -> np.ndarray:
    """Tell which times lie around a first wave."""
    return (time_s >= wave.start_s - AROUND_S) & (time_s <= wave.end_s + AROUND_S)


def method_prediction(
    event: Event, records: Records, bank: GreensBank, waves: Mapping[str, FirstWave], case: Case, method: str
) -> Prediction:
    """Invert the records of a case, and forecast what is held out; InputError where the method cannot."""
    window: Any = FIRST_WAVE if case.kind == "left out" else case.window_min
    slip = invert_event(
        Records(records.dataset.sel(gauge=list(case.used))),
        bank,
        method=method,
        gauges=list(case.used),
        window_min=window,
        epicentre=event.epicentre,
        magnitude=event.first_magnitude,
    ).slip
    highest = _highest(slip, bank, records, waves, case)
    spread = slip.samples is not None
    ends = tuple(float(end) for end in slip.magnitude_interval(0.9)) if spread else None
    made = forecast(slip, bank, gauges=case.held_out)
    made_by_gauge = dict.fromkeys(case.held_out, made)
    return Prediction(float(slip.magnitude), ends, made_by_gauge, highest, spread, slip)  # type: ignore[arg-type]


def surface_prediction(
    records: Records, bank: SurfaceBank, fault: GreensBank, waves: Mapping[str, FirstWave], case: Case
) -> Prediction:
    """Find the sea surface from the records of a case, and forecast what is held out; no magnitude."""
    method = SurfacePosterior(bank, case.last_min, gauges=case.used, fault=fault)
    surface = invert_surface(
        Records(records.dataset.sel(gauge=list(case.used))), method, window_min=case.window_min, gauges=case.used
    )
    made = dict.fromkeys(case.held_out, forecast(surface, bank, gauges=case.held_out))
    highest = _highest(surface, bank, records, waves, case)
    return Prediction(np.nan, None, made, highest, True, note=surface.evidence_words)


def _highest(
    source: SlipEstimate | SurfaceEstimate,
    bank: GreensBank | SurfaceBank,
    records: Records,
    waves: Mapping[str, FirstWave],
    case: Case,
) -> dict[str, np.ndarray]:
    """Return by gauge that is held out the highest level of each draw around the first wave, m."""
    highest = {}
    for gauge in case.held_out:
        time_s, _ = known_samples(records, gauge)
        made_s, level_m = wave_draws(source, bank, gauge)
        highest[gauge] = np.nanmax(at_times(made_s, level_m, time_s[around(waves[gauge], time_s)]), axis=1)
    return highest


def prior_prediction(ensemble: Ensemble, waves: Mapping[str, FirstWave], case: Case) -> Prediction:
    """Say of a case what ruptures do that the first bulletin allows, whatever the records."""
    return _of_draws(ensemble, np.arange(N_PRIOR), waves, case)


def best_prediction(ensemble: Ensemble, records: Records, waves: Mapping[str, FirstWave], case: Case) -> Prediction:
    """Say of a case what those ruptures do whose waves are nearest to the records used, in their windows."""
    levels, observed = [], []
    for gauge in case.used:
        time_s, level_m = known_samples(records, gauge)
        end_min = case.window_min if isinstance(case.window_min, float) else case.window_min[gauge]
        chosen = np.isin(ensemble.time_s[gauge], time_s) & (ensemble.time_s[gauge] <= 60 * end_min)
        levels.append(ensemble.level_m[gauge][:, chosen])
        observed.append(level_m[np.isin(time_s, ensemble.time_s[gauge][chosen])])
    order = np.argsort(misfit_of(levels, observed), kind="stable")
    return _of_draws(ensemble, order[:N_BEST], waves, case)


def _of_draws(ensemble: Ensemble, chosen: np.ndarray, waves: Mapping[str, FirstWave], case: Case) -> Prediction:
    """Take some draws as a prediction."""
    made, highest = {}, {}
    for gauge in case.held_out:
        time_s, level_m = ensemble.time_s[gauge], ensemble.level_m[gauge][chosen]
        mean = ("gauge", "time"), level_m.mean(axis=0)[np.newaxis].astype(float)
        made[gauge] = Forecast(xr.Dataset({"sea_level": mean}, coords={"gauge": [gauge], "time": time_s}))
        highest[gauge] = level_m[:, around(waves[gauge], time_s)].max(axis=1).astype(float)
    low, middle, high = np.quantile(ensemble.magnitude[chosen], [0.05, 0.5, 0.95]).tolist()
    return Prediction(middle, (low, high), made, highest, True)
