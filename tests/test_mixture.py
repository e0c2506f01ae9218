"""Mixture of rupture families: against closed forms, twins, and what a record cannot say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from scipy.stats import kstest, multivariate_normal

import slipcast as sc
from slipcast.errors import InputError
from slipcast.forecasting.forecast import wave_draws
from slipcast.inversion.estimate import magnitude_of_slip
from slipcast.inversion.family_search import Explored, explore
from slipcast.inversion.family_update import Part, evidence, family_posterior
from slipcast.inversion.methods import method_named
from slipcast.inversion.mixture import RuptureMixture
from slipcast.inversion.wave_error import PATH_ERROR, WAVE_ERRORS, error_factors, informative_samples
from slipcast.physics.moment import moment_magnitude, seismic_moment
from slipcast.physics.slip_families import N_PARAMETERS, FamilyPrior, FamilySettings, SlipFamily
from slipcast.realtime.event_slip import UNLIKE

EPICENTRE = (-125.6, 47.2)  # within acszb58


@pytest.fixture(scope="module")
def prior(small_bank) -> FamilyPrior:
    return FamilyPrior(small_bank.subfaults)


def linear_family(n_modes=3, n_subfaults=5, seed=0) -> SlipFamily:
    """Return a family whose slip varies so little that it is Gaussian."""
    rng = np.random.default_rng(seed)
    modes = 1e-4 * rng.standard_normal((n_subfaults, n_modes))
    return SlipFamily(8.0, 100.0, 50.0, np.arange(n_subfaults), np.full(n_subfaults, 2.0), modes, 0.0)


def part_of(family, level_m, noise_m=2e-4, seed=1) -> Part:
    """Return a gauge whose error is the same at all sizes."""
    rows = np.random.default_rng(seed).standard_normal((len(level_m), len(family.subfaults)))
    factor = noise_m * np.eye(len(level_m))
    return Part(rows, np.asarray(level_m), [factor] * len(WAVE_ERRORS.shares))


def made_of(family, seed=1, n=4) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((n, len(family.subfaults)))
    return rows @ family.middle_m


def test_a_family_has_the_moment_of_its_magnitude(small_bank, prior):
    rng = np.random.default_rng(0)
    found = []
    families = [prior.family(point, epicentre=EPICENTRE, magnitude=(7.2, 7.8)) for point in prior.points(16)]
    assert families.count(None) < 4  # too much slip for this fault
    for family in filter(None, families):
        area_m2 = small_bank.subfaults.area_m2[family.subfaults]
        slip_m = family.slip(rng.standard_normal((4000, family.modes.shape[1])))
        moment_nm = seismic_moment(slip_m, area_m2).mean() / family.more_slip
        found.append(float(moment_magnitude(moment_nm)) - family.magnitude)
    npt.assert_allclose(found, 0.0, atol=0.05)  # the mean of 4,000 lognormal patterns


def test_families_begin_at_the_epicentre_and_hold_it(small_bank, prior):
    lon, lat = small_bank.subfaults.lon_deg, small_bank.subfaults.lat_deg
    families = [prior.family(point, epicentre=EPICENTRE, magnitude=(7.2, 7.6)) for point in prior.points(32)]
    assert len(families) - families.count(None) > 24
    for family in filter(None, families):
        east = (lon[family.subfaults] - 360 - EPICENTRE[0]) * np.cos(np.radians(EPICENTRE[1]))
        assert np.hypot(east, lat[family.subfaults] - EPICENTRE[1]).min() < 1.0  # three standard deviations and a cell


def test_longer_ruptures_for_larger_magnitudes_and_a_mean_that_is_half_way(prior):
    middle = np.full(N_PARAMETERS, 0.5)
    small, large = (prior.family(middle, magnitude=(mw, mw)) for mw in (7.5, 8.5))
    assert large.length_km == pytest.approx(10 ** (-2.37 + 0.57 * 8.5))
    assert large.length_km / small.length_km == pytest.approx(10**0.57)
    assert large.delay_s == pytest.approx(43.0, rel=0.02)  # 2.26e-6 (N m)^(1/3) of 7.08e21 N m


def test_too_much_slip_for_the_fault_is_no_family(small_bank):
    small = FamilyPrior(small_bank.with_sources(["acsza58"]).subfaults)
    assert small.family(np.full(N_PARAMETERS, 0.5), magnitude=(8.0, 8.0)) is not None
    assert small.family(np.full(N_PARAMETERS, 0.5), magnitude=(9.5, 9.5)) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"magnitude": (9.0, 8.0)}, "magnitude must be a rising range"),
        ({"hurst": (0.0, 1.0)}, "hurst must be a rising range"),
        ({"variation": (0.9, 20.0)}, "variation must be a rising range"),
        ({"size_scatter": 0.0}, "size_scatter must be in"),
        ({"delay": (-1.0, 0.5)}, "delay must be seconds and a share"),
    ],
)
def test_settings_are_checked(options, message):
    with pytest.raises(InputError, match=message):
        FamilySettings(**options)


def test_no_families_are_none(prior):
    with pytest.raises(InputError, match="count must be >= 1, got 0"):
        prior.points(0)


def test_the_outer_rise_is_no_interface():
    from slipcast.physics.unit_sources import subdivide, unit_source

    with pytest.raises(InputError, match="plate interface"):
        FamilyPrior(subdivide([unit_source("kiszc20")], 25.0))


def test_evidence_is_the_density_of_the_records():
    family = linear_family()
    levels = [made_of(family) + off for off in (0.0, 2e-4, 1e-3)]
    found = [evidence(family, [part_of(family, level)]) for level in levels]
    rows = part_of(family, levels[0]).rows @ (family.middle_m[:, np.newaxis] * family.modes)
    made = made_of(family)
    covariance = rows @ rows.T + PATH_ERROR**2 * np.outer(made, made) + 4e-8 * np.eye(4)
    exact = [multivariate_normal.logpdf(level, made_of(family), covariance) for level in levels]
    npt.assert_allclose(np.diff(found), np.diff(exact), rtol=1e-3)


def test_the_posterior_of_a_family_is_the_closed_form():
    family = linear_family()
    true = np.array([1.0, -0.5, 0.3])
    parts = [
        part_of(family, part_of(family, made_of(family), seed=seed).rows @ family.slip(true), seed=seed)
        for seed in (1, 2)
    ]
    rows = np.concatenate([part.rows @ (family.middle_m[:, np.newaxis] * family.modes) for part in parts])
    waves = [part.rows @ family.middle_m for part in parts]
    factors = PATH_ERROR * np.kron(np.eye(2), np.ones((4, 1))) * np.concatenate(waves)[:, np.newaxis]
    rows = np.hstack([rows, factors])  # all modes, and by how much the waves of each gauge are too high
    off = np.concatenate([part.level_m for part in parts]) - np.concatenate(waves)
    covariance = np.linalg.inv(np.eye(5) + rows.T @ rows / 4e-8)
    mean = (covariance @ rows.T @ off / 4e-8)[:3]
    slip_m, _ = family_posterior(family, parts).draws(20000, np.random.default_rng(0))
    amplitudes = np.linalg.lstsq(family.modes, np.log(slip_m / family.middle_m).T, rcond=None)[0].T
    npt.assert_allclose(amplitudes.mean(axis=0), mean, atol=0.03)
    npt.assert_allclose(np.cov(amplitudes.T), covariance[:3, :3], atol=0.02)


def test_slip_far_from_the_median_is_found_and_positive():
    rng = np.random.default_rng(3)
    family = replace(linear_family(), modes=1.2 * rng.standard_normal((5, 3)))
    true = family.slip(np.array([1.5, -1.0, 1.0]))
    parts = []
    for seed in (1, 2):
        rows = part_of(family, np.zeros(8), seed=seed).rows
        parts.append(part_of(family, rows @ true, noise_m=0.05, seed=seed))
    slip_m, _ = family_posterior(family, parts).draws(200, rng)
    assert slip_m.min() > 0
    npt.assert_allclose(np.median(slip_m, axis=0), true, rtol=0.1)


def test_the_size_of_the_error_is_learned():
    rng = np.random.default_rng(5)
    times_s = 60.0 * np.arange(1, 101)
    wave = np.sin(times_s / 400.0)
    noises = error_factors(wave, times_s, 0.005, None)
    family = replace(linear_family(), modes=np.zeros((5, 1)))
    rows = np.outer(wave, np.full(5, 0.1))  # 2 m of slip on five subfaults make the wave
    learned = []
    for size in (0, len(WAVE_ERRORS.shares) - 1):
        level = wave + noises[size] @ rng.standard_normal(100)
        found = family_posterior(family, [Part(rows, level, noises)])
        learned.append(float(found.probability[0] @ WAVE_ERRORS.shares))
    assert learned[0] < 0.1
    assert learned[1] > 0.3


def test_points_stand_for_as_much_as_they_are_of_what_is_possible():
    centre, width = 0.3, 0.05
    found = explore(
        lambda point: linear_family(seed=int(1e6 * point[0])),
        lambda family: 0.0,
        np.random.default_rng(0).random((64, 2)),
    )
    # importance weights of an integrand that is one sum to the volume
    assert np.exp(found.log_prior).sum() == pytest.approx(1.0, abs=0.15)

    places = []

    def make(point):
        places.append(point)
        return linear_family()

    def peaked(family):
        return float(-0.5 * np.square((places[-1] - centre) / width).sum())

    found = explore(make, peaked, np.random.default_rng(1).random((64, 2)))
    integral = np.exp(found.log_evidence + found.log_prior).sum()
    assert integral == pytest.approx(2 * np.pi * width**2, rel=0.25)


def test_the_best_families_are_kept():
    explored = Explored([], np.array([0.0, 5.0, 4.0, -20.0]), np.zeros(4))
    assert explored.best(2, 15.0) == [1, 2]
    assert explored.best(9, 15.0) == [1, 2, 0]


def test_samples_before_any_wave_are_left_out_and_many_are_thinned():
    response = np.zeros((600, 2))
    response[100:, 1] = 1e-3
    level = np.zeros(600)
    level[110] = np.nan
    places = informative_samples(level, response)
    assert places[0] == 85
    assert 110 not in places
    assert len(places) <= 120
    assert informative_samples(level, np.zeros((600, 2))).size == 0


def records_of(bank, slip, noise_m=0.002, seed=0) -> sc.Records:
    """Return what the DARTs of a bank sense of slip on unit sources at once, later by the usual half duration."""
    level = bank.forward(
        xr.DataArray(slip, dims="source", coords={"source": bank.sources}), gauges=bank.gauge_names("dart")
    )
    time_s, values = level["time"].to_numpy(), level.to_numpy()
    values = np.array([np.interp(time_s - 40.0, time_s, row) for row in values])
    values = values + noise_m * np.random.default_rng(seed).standard_normal(values.shape)
    names = bank.gauge_names("dart")
    lon_deg, lat_deg = (bank.dataset[f"gauge_{of}"].sel(gauge=names).to_numpy() for of in ("lon", "lat"))
    records = sc.Records.from_arrays(time_s[1:], values[:, 1:], gauges=names, lon_deg=lon_deg, lat_deg=lat_deg)
    return records.with_event(epicentre=EPICENTRE)


@pytest.fixture(scope="module")
def twin(small_bank):
    slip = np.zeros(len(small_bank.sources))
    slip[[small_bank.sources.index(name) for name in ("acsza58", "acszb58", "acszb57")]] = (3.0, 6.0, 2.0)
    return slip


@pytest.fixture(scope="module")
def found(small_bank, twin) -> sc.SlipEstimate:
    inverter = RuptureMixture(small_bank, 110.0, families=96, slip_scatter=0.35)
    return sc.invert(records_of(small_bank, twin), inverter, magnitude=7.9, hold_first=False)


def test_a_twin_is_found(small_bank, twin, found):
    mw = float(magnitude_of_slip(twin, small_bank.sources))
    low, high = found.magnitude_interval()
    assert low < mw < high
    assert high - low < 0.4
    assert abs(found.magnitude - mw) < 0.15
    assert min(found.explained.values()) > 0.9


def test_slip_for_given_waves_is_known_to_its_scatter(small_bank, twin):
    records, spreads = records_of(small_bank, twin), {}
    for scatter in (0.0, 1.0):
        inverter = RuptureMixture(small_bank, 110.0, families=48, slip_scatter=scatter)
        slip = sc.invert(records, inverter, magnitude=7.9, hold_first=False)
        total = slip.samples.to_numpy().sum(axis=1)
        spreads[scatter] = np.log(total).std(), float(np.log(slip.dataset["wave_factor"]).std())
        waves = slip.dataset["wave_factor"].to_numpy() * total  # as of slip that the bank has right
        npt.assert_allclose(np.log(waves).std(), spreads[0.0][0], rtol=0.1)
    assert spreads[0.0][1] == 0
    npt.assert_allclose(spreads[1.0][1], 1.0, rtol=0.2)
    npt.assert_allclose(spreads[1.0][0] ** 2, spreads[0.0][0] ** 2 + 1, rtol=0.3)
    with pytest.raises(InputError, match="slip_scatter must be finite and >= 0, got -1"):
        RuptureMixture(small_bank, 110.0, slip_scatter=-1)


def test_draws_are_carried_with_their_factor_and_delay(small_bank, found):
    name = small_bank.gauge_names("dart")[0]
    plain = sc.SlipEstimate(found.dataset.drop_vars(["wave_error", "wave_factor", "wave_delay"]))
    (time_s, bare), (_, level) = wave_draws(plain, small_bank, name), wave_draws(found, small_bank, name)
    number = 3
    factor, late_s = (float(found.dataset[of][number]) for of in ("wave_factor", "wave_delay"))
    expected = factor * np.interp(time_s - late_s, time_s, bare[number])
    large = np.abs(expected) > 0.3 * np.abs(expected).max()
    ratio = level[number][large] / expected[large]
    npt.assert_allclose(ratio, ratio[0], rtol=1e-3)  # what is left is the error of the wave, one for all times
    assert abs(np.log(ratio[0])) < 4 * float(found.dataset["wave_error"][number])


def test_a_forecast_is_made_of_these_draws(small_bank, found):
    made = sc.forecast(found, small_bank, gauges=["newport"])
    _, level = wave_draws(found, small_bank, "newport")
    npt.assert_allclose(made.max_amplitude.to_numpy()[0], level.max(axis=1).mean(), rtol=1e-5)
    low, high = made.interval().to_numpy()[:, 0]
    npt.assert_allclose([low, high], np.quantile(level.max(axis=1), [0.05, 0.95]), rtol=1e-4)


def test_an_estimate_comes_back_from_its_file(found, small_bank, tmp_path):
    found.save(tmp_path / "slip.nc")
    again = sc.SlipEstimate.open(tmp_path / "slip.nc")
    before, after = (sc.forecast(each, small_bank).interval().to_numpy() for each in (found, again))
    npt.assert_allclose(after, before, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda dataset: dataset.drop_vars("wave_factor"), "incomplete slip file: it lacks wave_factor"),
        (lambda dataset: dataset.assign(wave_error=-dataset["wave_error"]), "wave_error must be a number >= 0"),
        (lambda dataset: dataset.assign(wave_delay=dataset["wave_delay"] * np.nan), "wave_delay must be a number"),
        (lambda dataset: dataset.assign(wave_error=dataset["wave_error"].mean()), "wave_error must be a number"),
    ],
)
def test_a_file_of_half_a_mixture_is_refused(found, tmp_path, change, message):
    sc.SlipEstimate(change(found.dataset)).save(tmp_path / "slip.nc")
    with pytest.raises(InputError, match=message):
        sc.SlipEstimate.open(tmp_path / "slip.nc")


def test_a_still_sea_leaves_small_earthquakes(small_bank, twin):
    still = records_of(small_bank, 0 * twin)
    inverter = RuptureMixture(small_bank, 110.0, families=64)
    slip = sc.invert(still, inverter, magnitude=7.9, hold_first=False)
    assert slip.magnitude_interval()[1] < 7.6


def test_the_first_minute_says_nothing_yet(small_bank, twin):
    records = records_of(small_bank, twin)
    inverter = RuptureMixture(small_bank, 110.0, families=128)
    slip = sc.invert(records, inverter, window_min=3, magnitude=7.9, hold_first=False)
    low, high = slip.magnitude_interval()
    assert low < 7.4
    assert high > 8.3


def test_the_same_records_give_the_same_draws(small_bank, twin, found):
    again = sc.invert(
        records_of(small_bank, twin),
        RuptureMixture(small_bank, 110.0, families=96, slip_scatter=0.35),
        magnitude=7.9,
        hold_first=False,
    )
    npt.assert_array_equal(again.samples.to_numpy(), found.samples.to_numpy())


@pytest.mark.slow
def test_intervals_hold_magnitudes_of_its_own_ruptures(small_bank, prior):
    rng = np.random.default_rng(8)
    places, levels = [], []
    families = [prior.family(point, epicentre=EPICENTRE, magnitude=(7.5, 8.4)) for point in prior.points(12, seed=4)]
    for number, family in enumerate(filter(None, families)):
        slip = np.zeros(len(small_bank.subfaults))
        slip[family.subfaults] = family.slip(rng.standard_normal(family.modes.shape[1]))
        of_sources = small_bank.subfaults.averaging_matrix() @ slip
        records = records_of(small_bank, of_sources, seed=number)
        inverter = RuptureMixture(small_bank, 110.0, families=48, slip_scatter=0.0)
        found = sc.invert(records, inverter, magnitude=7.9, hold_first=False, put_aside=False)
        true = float(magnitude_of_slip(of_sources, small_bank.sources))
        drawn = magnitude_of_slip(found.samples.to_numpy().astype(float), found.sources)
        places.append((drawn < true).mean())
        levels.append(true)
    assert np.ptp(levels) > 0.5
    assert kstest(places, "uniform").pvalue > 0.01


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model_error": 0.1}, "learns how wrong waves are"),
        ({"start_min": 5.0}, "begins at the origin"),
        ({"slip_sd_m": 5.0}, "slip_sd_m is for method tikhonov"),
        ({"noise_sd_m": -1.0}, "noise_sd_m must be > 0"),
        ({"gauges": ["nowhere"]}, "nowhere"),
    ],
)
def test_options_that_it_has_no_use_for_are_refused(small_bank, options, message):
    with pytest.raises(InputError, match=message):
        method_named("mixture", small_bank, window_min=60, **options)


def test_scenarios_are_refused(small_bank, small_set):
    with pytest.raises(InputError, match="ruptures of its own"):
        method_named("mixture", small_bank, window_min=60, scenarios=small_set)


def test_a_part_of_the_gauges_and_of_the_window(small_bank):
    inverter = method_named("mixture", small_bank, window_min=60)
    some = inverter.restricted(gauges=["46407"], window_min=30)
    assert some.gauges == ("46407",)
    assert some.times_s[-1] == 1800.0
    assert inverter.window_range_min == (1.0, 60.0)
    with pytest.raises(InputError, match="window_min must be in"):
        inverter.restricted(window_min=61)
    with pytest.raises(InputError, match="unknown gauge"):
        some.restricted(gauges=["46404"])
    with pytest.raises(InputError, match="at least one gauge"):
        some.restricted(gauges=[])


def test_draws_on_some_sources_are_forecast_with_the_whole_bank(small_bank, twin):
    some = small_bank.with_sources(["acsza58", "acszb57", "acszb58", "acsza57"])
    slip = sc.invert(records_of(small_bank, twin), RuptureMixture(some, 110.0, families=48), put_aside=False)
    level = sc.forecast(slip, small_bank).sea_level
    npt.assert_allclose(level, sc.forecast(slip, some).sea_level, rtol=1e-5, atol=1e-7)


def test_a_first_magnitude_does_not_choose_the_sources(small_bank, twin):
    records = records_of(small_bank, twin)
    found = sc.invert_event(records, small_bank, method="mixture", window_min=90, magnitude=6.0)
    assert found.inverter.sources == small_bank.sources
    near = sc.invert_event(records, small_bank, method="nnls", window_min=90, magnitude=6.0)
    assert len(near.inverter.sources) < 9


def test_waves_turned_upside_down_are_unlike_any_rupture(small_bank, twin):
    records = records_of(small_bank, twin)
    turned = sc.Records(records.dataset.assign(sea_level=-records.sea_level))
    inverter = RuptureMixture(small_bank, 110.0, families=48)
    notes = [sc.invert(each, inverter, magnitude=7.9, put_aside=False).note for each in (records, turned)]
    assert UNLIKE not in notes[0]
    assert UNLIKE in notes[1]
