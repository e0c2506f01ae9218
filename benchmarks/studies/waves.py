"""Waves of a hump on a flat ocean beside exact solutions, and phase speeds beside closed forms.

    python -m benchmarks.studies.waves

A hump exp(-(r/R0)^2) on 4,000 m of water, in a solver of long waves with and without dispersion
(:mod:`slipcast.physics.dispersion`), beside the exact linear wave (Hankel integral with omega^2 = g k tanh(k h), times
the spreading on a sphere); pressure under a hump beside long-wave theory; and the phase speed of long waves with the
effective depth beside compressible water over an elastic half-space (Tsai et al. 2013, doi:10.1002/grl.50147). Writes
docs/benchmarks/waves.json, half a minute on one core; the tables stand in docs/waves.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import dawsn, j0

from benchmarks.provenance import ROOT, source_files, tables, write_compact
from slipcast.geodesy import EARTH_RADIUS_M, great_circle_distance
from slipcast.physics.bathymetry import Grid
from slipcast.physics.dispersion import disperse
from slipcast.physics.shallow_water import GRAVITY_M_S2, SOUND_SPEED_M_S, LongWaves
from slipcast.physics.travel_paths import TravelPaths

DEPTH_M = 4000.0
SPACINGS_ARCMIN = (4.0, 6.0)
RADII_M = (40e3, 20e3)
DISTANCES_M = (300e3, 1000e3, 3000e3)
DIRECTIONS = {"east": (1.0, 0.0), "north-east": (np.sqrt(0.5), np.sqrt(0.5))}
SAMPLE_S = 60.0
AFTER_S = 2400.0  # of the wave, for the misfit
PRESSURE_RADIUS_M, PRESSURE_MIN = 100e3, 40
PERIODS_S = (500, 1000, 2000)
DEPTHS_M = (2000, 4000, 6000)
RIGIDITY_PA, POISSON, DENSITY = 65e9, 0.27, 1030.0  # of the uppermost mantle, and of sea water, kg/m^3
ON = tuple(f"physics/{name}.py" for name in ("bathymetry", "dispersion", "leapfrog", "shallow_water", "travel_paths"))


def code(root: Path = ROOT) -> list[Path]:
    """Return the files on which the tables depend."""
    return source_files("benchmarks/studies/waves.py", root=root, only=ON)


def exact_wave(distance_m: float, time_s: np.ndarray, radius_m: float, *, dispersive: bool = True) -> np.ndarray:
    """Return the sea level after a hump of 1 m, m, shape of the times."""
    k = np.linspace(0.0, 12.0 / radius_m, 12_001)[1:]
    spectrum = 0.5 * radius_m**2 * np.exp(-((k * radius_m / 2) ** 2)) * k * j0(k * distance_m)
    omega = np.sqrt(GRAVITY_M_S2 * k * np.tanh(k * DEPTH_M)) if dispersive else k * np.sqrt(GRAVITY_M_S2 * DEPTH_M)
    angle = distance_m / EARTH_RADIUS_M
    level = np.trapezoid(spectrum * np.cos(np.outer(time_s, omega)), k, axis=1)
    return level * np.sqrt(angle / np.sin(angle))


def misfit(found: np.ndarray, true: np.ndarray) -> float:
    """Return the root mean square of the difference over that of the truth."""
    return float(np.sqrt(np.square(found - true).sum() / np.square(true).sum()))


def waves_of_hump(spacing_arcmin: float, radius_m: float) -> dict[tuple[str, float], tuple[float, float, float]]:
    """Return the misfits of exact long waves, of the grid, and of the grid with dispersion, by direction, distance."""
    grid = Grid.over((88.0, 133.0), (-12.0, 34.0), spacing_arcmin)
    waves = LongWaves(grid, np.full(grid.shape, DEPTH_M))
    lon, lat = np.meshgrid(grid.lon_deg, grid.lat_deg)
    hump = np.exp(-((great_circle_distance(100.0, 0.0, lon, lat) / radius_m) ** 2))
    places = {
        (name, distance): tuple(np.degrees(distance / EARTH_RADIUS_M) * part for part in towards)
        for name, towards in DIRECTIONS.items()
        for distance in DISTANCES_M
    }
    stencils = [waves.stencil(100.0 + east, north) for east, north in places.values()]
    count = int((max(DISTANCES_M) / np.sqrt(GRAVITY_M_S2 * DEPTH_M) + AFTER_S) / SAMPLE_S)
    series = waves.gauge_series(hump, stencils, interval_s=SAMPLE_S, count=count)
    paths, time_s = TravelPaths(waves), SAMPLE_S * np.arange(count + 1)
    found = {}
    for (key, (east, north)), stencil, level in zip(places.items(), stencils, series, strict=True):
        means = paths.means(stencil, np.array([100.0]), np.array([0.0]))
        dispersed = disperse(
            level[:, np.newaxis],
            interval_s=SAMPLE_S,
            depth_m=means.depth_m,
            cell_time_s2=means.cell_time_s2,
            step_s=SAMPLE_S / waves.steps_per(SAMPLE_S),
        )[:, 0]
        distance = float(great_circle_distance(100.0, 0.0, 100.0 + east, north))
        kept = time_s < distance / np.sqrt(GRAVITY_M_S2 * DEPTH_M) + AFTER_S
        true = exact_wave(distance, time_s[kept], radius_m)
        long = exact_wave(distance, time_s[kept], radius_m, dispersive=False)
        found[key] = (misfit(long, true), misfit(level[kept], true), misfit(dispersed[kept], true))
    return found


def hump_table() -> dict[str, Any]:
    """Compare grids with the exact wave."""
    rows = []
    for spacing in SPACINGS_ARCMIN:
        for radius in RADII_M:
            for (direction, distance), (long, grid, dispersed) in waves_of_hump(spacing, radius).items():
                what = [f"{spacing:g}'", f"{radius / 1e3:g}", direction, f"{distance / 1e3:,.0f}"]
                rows.append([*what, *(f"{value:.3f}" for value in (long, grid, dispersed))])
    header = ["grid", "R0 (km)", "direction", "distance (km)", "exact long wave", "grid alone", "with dispersion"]
    return {"header": header, "rows": rows}


def pressure_table() -> dict[str, Any]:
    """Compare the pressure under a hump that rises at once with -2 x D(x), x = c t / R0, D Dawson's function."""
    grid = Grid.over((92.0, 108.0), (-8.0, 8.0), 4.0)
    waves = LongWaves(grid, np.full(grid.shape, DEPTH_M))
    lon, lat = np.meshgrid(grid.lon_deg, grid.lat_deg)
    hump = np.exp(-((great_circle_distance(100.0, 0.0, lon, lat) / PRESSURE_RADIUS_M) ** 2))
    level = waves.gauge_series(hump, [waves.stencil(100.0, 0.0)], interval_s=SAMPLE_S, count=PRESSURE_MIN)[0]
    pressure = level - level[0]
    minutes = np.arange(PRESSURE_MIN + 1)
    x = np.sqrt(GRAVITY_M_S2 * DEPTH_M) * 60 * minutes / PRESSURE_RADIUS_M
    theory = -2 * x * dawsn(x)
    rows = [
        [f"{m}", f"{theory[m]:.3f}", f"{pressure[m]:.3f}", f"{pressure[m] - theory[m]:+.3f}"]
        for m in (2, 5, 10, 20, 40)
    ]
    return {"header": ["minute", "long-wave theory (m)", "computed (m)", "difference (m)"], "rows": rows}


def speed_table() -> dict[str, Any]:
    """Compare how much slower than rigid, incompressible theory long waves are, in per cent."""
    rows = []
    for depth in DEPTHS_M:
        speed = np.sqrt(GRAVITY_M_S2 * depth)
        own = 1 - np.sqrt(1 - GRAVITY_M_S2 * depth / SOUND_SPEED_M_S**2)
        row = [f"{depth:,}", f"{100 * own:.2f}"]
        for period in PERIODS_S:
            k = 2 * np.pi / (period * speed)
            compression = GRAVITY_M_S2 * depth / (4 * SOUND_SPEED_M_S**2)
            loading = (1 - POISSON) * DENSITY * GRAVITY_M_S2 / (2 * RIGIDITY_PA * k)
            row.append(f"{100 * (compression + loading):.2f}")
        rows.append(row)
    return {
        "header": [
            "depth (m)",
            "effective depth (%)",
            *(f"elastic half-space, {period:,} s (%)" for period in PERIODS_S),
        ],
        "rows": rows,
    }


def compute() -> dict[str, Any]:
    """Compute what docs/benchmarks/waves.json holds."""
    found = {"hump": hump_table(), "pressure": pressure_table(), "speed": speed_table()}
    return tables(found, "python -m benchmarks.studies.waves", code())


def main() -> None:
    """Write the tables."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    write_compact(ROOT / "docs" / "benchmarks" / "waves.json", compute())


if __name__ == "__main__":
    main()
