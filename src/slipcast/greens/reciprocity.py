"""Responses of all sources at every gauge of a region by reciprocity, one run per gauge."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Generator, Iterator
from contextlib import closing
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from slipcast.errors import InputError, SlipcastWarning
from slipcast.geodesy import great_circle_distance, wrap_longitude
from slipcast.greens.parts import ResponseParts
from slipcast.parallel.executor import run_tasks, worker_count
from slipcast.parallel.progress import Progress
from slipcast.parallel.threads import single_threaded
from slipcast.physics.bathymetry import Bathymetry
from slipcast.physics.dispersion import disperse
from slipcast.physics.dissipation import SHELF_REFLECTION, left_after_arrival
from slipcast.physics.humps import Humps
from slipcast.physics.projection import HumpProjection, Projection, SubfaultProjection, uplift_box
from slipcast.physics.shallow_water import GaugeStencil, LongWaves
from slipcast.physics.travel_paths import TravelPaths
from slipcast.physics.unit_sources import Subfaults
from slipcast.regions.region import Region

__all__ = ["SAMPLE_S", "check_region", "gauges_at_sea", "run_gauges", "warn_if_coarse"]

SAMPLE_S = 60.0
"""Time between samples, s."""

_NEAR_FIELD_M = 700e3
_NEAR_SPACING_ARCMIN = 2.0


class _Run(NamedTuple):
    """A gauge whose response is to be computed."""

    gauge: str
    stencil: GaugeStencil
    n_intervals: int
    pressure: bool


class _Waves(NamedTuple):
    """What the runs on a grid share."""

    projection: Projection
    paths: TravelPaths | None
    dispersion: bool
    decay: bool

    def sensed(self, run: _Run, response: np.ndarray) -> np.ndarray:
        """Turn long waves at a gauge, shape (n_times, n_sources), into what it senses."""
        if self.paths:
            waves = self.projection.waves
            means = self.paths.means(run.stencil, self.projection.lon_deg, self.projection.lat_deg)
            if self.dispersion:
                response = disperse(
                    response,
                    interval_s=SAMPLE_S,
                    depth_m=means.depth_m,
                    cell_time_s2=means.cell_time_s2,
                    step_s=SAMPLE_S / waves.steps_per(SAMPLE_S),
                )
            if self.decay:
                time_s = np.arange(len(response)) * SAMPLE_S
                response = response * left_after_arrival(time_s, means.travel_time_s).astype(response.dtype)
        # at time zero the sea stands as high as the floor has risen
        return response - response[0] if run.pressure else response


def run_gauges(
    region: Region,
    bathymetry: Bathymetry,
    *,
    humps: Humps | None = None,
    min_depth_m: float = 10.0,
    kajiura: bool = False,
    elastic: bool = True,
    dispersion: bool = True,
    losses: bool = True,
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
    humps : Humps, optional
        Of the sea surface, as sources in place of the subfaults of the region; on the CPU alone.
    min_depth_m, kajiura, elastic, dispersion, losses, workers, progress, scheduler, device
        As in :meth:`slipcast.greens.bank.GreensBank.build`.
    parts : ResponseParts, optional
        Where responses are looked for, and kept as they are done.

    Returns
    -------
    series : dict of gauge name to array, shape (n_times, n_sources)
        What the gauge senses, m per m of slip or of height, every minute from the origin.
    depths_m : dict of gauge name to float
        Depth of the water there, m.

    Raises
    ------
    InputError
        If a gauge is on land or outside its grid, the bathymetry does not cover a grid, or the device is not there.
    """
    _check_device(device, scheduler)
    sources: Subfaults | Humps = region.subfaults() if humps is None else humps
    runs, depths, found = [], {}, {}
    for name, waves, stencils in gauges_at_sea(region, bathymetry, min_depth_m, elastic=elastic, losses=losses):
        count = round(region.grids[name].hours * 3600 / SAMPLE_S)
        shared = None
        for gauge, stencil in stencils.items():
            depths[gauge] = float(stencil.weights @ waves.depth_m[stencil.rows, stencil.columns])
            done = parts.find(gauge, (count + 1, len(sources))) if parts else None
            if done is not None:
                found[gauge] = done
                continue
            shared = shared or _Waves(
                HumpProjection(waves, sources)
                if isinstance(sources, Humps)
                else SubfaultProjection(waves, sources, kajiura=kajiura),
                TravelPaths(waves) if dispersion or losses else None,
                dispersion,
                losses,
            )
            runs.append((shared, _Run(gauge, stencil, count, region.gauge(gauge).senses == "pressure")))
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
    for _, waves, _ in gauges_at_sea(region, bathymetry or Bathymetry.etopo1(), min_depth_m):
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


def gauges_at_sea(
    region: Region, bathymetry: Bathymetry, min_depth_m: float, *, elastic: bool = False, losses: bool = False
) -> Iterator[tuple[str, LongWaves, dict[str, GaugeStencil]]]:
    """Lay every grid that has gauges, and find the cells of the gauges.

    Parameters
    ----------
    region : Region
        Gauges and grids.
    bathymetry : Bathymetry
        Covering the grids.
    min_depth_m : float
        Shallower cells are land, m.
    elastic, losses : bool, optional
        As in :meth:`slipcast.greens.bank.GreensBank.build`; of losses the coast alone, the decay is put on responses.

    Yields
    ------
    name : str
        Of a grid.
    waves : LongWaves
        On it.
    stencils : dict of str to GaugeStencil
        Its gauges by name.

    Raises
    ------
    InputError
        If a gauge is on land or outside its grid, or the bathymetry does not cover a grid.
    """
    for name in dict.fromkeys(gauge.grid for gauge in region.gauges):
        grid = region.grids[name].grid()
        waves = LongWaves(
            grid,
            bathymetry.depth_on(grid),
            min_depth_m=min_depth_m,
            elastic=elastic,
            coast_reflection=SHELF_REFLECTION if losses else 1.0,
        )
        stencils = {}
        for gauge in region.gauges:
            if gauge.grid == name:
                try:
                    stencils[gauge.name] = waves.stencil(gauge.lon, gauge.lat)
                except InputError as error:
                    raise InputError(f"gauge {gauge.name} on grid {name}: {error}") from error
        yield name, waves, stencils


def _run_all(
    runs: list[tuple[_Waves, _Run]],
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
    runs = sorted(runs, key=lambda run: -_work(*run))
    computed = _by_workers(runs, workers, scheduler) if device == "cpu" else _on_device(runs, device)
    with closing(computed) as responses:
        for name, response in responses:
            series[name] = response
            if parts:  # here, and not where it was computed: the library of netCDF is not for several threads
                parts.keep(name, response)
            if progress:
                progress(len(series), total, name)
    return series


def _work(shared: _Waves, run: _Run) -> float:
    """Estimate the cell updates of a run, to a factor."""
    waves = shared.projection.waves
    return run.n_intervals * waves.wet.size / waves.max_step_s


def _by_workers(
    runs: list[tuple[_Waves, _Run]], workers: int, scheduler: str | None
) -> Generator[tuple[str, np.ndarray], None, None]:
    """Compute responses in threads (the kernels let go of the interpreter lock), or on a cluster."""
    stop = threading.Event()
    respond = partial(_respond, stop=stop) if scheduler is None else _respond
    how: dict[str, Any] = {"kind": "threads", "workers": workers, "scheduler": scheduler, "stop": stop}
    # products are added up in another order by another number of threads
    with single_threaded(blas_alone=True), closing(run_tasks(respond, runs, **how)) as results:
        for run, response in results:
            yield run.gauge, response


def _check_device(device: str, scheduler: str | None) -> None:
    """Refuse a device that is not there, before the work; PyTorch is asked for other devices than the CPU alone."""
    if device == "cpu":
        return
    from slipcast.physics.shallow_water_torch import device_named

    device_named(device)
    if scheduler is not None:
        raise InputError(f"device {device} is for this machine: leave out the scheduler {scheduler}")


def _on_device(runs: list[tuple[_Waves, _Run]], device: str) -> Generator[tuple[str, np.ndarray], None, None]:
    """Compute responses on a device of PyTorch, all gauges of a grid at a time."""
    from slipcast.physics.shallow_water_torch import device_named, responses

    for shared in {id(shared): shared for shared, _ in runs}.values():
        together = [run for other, run in runs if other is shared]
        stencils, count = [run.stencil for run in together], together[0].n_intervals
        found = responses(shared.projection, stencils, interval_s=SAMPLE_S, count=count, device=device_named(device))
        for run, response in zip(together, found, strict=True):
            yield run.gauge, shared.sensed(run, response)


def _respond(shared: _Waves, run: _Run, *, stop: threading.Event | None = None) -> np.ndarray:
    """Compute one response."""
    with single_threaded(blas_alone=True):
        response = shared.projection.response(run.stencil, interval_s=SAMPLE_S, count=run.n_intervals, stop=stop)
        return response if stop and stop.is_set() else shared.sensed(run, response)
