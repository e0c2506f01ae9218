"""Workers of a search: this process, other processes of this machine, or those of a Dask cluster, on one study."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from slipcast.learning.tuning.trials import Search, ask, load_study, require_optuna, run_trial
from slipcast.parallel.executor import run_tasks

__all__ = ["search_by_workers", "search_here"]


def search_here(search: Search, count: int, progress: Callable[[], None]) -> None:
    """Run some trials in this process."""
    for _ in range(count):
        study = load_study(search)
        run_trial(search, study, ask(search, study))
        progress()


def search_by_workers(
    search: Search, count: int, progress: Callable[[], None], *, workers: int, scheduler: str | None
) -> None:
    """Run some trials in processes, or on the workers of a Dask cluster.

    A trial is a task: its settings are in the study before it is sent, so that it is the same trial on another worker
    where the first is lost.

    Raises
    ------
    InputError
        If workers cannot start or are all killed, no scheduler answers, it has no workers or has lost them, or a worker
        does not see the study.
    """
    how: dict[str, Any] = {"kind": "processes", "workers": workers, "scheduler": scheduler, "ahead": 1}
    with closing(run_tasks(_run_number, _asked(search, count), **how)) as results:
        for _ in results:
            progress()


def _asked(search: Search, count: int) -> Iterator[tuple[Search, int]]:
    """Ask for trials as there are workers free for them."""
    for number in range(1, count + 1):
        # trials that are asked for before others have finished are drawn by other random numbers
        yield search, ask(search, load_study(search), worker=number, shared=True).number


def _run_number(search: Search, number: int) -> None:
    """Run a trial by number, unless it is done."""
    import optuna

    require_optuna()
    study = load_study(search)
    known = study.get_trials(deepcopy=False)[number]
    if not known.state.is_finished():
        run_trial(search, study, optuna.trial.Trial(study, known._trial_id))
