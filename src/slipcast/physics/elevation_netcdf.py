"""Elevations in netCDF files: which variables hold longitude, latitude and elevation, and which way is up."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import xarray as xr

from slipcast.errors import InputError

__all__ = ["find_elevation", "nodata_values", "open_netcdf"]

_LON_NAMES = ("lon", "longitude", "x")
_LAT_NAMES = ("lat", "latitude", "y")
_ELEVATION_NAMES = (
    *("elevation", "z", "altitude", "topo", "band1", "bathymetry", "bathy", "depth"),
    *("topography", "bedrock", "height", "bottom_depth", "h", "band_data"),
)
_DEGREES = re.compile(r"deg(ree)?s?_?(east|north|e|n)?", re.IGNORECASE)
_METRES = re.compile(
    r"(m|met(er|re)s?|met(er|re)\(s\))"
    r"(\s*[,;(]?\s*\b(above|below|positive|up|down|relative|over|under|with|from|to|mean|msl|of).*)?",
    re.IGNORECASE,
)
_UP = {
    *(
        "altitude",
        "height",
        "surface_altitude",
        "bedrock_altitude",
        "height_above_mean_sea_level",
        "sea_floor_altitude",
    ),
    *("height_above_geopotential_datum", "height_above_reference_ellipsoid", "ground_level_altitude"),
}
_DOWN = {
    *("depth", "sea_floor_depth", "sea_floor_depth_below_mean_sea_level", "sea_floor_depth_below_geoid"),
    *(
        "sea_floor_depth_below_sea_level",
        "sea_floor_depth_below_sea_surface",
        "sea_floor_depth_below_reference_ellipsoid",
    ),
    *("sea_floor_depth_below_geopotential_datum", "depth_below_geoid", "model_sea_floor_depth_below_geoid"),
}
_NODATA_NAMES = ("nodata", "nodata_value", "no_data", "NODATA_value", "missing_data")


def open_netcdf(path: Path) -> xr.Dataset:
    """Open a netCDF file whose variables are read as they are needed, packed numbers unpacked, fill values NaN."""
    try:
        dataset = xr.open_dataset(path, engine="netcdf4", cache=False, decode_times=False, decode_coords=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"bathymetry {path} cannot be read as netCDF") from error
    return _of_gmt(dataset, path) if {"x_range", "y_range", "dimension", "z"} <= set(dataset.variables) else dataset


def find_elevation(dataset: xr.Dataset, path: Path) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray, int]:
    """Find longitude, latitude and elevation among the variables of a file.

    Parameters
    ----------
    dataset : Dataset
        From :func:`open_netcdf`.
    path : Path
        For messages.

    Returns
    -------
    lon, lat : DataArray, 1-D
        Degrees, known by standard name, units or name.
    elevation : DataArray, over latitude and longitude
        Not read yet; dimensions of length one are dropped. Known by its standard name, its name, a unit of length, or
        as the only variable over both axes.
    sign : int
        1 where it is positive up, -1 where it is a depth, by ``positive``, ``standard_name`` or ``units``, else by its
        names.

    Raises
    ------
    InputError
        If one of them is missing, or several could be it, or its unit, dimensions or direction do not fit.
    """
    axes = {"longitude": _axes(dataset, "longitude", path), "latitude": _axes(dataset, "latitude", path)}
    elevation, lon_dim, lat_dim = _elevation(dataset, axes, path)
    extra = [dim for dim in elevation.dims if dim not in (lon_dim, lat_dim)]
    if long := [str(dim) for dim in extra if elevation.sizes[dim] != 1]:
        raise InputError(
            f"bathymetry {path}: {elevation.name} must be numbers over latitude and longitude alone, got "
            f"{elevation.sizes[long[0]]} of {long[0]}"
        )
    unit = _unit(elevation)
    if unit and not _METRES.fullmatch(unit):
        raise InputError(f"bathymetry {path}: {elevation.name} must be in m, got {unit!r}")
    sign = _direction(elevation, path)
    elevation = elevation.isel(dict.fromkeys(extra, 0)).transpose(lat_dim, lon_dim)
    return axes["longitude"][lon_dim], axes["latitude"][lat_dim], elevation, sign


def _of_gmt(dataset: xr.Dataset, path: Path) -> xr.Dataset:
    """Lay out a grid of GMT before version 4 (ETOPO1's gdal files, GMRT): ends of axes, and one long row of numbers."""
    counts = dataset["dimension"].to_numpy().astype(int).ravel()
    z = dataset["z"].to_numpy()
    if counts.shape != (2,) or (counts < 2).any() or z.size != counts.prod():
        raise InputError(f"bathymetry {path}: z must have {' x '.join(map(str, counts))} numbers, got {z.size}")
    cells = int(dataset["z"].attrs.get("node_offset", 0) == 1)  # the ends are edges of cells, else they are nodes
    axes = []
    for name, count in zip(("x_range", "y_range"), counts, strict=True):
        first, last = (float(end) for end in dataset[name].to_numpy())
        axes.append(first + (np.arange(count) + cells / 2) * (last - first) / (count - 1 + cells))
    # rows begin in the north
    return xr.Dataset({"z": (("lat", "lon"), z.reshape(counts[::-1]))}, {"lon": axes[0], "lat": axes[1][::-1]})


def nodata_values(elevation: xr.DataArray) -> list[float]:
    """Return values that may stand for nothing without the file saying so as netCDF has it, unpacked."""
    found = [float(elevation.attrs[name]) for name in _NODATA_NAMES if _is_number(elevation.attrs.get(name))]
    packed = np.dtype(elevation.encoding.get("dtype", elevation.dtype))
    if packed.kind in "iu":
        ends = np.iinfo(packed)
        scale, offset = (
            elevation.encoding.get(key, or_else) for key, or_else in (("scale_factor", 1), ("add_offset", 0))
        )
        found += [float(end * scale + offset) for end in (ends.min, ends.min + 1, ends.max)]
    return [*found, -9999.0, 9999.0]


def _axes(dataset: xr.Dataset, what: str, path: Path) -> dict[str, xr.DataArray]:
    """Return the 1-D variables that hold one of the axes, by their dimension; the better known comes first."""
    names, letter, end = (_LON_NAMES, "X", "east") if what == "longitude" else (_LAT_NAMES, "Y", "north")
    found: dict[int, list[xr.DataArray]] = {0: [], 1: [], 2: []}
    other = None
    for name in dataset.variables:
        variable = dataset[name]
        if variable.ndim != 1 or variable.dtype.kind not in "iuf":
            continue
        unit = str(variable.attrs.get("units", "")).strip()
        of_axis = _DEGREES.fullmatch(unit)
        side = (of_axis.group(2) or "").lower() if of_axis else ""
        if side:
            if side[0] == end[0]:
                found[0].append(variable)
        elif str(variable.attrs.get("standard_name", "")).lower() == what:
            found[0].append(variable)
        elif str(name).lower() in names or str(variable.attrs.get("axis", "")).upper() == letter:
            if unit and not of_axis:
                other = f"{name} is in {unit!r}"
            else:
                found[1 if str(name).lower() in names else 2].append(variable)
    ranked = [variable for rank in sorted(found) for variable in found[rank]]
    if not ranked:
        curved = [str(n) for n in dataset.variables if str(n).lower() in names and dataset[n].ndim > 1]
        if curved:
            other = f"{curved[0]} has {dataset[curved[0]].ndim} dimensions"
        listed = ", ".join(str(n) for n in dataset.variables)
        raise InputError(
            f"bathymetry {path} has no {what} in degrees along one dimension: looked for {', '.join(names)}, found "
            + (other or listed or "no variable")
        )
    return {str(variable.dims[0]): variable for variable in reversed(ranked)}


def _elevation(
    dataset: xr.Dataset, axes: dict[str, dict[str, xr.DataArray]], path: Path
) -> tuple[xr.DataArray, str, str]:
    """Choose the variable that holds the elevation, and name its dimensions."""
    fits = []
    for name in dataset.variables:
        variable = dataset[name]
        along = [[str(dim) for dim in variable.dims if str(dim) in axes[what]] for what in ("longitude", "latitude")]
        if variable.dtype.kind in "iuf" and [len(dims) for dims in along] == [1, 1] and along[0] != along[1]:
            fits.append((_likeness(variable), variable, along[0][0], along[1][0]))
    best = min((rank for rank, *_ in fits), default=(9, 0))
    chosen = [each for each in fits if each[0] == best]
    if not chosen or best[0] == 9:
        raise InputError(
            f"bathymetry {path} has no elevation: looked for {', '.join(_ELEVATION_NAMES[:4])}, or numbers in m over "
            f"longitude and latitude, found {', '.join(str(n) for n in dataset.variables)}"
        )
    if len(chosen) > 1:
        raise InputError(
            f"bathymetry {path} must have one elevation, got {', '.join(str(each[1].name) for each in chosen)}; leave "
            "the one that is meant"
        )
    return chosen[0][1:]


def _likeness(variable: xr.DataArray) -> tuple[int, int]:
    """Rank a variable as an elevation, the likeliest lowest; 9 is none."""
    name, unit = str(variable.name).lower(), _unit(variable)
    if variable.encoding.get("dtype", variable.dtype) in (np.int8, np.uint8):
        return (9, 0)  # flags
    known = _ELEVATION_NAMES.index(name) if name in _ELEVATION_NAMES else len(_ELEVATION_NAMES)
    if str(variable.attrs.get("standard_name", "")).lower() in _UP | _DOWN:
        return (0, known)
    if name in _ELEVATION_NAMES:
        return (1, known)
    if not unit:
        return (3, 0)
    return (2, 0) if _METRES.fullmatch(unit) else (9, 0)


def _direction(elevation: xr.DataArray, path: Path) -> int:
    """Tell elevation (1) from depth (-1)."""
    positive = str(elevation.attrs.get("positive", "")).strip().lower()
    if positive not in ("", "up", "down"):
        raise InputError(f"bathymetry {path}: positive of {elevation.name} must be up or down, got {positive[:60]!r}")
    standard = str(elevation.attrs.get("standard_name", "")).lower()
    unit = _unit(elevation).lower()
    said = {
        f"positive = {positive!r}": {"up": 1, "down": -1}.get(positive, 0),
        f"standard_name = {standard!r}": (standard in _UP) - (standard in _DOWN),
        f"units = {unit!r}": bool(re.search(r"above|\bup", unit)) - bool(re.search(r"below|\bdown", unit)),
    }
    if len({way for way in said.values() if way}) > 1:
        both = ", ".join(text for text, way in said.items() if way)
        raise InputError(f"bathymetry {path}: {elevation.name} must be either an elevation or a depth, got {both}")
    if way := next((way for way in said.values() if way), 0):
        return way
    long_name, name = (str(text).lower() for text in (elevation.attrs.get("long_name", ""), elevation.name))
    if re.search(r"elevation|height|altitude|topograph", long_name) or name in ("elevation", "altitude", "topo"):
        return 1
    return -1 if "depth" in long_name or "depth" in name else 1


def _unit(variable: xr.DataArray) -> str:
    """Return the unit of a variable, its words apart; empty where there is none."""
    return str(variable.attrs.get("units", "")).replace("_", " ").strip()


def _is_number(value) -> bool:
    """Tell whether an attribute is one number."""
    try:
        return bool(np.isfinite(float(value)))
    except (TypeError, ValueError):
        return False
