"""Waves at gauges: reciprocity on real bathymetry, where a gauge may stand, and input that cannot be."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest

from slipcast.errors import InputError
from slipcast.geodesy import great_circle_distance
from slipcast.physics.bathymetry import Bathymetry, Grid
from slipcast.physics.shallow_water import Box, LongWaves

GRID = Grid.over((200.0, 204.0), (0.0, 4.0), 30.0)


@pytest.fixture(scope="module")
def cascadia() -> LongWaves:
    grid = Grid.over((224.0, 238.0), (40.0, 51.0), 6.0)
    return LongWaves(grid, Bathymetry.etopo1().depth_on(grid))


@pytest.mark.parametrize("gauge_at", [(231.264, 45.857), (235.4, 46.9), (230.381, 48.796)])
def test_from_cell_to_gauge_and_back(cascadia, gauge_at):
    gauge = cascadia.stencil(*gauge_at)
    cells = [cascadia.grid.cell(*at) for at in ((234.8, 45.5), (232.0, 43.0), (233.5, 48.0))]
    box = Box(20, 90, 40, 115)
    reciprocal = np.stack(list(cascadia.gauge_sensitivity(gauge, interval_s=60.0, count=90, box=box)))
    for row, column in cells:
        start = np.zeros(cascadia.grid.shape)
        start[row, column] = 1.0
        forward = cascadia.gauge_series(start, [gauge], interval_s=60.0, count=90)[0]
        back = reciprocal[:, row - box.row_start, column - box.column_start]
        npt.assert_allclose(back, forward, rtol=0, atol=1e-5 * np.abs(forward).max())


def test_reciprocity_is_exact_but_for_round_off(cascadia):
    waves = LongWaves(cascadia.grid, cascadia.depth_m, dtype=np.float64)
    gauge, cell = waves.stencil(231.264, 45.857), waves.grid.cell(234.8, 45.5)
    start = np.zeros(waves.grid.shape)
    start[cell] = 1.0
    forward = waves.gauge_series(start, [gauge], interval_s=60.0, count=120)[0]
    reciprocal = waves.gauge_sensitivity(gauge, interval_s=60.0, count=120, box=waves.whole_grid)
    npt.assert_allclose([state[cell] for state in reciprocal], forward, atol=1e-12 * np.abs(forward).max())


@pytest.mark.parametrize("gauge_at", [(200.0, 2.0), (199.9, 2.0), (203.7, 2.0), (201.4, -0.2), (203.6, 3.7)])
def test_reciprocity_holds_up_to_the_walls(gauge_at):
    # in the outer half of an edge cell too, where there is no neighbour to interpolate with
    waves = LongWaves(GRID, np.full(GRID.shape, 3000.0), open_boundary=False, dtype=np.float64)
    gauge, cell = waves.stencil(*gauge_at), (4, 4)
    start = np.zeros(GRID.shape)
    start[cell] = 1.0
    forward = waves.gauge_series(start, [gauge], interval_s=120.0, count=20)[0]
    reciprocal = waves.gauge_sensitivity(gauge, interval_s=120.0, count=20, box=waves.whole_grid)
    npt.assert_allclose([state[cell] for state in reciprocal], forward, rtol=0, atol=1e-12 * np.abs(forward).max())


def test_land_feels_nothing(cascadia):
    gauge = cascadia.stencil(231.264, 45.857)
    *_, last = cascadia.gauge_sensitivity(gauge, interval_s=600.0, count=3, box=cascadia.whole_grid)
    npt.assert_array_equal(last[~cascadia.wet], 0.0)


# --- where a gauge may stand


def test_a_gauge_reads_a_plane_exactly(cascadia):
    # bilinear interpolation is exact for a plane
    lon, lat = np.meshgrid(cascadia.grid.lon_deg, cascadia.grid.lat_deg)
    for at in ((231.264, 45.857), (-128.736, 45.857), (230.0, 44.0)):
        gauge = cascadia.stencil(*at)
        read = gauge.weights @ (2 * lon - 3 * lat)[gauge.rows, gauge.columns]
        npt.assert_allclose(read, 2 * (at[0] % 360) - 3 * at[1], rtol=1e-12)


def test_one_buoy_by_two_longitudes(cascadia):
    for one, other in zip(cascadia.stencil(-128.7, 45.9), cascadia.stencil(231.3, 45.9), strict=True):
        npt.assert_allclose(one, other, rtol=1e-9)


def test_a_gauge_on_the_centre_of_a_cell_is_that_cell(cascadia):
    gauge = cascadia.stencil(231.0, 45.0)
    row, column = cascadia.grid.cell(231.0, 45.0)
    npt.assert_allclose(gauge.weights[(gauge.rows == row) & (gauge.columns == column)], [1.0], atol=1e-9)


def test_a_gauge_beside_a_wall_is_of_the_cells_there():
    waves = LongWaves(GRID, np.full(GRID.shape, 3000.0), open_boundary=False)
    for row, column, out_deg in ((0, 0, -0.1), (-1, -1, 0.1)):
        gauge = waves.stencil(GRID.lon_deg[column] + out_deg, GRID.lat_deg[row] + out_deg)
        weights = np.zeros(GRID.shape)
        np.add.at(weights, (gauge.rows, gauge.columns), gauge.weights)
        npt.assert_allclose(weights[row, column], 1.0)


def test_a_gauge_at_the_coast_reads_wet_cells_alone(cascadia):
    wet_beside_land = np.argwhere(cascadia.wet[20:-20, 20:-20] & ~cascadia.wet[20:-20, 21:-19])[0] + 20
    lon = cascadia.grid.lon_deg[wet_beside_land[1]] + 0.02
    gauge = cascadia.stencil(lon, cascadia.grid.lat_deg[wet_beside_land[0]] + 0.01)
    assert cascadia.wet[gauge.rows, gauge.columns].all()
    npt.assert_allclose(gauge.weights.sum(), 1.0)


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ((236.4, 45.5), r"point \(236.4, 45.5\) is on land; the nearest wet point is \(23[56]\.\d{3}, 4[56]\.\d{3}\)"),
        ((224.5, 45.0), r"point \(224.5, 45\) is within 1.25 degrees of the edge of the grid"),
        (
            (231.0, 49.9),
            r"point \(231, 49.9\) is within 1.25 degrees of the edge of the grid, where waves are absorbed",
        ),
        ((231.0, 52.0), r"point \(231, 52\) is outside the grid, which spans longitudes 224 to 238"),
    ],
)
def test_points_that_are_no_place_for_a_gauge(cascadia, at, message):
    with pytest.raises(InputError, match=message):
        cascadia.stencil(*at)


def test_the_wet_point_offered_is_the_nearest_and_takes_a_gauge(cascadia):
    with pytest.raises(InputError) as told:
        cascadia.stencil(236.4, 45.5)
    lon, lat = (float(text) for text in str(told.value).rsplit("(", 1)[1].rstrip(")").split(","))
    cascadia.stencil(lon, lat)
    rows, columns = np.nonzero(cascadia.wet)
    away = great_circle_distance(236.4, 45.5, cascadia.grid.lon_deg[columns], cascadia.grid.lat_deg[rows])
    npt.assert_allclose(great_circle_distance(236.4, 45.5, lon, lat), away.min(), atol=100.0)  # three decimals


def test_the_point_offered_is_never_in_the_margin():
    # the nearest water is where waves are absorbed; the point offered must do when it is asked for
    grid = Grid.over((200.0, 208.0), (0.0, 8.0), 30.0)
    depth = np.full(grid.shape, 3000.0)
    depth[:, 3:10] = -10.0
    waves = LongWaves(grid, depth)
    with pytest.raises(InputError, match=r"is on land; the nearest wet point is \(205.000, 4.000\)"):
        waves.stencil(201.6, 4.0)
    waves.stencil(205.0, 4.0)


# --- input that cannot be


@pytest.mark.parametrize(
    ("depth_m", "options", "message"),
    [
        (np.full((3, 3), 1.0), {}, r"depth_m must have the grid's shape \(8, 8\), got \(3, 3\)"),
        (np.full((8, 8), np.nan), {}, r"depth_m must be finite, got nan at index \(0, 0\)"),
        (np.full((8, 8), 100.0), {"min_depth_m": 0.0}, r"min_depth_m must be > 0 m, got 0.0"),
        (np.full((8, 8), 5.0), {}, r"depth_m must reach min_depth_m = 10.0 m somewhere, got 5 m"),
    ],
)
def test_sea_floors_that_cannot_be(depth_m, options, message):
    with pytest.raises(InputError, match=message):
        LongWaves(GRID, depth_m, **options)
