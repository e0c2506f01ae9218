"""Speed and memory of scenarios: slip drawn and records made, against one forward simulation, in one run.

python -m benchmarks.studies.scenarios bank.nc [--write 50000]
"""

import argparse
import multiprocessing
import re
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slipcast.greens.bank import GreensBank
from slipcast.physics.bathymetry import Bathymetry
from slipcast.physics.okada import unit_source_uplift
from slipcast.physics.ruptures import RuptureGenerator
from slipcast.physics.shallow_water import LongWaves
from slipcast.scenarios.kinematics import KinematicResponse
from slipcast.scenarios.scenario_set import BATCH, draw_ruptures
from slipcast.scenarios.stream import ScenarioStream
from slipcast.scenarios.writing import write_scenarios

CASES = ((4, 120.0), (14, 240.0))


@dataclass(frozen=True)
class ScenarioRate:
    """How fast scenarios were made: of each repeat, in a second and in a second of one core's time."""

    a_second: list[float]
    a_core_second: list[float]


def measure_scenarios(
    bank: GreensBank,
    *,
    n_gauges: int,
    window_min: float,
    alike: int | None = None,
    repeats: int = 5,
    processes: int = 1,
) -> ScenarioRate:
    """Make scenarios of the first gauges of a bank.

    Parameters
    ----------
    bank : GreensBank
    n_gauges : int
        How many gauges.
    window_min : float
        Length of their records, min.
    alike : int, optional
        None: each scenario from its own seed, as in a set. Otherwise those of a stream (:class:`ScenarioStream`).
    repeats : int, optional
        Measurements, of eight blocks of a set each.
    processes : int, optional
        Processes that make as many each.

    Returns
    -------
    rate : ScenarioRate
        Of all processes together.
    """
    work = (bank.with_window(bank.gauges[:n_gauges], window_min), window_min, alike, repeats)
    if processes == 1:
        parts = [_spans(*work)]
    else:
        with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
            parts = list(pool.map(_spans, *zip(*[work] * processes, strict=True)))
    wall = [processes * 8 * BATCH / statistics.mean(part[n][0] for part in parts) for n in range(repeats)]
    core = [8 * BATCH / statistics.mean(part[n][1] for part in parts) for n in range(repeats)]
    return ScenarioRate(wall, core)


def _spans(bank: GreensBank, window_min: float, alike: int | None, repeats: int) -> list[tuple[float, float]]:
    """Return the seconds, and the seconds of a core, that eight blocks took, each time."""
    if alike is None:
        response, generator = KinematicResponse.of(bank), RuptureGenerator(bank.subfaults)
        blocks = (draw_ruptures(response, generator, 1, range(k, k + BATCH)) for k in range(0, 10**9, BATCH))
    else:
        blocks = ScenarioStream(bank, bank.gauges, window_min, alike=alike).batches(BATCH, np.random.default_rng(1))
    next(blocks)  # compiles
    spans = []
    for _ in range(repeats):
        start, of_core = time.perf_counter(), time.process_time()
        for _ in range(8):
            next(blocks)
        spans.append((time.perf_counter() - start, time.process_time() - of_core))
    return spans


def measure_forward(bank: GreensBank, windows_min: list[float]) -> tuple[list[float], list[float], int]:
    """Follow the waves of one unit source on the near grid; return seconds and core seconds by window, and cells."""
    grid = bank.region.grids["near"].grid()
    waves = LongWaves(grid, Bathymetry.etopo1().depth_on(grid))
    source = bank.subfaults.sources[len(bank.sources) // 2]
    lon, lat = np.meshgrid(grid.lon_deg, grid.lat_deg)
    uplift = np.where(waves.wet, unit_source_uplift(lon, lat, source)[..., 0], 0.0)
    list(waves.propagate(uplift, interval_s=60.0, count=1))  # compiles
    wall, core = [], []
    start, of_core = time.perf_counter(), time.process_time()
    for minute, _ in enumerate(waves.propagate(uplift, interval_s=60.0, count=round(max(windows_min)))):
        if minute in windows_min:
            wall.append(time.perf_counter() - start)
            core.append(time.process_time() - of_core)
    if len(wall) < len(windows_min):
        wall.append(time.perf_counter() - start)
        core.append(time.process_time() - of_core)
    return wall, core, lon.size


def _peak_of_writing(bank: GreensBank, folder: str, count: int) -> float:
    """Write a set and return the peak memory of this process, GB (Linux)."""
    write_scenarios(bank, Path(folder) / f"{count}.zarr", count=count, seed=1)
    # of this program alone: getrusage also counts what forked it
    (peak,) = re.findall(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return int(peak) / 1e6


def measure_memory(bank: GreensBank, counts: list[int]) -> list[float]:
    """Write sets, each in a process of its own; return their peaks of memory, GB."""
    peaks = []
    for count in counts:
        with (
            tempfile.TemporaryDirectory() as folder,
            ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
        ):
            peaks.append(pool.submit(_peak_of_writing, bank, folder, count).result())
    return peaks


def main() -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bank")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--write", type=int, metavar="COUNT", help="also write sets of a tenth of this and of this")
    parser.add_argument(
        "--no-forward", action="store_true", help="leave out the forward simulation, which takes minutes"
    )
    options = parser.parse_args()
    bank = GreensBank.open(options.bank)
    forward = None if options.no_forward else measure_forward(bank, [window for _, window in CASES])
    print("| scenarios | processes | a second, median (least to most) | a second of one core | forward runs at once |")
    print("|---|---|---|---|---|")
    for case, (n_gauges, window_min) in enumerate(CASES):
        for name, alike, processes in (
            ("each from its seed", None, 1),
            ("each from its seed", None, 2),
            ("24 alike", 24, 1),
        ):
            rate = measure_scenarios(
                bank,
                n_gauges=n_gauges,
                window_min=window_min,
                alike=alike,
                repeats=options.repeats,
                processes=processes,
            )
            wall, core = rate.a_second, statistics.median(rate.a_core_second)
            spread = f"{statistics.median(wall):,.0f} ({min(wall):,.0f} to {max(wall):,.0f})"
            beside = "" if forward is None else f"{core * forward[1][case]:,.0f}"
            label = f"{n_gauges} gauges x {window_min:g} min, {name}"
            print(f"| {label} | {processes} | {spread} | {core:,.0f} | {beside} |")
    if forward is not None:
        for (_, window_min), wall, core in zip(CASES, *forward[:2], strict=True):
            print(
                f"One forward run of {window_min:g} min on {forward[2]:,} cells: "
                f"{wall:.1f} s, {core:.1f} s of one core."
            )
    if options.write:
        counts = [options.write // 10, options.write]
        part = bank.with_window(bank.gauges[:14], 240.0)
        peaks = measure_memory(part, counts)
        for count, peak in zip(counts, peaks, strict=True):
            print(f"Peak memory while {count:,} scenarios of 14 gauges are written: {peak:.2f} GB.")


if __name__ == "__main__":
    main()
