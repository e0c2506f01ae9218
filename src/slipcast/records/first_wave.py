"""First wave of a record: from its arrival to the end of the trough behind its crest."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from slipcast.errors import InputError
from slipcast.io.labels import positions_of
from slipcast.records.arrival import earliest_arrivals
from slipcast.records.records import Records

__all__ = ["first_wave", "first_wave_ends", "first_wave_span"]

_ONSET = 0.1
_CREST_S = 3600.0
_TROUGH_S = 3600.0
_SEARCH_S = 8 * 3600.0


def first_wave(time_s, sea_level_m, *, after_s: float = 0.0) -> tuple[float, float]:
    """Find the first wave of a record.

    Parameters
    ----------
    time_s : array, shape (n_times,)
        s since the origin, rising.
    sea_level_m : array, shape (n_times,)
        m, without tide; NaN where missing.
    after_s : float, optional
        Where to begin: no wave can arrive before, s.

    Returns
    -------
    start_s, end_s : float
        From the last sample below a tenth of the crest before it, to where the level first rises through zero after
        the trough, which is looked for within an hour of the crest; or an hour after the trough.

    Raises
    ------
    InputError
        If there is no crest: nothing above zero.

    Notes
    -----
    The crest is the highest level within an hour of the first time that it exceeds half of the record's highest. So a
    small wave that precedes a much larger one is not the first wave.

    Examples
    --------
    >>> minutes = np.arange(0.0, 120.0)
    >>> wave = np.where((minutes > 30) & (minutes < 70), np.sin((minutes - 30) * np.pi / 20), 0.0)
    >>> first_wave(60 * minutes, wave)
    (1800.0, 4200.0)
    """
    time, level = np.asarray(time_s, float), np.asarray(sea_level_m, float)
    known = np.isfinite(level) & (time >= after_s)
    time, level = time[known], level[known]
    if not time.size or not level.max() > 0:
        raise InputError(f"sea_level_m has no crest after {after_s / 60:g} min")
    large = int(np.argmax(level > level.max() / 2))
    crest = large + int(np.argmax(level[large : np.searchsorted(time, time[large] + _CREST_S, side="right")]))
    below = np.flatnonzero(level[:crest] < _ONSET * level[crest])
    start = int(below[-1]) if below.size else 0
    trough = crest + int(np.argmin(level[crest : np.searchsorted(time, time[crest] + _TROUGH_S, side="right")]))
    risen = np.flatnonzero(level[trough:] >= 0)
    end_s = time[trough] + _TROUGH_S if not risen.size else min(time[trough + risen[0]], time[trough] + _TROUGH_S)
    return float(time[start]), float(end_s)


def first_wave_ends(
    records: Records, gauges: Iterable[str] | None = None, *, skip_missing: bool = False
) -> dict[str, float]:
    """Find where first waves end.

    Parameters
    ----------
    records : Records
        Of one event; with their epicentre no wave is looked for before it can arrive.
    gauges : iterable of str, optional
        By default all.
    skip_missing : bool, optional
        Leave gauges out that have recorded no wave, if others have.

    Returns
    -------
    ends_min : dict of str to float
        Whole minutes after the origin: windows for an inversion.

    Raises
    ------
    InputError
        If there are several events, a gauge is unknown, or one has recorded no wave (all, with ``skip_missing``).
    """
    records = records.one_event()
    names = [records.gauges[i] for i in positions_of(gauges, records.gauges, dim="gauge", where="in records")]
    found: dict[str, float] = {}
    errors: list[InputError] = []
    for name in names:
        try:
            found[name] = float(np.ceil(first_wave_span(records, name)[1] / 60))
        except InputError as error:
            errors.append(error)
    if errors and not (skip_missing and found):
        raise errors[0]
    return found


def first_wave_span(records: Records, gauge: str) -> tuple[float, float]:
    """Find the first wave in the record of a gauge: its span, s since the origin; InputError if there is none."""
    row = records.gauges.index(gauge)
    after_s = float(earliest_arrivals(records)[row])
    within = (records.time_s > 0) & (records.time_s < after_s + _SEARCH_S)
    try:
        return first_wave(records.time_s[within], records.sea_level.to_numpy()[row, within], after_s=after_s)
    except InputError as error:
        raise InputError(f"gauge {gauge}: {error}") from error
