"""Connected segments of the unrolled fault: neighbouring subfaults by geometry, gaps and turns of the trench."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from slipcast.errors import InputError
from slipcast.geodesy import destination, great_circle_distance
from slipcast.physics.unit_sources import (
    MAX_TURN_DEG,
    MEGATHRUST_ROWS,
    Subfaults,
    UnitSource,
    columns_follow_strike,
    turn_deg,
)

__all__ = ["MAX_GAP_KM", "FaultSegment", "connected_cells", "fault_segments", "interface_segments", "segment_cells"]

MAX_GAP_KM = 50.0
"""Longest distance between the facing edges of two subfaults across which a rupture runs on, km."""


@dataclass(frozen=True)
class FaultSegment:
    """A connected part of a fault, as a grid of cells along strike and down dip.

    Attributes
    ----------
    subfaults : array of int, shape (n,)
        Positions among all subfaults, rising.
    along, down : array of int, shape (n,)
        Cells of these, from the edges of the segment: along the trench in the direction of rising column numbers,
        and down dip.
    cells : array of int, shape (n_down, n_along)
        The subfault of every cell; -1 where there is none.
    joined_along, joined_down : array of bool, shape (n_down, n_along)
        Whether a cell is joined to the next one along the trench, and to the next one down dip.
    cell_km : (float, float)
        Edge lengths of a cell along strike and down dip, km.
    """

    subfaults: np.ndarray
    along: np.ndarray
    down: np.ndarray
    cells: np.ndarray
    joined_along: np.ndarray
    joined_down: np.ndarray
    cell_km: tuple[float, float]


def fault_segments(subfaults: Subfaults) -> tuple[FaultSegment, ...]:
    r"""Find the connected segments of a fault.

    Parameters
    ----------
    subfaults : Subfaults
        Of any zones; each zone with one number of subfaults along strike and down dip in all its sources.

    Returns
    -------
    segments : tuple of FaultSegment
        In the order of their first subfaults; every subfault is in one of them.

    Raises
    ------
    InputError
        If sources of one zone are divided differently.

    Notes
    -----
    Subfaults of one source are joined to those beside them. Across sources of a zone, a subfault is joined to the next
    one along the trench (source of the next column) or down dip (source of the next row) where

    - the middles of the two edges that face each other are at most 50 km apart, depth included, and
    - along the trench, strike turns by at most 90 degrees, and column numbers rise with strike on both sides or on
      neither: otherwise the faults dip to opposite sides.

    Zones are separate faults, as are outer-rise sources (rows c and d). The distance is asked for subfault by subfault,
    since at a bend of the trench the deep rows fan out or overlap while the shallow ones touch.

    Examples
    --------
    Atlantic unit sources 58 and 59 dip to opposite sides:

    >>> from slipcast.physics.unit_sources import expand_names, subdivide, unit_source
    >>> sources = [unit_source(name) for name in expand_names(["atszb56..61"])]
    >>> [part.cells.shape for part in fault_segments(subdivide(sources, 10.0))]
    [(5, 30), (5, 30)]
    """
    for zone in sorted({source.zone for source in subfaults.sources}):
        pairs = zip(subfaults.sources, subfaults.divisions, strict=True)
        if len(divisions := {division for source, division in pairs if source.zone == zone}) > 1:
            raise InputError(f"subfaults of a zone must be of one size, got divisions {divisions} in {zone}")
    edges = _Edges.of(subfaults)
    along = edges.joined(*_pairs(subfaults, along=True), along=True)
    down = edges.joined(*_pairs(subfaults, along=False), along=False)
    first, second = np.concatenate([along, down], axis=1)
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(len(subfaults), len(subfaults)))
    count, labels = connected_components(graph, directed=False)
    joined_along, joined_down = (np.isin(np.arange(len(subfaults)), pairs[0]) for pairs in (along, down))
    return tuple(_segment(subfaults, np.flatnonzero(labels == k), joined_along, joined_down) for k in range(count))


def interface_segments(subfaults: Subfaults) -> tuple[FaultSegment, ...]:
    """Find the connected segments of a plate interface, on which ruptures are drawn.

    Parameters
    ----------
    subfaults : Subfaults
        On rows of the plate interface (b, a, z, ...).

    Returns
    -------
    segments : tuple of FaultSegment
        As :func:`fault_segments`.

    Raises
    ------
    InputError
        If there are subfaults of the outer rise, or sources of one zone are divided differently.
    """
    for source in subfaults.sources:
        if source.row not in MEGATHRUST_ROWS:
            raise InputError(f"ruptures need unit sources of the plate interface, got {source.name}")
    return fault_segments(subfaults)


def segment_cells(segments: Sequence[FaultSegment]) -> np.ndarray:
    """Return the segment of each subfault, and its cell there down dip and along strike, shape (n_subfaults, 3)."""
    place = np.empty((sum(len(segment.subfaults) for segment in segments), 3), int)
    for number, segment in enumerate(segments):
        cells = [np.full(len(segment.subfaults), number), segment.down, segment.along]
        place[segment.subfaults] = np.stack(cells, axis=1)
    return place


def _segment(subfaults: Subfaults, members: np.ndarray, joined_along: np.ndarray, joined_down: np.ndarray):
    """Lay subfaults that hang together out on a grid."""
    along = subfaults.along[members] - subfaults.along[members].min()
    down = subfaults.down[members] - subfaults.down[members].min()
    cells = np.full((down.max() + 1, along.max() + 1), -1)
    cells[down, along] = members
    there = cells >= 0
    return FaultSegment(
        subfaults=members,
        along=along,
        down=down,
        cells=cells,
        joined_along=there & joined_along[cells],
        joined_down=there & joined_down[cells],
        cell_km=(float(subfaults.length_m[members[0]]) / 1e3, float(subfaults.width_m[members[0]]) / 1e3),
    )


def _pairs(subfaults: Subfaults, *, along: bool) -> tuple[np.ndarray, np.ndarray]:
    """List subfaults and the next ones, along the trench or down dip, within sources and across them."""
    numbers = {}
    start = 0
    for source, (n_along, n_down) in zip(subfaults.sources, subfaults.divisions, strict=True):
        own = np.arange(start, start + n_along * n_down).reshape(n_down, n_along)
        numbers[source.name] = own if columns_follow_strike(source) else own[:, ::-1]
        start += own.size
    first, second = [np.empty(0, int)], [np.empty(0, int)]
    for own in numbers.values():
        first.append((own[:, :-1] if along else own[:-1]).ravel())
        second.append((own[:, 1:] if along else own[1:]).ravel())
    for one, other in _next_sources(subfaults, along=along):
        own, following = numbers[one.name], numbers[other.name]
        first.append(own[:, -1] if along else own[-1])
        second.append(following[:, 0] if along else following[0])
    return np.concatenate(first), np.concatenate(second)


def _next_sources(subfaults: Subfaults, *, along: bool) -> Iterator[tuple[UnitSource, UnitSource]]:
    """Iterate over sources and those of the next column or row which they may continue into."""
    by_name = {source.name: source for source in subfaults.sources}
    for source in subfaults.sources:
        if along:
            other = by_name.get(f"{source.zone}{source.row}{source.column + 1}")
            if other is None or turn_deg(source, other) > MAX_TURN_DEG:
                continue
            if columns_follow_strike(source) != columns_follow_strike(other):
                continue
        else:
            row = MEGATHRUST_ROWS.find(source.row) + 1
            if not 0 < row < len(MEGATHRUST_ROWS):
                continue
            other = by_name.get(f"{source.zone}{MEGATHRUST_ROWS[row]}{source.column}")
            if other is None:
                continue
        yield source, other


@dataclass(frozen=True)
class _Edges:
    """Middles of the four edges of every subfault: longitude, latitude (degrees), depth (m)."""

    source_index: np.ndarray
    rising: tuple[np.ndarray, np.ndarray, np.ndarray]
    falling: tuple[np.ndarray, np.ndarray, np.ndarray]
    top: tuple[np.ndarray, np.ndarray, np.ndarray]
    bottom: tuple[np.ndarray, np.ndarray, np.ndarray]

    @classmethod
    def of(cls, subfaults: Subfaults) -> _Edges:
        """Compute them; the rising edge is the one towards higher column numbers."""
        sources, index = subfaults.sources, subfaults.source_index
        strike = np.array([source.strike_deg for source in sources])[index]
        dip = np.radians([source.dip_deg for source in sources])[index]
        rising = strike + np.where([columns_follow_strike(source) for source in sources], 0.0, 180.0)[index]
        half = subfaults.width_m / 2

        def moved(azimuth_deg, distance_m, deeper_m):
            lon, lat = destination(subfaults.lon_deg, subfaults.lat_deg, azimuth_deg, distance_m)
            return lon, lat, subfaults.depth_m + deeper_m

        return cls(
            source_index=index,
            rising=moved(rising, subfaults.length_m / 2, 0.0),
            falling=moved(rising, -subfaults.length_m / 2, 0.0),
            top=moved(strike + 90.0, -half * np.cos(dip), -half * np.sin(dip)),
            bottom=moved(strike + 90.0, half * np.cos(dip), half * np.sin(dip)),
        )

    def joined(self, first: np.ndarray, second: np.ndarray, *, along: bool) -> np.ndarray:
        """Keep the pairs, shape (2, n), of one source or with facing edges that are near enough."""
        here, there = (self.rising, self.falling) if along else (self.bottom, self.top)
        lon, lat, depth = (values[first] for values in here)
        other_lon, other_lat, other_depth = (values[second] for values in there)
        gap_m = np.hypot(great_circle_distance(lon, lat, other_lon, other_lat), other_depth - depth)
        near = (self.source_index[first] == self.source_index[second]) | (gap_m <= 1e3 * MAX_GAP_KM)
        return np.stack([first[near], second[near]])


@njit(cache=True, nogil=True)
def connected_cells(
    cells: np.ndarray, joined_along: np.ndarray, joined_down: np.ndarray, corner, shape, start
) -> np.ndarray:
    """Find the cells of a rectangle that are joined to one of them without leaving it.

    Parameters
    ----------
    cells, joined_along, joined_down : array, shape (n_down, n_along)
        As in :class:`FaultSegment`.
    corner, shape : (int, int)
        First cell and size of the rectangle, down dip and along the trench; it lies on the grid.
    start : (int, int)
        A cell of the segment in the rectangle, counted as the grid's.

    Returns
    -------
    connected : array of bool, shape (shape[0], shape[1])
    """
    connected = np.zeros(shape, np.bool_)
    waiting = np.empty((shape[0] * shape[1], 2), np.int64)
    j, i = start[0] - corner[0], start[1] - corner[1]
    connected[j, i] = True
    waiting[0] = j, i
    count = 1
    while count:
        count -= 1
        j, i = waiting[count]
        row, column = corner[0] + j, corner[1] + i
        for dj, di in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            to_j, to_i = j + dj, i + di
            if not (0 <= to_j < shape[0] and 0 <= to_i < shape[1]) or connected[to_j, to_i]:
                continue
            # the earlier one of two cells knows whether they are joined
            joined = joined_along[row, column + min(di, 0)] if dj == 0 else joined_down[row + min(dj, 0), column]
            if joined and cells[row + dj, column + di] >= 0:
                connected[to_j, to_i] = True
                waiting[count] = to_j, to_i
                count += 1
    return connected
