"""Execution of tasks in threads, in processes of this machine, or on the workers of a Dask cluster."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import multiprocessing.util
import os
import pickle
import signal
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import chain, islice
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal

from slipcast.errors import InputError, SlipcastWarning

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Results", "connect", "run_tasks", "worker_count"]

Function = Callable[[Any, Any], Any]
Tasks = Iterable[tuple[Any, Any]]
Results = Generator[tuple[Any, Any], None, None]
"""Tasks and their results, as they are done."""

_CONNECT_S = 10.0
_RETURN_S = 10.0
_POLL_S = 0.005
_END_S = 5.0
_LOST = "the Dask cluster lost its workers; resume when it has some, what is done is kept"


def worker_count(workers: int | None) -> int:
    """Return the number of workers, by default one per core; InputError if it is less than 1."""
    if workers is None:
        return os.cpu_count() or 1
    if workers < 1:
        raise InputError(f"workers must be >= 1, got {workers}")
    return workers


def run_tasks(
    function: Function,
    tasks: Tasks,
    *,
    kind: Literal["threads", "processes"],
    workers: int = 1,
    scheduler: str | None = None,
    ahead: int = 2,
    take_part: bool = False,
    stop: threading.Event | None = None,
) -> Results:
    """Call a function for tasks, by several workers at a time.

    Parameters
    ----------
    function : callable
        Of what tasks share and of a task. For processes and clusters it and all that it takes and returns can be
        pickled, and a task can be run again: the task of a worker that is lost is.
    tasks : iterable of (shared, task)
        What they share is sent to a worker once for each object, not for each task. Tasks are asked for as workers are
        free for them, so that memory does not grow with their number; of threads, all at once.
    kind : {"threads", "processes"}
        What the workers on this machine are.
    workers : int, optional
        How many; one process is this one. With more, a script needs ``if __name__ == "__main__":``.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``tcp://host:8786``, on whose workers tasks are run instead.
    ahead : int, optional
        Tasks that a process, or a thread of the cluster, has been given at a time; 1 where the next depends on those
        that are done.
    take_part : bool, optional
        Whether this process is one of several, and runs tasks itself.
    stop : threading.Event, optional
        Set where threads are to end before their tasks are done.

    Yields
    ------
    task, result
        As they are done, in any order. What a task raises is raised. When the generator is closed, or interrupted, the
        workers end.

    Raises
    ------
    InputError
        If processes cannot start or have all been killed, no scheduler answers, or the cluster has no workers or has
        lost them all and none has come within ten seconds.

    Warns
    -----
    SlipcastWarning
        If a process is killed; the others do its tasks.
    """
    if scheduler is not None:
        with connect(scheduler) as client:
            yield from _on_cluster(client, function, tasks, ahead)
    elif kind == "threads":
        yield from _in_threads(function, tasks, workers, stop)
    else:
        waiting = iter(tasks)
        first = list(islice(waiting, workers))
        if len(first) > 1:
            queue = _Queue(chain(first, waiting))
            yield from _in_processes(function, queue, len(first), ahead, take_part)
        else:
            yield from ((task, function(shared, task)) for shared, task in chain(first, waiting))


# --- threads


def _in_threads(function: Function, tasks: Tasks, workers: int, stop: threading.Event | None) -> Results:
    """Run tasks in threads."""
    with ThreadPoolExecutor(workers) as pool:
        try:
            futures = {pool.submit(function, shared, task): task for shared, task in tasks}
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            if stop is not None:
                stop.set()
            pool.shutdown(cancel_futures=True)
            raise


# --- processes


class _Queue:
    """Tasks that are waiting, those that come back from a worker first."""

    def __init__(self, tasks: Tasks):
        self._back: deque[tuple[Any, Any]] = deque()
        self._tasks = iter(tasks)

    def take(self) -> tuple[Any, Any] | None:
        """Return the next task; None where there is none left."""
        return self._back.popleft() if self._back else next(self._tasks, None)

    def put_back(self, tasks: Iterable[tuple[Any, Any]]) -> None:
        """Take tasks back from a worker that was lost."""
        self._back.extend(tasks)


@dataclass(eq=False)
class _Worker:
    """A process, and the tasks that it has been given, in order."""

    process: Any
    connection: Connection
    ready: bool = False
    given: deque[tuple[Any, Any]] = field(default_factory=deque)
    known: dict[int, Any] = field(default_factory=dict)

    @classmethod
    def start(cls, function: Function) -> _Worker:
        """Start a process; it takes seconds until it is ready for tasks."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, function), daemon=True)
        process.start()
        theirs.close()
        return cls(process, ours)

    def give(self, shared: Any, task: Any) -> None:
        """Send a task; one that is lost with the process is among those given."""
        self.given.append((shared, task))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if id(shared) not in self.known:
                self.known[id(shared)] = shared  # the object itself, so that its number is given to no other
                self.connection.send((id(shared), shared))
            self.connection.send((id(shared), _Task(task)))

    def end(self) -> None:
        """End the process, in the middle of a task if need be."""
        self.connection.close()
        if self.ready:
            self.process.join(_END_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _in_processes(function: Function, queue: _Queue, workers: int, ahead: int, take_part: bool) -> Results:
    """Run tasks in several processes, of which this may be one."""
    team: list[_Worker] = []
    try:
        with _without_interrupts():
            team.extend(_Worker.start(function) for _ in range(workers - take_part))
        while True:
            for depth in range(ahead):
                for worker in team:
                    if worker.ready and len(worker.given) <= depth and (next_task := queue.take()):
                        worker.give(*next_task)
            own = queue.take() if take_part else None
            if own is not None:
                yield own[1], function(*own)
            elif not any(worker.given for worker in team) and not _is_waited_for(team, queue):
                return
            for worker in _with_news(team, block=own is None):
                try:
                    news = worker.connection.recv()
                except (EOFError, ConnectionResetError):
                    _let_go(worker, team, queue, take_part)
                    continue
                if not worker.ready:
                    worker.ready = True
                    continue
                failed, result = news
                if failed:
                    raise result
                yield worker.given.popleft()[1], result
    finally:
        for worker in team:
            worker.connection.close()
        for worker in team:
            worker.end()


def _is_waited_for(team: list[_Worker], queue: _Queue) -> bool:
    """Tell whether a task is waiting for a process that is about to be ready."""
    if (task := queue.take()) is None:
        return False
    queue.put_back([task])
    return bool(team)


def _with_news(team: list[_Worker], *, block: bool) -> list[_Worker]:
    """Return the workers that have said something, or have ended; wait for one where it may take a while."""
    by_connection = {worker.connection: worker for worker in team}
    return [by_connection[found] for found in wait(list(by_connection), None if block else 0)]  # type: ignore[index]


def _let_go(worker: _Worker, team: list[_Worker], queue: _Queue, take_part: bool) -> None:
    """Take back the tasks of a worker that has ended; raise where none is left for them, or none could start."""
    worker.process.join(_END_S)
    worker.end()
    before = len(team) + take_part
    team.remove(worker)
    if not worker.ready and worker.process.exitcode > 0:
        raise InputError(
            f"a worker ended with exit code {worker.process.exitcode} before it began; a script that asks for several "
            'workers needs if __name__ == "__main__":'
        )
    queue.put_back(worker.given)
    if before == 1:
        raise InputError("all workers were killed, perhaps for want of memory; ask for fewer, what is done is kept")
    warnings.warn(
        f"one of {before} workers was killed, perhaps for want of memory; continuing with {before - 1}",
        SlipcastWarning,
        stacklevel=3,
    )


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Hold Ctrl-C back, for good in processes that are begun meanwhile: their parent gets it and ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # else it would be started with the first process, and let Ctrl-C through again
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@dataclass(frozen=True)
class _Task:
    """A task on its way to a process, and not what tasks share."""

    content: Any


def _work(connection: Connection, function: Function) -> None:
    """Run the tasks that come by a connection, in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    received: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_receive, args=(connection, received), daemon=True).start()
    known: dict[int, Any] = {}
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the other end was closed
        connection.send(None)
        while True:
            _answer(connection, function, known, received.get())


def _answer(connection: Connection, function: Function, known: dict[int, Any], message: bytes) -> None:
    """Keep what tasks share, or run a task and send what came of it."""
    try:
        number, content = pickle.loads(message)
        if not isinstance(content, _Task):
            known[number] = content
            return
        answer: tuple[bool, Any] = (False, function(known[number], content.content))
    except BaseException as error:  # noqa: BLE001 (raised where the task was asked for)
        answer = (True, error)
    try:
        connection.send(answer)
    except (TypeError, AttributeError, pickle.PicklingError):  # it holds what cannot be pickled
        connection.send((True, RuntimeError(f"{type(answer[1]).__name__}: {answer[1]}")))


def _receive(connection: Connection, received: SimpleQueue[bytes]) -> None:
    """Take in what comes by a connection; end this process at once when the other end is closed, or its process ends.

    So no send waits for a task, and none outlives its parent.
    """
    with contextlib.suppress(EOFError, OSError):
        while True:
            received.put(connection.recv_bytes())
    # locks that libraries made would otherwise be reported as leaked, on the user's terminal
    multiprocessing.util._run_finalizers(0)  # type: ignore[attr-defined]
    os._exit(1)


# --- a Dask cluster


@contextlib.contextmanager
def connect(address: str) -> Iterator[Client]:
    """Connect to a Dask scheduler, such as ``tcp://host:8786``.

    Raises
    ------
    InputError
        If distributed is not installed, or no scheduler answers within ten seconds.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError("a scheduler needs Dask: pip install 'slipcast[distributed]'") from error
    log = logging.getLogger("distributed.client")
    level = log.level
    try:
        client = Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"no Dask scheduler answers at {address!r}") from error
    log.setLevel(logging.CRITICAL)  # what is wrong is said in a line
    try:
        yield client
    finally:
        client.close()
        log.setLevel(level)


def _on_cluster(client: Client, function: Function, tasks: Tasks, ahead: int) -> Results:
    """Run tasks on a cluster; what they share is sent once for each object."""
    from distributed import CancelledError, KilledWorker, as_completed

    if not (threads := client.nthreads()):
        raise InputError(f"the Dask scheduler at {client.scheduler_info()['address']} has no workers")

    sent: dict[int, tuple[Any, Any]] = {}
    running: dict[Any, Any] = {}
    waiting = iter(tasks)
    queue = as_completed(loop=client.loop)

    def submit(shared: Any, task: Any) -> None:
        if id(shared) not in sent:  # with the object itself, so that its number is given to no other
            sent[id(shared)] = (shared, _send(client, shared))
        future = client.submit(function, sent[id(shared)][1], task, pure=False)
        running[future.key] = task
        queue.add(future)

    for shared, task in islice(waiting, ahead * max(1, sum(threads.values()))):
        submit(shared, task)
    while running:
        while not queue.has_ready():
            if not _has_workers(client):
                raise InputError(_LOST)
            _wait(queue)
        future = next(queue)
        try:
            result = future.result()
        except (CancelledError, KilledWorker) as error:
            raise InputError(_LOST) from error
        yield running.pop(future.key), result
        future.release()
        for shared, task in islice(waiting, 1):
            submit(shared, task)


def _send(client: Client, shared: Any) -> Any:
    """Send what tasks share, as the result of a task: it is made again where it is lost with a worker."""
    import cloudpickle
    import dask

    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
        return client.submit(pickle.loads, cloudpickle.dumps(shared), pure=False)


def _wait(queue: Any) -> None:
    """Wait for a result, for a second at most."""
    deadline = time.monotonic() + 1.0
    while not queue.has_ready() and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _has_workers(client: Client) -> bool:
    """Tell whether there is a worker; wait a little for one, which a nanny may be starting again."""
    try:
        if not client.nthreads():
            client.wait_for_workers(1, timeout=_RETURN_S)
    except (OSError, TimeoutError):
        return False
    return True
