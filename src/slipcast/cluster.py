"""Tasks on other machines, by dask.distributed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from slipcast.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["connect", "run_on"]

_CONNECT_S = 10.0
# how often a task is asked for again because what it needs was lost with workers
_LOSSES = 3
_RETURN_S = 10.0


@contextmanager
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
    try:
        client = Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"no Dask scheduler answers at {address!r}") from error
    try:
        yield client
    finally:
        client.close()


def run_on(
    client: Client, function: Callable[[Any, Any], Any], tasks: Iterable[tuple[Any, Any]], *, ahead: int = 2
) -> Iterator[tuple[Any, Any]]:
    """Call a function on a cluster.

    Parameters
    ----------
    client : distributed.Client
        Of :func:`connect`.
    function : callable
        Of what tasks share and of a task; pure, and importable on the workers.
    tasks : iterable of (shared, task)
        What they share is sent once for each object, not for each task, and to every worker, so that it outlives one.
    ahead : int, optional
        Tasks asked for at a time, for each thread of the cluster; 1 where the next depends on those that are done.

    Yields
    ------
    task, result
        As they are done. No more of them are asked for in advance than keep the cluster busy, so that memory does not
        grow with their number.

    Raises
    ------
    InputError
        If the cluster has no workers, or has lost them all and none has come within ten seconds.
    """
    from distributed import CancelledError, KilledWorker, as_completed

    if not (threads := client.nthreads()):
        raise InputError(f"the Dask scheduler at {client.scheduler_info()['address']} has no workers")

    sent: dict[int, tuple[Any, Any]] = {}
    running: dict[Any, tuple[Any, Any, Any, int]] = {}
    waiting = iter(tasks)
    queue = as_completed(loop=client.loop)

    def submit(shared: Any, task: Any, losses: int = 0) -> None:
        if id(shared) not in sent:  # with the object itself, so that its number is given to no other
            sent[id(shared)] = (shared, client.scatter(shared, hash=False, broadcast=True))
        scattered = sent[id(shared)][1]
        future = client.submit(function, scattered, task, pure=False)
        running[future.key] = (shared, task, scattered, losses)
        queue.add(future)

    for shared, task in islice(waiting, ahead * max(1, sum(threads.values()))):
        submit(shared, task)
    for future in queue:
        shared, task, scattered, losses = running.pop(future.key)
        try:
            result = future.result()
        except (CancelledError, KilledWorker) as error:
            # what tasks share went with the workers that had it; others may have come meanwhile
            if isinstance(error, CancelledError) and losses < _LOSSES and _has_workers(client):
                if sent.get(id(shared), (None, None))[1] is scattered:
                    del sent[id(shared)]
                submit(shared, task, losses + 1)
                continue
            message = "the Dask cluster lost its workers; go on when it has some, what is done is kept"
            raise InputError(message) from error
        yield task, result
        future.release()
        for shared, task in islice(waiting, 1):
            submit(shared, task)


def _has_workers(client: Client) -> bool:
    """Wait a little for a worker, one that a nanny starts anew for instance."""
    try:
        client.wait_for_workers(1, timeout=_RETURN_S)
    except TimeoutError:
        return False
    return True
