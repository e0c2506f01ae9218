"""Region: unit sources, gauges and grids, read from a TOML file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from numbers import Real
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from slipcast.errors import InputError, check_kind, invalid_setting, unknown_name
from slipcast.geodesy import wrap_longitude
from slipcast.physics.bathymetry import Grid
from slipcast.physics.unit_sources import Subfaults, expand_names, subdivide, unit_source

__all__ = ["SENSES", "Gauge", "GridPlan", "Region", "Senses", "region_names"]


class _Frozen(BaseModel):
    """Settings that cannot be changed and know all their keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class GridPlan(_Frozen):
    """A computational grid with the length of its runs.

    Attributes
    ----------
    lon, lat : (float, float)
        Range, degrees; longitudes from west to east, of which the east end may be given in another branch (165 to
        -165 is 165 to 195) where the range is at most half of the globe.
    spacing_arcmin : float
        Cell size, arc-minutes.
    hours : float
        Time after the earthquake that a bank covers, hours.
    """

    lon: tuple[float, float]
    lat: tuple[float, float]
    spacing_arcmin: float = Field(gt=0, le=60)
    hours: float = Field(gt=0, le=48)

    @field_validator("lon")
    @classmethod
    def _unwrap(cls, value: tuple[float, float]) -> tuple[float, float]:
        west, east = value
        return (west, east + 360.0) if west > east and 0 < east + 360.0 - west <= 180 else value

    @field_validator("hours")
    @classmethod
    def _a_minute_at_least(cls, value: float) -> float:
        if value < 1 / 60:
            raise ValueError("must be at least a minute, 1/60")
        return value

    def grid(self) -> Grid:
        """Lay the grid."""
        return Grid.over(self.lon, self.lat, self.spacing_arcmin)


Senses = Literal["pressure", "sea_level"]
SENSES = get_args(Senses)
"""What a gauge measures: the pressure on a floor that moves with the earthquake, or the level of the sea."""


class Gauge(_Frozen):
    """A point where waves are measured or wanted.

    Attributes
    ----------
    name : str
        Unique in its region; a DART by its number.
    kind : {"dart", "forecast"}
        A DART observes; at a forecast point the wave is predicted.
    lon, lat : float
        Degrees; longitude in [0, 360).
    grid : str
        The grid on which its waves are computed.
    senses : {"pressure", "sea_level"}
        What it measures: the pressure on the floor, in metres of water, which is the sea level less the uplift of the
        floor under it; or the level of the sea. By default pressure for a DART, sea level for a forecast point.
    """

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9_-]+$")
    kind: Literal["dart", "forecast"]
    lon: float = Field(ge=-360, le=720)
    lat: float = Field(ge=-90, le=90)
    grid: str
    senses: Senses

    @model_validator(mode="before")
    @classmethod
    def _sensed_by_kind(cls, content: Any) -> Any:
        if isinstance(content, Mapping) and "senses" not in content:
            return {**content, "senses": "pressure" if content.get("kind") == "dart" else "sea_level"}
        return content

    @field_validator("lon")
    @classmethod
    def _wrap(cls, value: float) -> float:
        return float(wrap_longitude(value))


class Region(_Frozen):
    """The subject of a study; see the files in ``slipcast/regions`` for the format.

    Attributes
    ----------
    name, title : str
        Short name, and one for figures.
    sources : tuple of str
        Unit sources, long style, in order; a file may give ranges such as ``acsza54..65``.
    subfault_km : float
        Edge of a subfault, km.
    grids : dict of str to GridPlan
        By name.
    gauges : tuple of Gauge
        In order.
    observers : tuple of str
        DARTs from which a network finds slip unless told otherwise; none: every DART that has the whole window.

    Examples
    --------
    >>> region = Region.open("cascadia")
    >>> len(region.sources), [g.name for g in region.gauges][:3]
    (31, ['46404', '46407', '46419'])
    """

    name: str = Field(min_length=1, pattern=r"^[a-z0-9_-]+$")
    title: str = ""
    sources: tuple[str, ...] = Field(min_length=1)
    subfault_km: float = Field(default=10.0, gt=0, le=100)
    grids: dict[str, GridPlan] = Field(min_length=1)
    gauges: tuple[Gauge, ...] = Field(min_length=1)
    observers: tuple[str, ...] = ()

    @field_validator("sources", mode="before")
    @classmethod
    def _expand(cls, value):
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise ValueError("must be a list of names of unit sources")
        return tuple(expand_names(value))

    @model_validator(mode="after")
    def _gauges_fit(self):
        names = [gauge.name for gauge in self.gauges]
        if twice := [name for i, name in enumerate(names) if name in names[:i]]:
            raise ValueError(f"gauge {twice[0]} is listed twice")
        darts = [gauge.name for gauge in self.gauges if gauge.kind == "dart"]
        if unknown := [name for name in self.observers if name not in darts]:
            raise unknown_name("DART", unknown[0], darts, where="in observers")
        for name, plan in self.grids.items():
            try:
                plan.grid()
            except InputError as error:
                raise ValueError(f"grid {name}: {error}") from error
        for gauge in self.gauges:
            if gauge.grid not in self.grids:
                raise unknown_name("grid", gauge.grid, self.grids, where=f"of gauge {gauge.name}")
            try:
                self.grids[gauge.grid].grid().cell(gauge.lon, gauge.lat)
            except InputError as error:
                raise ValueError(f"gauge {gauge.name}: {error}") from error
        return self

    @classmethod
    def open(cls, name_or_path: str | os.PathLike) -> Region:
        """Read a built-in region by name, or a user's own file.

        Parameters
        ----------
        name_or_path : str or path
            ``"cascadia"``, or the path of a TOML file (with a folder in it, or ending in ``.toml``).

        Returns
        -------
        region : Region

        Raises
        ------
        InputError
            If the argument is neither, there is no such region, or the file breaks a rule; the message names the key.
        """
        check_kind(name_or_path, (str, os.PathLike), "region", "a name or the path of a TOML file")
        text = os.fspath(name_or_path)
        if text.endswith(".toml") or os.sep in text:
            path = Path(text)
            try:
                content = path.read_bytes()
            except OSError as error:
                raise InputError(f"cannot read region file {path}: {error.strerror}") from error
            return cls.parse(content, origin=str(path))
        if text not in region_names():
            raise unknown_name("region", text, region_names())
        return cls.parse(files("slipcast").joinpath(f"regions/{text}.toml").read_bytes(), origin=text)

    @classmethod
    def parse(cls, content: bytes | str, *, origin: str = "region") -> Region:
        """Read a region from the text of a TOML file (errors as in :meth:`open`)."""
        text = content.decode("utf-8", errors="replace") if isinstance(content, bytes) else content
        try:
            settings = tomllib.loads(text)
        except (ValueError, RecursionError) as error:  # TOMLDecodeError, or too many digits or brackets
            raise InputError(f"region {origin} is not valid TOML: {error}") from error
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            raise InputError(f"region {origin}: {_problem(error)}") from error

    def json_text(self) -> str:
        """Return the region as JSON, from which :meth:`from_json` makes the same one."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str) -> Region:
        """Read a region from JSON (:meth:`json_text`); InputError if it is none, or breaks a rule."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise InputError(f"region: {_problem(error)}") from error

    def gauge(self, name: str) -> Gauge:
        """Return a gauge by name; InputError with the nearest names where there is none."""
        for gauge in self.gauges:
            if gauge.name == name:
                return gauge
        raise unknown_name("gauge", name, (g.name for g in self.gauges), where=f"in region {self.name}")

    def gauge_names(self, kind: str | None = None) -> list[str]:
        """Return the names of the gauges, of one kind or of all, in order."""
        return [gauge.name for gauge in self.gauges if kind in (None, gauge.kind)]

    def subfaults(self) -> Subfaults:
        """Divide the unit sources."""
        return subdivide([unit_source(name) for name in self.sources], self.subfault_km)

    @property
    def finest_grid(self) -> str:
        """Name of the grid with the smallest cells."""
        return min(self.grids, key=lambda name: self.grids[name].spacing_arcmin)

    def with_grids(
        self,
        *,
        spacing_arcmin: float | Mapping[str, float] | None = None,
        hours: float | Mapping[str, float] | None = None,
    ) -> Region:
        """Change the spacing of grids or the length of their runs.

        Parameters
        ----------
        spacing_arcmin, hours : float or mapping of grid name to float, optional
            A bare number counts for the finest grid of the region alone.

        Returns
        -------
        region : Region
            A changed copy.

        Raises
        ------
        InputError
            If a grid does not exist or the number does not fit.

        Examples
        --------
        >>> Region.open("cascadia").with_grids(spacing_arcmin=2).grids["near"].spacing_arcmin
        2.0
        """
        content = self.model_dump()
        for key, value in (("spacing_arcmin", spacing_arcmin), ("hours", hours)):
            if value is None:
                continue
            values = value if isinstance(value, Mapping) else {self.finest_grid: value}
            for name, number in values.items():
                check_kind(number, Real, key, "a number, or a number for each grid by name")
                if name not in content["grids"]:
                    raise unknown_name("grid", name, content["grids"], where=f"in region {self.name}")
                content["grids"][name][key] = number
        try:
            return Region.model_validate(content)
        except ValidationError as error:
            raise InputError(f"region {self.name}: {_problem(error)}") from error

    def with_gauges(self, names: list[str]) -> Region:
        """Keep some gauges, in the order of the region; InputError for a name that it lacks, or for none at all."""
        wanted = {self.gauge(name).name for name in names}
        if not wanted:
            raise InputError(f"a region needs at least one gauge, got none of {self.name}")
        return self.model_copy(
            update={
                "gauges": tuple(g for g in self.gauges if g.name in wanted),
                "observers": tuple(name for name in self.observers if name in wanted),
            }
        )


def region_names() -> list[str]:
    """Return the names of the built-in regions.

    Examples
    --------
    >>> region_names()
    ['alaska', 'cascadia', 'chile', 'japan', 'kamchatka', 'tonga']
    """
    folder = files("slipcast").joinpath("regions")
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def _problem(error: ValidationError) -> InputError:
    """Word the first problem of a region."""
    keys = {*Region.model_fields, *GridPlan.model_fields, *Gauge.model_fields}
    return invalid_setting(error, "key", sorted(keys))
