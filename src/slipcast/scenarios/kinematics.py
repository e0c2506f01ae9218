"""Kinematic ruptures: records of slip with onset and rise time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from slipcast.greens.bank import GreensBank

__all__ = ["KinematicResponse", "delay_taps", "rupture_records", "slip_by_lag"]

# a ramp over the rise time as three delays (Gauss-Legendre on [0, 1])
_RAMP_AT = np.array([0.5 - np.sqrt(0.15), 0.5, 0.5 + np.sqrt(0.15)])
_RAMP_WEIGHT = np.array([5.0, 8.0, 5.0]) / 18.0
# taps of the delays of a subfault that are summed at once: four, and one more where they begin a sample apart
_TAPS = 5
_TOGETHER = 4
# numbers in a cache line
_LINE = 16


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


@dataclass(frozen=True)
class KinematicResponse:
    """Responses of subfaults, laid out for slip that takes its time.

    Attributes
    ----------
    sample_s : float
        Sampling interval, s.
    n_gauges, n_times : int
        Of the records.
    step : array, shape (n_gauges, n_subfaults)
        What a response begins with, the uplift at the gauge, m per m, float32.
    rest : tuple of array, each of shape (n, n_subfaults, n_samples)
        The rest of the responses of gauges whose runs are equally long, and zeros at the end of rows up to a whole
        number of cache lines, m per m, float32.
    gauges : tuple of array of int
        Which gauges those are.
    counts : tuple of int
        How many samples they have.

    Notes
    -----
    The sea is linear, so a late subfault is its response shifted, and a ramp in time is a mean of shifted ones. A
    response begins with a step, the uplift at the gauge; that part follows the ramp exactly, and only the rest, which
    begins at zero, is interpolated (:func:`delay_taps`). A rupture touches few subfaults, each with a few delays in a
    row: their responses are weighted and summed for every delay, and those sums shifted. The record of a rupture does
    not depend on which others are computed beside it.
    """

    sample_s: float
    n_gauges: int
    n_times: int
    step: np.ndarray
    rest: tuple[np.ndarray, ...]
    gauges: tuple[np.ndarray, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, bank: GreensBank) -> KinematicResponse:
        """Lay out the responses of a bank; as large as the bank is."""
        hours = bank.dataset["gauge_hours"].to_numpy()
        response = bank.dataset["response"].to_numpy()
        gauges = tuple(np.flatnonzero(hours == length_h) for length_h in np.unique(hours))
        counts = tuple(int(np.sum(bank.time_s <= 3600 * hours[some[0]] + 1e-6)) for some in gauges)
        rest = []
        for some, count in zip(gauges, counts):
            part = _zeros_in_lines(len(some), response.shape[2], -(-count // _LINE) * _LINE)
            for row, gauge in zip(part, some):
                row[:, :count] = (response[gauge, :count] - response[gauge, 0]).T
            rest.append(part)
        sample_s = float(bank.time_s[1] - bank.time_s[0])
        step = np.ascontiguousarray(response[:, 0], dtype=np.float32)
        return cls(sample_s, len(bank.gauges), len(bank.time_s), step, tuple(rest), gauges, counts)

    def records(self, slip_m, onset_s, rise_time_s) -> np.ndarray:
        """Compute the records of ruptures; arguments and result as of :func:`rupture_records`."""
        slip, onset = (np.ascontiguousarray(np.atleast_2d(a), dtype=np.float32) for a in (slip_m, onset_s))
        rise_time = np.atleast_1d(np.asarray(rise_time_s, dtype=float))
        uplift = _uplift(self.step, slip, onset, rise_time, self.sample_s, self.n_times)
        begin, lag, subfault, weight = _taps_by_lag(slip, onset, rise_time, self.sample_s)
        records = np.full((len(slip), self.n_gauges, self.n_times), np.nan, np.float32)
        for rest, gauges, count in zip(self.rest, self.gauges, self.counts):
            _add_up(rest, gauges, count, uplift, begin, lag, subfault, weight, records)
        return records


def rupture_records(bank: GreensBank, slip_m, onset_s, rise_time_s) -> np.ndarray:
    """Compute the records of ruptures from a bank.

    Parameters
    ----------
    bank : GreensBank
        Responses of subfaults; for many calls, prepare them once (:class:`KinematicResponse`).
    slip_m, onset_s : array, shape (n_ruptures, n_subfaults)
        Slip, m, and when it begins, s after the origin.
    rise_time_s : array, shape (n_ruptures,)
        How long each subfault takes to slip, s.

    Returns
    -------
    records : array, shape (n_ruptures, n_gauges, n_times)
        Sea level, m, float32, without noise; NaN after the end of a gauge's run.
    """
    return KinematicResponse.of(bank).records(slip_m, onset_s, rise_time_s)


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
def _cubic(x: float) -> tuple[float, float, float, float]:
    """Return the weights of samples 0, 1, 2, 3 late for a signal that is x samples late (:func:`delay_taps`)."""
    return (
        (x - 1) * (x - 2) * (x - 3) / -6.0,
        x * (x - 2) * (x - 3) / 2.0,
        x * (x - 1) * (x - 3) / -2.0,
        x * (x - 1) * (x - 2) / 6.0,
    )


@njit(cache=True, nogil=True)
def _add_taps(slip: np.ndarray, late: np.ndarray, by_lag: np.ndarray) -> None:
    """Add slip, shape (n_ruptures, n_subfaults), that is late by so many samples, by the taps of :func:`delay_taps`."""
    for rupture in range(slip.shape[0]):
        for subfault in range(slip.shape[1]):
            if slip[rupture, subfault] == 0.0:
                continue
            first = max(int(np.floor(late[rupture, subfault])) - 1, 0)
            for tap, weight in enumerate(_cubic(late[rupture, subfault] - first)):
                by_lag[first + tap, rupture, subfault] += slip[rupture, subfault] * weight


@njit(cache=True, nogil=True)
def _n_lags(onset: np.ndarray, rise_time: np.ndarray, sample_s: float) -> int:
    """Count the whole delays at which slip can begin, and one."""
    latest = longest = 0.0
    for rupture in range(len(rise_time)):
        longest = max(longest, rise_time[rupture])
        for subfault in range(onset.shape[1]):
            latest = max(latest, onset[rupture, subfault])
    return int((latest + longest) / sample_s) + 1


@njit(cache=True, nogil=True)
def _taps_by_lag(slip: np.ndarray, onset: np.ndarray, rise_time: np.ndarray, sample_s: float):
    """List what each rupture is made of: so much of some subfaults at _TAPS delays from one on, _TOGETHER at a time.

    Returns
    -------
    begin : array of int, shape (n_ruptures + 1,)
        Where each rupture begins in the others, in which delays rise.
    lag : array of int, shape (n,)
        The first of the delays, samples.
    subfault : array of int, shape (n, _TOGETHER)
        Which subfaults.
    weight : array, shape (n, _TOGETHER, _TAPS)
        Slip of each at each delay, m, float32; zero where there are no more subfaults of that delay.
    """
    n_subfaults = slip.shape[1]
    room = len(_RAMP_AT) * n_subfaults
    own, own_lag, own_weight = np.empty(room, np.int32), np.empty(room, np.int32), np.empty((room, _TAPS))
    n_lags = _n_lags(onset, rise_time, sample_s)
    # every delay of a rupture has at most one group that is not full
    most = len(slip) * (room // _TOGETHER + n_lags)
    begin = np.zeros(len(slip) + 1, np.int64)
    lag = np.empty(most, np.int32)
    subfault = np.empty((most, _TOGETHER), np.int32)
    weight = np.empty((most, _TOGETHER, _TAPS), np.float32)
    order, after = np.empty(room, np.int64), np.empty(n_lags + 1, np.int64)
    group = -1
    for rupture in range(len(slip)):
        last = -1
        for of in range(n_subfaults):
            if slip[rupture, of] == 0.0:
                continue
            begun = False
            for at, share in zip(_RAMP_AT, _RAMP_WEIGHT):
                late = (onset[rupture, of] + at * rise_time[rupture]) / sample_s
                first = max(int(np.floor(late)) - 1, 0)
                if not begun or first - own_lag[last] > _TAPS - 4:
                    last += 1
                    own[last], own_lag[last] = of, first
                    for tap in range(_TAPS):
                        own_weight[last, tap] = 0.0
                    begun = True
                ahead = first - own_lag[last]
                amount = share * slip[rupture, of]
                for tap, part in enumerate(_cubic(late - first)):
                    own_weight[last, ahead + tap] += amount * part
        for late_by in range(n_lags + 1):
            after[late_by] = 0
        for number in range(last + 1):
            after[own_lag[number] + 1] += 1
        for late_by in range(n_lags):
            after[late_by + 1] += after[late_by]
        for number in range(last + 1):
            order[after[own_lag[number]]] = number
            after[own_lag[number]] += 1
        place = _TOGETHER
        for number in order[: last + 1]:
            if place == _TOGETHER or own_lag[number] != lag[group]:
                group += 1
                place = 0
                lag[group] = own_lag[number]
                for other in range(_TOGETHER):
                    subfault[group, other] = own[number]
                    for tap in range(_TAPS):
                        weight[group, other, tap] = 0.0
            subfault[group, place] = own[number]
            for tap in range(_TAPS):
                weight[group, place, tap] = own_weight[number, tap]
            place += 1
        begin[rupture + 1] = group + 1
    return begin, lag, subfault, weight


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _dot(first: np.ndarray, second: np.ndarray, count: int) -> np.float32:
    """Sum the products of so many numbers of two rows, in any order."""
    total = np.float32(0.0)
    for i in range(count):
        total += first[i] * second[i]
    return total


@njit(cache=True, nogil=True)
def _uplift(step, slip, onset, rise_time, sample_s: float, n_times: int) -> np.ndarray:
    """Compute what the uplift at gauges adds to their records until it is whole, shape (n, n_gauges, n_early)."""
    n_early = min(_n_lags(onset, rise_time, sample_s) + 1, n_times)
    n_gauges, n_subfaults = step.shape
    uplift = np.empty((len(slip), n_gauges, n_early), np.float32)
    here, so_far = np.empty((n_gauges, n_subfaults), np.float32), np.empty(n_subfaults, np.float32)
    slipping = np.empty(n_subfaults, np.int64)
    for rupture in range(len(slip)):
        count = 0
        for subfault in range(n_subfaults):
            if slip[rupture, subfault] != 0.0:
                slipping[count] = subfault
                for gauge in range(n_gauges):
                    here[gauge, count] = step[gauge, subfault]
                count += 1
        whole = -1
        for sample in range(n_early):
            if whole == count:
                for gauge in range(n_gauges):
                    uplift[rupture, gauge, sample] = uplift[rupture, gauge, sample - 1]
                continue
            whole = 0
            for place in range(count):
                since = sample * sample_s - onset[rupture, slipping[place]]
                part = 1.0
                if since < rise_time[rupture]:
                    part = since / rise_time[rupture] if since > 0.0 else 0.0
                whole += part == 1.0
                so_far[place] = part * slip[rupture, slipping[place]]
            for gauge in range(n_gauges):
                uplift[rupture, gauge, sample] = _dot(here[gauge], so_far, count)
    return uplift


@njit(cache=True, nogil=True, fastmath={"contract"})
def _add_four(by_lag: np.ndarray, lag: int, rest: np.ndarray, subfault: np.ndarray, weight: np.ndarray) -> None:
    """Add four weighted responses to the sums of five delays: each is read once, each sum read and written once."""
    a, b, c, d = rest[subfault[0]], rest[subfault[1]], rest[subfault[2]], rest[subfault[3]]
    sum_0, sum_1, sum_2, sum_3, sum_4 = by_lag[lag], by_lag[lag + 1], by_lag[lag + 2], by_lag[lag + 3], by_lag[lag + 4]
    a0, a1, a2, a3, a4 = weight[0, 0], weight[0, 1], weight[0, 2], weight[0, 3], weight[0, 4]
    b0, b1, b2, b3, b4 = weight[1, 0], weight[1, 1], weight[1, 2], weight[1, 3], weight[1, 4]
    c0, c1, c2, c3, c4 = weight[2, 0], weight[2, 1], weight[2, 2], weight[2, 3], weight[2, 4]
    d0, d1, d2, d3, d4 = weight[3, 0], weight[3, 1], weight[3, 2], weight[3, 3], weight[3, 4]
    for t in range(sum_0.size):
        at, bt, ct, dt = a[t], b[t], c[t], d[t]
        sum_0[t] += a0 * at + b0 * bt + c0 * ct + d0 * dt
        sum_1[t] += a1 * at + b1 * bt + c1 * ct + d1 * dt
        sum_2[t] += a2 * at + b2 * bt + c2 * ct + d2 * dt
        sum_3[t] += a3 * at + b3 * bt + c3 * ct + d3 * dt
        sum_4[t] += a4 * at + b4 * bt + c4 * ct + d4 * dt


@njit(cache=True, nogil=True)
def _add_up(rest, gauges, count: int, uplift, begin, lag, subfault, weight, records) -> None:
    """Put the records of gauges with equally long runs into those of all."""
    most_lags = 0
    for group in range(begin[-1]):
        most_lags = max(most_lags, lag[group] + _TAPS)
    by_lag = np.empty((most_lags, rest.shape[2]), np.float32)
    n_early = uplift.shape[2]
    # gauge after gauge, so that its responses stay in the cache for all ruptures
    for number in range(len(gauges)):
        of_gauge = rest[number]
        for rupture in range(len(records)):
            record, early = records[rupture, gauges[number]][:count], uplift[rupture, gauges[number]][:count]
            record[: early.size] = early
            record[early.size :] = uplift[rupture, gauges[number], n_early - 1]
            first, end = begin[rupture], begin[rupture + 1]
            if first == end:
                continue
            n_lags = lag[end - 1] + _TAPS
            by_lag[:n_lags] = 0.0
            for group in range(first, end):
                _add_four(by_lag, lag[group], of_gauge, subfault[group], weight[group])
            for late in range(min(n_lags, count)):
                record[late:] += by_lag[late][: count - late]


def _zeros_in_lines(*shape: int) -> np.ndarray:
    """Return zeros, float32, that begin where a cache line does."""
    size = int(np.prod(shape))
    whole = np.zeros(size + _LINE, np.float32)
    first = -whole.ctypes.data % (4 * _LINE) // 4
    return whole[first : first + size].reshape(shape)
