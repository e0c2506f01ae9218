"""Waves by PyTorch: the same numbers as by the compiled solver, several gauges in a run."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest
import torch

from conftest import build_quietly, small_region
from slipcast.errors import InputError
from slipcast.greens import reciprocity
from slipcast.physics.bathymetry import Bathymetry, Grid
from slipcast.physics.projection import SubfaultProjection
from slipcast.physics.shallow_water import LongWaves
from slipcast.physics.shallow_water_torch import TorchLongWaves, device_named, responses
from slipcast.physics.unit_sources import subdivide, unit_source

GRID = Grid.over((224.0, 240.0), (39.0, 54.0), 10.0)
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.fixture(autouse=True)
def device_is_there(request):
    if request.node.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("no CUDA device")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-12)])
@pytest.mark.parametrize("open_boundary", [True, False])
def test_states_are_those_of_the_compiled_solver(device, dtype, rtol, open_boundary):
    waves = LongWaves(GRID, Bathymetry.etopo1().depth_on(GRID), dtype=dtype, open_boundary=open_boundary)
    starts = np.random.default_rng(1).normal(size=(2, *GRID.shape))  # up to the edges and on land
    found = TorchLongWaves(waves, device_named(device)).propagate(starts, interval_s=300.0, count=12)
    expected = [waves.propagate(start, interval_s=300.0, count=12) for start in starts]
    for number, (state, *each) in enumerate(zip(found, *expected, strict=True)):
        for one, other in zip(state.cpu().numpy(), each, strict=True):
            npt.assert_allclose(one, other, rtol=0, atol=rtol * np.abs(other).max(), err_msg=f"interval {number}")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kajiura", [False, True])
def test_responses_are_those_of_the_compiled_solver(device, kajiura):
    waves = LongWaves(GRID, Bathymetry.etopo1().depth_on(GRID))
    subfaults = subdivide([unit_source("acsza58"), unit_source("acszb60")], 25.0)
    projection = SubfaultProjection(waves, subfaults, kajiura=kajiura)
    gauges = [waves.stencil(231.264, 45.857), waves.stencil(235.4, 46.9)]
    found = responses(projection, gauges, interval_s=60.0, count=70, device=device_named(device))
    for gauge, response in zip(gauges, found, strict=True):
        expected = projection.response(gauge, interval_s=60.0, count=70)
        npt.assert_allclose(response, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_a_bank_by_way_of_the_device(small_bank, monkeypatch):
    # the way of the GPU, with PyTorch on the CPU at its end
    monkeypatch.setattr("slipcast.physics.shallow_water_torch.device_named", lambda name: torch.device("cpu"))
    calls = []
    original = reciprocity._on_device
    monkeypatch.setattr(reciprocity, "_on_device", lambda runs, name: calls.append(name) or original(runs, name))
    bank = build_quietly(small_region(), device="cuda")
    assert calls == ["cuda"]
    for found, expected in zip(bank.dataset["response"], small_bank.dataset["response"], strict=True):
        npt.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.gpu
def test_a_bank_on_a_gpu(small_bank):
    bank = build_quietly(small_region(), device="cuda")
    for found, expected in zip(bank.dataset["response"], small_bank.dataset["response"], strict=True):
        npt.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["tpu", "meta", "", "cuda:x"])
def test_devices_that_are_none(name):
    with pytest.raises(InputError, match=f"^device must be cpu or cuda, got '{name}'$"):
        build_quietly(small_region(), device=name)


def test_a_gpu_that_is_not_there():
    count = torch.cuda.device_count()
    with pytest.raises(InputError, match=f"^device cuda:{count} is not there: PyTorch finds {count} CUDA devices$"):
        build_quietly(small_region(), device=f"cuda:{count}")


def test_a_device_and_a_scheduler(monkeypatch):
    monkeypatch.setattr("slipcast.physics.shallow_water_torch.device_named", lambda name: torch.device("cpu"))
    with pytest.raises(InputError, match="device cuda is for this machine: leave out the scheduler tcp://a:1"):
        build_quietly(small_region(), device="cuda", scheduler="tcp://a:1")
