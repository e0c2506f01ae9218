"""Fault tolerance of long tasks: workers and parents are killed, the disk fills, two build at once.

    python -m benchmarks.studies.fault_tolerance

Some minutes. Prints the table of docs/benchmarks/fault-tolerance.md; ends with 1 if a line of it is not as it
should be. The full disk is a small file system in memory of the script's own, for which it must be root (Linux).
"""

import argparse
import hashlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import zarr
from distributed import Client

from slipcast.errors import InputError
from slipcast.greens.bank import GreensBank

SLIPCAST = [sys.executable, "-m", "slipcast"]
BANK = ("bank", "build", "cascadia", "--spacing", "near=6", "--hours", "near=3", "--hours", "pacific=0.2")
SMALL_DISK = "6m"
PATIENCE_S = 300.0


@dataclass(frozen=True)
class Task:
    """A long task: its command, what it writes, how to resume it and the checksum of its result."""

    name: str
    command: tuple[str, ...]
    out: str
    again: tuple[str, ...]
    result: Callable[[Path], object]
    after_s: float


def bank_checksum(path: Path) -> str:
    """Return a sum of a bank's numbers."""
    return GreensBank.open(path).id


def set_checksum(path: Path) -> str:
    """Return a sum of all arrays of a scenario set."""
    group, found = zarr.open_group(path, mode="r"), hashlib.sha256()
    for name in sorted(group.array_keys()):
        found.update(name.encode() + group[name][...].tobytes())
    return found.hexdigest()


def trials_done(folder: Path) -> int:
    """Return how many trials of a search ended."""
    text = (folder / "trials.csv").read_text(encoding="utf-8") if (folder / "trials.csv").exists() else ""
    return max(len(text.splitlines()) - 1, 0)


TASKS = (
    Task("bank build", (*BANK, "--workers", "2"), "bank.nc", (), bank_checksum, 3.0),
    Task(
        "scenarios build",
        ("scenarios", "build", "given.nc", "--count", "12000", "--workers", "2"),
        "set.zarr",
        (),
        set_checksum,
        3.0,
    ),
    Task(
        "tune",
        ("tune", "given.zarr", "--trials", "6", "--workers", "2", "--set", "epochs=40"),
        "search",
        ("--resume",),
        trials_done,
        5.0,
    ),
)


def start(task: Task, folder: Path, *more: str, before: tuple[str, ...] = ()) -> subprocess.Popen:
    """Start a task in a session of its own, so that what it leaves behind can be found."""
    return subprocess.Popen(
        [*before, *SLIPCAST, *task.command, "--out", task.out, *more],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait(task: Task, folder: Path) -> None:
    """Wait until a task is well under way."""
    begun, deadline = folder / (task.out if task.again else f"{task.out}.parts"), time.monotonic() + PATIENCE_S
    while not begun.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(task.after_s)


def finish(task: Task, folder: Path, *more: str) -> object:
    """Run a task to its end; return its result."""
    process = start(task, folder, *more)
    error = process.communicate(timeout=PATIENCE_S)[1]
    if process.returncode:
        raise RuntimeError(f"{task.name}: {error}")
    return task.result(folder / task.out)


def children(process: subprocess.Popen) -> list[int]:
    """Return the numbers of the workers of a process."""
    found = subprocess.run(["pgrep", "-P", str(process.pid), "-f", "spawn_main"], capture_output=True, text=True)
    return [int(number) for number in found.stdout.split()]


def last_line(error: str) -> str:
    """Return what slipcast said in the end; Python may add a word of what a killed worker has left."""
    return ([line for line in error.splitlines() if line.startswith("slipcast:")] or ["nothing"])[-1]


@contextmanager
def dask(folder: Path) -> Iterator[tuple[str, list[subprocess.Popen]]]:
    """Start a Dask scheduler and two workers; give the address and the workers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    main = [sys.executable, "-c", "import sys; from distributed.cli import dask_{0}; dask_{0}.main()"]
    commands = [
        [*main[:2], main[2].format("scheduler"), "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"],
        *[[*main[:2], main[2].format("worker"), address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]] * 2,
    ]
    running = [
        subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    try:
        with Client(address, timeout=60) as client:
            client.wait_for_workers(2, timeout=60)
        yield address, running[1:]
    finally:
        for process in running:
            process.kill()
            process.wait()


def kill_dask_worker(task: Task, folder: Path, expected: object) -> tuple[str, bool]:
    """Kill one of two workers of a Dask cluster; the other does the rest."""
    with dask(folder) as (address, workers):
        process = start(Task(**(vars(task) | {"command": without_workers(task)})), folder, "--scheduler", address)
        wait(task, folder)
        if process.poll() is not None:
            return "it had ended", False
        workers[0].kill()
        error = process.communicate(timeout=PATIENCE_S)[1]
    if process.returncode:
        return f"exit {process.returncode}, “{last_line(error)}”", False
    text, good = same(task.result(folder / task.out), expected)
    return f"the other went on: {text}", good


def without_workers(task: Task) -> tuple[str, ...]:
    """Return the command without its own workers."""
    at = task.command.index("--workers")
    return task.command[:at] + task.command[at + 2 :]


def kill_worker(task: Task, folder: Path, expected: object) -> tuple[str, bool]:
    """Kill a worker; the task goes on, or ends with a line and is taken up by the next call."""
    process = start(task, folder)
    wait(task, folder)
    workers = children(process)
    if process.poll() is not None:
        return "it had ended", False
    if not workers:
        process.kill()
        process.communicate()
        return "its workers are threads", task.name == "bank build"
    os.kill(workers[0], signal.SIGKILL)
    error = process.communicate(timeout=PATIENCE_S)[1]
    if process.returncode == 0:
        text, good = same(task.result(folder / task.out), expected)
        return f"it went on: {text}", good
    found = finish(task, folder, *task.again)
    text, good = same(found, expected)
    return f"“{last_line(error)}”; the next call went on: {text}", good and "Traceback" not in error


def kill_parent(task: Task, folder: Path, expected: object) -> tuple[str, bool]:
    """Kill the parent; the next call goes on."""
    process = start(task, folder)
    wait(task, folder)
    if process.poll() is not None:
        return "it had ended", False
    workers = children(process)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{number}").exists() for number in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    orphans = [number for number in workers if Path(f"/proc/{number}").exists()]
    text, good = same(finish(task, folder, *task.again), expected)
    return f"the next call went on: {text}" + (f"; {len(orphans)} workers were left" if orphans else ""), good


def interrupt(task: Task, folder: Path, expected: object) -> tuple[str, bool]:
    """Press Ctrl-C, as a terminal sends it, to all processes of the task."""
    process = start(task, folder)
    wait(task, folder)
    if process.poll() is not None:
        return "it had ended", False
    sent = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    error = process.communicate(timeout=PATIENCE_S)[1]
    seconds = time.monotonic() - sent
    text, good = same(finish(task, folder, *task.again), expected)
    good = good and process.returncode == 130 and "Traceback" not in error
    return f"exit {process.returncode} after {seconds:.1f} s, “{last_line(error)}”; the next call went on: {text}", good


def two_at_once(task: Task, folder: Path, expected: object) -> tuple[str, bool]:
    """Start the task twice."""
    first = start(task, folder)
    wait(task, folder)
    second = start(task, folder, *task.again)
    error = second.communicate(timeout=PATIENCE_S)[1]
    first.communicate(timeout=PATIENCE_S)
    text, good = same(task.result(folder / task.out), expected)
    told = second.returncode == 2 and str(first.pid) in error
    return f"the second: “{last_line(error)}”; the first: {text}", good and told


def full_disk(task: Task, folder: Path, expected: object) -> tuple[str, bool]:
    """Run the task in a file system that is too small, beside an older file of the same name."""
    if os.geteuid() != 0:
        return "not tried: this needs root", True
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(disk)], check=True)
    try:
        for given in ("given.nc", "given.zarr"):
            (disk / given).symlink_to(folder / given)
        old = disk / task.out
        if old.suffix == ".nc":
            old.write_text("old")
        # all but a megabyte is taken
        free = os.statvfs(disk)
        (disk / "ballast").write_bytes(bytes(max(free.f_bavail * free.f_frsize - 1_000_000, 0)))
        process = start(task, disk)
        error = process.communicate(timeout=PATIENCE_S)[1]
        kept = old.read_text() == "old" if old.suffix == ".nc" else not old.exists() or not whole(task, old)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
    good = process.returncode in (1, 2) and kept and "Traceback" not in error and "full" in last_line(error)
    left = "the old file is whole" if old.suffix == ".nc" else "nothing takes itself for a result"
    return f"exit {process.returncode}, “{last_line(error)}”; {left if kept else 'something is half-written'}", good


def whole(task: Task, path: Path) -> bool:
    """Tell whether something half-written takes itself for a result."""
    try:
        task.result(path)
    except (OSError, InputError):
        return False
    return path.suffix == ".zarr"


def same(found: object, expected: object) -> tuple[str, bool]:
    """Say whether a result is as it should be."""
    return ("the same result", True) if found == expected else (f"another result, {found} for {expected}", False)


CASES = {
    "a worker killed": kill_worker,
    "a Dask worker killed": kill_dask_worker,
    "the parent killed": kill_parent,
    "Ctrl-C": interrupt,
    "two into one path": two_at_once,
    "the disk full": full_disk,
}


def main() -> None:
    """Try everything; print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=[task.name for task in TASKS])
    parser.add_argument("--case", nargs="*", choices=list(CASES))
    given, bad = parser.parse_args(), 0
    print("| task | what happens | what comes of it | as it should be |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        subprocess.run([*SLIPCAST, *BANK, "--out", str(top / "given.nc")], check=True, capture_output=True)
        few = ["scenarios", "build", "given.nc", "--count", "1300", "--out", "given.zarr"]
        subprocess.run([*SLIPCAST, *few], cwd=top, check=True, capture_output=True)
        for task in TASKS:
            if given.only and task.name not in given.only:
                continue
            expected = finish(task, prepared(top, f"{task.name} whole"))
            for case, what in CASES.items():
                if given.case and case not in given.case:
                    continue
                folder = prepared(top, f"{task.name} {case}")
                text, good = what(task, folder, expected)
                text, bad = text.replace(f"{folder}/", "").replace("disk/", ""), bad + (not good)
                print(f"| `{task.name}` | {case} | {text} | {'yes' if good else 'no'} |", flush=True)
    sys.exit(1 if bad else 0)


def prepared(top: Path, name: str) -> Path:
    """Make a folder with what tasks take."""
    folder = top / name.replace(" ", "_")
    folder.mkdir()
    for given in ("given.nc", "given.zarr"):
        (folder / given).symlink_to(top / given)
    return folder


if __name__ == "__main__":
    main()
