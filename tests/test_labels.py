"""Labels: arrays are joined by name, and what does not fit is named."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from slipcast.errors import InputError
from slipcast.io.labels import align, one_event, positions_of, window_samples

NAMES = ["acsza54", "acsza55", "acszb54", "acszb55", "acszz55"]


def slip(names=NAMES) -> xr.DataArray:
    """Make two events whose slip can be told from their names."""
    values = [[NAMES.index(name) + 10.0 * event for name in names] for event in range(2)]
    return xr.DataArray(values, dims=("event", "source"), coords={"source": list(names)})


@given(st.permutations(NAMES))
def test_any_order_gives_the_same_array(order):
    npt.assert_array_equal(align(slip(order), "source", NAMES, what="slip"), slip())
    npt.assert_array_equal(align(slip(), "source", order, what="slip")["source"], order)


def test_aligning_leaves_its_argument_alone():
    turned = slip(NAMES[::-1])
    align(turned, "source", NAMES, what="slip")
    npt.assert_array_equal(turned["source"], NAMES[::-1])


@pytest.mark.parametrize(
    ("have", "message"),
    [
        (NAMES[1:], "slip lacks source acsza54$"),
        (NAMES[:3], r"slip lacks source acszb55 \(and 1 more\)$"),
        ([*NAMES, "acszb56"], "unknown source 'acszb56' in slip; nearest: acszb55"),
        ([*NAMES[1:], "acszb56"], "unknown source 'acszb56' in slip; nearest: acszb55"),  # one instead of another
    ],
)
def test_names_that_differ_are_named(have, message):
    array = xr.DataArray(np.ones(len(have)), dims="source", coords={"source": have})
    with pytest.raises(InputError, match=message):
        align(array, "source", NAMES, what="slip")


def test_a_name_twice_is_refused():
    twice = xr.DataArray(np.arange(6.0), dims="source", coords={"source": [*NAMES, NAMES[0]]})
    with pytest.raises(InputError, match="slip has source acsza54 twice"):
        align(twice, "source", NAMES, what="slip")


def test_an_array_without_names_is_refused():
    # by position would be a guess: xarray makes up 0, 1, 2 ... for a dimension without a coordinate
    with pytest.raises(InputError, match="unknown source '0' in slip"):
        align(xr.DataArray(np.ones(5), dims="source"), "source", NAMES, what="slip")


# --- positions


def test_positions_are_in_the_order_wanted():
    assert positions_of(["acszz55", "acsza54"], NAMES, dim="source", where="in bank x") == [4, 0]
    assert positions_of(iter(["acszz55"]), NAMES, dim="source", where="in bank x") == [4]
    assert positions_of(None, NAMES, dim="source", where="in bank x") == [0, 1, 2, 3, 4]
    assert positions_of([], NAMES, dim="source", where="in bank x") == []


def test_a_position_that_is_nowhere():
    with pytest.raises(InputError, match="unknown source 'acsza45' in bank x; nearest: acsza55, acsza54, acszz55"):
        positions_of(["acszz55", "acsza45"], NAMES, dim="source", where="in bank x")


# --- windows

MINUTES = 60.0 * np.arange(121)


@pytest.mark.parametrize(
    ("window", "first", "last"), [(45, 60.0, 2700.0), (1, 60.0, 60.0), (2.9, 60.0, 120.0), (120, 60.0, 7200.0)]
)
def test_a_window_begins_after_the_origin_and_holds_its_end(window, first, last):
    times = MINUTES[window_samples(MINUTES, window, available_s=7200.0, where="bank x")]
    assert (times[0], times[-1]) == (first, last)
    npt.assert_array_equal(np.diff(times), 60.0)


@pytest.mark.parametrize(
    ("window", "available_s", "message"),
    [
        (0, 7200.0, "window must be > 0 minutes, got 0"),
        (-5, 7200.0, "window must be > 0 minutes, got -5"),
        (float("nan"), 7200.0, "window must be > 0 minutes, got nan"),
        (120.5, 7200.0, "window of 120.5 min is longer than the 120 min of bank x"),
        (31, 1800.0, "window of 31 min is longer than the 30 min of bank x"),
        (0.5, 7200.0, "window of 0.5 min holds no sample of bank x"),
    ],
)
def test_windows_that_do_not_fit(window, available_s, message):
    with pytest.raises(InputError, match=message):
        window_samples(MINUTES, window, available_s=available_s, where="bank x")


# --- events


def test_one_event_of_a_dataset():
    single = slip().isel(event=0).to_dataset(name="slip")
    assert one_event(single, what="slip file") is single
    npt.assert_array_equal(one_event(slip()[:1].to_dataset(name="slip"), what="slip file")["slip"], single["slip"])


@pytest.mark.parametrize("count", [0, 2])
def test_several_events_where_one_is_wanted(count):
    with pytest.raises(InputError, match=f"slip file must hold one event, got {count}"):
        one_event(slip()[:count].to_dataset(name="slip"), what="slip file")
