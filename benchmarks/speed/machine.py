"""Limits of a machine: the bandwidth of its memory and the peak of its arithmetic."""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit
from threadpoolctl import threadpool_limits

from benchmarks.speed.timing import interleaved, spread

__all__ = ["Triad", "describe_machine", "measure_machine", "n_cores"]

_ARRAYS = 3
_MOVED_BYTES = 1e9


def n_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe_machine() -> dict[str, Any]:
    """Say what the numbers are of."""
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "cores": n_cores(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


@njit(cache=True, nogil=True, fastmath={"contract"})
def _triad(a, b, c, factor, passes):
    """Update an array in place from two others, as a step of the solver does."""
    for _ in range(passes):
        for i in range(a.size):
            a[i] += factor * (b[i] - c[i])


class Triad:
    """A triad in place, a += s (b - c), float32, over arrays that no cache holds.

    Three numbers are read and one is written for each element, 16 bytes. As ``a`` has been read before it is written,
    no line is fetched beyond these.

    Parameters
    ----------
    megabytes : float
        Size of the three arrays together, 10^6 bytes.
    threads : int, optional
        Each updates its own part.
    """

    def __init__(self, megabytes: float, threads: int = 1):
        size = max(threads, int(megabytes * 1e6 / (_ARRAYS * 4)))
        passes = math.ceil(_MOVED_BYTES / (16 * size))
        self.arrays = [np.full(size, value, np.float32) for value in (0.0, 1.0, 1.0)]
        edges = np.linspace(0, size, threads + 1).astype(int)
        self.parts = [(*(a[i:j] for a in self.arrays), np.float32(1e-6), passes) for i, j in pairwise(edges)]
        self.pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self.moved_bytes = 16 * size * passes

    def __call__(self) -> None:
        """Go over the arrays, until a gigabyte is moved."""
        kernel: Callable[..., None] = _triad
        if self.pool is None:
            kernel(*self.parts[0])
            return
        for done in [self.pool.submit(kernel, *part) for part in self.parts]:
            done.result()


def _product(size: int, threads: int) -> Callable[[], None]:
    """Make the product of two square matrices, float32."""
    left, right = np.ones((2, size, size), np.float32)
    out = np.empty_like(left)

    def work() -> None:
        with threadpool_limits(threads, user_api="blas"):
            np.matmul(left, right, out=out)

    return work


def measure_machine(*, triad_mb: float, gemm_size: int, repeats: int) -> dict[str, Any]:
    """Measure bandwidth and peak arithmetic, on one core and on all.

    Parameters
    ----------
    triad_mb : float
        As :class:`Triad` takes it.
    gemm_size : int
        Rows and columns of the matrices.
    repeats : int
        Rounds.

    Returns
    -------
    found : dict
        ``bandwidth_gb_s`` and ``gemm_gflop_s``, each with ``one`` and ``all`` cores, as spreads; ``core_share``, the
        part of a core that one thread of this process got: less than one on a busy machine.
    """
    cores = n_cores()
    triads = {"one": Triad(triad_mb), "all": Triad(triad_mb, cores)}
    products = {"one": _product(gemm_size, 1), "all": _product(gemm_size, cores)}
    works: dict[str, Callable[[], None]] = {f"triad_{name}": triad for name, triad in triads.items()}
    works |= {f"gemm_{name}": product for name, product in products.items()}
    seconds = interleaved(works, repeats)
    started, used = time.perf_counter(), time.process_time()
    triads["one"]()
    products["one"]()
    share = (time.process_time() - used) / (time.perf_counter() - started)
    flop = 2.0 * gemm_size**3
    return {
        "bandwidth_gb_s": {
            name: spread([triad.moved_bytes / s / 1e9 for s in seconds[f"triad_{name}"]])
            for name, triad in triads.items()
        },
        "core_share": min(1.0, share),
        "gemm_gflop_s": {name: spread([flop / s / 1e9 for s in seconds[f"gemm_{name}"]]) for name in products},
    }
