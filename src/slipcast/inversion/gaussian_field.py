r"""Gaussian fields as priors of sources, their posteriors and evidence in closed form.

Heights or slip :math:`x` on points are :math:`N(0, s^2 K)`; records are :math:`d = G x + e` with :math:`e \sim N(0,
R)`. For given hyperparameters (scale s, the correlation length and extent in K, the size of the error in R) posterior
and evidence are those of linear Gaussian models (Tarantola 2005, Inverse Problem Theory, chapter 3); over the
hyperparameters they are summed on a grid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import lapack, solve_triangular
from scipy.special import logsumexp

from slipcast.errors import InputError
from slipcast.geodesy import great_circle_distance

__all__ = [
    "FAULT_PRIOR",
    "SURFACE_PRIOR",
    "FieldPosterior",
    "FieldPrior",
    "GaugeSamples",
    "field_log_evidence",
    "field_posterior",
]

_LEAST_POWER = 1e-6  # of the largest variance: what a low rank leaves out at any point


@dataclass(frozen=True)
class FieldPrior:
    r"""Prior of a source as a Gaussian field around a place, zero in the mean.

    Attributes
    ----------
    scale_m : tuple of float
        Standard deviations at the place that are held possible, m.
    correlation_km : tuple of float
        Lengths over which the field is correlated, km.
    extent_km : tuple of float
        Distances from the place over which it decreases, km.

    Notes
    -----
    Covariance :math:`s^2 w(r) w(r') / (1 + |x - x'|^2 / \ell^2)` with :math:`w(r) = e^{-r^2 / 2 D^2}`, r the distance
    from the place. All combinations are as likely as one another beforehand. It is a mixture of squared exponentials of
    many lengths (rational quadratic; Rasmussen and Williams 2006, Gaussian Processes for Machine Learning, chapter 4):
    records of short waves alone would tell one length, and with it that there are no long ones.

    Raises
    ------
    InputError
        If a number is not positive, or there is none.
    """

    scale_m: tuple[float, ...]
    correlation_km: tuple[float, ...] = (20.0, 40.0, 80.0)
    extent_km: tuple[float, ...] = (40.0, 80.0, 160.0, 320.0)

    def __post_init__(self):
        for name in ("scale_m", "correlation_km", "extent_km"):
            values = getattr(self, name)
            if not values or not all(np.isfinite(value) and value > 0 for value in values):
                raise InputError(f"{name} must be numbers > 0, at least one, got {values}")

    @property
    def shapes(self) -> list[tuple[float, float]]:
        """Correlation length and extent of each candidate, km."""
        return list(product(self.correlation_km, self.extent_km))

    def factors(self, centre: tuple[float, float], lon_deg: np.ndarray, lat_deg: np.ndarray) -> Iterator[np.ndarray]:
        """Factor the covariance on points for a scale of 1 m.

        Parameters
        ----------
        centre : (float, float)
            The place, degrees.
        lon_deg, lat_deg : array, shape (n,)
            Points, degrees.

        Yields
        ------
        factor : array, shape (n, rank)
            For each of :attr:`shapes`; times its transpose it is the covariance, but for a millionth of the largest
            variance (pivoted Cholesky factors).
        """
        apart_km = great_circle_distance(lon_deg[:, np.newaxis], lat_deg[:, np.newaxis], lon_deg, lat_deg) / 1e3
        from_place_km = great_circle_distance(*centre, lon_deg, lat_deg) / 1e3
        for correlation_km, extent_km in self.shapes:
            window = np.exp(-0.5 * (from_place_km / extent_km) ** 2)
            yield _low_rank(np.outer(window, window) / (1 + (apart_km / correlation_km) ** 2))


SURFACE_PRIOR = FieldPrior(scale_m=tuple(0.03 * 10 ** (0.25 * step) for step in range(11)))
"""Of levels of the sea: standard deviations from 3 cm to 9.5 m."""

FAULT_PRIOR = FieldPrior(scale_m=tuple(0.09 * 10 ** (0.25 * step) for step in range(11)))
"""Of slip, which lifts the sea by about a third of it: from 9 cm to 28 m, otherwise as that of levels."""


class GaugeSamples(NamedTuple):
    """Samples of a gauge.

    Attributes
    ----------
    level_m : array, shape (n,)
        Record, m, finite.
    rows : array, shape (n, n_points)
        What the gauge senses per metre on each point.
    factors : list of array, shape (n, n)
        Lower Cholesky factors of the covariance of noise and errors, m, one for each candidate of its size.
    """

    level_m: np.ndarray
    rows: np.ndarray
    factors: Sequence[np.ndarray]


class _Part(NamedTuple):
    """Posteriors of a shape of the prior and a candidate of the errors, for all scales, in directions the data tell of.

    Along others the posterior is the prior.
    """

    factor: np.ndarray  # (n_points, rank): points from amplitudes, which are independent beforehand
    vectors: np.ndarray  # (rank, n): directions
    power: np.ndarray  # (n,), 1/m^2: what the data say along each
    pull: np.ndarray  # (n,), 1/m

    def along(self, scale_m: float) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation along the directions, for a scale."""
        variance = scale_m**2 / (1 + scale_m**2 * self.power)
        return variance * self.pull, np.sqrt(variance)

    def draws(self, scale_m: float, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw sources, shape (count, n_points)."""
        mean, sd = self.along(scale_m)
        normal = rng.standard_normal((count, self.factor.shape[1]))
        change = mean + (normal @ self.vectors) * (sd - scale_m)
        return (scale_m * normal + change @ self.vectors.T) @ self.factor.T


@dataclass(frozen=True)
class FieldPosterior:
    """Posterior of a source that is a Gaussian field beforehand.

    Attributes
    ----------
    prior : FieldPrior
        What was held possible.
    log_weights : array, shape (n_shapes, n_errors, n_scales)
        Logarithm of prior times evidence of each candidate.
    """

    prior: FieldPrior
    log_weights: np.ndarray
    _parts: list[list[_Part]] = field(repr=False)

    @property
    def log_evidence(self) -> float:
        """Natural logarithm of the evidence: the density of the records, m^-n, over all candidates."""
        return float(logsumexp(self.log_weights))

    @cached_property
    def weights(self) -> np.ndarray:
        """Probability of each candidate, shape (n_shapes, n_errors, n_scales)."""
        return np.exp(self.log_weights - self.log_evidence)

    @cached_property
    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation on each point, m, shape (n_points,) each."""
        first = np.zeros(len(self._parts[0][0].factor))
        second = np.zeros_like(first)
        for parts, of_shape in zip(self._parts, self.weights, strict=True):
            before = np.square(parts[0].factor).sum(axis=1)
            for part, of_error in zip(parts, of_shape, strict=True):
                directions = part.factor @ part.vectors
                for scale_m, weight in zip(self.prior.scale_m, of_error, strict=True):
                    mean, sd = part.along(scale_m)
                    here = directions @ mean
                    variance = scale_m**2 * before - np.square(directions) @ (scale_m**2 - sd**2)
                    first += weight * here
                    second += weight * (here**2 + variance)
        return first, np.sqrt(np.maximum(second - np.square(first), 0.0))

    def draws(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw sources.

        Parameters
        ----------
        count : int
            How many.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        source_m : array, shape (count, n_points)
            m, of either sign.
        error : array of int, shape (count,)
            The candidate of the errors that goes with each.
        """
        numbers = rng.multinomial(count, self.weights.ravel()).reshape(self.weights.shape)
        rows, errors = [], []
        for shape, error, scale in np.argwhere(numbers):
            many = int(numbers[shape, error, scale])
            rows.append(self._parts[shape][error].draws(self.prior.scale_m[scale], many, rng))
            errors.append(np.full(many, error))
        order = rng.permutation(count)
        return np.concatenate(rows)[order], np.concatenate(errors)[order]


def field_posterior(
    gauges: Sequence[GaugeSamples],
    prior: FieldPrior,
    log_prior_of_errors: np.ndarray,
    *,
    centre: tuple[float, float],
    lon_deg: np.ndarray,
    lat_deg: np.ndarray,
) -> FieldPosterior:
    r"""Weigh sources by records, in closed form for each candidate of the hyperparameters.

    Parameters
    ----------
    gauges : sequence of GaugeSamples
        Independent of one another but for the source; with none the posterior is the prior.
    prior : FieldPrior
        Of the source.
    log_prior_of_errors : array, shape (n_errors,)
        Logarithm of the probability of each candidate of the errors, which counts for all gauges.
    centre : (float, float)
        The place around which the source is, degrees.
    lon_deg, lat_deg : array, shape (n_points,)
        Points, degrees.

    Returns
    -------
    posterior : FieldPosterior

    Notes
    -----
    With :math:`R = L L^T`, :math:`K = F F^T`, :math:`A = L^{-1} G F = U \Lambda^{1/2} V^T`, :math:`y = L^{-1} d` and
    :math:`u = V^T A^T y`, the evidence is

    .. math:: -2 \ln p = y^T y - \sum_i \frac{s^2 u_i^2}{1 + s^2 \lambda_i} + \sum_i \ln(1 + s^2 \lambda_i)
              + 2 \ln |L| + n \ln 2\pi.
    """
    places: dict[str, Any] = {"centre": centre, "lon_deg": lon_deg, "lat_deg": lat_deg}
    parts: list[list[_Part]] = [[] for _ in prior.shapes]
    log_weights = np.empty((len(prior.shapes), len(log_prior_of_errors), len(prior.scale_m)))
    for shape, error, part, logs in _weighed(gauges, prior, log_prior_of_errors, **places):
        log_weights[shape, error] = logs
        parts[shape].append(part)
    return FieldPosterior(prior, log_weights, parts)


def field_log_evidence(
    gauges: Sequence[GaugeSamples],
    prior: FieldPrior,
    log_prior_of_errors: np.ndarray,
    *,
    centre: tuple[float, float],
    lon_deg: np.ndarray,
    lat_deg: np.ndarray,
) -> float:
    """Compute the evidence alone, with arguments as :func:`field_posterior` takes them.

    Returns
    -------
    log_evidence : float
        As :attr:`FieldPosterior.log_evidence`.
    """
    weighed = _weighed(gauges, prior, log_prior_of_errors, centre=centre, lon_deg=lon_deg, lat_deg=lat_deg)
    return float(logsumexp([logs for *_, logs in weighed]))


def _weighed(
    gauges: Sequence[GaugeSamples],
    prior: FieldPrior,
    log_prior_of_errors: np.ndarray,
    *,
    centre: tuple[float, float],
    lon_deg: np.ndarray,
    lat_deg: np.ndarray,
) -> Iterator[tuple[int, int, _Part, np.ndarray]]:
    """Weigh candidates: shape of the prior, number of the errors, what the data tell, logarithms by scale."""
    n_errors = len(log_prior_of_errors)
    scale2 = np.square(prior.scale_m)[:, np.newaxis]
    count = sum(len(one.level_m) for one in gauges)
    always = 0.5 * count * np.log(2 * np.pi) + np.log(len(prior.shapes) * len(prior.scale_m))
    records = [_whitened([one.level_m for one in gauges], gauges, error) for error in range(n_errors)]
    constants = [
        0.5 * record @ record + sum(np.log(np.diag(one.factors[error])).sum() for one in gauges)
        for error, record in enumerate(records)
    ]
    for shape, factor in enumerate(prior.factors(centre, lon_deg, lat_deg)):
        responses = [one.rows @ factor for one in gauges]
        for error, record in enumerate(records):
            made = _whitened(responses, gauges, error).reshape(-1, factor.shape[1])
            power, vectors = _directions(made)
            pull = vectors.T @ (made.T @ record)
            fitted = 0.5 * (scale2 * pull**2 / (1 + scale2 * power)).sum(axis=1)
            volume = 0.5 * np.log1p(scale2 * power).sum(axis=1)
            logs = fitted - volume - constants[error] + log_prior_of_errors[error] - always
            yield shape, error, _Part(factor, vectors, power, pull), logs


def _directions(made: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the squared singular values of a matrix that are not zero, and its right singular vectors."""
    if made.shape[0] >= made.shape[1]:
        power, vectors = np.linalg.eigh(made.T @ made)
        return np.maximum(power, 0.0), vectors
    power, left = np.linalg.eigh(made @ made.T)
    kept = power > np.finfo(float).eps * made.shape[0] * max(float(power.max(initial=0.0)), 0.0)
    return power[kept], made.T @ (left[:, kept] / np.sqrt(power[kept]))


def _whitened(values: Sequence[np.ndarray], gauges: Sequence[GaugeSamples], error: int) -> np.ndarray:
    """Divide what each gauge has by the factor of its noise, and join it."""
    rows = [solve_triangular(one.factors[error], value, lower=True) for one, value in zip(gauges, values, strict=True)]
    return np.concatenate(rows) if rows else np.zeros(0)


def _low_rank(covariance: np.ndarray) -> np.ndarray:
    """Factor a covariance to a millionth of its largest variance."""
    tolerance = _LEAST_POWER * float(covariance.diagonal().max())
    packed, pivots, rank, _ = lapack.dpstrf(covariance, tol=tolerance, lower=1)
    factor = np.empty((len(covariance), rank))
    factor[pivots - 1] = np.tril(packed)[:, :rank]
    return factor
