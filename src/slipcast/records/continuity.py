"""Continuity of raw records: samples that leave the sea and return, and steps that stay."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

__all__ = ["Step", "follow", "level_offsets"]

_COARSE_S = 900.0
_FINE_S = 240.0  # farther apart, samples of a tsunami do not follow each other smoothly
_SHORTEST_RATE_S = 60.0
_LONGEST_RATE_S = 7200.0
_START_MS = 0.005  # of a track that begins within a wave
_MEMORY_S, _MEMORY = 900.0, 8
_AROUND = 20
_BESIDE, _SHORT, _TIMES = 3, 2, 2.0
_SCATTER_OF_40_PERCENT = 0.5244  # 40 % of the sizes of a standard normal variable are below
_FEWEST, _ESTABLISHED, _ESTABLISHED_S = 5, 12, 1200.0
_PENDING = 20
_NOISE = 2.5
_GAP_S, _DRIFT_M = 6 * 3600.0, 0.5
_SIDE = 8
_BACK_M, _BACK = 0.02, 0.05


@dataclass(frozen=True)
class Step:
    """A change of the level of a sensor between two samples.

    Attributes
    ----------
    time_s : float
        Of the first sample at the new level, s.
    size_m : float
        How much higher it is than what the samples before lead to, m.
    gap_s : float
        Time from the last sample before, s.
    """

    time_s: float
    size_m: float
    gap_s: float


@dataclass
class _Track:
    """Samples each of which the earlier ones lead to."""

    time_s: float
    level_m: float
    slope: float = 0.0
    rate: float = 0.0
    spacing_s: float = 0.0
    members: list[int] = field(default_factory=list)
    first_s: float = 0.0

    def takes(self, time_s: float, level_m: float, least_m: float, growth: float) -> bool:
        """Tell whether a sample lies where the last ones lead to."""
        apart_s = abs(time_s - self.time_s)
        off_m = abs(level_m - self.level_m)
        if off_m <= least_m:  # as most do; below, less is off and more is allowed
            return True
        if apart_s <= 2 * _FINE_S:
            off_m = min(off_m, abs(level_m - self.level_m - self.slope * apart_s))
        if apart_s > _GAP_S:
            least_m = max(least_m, _DRIFT_M)
        if len(self.members) == 1 and apart_s <= _FINE_S:
            least_m = max(least_m, _START_MS * min(apart_s, _SHORTEST_RATE_S))
        usual_s = min(apart_s, _LONGEST_RATE_S) + (growth - 1) * min(apart_s, self.spacing_s)
        return off_m <= max(least_m, self.rate * _remembered(apart_s) * usual_s)

    def add(self, at: int, time_s: float, level_m: float, noise_m: float) -> None:
        """Take a sample."""
        if not self.members:
            self.first_s = time_s
        else:
            apart_s, moved_m = abs(time_s - self.time_s), level_m - self.level_m
            self.slope = moved_m / apart_s if apart_s <= _FINE_S else 0.0
            self.spacing_s = apart_s
            rate = max(abs(moved_m) - noise_m, 0.0) / max(apart_s, _SHORTEST_RATE_S)
            self.rate = max(rate, self.rate * _remembered(apart_s))
        self.time_s, self.level_m = time_s, level_m
        self.members.append(at)


@lru_cache(maxsize=256)  # most samples are as far apart as others
def _remembered(apart_s: float) -> float:
    """Return how much of a rate counts after a while: it fades in 15 min, but over eight samples at least."""
    return math.exp(-min(apart_s / _MEMORY_S, 1 / _MEMORY))


def follow(
    time_s: np.ndarray,
    level_m: np.ndarray,
    *,
    least_m: float,
    scatters: float,
    growth: float,
    wave_s: tuple[float, float],
    farthest_m: float,
) -> tuple[np.ndarray, list[Step]]:
    """Follow a record forwards and backwards; find samples that neither way leads to, and steps.

    Parameters
    ----------
    time_s : array, shape (n,)
        Times of known samples, s, rising.
    level_m : array, shape (n,)
        Heights without the larger part of the tide, m.
    least_m, scatters, growth, farthest_m : float
        ``spike_m``, ``spike_scatters``, ``spike_growth`` and ``farthest_m`` of
        :class:`~slipcast.records.quality.QualitySettings`.
    wave_s : (float, float)
        Span in which a tsunami may be, s: there samples more than 4 min after the last may differ by ``farthest_m``.

    Returns
    -------
    bad : array of bool, shape (n,)
    steps : list of Step
        By time.
    """
    if time_s.size < 2:
        return np.zeros(time_s.size, bool), []
    scatter = _local_scatter(level_m)
    tolerance = np.maximum(least_m, scatters * scatter)
    noise_m = _NOISE * min(float(np.median(scatter)), least_m / scatters)
    gap = np.diff(time_s)
    loose = (time_s >= wave_s[0]) & (time_s <= wave_s[1])
    states, breaks = [], []
    for order, apart_s in (
        (range(time_s.size), np.insert(gap, 0, 0.0)),
        (range(time_s.size - 1, -1, -1), np.append(gap, 0.0)),
    ):
        free = np.where(loose & (apart_s > _FINE_S) & (apart_s <= _GAP_S), farthest_m, 0.0)
        columns = (time_s, level_m, tolerance * np.sqrt(np.maximum(apart_s / _COARSE_S, 1.0)), free)
        samples = list(zip(*(column.tolist() for column in columns), strict=True))
        state, found = _one_way(order, samples, growth, noise_m)
        states.append(state)
        breaks.append(found)
    forwards, backwards = states
    bad = ~((forwards == 1) | (backwards == 1)) & ((forwards == -1) | (backwards == -1))
    bad &= ~_sharp_waves(time_s, level_m, bad, least_m, growth + 1)
    spans = [(min(pair), max(pair)) for pair in breaks[1]]
    steps = []
    for before, after in breaks[0]:
        if any(first < after and before < last for first, last in spans):
            steps.append(_step(time_s, level_m, bad, before, after))
    return bad, steps


def _one_way(
    order: Iterable[int], samples: list[tuple[float, ...]], growth: float, noise_m: float
) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Follow a record one way: 1 for samples that it leads to, -1 for others, 0 where it has not begun; breaks.

    A sample is its time, level, tolerance, and how far it may be from the last where that does not lead to it, m.
    """
    state = np.zeros(len(samples), np.int8)
    main: _Track | None = None
    others: list[_Track] = []
    breaks = []
    for at in order:
        time_s, level_m, least_m, free_m = samples[at]
        taken = main is not None and main.takes(time_s, level_m, least_m, growth)
        if main is not None and not taken and abs(level_m - main.level_m) <= free_m:
            main, taken = _Track(time_s, level_m, rate=main.rate, spacing_s=main.spacing_s), True
        if main is not None and taken:
            main.add(at, time_s, level_m, noise_m)
            state[at] = 1
            others.clear()
            continue
        state[at] = 0 if main is None else -1
        home = next((each for each in others if each.takes(time_s, level_m, least_m, growth)), None)
        if home is None:
            others = [*others[-_PENDING:], home := _Track(time_s, level_m)]
        home.add(at, time_s, level_m, noise_m)
        if len(home.members) < _FEWEST or (main is not None and not _established(home, main)):
            continue
        if main is not None:
            breaks.append((main.members[-1], home.members[0]))
            if not _established(main):
                state[main.members] = -1
        for each in others:
            state[each.members] = 1 if each is home else -1
        main, others = home, []
    return state, breaks


def _sharp_waves(time_s: np.ndarray, level_m: np.ndarray, bad: np.ndarray, least_m: float, growth: float) -> np.ndarray:
    """Find runs of bad samples that good ones do lead to, by how fast the sea moves on both sides of them.

    A wave that sets in and turns back within minutes is too sharp for what was before it alone, or after it.
    """
    left = bad.copy()
    left[1:-1] |= bad[:-2] & bad[2:]  # alone among bad ones, a sample is no better than they
    apart_s = np.diff(time_s)
    fine, apart_s = apart_s <= _FINE_S, np.maximum(apart_s, _SHORTEST_RATE_S)
    rate = np.abs(np.diff(level_m)) / apart_s
    least = least_m / _SHORTEST_RATE_S
    found = True
    while found:
        found = False
        known = np.where(fine & ~left[1:] & ~left[:-1], rate, 0.0)
        edges = np.flatnonzero(np.diff(left.astype(np.int8), prepend=0, append=0))
        for first, after in edges.reshape(-1, 2):
            moves = slice(max(first - 1, 0), after)
            if first == 0 or not fine[moves].all():
                continue
            before, later = known[max(first - 1 - _BESIDE, 0) : first - 1], known[after : after + _BESIDE]
            times = growth
            if after - first <= _SHORT and after < left.size:
                before = later = np.append(before, later)
                times = _TIMES
            forwards = _reach(rate[moves], max(least, times * before.max(initial=0.0)), times)
            backwards = _reach(rate[moves][::-1], max(least, times * later.max(initial=0.0)), times)
            if after == left.size:  # nothing follows yet
                backwards = 0
            if max(forwards, backwards) >= after - first or forwards + backwards > after - first:
                left[first:after], found = False, True
    return bad & ~left


def _reach(rate: np.ndarray, allowed: float, growth: float) -> int:
    """Count the moves that are each no faster than is allowed, or than those before it lead to."""
    for count, each in enumerate(rate.tolist()):
        if each > allowed:
            return count
        allowed = max(allowed, growth * each)
    return rate.size


def _established(track: _Track, before: _Track | None = None) -> bool:
    """Tell whether a track is long enough to be a level of the sensor, and no run of bad samples."""
    if before is not None and abs(track.first_s - before.time_s) > _GAP_S:
        return True
    return len(track.members) >= _ESTABLISHED and abs(track.time_s - track.first_s) >= _ESTABLISHED_S


def _local_scatter(level_m: np.ndarray) -> np.ndarray:
    """Return the standard deviation of differences around each sample, of noise, little changed by bad samples.

    The smaller of that of first differences, half of which may be bad, and of second ones, whose standard deviation is
    larger by the square root of 3, but of which waves have less.
    """
    scatter = np.full(level_m.size, np.inf)
    for order, size in ((1, 1.0), (2, np.sqrt(3.0))):
        moved = np.abs(np.diff(level_m, order)) / size
        if not moved.size:
            continue
        width = min(2 * _AROUND, moved.size)
        of_window = np.quantile(np.lib.stride_tricks.sliding_window_view(moved, width), 0.4, axis=1)
        middle = np.clip(np.arange(level_m.size) - width // 2, 0, of_window.size - 1)
        scatter = np.minimum(scatter, of_window[middle] / _SCATTER_OF_40_PERCENT)
    return scatter


def _step(time_s: np.ndarray, level_m: np.ndarray, bad: np.ndarray, before: int, after: int) -> Step:
    """Measure a step between two samples."""
    good = np.flatnonzero(~bad)
    older, newer = good[good <= before][-_SIDE:], good[good >= after][:_SIDE]
    middle_s = (time_s[before] + time_s[after]) / 2
    ends = [_leads_to(time_s[side], level_m[side], middle_s) for side in (older, newer)]
    return Step(float(time_s[after]), ends[1] - ends[0], float(time_s[after] - time_s[before]))


def _leads_to(time_s: np.ndarray, level_m: np.ndarray, at_s: float) -> float:
    """Return where samples on one side lead to: a line through fine ones, else the median of the nearest."""
    near = np.abs(time_s - at_s) <= _SIDE * _FINE_S
    if near.sum() >= _SIDE // 2 and np.ptp(time_s[near]) > 0:
        line = np.polyfit(time_s[near] - at_s, level_m[near], 1)
        return float(line[1])
    nearest = np.argsort(np.abs(time_s - at_s))[: _SIDE // 2]
    return float(np.median(level_m[nearest]))


def level_offsets(
    time_s: np.ndarray, steps: list[Step], *, about_s: float, longest_gap_s: float, largest_m: float
) -> np.ndarray:
    """Return how much higher the sensor's level is than about a time, m; NaN where it is another deployment's.

    Parameters
    ----------
    time_s : array, shape (n,)
        s.
    steps : list of Step
        By time.
    about_s : float
        The level that counts is the one of this time, s.
    longest_gap_s : float
        Over longer gaps a step is that of another deployment, s. A level of less than six hours that the sensor came
        back from does not count either.
    largest_m : float
        A larger step is that of another buoy, m.

    Returns
    -------
    offset_m : array, shape (n,)
    """
    edges = np.array([step.time_s for step in steps])
    sizes = [step.size_m for step in steps]
    piece = np.searchsorted(edges, time_s, side="right")
    home = int(np.searchsorted(edges, about_s, side="right"))
    away = []
    for at in range(1, len(steps)):
        left_m, lasted_s = sizes[at - 1], edges[at] - edges[at - 1]
        if at != home and lasted_s <= _GAP_S and abs(left_m + sizes[at]) <= _BACK_M + _BACK * abs(left_m):
            away.append(at)
            sizes[at] = -left_m
    lost = [step.gap_s > longest_gap_s or abs(step.size_m) > largest_m for step in steps]
    offset = np.zeros(len(steps) + 1)
    for at in range(home, len(steps)):
        offset[at + 1] = np.nan if lost[at] else offset[at] + sizes[at]
    for at in range(home - 1, -1, -1):
        offset[at] = np.nan if lost[at] else offset[at + 1] - sizes[at]
    offset[away] = np.nan
    return offset[piece]
