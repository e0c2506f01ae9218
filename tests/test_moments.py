"""Moments of slip and records: which scenarios they are of, in which order, and what they refuse."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest

from slipcast.errors import InputError
from slipcast.inversion import GaussianPosterior, JointMoments
from slipcast.physics.ruptures import RuptureSettings
from slipcast.scenarios.scenario_set import ScenarioSet

GAUGES = ["46419", "46404"]  # in another order than the set has them


def expected_of(small_set, indices) -> tuple[np.ndarray, np.ndarray]:
    weights = small_set.load_weights(indices).to_numpy().astype(float)
    records = small_set.load_records(GAUGES, 30, indices).to_numpy().astype(float).reshape(len(indices), -1)
    return weights, records


@pytest.mark.parametrize("split", ["train", None])
def test_moments_are_of_the_part_named(small_set, split):
    moments = JointMoments.from_scenarios(small_set, GAUGES, 30, split=split)
    indices = np.arange(len(small_set)) if split is None else small_set.indices(split)
    weights, records = expected_of(small_set, indices)
    assert len(weights) == {"train": 28, None: 40}[split]
    npt.assert_allclose(moments.slip_mean, weights.mean(axis=0), rtol=1e-6)
    npt.assert_allclose(moments.record_mean, records.mean(axis=0), rtol=1e-6, atol=1e-9)
    centred_w, centred_r = weights - weights.mean(axis=0), records - records.mean(axis=0)
    count = len(weights) - 1
    npt.assert_allclose(moments.slip_covariance, centred_w.T @ centred_w / count, rtol=1e-6, atol=1e-9)
    npt.assert_allclose(moments.record_covariance, centred_r.T @ centred_r / count, rtol=1e-6, atol=1e-9)
    npt.assert_allclose(moments.cross_covariance, centred_w.T @ centred_r / count, rtol=1e-6, atol=1e-9)
    assert (moments.gauges, moments.sources) == (GAUGES, small_set.sources)
    npt.assert_array_equal(moments.times_s, 60.0 * np.arange(1, 31))


def test_train_is_the_part_by_default(small_set):
    by_default = JointMoments.from_scenarios(small_set, GAUGES, 30)
    npt.assert_array_equal(
        by_default.slip_mean, JointMoments.from_scenarios(small_set, GAUGES, 30, split="train").slip_mean
    )


def test_ruptures_drawn_for_moments_are_those_asked_for(small_bank):
    def of(**options):
        return JointMoments.from_bank(small_bank, GAUGES, 20, count=40, **options)

    one, again, other = of(seed=1), of(seed=1), of(seed=2)
    npt.assert_array_equal(one.slip_mean, again.slip_mean)
    assert not np.array_equal(one.slip_mean, other.slip_mean)
    assert (one.gauges, one.record_mean.shape) == (GAUGES, (40,))
    small = of(seed=1, settings=RuptureSettings(magnitude=(7.0, 7.0)))
    # a magnitude is a factor of 10^1.5 in moment, and the least by default is 7.8
    assert small.slip_mean.sum() < 10**-1.2 * one.slip_mean.sum()


def test_as_many_ruptures_as_sources_are_too_few(small_bank, small_set):
    with pytest.raises(InputError, match="moments need more scenarios than the 9 sources, got 9"):
        JointMoments.from_bank(small_bank, GAUGES, 20, count=9)
    assert JointMoments.from_bank(small_bank, GAUGES, 20, count=10).slip_mean.shape == (9,)
    nine = ScenarioSet(small_set.dataset.isel(scenario=slice(0, 9)))
    with pytest.raises(InputError, match="moments need more scenarios than the 9 sources, got 9"):
        JointMoments.from_scenarios(nine, GAUGES, 30, split=None)


@pytest.mark.parametrize(
    "name", ["slip_mean", "slip_covariance", "record_mean", "record_covariance", "cross_covariance"]
)
def test_every_part_has_its_shape(small_set, name):
    moments = JointMoments.from_scenarios(small_set, GAUGES, 30)
    with pytest.raises(InputError, match=rf"{name} must have shape \(.*\), got \(1,\)"):
        JointMoments(**vars(moments) | {name: np.zeros(1)})


def test_a_response_is_taken_by_name(small_bank, small_set):
    moments = JointMoments.from_scenarios(small_set, GAUGES, 30)
    response = small_bank.source_response(["46404", "46407", "46419"], window_min=30)
    found, turned = moments.through(response), moments.through(response[::-1, :, ::-1])
    npt.assert_allclose(found.cross_covariance, turned.cross_covariance, rtol=1e-12)
    matrix = response.sel(gauge=GAUGES).to_numpy().reshape(60, -1)
    npt.assert_allclose(found.cross_covariance, moments.slip_covariance @ matrix.T, rtol=1e-9, atol=1e-15)
    npt.assert_array_equal(found.slip_covariance, moments.slip_covariance)
    npt.assert_array_equal(found.record_mean, moments.record_mean)
    with pytest.raises(InputError, match="unknown gauge '46419' in the response"):
        moments.through(response.sel(gauge=["46404", "46407"]))


@pytest.mark.parametrize("nonnegative", [False, True])
def test_draws_are_those_of_their_generator(small_set, nonnegative):
    posterior = GaussianPosterior(JointMoments.from_scenarios(small_set, GAUGES, 30), nonnegative=nonnegative)
    records = small_set.load_records(GAUGES, 30, [3]).to_numpy()[0]
    one, again, other = (posterior.sample(records, 20, np.random.default_rng(seed)) for seed in (1, 1, 2))
    npt.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    assert one.shape == (20, 9)
    assert (one >= 0).all()
    assert posterior.sample(np.stack([records] * 2), 5, np.random.default_rng(1)).shape == (2, 5, 9)
