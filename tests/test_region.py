"""Regions: the built-in ones, ranges, changed copies, and each rule of the file."""

from __future__ import annotations

import pytest

from slipcast.errors import InputError
from slipcast.region import Region, region_names

TEXT = """
name = "mine"
title = "My region"
sources = ["acsza57..58", "ac58b"]
subfault_km = 25
observers = ["46404"]

[grids.near]
lon = [-136.0, -120.0]
lat = [38.0, 54.0]
spacing_arcmin = 6
hours = 2

[[gauges]]
name = "46404"
kind = "dart"
lon = -128.736
lat = 45.857
grid = "near"

[[gauges]]
name = "westport"
kind = "forecast"
lon = 235.4
lat = 46.9
grid = "near"
"""


def test_the_built_in_regions():
    assert region_names() == ["cascadia", "chile", "japan", "kamchatka"]
    for name in region_names():
        region = Region.open(name)
        assert region.name == name
        assert region.title
        assert region.gauge_names("dart")
        assert Region.from_json(region.json_text()) == region


def test_cascadia_is_that_of_the_seed():
    region = Region.open("cascadia")
    assert len(region.sources) == 31
    assert region.sources[:2] == ("acsza54", "acsza55")
    assert region.observers == ("46404", "46407", "46419")
    dart = region.gauge("46404")
    assert (dart.kind, dart.lon, dart.lat, dart.grid) == ("dart", 231.264, 45.857, "near")
    assert region.grids["near"].spacing_arcmin == 1.0
    assert region.grids["pacific"].hours == 14


def test_a_file_of_the_users_own(tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text(TEXT)
    region = Region.open(tmp_path / "mine.toml")
    assert region.sources == ("acsza57", "acsza58", "acszb58")
    assert region.gauge("46404").lon == pytest.approx(231.264)  # the same buoy, whichever way it is counted
    monkeypatch.chdir(tmp_path)
    assert Region.open("mine.toml") == region


def test_grids_and_gauges_changed():
    region = Region.open("cascadia")
    finer = region.with_grids(spacing_arcmin=0.5, hours={"pacific": 3})
    assert finer.grids["near"].spacing_arcmin == 0.5
    assert finer.grids["pacific"].hours == 3
    assert region.grids["near"].spacing_arcmin == 1.0
    few = region.with_gauges(["westport", "46407"])
    assert few.gauge_names() == ["46407", "westport"]
    assert few.observers == ("46407",)


def test_no_such_region(tmp_path):
    with pytest.raises(InputError, match="unknown region 'cascade'; nearest: cascadia"):
        Region.open("cascade")
    with pytest.raises(InputError, match=r"cannot read region file .*nowhere.toml: No such file"):
        Region.open(tmp_path / "nowhere.toml")
    with pytest.raises(InputError, match="unknown gauge 'hilo' in region cascadia; nearest: hilo"):
        Region.open("cascadia").gauge("hilo")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title =", "titel =", "unknown key 'titel'; nearest: title"),
        ('name = "mine"', 'name = "My Region"', "name .*got 'My Region'"),
        ("ac58b", "ac58q", "unknown unit source 'acszq58' in NOAA's propagation database"),
        ("ac58b", "ac57a", "unit source acsza57 is listed twice"),
        ('["acsza57..58", "ac58b"]', "[]", "sources"),
        ('["acsza57..58", "ac58b"]', '"acsza57"', "sources must be a list of names of unit sources"),
        ("subfault_km = 25", "subfault_km = 0", "subfault_km must be greater than 0, got 0"),
        ('observers = ["46404"]', 'observers = ["westport"]', "unknown DART 'westport' in observers; known: 46404"),
        ("spacing_arcmin = 6", "spacing_arcmin = 7", "grid near: grid spacing of 7.0 arc-minutes does not divide"),
        ("hours = 2", "hours = 0", "grids.near.hours must be greater than 0, got 0"),
        ("hours = 2", "hour = 2", "grids.near.hours"),
        ('kind = "forecast"', 'kind = "buoy"', "gauges.1.kind must be 'dart' or 'forecast', got 'buoy'"),
        ('name = "westport"', 'name = "46404"', "gauge 46404 is listed twice"),
        (
            'lat = 46.9\ngrid = "near"',
            'lat = 46.9\ngrid = "far"',
            "unknown grid 'far' of gauge westport; nearest: near",
        ),
        ("lat = 46.9", "lat = 60.0", r"gauge westport: point \(235.4, 60\) is outside the grid"),
        ("lon = [-136.0, -120.0]", "lon = [-136.0", r"is not valid TOML"),
    ],
)
def test_each_rule_of_the_file(old, new, message):
    assert old in TEXT
    with pytest.raises(InputError, match=f"region.*{message}") as told:
        Region.parse(TEXT.replace(old, new), origin="mine.toml")
    assert "\n" not in str(told.value)


def test_changes_that_do_not_fit():
    region = Region.open("cascadia")
    with pytest.raises(InputError, match="unknown grid 'far' in region cascadia; nearest: near"):
        region.with_grids(hours={"far": 1})
    with pytest.raises(InputError, match=r"region cascadia: .*grid spacing of 7.0 arc-minutes does not divide"):
        region.with_grids(spacing_arcmin=7)
    with pytest.raises(InputError, match="unknown gauge 'hilo3' in region cascadia; nearest: hilo"):
        region.with_gauges(["hilo3"])
