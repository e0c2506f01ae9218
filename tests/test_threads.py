"""Threads of the linear algebra."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from slipcast.parallel.threads import single_threaded


def threads(kind):
    np.ones((2, 2)) @ np.ones((2, 2))
    return {each["num_threads"] for each in threadpool_info() if each["user_api"] == kind}


def test_one_thread_inside_and_as_before_after():
    with threadpool_limits(2):
        assert threads("blas") == {2}
        with single_threaded():
            assert threads("blas") == {1}
            assert threads("openmp") <= {1}
        assert threads("blas") == {2}


def test_openmp_can_be_left_alone():
    with threadpool_limits(2):
        before = threads("openmp")
        with single_threaded(blas_alone=True):
            assert threads("blas") == {1}
            assert threads("openmp") == before


def test_an_error_inside_does_not_leave_one_thread():
    with threadpool_limits(2):
        try:
            with single_threaded():
                raise ValueError
        except ValueError:
            pass
        assert threads("blas") == {2}
