"""Detection: waves of known height and time are found soon after their crest; nothing else is."""

from itertools import product

import numpy as np
import numpy.testing as npt
import pytest
from benchmarks.sensor_faults import KINDS, apply

from event_fixtures import tohoku_samples
from slipcast.errors import InputError
from slipcast.records import Detector, detect
from slipcast.records.wave_shape import _rough, _steps, fine_shape, outside_bursts
from tide_fixtures import tide_m

DAY_S = 86400.0


def minutes(days: float = 0.6, *, before_days: float = 2.0, seed: int = 0):
    """Return a quiet record: every 15 min for some days, then every minute; heights in whole millimetres."""
    time_s = np.concatenate([np.arange(-before_days * DAY_S, 0.0, 900.0), np.arange(0.0, days * DAY_S, 60.0)])
    return time_s, 4000.0 + noise(time_s, seed)


def quarters(days: float = 6.0, *, seed: int = 0):
    """Return a quiet record of samples every 15 min."""
    time_s = np.arange(-4 * DAY_S, (days - 4) * DAY_S, 900.0)
    return time_s, 4000.0 + noise(time_s, seed)


def noise(time_s, seed: int):
    """Return tide, a drift of 2 cm over a day, background waves of 1.2 mm and 25 min, and white noise of 0.5 mm."""
    rng = np.random.default_rng(seed)
    waves, last = np.zeros(time_s.size), 0.0
    for i, step in enumerate(np.diff(time_s, prepend=time_s[0] - 900.0)):
        kept = np.exp(-step / 1500.0)
        waves[i] = last = kept * last + 0.0012 * np.sqrt(1 - kept**2) * rng.standard_normal()
    drift = 0.02 * np.sin(2 * np.pi * time_s / DAY_S / 1.7 + rng.uniform(0, 6))
    return np.round(tide_m(time_s) + drift + waves + 0.0005 * rng.standard_normal(time_s.size), 3)


def wave(time_s, crest_s: float, height_m: float, period_s: float):
    """Return a wave train: it begins smoothly half a period before its first crest, and decays over three periods."""
    phase = (time_s - crest_s) / period_s
    rise = np.where(np.abs(phase) < 0.5, 0.5 * (1 + np.cos(2 * np.pi * phase)), 0.0)
    tail = np.where(phase >= 0, np.cos(2 * np.pi * phase) * np.exp(-phase / 3.0), 0.0)
    return height_m * np.where(phase < 0, rise, tail)


def shaking(time_s, begins_s: float, amplitude_m: float, *, mean_s: float, seed: int = 0):
    """Return seismic waves of 15 to 200 s that decay over 15 min, each sample a mean over some time."""
    rng = np.random.default_rng(seed)
    after = np.clip(time_s - begins_s, 0.0, None)
    total = sum(
        np.sinc(mean_s / period) * np.sin(2 * np.pi * after / period + rng.uniform(0, 6))
        for period in rng.uniform(15, 200, 12)
    )
    return np.where(after > 0, amplitude_m / 2.5 * total * np.exp(-after / 900.0), 0.0)


@pytest.mark.parametrize(
    ("height_m", "period_min"),
    # of 2 cm in 50 min the tide takes too much
    [*product([0.05, 0.5, 1.8, -0.03, -0.4], [8, 15, 30, 50]), *product([0.02], [8, 15, 30])],
)
def test_a_wave_in_samples_of_a_minute(height_m, period_min):
    time_s, height = minutes(seed=period_min)
    crest_s = 10 * 3600.0
    found = detect(time_s, height + wave(time_s, crest_s, height_m, 60.0 * period_min))
    assert len(found) == 1
    npt.assert_allclose(found[0].crest_s, crest_s, atol=max(120.0, 5.0 * period_min))
    npt.assert_allclose(found[0].height_m, height_m, atol=max(0.008, 0.15 * abs(height_m)))
    npt.assert_allclose(found[0].onset_s, crest_s - 0.4 * 60 * period_min, atol=0.25 * 60 * period_min)
    assert 0.5 < found[0].period_s / (60 * period_min) < 2.5
    assert found[0].detected_s - crest_s <= 300.0
    assert found[0].probability >= 0.5


@pytest.mark.parametrize("height_m", [0.05, 0.5, -0.2])
@pytest.mark.parametrize("period_min", [30, 45, 60])
def test_a_wave_in_samples_of_15_minutes(height_m, period_min):
    time_s, height = quarters(seed=period_min)
    found = detect(time_s, height + wave(time_s, 7000.0, height_m, 60.0 * period_min))
    assert len(found) == 1
    assert abs(found[0].crest_s - 7000.0) < 60 * period_min
    assert found[0].detected_s - 7000.0 <= 90 * 60.0


@pytest.mark.parametrize("seed", range(2))
def test_quiet_records(seed):
    assert detect(*minutes(1.0, seed=seed)) == []
    assert detect(*quarters(20.0, seed=seed)) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("record", [minutes, quarters])
def test_a_failing_sensor_is_no_tsunami(kind, record):
    for seed in range(2):
        time_s, height = record(seed=seed)
        other = record(seed=seed + 10)[1] - 700.0
        since_s = 6 * 3600.0 + 600.0 * seed
        sent_s, sent = apply(kind, time_s, height, np.random.default_rng(seed), other_m=other, since_s=since_s)
        assert detect(sent_s, sent) == []


@pytest.mark.parametrize("every_s", [15.0, 60.0])
@pytest.mark.parametrize("seed", range(4))
def test_shaking_is_no_tsunami(every_s, seed):
    time_s, height = minutes(0.5, seed=seed)
    if every_s == 15.0:  # as a buoy sends them for some minutes once it is triggered
        fine = np.setdiff1d(np.arange(3600.0, 3600.0 + 300.0, 15.0), time_s)
        order = np.argsort(np.concatenate([time_s, fine]))
        height = np.concatenate([height, np.interp(fine, time_s, height)])[order]
        time_s = np.concatenate([time_s, fine])[order]
    assert detect(time_s, height + shaking(time_s, 3600.0, 0.3, mean_s=every_s, seed=seed)) == []


@pytest.mark.parametrize(
    ("station", "crest_min", "height_m"),
    [("21401", 66.6, 0.68), ("21413", 80.6, 0.77), ("21418", 32.6, 1.86), ("21419", 89.6, 0.55)],
)
def test_tohoku_is_found_after_its_shaking(station, crest_min, height_m):
    # two of them recorded the 2 cm that the foreshock of Mw 7.3 made, two days before
    found = [one for one in detect(*tohoku_samples(station)[:2]) if one.detected_s > 0]
    assert len(found) == 1
    npt.assert_allclose(found[0].crest_s / 60, crest_min, atol=2.0)
    npt.assert_allclose(found[0].height_m, height_m, rtol=0.1)
    assert found[0].detected_s - found[0].crest_s <= 300.0


def test_a_stream_gives_what_the_whole_record_gives():
    time_s, height, _ = tohoku_samples("21418")
    detector = Detector()
    found = [detector.feed(*sample) for sample in zip(time_s, height)]
    assert [one for one in found if one is not None] == detect(time_s, height)


def test_it_never_looks_ahead():
    time_s, height = minutes(0.5)
    height = height + wave(time_s, 18000.0, 0.1, 1200.0)
    whole = detect(time_s, height)
    assert len(whole) == 1
    for end_s in (whole[0].detected_s - 60.0, whole[0].detected_s):
        until = time_s <= end_s
        expected = [one for one in whole if one.detected_s <= end_s]
        assert detect(time_s[until], height[until]) == expected


def test_rows_that_came_again_under_a_later_second_change_nothing():
    time_s, height = minutes(0.5)
    height = height + wave(time_s, 18000.0, 0.1, 1200.0)
    again = (time_s >= 16000.0) & (time_s < 20000.0)
    order = np.argsort(np.concatenate([time_s, time_s[again] + 30.0]), kind="stable")
    shadowed = [
        np.concatenate([values, values[again] + added])[order] for values, added in ((time_s, 30.0), (height, 0.0))
    ]
    assert detect(*shadowed) == detect(time_s, height)


def test_bursts_of_bad_samples_hide_no_wave():
    time_s, height = minutes(0.5)
    height = height + wave(time_s, 18000.0, 0.15, 1800.0)
    bad = np.flatnonzero((time_s > 10000) & (time_s < 17700))
    height[bad[np.isin(np.arange(bad.size) % 16, (0, 3, 5))]] -= 9.4
    found = detect(time_s, height)
    assert len(found) == 1
    npt.assert_allclose(found[0].crest_s, 18000.0, atol=120.0)
    npt.assert_allclose(found[0].height_m, 0.15, atol=0.01)


@pytest.mark.parametrize(("count", "found"), [(1, 1), (2, 2), (6, 6), (12, 12), (13, 0)])
@pytest.mark.parametrize("size_m", [0.05, -3.0])
def test_a_burst_of_twelve_samples_at_most_is_told_from_a_level(count, found, size_m):
    level = np.random.default_rng(0).normal(0.0, 0.0005, 60)
    level[30 : 30 + count] += size_m
    npt.assert_array_equal(np.flatnonzero(~outside_bursts(level)), 30 + np.arange(found))


def test_a_wave_is_no_burst():
    level = wave(60.0 * np.arange(120), 3600.0, 0.3, 600.0) + np.random.default_rng(0).normal(0.0, 0.0005, 120)
    assert outside_bursts(level).all()


def test_levels_without_tide():
    time_s, height = minutes(0.5)
    level = height - 4000.0 - tide_m(time_s) + wave(time_s, 18000.0, 0.03, 1200.0)
    found = detect(time_s, level, detided=True)
    assert len(found) == 1
    npt.assert_allclose(found[0].crest_s, 18000.0, atol=120.0)


def test_after_a_day_of_calm_another_tsunami_is_found():
    time_s, height = minutes(3.0)
    two = wave(time_s, 18000.0, 0.1, 1200.0) + wave(time_s, 2 * DAY_S, 0.05, 1200.0)
    npt.assert_allclose([one.crest_s for one in detect(time_s, height + two)], [18000, 2 * DAY_S], atol=120)


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ((0.0, 4000.0), "time_s must be finite and rise, got 0.0 after 0.0 s"),
        ((np.nan, 4000.0), "time_s must be finite and rise, got nan after 0.0 s"),
        ((60.0, np.inf), "height_m must be finite or NaN, got inf"),
    ],
)
def test_samples_that_cannot_be(sample, message):
    detector = Detector()
    assert detector.feed(0.0, 4000.0) is None
    with pytest.raises(InputError, match=f"^{message}$"):
        detector.feed(*sample)


def test_detided_is_a_truth_value():
    with pytest.raises(InputError, match=r"^detided must be True or False, got 'yes' \(str\)$"):
        Detector(detided="yes")


def test_arrays_that_do_not_fit():
    with pytest.raises(InputError, match="height_m must have shape"):
        detect([0.0, 60.0], [1.0])


# --- the ways of failing


def test_what_the_ways_of_failing_do():
    time_s, height = quarters()
    rng = np.random.default_rng(1)
    for kind in KINDS:
        kept = height.copy()
        sent_s, sent = apply(kind, time_s, height, rng, other_m=height - 700.0, since_s=0.0)
        npt.assert_array_equal(height, kept)
        assert (np.diff(sent_s) > 0).all()
        before = sent_s < -600.0
        npt.assert_array_equal(sent[before], height[: before.sum()])
        assert not (np.array_equal(sent, height) and np.array_equal(sent_s, time_s))


def test_ways_of_failing_that_cannot_be():
    time_s, height = quarters()
    with pytest.raises(InputError, match=r"^kind must be one of stuck, .*, got 'rust'$"):
        apply("rust", time_s, height, np.random.default_rng(0))
    with pytest.raises(InputError, match=r"^other_m must be given for swap, got None$"):
        apply("swap", time_s, height, np.random.default_rng(0))


def test_the_period_of_a_wave_is_from_its_half_height_to_its_crest():
    time_s = 60.0 * np.arange(75)
    none = np.zeros(time_s.size)
    for period_s in (1200.0, 1320.0, 1500.0):
        phase = (time_s - 3600.0) / period_s
        level = np.where(np.abs(phase) < 0.5, 0.05 * (1 + np.cos(2 * np.pi * phase)), 0.0)
        found = fine_shape(time_s, level, none + 0.001, 4000.0 + level, none, 1)
        # a quarter of the period from the one to the other; of a sine a sixth of its own
        npt.assert_allclose(found.period_s, 1.5 * period_s, rtol=0.03)


def test_a_step_alone_is_more_than_twice_as_fast_as_those_beside_it():
    time_s = 60.0 * np.arange(5)
    largest, alone, first = _steps(time_s, np.array([0.0, 0.01, 0.05, 0.06, 0.06]))
    npt.assert_allclose((largest, alone, first), (0.04, 0.02, 1))


def test_roughness_without_a_step_has_all_that_the_step_does_not_touch():
    time_s, level = 60.0 * np.arange(13), np.zeros(13)
    level[8:] = 1.0  # a step from the eighth sample to the ninth
    level[12] += 0.02
    # a fourth difference of 2 cm, in units of the scatter of one sample
    npt.assert_allclose(_rough(time_s, level, 0.0, outside=7), 0.02 / np.sqrt(70.0))
