"""Means and covariances of slip and records over ruptures: what a linear or Gaussian inversion knows beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from slipcast.errors import InputError
from slipcast.greens.bank import GreensBank
from slipcast.io.labels import positions_of
from slipcast.physics.ruptures import RuptureSettings
from slipcast.scenarios.scenario_set import ScenarioSet
from slipcast.scenarios.stream import ScenarioStream

__all__ = ["JointMoments"]

_ALIKE = 8


@dataclass(frozen=True)
class JointMoments:
    r"""Means and covariances of slip :math:`w` and records :math:`d`, without noise.

    Attributes
    ----------
    gauges, sources : list of str
        Names, in order.
    times_s : array, shape (n_times,)
        Of the samples, s since the origin.
    slip_mean : array, shape (n_sources,)
        m.
    slip_covariance : array, shape (n_sources, n_sources)
        m^2.
    record_mean : array, shape (n_gauges * n_times,)
        m; gauge by gauge.
    record_covariance : array, shape (n_gauges * n_times, n_gauges * n_times)
        m^2.
    cross_covariance : array, shape (n_sources, n_gauges * n_times)
        m^2.

    Raises
    ------
    InputError
        If shapes do not fit.
    """

    gauges: list[str]
    sources: list[str]
    times_s: np.ndarray
    slip_mean: np.ndarray
    slip_covariance: np.ndarray
    record_mean: np.ndarray
    record_covariance: np.ndarray
    cross_covariance: np.ndarray

    def __post_init__(self):
        n_sources, n_samples = len(self.sources), len(self.gauges) * len(self.times_s)
        for name, shape in (
            ("slip_mean", (n_sources,)),
            ("slip_covariance", (n_sources, n_sources)),
            ("record_mean", (n_samples,)),
            ("record_covariance", (n_samples, n_samples)),
            ("cross_covariance", (n_sources, n_samples)),
        ):
            if getattr(self, name).shape != shape:
                raise InputError(f"{name} must have shape {shape}, got {getattr(self, name).shape}")

    @classmethod
    def from_scenarios(
        cls, scenarios: ScenarioSet, gauges: Sequence[str], window_min: float, *, split: str | None = "train"
    ) -> JointMoments:
        """Estimate moments from a part of a scenario set.

        Parameters
        ----------
        scenarios : ScenarioSet
            With more scenarios than unit sources.
        gauges : sequence of str
            By name, in the order wanted.
        window_min : float
            Minutes after the origin.
        split : {"train", "validation", "test"} or None, optional
            Which part; None for all.

        Returns
        -------
        moments : JointMoments

        Raises
        ------
        InputError
            If a gauge is unknown, the window too long, or there are no more scenarios than sources.
        """
        indices = np.arange(len(scenarios)) if split is None else scenarios.indices(split)
        n_sources = len(scenarios.sources)
        if len(indices) <= n_sources:
            raise InputError(f"moments need more scenarios than the {n_sources} sources, got {len(indices)}")
        records = scenarios.load_records(gauges, window_min, indices)
        rows = records.to_numpy().reshape(len(indices), -1).astype(float)
        weights = scenarios.load_weights(indices).to_numpy().astype(float)
        return cls._of(weights, rows, list(gauges), scenarios.sources, records["time"].to_numpy())

    @classmethod
    def _of(
        cls, weights: np.ndarray, rows: np.ndarray, gauges: list[str], sources: list[str], times_s: np.ndarray
    ) -> JointMoments:
        """Estimate moments from slip, shape (n, n_sources), and records, shape (n, n_gauges * n_times)."""
        n_sources = len(sources)
        covariance = np.cov(np.hstack([weights, rows]), rowvar=False)
        return cls(
            gauges=gauges,
            sources=sources,
            times_s=times_s,
            slip_mean=weights.mean(axis=0),
            slip_covariance=covariance[:n_sources, :n_sources],
            record_mean=rows.mean(axis=0),
            record_covariance=covariance[n_sources:, n_sources:],
            cross_covariance=covariance[:n_sources, n_sources:],
        )

    @classmethod
    def from_bank(
        cls,
        bank: GreensBank,
        gauges: Sequence[str],
        window_min: float,
        *,
        count: int = 1000,
        seed: int = 0,
        settings: RuptureSettings | None = None,
    ) -> JointMoments:
        """Estimate moments from ruptures drawn for it.

        Parameters
        ----------
        bank : GreensBank
            Of a region of one zone.
        gauges, window_min
            As in :meth:`from_scenarios`.
        count, seed : int, optional
            How many ruptures, and what they are drawn from; eight at a time share their size, which is faster.
        settings : RuptureSettings, optional
            How they are drawn.

        Returns
        -------
        moments : JointMoments
        """
        if count <= len(bank.sources):
            raise InputError(f"moments need more scenarios than the {len(bank.sources)} sources, got {count}")
        stream = ScenarioStream(bank, list(gauges), window_min, settings or RuptureSettings(), alike=_ALIKE)
        drawn = next(stream.batches(count, np.random.default_rng(seed)))
        rows = drawn.records.reshape(count, -1).astype(float)
        return cls._of(drawn.weights.astype(float), rows, list(gauges), bank.sources, stream.times_s)

    def through(self, response: xr.DataArray) -> JointMoments:
        r"""Return the moments of a model in which slip acts on records through the responses of unit sources alone.

        Parameters
        ----------
        response : xarray.DataArray, dims (gauge, time, source)
            m per m, at these times; gauges and sources by name.

        Returns
        -------
        moments : JointMoments
            Of :math:`d = G w + r` with slip as it is and a remainder that is independent of it.

        Raises
        ------
        InputError
            If a gauge or source is unknown or the times differ.

        Notes
        -----
        The remainder, what slip does that no uniform slip at time zero on unit sources can do (its pattern within a
        unit source, its delay), keeps its own mean and covariance.
        """
        gauges, sources, times_s = (response[name].to_numpy() for name in ("gauge", "source", "time"))
        if times_s.size != self.times_s.size or not np.allclose(times_s, self.times_s):
            raise InputError("times of the response must be those of the moments")
        rows = positions_of(self.gauges, list(gauges), dim="gauge", where="in the response")
        columns = positions_of(self.sources, list(sources), dim="source", where="in the response")
        matrix = response.to_numpy()[rows][:, :, columns].reshape(-1, len(self.sources))
        through = matrix @ self.slip_covariance
        both = matrix @ self.cross_covariance
        remainder = self.record_covariance - both - both.T + through @ matrix.T
        return JointMoments(
            gauges=self.gauges,
            sources=self.sources,
            times_s=self.times_s,
            slip_mean=self.slip_mean,
            slip_covariance=self.slip_covariance,
            record_mean=self.record_mean,
            record_covariance=through @ matrix.T + remainder,
            cross_covariance=through.T,
        )
