"""Gain from blocks of steps and a coarse far field, for the solver and a bank, each against the plain way.

    python -m benchmarks.studies.solver [--build]

The solver against numpy and the memory's bandwidth is in `python -m benchmarks.speed`.
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

from benchmarks.speed.machine import Triad
from benchmarks.speed.solver import BYTES_A_CELL
from slipcast.greens.reciprocity import SAMPLE_S
from slipcast.physics import shallow_water
from slipcast.physics.bathymetry import Bathymetry, Grid
from slipcast.physics.leapfrog import _step_row, block_of_steps
from slipcast.physics.okada import subfault_uplift
from slipcast.physics.projection import SubfaultProjection
from slipcast.physics.shallow_water import LongWaves
from slipcast.regions.region import Region


def triad_gb_s(threads: int, *, megabytes: float = 160.0) -> float:
    """Measure memory bandwidth with arrays far larger than the caches, GB/s."""
    triad = Triad(megabytes, threads)
    triad()
    start = time.perf_counter()
    triad()
    return triad.moved_bytes / (time.perf_counter() - start) / 1e9


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
            limits = [1e3 * gb_s / BYTES_A_CELL for gb_s in triads]
            rows.append(
                f"| {spacing:g}' | {20 * waves.wet.size / 1e6:.1f} | {threads} | {spread(triads, 1)} | "
                f"{spread(plain)} | {spread(blocked)} | {spread([p / m for p, m in zip(plain, limits)], 2)} | "
                f"{spread([b / m for b, m in zip(blocked, limits)], 2)} | "
                f"{spread([b / p for b, p in zip(blocked, plain)], 2)} |"
            )
    return rows


@njit(nogil=True)
def _front(together, factors, damping, losses, margin, runs, depth):
    """Take a block of steps for several runs, a row of each in turn."""
    rows, columns = together[0][0].shape
    everything = (0, columns)
    for front in range(rows + depth - 1):
        for k in range(max(0, front - rows + 1), min(depth, front + 1)):
            for fields in together:
                _step_row(fields, factors, damping, losses, margin, runs, front - k, everything, everything)


def measure_together(repeats: int, spacing_arcmin: float = 1.0) -> list[str]:
    """Return a table: gauges that share a pass over the factors, against one after the other, on one thread."""
    waves = cascadia_waves(spacing_arcmin)
    dt_s = SAMPLE_S / waves.steps_per(SAMPLE_S)
    (factors, damping), losses = waves._factors(dt_s), waves._losses(dt_s)
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
                        _front(together, factors, damping, losses, waves._margin_cells, waves._wet_runs, depth)
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
    command = [sys.executable, "-m", "slipcast", "bank", "build", "cascadia", "--spacing", f"{spacing_arcmin:g}"]
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--build", action="store_true", help="build whole banks too, at 2 and at 1 arc-minutes")
    parser.add_argument("--workers", type=int, help="runs at a time of these; by default one a core")
    arguments = parser.parse_args()
    print("\n".join(measure_bandwidth(arguments.repeats)) + "\n", flush=True)
    print("\n".join(measure_together(arguments.repeats)) + "\n", flush=True)
    print("\n".join(measure_projection(min(3, arguments.repeats))) + "\n", flush=True)
    if arguments.build:
        print("| near grid | workers | seconds | of processors | peak memory, GB |\n|---|---|---|---|---|")
        for spacing in (2.0, 1.0):
            print(measure_build(spacing, workers=arguments.workers), flush=True)


if __name__ == "__main__":
    main()
