"""Quality control of raw bottom-pressure records by the QARTOD tests of ioos-qc."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np

from slipcast.errors import InputError

__all__ = ["MASKS", "QualitySettings", "check_quality", "checked_series", "flag_summary", "sampling_runs"]

MASKS = {"gross_range": 1, "spike": 2, "rate_of_change": 4, "flat_line": 8, "shaking": 16}
"""Bits of a flag, by test; 0 is good. ``shaking`` is for the span that :mod:`slipcast.records.shaking` finds."""

_FAIL = 4
_NEIGHBOURS = 10
_NEAREST = 5
_COARSE_S = 120.0


@dataclass(frozen=True)
class QualitySettings:
    """Thresholds of the tests, for a water column in the deep ocean in samples of 15 s to 15 min.

    Attributes
    ----------
    lowest_m, highest_m : float
        Heights that a water column can have, m.
    farthest_m : float
        How far from the median of the record a height can be, m: tide, tsunami and drift together.
    spike_m : float
        A spike turns back by more than this on both sides, m, and is farther than this from the median of the five
        samples on either side.
    spike_ratio : float
        It also turns back this many times farther than nine in ten of the ten samples on either side do, so that a wave
        of a few samples, which has others before or after it, is none.
    coarse_spike_ratio : float
        The same for samples more than 2 min apart, of which a tsunami may take only one; there eleven samples must
        follow.
    rate_m_per_s : float
        Fastest change between two samples of a run, m/s.
    flat_line_s : float
        A sensor that stays the same for this long, s, is stuck.
    flat_line_m : float
        Heights that differ by less than this, m, are the same.

    Raises
    ------
    InputError
        If a threshold is not finite and positive, the range of heights is empty, or a ratio is below 1.

    Notes
    -----
    The defaults were set on six records of the Tohoku tsunami of 2011. In samples of 1 min its fastest true change was
    0.020 m/s (station 21418, 1.9 m high), and true waves turned back at most 3.1 times farther than their neighbours,
    faulty samples at least 7.9 times; thinned to 15 min, true waves reach 35 times. No height stayed the same for more
    than 15 min.
    """

    lowest_m: float = 100.0
    highest_m: float = 11_000.0
    farthest_m: float = 10.0
    spike_m: float = 0.1
    spike_ratio: float = 6.0
    coarse_spike_ratio: float = 50.0
    rate_m_per_s: float = 0.05
    flat_line_s: float = 7200.0
    flat_line_m: float = 0.0005

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if not (np.isfinite(value) and value > 0):
                raise InputError(f"{field.name} must be finite and positive, got {value}")
        if self.lowest_m >= self.highest_m:
            raise InputError(f"lowest_m must be below highest_m, got {self.lowest_m} and {self.highest_m}")
        for name in ("spike_ratio", "coarse_spike_ratio"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")


def checked_series(time_s: Any, height_m: Any, interval_s: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the three arrays of a raw record as float64; InputError if they do not fit.

    Parameters
    ----------
    time_s : array, shape (n,)
        Seconds, rising by at least 1 s.
    height_m : array, shape (n,)
        Height of the water column, m; NaN where missing.
    interval_s : array, shape (n,)
        Sampling interval that each sample is said to belong to, s; positive.

    Returns
    -------
    time_s, height_m, interval_s : array, shape (n,)

    Raises
    ------
    InputError
        If shapes differ, times do not rise, an interval is not positive or a height is infinite.
    """
    time, height, interval = (np.asarray(values, dtype=float) for values in (time_s, height_m, interval_s))
    if time.ndim != 1:
        raise InputError(f"time_s must have one dimension, got shape {time.shape}")
    for name, values in (("height_m", height), ("interval_s", interval)):
        if values.shape != time.shape:
            raise InputError(f"{name} must have shape {time.shape}, as time_s, got {values.shape}")
    if (bad := ~np.isfinite(time)).any():
        raise InputError(f"time_s must be finite, got {time[bad][0]} at index {int(np.argmax(bad))}")
    if (bad := np.diff(time) < 1.0).any():
        after = int(np.argmax(bad))
        raise InputError(f"time_s must rise by 1 s or more, got {time[after + 1]} after {time[after]} s")
    if (bad := ~(interval > 0)).any():
        raise InputError(f"interval_s must be positive, got {interval[bad][0]} at index {int(np.argmax(bad))}")
    if (bad := np.isinf(height)).any():
        raise InputError(f"height_m must be finite or NaN, got {height[bad][0]} at index {int(np.argmax(bad))}")
    return time, height, interval


def sampling_runs(time_s: np.ndarray, interval_s: np.ndarray, *, longest_step: float = 2.0) -> list[slice]:
    """Divide known samples into runs of one sampling interval, within which neighbours may be compared.

    Parameters
    ----------
    time_s : array, shape (n,)
        Times of the samples that are not missing, s, rising.
    interval_s : array, shape (n,)
        Sampling interval that each is said to belong to, s.
    longest_step : float, optional
        Longest step within a run, in intervals; 2 lets one sample be missing.

    Returns
    -------
    runs : list of slice
        One after another; together all samples.

    Notes
    -----
    A sample that is said to be of 15 min but lies a minute from one of 1 min is a member of its run: once an hour
    buoys send the same height in both forms.

    Examples
    --------
    >>> sampling_runs(np.array([0.0, 900.0, 960.0, 1020.0, 1035.0]), np.array([900, 900, 60, 60, 15]))
    [slice(0, 1, None), slice(1, 3, None), slice(3, 5, None)]
    """
    if time_s.size == 0:
        return []
    # to a millisecond: an origin between whole seconds leaves steps such as 60.000000000002
    step = np.round(np.diff(time_s), 3)
    own = interval_s.astype(float)
    after = np.where(step <= 1.5 * own[1:], own[1:], np.inf)
    before = np.where(step <= 1.5 * own[:-1], own[:-1], np.inf)
    finest = np.minimum(own, np.minimum(np.append(after, np.inf), np.insert(before, 0, np.inf)))
    cut = (finest[1:] != finest[:-1]) | (step > longest_step * finest[1:])
    edges = [0, *(np.flatnonzero(cut) + 1), time_s.size]
    return [slice(int(a), int(b)) for a, b in pairwise(edges)]


def check_quality(time_s: Any, height_m: Any, interval_s: Any, settings: QualitySettings | None = None) -> np.ndarray:
    """Flag the samples of a raw record that cannot be the sea.

    Parameters
    ----------
    time_s : array, shape (n,)
        Seconds since any origin, rising.
    height_m : array, shape (n,)
        Height of the water column, m, with tide; NaN where missing.
    interval_s : array, shape (n,)
        Sampling interval of each sample, s.
    settings : QualitySettings, optional
        Thresholds; by default those of :class:`QualitySettings`.

    Returns
    -------
    flags : array of uint8, shape (n,)
        Sum of the bits in :data:`MASKS` of the tests that a sample fails; 0 where it is good or missing.

    Raises
    ------
    InputError
        If shapes differ, times do not rise, an interval is not positive or a height is infinite.

    Notes
    -----
    The tests are those of QARTOD (IOOS, Manual for Real-Time Quality Control of Water Level Data, 2021) in the library
    ioos-qc; what it calls *fail* is flagged. Each looks at what earlier ones have left, in runs of one sampling
    interval. All samples of a flat line are flagged, not only those after its first ``flat_line_s``.

    It cannot see a spike at either end of a run (of samples of 15 min, among the last eleven), in samples of 15 min
    while a tsunami rings (there it misses half of those of 0.3 m), the third and further ones among twenty samples, two
    in a row of the same height, a drift, or a step slower than ``rate_m_per_s``; and it does not know shaking from sea
    level.

    Examples
    --------
    >>> time_s = np.arange(0.0, 7200.0, 60.0)
    >>> height_m = 5000.0 + 0.5 * np.sin(time_s / 7000.0)
    >>> height_m[50] -= 0.3
    >>> flags = check_quality(time_s, height_m, np.full(time_s.size, 60))
    >>> int(flags[50]), int(flags.sum())
    (2, 2)
    """
    settings = settings or QualitySettings()
    time, height, interval = checked_series(time_s, height_m, interval_s)
    flags = np.zeros(time.size, dtype=np.uint8)
    known = np.isfinite(height)
    if known.any():
        flags[known] |= MASKS["gross_range"] * _outside(height[known], settings).astype(np.uint8)
        _flag_spikes(flags, time, height, interval, settings)
        good = np.flatnonzero(known & (flags == 0))
        for run in sampling_runs(time[good], interval[good]):
            at = good[run]
            fast, flat = _rate_and_flat_line(time[at], height[at], settings)
            flags[at[fast]] |= MASKS["rate_of_change"]
            flags[at[flat]] |= MASKS["flat_line"]
    return flags


def flag_summary(flags: Any, time_s: Any) -> list[dict]:
    """Summarise the flags and their reasons in words.

    Parameters
    ----------
    flags : array of integers, shape (n,)
        From :func:`check_quality`, ``shaking`` added or not.
    time_s : array, shape (n,)
        Seconds since any origin.

    Returns
    -------
    summary : list of dict
        One for each test that flagged something: ``test``, ``number`` of samples, times ``first_s`` and ``last_s``.

    Raises
    ------
    InputError
        If the shapes differ.

    Examples
    --------
    >>> flag_summary(np.array([0, 2, 6]), np.array([0.0, 60.0, 120.0]))[0]
    {'test': 'spike', 'number': 2, 'first_s': 60.0, 'last_s': 120.0}
    """
    bits, time = np.asarray(flags), np.asarray(time_s, dtype=float)
    if bits.shape != time.shape:
        raise InputError(f"flags must have shape {time.shape}, as time_s, got {bits.shape}")
    found = {test: time[(bits & mask) > 0] for test, mask in MASKS.items()}
    return [
        {"test": test, "number": int(times.size), "first_s": float(times.min()), "last_s": float(times.max())}
        for test, times in found.items()
        if times.size
    ]


def _outside(height: np.ndarray, settings: QualitySettings) -> np.ndarray:
    """Tell which heights no water column has, or this one cannot have."""
    from ioos_qc import qartod

    possible = height[(height >= settings.lowest_m) & (height <= settings.highest_m)]
    median = np.median(possible) if possible.size else np.nan
    low = np.fmax(settings.lowest_m, median - settings.farthest_m)
    high = np.fmin(settings.highest_m, median + settings.farthest_m)
    return np.asarray(qartod.gross_range_test(height, (low, high))) == _FAIL


def _flag_spikes(
    flags: np.ndarray, time: np.ndarray, height: np.ndarray, interval: np.ndarray, settings: QualitySettings
) -> None:
    """Set the bit of spikes, the worst of neighbours first, until what is left has none.

    One at a time, since next to a bad sample a good one turns back too, and of two bad ones only the first does.
    """
    found = True
    while found:
        good = np.flatnonzero(np.isfinite(height) & (flags == 0))
        found = False
        for run in sampling_runs(time[good], interval[good]):
            at = good[run]
            spike = _spikes(time[at], height[at], settings)
            flags[at[spike]] |= MASKS["spike"]
            found |= bool(spike.any())


def _spikes(time: np.ndarray, height: np.ndarray, settings: QualitySettings) -> np.ndarray:
    """Tell which samples of one run are spikes that no neighbour exceeds."""
    from ioos_qc import qartod

    spike = np.zeros(height.size, dtype=bool)
    if height.size < 3:
        return spike
    tested = qartod.spike_test(height, fail_threshold=settings.spike_m, method="differential")
    candidates = np.flatnonzero(np.ma.filled(tested, 0) == _FAIL)
    if not candidates.size:
        return spike
    coarse = np.median(np.diff(time)) > _COARSE_S
    ratio = settings.coarse_spike_ratio if coarse else settings.spike_ratio
    if coarse:
        # until its neighbours are known the crest of a tsunami, one sample with nothing rough before, looks the same
        candidates = candidates[candidates + _NEIGHBOURS + 1 < height.size]
    back = _turns_back(height)
    for i in candidates:
        around = np.r_[max(0, i - _NEIGHBOURS) : i, i + 1 : min(height.size, i + _NEIGHBOURS + 1)]
        stands_out = back[i] > ratio * np.quantile(back[around], 0.9)
        near = around[np.abs(around - i) <= _NEAREST]
        spike[i] = stands_out and abs(height[i] - np.median(height[near])) > settings.spike_m
    standing = np.where(spike, back, 0.0)
    return spike & (standing >= np.insert(standing[:-1], 0, 0.0)) & (standing >= np.append(standing[1:], 0.0))


def _turns_back(height: np.ndarray) -> np.ndarray:
    """Return by how much each sample stands above or below both neighbours, m; 0 where it lies between them."""
    step = np.diff(height)
    back = np.zeros(height.size)
    back[1:-1] = np.where(step[:-1] * step[1:] < 0, np.minimum(np.abs(step[:-1]), np.abs(step[1:])), 0.0)
    return back


def _rate_and_flat_line(
    time: np.ndarray, height: np.ndarray, settings: QualitySettings
) -> tuple[np.ndarray, np.ndarray]:
    """Tell which samples of one run changed too fast since the last, and which belong to a flat line."""
    from ioos_qc import qartod

    if height.size < 3:
        return np.zeros(height.size, dtype=bool), np.zeros(height.size, dtype=bool)
    # milliseconds, for ioos-qc cuts steps to whole seconds and 59.999... would become 59
    clock = np.round(1e3 * time).astype("datetime64[ms]")
    rate = settings.rate_m_per_s
    tested = qartod.rate_of_change_test(height, clock, threshold=rate, fail_threshold=rate)
    fast = np.ma.filled(tested, 0) == _FAIL
    length = int(settings.flat_line_s / np.median(np.diff(time)))
    flat = np.zeros(height.size, dtype=bool)
    if 1 <= length < height.size:
        limits = {"suspect_threshold": settings.flat_line_s, "fail_threshold": settings.flat_line_s}
        tested = qartod.flat_line_test(height, clock, tolerance=settings.flat_line_m, **limits)
        for last in np.flatnonzero(np.ma.filled(tested, 0) == _FAIL):
            flat[last - length : last + 1] = True
    return fast, flat
