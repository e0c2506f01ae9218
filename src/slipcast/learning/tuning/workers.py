"""Workers of a search: processes of this machine, or those of a Dask cluster, on one study."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from slipcast.errors import InputError
from slipcast.learning.tuning.trials import Search, ask, finished, give_up, load_study, require_optuna, run_trials
from slipcast.parallel.executor import connect, run_on

if TYPE_CHECKING:
    import optuna

__all__ = ["search_here", "search_in_processes", "search_on_cluster"]

_POLL_S = 0.5
_ROUNDS = 4  # what workers that were killed have left is tried again so often


def search_here(search: Search, count: int, progress: Callable[[], None]) -> None:
    """Run some trials in this process."""
    while count > 0:
        study = load_study(search)
        trials = ask(search, study, min(search.together, count))
        run_trials(search, study, trials)
        count -= len(trials)
        progress()


def search_in_processes(
    search: Search, study: optuna.Study, total: int, workers: int, progress: Callable[[], None]
) -> None:
    """Run trials in processes until there are so many; what one that is killed leaves is done by others.

    Raises
    ------
    InputError
        If a process ends with a fault, or they are killed again and again.
    """
    for _ in range(_ROUNDS):
        if (left := total - len(finished(study))) <= 0:
            return
        _one_round(search, left, min(workers, -(-left // search.together)), progress)
        give_up(study)
    if len(finished(study)) < total:
        raise InputError("workers of the search are killed, perhaps for want of memory; --resume goes on with fewer")


def _one_round(search: Search, count: int, workers: int, progress: Callable[[], None]) -> None:
    """Run trials in several processes until none of these is left."""
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
    if failed := [process.exitcode for process in processes if (process.exitcode or 0) > 0]:
        raise InputError(f"a worker of the search ended with exit code {failed[0]}; --resume goes on")


def _worker(search: Search, worker: int, tickets: Any, problems: Any) -> None:
    """Run trials in a process of its own; hand a user's mistake over in words."""
    try:
        require_optuna()
        while (count := _take(tickets, search.together)) > 0:
            study = load_study(search)
            run_trials(search, study, ask(search, study, count, worker=worker, shared=True), n_threads=1)
    except InputError as error:
        problems.put(str(error))
    except KeyboardInterrupt:
        pass  # the first process says so


def _take(tickets: Any, most: int) -> int:
    """Take some of the trials that are left; return how many."""
    with tickets.get_lock():
        count = max(0, min(most, tickets.value))
        tickets.value -= count
        return count


def search_on_cluster(
    search: Search, study: optuna.Study, total: int, scheduler: str, progress: Callable[[], None]
) -> None:
    """Run trials on the workers of a Dask cluster until there are so many.

    A trial is a task: its settings are in the study before it is sent, so that one whose worker is lost is the same
    trial on another.

    Raises
    ------
    InputError
        If no scheduler answers, it has no workers or has lost them, or a worker does not see the study.
    """
    with connect(scheduler) as client:
        for _ in range(_ROUNDS):
            if (left := total - len(finished(study))) <= 0:
                return
            for _ in run_on(client, _run_numbers, _asked(search, left), ahead=1):
                progress()
            give_up(study)


def _asked(search: Search, count: int) -> Iterator[tuple[Search, list[int]]]:
    """Ask for trials as there are workers free for them."""
    while count > 0:
        trials = ask(search, load_study(search), min(search.together, count), shared=True)
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
