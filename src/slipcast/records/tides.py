"""Tides in water-column heights: fitted away from the tsunami, predicted through it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from slipcast.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TideFit", "TideMethod", "fit_harmonic", "fit_short", "rough_tide"]

TideMethod = Literal["short", "harmonic"]
"""How a tide is fitted."""

_CONSTITUENTS = ["M2", "S2", "N2", "K2", "NU2", "MU2", "L2", "T2", "2N2", "K1", "O1", "P1", "Q1", "J1"]
# m for a coefficient of 1 in the tidal potential (M2 has 0.908); and how much it differs within a species
_ADMITTANCE, _UNEVEN = 0.3, 0.3
_DRIFT_SD_M, _DRIFT_S = 0.04, 8 * 3600.0
_SAMPLE_SD_M = 0.002
_OFFSET_SD_M = 10.0
_BIN_S, _LONGEST_S = 450.0, 3 * 86400.0
_FEWEST_BINS = 4
_SCATTER_S, _SCATTER_STEP_S = 86400.0, 300.0
_SMALLEST_COLUMN_M = 1e-4
_SHORTEST_HARMONIC_S = 2 * 86400.0
_DAY_S = 86400.0
# of M2, S2, N2, K2, NU2, MU2, L2, 2N2, K1, O1, P1, Q1, J1 and M4, hours (Schureman 1940, table 2)
_TWICE_A_DAY_H = (12.42060, 12.0, 12.65835, 11.96723, 12.62600, 12.87176, 12.19162, 12.90537)
_PERIODS_H = (*_TWICE_A_DAY_H, 23.93447, 25.81934, 24.06589, 26.86836, 23.09848, 6.21030)
_ROUGH_BIN_S = 900.0
_FASTEST_TIDE_MS, _LARGEST_TIDE_M = 5e-4, 3.0  # 3.5 m twice a day
_ROUGH_AMPLITUDE_M, _ROUGH_ERROR_M, _ROUGH_STEPS = 1.0, 0.002, 20
_UNIX_EPOCH_DAY = 719163  # in the count of utide, which starts with 1 on the first day of the year 1


@dataclass(frozen=True)
class TideFit:
    r"""A fitted tide with its uncertainty.

    Attributes
    ----------
    method : {"short", "harmonic"}
        How it was fitted.
    level_m : array, shape (n_times,)
        Height of the water column without tsunami, m, at the times asked for.
    column_m : array, shape (n_times, n_columns)
        Its uncertainty, m: the true one is :math:`l + C z` with independent standard normal :math:`z`. Given over the
        day that follows the origin, zero elsewhere; no columns after harmonic analysis, which does not know it.
    """

    method: TideMethod
    level_m: NDArray[np.float64]
    column_m: NDArray[np.float64]

    def __post_init__(self):
        if self.method not in get_args(TideMethod):
            raise InputError(f"tide must be one of {', '.join(get_args(TideMethod))}, got {self.method!r}")


def fit_short(
    time_s: np.ndarray, height_m: np.ndarray, at_s: np.ndarray, *, origin: np.datetime64, lat_deg: float
) -> TideFit:
    r"""Fit the tide of a record of hours to days.

    Parameters
    ----------
    time_s : array, shape (n,)
        Of samples without tsunami, s since the origin, rising; those of the last three days are used.
    height_m : array, shape (n,)
        Height of the water column, m, finite.
    at_s : array, shape (n_times,)
        Where the tide is wanted, s since the origin.
    origin : datetime64
        UTC.
    lat_deg : float
        Of the gauge, degrees.

    Returns
    -------
    tide : TideFit

    Raises
    ------
    InputError
        If there is less than half an hour of samples.

    Notes
    -----
    Gaussian regression on 14 constituents and a slow drift. The constituents of a species (once, twice a day) share an
    admittance to the equilibrium tide, from which each may differ by a third: so a few hours that show no difference
    between M2 and S2 still know of spring and neap (the response method of Munk and Cartwright 1966, Phil. Trans. R.
    Soc. A 259, 533, as a prior). The drift (weather, eddies) has 40 mm and 8 hours (Matern, 3/2). Fitted to ten
    days of DART 21401 so, errors three hours ahead are within their stated size (``benchmarks/studies/events.py``).
    Samples are averaged over 7.5 minutes first.

    It takes a swell, an earlier tsunami or a spike for tide. Far from its samples it only returns to the mean.
    """
    time_s, height_m = np.asarray(time_s, float), np.asarray(height_m, float)
    binned_s, binned_m = _binned(time_s, height_m)
    if binned_s.size < _FEWEST_BINS:
        raise InputError(f"a tide needs samples of half an hour at least without tsunami, got {time_s.size} samples")
    datum_m = binned_m.mean()
    basis, prior = _equilibrium(binned_s, origin, lat_deg), _prior()
    covariance = basis @ prior @ basis.T + _drift(binned_s, binned_s) + _SAMPLE_SD_M**2 * np.eye(binned_s.size)
    factor = np.linalg.cholesky(covariance)
    solved = np.linalg.solve(factor.T, np.linalg.solve(factor, binned_m - datum_m))

    def predict(times_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        there = _equilibrium(times_s, origin, lat_deg)
        return there, there @ prior @ basis.T + _drift(times_s, binned_s)

    at_s = np.asarray(at_s, float)
    level_m = datum_m + predict(at_s)[1] @ solved
    coarse_s = np.arange(0.0, _SCATTER_S + 1.0, _SCATTER_STEP_S)
    there, cross = predict(coarse_s)
    half = np.linalg.solve(factor, cross.T)
    left = there @ prior @ there.T + _drift(coarse_s, coarse_s) - half.T @ half
    return TideFit("short", level_m, _columns(left, coarse_s, at_s))


def fit_harmonic(
    time_s: np.ndarray, height_m: np.ndarray, at_s: np.ndarray, *, origin: np.datetime64, lat_deg: float
) -> TideFit:
    """Fit the tide of a record of days by harmonic analysis (utide).

    Parameters
    ----------
    time_s, height_m, at_s, origin, lat_deg
        As in :func:`fit_short`; samples may come from before and after a tsunami.

    Returns
    -------
    tide : TideFit
        Without columns.

    Raises
    ------
    InputError
        If the samples span less than two days.

    Notes
    -----
    Constituents that the length of the record can tell apart, with trend and nodal corrections, by iteratively
    reweighted least squares (Codiga 2011, URI/GSO Technical Report 2011-01). What is no tide (weather, eddies) stays.
    Less than 28 days do not tell N2 from M2, and what they do not tell stays, too: centimetres to decimetres.
    """
    import utide

    time_s = np.asarray(time_s, float)
    if time_s.size < 2 or np.ptp(time_s) < _SHORTEST_HARMONIC_S:
        span_h = np.ptp(time_s) / 3600 if time_s.size else 0.0
        raise InputError(f"harmonic analysis needs samples of 2 days or more, got {span_h:.1f} h; use tide short")
    binned_s, binned_m = _averaged(time_s, np.asarray(height_m, float))
    found = utide.solve(
        _clock(binned_s, origin), binned_m, lat=lat_deg, method="robust", conf_int="none", trend=True, verbose=False
    )
    at_s = np.asarray(at_s, float)
    level_m = utide.reconstruct(_clock(at_s, origin), found, verbose=False).h
    return TideFit("harmonic", np.asarray(level_m, float), np.zeros((at_s.size, 0)))


def rough_tide(time_s: np.ndarray, height_m: np.ndarray) -> np.ndarray:
    r"""Estimate the tide of a record that may hold bad samples, steps and waves.

    Parameters
    ----------
    time_s : array, shape (n,)
        Times, s, rising.
    height_m : array, shape (n,)
        Height of the water column, m, finite.

    Returns
    -------
    tide_m : array, shape (n,)
        Without a constant, m: what is left has the levels of the sensor, weather, and what 14 constituents do not
        hold, centimetres that change over hours.

    Notes
    -----
    Least absolute deviations of the *differences* between medians of 15 min, so that a step is one bad difference and
    no level counts; by iteratively reweighted least squares with amplitudes of about 1 m as a prior.
    """
    time_s, height_m = np.asarray(time_s, float), np.asarray(height_m, float)
    bins = np.floor(time_s / _ROUGH_BIN_S)
    order = np.lexsort((height_m, bins))
    first = np.flatnonzero(np.diff(bins[order], prepend=-np.inf))
    count = np.diff(first, append=order.size)
    middle = order[first + (count - 1) // 2]
    apart_s, moved_m = np.diff(time_s[middle]), np.diff(height_m[middle])
    kept = np.abs(moved_m) <= np.minimum(_FASTEST_TIDE_MS * np.maximum(apart_s, _ROUGH_BIN_S), _LARGEST_TIDE_M)
    if not kept.any():
        return np.zeros(time_s.size)
    basis = np.diff(_turning(time_s[middle]), axis=0)[kept]
    moved_m = moved_m[kept]
    error_m = _ROUGH_ERROR_M + _DRIFT_SD_M * np.minimum(apart_s[kept] / _DRIFT_S, 1.0)
    weight = np.ones(moved_m.size)
    prior = np.eye(basis.shape[1]) / _ROUGH_AMPLITUDE_M**2
    for _ in range(_ROUGH_STEPS):
        weighted = basis.T * (weight / error_m**2)
        found = np.linalg.solve(weighted @ basis + prior, weighted @ moved_m)
        weight = error_m / np.maximum(np.abs(moved_m - basis @ found), error_m)
    return _turning(time_s) @ found


def _turning(time_s: np.ndarray) -> np.ndarray:
    """Return cosines and sines of the constituents of :func:`rough_tide`."""
    angle = 2 * np.pi * time_s[:, np.newaxis] / (3600 * np.array(_PERIODS_H))
    return np.hstack([np.cos(angle), np.sin(angle)])


def _clock(time_s: np.ndarray, origin: np.datetime64) -> np.ndarray:
    """Turn seconds since the origin into clock times."""
    return origin.astype("datetime64[ns]") + np.round(1e9 * time_s).astype("timedelta64[ns]")


def _binned(time_s: np.ndarray, height_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average the last three days over short bins."""
    if not time_s.size:
        return time_s, height_m
    late = time_s > time_s[-1] - _LONGEST_S
    return _averaged(time_s[late], height_m[late])


def _averaged(time_s: np.ndarray, height_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average samples over short bins."""
    _, member, count = np.unique(np.floor(time_s / _BIN_S), return_inverse=True, return_counts=True)
    datum_m = height_m.mean()
    return (
        np.bincount(member, time_s) / count,
        datum_m + np.bincount(member, height_m - datum_m) / count,
    )


def _equilibrium(time_s: np.ndarray, origin: np.datetime64, lat_deg: float) -> np.ndarray:
    """Return constituents of the tidal potential (Doodson's coefficients), in and out of phase, and a constant."""
    from utide._ut_constants import ut_constants
    from utide.harmonics import ut_E

    constants = ut_constants.const
    names = [str(name).strip() for name in constants.name]
    index = np.array([names.index(name) for name in _CONSTITUENTS])
    begin = origin.astype("datetime64[s]").astype(float) / _DAY_S + _UNIX_EPOCH_DAY
    turning = ut_E(begin + time_s / _DAY_S, begin, constants.freq[index], index, lat_deg, [0, 0, 0, 0], [])
    heights = np.abs(constants.doodsonamp[index]) * turning
    return np.hstack([heights.real, heights.imag, np.ones((time_s.size, 1))])


def _prior() -> np.ndarray:
    """Return the covariance of admittances, and of the constant."""
    once_a_day = np.array([name in ("K1", "O1", "P1", "Q1", "J1") for name in _CONSTITUENTS])
    together = once_a_day[:, np.newaxis] == once_a_day
    of_part = _ADMITTANCE**2 * (together + _UNEVEN**2 * np.eye(once_a_day.size))
    count = once_a_day.size
    prior = np.zeros((2 * count + 1, 2 * count + 1))
    prior[:count, :count] = prior[count:-1, count:-1] = of_part
    prior[-1, -1] = _OFFSET_SD_M**2
    return prior


def _drift(first_s: np.ndarray, second_s: np.ndarray) -> np.ndarray:
    """Return the covariance of the slow drift, m2."""
    lag = np.sqrt(3.0) * np.abs(first_s[:, np.newaxis] - second_s) / _DRIFT_S
    return _DRIFT_SD_M**2 * (1 + lag) * np.exp(-lag)


def _columns(covariance: np.ndarray, coarse_s: np.ndarray, at_s: np.ndarray) -> np.ndarray:
    """Turn a covariance into independent columns at other times, the largest first, negligible ones left out."""
    power, directions = np.linalg.eigh(covariance)
    kept = np.sqrt(np.maximum(power, 0.0)) * np.abs(directions).max(axis=0) > _SMALLEST_COLUMN_M
    columns = (directions[:, kept] * np.sqrt(power[kept]))[:, ::-1]
    at = [np.interp(at_s, coarse_s, column, left=0.0, right=0.0) for column in columns.T]
    return np.array(at).reshape(-1, at_s.size).T
