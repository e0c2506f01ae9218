"""Calibration of posterior samples: bias and missing scatter of their size and waves, measured and put back."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import ndtr, ndtri

__all__ = ["SPREADS", "AmplitudeCalibration", "SizeCalibration"]

_LEAST_M, _LEAST_SPREAD = 1e-6, 1e-6
_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
_DRAWS = 100
_FEWEST = 100
_LEAST_SCALE = 1.0  # intervals are made wider, and never narrower

SPREADS = (0.04, 0.08, 0.16, 0.32, 0.64, 1.28)
"""Scatters of the logarithm of size at which factors are measured."""


@dataclass(frozen=True)
class AmplitudeCalibration:
    r"""Factors for the waves of draws at some gauges.

    Attributes
    ----------
    shift, floor, share : mapping of gauge name to float
        Mean of the logarithm of the factor; its standard deviation where all draws agree; and its further standard
        deviation as a share of that of the draws.

    Notes
    -----
    A few amplitudes do not make all of a wave, and draws may scatter too little. With :math:`s` the standard deviation
    of the logarithm of the highest level of the draws, each draw is multiplied by :math:`e^{b + \sqrt{a^2 + c^2
    s^2}\,z}`, with a normal number :math:`z` for each draw and gauge. :math:`a, b, c` are those whose quantiles of the
    logarithm, at the ends of the 50 and 90 % intervals and in the middle, have the least quantile score (Gneiting and
    Raftery 2007, JASA 102, 359, section 6) over scenarios that the network did not learn from, each in units of its
    own scatter, so that short windows, which say little, do not outweigh long ones.
    """

    shift: Mapping[str, float]
    floor: Mapping[str, float]
    share: Mapping[str, float]

    @classmethod
    def none(cls, gauges) -> AmplitudeCalibration:
        """Return factors of one."""
        zeros = dict.fromkeys(gauges, 0.0)
        return cls(zeros, zeros, zeros)

    @classmethod
    def fit(cls, true: Mapping[str, np.ndarray], draws: Mapping[str, np.ndarray]) -> AmplitudeCalibration:
        """Measure the factors.

        Parameters
        ----------
        true : mapping of gauge name to array, shape (n,)
            Highest sea level, m.
        draws : mapping of gauge name to array, shape (n, m)
            That of draws, m.

        Returns
        -------
        calibration : AmplitudeCalibration
        """
        found = {name: _fit(_logarithm(true[name]), _logarithm(draws[name]), name) for name in true}
        return cls(*({name: float(numbers[i]) for name, numbers in found.items()} for i in range(3)))

    def factors(self, highest_m: np.ndarray, gauge: str) -> np.ndarray:
        """Compute the factors of draws, shape (..., m), from their highest level, m; always the same."""
        return _factors(highest_m, self.shift[gauge], self.floor[gauge], self.share[gauge], gauge)


@dataclass(frozen=True)
class SizeCalibration:
    r"""Factors for all of a draw, slip and waves together.

    Attributes
    ----------
    shifts, below, above : tuple of float
        For draws whose scatter is one of :data:`SPREADS`: what is added to the logarithm of their size, as a share of
        the scatter, and what their distance from the median is multiplied by, >= 1, below and above it.

    Notes
    -----
    Size is the mean slip of a draw; scatter, half the distance of the quantiles 0.16 and 0.84 of its logarithm.
    Between the scatters named, and in the logarithm of them, numbers are interpolated. They are those of the least
    quantile score, as in :class:`AmplitudeCalibration`, over scenarios whose draws scatter about as much. Draws that
    scatter too much, as those of short windows do, are left as they are: narrower sizes would make the waves of the
    first minutes, the least certain, too sure.
    """

    shifts: tuple[float, ...] = (0.0,) * len(SPREADS)
    below: tuple[float, ...] = (1.0,) * len(SPREADS)
    above: tuple[float, ...] = (1.0,) * len(SPREADS)

    @classmethod
    def fit(cls, true: np.ndarray, draws: np.ndarray) -> SizeCalibration:
        """Measure the factors.

        Parameters
        ----------
        true : array, shape (n,)
            Mean slip, m.
        draws : array, shape (n, m)
            That of draws, m.

        Returns
        -------
        calibration : SizeCalibration
            Without effect at scatters that fewer than a hundred records have.
        """
        true, draws = _logarithm(true), _logarithm(draws)
        middle, spread = _middle_and_spread(draws)
        error = (true - middle[:, 0]) / spread[:, 0]
        levels = ((np.quantile(draws, _LEVELS, axis=-1) - middle[:, 0]) / spread[:, 0]).T
        steps = np.log(spread / np.array(SPREADS)) / np.log(SPREADS[1] / SPREADS[0])
        found = [_fit_line(error, levels, weight) for weight in np.maximum(1 - np.abs(steps), 0.0).T]
        return cls(*(tuple(numbers) for numbers in np.array(found).T.tolist()))

    def factors(self, size_m: np.ndarray) -> np.ndarray:
        """Compute the factors of draws, shape (..., m), from their mean slip, m."""
        size = _logarithm(size_m)
        middle, spread = _middle_and_spread(size)
        shift, below, above = (
            np.interp(np.log(spread), np.log(SPREADS), numbers) for numbers in (self.shifts, self.below, self.above)
        )
        scale = np.where(size < middle, below, above)
        return np.exp(shift * spread + (scale - 1) * (size - middle)).astype(np.float32)


def _middle_and_spread(size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return median and scatter of the logarithms of sizes, with an axis of length one for the draws."""
    low, middle, high = np.quantile(size, (0.16, 0.5, 0.84), axis=-1, keepdims=True)
    return middle, np.maximum((high - low) / 2, _LEAST_SPREAD)


def _fit_line(error: np.ndarray, levels: np.ndarray, weight: np.ndarray) -> tuple[float, float, float]:
    """Find shift and scales of quantiles, shape (n, n_levels), of least score, in units of the scatter."""
    if weight.sum() < _FEWEST:
        return 0.0, 1.0, 1.0
    near, probability = weight > 0, np.array(_LEVELS)
    error, levels, weight = error[near, np.newaxis], levels[near], weight[near] / weight.sum()

    def score(numbers: np.ndarray) -> float:
        below, above = np.maximum(numbers[1:], _LEAST_SCALE)
        left = error - numbers[0] - np.where(levels < 0, below, above) * levels
        return float(weight @ np.maximum(probability * left, (probability - 1) * left).sum(axis=1))

    found = minimize(score, (0.0, 1.0, 1.0), method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-6})
    below, above = np.maximum(found.x[1:], _LEAST_SCALE)
    return float(found.x[0]), float(below), float(above)


def _factors(values_m: np.ndarray, shift: float, floor: float, share: float, label: str) -> np.ndarray:
    """Compute factors of draws, shape (..., m), from what they are of, m."""
    spread = _logarithm(values_m).std(axis=-1, keepdims=True)
    extra = np.sqrt(floor**2 + (share * spread) ** 2)
    return np.exp(shift + extra * _normal_scores(values_m.shape[-1], label)).astype(np.float32)


def _normal_scores(count: int, gauge: str) -> np.ndarray:
    """Return normal numbers of mean zero and mean square one (a single one is zero), in an order of the gauge's."""
    scores = ndtri((np.arange(count) + 0.5) / count)
    scores /= max(scores.std(), 1e-12) if count > 1 else 1.0
    return np.random.default_rng(zlib.crc32(gauge.encode())).permutation(scores)


def _logarithm(height_m: np.ndarray) -> np.ndarray:
    """Return the logarithm of sea levels, m, none of them lower than a micrometre."""
    return np.log(np.maximum(height_m, _LEAST_M))


def _fit(true: np.ndarray, draws: np.ndarray, label: str) -> np.ndarray:
    """Find shift, floor and share for one gauge from logarithms."""
    spread = draws.std(axis=-1)
    start = _fit_normal(true, draws.mean(axis=-1), spread)
    scale = np.sqrt(start[1] ** 2 + (1 + start[2] ** 2) * spread**2) + _LEAST_SPREAD
    draws = draws[:, :_DRAWS]
    normal, levels = _normal_scores(draws.shape[-1], label), np.array(_LEVELS)[:, np.newaxis]

    def score(numbers: np.ndarray) -> float:
        shift, floor, share = numbers
        extra = np.sqrt(floor**2 + (share * spread) ** 2)
        error = (true - shift - np.quantile(draws + extra[:, np.newaxis] * normal, _LEVELS, axis=-1)) / scale
        return float(np.mean(np.maximum(levels * error, (levels - 1) * error)))

    return _least(score, start)


def _fit_normal(true: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Find the same by the continuous ranked probability score, as if draws were normal."""
    error = true - mean

    def score(numbers: np.ndarray) -> float:
        shift, floor, share = numbers
        sd = np.sqrt(floor**2 + (1 + share**2) * spread**2) + _LEAST_SPREAD
        z = (error - shift) / sd
        # of a normal distribution (Gneiting and Raftery 2007, JASA 102, 359, equation 21)
        density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
        return float(np.mean(sd * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi))))

    return _least(score, np.array([0.0, 0.05, 0.3]))


def _least(score: Callable[[np.ndarray], float], start: np.ndarray) -> np.ndarray:
    """Find the numbers of least score; the signs of floor and share do not matter."""
    found = minimize(score, start, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-6})
    return np.array([found.x[0], *np.abs(found.x[1:])])
