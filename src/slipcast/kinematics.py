"""Ruptures that take their time: slip with onset and rise time turned into records."""

from __future__ import annotations

import numpy as np
from numba import njit

from slipcast.greens import GreensBank

__all__ = ["delay_taps", "rupture_records", "slip_by_lag"]

# a ramp over the rise time as three delays (Gauss-Legendre on [0, 1])
_RAMP_AT = np.array([0.5 - np.sqrt(0.15), 0.5, 0.5 + np.sqrt(0.15)])
_RAMP_WEIGHT = np.array([5.0, 8.0, 5.0]) / 18.0


def delay_taps(delay_s, sample_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Express a delay of a sampled causal signal as a weighted sum of its past samples.

    Parameters
    ----------
    delay_s : array, shape (...)
        Delays, s; >= 0.
    sample_s : float
        Sampling interval, s.

    Returns
    -------
    lags : array of int, shape (..., 4)
        Delays in whole samples; >= 0.
    weights : array, shape (..., 4)
        Sum to one. A whole delay is exact.

    Notes
    -----
    Cubic Lagrange interpolation; between the present and the last sample it is one-sided, so that no sample from the
    future is needed.

    Examples
    --------
    >>> lags, weights = delay_taps(120.0, 60.0)
    >>> lags.tolist(), abs(weights).tolist()
    ([1, 2, 3, 4], [0.0, 1.0, 0.0, 0.0])
    """
    at = np.asarray(delay_s, dtype=float) / sample_s
    first = np.maximum(np.floor(at).astype(int) - 1, 0)
    lags = first[..., np.newaxis] + np.arange(4)
    from_node = at[..., np.newaxis] - lags
    weights = np.ones(lags.shape)
    for node in range(4):
        for other in range(4):
            if other != node:
                weights[..., node] *= from_node[..., other] / (node - other)
    return lags, weights


def rupture_records(bank: GreensBank, slip_m, onset_s, rise_time_s) -> np.ndarray:
    """Compute the records of ruptures from a bank.

    Parameters
    ----------
    bank : GreensBank
        Responses of subfaults.
    slip_m, onset_s : array, shape (n_ruptures, n_subfaults)
        Slip, m, and when it begins, s after the origin.
    rise_time_s : array, shape (n_ruptures,)
        How long each subfault takes to slip, s.

    Returns
    -------
    records : array, shape (n_ruptures, n_gauges, n_times)
        Sea level, m, float32, without noise; NaN after the end of a gauge's run.

    Notes
    -----
    The sea is linear, so a late subfault is its response shifted, and a ramp in time is a mean of shifted ones. A
    response begins with a step, the uplift at the gauge; that part follows the ramp exactly, and only the rest, which
    begins at zero, is interpolated.
    """
    slip, onset = (np.atleast_2d(np.asarray(a, dtype=np.float32)) for a in (slip_m, onset_s))
    rise_time = np.atleast_1d(rise_time_s)
    sample_s = float(bank.time_s[1] - bank.time_s[0])
    by_lag = slip_by_lag(slip, onset, rise_time, sample_s)
    begun = [_slip_so_far(slip, onset, rise_time, sample_s * sample) for sample in range(len(by_lag))]
    records = np.full((len(slip), len(bank.gauges), len(bank.time_s)), np.nan, np.float32)
    hours = bank.dataset["gauge_hours"].to_numpy()
    response = bank.dataset["response"].to_numpy()
    for length_h in np.unique(hours):
        gauges = np.flatnonzero(hours == length_h)
        count = int(np.sum(bank.time_s <= 3600 * length_h + 1e-6))
        step = response[gauges, 0]
        part = response[gauges, :count] - step[:, np.newaxis]
        total = np.repeat((step @ slip.T)[:, np.newaxis], count, axis=1)
        for sample, so_far in enumerate(begun[:count]):
            total[:, sample] = step @ so_far.T
        for lag, lagged in enumerate(by_lag):
            used = np.flatnonzero(lagged.any(axis=0))
            if used.size and lag < count:
                rows = part[:, : count - lag].reshape(-1, part.shape[2])
                rows = rows if used.size > 0.7 * part.shape[2] else rows[:, used]
                columns = lagged if used.size > 0.7 * part.shape[2] else lagged[:, used]
                total[:, lag:] += (rows @ columns.T).reshape(len(gauges), count - lag, -1)
        records[:, gauges, :count] = np.moveaxis(total, -1, 0)
    return records


def _slip_so_far(slip: np.ndarray, onset: np.ndarray, rise_time: np.ndarray, time_s: float) -> np.ndarray:
    """Return the slip that has happened by a time, shape (n_ruptures, n_subfaults), float32."""
    rise = rise_time[:, np.newaxis]
    ramp = np.clip((time_s - onset) / np.where(rise > 0, rise, 1.0), 0, 1)
    return (slip * np.where(rise > 0, ramp, time_s >= onset)).astype(np.float32)


def slip_by_lag(slip_m, onset_s, rise_time_s, sample_s: float) -> np.ndarray:
    """Distribute slip over whole delays.

    Parameters
    ----------
    slip_m, onset_s : array, shape (n_ruptures, n_subfaults)
        Slip, m, and when it begins, s after the origin.
    rise_time_s : array, shape (n_ruptures,)
        How long each subfault takes to slip, s.
    sample_s : float
        Sampling interval, s.

    Returns
    -------
    by_lag : array, shape (n_lags, n_ruptures, n_subfaults)
        m, float32: slip that acts 0, 1, 2, ... samples late, from which waves follow as from slip at time zero
        (:func:`delay_taps`); the parts of a subfault sum to its slip.
    """
    slip, onset, rise_time = np.asarray(slip_m), np.asarray(onset_s), np.asarray(rise_time_s)
    delay = np.where(slip > 0, onset, 0.0)
    longest = float(delay.max() + rise_time.max())
    by_lag = np.zeros((int(longest / sample_s) + 4, *slip.shape))
    for at, share in zip(_RAMP_AT, _RAMP_WEIGHT):
        late = (delay + at * rise_time[:, np.newaxis]) / sample_s
        _add_taps(share * slip.astype(float), late, by_lag)
    return by_lag.astype(np.float32)


@njit(cache=True, nogil=True)
def _add_taps(slip: np.ndarray, late: np.ndarray, by_lag: np.ndarray) -> None:
    """Add slip, shape (n_ruptures, n_subfaults), that is late by so many samples, by the taps of :func:`delay_taps`."""
    for rupture in range(slip.shape[0]):
        for subfault in range(slip.shape[1]):
            if slip[rupture, subfault] == 0.0:
                continue
            first = max(int(np.floor(late[rupture, subfault])) - 1, 0)
            x = late[rupture, subfault] - first
            amount = slip[rupture, subfault]
            by_lag[first, rupture, subfault] += amount * (x - 1) * (x - 2) * (x - 3) / -6.0
            by_lag[first + 1, rupture, subfault] += amount * x * (x - 2) * (x - 3) / 2.0
            by_lag[first + 2, rupture, subfault] += amount * x * (x - 1) * (x - 3) / -2.0
            by_lag[first + 3, rupture, subfault] += amount * x * (x - 1) * (x - 2) / 6.0
