"""Slip that spreads in time: records against closed forms, for responses that are known everywhere."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest
from scipy.special import erf

from slipcast.greens.bank import GreensBank
from slipcast.scenarios.kinematics import KinematicResponse, delay_taps, rupture_records, slip_by_lag

HUMP_S, WIDTH_S = 2400.0, 300.0


def with_response(bank: GreensBank, response, **coords) -> GreensBank:
    """Put made-up responses into a bank."""
    response = np.broadcast_to(response, bank.dataset["response"].shape).astype(np.float32)
    dims = bank.dataset["response"].dims
    return GreensBank(bank.dataset.assign(response=(dims, response)).assign_coords(coords))


@pytest.fixture(scope="module")
def humps(small_bank):
    """A bank in which every metre of slip makes a Gaussian hump."""
    hump = np.exp(-(((small_bank.time_s - HUMP_S) / WIDTH_S) ** 2) / 2)
    return with_response(small_bank, hump[:, np.newaxis])


def on_one(bank, *, slip_m=1.0, onset_s=0.0, rise_time_s=0.0, subfault=5) -> np.ndarray:
    """Return the record of slip on one subfault at the first gauge."""
    slip, onset = np.zeros((2, len(bank.subfaults)))
    slip[subfault], onset[subfault] = slip_m, onset_s
    return rupture_records(bank, slip, onset, np.array([rise_time_s]))[0, 0]


@pytest.mark.parametrize("onset_s", [0.0, 7.0, 47.3, 60.0, 101.9, 333.3, 600.0])
def test_a_delayed_hump(humps, onset_s):
    # a cubic through points at a fifth of the hump's width is off by at most 3/128 (1/5)^4 3 = 1.1e-4, and in the
    # first minute, where it is one-sided, by 1/24 (1/5)^4 3 = 2e-4
    expected = np.exp(-(((humps.time_s - HUMP_S - onset_s) / WIDTH_S) ** 2) / 2)
    npt.assert_allclose(on_one(humps, onset_s=onset_s), expected, rtol=0, atol=2e-4)


@pytest.mark.parametrize(("onset_s", "rise_time_s"), [(0.0, 40.0), (130.0, 10.0), (47.3, 120.0), (200.0, 300.0)])
def test_a_hump_from_slip_that_takes_its_time(humps, onset_s, rise_time_s):
    # the mean of the hump over all moments of the ramp, an error function
    late = humps.time_s - HUMP_S - onset_s
    scale = WIDTH_S * np.sqrt(2)
    expected = erf(late / scale) - erf((late - rise_time_s) / scale)
    expected *= np.sqrt(np.pi) / 2 * scale / rise_time_s
    npt.assert_allclose(on_one(humps, onset_s=onset_s, rise_time_s=rise_time_s), expected, rtol=0, atol=2e-4)


@pytest.mark.parametrize(("onset_s", "rise_time_s"), [(0.0, 30.0), (90.0, 0.0), (60.0, 40.0), (130.0, 300.0)])
def test_uplift_at_the_gauge_follows_the_slip(small_bank, onset_s, rise_time_s):
    # a gauge that rises with the sea floor and stays there: the record is the slip so far, exactly
    record = on_one(with_response(small_bank, 1.0), slip_m=2.0, onset_s=onset_s, rise_time_s=rise_time_s)
    since = small_bank.time_s - onset_s
    expected = np.clip(since / rise_time_s, 0, 1) if rise_time_s else (since >= 0).astype(float)
    npt.assert_allclose(record, 2.0 * expected, rtol=0, atol=1e-6)


def test_what_comes_after_the_end_is_not_recorded(humps):
    npt.assert_array_equal(on_one(humps, onset_s=7300.0), 0.0)


def test_when_a_subfault_that_does_not_slip_would_begin_is_of_no_matter(humps):
    slip = np.zeros(len(humps.subfaults))
    slip[3] = 1.0
    anywhen = np.linspace(0, 500, slip.size) * (slip == 0)
    calm = rupture_records(humps, slip, np.zeros(slip.size), np.zeros(1))
    npt.assert_array_equal(rupture_records(humps, slip, anywhen, np.zeros(1)), calm)


def test_ruptures_of_a_batch_do_not_touch_each_other(small_bank):
    rng = np.random.default_rng(4)
    slip = rng.uniform(0, 5, (6, 72)) * (rng.uniform(size=(6, 72)) < 0.5)
    onset, rise = rng.uniform(0, 200, (6, 72)), rng.uniform(0, 60, 6)
    together = rupture_records(small_bank, slip, onset, rise)
    for number in range(6):
        alone = rupture_records(small_bank, slip[number], onset[number], rise[number : number + 1])[0]
        npt.assert_array_equal(together[number], alone)


def test_records_are_linear_in_slip(small_bank):
    rng = np.random.default_rng(5)
    slip, onset = rng.uniform(0.1, 5, (2, 72)), rng.uniform(0, 200, 72)
    first, second, both = (
        rupture_records(small_bank, of, onset, np.array([20.0]))[0].astype(float)
        for of in (slip[0], slip[1], 2 * slip[0] + slip[1])
    )
    npt.assert_allclose(both, 2 * first + second, rtol=0, atol=1e-5 * np.abs(both).max())
    # a millionth of the slip makes a millionth of the wave: nothing is cut off
    weak = rupture_records(small_bank, 1e-6 * slip[0], onset, np.array([20.0]))[0]
    npt.assert_allclose(1e6 * weak.astype(float), first, rtol=0, atol=1e-5 * np.abs(first).max())


def test_a_gauge_whose_run_ends_early_ends_early(small_bank):
    response = small_bank.dataset["response"].to_numpy().copy()
    response[1, 61:] = np.nan
    short = with_response(small_bank, response, gauge_hours=("gauge", [2.0, 1.0, 2.0, 2.0, 2.0]))
    rng = np.random.default_rng(6)
    of = rng.uniform(0, 5, 72), rng.uniform(0, 200, 72), np.array([20.0])
    whole, found = rupture_records(small_bank, *of)[0], rupture_records(short, *of)[0]
    assert np.isnan(found[1, 61:]).all()
    whole[1, 61:] = np.nan
    npt.assert_allclose(found, whole, rtol=0, atol=1e-5 * np.nanmax(np.abs(whole)))


def by_the_formula(bank, slip, onset, rise_time_s) -> np.ndarray:
    """Add up the parts of one rupture in the order of the formula, in float64: uplift by ramp, the rest by taps."""
    response = bank.dataset["response"].to_numpy().astype(float)
    step = response[:, 0]
    rest = response - step[:, np.newaxis]
    record = np.zeros(response.shape[:2])
    for subfault in np.flatnonzero(slip):
        since = bank.time_s - onset[subfault]
        ramp = np.clip(since / rise_time_s, 0, 1) if rise_time_s else (since >= 0).astype(float)
        record += slip[subfault] * step[:, subfault, np.newaxis] * ramp
        for at, share in ((0.5 - np.sqrt(0.15), 5 / 18), (0.5, 8 / 18), (0.5 + np.sqrt(0.15), 5 / 18)):
            for lag, weight in zip(*delay_taps(onset[subfault] + at * rise_time_s, 60.0), strict=True):
                if lag < record.shape[1]:
                    late = rest[:, : record.shape[1] - lag, subfault]
                    record[:, lag:] += share * weight * slip[subfault] * late
    return record


@pytest.mark.parametrize("rise_time_s", [0.0, 25.0, 100.0, 400.0])
@pytest.mark.parametrize("longest_s", [0.0, 50.0, 600.0, 9000.0])
def test_records_are_those_of_the_formula(small_bank, rise_time_s, longest_s):
    rng = np.random.default_rng(int(rise_time_s + longest_s))
    slip = (rng.uniform(0, 5, 72) * (rng.uniform(size=72) < 0.6)).astype(np.float32)
    onset = rng.uniform(0, longest_s, 72).astype(np.float32)
    found = rupture_records(small_bank, slip, onset, np.array([rise_time_s]))[0]
    expected = by_the_formula(small_bank, slip.astype(float), onset.astype(float), rise_time_s)
    # sums of a few hundred numbers in float32, each rounded to 6e-8
    npt.assert_allclose(found, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


def test_prepared_responses_give_the_same_records(small_bank):
    rng = np.random.default_rng(11)
    of = rng.uniform(0, 5, (3, 72)), rng.uniform(0, 200, (3, 72)), rng.uniform(0, 60, 3)
    prepared = KinematicResponse.of(small_bank)
    npt.assert_array_equal(prepared.records(*of), rupture_records(small_bank, *of))


def test_no_slip_makes_no_wave(small_bank):
    nothing = rupture_records(small_bank, np.zeros((2, 72)), np.zeros((2, 72)), np.array([0.0, 30.0]))
    assert nothing.shape == (2, len(small_bank.gauges), len(small_bank.time_s))
    npt.assert_array_equal(nothing, 0.0)


def test_no_tap_lies_in_the_future():
    lags, _ = delay_taps(np.linspace(0, 600, 1001), 60.0)
    assert lags.min() == 0
    # nor further away than it must: two samples on each side, but at the very beginning
    far = np.abs(lags - np.linspace(0, 10, 1001)[:, np.newaxis])[lags[:, 0] > 0]
    assert far.max() <= 2.0


def test_slip_by_lag_is_the_taps_of_three_delays():
    rng = np.random.default_rng(4)
    slip = rng.uniform(0, 5, (3, 20)) * (rng.random((3, 20)) < 0.6)
    onset, rise_time = rng.uniform(0, 400, (3, 20)), np.array([10.0, 25.0, 40.0])
    found = slip_by_lag(slip, onset, rise_time, 60.0)
    expected = np.zeros_like(found, dtype=float)
    for at, share in ((0.5 - np.sqrt(0.15), 5 / 18), (0.5, 8 / 18), (0.5 + np.sqrt(0.15), 5 / 18)):
        for rupture, subfault in np.argwhere(slip):
            lags, weights = delay_taps(onset[rupture, subfault] + at * rise_time[rupture], 60.0)
            for lag, weight in zip(lags, weights, strict=True):
                expected[lag, rupture, subfault] += share * weight * slip[rupture, subfault]
    npt.assert_allclose(found, expected, atol=1e-5)
    npt.assert_allclose(found.sum(axis=0), slip, rtol=1e-5)
