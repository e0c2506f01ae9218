"""Scores of forecasts of the highest level of a first wave: intervals, CRPS, probability integral transform."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import kstest

from slipcast.errors import InputError

__all__ = ["crps", "holds", "minutes_until_steady", "pit", "uniformity"]


def crps(draws_m, observed_m: float) -> float:
    r"""Compute the continuous ranked probability score of draws, as fair for few as for many.

    Parameters
    ----------
    draws_m : array, shape (n_draws,)
        m; a single one is a forecast without spread.
    observed_m : float
        m.

    Returns
    -------
    score_m : float
        m, the less the better; the absolute error of a single draw.

    Raises
    ------
    InputError
        If there is no draw.

    Notes
    -----
    :math:`\frac{1}{n} \sum_i |x_i - y| - \frac{1}{2 n (n - 1)} \sum_{i, j} |x_i - x_j|` (Ferro 2014, Q. J. R.
    Meteorol. Soc. 140, 1917).

    Examples
    --------
    >>> crps([1.0], 3.0), crps([1.0, 3.0], 2.0)
    (2.0, 0.0)
    """
    draws = np.sort(np.atleast_1d(np.asarray(draws_m, dtype=float)))
    if not draws.size:
        raise InputError("draws_m must hold at least one draw, got none")
    error = float(np.abs(draws - observed_m).mean())
    n = draws.size
    if n == 1:
        return error
    # of sorted draws the sum over pairs is one of ranks
    pairs = 2.0 * float(((2 * np.arange(1, n + 1) - n - 1) * draws).sum())
    return error - pairs / (2.0 * n * (n - 1))


def holds(draws_m, observed_m: float, probability: float) -> bool:
    """Tell whether the central interval of draws holds what was observed.

    Parameters
    ----------
    draws_m : array, shape (n_draws,)
        m.
    observed_m : float
        m.
    probability : float
        Of the interval, in (0, 1).

    Returns
    -------
    held : bool
    """
    low, high = np.quantile(draws_m, [0.5 - probability / 2, 0.5 + probability / 2])
    return bool(low <= observed_m <= high)


def pit(draws_m, observed_m: float) -> float:
    """Return where among draws the observation lies, in (0, 1); uniform where these are as they should be.

    Examples
    --------
    >>> pit([1.0, 2.0, 3.0], 2.5)
    0.625
    """
    draws = np.asarray(draws_m, dtype=float)
    return float(((draws < observed_m).sum() + 0.5 * (draws == observed_m).sum() + 0.5) / (draws.size + 1))


def uniformity(values: Sequence[float]) -> float:
    """Return the p-value of a Kolmogorov-Smirnov test of probability integral transforms; NaN for fewer than five.

    Notes
    -----
    The test takes them for independent; those of one buoy in several windows, and of several buoys of one event, are
    not, so p is too small.
    """
    return float(kstest(values, "uniform").pvalue) if len(values) >= 5 else float("nan")


def minutes_until_steady(minutes: Sequence[float], values: Sequence[float], *, within: float = 0.2) -> float:
    """Return from when on values stay near the last of them.

    Parameters
    ----------
    minutes : sequence of float
        When each is known, rising.
    values : sequence of float
        > 0.
    within : float, optional
        Part of the last value by which others may differ.

    Returns
    -------
    minute : float
        NaN for fewer than two values.

    Examples
    --------
    >>> minutes_until_steady([30.0, 60.0, 90.0, 120.0], [0.5, 1.1, 0.9, 1.0])
    60.0
    """
    if len(values) < 2:
        return float("nan")
    near = np.abs(np.asarray(values) - values[-1]) <= within * abs(values[-1])
    far = np.flatnonzero(~near)
    return float(minutes[far[-1] + 1 if far.size else 0])
