"""Ranges of numbers in files that have no seal, by the names that the documented forms give them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from slipcast.errors import InputError

__all__ = ["check_ranges"]

_LON, _LAT, _HEIGHT, _SLIP, _TIME = (-360.0, 720.0), (-90.0, 90.0), (-1e3, 1e3), (0.0, 1e3), (-3.2e8, 3.2e8)
_RANGES = {
    "gauge_lon": _LON,
    "gauge_lat": _LAT,
    "subfault_lon": _LON,
    "hump_lon": _LON,
    "hump_lat": _LAT,
    "elevation": _HEIGHT,
    "elevation_sample": _HEIGHT,
    "subfault_lat": _LAT,
    "gauge_depth": (-1e4, 1.2e4),
    "subfault_depth": (-1e4, 1e6),
    "gauge_hours": (0.0, 1e4),
    "time": _TIME,
    "minute": _TIME,
    "arrival_time": _TIME,
    "max_time": _TIME,
    "last_sample": _TIME,
    "height": (-1.2e4, 1.2e4),  # of the water column above a DART
    "sea_level": (-1.2e4, 1.2e4),
    "tide_column": (-1.2e4, 1.2e4),
    "sea_level_quantile": _HEIGHT,
    "max_amplitude": _HEIGHT,
    "max_amplitude_quantile": _HEIGHT,
    "coast_height": _HEIGHT,
    "coast_height_quantile": _HEIGHT,
    "slip": _SLIP,
    "slip_sample": _SLIP,
    "slip_sd": _SLIP,
    "slip_quantile": _SLIP,
    "subfault_sample": (-1e3, 1e3),
    "weights": (-1e3, 1e3),
    "onset": _TIME,
    "magnitude": (-np.inf, 11.0),  # no slip has none
    "magnitude_quantile": (-np.inf, 11.0),
    "quantile": (0.0, 1.0),
    "response": (-1e3, 1e3),
    "source_response": (-1e3, 1e3),
    "split": (0.0, 2.0),
}
_RISING = ("time", "minute", "quantile")
_COMPLETE = {*_RISING, "gauge_lon", "gauge_lat", "gauge_hours", "slip", "weights", "split"}
_MOST_READ = 1 << 24


def check_ranges(dataset: xr.Dataset, path: Path) -> None:
    """Refuse numbers that cannot be: outside the range that their name has, not rising, or missing where none may.

    Parameters
    ----------
    dataset : xarray.Dataset
        In one of the documented forms; names that are not known are passed over, and arrays of over 16 million values.
    path : path
        For messages.

    Raises
    ------
    InputError
        Naming variable, rule and the first value that breaks it.
    """
    for name in sorted(_RANGES.keys() & {str(name) for name in dataset.variables}):
        variable = dataset.variables[name]
        if variable.size > _MOST_READ:
            continue
        values, where = variable.to_numpy(), f"{path} is damaged, or no file of this kind: {name}"
        if values.dtype.kind not in "fiu":
            raise InputError(f"{where} must be numbers, got {values.dtype}")
        low, high = _RANGES[name]
        bad = ~((values >= low) & (values <= high))
        if name not in _COMPLETE:
            bad &= ~np.isnan(values)
        if bad.any():
            missing = "" if name not in _COMPLETE else ", none missing"
            raise InputError(f"{where} must be in [{low:g}, {high:g}]{missing}, got {values[bad].ravel()[0]:g}")
        if name in _RISING and values.ndim == 1 and not (np.diff(values) > 0).all():
            raise InputError(f"{where} must rise, it does not after {values[np.argmin(np.diff(values) > 0)]:g}")
