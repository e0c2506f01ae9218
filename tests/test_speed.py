"""The benchmark of speed: its references are right, its course, its page."""

from __future__ import annotations

import json

import numpy as np
import numpy.testing as npt
import pytest
import torch
from benchmarks.speed import SpeedConfig, run_speed
from benchmarks.speed.__main__ import main
from benchmarks.speed.machine import Triad
from benchmarks.speed.page import speed_page
from benchmarks.speed.timing import interleaved, percentiles_ms, ratios
from benchmarks.speed.training import PlainLoop
from tests.reference.numpy_solvers import LeanNumpy, TextbookNumpy

from slipcast.errors import InputError
from slipcast.learning.config import TrainConfig
from slipcast.physics.bathymetry import Grid
from slipcast.physics.shallow_water import LongWaves

SPREAD = {"median": 3.0, "least": 1.0, "most": 400.0}
CALL = {"p50_ms": 0.5, "p99_ms": 2.0}


@pytest.mark.parametrize("kind", [LeanNumpy, TextbookNumpy])
def test_numpy_takes_the_steps_of_the_compiled_solver(kind):
    grid = Grid.over((200, 204), (10, 14), 6.0)
    rng = np.random.default_rng(1)
    depth = np.where(rng.random(grid.shape) < 0.1, 0.0, rng.uniform(500, 4000, grid.shape))
    waves = LongWaves(grid, depth, open_boundary=False, dtype=np.float64)
    rows, columns = np.indices(grid.shape)
    start = np.exp(-((rows - 20) ** 2 + (columns - 15) ** 2) / 20.0)
    *_, wanted = waves.propagate(start, interval_s=60.0, count=5)
    per_minute = waves.steps_per(60.0)
    found = kind(waves, start, 60.0 / per_minute).advance(5 * per_minute)
    npt.assert_allclose(found, wanted, atol=2e-6 if kind is LeanNumpy else 1e-12)  # single and double precision
    assert np.abs(wanted - start).max() > 0.1


def test_a_triad_updates_every_element():
    for threads in (1, 2):
        triad = Triad(0.012, threads)
        triad.arrays[2][:] = 0.0
        triad()
        size = triad.arrays[0].size
        assert size == 1000
        assert (triad.arrays[0] > 0).all()
        assert triad.moved_bytes % (16 * size) == 0


def test_works_are_timed_in_turn():
    order = []
    seconds = interleaved({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 3, warm=False)
    assert "".join(order) == "ababab"
    assert [len(values) for values in seconds.values()] == [3, 3]
    assert ratios([2.0, 9.0, 4.0], [1.0, 3.0, 4.0]) == {"median": 2.0, "least": 1.0, "most": 3.0}
    found = percentiles_ms(lambda: None, 10)
    assert 0 <= found["p50_ms"] <= found["p99_ms"]


@pytest.mark.slow
def test_the_plain_loop_learns(small_set):
    torch.manual_seed(0)
    loop = PlainLoop(small_set, TrainConfig(window_min=16, seed=1, learning_rate=5e-3, device="cpu"))
    rows = [loop.epoch() for _ in range(30)]
    assert rows[-1]["train_batch_loss_m2"] < 0.8 * rows[0]["train_batch_loss_m2"]
    assert set(rows[0]) == {"train_batch_loss_m2", "validation_batch_loss_m2"}


def fake_results(**changes):
    grid = {"title": "Cascadia", "cells": 100, "held_mb": 5.0}
    grid |= dict.fromkeys(("one", "lean", "textbook", "all", "limit_one", "limit_all", "over_lean"), SPREAD)
    grid |= dict.fromkeys(("over_textbook", "of_limit_one", "of_limit_all"), SPREAD)
    calls = {
        f"{name}, {level}, {kind}": CALL
        for name in ("least squares", "Gaussian", "network")
        for level in ("arrays", "labelled")
        for kind in ("slip", "forecast")
    }
    return {
        "made_by": {"code": "0123", "commit": "abc"},
        "about": {
            "machine": {"machine": "m", "system": "s", "cores": 2, "python": "3", "numpy": "2"},
            "config": {"repeats": 3, "triad_mb": 1.0, "gemm_size": 16},
        },
        "machine": {what: {"one": SPREAD, "all": SPREAD} for what in ("bandwidth_gb_s", "gemm_gflop_s")}
        | {"core_share": 0.25},
        "solver": {"two_minutes": grid, "one_minute": grid},
        "bank": {"gauges": 2, "sources": 31, "subfaults": 1550, "spacing_arcmin": 4.0, "hours": 2.0}
        | dict.fromkeys(("bank", "forward", "by_source", "by_subfault"), SPREAD),
        "scenarios": {"gauges": 2, "minutes": 60.0, "spacing_arcmin": 4.0}
        | dict.fromkeys(("a_second", "own_sizes", "forward_s", "over_forward"), SPREAD),
        "scenario_limit_a_second": 10.0,
        "training": {"scenarios": 10, "epochs": 3, "slipcast_loss_m2": 5.0, "plain_loss_m2": 5.1}
        | dict.fromkeys(("slipcast", "plain", "ratio", "recipe_s"), SPREAD),
        "together": {"count": 32}
        | dict.fromkeys(("together", "alone", "plain"), SPREAD)
        | {"over_alone": SPREAD | {"median": 1.7}, "over_plain": SPREAD | {"median": 6.2}},
        "latency": {"gauges": 3, "forecast_gauges": 5, "window_min": 45.0, "n_draws": 10, "calls": calls},
        "startup": dict.fromkeys(("help", "nothing", "numpy", "over_numpy"), SPREAD),
        "production": {"updates": 1e9, "seconds": 3.0, "coarse_updates": 1e8, "coarse_seconds": 1.0},
    } | changes


def test_the_page_has_what_was_measured():
    tasks = [
        {
            "command": "slipcast bank build cascadia --spacing 2 --out bank.nc",
            "seconds": SPREAD | {"median": 72.0},
            "memory_mb": 1500.0,
        },
        {"command": "slipcast scenarios build bank.nc --count 1024", "seconds": SPREAD, "memory_mb": 1600.0},
    ]
    text = speed_page(fake_results(tasks=tasks))
    assert "| `slipcast scenarios build bank.nc --count 1024` | 3.00 (1.00 to 400) | 1.60 |" in text
    assert "The bank at 2' is 0 billion cell updates, land and all: 1 s at the rate of the solver." in text
    assert "allow 10 a second" in text
    assert "32 networks at once, one thread: an epoch of one takes 3.00 (1.00 to 400) s" in text
    assert "by slipcast 1.70 (1.00 to 400) times as long, by the plain loop 6.20 (1.00 to 400) times." in text
    assert "code `0123`, commit `abc`" in text
    assert "Dask" not in text
    assert "One thread of this process got 25 % of a core." in text
    workers = {name: {"ratio": SPREAD | {"median": 1.5}} for name in ("bank", "scenarios", "plain_bank")}
    found = speed_page(fake_results(workers=workers))
    assert "Two workers over one: `bank build` 1.50 (1.00 to 400) times as fast" in found
    assert "| compiled, one core | 3.00 (1.00 to 400) | 3.00 (1.00 to 400) |" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"repeats": 2}, "repeats must be >= 3, got 2"),
        ({"train_epochs": 1}, "train_epochs must be >= 2, got 1"),
        ({"noise_sd_m": 0.0}, "noise_sd_m must be > 0 m, got 0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        SpeedConfig(**options)


@pytest.mark.slow
def test_a_bank_without_a_dart_is_refused(small_bank, tmp_path):
    points = small_bank.with_window(["westport"], 60)
    with pytest.raises(InputError, match="bank must have a DART whose records are inverted, got none"):
        run_speed(tmp_path / "out", bank=points, config=SpeedConfig.quick())
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_command_goes_the_whole_way_and_keeps_what_is_done(tmp_path, monkeypatch):
    out = tmp_path / "out"
    monkeypatch.setattr("sys.argv", ["speed", "--quick", "--out", str(out)])
    main()
    results = json.loads((out / "speed.json").read_text())
    assert set(results["solver"]) == {"small", "two_minutes"}
    assert results["together"]["over_alone"]["median"] > 1
    assert results["bank"]["by_subfault"]["median"] > results["bank"]["by_source"]["median"] > 0
    assert (out / "speed.md").read_text() == speed_page(results)
    part = out / "parts" / "startup.json"
    part.write_text(part.read_text().replace("0.", "7."))
    run_speed(out, config=SpeedConfig.quick())
    again = json.loads((out / "speed.json").read_text())
    assert again["startup"]["help"]["median"] > 7 > results["startup"]["help"]["median"]
    assert again["solver"] == results["solver"]
    with pytest.raises(InputError, match="holds a benchmark of config"):
        run_speed(out)
