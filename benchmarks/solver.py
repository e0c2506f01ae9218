"""Speed of the long-wave solver, compiled against numpy, in one run on one core.

python benchmarks/solver.py
"""

import argparse
import statistics
import time

import numpy as np

from slipcast.geodesy import EARTH_RADIUS_M
from slipcast.physics.bathymetry import Bathymetry, Grid
from slipcast.physics.shallow_water import GRAVITY_M_S2, LongWaves


def lean_numpy(waves: LongWaves, eta: np.ndarray, dt_s: float, steps: int) -> np.ndarray:
    """Take steps with numpy as lean as it gets: float32, all coefficients ready, in place (no absorbing margin)."""
    (m_factor, n_factor, eta_m, eta_n), _ = waves._factors(dt_s)
    m, n = np.zeros_like(m_factor), np.zeros_like(n_factor)
    eta = eta.copy()
    for _ in range(steps):
        m[:, 1:-1] -= m_factor[:, 1:-1] * (eta[:, 1:] - eta[:, :-1])
        n[1:-1] -= n_factor[1:-1] * (eta[1:] - eta[:-1])
        eta -= eta_m[:, None] * (m[:, 1:] - m[:, :-1]) + eta_n[:, None] * (n[1:] - n[:-1])
    return eta


def textbook_numpy(waves: LongWaves, eta: np.ndarray, dt_s: float, steps: int) -> np.ndarray:
    """Take steps with numpy as the equations read: float64, velocities, masks (no absorbing margin)."""
    grid, h = waves.grid, waves.depth_m
    step = np.radians(grid.spacing_deg)
    cos_centre = np.cos(np.radians(grid.lat_deg))[:, None]
    cos_edge = np.cos(np.radians(grid.lat_deg[1:] - grid.spacing_deg / 2))[:, None]
    wet_u, wet_v = waves.wet[:, 1:] & waves.wet[:, :-1], waves.wet[1:] & waves.wet[:-1]
    u, v = np.zeros(wet_u.shape), np.zeros(wet_v.shape)
    eta = eta.astype(float)
    for _ in range(steps):
        u = u - wet_u * GRAVITY_M_S2 * dt_s / (EARTH_RADIUS_M * cos_centre) * np.diff(eta, axis=1) / step
        v = v - wet_v * GRAVITY_M_S2 * dt_s / EARTH_RADIUS_M * np.diff(eta, axis=0) / step
        flux_u = np.pad((h[:, 1:] + h[:, :-1]) / 2 * u, ((0, 0), (1, 1)))
        flux_v = np.pad((h[1:] + h[:-1]) / 2 * v * cos_edge, ((1, 1), (0, 0)))
        divergence = (np.diff(flux_u, axis=1) + np.diff(flux_v, axis=0)) / (EARTH_RADIUS_M * cos_centre * step)
        eta = np.where(waves.wet, eta - dt_s * divergence, 0.0)
    return eta


def timed(work, repeats: int) -> list[float]:
    """Return the seconds of several calls."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


def measure(repeats: int) -> list[str]:
    """Return lines with cell updates a second, and the ratios."""
    grid = Grid.over((220, 240), (36, 54), 2.0)
    waves = LongWaves(grid, Bathymetry.etopo1().depth_on(grid))
    rows, columns = grid.shape
    j, i = np.mgrid[:rows, :columns]
    eta = np.exp(-((i - 300) ** 2 + (j - 270) ** 2) / 800.0).astype(np.float32)
    per_minute, minutes, numpy_count = waves.steps_per(60.0), 30, 20
    states = waves.propagate(eta, interval_s=60.0, count=1)
    list(states)  # compiles

    def compiled():
        for _ in waves.propagate(np.ones(grid.shape), interval_s=60.0, count=minutes):
            pass

    cells, dt_s = rows * columns, 60.0 / per_minute
    rates = {"compiled": [minutes * per_minute * cells / s / 1e6 for s in timed(compiled, repeats)]}
    for name, steps in (("lean numpy", lean_numpy), ("textbook numpy", textbook_numpy)):
        seconds = timed(lambda steps=steps: steps(waves, eta, dt_s, numpy_count), repeats)
        rates[name] = [numpy_count * cells / s / 1e6 for s in seconds]
    lines = [f"grid {columns} x {rows}, one core, median (least to most) of {repeats} runs"]
    for name, values in rates.items():
        middle = statistics.median(values)
        ratio = statistics.median(rates["compiled"]) / middle
        beside = "" if name == "compiled" else f"; compiled is {ratio:.1f} times as fast"
        lines.append(
            f"{name:<15} {middle:6.0f} million cell updates a second ({min(values):.0f} to {max(values):.0f}){beside}"
        )
    return lines


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    print("\n".join(measure(parser.parse_args().repeats)))


if __name__ == "__main__":
    main()
