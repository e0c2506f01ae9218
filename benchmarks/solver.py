"""Speed of the long-wave solver and of a bank: against numpy, against memory, and of a bank's phases.

python benchmarks/solver.py [--build]
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit

from slipcast.geodesy import EARTH_RADIUS_M
from slipcast.physics import shallow_water
from slipcast.physics.bathymetry import Bathymetry, Grid
from slipcast.physics.leapfrog import _step_row, block_of_steps
from slipcast.physics.okada import subfault_uplift
from slipcast.physics.projection import SubfaultProjection
from slipcast.physics.shallow_water import GRAVITY_M_S2, LongWaves
from slipcast.reciprocity import SAMPLE_S
from slipcast.region import Region

BYTES_A_STEP = 32
"""What a step moves for a cell in float32: sea level and two transports read and written, two factors read."""


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


@njit(nogil=True, fastmath=True)
def triad(a, b, c, scale):
    """Compute a = b + scale c, as STREAM does."""
    for i in range(a.size):
        a[i] = b[i] + scale * c[i]


def triad_gb_s(threads: int, *, megabytes: float = 160.0, passes: int = 4) -> float:
    """Measure memory bandwidth with arrays far larger than the caches, GB/s; what is written counts once."""
    size = int(megabytes * 1e6 / 4 / threads)
    arrays = [[np.ones(size, np.float32) for _ in range(3)] for _ in range(threads)]

    def work(own):
        for _ in range(passes):
            triad(*own, np.float32(0.5))

    work([np.ones(8, np.float32)] * 3)
    return passes * 3 * 4 * size * threads / seconds_of(work, arrays) / 1e9


def seconds_of(work, items: list) -> float:
    """Return the seconds of work on several items, a thread for each."""
    with ThreadPoolExecutor(len(items)) as pool:
        list(pool.map(int, [0] * len(items)))  # the threads are there
        start = time.perf_counter()
        list(pool.map(work, items))
        return time.perf_counter() - start


def cascadia_waves(spacing_arcmin: float) -> LongWaves:
    """Lay the near grid of Cascadia as an ocean of one depth, so that every cell is computed."""
    grid = Grid.over((220, 240), (36, 54), spacing_arcmin)
    return LongWaves(grid, np.full(grid.shape, 4000.0))


def solver_rate(waves: LongWaves, threads: int, *, blocks: bool, updates: float = 1.5e8) -> float:
    """Measure million cell updates a second, a run of its own on each thread."""
    cells, steps = waves.wet.size, waves.steps_per(SAMPLE_S)
    count = max(1, round(updates / cells / steps))
    kept = shallow_water.block_of_steps
    shallow_water.block_of_steps = kept if blocks else lambda columns, itemsize: 1
    try:
        runs = [
            waves.propagate(np.ones(waves.grid.shape), interval_s=SAMPLE_S, count=count + 1) for _ in range(threads)
        ]
        for run in runs:
            next(run), next(run)
    finally:
        shallow_water.block_of_steps = kept
    return threads * count * steps * cells / seconds_of(list, runs) / 1e6


def spread(values: list[float], digits: int = 0) -> str:
    """Write the median, and the least and the most."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def measure_bandwidth(repeats: int) -> list[str]:
    """Return a table: rates of the solver beside what memory would allow for a pass over it every step."""
    rows = [
        "| grid | fields and factors, MB | threads | triad, GB/s | one pass a step, M cells/s | in blocks, M cells/s "
        "| pass, of the limit | blocks, of the limit | blocks / pass |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for spacing in (4.0, 2.0, 1.0, 0.5):
        waves = cascadia_waves(spacing)
        for threads in (1, 2):
            found = [
                (triad_gb_s(threads), *(solver_rate(waves, threads, blocks=blocks) for blocks in (False, True)))
                for _ in range(repeats)
            ]
            triads, plain, blocked = (list(values) for values in zip(*found, strict=True))
            limits = [1e3 * gb_s / BYTES_A_STEP for gb_s in triads]
            rows.append(
                f"| {spacing:g}' | {20 * waves.wet.size / 1e6:.1f} | {threads} | {spread(triads, 1)} | "
                f"{spread(plain)} | {spread(blocked)} | {spread([p / m for p, m in zip(plain, limits)], 2)} | "
                f"{spread([b / m for b, m in zip(blocked, limits)], 2)} | "
                f"{spread([b / p for b, p in zip(blocked, plain)], 2)} |"
            )
    return rows


@njit(nogil=True)
def _front(together, factors, damping, margin, runs, depth):
    """Take a block of steps for several runs, a row of each in turn."""
    rows, columns = together[0][0].shape
    everything = (0, columns)
    for front in range(rows + depth - 1):
        for k in range(max(0, front - rows + 1), min(depth, front + 1)):
            for fields in together:
                _step_row(fields, factors, damping, margin, runs, front - k, everything, everything)


def measure_together(repeats: int, spacing_arcmin: float = 1.0) -> list[str]:
    """Return a table: gauges that share a pass over the factors, against one after the other, on one thread."""
    waves = cascadia_waves(spacing_arcmin)
    factors, damping = waves._factors(SAMPLE_S / waves.steps_per(SAMPLE_S))
    rows, columns = waves.grid.shape
    shapes = (rows, columns), (rows, columns + 1), (rows + 1, columns)
    gauges = [tuple(np.ones(shape, np.float32) for shape in shapes) for _ in range(4)]
    lines = ["| gauges together | steps a block | time, of one after the other |", "|---|---|---|"]
    for count in (2, 4):
        ratios = []
        for _ in range(repeats + 1):
            seconds = []
            for group in (1, count):
                depth = max(1, block_of_steps(columns * group, 4))
                start = time.perf_counter()
                for first in range(0, count, group):
                    for _ in range(round(28 / depth)):
                        together = tuple(gauges[first : first + group])
                        _front(together, factors, damping, waves._margin_cells, waves._wet_runs, depth)
                seconds.append((time.perf_counter() - start) / (round(28 / depth) * depth))
            ratios.append(seconds[1] / seconds[0])
        lines.append(f"| {count} | {depth} | {spread(ratios[1:], 2)} |")
    return lines


def measure_projection(repeats: int, spacing_arcmin: float = 2.0) -> list[str]:
    """Return a table: phases of a bank with the far field coarse, and with every cell for every subfault."""
    region = Region.open("cascadia").with_grids(spacing_arcmin=spacing_arcmin)
    subfaults, grid = region.subfaults(), region.grids["near"].grid()
    waves = LongWaves(grid, Bathymetry.etopo1().depth_on(grid))
    gauge = next(gauge for gauge in region.gauges if gauge.name == "46404")
    stencil = waves.stencil(gauge.lon, gauge.lat)
    subfault_uplift(np.array([230.0]), np.array([45.0]), subfaults)  # compiles
    count = 60
    seconds: dict[str, list[float]] = {}

    def clocked(name, work, *arguments, **options):
        start = time.perf_counter()
        result = work(*arguments, **options)
        seconds.setdefault(name, []).append(time.perf_counter() - start)
        return result

    def felt(box):
        return np.stack(list(waves.gauge_sensitivity(stencil, interval_s=SAMPLE_S, count=count, box=box)))

    for _ in range(repeats):
        projection = clocked("uplift", SubfaultProjection, waves, subfaults, kajiura=False)
        states = clocked("waves", felt, projection.box)
        found = clocked("projection", projection.uplift.adjoint, states)
        wet, box = projection.uplift.wet, projection.box
        lat, lon = np.meshgrid(grid.lat_deg[box.slices[0]], grid.lon_deg[box.slices[1]], indexing="ij")
        whole = clocked("dense uplift", subfault_uplift, lon[wet], lat[wet], subfaults, dtype=np.float32)
        at_sea = states[:, wet]
        dense = clocked("dense projection", np.matmul, at_sea, whole)
    kept, all_of_it = projection.uplift.nbytes, whole.nbytes
    truth = np.concatenate(
        [at_sea.astype(float) @ whole[:, part : part + 100].astype(float) for part in range(0, len(subfaults), 100)], 1
    )
    scale = np.abs(truth).max(axis=0)
    errors = [float((np.abs(each - truth).max(axis=0) / scale).max()) for each in (found, dense)]
    return [
        f"Near grid of Cascadia at {spacing_arcmin:g}', {len(subfaults)} subfaults; waves and projection of one gauge "
        f"for {count} minutes, waves {spread(seconds['waves'], 2)} s.",
        "",
        "| | far field coarse | every cell | ratio |",
        "|---|---|---|---|",
        *(
            f"| {name}, s | {spread(seconds[name], 2)} | {spread(seconds[f'dense {name}'], 2)} | "
            f"{spread([b / a for a, b in zip(seconds[name], seconds[f'dense {name}'])], 1)} |"
            for name in ("uplift", "projection")
        ),
        f"| uplift kept, MB | {kept / 1e6:.0f} | {all_of_it / 1e6:.0f} | {all_of_it / kept:.1f} |",
        f"| greatest error of a response, of its maximum, against float64 | {errors[0]:.1e} | {errors[1]:.1e} | |",
    ]


def measure_build(spacing_arcmin: float, *, workers: int | None = None) -> str:
    """Return a row of a table: a bank of Cascadia by the command, its time and its greatest memory."""
    command = [sys.executable, "-m", "slipcast.cli", "bank", "build", "cascadia", "--spacing", f"{spacing_arcmin:g}"]
    command += [] if workers is None else ["--workers", str(workers)]
    with tempfile.TemporaryDirectory() as folder:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return f"| {spacing_arcmin:g}' | {workers or 'a core'} | {seconds:.0f} | {cpu:.0f} | {after.ru_maxrss / 1e6:.2f} |"


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--build", action="store_true", help="build whole banks too, at 2 and at 1 arc-minutes")
    parser.add_argument("--workers", type=int, help="runs at a time of these; by default one a core")
    arguments = parser.parse_args()
    print("```\n" + "\n".join(measure(arguments.repeats)) + "\n```\n", flush=True)
    print("\n".join(measure_bandwidth(arguments.repeats)) + "\n", flush=True)
    print("\n".join(measure_together(arguments.repeats)) + "\n", flush=True)
    print("\n".join(measure_projection(min(3, arguments.repeats))) + "\n", flush=True)
    if arguments.build:
        print("| near grid | workers | seconds | of processors | peak memory, GB |\n|---|---|---|---|---|")
        for spacing in (2.0, 1.0):
            print(measure_build(spacing, workers=arguments.workers), flush=True)


if __name__ == "__main__":
    main()
