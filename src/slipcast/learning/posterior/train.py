"""Training of the neural posterior on scenarios drawn from a bank, under random observation masks, by proper scores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from slipcast.errors import InputError
from slipcast.greens.bank import GreensBank
from slipcast.io.atomic import check_target
from slipcast.io.labels import positions_of
from slipcast.learning.posterior.augmentation import Augmentation, noise_columns
from slipcast.learning.posterior.calibration import AmplitudeCalibration, SizeCalibration
from slipcast.learning.posterior.config import SamplerConfig
from slipcast.learning.posterior.generator import SlipGenerator, energy_score, marginal_crps
from slipcast.learning.posterior.masking import ObservationMasks
from slipcast.learning.posterior.modes import EventAnalysis, JointComponents
from slipcast.learning.posterior.pool import ScenarioPool
from slipcast.learning.posterior.posterior import N_NUMBERS, NeuralPosterior, features_of
from slipcast.learning.posterior.scaled_linear import ScaledEstimate, ScaledLinear, ScaledMoments
from slipcast.parallel.executor import worker_count
from slipcast.parallel.progress import Progress
from slipcast.scenarios.kinematics import rupture_records
from slipcast.scenarios.stream import ScenarioStream

__all__ = [
    "SamplerConfig",
    "SamplerTraining",
    "calibrated",
    "find_analysis",
    "scaled_linear",
    "scaled_moments",
    "train_on_pool",
    "train_posterior",
]

_FOR_MOMENTS = 60_000
_FOR_MODES = 6000
_FINE_MODES = 768
_FOR_SCALE = 20_000
_FOR_MAXIMA = 5000
_LARGEST_WEIGHT_M = 30.0
_EVERY = 2
_GAUGES_A_STEP = 2
_OTHER_SEED = 1_000_000
_CALIBRATION_BATCH = 10
_CALIBRATION_DRAWS = 100
_KEPT_BYTES = 1e9  # each of some hundred masks comes again and again


def train_posterior(
    bank: GreensBank,
    config: SamplerConfig,
    out: str | os.PathLike,
    *,
    workers: int = 1,
    progress: Progress = lambda *_: None,
) -> NeuralPosterior:
    """Train a posterior on scenarios drawn from a bank.

    Parameters
    ----------
    bank : GreensBank
        Of a region on the plate interface, with the DARTs to be used and the gauges to be forecast.
    config : SamplerConfig
        Settings.
    out : path
        Folder of the posterior.
    workers : int, optional
        Processes that draw scenarios.
    progress : callable, optional
        Called with scenarios drawn, then with steps of the training, their total and a note.

    Returns
    -------
    sampler : NeuralPosterior
        Also written to ``out``.

    Raises
    ------
    InputError
        If a gauge is unknown, the windows are longer than the bank, or the folder cannot be written.
    """
    check_target(Path(out) / "model.json")
    worker_count(workers)
    gauges = list(config.gauges) if config.gauges is not None else bank.gauge_names("dart")
    window_min = config.windows_min[-1]
    stream = ScenarioStream(bank, gauges, window_min)
    analysis = find_analysis(bank, stream, config)
    stream = ScenarioStream(bank.with_window(gauges, window_min), gauges, window_min)
    pool = ScenarioPool.draw(
        stream, analysis, config.n_modes, config.n_scenarios, config.seed, workers=workers, progress=progress
    )
    if config.n_more:
        pool = pool.joined(
            ScenarioPool.draw(
                stream, analysis, config.n_modes, config.n_more, config.seed + 1, workers=workers, progress=progress
            )
        )
    return train_on_pool(bank, config, out, analysis, pool, progress=progress)


def train_on_pool(
    bank: GreensBank,
    config: SamplerConfig,
    out: str | os.PathLike,
    analysis: EventAnalysis,
    pool: ScenarioPool,
    *,
    progress: Progress = lambda *_: None,
) -> NeuralPosterior:
    """Train a posterior on scenarios that have been drawn; the other parameters as in :func:`train_posterior`."""
    gauges = list(config.gauges) if config.gauges is not None else bank.gauge_names("dart")
    window_min = config.windows_min[-1]
    linear = scaled_linear(pool, config, len(gauges))
    usual = positions_of(
        config.usual_gauges or gauges[:3], gauges, dim="usual gauge", where="among the gauges of the posterior"
    )
    training = SamplerTraining(pool, linear, analysis.modes.first(config.n_modes), config, len(gauges), usual)
    training.run(progress)
    sampler = NeuralPosterior(
        network=training.network,
        arguments=training.arguments,
        linear=linear,
        modes=training.modes,
        feature_mean=training.feature_mean,
        feature_sd=training.feature_sd,
        calibration=AmplitudeCalibration.none(bank.gauges),
        gauges=gauges,
        sources=bank.sources,
        window_min=float(window_min),
        noise_sd_m=config.noise_sd_m,
        drift_m=config.drift_m,
        senses=[bank.senses[name] for name in gauges],
        gauge_depth_m=bank.gauge_depth_m,
        region=bank.region.name,
        bank=bank.id,
        training=config.model_dump(mode="json"),
    )
    masks = ObservationMasks(len(gauges), usual, config.windows_min, config.gap_share)  # all windows alike
    sampler = calibrated(sampler, bank, masks, count=config.n_calibration, seed=config.seed + _OTHER_SEED)
    sampler.save(out)
    return NeuralPosterior.open(out)  # its numbers are stored with fewer digits


def calibrated(
    sampler: NeuralPosterior, bank: GreensBank, masks: ObservationMasks, *, count: int, seed: int
) -> NeuralPosterior:
    """Measure how far size and waves of a posterior's draws are from the truth, beyond their scatter.

    Parameters
    ----------
    sampler : NeuralPosterior
        A trained one.
    bank : GreensBank
        That it was trained on.
    masks : ObservationMasks
        Gauges and windows of the records.
    count, seed : int
        Scenarios drawn for it, and what from; not those of the training.

    Returns
    -------
    sampler : NeuralPosterior
        The same with both calibrations; those that it had do not count.
    """
    sampler = replace(sampler, size_calibration=SizeCalibration())
    rng = np.random.default_rng(seed)
    stream = ScenarioStream(bank, sampler.gauges, sampler.window_min, alike=1)
    found: list[np.ndarray] = []
    size: list[np.ndarray] = []
    true: dict[str, list[np.ndarray]] = {gauge: [] for gauge in sampler.waves}
    for batch in islice(stream.batches(_CALIBRATION_BATCH, rng), -(-count // _CALIBRATION_BATCH)):
        seen = Augmentation(sampler.noise_sd_m, sampler.drift_m, 0.0).augment(batch.records, rng)
        seen[:, ~masks.draw(rng).reshape(seen.shape[1:])] = np.nan
        found.append(sampler.draw(seen, _CALIBRATION_DRAWS, rng))
        size.append(batch.weights.mean(axis=-1))
        waves = rupture_records(bank, batch.slip, batch.onset, batch.rise_time)
        for gauge in sampler.waves:
            true[gauge].append(np.nanmax(waves[:, bank.gauges.index(gauge)], axis=-1))
    amplitudes = np.concatenate(found)
    drawn = sampler.slip(amplitudes).mean(axis=-1)
    of_size = SizeCalibration.fit(np.concatenate(size), drawn)
    amplitudes *= of_size.factors(drawn)[..., np.newaxis]  # waves are measured with the size as it will be drawn
    highest = {
        gauge: np.stack([(one @ wave).max(axis=-1) for one in amplitudes]) for gauge, wave in sampler.waves.items()
    }
    of_waves = AmplitudeCalibration.fit({gauge: np.concatenate(parts) for gauge, parts in true.items()}, highest)
    return replace(sampler, calibration=of_waves, size_calibration=of_size)


def find_analysis(bank: GreensBank, stream: ScenarioStream, config: SamplerConfig) -> EventAnalysis:
    """Find the directions of events from ruptures that are not in the pool."""
    n_subfaults = len(bank.subfaults)
    if config.n_modes > n_subfaults:
        raise InputError(f"n_modes must be at most the {n_subfaults} subfaults of the bank, got {config.n_modes}")
    fine = min(max(_FINE_MODES, config.n_modes), n_subfaults)
    count = max(fine, _FOR_MODES // 10, min(_FOR_MODES, config.n_scenarios))
    batches = list(islice(stream.batches(-(-count // 10), np.random.default_rng([config.seed, 0, 1])), 10))
    slip, onset, rise_time = (
        np.concatenate([getattr(batch, name) for batch in batches]) for name in ("slip", "onset", "rise_time")
    )
    return EventAnalysis.from_ruptures(bank, slip, onset, rise_time, n_modes=fine)


def scaled_moments(pool: ScenarioPool, n_latent: int) -> ScaledMoments:
    """Estimate the moments of records with amplitudes, ``n_latent`` of their own principal components, and slip."""
    records, amplitudes, weights, _ = pool.take(np.arange(min(len(pool), _FOR_MOMENTS)))
    size = np.sqrt(np.square(weights).mean(axis=1, keepdims=True))
    scaled = (records / size).astype(float)
    power, directions = np.linalg.eigh(scaled.T @ scaled / len(scaled))
    directions = directions[:, ::-1][:, :n_latent] / np.sqrt(np.maximum(power[::-1][:n_latent], 1e-12))
    latent = np.hstack([amplitudes, records @ directions.astype(np.float32), weights])
    moments = ScaledMoments.from_scenarios(records, latent, weights)
    # as they will be stored, so that a posterior that was opened is the one that was trained
    return ScaledMoments(*(getattr(moments, name).astype(np.float32) for name in ScaledMoments.__dataclass_fields__))


def scaled_linear(pool: ScenarioPool, config: SamplerConfig, n_gauges: int) -> ScaledLinear:
    """Make the linear estimate of a pool, with the drift of the settings in the records of its gauges."""
    columns = noise_columns(config.drift_m, config.noise_sd_m, n_gauges, config.windows_min[-1])
    return ScaledLinear(scaled_moments(pool, config.n_latent), columns, kept_bytes=_KEPT_BYTES)


class Truth(NamedTuple):
    """Truth of events scaled to a size of 1 m: amplitudes, slip on unit sources, highest sea levels."""

    amplitudes: torch.Tensor
    slip: torch.Tensor
    maxima: torch.Tensor


class SamplerTraining:
    """A training under way.

    Parameters
    ----------
    pool : ScenarioPool
        Scenarios to learn from.
    linear : ScaledLinear
        Of their moments.
    modes : JointComponents
        What follows from the amplitudes of the pool.
    config : SamplerConfig
        Settings.
    n_gauges : int
        Gauges of the records.
    usual : sequence of int
        Which of them there are as a rule.
    """

    def __init__(
        self,
        pool: ScenarioPool,
        linear: ScaledLinear,
        modes: JointComponents,
        config: SamplerConfig,
        n_gauges: int,
        usual: Sequence[int],
    ):
        self.pool, self.linear, self.modes, self.config = pool, linear, modes, config
        self.n_gauges, self.n_times = n_gauges, config.windows_min[-1]
        self.rng = np.random.default_rng([config.seed, 2])
        self.augmentation = Augmentation(config.noise_sd_m, config.drift_m, config.augmented_share)
        self.amplitude_sd = torch.from_numpy(modes.amplitude_sd)
        self.to_sources = torch.from_numpy(modes.to_sources)
        self.masks = ObservationMasks(
            n_gauges, usual, config.windows_min, config.gap_share, config.window_weights, config.usual_share
        )
        self.mean_maximum = self._mean_maxima()
        self.waves = [torch.from_numpy(np.ascontiguousarray(wave[:, ::_EVERY])) for wave in modes.waves.values()]
        self.feature_mean, self.feature_sd = self._feature_scale()
        self.arguments = {
            "n_features": len(self.feature_mean),
            "n_modes": modes.n_modes,
            "width": config.width,
            "depth": config.depth,
            "draw_width": config.draw_width,
            "n_random": config.n_random,
            "n_view": n_gauges + N_NUMBERS if config.layers_see_mask else 0,
        }
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.network = SlipGenerator(**self.arguments)

    def run(self, progress: Progress) -> None:
        """Train, in one cycle or two."""
        config = self.config
        self._cycle(config.steps, config.learning_rate, progress, 0)
        if config.more_steps:
            self.run_more(progress)

    def run_more(self, progress: Progress) -> None:
        """Train in the second cycle alone, from random numbers of its own."""
        self.rng = np.random.default_rng([self.config.seed, 3])
        self._cycle(self.config.more_steps, self.config.more_rate, progress, self.config.steps)

    def _cycle(self, steps: int, rate: float, progress: Progress, done: int) -> None:
        """Train while the rate rises and falls to nothing."""
        config = self.config
        optimiser = torch.optim.AdamW(self.network.parameters(), lr=rate, weight_decay=config.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=max(steps, 2), pct_start=0.05)
        self.network.train()
        smooth = None
        for step in range(1, steps + 1):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=config.bfloat16):
                loss = self._loss()
            value = loss.item()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 3.0)
            optimiser.step()
            schedule.step()
            smooth = value if smooth is None else 0.99 * smooth + 0.01 * value
            progress(done + step, config.steps + config.more_steps, f"loss {smooth:.2f}")

    def _loss(self) -> torch.Tensor:
        """Score draws for a batch."""
        config, n_modes = self.config, self.modes.n_modes
        index = self.rng.integers(0, len(self.pool), config.batch_size)
        happens = (self.rng.random((len(index), 1)) >= config.null_share).astype(np.float32)
        records, amplitudes, weights, maxima = (happens * part for part in self.pool.take(index))
        estimate, features = self._see(self._augment(records))
        size = estimate.size_m[:, np.newaxis]
        random = self.rng.standard_normal((len(index), config.draws, config.n_random), dtype=np.float32)
        centre, correction = self.network.centre_and_draws(
            torch.from_numpy((features - self.feature_mean) / self.feature_sd),
            torch.from_numpy(random),
        )
        linear, sd = (torch.from_numpy(part[:, :n_modes]) for part in (estimate.latent, estimate.latent_sd))
        draws = linear[:, None] + correction * sd[:, None]
        truth = Truth(*(torch.from_numpy(part / size) for part in (amplitudes, weights, maxima)))
        score = self._score(truth, draws, linear + centre * sd)
        # an event counts by a power of its size, and less where its records say little, so that no window outweighs
        weight = np.minimum(estimate.size_m, _LARGEST_WEIGHT_M) ** config.size_power
        weight /= np.sqrt(np.square(estimate.latent_sd[:, :n_modes]).sum(axis=1))
        return (score * torch.from_numpy(weight)).mean()

    def _score(self, truth: Truth, draws: torch.Tensor, centre: torch.Tensor) -> torch.Tensor:
        """Score draws of amplitudes, shape (n, m, n_modes), and what they scatter about, by the truth."""
        config = self.config
        # a slope below zero, where slip is cut, so that a draw can find its way back
        slip = torch.nn.functional.leaky_relu(draws @ self.to_sources, 0.02)
        score = energy_score(truth.amplitudes, draws)
        score = score + config.slip_score * marginal_crps(truth.slip, slip).mean(-1)
        of_modes = marginal_crps(truth.amplitudes / self.amplitude_sd, draws / self.amplitude_sd)
        score = score + config.mode_score * of_modes.mean(-1)
        if config.centre_score:
            error = truth.amplitudes - centre
            of_slip = (truth.slip - torch.nn.functional.leaky_relu(centre @ self.to_sources, 0.02)).square().mean(-1)
            score = score + config.centre_score * (error.square().sum(-1).sqrt() + config.slip_score * of_slip.sqrt())
        if config.wave_score:
            for gauge in self.rng.choice(len(self.waves), min(_GAUGES_A_STEP, len(self.waves)), replace=False):
                highest = (draws @ self.waves[gauge]).amax(-1, keepdim=True) / self.mean_maximum[gauge]
                of_truth = truth.maxima[:, gauge, None] / self.mean_maximum[gauge]
                score = score + config.wave_score * marginal_crps(of_truth, highest).sum(-1)
        return score

    def _see(self, records: np.ndarray) -> tuple[ScaledEstimate, np.ndarray]:
        """See records through other gauges and windows, some of them at a time; return estimates and features."""
        n_sources, noise = self.modes.to_sources.shape[1], self.config.noise_sd_m
        estimates, features = [], []
        for part in np.array_split(records, self.config.masks_per_step):
            known = self.masks.draw(self.rng)
            estimates.append(self.linear.estimate(part, known, noise))
            features.append(features_of(estimates[-1], self.modes.amplitude_sd, n_sources, known, self.n_gauges, noise))
        columns = zip(*(vars(estimate).values() for estimate in estimates), strict=True)
        return ScaledEstimate(*(np.concatenate(column) for column in columns)), np.concatenate(features)

    def _mean_maxima(self) -> np.ndarray:
        """Measure the mean highest wave at each gauge of ruptures of size 1 m."""
        _, _, weights, maxima = self.pool.take(np.arange(min(len(self.pool), _FOR_MAXIMA)))
        size = np.sqrt(np.square(weights).mean(axis=1, keepdims=True))
        return (maxima / size).mean(axis=0)

    def _augment(self, records: np.ndarray) -> np.ndarray:
        """Add noise, and to some records what no scenario makes."""
        series = records.reshape(len(records), self.n_gauges, self.n_times)
        return self.augmentation.augment(series, self.rng).reshape(records.shape)

    def _feature_scale(self) -> tuple[np.ndarray, np.ndarray]:
        """Measure mean and scatter of features over scenarios, gauges and windows."""
        count = -(-40 // self.config.masks_per_step)
        parts = []
        for _ in range(count):
            index = self.rng.integers(0, len(self.pool), _FOR_SCALE // count)
            parts.append(self._see(self._augment(self.pool.take(index)[0]))[1])
        features = np.concatenate(parts)
        return features.mean(axis=0), features.std(axis=0) + np.float32(0.01)
