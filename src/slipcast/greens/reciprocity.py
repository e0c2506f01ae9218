"""Responses of all subfaults at every gauge of a region by reciprocity, one run per gauge."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Generator, Iterator
from contextlib import closing
from functools import partial
from typing import Any

import numpy as np

from slipcast.errors import InputError, SlipcastWarning
from slipcast.geodesy import great_circle_distance, wrap_longitude
from slipcast.greens.parts import ResponseParts
from slipcast.parallel.executor import run_tasks, worker_count
from slipcast.parallel.progress import Progress
from slipcast.parallel.threads import single_threaded
from slipcast.physics.bathymetry import Bathymetry
from slipcast.physics.projection import SubfaultProjection, uplift_box
from slipcast.physics.shallow_water import GaugeStencil, LongWaves
from slipcast.regions.region import Region

__all__ = ["SAMPLE_S", "check_region", "run_gauges", "warn_if_coarse"]

SAMPLE_S = 60.0
"""Time between samples, s."""

_NEAR_FIELD_M = 700e3
_NEAR_SPACING_ARCMIN = 2.0

_Run = tuple[str, SubfaultProjection, GaugeStencil, int]


def run_gauges(
    region: Region,
    bathymetry: Bathymetry,
    *,
    min_depth_m: float = 10.0,
    kajiura: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
    parts: ResponseParts | None = None,
    scheduler: str | None = None,
    device: str = "cpu",
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Compute the responses at every gauge of a region.

    Parameters
    ----------
    region : Region
        Gauges, unit sources and grids.
    bathymetry : Bathymetry
        Covering the grids.
    min_depth_m, kajiura, workers, progress, scheduler, device
        As in :meth:`slipcast.greens.bank.GreensBank.build`.
    parts : ResponseParts, optional
        Where responses are looked for, and kept as they are done.

    Returns
    -------
    series : dict of gauge name to array, shape (n_times, n_subfaults)
        m per m of slip, every minute from the origin.
    depths_m : dict of gauge name to float
        Depth of the water there, m.

    Raises
    ------
    InputError
        If a gauge is on land or outside its grid, the bathymetry does not cover a grid, or the device is not there.
    """
    _check_device(device, scheduler)
    subfaults = region.subfaults()
    runs, depths, found = [], {}, {}
    for name, waves, stencils in _gauges_at_sea(region, bathymetry, min_depth_m):
        count = round(region.grids[name].hours * 3600 / SAMPLE_S)
        projection = None
        for gauge, stencil in stencils.items():
            depths[gauge] = float(stencil.weights @ waves.depth_m[stencil.rows, stencil.columns])
            done = parts.find(gauge, (count + 1, len(subfaults))) if parts else None
            if done is not None:
                found[gauge] = done
                continue
            projection = projection or SubfaultProjection(waves, subfaults, kajiura=kajiura)
            runs.append((gauge, projection, stencil, count))
    how: dict[str, Any] = {"workers": workers, "scheduler": scheduler, "device": device}
    return _run_all(runs, found, parts=parts, progress=progress, **how), depths


def check_region(region: Region, *, bathymetry: Bathymetry | None = None, min_depth_m: float = 10.0) -> None:
    """Check a region against the sea floor, without computing any wave.

    Parameters
    ----------
    region : Region
        To be checked.
    bathymetry : Bathymetry, optional
        By default the packaged ETOPO1.
    min_depth_m : float, optional
        Shallower cells are land.

    Raises
    ------
    InputError
        If a gauge is on land or in the absorbing margin of its grid, or a unit source is not inside a grid.
    """
    subfaults = region.subfaults()
    for _, waves, _ in _gauges_at_sea(region, bathymetry or Bathymetry.etopo1(), min_depth_m):
        uplift_box(waves, subfaults)


def warn_if_coarse(region: Region) -> None:
    """Warn of DARTs near the sources on a grid that does not resolve the waves there."""
    subfaults = region.subfaults()
    for gauge in region.gauges:
        spacing = region.grids[gauge.grid].spacing_arcmin
        lon = wrap_longitude(gauge.lon)
        near = great_circle_distance(lon, gauge.lat, subfaults.lon_deg, subfaults.lat_deg).min() < _NEAR_FIELD_M
        if gauge.kind == "dart" and near and spacing > _NEAR_SPACING_ARCMIN:
            warnings.warn(
                f"DART {gauge.name} is near the sources, and its grid {gauge.grid} of {spacing:g} arc-minutes is "
                f"coarser than {_NEAR_SPACING_ARCMIN:g}: early waves come out too small (docs/grid-convergence.md)",
                SlipcastWarning,
                stacklevel=3,
            )
            return


def _gauges_at_sea(
    region: Region, bathymetry: Bathymetry, min_depth_m: float
) -> Iterator[tuple[str, LongWaves, dict[str, GaugeStencil]]]:
    """Lay every grid that has gauges, and find their cells: name of the grid, waves on it, stencils by gauge."""
    for name in dict.fromkeys(gauge.grid for gauge in region.gauges):
        grid = region.grids[name].grid()
        waves = LongWaves(grid, bathymetry.depth_on(grid), min_depth_m=min_depth_m)
        stencils = {}
        for gauge in region.gauges:
            if gauge.grid == name:
                try:
                    stencils[gauge.name] = waves.stencil(gauge.lon, gauge.lat)
                except InputError as error:
                    raise InputError(f"gauge {gauge.name} on grid {name}: {error}") from error
        yield name, waves, stencils


def _run_all(
    runs: list[_Run],
    found: dict[str, np.ndarray],
    *,
    parts: ResponseParts | None,
    workers: int | None,
    scheduler: str | None,
    device: str,
    progress: Progress | None,
) -> dict[str, np.ndarray]:
    """Compute the responses that are not found."""
    workers = worker_count(workers)
    series, total = dict(found), len(found) + len(runs)
    if progress and found:
        progress(len(found), total, "found")
    # the longest first, so that no core ends up alone with one of them
    runs = sorted(runs, key=lambda run: -run[3] * run[1].waves.wet.size / run[1].waves.max_step_s)
    computed = _by_workers(runs, workers, scheduler) if device == "cpu" else _on_device(runs, device)
    with closing(computed) as responses:
        for name, response in responses:
            series[name] = response
            if parts:  # here, and not where it was computed: the library of netCDF is not for several threads
                parts.keep(name, response)
            if progress:
                progress(len(series), total, name)
    return series


def _by_workers(runs: list[_Run], workers: int, scheduler: str | None) -> Generator[tuple[str, np.ndarray], None, None]:
    """Compute responses in threads (the kernels let go of the interpreter lock), or on a cluster."""
    stop = threading.Event()
    respond = partial(_respond, stop=stop) if scheduler is None else _respond
    tasks = ((projection, (name, stencil, count)) for name, projection, stencil, count in runs)
    how: dict[str, Any] = {"kind": "threads", "workers": workers, "scheduler": scheduler, "stop": stop}
    # products are added up in another order by another number of threads
    with single_threaded(blas_alone=True), closing(run_tasks(respond, tasks, **how)) as results:
        for (name, *_), response in results:
            yield name, response


def _check_device(device: str, scheduler: str | None) -> None:
    """Refuse a device that is not there, before the work; PyTorch is asked for other devices than the CPU alone."""
    if device == "cpu":
        return
    from slipcast.physics.shallow_water_torch import device_named

    device_named(device)
    if scheduler is not None:
        raise InputError(f"device {device} is for this machine: leave out the scheduler {scheduler}")


def _on_device(runs: list[_Run], device: str) -> Generator[tuple[str, np.ndarray], None, None]:
    """Compute responses on a device of PyTorch, all gauges of a grid at a time."""
    from slipcast.physics.shallow_water_torch import device_named, responses

    for projection in {id(run[1]): run[1] for run in runs}.values():
        together = [run for run in runs if run[1] is projection]
        stencils, count = [stencil for _, _, stencil, _ in together], together[0][3]
        found = responses(projection, stencils, interval_s=SAMPLE_S, count=count, device=device_named(device))
        for (name, *_), response in zip(together, found, strict=True):
            yield name, response


def _respond(
    projection: SubfaultProjection, run: tuple[str, GaugeStencil, int], *, stop: threading.Event | None = None
) -> np.ndarray:
    """Compute one response."""
    _, stencil, count = run
    with single_threaded(blas_alone=True):
        return projection.response(stencil, interval_s=SAMPLE_S, count=count, stop=stop)
