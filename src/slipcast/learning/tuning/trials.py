"""Trials of a search: settings from a shared study, trainings one by one or several at once, losses reported to it."""

from __future__ import annotations

import shutil
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slipcast.errors import InputError
from slipcast.io.atomic import put_in_place
from slipcast.io.labels import window_samples
from slipcast.learning.checkpoint import BEST_FOLDER, Checkpoint
from slipcast.learning.config import TrainConfig
from slipcast.learning.stacked import OWN_SETTINGS, train_many
from slipcast.learning.train import Diverged, train
from slipcast.learning.tuning.space import SearchSpace
from slipcast.scenarios.scenario_set import ScenarioSet

if TYPE_CHECKING:
    import optuna

__all__ = ["BEST", "Search", "ask", "finished", "give_up", "load_study", "require_optuna", "run_trials", "storage"]

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
    together: int = 1

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


def ask(
    search: Search, study: optuna.Study, count: int, *, worker: int = 0, shared: bool = False
) -> list[optuna.Trial]:
    """Draw the settings of trials to be trained at once; they share all but :data:`OWN_SETTINGS` with the first.

    Parameters
    ----------
    search : Search
    study : optuna.Study
        Its sampler is made again, so that what is tried depends on the trials before and on the seed alone.
    count : int
        Trials to draw.
    worker : int, optional
        Number of the process.
    shared : bool, optional
        Whether other trials are under way meanwhile.

    Returns
    -------
    trials : list of optuna.Trial
        With settings suggested.
    """
    import optuna

    draw = np.random.SeedSequence([search.seed, len(finished(study)), worker]).generate_state(1)[0]
    sampler: optuna.samplers.BaseSampler = optuna.samplers.TPESampler(
        seed=int(draw), n_startup_trials=_FIRST_AT_RANDOM, constant_liar=shared or count > 1
    )
    study.sampler = sampler
    trials = []
    for _ in range(count):
        trials.append(study.ask())
        search.space.suggest(trials[-1], search.samples)
        if len(trials) == 1:
            common = {name: value for name, value in trials[0].params.items() if name not in OWN_SETTINGS}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                study.sampler = optuna.samplers.PartialFixedSampler(common, sampler)
    return trials


def run_trials(
    search: Search, study: optuna.Study, trials: Sequence[optuna.Trial], *, n_threads: int | None = None
) -> None:
    """Train with the settings of trials, and report their losses to the study.

    Parameters
    ----------
    search : Search
    study : optuna.Study
    trials : sequence of optuna.Trial
        Of :func:`ask`. Those of one architecture (``conv1d``) are trained at once, others one by one.
    n_threads : int, optional
        Of torch where networks are trained at once; by default as many as it has.
    """
    groups: dict[str, list[_Running]] = {}
    for trial in trials:
        running = _Running(search, study, trial)
        shared = running.config.model_dump_json(exclude=set(OWN_SETTINGS))
        alone = running.config.model != "conv1d"
        groups.setdefault(f"{trial.number}" if alone else shared, []).append(running)
    for group in groups.values():
        if len(group) == 1:
            group[0].train()
        else:
            _train_at_once(search, group, n_threads)


class _Running:
    """A trial under way."""

    def __init__(self, search: Search, study: optuna.Study, trial: optuna.Trial):
        self.search, self.study, self.trial = search, study, trial
        self.config = search.config.with_settings(**search.space.suggest(trial, search.samples))
        self.folder = search.trial_folder(trial.number)
        self.begin = time.monotonic()

    def report(self, row: Mapping[str, float], best: Mapping[str, float]) -> bool:
        """Report an epoch, now and then; return whether the trial is to continue."""
        every, epoch = max(1, self.config.epochs // _REPORTS), int(row["epoch"])
        if epoch % every == 0:
            self.trial.report(best["validation_loss_m2"], epoch // every)
            if self.trial.should_prune():
                self.trial.set_user_attr("epochs", epoch)
                return False
        return True

    def train(self) -> None:
        """Train alone, and report the result."""

        def stop_if_worse(row: Mapping[str, float], best: Mapping[str, float]) -> None:
            if not self.report(row, best):
                raise _Stopped

        try:
            trained = train(self.search.scenarios, self.folder, config=self.config, after_epoch=stop_if_worse)
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


def _train_at_once(search: Search, group: Sequence[_Running], n_threads: int | None) -> None:
    """Train networks that share an architecture at once."""
    found = train_many(
        search.scenarios,
        [running.config for running in group],
        n_threads=n_threads,
        go_on=lambda k, row, best: group[k].report(row, best),
    )
    for running, trained in zip(group, found, strict=True):
        if trained.last is None or trained.best is None:
            running.stopped()
            continue
        trained.last.save(running.folder)
        trained.best.save(running.folder / BEST_FOLDER)
        running.complete(trained.last)
        shutil.rmtree(running.folder, ignore_errors=True)
