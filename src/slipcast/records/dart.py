"""DART records of the height of the water column, from NDBC text or tables."""

from __future__ import annotations

import gzip
import io
import os
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from slipcast.errors import InputError
from slipcast.records.ndbc_text import STATION, bare, check_headers, header_columns, read_ndbc, whole_ndbc
from slipcast.records.samples import INTERVALS_S, Samples, one_a_time, spacing_intervals, without_shadows
from slipcast.records.tables import Table, is_pairs, is_table, read_pairs, read_table

__all__ = [
    "STATION",
    "DartSeries",
    "check_station",
    "decode_dart",
    "merge_series",
    "parse_dart",
    "read_dart",
    "read_stations",
    "series_of_samples",
    "station_of",
    "unpacked",
]

_MOST_BYTES = 256 * 1024**2
_CHUNK_BYTES = 1024**2
_ALONE = "(?<![0-9])[0-9]{{{}}}(?![0-9])"
_YEAR_FILE = re.compile(r"([A-Za-z0-9_-]+)t(?:19|20)[0-9]{2}")
_MONTH_FILE = re.compile("([0-9]{5}|[0-9]{7})[1-9]20[0-9]{2}")


@dataclass(frozen=True)
class DartSeries:
    """The height of the water column over a DART's pressure sensor, with its tide or without.

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
    tide_removed : bool
        Whether the heights came without tide, as sea level around zero.

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
    tide_removed: bool = False

    def __post_init__(self):
        check_station(self.station)
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
        if (bad := ~np.isin(self.interval_s, INTERVALS_S)).any():
            raise InputError(f"interval_s must be 15, 60 or 900, got {self.interval_s[bad][0]} at {self.time[bad][0]}")

    def seconds_since(self, origin: np.datetime64) -> np.ndarray:
        """Return the times in seconds since a moment (UTC), which may have fractions of a second."""
        if not isinstance(origin, np.datetime64) or np.isnat(origin):
            raise InputError(f"origin must be a moment as numpy.datetime64, got {origin!r}")
        return (self.time - origin.astype("datetime64[us]")) / np.timedelta64(1, "s")


def read_dart(
    path: str | os.PathLike, *, station: str | None = None, origin: np.datetime64 | None = None
) -> DartSeries:
    """Read a DART record from a file.

    Parameters
    ----------
    path : path
        Text as :func:`parse_dart` takes it, or such text packed by gzip.
    station : str, optional
        Name of the station; by default what a column of the file says, else the name of the file: a number of five or
        seven digits in it, or all of it up to the first point.
    origin : datetime64, optional
        Of the earthquake, UTC: what the times of a table count from that has them in seconds.

    Returns
    -------
    series : DartSeries

    Raises
    ------
    InputError
        If the file cannot be read, nothing names the station, the file has several and none is chosen, or its text is
        refused by :func:`parse_dart`.
    """
    found = read_stations(path, station=station, origin=origin)
    if len(found) > 1:
        raise InputError(f"{path} has stations {', '.join(each.station for each in found[:12])}; name one of them")
    return found[0]


def read_stations(
    path: str | os.PathLike, *, station: str | None = None, origin: np.datetime64 | None = None
) -> list[DartSeries]:
    """Read all stations of a file, some of which may lack heights; arguments and errors as of :func:`read_dart`."""
    path = Path(path)
    if path.is_dir():
        raise InputError(f"cannot read {path}: it is a folder, and a file of DART records is needed")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    if station is not None:
        check_station(station)
    tables, left_out = _tables(decode_dart(content, where=str(path)), str(path), origin)
    if tables[0].station is None:
        tables = [replace(tables[0], station=station_of(path) if station is None else station)]
    tables = _of_station(tables, station, str(path))
    return [_series(table, left_out, str(path), empty=len(tables) > 1) for table in tables]


def decode_dart(content: bytes, *, where: str) -> str:
    """Turn the bytes of a file into text, unpacked if need be; InputError, naming ``where``, if they are none."""
    content = unpacked(content, where=where)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{where} is no text in UTF-8: byte {error.start} is 0x{content[error.start]:02x}") from error


def unpacked(content: bytes, *, where: str, most_bytes: int = _MOST_BYTES) -> bytes:
    """Unpack what gzip packed; InputError, naming ``where``, if it is corrupt or more than allowed."""
    if not content.startswith(b"\x1f\x8b"):
        return content
    found = bytearray()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
            while chunk := packed.read(_CHUNK_BYTES):
                found += chunk
                if len(found) > most_bytes:
                    raise InputError(
                        f"{where}, unpacked, is larger than {most_bytes // 1024**2} MiB, which no file of a DART is"
                    )
    except (EOFError, OSError, zlib.error) as error:
        raise InputError(f"{where} is truncated or corrupt: it cannot be unpacked; try again") from error
    return bytes(found)


def parse_dart(text: str, *, station: str, where: str, origin: np.datetime64 | None = None) -> DartSeries:
    r"""Read a DART record from text.

    Parameters
    ----------
    text : str
        One of

        - lines ``YY MM DD hh mm ss T HEIGHT`` as NDBC has them, in any order, with or without the header;
        - a table with named columns, separated by comma, semicolon or tab: a time (``time``, ``timestamp_utc``,
          ``time (UTC)``, ...; ISO 8601 to the second, UTC unless it has an offset; or ``time_s``, seconds since the
          origin), a height in metres (``height_m``, ``sealevel_m``, ``water_column_height``, ...) or one without tide
          (``residual_m``, ``detided``, ...) and, optionally, ``station`` and ``interval_s``; a second row may name
          units, as ERDDAP has it;
        - pairs of a time, ISO 8601 or seconds since the origin, and a height in metres: below 100 m it is taken for sea
          level without tide.

        Blank lines and those that begin with ``#`` do not count. A missing height is 9999.000 or MM, in a table it may
        also be NaN or empty.
    station : str
        Name of the station.
    where : str
        What to call the text in messages, e.g. its path.
    origin : datetime64, optional
        UTC: what times in seconds count from.

    Returns
    -------
    series : DartSeries
        One sample a time: the finest that has a height, and of several heights of one interval the median (of two the
        lower). Heights that no water column has are kept.

    Raises
    ------
    InputError
        If the text is of another kind, a line is malformed (named with its number, the rule, and what was got),
        heights of the same time and interval differ by more than 0.5 m at more than ten times, a table names other
        stations, or there is no height at all.

    Notes
    -----
    Nothing is mended in silence: ``left_out`` says what was left out. A last line without line end, as left by a
    transfer that broke off, is left out if it has fewer fields or its height fewer decimals than others, or no other
    has any. In NDBC's text all heights must have as many decimals, which shows one that was cut elsewhere. Rows that
    repeat others under a false time, as NDBC's year archive has them, are left out
    (:func:`~slipcast.records.samples.without_shadows`), and how many times have heights that differ is said.

    In a table without ``interval_s`` the interval follows from the distance to the nearer neighbour in time: 15 s up to
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
    check_station(station)
    tables, left_out = _tables(text, where, origin)
    if tables[0].station is None:
        tables = [replace(tables[0], station=station)]
    return _series(_of_station(tables, station, where)[0], left_out, where)


def _tables(text: str, where: str, origin: np.datetime64 | None) -> tuple[list[Table], tuple[str, ...]]:
    """Read the samples of a text by the kind that it is of, a station at a time, and what was left out."""
    text = text.removeprefix("\ufeff")
    _refuse_other_kinds(text, where)
    lines = [*enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1)]
    unended = bool(bare(lines[-1][1])) and not bare(lines[-1][1]).startswith("#")
    check_headers(lines, where)
    lines = [(number, line) for number, line in lines if bare(line) and not bare(line).startswith("#")]
    if lines and header_columns(lines[0][1]) is not None:
        lines = lines[1:]
    if not lines:
        raise InputError(f"{where} has a header but no samples")
    if is_table(lines[0][1]):
        return read_table(lines, unended, where, origin)
    if not re.search("[0-9]", lines[0][1]) and is_pairs(lines[1:]):  # under names without a separator
        lines = lines[1:]
    if is_pairs(lines):
        table, left_out = read_pairs(lines, unended, where, origin)
        return [table], left_out
    lines, left_out = whole_ndbc(lines, unended)
    return [Table(None, read_ndbc(lines, where))], left_out


def _of_station(tables: list[Table], station: str | None, where: str) -> list[Table]:
    """Choose the tables of a station, where one is named."""
    if station is None:
        return tables
    found = [table for table in tables if table.station == station]
    if not found:
        names = ", ".join(str(table.station) for table in tables[:12])
        raise InputError(f"{where} has a column that says it is of station {names}, not of {station}")
    return found


def _series(table: Table, left_out: tuple[str, ...], where: str, *, empty: bool = False) -> DartSeries:
    """Make a series of the samples of a station, which may have no height beside others that have."""
    samples = table.samples
    if not empty and not np.isfinite(samples.height_m).any():
        raise InputError("; ".join([f"{where} holds no height, in {samples.height_m.size} samples", *left_out]))
    samples, repeated = without_shadows(samples)
    chosen, differing = one_a_time(samples, what=where)
    samples = samples.taken(chosen)
    interval_s = samples.interval_s if samples.interval_s.all() else spacing_intervals(samples.time)
    notes = (*left_out, *repeated, *differing)
    return DartSeries(str(table.station), samples.time, samples.height_m, interval_s, notes, table.tide_removed)


def series_of_samples(station: str, time: np.ndarray, height_m: np.ndarray) -> DartSeries:
    """Make a series of samples that came one by one, chosen as in a table without intervals (:func:`parse_dart`).

    Parameters
    ----------
    station : str
        Name.
    time : array of datetime64, shape (n,)
        UTC, in any order.
    height_m : array, shape (n,)
        m; NaN where missing.

    Returns
    -------
    series : DartSeries

    Raises
    ------
    InputError
        If there is no height, or heights of the same time differ by more than 0.5 m at more than ten times.
    """
    none = np.zeros(time.size, np.int16)
    samples = Samples(time.astype("datetime64[s]"), none, np.asarray(height_m, dtype=float), none.astype(int))
    return _series(Table(station, samples), (), f"what {station} sent")


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
        If there is no part, parts are of several stations or with a tide and without, or heights of the same time and
        interval differ by more than 0.5 m at more than ten times.
    """
    if not parts:
        raise InputError("parts must hold at least one series, got none")
    stations = list(dict.fromkeys(part.station for part in parts))
    if len(stations) > 1:
        raise InputError(f"parts must be of one station, got {stations[0]} and {stations[1]}")
    if len({part.tide_removed for part in parts}) > 1:
        raise InputError(f"parts of station {stations[0]} must all have their tide or none, got both")
    time, interval_s, height_m = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("time", "interval_s", "height_m")
    )
    samples = Samples(time, interval_s, height_m, np.zeros(time.size, int))
    chosen, differing = one_a_time(samples, what=f"files of station {stations[0]}")
    left_out = tuple(dict.fromkeys(note for part in parts for note in part.left_out))
    return DartSeries(
        stations[0], time[chosen], height_m[chosen], interval_s[chosen], (*left_out, *differing), parts[0].tide_removed
    )


def check_station(station: str) -> None:
    """Refuse what is no name of a station; InputError."""
    if not STATION.fullmatch(station):
        raise InputError(f"station must be letters, digits, _ and -, got {station!r}")


def station_of(path: str | os.PathLike) -> str:
    """Return the station that the name of a file says.

    Parameters
    ----------
    path : path
        ``21418.txt``, NDBC's ``21418t2011.txt.gz`` and ``2141872026.txt.gz`` (year and month files),
        ``dart_5401001.csv``: a number of five digits, or else seven, that stands once; or ``dkam.txt``: all up to the
        first point.

    Returns
    -------
    station : str

    Raises
    ------
    InputError
        If the name has several such numbers, or is no name of a station.

    Examples
    --------
    >>> [station_of(name) for name in ("21418t2011.txt.gz", "20110311_5401001.txt", "dkam.csv", "2141672026.txt")]
    ['21418', '5401001', 'dkam', '21416']
    """
    stem = Path(path).name.partition(".")[0]
    if found := _MONTH_FILE.fullmatch(stem):
        return found[1]
    for n_digits in (5, 7):
        if numbers := list(dict.fromkeys(re.findall(_ALONE.format(n_digits), Path(path).name))):
            break
    if len(numbers) == 1:
        return numbers[0]
    stem = found[1] if (found := _YEAR_FILE.fullmatch(stem)) else stem
    if numbers or not STATION.fullmatch(stem):
        has = " and ".join(numbers) if numbers else f"{stem!r}"
        raise InputError(
            f"the station of {path} is not known: its name must have one number of five or seven digits, or be the "
            f"name of a station (letters, digits, _ and -), it has {has}; name the station, or rename the file, e.g. "
            "21418.txt"
        )
    return stem


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
