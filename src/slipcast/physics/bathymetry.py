"""Bathymetry: reading, cropping and regridding."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.ndimage import map_coordinates

from slipcast.errors import InputError
from slipcast.geodesy import EARTH_RADIUS_M, great_circle_distance, wrap_longitude
from slipcast.io.identity import fingerprint

__all__ = ["Bathymetry", "Grid"]

_LON_NAMES = ("lon", "longitude", "x")
_LAT_NAMES = ("lat", "latitude", "y")
_ELEVATION_NAMES = ("elevation", "z", "altitude", "topo", "Band1")


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
    elevation_m: np.ndarray
    title: str

    @classmethod
    def etopo1(cls) -> Bathymetry:
        """Return ETOPO1 at 6 arc-minutes, global, as carried in the package (Amante and Eakins 2009)."""
        return _packaged_etopo1()

    @classmethod
    def open(cls, path: str | os.PathLike) -> Bathymetry:
        """Read a netCDF file such as GEBCO or ETOPO 2022.

        Parameters
        ----------
        path : path
            With 1-D ``lon``/``longitude``/``x`` and ``lat``/``latitude``/``y`` and a 2-D ``elevation``, ``z``,
            ``altitude``, ``topo`` or ``Band1``, m, positive up.

        Returns
        -------
        bathymetry : Bathymetry
            The whole file, float32.

        Raises
        ------
        InputError
            If the file is missing, of another format, has other names, another unit or direction, an uneven
            mesh, or gaps (NaN).
        """
        path = Path(path)
        if not path.is_file():
            raise InputError(f"no bathymetry file {path}")
        try:
            with xr.open_dataset(path, engine="netcdf4") as dataset:
                lon_name = _first_name(dataset, _LON_NAMES, "longitude", path)
                lat_name = _first_name(dataset, _LAT_NAMES, "latitude", path)
                name = _first_name(dataset, _ELEVATION_NAMES, "elevation", path)
                if set(dataset[name].dims) != {lat_name, lon_name} or dataset[name].dtype.kind not in "iuf":
                    raise InputError(
                        f"bathymetry {path}: {name} must be numbers over ({lat_name}, {lon_name}), "
                        f"got {dataset[name].dtype} over {dataset[name].dims}"
                    )
                _check_upward_metres(dataset[name], path)
                elevation = dataset[name].transpose(lat_name, lon_name).to_numpy().astype(np.float32)
                lon, lat = (dataset[n].to_numpy().astype(float) for n in (lon_name, lat_name))
        except (OSError, RuntimeError) as error:
            raise InputError(f"bathymetry {path} cannot be read as netCDF") from error
        if lat.size and lat[0] > lat[-1]:
            lat, elevation = lat[::-1], elevation[::-1]
        for what, axis in (("longitudes", lon), ("latitudes", lat)):
            step = np.diff(axis)
            if step.size == 0 or not (step > 0).all() or np.ptp(step) > 0.01 * step.mean():
                raise InputError(f"bathymetry {path}: its {what} must rise by a constant step")
        if (bad := ~np.isfinite(elevation)).any():
            row, column = (int(i) for i in np.argwhere(bad)[0])
            raise InputError(
                f"bathymetry {path} has a gap at longitude {lon[column]:g}, latitude {lat[row]:g}; fill it first"
            )
        return cls(lon, lat, elevation, title=path.name)

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
        rows = self._rows((grid.lat_deg[:, np.newaxis] + within).ravel())
        columns, elevation = self._columns((grid.lon_deg[:, np.newaxis] + within).ravel())
        values = map_coordinates(
            elevation,
            np.meshgrid(rows, columns, indexing="ij"),
            output=np.float32,
            order=1,
            mode="nearest",
        )
        n_rows, n_columns = grid.shape
        return -values.reshape(n_rows, parts, n_columns, parts).mean(axis=(1, 3), dtype=float)

    def _rows(self, lat_deg: np.ndarray) -> np.ndarray:
        """Compute fractional row numbers of latitudes."""
        step = self.spacing_arcmin / 60.0
        rows = (lat_deg - self.lat_deg[0]) / step
        self._check_cover(rows, "latitude", self.lat_deg, lat_deg)
        return rows

    def _columns(self, lon_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute fractional column numbers of longitudes, and the elevation in which they count."""
        step = float(self.lon_deg[-1] - self.lon_deg[0]) / (len(self.lon_deg) - 1)
        columns = (wrap_longitude(lon_deg, west_deg=self.lon_deg[0] - 0.5 * step) - self.lon_deg[0]) / step
        if (len(self.lon_deg) + 0.5) * step >= 360.0:
            # global: a column at each end makes interpolation across the seam an ordinary one
            period = round(360.0 / step)
            closed = np.take(self.elevation_m, np.arange(-1, period + 1) % period, axis=1)
            return columns + 1.0, closed
        self._check_cover(columns, "longitude", self.lon_deg, lon_deg)
        return columns, self.elevation_m

    def _check_cover(self, index: np.ndarray, what: str, axis: np.ndarray, wanted: np.ndarray) -> None:
        """Refuse points more than half a node beyond the mesh."""
        if index.min() < -0.5 or index.max() > len(axis) - 0.5:
            raise InputError(
                f"bathymetry {self.title} spans {what}s {axis[0]:g} to {axis[-1]:g} and does not cover the "
                f"grid's {wanted[0]:g} to {wanted[-1]:g}"
            )


def _check_upward_metres(elevation: xr.DataArray, path: Path) -> None:
    """Refuse an elevation that says of itself that it is positive down, or not in metres."""
    if str(elevation.attrs.get("positive", "up")).lower() != "up":
        raise InputError(f"bathymetry {path}: {elevation.name} must be positive up, got positive = 'down'")
    unit = str(elevation.attrs.get("units", "m")).lower()
    if unit not in ("m", "meter", "meters", "metre", "metres"):
        raise InputError(f"bathymetry {path}: {elevation.name} must be in m, got {unit!r}")


def _first_name(dataset: xr.Dataset, names: tuple[str, ...], what: str, path: Path) -> str:
    """Find which of several usual names a file uses."""
    for name in names:
        if name in dataset.variables:
            return name
    raise InputError(
        f"bathymetry {path} has no {what}: looked for {', '.join(names)}, "
        f"found {', '.join(str(n) for n in dataset.variables)}"
    )


@lru_cache(maxsize=1)
def _packaged_etopo1() -> Bathymetry:
    """Read the packaged ETOPO1 once."""
    with as_file(files("slipcast").joinpath("data/etopo1_6min.nc")) as path:
        read = Bathymetry.open(path)
    return Bathymetry(read.lon_deg, read.lat_deg, read.elevation_m, title="ETOPO1 6 arc-minutes")
