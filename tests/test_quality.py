"""Quality control of raw records: what cannot be the sea is flagged, tides and tsunamis never."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.testing as npt
import pytest

from event_fixtures import EVENT_ORIGINS, TOHOKU_STATIONS, raw_samples, tohoku_samples
from slipcast.errors import InputError
from slipcast.records.continuity import _Track
from slipcast.records.quality import (
    MASKS,
    QualitySettings,
    check_quality,
    checked_series,
    examine,
    flag_summary,
    sampling_runs,
)
from slipcast.records.tides import rough_tide


def tide(time_s):
    """Tide of two constituents, 1 m and 0.3 m, M2 and K1, on 5,000 m of water."""
    return 5000.0 + np.sin(2 * np.pi * time_s / 44714.0) + 0.3 * np.cos(2 * np.pi * time_s / 86164.0)


def series(interval_s, hours=48.0, *, noise_m=0.001):
    """Times, heights with tide and noise, to the millimetre, and intervals."""
    time = np.arange(0.0, hours * 3600.0, interval_s)
    height = tide(time) + noise_m * np.random.default_rng(1).standard_normal(time.size)
    return time, height.round(3), np.full(time.size, interval_s)


@pytest.mark.parametrize("interval_s", [15, 60, 900])
def test_tide_is_good(interval_s):
    npt.assert_array_equal(check_quality(*series(interval_s)), 0)


@pytest.mark.parametrize("interval_s", [15, 60])
@pytest.mark.parametrize("period_s", [300.0, 1200.0])
def test_a_tsunami_of_two_metres_is_good(interval_s, period_s):
    time, height, interval = series(interval_s)
    since = time - 36000.0
    height += np.where(since > 0, 2.0 * np.exp(-since / 7200.0) * np.sin(2 * np.pi * since / period_s), 0.0)
    npt.assert_array_equal(check_quality(time, height, interval), 0)


@pytest.mark.parametrize(
    ("interval_s", "size_m"), [(15, 0.03), (60, 0.2), (60, -0.2), (60, 0.03), (900, 0.5), (900, -0.5)]
)
def test_one_spike_is_flagged_and_nothing_else(interval_s, size_m):
    time, height, interval = series(interval_s)
    height[[40, 100]] += size_m
    flags = check_quality(time, height, interval)
    npt.assert_array_equal(np.flatnonzero(flags), [40, 100])
    npt.assert_array_equal(flags[[40, 100]], MASKS["spike"])


@pytest.mark.parametrize(
    ("heights", "bad"),
    [
        ([1.463, 1.463, 0.729, 1.428, 0.488, 1.463, 1.467], [2, 3, 4]),  # the middle one is 35 mm off
        ([1.512, 1.513, 0.746, 1.517, 0.648, 0.300, 1.525, 1.528], [2, 4, 5]),
        ([1.537, 1.535, 0.593, 0.000, 1.536, 1.534], [2, 3]),
    ],
)
def test_spikes_side_by_side(heights, bad):
    # as station 21418 sent them, 74 h after the origin of Tohoku 2011
    time, height, interval = series(60, 1.0)
    height += heights[0] + 5000.0 - height[20]
    height[20 : 20 + len(heights)] = np.add(5000.0, heights)
    npt.assert_array_equal(np.flatnonzero(check_quality(time, height, interval)) - 20, bad)


def test_spikes_beside_a_gap_and_a_missing_sample():
    time, height, interval = series(60)
    height[[99, 101]] = np.nan
    height[100] -= 0.5
    height[[300, 302]] += 0.5
    flags = check_quality(time, height, interval)
    npt.assert_array_equal(np.flatnonzero(flags), [100, 300, 302])


def test_runs_of_other_intervals_are_not_mixed():
    # tide at 15 min, then a triggered buoy at 15 s and 1 min: the steps of the tide are no spikes of its minute
    time = np.concatenate([np.arange(0, 36000, 900), np.arange(36000, 36240, 15), np.arange(36240, 50000, 60)])
    interval = np.repeat([900, 15, 60], [40, 16, 230]).astype(np.int16)
    npt.assert_array_equal(check_quality(time, tide(time), interval), 0)


def test_gross_range_is_about_the_tide_and_absolute():
    time, height, interval = series(900)
    height[[10, 20]] = [0.0, 99_999.0]
    # no tsunami in the deep ocean is 3 m high, for an hour or for a sample, and no tide either
    height[40:44] += 3.2
    height[100] -= 20.0
    flags = check_quality(time, height, interval)
    npt.assert_array_equal(np.flatnonzero(flags), [10, 20, 40, 41, 42, 43, 100])
    npt.assert_array_equal(flags[[10, 20]], MASKS["gross_range"])
    npt.assert_array_equal(check_quality(time, height - 3.0 * np.sin(time / 7000.0), interval)[[10, 20]], [1, 1])
    npt.assert_array_equal(check_quality(time, height - height, interval), MASKS["gross_range"])


def test_rate_of_change():
    time, height, interval = series(15, 1.0)
    height[120:] += 1.0
    settings = QualitySettings(spike_m=2.0)
    flags = check_quality(time, height, interval, settings)
    assert flag_summary(flags, time) == [
        {"test": "rate_of_change", "number": 1, "first_s": 1800.0, "last_s": 1800.0},
    ]
    npt.assert_array_equal(check_quality(time, height, interval, QualitySettings(spike_m=2.0, rate_m_per_s=0.08)), 0)


@pytest.mark.parametrize(("interval_s", "stuck"), [(60, slice(300, 500)), (900, slice(50, 60))])
def test_all_of_a_flat_line_is_flagged(interval_s, stuck):
    time, height, interval = series(interval_s)
    height[stuck] = height[stuck.start]
    flags = check_quality(time, height, interval)
    npt.assert_array_equal(np.flatnonzero(flags), np.arange(stuck.start, stuck.stop))
    npt.assert_array_equal(flags[stuck], MASKS["flat_line"])


def test_an_hour_without_change_is_not_yet_flat_where_its_tide_stands():
    time, height, interval = series(60, noise_m=0.0002)
    slack = int(np.argmin(np.abs(np.gradient(tide(time))[100:900]))) + 100
    height[slack - 5 : slack + 6] = height[slack]
    npt.assert_array_equal(check_quality(time, height, interval), 0)
    small = (height - 0.99 * (tide(time) - 5000.0)).round(3)
    small[slack - 5 : slack + 6] += 0.001 * (-1.0) ** np.arange(11)
    small[300:360] = small[300]
    npt.assert_array_equal(check_quality(time, small, interval), 0)


@pytest.mark.parametrize("offset_m", [0.0, 0.8])
def test_half_an_hour_without_change_is_flat_where_its_tide_moves(offset_m):
    time, height, interval = series(60)
    height[300:330] = height[300] + offset_m
    flags = check_quality(time, height, interval)
    npt.assert_array_equal(np.flatnonzero(flags), np.arange(300, 330))
    npt.assert_array_equal(flags[300:330], MASKS["flat_line"])


@pytest.mark.parametrize(("count", "stuck"), [(15, False), (16, True)])
def test_noise_that_stops_is_a_stuck_sensor(count, stuck):
    time, height, interval = series(60)
    small = height - 0.99 * (tide(time) - 5000.0)
    small[299], small[300 + count] = small[300] - 0.002, small[300] + 0.002
    small[300 : 300 + count] = small[300]
    flagged = np.flatnonzero(check_quality(time, small, interval))
    npt.assert_array_equal(flagged, np.arange(300, 300 + count) if stuck else [])
    later = QualitySettings(flat_line_count=20)
    npt.assert_array_equal(check_quality(time, small, interval, settings=later), 0)


@pytest.mark.parametrize("interval_s", [15, 60])
@pytest.mark.parametrize(("count", "lag"), [(25, 40), (60, 60), (30, 120)])
def test_a_packet_that_comes_again_is_flagged(interval_s, count, lag):
    time, height, interval = series(interval_s, 12.0)
    height[250 + lag : 250 + lag + count] = height[250 : 250 + count]
    flags = check_quality(time, height, interval)
    repeated = np.flatnonzero(flags & MASKS["repeated"])
    npt.assert_array_equal(np.intersect1d(repeated, np.arange(250 + lag, 250 + lag + count)).size, count)
    assert repeated.size <= count + 1


def test_another_buoy_under_the_name_of_one_is_flagged():
    time, height, interval = series(60)
    height[1500:] += 463.0
    flags = check_quality(time, height, interval)
    npt.assert_array_equal(flags[:1500], 0)
    npt.assert_array_equal(flags[1500:], MASKS["level"])
    far = QualitySettings(level_step_m=1000.0, highest_m=11_000.0)
    npt.assert_array_equal(check_quality(time, height, interval, settings=far), 0)


def test_an_origin_between_whole_seconds_changes_nothing():
    time, height, interval = series(60)
    height[100] += 0.4
    height[1000:] += 4.0
    npt.assert_array_equal(
        check_quality(time + 0.1, height, interval), check_quality(time, height, interval), strict=True
    )


def test_missing_samples_and_short_records_have_no_flag():
    time, height, interval = series(60, 1.0)
    flags = check_quality(time, np.full_like(height, np.nan), interval)
    assert flags.dtype == np.uint8
    npt.assert_array_equal(flags, 0)
    for n in range(4):
        npt.assert_array_equal(check_quality(time[:n], height[:n], interval[:n]), np.zeros(n))


def test_arguments_are_left_alone():
    time, height, interval = series(60, 1.0)
    height[[10, 20]] = [np.nan, 0.0]
    copies = time.copy(), height.copy(), interval.copy()
    check_quality(time, height, interval)
    for value, copy in zip((time, height, interval), copies):
        npt.assert_array_equal(value, copy)


SHAKEN_MIN = {"21401": 6.0, "21414": 16.0, "21415": 16.0, "21418": 5.0, "21419": 10.0, "21413": 8.0}


@pytest.mark.parametrize("station", TOHOKU_STATIONS)
def test_tohoku(station):
    time, height, interval = tohoku_samples(station)
    flags = check_quality(time, height, interval)
    flagged_min = time[flags > 0] / 60.0
    # the ground shakes in the first minutes, and did in the foreshock two days before
    assert not ((flagged_min > SHAKEN_MIN[station]) & (flagged_min < 100.0)).any()
    assert not ((flagged_min > -120.0) & (flagged_min < 0.0)).any()
    assert (flags > 0).sum() < 60
    if station == "21418":
        # the wave at 32 min is good; a faulty sensor dropped, mostly by 1 m
        npt.assert_allclose(flagged_min[flagged_min > 100.0][:6], [106.6, 122.6, 137.6, 170.6, 194.6, 200.6])
        assert np.nanmax(np.abs(height - np.median(height[np.isfinite(height)]))[flags == 0]) < 1.7
        assert np.nanmax(height[flags == 0]) == np.nanmax(height)


@pytest.mark.parametrize("station", TOHOKU_STATIONS)
def test_tohoku_thinned_to_quarter_hours_is_good(station):
    time, height, interval = tohoku_samples(station)
    # the sensor of 21418 was faulty later
    minutes = np.isfinite(height) & (interval > 15) & ((time < 6000.0) | (station != "21418"))
    time, height = time[minutes], height[minutes]
    for phase_s in range(0, 900, 60):
        kept = (time - time[0] - phase_s) % 900.0 == 0.0
        # cut off as in real time, with little of the wake known
        for until_s in (np.inf, *np.arange(5400.0, 27000.0, 5400.0)):
            told = kept & (time <= until_s)
            flags = check_quality(time[told], height[told], np.full(told.sum(), 900))
            assert not flags.any(), time[told][flags > 0] / 60.0


@pytest.mark.parametrize("station", TOHOKU_STATIONS)
@pytest.mark.parametrize("until_min", [34.0, 68.0, 83.0, 92.0, 195.0, 225.0])
def test_tohoku_as_it_came_in(station, until_min):
    time, height, interval = tohoku_samples(station)
    told = time <= 60.0 * until_min
    flags = check_quality(time[told], height[told], interval[told])
    flagged_min = time[told][flags > 0] / 60.0
    assert not ((flagged_min > SHAKEN_MIN[station]) & (flagged_min < 100.0)).any()
    assert not ((flagged_min > -120.0) & (flagged_min < 0.0)).any()


def test_runs():
    assert sampling_runs(np.empty(0), np.empty(0)) == []
    # a gap, and one sample missing: a step of two intervals is within a run unless told otherwise
    time = np.array([0.0, 60.0, 180.0, 240.0, 600.0])
    assert sampling_runs(time, np.full(5, 60)) == [slice(0, 4), slice(4, 5)]
    assert sampling_runs(time, np.full(5, 60), longest_step=1.0) == [slice(0, 2), slice(2, 4), slice(4, 5)]


def test_summary():
    flags = np.array([0, 1, 18, 16, 0], dtype=np.uint8)
    assert flag_summary(flags, [0.0, 15.0, 30.0, 45.0, 60.0]) == [
        {"test": "gross_range", "number": 1, "first_s": 15.0, "last_s": 15.0},
        {"test": "spike", "number": 1, "first_s": 30.0, "last_s": 30.0},
        {"test": "shaking", "number": 2, "first_s": 30.0, "last_s": 45.0},
    ]
    assert flag_summary(np.zeros(3, dtype=np.uint8), np.arange(3.0)) == []
    with pytest.raises(InputError, match=r"flags must have shape \(2,\), as time_s, got \(5,\)"):
        flag_summary(flags, [0.0, 1.0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"spike_m": 0.0}, "spike_m must be finite and positive, got 0"),
        ({"rate_m_per_s": np.nan}, "rate_m_per_s must be finite and positive, got nan"),
        ({"flat_line_s": np.inf}, "flat_line_s must be finite and positive, got inf"),
        ({"lowest_m": 200.0, "highest_m": 100.0}, "lowest_m must be below highest_m, got 200.0 and 100.0"),
        ({"spike_scatters": 0.5}, "spike_scatters must be at least 1, got 0.5"),
        ({"spike_growth": 0.5}, "spike_growth must be at least 1, got 0.5"),
        ({"coarse_spike_ratio": 0.5}, "coarse_spike_ratio must be at least 1, got 0.5"),
    ],
)
def test_settings_refuse(settings, message):
    with pytest.raises(InputError, match=message):
        QualitySettings(**settings)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("time_s", np.zeros((2, 2)), r"time_s must have one dimension, got shape \(2, 2\)"),
        ("height_m", np.zeros(2), r"height_m must have shape \(3,\), as time_s, got \(2,\)"),
        ("interval_s", np.zeros(2), r"interval_s must have shape \(3,\), as time_s, got \(2,\)"),
        ("time_s", [0.0, np.nan, 2.0], "time_s must be finite, got nan at index 1"),
        ("time_s", [0.0, 60.0, 60.0], "time_s must rise by 1 s or more, got 60.0 after 60.0 s"),
        ("interval_s", [60, 0, 60], "interval_s must be positive, got 0.0 at index 1"),
        ("height_m", [1.0, np.nan, np.inf], "height_m must be finite or NaN, got inf at index 2"),
    ],
)
def test_series_refuse(name, value, message):
    good = {"time_s": [0.0, 60.0, 120.0], "height_m": [5000.0, 5000.1, 5000.2], "interval_s": [60, 60, 60]}
    with pytest.raises(InputError, match=message):
        checked_series(**(good | {name: value}))
    with pytest.raises(InputError, match=message):
        check_quality(**(good | {name: value}))


# --- boundaries


def test_every_test_has_a_bit_of_its_own():
    bits = list(MASKS.values())
    assert all(bit > 0 and bit & (bit - 1) == 0 for bit in bits)
    assert len(set(bits)) == len(bits)
    assert max(bits) < 2**7  # a flag is an int8 in files


def test_few_samples():
    time, interval = 60.0 * np.arange(7), np.full(7, 60)
    height = 5000.0 + 0.001 * np.arange(7)
    height[3] += 1.0
    npt.assert_array_equal(check_quality(time, height, interval), np.where(np.arange(7) == 3, MASKS["spike"], 0))
    short = QualitySettings(flat_line_s=120.0)
    flat = check_quality(time[:3], np.full(3, 5000.0), interval[:3], settings=short)
    npt.assert_array_equal(flat, MASKS["flat_line"])
    # of four nothing tells which is wrong
    for n in range(5):
        npt.assert_array_equal(check_quality(time[:n], [5000.0, 5001.0, 5000.0, 5001.0][:n], interval[:n]), 0)


def test_a_line_is_flat_from_its_first_sample_on():
    time, height, interval = series(60, 4.0)
    height[100:103] = height[100]
    shortest = QualitySettings(flat_line_s=60.0)
    flat = (check_quality(time, height, interval, settings=shortest) & MASKS["flat_line"]) > 0
    assert flat[100:103].all()
    assert not flat[98]
    assert not flat[104]


def test_samples_may_be_one_second_apart():
    times = checked_series([0.0, 1.0, 2.0], [5000.0] * 3, [1, 1, 1])[0]
    npt.assert_array_equal(times, [0.0, 1.0, 2.0])
    with pytest.raises(InputError, match=r"time_s must rise by 1 s or more, got 1.5 after 1.0 s"):
        checked_series([0.0, 1.0, 1.5], [5000.0] * 3, [1, 1, 1])


@pytest.mark.parametrize(
    ("setting", "change_m", "mask"),
    [
        ({"lowest_m": 4999.0}, 0.0, "gross_range"),
        ({"highest_m": 5001.0}, 0.0, "gross_range"),
        ({"farthest_m": 0.05, "farthest_wave_m": 0.05}, 0.0, "gross_range"),
        ({"spike_m": 0.2}, 0.06, "spike"),
        ({"spike_scatters": 400.0}, 0.06, "spike"),
        ({"spike_growth": 1000.0}, 0.06, "spike"),
        ({"rate_m_per_s": 0.00001}, 0.0, "rate_of_change"),
        ({"flat_line_moving_s": 3600.0}, None, "flat_line"),
        ({"flat_line_tide_m": 1.0}, None, "flat_line"),
        ({"flat_line_m": 0.3}, 0.0, "flat_line"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_every_threshold_changes_what_is_flagged(setting, change_m, mask):
    time, height, interval = series(60)
    height[1000:1050] += 0.1 * np.sin(np.arange(50) * np.pi / 50) ** 2
    base = {} if change_m is not None else {"flat_line_count": 1000}
    if change_m is None:
        height[500:540] = height[500]  # for 40 minutes
    else:
        height[500] += change_m
    one, other = (
        (check_quality(time, height, interval, settings=QualitySettings(**given)) & MASKS[mask]) > 0
        for given in (base, base | setting)
    )
    assert (one != other).any()


@pytest.mark.parametrize(("name", "value"), [("coarse_spike_ratio", 2000.0), ("coarse_spike_m", 2.0)])
def test_how_far_coarse_spikes_stand_out_is_a_threshold(name, value):
    time, height, interval = series(900, 96.0)
    height[200] += 1.5
    for settings, found in ((None, True), (QualitySettings(**{name: value}), False)):
        flags = check_quality(time, height, interval, settings=settings)
        assert (flags[200] & MASKS["spike"] > 0) == found


# --- runs of bad samples, steps


def mixed(interval_s=60, *, wave_m=0.15, at_s=3600.0, width_s=400.0):
    """Make three days of quarters of an hour, and fine samples from two hours before the origin to five after."""
    time = np.union1d(np.arange(-3 * 86400.0, 5 * 3600.0, 900.0), np.arange(-7200.0, 5 * 3600.0, interval_s))
    interval = np.where(time >= -7200.0, interval_s, 900)
    wave = wave_m * np.exp(-(((time - at_s) / width_s) ** 2))
    noise = 0.001 * np.random.default_rng(2).standard_normal(time.size)
    return time, tide(time) + wave + noise, interval


def three_in_eight(size_m):
    """Return ten groups of three in eight samples, of several sizes, as of 51426 in 2015."""
    at = np.concatenate([np.arange(3) + 8 * group for group in range(10)])
    return at, size_m * np.resize([1.3, 1.0, 0.95], at.size)


PATTERNS = {
    "ten running": (np.arange(10), np.full(10, -9.4)),
    "ten running, scattered": (np.arange(10), -9.4 + np.random.default_rng(3).uniform(-3, 3, 10)),
    "ten running, small": (np.arange(10), np.full(10, 0.1)),
    "three in eight": three_in_eight(-9.4),
    "three in eight, small": three_in_eight(0.08),
    "in pairs": (np.array([0, 1, 30, 31, 60, 61, 90, 91]), np.full(8, -6.0)),
    "with two or three good ones between": (np.array([0, 3, 30, 34, 35, 36, 60, 61, 64, 65, 68, 69]), np.full(12, 2.0)),
    "many small": (np.array([0, 2, 9, 16, 18, 25, 32, 34, 41, 48, 50]), np.tile([-0.03, -0.09, -0.06], 4)[:11]),
}


@pytest.mark.parametrize("interval_s", [15, 60])
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("begin_s", [-5000.0, 2400.0, 3500.0, 4200.0, 9000.0])
def test_runs_of_bad_samples(interval_s, pattern, begin_s):
    time, height, interval = mixed(interval_s)
    at, size_m = PATTERNS[pattern]
    bad = int(np.argmax(time >= begin_s)) + at
    height[bad] += size_m
    flagged = np.flatnonzero(check_quality(time, height, interval))
    if "small" in pattern and interval_s == 60 and 2000.0 < begin_s < 5000.0:
        # on a wave of 2 cm a minute some are no farther off than it moves in the same time
        assert np.setdiff1d(flagged, bad).size <= 1
        return
    npt.assert_array_equal(flagged, bad)


@pytest.mark.parametrize("ago", [1, 2, 3, 8])
def test_bad_samples_at_the_end_of_what_has_come(ago):
    time, height, interval = mixed()
    sent = time <= 9000.0
    time, height, interval = time[sent], height[sent], interval[sent]
    height[-ago:] -= 9.4
    npt.assert_array_equal(np.flatnonzero(check_quality(time, height, interval)), time.size - ago + np.arange(ago))


@pytest.mark.parametrize("size_m", [0.05, 0.3, -2.0, 8.0])
@pytest.mark.parametrize("at_s", [-30 * 3600.0, -3 * 3600.0, -1800.0, 1500.0, 9000.0])
def test_a_step_is_measured_and_nothing_is_flagged(size_m, at_s):
    time, height, interval = mixed()
    checked = examine(time, height + size_m * (time >= at_s), interval, wave_s=(1200.0, 1e6))
    npt.assert_array_equal(checked.flags, 0)
    (step,) = checked.steps
    assert 0 <= step.time_s - at_s < 900.0
    npt.assert_allclose(step.size_m, size_m, atol=0.01)
    assert step.gap_s == (900.0 if at_s < -7200.0 else 60.0)
    npt.assert_allclose(checked.offset_m, size_m * ((time >= at_s).astype(float) - (at_s < 0)), atol=0.01)


@pytest.mark.parametrize(("interval_s", "good"), [(60, True), (300, False), (900, False)])
def test_a_wave_of_six_metres_is_good_only_where_samples_follow_it(interval_s, good):
    time, height, interval = series(interval_s, 72.0)
    time -= 48 * 3600.0
    wave = 6.0 * np.exp(-(((time - 7200.0) / 3600.0) ** 2))
    flags = examine(time, height + wave, interval, wave_s=(1200.0, 1e6)).flags
    assert ((flags & MASKS["gross_range"]) == 0).all() == good


def test_a_track_may_begin_within_a_wave():
    track = _Track(0.0, 0.0)
    track.add(0, 0.0, 0.0, 0.001)
    # up to half a centimetre a second from its first sample on, and no longer once there are two
    assert track.takes(60.0, 0.2, 0.01, 1.0)
    assert not track.takes(60.0, 0.4, 0.01, 1.0)
    track.add(1, 60.0, 0.0, 0.001)
    assert not track.takes(120.0, 0.2, 0.01, 1.0)


def test_a_level_that_the_sensor_left_again_is_flagged():
    time, height, interval = mixed()
    away = (time >= 7800.0) & (time < 9600.0)
    flags = check_quality(time, height + 0.8 * away, interval)
    npt.assert_array_equal(flags[away], MASKS["level"])
    npt.assert_array_equal(flags[~away], 0)


def test_another_deployment_is_flagged():
    time, height, interval = series(900, 20 * 24)
    time -= 10 * 86400.0
    sent = (time < 2 * 86400.0) | (time > 5 * 86400.0)
    time, height, interval = time[sent], height[sent], interval[sent]
    later = time > 3 * 86400.0
    flags = check_quality(time, height + 13.5 * later, interval)
    npt.assert_array_equal(flags, MASKS["level"] * later)
    # whichever holds the origin counts
    npt.assert_array_equal(check_quality(time - 6 * 86400.0, height + 13.5 * later, interval), MASKS["level"] * ~later)


@pytest.mark.parametrize("phase_s", range(0, 900, 100))
@pytest.mark.parametrize(("wave_m", "width_s"), [(0.15, 400.0), (0.25, 250.0), (-0.2, 300.0)])
def test_the_crest_of_a_tsunami_in_one_coarse_sample_is_good(phase_s, wave_m, width_s):
    time = np.arange(-86400.0, 6 * 3600.0, 900.0) + phase_s
    height = tide(time) + wave_m * np.exp(-(((time - 7200.0) / width_s) ** 2))
    interval = np.full(time.size, 900)
    npt.assert_array_equal(check_quality(time, height, interval, wave_s=(3600.0, 1e5)), 0)


def test_outside_the_tsunami_coarse_samples_are_held_against_their_neighbours():
    time = np.arange(-86400.0, 6 * 3600.0, 900.0)
    height, interval = tide(time), np.full(time.size, 900)
    height[[50, 60, 61]] -= 0.06
    height[-10] += 0.06  # it may be a wave
    flags = check_quality(time, height, interval, wave_s=(3600.0, 1e5))
    npt.assert_array_equal(np.flatnonzero(flags), [50, 60, 61])


EVENTS = Path(__file__).parents[2] / "shared" / "events"


@pytest.mark.slow
@pytest.mark.skipif(not EVENTS.is_dir(), reason="needs the raw files of events beside the repository")
@pytest.mark.parametrize("path", sorted(EVENTS.glob("*/ndbc/*.txt")), ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_no_good_sample_of_real_tsunamis_is_flagged(path):
    """Count flagged samples that lie where their unflagged neighbours lead to: less than 1 in 1,000."""
    time, height, interval = raw_samples(path, EVENT_ORIGINS[path.parts[-3]])
    flags = check_quality(time, height, interval)
    assert not flags[(time < 0) & (time > -3600)].any() or path.stem == "46412"
    level = height - rough_tide(time, height)
    good = np.flatnonzero(flags == 0)
    between = np.interp(time, time[good], level[good])
    # shaking is rough, and not good: the first two hours
    close = (flags > 0) & (np.abs(level - between) < 0.02) & ((time < 0) | (time > 7200))
    assert close.sum() <= 1e-3 * time.size


# first waves of ruptures close to a DART, by the generator, samples of a minute
SHARP_WAVES_CM = {
    "0.6 m": "1 3 12 28 50 55 28 -1 16 25 4 -1 3 7 0 3 5 0 3 4 2 2 2 0 1 0 -1 -4 -1 0",
    "1 m": "1 3 10 23 48 80 100 83 36 5 9 16 17 21 17 18 24 24 30 26 23 20 15 14 12 6 3 3 -5 -10",
    "turns at once": "0 3 8 31 59 65 -10 -24 -3 -8 12 1 23 28 32 37 26 29 23 22 13 16 7 7 5 7 8 0 9 5",
    "3.1 m": "-3 2 8 39 102 214 310 302 171 64 67 71 30 23 63 48 72 43 22 48 6 31 30 36 26 8 20 -4 -45 -46",
}


@pytest.mark.parametrize("wave_cm", SHARP_WAVES_CM.values(), ids=SHARP_WAVES_CM)
def test_the_crest_of_a_sharp_wave_is_good(wave_cm):
    wave_m = np.array(wave_cm.split(), dtype=float) / 100
    time, height, interval = mixed(60, wave_m=0.0)
    begin = int(np.argmax(time >= 1800.0))
    height[begin : begin + len(wave_m)] += wave_m
    height[begin + len(wave_m) :] += wave_m[-1]
    npt.assert_array_equal(check_quality(time, height, interval), 0)
    spikes = [begin - 60, begin + 120]
    height[spikes] += 0.12
    npt.assert_array_equal(np.flatnonzero(check_quality(time, height, interval)), spikes)


def test_hardly_a_sample_of_simulated_tsunamis_is_flagged(small_set):
    records = small_set.load_records(["46404", "46407", "46419"], 120, noise_sd_m=0.0015).to_numpy().astype(float)
    minutes = np.arange(-60, records.shape[-1]) + 1.0
    lost = samples = 0
    for wave in records[np.abs(records).max(axis=(1, 2)) > 0.3][:40].reshape(-1, records.shape[-1]):
        height = 4000 + 0.001 * np.random.default_rng(1).standard_normal(minutes.size)
        height[minutes > 0] += wave
        lost += np.count_nonzero(check_quality(60 * minutes, height, np.full(minutes.size, 60)))
        samples += wave.size
    assert samples > 5_000
    assert lost < 0.001 * samples
