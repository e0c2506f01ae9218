r"""Smooth humps of the sea surface on a lattice, as sources of waves without a fault.

A hump is a product of raised cosines along latitude and longitude,

.. math:: \eta(x, y) = \cos^2\frac{\pi x}{2 a}\,\cos^2\frac{\pi y}{2 b}, \qquad |x| < a,\ |y| < b,

with half-widths a and b of one spacing of the lattice. Humps of one height add up to a flat surface, and the level at
the middle of each is that of the hump alone: heights on the lattice are levels of the sea there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, vstack

from slipcast.errors import InputError
from slipcast.geodesy import EARTH_RADIUS_M, great_circle_distance, wrap_longitude
from slipcast.physics.shallow_water import Box, LongWaves

__all__ = ["HumpMap", "Humps", "hump_box", "lay_humps", "wet_areas_m2"]

_KM_PER_DEG = EARTH_RADIUS_M * np.pi / 180 / 1e3
_MOST_HUMPS = 4000
_FEWEST_CELLS = 2.0  # from the middle of a hump to its edge


@dataclass(frozen=True)
class Humps:
    """Humps on a lattice around a place.

    Attributes
    ----------
    centre : (float, float)
        Longitude in [0, 360) and latitude of the place, degrees.
    lon_deg, lat_deg : array, shape (n_humps,)
        Middles; longitudes in [0, 360).
    half_lon_deg, half_lat_deg : float
        Half-widths, which are the spacings of the lattice, degrees.
    """

    centre: tuple[float, float]
    lon_deg: np.ndarray
    lat_deg: np.ndarray
    half_lon_deg: float
    half_lat_deg: float

    def __len__(self) -> int:
        return len(self.lon_deg)

    @property
    def names(self) -> list[str]:
        """Names by place: thousandths of degrees east and north."""
        return [f"{lon:.3f}E{lat:+.3f}N" for lon, lat in zip(self.lon_deg, self.lat_deg, strict=True)]

    @property
    def distance_m(self) -> np.ndarray:
        """Distance of the middles from the place, m, shape (n_humps,)."""
        return great_circle_distance(*self.centre, self.lon_deg, self.lat_deg)

    def kept(self, which: np.ndarray) -> Humps:
        """Return some of the humps, by an array of bool or of indices."""
        return Humps(self.centre, self.lon_deg[which], self.lat_deg[which], self.half_lon_deg, self.half_lat_deg)


def lay_humps(centre: tuple[float, float], *, radius_km: float, spacing_km: float) -> Humps:
    """Lay humps around a place.

    Parameters
    ----------
    centre : (float, float)
        Longitude and latitude, degrees, such as those of an epicentre; a hump is there.
    radius_km : float
        Middles are up to here, km.
    spacing_km : float
        Between middles, and half the width of a hump, km.

    Returns
    -------
    humps : Humps
        Row by row from the south-west, also on land.

    Raises
    ------
    InputError
        If a number is out of range, or there would be more than 4,000 humps.

    Examples
    --------
    >>> len(lay_humps((188.0, -15.5), radius_km=190, spacing_km=40))
    69
    """
    lon, lat = centre
    if not (-360 <= lon <= 720 and -80 <= lat <= 80):
        raise InputError(f"centre must be longitude and latitude in [-80, 80], degrees, got {lon:g} {lat:g}")
    if not 5 <= spacing_km <= 200:
        raise InputError(f"spacing_km must be in [5, 200] km, got {spacing_km:g}")
    if not spacing_km <= radius_km <= 2000:
        raise InputError(f"radius_km must be in [{spacing_km:g} (the spacing), 2000] km, got {radius_km:g}")
    if (expected := np.pi * (radius_km / spacing_km) ** 2) > _MOST_HUMPS:
        raise InputError(
            f"radius_km = {radius_km:g} must make at most {_MOST_HUMPS} humps, got {expected:.0f} with a spacing of "
            f"{spacing_km:g} km"
        )
    half_lat = spacing_km / _KM_PER_DEG
    half_lon = half_lat / np.cos(np.radians(lat))
    rows = np.arange(-int(radius_km / spacing_km) - 1, int(radius_km / spacing_km) + 2)
    # rows nearer to the equator are longer, in kilometres
    columns = np.arange(2 * rows[0], 2 * rows[-1] + 1)
    at_lat, at_lon = np.meshgrid(lat + rows * half_lat, lon + columns * half_lon, indexing="ij")
    at_lat, at_lon = at_lat.ravel(), at_lon.ravel()
    inside = great_circle_distance(lon, lat, at_lon, at_lat) <= 1e3 * radius_km * (1 + 1e-9)
    place = (float(wrap_longitude(lon)), float(lat))
    return Humps(place, wrap_longitude(at_lon[inside]), at_lat[inside], float(half_lon), float(half_lat))


def hump_box(waves: LongWaves, humps: Humps) -> Box:
    """Find the cells that humps reach.

    Parameters
    ----------
    waves : LongWaves
        The grid.
    humps : Humps
        Around a place.

    Returns
    -------
    box : Box

    Raises
    ------
    InputError
        If a hump reaches outside the grid or into its absorbing margin, or the grid does not resolve it.
    """
    spacing = waves.grid.spacing_deg
    if min(humps.half_lat_deg, humps.half_lon_deg) < _FEWEST_CELLS * spacing:
        raise InputError(
            f"humps of {humps.half_lat_deg * _KM_PER_DEG:g} km to their edge need a grid of at most "
            f"{60 * min(humps.half_lat_deg, humps.half_lon_deg) / _FEWEST_CELLS:.1f} arc-minutes, got one of "
            f"{waves.grid.spacing_arcmin:g}; give a larger spacing_km"
        )
    rows, columns = waves.grid.position(humps.lon_deg, humps.lat_deg)
    reach, reach_east = humps.half_lat_deg / spacing, humps.half_lon_deg / spacing
    box = Box(
        int(np.floor((rows - reach).min())),
        int(np.ceil((rows + reach).max())) + 1,
        int(np.floor((columns - reach_east).min())),
        int(np.ceil((columns + reach_east).max())) + 1,
    )
    inside = waves.interior
    starts, stops = (box[0], box[2], inside[0], inside[2]), (box[1], box[3], inside[1], inside[3])
    if starts[0] < starts[2] or starts[1] < starts[3] or stops[0] > stops[2] or stops[1] > stops[3]:
        lon, lat = humps.centre
        raise InputError(
            f"humps around ({lon:g}, {lat:g}) reach outside the grid or into its absorbing margin; give a smaller "
            "radius_km or another region"
        )
    return box


class HumpMap:
    """The linear map from heights of humps to the level of the cells of a box.

    Parameters
    ----------
    waves : LongWaves
        The grid, and where the sea is; its type of numbers is that of the map.
    box : Box
        The cells, of :func:`hump_box`.
    humps : Humps
        Around a place.
    """

    def __init__(self, waves: LongWaves, box: Box, humps: Humps):
        self.wet = waves.wet[box.slices]
        at_row, at_column = waves.grid.position(humps.lon_deg, humps.lat_deg)
        spacing = waves.grid.spacing_deg
        along_rows = _raised_cosine(np.arange(*box[:2]), at_row, humps.half_lat_deg / spacing)
        along_columns = _raised_cosine(np.arange(*box[2:]), at_column, humps.half_lon_deg / spacing)
        levels = (np.outer(*pair) * self.wet for pair in zip(along_rows, along_columns, strict=True))
        self.matrix = vstack([csr_array(level.reshape(1, -1).astype(waves.dtype)) for level in levels], format="csr")

    def forward(self, height_m: np.ndarray) -> np.ndarray:
        """Compute the level of the sea from heights, m, shape (n_humps,): shape of the box, zero on land."""
        return (self.matrix.T @ height_m).reshape(self.wet.shape)

    def adjoint(self, fields: np.ndarray) -> np.ndarray:
        """Apply the transpose of :meth:`forward` to fields, shape (n_fields, shape of the box): (n_fields, n_humps)."""
        return (self.matrix @ fields.reshape(len(fields), -1).T).T


def _raised_cosine(cells: np.ndarray, middle: np.ndarray, half: float) -> np.ndarray:
    """Return cos^2 of the distance from each middle, in cells, that is zero at the half-width: (n_humps, n_cells)."""
    apart = np.abs(cells - middle[:, np.newaxis]) / half
    return np.where(apart < 1, np.cos(np.pi / 2 * np.minimum(apart, 1.0)) ** 2, 0.0)


def wet_areas_m2(waves: LongWaves, humps: Humps) -> np.ndarray:
    """Compute the volume of the humps per metre of height, m^2, shape (n_humps,): what lies on land does not count."""
    box = hump_box(waves, humps)
    area = np.repeat(waves.grid.cell_area_m2[box.slices[0], np.newaxis], box.column_stop - box.column_start, axis=1)
    return np.asarray(HumpMap(waves, box, humps).matrix.astype(float) @ area.ravel())
