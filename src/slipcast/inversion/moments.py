"""Means and covariances of slip and records over ruptures: the prior of linear and Gaussian inversions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import xarray as xr

from slipcast.errors import InputError
from slipcast.greens.bank import GreensBank
from slipcast.io.labels import positions_of
from slipcast.physics.ruptures import RuptureSettings
from slipcast.scenarios.scenario_set import ScenarioSet
from slipcast.scenarios.stream import ScenarioStream

__all__ = ["DrawnMoments", "JointMoments"]

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
        return DrawnMoments.from_scenarios(scenarios, gauges, window_min, split=split).joint

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
            Of a region on the plate interface.
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
        return DrawnMoments.from_bank(bank, gauges, window_min, count=count, seed=seed, settings=settings).joint

    def restricted(self, gauges: Sequence[str], window_min: float) -> JointMoments:
        """Keep some gauges, in this order, and the samples up to a window's end, minutes after the origin.

        Raises
        ------
        InputError
            If a gauge is unknown, or the window holds no sample or ends after the last one.
        """
        places = np.array(positions_of(gauges, self.gauges, dim="gauge", where="of the moments"))
        within = _within(self.times_s, window_min)
        n_times = len(self.times_s)
        kept = (places[:, np.newaxis] * n_times + np.flatnonzero(within)).ravel()
        return JointMoments(
            gauges=list(gauges),
            sources=self.sources,
            times_s=self.times_s[within],
            slip_mean=self.slip_mean,
            slip_covariance=self.slip_covariance,
            record_mean=self.record_mean[kept],
            record_covariance=self.record_covariance[np.ix_(kept, kept)],
            cross_covariance=self.cross_covariance[:, kept],
        )

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


@dataclass(frozen=True, eq=False)
class DrawnMoments:
    """Ruptures drawn for their moments, which are computed for the gauges and the window that are wanted.

    Attributes
    ----------
    gauges, sources : list of str
        Names, in order.
    times_s : array, shape (n_times,)
        Of the samples, s since the origin.
    slip_m : array, shape (n, n_sources)
        Slip of the ruptures on unit sources, m.
    records_m : array, shape (n, n_gauges, n_times)
        Their records without noise, m.
    response : xarray.DataArray, dims (gauge, time, source), optional
        With it, moments are those of :meth:`JointMoments.through`, m per m.
    scenarios : str
        Identity of the scenario set they are of; empty for ruptures that were drawn.

    Notes
    -----
    Some MB where the covariance of all samples of a dozen gauges over hours would be GB.
    """

    gauges: list[str]
    sources: list[str]
    times_s: np.ndarray
    slip_m: np.ndarray
    records_m: np.ndarray
    response: xr.DataArray | None = None
    scenarios: str = ""

    @classmethod
    def from_bank(
        cls,
        bank: GreensBank,
        gauges: Sequence[str],
        window_min: float,
        *,
        through: bool = False,
        count: int = 1000,
        seed: int = 0,
        settings: RuptureSettings | None = None,
    ) -> DrawnMoments:
        """Draw ruptures, as :meth:`JointMoments.from_bank` does; ``through`` keeps the responses of unit sources."""
        if count <= len(bank.sources):
            raise InputError(f"moments need more scenarios than the {len(bank.sources)} sources, got {count}")
        stream = ScenarioStream(bank, list(gauges), window_min, settings or RuptureSettings(), alike=_ALIKE)
        drawn = next(stream.batches(count, np.random.default_rng(seed)))
        response = bank.source_response(gauges, sources=bank.sources, window_min=window_min) if through else None
        return cls(list(gauges), list(bank.sources), stream.times_s, drawn.weights, drawn.records, response)

    @classmethod
    def from_scenarios(
        cls,
        scenarios: ScenarioSet,
        gauges: Sequence[str],
        window_min: float,
        *,
        through: bool = False,
        split: str | None = "train",
    ) -> DrawnMoments:
        """Take the ruptures of a part of a scenario set, as :meth:`JointMoments.from_scenarios` does."""
        indices = np.arange(len(scenarios)) if split is None else scenarios.indices(split)
        n_sources = len(scenarios.sources)
        if len(indices) <= n_sources:
            raise InputError(f"moments need more scenarios than the {n_sources} sources, got {len(indices)}")
        records = scenarios.load_records(gauges, window_min, indices)
        weights = scenarios.load_weights(indices).to_numpy()
        response = None
        if through:
            response = scenarios.source_response(gauges, sources=scenarios.sources, window_min=window_min)
        times_s = records["time"].to_numpy()
        return cls(list(gauges), list(scenarios.sources), times_s, weights, records.to_numpy(), response, scenarios.id)

    def restricted(self, gauges: Sequence[str], window_min: float) -> DrawnMoments:
        """Keep some gauges, in this order, and the samples up to a window's end, minutes after the origin.

        Raises
        ------
        InputError
            If a gauge is unknown, or the window holds no sample or ends after the last one.
        """
        places = positions_of(gauges, self.gauges, dim="gauge", where="of the drawn ruptures")
        within = _within(self.times_s, window_min)
        response = self.response
        if response is not None:
            response = response.sel(gauge=list(gauges)).isel(time=within)
        return replace(
            self,
            gauges=list(gauges),
            times_s=self.times_s[within],
            records_m=self.records_m[:, places][..., within],
            response=response,
        )

    @cached_property
    def joint(self) -> JointMoments:
        """Means and covariances."""
        rows = self.records_m.reshape(len(self.slip_m), -1).astype(float)
        found = JointMoments._of(self.slip_m.astype(float), rows, self.gauges, self.sources, self.times_s)
        return found if self.response is None else found.through(self.response)


def _within(times_s: np.ndarray, window_min: float) -> np.ndarray:
    """Select the samples of a window; InputError if there is none, or the window ends later than the last one."""
    within = times_s <= 60 * window_min + 1e-6
    step_s = times_s[1] - times_s[0] if times_s.size > 1 else times_s[0]
    if not within.any() or 60 * window_min >= times_s[-1] + step_s:
        longest = float(times_s[-1]) / 60
        raise InputError(f"window_min must be in (0, {longest:g}] and hold a sample, got {window_min:g}")
    return within
