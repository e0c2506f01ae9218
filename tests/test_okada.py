"""Uplift: Okada's own checklist, triangles from another library, and symmetries."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.testing as npt
import pytest
from cutde.halfspace import disp_matrix

from slipcast.errors import InputError
from slipcast.geodesy import EARTH_RADIUS_M, destination, great_circle_distance
from slipcast.physics.okada import rectangle_uplift, subfault_uplift, unit_source_uplift
from slipcast.physics.unit_sources import subdivide, unit_source

CASE_2 = {"depth_m": 4.0, "dip_deg": 70.0, "length_m": 3.0, "width_m": 2.0}
CASE_3 = {"depth_m": 4.0, "dip_deg": 90.0, "length_m": 3.0, "width_m": 2.0}
FAULT = {"depth_m": 22e3, "dip_deg": 14.0, "length_m": 100e3, "width_m": 50e3}


@pytest.mark.parametrize(
    ("point", "fault", "slip", "expected"),
    [
        ((2.0, 3.0), CASE_2, "strike_slip_m", -2.747e-3),
        ((2.0, 3.0), CASE_2, "dip_slip_m", -3.564e-2),
        # case 3, a vertical fault seen from the line above it: the formula is singular there and its limit finite
        ((0.0, 0.0), CASE_3, "strike_slip_m", 0.0),
        ((0.0, 0.0), CASE_3, "dip_slip_m", 0.0),
    ],
)
def test_checklist_of_okada_table_2(point, fault, slip, expected):
    found = rectangle_uplift(*point, **fault, **{slip: 1.0})[0]
    npt.assert_allclose(found, expected, rtol=2e-4, atol=1e-12)  # four digits are printed


def triangles(x, y, *, depth_m, dip_deg, length_m, width_m, strike_slip_m, dip_slip_m):
    """Compute the uplift by the two triangles that make a rectangle, in the coordinates of Okada."""
    dip = np.radians(dip_deg)
    up = np.array([0.0, width_m * np.cos(dip), width_m * np.sin(dip)])
    a = np.array([0.0, 0.0, -depth_m])
    b = a + np.array([length_m, 0.0, 0.0])
    points = np.stack([x, y, np.zeros_like(x)], axis=1)
    corners = np.array([[a, b, b + up], [a, b + up, a + up]])
    matrix = disp_matrix(points, corners, 0.25)  # observation, component, triangle, slip component
    return matrix[:, 2] @ np.array([strike_slip_m, dip_slip_m, 0.0]) @ np.ones(2)


@pytest.mark.parametrize("seed", range(6))
def test_two_triangles_of_another_library(seed):
    rng = np.random.default_rng(seed)
    dip, width = rng.uniform(5, 85), rng.uniform(20e3, 80e3)
    fault = {
        "depth_m": width * np.sin(np.radians(dip)) + rng.uniform(1e3, 20e3),
        "dip_deg": dip,
        "length_m": rng.uniform(50e3, 150e3),
        "width_m": width,
        "strike_slip_m": rng.normal(),
        "dip_slip_m": rng.normal(),
    }
    x, y = rng.uniform(-200e3, 300e3, (2, 400))
    found, expected = rectangle_uplift(x, y, **fault)[:, 0], triangles(x, y, **fault)
    npt.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_parts_add_up_to_the_whole():
    x, y = np.random.default_rng(1).uniform(-150e3, 250e3, (2, 50))
    whole = rectangle_uplift(x, y, **FAULT, strike_slip_m=0.3, dip_slip_m=1.0)
    parts = rectangle_uplift(x, y, **FAULT, strike_slip_m=0.3, dip_slip_m=1.0, divisions=(7, 3))
    assert parts.shape == (50, 21)
    npt.assert_allclose(parts.sum(axis=1), whole[:, 0], rtol=0, atol=1e-12)


def one_corner(xi, eta, q, dip, strike_slip, dip_slip):
    """Evaluate the vertical part of Okada's eqs. (25) and (26) as they are printed, with (28) and (29)."""
    sin, cos, ratio = math.sin(dip), math.cos(dip), 0.5
    big_x = math.sqrt(xi**2 + q**2)
    r = math.sqrt(xi**2 + eta**2 + q**2)
    d = eta * sin - q * cos
    i4 = ratio / cos * (math.log(r + d) - sin * math.log(r + eta))
    above = eta * (big_x + q * cos) + big_x * (r + big_x) * sin
    i5 = ratio * 2 / cos * math.atan(above / (xi * (r + big_x) * cos))
    by_strike_slip = d * q / (r * (r + eta)) + q * sin / (r + eta) + i4 * sin
    by_dip_slip = d * q / (r * (r + xi)) + sin * math.atan(xi * eta / (q * r)) - i5 * sin * cos
    return -(strike_slip * by_strike_slip + dip_slip * by_dip_slip) / (2 * math.pi)


def plain_uplift(x, y, *, depth_m, dip_deg, length_m, width_m, strike_slip_m, dip_slip_m):
    """Compute the uplift at one point by the four corners, in Chinnery's notation."""
    dip = math.radians(dip_deg)
    p = y * math.cos(dip) + depth_m * math.sin(dip)
    q = y * math.sin(dip) - depth_m * math.cos(dip)
    return sum(
        sign * one_corner(x - along, p - up, q, dip, strike_slip_m, dip_slip_m)
        for sign, along, up in ((1, 0, 0), (-1, 0, width_m), (-1, length_m, 0), (1, length_m, width_m))
    )


@pytest.mark.parametrize("dip_deg", [6.0, 14.0, 45.0, 80.0])
def test_parts_are_rectangles_of_their_own(dip_deg):
    # the kernel shares corners between parts; here each is a fault, evaluated from the printed formulas
    x, y = np.random.default_rng(2).uniform(-150e3, 250e3, (2, 40))
    slip = {"strike_slip_m": -0.4, "dip_slip_m": 1.0}
    depth, dip = 55e3, np.radians(dip_deg)
    whole = {"depth_m": depth, "dip_deg": dip_deg, "length_m": 100e3, "width_m": 50e3}
    parts = rectangle_uplift(x, y, **whole, **slip, divisions=(4, 2))
    assert parts.shape == (40, 8)
    for number in range(8):
        # parts go from the upper row down and along strike within a row; a part is placed by its bottom edge
        down, along = divmod(number, 4)
        up = 25e3 * (1 - down)
        part = {"depth_m": depth - up * np.sin(dip), "dip_deg": dip_deg, "length_m": 25e3, "width_m": 25e3}
        expected = [
            plain_uplift(a - 25e3 * along, b - up * np.cos(dip), **part, **slip) for a, b in zip(x, y, strict=True)
        ]
        npt.assert_allclose(parts[:, number], expected, rtol=0, atol=1e-10)  # the printed forms cancel where eta < 0


@pytest.mark.parametrize("slip", [(1.0, 0.0), (0.0, 1.0)])
def test_points_where_terms_of_the_formula_are_singular(slip):
    # on the lines above the ends of the fault (xi = 0) and where its plane meets the surface (q = 0) the sum is smooth
    fault = FAULT | {"strike_slip_m": slip[0], "dip_slip_m": slip[1]}
    trace = FAULT["depth_m"] / np.tan(np.radians(FAULT["dip_deg"]))
    x = np.array([0.0, 100e3, 0.0, 100e3, -30e3, 40e3, 150e3])
    y = np.array([30e3, 30e3, -80e3, trace, trace, trace, trace])
    found, expected = rectangle_uplift(x, y, **fault)[:, 0], triangles(x, y, **fault)
    npt.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_slip_up_to_the_surface_parts_it_by_the_throw():
    # crossing the trace of a fault that breaks the surface, uplift jumps by the vertical part of the slip
    for dip_deg in (20.0, 50.0, 90.0):
        dip = np.radians(dip_deg)
        fault = {"depth_m": 20e3 * np.sin(dip), "dip_deg": dip_deg, "length_m": 40e3, "width_m": 20e3}
        y = 20e3 * np.cos(dip) + np.array([0.01, -0.01])
        seaward, landward = rectangle_uplift(20e3, y, **fault, dip_slip_m=1.0)[:, 0]
        # the hanging wall lies on the side to which the plane dips: at lesser y
        npt.assert_allclose(landward - seaward, np.sin(dip), atol=1e-4)


@pytest.mark.parametrize("slip_m", [1e-9, 1e-6, 50.0])
def test_linear_however_small_the_slip(slip_m):
    x, y = np.random.default_rng(3).uniform(-900e3, 900e3, (2, 200))
    unit = rectangle_uplift(x, y, **FAULT, strike_slip_m=0.5, dip_slip_m=1.0)
    scaled = rectangle_uplift(x, y, **FAULT, strike_slip_m=0.5 * slip_m, dip_slip_m=slip_m)
    npt.assert_allclose(scaled / slip_m, unit, rtol=0, atol=1e-14 * np.abs(unit).max())


def test_dip_slip_is_symmetric_along_strike_and_strike_slip_odd():
    x, y = np.random.default_rng(4).uniform(-150e3, 250e3, (2, 50))
    mirrored = 100e3 - x
    for slip, sign in (("dip_slip_m", 1), ("strike_slip_m", -1)):
        here, there = (rectangle_uplift(at, y, **FAULT, **{slip: 1.0}) for at in (x, mirrored))
        npt.assert_allclose(there, sign * here, rtol=0, atol=1e-13)


def test_a_vertical_fault_is_the_limit_of_a_steep_one():
    x, y = np.random.default_rng(5).uniform(-40e3, 80e3, (2, 100))
    for slip in ("dip_slip_m", "strike_slip_m"):
        steep, vertical = (
            rectangle_uplift(x, y, depth_m=30e3, dip_deg=dip, length_m=40e3, width_m=20e3, **{slip: 1.0})
            for dip in (90 - 1e-3, 90.0)
        )
        npt.assert_allclose(steep, vertical, rtol=0, atol=1e-4)


def test_a_thrust_lifts_the_trench_side_and_lowers_the_land():
    source = unit_source("acszb58")
    seaward = destination(source.lon_deg, source.lat_deg, source.strike_deg - 90, 35e3)
    landward = destination(source.lon_deg, source.lat_deg, source.strike_deg + 90, 30e3)
    assert unit_source_uplift(*seaward, source)[0] > 0.1
    assert unit_source_uplift(*landward, source)[0] < -0.02


@pytest.mark.parametrize("rake_deg", [90.0, -90.0, 0.0, 180.0, 37.0])
@pytest.mark.parametrize("turn", [0.0, 360.0])
def test_a_source_at_greenwich_and_a_grid_on_its_other_side(rake_deg, turn):
    # strike north on the equator: Okada's x runs north and his y west, and the sphere is flat to a part in a thousand
    source = replace(unit_source("acsza58"), lon_deg=359.9, lat_deg=0.0, strike_deg=0.0, rake_deg=rake_deg)
    lon, lat = (degrees.ravel() for degrees in np.meshgrid(np.arange(-0.5, 0.51, 0.2), np.linspace(-0.6, 0.6, 7)))
    found = unit_source_uplift(lon + turn, lat, source)[:, 0]
    metres = EARTH_RADIUS_M * np.pi / 180
    expected = rectangle_uplift(
        lat * metres + source.length_m / 2,
        -(lon + 0.1) * metres * np.cos(np.radians(lat)),
        depth_m=source.depth_m + source.width_m * np.sin(np.radians(source.dip_deg)),
        dip_deg=source.dip_deg,
        length_m=source.length_m,
        width_m=source.width_m,
        strike_slip_m=np.cos(np.radians(rake_deg)),
        dip_slip_m=np.sin(np.radians(rake_deg)),
    )[:, 0]
    assert np.abs(expected).max() > 0.03
    npt.assert_allclose(found, expected, rtol=0, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("turn", [-360.0, 360.0])
def test_longitudes_on_any_branch(turn):
    source = unit_source("acsza58")
    lon, lat = np.array([230.0, 233.5, 236.0]), np.array([45.0, 46.5, 48.0])
    here = unit_source_uplift(lon, lat, source)
    npt.assert_allclose(unit_source_uplift(lon + turn, lat, source), here, rtol=0, atol=1e-13)  # degrees are rounded


def test_subfaults_stand_in_the_order_of_their_sources():
    sources = [unit_source(name) for name in ("acsza58", "acszb58", "cssza90")]
    lon, lat = np.array([233.0, 235.0, 290.0]), np.array([46.0, 47.0, -35.0])
    subfaults = subdivide(sources, 10.0)
    by_subfault = subfault_uplift(lon, lat, subfaults)
    assert by_subfault.shape == (3, len(subfaults))
    assert subfault_uplift(lon, lat, subfaults, dtype=np.float32).dtype == np.float32
    for number, source in enumerate(sources):
        total = by_subfault[:, subfaults.source_index == number].sum(axis=1)
        npt.assert_allclose(total, unit_source_uplift(lon, lat, source)[:, 0], rtol=0, atol=1e-12)


def test_a_subfault_is_felt_above_its_own_place():
    # a small patch lifts the sea floor most a little up dip of its centre: in space, not only in order
    source = unit_source("acszb58")
    subfaults = subdivide([source], 25.0)
    lon, lat = np.meshgrid(np.arange(233.0, 236.0, 0.02), np.arange(46.0, 48.5, 0.02))
    uplift = subfault_uplift(lon.ravel(), lat.ravel(), subfaults)
    for number in range(len(subfaults)):
        highest = int(uplift[:, number].argmax())
        away = great_circle_distance(
            lon.ravel()[highest], lat.ravel()[highest], subfaults.lon_deg[number], subfaults.lat_deg[number]
        )
        assert away < 15e3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dip_deg": 0.0}, r"dip_deg must be in \(0, 90\], got 0.0"),
        ({"dip_deg": 91.0}, r"dip_deg must be in \(0, 90\], got 91.0"),
        ({"length_m": 0.0}, "length_m and width_m must be > 0 and finite, got 0.0 and 50000.0"),
        ({"width_m": -1.0}, "length_m and width_m must be > 0 and finite, got 100000.0 and -1.0"),
        ({"length_m": np.inf}, "length_m and width_m must be > 0 and finite, got inf and 50000.0"),
        ({"depth_m": np.nan}, "depth_m must be finite, got nan"),
        ({"divisions": (0, 1)}, r"divisions must be at least 1, got \(0, 1\)"),
        ({"depth_m": 10e3}, r"a fault must lie below the surface, got a top edge -2096.09 m deep"),
    ],
)
def test_faults_that_cannot_be(change, message):
    with pytest.raises(InputError, match=message):
        rectangle_uplift(0.0, 0.0, **(FAULT | change), dip_slip_m=1.0)
