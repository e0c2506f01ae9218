"""Events of the suite: what is told of each in its ``event.toml``, and its records."""

from __future__ import annotations

import tomllib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from slipcast.errors import InputError, SlipcastWarning, invalid_setting
from slipcast.records import Records, parse_origin
from slipcast.records.quality import QualitySettings
from slipcast.records.raw_files import read_files
from slipcast.records.read import records_of
from slipcast.regions.region import Region

__all__ = ["FILE", "Event", "Station", "read_event_records"]

FILE = "event.toml"


class _Frozen(BaseModel):
    """Facts that cannot be changed and know all their keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Station(_Frozen):
    """Where a station stood that the table of deployments lacks.

    Attributes
    ----------
    lon, lat : float
        Degrees.
    """

    lon: float = Field(ge=-360, le=720)
    lat: float = Field(ge=-90, le=90)


class Event(_Frozen):
    """What is told of a tsunami before its records are read.

    Attributes
    ----------
    name, title : str
        Short name, and one for figures.
    origin : str
        Of the earthquake, UTC.
    epicentre : (float, float)
        Longitude and latitude, degrees.
    magnitude : float
        Mw of the catalogue, against which results are scored.
    first_magnitude : float
        As first issued; methods are given this one alone.
    first_magnitude_source : str
        By whom and when.
    region : str
        One of the package, or the path of a file, relative to the folder of the event.
    files : tuple of str
        Globs of raw records, relative to the folder of the event or, where it holds none, to the folder of raw data.
    gauges : dict of str to Station
        Stations that the table of deployments lacks, or has elsewhere.
    interface : bool
        Whether the earthquake was a thrust of the plate interface alone.
    folder : path
        Where the file lies.
    """

    name: str = Field(min_length=1, pattern=r"^[a-z0-9_-]+$")
    title: str = Field(min_length=1)
    origin: str
    epicentre: tuple[float, float]
    magnitude: float = Field(ge=6, le=9.6)
    first_magnitude: float = Field(ge=6, le=9.6)
    first_magnitude_source: str = Field(min_length=1)
    region: str
    files: tuple[str, ...] = Field(min_length=1)
    gauges: dict[str, Station] = {}
    interface: bool = True
    folder: Path = Path()

    @field_validator("origin")
    @classmethod
    def _a_moment(cls, value: str) -> str:
        try:
            parse_origin(value)
        except InputError as error:
            raise ValueError(str(error)) from error
        return value

    @field_validator("epicentre")
    @classmethod
    def _on_the_globe(cls, value: tuple[float, float]) -> tuple[float, float]:
        lon, lat = value
        if not (-360 <= lon <= 720 and -90 <= lat <= 90):
            raise ValueError("must be longitude and latitude, degrees")
        return value

    @classmethod
    def open(cls, folder: Path) -> Event:
        """Read ``event.toml`` of a folder; InputError in one line if there is none, or it breaks a rule."""
        path = folder / FILE
        try:
            settings = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from error
        except ValueError as error:
            raise InputError(f"{path} is not valid TOML: {error}") from error
        if "folder" in settings:
            raise InputError(f"{path}: folder is where the file lies, and not told in it")
        try:
            return cls.model_validate(settings | {"folder": folder})
        except ValidationError as error:
            known = sorted({*cls.model_fields, *Station.model_fields} - {"folder"})
            raise InputError(f"{path}: {invalid_setting(error, 'key', known)}") from error

    def region_settings(self) -> Region:
        """Open the region."""
        path = self.folder / self.region
        return Region.open(path if self.region.endswith(".toml") and path.exists() else self.region)

    def raw_files(self, raw: Path | None) -> list[Path]:
        """Return the raw files, sorted; InputError where a glob finds nothing."""
        found: list[Path] = []
        for pattern in self.files:
            places = [self.folder, *([raw] if raw is not None else [])]
            matched = next((some for place in places if (some := sorted(place.glob(pattern)))), [])
            if not matched:
                where = " and ".join(str(place) for place in places)
                raise InputError(f"event {self.name}: files {pattern!r} matches nothing in {where}")
            found += [path for path in matched if path not in found]
        return found


def read_event_records(event: Event, raw: Path | None = None) -> tuple[Records, dict[str, str]]:
    """Read the records of an event.

    Parameters
    ----------
    event : Event
        Of which the epicentre is told to the reader, and no magnitude: the tide is fitted up to the earliest arrival
        from a rupture of any size.
    raw : path, optional
        Folder of raw data.

    Returns
    -------
    records : Records
        Without tide.
    left_out : dict of str to str
        By station why it cannot be used.

    Raises
    ------
    InputError
        If no station can be used, or a position is given of one that has no record.
    """
    moment = parse_origin(event.origin)
    joined, reasons = read_files(event.raw_files(raw), None, moment, QualitySettings())
    left_out = {name: str(reason) for name, reason in reasons.items()}
    if not joined:
        told = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise InputError(f"event {event.name}: none of its records can be read: {told}")
    stations = {series.station for series in joined}
    if unknown := sorted(set(event.gauges) - stations - set(left_out)):
        raise InputError(f"event {event.name}: gauges names {unknown[0]}, of which there is no record")
    options: dict[str, Any] = {
        "origin": np.datetime64(moment),
        "region": event.region_settings(),
        "positions": {name: (at.lon, at.lat) for name, at in event.gauges.items() if name in stations},
        "epicentre": event.epicentre,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SlipcastWarning)  # what it says is in gauges_left_out
        records = records_of(joined, **options)
    return records, left_out | dict(records.gauges_left_out)
