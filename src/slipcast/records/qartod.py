"""Tests of QARTOD as the library ioos-qc has them: what it calls *fail*.

IOOS, Manual for Real-Time Quality Control of Water Level Data, 2021. Arrays have shape (n,), times are s, rising,
heights and levels m and finite.
"""

from __future__ import annotations

import numpy as np

__all__ = ["outside", "the_same_for", "too_fast"]

_FAIL = 4


def outside(height_m: np.ndarray, lowest_m: float, highest_m: float) -> np.ndarray:
    """Tell which heights are outside a range (gross range test), shape (n,).

    Examples
    --------
    >>> outside(np.array([90.0, 5000.0]), 100.0, 11_000.0).tolist()
    [True, False]
    """
    from ioos_qc import qartod

    if not height_m.size:
        return np.zeros(0, dtype=bool)
    return np.asarray(qartod.gross_range_test(height_m, (lowest_m, highest_m))) == _FAIL


def too_fast(time_s: np.ndarray, level_m: np.ndarray, rate_m_per_s: float) -> np.ndarray:
    """Tell which samples changed faster than a rate since the last (rate of change test), shape (n,).

    Examples
    --------
    >>> too_fast(np.array([0.0, 60.0, 120.0]), np.array([0.0, 0.0, 9.0]), 0.1).tolist()
    [False, False, True]
    """
    from ioos_qc import qartod

    if time_s.size < 3:
        return np.zeros(time_s.size, dtype=bool)
    tested = qartod.rate_of_change_test(level_m, _clock(time_s), threshold=rate_m_per_s, fail_threshold=rate_m_per_s)
    return np.ma.filled(tested, 0) == _FAIL


def the_same_for(time_s: np.ndarray, height_m: np.ndarray, span_s: float, tolerance_m: float) -> np.ndarray:
    """Tell at which samples heights have been the same for so long (flat line test), shape (n,).

    Examples
    --------
    >>> the_same_for(np.arange(0.0, 360.0, 60.0), np.array([1.0, 2.0, 2.0, 2.0, 2.0, 2.0]), 180.0, 0.001).tolist()
    [False, False, False, False, True, True]
    """
    from ioos_qc import qartod

    tested = qartod.flat_line_test(
        height_m, _clock(time_s), suspect_threshold=span_s, fail_threshold=span_s, tolerance=tolerance_m
    )
    return np.ma.filled(tested, 0) == _FAIL


def _clock(time_s: np.ndarray) -> np.ndarray:
    """Return times for ioos-qc: it cuts steps to whole seconds, and 59.999... would become 59."""
    return np.round(1e3 * time_s).astype("datetime64[ms]")
