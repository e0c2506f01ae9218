"""What a DART sent: every sample as it was, one a time, and a clear line for whatever is none."""

from __future__ import annotations

import gzip
import re
import tracemalloc
from dataclasses import replace

import numpy as np
import numpy.testing as npt
import pytest

from event_fixtures import tohoku_file
from slipcast.errors import InputError
from slipcast.records.dart import DartSeries, decode_dart, merge_series, parse_dart, read_dart, unpacked

HEADER = "#YY  MM DD hh mm ss T   HEIGHT\n#yr  mo dy hr mn  s -        m\n"
LINES = (
    "2011 03 11 05 46 00 2 5662.198\n"
    "2011 03 11 05 45 00 1 5662.197\n"
    "2011 03 11 05 46 15 3 5662.201\n"
    "2011 03 11 05 47 00 2 9999.000\n"
)
ORIGIN = np.datetime64("2011-03-11T05:46:24")


def parse(text: str) -> DartSeries:
    """Read text of DART 21418."""
    return parse_dart(text, station="21418", where="text")


def moments(*texts: str) -> np.ndarray:
    """Make times."""
    return np.array(texts, "datetime64[s]")


def make(heights=(1.0, 2.0), *, times=("2011-03-11T00:00:00", "2011-03-11T00:15:00"), interval_s=900, **options):
    """Make a series."""
    interval = np.full(len(times), interval_s, np.int16)
    return DartSeries(options.pop("station", "21418"), moments(*times), np.array(heights, float), interval, **options)


@pytest.mark.parametrize("header", [HEADER, "", "YY MM DD hh mm ss T HEIGHT\n", HEADER.replace("YY ", "YYYY")])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_ndbc_text_in_any_order(header, end):
    series = parse((header + LINES).replace("\n", end))
    assert series.station == "21418"
    npt.assert_array_equal(
        series.time,
        moments("2011-03-11T05:45:00", "2011-03-11T05:46:00", "2011-03-11T05:46:15", "2011-03-11T05:47:00"),
    )
    npt.assert_array_equal(series.height_m, [5662.197, 5662.198, 5662.201, np.nan])
    npt.assert_array_equal(series.interval_s, [900, 60, 15, 60])
    npt.assert_array_equal(series.seconds_since(ORIGIN), [-84.0, -24.0, -9.0, 36.0])
    npt.assert_array_equal(series.seconds_since(np.datetime64("2011-03-11T05:45:00.500"))[:2], [-0.5, 59.5])
    assert (series.height_m.dtype, series.interval_s.dtype) == (np.float64, np.int16)
    assert series.left_out == ()


def test_blanks_comments_and_doubled_lines_do_not_count():
    plain = parse(LINES)
    other = parse(
        "\ufeff" + HEADER + "\n \t \n" + LINES + "# more\n" + LINES + "  " + LINES.replace(" ", "\t") + HEADER
    )
    npt.assert_array_equal(other.time, plain.time)
    npt.assert_array_equal(other.height_m, plain.height_m)


def test_missing_heights():
    series = parse("2011 03 11 05 45 00 1       MM\n2011 03 11 06 00 00 1 9999.0\n2011 03 11 06 15 00 1 -1.500\n")
    npt.assert_array_equal(series.height_m, [np.nan, np.nan, -1.5])


def test_of_several_samples_at_a_time_the_finest_with_a_height_counts():
    text = (
        "2011 03 11 06 00 00 1 5000.000\n2011 03 11 06 00 00 3 5000.200\n2011 03 11 06 00 00 2 5000.100\n"
        "2011 03 11 06 15 00 3 9999.000\n2011 03 11 06 15 00 1 5001.000\n2011 03 11 06 15 00 2 5001.100\n"
        "2011 03 11 06 30 00 2 9999.000\n2011 03 11 06 30 00 1 9999.000\n"
    )
    series = parse(text)
    npt.assert_array_equal(series.height_m, [5000.2, 5001.1, np.nan])
    npt.assert_array_equal(series.interval_s, [15, 60, 60])


def test_a_height_counts_more_than_a_missing_one_and_a_rounding_does_not_matter():
    text = "2011 03 11 06 00 00 1 {}\n2011 03 11 06 00 00 1 {}\n2011 03 11 06 15 00 1 5000.000\n"
    for pair in (("9999.000", "5000.123"), ("5000.123", "9999.000"), ("5000.124", "5000.123"), ("5000.123", "MM")):
        series = parse(text.format(*pair))
        assert (series.height_m[0], series.left_out) == (5000.123, ())
    for series in (
        parse(text.format("5000.125", "5000.123")),
        parse("time,height_m\n2011-03-11T06:00:00,5000.125\n2011-03-11T06:00:00,5000.123\n"),
    ):
        assert series.height_m[0] == 5000.123
        assert series.left_out[0].startswith("heights of 1 times differ, by 0.002 m at most")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2011 03 11 05 47 00 5662.198", "must have 8 fields, YY MM DD hh mm ss T HEIGHT, got 7: '2011 03 11 05 47 00"),
        ("2011 03 11 05 47 00 2 5662.198 1", "must have 8 fields, .* got 9"),
        ("2011,03,11,05,47,00,2,5662.198", "must have 8 fields, .*; a CSV needs a header with time and height_m"),
        ("11 03 11 05 47 00 2 5662.198", "the year must be of four digits, 1980 to 2100, got '11'"),
        ("1979 03 11 05 47 00 2 5662.198", "the year must be of four digits, 1980 to 2100, got '1979'"),
        ("2101 03 11 05 47 00 2 5662.198", "the year must be of four digits, 1980 to 2100, got '2101'"),
        ("2011 13 11 05 47 00 2 5662.198", "the month must be of two digits, 01 to 12, got '13'"),
        ("2011 3 11 05 47 00 2 5662.198", "the month must be of two digits, 01 to 12, got '3'"),
        ("2011 03 32 05 47 00 2 5662.198", "the day must be of two digits, 01 to 31, got '32'"),
        ("2011 02 29 05 47 00 2 5662.198", "the day must be one of month 2011-02, got 29"),
        ("2011 03 11 24 47 00 2 5662.198", "the hour must be of two digits, 00 to 23, got '24'"),
        ("2011 03 11 05 60 00 2 5662.198", "the minute must be of two digits, 00 to 59, got '60'"),
        ("2011 03 11 05 47 61 2 5662.198", "the second must be of two digits, 00 to 59, got '61'"),
        ("2011 03 11 05 47 00 4 5662.198", r"T must be 1 \(every 15 minutes\), 2 .* or 3 .*, got '4'"),
        ("2011 03 11 05 47 00 MM 5662.198", r"T must be 1 .*, got 'MM'"),
        ("2011 03 11 05 47 00 2 nan", "the height must be a plain number of metres, or 9999.000 or MM .* got 'nan'"),
        ("2011 03 11 05 47 00 2 inf", "the height must be a plain number .* got 'inf'"),
        ("2011 03 11 05 47 00 2 0x16", "the height must be a plain number .* got '0x16'"),
        ("2011 03 11 05 47 00 2 5_662.198", "the height must be a plain number .* got '5_662.198'"),
        ("2011 03 11 05 47 00 2 5.662198e3", "the height must be a plain number .* got '5.662198e3'"),
        ("2011 03 11 05 47 00 2 5662,198", "the height must be a plain number .* got '5662,198'"),
        ("2011 03 11 05 47 00 2 ٥٦٦٢.١٩٨", "the height must be a plain number .* got"),
        ("２０１１ 03 11 05 47 00 2 5662.198", "the year must be of four digits"),
        ("2011\u00a003 11 05 47 00 2 5662.198", "must have 8 fields, .* got 7"),
        ("2011 03 11 05 47 00 2 5662.198\x0b", "the height must be a plain number .* got '5662.198.x0b'"),
        ("2011 03 11 05 47 00 2 5662.6", "the height must have 3 decimals as on other lines, got 5662.6; it was cut"),
        ("2011 03 11 05 47 00 2 5662", "the height must have 3 decimals as on other lines, got 5662; it was cut"),
        ("x" * 200, "must have 8 fields, .* got 1: 'x{57}...'$"),
    ],
)
@pytest.mark.parametrize("after", ["", LINES])
def test_malformed_lines(line, message, after):
    with pytest.raises(InputError, match=f"^text, line 7: {message}") as caught:
        parse(f"{HEADER}{LINES}{line}\n{after}")
    assert "\n" not in str(caught.value)


def test_a_last_line_that_breaks_off_never_gives_a_wrong_number():
    whole = HEADER + LINES + "2011 03 11 05 48 00 2 5662.622"
    sent = parse(LINES)
    complete = parse(whole)
    assert complete.height_m[-1] == 5662.622
    assert complete.left_out == ()
    for n_characters in range(len(HEADER + LINES) + 1, len(whole)):
        series = parse(whole[:n_characters])
        npt.assert_array_equal(series.time, sent.time)
        npt.assert_array_equal(series.height_m, sent.height_m)
        (note,) = series.left_out
        assert note.startswith("line 7, the last, has no line end and may be cut: '2")
        if n_characters > len(HEADER + LINES) + 30 - 8:
            # with a line end, nothing but a transfer that was mended by hand makes such a line
            with pytest.raises(InputError, match="line 7: the height must"):
                parse(whole[:n_characters].rstrip() + "\n")
    for n_characters in range(1, len(HEADER)):
        with pytest.raises(InputError, match="has a header but no samples"):
            parse(HEADER[:n_characters])


def test_what_cannot_be_told_from_a_cut_line_is_left_out():
    with pytest.raises(
        InputError, match=r"^text holds no height, in 0 samples; line 1, the last, has no line end and m"
    ):
        parse("2011 03 11 05 48 00 2 5662.6")
    series = parse("2011 03 11 05 48 00 2 5662\n2011 03 11 05 49 00 2 566")
    npt.assert_array_equal(series.height_m, [5662.0])
    assert len(series.left_out) == 1
    assert np.isnan(parse(LINES + "2011 03 11 05 48 00 2 MM").height_m[-1])
    assert len(parse(LINES + "2011 03 11 05 48 00 5662.622").left_out) == 1
    for last in (
        "2011 13 11 05 48 00 2 5662.622",
        "<html>",
        "2011 03 11 o5",
        "2011 03 1e",
        "2011:03",
    ):  # wrong, not cut
        with pytest.raises(InputError, match="text, line 5: "):
            parse(LINES + last)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "^text is empty$"),
        (" \n\r\n\t\n", "^text is empty$"),
        (HEADER, "^text has a header but no samples$"),
        ("\n<!DOCTYPE html>\n<html>404</html>", "^text is a web page"),
        ("PK\x03\x04\x00\x00", "^text is no text: it has NUL bytes$"),
        ("2011 03 11 05 46 00 2 9999.000\n2011 03 11 05 47 00 2 MM\n", "^text holds no height, in 2 samples$"),
        ("#YY  MM DD hh mm WDIR WSPD GST\n2011 03 11 05 50 120  5.0  6.0\n", "line 1 is the header of another instru"),
        (
            "YYYY MM DD hh WD WSPD\n2003 03 11 05 50 120\n",
            "the columns of a DART are YY MM .* got 'YYYY MM DD hh WD WSPD'",
        ),
        ("#YY MM DD hh mm ss T\n" + LINES, "text, line 1 is the header of another instrument"),
    ],
)
def test_text_of_another_kind(text, message):
    with pytest.raises(InputError, match=message):
        parse(text)


def test_csv():
    text = (
        'time,"height_m",interval_s,note\n2011-03-11T05:45:00Z,5662.197,900,a\n2011-03-11 14:46:00+09:00,5662.2,60.0,\n'
        "2011-03-10T18:47:00.000-1100,,60,\n2011-03-11T05:48,MM,60,x\n\n# more\n2011-03-11T05:49:00,9999.000,15,\n"
    )
    series = parse(text)
    npt.assert_array_equal(series.time, moments(*(f"2011-03-11T05:{minute}:00" for minute in (45, 46, 47, 48, 49))))
    npt.assert_array_equal(series.height_m, [5662.197, 5662.2, np.nan, np.nan, np.nan])
    npt.assert_array_equal(series.interval_s, [900, 60, 60, 60, 15])


def test_csv_intervals_follow_from_the_spacing():
    # two samples 900 s apart, one lost, ones a minute apart with one lost, ones 15 s apart with one lost
    seconds = [0, 900, 2700, 3600, 3660, 3720, 3840, 3900, 7200, 7215, 7245, 7260, 9000]
    start = np.datetime64("2011-03-11T00:00:00")
    rows = [f"5000.5,{start + np.timedelta64(second, 's')}\n" for second in seconds[::-1]]
    series = parse("height_m,time\n" + "".join(rows))
    npt.assert_array_equal(series.interval_s, [900] * 3 + [60] * 5 + [15] * 4 + [900])
    assert parse("time,height_m\n2011-03-11T00:00:00,1\n").interval_s.tolist() == [900]
    for apart_s, interval_s in (
        (30, 15),
        (31, 60),
        (232, 60),
        (233, 900),
    ):  # sqrt(15 * 60) = 30, sqrt(60 * 900) = 232.4
        second = start + np.timedelta64(apart_s, "s")
        assert parse(f"time,height_m\n{start},1\n{second},1\n").interval_s.tolist() == [interval_s] * 2


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2011-03-11T05:46:00,5662.1", "must have 3 fields, got 2"),
        ("2011-03-11T05:46:00.5,5662.1,60", "time must be ISO 8601 in whole seconds, .* got '2011-03-11T05:46:00.5'"),
        ("2011-03-11,5662.1,60", "time must be ISO 8601"),
        ("now,5662.1,60", "time must be ISO 8601"),
        ("1979-03-11T05:46:00,5662.1,60", "time must be ISO 8601 in whole seconds, 1980 to 2100"),
        ("2011-03-11T05:46:00+15:00,5662.1,60", "time must be ISO 8601"),
        ("2011-02-29T05:46:00,5662.1,60", "the day must be one of month 2011-02, got 29"),
        ("2011-03-11T05:46:00,inf,60", "height_m must be a plain number of m, or 9999.000, MM, NaN or empty"),
        ("2011-03-11T05:46:00,1_0.5,60", "height_m must be a plain number"),
        ("2011-03-11T05:46:00,5.6621e3,60", "height_m must be a plain number"),
        ('2011-03-11T05:46:00,"5662.1,60', "height_m must be a plain number"),
        ("2011-03-11T05:46:00,5662.1,30", "interval_s must be 15, 60 or 900, got '30'"),
        ("2011-03-11T05:46:00,5662.1,", "interval_s must be 15, 60 or 900, got ''"),
    ],
)
def test_malformed_rows(row, message):
    with pytest.raises(InputError, match=f"^text, line 3: {message}"):
        parse(f"time,height_m,interval_s\n2011-03-11T05:45:00,5662.1,60\n{row}\n")


@pytest.mark.parametrize("header", ["time,height_m", "height_m,time", "time,height_m,interval_s", "time,height_m,note"])
def test_a_csv_that_breaks_off_never_gives_a_wrong_number(header):
    names = header.split(",")
    rows = [
        {"time": f"2011-03-11T05:{minute}:30+09:00", "height_m": f"5662.{minute}5", "interval_s": "900", "note": "abc"}
        for minute in (45, 46, 47)
    ]
    lines = [header, *(",".join(row[name] for name in names) for row in rows)]
    sent, text = parse("\n".join([*lines[:-1], ""])), "\n".join(lines)
    whole = parse(text)
    assert whole.height_m.size == 3
    for n_characters in range(len(text) - len(lines[-1]) + 1, len(text)):
        series = parse(text[:n_characters])
        if series.height_m.size == 3:  # an unread column alone was cut
            npt.assert_array_equal(series.height_m, whole.height_m)
            npt.assert_array_equal(series.time, whole.time)
            assert names[-1] == "note"
        else:
            npt.assert_array_equal(series.height_m, sent.height_m)
            assert len(series.left_out) == 1
    assert parse(text.replace(",", '","').replace("\n", '"\n"').join('""')).height_m.size == 3
    with pytest.raises(InputError, match="text holds no height, in 0 samples"):
        parse(lines[0] + "\n" + lines[1][:-1]) if names[-1] == "height_m" else parse(lines[0] + "\n2011")


@pytest.mark.parametrize(
    "name", ["21418.txt", "21418t2011.txt", "21418.dart", "dart_21418.csv", "20110311_21418.txt", "21418-21418.txt"]
)
def test_the_station_is_in_the_name_of_the_file(tmp_path, name):
    (tmp_path / name).write_text(HEADER + LINES, encoding="utf-8")
    assert read_dart(tmp_path / name).station == "21418"
    assert read_dart(str(tmp_path / name), station="D-125_x").station == "D-125_x"


@pytest.mark.parametrize(("name", "has"), [("a buoy.txt", "'a buoy'"), ("21418_21401.txt", "21418 and 21401")])
def test_a_name_without_a_station(tmp_path, name, has):
    (tmp_path / name).write_text(LINES, encoding="utf-8")
    with pytest.raises(
        InputError, match=f"{name} is not known: its name must have one number .* it has {has}; name the"
    ):
        read_dart(tmp_path / name)
    for bad in ("", "21418/..", "a b", "２1418"):
        with pytest.raises(InputError, match="station must be letters, digits, _ and -, got"):
            read_dart(tmp_path / name, station=bad)


def test_files_that_cannot_be_read(tmp_path):
    path = tmp_path / "21418.txt"
    with pytest.raises(InputError, match=r"cannot read .*21418.txt: No such file or directory"):
        read_dart(path)
    with pytest.raises(InputError, match=r"cannot read .*: it is a folder"):
        read_dart(tmp_path)
    path.write_bytes(gzip.compress(LINES.encode())[:-9])
    with pytest.raises(InputError, match=r"21418.txt is truncated or corrupt: it cannot be unpacked"):
        read_dart(path)
    path.write_bytes(LINES.encode() + b"\xff\xfe")
    with pytest.raises(InputError, match=rf"21418.txt is no text in UTF-8: byte {len(LINES)} is 0xff"):
        read_dart(path)
    path.write_bytes(LINES.encode("utf-16"))
    with pytest.raises(InputError, match="is no text in UTF-8: byte 0 is 0xff"):
        read_dart(path)
    assert decode_dart(b"\xef\xbb\xbf#", where="x") == "#"


def test_a_file_that_unpacks_to_far_too_much_is_not_unpacked_whole():
    packed = gzip.compress(bytes(64 * 1024**2))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="x, unpacked, is larger than 1 MiB, which no file of a DART is"):
            unpacked(packed, where="x", most_bytes=1024**2)
        most_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most_bytes < 16 * 1024**2


def test_parts_of_one_station():
    first, second = parse(HEADER + LINES), parse(LINES.replace("9999.000", "5662.210") + LINES.replace(" 05 ", " 07 "))
    merged = merge_series([second, replace(first, left_out=("a line",)), replace(first, left_out=("a line",))])
    assert merged.left_out == ("a line",)
    assert merged.time.size == 8
    npt.assert_array_equal(merged.height_m[:4], [5662.197, 5662.198, 5662.201, 5662.21])
    again = merge_series([first])
    npt.assert_array_equal(again.height_m, first.height_m)
    nothing = replace(first, time=first.time[:0], height_m=first.height_m[:0], interval_s=first.interval_s[:0])
    assert merge_series([nothing]).time.size == 0
    with pytest.raises(InputError, match="parts must hold at least one series, got none"):
        merge_series([])
    with pytest.raises(InputError, match="parts must be of one station, got 21418 and 21401"):
        merge_series([first, make(station="21401")])
    differ = merge_series([first, parse(LINES.replace("5662.197", "5662.200"))])
    npt.assert_array_equal(differ.height_m, first.height_m)
    assert differ.left_out[0].startswith("heights of 1 times differ, by 0.003 m at most")
    with pytest.raises(InputError, match="parts of station 21418 must all have their tide or none, got both"):
        merge_series([first, replace(first, tide_removed=True)])
    hours = [np.datetime64("2011-03-11T00:00:00") + 900 * i for i in range(11)]
    other = [make(np.full(11, height), times=hours) for height in (5000.0, 5000.6)]
    message = "^files of station 21418: heights of the same time and interval differ by more than 0.5 m at 11 times"
    with pytest.raises(InputError, match=message):
        merge_series(other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"station": "a b"}, "station must be letters, digits, _ and -, got 'a b'"),
        ({"time": np.array([0.0, 1.0])}, r"time must be 1-D and datetime64\[s\], got 1-D and float64"),
        ({"height_m": np.zeros((2, 1))}, "height_m must be 1-D and float64, got 2-D"),
        ({"height_m": np.zeros(3)}, "height_m must have a value for each time, got 3 for 2"),
        ({"time": moments("2011-03-11", "2011-03-11")}, "time of DART 21418 must rise strictly"),
        ({"time": moments("2011-03-11", "NaT")}, "time of DART 21418 must rise strictly"),
        ({"height_m": np.array([1.0, np.inf])}, "height_m of DART 21418 must be finite or NaN, got an infinite value"),
        (
            {"interval_s": np.array([900, 30], np.int16)},
            "interval_s must be 15, 60 or 900, got 30 at 2011-03-11T00:15:00",
        ),
    ],
)
def test_series_that_cannot_be(change, message):
    with pytest.raises(InputError, match=message):
        replace(make(), **change)


@pytest.mark.parametrize("origin", [np.datetime64("NaT"), "2011-03-11"])
def test_an_origin_that_is_no_moment(origin):
    with pytest.raises(InputError, match=r"origin must be a moment as numpy.datetime64, got"):
        make().seconds_since(origin)


def test_a_year_is_read():
    times = np.datetime64("2011-01-01T00:00:00") + np.arange(60_000) * np.timedelta64(8, "m")
    heights = 5000 + np.sin(np.arange(60_000))
    clock = [str(moment).translate(str.maketrans("-T:", "   ")) for moment in times]
    text = HEADER + "".join(f"{moment} 1 {height:.3f}\n" for moment, height in zip(clock[::-1], heights[::-1]))
    series = parse(text)
    npt.assert_array_equal(series.time, times)
    npt.assert_allclose(series.height_m, heights, rtol=0, atol=5.01e-4)  # three decimals


@pytest.mark.parametrize(
    ("station", "n_samples", "n_missing", "intervals", "repeated"),
    [
        ("21401", 5600, 3, {15: 64, 60: 2744, 900: 2792}, "120 rows from 2011-03-12T00:00:45 to 2011-03-12T01:59:45"),
        ("21413", 2314, 0, {60: 1975, 900: 339}, ""),
        ("21414", 972, 0, {15: 16, 60: 956}, ""),
        ("21415", 1452, 0, {15: 16, 60: 1436}, "120 rows from 2011-03-12T00:00:45 to 2011-03-12T01:59:45"),
        ("21418", 2716, 3, {15: 48, 60: 2448, 900: 220}, "60 rows from 2011-03-13T00:00:30 to 2011-03-13T01:59:30"),
        ("21419", 2582, 0, {60: 2270, 900: 312}, ""),
    ],
)
def test_the_records_of_tohoku(station, n_samples, n_missing, intervals, repeated):
    series = read_dart(tohoku_file(station))
    assert [note for note in series.left_out if "differ" not in note] == [
        note for note in series.left_out if repeated and note.startswith(f"{repeated} repeat the whole minute")
    ]
    assert (series.station, series.time.size, int(np.isnan(series.height_m).sum())) == (station, n_samples, n_missing)
    found = dict(zip(*(values.tolist() for values in np.unique(series.interval_s, return_counts=True))))
    assert found == intervals
    # a second reader, a line at a time
    best: dict[str, tuple[bool, int, float]] = {}
    for line in tohoku_file(station).read_text(encoding="ascii").splitlines():
        if line.strip() and not line.startswith("#"):
            year, month, day, hour, minute, second, kind, height = line.split()
            # a buoy samples at whole minutes; a row of a minute at another time is a whole minute's
            moment = f"{year}-{month}-{day}T{hour}:{minute}:{'00' if kind == '2' else second}"
            sample = (height != "9999.000", int(kind), float(height) if height != "9999.000" else np.nan)
            best[moment] = max(best.get(moment, sample), sample)
    npt.assert_array_equal(series.time, moments(*sorted(best)))
    npt.assert_array_equal(series.height_m, [best[moment][2] for moment in sorted(best)])


def test_parts_of_a_real_record_are_the_record():
    text = tohoku_file("21418").read_text(encoding="ascii")
    lines = text.splitlines(keepends=True)
    whole = parse(text)
    parts = [parse("".join(lines[first:last])) for first, last in ((2000, None), (2, 1200), (1000, 2500))]
    merged = merge_series(parts)
    npt.assert_array_equal(merged.time, whole.time)
    npt.assert_array_equal(merged.height_m, whole.height_m)
    npt.assert_array_equal(merged.interval_s, whole.interval_s)


@pytest.mark.parametrize(("length", "shown"), [(60, "x" * 60), (61, "x" * 57 + "...")])
def test_what_was_got_is_shown_up_to_sixty_characters(length, shown):
    with pytest.raises(InputError, match=re.escape(f"got 1: '{shown}'")):
        parse(HEADER + "x" * length + "\n" + LINES)
