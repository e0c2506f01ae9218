"""Scores against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest
import sklearn.metrics
from scipy.stats import norm

from slipcast import metrics
from slipcast.errors import InputError

RNG = np.random.default_rng(1)
TRUE = RNG.gamma(2.0, 1.5, (60, 4))
PREDICTED = 0.8 * TRUE + RNG.normal(0.3, 0.5, TRUE.shape)


def test_against_another_library():
    npt.assert_allclose(metrics.weight_mse(TRUE, PREDICTED), sklearn.metrics.mean_squared_error(TRUE, PREDICTED))
    for own, other in (
        (metrics.explained_variance, sklearn.metrics.explained_variance_score),
        (metrics.r2, sklearn.metrics.r2_score),
    ):
        npt.assert_allclose(own(TRUE, PREDICTED), other(TRUE, PREDICTED, multioutput="raw_values"))


def test_what_each_score_does_not_see():
    npt.assert_allclose(metrics.explained_variance(TRUE, TRUE + 3.0), 1.0)
    assert (metrics.r2(TRUE, TRUE + 3.0) < 1).all()
    npt.assert_allclose(metrics.bias(TRUE, TRUE + 3.0), 3.0)
    npt.assert_allclose(metrics.r2(TRUE, TRUE), 1.0)
    npt.assert_allclose(metrics.r2(TRUE, np.broadcast_to(TRUE.mean(axis=0), TRUE.shape)), 0.0, atol=1e-12)


def test_no_variance_no_score():
    constant = np.ones((5, 2))
    assert np.isnan(metrics.explained_variance(constant, constant)).all()
    assert np.isnan(metrics.r2(constant, constant)).all()


def test_variance_reduction_leaves_gaps_out():
    observed, modelled = np.array([3.0, np.nan, 4.0, 1.0]), np.array([3.0, 9.0, 3.0, np.nan])
    npt.assert_allclose(metrics.variance_reduction(observed, modelled), 1 - 1 / 25)
    assert metrics.variance_reduction([1.0, 2.0], [0.0, 0.0]) == 0.0
    assert np.isnan(metrics.variance_reduction([0.0, np.nan], [1.0, 1.0]))
    assert metrics.variance_reduction(np.ones((3, 2, 5)), np.zeros((2, 5))).shape == (3, 2)


def test_the_top_decile():
    predicted = TRUE.copy()
    for column in range(4):
        top = np.argsort(TRUE[:, column])[-6:]
        predicted[top, column] *= 1.5
    npt.assert_allclose(metrics.top_decile_bias(TRUE, predicted), 0.5)
    predicted[np.argsort(TRUE[:, 0])[:54], 0] *= 9  # the rest does not count
    npt.assert_allclose(metrics.top_decile_bias(TRUE, predicted), 0.5)


def test_the_top_decile_of_fifteen_is_of_two():
    true = np.arange(1.0, 16.0)
    predicted = true.copy()
    predicted[13] = 0.0  # of 14 and 15, the truth of the highest two, the first is missed
    assert metrics.top_decile_bias(true, predicted).item() == pytest.approx(15 / 29 - 1)


@pytest.mark.parametrize("score", [metrics.weight_mse, metrics.bias, metrics.r2, metrics.explained_variance])
def test_arrays_that_cannot_be_compared(score):
    with pytest.raises(InputError, match=r"true and predicted must have one shape \(n, ...\), got \(2,\) and \(3,\)"):
        score([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(InputError, match=r"predicted must be finite, got nan at index \(1,\)"):
        score([1.0, 2.0], [1.0, np.nan])
    with pytest.raises(InputError, match=r"true must be finite, got inf at index \(0,\)"):
        score([np.inf, 2.0], [1.0, 2.0])


def test_where_a_loss_begins_to_rise():
    epochs = np.arange(1, 1001)
    rng = np.random.default_rng(2)
    loss = 5 + 20 * np.exp(-epochs / 60) + 0.002 * np.maximum(epochs - 500, 0) + rng.normal(0, 0.05, epochs.size)
    found = metrics.rising_epoch(loss)
    assert found is not None
    assert 350 < found < 600
    spike = loss.copy()
    spike[100] = 0.1  # a single lucky epoch
    assert abs((metrics.rising_epoch(spike) or 0) - found) < 5
    assert metrics.rising_epoch(5 + 20 * np.exp(-epochs / 60)) is None
    assert metrics.rising_epoch([3.0, 2.0, 4.0]) is None
    with pytest.raises(InputError, match=r"loss must be finite and of shape \(n_epochs,\), got shape \(1, 2\)"):
        metrics.rising_epoch([[1.0, 2.0]])


def test_the_epoch_is_that_in_the_middle_of_the_running_median():
    # a kink at epoch 100; the median over 11 epochs is 1.03 from epoch 97 (of 92 to 102) to epoch 103, first come first
    epochs = np.arange(1, 201)
    assert metrics.rising_epoch(1 + np.abs(epochs - 100) / 100) == 97


def test_crps_of_a_normal_distribution():
    """The closed form of Gneiting and Raftery (2007), equation 21."""
    draws = np.random.default_rng(2).normal(1.0, 2.0, 200_000)
    for true in (-3.0, 1.0, 2.5):
        z = (true - 1.0) / 2.0
        expected = 2.0 * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))
        npt.assert_allclose(metrics.crps(true, draws), expected, atol=0.02)


def test_crps_by_its_definition():
    draws, true = RNG.gamma(2.0, 1.0, (3, 4, 7)), RNG.gamma(2.0, 1.0, (3, 4))
    pairs = np.abs(draws[..., :, np.newaxis] - draws[..., np.newaxis, :]).sum(axis=(-2, -1)) / (7 * 6)
    npt.assert_allclose(
        metrics.crps(true, draws), np.abs(draws - true[..., np.newaxis]).mean(axis=-1) - pairs / 2, rtol=1e-12
    )
    # the number of draws does not count: a few score on average as many do
    few = metrics.crps(np.full(20_000, 0.7), np.random.default_rng(3).normal(size=(20_000, 3))).mean()
    many = metrics.crps(np.full(200, 0.7), np.random.default_rng(4).normal(size=(200, 3000))).mean()
    npt.assert_allclose(few, many, atol=0.02)


def test_crps_refuses_what_is_no_prediction():
    with pytest.raises(InputError, match=r"samples must have shape \(3, 'n_samples >= 2'\), got \(3, 1\)"):
        metrics.crps(np.zeros(3), np.zeros((3, 1)))
    with pytest.raises(InputError, match="true and samples must be finite"):
        metrics.crps(np.zeros(1), [[np.nan, 1.0]])


def test_coverage_of_a_normal_distribution():
    true = np.random.default_rng(5).normal(size=(4000, 3))
    half = np.full(true.shape, norm.ppf(0.95))
    npt.assert_allclose(metrics.coverage(true, -half, half), 0.9, atol=0.01)
    assert metrics.coverage([0.0], [0.0], [0.0]) == 1.0
    with pytest.raises(InputError, match="true and predicted must have one shape"):
        metrics.coverage(true, -half, half[1:])


# --- predictions with a point mass


def slip_like(rng, *shape) -> np.ndarray:
    """Return numbers of which seven in ten are zero."""
    return np.where(rng.uniform(size=shape) < 0.7, 0.0, rng.gamma(2.0, 1.0, shape))


@pytest.mark.parametrize("n_draws", [3, 19, 40])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_calibrated_draws_cover_the_share_however_few_they_are(share, n_draws):
    rng = np.random.default_rng(7)
    both = slip_like(rng, 40_000, n_draws + 1)
    # 40,000 cases: three standard deviations are 0.0075
    npt.assert_allclose(metrics.randomised_coverage(both[:, 0], both[:, 1:], share, rng), share, atol=0.0075)
    # the ends belong to a closed interval, and so does the point mass there
    ends = np.quantile(both[:, 1:], [(1 - share) / 2, (1 + share) / 2], axis=1)
    if n_draws == 40:
        assert metrics.coverage(both[:, 0], *ends) > share + 0.02


def test_draws_that_are_too_sure_or_too_wide():
    rng = np.random.default_rng(8)
    centre = rng.normal(0.0, 2.0, (8000, 1))
    true = np.maximum(centre[:, 0] + rng.standard_normal(8000), 0.0)
    for spread, low, high in ((0.4, 0.0, 0.75), (1.0, 0.89, 0.91), (3.0, 0.96, 1.0)):
        draws = np.maximum(centre + spread * rng.standard_normal((8000, 50)), 0.0)
        assert low < metrics.randomised_coverage(true, draws, 0.9, rng) < high


def test_the_transform_is_uniform_and_lies_among_its_ties():
    rng = np.random.default_rng(9)
    both = slip_like(rng, 20_000, 11)
    pit = metrics.randomised_pit(both[:, 0], both[:, 1:], rng)
    npt.assert_allclose(np.histogram(pit, bins=10, range=(0, 1))[0] / 20_000, 0.1, atol=0.01)
    assert pit.min() >= 0
    assert pit.max() < 1
    many = metrics.randomised_pit(np.full(5000, 2.0), np.broadcast_to([1.0, 2.0, 2.0, 3.0], (5000, 4)), rng)
    npt.assert_allclose([many.min(), many.max(), many.mean()], [0.2, 0.8, 0.5], atol=0.01)
    covered = [metrics.interval_coverage(pit, share) for share in (0.2, 0.5, 0.8)]
    npt.assert_allclose(covered, [0.2, 0.5, 0.8], atol=0.012)


def test_transforms_that_cannot_be():
    rng = np.random.default_rng(10)
    with pytest.raises(InputError, match=r"samples must have shape \(3, 'n_samples >= 1'\), got \(3, 0\)"):
        metrics.randomised_pit(np.zeros(3), np.zeros((3, 0)), rng)
    with pytest.raises(InputError, match="true and samples must be finite"):
        metrics.randomised_pit(np.zeros(1), [[np.inf, 1.0]], rng)
    with pytest.raises(InputError, match=r"share must be in \(0, 1\), got 1"):
        metrics.randomised_coverage(np.zeros(1), [[0.0, 1.0]], 1, rng)
