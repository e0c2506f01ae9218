"""Losses of waves: against closed forms, and reciprocity that stays exact with them."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest
import torch

from slipcast.errors import InputError
from slipcast.geodesy import EARTH_RADIUS_M
from slipcast.physics import shallow_water
from slipcast.physics.bathymetry import Bathymetry, Grid
from slipcast.physics.dissipation import OCEAN_DECAY_TIME_S, Friction, left_after_arrival
from slipcast.physics.leapfrog import wet_runs
from slipcast.physics.shallow_water import Box, LongWaves
from slipcast.physics.shallow_water_torch import TorchLongWaves

DEPTH_M = 100.0
SPEED_M_S = np.sqrt(9.81 * DEPTH_M)
METRES_PER_DEG = EARTH_RADIUS_M * np.pi / 180
STRONG = {"friction": Friction(86400.0, 2e-4, 1.5), "coast_reflection": 0.3}


def cascadia(spacing_arcmin: float = 6.0, **options) -> LongWaves:
    grid = Grid.over((224.0, 238.0), (40.0, 51.0), spacing_arcmin)
    return LongWaves(grid, Bathymetry.etopo1().depth_on(grid), **options)


def channel(*, land: bool = False, **options) -> LongWaves:
    """Make a channel of constant depth along the equator, 10 degrees long; its east end may be land."""
    grid = Grid.over((200.0, 210.0), (-0.1, 0.1), 2.0)
    depth = np.full(grid.shape, DEPTH_M)
    if land:
        depth[:, -1] = -100.0
    return LongWaves(grid, depth, open_boundary=False, dtype=np.float64, **options)


def hump(waves: LongWaves, lon_deg: float) -> np.ndarray:
    x = (waves.grid.lon_deg - lon_deg) * METRES_PER_DEG
    return np.broadcast_to(np.exp(-((x / 40e3) ** 2)), waves.grid.shape)


# --- symmetry


@pytest.mark.parametrize(
    "options",
    [
        {"friction": Friction(86400.0)},
        {"friction": Friction(86400.0, 5e-4, 1.5)},
        {"friction": Friction(shelf_rate_per_s=2e-4)},
        {"coast_reflection": 0.0},
        STRONG,
    ],
)
def test_reciprocity_is_exact_but_for_round_off(options):
    waves = cascadia(dtype=np.float64, **options)
    inside = np.zeros(waves.grid.shape, bool)
    inside[waves.interior.slices] = True
    beside_land = inside & waves.wet & ~(np.roll(waves.wet, -1, 1) & np.roll(waves.wet, 1, 1))
    gauge = waves.stencil(235.4, 46.9)
    cells = [waves.grid.cell(234.8, 45.5), *map(tuple, np.argwhere(beside_land)[::40])]
    assert len(cells) > 3
    reciprocal = np.stack(list(waves.gauge_sensitivity(gauge, interval_s=60.0, count=120, box=waves.whole_grid)))
    for cell in cells:
        start = np.zeros(waves.grid.shape)
        start[cell] = 1.0
        forward = waves.gauge_series(start, [gauge], interval_s=60.0, count=120)[0]
        assert np.abs(forward).max() > 0
        npt.assert_allclose(reciprocal[(slice(None), *cell)], forward, rtol=0, atol=1e-12 * np.abs(forward).max())


def test_a_gauge_beside_land_is_reciprocal_too():
    waves = cascadia(dtype=np.float64, **STRONG)
    wet = waves.wet.copy()
    rows, columns = np.nonzero(wet[20:-20, 20:-20] & ~wet[20:-20, 21:-19])
    at = rows[10] + 20, columns[10] + 20
    gauge = waves.stencil(waves.grid.lon_deg[at[1]], waves.grid.lat_deg[at[0]])
    start, cell = np.zeros(waves.grid.shape), waves.grid.cell(234.5, 45.5)
    start[cell] = 1.0
    forward = waves.gauge_series(start, [gauge], interval_s=60.0, count=90)[0]
    states = waves.gauge_sensitivity(gauge, interval_s=60.0, count=90, box=waves.whole_grid)
    npt.assert_allclose([state[cell] for state in states], forward, rtol=0, atol=1e-12 * np.abs(forward).max())


# --- closed forms


@pytest.mark.parametrize("reflection", [1.0, 0.6, 0.2, 0.0])
def test_a_coast_sends_back_its_share(reflection):
    waves = channel(land=True, coast_reflection=reflection)
    gauge = waves.stencil(207.0, 0.0)
    series = waves.gauge_series(hump(waves, 205.0), [gauge], interval_s=60.0, count=600)[0]
    arrives = (np.array([2.0, 10.0 - 7.0 + 10.0 - 5.0]) * METRES_PER_DEG / SPEED_M_S / 60).round().astype(int)
    there, back = (series[at - 90 : at + 90] for at in arrives)
    npt.assert_allclose(there.max(), 0.5, rtol=0.01)
    # the coast is half a cell away from the sea level that it takes from, a twentieth of the wave's size
    npt.assert_allclose(back[np.abs(back).argmax()] / there.max(), reflection, rtol=0, atol=0.04)


def swing(waves: LongWaves, *, time_s: float, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Let a standing wave of two degrees swing; return it and the closed form, a damped oscillator."""
    x = np.pi * 10 * (np.arange(waves.grid.shape[1]) + 0.5) / waves.grid.shape[1]
    *_, found = waves.propagate(np.broadcast_to(np.cos(x), waves.grid.shape), interval_s=time_s, count=1)
    free = np.pi * 10 / (10 * METRES_PER_DEG) * SPEED_M_S
    omega = np.sqrt(free**2 - rate**2 / 4)
    swung = np.cos(omega * time_s) + rate / (2 * omega) * np.sin(omega * time_s)
    return found[1], np.exp(-rate * time_s / 2) * swung * np.cos(x)


def test_a_lone_cell_loses_by_the_length_of_its_coast():
    grid = Grid.over((200.0, 204.0), (58.0, 62.0), 60.0)
    depth = np.full(grid.shape, -DEPTH_M)
    depth[2, 1] = DEPTH_M
    waves = LongWaves(grid, depth, open_boundary=False, dtype=np.float64, coast_reflection=0.3)
    latitudes = np.radians(grid.lat_deg[2] + np.array([-0.5, 0.0, 0.5]))
    south, middle, north = np.cos(latitudes)
    coast_per_area = (2 + south + north) / (METRES_PER_DEG * middle)
    rate = SPEED_M_S * (1 - 0.3) / (1 + 0.3) * coast_per_area
    found = [level[2, 1] for level in waves.propagate(np.where(waves.wet, 1.0, 0.0), interval_s=600.0, count=3)]
    npt.assert_allclose(found, np.exp(-rate * 600.0 * np.arange(4)), rtol=1e-9)


@pytest.mark.parametrize("time_s", [3000.0, 14400.0])
@pytest.mark.parametrize("exponent", [0.0, 2.0])
@pytest.mark.parametrize("rate", [2e-5, 4e-4])
def test_friction_damps_a_standing_wave(rate, exponent, time_s):
    # at the reference depth the exponent does not matter
    waves = channel(friction=Friction(shelf_rate_per_s=rate, exponent=exponent))
    npt.assert_allclose(*swing(waves, time_s=time_s, rate=rate), rtol=0, atol=0.01)


def test_the_background_takes_energy_by_its_decay_time():
    free, decaying = channel(), channel(friction=Friction(decay_time_s=7200.0))
    for k, (one, other) in enumerate(
        zip(*(w.propagate(hump(w, 203.0), interval_s=600.0, count=6) for w in (free, decaying)), strict=True)
    ):
        npt.assert_allclose(other, one * np.exp(-k * 600.0 / 14400.0), rtol=1e-12)


def test_a_first_wave_has_lost_nothing_and_what_follows_decays_over_a_day():
    time_s = np.array([0.0, 3600.0, 7200.0, 7200.0 + OCEAN_DECAY_TIME_S])
    left = left_after_arrival(time_s, np.array([0.0, 7200.0]))
    npt.assert_allclose(left[:, 1], [1, 1, 1, np.exp(-0.5)])
    npt.assert_allclose(left[:, 0], np.exp(-time_s / (2 * 24.6 * 3600)))


def test_shelf_friction_and_background_are_the_greater_of_both():
    waves = channel(friction=Friction(decay_time_s=20000.0, shelf_rate_per_s=4e-4))
    npt.assert_allclose(*swing(waves, time_s=7200.0, rate=4e-4), rtol=0, atol=0.01)


def test_rate_by_depth():
    friction = Friction(decay_time_s=86400.0, shelf_rate_per_s=1e-4, exponent=2.0)
    npt.assert_allclose(friction.rate_per_s(np.array([50.0, 100.0, 4000.0, 0.0])), [4e-4, 1e-4, *[1 / 86400] * 2])


def test_energy_falls():
    waves = cascadia(**STRONG)
    start = np.zeros(waves.grid.shape)
    start[40:60, 90:105] = 1.0
    area = waves.grid.cell_area_m2[:, np.newaxis]
    energy = [
        float((area * state.astype(float) ** 2).sum()) for state in waves.propagate(start, interval_s=1800.0, count=24)
    ]
    assert max(energy[1:]) < energy[0]
    assert energy[-1] < 0.01 * energy[0]


def test_friction_between_walls_keeps_the_volume():
    waves = cascadia(open_boundary=False, dtype=np.float64, friction=Friction(shelf_rate_per_s=3e-4, exponent=1.0))
    start = np.where(waves.wet, np.random.default_rng(1).normal(size=waves.grid.shape), 0.0)
    *_, end = waves.propagate(start, interval_s=7200.0, count=1)
    area = waves.grid.cell_area_m2[:, np.newaxis]
    npt.assert_allclose((area * end).sum(), (area * start).sum(), rtol=0, atol=1e-12 * (area * np.abs(start)).sum())


# --- the kernel


def states(waves: LongWaves, seen: Box | None) -> np.ndarray:
    start = np.zeros(waves.grid.shape)
    start[55:60, 100:108] = 1.0
    box = (seen or waves.whole_grid).slices
    return np.stack([eta[box].copy() for eta in waves.propagate(start, interval_s=900.0, count=9, seen=seen)])


def test_losses_that_are_none_change_no_bit():
    plain, none = states(cascadia(), None), states(cascadia(friction=Friction(), coast_reflection=1.0), None)
    npt.assert_array_equal(none, plain)


def test_blocks_and_cells_left_out_change_no_bit(monkeypatch):
    seen = Box(35, 60, 90, 110)
    waves = cascadia(**STRONG)
    some = states(waves, seen)
    monkeypatch.setattr(shallow_water, "block_of_steps", lambda columns, itemsize: 1)
    everything = cascadia(**STRONG)
    everything._wet_runs = wet_runs(np.ones_like(waves.wet))
    npt.assert_array_equal(some, states(everything, None)[:, *seen.slices])
    assert np.abs(some[-1]).max() > 1e-4


@pytest.mark.parametrize("options", [STRONG, {"friction": Friction(7200.0)}, {"coast_reflection": 0.5}])
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_states_by_pytorch_are_those_of_the_compiled_solver(options, dtype, rtol):
    waves = cascadia(10.0, dtype=dtype, **options)
    starts = np.random.default_rng(1).normal(size=(2, *waves.grid.shape))
    found = TorchLongWaves(waves, torch.device("cpu")).propagate(starts, interval_s=300.0, count=12)
    expected = [waves.propagate(start, interval_s=300.0, count=12) for start in starts]
    for state, *each in zip(found, *expected, strict=True):
        for one, other in zip(state.numpy(), each, strict=True):
            npt.assert_allclose(one, other, rtol=0, atol=rtol * np.abs(other).max())


def test_sensitivities_by_pytorch_decay_as_those_of_the_compiled_solver():
    waves = cascadia(10.0, **STRONG)
    gauge, box = waves.stencil(231.264, 45.857), Box(20, 50, 30, 70)
    found = TorchLongWaves(waves, torch.device("cpu")).gauge_sensitivities([gauge], interval_s=600.0, count=8, box=box)
    for one, other in zip(found, waves.gauge_sensitivity(gauge, interval_s=600.0, count=8, box=box), strict=True):
        npt.assert_allclose(one[0].numpy(), other, rtol=0, atol=1e-5 * max(np.abs(other).max(), 1e-9))


# --- what is refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decay_time_s": 0.0}, r"decay_time_s must be > 0 s, got 0.0"),
        ({"decay_time_s": np.nan}, r"decay_time_s must be > 0 s, got nan"),
        ({"shelf_rate_per_s": -1e-4}, r"shelf_rate_per_s must be finite and >= 0, got -0.0001"),
        ({"shelf_rate_per_s": np.inf}, r"shelf_rate_per_s must be finite and >= 0, got inf"),
        ({"exponent": np.nan}, r"exponent must be finite and >= 0, got nan"),
    ],
)
def test_friction_that_cannot_be(options, message):
    with pytest.raises(InputError, match=message):
        Friction(**options)


@pytest.mark.parametrize("reflection", [-0.1, 1.01, np.nan])
def test_a_reflection_out_of_range(reflection):
    with pytest.raises(InputError, match=rf"coast_reflection must be in \[0, 1\], got {reflection}"):
        cascadia(coast_reflection=reflection)
