r"""Gaussian fields whose exponential is slip: lognormal, with a von Karman correlation, on a rectangle of cells.

After LeVeque et al. (2016): slip of coefficient of variation :math:`\alpha` and correlation :math:`C` is the
exponential of a Gaussian field of covariance :math:`\log(1 + \alpha^2 C)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit
from scipy.fft import dct, irfft, next_fast_len
from scipy.special import gamma, kv

__all__ = ["SlipField", "von_karman_correlation"]

_COEFFICIENT_OF_VARIATION = 0.9  # of lognormal slip; the value of FakeQuakes
# covariance is tabulated at even steps of the root of distance, in correlation lengths, up to where it is nothing
_FARTHEST, _STEPS = 64.0, 4096
_MAX_LONGER = 6


def von_karman_correlation(distance, hurst: float) -> np.ndarray:
    r"""Compute the von Karman correlation of slip.

    Parameters
    ----------
    distance : array
        Distance in units of the correlation length, :math:`r = \sqrt{(x/a_x)^2 + (y/a_y)^2}`; >= 0.
    hurst : float
        Hurst exponent, in (0, 1].

    Returns
    -------
    correlation : array
        1 at zero distance.

    Notes
    -----
    :math:`C(r) = G_H(r)/G_H(0)` with :math:`G_H(r) = r^H K_H(r)`. Mai and Beroza (2002).

    Examples
    --------
    A Hurst exponent of one half is the exponential:

    >>> print(von_karman_correlation(np.array([0.0, 1.0]), 0.5).round(4))
    [1.     0.3679]
    """
    distance = np.asarray(distance, dtype=float)
    safe = np.where(distance > 1e-8, distance, 1.0)
    value = safe**hurst * kv(hurst, safe) / (2 ** (hurst - 1) * gamma(hurst))
    return np.where(distance > 1e-8, value, 1.0)


@dataclass(frozen=True)
class SlipField:
    r"""The logarithm of slip on a rectangle, as a Gaussian field of mean zero.

    Attributes
    ----------
    n_along, n_down : int
        Cells along strike and down dip.
    period : int
        Cells along strike after which the field, continued, repeats itself; even.
    factor : array, shape (n_down (n_down + 1) / 2, period / 2 + 1)
        Rows of lower triangular matrices, one a wave number along strike.

    Notes
    -----
    The covariance depends on distances along strike and down dip alone. Continued along strike to an even periodic
    function, it is a sum over wave numbers, between which the field is independent; for each of them the covariance of
    the rows is a small matrix, whose Cholesky factor colours white noise (circulant embedding, Dietrich and Newsam
    1997, in one direction; the other is dense). On the rectangle the covariance is exact where the period is long
    enough for all matrices to be positive definite, so the period grows until they are. A covariance that is not
    positive definite at any length loses what is negative.
    """

    n_along: int
    n_down: int
    period: int
    factor: np.ndarray

    @classmethod
    def of_size(
        cls, n_along: int, n_down: int, cell_km: tuple[float, float], correlation_km: tuple[float, float], hurst: float
    ) -> SlipField:
        """Prepare the field on a rectangle.

        Parameters
        ----------
        n_along, n_down : int
            Cells along strike and down dip, >= 1.
        cell_km, correlation_km : (float, float)
            Size of a cell and correlation lengths of slip along strike and down dip, km.
        hurst : float
            Hurst exponent, in (0, 1].

        Returns
        -------
        field : SlipField
        """
        steps = cell_km[0] / correlation_km[0], cell_km[1] / correlation_km[1]
        table = _covariance_table(hurst)
        # smooth fields need to be longer; the wave numbers say whether they are long enough
        length = max(float(n_along), (2 + 7 * hurst) / steps[0])
        for _ in range(_MAX_LONGER):
            half = next_fast_len(int(np.ceil(length)), real=True)
            spectrum = dct(_covariance_by_lag(table, *steps, n_down, half + 1), type=1, axis=1)
            factor, positive = _cholesky(spectrum)
            if positive:
                return cls(n_along, n_down, 2 * half, factor)
            length *= 1.5
        return cls(n_along, n_down, 2 * half, _factor_of_positive_part(spectrum))

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """Draw a field, shape (n_down, n_along)."""
        waves = _colour(self.factor, rng.standard_normal((2, self.n_down, self.factor.shape[1])))
        return np.ascontiguousarray(irfft(waves, n=self.period, axis=1, overwrite_x=True)[:, : self.n_along])


@lru_cache(maxsize=32)
def _covariance_table(hurst: float) -> np.ndarray:
    """Tabulate the covariance of the logarithm of slip at even steps of the root of distance."""
    distance = np.linspace(0.0, np.sqrt(_FARTHEST), _STEPS + 1) ** 2
    return np.log1p(_COEFFICIENT_OF_VARIATION**2 * von_karman_correlation(distance, hurst))


@njit(cache=True, nogil=True)
def _covariance_by_lag(table: np.ndarray, step_along: float, step_down: float, n_down: int, n_along: int):
    """Look the covariance up (cubic interpolation), shape (n_down, n_along), by lags in correlation lengths."""
    covariance = np.zeros((n_down, n_along))
    for j in range(n_down):
        for i in range(n_along):
            at = np.sqrt(np.sqrt((i * step_along) ** 2 + (j * step_down) ** 2) / _FARTHEST) * _STEPS
            if at > _STEPS:
                continue
            first = min(max(int(at) - 1, 0), _STEPS - 3)
            x = at - first
            covariance[j, i] = (
                (x - 2) * (x - 3) * (x * table[first + 1] / 2 - (x - 1) * table[first] / 6)
                + x * (x - 1) * ((x - 2) * table[first + 3] / 6 - (x - 3) * table[first + 2] / 2)
            )  # fmt: skip
    return covariance


@njit(cache=True, nogil=True, fastmath={"contract"})
def _cholesky(spectrum: np.ndarray):
    """Factor the covariance between rows, which depends on their distance, for all wave numbers at once.

    Returns the factors and whether all matrices are positive definite.
    """
    n_down, n_waves = spectrum.shape
    factor = np.zeros((n_down * (n_down + 1) // 2, n_waves))
    inverse = np.empty((n_down, n_waves))
    left = np.empty(n_waves)
    for i in range(n_down):
        of_i = i * (i + 1) // 2
        for k in range(i + 1):
            of_k = k * (k + 1) // 2
            for wave in range(n_waves):
                left[wave] = spectrum[i - k, wave]
            for p in range(k):
                first, second = factor[of_i + p], factor[of_k + p]
                for wave in range(n_waves):
                    left[wave] -= first[wave] * second[wave]
            for wave in range(n_waves):
                if k < i:
                    left[wave] *= inverse[k, wave]
                elif left[wave] > 0.0:
                    left[wave] = np.sqrt(left[wave])
                    inverse[i, wave] = 1.0 / left[wave]
                else:
                    return factor, False
                factor[of_i + k, wave] = left[wave]
    return factor, True


def _factor_of_positive_part(spectrum: np.ndarray) -> np.ndarray:
    """Factor the covariance between rows without its negative eigenvalues, as :func:`_cholesky` does."""
    rows = np.arange(len(spectrum))
    between = spectrum[np.abs(np.subtract.outer(rows, rows))]
    values, vectors = np.linalg.eigh(np.moveaxis(between, -1, 0))
    root = vectors * np.sqrt(np.clip(values, 0, None))[:, np.newaxis]
    triangular = np.asarray(np.linalg.qr(np.swapaxes(root, 1, 2), mode="r"))
    upper, left = np.triu_indices(len(rows))
    order = np.lexsort((upper, left))
    return np.ascontiguousarray(triangular[:, upper[order], left[order]].T)


@njit(cache=True, nogil=True, fastmath={"contract"})
def _colour(factor: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Turn white noise into the amplitudes of all wave numbers, shape (n_down, n_waves), complex."""
    n_down, n_waves = noise.shape[1:]
    waves = np.empty((n_down, n_waves), np.complex128)
    real, imaginary = np.empty(n_waves), np.empty(n_waves)
    # an inverse transform divides by the period; a wave number between the ends stands for two
    scale = np.sqrt(n_waves - 1.0)
    for i in range(n_down):
        for wave in range(n_waves):
            real[wave] = imaginary[wave] = 0.0
        for k in range(i + 1):
            row, cosine, sine = factor[i * (i + 1) // 2 + k], noise[0, k], noise[1, k]
            for wave in range(n_waves):
                real[wave] += row[wave] * cosine[wave]
                imaginary[wave] += row[wave] * sine[wave]
        for wave in range(n_waves):
            waves[i, wave] = complex(scale * real[wave], scale * imaginary[wave])
        for wave in (0, n_waves - 1):
            waves[i, wave] = complex(np.sqrt(2.0) * scale * real[wave], 0.0)
    return waves
