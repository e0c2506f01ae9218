"""Noise of a predicted tide on the records of the benchmark, and what methods know of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from slipcast.learning.posterior.augmentation import drift, drift_columns
from slipcast.records.correlated_noise import CorrelatedNoise

__all__ = ["drift_noise", "drifting"]


def drifting(records: xr.DataArray, drift_m: Sequence[float], rng: np.random.Generator) -> xr.DataArray:
    """Add a drift to records, dims (scenario, gauge, time), m: another for every scenario and gauge.

    ``drift_m`` as in :func:`~slipcast.learning.posterior.augmentation.drift_columns`.
    """
    return records + drift(drift_m, records.shape, rng)


def drift_noise(gauges: Sequence[str], n_times: int, drift_m: Sequence[float]) -> CorrelatedNoise | None:
    """Make what a linear method knows of such a drift, at minutes 1, 2, ...; None where there is none."""
    if not any(drift_m):
        return None
    columns = drift_columns(drift_m, n_times)
    return CorrelatedNoise(
        xr.DataArray(
            np.broadcast_to(columns, (len(gauges), *columns.shape)).copy(),
            dims=("gauge", "column", "time"),
            coords={"gauge": list(gauges), "time": 60.0 * np.arange(1, n_times + 1)},
        )
    )
