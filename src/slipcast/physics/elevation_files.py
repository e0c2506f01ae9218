"""Files of elevations, of which only what is needed is read."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr
from scipy import ndimage

from slipcast.errors import InputError, SlipcastWarning
from slipcast.physics.elevation_ascii import read_ascii_grid
from slipcast.physics.elevation_netcdf import find_elevation, nodata_values, open_netcdf

__all__ = ["ElevationFile", "blocks_of", "open_elevation"]

_LOWEST_M, _HIGHEST_M = -12_000.0, 9_000.0
_FILL_STEP_M = 3_000.0  # from one node to the next, where a number that may be a fill value stands beside it
_TIDAL_FLAT_M = 20.0  # a file without numbers above it holds the sea alone
_STEEPEST = 0.1  # of a coast, from a node to the next
_SHALLOW_M = 100.0
_BLOCK_NODES = 2**24
_DEGREE_M = 111_195.0


@dataclass(frozen=True)
class ElevationFile:
    """Elevations in a file, on axes that rise by constant steps.

    Attributes
    ----------
    path : Path
        Of the file.
    lon_deg : array, shape (n_lon,)
        Degrees east, rising; unwrapped where the file crosses the date line or Greenwich.
    lat_deg : array, shape (n_lat,)
        Degrees north, rising.
    values : array or DataArray, shape (n_lat, n_lon)
        As in the file, turned to the axes; a DataArray is read as it is indexed.
    sign : int
        1 for elevations, -1 for depths.
    nodata : tuple of float
        Numbers that may stand for none.
    chunk_rows : int
        Rows that are stored together.
    """

    path: Path
    lon_deg: np.ndarray
    lat_deg: np.ndarray
    values: np.ndarray | xr.DataArray
    sign: int = 1
    nodata: tuple[float, ...] = ()
    chunk_rows: int = 1
    _land: set[tuple[int, int, int, int]] = field(default_factory=set, repr=False, compare=False)

    def read(
        self,
        rows: slice,
        columns: slice,
        *,
        within: tuple[slice, slice],
        land_m: Callable[[np.ndarray, np.ndarray], np.ndarray],
    ) -> np.ndarray:
        """Read a part.

        Parameters
        ----------
        rows, columns : slice
            Along latitude and longitude, with ends.
        within : (slice, slice)
            All that is going to be read: gaps are land or not by what surrounds them there.
        land_m : callable
            Height of land, m, from arrays of longitude and latitude, degrees, for gaps that are land.

        Returns
        -------
        elevation_m : array, float32
            Positive up, m, finite.

        Raises
        ------
        InputError
            If a number is beyond -12,000 and 9,000 m or is a fill value that the file does not declare, or if there is
            a gap (NaN or a declared fill value) that is no land; the message says where.

        Warns
        -----
        SlipcastWarning
            If gaps are taken for land.
        """
        elevation = self._numbers(rows, columns)
        if np.isnan(elevation.min()):
            gaps = np.isnan(elevation)
            self._accept_gaps(*within)
            row, column = np.nonzero(gaps)
            elevation = elevation.copy()  # it may be the array of the file
            elevation[gaps] = land_m(self.lon_deg[columns][column], self.lat_deg[rows][row])
        return elevation

    def _numbers(self, rows: slice, columns: slice) -> np.ndarray:
        """Read numbers, NaN where there is none, and check them."""
        try:
            part = np.asarray(self.values[rows, columns], dtype=np.float32)
        except (OSError, RuntimeError) as error:
            raise InputError(f"bathymetry {self.path} cannot be read as netCDF: it is damaged") from error
        elevation = part if self.sign > 0 else -part
        low, high = float(np.fmin.reduce(part, axis=None)), float(np.fmax.reduce(part, axis=None))
        if min(self.sign * low, self.sign * high) < _LOWEST_M or max(self.sign * low, self.sign * high) > _HIGHEST_M:
            beyond = (elevation < _LOWEST_M) | (elevation > _HIGHEST_M)
            rule = f"{'an elevation' if self.sign > 0 else 'a depth'} of the earth, nor a declared fill value"
            if self._may_be_turned(part, elevation[beyond]):
                rule = f"{rule}; {self.remedy}"
            self._refuse(part, beyond, rows, columns, rule)
        # no node of a sea floor has a neighbour that is 3 km higher or lower and the very number that stands for none
        for number in self.nodata:
            at = part == np.float32(number) if low <= number <= high else np.zeros(1, bool)
            if at.any() and (odd := at & _beside_a_step(part, at)).any():
                rule = "likely at its place; declare it as _FillValue (nodata_value)"
                self._refuse(part, odd, rows, columns, rule)
        return elevation

    def _may_be_turned(self, part: np.ndarray, beyond_m: np.ndarray) -> bool:
        """Tell whether numbers beyond the highest land are those of a sea floor the other way round."""
        return bool(((beyond_m > 0) & (beyond_m < -_LOWEST_M)).all()) and not np.isin(part, self.nodata).any()

    @property
    def remedy(self) -> str:
        """What mends a file whose numbers have the other direction."""
        other, way = ("depths", "down") if self.sign > 0 else ("elevations", "up")
        return f"if its numbers are {other}, it needs the attribute positive = '{way}', or in a text another sign"

    def _refuse(self, part: np.ndarray, where: np.ndarray, rows: slice, columns: slice, rule: str) -> None:
        """Raise for the first of some nodes."""
        row, column = (int(i) for i in np.argwhere(where)[0])
        place = self._place(rows.start + row, columns.start + column)
        raise InputError(
            f"bathymetry {self.path} has {part[row, column]:g} at {place}"
            f" (and at {np.count_nonzero(where) - 1} more nodes), which is not {rule}"
        )

    def _accept_gaps(self, rows: slice, columns: slice) -> None:
        """Warn that the gaps of a part are taken for land, once; refuse those that are none."""
        key = (rows.start, rows.stop, columns.start, columns.stop)
        if key in self._land:
            return
        size = (rows.stop - rows.start) * (columns.stop - columns.start)
        side = int(np.ceil(np.sqrt(size / _BLOCK_NODES)))
        number, lowest, highest = self._surveyed(rows, columns, side)
        gap, step_m = number > 0, _DEGREE_M * float(self.lat_deg[1] - self.lat_deg[0])
        if not np.isfinite(highest).any():
            raise InputError(f"bathymetry {self.path} holds no number from {self._place(rows.start, columns.start)} on")
        sea_alone = highest.max() <= _TIDAL_FLAT_M
        label, count = ndimage.label(gap, structure=np.ones((3, 3)))
        each = np.arange(1, count + 1)
        shallowest = ndimage.maximum(ndimage.maximum_filter(highest, size=3), label, each)
        deepest = ndimage.minimum(ndimage.minimum_filter(lowest, size=3), label, each)
        is_land = (deepest > 0) | (sea_alone & (shallowest >= -max(_SHALLOW_M, _STEEPEST * step_m)))
        if not is_land.all():
            first = int(np.argmin(is_land)) + 1
            row, column = (int(i) * side for i in np.argwhere(label == first)[0])
            why = "" if sea_alone else ", and numbers for land elsewhere"
            raise InputError(
                f"bathymetry {self.path} has a gap at {self._place(rows.start + row, columns.start + column)}{why}; "
                "fill it first"
            )
        self._land.add(key)
        row, column = (int(i) * side for i in np.argwhere(gap)[0])
        warnings.warn(
            f"bathymetry {self.path} has no number at {int(number.sum())} nodes, the first at "
            f"{self._place(rows.start + row, columns.start + column)}; they are taken for land, with the heights "
            "of ETOPO1",
            SlipcastWarning,
            stacklevel=2,
        )

    def _surveyed(self, rows: slice, columns: slice, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Count gaps, and find the lowest and highest number, in squares of a part, ``side`` nodes wide."""
        found: list[tuple[np.ndarray, ...]] = []
        height = max(1, _BLOCK_NODES // (columns.stop - columns.start) // side) * side
        at = np.arange(0, columns.stop - columns.start, side)
        for start in range(rows.start, rows.stop, height):
            part = self._numbers(slice(start, min(start + height, rows.stop)), columns)
            over = np.arange(0, len(part), side)
            empty = np.isnan(part)
            found.append(
                tuple(
                    reduce.reduceat(reduce.reduceat(numbers, over, axis=0), at, axis=1)
                    for reduce, numbers in (
                        (np.add, empty.astype(np.int32)),
                        (np.minimum, np.where(empty, np.inf, part)),
                        (np.maximum, np.where(empty, -np.inf, part)),
                    )
                )
            )
        number, lowest, highest = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return number, lowest, highest

    def _place(self, row: int, column: int) -> str:
        """Word where a node is."""
        return f"longitude {self.lon_deg[column]:g}, latitude {self.lat_deg[row]:g}"


def open_elevation(path: Path) -> ElevationFile:
    """Open a file of elevations; its axes are read, and what text holds.

    Parameters
    ----------
    path : Path
        netCDF, ESRI ASCII grid, or GeoClaw's topotype 2 or 3; known by its content.

    Returns
    -------
    file : ElevationFile

    Raises
    ------
    InputError
        If the file is missing, of another kind, or has no regular axes in degrees or no elevation.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(512)
    except OSError as error:
        raise InputError(f"no bathymetry file {path}") from error
    if begin[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        raise InputError(
            f"bathymetry {path} is a TIFF; bring it to netCDF first: gdal_translate -of netCDF IN.tif OUT.nc"
        )
    if begin[:3] != b"CDF" and begin[:8] != b"\x89HDF\r\n\x1a\n":
        lon, lat, values = read_ascii_grid(path)
        return _turned(path, lon, lat, values)
    dataset = open_netcdf(path)
    lon_of, lat_of, elevation, sign = find_elevation(dataset, path)
    source = dataset[elevation.name]
    chunks = dict(zip(source.dims, source.encoding.get("chunksizes") or (), strict=False))
    return _turned(
        path,
        lon_of.to_numpy(),
        lat_of.to_numpy(),
        elevation,
        sign=sign,
        nodata=tuple(nodata_values(source)),
        chunk_rows=chunks.get(lat_of.dims[0], 1),
    )


def _turned(path: Path, lon: np.ndarray, lat: np.ndarray, values: np.ndarray | xr.DataArray, **about) -> ElevationFile:
    """Turn numbers and axes so that these rise."""
    jump = np.diff(lon)
    if lon.size > 2 and np.count_nonzero(at := np.abs(jump) > 180) == 1 and np.sign(jump[at][0]) == np.sign(jump[0]):
        # cut at the date line and put in order: the east of the file stands before its west
        cut = int(np.argmax(at)) + 1
        if lon.size * lat.size > 4 * _BLOCK_NODES:
            raise InputError(
                f"bathymetry {path}: its longitudes must be in one piece, got {lon[cut - 1]:g}, {lon[cut]:g}"
            )
        lon = np.concatenate((lon[cut:], lon[:cut] + 360.0 * np.sign(jump[at][0])))
        values = np.concatenate((values[:, cut:], values[:, :cut]), axis=1)
    lon, lon_falls = _regular(lon, "longitudes", path)
    lat, lat_falls = _regular(lat, "latitudes", path)
    turn = tuple(slice(None, None, -1 if falls else 1) for falls in (lat_falls, lon_falls))
    return ElevationFile(path, lon, lat, values[turn], **about)


def blocks_of(rows: slice, n_columns: int, chunk_rows: int = 1, *, n_nodes: int = _BLOCK_NODES) -> Iterator[slice]:
    """Divide rows into blocks of about ``n_nodes`` nodes, of whole chunks where these are not larger."""
    height = max(1, n_nodes // n_columns)
    if chunk_rows <= 2 * height:
        height = max(1, height // chunk_rows) * chunk_rows
    start = rows.start
    while start < rows.stop:
        stop = min((start // height + 1) * height, rows.stop)
        yield slice(start, stop)
        start = stop


def _regular(axis: np.ndarray, what: str, path: Path) -> tuple[np.ndarray, bool]:
    """Return an axis rising, unwrapped and free of rounding, and whether it falls in the file."""
    rounding = 1e-9 if axis.dtype != np.float32 else float(np.spacing(np.float32(360.0)))
    axis = axis.astype(float)
    rule = f"bathymetry {path}: its {what} must rise by a constant step"
    if axis.size < 2 or not np.isfinite(axis).all():
        raise InputError(f"{rule}, got {axis.size} numbers" + (", some of them NaN" if axis.size > 1 else ""))
    if what == "longitudes":
        jump = np.diff(axis)
        if np.count_nonzero(np.abs(jump) > 180) == 1:  # from 179 to -179, or from 359 to 0
            axis = axis - 360.0 * np.concatenate(([0.0], np.cumsum(np.round(jump / 360.0))))
    falls = bool(axis[0] > axis[-1])
    axis = _without_rounding(axis[::-1] if falls else axis, rounding, rule)
    low, high = (-360.0, 720.0) if what == "longitudes" else (-90.0, 90.0)
    step = float(axis[1] - axis[0])
    if not (axis[0] >= low - step and axis[-1] <= high + step):
        raise InputError(f"bathymetry {path}: its {what} must be degrees, got {axis[0]:g} to {axis[-1]:g}")
    return axis, falls


def _without_rounding(axis: np.ndarray, rounding: float, rule: str) -> np.ndarray:
    """Return an axis as it is where its steps are even, else the even one of which it is rounded."""
    step = np.diff(axis)
    if (step > 0).all() and np.ptp(step) <= 0.01 * step.mean():
        return axis
    # written with few decimals: near a line by half of the last one
    decimals = next((n for n in range(9) if np.allclose(axis, np.round(axis, n), rtol=0, atol=1e-9)), 9)
    rounding = max(rounding, 0.5 * 10.0**-decimals)
    number = np.arange(axis.size)
    slope, _ = np.polyfit(number, axis, 1)
    line = axis.mean() + slope * (number - number.mean())
    uneven = np.abs(axis - line)
    if not (step > 0).all() or rounding > 0.2 * step.mean() or uneven.max() > 1.1 * rounding:
        at = int(np.argmax(uneven))
        raise InputError(f"{rule}, got {axis[at]:g} where an even one has {line[at]:g}")
    return line


def _beside_a_step(part: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Tell which nodes have a neighbour, not itself one of those, that is far higher or lower."""
    odd = np.zeros(part.shape, bool)
    for axis in (0, 1):
        one, other = (np.s_[:-1], np.s_[1:]) if axis == 0 else (np.s_[:, :-1], np.s_[:, 1:])
        far = (np.abs(part[one] - part[other]) > _FILL_STEP_M) & (at[one] != at[other])
        odd[one] |= far
        odd[other] |= far
    return odd
