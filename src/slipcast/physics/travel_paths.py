"""Fastest paths of long waves over a sea floor, and means of depth and grid along them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from slipcast.geodesy import EARTH_RADIUS_M
from slipcast.physics.shallow_water import GaugeStencil, LongWaves

__all__ = ["PathMeans", "TravelPaths"]

_MOST_NODES = 50_000  # of the graph on which paths are found
_STEPS = [
    (rows, columns)
    for rows in range(-2, 3)
    for columns in range(-2, 3)
    if abs(rows) + abs(columns) == 1 or abs(rows * columns) in (1, 2)
]  # to the sixteen nearest nodes in different directions
_LONGEST2 = 60.0**2  # s^2; where cells take longer than that, in shallow water, no wave of interest is resolved
_ASHORE_NODES, _ASHORE_M_S = 200, 100.0  # nodes looked at for a point on land, and what distance from it costs


@dataclass(frozen=True)
class PathMeans:
    """Means over the travel time of the first wave between a gauge and other points.

    Attributes
    ----------
    travel_time_s : array, shape (n_points,)
        Travel time of the long wave, s.
    depth_m : array, shape (n_points,)
        Depth of the water, m.
    cell_time_s2 : array, shape (n_points,)
        Square of the time in which the wave crosses a cell, s^2: (dx^2 cos^4 a + dy^2 sin^4 a) / c^2 for a wave in
        direction a, on which the dispersion of the grid depends.
    """

    travel_time_s: np.ndarray
    depth_m: np.ndarray
    cell_time_s2: np.ndarray


class TravelPaths:
    """Fastest paths of long waves over a sea floor, and means along them.

    Parameters
    ----------
    waves : LongWaves
        Grid and sea floor. Where it has more than 50,000 cells, paths are found on blocks of cells.

    Notes
    -----
    Shortest paths on a graph of sixteen directions (Dijkstra 1959). The travel time is right to some per cent, which is
    enough for means along the path, and no substitute for an eikonal solver.
    """

    def __init__(self, waves: LongWaves):
        rows, columns = waves.grid.shape
        self._waves, self._block = waves, max(1, int(np.ceil(np.sqrt(rows * columns / _MOST_NODES))))
        size = self._block
        shape = (-(-rows // size), -(-columns // size))
        padding = ((0, shape[0] * size - rows), (0, shape[1] * size - columns))

        def total(values: np.ndarray) -> np.ndarray:
            return np.pad(values, padding).reshape(shape[0], size, shape[1], size).sum(axis=(1, 3))

        wet = total(waves.wet.astype(float))
        self._depth = np.where(wet > 0, total(waves.depth_m) / np.maximum(wet, 1), 0.0)
        self._speed = waves.speed_m_s(self._depth)
        self._shape = shape
        middle = np.minimum((np.arange(shape[0]) + 0.5) * size - 0.5, rows - 1)
        self._cosine = np.cos(np.radians(waves.grid.lat_south_deg + middle * waves.grid.spacing_deg))
        self._graph = self._edges()

    def _edges(self) -> csr_matrix:
        """Join every wet node to the sixteen around it, by the travel time."""
        rows, columns = self._shape
        number = np.arange(rows * columns).reshape(self._shape)
        cell_m = np.radians(self._waves.grid.spacing_deg) * self._block * EARTH_RADIUS_M
        starts, ends, seconds = [], [], []
        slowness = np.where(self._speed > 0, 1 / np.maximum(self._speed, 1e-9), np.inf)
        for down, right in _STEPS:
            own = slice(max(0, -down), rows - max(0, down)), slice(max(0, -right), columns - max(0, right))
            other = slice(max(0, down), rows + min(0, down)), slice(max(0, right), columns + min(0, right))
            cosine = (self._cosine[own[0]] + self._cosine[other[0]])[:, np.newaxis] / 2
            metres = cell_m * np.hypot(down, right * cosine)
            took = metres * (slowness[own] + slowness[other]) / 2
            both = np.isfinite(took)
            starts.append(number[own][both])
            ends.append(number[other][both])
            seconds.append(took[both])
        joined = (np.concatenate(seconds), (np.concatenate(starts), np.concatenate(ends)))
        return csr_matrix(joined, shape=(number.size, number.size))

    def means(self, gauge: GaugeStencil, lon_deg: np.ndarray, lat_deg: np.ndarray) -> PathMeans:
        """Compute means along the fastest paths from a gauge.

        Parameters
        ----------
        gauge : GaugeStencil
            Of :meth:`LongWaves.stencil`.
        lon_deg, lat_deg : array, shape (n_points,)
            Other ends; one on land, or where no wave comes, counts as the nearest that a wave reaches.

        Returns
        -------
        means : PathMeans
        """
        size, (_, columns) = self._block, self._shape
        at = int(np.argmax(gauge.weights))
        start = int(gauge.rows[at]) // size * columns + int(gauge.columns[at]) // size
        seconds, before = dijkstra(self._graph, indices=start, return_predecessors=True)
        order = np.argsort(seconds)
        order = order[: np.isfinite(seconds).sum()]
        step_m = np.radians(self._waves.grid.spacing_deg) * EARTH_RADIUS_M
        sums = _along_paths(
            order, before, seconds, self._depth.ravel(), self._speed.ravel(), self._cosine, columns, step_m, _LONGEST2
        )
        grid = self._waves.grid
        at_row, at_column = (
            (np.asarray(index, float) - (size - 1) / 2) / size for index in grid.position(lon_deg, lat_deg)
        )
        nearest = _nearest(order, seconds, columns, np.stack([at_row, at_column], 1), size * step_m / _ASHORE_M_S)
        took = seconds[nearest]
        # at the gauge itself, averaged over directions: cos^4 has the mean 3/8
        own_cell = 3 / 4 * (step_m / self._speed.ravel()[start]) ** 2
        own = np.array([self._depth.ravel()[start], min(own_cell, _LONGEST2)])
        means = np.where(took > 0, sums[:, nearest] / np.where(took > 0, took, 1.0), own[:, np.newaxis])
        return PathMeans(took, *means)


def _nearest(order: np.ndarray, seconds: np.ndarray, columns: int, at: np.ndarray, cell_s: float) -> np.ndarray:
    """Find the node of each point, by row and column: the nearest; for one on land, that of the nearest open sea."""
    reached = order[1:] if order.size > 1 else order
    distance, found = cKDTree(np.stack(np.divmod(reached, columns), 1)).query(at, min(_ASHORE_NODES, reached.size))
    distance, nodes = (part.reshape(len(at), -1) for part in (distance, reached[found]))
    ashore = distance[:, 0] > 1.0
    soonest = (seconds[nodes] + distance * cell_s).argmin(axis=1)
    return nodes[np.arange(len(at)), np.where(ashore, soonest, 0)]


@njit(cache=True)
def _along_paths(order, before, seconds, depth, speed, cosine, columns, step_m, longest2):
    """Add up depth and squared crossing time of cells, times seconds, from the start to each node in order of time."""
    sums = np.zeros((2, seconds.size))
    for node in order[1:]:
        last = before[node]
        row, column, row_0, column_0 = node // columns, node % columns, last // columns, last % columns
        shrink = (cosine[row] + cosine[row_0]) / 2
        north, east = (row - row_0) * 1.0, (column - column_0) * shrink
        length2 = north**2 + east**2
        cell2 = step_m**2 * ((east**2 / length2) ** 2 * shrink**2 + (north**2 / length2) ** 2)
        took = seconds[node] - seconds[last]
        of_cells = min(cell2 / speed[node] ** 2, longest2) + min(cell2 / speed[last] ** 2, longest2)
        sums[0, node] = sums[0, last] + took * (depth[node] + depth[last]) / 2
        sums[1, node] = sums[1, last] + took * of_cells / 2
    return sums
