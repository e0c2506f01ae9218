"""Evaluation: perfect, silent and biased methods, whose scores are known beforehand."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.testing as npt
import pytest

from accuracy_fixtures import GaussianSampler
from learning_fixtures import make_checkpoint, scenario_set
from slipcast import metrics
from slipcast.errors import InputError
from slipcast.evaluation.evaluation import evaluate
from slipcast.evaluation.scoring import Truth, score_method
from slipcast.forecasting.forecast import arrival_time
from slipcast.inversion import (
    GaussianPosterior,
    JointMoments,
    LeastSquares,
    RestrictedPosterior,
    WaveInverter,
    magnitude_of_slip,
)
from slipcast.learning.inverters import Network
from slipcast.scenarios.scenario_set import ScenarioSet, split_codes

DARTS = ["46404", "46407", "46419"]


@dataclass(frozen=True)
class Method:
    """A way from records to slip that is a plain function."""

    gauges: list[str]
    window_min: int
    solve: Callable[[np.ndarray], np.ndarray]
    sources: list[str]
    method: str = "function"
    gaps: Literal["none"] = "none"

    @property
    def times_s(self) -> np.ndarray:
        return 60.0 * np.arange(1, self.window_min + 1)


@pytest.fixture(scope="module")
def twin_set(small_set, small_bank) -> ScenarioSet:
    """Return scenarios of uniform slip on whole unit sources at time zero: their weights make their waves exactly."""
    weights = np.random.default_rng(4).gamma(1.0, 3.0, (40, 9)).astype(np.float32)
    response = small_bank.source_response().to_numpy()
    dataset = small_set.dataset.assign(
        weights=(("scenario", "source"), weights),
        records=(("scenario", "gauge", "time"), np.einsum("gts,ns->ngt", response, weights).astype(np.float32)),
        magnitude=("scenario", magnitude_of_slip(weights.astype(float), small_set.sources)),
    )
    return ScenarioSet(dataset)


@pytest.fixture(scope="module")
def judged(twin_set):
    true, sources = twin_set.load_weights(twin_set.indices("test")).to_numpy(), twin_set.sources
    return evaluate(
        twin_set,
        {
            "perfect": Method(DARTS, 45, lambda records: true, sources),
            "half": Method(DARTS, 45, lambda records: 0.5 * true, sources),
            "silent": Method(DARTS, 30, lambda records: 0 * true, sources),
        },
    )


def test_the_perfect_method(judged):
    scores = judged.scores["perfect"]
    npt.assert_allclose(scores["weight_mse_m2"], 0.0)
    npt.assert_allclose(scores["magnitude_error"]["mean_absolute"], 0.0, atol=1e-6)
    npt.assert_allclose(scores["dart_fit"]["median"], 1.0, atol=1e-6)
    for point in scores["max_amplitude"].values():
        npt.assert_allclose([point["explained_variance"], point["r2"]], 1.0, atol=1e-6)
        npt.assert_allclose(
            [point["bias_m"], point["top_decile_bias"], point["arrival_error_s"]["mean"]], 0.0, atol=1e-5
        )


def test_half_of_the_slip(judged, twin_set):
    scores = judged.scores["half"]
    true = twin_set.load_weights(twin_set.indices("test")).to_numpy().astype(float)
    npt.assert_allclose(scores["weight_mse_m2"], np.mean(true**2) / 4)
    npt.assert_allclose(scores["weight_variance_m2"], np.var(true))
    npt.assert_allclose(list(scores["source_bias_m"].values()), -true.mean(axis=0) / 2, atol=1e-4)
    # half of the moment is 2/3 log10(2) of a magnitude less; half of the wave leaves a quarter of its energy
    npt.assert_allclose(scores["magnitude_error"]["mean"], -2 / 3 * np.log10(2), atol=1e-4)
    npt.assert_allclose(scores["dart_fit"]["median"], 0.75, atol=1e-5)
    for point in scores["max_amplitude"].values():
        npt.assert_allclose(point["explained_variance"], 0.75, atol=1e-4)
        npt.assert_allclose(point["top_decile_bias"], -0.5, atol=1e-4)


def test_no_slip_at_all(judged):
    scores = judged.scores["silent"]
    assert scores["window_min"] == 30
    assert scores["magnitude_error"] == {"mean": None, "mean_absolute": None, "without_slip": 6}
    npt.assert_allclose(scores["dart_fit"]["median"], 0.0, atol=1e-9)
    for point in scores["max_amplitude"].values():
        npt.assert_allclose(point["explained_variance"], 0.0, atol=1e-9)
        assert point["arrival_error_s"]["mean"] is None


def test_scores_are_plain_numbers(judged):
    assert json.loads(json.dumps(judged.scores, allow_nan=False)) == judged.scores
    assert judged.methods == ["perfect", "half", "silent"]
    assert judged.forecast_points == ["westport", "newport"]
    true, predicted, variance = judged.max_amplitude_arrays()
    assert true.shape == (6, 2)
    npt.assert_allclose(predicted["half"], true / 2, rtol=1e-5)
    npt.assert_allclose(variance["half"], 0.75, atol=1e-4)


def test_least_squares_as_a_method(twin_set):
    found = evaluate(twin_set, {"nnls": LeastSquares(twin_set, 120, gauges=DARTS)}, noise_sd_m=0.0)
    # float32 records of a metre are good to 1e-7 m, and the worst seen source multiplies that by some thousands
    assert found.scores["nnls"]["weight_mse_m2"] < 1e-4 * found.scores["nnls"]["weight_variance_m2"]


def test_all_methods_see_the_same_noise(twin_set):
    seen = []

    def look(records):
        seen.append(records)
        return np.ones((len(records), 9))

    sources = twin_set.sources
    methods = {"a": Method(DARTS, 45, look, sources), "b": Method(DARTS[::-1], 30, look, sources)}
    evaluate(twin_set, methods, noise_sd_m=0.01)
    npt.assert_array_equal(seen[1], seen[0][:, ::-1, :30])


def test_a_network_as_a_method_in_the_order_of_the_set():
    scenarios = scenario_set(sources=("acszb59", "acsza57", "acszb57", "acsza58", "acszb58", "acszz57"))
    checkpoint = make_checkpoint()
    records = scenarios.load_records(checkpoint.gauges, 45, scenarios.indices("test"), noise_sd_m=0.005)
    own = checkpoint.predict(records)
    slip = evaluate(scenarios, {"network": Network(checkpoint)}).dataset["weights"].to_numpy()[0]
    assert slip.shape == (9, 6)
    for column, name in enumerate(scenarios.sources):
        expected = own[:, checkpoint.sources.index(name)] if name in checkpoint.sources else 0.0
        npt.assert_array_equal(slip[:, column], expected)
    with pytest.raises(InputError, match="unknown source 'acsza57' in the scenario set"):
        evaluate(scenario_set(sources=("acsza58", "acszb57")), {"network": Network(checkpoint)})


def test_what_cannot_be_judged(twin_set):
    with pytest.raises(InputError, match="methods must hold at least one method"):
        evaluate(twin_set, {})
    empty = ScenarioSet(twin_set.dataset.assign(split=("scenario", np.minimum(split_codes(40, 1), 1))))
    with pytest.raises(InputError, match="the scenario set has no scenario in its test part"):
        evaluate(empty, {"a": LeastSquares(twin_set, 45, gauges=DARTS)})
    with pytest.raises(InputError, match="split must be one of train, validation, test, got 'all'"):
        evaluate(twin_set, {"a": LeastSquares(twin_set, 45, gauges=DARTS)}, split="all")


# --- methods that know how uncertain they are


@dataclass(frozen=True)
class Sampling(Method):
    """A method that scatters its draws around the truth by the scatter it was given."""

    spread_m: float = 0.0

    def sample(self, records: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
        centre = self.solve(records)[:, np.newaxis]
        return np.maximum(centre + self.spread_m * rng.standard_normal((len(records), count, 9)), 0.0)


def test_scores_of_uncertainty(twin_set):
    true, sources = twin_set.load_weights(twin_set.indices("test")).to_numpy(), twin_set.sources
    rng = np.random.default_rng(6)
    centre = 20 + true + rng.standard_normal(true.shape)
    far = ScenarioSet(twin_set.dataset.assign(weights=twin_set.dataset["weights"] + np.float32(20.0)))
    found = evaluate(
        far,
        {
            "honest": Sampling(DARTS, 45, lambda records: centre, sources, spread_m=1.0),
            "too sure": Sampling(DARTS, 45, lambda records: centre, sources, spread_m=0.1),
            "certain": Sampling(DARTS, 45, lambda records: 20 + true, sources, spread_m=0.0),
            "plain": Method(DARTS, 45, lambda records: centre, sources),
        },
        n_draws=500,
    )
    honest, sure, certain, plain = (score["uncertainty"] for score in found.scores.values())
    assert plain is None
    # 54 trials: three standard deviations of 0.9 are 0.12
    npt.assert_allclose(honest["slip_coverage_90"], 0.9, atol=0.12)
    npt.assert_allclose(honest["slip_coverage_50"], 0.5, atol=0.2)
    assert sure["slip_coverage_90"] < 0.4
    assert honest["slip_crps_m"] < sure["slip_crps_m"]
    assert honest["slip_coverage_90"] == honest["slip_coverage_90_where_it_slips"]
    npt.assert_allclose([certain["slip_crps_m"], certain["slip_coverage_90"]], [0.0, 1.0], atol=1e-5)
    npt.assert_allclose(
        found.dataset["weights_quantile"].sel({"method": "honest", "quantile": 0.95}), centre + 1.645, atol=0.3
    )
    assert np.isnan(found.dataset["max_amplitude_quantile"].sel({"method": "plain"})).all()
    json.dumps(found.scores, allow_nan=False)


def test_the_waves_of_draws(twin_set):
    true, sources = twin_set.load_weights(twin_set.indices("test")).to_numpy(), twin_set.sources
    method = Sampling(DARTS, 45, lambda records: true, sources, spread_m=0.0)
    found = evaluate(twin_set, {"certain": method}, n_draws=2)
    # the waves of this set are those of its weights
    npt.assert_allclose(found.dataset["max_amplitude_quantile"][0, 0], found.dataset["max_amplitude_true"], rtol=1e-5)
    npt.assert_allclose(found.dataset["max_amplitude_crps"], 0.0, atol=1e-5)
    # the truth is float32, its interval a point: that it holds is chance, so only the score is asked for
    assert found.scores["certain"]["uncertainty"]["max_amplitude_crps_m"] < 1e-5


def test_the_linear_estimate_as_a_method(twin_set):
    moments = JointMoments.from_scenarios(twin_set, DARTS, 60)
    found = evaluate(
        twin_set,
        {"linear": GaussianPosterior(moments), "nnls": LeastSquares(twin_set, 60, gauges=DARTS)},
        n_draws=50,
    )
    assert found.scores["nnls"]["uncertainty"] is None
    # on records that are linear in the weights it explains most of them from 28 scenarios
    assert found.scores["linear"]["weight_mse_m2"] < 0.3 * found.scores["linear"]["weight_variance_m2"]
    assert 0 <= found.scores["linear"]["uncertainty"]["max_amplitude_coverage_50"] <= 1


# --- samplers with waves of their own


@pytest.fixture(scope="module")
def gaussian(small_bank) -> GaussianSampler:
    return GaussianSampler(small_bank)


def test_a_sampler_of_waves_is_judged_by_them(small_set, gaussian):
    """Its amplitudes are slip in another order and unit, and its waves are those of unit sources."""
    same = GaussianPosterior(gaussian.posterior.moments)
    found = evaluate(small_set, {"waves": gaussian, "sources": same}, n_draws=40).dataset
    one, other = (found.sel({"method": name}) for name in ("waves", "sources"))
    for name in ("max_amplitude", "max_amplitude_quantile", "max_amplitude_crps", "weights_quantile", "weights_crps"):
        npt.assert_allclose(one[name], other[name], rtol=1e-4, atol=1e-5, err_msg=name)
    npt.assert_allclose(one["dart_fit"], other["dart_fit"], atol=1e-4)
    # slip is the mean of draws for the one, the mean of the posterior, cut at zero, for the other
    records = small_set.load_records(DARTS, 60, small_set.indices("test"), noise_sd_m=0.005)
    draws = gaussian.sample(records, 40, np.random.default_rng(0))
    npt.assert_allclose(one["weights"], draws.mean(axis=1), rtol=1e-4, atol=1e-4)
    npt.assert_allclose(other["weights"], gaussian.solve(records), rtol=1e-4, atol=1e-4)
    # waves that are twice as high make maxima that are
    louder = copy.copy(gaussian)
    louder.waves = {name: 2 * wave for name, wave in gaussian.waves.items()}
    twice = evaluate(small_set, {"waves": louder}, n_draws=40).dataset
    npt.assert_allclose(twice["max_amplitude"][0], 2 * one["max_amplitude"], rtol=1e-5)
    npt.assert_allclose(twice["max_amplitude_quantile"][0], 2 * one["max_amplitude_quantile"], rtol=1e-5)


def test_the_forecast_of_a_method_that_draws_is_the_mean_of_its_draws(small_set, small_bank, gaussian):
    found = evaluate(small_set, {"sources": gaussian.posterior}, n_draws=30).dataset
    indices = small_set.indices("test")
    records = small_set.load_records(DARTS, 60, indices, noise_sd_m=0.005)
    draws = gaussian.posterior.sample(records, 30, np.random.default_rng(0))
    levels = np.einsum("gts,nks->ngkt", small_bank.source_response().to_numpy(), draws)
    npt.assert_allclose(found["max_amplitude"][0], levels.max(axis=-1).mean(axis=-1), rtol=1e-4)
    mean = levels.mean(axis=2)
    npt.assert_allclose(found["arrival"][0], arrival_time(mean, small_set.time_s, mean[..., 0]))
    covered = metrics.randomised_coverage(
        small_set.load_weights(indices), draws.swapaxes(1, 2), 0.9, np.random.default_rng(1)
    )
    stated = evaluate(small_set, {"sources": gaussian.posterior}, n_draws=30).scores["sources"]["uncertainty"]
    npt.assert_allclose(stated["slip_randomised_coverage_90"], covered, atol=0.15)


def test_waves_that_do_not_reach(small_set, gaussian):
    records = small_set.load_records(DARTS, 60)
    truth = Truth(small_set, np.arange(40))
    short, silent = copy.copy(gaussian), copy.copy(gaussian)
    short.waves = gaussian.waves | {"westport": gaussian.waves["westport"][:, :100]}
    silent.waves = {name: wave for name, wave in gaussian.waves.items() if name != "newport"}
    for method, message in (
        (short, "waves of method fake at gauge westport end after 99 min, those of the scenarios after 120 min"),
        (silent, "method fake has no waves at gauge newport"),
    ):
        with pytest.raises(InputError, match=message):
            score_method(method, truth, records, fit_min=60, n_draws=2)
    with pytest.raises(InputError, match="n_draws must be >= 2 for method fake, whose waves are of draws, got 0"):
        score_method(gaussian, truth, records, fit_min=60)


def test_a_sampler_that_is_given_less(small_set, gaussian):
    some = RestrictedPosterior(gaussian, 20, ["46419", "46404"])
    records = small_set.load_records(["46419", "46404"], 20, noise_sd_m=0.005).to_numpy()
    whole = np.full((40, 3, 60), np.nan)
    whole[:, [2, 0], :20] = records
    npt.assert_array_equal(some.times_s, 60.0 * np.arange(1, 21))
    npt.assert_allclose(some.solve(records), gaussian.solve(whole), rtol=1e-5, atol=1e-5)
    npt.assert_allclose(some.solve(records[3]), gaussian.solve(whole[3]), rtol=1e-5, atol=1e-5)
    for name in ("sample", "draw"):
        one, other = (
            getattr(who, name)(of_who, 5, np.random.default_rng(2))
            for who, of_who in ((some, records), (gaussian, whole))
        )
        npt.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
    assert isinstance(some, WaveInverter)
    amplitudes = some.draw(records[:2], 3, np.random.default_rng(4))
    npt.assert_array_equal(some.subfault_slip(amplitudes), gaussian.subfault_slip(amplitudes))
    assert RestrictedPosterior(gaussian, 60).gauges == tuple(DARTS)
    found = evaluate(small_set, {"some": some, "all": RestrictedPosterior(gaussian, 60)}, n_draws=40)
    assert found.scores["some"]["window_min"] == 20
    assert found.scores["some"]["weight_mse_m2"] > found.scores["all"]["weight_mse_m2"]
    with pytest.raises(InputError, match=r"records must have shape \(..., 2, 20\), got \(40, 3, 60\)"):
        some.solve(whole)
    with pytest.raises(InputError, match=r"window_min must be in \(0, 60\] and hold a sample, got 61"):
        RestrictedPosterior(gaussian, 61)
    with pytest.raises(InputError, match=r"window_min must be in \(0, 60\] and hold a sample, got 0.5"):
        RestrictedPosterior(gaussian, 0.5)
    with pytest.raises(InputError, match="unknown gauge '51407' of the posterior"):
        RestrictedPosterior(gaussian, 20, ["51407"])
