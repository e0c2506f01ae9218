"""Forecasts: linear in slip, joined by name, with arrivals and maxima found by hand."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest

from record_fixtures import TRUE_M as SLIP_M
from slipcast.errors import InputError
from slipcast.forecasting.carrying import _quantiles
from slipcast.forecasting.coastal_transfer import CoastalTransfer
from slipcast.forecasting.forecast import Forecast, arrival_time, forecast
from slipcast.greens.bank import GreensBank
from slipcast.inversion import QUANTILES, SlipEstimate


def estimate(slip_m, sources) -> SlipEstimate:
    """Label slip."""
    return SlipEstimate.from_slip(slip_m, sources, method="nnls", window_min=45, region="cascadia", model="m")


def test_sea_level_is_the_sum_of_responses(small_bank):
    made = forecast(estimate(SLIP_M, small_bank.sources), small_bank)
    expected = np.zeros((5, 121))
    for slip, source in zip(SLIP_M, small_bank.sources, strict=True):
        expected += slip * small_bank.source_response(sources=[source])[..., 0].to_numpy()
    npt.assert_allclose(made.sea_level, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
    npt.assert_allclose(made.max_amplitude, expected.max(axis=1), rtol=1e-6)
    npt.assert_allclose(made.dataset["max_time"], 60.0 * expected.argmax(axis=1))
    assert made.gauges == small_bank.gauges


def test_a_scenario_is_forecast_from_its_weights_if_slip_is_uniform(small_bank):
    # slip of a micrometre counts as much as slip of ten metres
    large, small = (forecast(estimate(scale * SLIP_M, small_bank.sources), small_bank) for scale in (10.0, 1e-6))
    npt.assert_allclose(small.sea_level * 1e7, large.sea_level, rtol=1e-5, atol=1e-6)


def test_sources_by_name_in_any_order_and_number(small_bank):
    whole = forecast(estimate(SLIP_M, small_bank.sources), small_bank)
    turned = forecast(estimate(SLIP_M[::-1], small_bank.sources[::-1]), small_bank, gauges=["newport", "46404"])
    npt.assert_allclose(turned.sea_level, whole.sea_level.sel(gauge=["newport", "46404"]), rtol=1e-5, atol=1e-7)
    some = np.flatnonzero(SLIP_M)
    fewer = forecast(estimate(SLIP_M[some], [small_bank.sources[i] for i in some]), small_bank)
    npt.assert_allclose(fewer.sea_level, whole.sea_level, rtol=1e-5, atol=1e-7)
    with pytest.raises(InputError, match="unknown source 'acsza54' in bank cascadia; nearest: acsza5"):
        forecast(estimate([1.0], ["acsza54"]), small_bank)
    with pytest.raises(InputError, match="unknown gauge 'hilo' in bank cascadia"):
        forecast(estimate(SLIP_M, small_bank.sources), small_bank, gauges=["hilo"])


def test_several_events(small_bank):
    both = forecast(estimate(np.stack([SLIP_M, 2 * SLIP_M]), small_bank.sources), small_bank)
    assert both.sea_level.dims == ("event", "gauge", "time")
    npt.assert_allclose(both.max_amplitude[1], 2 * both.max_amplitude[0], rtol=1e-6)
    with pytest.raises(InputError, match="the forecast must hold one event, got 2"):
        both.one_event()


@pytest.mark.parametrize(
    ("level", "arrival"),
    [
        ([0.0, 0.009, 0.011, 0.1], 120.0),  # above 1 cm
        ([0.0, -0.02, 0.03, 0.1], 60.0),  # down counts as well
        ([0.0, 0.04, 0.06, 1.0], 120.0),  # above 5 % of the maximum
        ([0.0, 0.005, 0.009, 0.0], np.nan),  # no wave
        ([0.0, np.nan, 0.2, np.nan], 120.0),
        ([0.2, 0.2, 0.2, 0.2], 0.0),
    ],
)
def test_arrivals(level, arrival):
    npt.assert_equal(float(arrival_time(np.array(level), 60.0 * np.arange(4))), arrival)


def test_a_level_at_the_threshold_has_not_arrived():
    level = np.array([0.0, 0.01, 0.02])  # 1 cm exactly, then more
    assert arrival_time(level, 60.0 * np.arange(3)).item() == 120.0


def test_samples_on_subfaults_are_carried_to_the_gauges_that_are_asked_for(small_bank):
    on_subfaults = np.random.default_rng(3).gamma(2.0, 2.0, (7, len(small_bank.subfaults)))
    on_sources = on_subfaults @ small_bank.subfaults.averaging_matrix().T
    slip = SlipEstimate.from_slip(
        on_sources.mean(axis=0),
        small_bank.sources,
        method="gaussian",
        window_min=45,
        region="cascadia",
        samples_m=on_sources,
        subfault_samples_m=on_subfaults,
    )
    chosen = ["newport", "46404"]
    whole, some = forecast(slip, small_bank), forecast(slip, small_bank, gauges=chosen)
    npt.assert_allclose(some.sea_level, whole.sea_level.sel(gauge=chosen), rtol=1e-5, atol=1e-7)
    name = "max_amplitude_quantile"
    npt.assert_allclose(some.dataset[name], whole.dataset[name].sel(gauge=chosen), rtol=1e-5)


def test_no_slip_no_wave(small_bank):
    made = forecast(estimate(0 * SLIP_M, small_bank.sources), small_bank)
    npt.assert_array_equal(made.max_amplitude, 0.0)
    assert np.isnan(made.arrival_time).all()
    assert np.isnan(made.dataset["max_time"]).all()


def test_the_highest_level_of_a_gauge_with_fewer_hours_is_within_them(small_bank):
    response = small_bank.dataset["response"]
    kept = (response["gauge"] != "46404") | (response["time"] <= 3600)
    made = forecast(
        estimate(SLIP_M, small_bank.sources), GreensBank(small_bank.dataset.assign(response=response.where(kept)))
    )
    level = made.sea_level.sel(gauge="46404").to_numpy()
    npt.assert_array_equal(np.isnan(level), np.arange(121) > 60)
    found = made.dataset.sel(gauge="46404")
    assert float(found["max_time"]) == 60 * level[:61].argmax()
    assert float(found["max_amplitude"]) == level[:61].max()


def test_a_file_comes_back_also_from_slip_that_was_read(small_bank, tmp_path):
    estimate(SLIP_M, small_bank.sources).save(tmp_path / "s.nc")
    made = forecast(SlipEstimate.open(tmp_path / "s.nc"), small_bank)
    made.save(tmp_path / "f.nc")
    opened = Forecast.open(tmp_path / "f.nc")
    npt.assert_array_equal(opened.sea_level, made.sea_level)
    npt.assert_array_equal(opened.arrival_time, made.arrival_time)
    attrs = opened.dataset.attrs
    assert (attrs["method"], attrs["window_min"], attrs["bank"]) == ("nnls", 45.0, small_bank.id)
    with pytest.raises(InputError, match=r"f.nc holds a forecast, not a slip estimate"):
        SlipEstimate.open(tmp_path / "f.nc")


def test_draws_of_slip_become_quantiles(small_bank, tmp_path):
    draws = np.random.default_rng(3).gamma(2.0, 2.0, (2, 60, 9))
    slip = SlipEstimate.from_slip(
        draws.mean(axis=1), small_bank.sources, method="bayes", window_min=45, region="cascadia", samples_m=draws
    )
    made = forecast(slip, small_bank)
    levels = np.einsum("gts,eks->ekgt", small_bank.source_response().to_numpy(), draws.astype(np.float32))
    for place, probability in enumerate((0.05, 0.25, 0.5, 0.75, 0.95)):
        of_level = made.dataset["sea_level_quantile"].sel(quantile=probability)
        npt.assert_allclose(of_level, np.quantile(levels, probability, axis=1), atol=1e-5)
        of_maximum = made.dataset["max_amplitude_quantile"].isel(quantile=place)
        npt.assert_allclose(of_maximum, np.quantile(levels.max(axis=-1), probability, axis=1), rtol=1e-5)
    made.save(tmp_path / "f.nc")
    npt.assert_array_equal(
        Forecast.open(tmp_path / "f.nc").dataset["max_amplitude_quantile"], made.dataset["max_amplitude_quantile"]
    )
    # one event of two is what it is alone; without draws there are no quantiles
    alone = SlipEstimate(slip.dataset.isel(event=1))
    npt.assert_allclose(
        forecast(alone, small_bank, gauges=["newport"]).dataset["max_amplitude_quantile"][:, 0],
        made.dataset["max_amplitude_quantile"].sel(gauge="newport").isel(event=1),
    )
    assert "sea_level_quantile" not in forecast(estimate(SLIP_M, small_bank.sources), small_bank).dataset


def test_heights_at_the_coast(small_bank):
    draws = np.random.default_rng(3).gamma(2.0, 2.0, (60, 9))
    slip = SlipEstimate.from_slip(
        draws.mean(axis=0), small_bank.sources, method="bayes", window_min=45, region="cascadia", samples_m=draws
    )
    transfer = CoastalTransfer(coast_depth_m=2.0, log_sd=0.3)
    made = forecast(slip, small_bank, coast=transfer)
    depth_m = small_bank.gauge_depth_m
    assert made.dataset["gauge_depth"].to_numpy().tolist() == [depth_m[name] for name in made.gauges]
    highest = (draws.astype(np.float32) @ small_bank.source_response(["westport"]).to_numpy()[0].T).max(axis=-1)
    expected = transfer.predictive(highest, depth_m["westport"], QUANTILES)
    npt.assert_allclose(made.dataset["coast_height_quantile"].sel(gauge="westport"), expected, rtol=1e-4)
    npt.assert_allclose(made.dataset["coast_height"].sel(gauge="westport"), expected[2], rtol=1e-4)
    npt.assert_allclose(made.interval(of="coast_height").sel(gauge="westport"), expected[[0, 4]], rtol=1e-4)
    # wider than that offshore, in the logarithm; none at a DART
    low, high = made.interval().sel(gauge="westport").to_numpy()
    assert np.log(expected[4] / expected[0]) > np.log(high / low) + 0.1
    assert np.isnan(made.dataset["coast_height"].sel(gauge="46404"))
    assert "the same at the coast" in repr(made)
    # slip alone has no interval, and the median follows the maximum
    alone = forecast(estimate(SLIP_M, small_bank.sources), small_bank)
    assert "coast_height_quantile" not in alone.dataset
    at = float(alone.max_amplitude.sel(gauge="westport"))
    found = float(alone.dataset["coast_height"].sel(gauge="westport"))
    npt.assert_allclose(found, CoastalTransfer().median(at, depth_m["westport"]), rtol=0.005)


@pytest.mark.parametrize("count", [1, 2, 7, 200])
def test_quantiles_are_those_of_numpy(count):
    draws = np.random.default_rng(count).standard_normal((count, 30)).astype(np.float32)
    draws[0, 3] = np.nan
    npt.assert_allclose(_quantiles(draws), np.quantile(draws, QUANTILES, axis=0), rtol=1e-6, atol=1e-7)


def test_draws_of_another_shape(small_bank):
    with pytest.raises(InputError, match=r"samples_m must have shape \(n_samples, 9\), got \(60, 8\)"):
        SlipEstimate.from_slip(
            SLIP_M, small_bank.sources, method="b", window_min=45, region="cascadia", samples_m=np.ones((60, 8))
        )
