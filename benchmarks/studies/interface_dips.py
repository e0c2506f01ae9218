"""How far dips of unit sources are from those of Slab2, and what that makes of slip for given waves.

    python -m benchmarks.studies.interface_dips SLAB2 --json docs/benchmarks/interface_dips.json

SLAB2 holds grids of depth of the plate interface (Hayes et al. 2018, doi:10.1126/science.aat4723) as published,
``cas_slab2_dep.grd.nc`` and so on. What lifts the sea above a thrust goes with moment times sin(2 dip): where the
interface dips less than a unit source, as much of a wave needs more slip. That is averaged over ruptures of five
columns and the two shallowest rows. Seconds; the table stands in docs/limits.md after ``python -m benchmarks.pages``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from benchmarks.markdown import Rows
from benchmarks.provenance import ROOT, source_files, tables, write_compact
from slipcast.geodesy import EARTH_RADIUS_M
from slipcast.physics.unit_sources import UnitSource, catalogue

ZONES = {
    "cas": ("Cascadia", "ac"),
    "kur": ("Kamchatka, Kuril Islands, Japan", "ki"),
}  # grid: name, zone of unit sources
SHALLOWEST, COLUMNS = "ab", 5
COMMAND = "python -m benchmarks.studies.interface_dips SLAB2 --json docs/benchmarks/interface_dips.json"


def code(root: Path = ROOT) -> list[Path]:
    """Return the files on which the table depends."""
    return source_files("benchmarks/studies/interface_dips.py", root=root)


def interface_dip_deg(depth_km: xr.DataArray) -> xr.DataArray:
    """Return the dip of an interface from its depth, km, positive or negative down, by ``y`` and ``x``, degrees."""
    lat, lon = depth_km["y"].to_numpy(), depth_km["x"].to_numpy()
    north, east = np.gradient(depth_km.to_numpy(), lat, lon)
    km_per_deg = np.radians(1.0) * EARTH_RADIUS_M / 1e3
    slope = np.hypot(north, east / np.cos(np.radians(lat))[:, np.newaxis]) / km_per_deg
    return depth_km.copy(data=np.degrees(np.arctan(slope)))


def compared(depth_km: xr.DataArray, zone: str) -> list[tuple[UnitSource, float]]:
    """Return the unit sources of a zone whose middles the interface has, each with the dip of the interface there."""
    dips = interface_dip_deg(depth_km)
    found = []
    for source in catalogue().values():
        if source.name.startswith(zone) and source.row in SHALLOWEST:
            lon, lat, _ = source.point(0.0, source.width_m / 2)
            dip_deg = float(dips.interp(x=lon % 360.0, y=lat))
            if np.isfinite(dip_deg):
                found.append((source, dip_deg))
    return found


def more_slip(pairs: Sequence[tuple[UnitSource, float]]) -> list[float]:
    """Return for each rupture of neighbouring columns ln of the slip for given waves, over that of unit sources."""
    columns = sorted({source.column for source, _ in pairs})
    found = []
    for first in columns:
        rupture = [pair for pair in pairs if first <= pair[0].column < first + COLUMNS]
        if {source.column for source, _ in rupture} == set(range(first, first + COLUMNS)):
            lifts = np.sin(2 * np.radians([(source.dip_deg, dip_deg) for source, dip_deg in rupture])).sum(axis=0)
            found.append(float(np.log(lifts[0] / lifts[1])))
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slab2", type=Path)
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "benchmarks" / "interface_dips.json")
    given = parser.parse_args(argv)
    rows = Rows(
        "zone", "unit sources", "their dip (°)", "dip of Slab2 (°)", "ruptures", "ln of slip over theirs", "its rms"
    )
    squares = []
    for grid, (name, zone) in ZONES.items():
        with xr.open_dataset(given.slab2 / f"{grid}_slab2_dep.grd.nc") as opened:
            pairs = compared(opened["z"].load(), zone)
        ratios = np.array(more_slip(pairs))
        squares.append(np.mean(ratios**2))
        own, slab = np.mean([(source.dip_deg, dip_deg) for source, dip_deg in pairs], axis=0)
        spread = f"{np.median(ratios):+.2f} ({ratios.min():+.2f} to {ratios.max():+.2f})"
        rms = f"{np.sqrt(squares[-1]):.2f}"
        rows.add(name, str(len(pairs)), f"{own:.1f}", f"{slab:.1f}", str(len(ratios)), spread, rms)
    rows.add("both, as much of each", "", "", "", "", "", f"{np.sqrt(np.mean(squares)):.2f}")
    write_compact(given.json, tables({"interface_dips": rows.results()}, COMMAND, code()))


if __name__ == "__main__":
    main()
