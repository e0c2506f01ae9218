"""Waves turned into responses of subfaults, against a sum over cells; Kajiura's filter."""

from __future__ import annotations

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


def test_kajiura_lessens_a_wave_by_the_cosh_of_k_h():
    grid = Grid.over((200.0, 220.0), (-10.0, 10.0), 5.0)
    waves = LongWaves(grid, np.full(grid.shape, 5000.0), dtype=np.float64)
    lon, _ = np.meshgrid(grid.lon_deg, grid.lat_deg)
    wavelength = 40e3
    k = 2 * np.pi / wavelength
    # a packet, so that the ends of the box do not count
    envelope = np.exp(-(((lon - 210.0) / 3.0) ** 2))
    wave = envelope * np.cos(k * np.radians(lon) * EARTH_RADIUS_M)
    found = _kajiura_filter(waves, waves.whole_grid)(wave)
    middle = grid.shape[0] // 2, slice(100, 140)
    gain = np.abs(found[middle]).max() / np.abs(wave[middle]).max()
    npt.assert_allclose(gain, 1 / np.cosh(k * 5000.0), rtol=0.02)


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


def test_sources_outside_the_grid(waves):
    with pytest.raises(InputError, match="unit source cssza90 reaches outside the grid or into its absorbing margin"):
        SubfaultProjection(waves, subdivide([unit_source("cssza90")], 50.0), kajiura=False)
