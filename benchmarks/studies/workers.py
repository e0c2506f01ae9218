"""Two Dask workers against one, beside what two plain processes get; writes docs/benchmarks/workers.json.

python -m benchmarks.studies.workers [--quick]

A quarter of an hour.
"""

import argparse
import os
import platform
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.speed.machine import n_cores
from benchmarks.speed.timing import interleaved, ratios, spread
from slipcast.errors import SlipcastWarning
from slipcast.greens.bank import GreensBank
from slipcast.io.atomic import write_json
from slipcast.physics.bathymetry import Bathymetry
from slipcast.physics.shallow_water import LongWaves
from slipcast.regions.region import Region
from slipcast.scenarios.writing import write_scenarios

PARTS = 12  # of the work of plain processes, divided among them
TITLES = {
    "bank": "`bank build`, Dask",
    "scenarios": "`scenarios build`, Dask",
    "plain_bank": "the solver alone, plain processes",
    "plain_scenarios": "`scenarios build`, plain processes (`--workers`)",
}


def near_only(region: Region) -> Region:
    """Keep the gauges of the near grid."""
    return region.with_gauges([gauge.name for gauge in region.gauges if gauge.grid == "near"])


def solve(region: Region) -> int:
    """Follow waves on the near grid, as a gauge's run does; return the steps taken."""
    grid_plan = region.grids["near"]
    minutes = round(60 * grid_plan.hours)
    waves = LongWaves(grid_plan.grid(), Bathymetry.etopo1().depth_on(grid_plan.grid()))
    for _ in waves.propagate(np.ones(waves.grid.shape), interval_s=60.0, count=minutes):
        pass
    return minutes * waves.steps_per(60.0)


def measure(region: Region, *, count: int, repeats: int) -> dict:
    """Time both commands on one and two workers, and plain processes, in turn."""
    from distributed import LocalCluster  # not in the processes that are started, which read this file, too

    near = near_only(region)
    numbers = iter(range(10**6))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", SlipcastWarning)
        bank = GreensBank.build(near)
        ids = set()
        clusters = {
            n: LocalCluster(n_workers=n, threads_per_worker=1, processes=True, dashboard_address=":0") for n in (1, 2)
        }
        pools = {n: ProcessPoolExecutor(n, mp_context=get_context("spawn")) for n in (1, 2)}

        def build(workers: int) -> None:
            ids.add(GreensBank.build(region, scheduler=clusters[workers].scheduler_address).id)
            assert len(ids) == 1, "any number of workers must make the same bank"

        def draw(**how) -> None:
            write_scenarios(bank, Path(folder) / f"{next(numbers)}.zarr", count=count, seed=1, **how)

        works = {}
        for n in (1, 2):
            works |= {
                f"bank_{n}": lambda n=n: build(n),
                f"scenarios_{n}": lambda n=n: draw(scheduler=clusters[n].scheduler_address),
                f"plain_bank_{n}": lambda n=n: list(pools[n].map(solve, [near] * PARTS)),
                f"plain_scenarios_{n}": lambda n=n: draw(workers=n),
            }
        order = [f"{what}_{n}" for what in TITLES for n in (1, 2)]
        seconds = interleaved({name: works[name] for name in order}, repeats)
        for closing in clusters.values():
            closing.close()
        for pool in pools.values():
            pool.shutdown()
    return {
        "machine": platform.machine(),
        "cores": n_cores(),
        "repeats": repeats,
        "gauges": len(region.gauges),
        "near_gauges": len(near.gauges),
        "spacing_arcmin": region.grids["near"].spacing_arcmin,
        "hours": region.grids["near"].hours,
        "count": count,
        **{
            what: {
                "one_s": spread(seconds[f"{what}_1"]),
                "two_s": spread(seconds[f"{what}_2"]),
                "ratio": ratios(seconds[f"{what}_1"], seconds[f"{what}_2"]),
            }
            for what in TITLES
        },
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[2] / "docs" / "benchmarks" / "workers.json")
    arguments = parser.parse_args()
    started = time.monotonic()
    region, count = Region.open("cascadia").with_grids(spacing_arcmin=2.0), 32_768
    if arguments.quick:
        region, count = near_only(region.with_grids(spacing_arcmin=6.0, hours=1.0)), 256
    found = measure(region, count=count, repeats=3)
    for what, title in TITLES.items():
        row = found[what]
        one, two, ratio = (row[key]["median"] for key in ("one_s", "two_s", "ratio"))
        print(f"{title}: one {one:.1f} s, two {two:.1f} s, ratio {ratio:.2f}")
    print(f"{time.monotonic() - started:.0f} s")
    write_json(arguments.out, found)


if __name__ == "__main__":
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):  # for the processes that are started: one core each
        os.environ.setdefault(name, "1")
    main()
