"""Quality control of raw bottom-pressure records: QARTOD tests of ioos-qc, and continuity for what they lack."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np

from slipcast.errors import InputError
from slipcast.records.continuity import Step, follow, level_offsets
from slipcast.records.qartod import outside, too_fast
from slipcast.records.stuck import flat_line, repeated_packets, stuck_level
from slipcast.records.tides import rough_tide

__all__ = [
    "MASKS",
    "Checked",
    "QualitySettings",
    "check_levels",
    "check_quality",
    "checked_series",
    "examine",
    "flag_summary",
    "sampling_runs",
]

MASKS = {"gross_range": 1, "spike": 2, "rate_of_change": 4, "flat_line": 8, "shaking": 16, "level": 32, "repeated": 64}
"""Bits of a flag, by test; 0 is good. ``shaking`` is for the span that :mod:`slipcast.records.shaking` finds,
``level`` for samples of another deployment or buoy, or of a level that the sensor left again, ``repeated`` for those
of a packet that came before."""

_NEIGHBOURS = 10
_NEAREST = 5
_COARSE_S = 240.0
_EVER = (-np.inf, np.inf)


@dataclass(frozen=True)
class QualitySettings:
    """Thresholds of the tests, for a water column in the deep ocean in samples of 15 s to 15 min.

    Attributes
    ----------
    lowest_m, highest_m : float
        Heights that a water column can have, m (``gross_range``).
    farthest_m : float
        How far from the record's own tide a height can be, m (``gross_range``). The highest tsunami that a DART has
        recorded was 1.9 m (21418 in 2011).
    farthest_wave_m : float
        The same while a tsunami may be there, of samples no more than 4 min apart that move no faster than
        ``rate_m_per_s``: a DART close to a great rupture may see more than any has yet.
    spike_m : float
        Least distance from where the record leads to, from both sides, of a ``spike``, m.
    spike_scatters : float
        The same in standard deviations of the changes between samples around it; the larger of the two counts.
    spike_growth : float
        A sample may also move by this many times the fastest change of the last quarter of an hour: so a wave may
        set in, but not from one sample to the next.
    coarse_spike_m, coarse_spike_ratio : float
        In samples more than 4 min apart, while a tsunami may be there, which may take only one of them, a spike turns
        back by more than this on both sides, m, and this many times farther than nine in ten of the ten samples on
        either side do; eleven must follow.
    rate_m_per_s : float
        Fastest change between two samples, m/s (``rate_of_change``).
    flat_line_s : float
        A sensor that stays the same for this long, s, is stuck (``flat_line``).
    flat_line_m : float
        Heights that differ by less than this, m, are the same.
    flat_line_moving_s, flat_line_tide_m : float
        It is stuck already after this long, s, in six samples or more, where its tide moved by this much, m.
    flat_line_level_m : float
        In levels without tide it is stuck if it stays the same for ``flat_line_moving_s`` farther from zero than this,
        m: a still sea, or a simulation of one, is nearer.
    flat_line_count : int
        It is stuck, too, once it has sent the same height this many times running after the first, if its noise makes
        that as good as impossible.
    level_gap_s : float
        Where a level changes over a longer gap than this, s, a sensor was deployed again, and the samples of the
        other deployment are flagged ``level``; smaller steps are measured and taken out.
    level_step_m : float
        Where a level changes by more than this, m, the samples are those of another buoy, and flagged ``level``, too.

    Raises
    ------
    InputError
        If a threshold is not finite and positive, the range of heights is empty, or a ratio is below 1.

    Notes
    -----
    The defaults were set while looking at the records of four tsunamis that ``benchmarks/studies/quality.py`` counts
    flags in; no event was kept apart. In samples of 1 min the fastest true change was 0.020 m/s (station 21418);
    thinned to 15 min, true waves turn back up to 35 times farther than their neighbours.
    """

    lowest_m: float = 100.0
    highest_m: float = 11_000.0
    farthest_m: float = 3.0
    farthest_wave_m: float = 10.0
    spike_m: float = 0.02
    spike_scatters: float = 4.0
    spike_growth: float = 3.0
    coarse_spike_m: float = 0.3
    coarse_spike_ratio: float = 50.0
    rate_m_per_s: float = 0.05
    flat_line_s: float = 7200.0
    flat_line_m: float = 0.0005
    flat_line_moving_s: float = 1200.0
    flat_line_tide_m: float = 0.01
    flat_line_level_m: float = 0.05
    flat_line_count: int = 15
    level_gap_s: float = 3 * 3600.0
    level_step_m: float = 20.0

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if not (np.isfinite(value) and value > 0):
                raise InputError(f"{field.name} must be finite and positive, got {value}")
        if self.lowest_m >= self.highest_m:
            raise InputError(f"lowest_m must be below highest_m, got {self.lowest_m} and {self.highest_m}")
        for name in ("spike_scatters", "spike_growth", "coarse_spike_ratio"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class Checked:
    """What quality control found in a record.

    Attributes
    ----------
    flags : array of uint8, shape (n,)
        Sum of the bits in :data:`MASKS`; 0 where a sample is good or missing.
    offset_m : array, shape (n,)
        How much higher the level of the sensor was than at the time that counts, m; 0 where nothing is known.
    steps : tuple of Step
        Changes of the level.
    """

    flags: np.ndarray
    offset_m: np.ndarray
    steps: tuple[Step, ...]


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


def check_quality(
    time_s: Any,
    height_m: Any,
    interval_s: Any,
    settings: QualitySettings | None = None,
    *,
    wave_s: tuple[float, float] = _EVER,
) -> np.ndarray:
    """Flag the samples of a raw record that cannot be the sea.

    Parameters
    ----------
    time_s : array, shape (n,)
        Seconds since any origin, rising; of several deployments the one at 0 counts.
    height_m : array, shape (n,)
        Height of the water column, m, with tide; NaN where missing.
    interval_s : array, shape (n,)
        Sampling interval of each sample, s.
    settings : QualitySettings, optional
        Thresholds; by default those of :class:`QualitySettings`.
    wave_s : (float, float), optional
        Span in which a tsunami may be, s; by default always. Outside of it samples of 15 min are held against their
        neighbours as others are.

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
    ``gross_range``, ``rate_of_change`` and ``flat_line`` are those of QARTOD (IOOS, Manual for Real-Time Quality
    Control of Water Level Data, 2021) in the library ioos-qc; what it calls *fail* is flagged. QARTOD's spike test
    looks at single samples, and misses runs of bad ones. Here the record, less its tide
    (:func:`~slipcast.records.tides.rough_tide`), is followed forwards and backwards: a sample is good where the last
    good ones lead to it from either side, within a tolerance from the scatter and the rates around it. What neither
    side leads to is a ``spike``, one sample or many; or, from twelve samples and 20 min on, another level of the
    sensor. All samples of a flat line are flagged, not only those after its first ``flat_line_s``. Eight heights or
    more, no more than 4 min apart, that come again within three hours in their order are ``repeated``, where noise
    would not do so.

    It cannot see spikes below ``spike_m``, those in samples of 15 min of less than ``coarse_spike_m`` while a tsunami
    may be there, a drift, or a slow step; and it does not know shaking from sea level.

    Examples
    --------
    >>> time_s = np.arange(0.0, 7200.0, 60.0)
    >>> height_m = 5000.0 + 0.5 * np.sin(time_s / 7000.0)
    >>> height_m[50:53] -= 0.3
    >>> flags = check_quality(time_s, height_m, np.full(time_s.size, 60))
    >>> np.flatnonzero(flags).tolist(), int(flags[50])
    ([50, 51, 52], 2)
    """
    return examine(time_s, height_m, interval_s, settings, wave_s=wave_s).flags


def examine(
    time_s: Any,
    height_m: Any,
    interval_s: Any,
    settings: QualitySettings | None = None,
    *,
    wave_s: tuple[float, float] = _EVER,
) -> Checked:
    """Check a record as :func:`check_quality` does, and measure the steps of its level.

    Parameters
    ----------
    time_s, height_m, interval_s, settings, wave_s
        As in :func:`check_quality`.

    Returns
    -------
    checked : Checked

    Raises
    ------
    InputError
        As :func:`check_quality`.
    """
    settings = settings or QualitySettings()
    time, height, interval = checked_series(time_s, height_m, interval_s)
    flags, offset = np.zeros(time.size, dtype=np.uint8), np.zeros(time.size)
    at = np.flatnonzero(np.isfinite(height))
    flags[at[outside(height[at], settings.lowest_m, settings.highest_m)]] |= MASKS["gross_range"]
    at = at[flags[at] == 0]
    if not at.size:
        return Checked(flags, offset, ())
    tide = np.zeros(time.size)
    tide[at] = rough_tide(time[at], height[at])
    for run in sampling_runs(time[at], interval[at]):
        among = at[run]
        flags[among[flat_line(time[among], height[among], tide[among], settings)]] |= MASKS["flat_line"]
    at = at[flags[at] == 0]
    for run in sampling_runs(time[at], interval[at]):
        among = at[run]
        flags[among[repeated_packets(time[among], height[among])]] |= MASKS["repeated"]
    at = at[flags[at] == 0]
    level = height - tide
    flags[at], offset[at], steps = _continuity(time[at], level[at], settings, wave_s)
    at = at[flags[at] == 0]
    level = level - offset
    if at.size:
        middle = np.median(level[at])
        off = level[at] - middle
        far = outside(off, -settings.farthest_m, settings.farthest_m)
        far &= ~_high_waves(time[at], off, far, settings, wave_s)
        flags[at[far]] |= MASKS["gross_range"]
        at = at[~far]
    _flag_coarse_spikes(flags, at, time, level, interval, settings)
    at = at[flags[at] == 0]
    for run in sampling_runs(time[at], interval[at]):
        among = at[run]
        flags[among[too_fast(time[among], level[among], settings.rate_m_per_s)]] |= MASKS["rate_of_change"]
    return Checked(flags, offset, steps)


def check_levels(time_s: Any, level_m: Any, settings: QualitySettings | None = None) -> Checked:
    """Check levels without tide, of any origin, for samples and steps that cannot be the sea.

    Parameters
    ----------
    time_s : array, shape (n,)
        Seconds since the origin, rising.
    level_m : array, shape (n,)
        m; NaN where missing.
    settings : QualitySettings, optional
        Thresholds; by default those of :class:`QualitySettings`.

    Returns
    -------
    checked : Checked
        ``flat_line``, ``spike`` and ``level`` alone: what is high, or the same as a still sea, may be a simulation.

    Raises
    ------
    InputError
        If the shapes differ.

    Examples
    --------
    >>> level_m = np.zeros(120)
    >>> level_m[30] = 0.4
    >>> np.flatnonzero(check_levels(60.0 * np.arange(120), level_m).flags).tolist()
    [30]
    """
    time, level = np.asarray(time_s, dtype=float), np.asarray(level_m, dtype=float)
    if time.shape != level.shape:
        raise InputError(f"level_m must have shape {time.shape}, as time_s, got {level.shape}")
    flags, offset = np.zeros(time.size, dtype=np.uint8), np.zeros(time.size)
    settings, at = settings or QualitySettings(), np.flatnonzero(np.isfinite(level))
    flags[at[stuck_level(time[at], level[at], settings)]] |= MASKS["flat_line"]
    at = at[flags[at] == 0]
    flags[at], offset[at], steps = _continuity(time[at], level[at], settings, _EVER)
    return Checked(flags, offset, steps)


def _continuity(
    time: np.ndarray, level: np.ndarray, settings: QualitySettings, wave_s: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray, tuple[Step, ...]]:
    """Flag what the record does not lead to, and other levels of the sensor; measure steps."""
    bad, steps = follow(
        time,
        level,
        least_m=settings.spike_m,
        scatters=settings.spike_scatters,
        growth=settings.spike_growth,
        wave_s=wave_s,
        farthest_m=settings.farthest_m,
    )
    flags, offset = np.where(bad, MASKS["spike"], 0).astype(np.uint8), np.zeros(time.size)
    offset[~bad] = level_offsets(
        time[~bad], steps, about_s=0.0, longest_gap_s=settings.level_gap_s, largest_m=settings.level_step_m
    )
    flags[np.isnan(offset)] |= MASKS["level"]
    return flags, np.nan_to_num(offset), tuple(steps)


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


def _high_waves(
    time: np.ndarray, off: np.ndarray, far: np.ndarray, settings: QualitySettings, wave_s: tuple[float, float]
) -> np.ndarray:
    """Find runs of far samples that a wave can make: entered and left no faster than the sea moves."""
    apart = np.diff(time)
    smooth = (apart <= _COARSE_S) & (np.abs(np.diff(off)) <= settings.rate_m_per_s * apart)
    led = np.append(smooth, False) & np.insert(smooth, 0, False)
    led &= (time >= wave_s[0]) & (time <= wave_s[1]) & (np.abs(off) <= settings.farthest_wave_m)
    waves = far.copy()
    edges = np.flatnonzero(np.diff(far.astype(np.int8), prepend=0, append=0))
    for first, after in edges.reshape(-1, 2):
        waves[first:after] &= led[first:after].all()
    return waves


def _flag_coarse_spikes(
    flags: np.ndarray,
    at: np.ndarray,
    time: np.ndarray,
    level: np.ndarray,
    interval: np.ndarray,
    limits: QualitySettings,
) -> None:
    """Flag spikes of coarse samples that no tsunami makes, the worst of neighbours first, until none is left.

    One at a time, since next to a bad sample a good one turns back too, and of two bad ones only the first does.
    """
    for run in sampling_runs(time[at], interval[at]):
        among = at[run]
        while among.size > 2 and np.median(np.diff(time[among])) > _COARSE_S:
            spike = _coarse_spikes(level[among], limits)
            if not spike.any():
                break
            flags[among[spike]] |= MASKS["spike"]
            among = among[~spike]


def _coarse_spikes(level: np.ndarray, limits: QualitySettings) -> np.ndarray:
    """Tell which samples of one coarse run are spikes that no neighbour exceeds."""
    step = np.diff(level)
    back = np.zeros(level.size)
    back[1:-1] = np.where(step[:-1] * step[1:] < 0, np.minimum(np.abs(step[:-1]), np.abs(step[1:])), 0.0)
    spike = np.zeros(level.size, dtype=bool)
    # until its neighbours are known the crest of a tsunami, one sample with nothing rough before, looks the same
    for i in np.flatnonzero(back[: level.size - _NEIGHBOURS - 1] > limits.coarse_spike_m):
        around = np.r_[max(0, i - _NEIGHBOURS) : i, i + 1 : i + _NEIGHBOURS + 1]
        near = around[np.abs(around - i) <= _NEAREST]
        stands_out = back[i] > limits.coarse_spike_ratio * np.quantile(back[around], 0.9)
        spike[i] = stands_out and abs(level[i] - np.median(level[near])) > limits.coarse_spike_m
    standing = np.where(spike, back, 0.0)
    return spike & (standing >= np.insert(standing[:-1], 0, 0.0)) & (standing >= np.append(standing[1:], 0.0))
