"""Positions of stations by date."""

from __future__ import annotations

import csv
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import as_file, files
from itertools import combinations
from pathlib import Path

import numpy as np

from slipcast.errors import InputError, SlipcastWarning
from slipcast.geodesy import great_circle_distance, wrap_longitude
from slipcast.records.dart import STATION
from slipcast.regions.region import Region, region_names

__all__ = ["Deployment", "Deployments", "Position", "position"]

_SAME_GAUGE_M = 1e3
_SAME_DEPLOYMENT_M = 5e3
_NUMBER = re.compile(r"[+-]?[0-9]{1,3}(?:\.[0-9]*)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class Position:
    """Where a station stood.

    Attributes
    ----------
    lon_deg, lat_deg : float
        Degrees; longitude in [0, 360), whatever it was given in.
    origin : str
        Who says so, in words, e.g. ``"deployment 2009-07-09 to 2011-07-13"``.

    Raises
    ------
    InputError
        If the longitude is not in [-360, 720] or the latitude not in [-90, 90] degrees.
    """

    lon_deg: float
    lat_deg: float
    origin: str

    def __post_init__(self):
        if not -360 <= self.lon_deg <= 720:
            raise InputError(f"lon_deg must be in [-360, 720], got {self.lon_deg:g} ({self.origin})")
        if not -90 <= self.lat_deg <= 90:
            raise InputError(f"lat_deg must be in [-90, 90], got {self.lat_deg:g} ({self.origin}); longitude is first")
        object.__setattr__(self, "lon_deg", float(wrap_longitude(self.lon_deg)))
        object.__setattr__(self, "lat_deg", float(self.lat_deg))


@dataclass(frozen=True)
class Deployment:
    """A time during which a station stood at one place.

    Attributes
    ----------
    station : str
        Name.
    position : Position
        Its ``origin`` words the dates.
    start, end : datetime64[D] or None
        First and last day; None where the table has none: as long as anyone knows, or still there.
    """

    station: str
    position: Position
    start: np.datetime64 | None
    end: np.datetime64 | None

    def days_from(self, day: np.datetime64) -> int:
        """Count the days between a day and this deployment; 0 within it."""
        before = 0 if self.start is None else int((self.start - day).astype(int))
        after = 0 if self.end is None else int((day - self.end).astype(int))
        return max(before, after, 0)


@dataclass(frozen=True)
class Deployments:
    """A table of where stations stood, and when.

    Attributes
    ----------
    rows : tuple of Deployment
        In the order of the table.
    listed : tuple of Deployment
        Where stations stood in some year, for a time and for stations of which no deployment is known; they are only
        ever the nearest.

    Examples
    --------
    >>> table = Deployments.packaged()
    >>> len(table.rows), table.find("32412", np.datetime64("2010-02-27")).origin
    (277, 'deployment 2009-10-09 to 2011-05-03')
    """

    rows: tuple[Deployment, ...]
    listed: tuple[Deployment, ...] = ()

    @classmethod
    def packaged(cls) -> Deployments:
        """Return the deployments of DARTs from 2002 to 2018, and positions of 83 stations in 2016 or 2025 (NOAA)."""
        return _packaged()

    @classmethod
    def open(cls, path: str | os.PathLike) -> Deployments:
        """Read a table.

        Parameters
        ----------
        path : path
            CSV with a header that has ``station``, ``lon_deg``, ``lat_deg`` and, optionally, ``start`` and ``end``
            (dates, YYYY-MM-DD, both days included; empty where there is none). Other columns do not count.

        Returns
        -------
        deployments : Deployments

        Raises
        ------
        InputError
            If the file cannot be read, lacks a column or has no row, or a row is malformed; the message names its line.
        """
        path = Path(path)
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.reader(file, strict=True)
                rows = [(reader.line_num, [field.strip() for field in row]) for row in reader if any(row)]
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from error
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path} cannot be read as a CSV: {error}") from error
        header = rows[0][1] if rows else []
        for name in ("station", "lon_deg", "lat_deg"):
            if name not in header:
                raise InputError(f"{path} must have a header with the column {name}, got {','.join(header)[:60]!r}")
        if twice := [name for i, name in enumerate(header) if name in header[:i]]:
            raise InputError(f"{path} has the column {twice[0]} twice")
        if len(rows) < 2:
            raise InputError(f"{path} has a header but no rows")
        return cls(tuple(_deployment(header, row, f"{path}, line {number}") for number, row in rows[1:]))

    def find(self, station: str, when: np.datetime64) -> Position | None:
        """Return where a station stood on the day of a moment, of the latest deployment where two meet.

        Parameters
        ----------
        station : str
            Name.
        when : datetime64
            UTC.

        Returns
        -------
        position : Position or None
            None where the table does not have the station at all.

        Raises
        ------
        InputError
            If the station has deployments but none on that day, or several more than 5 km apart.
        """
        day = _day(when)
        if not any(row.station == station for row in self.rows):
            return None
        found = self._valid(station, day)
        if found is None and (near := self.nearest(station, day)) is not None:
            raise InputError(
                f"station {station} has no deployment on {day}; the nearest is its {near.origin}, at "
                f"{_degrees(near)}; give its position if it stood there"
            )
        return found

    def nearest(self, station: str, when: np.datetime64) -> Position | None:
        """Return where a station stood at the time nearest to a moment; None where the table does not have it."""
        day = _day(when)
        own = [row for row in (*self.rows, *self.listed) if row.station == station]
        return min(own, key=lambda row: row.days_from(day)).position if own else None

    def _valid(self, station: str, day: np.datetime64) -> Position | None:
        """Return where a station stood on a day; None where no deployment is known."""
        valid = [row for row in self.rows if row.station == station and row.days_from(day) == 0]
        if not valid:
            return None
        one, other, apart_m = _farthest([row.position for row in valid])
        if apart_m > _SAME_DEPLOYMENT_M:
            raise InputError(
                f"station {station} has two deployments on {day} that are {apart_m / 1e3:.1f} km apart: {one.origin} "
                f"at {_degrees(one)}, {other.origin} at {_degrees(other)}; give its position"
            )
        return max(valid, key=lambda row: np.datetime64("0000", "D") if row.start is None else row.start).position


def position(
    station: str,
    when: np.datetime64,
    *,
    given: Mapping[str, tuple[float, float]] | None = None,
    deployments: Deployments | None = None,
    region: Region | None = None,
) -> Position:
    """Find where a station stood.

    Parameters
    ----------
    station : str
        Name, e.g. ``"21418"``.
    when : datetime64
        UTC; only its day counts, and only for deployments.
    given : mapping of station to (lon, lat), optional
        Degrees; comes first.
    deployments : Deployments, optional
        A table of one's own; comes second. Third come the deployments of the day in the packaged table.
    region : Region, optional
        Whose gauges come fourth. Last come the nearest deployment in the packaged table and, without a region, the
        gauges of all built-in regions.

    Returns
    -------
    position : Position

    Raises
    ------
    InputError
        If nothing places the station; if it is in the table given but not on that day, or at two places that day; if
        built-in regions place it more than 1 km apart; or if a number given is no longitude or latitude.

    Warns
    -----
    SlipcastWarning
        If the nearest deployment is taken because none is known on that day.

    Examples
    --------
    >>> position("21418", np.datetime64("2011-03-11"))
    Position(lon_deg=148.6983, lat_deg=38.7178, origin='deployment 2009-07-09 to 2011-07-13')
    """
    day = _day(when)
    if given and station in given:
        lon_deg, lat_deg = given[station]
        try:
            return Position(lon_deg, lat_deg, "given")
        except InputError as error:
            raise InputError(f"position of station {station}: {error}") from error
    if deployments is not None and (found := deployments.find(station, day)) is not None:
        return found
    packaged = Deployments.packaged()
    if (found := packaged._valid(station, day)) is not None:
        return found
    if region is not None and station in region.gauge_names():
        gauge = region.gauge(station)
        return Position(gauge.lon, gauge.lat, f"region {region.name}")
    if (found := packaged.nearest(station, day)) is not None:
        warnings.warn(
            f"station {station} has no known deployment on {day}: its {found.origin}, at {_degrees(found)}, is taken",
            SlipcastWarning,
            stacklevel=2,
        )
        return found
    regions = [] if region is not None else [Region.open(name) for name in region_names()]
    places = [
        Position(gauge.lon, gauge.lat, f"region {each.name}")
        for each in regions
        for gauge in each.gauges
        if gauge.name == station
    ]
    if not places:
        looked = f"region {region.name}" if region is not None else "no built-in region"
        has = "does not have it" if region is not None else "has it"
        raise InputError(
            f"no position of station {station} is known: {looked} {has}; give its longitude and latitude, a table of "
            "deployments (CSV: station,lon_deg,lat_deg,start,end) or a region with a gauge of this name"
        )
    one, other, apart_m = _farthest(places)
    if apart_m > _SAME_GAUGE_M:
        raise InputError(
            f"built-in regions place station {station} {apart_m / 1e3:.1f} km apart: {one.origin} at {_degrees(one)}, "
            f"{other.origin} at {_degrees(other)}; give the region, a table of deployments or its position"
        )
    return places[0]


@lru_cache(maxsize=1)
def _packaged() -> Deployments:
    """Read the packaged tables once."""
    folder = files("slipcast").joinpath("data")
    with as_file(folder.joinpath("dart_deployments.csv")) as path:
        rows = Deployments.open(path).rows
    listed = []
    with folder.joinpath("dart_stations.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            year = row["position_year"]
            start, end = (np.datetime64(f"{year}-{day}", "D") for day in ("01-01", "12-31"))
            place = Position(float(row["lon_deg"]), float(row["lat_deg"]), f"position of {year}")
            listed.append(Deployment(row["station"], place, start, end))
    return Deployments(rows, tuple(listed))


def _day(when: np.datetime64) -> np.datetime64:
    """Return the day of a moment."""
    if not isinstance(when, np.datetime64) or np.isnat(when):
        raise InputError(f"when must be a moment as numpy.datetime64, got {when!r}")
    return when.astype("datetime64[D]")


def _degrees(place: Position) -> str:
    """Word a position."""
    return f"({place.lon_deg:.4f}, {place.lat_deg:.4f})"


def _farthest(places: Sequence[Position]) -> tuple[Position, Position, float]:
    """Return the two that are farthest apart, and by how much, m; the only one twice."""
    pairs = [*combinations(places, 2)] or [(places[0], places[0])]
    apart_m = [float(great_circle_distance(a.lon_deg, a.lat_deg, b.lon_deg, b.lat_deg)) for a, b in pairs]
    at = int(np.argmax(apart_m))
    return (*pairs[at], apart_m[at])


def _deployment(header: Sequence[str], row: Sequence[str], where: str) -> Deployment:
    """Read a row of a table."""
    if len(row) != len(header):
        raise InputError(f"{where}: must have {len(header)} fields, got {len(row)}")
    fields = dict(zip(header, row, strict=True))
    if not STATION.fullmatch(fields["station"]):
        raise InputError(f"{where}: station must be letters, digits, _ and -, got {fields['station'][:60]!r}")
    for name in ("lon_deg", "lat_deg"):
        if not _NUMBER.fullmatch(fields[name]):
            raise InputError(f"{where}: {name} must be a plain number of degrees, got {fields[name][:60]!r}")
    start, end = (_date(fields.get(name, ""), name, where) for name in ("start", "end"))
    if start is not None and end is not None and end < start:
        raise InputError(f"{where}: end must not be before start, {start}, got {end}")
    try:
        place = Position(float(fields["lon_deg"]), float(fields["lat_deg"]), _dates(start, end))
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    return Deployment(fields["station"], place, start, end)


def _dates(start: np.datetime64 | None, end: np.datetime64 | None) -> str:
    """Word when a deployment was."""
    if start is None:
        return "deployment without dates" if end is None else f"deployment until {end}"
    return f"deployment from {start}" if end is None else f"deployment {start} to {end}"


def _date(text: str, name: str, where: str) -> np.datetime64 | None:
    """Read a day; None where there is none."""
    if not text:
        return None
    try:
        if _DATE.fullmatch(text):
            return np.datetime64(text, "D")
    except ValueError:
        pass  # such as 2011-02-30
    raise InputError(f"{where}: {name} must be a day such as 2011-03-11, or empty, got {text[:60]!r}")
