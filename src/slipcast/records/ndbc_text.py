"""Lines of NDBC's text of a DART, and what all text of samples has in common."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from slipcast.errors import InputError
from slipcast.records.samples import Samples

__all__ = [
    "CLOCK",
    "MISSING_M",
    "STATION",
    "Line",
    "bare",
    "check_headers",
    "clock_times",
    "cut_note",
    "has_fewer_decimals",
    "header_columns",
    "integers",
    "read_ndbc",
    "shown",
    "whole_ndbc",
]

STATION = re.compile(r"[A-Za-z0-9_-]+")
"""What a name of a station looks like."""

Line = tuple[int, str]
"""A line with its number."""

MISSING_M = 9999.0
"""What stands for a missing height."""

_YEAR, _MONTH, _DAY = "19[89][0-9]|20[0-9]{2}|2100", "0[1-9]|1[0-2]", "0[1-9]|[12][0-9]|3[01]"
_HOUR, _SIXTY = "[01][0-9]|2[0-3]", "[0-5][0-9]"
CLOCK = (_YEAR, _MONTH, _DAY, _HOUR, _SIXTY, _SIXTY)
"""Patterns of year, month, day, hour, minute and second."""

_OF_KIND_S = np.array([0, 900, 60, 15], np.int16)  # by NDBC's T
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
_DECIMALS = re.compile(r"[.,]([0-9]+)[ \t]*$")


def bare(line: str) -> str:
    """Return a line without blanks around it; other white space is none of these formats."""
    return line.strip(" \t")


def shown(text: str) -> str:
    """Show what was got, short and on one line."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def integers(texts: Sequence[str] | Sequence[int]) -> np.ndarray:
    """Convert checked texts."""
    return np.array([int(text) for text in texts], dtype=np.int64)


def clock_times(clock: Sequence[np.ndarray], lines: Sequence[Line], where: str) -> np.ndarray:
    """Make times of year, month, day, hour, minute and second; refuse a day that its month lacks."""
    year, month, day, hour, minute, second = clock
    months = (12 * (year - 1970) + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    if (bad := days.astype("datetime64[M]") != months).any():
        at = int(bad.argmax())
        raise InputError(f"{where}, line {lines[at][0]}: the day must be one of month {months[at]}, got {day[at]}")
    return days.astype("datetime64[s]") + (3600 * hour + 60 * minute + second)


def has_fewer_decimals(height: str, others: Sequence[str]) -> bool:
    """Tell whether a height may have lost digits at its end; where no other has decimals, it may."""
    most = max((_n_decimals(other) for other in others), default=0)
    return height != "MM" and (most == 0 or _n_decimals(height) < most)


def cut_note(number: int, line: str) -> tuple[str, ...]:
    """Word that the last line is left out."""
    return (f"line {number}, the last, has no line end and may be cut: {shown(line)}",)


def check_headers(lines: Sequence[Line], where: str) -> None:
    """Refuse NDBC's text with other columns, as other instruments have."""
    for number, line in lines:
        if (columns := header_columns(line)) is None:
            continue
        cut = number == len(lines) and _COLUMNS.startswith(columns)
        if columns != _COLUMNS and not cut:
            raise InputError(
                f"{where}, line {number} is the header of another instrument: the columns of a DART are "
                f"YY MM DD hh mm ss T HEIGHT, got {shown(bare(line))}"
            )


def header_columns(line: str) -> str | None:
    """Return the columns after the year where a line is a header of NDBC, with or without its mark."""
    first, *others = line.strip(" \t#").upper().split() or [""]
    return " ".join(others) if first in ("YY", "YYYY") else None


def whole_ndbc(lines: list[Line], unended: bool) -> tuple[list[Line], tuple[str, ...]]:
    """Leave out a last line that a transfer cut."""
    *others, (number, line) = lines
    if not unended or not set(line) <= set("0123456789.- \tM"):
        return lines, ()
    fields = line.split()
    cut = len(fields) < len(_FIELDS) or has_fewer_decimals(fields[-1], [other for _, other in others])
    return (others, cut_note(number, line)) if cut else (lines, ())


def read_ndbc(lines: Sequence[Line], where: str) -> Samples:
    """Read lines ``YY MM DD hh mm ss T HEIGHT``; InputError naming the first that breaks a rule."""
    found = [_LINE.fullmatch(line) for _, line in lines]
    matches = [match.groups() for match in found if match]
    if len(matches) < len(lines):
        number, line = lines[found.index(None)]
        raise InputError(f"{where}, line {number}: {_fault(line)}")
    *clock, kinds, texts = zip(*matches) if matches else [()] * len(_FIELDS)
    height_m = np.array([np.nan if text == "MM" else float(text) for text in texts], dtype=np.float64)
    height_m[height_m == MISSING_M] = np.nan
    decimals = np.array([len(text.partition(".")[2]) for text in texts])[np.isfinite(height_m)]
    if decimals.size:
        counts = np.bincount(decimals)
        usual = counts.size - 1 - int(counts[::-1].argmax())  # the higher of two that are as frequent
        if (other := decimals != usual).any():
            at = int(np.flatnonzero(np.isfinite(height_m))[other.argmax()])
            raise InputError(
                f"{where}, line {lines[at][0]}: the height must have {usual} decimals as on other lines, "
                f"got {texts[at]}; it was cut or changed"
            )
    time = clock_times([integers(column) for column in clock], lines, where)
    return Samples(time, _OF_KIND_S[integers(kinds)], height_m, integers([number for number, _ in lines]))


def _n_decimals(text: str) -> int:
    """Count the digits after the point of a number at the end of a text."""
    found = _DECIMALS.search(text)
    return len(found[1]) if found else 0


def _fault(line: str) -> str:
    """Say what is wrong with a malformed line."""
    fields = re.split("[ \t]+", bare(line))
    if len(fields) != len(_FIELDS):
        hint = "; a CSV needs a header with time and height_m" if "," in line else ""
        return f"must have 8 fields, YY MM DD hh mm ss T HEIGHT, got {len(fields)}: {shown(line)}{hint}"
    return next(
        f"{name} must be {rule}, got {shown(field)}"
        for field, (name, pattern, rule) in zip(fields, _FIELDS)
        if not re.fullmatch(pattern, field)
    )
