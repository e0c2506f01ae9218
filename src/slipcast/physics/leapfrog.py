"""The steps of the long-wave solver, compiled: cells that matter alone, several steps while rows are in cache.

Memory is slower than arithmetic here: a step reads five numbers a cell and writes three. So a block of steps goes
over the grid as a slanted front: when a row takes step k of the block, the row south of it takes step k + 1. The rows
that a front touches stay in cache, and the grid crosses the memory bus once a block. Every cell sees the same
operations in the same order as without blocks, so the result is the same to the last bit.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["advance", "block_of_steps", "start_transports", "wet_runs"]

_CACHE_BYTES = 400_000  # of a core's second-level cache, what the rows of a front may fill
_ARRAYS = 5  # sea level, two transports and their two coefficients
_SHORTEST_GAP = 32  # cells of land that are worth a run of their own


def block_of_steps(columns: int, itemsize: int) -> int:
    """Return the number of steps whose front of rows fits in cache, at least one."""
    return max(1, _CACHE_BYTES // (_ARRAYS * itemsize * columns) - 2)


def wet_runs(wet: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the runs of sea in every row; gaps of a few cells are bridged.

    Parameters
    ----------
    wet : array of bool, shape (n_rows, n_columns)
        Where the sea is.

    Returns
    -------
    offsets : array of int, shape (n_rows + 1,)
        Row j has the runs ``offsets[j]`` to ``offsets[j + 1]``.
    runs : array of int, shape (n_runs, 2)
        First column, and one past the last.
    """
    offsets, runs = [0], []
    for row in wet:
        edges = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]]).astype(np.int8))).reshape(-1, 2)
        if len(edges):
            parted = np.flatnonzero(edges[1:, 0] - edges[:-1, 1] >= _SHORTEST_GAP)
            firsts, lasts = np.append(0, parted + 1), np.append(parted, len(edges) - 1)
            runs.append(np.stack([edges[firsts, 0], edges[lasts, 1]], axis=1))
        offsets.append(offsets[-1] + (len(runs[-1]) if len(edges) else 0))
    return np.array(offsets), np.concatenate(runs) if runs else np.zeros((0, 2), int)


@njit(cache=True, nogil=True)
def start_transports(eta, m, n, m_factor, n_factor):
    """Set transports half a step before zero so that the first full step starts from rest, second order."""
    rows, columns = eta.shape
    for j in range(rows):
        for i in range(1, columns):
            m[j, i] = m_factor[j, i] * (eta[j, i] - eta[j, i - 1]) / 2
    for j in range(1, rows):
        for i in range(columns):
            n[j, i] = n_factor[j, i] * (eta[j, i] - eta[j - 1, i]) / 2


@njit(cache=True, nogil=True, fastmath={"contract"})
def _bring_forward(transport, factor, before, after):
    """Update one row of transports from the sea level on both their sides."""
    for i in range(transport.size):
        transport[i] -= factor[i] * (after[i] - before[i])


@njit(cache=True, nogil=True, fastmath={"contract"})
def _fill_and_drain(eta, west_east, south, north, eta_m, eta_n):
    """Update one row of sea level from the transports through its cells' four sides."""
    for i in range(eta.size):
        eta[i] -= eta_m * (west_east[i + 1] - west_east[i]) + eta_n * (north[i] - south[i])


@njit(cache=True, nogil=True)
def _damp(row, factors):
    """Multiply a row by factors."""
    for i in range(row.size):
        row[i] *= factors[i]


@njit(cache=True, nogil=True)
def _absorb(fields, damping, margin, j, i0, i1):
    """Damp a run of a row within the margin; a row's southern side lies half a row further out, or in."""
    eta, m, n = fields
    damp_row, damp_column, damp_m, damp_n = damping
    columns = eta.shape[1]
    if damp_n[j] < 1:
        for i in range(i0, i1):
            eta[j, i] *= damp_row[j]
            n[j, i] *= damp_n[j]
        for i in range(i0, i1 + 1):
            m[j, i] *= damp_row[j]
    for k0, k1 in ((i0, min(i1, margin)), (max(i0, columns - margin), i1)):
        if k0 < k1:
            _damp(eta[j, k0:k1], damp_column[k0:k1])
            _damp(n[j, k0:k1], damp_column[k0:k1])
    for k0, k1 in ((i0, min(i1, margin) + 1), (max(i0, columns - margin), i1 + 1)):
        if k0 < k1:
            _damp(m[j, k0:k1], damp_m[k0:k1])


@njit(cache=True, nogil=True)
def _damp_cells(row, columns, factors, i0, i1):
    """Multiply some cells of a row by factors: those of a run."""
    for k in range(columns.size):
        if i0 <= columns[k] < i1:
            row[columns[k]] *= factors[k]


@njit(cache=True, nogil=True)
def _rub(m, n, friction, j, own):
    """Damp the transports through the western and southern sides of a row's cells, once they are used."""
    offsets, edges, west, south = friction
    for run in range(offsets[j], offsets[j + 1]):
        i0, i1 = max(edges[run, 0], own[0]), min(edges[run, 1], own[1])
        if i0 < i1:
            last = min(i1 + 1, edges[run, 1])
            _damp(m[j, i0:last], west[j, i0:last])
            _damp(n[j, i0:i1], south[j, i0:i1])


@njit(cache=True, nogil=True)
def _step_row(fields, factors, damping, losses, margin, runs, j, own, both):
    """Advance a row one step: the cells ``own``, and the transports to the next row that cells ``both`` need.

    The transports are brought forward before the sea level, and those to the next row use that row's old sea level.
    """
    eta, m, n = fields
    friction, (beside, _, columns_beside, before, after) = losses
    m_factor, n_factor, eta_m, eta_n = factors
    rows, columns = eta.shape
    offsets, edges = runs
    for run in range(offsets[j], offsets[j + 1]):
        i0, i1 = max(edges[run, 0], both[0]), min(edges[run, 1], both[1])
        if i0 < i1 and j + 1 < rows:
            _bring_forward(n[j + 1, i0:i1], n_factor[j + 1, i0:i1], eta[j, i0:i1], eta[j + 1, i0:i1])
        i0, i1 = max(edges[run, 0], own[0]), min(edges[run, 1], own[1])
        if i0 < i1:
            first, last = max(i0, 1), min(i1 + 1, columns)
            _bring_forward(m[j, first:last], m_factor[j, first:last], eta[j, first - 1 : last - 1], eta[j, first:last])
            here = slice(beside[run], beside[run + 1])
            _damp_cells(eta[j], columns_beside[here], before[here], i0, i1)
            _fill_and_drain(eta[j, i0:i1], m[j, i0 : i1 + 1], n[j, i0:i1], n[j + 1, i0:i1], eta_m[j], eta_n[j])
            _damp_cells(eta[j], columns_beside[here], after[here], i0, i1)
            _absorb(fields, damping, margin, j, i0, i1)
    _rub(m, n, friction, j, own)


@njit(cache=True, nogil=True)
def _columns_that_matter(j, step, total, start_box, end_box, columns):
    """Find the cells of a row that the start can have reached and the end can still feel: a cell a step, no diagonals.

    A range from 0 to 0 if there are none.
    """
    from_start = max(start_box[0] - j, j - start_box[1] + 1, 0)
    from_end = max(end_box[0] - j, j - end_box[1] + 1, 0)
    grown, shrunk = step + 1 - from_start, total - step - 1 - from_end
    if grown < 0 or shrunk < 0:
        return 0, 0
    first = max(0, start_box[2] - grown, end_box[2] - shrunk)
    last = min(columns, start_box[3] + grown, end_box[3] + shrunk)
    return (first, last) if first < last else (0, 0)


@njit(cache=True, nogil=True)
def _union(a, b):
    """Return the smallest range that holds two, of which any may be empty."""
    if a[0] >= a[1]:
        return b
    if b[0] >= b[1]:
        return a
    return min(a[0], b[0]), max(a[1], b[1])


@njit(cache=True, nogil=True)
def advance(fields, factors, damping, losses, margin, runs, steps, block, start_box, end_box):
    """Take steps.

    Parameters
    ----------
    fields : (array, array, array)
        Sea level, shape (n_rows, n_columns); transports through the western sides of its cells, one column more, and
        through the southern sides, one row more. Changed in place.
    factors, damping : tuples of arrays
        Coefficients of a step, and what it leaves of each field by row and column.
    losses : Losses
        Friction and coast, of :mod:`slipcast.physics.dissipation`.
    margin : int
        Rows and columns at each edge that are damped.
    runs : (array, array)
        Of :func:`wet_runs`.
    steps : (int, int, int)
        Steps done before, to do now, and in the whole run.
    block : int
        Steps between two passes over memory.
    start_box, end_box : tuples of int
        Outside which the start was zero, and the end is not looked at.
    """
    rows, columns = fields[0].shape
    done, count, total = steps
    for first in range(done, done + count, block):
        depth = min(block, done + count - first)
        for front in range(rows + depth - 1):
            for k in range(max(0, front - rows + 1), min(depth, front + 1)):
                j, step = front - k, first + k
                own = _columns_that_matter(j, step, total, start_box, end_box, columns)
                north = _columns_that_matter(j + 1, step, total, start_box, end_box, columns)
                both = _union(own, north)
                if both[0] < both[1]:
                    _step_row(fields, factors, damping, losses, margin, runs, j, own, both)
