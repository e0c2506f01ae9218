"""Damaged text: a sample is one that was sent, or the reader says what is wrong; and what is written comes back."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import numpy.testing as npt
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from slipcast.errors import InputError
from slipcast.records.dart import DartSeries, parse_dart

INTERVALS_S = {"1": 900, "2": 60, "3": 15}
CALM = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def strict(line: str) -> tuple[str, int, float] | None:
    """Read one line of NDBC's text character by character, as a second reader: time, interval and height, or none."""
    line = line.replace("\t", " ").strip(" ")
    if any(character not in "0123456789-.M " for character in line):
        return None
    fields = [field for field in line.split(" ") if field]
    if [len(field) for field in fields[:7]] != [4, 2, 2, 2, 2, 2, 1] or len(fields) != 8:
        return None
    if not all(field.isdecimal() for field in fields[:7]) or fields[6] not in INTERVALS_S:
        return None
    try:
        moment = datetime(*(int(field) for field in fields[:6]))
    except ValueError:
        return None
    if fields[7] == "MM":
        height = np.nan
    else:
        whole, point, decimals = fields[7].removeprefix("-").partition(".")
        if not (whole.isdecimal() and len(whole) <= 9) or (point and not decimals.isdecimal()):
            return None
        height = float(fields[7])
    if not 1980 <= moment.year <= 2100:
        return None
    return moment.isoformat(), INTERVALS_S[fields[6]], np.nan if height == 9999.0 else height


def text_of(series: DartSeries) -> list[str]:
    """Write a series as NDBC does, a line a sample."""
    kinds = {interval: kind for kind, interval in INTERVALS_S.items()}
    return [
        f"{str(moment).translate(str.maketrans('-T:', '   '))} {kinds[int(interval)]} "
        + ("9999.000" if np.isnan(height) else f"{height:8.3f}")
        for moment, interval, height in zip(series.time, series.interval_s, series.height_m)
    ]


@st.composite
def a_series(draw, *, least=1, most=40) -> DartSeries:
    """Draw a series of a station, with all intervals and gaps, and at least one height."""
    steps = draw(st.lists(st.sampled_from([15, 60, 900, 4000, 86400]), min_size=least, max_size=most))
    start = np.datetime64("1980-01-01T00:00:00") + np.timedelta64(draw(st.integers(0, 3_600_000_000)), "s")
    time = start + np.cumsum(steps).astype("timedelta64[s]")
    mm = draw(st.lists(st.integers(-99_999, 11_000_000), min_size=len(steps), max_size=len(steps)))
    height = np.array([np.nan if each % 7 == 0 or each == 9_999_000 else each / 1000 for each in mm])
    height[draw(st.integers(0, len(steps) - 1))] = 5000.123
    kinds = draw(st.lists(st.sampled_from([15, 60, 900]), min_size=len(steps), max_size=len(steps)))
    return DartSeries("21418", time, height, np.array(kinds, np.int16))


STRANGE = st.one_of(st.characters(), st.sampled_from(list("0123456789 .-+_MeEx#\t\r\x0b\x1c\u2028٣<,/:nN")))


@st.composite
def a_wound(draw, line: str) -> str:
    """Draw a line with one or two damages."""
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, max(len(line) - 1, 0)))
        to = draw(st.integers(at, len(line)))
        kind = draw(st.sampled_from(["delete", "insert", "replace", "swap", "cut", "double", "none"]))
        if kind == "delete":
            line = line[:at] + line[min(to, at + 2) :]
        elif kind == "insert":
            line = line[:at] + draw(STRANGE) + line[at:]
        elif kind == "replace":
            line = line[:at] + draw(STRANGE) + line[at + 1 :]
        elif kind == "swap":
            fields = line.split(" ")
            one, other = (draw(st.integers(0, len(fields) - 1)) for _ in range(2))
            fields[one], fields[other] = fields[other], fields[one]
            line = " ".join(fields)
        elif kind == "cut":
            line = line[:at]
        elif kind == "double":
            line += line
    return line


@st.composite
def a_damaged_text(draw) -> tuple[list[str], str]:
    """Draw a text, some lines of which are damaged, doubled or out of order; return also its undamaged lines."""
    sound = text_of(draw(a_series(least=draw(st.sampled_from([1, 12])))))
    lines = [
        draw(a_wound(line)) if draw(st.sampled_from([False, False, False, True])) else line
        for line in sound
        for _ in range(draw(st.sampled_from([1, 1, 1, 2])))
    ]
    if draw(st.booleans()):
        lines = draw(st.permutations(lines))
    ends = draw(st.lists(st.sampled_from(["\n", "\n", "\r\n", "\r", "\n\n"]), min_size=len(lines), max_size=len(lines)))
    text = draw(st.sampled_from(["", "#YY  MM DD hh mm ss T   HEIGHT\n"]))
    text += "".join(line + end for line, end in zip(lines, ends))
    if draw(st.booleans()):
        text = text[: len(text) - draw(st.integers(1, 30))]
    return sound, text


def lines_of(text: str) -> list[str]:
    """Split a text at every kind of line end."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def check_refusal(error: InputError) -> None:
    """Demand one line that names the text."""
    assert str(error).startswith("text")
    assert len(str(error).splitlines()) == 1


@pytest.mark.slow
@CALM
@given(a_damaged_text())
def test_every_sample_is_one_that_was_sent(case):
    sound, text = case
    try:
        series = parse_dart(text, station="21418", where="text")
    except InputError as error:
        check_refusal(error)
        event("refused")
        return
    event("read")
    lines = lines_of(text)
    sent = {strict(line) for line in (*sound, *lines[:-1])}
    sent |= {strict(line) for line in lines[-1:] if not series.left_out}
    known = {(moment, interval, str(height)) for moment, interval, height in filter(None, sent)}
    for moment, interval, height in zip(series.time, series.interval_s, series.height_m):
        assert (str(moment), int(interval), str(float(height))) in known
    # nothing is left out but in words
    unread = [
        line for line in lines if line.strip(" \t") and not line.strip(" \t").startswith("#") and not strict(line)
    ]
    assert len(unread) <= len(series.left_out)
    times = {read[0] for read in map(strict, lines) if read}
    assert len(series.time) >= len(times) - len(series.left_out)


@pytest.mark.slow
@CALM
@given(a_series(most=6), st.data())
def test_one_damaged_line_is_read_as_it_stands_or_refused(series, data):
    lines = text_of(series)
    at = data.draw(st.integers(0, len(lines) - 1))
    wounded = data.draw(a_wound(lines[at]))
    text = "\n".join([*lines[:at], wounded, *lines[at + 1 :], ""])
    try:
        found = parse_dart(text, station="21418", where="text")
    except InputError as error:
        check_refusal(error)
        return
    assert all("differ, by " in note for note in found.left_out)  # a time that was damaged may be another's
    for line in lines_of(wounded):
        bare = line.strip(" \t\ufeff")
        if not bare or bare.startswith("#"):
            continue
        read = strict(bare)
        assert read is not None
        if np.isfinite(read[2]) and any(
            "." in other and "9999.000" not in other for other in lines[:at] + lines[at + 1 :]
        ):
            assert len(bare.partition(".")[2]) == 3  # a number that lost its end shows


@settings(CALM, max_examples=150)
@given(st.text(max_size=300) | st.text("0123456789 .-M#YDhmsTHEIG\n,:time_", max_size=300))
def test_any_text_at_all(text):
    try:
        parse_dart(text, station="21418", where="text")
    except InputError as error:
        check_refusal(error)


BEGINNINGS = (
    "time,height_m\n",
    "time (UTC);residual_m;station\nUTC;m;\n2011-03-11T05:46:00Z;0,01;21418\n",
    "station_id\ttime_s\tsealevel_m\tinterval_s\n21418\t60\t5662.1\t15\n",
    "0 0.1\n60 0.1\n120 0.1\n",
)


@settings(CALM, max_examples=300)
@given(st.sampled_from(BEGINNINGS), st.text(max_size=200) | st.text("0123456789 .,;-:TZMNae+\t\n21418", max_size=300))
def test_any_text_at_all_in_a_table(beginning, text):
    origin = np.datetime64("2011-03-11T05:46:24")
    try:
        found = parse_dart(beginning + text, station="21418", where="text", origin=origin)
    except InputError as error:
        check_refusal(error)
        return
    assert np.isfinite(found.height_m).any()


@settings(CALM, max_examples=150)
@given(a_series(), st.randoms(use_true_random=False), st.sampled_from(["\n", "\r\n"]))
def test_a_series_comes_back_from_ndbc_text(series, random, end):
    lines = text_of(series)
    random.shuffle(lines)
    found = parse_dart(end.join([*lines, ""]), station="21418", where="text")
    npt.assert_array_equal(found.time, series.time)
    npt.assert_array_equal(found.height_m, series.height_m)
    npt.assert_array_equal(found.interval_s, series.interval_s)
    assert found.left_out == ()


@settings(CALM, max_examples=150)
@given(a_series(), st.randoms(use_true_random=False), st.sampled_from([0, -660, 540, 345]))
def test_a_series_comes_back_from_csv(series, random, offset_min):
    sign, (hours, minutes) = "-" if offset_min < 0 else "+", divmod(abs(offset_min), 60)
    rows = [
        f"{moment + np.timedelta64(offset_min, 'm')}{sign}{hours:02d}:{minutes:02d},"
        f"{'' if np.isnan(height) else float(height)},{interval}"
        for moment, height, interval in zip(series.time, series.height_m, series.interval_s)
    ]
    random.shuffle(rows)
    text = "\n".join(["time,height_m,interval_s", *rows, ""])
    if str(series.time[0] - np.timedelta64(12, "h")) < "1980":  # local time is checked before it is converted
        return
    found = parse_dart(text, station="21418", where="text")
    npt.assert_array_equal(found.time, series.time)
    npt.assert_array_equal(found.height_m, series.height_m)
    npt.assert_array_equal(found.interval_s, series.interval_s)


@pytest.mark.parametrize("line", ["2011 03 11 05 46 00 2 5662.198", "2011 03 11 05 46 00 2 9999.000"])
def test_the_second_reader_reads(line):
    assert strict(line) is not None
    for n_characters in range(len(line) - 4):
        assert strict(line[:n_characters]) is None or n_characters > len("2011 03 11 05 46 00 2 ")
