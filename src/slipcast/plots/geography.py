"""Parts of a map: extent, coast, outlines of unit sources, labels that do not overlap.

Shared by the printed figures and those of the report; draws nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from slipcast.errors import InputError
from slipcast.geodesy import great_circle_distance, wrap_longitude
from slipcast.physics.bathymetry import Bathymetry, Grid
from slipcast.physics.unit_sources import standard_name, unit_source

__all__ = [
    "NEAR_M",
    "Extent",
    "coast_lines",
    "extent_around",
    "land_rings",
    "latitude_label",
    "longitude_label",
    "place_labels",
    "sea_depth",
    "short_name",
    "source_outlines",
    "split_gauges",
]

NEAR_M = 2.0e6
"""A gauge of the finest grid that is nearer than this to a unit source is on the map of a region, m."""


class GaugeLike(Protocol):
    """A point with a name, such as :class:`slipcast.regions.region.Gauge`."""

    @property
    def name(self) -> str:
        """Unique name."""

    @property
    def kind(self) -> Any:
        """``"dart"`` or ``"forecast"``."""

    @property
    def lon(self) -> float:
        """Longitude, degrees."""

    @property
    def lat(self) -> float:
        """Latitude, degrees."""

    @property
    def grid(self) -> str:
        """The grid on which its waves are computed."""


class RegionLike(Protocol):
    """The parts of :class:`slipcast.regions.region.Region` that a map shows."""

    @property
    def name(self) -> str:
        """Short name."""

    @property
    def title(self) -> str:
        """Name for figures."""

    @property
    def sources(self) -> Sequence[str]:
        """Names of unit sources."""

    @property
    def gauges(self) -> Sequence[GaugeLike]:
        """Points where sea level is wanted."""

    @property
    def finest_grid(self) -> str:
        """Name of the grid with the smallest cells."""


@dataclass(frozen=True)
class Extent:
    """The frame of a map, in whole degrees.

    Attributes
    ----------
    west, east : float
        Degrees east; ``west`` in [0, 360), ``east`` above it (it may pass 360).
    south, north : float
        Degrees north.
    """

    west: float
    east: float
    south: float
    north: float

    @property
    def aspect(self) -> float:
        """Aspect ratio of a map: length of a degree of latitude over one of longitude, in its middle."""
        return 1.0 / float(np.cos(np.radians((self.south + self.north) / 2)))

    @property
    def spacing_arcmin(self) -> float:
        """Spacing at which coast and sea floor look smooth, arc-minutes."""
        span = max(self.east - self.west, self.north - self.south)
        return 6.0 if span <= 40 else 12.0 if span <= 80 else 20.0

    def wrap(self, lon_deg):
        """Bring longitudes to the branch of the map, degrees east."""
        middle = (self.west + self.east) / 2
        return wrap_longitude(lon_deg, west_deg=middle - 180.0)


def extent_around(lon_deg, lat_deg, *, margin_deg: float, least_width: float = 0.0) -> Extent:
    """Frame some points.

    Parameters
    ----------
    lon_deg, lat_deg : array
        Points, degrees; within half the globe of each other. The map may cross any meridian.
    margin_deg : float
        Kept free on every side, degrees; then rounded outwards to whole degrees.
    least_width : float, optional
        Least width over height on the page; a narrower map is widened on both sides.

    Returns
    -------
    extent : Extent

    Examples
    --------
    >>> extent_around([358.5, 2.5], [10.0, 12.2], margin_deg=1.0)
    Extent(west=357.0, east=364.0, south=9.0, north=14.0)
    """
    lon = np.ravel(lon_deg).astype(float)
    lat = np.ravel(lat_deg).astype(float)
    lon = wrap_longitude(lon, west_deg=lon[0] - 180.0)
    south = max(float(np.floor(lat.min() - margin_deg)), -85.0)
    north = min(float(np.ceil(lat.max() + margin_deg)), 85.0)
    least_deg = least_width * (north - south) / np.cos(np.radians((south + north) / 2))
    widen = max(0.0, (least_deg - (np.ptp(lon) + 2 * margin_deg)) / 2) + margin_deg
    west, east = float(np.floor(lon.min() - widen)), float(np.ceil(lon.max() + widen))
    turn = float(wrap_longitude(west)) - west
    return Extent(west + turn, east + turn, south, north)


def sea_depth(extent: Extent) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the depth of the packaged ETOPO1 on a mesh that covers a map.

    Returns
    -------
    lon_deg, lat_deg : array, shapes (n_lon,) and (n_lat,)
        Nodes, degrees, a little beyond the map.
    depth_m : array, shape (n_lat, n_lon)
        Positive down, m; land is negative. Read-only.
    """
    return _depth(extent.west, extent.east, extent.south, extent.north, extent.spacing_arcmin)


@lru_cache(maxsize=16)
def _depth(west: float, east: float, south: float, north: float, spacing_arcmin: float):
    """Read the depth on a mesh; a degree is added because a grid leaves out its far edges."""
    east = min(east + 1.0, west + 360.0)
    grid = Grid.over((west, east), (south, north + 1.0), spacing_arcmin)
    depth_m = Bathymetry.etopo1().depth_on(grid)
    lon, lat = grid.lon_deg, grid.lat_deg
    for array in (lon, lat, depth_m):
        array.setflags(write=False)
    return lon, lat, depth_m


def coast_lines(lon_range: tuple[float, float], lat_range: tuple[float, float]) -> list[np.ndarray]:
    """Trace the coast: the zero contour of the packaged ETOPO1.

    Parameters
    ----------
    lon_range, lat_range : (float, float)
        West and east (the map may pass 360), south and north, degrees; rounded outwards to whole degrees.

    Returns
    -------
    lines : list of array, shape (n, 2)
        Longitude and latitude, degrees, longitude on the branch of ``lon_range``.

    Raises
    ------
    InputError
        If a range is empty or passes a pole.

    Examples
    --------
    >>> lines = coast_lines((220.0, 240.0), (36.0, 54.0))
    >>> max(lines, key=len).shape[1]
    2
    """
    extent = _whole_degrees(lon_range, lat_range)
    shift = np.floor(lon_range[0]) - extent.west
    return [np.add(line, (shift, 0.0)) for line in _contours(extent).lines(0.0)]


def land_rings(extent: Extent) -> list[np.ndarray]:
    """Return the outlines of land and of the waters within it, each ring an array (n, 2) of lon, lat.

    Filled by the even-odd rule they give the land.
    """
    from contourpy import FillType

    points, offsets = _contours(extent, fill_type=FillType.OuterOffset).filled(-np.inf, 0.0)
    return [
        ring for polygon, cuts in zip(points, offsets) for ring in np.split(polygon, np.asarray(cuts[1:-1], dtype=int))
    ]


def _whole_degrees(lon_range: tuple[float, float], lat_range: tuple[float, float]) -> Extent:
    """Round ranges outwards to whole degrees and check them."""
    west, east = float(np.floor(lon_range[0])), float(np.ceil(lon_range[1]))
    south, north = float(np.floor(lat_range[0])), float(np.ceil(lat_range[1]))
    if not 0 < east - west <= 360:
        raise InputError(f"lon_range must rise by at most 360 degrees, got {lon_range}")
    if not -88 <= south < north <= 88:
        raise InputError(f"lat_range must rise within [-88, 88] degrees, got {lat_range}")
    turn = float(wrap_longitude(west)) - west
    return Extent(west + turn, east + turn, south, north)


def _contours(extent: Extent, **options):
    """Make the contour generator of the depth on a map."""
    from contourpy import contour_generator

    return contour_generator(*sea_depth(extent), **options)


def source_outlines(sources: Sequence[str], extent: Extent | None = None) -> np.ndarray:
    """Return the corners of unit sources.

    Parameters
    ----------
    sources : sequence of str
        Names in either style.
    extent : Extent, optional
        The map whose branch of longitude is wanted; [0, 360) otherwise.

    Returns
    -------
    outlines : array, shape (n_sources, 4, 2)
        Longitude and latitude, degrees.

    Raises
    ------
    InputError
        If a source does not exist.
    """
    outlines = np.array([unit_source(name).corners()[:, :2] for name in sources]).reshape(-1, 4, 2)
    if extent is not None:
        outlines[..., 0] = extent.wrap(outlines[..., 0])
    return outlines


def split_gauges(region: RegionLike) -> tuple[list[GaugeLike], list[GaugeLike]]:
    """Split gauges into those near the sources of a region and far ones.

    Returns
    -------
    near, far : list of gauges
        Near: computed on the finest grid and within :data:`NEAR_M` of the middle of a unit source.
    """
    middles = source_outlines(region.sources).mean(axis=1)
    near: list[GaugeLike] = []
    far: list[GaugeLike] = []
    for gauge in region.gauges:
        distance_m = great_circle_distance(gauge.lon, gauge.lat, middles[:, 0], middles[:, 1]).min()
        (near if gauge.grid == region.finest_grid and distance_m < NEAR_M else far).append(gauge)
    return near, far


def longitude_label(lon_deg: float) -> str:
    """Write a longitude as maps do.

    Examples
    --------
    >>> longitude_label(235.0), longitude_label(180.0), longitude_label(141.5)
    ('125°W', '180°', '141.5°E')
    """
    lon = round(float(wrap_longitude(lon_deg, west_deg=-180.0)), 6)
    if lon in (0.0, -180.0):
        return f"{abs(lon):g}°"
    return f"{abs(lon):g}°{'E' if lon > 0 else 'W'}"


def latitude_label(lat_deg: float) -> str:
    """Write a latitude as maps do.

    Examples
    --------
    >>> latitude_label(-33.0), latitude_label(0.0)
    ('33°S', '0°')
    """
    lat = round(float(lat_deg), 6)
    return f"{abs(lat):g}°{'' if lat == 0 else 'N' if lat > 0 else 'S'}"


def short_name(source: str) -> str:
    """Shorten the name of a unit source to column and row.

    Examples
    --------
    >>> short_name("acsza58")
    '58a'
    """
    name = standard_name(source)
    return f"{name[5:]}{name[4]}"


_AWAY = (0.0, 8.0, 16.0, 24.0, 32.0, 40.0, 50.0, 60.0)
_SIDES: Mapping[str, tuple[float, float]] = {
    "right": (1.0, 0.0),
    "left": (-1.0, 0.0),
    "above": (0.0, 1.0),
    "below": (0.0, -1.0),
    "above right": (0.8, 0.8),
    "below right": (0.8, -0.8),
    "above left": (-0.8, 0.8),
    "below left": (-0.8, -0.8),
}


def place_labels(
    points: np.ndarray,
    sizes: np.ndarray,
    *,
    frame: tuple[float, float],
    first_side: Sequence[str],
    radius: float,
    taken: np.ndarray | None = None,
) -> np.ndarray:
    """Choose where the label of each point goes, so that labels, points and other things do not overlap.

    Parameters
    ----------
    points : array, shape (n, 2)
        Positions from the lower left of the map, in points of type (as the other lengths).
    sizes : array, shape (n, 2)
        Width and height of each label.
    frame : (float, float)
        Width and height of the map.
    first_side : sequence of str, length n
        ``"right"`` or ``"left"``: the side taken where it is free.
    radius : float
        Half the size of a marker.
    taken : array, shape (m, 4), optional
        Boxes (west, south, east, north) to keep clear where possible.

    Returns
    -------
    middles : array, shape (n, 2)
        Middles of the labels. A label may stand off its point; where no place is free, it takes the one with
        the least overlap.
    """
    points, sizes = np.asarray(points, dtype=float), np.asarray(sizes, dtype=float)
    markers = np.hstack([points - radius, points + radius])
    placed: list[np.ndarray] = [] if taken is None else [np.asarray(taken, dtype=float).reshape(-1, 4)]
    middles = []
    for i, (point, size) in enumerate(zip(points, sizes)):
        others = np.vstack([np.delete(markers, i, axis=0), *placed])
        costs: list[tuple[float, int, np.ndarray, np.ndarray]] = []
        for side, direction in _SIDES.items():
            for away in _AWAY:
                middle = point + np.array(direction) * (radius + away + size / 2)
                box = np.concatenate([middle - size / 2, middle + size / 2])
                wish = away + _reluctance(side, first_side[i])
                costs.append((_overlap(box, others) + _outside(box, frame) + wish, len(costs), middle, box))
        _, _, middle, box = min(costs, key=lambda cost: cost[:2])
        placed.append(box[np.newaxis])
        middles.append(middle)
    return np.array(middles).reshape(-1, 2)


def _reluctance(side: str, first_side: str) -> float:
    """Return how far a label rather stands off on its first side than goes to another one, points."""
    if side == first_side:
        return 0.0
    if first_side in side:
        return 10.0
    return 20.0 if side in ("above", "below") else 30.0


def _overlap(box: np.ndarray, others: np.ndarray) -> float:
    """Add up the areas that a box shares with others."""
    shared = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    return float(np.prod(np.clip(shared, 0.0, None), axis=1).sum())


def _outside(box: np.ndarray, frame: tuple[float, float]) -> float:
    """Return the penalty for the part of a label beyond the frame: heavy, since it would be cut."""
    beyond = np.clip(-box[:2], 0, None).sum() + np.clip(box[2:] - np.array(frame), 0, None).sum()
    return 100.0 * float(beyond)
