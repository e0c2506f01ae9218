"""Samples of a multivariate normal distribution truncated at zero."""

from __future__ import annotations

import numpy as np
from numba import njit

from slipcast.errors import InputError

__all__ = ["sample_nonnegative_normal"]

_BURN_IN = 30
_MOST_BOUNCES = 10_000


def sample_nonnegative_normal(mean, covariance, count: int, rng: np.random.Generator) -> np.ndarray:
    r"""Draw from a multivariate normal distribution on the condition that nothing is negative.

    Parameters
    ----------
    mean : array, shape (..., n)
        Of the distribution before it is cut; any sign.
    covariance : array, shape (n, n)
        Likewise; positive definite.
    count : int
        Draws for each mean, >= 1.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    draws : array, shape (..., count, n)
        >= 0. Draws of one mean form a chain; neighbours are correlated where much of the mean lies deep below zero.

    Raises
    ------
    InputError
        If the covariance is not positive definite or a size does not fit.

    Notes
    -----
    Exact Hamiltonian Monte Carlo (Pakman and Paninski 2014, J. Comput. Graph. Stat. 23, 518). With the covariance as
    inverse mass a particle moves as :math:`y(t) = v\sin t + y\cos t` around the mean; where a coordinate reaches zero
    it is reflected, :math:`v \leftarrow v - 2 (v_j/\Sigma_{jj}) \Sigma_{\cdot j}`. Nothing is rejected.

    Examples
    --------
    The half-normal distribution has mean :math:`\sqrt{2/\pi}` = 0.798:

    >>> draws = sample_nonnegative_normal([0.0], [[1.0]], 20_000, np.random.default_rng(1))
    >>> print(f"{draws.mean():.1f}")
    0.8
    """
    mean, covariance = np.asarray(mean, dtype=float), np.asarray(covariance, dtype=float)
    n = mean.shape[-1]
    if covariance.shape != (n, n):
        raise InputError(f"covariance must have shape ({n}, {n}), got {covariance.shape}")
    if count < 1:
        raise InputError(f"count must be >= 1, got {count}")
    try:
        factor = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError as error:
        raise InputError("covariance must be positive definite") from error
    rows = mean.reshape(-1, n)
    draws = np.empty((len(rows), count, n))
    for row, draw in zip(rows, draws, strict=True):
        velocities = rng.standard_normal((_BURN_IN + count, n)) @ factor.T
        draw[:] = _chain(row, covariance, velocities)[_BURN_IN:]
    return draws.reshape(*mean.shape[:-1], count, n)


@njit(cache=True)
def _chain(mean, covariance, velocities):
    """Follow the particle for a quarter of a period from each velocity; return where it ends each time."""
    steps, n = velocities.shape
    ends = np.empty((steps, n))
    y = np.empty(n)
    for j in range(n):  # begin inside: at the mean, or a little above zero
        y[j] = max(mean[j], 1e-3 * np.sqrt(covariance[j, j])) - mean[j]
    for step in range(steps):
        v = velocities[step].copy()
        left = 0.5 * np.pi
        for _ in range(_MOST_BOUNCES):
            first, wall = left, -1
            for j in range(n):
                reach = np.hypot(v[j], y[j])
                if reach > abs(mean[j]):
                    # the coordinate is reach cos(t - phase) above its mean; it meets zero on its way down
                    time = np.arctan2(v[j], y[j]) + np.arccos(-mean[j] / reach)
                    if time < 0.0:
                        time += 2.0 * np.pi
                    if time < first:
                        first, wall = time, j
            sine, cosine = np.sin(first), np.cos(first)
            for j in range(n):
                y[j], v[j] = v[j] * sine + y[j] * cosine, v[j] * cosine - y[j] * sine
            if wall < 0:
                break
            left -= first
            push = -2.0 * v[wall] / covariance[wall, wall]
            for j in range(n):
                v[j] += push * covariance[j, wall]
            y[wall] = -mean[wall]
            if v[wall] < 1e-12:  # touched, not crossed: leave the wall
                v[wall] = 1e-12
        for j in range(n):
            ends[step, j] = max(mean[j] + y[j], 0.0)
    return ends
