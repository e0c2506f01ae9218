"""Forecasts on plain arrays against those with labels."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from slipcast.errors import InputError
from slipcast.forecasting.fast import PreparedForecast
from slipcast.forecasting.forecast import forecast
from slipcast.inversion import QUANTILES, GaussianPosterior, JointMoments, SlipEstimate, invert_records
from slipcast.inversion.least_squares import LeastSquaresSolver
from slipcast.records import simulated_records

DARTS = ["46404", "46407", "46419"]


@pytest.fixture(scope="module")
def prepared(small_bank):
    return PreparedForecast.of(small_bank)


@pytest.fixture(scope="module")
def posterior(small_bank):
    response = small_bank.source_response(DARTS, window_min=30)
    return GaussianPosterior(JointMoments.from_bank(small_bank, DARTS, 30, count=60).through(response))


@pytest.fixture(scope="module")
def records(small_set):
    return simulated_records(small_set, 3, DARTS, window_min=30, noise_sd_m=0.005)


def test_sea_level_is_that_of_the_labelled_forecast(small_bank, prepared):
    slip = np.random.default_rng(1).uniform(0, 5, len(small_bank.sources))
    estimate = SlipEstimate.from_slip(slip, small_bank.sources, method="nnls", window_min=30, region="x")
    labelled = forecast(estimate, small_bank)
    for name, level in prepared.by_gauge(prepared.sea_level(slip)).items():
        npt.assert_allclose(level, labelled.sea_level.sel(gauge=name), atol=1e-5)  # float32 sums of metres
    npt.assert_allclose(prepared.max_amplitude(slip), labelled.max_amplitude, rtol=1e-5)
    npt.assert_allclose(prepared.max_amplitude(np.stack([slip, 2 * slip]))[1], 2 * labelled.max_amplitude, rtol=1e-5)


def test_gauges_are_taken_by_name(small_bank, prepared):
    two = PreparedForecast.of(small_bank, ["newport", "46404"])
    slip = np.ones(len(small_bank.sources))
    both, all_of_them = two.by_gauge(two.sea_level(slip)), prepared.by_gauge(prepared.sea_level(slip))
    assert list(both) == ["newport", "46404"]
    for name, level in both.items():
        npt.assert_allclose(level, all_of_them[name], rtol=1e-6, atol=1e-7)


def test_gaussian_intervals_are_those_of_both_ways(small_bank, prepared, posterior, records):
    seen = records.resample(posterior.times_s, DARTS).to_numpy()
    found = prepared.gaussian(posterior, seen, count=100, rng=np.random.default_rng(0))
    mean, sd = posterior.forecast(seen, small_bank.source_response())
    npt.assert_allclose(found.sea_level_m, mean.ravel(), atol=1e-5 * np.abs(mean).max())
    npt.assert_allclose(found.sea_level_sd_m, sd.ravel(), rtol=1e-4, atol=1e-6)
    npt.assert_allclose(found.slip_m, posterior.posterior(seen)[0])
    npt.assert_allclose(found.slip_sd_m**2, np.diag(posterior.posterior(seen)[1]))
    labelled = forecast(invert_records(posterior, records, region="x", n_samples=100, seed=0), small_bank)
    wanted = labelled.dataset["max_amplitude_quantile"].transpose("quantile", "gauge")
    npt.assert_allclose(found.max_amplitude_quantile_m, wanted, rtol=1e-4)


def test_quantiles_are_those_of_numpy(small_bank, posterior, records):
    estimate = invert_records(posterior, records, region="x", n_samples=37, seed=2)
    found = forecast(estimate, small_bank).dataset["sea_level_quantile"].sel(gauge="westport")
    response = small_bank.source_response(["westport"]).to_numpy()[0]
    levels = estimate.samples.to_numpy() @ response.T
    npt.assert_allclose(found, np.quantile(levels, QUANTILES, axis=0), rtol=1e-6, atol=1e-7)


def test_what_does_not_fit_is_refused(small_bank, prepared, posterior):
    with pytest.raises(InputError, match="slip_m must have 9 sources, got 8"):
        prepared.sea_level(np.ones(8))
    with pytest.raises(InputError, match="gauges must name at least one gauge"):
        PreparedForecast.of(small_bank, [])
    with pytest.raises(InputError, match="records must be of one event"):
        prepared.gaussian(posterior, np.zeros((2, 3, 30)), count=3, rng=np.random.default_rng(0))
    turned = PreparedForecast(prepared.gauges, prepared.sources[::-1], prepared.counts, prepared.matrix)
    with pytest.raises(InputError, match="same unit sources in the same order"):
        turned.gaussian(posterior, np.zeros((3, 30)), count=3, rng=np.random.default_rng(0))


def test_least_squares_factored_once_finds_the_same(small_bank):
    response = small_bank.source_response(DARTS, window_min=40)
    slip = np.random.default_rng(5).uniform(0, 4, (3, len(small_bank.sources)))
    rows = np.einsum("gts,ns->ngt", response.to_numpy(), slip)
    gap = rows.copy()
    gap[1, 0, -1] = np.nan
    solver = LeastSquaresSolver(response)
    npt.assert_allclose(solver.solve(rows), slip, atol=1e-6)  # without noise, the slip itself
    with_gap = solver.solve(gap)  # some rows by the factors that are kept, one by its own
    npt.assert_allclose(with_gap, slip, atol=1e-6)
    order = xr.DataArray(response.to_numpy()[:, :, ::-1], dims=response.dims, coords={"gauge": response["gauge"]})
    assert not np.allclose(LeastSquaresSolver(order.assign_coords(time=response["time"])).solve(rows), slip)
