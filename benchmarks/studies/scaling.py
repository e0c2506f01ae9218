"""Cost of a bank and scenarios of the whole Pacific, from measured rates; writes docs/scaling.md.

python -m benchmarks.speed --bank bank.nc --out runs/speed
python -m benchmarks.studies.workers
python -m benchmarks.studies.scaling runs/speed/speed.json
"""

import argparse
import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.markdown import table
from benchmarks.provenance import ROOT
from slipcast.geodesy import EARTH_RADIUS_M
from slipcast.io.atomic import read_json, write_text
from slipcast.physics.bathymetry import Bathymetry, Grid
from slipcast.physics.projection import uplift_box
from slipcast.physics.shallow_water import GRAVITY_M_S2, LongWaves
from slipcast.physics.unit_sources import catalogue, subdivide
from slipcast.regions.region import Region

DOCS = ROOT / "docs"
LON, LAT = (120.0, 295.0), (-60.0, 62.0)
N_DARTS, N_POINTS = 60, 200
SCENARIOS = 10_000_000
SUBFAULT_KM = 10.0
HOURS = 24.0  # a wave crosses the Pacific in less
DART_HOURS = 4.0  # of a record that an inversion may see
MARGIN_DEG = 1.25 + 0.5  # sources in the absorbing margin of the grid are none of it
UPLIFT_DEG = 2.5  # uplift is followed so far around a unit source
FLOAT = 4
CACHE_MB = 64  # more than this is out of cache
FACTORS = 1, 2, 4  # of the spacing
CORES = 2, 16, 64, 260

PAGE = """# The whole Pacific

What it would take: unit sources of NOAA's propagation database, {n_darts} DARTs and {n_points} forecast points on a
grid of 1' over {west:g} to {east:g}° E, {south:g} to {north:g}° N, and 10^{power} scenarios. Written by `python -m
benchmarks.studies.scaling speed.json` from the rates that `benchmarks.speed` and `benchmarks.studies.workers` measured
on {cores} cores of {machine}; nothing of this size was run.

{sources}

## Grid and time steps

{grid}

The step follows from the deepest cell in its latitude (0.9 of the stable one); a whole number of steps makes a
minute. Land is computed too. The rate is that of one core while all are busy, on {rate_grid}:
{rate:.0f} million cell updates a second. Depths are those of ETOPO1 at 6'. Halving the spacing costs 8 times as much.

## Bank: one run per gauge

By reciprocity a run per gauge serves all sources, so {n_gauges} runs and not {n_forward:,}, one per subfault.

{bank}

Gauges are tasks of their own, so up to {n_gauges} cores share the work; a task is the smallest piece, and its hours
are the least that any number of cores can take. A core that shares its memory with others is as slow as the memory:
rates are of {cores} busy cores.

{memory}

**Sampling.** The bank holds a sample a minute. The shortest waves that a grid of 1' carries well, some ten cells long,
have a period of {period:.0f} s in 4,000 m of water, which needs a sample every 15 s or so:

{sampling}

## Scenarios

{drawing}

{storage}

## Cost

With a rate of *r* for a core-hour (put in what yours costs; memory and storage are not in it):

{cost}

## What would have to change

- **The projection onto subfaults.** A task holds the uplift of every subfault at every cell around all sources. For
  one zone that is {uplift_zone}; for all sources at once it would be {uplift_all}. The same sums, done for a block of
  unit sources at a time, each over the cells within {uplift_deg:g}° of it, hold {uplift_block} at 1'.
- **One bank per basin or zone.** A rupture lies within one zone, and a bank of all subfaults is too large for
  memory: one bank for each zone, on its own subfaults, from runs that are shared. Today a bank of another zone
  repeats its runs.
- **Grids by distance.** All gauges at 1' over all of the Pacific is the dearest choice. DARTs need 1' where they are
  near a source; from far away {far} is what the far gauges of the built-in regions have. A region may give each gauge
  a grid of its own already.
- **Storage.** The bank is one netCDF file that is written from memory. At this size: Zarr, a chunk a gauge, written
  by whoever has it, as the scenarios are. A scenario set goes through the machine of the command, which alone writes;
  {storage_all} need a store to which every worker writes.
- **Scenarios need not be kept.** Each is drawn from the seed and its number. A training that draws its own
  (`slipcast.scenarios.stream.ScenarioStream`) stores nothing, and pays the core-hours above each time it sees them all.

## Commands

What there is today, with a region file of one zone and the gauges wanted (`slipcast regions show cascadia` shows
one):

```sh
dask scheduler                                            # on one machine; prints tcp://host:8786
dask worker tcp://host:8786 --nthreads 1 --nworkers 16    # on each of the others
slipcast bank build zone.toml --scheduler tcp://host:8786 --out zone.nc
slipcast scenarios build zone.nc --count {scenarios} --seed 1 --scheduler tcp://host:8786 --out zone.zarr
```

Both resume after an interruption ([workflow.md](workflow.md)).

## Two workers against one

{workers}
"""


@dataclass(frozen=True)
class Spacing:
    """A grid over the Pacific: cells, steps and updates of a run."""

    arcmin: int
    cells: int
    steps_a_minute: int

    @property
    def updates(self) -> float:
        """Cell updates of one run."""
        return self.cells * self.steps_a_minute * 60 * HOURS


def amount(n_bytes: float) -> str:
    """Word a number of bytes."""
    for unit, size in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= size:
            return f"{n_bytes / size:.3g} {unit}"
    return f"{n_bytes / 1e3:.3g} kB"


def hours(value: float) -> str:
    """Word a time."""
    return f"{value / 24:,.1f} days" if value >= 48 else f"{value:.1f} h" if value >= 1 else f"{60 * value:.0f} min"


def spacings() -> tuple[list[Spacing], float]:
    """Lay grids; return them, and the share of wet cells."""
    coarse = Grid.over(LON, LAT, 6.0)
    waves = LongWaves(coarse, Bathymetry.etopo1().depth_on(coarse))
    found = []
    for arcmin in FACTORS:
        grid = Grid.over(LON, LAT, float(arcmin))
        step_s = waves.max_step_s * arcmin / 6.0  # the stable step is in proportion to the spacing
        found.append(Spacing(arcmin, grid.shape[0] * grid.shape[1], int(np.ceil(60 / step_s))))
    return found, float(waves.wet.mean())


def count_sources() -> tuple[int, int, int]:
    """Count the unit sources of the database, those inside the grid, and the subfaults of these."""
    every = list(catalogue().values())
    inside = []
    for source in every:
        lon, lat, *_ = source.point(0.0, source.width_m / 2)
        if LON[0] + MARGIN_DEG < lon % 360 < LON[1] - MARGIN_DEG and LAT[0] + MARGIN_DEG < lat < LAT[1] - MARGIN_DEG:
            inside.append(source)
    return len(every), len(inside), sum(len(subdivide([source], SUBFAULT_KM)) for source in inside)


def block_bytes(arcmin: float, subfaults_each: float) -> float:
    """Return the bytes of the uplift of one unit source at 30° of latitude."""
    across = 2 * UPLIFT_DEG + 1.0
    return across * 60 / arcmin * across / np.cos(np.radians(30.0)) * 60 / arcmin * subfaults_each * FLOAT


def rows_of_workers(found: dict | None) -> str:
    """Word what Dask gained, beside what plain processes did."""
    if found is None:
        return "`benchmarks/studies/workers.py` has not been run."
    titles = {
        "bank": "`bank build`, Dask",
        "plain_bank": "runs of the solver, plain processes",
        "scenarios": "`scenarios build`, Dask",
        "plain_scenarios": "`scenarios build --workers`, plain processes",
    }
    rows = []
    for what, title in titles.items():
        one, two, ratio = (found[what][key] for key in ("one_s", "two_s", "ratio"))
        spread = f"{ratio['median']:.2f} ({ratio['least']:.2f} to {ratio['most']:.2f})"
        rows.append([title, f"{one['median']:.1f}", f"{two['median']:.1f}", spread])
    return (
        f"`benchmarks/studies/workers.py`: the bank of Cascadia at {found['spacing_arcmin']:g}' with all its "
        f"{found['gauges']} gauges; {found['count']:,} scenarios of its {found['near_gauges']} near ones, "
        f"{found['hours']:g} h; {found['repeats']} rounds in turn on {found['cores']} cores, medians (least and most). "
        "Plain processes, each with work of its own, show what these cores give at best, other work on "
        "the machine included; a core of a virtual machine may be half of a real one.\n\n"
        + table(["", "one, s", "two, s", "ratio"], rows)
    )


def scaling_page(speed: dict, workers: dict | None) -> str:
    """Render docs/scaling.md from ``speed.json`` and ``workers.json``, and from the grids of today's code."""
    return wrapped(_page(speed, workers))


def _page(speed: dict, workers: dict | None) -> str:
    """Put the page together."""
    grids, wet = spacings()
    n_every, n_sources, n_subfaults = count_sources()
    n_gauges, cores = N_DARTS + N_POINTS, speed["about"]["machine"]["cores"]
    largest = list(speed["solver"].values())[-1]
    rate = 1e6 * largest["all"]["median"] / cores
    samples = round(60 * HOURS) + 1
    finest = grids[0]
    core_hours = {grid.arcmin: n_gauges * grid.updates / rate / 3600 for grid in grids}
    flop = 2.0 * samples * n_subfaults * (block_bytes(1.0, 1.0) / FLOAT)
    product_h = n_gauges * flop / (1e9 * speed["machine"]["gemm_gflop_s"]["one"]["median"]) / 3600
    drawn = speed["scenarios"]
    measured = drawn["gauges"] * drawn["minutes"]
    kinds = {
        f"{N_DARTS} DARTs, {DART_HOURS:g} h": N_DARTS * 60 * DART_HOURS,
        f"all {n_gauges} gauges, {HOURS:g} h": n_gauges * 60 * HOURS,
    }
    of_scenarios = {
        name: SCENARIOS * count / measured / drawn["own_sizes"]["median"] / 3600 for name, count in kinds.items()
    }
    slip_bytes = 2 * FLOAT * speed["bank"]["subfaults"]
    stored = {f"records, {name}": SCENARIOS * FLOAT * count for name, count in kinds.items()}
    stored["maxima at the forecast points"] = SCENARIOS * FLOAT * N_POINTS
    stored["slip and onset on the subfaults of a zone like Cascadia"] = float(SCENARIOS * slip_bytes)
    drawing = [[name, hours_all(value)] + [hours(value / n) for n in CORES] for name, value in of_scenarios.items()]
    total = [("bank, 1'", core_hours[1] + product_h)]
    total += [(f"10^7 scenarios, {name}", value) for name, value in of_scenarios.items()]
    return PAGE.format(
        n_darts=N_DARTS,
        n_points=N_POINTS,
        n_gauges=n_gauges,
        n_forward=n_subfaults,
        west=LON[0],
        east=LON[1],
        south=LAT[0],
        north=LAT[1],
        power=round(np.log10(SCENARIOS)),
        scenarios=SCENARIOS,
        cores=cores,
        machine=speed["about"]["machine"]["machine"],
        rate=rate / 1e6,
        rate_grid=rate_grid(largest),
        sources=(
            f"Of the {n_every:,} unit sources of the database {n_sources:,} lie inside this grid; the others are "
            f"those of the Indian and Atlantic Oceans or at its edges, and need grids of their own. Divided at "
            f"{SUBFAULT_KM:g} km, these are {n_subfaults:,} subfaults. Hours of runs do not depend on how many sources "
            f"there are; bytes and products do, and would be {n_every / n_sources:.2f} times as many for all of them."
        ),
        grid=table(
            ["", *(f"{grid.arcmin}'" for grid in grids)],
            [
                ["cells, millions", *(f"{grid.cells / 1e6:.1f}" for grid in grids)],
                ["of them wet", *(f"{100 * wet:.0f} %" for _ in grids)],
                ["time step, s", *(f"{60 / grid.steps_a_minute:.2f}" for grid in grids)],
                [f"steps in {HOURS:g} h", *(f"{grid.steps_a_minute * 60 * HOURS:,.0f}" for grid in grids)],
                ["cell updates of a run, 10^12", *(f"{grid.updates / 1e12:.3f}" for grid in grids)],
                ["a run on one core", *(hours(grid.updates / rate / 3600) for grid in grids)],
            ],
        ),
        bank=table(
            ["", *(f"{grid.arcmin}'" for grid in grids)],
            [
                [f"{n_gauges} runs, core-hours", *(f"{core_hours[grid.arcmin]:,.0f}" for grid in grids)],
                *([f"on {n} cores", *(hours(core_hours[grid.arcmin] / n) for grid in grids)] for n in CORES),
                [
                    "products with the uplift, core-hours",
                    *(f"{product_h / grid.arcmin**2:,.0f}" for grid in grids),
                ],
            ],
        ),
        memory=table(
            ["memory of a task", *(f"{grid.arcmin}'" for grid in grids)],
            [
                ["fields and coefficients, float32", *(amount(5 * FLOAT * grid.cells) for grid in grids)],
                ["depth and coast besides", *(amount(9 * grid.cells) for grid in grids)],
                ["uplift of one unit source within 2.5°", *(amount(block_bytes(grid.arcmin, 50)) for grid in grids)],
                ["response of a gauge", *(amount(FLOAT * samples * n_subfaults) for _ in grids)],
            ],
        ),
        sampling=table(
            ["bytes of the bank, float32", "every minute", "every 15 s"],
            [
                [
                    f"on {count:,} {what}, {length:g} h",
                    *(amount(FLOAT * n_gauges * count * (60 * length * times + 1)) for times in (1, 4)),
                ]
                for what, count in (("unit sources", n_sources), ("subfaults", n_subfaults))
                for length in (HOURS, DART_HOURS)
            ],
        ),
        period=10 * np.radians(1 / 60) * EARTH_RADIUS_M / np.sqrt(GRAVITY_M_S2 * 4000.0),
        drawing=(
            f"{drawn['own_sizes']['median']:.0f} scenarios a second on one core were measured, with {drawn['gauges']} "
            f"gauges and {drawn['minutes']:g} minutes ({drawn['a_second']['median']:.0f} where ruptures share sizes). "
            "Taken in proportion to the samples, which is too much, as a rupture is drawn once however many gauges "
            "there are:\n\n" + table(["10^7 scenarios", "core-hours", *(f"{n} cores" for n in CORES)], drawing)
        ),
        storage=table(["bytes of 10^7 scenarios, uncompressed", ""], [[name, amount(n)] for name, n in stored.items()]),
        cost=table(["", "core-hours", "cost"], [[name, f"{value:,.0f}", f"{value:,.0f} *r*"] for name, value in total]),
        uplift_zone=amount(zone_bytes(1.0, speed["bank"]["subfaults"])) + " at 1' (Cascadia)",
        uplift_all=amount(float(finest.cells) * wet * n_subfaults * FLOAT),
        uplift_deg=UPLIFT_DEG,
        uplift_block=amount(block_bytes(1.0, 50)) + " each",
        far="6'",
        storage_all=amount(stored[f"records, all {n_gauges} gauges, {HOURS:g} h"]),
        workers=rows_of_workers(workers),
    )


def wrapped(text: str) -> str:
    """Break the lines of paragraphs and lists; tables, headings and code stay as they are."""
    blocks = []
    for block in text.split("\n\n"):
        if block.startswith("- "):
            items = block[2:].replace("\n  ", " ").split("\n- ")
            block = "\n".join(textwrap.fill(item, 118, initial_indent="- ", subsequent_indent="  ") for item in items)
        elif block.startswith("`benchmarks") or (block and block[0] not in "#|`\n"):
            block = textwrap.fill(block, 118, break_on_hyphens=False)
        blocks.append(block)
    return "\n\n".join(blocks).rstrip("\n") + "\n"


def rate_grid(grid: dict) -> str:
    """Say on which grid the rate was measured, and whether that is one that a cache may hold."""
    held = f"{grid['title']} ({grid['held_mb']:.0f} MB a run)"
    return held if grid["held_mb"] > CACHE_MB else f"{held}, which a cache may hold: a larger grid is slower"


def hours_all(value: float) -> str:
    """Word core-hours."""
    return f"{value:,.0f}"


def zone_bytes(arcmin: float, n_subfaults: int) -> float:
    """Return the bytes of the uplift of all subfaults of Cascadia, at all wet cells around them."""
    region = Region.open("cascadia").with_grids(spacing_arcmin=arcmin)
    grid = region.grids["near"].grid()
    waves = LongWaves(grid, Bathymetry.etopo1().depth_on(grid))
    return float(waves.wet[uplift_box(waves, region.subfaults()).slices].sum()) * n_subfaults * FLOAT


def main() -> None:
    """Compute, print and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("speed", type=Path, help="speed.json of python -m benchmarks.speed")
    parser.add_argument("--workers", type=Path, default=DOCS / "benchmarks" / "workers.json")
    arguments = parser.parse_args()
    workers = read_json(arguments.workers) if arguments.workers.is_file() else None
    text = scaling_page(read_json(arguments.speed), workers)
    print(text)
    write_text(DOCS / "scaling.md", text)


if __name__ == "__main__":
    main()
