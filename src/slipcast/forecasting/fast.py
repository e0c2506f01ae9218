"""Forecasts in a few milliseconds: responses laid out once, then applied to plain arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from slipcast.errors import InputError
from slipcast.greens.responses import SourceResponses
from slipcast.inversion import QUANTILES, GaussianPosterior
from slipcast.io.labels import positions_of

__all__ = ["GaussianForecast", "PreparedForecast"]


@dataclass(frozen=True)
class GaussianForecast:
    """What a Gaussian posterior says of slip and of the sea level to come.

    Attributes
    ----------
    slip_m, slip_sd_m : array, shape (n_sources,)
        Mean and standard deviation of slip before it is cut at zero, m.
    sea_level_m, sea_level_sd_m : array, shape (n_samples,)
        The same of sea level at all gauges, one after the other, m, float32;
        :meth:`PreparedForecast.by_gauge` divides them.
    max_amplitude_quantile_m : array, shape (n_quantiles, n_gauges)
        Quantiles (:data:`slipcast.inversion.QUANTILES`) of the highest sea level over draws of slip cut at zero, m.
    """

    slip_m: np.ndarray
    slip_sd_m: np.ndarray
    sea_level_m: np.ndarray
    sea_level_sd_m: np.ndarray
    max_amplitude_quantile_m: np.ndarray


@dataclass(frozen=True)
class PreparedForecast:
    """Responses of unit sources at gauges, ready for many forecasts.

    Attributes
    ----------
    gauges, sources : list of str
        Names, in order.
    counts : array, shape (n_gauges,)
        Samples at each gauge, every minute from the origin to the end of its run.
    matrix : array, shape (n_samples, n_sources)
        m per m, float32; gauge by gauge.

    Notes
    -----
    The same sums as :func:`slipcast.forecasting.forecast.forecast`, in single precision and without labels. For slip
    on unit sources at time zero; draws on subfaults and delays are left to that function.
    """

    gauges: list[str]
    sources: list[str]
    counts: np.ndarray
    matrix: np.ndarray

    @classmethod
    def of(cls, bank: SourceResponses, gauges: Iterable[str] | None = None) -> PreparedForecast:
        """Lay out the responses of a bank or scenario set.

        Parameters
        ----------
        bank : GreensBank or ScenarioSet
            Responses of unit sources.
        gauges : iterable of str, optional
            By default all.

        Returns
        -------
        prepared : PreparedForecast

        Raises
        ------
        InputError
            If a gauge is unknown, or none is named.
        """
        names = None if gauges is None else list(gauges)
        if names is not None and not names:
            raise InputError("gauges must name at least one gauge, got none")
        response = bank.source_response(names)
        values = response.to_numpy()
        rows = [of_gauge[np.isfinite(of_gauge[:, 0])] for of_gauge in values]
        return cls(
            gauges=[str(name) for name in response["gauge"].to_numpy()],
            sources=[str(name) for name in response["source"].to_numpy()],
            counts=np.array([len(row) for row in rows]),
            matrix=np.ascontiguousarray(np.concatenate(rows), dtype=np.float32),
        )

    def by_gauge(self, levels_m: np.ndarray) -> dict[str, np.ndarray]:
        """Divide samples of all gauges, shape (..., n_samples), into views by gauge, (..., n_times)."""
        parts = np.split(levels_m, np.cumsum(self.counts)[:-1], axis=-1)
        return dict(zip(self.gauges, parts, strict=True))

    def sea_level(self, slip_m) -> np.ndarray:
        """Turn slip, shape (..., n_sources), m, into sea level, (..., n_samples), m, float32."""
        return self._slip(slip_m) @ self.matrix.T

    def max_amplitude(self, slip_m) -> np.ndarray:
        """Turn slip, shape (..., n_sources), m, into the highest sea level at each gauge, (..., n_gauges), m.

        Raises
        ------
        InputError
            If slip has another number of unit sources.
        """
        slip = self._slip(slip_m)
        levels = self.matrix @ slip.reshape(-1, slip.shape[-1]).T  # by sample, so that maxima run along memory
        highest = [part.max(axis=0) for part in np.split(levels, np.cumsum(self.counts)[:-1])]
        return np.stack(highest, axis=-1).reshape(*slip.shape[:-1], len(self.gauges))

    def gaussian(
        self, posterior: GaussianPosterior, records, *, count: int, rng: np.random.Generator
    ) -> GaussianForecast:
        r"""Invert one record and forecast, with intervals.

        Parameters
        ----------
        posterior : GaussianPosterior
            Made once; on these unit sources, in this order.
        records : array, shape (n_gauges, n_times)
            At its gauges and times, m; NaN samples are left out, which costs a factorisation.
        count : int
            Draws from which the intervals of maxima are.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        forecast : GaussianForecast

        Raises
        ------
        InputError
            If the unit sources differ or the records have another shape.

        Notes
        -----
        Sea level is linear in slip: its mean is :math:`G \mu`, its variance the diagonal of :math:`G C G^T`
        (:meth:`~slipcast.inversion.GaussianPosterior.forecast`). Its maximum is not, and is drawn.
        """
        if list(posterior.sources) != self.sources:
            positions_of(posterior.sources, self.sources, dim="source", where="in the forecast")
            raise InputError("the posterior and the forecast must have the same unit sources in the same order")
        mean, covariance = posterior.posterior(records)
        if mean.ndim != 1:
            raise InputError(f"records must be of one event, shape (n_gauges, n_times), got {np.shape(records)}")
        draws = posterior.sample(records, count, rng)
        root = np.linalg.cholesky(covariance).astype(np.float32)
        spread = self.matrix @ root
        return GaussianForecast(
            slip_m=mean,
            slip_sd_m=np.sqrt(np.diag(covariance)),
            sea_level_m=self.sea_level(mean),
            sea_level_sd_m=np.sqrt(np.einsum("sk,sk->s", spread, spread)),
            max_amplitude_quantile_m=np.quantile(self.max_amplitude(draws), QUANTILES, axis=0),
        )

    def _slip(self, slip_m) -> np.ndarray:
        """Check the number of unit sources."""
        slip = np.asarray(slip_m, dtype=np.float32)
        if slip.shape[-1:] != (len(self.sources),):
            raise InputError(f"slip_m must have {len(self.sources)} sources, got {slip.shape[-1] if slip.ndim else 0}")
        return slip
