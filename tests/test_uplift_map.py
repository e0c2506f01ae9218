"""The map from slip to uplift of cells: against Okada's formula on every cell, and its transpose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.testing as npt
import pytest

from slipcast.physics.bathymetry import Bathymetry, Grid
from slipcast.physics.okada import subfault_uplift
from slipcast.physics.projection import uplift_box
from slipcast.physics.shallow_water import LongWaves
from slipcast.physics.unit_sources import subdivide, unit_source
from slipcast.physics.uplift_map import UpliftMap, _interpolation

SOURCES = ("acsza60", "acszb60", "acszz60")  # of row b, whose uplift is the sharpest, and of both others


def waves_at(spacing_arcmin: float, dtype=np.float64) -> LongWaves:
    grid = Grid.over((226.0, 240.0), (40.0, 50.0), spacing_arcmin)
    return LongWaves(grid, Bathymetry.etopo1().depth_on(grid), dtype=dtype)


def on_every_cell(waves, box, subfaults) -> np.ndarray:
    lon, lat = np.meshgrid(waves.grid.lon_deg[box.slices[1]], waves.grid.lat_deg[box.slices[0]])
    uplift = subfault_uplift(lon.ravel(), lat.ravel(), subfaults).reshape(*lon.shape, -1)
    return uplift * waves.wet[box.slices][..., np.newaxis]


@pytest.fixture(scope="module")
def subfaults():
    return subdivide([unit_source(name) for name in SOURCES], 25.0)


@pytest.mark.parametrize(
    ("spacing_arcmin", "levels"), [pytest.param(2.0, 3, marks=pytest.mark.slow), (3.0, 2), (6.0, 2), (12.0, 1)]
)
def test_uplift_is_okadas_on_every_cell(subfaults, spacing_arcmin, levels):
    waves = waves_at(spacing_arcmin)
    box = uplift_box(waves, subfaults)
    uplift = UpliftMap(waves, box, subfaults)
    assert len(uplift.levels) == levels
    expected = on_every_cell(waves, box, subfaults)
    found = np.stack([uplift.forward(slip) for slip in np.eye(len(subfaults))], axis=-1)
    # an interpolation by eight points, eleven spacings away: a millionth of the largest uplift
    npt.assert_allclose(found, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("spacing_arcmin", [2.0, 12.0])
def test_forward_and_adjoint_are_transposes(subfaults, spacing_arcmin):
    waves = waves_at(spacing_arcmin)
    uplift = UpliftMap(waves, uplift_box(waves, subfaults), subfaults)
    rng = np.random.default_rng(1)
    slip, fields = rng.normal(size=len(subfaults)), rng.normal(size=(3, *uplift.wet.shape))
    expected = (fields * uplift.forward(slip)).sum(axis=(1, 2))
    npt.assert_allclose(uplift.adjoint(fields) @ slip, expected, rtol=1e-10)


def test_a_micrometre_of_slip_lifts_its_share(subfaults):
    waves = waves_at(6.0)
    uplift = UpliftMap(waves, uplift_box(waves, subfaults), subfaults)
    slip = np.random.default_rng(2).normal(size=len(subfaults))
    whole = uplift.forward(slip)
    npt.assert_allclose(1e6 * uplift.forward(1e-6 * slip), whole, rtol=0, atol=1e-12 * np.abs(whole).max())


def test_single_precision_is_that_of_the_waves(subfaults):
    waves = waves_at(6.0, np.float32)
    box = uplift_box(waves, subfaults)
    found = UpliftMap(waves, box, subfaults).adjoint(np.ones((1, *waves.wet[box.slices].shape), np.float32))
    assert found.dtype == np.float32
    expected = on_every_cell(waves, box, subfaults).sum(axis=(0, 1))
    npt.assert_allclose(found[0], expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_fewer_numbers_are_kept_than_cells_times_subfaults(subfaults):
    waves = waves_at(1.0, np.float32)
    box = uplift_box(waves, subfaults)
    uplift = UpliftMap(waves, box, subfaults)
    assert uplift.nbytes < 0.4 * 4 * uplift.wet.sum() * len(subfaults)


def test_sources_that_share_a_grid_across_greenwich():
    source = replace(unit_source("acszb60"), lon_deg=359.9, lat_deg=0.0)
    subfaults = subdivide([source], 50.0)
    grid = Grid.over((352.0, 368.0), (-6.0, 6.0), 3.0)
    waves = LongWaves(grid, np.full(grid.shape, 4000.0), dtype=np.float64)
    box = uplift_box(waves, subfaults)
    expected = on_every_cell(waves, box, subfaults).sum(axis=-1)
    found = UpliftMap(waves, box, subfaults).forward(np.ones(len(subfaults)))
    npt.assert_allclose(found, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_the_interpolation_is_exact_for_polynomials_of_degree_seven(factor):
    weights = _interpolation(50, factor)
    at, nodes = np.arange(50.0), (np.arange(weights.shape[1]) - 4) * factor
    for degree in range(8):
        npt.assert_allclose(weights @ (nodes / 50) ** degree, (at / 50) ** degree, rtol=0, atol=1e-12)
    # of degree eight it lacks the product of the distances to its eight nodes
    lacks = np.prod([at % factor - node * factor for node in range(-3, 5)], axis=0) / 50.0**8
    npt.assert_allclose((at / 50) ** 8 - weights @ (nodes / 50) ** 8, lacks, rtol=0, atol=1e-12)
    assert lacks.max() > 1e-10


def test_sources_far_north_are_followed_as_far_east_and_west():
    # at 70 degrees a degree of longitude is a third of one of latitude, so the fine grid reaches three times as many
    source = replace(unit_source("acszb60"), lon_deg=200.0, lat_deg=70.0, strike_deg=0.0)
    subfaults = subdivide([source], 25.0)
    grid = Grid.over((188.0, 212.0), (64.0, 76.0), 3.0)
    waves = LongWaves(grid, np.full(grid.shape, 4000.0), dtype=np.float64)
    box = uplift_box(waves, subfaults)
    expected = on_every_cell(waves, box, subfaults).sum(axis=-1)
    found = UpliftMap(waves, box, subfaults).forward(np.ones(len(subfaults)))
    npt.assert_allclose(found, expected, rtol=0, atol=1e-8 * np.abs(expected).max())
