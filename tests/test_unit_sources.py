"""NOAA's unit sources: the whole table, its geometry, both styles of names, subfaults."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.testing as npt
import pytest

from slipcast.errors import InputError
from slipcast.geodesy import EARTH_RADIUS_M, distance_azimuth, great_circle_distance
from slipcast.physics.moment import moment_magnitude, seismic_moment
from slipcast.physics.unit_sources import catalogue, expand_names, standard_name, subdivide, unit_source

CASCADIA = expand_names(["acsza54..65", "acszb55..65", "acszz55..62"])


def test_all_of_the_table():
    sources = catalogue()
    assert len(sources) == 1997
    for name, source in sources.items():
        assert standard_name(name) == name == source.name
        assert 0 <= source.lon_deg < 360
        assert 0 < source.dip_deg < 90
        assert source.depth_m > 0
        assert source.area_m2 > 0
        assert f"{source.zone}{source.row}{source.column}" == name


def test_a_row_of_the_table():
    # acsza58,235.3021,47.38119,344.0,11.0,12.82,100.0,50.0,90.0 (longitude, latitude, strike, dip, depth in km, ...)
    source = unit_source("acsza58")
    assert (source.lon_deg, source.lat_deg, source.strike_deg, source.dip_deg) == (235.3021, 47.38119, 344.0, 11.0)
    assert (source.depth_m, source.length_m, source.width_m, source.rake_deg) == (12820.0, 100e3, 50e3, 90.0)


@pytest.mark.parametrize("name", ["acsza58", "ac58a", "ACSZA58", " Ac58A ", "acsza058"])
def test_both_styles_of_names(name):
    assert unit_source(name) is unit_source("acsza58")


@pytest.mark.parametrize("name", ["58a", "acsz", "acszA", "", "acsz58", "a58a"])
def test_names_of_neither_style(name):
    with pytest.raises(InputError, match=f"a unit source is named like acsza58 or ac58a, got {name!r}"):
        unit_source(name)


def test_short_names_reach_the_whole_table():
    for name, source in catalogue().items():
        assert unit_source(f"{source.zone[:2]}{source.column}{source.row}") is source, name


def test_an_unknown_name_offers_the_nearest():
    with pytest.raises(
        InputError, match=r"unknown unit source 'acsza999' in NOAA's propagation database; nearest: acsz"
    ):
        unit_source("acsza999")


def test_ranges():
    assert len(CASCADIA) == 31
    assert expand_names(["cssza88..90", "cs91b"]) == ["cssza88", "cssza89", "cssza90", "csszb91"]
    with pytest.raises(InputError, match=r"a range of unit sources must run upwards, got 'acsza60..55'"):
        expand_names(["acsza60..55"])
    with pytest.raises(InputError, match="unit source acsza56 is listed twice"):
        expand_names(["acsza55..57", "ac56a"])
    with pytest.raises(InputError, match="unknown unit source 'acsza66'"):
        expand_names(["acsza64..66"])


@pytest.mark.parametrize("zone", ["acsz", "cssz", "kisz"])
def test_rows_chain_down_dip(zone):
    # NOAA gives the middle of the bottom edge and the depth of the top edge: row a begins where row b ends, in depth
    # to the kilometre and in place to some kilometres, since strike and dip change between them
    gaps, depths = [], []
    for name, upper in catalogue().items():
        below = f"{zone}a{upper.column}"
        if upper.zone == zone and upper.row == "b" and below in catalogue():
            lower = catalogue()[below]
            top = lower.point(0.0, 0.0)
            gaps.append(float(great_circle_distance(upper.lon_deg, upper.lat_deg, top[0], top[1])))
            depths.append(abs(upper.bottom_depth_m - lower.depth_m))
        assert name == upper.name
    assert len(gaps) > 30
    assert np.median(gaps) < 5e3
    assert np.median(depths) < 500


@pytest.mark.parametrize("zone", ["acsz", "cssz", "kisz", "ntsz"])
def test_neighbours_along_strike_share_corners(zone):
    # those of the trench row; to a tenth of their length, since every rectangle is a plane and the trench is none
    gaps = []
    for source in catalogue().values():
        following = catalogue().get(f"{zone}b{source.column + 1}")
        if source.zone == zone and source.row == "b" and following:
            ours, theirs = source.corners()[:, :2], following.corners()[:, :2]
            # columns rise along strike or against it; the corners run left to right along the top, then back
            gaps.append(
                min(
                    np.mean([great_circle_distance(*ours[i], *theirs[j]) for i, j in pairs])
                    for pairs in (((1, 0), (2, 3)), ((0, 1), (3, 2)))
                )
            )
    assert len(gaps) > 30
    assert np.median(gaps) < 10e3


def test_a_point_of_the_plane_lies_where_plane_geometry_puts_it():
    # on the equator, striking east: down dip is south
    source = replace(unit_source("acsza58"), lon_deg=0.05, lat_deg=0.0, strike_deg=90.0, dip_deg=60.0)
    lon, lat, depth = source.point(np.array([0.0, -30e3, 10e3]), np.array([50e3, 50e3, 10e3]))
    degree = np.radians(1.0) * EARTH_RADIUS_M
    npt.assert_allclose(lon, [0.05, 360 + 0.05 - 30e3 / degree, 0.05 + 10e3 / degree], atol=1e-6)
    npt.assert_allclose(lat, [0.0, 0.0, 40e3 * 0.5 / degree], atol=1e-6)
    npt.assert_allclose(depth, source.depth_m + np.sqrt(3) / 2 * np.array([50e3, 50e3, 10e3]))
    npt.assert_allclose(source.bottom_depth_m, depth[0])


def test_a_metre_on_a_unit_source_is_magnitude_7_47():
    for name in CASCADIA:
        assert round(float(moment_magnitude(seismic_moment([1.0], unit_source(name).area_m2))), 2) == 7.47


def test_corners_make_a_ring_of_the_right_size():
    source = unit_source("acszb58")
    lon, lat, depth = source.corners().T
    dip = np.radians(source.dip_deg)
    ring = np.append(np.arange(4), 0)
    sides = great_circle_distance(lon[ring[:-1]], lat[ring[:-1]], lon[ring[1:]], lat[ring[1:]])
    wide = source.width_m * np.cos(dip)
    npt.assert_allclose(sides, [source.length_m, wide, source.length_m, wide], rtol=1e-3)
    npt.assert_allclose(depth, source.depth_m + np.array([0, 0, 1, 1]) * source.width_m * np.sin(dip))
    # the top edge runs along strike, and the fault dips to its right
    npt.assert_allclose(distance_azimuth(lon[0], lat[0], lon[1], lat[1])[1], source.strike_deg % 360, atol=1.0)
    npt.assert_allclose(distance_azimuth(lon[1], lat[1], lon[2], lat[2])[1], (source.strike_deg + 90) % 360, atol=1.0)
    npt.assert_allclose([lon[2:].mean(), lat[2:].mean()], [source.lon_deg, source.lat_deg], atol=0.01)


# --- subfaults


@pytest.fixture(scope="module")
def subfaults():
    return subdivide([unit_source(name) for name in CASCADIA], 10.0)


def test_subfaults_tile_their_sources(subfaults):
    assert len(subfaults) == 31 * 50
    areas = np.bincount(subfaults.source_index, subfaults.area_m2)
    npt.assert_allclose(areas, [source.area_m2 for source in subfaults.sources])
    for number, source in enumerate(subfaults.sources):
        own = subfaults.source_index == number
        lon, lat, depth = source.point(0.0, source.width_m / 2)
        # the mean of the centres is the middle of the source, but for the curvature of the earth
        npt.assert_allclose(subfaults.depth_m[own].mean(), depth)
        npt.assert_allclose(subfaults.lon_deg[own].mean(), lon, atol=1e-2)
        npt.assert_allclose(subfaults.lat_deg[own].mean(), lat, atol=1e-2)


def test_averaging_gives_uniform_slip_back(subfaults):
    slip = np.random.default_rng(1).uniform(0, 10, 31)
    matrix = subfaults.averaging_matrix()
    npt.assert_allclose(matrix.sum(axis=1), 1.0)
    npt.assert_allclose(matrix @ slip[subfaults.source_index], slip)


def test_neighbours_on_the_unrolled_fault_are_neighbours_on_earth(subfaults):
    # within a source exactly; across sources their gaps and overlaps come on top, up to some tens of km at bends
    place = {(int(a), int(d)): i for i, (a, d) in enumerate(zip(subfaults.along, subfaults.down, strict=True))}
    assert len(place) == len(subfaults)
    distances = []
    for (along, down), here in place.items():
        for neighbour in ((along + 1, down), (along, down + 1)):
            if (there := place.get(neighbour)) is not None:
                distances.append(
                    great_circle_distance(
                        subfaults.lon_deg[here],
                        subfaults.lat_deg[here],
                        subfaults.lon_deg[there],
                        subfaults.lat_deg[there],
                    )
                )
    assert np.median(distances) < 10.5e3
    assert max(distances) < 60e3


def test_steps_along_the_fault_follow_the_columns_in_every_zone():
    # kisz counts its columns along strike, acsz against it; in both the subfaults of a row make one line, but for gaps
    # at bends (parts in the wrong order within their source would jump by 100 km and more)
    for names in (["kisza20..25"], ["acsza54..59"]):
        parts = subdivide([unit_source(name) for name in expand_names(names)], 25.0)
        top = parts.down == parts.down.min()
        order = np.argsort(parts.along[top])
        lon, lat = parts.lon_deg[top][order], parts.lat_deg[top][order]
        npt.assert_array_equal(np.diff(parts.along[top][order]), 1)
        assert great_circle_distance(lon[1:], lat[1:], lon[:-1], lat[:-1]).max() < 60e3
        columns = np.array([source.column for source in parts.sources])[parts.source_index][top]
        assert (np.diff(columns[order]) >= 0).all()


def test_rows_are_counted_from_the_trench_down():
    parts = subdivide([unit_source(name) for name in ("acszz58", "acszb58", "acsza58")], 25.0)
    row = np.array([source.row for source in parts.sources])[parts.source_index]
    # two parts down dip in each row, b above a above z, and deeper with every step
    for letter, steps in (("b", {0, 1}), ("a", {2, 3}), ("z", {4, 5})):
        assert set(parts.down[row == letter].tolist()) == steps
    depth = [parts.depth_m[parts.down == step].mean() for step in range(6)]
    assert (np.diff(depth) > 0).all()


def test_parts_are_ordered_down_dip_and_then_along_strike():
    source = unit_source("acsza58")
    parts = subdivide([source], 25.0)
    assert parts.divisions == ((4, 2),)
    lon, lat, depth = source.point(np.array([-37.5e3, -12.5e3, 12.5e3, 37.5e3]), 12.5e3)
    npt.assert_allclose(parts.lon_deg[:4], lon)
    npt.assert_allclose(parts.lat_deg[:4], lat)
    npt.assert_allclose(parts.depth_m, np.repeat([depth, source.point(0.0, 37.5e3)[2]], 4))


@pytest.mark.parametrize("size_km", [0.5, 5.0, 25.0, 100.0])
def test_sizes(size_km):
    source = unit_source("acsza58")
    parts = subdivide([source], size_km)
    assert len(parts) == round(100 / size_km) * max(1, round(50 / size_km))
    npt.assert_allclose(parts.area_m2.sum(), source.area_m2)


@pytest.mark.parametrize("size_km", [0, -10.0, np.nan])
def test_a_size_that_cannot_be(size_km):
    with pytest.raises(InputError, match=f"subfault size must be > 0 km, got {size_km}"):
        subdivide([unit_source("acsza58")], size_km)
    with pytest.raises(InputError, match="sources must name at least one unit source, got none"):
        subdivide([], 10.0)


@pytest.mark.parametrize(("size_km", "parts"), [(10.0, (10, 5)), (30.0, (3, 2)), (40.0, (2, 1)), (500.0, (1, 1))])
def test_sources_are_cut_into_the_nearest_whole_number_of_parts(size_km, parts):
    # 100 km by 50 km: 3.3 and 1.7, 2.5 (to even) and 1.25, and never none
    subfaults = subdivide([unit_source("acsza58")], size_km)
    assert subfaults.divisions == (parts,)
    npt.assert_allclose(subfaults.length_m, 100e3 / parts[0])
    npt.assert_allclose(subfaults.width_m, 50e3 / parts[1])


def test_a_bottom_edge_lies_below_a_top_edge_by_the_sine_of_the_dip():
    source = unit_source("acsza58")
    npt.assert_allclose(source.bottom_depth_m, 12820.0 + 50e3 * np.sin(np.radians(11.0)))
    npt.assert_allclose(source.point(0.0, source.width_m)[2], source.bottom_depth_m)
