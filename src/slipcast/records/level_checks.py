"""Records without tide that no reader has checked: samples and steps that cannot be the sea."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import theilslopes

from slipcast.records.arrival import Place, earliest_arrivals
from slipcast.records.continuity import Step
from slipcast.records.quality import QualitySettings, check_levels, flag_summary
from slipcast.records.records import Records

__all__ = ["examined", "notes_on_samples", "ready_levels", "without_offset", "words_for", "words_of"]

_FEWEST_BEFORE, _MOST_BEFORE = 5, 300
_LEAST_OFFSET_M = 0.005
_CLEAR = 5.0  # standard deviations
_NINETY_FIVE = 2 * 1.96  # of a 95 % interval


def examined(records: Records, until_s: float, sources: Sequence[Place] = ()) -> Records:
    """Leave out of records what cannot be the sea, and take out offsets, unless a reader has done so.

    Parameters
    ----------
    records : Records
        Without tide. Those of several events, and those that have flags, are left as they are.
    until_s : float
        Samples up to here are looked at, s since the origin.
    sources : sequence of (float, float), optional
        From where a tsunami may come besides the epicentre, as
        :func:`~slipcast.records.arrival.earliest_arrivals` takes it.

    Returns
    -------
    records : Records
        With ``flag`` and, by gauge, ``left_out``, as :func:`~slipcast.records.read.records_of` has them; NaN where a
        sample is flagged; steps taken out, and what a record is off before a wave can be there
        (:func:`ready_levels`).
    """
    dataset = records.dataset
    if "flag" in dataset or "event" in dataset.dims or not dataset.attrs.get("tide_removed", 0):
        return records
    inside, earliest_s = np.flatnonzero(records.time_s <= until_s), earliest_arrivals(records, sources)
    level = records.sea_level.to_numpy().copy()
    flag, steps = np.zeros(level.shape, np.uint8), []
    for row, of_gauge in enumerate(level):
        of_gauge[inside], flag[row, inside], told = ready_levels(
            records.time_s[inside], of_gauge[inside], earliest_s[row]
        )
        steps.append(", ".join(told))
    return Records(
        dataset.assign(
            sea_level=records.sea_level.copy(data=level),
            flag=(records.sea_level.dims, flag, {"long_name": "what is wrong with a sample"}),
            left_out=("gauge", steps),
        )
    )


def ready_levels(
    time_s: np.ndarray, level_m: np.ndarray, earliest_s: float
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Leave out of levels what cannot be the sea, and take out what they are off before a wave can be there.

    Parameters
    ----------
    time_s : array, shape (n,)
        s since the origin, rising.
    level_m : array, shape (n,)
        Sea level without the tide, m; NaN where missing.
    earliest_s : float
        Before it no tsunami can be there, s since the origin.

    Returns
    -------
    level_m : array, shape (n,)
        Without steps and offset (:func:`without_offset`), NaN where a sample is flagged.
    flags : array of uint8, shape (n,)
        As :func:`~slipcast.records.quality.check_levels` sets them.
    told : list of str
        What was taken out.

    Examples
    --------
    >>> level_m = np.full(60, 0.025)
    >>> level_m[30] = 40.0
    >>> level_m, flags, told = ready_levels(60.0 * np.arange(60), level_m, 900.0)
    >>> float(np.nanmax(np.abs(level_m))), np.flatnonzero(flags).tolist(), told
    (0.0, [30], ['2.5 cm off before a wave can be there, taken out'])
    """
    checked = check_levels(time_s, level_m)
    told = [words_of(step, f"at minute {step.time_s / 60:.0f}", "taken out") for step in checked.steps]
    cleaned_m = np.where(checked.flags > 0, np.nan, level_m - checked.offset_m)
    known = np.isfinite(cleaned_m)
    cleaned_m[known], offset = without_offset(time_s[known], cleaned_m[known], earliest_s)
    return cleaned_m, checked.flags, [*told, offset] if offset else told


def without_offset(time_s: np.ndarray, level_m: np.ndarray, earliest_s: float) -> tuple[np.ndarray, str]:
    """Take out of a level what it has before a wave can be there, where that is no scatter.

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
    level_m : array, shape (n,)
        Less a constant and a trend (Theil and Sen's, robust against shaking) if they are clear of the scatter.
    note : str
        What was taken out; empty if nothing was.

    Examples
    --------
    >>> minutes = np.arange(60.0, 1800.0, 60.0)
    >>> level, note = without_offset(minutes, np.full(minutes.size, 0.025), 600.0)
    >>> float(np.abs(level).max()), note
    (0.0, '2.5 cm off before a wave can be there, taken out')
    """
    before = (time_s > 0) & (time_s < earliest_s)
    if before.sum() < _FEWEST_BEFORE:
        return level_m, ""
    # all pairs are compared: as many samples as there may be are thinned out
    thin = slice(None, None, -(-int(before.sum()) // _MOST_BEFORE))
    early_s, early_m = time_s[before][thin], level_m[before][thin]
    trend = theilslopes(early_m, early_s)
    trend_s = trend.slope if abs(trend.slope) > _CLEAR * (trend.high_slope - trend.low_slope) / _NINETY_FIVE else 0.0
    offset_m = float(np.median(early_m - trend_s * early_s))
    scatter_m = 1.4826 * float(np.median(np.abs(early_m - trend_s * early_s - offset_m)))
    least_m = max(_LEAST_OFFSET_M, _CLEAR * scatter_m / np.sqrt(early_s.size))
    at_end_m = offset_m + trend_s * early_s[-1]
    if max(abs(offset_m), abs(at_end_m)) <= least_m:
        return level_m, ""
    words = f"{100 * at_end_m:.1f} cm off before a wave can be there"
    return level_m - offset_m - trend_s * time_s, f"{words}, taken out"


def words_of(step: Step, when: str, done: str, settings: QualitySettings | None = None) -> str:
    """Say what was done about a step: another deployment or buoy, whose samples are flagged, or what is given.

    Examples
    --------
    >>> words_of(Step(600.0, 0.5, 60.0), "at minute 10", "taken out")
    'step of +0.50 m at minute 10, taken out'
    >>> words_of(Step(600.0, 25.0, 60.0), "at minute 10", "taken out")
    'level changes by +25.00 m at minute 10: another buoy, flagged level'
    """
    settings = settings or QualitySettings()
    changes = f"level changes by {step.size_m:+.2f} m {when}"
    if step.gap_s > settings.level_gap_s:
        return f"{changes} after a gap: another deployment, flagged level"
    if abs(step.size_m) > settings.level_step_m:
        return f"{changes}: another buoy, flagged level"
    return f"step of {step.size_m:+.2f} m {when}, {done}"


def notes_on_samples(records: Records, until_s: float) -> dict[str, str]:
    """Say what was left out of records, and what steps were taken out, where anything was.

    Parameters
    ----------
    records : Records
        Checked.
    until_s : float
        Samples from the origin to here count, s since the origin.

    Returns
    -------
    notes : dict of str to str
        By gauge. Shaking is not told.
    """
    dataset, notes = records.dataset, {}
    inside = (records.time_s >= 0) & (records.time_s <= until_s)
    for row, name in enumerate(records.gauges):
        flag = dataset["flag"].to_numpy()[row, inside] if "flag" in dataset else np.zeros(inside.sum(), np.uint8)
        told = [words_for(found) for found in flag_summary(flag, records.time_s[inside]) if found["test"] != "shaking"]
        told += [str(dataset["left_out"].to_numpy()[row])] if "left_out" in dataset else []
        notes[name] = ", ".join(filter(None, told))
    return {name: note for name, note in notes.items() if note}


def words_for(found: dict[str, Any]) -> str:
    """Say how many samples a test left out, of a row of :func:`~slipcast.records.quality.flag_summary`."""
    return f"{found['number']} sample{'s' if found['number'] > 1 else ''} left out ({found['test']})"
