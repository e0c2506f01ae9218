"""Streams of the command line: results on the output stream; progress, warnings and errors on the error stream."""

from __future__ import annotations

import json
import os
import sys
import warnings
from typing import Any

from slipcast.errors import SlipcastWarning

__all__ = ["print_json", "say", "say_warnings", "write_line"]


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
