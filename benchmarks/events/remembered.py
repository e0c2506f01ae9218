"""Detections in records that methods share: looked for once, not once a method."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from slipcast.realtime import waves_seen

__all__ = ["remembered_detections"]


@contextmanager
def remembered_detections() -> Iterator[None]:
    """Keep what is detected in a record for inversions that are given the same samples; results are the same."""
    detected_at, kept = waves_seen.detected_at, dict[tuple[bytes, bytes, float], float | None]()

    def remembered(time_s: np.ndarray, height_m: np.ndarray, earliest_s: float) -> float | None:
        key = (time_s.tobytes(), height_m.tobytes(), float(earliest_s))
        if key not in kept:
            kept[key] = detected_at(time_s, height_m, earliest_s)
        return kept[key]

    waves_seen.detected_at = remembered
    try:
        yield
    finally:
        waves_seen.detected_at = detected_at
