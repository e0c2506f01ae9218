"""Where a station stood: what is given first, the deployment of the day next, then regions; never a guess."""

from __future__ import annotations

import re

import numpy as np
import numpy.testing as npt
import pytest

from event_fixtures import STATION_TABLES
from slipcast.errors import InputError, SlipcastWarning
from slipcast.geodesy import great_circle_distance
from slipcast.records.stations import Deployments, Position, position
from slipcast.regions.region import Region, region_names

DAY = np.datetime64("2011-03-11T05:46:24")
TABLE = """station,lon_deg,lat_deg,start,end,note
21418,148.6945,38.7066,2007-07-21,2009-07-09,a
21418,-211.3017,38.7178,2009-07-09,2011-07-13,b

21413,152.0,30.0,2010-01-01,2011-03-11,
21413,152.2,30.0,2011-03-11,,
46404,231.0,45.0,,,
D-125,200.0,10.0,,2011-03-10,
"""
# as they stood on the day, by NDBC
TOHOKU = {
    "21401": (152.583, 42.617),
    "21413": (152.123, 30.528),
    "21414": (178.251, 48.937),
    "21415": (171.849, 50.176),
    "21418": (148.698, 38.718),
    "21419": (155.735, 44.455),
}


def table(tmp_path, text: str = TABLE) -> Deployments:
    """Write and open a table."""
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    return Deployments.open(path)


def day(text: str) -> np.datetime64:
    """Make a moment late on a day."""
    return np.datetime64(f"{text}T23:59:59")


def test_what_is_given_comes_first_then_the_table_then_regions(tmp_path):
    deployments, japan = table(tmp_path), Region.open("japan")
    given = {"21418": (-211.0, 38.0)}
    assert position("21418", DAY, given=given, deployments=deployments, region=japan) == Position(149.0, 38.0, "given")
    found = position("21418", DAY, given={"21419": (0.0, 0.0)}, deployments=deployments, region=japan)
    npt.assert_allclose((found.lon_deg, found.lat_deg), (148.6983, 38.7178))
    assert found.origin == "deployment 2009-07-09 to 2011-07-13"
    # a table of one's own does not have it: the packaged one counts, then the region
    assert position("21419", DAY, deployments=deployments, region=japan).origin == "deployment 2010-06-04 to 2012-07-09"
    assert position("21401", DAY, deployments=deployments, region=japan) == Position(152.583, 42.617, "region japan")
    assert position("21418", DAY) == Position(148.6983, 38.7178, "deployment 2009-07-09 to 2011-07-13")


def test_the_deployment_of_the_day(tmp_path):
    deployments = table(tmp_path)
    assert deployments.find("21418", day("2009-07-08")).lat_deg == 38.7066
    assert deployments.find("21418", day("2009-07-09")).lat_deg == 38.7178  # both are valid, the later counts
    assert deployments.find("21418", day("2011-07-13")).lat_deg == 38.7178
    assert deployments.find("21413", day("2031-01-01")).origin == "deployment from 2011-03-11"
    assert deployments.find("46404", day("1985-01-01")).origin == "deployment without dates"
    assert deployments.find("D-125", day("1985-01-01")).origin == "deployment until 2011-03-10"
    assert deployments.find("51407", DAY) is None
    assert table(tmp_path, "lat_deg,station,lon_deg\n45,a,231\n").find("a", DAY) == Position(
        231.0, 45.0, "deployment without dates"
    )
    both = table(tmp_path, "station,lon_deg,lat_deg,start\na,231,45.00,2011-01-01\na,231,45.01,\n")
    assert both.find("a", DAY).lat_deg == 45.0


@pytest.mark.parametrize(
    ("station", "when", "message"),
    [
        (
            "21418",
            "2006-03-11",
            "21418 has no deployment on 2006-03-11; the nearest is its deployment 2007-07-21 to 2009",
        ),
        (
            "21418",
            "2011-07-14",
            r"the nearest is its deployment 2009-07-09 to 2011-07-13, at \(148.6983, 38.7178\); give",
        ),
        ("D-125", "2011-03-11", "the nearest is its deployment until 2011-03-10"),
        (
            "21413",
            "2011-03-11",
            "21413 has two deployments on 2011-03-11 that are 19.3 km apart: deployment 2010-01-01 to 2011-03-11 at "
            r"\(152.0000, 30.0000\), deployment from 2011-03-11 at \(152.2000, 30.0000\); give its position",
        ),
    ],
)
def test_days_without_one_place(tmp_path, station, when, message):
    with pytest.raises(InputError, match=message):
        position(station, day(when), deployments=table(tmp_path), region=Region.open("japan"))


def test_a_station_that_nothing_places(tmp_path):
    ways = (
        r"give its longitude and latitude, a table of deployments \(CSV: station,lon_deg,lat_deg,start,end\) or a reg"
    )
    with pytest.raises(InputError, match=f"station 99999 is known: no built-in region has it; {ways}"):
        position("99999", DAY, given={"21418": (0.0, 0.0)}, deployments=table(tmp_path))
    with pytest.raises(InputError, match=f"station 99999 is known: region chile does not have it; {ways}"):
        position("99999", DAY, region=Region.open("chile"))


@pytest.fixture
def no_table(monkeypatch):
    """Take the packaged tables away."""
    monkeypatch.setattr("slipcast.records.stations._packaged", lambda: Deployments(()))


@pytest.mark.parametrize(
    ("station", "when", "place", "said"),
    [
        # of 2016, but its deployments end in 2018
        (
            "21414",
            "2025-07-29",
            (178.2167, 48.9567),
            "its deployment 2016-07-11 to 2018-06-14, at (178.2167, 48.9567), is",
        ),
        ("21414", "2006-01-01", (178.27, 48.942), "its deployment 2006-08-10 to 2008-05-07"),
        (
            "46402",
            "2005-01-30",
            (195.99, 51.069),
            "its deployment 2002-06-18 to 2004-11-30",
        ),  # 61 days after, 90 before
        ("21401", "2011-03-11", (152.583, 42.617), "its position of 2016"),
        ("5401001", "2021-03-04", (182.292, -36.049), "its position of 2025"),
        ("dkam", "2025-07-29", (163.521, 48.053), "its position of 2025"),
        ("51407", "2025-07-29", (203.4528, 19.5606), "its deployment 2014-07-09 to 2017-02-06"),
    ],
)
def test_the_nearest_in_time_is_taken_with_a_warning(station, when, place, said):
    message = re.escape(f"station {station} has no known deployment on {when}: {said}")
    with pytest.warns(SlipcastWarning, match=message):
        found = position(station, day(when))
    npt.assert_allclose((found.lon_deg, found.lat_deg), place)


def test_a_region_that_is_given_comes_before_another_day():
    assert position("21414", day("2025-07-29"), region=Region.open("kamchatka")).origin == "region kamchatka"
    with pytest.warns(SlipcastWarning, match="position of 2025"):
        assert position("5401001", DAY, region=Region.open("japan")).lat_deg == -36.049


def test_built_in_regions_that_disagree(no_table):
    message = (
        r"built-in regions place station 21414 3.3 km apart: region alaska at \(178.2170, 48.9570\), "
        r"region japan at \(178.2510, 48.9370\); give the region, a table of deployments or its position"
    )
    with pytest.raises(InputError, match=message):
        position("21414", DAY)
    assert position("21414", DAY, region=Region.open("kamchatka")).lon_deg == 178.218


def test_every_gauge_of_a_region_has_its_place():
    for name in region_names():
        region = Region.open(name)
        for gauge in region.gauges:
            found = position(gauge.name, day("2026-11-28"), region=region)
            assert (found.lon_deg, found.lat_deg, found.origin) == (gauge.lon, gauge.lat, f"region {name}")


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (
            (38.7, 148.7),
            r"position of station x: lat_deg must be in \[-90, 90\], got 148.7 \(given\); longitude is first",
        ),
        ((1e3, 38.7), r"position of station x: lon_deg must be in \[-360, 720\], got 1000 \(given\)"),
        ((np.nan, 38.7), r"lon_deg must be in \[-360, 720\], got nan"),
        ((148.7, np.nan), r"lat_deg must be in \[-90, 90\], got nan"),
    ],
)
def test_given_places_that_are_none(place, message):
    with pytest.raises(InputError, match=message):
        position("x", DAY, given={"x": place})


@pytest.mark.parametrize("when", [np.datetime64("NaT"), "2011-03-11"])
def test_a_moment_that_is_none(tmp_path, when):
    with pytest.raises(InputError, match=r"when must be a moment as numpy.datetime64, got"):
        position("21418", when)
    with pytest.raises(InputError, match=r"when must be a moment as numpy.datetime64, got"):
        table(tmp_path).find("21418", when)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("21418,148.7,38.7,2011-01-01", "must have 5 fields, got 4"),
        ("21418;x,148.7,38.7,,", "station must be letters, digits, _ and -, got '21418;x'"),
        (",148.7,38.7,,", "station must be letters, digits, _ and -, got ''"),
        ("21418,east,38.7,,", "lon_deg must be a plain number of degrees, got 'east'"),
        ("21418,148.7,nan,,", "lat_deg must be a plain number of degrees, got 'nan'"),
        ("21418,148.7,1_0,,", "lat_deg must be a plain number of degrees, got '1_0'"),
        ("21418,148.7,98.7,,", r"lat_deg must be in \[-90, 90\], got 98.7"),
        ("21418,148.7,38.7,2011,", "start must be a day such as 2011-03-11, or empty, got '2011'"),
        ("21418,148.7,38.7,,2011-02-30", "end must be a day such as 2011-03-11, or empty, got '2011-02-30'"),
        ("21418,148.7,38.7,2011-03-01,2011-02-27", "end must not be before start, 2011-03-01, got 2011-02-27"),
    ],
)
def test_malformed_rows(tmp_path, row, message):
    with pytest.raises(InputError, match=f"table.csv, line 3: {message}"):
        table(tmp_path, f"station,lon_deg,lat_deg,start,end\n21401,152.583,42.617,,\n{row}\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "table.csv must have a header with the column station, got ''"),
        ("station,lon,lat\n", "table.csv must have a header with the column lon_deg, got 'station,lon,lat'"),
        ("station,lon_deg,lat_deg,station\n", "table.csv has the column station twice"),
        ("station,lon_deg,lat_deg\n", "table.csv has a header but no rows"),
        ('station,lon_deg,lat_deg\n"21418,1,2\n', "table.csv cannot be read as a CSV: unexpected end of data"),
    ],
)
def test_tables_that_are_none(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        table(tmp_path, text)


def test_tables_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*none.csv: No such file or directory"):
        Deployments.open(tmp_path / "none.csv")
    with pytest.raises(InputError, match=r"cannot read .*: Is a directory"):
        Deployments.open(tmp_path)
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"x.csv cannot be read as a CSV: 'utf-8' codec"):
        Deployments.open(tmp_path / "x.csv")


@pytest.mark.parametrize("station", sorted(TOHOKU))
def test_the_stations_of_tohoku(station):
    name = "dart_stations.csv" if station == "21401" else "dart_deployments.csv"  # which does not have it
    place = position(station, DAY, deployments=Deployments.open(STATION_TABLES / name))
    assert great_circle_distance(place.lon_deg, place.lat_deg, *TOHOKU[station]) < 5e3


def test_the_whole_tables_can_be_read():
    deployments = Deployments.open(STATION_TABLES / "dart_deployments.csv")
    assert len(deployments.rows) == 277
    for row in deployments.rows:
        middle = row.start + (row.end - row.start) // 2
        assert position(row.station, middle, deployments=deployments).origin.startswith("deployment 2")
    assert len(Deployments.open(STATION_TABLES / "dart_stations.csv").rows) == 83


def test_a_deployment_of_one_day(tmp_path):
    one = table(tmp_path, "station,lon_deg,lat_deg,start,end\na,231,45,2011-03-11,2011-03-11\n")
    assert one.find("a", day("2011-03-11")).origin == "deployment 2011-03-11 to 2011-03-11"
    for other in ("2011-03-10", "2011-03-12"):
        with pytest.raises(InputError, match=f"station a has no deployment on {other}"):
            one.find("a", day(other))
