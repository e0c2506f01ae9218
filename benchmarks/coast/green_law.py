"""Scatter of wave heights at the shore of Cascadia about Green's law, in nonlinear runs of half an arc-minute.

python -m benchmarks.coast.green_law --nonlinear runs/nonlinear [--spacing 0.5]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.coast.collect import runs_of
from benchmarks.coast.shelf_maxima import near_points
from slipcast.forecasting.coastal_transfer import CoastalTransfer
from slipcast.geodesy import great_circle_distance
from slipcast.physics.bathymetry import Bathymetry, Grid
from slipcast.regions.region import Region

_WITHIN_M = 30e3  # or a fifth farther than the nearest shore
_SHORE_DEPTH_M = 15.0  # a cell beside land that is deeper is a cliff
_LEAST_M = 0.05


def main() -> None:
    """Print median and standard deviation of ln(height / Green's law)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--nonlinear", type=Path, required=True, help="folder of the runs of benchmarks.coast.nonlinear"
    )
    parser.add_argument("--spacing", type=float, default=0.5, help="arc-minutes")
    arguments = parser.parse_args()
    region = Region.open("cascadia")
    grid = Grid.over(region.grids["near"].lon, region.grids["near"].lat, 1.0)
    depth_m = Bathymetry.etopo1().depth_on(grid)
    ratios = []
    for name, run in runs_of(arguments.nonlinear, f"{arguments.spacing:g}").items():
        for point in near_points(name):
            gauge, offshore_m = region.gauge(point), float(run[point].max())
            metres = great_circle_distance(gauge.lon, gauge.lat, run["shore_lon_deg"], run["shore_lat_deg"])
            near = (metres < max(_WITHIN_M, 1.2 * metres.min())) & (run["shore_depth_m"] < _SHORE_DEPTH_M)
            if offshore_m >= _LEAST_M and near.any():
                expected = CoastalTransfer().median(offshore_m, depth_m[grid.cell(gauge.lon, gauge.lat)])
                ratios.append(np.log(run["shore_highest_m"][near] / expected))
                print(f"{name:16s} {point:14s} {np.median(ratios[-1]):+.2f}, sd {ratios[-1].std():.2f}")
    every = np.concatenate(ratios)
    print(f"all: median {np.median(every):+.3f}, sd {every.std():.3f}, {every.size} cells")


if __name__ == "__main__":
    main()
