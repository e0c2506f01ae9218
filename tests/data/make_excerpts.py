"""Excerpts of real records for the tests: NDBC text as it is, packed.

    python tests/data/make_excerpts.py EVENTS

``EVENTS`` holds ``tohoku2011/STATION.txt``, lines of NDBC's files as they are (US public domain). Packed they are some
80 kB, so nothing is cut: the tests count every sample. The same input gives the same bytes.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

HERE = Path(__file__).parent
STATIONS = ("21401", "21413", "21414", "21415", "21418", "21419")


def main(events: Path) -> None:
    """Write the packed records."""
    (HERE / "tohoku2011").mkdir(exist_ok=True)
    for station in STATIONS:
        text = (events / "tohoku2011" / f"{station}.txt").read_bytes()
        (HERE / "tohoku2011" / f"{station}.txt.gz").write_bytes(gzip.compress(text, mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
