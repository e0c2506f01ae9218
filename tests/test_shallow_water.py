"""Long waves against closed forms, conserved quantities, an order of convergence, and a dumb loop."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest
from numpy.polynomial import legendre
from scipy.special import j0

from slipcast.geodesy import EARTH_RADIUS_M, great_circle_distance
from slipcast.physics.bathymetry import Bathymetry, Grid
from slipcast.physics.shallow_water import Box, LongWaves

DEPTH_M = 4000.0
SPEED_M_S = np.sqrt(9.81 * DEPTH_M)
METRES_PER_DEG = EARTH_RADIUS_M * np.pi / 180


GRID = Grid.over((200.0, 204.0), (0.0, 4.0), 30.0)


def flat(lon, lat, spacing_arcmin, *, dtype=np.float64, open_boundary=False) -> LongWaves:
    """Make an ocean of constant depth; by default with walls."""
    grid = Grid.over(lon, lat, spacing_arcmin)
    return LongWaves(grid, np.full(grid.shape, DEPTH_M), dtype=dtype, open_boundary=open_boundary)


def state_at(waves: LongWaves, start, seconds: float) -> np.ndarray:
    """Follow waves to a time."""
    *_, last = waves.propagate(start, interval_s=seconds, count=1)
    return last.copy()


def channel_error(spacing_arcmin: float) -> float:
    """Run a plane wave in a channel on the equator; return its rms error after half an hour against d'Alembert."""
    waves = flat((200.0, 220.0), (-0.5, 0.5), spacing_arcmin)
    x = (waves.grid.lon_deg - 210.0) * METRES_PER_DEG

    def shape(at):
        return np.exp(-((at / 120e3) ** 2))

    time = 1800.0
    found = state_at(waves, np.broadcast_to(shape(x), waves.grid.shape), time)[waves.grid.shape[0] // 2]
    exact = (shape(x - SPEED_M_S * time) + shape(x + SPEED_M_S * time)) / 2
    return float(np.sqrt(np.mean((found - exact) ** 2)) / np.sqrt(np.mean(exact**2)))


def test_a_plane_wave_splits_in_two_after_d_alembert():
    assert channel_error(4.0) < 0.01


def test_the_order_of_convergence_is_two():
    spacings = np.array([20.0, 10.0, 5.0])
    errors = [channel_error(spacing) for spacing in spacings]
    order = np.polyfit(np.log(spacings), np.log(errors), 1)[0]
    assert 1.8 < order < 2.3, errors


def test_a_gaussian_hump_spreads_as_the_hankel_integral():
    # eta(r, t) = int_0^inf eta0(k) cos(k c t) J0(k r) k dk, with eta0(k) = s^2 / 2 exp(-(k s)^2 / 4) for exp(-(r/s)^2)
    waves = flat((203.0, 217.0), (-7.0, 7.0), 2.0)
    size, time = 60e3, 1800.0
    lon, lat = np.meshgrid(waves.grid.lon_deg - 210.0, waves.grid.lat_deg)
    east, north = lon * METRES_PER_DEG * np.cos(np.radians(lat)), lat * METRES_PER_DEG
    found = state_at(waves, np.exp(-((np.hypot(east, north) / size) ** 2)), time)
    k = np.linspace(0, 12 / size, 4001)
    spectrum = size**2 / 2 * np.exp(-((k * size) ** 2) / 4) * np.cos(k * SPEED_M_S * time) * k
    middle_row, middle_column = (int(index) for index in waves.grid.cell(210.0, 0.0))
    along_equator, along_meridian = np.abs(waves.grid.lon_deg - 210.0), np.abs(waves.grid.lat_deg)
    for degrees, line in ((along_equator, found[middle_row]), (along_meridian, found[:, middle_column])):
        exact = np.trapezoid(spectrum * j0(np.outer(degrees * METRES_PER_DEG, k)), k, axis=1)
        npt.assert_allclose(line, exact, rtol=0, atol=0.01 * np.abs(exact).max())


def sphere_error(lat_deg: float, spacing_arcmin: float) -> float:
    """Run a Gaussian hump on a sphere of constant depth; return its greatest error over the exact maximum.

    Legendre polynomials are the modes: P_l(cos theta) swings with the frequency sqrt(g h l (l + 1)) / R.
    """
    size, time = 100e3, 2400.0
    cosine, weight = legendre.leggauss(1500)
    degree = np.arange(450)
    hump = np.exp(-((EARTH_RADIUS_M * np.arccos(cosine) / size) ** 2))
    start = (2 * degree + 1) / 2 * (weight * hump @ legendre.legvander(cosine, degree[-1]))
    later = start * np.cos(np.sqrt(degree * (degree + 1)) * SPEED_M_S / EARTH_RADIUS_M * time)
    half = round(7 / np.cos(np.radians(lat_deg)))
    waves = flat((210.0 - half, 210.0 + half), (lat_deg - 7, lat_deg + 7), spacing_arcmin)
    lon, lat = np.meshgrid(waves.grid.lon_deg, waves.grid.lat_deg)
    distance = great_circle_distance(210.0, lat_deg, lon, lat)
    found = state_at(waves, np.exp(-((distance / size) ** 2)), time)
    some = (slice(None, None, round(30 / spacing_arcmin)),) * 2  # the same points at every spacing
    exact = legendre.legval(np.cos(distance[some] / EARTH_RADIUS_M), later)
    return float(np.abs(found[some] - exact).max() / np.abs(exact).max())


@pytest.mark.parametrize("lat_deg", [0.0, -35.0, 60.0])
def test_a_hump_spreads_alike_everywhere_on_the_sphere(lat_deg):
    coarse, fine = sphere_error(lat_deg, 6.0), sphere_error(lat_deg, 3.0)
    assert fine < 0.01
    assert 1.95 < np.log2(coarse / fine) < 2.05


@pytest.mark.parametrize("west", [-6.0, 354.0])
def test_waves_cross_greenwich_as_any_other_meridian(west):
    across, elsewhere = flat((west, west + 12), (40.0, 46.0), 10.0), flat((200.0, 212.0), (40.0, 46.0), 10.0)
    start = np.zeros(across.grid.shape)
    start[16:20, 33:36] = 1.0
    found = across.gauge_series(
        start, [across.stencil(lon, 43.0) for lon in (359.9, -0.1, 1.5)], interval_s=60.0, count=30
    )
    expected = elsewhere.gauge_series(
        start, [elsewhere.stencil(lon, 43.0) for lon in (205.9, 205.9, 207.5)], interval_s=60.0, count=30
    )
    assert np.abs(expected).max(axis=1).min() > 0.1
    npt.assert_allclose(found, expected, rtol=0, atol=1e-10)


def test_a_lake_at_rest_stays_at_rest_exactly():
    grid = Grid.over((225.0, 237.0), (40.0, 50.0), 10.0)
    waves = LongWaves(grid, Bathymetry.etopo1().depth_on(grid))
    for state in waves.propagate(np.zeros(grid.shape), interval_s=600.0, count=3, seen=waves.whole_grid):
        npt.assert_array_equal(state, 0.0)


def test_level_water_between_walls_does_not_move():
    waves = flat((200.0, 205.0), (30.0, 35.0), 10.0)
    npt.assert_array_equal(state_at(waves, np.full(waves.grid.shape, 0.7), 3600.0), 0.7)


def test_volume_is_conserved_between_walls_and_coasts():
    grid = Grid.over((225.0, 237.0), (40.0, 50.0), 10.0)
    waves = LongWaves(grid, Bathymetry.etopo1().depth_on(grid), open_boundary=False, dtype=np.float64)
    start = np.where(waves.wet, np.random.default_rng(1).normal(size=grid.shape), 0.0)
    area = grid.cell_area_m2[:, np.newaxis]
    end = state_at(waves, start, 2 * 3600.0)
    assert np.abs(end - start).max() > 0.1
    npt.assert_allclose((area * end).sum(), (area * start).sum(), rtol=0, atol=1e-12 * (area * np.abs(start)).sum())


def test_energy_does_not_grow():
    # the sum of squares over area and time of a closed basin stays within what it began with
    grid = Grid.over((225.0, 237.0), (40.0, 50.0), 10.0)
    waves = LongWaves(grid, Bathymetry.etopo1().depth_on(grid), open_boundary=False)
    start = np.zeros(grid.shape)
    start[20:30, 20:30] = 1.0
    area = grid.cell_area_m2[:, np.newaxis]
    potential = [
        float((area * state.astype(float) ** 2).sum()) for state in waves.propagate(start, interval_s=1800.0, count=24)
    ]
    assert max(potential[1:]) <= potential[0]


def test_travel_time_is_that_of_the_square_root_of_g_h():
    waves = flat((200.0, 215.0), (-1.0, 1.0), 5.0)
    start = np.broadcast_to(np.exp(-(((waves.grid.lon_deg - 202.5) * METRES_PER_DEG / 60e3) ** 2)), waves.grid.shape)
    gauge = waves.stencil(212.5, 0.0)
    series = waves.gauge_series(start, [gauge], interval_s=30.0, count=220)[0]
    expected = 10.0 * METRES_PER_DEG / SPEED_M_S
    assert abs(30.0 * int(series.argmax()) - expected) <= 30.0


def test_a_wall_doubles_the_wave_that_meets_it():
    waves = flat((200.0, 215.0), (-1.0, 1.0), 5.0)
    start = np.broadcast_to(np.exp(-(((waves.grid.lon_deg - 210.0) * METRES_PER_DEG / 120e3) ** 2)), waves.grid.shape)
    gauge = waves.stencil(214.9, 0.0)
    series = waves.gauge_series(start, [gauge], interval_s=60.0, count=70)[0]
    npt.assert_allclose(series.max(), 1.0, atol=0.02)


@pytest.mark.parametrize("lat", [0.0, 45.0])
def test_an_open_edge_sends_little_back(lat):
    lon = (200.0, 210.0)
    small = flat(lon, (lat - 5, lat + 5), 5.0, open_boundary=True)
    large = flat((190.0, 220.0), (lat - 15, lat + 15), 5.0)
    series = []
    for waves in (small, large):
        at_lon, at_lat = np.meshgrid(waves.grid.lon_deg - 205.0, waves.grid.lat_deg - lat)
        start = np.exp(-((at_lon**2 + at_lat**2) / 0.4**2))
        gauges = [waves.stencil(207.5, lat), waves.stencil(205.0, lat + 2.5)]
        series.append(waves.gauge_series(start, gauges, interval_s=60.0, count=60))
    echo = np.abs(series[0] - series[1]).max(axis=1)
    # docs/limits.md promises this much, for waves about twice as long as the margin is wide
    npt.assert_array_less(echo, 0.06 * np.abs(series[1]).max(axis=1))


def test_the_four_edges_absorb_alike():
    # rows centred symmetrically about the equator, so that a symmetric start stays one
    waves = flat((200.0, 210.0), (-4.75, 5.25), 30.0, open_boundary=True)
    rows, columns = np.mgrid[:20, :20] - 9.5
    start = np.exp(-(rows**2 + columns**2) / 8)
    for seconds in (1800.0, 3600.0, 7200.0):
        found = state_at(waves, start, seconds)
        scale = np.abs(found).max()
        npt.assert_allclose(found[::-1], found, rtol=0, atol=1e-12)
        npt.assert_allclose(found[:, ::-1], found, rtol=0, atol=1e-12)
        # rows and columns differ by the cosine of 5 degrees alone
        npt.assert_allclose(found.T, found, rtol=0, atol=0.05 * scale + 0.002)


def plain_loop(waves: LongWaves, start: np.ndarray, dt_s: float, steps: int) -> np.ndarray:
    """Take the same steps cell by cell, from the equations alone."""
    grid, depth = waves.grid, waves.depth_m
    rows, columns = grid.shape
    step = np.radians(grid.spacing_deg)
    radius, gravity = EARTH_RADIUS_M, 9.81
    lat = np.radians(grid.lat_deg)
    eta = np.where(waves.wet, start, 0.0)
    u, v = np.zeros((rows, columns + 1)), np.zeros((rows + 1, columns))  # transports h u and h v, m^2/s
    for number in range(steps):
        dt = dt_s / 2 if number == 0 else dt_s
        for j in range(rows):
            for i in range(1, columns):
                if waves.wet[j, i] and waves.wet[j, i - 1]:
                    h = (depth[j, i] + depth[j, i - 1]) / 2
                    u[j, i] -= dt * gravity * h * (eta[j, i] - eta[j, i - 1]) / (radius * np.cos(lat[j]) * step)
        for j in range(1, rows):
            for i in range(columns):
                if waves.wet[j, i] and waves.wet[j - 1, i]:
                    h = (depth[j, i] + depth[j - 1, i]) / 2
                    v[j, i] -= dt * gravity * h * (eta[j, i] - eta[j - 1, i]) / (radius * step)
        for j in range(rows):
            north, south = np.cos(lat[j] + step / 2), np.cos(lat[j] - step / 2)
            for i in range(columns):
                out = (u[j, i + 1] - u[j, i] + v[j + 1, i] * north - v[j, i] * south) / step
                eta[j, i] -= dt_s * out / (radius * np.cos(lat[j]))
    return eta


def test_the_kernel_takes_the_steps_of_a_plain_loop():
    grid = Grid.over((230.0, 237.0), (44.0, 50.0), 20.0)
    waves = LongWaves(grid, Bathymetry.etopo1().depth_on(grid), open_boundary=False, dtype=np.float64)
    assert 0.3 < waves.wet.mean() < 0.9  # sea and land, both
    start = np.random.default_rng(2).normal(size=grid.shape)
    count = waves.steps_per(600.0)
    npt.assert_allclose(state_at(waves, start, 600.0), plain_loop(waves, start, 600.0 / count, count), atol=1e-12)


def test_cells_left_out_are_those_that_cannot_matter():
    grid = Grid.over((225.0, 237.0), (38.0, 50.0), 6.0)
    waves = LongWaves(grid, Bathymetry.etopo1().depth_on(grid))
    start = np.zeros(grid.shape)
    start[60:64, 50:55] = 1.0
    seen = Box(40, 50, 30, 44)
    some, whole = (
        [state[seen.slices].copy() for state in waves.propagate(start, interval_s=300.0, count=10, seen=box)]
        for box in (seen, None)
    )
    npt.assert_array_equal(some, whole)
    assert np.abs(whole[-1]).max() > 1e-3


def test_the_smallest_slip_makes_its_share_of_waves():
    # the same to the last bits, however small: there is no threshold; and two starts together are their sum
    grid = Grid.over((225.0, 237.0), (40.0, 50.0), 15.0)
    waves = LongWaves(grid, Bathymetry.etopo1().depth_on(grid), dtype=np.float64)
    first, second = np.zeros((2, *grid.shape))
    first[18:22, 16:20], second[25:28, 20:24] = 1.0, -0.5
    one, other, both, small = (
        state_at(waves, start, 1200.0) for start in (first, second, first + second, 1e-6 * first)
    )
    atol = 1e-12 * np.abs(both).max()
    npt.assert_allclose(one + other, both, rtol=0, atol=atol)
    npt.assert_allclose(1e6 * small, one, rtol=0, atol=atol)


def test_the_first_state_is_the_start_and_land_is_left_out():
    depth = np.full(GRID.shape, 3000.0)
    depth[:, 3] = -50.0
    waves = LongWaves(GRID, depth, dtype=np.float64)
    start = np.random.default_rng(3).normal(size=GRID.shape)
    start[2, 3] = np.nan  # not at sea, so not looked at
    states = waves.propagate(start, interval_s=60.0, count=1)
    npt.assert_array_equal(next(states), np.where(depth > 0, start, 0.0))
    last = next(states)
    npt.assert_array_equal(last[:, 3], 0.0)
    assert np.isfinite(last).all()


def test_nothing_passes_a_strip_of_land():
    depth = np.full(GRID.shape, 3000.0)
    depth[:, 3] = 0.0
    waves = LongWaves(GRID, depth, open_boundary=False)
    start = np.zeros(GRID.shape)
    start[4, 1] = 1.0
    last = state_at(waves, start, 3600.0)
    npt.assert_array_equal(last[:, 3:], 0.0)
    assert np.abs(last[:, :3]).max() > 0.01


@pytest.mark.parametrize(("min_depth_m", "wet"), [(10.0, True), (10.1, False)])
def test_water_less_deep_than_the_least_depth_is_land(min_depth_m, wet):
    depth = np.full(GRID.shape, 3000.0)
    depth[4, 4] = 10.0
    assert LongWaves(GRID, depth, min_depth_m=min_depth_m).wet[4, 4] == wet


def test_a_run_changes_none_of_its_arguments():
    depth, start = np.full(GRID.shape, 3000.0), np.random.default_rng(4).normal(size=GRID.shape)
    kept = depth.copy(), start.copy()
    state_at(LongWaves(GRID, depth, dtype=np.float64), start, 600.0)
    npt.assert_array_equal(depth, kept[0])
    npt.assert_array_equal(start, kept[1])


@pytest.mark.parametrize("interval_s", [1.0, 60.0, 1000.0])
def test_steps_are_stable_and_divide_the_interval(interval_s):
    # the limit of the scheme where it is tightest, the row nearest to a pole: dt c sqrt(1/dx^2 + 1/dy^2) <= 1
    waves = flat((200.0, 206.0), (50.0, 60.0), 10.0)
    north = 10 / 60 * METRES_PER_DEG
    east = north * np.cos(np.radians(waves.grid.lat_deg[-1]))
    limit = 1 / (SPEED_M_S * np.hypot(1 / east, 1 / north))
    step = interval_s / waves.steps_per(interval_s)
    assert step < limit
    assert waves.max_step_s > 0.8 * limit  # nor many more steps than needed
    assert step > waves.max_step_s / 2 or waves.steps_per(interval_s) == 1


def test_states_do_not_depend_on_how_often_one_looks():
    waves = flat((200.0, 208.0), (20.0, 26.0), 10.0)
    start = np.zeros(waves.grid.shape)
    start[15:20, 20:25] = 1.0
    interval = 4 * waves.max_step_s
    *_, often = waves.propagate(start, interval_s=interval, count=6)
    *_, seldom = waves.propagate(start, interval_s=3 * interval, count=2)
    npt.assert_allclose(often, seldom, atol=1e-12)
