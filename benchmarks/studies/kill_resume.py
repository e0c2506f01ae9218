"""Trainings that are killed with signal 9 at a random moment and resumed: the same weights, twenty times.

    python -m benchmarks.studies.kill_resume demo/cascadia/scenarios.zarr

Five to ten minutes.
"""

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from slipcast.learning.checkpoint import STATE_FILE, Checkpoint

EPOCHS = 40


def command(scenarios: Path, out: Path, *options: str) -> list[str]:
    """Return the command that trains."""
    return [sys.executable, "-m", "slipcast", "train", str(scenarios), "--out", str(out), *options]


def begin(command_line: list[str], state: Path) -> subprocess.Popen:
    """Start a training, and come back when its first epoch is about to begin."""
    process = subprocess.Popen(command_line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not state.exists() and process.poll() is None:
        time.sleep(0.01)
    return process


def main() -> None:
    """Print a line a kill, and how many of the resumed trainings ended in the same weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", type=Path, help="a scenario set")
    parser.add_argument("--times", type=int, default=20)
    given = parser.parse_args()
    rng, same = random.Random(1), 0
    options = ("--epochs", str(EPOCHS), "--device", "cpu")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        process = begin(command(given.scenarios, folder / "whole", *options), folder / "whole" / STATE_FILE)
        started = time.perf_counter()
        process.wait()
        longest = time.perf_counter() - started
        whole = Checkpoint.open(folder / "whole")
        for number in range(1, given.times + 1):
            out, killed = folder / f"{number}", False
            while not killed:  # a training that ends before its moment has come does not count
                shutil.rmtree(out, ignore_errors=True)
                process = begin(command(given.scenarios, out, *options), out / STATE_FILE)
                moment = rng.uniform(0.0, longest)
                try:
                    process.wait(moment)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    killed = True
            subprocess.run(command(given.scenarios, out, *options, "--resume"), check=True, capture_output=True)
            found = Checkpoint.open(out)
            equal = found.id == whole.id and list(found.history) == list(whole.history)
            same += equal
            print(f"{number}: killed after {moment:.2f} s, {'the same' if equal else 'OTHER'} weights", flush=True)
    print(f"{same} of {given.times} killed trainings end in the same weights, bit for bit")
    raise SystemExit(same != given.times)


if __name__ == "__main__":
    main()
