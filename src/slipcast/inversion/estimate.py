"""Slip estimates: slip on unit sources with magnitude, intervals and provenance."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from slipcast.errors import InputError
from slipcast.io.labels import one_event
from slipcast.io.netcdf import read_netcdf, write_netcdf
from slipcast.physics.moment import moment_magnitude, seismic_moment
from slipcast.physics.unit_sources import unit_source

__all__ = ["QUANTILES", "SlipEstimate", "centroid_latitude", "magnitude_of_slip"]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Whose quantiles go with an uncertain result: the ends of its 90 % and 50 % intervals, and the median."""


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
        ``model``, ``bank``. Where the method knows how uncertain it is: ``slip_sample([event,] sample, source)`` m,
        draws that fit the records; ``slip_sd([event,] source)`` m, ``slip_quantile([event,] quantile, source)`` m and
        ``magnitude_quantile([event,] quantile)`` of these draws. From a model that draws whole earthquakes, the same
        draws as ``subfault_sample([event,] sample, subfault)`` m, slip on the subfaults of the region, and as
        ``amplitude_sample([event,] sample, mode)``, from which the model knows the waves.
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
        samples_m=None,
        subfault_samples_m=None,
        amplitude_samples=None,
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
        samples_m : array, shape ([n_events,] n_samples, n_sources), optional
            Draws of slip that fit the records, m, >= 0.
        subfault_samples_m : array, shape ([n_events,] n_samples, n_subfaults), optional
            The same draws on subfaults, m.
        amplitude_samples : array, shape ([n_events,] n_samples, n_modes), optional
            The same draws as the model's amplitudes.

        Returns
        -------
        estimate : SlipEstimate

        Raises
        ------
        InputError
            If a slip is negative or not finite, or the number of sources or events differs.
        """
        slip = np.asarray(slip_m, dtype=float)
        if slip.shape[-1] != len(sources):
            raise InputError(f"slip_m must have {len(sources)} sources, got {slip.shape[-1]}")
        lead = ("event",) * (slip.ndim - 1)
        variables = {
            "slip": ((*lead, "source"), slip, {"units": "m"}),
            "magnitude": (lead, magnitude_of_slip(slip, sources), {"units": "1", "long_name": "Mw"}),
        }
        coords: dict[str, Any] = {"source": list(sources)}
        if samples_m is not None:
            variables |= _spread(np.asarray(samples_m, dtype=float), slip.shape, lead, sources)
            coords["quantile"] = list(QUANTILES)
        for name, of_what, draws in (("subfault", "m", subfault_samples_m), ("amplitude", "1", amplitude_samples)):
            if draws is not None:
                dims = (*lead, "sample", "subfault" if name == "subfault" else "mode")
                variables[f"{name}_sample"] = (dims, np.asarray(draws, dtype=np.float32), {"units": of_what})
        return cls(
            xr.Dataset(
                variables,
                coords=coords,
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

    @property
    def samples(self) -> xr.DataArray | None:
        """Draws of slip that fit the records, m, dims ([event,] sample, source); None if the method has none."""
        return self.dataset.get("slip_sample")


def _spread(samples: np.ndarray, shape: tuple[int, ...], lead: tuple[str, ...], sources: Sequence[str]) -> dict:
    """Summarise draws of slip as variables of a dataset."""
    if samples.ndim != len(shape) + 1 or (*samples.shape[:-2], samples.shape[-1]) != shape:
        expected = ", ".join(str(size) for size in (*shape[:-1], "n_samples", shape[-1]))
        raise InputError(f"samples_m must have shape ({expected}), got {samples.shape}")
    magnitude = np.quantile(magnitude_of_slip(samples, sources), QUANTILES, axis=-1, method="lower")
    return {
        "slip_sample": ((*lead, "sample", "source"), samples.astype(np.float32), {"units": "m"}),
        "slip_sd": ((*lead, "source"), samples.std(axis=-2), {"units": "m"}),
        "slip_quantile": (
            (*lead, "quantile", "source"),
            np.moveaxis(np.quantile(samples, QUANTILES, axis=-2), 0, -2),
            {"units": "m"},
        ),
        "magnitude_quantile": ((*lead, "quantile"), np.moveaxis(magnitude, 0, -1), {"units": "1", "long_name": "Mw"}),
    }
