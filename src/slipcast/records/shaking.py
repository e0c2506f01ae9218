"""Seismic shaking in bottom-pressure records: its onset and its end."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipcast.errors import InputError
from slipcast.records.quality import checked_series, sampling_runs
from slipcast.records.tides import rough_tide

__all__ = ["find_shaking"]

_FOURTH_DIFFERENCE = np.array([1.0, -4.0, 6.0, -4.0, 1.0])
_SLOWEST_INTERVAL_S = 60.0
_LEAST_M = 0.01
_SCATTERS = 5.0
_ENOUGH_WINDOWS = 20
_LONGEST_CALM_S = 600.0
_ROUGHER, _MEAN_S, _NEAR_S, _BASE_S = 0.4, 300.0, 600.0, 3600.0
_COARSE_S, _COARSE_BEFORE, _COARSE_LEAST_M = 240.0, 8, 0.02
# the lower quartile of the absolute value of a standard normal variable
_QUARTILE = 0.3186
_MEDIAN = 0.6745


def find_shaking(
    time_s: Any, height_m: Any, interval_s: Any, *, until_s: float, arrival_s: float | None = None
) -> tuple[float, float] | None:
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
        What comes later is never shaking, s since the origin.
    arrival_s : float, optional
        Earliest time that the tsunami can arrive, s since the origin, >= 0: what comes later is shaking only where it
        is rougher than any tsunami; by default ``until_s``.

    Returns
    -------
    span : tuple of float, or None
        First and last time, s since the origin, within ``[0, until_s]``; None where nothing is shaken.

    Raises
    ------
    InputError
        If ``until_s`` is not finite and positive, ``arrival_s`` is below 0, shapes differ, times do not rise, an
        interval is not positive or a height is infinite.

    Notes
    -----
    The roughness of five samples one interval apart is :math:`|h_1 - 4h_2 + 6h_3 - 4h_4 + h_5| / \sqrt{70}`: the
    standard deviation of white noise, and nothing for tide or any other cubic. A wave of amplitude :math:`a` and period
    :math:`T`, sampled each :math:`d`, has at most :math:`a (2 \sin(\pi d / T))^4 / \sqrt{70}`: 0.6 mm for 0.5 m
    and 20 min in samples of 1 min. Five samples are shaken where it exceeds both 1 cm and 5 times the scatter before
    the origin. Seismic waves are at least ten times as fast as a tsunami, so shaking begins in the first half of the
    time to ``until_s``; it lasts until 10 min without any, and takes more than one sample (one alone makes five
    windows rough).

    Once a tsunami can be there, five samples are shaken only where the roughness, in the mean square over 5 min, is at
    least 0.4 times the largest mean of the level over 5 min, from 10 min before to 10 min after, less the larger part
    of the tide and the level of the hour before the origin. White noise has about 1; a wave of 8 min, sampled each
    minute, has 0.06.

    Of samples of 15 min those are shaken that lie more than 2 cm, and 5 times what is usual before the origin, from the
    median of the eight before them, less the larger part of the tide, from the origin to ``arrival_s``; the first that
    does not ends it.

    It cannot find shaking below 1 cm, nor tell it from a noisy sensor without samples before the origin, nor from
    several spikes within 10 min; nor, in samples of 15 min, once a tsunami can be there.

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
    arrival_s = until_s if arrival_s is None else arrival_s
    if not arrival_s >= 0:
        raise InputError(f"arrival_s must be >= 0, got {arrival_s}")
    time, height, interval = checked_series(time_s, height_m, interval_s)
    known = np.isfinite(height)
    time, height, interval = time[known], height[known], interval[known]
    found = [
        _fine(time, height, interval, until_s, arrival_s),
        _coarse(time, height, min(arrival_s, until_s)),
    ]
    spans = sorted(span for span in found if span is not None)
    if len(spans) == 2 and spans[1][0] - spans[0][1] > _LONGEST_CALM_S:
        spans = spans[:1]
    return (spans[0][0], max(last for _, last in spans)) if spans else None


def _fine(
    time: np.ndarray, height: np.ndarray, interval: np.ndarray, until_s: float, arrival_s: float
) -> tuple[float, float] | None:
    """Find shaking in samples up to 1 min apart."""
    first, step, rough = _roughness(time, height, interval)
    if not first.size:
        return None
    last = first + 4.0 * step
    threshold = _thresholds(step, rough, before=last <= 0)
    rougher = _mean_square(first, rough) >= (_ROUGHER * _largest_level(time, height, first + 2.0 * step)) ** 2
    possible = (first >= 0) & (last <= until_s) & (rougher | (last <= arrival_s))
    shaken = np.flatnonzero((rough > threshold) & possible)
    if not shaken.size or first[shaken[0]] > until_s / 2.0:
        return None
    begins, ends = first[shaken], last[shaken]
    calm = np.flatnonzero(begins[1:] - ends[:-1] > _LONGEST_CALM_S)
    windows = int(calm[0]) + 1 if calm.size else shaken.size
    if windows <= _FOURTH_DIFFERENCE.size:
        return None
    return float(begins[0]), float(ends[:windows].max())


def _coarse(time: np.ndarray, height: np.ndarray, until_s: float) -> tuple[float, float] | None:
    """Find shaken samples among those more than 4 min from their neighbours."""
    apart = np.diff(time)
    lone = (np.append(apart, np.inf) > _COARSE_S) & (np.insert(apart, 0, np.inf) > _COARSE_S)
    if not lone.any() or not time.size:
        return None
    level = (height - rough_tide(time, height))[lone]
    time = time[lone]
    if time.size <= _COARSE_BEFORE:
        return None
    before = np.lib.stride_tricks.sliding_window_view(level, _COARSE_BEFORE)[:-1]
    off, time = np.abs(level[_COARSE_BEFORE:] - np.median(before, axis=1)), time[_COARSE_BEFORE:]
    if (time < 0).sum() < _ENOUGH_WINDOWS:
        return None
    usual = np.median(off[time < 0]) / _MEDIAN
    inside = np.flatnonzero((time >= 0) & (time < until_s))
    shaken = off[inside] > max(_COARSE_LEAST_M, _SCATTERS * usual)
    if not shaken.any():
        return None
    begins = int(np.argmax(shaken))
    calm = np.flatnonzero(~shaken[begins:])
    ends = begins + int(calm[0]) - 1 if calm.size else shaken.size - 1
    return float(time[inside[begins]]), float(time[inside[ends]])


def _mean_square(time: np.ndarray, rough: np.ndarray) -> np.ndarray:
    """Return the mean square of roughness over 5 min."""
    order = np.argsort(time, kind="stable")
    return _means(time[order], rough[order] ** 2, time)


def _largest_level(time: np.ndarray, height: np.ndarray, at_s: np.ndarray) -> np.ndarray:
    """Return the largest mean over 5 min near some times, m from the level before the origin."""
    level = height - rough_tide(time, height)
    base = level[(time < 0) & (time >= -_BASE_S)]
    means = np.abs(_means(time, level, time) - np.median(base if base.size else level))
    begin = np.searchsorted(time, at_s - _NEAR_S)
    end = np.searchsorted(time, at_s + _NEAR_S, side="right")
    return np.array([means[i:j].max() for i, j in zip(begin, end)])


def _means(time: np.ndarray, values: np.ndarray, at_s: np.ndarray) -> np.ndarray:
    """Return means over 5 min around some times."""
    offset = values.mean()  # for the digits of the sums
    total = np.concatenate([[0.0], np.cumsum(values - offset)])
    begin = np.searchsorted(time, at_s - _MEAN_S / 2)
    end = np.searchsorted(time, at_s + _MEAN_S / 2, side="right")
    return offset + (total[end] - total[begin]) / np.maximum(end - begin, 1)


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
