"""Seismic shaking in bottom-pressure records: its onset and its end."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipcast.errors import InputError
from slipcast.records.quality import checked_series, sampling_runs

__all__ = ["find_shaking"]

_FOURTH_DIFFERENCE = np.array([1.0, -4.0, 6.0, -4.0, 1.0])
_SLOWEST_INTERVAL_S = 60.0
_LEAST_M = 0.01
_SCATTERS = 5.0
_ENOUGH_WINDOWS = 20
_LONGEST_CALM_S = 600.0
# the lower quartile of the absolute value of a standard normal variable
_QUARTILE = 0.3186


def find_shaking(time_s: Any, height_m: Any, interval_s: Any, *, until_s: float) -> tuple[float, float] | None:
    r"""Find the span in which seismic waves disturb a raw record.

    Parameters
    ----------
    time_s : array, shape (n,)
        Seconds since the origin of the earthquake, rising; better with an hour or more before it.
    height_m : array, shape (n,)
        Height of the water column, m, with or without tide; NaN where missing. Leave in what the quality tests call
        spikes: of shaking they flag some samples too, and without those the rest tells less.
    interval_s : array, shape (n,)
        Sampling interval of each sample, s.
    until_s : float
        Earliest time that the tsunami can arrive, s since the origin; what comes later is never shaking.

    Returns
    -------
    span : tuple of float, or None
        First and last time, s since the origin, within ``[0, until_s]``; None where nothing is shaken.

    Raises
    ------
    InputError
        If ``until_s`` is not finite and positive, shapes differ, times do not rise, an interval is not positive or a
        height is infinite.

    Notes
    -----
    The roughness of five samples one interval apart is :math:`|h_1 - 4h_2 + 6h_3 - 4h_4 + h_5| / \sqrt{70}`: the
    standard deviation of white noise, and nothing for tide or any other cubic. A wave of amplitude :math:`a` and period
    :math:`T`, sampled each :math:`d`, has at most :math:`a (2 \sin(\pi d / T))^4 / \sqrt{70}`: 0.6 mm for 0.5 m
    and 20 min in samples of 1 min. Five samples are shaken where it exceeds both 1 cm and 5 times the scatter before
    the origin. Seismic waves are at least ten times as fast as a tsunami, so shaking begins in the first half of the
    time to ``until_s``; it lasts until 10 min without any, and takes more than one sample (one alone makes five
    windows rough).

    It cannot find shaking below 1 cm or in samples more than 1 min apart, nor tell it from a noisy sensor without
    samples before the origin, nor from several spikes within 10 min; and where ``until_s`` is too late, from the waves
    of a few minutes that some tsunamis begin with near the source.

    Examples
    --------
    >>> time_s = np.arange(-3600.0, 7200.0, 60.0)
    >>> height_m = 5000.0 + 0.5 * np.sin(time_s / 7000.0)
    >>> shaken = (time_s >= 300) & (time_s <= 1200)
    >>> height_m[shaken] += 0.05 * (-1.0) ** np.arange(shaken.sum())
    >>> find_shaking(time_s, height_m, np.full(time_s.size, 60), until_s=3600.0)
    (120.0, 1380.0)
    """
    if not (np.isfinite(until_s) and until_s > 0):
        raise InputError(f"until_s must be finite and positive, got {until_s}")
    time, height, interval = checked_series(time_s, height_m, interval_s)
    known = np.isfinite(height)
    first, step, rough = _roughness(time[known], height[known], interval[known])
    last = first + 4.0 * step
    threshold = _thresholds(step, rough, before=last <= 0)
    shaken = np.flatnonzero((rough > threshold) & (first >= 0) & (last <= until_s))
    if not shaken.size or first[shaken[0]] > until_s / 2.0:
        return None
    begins, ends = first[shaken], last[shaken]
    calm = np.flatnonzero(begins[1:] - ends[:-1] > _LONGEST_CALM_S)
    windows = int(calm[0]) + 1 if calm.size else shaken.size
    if windows <= _FOURTH_DIFFERENCE.size:
        return None
    return float(begins[0]), float(ends[:windows].max())


def _roughness(time: np.ndarray, height: np.ndarray, interval: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the first time, interval and roughness of all fives of samples one fine interval apart, by time."""
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = [(np.empty(0), np.empty(0), np.empty(0))]
    width = _FOURTH_DIFFERENCE.size
    for run in sampling_runs(time, interval, longest_step=1.0):
        times = time[run]
        if times.size < width:
            continue
        fives = np.lib.stride_tricks.sliding_window_view(times, width)
        steps = np.round(np.diff(fives, axis=1), 3)
        even = (steps.max(axis=1) == steps.min(axis=1)) & (steps[:, 0] <= _SLOWEST_INTERVAL_S)
        heights = np.lib.stride_tricks.sliding_window_view(height[run], width)
        rough = np.abs(heights @ _FOURTH_DIFFERENCE) / np.linalg.norm(_FOURTH_DIFFERENCE)
        found.append((fives[even, 0], steps[even, 0], rough[even]))
    first, step, rough = (np.concatenate(parts) for parts in zip(*found))
    return first, step, rough


def _thresholds(step: np.ndarray, rough: np.ndarray, *, before: np.ndarray) -> np.ndarray:
    """Return the roughness above which each window is shaken, m, by its interval.

    The quiet is that before the origin: at the same interval, or at any where that one is only sent once a buoy has
    been triggered. Where there is none, the calmest quarter of the same interval at any time has to stand for it.
    """
    threshold = np.full(rough.shape, _LEAST_M)
    for interval in np.unique(step):
        same = step == interval
        choices = (same & before, before, same)
        quiet = next((choice for choice in choices[:2] if choice.sum() >= _ENOUGH_WINDOWS), choices[2])
        # a quartile, not the median, since a foreshock may have shaken some of it
        scatter = np.quantile(rough[quiet], 0.25) / _QUARTILE
        threshold[same] = max(_LEAST_M, _SCATTERS * scatter)
    return threshold
