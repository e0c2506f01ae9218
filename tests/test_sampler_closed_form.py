"""The sampler on a linear problem with Gaussian slip and a known prior, whose posterior has a closed form."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest

from slipcast.learning.posterior.calibration import AmplitudeCalibration
from slipcast.learning.posterior.modes import JointComponents
from slipcast.learning.posterior.pool import ScenarioPool
from slipcast.learning.posterior.posterior import NeuralPosterior
from slipcast.learning.posterior.scaled_linear import ScaledLinear
from slipcast.learning.posterior.train import SamplerConfig, SamplerTraining, scaled_moments
from slipcast.parallel.threads import single_threaded

GAUGES, N_TIMES, N_MODES = ("a", "b", "c"), 4, 6
NOISE = 0.3
PRIOR_SD = np.array([2.0, 1.5, 1.0, 1.0, 0.7, 0.5])
RESPONSE = np.random.default_rng(8).standard_normal((len(GAUGES) * N_TIMES, N_MODES)) / 3
CONFIG = SamplerConfig(
    windows_min=(1, 2, 4),
    noise_sd_m=NOISE,
    drift_m=(),
    n_modes=N_MODES,
    n_latent=6,
    width=64,
    depth=2,
    draw_width=48,
    n_random=12,
    steps=3500,
    batch_size=256,
    draws=6,
    learning_rate=3e-3,
    gap_share=0.0,
    augmented_share=0.0,
    null_share=0.0,
    slip_score=0.0,
    centre_score=0.0,
    wave_score=0.0,
    size_power=0.0,
)


def pool_of(amplitudes: np.ndarray) -> ScenarioPool:
    """Make a pool of events whose slip is their amplitudes, of any sign."""
    records = amplitudes @ RESPONSE.T
    scale = np.abs(records).max(axis=1).astype(np.float32)
    return ScenarioPool(
        (records / scale[:, np.newaxis]).astype(np.float16),
        (amplitudes / scale[:, np.newaxis]).astype(np.float16),
        amplitudes.astype(np.float32),
        np.ones((len(amplitudes), 1), np.float32),
        scale,
    )


@pytest.fixture(scope="module")
def sampler() -> NeuralPosterior:
    pool = pool_of(PRIOR_SD * np.random.default_rng(9).standard_normal((40_000, N_MODES)))
    modes = JointComponents(
        PRIOR_SD.astype(np.float32),
        np.eye(N_MODES, dtype=np.float32),
        np.eye(N_MODES, dtype=np.float32),
        {"a": np.random.default_rng(11).standard_normal((N_MODES, 300)).astype(np.float32)},
        {"a": np.zeros(N_MODES, np.float32)},
    )
    linear = ScaledLinear(scaled_moments(pool, CONFIG.n_latent))
    training = SamplerTraining(pool, linear, modes, CONFIG, len(GAUGES), (0, 1, 2))
    with single_threaded():  # small matrices: threads that wait for each other take ten times as long on a busy machine
        training.run(lambda *_: None)
    return NeuralPosterior(
        network=training.network,
        arguments=training.arguments,
        linear=linear,
        modes=modes,
        feature_mean=training.feature_mean,
        feature_sd=training.feature_sd,
        calibration=AmplitudeCalibration.none(["a"]),
        gauges=GAUGES,
        sources=[f"source{i}" for i in range(N_MODES)],
        window_min=float(N_TIMES),
        noise_sd_m=NOISE,
        drift_m=CONFIG.drift_m,
        senses=["pressure"] * len(GAUGES),
        gauge_depth_m={"a": 100.0},
        region="made-up",
        bank="made-up",
        training={},
    )


@pytest.mark.slow
@pytest.mark.parametrize(("gauges", "window"), [((0, 1, 2), 4), ((0, 2), 4), ((0, 1, 2), 1)])
def test_draws_are_those_of_the_gaussian_posterior(sampler, gauges, window):
    rng = np.random.default_rng(10)
    true = PRIOR_SD * rng.standard_normal((3000, N_MODES))
    records = (true @ RESPONSE.T + NOISE * rng.standard_normal((3000, len(RESPONSE)))).reshape(-1, 3, N_TIMES)
    seen = np.zeros((3, N_TIMES), bool)
    seen[list(gauges), :window] = True
    matrix, samples = RESPONSE[seen.ravel()], records[:, seen]
    covariance = np.linalg.inv(matrix.T @ matrix / NOISE**2 + np.diag(PRIOR_SD**-2.0))
    mean = samples @ matrix @ covariance / NOISE**2
    draws = sampler.draw(np.where(seen, records, np.nan), 200, rng)
    least = np.mean((mean - true) ** 2)
    # 200 draws have a mean that scatters by a two-hundredth of the variance
    assert np.mean((draws.mean(axis=1) - true) ** 2) < 1.05 * least
    npt.assert_allclose(draws.std(axis=1).mean(axis=0), np.sqrt(np.diag(covariance)), rtol=0.08)
    low, high = np.quantile(draws, [0.05, 0.95], axis=1)
    npt.assert_allclose(np.mean((low <= true) & (true <= high)), 0.90, atol=0.02)
