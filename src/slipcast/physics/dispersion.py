r"""Frequency dispersion of long waves, as a change of the frequencies of each response.

A long wave of wavenumber :math:`k` oscillates with :math:`\Omega = k\sqrt{gH}`, a real one with
:math:`\omega = \sqrt{gk\tanh kH}`. Started at rest, both are sums over wavenumbers of cosines of time with the same
amplitudes, so the real wave follows from the long wave at the same place: its cosine transform, summed up again at the
frequencies that the wavenumbers have in truth. On a flat ocean this is exact at any distance. Elsewhere the depth is
its mean over the travel time of the wave (:mod:`slipcast.physics.travel_paths`), to which the dispersion of long
periods, :math:`\omega \approx \Omega (1 - \Omega^2 H / 6g)`, adds up along the path. What the grid disperses by
itself is taken out in the same step.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.fft import dct

from slipcast.physics.shallow_water import GRAVITY_M_S2

__all__ = ["disperse"]

_TOLERANCE_RAD = 0.3  # of phase, between transforms that are interpolated: to a hundredth
_SHORTEST_SAMPLES = 5  # in the period at which that counts
_CELL_RATIO = 1.25
_RESOLVED = 0.6  # of the sine of half the phase across a cell: five cells a wavelength


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

    Where a wavelength has fewer than five cells, which the grid does not resolve, the arcsine goes on as its tangent.
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
