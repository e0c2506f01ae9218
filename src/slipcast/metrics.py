"""Scores of predictions: plain functions of true and predicted arrays."""

from __future__ import annotations

import numpy as np

from slipcast.errors import InputError

__all__ = [
    "bias",
    "coverage",
    "crps",
    "explained_variance",
    "interval_coverage",
    "r2",
    "randomised_coverage",
    "randomised_pit",
    "rising_epoch",
    "top_decile_bias",
    "variance_reduction",
    "weight_mse",
]


def _pair(true, predicted) -> tuple[np.ndarray, np.ndarray]:
    """Check that two arrays can be compared sample by sample along their first axis."""
    true, predicted = np.asarray(true, dtype=float), np.asarray(predicted, dtype=float)
    if true.shape != predicted.shape or true.ndim == 0:
        raise InputError(f"true and predicted must have one shape (n, ...), got {true.shape} and {predicted.shape}")
    for name, values in (("true", true), ("predicted", predicted)):
        if not np.isfinite(values).all():
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
            raise InputError(f"{name} must be finite, got {values[where]} at index {where}")
    return true, predicted


def weight_mse(true, predicted) -> float:
    """Compute the mean squared error over scenarios and unit sources.

    Parameters
    ----------
    true, predicted : array, shape (n, n_sources)
        Slip, m, finite.

    Returns
    -------
    mse : float
        m^2.

    Examples
    --------
    >>> weight_mse([[1.0, 3.0]], [[2.0, 1.0]])
    2.5
    """
    true, predicted = _pair(true, predicted)
    return float(np.mean((predicted - true) ** 2))


def bias(true, predicted) -> np.ndarray:
    """Compute the mean of predicted minus true over the first axis, in their unit."""
    true, predicted = _pair(true, predicted)
    return np.mean(predicted - true, axis=0)


def explained_variance(true, predicted) -> np.ndarray:
    r"""Compute the explained variance over the first axis.

    Parameters
    ----------
    true, predicted : array, shape (n, ...)
        Finite.

    Returns
    -------
    score : array, shape (...)
        :math:`1 - \mathrm{var}(y - \hat y)/\mathrm{var}(y)`; 1 is perfect but for a constant error; NaN where the truth
        does not vary.

    Examples
    --------
    >>> explained_variance([1.0, 2.0, 3.0], [2.0, 3.0, 4.0]).item()
    1.0
    """
    true, predicted = _pair(true, predicted)
    return _one_minus_ratio(np.var(true - predicted, axis=0), np.var(true, axis=0))


def r2(true, predicted) -> np.ndarray:
    r"""Compute the coefficient of determination over the first axis.

    Parameters
    ----------
    true, predicted : array, shape (n, ...)
        Finite.

    Returns
    -------
    score : array, shape (...)
        :math:`1 - \overline{(y - \hat y)^2}/\mathrm{var}(y)`; unlike the explained variance it counts a constant error;
        NaN where the truth does not vary.

    Examples
    --------
    >>> r2([1.0, 2.0, 3.0], [2.0, 3.0, 4.0]).item()
    -0.5
    """
    true, predicted = _pair(true, predicted)
    return _one_minus_ratio(np.mean((true - predicted) ** 2, axis=0), np.var(true, axis=0))


def variance_reduction(observed, modelled) -> np.ndarray:
    r"""Compute the variance reduction of records by a model, over the last axis.

    Parameters
    ----------
    observed, modelled : array, shape (..., n_times)
        m; samples that are NaN in either are left out.

    Returns
    -------
    reduction : array, shape (...)
        :math:`1 - \sum (d - m)^2/\sum d^2`; NaN without energy.

    Examples
    --------
    >>> variance_reduction([3.0, 4.0], [3.0, 3.0]).item()
    0.96
    """
    observed, modelled = np.broadcast_arrays(np.asarray(observed, float), np.asarray(modelled, float))
    known = np.isfinite(observed) & np.isfinite(modelled)
    misfit = np.where(known, observed - modelled, 0.0)
    return _one_minus_ratio((misfit**2).sum(axis=-1), (np.where(known, observed, 0.0) ** 2).sum(axis=-1))


def top_decile_bias(true, predicted) -> np.ndarray:
    """Compute the relative bias of the cases whose truth is in the top tenth, over the first axis.

    Parameters
    ----------
    true, predicted : array, shape (n, ...)
        Finite; the truth of the top tenth > 0.

    Returns
    -------
    bias : array, shape (...)
        Mean of predicted over mean of true, minus one: -0.1 is 10 % too low for the largest waves.

    Examples
    --------
    >>> top_decile_bias(np.arange(1.0, 21.0), 0.9 * np.arange(1.0, 21.0)).round(3).item()
    -0.1
    """
    true, predicted = _pair(true, predicted)
    count = max(1, round(0.1 * len(true)))
    top = np.argsort(true, axis=0)[-count:]
    with np.errstate(invalid="ignore", divide="ignore"):
        return (
            np.take_along_axis(predicted, top, axis=0).mean(axis=0) / np.take_along_axis(true, top, axis=0).mean(axis=0)
            - 1.0
        )


def coverage(true, low, high) -> float:
    """Compute the coverage of intervals.

    Parameters
    ----------
    true, low, high : array, shape (n, ...)
        Finite; the ends belong to an interval.

    Returns
    -------
    share : float
        Over all elements, in [0, 1].

    Examples
    --------
    >>> coverage([1.0, 2.0, 3.0, 4.0], [0.0, 2.0, 0.0, 5.0], [2.0, 2.0, 1.0, 6.0])
    0.5
    """
    true, low = _pair(true, low)
    true, high = _pair(true, high)
    return float(np.mean((low <= true) & (true <= high)))


def randomised_pit(true, samples, rng: np.random.Generator) -> np.ndarray:
    r"""Compute the randomised probability integral transform of truths under draws.

    Parameters
    ----------
    true : array, shape (...)
        Finite.
    samples : array, shape (..., n_samples)
        Independent draws of a prediction, at least one, finite; values may come several times.
    rng : numpy.random.Generator
        Source of the randomness that breaks ties.

    Returns
    -------
    pit : array, shape (...)
        In [0, 1); uniform if truth and draws are of one distribution, whatever that is and however few draws there are.

    Notes
    -----
    :math:`u = P(x < y) + v P(x = y)` with :math:`v` uniform (Smith 1985, J. Forecast. 4, 283; Czado, Gneiting and Held
    2009, Biometrics 65, 1254), the truth counted among the draws: with :math:`b` of :math:`m` draws below it and
    :math:`e` equal to it, :math:`u = (b + v (e + 1))/(m + 1)`.

    Examples
    --------
    >>> 0.5 <= randomised_pit(2.0, [1.0, 2.0, 3.0], np.random.default_rng(1)).item() * 2 <= 1.5
    True
    """
    true, samples = np.asarray(true, dtype=float), np.asarray(samples)
    if samples.shape[:-1] != true.shape or samples.shape[-1] < 1:
        raise InputError(f"samples must have shape {(*true.shape, 'n_samples >= 1')}, got {samples.shape}")
    if not (np.isfinite(true).all() and np.isfinite(samples).all()):
        raise InputError("true and samples must be finite")
    below = (samples < true[..., np.newaxis]).sum(axis=-1)
    equal = (samples == true[..., np.newaxis]).sum(axis=-1)
    return (below + rng.uniform(size=true.shape) * (equal + 1)) / (samples.shape[-1] + 1)


def interval_coverage(pit, share: float) -> float:
    """Compute the coverage of a central interval from probability integral transforms.

    Parameters
    ----------
    pit : array
        As :func:`randomised_pit` gives them.
    share : float
        Of the interval, in (0, 1): 0.9 for the one from the 5 % to the 95 % quantile.

    Returns
    -------
    covered : float
        In [0, 1]; the share itself if the prediction is calibrated.

    Examples
    --------
    >>> interval_coverage([0.01, 0.2, 0.5, 0.97], 0.9)
    0.5
    """
    if not 0 < share < 1:
        raise InputError(f"share must be in (0, 1), got {share}")
    return float(np.mean(np.abs(np.asarray(pit, dtype=float) - 0.5) <= share / 2))


def randomised_coverage(true, samples, share: float, rng: np.random.Generator) -> float:
    """Compute the randomised coverage of a central interval, for predictions that may have a point mass.

    Parameters
    ----------
    true : array, shape (...)
        Finite.
    samples : array, shape (..., n_samples)
        Independent draws of a prediction, finite.
    share : float
        Of the interval, in (0, 1).
    rng : numpy.random.Generator
        Source of the randomness that breaks ties.

    Returns
    -------
    covered : float
        In [0, 1]; in expectation the share itself if truth and draws are of one distribution. A closed interval, as
        :func:`coverage` takes it, holds more where a value has a probability of its own, as no slip has.

    Examples
    --------
    >>> slips = np.random.default_rng(1).normal(size=(5000, 21)).clip(0)
    >>> print(f"{randomised_coverage(slips[:, 0], slips[:, 1:], 0.5, np.random.default_rng(2)):.1f}")
    0.5
    """
    return interval_coverage(randomised_pit(true, samples, rng), share)


def crps(true, samples) -> np.ndarray:
    r"""Compute the continuous ranked probability score of draws.

    Parameters
    ----------
    true : array, shape (...)
        Finite.
    samples : array, shape (..., n_samples)
        Independent draws of a prediction, at least two, finite.

    Returns
    -------
    score : array, shape (...)
        In the unit of the truth, the lower the better: the absolute error if the prediction is certain. Its mean over
        cases is least for the true distribution.

    Notes
    -----
    :math:`\overline{|x_i - y|} - \frac12 \overline{|x_i - x_j|}`, the second mean over pairs of different draws, so
    that the number of draws does not count (Gneiting and Raftery 2007, JASA 102, 359; Ferro 2014, QJRMS 140, 1917).

    Examples
    --------
    >>> crps(1.0, [0.0, 3.0]).item()
    0.0
    >>> crps(1.0, [3.0, 3.0]).item()
    2.0
    """
    true, samples = np.asarray(true, dtype=float), np.asarray(samples, dtype=float)
    if samples.shape[:-1] != true.shape or samples.shape[-1] < 2:
        raise InputError(f"samples must have shape {(*true.shape, 'n_samples >= 2')}, got {samples.shape}")
    if not (np.isfinite(true).all() and np.isfinite(samples).all()):
        raise InputError("true and samples must be finite")
    count = samples.shape[-1]
    # of rising draws, the i-th is the greater one of i pairs and the smaller one of n - 1 - i
    pairs = np.sort(samples, axis=-1) @ (2.0 * np.arange(count) - count + 1)
    return np.abs(samples - true[..., np.newaxis]).mean(axis=-1) - pairs / (count * (count - 1))


def _one_minus_ratio(part, whole) -> np.ndarray:
    """Return 1 - part/whole, NaN where the whole is zero."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.asarray(whole) > 0, 1.0 - np.asarray(part) / np.asarray(whole), np.nan)


def rising_epoch(loss, *, fraction: float = 0.02) -> int | None:
    """Find where a loss begins to rise for good.

    Parameters
    ----------
    loss : array, shape (n_epochs,)
        One value an epoch, finite.
    fraction : float, optional
        How much higher the end must be than the lowest place to call it a rise.

    Returns
    -------
    epoch : int or None
        Counted from one: where the smoothed loss is lowest. None if it is not higher by ``fraction`` at the end.

    Notes
    -----
    Smoothed by a running median over a twentieth of the epochs, at least eleven, which single epochs cannot move.

    Examples
    --------
    >>> epochs = np.arange(1, 201)
    >>> 95 <= rising_epoch(1 + (epochs / 100 - 1) ** 2) <= 105
    True
    >>> rising_epoch(1 / epochs) is None
    True
    """
    loss = np.asarray(loss, dtype=float)
    if loss.ndim != 1 or not np.isfinite(loss).all():
        raise InputError(f"loss must be finite and of shape (n_epochs,), got shape {loss.shape}")
    half = max(5, loss.size // 40)
    if loss.size < 4 * half:
        return None
    smooth = np.median(np.lib.stride_tricks.sliding_window_view(loss, 2 * half + 1), axis=1)
    lowest = int(np.argmin(smooth))
    return None if smooth[-1] <= (1 + fraction) * smooth[lowest] else lowest + half + 1
