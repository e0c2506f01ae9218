"""Nonlinear runs of GeoClaw for the ruptures of Cascadia.

Needs gfortran, make and the unpacked source package of Clawpack 5.14 (`pip download --no-binary :all: clawpack`). It
is built in the output folder. Runs that are done are kept and not made again. Manning's coefficient 0.025, no rotation,
the bathymetry of the package; the sea floor moves within a second. The ocean has cells of 3 arc-minutes; within 2.5
degrees of latitude of the rupture the continental slope has 1, the shelf half of one (with four levels a quarter). A
run of two hours takes five to ten minutes of one core.

    python -m benchmarks.coast.geoclaw --claw clawpack-5.14.0 --out runs/geoclaw [NAME ...]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.coast.ruptures import HOURS, RUPTURES, Rupture, UpliftField, refined_lat_deg, uplift_of
from slipcast.geodesy import EARTH_RADIUS_M
from slipcast.physics.bathymetry import Bathymetry, Grid
from slipcast.physics.shallow_water import GRAVITY_M_S2
from slipcast.regions.region import Region

SAMPLE_S = 60.0
_LON_DEG, _LAT_DEG = (228.5, 238.5), (37.0, 51.5)  # smaller than the region's grid, for a wave that leaves is gone
_COARSE_ARCMIN = 3.0
_RATIOS = (3, 2, 2)
# west, east, south, north of what is refined once, the continental slope, and further, the shelf
_SLOPE = [
    (235.3, 237.9, 37.2, 39.5),
    (234.6, 236.4, 39.5, 43.0),
    (234.2, 236.5, 43.0, 46.8),
    (233.6, 236.0, 46.8, 48.6),
    (232.2, 235.0, 48.6, 49.6),
    (231.0, 233.6, 49.6, 50.6),
]
_SHELF = [
    (236.4, 237.8, 37.3, 38.6),
    (235.9, 236.7, 38.6, 39.8),
    (235.2, 236.1, 39.8, 41.8),
    (235.0, 235.9, 41.8, 43.2),
    (235.0, 236.3, 43.2, 46.8),
    (234.8, 236.1, 46.8, 47.6),
    (234.2, 235.9, 47.6, 48.6),
    (233.0, 235.0, 48.6, 49.5),
    (231.7, 233.6, 49.5, 50.5),
]
_MARGIN_DEG = 1.0
_RISE_S = 1.0
_MANNING = 0.025
_FLAGS = "-O3 -march=native -funroll-loops"


def build(claw: Path, folder: Path) -> Path:
    """Compile GeoClaw; return the program."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "xgeoclaw"
    if not program.exists():
        shutil.copy(claw / "geoclaw" / "examples" / "tsunami" / "chile2010" / "Makefile", folder)
        with (folder / "make.log").open("w") as log:
            environment = os.environ | {"CLAW": str(claw), "FC": "gfortran", "FFLAGS": _FLAGS}
            subprocess.run(["make", ".exe"], cwd=folder, env=environment, stdout=log, stderr=log, check=True)
    return program


def write_grid(path: Path, lon_deg: np.ndarray, lat_deg: np.ndarray, fields: list[np.ndarray], head: str) -> None:
    """Write fields as rows of numbers from north to south, after a head."""
    step = lon_deg[1] - lon_deg[0]
    with path.open("w") as file:
        file.write(head.format(columns=lon_deg.size, rows=lat_deg.size, west=lon_deg[0], south=lat_deg[0], step=step))
        for field in fields:
            np.savetxt(file, field[::-1], fmt="%.6g")


def write_topography(path: Path) -> None:
    """Write the sea floor at the nodes of the packaged ETOPO1; GeoClaw interpolates as slipcast does."""
    lon, lat = ((low - _MARGIN_DEG, high + _MARGIN_DEG) for low, high in (_LON_DEG, _LAT_DEG))
    grid = Grid.over(lon, lat, 6.0)
    head = "{columns} mx\n{rows} my\n{west:.12g} xlower\n{south:.12g} ylower\n{step:.15g} dx\n-99999 nodata\n"
    write_grid(path, grid.lon_deg, grid.lat_deg, [-Bathymetry.etopo1().depth_on(grid)], head)


def write_uplift(path: Path, field: UpliftField) -> None:
    """Write the motion of the sea floor: none, then all of it."""
    head = (
        "{columns} mx\n{rows} my\n2 mt\n{west:.12g} xlower\n{south:.12g} ylower\n0.0 t0\n"
        f"{{step:.15g}} dx\n{{step:.15g}} dy\n{_RISE_S} dt\n"
    )
    write_grid(path, field.lon_deg, field.lat_deg, [np.zeros_like(field.uplift_m), field.uplift_m], head)


def _between(boxes: list[tuple], south: float, north: float) -> list[tuple]:
    """Cut boxes to a range of latitudes."""
    cut = [(west, east, max(low, south), min(high, north)) for west, east, low, high in boxes]
    return [box for box in cut if box[3] - box[2] > 0.1]


def write_settings(claw: Path, folder: Path, rupture: Rupture, levels: int) -> None:
    """Write all files that GeoClaw reads."""
    sys.path.insert(0, str(claw))
    os.environ["CLAW"] = str(claw)
    from clawpack.clawutil.data import ClawRunData

    run = ClawRunData("geoclaw", 2)
    grid = Grid.over(_LON_DEG, _LAT_DEG, _COARSE_ARCMIN)
    wave = run.clawdata
    wave.num_eqn, wave.num_aux, wave.capa_index, wave.num_waves = 3, 3, 2, 3
    half = grid.spacing_deg / 2  # cells are centred on the points of the grid
    wave.lower = [_LON_DEG[0] - half, _LAT_DEG[0] - half]
    wave.upper = [_LON_DEG[1] - half, _LAT_DEG[1] - half]
    wave.num_cells = list(grid.shape[::-1])
    wave.output_style, wave.num_output_times, wave.tfinal = 1, 1, HOURS * 3600
    wave.output_t0, wave.output_format, wave.verbosity = False, "binary", 0
    wave.dt_initial, wave.cfl_desired, wave.cfl_max, wave.steps_max = 0.2, 0.75, 1.0, 100000
    wave.order, wave.transverse_waves, wave.limiter, wave.use_fwaves = 2, 2, ["mc"] * 3, True
    wave.source_split, wave.num_ghost, wave.checkpt_style = "godunov", 2, 0
    wave.bc_lower, wave.bc_upper = ["extrap"] * 2, ["extrap"] * 2
    refined = run.amrdata
    refined.amr_levels_max, refined.max1d, refined.regrid_interval = levels, 60, 10**6  # grids stay where they are
    refined.refinement_ratios_x = refined.refinement_ratios_y = refined.refinement_ratios_t = list(_RATIOS)
    run.refinement_data.variable_dt_refinement_ratios = True
    boxes = [(1, *_LON_DEG, *_LAT_DEG)]
    boxes += [(min(2, levels), *box) for box in _between(_SLOPE, *refined_lat_deg(rupture))]
    boxes += [(levels, *box) for box in _between(_SHELF, *refined_lat_deg(rupture))]
    run.regiondata.regions = [[level, level, 0.0, 1e10, *box] for level, *box in boxes]
    refined.aux_type = ["center", "capacity", "yleft"]
    gauges = [gauge for gauge in Region.open("cascadia").gauges if gauge.grid == "near"]
    run.gaugedata.gauges = [[number, g.lon % 360, g.lat, 0.0, 1e10] for number, g in enumerate(gauges)]
    geo = run.geo_data
    geo.gravity, geo.earth_radius, geo.coordinate_system = GRAVITY_M_S2, EARTH_RADIUS_M, 2
    geo.coriolis_forcing, geo.friction_forcing, geo.manning_coefficient = False, True, _MANNING
    geo.friction_depth, geo.dry_tolerance, geo.sea_level = 1e6, 1e-3, 0.0
    run.topo_data.topofiles = [[3, str(folder / "topography.tt3")]]
    run.dtopo_data.dtopofiles = [[3, str(folder / "uplift.tt3")]]
    run.dtopo_data.dt_max_dtopo = 0.2
    kept = Path.cwd()
    os.chdir(folder)
    try:
        run.write()
    finally:
        os.chdir(kept)


def read_series(folder: Path, count: int) -> np.ndarray:
    """Read sea level every minute, m, shape (n_gauges, n_times)."""
    times = SAMPLE_S * np.arange(round(HOURS * 3600 / SAMPLE_S) + 1)
    series = []
    for number in range(count):
        rows = np.loadtxt(folder / f"gauge{number:05d}.txt")
        series.append(np.interp(times, rows[:, 1], rows[:, -1]))
    return np.stack(series)


def run_rupture(program: Path, claw: Path, out: Path, name: str, levels: int) -> None:
    """Run one rupture unless it is done, and keep its series."""
    kept = out / f"{name}_{levels}.npz"
    if kept.exists():
        return
    folder = out / "work"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    region = Region.open("cascadia")
    start = time.perf_counter()
    write_topography(folder / "topography.tt3")
    write_uplift(folder / "uplift.tt3", uplift_of(RUPTURES[name]))
    write_settings(claw, folder, RUPTURES[name], levels)
    ready = time.perf_counter()
    with (folder / "log").open("w") as log:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        subprocess.run([program], cwd=folder, env=environment, stdout=log, stderr=log, check=True)
    names = [gauge.name for gauge in region.gauges if gauge.grid == "near"]
    np.savez(kept, gauges=names, sea_level_m=read_series(folder, len(names)))
    print(f"{name}, {levels} levels: {ready - start:.0f} + {time.perf_counter() - ready:.0f} s", flush=True)


def main() -> None:
    """Make runs, or collect them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ruptures", nargs="*", metavar="NAME", help="by default all")
    parser.add_argument("--claw", type=Path, required=True, help="unpacked source package of Clawpack")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument(
        "--levels", type=int, default=3, help="1: no refinement; 2: slope and shelf 1; 3: shelf 0.5; 4: 0.25"
    )
    arguments = parser.parse_args()
    claw, out = arguments.claw.resolve(), arguments.out.resolve()
    program = build(claw, out / "build")
    for name in arguments.ruptures or RUPTURES:
        run_rupture(program, claw, out, name, arguments.levels)


if __name__ == "__main__":
    main()
