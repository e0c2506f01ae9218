"""Threads of the linear algebra: one at a time, where several would wait for each other."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

from threadpoolctl import ThreadpoolController

__all__ = ["single_threaded"]

# what brings libraries with threads of their own when it is imported
_BRINGERS = ("numpy", "scipy.linalg", "numba.np.ufunc.omppool", "torch")


def single_threaded(*, blas_alone: bool = False) -> AbstractContextManager[Any]:
    """Keep linear algebra to one thread.

    Threads that wait for each other over small matrices are many times slower on a busy machine, and products are
    added up in another order by another number of them.

    Parameters
    ----------
    blas_alone : bool, optional
        Leave OpenMP, which PyTorch computes with, as it is.

    Returns
    -------
    context : context manager
        For a ``with``; at its end all is as before.

    Examples
    --------
    >>> from threadpoolctl import threadpool_info
    >>> with single_threaded():
    ...     {each["num_threads"] for each in threadpool_info()}
    {1}
    """
    controller = _controller(tuple(name in sys.modules for name in _BRINGERS))
    return controller.limit(limits=1, user_api="blas" if blas_alone else None)


@lru_cache(maxsize=1)
def _controller(_loaded: tuple[bool, ...]) -> ThreadpoolController:
    """Find the libraries that are loaded, which takes some milliseconds; again when others may have come."""
    return ThreadpoolController()
