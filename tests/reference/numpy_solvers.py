"""The long-wave scheme in plain numpy: what the compiled solver is timed, and tested, against."""

from __future__ import annotations

import numpy as np

from slipcast.geodesy import EARTH_RADIUS_M
from slipcast.physics.shallow_water import GRAVITY_M_S2, LongWaves

__all__ = ["LeanNumpy", "TextbookNumpy"]


class TextbookNumpy:
    """Long waves as the equations read: float64, velocities, masks; walls at the edges of the grid.

    Parameters
    ----------
    waves : LongWaves
        Grid, depth and coast.
    sea_level_m : array, shape of the grid
        Initial sea level at rest, m.
    dt_s : float
        Time step, s.
    """

    def __init__(self, waves: LongWaves, sea_level_m, dt_s: float):
        self.waves, self.dt_s = waves, dt_s
        grid, wet = waves.grid, waves.wet
        self.step = np.radians(grid.spacing_deg)
        self.cos_centre = np.cos(np.radians(grid.lat_deg))[:, np.newaxis]
        self.cos_edge = np.cos(np.radians(grid.lat_deg[1:] - grid.spacing_deg / 2))[:, np.newaxis]
        self.wet_u, self.wet_v = wet[:, 1:] & wet[:, :-1], wet[1:] & wet[:-1]
        self.eta = np.where(wet, sea_level_m, 0.0)
        self.u, self.v = np.zeros(self.wet_u.shape), np.zeros(self.wet_v.shape)
        self._accelerate(dt_s / 2)  # half a step ahead of sea level
        self.begun = True

    def _accelerate(self, dt_s: float) -> None:
        """Bring velocities forward."""
        east = GRAVITY_M_S2 * dt_s / (EARTH_RADIUS_M * self.cos_centre) * np.diff(self.eta, axis=1) / self.step
        north = GRAVITY_M_S2 * dt_s / EARTH_RADIUS_M * np.diff(self.eta, axis=0) / self.step
        self.u, self.v = self.u - self.wet_u * east, self.v - self.wet_v * north

    def advance(self, steps: int) -> np.ndarray:
        """Take steps; return sea level, m."""
        h = self.waves.depth_m
        for _ in range(steps):
            if not self.begun:
                self._accelerate(self.dt_s)
            self.begun = False
            flux_u = np.pad((h[:, 1:] + h[:, :-1]) / 2 * self.u, ((0, 0), (1, 1)))
            flux_v = np.pad((h[1:] + h[:-1]) / 2 * self.v * self.cos_edge, ((1, 1), (0, 0)))
            divergence = np.diff(flux_u, axis=1) + np.diff(flux_v, axis=0)
            rise = self.dt_s * divergence / (EARTH_RADIUS_M * self.cos_centre * self.step)
            self.eta = np.where(self.waves.wet, self.eta - rise, 0.0)
        return self.eta


class LeanNumpy:
    """The same as lean as numpy gets: float32, transports, all coefficients ready, in place.

    Parameters
    ----------
    waves, sea_level_m, dt_s
        As in :class:`TextbookNumpy`.
    """

    def __init__(self, waves: LongWaves, sea_level_m, dt_s: float):
        book = TextbookNumpy(waves, np.zeros(waves.grid.shape), dt_s)
        h, per_m = waves.depth_m, EARTH_RADIUS_M * book.step
        self.m_factor = GRAVITY_M_S2 * dt_s / (per_m * book.cos_centre) * book.wet_u * (h[:, 1:] + h[:, :-1]) / 2
        self.n_factor = GRAVITY_M_S2 * dt_s / per_m * book.wet_v * (h[1:] + h[:-1]) / 2 * book.cos_edge
        self.out = dt_s / (per_m * book.cos_centre)
        self.m_factor, self.n_factor, self.out = (
            a.astype(np.float32) for a in (self.m_factor, self.n_factor, self.out)
        )
        rows, columns = waves.grid.shape
        self.eta = np.where(waves.wet, sea_level_m, 0.0).astype(np.float32)
        self.m = np.zeros((rows, columns + 1), np.float32)
        self.n = np.zeros((rows + 1, columns), np.float32)
        self.m[:, 1:-1] = self.m_factor * np.diff(self.eta, axis=1) / 2  # so that the first step is half of one
        self.n[1:-1] = self.n_factor * np.diff(self.eta, axis=0) / 2

    def advance(self, steps: int) -> np.ndarray:
        """Take steps; return sea level, m."""
        eta, m, n = self.eta, self.m, self.n
        for _ in range(steps):
            m[:, 1:-1] -= self.m_factor * (eta[:, 1:] - eta[:, :-1])
            n[1:-1] -= self.n_factor * (eta[1:] - eta[:-1])
            eta -= self.out * (m[:, 1:] - m[:, :-1] + n[1:] - n[:-1])
        return eta
