"""Posterior of magnitude for noise-only records: the exact one, by importance weights, beside the neural one.

    python -m benchmarks.studies.noise_only bank.nc --model cascadia

Scenarios drawn as in the training, with an earthquake-free share as there, are weighted by the likelihood of noise-only
records (white, as the model assumes) at the three usual DARTs: with this many, the weighted quantiles are the answer
that any method should give. Writes docs/benchmarks/noise_only.json, three minutes on one core; it stands in
docs/ablation.md after ``python -m benchmarks.pages``.
"""

import argparse
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.markdown import Rows
from benchmarks.provenance import ROOT, source_files, tables, write_compact
from slipcast.greens.bank import GreensBank
from slipcast.inversion import RestrictedPosterior, magnitude_of_slip
from slipcast.learning.inverters import open_posterior
from slipcast.physics.moment import moment_magnitude, seismic_moment
from slipcast.scenarios.stream import ScenarioStream

GAUGES = ("46404", "46407", "46419")
WINDOWS_MIN = (5, 10, 15, 20, 30, 45, 60, 90, 120)
NULLS, DRAWS, CHUNK, LEVEL = 20, 200, 2000, 0.95


def code(root: Path = ROOT) -> list[Path]:
    """Return the files on which the table depends."""
    return source_files("benchmarks/studies/noise_only.py", root=root)


def drawn(bank: GreensBank, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw records, shape (n, n_gauges, 120), float32, and magnitudes."""
    stream = ScenarioStream(bank, GAUGES, WINDOWS_MIN[-1])
    areas = bank.subfaults.area_m2
    records, magnitudes = [], []
    for batch in islice(stream.batches(CHUNK, np.random.default_rng(seed)), -(-count // CHUNK)):
        records.append(batch.records)
        magnitudes.append(moment_magnitude(seismic_moment(batch.slip, areas)))
    return np.concatenate(records), np.concatenate(magnitudes)


def exact(
    seen: np.ndarray, magnitudes: np.ndarray, noise: np.ndarray, noise_sd_m: float, null_share: float
) -> tuple[float, float]:
    """Return the quantile of magnitude, -inf without an earthquake, and the effective number of scenarios."""
    given = noise.ravel() / noise_sd_m
    waves = seen.reshape(len(seen), -1) / noise_sd_m
    log_likelihood = waves @ given - 0.5 * np.einsum("ij,ij->i", waves, waves)
    chance = (1 - null_share) / len(seen) * np.exp(np.minimum(log_likelihood, 300.0))
    order = np.argsort(magnitudes)
    cumulative = np.concatenate([[null_share], null_share + np.cumsum(chance[order])])
    place = int(np.searchsorted(cumulative, LEVEL * cumulative[-1]))
    quantile = -np.inf if place == 0 else magnitudes[order][min(place, len(order)) - 1]
    return quantile, chance.sum() ** 2 / max(np.square(chance).sum(), np.finfo(float).tiny)


def main() -> None:
    """Draw scenarios, weight them, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bank", type=Path)
    parser.add_argument("--model", default="cascadia")
    parser.add_argument("--count", type=int, default=60_000)
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "benchmarks" / "noise_only.json")
    given = parser.parse_args()
    bank, sampler = GreensBank.open(given.bank), open_posterior(given.model)
    null_share = float(sampler.training["null_share"])
    records, magnitudes = drawn(bank, given.count, seed=5_000_000)
    rng = np.random.default_rng(6)
    exact_columns = ("exact, median of records", "exact, largest", "effective scenarios")
    rows = Rows("window (min)", *exact_columns, "neural posterior, median", "neural posterior, largest")
    for window_min in WINDOWS_MIN:
        noise = sampler.noise_sd_m * rng.standard_normal((NULLS, len(GAUGES), window_min)).astype(np.float32)
        found, counts = zip(
            *(exact(records[..., :window_min], magnitudes, one, sampler.noise_sd_m, null_share) for one in noise)
        )
        method = RestrictedPosterior(sampler, window_min, list(GAUGES))
        slip = method.slip(method.draw(noise, DRAWS, rng))
        drawn_quantile = np.quantile(magnitude_of_slip(slip, list(method.sources)), LEVEL, axis=1, method="lower")
        cells = [_said(np.median(found)), _said(np.max(found)), f"{np.median(counts):,.0f}"]
        cells += [_said(np.median(drawn_quantile)), _said(np.max(drawn_quantile))]
        rows.add(str(window_min), *cells)
    command = f"python -m benchmarks.studies.noise_only bank.nc --model {given.model}"
    found = tables({"magnitudes": rows.results()}, command, code(), bank=bank.id, model=sampler.id)
    write_compact(given.json, found)


def _said(magnitude: float) -> str:
    """Print a magnitude."""
    return f"{magnitude:.2f}" if np.isfinite(magnitude) else "none"


if __name__ == "__main__":
    main()
