"""Records of known slip at the DARTs of the small bank."""

from __future__ import annotations

import numpy as np

from slipcast.records import Records

DARTS = ["46404", "46407", "46419"]
TRUE_M = np.array([0.0, 4.0, 1.0, 2.0, 8.0, 0.0, 0.0, 3.0, 0.5])
"""Slip on the unit sources of the small bank, by row and then column, m."""


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
