"""Search for better settings with Optuna: one study in a file, many workers, killed and resumed at will."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slipcast.errors import InputError
from slipcast.io.atomic import write_json, write_text
from slipcast.io.lock import lock
from slipcast.learning.config import TrainConfig
from slipcast.learning.stacked import OWN_SETTINGS
from slipcast.learning.tuning.space import SearchSpace
from slipcast.learning.tuning.trials import Search, finished, give_up, require_optuna, storage
from slipcast.learning.tuning.workers import search_by_workers, search_here
from slipcast.parallel.executor import worker_count
from slipcast.parallel.progress import Progress, shown_progress
from slipcast.scenarios.scenario_set import ScenarioSet

if TYPE_CHECKING:
    import optuna

__all__ = ["BEST_CONFIG", "Tuning", "tune"]

BEST_CONFIG = "best.toml"
"""Name of the file with the best settings."""


@dataclass(frozen=True)
class Tuning:
    """Result of a search.

    Attributes
    ----------
    best : TrainConfig
        The settings with the lowest validation loss.
    best_loss_m2 : float
        That loss, m^2, at its best epoch.
    trials : tuple of dict
        A row a trial: number, state, ``validation_loss_m2``, ``best_epoch``, ``epochs``, ``seconds``, and the settings.
    importance : dict of str to float
        How much of the spread of losses each setting explains; sums to one. Empty where there are too few trials.
    """

    best: TrainConfig
    best_loss_m2: float
    trials: tuple[dict[str, Any], ...]
    importance: dict[str, float]


def tune(
    scenarios: ScenarioSet,
    out: str | os.PathLike,
    *,
    config: TrainConfig | None = None,
    space: SearchSpace | None = None,
    trials: int = 30,
    workers: int = 1,
    together: int = 1,
    scheduler: str | None = None,
    seed: int = 1,
    resume: bool = False,
    progress: Progress | bool | None = None,
) -> Tuning:
    """Search for the settings with the lowest validation loss.

    Parameters
    ----------
    scenarios : ScenarioSet
        Trained on its train part, scored on its validation part; the test part is never loaded.
    out : path
        Folder of the search: ``study.log`` (Optuna's journal), ``best.toml`` (ready for ``slipcast train``), ``best``
        (that network), ``trials.csv``, ``importance.json``.
    config : TrainConfig, optional
        The settings that are not searched, and the first ones tried.
    space : SearchSpace, optional
        By default :meth:`SearchSpace.default`.
    trials : int, optional
        Trainings in all, finished or stopped for being worse than the median of the others.
    workers : int, optional
        Processes at a time; one that is killed leaves its trials to the others.
    together : int, optional
        Trials that a worker trains at once (:func:`~slipcast.learning.stacked.train_many`). Those of a batch have
        settings of their own for ``learning_rate``, ``weight_decay`` and ``dropout``, and share the others.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``tcp://host:8786``, whose workers run the trials in place of processes
        here; they must see the folder by the same path, since the study in it is shared.
    seed : int, optional
        Of what is tried. One worker tries the same again from the same seed, also after a kill.
    resume : bool, optional
        Resume the study in the folder.
    progress : callable or bool, optional
        Called with trials done, their total and a note with the lowest loss; ``True`` shows a bar on the error stream.

    Returns
    -------
    tuning : Tuning

    Raises
    ------
    InputError
        If Optuna is not installed, a value breaks its rule, the folder holds a study (and ``resume`` is not set) or
        one begun otherwise, it is locked by another process, no scheduler answers, workers fail, or no trial finished.

    Notes
    -----
    Tree-structured Parzen estimator after eight trials at random; a trial is stopped when its lowest loss so far is
    above the median of others at the same epoch. The best of many trials is so in part by luck on the validation part:
    score it on the test part, once.
    """
    require_optuna()
    worker_count(workers)
    for name, number in (("trials", trials), ("together", together)):
        if number < 1:
            raise InputError(f"{name} must be >= 1, got {number}")
    if seed < 0:
        raise InputError(f"seed must be >= 0, got {seed}")
    config = config or TrainConfig()
    if config.test_loss:
        raise InputError("test_loss cannot be asked for in a search: the test part is never loaded")
    search = Search(Path(out).absolute(), scenarios, config, space or SearchSpace.default(), seed, together)
    search.space.check(config, search.samples)
    if together > 1:
        _check_together(search)
    with lock(search.folder), shown_progress(progress, "Trials") as report:
        study = _begin(search, resume=resume)
        show, left = _reporter(study, trials, report), trials - len(finished(study))
        if scheduler is None and (workers == 1 or left <= together):
            search_here(search, left, show)
        else:
            search_by_workers(search, left, show, workers=workers, scheduler=scheduler)
        return _conclude(search, study)


def _check_together(search: Search) -> None:
    """Refuse trials that cannot be trained at once, or would all be the same."""
    if search.config.model != "conv1d":
        raise InputError(f"together is for conv1d, got model {search.config.model}")
    if not {name for name, _ in search.space.items()} & set(OWN_SETTINGS):
        raise InputError(
            "together needs learning_rate, weight_decay or dropout in the search: trials at once share others"
        )


def _begin(search: Search, *, resume: bool) -> optuna.Study:
    """Make a study, or take one up; trials that a kill left running are given up."""
    import optuna

    journal = search.journal
    if journal.exists() and not resume:
        raise InputError(f"{search.folder} holds a search already; --resume continues it")
    if not journal.exists() and resume:
        raise InputError(f"{search.folder} holds no search to resume")
    try:
        study = optuna.create_study(
            storage=storage(search), study_name="slipcast", direction="minimize", load_if_exists=True
        )
    except (ValueError, KeyError, AssertionError) as error:
        raise InputError(f"{journal} is damaged, or no study") from error
    if not study.user_attrs:
        study.set_user_attr("about", search.about)
        if first := search.space.parameters_of(search.config, search.samples):
            study.enqueue_trial(first)
    about = study.user_attrs["about"]
    if other := [key for key, value in search.about.items() if about.get(key) != json.loads(json.dumps(value))]:
        raise InputError(f"the search in {search.folder} was begun with another {other[0]}")
    give_up(study)
    shutil.rmtree(search.folder / "trials", ignore_errors=True)
    return study


def _reporter(study: optuna.Study, total: int, report: Progress) -> Callable[[], None]:
    """Return what reports how far the search is."""

    def show() -> None:
        done = finished(study)
        best = min(
            (trial.value for trial in done if trial.value is not None and trial.state.name == "COMPLETE"),
            default=None,
        )
        report(len(done), total, "" if best is None else f"best validation {best:.2f} m²")

    return show


def _conclude(search: Search, study: optuna.Study) -> Tuning:
    """Write what was found."""
    import optuna

    done = finished(study)
    complete = [trial for trial in done if trial.state == optuna.trial.TrialState.COMPLETE]
    if not complete:
        raise InputError("no trial finished: all diverged; lower learning_rate in the search")
    best = study.best_trial
    settings = _Replay(best.params)
    config = search.config.with_settings(**search.space.suggest(settings, search.samples))
    rows = tuple(
        {
            "trial": trial.number,
            "state": "complete" if trial.state == optuna.trial.TrialState.COMPLETE else "stopped",
            "validation_loss_m2": min(
                [*trial.intermediate_values.values(), *([trial.value] if trial.value else [])], default=None
            ),
            **{key: trial.user_attrs.get(key) for key in ("best_epoch", "epochs", "seconds")},
            **search.space.drawn(trial.params),
        }
        for trial in done
    )
    importance = _importance(study, complete)
    shutil.rmtree(search.folder / "trials", ignore_errors=True)
    write_text(search.folder / BEST_CONFIG, config.toml())
    write_text(search.folder / "trials.csv", _csv(rows))
    write_json(search.folder / "importance.json", importance)
    return Tuning(config, float(best.value or 0.0), rows, importance)


class _Replay:
    """Suggests again what a trial has drawn."""

    def __init__(self, parameters: Mapping[str, Any]):
        self._parameters = parameters

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        return self._parameters[name]

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        return self._parameters[name]

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return self._parameters[name]


def _importance(study: optuna.Study, complete: list[optuna.trial.FrozenTrial]) -> dict[str, float]:
    """Compute how much each setting matters among the trials that were finished."""
    import optuna

    if len({trial.value for trial in complete}) < 4:
        return {}
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(evaluate_on_local=False)
    try:
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    except (ValueError, RuntimeError):
        return {}  # too few trials
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def _csv(rows: tuple[dict[str, Any], ...]) -> str:
    """Return rows as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
