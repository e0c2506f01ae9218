"""Damaged inputs through all readers: what is refused in one line, read, or brings a process down.

    python -m benchmarks.studies.damaged_files --texts 10000 --files 2000 --out runs/damaged

Each input is a whole one with one to three damages: bits, bytes, lines, digits, blocks; input k of a kind depends on k
alone. They are read in processes of their own, so that a crash is counted and the next one goes on. What is done is
kept in ``--out``, from which the same command resumes. Writes docs/benchmarks/damaged_files.json; the whole takes an
hour on two cores. The table stands in docs/damaged-files.md after ``python -m benchmarks.pages``.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.markdown import Rows
from benchmarks.provenance import ROOT, source_files, tables, write_compact
from benchmarks.studies.damaged_inputs import KINDS, Kind, damaged, digest, make_inputs
from slipcast.errors import InputError

OUTCOMES = ("refused", "equal", "other", "traceback", "crash")
_LONGEST_LINE = 600
_PATIENCE_S = 180.0
_MEMORY_BYTES = 12 << 30


def code(root: Path = ROOT) -> list[Path]:
    """Return the files on which the table depends."""
    return source_files("benchmarks/studies/damaged_files.py", "benchmarks/studies/damaged_inputs.py", root=root)


def outcome(kind: Kind, path: Path, whole: str) -> tuple[str, str]:
    """Read a damaged input; return what came of it, and what is to be said of that."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = digest(kind.read(path))
    except InputError as error:
        line = str(error)
        return ("traceback", f"a message of several lines: {line!r}") if "\n" in line else ("refused", line[:200])
    except Exception:  # noqa: BLE001 (what is counted)
        return "traceback", traceback.format_exc()[-1500:]
    return ("equal", "") if found == whole else ("other", found)


def work(name: str, inputs: Path, start: int, stop: int) -> None:
    """Read some inputs of a kind, a line on the standard output for each."""
    _bound_memory()
    kind = KINDS[name]
    with tempfile.TemporaryDirectory(prefix="slipcast-damaged-") as folder:
        if kind.folder:
            path = Path(folder) / Path(kind.file).name
            shutil.copytree(inputs / kind.file, path)
        else:
            path = Path(folder) / Path(kind.file).name
            shutil.copyfile(inputs / kind.file, path)
        whole = digest(kind.read(path))
        found = path.rglob("*") if kind.part == "*" else path.glob(kind.part)
        parts = sorted(part for part in found if part.is_file()) if kind.folder else [path]
        contents = {part: part.read_bytes() for part in parts}
        for number in range(start, stop):
            part, content = damaged(kind, contents, name, number)
            part.write_bytes(content)
            found, words = outcome(kind, path, whole)
            part.write_bytes(contents[part])
            sys.stdout.write(f"{number}\t{found}\t{words!r}\n")
            sys.stdout.flush()


def _bound_memory() -> None:
    """Let what asks for too much memory fail, and not the machine."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def measure(name: str, inputs: Path, count: int, file: Path) -> None:
    """Read all inputs of a kind that were not read before, and note what came of them in a file."""
    done = len(file.read_text(encoding="utf-8").splitlines()) if file.is_file() else 0
    with file.open("a", encoding="utf-8") as notes:
        while done < count:
            for line in _lines(name, inputs, done, count):
                notes.write(line)
                notes.flush()
                done += 1
            if done < count:  # the process ended with this input
                notes.write(f"{done}\tcrash\t''\n")
                done += 1


def _lines(name: str, inputs: Path, start: int, stop: int) -> Iterator[str]:
    """Yield what a process says of inputs, until it has done all, ends, or says nothing for long."""
    command = [sys.executable, "-m", "benchmarks.studies.damaged_files", "--work", name, str(inputs)]
    process = subprocess.Popen(
        [*command, str(start), str(stop)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    timer = threading.Timer(_PATIENCE_S, process.kill)
    timer.start()
    try:
        for line in process.stdout:
            timer.cancel()
            if line.endswith("\n"):
                yield line
            timer = threading.Timer(_PATIENCE_S, process.kill)
            timer.start()
    finally:
        timer.cancel()
        process.kill()
        process.wait()


def results(out: Path, command: str) -> dict:
    """Count what came of all inputs."""
    rows = Rows(
        "input", "format", "damaged", "refused in one line", "read equal", "traceback", "crash", "other numbers"
    )
    total: Counter[str] = Counter()
    for name, kind in KINDS.items():
        lines = (out / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
        found = Counter(line.split("\t")[1] for line in lines)
        total += found
        if not kind.sealed:
            total["unknown"] += found["other"]
        other = str(found["other"]) if kind.sealed else f"({found['other']})"
        counts = [f"{found[key]:,}" for key in ("refused", "equal", "traceback", "crash")]
        rows.add(kind.words, kind.group, f"{len(lines):,}", *counts, other)
    counts = [f"{total[key]:,}" for key in ("refused", "equal", "traceback", "crash")]
    all_of = sum(total[key] for key in OUTCOMES)
    rows.add("all", "", f"{all_of:,}", *counts, f"{total['other'] - total['unknown']:,} ({total['unknown']:,})")
    return tables({"outcomes": rows.results()}, command, code())


def main() -> None:
    """Make inputs, damage and read them, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=10_000, help="damaged inputs for each kind of text")
    parser.add_argument("--files", type=int, default=2_000, help="damaged inputs for each kind of binary file")
    parser.add_argument("--only", nargs="*", default=list(KINDS), choices=list(KINDS), metavar="KIND")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/damaged"))
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "benchmarks" / "damaged_files.json")
    parser.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        name, inputs, start, stop = given.work
        work(name, Path(inputs), int(start), int(stop))
        return
    inputs = given.out.absolute() / "inputs"
    make_inputs(inputs)
    with ThreadPoolExecutor(given.workers) as pool:
        running = [
            pool.submit(
                measure,
                name,
                inputs,
                given.texts if KINDS[name].is_text else given.files,
                given.out / f"{name}.tsv",
            )
            for name in given.only
        ]
        for each in running:
            each.result()
    if set(given.only) == set(KINDS):
        command = f"python -m benchmarks.studies.damaged_files --texts {given.texts} --files {given.files}"
        write_compact(given.json, results(given.out, command))


if __name__ == "__main__":
    main()
