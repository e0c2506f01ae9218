"""Trials of a search: settings drawn from a shared study, trainings, and their losses reported to it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slipcast.errors import InputError
from slipcast.io.atomic import put_in_place
from slipcast.io.labels import window_samples
from slipcast.learning.checkpoint import Checkpoint
from slipcast.learning.config import TrainConfig
from slipcast.learning.train import Diverged, train
from slipcast.learning.tuning.space import SearchSpace
from slipcast.scenarios.scenario_set import ScenarioSet

if TYPE_CHECKING:
    import optuna

__all__ = ["BEST", "Search", "ask", "finished", "give_up", "load_study", "require_optuna", "run_trial", "storage"]

BEST = "best"
"""Name of the folder with the best network."""

_REPORTS = 30  # how often a trial may be stopped
_FIRST_AT_RANDOM = 8


@dataclass(frozen=True)
class Search:
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
    def journal(self) -> Path:
        """The file that holds the study."""
        return self.folder / "study.log"

    @property
    def about(self) -> dict[str, Any]:
        """Settings with which a study must have been begun to be resumed."""
        return {
            "scenarios": self.scenarios.id,
            "config": self.config.model_dump(mode="json"),
            "space": self.space.model_dump(mode="json", exclude_none=True),
            "seed": self.seed,
        }

    def trial_folder(self, number: int) -> Path:
        """Where a trial keeps its state while it runs."""
        return self.folder / "trials" / f"{number:04d}"


def require_optuna() -> None:
    """Refuse a machine without Optuna; silence it otherwise."""
    try:
        import optuna
    except ImportError as error:
        raise InputError("tuning needs Optuna: pip install 'slipcast[tune]'") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def storage(search: Search) -> optuna.storages.BaseStorage:
    """Open the journal, which several processes may append to."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(search.journal)))


def load_study(search: Search) -> optuna.Study:
    """Open a study that was begun; InputError where this machine does not see it."""
    import optuna

    if not search.journal.is_file():
        raise InputError(f"a worker does not see {search.journal}: the folder of a search must be shared with all")
    pruner = optuna.pruners.MedianPruner(n_startup_trials=_FIRST_AT_RANDOM, n_warmup_steps=1)
    return optuna.load_study(study_name="slipcast", storage=storage(search), pruner=pruner)


def finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that ended by themselves or were stopped for being bad, by number."""
    import optuna

    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return study.get_trials(deepcopy=False, states=states)


def give_up(study: optuna.Study) -> None:
    """Give up trials that a kill left running; their settings are tried again."""
    import optuna

    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        study.enqueue_trial(trial.params)


def ask(search: Search, study: optuna.Study, *, worker: int = 0, shared: bool = False) -> optuna.Trial:
    """Ask for a trial.

    Parameters
    ----------
    search : Search
    study : optuna.Study
        Its sampler is made again, so that what is tried depends on the trials before and on the seed alone.
    worker : int, optional
        Number of the process.
    shared : bool, optional
        Whether other trials are under way meanwhile.

    Returns
    -------
    trial : optuna.Trial
        With settings suggested.
    """
    import optuna

    draw = np.random.SeedSequence([search.seed, len(finished(study)), worker]).generate_state(1)[0]
    study.sampler = optuna.samplers.TPESampler(seed=int(draw), n_startup_trials=_FIRST_AT_RANDOM, constant_liar=shared)
    trial = study.ask()
    search.space.suggest(trial, search.samples)
    return trial


def run_trial(search: Search, study: optuna.Study, trial: optuna.Trial) -> None:
    """Train with the settings of a trial, and report its loss to the study."""
    _Running(search, study, trial).train()


class _Running:
    """A trial under way."""

    def __init__(self, search: Search, study: optuna.Study, trial: optuna.Trial):
        self.search, self.study, self.trial = search, study, trial
        self.config = search.config.with_settings(**search.space.suggest(trial, search.samples))
        self.folder = search.trial_folder(trial.number)
        self.begin = time.monotonic()

    def report(self, row: Mapping[str, float], best: Mapping[str, float]) -> None:
        """Report an epoch, now and then; _Stopped where the trial is worse than others."""
        every, epoch = max(1, self.config.epochs // _REPORTS), int(row["epoch"])
        if epoch % every == 0:
            self.trial.report(best["validation_loss_m2"], epoch // every)
            if self.trial.should_prune():
                self.trial.set_user_attr("epochs", epoch)
                raise _Stopped

    def train(self) -> None:
        """Train, and report the result."""
        try:
            trained = train(self.search.scenarios, self.folder, config=self.config, after_epoch=self.report)
        except (_Stopped, Diverged):
            self.stopped()
        else:
            self.complete(trained)
        shutil.rmtree(self.folder, ignore_errors=True)

    def stopped(self) -> None:
        """Report that it was stopped."""
        import optuna

        self.study.tell(self.trial, state=optuna.trial.TrialState.PRUNED)

    def complete(self, trained: Checkpoint) -> None:
        """Report its lowest loss, and keep the network, which is in its folder, if none was better."""
        from filelock import FileLock

        self.trial.set_user_attr("epochs", len(trained.history))
        self.trial.set_user_attr("best_epoch", trained.best_epoch)
        self.trial.set_user_attr("seconds", round(time.monotonic() - self.begin, 1))
        self.study.tell(self.trial, trained.history[trained.best_epoch - 1]["validation_loss_m2"])
        with FileLock(self.search.folder / ".best.lock"):
            if self.study.best_trial.number == self.trial.number:
                put_in_place(self.folder, self.search.folder / BEST)


class _Stopped(Exception):
    """A trial that is worse than others."""
