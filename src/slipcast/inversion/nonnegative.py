"""Non-negative least squares on labelled responses: given arrays, solve."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import xarray as xr
from scipy.optimize import nnls

from slipcast.errors import InputError
from slipcast.records.correlated_noise import CorrelatedNoise

__all__ = ["DAMPINGS", "Damping", "LeastSquares"]

Damping = Literal["gcv", "discrepancy"]
DAMPINGS = ("gcv", "discrepancy")
"""Rules that choose the damping from a record."""

_N_DAMPINGS = 60


@dataclass(frozen=True)
class LeastSquares:
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
    noise_sd_m: float = 0.005
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
