"""Inversion of labelled records by any method."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from slipcast.errors import InputError, SlipcastWarning, check_kind
from slipcast.inversion.estimate import SlipEstimate
from slipcast.inversion.inverter import (
    Inverter,
    PreparedInverter,
    SamplingInverter,
    WaveInverter,
    check_senses,
    longest_window_min,
    provenance_of,
    restricted,
)
from slipcast.io.labels import with_reasons
from slipcast.records import Records

__all__ = ["N_SAMPLES", "invert_records"]

N_SAMPLES = 200
"""Posterior samples that go with an estimate of a method that can draw them."""


def invert_records(
    records: Records,
    inverter: Inverter,
    *,
    window_min: float | Mapping[str, float] | None = None,
    gauges: Sequence[str] | None = None,
    seed: int = 0,
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

    Returns
    -------
    estimate : SlipEstimate
        Attribute ``tide``: ``"joint"``, else how the records say that it was taken out; ``gauges``: those with a sample
        in the window; ``gauges_left_out``: those of the records that the method knows without one, and those that could
        not be read, with the reasons.

    Raises
    ------
    InputError
        If an argument is of a wrong kind, a name is unknown, the window does not fit the method, more samples are
        missing than the method can do without (a gauge that was named must have a sample in the window), or a gauge
        senses something else than the method was made for.

    Warns
    -----
    SlipcastWarning
        If a gauge has no sample in the window and is left out by a method that needs some of each.
    """
    check_kind(records, Records, "records", "Records (sc.read_records, sc.Records.open)")
    check_kind(inverter, Inverter, "inverter", "an Inverter, or the name or folder of a model")
    if isinstance(window_min, Mapping):
        if not window_min:
            raise InputError("window_min must name at least one gauge, got none")
        records = records.windowed({name: (-np.inf, end) for name, end in window_min.items()})
        window_min = max(window_min.values())
    if window_min is not None:
        check_kind(window_min, (int, float, np.integer, np.floating), "window_min", "a number of minutes")
    if isinstance(gauges, str):
        raise InputError(f"gauges must be a sequence of names, got {gauges!r}")
    chosen = restricted(inverter, gauges=None if gauges is None else list(gauges), window_min=window_min)
    known = set(chosen.gauges)
    if isinstance(chosen, PreparedInverter):
        chosen = chosen.prepared(records)
    names = list(chosen.gauges)
    if missing := [name for name in names if name not in set(records.gauges)]:
        raise InputError(f"records lack gauge {', '.join(missing)}; method {chosen.method} takes {', '.join(names)}")
    check_senses(chosen, records.senses, of="records")
    sampled = records.resample(chosen.times_s, names).to_numpy()
    _check_gaps(chosen, sampled)
    reporting = np.isfinite(sampled).any(axis=-1).reshape(-1, len(names)).any(axis=0)
    used = [name for name, has in zip(names, reporting, strict=True) if has]
    tide = "joint" if getattr(chosen, "joint_tide", False) else str(records.dataset.attrs.get("tide_method", ""))
    provenance = provenance_of(chosen)
    estimate = SlipEstimate.from_slip(
        **_solve(chosen, sampled, seed),
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
    why = f"no sample in the window of {longest_window_min(chosen):g} min"
    reasons = {name: why for name in records.gauges if name in known and name not in used}
    if dropped := [name for name in reasons if name not in names]:
        told = "; ".join(f"gauge {name} is left out: {why}" for name in dropped)
        warnings.warn(told, SlipcastWarning, stacklevel=2)
    found = estimate.dataset.assign_attrs(tide=tide, **learned)
    return SlipEstimate(with_reasons(found, records.gauges_left_out | reasons))


def _solve(inverter: Inverter, sampled: np.ndarray, seed: int) -> dict[str, Any]:
    """Find slip, and draw where the method can, from samples in its own order, ([n_events,] n_gauges, n_times)."""
    rng = np.random.default_rng(seed)
    if isinstance(inverter, WaveInverter):
        amplitudes = inverter.draw(sampled, N_SAMPLES, rng)
        samples = inverter.slip(amplitudes)
        return {
            "slip_m": samples.mean(axis=-2),
            "samples_m": samples,
            "subfault_samples_m": inverter.subfault_slip(amplitudes),
            "amplitude_samples": amplitudes,
        }
    if isinstance(inverter, SamplingInverter):
        return {"samples_m": inverter.sample(sampled, N_SAMPLES, rng), "slip_m": inverter.solve(sampled)}
    return {"slip_m": inverter.solve(sampled)}


def _check_gaps(inverter: Inverter, records: np.ndarray) -> None:
    """Refuse records in which more is missing than a method can do without; name the first place."""
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
        raise InputError(f"no gauge has a sample in the window of {window}{of_event}")
