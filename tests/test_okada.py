"""Uplift: Okada's own checklist, triangles from another library, and symmetries."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest
from cutde.halfspace import disp_matrix

from slipcast.errors import InputError
from slipcast.geodesy import move
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


def test_parts_are_rectangles_of_their_own():
    x, y = np.random.default_rng(2).uniform(-150e3, 250e3, (2, 50))
    parts = rectangle_uplift(x, y, **FAULT, dip_slip_m=1.0, divisions=(4, 2))
    dip = np.radians(FAULT["dip_deg"])
    # the first of the upper row, whose bottom edge is half the width up dip
    alone = rectangle_uplift(
        x,
        y - 25e3 * np.cos(dip),
        depth_m=22e3 - 25e3 * np.sin(dip),
        dip_deg=14.0,
        length_m=25e3,
        width_m=25e3,
        dip_slip_m=1.0,
    )
    npt.assert_allclose(parts[:, 0], alone[:, 0], rtol=0, atol=1e-12)


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
    seaward = move(source.lon_deg, source.lat_deg, source.strike_deg - 90, 35e3)
    landward = move(source.lon_deg, source.lat_deg, source.strike_deg + 90, 30e3)
    assert unit_source_uplift(*seaward, source)[0] > 0.1
    assert unit_source_uplift(*landward, source)[0] < -0.02


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
    for number, source in enumerate(sources):
        total = by_subfault[:, subfaults.source_index == number].sum(axis=1)
        npt.assert_allclose(total, unit_source_uplift(lon, lat, source)[:, 0], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dip_deg": 0.0}, r"dip_deg must be in \(0, 90\], got 0.0"),
        ({"dip_deg": 91.0}, r"dip_deg must be in \(0, 90\], got 91.0"),
        ({"length_m": 0.0}, "length_m and width_m must be > 0, got 0.0 and 50000.0"),
        ({"width_m": -1.0}, "length_m and width_m must be > 0, got 100000.0 and -1.0"),
        ({"depth_m": 10e3}, r"a fault must lie below the surface, got a top edge -2096.09 m deep"),
    ],
)
def test_faults_that_cannot_be(change, message):
    with pytest.raises(InputError, match=message):
        rectangle_uplift(0.0, 0.0, **(FAULT | change), dip_slip_m=1.0)
