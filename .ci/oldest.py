"""Lower bounds of the dependencies: writes ``constraints-oldest.txt`` from ``pyproject.toml``.

    python .ci/oldest.py           # writes the file
    python .ci/oldest.py --check   # exits with 1 where the file differs from it

Tools that only check the code (pytest, ruff, mypy, ...) are not in it: the newest ones serve.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "constraints-oldest.txt"
USERS_EXTRAS = ("distributed", "postgres", "serve", "tune")
HEADER = "# The lower bounds of pyproject.toml; written by .ci/oldest.py, not by hand.\n"


def oldest(project: dict) -> str:
    """Return the text of the constraints: ``NAME==LOWEST`` for each requirement of the package and its extras."""
    requirements = list(project["dependencies"])
    for extra in USERS_EXTRAS:
        requirements += project["optional-dependencies"][extra]
    pins = {}
    for requirement in requirements:
        found = re.fullmatch(r"([\w.-]+)(\[[\w,-]+\])?\s*>=\s*([\w.]+)[^;]*(;.*)?", requirement)
        if found is None:
            raise SystemExit(f"a requirement needs a lower bound, NAME>=VERSION: got {requirement!r}")
        name, _, version, marker = found.groups()
        pins[name.lower()] = f"{name}=={version}{marker or ''}"
    return HEADER + "".join(f"{pins[name]}\n" for name in sorted(pins))


def main() -> int:
    """Write the file, or compare it."""
    text = oldest(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"])
    if sys.argv[1:] == ["--check"]:
        return int(not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text)
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
