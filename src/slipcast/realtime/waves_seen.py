"""At which gauges a tsunami has been seen, at a time when one can be there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from slipcast.records import Records, detect, earliest_arrival
from slipcast.records.arrival import earliest_arrivals

__all__ = ["SOURCE_MW", "WAVE_M", "detected_at", "detections", "earliest_from", "has_wave", "waves_in_levels"]

Place = tuple[float, float]
"""Longitude and latitude, degrees."""

SOURCE_MW = 7.5
"""The largest earthquake of one unit source of 100 km: wherever others slip too, these are sources themselves."""

WAVE_M = 0.02
"""Two samples running beyond it, on one side, are a wave, m: four times the scatter of a DART."""

_HISTORY_S = 1.5 * 86400.0  # of heights in which a tsunami is looked for
_LEARNT_S = 0.5 * 86400.0  # of tide, before one can be told from it


def has_wave(time_s: np.ndarray, level_m: np.ndarray, earliest_s: float) -> bool:
    """Tell whether two samples running are beyond :data:`WAVE_M` on one side, since a tsunami can be there.

    Parameters
    ----------
    time_s : array, shape (n,)
        s since the origin, rising.
    level_m : array, shape (n,)
        Sea level without the tide, m, finite.
    earliest_s : float
        Before it no tsunami can be there, s since the origin.

    Returns
    -------
    seen : bool

    Examples
    --------
    >>> has_wave(np.array([60.0, 120.0]), np.array([0.03, 0.03]), earliest_s=0.0)
    True
    >>> has_wave(np.array([60.0, 120.0]), np.array([0.03, 0.03]), earliest_s=100.0)
    False
    """
    level = level_m[time_s >= max(earliest_s, 0.0)]
    return any(bool((over[1:] & over[:-1]).any()) for over in (level > WAVE_M, level < -WAVE_M))


def detected_at(time_s: np.ndarray, height_m: np.ndarray, earliest_s: float) -> float | None:
    """Tell since when heights of the water column show a tsunami.

    Parameters
    ----------
    time_s : array, shape (n,)
        s since the origin, rising.
    height_m : array, shape (n,)
        m, with tide, finite.
    earliest_s : float
        Before it no tsunami can be there, s since the origin.

    Returns
    -------
    detected_s : float or None
        Time of the sample that decided (:func:`~slipcast.records.detection.detect`); infinite where there is none, None
        where there are too few heights before the origin to tell a tsunami from the tide.
    """
    if not time_s.size or time_s[0] > -_LEARNT_S:
        return None
    recent = time_s >= -_HISTORY_S
    found = detect(time_s[recent], height_m[recent])
    return min((each.detected_s for each in found if each.crest_s >= max(earliest_s, 0.0)), default=np.inf)


def detections(records: Records, sources: Sequence[Place]) -> dict[str, float]:
    """Tell since when heights of the water column show a tsunami.

    Parameters
    ----------
    records : Records
        Of one event, as a reader has them.
    sources : sequence of (float, float)
        From where a tsunami may come, besides the epicentre.

    Returns
    -------
    detected_s : dict of str to float
        By gauge, s since the origin; infinite where there is none. Gauges are missing whose records hold no heights
        with tide, or less than half a day before the origin.
    """
    if "height" not in records.dataset:
        return {}
    height, earliest_s = records.dataset["height"].to_numpy(), _earliest_s(records, sources)
    detided = records.dataset["detided"].to_numpy() if "detided" in records.dataset else np.zeros(len(height))
    found = {}
    for row, name in enumerate(records.gauges):
        known = np.isfinite(height[row])
        at_s = None if detided[row] else detected_at(records.time_s[known], height[row, known], earliest_s[row])
        if at_s is not None:
            found[name] = at_s
    return found


def waves_in_levels(
    records: Records, names: Sequence[str], sources: Sequence[Place], until_s: float
) -> dict[str, bool]:
    """Tell at which gauges a wave is in the records.

    Parameters
    ----------
    records : Records
        Of one event, tide removed.
    names : sequence of str
        Gauges of the records.
    sources : sequence of (float, float)
        From where a tsunami may come, besides the epicentre.
    until_s : float
        Samples from the origin to here count, s since the origin.

    Returns
    -------
    seen : dict of str to bool
        By gauge, as :func:`has_wave`.
    """
    inside = (records.time_s >= 0) & (records.time_s <= until_s)
    earliest_s = _earliest_s(records, sources)
    found = {}
    for name in names:
        row = records.gauges.index(name)
        level = records.sea_level.to_numpy()[row]
        kept = inside & np.isfinite(level)
        found[name] = has_wave(records.time_s[kept], level[kept], earliest_s[row])
    return found


def _earliest_s(records: Records, sources: Sequence[Place]) -> list[float]:
    """Return when a tsunami can be at each gauge at the earliest, s since the origin."""
    places = zip(*(records.dataset[key].to_numpy().tolist() for key in ("gauge_lon", "gauge_lat")), strict=True)
    earliest = np.array([earliest_from(tuple(sources), (lon, lat)) for lon, lat in places])
    if "epicentre" in records.dataset.attrs:
        earliest = np.minimum(earliest, earliest_arrivals(records))
    return [float(each) for each in earliest]


@lru_cache(maxsize=1024)
def earliest_from(sources: tuple[Place, ...], place: Place) -> float:
    """Bound from below when a tsunami of unit sources can be at a place (:func:`earliest_arrival`).

    Parameters
    ----------
    sources : tuple of (float, float)
        Longitudes and latitudes of their middles, degrees.
    place : (float, float)
        Longitude and latitude, degrees.

    Returns
    -------
    earliest_s : float
        s since the origin, for an earthquake of :data:`SOURCE_MW` at the nearest in time; infinite without sources.

    Examples
    --------
    >>> f"{earliest_from(((-125.0, 45.0), (-126.0, 48.0)), (178.3, 48.9)) / 60:.0f} min"
    '255 min'
    """
    return min((earliest_arrival(source, *place, SOURCE_MW) for source in sources), default=np.inf)
