"""The sampler: a basis of slip, linear estimates of any samples, draws that fit, and what must not matter."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from itertools import islice

import numpy as np
import numpy.testing as npt
import pytest
import torch
import xarray as xr

from inversion_fixtures import invert_by
from slipcast.errors import InputError
from slipcast.forecasting.forecast import forecast
from slipcast.greens.bank import GreensBank
from slipcast.inversion import WaveInverter
from slipcast.learning.inverters import open_model
from slipcast.learning.posterior.augmentation import Augmentation, stretched
from slipcast.learning.posterior.calibration import AmplitudeCalibration, SizeCalibration
from slipcast.learning.posterior.generator import energy_score, marginal_crps
from slipcast.learning.posterior.modes import EventAnalysis, JointComponents
from slipcast.learning.posterior.posterior import NeuralPosterior
from slipcast.learning.posterior.scaled_linear import ScaledLinear, ScaledMoments
from slipcast.learning.posterior.train import SamplerConfig, train_posterior
from slipcast.metrics import crps
from slipcast.realtime.event_slip import invert
from slipcast.records import Records, simulated_records
from slipcast.scenarios.kinematics import rupture_records
from slipcast.scenarios.scenario_set import ScenarioSet
from slipcast.scenarios.stream import ScenarioStream

DARTS = ["46404", "46407", "46419"]
SMALL = SamplerConfig(
    n_scenarios=3000,
    n_calibration=400,
    n_modes=24,
    n_latent=12,
    width=64,
    depth=2,
    draw_width=32,
    n_random=24,
    steps=400,
    batch_size=128,
    windows_min=(5, 15, 30, 60, 120),
)


@pytest.fixture(scope="module")
def folder(small_bank, tmp_path_factory):
    """Train a small sampler."""
    path = tmp_path_factory.mktemp("sampler") / "model"
    train_posterior(small_bank, SMALL, path)
    return path


@pytest.fixture(scope="module")
def sampler(folder) -> NeuralPosterior:
    return NeuralPosterior.open(folder)


@pytest.fixture(scope="module")
def unseen(small_bank) -> ScenarioSet:
    return ScenarioSet.build(small_bank, count=150, seed=77)


def window(scenarios, window_min, *, gauges=(0, 1, 2)) -> np.ndarray:
    """Return noisy records of two hours of which only some gauges and a window are there."""
    records = np.full((len(scenarios), 3, 120), np.nan, np.float32)
    noisy = scenarios.load_records(DARTS, window_min, noise_sd_m=0.005).to_numpy()
    records[:, list(gauges), : int(window_min)] = noisy[:, list(gauges)]
    return records


# --- modes of events


@pytest.fixture(scope="module")
def ruptures(small_bank) -> tuple[np.ndarray, ...]:
    batches = list(islice(ScenarioStream(small_bank, DARTS, 10).batches(200, np.random.default_rng(1)), 3))
    names = ("slip", "onset", "rise_time")
    return tuple(np.concatenate([getattr(batch, name) for batch in batches]) for name in names)


def test_a_few_modes_make_the_waves_of_many_subfaults(small_bank, ruptures):
    learnt, unseen = (tuple(part[where] for part in ruptures) for where in (slice(500), slice(500, None)))
    weights = unseen[0] @ small_bank.subfaults.averaging_matrix().T
    wave = rupture_records(small_bank, *unseen)
    errors = []
    for n_modes in (5, 20, 60):
        analysis = EventAnalysis.from_ruptures(small_bank, *learnt, n_modes=n_modes)
        amplitudes = analysis.amplitudes(*unseen)
        found = np.stack([amplitudes @ analysis.modes.waves[name] for name in small_bank.gauges], axis=1)
        errors.append(np.sum((wave - found) ** 2) / np.sum(wave**2))
    assert errors[0] > 3 * errors[1] > 3 * errors[2]
    assert errors[2] < 0.01
    assert np.sum((amplitudes @ analysis.modes.to_sources - weights) ** 2) < 0.002 * np.sum(weights**2)
    # the same slip at time zero makes waves from which delays are missing
    at_once = np.einsum("gts,ns->ngt", small_bank.dataset["response"].to_numpy(), unseen[0])
    assert np.sum((wave - at_once) ** 2) > 2 * np.sum((wave - found) ** 2)


def test_amplitudes_are_linear_in_slip_and_the_first_are_the_same(small_bank, ruptures):
    analysis = EventAnalysis.from_ruptures(small_bank, *ruptures, n_modes=30)
    slip, onset, rise_time = (part[:20] for part in ruptures)
    once, small = (analysis.amplitudes(factor * slip, onset, rise_time) for factor in (1.0, 1e-6))
    npt.assert_allclose(1e6 * small, once, rtol=1e-4, atol=1e-4 * np.abs(once).max())
    first = analysis.modes.first(10)
    npt.assert_array_equal(first.waves["westport"], analysis.modes.waves["westport"][:10])
    assert (np.diff(analysis.modes.amplitude_sd) < 1e-3).all()
    size = np.sqrt(np.square(ruptures[0] @ small_bank.subfaults.averaging_matrix().T).mean(axis=1, keepdims=True))
    power = np.square(analysis.amplitudes(*ruptures) / size).mean(axis=0)
    npt.assert_allclose(power, analysis.modes.amplitude_sd**2, rtol=1e-3)


def test_amplitudes_are_those_of_the_waves(small_bank, ruptures):
    """Principal components do not correlate: so it is if delays, first samples and all, are those of the waves."""
    analysis = EventAnalysis.from_ruptures(small_bank, *ruptures, n_modes=12)
    size = np.sqrt(np.square(ruptures[0] @ small_bank.subfaults.averaging_matrix().T).mean(axis=1, keepdims=True))
    scaled = analysis.amplitudes(*ruptures) / size / analysis.modes.amplitude_sd
    correlation = scaled.T @ scaled / len(scaled)
    npt.assert_allclose(correlation, np.eye(12), atol=1e-3)  # first samples or delays left out make it 2e-3


def test_slip_that_makes_no_modes(small_bank, ruptures):
    slip, onset, rise_time = ruptures
    with pytest.raises(InputError, match=r"slip_m must have shape \(n_ruptures, 72\), got \(3, 71\)"):
        EventAnalysis.from_ruptures(small_bank, slip[:3, :71], onset[:3], rise_time[:3], n_modes=2)
    with pytest.raises(InputError, match=r"n_modes must be in \[1, 30\], got 31"):
        EventAnalysis.from_ruptures(small_bank, slip[:30], onset[:30], rise_time[:30], n_modes=31)
    still = slip[:30].copy()
    still[4] = 0
    with pytest.raises(InputError, match="slip_m must not be zero throughout, got rupture 4 without slip"):
        EventAnalysis.from_ruptures(small_bank, still, onset[:30], rise_time[:30], n_modes=5)
    analysis = EventAnalysis.from_ruptures(small_bank, slip[:50], onset[:50], rise_time[:50], n_modes=5)
    with pytest.raises(InputError, match=r"slip must not be later than \d+ min, got a rupture with later slip"):
        analysis.amplitudes(slip[:2], onset[:2] + 3600 * (slip[:2] > 0), rise_time[:2])
    with pytest.raises(InputError, match="to_subfaults must have 2 modes, got 3"):
        JointComponents(np.ones(2), np.ones((2, 4)), np.ones((3, 4)), {}, {})
    with pytest.raises(InputError, match="waves at westport must have 2 modes, got 1"):
        JointComponents(np.ones(2), np.ones((2, 4)), np.ones((2, 4)), {"westport": np.ones((1, 5))}, {})


# --- records that no scenario makes


def test_noise_and_augmentation():
    rng = np.random.default_rng(1)
    minutes = np.arange(1, 121)
    wave = np.broadcast_to(np.sin(minutes / 5.0), (400, 3, 120)).astype(np.float32)
    clean = Augmentation(0.005, (), 0.0).augment(wave, rng) - wave
    npt.assert_allclose(clean.std(), 0.005, rtol=0.02)
    error = (Augmentation(0.005, (), 0.5).augment(wave, rng) - wave).std(axis=(1, 2))
    # half of the records are left alone but for white noise
    assert 0.4 < np.mean(error < 0.0055) < 0.6
    assert error.max() > 0.05
    npt.assert_array_equal(wave[0, 0], np.sin(minutes / 5.0).astype(np.float32))


def test_waves_that_come_late():
    minutes = np.arange(1, 121.0)
    ramp = np.broadcast_to(minutes, (2, 1, 120)).astype(np.float32)
    late = stretched(ramp, np.array([[1.0], [1.25]]))
    npt.assert_allclose(late[0, 0], minutes, rtol=1e-6)
    npt.assert_allclose(late[1, 0, 4:], minutes[4:] / 1.25, rtol=1e-6)


# --- linear estimates


def gaussian_problem(count=4000):
    """Return sizes, slip of unit size, and records of a linear problem in which slip is Gaussian."""
    rng = np.random.default_rng(3)
    response = rng.standard_normal((12, 4))
    slip = rng.standard_normal((count, 4)) @ np.diag([1.0, 0.5, 2.0, 1.0])
    slip /= np.sqrt(np.square(slip).mean(axis=1, keepdims=True))
    size = np.exp(rng.uniform(np.log(0.5), np.log(20), (count, 1)))
    return size, slip, slip @ response.T


def test_the_size_and_the_linear_estimate():
    size, slip, records = gaussian_problem()
    moments = ScaledMoments.from_scenarios(records, slip, slip)
    noise = 0.05 * np.random.default_rng(4).standard_normal(records.shape)
    known = np.arange(12) < 9
    found = ScaledLinear(moments).estimate(size * records + noise, known, 0.05)
    # four Gaussian numbers say their scale to some tens of percent; these were scaled to one size and say it better
    error = np.log(found.size_m / size[:, 0])
    assert np.mean(error**2) < np.mean(found.log_size_sd**2) < 0.2
    for row in (0, 7):
        cross, inner = moments.latent[:, known], moments.records[np.ix_(known, known)]
        inner = inner + (found.noise_m[row] / found.size_m[row]) ** 2 * np.eye(9)
        expected = cross @ np.linalg.solve(inner, (size * records + noise)[row, known] / found.size_m[row])
        npt.assert_allclose(found.latent[row], expected, rtol=2e-3, atol=2e-3)
        left = moments.latent_power - np.einsum("si,si->s", cross @ np.linalg.inv(inner), cross)
        npt.assert_allclose(found.latent_sd[row], np.sqrt(left), rtol=0.02, atol=5e-3)


def test_the_noise_found_damps_the_linear_estimate():
    # so much noise that the ridge is as large as the moments
    size, slip, records = gaussian_problem(1000)
    moments = ScaledMoments.from_scenarios(records, slip, slip)
    seen = size * records + 0.4 * np.random.default_rng(4).standard_normal(records.shape)
    found = ScaledLinear(moments).estimate(seen, np.ones(12, bool), 0.05)
    row = int(np.argmax(found.noise_m / found.size_m))
    ridge = (found.noise_m[row] / found.size_m[row]) ** 2
    assert ridge > 0.1
    expected = moments.latent @ np.linalg.solve(moments.records + ridge * np.eye(12), seen[row] / found.size_m[row])
    npt.assert_allclose(found.latent[row], expected, rtol=2e-3, atol=2e-3)


def test_twice_the_records_and_the_noise_are_twice_the_size():
    size, slip, records = gaussian_problem(300)
    linear = ScaledLinear(ScaledMoments.from_scenarios(records, slip, slip))
    seen = (size * records).astype(np.float32)
    once, twice = (linear.estimate(factor * seen, np.ones(12, bool), factor * 0.05) for factor in (1, 2))
    npt.assert_allclose(twice.size_m, 2 * once.size_m, rtol=1e-5)
    npt.assert_allclose(twice.latent, once.latent, rtol=1e-3, atol=1e-4)
    npt.assert_allclose(twice.latent_sd, once.latent_sd, rtol=1e-3)


def test_little_is_kept_of_patterns_of_gaps_and_answers_stay_the_same():
    size, slip, records = gaussian_problem(200)
    moments = ScaledMoments.from_scenarios(records, slip, slip)
    everything, little = ScaledLinear(moments), ScaledLinear(moments, kept_bytes=1.0)
    for last in (6, 9, 6, 12, 9):
        known = np.arange(12) < last
        npt.assert_array_equal(*(each.estimate(size * records, known, 0.05).latent for each in (everything, little)))
    assert (len(everything._operators), len(little._operators)) == (3, 1)
    assert len(pickle.loads(pickle.dumps(everything))._operators) == 3


def test_records_that_the_model_cannot_make_are_taken_for_noisy():
    size, slip, records = gaussian_problem(500)
    linear = ScaledLinear(ScaledMoments.from_scenarios(records, slip, slip))
    rng = np.random.default_rng(6)
    for noise in (0.05, 0.4):
        found = linear.estimate(size * records + noise * rng.standard_normal(records.shape), np.ones(12, bool), 0.05)
        assert np.exp(np.mean(np.log(found.noise_m))) == pytest.approx(noise, rel=0.35)


def test_moments_that_do_not_fit():
    _, slip, records = gaussian_problem(50)
    moments = ScaledMoments.from_scenarios(records, slip, slip)
    with pytest.raises(InputError, match="known must hold at least one sample, got none"):
        ScaledLinear(moments).estimate(records, np.zeros(12, bool), 0.05)
    with pytest.raises(InputError, match="weights must not be zero throughout, got scenario 0 without slip"):
        ScaledMoments.from_scenarios(records, slip, 0 * slip)
    with pytest.raises(InputError, match="moments must have shapes"):
        ScaledMoments(moments.records[:5], moments.latent, moments.latent_power)


# --- scores


def test_scores_of_draws():
    rng = np.random.default_rng(5)
    true, draws = rng.standard_normal((6, 3)), rng.standard_normal((6, 5, 3))
    npt.assert_allclose(
        marginal_crps(torch.from_numpy(true), torch.from_numpy(draws)), crps(true, draws.swapaxes(1, 2)), rtol=1e-9
    )
    # in one dimension the energy score is the continuous ranked probability score
    one = energy_score(torch.from_numpy(true[:, :1]), torch.from_numpy(draws[..., :1]))
    npt.assert_allclose(one, crps(true[:, 0], draws[..., 0]), atol=1e-3)
    # the true distribution scores best
    true = torch.from_numpy(rng.standard_normal((4000, 3)))
    scores = [
        energy_score(true, factor * torch.from_numpy(rng.standard_normal((4000, 8, 3)))).mean().item()
        for factor in (0.7, 1.0, 1.4)
    ]
    assert scores[1] < min(scores[0], scores[2])


# --- amplitude calibration


@pytest.mark.slow
def test_what_the_waves_of_draws_lack_is_found_and_put_back():
    rng = np.random.default_rng(12)
    spread = rng.uniform(0.02, 0.6, 6000)
    middle = rng.uniform(-1, 1, 6000)
    draws = np.exp(middle[:, np.newaxis] + spread[:, np.newaxis] * rng.standard_normal((6000, 400)))
    lacking = np.sqrt(0.1**2 + (0.5 * spread) ** 2)
    true = np.exp(middle + 0.05 + np.hypot(spread, lacking) * rng.standard_normal(6000))
    calibration = AmplitudeCalibration.fit({"a": true}, {"a": draws})
    assert calibration.shift["a"] == pytest.approx(0.05, abs=0.02)
    assert calibration.floor["a"] == pytest.approx(0.1, abs=0.03)
    assert calibration.share["a"] == pytest.approx(0.5, abs=0.1)
    factors = calibration.factors(draws, "a")
    npt.assert_allclose(np.log(factors).mean(axis=1), calibration.shift["a"], atol=1e-6)
    for name, scattered, expected in (("as drawn", draws, False), ("put back", draws * factors, True)):
        low, high = np.quantile(scattered, [0.05, 0.95], axis=1)
        assert (abs(np.mean((low <= true) & (true <= high)) - 0.9) < 0.02) == expected, name
    # the same draws get the same factors, other gauges others
    npt.assert_array_equal(factors, calibration.factors(draws, "a"))
    none = AmplitudeCalibration.none(["a", "b"])
    npt.assert_array_equal(none.factors(draws[:5], "b"), 1.0)


def test_sizes_that_scatter_too_little_get_what_they_lack():
    rng = np.random.default_rng(5)
    narrow = np.exp(rng.normal(0, 0.1, (2000, 1)) + 0.05 * rng.standard_normal((2000, 100)))
    true = np.ones(2000)
    calibration = SizeCalibration.fit(true, narrow)
    made = narrow * calibration.factors(narrow)
    low, high = np.quantile(made, [0.05, 0.95], axis=1)
    assert 0.87 < np.mean((low < true) & (true < high)) < 0.93
    before = np.quantile(narrow, [0.05, 0.95], axis=1)
    assert np.mean((before[0] < true) & (true < before[1])) < 0.7
    # twice as large is twice as large, and the order of draws stays
    npt.assert_allclose(calibration.factors(2 * narrow), calibration.factors(narrow), rtol=1e-5)
    npt.assert_array_equal(np.argsort(made, axis=1), np.argsort(narrow, axis=1))


def test_sizes_that_are_off_by_their_scatter_are_put_right():
    # a bias of half the scatter; and half the scatter too much where little is known, which is left
    rng = np.random.default_rng(5)
    spread = np.exp(rng.uniform(np.log(0.04), np.log(1.28), (24_000, 1)))
    known = spread < 0.2
    draws = np.exp(spread * np.where(known, 1.0, 1.5) * rng.standard_normal((24_000, 100)))
    true = np.exp(spread[:, 0] * rng.standard_normal(24_000) - 0.5 * (spread * known)[:, 0])
    calibration = SizeCalibration.fit(true, draws)
    npt.assert_allclose(calibration.shifts[:2] + calibration.shifts[-2:], [-0.5, -0.5, 0.0, 0.0], atol=0.1)
    for scales in (calibration.below, calibration.above):
        npt.assert_allclose(scales[:2] + scales[-1:], [1.0, 1.0, 1.0], atol=0.1)
    made = np.log(draws * calibration.factors(draws))
    for part, least, most in ((spread[:, 0] < 0.1, 0.87, 0.93), (spread[:, 0] > 0.4, 0.96, 1.0)):
        low, high = np.quantile(made[part], [0.05, 0.95], axis=1)
        assert least < np.mean((low < np.log(true[part])) & (np.log(true[part]) < high)) < most


def test_sizes_are_off_more_on_one_side():
    rng = np.random.default_rng(5)
    draws = np.exp(0.1 * rng.standard_normal((6000, 100)))
    normal = 0.1 * rng.standard_normal(6000)
    calibration = SizeCalibration.fit(np.exp(np.where(normal < 0, 1.5, 1.0) * normal), draws)
    for place in (1, 2):
        found = (calibration.shifts[place], calibration.below[place], calibration.above[place])
        npt.assert_allclose(found, [0.0, 1.5, 1.0], atol=0.12)


def test_sizes_are_left_alone_where_there_are_few_records():
    wide = np.exp(np.random.default_rng(6).standard_normal((90, 100)))
    assert SizeCalibration.fit(np.ones(90), wide) == SizeCalibration()
    npt.assert_array_equal(SizeCalibration().factors(wide), np.ones((90, 100)))
    assert np.isfinite(SizeCalibration().factors(np.zeros((2, 3)))).all()


# --- the sampler


@pytest.mark.slow
def test_draws_fit_and_say_how_sure_they_are(sampler, unseen):
    true = unseen.load_weights().to_numpy()
    errors = []
    for window_min in (10, 30, 60, 120):
        draws = sampler.sample(window(unseen, window_min), 100, np.random.default_rng(1))
        errors.append(np.mean((draws.mean(axis=1) - true) ** 2))
        low, high = np.quantile(draws, [0.05, 0.95], axis=1)
        # a minute of training; a shipped model is held to more
        assert 0.8 < np.mean((low <= true) & (true <= high)) < 0.97
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.01 * true.var()


@pytest.mark.slow
def test_what_is_missing_does_not_matter(sampler, unseen):
    records = window(unseen, 60, gauges=(0, 2))[:5]
    found = sampler.sample(records, 20, np.random.default_rng(2))
    alone = sampler.sample(records[3:4], 20, np.random.default_rng(2))
    assert found.shape == (5, 20, 9)
    assert found.min() >= 0
    # whatever stands in the place of what is missing: the linear part never sees it
    known = np.isfinite(records[0]).ravel()
    filled = np.where(np.isnan(records), 1e6, records).reshape(5, -1)
    for one, other in zip(
        vars(sampler.linear.estimate(filled, known, 0.005)).values(),
        vars(sampler.linear.estimate(np.nan_to_num(records).reshape(5, -1), known, 0.005)).values(),
        strict=True,
    ):
        npt.assert_array_equal(one, other)
    npt.assert_allclose(alone, sampler.sample(records[3:4].copy(), 20, np.random.default_rng(2)))
    with pytest.raises(InputError, match="record 1 has no sample in the window"):
        sampler.sample(np.stack([records[0], np.full((3, 120), np.nan)]), 5, np.random.default_rng(3))
    with pytest.raises(InputError, match=r"records must have shape \(..., 3, 120\), got \(3, 60\)"):
        sampler.sample(records[0, :, :60], 5, np.random.default_rng(3))
    with pytest.raises(InputError, match="count must be >= 1, got 0"):
        sampler.sample(records, 0, np.random.default_rng(3))


@pytest.mark.slow
def test_twice_the_records_and_the_noise_are_twice_the_slip(sampler, unseen):
    records = window(unseen, 60)[:8]
    louder = NeuralPosterior(**{**vars(sampler), "noise_sd_m": 2 * sampler.noise_sd_m})
    once, twice = (
        who.sample(factor * records, 50, np.random.default_rng(4)) for who, factor in ((sampler, 1), (louder, 2))
    )
    npt.assert_allclose(twice, 2 * once, rtol=1e-2, atol=1e-3 * twice.max())


@pytest.mark.slow
def test_noise_alone_is_no_earthquake(sampler, unseen):
    noise = 0.005 * np.random.default_rng(5).standard_normal((20, 3, 120))
    slip = sampler.solve(noise)
    # the smallest earthquakes of the set slip by some decimetres
    assert slip.max() < 0.02 * unseen.load_weights().to_numpy().max()


@pytest.mark.slow
def test_a_sampler_comes_back(sampler, folder, small_bank, tmp_path):
    assert isinstance(open_model(folder), NeuralPosterior)
    sampler.save(tmp_path / "copy")
    other = NeuralPosterior.open(tmp_path / "copy")
    assert other.id == sampler.id
    records = np.random.default_rng(6).standard_normal((2, 3, 120)).astype(np.float32)
    npt.assert_array_equal(
        other.sample(records, 3, np.random.default_rng(7)), sampler.sample(records, 3, np.random.default_rng(7))
    )
    assert other.training["n_modes"] == 24
    assert other.bank == small_bank.id


@pytest.mark.slow
def test_the_same_seed_trains_the_same_sampler(small_bank, tmp_path):
    quick = SMALL.model_copy(update={"steps": 5, "n_scenarios": 700})
    first = train_posterior(small_bank, quick, tmp_path / "first")
    second = train_posterior(small_bank, quick, tmp_path / "second", workers=2)
    third = train_posterior(small_bank, quick.model_copy(update={"seed": 2}), tmp_path / "third")
    assert first.id == second.id != third.id
    backwards = dict(reversed(first.gauge_depth_m.items()))
    assert replace(first, gauge_depth_m=backwards).id == first.id
    assert replace(first, gauge_depth_m={name: 1.0 + depth_m for name, depth_m in backwards.items()}).id != first.id


def test_trainings_that_cannot_be(small_bank, tmp_path):
    with pytest.raises(InputError, match="workers must be >= 1, got 0"):
        train_posterior(small_bank, SMALL, tmp_path, workers=0)
    with pytest.raises(InputError, match="n_modes must be at most the 72 subfaults of the bank, got 80"):
        train_posterior(small_bank, SMALL.model_copy(update={"n_modes": 80}), tmp_path)
    with pytest.raises(InputError, match="unknown usual gauge '46411' among the gauges of the posterior"):
        train_posterior(small_bank, SMALL.model_copy(update={"usual_gauges": ("46411",), "n_scenarios": 700}), tmp_path)


@pytest.mark.slow
def test_parts_that_do_not_fit(sampler):
    for change, message in (
        ({"sources": ["acsza57"]}, "sources of a posterior must be 1, got 9"),
        ({"feature_mean": np.ones(3)}, "features of a posterior must be"),
        ({"feature_sd": np.ones(3)}, "scales of features of a posterior must be"),
        ({"modes": sampler.modes.first(5)}, "modes of a posterior must be 24, got 5"),
        (
            {"calibration": AmplitudeCalibration.none(["a"])},
            "calibration of a posterior must be of the gauges of its waves",
        ),
    ):
        with pytest.raises(InputError, match=message):
            replace(sampler, **change)


@pytest.mark.slow
def test_files_that_are_damaged(folder, tmp_path):
    copy = tmp_path / "copy"

    def damage(name, content):
        copy.mkdir(exist_ok=True)
        for file in folder.iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
        (copy / name).write_bytes(content)

    about = json.loads((folder / "model.json").read_text())
    changed = json.dumps(about | {"noise_sd_m": 0.1}).encode()
    del about["seal"]
    weights = (folder / "model.safetensors").read_bytes()
    for name, content, message in (
        ("model.safetensors", weights[:1000], "model.safetensors is truncated or of another format"),
        ("model.safetensors", weights[:-4] + b"0000", "are not of the same posterior"),
        ("model.json", changed, "model.json is damaged: it does not match its seal"),
        ("model.json", json.dumps(about | {"format": 9}).encode(), "has format 9, this slipcast reads format 3"),
        ("model.json", json.dumps(about | {"slipcast": "bank"}).encode(), "does not describe a posterior"),
        ("model.json", json.dumps(about | {"window_min": "long"}).encode(), "is damaged at window_min"),
        (
            "model.json",
            json.dumps(about | {"arguments": about["arguments"] | {"width": 32}}).encode(),
            "model.safetensors does not fit model.json",
        ),
        (
            "model.json",
            json.dumps(about | {"arguments": {"width": 32}}).encode(),
            "model.safetensors does not fit model.json",
        ),
        ("model.json", json.dumps(about | {"gauges": ["46404"]}).encode(), "columns must have shape"),
    ):
        damage(name, content)
        with pytest.raises(InputError, match=message):
            NeuralPosterior.open(copy)
    with pytest.raises(InputError, match="holds no posterior"):
        NeuralPosterior.open(tmp_path / "nowhere")


# --- through the door


@pytest.mark.slow
def test_from_records_to_a_forecast(sampler, small_bank, unseen, tmp_path):
    records = simulated_records(unseen, 4, DARTS, window_min=120, noise_sd_m=0.005)
    found = invert(records, sampler, window_min=60)
    assert isinstance(sampler, WaveInverter)
    assert (found.dataset.attrs["method"], found.dataset.attrs["window_min"]) == ("sampler", 60.0)
    assert found.dataset["subfault_sample"].shape == (200, 72)
    npt.assert_allclose(found.slip, found.samples.mean("sample"), rtol=1e-4, atol=1e-5)
    found.save(tmp_path / "slip.nc")
    made = forecast(type(found).open(tmp_path / "slip.nc"), small_bank)
    response = small_bank.dataset["response"].to_numpy()
    levels = np.einsum("gts,ks->kgt", response, found.dataset["subfault_sample"].to_numpy())
    npt.assert_allclose(made.sea_level, levels.mean(axis=0), atol=1e-4)
    npt.assert_allclose(made.max_amplitude, levels.max(axis=-1).mean(axis=0), rtol=1e-4)
    # the model's own waves know the delays of slip
    own = forecast(found, sampler)
    assert own.gauges == small_bank.gauges
    amplitudes = found.dataset["amplitude_sample"].to_numpy()
    highest = sampler.sea_level(amplitudes, "westport").max(axis=1)
    npt.assert_allclose(own.max_amplitude.sel(gauge="westport"), highest.mean(), rtol=1e-5)
    npt.assert_allclose(
        own.dataset["max_amplitude_quantile"].sel(gauge="westport"),
        np.quantile(highest, [0.05, 0.25, 0.5, 0.75, 0.95]),
        rtol=1e-5,
    )
    # at time zero no slip has happened; later waves are much alike
    npt.assert_allclose(own.sea_level.isel(time=0), 0.0, atol=1e-3 * float(abs(made.sea_level).max()))
    assert np.corrcoef(own.sea_level.to_numpy().ravel(), made.sea_level.to_numpy().ravel())[0, 1] > 0.9
    assert forecast(found, sampler, gauges=["newport"]).gauges == ["newport"]
    # records that end early, other gauges, another order: the same as a shorter window of those
    early = Records(records.dataset.isel(time=records.time_s <= 1800, gauge=[2, 0]))
    some = Records(records.dataset.isel(gauge=[0, 2]))
    npt.assert_allclose(invert(early, sampler).slip, invert(some, sampler, window_min=30).slip)


@pytest.mark.slow
def test_what_the_door_refuses(sampler, small_bank, unseen):
    records = simulated_records(unseen, 4, DARTS, window_min=120)
    with pytest.raises(
        InputError, match=r"window_min must be in \[5, 120\] min, which the model was trained on, got 121"
    ):
        invert(records, sampler, window_min=121)
    with pytest.raises(
        InputError, match=r"window_min must be in \[5, 120\] min, which the model was trained on, got 4"
    ):
        invert(records, sampler, window_min=4)
    late = records.dataset.where(records.dataset["time"] > 1200)
    with pytest.raises(InputError, match=r"in the window of 20 min$"):
        invert(Records(late), sampler, window_min=20)
    both = xr.concat([records.dataset, late], dim="event")
    with pytest.raises(InputError, match="no gauge has a sample in the window of 20 min in event 1"):
        invert(Records(both), sampler, window_min=20)
    deaf = records.dataset.where(records.dataset["gauge"] != "46407")
    assert invert(Records(deaf), sampler, window_min=20).dataset.attrs["gauges"] == "46404 46419"
    renamed = Records(records.dataset.assign_coords(gauge=["a", "b", "c"]))
    with pytest.raises(InputError, match="records need a gauge that is known to the model, got a, b, c"):
        invert(renamed, sampler)
    tidal = Records(records.dataset.assign_attrs(tide_removed=0))
    with pytest.raises(InputError, match="records must be free of the tide"):
        invert(tidal, sampler)
    found = invert(records, sampler)
    wrong = type(found)(found.dataset.isel(subfault=slice(None, 70)))
    with pytest.raises(InputError, match="slip is on 70 subfaults, the bank has 72"):
        forecast(wrong, small_bank)
    turned = GreensBank(small_bank.dataset)
    turned.__dict__["region"] = small_bank.region.model_copy(update={"sources": small_bank.region.sources[::-1]})
    with pytest.raises(InputError, match="draws on subfaults are of other unit sources, or in another order"):
        forecast(found, turned)
    with pytest.raises(InputError, match="gauges must name at least one gauge, got none"):
        forecast(found, sampler, gauges=[])
    other = replace(sampler, noise_sd_m=0.01)
    with pytest.raises(InputError, match=f"model {other.id} forecasts the slip that it drew, got slip of {sampler.id}"):
        forecast(found, other)
    with pytest.raises(InputError, match="got slip of nnls; give a bank for that"):
        forecast(invert_by(records, small_bank, method="nnls", window_min=30), sampler)


def test_settings(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text("steps = 10\nwindows_min = [5, 60]\n")
    assert SamplerConfig.open(path).windows_min == (5, 60)
    for text, message in (
        ("stepps = 10", "unknown setting 'stepps'"),
        ("steps = 0", "steps"),
        ("windows_min = [60, 5]", "windows_min must rise, got"),
        ("draws = 1", "draws"),
        ("windows_min = []", "windows_min must rise, got"),
        ('usual_gauges = ["46404", "46404"]', "usual_gauges must be different gauges"),
        ("gauges = []", "gauges must be different gauges, at least one"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            SamplerConfig.open(path)
