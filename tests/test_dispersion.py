"""Dispersion of long waves: exact solutions on a flat ocean, and means along paths."""

import numpy as np
import numpy.testing as npt
import pytest
from benchmarks.studies.waves import exact_wave, misfit, waves_of_hump

from slipcast.geodesy import EARTH_RADIUS_M, great_circle_distance
from slipcast.physics.bathymetry import Grid
from slipcast.physics.dispersion import _RESOLVED, _true_frequency, disperse
from slipcast.physics.operators import dot_test
from slipcast.physics.shallow_water import GRAVITY_M_S2, LongWaves
from slipcast.physics.travel_paths import TravelPaths

DEPTH_M = 4000.0
SPEED_M_S = np.sqrt(GRAVITY_M_S2 * DEPTH_M)


@pytest.mark.parametrize("radius_m", [20e3, 40e3])
@pytest.mark.parametrize("distance_m", [0.0, 300e3, 1000e3])
def test_an_exact_long_wave_becomes_the_exact_water_wave(radius_m, distance_m):
    time_s = 60.0 * np.arange(int(distance_m / SPEED_M_S / 60) + 60)
    distance_m = max(distance_m, 1.0)
    long = exact_wave(distance_m, time_s, radius_m, dispersive=False)[:, np.newaxis]
    true = exact_wave(distance_m, time_s, radius_m)
    found = disperse(long, interval_s=60.0, depth_m=np.array([DEPTH_M]))[:, 0]
    # the table of R0 20 km is sampled by three minutes; what is left is the end of the record, taken for a mirror
    assert misfit(found, true) < 0.01
    assert found[0] == pytest.approx(long[0, 0], abs=1e-9)


def test_a_grid_gives_the_exact_water_wave():
    found = waves_of_hump(6.0, 40e3)
    for (direction, distance_m), (_, grid, dispersed) in found.items():
        assert dispersed < (0.05 if distance_m < 3e6 or direction == "north-east" else 0.06)
        assert dispersed < 0.6 * grid


def test_nothing_changes_without_depth_or_cells():
    series = np.random.default_rng(1).standard_normal((50, 3))
    found = disperse(series, interval_s=60.0, depth_m=np.zeros(3))
    npt.assert_allclose(found, series, atol=1e-12)
    npt.assert_array_equal(disperse(series[:2], interval_s=60.0, depth_m=np.ones(3)), series[:2])


def test_dispersion_is_linear_and_keeps_the_kind_of_number():
    rng = np.random.default_rng(2)
    first, second = rng.standard_normal((2, 80, 4))
    options = {"interval_s": 60.0, "depth_m": np.array([500.0, 2000.0, 4000.0, 6000.0]), "cell_time_s2": 900.0}
    both = disperse(first + 3e-6 * second, **options, step_s=10.0)
    apart = disperse(first, **options, step_s=10.0) + 3e-6 * disperse(second, **options, step_s=10.0)
    npt.assert_allclose(both, apart, rtol=1e-10, atol=1e-12)
    assert disperse(first.astype(np.float32), **options).dtype == np.float32


def test_what_a_step_alone_adds_is_taken_out():
    # a leap-frog in time alone, of a wave that is exact in space: sin(w dt / 2) = W dt / 2, so w is above W
    step_s, true = 30.0, 2 * np.pi / 400
    computed = 2 / step_s * np.arcsin(true * step_s / 2)
    time_s = 60.0 * np.arange(301)
    envelope = np.exp(-((time_s - 9000) ** 2) / (2 * 1500.0**2))
    cell = 1e-6  # of no size
    found = disperse(
        (envelope * np.cos(computed * time_s))[:, np.newaxis],
        interval_s=60.0,
        depth_m=np.zeros(1),
        cell_time_s2=cell,
        step_s=step_s,
    )[:, 0]
    middle = np.abs(time_s - 9000) < 1500
    late = np.angle(np.sum(found[middle] * np.exp(-1j * true * time_s[middle])))
    assert abs(late) < 0.1
    assert abs((computed - true) * 9000) > 0.1  # there was something to take out


def test_beyond_what_the_grid_resolves_frequencies_go_on_straight():
    cell_s, at = 60.0, 2 * _RESOLVED / 60.0
    frequency = at * np.array([0.5, 0.999, 1.0, 1.001, 1.5])
    found = _true_frequency(frequency, 0.0, cell_s**2, 0.0)
    npt.assert_allclose(found[:3], 2 / cell_s * np.arcsin(frequency[:3] * cell_s / 2))
    slope = np.diff(found) / np.diff(frequency)
    npt.assert_allclose(slope[2:], slope[1], rtol=1e-3)


def test_a_series_does_not_depend_on_others_and_is_interpolated_well():
    series = np.repeat(exact_wave(1e6, 60.0 * np.arange(200), 40e3, dispersive=False)[:, np.newaxis], 41, axis=1)
    depth_m = np.linspace(3800, 4200, 41)
    together = disperse(series, interval_s=60.0, depth_m=depth_m)
    apart = np.stack([disperse(series[:, [k]], interval_s=60.0, depth_m=depth_m[[k]])[:, 0] for k in range(41)], axis=1)
    npt.assert_allclose(together, apart, atol=1e-12)
    fine = disperse(series, interval_s=60.0, depth_m=depth_m, tolerance_rad=0.01)
    assert misfit(together, fine) < 0.01
    assert misfit(together[:, :1], together[:, -1:]) > 0.005


def flat(spacing_arcmin: float = 6.0, **options) -> LongWaves:
    grid = Grid.over((90.0, 110.0), (-10.0, 10.0), spacing_arcmin)
    return LongWaves(grid, np.full(grid.shape, DEPTH_M), **options)


@pytest.mark.parametrize("towards", [(1, 0), (0, 1), (1, 1), (2, 1)])
def test_means_along_a_path_on_a_flat_ocean(towards):
    waves = flat()
    unit = np.array(towards) / np.hypot(*towards)
    lon, lat = 96.0 + 6 * unit[0], -4.0 + 6 * unit[1]
    means = TravelPaths(waves).means(waves.stencil(96.0, -4.0), np.array([lon]), np.array([lat]))
    distance = float(great_circle_distance(96.0, -4.0, lon, lat))
    assert means.travel_time_s[0] == pytest.approx(distance / SPEED_M_S, rel=0.03)
    assert means.depth_m[0] == pytest.approx(DEPTH_M)
    cell_m = np.radians(0.1) * EARTH_RADIUS_M
    wanted = cell_m**2 * (unit**4).sum() / SPEED_M_S**2
    assert means.cell_time_s2[0] == pytest.approx(wanted, rel=0.03)


@pytest.mark.parametrize("lat", [60.0, 80.0])
def test_paths_along_the_edges_of_a_grid_are_as_long_as_there(lat):
    grid = Grid.over((90.0, 110.0), (60.0, 80.0), 60.0)
    waves = LongWaves(grid, np.full(grid.shape, DEPTH_M), open_boundary=False)
    at = grid.lat_deg[np.argmin(np.abs(grid.lat_deg - lat))]
    west, east = grid.lon_deg[[7, 13]]
    means = TravelPaths(waves).means(waves.stencil(west, at), np.array([east]), np.array([at]))
    distance = float(great_circle_distance(west, at, east, at))
    assert means.travel_time_s[0] == pytest.approx(distance / SPEED_M_S, rel=0.03)


def test_depth_is_averaged_over_time_and_not_over_distance():
    waves = flat()
    depth = waves.depth_m.copy()
    depth[:, waves.grid.lon_deg > 100.05] = 1000.0
    waves = LongWaves(waves.grid, depth)
    means = TravelPaths(waves).means(waves.stencil(96.0, 0.0), np.array([104.0]), np.array([0.0]))
    # as far in 4,000 m as in 1,000 m, where it takes twice as long
    assert means.depth_m[0] == pytest.approx((4000 + 2 * 1000) / 3, rel=0.03)


def test_points_on_land_count_as_the_nearest_water_and_the_gauge_as_itself():
    grid = flat().grid
    depth = np.full(grid.shape, DEPTH_M)
    depth[:, grid.lon_deg > 104] = -10.0
    waves = LongWaves(grid, depth)
    paths, gauge = TravelPaths(waves), waves.stencil(100.0, 0.0)
    shore, inland = paths.means(gauge, np.array([104.0, 106.0]), np.zeros(2)).travel_time_s
    assert inland == pytest.approx(shore, rel=0.01)
    here = paths.means(gauge, np.array([100.0]), np.array([0.0]))
    assert here.depth_m[0] == pytest.approx(DEPTH_M)
    assert here.cell_time_s2[0] > 0


def test_paths_go_round_land():
    grid = flat().grid
    depth = np.full(grid.shape, DEPTH_M)
    depth[np.ix_(grid.lat_deg > -5, np.abs(grid.lon_deg - 100) < 0.5)] = -10.0
    waves = LongWaves(grid, depth)
    means = TravelPaths(waves).means(waves.stencil(97.0, 5.0), np.array([103.0]), np.array([5.0]))
    straight = float(great_circle_distance(97.0, 5.0, 103.0, 5.0)) / SPEED_M_S
    assert means.travel_time_s[0] > 3 * straight


def test_large_grids_are_seen_in_blocks():
    fine, coarse = (flat(spacing) for spacing in (3.0, 6.0))
    of_both = [
        TravelPaths(waves).means(waves.stencil(96.0, -4.0), np.array([103.0]), np.array([4.0]))
        for waves in (fine, coarse)
    ]
    assert of_both[0].travel_time_s[0] == pytest.approx(of_both[1].travel_time_s[0], rel=0.02)
    assert of_both[0].cell_time_s2[0] == pytest.approx(of_both[1].cell_time_s2[0] / 4, rel=0.05)


@pytest.mark.parametrize(("depth_m", "slower"), [(2000.0, 0.0044), (4000.0, 0.0088), (6000.0, 0.0132)])
def test_an_elastic_ocean_is_slower(depth_m, slower):
    grid = flat().grid
    rigid, elastic = (LongWaves(grid, np.full(grid.shape, depth_m), elastic=each) for each in (False, True))
    assert 1 - elastic.speed_m_s(depth_m) / rigid.speed_m_s(depth_m) == pytest.approx(slower, abs=1e-4)
    hump = np.exp(-(((grid.lon_deg[np.newaxis] - 95) ** 2 + grid.lat_deg[:, np.newaxis] ** 2) / 1.0**2))
    gauges = [rigid.stencil(104.0, 0.0)]
    crest = []
    for waves in (rigid, elastic):
        level = waves.gauge_series(hump, gauges, interval_s=20.0, count=int(1.4 * 1e6 / waves.speed_m_s(depth_m) / 20))
        at = int(level[0].argmax())
        curvature, slope, _ = np.polyfit([-1, 0, 1], level[0][at - 1 : at + 2], 2)
        crest.append(at - slope / (2 * curvature))
    assert crest[1] / crest[0] - 1 == pytest.approx(slower, rel=0.1)


def test_reciprocity_holds_for_an_elastic_ocean():
    rng = np.random.default_rng(3)
    grid = Grid.over((90.0, 96.0), (40.0, 46.0), 6.0)
    waves = LongWaves(grid, rng.uniform(500, 6000, grid.shape), elastic=True, open_boundary=False, dtype=float)
    gauge = waves.stencil(92.2, 42.7)
    box = waves.whole_grid
    sensitivity = list(waves.gauge_sensitivity(gauge, interval_s=60.0, count=20, box=box))[-1].copy()

    def forward(level: np.ndarray) -> np.ndarray:
        return waves.gauge_series(level, [gauge], interval_s=60.0, count=20)[:, -1]

    def adjoint(record: np.ndarray) -> np.ndarray:
        return record[0] * sensitivity

    dot_test(forward, adjoint, grid.shape, (1,), rng, rtol=1e-10)
