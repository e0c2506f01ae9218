"""Intervals of magnitude of the neural posterior: how often they hold the truth, by window.

    python -m benchmarks.studies.magnitude_intervals --bank bank.nc --model cascadia

Scenarios that no training has seen, at the usual DARTs of the region, with the noise and drift that the model assumes.
Writes docs/benchmarks/magnitude_intervals.json, half a minute on one core; it stands in docs/limits.md after
``python -m benchmarks.pages``.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.markdown import Rows
from benchmarks.provenance import ROOT, source_files, tables, write_compact
from slipcast.greens.bank import GreensBank
from slipcast.inversion import RestrictedPosterior, magnitude_of_slip
from slipcast.learning.inverters import open_posterior
from slipcast.learning.posterior.augmentation import drift
from slipcast.scenarios.scenario_set import ScenarioSet

WINDOWS_MIN = (5, 10, 15, 20, 30, 45, 60, 120)
COUNT, SEED, DRAWS = 1000, 71_000, 200


def code(root: Path = ROOT) -> list[Path]:
    """Return the files on which the table depends."""
    return source_files("benchmarks/studies/magnitude_intervals.py", root=root)


def coverage(bank: GreensBank, model: str) -> Rows:
    """Score intervals of magnitude; a sample without slip counts as smaller than any earthquake."""
    posterior = open_posterior(model)
    gauges = list(bank.region.observers or posterior.gauges)
    scenarios = ScenarioSet.build(bank.with_window(gauges, WINDOWS_MIN[-1]), count=COUNT, seed=SEED)
    true = magnitude_of_slip(scenarios.load_weights().to_numpy(), bank.sources)
    rows = Rows("window (min)", "90 % interval holds", "50 % interval holds", "width of 90 %, median", "bias, median")
    for window_min in WINDOWS_MIN:
        records = scenarios.load_records(gauges, window_min, noise_sd_m=posterior.noise_sd_m).to_numpy()
        records = records + drift(posterior.drift_m, records.shape, np.random.default_rng(SEED))
        chosen = RestrictedPosterior(posterior, float(window_min), gauges)
        found = magnitude_of_slip(chosen.sample(records, DRAWS, np.random.default_rng(SEED)), bank.sources)
        low, first, middle, third, high = np.quantile(found, (0.05, 0.25, 0.5, 0.75, 0.95), axis=1, method="nearest")
        rows.add(
            f"{window_min}",
            f"{np.mean((true >= low) & (true <= high)):.2f}",
            f"{np.mean((true >= first) & (true <= third)):.2f}",
            f"{np.median(high - low):.2f}",
            f"{np.median(middle - true):+.3f}",
        )
    return rows


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bank", type=Path, required=True, help="the bank of the region")
    parser.add_argument("--model", default="cascadia", help="name or folder of a neural posterior")
    given = parser.parse_args()
    bank = GreensBank.open(given.bank)
    command = f"python -m benchmarks.studies.magnitude_intervals --bank bank.nc --model {given.model}"
    identity = open_posterior(given.model).id
    results = tables({"coverage": coverage(bank, given.model).results()}, command, code(), bank=bank.id, model=identity)
    write_compact(ROOT / "docs" / "benchmarks" / "magnitude_intervals.json", results)


if __name__ == "__main__":
    main()
