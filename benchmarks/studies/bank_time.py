"""What pressure, elastic loading, dispersion and losses add to the time of a bank.

    python -m benchmarks.studies.bank_time

Banks of a near DART, a point on the shelf and a far point of Cascadia, with and without, in turn on one core; what
counts is the time of the processor. Writes docs/benchmarks/bank_time.json, some minutes; it stands in docs/waves.md
after ``python -m benchmarks.pages``.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from benchmarks.markdown import Rows
from benchmarks.provenance import ROOT, source_files, tables, write_compact
from slipcast.greens.bank import GreensBank
from slipcast.parallel.threads import single_threaded

GAUGES = ("46404", "newport", "hilo1")
WAYS = {
    "long waves at a wall": {"elastic": False, "dispersion": False, "losses": False},
    "with losses": {"elastic": False, "dispersion": False, "losses": True},
    "with losses and elastic loading": {"elastic": True, "dispersion": False, "losses": True},
    "with all three": {},
}
REPEATS = 3


def code(root: Path = ROOT) -> list[Path]:
    """Return the files on which the table depends."""
    return source_files("benchmarks/studies/bank_time.py", root=root, only=("physics", "greens", "regions"))


def compare(repeats: int) -> Rows:
    """Build in turn, and compare the processor's times."""
    spent: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(repeats):
        for name, options in WAYS.items():
            begin = time.process_time()
            with single_threaded():
                GreensBank.build("cascadia", gauges=GAUGES, workers=1, **options)
            spent[name].append(time.process_time() - begin)
            print(f"{name}: {spent[name][-1]:.1f} s", flush=True)
    first = np.array(next(iter(spent.values())))
    rows = Rows("bank of three gauges", "processor (s), median", "share of the first, median", "least", "most")
    for name, seconds in spent.items():
        share = np.array(seconds) / first
        rows.add(name, f"{np.median(seconds):.0f}", *(f"{f(share):.2f}" for f in (np.median, np.min, np.max)))
    return rows


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    given = parser.parse_args()
    found = {"cost": compare(given.repeats).results()}
    results = tables(found, "python -m benchmarks.studies.bank_time", code())
    write_compact(ROOT / "docs" / "benchmarks" / "bank_time.json", results)


if __name__ == "__main__":
    main()
