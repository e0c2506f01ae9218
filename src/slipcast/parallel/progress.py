"""Progress of a task: the one type of callback, and a bar or plain lines that it can drive."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from slipcast.errors import InputError

__all__ = ["Progress", "progress_bar", "shown_progress"]

Progress = Callable[[int, int, str], None]
"""Called with steps done, their total and a note (may be empty)."""

_PLAIN_EVERY_S = 5.0


@contextmanager
def progress_bar(label: str) -> Iterator[Progress]:
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
def shown_progress(progress: Progress | bool | None, label: str) -> Iterator[Progress]:
    """Yield the callback to report progress to, as its caller wants it shown.

    Parameters
    ----------
    progress : callable, bool or None
        A callable is given back as it is; ``True`` is a bar on the error stream (:func:`progress_bar`); ``None`` and
        ``False`` show nothing.
    label : str
        What is done, for the bar.

    Yields
    ------
    report : callable
        To be called with steps done, their total and a note (may be empty).

    Raises
    ------
    InputError
        If ``progress`` is something else.
    """
    if progress is True:
        with progress_bar(label) as report:
            yield report
    elif progress is None or progress is False:
        yield lambda done, total, note: None
    elif callable(progress):
        yield progress
    else:
        raise InputError(
            f"progress must be True for a bar, None, or a function of steps done, their total and a note, "
            f"got {progress!r} ({type(progress).__name__})"
        )


@contextmanager
def _bar(label: str) -> Iterator[Progress]:
    """Draw a bar on a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=None, note="")

        def advance(done: int, total: int, note: str = "") -> None:
            bar.update(task, completed=done, total=total, note=note)

        yield advance


@contextmanager
def _plain(label: str) -> Iterator[Progress]:
    """Write lines in a pipe: at the start, every few seconds, and at the end."""
    started = last = time.monotonic()
    _say(f"{label} ...")

    def advance(done: int, total: int, note: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PLAIN_EVERY_S or done == total:
            _say(f"{label}: {done}/{total}, {now - started:.0f} s" + (f", {note}" if note else ""))
            last = now

    yield advance


def _say(text: str) -> None:
    """Write a line on the error stream."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
