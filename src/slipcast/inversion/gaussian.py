"""Slip as a Gaussian posterior in closed form: the linear minimum-mean-square estimate with its covariance."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import xarray as xr
from scipy.linalg import cho_factor, cho_solve

from slipcast.errors import InputError
from slipcast.inversion.moments import JointMoments
from slipcast.inversion.truncated_normal import sample_nonnegative_normal
from slipcast.io.labels import positions_of
from slipcast.records.correlated_noise import CorrelatedNoise

__all__ = ["GaussianPosterior"]

_MEAN_DRAWS = 400


@dataclass(frozen=True)
class GaussianPosterior:
    r"""Slip given records, for slip and records that are jointly Gaussian.

    Attributes
    ----------
    moments : JointMoments
        Means and covariances of slip and records without noise.
    noise_sd_m : float
        Standard deviation of white noise, m, > 0.
    nonnegative : bool
        Whether the posterior is cut at zero slip, on every unit source; then it has no closed form and is sampled.
    method : str
        Its name.
    correlated : CorrelatedNoise, optional
        Noise beside the white one.

    Notes
    -----
    With :math:`S = C_{dd} + \sigma^2 I`: mean :math:`\mu_w + C_{wd} S^{-1} (d - \mu_d)`, covariance :math:`C_{ww} -
    C_{wd} S^{-1} C_{dw}` (Tarantola 2005, Inverse Problem Theory, chapter 3). With moments of scenarios as they are,
    the mean is the linear estimate of least mean squared error (LMMSE); with :meth:`JointMoments.through` it is the
    posterior of slip on unit sources under the physics of uniform slip.

    Slip is not Gaussian: it cannot be negative, and large and small earthquakes do not scatter alike. The width of
    this posterior does not depend on the records, so it is too wide for small events and too narrow for large ones.
    """

    moments: JointMoments
    noise_sd_m: float = 0.005
    nonnegative: bool = False
    method: str = "gaussian"
    correlated: CorrelatedNoise | None = None

    def __post_init__(self):
        if not (np.isfinite(self.noise_sd_m) and self.noise_sd_m > 0):
            raise InputError(f"noise_sd_m must be > 0 m, got {self.noise_sd_m}")

    @property
    def gauges(self) -> list[str]:
        """Names of the gauges, in order."""
        return self.moments.gauges

    @property
    def sources(self) -> list[str]:
        """Names of the unit sources, in order."""
        return self.moments.sources

    @property
    def times_s(self) -> np.ndarray:
        """Times of the samples, s since the origin."""
        return self.moments.times_s

    @property
    def gaps(self) -> Literal["whole gauges"]:
        """Any sample may be missing, if one is there."""
        return "whole gauges"

    def posterior(self, records) -> tuple[np.ndarray, np.ndarray]:
        """Compute mean and covariance of slip, not cut at zero.

        Parameters
        ----------
        records : array, shape (..., n_gauges, n_times)
            m; NaN samples are left out.

        Returns
        -------
        mean : array, shape (..., n_sources)
            m; may be negative.
        covariance : array, shape (..., n_sources, n_sources)
            m^2; depends on which samples there are, and not on their values.

        Raises
        ------
        InputError
            If records have another shape.
        """
        records = np.asarray(records, dtype=float)
        shape, n_sources = (len(self.gauges), len(self.times_s)), len(self.sources)
        if records.shape[-2:] != shape:
            raise InputError(f"records must have shape (..., {shape[0]}, {shape[1]}), got {records.shape}")
        rows = records.reshape(-1, shape[0] * shape[1])
        mean = np.empty((len(rows), n_sources))
        covariance = np.empty((len(rows), n_sources, n_sources))
        patterns, members = np.unique(np.isfinite(rows), axis=0, return_inverse=True)
        for number, known in enumerate(patterns):
            of_pattern = np.flatnonzero(members == number)
            gain, left = self._complete if known.all() else self._gain(known)
            innovation = rows[np.ix_(of_pattern, known)] - self.moments.record_mean[known]
            mean[of_pattern] = self.moments.slip_mean + innovation @ gain.T
            covariance[of_pattern] = left
        lead = records.shape[:-2]
        return mean.reshape(*lead, n_sources), covariance.reshape(*lead, n_sources, n_sources)

    def _gain(self, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute what turns records into slip, and the covariance that they leave."""
        cross = self.moments.cross_covariance[:, known]
        inner = self.moments.record_covariance[np.ix_(known, known)] + self.noise_sd_m**2 * np.eye(known.sum())
        if self.correlated is not None:
            columns = self.correlated.matrix(self.gauges, self.times_s)[known]
            inner = inner + columns @ columns.T
        gain = cho_solve(cho_factor(inner), cross.T).T if known.any() else cross
        left = self.moments.slip_covariance - gain @ cross.T
        return gain, (left + left.T) / 2

    @cached_property
    def _complete(self) -> tuple[np.ndarray, np.ndarray]:
        """The same for records without a gap."""
        return self._gain(np.ones(len(self.moments.record_mean), dtype=bool))

    def solve(self, records) -> np.ndarray:
        """Find the expected slip.

        Parameters
        ----------
        records : array, shape (..., n_gauges, n_times)
            m; NaN samples are left out.

        Returns
        -------
        slip_m : array, shape (..., n_sources)
            >= 0. The mean of the posterior cut at zero, or, of one that is not cut, its mean where that is positive
            and zero elsewhere.
        """
        if self.nonnegative:
            return self.sample(records, _MEAN_DRAWS, np.random.default_rng(0)).mean(axis=-2)
        return np.maximum(self.posterior(records)[0], 0.0)

    def sample(self, records, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw slip that fits records.

        Parameters
        ----------
        records : array, shape (..., n_gauges, n_times)
            m; NaN samples are left out.
        count : int
            Draws for each record.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        slip_m : array, shape (..., count, n_sources)
            >= 0; draws of a posterior that is not cut have zero where they are negative.
        """
        mean, covariance = self.posterior(records)
        n_sources = mean.shape[-1]
        means, covariances = mean.reshape(-1, n_sources), covariance.reshape(-1, n_sources, n_sources)
        draws = np.empty((len(means), count, n_sources))
        for row, (centre, spread) in enumerate(zip(means, covariances, strict=True)):
            if self.nonnegative:
                draws[row] = sample_nonnegative_normal(centre, spread, count, rng)
            else:
                normal = rng.standard_normal((count, n_sources)) @ np.linalg.cholesky(spread).T
                draws[row] = np.maximum(centre + normal, 0.0)
        return draws.reshape(*mean.shape[:-1], count, n_sources)

    def forecast(self, records, response: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
        r"""Compute mean and standard deviation of sea level to come, not cut at zero slip.

        Parameters
        ----------
        records : array, shape (n_gauges, n_times)
            Of one event, m; NaN samples are left out.
        response : xarray.DataArray, dims (gauge, time, source)
            Of the gauges wanted, m per m; sources by name.

        Returns
        -------
        mean, sd : array, shape (gauge, time) of the response
            m: :math:`G \mu` and the root of the diagonal of :math:`G C G^T`. What unit sources cannot represent is not
            in it.
        """
        names = [str(name) for name in response["source"].to_numpy()]
        matrix = response.to_numpy()[..., positions_of(self.sources, names, dim="source", where="in the response")]
        mean, covariance = self.posterior(records)
        if mean.ndim != 1:
            raise InputError(f"records must be of one event, shape (n_gauges, n_times), got {np.shape(records)}")
        return matrix @ mean, np.sqrt(np.einsum("gts,su,gtu->gt", matrix, covariance, matrix, optimize=True))
