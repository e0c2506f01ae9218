"""Longitudes and great circles."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
from hypothesis import given
from hypothesis import strategies as st

from slipcast.geodesy import EARTH_RADIUS_M, destination, distance_azimuth, great_circle_distance, wrap_longitude

LON = st.floats(-720, 720, allow_nan=False)
LAT = st.floats(-85, 85)


@given(LON, st.sampled_from([0.0, -180.0, 219.95]))
def test_wrapped_longitudes_lie_in_their_interval_on_the_same_meridian(lon, west):
    wrapped = float(wrap_longitude(lon, west_deg=west))
    assert west <= wrapped < west + 360
    turns = (wrapped - lon) / 360
    npt.assert_allclose(turns, round(turns), atol=1e-12)


def test_wrapping_of_what_rounds_to_a_whole_turn():
    assert wrap_longitude(-1e-20) == 0.0
    npt.assert_array_equal(wrap_longitude(np.array([360.0, -360.0, 0.0])), 0.0)


def test_the_same_buoy():
    npt.assert_allclose(wrap_longitude(-128.7), 231.3, rtol=1e-14)
    npt.assert_allclose(great_circle_distance(-128.7, 45.9, 231.3, 45.9), 0.0, atol=1e-6)


def test_a_quarter_of_the_equator_and_of_a_meridian():
    quarter = np.pi / 2 * EARTH_RADIUS_M
    npt.assert_allclose(distance_azimuth(10.0, 0.0, 100.0, 0.0), (quarter, 90.0))
    npt.assert_allclose(distance_azimuth(10.0, 0.0, 10.0, 90.0), (quarter, 0.0), atol=1e-9)
    npt.assert_allclose(distance_azimuth(350.0, 0.0, -100.0, 0.0), (quarter, 270.0))


def test_distance_from_vectors():
    # the angle between unit vectors is a second way, good for points far apart
    rng = np.random.default_rng(1)
    lon, lat = rng.uniform(0, 360, (2, 100)), rng.uniform(-80, 80, (2, 100))

    def vector(at):
        rad_lon, rad_lat = np.radians(lon[at]), np.radians(lat[at])
        return np.stack([np.cos(rad_lat) * np.cos(rad_lon), np.cos(rad_lat) * np.sin(rad_lon), np.sin(rad_lat)])

    angle = np.arccos((vector(0) * vector(1)).sum(axis=0))
    npt.assert_allclose(great_circle_distance(lon[0], lat[0], lon[1], lat[1]), EARTH_RADIUS_M * angle, rtol=1e-9)


@given(LON, LAT, st.floats(0, 360, exclude_max=True), st.floats(1.0, 5e6))
def test_going_somewhere_and_looking_back(lon, lat, azimuth, distance):
    there = destination(lon, lat, azimuth, distance)
    found, direction = distance_azimuth(lon, lat, *there)
    npt.assert_allclose(found, distance, rtol=1e-6, atol=1e-3)
    turn = (direction - azimuth + 180) % 360 - 180
    # metres at the start that an error of the direction is worth
    assert abs(np.radians(turn)) * distance < 1.0 + 1e-6 * distance
    assert 0 <= there[0] < 360


def test_a_negative_distance_goes_backwards():
    npt.assert_allclose(destination(0.5, 10.0, 30.0, -70e3), destination(0.5, 10.0, 210.0, 70e3), rtol=1e-12)


def test_going_across_greenwich_and_along_a_meridian():
    degree = np.radians(1.0) * EARTH_RADIUS_M
    npt.assert_allclose(destination(359.9, 0.0, 90.0, degree), (0.9, 0.0), atol=1e-9)
    npt.assert_allclose(destination(0.1, 0.0, 270.0, degree), (359.1, 0.0), atol=1e-9)
    npt.assert_allclose(destination(-128.7, 45.0, 0.0, degree), (231.3, 46.0), atol=1e-9)


def test_metres_apart_are_not_lost_to_rounding():
    # the arc cosine of the angle between vectors would give zero or 0.1 m here
    npt.assert_allclose(great_circle_distance(231.3, 0.0, 231.3 + 1e-7, 0.0), 0.0111195, rtol=1e-5)
