from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest

from learning_fixtures import make_checkpoint as make
from learning_fixtures import random_records
from slipcast.errors import InputError
from slipcast.realtime.event_slip import invert
from slipcast.records import Records

GAUGES = ["46404", "46407", "46419"]


def as_records(values, gauges, *, start_min: int = 1, tide_removed: bool = True) -> Records:
    values = np.asarray(values)
    time_s = 60.0 * (start_min + np.arange(values.shape[-1]))
    n = len(gauges)
    return Records.from_arrays(
        time_s, values, gauges=gauges, lon_deg=[231.0] * n, lat_deg=[45.0] * n, tide_removed=tide_removed
    )


def test_one_event_and_several():
    checkpoint, values = make(), random_records()
    several = invert(as_records(values, GAUGES), checkpoint)
    npt.assert_allclose(several.slip, checkpoint.predict(values))
    assert several.slip.dims == ("event", "source")
    one = invert(as_records(values[1], GAUGES), checkpoint)
    npt.assert_allclose(one.slip, several.slip[1], rtol=1e-5, atol=1e-6)
    assert one.slip.dims == ("source",)
    assert one.sources == list(checkpoint.sources)
    attrs = one.dataset.attrs
    assert (attrs["method"], attrs["region"], attrs["window_min"]) == ("network", "cascadia", 45.0)
    assert (attrs["model"], attrs["gauges"]) == (checkpoint.id, "46404 46407 46419")


def test_gauges_are_found_by_name_among_others():
    values = random_records()
    expected = invert(as_records(values, GAUGES), make())
    shuffled = np.stack([values[:, 2], np.full((4, 45), np.nan), values[:, 0], values[:, 1]], axis=1)
    found = invert(as_records(shuffled, ["46419", "46411", "46404", "46407"]), make())
    npt.assert_array_equal(found.slip, expected.slip)


def test_records_are_interpolated_to_the_samples_of_the_model():
    fine_s = np.arange(0.0, 50 * 60, 15.0)
    wave = np.sin(2 * np.pi * fine_s / 1500)
    fine = Records.from_arrays(fine_s, np.stack([wave] * 3), gauges=GAUGES, lon_deg=[231] * 3, lat_deg=[45] * 3)
    minutes = np.stack([wave[4:184:4]] * 3)
    # a wave from the origin on, where none can be yet: as it is
    found = invert(fine, make(), put_aside=False)
    npt.assert_allclose(found.slip, make().predict(minutes), rtol=1e-5, atol=1e-6)


def test_a_missing_gauge_is_named():
    with pytest.raises(InputError, match="records lack gauge 46407; method network takes 46404, 46407, 46419"):
        invert(as_records(random_records()[:, ::2], ["46404", "46419"]), make())


def test_a_gap_is_named():
    values = random_records()
    values[2, 1, 10:20] = np.nan
    with pytest.raises(InputError, match="gauge 46407 of event 2 has no sample at 11 min after the origin"):
        invert(as_records(values, GAUGES), make())
    with pytest.raises(InputError, match="gauge 46407 has no sample at 11 min after the origin; the model needs all"):
        invert(as_records(values[2], GAUGES), make())


def test_records_too_short_or_too_late():
    with pytest.raises(InputError, match="gauge 46404 has no sample at 41 min"):
        invert(as_records(random_records()[0, :, :40], GAUGES), make())
    with pytest.raises(InputError, match="gauge 46404 has no sample at 1 min"):
        invert(as_records(random_records()[0], GAUGES, start_min=2), make())


def test_the_tide_is_refused():
    with pytest.raises(InputError, match="records must be free of the tide for a network, got tide_removed = 0"):
        invert(as_records(random_records()[0], GAUGES, tide_removed=False), make())
