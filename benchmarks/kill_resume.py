"""Kill a training with signal 9 at a random moment, resume it, and compare the weights; twenty times.

    python benchmarks/kill_resume.py demo/cascadia/scenarios.zarr

About ten minutes.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from slipcast.learning.checkpoint import Checkpoint

EPOCHS = 40


def command(scenarios: Path, out: Path, *options: str) -> list[str]:
    """Return the command that trains."""
    return [sys.executable, "-m", "slipcast.cli", "train", str(scenarios), "--out", str(out), *options]


def main() -> None:
    """Print a line a kill, and how many of the resumed trainings ended in the same weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", type=Path, help="a scenario set")
    parser.add_argument("--times", type=int, default=20)
    given = parser.parse_args()
    rng, same = random.Random(1), 0
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        epochs = ("--epochs", str(EPOCHS), "--device", "cpu")
        begin = time.perf_counter()
        subprocess.run(command(given.scenarios, folder / "whole", *epochs), check=True, **quiet)
        longest = time.perf_counter() - begin
        whole = Checkpoint.open(folder / "whole")
        for number in range(given.times):
            out, kills = folder / f"{number}", 0
            state, arguments = out / "training.safetensors", epochs
            while not (out / "model.json").exists():
                with subprocess.Popen(command(given.scenarios, out, *arguments), **quiet) as process:
                    # the first time at any moment; then it may end
                    try:
                        process.wait(rng.uniform(0.0, longest) if kills == 0 else 600)
                    except subprocess.TimeoutExpired:
                        process.send_signal(signal.SIGKILL)
                        kills += 1
                arguments = (*epochs, "--resume") if state.exists() else epochs
            found = Checkpoint.open(out)
            equal = found.id == whole.id and list(found.history) == list(whole.history)
            same += equal
            print(f"{number + 1}: killed {kills} times, {'the same weights' if equal else 'OTHER WEIGHTS'}", flush=True)
    print(f"{same} of {given.times} end in the same weights, bit for bit")
    raise SystemExit(same != given.times)


if __name__ == "__main__":
    main()
