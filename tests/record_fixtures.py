"""Records of known slip at the DARTs of the small bank, and the real ones of Tohoku 2011."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from slipcast.records import Records

DARTS = ["46404", "46407", "46419"]
TRUE_M = np.array([0.0, 4.0, 1.0, 2.0, 8.0, 0.0, 0.0, 3.0, 0.5])
"""Slip on the unit sources of the small bank, by row and then column, m."""

EVENTS = Path(__file__).parents[2] / "shared" / "events" / "tohoku2011"
TOHOKU_ORIGIN = np.datetime64("2011-03-11T05:46:24")


def label_records(bank, time_s, level_m, gauges=DARTS, **options) -> Records:
    """Label sea level, shape ([n_events,] n_gauges, n_times), at gauges of a bank."""
    places = [bank.region.gauge(name) for name in gauges]
    return Records.from_arrays(
        time_s, level_m, gauges=gauges, lon_deg=[p.lon for p in places], lat_deg=[p.lat for p in places], **options
    )


def records_of(bank, slip_m=TRUE_M, gauges=DARTS, *, noise_sd_m: float = 0.0) -> Records:
    """Make the records that slip on unit sources leaves, of any number of events."""
    level = np.tensordot(slip_m, bank.source_response(gauges).to_numpy(), axes=(-1, -1))
    level = level + noise_sd_m * np.random.default_rng(9).standard_normal(level.shape)
    return label_records(bank, bank.time_s, level, gauges)


def tohoku_record(station):
    """Times s since the origin, heights and intervals of a real record, sorted, a finer sample before a coarser."""
    if not (path := EVENTS / f"{station}.txt").is_file():
        pytest.skip("the records of Tohoku 2011 are not in ../shared/events")
    rows = np.loadtxt(path)
    clock = [np.datetime64("{:04d}-{:02d}-{:02d}T{:02d}:{:02d}:{:02d}".format(*row)) for row in rows[:, :6].astype(int)]
    time = (np.array(clock) - TOHOKU_ORIGIN).astype(float)
    order = np.lexsort((-rows[:, 6], time))
    order = order[np.insert(np.diff(time[order]) > 0, 0, True)]
    height = np.where(rows[:, 7] > 9000.0, np.nan, rows[:, 7])
    return time[order], height[order], np.array([900, 60, 15])[rows[order, 6].astype(int) - 1]
