"""Records of real tsunamis for the tests, unpacked from ``tests/data``."""

from __future__ import annotations

import functools
import gzip
import tempfile
from pathlib import Path

import numpy as np

DATA = Path(__file__).parent / "data"
STATION_TABLES = Path(__file__).parents[1] / "src" / "slipcast" / "data"
TOHOKU_STATIONS = ("21401", "21413", "21414", "21415", "21418", "21419")
TOHOKU_ORIGIN = np.datetime64("2011-03-11T05:46:24")
EVENT_ORIGINS = {
    "samoa2009": np.datetime64("2009-09-29T17:48:10"),
    "chile2010": np.datetime64("2010-02-27T06:34:11"),
    "tohoku2011": TOHOKU_ORIGIN,
    "illapel2015": np.datetime64("2015-09-16T22:54:32"),
}


@functools.cache
def _folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="slipcast-tests-")


@functools.cache
def tohoku_file(station: str) -> Path:
    """Return the path of a station's raw text of March 2011, as NDBC has it."""
    path = Path(_folder().name) / f"{station}.txt"
    path.write_bytes(gzip.decompress((DATA / "tohoku2011" / f"{station}.txt.gz").read_bytes()))
    return path


def raw_samples(path: Path, origin: np.datetime64) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what is known of a raw text without the 1-minute rows between full minutes, which repeat others."""
    time, height, interval = _samples(path, origin)
    kept = np.isfinite(height) & ~((interval == 60) & ((time + (origin.astype(int) % 60)) % 60 != 0))
    return time[kept], height[kept], interval[kept]


@functools.cache
def _tohoku_samples(station: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return _samples(tohoku_file(station), TOHOKU_ORIGIN)


def _samples(path: Path, origin: np.datetime64) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = np.loadtxt(path)
    clock = [np.datetime64("{:04d}-{:02d}-{:02d}T{:02d}:{:02d}:{:02d}".format(*row)) for row in rows[:, :6].astype(int)]
    time = (np.array(clock) - origin).astype(float)
    order = np.lexsort((-rows[:, 6], time))
    order = order[np.insert(np.diff(time[order]) > 0, 0, True)]
    height = np.where(rows[:, 7] > 9000.0, np.nan, rows[:, 7])
    return time[order], height[order], np.array([900, 60, 15])[rows[order, 6].astype(int) - 1]


def tohoku_samples(station: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return times since the origin, s, heights, m, and intervals, s, sorted, a finer sample before a coarser."""
    time, height, interval = _tohoku_samples(station)
    return time.copy(), height.copy(), interval.copy()
