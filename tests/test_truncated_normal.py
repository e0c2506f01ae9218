"""Normal distributions cut at zero: scipy's in one dimension, plain rejection in four."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest
from scipy.stats import truncnorm

from slipcast.errors import InputError
from slipcast.inversion.truncated_normal import sample_nonnegative_normal


@pytest.mark.parametrize("mean", [-1.5, 0.0, 0.7, 4.0])
def test_one_dimension_against_scipy(mean):
    draws = sample_nonnegative_normal([2.0 * mean], [[4.0]], 40_000, np.random.default_rng(1))[:, 0]
    expected = truncnorm(-mean, np.inf, loc=2.0 * mean, scale=2.0)
    # a chain of 40,000 is worth some thousands of independent draws
    npt.assert_allclose(draws.mean(), expected.mean(), rtol=0.03)
    npt.assert_allclose(
        np.quantile(draws, [0.05, 0.5, 0.95]), expected.ppf([0.05, 0.5, 0.95]), rtol=0.05, atol=0.05 * expected.std()
    )


def test_four_dimensions_against_rejection():
    rng = np.random.default_rng(2)
    root = rng.standard_normal((4, 4))
    mean, covariance = np.array([0.3, -0.5, 0.2, 0.1]), root @ root.T + 0.3 * np.eye(4)
    plain = rng.multivariate_normal(mean, covariance, 1_000_000)
    kept = plain[(plain >= 0).all(axis=1)]
    draws = sample_nonnegative_normal(mean, covariance, len(kept), rng)
    npt.assert_allclose(draws.mean(axis=0), kept.mean(axis=0), rtol=0.03)
    npt.assert_allclose(np.cov(draws.T), np.cov(kept.T), atol=0.05 * np.cov(kept.T).max())


def test_far_from_zero_nothing_is_cut():
    covariance = np.array([[1.0, 0.9], [0.9, 1.0]])
    draws = sample_nonnegative_normal([20.0, 30.0], covariance, 20_000, np.random.default_rng(3))
    npt.assert_allclose(draws.mean(axis=0), [20.0, 30.0], atol=0.05)
    npt.assert_allclose(np.cov(draws.T), covariance, atol=0.05)


def test_many_means_and_no_negative_draw():
    rng = np.random.default_rng(4)
    root = rng.standard_normal((31, 31))
    means = 3 * rng.standard_normal((5, 31))
    draws = sample_nonnegative_normal(means, root @ root.T + 0.01 * np.eye(31), 300, rng)
    assert draws.shape == (5, 300, 31)
    assert np.isfinite(draws).all()
    assert draws.min() >= 0
    # neighbours in a chain are nearly independent
    centred = draws - draws.mean(axis=1, keepdims=True)
    correlation = (centred[:, 1:] * centred[:, :-1]).mean(axis=(1, 2)) / (centred**2).mean(axis=(1, 2))
    assert np.abs(correlation).max() < 0.3


def test_the_same_generator_gives_the_same_draws():
    first, second = (sample_nonnegative_normal([0.5, -1.0], np.eye(2), 50, np.random.default_rng(5)) for _ in range(2))
    npt.assert_array_equal(first, second)


def test_distributions_that_do_not_exist():
    rng = np.random.default_rng(6)
    with pytest.raises(InputError, match=r"covariance must have shape \(2, 2\), got \(3, 3\)"):
        sample_nonnegative_normal([0.0, 1.0], np.eye(3), 5, rng)
    with pytest.raises(InputError, match="count must be >= 1, got 0"):
        sample_nonnegative_normal([0.0], [[1.0]], 0, rng)
    with pytest.raises(InputError, match="covariance must be positive definite"):
        sample_nonnegative_normal([0.0, 0.0], [[1.0, 2.0], [2.0, 1.0]], 5, rng)
