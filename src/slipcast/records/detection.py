"""Detection of a tsunami in one record, sample by sample."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from slipcast.errors import InputError
from slipcast.records.quality import checked_series
from slipcast.records.tide_filter import SAMPLE_SD_M, WAVES_SD_M, TideFilter
from slipcast.records.wave_shape import LEAST_M, Shape, coarse_shape, fine_shape, outside_bursts

__all__ = ["EVEN_RATIO", "STEEPNESS", "Detection", "Detector", "detect"]

_MINUTE_S, _FINE_S, _THREE_S = 60.0, 130.0, 31.0
_HIGHEST_M, _LOWEST_M, _DEEPEST_M = 3.0, 100.0, 11_000.0
# logistic in the logarithm of the weakest ratio: `python -m benchmarks.studies.detection --calibrate`
EVEN_RATIO, STEEPNESS = 0.6, 3.4
_GATE = 4.0
_LOST_S, _FEWEST_LOST = 5400.0, 4
_WINDOW_S, _COARSE_WINDOW_S = 4500.0, 3 * 3600.0
_LONGEST_GAP_S = 10 * 86400.0
_CALM_S = 86400.0
_SCATTER_S = 86400.0
_BLIND_S = 3 * 3600.0
_FEWEST_KEPT = 5
_BEFORE_S, _GOOD_SHARE = 600.0, 0.87
_ROUGH_SAMPLES = 8


@dataclass(frozen=True)
class Detection:
    """A tsunami in a record.

    Attributes
    ----------
    onset_s : float
        When the detected wave began: the last sample before its crest that is below a tenth of it, s.
    crest_s : float
        When it was highest, s; or lowest where a trough comes first.
    height_m : float
        Its level then over the predicted tide, m; negative for a trough.
    period_s : float
        Of a sine that rises as fast, s; roughly.
    probability : float
        That a tsunami made it, by its shape.
    detected_s : float
        Time of the sample that decided, s.
    """

    onset_s: float
    crest_s: float
    height_m: float
    period_s: float
    probability: float
    detected_s: float


class Detector:
    """Look for tsunamis in samples as they come, never ahead.

    Parameters
    ----------
    detided : bool, optional
        Whether the heights are levels without tide.

    Attributes
    ----------
    probability : float
        That a tsunami made the wave that has just turned; 0 where there is none. Stays after a detection, while waves
        follow it.

    Raises
    ------
    InputError
        If ``detided`` is neither True nor False.

    See Also
    --------
    detect : Feeds a whole record, and says what is looked for.

    Examples
    --------
    >>> detector = Detector()
    >>> for minute in range(720):
    ...     wave_m = 0.2 * np.sin((minute - 600) * np.pi / 10) if minute > 600 else 0.0
    ...     height_m = 4000.0 + 0.5 * np.sin(2 * np.pi * minute / 745.2) + wave_m
    ...     if (found := detector.feed(60.0 * minute, height_m)) is not None:
    ...         print(f"{found.height_m:.2f} m at minute {found.crest_s / 60:.0f}, known at {minute}")
    0.20 m at minute 605, known at 607
    """

    def __init__(self, *, detided: bool = False):
        if not isinstance(detided, bool):
            raise InputError(f"detided must be True or False, got {detided!r} ({type(detided).__name__})")
        self._detided = detided
        self._tide: TideFilter | None = None
        self._last_s, self._minute, self._phase_s = -np.inf, -np.inf, np.nan
        self._scatter, self._count, self._accepted_s = 1.0, 0, 0.0
        self._disturbed_s, self._blind_s = -np.inf, -np.inf
        self._kept: deque[list[float]] = deque()
        self._lost: deque[tuple[float, float, float]] = deque()
        self._three: deque[tuple[float, float]] = deque(maxlen=3)
        self._five: deque[tuple[float, float]] = deque(maxlen=5)
        self._rough: deque[float] = deque(maxlen=_ROUGH_SAMPLES)
        self._detected = False
        self.probability = 0.0

    def feed(self, time_s: float, height_m: float) -> Detection | None:
        """Take in one sample.

        Parameters
        ----------
        time_s : float
            Seconds since any origin, later than that of the sample before.
        height_m : float
            Height of the water column, m; NaN where missing.

        Returns
        -------
        detection : Detection or None
            The tsunami that this sample made clear, if any: one for all waves with less than a day between them.

        Raises
        ------
        InputError
            If the time does not rise, or the height is infinite.
        """
        if not (np.isfinite(time_s) and time_s > self._last_s):
            raise InputError(f"time_s must be finite and rise, got {time_s} after {self._last_s} s")
        if np.isinf(height_m):
            raise InputError(f"height_m must be finite or NaN, got {height_m}")
        self._last_s = time_s
        if np.isnan(height_m) or not (self._detided or _LOWEST_M <= height_m <= _DEEPEST_M):
            return None
        shaken_m = self._shaking(time_s, height_m)
        if not self._first_of_minute(time_s):
            if self._kept:
                self._kept[-1][-1] = max(self._kept[-1][-1], shaken_m)
            return None
        return self._take(float(time_s), float(height_m), shaken_m)

    def _shaking(self, time_s: float, height_m: float) -> float:
        """Return the roughness of the last three samples, m, where they are 15 s apart, else 0."""
        self._three.append((time_s, height_m))
        if len(self._three) < 3 or time_s - self._three[0][0] > _THREE_S:
            return 0.0
        heights = [height for _, height in self._three]
        return abs(heights[0] - 2 * heights[1] + heights[2]) / np.sqrt(6.0)

    def _first_of_minute(self, time_s: float) -> bool:
        """Tell whether a sample is the first of its minute: later ones are repeated, or of 15 s."""
        if np.isnan(self._phase_s):
            self._phase_s = time_s % _MINUTE_S
        minute = np.floor((time_s - self._phase_s) / _MINUTE_S + 1e-6)
        first = minute > self._minute
        self._minute = max(self._minute, minute)
        return bool(first)

    def _take(self, time_s: float, height_m: float, shaken_m: float) -> Detection | None:
        """Compare a sample with the tide that the earlier ones predict."""
        if self._tide is None or time_s - self._tide.time_s > _LONGEST_GAP_S:
            self._start([(time_s, height_m)])
            return None
        level_m, tide_var, variance = self._tide.predict(time_s)
        residual = height_m - level_m
        if abs(residual) > _HIGHEST_M + 3.0 * np.sqrt(tide_var):
            self._reject(time_s, height_m, residual)
            return None
        rough = self._roughness(time_s, height_m)
        sd_m = np.sqrt(self._scatter * (tide_var + WAVES_SD_M**2 + SAMPLE_SD_M**2))
        expected = variance + SAMPLE_SD_M**2
        innovation = residual - self._tide.background()
        if abs(innovation) > _GATE * np.sqrt(self._scatter * expected + rough**2):
            if self._reject(time_s, height_m, residual):
                return None
        else:
            ratio = min(self._scatter * (residual / sd_m) ** 2, _GATE**2)
            self._compare(time_s, max(ratio, innovation**2 / (expected + rough**2)))
            self._tide.update(height_m, rough)
            self._accepted_s = time_s
            self._lost.clear()
        self._kept.append([time_s, residual, float(sd_m), height_m, shaken_m])
        while self._kept[0][0] < time_s - _COARSE_WINDOW_S:
            self._kept.popleft()
        return self._decide(time_s)

    def _start(self, samples: list[tuple[float, float]]) -> None:
        """Learn the tide again, from some samples and nothing before them."""
        self._tide = TideFilter(*samples[0], detided=self._detided)
        self._scatter, self._count = 1.0, 0
        for time_s, height_m in samples:
            level_m, _, variance = self._tide.predict(time_s)
            innovation = height_m - level_m - self._tide.background()
            self._compare(time_s, innovation**2 / (variance + SAMPLE_SD_M**2))
            self._tide.update(height_m, 0.0)
            self._accepted_s = time_s
        self._kept.clear()
        self._lost.clear()

    def _compare(self, time_s: float, square: float) -> None:
        """Let the square of a deviation, over its variance, tell of the record's own scatter."""
        self._count += 1
        share = max(1.0 / self._count, 1.0 - np.exp(-(time_s - self._accepted_s) / _SCATTER_S))
        self._scatter = max(1.0, self._scatter + share * (square - self._scatter))

    def _reject(self, time_s: float, height_m: float, residual: float) -> bool:
        """Keep a sample out of the tide; tell whether the tide was begun again, as the level is lost."""
        self._lost.append((time_s, height_m, residual))
        while self._lost[0][0] < time_s - _LOST_S:
            self._lost.popleft()
        times, heights, residuals = np.array(self._lost).T
        if time_s - self._accepted_s < _LOST_S or times.size < _FEWEST_LOST or np.ptp(np.sign(residuals)) > 0:
            return False
        near = np.abs(heights - np.median(heights)) < _HIGHEST_M
        self._start([*zip(times[near].tolist(), heights[near].tolist())])
        self._blind_s = time_s + _BLIND_S
        return True

    def _roughness(self, time_s: float, height_m: float) -> float:
        """Return the root mean square of the last fourth differences, m; 0 where samples are not a minute apart."""
        if self._five and time_s - self._five[-1][0] > _FINE_S:
            self._five.clear()
            self._rough.clear()
        self._five.append((time_s, height_m))
        if len(self._five) == 5:
            first, second, third, fourth, fifth = (height for _, height in self._five)
            self._rough.append((first + fifth - 4.0 * (second + fourth) + 6.0 * third) ** 2 / 70.0)
        return math.sqrt(sum(self._rough) / len(self._rough)) if self._rough else 0.0

    def _decide(self, time_s: float) -> Detection | None:
        """Return the tsunami that the last samples show, if any."""
        _, level_m, sd_m, *_ = self._kept[-1]
        if abs(level_m) > max(LEAST_M, _GATE * sd_m):
            self._disturbed_s = time_s
        if self._detected:
            self._detected = time_s - self._disturbed_s < _CALM_S
            return None
        self.probability = 0.0
        calm = time_s - self._disturbed_s > _WINDOW_S
        if calm or time_s < self._blind_s or len(self._kept) < _FEWEST_KEPT:
            return None
        time, level, sd, height, shaken = np.array(self._kept).T
        shape = self._shape(time, level, sd, height, shaken)
        if shape is None:
            return None
        self.probability = 1.0 / (1.0 + (EVEN_RATIO / max(shape.weakest, 1e-9)) ** STEEPNESS)
        if shape.weakest < 1.0:
            return None
        self._detected = True
        return Detection(shape.onset_s, shape.crest_s, shape.height_m, shape.period_s, self.probability, time_s)

    def _shape(
        self, time: np.ndarray, level: np.ndarray, sd: np.ndarray, height: np.ndarray, shaken: np.ndarray
    ) -> Shape | None:
        """Return the likeliest wave."""
        if time[-1] - time[-2] > _FINE_S:
            return coarse_shape(time, level, sd, height)
        late = time > time[-1] - _WINDOW_S
        all_s = time[late]
        late[late] = good = outside_bursts(level[late])
        time, level, sd, height, shaken = time[late], level[late], sd[late], height[late], shaken[late]
        both = [fine_shape(time, level, sd, height, shaken, sign) for sign in (1, -1)]
        # many bursts are no bursts but shaking
        shapes = [one for one in both if one and good[all_s >= one.onset_s - _BEFORE_S].mean() > _GOOD_SHARE]
        return max(shapes, key=lambda shape: shape.weakest, default=None)


def detect(time_s: Any, height_m: Any, *, detided: bool = False) -> list[Detection]:
    r"""Detect tsunamis in a record.

    Parameters
    ----------
    time_s : array, shape (n,)
        Seconds since any origin, rising; samples of 15 s, 1 min and 15 min in any mixture.
    height_m : array, shape (n,)
        Height of the water column, m, with tide; NaN where missing. Bad samples may be among them.
    detided : bool, optional
        Whether the heights are levels without tide.

    Returns
    -------
    detections : list of Detection
        In the order of their times; one for all waves with less than a day between them. What
        :class:`Detector` gives for the same samples one by one.

    Raises
    ------
    InputError
        If shapes differ, times do not rise by 1 s or more, or a height is infinite.

    Notes
    -----
    A Kalman filter (``slipcast.records.tide_filter``) predicts each sample from those before it. Samples more than four
    standard deviations away do not tell it of the tide; after 90 min of them, all too high or all too low, it begins
    again with the new level, and nothing is detected for three hours. More than 3 m from the prediction there is no
    tsunami in the deep ocean: such samples are left out, and heights outside 100 to 11,000 m.

    In samples of a minute (of 15 s the first of each minute) a wave must have

    - a height of 1 cm and four standard deviations of the prediction, scaled by the record's own scatter, and four
      times the roughness (fourth differences) from ten minutes before its onset, which is that of shaking too;
    - turned by 7 % of its height and 2.5 times the roughness;
    - no step of more than 80 % of its height, nor one that exceeds twice its neighbours' rates by more than 50 %, as
      where a level jumps, a clock is set or a stuck sensor wakes;
    - a period between 4 and 90 min, by the time from half its height to the crest;
    - heights that are not all the same, as a stuck sensor's.

    Bursts of up to twelve bad samples are left out first, unless they are so many that they are shaking. Means over 3
    and 5 samples are tried as well: there a quarter of the height must be turned, and steps count only where they stand
    out.

    In samples of 15 min the last three must be 3.5 standard deviations from zero, one of them 1 cm and 4, none less
    than 15 % of it, and their second difference must be half of it, which drift, steps, clocks and gains do not reach;
    and none may come again from a packet before. So a wave is known after its second or third sample.

    The probability is logistic in the logarithm of the weakest of these, over what is needed, fitted to synthetic waves
    on quiet records and to as many failing sensors (``benchmarks/studies/detection.py``).

    It cannot find a wave below 1 cm, one of 2 cm and 50 min (part of it is taken for tide), one whose shaking is a
    quarter of it, one shorter than about 30 min in samples of 15 min, or one within three hours of a lost level; and it
    takes for a tsunami what a sensor makes as smoothly.

    Examples
    --------
    >>> time_s = np.arange(0.0, 43200.0, 60.0)
    >>> wave_m = np.where(time_s > 36000.0, 0.2 * np.sin((time_s - 36000.0) * np.pi / 600.0), 0.0)
    >>> found = detect(time_s, 4000.0 + 0.5 * np.sin(2 * np.pi * time_s / 44712.0) + wave_m)
    >>> [(one.crest_s, round(one.height_m, 2)) for one in found]
    [(36300.0, 0.2)]
    """
    detector = Detector(detided=detided)
    time, height, _ = checked_series(time_s, height_m, np.full(np.shape(time_s), _MINUTE_S))
    samples = zip(time.tolist(), height.tolist())
    return [found for sample in samples if (found := detector.feed(*sample)) is not None]
