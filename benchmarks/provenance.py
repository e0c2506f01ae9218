"""Provenance of results: a digest of the code and data that made them, and the commit."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import subprocess
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from slipcast.errors import InputError
from slipcast.io.atomic import write_text

__all__ = ["ROOT", "code_digest", "commit", "provenance", "source_files", "tables", "write_compact"]

ROOT = Path(__file__).parents[1]
"""Root of the repository."""

_WITHOUT_NUMBERS = ("cli", "service", "reports", "plots", "demo", "models")
_DATA = ("regions/*.toml", "data/*.nc", "data/*.csv", "data/*.txt")
_DIGITS = 16


def source_files(*more: str, root: Path = ROOT, only: Sequence[str] = (), leave_out: Sequence[str] = ()) -> list[Path]:
    """Return the files of the package on which numbers depend, and more of the repository.

    Parameters
    ----------
    *more : str
        Files or folders (all modules in them), relative to the root.
    root : path, optional
        Of the repository, or of a copy.
    only : sequence of str, optional
        Files and folders of ``src/slipcast`` on which numbers depend; by default all that are not for show.
    leave_out : sequence of str, optional
        Files among them that change no number, relative to the root.

    Returns
    -------
    files : list of Path
        Sorted; modules of ``src/slipcast`` without those that only show results, regions and packaged data.

    Raises
    ------
    InputError
        If there is no package in the root, or one of the other paths does not exist.

    Notes
    -----
    A trained model is no code: results name it by its own identity.
    """
    package = root / "src" / "slipcast"
    if not package.is_dir():
        raise InputError(f"root must be the repository of slipcast, with src/slipcast, got {root}")
    found = {path for path in package.rglob("*.py") if path.relative_to(package).parts[0] not in _WITHOUT_NUMBERS}
    if only:
        more += tuple(f"src/slipcast/{name}" for name in only)
        found = set()
    found |= {path for pattern in _DATA for path in package.glob(pattern)}
    for name in (*more, *leave_out):
        if not (root / name).exists():
            raise InputError(f"paths must exist in {root}, got {name}")
    for name in more:
        found |= set((root / name).rglob("*.py")) if (root / name).is_dir() else {root / name}
    return sorted(found - {root / name for name in leave_out})


def code_digest(paths: Iterable[Path], *, root: Path = ROOT) -> str:
    """Hash files: modules without comments and docstrings, all others by their bytes.

    Parameters
    ----------
    paths : iterable of path
        Files within the root.
    root : path, optional
        Names that count are relative to it.

    Returns
    -------
    digest : str
        16 hexadecimal digits of a SHA-256; other words in a docstring do not change it, another constant does.

    Raises
    ------
    InputError
        If there is no file.
    """
    files = sorted(set(paths))
    if not files:
        raise InputError("paths must have at least one file, got none")
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        if path.suffix == ".py":
            content = _statements(content.decode("utf-8")).encode()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:_DIGITS]


def commit(root: Path = ROOT) -> str:
    """Return the commit that is checked out, with ``+changes`` if files differ from it, or ``unknown``."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        head = git("rev-parse", "--short=10", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "src", "benchmarks")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}+changes" if changed else head


def provenance(paths: Iterable[Path], *, bank: str | None = None, model: str | None = None) -> dict[str, Any]:
    """Put together what a file of results names: no date, so that the same code gives the same file.

    Parameters
    ----------
    paths : iterable of path
        On which the numbers depend, as of :func:`source_files`.
    bank, model : str, optional
        Identities of the bank and of the model.

    Returns
    -------
    provenance : dict
        ``code``, the digest; ``commit``; ``bank`` and ``model`` if they are given.
    """
    found = {"code": code_digest(paths), "commit": commit(), "bank": bank, "model": model}
    return {key: value for key, value in found.items() if value is not None}


def tables(
    found: Mapping[str, Any], command: str, paths: Iterable[Path], *, bank: str | None = None, model: str | None = None
) -> dict[str, Any]:
    """Put together the results of a study that fills tables.

    Parameters
    ----------
    found : mapping of str to mapping
        By the name of a table its ``header`` and ``rows``, all text.
    command : str
        That makes them.
    paths, bank, model
        As of :func:`provenance`.

    Returns
    -------
    results : dict
        ``made_by``, ``command`` and ``tables``.
    """
    return {"made_by": provenance(paths, bank=bank, model=model), "command": command, "tables": dict(found)}


def write_compact(path: Path, results: Mapping[str, Any]) -> None:
    """Write results as JSON without indentation, a line for each of the first two levels of keys.

    Parameters
    ----------
    path : path
        A file, written whole or not at all.
    results : mapping
        Of plain numbers, text, lists and mappings.
    """

    def dump(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)

    def block(value: Any, indent: str, levels: int) -> str:
        if levels == 0 or not isinstance(value, Mapping) or not value:
            return dump(value)
        rows = [f"{indent} {dump(str(key))}:{block(of_key, indent + ' ', levels - 1)}" for key, of_key in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"

    write_text(path, block(results, "", 2) + "\n")


@lru_cache(maxsize=1024)  # several results depend on the same files
def _statements(source: str) -> str:
    """Return the lines of a module without comments, docstrings and blank lines."""
    lines = source.split("\n")  # as tokenize counts them
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())
