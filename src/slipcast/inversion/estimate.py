"""What an inversion finds: slip on every unit source, with its magnitude and where it came from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from slipcast.errors import InputError
from slipcast.files import read_netcdf, write_netcdf
from slipcast.labels import one_event
from slipcast.physics.moment import moment_magnitude, seismic_moment
from slipcast.physics.unit_sources import unit_source

__all__ = ["SlipEstimate", "centroid_latitude", "magnitude_of_slip"]


def magnitude_of_slip(slip_m, sources: Sequence[str]):
    """Compute the moment magnitude of slip on unit sources.

    Parameters
    ----------
    slip_m : array, shape (..., n_sources)
        Slip, m, >= 0.
    sources : sequence of str
        Names of the unit sources, in order.

    Returns
    -------
    magnitude : array, shape (...)
        Mw; -inf without slip.

    Examples
    --------
    >>> print(f"{magnitude_of_slip([1.0], ['acsza58']):.2f}")
    7.47
    """
    return moment_magnitude(seismic_moment(slip_m, np.array([unit_source(name).area_m2 for name in sources])))


def centroid_latitude(slip_m, sources: Sequence[str]) -> np.ndarray:
    """Compute the latitude of the middle of slip on unit sources, weighted by moment.

    Parameters
    ----------
    slip_m : array, shape (..., n_sources)
        Slip, m, >= 0.
    sources : sequence of str
        Names of the unit sources, in order.

    Returns
    -------
    latitude_deg : array, shape (...)
        Degrees north; NaN without slip.

    Examples
    --------
    >>> print(f"{centroid_latitude([1.0, 1.0], ['acsza58', 'acsza59']):.2f}")
    46.89
    """
    faults = [unit_source(name) for name in sources]
    latitude = np.array([fault.point(0.0, fault.width_m / 2)[1] for fault in faults])
    moment = np.asarray(slip_m, dtype=float) * np.array([fault.area_m2 for fault in faults])
    with np.errstate(invalid="ignore"):
        return (moment @ latitude) / moment.sum(axis=-1)


@dataclass(frozen=True)
class SlipEstimate:
    """Slip on unit sources, of one event or several.

    Attributes
    ----------
    dataset : xarray.Dataset
        ``slip([event,] source)`` m, >= 0; ``magnitude([event])``; attributes ``method``, ``window_min``, ``region``,
        ``model``, ``bank``.
    """

    dataset: xr.Dataset

    @classmethod
    def from_slip(
        cls,
        slip_m,
        sources: Sequence[str],
        *,
        method: str,
        window_min: float,
        region: str,
        start_min: float = 0.0,
        gauges: Sequence[str] = (),
        model: str = "",
        bank: str = "",
    ) -> SlipEstimate:
        """Label plain slip.

        Parameters
        ----------
        slip_m : array, shape ([n_events,] n_sources)
            m, >= 0.
        sources : sequence of str
            Names of the unit sources, in order.
        method : str
            How it was found.
        window_min, start_min : float
            End and start of the window used, minutes after the origin.
        region : str
            Name of the region.
        gauges : sequence of str, optional
            Gauges used.
        model, bank : str, optional
            Identity of the checkpoint and of the bank.

        Returns
        -------
        estimate : SlipEstimate

        Raises
        ------
        InputError
            If a slip is negative or not finite, or the number of sources differs.
        """
        slip = np.asarray(slip_m, dtype=float)
        if slip.shape[-1] != len(sources):
            raise InputError(f"slip_m must have {len(sources)} sources, got {slip.shape[-1]}")
        lead = ("event",) * (slip.ndim - 1)
        return cls(
            xr.Dataset(
                {
                    "slip": ((*lead, "source"), slip, {"units": "m"}),
                    "magnitude": (lead, magnitude_of_slip(slip, sources), {"units": "1", "long_name": "Mw"}),
                },
                coords={"source": list(sources)},
                attrs={
                    "method": method,
                    "window_min": float(window_min),
                    "start_min": float(start_min),
                    "region": region,
                    "gauges": " ".join(gauges),
                    "model": model,
                    "bank": bank,
                },
            )
        )

    @classmethod
    def open(cls, path: str | os.PathLike) -> SlipEstimate:
        """Read a slip estimate; InputError if the file is missing, truncated or holds something else."""
        return cls(read_netcdf(path, "slip"))

    def save(self, path: str | os.PathLike) -> None:
        """Write the estimate as netCDF4, whole or not at all."""
        write_netcdf(self.dataset, Path(path), "slip")

    def one_event(self) -> SlipEstimate:
        """Return the same without a dimension of events; InputError if there are several."""
        return SlipEstimate(one_event(self.dataset, what="the slip estimate"))

    @property
    def slip(self) -> xr.DataArray:
        """Slip, m, dims ([event,] source)."""
        return self.dataset["slip"]

    @property
    def sources(self) -> list[str]:
        """Names of the unit sources, in order."""
        return [str(name) for name in self.dataset["source"].to_numpy()]

    @property
    def magnitude(self):
        """Moment magnitude: a float for one event, an array for several; -inf without slip."""
        values = self.dataset["magnitude"].to_numpy()
        return float(values) if values.ndim == 0 else values
