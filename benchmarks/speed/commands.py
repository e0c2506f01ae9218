"""Times and memory of whole commands, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any

from benchmarks.speed.timing import interleaved, ratios, spread
from slipcast.errors import InputError

__all__ = ["measure_startup", "measure_tasks", "run_command"]

_SLIPCAST = [sys.executable, "-m", "slipcast"]
_COUNTS = (1024, 4096)


def run_command(command: Sequence[str], folder: Path) -> dict[str, float]:
    """Run a command in a folder; return its seconds and the most memory, MB, of the largest of its processes.

    Raises
    ------
    InputError
        If it fails; with its last line.
    """
    with TemporaryFile() as told:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=told
        )
        _, status, usage = os.wait4(process.pid, 0)  # its memory alone, not that of every child so far
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            told.seek(0)
            last = (told.read().decode(errors="replace").strip().splitlines() or ["no message"])[-1]
            raise InputError(f"{' '.join(command[1:])} ended with code {process.returncode}: {last}")
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return {"seconds": seconds, "memory_mb": kilobytes / 1e3}


def measure_startup(repeats: int) -> dict[str, Any]:
    """Time ``slipcast --help`` against an interpreter that does nothing, and one that imports numpy.

    Returns
    -------
    found : dict
        Spreads of seconds ``help``, ``nothing``, ``numpy``, and ``over_numpy``, the ratio of the first to the last.
    """
    commands = {
        "help": [*_SLIPCAST, "--help"],
        "nothing": [sys.executable, "-c", "pass"],
        "numpy": [sys.executable, "-c", "import numpy"],
    }
    with TemporaryDirectory() as folder:

        def once(command: list[str]) -> Callable[[], Any]:
            return lambda: run_command(command, Path(folder))

        seconds = interleaved({name: once(command) for name, command in commands.items()}, repeats)
    return {name: spread(values) for name, values in seconds.items()} | {
        "over_numpy": ratios(seconds["help"], seconds["numpy"])
    }


def measure_tasks(repeats: int) -> list[dict[str, Any]]:
    """Run whole commands in turn, each round in an empty folder.

    Parameters
    ----------
    repeats : int
        Rounds.

    Returns
    -------
    tasks : list of dict
        ``command``, its spread ``seconds``, and ``memory_mb`` of the largest of its processes in the first round.
    """
    build = ["scenarios", "build", "bank.nc", "--seed", "1", "--count"]
    tasks = [
        ["demo", "--quick", "--out", "quick"],
        ["bank", "build", "cascadia", "--spacing", "2", "--out", "bank.nc"],
        ["bank", "build", "cascadia", "--out", "production.nc"],
        *([*build, str(count), "--out", f"{count}.zarr"] for count in _COUNTS),
    ]
    rounds = []
    for _ in range(repeats):
        with TemporaryDirectory() as folder:
            rounds.append([run_command([*_SLIPCAST, *arguments], Path(folder)) for arguments in tasks])
    return [
        {
            "command": f"slipcast {' '.join(arguments)}",
            "seconds": spread([found["seconds"] for found in of_task]),
            "memory_mb": of_task[0]["memory_mb"],
        }
        for arguments, *of_task in zip(tasks, *rounds, strict=True)
    ]
