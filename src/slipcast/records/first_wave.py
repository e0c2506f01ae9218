"""The first wave of a record: from its arrival to the end of the trough behind its crest."""

from __future__ import annotations

import numpy as np

from slipcast.errors import InputError

__all__ = ["first_wave"]

_ONSET = 0.1
_CREST_S = 3600.0
_TROUGH_S = 3600.0


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
