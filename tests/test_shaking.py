"""The span of shaking: found where the real buoys show it, nowhere in tide, noise or a tsunami."""

import numpy as np
import numpy.testing as npt
import pytest

from event_fixtures import tohoku_samples
from slipcast.errors import InputError
from slipcast.records.shaking import find_shaking

# station, earliest arrival by eye, and between which times shaking begins and ends by eye, min
TOHOKU = [
    ("21401", 56.0, (2.0, 4.0), (50.0, 56.0)),
    ("21413", 72.0, (3.0, 8.0), (55.0, 72.0)),
    ("21414", 205.0, (9.0, 14.0), (28.0, 80.0)),
    ("21415", 178.0, (6.0, 10.0), (40.0, 110.0)),
    ("21418", 27.0, (1.0, 3.0), (18.0, 27.0)),
    ("21419", 78.0, (1.0, 6.0), (70.0, 78.0)),
]


def quiet(interval_s=60.0, *, noise_m=0.005, start_s=-7200.0, seed=1):
    """Times, heights with tide and white noise, and intervals."""
    time = np.arange(start_s, 14400.0, interval_s)
    noise = noise_m * np.random.default_rng(seed).standard_normal(time.size)
    return time, 5000.0 + np.sin(2 * np.pi * time / 44714.0) + noise, np.full(time.size, interval_s)


def tsunami(time_s, *, arrival_s=3600.0, amplitude_m=0.5, period_s=1200.0):
    """A wave that begins as a squared sine does, smoothly."""
    phase = np.clip((time_s - arrival_s) / period_s, 0.0, None)
    return amplitude_m * np.sin(np.pi * phase) ** 2 * np.exp(-phase)


def shaking(time_s, begins_s, ends_s, amplitude_m, *, seed=2):
    """Waves of 15 to 30 s, sampled too seldom, look like noise."""
    noise = np.random.default_rng(seed).uniform(-amplitude_m, amplitude_m, time_s.size)
    return np.where((time_s >= begins_s) & (time_s <= ends_s), noise, 0.0)


@pytest.mark.parametrize(("station", "until_min", "begins_min", "ends_min"), TOHOKU)
def test_tohoku(station, until_min, begins_min, ends_min):
    span = find_shaking(*tohoku_samples(station), until_s=60.0 * until_min)
    assert span is not None
    assert begins_min[0] <= span[0] / 60.0 <= begins_min[1]
    assert ends_min[0] <= span[1] / 60.0 <= ends_min[1]


@pytest.mark.parametrize("station", ["21401", "21413", "21414", "21415", "21418", "21419"])
def test_two_hours_before_tohoku_are_quiet(station):
    time, height, interval = tohoku_samples(station)
    # the clock set back, so that the hour before the origin is where shaking is searched
    assert find_shaking(time + 3600.0, height, interval, until_s=3500.0) is None


@pytest.mark.parametrize("interval_s", [15.0, 60.0])
@pytest.mark.parametrize("start_s", [-7200.0, 0.0])
@pytest.mark.parametrize("seed", range(5))
def test_noise_and_tide_are_quiet(interval_s, start_s, seed):
    time, height, interval = quiet(interval_s, start_s=start_s, seed=seed)
    assert find_shaking(time, height, interval, until_s=7200.0) is None


@pytest.mark.parametrize("interval_s", [15.0, 60.0])
@pytest.mark.parametrize("arrival_s", [600.0, 3600.0])
def test_a_smooth_tsunami_is_no_shaking_even_where_until_is_too_late(interval_s, arrival_s):
    time, height, interval = quiet(interval_s)
    assert find_shaking(time, height + tsunami(time, arrival_s=arrival_s), interval, until_s=14000.0) is None


@pytest.mark.parametrize("interval_s", [15.0, 60.0])
@pytest.mark.parametrize("start_s", [-7200.0, 0.0])
def test_shaking_is_found_and_the_onset_kept(interval_s, start_s):
    time, height, interval = quiet(interval_s, noise_m=0.001, start_s=start_s)
    shaken = height + tsunami(time) + shaking(time, 300.0, 1500.0, 0.1)
    span = find_shaking(time, shaken, interval, until_s=3500.0)
    # a window is five samples, so the span may reach four beyond on either side
    npt.assert_allclose(span, (300.0, 1500.0), atol=4 * interval_s)
    assert span[0] <= 300.0
    assert span[1] <= 3500.0


def test_shaking_up_to_the_arrival_ends_there():
    time, height, interval = quiet()
    span = find_shaking(time, height + shaking(time, 120.0, 7200.0, 0.2), interval, until_s=3570.0)
    assert span is not None
    assert 0.0 <= span[0] <= 120.0
    assert 3300.0 < span[1] <= 3570.0


def test_samples_of_15_s_that_are_only_sent_when_triggered():
    # the quiet before the origin is known at 1 min only, and 15-s samples are shaken from the first to the last
    time = np.concatenate([np.arange(-7200.0, 300.0, 60.0), np.arange(300.0, 540.0, 15.0), np.arange(540.0, 7200, 60)])
    interval = np.repeat([60, 15, 60], [125, 16, 111])
    height = 5000.0 + np.sin(2 * np.pi * time / 44714.0) + shaking(time, 300.0, 539.0, 0.05)
    span = find_shaking(time, height, interval, until_s=3600.0)
    npt.assert_allclose(span, (300.0, 525.0))


def test_quarter_hours_before_the_origin_are_enough_neighbours_of_none():
    time = np.concatenate([np.arange(-86400.0, 0.0, 900.0), np.arange(0.0, 7200.0, 60.0)])
    interval = np.repeat([900, 60], [96, 120])
    height = 5000.0 + np.sin(2 * np.pi * time / 44714.0)
    assert find_shaking(time, height, interval, until_s=3600.0) is None
    span = find_shaking(time, height + shaking(time, 300.0, 1200.0, 0.1), interval, until_s=3600.0)
    npt.assert_allclose(span, (300.0, 1200.0), atol=240.0)


def test_gaps_within_shaking():
    time, height, interval = quiet(noise_m=0.001)
    height += shaking(time, 300.0, 1500.0, 0.1)
    height[(time >= 700.0) & (time <= 900.0)] = np.nan
    npt.assert_allclose(find_shaking(time, height, interval, until_s=3600.0), (300.0, 1500.0), atol=240.0)


def test_an_origin_between_whole_seconds_changes_nothing():
    time, height, interval = quiet()
    height += shaking(time, 300.0, 1500.0, 0.1)
    moved = find_shaking(time + 0.1, height, interval, until_s=3600.0)
    npt.assert_allclose(np.subtract(moved, 0.1), find_shaking(time, height, interval, until_s=3600.0))


def test_what_is_no_shaking():
    time, height, interval = quiet(noise_m=0.001)
    # one spike, however large
    spiked = height.copy()
    spiked[150] += 1.0
    assert find_shaking(time, spiked, interval, until_s=3600.0) is None
    # before the origin; too late for seismic waves; 15-min samples that may be a tsunami
    assert find_shaking(time, height + shaking(time, -3000.0, -60.0, 0.1), interval, until_s=3600.0) is None
    assert find_shaking(time, height + shaking(time, 2400.0, 3600.0, 0.1), interval, until_s=3600.0) is None
    coarse = slice(None, None, 15)
    rough = height + shaking(time, 0.0, 14400.0, 0.1)
    assert find_shaking(time[coarse], rough[coarse], 15 * interval[coarse], until_s=14000.0, arrival_s=0.0) is None


def test_a_calm_of_ten_minutes_ends_it():
    time, height, interval = quiet(noise_m=0.001)
    rough = height + shaking(time, 300.0, 1200.0, 0.1) + shaking(time, 3000.0, 3300.0, 0.1)
    npt.assert_allclose(find_shaking(time, rough, interval, until_s=7200.0), (300.0, 1200.0), atol=240.0)


def test_nothing_known_is_nothing_found():
    time, height, interval = quiet()
    assert find_shaking(time, np.full_like(height, np.nan), interval, until_s=3600.0) is None
    assert find_shaking([], [], [], until_s=3600.0) is None


@pytest.mark.parametrize("until_s", [0.0, -1.0, np.nan, np.inf])
def test_until_must_be_a_time_after_the_origin(until_s):
    with pytest.raises(InputError, match="until_s must be finite and positive, got"):
        find_shaking(*quiet(), until_s=until_s)


def test_a_quarter_of_an_hour_is_not_shaken_from_the_arrival_on():
    time, height, interval = quiet(900.0, noise_m=0.001, start_s=-2 * 86400.0)
    height[time == 1800.0] += 0.3
    assert find_shaking(time, height, interval, until_s=7200.0, arrival_s=1800.0) is None
    assert find_shaking(time, height, interval, until_s=7200.0, arrival_s=1801.0) == (1800.0, 1800.0)


def test_shaking_goes_on_where_samples_become_fewer():
    time = np.concatenate(
        [np.arange(-2 * 86400.0, -7200.0, 900.0), np.arange(-7200.0, 1500.1, 60.0), np.arange(1800.0, 14400.0, 900.0)]
    )
    interval = np.where((time >= -7200.0) & (time <= 1500.0), 60.0, 900.0)
    noise = 0.001 * np.random.default_rng(1).standard_normal(time.size)
    height = 5000.0 + noise + shaking(time, 300.0, 1500.0, 0.1)
    height[time == 1800.0] += 0.3
    begins_s, ends_s = find_shaking(time, height, interval, until_s=7200.0)
    assert 0.0 <= begins_s <= 300.0
    assert ends_s == 1800.0
    height[time == 1800.0] -= 0.3
    height[time == 3600.0] += 0.3  # more than 10 min later
    first_s, last_s = find_shaking(time, height, interval, until_s=7200.0)
    assert first_s == begins_s
    assert last_s <= 1500.0


def test_series_are_checked():
    with pytest.raises(InputError, match=r"height_m must have shape \(2,\)"):
        find_shaking([0.0, 60.0], [5000.0], [60, 60], until_s=60.0)


# --- where a tsunami may be, and in samples of 15 min


@pytest.mark.parametrize("interval_s", [15.0, 60.0])
@pytest.mark.parametrize("arrival_s", [0.0, 600.0, 3600.0])
def test_shaking_does_not_depend_on_when_a_tsunami_may_arrive(interval_s, arrival_s):
    time, height, interval = quiet(interval_s, noise_m=0.001)
    shaken = height + shaking(time, 180.0, 1500.0, 0.1)
    span = find_shaking(time, shaken, interval, until_s=5400.0, arrival_s=arrival_s)
    npt.assert_allclose(span, (180.0, 1500.0), atol=4 * interval_s)


@pytest.mark.parametrize("interval_s", [15.0, 60.0])
@pytest.mark.parametrize(("amplitude_m", "period_s"), [(0.1, 1200.0), (2.0, 900.0), (1.0, 600.0)])
def test_shaking_ends_where_a_tsunami_stands_out_from_it(interval_s, amplitude_m, period_s):
    time, height, interval = quiet(interval_s, noise_m=0.001)
    wave = tsunami(time, arrival_s=1500.0, amplitude_m=amplitude_m, period_s=period_s)
    shaken = height + wave + shaking(time, 180.0, 3600.0, 0.2 * amplitude_m)
    first, last = find_shaking(time, shaken, interval, until_s=5400.0, arrival_s=0.0)
    assert first < 600.0
    # the first crest is half a period after the arrival; its level counts ten minutes before
    assert 600.0 < last < 1500.0 + period_s / 2
    # without shaking it is none at all, whatever the sea may hold
    assert find_shaking(time, height + wave, interval, until_s=5400.0, arrival_s=0.0) is None


def test_shaken_quarters_of_an_hour():
    time = np.arange(-3 * 86400.0, 6 * 3600.0, 900.0) + 100.0
    height = 5000.0 + np.sin(2 * np.pi * time / 44714.0) + 0.3 * np.cos(2 * np.pi * time / 86164.0)
    height += 0.002 * np.random.default_rng(1).standard_normal(time.size)
    interval = np.full(time.size, 900)
    options = {"until_s": 4 * 3600.0, "arrival_s": 3 * 3600.0}
    assert find_shaking(time, height, interval, **options) is None
    shaken = (time > 900) & (time < 2800)
    assert find_shaking(time, height + 0.06 * shaken, interval, **options) == tuple(time[shaken][[0, -1]])
    # what may be a tsunami is kept
    late = (time > 3 * 3600.0) & (time < 4 * 3600.0)
    assert find_shaking(time, height + 0.2 * late, interval, **options) is None
    # nothing tells what is usual
    few = time > -3600.0
    assert find_shaking(time[few], (height + 0.06 * shaken)[few], interval[few], **options) is None


@pytest.mark.parametrize("arrival_s", [-1.0, np.nan])
def test_the_arrival_is_not_before_the_origin(arrival_s):
    with pytest.raises(InputError, match="arrival_s must be >= 0, got"):
        find_shaking(*quiet(), until_s=3600.0, arrival_s=arrival_s)
