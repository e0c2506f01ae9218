"""Seismic moment and magnitude."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipcast.errors import InputError
from slipcast.physics.moment import moment_magnitude, moment_of_magnitude, seismic_moment


def test_a_metre_on_a_unit_source_is_magnitude_7_47():
    moment = seismic_moment([1.0], 100e3 * 50e3)
    npt.assert_allclose(moment, 40e9 * 100e3 * 50e3)
    assert round(float(moment_magnitude(moment)), 2) == 7.47


def test_magnitudes_of_published_moments():
    # Global CMT: Maule 2010, 1.86e22 N m, Mw 8.8; Tohoku 2011, 5.31e22 N m, Mw 9.1
    npt.assert_allclose(moment_magnitude([1.86e22, 5.31e22]), [8.8, 9.1], atol=0.05)


@given(st.floats(5.0, 9.6))
def test_there_and_back(magnitude):
    npt.assert_allclose(moment_magnitude(moment_of_magnitude(magnitude)), magnitude, rtol=1e-12)


def test_moment_is_a_sum_over_the_last_axis():
    slip = np.arange(6.0).reshape(2, 3)
    npt.assert_allclose(seismic_moment(slip, np.array([1.0, 2.0, 3.0]), rigidity_pa=2.0), [16.0, 52.0])


def test_no_slip_has_no_magnitude():
    assert moment_magnitude(seismic_moment([0.0, 0.0], 5e9)) == -np.inf


@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf])
def test_slip_that_cannot_be(value):
    with pytest.raises(InputError, match=rf"slip_m must be finite and >= 0 m, got {value} at index \(1, 2\)"):
        seismic_moment([[1.0, 1.0, 1.0], [1.0, 1.0, value]], 5e9)
