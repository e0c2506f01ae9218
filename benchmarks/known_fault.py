"""How often a test that knows what a failing sensor adds to its record would name it: a bound on linear rules."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

__all__ = ["odds_of_naming"]

_BIN_S = 180.0
_NOISE_M, _DRIFT_M_PER_H = 0.0015, 0.009  # of a sample; of a predicted tide (docs/records.md)
_MODEL_ERROR, _CORRELATED_S = 0.15, 600.0
_HONEST = 1e-3  # of honest gauges that the test may name


def odds_of_naming(moments, times_s, size_m: float, waves_m, failing: int, fault_m) -> float:
    r"""Compute the odds that the most powerful linear test names a gauge, its fault known sample by sample.

    Parameters
    ----------
    moments : array, shape (n_gauges * n_times, n_gauges * n_times)
        Second moments of records of an earthquake of size 1 m (root mean square slip), m^2.
    times_s : array, shape (n_times,)
        s since the origin.
    size_m : float
        The true size, m.
    waves_m : array, shape (n_gauges, n_times)
        The true waves, m: they say how large the error of modelled ones is.
    failing : int
        Place of the gauge.
    fault_m : array, shape (n_times,)
        What came less what the sensor would have sent, m; NaN where nothing came.

    Returns
    -------
    odds : float
        Of being named, where one in a thousand honest gauges is.

    Notes
    -----
    With :math:`S` the covariance of the gauge's record once those of the others are known (slip of the true size, 1.5
    mm of noise, a drift of 9 mm/h for the tide, 15 % of error for modelled waves, correlated over ten minutes) and
    :math:`f` the fault, the matched filter has :math:`d = (f^T S^{-1} f)^{1/2}` (Neyman and Pearson), and the odds are
    :math:`\Phi(d - 3.09)`. Real rules know neither the kind of the fault nor its size, nor that of the earthquake.
    Samples are averaged over three minutes, so that it does not see heights that stay the same to the last digit.
    """
    times = np.asarray(times_s, dtype=float)
    n_gauges, n_times = np.shape(waves_m)
    known = np.isfinite(fault_m)
    bins = np.ceil(times / _BIN_S).astype(int)
    rows = []
    for gauge in range(n_gauges):
        there = known if gauge == failing else np.ones(n_times, dtype=bool)
        for at in np.unique(bins[there]):
            row = np.zeros((n_gauges, n_times))
            row[gauge, there & (bins == at)] = 1.0 / np.count_nonzero(there & (bins == at))
            rows.append(row.ravel())
    average = np.array(rows)
    owner = np.repeat(np.arange(n_gauges), n_times)
    same = owner[:, np.newaxis] == owner
    clock = np.tile(times, n_gauges)
    drift = _DRIFT_M_PER_H * clock / 3600
    lag = np.exp(-np.abs(clock[:, np.newaxis] - clock) / _CORRELATED_S)
    height = np.maximum.accumulate(np.abs(waves_m), axis=1).ravel()
    unknown = size_m**2 * np.asarray(moments) + _NOISE_M**2 * np.eye(owner.size)
    unknown = unknown + same * (np.outer(drift, drift) + _MODEL_ERROR**2 * np.outer(height, height) * lag)
    covariance = average @ unknown @ average.T
    fault = average @ np.where(owner == failing, np.tile(np.nan_to_num(fault_m), n_gauges), 0.0)
    # the fault is nil at the others, so that the whole inverse says the same as that of the conditional covariance
    distance = np.sqrt(max(float(fault @ np.linalg.solve(covariance, fault)), 0.0))
    return float(norm.cdf(distance - norm.isf(_HONEST)))
