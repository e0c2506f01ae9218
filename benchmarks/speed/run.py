"""The benchmark of speed from settings to results: what is missing is measured, what there is is kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.store import Store
from benchmarks.provenance import ROOT, code_digest, provenance, source_files, write_compact
from benchmarks.speed.commands import measure_startup, measure_tasks
from benchmarks.speed.config import SpeedConfig
from benchmarks.speed.latency import measure_latency
from benchmarks.speed.machine import describe_machine, measure_machine
from benchmarks.speed.page import speed_page
from benchmarks.speed.solver import measure_solver
from benchmarks.speed.timing import interleaved, one_thread
from benchmarks.speed.together import measure_together
from benchmarks.speed.training import measure_training
from benchmarks.speed.waves import build_bank, finest_gauges, measure_bank, measure_scenarios
from slipcast.errors import InputError
from slipcast.greens.bank import GreensBank
from slipcast.io.atomic import read_json, write_text
from slipcast.learning.checkpoint import Checkpoint
from slipcast.learning.inverters import model_names, open_model
from slipcast.physics.bathymetry import Bathymetry
from slipcast.physics.shallow_water import LongWaves
from slipcast.regions.region import Region
from slipcast.scenarios.scenario_set import ScenarioSet

__all__ = ["run_speed", "speed_code"]

Progress = Callable[[int, int, str], None]
"""Called with parts done, their total and what the last one was."""


def speed_code(root: Path = ROOT) -> list[Path]:
    """Return the files on which times depend: settings are named with them, and the page changes nothing."""
    shown = [f"benchmarks/speed/{name}.py" for name in ("__init__", "__main__", "config", "page")]
    return source_files("benchmarks/speed", root=root, leave_out=shown)


def run_speed(
    out: str | os.PathLike,
    *,
    bank: GreensBank | None = None,
    config: SpeedConfig | None = None,
    workers: str | os.PathLike | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure every part against its reference, in turn, with the machine's bandwidth and arithmetic beside it.

    Parameters
    ----------
    out : path
        Folder: ``speed.json`` and ``speed.md`` in the end. What is done is kept in ``parts``; a benchmark that was
        stopped resumes with what is missing, if the code is still the same.
    bank : GreensBank, optional
        From which scenarios are drawn, and to whose gauges forecasts are made; with at least one DART. By default the
        one that the benchmark builds.
    config : SpeedConfig, optional
        Sizes.
    workers : path, optional
        What ``benchmarks/studies/workers.py`` measured, to be shown too.
    progress : callable, optional
        Called with parts done, their total and the name of the last.

    Returns
    -------
    results : dict
        What ``speed.json`` holds.

    Raises
    ------
    InputError
        If the folder is of another benchmark or machine, the bank has no DART, or a window is longer than it.
    """
    config, out = config or SpeedConfig(), Path(out)
    code = speed_code()
    about = {
        "code": code_digest(code),
        "machine": describe_machine(),
        "bank": "" if bank is None else bank.id,
        "config": asdict(config),
    }
    if bank is not None and not bank.gauge_names("dart"):
        raise InputError("bank must have a DART whose records are inverted, got none")
    store = Store.begin(out / "parts", about)
    opened = bank or store.bank("bank", lambda: build_bank(config))
    observers = list(opened.region.observers) or opened.gauge_names("dart")
    small = opened.with_window(observers, config.window_min)  # of what a network sees

    def trained_with() -> ScenarioSet:
        return store.scenarios("scenarios", lambda: ScenarioSet.build(small, count=config.train_count, seed=1))

    network = store.folder / "network"
    repeats = config.repeats
    parts: dict[str, Callable[[], Any]] = {
        "machine": partial(measure_machine, triad_mb=config.triad_mb, gemm_size=config.gemm_size, repeats=repeats),
        "solver": partial(measure_solver, config.solver_grids, repeats=repeats, triad_mb=config.triad_mb),
        "bank": lambda: measure_bank(config),
        "scenarios": lambda: measure_scenarios(opened, config),
        "scenario_limit_a_second": lambda: _scenario_limit(opened, config),
        "training": lambda: measure_training(
            trained_with(), network, window_min=config.window_min, epochs=config.train_epochs, repeats=3
        ),
        "together": lambda: measure_together(
            trained_with(), window_min=config.window_min, epochs=max(1, config.train_epochs // 6), repeats=3
        ),
        "latency": lambda: measure_latency(opened, Checkpoint.open(network), _sampler_for(opened), config),
        "startup": lambda: measure_startup(repeats),
    }
    if config.tasks:
        parts["tasks"] = lambda: measure_tasks(3)
    made_by = provenance(code, bank=opened.id)
    results: dict[str, Any] = {"made_by": made_by, "about": about}
    for number, (name, measure) in enumerate(parts.items(), 1):
        results[name] = store.numbers(name, measure)
        if progress:
            progress(number, len(parts), name)
    results["production"] = _production(results["solver"])
    if workers is not None:
        results["workers"] = read_json(workers)
    write_compact(out / "speed.json", results)
    results = read_json(out / "speed.json")  # names and numbers as a reader finds them
    write_text(out / "speed.md", speed_page(results))
    return results


def _sampler_for(bank: GreensBank) -> Any:
    """Return the sampler in the package whose gauges and unit sources a bank has; None if there is none."""
    if bank.region.name not in model_names():
        return None
    model = open_model(bank.region.name)
    return model if set(model.gauges) <= set(bank.gauges) and list(model.sources) == bank.sources else None


def _scenario_limit(bank: GreensBank, config: SpeedConfig) -> float:
    """Measure how many scenarios a second their products with the bank alone allow, all slip at time zero."""
    index = [bank.gauges.index(name) for name in finest_gauges(bank.region, config.n_gauges)]
    minutes = int(60 * bank.dataset["gauge_hours"].to_numpy()[index].min())
    response = bank.dataset["response"].to_numpy()[index, 1 : minutes + 1]
    matrix = np.ascontiguousarray(response.reshape(-1, response.shape[-1]).T)
    slip = np.ones((config.batch, len(matrix)), np.float32)
    with one_thread():
        seconds = interleaved({"product": lambda: slip @ matrix}, config.repeats)["product"]
    return config.batch / float(np.median(seconds))


def _production(grids: dict[str, Any]) -> dict[str, float]:
    """Count the cell updates of Cascadia's production bank, and the seconds that they take at the measured rates."""
    region = Region.open("cascadia")
    found: dict[str, float] = {}
    for key, spacing, grid_name in (("", None, "one_minute"), ("coarse_", 2.0, "two_minutes")):
        updates = 0.0
        for name, plan in region.with_grids(spacing_arcmin=spacing).grids.items():
            grid = plan.grid()
            waves = LongWaves(grid, Bathymetry.etopo1().depth_on(grid))
            runs = sum(gauge.grid == name for gauge in region.gauges)
            updates += runs * grid.shape[0] * grid.shape[1] * waves.steps_per(60.0) * 60 * plan.hours
        rate = 1e6 * grids[grid_name if grid_name in grids else "two_minutes"]["all"]["median"]
        found |= {f"{key}updates": updates, f"{key}seconds": updates / rate}
    return found
