"""Samples of a raw record: repeated rows under false times, and several heights of one time."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from slipcast.errors import InputError

__all__ = ["INTERVALS_S", "Samples", "one_a_time", "spacing_intervals", "without_shadows"]

INTERVALS_S = (15, 60, 900)
"""Sampling intervals of DARTs, s."""

_SAME_M = 1.000001e-3  # heights have three decimals and may be rounded twice
_GROSS_M, _MANY = 0.5, 10
_REPEATED_S = 7200  # the hours after midnight that NDBC's archive repeats
_LEAST_ECHOES = 5
_MOST_NIGHTS = 3


@dataclass(frozen=True)
class Samples:
    """Samples in the order of their text.

    Attributes
    ----------
    time : array of datetime64[s], shape (n,)
        UTC.
    interval_s : array of int16, shape (n,)
        15, 60 or 900 s; 0 where the text does not say.
    height_m : array of float64, shape (n,)
        m; NaN where missing.
    line : array of int, shape (n,)
        Number of the line that each stands in; 0 where there is none.
    """

    time: np.ndarray
    interval_s: np.ndarray
    height_m: np.ndarray
    line: np.ndarray

    def taken(self, at: np.ndarray) -> Samples:
        """Return some of the samples, by position or by a mask."""
        return Samples(self.time[at], self.interval_s[at], self.height_m[at], self.line[at])


def without_shadows(samples: Samples) -> tuple[Samples, tuple[str, ...]]:
    """Leave out rows that repeat those of a whole minute under a false time.

    Parameters
    ----------
    samples : Samples
        In any order.

    Returns
    -------
    samples : Samples
        Without them; a repeated row whose whole minute lacks stands at that minute.
    notes : tuple of str
        What was left out or moved, a day at a time; more than three days together.

    Notes
    -----
    NDBC's year archive repeats the 1-minute rows of 00:00 to 01:59 UTC of some days, stamped 15, 30 or 45 s later. What
    tells them from true samples: a buoy that samples every minute does so once a minute, and a repeated row has the
    height of the whole minute's. Rows of one day and second are taken together; nine in ten of those that can be
    compared must agree. Samples of 15 s (T = 3) are never touched. Where a table does not say the interval, repeated
    rows are only looked for in those two hours, stand alone in their minute (a buoy that samples every 15 s has three
    there), and there are five of them at least; a table with as lonely rows at other hours has true samples of 30 s.
    """
    clock = samples.time.astype(np.int64)
    second, minute, day = clock % 60, clock // 60, clock // 86400
    known, unknown = samples.interval_s == 60, samples.interval_s == 0
    off = np.flatnonzero((second > 0) & (known | unknown))
    if not off.size:
        return samples, ()
    at_whole: dict[int, set[float]] = defaultdict(set)
    for position in np.flatnonzero((second == 0) & (known | unknown) & np.isin(minute, minute[off])):
        at_whole[int(minute[position])].add(float(samples.height_m[position]))
    lonely = off[known[off] | _alone(minute[off], clock[off])]
    outside = lonely[unknown[lonely] & (clock[lonely] % 86400 >= _REPEATED_S)]
    time, kept, nights = samples.time.copy(), np.ones(clock.size, bool), []
    for each_day, each_second in dict.fromkeys(zip(day[lonely].tolist(), second[lonely].tolist(), strict=True)):
        own = lonely[(day[lonely] == each_day) & (second[lonely] == each_second)]
        own = own[known[own] | (clock[own] % 86400 < _REPEATED_S)]
        echo, differs = _compared(samples.height_m, own, [at_whole.get(int(minute[i]), set()) for i in own])
        others = (second[outside] == each_second) & (np.abs(day[outside] - each_day) <= 1)
        least = 1 if known[own].any() else max(_LEAST_ECHOES, 10 * int(others.sum()))
        if (echo & np.isfinite(samples.height_m[own])).sum() < max(least, 9 * differs.sum()):
            continue
        # where a table does not say the interval, a repeated row may stand beside a true one of the same moment
        beside = off[unknown[off] & (day[off] == each_day) & (second[off] == each_second) & ~np.isin(off, own)]
        doubled = beside[np.isin(clock[beside], _twice(clock[beside]))]
        repeats, _ = _compared(samples.height_m, doubled, [at_whole.get(int(minute[i]), set()) for i in doubled])
        kept[own[echo]] = kept[doubled[repeats]] = False
        moved = own[~echo]
        time[moved] -= np.timedelta64(each_second, "s")
        nights.append((samples.time[own], int(echo.sum() + repeats.sum()), moved.size, each_second))
    if len(nights) > _MOST_NIGHTS:
        times, n_left_out, n_moved, late = zip(*nights)
        nights = [(np.concatenate(times), sum(n_left_out), sum(n_moved), max(late))]
    left = Samples(time, samples.interval_s, samples.height_m, samples.line).taken(kept)
    return left, tuple(_words(*night) for night in nights)


def _alone(minute: np.ndarray, clock: np.ndarray) -> np.ndarray:
    """Tell which moments have no other off the whole minute in their minute."""
    moments = np.unique(clock)
    minutes, counts = np.unique(moments // 60, return_counts=True)
    return counts[np.searchsorted(minutes, minute)] == 1


def _twice(clock: np.ndarray) -> np.ndarray:
    """Return the moments that come more than once."""
    moments, counts = np.unique(clock, return_counts=True)
    return moments[counts > 1]


def _compared(height_m: np.ndarray, own: np.ndarray, whole: list[set[float]]) -> tuple[np.ndarray, np.ndarray]:
    """Tell which rows repeat a height of their whole minute, and which have another one than it."""
    heights = height_m[own].tolist()
    missing = np.isnan(height_m[own])
    echo = np.array([bool(at) and (height in at or none) for height, at, none in zip(heights, whole, missing)], bool)
    sent = np.array([any(height == height for height in at) for at in whole], bool)
    return echo, ~echo & sent


def _words(time: np.ndarray, n_left_out: int, n_moved: int, second: int) -> str:
    """Say what became of the repeated rows of a day."""
    times = np.sort(time)
    days = np.unique(times.astype("datetime64[D]")).size
    late = f"{second} s before them" if days == 1 else f"up to {second} s before them, on {days} days"
    text = f"{n_left_out} rows from {times[0]} to {times[-1]} repeat the whole minute {late}"
    return text + (f", {n_moved} more whose whole minute lacks were put there" if n_moved else "")


def one_a_time(samples: Samples, *, what: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Choose one sample a time.

    Parameters
    ----------
    samples : Samples
        In any order.
    what : str
        What they are of, for the message, e.g. ``"21418.txt"``.

    Returns
    -------
    chosen : array of int
        Positions, in the order of time: of the finest interval that has a height, and of several of one interval the
        median height (of two the lower).
    notes : tuple of str
        How many times have heights that differ by more than 1 mm, and by how much at most.

    Raises
    ------
    InputError
        If heights of one time and interval differ by more than 0.5 m at more than ten times: these are two records.
    """
    time, interval_s, height_m = samples.time, samples.interval_s, samples.height_m
    order = np.lexsort((height_m, interval_s, time))  # NaN last
    first = _begins(time[order], interval_s[order])
    n_heights = np.add.reduceat(np.isfinite(height_m[order]).astype(int), first)
    last = np.maximum(n_heights - 1, 0)
    lowest, median, highest = (order[first + step] for step in (np.zeros_like(last), last // 2, last))
    gross = height_m[highest] - height_m[lowest] > _GROSS_M
    if gross.sum() > _MANY:
        one, other = sorted((int(lowest[at := int(gross.argmax())]), int(highest[at])))
        lines = f" (lines {samples.line[one]} and {samples.line[other]})" if samples.line[one] else ""
        raise InputError(
            f"{what}: heights of the same time and interval differ by more than {_GROSS_M:g} m at {int(gross.sum())} "
            f"times, first {height_m[one]:.3f} and {height_m[other]:.3f} m at {time[one]}{lines}; are they of one buoy?"
        )
    chosen = median[np.lexsort((interval_s[median], np.isnan(height_m[median]), time[median]))]
    chosen = chosen[_begins(time[chosen])]
    # all heights of a time, whatever their interval
    order = np.lexsort((height_m, time))
    first = _begins(time[order])
    last = np.maximum(np.add.reduceat(np.isfinite(height_m[order]).astype(int), first) - 1, 0)
    apart_m = height_m[order[first + last]] - height_m[order[first]]
    differ = apart_m > _SAME_M
    if not differ.any():
        return chosen, ()
    return chosen, (
        f"heights of {int(differ.sum())} times differ, by {apart_m[differ].max():.3f} m at most: that of the finest "
        "interval is taken, and of one interval the median",
    )


def _begins(*keys: np.ndarray) -> np.ndarray:
    """Return where in sorted keys another one begins."""
    changes = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return np.concatenate([[0], np.flatnonzero(changes) + 1])[: keys[0].size]


def spacing_intervals(time: np.ndarray) -> np.ndarray:
    """Guess how often a buoy sampled, s, from the distance to the nearer neighbour."""
    gaps = np.concatenate([[np.inf], np.diff(time).astype(float), [np.inf]])
    nearer = np.minimum(gaps[:-1], gaps[1:])[: time.size]
    edges = [np.sqrt(15 * 60), np.sqrt(60 * 900)]
    return np.array(INTERVALS_S, np.int16)[np.searchsorted(edges, nearer)]
