"""Labels: joined by name, never by position; windows."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from slipcast.errors import InputError
from slipcast.labels import align, in_order, one_event, window_samples

NAMES = ["acsza54", "acsza55", "acszb54", "acszb55"]


def labelled(names) -> xr.DataArray:
    """Make an array whose values tell their label."""
    return xr.DataArray([hash(name) for name in names], dims="source", coords={"source": list(names)})


@given(st.permutations(NAMES))
def test_any_order_is_put_in_order(names):
    npt.assert_array_equal(align(labelled(names), "source", NAMES, what="slip"), labelled(NAMES))


def test_a_missing_or_unknown_name_is_named():
    with pytest.raises(InputError, match=r"slip lacks source acszb54 \(and 1 more\)"):
        align(labelled(NAMES[:2]), "source", NAMES, what="slip")
    with pytest.raises(InputError, match=r"slip lacks source acszb55$"):
        align(labelled(NAMES[:3]), "source", NAMES, what="slip")
    with pytest.raises(InputError, match="unknown source 'acsza56' in slip; nearest: acsza55"):
        align(labelled([*NAMES, "acsza56"]), "source", NAMES, what="slip")


def test_positions():
    assert in_order(None, NAMES, dim="source", where="here") == [0, 1, 2, 3]
    assert in_order(["acszb55", "acsza54"], NAMES, dim="source", where="here") == [3, 0]
    assert in_order([], NAMES, dim="source", where="here") == []
    with pytest.raises(InputError, match="unknown source 'acsza99' here; nearest: acsza5"):
        in_order(["acsza99"], NAMES, dim="source", where="here")


TIME_S = 60.0 * np.arange(61)


def test_a_window_begins_after_the_origin_and_holds_its_end():
    assert np.flatnonzero(window_samples(TIME_S, 3, available_s=3600, where="b")).tolist() == [1, 2, 3]
    assert np.flatnonzero(window_samples(TIME_S, 3.9, available_s=3600, where="b")).tolist() == [1, 2, 3]
    assert window_samples(TIME_S, 60, available_s=3600, where="b").sum() == 60


@pytest.mark.parametrize(
    ("window", "message"),
    [
        (0, "window must be > 0 minutes, got 0"),
        (-5, "window must be > 0 minutes, got -5"),
        (float("nan"), "window must be > 0 minutes, got nan"),
        (61, "window of 61 min is longer than the 60 min of bank b"),
        (0.5, "window of 0.5 min holds no sample of bank b"),
    ],
)
def test_windows_that_do_not_fit(window, message):
    with pytest.raises(InputError, match=message):
        window_samples(TIME_S, window, available_s=3600, where="bank b")


def test_one_event():
    single = xr.Dataset({"slip": (("event", "source"), np.ones((1, 4)))})
    assert one_event(single, what="the slip estimate")["slip"].dims == ("source",)
    assert one_event(single.isel(event=0), what="the slip estimate")["slip"].dims == ("source",)
    several = xr.Dataset({"slip": (("event", "source"), np.ones((3, 4)))})
    with pytest.raises(InputError, match="the slip estimate must hold one event, got 3"):
        one_event(several, what="the slip estimate")
