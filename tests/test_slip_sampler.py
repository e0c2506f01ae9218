"""The sampler: a basis of slip, linear estimates of any samples, draws that fit, and what must not matter."""

from __future__ import annotations

import json
from itertools import islice

import numpy as np
import numpy.testing as npt
import pytest
import torch

from slipcast.errors import InputError
from slipcast.forecast import forecast
from slipcast.inversion import SubfaultInverter, invert
from slipcast.inversion.network import open_model
from slipcast.learning.scaled_linear import ScaledLinear, ScaledMoments
from slipcast.learning.slip_basis import SlipBasis
from slipcast.learning.slip_generator import energy_score, marginal_crps
from slipcast.learning.slip_sampler import SlipSampler
from slipcast.learning.train_sampler import SamplerConfig, train_sampler
from slipcast.metrics import crps
from slipcast.records import Records, simulated_records
from slipcast.scenarios import ScenarioSet
from slipcast.stream import ScenarioStream

DARTS = ["46404", "46407", "46419"]
SMALL = SamplerConfig(
    n_scenarios=3000,
    n_modes=24,
    n_latent=12,
    width=64,
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
    train_sampler(small_bank, SMALL, path)
    return path


@pytest.fixture(scope="module")
def sampler(folder) -> SlipSampler:
    return SlipSampler.open(folder)


@pytest.fixture(scope="module")
def unseen(small_bank) -> ScenarioSet:
    return ScenarioSet.build(small_bank, count=150, seed=77)


def window(scenarios, window_min, *, gauges=(0, 1, 2)) -> np.ndarray:
    """Return noisy records of two hours of which only some gauges and a window are there."""
    records = np.full((len(scenarios), 3, 120), np.nan, np.float32)
    noisy = scenarios.load_records(DARTS, window_min, noise_sd_m=0.005).to_numpy()
    records[:, list(gauges), : int(window_min)] = noisy[:, list(gauges)]
    return records


# --- a basis of slip


@pytest.fixture(scope="module")
def slips(small_bank) -> np.ndarray:
    batches = ScenarioStream(small_bank, DARTS, 10).batches(200, np.random.default_rng(1))
    return np.concatenate([batch.slip for batch in islice(batches, 3)])


def test_a_few_modes_make_the_waves_of_many_subfaults(small_bank, slips):
    basis = SlipBasis.from_slip(small_bank, slips[:500], n_modes=40)
    again = slips[500:] @ basis.analysis.T @ basis.synthesis
    response = small_bank.dataset["response"].to_numpy()
    wave, found = (np.einsum("gts,ns->ngt", response, part) for part in (slips[500:], again))
    assert np.sum((wave - found) ** 2) < 0.01 * np.sum(wave**2)
    averaging = small_bank.subfaults.averaging_matrix()
    assert np.sum(((again - slips[500:]) @ averaging.T) ** 2) < 0.002 * np.sum((slips[500:] @ averaging.T) ** 2)
    # the more modes, the closer
    errors = []
    for n_modes in (5, 20, 40):
        fewer = SlipBasis.from_slip(small_bank, slips[:500], n_modes=n_modes)
        made = np.einsum("gts,ns->ngt", response, slips[500:] @ fewer.analysis.T @ fewer.synthesis)
        errors.append(np.sum((wave - made) ** 2))
    assert errors[0] > 3 * errors[1] > 3 * errors[2]


def test_as_many_modes_as_subfaults_keep_all(small_bank, slips):
    basis = SlipBasis.from_slip(small_bank, slips, n_modes=72)
    npt.assert_allclose(slips[:20] @ basis.analysis.T @ basis.synthesis, slips[:20], atol=0.02 * slips[:20].max())
    size = np.sqrt(np.square(slips @ small_bank.subfaults.averaging_matrix().T).mean(axis=1, keepdims=True))
    npt.assert_allclose(np.square(slips / size @ basis.analysis.T).mean(axis=0), basis.amplitude_sd**2, rtol=1e-3)


def test_slip_that_is_no_basis(small_bank, slips):
    with pytest.raises(InputError, match=r"slip_m must have shape \(n_ruptures, 72\), got \(3, 71\)"):
        SlipBasis.from_slip(small_bank, slips[:3, :71])
    with pytest.raises(InputError, match=r"n_modes must be in \[1, 30\], got 31"):
        SlipBasis.from_slip(small_bank, slips[:30], n_modes=31)
    still = slips[:30].copy()
    still[4] = 0
    with pytest.raises(InputError, match="slip_m must not be zero throughout, got rupture 4 without slip"):
        SlipBasis.from_slip(small_bank, still, n_modes=5)
    with pytest.raises(InputError, match="analysis, synthesis and amplitude_sd must have shapes"):
        SlipBasis(np.ones((2, 3)), np.ones((2, 3)), np.ones(3))


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
        inner = inner + (0.05 / found.size_m[row]) ** 2 * np.eye(9)
        expected = cross @ np.linalg.solve(inner, (size * records + noise)[row, known] / found.size_m[row])
        npt.assert_allclose(found.latent[row], expected, rtol=2e-3, atol=2e-3)
        left = moments.slip_power - np.einsum("si,si->s", cross @ np.linalg.inv(inner), cross)
        npt.assert_allclose(found.slip_sd[row], np.sqrt(left), rtol=0.02, atol=2e-3)


def test_twice_the_records_and_the_noise_are_twice_the_size():
    size, slip, records = gaussian_problem(300)
    linear = ScaledLinear(ScaledMoments.from_scenarios(records, slip, slip))
    seen = (size * records).astype(np.float32)
    once, twice = (linear.estimate(factor * seen, np.ones(12, bool), factor * 0.05) for factor in (1, 2))
    npt.assert_allclose(twice.size_m, 2 * once.size_m, rtol=1e-5)
    npt.assert_allclose(twice.latent, once.latent, rtol=1e-3, atol=1e-4)
    npt.assert_allclose(twice.slip_sd, once.slip_sd, rtol=1e-3)


def test_moments_that_do_not_fit():
    _, slip, records = gaussian_problem(50)
    moments = ScaledMoments.from_scenarios(records, slip, slip)
    with pytest.raises(InputError, match="known must hold at least one sample, got none"):
        ScaledLinear(moments).estimate(records, np.zeros(12, bool), 0.05)
    with pytest.raises(InputError, match="weights must not be zero throughout, got scenario 0 without slip"):
        ScaledMoments.from_scenarios(records, slip, 0 * slip)
    with pytest.raises(InputError, match="moments must have shapes"):
        ScaledMoments(moments.records[:5], moments.latent, moments.slip, moments.slip_power)


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


# --- the sampler


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
    assert alone.shape == (1, 20, 9)
    with pytest.raises(InputError, match="record 1 has no sample in the window"):
        sampler.sample(np.stack([records[0], np.full((3, 120), np.nan)]), 5, np.random.default_rng(3))
    with pytest.raises(InputError, match=r"records must have shape \(..., 3, 120\), got \(3, 60\)"):
        sampler.sample(records[0, :, :60], 5, np.random.default_rng(3))
    with pytest.raises(InputError, match="count must be >= 1, got 0"):
        sampler.sample(records, 0, np.random.default_rng(3))


def test_twice_the_records_and_the_noise_are_twice_the_slip(sampler, unseen):
    records = window(unseen, 60)[:8]
    louder = SlipSampler(**{**vars(sampler), "noise_sd_m": 2 * sampler.noise_sd_m})
    once, twice = (
        who.sample(factor * records, 50, np.random.default_rng(4)) for who, factor in ((sampler, 1), (louder, 2))
    )
    npt.assert_allclose(twice, 2 * once, rtol=1e-2, atol=1e-3 * twice.max())


def test_noise_alone_is_no_earthquake(sampler, unseen):
    noise = 0.005 * np.random.default_rng(5).standard_normal((20, 3, 120))
    slip = sampler.solve(noise)
    # a hundredth of the mean slip of the set; the smallest of its earthquakes slips by some decimetres
    assert slip.max() < 0.02 * unseen.load_weights().to_numpy().max()


def test_a_sampler_comes_back(sampler, folder, small_bank, tmp_path):
    assert isinstance(open_model(folder), SlipSampler)
    sampler.save(tmp_path / "copy")
    other = SlipSampler.open(tmp_path / "copy")
    assert other.id == sampler.id
    records = np.random.default_rng(6).standard_normal((2, 3, 120)).astype(np.float32)
    npt.assert_array_equal(
        other.sample(records, 3, np.random.default_rng(7)), sampler.sample(records, 3, np.random.default_rng(7))
    )
    assert other.training["n_modes"] == 24
    assert other.bank == small_bank.id


def test_the_same_seed_trains_the_same_sampler(small_bank, tmp_path):
    quick = SMALL.model_copy(update={"steps": 5, "n_scenarios": 700})
    first = train_sampler(small_bank, quick, tmp_path / "first")
    second = train_sampler(small_bank, quick, tmp_path / "second", workers=2)
    third = train_sampler(small_bank, quick.model_copy(update={"seed": 2}), tmp_path / "third")
    assert first.id == second.id != third.id


def test_files_that_are_damaged(folder, tmp_path):
    copy = tmp_path / "copy"

    def damage(name, content):
        copy.mkdir(exist_ok=True)
        for file in folder.iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
        (copy / name).write_bytes(content)

    about = json.loads((folder / "model.json").read_text())
    weights = (folder / "model.safetensors").read_bytes()
    for name, content, message in (
        ("model.safetensors", weights[:1000], "model.safetensors is truncated or no safetensors file"),
        ("model.safetensors", weights[:-4] + b"0000", "are not of the same sampler"),
        ("model.json", json.dumps(about | {"format": 9}).encode(), "has format 9, this slipcast reads format 1"),
        ("model.json", json.dumps(about | {"slipcast": "bank"}).encode(), "does not describe a sampler"),
        ("model.json", json.dumps(about | {"window_min": "long"}).encode(), "is damaged at window_min"),
        (
            "model.json",
            json.dumps(about | {"arguments": about["arguments"] | {"width": 32}}).encode(),
            "model.safetensors does not fit model.json",
        ),
        ("model.json", json.dumps(about | {"gauges": ["46404"]}).encode(), "moments of records of a sampler must be"),
    ):
        damage(name, content)
        with pytest.raises(InputError, match=message):
            SlipSampler.open(copy)
    with pytest.raises(InputError, match="holds no sampler"):
        SlipSampler.open(tmp_path / "nowhere")


# --- through the door


def test_from_records_to_a_forecast(sampler, small_bank, unseen, tmp_path):
    records = simulated_records(unseen, 4, DARTS, window_min=120, noise_sd_m=0.005)
    found = invert(records, small_bank, model=sampler, window_min=60)
    assert isinstance(sampler, SubfaultInverter)
    assert (found.dataset.attrs["method"], found.dataset.attrs["window_min"]) == ("sampler", 60.0)
    assert found.dataset["subfault_sample"].shape == (200, 72)
    npt.assert_allclose(found.slip, found.samples.mean("sample"), rtol=1e-4, atol=1e-5)
    found.save(tmp_path / "slip.nc")
    made = forecast(type(found).open(tmp_path / "slip.nc"), small_bank)
    response = small_bank.dataset["response"].to_numpy()
    levels = np.einsum("gts,ks->kgt", response, found.dataset["subfault_sample"].to_numpy())
    npt.assert_allclose(made.sea_level, levels.mean(axis=0), atol=1e-4)
    npt.assert_allclose(made.max_amplitude, levels.max(axis=-1).mean(axis=0), rtol=1e-4)
    # records that end early, other gauges, another order: the same as a shorter window of those
    early = Records(records.dataset.isel(time=records.time_s <= 1800, gauge=[2, 0]))
    some = Records(records.dataset.isel(gauge=[0, 2]))
    npt.assert_allclose(
        invert(early, small_bank, model=sampler).slip, invert(some, small_bank, model=sampler, window_min=30).slip
    )


def test_what_the_door_refuses(sampler, small_bank, unseen):
    records = simulated_records(unseen, 4, DARTS, window_min=120)
    with pytest.raises(
        InputError, match=r"window must be in \(0, 120\] min, the longest that the model knows, got 121"
    ):
        invert(records, small_bank, model=sampler, window_min=121)
    renamed = Records(records.dataset.assign_coords(gauge=["a", "b", "c"]))
    with pytest.raises(InputError, match="records have none of the gauges that the model takes: 46404, 46407, 46419"):
        invert(renamed, small_bank, model=sampler)
    tidal = Records(records.dataset.assign_attrs(tide_removed=0))
    with pytest.raises(InputError, match="records must be free of the tide"):
        invert(tidal, small_bank, model=sampler)
    found = invert(records, small_bank, model=sampler)
    wrong = type(found)(found.dataset.isel(subfault=slice(None, 70)))
    with pytest.raises(InputError, match="slip is on 70 subfaults, the bank has 72"):
        forecast(wrong, small_bank)


def test_settings(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text("steps = 10\nwindows_min = [5, 60]\n")
    assert SamplerConfig.open(path).windows_min == (5, 60)
    for text, message in (
        ("stepps = 10", "unknown sampler setting 'stepps'"),
        ("steps = 0", "steps"),
        ("windows_min = [60, 5]", "windows_min must rise, got"),
        ("draws = 1", "draws"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            SamplerConfig.open(path)
