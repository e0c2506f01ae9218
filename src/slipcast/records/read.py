"""Reading of raw records: quality control, masking of shaking, removal of tides."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from types import NoneType
from typing import Literal, get_args

import numpy as np

from slipcast.errors import InputError, SlipcastWarning, check_kind, unknown_name
from slipcast.geodesy import wrap_longitude
from slipcast.io.labels import with_reasons
from slipcast.records.arrival import check_magnitude, earliest_arrival
from slipcast.records.dart import DartSeries, check_station
from slipcast.records.level_checks import words_of
from slipcast.records.origin import parse_origin
from slipcast.records.quality import MASKS, QualitySettings, examine
from slipcast.records.raw_files import check_heights, read_files
from slipcast.records.records import Records
from slipcast.records.shaking import find_shaking
from slipcast.records.stations import Deployments, Position, position
from slipcast.records.tides import TideFit, TideMethod, fit_harmonic, fit_short
from slipcast.regions.region import Region

__all__ = ["read_records", "records_of"]

_SHAKING_S = 5400.0
_TSUNAMI_S = 1.5 * 86400.0
_YEAR_S = 366 * 86400.0
_STUCK_M = 1e-6
_NOMINAL_M = 5000.0  # depth of the sea under a record that came without tide

ShakingChoice = Literal["find", "keep"]


@dataclass(frozen=True)
class _Cleaned:
    """One gauge, on its own times."""

    time_s: np.ndarray
    height_m: np.ndarray
    flags: np.ndarray
    tide: TideFit
    shaking: tuple[float, float] | None
    place: Position
    left_out: str
    detided: bool


def read_records(
    *files: str | os.PathLike,
    origin: str | np.datetime64,
    station: str | None = None,
    region: Region | str | os.PathLike | None = None,
    positions: Mapping[str, tuple[float, float]] | None = None,
    deployments: Deployments | str | os.PathLike | None = None,
    epicentre: tuple[float, float] | None = None,
    magnitude: float | None = None,
    tide: TideMethod = "short",
    shaking: ShakingChoice | Mapping[str, float] = "find",
    quality: QualitySettings | None = None,
    until_min: float | None = None,
) -> Records:
    """Read raw records, check their quality, mask shaking, and remove the tide.

    Parameters
    ----------
    files : path
        NDBC text or tables, as :func:`~slipcast.records.dart.parse_dart` takes them, or records (netCDF) with their
        heights; several of one station are joined.
    origin : str or datetime64
        Of the earthquake, UTC.
    station : str, optional
        Whose files these are; by default each says it by a column or by its name
        (:func:`~slipcast.records.dart.read_dart`). Of files with stations of their own, the one that is read.
    region, positions, deployments, epicentre, magnitude, tide, shaking, quality, until_min
        As in :func:`records_of`.

    Returns
    -------
    records : Records
        As of :func:`records_of`; a file that cannot be read is left out as a station is.

    Raises
    ------
    InputError
        If a file is no path, no file can be read, or as in :func:`records_of`.

    Warns
    -----
    SlipcastWarning
        If a file is left out, or as in :func:`records_of`.
    """
    if not files:
        raise InputError("records need at least one file, got none")
    for file in files:
        check_kind(file, (str, os.PathLike), "files", "paths")
    check_kind(station, (str, NoneType), "station", "the name of a station")
    if station is not None:
        check_station(station)
    moment = _moment(origin)
    check_kind(quality, (QualitySettings, NoneType), "quality", "QualitySettings")
    joined, reasons = read_files([Path(file) for file in files], station, moment, quality or QualitySettings())
    return _records_of(
        joined,
        reasons,
        origin=moment,
        region=region,
        positions=positions,
        deployments=deployments,
        epicentre=epicentre,
        magnitude=magnitude,
        tide=tide,
        shaking=shaking,
        quality=quality,
        until_min=until_min,
    )


def records_of(
    series: Sequence[DartSeries],
    *,
    origin: str | np.datetime64,
    region: Region | str | os.PathLike | None = None,
    positions: Mapping[str, tuple[float, float]] | None = None,
    deployments: Deployments | str | os.PathLike | None = None,
    epicentre: tuple[float, float] | None = None,
    magnitude: float | None = None,
    tide: TideMethod = "short",
    shaking: ShakingChoice | Mapping[str, float] = "find",
    quality: QualitySettings | None = None,
    until_min: float | None = None,
) -> Records:
    """Turn raw series into records.

    Parameters
    ----------
    series : sequence of DartSeries
        One a station.
    origin : str or datetime64
        Of the earthquake, UTC.
    region : Region, str or path, optional
        Whose gauges say where stations are that no table has on the day of the earthquake.
    positions : mapping of station to (lon, lat), optional
        Degrees; they come first.
    deployments : Deployments or path, optional
        A table of where stations stood, and when, that comes before the packaged one
        (:func:`~slipcast.records.stations.position` has the order).
    epicentre : (float, float), optional
        Longitude and latitude, degrees. With it the tide is fitted up to the earliest possible arrival at each gauge
        (:func:`~slipcast.records.arrival.earliest_arrival`), else up to the origin alone.
    magnitude : float, optional
        Mw, which says how long the rupture may be; by default it may be any.
    tide : {"short", "harmonic"}, optional
        How the tide is fitted (:func:`~slipcast.records.tides.fit_short`, :func:`~slipcast.records.tides.fit_harmonic`;
        the latter takes samples from a day and a half after the origin, too). None is fitted to series that came
        without theirs.
    shaking : {"find", "keep"} or mapping of station to float, optional
        Mask what the earthquake's own waves disturb, or leave it, or mask up to a minute after the origin; stations
        that a mapping does not name are searched.
    quality : QualitySettings, optional
        Thresholds of the quality control.
    until_min : float, optional
        Only samples up to this minute after the origin, as if the rest had not been sent.

    Returns
    -------
    records : Records
        ``sea_level`` without tide, NaN where a sample is flagged. With it what it comes from: ``height``, ``tide``,
        ``tide_column`` m, ``flag`` (bits of :data:`~slipcast.records.quality.MASKS`), ``shaking_start``,
        ``shaking_end`` s, ``position_from``, ``left_out``, ``detided`` (1 where the record came without tide);
        attributes ``tide_method``, ``epicentre``, ``magnitude``. ``gauges_left_out`` has the stations that cannot be
        used, and why.

    Raises
    ------
    InputError
        If an argument is of a wrong kind, there is no series, a station is given twice, or none can be used: a record
        holds no height or none of a water column, begins after the origin, ends before it, or, with an epicentre,
        before a wave could arrive (the message says when that is), or the station has no position.

    Warns
    -----
    SlipcastWarning
        If a station is left out while others can be used, or its position is that of its nearest deployment, as none is
        known on the day.
    """
    if not series:
        raise InputError("records need at least one series, got none")
    for each in series:
        check_kind(each, DartSeries, "series", "a list of DartSeries")
    return _records_of(
        series,
        {},
        origin=_moment(origin),
        region=region,
        positions=positions,
        deployments=deployments,
        epicentre=epicentre,
        magnitude=magnitude,
        tide=tide,
        shaking=shaking,
        quality=quality,
        until_min=until_min,
    )


def _records_of(
    series: Sequence[DartSeries],
    reasons: dict[str, InputError],
    *,
    origin: np.datetime64,
    region: Region | str | os.PathLike | None,
    positions: Mapping[str, tuple[float, float]] | None,
    deployments: Deployments | str | os.PathLike | None,
    epicentre: tuple[float, float] | None,
    magnitude: float | None,
    tide: TideMethod,
    shaking: ShakingChoice | Mapping[str, float],
    quality: QualitySettings | None,
    until_min: float | None,
) -> Records:
    """Turn series into records, beside stations that are left out already, with the reasons."""
    check_kind(region, (Region, str, os.PathLike, NoneType), "region", "a Region, a name or the path of a TOML file")
    check_kind(positions, (Mapping, NoneType), "positions", "longitude and latitude by station")
    check_kind(deployments, (Deployments, str, os.PathLike, NoneType), "deployments", "Deployments or a path")
    check_kind(shaking, (str, Mapping), "shaking", "find, keep or minutes by station")
    check_kind(quality, (QualitySettings, NoneType), "quality", "QualitySettings")
    check_kind(until_min, (Real, NoneType), "until_min", "a number of minutes")
    if tide not in get_args(TideMethod):
        raise InputError(f"tide must be one of {', '.join(get_args(TideMethod))}, got {tide!r}")
    if isinstance(region, str | os.PathLike):
        region = Region.open(region)
    if deployments is not None and not isinstance(deployments, Deployments):
        deployments = Deployments.open(deployments)
    stations = [*(each.station for each in series), *reasons]
    if twice := [name for i, name in enumerate(stations) if name in stations[:i]]:
        raise InputError(f"station {twice[0]} is given twice; join its parts first")
    for what, names in (("positions", positions or {}), ("shaking", {} if isinstance(shaking, str) else shaking)):
        if unknown := [name for name in names if name not in stations]:
            raise unknown_name("station", unknown[0], stations, where=f"in {what}")
    for name, (lon_deg, lat_deg) in (positions or {}).items():
        Position(lon_deg, lat_deg, f"position of station {name}")
    if isinstance(shaking, str) and shaking not in get_args(ShakingChoice):
        raise InputError(f"shaking must be find, keep or minutes by station, got {shaking!r}")
    if not isinstance(shaking, str) and (bad := [name for name, minutes in shaking.items() if not minutes > 0]):
        raise InputError(f"shaking must be > 0 minutes, got {shaking[bad[0]]:g} for {bad[0]}")
    _check_epicentre(epicentre)
    if magnitude is not None:
        check_magnitude(magnitude)
    cleaned, reasons = {}, dict(reasons)
    for each in series:
        try:
            check_heights(each, quality or QualitySettings())
            place = position(each.station, origin, given=positions, deployments=deployments, region=region)
            cleaned[each.station] = _clean(
                each,
                origin,
                place,
                epicentre=epicentre,
                magnitude=magnitude,
                tide=tide,
                shaking=shaking,
                quality=quality,
                until_min=until_min,
            )
        except InputError as error:
            reasons[each.station] = error
    if not cleaned and len(reasons) == 1:
        raise next(iter(reasons.values()))
    why = {name: str(reason) for name, reason in reasons.items()}
    if not cleaned:
        told = "; ".join(f"{name}: {reason}" for name, reason in why.items())
        raise InputError(f"none of {len(why)} stations can be used: {told}")
    if why:
        told = "; ".join(f"station {name} is left out: {reason}" for name, reason in why.items())
        warnings.warn(told, SlipcastWarning, stacklevel=3)
    records = _assemble(cleaned, origin, tide, epicentre, magnitude)
    return Records(with_reasons(records.dataset, why))


def _moment(origin: str | np.datetime64) -> np.datetime64:
    """Return a time of origin to the second."""
    check_kind(origin, (str, np.datetime64), "origin", "a time such as 2011-03-11T05:46:24Z")
    return parse_origin(origin) if isinstance(origin, str) else origin.astype("datetime64[s]")


def _check_epicentre(epicentre: tuple[float, float] | None) -> None:
    """Refuse an epicentre that is nowhere."""
    if epicentre is None:
        return
    wanted = "longitude and latitude, degrees"
    check_kind(epicentre, (tuple, list, np.ndarray), "epicentre", wanted)
    if len(epicentre) != 2 or not all(isinstance(each, Real) for each in epicentre):
        raise InputError(f"epicentre must be {wanted}, got {epicentre!r}")
    lon, lat = epicentre
    if not (-360 <= lon <= 720 and -90 <= lat <= 90):
        raise InputError(f"epicentre must be longitude and latitude, degrees, got {lon:g} {lat:g}")


def _clean(
    series: DartSeries,
    origin: np.datetime64,
    place: Position,
    *,
    epicentre: tuple[float, float] | None,
    magnitude: float | None,
    tide: TideMethod,
    shaking: ShakingChoice | Mapping[str, float],
    quality: QualitySettings | None,
    until_min: float | None,
) -> _Cleaned:
    """Check the samples of one gauge, mask shaking, fit the tide."""
    time_s = series.seconds_since(origin)
    sent = np.isfinite(series.height_m) & (time_s <= (np.inf if until_min is None else 60 * until_min))
    time_s, height_m, interval_s = time_s[sent], series.height_m[sent], series.interval_s[sent]
    may_arrive_s = 0.0 if epicentre is None else earliest_arrival(epicentre, place.lon_deg, place.lat_deg, magnitude)
    _check_span(series, time_s, origin, may_arrive_s if epicentre is not None and until_min is None else None)
    settings, column_m = quality or QualitySettings(), height_m
    if series.tide_removed:  # without a tide a calm sea is flatter than a sensor that works would be with it
        calm = replace(settings, flat_line_m=_STUCK_M, flat_line_count=max(1, time_s.size))
        settings, column_m = calm, height_m + _NOMINAL_M
    checked = examine(time_s, column_m, interval_s, settings, wave_s=(may_arrive_s, may_arrive_s + _TSUNAMI_S))
    flags = checked.flags.copy()
    span = None
    if isinstance(shaking, Mapping) and series.station in shaking:
        span = (0.0, 60.0 * shaking[series.station])
    elif shaking != "keep":
        until_s = max(may_arrive_s, _SHAKING_S)
        span = find_shaking(time_s, height_m, interval_s, until_s=until_s, arrival_s=may_arrive_s)
    if span is not None:
        flags[(time_s >= span[0]) & (time_s <= span[1])] |= MASKS["shaking"]
    quiet = (flags == 0) & (time_s < may_arrive_s)
    if tide == "harmonic":
        quiet |= (flags == 0) & (time_s > _TSUNAMI_S)
    fit = _no_tide if series.tide_removed else fit_short if tide == "short" else fit_harmonic
    level_m = height_m - checked.offset_m
    try:
        found = fit(time_s[quiet], level_m[quiet], time_s, origin=origin, lat_deg=place.lat_deg)
    except InputError as error:
        raise InputError(f"record of {series.station}: {error}") from error
    found = replace(found, level_m=found.level_m + checked.offset_m)
    steps = [
        words_of(step, f"at {origin + np.timedelta64(round(step.time_s), 's')} UTC", "counted as tide", settings)
        for step in checked.steps
    ]
    left_out = [*series.left_out, *steps]
    return _Cleaned(time_s, height_m, flags, found, span, place, "; ".join(left_out), series.tide_removed)


def _no_tide(
    time_s: np.ndarray, height_m: np.ndarray, at_s: np.ndarray, *, origin: np.datetime64, lat_deg: float
) -> TideFit:
    """Return the tide of a record that came without one."""
    return TideFit("short", np.zeros(at_s.size), np.zeros((at_s.size, 0)))


def _check_span(series: DartSeries, time_s: np.ndarray, origin: np.datetime64, may_arrive_s: float | None) -> None:
    """Refuse a record that is not around the origin."""
    if not np.isfinite(series.height_m).any():
        raise InputError(f"record of {series.station} holds no height")
    begins, ends = series.time[0], series.time[-1]
    what = f"record of {series.station} from {begins} to {ends} UTC"
    far_s = max((begins - origin).astype(float), (origin - ends).astype(float))
    if far_s > _YEAR_S / 2:
        raise InputError(f"{what}: the origin {origin} is {far_s / _YEAR_S:.1f} years away; is its year right?")
    if not time_s.size or time_s[-1] < 0:
        raise InputError(f"{what} ends before the origin, {origin} UTC")
    if time_s[0] >= 0 and not series.tide_removed:
        raise InputError(f"{what} begins after the origin, {origin} UTC: nothing tells its tide from the wave")
    if may_arrive_s is not None and time_s[-1] < may_arrive_s:
        earliest = origin + np.timedelta64(round(may_arrive_s), "s")
        raise InputError(f"{what} ends before a wave could arrive there, at {earliest} UTC at the earliest")


def _assemble(
    cleaned: Mapping[str, _Cleaned],
    origin: np.datetime64,
    tide: TideMethod,
    epicentre: tuple[float, float] | None,
    magnitude: float | None,
) -> Records:
    """Put gauges on common times, with everything that the sea level comes from."""
    time_s = np.unique(np.concatenate([each.time_s for each in cleaned.values()]))
    shape = (len(cleaned), time_s.size)
    height, level, sea_level = (np.full(shape, np.nan) for _ in range(3))
    flag = np.zeros(shape, np.uint8)
    n_columns = max(each.tide.column_m.shape[1] for each in cleaned.values())
    column = np.zeros((len(cleaned), n_columns, time_s.size), np.float32)
    for row, each in enumerate(cleaned.values()):
        at = np.searchsorted(time_s, each.time_s)
        height[row, at], level[row, at], flag[row, at] = each.height_m, each.tide.level_m, each.flags
        sea_level[row, at] = np.where(each.flags == 0, each.height_m - each.tide.level_m, np.nan)
        column[row, : each.tide.column_m.shape[1], at] = each.tide.column_m
    records = Records.from_arrays(
        time_s,
        sea_level,
        gauges=list(cleaned),
        lon_deg=[each.place.lon_deg for each in cleaned.values()],
        lat_deg=[each.place.lat_deg for each in cleaned.values()],
        origin_time=f"{origin}Z",
    )
    spans = np.array([each.shaking or (np.nan, np.nan) for each in cleaned.values()])
    meanings = {"flag_masks": list(MASKS.values()), "flag_meanings": " ".join(MASKS)}
    more = {
        "height": (("gauge", "time"), height, {"units": "m", "long_name": "height of the water column"}),
        "tide": (("gauge", "time"), level, {"units": "m", "long_name": "height of the water column without tsunami"}),
        "tide_column": (("gauge", "column", "time"), column, {"units": "m", "long_name": "uncertainty of the tide"}),
        "flag": (("gauge", "time"), flag, {"long_name": "what is wrong with a sample", **meanings}),
        "shaking_start": ("gauge", spans[:, 0], {"units": "s"}),
        "shaking_end": ("gauge", spans[:, 1], {"units": "s"}),
        "position_from": ("gauge", [each.place.origin for each in cleaned.values()]),
        "left_out": ("gauge", [each.left_out for each in cleaned.values()]),
        "detided": (
            "gauge",
            np.array([each.detided for each in cleaned.values()], np.int8),
            {"long_name": "1 where the record came without tide"},
        ),
    }
    dataset = records.dataset.assign(more)
    dataset.attrs["tide_method"] = tide
    if epicentre is not None:
        dataset.attrs["epicentre"] = [float(wrap_longitude(epicentre[0])), float(epicentre[1])]
    if magnitude is not None:
        dataset.attrs["magnitude"] = float(magnitude)
    return Records(dataset)
