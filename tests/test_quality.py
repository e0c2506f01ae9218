"""Quality control of raw records: what cannot be the sea is flagged, tides and tsunamis never."""

import numpy as np
import numpy.testing as npt
import pytest

from event_fixtures import TOHOKU_STATIONS, tohoku_samples
from slipcast.errors import InputError
from slipcast.records.quality import (
    MASKS,
    QualitySettings,
    check_quality,
    checked_series,
    flag_summary,
    sampling_runs,
)


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


@pytest.mark.parametrize(("interval_s", "size_m"), [(15, 0.2), (60, 0.2), (60, -0.2), (900, 0.5), (900, -0.5)])
def test_one_spike_is_flagged_and_nothing_else(interval_s, size_m):
    time, height, interval = series(interval_s)
    height[[40, 100]] += size_m
    flags = check_quality(time, height, interval)
    npt.assert_array_equal(np.flatnonzero(flags), [40, 100])
    npt.assert_array_equal(flags[[40, 100]], MASKS["spike"])


@pytest.mark.parametrize(
    ("heights", "bad"),
    [
        ([1.463, 1.463, 0.729, 1.428, 0.488, 1.463, 1.467], [2, 4]),
        ([1.512, 1.513, 0.746, 1.517, 0.648, 0.300, 1.525, 1.528], [2, 4, 5]),
        ([1.537, 1.535, 0.593, 0.000, 1.536, 1.534], [2, 3]),
    ],
)
def test_spikes_side_by_side_leave_the_good_sample_between(heights, bad):
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


def test_gross_range_is_about_the_median_and_absolute():
    time, height, interval = series(900)
    height[[10, 20, 21, 22]] = [0.0, 9999.0, 5020.0, 4980.0]
    flags = check_quality(time, height, interval)
    npt.assert_array_equal(np.flatnonzero(flags), [10, 20, 21, 22])
    npt.assert_array_equal(flags[[10, 20, 21, 22]], MASKS["gross_range"])
    npt.assert_array_equal(check_quality(time, height - height, interval), MASKS["gross_range"])


def test_rate_of_change():
    time, height, interval = series(15, 1.0)
    height[120:] += 1.0
    flags = check_quality(time, height, interval)
    assert flag_summary(flags, time) == [
        {"test": "rate_of_change", "number": 1, "first_s": 1800.0, "last_s": 1800.0},
    ]
    npt.assert_array_equal(check_quality(time, height, interval, QualitySettings(rate_m_per_s=0.08)), 0)


@pytest.mark.parametrize(("interval_s", "stuck"), [(60, slice(300, 500)), (900, slice(50, 60))])
def test_all_of_a_flat_line_is_flagged(interval_s, stuck):
    time, height, interval = series(interval_s)
    height[stuck] = height[stuck.start]
    flags = check_quality(time, height, interval)
    npt.assert_array_equal(np.flatnonzero(flags), np.arange(stuck.start, stuck.stop))
    npt.assert_array_equal(flags[stuck], MASKS["flat_line"])


def test_an_hour_without_change_is_not_yet_flat():
    time, height, interval = series(60)
    height[300:360] = height[300]
    npt.assert_array_equal(check_quality(time, height, interval), 0)


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


@pytest.mark.parametrize("station", TOHOKU_STATIONS)
def test_tohoku(station):
    time, height, interval = tohoku_samples(station)
    flags = check_quality(time, height, interval)
    flagged_min = time[flags > 0] / 60.0
    if station != "21418":
        assert flagged_min.size == 0
        return
    # shaking in the first minutes changes too fast; the wave at 32 min is good; a faulty sensor dropped by 1 m
    assert flagged_min[flagged_min < 100.0].max() < 5.0
    npt.assert_allclose(flagged_min[flagged_min > 100.0][:5], [106.6, 122.6, 137.6, 170.6, 194.6])
    assert np.nanmax(np.abs(height - np.median(height[np.isfinite(height)]))[flags == 0]) < 1.7


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
    assert not ((flagged_min > 5.0) & (flagged_min < 100.0)).any()
    assert station == "21418" or not flagged_min.size


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
        ({"spike_ratio": 0.5}, "spike_ratio must be at least 1, got 0.5"),
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


def test_three_samples_are_enough_for_every_test():
    time, interval = np.array([0.0, 60.0, 120.0]), np.full(3, 60)
    npt.assert_array_equal(check_quality(time, [5000.0, 5001.0, 5000.0], interval), [0, MASKS["spike"], 0])
    npt.assert_array_equal(check_quality(time, [5000.0, 5004.0, 5008.0], interval) & MASKS["rate_of_change"], [0, 4, 4])
    short = QualitySettings(flat_line_s=120.0)
    npt.assert_array_equal(check_quality(time, np.full(3, 5000.0), interval, settings=short), MASKS["flat_line"])
    # of two, nothing tells which is wrong, and one is no series
    npt.assert_array_equal(check_quality(time[:2], [5000.0, 5004.0], interval[:2]), 0)
    npt.assert_array_equal(check_quality(time[:1], [5000.0], interval[:1]), 0)


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
        ({"farthest_m": 1.0}, 0.0, "gross_range"),
        ({"spike_m": 0.02}, 0.06, "spike"),
        ({"rate_m_per_s": 0.0005}, 0.06, "rate_of_change"),
        ({"flat_line_s": 3600.0}, None, "flat_line"),
        ({"flat_line_m": 0.3}, 0.0, "flat_line"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_every_threshold_changes_what_is_flagged(setting, change_m, mask):
    time, height, interval = series(60)
    if change_m is None:
        height[500:580] = height[500]  # for 80 minutes
    else:
        height[500] += change_m
    one, other = (
        (check_quality(time, height, interval, settings=QualitySettings(**given)) & MASKS[mask]) > 0
        for given in ({}, setting)
    )
    assert (one != other).any()


@pytest.mark.parametrize(("name", "interval_s"), [("spike_ratio", 60), ("coarse_spike_ratio", 900)])
def test_how_far_spikes_stand_out_is_a_threshold_of_fine_and_of_coarse_samples(name, interval_s):
    time, height, interval = series(interval_s, 96.0, noise_m=0.02)
    height[200] += 3.0  # a hundred times what its neighbours do
    for ratio, found in ((20.0, True), (1000.0, False)):
        flags = check_quality(time, height, interval, settings=QualitySettings(**{name: ratio}))
        assert (flags[200] & MASKS["spike"] > 0) == found
