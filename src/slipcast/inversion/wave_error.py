"""Errors of modelled waves as noise: a part of the level, over some minutes, of a size that the records tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d

__all__ = ["PATH_ERROR", "WAVE_ERRORS", "WaveErrors", "error_factors", "informative_samples"]


@dataclass(frozen=True)
class WaveErrors:
    """The sizes of the error that are held possible at a gauge, and how likely each is beforehand.

    Attributes
    ----------
    share : tuple of float
        Standard deviation of the error, as a share of the level of the wave.
    correlation_s : tuple of float
        Times over which it is correlated, s.
    middle, scatter : float
        Of the share, beforehand: its median, and the standard deviation of its logarithm.
    """

    share: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4, 0.8)
    correlation_s: tuple[float, ...] = (180.0, 720.0)
    middle: float = 0.15
    scatter: float = 0.8

    @property
    def shares(self) -> np.ndarray:
        """Share of each candidate, shape (n,): by share, then by correlation."""
        return np.repeat(self.share, len(self.correlation_s))

    @property
    def log_prior(self) -> np.ndarray:
        """Logarithm of the probability of each candidate, shape (n,)."""
        log = -0.5 * np.square(np.log(self.shares / self.middle) / self.scatter)
        return log - np.log(np.exp(log).sum())

    @property
    def first(self) -> int:
        """The candidate by which families are compared at first sight."""
        return len(self.shares) // 2


WAVE_ERRORS = WaveErrors()
"""What is held possible at each gauge."""

PATH_ERROR = 0.2
"""By what part all waves of a bank on the way to a gauge are too high or too low, standard deviation of the logarithm.

Maxima that are forecast from DARTs are more than 80 % right where they are large, for 14 tsunamis (Tang, Titov and
Chamberlin 2009, Journal of Geophysical Research 114, C12025)."""

_AROUND_S = 900.0
_DOUBLE_S = 3600.0
_LEAST = 1e-5
_BEFORE = 15
_MOST_SAMPLES = 120
_LATE_SD_S, _LATE_SHARE = 30.0, 0.004
_SLOPE_S = 300.0


def informative_samples(level_m: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Return the places of samples that can tell of ruptures.

    Parameters
    ----------
    level_m : array, shape (n_times,)
        Record of a gauge, m; NaN where missing.
    response : array, shape (n_times, n_subfaults)
        What the gauge senses of slip on each subfault, m per m.

    Returns
    -------
    places : array of int
        Of the samples that are there from a quarter of an hour before any subfault makes a wave, evenly thinned to 120.
    """
    reached = np.flatnonzero(np.abs(response).max(axis=1) > _LEAST)
    if not reached.size:
        return reached
    known = np.flatnonzero(np.isfinite(level_m))
    known = known[known >= reached[0] - _BEFORE]
    return known[:: max(-(-known.size // _MOST_SAMPLES), 1)]


def error_factors(
    level_m: np.ndarray, times_s: np.ndarray, noise_sd_m: float, tide: np.ndarray | None
) -> list[np.ndarray]:
    """Return the Cholesky factor of the covariance of noise and error at a gauge, for each candidate of its size.

    Parameters
    ----------
    level_m, times_s : array, shape (n,)
        Samples of the record, m, and when they are, s.
    noise_sd_m : float
        Standard deviation of white noise, m.
    tide : array, shape (n, n_columns), optional
        Columns of correlated noise beside it, m.

    Returns
    -------
    factors : list of array, shape (n, n)
        Lower triangular, m, candidate by candidate. The error is a share of the highest level of the record until a
        quarter of an hour after each sample, correlated as exp(-|t - t'| / correlation), and grows from the first wave
        on, to twice as much an hour later: waves that come back from coasts are less well known. Travel times are wrong
        by 30 s and 0.4 % (standard deviations), which moves the record along its slope, taken over five minutes.
    """
    step_s = float(np.median(np.diff(times_s))) if times_s.size > 1 else _AROUND_S
    around = maximum_filter1d(np.abs(level_m), 2 * int(_AROUND_S / step_s) + 1, mode="nearest")
    size = np.maximum.accumulate(around)
    first_s = times_s[np.argmax(np.abs(level_m) > 0.5 * np.abs(level_m).max())]
    size = size * np.hypot(1.0, np.maximum(times_s - first_s, 0.0) / _DOUBLE_S * np.sqrt(3.0))
    apart_s = np.abs(times_s[:, np.newaxis] - times_s)
    always = noise_sd_m**2 * np.eye(times_s.size)
    late_s = np.hypot(_LATE_SD_S, _LATE_SHARE * times_s[np.argmax(np.abs(level_m))])
    always += late_s**2 * np.multiply.outer(*[_slope(level_m, times_s)] * 2)
    if tide is not None:
        always += tide @ tide.T
    of_unit = [np.outer(size, size) * np.exp(-apart_s / life_s) for life_s in WAVE_ERRORS.correlation_s]
    return [np.linalg.cholesky(always + share**2 * unit) for share in WAVE_ERRORS.share for unit in of_unit]


def _slope(level_m: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Return the slope of a record over five minutes, m/s; zero where its samples are farther apart."""
    before, after = (np.interp(times_s + by, times_s, level_m) for by in (-_SLOPE_S / 2, _SLOPE_S / 2))
    apart = np.diff(times_s, prepend=times_s[0], append=times_s[-1])
    dense = np.maximum(apart[:-1], apart[1:]) <= _SLOPE_S
    return np.where(dense, (after - before) / _SLOPE_S, 0.0)
