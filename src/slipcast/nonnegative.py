"""Non-negative least squares on labelled responses: given arrays, solve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.optimize import nnls

from slipcast.errors import InputError

__all__ = ["LeastSquares"]


@dataclass(frozen=True)
class LeastSquares:
    r"""Non-negative least squares on the samples of a window, with or without damping.

    Attributes
    ----------
    response : xarray.DataArray, dims (gauge, time, source)
        m per m, finite: what :meth:`GreensBank.source_response` gives for a window.
    noise_sd_m : float
        Standard deviation of a sample, m; counts only with damping.
    slip_sd_m : float or None
        Standard deviation of slip expected of a source, m: Tikhonov damping. None: no damping.

    Notes
    -----
    Minimises :math:`\|Gm - d\|^2/\sigma^2 + \|m\|^2/s^2` over :math:`m \ge 0` by the active-set method of Lawson and
    Hanson, after a QR factorisation that reduces the samples to as many rows as there are sources. A best fit, not a
    probability: it says nothing of its uncertainty, and undamped it scatters noise into sources that the gauges
    hardly feel.
    """

    response: xr.DataArray
    noise_sd_m: float = 0.005
    slip_sd_m: float | None = None

    def __post_init__(self):
        for name in ("noise_sd_m", "slip_sd_m"):
            value = getattr(self, name)
            if value is not None and not (np.isfinite(value) and value > 0):
                raise InputError(f"{name} must be > 0 m, got {value}")

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
        patterns, members = np.unique(np.isfinite(rows), axis=0, return_inverse=True)
        for number, known in enumerate(patterns):
            if not known.any():
                raise InputError(f"record {int(np.argmax(members == number))} has no sample in the window")
            q, r = self._factor(matrix[known])
            for index in np.flatnonzero(members == number):
                slip[index] = nnls(r, q[: known.sum()].T @ rows[index, known])[0]
        return slip.reshape(*records.shape[:-2], shape[2])

    def _factor(self, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Factorise the map, with the rows of the damping below those of the samples."""
        if self.slip_sd_m is not None:
            damping = self.noise_sd_m / self.slip_sd_m
            matrix = np.vstack([matrix, damping * np.eye(matrix.shape[1])])
        return np.linalg.qr(matrix)
