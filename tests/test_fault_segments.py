"""Connected segments: all zones of NOAA's table, gaps, turns, folds, and ruptures that stay in one piece."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.testing as npt
import pytest
from scipy.cluster.hierarchy import linkage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from slipcast.errors import InputError
from slipcast.geodesy import distance_azimuth, great_circle_distance
from slipcast.physics.fault_segments import MAX_GAP_KM, connected_cells, fault_segments
from slipcast.physics.ruptures import RuptureGenerator, RuptureSettings
from slipcast.physics.unit_sources import (
    MEGATHRUST_ROWS,
    catalogue,
    columns_follow_strike,
    expand_names,
    subdivide,
    turn_deg,
    unit_source,
)
from slipcast.regions.region import Region

ZONES = sorted({source.zone for source in catalogue().values()})
CARIBBEAN = ["atsza56..61", "atszb56..61"]


def fault(patterns, size_km: float = 25.0):
    """Divide unit sources."""
    return subdivide([unit_source(name) for name in expand_names(patterns)], size_km)


def interface(zone: str, size_km: float = 25.0):
    """Divide all unit sources of a zone that lie on the plate interface."""
    return subdivide([s for s in catalogue().values() if s.zone == zone and s.row in MEGATHRUST_ROWS], size_km)


def sources_of(subfaults, segment) -> list[str]:
    """Name the unit sources of a segment."""
    return [subfaults.sources[i].name for i in np.unique(subfaults.source_index[segment.subfaults])]


def segment_of_sources(subfaults) -> dict[str, int]:
    """Number the segment of each source, which is one."""
    pairs = [
        (name, k) for k, segment in enumerate(fault_segments(subfaults)) for name in sources_of(subfaults, segment)
    ]
    assert len(pairs) == len(dict(pairs)) == len(subfaults.sources)
    return dict(pairs)


def points_km(subfaults) -> np.ndarray:
    """Locate middle, corners and middles of the edges of each subfault about the Earth's centre, km: (n, 9, 3)."""
    found = []
    for source, (n_along, n_down) in zip(subfaults.sources, subfaults.divisions, strict=True):
        j, i = (index.ravel()[:, np.newaxis] for index in np.mgrid[:n_down, :n_along])
        v, u = (part.ravel() for part in np.mgrid[0:1:3j, 0:1:3j])
        lon, lat, depth = source.point(((i + u) / n_along - 0.5) * source.length_m, (j + v) / n_down * source.width_m)
        lon, lat, radius = np.radians(lon), np.radians(lat), 6371.0 - depth / 1e3
        found.append(
            np.stack([radius * np.cos(lat) * np.cos(lon), radius * np.cos(lat) * np.sin(lon), radius * np.sin(lat)], -1)
        )
    return np.concatenate(found)


def widest_gap_km(points: np.ndarray, slip_m: np.ndarray) -> float:
    """Measure the widest gap between pieces of a rupture, km; below the spacing of points there is none."""
    return linkage(points[slip_m > 0].reshape(-1, 3), "single")[:, 2].max()


# --- the whole table


def test_the_table_has_eighteen_zones():
    assert len(ZONES) == 18


@pytest.mark.parametrize("zone", ZONES)
def test_joined_subfaults_are_near_and_others_are_not(zone):
    # by the corners of unit sources, where the segments go by the middles of subfaults
    subfaults = interface(zone)
    starts = np.searchsorted(subfaults.source_index, np.arange(len(subfaults.sources)))
    joined = {}
    for segment in fault_segments(subfaults):
        for down, along in np.argwhere(segment.cells >= 0):
            joined[segment.cells[down, along]] = segment.joined_along[down, along], segment.joined_down[down, along]
    assert sorted(joined) == list(range(len(subfaults)))
    names = {source.name: number for number, source in enumerate(subfaults.sources)}
    n_along, n_down = subfaults.divisions[0]
    for number, source in enumerate(subfaults.sources):
        own = np.arange(starts[number], starts[number] + n_along * n_down).reshape(n_down, n_along)
        side = 1 if columns_follow_strike(source) else -1
        last = own[:, ::side][:, -1]
        assert all(joined[i][0] for i in set(own.ravel()) - set(last))
        assert all(joined[i][1] for i in own[:-1].ravel())
        other = names.get(f"{zone}{source.row}{source.column + 1}")
        expected = np.zeros(n_down, bool)
        if other is not None and turn_deg(source, following := subfaults.sources[other]) <= 90:
            middles = (np.arange(n_down) + 0.5) / n_down
            lon, lat, depth = source.point(side * source.length_m / 2, middles * source.width_m)
            there = following.point(-side * following.length_m / 2, middles * following.width_m)
            apart_m = np.hypot(great_circle_distance(lon, lat, *there[:2]), there[2] - depth)
            expected = apart_m <= 50e3
        npt.assert_array_equal([joined[i][0] for i in last], expected, source.name)


@pytest.mark.parametrize("zone", ZONES)
def test_order_along_the_trench_is_that_of_strike(zone):
    subfaults = interface(zone)
    for segment in fault_segments(subfaults):
        names = sources_of(subfaults, segment)
        (side,) = {1 if columns_follow_strike(unit_source(name)) else -1 for name in names}
        for name in names:
            source = unit_source(name)
            own = segment.subfaults[subfaults.source_index[segment.subfaults] == subfaults.source_names.index(name)]
            row = own[subfaults.down[own] == subfaults.down[own].min()]
            row = row[np.argsort(subfaults.along[row])]
            npt.assert_array_equal(np.diff(subfaults.along[row]), 1)
            assert subfaults.along[row[0]] == source.column * len(row)
            lon, lat = subfaults.lon_deg[row], subfaults.lat_deg[row]
            azimuth = distance_azimuth(lon[:-1], lat[:-1], lon[1:], lat[1:])[1]
            npt.assert_array_less(0.99, side * np.cos(np.radians(azimuth - source.strike_deg)))
            # and the next column lies ahead, but for deep sources, which overlap at some bends
            following = f"{zone}{source.row}{source.column + 1}"
            if following in names and source.row in "ba":
                other = unit_source(following)
                azimuth = distance_azimuth(source.lon_deg, source.lat_deg, other.lon_deg, other.lat_deg)[1]
                for each in (source, other):
                    assert side * np.cos(np.radians(azimuth - each.strike_deg)) > 0.1, (name, following)


@pytest.mark.parametrize("zone", ZONES)
def test_no_neighbour_is_missed(zone):
    # where one source ends and another begins, at the top, they are of one segment, whatever their numbers
    subfaults = interface(zone)
    segment = segment_of_sources(subfaults)
    for row in MEGATHRUST_ROWS:
        sources = [source for source in subfaults.sources if source.row == row]
        if not sources:
            continue
        ends = np.array([source.corners()[:2, :2] for source in sources])
        lon, lat = ends[:, :, 0], ends[:, :, 1]
        apart = great_circle_distance(lon[:, 1, None], lat[:, 1, None], lon[:, 0], lat[:, 0])
        for i, j in np.argwhere(apart <= 1e3 * MAX_GAP_KM):
            one, other = sources[i], sources[j]
            # source 238 lies over the bend between 37 and 38, which are neighbours themselves
            if turn_deg(one, other) <= 90 and 238 not in (one.column, other.column):
                assert segment[one.name] == segment[other.name], (one.name, other.name)


def test_segments_of_the_table():
    columns = {}
    for zone in ZONES:
        subfaults = interface(zone)
        for part in fault_segments(subfaults):
            numbers = [unit_source(name).column for name in sources_of(subfaults, part)]
            columns.setdefault(zone, []).append((min(numbers), max(numbers)))
    assert {zone: parts for zone, parts in columns.items() if len(parts) > 1} == {
        "acsz": [(1, 65), (238, 238)],
        "atsz": [(1, 9), (10, 21), (22, 29), (30, 58), (59, 67), (68, 81), (82, 92)],
        "epsz": [(0, 18), (19, 21)],
        "hssz": [(1, 2), (1, 2)],  # row b lies 40 km below row a
        "kisz": [(0, 31), (32, 65), (66, 75)],
        "ngsz": [(1, 12), (13, 15)],
    }


@pytest.mark.parametrize("zone", ZONES)
def test_ruptures_are_in_one_piece(zone):
    subfaults = interface(zone)
    points = points_km(subfaults)
    magnitude = (7.0, 7.5) if zone in ("lisz", "hssz") else (7.4, 8.4)  # two zones are small
    generator = RuptureGenerator(subfaults, RuptureSettings(magnitude=magnitude, kinematic=False))
    for number in range(25):
        slip = generator.draw(np.random.default_rng([1, number])).slip_m
        assert widest_gap_km(points, slip) <= MAX_GAP_KM


# --- gaps, turns and folds


def test_the_caribbean():
    # columns 56 to 58 strike east and 59 to 61 west, all of them numbered westwards
    subfaults = fault(CARIBBEAN, 10.0)
    first, second = fault_segments(subfaults)
    assert {unit_source(name).column for name in sources_of(subfaults, first)} == {56, 57, 58}
    assert {unit_source(name).column for name in sources_of(subfaults, second)} == {59, 60, 61}
    for segment in (first, second):
        order = np.argsort(segment.along, kind="stable")
        lon = subfaults.lon_deg[segment.subfaults][order].reshape(30, 10).mean(axis=1)
        assert (np.diff(lon) < 0).all()
    points = points_km(subfaults)
    generator = RuptureGenerator(subfaults, RuptureSettings(magnitude=(7.8, 8.0), kinematic=False))
    slips = np.array([generator.draw(np.random.default_rng([1, number])).slip_m for number in range(100)])
    assert max(widest_gap_km(points, slip) for slip in slips) <= 10.0
    # each side slips in about half of them
    assert 30 <= (slips[:, first.subfaults].sum(axis=1) > 0).sum() <= 70


@pytest.mark.parametrize(
    ("patterns", "groups"),
    [
        (["kisza30..33"], ["30 31", "32 33"]),  # 60 km apart
        (["kisza20", "kisza22..23"], ["20", "22 23"]),  # a column left out
        (["atsza8..11"], ["8 9", "10 11"]),  # strike turns by 135 degrees
        (["kiszb64..67"], ["64 65", "66 67"]),  # by 96 degrees
        (["acsza37..38"], ["37 38"]),  # by 46 degrees
        (["acsza54..57"], ["54 55 56 57"]),
    ],
)
def test_gaps_and_turns(patterns, groups):
    subfaults = fault(patterns)
    found = [
        " ".join(str(unit_source(name).column) for name in sources_of(subfaults, part))
        for part in fault_segments(subfaults)
    ]
    assert found == groups


def test_rows_hang_together_only_where_they_meet():
    assert len(fault_segments(fault(["acszb58", "acsza58", "acszz58"]))) == 1
    assert len(fault_segments(fault(["acszb58", "acszz58"]))) == 2  # row a is left out
    assert len(fault_segments(fault(["hsszb1", "hssza1"]))) == 2  # 40 km of depth between them
    # outer-rise rows are faults of their own, numbered by their own strike, which is opposite
    subfaults = fault(["kiszb20..21", "kiszc20..21"])
    assert [len(part.subfaults) for part in fault_segments(subfaults)] == [16, 16]
    assert columns_follow_strike(unit_source("kiszb20"))
    assert not columns_follow_strike(unit_source("kiszc20"))


def test_deep_rows_that_fan_out_rupture_with_the_shallow_ones_alone():
    # Chile's columns 35 and 36: row b touches, the middle of row z is 54 km apart, row x 93
    subfaults = fault([f"cssz{row}35..36" for row in "bazyx"])
    (segment,) = fault_segments(subfaults)
    across = segment.joined_along[:, 3]
    assert across.tolist() == [True] * 5 + [False] * 5  # rows b, a and half of z
    generator = RuptureGenerator(subfaults, RuptureSettings(magnitude=(7.3, 7.3), kinematic=False))
    points, column = points_km(subfaults), np.array([s.column for s in subfaults.sources])[subfaults.source_index]
    wide = narrow = 0
    for number in range(300):
        slip = generator.draw(np.random.default_rng([3, number])).slip_m
        assert widest_gap_km(points, slip) <= MAX_GAP_KM
        both = len(set(column[slip > 0])) == 2
        deep = subfaults.down[slip > 0].min() > 4
        assert not (both and deep)
        wide, narrow = wide + both, narrow + deep
    assert wide > 30
    assert narrow > 30


def test_a_lone_column_is_numbered_as_its_zone():
    for name in ("acsza58", "kisza20", "atszb58", "atszb59"):
        parts = fault([name])
        step = distance_azimuth(parts.lon_deg[0], parts.lat_deg[0], parts.lon_deg[1], parts.lat_deg[1])[1]
        npt.assert_allclose(np.cos(np.radians(step - unit_source(name).strike_deg)), 1, atol=1e-3)
        assert (parts.along[1] > parts.along[0]) == columns_follow_strike(unit_source(name))
    assert [columns_follow_strike(unit_source(name)) for name in ("acsza58", "kisza20", "lisza1")] == [
        False,
        True,
        True,
    ]
    # row v has no neighbour in its own row
    assert {f"kiszv{n}" in catalogue() for n in (22, 24)} == {False}
    assert columns_follow_strike(unit_source("kiszv23"))


def test_zones_rupture_on_their_own():
    # the Aleutians meet Kamchatka within 20 km
    subfaults = fault(["acsza1..3", "acszb1..3", "kisza1..3", "kiszb1..3"])
    assert [len(part.subfaults) for part in fault_segments(subfaults)] == [48, 48]
    generator = RuptureGenerator(subfaults, RuptureSettings(magnitude=(7.6, 7.9)))
    first = np.arange(len(subfaults)) < 48
    slips = [generator.draw(np.random.default_rng([4, number])).slip_m for number in range(200)]
    share = np.mean([bool((slip[first] > 0).any()) for slip in slips])
    assert all((slip[first] > 0).any() != (slip[~first] > 0).any() for slip in slips)
    assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(200)


def test_a_segment_too_small_for_a_magnitude_is_passed_over():
    subfaults = fault(["acsza54..65", "acszb54..65", "kisza1"])
    generator = RuptureGenerator(subfaults, RuptureSettings(magnitude=(8.8, 8.8), kinematic=False))
    lone = np.array([name == "kisza1" for name in subfaults.source_names])[subfaults.source_index]
    for number in range(50):
        assert not generator.draw(np.random.default_rng([5, number])).slip_m[lone].any()


def test_zones_may_have_subfaults_of_their_own_size():
    subfaults = fault(["lisza1", "acsza58"], 40.0)
    assert subfaults.divisions == ((5, 2), (2, 1))
    assert {part.cell_km for part in fault_segments(subfaults)} == {(40.0, 40.0), (50.0, 50.0)}
    settings = RuptureSettings(magnitude=(7.4, 7.4), speed_km_s=(2.0, 2.0))
    generator = RuptureGenerator(subfaults, settings)
    for number in range(30):
        draw = generator.draw(np.random.default_rng([6, number]))
        steps = np.unique(draw.onset_s[draw.onset_s > 0])
        cell_km = 40.0 if draw.slip_m[:10].any() else 50.0
        assert not len(steps) or np.isclose(steps.min() * 2.0, cell_km)
    uneven = subdivide([unit_source("acsza58"), replace(unit_source("acszb58"), width_m=70e3)], 10.0)
    with pytest.raises(
        InputError, match=r"subfaults of a zone must be of one size, got divisions .*\(10, 7\).* in acsz"
    ):
        fault_segments(uneven)


@pytest.mark.parametrize("seed", range(20))
def test_connected_cells_are_those_of_a_graph(seed):
    rng = np.random.default_rng(seed)
    n_down, n_along = 6, 9
    cells = np.where(rng.random((n_down, n_along)) < 0.8, np.arange(n_down * n_along).reshape(n_down, n_along), -1)
    along, down = rng.random((2, n_down, n_along)) < 0.7
    along[:, -1] = down[-1] = False
    corner, shape = (1, 2), (4, 5)
    inside = np.zeros(cells.shape, bool)
    inside[1:5, 2:7] = cells[1:5, 2:7] >= 0
    pairs = [
        (j * n_along + i, (j + dj) * n_along + i + di)
        for joined, dj, di in ((along, 0, 1), (down, 1, 0))
        for j, i in np.argwhere(joined & inside)
        if inside[j + dj, i + di]
    ]
    first, second = np.array(pairs).T
    graph = coo_array((np.ones(len(pairs)), (first, second)), shape=(cells.size, cells.size))
    labels = connected_components(graph, directed=False)[1].reshape(cells.shape)
    for start in np.argwhere(inside)[::3]:
        found = connected_cells(cells, along, down, corner, shape, tuple(int(n) for n in start))
        npt.assert_array_equal(found, (labels == labels[tuple(start)])[1:5, 2:7] & inside[1:5, 2:7])


# --- regions without gaps


@pytest.mark.parametrize(
    ("name", "seed", "expected"),
    [
        ("cascadia", 1, (282, 59.10192159348901, 330, 109.36930359718089)),
        ("cascadia", 2, (528, 9.360677286130741, 150, 43.64993503354385)),
        ("cascadia", 3, (761, 40.4407358494986, 627, 175.9559205860195)),
        ("kamchatka", 2, (72, 5.967155156246885, 210, 58.64980971998456)),
        ("chile", 3, (914, 54.24541398688618, 480, 174.71988777876368)),
    ],
)
def test_golden_ruptures_of_a_whole_fault(name, seed, expected):
    # as drawn before there were segments: where slip is greatest, m, on how many subfaults, the latest onset, s
    subfaults = Region.open(name).subfaults()
    (segment,) = fault_segments(subfaults)
    assert segment.joined_along.sum() == ((segment.cells[:, :-1] >= 0) & (segment.cells[:, 1:] >= 0)).sum()
    assert segment.joined_down.sum() == ((segment.cells[:-1] >= 0) & (segment.cells[1:] >= 0)).sum()
    draw = RuptureGenerator(subfaults).draw(np.random.default_rng([5, seed]))
    most, slip, count, latest = expected
    assert (int(np.argmax(draw.slip_m)), int((draw.slip_m > 0).sum())) == (most, count)
    npt.assert_allclose([draw.slip_m.max(), draw.onset_s.max()], [slip, latest], rtol=1e-6)


def test_positions_on_cascadia():
    subfaults = Region.open("cascadia").subfaults()
    assert (subfaults.along.min(), subfaults.along.max()) == (540, 659)
    numbers = np.arange(len(subfaults))
    assert [int(each @ numbers) for each in (subfaults.along, subfaults.down)] == [724053850, 8728450]
