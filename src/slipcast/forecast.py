"""Forecasts: slip turned into sea level at every gauge, with arrivals and maxima."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from slipcast.errors import InputError
from slipcast.files import read_netcdf, write_netcdf
from slipcast.greens import GreensBank, SourceResponses
from slipcast.inversion.estimate import QUANTILES, SlipEstimate
from slipcast.labels import align, one_event

__all__ = ["Forecast", "arrival_time", "forecast"]

_ARRIVAL_M = 0.01
_ARRIVAL_FRACTION = 0.05
_FROM_SLIP = ("method", "window_min", "start_min", "region", "gauges", "model")  # what a forecast says of its slip


@dataclass(frozen=True)
class Forecast:
    """Sea level to come at gauges.

    Attributes
    ----------
    dataset : xarray.Dataset
        ``sea_level([event,] gauge, time)`` m, NaN after the end of a gauge's run; ``max_amplitude([event,] gauge)``,
        the highest sea level, m; ``arrival_time`` and ``max_time``, s since the origin (NaN where no wave arrives).
        From slip with draws also their quantiles: ``sea_level_quantile([event,] quantile, gauge, time)``,
        ``max_amplitude_quantile([event,] quantile, gauge)``, m.

    Notes
    -----
    Linear waves over the bank's grid: an index offshore, not a height at the coast (``docs/limits.md``).
    """

    dataset: xr.Dataset

    @classmethod
    def open(cls, path: str | os.PathLike) -> Forecast:
        """Read a forecast; InputError if the file is missing, truncated or holds something else."""
        return cls(read_netcdf(path, "forecast"))

    def save(self, path: str | os.PathLike) -> None:
        """Write the forecast as netCDF4, whole or not at all."""
        write_netcdf(self.dataset, Path(path), "forecast")

    def one_event(self) -> Forecast:
        """Return the same without a dimension of events; InputError if there are several."""
        return Forecast(one_event(self.dataset, what="the forecast"))

    @property
    def gauges(self) -> list[str]:
        """Names of the gauges, in order."""
        return [str(name) for name in self.dataset["gauge"].to_numpy()]

    @property
    def sea_level(self) -> xr.DataArray:
        """Sea level, m, dims ([event,] gauge, time)."""
        return self.dataset["sea_level"]

    @property
    def max_amplitude(self) -> xr.DataArray:
        """Highest sea level, m, dims ([event,] gauge)."""
        return self.dataset["max_amplitude"]

    @property
    def arrival_time(self) -> xr.DataArray:
        """First arrival, s since the origin, dims ([event,] gauge)."""
        return self.dataset["arrival_time"]


def arrival_time(sea_level_m, time_s) -> np.ndarray:
    """Find when a wave arrives.

    Parameters
    ----------
    sea_level_m : array, shape (..., n_times)
        m; NaN counts as no wave.
    time_s : array, shape (n_times,)
        s.

    Returns
    -------
    arrival_s : array, shape (...)
        When the level, up or down, first exceeds 1 cm or 5 % of its own extreme, whichever is more; NaN if never.

    Examples
    --------
    >>> arrival_time(np.array([0.0, 0.005, -0.02, 0.1]), np.array([0.0, 60.0, 120.0, 180.0])).item()
    120.0
    """
    size = np.abs(np.nan_to_num(sea_level_m))
    threshold = np.maximum(_ARRIVAL_M, _ARRIVAL_FRACTION * size.max(axis=-1, keepdims=True))
    over = size > threshold
    return np.where(over.any(axis=-1), np.asarray(time_s, dtype=float)[over.argmax(axis=-1)], np.nan)


def forecast(slip: SlipEstimate, bank: SourceResponses, *, gauges: Iterable[str] | None = None) -> Forecast:
    """Forecast sea level at gauges from slip.

    Parameters
    ----------
    slip : SlipEstimate
        On all or some of the bank's unit sources; where it has none, there is no slip. Its draws, if it has any, are
        carried to the gauges one by one, from the subfaults if they are on these and the bank has them; then sea level
        and its maximum are the means of those of the draws.
    bank : GreensBank or ScenarioSet
        Responses of unit sources.
    gauges : iterable of str, optional
        By default all.

    Returns
    -------
    forecast : Forecast

    Raises
    ------
    InputError
        If the slip is on a source, or a gauge is asked for, that the bank does not have.
    """
    response = bank.source_response(gauges, sources=slip.sources)
    values = align(slip.slip, "source", slip.sources, what="slip").to_numpy()
    time = response["time"].to_numpy()
    lead = ("event",) * (values.ndim - 1)
    dims = (*lead, "gauge")
    if slip.samples is None:
        sea_level = np.tensordot(values, response.to_numpy(), axes=(-1, -1))
        maxima, spread = _no_gap(sea_level).max(axis=-1), dict[str, Any]()
    else:
        sea_level, maxima, spread = _carry(*_draws_and_response(slip, slip.samples, bank, response), lead)
    arrival = arrival_time(sea_level, time)
    peak = np.where(np.isnan(arrival), np.nan, time[_no_gap(sea_level).argmax(axis=-1)])
    return Forecast(
        xr.Dataset(
            spread
            | {
                "sea_level": ((*dims, "time"), sea_level.astype(np.float32), {"units": "m"}),
                "max_amplitude": (dims, maxima, {"units": "m"}),
                "arrival_time": (dims, arrival, {"units": "s", "long_name": "arrival after the earthquake"}),
                "max_time": (
                    dims,
                    peak,
                    {"units": "s", "long_name": "time of the maximum after the earthquake"},
                ),
                "magnitude": (lead, slip.dataset["magnitude"].to_numpy()),
            },
            coords={"gauge": response["gauge"].to_numpy(), "time": ("time", time, {"units": "s"})}
            | ({"quantile": list(QUANTILES)} if spread else {}),
            attrs={key: slip.dataset.attrs[key] for key in _FROM_SLIP if key in slip.dataset.attrs} | {"bank": bank.id},
        )
    )


def _no_gap(sea_level: np.ndarray) -> np.ndarray:
    """Replace what is not forecast, for the search of the highest level."""
    return np.where(np.isnan(sea_level), -np.inf, sea_level)


def _draws_and_response(
    slip: SlipEstimate, samples: xr.DataArray, bank: SourceResponses, response: xr.DataArray
) -> tuple[np.ndarray, np.ndarray]:
    """Return draws of slip and the response to what they are on: subfaults if it can be, else unit sources."""
    if "subfault_sample" in slip.dataset and isinstance(bank, GreensBank):
        draws = slip.dataset["subfault_sample"].to_numpy()
        if draws.shape[-1] != len(bank.subfaults):
            raise InputError(f"slip is on {draws.shape[-1]} subfaults, the bank has {len(bank.subfaults)}")
        places = [bank.gauges.index(str(name)) for name in response["gauge"].to_numpy()]
        return draws, bank.dataset["response"].to_numpy()[places]
    return align(samples, "source", slip.sources, what="slip").to_numpy(), response.to_numpy()


def _carry(draws: np.ndarray, response: np.ndarray, lead: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, dict]:
    """Carry draws of slip, shape ([n_events,] n_samples, n), to the gauges: means of level and maximum, quantiles."""
    levels, mean_levels, maxima, mean_maxima = [], [], [], []
    for of_event in draws.reshape(-1, *draws.shape[-2:]):  # one event at a time: all draws at once would be large
        sea_level = np.tensordot(of_event, response, axes=(-1, -1))
        of_maximum = _no_gap(sea_level).max(axis=-1)
        levels.append(np.quantile(sea_level, QUANTILES, axis=0))
        mean_levels.append(sea_level.mean(axis=0))
        maxima.append(np.quantile(of_maximum, QUANTILES, axis=0))
        mean_maxima.append(of_maximum.mean(axis=0))
    shape = draws.shape[:-2]
    dims = (*lead, "quantile", "gauge")
    spread = {
        "sea_level_quantile": (
            (*dims, "time"),
            np.reshape(levels, (*shape, *levels[0].shape)).astype(np.float32),
            {"units": "m"},
        ),
        "max_amplitude_quantile": (dims, np.reshape(maxima, (*shape, *maxima[0].shape)), {"units": "m"}),
    }
    return (
        np.reshape(mean_levels, (*shape, *mean_levels[0].shape)),
        np.reshape(mean_maxima, (*shape, *mean_maxima[0].shape)),
        spread,
    )
