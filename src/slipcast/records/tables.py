"""Tables of samples: columns with names, and pairs of a time and a sea level without tide."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slipcast.errors import InputError
from slipcast.records.ndbc_text import (
    CLOCK,
    MISSING_M,
    STATION,
    Line,
    bare,
    clock_times,
    cut_note,
    has_fewer_decimals,
    integers,
    shown,
)
from slipcast.records.samples import Samples

__all__ = ["Table", "is_pairs", "is_table", "read_pairs", "read_table"]

_METRES = {"m", "metre", "metres", "meter", "meters"}
_SECONDS = {"s", "sec", "second", "seconds"}
_UTC = {"", "utc", "gmt", "z"}
_OTHER_UNITS = {"ft", "feet", "cm", "mm", "km", "fathoms", "local", "min", "minutes", "h", "hours"}
_TIMES = {
    *("time", "timestamp", "time_stamp", "datetime", "date_time", "date", "date_and_time", "utc", "utc_time"),
    *("obs_time", "observation_time", "sample_time"),
}
_SINCE_ORIGIN = {"time", "t", "seconds", "elapsed", "since_origin", "seconds_since_origin"}
_HEIGHTS = {
    *("height", "column_height", "water_column_height", "water_column", "water_height", "height_of_water_column"),
    *("sealevel", "sea_level", "water_level", "waterlevel"),
    "sea_floor_depth_below_sea_surface",  # NDBC's observation service
}
_PERHAPS_HEIGHTS = {"depth", "water_depth", "value"}
_WITHOUT_TIDE = {
    *("residual", "residuals", "detided", "notide", "detided_height", "detided_sea_level", "sea_level_residual"),
    *("residual_height", "anomaly", "sea_level_anomaly", "tsunami", "eta"),
}
_STATIONS = {
    *("station", "station_id", "station_name", "station_code", "stationid", "buoy", "buoy_id", "dart", "dart_id"),
    *("platform", "platform_id", "wmo_id", "wmo"),
}

_TIME = re.compile(
    "({})[-/]({})[-/]({})[T ]({}):({})(?::({})(?:[.]0+)?)?".format(*CLOCK)
    + "(?: ?(?:Z|UTC|GMT)|([+-])(0[0-9]|1[0-4])(?::?([0-5][0-9]))?)?"
)
_TIME_RULE = "ISO 8601 in whole seconds, 1980 to 2100, such as 2011-03-11T05:46:00Z"
_UNIT_OF_TIME = re.compile("(?:ISO ?8601)?[ (]*(?:UTC|GMT|Z)?[)]?", re.IGNORECASE)
_ABSENT_M = {"MM", "NaN", "nan", "NAN", "NA", "null"}
_ABSENT = "|".join([*sorted(_ABSENT_M), ""])
_HEIGHT = re.compile(rf"-?[0-9]{{1,9}}(?:\.[0-9]{{1,20}})?|{_ABSENT}")
_NUMBER = r"[-+]?(?:[0-9]{1,12}\.?[0-9]{0,20}|\.[0-9]{1,20})(?:[eE][-+]?[0-9]{1,2})?"
_RESIDUAL = re.compile(f"{_NUMBER}|{_ABSENT}")
_PLAIN = re.compile(_NUMBER)
_INTERVAL = re.compile(r"(15|60|900)(?:\.0*)?")
_PAIR = re.compile(rf"[ \t]*({_NUMBER}|{_TIME.pattern})(?:[ \t]*[,;][ \t]*|[ \t]+)({_NUMBER}|NaN|nan)[ \t]*")
_LEAST_PAIRS = 3
_LONGEST_S = 366 * 86400.0
_SHORTEST_STEP_S = 10.0
_SHALLOWEST_M = 100.0


@dataclass(frozen=True)
class Table:
    """What a table has of one station.

    Attributes
    ----------
    station : str or None
        None where no column says it.
    samples : Samples
        In the order of the table.
    tide_removed : bool
        Whether its sea level came without tide.
    """

    station: str | None
    samples: Samples
    tide_removed: bool = False


@dataclass(frozen=True)
class _Columns:
    """Which column is what, by position."""

    time: int
    height: int
    station: int | None
    interval: int | None
    tide_removed: bool
    since_origin: bool


def is_table(line: str) -> bool:
    """Tell whether the first line of a text is a header of named columns."""
    return _separator(line) is not None and bare(line)[0] not in "0123456789+-."


def is_pairs(lines: Sequence[Line]) -> bool:
    """Tell whether a text is pairs of a time and a number."""
    first = lines[:_LEAST_PAIRS]
    return len(first) == _LEAST_PAIRS and all(_PAIR.fullmatch(line) for _, line in first)


def read_table(
    lines: list[Line], unended: bool, where: str, origin: np.datetime64 | None
) -> tuple[list[Table], tuple[str, ...]]:
    """Read a table with a header, a station at a time.

    Parameters
    ----------
    lines : list of (int, str)
        With their numbers; the first is the header, the second may name units.
    unended : bool
        Whether the last line has no line end.
    where : str
        What to call the text in messages.
    origin : datetime64 or None
        What times in seconds count from.

    Returns
    -------
    tables : list of Table
        In the order in which stations first come.
    left_out : tuple of str
        A last line that a transfer cut.

    Raises
    ------
    InputError
        If a column lacks or comes twice, a unit is another, or a row is malformed, named with its number.
    """
    separator = _separator(lines[0][1]) or ","
    header, *fields = (_row(line, separator) for _, line in lines)
    header, fields = _with_date_and_time(header, fields)
    columns = _columns(header, where)
    rows = [(number, row) for (number, _), row in zip(lines[1:], fields, strict=True)]
    left_out: tuple[str, ...] = ()
    if unended and rows and _is_cut(rows, columns, header):
        left_out = cut_note(*lines[-1])
        rows = rows[:-1]
    for number, row in rows:
        if len(row) != len(header):
            line = next(line for at, line in lines if at == number)
            raise InputError(f"{where}, line {number}: must have {len(header)} fields, got {len(row)}: {shown(line)}")
    if rows and _names_units(rows[0], columns, where):
        rows = rows[1:]

    def column(at: int, pattern: re.Pattern, rule: str) -> list[re.Match]:
        found = [pattern.fullmatch(row[at]) for _, row in rows]
        matches = [match for match in found if match]
        if len(matches) < len(found):
            number, row = rows[found.index(None)]
            raise InputError(f"{where}, line {number}: {header[at]} must be {rule}, got {shown(row[at])}")
        return matches

    if columns.since_origin:
        seconds = [float(match[0]) for match in column(columns.time, _PLAIN, "a number of seconds")]
        time = _since_origin(np.array(seconds), origin, where)
    else:
        time = _moments(column(columns.time, _TIME, _TIME_RULE), [(number, "") for number, _ in rows], where)
    if separator != ",":  # the decimal comma of many countries
        rows = [(number, [field.replace(",", ".") for field in row]) for number, row in rows]
    rule = "a plain number of m, or 9999.000, MM, NaN or empty where missing"
    height_m = _heights(column(columns.height, _RESIDUAL if columns.tide_removed else _HEIGHT, rule))
    interval_s = np.zeros(len(rows), np.int16)
    if columns.interval is not None:
        matches = column(columns.interval, _INTERVAL, "15, 60 or 900")
        interval_s = integers([match[1] for match in matches]).astype(np.int16)
    samples = Samples(time, interval_s, height_m, integers([number for number, _ in rows]))
    if columns.station is None or not rows:
        return [Table(None, samples, columns.tide_removed)], left_out
    rows = [(number, [*row[: columns.station], _name(row[columns.station])]) for number, row in rows]
    column(columns.station, STATION, "the name of a station (letters, digits, _ and -)")
    names = np.array([row[columns.station] for _, row in rows], dtype=object)
    return [Table(name, samples.taken(names == name), columns.tide_removed) for name in dict.fromkeys(names)], left_out


def read_pairs(
    lines: list[Line], unended: bool, where: str, origin: np.datetime64 | None
) -> tuple[Table, tuple[str, ...]]:
    """Read pairs of a time (seconds since the origin, or ISO 8601) and a sea level, m, without a header.

    Parameters
    ----------
    lines, unended, where, origin
        As :func:`read_table` takes them.

    Returns
    -------
    table : Table
        Without tide, but if its numbers are heights of a water column (100 m and more).
    left_out : tuple of str
        A last line that a transfer cut.

    Raises
    ------
    InputError
        If a line is no pair, times in seconds have no origin to count from or can be no seconds.
    """
    left_out: tuple[str, ...] = ()
    last, others = lines[-1], [re.split("[ \t,;]+", bare(line))[-1] for _, line in lines[:-1]]
    if unended and (not _PAIR.fullmatch(last[1]) or has_fewer_decimals(last[1], others)):
        lines, left_out = lines[:-1], cut_note(*last)
    found = [_PAIR.fullmatch(line) for _, line in lines]
    matches = [match for match in found if match]
    if len(matches) < len(found):
        number, line = lines[found.index(None)]
        raise InputError(f"{where}, line {number}: must be a time and a number of metres, got {shown(line)}")
    height_m = np.array([float(match[match.re.groups]) for match in matches])
    height_m[height_m == MISSING_M] = np.nan
    sent = np.abs(height_m[np.isfinite(height_m)])
    clocks = [_TIME.fullmatch(match[1]) for match in matches]
    if all(clocks):
        time = _moments([clock for clock in clocks if clock], lines, where)
    elif not any(clocks):
        time = _since_origin(np.array([float(match[1]) for match in matches]), origin, where)
    else:
        number, line = lines[clocks.index(None)]
        raise InputError(f"{where}, line {number}: the time must be {_TIME_RULE}, as on other lines, got {shown(line)}")
    samples = Samples(time, np.zeros(len(lines), np.int16), height_m, integers([number for number, _ in lines]))
    return Table(None, samples, not (sent.size and np.median(sent) >= _SHALLOWEST_M)), left_out


def _separator(line: str) -> str | None:
    """Return what separates the columns of a header."""
    return next((each for each in ("\t", ";", ",") if each in bare(line)), None)


def _row(line: str, separator: str) -> list[str]:
    """Split a line; fields may stand in quotes, but a separator in them is still a separator."""
    fields = [field.strip(" \t") for field in line.split(separator)]
    return [field[1:-1] if len(field) > 1 and field[0] == field[-1] == '"' else field for field in fields]


def _with_date_and_time(header: list[str], rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """Join a date and a time that stand in columns of their own, in that of the time."""
    names = [_name_and_unit(field) for field in header]
    dates, times = (
        [at for at, (each, unit) in enumerate(names) if each == n and unit in _UTC] for n in ("date", "time")
    )
    if len(dates) != 1 or len(times) != 1:
        return header, rows
    (date,), (time,) = dates, times
    both = range(max(date, time) + 1, len(header) + 1)  # a row that is too short is refused later
    joined = [
        [*row[:time], f"{row[date]} {row[time]}".strip(), *row[time + 1 :]] if len(row) in both else row for row in rows
    ]
    return ["" if at == date else field for at, field in enumerate(header)], joined


def _name_and_unit(field: str) -> tuple[str, str]:
    """Take the name of a column apart: ``Height (m)`` and ``height_m`` are height in m."""
    text = field.strip().lower()
    found = re.fullmatch(r"([^(\[]*)[(\[]([^)\]]*)[)\]]", text)
    name, unit = (found[1], found[2].strip()) if found else (text, "")
    name = re.sub("[^a-z0-9]+", "_", name).strip("_")
    head, _, tail = name.rpartition("_")
    if not unit and head and tail in _METRES | _SECONDS | _UTC | _OTHER_UNITS:
        name, unit = head, tail
    return name, unit


def _columns(header: Sequence[str], where: str) -> _Columns:
    """Find the columns by their names."""
    named = [_name_and_unit(field) for field in header]
    moments = [at for at, (name, unit) in enumerate(named) if name in _TIMES and unit in _UTC]
    seconds = [
        at for at, (name, unit) in enumerate(named) if name in _SINCE_ORIGIN and (unit in _SECONDS or name == "seconds")
    ]
    heights = [at for at, (name, _) in enumerate(named) if name in _HEIGHTS]
    heights = heights or [at for at, (name, _) in enumerate(named) if name in _PERHAPS_HEIGHTS]
    residuals = [at for at, (name, _) in enumerate(named) if name in _WITHOUT_TIDE]
    stations = [at for at, (name, _) in enumerate(named) if name in _STATIONS]
    intervals = [at for at, (name, unit) in enumerate(named) if name == "interval" and unit in {"", *_SECONDS}]
    chosen = {
        "time, such as time or timestamp_utc": moments or seconds,
        "height, such as height_m (or residual_m, without tide)": heights or residuals,
    }
    for what, found in chosen.items():
        if len(found) != 1:
            raise InputError(f"{where}: the header must have one column of {what}, got {shown(','.join(header))}")
    for what, found in (("station", stations), ("interval_s", intervals)):
        if len(found) > 1:
            raise InputError(f"{where}: the header must have the column {what} once, got {shown(','.join(header))}")
    (time,), (height,) = chosen.values()
    if (unit := named[height][1]) and unit not in _METRES:
        raise InputError(f"{where}: heights must be in metres, got the column {header[height]}")
    return _Columns(
        time,
        height,
        stations[0] if stations else None,
        intervals[0] if intervals else None,
        tide_removed=not heights,
        since_origin=not moments,
    )


def _is_cut(rows: Sequence[tuple[int, list[str]]], columns: _Columns, header: Sequence[str]) -> bool:
    """Tell whether a last row without line end was cut, as far as its last field tells."""
    *others, (_, row) = rows
    last, at = row[-1], len(header) - 1
    same = [fields[-1] for _, fields in others if len(fields) == len(header)]  # the others are refused later
    if len(row) < len(header) or last.startswith('"'):
        return True
    if at == columns.height:
        return has_fewer_decimals(last, same)
    if at == columns.interval:
        return not _INTERVAL.fullmatch(last)
    # a time without its seconds or its offset is one too, and so is the beginning of a name
    return at in (columns.time, columns.station) and (not same or len(last) != len(same[-1]))


def _names_units(first: tuple[int, list[str]], columns: _Columns, where: str) -> bool:
    """Tell whether the first row names units, as ERDDAP writes them; InputError if heights are not in metres."""
    number, row = first
    time, height = row[columns.time], row[columns.height]
    if not (time or height) or not _UNIT_OF_TIME.fullmatch(time) or re.search("[0-9]", height) or height in _ABSENT_M:
        return False
    if height.lower() not in {"", *_METRES}:
        raise InputError(f"{where}, line {number}: heights must be in metres, got the unit {shown(height)}")
    return True


def _moments(matches: Sequence[re.Match], lines: Sequence[Line], where: str) -> np.ndarray:
    """Convert checked times."""
    *fields, signs, hours, minutes = zip(*(match.groups("0") for match in matches)) if matches else [()] * 9
    time = clock_times([integers(field) for field in fields], lines, where)
    ahead = np.array([-1 if sign == "-" else 1 for sign in signs]) * (60 * integers(hours) + integers(minutes))
    return time - ahead.astype("timedelta64[m]")


def _since_origin(seconds: np.ndarray, origin: np.datetime64 | None, where: str) -> np.ndarray:
    """Turn seconds since the origin into times, to the second."""
    if origin is None:
        raise InputError(f"{where} has times in seconds since an earthquake; give its origin")
    steps = np.diff(np.unique(seconds))
    far = seconds.size and np.abs(seconds).max() > _LONGEST_S
    if far or (steps.size and np.median(steps) < _SHORTEST_STEP_S):
        raise InputError(
            f"{where} must have times in seconds since the origin, which numbers from {seconds.min():g} to "
            f"{seconds.max():g} in steps of {np.median(steps) if steps.size else 0:g} cannot be"
        )
    return origin.astype("datetime64[s]") + np.round(seconds).astype("timedelta64[s]")


def _heights(matches: Sequence[re.Match]) -> np.ndarray:
    """Convert checked heights, m; NaN where missing."""
    height_m = np.array(
        [np.nan if match[0] in {"", *_ABSENT_M} else float(match[0]) for match in matches], dtype=np.float64
    )
    return np.where(height_m == MISSING_M, np.nan, height_m)


def _name(field: str) -> str:
    """Return the name of a station as others write it: ``urn:ioos:station:wmo:21418``, ``21418.0``."""
    return field.rpartition(":")[2].removesuffix(".0")
