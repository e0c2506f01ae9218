"""Waves turned into responses of subfaults, against a sum over cells; Kajiura's filter."""

from __future__ import annotations

import threading
from copy import copy
from dataclasses import replace

import numpy as np
import numpy.testing as npt
import pytest

from slipcast.errors import InputError
from slipcast.geodesy import EARTH_RADIUS_M
from slipcast.physics.bathymetry import Bathymetry, Grid
from slipcast.physics.okada import unit_source_uplift
from slipcast.physics.projection import SubfaultProjection, _kajiura_filter, uplift_box
from slipcast.physics.shallow_water import LongWaves
from slipcast.physics.unit_sources import subdivide, unit_source

GRID = Grid.over((224.0, 240.0), (39.0, 54.0), 12.0)


@pytest.fixture(scope="module")
def waves() -> LongWaves:
    return LongWaves(GRID, Bathymetry.etopo1().depth_on(GRID), dtype=np.float64)


@pytest.fixture(scope="module")
def subfaults():
    return subdivide([unit_source("acsza58"), unit_source("acszb60")], 50.0)


def forward(waves, uplift, gauge, count):
    """Run the waves of an uplift that counts inside the box alone, as the projection has it."""
    return waves.gauge_series(uplift, [gauge], interval_s=60.0, count=count)[0]


def test_the_response_is_that_of_a_forward_run(waves, subfaults):
    gauge = waves.stencil(231.264, 45.857)
    found = SubfaultProjection(waves, subfaults, kajiura=False).response(gauge, interval_s=60.0, count=40)
    lon, lat = np.meshgrid(GRID.lon_deg, GRID.lat_deg)
    box = uplift_box(waves, subfaults)
    start = np.zeros(GRID.shape)
    start[box.slices] = unit_source_uplift(lon, lat, unit_source("acszb60"))[..., 0][box.slices]
    expected = forward(waves, start, gauge, 40)
    both = found[:, subfaults.source_index == 1].sum(axis=1)
    npt.assert_allclose(both, expected, rtol=0, atol=1e-6 * np.abs(expected).max())  # float32 at the end


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_subfault_is_a_sum_over_cells(waves, dtype):
    # each subfault as a rectangle of its own, its uplift times what the gauge feels of every cell; the run is longer
    # than what is projected at a time
    waves = LongWaves(GRID, waves.depth_m, dtype=dtype)
    source = unit_source("acsza58")
    parts = subdivide([source], 50.0)
    gauge, count = waves.stencil(231.264, 45.857), 130
    found = SubfaultProjection(waves, parts, kajiura=False).response(gauge, interval_s=30.0, count=count)
    assert found.shape == (count + 1, 2)
    assert found.dtype == np.float32
    box = uplift_box(waves, parts)
    felt = np.stack(list(waves.gauge_sensitivity(gauge, interval_s=30.0, count=count, box=box)))
    lon, lat = np.meshgrid(GRID.lon_deg[box.slices[1]], GRID.lat_deg[box.slices[0]])
    for number, along in enumerate((-25e3, 25e3)):
        at_lon, at_lat, _ = source.point(along, source.width_m)
        patch = replace(source, lon_deg=float(at_lon), lat_deg=float(at_lat), length_m=50e3)
        uplift = unit_source_uplift(lon, lat, patch)[..., 0]
        expected = (felt * np.where(waves.wet[box.slices], uplift, 0.0)).sum(axis=(1, 2))
        # a patch of its own turns a little on the sphere against its source
        npt.assert_allclose(found[:, number], expected, rtol=0, atol=0.01 * np.abs(expected).max())
    whole = unit_source_uplift(lon, lat, source)[..., 0] * waves.wet[box.slices]
    expected = (felt * whole).sum(axis=(1, 2))
    npt.assert_allclose(found.sum(axis=1), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("west", [-8.0, 352.0])
def test_a_source_at_359_9_and_a_grid_at_minus_0_1(west):
    grid, elsewhere = Grid.over((west, west + 16), (-6.0, 6.0), 15.0), Grid.over((200.0, 216.0), (-6.0, 6.0), 15.0)
    responses = []
    for each, source_lon, gauge_lon in ((grid, 359.9, 3.0), (elsewhere, 207.9, 211.0)):
        waves = LongWaves(each, np.full(each.shape, 4000.0), dtype=np.float64)
        source = replace(unit_source("acsza58"), lon_deg=source_lon, lat_deg=0.0, strike_deg=20.0)
        projection = SubfaultProjection(waves, subdivide([source], 50.0), kajiura=False)
        responses.append(projection.response(waves.stencil(gauge_lon, 0.5), interval_s=60.0, count=40))
    assert np.abs(responses[1]).max() > 1e-3
    npt.assert_allclose(*responses, rtol=0, atol=1e-6 * np.abs(responses[1]).max())


def test_a_run_told_to_stop_ends(waves, subfaults):
    gauge, stop = waves.stencil(231.264, 45.857), threading.Event()
    projection = SubfaultProjection(waves, subfaults, kajiura=False)
    taken = []

    def states(*args, **options):
        for state in LongWaves.gauge_sensitivity(waves, *args, **options):
            taken.append(state)
            if len(taken) == 3:
                stop.set()
            yield state

    stopped = copy(waves)
    stopped.gauge_sensitivity = states
    projection.waves = stopped
    projection.response(gauge, interval_s=60.0, count=40, stop=stop)
    assert len(taken) == 3


def test_uplift_beyond_the_box_is_small(waves, subfaults):
    lon, lat = np.meshgrid(GRID.lon_deg, GRID.lat_deg)
    uplift = np.abs(unit_source_uplift(lon, lat, unit_source("acszb60"))[..., 0])
    box = uplift_box(waves, subfaults)
    inside = uplift[box.slices].max()
    uplift[box.slices] = 0.0
    assert uplift.max() < 0.01 * inside


def test_kajiura_is_symmetric(waves, subfaults):
    box = uplift_box(waves, subfaults)
    smooth = _kajiura_filter(waves, box)
    a, b = np.random.default_rng(1).normal(size=(2, *waves.depth_m[box.slices].shape))
    npt.assert_allclose((smooth(a) * b).sum(), (a * smooth(b)).sum(), rtol=1e-10)


@pytest.mark.parametrize("lat_deg", [0.0, 55.0])
@pytest.mark.parametrize("towards", ["east", "north"])
def test_kajiura_lessens_a_wave_by_the_cosh_of_k_h(lat_deg, towards):
    grid = Grid.over((200.0, 220.0), (lat_deg - 10, lat_deg + 10), 5.0)
    waves = LongWaves(grid, np.full(grid.shape, 5000.0), dtype=np.float64)
    lon, lat = np.meshgrid(grid.lon_deg - 210.0, grid.lat_deg - lat_deg)
    k = 2 * np.pi / 60e3
    metres = np.radians(1.0) * EARTH_RADIUS_M
    # on a plane that touches at the middle of the grid, as the filter has it; a packet, so that edges do not count
    mean_cos = np.cos(np.radians(grid.lat_deg.mean()))
    along = {"east": lon * mean_cos, "north": lat}[towards] * metres
    wave = np.exp(-((lon / 3.0) ** 2) - (lat / 3.0) ** 2) * np.cos(k * along)
    found = _kajiura_filter(waves, waves.whole_grid)(wave)
    middle = np.s_[114:127, 114:127]
    # a packet has a band of wavenumbers about k, narrow against k
    npt.assert_allclose(found[middle], wave[middle] / np.cosh(k * 5000.0), rtol=0, atol=0.005)


def test_kajiura_keeps_the_volume_and_the_kind_of_number():
    grid = Grid.over((200.0, 204.0), (-2.0, 2.0), 1.0)
    waves = LongWaves(grid, np.full(grid.shape, 4000.0))
    uplift = np.zeros(grid.shape, np.float32)
    uplift[118:121, 119:123] = 1.0
    found = _kajiura_filter(waves, waves.whole_grid)(uplift)
    assert found.dtype == np.float32
    npt.assert_allclose(found.sum(), uplift.sum(), rtol=1e-5)
    assert 0.1 < found.max() < 0.99
    # no water comes out at the other side of the box
    edge = np.zeros(grid.shape)
    edge[:, 0] = 1.0
    assert np.abs(_kajiura_filter(waves, waves.whole_grid)(edge)[:, -5:]).max() < 1e-6


def test_a_smoothed_uplift_is_what_the_smoothed_response_answers(waves, subfaults):
    gauge = waves.stencil(231.264, 45.857)
    found = SubfaultProjection(waves, subfaults, kajiura=True).response(gauge, interval_s=60.0, count=40)
    box = uplift_box(waves, subfaults)
    lon, lat = np.meshgrid(GRID.lon_deg, GRID.lat_deg)
    uplift = np.where(waves.wet, unit_source_uplift(lon, lat, unit_source("acszb60"))[..., 0], 0.0)[box.slices]
    start = np.zeros(GRID.shape)
    start[box.slices] = _kajiura_filter(waves, box)(uplift)
    expected = forward(waves, start, gauge, 40)
    both = found[:, subfaults.source_index == 1].sum(axis=1)
    npt.assert_allclose(both, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("name", "lon", "lat"),
    [
        ("cssza90", (224.0, 240.0), (39.0, 54.0)),  # nowhere near
        ("acsza58", (224.0, 236.0), (39.0, 54.0)),  # in the eastern margin
        ("acsza58", (234.0, 250.0), (39.0, 54.0)),  # in the western one
        ("acsza58", (224.0, 240.0), (39.0, 48.0)),  # in the northern one
        ("acsza58", (224.0, 240.0), (46.0, 54.0)),  # in the southern one
    ],
)
def test_sources_where_waves_cannot_be_followed(name, lon, lat):
    grid = Grid.over(lon, lat, 12.0)
    waves = LongWaves(grid, np.full(grid.shape, 3000.0))
    with pytest.raises(InputError, match=f"unit source {name} reaches outside the grid or into its absorbing margin"):
        SubfaultProjection(waves, subdivide([unit_source(name)], 50.0), kajiura=False)
