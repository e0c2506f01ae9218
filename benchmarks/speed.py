"""Speed and memory of the demonstration and its parts, in one run; writes docs/speed.md.

python benchmarks/speed.py
"""

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from slipcast.files import write_text
from solver import measure

DOCS = Path(__file__).parents[1] / "docs"
SLIPCAST = [sys.executable, "-m", "slipcast.cli"]

PAGE = """# Speed

Measured by `python benchmarks/speed.py` on {cores} cores of {machine}, Python {python}; other work on the machine
counts against it.

## Solver

```
{solver}
```

The compiled solver takes several steps in one pass over memory, with vector instructions. Lean numpy (coefficients
ready, in place, float32) is vectorised too and loses by its passes over memory; textbook numpy is what the equations
look like (float64, velocities, masks). A factor of 50 was hoped for and is not reached against either: both also run
compiled loops, one array operation at a time, so what is left to gain is their passes over memory.

## Whole tasks

| task | seconds | peak memory, GB |
|---|---|---|
{tasks}
"""


def run(arguments: list[str], folder: str) -> tuple[float, float]:
    """Run slipcast; return seconds and the peak memory of the largest process so far, GB."""
    start = time.perf_counter()
    subprocess.run([*SLIPCAST, *arguments], cwd=folder, check=True, capture_output=True)
    seconds = time.perf_counter() - start
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6


def main() -> None:
    """Measure, print and write the page."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    solver = measure(7)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        run(["--help"], folder)
        helps = [run(["--help"], folder)[0] for _ in range(9)]
        rows.append(f"| `slipcast --help`, median of 9 | {statistics.median(helps):.2f} | |")
        for label, arguments in (
            ("`slipcast demo --quick`", ["demo", "--quick", "--out", "quick"]),
            ("`slipcast bank build cascadia --spacing 2`", ["bank", "build", "cascadia", "--spacing", "2"]),
            ("`slipcast demo`", ["demo", "--out", "demo"]),
            ("`slipcast demo`, again, all found", ["demo", "--out", "demo"]),
        ):
            seconds, memory = run(arguments, folder)
            rows.append(f"| {label} | {seconds:.0f} | {memory:.1f} |")
    page = PAGE.format(
        cores=os.cpu_count(),
        machine=platform.machine(),
        python=platform.python_version(),
        solver="\n".join(solver),
        tasks="\n".join(rows),
    )
    print(page)
    write_text(DOCS / "speed.md", page)


if __name__ == "__main__":
    main()
