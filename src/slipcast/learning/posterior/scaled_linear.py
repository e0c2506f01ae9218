"""Linear estimates from whatever samples there are, with the size of the event found from the same samples."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from cachetools import LRUCache

from slipcast.errors import InputError
from slipcast.parallel.threads import single_threaded

__all__ = ["ScaledEstimate", "ScaledLinear", "ScaledMoments"]

_KEPT_BYTES = 8e6
_KEEPING = threading.Lock()  # one for all, since objects with a lock cannot be copied or sent
_LEAST_VARIANCE = 1e-5
# sizes tried, in noise standard deviations per metre: from an event that no record shows to one of 100 m
_SIZES_IN_NOISE = np.geomspace(1.0, 2e4, 48)
# how many times the noise the misfit may be: errors of the model, other noise; and its prior
_EXCESS = np.geomspace(1.0, 32.0, 6)
_EXCESS_PRIOR = np.array([0.5, 0.1, 0.1, 0.1, 0.1, 0.1])
_GRID_SIZE, _GRID_EXCESS = (part.ravel() for part in np.meshgrid(_SIZES_IN_NOISE, _EXCESS, indexing="ij"))


@dataclass(frozen=True)
class ScaledEstimate:
    """Scaled linear estimate from records.

    Attributes
    ----------
    size_m : array, shape (n,)
        Root mean square slip on unit sources, m: mean of its logarithm given the samples.
    log_size_sd : array, shape (n,)
        Standard deviation of that logarithm.
    noise_m : array, shape (n,)
        Standard deviation of what is no wave of the model, m, not less than the noise: mean of its logarithm.
    latent : array, shape (n, n_latent)
        Expected latent quantities of an event of size 1 m.
    latent_sd : array, shape (n, n_latent)
        Standard deviation of their errors given samples and size.
    """

    size_m: np.ndarray
    log_size_sd: np.ndarray
    noise_m: np.ndarray
    latent: np.ndarray
    latent_sd: np.ndarray


@dataclass(frozen=True)
class ScaledMoments:
    """Second moments of ruptures that were scaled to a root mean square slip on unit sources of 1 m.

    Attributes
    ----------
    records : array, shape (n_samples, n_samples)
        Of records without noise, m^2.
    latent : array, shape (n_latent, n_samples)
        Of latent quantities with records.
    latent_power : array, shape (n_latent,)
        Mean squares of the latent quantities.
    """

    records: np.ndarray
    latent: np.ndarray
    latent_power: np.ndarray

    def __post_init__(self):
        n_samples, n_latent = len(self.records), len(self.latent_power)
        if self.records.shape != (n_samples, n_samples) or self.latent.shape != (n_latent, n_samples):
            raise InputError(
                f"moments must have shapes (n, n), (k, n) and (k,), got {self.records.shape}, {self.latent.shape} and "
                f"{self.latent_power.shape}"
            )

    @classmethod
    def from_scenarios(cls, records, latent, weights) -> ScaledMoments:
        """Estimate the moments.

        Parameters
        ----------
        records : array, shape (n, n_samples)
            m, without noise.
        latent : array, shape (n, n_latent)
            Linear in slip, as records are.
        weights : array, shape (n, n_sources)
            Slip on unit sources, m.

        Returns
        -------
        moments : ScaledMoments
        """
        records, latent, weights = (np.asarray(part, dtype=float) for part in (records, latent, weights))
        size = np.sqrt(np.square(weights).mean(axis=1, keepdims=True))
        if not (size > 0).all():
            raise InputError(f"weights must not be zero throughout, got scenario {int(np.argmin(size))} without slip")
        records, latent = records / size, latent / size
        count = len(records)
        return cls(
            records.T @ records / count,
            latent.T @ records / count,
            np.square(latent).mean(axis=0),
        )


@dataclass(frozen=True)
class ScaledLinear:
    r"""Estimate linear quantities of an event from the samples that there are.

    Attributes
    ----------
    moments : ScaledMoments
        Of events of size 1 m.
    columns : array, shape (n_columns, n_samples), optional
        Correlated noise beside the white one, in standard deviations of that: the noise has the covariance
        :math:`\sigma^2 (I + C^T C)`.
    kept_bytes : float
        How much is kept of what was worked out for the samples that there are, for records with the same.

    Notes
    -----
    An event of size s has records :math:`d = s\,d_1 + \epsilon`. With :math:`M` the second moment of :math:`d_1` at the
    samples that are there, :math:`M = V D V^T`, and :math:`c = V^T d`, size and noise have the likelihood of
    :math:`c_j \sim N(0, s^2 D_j + \sigma^2)`, taken on a grid of :math:`\log s` and of :math:`\log \sigma` from the
    noise of the instrument up, so that records that the model cannot make are not fitted to the last millimetre; the
    estimate is :math:`M_{yd} V (D + \sigma^2/s^2)^{-1} c / s`, the linear one of least mean squared error for that size
    and noise. Records and noise that are twice as large give a size that is twice as large, and all else the same. A
    sample that is missing plays no part. Records and moments are whitened first where the noise is correlated.
    """

    moments: ScaledMoments
    columns: np.ndarray | None = None
    kept_bytes: float = field(default=_KEPT_BYTES, repr=False, compare=False)
    _operators: LRUCache[bytes, _Operator] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        n_samples = len(self.moments.records)
        if self.columns is not None and self.columns.shape[1:] != (n_samples,):
            raise InputError(f"columns must have shape (n, {n_samples}), got {self.columns.shape}")
        size = partial(_kept_size, most=self.kept_bytes)
        object.__setattr__(self, "_operators", LRUCache(self.kept_bytes, getsizeof=size))

    def estimate(self, records, known, noise_sd_m: float) -> ScaledEstimate:
        """Estimate from records that have the same samples.

        Parameters
        ----------
        records : array, shape (n, n_samples)
            m; what is not known may be anything.
        known : array of bool, shape (n_samples,)
            Which samples are there, at least one.
        noise_sd_m : float
            Standard deviation of a sample, m, > 0.

        Returns
        -------
        estimate : ScaledEstimate
            float32.

        Raises
        ------
        InputError
            If no sample is known.
        """
        known = np.asarray(known, dtype=bool)
        if not known.any():
            raise InputError("known must hold at least one sample, got none")
        operator = self._operator(known)
        turned = np.asarray(records)[:, known].astype(np.float32) @ operator.turn
        return operator.estimate(turned, noise_sd_m, self.moments.latent_power)

    def _operator(self, known: np.ndarray) -> _Operator:
        """Return the operator for some samples, kept for the next time."""
        key = np.packbits(known).tobytes()
        with _KEEPING:
            operator = self._operators.get(key)
        if operator is None:
            columns = None if self.columns is None else self.columns[:, known]
            operator = _Operator.of(self.moments, columns, known)
            with _KEEPING:
                self._operators[key] = operator
        return operator


@dataclass(frozen=True)
class _Operator:
    """What turns the samples of one pattern of gaps into an estimate."""

    power: np.ndarray
    turn: np.ndarray
    latent: np.ndarray
    latent_squared: np.ndarray
    precision: np.ndarray
    log_chance: np.ndarray

    @classmethod
    def of(cls, moments: ScaledMoments, columns: np.ndarray | None, known: np.ndarray) -> _Operator:
        """Diagonalise the moments of the samples, whitened by the noise in them."""
        # threads that wait for each other over small matrices are many times slower on a busy machine
        with single_threaded(blas_alone=True):
            power = moments.records[np.ix_(known, known)].astype(float)
            whiten = None if columns is None else _whitening(columns.astype(float))
            power, turn = np.linalg.eigh(power if whiten is None else whiten @ power @ whiten)
            turn = turn if whiten is None else whiten @ turn
        power = np.maximum(power, 1e-12)
        latent = (moments.latent[:, known] @ turn).astype(np.float32)
        variance = np.outer(power, _GRID_SIZE**2) + _GRID_EXCESS**2
        prior = np.broadcast_to(np.log(_EXCESS_PRIOR), (len(_SIZES_IN_NOISE), len(_EXCESS))).ravel()
        return cls(
            power,
            turn.astype(np.float32),
            latent.T.copy(),
            np.square(latent).T.copy(),
            1.0 / variance,
            prior - 0.5 * np.log(variance).sum(axis=0),
        )

    @property
    def nbytes(self) -> int:
        """Memory, bytes."""
        return sum(part.nbytes for part in vars(self).values())

    def estimate(self, turned: np.ndarray, noise_sd_m: float, latent_power: np.ndarray) -> ScaledEstimate:
        """Estimate from turned samples, shape (n, n_known)."""
        energy = np.square(turned.astype(float) / noise_sd_m)
        log_likelihood = self.log_chance - 0.5 * energy @ self.precision
        chance = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
        chance /= chance.sum(axis=1, keepdims=True)
        log_sizes = np.log(_GRID_SIZE)
        log_size = chance @ log_sizes
        spread = np.sqrt(np.maximum(chance @ np.square(log_sizes) - log_size**2, 0.0))
        size = (np.exp(log_size) * noise_sd_m).astype(np.float32)
        noise = (np.exp(chance @ np.log(_GRID_EXCESS)) * noise_sd_m).astype(np.float32)
        share = 1.0 / (self.power.astype(np.float32) + np.square(noise / size)[:, np.newaxis])
        latent = (turned / size[:, np.newaxis] * share) @ self.latent
        power = latent_power.astype(np.float32)
        left = np.sqrt(np.maximum(power - share @ self.latent_squared, _LEAST_VARIANCE * power))
        return ScaledEstimate(size, spread.astype(np.float32), noise, latent, left)


def _whitening(columns: np.ndarray) -> np.ndarray:
    """Return the symmetric inverse root of I + C^T C, shape (n_samples, n_samples)."""
    _, singular, directions = np.linalg.svd(columns, full_matrices=False)
    return np.eye(columns.shape[1]) - (directions.T * (1 - 1 / np.sqrt(1 + singular**2))) @ directions


def _kept_size(operator: _Operator, *, most: float) -> float:
    """Return the memory of an operator, bytes, for a cache of so many; one that is larger is kept alone."""
    return min(operator.nbytes, most)
