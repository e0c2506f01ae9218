"""The command line run in the process of the tests, and scripts in processes of their own."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from slipcast.cli import main as cli


def run_cli(monkeypatch, capsys, *arguments) -> tuple[int, str, str]:
    """Run the command line as its entry point does: exit code, output, errors."""
    monkeypatch.setattr(sys, "argv", ["slipcast", *(str(argument) for argument in arguments)])
    with pytest.raises(SystemExit) as done:
        cli.main()
    out, err = capsys.readouterr()
    return int(done.value.code or 0), out, err


def check_usage_error(slipcast, line: str, message: str, files: Path, words: dict[str, str]) -> None:
    """Check that a line is refused in one line with exit code 2, and that the working folder stays empty.

    Words of the line, and of the message, stand for files.
    """
    for word, name in words.items():
        line, message = (re.sub(rf"\b{word}\b", str(files / name), text) for text in (line, message))
    code, out, err = slipcast(*line.split())
    shown = [each for each in err.splitlines() if each.startswith("slipcast: ")]
    assert (code, out, len(shown)) == (2, "", 1), err
    assert message in shown[0]
    assert "Traceback" not in err
    assert not list(Path.cwd().iterdir())


def run_script(script: str, *arguments, timeout_s: float = 120) -> subprocess.CompletedProcess:
    """Run Python code in a process of its own."""
    command = [sys.executable, "-c", textwrap.dedent(script), *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s)
