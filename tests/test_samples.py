"""Rows that repeat others under a false time, and several heights of one time."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest

from case_fixtures import event_files
from slipcast.errors import InputError
from slipcast.records.dart import parse_dart, read_dart
from slipcast.records.samples import Samples, one_a_time, without_shadows

DAY = np.datetime64("2014-04-02T00:00:00")


def make(seconds, heights, interval_s=60) -> Samples:
    """Make samples by seconds after a midnight."""
    n = len(seconds)
    time = DAY + np.asarray(seconds).astype("timedelta64[s]")
    return Samples(time, np.full(n, interval_s, np.int16), np.asarray(heights, float), np.arange(1, n + 1))


def a_night(interval_s=60, *, repeated=range(120), late_s=45, minutes=range(-300, 300)) -> tuple[Samples, Samples]:
    """Return samples of a minute each around a midnight, with repeated ones and without."""
    seconds = 60 * np.asarray(minutes)
    height = np.round(4336 + 0.5 * np.sin(seconds / 7000) + 0.2 * np.sin(seconds / 300), 3)
    clean = make(seconds, height, interval_s)
    at = np.searchsorted(seconds, 60 * np.asarray(repeated))
    both = make([*seconds, *(seconds[at] + late_s)], [*height, *height[at]], interval_s)
    return both.taken(np.argsort(both.time, kind="stable")), clean


def check_same(found: Samples, expected: Samples) -> None:
    """Demand the same samples in any order."""
    for each in ("time", "height_m", "interval_s"):
        npt.assert_array_equal(
            getattr(found, each)[np.argsort(found.time, kind="stable")],
            getattr(expected, each)[np.argsort(expected.time, kind="stable")],
        )


@pytest.mark.parametrize("interval_s", [60, 0])
@pytest.mark.parametrize("late_s", [15, 30, 45])
def test_repeated_rows_are_left_out_and_said(interval_s, late_s):
    both, clean = a_night(interval_s, late_s=late_s)
    found, notes = without_shadows(both)
    check_same(found, clean)
    assert notes == (
        f"120 rows from 2014-04-02T00:00:{late_s} to 2014-04-02T01:59:{late_s} repeat the whole minute {late_s} s "
        "before them",
    )
    again, none = without_shadows(clean)
    check_same(again, clean)
    assert none == ()


@pytest.mark.parametrize("interval_s", [60, 0])
def test_where_the_whole_minute_lacks_the_row_belongs_there(interval_s):
    both, clean = a_night(interval_s)
    lost = (both.time >= DAY + np.timedelta64(90, "m")) & (both.time.astype(int) % 60 == 0)
    lost &= both.time < DAY + np.timedelta64(120, "m")
    found, notes = without_shadows(both.taken(~lost))
    check_same(found, clean)
    assert notes[0].startswith("90 rows from ")
    assert notes[0].endswith(" before them, 30 more whose whole minute lacks were put there")
    # a whole minute without a height lacks as well
    height = np.where(lost, np.nan, both.height_m)
    found, _ = without_shadows(Samples(both.time, both.interval_s, height, both.line))
    chosen, _ = one_a_time(found, what="x")
    check_same(found.taken(chosen), clean)


def test_two_days_have_rows_of_their_own():
    both, clean = a_night(minutes=range(-300, 2000))
    day = np.arange(1440, 1560)
    more = make(60 * day + 15, clean.height_m[np.searchsorted(clean.time, DAY + (60 * day).astype("timedelta64[s]"))])
    joined = Samples(*(np.concatenate([getattr(both, n), getattr(more, n)]) for n in vars(both)))
    found, notes = without_shadows(joined)
    check_same(found, clean)
    assert [note[:13] for note in notes] == ["120 rows from"] * 2


def test_many_days_are_said_together():
    _, clean = a_night(minutes=range(10 * 1440))
    early = clean.taken(clean.time.astype(int) % 86400 < 7200)
    more = Samples(early.time + np.timedelta64(30, "s"), early.interval_s, early.height_m, early.line)
    found, notes = without_shadows(
        Samples(*(np.concatenate([getattr(clean, n), getattr(more, n)]) for n in vars(more)))
    )
    check_same(found, clean)
    assert notes == (
        "1200 rows from 2014-04-02T00:00:30 to 2014-04-11T01:59:30 repeat the whole minute up to 30 s before them, on "
        "10 days",
    )


@pytest.mark.parametrize("decimals", [3, 2, 1])
def test_true_samples_of_15_s_that_repeat_a_height_stay(decimals):
    """A calm sea rounded to centimetres repeats nearly every height."""
    seconds = 15 * np.arange(-500, 500)
    heights = np.round(4336 + 0.01 * np.sin(seconds / 3000), decimals)
    for interval_s in (15, 0):
        calm = make(seconds, heights, interval_s)
        found, notes = without_shadows(calm)
        check_same(found, calm)
        assert notes == ()


def test_true_samples_of_30_s_stay():
    seconds = 30 * np.arange(-500, 500)
    calm = make(seconds, np.full(seconds.size, 4336.0), 0)
    found, notes = without_shadows(calm)
    check_same(found, calm)
    assert notes == ()


def test_a_clock_that_is_off_the_minute_stays():
    _, clean = a_night()
    late = Samples(clean.time + np.timedelta64(30, "s"), clean.interval_s, clean.height_m, clean.line)
    check_same(without_shadows(late)[0], late)
    # missing heights are no evidence
    both, _ = a_night()
    off = both.time.astype(int) % 60 != 0
    lost = Samples(both.time, both.interval_s, np.where(off, np.nan, both.height_m), both.line)
    check_same(without_shadows(lost)[0], lost)
    # half of the rows off the minute, others than those of the minute
    both = make(30 * np.arange(240), 4336 + 0.01 * np.arange(240))
    check_same(without_shadows(both)[0], both)


@pytest.mark.parametrize("interval_s", [60, 0])
def test_true_samples_of_15_s_beside_repeated_rows_stay(interval_s):
    """Rows of 15 s at the moment of a repeated one: four minutes of 32412 in 2015."""
    both, _ = a_night(interval_s)
    seconds = 15 * np.arange(240, 256)
    fine = make(seconds, 4336.777 + 0.001 * np.arange(16), 15 if interval_s else 0)
    joined = Samples(*(np.concatenate([getattr(both, n), getattr(fine, n)]) for n in vars(both)))
    found, _ = without_shadows(joined)
    chosen, notes = one_a_time(found, what="x")
    found = found.taken(chosen)
    off = found.time.astype(int) % 60 != 0
    npt.assert_array_equal(found.time[off], fine.time[seconds % 60 != 0])
    npt.assert_array_equal(found.height_m[off], fine.height_m[seconds % 60 != 0])
    assert found.time.size == 600 + 12
    assert notes[0].startswith("heights of 4 times differ, by ")


@pytest.mark.slow
def test_nothing_else_is_left_out_of_real_files():
    """Every row of NDBC's files but the repeated ones is read, and these are found by a second reader."""
    n_repeated = n_moved = 0
    for path in event_files():
        best: dict[str, dict[int, float]] = {}
        rows = [line.split() for line in path.read_text().splitlines() if line.strip() and line[0] != "#"]
        shadows = [row for row in rows if row[6] == "2" and row[5] != "00"]
        for *clock, second, kind, height in (row for row in rows if row not in shadows):
            moment = "{}-{}-{}T{}:{}".format(*clock) + f":{second}"
            best.setdefault(moment, {})[int(kind)] = float(height)
        for *clock, _, _, height in shadows:
            at = best.setdefault("{}-{}-{}T{}:{}".format(*clock) + ":00", {})
            n_repeated, n_moved = n_repeated + (2 in at), n_moved + (2 not in at)
            assert at.setdefault(2, float(height)) == float(height)
        expected = {}
        for moment, heights in best.items():
            sent = {kind: height for kind, height in heights.items() if height < 9000}
            expected[moment] = sent[max(sent)] if sent else np.nan
        series = read_dart(path)
        npt.assert_array_equal(series.time, np.array(sorted(expected), "datetime64[s]"), err_msg=str(path))
        npt.assert_array_equal(series.height_m, [expected[each] for each in sorted(expected)], err_msg=str(path))
        assert len({row[0] + row[1] + row[2] for row in shadows}) == sum(" repeat the " in n for n in series.left_out)
    assert (n_repeated, n_moved) == (1898, 142)


def test_one_height_a_time():
    samples = make([0, 0, 0, 60, 60, 60, 120], [5.0, 7.0, np.nan, 3.0, 3.2, 3.1, np.nan])
    chosen, notes = one_a_time(samples, what="x")
    npt.assert_array_equal(samples.height_m[chosen], [5.0, 3.1, np.nan])
    assert notes == (
        "heights of 2 times differ, by 2.000 m at most: that of the finest interval is taken, and of one interval the "
        "median",
    )
    assert one_a_time(make([0, 0, 60], [5.001, 5.0, 3.0]), what="x")[1] == ()


def test_intervals_that_disagree_where_they_meet_are_said():
    text = (
        "2011 03 11 06 00 00 1 5000.003\n2011 03 11 06 00 00 2 5000.010\n2011 03 11 06 15 00 1 5000.000\n"
        "2011 03 11 06 15 00 2 9999.000\n"
    )
    series = parse_dart(text, station="21418", where="text")
    npt.assert_array_equal(series.height_m, [5000.01, 5000.0])
    assert series.left_out[0].startswith("heights of 1 times differ, by 0.007 m at most")


@pytest.mark.parametrize(("n_gross", "refused"), [(10, False), (11, True)])
def test_two_records_in_one(n_gross, refused):
    seconds = np.repeat(60 * np.arange(40), 2)
    heights = np.tile([5000.0, 5000.002], 40)
    heights[1 : 2 * n_gross : 2] = 5000.6
    samples = make(seconds, heights)
    if not refused:
        assert one_a_time(samples, what="x")[0].size == 40
        return
    message = (
        "^x: heights of the same time and interval differ by more than 0.5 m at 11 times, first 5000.000 and 5000.600 "
        r"m at 2014-04-02T00:00:00 \(lines 1 and 2\); are they of one buoy\?$"
    )
    with pytest.raises(InputError, match=message):
        one_a_time(samples, what="x")
