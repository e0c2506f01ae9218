"""Records held against each other: the gauge whose record no slip explains beside the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from slipcast.errors import InputError

__all__ = ["Consistency"]

_BIN_S = 180.0
_SIZES_M = np.geomspace(0.005, 60.0, 20)  # root mean square slip
_LIKELY = np.log(1e-3)  # of the most likely size; a less likely one does not count
_NEAR_S, _CORRELATED_S = 600.0, 600.0
_DRIFT_M_PER_H = 0.009  # of a predicted tide, where nothing says how well it is known (docs/records.md)
_NORMAL = 1.4826  # standard deviation over the median of the absolute value
_PASSES = 3  # the error of modelled waves goes by the waves that are found with it
_ALONE = 2.0  # times the limit, for one gauge against what slip can make: at first it may be all that there is


@dataclass(frozen=True)
class Consistency:
    r"""What the records of several gauges say of each other.

    Attributes
    ----------
    moments : array, shape (n_gauges * n_times, n_gauges * n_times)
        Second moments of records of an earthquake of size 1 m (root mean square slip on unit sources), m^2.
    times_s : array, shape (n_times,)
        Of the samples, s since the origin, rising.
    columns : array, shape (n_gauges * n_times, n_columns), optional
        What is not known of the tide, m, as columns of unit scatter
        (:class:`~slipcast.records.correlated_noise.CorrelatedNoise`).
    noise_sd_m : float, optional
        Standard deviation of a sample, m, at least; that of a noisier record is found from it.
    model_error : float, optional
        Error of modelled waves, as a share of the largest level so far and in the next ten minutes of the waves that
        fit all records best.
    limit : float, optional
        In standard deviations; a record that is farther from what the others say contradicts them, and one that is
        twice as far from what slip can make is none of an earthquake.

    Raises
    ------
    InputError
        If the moments are of another shape.

    Notes
    -----
    Slip of size :math:`s` makes records of covariance :math:`s^2 M`; to it come white noise, the drift of a predicted
    tide, and the error of modelled waves, correlated over ten minutes. With :math:`P` the inverse of the sum, the
    record of gauge :math:`k` differs from what the others say of it, :math:`p`, by :math:`e = P_{kk}^{-1} (P d)_k`
    with covariance :math:`P_{kk}^{-1}`. Two numbers tell how much: :math:`(e^T P_{kk} e - n)/\sqrt{2 n}`, for one of
    another shape, and :math:`p^T P_{kk} e / \sqrt{p^T P_{kk} p}`, for one that is too large, too small, or upside
    down. Of the sizes that the others leave likely the one counts that suits the record best. A gauge alone is held
    against anything that slip can make. Samples are averaged over three minutes. ``benchmarks/studies/events.py`` holds
    the six DARTs of the Tohoku tsunami of 2011 against each other; the defaults were chosen while looking at them.

    It cannot see a delay of a few minutes; a constant level at a gauge over the source, which may have sunk or risen;
    nor what a fault makes of a record that the others say nothing of, where slip could make it, too. Of two gauges
    alone it cannot tell which is wrong, unless slip can make but one.
    """

    moments: np.ndarray
    times_s: np.ndarray
    columns: np.ndarray | None = None
    noise_sd_m: float = 0.004
    model_error: float = 0.15
    limit: float = 5.0
    delay_s: float = 60.0

    def __post_init__(self):
        n_times = len(self.times_s)
        shape = self.moments.shape
        if len(shape) != 2 or shape[0] != shape[1] or shape[0] % n_times:
            raise InputError(f"moments must be square, of gauges times {n_times} samples, got shape {shape}")

    def contradictions(self, records, gauges: Sequence[int] | None = None) -> np.ndarray:
        """Compute how far each record is from what the others say of it.

        Parameters
        ----------
        records : array, shape (n_gauges, n_times)
            m, tide removed; NaN where missing.
        gauges : sequence of int, optional
            Places of those that are held against each other, each with a sample, by default all; one alone is held
            against what slip can make.

        Returns
        -------
        contradictions : array, shape (len(gauges),)
            Standard deviations.
        """
        bins = self._binned(records)
        return self._among(bins, sorted(set(bins.owner)) if gauges is None else list(gauges))

    def put_aside(self, records, *, largest_m: float = np.inf) -> dict[int, float]:
        """Find the gauges that are better left out.

        Parameters
        ----------
        records : array, shape (n_gauges, n_times)
            m, tide removed; NaN where missing.
        largest_m : float, optional
            As large as the earthquake can be by its first magnitude, root mean square slip, m; it decides between two
            gauges that contradict each other.

        Returns
        -------
        aside : dict of int to float
            By place: by how much each contradicts the others, or what slip can make, standard deviations. In the order
            in which they were found.
        """
        bins = self._binned(records)
        left: list[int] = sorted(set(bins.owner.tolist()))
        alone = {gauge: float(self._among(bins, [gauge])[0]) for gauge in left}
        aside = {
            gauge: by for gauge, by in sorted(alone.items(), key=lambda item: -item[1]) if by > _ALONE * self.limit
        }
        left = [gauge for gauge in left if gauge not in aside]
        while len(left) > 1:
            found = dict(zip(left, self._among(bins, left).tolist(), strict=True))
            suspects = [gauge for gauge in left if found[gauge] > self.limit]
            if not suspects:
                break
            if len(left) == 2:
                within = {gauge: float(self._among(bins, [gauge], largest_m)[0]) for gauge in left}
                worst = max(left, key=lambda gauge: within[gauge])
                if within[worst] <= self.limit:
                    break
            else:
                worst = min(suspects, key=lambda gauge: (self._left_over(bins, left, gauge), -found[gauge]))
            aside[worst] = found[worst]
            left.remove(worst)
        return aside

    def _left_over(self, bins: _Bins, gauges: Sequence[int], without: int) -> float:
        """Return the largest contradiction among some gauges without one, at least the limit."""
        return max(self.limit, float(self._among(bins, [gauge for gauge in gauges if gauge != without]).max()))

    def _among(self, bins: _Bins, gauges: Sequence[int], largest_m: float = np.inf) -> np.ndarray:
        """Hold some gauges against each other."""
        bins = bins.of_gauges(gauges)
        noise = np.diag(bins.noise_m**2) + bins.drift() + bins.tide
        sizes_m = _SIZES_M[: max(1, int(np.searchsorted(_SIZES_M, largest_m, side="right")))]
        fitted_m, distance = bins.level_m, np.zeros(len(gauges))
        for _ in range(_PASSES):
            of_model = bins.model_error(self.model_error, fitted_m) + bins.delay(self.delay_s)
            distance, fitted_m = _from_others(bins, noise + of_model, sizes_m, gauges)
        return distance

    def _binned(self, records) -> _Bins:
        """Average what is known over bins."""
        records = np.asarray(records, dtype=float)
        if records.shape[-1] != len(self.times_s) or records.size != len(self.moments):
            n_gauges = len(self.moments) // len(self.times_s)
            raise InputError(f"records must have shape ({n_gauges}, {len(self.times_s)}), got {records.shape}")
        rows, owners, times, noise = [], [], [], []
        bins = np.ceil(self.times_s / _BIN_S)
        for gauge, record in enumerate(records):
            known = np.isfinite(record)
            scatter_m = max(self.noise_sd_m, _scatter(record[known]))
            for at in np.unique(bins[known]):
                inside = np.flatnonzero(known & (bins == at))
                row = np.zeros(records.size)
                row[gauge * records.shape[-1] + inside] = 1.0 / inside.size
                rows.append(row)
                owners.append(gauge)
                times.append(self.times_s[inside].mean())
                noise.append(scatter_m / np.sqrt(inside.size))
        average = np.array(rows).reshape(-1, records.size)
        level_m = average @ np.nan_to_num(records).ravel()
        columns = average @ (np.zeros((records.size, 1)) if self.columns is None else self.columns)
        moments = average @ self.moments @ average.T
        return _Bins(level_m, np.array(times), np.array(owners), np.array(noise), columns @ columns.T, moments)


@dataclass(frozen=True)
class _Bins:
    """Averages of samples: levels, times, places of gauges, noise, covariance of tide and waves for a size of 1 m."""

    level_m: np.ndarray
    time_s: np.ndarray
    owner: np.ndarray
    noise_m: np.ndarray
    tide: np.ndarray
    moments: np.ndarray

    def of_gauges(self, gauges: Sequence[int]) -> _Bins:
        """Return those of some gauges."""
        kept = np.flatnonzero(np.isin(self.owner, gauges))
        both = np.ix_(kept, kept)
        level_m, time_s, owner, noise_m = (each[kept] for each in (self.level_m, self.time_s, self.owner, self.noise_m))
        return _Bins(level_m, time_s, owner, noise_m, self.tide[both], self.moments[both])

    @property
    def same(self) -> np.ndarray:
        """Whether two bins are of one gauge, shape (n, n)."""
        return self.owner[:, np.newaxis] == self.owner

    def drift(self) -> np.ndarray:
        """Return the covariance of the drift of a predicted tide, m^2."""
        drift = _DRIFT_M_PER_H * self.time_s / 3600
        return np.where(self.same, np.outer(drift, drift), 0.0)

    def delay(self, delay_s: float) -> np.ndarray:
        """Return the covariance of a delay of the waves at each gauge, m^2."""
        slope = np.zeros_like(self.level_m)
        for gauge in np.unique(self.owner):
            own = np.flatnonzero(self.owner == gauge)
            if own.size > 1:
                slope[own] = np.gradient(self.level_m[own], self.time_s[own])
        return np.where(self.same, delay_s**2 * np.outer(slope, slope), 0.0)

    def model_error(self, share: float, fitted_m: np.ndarray) -> np.ndarray:
        """Return the covariance of the error of modelled waves, m^2."""
        lag_s = np.abs(self.time_s[:, np.newaxis] - self.time_s)
        larger = np.abs(fitted_m)
        before = self.same & (self.time_s <= self.time_s[:, np.newaxis] + _NEAR_S)
        near = np.where(before, larger, 0.0).max(axis=1)
        return np.where(self.same, share**2 * np.outer(near, near) * np.exp(-lag_s / _CORRELATED_S), 0.0)


def _scatter(level_m: np.ndarray) -> float:
    """Return the standard deviation of white noise, m, by second differences, which waves hardly have."""
    if level_m.size < 3:
        return 0.0
    return float(_NORMAL * np.median(np.abs(np.diff(level_m, 2))) / np.sqrt(6.0))


def _from_others(
    bins: _Bins, noise: np.ndarray, sizes_m: np.ndarray, gauges: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return how far each record is from what the others say, and the waves that fit all of them best, m."""
    level, shape = bins.level_m, (len(sizes_m), len(gauges))
    likelihood, distance, of_all = np.empty(shape), np.empty(shape), np.empty(len(sizes_m))
    fitted = np.empty((len(sizes_m), level.size))
    # noise W^-T W^-1, and waves that are independent in its terms: one factorisation for all sizes
    factor = np.linalg.cholesky(noise)
    whitened = solve_triangular(factor, solve_triangular(factor, bins.moments, lower=True).T, lower=True)
    power, turn = np.linalg.eigh((whitened + whitened.T) / 2)
    turn = solve_triangular(factor.T, turn, lower=False)
    log_noise, turned = 2 * np.log(np.diag(factor)).sum(), turn.T @ level
    for at, size_m in enumerate(sizes_m):
        variance = 1.0 + size_m**2 * np.maximum(power, 0.0)
        solved = turn @ (turned / variance)
        fitted[at] = level - noise @ solved
        of_all[at] = -0.5 * (level @ solved + log_noise + np.log(variance).sum())
        for place, gauge in enumerate(gauges):
            own = bins.owner == gauge
            inner = (turn[own] / variance) @ turn[own].T
            error = np.linalg.solve(inner, solved[own])
            squared = float(solved[own] @ error)
            likelihood[at, place] = of_all[at] + 0.5 * (squared - np.linalg.slogdet(inner)[1])
            said, count = level[own] - error, own.sum()
            strength = float(said @ inner @ said)
            too_large = abs(float(said @ solved[own])) / np.sqrt(strength) if strength > 0 else 0.0
            distance[at, place] = max((squared - count) / np.sqrt(2 * count), too_large)
    likely = likelihood >= likelihood.max(axis=0) + _LIKELY
    best = np.where(likely, distance, np.inf).argmin(axis=0)
    return distance[best, np.arange(len(gauges))], fitted[of_all.argmax()]
