"""Protocols of inversion methods, and operations common to all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from slipcast.errors import InputError
from slipcast.records import Records
from slipcast.records.correlated_noise import CorrelatedNoise

__all__ = [
    "Gaps",
    "Inverter",
    "PreparedInverter",
    "RecordModel",
    "RuptureDraws",
    "RuptureInverter",
    "SamplingInverter",
    "SourceInverter",
    "WaveInverter",
    "WindowInverter",
    "check_senses",
    "longest_window_min",
    "noise_of_records",
    "provenance_of",
    "recorded_gauges",
    "restricted",
    "window_range_min",
]

Gaps = Literal["none", "within gauges", "whole gauges"]
"""What may be missing in records: nothing, samples but no gauge in every event, or anything but everything."""


@runtime_checkable
class Inverter(Protocol):
    """A method from records to slip.

    One that has them adds ``provenance`` (mapping of ``region``, and the identities of its ``bank`` and ``model``),
    ``window_min``, ``start_min`` and ``joint_tide``: estimates then name them; and ``senses``, for each of its gauges
    what it senses (:class:`slipcast.regions.region.Gauge`): records of anything else are then refused.
    """

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
    """A method that draws posterior samples of slip."""

    def sample(self, records, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw slip that fits, shape (..., count, n_sources), m, >= 0; NaN samples of records are missing."""


@dataclass(frozen=True)
class RuptureDraws:
    """Draws of ruptures on subfaults.

    Attributes
    ----------
    slip_m : array, shape (count, n_sources)
        Mean slip on unit sources, m, >= 0.
    subfault_slip_m : array, shape (count, n_subfaults)
        m, >= 0, in the order of the bank.
    wave_error : array, shape (count,)
        Standard deviation of the logarithm of what modelled waves are wrong by.
    wave_factor : array, shape (count,)
        How high waves are over those that the bank makes of the slip.
    wave_delay_s : array, shape (count,)
        By how much waves are later than those of slip at once at the origin time, s.
    """

    slip_m: np.ndarray
    subfault_slip_m: np.ndarray
    wave_error: np.ndarray
    wave_factor: np.ndarray
    wave_delay_s: np.ndarray


@runtime_checkable
class RuptureInverter(SamplingInverter, Protocol):
    """A method that draws slip finer than unit sources, and knows how wrong modelled waves are."""

    def draws(self, records, count: int, rng: np.random.Generator) -> RuptureDraws:
        """Draw ruptures that fit records of one event, shape (n_gauges, n_times), m; NaN samples are missing."""


@runtime_checkable
class WaveInverter(SamplingInverter, Protocol):
    """A method that draws whole earthquakes: slip finer than unit sources, and the waves that go with it."""

    @property
    def waves(self) -> Mapping[str, np.ndarray]:
        """Waves of the amplitudes of :meth:`draw` at gauges, m, shape (n_modes, n_times), every minute from zero."""

    @property
    def displacement(self) -> Mapping[str, np.ndarray]:
        """What the gauges sense of the displacement of the floor alone, before any wave, m, shape (n_modes,)."""

    @property
    def gauge_depth_m(self) -> Mapping[str, float]:
        """Depth of the sea at these gauges, m."""

    def draw(self, records, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw earthquakes that fit, as amplitudes, shape (..., count, n_modes)."""

    def slip(self, amplitudes) -> np.ndarray:
        """Turn amplitudes into slip on unit sources, shape (..., n_sources), m, >= 0."""

    def sea_level(self, amplitudes, gauge: str) -> np.ndarray:
        """Turn all draws of a record into their waves at a gauge, shape (..., count, n_times), m."""

    def subfault_slip(self, amplitudes) -> np.ndarray:
        """Turn amplitudes into slip on subfaults, shape (..., n_subfaults), m."""


@runtime_checkable
class WindowInverter(Inverter, Protocol):
    """A method that can be restricted to fewer gauges or a shorter window."""

    @property
    def window_range_min(self) -> tuple[float, float]:
        """Shortest and longest window, minutes after the origin."""

    def restricted(self, *, gauges: Sequence[str] | None = None, window_min: float | None = None) -> Inverter:
        """Return the method for some gauges, in this order, and a window; None leaves either as it is."""


@runtime_checkable
class SourceInverter(Inverter, Protocol):
    """A method that can be kept to some unit sources."""

    def with_sources(self, sources: Sequence[str]) -> Inverter:
        """Return the method on these unit sources alone."""


@runtime_checkable
class PreparedInverter(Inverter, Protocol):
    """A method that looks at the records before it inverts them."""

    def prepared(self, records: Records) -> Inverter:
        """Return the method for the gauges of these records and the noise in them; InputError if it cannot use them."""


@runtime_checkable
class RecordModel(Inverter, Protocol):
    """A method that knows what records slip can make, so that they can be held against each other."""

    def record_moments(self) -> np.ndarray:
        """Return the second moments of its samples, m^2, shape (n_gauges * n_times, n_gauges * n_times).

        Without noise, for an earthquake of a root mean square slip of 1 m on unit sources.
        """


def provenance_of(inverter: Inverter) -> Mapping[str, str]:
    """Return the provenance of a method: ``region``, identities of ``bank`` and ``model``, where it has them."""
    return getattr(inverter, "provenance", {})


def check_senses(inverter: Inverter, sensed: Mapping[str, str], *, of: str) -> None:
    """Refuse records of something else than what a method was made for.

    Parameters
    ----------
    inverter : Inverter
        Any; one that does not say what its gauges sense takes anything.
    sensed : mapping of gauge to str
        What the gauges of the records sense.
    of : str
        Whose gauges these are, for the message.

    Raises
    ------
    InputError
        Naming the first gauge that differs.
    """
    for name, own in zip(inverter.gauges, getattr(inverter, "senses", ()), strict=False):
        if sensed[name] != own:
            here, wanted = (word.replace("_", " ") for word in (sensed[name], own))
            raise InputError(
                f"gauge {name} of {of} senses {here}, and method {inverter.method} was made for {wanted} there; "
                f"give a bank or model of {here}"
            )


def window_range_min(inverter: Inverter) -> tuple[float, float]:
    """Return the shortest and the longest window that a method takes, minutes after the origin."""
    if isinstance(inverter, WindowInverter):
        return inverter.window_range_min
    return longest_window_min(inverter), longest_window_min(inverter)


def longest_window_min(inverter: Inverter) -> float:
    """Return where the window of a method ends, minutes after the origin."""
    return float(getattr(inverter, "window_min", inverter.times_s[-1] / 60))


def restricted(inverter: Inverter, *, gauges: Sequence[str] | None = None, window_min: float | None = None) -> Inverter:
    """Restrict a method to fewer gauges or a shorter window.

    Parameters
    ----------
    inverter : Inverter
        Any; only a :class:`WindowInverter` can be given others than its own.
    gauges : sequence of str, optional
        Gauges to be used, in this order.
    window_min : float, optional
        Minutes after the origin.

    Returns
    -------
    inverter : Inverter

    Raises
    ------
    InputError
        If the method takes its own gauges and window alone and others are asked for, or it does not know them.
    """
    if gauges is None and window_min is None:
        return inverter
    if isinstance(inverter, WindowInverter):
        return inverter.restricted(gauges=gauges, window_min=window_min)
    own_min = longest_window_min(inverter)
    if window_min is not None and window_min != own_min:
        raise InputError(f"window of {window_min:g} min is not that of method {inverter.method}, {own_min:g} min")
    if gauges is not None and list(gauges) != list(inverter.gauges):
        raise InputError(
            f"method {inverter.method} takes gauges {', '.join(inverter.gauges)} alone, got {', '.join(gauges)}"
        )
    return inverter


def recorded_gauges(records: Records, known: Iterable[str], *, where: str) -> list[str]:
    """Return the gauges that records have among those given, in that order; InputError if there is none."""
    found = [name for name in known if name in set(records.gauges)]
    if not found:
        raise InputError(f"records need a gauge that is {where}, got {', '.join(records.gauges)}")
    return found


def noise_of_records(
    records: Records, gauges: Sequence[str], times_s: np.ndarray, *, joint_tide: bool | None, model_error: float
) -> CorrelatedNoise | None:
    """Return the correlated noise of records: uncertainty of the tide, and error of the bank.

    Parameters
    ----------
    records : Records
        Of one event.
    gauges : sequence of str
        Which of its gauges, in order.
    times_s : array, shape (n_times,)
        Of the samples that are used, s since the origin.
    joint_tide : bool or None
        Whether what is not known of the tide counts (:meth:`~slipcast.records.Records.tide_columns`); None: where the
        records say it.
    model_error : float
        Error of the bank as a share of the largest level in each record, >= 0.

    Returns
    -------
    noise : CorrelatedNoise or None
        None if neither counts.
    """
    names = list(gauges)
    tide = records.tide_columns(times_s, names) if joint_tide or (joint_tide is None and records.tide_known) else None
    if not model_error:
        return tide
    of_model = CorrelatedNoise.of_model(records.one_event().resample(times_s, names), model_error)
    return of_model if tide is None else tide + of_model
