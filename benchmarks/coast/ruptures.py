"""Ruptures of Cascadia for which shelf maxima are compared, and their uplift.

Slip is in metres on whole unit sources. Half of the ruptures calibrate the coast, the other half check it; both halves
have single unit sources and larger ruptures, along the whole margin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from slipcast.physics.bathymetry import Grid
from slipcast.physics.projection import uplift_box
from slipcast.physics.shallow_water import LongWaves
from slipcast.physics.unit_sources import subdivide, unit_source
from slipcast.physics.uplift_map import UpliftMap
from slipcast.regions.region import Region

__all__ = ["HOURS", "REACH_DEG", "RUPTURES", "Rupture", "UpliftField", "refined_lat_deg", "shelf_points", "uplift_of"]

HOURS = 2.0
"""Length of the runs."""

REACH_DEG = 2.5
"""How far from the unit sources of a rupture maxima are compared, degrees of latitude."""

_ANY_DEPTH_M = 4000.0


class Rupture(NamedTuple):
    """Slip on unit sources, m, by name; whether the rupture calibrates."""

    slip_m: Mapping[str, float]
    calibrates: bool


class UpliftField(NamedTuple):
    """Uplift at the nodes of a rectangle, 1 arc-minute apart, sea and land: degrees, degrees, m."""

    lon_deg: np.ndarray
    lat_deg: np.ndarray
    uplift_m: np.ndarray


def _block(rows: str, first: int, last: int, slip_m: float) -> dict[str, float]:
    """Give the unit sources of some rows and a range of columns one slip."""
    return {f"acsz{row}{column}": slip_m for row in rows for column in range(first, last + 1)}


def _tapered(rows: str, first: int, last: int, slip_m: float) -> dict[str, float]:
    """Give a range of columns a slip that falls as a half sine towards both ends."""
    along = (np.arange(first, last + 1) - first + 0.5) / (last + 1 - first)
    return {
        f"acsz{row}{column}": round(float(slip_m * np.sin(np.pi * x)), 2)
        for row in rows
        for column, x in zip(range(first, last + 1), along)
    }


RUPTURES: dict[str, Rupture] = {
    "b55_8m": Rupture({"acszb55": 8.0}, True),
    "a56_6m": Rupture({"acsza56": 6.0}, False),
    "b57_8m": Rupture({"acszb57": 8.0}, True),
    "a58_5m": Rupture({"acsza58": 5.0}, False),
    "b59_10m": Rupture({"acszb59": 10.0}, True),
    "a60_6m": Rupture({"acsza60": 6.0}, True),
    "b60_10m": Rupture({"acszb60": 10.0}, False),
    "a61_8m": Rupture({"acsza61": 8.0}, True),
    "b62_7m": Rupture({"acszb62": 7.0}, False),
    "a63_5m": Rupture({"acsza63": 5.0}, True),
    "b64_9m": Rupture({"acszb64": 9.0}, False),
    "a65_6m": Rupture({"acsza65": 6.0}, True),
    "ab59_3m": Rupture(_block("ab", 59, 59, 3.0), False),
    "ab62_3m": Rupture(_block("ab", 62, 62, 3.0), True),
    "north_5m": Rupture(_block("ab", 56, 57, 5.0), False),
    "washington_6m": Rupture(_block("ab", 58, 60, 6.0), True),
    "oregon_4m": Rupture(_block("ab", 60, 62, 4.0), False),
    "south_7m": Rupture(_block("ab", 63, 65, 7.0), True),
    "shallow_10m": Rupture(_block("b", 62, 65, 10.0), False),
    "deep_6m": Rupture(_block("az", 56, 62, 6.0), False),
    "two_patches": Rupture(_block("ab", 57, 58, 3.0) | _block("ab", 62, 63, 9.0), True),
    "margin_12m": Rupture(_tapered("ab", 56, 65, 12.0), False),
}
"""By name; the slips make Mw 7.9 to 8.9."""


def uplift_of(rupture: Rupture) -> UpliftField:
    """Compute the uplift of a rupture by the formula and subfaults that banks use, on land too."""
    region = Region.open("cascadia")
    plan = region.grids["near"]
    grid = Grid.over(plan.lon, plan.lat, 1.0)
    everywhere = LongWaves(grid, np.full(grid.shape, _ANY_DEPTH_M))  # as if at sea, so that land rises too
    box = uplift_box(everywhere, region.subfaults())
    subfaults = subdivide([unit_source(name) for name in rupture.slip_m], region.subfault_km)
    by_source = np.array([rupture.slip_m[source.name] for source in subfaults.sources])
    uplift_m = UpliftMap(everywhere, box, subfaults).forward(by_source[subfaults.source_index])
    return UpliftField(grid.lon_deg[box.slices[1]], grid.lat_deg[box.slices[0]], uplift_m)


def refined_lat_deg(rupture: Rupture) -> tuple[float, float]:
    """Return the range of latitudes in which nonlinear runs resolve the shelf, degrees."""
    lat = [unit_source(name).lat_deg for name in rupture.slip_m]
    return min(lat) - REACH_DEG, max(lat) + REACH_DEG


def shelf_points() -> list[str]:
    """Return the names of the near forecast points of Cascadia."""
    return [gauge.name for gauge in Region.open("cascadia").gauges if gauge.grid == "near" and gauge.kind == "forecast"]
