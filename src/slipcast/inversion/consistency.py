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
_NEAR_S, _CORRELATED_S = 600.0, 600.0
_LIKELY = np.log(1e-3)  # of the most likely size; less likely ones do not count
_LARGER = 2.0  # than what others have: a rupture may be strongest before one gauge
_FIRST_WAVE_S, _BEGUN = 1500.0, 0.1  # for so long two must have had waves, of this share of their later size
_DRIFT_M_PER_H = 0.009  # of a predicted tide, where nothing says how well it is known (docs/records.md)
_NORMAL = 1.4826  # standard deviation over the median of the absolute value
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
        Error of modelled waves, as a share of the largest level so far and in the next ten minutes.
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
    tide, and the error of modelled waves, correlated over ten minutes. From the records of the others follows that of
    a gauge, :math:`p`, with covariance :math:`S`; it counts the error of the waves that are predicted there, and not
    of those that the gauge has, which may be none. With :math:`e` what the gauge has beside, two numbers tell how far
    it is: :math:`(e^T S^{-1} e - n)/\sqrt{2 n}`, for one of another shape, and
    :math:`|p^T S^{-1} e| / \sqrt{p^T S^{-1} p}`, for one that is too large, too small, or upside down. The size counts
    that suits the gauge best, from the least that the others leave likely to twice the largest that one of them
    does by itself: a rupture may be strongest before this gauge. Until two others have had waves for 25 minutes they
    may have seen but its edge, and any larger size counts. A gauge alone is held against anything that slip can make.
    Samples are averaged over three minutes.

    It is meant for gross faults, and errs on the side of keeping a gauge. It cannot see a delay of a few minutes; a
    record that is up to a few times too large, where the others leave open what it should be; nor a fault before the
    others have a wave, where slip could make it, too. Of two gauges alone it cannot tell which is wrong, unless slip
    can make but one. ``benchmarks/studies/failing_sensors.py`` counts how many honest gauges are put aside, and how
    many of those that fail.
    """

    moments: np.ndarray
    times_s: np.ndarray
    columns: np.ndarray | None = None
    noise_sd_m: float = 0.004
    model_error: float = 0.15
    limit: float = 3.0

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
        return _from_others(bins, noise, self.model_error, sizes_m, gauges)

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

    def model_error(self, share: float, level_m: np.ndarray) -> np.ndarray:
        """Return the covariance of the error of modelled waves, m^2."""
        lag_s = np.abs(self.time_s[:, np.newaxis] - self.time_s)
        larger = np.abs(level_m)
        before = self.same & (self.time_s <= self.time_s[:, np.newaxis] + _NEAR_S)
        near = np.where(before, larger, 0.0).max(axis=1)
        return np.where(self.same, share**2 * np.outer(near, near) * np.exp(-lag_s / _CORRELATED_S), 0.0)


def _scatter(level_m: np.ndarray) -> float:
    """Return the standard deviation of white noise, m, by second differences, which waves hardly have."""
    if level_m.size < 3:
        return 0.0
    return float(_NORMAL * np.median(np.abs(np.diff(level_m, 2))) / np.sqrt(6.0))


def _from_others(bins: _Bins, base: np.ndarray, share: float, sizes_m: np.ndarray, gauges: Sequence[int]) -> np.ndarray:
    """Return how far each record is from what the others say, for the size that suits it best."""
    level, nearest = bins.level_m, np.full(len(gauges), np.inf)
    noise = base + bins.model_error(share, level)
    # noise W^-T W^-1, and waves that are independent in its terms: one factorisation for all sizes
    factor = np.linalg.cholesky(noise)
    whitened = solve_triangular(factor, solve_triangular(factor, bins.moments, lower=True).T, lower=True)
    power, turn = np.linalg.eigh((whitened + whitened.T) / 2)
    turn = solve_triangular(factor.T, turn, lower=False)
    turned = turn.T @ level
    for place, gauge in enumerate(gauges):
        own = np.flatnonzero(bins.owner == gauge)
        both, of_own = np.ix_(own, own), bins.of_gauges([gauge])
        for size_m in sizes_m[_likely_sizes(bins, base, sizes_m, own)]:
            variance = 1.0 + size_m**2 * np.maximum(power, 0.0)
            unknown = np.linalg.inv((turn[own] / variance) @ turn[own].T)  # with all that is unknown of its record
            error = unknown @ (turn[own] @ (turned / variance))
            said = level[own] - error
            wave = unknown - noise[both]
            size = np.sqrt(said**2 + np.maximum(np.diag(wave), 0.0))
            scatter = wave + base[both] + of_own.model_error(share, size)
            unlike, alike = np.linalg.solve(scatter, np.stack([error, said], axis=1)).T
            strength = float(said @ alike)
            wrong_size = abs(float(said @ unlike)) / np.sqrt(strength) if strength > 0 else 0.0
            wrong_shape = (float(error @ unlike) - own.size) / np.sqrt(2 * own.size)
            nearest[place] = min(nearest[place], max(wrong_shape, wrong_size))
    return nearest


def _likely_sizes(bins: _Bins, base: np.ndarray, sizes_m: np.ndarray, own: np.ndarray) -> slice:
    """Return the sizes that the gauges other than one leave open: from the least to twice the largest of any."""
    others = np.setdiff1d(np.arange(bins.level_m.size), own)
    if not others.size:
        return slice(None)
    first = _likely(bins, base, sizes_m, others)[0]
    swing_m, owner = np.sqrt(np.diag(bins.moments)[others]), bins.owner[others]
    of_gauge = [others[owner == gauge] for gauge in np.unique(owner)]
    moving = [swing_m[owner == gauge] > _BEGUN * swing_m[owner == gauge].max() for gauge in np.unique(owner)]
    known = [at for at, begun in zip(of_gauge, moving) if _BIN_S * np.count_nonzero(begun) >= _FIRST_WAVE_S]
    if len(known) < 2:
        return slice(first, None)
    # each by itself: a rupture that is strongest before one gauge is small before another
    last = max(_likely(bins, base, sizes_m, at)[-1] for at in known)
    return slice(first, int(np.searchsorted(sizes_m, _LARGER * sizes_m[last])) + 1)


def _likely(bins: _Bins, base: np.ndarray, sizes_m: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return which sizes some bins leave likely; an error of waves would stand for waves, and is left out."""
    both = np.ix_(among, among)
    factor = np.linalg.cholesky(base[both])
    whitened = solve_triangular(factor, solve_triangular(factor, bins.moments[both], lower=True).T, lower=True)
    power, turn = np.linalg.eigh((whitened + whitened.T) / 2)
    turned = turn.T @ solve_triangular(factor, bins.level_m[among], lower=True)
    variance = 1.0 + sizes_m[:, np.newaxis] ** 2 * np.maximum(power, 0.0)
    likelihood = -0.5 * (turned**2 / variance + np.log(variance)).sum(axis=1)
    return np.flatnonzero(likelihood >= likelihood.max() + _LIKELY)
