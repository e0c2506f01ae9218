"""What methods share in a case, done once: detection in records, and which of them contradict the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from slipcast.realtime import event_slip, waves_seen

__all__ = ["remembered_checks"]


@contextmanager
def remembered_checks() -> Iterator[None]:
    """Keep what is found in records for the next inversion that is given the same samples; results are the same."""
    detected_at, contradicting_gauges = waves_seen.detected_at, event_slip.contradicting_gauges
    kept: dict[Any, Any] = {}

    def detected_once(time_s: np.ndarray, height_m: np.ndarray, earliest_s: float) -> float | None:
        key = (time_s.tobytes(), height_m.tobytes(), float(earliest_s))
        if key not in kept:
            kept[key] = detected_at(time_s, height_m, earliest_s)
        return kept[key]

    def contradicted_once(records: Any, inverter: Any, **options: Any) -> dict[str, float]:
        level = records.sea_level.to_numpy().tobytes()
        key = (level, inverter.method, inverter.bank.id, inverter.times_s.size, repr(sorted(options.items())))
        if key not in kept:
            kept[key] = contradicting_gauges(records, inverter, **options)
        return dict(kept[key])

    waves_seen.detected_at = detected_once
    event_slip.contradicting_gauges = contradicted_once
    try:
        yield
    finally:
        waves_seen.detected_at = detected_at
        event_slip.contradicting_gauges = contradicting_gauges
