"""Tasks on other machines, by dask.distributed."""

from __future__ import annotations

import logging
import pickle
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from slipcast.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["connect", "run_on"]

_CONNECT_S = 10.0
_RETURN_S = 10.0
_POLL_S = 0.005
_LOST = "the Dask cluster lost its workers; go on when it has some, what is done is kept"


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
        What they share is sent once for each object, not for each task.
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
    """Tell whether there is a worker; wait a little for one, which a nanny may be starting anew."""
    try:
        if not client.nthreads():
            client.wait_for_workers(1, timeout=_RETURN_S)
    except (OSError, TimeoutError):
        return False
    return True
