"""Scoring of a method on scenarios: slip, waves and their intervals against the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import xarray as xr

from slipcast import metrics
from slipcast.errors import InputError
from slipcast.forecasting.forecast import arrival_time
from slipcast.inversion import QUANTILES, Inverter, SamplingInverter, WaveInverter
from slipcast.io.labels import positions_of
from slipcast.scenarios.scenario_set import ScenarioSet

__all__ = ["Truth", "score_method", "wave_matrices"]

_CHUNK = 100


@dataclass(frozen=True)
class Truth:
    """True slip and waves of some scenarios.

    Attributes
    ----------
    scenarios : ScenarioSet
        What they are of; by its responses of unit sources methods forecast that know no waves of their own.
    indices : array of int
        Which of its scenarios.
    """

    scenarios: ScenarioSet
    indices: np.ndarray

    def __len__(self) -> int:
        return len(self.indices)

    @cached_property
    def dataset(self) -> xr.Dataset:
        """``weights_true(scenario, source)``, ``max_amplitude_true(scenario, gauge)``, m, and ``arrival_true``, s."""
        scenarios = self.scenarios
        sea_level = scenarios.dataset["records"].isel(scenario=self.indices).to_numpy()
        weights = scenarios.load_weights(self.indices)
        displaced = weights.to_numpy() @ scenarios.source_response().to_numpy()[:, 0].T
        arrival = arrival_time(sea_level, scenarios.time_s, displaced)
        return xr.Dataset(
            {
                "weights_true": (("scenario", "source"), weights.to_numpy().astype(float), {"units": "m"}),
                "max_amplitude_true": (("scenario", "gauge"), _maximum(sea_level), {"units": "m"}),
                "arrival_true": (("scenario", "gauge"), arrival, {"units": "s"}),
                "magnitude_true": ("scenario", scenarios.dataset["magnitude"].to_numpy()[self.indices]),
            },
            coords={
                "scenario": self.indices,
                "source": scenarios.sources,
                "gauge": scenarios.gauges,
                "gauge_kind": ("gauge", scenarios.dataset["gauge_kind"].to_numpy()),
            },
        )


def wave_matrices(method: Inverter, scenarios: ScenarioSet) -> dict[str, np.ndarray]:
    """Return the matrices from a method's slip or amplitudes to sea level.

    Parameters
    ----------
    method : Inverter
        A :class:`~slipcast.inversion.WaveInverter` has waves of its own amplitudes; any other finds slip on unit
        sources.
    scenarios : ScenarioSet
        With the gauges wanted, the length of their runs, and responses of unit sources.

    Returns
    -------
    matrices : dict of gauge name to array, shape (n_amplitudes or n_sources, n_times)
        m per amplitude or per m, float32, every minute from the origin to the end of the run of the gauge.

    Raises
    ------
    InputError
        If a method has no waves at a gauge, or they end before its run does.
    """
    hours = scenarios.dataset["gauge_hours"].to_numpy()
    lengths = {
        name: int(np.sum(scenarios.time_s <= 3600 * of_gauge + 1e-6))
        for name, of_gauge in zip(scenarios.gauges, hours, strict=True)
    }
    if not isinstance(method, WaveInverter):
        response = scenarios.source_response(sources=method.sources).to_numpy().astype(np.float32)
        return {
            name: np.ascontiguousarray(of_gauge[:length].T)
            for (name, length), of_gauge in zip(lengths.items(), response, strict=True)
        }
    matrices, waves = {}, method.waves
    for name, length in lengths.items():
        if name not in waves:
            raise InputError(f"method {method.method} has no waves at gauge {name}")
        wave = np.asarray(waves[name], dtype=np.float32)
        if wave.shape[1] < length:
            raise InputError(
                f"waves of method {method.method} at gauge {name} end after {wave.shape[1] - 1} min, those of the "
                f"scenarios after {length - 1} min"
            )
        matrices[name] = np.ascontiguousarray(wave[:, :length])
    return matrices


def score_method(
    method: Inverter,
    truth: Truth,
    records: xr.DataArray,
    *,
    fit_min: float,
    n_draws: int = 0,
    seed: int = 0,
) -> xr.Dataset:
    """Score a method's slip and waves against the truth.

    Parameters
    ----------
    method : Inverter
        How.
    truth : Truth
        Of the scenarios.
    records : xarray.DataArray, dims (scenario, gauge, time)
        What the method is given, with noise, m: the scenarios of the truth in their order, and at least the gauges and
        times of the method.
    fit_min : float
        Minutes over which the fit at the method's gauges is scored, on records without noise.
    n_draws : int, optional
        Draws of slip by which it is scored, if it can draw; zero for none.
    seed : int, optional
        What they are drawn from.

    Returns
    -------
    scored : xarray.Dataset
        ``weights(scenario, source)``, ``max_amplitude(scenario, gauge)`` m, ``arrival(scenario, gauge)`` s and
        ``dart_fit(scenario)``. With draws also ``weights_quantile(quantile, scenario, source)``, ``weights_crps`` m
        and ``weights_pit(scenario, source)``, and the same three of ``max_amplitude``; NaN if the method cannot draw.

    Raises
    ------
    InputError
        If the scenarios lack a source of the method, the method waves at a gauge, or one with waves is given no draws.

    Notes
    -----
    A method that draws forecasts the mean of the maxima of its draws, and arrivals by the mean of their waves.
    """
    if isinstance(method, WaveInverter) and n_draws < 2:
        raise InputError(f"n_draws must be >= 2 for method {method.method}, whose waves are of draws, got {n_draws}")
    scenarios = truth.scenarios
    columns = positions_of(method.sources, scenarios.sources, dim="source", where="in the scenario set")
    waves = wave_matrices(method, scenarios)
    seen = records.sel(gauge=list(method.gauges), time=method.times_s).to_numpy()
    observed = scenarios.load_records(method.gauges, fit_min, truth.indices)
    samples = np.searchsorted(scenarios.time_s, observed["time"].to_numpy())
    fit_matrix = np.concatenate([waves[name][:, samples] for name in method.gauges], axis=1)
    rng, ties = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    parts = []
    for start in range(0, len(truth), _CHUNK):
        rows = slice(start, start + _CHUNK)
        found = _find(method, seen[rows], n_draws, rng)
        weights = np.zeros((len(found.slip), len(scenarios.sources)))
        weights[:, columns] = found.slip
        mean = found.coefficients.mean(axis=1)
        maxima, arrival = _maxima(method, found.coefficients, waves, scenarios.time_s)
        fit = metrics.variance_reduction(observed.to_numpy()[rows].reshape(len(mean), -1), mean @ fit_matrix)
        part = xr.Dataset(
            {
                "weights": (("scenario", "source"), weights, {"units": "m"}),
                "max_amplitude": (("scenario", "gauge"), maxima.mean(axis=-1, dtype=float), {"units": "m"}),
                "arrival": (("scenario", "gauge"), arrival, {"units": "s"}),
                "dart_fit": ("scenario", fit),
            },
            coords={"scenario": truth.indices[rows], "source": scenarios.sources, "gauge": scenarios.gauges},
        )
        if n_draws:
            draws = None
            if found.draws is not None:
                draws = np.zeros((len(mean), n_draws, len(scenarios.sources)), np.float32)
                draws[..., columns] = found.draws
            of_chunk = truth.dataset.isel(scenario=rows)
            part = part.merge(_score_draws(of_chunk, draws, maxima if draws is not None else None, ties))
        parts.append(part)
    return xr.concat(parts, dim="scenario")


class _Found(NamedTuple):
    """What a method finds: slip, shape (n, n_sources); what makes waves, (n, m, k); draws of slip, if any."""

    slip: np.ndarray
    coefficients: np.ndarray
    draws: np.ndarray | None


def _find(method: Inverter, seen: np.ndarray, n_draws: int, rng: np.random.Generator) -> _Found:
    """Apply a method to records."""
    if n_draws and isinstance(method, WaveInverter):
        amplitudes = method.draw(seen, n_draws, rng)
        draws = method.slip(amplitudes)
        return _Found(draws.mean(axis=1), np.asarray(amplitudes, dtype=np.float32), draws)
    slip = method.solve(seen)
    if n_draws and isinstance(method, SamplingInverter):
        draws = np.asarray(method.sample(seen, n_draws, rng), dtype=np.float32)
        return _Found(slip, draws, draws)
    return _Found(slip, np.asarray(slip, dtype=np.float32)[:, np.newaxis], None)


def _maxima(
    method: Inverter, coefficients: np.ndarray, waves: Mapping[str, np.ndarray], time_s: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the maximum of each wave, shape (n, n_gauges, m), m, and the arrival of their mean, (n, n_gauges), s."""
    count, n_draws, _ = coefficients.shape
    maxima = np.empty((count, len(waves), n_draws), np.float32)
    arrival = np.empty((count, len(waves)))
    mean = coefficients.mean(axis=1)
    own = method if isinstance(method, WaveInverter) else None
    for column, (name, matrix) in enumerate(waves.items()):  # one gauge and scenario at a time stays in the cache
        for row, of_record in enumerate(coefficients):
            level = of_record @ matrix if own is None else own.sea_level(of_record, name)[:, : matrix.shape[1]]
            maxima[row, column] = level.max(axis=1)
        displacement = matrix[:, 0] if own is None else own.displacement[name]
        arrival[:, column] = arrival_time(mean @ matrix, time_s[: matrix.shape[1]], mean @ displacement)
    return maxima, arrival


def _score_draws(
    true: xr.Dataset, draws: np.ndarray | None, maxima: np.ndarray | None, ties: np.random.Generator
) -> xr.Dataset:
    """Summarise draws of slip, (n, n_draws, n_sources), and of maxima, (n, n_gauges, n_draws); None gives NaN."""
    slips = None if draws is None else draws.swapaxes(1, 2)
    variables: dict[str, tuple] = {}
    for name, samples, dim in (("weights", slips, "source"), ("max_amplitude", maxima, "gauge")):
        of_truth = true[f"{name}_true"].to_numpy()
        # a draw and the truth may be of different precision and yet the same number
        of_truth = of_truth.astype(np.float32)
        quantile = np.full((len(QUANTILES), *of_truth.shape), np.nan)
        score = pit = quantile[0]
        if samples is not None:
            quantile = np.quantile(samples, QUANTILES, axis=-1)
            score = metrics.crps(of_truth, samples)
            pit = metrics.randomised_pit(of_truth, samples, ties)
        variables |= {
            f"{name}_quantile": (("quantile", "scenario", dim), quantile, {"units": "m"}),
            f"{name}_crps": (("scenario", dim), score, {"units": "m"}),
            f"{name}_pit": (("scenario", dim), pit, {"long_name": "randomised probability integral transform"}),
        }
    return xr.Dataset(variables, coords={"quantile": list(QUANTILES)})


def _maximum(sea_level: np.ndarray) -> np.ndarray:
    """Return the highest sea level along the last axis, NaN left out."""
    return np.where(np.isnan(sea_level), -np.inf, sea_level).max(axis=-1)
