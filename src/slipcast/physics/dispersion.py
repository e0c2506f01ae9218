r"""Frequency dispersion of long waves, as a change of the frequencies of each response.

A long wave of wavenumber :math:`k` oscillates with :math:`\Omega = k\sqrt{gH}`, a real one with
:math:`\omega = \sqrt{gk\tanh kH}`. Started at rest, both are sums over wavenumbers of cosines of time with the same
amplitudes, so the real wave follows from the long wave at the same place: its cosine transform, summed up again at the
frequencies that the wavenumbers have in truth. On a flat ocean this is exact at any distance. Elsewhere the depth is
its mean over the travel time of the wave, to which the dispersion of long periods, :math:`\omega \approx \Omega (1 -
\Omega^2 H / 6g)`, adds up along the path. What the grid disperses by itself is taken out in the same step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.fft import dct
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from slipcast.geodesy import EARTH_RADIUS_M
from slipcast.physics.shallow_water import GRAVITY_M_S2, GaugeStencil, LongWaves

__all__ = ["PathMeans", "TravelPaths", "disperse"]

_MOST_NODES = 50_000  # of the graph on which paths are found
_STEPS = [
    (rows, columns)
    for rows in range(-2, 3)
    for columns in range(-2, 3)
    if abs(rows) + abs(columns) == 1 or abs(rows * columns) in (1, 2)
]  # to the sixteen nearest nodes in different directions
_LONGEST2 = 60.0**2  # s^2; where cells take longer than that, in shallow water, no wave of interest is resolved
_TOLERANCE_RAD = 0.3  # of phase, between transforms that are interpolated: to a hundredth
_SHORTEST_SAMPLES = 5  # in the period at which that counts
_CELL_RATIO = 1.25
_RESOLVED = 0.6  # of the sine of half the phase across a cell: five cells a wavelength
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


def disperse(
    series: np.ndarray,
    *,
    interval_s: float,
    depth_m: np.ndarray,
    cell_time_s2: np.ndarray | float = 0.0,
    step_s: float = 0.0,
    tolerance_rad: float = _TOLERANCE_RAD,
) -> np.ndarray:
    r"""Give long waves the dispersion of water waves.

    Parameters
    ----------
    series : array, shape (n_times, n_series)
        Waves from rest at time zero, of any unit, from time zero on; finite.
    interval_s : float
        Between samples, s.
    depth_m : array, shape (n_series,)
        Mean depth of the water that each wave crossed, m.
    cell_time_s2 : float or array, shape (n_series,), optional
        Mean square of the time in which a wave crosses a cell of the grid that computed it, s^2; zero for long waves
        without an error of a grid.
    step_s : float, optional
        Time step with which they were computed, s.
    tolerance_rad : float, optional
        Phase, at periods of five samples and the end of the series, between depths for which the transform is computed;
        between them it is interpolated linearly, to an error of an eighth of the square.

    Returns
    -------
    series : array, shape (n_times, n_series)
        The dispersed waves; those at time zero are unchanged.

    Notes
    -----
    The wavenumber of the frequency :math:`\Omega` on the grid, times the long-wave speed, is

    .. math:: K = \frac{2}{\sqrt{N}} \arcsin\left(\frac{\sqrt N}{\Delta t} \sin\frac{\Omega\,\Delta t}{2}\right),

    and the frequency of a water wave with that wavenumber (Airy 1845)

    .. math:: \omega = K \sqrt{\tanh(\kappa) / \kappa}, \qquad \kappa = K\sqrt{H / g}.
    """
    count, n_series = series.shape
    if count < 3 or not n_series:
        return series.copy()
    depth_m, cell_time_s2 = (np.broadcast_to(np.asarray(a, float), (n_series,)) for a in (depth_m, cell_time_s2))
    times = np.arange(count) * interval_s
    frequencies = np.pi * np.arange(count) / times[-1]
    amplitudes = dct(series, type=1, axis=0)
    amplitudes /= count - 1
    amplitudes[[0, -1]] *= 0.5
    out = np.zeros_like(series)
    for cells, height, members, shares in _nodes(depth_m, cell_time_s2, interval_s, times[-1], tolerance_rad):
        true = _true_frequency(frequencies, height, cells, step_s)
        cosines = np.cos((times[:, np.newaxis] * true).astype(series.dtype))
        out[:, members] += (cosines @ amplitudes[:, members]) * shares.astype(series.dtype)
    return out


def _true_frequency(frequency: np.ndarray, depth_m: float, cell_time_s2: float, step_s: float) -> np.ndarray:
    """Return the frequency of a water wave with the wavenumber that has a frequency on the grid, rad/s."""
    along = frequency
    if cell_time_s2 > 0:
        cell_s = np.sqrt(cell_time_s2)
        sine = np.sin(frequency * step_s / 2) * cell_s / step_s if step_s > 0 else frequency * cell_s / 2
        # beyond what the grid resolves, the tangent: late waves of the shelf must not be put before the first wave
        resolved = np.minimum(sine, _RESOLVED)
        along = 2 / cell_s * (np.arcsin(resolved) + (sine - resolved) / np.sqrt(1 - _RESOLVED**2))
    kappa = along * np.sqrt(depth_m / GRAVITY_M_S2)
    return along * np.sqrt(np.tanh(kappa) / np.where(kappa > 0, kappa, 1.0), where=kappa > 0, out=np.ones_like(kappa))


def _nodes(
    depth_m: np.ndarray, cell_time_s2: np.ndarray, interval_s: float, longest_s: float, tolerance_rad: float
) -> Iterator[tuple[float, float, np.ndarray, np.ndarray]]:
    """Divide series among few transforms: cell time and depth of each, which series take it, and their shares in it.

    The time in cells is rounded up, the depth raised so that the cubic term of the phase stays what it is, and the
    transform interpolated between two depths. So a series comes out the same whatever others are beside it.
    """
    rounded = np.zeros_like(cell_time_s2)
    some = cell_time_s2 > 0
    rounded[some] = _CELL_RATIO ** np.ceil(np.log(cell_time_s2[some]) / np.log(_CELL_RATIO) - 1e-9)
    depth = depth_m + GRAVITY_M_S2 / 4 * (rounded - cell_time_s2)
    width = 6 * GRAVITY_M_S2 * tolerance_rad / ((2 * np.pi / (_SHORTEST_SAMPLES * interval_s)) ** 3 * longest_s)
    below = np.floor(depth / width).astype(int)
    share = depth / width - below
    for cells in np.unique(rounded):
        alike = rounded == cells
        for node in np.unique([below[alike], below[alike] + 1]):
            weight = np.where(below == node, 1 - share, np.where(below + 1 == node, share, 0.0)) * alike
            if (members := np.flatnonzero(weight)).size:
                yield float(cells), float(node * width), members, weight[members]


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
