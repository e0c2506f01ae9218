"""A sampler that needs no training: it draws slip on unit sources from a Gaussian posterior, and waves from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slipcast.greens.bank import GreensBank
from slipcast.inversion import GaussianPosterior, JointMoments

DARTS = ["46404", "46407", "46419"]


class GaussianSampler:
    """A sampler of amplitudes, which are slip on unit sources in another order and unit, and one that does nothing."""

    method = "fake"
    gaps = "whole gauges"

    def __init__(self, bank: GreensBank, window_min: int = 60, *, gauges: Sequence[str] = DARTS, identity: str = "one"):
        self.gauges, self.sources = list(gauges), list(bank.sources)
        self.bank, self.id = bank.id, identity
        self.times_s = 60.0 * np.arange(1, window_min + 1)
        self.posterior = GaussianPosterior(JointMoments.from_bank(bank, gauges, window_min, count=200, seed=9))
        response = bank.source_response().to_numpy()
        hours = bank.dataset["gauge_hours"].to_numpy()
        self.waves = {
            name: np.pad(0.01 * of_gauge[: int(60 * length) + 1, ::-1].T, ((0, 1), (0, 0)))
            for name, of_gauge, length in zip(bank.gauges, response, hours, strict=True)
        }
        self.gauge_depth_m = bank.gauge_depth_m
        self.displacement = {name: wave[:, 0] for name, wave in self.waves.items()}
        self.records_seen = 0

    def draw(self, records, count: int, rng: np.random.Generator) -> np.ndarray:
        self.records_seen += len(records)
        slip = self.posterior.sample(records, count, rng)
        return np.pad(100 * slip[..., ::-1], ((0, 0), (0, 0), (0, 1)), constant_values=7.0)

    def slip(self, amplitudes) -> np.ndarray:
        return 0.01 * np.asarray(amplitudes)[..., -2::-1]

    def sea_level(self, amplitudes, gauge: str) -> np.ndarray:
        return np.asarray(amplitudes, dtype=np.float32) @ self.waves[gauge].astype(np.float32)

    def subfault_slip(self, amplitudes) -> np.ndarray:
        return np.repeat(self.slip(amplitudes), 8, axis=-1)

    def sample(self, records, count: int, rng: np.random.Generator) -> np.ndarray:
        return self.posterior.sample(records, count, rng)

    def solve(self, records) -> np.ndarray:
        return self.posterior.solve(records)
