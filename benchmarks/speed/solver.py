"""Speed of the long-wave solver: against plain numpy, and against what the memory lets through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from tests.reference.numpy_solvers import LeanNumpy, TextbookNumpy

from benchmarks.speed.machine import Triad, n_cores
from benchmarks.speed.timing import interleaved, ratios, spread
from slipcast.physics.bathymetry import Grid
from slipcast.physics.shallow_water import LongWaves

__all__ = ["BYTES_A_CELL", "GRIDS", "measure_solver"]

BYTES_A_CELL = 32
"""What a step must move for each cell, float32: sea level and two transports in and out, two coefficients in."""

_DEPTH_M = 4000.0
_HELD_BYTES = 20  # of these five numbers a cell that the memory or a cache holds
_UPDATES = 2e7  # of cells in a timed run, about
_NUMPY_SHARE = 8  # numpy is slower, and takes fewer steps


@dataclass(frozen=True)
class _Extent:
    """A grid to be timed on: longitudes, latitudes, spacing, what it stands for, and whether its edges are walls."""

    lon: tuple[float, float]
    lat: tuple[float, float]
    spacing_arcmin: float
    title: str
    walls: bool = False


GRIDS = {
    "small": _Extent((222, 230), (38, 46), 4.0, "8° of ocean at 4'", walls=True),
    "two_minutes": _Extent((220, 240), (36, 54), 2.0, "grid of Cascadia at 2'"),
    "one_minute": _Extent((220, 240), (36, 54), 1.0, "grid of Cascadia at 1'"),
    "half_minute": _Extent((220, 240), (36, 54), 0.5, "grid of Cascadia at 1/2'"),
}
"""Grids by name, from one that the cache of a core holds to one that no cache does."""


def measure_solver(names: tuple[str, ...], *, repeats: int, triad_mb: float) -> dict[str, Any]:
    """Time the solver on grids.

    Parameters
    ----------
    names : tuple of str
        Of :data:`GRIDS`.
    repeats : int
        Rounds.
    triad_mb : float
        As :class:`~benchmarks.speed.machine.Triad` takes it; it runs in the same rounds.

    Returns
    -------
    found : dict of grid name to dict
        ``title``, ``cells``, ``held_mb``; spreads of millions of cell updates a second: ``one``, the compiled solver on
        one core, ``all``, one run a core at the same time, ``lean`` and ``textbook`` numpy on one core, and
        ``limit_one`` and ``limit_all``, what the bandwidth lets through; spreads of the ratios
        ``over_lean``, ``over_textbook``, ``of_limit_one``, ``of_limit_all``.
    """
    return {name: _measure(GRIDS[name], repeats, triad_mb) for name in names}


def _measure(extent: _Extent, repeats: int, triad_mb: float) -> dict[str, Any]:
    """Time the solver on one grid."""
    grid = Grid.over(extent.lon, extent.lat, extent.spacing_arcmin)
    # the solver leaves out land: all is sea, so that every cell counts
    waves = LongWaves(grid, np.full(grid.shape, _DEPTH_M), open_boundary=not extent.walls)
    cells = int(np.prod(grid.shape))
    rows, columns = np.indices(grid.shape, sparse=True)
    start = np.cos(rows / 40.0) * np.cos(columns / 30.0)  # waves everywhere, which it cannot leave out either
    per_minute = waves.steps_per(60.0)
    minutes = max(1, round(_UPDATES / (cells * per_minute)))
    steps = minutes * per_minute
    numpy_steps = max(1, steps // _NUMPY_SHARE)
    cores = n_cores()
    triads = {"limit_one": Triad(triad_mb), "limit_all": Triad(triad_mb, cores)}
    runs = [_endless(waves, start) for _ in range(cores)]
    pool = ThreadPoolExecutor(cores)
    lean, textbook = (kind(waves, start, 60.0 / per_minute) for kind in (LeanNumpy, TextbookNumpy))
    works: dict[str, Callable[[], Any]] = {
        "one": lambda: _follow(runs[0], minutes),
        "lean": lambda: lean.advance(numpy_steps),
        "limit_one": triads["limit_one"],
        "textbook": lambda: textbook.advance(numpy_steps),
        "all": lambda: list(pool.map(_follow, runs, [minutes] * cores)),
        "limit_all": triads["limit_all"],
    }
    seconds = interleaved(works, repeats)
    pool.shutdown()
    updates: dict[str, float] = {"one": cells * steps, "all": cores * cells * steps, "lean": cells * numpy_steps}
    updates["textbook"] = updates["lean"]
    updates |= {name: triad.moved_bytes / BYTES_A_CELL for name, triad in triads.items()}
    rates = {name: [updates[name] / s / 1e6 for s in of_work] for name, of_work in seconds.items()}
    return {
        "title": extent.title,
        "cells": cells,
        "held_mb": cells * _HELD_BYTES / 1e6,
        **{name: spread(values) for name, values in rates.items()},
        "over_lean": ratios(rates["one"], rates["lean"]),
        "over_textbook": ratios(rates["one"], rates["textbook"]),
        "of_limit_one": ratios(rates["one"], rates["limit_one"]),
        "of_limit_all": ratios(rates["all"], rates["limit_all"]),
    }


def _endless(waves: LongWaves, start: np.ndarray) -> Iterator[Any]:
    """Follow waves minute by minute, without end."""
    return waves.propagate(start, interval_s=60.0, count=10**6)


def _follow(states: Iterator[Any], minutes: int) -> None:
    """Go on by some minutes."""
    for _ in range(minutes):
        next(states)
