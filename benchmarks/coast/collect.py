"""One small file of all nonlinear runs, for tests and for the calibration of the coast.

python -m benchmarks.coast.collect --geoclaw runs/geoclaw --nonlinear runs/nonlinear
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.coast.ruptures import HOURS, RUPTURES
from benchmarks.coast.shelf_maxima import SAMPLE_S, SERIES
from slipcast.regions.region import Region


def runs_of(folder: Path, suffix: str) -> dict[str, dict[str, np.ndarray]]:
    """Read the runs of a folder whose files end so, m: by rupture and gauge."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for name in RUPTURES:
        if (path := folder / f"{name}_{suffix}.npz").exists():
            with np.load(path) as kept:
                found[name] = {key: kept[key] for key in kept}
            if "sea_level_m" in found[name]:
                found[name] = dict(zip(found[name]["gauges"].tolist(), found[name]["sea_level_m"], strict=True))
    return found


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--geoclaw", type=Path, required=True, help="folder of the runs of benchmarks.coast.geoclaw")
    parser.add_argument("--levels", type=int, default=3)
    parser.add_argument("--nonlinear", type=Path, required=True, help="folder of those of benchmarks.coast.nonlinear")
    parser.add_argument("--spacing", type=float, default=1.0)
    parser.add_argument("--to", type=Path, default=SERIES)
    arguments = parser.parse_args()
    gauges = [gauge.name for gauge in Region.open("cascadia").gauges if gauge.grid == "near"]
    absent = np.full(round(HOURS * 3600 / SAMPLE_S) + 1, np.nan)
    arrays: dict[str, np.ndarray] = {"gauge": np.array(gauges)}
    for kind, runs in (
        ("geoclaw", runs_of(arguments.geoclaw, str(arguments.levels))),
        ("nonlinear", runs_of(arguments.nonlinear, f"{arguments.spacing:g}")),
    ):
        series = [[run.get(name, absent) for name in gauges] for run in runs.values()]
        arrays |= {f"{kind}_rupture": np.array(list(runs)), f"{kind}_m": np.round(series, 4).astype(np.float32)}
        print(f"{kind}: {len(runs)} runs")
    np.savez_compressed(arguments.to, **arrays)
    print(f"{arguments.to}, {arguments.to.stat().st_size} bytes")


if __name__ == "__main__":
    main()
