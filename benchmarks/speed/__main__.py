"""Measure every part against its reference and the limits of the machine; see OUT/speed.md.

Example: ``python -m benchmarks.speed --bank bank.nc --out runs/speed``
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.speed import SpeedConfig, run_speed
from slipcast.cli.console import write_line
from slipcast.greens.bank import GreensBank
from slipcast.parallel.progress import progress_bar


def main() -> None:
    """Run the measurements."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="Folder; what is done is kept there.")
    parser.add_argument("--bank", type=Path, help="Green's functions to draw and forecast from; by default built.")
    parser.add_argument("--workers", type=Path, help="What benchmarks.studies.workers measured, to be shown too.")
    parser.add_argument("--quick", action="store_true", help="A minute instead of several, and rough numbers.")
    options = parser.parse_args()
    config = SpeedConfig.quick() if options.quick else SpeedConfig()
    bank = None if options.bank is None else GreensBank.open(options.bank)
    with progress_bar("Speed") as advance:
        run_speed(options.out, bank=bank, config=config, workers=options.workers, progress=advance)
    write_line(str(options.out / "speed.md"))


if __name__ == "__main__":
    main()
