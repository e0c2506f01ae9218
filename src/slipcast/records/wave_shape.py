"""Shape of a wave in a record without tide: what a tsunami has, and a failing sensor or shaking has not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["LEAST_M", "Shape", "coarse_shape", "fine_shape", "outside_bursts"]

LEAST_M = 0.01
"""Least height of a wave, m."""

# of five samples: the standard deviation of white noise, and hardly anything of a tsunami
_FOURTH_DIFFERENCE = np.array([1.0, -4.0, 6.0, -4.0, 1.0]) / np.sqrt(70.0)
_FIVE_S, _QUARTER_S = 310.0, (850.0, 950.0)
_ROUGH_FLOOR_M, _ROUGH_MEAN, _ROUGH_BEFORE_S = 0.0005, 6, 600.0
_LONGEST_TURN_S = 600.0
_LONGEST_BURST, _EDGE, _BESIDE, _JUMP_ROUGHS = 12, 0.6, 0.3, 8.0
_STUCK_M, _MOVED_M, _SAME_M, _REPEATED = 0.0015, 0.01, 0.0002, 6
_ONSET = 0.1
_MEANS = (1, 3, 5)
# what each ratio is over: see the notes of slipcast.records.detect
_SCATTERS, _ROUGHS, _RETURN, _RETURN_SHAKEN, _RETURN_ROUGHS = 4.0, 4.0, 0.07, 0.25, 2.5
_MOST_STEP, _MOST_ALONE = 0.8, 0.5
_PERIODS_S = (240.0, 5400.0)
_SHAKEN = 0.2
_SIGNIFICANT, _BEND, _BENDS, _EVEN = 3.5, 0.5, 2.5, 0.15


@dataclass(frozen=True)
class Shape:
    """An extreme of a wave that has turned, and how it compares with a tsunami.

    Attributes
    ----------
    onset_s, crest_s, height_m, period_s : float
        As in :class:`slipcast.records.Detection`.
    weakest : float
        Of what tells a tsunami, each over what it needs at least, the smallest.
    """

    onset_s: float
    crest_s: float
    height_m: float
    period_s: float
    weakest: float


def outside_bursts(level: np.ndarray) -> np.ndarray:
    """Tell which fine samples are not within a burst of bad ones.

    A burst has at most twelve samples. It begins and ends with jumps of opposite sense, each most of its height, far
    beyond the roughness before and beyond the steps next to it outside.
    """
    good = np.ones(level.size, dtype=bool)
    step = np.diff(level)
    outside = np.abs(np.concatenate([[0.0], step, [0.0]]))  # outside[i] is the step to sample i, outside[i + 1] from it
    for back in (np.flatnonzero(np.abs(step) > LEAST_M / 2) + 1).tolist():
        for out in range(back - 1, max(0, back - 1 - _LONGEST_BURST), -1):
            if not good[out] or step[out - 1] * step[back - 1] >= 0:
                continue
            least = min(abs(step[out - 1]), abs(step[back - 1]))
            inside = level[out:back] - 0.5 * (level[out - 1] + level[back])
            beside = max(outside[out - 1], outside[back + 1], abs(level[back] - level[out - 1]))
            if least < _EDGE * np.abs(inside).max() or beside > _BESIDE * least:
                continue
            before = level[max(0, out - 12) : out][good[max(0, out - 12) : out]]
            calm_m = float(np.median(np.abs(_fourth(before)))) if before.size > 4 else 0.0
            if least > _JUMP_ROUGHS * max(_ROUGH_FLOOR_M, calm_m):
                good[out:back] = False
                break
    return good


def fine_shape(
    time: np.ndarray, level: np.ndarray, sd: np.ndarray, height: np.ndarray, shaken: np.ndarray, sign: int
) -> Shape | None:
    """Describe the highest wave of the last hour in samples of a minute, once it has turned; None if there is none.

    Parameters
    ----------
    time, level, sd, height, shaken : array, shape (n,)
        Times, s, levels without tide and their standard deviations, m, raw heights, m, without bursts, and roughness of
        samples of 15 s within each minute, m.
    sign : {1, -1}
        Whether crests or troughs are looked for.
    """
    best = None
    for width in _MEANS:
        if time.size < width + 4:
            break
        shape = _fine(time, sign * level, sd, height, shaken, sign, width)
        if shape is not None and (best is None or shape.weakest > best.weakest):
            best = shape
    return best


def _fine(
    time: np.ndarray, x: np.ndarray, sd: np.ndarray, height: np.ndarray, shaken: np.ndarray, sign: int, width: int
) -> Shape | None:
    """Describe the wave in means over some samples."""
    half = width // 2
    at = slice(half, time.size - half)
    mean = np.convolve(x, np.full(width, 1.0 / width), "valid") if width > 1 else x
    times, sds = time[at], sd[at]
    crest = int(np.argmax(mean))
    top = float(mean[crest])
    if top < LEAST_M or crest > mean.size - 3:
        return None
    below = np.flatnonzero(mean[:crest] < _ONSET * top)
    if not below.size:
        return None
    onset = int(below[-1])
    half_way = onset + int(np.argmax(mean[onset : crest + 1] >= 0.5 * top))
    share = (0.5 * top - mean[half_way - 1]) / (mean[half_way] - mean[half_way - 1])
    half_s = times[half_way - 1] + share * (times[half_way] - times[half_way - 1])
    period_s = 6.0 * float(times[crest] - half_s)
    if times[-1] - times[crest] > max(_LONGEST_TURN_S, 0.5 * period_s):
        return None
    raw = height[onset + half + 1 : crest + half + 1]
    if np.ptp(raw) < _STUCK_M and np.ptp(x[onset + half + 1 : crest + half + 1]) > _MOVED_M:
        return None
    since_s = times[onset] - _ROUGH_BEFORE_S
    rough = max(_rough(time, x, since_s), float(shaken[time >= since_s].max()))
    scatter = rough / np.sqrt(width)
    if top - mean[-1] < max((_RETURN if width == 1 else _RETURN_SHAKEN) * top, _RETURN_ROUGHS * scatter):
        return None
    step, alone, place = _steps(time[onset + half :], x[onset + half :])
    if width > 1 and _rough(time, x, since_s, outside=onset + half + place) > _SHAKEN * top:
        step = alone = 0.0  # one of many
    ratios = (
        top / max(LEAST_M, _SCATTERS * float(sds[crest])),
        top / (_ROUGHS * scatter),
        (1.0 - step / top) / (1.0 - _MOST_STEP),
        _MOST_ALONE * top / max(alone, 1e-9),
        period_s / _PERIODS_S[0],
        _PERIODS_S[1] / max(period_s, 1.0),
    )
    return Shape(float(times[onset]), float(times[crest]), sign * top, period_s, float(min(ratios)))


def coarse_shape(time: np.ndarray, level: np.ndarray, sd: np.ndarray, height: np.ndarray) -> Shape | None:
    """Describe a wave in samples of 15 minutes by its last three samples; None if there is none."""
    steps = np.diff(time[-3:])
    if time.size < 4 or not ((steps > _QUARTER_S[0]) & (steps < _QUARTER_S[1])).all():
        return None
    last, sds = level[-3:], sd[-3:]
    top = float(np.abs(last).max())
    if top < LEAST_M or np.ptp(height[-3:]) < _STUCK_M or _repeated(height):
        return None
    bend = abs(float(last[0] - 2 * last[1] + last[2]))
    ratios = (
        top / max(LEAST_M, _SCATTERS * float(sds.max())),
        float((np.abs(last) / sds).min()) / _SIGNIFICANT,
        float(np.abs(last).min()) / (_EVEN * top),
        bend / max(_BEND * top, _BENDS * np.sqrt(6.0) * float(sds.min())),
    )
    small = np.flatnonzero(np.abs(level[:-3]) < 2 * sd[:-3])
    onset = int(small[-1]) if small.size else 0
    crest = onset + 1 + int(np.argmax(np.abs(level[onset + 1 :])))
    period_s = 4.0 * float(time[crest] - time[onset])
    return Shape(float(time[onset]), float(time[crest]), float(level[crest]), period_s, float(min(ratios)))


def _steps(time: np.ndarray, level: np.ndarray) -> tuple[float, float, int]:
    """Return the largest step, m, the most that one exceeds twice its neighbours' rate, m, and where the first is."""
    span, step = np.diff(time), np.abs(np.diff(level))
    rate = np.pad(step / span, 1)
    alone = step - 2.0 * span * np.maximum(rate[:-2], rate[2:])
    return float(step.max()), float(alone.max()), int(np.argmax(step))


def _repeated(height: np.ndarray) -> bool:
    """Tell whether two heights running, among the last six, are those of some time before: a packet that came again."""
    for lag in range(1, height.size - 1):
        same = np.abs(height[lag:] - height[:-lag])[-_REPEATED:] < _SAME_M
        if (same[1:] & same[:-1]).any():
            return True
    return False


def _fourth(level: np.ndarray) -> np.ndarray:
    """Return fourth differences of samples one after another, m."""
    return np.convolve(level, _FOURTH_DIFFERENCE, "valid")


def _rough(time: np.ndarray, level: np.ndarray, since_s: float, *, outside: int | None = None) -> float:
    """Return the largest root mean square of fourth differences since a time, m; without those across one step."""
    chosen = (time[4:] - time[:-4] < _FIVE_S) & (time[:-4] >= since_s)
    if outside is not None:
        chosen[max(0, outside - 3) : outside + 1] = False
    square = _fourth(level)[chosen] ** 2
    if square.size > _ROUGH_MEAN:
        square = np.convolve(square, np.full(_ROUGH_MEAN, 1.0 / _ROUGH_MEAN), "valid")
    return max(_ROUGH_FLOOR_M, float(np.sqrt(square.max()))) if square.size else _ROUGH_FLOOR_M
