"""What the command line shows: results on the output stream; progress, warnings and errors on the other."""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from slipcast.errors import SlipcastWarning

__all__ = ["names_of", "print_json", "progress", "say", "say_warnings", "write_line"]

_PLAIN_EVERY_S = 5.0

Advance = Callable[[int, int, str], None]
"""Called with steps done, their total and a note."""


def say(text: str) -> None:
    """Write a line on the error stream."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def write_line(text: str) -> None:
    """Write a line of results on the output stream; where its reader has had enough, end quietly."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None


def print_json(content: Any) -> None:
    """Write JSON on the output stream."""
    write_line(json.dumps(content, indent=2, allow_nan=False))


def names_of(value: str | None) -> list[str] | None:
    """Read names between commas."""
    return None if value is None else [name.strip() for name in value.split(",") if name.strip()]


def say_warnings() -> None:
    """Show slipcast's warnings as one line each."""
    previous = warnings.showwarning

    def show(message, category, filename, lineno, file=None, line=None):
        if issubclass(category, SlipcastWarning):
            say(f"warning: {message}")
        else:
            previous(message, category, filename, lineno, file, line)

    warnings.showwarning = show
    warnings.simplefilter("always", SlipcastWarning)


@contextmanager
def progress(label: str) -> Iterator[Advance]:
    """Show the progress of a task: a bar on a terminal, plain lines now and then in a pipe.

    Parameters
    ----------
    label : str
        What is done.

    Yields
    ------
    advance : callable
        To be called with steps done, their total and a note (may be empty).
    """
    with _bar(label) if sys.stderr.isatty() else _plain(label) as advance:
        yield advance


@contextmanager
def _bar(label: str) -> Iterator[Advance]:
    """Draw a bar on a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=None, note="")

        def advance(done: int, total: int, note: str = "") -> None:
            bar.update(task, completed=done, total=total, note=note)

        yield advance


@contextmanager
def _plain(label: str) -> Iterator[Advance]:
    """Write lines in a pipe: at the start, every few seconds, and at the end."""
    started = last = time.monotonic()
    say(f"{label} ...")

    def advance(done: int, total: int, note: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PLAIN_EVERY_S or done == total:
            say(f"{label}: {done}/{total}, {now - started:.0f} s" + (f", {note}" if note else ""))
            last = now

    yield advance
