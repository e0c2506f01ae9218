"""The course of the benchmark of accuracy: what is missing is computed, what there is is kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from benchmarks.accuracy.cases import Case, Cases
from benchmarks.accuracy.config import AccuracyConfig
from benchmarks.accuracy.examples import fan_example, magnitudes_of_noise, measure_latency
from benchmarks.accuracy.methods import Methods, Sampler
from benchmarks.accuracy.page import write_accuracy
from benchmarks.accuracy.parts import Part, parts_of
from benchmarks.accuracy.store import Store
from benchmarks.accuracy.tables import Tables
from slipcast.errors import InputError
from slipcast.evaluation.scoring import Truth, Windowed, score_method
from slipcast.greens.bank import GreensBank
from slipcast.inversion import SamplingInverter
from slipcast.io.atomic import read_json, write_json
from slipcast.io.identity import package_version
from slipcast.io.labels import positions_of
from slipcast.scenarios.scenario_set import ScenarioSet

if TYPE_CHECKING:
    from slipcast.learning.checkpoint import Checkpoint

__all__ = ["run_accuracy"]

Progress = Callable[[int, int, str], None]
"""Called with parts done, their total and what the last one was."""


def run_accuracy(
    bank: GreensBank,
    sampler: Sampler | Checkpoint,
    out: str | os.PathLike,
    *,
    config: AccuracyConfig | None = None,
    shared: str | os.PathLike | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Compare a sampler with all other methods, on scenarios that none has seen.

    Parameters
    ----------
    bank : GreensBank
        What scenarios are drawn from, and what methods know of waves.
    sampler : NeuralPosterior
        A trained one; a checkpoint that draws nothing is refused.
    out : path
        Folder: ``accuracy.json``, ``accuracy.md`` and ``figures`` in the end. What is done is kept in it part by part;
        a benchmark that was stopped goes on with what is missing.
    config : AccuracyConfig, optional
        Sizes and seeds.
    shared : path, optional
        Folder for what does not depend on the sampler (scenarios, the other methods), which another benchmark of the
        same bank and settings may use too; by default ``shared`` in ``out``.
    progress : callable, optional
        Called with parts done, their total and the name of the last.

    Returns
    -------
    results : dict
        What ``accuracy.json`` holds.

    Raises
    ------
    InputError
        If a folder is of another benchmark or holds other files, the sampler does not draw waves, is for other unit
        sources or lacks a DART or a window, or a window is longer than the bank.
    """
    config, out = config or AccuracyConfig(), Path(out)
    if not isinstance(sampler, Sampler):
        raise InputError(f"the model must draw slip and waves, as a trained sampler does, got {type(sampler).__name__}")
    positions_of(sampler.sources, bank.sources, dim="source", where=f"in bank {bank.region.name}")
    positions_of(bank.region.observers, sampler.gauges, dim="gauge", where="of the sampler")
    positions_of(bank.gauges, list(sampler.waves), dim="gauge", where="among the waves of the sampler")
    Windowed(sampler, config.windows_min[-1])
    about = {"bank": bank.id, "slipcast_version": package_version(), "config": asdict(config)}
    own = Store.begin(out / "sampler", {"sampler": sampler.id} | about)
    common = Store.begin(out / "shared" if shared is None else Path(shared), about)
    methods = Methods(bank, sampler, config, common)
    methods.at("sampler", methods.longest_min)  # what does not fit is said before the work
    cases = Cases(methods)
    parts = {case: list(parts_of(name, methods)) for name, case in cases.all.items()}
    tables, done, total = Tables(methods, cases), 0, sum(len(of_case) for of_case in parts.values())
    for case, of_case in parts.items():
        for part, judged, truth in _judge_case(case, of_case, cases, own, common):
            tables.add(part, judged, truth)
            done += 1
            if progress:
                progress(done, total, part.name)
    about |= {"sampler": sampler.id, "sampler_bank": sampler.bank, "region": bank.region.name}
    results = tables.results(about) | {
        "noise_alone": own.numbers("noise_alone", lambda: magnitudes_of_noise(methods)),
        "latency": own.numbers("latency", lambda: measure_latency(methods, cases.main)),
        "fan": own.numbers("fan", lambda: fan_example(methods, cases.main)),
    }
    write_json(out / "accuracy.json", results)
    results = read_json(out / "accuracy.json")  # names and numbers as a reader finds them
    write_accuracy(out, results)
    return results


class _Opened:
    """A test set that is made when it is wanted, and then kept."""

    def __init__(self, case: Case, cases: Cases):
        self.case, self.cases = case, cases

    @cached_property
    def scenarios(self) -> ScenarioSet:
        return self.case.make()

    @cached_property
    def truth(self) -> Truth:
        return Truth(self.scenarios, np.arange(len(self.scenarios)))

    @cached_property
    def records(self) -> xr.DataArray:
        return self.cases.records(self.case, self.scenarios)


def _judge_case(
    case: Case, parts: list[Part], cases: Cases, own: Store, common: Store
) -> Iterator[tuple[Part, xr.Dataset, xr.Dataset]]:
    """Judge the parts of a set, but for those that are kept: each with the truth of its scenarios."""
    opened = _Opened(case, cases)
    truth = common.judged(f"{case.name}/truth", lambda: opened.truth.dataset)
    for part in parts:
        store = own if part.method == "sampler" else common
        judged = store.judged(part.name, partial(_judge, part, opened))
        yield part, judged, truth.isel(scenario=slice(0, judged.sizes["scenario"]))


def _judge(part: Part, opened: _Opened) -> xr.Dataset:
    """Judge one method on a set, or on its first scenarios if it is slow."""
    methods, truth, records = opened.cases.methods, opened.truth, opened.records
    config = methods.config
    if part.method == "bayes":
        truth = Truth(truth.scenarios, truth.indices[: config.bayes_count])
        records = records.isel(scenario=slice(0, config.bayes_count))
    method = methods.at(part.method, part.window_min, without=part.without)
    n_draws = config.n_draws if isinstance(method, SamplingInverter) else 0
    return score_method(method, truth, records, fit_min=methods.longest_min, n_draws=n_draws)
