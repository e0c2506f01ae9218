"""Gaussian posterior of slip in closed form, and the linear minimum-mean-square estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr
from scipy.linalg import cho_factor, cho_solve

from slipcast.errors import InputError, check_kind
from slipcast.greens.bank import GreensBank
from slipcast.inversion.inverter import noise_of_records, recorded_gauges
from slipcast.inversion.least_squares import NOISE_SD_M
from slipcast.inversion.moments import DrawnMoments, JointMoments
from slipcast.inversion.truncated_normal import sample_nonnegative_normal
from slipcast.inversion.unknown_rupture import record_moments
from slipcast.io.labels import positions_of
from slipcast.records import Records
from slipcast.records.correlated_noise import CorrelatedNoise

if TYPE_CHECKING:
    from slipcast.greens.responses import SourceResponses
    from slipcast.physics.ruptures import RuptureSettings
    from slipcast.scenarios.scenario_set import ScenarioSet

__all__ = ["GAUSSIAN_METHODS", "GaussianPosterior"]

GAUSSIAN_METHODS = ("linear", "gaussian", "bayes")
"""The linear estimate of least mean squared error, the Gaussian posterior, and the one cut at zero slip."""

_MEAN_DRAWS = 400


@dataclass(frozen=True)
class GaussianPosterior:
    r"""Gaussian posterior of slip given records that are jointly Gaussian with it.

    Made by :meth:`from_bank`, or from moments of one's own.

    Attributes
    ----------
    moments : JointMoments or DrawnMoments
        Means and covariances of slip and records without noise, or the ruptures to compute them from.
    noise_sd_m : float
        Standard deviation of white noise, m, > 0.
    nonnegative : bool
        Whether the posterior is cut at zero slip, on every unit source; then it has no closed form and is sampled.
    method : str
        Its name.
    correlated : CorrelatedNoise, optional
        Noise beside the white one; :meth:`prepared` finds it from records.
    joint_tide : bool or None
        Fit what is not known of the tide jointly with the slip: None where the records say it; True refuses those that
        do not.
    model_error : float
        What the bank gets wrong of a real wave, as a share of the largest level in each record, >= 0.
    bank : GreensBank or ScenarioSet, optional
        What the moments are of.

    Notes
    -----
    With :math:`S = C_{dd} + \sigma^2 I`: mean :math:`\mu_w + C_{wd} S^{-1} (d - \mu_d)`, covariance :math:`C_{ww} -
    C_{wd} S^{-1} C_{dw}` (Tarantola 2005, Inverse Problem Theory, chapter 3). With moments of scenarios as they are,
    the mean is the linear estimate of least mean squared error (LMMSE); with :meth:`JointMoments.through` it is the
    posterior of slip on unit sources under the physics of uniform slip.

    Slip is not Gaussian: it cannot be negative, and large and small earthquakes do not scatter alike. The width of
    this posterior does not depend on the records, so it is too wide for small events and too narrow for large ones.
    """

    moments: JointMoments | DrawnMoments
    noise_sd_m: float = NOISE_SD_M
    nonnegative: bool = False
    method: str = "gaussian"
    correlated: CorrelatedNoise | None = field(default=None, repr=False)
    joint_tide: bool | None = None
    model_error: float = 0.0
    bank: SourceResponses | None = field(default=None, repr=False)

    def __post_init__(self):
        for name in ("noise_sd_m", "model_error"):
            check_kind(getattr(self, name), (int, float, np.integer, np.floating), name, "a number")
        if not (np.isfinite(self.noise_sd_m) and self.noise_sd_m > 0):
            raise InputError(f"noise_sd_m must be > 0 m, got {self.noise_sd_m}")
        if not (np.isfinite(self.model_error) and self.model_error >= 0):
            raise InputError(f"model_error must be >= 0, got {self.model_error:g}")

    @classmethod
    def from_bank(
        cls,
        bank: SourceResponses,
        window_min: float,
        *,
        method: str = "gaussian",
        gauges: Sequence[str] | None = None,
        scenarios: ScenarioSet | None = None,
        ruptures: RuptureSettings | None = None,
        noise_sd_m: float = NOISE_SD_M,
        joint_tide: bool | None = None,
        model_error: float = 0.0,
    ) -> GaussianPosterior:
        """Estimate the prior of slip and records from ruptures.

        Parameters
        ----------
        bank : GreensBank or ScenarioSet
            Responses of unit sources.
        window_min : float
            The longest window, minutes after the origin.
        method : {"gaussian", "bayes", "linear"}, optional
            Slip acts through the responses of unit sources; the same, cut at zero slip and sampled; or the linear
            estimate of least mean squared error of the ruptures as they are.
        gauges : sequence of str, optional
            By default all DARTs of the bank.
        scenarios : ScenarioSet, optional
            From whose training part to learn. By default a thousand ruptures are drawn, for which ``bank`` must be a
            :class:`~slipcast.greens.bank.GreensBank`.
        ruptures : RuptureSettings, optional
            How these are drawn.
        noise_sd_m, joint_tide, model_error : optional
            As attributes.

        Returns
        -------
        posterior : GaussianPosterior

        Raises
        ------
        InputError
            If an argument is of a wrong kind, a name is unknown, the window is too long, or there is nothing to learn
            from.
        """
        if method not in GAUSSIAN_METHODS:
            raise InputError(f"method must be one of {', '.join(GAUSSIAN_METHODS)}, got {method!r}")
        if not hasattr(bank, "source_response"):
            check_kind(bank, (), "bank", "a GreensBank or ScenarioSet")
        check_kind(window_min, (int, float, np.integer, np.floating), "window_min", "a number of minutes")
        if scenarios is not None and ruptures is not None:
            raise InputError("give scenarios to learn from, or ruptures, how they are drawn; got both")
        names = bank.gauge_names("dart") if gauges is None else list(gauges)
        through = method != "linear"
        if scenarios is not None:
            moments = DrawnMoments.from_scenarios(scenarios, names, window_min)
            if through:
                response = bank.source_response(names, sources=scenarios.sources, window_min=window_min)
                moments = replace(moments, response=response)
        elif isinstance(bank, GreensBank):
            moments = DrawnMoments.from_bank(bank, names, window_min, through=through, settings=ruptures)
        else:
            raise InputError(f"method {method} needs scenarios, or a bank to draw ruptures from")
        return cls(
            moments,
            noise_sd_m=noise_sd_m,
            nonnegative=method == "bayes",
            method=method,
            joint_tide=joint_tide,
            model_error=model_error,
            bank=bank,
        )

    @cached_property
    def _joint(self) -> JointMoments:
        """Means and covariances."""
        return self.moments.joint if isinstance(self.moments, DrawnMoments) else self.moments

    @property
    def provenance(self) -> Mapping[str, str]:
        """Region and identity of the bank, and of the scenario set that the moments are of."""
        made_from = {} if self.bank is None else {"region": self.bank.region.name, "bank": self.bank.id}
        scenarios = getattr(self.moments, "scenarios", "")
        return made_from | ({"scenarios": scenarios} if scenarios else {})

    @property
    def window_range_min(self) -> tuple[float, float]:
        """From the first sample to the last one, minutes after the origin."""
        return float(self.times_s[0]) / 60, float(self.times_s[-1]) / 60

    def restricted(self, *, gauges: Sequence[str] | None = None, window_min: float | None = None) -> GaussianPosterior:
        """Return the same for some of its gauges, in this order, and a window that is not longer."""
        names = self.gauges if gauges is None else list(gauges)
        if not names:
            raise InputError("gauges must name at least one gauge, got none")
        window = self.window_range_min[1] if window_min is None else window_min
        return replace(self, moments=self.moments.restricted(names, window))

    def with_sources(self, sources: Sequence[str]) -> GaussianPosterior:
        """Draw ruptures on some unit sources alone, and learn from those.

        Raises
        ------
        InputError
            If a name is unknown, or the ruptures are those of a scenario set.
        """
        if not isinstance(self.bank, GreensBank) or not isinstance(self.moments, DrawnMoments):
            raise InputError(f"method {self.method} needs a bank to draw ruptures from")
        return GaussianPosterior.from_bank(
            self.bank.with_sources(list(sources)),
            self.window_range_min[1],
            method=self.method,
            gauges=self.gauges,
            noise_sd_m=self.noise_sd_m,
            joint_tide=self.joint_tide,
            model_error=self.model_error,
        )

    def prepared(self, records: Records) -> GaussianPosterior:
        """Return the same for the gauges of records, with the noise in them that is not white; InputError for none."""
        known = recorded_gauges(records, self.gauges, where=f"known to method {self.method}")
        ready = self if known == self.gauges else self.restricted(gauges=known)
        noise = noise_of_records(
            records, known, ready.times_s, joint_tide=self.joint_tide, model_error=self.model_error
        )
        return replace(ready, correlated=noise)

    @property
    def gauges(self) -> list[str]:
        """Names of the gauges, in order."""
        return self.moments.gauges

    @property
    def senses(self) -> list[str]:
        """What each of the gauges senses in the bank; empty without one."""
        return [] if self.bank is None else [self.bank.senses[name] for name in self.gauges]

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

    def record_moments(self) -> np.ndarray:
        """Return the second moments of records for a root mean square slip of 1 m on unit sources, m^2.

        With a bank those of a rupture of which nothing is known, as least squares have them.
        """
        if self.bank is not None:
            return record_moments(self.bank, self.times_s, gauges=self.gauges, sources=self.sources)
        joint = self._joint
        power = np.mean(np.diag(joint.slip_covariance) + joint.slip_mean**2)
        return (joint.record_covariance + np.outer(joint.record_mean, joint.record_mean)) / power

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
            innovation = rows[np.ix_(of_pattern, known)] - self._joint.record_mean[known]
            mean[of_pattern] = self._joint.slip_mean + innovation @ gain.T
            covariance[of_pattern] = left
        lead = records.shape[:-2]
        return mean.reshape(*lead, n_sources), covariance.reshape(*lead, n_sources, n_sources)

    def _gain(self, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute what turns records into slip, and the covariance that they leave."""
        cross = self._joint.cross_covariance[:, known]
        inner = self._joint.record_covariance[np.ix_(known, known)] + self.noise_sd_m**2 * np.eye(known.sum())
        if self.correlated is not None:
            columns = self.correlated.matrix(self.gauges, self.times_s)[known]
            inner = inner + columns @ columns.T
        gain = cho_solve(cho_factor(inner), cross.T).T if known.any() else cross
        left = self._joint.slip_covariance - gain @ cross.T
        return gain, (left + left.T) / 2

    @cached_property
    def _complete(self) -> tuple[np.ndarray, np.ndarray]:
        """The same for records without a gap."""
        return self._gain(np.ones(len(self._joint.record_mean), dtype=bool))

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
