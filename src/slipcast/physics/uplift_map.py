r"""Uplift of the cells of a box by slip on subfaults, and the transpose: near field fine, far field coarse.

Far from a fault its uplift is smooth. So it is evaluated on every cell only near each unit source, on nodes of a
coarser grid farther off, of a still coarser one beyond, and interpolated from there:

.. math:: U = C_0, \qquad C_k = P_{k+1} C_{k+1} + D_k,

with :math:`P` Lagrange's interpolation by polynomials of degree seven, and :math:`D_k` what it lacks, kept in a
rectangle around each unit source alone. The transpose takes the same factors in the other order, so it is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from slipcast.physics.okada import unit_source_uplift
from slipcast.physics.unit_sources import Subfaults

if TYPE_CHECKING:
    from slipcast.physics.shallow_water import Box, LongWaves

__all__ = ["Level", "Patch", "UpliftMap"]

_COARSE_ARCMIN = (4.0, 12.0)
_REACH_SPACINGS = 11.0  # a grid is used beyond this many of its spacings from the subfaults
_POINTS = 8  # of the interpolation, along each axis


@dataclass(frozen=True)
class Patch:
    """Uplift of the subfaults of one unit source in a rectangle of a grid.

    Attributes
    ----------
    nodes : (slice, slice)
        Rows and columns of the grid.
    subfaults : slice
        Which subfaults.
    uplift : array, shape (n_nodes, n_parts)
        m per m, nodes row by row.
    """

    nodes: tuple[slice, slice]
    subfaults: slice
    uplift: np.ndarray


@dataclass(frozen=True)
class Level:
    """One of the grids on which uplift is kept, the finest first.

    Attributes
    ----------
    lat_deg, lon_deg : array
        Nodes, degrees.
    patches : list of Patch
        One for each unit source.
    interpolation : (array, array) or None
        From the next coarser grid along rows and columns, shapes (n_nodes, n_coarser_nodes); None on the coarsest.
    """

    lat_deg: np.ndarray
    lon_deg: np.ndarray
    patches: list[Patch]
    interpolation: tuple[np.ndarray, np.ndarray] | None


class UpliftMap:
    """The linear map from slip on subfaults to uplift of the cells of a box.

    Parameters
    ----------
    waves : LongWaves
        The grid, and where the sea is; its type of numbers is that of the map.
    box : Box
        The cells.
    subfaults : Subfaults
        Where slip may be.

    Notes
    -----
    Against Okada's formula on every cell, responses at gauges differ by less than 1e-5 of their maximum
    (``benchmarks/studies/solver.py``). On grids of 12 arc-minutes and coarser it is evaluated on every cell.
    """

    def __init__(self, waves: LongWaves, box: Box, subfaults: Subfaults):
        self.wet = waves.wet[box.slices]
        self.n_subfaults = len(subfaults)
        axes = _axes(waves.grid.lat_deg[box.slices[0]], waves.grid.lon_deg[box.slices[1]], waves.grid.spacing_deg)
        self.levels = [Level(lat, lon, [], interpolation) for lat, lon, interpolation in axes]
        for number in range(len(subfaults.sources)):
            for level, patch in zip(self.levels, _patches(self.levels, subfaults, number), strict=True):
                level.patches.append(Patch(patch.nodes, patch.subfaults, patch.uplift.astype(waves.dtype)))
        for patch in self.levels[0].patches:
            patch.uplift[~self.wet[patch.nodes].ravel()] = 0.0
        self._restrictions: list[tuple[csr_array, np.ndarray] | None] = []
        for level in self.levels:
            if level.interpolation is None:
                self._restrictions.append(None)
            else:
                rows, columns = (weights.astype(waves.dtype) for weights in level.interpolation)
                self._restrictions.append((csr_array(rows.T), columns))

    @property
    def nbytes(self) -> int:
        """Memory of the uplift kept, bytes."""
        return sum(patch.uplift.nbytes for level in self.levels for patch in level.patches)

    def forward(self, slip_m: np.ndarray) -> np.ndarray:
        """Compute uplift from slip.

        Parameters
        ----------
        slip_m : array, shape (n_subfaults,)
            Slip, m.

        Returns
        -------
        uplift_m : array, shape of the box
            Positive up, m; zero on land.
        """
        field = np.zeros(())
        for level in reversed(self.levels):
            if level.interpolation is None:
                field = np.zeros((level.lat_deg.size, level.lon_deg.size))
            else:
                rows, columns = level.interpolation
                field = rows @ field @ columns.T
            for patch in level.patches:
                field[patch.nodes] += (patch.uplift @ slip_m[patch.subfaults]).reshape(field[patch.nodes].shape)
        return field * self.wet

    def adjoint(self, fields: np.ndarray) -> np.ndarray:
        """Apply the transpose of :meth:`forward`.

        Parameters
        ----------
        fields : array, shape (n_fields, shape of the box)
            Numbers on cells; those on land are not looked at.

        Returns
        -------
        on_subfaults : array, shape (n_fields, n_subfaults)
        """
        fields = fields * self.wet
        out = np.zeros((len(fields), self.n_subfaults), fields.dtype)
        for level, restriction in zip(self.levels, self._restrictions, strict=True):
            for patch in level.patches:
                out[:, patch.subfaults] += fields[:, *patch.nodes].reshape(len(fields), -1) @ patch.uplift
            if restriction is not None:
                rows, columns = restriction
                fields = np.stack([rows @ field for field in fields]) @ columns
        return out


def _axes(lat_deg: np.ndarray, lon_deg: np.ndarray, spacing_deg: float) -> list[tuple]:
    """Lay the grids, the finest first: latitudes, longitudes, and interpolation from the next."""
    levels = []
    for coarse_arcmin in _COARSE_ARCMIN:
        if (factor := int(coarse_arcmin / (60 * spacing_deg) + 1e-9)) >= 2:
            rows, columns = (_interpolation(axis.size, factor) for axis in (lat_deg, lon_deg))
            levels.append((lat_deg, lon_deg, (rows, columns)))
            lat_deg, lon_deg = (
                _coarser(axis, weights.shape[1], factor) for axis, weights in ((lat_deg, rows), (lon_deg, columns))
            )
            spacing_deg *= factor
    return [*levels, (lat_deg, lon_deg, None)]


def _coarser(axis_deg: np.ndarray, count: int, factor: int) -> np.ndarray:
    """Lay the nodes of a coarser axis, which begins half an interpolation before the finer one."""
    return axis_deg[0] + (np.arange(count) - _POINTS // 2) * factor * (axis_deg[1] - axis_deg[0])


def _interpolation(count: int, factor: int) -> np.ndarray:
    """Compute Lagrange weights from nodes ``factor`` apart, shape (count, n_coarser); nodes on both sides of all."""
    at = np.arange(count) / factor + _POINTS // 2
    first = np.floor(at).astype(int) - (_POINTS // 2 - 1)
    weights = np.zeros((count, first[-1] + _POINTS))
    for node in range(_POINTS):
        others = np.delete(np.arange(_POINTS), node)
        weights[np.arange(count), first + node] = np.prod(
            (at[:, np.newaxis] - first[:, np.newaxis] - others) / (node - others), axis=1
        )
    return weights


def _patches(levels: list[Level], subfaults: Subfaults, number: int) -> list[Patch]:
    """Evaluate the uplift by one unit source: on the coarsest grid, and what the finer ones add; float64."""
    source, divisions = subfaults.sources[number], subfaults.divisions[number]
    own = np.flatnonzero(subfaults.source_index == number)
    patches: list[Patch] = []
    coarser, corner = np.zeros((0, 0, 0)), (0, 0)  # what is known on the next grid, from which node on
    for depth in range(len(levels) - 1, -1, -1):
        level = levels[depth]
        nodes = _around(level, levels[depth + 1], subfaults, own) if depth + 1 < len(levels) else _whole(level)
        lon, lat = np.meshgrid(level.lon_deg[nodes[1]], level.lat_deg[nodes[0]])
        uplift = exact = unit_source_uplift(lon, lat, source, divisions=divisions)
        if level.interpolation is not None:
            known = tuple(slice(start, start + size) for start, size in zip(corner, coarser.shape[:2], strict=True))
            rows, columns = (weights[on, of] for weights, on, of in zip(level.interpolation, nodes, known, strict=True))
            along = np.tensordot(columns, np.tensordot(rows, coarser, axes=(1, 0)), axes=(1, 1))
            uplift = exact - along.transpose(1, 0, 2)
        coarser, corner = exact, (nodes[0].start, nodes[1].start)
        patches.append(Patch(nodes, slice(own[0], own[-1] + 1), uplift.reshape(-1, own.size)))
    return patches[::-1]


def _whole(level: Level) -> tuple[slice, slice]:
    """Return all nodes of a grid."""
    return slice(0, level.lat_deg.size), slice(0, level.lon_deg.size)


def _around(level: Level, coarser: Level, subfaults: Subfaults, own: np.ndarray) -> tuple[slice, slice]:
    """Find the nodes near the subfaults of a unit source, where the coarser grid does not do."""
    lat, lon = subfaults.lat_deg[own], subfaults.lon_deg[own]
    reach = _REACH_SPACINGS * (coarser.lat_deg[1] - coarser.lat_deg[0])
    reach_east = reach / np.cos(np.radians(np.abs(lat).max()))
    middle = level.lon_deg.mean()
    lon = middle + (lon - middle + 180.0) % 360.0 - 180.0
    slices = []
    for axis, low, high in (
        (level.lat_deg, lat.min() - reach, lat.max() + reach),
        (level.lon_deg, lon.min() - reach_east, lon.max() + reach_east),
    ):
        slices.append(slice(int(np.searchsorted(axis, low)), int(np.searchsorted(axis, high, side="right"))))
    return slices[0], slices[1]
