"""Search for better settings with Optuna: one study in a file, many workers, killed and resumed at will."""

from __future__ import annotations

import csv
import io
import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slipcast.errors import InputError
from slipcast.files import write_json, write_text
from slipcast.labels import window_samples
from slipcast.learning.config import TrainConfig
from slipcast.learning.search_space import SearchSpace
from slipcast.learning.train import Diverged, train
from slipcast.scenarios import ScenarioSet

if TYPE_CHECKING:
    import optuna

__all__ = ["BEST_CONFIG", "Tuning", "tune"]

BEST_CONFIG = "best.toml"
"""Name of the file with the best settings."""

_STUDY = "study.log"
_LOCK = ".lock"
_BEST = "best"
_REPORTS = 30  # how often a trial may be stopped
_FIRST_AT_RANDOM = 8
_POLL_S = 0.5

Progress = Callable[[int, int, str], None]
"""Called with trials done, their total, and the best loss so far in words."""


@dataclass(frozen=True)
class Tuning:
    """What a search found.

    Attributes
    ----------
    best : TrainConfig
        The settings with the lowest validation loss.
    best_loss_m2 : float
        That loss, m^2, at its best epoch.
    trials : tuple of dict
        A row a trial: number, state, ``validation_loss_m2``, ``best_epoch``, ``epochs``, ``seconds``, and the settings.
    importance : dict of str to float
        How much of the spread of losses each setting explains; sums to one. Empty where too few trials tell.
    """

    best: TrainConfig
    best_loss_m2: float
    trials: tuple[dict[str, Any], ...]
    importance: dict[str, float]


@dataclass(frozen=True)
class _Search:
    """All that a worker needs."""

    folder: Path
    scenarios: ScenarioSet
    config: TrainConfig
    space: SearchSpace
    seed: int

    @property
    def samples(self) -> int:
        """Samples of the window."""
        time_s = self.scenarios.time_s
        return int(window_samples(time_s, self.config.window_min, available_s=float(time_s[-1]), where="the set").sum())

    @property
    def about(self) -> dict[str, Any]:
        """What a study must have been begun with to be gone on with."""
        return {
            "scenarios": self.scenarios.id,
            "config": self.config.model_dump(mode="json"),
            "space": self.space.model_dump(mode="json", exclude_none=True),
            "seed": self.seed,
        }


def tune(
    scenarios: ScenarioSet,
    out: str | os.PathLike,
    *,
    config: TrainConfig | None = None,
    space: SearchSpace | None = None,
    trials: int = 30,
    workers: int = 1,
    seed: int = 1,
    resume: bool = False,
    progress: Progress | None = None,
) -> Tuning:
    """Search for the settings with the lowest validation loss.

    Parameters
    ----------
    scenarios : ScenarioSet
        Trained on its train part, judged on its validation part; the test part is never loaded.
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
        Processes at a time.
    seed : int, optional
        Of what is tried. One worker tries the same again from the same seed, also after a kill.
    resume : bool, optional
        Go on with the study in the folder.
    progress : callable, optional
        Called after each trial.

    Returns
    -------
    tuning : Tuning

    Raises
    ------
    InputError
        If Optuna is not installed, a value breaks its rule, the folder holds a study (and ``resume`` is not set) or
        one begun otherwise, another process holds it, or no trial finished.

    Notes
    -----
    Tree-structured Parzen estimator after eight trials at random; a trial is stopped when its lowest loss so far is
    above the median of others at the same epoch. The best of many trials is so in part by luck on the validation part:
    judge it on the test part, once.
    """
    _require_optuna()
    for name, number in (("trials", trials), ("workers", workers)):
        if number < 1:
            raise InputError(f"{name} must be >= 1, got {number}")
    if seed < 0:
        raise InputError(f"seed must be >= 0, got {seed}")
    config = config or TrainConfig()
    if config.test_loss:
        raise InputError("test_loss cannot be asked for in a search: the test part is never loaded")
    search = _Search(Path(out), scenarios, config, space or SearchSpace.default(), seed)
    search.space.check(config, search.samples)
    with _only_one(search.folder):
        study = _begin(search, resume=resume)
        left = trials - len(_finished(study))
        if workers == 1 or left <= 1:
            _work(search, left, progress=_told(study, trials, progress))
        else:
            _work_together(search, left, min(workers, left), _told(study, trials, progress))
        return _conclude(search, study)


def _require_optuna() -> None:
    """Refuse a machine without Optuna; silence it otherwise."""
    try:
        import optuna
    except ImportError as error:
        raise InputError("tuning needs Optuna: pip install 'slipcast[tune]'") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Hold a folder against other searches; the lock goes with the process."""
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(f"another search holds {folder}; --workers lets several processes share one") from error
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


def _storage(folder: Path) -> optuna.storages.BaseStorage:
    """Open the journal, which several processes may append to."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(folder / _STUDY)))


def _begin(search: _Search, *, resume: bool) -> optuna.Study:
    """Make a study, or take one up; trials that a kill left running are given up."""
    import optuna

    journal = search.folder / _STUDY
    if journal.exists() and not resume:
        raise InputError(f"{search.folder} holds a search already; --resume goes on with it")
    if not journal.exists() and resume:
        raise InputError(f"{search.folder} holds no search to resume")
    try:
        study = optuna.create_study(
            storage=_storage(search.folder), study_name="slipcast", direction="minimize", load_if_exists=True
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
    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        study.enqueue_trial(trial.params)
    shutil.rmtree(search.folder / "trials", ignore_errors=True)
    return study


def _finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that ended by themselves or were stopped for being bad, by number."""
    import optuna

    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return study.get_trials(deepcopy=False, states=states)


def _told(study: optuna.Study, total: int, progress: Progress | None) -> Callable[[], None]:
    """Return what reports how far the search is."""

    def tell() -> None:
        if progress:
            done = _finished(study)
            best = min(
                (trial.value for trial in done if trial.value is not None and trial.state.name == "COMPLETE"),
                default=None,
            )
            progress(len(done), total, "" if best is None else f"best validation {best:.2f} m²")

    return tell


def _work(
    search: _Search, count: int, *, worker: int = 0, tickets: Any = None, progress: Callable[[], None] | None = None
) -> None:
    """Run trials, some or as long as there are tickets that workers share."""
    import optuna

    _require_optuna()
    while _take(tickets) if tickets is not None else count > 0:
        count -= 1
        # a sampler anew for each trial, so that what is tried depends on the trials before and on the seed alone
        study = optuna.load_study(study_name="slipcast", storage=_storage(search.folder), pruner=_pruner())
        draw = np.random.SeedSequence([search.seed, len(_finished(study)), worker]).generate_state(1)[0]
        study.sampler = optuna.samplers.TPESampler(
            seed=int(draw), n_startup_trials=_FIRST_AT_RANDOM, constant_liar=tickets is not None
        )
        _run_trial(search, study)
        if progress:
            progress()


def _pruner() -> optuna.pruners.BasePruner:
    import optuna

    return optuna.pruners.MedianPruner(n_startup_trials=_FIRST_AT_RANDOM, n_warmup_steps=1)


def _take(tickets: Any) -> bool:
    """Take one of the trials that are left."""
    with tickets.get_lock():
        tickets.value -= 1
        return tickets.value >= 0


def _run_trial(search: _Search, study: optuna.Study) -> None:
    """Train with settings that the study suggests, and tell it what came of them."""
    import optuna

    trial = study.ask()
    settings = search.space.suggest(trial, search.samples)
    config = search.config.with_settings(**settings)
    folder = search.folder / "trials" / f"{trial.number:04d}"
    every = max(1, config.epochs // _REPORTS)
    begin = time.monotonic()

    def report(epoch: int, epochs: int, row: Mapping[str, float], best: Mapping[str, float]) -> None:
        if epoch % every == 0:
            trial.report(best["validation_loss_m2"], epoch // every)
            if trial.should_prune():
                trial.set_user_attr("epochs", epoch)
                raise optuna.TrialPruned

    try:
        trained = train(search.scenarios, folder, config=config, progress=report)
    except (optuna.TrialPruned, Diverged):
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    else:
        trial.set_user_attr("epochs", len(trained.history))
        trial.set_user_attr("best_epoch", trained.best_epoch)
        trial.set_user_attr("seconds", round(time.monotonic() - begin, 1))
        study.tell(trial, trained.history[trained.best_epoch - 1]["validation_loss_m2"])
        _keep_if_best(search.folder, study, trial.number)
    shutil.rmtree(folder, ignore_errors=True)


def _keep_if_best(folder: Path, study: optuna.Study, number: int) -> None:
    """Keep the network of a trial if none was better."""
    from filelock import FileLock

    with FileLock(folder / ".best.lock"):
        if study.best_trial.number == number:
            shutil.rmtree(folder / _BEST, ignore_errors=True)
            (folder / "trials" / f"{number:04d}").rename(folder / _BEST)


def _work_together(search: _Search, count: int, workers: int, progress: Callable[[], None]) -> None:
    """Run trials in several processes on one study."""
    context = multiprocessing.get_context("spawn")
    tickets, problems = context.Value("i", count), context.SimpleQueue()
    processes = [
        context.Process(target=_worker, args=(search, worker, tickets, problems), daemon=True)
        for worker in range(1, workers + 1)
    ]
    for process in processes:
        process.start()
    try:
        while any(process.is_alive() for process in processes):
            processes[0].join(_POLL_S)
            time.sleep(0 if processes[0].is_alive() else _POLL_S)
            progress()
            if not problems.empty():
                raise InputError(problems.get())
    finally:
        for process in processes:
            process.terminate()
            process.join()
    if not problems.empty():
        raise InputError(problems.get())
    if failed := [process.exitcode for process in processes if process.exitcode]:
        raise InputError(f"a worker of the search ended with exit code {failed[0]}; --resume goes on")


def _worker(search: _Search, worker: int, tickets: Any, problems: Any) -> None:
    """Run trials in a process of its own; hand a user's mistake over in words."""
    try:
        _work(search, 0, worker=worker, tickets=tickets)
    except InputError as error:
        problems.put(str(error))
    except KeyboardInterrupt:
        pass  # the first process says so


def _conclude(search: _Search, study: optuna.Study) -> Tuning:
    """Write what was found."""
    import optuna

    finished = _finished(study)
    complete = [trial for trial in finished if trial.state == optuna.trial.TrialState.COMPLETE]
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
        for trial in finished
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
        return {}  # not told by so few trials
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def _csv(rows: tuple[dict[str, Any], ...]) -> str:
    """Return rows as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
