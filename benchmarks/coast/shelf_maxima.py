"""Maxima on the shelf of Cascadia: linear waves with losses against nonlinear runs.

python -m benchmarks.coast.shelf_maxima [--reference geoclaw] [--spacing 1] [--reflection R] [--rate R] [--exponent P]
python -m benchmarks.coast.shelf_maxima --calibrate
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.coast.ruptures import HOURS, RUPTURES, UpliftField, refined_lat_deg, shelf_points, uplift_of
from benchmarks.provenance import ROOT
from slipcast.physics.bathymetry import Bathymetry, Grid
from slipcast.physics.dissipation import OCEAN_DECAY_TIME_S, Friction
from slipcast.physics.shallow_water import LongWaves
from slipcast.regions.region import Region

SERIES = ROOT / "tests" / "data" / "cascadia_nonlinear.npz"
SAMPLE_S = 60.0
_LON_DEG, _LAT_DEG = (228.0, 240.0), (36.0, 52.0)
_LEAST_M = 0.02  # a smaller maximum is not compared


class Score(NamedTuple):
    """ln(model / reference) of maxima, of the whole run and of its second hour, and of which rupture and point."""

    log_ratio: np.ndarray
    late_log_ratio: np.ndarray
    rupture: np.ndarray
    point: np.ndarray

    def of(self, calibrates: bool) -> Score:
        """Return the part of one half of the ruptures."""
        half = np.array([RUPTURES[name].calibrates == calibrates for name in self.rupture])
        return Score(*(values[half] for values in self))


def reference_series(kind: str, path: Path = SERIES) -> dict[str, dict[str, np.ndarray]]:
    """Read the series of one kind of run, m every minute: by rupture and gauge; NaN where there is none."""
    with np.load(path) as kept:
        gauges = [str(name) for name in kept["gauge"]]
        metres, runs = kept[f"{kind}_m"], [str(name) for name in kept[f"{kind}_rupture"]]
    return {name: dict(zip(gauges, series, strict=True)) for name, series in zip(runs, metres, strict=True)}


def start_of(waves: LongWaves, field: UpliftField) -> np.ndarray:
    """Put an uplift on the cells of a grid whose points are among its nodes."""
    start, per_degree = np.zeros(waves.grid.shape), 60
    step = round(waves.grid.spacing_arcmin)
    rows = np.round((field.lat_deg - waves.grid.lat_south_deg) * per_degree).astype(int)
    columns = np.round((field.lon_deg - waves.grid.lon_west_deg) * per_degree).astype(int)
    some_rows = (rows % step == 0) & (rows >= 0) & (rows < step * start.shape[0])
    some_columns = (columns % step == 0) & (columns >= 0) & (columns < step * start.shape[1])
    start[np.ix_(rows[some_rows] // step, columns[some_columns] // step)] = field.uplift_m[
        np.ix_(some_rows, some_columns)
    ]
    return start


def near_points(name: str) -> list[str]:
    """Return the shelf points near enough to a rupture."""
    south, north = refined_lat_deg(RUPTURES[name])
    region = Region.open("cascadia")
    return [point for point in shelf_points() if south <= region.gauge(point).lat <= north]


def linear_series(name: str, waves: LongWaves, field: UpliftField) -> dict[str, np.ndarray]:
    """Run linear waves for a rupture; return sea level every minute, m, by point."""
    region = Region.open("cascadia")
    points = near_points(name)
    stencils = [waves.stencil(region.gauge(point).lon, region.gauge(point).lat) for point in points]
    count = round(HOURS * 3600 / SAMPLE_S)
    series = waves.gauge_series(start_of(waves, field), stencils, interval_s=SAMPLE_S, count=count)
    return dict(zip(points, series, strict=True))


class Comparison:
    """Linear runs for given ruptures beside their references.

    Parameters
    ----------
    reference : dict
        Of :func:`reference_series`.
    spacing_arcmin : float
        Of the linear runs.
    """

    def __init__(self, reference: dict[str, dict[str, np.ndarray]], spacing_arcmin: float):
        self.reference = reference
        self.fields = {name: uplift_of(RUPTURES[name]) for name in reference}
        self.grid = Grid.over(_LON_DEG, _LAT_DEG, spacing_arcmin)
        self.depth_m = Bathymetry.etopo1().depth_on(self.grid)

    def series(self, name: str, **options) -> dict[str, np.ndarray]:
        """Run one rupture; options of LongWaves."""
        return linear_series(name, LongWaves(self.grid, self.depth_m, **options), self.fields[name])

    def score(self, *, calibrating: bool | None = None, **options) -> Score:
        """Compare maxima of all ruptures, or of one half; options of LongWaves."""
        waves = LongWaves(self.grid, self.depth_m, **options)
        found = []
        for name, reference in self.reference.items():
            if calibrating in (None, RUPTURES[name].calibrates):
                for point, series in linear_series(name, waves, self.fields[name]).items():
                    true = reference[point]
                    if true.max() >= _LEAST_M:
                        ratios = (np.log(model.max() / kept.max()) for model, kept in _whole_and_late(series, true))
                        found.append((*ratios, name, point))
        return Score(*(np.array(values) for values in zip(*found, strict=True)))


def _whole_and_late(*series: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Give series whole, and their second hour."""
    half = series[0].size // 2
    yield series
    yield tuple(each[half:] for each in series)


def summary(score: Score) -> str:
    """Write the median and the standard deviation of ratios, of the whole run and of the second hour."""
    parts = [
        f"{name} median {np.median(values):+.3f}, mean {values.mean():+.3f}, sd {values.std():.3f}"
        for name, values in (("two hours:", score.log_ratio), ("second hour:", score.late_log_ratio))
    ]
    return f"{'; '.join(parts)}; {score.log_ratio.size} maxima"


def main() -> None:
    """Print scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=Path, default=SERIES)
    parser.add_argument("--reference", default="nonlinear", choices=["geoclaw", "nonlinear"])
    parser.add_argument("--spacing", type=float, default=1.0, help="arc-minutes")
    parser.add_argument("--reflection", type=float, default=1.0)
    parser.add_argument("--rate", type=float, default=0.0, help="of friction at 100 m, 1/s")
    parser.add_argument("--exponent", type=float, default=0.0)
    parser.add_argument("--each", action="store_true", help="print every maximum")
    arguments = parser.parse_args()
    comparison = Comparison(reference_series(arguments.reference, arguments.series), arguments.spacing)
    friction = Friction(OCEAN_DECAY_TIME_S, arguments.rate, arguments.exponent)
    score = comparison.score(friction=friction, coast_reflection=arguments.reflection)
    for calibrates in (True, False):
        print("calibrating" if calibrates else "held out", summary(score.of(calibrates)))
    if arguments.each:
        for ratio, late, name, point in zip(*score, strict=True):
            print(f"{name:16s} {point:14s} {ratio:+.2f} {late:+.2f}")


if __name__ == "__main__":
    main()
