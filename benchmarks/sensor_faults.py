"""Twelve ways in which a bottom-pressure sensor, or what carries its samples, fails.

For benchmarks of detection and of inversions: ``apply(kind, time_s, height_m, rng)`` returns what would have come.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from slipcast.errors import InputError

__all__ = ["KINDS", "apply"]

_HOUR_S = 3600.0
_Samples = tuple[np.ndarray, np.ndarray]
_Random = np.random.Generator


def apply(
    kind: str,
    time_s: np.ndarray,
    height_m: np.ndarray,
    rng: np.random.Generator,
    *,
    other_m: np.ndarray | None = None,
    since_s: float | None = None,
) -> _Samples:
    """Let the sensor of a record fail.

    Parameters
    ----------
    kind : str
        One of ``KINDS``.
    time_s : array, shape (n,)
        Times of the samples, s, rising.
    height_m : array, shape (n,)
        Raw heights of the water column, or levels without tide, m; NaN where missing.
    rng : numpy.random.Generator
        Chooses when and how much.
    other_m : array, shape (n,), optional
        Heights of another buoy at the same times, for ``swap``.
    since_s : float, optional
        When the failure begins, s; by default at random in the middle half of the record.

    Returns
    -------
    time_s, height_m : array, shape (m,)
        What came: times rising; copies, and with ``gaps`` fewer.

    Raises
    ------
    InputError
        If the kind is none of them, or ``swap`` has no other buoy.

    Notes
    -----
    ``stuck``: one height again and again for 1 to 48 h. ``step``: 5 cm to 10 m for the rest. ``spikes``: 3 to 30 single
    samples off by 3 cm to 10 m. ``run``: three runs of 2 to 10 samples off by 5 cm to 10 m, the same within a tenth,
    whole or three in each eight. ``drift``: 5 cm to 2 m a day. ``clock``: late or early by 1 to 10 min. ``sign``:
    levels about the median turned over. ``gain``: levels about the median doubled. ``unit``: feet for metres. ``swap``:
    another buoy's heights. ``gaps``: a third of the samples lost, in pieces of up to 3 h. ``repeats``: five packets of
    1 h that come again instead of the next one to three. From ``since_s`` on, all of them.
    """
    if kind not in KINDS:
        raise InputError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    time, height = np.array(time_s, float), np.array(height_m, float)
    if since_s is None:
        since_s = float(time[0] + np.ptp(time) * rng.uniform(0.25, 0.75))
    late = time >= since_s
    if kind == "swap":
        if other_m is None:
            raise InputError("other_m must be given for swap, got None")
        return time, np.where(late, other_m, height)
    return _WAYS[kind](time, height, late, since_s, rng)


def _size(rng: np.random.Generator, least_m: float, most_m: float, count: int | None = None) -> np.ndarray:
    """Draw sizes, m, evenly by their logarithm, of either sign."""
    return rng.choice([-1.0, 1.0], count) * np.exp(rng.uniform(np.log(least_m), np.log(most_m), count))


def _middle(height: np.ndarray) -> float:
    return float(np.nanmedian(height))


def _stuck(
    time: np.ndarray, height: np.ndarray, late: np.ndarray, since_s: float, rng: np.random.Generator
) -> _Samples:
    ends_s = since_s + _HOUR_S * np.exp(rng.uniform(0.0, np.log(48.0)))
    known = np.flatnonzero(late & np.isfinite(height))
    if known.size:
        height[late & (time < ends_s) & np.isfinite(height)] = height[known[0]]
    return time, height


def _step(time: np.ndarray, height: np.ndarray, late: np.ndarray, since_s: float, rng: _Random) -> _Samples:
    return time, height + late * _size(rng, 0.05, 10.0)


def _spikes(
    time: np.ndarray, height: np.ndarray, late: np.ndarray, since_s: float, rng: np.random.Generator
) -> _Samples:
    where = np.flatnonzero(late)
    chosen = rng.choice(where, min(int(rng.integers(3, 31)), where.size), replace=False)
    height[chosen] += _size(rng, 0.03, 10.0, chosen.size)
    return time, height


def _run(time: np.ndarray, height: np.ndarray, late: np.ndarray, since_s: float, rng: _Random) -> _Samples:
    where = np.flatnonzero(late)
    for _ in range(3):
        begin, count = int(rng.choice(where)), int(rng.integers(2, 11))
        members = np.arange(count)
        if rng.random() < 0.5:
            members = np.flatnonzero(np.isin(np.arange(8 * count) % 8, (0, 3, 5)))[:count]
        members = begin + members
        members = members[members < time.size]
        height[members] += _size(rng, 0.05, 10.0) * rng.uniform(0.95, 1.05, members.size)
    return time, height


def _drift(
    time: np.ndarray, height: np.ndarray, late: np.ndarray, since_s: float, rng: np.random.Generator
) -> _Samples:
    return time, height + late * (time - since_s) / 86400.0 * _size(rng, 0.05, 2.0)


def _clock(
    time: np.ndarray, height: np.ndarray, late: np.ndarray, since_s: float, rng: np.random.Generator
) -> _Samples:
    shifted = time + late * 60.0 * rng.integers(1, 11) * rng.choice([-1, 1])
    kept = np.insert(shifted[1:] > np.maximum.accumulate(shifted)[:-1], 0, True)
    return shifted[kept], height[kept]


def _sign(time: np.ndarray, height: np.ndarray, late: np.ndarray, since_s: float, rng: _Random) -> _Samples:
    return time, np.where(late, 2 * _middle(height) - height, height)


def _gain(time: np.ndarray, height: np.ndarray, late: np.ndarray, since_s: float, rng: _Random) -> _Samples:
    return time, np.where(late, 2 * height - _middle(height), height)


def _unit(time: np.ndarray, height: np.ndarray, late: np.ndarray, since_s: float, rng: _Random) -> _Samples:
    return time, np.where(late, height / 0.3048, height)


def _gaps(time: np.ndarray, height: np.ndarray, late: np.ndarray, since_s: float, rng: _Random) -> _Samples:
    kept = np.ones(time.size, dtype=bool)
    while kept[late].size and kept[late].mean() > 2 / 3:
        begin_s = rng.uniform(since_s, time[-1])
        kept &= (time < begin_s) | (time > begin_s + rng.uniform(0.0, 3 * _HOUR_S))
    return time[kept], height[kept]


def _repeats(
    time: np.ndarray, height: np.ndarray, late: np.ndarray, since_s: float, rng: np.random.Generator
) -> _Samples:
    sent = height.copy()
    for begin_s in rng.uniform(since_s, time[-1], 5):
        packet = np.flatnonzero((time >= begin_s) & (time < begin_s + _HOUR_S))
        for again in range(1, int(rng.integers(2, 5))):
            after = (packet + again * packet.size)[packet + again * packet.size < time.size]
            height[after] = sent[packet[: after.size]]
    return time, height


_WAYS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray, float, np.random.Generator], _Samples]] = {
    "stuck": _stuck,
    "step": _step,
    "spikes": _spikes,
    "run": _run,
    "drift": _drift,
    "clock": _clock,
    "sign": _sign,
    "gain": _gain,
    "unit": _unit,
    "gaps": _gaps,
    "repeats": _repeats,
}
KINDS = (*_WAYS, "swap")
"""The ways of failing."""
