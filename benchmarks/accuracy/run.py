"""The benchmark of accuracy from settings to results: what is missing is computed, what there is is kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from benchmarks.accuracy.cases import MAIN, Case, Cases
from benchmarks.accuracy.config import AccuracyConfig
from benchmarks.accuracy.examples import forecast_example, magnitudes_of_noise, measure_latency
from benchmarks.accuracy.methods import Methods, Sampler
from benchmarks.accuracy.page import write_accuracy
from benchmarks.accuracy.parts import Part, headline_parts, main_parts, shifted_parts
from benchmarks.accuracy.store import Store
from benchmarks.accuracy.tables import Tables
from benchmarks.provenance import ROOT, code_digest, provenance, source_files, write_compact
from slipcast.errors import InputError
from slipcast.evaluation.scoring import Truth, score_method
from slipcast.greens.bank import GreensBank
from slipcast.inversion import RestrictedPosterior, SamplingInverter
from slipcast.io.atomic import read_json
from slipcast.io.labels import positions_of
from slipcast.scenarios.scenario_set import ScenarioSet

if TYPE_CHECKING:
    from slipcast.learning.checkpoint import Checkpoint

__all__ = ["parts_code", "results_code", "run_accuracy"]

_SHOWN = tuple(f"benchmarks/accuracy/{name}.py" for name in ("__init__", "__main__", "config", "page"))

_CHOICES = ("windows_min", "test_sets", "headline_windows_min", "table_window_min", "resamples")
"""Settings on which no kept part depends, only which parts there are."""

Progress = Callable[[int, int, str], None]
"""Called with parts done, their total and what the last one was."""


def parts_code(root: Path = ROOT) -> list[Path]:
    """Return the files on which kept parts depend."""
    return [path for path in results_code(root) if path != root / "benchmarks" / "accuracy" / "tables.py"]


def results_code(root: Path = ROOT) -> list[Path]:
    """Return the files on which results depend: settings are named with them, and what shows them changes nothing."""
    return source_files("benchmarks/accuracy", root=root, leave_out=_SHOWN)


def run_accuracy(
    bank: GreensBank,
    sampler: Sampler | Checkpoint,
    out: str | os.PathLike,
    *,
    config: AccuracyConfig | None = None,
    shared: str | os.PathLike | None = None,
    headline_only: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Compare a neural posterior with all other methods, on scenarios that none has seen.

    Parameters
    ----------
    bank : GreensBank
        Green's functions of scenarios and of methods.
    sampler : NeuralPosterior
        A trained one; a checkpoint without posterior samples is refused.
    out : path
        Folder: ``headline.json``, ``accuracy.json``, ``accuracy.md`` and ``figures`` in the end. What is done is kept
        in it part by part; a benchmark that was stopped resumes with what is missing, if the code is still the same.
    config : AccuracyConfig, optional
        Sizes and seeds.
    shared : path, optional
        Folder for what does not depend on the sampler (scenarios, the other methods), which another benchmark of the
        same bank and settings may use too; by default ``shared`` in ``out``.
    headline_only : bool, optional
        Stop after ``headline.json``, the means over test sets.
    progress : callable, optional
        Called with parts done, their total and the name of the last.

    Returns
    -------
    results : dict
        What ``accuracy.json`` holds, or ``headline.json``.

    Raises
    ------
    InputError
        If a folder is of another benchmark or of other code, or holds other files, the sampler does not draw waves,
        is for other unit sources or lacks a DART or a window, or a window is longer than the bank.
    """
    config, out = config or AccuracyConfig(), Path(out)
    if not isinstance(sampler, Sampler):
        raise InputError(f"the model must draw slip and waves, as a trained sampler does, got {type(sampler).__name__}")
    positions_of(sampler.sources, bank.sources, dim="source", where=f"in bank {bank.region.name}")
    positions_of(bank.region.observers, sampler.gauges, dim="gauge", where="of the sampler")
    positions_of(bank.gauges, list(sampler.waves), dim="gauge", where="among the waves of the posterior")
    RestrictedPosterior(sampler, config.windows_min[-1])
    code = code_digest(parts_code())
    of_parts = {key: value for key, value in asdict(config).items() if key not in _CHOICES}
    key = {"bank": bank.id, "longest_min": config.windows_min[-1], "config": of_parts, "code": code}
    own = Store.begin(out / "sampler", {"sampler": sampler.id} | key)
    common = Store.begin(out / "shared" if shared is None else Path(shared), key)
    methods = Methods(bank, sampler, config, common)
    methods.at("sampler", methods.longest_min)  # what does not fit is said before the work
    cases = Cases(methods)
    first, rest = _parts(cases)
    rest = [] if headline_only else rest
    tables, done, total = Tables(methods, cases), 0, sum(len(of_case) for _, of_case in first + rest)
    made_by = provenance(results_code(), bank=bank.id, model=sampler.id)
    about = tables.about({"config": asdict(config), "model_bank": sampler.bank, "region": bank.region.name})
    for place, (case, of_case) in enumerate(first + rest):
        for part, scored, truth in _score_case(case, of_case, cases, own, common):
            tables.add(part, scored, truth)
            done += 1
            if progress:
                progress(done, total, part.name)
        if place == len(first) - 1:
            headline = {"made_by": made_by, "about": about, "windows": tables.headline()}
            write_compact(out / "headline.json", headline)
    if headline_only:
        return read_json(out / "headline.json")
    results = {
        "made_by": made_by,
        "about": about,
        **tables.results(),
        "noise_alone": own.numbers("noise_alone", lambda: magnitudes_of_noise(methods)),
        "latency": own.numbers("latency", lambda: measure_latency(methods, cases.main)),
        "forecast": own.numbers("forecast", lambda: forecast_example(methods, cases.main)),
    }
    write_compact(out / "accuracy.json", results)
    results = read_json(out / "accuracy.json")  # names and numbers as a reader finds them
    write_accuracy(out, results, read_json(out / "headline.json"))
    return results


def _parts(cases: Cases) -> tuple[list[tuple[Case, list[Part]]], list[tuple[Case, list[Part]]]]:
    """List all parts by test set: those of the headline scores, the window of the table first; and all others."""
    methods, of_main = cases.methods, cases.all[MAIN]
    table_min = methods.config.table_window_min
    sets = {MAIN: of_main} | cases.repeats
    wanted = [(case, list(headline_parts(name, methods))) for name, case in sets.items()]
    first = [(case, [part for part in parts if part.window_min == table_min]) for case, parts in wanted]
    first += [(case, [part for part in parts if part.window_min != table_min]) for case, parts in wanted]
    rest = [(of_main, [part for part in main_parts(MAIN, methods) if part not in wanted[0][1]])]
    rest += [(case, list(shifted_parts(name, methods))) for name, case in cases.all.items() if name != MAIN]
    return first, rest


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


def _score_case(
    case: Case, parts: list[Part], cases: Cases, own: Store, common: Store
) -> Iterator[tuple[Part, xr.Dataset, xr.Dataset]]:
    """Score the parts of a set, but for those that are kept: each with the truth of its scenarios."""
    opened = _Opened(case, cases)
    truth = common.scored(f"{case.name}/truth", lambda: opened.truth.dataset)
    for part in parts:
        store = own if part.method == "sampler" else common
        scored = store.scored(part.name, partial(_score, part, opened))
        yield part, scored, truth.isel(scenario=slice(0, scored.sizes["scenario"]))


def _score(part: Part, opened: _Opened) -> xr.Dataset:
    """Score one method on a set, or on its first scenarios where all would take long."""
    methods, truth, records = opened.cases.methods, opened.truth, opened.records
    config = methods.config
    count = config.bayes_count if part.method == "bayes" else config.other_count if part.without else len(truth)
    truth = Truth(truth.scenarios, truth.indices[:count])
    records = records.isel(scenario=slice(0, count))
    method = methods.at(part.method, part.window_min, without=part.without)
    n_draws = config.n_draws if isinstance(method, SamplingInverter) else 0
    return score_method(method, truth, records, fit_min=methods.longest_min, n_draws=n_draws)
