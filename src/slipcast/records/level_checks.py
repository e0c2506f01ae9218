"""Records without tide that no reader has checked: samples and steps that cannot be the sea."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipcast.records.continuity import Step
from slipcast.records.quality import QualitySettings, check_levels, flag_summary
from slipcast.records.records import Records

__all__ = ["examined", "notes_on_samples", "without_bad_samples", "words_for", "words_of"]


def examined(records: Records, until_s: float) -> Records:
    """Leave out of records what cannot be the sea, unless a reader has done so.

    Parameters
    ----------
    records : Records
        Without tide. Those of several events, and those that have flags, are left as they are.
    until_s : float
        Samples from the origin to here are looked at, s since the origin.

    Returns
    -------
    records : Records
        With ``flag`` and, by gauge, ``left_out``, as :func:`~slipcast.records.read.records_of` has them; NaN where a
        sample is flagged, and steps taken out.
    """
    dataset = records.dataset
    if "flag" in dataset or "event" in dataset.dims or not dataset.attrs.get("tide_removed", 0):
        return records
    inside = np.flatnonzero((records.time_s >= 0) & (records.time_s <= until_s))
    level = records.sea_level.to_numpy().copy()
    flag, steps = np.zeros(level.shape, np.uint8), []
    for row, of_gauge in enumerate(level):
        of_gauge[inside], flag[row, inside], told = _cleaned(records.time_s[inside], of_gauge[inside])
        steps.append(", ".join(told))
    return Records(
        dataset.assign(
            sea_level=records.sea_level.copy(data=level),
            flag=(records.sea_level.dims, flag, {"long_name": "what is wrong with a sample"}),
            left_out=("gauge", steps),
        )
    )


def without_bad_samples(time_s: np.ndarray, level_m: np.ndarray) -> tuple[np.ndarray, str]:
    """Leave out of levels what cannot be the sea.

    Parameters
    ----------
    time_s : array, shape (n,)
        s since the origin, rising.
    level_m : array, shape (n,)
        Sea level without the tide, m; NaN where missing.

    Returns
    -------
    level_m : array, shape (n,)
        Without steps, NaN where a sample is flagged.
    note : str
        What was done; empty if nothing was.

    Examples
    --------
    >>> level_m = np.zeros(60)
    >>> level_m[30] = 40.0
    >>> without_bad_samples(60.0 * np.arange(60), level_m)[1]
    '1 sample left out (spike)'
    """
    cleaned_m, flags, steps = _cleaned(time_s, level_m)
    return cleaned_m, ", ".join([*map(words_for, flag_summary(flags, time_s)), *steps])


def _cleaned(time_s: np.ndarray, level_m: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return levels without steps, NaN where flagged; the flags; and what was done about each step."""
    checked = check_levels(time_s, level_m)
    steps = [words_of(step, f"at minute {step.time_s / 60:.0f}", "taken out") for step in checked.steps]
    return np.where(checked.flags > 0, np.nan, level_m - checked.offset_m), checked.flags, steps


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
