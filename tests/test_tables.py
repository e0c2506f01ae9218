"""Tables of samples as others write them: names of columns, units, stations, and sea level without tide."""

from __future__ import annotations

import gzip

import numpy as np
import numpy.testing as npt
import pytest

from case_fixtures import beside
from slipcast.errors import InputError
from slipcast.records.dart import DartSeries, parse_dart, read_dart, read_stations, station_of

ORIGIN = np.datetime64("2011-03-11T05:46:24")
MOMENTS = [f"2011-03-11T05:{minute}:00" for minute in (45, 46, 47)]


def parse(text: str, *, station: str = "21418", origin=ORIGIN) -> DartSeries:
    """Read a table."""
    return parse_dart(text, station=station, where="text", origin=origin)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    "time", ["time", "timestamp_utc", "time_utc", "time (UTC)", "Time", "datetime", "Timestamp [UTC]", "date_time"]
)
@pytest.mark.parametrize(
    "height",
    ["height_m", "height", "sealevel_m", "water_column_height", "Height (m)", "sea_level [metres]", "water_level_m"],
)
def test_names_of_columns(separator, time, height):
    rows = [f"x{separator}{moment}Z{separator}5662.19{i}" for i, moment in enumerate(MOMENTS)]
    series = parse("\n".join([separator.join(["note", time, height]), *rows, ""]))
    npt.assert_array_equal(series.time, np.array(MOMENTS, "datetime64[s]"))
    npt.assert_array_equal(series.height_m, [5662.190, 5662.191, 5662.192])
    npt.assert_array_equal(series.interval_s, 60)
    assert (series.station, series.left_out, series.tide_removed) == ("21418", (), False)


def test_what_others_write():
    text = (
        "time_utc;sealevel_m;depth;residual_m\n2011-03-11 05:45:00 UTC;5662,198;1;0\n2011/03/11 05:46:00+00;NaN;2;0\n"
        "2011-03-11T05:47:00.000Z;;3;0\n2011-03-11 05:48;NA;4;0\n"
    )
    series = parse(text)
    npt.assert_array_equal(series.height_m, [5662.198, np.nan, np.nan, np.nan])
    npt.assert_array_equal(series.time[1:3], np.array(MOMENTS[1:], "datetime64[s]"))
    assert not series.tide_removed


def test_a_row_of_units():
    rows = "2011-03-11T05:45:00Z,5662.198\n2011-03-11T05:46:00Z,NaN\n"
    for units in ("UTC,m", ",metres", "ISO 8601 UTC,", "ISO8601 (UTC),Meters"):
        npt.assert_array_equal(parse(f"time,height_m\n{units}\n{rows}").height_m, [5662.198, np.nan])
    with pytest.raises(InputError, match="text, line 2: heights must be in metres, got the unit 'feet'"):
        parse(f"time,height\nUTC,feet\n{rows}")
    with pytest.raises(InputError, match="text, line 3: time must be ISO 8601"):
        parse(f"time,height_m\nUTC,m\nUTC,m\n{rows}")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("time,level", "the header must have one column of height, such as height_m .*, got 'time,level'"),
        (
            "when,height_m",
            "the header must have one column of time, such as time or timestamp_utc, got 'when,height_m'",
        ),
        ("time,time_utc,height_m", "the header must have one column of time"),
        ("time,height_m,sealevel", "the header must have one column of height"),
        ("time,station,buoy,height_m", "the header must have the column station once"),
        ("time,interval_s,interval_s,height_m", "the header must have the column interval_s once"),
        ("time,height_ft", "heights must be in metres, got the column height_ft"),
        ("time,Height (feet)", r"heights must be in metres, got the column Height \(feet\)"),
        ("time_local,height_m", "the header must have one column of time"),
    ],
)
def test_headers_that_do_not_do(header, message):
    with pytest.raises(InputError, match=f"^text: {message}"):
        parse(f"{header}\n2011-03-11T05:45:00,5662.1\n")


def test_a_station_column(tmp_path):
    rows = (
        "21419,2011-03-11T05:45:00Z,5292.198\n21418,2011-03-11T05:45:00Z,5662.198\n21419,2011-03-11T05:46:00Z,5292.2\n"
    )
    path = tmp_path / "21401.csv"
    path.write_text("station_id,time,height_m\n" + rows)
    found = read_stations(path)
    assert [(each.station, each.height_m.tolist()) for each in found] == [
        ("21419", [5292.198, 5292.2]),
        ("21418", [5662.198]),
    ]
    assert read_dart(path, station="21418").height_m.tolist() == [5662.198]
    with pytest.raises(InputError, match="has stations 21419, 21418; name one of them"):
        read_dart(path)
    with pytest.raises(InputError, match="a column that says it is of station 21419, 21418, not of 21401"):
        read_dart(path, station="21401")
    for name in ("urn:ioos:station:wmo:5401001", "5401001.0", '"5401001"'):
        path.write_text(f"station,time,height_m\n{name},2011-03-11T05:45:00Z,5292.198\n")
        assert read_dart(path).station == "5401001"
    path.write_text("station,time,height_m\na b,2011-03-11T05:45:00Z,5292.198\n")
    with pytest.raises(InputError, match=r"line 2: station must be the name of a station .*, got 'a b'"):
        read_dart(path)


@pytest.mark.parametrize("header", ["time,residual_m", "Time (UTC);Detided (m)", "time\tsea_level_anomaly"])
def test_a_table_without_tide(header):
    separator = next(each for each in ",;\t" if each in header)
    rows = [f"{moment}Z{separator}{height}" for moment, height in zip(MOMENTS, ("-0.01", "2.5e-03", "NaN"))]
    series = parse("\n".join([header, *rows, ""]))
    assert series.tide_removed
    npt.assert_array_equal(series.height_m, [-0.01, 0.0025, np.nan])


@pytest.mark.parametrize("separator", [" ", "\t", ", ", ";", "   "])
def test_pairs_of_a_time_and_a_residual(separator):
    text = "".join(f"{60 * i - 84.0:.1f}{separator}{0.001 * i:.5f}\n" for i in range(4))
    series = parse("# seconds, m\n" + text)
    assert series.tide_removed
    npt.assert_array_equal(series.seconds_since(ORIGIN), [-84.0, -24.0, 36.0, 96.0])
    npt.assert_allclose(series.height_m, [0.0, 0.001, 0.002, 0.003], atol=1e-12)
    with pytest.raises(InputError, match=r"^text has times in seconds since an earthquake; give its origin$"):
        parse(text, origin=None)
    scientific = "".join(f"{60.0 * i:.18e}{separator}{0.001 * i:.18e}\n" for i in range(4))
    npt.assert_allclose(parse(scientific).height_m, series.height_m)
    # with a clock no origin is needed, and heights of a water column have their tide
    clock = "".join(f"{moment}{separator}5662.19{i}\n" for i, moment in enumerate(MOMENTS))
    column = parse(clock, origin=None)
    assert not column.tide_removed
    npt.assert_array_equal(column.time, np.array(MOMENTS, "datetime64[s]"))


def test_pairs_under_names():
    for names in ("time eta", "t (s)   level (m)"):
        series = parse(f"{names}\n0 0.1\n60 0.2\n120 0.3\n")
        npt.assert_array_equal(series.height_m, [0.1, 0.2, 0.3])


def test_a_date_and_a_time():
    rows = "2011-03-11,05:45:00,5662.198\n2011/03/11,05:46,5662.199\n"
    for header in ("Date,Time,Height (m)", "date (UTC),time_utc,height"):
        npt.assert_array_equal(parse(f"{header}\n{rows}").time, np.array(MOMENTS[:2], "datetime64[s]"))
    turned = parse("height;time;date\n5662,198;05:45:00;2011-03-11\n")
    npt.assert_array_equal(turned.time, np.array(MOMENTS[:1], "datetime64[s]"))
    with pytest.raises(InputError, match="line 3: must have 3 fields, got 2"):
        parse(f"date,time,height\n{rows[:29]}2011-03-11,5662.1\n{rows}")
    cut = parse(f"date,time,height\n{rows}2011-03-11")
    assert cut.time.size == 2
    assert cut.left_out[0].startswith("line 4, the last")
    with pytest.raises(InputError, match="line 2: Time must be ISO 8601"):
        parse("Date,Time,height\n11/03/2011,05:46:00,5662.1\n")


def test_a_column_of_seconds():
    series = parse("time_s,residual_m\n-60,0.01\n0.0,0.02\n60,0.03\n")
    npt.assert_array_equal(series.seconds_since(ORIGIN), [-60, 0, 60])
    assert series.tide_removed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 0.1\n1 0.1\n2 0.1\n3 0.1\n", "must have times in seconds since the origin, which numbers from 0 to 3"),
        ("1.3e9 0.1\n1300000060 0.1\n1300000120 0.1\n", "must have times in seconds since the origin"),
        ("0 0.1\n60 0.1\n120 0.1\n180 0.1 7\n", "line 4: must be a time and a number of metres, got '180 0.1 7'"),
        ("0 0.1\n60 0.1\n120 0.1\n180 x\n", "line 4: must be a time and a number of metres, got '180 x'"),
        (f"0 0.1\n60 0.1\n{MOMENTS[0]} 0.1\n", "line 1: the time must be ISO 8601 .*, as on other lines"),
        ("0 NaN\n60 NaN\n120 9999\n", "text holds no height, in 3 samples"),
    ],
)
def test_pairs_that_do_not_do(text, message):
    with pytest.raises(InputError, match=message):
        parse(text)


def test_pairs_that_break_off():
    text = "0 0.101\n60 0.102\n120 0.103\n180 0.104"
    assert parse(text).height_m.size == 4
    for n_characters in range(len(text) - 6, len(text)):
        series = parse(text[:n_characters])
        assert series.height_m.size == 3
        assert series.left_out[0].startswith("line 4, the last, has no line end and may be cut")


@pytest.mark.parametrize(
    ("name", "station"),
    [
        ("21418t2011.txt.gz", "21418"),
        ("5401001t2021.txt.gz", "5401001"),
        ("2141672026.txt.gz", "21416"),
        ("540100112026.txt.gz", "5401001"),
        ("21416a2026.txt.gz", "21416"),
        ("dkam.txt", "dkam"),
        ("dkamt2018.txt", "dkam"),
        ("NZE.csv", "NZE"),
        ("dart-5401001_notide.txt", "5401001"),
        ("20110311_21418.txt", "21418"),
        ("2011070_21418.txt", "21418"),
        ("D-125.dart", "D-125"),
    ],
)
def test_stations_by_the_name_of_a_file(name, station):
    assert station_of(f"folder.12345/{name}") == station


@pytest.mark.parametrize("name", ["21418_21401.txt", "5401001_5401003.txt", "my buoy.txt", ".txt"])
def test_names_that_say_no_station(name):
    with pytest.raises(InputError, match="is not known: its name must have one number of five or seven digits, or be"):
        station_of(name)


def test_text_packed_by_gzip(tmp_path):
    text = "2011 03 11 05 46 00 2 5662.198\n2011 03 11 05 47 00 2 5662.199\n"
    path = tmp_path / "21418.txt.gz"
    path.write_bytes(gzip.compress(text.encode()))
    npt.assert_array_equal(read_dart(path).height_m, [5662.198, 5662.199])
    path.write_bytes(gzip.compress(text.encode())[:-12])
    with pytest.raises(InputError, match=r"21418.txt.gz is truncated or corrupt: it cannot be unpacked"):
        read_dart(path)


def test_the_quiet_month_is_read_as_it_is():
    for path in sorted(beside("events", "quiet2011").glob("*.csv")):
        series = read_dart(path)
        rows = path.read_text().splitlines()[1:]
        assert series.station == path.stem
        sent = {row.split(",")[1][:19]: float(row.split(",")[2]) for row in rows}
        npt.assert_array_equal(series.time, np.array(sorted(sent), "datetime64[s]"))
        npt.assert_array_equal(series.height_m, [sent[each] for each in sorted(sent)])
