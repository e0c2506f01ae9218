"""Inversion of labelled records by any method."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from slipcast.errors import InputError, SlipcastWarning, check_kind
from slipcast.inversion.candidates import check_epicentre, source_middles
from slipcast.inversion.consistency import Consistency
from slipcast.inversion.estimate import SlipEstimate
from slipcast.inversion.inverter import (
    Inverter,
    PreparedInverter,
    RecordModel,
    RuptureInverter,
    SamplingInverter,
    WaveInverter,
    WindowInverter,
    check_senses,
    longest_window_min,
    provenance_of,
    restricted,
)
from slipcast.io.labels import with_reasons
from slipcast.records import Records
from slipcast.records.arrival import earliest_arrivals
from slipcast.records.level_checks import examined, notes_on_samples

__all__ = ["N_SAMPLES", "NoGaugeLeft", "contradicting_gauges", "invert_records", "until_windows"]

N_SAMPLES = 200
"""Posterior samples that go with an estimate of a method that can draw them."""


class NoGaugeLeft(InputError):
    """No slip explains any of the records.

    Parameters
    ----------
    aside : mapping of gauge to float
        By how much each contradicts what slip can make, standard deviations.
    """

    def __init__(self, aside: Mapping[str, float]):
        self.aside = dict(aside)
        found = ", ".join(f"{name} by {by:.0f}" for name, by in aside.items())
        super().__init__(f"records need a gauge that slip explains, got none; standard deviations away: {found}")


def invert_records(
    records: Records,
    inverter: Inverter,
    *,
    window_min: float | Mapping[str, float] | None = None,
    gauges: Sequence[str] | None = None,
    seed: int = 0,
    count: int = N_SAMPLES,
    put_aside: bool | Mapping[str, float] = True,
) -> SlipEstimate:
    """Find the slip that made records.

    Parameters
    ----------
    records : Records
        Of one event or several.
    inverter : Inverter
        The method, with its options.
    window_min : float or mapping of gauge to float, optional
        Samples up to it are used, minutes after the origin, for all gauges or, where named, each; by default the
        method's own window.
    gauges : sequence of str, optional
        Gauges used; by default those of the records that the method knows.
    seed : int, optional
        What posterior samples are drawn from.
    count : int, optional
        How many, where the method draws them.
    put_aside : bool or mapping of gauge to float, optional
        Leave gauges out whose record no slip explains, alone or beside those of the others
        (:func:`contradicting_gauges`); or these, which were found before. Samples that cannot be the sea are left out
        of records that no reader has checked (:func:`~slipcast.records.level_checks.examined`). False: use all.

    Returns
    -------
    estimate : SlipEstimate
        Attribute ``tide``: ``"joint"``, else how the records say that it was taken out; ``gauges``: those used;
        ``put_aside``: those whose record contradicts, and by how many standard deviations; ``gauges_left_out``: these,
        those of the records that the method knows without a sample in the window, and those that could not be read,
        with the reasons; ``samples_left_out``: what was left out of the records of those used.

    Raises
    ------
    InputError
        If an argument is of a wrong kind, a name is unknown, the window does not fit the method, more samples are
        missing than the method can do without (a gauge that was named must have a sample in the window), a gauge senses
        something else than the method was made for, no gauge is left, or the epicentre that the records name is more
        than 500 km from all unit sources of the method.

    Warns
    -----
    SlipcastWarning
        If a gauge has no sample in the window and is left out by a method that needs some of each.
    """
    check_kind(records, Records, "records", "Records (sc.read_records, sc.Records.open)")
    check_kind(inverter, Inverter, "inverter", "an Inverter, or the name or folder of a model")
    records, chosen, known = _chosen(records, inverter, window_min, gauges)
    if "epicentre" in records.dataset.attrs:
        lon, lat = (float(value) for value in records.dataset.attrs["epicentre"])
        check_epicentre(chosen.sources, (lon, lat), provenance_of(chosen).get("region", ""))
    if put_aside is not False:
        records = examined(records, 60.0 * longest_window_min(chosen), source_middles(tuple(chosen.sources)))
    sampled = _sampled(records, chosen)
    aside = _aside(records, chosen, sampled) if put_aside is True else dict(put_aside or {})
    dropped = [name for name in records.gauges if name in known and name not in chosen.gauges]
    if aside:
        left = [name for name in _reporting(chosen, sampled) if name not in aside]
        if not left:
            raise NoGaugeLeft(aside)
        chosen = restricted(chosen, gauges=left)
        sampled = _sampled(records, chosen)
    notes = {} if sampled.ndim > 2 else notes_on_samples(records, 60.0 * longest_window_min(chosen))
    _check_gaps(chosen, sampled, notes)
    used = _reporting(chosen, sampled)
    joint, tide = getattr(chosen, "joint_tide", False), str(records.dataset.attrs.get("tide_method", ""))
    tide = "joint" if joint or (joint is None and records.tide_known) else tide
    provenance = provenance_of(chosen)
    estimate = SlipEstimate.from_slip(
        **_solve(chosen, sampled, seed, count),
        sources=list(chosen.sources),
        method=chosen.method,
        window_min=longest_window_min(chosen),
        start_min=float(getattr(chosen, "start_min", 0.0)),
        region=provenance.get("region", ""),
        gauges=used,
        model=provenance.get("model", ""),
        bank=provenance.get("bank", ""),
    )
    learned = {"scenarios": provenance["scenarios"]} if "scenarios" in provenance else {}
    unsampled = f"no sample in the window of {longest_window_min(chosen):g} min"
    reasons = {
        name: f"its record contradicts the others or what slip can make, by {aside[name]:.0f} standard deviations"
        if name in aside
        else ": ".join(filter(None, (unsampled, notes.get(name, ""))))
        for name in records.gauges
        if name in known and name not in used
    }
    if dropped:
        told = "; ".join(f"gauge {name} is left out: {unsampled}" for name in dropped)
        warnings.warn(told, SlipcastWarning, stacklevel=2)
    found = estimate.dataset.assign_attrs(
        tide=tide,
        put_aside=" ".join(f"{name}={by:.1f}" for name, by in aside.items()),
        samples_left_out=json.dumps({name: note for name, note in notes.items() if name in used}),
        **learned,
    )
    return SlipEstimate(with_reasons(found, records.gauges_left_out | reasons))


def contradicting_gauges(
    records: Records,
    inverter: Inverter,
    *,
    window_min: float | Mapping[str, float] | None = None,
    gauges: Sequence[str] | None = None,
    largest_m: float = np.inf,
) -> dict[str, float]:
    """Find the gauges whose record no slip explains, alone or beside those of the others.

    Parameters
    ----------
    records : Records
        Of one event.
    inverter : Inverter
        Says what slip can make; let it have all unit sources that may have broken.
    window_min, gauges
        As :func:`invert_records` takes them.
    largest_m : float, optional
        As large as the earthquake can be, root mean square slip, m: decides between two gauges that contradict.

    Returns
    -------
    aside : dict of str to float
        By how many standard deviations each contradicts (:class:`~slipcast.inversion.consistency.Consistency`). Empty
        for several events, and for a method that does not know what slip can make
        (:class:`~slipcast.inversion.inverter.RecordModel`) or takes its own gauges alone.
    """
    records, chosen, _ = _chosen(records, inverter, window_min, gauges)
    records = examined(records, 60.0 * longest_window_min(chosen), source_middles(tuple(chosen.sources)))
    return _aside(records, chosen, _sampled(records, chosen), largest_m)


def until_windows(records: Records, window_min: float | Mapping[str, float] | None) -> tuple[Records, float | None]:
    """Return records up to the window of each gauge, where there are several, and the longest window.

    Parameters
    ----------
    records : Records
        Of any number of events.
    window_min : float, mapping of gauge to float, or None
        Minutes after the origin.

    Returns
    -------
    records : Records
    window_min : float or None
        None where none is given.

    Raises
    ------
    InputError
        If it is no number of minutes, or names no gauge or an unknown one.
    """
    if isinstance(window_min, Mapping):
        if not window_min:
            raise InputError("window_min must name at least one gauge, got none")
        records = records.windowed({name: (-np.inf, end) for name, end in window_min.items()})
        window_min = max(window_min.values())
    if window_min is not None:
        check_kind(window_min, (int, float, np.integer, np.floating), "window_min", "a number of minutes")
    return records, window_min


def _aside(records: Records, inverter: Inverter, sampled: np.ndarray, largest_m: float = np.inf) -> dict[str, float]:
    """Find the gauges that are better left out, from samples in the order of a method."""
    if sampled.ndim > 2 or not isinstance(inverter, RecordModel) or not isinstance(inverter, WindowInverter):
        return {}
    gauges, times_s, columns = list(inverter.gauges), inverter.times_s, None
    if records.dataset.sizes.get("column", 0):
        columns = records.tide_columns(times_s, gauges).matrix(gauges, times_s)
    checked = Consistency(inverter.record_moments(), times_s, columns)
    found = checked.put_aside(sampled, largest_m=largest_m)
    earliest_s = dict(zip(records.gauges, earliest_arrivals(records).tolist(), strict=True)) if found else {}
    before = times_s < np.array([[earliest_s.get(name, 0.0)] for name in gauges])
    if before.any():  # what moves before a wave can be there is the earthquake's own shaking, and no fault
        later = np.where(before, np.nan, sampled)
        silent = np.atleast_1d(~np.isfinite(later).any(axis=-1))
        found = {place: by for place, by in found.items() if silent[place]} | checked.put_aside(
            later, largest_m=largest_m
        )
    return {gauges[place]: by for place, by in found.items()}


def _chosen(
    records: Records,
    inverter: Inverter,
    window_min: float | Mapping[str, float] | None,
    gauges: Sequence[str] | None,
) -> tuple[Records, Inverter, set[str]]:
    """Return records up to the window of each gauge, the method for gauges and window, and the gauges it knows."""
    records, window_min = until_windows(records, window_min)
    if isinstance(gauges, str):
        raise InputError(f"gauges must be a sequence of names, got {gauges!r}")
    chosen = restricted(inverter, gauges=None if gauges is None else list(gauges), window_min=window_min)
    known = set(chosen.gauges)
    return records, chosen.prepared(records) if isinstance(chosen, PreparedInverter) else chosen, known


def _sampled(records: Records, inverter: Inverter) -> np.ndarray:
    """Return records at the gauges and times of a method; InputError if they lack one, or sense something else."""
    names = list(inverter.gauges)
    if missing := [name for name in names if name not in set(records.gauges)]:
        raise InputError(f"records lack gauge {', '.join(missing)}; method {inverter.method} takes {', '.join(names)}")
    check_senses(inverter, records.senses, of="records")
    return records.resample(inverter.times_s, names).to_numpy()


def _reporting(inverter: Inverter, sampled: np.ndarray) -> list[str]:
    """Name the gauges that have a sample, in any event."""
    has = np.isfinite(sampled).any(axis=-1).reshape(-1, len(inverter.gauges)).any(axis=0)
    return [name for name, some in zip(inverter.gauges, has, strict=True) if some]


def _solve(inverter: Inverter, sampled: np.ndarray, seed: int, count: int) -> dict[str, Any]:
    """Find slip, and draw where the method can, from samples in its own order, ([n_events,] n_gauges, n_times)."""
    rng = np.random.default_rng(seed)
    if isinstance(inverter, WaveInverter):
        amplitudes = inverter.draw(sampled, count, rng)
        samples = inverter.slip(amplitudes)
        return {
            "slip_m": samples.mean(axis=-2),
            "samples_m": samples,
            "subfault_samples_m": inverter.subfault_slip(amplitudes),
            "amplitude_samples": amplitudes,
        }
    if isinstance(inverter, RuptureInverter):
        drawn = inverter.draws(sampled, count, rng)
        return {
            "slip_m": drawn.slip_m.mean(axis=0),
            "samples_m": drawn.slip_m,
            "subfault_samples_m": drawn.subfault_slip_m,
            "wave_error": drawn.wave_error,
            "wave_factor": drawn.wave_factor,
            "wave_delay_s": drawn.wave_delay_s,
        }
    if isinstance(inverter, SamplingInverter):
        return {"samples_m": inverter.sample(sampled, count, rng), "slip_m": inverter.solve(sampled)}
    return {"slip_m": inverter.solve(sampled)}


def _check_gaps(inverter: Inverter, records: np.ndarray, notes: Mapping[str, str]) -> None:
    """Refuse records in which more is missing than a method can do without; name the first place, and why."""
    gauges, times_s = inverter.gauges, inverter.times_s
    missing = np.isnan(records)
    window = f"{longest_window_min(inverter):g} min"
    if inverter.gaps == "none" and missing.any():
        *event, gauge, sample = (int(i) for i in np.argwhere(missing)[0])
        of_event = f" of event {event[0]}" if event else ""
        raise InputError(
            f"gauge {gauges[gauge]}{of_event} has no sample at {times_s[sample] / 60:g} min after the origin; the "
            f"model needs all of its {window}"
        )
    empty = missing.all(axis=-1)
    nowhere = empty.reshape(-1, len(gauges)).all(axis=0)
    if inverter.gaps == "within gauges" and nowhere.any():
        raise InputError(f"gauge {gauges[int(np.argmax(nowhere))]} has no sample in the window of {window}")
    if (without := empty.all(axis=-1)).any():
        of_event = f" in event {int(np.argmax(without))}" if without.ndim else ""
        left_out = "".join(f"; {name}: {notes[name]}" for name in gauges if name in notes)
        raise InputError(f"no gauge has a sample in the window of {window}{of_event}{left_out}")
