r"""Loss of wave energy: in the deep ocean, by friction on the shelf, and at the coast.

Linear, symmetric terms. They leave the reciprocity of :mod:`slipcast.physics.shallow_water` exact:

- background: sea level and transports fall together, as :math:`e^{-t/2T}`;
- friction: transports lose :math:`-r(h)\,hu` where the rate r exceeds 1/T, semi-implicit;
- coast: a wet cell beside land lets out :math:`\eta\sqrt{gh}\,(1-R)/(1+R)` through each metre of coast, which a wave of
  normal incidence meets as a wall of reflection coefficient R.

Decay times of the background are measured on whole tsunamis, whose waves come back from coasts many times. The first
wave has met no coast: :func:`left_after_arrival` is that decay from the time on at which it comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from slipcast.errors import InputError
from slipcast.geodesy import EARTH_RADIUS_M
from slipcast.physics.bathymetry import Grid
from slipcast.physics.leapfrog import wet_runs

__all__ = [
    "OCEAN_DECAY_TIME_S",
    "REFERENCE_DEPTH_M",
    "SHELF_REFLECTION",
    "CoastLoss",
    "Friction",
    "FrictionLoss",
    "Losses",
    "friction_shares",
    "left_after_arrival",
    "losses_of_step",
]

OCEAN_DECAY_TIME_S = 24.6 * 3600
"""Time in which the energy of the tsunamis of 2010 and 2011 fell to 1/e in the Pacific, s (Rabinovich et al. 2013)."""

SHELF_REFLECTION = 0.8
"""Reflection coefficient of the coast with which later waves on the shelf of Cascadia are as high as nonlinear ones."""

REFERENCE_DEPTH_M = 100.0
"""Depth at which the rate of friction is given, m."""


@dataclass(frozen=True)
class Friction:
    r"""Linear friction that grows towards shallow water.

    Attributes
    ----------
    decay_time_s : float
        Time T in which the energy of waves falls to 1/e in deep water, s; infinite for none.
    shelf_rate_per_s : float
        Rate r of friction in water of 100 m, 1/s; 0 for none.
    exponent : float
        Of its growth towards shallow water, >= 0.

    Notes
    -----
    .. math:: r(h) = \max\left[\frac{1}{T},\ r_{100}\left(\frac{100\,\mathrm{m}}{h}\right)^p\right].

    Quadratic drag with Manning's coefficient, linearised for waves of one height, has p = 11/6. Energy decay times of
    three tsunamis in the open Pacific are 17 to 25 hours (Rabinovich et al. 2013, doi:10.1002/grl.50625).

    Raises
    ------
    InputError
        If a number is negative or not finite, or the decay time is not positive.
    """

    decay_time_s: float = np.inf
    shelf_rate_per_s: float = 0.0
    exponent: float = 0.0

    def __post_init__(self):
        if not self.decay_time_s > 0:
            raise InputError(f"decay_time_s must be > 0 s, got {self.decay_time_s}")
        for name in ("shelf_rate_per_s", "exponent"):
            if not 0 <= (value := getattr(self, name)) < np.inf:
                raise InputError(f"{name} must be finite and >= 0, got {value}")

    def rate_per_s(self, depth_m: np.ndarray) -> np.ndarray:
        """Return the rate of friction by the depth of the water, m; 1/s, the background's on land."""
        depth_m = np.asarray(depth_m, float)
        shelf = np.zeros_like(depth_m)
        wet = depth_m > 0
        shelf[wet] = self.shelf_rate_per_s * (REFERENCE_DEPTH_M / depth_m[wet]) ** self.exponent
        return np.maximum(shelf, 1 / self.decay_time_s)


class CoastLoss(NamedTuple):
    """Cells beside land, run by run of the sea, and what a step does to their sea level."""

    offsets: np.ndarray
    """Run k of the sea has the cells ``offsets[k]`` to ``offsets[k + 1]``."""
    rows: np.ndarray
    columns: np.ndarray
    before: np.ndarray
    """Factor before the flow of the step, 1/(1 + d)."""
    after: np.ndarray
    """Factor after it, 1 - d."""


class FrictionLoss(NamedTuple):
    """Runs of faces with friction, row by row, and what a step leaves of the transports through them."""

    offsets: np.ndarray
    runs: np.ndarray
    west: np.ndarray
    """Factor of the transports through the western sides, shape of the grid."""
    south: np.ndarray


class Losses(NamedTuple):
    """What a step loses, as the kernel takes it; without friction or at walls there are no runs or cells."""

    friction: FrictionLoss
    coast: CoastLoss


def left_after_arrival(
    time_s: np.ndarray, arrival_s: np.ndarray | float, *, decay_time_s: float = OCEAN_DECAY_TIME_S
) -> np.ndarray:
    r"""Compute what the background's decay leaves of waves, of which the first has met no coast.

    Parameters
    ----------
    time_s : array, shape (n_times,)
        Since the origin, s.
    arrival_s : float or array, shape (n_paths,)
        Travel time of the first wave, s.
    decay_time_s : float, optional
        Time T in which the energy of waves falls to 1/e, s.

    Returns
    -------
    left : array, shape (n_times,) and that of the arrivals
        :math:`e^{-\max(t - t_a, 0)/2T}`, symmetric in the two ends of a path.
    """
    since_s = np.subtract.outer(np.asarray(time_s, float), np.asarray(arrival_s, float))
    return np.exp(-np.maximum(since_s, 0.0) / (2 * decay_time_s))


def losses_of_step(
    grid: Grid,
    depth_m: np.ndarray,
    wet: np.ndarray,
    speed_m_s: np.ndarray,
    runs: tuple[np.ndarray, np.ndarray],
    dt_s: float,
    *,
    friction: Friction | None,
    coast_reflection: float,
    dtype: np.dtype,
) -> Losses:
    """Compute the losses of a step.

    Parameters
    ----------
    grid : Grid
        Cells.
    depth_m, wet, speed_m_s : arrays, shape of the grid
        Depth, m, where the sea is, and the speed of long waves, m/s.
    runs : (array, array)
        Runs of the sea, of :func:`~slipcast.physics.leapfrog.wet_runs`.
    dt_s : float
        Step, s.
    friction : Friction, optional
        None for none.
    coast_reflection : float
        Reflection coefficient of the coast; 1 for walls.
    dtype : dtype
        Of the factors.

    Returns
    -------
    losses : Losses
    """
    shares = friction_shares(depth_m, wet, dt_s, friction)
    coast = _coast_loss(grid, wet, speed_m_s, runs, dt_s, coast_reflection, dtype)
    return Losses(_friction_loss(grid.shape, shares, dtype), coast)


def friction_shares(
    depth_m: np.ndarray, wet: np.ndarray, dt_s: float, friction: Friction | None
) -> tuple[np.ndarray, np.ndarray] | None:
    """Compute by what friction changes the flow that a slope of the sea level sets off in a step.

    Parameters
    ----------
    depth_m, wet, dt_s, friction
        As in :func:`losses_of_step`.

    Returns
    -------
    shares : (array, array) or None
        1/(1 + r dt / 2) at the western sides of the cells, shape (n_rows, n_columns + 1), and the southern ones, shape
        (n_rows + 1, n_columns); one where there is only the background's friction. None without friction.
    """
    if friction is None or friction.shelf_rate_per_s == 0:
        return None
    rows, columns = depth_m.shape
    m_share, n_share = np.ones((rows, columns + 1)), np.ones((rows + 1, columns))
    for share, one, other in (
        (m_share[:, 1:-1], (slice(None), slice(1, None)), (slice(None), slice(None, -1))),
        (n_share[1:-1], (slice(1, None), slice(None)), (slice(None, -1), slice(None))),
    ):
        both = wet[one] & wet[other]
        excess = friction.rate_per_s((depth_m[one] + depth_m[other]) / 2) - 1 / friction.decay_time_s
        share[both] = 1 / (1 + excess[both] * dt_s / 2)
    return m_share, n_share


def _friction_loss(
    shape: tuple[int, int], shares: tuple[np.ndarray, np.ndarray] | None, dtype: np.dtype
) -> FrictionLoss:
    """Lay the runs of faces with friction; a transport is left with (1 - r dt / 2) / (1 + r dt / 2)."""
    rows, columns = shape
    if shares is None:
        nothing = np.zeros((0, 0), dtype)
        return FrictionLoss(np.zeros(rows + 1, int), np.zeros((0, 2), int), nothing, nothing)
    # 1 / share is 1 + r dt / 2; the last face of a row or column is the edge of the grid, through which nothing flows
    west, south = 2 * shares[0][:, :columns] - 1, 2 * shares[1][:rows] - 1
    offsets, runs = wet_runs((west < 1) | (south < 1))
    return FrictionLoss(offsets, runs, west.astype(dtype), south.astype(dtype))


def _coast_loss(
    grid: Grid, wet: np.ndarray, speed_m_s: np.ndarray, runs: tuple, dt_s: float, reflection: float, dtype: np.dtype
) -> CoastLoss:
    """Find the cells beside land; d = tanh(rate dt / 2), so that a step at rest leaves exp(-rate dt)."""
    step_m = EARTH_RADIUS_M * np.radians(grid.spacing_deg)
    cos_centre = np.cos(np.radians(grid.lat_deg))[:, np.newaxis]
    cos_south = np.cos(np.radians(grid.lat_deg - grid.spacing_deg / 2))[:, np.newaxis]
    cos_north = np.cos(np.radians(grid.lat_deg + grid.spacing_deg / 2))[:, np.newaxis]
    land = np.pad(~wet, 1)  # the edges of the grid are no coast
    coast_m = (land[1:-1, :-2] + land[1:-1, 2:].astype(int)) * step_m
    coast_m = coast_m + (land[:-2, 1:-1] * cos_south + land[2:, 1:-1] * cos_north) * step_m
    admitted = (1 - reflection) / (1 + reflection)
    rate = np.where(wet, speed_m_s * admitted * coast_m / (step_m**2 * cos_centre), 0.0)
    rows, columns = np.nonzero(rate)
    d = np.tanh(rate[rows, columns] * dt_s / 2)
    # both are sorted by row and column, so a run's cells stand together
    width = wet.shape[1] + 1
    run_rows = np.repeat(np.arange(wet.shape[0]), np.diff(runs[0]))
    offsets = np.searchsorted(rows * width + columns, np.append(run_rows * width + runs[1][:, 0], wet.size + len(wet)))
    return CoastLoss(offsets, rows, columns, (1 / (1 + d)).astype(dtype), (1 - d).astype(dtype))
