"""At which gauges a tsunami has been seen, at a time when one can be there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import theilslopes

from slipcast.records import Records, detect
from slipcast.records.arrival import Place, earliest_arrivals

__all__ = ["WAVE_M", "detected_at", "detections", "standing_off", "wave_since", "waves_in_levels", "waves_seen_in"]

WAVE_M = 0.02
"""Two samples running beyond it, on one side, may be a wave, m: four times the scatter of a DART."""

_CLEAR = 4.0  # standard deviations
_MOST_SCATTER_M = 0.05
_OFF_LINE = 0.7
_STANDING_S = 600.0
_FEWEST_EARLY, _MOST_PAIRED, _MOST_TRIED = 5, 60, 60
_HISTORY_S = 1.5 * 86400.0  # of heights in which a tsunami is looked for
_LEARNT_S = 0.5 * 86400.0  # of tide, before one can be told from it


def wave_since(
    time_s: np.ndarray, level_m: np.ndarray, earliest_s: float, tide_sd_m: np.ndarray | None = None
) -> float:
    """Tell since when two samples running stand out of a record on one side, once a tsunami can be there.

    Parameters
    ----------
    time_s : array, shape (n,)
        s since the origin, rising.
    level_m : array, shape (n,)
        Sea level without the tide, m, finite.
    earliest_s : float
        Before it no tsunami can be there, s since the origin.
    tide_sd_m : array, shape (n,), optional
        Standard deviation of what is left of the tide, m; by default none.

    Returns
    -------
    since_s : float
        Time of the second of them, s since the origin; infinite where there are none.

    Notes
    -----
    They are beyond :data:`WAVE_M`, and four standard deviations of the tide's error and of the record's own scatter
    before a wave can be there (5 cm at most for that: shaking is to hide no wave); and beyond seven tenths of it from a
    line through the samples from the origin to them (Theil and Sen's), which a drift follows and a wave does not. Later
    samples change nothing: a wave that has been seen stays so. Where more than sixty are beyond, sixty are tried.

    Examples
    --------
    >>> minutes = 60.0 * np.arange(1, 31)
    >>> wave = 0.1 * np.exp(-(((minutes - 1200) / 300) ** 2))
    >>> wave_since(minutes, wave, earliest_s=0.0), wave_since(minutes, wave, earliest_s=1680.0)
    (900.0, inf)
    >>> wave_since(minutes, 0.1 * minutes / 1800, earliest_s=0.0)
    inf
    """
    early = level_m[time_s < earliest_s]
    scatter_m = 1.4826 * np.median(np.abs(early - np.median(early))) if early.size >= _FEWEST_EARLY else 0.0
    own_m = min(_CLEAR * scatter_m, _MOST_SCATTER_M)
    tide_m = np.zeros(time_s.size) if tide_sd_m is None else _CLEAR * tide_sd_m
    limit_m = np.maximum(WAVE_M, np.hypot(own_m, tide_m))
    since = time_s >= max(earliest_s, 0.0)
    over = [since & (sign * level_m > limit_m) for sign in (1, -1)]
    second = np.flatnonzero((over[0][1:] & over[0][:-1]) | (over[1][1:] & over[1][:-1])) + 1
    origin = int(np.searchsorted(time_s, 0.0))
    thin = slice(None, None, -(-second.size // _MOST_TRIED) or 1)
    for at in second[thin]:
        span = slice(origin, max(at + 1, origin + _FEWEST_EARLY))  # a line needs some samples
        off_m = np.sign(level_m[at]) * _off_line(time_s[span], level_m[span])[at - origin - 1 : at - origin + 1]
        if (off_m > _OFF_LINE * limit_m[at]).all():
            return float(time_s[at])
    return np.inf


def _off_line(time_s: np.ndarray, level_m: np.ndarray) -> np.ndarray:
    """Return levels less a line through them, which few of them do not bend."""
    if time_s.size < _FEWEST_EARLY:
        return level_m
    thin = slice(None, None, -(-time_s.size // _MOST_PAIRED))  # all pairs are compared
    slope = theilslopes(level_m[thin], time_s[thin]).slope
    return level_m - slope * time_s - np.median(level_m[thin] - slope * time_s[thin])


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
    height, earliest_s = records.dataset["height"].to_numpy(), earliest_arrivals(records, sources)
    detided = records.dataset["detided"].to_numpy() if "detided" in records.dataset else np.zeros(len(height))
    found = {}
    for row, name in enumerate(records.gauges):
        known = np.isfinite(height[row])
        at_s = None if detided[row] else detected_at(records.time_s[known], height[row, known], earliest_s[row])
        if at_s is not None:
            found[name] = at_s
    return found


def waves_seen_in(
    records: Records, names: Sequence[str], sources: Sequence[Place], until_s: float | Mapping[str, float]
) -> dict[str, bool]:
    """Tell at which gauges a tsunami has been seen: in heights with the tide where there are enough, else in levels.

    Parameters
    ----------
    records, names, sources
        As :func:`waves_in_levels` takes them.
    until_s : float or mapping of gauge to float
        What was seen up to here counts, for all gauges or each, s since the origin.

    Returns
    -------
    seen : dict of str to bool
        By gauge, as :func:`detections` or :func:`waves_in_levels`.
    """
    ends_s = until_s if isinstance(until_s, Mapping) else dict.fromkeys(names, until_s)
    detected_s, found = detections(records, sources), {}
    for name in names:
        by_heights = name in detected_s
        found[name] = (
            detected_s[name] <= ends_s[name]
            if by_heights
            else waves_in_levels(records, [name], sources, ends_s[name])[name]
        )
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
        Samples up to here count, s since the origin.

    Returns
    -------
    seen : dict of str to bool
        By gauge, as :func:`wave_since`.
    """
    inside, earliest_s, found = records.time_s <= until_s, earliest_arrivals(records, sources), {}
    tide_sd_m = _tide_sd_m(records)
    for name in names:
        row = records.gauges.index(name)
        level = records.sea_level.to_numpy()[row]
        kept = inside & np.isfinite(level)
        since_s = wave_since(records.time_s[kept], level[kept], earliest_s[row], tide_sd_m[row, kept])
        found[name] = bool(np.isfinite(since_s))
    return found


def standing_off(records: Records, names: Sequence[str], until_s: float) -> dict[str, float]:
    """Find gauges whose level stays off zero: by a wave, or else by a drift, a gain, or a tide that is not as known.

    Parameters
    ----------
    records : Records
        Of one event, tide removed.
    names : sequence of str
        Gauges of the records.
    until_s : float
        Samples from the origin to here count, s since the origin.

    Returns
    -------
    off_m : dict of str to float
        The median of five samples or more in the last ten minutes of a gauge, m, where it is beyond :data:`WAVE_M` and
        four standard deviations of the tide's error.
    """
    inside = (records.time_s >= 0) & (records.time_s <= until_s)
    level, tide_sd_m, found = records.sea_level.to_numpy(), _tide_sd_m(records), {}
    for name in names:
        row = records.gauges.index(name)
        at = np.flatnonzero(inside & np.isfinite(level[row]))
        at = at[records.time_s[at] >= records.time_s[at[-1]] - _STANDING_S] if at.size else at
        if at.size < _FEWEST_EARLY:
            continue
        off_m = float(np.median(level[row, at]))
        if abs(off_m) > max(WAVE_M, _CLEAR * tide_sd_m[row, at[-1]]):
            found[name] = off_m
    return found


def _tide_sd_m(records: Records) -> np.ndarray:
    """Return the standard deviation of what is left of the tide, m, shape (n_gauges, n_times)."""
    if not records.dataset.sizes.get("column", 0):
        return np.zeros(records.sea_level.shape)
    columns = records.dataset["tide_column"].transpose("gauge", "column", "time")
    return np.sqrt(np.square(columns.to_numpy()).sum(axis=1))
