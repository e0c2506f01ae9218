"""How far the waves of draws are from those of the truth beyond their own scatter: measured, and put back."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import ndtr, ndtri

__all__ = ["HeightScatter"]

_LEAST_M = 1e-6


@dataclass(frozen=True)
class HeightScatter:
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
    s^2}\,z}`, with a normal number :math:`z` for each draw and gauge. :math:`a, b, c` are those of least continuous
    ranked probability score of the logarithm over scenarios that the network did not learn from.
    """

    shift: Mapping[str, float]
    floor: Mapping[str, float]
    share: Mapping[str, float]

    @classmethod
    def none(cls, gauges) -> HeightScatter:
        """Return factors of one."""
        zeros = dict.fromkeys(gauges, 0.0)
        return cls(zeros, zeros, zeros)

    @classmethod
    def fit(cls, true: Mapping[str, np.ndarray], draws: Mapping[str, np.ndarray]) -> HeightScatter:
        """Measure the factors.

        Parameters
        ----------
        true : mapping of gauge name to array, shape (n,)
            Highest sea level, m.
        draws : mapping of gauge name to array, shape (n, m)
            That of draws, m.

        Returns
        -------
        heights : HeightScatter
        """
        found = {name: _fit(np.log(np.maximum(true[name], _LEAST_M)), *_moments(draws[name])) for name in true}
        return cls(*({name: float(numbers[i]) for name, numbers in found.items()} for i in range(3)))

    def factors(self, highest_m: np.ndarray, gauge: str) -> np.ndarray:
        """Compute the factors of draws, shape (..., m), from their highest level, m; always the same."""
        spread = _moments(highest_m)[1][..., np.newaxis]
        normal = _normal_scores(highest_m.shape[-1], gauge)
        extra = np.sqrt(self.floor[gauge] ** 2 + (self.share[gauge] * spread) ** 2)
        return np.exp(self.shift[gauge] + extra * normal).astype(np.float32)


def _normal_scores(count: int, gauge: str) -> np.ndarray:
    """Return normal numbers of mean zero and mean square one (a single one is zero), in an order of the gauge's."""
    scores = ndtri((np.arange(count) + 0.5) / count)
    scores /= max(scores.std(), 1e-12) if count > 1 else 1.0
    return np.random.default_rng(zlib.crc32(gauge.encode())).permutation(scores)


def _moments(draws_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of the logarithm over the last axis."""
    logarithm = np.log(np.maximum(draws_m, _LEAST_M))
    return logarithm.mean(axis=-1), logarithm.std(axis=-1)


def _fit(true: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Find shift, floor and share for one gauge."""
    error = true - mean

    def score(numbers: np.ndarray) -> float:
        shift, floor, share = numbers
        sd = np.sqrt(floor**2 + (1 + share**2) * spread**2) + 1e-6
        z = (error - shift) / sd
        # of a normal distribution (Gneiting and Raftery 2007, JASA 102, 359, equation 21)
        density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
        return float(np.mean(sd * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi))))

    found = minimize(score, [0.0, 0.05, 0.3], method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-7})
    return np.abs(found.x) * [np.sign(found.x[0]), 1.0, 1.0]
