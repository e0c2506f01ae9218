"""Ablation study of the neural posterior: short trainings that differ in one setting.

    python -m benchmarks.studies.ablation bank.nc --out runs/ablation

About three minutes a setting on one core, and five for the scenarios; writes docs/benchmarks/ablation.json, which
stands in docs/ablation.md after ``python -m benchmarks.pages``. Scores are on scenarios that no training saw, at three
DARTs over 45 minutes, by posteriors whose waves have no amplitude calibration.
"""

import argparse
import pickle
import time
from pathlib import Path

import numpy as np

from benchmarks.markdown import Rows
from benchmarks.provenance import ROOT, source_files, tables, write_compact
from slipcast.greens.bank import GreensBank
from slipcast.learning.posterior.calibration import AmplitudeCalibration
from slipcast.learning.posterior.config import SamplerConfig
from slipcast.learning.posterior.modes import EventAnalysis
from slipcast.learning.posterior.pool import ScenarioPool
from slipcast.learning.posterior.posterior import NeuralPosterior
from slipcast.learning.posterior.train import SamplerTraining, find_analysis, scaled_linear
from slipcast.metrics import crps, explained_variance, interval_coverage, randomised_pit, weight_mse
from slipcast.scenarios.stream import ScenarioStream

GAUGES = ("46404", "46407", "46419", "46411")
WINDOW_MIN, SEEN = 45, (0, 1, 2)
COUNT, UNSEEN, STEPS, DRAWS = 200_000, 3000, 1500, 60
NOISE_SD_M = SamplerConfig().noise_sd_m
SETTINGS = {
    "as shipped, but for 1,500 steps on 200,000 scenarios": {},
    "the same gauges and window for a whole step": {"masks_per_step": 1},
    "layers not conditioned on the observation mask": {"layers_see_mask": False},
    "no score of the mean of the samples": {"centre_score": 0.0},
    "no score of the highest waves": {"wave_score": 0.0},
    "no augmentation": {"augmented_share": 0.0},
    "96 modes": {"n_modes": 96},
    "twice the learning rate": {"learning_rate": 4e-3},
    "the three DARTs alone, all windows": {"usual_share": 1.0, "gap_share": 0.0},
    "the three DARTs and 45 minutes alone": {
        "usual_share": 1.0,
        "gap_share": 0.0,
        "window_weights": tuple(float(window == 45) for window in SamplerConfig().windows_min),
    },
}


def code(root: Path = ROOT) -> list[Path]:
    """Return the files on which the table depends."""
    return source_files("benchmarks/studies/ablation.py", root=root)


def scenarios(bank: GreensBank, out: Path, config: SamplerConfig) -> tuple[EventAnalysis, ScenarioPool, ScenarioPool]:
    """Draw scenarios of the trainings and of the scores, once."""
    path = out / f"scenarios_{bank.id}.pickle"
    if not path.exists():
        stream = ScenarioStream(bank, GAUGES, 120)
        analysis = find_analysis(bank, stream, config)
        stream = ScenarioStream(bank.with_window(GAUGES, 120), GAUGES, 120)
        pools = [
            ScenarioPool.draw(stream, analysis, 256, count, seed, workers=2, progress=lambda *_: None)
            for count, seed in ((COUNT, 1), (UNSEEN, 99))
        ]
        path.write_bytes(pickle.dumps((analysis, *pools)))
    return pickle.loads(path.read_bytes())


def narrowed(pool: ScenarioPool, n_modes: int) -> ScenarioPool:
    """Keep the first amplitudes."""
    return ScenarioPool(pool.records, pool.amplitudes[:, :n_modes], pool.weights, pool.maxima, pool.scale_m)


def train(bank: GreensBank, analysis: EventAnalysis, pool: ScenarioPool, config: SamplerConfig) -> NeuralPosterior:
    """Train one design."""
    pool, modes = narrowed(pool, config.n_modes), analysis.modes.first(config.n_modes)
    linear = scaled_linear(pool, config, len(GAUGES))
    training = SamplerTraining(pool, linear, modes, config, len(GAUGES), SEEN)
    training.run(lambda *_: None)
    return NeuralPosterior(
        network=training.network,
        arguments=training.arguments,
        linear=linear,
        modes=modes,
        feature_mean=training.feature_mean,
        feature_sd=training.feature_sd,
        calibration=AmplitudeCalibration.none(modes.waves),
        gauges=GAUGES,
        sources=bank.sources,
        window_min=120.0,
        noise_sd_m=config.noise_sd_m,
        drift_m=config.drift_m,
        senses=[bank.senses[name] for name in GAUGES],
        gauge_depth_m=bank.gauge_depth_m,
        region=bank.region.name,
        bank=bank.id,
        training=config.model_dump(mode="json"),
    )


def noisy(pool: ScenarioPool) -> np.ndarray:
    """Return records of all gauges with noise, shape (n, n_gauges, 120)."""
    records = pool.take(np.arange(len(pool)))[0]
    noise = NOISE_SD_M * np.random.default_rng(7).standard_normal(records.shape)
    return (records + noise).reshape(len(pool), len(GAUGES), -1).astype(np.float32)


def linear_error(pool: ScenarioPool, unseen: ScenarioPool) -> float:
    """Return the weight MSE of the linear estimator of least mean squared error, m2."""
    records, _, weights, _ = pool.take(np.arange(60_000))
    seen = records.reshape(len(records), len(GAUGES), -1)[:, SEEN, :WINDOW_MIN].reshape(len(records), -1).astype(float)
    mean, mean_weights = seen.mean(axis=0), weights.mean(axis=0)
    covariance = np.cov(seen, rowvar=False) + NOISE_SD_M**2 * np.eye(seen.shape[1])
    gain = np.linalg.solve(covariance, (seen - mean).T @ (weights - mean_weights) / len(seen))
    found = (noisy(unseen)[:, SEEN, :WINDOW_MIN].reshape(len(unseen), -1) - mean) @ gain + mean_weights
    return weight_mse(unseen.weights, np.maximum(found, 0))


def score(sampler: NeuralPosterior, unseen: ScenarioPool, points: list[str]) -> dict[str, float]:
    """Score a posterior."""
    seen = np.full((len(unseen), len(GAUGES), 120), np.nan, np.float32)
    seen[:, SEEN, :WINDOW_MIN] = noisy(unseen)[:, SEEN, :WINDOW_MIN]
    amplitudes = sampler.draw(seen, DRAWS, np.random.default_rng(1))
    slip, ties = sampler.slip(amplitudes).swapaxes(1, 2), np.random.default_rng(2)
    found = {
        "mse": weight_mse(unseen.weights, slip.mean(axis=-1)),
        "crps": float(crps(unseen.weights, slip).mean()),
        "slip": interval_coverage(randomised_pit(unseen.weights, slip, ties), 0.9),
    }
    explained, covered = [], []
    for name in points:
        true = unseen.maxima[:, list(sampler.waves).index(name)]
        highest = np.concatenate([(part @ sampler.waves[name]).max(-1) for part in np.array_split(amplitudes, 30)])
        explained.append(explained_variance(true, highest.mean(axis=1)))
        covered.append(interval_coverage(randomised_pit(true, highest, ties), 0.9))
    return found | {"explained": float(np.mean(explained)), "waves": float(np.mean(covered))}


def main() -> None:
    """Train one setting after the other; write a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bank", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "benchmarks" / "ablation.json")
    parser.add_argument("--only", nargs="*", choices=list(SETTINGS), help="some of the settings")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    bank = GreensBank.open(given.bank)
    config = SamplerConfig(gauges=GAUGES, n_scenarios=COUNT, steps=STEPS, augmented_share=0.4, bfloat16=True)
    analysis, pool, unseen = scenarios(bank, given.out, config)
    linear = linear_error(pool, unseen)
    print(f"linear estimator: slip MSE {linear:.2f} m2\n")
    scored = ("slip MSE, share of linear", "CRPS (m)", "90 % of slip", "EV of maxima", "90 % of maxima")
    rows = Rows("design", "parameters", "seconds", *scored)
    for name in given.only or SETTINGS:
        changes, begin = SETTINGS[name], time.monotonic()
        sampler = train(bank, analysis, pool, config.model_copy(update=changes))
        seconds = time.monotonic() - begin
        size = sum(parameter.numel() for parameter in sampler.network.parameters())
        scores = score(sampler, unseen, bank.gauge_names("forecast"))
        numbers = (f"{scores[key]:.3f}" for key in ("crps", "slip", "explained", "waves"))
        rows.add(name, f"{size / 1e6:.1f} M", f"{seconds:.0f}", f"{scores['mse'] / linear:.2f}", *numbers)
    command = "python -m benchmarks.studies.ablation bank.nc --out runs/ablation"
    write_compact(given.json, tables({"settings": rows.results()}, command, code(), bank=bank.id))


if __name__ == "__main__":
    main()
