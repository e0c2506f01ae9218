"""Files beside the repository: records of real events, and inputs that once went wrong."""

from __future__ import annotations

from pathlib import Path

import pytest


def beside(*parts: str) -> Path:
    """Return the path of a file in the folder ``shared`` beside the repository; skip the test where it is absent."""
    for folder in Path(__file__).resolve().parents:
        if (path := folder.joinpath("shared", *parts)).exists():
            return path
    pytest.skip(f"there is no shared/{'/'.join(parts)} beside the repository")


def case(*parts: str) -> Path:
    """Return the path of a case of reading."""
    return beside("cases", "records", *parts)


def event_files() -> list[Path]:
    """Return all files of raw records of events, as NDBC's archive has them."""
    return sorted(beside("events").glob("*/ndbc/*.txt")) + sorted(beside("events", "tohoku2011").glob("*.txt"))
