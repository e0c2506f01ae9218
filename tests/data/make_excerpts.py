"""Excerpts of real records for the tests: NDBC text as it is, packed.

    python tests/data/make_excerpts.py EVENTS REFERENCE

``EVENTS`` holds ``tohoku2011/STATION.txt``, lines of NDBC's files as they are (US public domain); ``REFERENCE`` the
tables of stations, ``dart_deployments.csv`` and ``dart_stations.csv``. Packed they are some 80 kB, so nothing is cut:
the tests count every sample. The same input gives the same bytes.
"""

from __future__ import annotations

import gzip
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
STATIONS = ("21401", "21413", "21414", "21415", "21418", "21419")
TABLES = ("dart_deployments.csv", "dart_stations.csv")


def main(events: Path, reference: Path) -> None:
    """Write the packed records and copy the tables."""
    (HERE / "tohoku2011").mkdir(exist_ok=True)
    (HERE / "stations").mkdir(exist_ok=True)
    for station in STATIONS:
        text = (events / "tohoku2011" / f"{station}.txt").read_bytes()
        (HERE / "tohoku2011" / f"{station}.txt.gz").write_bytes(gzip.compress(text, mtime=0))
    for table in TABLES:
        shutil.copyfile(reference / table, HERE / "stations" / table)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
