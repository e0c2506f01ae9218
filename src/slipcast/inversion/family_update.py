"""Update of a family of ruptures by records: evidence, sizes of errors, and draws, in the space of its modes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, solve_triangular

from slipcast.inversion.wave_error import PATH_ERROR, WAVE_ERRORS
from slipcast.physics.slip_families import SlipFamily

__all__ = ["FamilyPosterior", "Part", "evidence", "family_posterior"]

_SWEEPS = 3
_STEPS, _SIZES_AT = 10, (3,)
_LARGEST_STEP, _SMALL_STEP, _LEAST_FACTOR = 1.5, 0.05, 0.1  # of the logarithm of slip; of an amplitude
_FACTOR_SD, _FACTORS = 0.2, (0.3, 2.0)


@dataclass(frozen=True, eq=False)
class Part:
    """The record of a gauge, and what it says of the slip of a family.

    Attributes
    ----------
    rows : array, shape (n_samples, n_subfaults)
        What the gauge senses of slip on each subfault of the family, m per m.
    level_m : array, shape (n_samples,)
        The record, m.
    factors : list of array, shape (n_samples, n_samples)
        Cholesky factors of the covariance of noise and error, m, for each size of the error
        (:data:`~slipcast.inversion.wave_error.WAVE_ERRORS`).
    """

    rows: np.ndarray
    level_m: np.ndarray
    factors: list[np.ndarray]

    def whitened(self, values: np.ndarray, size: int) -> np.ndarray:
        """Turn samples, shape (n_samples, ...), into units of noise and error."""
        return solve_triangular(self.factors[size], values, lower=True, check_finite=False)


@dataclass(frozen=True)
class _Products:
    """Products of the waves of modes, and of these and what a record is off their mean, in units of the error.

    Attributes
    ----------
    gram : array, shape (n_modes, n_modes)
    against : array, shape (n_modes,)
    log : float
        Logarithm of the density of the record about the mean, but for constants.
    """

    gram: np.ndarray
    against: np.ndarray
    log: float


@dataclass(frozen=True, eq=False)
class FamilyPosterior:
    """What records say of a family.

    Attributes
    ----------
    family : SlipFamily
    parts : sequence of Part
        By gauge.
    log_evidence : float
        Logarithm of the density of the records, errors of all sizes considered, but for a constant.
    products : list of list of _Products
        By gauge and size of error, about the most likely slip.
    probability : list of array
        By gauge: how likely each size of error is.
    amplitudes : array, shape (n_modes + n_gauges,)
        Of the most likely slip, and of the factors by which waves are too high or low on the way to each gauge.
    """

    family: SlipFamily
    parts: Sequence[Part]
    log_evidence: float
    products: list[list[_Products]]
    probability: list[np.ndarray]
    amplitudes: np.ndarray

    def draws(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw slip.

        Parameters
        ----------
        count : int
            How many.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        slip_m : array, shape (count, n_subfaults)
            On the subfaults of the family, m, >= 0.
        share : array, shape (count,)
            Size of the error at a gauge like those of the records, as a share of the wave.

        Notes
        -----
        Amplitudes are Gaussian about the most likely ones, as if waves changed with them in proportion. Slip, which
        changes more, gets a factor by which its waves come closest to those; it is held near one with a standard
        deviation of 0.2.
        """
        amplitudes = rng.standard_normal((count, len(self.amplitudes)))
        if not self.products:
            shares = rng.choice(WAVE_ERRORS.shares, size=count, p=np.exp(WAVE_ERRORS.log_prior))
            return self.family.slip(amplitudes), shares
        sizes = np.stack([rng.choice(len(p), size=count, p=p) for p in self.probability], axis=1)
        slip = np.empty((count, len(self.family.subfaults)))
        for of_draws in np.unique(sizes, axis=0):
            here = np.flatnonzero((sizes == of_draws).all(axis=1))
            mean, factor = _update([of[size] for of, size in zip(self.products, of_draws, strict=True)])
            moved = mean + solve_triangular(factor, amplitudes[here].T, lower=True, trans="T").T
            slip[here] = self._fitted(moved, of_draws.tolist())
        at_gauge = rng.integers(sizes.shape[1], size=count)
        return slip, WAVE_ERRORS.shares[sizes[np.arange(count), at_gauge]]

    def _fitted(self, amplitudes: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
        """Return slip of amplitudes, times factors with which its waves are nearest to those in proportion."""
        n_modes = self.family.modes.shape[1]
        slip, factors = self.family.slip(amplitudes[:, :n_modes]), np.exp(PATH_ERROR * amplitudes[:, n_modes:])
        power = along = np.full(len(slip), 1.0 / _FACTOR_SD**2)
        modes, off = _linear(self.family, self.parts, self.amplitudes)
        for part, of_modes, of_off, size, factor in zip(self.parts, modes, off, sizes, factors.T, strict=True):
            waves = part.whitened((part.rows @ slip.T) * factor, size)
            linear = (part.level_m - of_off)[:, np.newaxis] + of_modes @ amplitudes.T
            power = power + np.square(waves).sum(axis=0)
            along = along + (part.whitened(linear, size) * waves).sum(axis=0)
        return slip * np.clip(along / power, *_FACTORS)[:, np.newaxis]


def evidence(family: SlipFamily, parts: Sequence[Part]) -> float:
    """Return the logarithm of the density of records under a family at first sight.

    Parameters
    ----------
    family : SlipFamily
        Its slip is taken for Gaussian about its median.
    parts : sequence of Part
        By gauge; the error has the first size that :data:`WAVE_ERRORS` names.

    Returns
    -------
    log_density : float
        But for a constant that is the same for all families.
    """
    waves, level = _linear(family, parts, np.zeros(family.modes.shape[1] + len(parts)))
    return _log_evidence([_products(part, *of, WAVE_ERRORS.first) for part, of in zip(parts, zip(waves, level))])


def family_posterior(family: SlipFamily, parts: Sequence[Part]) -> FamilyPosterior:
    """Find the most likely slip of a family, how likely the family is, and each size of error at each gauge.

    Parameters
    ----------
    family : SlipFamily
    parts : sequence of Part
        By gauge; none: the family as it is without records.

    Returns
    -------
    posterior : FamilyPosterior

    Notes
    -----
    Gauss and Newton's steps for the amplitudes, with the most likely size of error at each gauge; then Laplace's
    approximation. The sizes at different gauges are taken for independent given the records (a mean field).
    """
    if not parts:
        return FamilyPosterior(family, (), 0.0, [], [], np.zeros(family.modes.shape[1]))
    n_modes, sizes = family.modes.shape[1], [WAVE_ERRORS.first] * len(parts)
    amplitudes = np.zeros(n_modes + len(parts))
    for step in range(_STEPS):
        modes, off = _linear(family, parts, amplitudes)
        if step in _SIZES_AT:
            sizes, _ = _weigh_sizes(_all_products(parts, modes, off), sizes)
        known = [_products(part, *of, size) for part, of, size in zip(parts, zip(modes, off), sizes, strict=True)]
        change = _update(known)[0] - amplitudes
        change *= min(1.0, _LARGEST_STEP / max(float(np.abs(family.modes @ change[:n_modes]).max()), 1e-12))
        now, factor = _misfit(family, parts, sizes, amplitudes), 1.0
        while factor > _LEAST_FACTOR and _misfit(family, parts, sizes, amplitudes + factor * change) > now:
            factor /= 2
        amplitudes = amplitudes + factor * change
        if step > max(_SIZES_AT) and factor * float(np.abs(change).max()) < _SMALL_STEP:
            break
    products = _all_products(parts, *_linear(family, parts, amplitudes))
    sizes, logs = _weigh_sizes(products, sizes)
    at_best = _log_evidence([of[size] for of, size in zip(products, sizes, strict=True)])
    at_best += sum(float(WAVE_ERRORS.log_prior[size]) for size in sizes)
    spread = sum(float(np.log(np.exp(log - log.max()).sum())) for log in logs)
    probability = [np.exp(log - log.max()) / np.exp(log - log.max()).sum() for log in logs]
    return FamilyPosterior(family, parts, at_best + spread, products, probability, amplitudes)


def _waves(family: SlipFamily, parts: Sequence[Part], amplitudes: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return slip, and the waves by gauge, each as much too high or low as the last amplitudes say."""
    n_modes = family.modes.shape[1]
    slip = family.slip(amplitudes[:n_modes])
    factors = np.exp(PATH_ERROR * amplitudes[n_modes:])
    return slip, [factor * (part.rows @ slip) for part, factor in zip(parts, factors, strict=True)]


def _linear(
    family: SlipFamily, parts: Sequence[Part], amplitudes: np.ndarray
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return by gauge the waves of small changes of the amplitudes, and what the record is off without any of them."""
    n_modes = family.modes.shape[1]
    slip, waves = _waves(family, parts, amplitudes)
    factors = np.exp(PATH_ERROR * amplitudes[n_modes:])
    by_amplitude = slip[:, np.newaxis] * family.modes
    changes, off = [], []
    for gauge, (part, wave) in enumerate(zip(parts, waves, strict=True)):
        change = np.zeros((len(wave), len(amplitudes)))
        change[:, :n_modes] = factors[gauge] * (part.rows @ by_amplitude)
        change[:, n_modes + gauge] = PATH_ERROR * wave
        changes.append(change)
        off.append(part.level_m - wave + change @ amplitudes)
    return changes, off


def _misfit(family: SlipFamily, parts: Sequence[Part], sizes: list[int], amplitudes: np.ndarray) -> float:
    """Return half the sum of squares of what is left of the records, in units of the error, and of the amplitudes."""
    _, waves = _waves(family, parts, amplitudes)
    left = [part.whitened(part.level_m - wave, size) for part, wave, size in zip(parts, waves, sizes, strict=True)]
    return 0.5 * float(amplitudes @ amplitudes) + 0.5 * sum(float(of @ of) for of in left)


def _weigh_sizes(products: list[list[_Products]], sizes: list[int]) -> tuple[list[int], list[np.ndarray]]:
    """Find the most likely sizes of error, and the logarithm of how likely each is, the others at their best."""
    best, logs = list(sizes), [np.zeros(0)] * len(products)
    for _ in range(_SWEEPS):
        before = list(best)
        for gauge, candidates in enumerate(products):
            others = [products[other][best[other]] for other in range(len(products)) if other != gauge]
            log = np.array([_log_evidence([*others, candidate]) for candidate in candidates])
            logs[gauge] = log + WAVE_ERRORS.log_prior
            best[gauge] = int(np.argmax(logs[gauge]))
        if best == before:
            break
    return best, logs


def _all_products(parts: Sequence[Part], modes: list[np.ndarray], off: list[np.ndarray]) -> list[list[_Products]]:
    """Return the products by gauge and size of error."""
    return [
        [_products(part, of_modes, of_off, size) for size in range(len(part.factors))]
        for part, of_modes, of_off in zip(parts, modes, off, strict=True)
    ]


def _products(part: Part, modes: np.ndarray, off: np.ndarray, size: int) -> _Products:
    """Turn the waves of modes and what a record is off their mean into products, in units of noise and error."""
    rows = part.whitened(np.column_stack([off, modes]), size)
    log = -0.5 * float(rows[:, 0] @ rows[:, 0]) - float(np.log(np.diag(part.factors[size])).sum())
    return _Products(rows[:, 1:].T @ rows[:, 1:], rows[:, 1:].T @ rows[:, 0], log)


def _update(known: list[_Products]) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of the amplitudes given records, and the Cholesky factor of the inverse of their covariance."""
    factor = np.linalg.cholesky(np.eye(len(known[0].against)) + sum(of.gram for of in known))
    return cho_solve((factor, True), sum(of.against for of in known), check_finite=False), factor


def _log_evidence(known: list[_Products]) -> float:
    """Return the logarithm of the density of the records of some gauges, the amplitudes integrated out."""
    mean, factor = _update(known)
    log = sum(of.log for of in known)
    return float(log + 0.5 * mean @ sum(of.against for of in known) - np.log(np.diag(factor)).sum())
