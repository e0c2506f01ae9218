"""The compiled steps: blocks, runs of sea and cells left out change no bit."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest

from slipcast.physics import shallow_water
from slipcast.physics.bathymetry import Bathymetry, Grid
from slipcast.physics.leapfrog import block_of_steps, wet_runs
from slipcast.physics.shallow_water import Box, LongWaves

SEEN = Box(40, 60, 30, 44)


def states(waves: LongWaves, seen: Box | None) -> np.ndarray:
    start = np.zeros(waves.grid.shape)
    start[60:64, 50:55] = 1.0
    box = (seen or waves.whole_grid).slices
    return np.stack([eta[box].copy() for eta in waves.propagate(start, interval_s=900.0, count=9, seen=seen)])


@pytest.fixture(scope="module")
def waves() -> LongWaves:
    grid = Grid.over((225.0, 237.0), (38.0, 50.0), 6.0)
    return LongWaves(grid, Bathymetry.etopo1().depth_on(grid))


@pytest.mark.parametrize("seen", [None, SEEN])
@pytest.mark.parametrize("block", [2, 7, 1000])
def test_blocks_change_no_bit(waves, seen, block, monkeypatch):
    monkeypatch.setattr(shallow_water, "block_of_steps", lambda columns, itemsize: 1)
    one_by_one = states(waves, seen)
    monkeypatch.setattr(shallow_water, "block_of_steps", lambda columns, itemsize: block)
    npt.assert_array_equal(states(waves, seen), one_by_one)
    assert np.abs(one_by_one[-1]).max() > 1e-3


def test_cells_left_out_change_no_bit(waves, monkeypatch):
    # every cell of the grid at every step, land too, as if all were sea and all of it looked at
    some = states(waves, SEEN)
    everything = LongWaves(waves.grid, waves.depth_m)
    everything._wet_runs = wet_runs(np.ones_like(waves.wet))
    npt.assert_array_equal(some, states(everything, None)[:, *SEEN.slices])


def test_a_block_fits_in_the_cache():
    assert block_of_steps(1200, 4) == 14
    assert block_of_steps(1200, 8) == 6
    assert block_of_steps(10_000_000, 4) == 1


def test_runs_of_sea():
    wet = np.zeros((4, 200), bool)
    wet[1, 3:10] = wet[1, 20:30] = wet[1, 100:] = True  # ten cells of land are bridged, seventy are not
    wet[3, :] = True
    offsets, runs = wet_runs(wet)
    npt.assert_array_equal(offsets, [0, 0, 2, 2, 3])
    npt.assert_array_equal(runs, [[3, 30], [100, 200], [0, 200]])
    offsets, runs = wet_runs(np.zeros((2, 5), bool))
    npt.assert_array_equal(offsets, [0, 0, 0])
    assert runs.shape == (0, 2)
