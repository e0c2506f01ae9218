"""Slip by non-negative least squares, plain or damped (Percival et al. 2011)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import xarray as xr
from scipy.optimize import nnls

from slipcast.errors import InputError, check_kind
from slipcast.greens.responses import SourceResponses
from slipcast.inversion.inverter import noise_of_records, recorded_gauges
from slipcast.inversion.unknown_rupture import record_moments
from slipcast.io.labels import positions_of
from slipcast.records import Records
from slipcast.records.correlated_noise import CorrelatedNoise

__all__ = ["DAMPINGS", "NOISE_SD_M", "Damping", "LeastSquares", "LeastSquaresSolver", "run_min"]

Damping = Literal["gcv", "discrepancy"]
DAMPINGS = ("gcv", "discrepancy")
"""Rules that choose the damping from a record."""

NOISE_SD_M = 0.005
"""Standard deviation of a sample, m, where none is given."""

_N_DAMPINGS = 60


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """Non-negative least squares with the responses of a bank, with or without damping.

    Parameters
    ----------
    bank : GreensBank or ScenarioSet
        Responses of unit sources.
    window_min : float
        Samples up to it are used, minutes after the origin.
    gauges : sequence of str, optional
        By default those of the records that the bank has; where there are no records yet, the DARTs of the bank.
    sources : sequence of str, optional
        Unit sources, by default all of the bank.
    start_min : float, optional
        Samples after it are used, minutes after the origin.
    damping : {"gcv", "discrepancy"}, optional
        The rule that chooses the damping from each record (:class:`LeastSquaresSolver`).
    slip_sd_m : float, optional
        Standard deviation of slip expected of a source, m: a fixed damping, in place of a rule.
    noise_sd_m : float, optional
        Standard deviation of a sample, m (model errors included); counts with damping, but for ``"gcv"``, and beside
        the uncertainty of a tide.
    joint_tide : bool, optional
        Fit what is not known of the tide, as :func:`~slipcast.records.read_records` left it, jointly with the slip: by
        default where the records say it; True refuses those that do not.
    model_error : float, optional
        What the bank gets wrong of a real wave, as a share of the largest level in each record, >= 0; 0 for records
        that it made. Correlated over ten minutes (:class:`~slipcast.records.correlated_noise.CorrelatedNoise`).
    correlated : CorrelatedNoise, optional
        Noise beside the white one; :meth:`prepared` finds it from records.

    Raises
    ------
    InputError
        If an argument is of a wrong kind or out of range, a name is unknown, or the window is longer than the bank.

    Notes
    -----
    A best fit, not a probability: it has no intervals. Method ``"nnls"``, or ``"tikhonov"`` with damping. What is
    solved, and how, stands in :class:`LeastSquaresSolver`.

    Examples
    --------
    >>> import slipcast as sc
    >>> scenarios = sc.ScenarioSet.open("set.zarr")  # doctest: +SKIP
    >>> sc.invert(records, sc.LeastSquares(scenarios, window_min=45, damping="gcv")).magnitude  # doctest: +SKIP
    8.9
    """

    bank: SourceResponses
    window_min: float
    _: KW_ONLY
    gauges: Sequence[str] = ()
    sources: Sequence[str] = field(default=(), repr=False)
    start_min: float = 0.0
    damping: Damping | None = None
    slip_sd_m: float | None = None
    noise_sd_m: float = NOISE_SD_M
    joint_tide: bool | None = None
    model_error: float = 0.0
    correlated: CorrelatedNoise | None = field(default=None, repr=False)
    _chosen: bool = field(default=False, init=False, repr=False)

    def __post_init__(self):
        if not hasattr(self.bank, "source_response"):
            check_kind(self.bank, (), "bank", "a GreensBank or ScenarioSet")
        for name in ("window_min", "start_min", "noise_sd_m", "model_error"):
            check_kind(getattr(self, name), (int, float, np.integer, np.floating), name, "a number")
        if not 0 <= self.start_min < self.window_min:
            raise InputError(f"start_min must be in [0, {self.window_min:g}) min, got {self.start_min:g}")
        if not (np.isfinite(self.model_error) and self.model_error >= 0):
            raise InputError(f"model_error must be >= 0, got {self.model_error:g}")
        if self.damping is not None and self.slip_sd_m is not None:
            raise InputError(f"give damping or slip_sd_m, got both: {self.damping!r} and {self.slip_sd_m:g}")
        if self.damping is not None and self.damping not in DAMPINGS:
            raise InputError(f"damping must be one of {', '.join(DAMPINGS)}, got {self.damping!r}")
        for name in ("gauges", "sources"):
            if isinstance(getattr(self, name), str):
                raise InputError(f"{name} must be a sequence of names, got {getattr(self, name)!r}")
        object.__setattr__(self, "_chosen", bool(self.gauges))
        object.__setattr__(self, "gauges", tuple(self.gauges or self.bank.gauge_names("dart")))
        object.__setattr__(self, "sources", tuple(self.sources or self.bank.sources))

    @cached_property
    def solver(self) -> LeastSquaresSolver:
        """The solver on plain arrays, at its gauges and times."""
        response = self.bank.source_response(self.gauges, sources=self.sources, window_min=self.window_min)
        response = response.isel(time=response["time"].to_numpy() > 60 * self.start_min)
        return LeastSquaresSolver(
            response,
            noise_sd_m=self.noise_sd_m,
            slip_sd_m=self.slip_sd_m if self.damping is None else self.damping,
            correlated=self.correlated,
        )

    @property
    def method(self) -> str:
        """Its name: ``"nnls"``, or ``"tikhonov"`` with damping."""
        return "nnls" if self.slip_sd_m is None and self.damping is None else "tikhonov"

    @property
    def senses(self) -> Sequence[str]:
        """What each of the gauges senses in the bank."""
        return [self.bank.senses[name] for name in self.gauges]

    @property
    def times_s(self) -> np.ndarray:
        """Times of the samples, s since the origin."""
        return self.solver.times_s

    @property
    def gaps(self) -> Literal["within gauges"]:
        """Samples may be missing."""
        return "within gauges"

    @property
    def provenance(self) -> Mapping[str, str]:
        """Region and identity of the bank."""
        return {"region": self.bank.region.name, "bank": self.bank.id}

    @property
    def window_range_min(self) -> tuple[float, float]:
        """From its start to the end of the shortest run of its gauges, minutes after the origin."""
        return self.start_min, run_min(self.bank, self.gauges)

    def restricted(self, *, gauges: Sequence[str] | None = None, window_min: float | None = None) -> LeastSquares:
        """Return the same for these gauges and this window, by default as they are."""
        names = (self.gauges if self._chosen else ()) if gauges is None else tuple(gauges)
        if gauges is not None and not names:
            raise InputError("gauges must name at least one gauge, got none")
        return replace(self, gauges=names, window_min=self.window_min if window_min is None else window_min)

    def with_sources(self, sources: Sequence[str]) -> LeastSquares:
        """Return the same with slip on some unit sources alone."""
        return replace(self, sources=tuple(sources), gauges=self.gauges if self._chosen else ())

    def prepared(self, records: Records) -> LeastSquares:
        """Return the same for the gauges of records, with the noise in them that is not white.

        Where none were chosen, gauges without a sample in the window are left out if others have some.

        Raises
        ------
        InputError
            If the records have no gauge of the bank, or say nothing of their tide and it is to be fitted.
        """
        ready = self
        if not self._chosen:
            known = recorded_gauges(records, self.bank.gauges, where=f"in bank {self.bank.region.name}")
            ready = self.restricted(gauges=sorted(known, key=records.gauges.index))
            sampled = np.isfinite(records.resample(ready.times_s, ready.gauges).to_numpy()).any(axis=-1)
            has = sampled.reshape(-1, len(ready.gauges)).any(axis=0)
            if has.any() and not has.all():
                ready = self.restricted(gauges=[name for name, some in zip(ready.gauges, has, strict=True) if some])
        noise = noise_of_records(
            records, ready.gauges, ready.times_s, joint_tide=self.joint_tide, model_error=self.model_error
        )
        return replace(ready, correlated=noise)

    def record_moments(self) -> np.ndarray:
        """Return the second moments of records of a rupture of which nothing is known, m^2."""
        return record_moments(self.bank, self.times_s, gauges=self.gauges, sources=self.sources)

    def solve(self, records) -> np.ndarray:
        """Find slip, as :meth:`LeastSquaresSolver.solve`."""
        return self.solver.solve(records)


def run_min(bank: SourceResponses, gauges: Sequence[str]) -> float:
    """Return where the shortest run of some gauges of a bank ends, minutes after the origin."""
    positions_of(gauges, bank.gauges, dim="gauge", where=f"in bank {bank.region.name}")
    hours = bank.dataset["gauge_hours"].to_numpy()  # type: ignore[attr-defined]
    return 60 * float(min(hours[bank.gauges.index(name)] for name in gauges))


@dataclass(frozen=True)
class LeastSquaresSolver:
    r"""Non-negative least squares on the samples of a window, with or without damping.

    Attributes
    ----------
    response : xarray.DataArray, dims (gauge, time, source)
        m per m, finite: what :meth:`GreensBank.source_response` gives for a window.
    noise_sd_m : float
        Standard deviation of a sample, m; counts only with damping, but for ``"gcv"``, and beside correlated noise.
    slip_sd_m : float, "gcv", "discrepancy" or None
        Standard deviation of slip expected of a source, m: Tikhonov damping. ``"gcv"`` and ``"discrepancy"`` choose it
        for each record. None: no damping.
    correlated : CorrelatedNoise, optional
        Noise beside the white one.

    Notes
    -----
    Minimises :math:`\|Gm - d\|^2/\sigma^2 + \|m\|^2/s^2` over :math:`m \ge 0` by the active-set method of Lawson and
    Hanson, after a QR factorisation that reduces the samples to as many rows as there are sources.

    The damping :math:`\lambda = \sigma/s` is chosen on the damped problem without the bound, which has a closed form.
    Generalised cross-validation takes the least :math:`\|Gm - d\|^2/(n - \sum f_i)^2`, with :math:`f_i = s_i^2/(s_i^2
    + \lambda^2)` for singular values :math:`s_i` (Golub, Heath and Wahba 1979, Technometrics 21, 215); the discrepancy
    principle the largest :math:`\lambda` with :math:`\|Gm - d\|^2 \le n \sigma^2`, or the least one if there is none.

    A best fit, not a probability: it says nothing of its uncertainty, and undamped it scatters noise into sources that
    the gauges hardly feel.
    """

    response: xr.DataArray
    noise_sd_m: float = NOISE_SD_M
    slip_sd_m: float | Damping | None = None
    correlated: CorrelatedNoise | None = None

    def __post_init__(self):
        if isinstance(self.slip_sd_m, str):
            if self.slip_sd_m not in DAMPINGS:
                raise InputError(f"slip_sd_m must be metres or one of {', '.join(DAMPINGS)}, got {self.slip_sd_m!r}")
        elif self.slip_sd_m is not None and not (np.isfinite(self.slip_sd_m) and self.slip_sd_m > 0):
            raise InputError(f"slip_sd_m must be > 0 m, got {self.slip_sd_m}")
        if not (np.isfinite(self.noise_sd_m) and self.noise_sd_m > 0):
            raise InputError(f"noise_sd_m must be > 0 m, got {self.noise_sd_m}")

    @property
    def method(self) -> str:
        """Its name: ``"nnls"``, or ``"tikhonov"`` with damping."""
        return "nnls" if self.slip_sd_m is None else "tikhonov"

    @property
    def gauges(self) -> list[str]:
        """Names of the gauges, in order."""
        return [str(name) for name in self.response["gauge"].to_numpy()]

    @property
    def sources(self) -> list[str]:
        """Names of the unit sources, in order."""
        return [str(name) for name in self.response["source"].to_numpy()]

    @property
    def times_s(self) -> np.ndarray:
        """Times of the samples, s since the origin."""
        return self.response["time"].to_numpy()

    @property
    def gaps(self) -> Literal["within gauges"]:
        """Samples may be missing."""
        return "within gauges"

    def solve(self, records) -> np.ndarray:
        """Find the slip that explains records.

        Parameters
        ----------
        records : array, shape (..., n_gauges, n_times)
            m, at the gauges and times of ``response``; NaN samples are left out.

        Returns
        -------
        slip_m : array, shape (..., n_sources)
            >= 0.

        Raises
        ------
        InputError
            If a record has another shape or no sample at all.
        """
        records = np.asarray(records, dtype=float)
        shape = self.response.shape
        if records.shape[-2:] != shape[:2]:
            raise InputError(f"records must have shape (..., {shape[0]}, {shape[1]}), got {records.shape}")
        rows = records.reshape(-1, shape[0] * shape[1])
        matrix = self.response.to_numpy().reshape(-1, shape[2])
        slip = np.empty((len(rows), shape[2]))
        columns = None if self.correlated is None else self.correlated.matrix(self.gauges, self.times_s)
        patterns, members = np.unique(np.isfinite(rows), axis=0, return_inverse=True)
        for number, known in enumerate(patterns):
            if columns is None and known.all():  # what does not depend on the records is computed once
                of_pattern = np.flatnonzero(members == number)
                slip[of_pattern] = self._solve_factored(*self._complete, rows[of_pattern])
                continue
            if not known.any():
                raise InputError(f"record {int(np.argmax(members == number))} has no sample in the window")
            of_pattern = np.flatnonzero(members == number)
            response, samples = matrix[known], rows[np.ix_(of_pattern, known)]
            if columns is not None:
                response = CorrelatedNoise.whitened(columns[known], self.noise_sd_m, response.T).T
                samples = CorrelatedNoise.whitened(columns[known], self.noise_sd_m, samples)
            slip[of_pattern] = self._solve_factored(*np.linalg.qr(response), samples)
        return slip.reshape(*records.shape[:-2], shape[2])

    @cached_property
    def _complete(self) -> tuple[np.ndarray, np.ndarray]:
        """Factors of the responses at all samples."""
        q, r = np.linalg.qr(self.response.to_numpy().reshape(-1, self.response.shape[2]))
        return q, r

    def _solve_factored(self, q: np.ndarray, r: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Solve records at the samples of a factored matrix, shape (n_records, n_samples)."""
        reduced = rows @ q
        if self.slip_sd_m is None:
            return np.array([nnls(r, row)[0] for row in reduced])
        if isinstance(self.slip_sd_m, str):
            unexplained = np.maximum(np.sum(rows**2, axis=1) - np.sum(reduced**2, axis=1), 0.0)
            dampings = self._choose_damping(r, reduced, unexplained, n_samples=rows.shape[1])
        else:
            dampings = np.full(len(rows), self.noise_sd_m / self.slip_sd_m)
        n_sources = r.shape[1]
        slip = np.empty((len(rows), n_sources))
        for index, damping in enumerate(dampings):
            damped = np.vstack([r, damping * np.eye(n_sources)])
            slip[index] = nnls(damped, np.concatenate([reduced[index], np.zeros(n_sources)]))[0]
        return slip

    def _choose_damping(
        self, r: np.ndarray, reduced: np.ndarray, unexplained: np.ndarray, *, n_samples: int
    ) -> np.ndarray:
        """Choose the damping of each record by its rule, shape (n_records,)."""
        u, singular, _ = np.linalg.svd(r, full_matrices=False)
        dampings = singular[0] * np.logspace(-7, 1, _N_DAMPINGS)
        kept = singular**2 / (singular**2 + dampings[:, np.newaxis] ** 2)  # (n_dampings, n_sources)
        misfit = unexplained[:, np.newaxis] + (reduced @ u) ** 2 @ ((1 - kept) ** 2).T
        if self.slip_sd_m == "gcv":
            return dampings[np.argmin(misfit / (n_samples - kept.sum(axis=1)) ** 2, axis=1)]
        close_enough = misfit <= n_samples * self.noise_sd_m**2
        # the misfit grows with the damping, so those that fit come first
        return dampings[np.maximum(close_enough.sum(axis=1) - 1, 0)]
