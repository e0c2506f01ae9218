"""Augmentation of records: noise, and errors of travel time and amplitude."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

__all__ = ["Augmentation", "drift", "drift_columns", "noise_columns", "stretched"]

_STRETCH_SD = (3e-4, 1.5e-2)  # of travel times, as a share of them
_AMPLITUDE_SD = 5.0  # of amplitudes, as a share of them, over that of travel times
_COLOURED_IN_NOISE = (0.3, 3.0)
_CORRELATION_MIN = (3.0, 30.0)


@dataclass(frozen=True)
class Augmentation:
    """Augmentation of records: noise, and for some errors of travel time, amplitude and sensor.

    Attributes
    ----------
    noise_sd_m : float
        Standard deviation of white noise, m, on all records.
    drift_m : tuple of float
        Standard deviations of a drift on all records, an hour after the origin, m: of its part that grows with time,
        of that which grows with its square, and so on (:func:`drift_columns`).
    share : float
        Share of the records that are augmented further, in [0, 1]: by waves that are early or late and too high or too
        low, as over another sea floor or on another grid, gauge by gauge; by coloured noise; or by both.
    """

    noise_sd_m: float
    drift_m: Sequence[float]
    share: float

    def augment(self, records: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return augmented copies of records, m, shape (n, n_gauges, n_times), sampled at minutes 1, 2, ..."""
        records = np.asarray(records, dtype=np.float32)
        other_sea, other_noise = rng.random((2, len(records))) < 1 - np.sqrt(1 - self.share)
        level = records.copy()
        if other_sea.any():
            level[other_sea] = _other_sea(records[other_sea], rng)
        if other_noise.any():
            level[other_noise] += self.noise_sd_m * _coloured(records[other_noise].shape, rng)
        level += drift(self.drift_m, records.shape, rng)
        return level + np.float32(self.noise_sd_m) * rng.standard_normal(records.shape, dtype=np.float32)


def drift_columns(drift_m: Sequence[float], n_times: int) -> np.ndarray:
    """Return the parts of a drift, m, shape (n_parts, n_times), at minutes 1, 2, ...: of unit scatter each.

    A tide that was fitted before the earthquake and goes on is off by a drift: 6, 15 and 25 mm after one, two and three
    hours, which 5.3 mm that grow with time and 2.3 mm with its square make.
    """
    hours = np.arange(1, n_times + 1) / 60
    return np.array([size * hours**power for power, size in enumerate(drift_m, 1)]).reshape(len(drift_m), n_times)


def drift(drift_m: Sequence[float], shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw drifts of records, m, shape (n, n_gauges, n_times), float32."""
    columns = drift_columns(drift_m, shape[-1]).astype(np.float32)
    return rng.standard_normal((*shape[:-1], len(columns)), dtype=np.float32) @ columns


def noise_columns(drift_m: Sequence[float], noise_sd_m: float, n_gauges: int, n_times: int) -> np.ndarray | None:
    """Return the drifts of all gauges as the columns of noise of a scaled linear estimate.

    In standard deviations of the white noise, shape (n_gauges * n_parts, n_gauges * n_times); None without a drift.
    """
    if not any(drift_m):
        return None
    return np.kron(np.eye(n_gauges), drift_columns(drift_m, n_times) / noise_sd_m)


def _log_uniform(limits: tuple[float, float], count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw numbers whose logarithm is uniform, shape (count, 1)."""
    low, high = np.log(limits)
    return np.exp(rng.uniform(low, high, (count, 1)))


def _other_sea(records: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change travel times and amplitudes, some of it alike for all gauges."""
    count, n_gauges, _ = records.shape
    sd = _log_uniform(_STRETCH_SD, count, rng)
    alike, apart = rng.standard_normal((count, 1)), rng.standard_normal((count, n_gauges))
    amplitude = 1 + _AMPLITUDE_SD * sd * rng.standard_normal((count, n_gauges))
    late = stretched(records, 1 + sd * (0.5 * alike + apart))
    return late * amplitude[..., np.newaxis].astype(np.float32)


def _coloured(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw noise with memory, in units of the white noise."""
    count, n_gauges, _ = shape
    sd = _log_uniform(_COLOURED_IN_NOISE, count, rng)[..., np.newaxis]
    # one correlation time for the batch: a filter is fast over many series at a time
    memory = np.exp(-1.0 / float(_log_uniform(_CORRELATION_MIN, 1, rng)[0, 0]))
    start = rng.standard_normal((count, n_gauges, 1)) * memory
    fresh = np.sqrt(1 - memory**2) * rng.standard_normal(shape)
    series = lfilter([1.0], [1.0, -memory], fresh, axis=-1, zi=start)[0]
    return (sd * series).astype(np.float32)


def stretched(series: np.ndarray, stretch: np.ndarray) -> np.ndarray:
    """Make waves late by a share of their travel time, by linear interpolation from the origin on.

    Parameters
    ----------
    series : array, shape (n, n_gauges, n_times)
        At minutes 1, 2, ... after the origin.
    stretch : array, shape (n, n_gauges)
        How many times as long each wave takes.

    Returns
    -------
    series : array, shape (n, n_gauges, n_times)
        float32; after the end of the records their last value.
    """
    n_times = series.shape[-1]
    minutes = np.arange(1, n_times + 1) / stretch[..., np.newaxis]
    before = np.clip(np.floor(minutes).astype(int), 1, n_times - 1)
    share = np.clip(minutes - before, 0.0, 1.0).astype(np.float32)
    early = np.take_along_axis(series, before - 1, axis=-1)
    late = np.take_along_axis(series, before, axis=-1)
    return (1 - share) * early + share * late
