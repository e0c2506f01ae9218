"""Training of the sampler: scenarios drawn from a bank, gauges and windows at random, proper scores of draws."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import combinations, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from slipcast.errors import InputError, invalid_setting
from slipcast.files import check_target
from slipcast.greens import GreensBank
from slipcast.learning.config import read_settings
from slipcast.learning.scaled_linear import ScaledLinear, ScaledMoments
from slipcast.learning.slip_basis import SlipBasis
from slipcast.learning.slip_generator import SlipGenerator, energy_score, marginal_crps
from slipcast.learning.slip_sampler import SlipSampler, features_of
from slipcast.stream import ScenarioStream

__all__ = ["SamplerConfig", "ScenarioPool", "train_sampler"]

Progress = Callable[[str, int, int, str], None]
"""Called with what is done, steps done, their total and a note."""

_Count = Annotated[int, Field(strict=True, ge=1)]
_Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
_Amount = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]

_CHUNK = 5000
_FOR_BASIS = 6000
_FOR_MOMENTS = 60_000
_FOR_SCALE = 20_000
_LARGEST_WEIGHT_M = 30.0
_EVERY = 2
_GAUGES_A_STEP = 4


class SamplerConfig(BaseModel):
    """Settings of a sampler's training.

    Attributes
    ----------
    gauges : tuple of str or None
        DARTs that it may be given. None: all of the bank's region.
    windows_min : tuple of int
        Windows that it is trained on, minutes after the origin; the last is the longest it takes.
    noise_sd_m : float
        Standard deviation of white noise, m.
    n_scenarios : int
        Scenarios drawn; each is seen again and again, with other noise, other gauges and another window.
    n_modes, n_latent : int
        Amplitudes of slip, and of records, that the network works with.
    width, depth, draw_width, n_random : int
        Of :class:`~slipcast.learning.slip_generator.SlipGenerator`.
    steps, batch_size, draws : int
        Steps, scenarios in each, and draws for each scenario (at least two).
    learning_rate, weight_decay : float
        Of AdamW; the rate rises at first and falls to nothing (one cycle).
    gap_share : float
        Share of the steps in which further samples are missing, in [0, 1].
    stretch_sd : float
        Standard deviation of the error of travel time at each gauge, as a share of it.
    slip_score, mode_score, wave_score : float
        Weights of further scores beside the energy score of all amplitudes: of slip on unit sources and of the
        amplitudes one by one, and of the maximum of the waves at gauges to be forecast, a few of them at each step.
    seed : int
        Of everything that is drawn.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    gauges: tuple[str, ...] | None = None
    windows_min: tuple[_Count, ...] = (5, 7, 10, 13, 16, 20, 25, 30, 37, 45, 52, 60, 75, 90, 120)
    noise_sd_m: _Positive = 0.005
    n_scenarios: _Count = 1_000_000
    n_modes: _Count = 128
    n_latent: _Count = 96
    width: _Count = 512
    depth: _Count = 2
    draw_width: _Count = 256
    n_random: _Count = 64
    steps: _Count = 40_000
    batch_size: _Count = 384
    draws: Annotated[int, Field(strict=True, ge=2)] = 4
    learning_rate: _Positive = 1.5e-3
    weight_decay: _Amount = 1e-3
    gap_share: Annotated[float, Field(strict=True, ge=0, le=1)] = 0.2
    stretch_sd: _Amount = 0.0
    slip_score: _Amount = 10.0
    mode_score: _Amount = 10.0
    wave_score: _Amount = 1.0
    seed: Annotated[int, Field(strict=True, ge=0)] = 1

    def __init__(self, **settings: Any):
        try:
            super().__init__(**settings)
        except ValidationError as error:
            raise invalid_setting(error, "sampler setting", SamplerConfig.model_fields) from error

    @model_validator(mode="after")
    def _windows_rise(self) -> SamplerConfig:
        """Refuse windows that do not rise."""
        if list(self.windows_min) != sorted(set(self.windows_min)):
            raise ValueError(f"windows_min must rise, got {self.windows_min}")
        return self

    @classmethod
    def open(cls, path: str | os.PathLike) -> SamplerConfig:
        """Read settings from TOML; InputError names the file and what is wrong."""
        try:
            return cls(**read_settings(path))
        except InputError as error:
            raise InputError(f"{path}: {error}") from error


@dataclass(frozen=True)
class ScenarioPool:
    """Scenarios in memory: what a training needs of them, in half the bytes.

    Attributes
    ----------
    records : array, shape (n, n_gauges * n_times)
        In units of the scale, float16, without noise.
    amplitudes : array, shape (n, n_modes)
        Of slip, in units of the scale, float16.
    weights : array, shape (n, n_sources)
        Slip on unit sources, m, float32.
    scale_m : array, shape (n,)
        Largest size of a record, m, float32.
    """

    records: np.ndarray
    amplitudes: np.ndarray
    weights: np.ndarray
    scale_m: np.ndarray

    @classmethod
    def draw(
        cls, stream: ScenarioStream, basis: SlipBasis, count: int, seed: int, *, workers: int, progress: Progress
    ) -> ScenarioPool:
        """Draw scenarios, in several processes; the same for any number of them."""
        sizes = [min(_CHUNK, count - first) for first in range(0, count, _CHUNK)]
        jobs = [(stream, basis.analysis, size, [seed, number]) for number, size in enumerate(sizes)]
        parts, done = [], 0
        for part in _in_processes(_draw_chunk, jobs, workers):
            parts.append(part)
            done += len(part[-1])
            progress("scenarios", done, count, "")
        return cls(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def __len__(self) -> int:
        return len(self.scale_m)

    def take(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return records, m, amplitudes and weights, m, of some scenarios, float32."""
        scale = self.scale_m[index, np.newaxis]
        return (
            self.records[index].astype(np.float32) * scale,
            self.amplitudes[index].astype(np.float32) * scale,
            self.weights[index],
        )


def _draw_chunk(stream: ScenarioStream, analysis: np.ndarray, size: int, seed: list[int]) -> tuple[np.ndarray, ...]:
    """Draw a part of a pool."""
    batch = next(stream.batches(size, np.random.default_rng(seed)))
    records = batch.records.reshape(size, -1)
    scale = np.abs(records).max(axis=1)
    amplitudes = batch.slip @ analysis.T
    return (
        (records / scale[:, np.newaxis]).astype(np.float16),
        (amplitudes / scale[:, np.newaxis]).astype(np.float16),
        batch.weights,
        scale,
    )


def _in_processes(function: Callable, jobs: Sequence[tuple], workers: int) -> Iterator:
    """Call a function for every job, in order, in some processes."""
    if workers == 1:
        yield from (function(*job) for job in jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(function, *zip(*jobs, strict=True))


def train_sampler(
    bank: GreensBank,
    config: SamplerConfig,
    out: str | os.PathLike,
    *,
    workers: int = 1,
    progress: Progress = lambda *_: None,
) -> SlipSampler:
    """Train a sampler on scenarios drawn from a bank.

    Parameters
    ----------
    bank : GreensBank
        Of a region of one zone, with the DARTs to be used and the gauges to be forecast.
    config : SamplerConfig
        Settings.
    out : path
        Folder of the sampler.
    workers : int, optional
        Processes that draw scenarios.
    progress : callable, optional
        Told how far it is.

    Returns
    -------
    sampler : SlipSampler
        Also written to ``out``.

    Raises
    ------
    InputError
        If a gauge is unknown, the windows are longer than the bank, or the folder cannot be written.
    """
    check_target(Path(out) / "model.json")
    gauges = list(config.gauges) if config.gauges is not None else bank.gauge_names("dart")
    window_min = config.windows_min[-1]
    stream = ScenarioStream(bank, gauges, window_min)
    basis = _basis(bank, stream, config)
    stream = ScenarioStream(bank.with_window(gauges, window_min), gauges, window_min)
    pool = ScenarioPool.draw(stream, basis, config.n_scenarios, config.seed, workers=workers, progress=progress)
    linear = ScaledLinear(_moments(pool, config))
    averaging = bank.subfaults.averaging_matrix().astype(np.float32)
    training = _Training(pool, linear, basis, averaging, _waves(bank, basis), config, len(gauges))
    training.run(progress)
    sampler = SlipSampler(
        network=training.network,
        arguments=training.arguments,
        linear=linear,
        basis=basis,
        feature_mean=training.feature_mean,
        feature_sd=training.feature_sd,
        averaging=averaging,
        gauges=gauges,
        sources=bank.sources,
        window_min=float(window_min),
        noise_sd_m=config.noise_sd_m,
        region=bank.region.name,
        bank=bank.id,
        training=config.model_dump(mode="json"),
    )
    sampler.save(out)
    return sampler


def _basis(bank: GreensBank, stream: ScenarioStream, config: SamplerConfig) -> SlipBasis:
    """Find the directions of slip from ruptures that are not in the pool."""
    count = max(_FOR_BASIS // 10, min(_FOR_BASIS, config.n_scenarios))
    batches = stream.batches(count // 10, np.random.default_rng([config.seed, 0, 1]))
    slip = np.concatenate([batch.slip for batch in islice(batches, 10)])
    return SlipBasis.from_slip(bank, slip, n_modes=config.n_modes)


def _moments(pool: ScenarioPool, config: SamplerConfig) -> ScaledMoments:
    """Estimate the moments of records with amplitudes and with their own principal components."""
    records, amplitudes, weights = pool.take(np.arange(min(len(pool), _FOR_MOMENTS)))
    size = np.sqrt(np.square(weights).mean(axis=1, keepdims=True))
    scaled = (records / size).astype(float)
    power, directions = np.linalg.eigh(scaled.T @ scaled / len(scaled))
    directions = directions[:, ::-1][:, : config.n_latent] / np.sqrt(np.maximum(power[::-1][: config.n_latent], 1e-12))
    latent = np.hstack([amplitudes, records @ directions.astype(np.float32)])
    moments = ScaledMoments.from_scenarios(records, latent, weights)
    # as they will be stored, so that a sampler that was opened is the one that was trained
    return ScaledMoments(*(getattr(moments, name).astype(np.float32) for name in ScaledMoments.__dataclass_fields__))


def _waves(bank: GreensBank, basis: SlipBasis) -> list[np.ndarray]:
    """Return what turns amplitudes into waves at each gauge to be forecast, arrays of shape (n_modes, n_times)."""
    found = []
    for name in bank.gauge_names("forecast"):
        response = bank.dataset["response"].to_numpy()[bank.gauges.index(name)]
        found.append(basis.synthesis @ response[np.isfinite(response[:, 0])][::_EVERY].T)
    return found


class _Training:
    """A training under way."""

    def __init__(
        self,
        pool: ScenarioPool,
        linear: ScaledLinear,
        basis: SlipBasis,
        averaging: np.ndarray,
        waves: Sequence[np.ndarray],
        config: SamplerConfig,
        n_gauges: int,
    ):
        self.pool, self.linear, self.basis, self.config = pool, linear, basis, config
        self.n_gauges, self.n_times = n_gauges, config.windows_min[-1]
        self.rng = np.random.default_rng([config.seed, 2])
        self.amplitude_sd = torch.from_numpy(basis.amplitude_sd.astype(np.float32))
        self.to_sources = torch.from_numpy((basis.synthesis @ averaging.T).astype(np.float32))
        self.subsets = [s for n in range(1, n_gauges + 1) for s in combinations(range(n_gauges), n)]
        # the more gauges, the more often: all of them are the rule
        chance = np.array([float(len(subset) ** 2) for subset in self.subsets])
        self.subset_chance = chance / chance.sum()
        self.waves = [torch.from_numpy(matrix / self._mean_maximum(matrix)) for matrix in waves]
        self.feature_mean, self.feature_sd = self._feature_scale()
        self.arguments = {
            "n_features": len(self.feature_mean),
            "n_modes": basis.n_modes,
            "width": config.width,
            "depth": config.depth,
            "draw_width": config.draw_width,
            "n_random": config.n_random,
        }
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.network = SlipGenerator(**self.arguments)

    def run(self, progress: Progress) -> None:
        """Train."""
        config = self.config
        optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, config.learning_rate, total_steps=max(config.steps, 2), pct_start=0.05
        )
        self.network.train()
        smooth = None
        for step in range(1, config.steps + 1):
            loss = self._loss()
            value = loss.item()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 3.0)
            optimiser.step()
            schedule.step()
            smooth = value if smooth is None else 0.99 * smooth + 0.01 * value
            progress("steps", step, config.steps, f"loss {smooth:.2f}")

    def _loss(self) -> torch.Tensor:
        """Score draws for a batch; large events count more, by the root of their size as the records show it."""
        config = self.config
        known = self._known()
        index = self.rng.integers(0, len(self.pool), config.batch_size)
        records, amplitudes, weights = self.pool.take(index)
        estimate = self.linear.estimate(self._spoil(records), known, config.noise_sd_m)
        features = features_of(estimate, self.basis.n_modes, self.basis.amplitude_sd, config.noise_sd_m)
        size = estimate.size_m[:, np.newaxis]
        scaled = torch.from_numpy((features - self.feature_mean) / self.feature_sd)
        random = self.rng.standard_normal((len(index), config.draws, config.n_random), dtype=np.float32)
        correction = self.network(scaled, torch.from_numpy(random))
        linear = torch.from_numpy(estimate.latent[:, np.newaxis, : self.basis.n_modes])
        draws = linear + correction * self.amplitude_sd
        # a slope below zero, where slip is cut, so that a draw can find its way back
        slip = torch.nn.functional.leaky_relu(draws @ self.to_sources, 0.02)
        true = torch.from_numpy(amplitudes / size)
        score = energy_score(true, draws)
        score = score + config.slip_score * marginal_crps(torch.from_numpy(weights / size), slip).mean(-1)
        of_modes = marginal_crps(true / self.amplitude_sd, draws / self.amplitude_sd)
        score = score + config.mode_score * of_modes.mean(-1)
        if config.wave_score:
            for gauge in self.rng.choice(len(self.waves), min(_GAUGES_A_STEP, len(self.waves)), replace=False):
                wave = self.waves[gauge]
                highest = [(part @ wave).amax(-1, keepdim=True) for part in (true, draws)]
                score = score + config.wave_score * marginal_crps(*highest).sum(-1)
        return (score * torch.from_numpy(np.sqrt(np.minimum(estimate.size_m, _LARGEST_WEIGHT_M)))).mean()

    def _mean_maximum(self, wave: np.ndarray) -> np.float32:
        """Measure the mean highest wave at a gauge of ruptures of size 1 m."""
        _, amplitudes, weights = self.pool.take(np.arange(min(len(self.pool), _CHUNK)))
        size = np.sqrt(np.square(weights).mean(axis=1, keepdims=True))
        return np.float32(((amplitudes / size) @ wave).max(axis=1).mean())

    def _known(self) -> np.ndarray:
        """Draw which samples there are."""
        known = np.zeros((self.n_gauges, self.n_times), dtype=bool)
        subset = self.subsets[self.rng.choice(len(self.subsets), p=self.subset_chance)]
        known[list(subset), : self.rng.choice(self.config.windows_min)] = True
        if self.rng.random() < self.config.gap_share:
            gauge = int(self.rng.choice(subset))
            first = int(self.rng.integers(0, self.n_times))
            gappy = known.copy()
            gappy[gauge, first : first + int(self.rng.integers(1, 30))] = False
            known = gappy if gappy.any() else known
        return known.ravel()

    def _spoil(self, records: np.ndarray) -> np.ndarray:
        """Add noise and errors of travel time."""
        config = self.config
        if config.stretch_sd:
            series = records.reshape(len(records), self.n_gauges, self.n_times)
            stretch = 1 + config.stretch_sd * self.rng.standard_normal((len(records), self.n_gauges))
            records = _stretched(series, stretch).reshape(records.shape)
        return records + np.float32(config.noise_sd_m) * self.rng.standard_normal(records.shape, dtype=np.float32)

    def _feature_scale(self) -> tuple[np.ndarray, np.ndarray]:
        """Measure mean and scatter of features over scenarios, gauges and windows."""
        count = 40
        parts = []
        for _ in range(count):
            index = self.rng.integers(0, len(self.pool), _FOR_SCALE // count)
            records = self._spoil(self.pool.take(index)[0])
            estimate = self.linear.estimate(records, self._known(), self.config.noise_sd_m)
            parts.append(features_of(estimate, self.basis.n_modes, self.basis.amplitude_sd, self.config.noise_sd_m))
        features = np.concatenate(parts)
        return features.mean(axis=0), features.std(axis=0) + np.float32(0.01)


def _stretched(series: np.ndarray, stretch: np.ndarray) -> np.ndarray:
    """Make waves late by a share of their travel time, by linear interpolation from the origin on.

    Shapes (n, n_gauges, n_times) and (n, n_gauges); samples are those of the minutes 1, 2, ...
    """
    n_times = series.shape[-1]
    minutes = np.arange(1, n_times + 1) / stretch[..., np.newaxis]
    before = np.clip(np.floor(minutes).astype(int), 1, n_times - 1)
    share = np.clip(minutes - before, 0.0, 1.0).astype(np.float32)
    early = np.take_along_axis(series, before - 1, axis=-1)
    late = np.take_along_axis(series, before, axis=-1)
    return (1 - share) * early + share * late
