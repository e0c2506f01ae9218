"""Workers of a search: this process, other processes of this machine, or those of a Dask cluster, on one study."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from slipcast.learning.tuning.trials import Search, ask, load_study, require_optuna, run_trials
from slipcast.parallel.executor import run_tasks

__all__ = ["search_by_workers", "search_here"]


def search_here(search: Search, count: int, progress: Callable[[], None]) -> None:
    """Run some trials in this process."""
    while count > 0:
        study = load_study(search)
        trials = ask(search, study, min(search.together, count))
        run_trials(search, study, trials)
        count -= len(trials)
        progress()


def search_by_workers(
    search: Search, count: int, progress: Callable[[], None], *, workers: int, scheduler: str | None
) -> None:
    """Run some trials in processes, or on the workers of a Dask cluster.

    Trials that are trained at once are a task: their settings are in the study before it is sent, so that they are the
    same trials on another worker where the first is lost.

    Raises
    ------
    InputError
        If workers cannot start or are all killed, no scheduler answers, it has no workers or has lost them, or a worker
        does not see the study.
    """
    how: dict[str, Any] = {"kind": "processes", "workers": workers, "scheduler": scheduler, "ahead": 1}
    with closing(run_tasks(_run_numbers, _asked(search, count), **how)) as results:
        for _ in results:
            progress()


def _asked(search: Search, count: int) -> Iterator[tuple[Search, list[int]]]:
    """Ask for trials as there are workers free for them."""
    number = 0
    while count > 0:
        number += 1  # trials that are asked for before others have finished are drawn by other random numbers
        trials = ask(search, load_study(search), min(search.together, count), worker=number, shared=True)
        count -= len(trials)
        yield search, [trial.number for trial in trials]


def _run_numbers(search: Search, numbers: list[int]) -> None:
    """Run trials by number, those that are not done."""
    import optuna

    require_optuna()
    study = load_study(search)
    known = study.get_trials(deepcopy=False)
    begun = [number for number in numbers if not known[number].state.is_finished()]
    trials = [optuna.trial.Trial(study, known[number]._trial_id) for number in begun]
    run_trials(search, study, trials, n_threads=1)
