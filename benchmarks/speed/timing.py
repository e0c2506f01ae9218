"""Times of work, taken in turn, so that a busy machine is as busy for one as for the other."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from slipcast.parallel.threads import single_threaded

__all__ = ["interleaved", "one_thread", "percentiles_ms", "ratios", "spread"]


def interleaved(works: Mapping[str, Callable[[], Any]], repeats: int, *, warm: bool = True) -> dict[str, list[float]]:
    """Time works in turn: first, second, ..., first, second, ...

    Parameters
    ----------
    works : mapping of str to callable
        What to time.
    repeats : int
        Rounds.
    warm : bool, optional
        Call each once before, which does not count.

    Returns
    -------
    seconds : dict of str to list of float
        One time a round.

    Examples
    --------
    >>> order = []
    >>> found = interleaved({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2)
    >>> "".join(order), len(found["a"])
    ('ababab', 2)
    """
    for work in works.values() if warm else ():
        work()
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            started = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median, the least and the most of values.

    Examples
    --------
    >>> spread([3.0, 1.0, 2.0])
    {'median': 2.0, 'least': 1.0, 'most': 3.0}
    """
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def ratios(above: Sequence[float], below: Sequence[float]) -> dict[str, float]:
    """Return the spread of the ratios of values of the same round.

    Examples
    --------
    >>> ratios([4.0, 6.0, 9.0], [2.0, 2.0, 2.0])["median"]
    3.0
    """
    return spread([a / b for a, b in zip(above, below, strict=True)])


def percentiles_ms(call: Callable[[], Any], calls: int) -> dict[str, float]:
    """Time a call again and again, after three that do not count; return its p50 and p99, ms."""
    for _ in range(3):
        call()
    seconds = []
    for _ in range(calls):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    p50, p99 = np.quantile(seconds, (0.5, 0.99))
    return {"p50_ms": 1e3 * float(p50), "p99_ms": 1e3 * float(p99)}


@contextmanager
def one_thread() -> Iterator[None]:
    """Leave one thread to linear algebra and to torch."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with single_threaded():
            yield
    finally:
        torch.set_num_threads(threads)
