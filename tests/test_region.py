"""Regions: the four that are built in, a user's own file, and what a file may not say."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import pytest
from pydantic import ValidationError

from slipcast.errors import InputError
from slipcast.geodesy import great_circle_distance
from slipcast.records.stations import Deployments
from slipcast.regions.region import Gauge, GridPlan, Region, region_names

BUILT_IN = ["alaska", "cascadia", "chile", "japan", "kamchatka", "tonga"]

OWN = """
name = "own"
sources = ["acsza57..59", "ac58b"]

[grids.near]
lon = [224.0, 240.0]
lat = [38.0, 54.0]
spacing_arcmin = 4.0
hours = 2.0

[grids.wide]
lon = [180.0, 250.0]
lat = [0.0, 60.0]
spacing_arcmin = 12.0
hours = 8.0

[[gauges]]
name = "46404"
kind = "dart"
lon = -128.736
lat = 45.857
grid = "near"

[[gauges]]
name = "hilo"
kind = "forecast"
lon = 205.1
lat = 19.8
grid = "wide"
"""


def own() -> Region:
    """Read a user's own region."""
    return Region.parse(OWN)


# --- what is built in


def test_the_built_in_names():
    assert region_names() == BUILT_IN


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_regions_open(name):
    region = Region.open(name)
    assert region.name == name
    assert region.title
    assert region.gauge_names("dart")
    assert region.gauge_names("forecast")
    assert len({source[:4] for source in region.sources}) == 1
    assert set(region.observers) <= set(region.gauge_names("dart"))


def test_cascadia_is_that_of_the_design():
    region = Region.open("cascadia")
    # Liu (2021): 31 unit sources and three DARTs
    expected = [
        *(f"acsza{n}" for n in range(54, 66)),
        *(f"acszb{n}" for n in range(55, 66)),
        *(f"acszz{n}" for n in range(55, 63)),
    ]
    assert list(region.sources) == expected
    assert len(expected) == 31
    assert region.observers == ("46404", "46407", "46419")
    assert region.gauge_names()[:3] == ["46404", "46407", "46419"]
    near = region.grids["near"]
    assert (near.lon, near.lat, near.spacing_arcmin, near.hours) == ((220.0, 240.0), (36.0, 54.0), 1.0, 4.0)
    assert region.grids["pacific"].spacing_arcmin == 6.0
    assert (region.gauge("46404").lon, region.gauge("46404").lat) == (231.264, 45.857)
    assert len(region.subfaults()) == 31 * 50


@pytest.mark.parametrize("name", BUILT_IN)
def test_positions_are_those_of_the_tables(name):
    # of a deployment or of a year; buoys are moved by some kilometres, 46413 by 42 (deployments of 2008 to 2016)
    table = Deployments.packaged()
    region = Region.open(name)
    for gauge in region.gauges:
        if gauge.kind == "dart":
            known = [row.position for row in (*table.rows, *table.listed) if row.station == gauge.name]
            assert known, gauge.name
            lon, lat = ([getattr(place, key) for place in known] for key in ("lon_deg", "lat_deg"))
            assert great_circle_distance(gauge.lon, gauge.lat, lon, lat).min() < 3e3, gauge.name


def test_regions_have_the_network_of_today():
    darts = {name: set(Region.open(name).gauge_names("dart")) for name in BUILT_IN}
    assert {"21416", "dkam", "dkur", "datu", "46408", "46402", "46414", "46415", "46404", "46412"} <= darts["kamchatka"]
    assert {"21418", "dtok", "dryu", "21420", "52404", "46408", "46411"} <= darts["japan"]
    assert {"32401", "32402", "32403", "34420", "32067", "43413", "5401002"} <= darts["chile"]
    assert {"46402", "46403", "46409", "46410", "46408", "46413", "46414", "46415", "46416", "21414"} <= darts["alaska"]
    assert {f"540100{n}" for n in range(6)} | {"51426", "54401", "5501002", "5501006"} <= darts["tonga"]
    # another order or place of these would be another network's
    assert Region.open("japan").gauge_names()[:6] == ["21418", "21401", "21413", "21419", "21414", "21415"]
    chile = Region.open("chile").gauge("32412")
    assert (chile.lon, chile.lat) == (273.608, -17.989)  # of 2010


def test_every_range_of_every_file_expands():
    for name in BUILT_IN:
        content = tomllib.loads(files("slipcast").joinpath(f"regions/{name}.toml").read_text(encoding="utf-8"))
        count = 0
        for item in content["sources"]:
            first, _, last = item.partition("..")
            count += int(last) - int(first[5:]) + 1 if last else 1
        assert len(Region.open(name).sources) == count


# --- a user's own


def test_a_users_own_file(tmp_path):
    (tmp_path / "own.toml").write_text(OWN)
    region = Region.open(tmp_path / "own.toml")
    assert region == Region.open(str(tmp_path / "own.toml")) == own()
    assert region.sources == ("acsza57", "acsza58", "acsza59", "acszb58")
    assert region.subfault_km == 10.0
    assert region.finest_grid == "near"
    assert region.observers == ()


def test_a_file_beside_one_stands_on_needs_only_its_ending(tmp_path, monkeypatch):
    (tmp_path / "own.toml").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    assert Region.open("own.toml") == own()


def test_west_and_east_longitudes_are_one_buoy():
    assert own() == Region.parse(OWN.replace("-128.736", "231.264"))
    assert own().gauge("46404").lon == 360.0 - 128.736


def test_a_region_comes_back_from_its_json():
    for region in (own(), *map(Region.open, BUILT_IN)):
        assert Region.from_json(region.json_text()) == region


def test_a_region_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        own().name = "other"


def test_a_bare_number_counts_for_the_finest_grid():
    changed = own().with_grids(spacing_arcmin=2, hours=1)
    assert (changed.grids["near"].spacing_arcmin, changed.grids["near"].hours) == (2.0, 1.0)
    assert changed.grids["wide"] == own().grids["wide"]
    assert own().grids["near"].spacing_arcmin == 4.0


def test_numbers_by_grid():
    changed = own().with_grids(spacing_arcmin={"wide": 10, "near": 3}, hours={"wide": 3.5})
    assert [(g.spacing_arcmin, g.hours) for g in changed.grids.values()] == [(3.0, 2.0), (10.0, 3.5)]
    assert own().with_grids() == own()


def test_some_gauges_keep_the_order_of_the_region():
    region = Region.open("cascadia").with_gauges(["westport", "46419", "46404"])
    assert region.gauge_names() == ["46404", "46419", "westport"]
    assert region.observers == ("46404", "46419")
    assert region.gauge_names("forecast") == ["westport"]


# --- what a file may not say


def without(line: str) -> str:
    """Take a line out of the user's file."""
    assert OWN.count(f"\n{line}\n") == 1
    return OWN.replace(f"\n{line}\n", "\n")


def with_(old: str, new: str) -> str:
    """Change the first place of something in the user's file."""
    assert old in OWN
    return OWN.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # keys
        ("subfault = 5\n" + OWN, "unknown key 'subfault'; nearest: subfault_km"),
        (
            with_("spacing_arcmin", "spacing_arcmim"),
            r"spacing_arcmi[mn]",
        ),
        (with_("hours = 2.0", "hours = 2.0\nminutes = 3"), "unknown key 'minutes'"),
        (with_('kind = "dart"', 'kind = "dart"\ndepth = 2800.0'), "unknown key 'depth'"),
        (without('name = "own"'), "name Field required"),
        (without('kind = "dart"'), r"gauges\.0\.kind Field required"),
        (OWN[: OWN.index("[[gauges]]")], "gauges Field required"),
        (OWN[OWN.index("[[gauges]]") :] + "\n", "name Field required"),
        # values
        (with_('name = "own"', 'name = "My Region"'), "name String should match pattern .*, got 'My Region'"),
        (
            with_("spacing_arcmin = 4.0", "spacing_arcmin = 0"),
            r"grids\.near\.spacing_arcmin must be greater than 0, got 0",
        ),
        (
            with_("spacing_arcmin = 4.0", "spacing_arcmin = 90"),
            r"spacing_arcmin must be less than or equal to 60, got 90",
        ),
        (
            with_("spacing_arcmin = 4.0", 'spacing_arcmin = "4 min"'),
            r"spacing_arcmin must be a valid number.*got '4 min'",
        ),
        (with_("hours = 2.0", "hours = 0.0"), r"grids\.near\.hours must be greater than 0, got 0.0"),
        (with_("hours = 2.0", "hours = 0.01"), r"grids\.near\.hours must be at least a minute, 1/60, got 0.01"),
        (with_("hours = 2.0", "hours = 100.0"), r"grids\.near\.hours must be less than or equal to 48, got 100.0"),
        ("subfault_km = 0\n" + OWN, "subfault_km must be greater than 0, got 0"),
        ("subfault_km = 500\n" + OWN, "subfault_km must be less than or equal to 100, got 500"),
        (with_('kind = "dart"', 'kind = "buoy"'), r"gauges\.0\.kind must be 'dart' or 'forecast', got 'buoy'"),
        (with_("lat = 45.857", "lat = 145.857"), r"gauges\.0\.lat must be less than or equal to 90, got 145.857"),
        (with_("lon = -128.736", "lon = 1000.0"), r"gauges\.0\.lon must be less than or equal to 720, got 1000.0"),
        (with_("lon = -128.736", "lon = nan"), r"gauges\.0\.lon must be"),
        (with_('name = "46404"', 'name = "buoy one"'), r"gauges\.0\.name"),
        # sources
        (with_('["acsza57..59", "ac58b"]', "[]"), "sources"),
        (with_('["acsza57..59", "ac58b"]', '"acsza57"'), "sources must be a list of names of unit sources"),
        (with_('["acsza57..59", "ac58b"]', "[57, 58]"), "sources must be a list of names of unit sources"),
        (with_('"ac58b"', '"acsza58"'), "sources unit source acsza58 is listed twice"),
        (with_('"ac58b"', '"acszq58"'), "unknown unit source 'acszq58' in NOAA's propagation database; nearest: acsz"),
        (with_('"ac58b"', '"fault"'), "a unit source is named like acsza58 or ac58a, got 'fault'"),
        (with_("57..59", "59..57"), "a range of unit sources must run upwards, got 'acsza59..57'"),
        (with_("57..59", "57..99"), r"unknown unit source 'acsza\d\d' in NOAA's propagation database"),
        # grids and gauges together
        (with_('name = "hilo"', 'name = "46404"'), "gauge 46404 is listed twice"),
        (with_('grid = "near"', 'grid = "neat"'), "unknown grid 'neat' of gauge 46404; nearest: near"),
        (with_("lat = 45.857", "lat = 20.0"), r"gauge 46404: point \(231.264, 20\) is outside the grid"),
        (
            with_("spacing_arcmin = 4.0", "spacing_arcmin = 7.0"),
            "grid near: grid spacing of 7.0 arc-minutes does not divide",
        ),
        (
            with_("lon = [224.0, 240.0]", "lon = [240.0, 224.0]"),
            "grid near: grid longitudes must run from west to east",
        ),
        (with_("lat = [38.0, 54.0]", "lat = [54.0, 38.0]"), r"grid near: grid latitudes must rise within \[-89, 89\]"),
        (with_("lat = [38.0, 54.0]", "lat = [38.0]"), r"grids\.near\.lat\.1 Field required"),
        ('observers = ["46405"]\n' + OWN, "unknown DART '46405' in observers; nearest: 46404"),
        ('observers = ["hilo"]\n' + OWN, "unknown DART 'hilo' in observers; known: 46404"),  # it does not observe
        # the file
        ("name = ", "region own is not valid TOML: "),
        (OWN + OWN, "region own is not valid TOML: "),
        ("", "name Field required"),
        ("name = " + "9" * 5000, "region own is not valid TOML: "),  # too long for Python
        ("name = " + "[" * 5000, "region own is not valid TOML: "),
    ],
)
def test_what_a_file_may_not_say(text, message):
    with pytest.raises(InputError, match=message) as problem:
        Region.parse(text, origin="own")
    assert str(problem.value).startswith("region own")
    assert "pydantic" not in str(problem.value)


@pytest.mark.parametrize("text", ["name = ", "name = 3", OWN.replace("near", "neer", 1)])
def test_messages_are_one_line(text):
    with pytest.raises(InputError) as problem:
        Region.parse(text)
    assert "\n" not in str(problem.value)


def test_bytes_that_are_no_text():
    with pytest.raises(InputError, match="region region is not valid TOML"):
        Region.parse(b"\x89HDF\r\n\x1a\n\x00\xff")


@pytest.mark.parametrize("text", ["{", "{}", '{"name": 3}'])
def test_json_that_is_no_region(text):
    with pytest.raises(InputError, match=r"^region: ") as problem:
        Region.from_json(text)
    assert "\n" not in str(problem.value)


def test_regions_that_are_nowhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"^unknown region 'cascadai'; nearest: cascadia$"):
        Region.open("cascadai")
    with pytest.raises(
        InputError, match=r"^unknown region 'nowhere'; known: alaska, cascadia, chile, japan, kamchatka, tonga$"
    ):
        Region.open("nowhere")
    with pytest.raises(InputError, match=r"^cannot read region file nowhere.toml: No such file or directory$"):
        Region.open("nowhere.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(InputError, match=r"^cannot read region file folder.toml: Is a directory$"):
        Region.open("folder.toml")


def test_gauges_and_grids_that_a_region_lacks():
    region = own()
    with pytest.raises(InputError, match=r"unknown gauge '46405' in region own; nearest: 46404"):
        region.gauge("46405")
    with pytest.raises(InputError, match=r"unknown gauge 'hile' in region own; nearest: hilo"):
        region.with_gauges(["46404", "hile"])
    with pytest.raises(InputError, match=r"unknown grid 'nearly' in region own; nearest: near"):
        region.with_grids(hours={"nearly": 3})
    with pytest.raises(InputError, match=r"region own: grids\.near\.spacing_arcmin must be greater than 0, got -1"):
        region.with_grids(spacing_arcmin=-1)
    with pytest.raises(InputError, match=r"region own: grid near: grid spacing of 7.0 arc-minutes does not divide"):
        region.with_grids(spacing_arcmin=7)


def test_no_gauge_is_no_region():
    with pytest.raises(InputError, match="at least one gauge"):
        own().with_gauges([])


def test_a_plan_lays_its_grid():
    plan = GridPlan(lon=(224.0, 240.0), lat=(38.0, 54.0), spacing_arcmin=4.0, hours=2.0)
    assert plan.grid().shape == (240, 240)
    assert Gauge(name="x", kind="dart", lon=-0.1, lat=0.0, grid="g").lon == 359.9


def test_gauges_of_a_kind_are_those_and_no_others():
    region = Region.open("cascadia")
    darts, points = region.gauge_names("dart"), region.gauge_names("forecast")
    assert darts
    assert points
    assert {region.gauge(name).kind for name in darts} == {"dart"}
    assert {region.gauge(name).kind for name in points} == {"forecast"}
    assert sorted([*darts, *points]) == sorted(gauge.name for gauge in region.gauges)


# --- longitudes across the date line and Greenwich


@pytest.mark.parametrize(
    ("given", "same"),
    [((165.0, -165.0), (165.0, 195.0)), ((350.0, 10.0), (350.0, 370.0)), ((-150.0, -130.0), (-150.0, -130.0))],
)
def test_a_grid_whose_east_end_is_in_another_branch(given, same):
    plan = GridPlan(lon=given, lat=(-35.0, -5.0), spacing_arcmin=6.0, hours=3.0)
    assert plan == GridPlan(lon=same, lat=(-35.0, -5.0), spacing_arcmin=6.0, hours=3.0)
    assert plan.grid().lon_deg[0] == pytest.approx(given[0] % 360)
    assert plan.grid().shape == (300, round(10 * (same[1] - same[0])))


def test_a_region_across_the_date_line():
    text = """
name = "tonga"
sources = ["ntsza20..30"]
[grids.near]
lon = [165.0, EAST]
lat = [-35.0, -5.0]
spacing_arcmin = 6.0
hours = 3.0
[[gauges]]
name = "51425"
kind = "dart"
lon = -176.242
lat = -9.517
grid = "near"
"""
    wrapped, plain = (Region.parse(text.replace("EAST", east)) for east in ("-165.0", "195.0"))
    assert wrapped == plain
    with pytest.raises(InputError, match="grid near: grid longitudes must run from west to east by at most 360"):
        Region.parse(text.replace("EAST", "150.0"))  # nearly all around, more likely a slip
