"""DART records of the height of the water column, from NDBC text or CSV."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slipcast.errors import InputError

__all__ = ["STATION", "DartSeries", "decode_dart", "merge_series", "parse_dart", "read_dart"]

STATION = re.compile(r"[A-Za-z0-9_-]+")
"""What a name of a station looks like."""

_INTERVALS_S = (15, 60, 900)
_OF_KIND_S = np.array([0, 900, 60, 15], np.int16)  # by NDBC's T
_MISSING_M = 9999.0
_SAME_M = 1.000001e-3  # heights have three decimals and may be rounded twice

_YEAR, _MONTH, _DAY = "19[89][0-9]|20[0-9]{2}|2100", "0[1-9]|1[0-2]", "0[1-9]|[12][0-9]|3[01]"
_HOUR, _SIXTY = "[01][0-9]|2[0-3]", "[0-5][0-9]"
# two digits always: a minute of one digit may be one of two digits that lost the other
_FIELDS = (
    ("the year", _YEAR, "of four digits, 1980 to 2100"),
    ("the month", _MONTH, "of two digits, 01 to 12"),
    ("the day", _DAY, "of two digits, 01 to 31"),
    ("the hour", _HOUR, "of two digits, 00 to 23"),
    ("the minute", _SIXTY, "of two digits, 00 to 59"),
    ("the second", _SIXTY, "of two digits, 00 to 59"),
    ("T", "[123]", "1 (every 15 minutes), 2 (every minute) or 3 (every 15 s)"),
    ("the height", r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?|MM", "a plain number of metres, or 9999.000 or MM where missing"),
)
_LINE = re.compile("[ \t]*" + "[ \t]+".join(f"({pattern})" for _, pattern, _ in _FIELDS) + "[ \t]*")
_COLUMNS = "MM DD HH MM SS T HEIGHT"
_CSV_TIME = re.compile(
    f"({_YEAR})-({_MONTH})-({_DAY})[T ]({_HOUR}):({_SIXTY})(?::({_SIXTY})(?:[.]0+)?)?"
    f"(?:Z|([+-])(0[0-9]|1[0-4]):?({_SIXTY}))?"
)
_CSV_HEIGHT = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,20})?|MM|")
_CSV_INTERVAL = re.compile(r"(15|60|900)(?:\.0*)?")
_DECIMALS = re.compile(r"\.([0-9]+)[ \t]*$")

_Line = tuple[int, str]
_Samples = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class DartSeries:
    """The height of the water column over a DART's pressure sensor, tide and all.

    Attributes
    ----------
    station : str
        Name, e.g. ``"21418"``.
    time : array of datetime64[s], shape (n,)
        UTC, strictly rising; not evenly spaced.
    height_m : array of float64, shape (n,)
        m; NaN where the buoy sent none. A finite height need not be one of a water column: what is <= 0 or deeper than
        any ocean is kept as it was sent, for quality control, which comes after reading.
    interval_s : array of int16, shape (n,)
        How often the buoy sampled there: every 15, 60 or 900 s (NDBC's T = 3, 2, 1).
    left_out : tuple of str
        What was left out on reading, and why, in words.

    Raises
    ------
    InputError
        If the name is none of a station, an array has another type or length, times do not rise, a height is infinite,
        or an interval is not 15, 60 or 900 s.
    """

    station: str
    time: np.ndarray
    height_m: np.ndarray
    interval_s: np.ndarray
    left_out: tuple[str, ...] = ()

    def __post_init__(self):
        _check_station(self.station)
        for name, kind in (("time", "datetime64[s]"), ("height_m", "float64"), ("interval_s", "int16")):
            array = getattr(self, name)
            if array.ndim != 1 or array.dtype != np.dtype(kind):
                raise InputError(f"{name} must be 1-D and {kind}, got {array.ndim}-D and {array.dtype}")
            if array.size != self.time.size:
                raise InputError(f"{name} must have a value for each time, got {array.size} for {self.time.size}")
        if np.isnat(self.time).any() or (np.diff(self.time) <= np.timedelta64(0, "s")).any():
            raise InputError(f"time of DART {self.station} must rise strictly")
        if np.isinf(self.height_m).any():
            raise InputError(f"height_m of DART {self.station} must be finite or NaN, got an infinite value")
        if (bad := ~np.isin(self.interval_s, _INTERVALS_S)).any():
            raise InputError(f"interval_s must be 15, 60 or 900, got {self.interval_s[bad][0]} at {self.time[bad][0]}")

    def seconds_since(self, origin: np.datetime64) -> np.ndarray:
        """Return the times in seconds since a moment (UTC), which may have fractions of a second."""
        if not isinstance(origin, np.datetime64) or np.isnat(origin):
            raise InputError(f"origin must be a moment as numpy.datetime64, got {origin!r}")
        return (self.time - origin.astype("datetime64[us]")) / np.timedelta64(1, "s")


def read_dart(path: str | os.PathLike, *, station: str | None = None) -> DartSeries:
    """Read a DART record from a file of NDBC or a CSV.

    Parameters
    ----------
    path : path
        Text as :func:`parse_dart` takes it.
    station : str, optional
        Name of the station; by default the number of five digits in the name of the file.

    Returns
    -------
    series : DartSeries

    Raises
    ------
    InputError
        If the file cannot be read, its name has no station, or its text is refused by :func:`parse_dart`.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"cannot read {path}: it is a folder, and a file of one DART is needed")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    text = decode_dart(content, where=str(path))
    return parse_dart(text, station=_station_of(path) if station is None else station, where=str(path))


def decode_dart(content: bytes, *, where: str) -> str:
    """Turn the bytes of a file into text; InputError, naming ``where``, if they are packed or none."""
    if content.startswith(b"\x1f\x8b"):
        raise InputError(f"{where} is packed by gzip; unpack it first (gunzip)")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{where} is no text in UTF-8: byte {error.start} is 0x{content[error.start]:02x}") from error
    return text


def parse_dart(text: str, *, station: str, where: str) -> DartSeries:
    r"""Read a DART record from text.

    Parameters
    ----------
    text : str
        Lines ``YY MM DD hh mm ss T HEIGHT`` as NDBC has them, in any order, with or without the header; or CSV with a
        header that has ``time`` (ISO 8601 to the second; UTC unless it has an offset), ``height_m`` and, optionally,
        ``interval_s``. Blank lines and those that begin with ``#`` do not count. A missing height is 9999.000 or MM,
        in a CSV it may be empty.
    station : str
        Name of the station.
    where : str
        What to call the text in messages, e.g. its path.

    Returns
    -------
    series : DartSeries
        One sample a time: the finest that has a height. Of heights of the same time and interval that differ by no
        more than 1 mm the lower one. Heights that no water column has are kept.

    Raises
    ------
    InputError
        If the text is of another kind, a line is malformed (named with its number, the rule, and what was got), two
        heights of the same time and interval differ by more than 1 mm, or there is no height at all.

    Notes
    -----
    Nothing is mended. A last line without line end, as left by a transfer that broke off, is left out and noted if it
    has fewer fields or its height fewer decimals than others, or no other has any. In NDBC's text all heights must
    have as many decimals, which shows one that was cut elsewhere.

    In a CSV without ``interval_s`` the interval follows from the distance to the nearer neighbour in time: 15 s up to
    30 s, 60 s up to 232 s, else 900 s (nearest by ratio, so that a lone missing sample does not matter); a
    lone sample has 900 s.

    Examples
    --------
    >>> text = "2011 03 11 05 47 00 2 5662.198\n2011 03 11 05 46 00 2 9999.000\n"
    >>> series = parse_dart(text, station="21418", where="text")
    >>> series.height_m.tolist(), series.interval_s.tolist()
    ([nan, 5662.198], [60, 60])
    >>> series.seconds_since(np.datetime64("2011-03-11T05:46:24")).tolist()
    [-24.0, 36.0]
    """
    _check_station(station)
    text = text.removeprefix("\ufeff")
    _refuse_other_kinds(text, where)
    lines = [*enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1)]
    unended = bool(_bare(lines[-1][1])) and not _bare(lines[-1][1]).startswith("#")
    _check_headers(lines, where)
    lines = [(number, line) for number, line in lines if _bare(line) and not _bare(line).startswith("#")]
    if lines and _columns(lines[0][1]) is not None:
        lines = lines[1:]
    if not lines:
        raise InputError(f"{where} has a header but no samples")
    is_csv = "," in lines[0][1] and not _bare(lines[0][1])[0].isdigit()
    lines, left_out = (_whole_csv if is_csv else _whole_ndbc)(lines, unended)
    time, interval_s, height_m = (_read_csv if is_csv else _read_ndbc)(lines, where)
    if not np.isfinite(height_m).any():
        raise InputError("; ".join([f"{where} holds no height, in {height_m.size} samples", *left_out]))

    def clash(first: int, second: int) -> InputError:
        (one, _), (other, _) = (lines[at + is_csv] for at in (first, second))  # a CSV has its header in the way
        return InputError(
            f"{where}: heights of the same time and interval must agree within 1 mm, got {height_m[first]:.3f} m in "
            f"line {one} and {height_m[second]:.3f} m in line {other}, at {time[first]}"
        )

    kept = _one_a_time(time, interval_s, height_m, clash)
    time, interval_s, height_m = time[kept], interval_s[kept], height_m[kept]
    if not interval_s.all():
        interval_s = _intervals(time)
    return DartSeries(station, time, height_m, interval_s, left_out)


def merge_series(parts: Sequence[DartSeries]) -> DartSeries:
    """Merge several files of one station.

    Parameters
    ----------
    parts : sequence of DartSeries
        In any order; they may overlap.

    Returns
    -------
    series : DartSeries
        One sample a time, chosen as within a file (see :func:`parse_dart`).

    Raises
    ------
    InputError
        If there is no part, parts are of several stations, or heights of the same time and interval differ by more
        than 1 mm.
    """
    if not parts:
        raise InputError("parts must hold at least one series, got none")
    stations = list(dict.fromkeys(part.station for part in parts))
    if len(stations) > 1:
        raise InputError(f"parts must be of one station, got {stations[0]} and {stations[1]}")
    time, interval_s, height_m = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("time", "interval_s", "height_m")
    )

    def clash(first: int, second: int) -> InputError:
        return InputError(
            f"two files of one station that disagree: DART {stations[0]} at {time[first]} has {height_m[first]:.3f} m "
            f"in one and {height_m[second]:.3f} m in the other; they must agree within 1 mm"
        )

    kept = _one_a_time(time, interval_s, height_m, clash)
    left_out = tuple(dict.fromkeys(note for part in parts for note in part.left_out))
    return DartSeries(stations[0], time[kept], height_m[kept], interval_s[kept], left_out)


def _check_station(station: str) -> None:
    """Refuse what is no name of a station."""
    if not STATION.fullmatch(station):
        raise InputError(f"station must be letters, digits, _ and -, got {station!r}")


def _station_of(path: Path) -> str:
    """Return the number of five digits in the name of a file."""
    found = list(dict.fromkeys(re.findall("(?<![0-9])[0-9]{5}(?![0-9])", path.name)))
    if len(found) != 1:
        has = "none" if not found else " and ".join(found)
        raise InputError(
            f"the station of {path} is not known: its name must have one number of five digits, it has {has}; "
            "name the station, or rename the file, e.g. 21418.txt"
        )
    return found[0]


def _bare(line: str) -> str:
    """Return a line without blanks around it; other white space is none of this format."""
    return line.strip(" \t")


def _got(text: str) -> str:
    """Show what was got, short and on one line."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def _refuse_other_kinds(text: str, where: str) -> None:
    """Refuse text that is no table at all."""
    if not text.strip():
        raise InputError(f"{where} is empty")
    if "\0" in text:
        raise InputError(f"{where} is no text: it has NUL bytes")
    if text.lstrip().startswith("<"):
        raise InputError(
            f"{where} is a web page (HTML or XML), such as a server sends in place of a file, not a DART's"
        )


def _check_headers(lines: Sequence[_Line], where: str) -> None:
    """Refuse NDBC text with other columns, as other instruments have."""
    for number, line in lines:
        if (columns := _columns(line)) is None:
            continue
        cut = number == len(lines) and _COLUMNS.startswith(columns)
        if columns != _COLUMNS and not cut:
            raise InputError(
                f"{where}, line {number} is the header of another instrument: the columns of a DART are "
                f"YY MM DD hh mm ss T HEIGHT, got {_got(_bare(line))}"
            )


def _columns(line: str) -> str | None:
    """Return the columns after the year where a line is a header of NDBC, with or without its mark."""
    first, *others = line.strip(" \t#").upper().split() or [""]
    return " ".join(others) if first in ("YY", "YYYY") else None


def _n_decimals(text: str) -> int:
    """Count the digits after the point of a number at the end of a text."""
    found = _DECIMALS.search(text)
    return len(found[1]) if found else 0


def _has_fewer_decimals(height: str, others: Sequence[str]) -> bool:
    """Tell whether a height may have lost digits at its end; where no other has decimals, it may."""
    most = max((_n_decimals(other) for other in others), default=0)
    return height != "MM" and (most == 0 or _n_decimals(height) < most)


def _note(number: int, line: str) -> tuple[str, ...]:
    """Word that the last line is left out."""
    return (f"line {number}, the last, has no line end and may be cut: {_got(line)}",)


def _whole_ndbc(lines: list[_Line], unended: bool) -> tuple[list[_Line], tuple[str, ...]]:
    """Leave out a last line that a transfer cut."""
    *others, (number, line) = lines
    if not unended or not set(line) <= set("0123456789.- \tM"):
        return lines, ()
    fields = line.split()
    cut = len(fields) < len(_FIELDS) or _has_fewer_decimals(fields[-1], [other for _, other in others])
    return (others, _note(number, line)) if cut else (lines, ())


def _read_ndbc(lines: Sequence[_Line], where: str) -> _Samples:
    """Read lines of NDBC's text: times, intervals, heights."""
    found = [_LINE.fullmatch(line) for _, line in lines]
    matches = [match.groups() for match in found if match]
    if len(matches) < len(lines):
        number, line = lines[found.index(None)]
        raise InputError(f"{where}, line {number}: {_fault(line)}")
    *clock, kinds, heights = zip(*matches) if matches else [()] * len(_FIELDS)
    height_m = _heights(heights)
    decimals = np.array([len(text.partition(".")[2]) for text in heights])[np.isfinite(height_m)]
    if decimals.size:
        counts = np.bincount(decimals)
        usual = counts.size - 1 - int(counts[::-1].argmax())  # the higher of two that are as frequent
        if (other := decimals != usual).any():
            at = int(np.flatnonzero(np.isfinite(height_m))[other.argmax()])
            raise InputError(
                f"{where}, line {lines[at][0]}: the height must have {usual} decimals as on other lines, "
                f"got {heights[at]}; it was cut or changed"
            )
    time = _times([_integers(column) for column in clock], lines, where)
    return time, _OF_KIND_S[_integers(kinds)], height_m


def _fault(line: str) -> str:
    """Say what is wrong with a malformed line."""
    fields = re.split("[ \t]+", _bare(line))
    if len(fields) != len(_FIELDS):
        hint = "; a CSV needs a header with time and height_m" if "," in line else ""
        return f"must have 8 fields, YY MM DD hh mm ss T HEIGHT, got {len(fields)}: {_got(line)}{hint}"
    return next(
        f"{name} must be {rule}, got {_got(field)}"
        for field, (name, pattern, rule) in zip(fields, _FIELDS)
        if not re.fullmatch(pattern, field)
    )


def _whole_csv(lines: list[_Line], unended: bool) -> tuple[list[_Line], tuple[str, ...]]:
    """Leave out a last row that a transfer cut, as far as its last field tells."""
    if not unended or len(lines) < 2:
        return lines, ()
    (_, header), *rows = [(number, _row(line)) for number, line in lines]
    *others, (number, row) = rows
    name, last = header[-1], row[-1]
    others = [(at, fields) for at, fields in others if len(fields) == len(header)]  # the others are refused later
    if len(row) < len(header) or last.startswith('"'):
        cut = True
    elif name == "height_m":
        cut = _has_fewer_decimals(last, [fields[-1] for _, fields in others])
    elif name == "interval_s":
        cut = not _CSV_INTERVAL.fullmatch(last)
    elif name == "time":  # a time without its seconds or its offset is one too
        cut = not others or len(last) != len(others[-1][1][-1])
    else:
        cut = False
    return (lines[:-1], _note(number, lines[-1][1])) if cut else (lines, ())


def _row(line: str) -> list[str]:
    """Split a line of a CSV; fields may stand in quotes, but a comma in them is still a comma."""
    fields = [_bare(field) for field in line.split(",")]
    return [field[1:-1] if len(field) > 1 and field[0] == field[-1] == '"' else field for field in fields]


def _read_csv(lines: Sequence[_Line], where: str) -> _Samples:
    """Read a CSV with its header: times, intervals (0 where it does not say), heights."""
    header, rows = _row(lines[0][1]), [_row(line) for _, line in lines[1:]]
    for name in ("time", "height_m"):
        if header.count(name) != 1:
            raise InputError(f"{where}: the header must have the column {name} once, got {_got(','.join(header))}")
    for (number, line), row in zip(lines[1:], rows):
        if len(row) != len(header):
            raise InputError(f"{where}, line {number}: must have {len(header)} fields, got {len(row)}: {_got(line)}")
    table = dict(zip(header, zip(*rows) if rows else [()] * len(header)))

    def column(name: str, pattern: re.Pattern, rule: str) -> list[re.Match]:
        found = [pattern.fullmatch(field) for field in table[name]]
        matches = [match for match in found if match]
        if len(matches) < len(found):
            at = found.index(None)
            raise InputError(f"{where}, line {lines[at + 1][0]}: {name} must be {rule}, got {_got(table[name][at])}")
        return matches

    rule = "ISO 8601 in whole seconds, 1980 to 2100, such as 2011-03-11T05:46:00Z"
    clock = [match.groups("0") for match in column("time", _CSV_TIME, rule)]
    *fields, signs, hours, minutes = zip(*clock) if clock else [()] * 9
    time = _times([_integers(field) for field in fields], lines[1:], where)
    ahead = np.array([-1 if sign == "-" else 1 for sign in signs]) * (60 * _integers(hours) + _integers(minutes))
    column("height_m", _CSV_HEIGHT, "a plain number of m, or 9999.000, MM or empty where missing")
    interval_s = np.zeros(len(rows), np.int16)
    if "interval_s" in table:
        interval_s = _integers([match[1] for match in column("interval_s", _CSV_INTERVAL, "15, 60 or 900")])
    return time - ahead.astype("timedelta64[m]"), interval_s.astype(np.int16), _heights(table["height_m"])


def _integers(texts: Sequence[str]) -> np.ndarray:
    """Convert checked texts."""
    return np.array([int(text) for text in texts], dtype=np.int64)


def _heights(texts: Sequence[str]) -> np.ndarray:
    """Convert checked texts, m; NaN where missing."""
    height_m = np.array([np.nan if text in ("MM", "") else float(text) for text in texts], dtype=np.float64)
    return np.where(height_m == _MISSING_M, np.nan, height_m)


def _times(clock: Sequence[np.ndarray], lines: Sequence[_Line], where: str) -> np.ndarray:
    """Make times of year, month, day, hour, minute and second; refuse a day that its month lacks."""
    year, month, day, hour, minute, second = clock
    months = (12 * (year - 1970) + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    if (bad := days.astype("datetime64[M]") != months).any():
        at = int(bad.argmax())
        raise InputError(f"{where}, line {lines[at][0]}: the day must be one of month {months[at]}, got {day[at]}")
    return days.astype("datetime64[s]") + (3600 * hour + 60 * minute + second)


def _one_a_time(
    time: np.ndarray, interval_s: np.ndarray, height_m: np.ndarray, clash: Callable[[int, int], InputError]
) -> np.ndarray:
    """Choose one sample a time, by position: the finest with a height; raise what ``clash`` says of two that differ."""
    order = np.lexsort((height_m, interval_s, time))  # NaN last
    first = _begins(time[order], interval_s[order])
    n_heights = np.add.reduceat(np.isfinite(height_m[order]).astype(int), first)
    lowest, highest = order[first], order[first + np.maximum(n_heights - 1, 0)]
    if (bad := height_m[highest] - height_m[lowest] > _SAME_M).any():
        at = int(bad.argmax())
        raise clash(*sorted((int(lowest[at]), int(highest[at]))))
    chosen = lowest[np.lexsort((interval_s[lowest], np.isnan(height_m[lowest]), time[lowest]))]
    return chosen[_begins(time[chosen])]


def _begins(*keys: np.ndarray) -> np.ndarray:
    """Return where in sorted keys another one begins."""
    changes = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return np.concatenate([[0], np.flatnonzero(changes) + 1])[: keys[0].size]


def _intervals(time: np.ndarray) -> np.ndarray:
    """Guess how often the buoy sampled, from the distance to the nearer neighbour."""
    gaps = np.concatenate([[np.inf], np.diff(time).astype(float), [np.inf]])
    nearer = np.minimum(gaps[:-1], gaps[1:])
    edges = [np.sqrt(15 * 60), np.sqrt(60 * 900)]
    return np.array(_INTERVALS_S, np.int16)[np.searchsorted(edges, nearer)]
