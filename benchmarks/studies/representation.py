"""Explained variance of the highest waves from true slip that is averaged over pieces of the fault, all at time zero.

    python -m benchmarks.studies.representation --bank bank.nc
    python -m benchmarks.studies.representation

The first writes docs/benchmarks/representation.json, a minute; the second, without a bank, builds a coarse one of the
near grid alone and writes docs/benchmarks/representation_coarse.json, half a minute, which `python -m benchmarks.pages
--check` computes again. Both stand in docs/limits.md after `python -m benchmarks.pages`.
"""

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.provenance import ROOT, source_files, tables, write_compact
from slipcast.errors import SlipcastWarning
from slipcast.forecasting.forecast import arrival_time
from slipcast.greens.bank import GreensBank
from slipcast.metrics import explained_variance
from slipcast.regions.region import Region
from slipcast.scenarios.scenario_set import ScenarioSet

OUT = ROOT / "docs" / "benchmarks"
NEAR_MIN = 120.0
PIECES = (1, 1), (2, 1), (2, 2), (5, 2), (5, 5), (10, 5)
COUNT, SEED = 300, 80_000
COARSE_ARCMIN, COARSE_HOURS, COARSE_COUNT = 6.0, 4.0, 100
ON = ("physics", "greens", "scenarios", "regions", "metrics.py", "geodesy.py", "forecasting/forecast.py")


def code(root: Path = ROOT) -> list[Path]:
    """Return the files on which the tables depend."""
    return source_files("benchmarks/studies/representation.py", root=root, only=ON)


def averaging(bank: GreensBank, along: int, down: int) -> np.ndarray:
    """Return what replaces slip on subfaults by its mean over pieces of unit sources, (n_subfaults, n_subfaults)."""
    subfaults = bank.subfaults
    piece = np.zeros(len(subfaults), dtype=int)
    for source in np.unique(subfaults.source_index):
        inside = subfaults.source_index == source
        i, j = (index[inside] - index[inside].min() for index in (subfaults.along, subfaults.down))
        piece[inside] = source * along * down + i * along // (i.max() + 1) * down + j * down // (j.max() + 1)
    member = (piece[:, np.newaxis] == np.unique(piece)) * subfaults.area_m2[:, np.newaxis]
    return (member / member.sum(axis=0)) @ (member > 0).T


def representation(bank: GreensBank, count: int) -> dict[str, Any]:
    """Compute the table of a bank: header and rows; far points have a column if there are any."""
    scenarios = ScenarioSet.build(bank, count=count, seed=SEED)
    slip, records = (scenarios.dataset[name].to_numpy() for name in ("slip", "records"))
    places = [bank.gauges.index(name) for name in bank.gauge_names("forecast")]
    true = np.nanmax(records[:, places], axis=-1)
    near = np.nanmedian(arrival_time(records[:, places], bank.time_s), axis=0) < 60 * NEAR_MIN
    response, rows = bank.dataset["response"].to_numpy(), []
    for along, down in PIECES:
        used = slip @ averaging(bank, along, down)
        found = np.stack([np.nanmax(used @ response[place].T, axis=-1) for place in places], axis=1)
        scores = explained_variance(true, found)
        means = [scores[which].mean() for which in (near, ~near) if which.any()]
        pieces = [f"{100 / along:g} x {50 / down:g} km", f"{along * down * len(bank.sources):,}"]
        rows.append([*pieces, *(f"{value:.2f}" for value in means), f"{np.mean(found / true):.2f}"])
    far = ["far points"] if not near.all() else []
    return {"header": ["slip averaged over", "pieces", "near points", *far, "mean of found over true"], "rows": rows}


def coarse_bank() -> GreensBank:
    """Build the near grid of Cascadia with a coarse spacing."""
    region = Region.open("cascadia")
    near = [gauge.name for gauge in region.gauges if gauge.grid == "near"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SlipcastWarning)
        return GreensBank.build(region, gauges=near, hours=COARSE_HOURS, spacing_arcmin=COARSE_ARCMIN)


def coarse() -> dict[str, Any]:
    """Compute what docs/benchmarks/representation_coarse.json holds."""
    bank = coarse_bank()
    found = {"representation": representation(bank, COARSE_COUNT)}
    return tables(found, "python -m benchmarks.studies.representation", code(), bank=bank.id)


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bank", type=Path, help="a bank; by default a coarse one is built")
    parser.add_argument("--count", type=int, default=COUNT, help="scenarios, with --bank")
    parser.add_argument("--out", type=Path, help="a file; by default in docs/benchmarks")
    given = parser.parse_args()
    if given.bank is None:
        write_compact(given.out or OUT / "representation_coarse.json", coarse())
        return
    bank = GreensBank.open(given.bank)
    found = {"representation": representation(bank, given.count)}
    command = "python -m benchmarks.studies.representation --bank bank.nc"
    write_compact(given.out or OUT / "representation.json", tables(found, command, code(), bank=bank.id))


if __name__ == "__main__":
    main()
