r"""Linear long waves on the sphere, forward and by reciprocity.

Staggered (Arakawa C) leap-frog scheme for sea level and the volume transports between cells. The coast reflects, in
full or in part, the edges of the grid absorb. In the product weighted by cell areas every step is symmetric, so sea
level at a gauge after a unit at a cell, and at the cell after a unit at the gauge, differ by the ratio of their areas
alone:

.. math:: A_g\, G(g \leftarrow c, t) = A_c\, G(c \leftarrow g, t).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from slipcast.errors import InputError
from slipcast.geodesy import EARTH_RADIUS_M
from slipcast.physics.bathymetry import Grid
from slipcast.physics.dissipation import Friction, Losses, friction_shares, losses_of_step
from slipcast.physics.leapfrog import advance, block_of_steps, start_transports, wet_runs

__all__ = ["GRAVITY_M_S2", "SOUND_SPEED_M_S", "Box", "GaugeStencil", "LongWaves"]

GRAVITY_M_S2 = 9.81
"""Acceleration of gravity, m/s^2."""

SOUND_SPEED_M_S = 1500.0
"""Speed of sound in sea water, m/s."""

_COURANT = 0.9
_SPONGE_DEG = 1.25
_SPONGE_EXPONENT = 4.0  # amplitude falls by exp(-4) on the way to the edge, and again on the way back


class Box(NamedTuple):
    """A rectangle of cells: rows [row_start, row_stop), columns [column_start, column_stop)."""

    row_start: int
    row_stop: int
    column_start: int
    column_stop: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the rectangle in an array of the grid's shape."""
        return slice(self.row_start, self.row_stop), slice(self.column_start, self.column_stop)


class GaugeStencil(NamedTuple):
    """The cells around a gauge, and the weights with which they make its sea level (they sum to one)."""

    rows: np.ndarray
    columns: np.ndarray
    weights: np.ndarray


class LongWaves:
    r"""Linear long waves over a given sea floor.

    Parameters
    ----------
    grid : Grid
        Cells in longitude and latitude.
    depth_m : array, shape of the grid
        Still-water depth, positive down, m, finite.
    min_depth_m : float, optional
        Cells less deep are land; waves reflect from it.
    open_boundary : bool, optional
        Absorb waves within 1.25 degrees of the edges; otherwise the edges are walls.
    elastic : bool, optional
        Slow waves down as compressible water and the give of the Earth do, by an effective depth h (1 - g h / c^2)
        with the speed of sound c = 1,500 m/s: by 0.9 % at 4,000 m, 1.3 % at 6,000 m.
    friction : Friction, optional
        Friction that grows towards shallow water, and a slow decay everywhere; by default none.
    coast_reflection : float, optional
        Reflection coefficient of the coast, in [0, 1]; 1 for walls.
    dtype : dtype, optional
        float32, or float64 for tests.

    Notes
    -----
    .. math::
        \partial_t \eta = -\frac{1}{R\cos\phi}\left[\partial_\lambda (hu) + \partial_\phi (hv\cos\phi)\right],\quad
        \partial_t u = -\frac{g}{R\cos\phi}\partial_\lambda\eta,\quad \partial_t v = -\frac{g}{R}\partial_\phi\eta

    without rotation or dispersion, and by default without the losses of :mod:`slipcast.physics.dissipation`; second
    order in space and time. The time step is at most 0.9 of the stable one. Not for water shallower than some tens of
    metres, where waves steepen and break, nor for land. Dispersion is added to series at gauges
    (:mod:`slipcast.physics.dispersion`).

    The effective depth is the sum of two effects of about the same size: compression of the water slows the phase
    speed by g h / 4 c^2 (Tsai et al. 2013, doi:10.1002/grl.50147), the elastic Earth under it, at periods of some
    2,000 s, by as much again (Watada et al. 2014, doi:10.1002/2013JB010841). The operator stays symmetric.

    Raises
    ------
    InputError
        If the depth has another shape, is not finite, or is nowhere at sea, or the reflection coefficient is out of
        range.
    """

    def __init__(
        self,
        grid: Grid,
        depth_m,
        *,
        min_depth_m: float = 10.0,
        open_boundary: bool = True,
        elastic: bool = False,
        friction: Friction | None = None,
        coast_reflection: float = 1.0,
        dtype=np.float32,
    ):
        depth_m = np.asarray(depth_m, dtype=float)
        if depth_m.shape != grid.shape:
            raise InputError(f"depth_m must have the grid's shape {grid.shape}, got {depth_m.shape}")
        if (bad := ~np.isfinite(depth_m)).any():
            where = tuple(int(i) for i in np.argwhere(bad)[0])
            raise InputError(f"depth_m must be finite, got {depth_m[where]} at index {where}")
        if not min_depth_m > 0:
            raise InputError(f"min_depth_m must be > 0 m, got {min_depth_m}")
        self.grid = grid
        self.wet = depth_m >= min_depth_m
        if not self.wet.any():
            raise InputError(f"depth_m must reach min_depth_m = {min_depth_m} m somewhere, got {depth_m.max():g} m")
        self.depth_m = np.where(self.wet, depth_m, 0.0)
        self.elastic = elastic
        self.dtype = np.dtype(dtype)
        self.open_boundary = open_boundary
        if not 0 <= coast_reflection <= 1:
            raise InputError(f"coast_reflection must be in [0, 1], got {coast_reflection}")
        self.friction, self.coast_reflection = friction, float(coast_reflection)
        self._wet_runs = wet_runs(self.wet)

    def speed_m_s(self, depth_m):
        """Return the speed of long waves, m/s, by the depth of the water, m."""
        return np.sqrt(GRAVITY_M_S2 * self._effective(np.asarray(depth_m, float)))

    def _effective(self, depth_m: np.ndarray) -> np.ndarray:
        """Return the depth of rigid, incompressible water in which waves are as fast."""
        return depth_m * (1 - GRAVITY_M_S2 * depth_m / SOUND_SPEED_M_S**2) if self.elastic else depth_m

    @property
    def max_step_s(self) -> float:
        """Longest time step taken, s."""
        dlat = EARTH_RADIUS_M * np.radians(self.grid.spacing_deg)
        dlon = dlat * np.cos(np.radians(self.grid.lat_deg))[:, np.newaxis]
        rate = self.speed_m_s(self.depth_m) * np.sqrt(1 / dlon**2 + 1 / dlat**2)
        return float(_COURANT / rate.max())

    @property
    def whole_grid(self) -> Box:
        """All cells."""
        rows, columns = self.grid.shape
        return Box(0, rows, 0, columns)

    @property
    def interior(self) -> Box:
        """The cells outside the absorbing margin; sources and gauges belong here."""
        rows, columns = self.grid.shape
        margin = self._margin_cells
        return Box(margin, rows - margin, margin, columns - margin)

    @property
    def _margin_cells(self) -> int:
        """Width of the absorbing margin, cells."""
        return int(np.ceil(_SPONGE_DEG / self.grid.spacing_deg)) if self.open_boundary else 0

    def steps_per(self, interval_s: float) -> int:
        """Return the number of time steps into which an interval is divided."""
        return int(np.ceil(interval_s / self.max_step_s - 1e-9))

    def propagate(self, sea_level_m, *, interval_s: float, count: int, seen: Box | None = None) -> Iterator[np.ndarray]:
        """Follow waves from an initial sea level at rest.

        Parameters
        ----------
        sea_level_m : array, shape of the grid
            Initial sea level, m; on land it is ignored.
        interval_s : float
            Time between the states given, s.
        count : int
            Number of intervals.
        seen : Box, optional
            Where the states are looked at. Elsewhere they may be wrong, for cells that can no longer matter are no
            longer computed.

        Yields
        ------
        sea_level_m : array, shape of the grid
            At 0, 1, ..., count intervals; a view that the next step overwrites.
        """
        states = self._undecayed(sea_level_m, interval_s=interval_s, count=count, seen=seen)
        for k, eta in enumerate(states):
            left = self.left_after(k * interval_s)
            yield eta if left == 1 else eta * self.dtype.type(left)

    def left_after(self, time_s: float) -> float:
        """Return what the background's decay leaves of waves after a time, s."""
        return float(np.exp(-time_s / (2 * self.friction.decay_time_s))) if self.friction else 1.0

    def _undecayed(self, sea_level_m, *, interval_s: float, count: int, seen: Box | None) -> Iterator[np.ndarray]:
        """Follow waves as :meth:`propagate` does, without the background's decay, which is the same everywhere."""
        eta = np.where(self.wet, sea_level_m, 0.0).astype(self.dtype)
        per_interval = self.steps_per(interval_s)
        factors, damping = self._factors(interval_s / per_interval)
        losses = self._losses(interval_s / per_interval)
        rows, columns = eta.shape
        m, n = np.zeros((rows, columns + 1), self.dtype), np.zeros((rows + 1, columns), self.dtype)
        start_transports(self._starting(eta, losses), m, n, *factors[:2])
        block = block_of_steps(columns, self.dtype.itemsize)
        start, end = tuple(_bounding_box(eta)), tuple(seen or self.whole_grid)
        yield eta
        for k in range(count):
            steps = (k * per_interval, per_interval, count * per_interval)
            advance((eta, m, n), factors, damping, losses, self._margin_cells, self._wet_runs, steps, block, start, end)
            yield eta

    def _losses(self, dt_s: float) -> Losses:
        """Compute the losses of a time step."""
        options = {"friction": self.friction, "coast_reflection": self.coast_reflection, "dtype": self.dtype}
        speed_m_s = self.speed_m_s(self.depth_m)
        return losses_of_step(self.grid, self.depth_m, self.wet, speed_m_s, self._wet_runs, dt_s, **options)

    def _starting(self, eta: np.ndarray, losses: Losses) -> np.ndarray:
        """Return the sea level that sets off the first transports: with it steps that lose are symmetric too."""
        coast = losses.coast
        if not coast.columns.size:
            return eta
        eta = eta.copy()
        eta[..., coast.rows, coast.columns] /= coast.before
        return eta

    def _factors(self, dt_s: float) -> tuple[tuple, tuple]:
        """Compute the coefficients of a time step: transports from sea level, and back; damping."""
        grid, h = self.grid, self._effective(self.depth_m)
        step = np.radians(grid.spacing_deg)
        cos_centre = np.cos(np.radians(grid.lat_deg))
        cos_edge = np.cos(np.radians(np.append(grid.lat_deg, grid.lat_north_deg) - grid.spacing_deg / 2))
        rows, columns = grid.shape
        m_factor, n_factor = np.zeros((rows, columns + 1)), np.zeros((rows + 1, columns))
        both_wet = self.wet[:, 1:] & self.wet[:, :-1]
        m_factor[:, 1:-1] = both_wet * (h[:, 1:] + h[:, :-1]) / 2
        m_factor *= (GRAVITY_M_S2 * dt_s / (EARTH_RADIUS_M * step * cos_centre))[:, np.newaxis]
        both_wet = self.wet[1:] & self.wet[:-1]
        n_factor[1:-1] = both_wet * (h[1:] + h[:-1]) / 2
        n_factor *= (GRAVITY_M_S2 * dt_s / (EARTH_RADIUS_M * step) * cos_edge)[:, np.newaxis]
        if shares := friction_shares(self.depth_m, self.wet, dt_s, self.friction):
            m_factor *= shares[0]
            n_factor *= shares[1]
        out_of_cell = dt_s / (EARTH_RADIUS_M * step * cos_centre)
        return (
            tuple(a.astype(self.dtype) for a in (m_factor, n_factor, out_of_cell, out_of_cell)),
            tuple(a.astype(self.dtype) for a in self._damping(dt_s)),
        )

    def _damping(self, dt_s: float) -> tuple[np.ndarray, ...]:
        """Compute what a step leaves of sea level and transports, by row and by column.

        Sea level and transports are damped alike, which leaves the impedance as it is, so that a wave enters the
        margin without an echo; the damping rises as the square of the depth into it.
        """
        rows, columns = self.grid.shape
        width = self._margin_cells
        speed = float(self.speed_m_s(self.depth_m[self.wet].mean()))
        metres = EARTH_RADIUS_M * np.radians(_SPONGE_DEG)

        def left(index, size, metres):
            if not width:
                return np.ones(len(index))
            into = np.clip(np.maximum(width - index, index - (size - 1 - width)) / width, 0, 1)
            return np.exp(-3 * _SPONGE_EXPONENT * into**2 * speed * dt_s / metres)

        mean_cos = np.cos(np.radians(self.grid.lat_deg)).mean()
        return (
            left(np.arange(rows), rows, metres),
            left(np.arange(columns), columns, metres * mean_cos),
            left(np.arange(columns + 1) - 0.5, columns, metres * mean_cos),
            left(np.arange(rows + 1) - 0.5, rows, metres),
        )

    def stencil(self, lon_deg: float, lat_deg: float) -> GaugeStencil:
        """Find the cells that make the sea level at a point, by bilinear interpolation between wet ones.

        Parameters
        ----------
        lon_deg, lat_deg : float
            Degrees; any branch of longitude.

        Returns
        -------
        stencil : GaugeStencil
            Up to four wet cells.

        Raises
        ------
        InputError
            If the point is outside the grid, in its absorbing margin, or on land (the nearest wet point is given).
        """
        row, column = self.grid.cell(lon_deg, lat_deg)
        inside = self.interior
        if not (inside.row_start <= row < inside.row_stop and inside.column_start <= column < inside.column_stop):
            raise InputError(
                f"point ({lon_deg:g}, {lat_deg:g}) is within {_SPONGE_DEG} degrees of the edge of the grid, "
                "where waves are absorbed"
            )
        if not self.wet[row, column]:
            possible = np.zeros_like(self.wet)
            possible[inside.slices] = self.wet[inside.slices]
            lon, lat = self.grid.nearest_wet_cell(lon_deg, lat_deg, possible if possible.any() else self.wet)
            raise InputError(
                f"point ({lon_deg:g}, {lat_deg:g}) is on land; the nearest wet point is ({lon:.3f}, {lat:.3f})"
            )
        at_row, at_column = (float(index) for index in self.grid.position(lon_deg, lat_deg))
        rows = np.floor(at_row).astype(int) + np.array([0, 0, 1, 1])
        columns = np.floor(at_column).astype(int) + np.array([0, 1, 0, 1])
        weights = (1 - np.abs(rows - at_row)) * (1 - np.abs(columns - at_column))
        rows, columns = (np.clip(index, 0, size - 1) for index, size in zip((rows, columns), self.grid.shape))
        weights = np.where(self.wet[rows, columns], weights, 0.0)
        keep = weights > 0
        return GaugeStencil(rows[keep], columns[keep], weights[keep] / weights.sum())

    def gauge_series(self, sea_level_m, gauges: list[GaugeStencil], *, interval_s: float, count: int) -> np.ndarray:
        """Record sea level at gauges after an initial sea level at rest (a forward run).

        Parameters
        ----------
        sea_level_m : array, shape of the grid
            Initial sea level, m.
        gauges : list of GaugeStencil
            From :meth:`stencil`.
        interval_s : float
            Sampling interval, s.
        count : int
            Number of intervals.

        Returns
        -------
        series : array, shape (n_gauges, count + 1)
            m, from time zero.
        """
        return np.stack(
            [
                [gauge.weights @ eta[gauge.rows, gauge.columns] for gauge in gauges]
                for eta in self.propagate(sea_level_m, interval_s=interval_s, count=count)
            ],
            axis=-1,
        )

    def gauge_sensitivity(
        self, gauge: GaugeStencil, *, interval_s: float, count: int, box: Box
    ) -> Iterator[np.ndarray]:
        """Compute the response of a gauge to a unit in every cell of a box (one reciprocal run).

        Parameters
        ----------
        gauge : GaugeStencil
            From :meth:`stencil`.
        interval_s : float
            Sampling interval, s.
        count : int
            Number of intervals.
        box : Box
            Where the units are; outside the absorbing margin, where reciprocity is exact.

        Yields
        ------
        sensitivity : array, shape of the box
            Sea level at the gauge, m, at 0, 1, ... intervals after 1 m in that cell alone; zero on land.
        """
        unit, ratio = self.gauge_unit(gauge)
        by_row = ratio[box.slices[0], np.newaxis].astype(self.dtype)
        states = self._undecayed(unit, interval_s=interval_s, count=count, seen=box)
        for k, eta in enumerate(states):
            yield eta[box.slices] * (by_row * self.dtype.type(self.left_after(k * interval_s)))

    def gauge_unit(self, gauge: GaugeStencil) -> tuple[np.ndarray, np.ndarray]:
        """Return the initial state of the reciprocal run of a gauge, and the factor from its waves to the response.

        Parameters
        ----------
        gauge : GaugeStencil
            From :meth:`stencil`.

        Returns
        -------
        sea_level_m : array, shape of the grid
            Initial sea level, m.
        ratio : array, shape (n_rows,)
            Area of a cell of each row over that of the gauge's.
        """
        area = self.grid.cell_area_m2
        unit = np.zeros(self.grid.shape)
        # scaled by the area at the gauge, to stay near one in float32
        np.add.at(unit, (gauge.rows, gauge.columns), gauge.weights * area[gauge.rows[0]] / area[gauge.rows])
        return unit, area / area[gauge.rows[0]]


def _bounding_box(field: np.ndarray) -> Box:
    """Find the smallest box that holds all that is not zero."""
    rows, columns = np.flatnonzero(field.any(axis=1)), np.flatnonzero(field.any(axis=0))
    if not rows.size:
        return Box(0, 0, 0, 0)
    return Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)
