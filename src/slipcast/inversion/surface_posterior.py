"""Posterior of the initial sea surface as a Gaussian field of humps, without any fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from slipcast.errors import InputError, check_kind
from slipcast.greens.bank import GreensBank
from slipcast.greens.surface_bank import SurfaceBank
from slipcast.inversion.gaussian_field import (
    FAULT_PRIOR,
    SURFACE_PRIOR,
    FieldPosterior,
    FieldPrior,
    GaugeSamples,
    field_log_evidence,
    field_posterior,
)
from slipcast.inversion.inverter import check_senses, noise_of_records, recorded_gauges
from slipcast.inversion.least_squares import NOISE_SD_M
from slipcast.inversion.wave_error import PATH_ERROR, WAVE_ERRORS, error_factors, informative_samples
from slipcast.io.labels import positions_of
from slipcast.records import Records
from slipcast.records.correlated_noise import CorrelatedNoise

__all__ = ["SurfacePosterior"]

_CORRELATION_S = 600.0


@dataclass(frozen=True)
class SurfacePosterior:
    r"""Posterior of the elevation of the sea surface at time zero, of any cause.

    Attributes
    ----------
    bank : SurfaceBank
        Responses of humps around a place.
    window_min : float
        The longest window, minutes after the origin.
    gauges : tuple of str
        Gauges used; by default all DARTs of the bank.
    fault : GreensBank, optional
        Whose evidence is to stand beside: slip on the subfaults of its unit sources. Give those that may have broken
        (:meth:`GreensBank.with_sources`).
    noise_sd_m : float
        Standard deviation of white noise, m, > 0.
    joint_tide : bool or None
        As :class:`~slipcast.inversion.gaussian.GaussianPosterior` takes it.
    model_error : float or None
        What the bank gets wrong of a real wave, as a share of the largest level in each record, correlated over ten
        minutes. None: its size is unknown, as are travel times, and integrated out
        (:mod:`slipcast.inversion.wave_error`), one size for all gauges. 0 for simulations.
    prior, fault_prior : FieldPrior
        Of elevation, and of slip.
    correlated : CorrelatedNoise, optional
        Noise beside the white one; :meth:`prepared` finds it from records.

    Raises
    ------
    InputError
        If an argument is of a wrong kind or out of range, a gauge is unknown or not in the bank of the fault, or the
        window is too long for either bank.

    Notes
    -----
    Elevation is a Gaussian field, zero in the mean and of either sign, whose scale, correlation length and extent about
    the place are unknown (:mod:`slipcast.inversion.gaussian_field`); its posterior is a mixture of Gaussians in closed
    form. Slip of the fault is such a field too, so that the two evidences differ by what uplift a source can make, and
    by nothing else: no rupture model, no positive slip. A difference of the logarithms of less than about 3 says
    little.

    There is no magnitude: the same sea surface is made by earthquakes, landslides or eruptions of any size. Inversion
    for the sea surface with smooth humps is as in Tsushima et al. (2009, doi:10.1029/2008JB005988) and Hossen et al.
    (2015, doi:10.1002/2015JB011942), who choose damping and smoothing in place of integrating over them.
    """

    bank: SurfaceBank = field(repr=False)
    window_min: float
    gauges: Sequence[str] = ()
    fault: GreensBank | None = field(default=None, repr=False)
    noise_sd_m: float = NOISE_SD_M
    joint_tide: bool | None = None
    model_error: float | None = None
    prior: FieldPrior = SURFACE_PRIOR
    fault_prior: FieldPrior = FAULT_PRIOR
    correlated: CorrelatedNoise | None = field(default=None, repr=False)

    def __post_init__(self):
        check_kind(self.bank, SurfaceBank, "bank", "a SurfaceBank")
        check_kind(self.fault, (GreensBank, type(None)), "fault", "a GreensBank")
        for name in ("window_min", "noise_sd_m"):
            check_kind(getattr(self, name), (int, float, np.integer, np.floating), name, "a number")
        if not (np.isfinite(self.noise_sd_m) and self.noise_sd_m > 0):
            raise InputError(f"noise_sd_m must be > 0 m, got {self.noise_sd_m}")
        if self.model_error is not None:
            check_kind(self.model_error, (int, float, np.integer, np.floating), "model_error", "a number or None")
            if not (np.isfinite(self.model_error) and self.model_error >= 0):
                raise InputError(f"model_error must be >= 0, got {self.model_error:g}")
        for name in ("prior", "fault_prior"):
            check_kind(getattr(self, name), FieldPrior, name, "a FieldPrior")
        object.__setattr__(self, "gauges", tuple(self.gauges) or tuple(self.bank.gauge_names("dart")))
        _ = self.times_s  # refuses an unknown gauge and a window that is too long
        if self.fault is not None:
            self.fault.source_response(self.gauges, sources=self.fault.sources[:1], window_min=self.window_min)
            check_senses(_Sensed(self.gauges, self.senses), self.fault.senses, of="the bank of the fault")  # type: ignore[arg-type]  # all it looks at

    @property
    def method(self) -> str:
        """Its name."""
        return "surface"

    @property
    def times_s(self) -> np.ndarray:
        """Times of the samples, s since the origin."""
        return self.bank.hump_response(self.gauges, window_min=self.window_min)["time"].to_numpy()

    @property
    def senses(self) -> list[str]:
        """What each of the gauges senses in the bank."""
        return [self.bank.senses[name] for name in self.gauges]

    @property
    def error_shares(self) -> np.ndarray:
        """Errors of modelled waves that are held possible, as shares of their level, shape (n_errors,)."""
        return WAVE_ERRORS.shares if self.model_error is None else np.array([float(self.model_error)])

    @property
    def path_error(self) -> float:
        """By what part forecasts are wrong besides, standard deviation of the logarithm; 0 with a given error."""
        return PATH_ERROR if self.model_error is None else 0.0

    def restricted(self, *, gauges: Sequence[str] | None = None, window_min: float | None = None) -> SurfacePosterior:
        """Return the same for some of its gauges, in this order, and a window that is not longer."""
        names = tuple(self.gauges if gauges is None else gauges)
        if not names:
            raise InputError("gauges must name at least one gauge, got none")
        positions_of(names, self.gauges, dim="gauge", where=f"in method {self.method}")
        window = self.window_min if window_min is None else window_min
        if window > self.window_min:
            raise InputError(f"window_min must be in (0, {self.window_min:g}] and hold a sample, got {window:g}")
        return replace(self, gauges=names, window_min=window)

    def prepared(self, records: Records) -> SurfacePosterior:
        """Return the same for the gauges of records and the noise in them; InputError if it cannot use them."""
        known = recorded_gauges(records, self.gauges, where=f"known to method {self.method}")
        noise = noise_of_records(records, known, self.times_s, joint_tide=self.joint_tide, model_error=0.0)
        return replace(self, gauges=tuple(known), correlated=noise)

    def posterior(self, record) -> tuple[FieldPosterior, float | None]:
        """Weigh elevations, and the fault where there is one, by records.

        Parameters
        ----------
        record : array, shape (n_gauges, n_times)
            m; NaN samples are left out.

        Returns
        -------
        of_surface : FieldPosterior
            Of the elevation at the middles of the humps.
        fault_log_evidence : float or None
            Natural logarithm of the evidence of slip on the fault.

        Raises
        ------
        InputError
            If the record has another shape.
        """
        record, times_s = np.asarray(record, dtype=float), self.times_s
        if record.shape != (len(self.gauges), len(times_s)):
            raise InputError(f"record must have shape ({len(self.gauges)}, {len(times_s)}), got {record.shape}")
        humps = self.bank.humps
        parts: list[list[GaugeSamples]] = [[], []]
        columns = None if self.correlated is None else self.correlated.matrix(list(self.gauges), times_s)
        for place, name in enumerate(self.gauges):
            of_humps = self.bank.hump_response([name], window_min=self.window_min).to_numpy()[0, : len(times_s)]
            both = [of_humps] if self.fault is None else [of_humps, self._slip_response(name, len(times_s))]
            known = informative_samples(record[place], np.concatenate(both, axis=1))
            if not known.size:
                continue
            tide = None if columns is None else columns[place * len(times_s) + known]
            level, factors = record[place, known], self._error_factors(record[place, known], times_s[known], tide)
            for list_, rows in zip(parts, both):
                list_.append(GaugeSamples(level, rows[known].astype(float), factors))
        log_prior = WAVE_ERRORS.log_prior if self.model_error is None else np.zeros(1)
        options: dict[str, Any] = {"centre": humps.centre}
        of_surface = field_posterior(
            parts[0], self.prior, log_prior, lon_deg=humps.lon_deg, lat_deg=humps.lat_deg, **options
        )
        if self.fault is None:
            return of_surface, None
        on = self.fault.subfaults
        return of_surface, field_log_evidence(
            parts[1], self.fault_prior, log_prior, lon_deg=on.lon_deg, lat_deg=on.lat_deg, **options
        )

    def _slip_response(self, gauge: str, count: int) -> np.ndarray:
        """Return what a gauge senses of slip on each subfault, shape (count, n_subfaults)."""
        response = self.fault.dataset["response"].sel(gauge=gauge).to_numpy()  # type: ignore[union-attr]  # asked before
        return response[1 : count + 1]

    def _error_factors(self, level_m: np.ndarray, times_s: np.ndarray, tide: np.ndarray | None) -> list[np.ndarray]:
        """Return the Cholesky factors of the covariance of noise and errors in samples of a gauge."""
        if self.model_error is None:
            return error_factors(level_m, times_s, self.noise_sd_m, tide)
        covariance = self.noise_sd_m**2 * np.eye(times_s.size)
        apart_s = np.abs(times_s[:, np.newaxis] - times_s)
        covariance += (self.model_error * np.abs(level_m).max()) ** 2 * np.exp(-apart_s / _CORRELATION_S)
        if tide is not None:
            covariance += tide @ tide.T
        return [np.linalg.cholesky(covariance)]

    @property
    def provenance(self) -> Mapping[str, str]:
        """Region and identity of the bank."""
        return {"region": self.bank.region.name, "bank": self.bank.id}


@dataclass(frozen=True)
class _Sensed:
    """Gauges and what they sense."""

    gauges: Sequence[str]
    senses: Sequence[str]
    method: str = "surface"
