"""How well the true slip, averaged over pieces of the fault and all at time zero, forecasts the highest waves.

    python -m benchmarks.studies.representation demo/cascadia/bank.nc demo/cascadia/scenarios.zarr

A minute; prints the table of docs/limits.md.
"""

import argparse
from pathlib import Path

import numpy as np

from slipcast.forecasting.forecast import arrival_time
from slipcast.greens.bank import GreensBank
from slipcast.metrics import explained_variance
from slipcast.scenarios.scenario_set import ScenarioSet

NEAR_MIN = 120.0


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


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bank", type=Path)
    parser.add_argument("scenarios", type=Path)
    given = parser.parse_args()
    bank, scenarios = GreensBank.open(given.bank), ScenarioSet.open(given.scenarios)
    test = scenarios.indices("test")
    slip = scenarios.dataset["slip"].to_numpy()[test]
    records = scenarios.dataset["records"].to_numpy()[test]
    points = bank.gauge_names("forecast")
    places = [bank.gauges.index(name) for name in points]
    true = np.nanmax(records[:, places], axis=-1)
    arrival = np.nanmedian(arrival_time(records[:, places], bank.time_s), axis=0)
    near = arrival < 60 * NEAR_MIN
    print("| slip averaged over | pieces | near points | far points | mean of found over true |")
    print("|---|---|---|---|---|")
    response = bank.dataset["response"].to_numpy()
    for along, down in ((1, 1), (2, 1), (2, 2), (5, 2), (5, 5), (10, 5)):
        used = slip @ averaging(bank, along, down)
        found = np.stack([np.nanmax(used @ response[place].T, axis=-1) for place in places], axis=1)
        scores = explained_variance(true, found)
        pieces = f"{100 / along:g} x {50 / down:g} km | {along * down * len(bank.sources):,}"
        mean = np.mean(found / true)
        print(f"| {pieces} | {scores[near].mean():.2f} | {scores[~near].mean():.2f} | {mean:.2f} |")


if __name__ == "__main__":
    main()
