"""Records held against each other, against what slip can make, and against the first magnitude."""

from __future__ import annotations

import re

import numpy as np
import numpy.testing as npt
import pytest
from scipy.linalg import block_diag
from scipy.stats import multivariate_normal

import slipcast as sc
from slipcast.errors import InputError
from slipcast.inversion import invert_records
from slipcast.inversion.consistency import Consistency
from slipcast.inversion.first_magnitude import FirstMagnitude
from slipcast.inversion.invert import NoGaugeLeft
from slipcast.learning.inverters import open_posterior
from slipcast.realtime.nowcast import Nowcast
from slipcast.records.level_checks import ready_levels, without_offset
from slipcast.records.quality import MASKS

MINUTES = np.arange(1, 121)
DARTS = ["46404", "46407", "46419", "46411"]


@pytest.fixture(scope="module")
def simulation():
    return sc.packaged_records("cascadia-simulation")


@pytest.fixture(scope="module")
def model():
    return open_posterior("cascadia")


@pytest.fixture(scope="module")
def nowcast(model):
    return Nowcast(model, hold_first=True)


@pytest.fixture(scope="module")
def clean(simulation, model):
    """Invert the records as they are."""
    return sc.invert(simulation, model, window_min=45)


@pytest.fixture(scope="module")
def without(simulation, model):
    """Invert them without one gauge or the other."""
    return {
        gauge: sc.invert(simulation, model, window_min=45, gauges=[name for name in DARTS if name != gauge])
        for gauge in ("46404", "46411")
    }


def changed(records, gauge, change):
    """Change the record of one gauge."""
    level = records.sea_level.to_numpy().copy()
    row = records.gauges.index(gauge)
    level[row] = change(level[row])
    return sc.Records(records.dataset.assign(sea_level=(records.sea_level.dims, level, {"units": "m"})))


FAULTS = {
    "stuck but for noise": lambda level: 0.8 + 0.002 * np.sin(MINUTES),
    "another unit": lambda level: np.clip(100 * level, -49, 49),
    "a step": lambda level: level + 1.5 * (MINUTES > 20),
}
BAD_SAMPLES = {
    "one sample": lambda level: np.where(MINUTES == 31, 40.0, level),
    "ten samples running": lambda level: level - 9.4 * ((MINUTES > 20) & (MINUTES <= 30)),
    "spikes": lambda level: level + np.where(MINUTES % 9 == 5, 0.8, 0.0),
}


@pytest.mark.parametrize(
    ("gauge", "fault"),  # beside its own wave of metres, slip could make a step at the nearest
    [(gauge, fault) for gauge in ("46404", "46411") for fault in FAULTS if (gauge, fault) != ("46404", "a step")],
)
def test_one_bad_sensor_is_put_aside_by_name(simulation, model, clean, without, fault, gauge):
    assert clean.put_aside == {}
    found = sc.invert(changed(simulation, gauge, FAULTS[fault]), model, window_min=45)
    assert list(found.put_aside) == [gauge]
    assert found.put_aside[gauge] > 3
    assert gauge not in found.dataset.attrs["gauges"].split()
    npt.assert_array_equal(found.slip, without[gauge].slip)
    npt.assert_allclose(found.magnitude, clean.magnitude, atol=0.1)


def test_a_stuck_sensor_is_left_out_by_name(simulation, model, nowcast, without):
    stuck = changed(simulation, "46404", lambda level: np.full_like(level, 0.8))
    found = sc.invert(stuck, model, window_min=45)
    told = "45 samples left out (flat_line)"
    assert found.gauges_left_out == {"46404": f"no sample in the window of 45 min: {told}"}
    npt.assert_array_equal(found.slip, without["46404"].slip)
    live = nowcast.update(stuck.windowed(dict.fromkeys(DARTS, (-np.inf, 45.0))))
    assert f"46404: {told}" in live.flags
    npt.assert_allclose(live.slip.magnitude, found.magnitude, atol=1e-6)
    with pytest.raises(InputError, match=r"no gauge has a sample in the window of 45 min; 46404: 45 samples left out"):
        sc.invert(stuck, model, window_min=45, gauges=["46404"])
    # the same for minutes, but no farther from zero than a still sea
    assert sc.invert(changed(simulation, "46404", np.zeros_like), model, window_min=20).samples_left_out == {}


def test_a_wave_after_quarters_of_an_hour_is_no_stuck_sensor():
    at_s = np.concatenate([np.arange(-3 * 86400.0, 0.0, 900.0), np.arange(60.0, 7200.0, 60.0)])
    wave = np.where(at_s > 0, 0.3 * np.sin(2 * np.pi * at_s / 1200.0), 0.0)
    assert not ready_levels(at_s, wave, 0.0)[1].any()
    stuck = np.where(at_s > 1800, 0.8, wave)
    assert np.flatnonzero(ready_levels(at_s, stuck, 0.0)[1] & MASKS["flat_line"]).tolist() == [
        *range(int(np.argmax(at_s > 1800)), at_s.size)
    ]


@pytest.mark.parametrize("gauge", ["46404", "46411"])
@pytest.mark.parametrize("fault", BAD_SAMPLES)
def test_bad_samples_are_left_out_by_name(simulation, model, nowcast, clean, fault, gauge):
    assert clean.samples_left_out == {}
    bad = changed(simulation, gauge, BAD_SAMPLES[fault])
    found = sc.invert(bad, model, window_min=45)
    assert list(found.samples_left_out) == [gauge]
    assert "left out (spike)" in found.samples_left_out[gauge]
    assert found.put_aside == {}
    npt.assert_allclose(found.magnitude, clean.magnitude, atol=0.03)
    # live too, and in a replay
    result = nowcast.update(bad.windowed(dict.fromkeys(bad.gauges, (-np.inf, 45.0))))
    assert [flag for flag in result.flags if "spike" in flag] == [f"{gauge}: {found.samples_left_out[gauge]}"]
    npt.assert_allclose(result.slip.magnitude, found.magnitude, atol=0.02)
    as_they_are = sc.invert(bad, model, window_min=45, put_aside=False)
    assert as_they_are.samples_left_out == {}


def test_an_event_far_from_the_sources_is_refused_by_every_way(simulation, model, nowcast, clean):
    far = sc.Records(simulation.dataset.assign_attrs(epicentre=[160.0, 52.5]))
    line = "epicentre must be within 500 km of the unit sources of region cascadia, got 160 52.5, 4764 km away"
    for way in (
        lambda: sc.invert(far, model, window_min=45),
        lambda: sc.invert(far, model, window_min=45, put_aside=False),
        lambda: sc.replay(far, model, minutes=[45]),
        lambda: nowcast.update(far),
        lambda: nowcast.check_epicentre(160.0, 52.5),
    ):
        with pytest.raises(InputError, match=line):
            way()
    near = sc.Records(simulation.dataset.assign_attrs(epicentre=[-129.0, 45.0]))
    assert sc.invert(near, model, window_min=45).magnitude == clean.magnitude


@pytest.mark.parametrize(
    ("jump_m", "note"),
    [
        (2.0, r"step of \+\d\.\d\d m at minute 61, taken out"),
        (
            30.0,
            r"60 samples left out \(level\), level changes by \+29\.\d\d m at minute 61: another buoy, flagged level",
        ),
    ],
)
def test_a_step_is_taken_out_and_levels_of_another_buoy_are_left_out(simulation, model, jump_m, note):
    jumps = changed(simulation, "46411", lambda level: level + jump_m * (MINUTES > 60))
    found = sc.invert(jumps, model, window_min=120).samples_left_out
    assert list(found) == ["46411"]
    assert re.fullmatch(note, found["46411"]), found


@pytest.mark.parametrize("window_min", [20, 45, 90])
@pytest.mark.parametrize("method", ["unit sources", "model"])
def test_no_honest_gauge_is_put_aside(small_bank, small_set, model, method, window_min):
    # ruptures that neither unit sources nor the model have made: uneven, kinematic, on another grid
    inverter = sc.LeastSquares(small_bank, window_min, gauges=DARTS[:3])
    moments = (
        model.restricted(gauges=DARTS[:3], window_min=window_min) if method == "model" else inverter
    ).record_moments()
    consistency = Consistency(moments, inverter.times_s)
    records = small_set.load_records(DARTS[:3], window_min, noise_sd_m=0.0015).to_numpy()
    assert np.abs(records).max() > 0.05
    farthest = [consistency.contradictions(record).max() for record in records[:20]]
    assert max(farthest) < consistency.limit


def test_all_gauges_are_used_when_that_is_asked_for(simulation, model):
    bad = changed(simulation, "46404", FAULTS["another unit"])
    found = sc.invert(bad, model, window_min=45, put_aside=False)
    assert found.put_aside == {}
    assert "46404" in found.dataset.attrs["gauges"].split()


def test_shaking_before_a_wave_can_be_there_is_no_fault(small_bank):
    inverter = sc.LeastSquares(small_bank, 90, gauges=DARTS[:3], slip_sd_m=5.0, noise_sd_m=0.01)
    level = inverter.solver.response.to_numpy() @ np.full(len(small_bank.sources), 3.0)
    times = inverter.times_s
    level[2] += np.where((times > 300) & (times < 1500), 0.6 * np.sin(np.pi * (times - 300) / 1200) ** 2, 0.0)
    places = [small_bank.region.gauge(name) for name in DARTS[:3]]
    lon, lat = [place.lon for place in places], [place.lat for place in places]
    shaken = sc.Records.from_arrays(times, level, gauges=DARTS[:3], lon_deg=lon, lat_deg=lat)
    assert list(invert_records(shaken, inverter).put_aside) == ["46419"]
    far = {"epicentre": [240.5, 47.0], "magnitude": 7.0}  # 46419 cannot have a wave for 40 min
    told = sc.Records(shaken.dataset.assign_attrs(far))
    assert invert_records(told, inverter).put_aside == {}
    silent = told.windowed({"46419": (-np.inf, 25.0)})
    assert list(invert_records(silent, inverter).put_aside) == ["46419"]


def test_without_a_good_gauge_there_is_no_answer(simulation, model):
    bad = changed(simulation, "46404", FAULTS["another unit"])
    with pytest.raises(NoGaugeLeft, match=r"records need a gauge that slip explains, got none; .* 46404 by"):
        sc.invert(bad, model, window_min=45, gauges=["46404"])


def test_least_squares_puts_aside_too(small_bank):
    slip = np.zeros(len(small_bank.sources))
    slip[2:5] = 8.0
    inverter = sc.LeastSquares(small_bank, 90, gauges=DARTS[:3], slip_sd_m=5.0, noise_sd_m=0.01)
    level = inverter.solver.response.to_numpy() @ slip
    times = inverter.times_s
    made = sc.Records.from_arrays(times, level, gauges=DARTS[:3], lon_deg=[0] * 3, lat_deg=[0] * 3)
    assert invert_records(made, inverter).put_aside == {}
    level[1] = np.where(times > 1200, level[1] - 9.4 * np.sin((times - 1200) / 900), level[1])
    bad = sc.Records.from_arrays(times, level, gauges=DARTS[:3], lon_deg=[0] * 3, lat_deg=[0] * 3)
    found = invert_records(bad, inverter)
    assert list(found.put_aside) == ["46407"]
    npt.assert_allclose(found.magnitude, invert_records(made, inverter, gauges=["46404", "46419"]).magnitude)


def gaussian_process(rng, n_gauges=4, n_times=60):
    """Make moments of records of four patterns of waves, and what draws of them."""
    times = 60.0 * np.arange(1, n_times + 1)
    periods = np.array([600.0, 900.0, 1400.0, 2000.0])
    waves = np.concatenate(
        [
            np.stack([np.sin(2 * np.pi * (times - 120 * gauge) / period + gauge) for period in periods])
            for gauge in range(n_gauges)
        ],
        axis=1,
    )
    return times, waves.T @ waves, lambda: (rng.normal(size=4) @ waves).reshape(n_gauges, n_times)


def test_records_that_agree_are_all_kept():
    rng = np.random.default_rng(3)
    times, moments, draw = gaussian_process(rng)
    consistency = Consistency(moments, times)
    farthest = []
    for _ in range(20):
        level = draw() * rng.lognormal() + rng.normal(0, 0.004, (4, 60))
        assert consistency.put_aside(level) == {}
        farthest.append(consistency.contradictions(level).max())
    assert max(farthest) < 4


@pytest.mark.parametrize(
    "change",
    [lambda level: 3 * level, lambda level: -level, lambda level: np.roll(level, 6), lambda level: 0.0 * level],
    ids=["too large", "upside down", "late", "dead"],
)
def test_a_record_of_another_shape_or_size_is_found(change):
    rng = np.random.default_rng(4)
    times, moments, draw = gaussian_process(rng)
    consistency = Consistency(moments, times)
    for _ in range(5):
        level = draw() + rng.normal(0, 0.004, (4, 60))
        level[2] = change(level[2])
        assert list(consistency.put_aside(level)) == [2]


def in_the_words_of_the_notes(moments, times, level, *, noise_sd_m=0.004, model_error=0.15):
    """Compute contradictions gauge by gauge and size by size, all samples known, without a common factorisation."""
    n_gauges, n_bins = len(level), len(times) // 3
    scatter = 1.4826 * np.median(np.abs(np.diff(level, 2)), axis=1) / np.sqrt(6)
    level, at_s = level.reshape(n_gauges, n_bins, 3).mean(axis=2), times.reshape(n_bins, 3).mean(axis=1)
    moments = moments.reshape(n_gauges, n_bins, 3, n_gauges, n_bins, 3).mean(axis=(2, 5))
    sizes_m = np.geomspace(0.005, 60.0, 20)

    def base(gauge):
        drift = 0.009 * at_s / 3600
        return np.maximum(scatter[gauge], noise_sd_m) ** 2 / 3 * np.eye(n_bins) + np.outer(drift, drift)

    def of_model(largest):
        near = model_error * np.array([largest[at_s <= until + 600.0].max() for until in at_s])
        return np.outer(near, near) * np.exp(-np.abs(at_s[:, np.newaxis] - at_s) / 600.0)

    def covariance(gauges, size_m, extra):
        waves = size_m**2 * moments[gauges][:, :, gauges].reshape(len(gauges) * n_bins, -1)
        return waves + block_diag(*[base(gauge) + extra(gauge) for gauge in gauges])

    def likely(gauges):
        of_size = [
            multivariate_normal.logpdf(level[gauges].ravel(), cov=covariance(gauges, size_m, lambda _: 0.0))
            for size_m in sizes_m
        ]
        return np.flatnonzero(of_size >= max(of_size) + np.log(1e-3))

    nearest = np.full(n_gauges, np.inf)
    for gauge in range(n_gauges):
        others = [other for other in range(n_gauges) if other != gauge]
        swing_m = np.sqrt(moments[others, :, others, :].diagonal(axis1=1, axis2=2))
        begun = (180.0 * (swing_m > 0.1 * swing_m.max(axis=1, keepdims=True)).sum(axis=1)) >= 1500.0
        last = len(sizes_m) - 1
        if begun.sum() > 1:
            largest_m = 2 * max(sizes_m[likely([other])[-1]] for other, known in zip(others, begun) if known)
            last = min(last, np.searchsorted(sizes_m, largest_m))
        for size_m in sizes_m[likely(others)[0] : last + 1]:
            known = covariance(others, size_m, lambda other: of_model(np.abs(level[other])))
            across = size_m**2 * moments[gauge][:, others].reshape(n_bins, -1)
            said = across @ np.linalg.solve(known, level[others].ravel())
            wave = size_m**2 * moments[gauge, :, gauge] - across @ np.linalg.solve(known, across.T)
            size = np.sqrt(said**2 + np.maximum(np.diag(wave), 0.0))
            unlike = np.linalg.solve(wave + base(gauge) + of_model(size), level[gauge] - said)
            shape = ((level[gauge] - said) @ unlike - n_bins) / np.sqrt(2 * n_bins)
            strength = said @ np.linalg.solve(wave + base(gauge) + of_model(size), said)
            nearest[gauge] = min(nearest[gauge], max(shape, abs(said @ unlike) / np.sqrt(strength)))
    return nearest


@pytest.mark.parametrize("n_times", [18, 60])  # before the others have had waves for 25 minutes, and after
@pytest.mark.parametrize("times_its_size", [1.0, 6.0, -1.0])
def test_contradictions_are_what_the_notes_say(n_times, times_its_size):
    rng = np.random.default_rng(7)
    times, moments, draw = gaussian_process(rng, n_gauges=3, n_times=n_times)
    moments = moments + 1e-4 * np.eye(len(moments))
    for size_m in (0.05, 0.5):
        level = size_m * draw() * [[1.0], [times_its_size], [1.0]] + rng.normal(0, 0.004, (3, n_times))
        found = Consistency(moments, times).contradictions(level)
        npt.assert_allclose(found, in_the_words_of_the_notes(moments, times, level), rtol=1e-6)


def test_missing_samples_and_gauges_play_no_part():
    rng = np.random.default_rng(5)
    times, moments, draw = gaussian_process(rng)
    level = draw()
    level[1] = np.nan
    level[0, ::3] = np.nan
    level[3, 30:] = np.nan
    consistency = Consistency(moments, times)
    assert consistency.contradictions(level).shape == (3,)
    assert consistency.put_aside(level) == {}
    level[3, 10:20] += 5.0
    assert list(consistency.put_aside(level)) == [3]


def test_of_two_that_contradict_the_first_magnitude_decides():
    rng = np.random.default_rng(6)
    times, moments, draw = gaussian_process(rng, n_gauges=2)
    level = 0.02 * draw() * [[1], [100]] + rng.normal(0, 0.002, (2, 60))
    consistency = Consistency(moments, times)
    assert consistency.contradictions(level).max() > 3
    assert consistency.put_aside(level) == {}
    assert list(consistency.put_aside(level, largest_m=0.05)) == [1]


def test_shapes_are_checked():
    with pytest.raises(InputError, match=r"moments must be square, of gauges times 3 samples, got shape \(4, 4\)"):
        Consistency(np.eye(4), np.arange(3.0))
    with pytest.raises(InputError, match=r"records must have shape \(2, 3\), got \(3, 3\)"):
        Consistency(np.eye(6), np.arange(3.0)).contradictions(np.zeros((3, 3)))


def test_a_first_magnitude_has_the_quantiles_of_its_density():
    first = FirstMagnitude(7.4)
    grid = np.linspace(4, 12, 80001)
    mass = np.cumsum(first.density(grid)) * (grid[1] - grid[0])
    npt.assert_allclose(first.area_below(8.0), np.interp(8.0, grid, mass), rtol=1e-3)
    for probability in (0.05, 0.3, 0.5, 0.9):
        value = float(first.quantiles(probability))
        npt.assert_allclose(np.interp(value, grid, mass / mass[-1]), probability, atol=1e-3)
        npt.assert_allclose(first.probability_below(value), probability, atol=1e-9)


@pytest.mark.parametrize("magnitude", [-0.1, 10.1, np.nan])
def test_a_first_magnitude_out_of_range_is_refused(magnitude):
    with pytest.raises(InputError, match="magnitude must be between 0 and 10, got"):
        FirstMagnitude(magnitude)


def drawn(magnitudes):
    """Make an estimate with draws of some magnitudes on one unit source."""
    one = sc.SlipEstimate.from_slip([1.0], ["acsza58"], method="x", window_min=5, region="cascadia").magnitude
    samples = 10 ** (1.5 * (np.asarray(magnitudes, dtype=float)[:, np.newaxis] - one))
    return sc.SlipEstimate.from_slip(
        samples.mean(axis=0), ["acsza58"], method="x", window_min=5, region="cascadia", samples_m=samples
    )


def median_of(slip):
    return float(slip.dataset["magnitude_quantile"].sel(quantile=0.5))


def test_draws_are_weighed_by_the_first_magnitude():
    rng = np.random.default_rng(0)
    wide = drawn(rng.uniform(7.5, 9.3, 4000))
    held, note = FirstMagnitude(8.2).hold_against(wide, 200, rng, wave_seen=True, supported=True)
    assert note == ""
    assert held.samples.sizes["sample"] == 200
    npt.assert_allclose(median_of(held), FirstMagnitude(8.2).quantiles(0.5), atol=0.15)


@pytest.mark.parametrize(
    ("magnitudes", "supported", "median", "note"),
    [
        ((8.6, 8.8), False, 7.0, "limited by the first magnitude, Mw 7: no two gauges show that it is larger"),
        ((8.6, 8.8), True, 8.7, "larger than the first magnitude, Mw 7, suggests"),
        ((5.0, 5.4), False, 5.2, "smaller than the first magnitude, Mw 7, suggests"),
    ],
)
def test_draws_out_of_reach(magnitudes, supported, median, note):
    rng = np.random.default_rng(1)
    held, said = FirstMagnitude(7.0).hold_against(
        drawn(rng.uniform(*magnitudes, 1000)), 200, rng, wave_seen=supported, supported=supported
    )
    assert said == note
    npt.assert_allclose(median_of(held), median, atol=0.1)


def test_slip_without_draws_is_limited():
    large = sc.SlipEstimate.from_slip([10.0], ["acsza58"], method="x", window_min=5, region="cascadia")
    options = {"count": 10, "rng": np.random.default_rng(0), "wave_seen": True}
    held, note = FirstMagnitude(7.0).hold_against(large, supported=False, **options)
    npt.assert_allclose(held.magnitude, 7.25, atol=1e-6)
    assert "limited" in note
    kept, note = FirstMagnitude(7.0).hold_against(large, supported=True, **options)
    assert (kept.magnitude, note) == (large.magnitude, "larger than the first magnitude, Mw 7, suggests")
    same, note = FirstMagnitude(8.2).hold_against(large, supported=False, **options)
    assert (same.magnitude, note) == (large.magnitude, "")


def quiet(level_m=0.0, minutes=24, seed=1):
    """Make records of a sea without a tsunami after an earthquake off Oregon."""
    region = sc.Region.open("cascadia")
    places = [region.gauge(name) for name in DARTS]
    level = np.random.default_rng(seed).normal(0, 0.002, (4, minutes)) + level_m
    made = sc.Records.from_arrays(
        60.0 * np.arange(1, minutes + 1),
        level,
        gauges=DARTS,
        lon_deg=[place.lon for place in places],
        lat_deg=[place.lat for place in places],
        origin_time="2026-01-26T21:00:00Z",
    )
    return sc.Records(made.dataset.assign_attrs(epicentre=[235.6, 43.7]))


@pytest.mark.parametrize("minutes", [5, 24, 60])
def test_a_quiet_sea_after_a_moderate_earthquake_makes_no_tsunami(nowcast, minutes):
    found = nowcast.update(quiet(minutes=minutes), magnitude=7.0)
    assert float(found.forecast.max_amplitude.max()) < 0.3
    assert "no wave detected yet" in found.flags
    assert set(found.explained) == set(DARTS)
    assert np.isnan([*found.explained.values()]).all()


def test_where_all_sensors_fail_the_first_magnitude_is_left(nowcast):
    bad = quiet(np.where(np.arange(24) // 4 % 2 == 0, 1.5, -0.8)[np.newaxis])
    found = nowcast.update(bad, magnitude=7.0)
    assert set(found.put_aside) == set(DARTS)
    assert float(found.forecast.max_amplitude.max()) < 0.3
    assert sum("not used, its record contradicts" in flag for flag in found.flags) == 4


def test_a_wave_that_two_gauges_show_outweighs_the_first_magnitude(nowcast, simulation):
    seen = simulation.windowed(dict.fromkeys(DARTS, (-np.inf, 45.0)))
    found = nowcast.update(seen, magnitude=7.0)
    npt.assert_allclose(found.slip.magnitude, 8.9, atol=0.1)
    assert "larger than the first magnitude, Mw 7, suggests" in found.flags
    assert found.explained["46404"] > 0.9


def test_forecasts_beyond_what_the_model_makes_are_said_to_be(nowcast, simulation):
    seen = simulation.windowed(dict.fromkeys(DARTS, (-np.inf, 45.0)))
    assert nowcast.update(seen).beyond_m == {}
    level = 10 * seen.sea_level.to_numpy()
    found = nowcast.update(sc.Records(seen.dataset.assign(sea_level=seen.sea_level.copy(data=level))))
    heights = dict(zip(found.forecast.gauges, found.forecast.max_amplitude.to_numpy().tolist(), strict=True))
    assert 15 < nowcast.highest_m["newport"] < 30
    assert found.beyond_m == {name: most for name, most in nowcast.highest_m.items() if heights[name] > most} != {}
    told = f"forecast beyond what any earthquake of the model makes at {len(found.beyond_m)} of 21 gauges"
    assert any(flag.startswith(told) for flag in found.flags)
    assert Nowcast(sc.open_inverter("cascadia"), hold_first=False).highest_m == nowcast.highest_m


def test_a_level_that_stays_off_without_a_wave_is_said(nowcast):
    drift = np.zeros((4, 1)) + 0.06 * np.arange(60) / 60 * np.array([[1], [0], [0], [0]])
    flags = nowcast.update(quiet(drift, minutes=60), magnitude=7.0).flags
    assert "no wave detected yet" in flags
    assert [flag for flag in flags if "stays off, and no wave detected there" in flag] == [flags[0]]
    assert flags[0].startswith("46404: stays off, and no wave detected there (+5.")
    assert not any("and no wave detected" in flag for flag in nowcast.update(quiet(minutes=60), magnitude=7.0).flags)


def test_an_offset_before_any_wave_is_taken_out():
    minutes = 60.0 * np.arange(1, 61)
    rng = np.random.default_rng(2)
    noise, wave = rng.normal(0, 0.002, 60), 0.5 * np.exp(-(((minutes - 2400) / 300) ** 2))
    level, note = without_offset(minutes, 0.025 + noise + wave, 1200.0)
    npt.assert_allclose(level, noise + wave, atol=0.003)
    assert "cm off before a wave can be there" in note
    level, note = without_offset(minutes, noise + wave, 1200.0)
    npt.assert_array_equal(level, noise + wave)
    assert note == ""
    level, note = without_offset(minutes, 0.1 + noise, 120.0)
    npt.assert_array_equal(level, 0.1 + noise)
