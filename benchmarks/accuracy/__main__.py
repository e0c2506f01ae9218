"""Compare a neural posterior with all other methods; see OUT/accuracy.md.

Example: ``python -m benchmarks.accuracy --bank bank.nc --model cascadia --out runs/accuracy``
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.accuracy import AccuracyConfig, run_accuracy
from slipcast.cli.console import write_line
from slipcast.greens.bank import GreensBank
from slipcast.learning.inverters import open_model
from slipcast.parallel.progress import progress_bar


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--bank", type=Path, required=True, help="Green's functions.")
    parser.add_argument("--model", required=True, help="A trained model: a folder, or the name of one in the package.")
    parser.add_argument("--out", type=Path, required=True, help="Folder; what is done is kept there.")
    parser.add_argument(
        "--shared", type=Path, help="Folder for what does not depend on the model, by default OUT/shared."
    )
    parser.add_argument("--quick", action="store_true", help="Fewer scenarios: some minutes, and rough numbers.")
    parser.add_argument("--headline", action="store_true", help="Means over test sets alone: headline.json.")
    options = parser.parse_args()
    config = AccuracyConfig.quick() if options.quick else AccuracyConfig()
    bank, model = GreensBank.open(options.bank), open_model(options.model)
    with progress_bar("Accuracy") as advance:
        run_accuracy(
            bank,
            model,
            options.out,
            config=config,
            shared=options.shared,
            headline_only=options.headline,
            progress=advance,
        )
    write_line(str(options.out / ("headline.json" if options.headline else "accuracy.md")))


if __name__ == "__main__":
    main()
