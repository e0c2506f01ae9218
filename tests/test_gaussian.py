"""Gaussian posteriors: closed forms, gaps, windows, calibration on a linear-Gaussian problem; the door ``invert``."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from inversion_fixtures import invert_by
from record_fixtures import TRUE_M
from slipcast.errors import InputError
from slipcast.inversion import GaussianPosterior, JointMoments, SamplingInverter
from slipcast.records import simulated_records

DARTS = ["46404", "46407", "46419"]
GAUGES, SOURCES, TIMES_S = ["46404", "46407"], ["acsza57", "acsza58", "acsza59"], 60.0 * np.arange(1, 6)
NOISE_M = 0.3


def problem(seed=1):
    """Return a map from three sources to two gauges, and the mean and covariance of slip."""
    rng = np.random.default_rng(seed)
    response = xr.DataArray(
        rng.standard_normal((2, 5, 3)),
        coords={"gauge": GAUGES, "time": TIMES_S, "source": SOURCES},
        dims=("gauge", "time", "source"),
    )
    root = rng.standard_normal((3, 3))
    return response, np.array([5.0, 4.0, 6.0]), root @ root.T + 0.2 * np.eye(3)


def moments_of(response, mean, covariance, remainder=0.0) -> JointMoments:
    """Return the exact moments of slip and of the records that it makes."""
    matrix = response.to_numpy().reshape(-1, 3)
    return JointMoments(
        gauges=GAUGES,
        sources=SOURCES,
        times_s=TIMES_S,
        slip_mean=mean,
        slip_covariance=covariance,
        record_mean=matrix @ mean,
        record_covariance=matrix @ covariance @ matrix.T + remainder * np.eye(len(matrix)),
        cross_covariance=covariance @ matrix.T,
    )


def draw(response, mean, covariance, count, rng):
    """Draw slip and its noisy records."""
    slip = rng.multivariate_normal(mean, covariance, count)
    records = np.einsum("gts,ns->ngt", response.to_numpy(), slip)
    return slip, records + NOISE_M * rng.standard_normal(records.shape)


def test_the_closed_form_in_terms_of_precision():
    response, mean, covariance = problem()
    matrix = response.to_numpy().reshape(-1, 3)
    records = np.random.default_rng(2).standard_normal((4, 2, 5))
    found, spread = GaussianPosterior(moments_of(response, mean, covariance), noise_sd_m=NOISE_M).posterior(records)
    precision = np.linalg.inv(covariance) + matrix.T @ matrix / NOISE_M**2
    pull = np.linalg.inv(covariance) @ mean + records.reshape(4, -1) @ matrix / NOISE_M**2
    npt.assert_allclose(found, pull @ np.linalg.inv(precision), rtol=1e-9)
    npt.assert_allclose(spread, np.broadcast_to(np.linalg.inv(precision), (4, 3, 3)), rtol=1e-8, atol=1e-12)


def test_intervals_hold_what_they_promise():
    response, mean, covariance = problem()
    rng = np.random.default_rng(3)
    mean = mean + 20  # far from zero, where nothing is cut
    slip, records = draw(response, mean, covariance, 4000, rng)
    posterior = GaussianPosterior(moments_of(response, mean, covariance), noise_sd_m=NOISE_M)
    low, high = np.quantile(posterior.sample(records, 400, rng), [0.05, 0.95], axis=1)
    # 4,000 trials of 0.9 scatter by 0.005
    npt.assert_allclose(((low <= slip) & (slip <= high)).mean(), 0.9, atol=0.015)
    # no other estimate that is linear has a smaller error: not a longer or shorter step, nor a shifted one
    best = posterior.posterior(records)[0]
    error = np.mean((best - slip) ** 2)
    for other in (mean + 0.97 * (best - mean), mean + 1.03 * (best - mean), best + 0.05):
        assert np.mean((other - slip) ** 2) > error


def test_moments_from_many_draws_come_close_to_the_exact_ones(small_set):
    moments = JointMoments.from_scenarios(small_set, DARTS, 30, split=None)
    weights = small_set.load_weights().to_numpy().astype(float)
    records = small_set.load_records(DARTS, 30).to_numpy().reshape(40, -1).astype(float)
    npt.assert_allclose(moments.slip_mean, weights.mean(axis=0))
    npt.assert_allclose(
        moments.cross_covariance,
        (weights - weights.mean(axis=0)).T @ (records - records.mean(axis=0)) / 39,
        atol=1e-6,
    )


def test_a_sample_that_is_missing_is_left_out():
    response, mean, covariance = problem()
    posterior = GaussianPosterior(moments_of(response, mean, covariance), noise_sd_m=NOISE_M)
    records = np.random.default_rng(4).standard_normal((3, 2, 5))
    gappy = records.copy()
    gappy[1, 0, 2:4] = np.nan
    gappy[2, 1] = np.nan
    found, spread = posterior.posterior(gappy)
    matrix = response.to_numpy()
    for row in range(3):
        known = np.isfinite(gappy[row])
        precision = np.linalg.inv(covariance) + matrix[known].T @ matrix[known] / NOISE_M**2
        pull = np.linalg.inv(covariance) @ mean + records[row][known] @ matrix[known] / NOISE_M**2
        npt.assert_allclose(found[row], np.linalg.solve(precision, pull), rtol=1e-8)
        npt.assert_allclose(spread[row], np.linalg.inv(precision), rtol=1e-7, atol=1e-12)
    # with nothing at all, what was known before
    nothing = posterior.posterior(np.full((2, 5), np.nan))
    npt.assert_allclose(nothing[0], mean)
    npt.assert_allclose(nothing[1], covariance)


def test_later_data_never_widens(small_set):
    records = small_set.load_records(DARTS, 60, [0]).to_numpy()[0]
    posterior = GaussianPosterior(JointMoments.from_scenarios(small_set, DARTS, 60, split=None))
    spreads = []
    for window in (5, 10, 20, 40, 60):
        sofar = np.where(np.arange(60) < window, records, np.nan)
        spreads.append(np.sqrt(np.diag(posterior.posterior(sofar)[1])))
    assert (np.diff(spreads, axis=0) <= 1e-9).all()
    assert np.mean(spreads[-1]) < 0.5 * np.mean(spreads[0])


def test_physics_of_uniform_slip(small_bank, small_set):
    moments = JointMoments.from_scenarios(small_set, DARTS, 45, split=None)
    response = small_bank.source_response(DARTS, window_min=45)
    through = moments.through(response)
    matrix = response.to_numpy().reshape(-1, 9)
    npt.assert_allclose(through.cross_covariance, moments.slip_covariance @ matrix.T)
    # what is left of the records once uniform slip is taken off varies as much as it does in the set
    left = (
        small_set.load_records(DARTS, 45).to_numpy().reshape(40, -1)
        - small_set.load_weights().to_numpy().astype(float) @ matrix.T
    )
    npt.assert_allclose(
        through.record_covariance - matrix @ moments.slip_covariance @ matrix.T, np.cov(left.T), atol=1e-5
    )
    # the order of names does not count
    turned = moments.through(response.isel(gauge=[2, 0, 1], source=slice(None, None, -1)))
    npt.assert_allclose(turned.cross_covariance, through.cross_covariance)


def test_a_noise_free_twin_is_found(small_bank, small_set):
    true = TRUE_M
    response = small_bank.source_response(DARTS, window_min=120)
    moments = JointMoments.from_scenarios(small_set, DARTS, 120, split=None)
    matrix = response.to_numpy().reshape(-1, 9)
    exact = JointMoments(
        moments.gauges,
        moments.sources,
        moments.times_s,
        moments.slip_mean,
        moments.slip_covariance,
        matrix @ moments.slip_mean,
        matrix @ moments.slip_covariance @ matrix.T,
        moments.slip_covariance @ matrix.T,
    )
    found = GaussianPosterior(exact, noise_sd_m=1e-5).solve(response.to_numpy() @ true)
    npt.assert_allclose(found, true, atol=0.01)


def test_the_forecast_in_closed_form():
    response, mean, covariance = problem()
    posterior = GaussianPosterior(moments_of(response, mean, covariance), noise_sd_m=NOISE_M)
    records = draw(response, mean, covariance, 1, np.random.default_rng(5))[1][0]
    elsewhere = problem(seed=8)[0]
    level, spread = posterior.forecast(records, elsewhere.isel(source=[2, 0, 1]))
    centre, left = posterior.posterior(records)
    draws = np.random.default_rng(6).multivariate_normal(centre, left, 20_000) @ elsewhere.to_numpy().reshape(-1, 3).T
    npt.assert_allclose(level.ravel(), draws.mean(axis=0), atol=0.02 * spread.max())
    npt.assert_allclose(spread.ravel(), draws.std(axis=0), rtol=0.03)


def test_slip_that_cannot_be_negative():
    response, _, covariance = problem()
    moments = moments_of(response, np.array([0.2, 0.0, -0.1]), covariance)
    plain = GaussianPosterior(moments, noise_sd_m=3.0)
    cut = GaussianPosterior(moments, noise_sd_m=3.0, nonnegative=True)
    records = np.random.default_rng(7).standard_normal((2, 2, 5))
    draws = cut.sample(records, 20_000, np.random.default_rng(8))
    centre, spread = plain.posterior(records)
    for row in range(2):
        kept = np.random.default_rng(9).multivariate_normal(centre[row], spread[row], 400_000)
        kept = kept[(kept >= 0).all(axis=1)]
        npt.assert_allclose(draws[row].mean(axis=0), kept.mean(axis=0), rtol=0.05)
    npt.assert_allclose(cut.solve(records), draws.mean(axis=1), rtol=0.2)
    assert plain.solve(records).min() >= 0
    assert isinstance(cut, SamplingInverter)


def test_through_the_door(small_bank, small_set):
    records = simulated_records(small_set, 3, DARTS, window_min=60, noise_sd_m=0.005)
    true = small_set.load_weights([3]).to_numpy()[0]
    for method in ("linear", "gaussian", "bayes"):
        # taught by the very scenarios, one of which it is
        whole = small_set.with_split((1.0, 0.0, 0.0), 1)
        found = invert_by(records, small_bank, method=method, window_min=60, scenarios=whole)
        assert found.dataset.attrs["method"] == method
        assert np.mean((found.slip.to_numpy() - true) ** 2) < 0.1 * np.mean(true**2)
        assert found.samples.shape == (200, 9)
        npt.assert_allclose(found.dataset["slip_sd"], found.samples.std("sample"), atol=1e-5)
        low, high = (found.dataset["magnitude_quantile"].sel(quantile=p).item() for p in (0.05, 0.95))
        assert low < found.magnitude < high
    again = invert_by(records, small_set, method="bayes", window_min=60, scenarios=whole)
    npt.assert_allclose(again.samples, found.samples, atol=1e-4)


def test_ruptures_are_drawn_where_none_are_given(small_bank, small_set):
    records = simulated_records(small_set, 3, DARTS, window_min=45, noise_sd_m=0.005)
    found = invert_by(records, small_bank, method="linear", window_min=45, gauges=["46407", "46404"])
    moments = JointMoments.from_bank(small_bank, ["46407", "46404"], 45, count=1000, seed=0)
    sampled = records.resample(moments.times_s, ["46407", "46404"]).to_numpy()
    npt.assert_allclose(found.slip, GaussianPosterior(moments).solve(sampled), atol=1e-6)
    assert found.dataset.attrs["gauges"] == "46407 46404"


def test_a_record_of_noise_gives_no_source(small_set):
    whole = small_set.with_split((1.0, 0.0, 0.0), 1)
    quiet = simulated_records(whole, 3, DARTS, window_min=60)
    noise = 0.005 * np.random.default_rng(11).standard_normal(quiet.sea_level.shape)
    records = type(quiet)(quiet.dataset.assign(sea_level=quiet.sea_level.copy(data=noise)))
    for method in ("linear", "gaussian", "bayes"):
        found = invert_by(records, whole, method=method, window_min=60, scenarios=whole)
        # far below the smallest earthquake of the set; metres would be a wave of decimetres at every DART
        assert found.slip.max() < 0.1 * small_set.load_weights().to_numpy().max()


def test_a_silent_gauge_is_done_without(small_bank, small_set):
    whole = small_set.with_split((1.0, 0.0, 0.0), 1)
    records = simulated_records(whole, 3, DARTS, window_min=60, noise_sd_m=0.005)
    level = records.sea_level.to_numpy().copy()
    level[2] = np.nan
    silent = type(records)(records.dataset.assign(sea_level=records.sea_level.copy(data=level)))
    options = {"method": "linear", "window_min": 60, "scenarios": whole}
    found = invert_by(silent, small_bank, **options)
    npt.assert_allclose(found.slip, invert_by(records, small_bank, gauges=DARTS[:2], **options).slip, atol=1e-4)
    level[:] = np.nan
    silent = type(records)(records.dataset.assign(sea_level=records.sea_level.copy(data=level)))
    with pytest.raises(InputError, match="no gauge has a sample in the window of 60 min"):
        invert_by(silent, small_bank, **options)


def test_what_does_not_fit(small_bank, small_set):
    response, mean, covariance = problem()
    moments = moments_of(response, mean, covariance)
    with pytest.raises(InputError, match="noise_sd_m must be > 0 m, got 0"):
        GaussianPosterior(moments, noise_sd_m=0.0)
    with pytest.raises(InputError, match=r"records must have shape \(..., 2, 5\), got \(2, 4\)"):
        GaussianPosterior(moments).posterior(np.zeros((2, 4)))
    with pytest.raises(InputError, match="records must be of one event"):
        GaussianPosterior(moments).forecast(np.zeros((1, 2, 5)), response)
    with pytest.raises(InputError, match=r"slip_mean must have shape \(3,\), got \(2,\)"):
        moments_of(response, mean, covariance).__class__(**{**vars(moments), "slip_mean": mean[:2]})
    with pytest.raises(InputError, match="times of the response must be those of the moments"):
        moments.through(response.isel(time=slice(1, None)))
    with pytest.raises(InputError, match="moments need more scenarios than the 9 sources, got 6"):
        JointMoments.from_scenarios(small_set, DARTS, 30, split="test")
    records = simulated_records(small_set, 3, DARTS, window_min=60)
    with pytest.raises(InputError, match="start_min is for least squares; method bayes begins at the origin"):
        invert_by(records, small_bank, method="bayes", window_min=60, start_min=5)
    with pytest.raises(InputError, match="method linear needs scenarios, or a bank to draw ruptures from"):
        invert_by(records, small_set, method="linear", window_min=60)
