"""Inversions through the public function, by the name of a method or by least squares."""

from __future__ import annotations

from collections.abc import Mapping

import slipcast as sc
from slipcast.inversion import SlipEstimate, method_named
from slipcast.inversion.least_squares import run_min


def longest(window_min) -> float:
    """Return the longest of some windows, minutes."""
    if isinstance(window_min, Mapping):
        return max((end for end in window_min.values() if 0 < end < 1000), default=60.0)
    return window_min


def named(records, bank, *, method: str, window_min, gauges=None, **options):
    """Make a method for the gauges of some records."""
    names = [name for name in records.gauges if name in bank.gauges] if gauges is None else list(gauges)
    return method_named(method, bank, window_min=longest(window_min), gauges=names, **options)


def invert_by(records, bank, *, method: str, window_min, gauges=None, **options) -> SlipEstimate:
    """Invert by the name of a method."""
    inverter = named(records, bank, method=method, window_min=window_min, gauges=gauges, **options)
    return sc.invert(records, inverter, window_min=window_min, gauges=gauges)


def least_squares(records, bank, **options) -> SlipEstimate:
    """Invert by non-negative least squares."""
    return sc.invert(records, sc.LeastSquares(bank, **options))


def replay_by(
    records,
    bank,
    *,
    method: str,
    minutes=None,
    latency_min=0.0,
    gauges=None,
    forecast_gauges=None,
    progress=None,
    **more,
) -> sc.Replay:
    """Replay by the name of a method, for windows as long as the runs of its gauges."""
    names = [name for name in records.gauges if name in bank.gauges] if gauges is None else list(gauges)
    inverter = method_named(method, bank, window_min=run_min(bank, names), gauges=names, **more)
    return sc.replay(
        records,
        inverter,
        minutes=minutes,
        latency_min=latency_min,
        gauges=gauges,
        forecast_gauges=forecast_gauges,
        progress=progress,
    )
