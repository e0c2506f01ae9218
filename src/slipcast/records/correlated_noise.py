"""Correlated observation and model error, as columns of a linear model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from slipcast.errors import InputError
from slipcast.io.labels import positions_of

__all__ = ["CorrelatedNoise"]


@dataclass(frozen=True)
class CorrelatedNoise:
    r"""Correlated noise of records, as columns with unit scatter.

    Attributes
    ----------
    columns : xarray.DataArray, dims (gauge, column, time)
        m; the noise in the record of a gauge is :math:`\sum_i z_i C_i(t)` with independent standard normal
        :math:`z_i`, others for every gauge.

    Notes
    -----
    To fit offset, trend and constituents of a tide jointly with the slip (Percival et al. 2014, arXiv 1403.0528) to
    samples before and during a tsunami is the same as to fit them before it, and then the slip with the noise that this
    fit leaves, :math:`\sigma^2 I + C C^T`: what precedes the tsunami says nothing of the slip. So no column need enter
    the solution, and bounds on the slip stay what they are.
    """

    columns: xr.DataArray

    def __post_init__(self):
        if self.columns.dims != ("gauge", "column", "time"):
            raise InputError(f"columns must have dimensions (gauge, column, time), got {self.columns.dims}")
        if not np.isfinite(self.columns.to_numpy()).all():
            raise InputError("columns must be finite")

    @classmethod
    def of_model(cls, records: xr.DataArray, share: float, *, correlation_s: float = 600.0) -> CorrelatedNoise:
        r"""Make the correlated noise that stands for the error of a bank.

        Parameters
        ----------
        records : xarray.DataArray, dims (gauge, time)
            Of one event, m; NaN where missing.
        share : float
            Standard deviation of the error, as a share of the largest level in the record of the gauge, > 0.
        correlation_s : float, optional
            Time over which it is correlated, s.

        Returns
        -------
        noise : CorrelatedNoise
            With covariance :math:`s^2 e^{-|t - t'| / \tau}`.

        Raises
        ------
        InputError
            If the share is not positive.
        """
        if not share > 0:
            raise InputError(f"model_error must be > 0, got {share:g}")
        time_s = records["time"].to_numpy()
        power, directions = np.linalg.eigh(np.exp(-np.abs(time_s[:, np.newaxis] - time_s) / correlation_s))
        columns = (directions * np.sqrt(np.maximum(power, 0.0))).T
        level = np.nan_to_num(np.abs(records.to_numpy())).max(axis=-1)
        return cls(
            xr.DataArray(
                share * level[:, np.newaxis, np.newaxis] * columns,
                dims=("gauge", "column", "time"),
                coords={"gauge": records["gauge"].to_numpy(), "time": time_s},
            )
        )

    def __add__(self, other: CorrelatedNoise) -> CorrelatedNoise:
        """Return the sum of two independent noises at the same gauges and times, in the same order."""
        for name in ("gauge", "time"):
            if not np.array_equal(self.columns[name].to_numpy(), other.columns[name].to_numpy()):
                raise InputError(f"correlated noises to be added must have the same {name}s")
        return CorrelatedNoise(xr.concat([self.columns, other.columns], dim="column", join="exact"))

    def matrix(self, gauges: Sequence[str], times_s: np.ndarray) -> np.ndarray:
        """Lay the columns out for the samples of an inverter.

        Parameters
        ----------
        gauges : sequence of str
            In its order.
        times_s : array, shape (n_times,)
            Of its samples; those of the columns.

        Returns
        -------
        matrix : array, shape (n_gauges * n_times, n_gauges * n_columns)
            m.

        Raises
        ------
        InputError
            If a gauge is unknown or the times differ.
        """
        have = [str(name) for name in self.columns["gauge"].to_numpy()]
        index = positions_of(gauges, have, dim="gauge", where="in the correlated noise")
        at = self.columns["time"].to_numpy()
        if at.shape != np.shape(times_s) or not np.allclose(at, times_s):
            raise InputError("times of correlated noise must be those of the inversion")
        blocks = self.columns.to_numpy().astype(float)[index]
        n_gauges, n_columns, n_times = blocks.shape
        matrix = np.zeros((n_gauges, n_times, n_gauges, n_columns))
        for gauge, block in enumerate(blocks):
            matrix[gauge, :, gauge] = block.T
        return matrix.reshape(n_gauges * n_times, n_gauges * n_columns)

    @staticmethod
    def whitened(matrix: np.ndarray, noise_sd_m: float, rows: np.ndarray) -> np.ndarray:
        r"""Whiten rows of samples.

        Parameters
        ----------
        matrix : array, shape (n_samples, n_columns)
            Of :meth:`matrix`, m.
        noise_sd_m : float
            Standard deviation of white noise, m.
        rows : array, shape (n, n_samples)
            Records, or responses.

        Returns
        -------
        rows : array, shape (n, n_samples)
            Times :math:`(I + C C^T / \sigma^2)^{-1/2}`: along a direction that is noisier, less.
        """
        left, singular, _ = np.linalg.svd(matrix, full_matrices=False)
        less = 1.0 - 1.0 / np.sqrt(1.0 + (singular / noise_sd_m) ** 2)
        return rows - ((rows @ left) * less) @ left.T
