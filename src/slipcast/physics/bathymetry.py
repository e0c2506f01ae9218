"""Bathymetry: reading, cropping and regridding."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.sparse import csr_array

from slipcast.errors import InputError, check_kind
from slipcast.geodesy import EARTH_RADIUS_M, great_circle_distance, wrap_longitude
from slipcast.io.identity import fingerprint
from slipcast.physics.elevation_files import ElevationFile, blocks_of, open_elevation

__all__ = ["Bathymetry", "BathymetryFile", "Grid"]

_WHOLE_NODES = 2**24
_LEAST_LAND_M = 1.0
_MANY_PARTS = 8
_COMPARED_NODES = 20_000
_PLAIN_M = 200.0  # this high or deep is land or sea on any map


@dataclass(frozen=True)
class Grid:
    """A regular grid of cells in longitude and latitude.

    The first cell is centred **on** the south-west corner of the range, so that grids whose spacings divide each
    other share points (and those of 6 arc-minutes are the nodes of ETOPO1).

    Attributes
    ----------
    lon_west_deg, lon_east_deg : float
        Range, degrees east; the west end in [0, 360), the east one above it (it may pass 360) and excluded.
    lat_south_deg, lat_north_deg : float
        Range, degrees north, the north end excluded.
    spacing_arcmin : float
        Cell size in both directions, arc-minutes; divides both extents.

    Examples
    --------
    >>> Grid.over((220.0, 240.0), (36.0, 54.0), 2.0).shape
    (540, 600)
    """

    lon_west_deg: float
    lon_east_deg: float
    lat_south_deg: float
    lat_north_deg: float
    spacing_arcmin: float

    @classmethod
    def over(cls, lon_deg: tuple[float, float], lat_deg: tuple[float, float], spacing_arcmin: float) -> Grid:
        """Lay a grid over a range of longitudes and latitudes.

        Parameters
        ----------
        lon_deg, lat_deg : (float, float)
            West and east, south and north edges, degrees.
        spacing_arcmin : float
            Cell size, arc-minutes.

        Raises
        ------
        InputError
            If the range is empty, passes a pole, or is no whole number of cells.
        """
        west = float(wrap_longitude(lon_deg[0]))
        span = lon_deg[1] - lon_deg[0]
        if not 0 < span <= 360:
            raise InputError(f"grid longitudes must run from west to east by at most 360 degrees, got {lon_deg}")
        if not -89 <= lat_deg[0] < lat_deg[1] <= 89:
            raise InputError(f"grid latitudes must rise within [-89, 89] degrees, got {lat_deg}")
        if not 0 < spacing_arcmin <= 60:
            raise InputError(f"grid spacing must be in (0, 60] arc-minutes, got {spacing_arcmin}")
        for what, extent in (("longitude", span), ("latitude", lat_deg[1] - lat_deg[0])):
            cells = extent * 60 / spacing_arcmin
            if abs(cells - round(cells)) > 1e-6 or round(cells) < 3:
                raise InputError(
                    f"grid spacing of {spacing_arcmin} arc-minutes does not divide its {what} range "
                    f"of {extent:g} degrees into three or more whole cells"
                )
        return cls(west, west + span, float(lat_deg[0]), float(lat_deg[1]), float(spacing_arcmin))

    @property
    def spacing_deg(self) -> float:
        """Cell size, degrees."""
        return self.spacing_arcmin / 60.0

    @property
    def shape(self) -> tuple[int, int]:
        """Number of cells in latitude and longitude."""
        return (
            round((self.lat_north_deg - self.lat_south_deg) / self.spacing_deg),
            round((self.lon_east_deg - self.lon_west_deg) / self.spacing_deg),
        )

    @property
    def lon_deg(self) -> np.ndarray:
        """Centres of the columns, degrees east, rising (beyond 360 where the grid crosses Greenwich)."""
        return self.lon_west_deg + np.arange(self.shape[1]) * self.spacing_deg

    @property
    def lat_deg(self) -> np.ndarray:
        """Centres of the rows, degrees north, rising."""
        return self.lat_south_deg + np.arange(self.shape[0]) * self.spacing_deg

    @property
    def cell_area_m2(self) -> np.ndarray:
        """Area of a cell in each row, m^2, in the measure of the solver: R^2 cos(lat) dlon dlat."""
        step = np.radians(self.spacing_deg)
        return EARTH_RADIUS_M**2 * np.cos(np.radians(self.lat_deg)) * step**2

    def position(self, lon_deg, lat_deg):
        """Compute where points lie in an array of the grid's shape.

        Parameters
        ----------
        lon_deg, lat_deg : float or array
            Degrees; any branch of longitude.

        Returns
        -------
        row, column : float or array
            Fractional indices, whole at cell centres; outside the array for points outside the grid.
        """
        lon = wrap_longitude(lon_deg, west_deg=self.lon_west_deg - 0.5 * self.spacing_deg)
        return (
            np.subtract(lat_deg, self.lat_south_deg) / self.spacing_deg,
            (lon - self.lon_west_deg) / self.spacing_deg,
        )

    def cell(self, lon_deg: float, lat_deg: float) -> tuple[int, int]:
        """Find the cell that holds a point.

        Parameters
        ----------
        lon_deg, lat_deg : float
            Degrees; any branch of longitude.

        Returns
        -------
        row, column : int
            Position in an array of the grid's shape.

        Raises
        ------
        InputError
            If the point is outside, or not finite.
        """
        if not np.isfinite([lon_deg, lat_deg]).all():
            raise InputError(f"a point must be finite, got ({lon_deg}, {lat_deg})")
        row, column = (int(np.floor(index + 0.5)) for index in self.position(lon_deg, lat_deg))
        n_rows, n_columns = self.shape
        if not (0 <= row < n_rows and 0 <= column < n_columns):
            raise InputError(
                f"point ({lon_deg:g}, {lat_deg:g}) is outside the grid, which spans longitudes "
                f"{self.lon_west_deg:g} to {self.lon_east_deg:g}, latitudes {self.lat_south_deg:g} to "
                f"{self.lat_north_deg:g}"
            )
        return row, column

    def nearest_wet_cell(self, lon_deg: float, lat_deg: float, wet: np.ndarray) -> tuple[float, float]:
        """Find the wet cell nearest to a point.

        Parameters
        ----------
        lon_deg, lat_deg : float
            Degrees.
        wet : array of bool, shape of the grid
            True at sea; at least one is.

        Returns
        -------
        lon_deg, lat_deg : float
            Its centre, degrees.
        """
        rows, columns = np.nonzero(wet)
        distance = great_circle_distance(lon_deg, lat_deg, self.lon_deg[columns], self.lat_deg[rows])
        best = int(np.argmin(distance))
        return float(self.lon_deg[columns[best]] % 360.0), float(self.lat_deg[rows[best]])


@dataclass(frozen=True)
class Bathymetry:
    """Elevation of the sea floor and the land at the nodes of a longitude-latitude mesh.

    Attributes
    ----------
    lon_deg : array, shape (n_lon,)
        Rising by a constant step; may start at -180 or 0.
    lat_deg : array, shape (n_lat,)
        Rising by a constant step.
    elevation_m : array, shape (n_lat, n_lon)
        Positive up, m, finite.
    title : str
        Where it is from.
    """

    lon_deg: np.ndarray
    lat_deg: np.ndarray
    elevation_m: np.ndarray = field(repr=False)
    title: str

    @classmethod
    def etopo1(cls) -> Bathymetry:
        """Return ETOPO1 at 6 arc-minutes, global, as carried in the package (Amante and Eakins 2009)."""
        return _packaged_etopo1()

    @classmethod
    def open(cls, path: str | os.PathLike, *, grids: Iterable[Grid] | None = None) -> Bathymetry:
        """Open a file of elevations or depths, such as GEBCO or ETOPO 2022.

        Parameters
        ----------
        path : path
            netCDF, ESRI ASCII grid, or GeoClaw's topotype 2 or 3. In netCDF, longitude and latitude are 1-D, known by
            ``units``, ``standard_name`` or as ``lon``/``longitude``/``x`` and ``lat``/``latitude``/``y``, rising or
            falling, in any branch; the elevation is known by ``standard_name``, its name (``elevation``, ``z``,
            ``altitude``, ``topo``, ``Band1``, ``depth``, ...), a unit of metres or as the only variable over both, and
            may have other dimensions of length one. It is a depth where ``positive``, ``standard_name`` or ``units``
            say so, else where its name does. Text is positive up.
        grids : iterable of Grid, optional
            The only grids for which it is wanted: :attr:`digest` covers the depths on these, not the whole file.

        Returns
        -------
        bathymetry : Bathymetry
            float32. Of more than 2^24 nodes, or with ``grids``, a :class:`BathymetryFile`, which is read as needed.

        Raises
        ------
        InputError
            If the file is missing, of another format, not in degrees and m, an uneven mesh, ambiguous about the
            variable or its direction, without any sea, with land at most places where ETOPO1 has deep sea, or as in
            :class:`BathymetryFile` about its numbers.

        Warns
        -----
        SlipcastWarning
            If a file of the sea alone has gaps (NaN or a declared fill value) for land, which gets heights of ETOPO1.
        """
        check_kind(path, (str, os.PathLike), "bathymetry", "a path")
        file = open_elevation(Path(path))
        opened = BathymetryFile(file, () if grids is None else tuple(grids))
        if grids is not None or len(file.lon_deg) * len(file.lat_deg) > _WHOLE_NODES:
            return opened
        if not (opened.elevation_m < 0).any():
            raise InputError(f"bathymetry {path} has no sea: {file.remedy}")
        opened._check_direction(file.lon_deg, file.lat_deg, opened.elevation_m)
        return Bathymetry(file.lon_deg, file.lat_deg, opened.elevation_m, title=opened.title)

    @property
    def spacing_arcmin(self) -> float:
        """Mean distance between nodes, arc-minutes."""
        return 60.0 * float(self.lat_deg[-1] - self.lat_deg[0]) / (len(self.lat_deg) - 1)

    @property
    def digest(self) -> str:
        """Fingerprint of the numbers."""
        return fingerprint(self.lon_deg, self.lat_deg, self.elevation_m)

    def depth_on(self, grid: Grid) -> np.ndarray:
        """Bring the depth onto a grid.

        Parameters
        ----------
        grid : Grid
            Finer than the mesh: bilinear interpolation. Coarser: the mean over each cell.

        Returns
        -------
        depth_m : array, shape of the grid
            Positive down, m; land is negative.

        Raises
        ------
        InputError
            If the mesh does not cover the grid; the message names the side.
        """
        parts = max(1, int(np.ceil(grid.spacing_arcmin / self.spacing_arcmin - 0.01)))
        within = ((np.arange(parts) + 0.5) / parts - 0.5) * grid.spacing_deg  # of the samples in a cell
        of_rows = self._row_weights((grid.lat_deg[:, np.newaxis] + within).ravel(), parts)
        of_columns = self._column_weights((grid.lon_deg[:, np.newaxis] + within).ravel(), parts)
        elevation = np.zeros(grid.shape)
        rows = _span(of_rows)
        for columns in _spans(of_columns):
            along = of_columns[:, columns].T
            for block in blocks_of(rows, columns.stop - columns.start, self._chunk_rows):
                mesh = self._read(block, columns, within=(rows, columns))
                across = of_rows[:, block]
                met = np.flatnonzero(np.diff(across.indptr))  # rows of the grid with a sample in this block
                elevation[met] += (across[met] @ mesh) @ along
        return -elevation.astype(np.float32).astype(float)  # positions are rounded; at a node its own number comes out

    @property
    def _chunk_rows(self) -> int:
        """Rows that are read together."""
        return 1

    def _read(self, rows: slice, columns: slice, *, within: tuple[slice, slice]) -> np.ndarray:
        """Return a part of the elevation, m."""
        return self.elevation_m[rows, columns]

    def _row_weights(self, lat_deg: np.ndarray, parts: int) -> csr_array:
        """Weigh the rows of the mesh in the means of ``parts`` samples each."""
        rows = (lat_deg - self.lat_deg[0]) / (self.spacing_arcmin / 60.0)
        self._check_cover(rows, "latitude", self.lat_deg, lat_deg)
        return _mean_weights(np.clip(rows, 0, len(self.lat_deg) - 1), parts, len(self.lat_deg))

    def _column_weights(self, lon_deg: np.ndarray, parts: int) -> csr_array:
        """Weigh the columns of the mesh in the means of ``parts`` samples each."""
        count = len(self.lon_deg)
        step = float(self.lon_deg[-1] - self.lon_deg[0]) / (count - 1)
        columns = (wrap_longitude(lon_deg, west_deg=self.lon_deg[0] - 0.5 * step) - self.lon_deg[0]) / step
        if (count + 0.5) * step >= 360.0:  # global: the first column is the next of the last
            return _mean_weights(columns, parts, count, period=round(360.0 / step))
        self._check_cover(columns, "longitude", self.lon_deg, lon_deg)
        return _mean_weights(np.clip(columns, 0, count - 1), parts, count)

    def _check_cover(self, index: np.ndarray, what: str, axis: np.ndarray, wanted: np.ndarray) -> None:
        """Refuse points more than half a node beyond the mesh."""
        if index.min() < -0.5 or index.max() > len(axis) - 0.5:
            raise InputError(
                f"bathymetry {self.title} spans {what}s {axis[0]:g} to {axis[-1]:g} and does not cover the "
                f"grid's {wanted[0]:g} to {wanted[-1]:g}"
            )


class BathymetryFile(Bathymetry):
    """Bathymetry in a file, of which only what a grid needs is read, in blocks of some million nodes.

    Parameters
    ----------
    file : ElevationFile
        The file, open.
    grids : tuple of Grid, optional
        The only grids for which it is wanted; their depths are kept, and :attr:`digest` covers these.

    Raises
    ------
    InputError
        On reading, from any method: if a number needed is beyond -12,000 and 9,000 m, is likely a fill value that is
        not declared, or lacks and is not land; the message says where. With ``grids``, of another grid.
    """

    file: ElevationFile
    grids: tuple[Grid, ...]
    _depths: dict[Grid, np.ndarray]

    def __init__(self, file: ElevationFile, grids: tuple[Grid, ...] = ()):
        title = file.path.name
        vars(self).update(lon_deg=file.lon_deg, lat_deg=file.lat_deg, title=title, file=file, grids=grids, _depths={})

    @cached_property
    def elevation_m(self) -> np.ndarray:
        """Elevation at all nodes, float32; reads the whole file."""
        rows, columns = slice(0, len(self.lat_deg)), slice(0, len(self.lon_deg))
        whole = np.empty((rows.stop, columns.stop), np.float32)
        for block in blocks_of(rows, columns.stop, self._chunk_rows):
            whole[block] = self._read(block, columns, within=(rows, columns))
        return whole

    @cached_property
    def digest(self) -> str:
        """Fingerprint of the depths on ``grids``; without grids, of all numbers, for which the whole file is read."""
        if self.grids:
            return fingerprint(*(self.depth_on(grid) for grid in self.grids))
        rows, columns = slice(0, len(self.lat_deg)), slice(0, len(self.lon_deg))
        within = (rows, columns)
        return fingerprint(
            self.lon_deg,
            self.lat_deg,
            *(fingerprint(self._read(block, columns, within=within)) for block in blocks_of(rows, columns.stop)),
        )

    def depth_on(self, grid: Grid) -> np.ndarray:
        """Bring the depth onto a grid, as :meth:`Bathymetry.depth_on`; a grid of ``grids`` is read once."""
        if self.grids and grid not in self.grids:
            raise InputError(f"grid must be one of those for which bathymetry {self.title} was opened, got {grid}")
        if grid in self._depths:
            return self._depths[grid].copy()
        depth_m = super().depth_on(grid)
        self._check_direction(grid.lon_deg, grid.lat_deg, -depth_m)
        if self.grids:
            self._depths[grid] = depth_m.copy()
        return depth_m

    def _check_direction(self, lon_deg: np.ndarray, lat_deg: np.ndarray, elevation_m: np.ndarray) -> None:
        """Refuse a file that has land at most places where ETOPO1 has the deep sea."""
        step = max(1, int(np.sqrt(elevation_m.size / _COMPARED_NODES)))
        lon, lat = np.meshgrid(lon_deg[::step], lat_deg[::step])
        deep = _etopo1_at(lon, lat) < -_PLAIN_M
        land = elevation_m[::step, ::step] > _PLAIN_M
        if deep.mean() > 0.05 and land[deep].mean() > 0.5:
            row, column = np.argwhere(land & deep)[0]
            raise InputError(
                f"bathymetry {self.file.path} has land at {land[deep].mean():.0%} of the places where ETOPO1 has deep "
                f"sea, as at longitude {lon[row, column]:g}, latitude {lat[row, column]:g}: {self.file.remedy}"
            )

    @property
    def _chunk_rows(self) -> int:
        return self.file.chunk_rows

    def _read(self, rows: slice, columns: slice, *, within: tuple[slice, slice]) -> np.ndarray:
        land_m = partial(_etopo1_at, least_m=_LEAST_LAND_M)
        return self.file.read(rows, columns, within=within, land_m=land_m)


def _etopo1_at(lon_deg: np.ndarray, lat_deg: np.ndarray, *, least_m: float = -np.inf) -> np.ndarray:
    """Interpolate the elevation of ETOPO1 at points, m."""
    etopo1 = Bathymetry.etopo1()
    step = etopo1.spacing_arcmin / 60.0
    round_the_globe = etopo1.elevation_m[:, : round(360.0 / step)]
    rows = np.clip((lat_deg - etopo1.lat_deg[0]) / step, 0, len(etopo1.lat_deg) - 1)
    columns = np.mod(lon_deg - etopo1.lon_deg[0], 360.0) / step
    height_m = map_coordinates(round_the_globe, (rows, columns), output=np.float32, order=1, mode="grid-wrap")
    return np.maximum(height_m, np.float32(least_m))


def _mean_weights(position: np.ndarray, parts: int, count: int, *, period: int | None = None) -> csr_array:
    """Weigh ``count`` nodes in the means of ``parts`` interpolated positions each; circular with a period."""
    lower = np.floor(position).astype(int)
    upper_weight = position - lower
    nodes = np.stack([lower, lower + 1], axis=1)
    nodes = np.minimum(nodes, count - 1) if period is None else nodes % period
    weights = np.stack([1.0 - upper_weight, upper_weight], axis=1) / parts
    ends = np.arange(0, nodes.size + 1, 2 * parts)
    # the mean of hundreds of nodes is as good in float32, within a millimetre, and twice as fast
    kind = np.float32 if parts > _MANY_PARTS else np.float64
    found = csr_array((weights.ravel().astype(kind), nodes.ravel(), ends), shape=(len(position) // parts, count))
    found.sum_duplicates()
    return found


def _span(weights: csr_array) -> slice:
    """Return the nodes from the first to the last that weigh."""
    return slice(int(weights.indices.min()), int(weights.indices.max()) + 1)


def _spans(weights: csr_array) -> list[slice]:
    """Return the nodes that weigh: in one part, or in two where they lie on both sides of the end of the mesh."""
    nodes = np.unique(weights.indices)
    gap = np.diff(nodes)
    if gap.size and gap.max() > len(nodes):
        at = int(np.argmax(gap))
        return [slice(int(nodes[0]), int(nodes[at]) + 1), slice(int(nodes[at + 1]), int(nodes[-1]) + 1)]
    return [slice(int(nodes[0]), int(nodes[-1]) + 1)]


@lru_cache(maxsize=1)
def _packaged_etopo1() -> Bathymetry:
    """Read the packaged ETOPO1 once."""
    with as_file(files("slipcast").joinpath("data/etopo1_6min.nc")) as path:
        read = BathymetryFile(open_elevation(path))
    return Bathymetry(read.lon_deg, read.lat_deg, read.elevation_m, title="ETOPO1 6 arc-minutes")
