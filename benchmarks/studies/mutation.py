"""Mutation testing: one-line faults put into a copy of the tree, and the tests that catch them.

Run from the repository root, on Linux or macOS (every mutant is a fork of one process that has the libraries loaded)::

    python -m benchmarks.studies.mutation cover --work /tmp/mutation tests/test_okada.py tests/test_greens.py
    python -m benchmarks.studies.mutation run --work /tmp/mutation --packages physics greens --count 100
    python -m benchmarks.studies.mutation report --work /tmp/mutation

``cover`` runs tests once and keeps which lines each of them executes; ``run`` draws mutants, or goes on with those
that have no result yet; ``report`` prints the share killed by package and the survivors. Operators are those of mutmut:
comparisons, arithmetic and ``and``/``or`` swapped, ``not``, ``-`` and ``~`` removed, numbers plus one, flags flipped,
keyword arguments left out, values not returned. Each mutant is tried with the tests that execute its line, those of the
module's own test files first, and then with all of these files.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
_COPIED = ("src", "tests", "benchmarks", "docs", "examples", "training", "pyproject.toml", "README.md", "mkdocs.yml")
_QUICKEST_S = 10.0  # tests of other modules that execute the line are tried up to this many seconds in all
_LIBRARIES = (
    "hypothesis",
    "netCDF4",
    "numba",
    "pandas",
    "pytest",
    "scipy.signal",
    "scipy.stats",
    "torch",
    "xarray",
    "zarr",
)
_COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip


@dataclass
class Mutant:
    """A fault: a piece of a file and what stands there instead; "killed", "survived" or "timeout" once it was tried."""

    path: str
    line: int
    operator: str
    start: int
    end: int
    before: str
    text: str
    result: str = ""
    by: str = ""
    seconds: float = 0.0
    note: str = ""

    @property
    def package(self) -> str:
        """Directory directly under slipcast."""
        return Path(self.path).parts[2].removesuffix(".py")

    def apply(self, source: bytes) -> bytes:
        """Return the file with the fault."""
        return source[: self.start] + self.text.encode() + source[self.end :]


def replacements(node: ast.AST) -> Iterator[tuple[str, ast.AST, ast.AST]]:
    """Yield the faults of one node: operator, what is replaced, and by what."""
    match node:
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            for k, op in enumerate(ops):
                yield (
                    "comparison",
                    node,
                    ast.Compare(left, [*ops[:k], _COMPARISONS[type(op)](), *ops[k + 1 :]], comparators),
                )
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            yield "arithmetic", node, ast.BinOp(left, _ARITHMETIC[type(op)](), right)
        case ast.AugAssign(target=target, op=op, value=value) if type(op) in _ARITHMETIC:
            yield "arithmetic", node, ast.AugAssign(target, _ARITHMETIC[type(op)](), value)
        case ast.BoolOp(op=op, values=values):
            yield "and/or", node, ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.UnaryOp(operand=operand):
            yield "sign removed", node, operand
        case ast.Constant(value=bool() as value):
            yield "flag", node, ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield "number", node, ast.Constant(value + 1)
        case ast.Call(func=func, args=args, keywords=keywords):
            for k, keyword in enumerate(keywords):
                if keyword.arg is not None:
                    yield "keyword dropped", node, ast.Call(func, args, [*keywords[:k], *keywords[k + 1 :]])
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield "returns None", node, ast.Return(ast.Constant(None))


def _looked_at(node: ast.AST) -> Iterator[ast.AST]:
    """Walk over what runs and matters: no annotations, decorators, messages, or lists of public names."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_comment"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, ast.Raise | ast.JoinedStr):
                continue
            if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
                continue
            if isinstance(child, ast.Assign) and ast.unparse(child.targets[0]) == "__all__":
                continue
            yield from _looked_at(child)


def mutants_of(path: Path) -> list[Mutant]:
    """List all mutants of a file."""
    source = path.read_bytes()
    starts = np.cumsum([0, *(len(line) for line in source.splitlines(keepends=True))])
    found = []
    for node in _looked_at(ast.parse(source)):
        for operator, old, new in replacements(node):
            start, end = starts[old.lineno - 1] + old.col_offset, starts[old.end_lineno - 1] + old.end_col_offset
            text = ast.unparse(ast.fix_missing_locations(new))
            if not isinstance(old, ast.stmt):
                text = f"({text})"
            before = source[start:end].decode()
            mutant = Mutant(str(path.relative_to(ROOT)), old.lineno, operator, int(start), int(end), before, text)
            found.append(mutant)
    return found


def draw(packages: list[str], count: int, seed: int) -> list[Mutant]:
    """Draw mutants from all of some packages, without repetition, in an order of chance."""
    every = [
        mutant
        for package in packages
        for path in sorted((ROOT / "src" / "slipcast" / package).rglob("*.py"))
        for mutant in mutants_of(path)
    ]
    order = np.random.default_rng(seed).permutation(len(every))[:count]
    chosen = [every[index] for index in order]
    for mutant in chosen:  # one that is no Python would count as killed
        compile(mutant.apply((ROOT / mutant.path).read_bytes()), mutant.path, "exec")
    return chosen


def cover(work: Path, tests: list[str]) -> None:
    """Run tests once, unchanged, and keep the lines and seconds of each; several calls add up."""
    number = len(list(work.glob("cover-*.xml")))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", *tests]
    command += ["--cov=slipcast", "--cov-context=test", "--cov-report=", f"--junitxml={work}/cover-{number}.xml"]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"COVERAGE_FILE": f"{work}/cover-{number}.data"}, check=True)


class Chooser:
    """The tests of a mutant, from what :func:`cover` has kept."""

    def __init__(self, work: Path):
        from coverage import CoverageData

        self.seconds: dict[str, float] = {}
        self.lines: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        for report in work.glob("cover-*.xml"):
            for case in ElementTree.parse(report).iter("testcase"):
                name = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"
                self.seconds[name] = float(case.get("time") or 0)
            data = CoverageData(str(report.with_suffix(".data")))
            data.read()
            for file in data.measured_files():
                key = "src/slipcast/" + file.rsplit("/src/slipcast/", 1)[1]
                for line, contexts in data.contexts_by_lineno(file).items():
                    self.lines[key][line] |= {context.rsplit("|", 1)[0] for context in contexts if context}
        self.imports = {
            str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py")
        }

    def rounds(self, mutant: Mutant) -> list[list[str]]:
        """Return what is run first, the module's own tests of the line, and then others of it, and all its own.

        These have those whose fixtures others have made before them, and tests that were not there for ``cover``.
        """
        files = self._files(mutant)
        lines = self.lines[mutant.path]
        tests = lines[mutant.line] or set().union(*lines.values())  # of compiled code and constants, all of the file
        order = sorted(tests, key=lambda test: self.seconds.get(test, 9.0))
        own, others = ([test for test in order if (test.split("::")[0] in files) == near] for near in (True, False))
        total = np.cumsum([self.seconds.get(test, 9.0) for test in others])
        others = [test for test, until in zip(others, total) if until <= _QUICKEST_S] or others[:1]
        return [own, [*others, *files]]

    def _files(self, mutant: Mutant) -> list[str]:
        """Return the test files that import the module, and have been covered."""
        module = mutant.path.removeprefix("src/").removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        covered = {test.split("::")[0] for test in self.seconds}
        parent, own = module.rpartition(".")[::2]
        wanted = (f"{module} import", f"import {module}", f"from {parent} import {own}")
        files = covered & {name for name, text in self.imports.items() if any(part in text for part in wanted)}
        if not files and not self.lines[mutant.path]:  # a module that was not there for cover: the tests of its package
            files = covered & {name for name, text in self.imports.items() if f"slipcast.{mutant.package}" in text}
        return sorted(files)


class _Only:
    """A plugin of pytest that keeps the tests named, in that order, but those done; a file stands for all it has."""

    def __init__(self, tests: list[str], done: set[str]):
        self.places, self.done = {test: place for place, test in enumerate(tests)}, done

    def pytest_collection_modifyitems(self, items: list) -> None:
        """Keep some of what was collected."""
        at = {item: self.places.get(item.nodeid, self.places.get(item.nodeid.split("::")[0])) for item in items}
        items[:] = sorted((item for item in items if at[item] is not None and item.nodeid not in self.done), key=at.get)


def _run_tests(tree: Path, tests: list[str], done: set[str], limit_s: float, log: Path) -> str:
    """Run tests in a fork with the tree's own source; "killed", "survived" or "timeout"."""
    pid = os.fork()
    if not pid:
        os.setsid()
        with log.open("wb") as out:
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
        os.chdir(tree)
        sys.path.insert(0, str(tree / "src"))
        os.environ["PYTHONPATH"] = str(tree / "src")
        import pytest

        files = list(dict.fromkeys(test.split("::")[0] for test in tests))
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:cov", "-m", "not slow"]
        code = pytest.main([*options, *files], plugins=[_Only(tests, done)])
        sys.stdout.flush()
        os._exit(int(code))
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            if code == 4:
                raise RuntimeError(f"tests are not found: see {log}")
            return "survived" if code in (0, 5) else "killed"
        time.sleep(0.05)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "timeout"


def try_mutant(tree: Path, mutant: Mutant, chooser: Chooser, limit_s: float, log: Path) -> None:
    """Put a mutant into the copy, run its tests, and take it out again."""
    began = time.monotonic()
    target = tree / mutant.path
    source = target.read_bytes()
    try:
        target.write_bytes(mutant.apply(source))
        for cached in target.parent.glob(f"__pycache__/{target.stem}.*"):
            cached.unlink()
        mutant.result, done = "survived", set()
        for tests in filter(None, chooser.rounds(mutant)):
            mutant.result = _run_tests(tree, tests, done, limit_s, log)
            done |= set(tests)
            if mutant.result != "survived":
                failed = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("FAILED")]
                mutant.by = failed[0].split(" - ")[0].removeprefix("FAILED ") if failed else ""
                break
    finally:
        target.write_bytes(source)
        for cached in target.parent.glob(f"__pycache__/{target.stem}.*"):
            cached.unlink()
    mutant.seconds = round(time.monotonic() - began, 1)


def run(work: Path, packages: list[str], count: int, seed: int, limit_s: float, again: bool) -> None:
    """Try mutants, those that have no result yet (or the survivors again), and write the results after each."""
    results = work / "mutants.json"
    known = [Mutant(**each) for each in json.loads(results.read_text())] if results.exists() else []
    drawn = known if again else draw(packages, count, seed)
    places = {(mutant.path, mutant.before, mutant.line, mutant.text): mutant for mutant in known}
    drawn = [places.setdefault((mutant.path, mutant.before, mutant.line, mutant.text), mutant) for mutant in drawn]
    waiting = [
        mutant for mutant in drawn if (mutant.result == "survived" and not mutant.note if again else not mutant.result)
    ]
    tree, log = work / "tree", work / "log.txt"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    for name in _COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name)
        elif (ROOT / name).exists():
            shutil.copy2(ROOT / name, tree / name)
    chooser = Chooser(work)
    for name in _LIBRARIES:  # once, before the forks
        importlib.import_module(name)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background jobs ignore
    for number, mutant in enumerate(waiting, 1):
        try_mutant(tree, mutant, chooser, limit_s, log)
        print(
            f"{number}/{len(waiting)} {mutant.result} {mutant.seconds} s {mutant.path}:{mutant.line} {mutant.operator}"
        )
        temporary = results.with_suffix(".tmp")
        temporary.write_text(json.dumps([asdict(each) for each in places.values() if each.result], indent=1))
        temporary.replace(results)


def report(work: Path) -> None:
    """Print the share killed by package, and the survivors as lines before and after."""
    mutants = [Mutant(**each) for each in json.loads((work / "mutants.json").read_text())]
    for package in sorted({mutant.package for mutant in mutants}):
        of = [mutant for mutant in mutants if mutant.package == package]
        counts = Counter(mutant.result for mutant in of)
        same = sum(mutant.note.startswith("equivalent") for mutant in of)
        killed = counts["killed"] + counts["timeout"]
        print(f"{package}: {killed} of {len(of)} killed ({killed / len(of):.0%}), {same} equivalent")
    for mutant in mutants:
        if mutant.result == "survived":
            print(f"\n{mutant.path}:{mutant.line} {mutant.operator} {mutant.note}")
            print(f"  - {mutant.before}\n  + {mutant.text}")


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["cover", "run", "report"])
    parser.add_argument("tests", nargs="*", help="of cover: test files")
    parser.add_argument("--work", type=Path, required=True, help="folder for the copy of the tree and the results")
    parser.add_argument("--packages", nargs="+", default=["physics", "greens", "records"])
    parser.add_argument("--count", type=int, default=130)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=150.0, help="s for the tests of a mutant")
    parser.add_argument("--again", action="store_true", help="try the survivors again that have no note")
    options = parser.parse_intermixed_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if options.command == "cover":
        cover(options.work, options.tests)
    elif options.command == "run":
        run(options.work, options.packages, options.count, options.seed, options.timeout, options.again)
    else:
        report(options.work)


if __name__ == "__main__":
    main()
