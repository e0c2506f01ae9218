"""Lower bound of the error: a network for three DARTs over 45 minutes and nothing else, by length of training.

    python -m benchmarks.studies.one_window bank.nc --out runs/ablation

An hour on one core, on the scenarios of the ablation study and 800,000 more; writes docs/benchmarks/one_window.json,
which stands in docs/ablation.md after ``python -m benchmarks.pages``. The network starts from the same scaled linear
estimate as the neural posterior, sees the records themselves besides, and is trained for the mean of slip on unit
sources alone, by squared error.
"""

import argparse
import pickle
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.markdown import Rows
from benchmarks.provenance import ROOT, source_files, tables, write_compact
from benchmarks.studies.ablation import COUNT, GAUGES, SEEN, WINDOW_MIN, linear_error, noisy, scenarios
from slipcast.greens.bank import GreensBank
from slipcast.learning.posterior.config import SamplerConfig
from slipcast.learning.posterior.modes import EventAnalysis, JointComponents
from slipcast.learning.posterior.pool import ScenarioPool
from slipcast.learning.posterior.posterior import features_of
from slipcast.learning.posterior.train import scaled_linear
from slipcast.metrics import weight_mse
from slipcast.scenarios.stream import ScenarioStream

BATCH, WIDTH, BLOCKS, RATE = 384, 1024, 3, 1e-3
LARGEST_M = 30.0
SEEN_COUNT = 10_000
MORE = 800_000
TRAININGS = ((COUNT, 2000), (COUNT + MORE, 2000), (COUNT + MORE, 8000))


def code(root: Path = ROOT) -> list[Path]:
    """Return the files on which the table depends."""
    return source_files("benchmarks/studies/one_window.py", "benchmarks/studies/ablation.py", root=root)


class MeanNetwork(nn.Module):
    """Correction of the linear estimate of slip, events of size 1 m."""

    def __init__(self, n_features: int, n_sources: int):
        super().__init__()
        self.first = nn.Linear(n_features, WIDTH)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH)) for _ in range(BLOCKS)
        )
        self.last = nn.Linear(WIDTH, n_sources)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return a correction, shape (n, n_sources)."""
        state = self.first(features)
        for block in self.blocks:
            state = state + block(state)
        return self.last(nn.functional.silu(state))


class OneWindow:
    """A training for one window and three gauges."""

    def __init__(self, pool: ScenarioPool, modes: JointComponents, config: SamplerConfig):
        self.pool, self.modes, self.config = pool, modes, config
        self.linear = scaled_linear(pool, config, len(GAUGES))
        known = np.zeros((len(GAUGES), config.windows_min[-1]), bool)
        known[SEEN, :WINDOW_MIN] = True
        self.known = known.ravel()
        self.rng = np.random.default_rng(1)
        _, _, features = self._see(self._noisy(np.arange(5000))[0])
        self.mean, self.sd = features.mean(axis=0), features.std(axis=0) + np.float32(0.01)

    def _noisy(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        records, _, weights, _ = self.pool.take(index)
        noise = self.rng.standard_normal(records.shape, dtype=np.float32)
        return records + np.float32(self.config.noise_sd_m) * noise, weights

    def _see(self, records: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return linear estimates of slip, sizes, and features: the sampler's and the records themselves."""
        noise, n_sources = self.config.noise_sd_m, self.modes.to_sources.shape[1]
        found = self.linear.estimate(records, self.known, noise)
        features = features_of(found, self.modes.amplitude_sd, n_sources, self.known, len(GAUGES), noise)
        size = found.size_m[:, np.newaxis]
        features = np.hstack([features, records[:, self.known] / size / 0.05]).astype(np.float32)
        return found.latent[:, : self.modes.n_modes] @ self.modes.to_sources, size, features

    def run(self, steps: int) -> None:
        """Train."""
        torch.manual_seed(1)
        self.network = MeanNetwork(len(self.mean), self.modes.to_sources.shape[1])
        optimiser = torch.optim.AdamW(self.network.parameters(), lr=RATE, weight_decay=1e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps, pct_start=0.05)
        for _ in range(steps):
            records, weights = self._noisy(self.rng.integers(0, len(self.pool), BATCH))
            linear, size, features = self._see(records)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                correction = self.network(torch.from_numpy((features - self.mean) / self.sd)).float()
            # a slope below zero, so that a source that is cut there can come back
            slip = nn.functional.leaky_relu(torch.from_numpy(linear) + correction, 0.02)
            error = (slip - torch.from_numpy(weights / size)).square().mean(dim=1)
            loss = (error * torch.from_numpy(np.minimum(size[:, 0], LARGEST_M))).mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            optimiser.step()
            schedule.step()

    def error(self, records: np.ndarray, weights: np.ndarray) -> float:
        """Return the weight MSE of records with noise, m2."""
        linear, size, features = self._see(records)
        with torch.no_grad():
            correction = self.network(torch.from_numpy((features - self.mean) / self.sd)).numpy()
        return weight_mse(weights, np.maximum(linear + correction, 0) * size)


def with_more(pool: ScenarioPool, analysis: EventAnalysis, bank: GreensBank, out: Path) -> ScenarioPool:
    """Add scenarios to a pool, drawn once."""
    path = out / f"more_{bank.id}.pickle"
    if not path.exists():
        stream = ScenarioStream(bank.with_window(GAUGES, 120), GAUGES, 120)
        more = ScenarioPool.draw(stream, analysis, 256, MORE, 2, workers=1, progress=lambda *_: None)
        path.write_bytes(pickle.dumps(more))
    more = pickle.loads(path.read_bytes())
    return pool.joined(more)


def main() -> None:
    """Train one network after the other; write a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bank", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "benchmarks" / "one_window.json")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    config = SamplerConfig(gauges=GAUGES, n_scenarios=COUNT)
    bank = GreensBank.open(given.bank)
    analysis, pool, unseen = scenarios(bank, given.out, config)
    reference = linear_error(pool, unseen)
    records_unseen = noisy(unseen).reshape(len(unseen), -1)
    print(f"linear estimator: slip MSE {reference:.2f} m2\n")
    seen = ScenarioPool(*(array[:SEEN_COUNT] for array in vars(pool).values()))
    reference_of_seen = linear_error(pool, seen)
    shares = ("share of linear, test", "the same, 10,000 training scenarios")
    rows = Rows("scenarios", "steps", "passes", "minutes", *shares)
    for count, steps in TRAININGS:
        if count > len(pool):
            pool = with_more(pool, analysis, bank, given.out)
        part = ScenarioPool(*(array[:count] for array in vars(pool).values()))
        begin = time.monotonic()
        training = OneWindow(part, analysis.modes.first(config.n_modes), config)
        training.run(steps)
        minutes = (time.monotonic() - begin) / 60
        unseen_error = training.error(records_unseen, unseen.weights)
        records, weights = training._noisy(np.arange(SEEN_COUNT))
        seen_error = training.error(records, weights)
        errors = (f"{unseen_error / reference:.3f}", f"{seen_error / reference_of_seen:.3f}")
        rows.add(f"{count:,}", f"{steps:,}", f"{steps * BATCH / count:.0f}", f"{minutes:.0f}", *errors)
    command = "python -m benchmarks.studies.one_window bank.nc --out runs/ablation"
    write_compact(given.json, tables({"trainings": rows.results()}, command, code(), bank=bank.id))


if __name__ == "__main__":
    main()
