"""What every way from records to slip has in common, and its application to labelled records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from slipcast.errors import InputError
from slipcast.inversion.estimate import SlipEstimate
from slipcast.records import Records

__all__ = ["Gaps", "Inverter", "SamplingInverter", "WaveInverter", "invert_records", "invert_samples"]

Gaps = Literal["none", "within gauges", "whole gauges"]
"""What may be missing in records: nothing, samples but no gauge in every event, or anything but everything."""


class Inverter(Protocol):
    """A way from records to slip."""

    @property
    def method(self) -> str:
        """Its name."""

    @property
    def gauges(self) -> Sequence[str]:
        """Names of the gauges it uses, in order."""

    @property
    def sources(self) -> Sequence[str]:
        """Names of the unit sources it finds slip on, in order."""

    @property
    def times_s(self) -> np.ndarray:
        """Times of the samples it uses, s since the origin, shape (n_times,)."""

    @property
    def gaps(self) -> Gaps:
        """What may be missing."""

    def solve(self, records) -> np.ndarray:
        """Find slip, shape (..., n_sources), m, >= 0, from records, shape (..., n_gauges, n_times), m."""


@runtime_checkable
class SamplingInverter(Inverter, Protocol):
    """A way from records to slip that knows how uncertain it is."""

    def sample(self, records, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw slip that fits, shape (..., count, n_sources), m, >= 0; NaN samples of records are missing."""


@runtime_checkable
class WaveInverter(SamplingInverter, Protocol):
    """A way from records to whole earthquakes: slip finer than unit sources, and the waves that go with it."""

    @property
    def waves(self) -> Mapping[str, np.ndarray]:
        """Waves of the amplitudes of :meth:`draw` at gauges, m, shape (n_modes, n_times), every minute from zero."""

    def draw(self, records, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw earthquakes that fit, as amplitudes, shape (..., count, n_modes)."""

    def slip(self, amplitudes) -> np.ndarray:
        """Turn amplitudes into slip on unit sources, shape (..., n_sources), m, >= 0."""

    def sea_level(self, amplitudes, gauge: str) -> np.ndarray:
        """Turn all draws of a record into their waves at a gauge, shape (..., count, n_times), m."""

    def subfault_slip(self, amplitudes) -> np.ndarray:
        """Turn amplitudes into slip on subfaults, shape (..., n_subfaults), m."""


def invert_records(
    inverter: Inverter,
    records: Records,
    *,
    region: str,
    bank: str = "",
    model: str = "",
    start_min: float = 0.0,
    n_samples: int = 0,
    seed: int = 0,
) -> SlipEstimate:
    """Apply an inverter to records, by the names of gauges and at its times.

    Parameters
    ----------
    inverter : Inverter
        How.
    records : Records
        Of one event or several; gauges that the inverter does not use are left alone.
    region : str
        Name of the region.
    bank, model : str, optional
        Identity of the bank and of the checkpoint.
    start_min : float, optional
        Where its window begins, minutes after the origin, for the label.
    n_samples : int, optional
        Draws of slip that go with the estimate, for one that can (:class:`SamplingInverter`); the slip of a
        :class:`WaveInverter` is then the mean of these draws.
    seed : int, optional
        What they are drawn from.

    Returns
    -------
    estimate : SlipEstimate

    Raises
    ------
    InputError
        If the records lack a gauge, or more samples than the inverter can do without.
    """
    gauges, times_s = list(inverter.gauges), inverter.times_s
    known = set(records.gauges)
    if missing := [name for name in gauges if name not in known]:
        raise InputError(f"records lack gauge {', '.join(missing)}; method {inverter.method} takes {', '.join(gauges)}")
    return invert_samples(
        inverter,
        records.resample(times_s, gauges).to_numpy(),
        region=region,
        bank=bank,
        model=model,
        start_min=start_min,
        n_samples=n_samples,
        seed=seed,
    )


def invert_samples(
    inverter: Inverter,
    sampled: np.ndarray,
    *,
    region: str,
    bank: str = "",
    model: str = "",
    start_min: float = 0.0,
    n_samples: int = 0,
    seed: int = 0,
) -> SlipEstimate:
    """Apply an inverter to samples in its own order, shape ([n_events,] n_gauges, n_times), m; NaN is missing.

    The other parameters, what comes back and what is refused are those of :func:`invert_records`.
    """
    gauges, times_s = list(inverter.gauges), inverter.times_s
    _check_gaps(inverter, sampled)
    draws: dict[str, np.ndarray] = {}
    if n_samples and isinstance(inverter, WaveInverter):
        amplitudes = inverter.draw(sampled, n_samples, np.random.default_rng(seed))
        draws = {
            "samples_m": inverter.slip(amplitudes),
            "subfault_samples_m": inverter.subfault_slip(amplitudes),
            "amplitude_samples": amplitudes,
        }
        slip = draws["samples_m"].mean(axis=-2)
    elif n_samples and isinstance(inverter, SamplingInverter):
        draws = {"samples_m": inverter.sample(sampled, n_samples, np.random.default_rng(seed))}
        slip = inverter.solve(sampled)
    else:
        slip = inverter.solve(sampled)
    return SlipEstimate.from_slip(
        slip,
        list(inverter.sources),
        method=inverter.method,
        window_min=float(times_s[-1]) / 60,
        start_min=start_min,
        region=region,
        gauges=gauges,
        model=model,
        bank=bank,
        **draws,
    )


def _check_gaps(inverter: Inverter, records: np.ndarray) -> None:
    """Refuse records in which more is missing than an inverter can do without; name the first place."""
    gauges, times_s = inverter.gauges, inverter.times_s
    missing = np.isnan(records)
    window = f"{times_s[-1] / 60:g} min"
    if inverter.gaps == "none" and missing.any():
        *event, gauge, sample = (int(i) for i in np.argwhere(missing)[0])
        of_event = f" of event {event[0]}" if event else ""
        raise InputError(
            f"gauge {gauges[gauge]}{of_event} has no sample at {times_s[sample] / 60:g} min after the origin; the "
            f"model needs all of its {window}"
        )
    silent = missing.all(axis=-1).reshape(-1, len(gauges)).all(axis=0)
    if inverter.gaps == "within gauges" and silent.any():
        raise InputError(f"gauge {gauges[int(np.argmax(silent))]} has no sample in the window of {window}")
    if silent.all():
        raise InputError(f"no gauge has a sample in the window of {window}")
