"""Projection of a reciprocal run onto sources: subfaults by their uplift, humps of the sea surface."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from slipcast.errors import InputError
from slipcast.geodesy import EARTH_RADIUS_M
from slipcast.physics.humps import HumpMap, Humps, hump_box
from slipcast.physics.shallow_water import Box, GaugeStencil, LongWaves
from slipcast.physics.unit_sources import Subfaults
from slipcast.physics.uplift_map import UpliftMap

__all__ = ["HumpProjection", "Projection", "SubfaultProjection", "uplift_box"]

_UPLIFT_MARGIN_DEG = 2.5  # uplift is followed this far beyond the outermost subfaults
_SNAPSHOTS = 60  # waves are projected onto subfaults this many samples at a time


class _CellMap(Protocol):
    """A linear map from sources to the cells of a box."""

    wet: np.ndarray

    def adjoint(self, fields: np.ndarray) -> np.ndarray:
        """Turn fields, shape (n_fields, shape of the box), into numbers on sources, (n_fields, n_sources)."""


class Projection:
    """Waves on a grid turned into responses to sources of a kind.

    Parameters
    ----------
    waves : LongWaves
        The grid and its sea floor.
    box : Box
        The cells that sources lift.
    uplift : UpliftMap or HumpMap
        From sources to these cells.
    lon_deg, lat_deg : array, shape (n_sources,)
        Middles of the sources, degrees.
    """

    def __init__(self, waves: LongWaves, box: Box, uplift: _CellMap, lon_deg: np.ndarray, lat_deg: np.ndarray):
        self.waves = waves
        self.box = box
        self.uplift: Any = uplift
        self.lon_deg, self.lat_deg = lon_deg, lat_deg
        self.smooth: Callable[[np.ndarray], np.ndarray] | None = None

    def response(
        self, gauge: GaugeStencil, *, interval_s: float, count: int, stop: threading.Event | None = None
    ) -> np.ndarray:
        """Compute sea level at a gauge per metre of each source, by one reciprocal run.

        Parameters
        ----------
        gauge : GaugeStencil
            From :meth:`LongWaves.stencil`.
        interval_s : float
            Sampling interval, s.
        count : int
            Number of intervals.
        stop : threading.Event, optional
            When set, the run ends early and what it returns is to be thrown away.

        Returns
        -------
        response : array, shape (count + 1, n_sources)
            m per m, float32, from time zero.
        """
        out = np.empty((count + 1, len(self.lon_deg)), np.float32)
        snapshots = np.empty((_SNAPSHOTS, *self.uplift.wet.shape), self.waves.dtype)
        filled = 0
        states = self.waves.gauge_sensitivity(gauge, interval_s=interval_s, count=count, box=self.box)
        for k, state in enumerate(states):
            if stop and stop.is_set():
                break
            # smoothing is symmetric, so the wave may be smoothed in place of every uplift
            snapshots[filled] = self.smooth(state) if self.smooth else state
            filled += 1
            if filled == _SNAPSHOTS or k == count:
                out[k + 1 - filled : k + 1] = self.uplift.adjoint(snapshots[:filled])
                filled = 0
        return out


class SubfaultProjection(Projection):
    """Waves on a grid turned into responses to slip on subfaults.

    Parameters
    ----------
    waves : LongWaves
        The grid and its sea floor.
    subfaults : Subfaults
        Outside the absorbing margin of the grid.
    kajiura : bool
        Smooth the uplift of the surface by 1/cosh(kh), h the mean depth around the subfaults (Kajiura 1963).

    Raises
    ------
    InputError
        If a subfault is outside the grid or in its margin; the message names its unit source.
    """

    def __init__(self, waves: LongWaves, subfaults: Subfaults, *, kajiura: bool):
        box = uplift_box(waves, subfaults)
        super().__init__(waves, box, UpliftMap(waves, box, subfaults), subfaults.lon_deg, subfaults.lat_deg)
        self.smooth = _kajiura_filter(waves, box) if kajiura else None


class HumpProjection(Projection):
    """Waves on a grid turned into responses to humps of the sea surface.

    Parameters
    ----------
    waves : LongWaves
        The grid and its sea floor.
    humps : Humps
        Outside the absorbing margin of the grid.

    Raises
    ------
    InputError
        If a hump reaches outside the grid or into its margin, or the grid does not resolve it.
    """

    def __init__(self, waves: LongWaves, humps: Humps):
        box = hump_box(waves, humps)
        super().__init__(waves, box, HumpMap(waves, box, humps), humps.lon_deg, humps.lat_deg)


def uplift_box(waves: LongWaves, subfaults: Subfaults) -> Box:
    """Find the cells in which uplift is followed: all around the subfaults, outside the absorbing margin.

    Parameters
    ----------
    waves : LongWaves
        The grid.
    subfaults : Subfaults
        Where slip may be.

    Returns
    -------
    box : Box
        Up to 2.5 degrees beyond the outermost subfaults.

    Raises
    ------
    InputError
        If a subfault is outside the grid or in its margin; the message names its unit source.
    """
    rows, columns = waves.grid.position(subfaults.lon_deg, subfaults.lat_deg)
    inside = waves.interior
    for index, low, high in (
        (rows, inside.row_start, inside.row_stop - 1),
        (columns, inside.column_start, inside.column_stop - 1),
    ):
        if (bad := (index < low) | (index > high)).any():
            source = subfaults.source_names[subfaults.source_index[int(np.argmax(bad))]]
            raise InputError(f"unit source {source} reaches outside the grid or into its absorbing margin")
    reach = _UPLIFT_MARGIN_DEG / waves.grid.spacing_deg
    reach_east = reach / np.cos(np.radians(np.abs(subfaults.lat_deg).max()))
    return Box(
        max(inside.row_start, int(rows.min() - reach)),
        min(inside.row_stop, int(rows.max() + reach) + 1),
        max(inside.column_start, int(columns.min() - reach_east)),
        min(inside.column_stop, int(columns.max() + reach_east) + 1),
    )


def _kajiura_filter(waves: LongWaves, box: Box) -> Callable[[np.ndarray], np.ndarray]:
    """Make the smoothing 1/cosh(kh) on a box, with its mean depth; symmetric, and without wrap-around."""
    depth = waves.depth_m[box.slices]
    mean_depth = depth[depth > 0].mean()
    step_m = np.radians(waves.grid.spacing_deg) * EARTH_RADIUS_M
    mean_cos = np.cos(np.radians(waves.grid.lat_deg[box.slices[0]].mean()))
    shape = tuple(2 * size for size in depth.shape)
    k_north = 2 * np.pi * np.fft.fftfreq(shape[0], step_m)
    k_east = 2 * np.pi * np.fft.rfftfreq(shape[1], step_m * mean_cos)
    gain = 1 / np.cosh(np.minimum(np.hypot(k_north[:, np.newaxis], k_east) * mean_depth, 300.0))

    def smooth(field: np.ndarray) -> np.ndarray:
        spectrum = np.fft.rfft2(field, shape) * gain
        return np.fft.irfft2(spectrum, shape)[: field.shape[0], : field.shape[1]].astype(field.dtype)

    return smooth
