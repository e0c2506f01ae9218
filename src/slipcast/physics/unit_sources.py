"""NOAA's unit sources: names, geometry, and their division into subfaults."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np

from slipcast.errors import InputError, unknown_name
from slipcast.geodesy import destination, distance_azimuth

__all__ = [
    "MAX_TURN_DEG",
    "MEGATHRUST_ROWS",
    "Subfaults",
    "UnitSource",
    "catalogue",
    "columns_follow_strike",
    "expand_names",
    "standard_name",
    "subdivide",
    "turn_deg",
    "unit_source",
]

MEGATHRUST_ROWS = "bazyxwv"
"""Rows of the plate interface from the trench down dip; rows c and d are outer-rise normal faults."""

MAX_TURN_DEG = 90.0
"""Largest angle between the strikes of neighbours on one fault; beyond it they dip to opposite sides."""

_LONG_NAME = re.compile(r"([a-z]{2})sz([a-z])(\d+)")
_SHORT_NAME = re.compile(r"([a-z]{2})(\d+)([a-z])")
_RANGE = re.compile(r"([a-z]{4}[a-z])(\d+)\.\.(\d+)")


@dataclass(frozen=True)
class UnitSource:
    """A rectangle of the NOAA propagation database.

    Attributes
    ----------
    name : str
        Long style, e.g. ``"acsza58"``: zone, row, column.
    lon_deg, lat_deg : float
        Middle of the **bottom** edge, degrees; longitude in [0, 360).
    depth_m : float
        Depth of the **top** edge, m.
    strike_deg, dip_deg, rake_deg : float
        Degrees; strike clockwise from north, dip to its right.
    length_m, width_m : float
        Along strike and down dip, m.

    Notes
    -----
    The two reference points are NOAA's; neighbouring rows of the table bear them out. Gica et al. (2008).
    """

    name: str
    lon_deg: float
    lat_deg: float
    depth_m: float
    strike_deg: float
    dip_deg: float
    rake_deg: float
    length_m: float
    width_m: float

    @property
    def zone(self) -> str:
        """Subduction zone, e.g. ``"acsz"``."""
        return self.name[:4]

    @property
    def row(self) -> str:
        """Row letter, e.g. ``"a"``."""
        return self.name[4]

    @property
    def column(self) -> int:
        """Column number along the trench."""
        return int(self.name[5:])

    @property
    def area_m2(self) -> float:
        """Fault area, m^2."""
        return self.length_m * self.width_m

    @property
    def bottom_depth_m(self) -> float:
        """Depth of the bottom edge, m."""
        return self.depth_m + self.width_m * np.sin(np.radians(self.dip_deg))

    def point(self, along_strike_m, down_dip_m):
        """Locate points of the fault plane.

        Parameters
        ----------
        along_strike_m : float or array
            From the middle of the fault, in the direction of strike, m.
        down_dip_m : float or array
            From the top edge, along the plane, m.

        Returns
        -------
        lon_deg, lat_deg, depth_m : float or array
            Degrees and m; longitude in [0, 360).
        """
        dip = np.radians(self.dip_deg)
        up_dip_m = self.width_m - np.asarray(down_dip_m, dtype=float)
        east, north = self._offset(along_strike_m, -up_dip_m * np.cos(dip))
        lon, lat = destination(self.lon_deg, self.lat_deg, np.degrees(np.arctan2(east, north)), np.hypot(east, north))
        return lon, lat, self.depth_m + np.asarray(down_dip_m) * np.sin(dip)

    def _offset(self, along_m, right_m):
        """Turn (along strike, to its right) into (east, north), m."""
        strike = np.radians(self.strike_deg)
        east = np.sin(strike) * along_m + np.cos(strike) * right_m
        north = np.cos(strike) * along_m - np.sin(strike) * right_m
        return east, north

    def corners(self) -> np.ndarray:
        """Compute the corners of the fault.

        Returns
        -------
        corners : array, shape (4, 3)
            Longitude, latitude (degrees) and depth (m): top edge against and along strike, then bottom edge
            along and against strike, so that the four make a ring.

        Examples
        --------
        >>> unit_source("acsza58").corners().round(2)[0].tolist()
        [234.86, 46.83, 12820.0]
        """
        half = self.length_m / 2
        return np.stack(
            self.point(np.array([-half, half, half, -half]), np.array([0.0, 0.0, self.width_m, self.width_m])),
            axis=-1,
        )


@lru_cache(maxsize=1)
def catalogue() -> dict[str, UnitSource]:
    """Return all 1,997 unit sources of NOAA's propagation database by name.

    Examples
    --------
    >>> len(catalogue())
    1997
    """
    text = files("slipcast").joinpath("data/unit_sources.csv").read_text(encoding="utf-8")
    sources = {}
    for line in csv.DictReader(text.splitlines()):
        sources[line["name"]] = UnitSource(
            name=line["name"],
            lon_deg=float(line["lon_deg"]) % 360.0,
            lat_deg=float(line["lat_deg"]),
            depth_m=1e3 * float(line["depth_km"]),
            strike_deg=float(line["strike_deg"]),
            dip_deg=float(line["dip_deg"]),
            rake_deg=float(line["rake_deg"]),
            length_m=1e3 * float(line["length_km"]),
            width_m=1e3 * float(line["width_km"]),
        )
    return sources


def standard_name(name: str) -> str:
    """Bring the name of a unit source into the long style.

    Parameters
    ----------
    name : str
        ``"acsza58"`` or NOAA's newer ``"ac58a"``; case and surrounding blanks do not matter.

    Returns
    -------
    name : str
        Long style; whether such a source exists is not asked.

    Raises
    ------
    InputError
        If the name has neither form.

    Examples
    --------
    >>> standard_name("ac58a")
    'acsza58'
    """
    text = name.strip().lower()
    if found := _SHORT_NAME.fullmatch(text):
        zone, column, row = found.groups()
    elif found := _LONG_NAME.fullmatch(text):
        zone, row, column = found.groups()
    else:
        raise InputError(f"a unit source is named like acsza58 or ac58a, got {name!r}")
    return f"{zone}sz{row}{int(column)}"


def unit_source(name: str) -> UnitSource:
    """Look up a unit source by name, in either style.

    Raises
    ------
    InputError
        If there is none; the nearest names are offered.

    Examples
    --------
    >>> unit_source("ac58a").depth_m
    12820.0
    """
    standard = standard_name(name)
    if standard not in catalogue():
        raise unknown_name("unit source", standard, catalogue(), where="in NOAA's propagation database")
    return catalogue()[standard]


def turn_deg(first: UnitSource, second: UnitSource) -> float:
    """Return the angle between the strikes of two unit sources, degrees, in [0, 180].

    Examples
    --------
    >>> round(turn_deg(unit_source("atszb58"), unit_source("atszb59")))
    175
    """
    return abs((second.strike_deg - first.strike_deg + 180.0) % 360.0 - 180.0)


@lru_cache(maxsize=4096)
def columns_follow_strike(source: UnitSource) -> bool:
    """Tell whether column numbers rise in the direction of a unit source's strike.

    Parameters
    ----------
    source : UnitSource
        Of the plate interface or the outer rise.

    Notes
    -----
    The next column of the catalogue, or else the one before, lies ahead or behind in the shallowest row of the fault
    that has both: at a bend of the trench deep sources overlap, and their order is lost. Neighbours whose strike turns
    by more than 90 degrees are passed over. True where there is none.

    Examples
    --------
    Atlantic columns 58 and 59 both run westwards; one strikes east, the other west:

    >>> columns_follow_strike(unit_source("atszb58")), columns_follow_strike(unit_source("atszb59"))
    (False, True)
    """
    for row in MEGATHRUST_ROWS if source.row in MEGATHRUST_ROWS else source.row:
        here = catalogue().get(f"{source.zone}{row}{source.column}")
        for step in (1, -1):
            other = catalogue().get(f"{source.zone}{row}{source.column + step}")
            if here is not None and other is not None and turn_deg(here, other) <= MAX_TURN_DEG:
                azimuth = distance_azimuth(here.lon_deg, here.lat_deg, other.lon_deg, other.lat_deg)[1]
                return bool(step * np.cos(np.radians(azimuth - source.strike_deg)) >= 0)
    return True


def expand_names(patterns: Iterable[str]) -> list[str]:
    """Expand ranges such as ``acsza54..65`` into names of unit sources.

    Parameters
    ----------
    patterns : iterable of str
        Names in either style, or a long-style row with a range of columns.

    Returns
    -------
    names : list of str
        Long style, in the order given.

    Raises
    ------
    InputError
        If a source does not exist, comes twice, or a range runs backwards.

    Examples
    --------
    >>> expand_names(["acszz55..57", "ac54b"])
    ['acszz55', 'acszz56', 'acszz57', 'acszb54']
    """
    names: list[str] = []
    for pattern in patterns:
        if found := _RANGE.fullmatch(pattern.strip().lower()):
            row, first, last = found.group(1), int(found.group(2)), int(found.group(3))
            if first > last:
                raise InputError(f"a range of unit sources must run upwards, got {pattern!r}")
            names += [unit_source(f"{row}{column}").name for column in range(first, last + 1)]
        else:
            names.append(unit_source(pattern).name)
    if twice := [name for i, name in enumerate(names) if name in names[:i]]:
        raise InputError(f"unit source {twice[0]} is listed twice")
    return names


@dataclass(frozen=True)
class Subfaults:
    """The fine patches into which unit sources are divided; ruptures live on these.

    All arrays have shape (n_subfaults,), ordered by source, then down dip, then along strike.

    Attributes
    ----------
    sources : tuple of UnitSource
        The sources divided, in order.
    source_index : array of int
        Which of ``sources`` a subfault belongs to.
    lon_deg, lat_deg, depth_m : array
        Centres, degrees and m.
    length_m, width_m : array
        Sizes along strike and down dip, m.
    along, down : array of int
        Position on the unrolled fault of a zone: steps along the trench in the direction of rising column numbers, and
        steps down dip from the top of row b. Neighbours differ by one, across unit sources too; which of these are
        joined is found by :func:`~slipcast.physics.fault_segments.fault_segments`.
    divisions : tuple of (int, int)
        Number of subfaults along strike and down dip in each source.
    """

    sources: tuple[UnitSource, ...]
    source_index: np.ndarray
    lon_deg: np.ndarray
    lat_deg: np.ndarray
    depth_m: np.ndarray
    length_m: np.ndarray
    width_m: np.ndarray
    along: np.ndarray
    down: np.ndarray
    divisions: tuple[tuple[int, int], ...]

    @property
    def area_m2(self) -> np.ndarray:
        """Area of each subfault, m^2."""
        return self.length_m * self.width_m

    @property
    def source_names(self) -> list[str]:
        """Names of the unit sources, in order."""
        return [source.name for source in self.sources]

    def __len__(self) -> int:
        return len(self.source_index)

    def averaging_matrix(self) -> np.ndarray:
        """Return the matrix from slip on subfaults to weights: the area-averaged slip of each unit source.

        Returns
        -------
        matrix : array, shape (n_sources, n_subfaults)
            Rows sum to one.
        """
        matrix = np.zeros((len(self.sources), len(self)))
        matrix[self.source_index, np.arange(len(self))] = self.area_m2
        return matrix / matrix.sum(axis=1, keepdims=True)


def subdivide(sources: Sequence[UnitSource], size_km: float) -> Subfaults:
    """Divide unit sources into subfaults of about a given size.

    Parameters
    ----------
    sources : sequence of UnitSource
        At least one.
    size_km : float
        Wanted edge length, km; every source is cut into the nearest whole number of equal parts.

    Returns
    -------
    subfaults : Subfaults
        Their areas add up to those of the sources.

    Examples
    --------
    >>> len(subdivide([unit_source("acsza58")], 10.0))
    50
    """
    if not size_km > 0:
        raise InputError(f"subfault size must be > 0 km, got {size_km}")
    if not len(sources):
        raise InputError("sources must name at least one unit source, got none")
    parts: dict[str, list[np.ndarray]] = {
        key: [] for key in ("lon_deg", "lat_deg", "depth_m", "length_m", "width_m", "along", "down")
    }
    divisions = []
    for source in sources:
        n_along = max(1, round(source.length_m / 1e3 / size_km))
        n_down = max(1, round(source.width_m / 1e3 / size_km))
        divisions.append((n_along, n_down))
        down, along = (index.ravel() for index in np.mgrid[:n_down, :n_along])
        length_m, width_m = source.length_m / n_along, source.width_m / n_down
        lon, lat, depth = source.point((along + 0.5) * length_m - source.length_m / 2, (down + 0.5) * width_m)
        row = MEGATHRUST_ROWS.find(source.row)  # -1 for the outer rise: apart from the interface
        across = along if columns_follow_strike(source) else n_along - 1 - along
        for key, value in (
            ("lon_deg", lon),
            ("lat_deg", lat),
            ("depth_m", depth),
            ("length_m", np.full(along.shape, length_m)),
            ("width_m", np.full(along.shape, width_m)),
            ("along", source.column * n_along + across),
            ("down", row * n_down + down),
        ):
            parts[key].append(value)
    counts = [a * d for a, d in divisions]
    return Subfaults(
        sources=tuple(sources),
        source_index=np.repeat(np.arange(len(sources)), counts),
        divisions=tuple(divisions),
        **{key: np.concatenate(value) for key, value in parts.items()},
    )
