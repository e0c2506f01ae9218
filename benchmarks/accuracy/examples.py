"""The neural posterior alone: noise-only records, an example of a forecast with intervals, and its latency."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.accuracy.methods import Methods
from benchmarks.accuracy.noise import drifting
from slipcast.evaluation.scoring import wave_matrices
from slipcast.inversion import QUANTILES, RestrictedPosterior, magnitude_of_slip
from slipcast.learning.posterior.augmentation import drift
from slipcast.parallel.threads import single_threaded
from slipcast.scenarios.scenario_set import ScenarioSet

__all__ = ["forecast_example", "magnitudes_of_noise", "measure_latency"]

_WINDOWS_MIN = (20.0, 45.0)
_POINT = "westport"
_LARGE = 8.6
_REPEATS = 50


def magnitudes_of_noise(methods: Methods) -> dict[str, Any]:
    """Find the posterior of magnitude for noise-only records.

    Parameters
    ----------
    methods : Methods
        With the sampler and the settings.

    Returns
    -------
    found : dict
        ``count``; ``windows``: by window, in minutes, quantiles of the magnitude over draws, each the median and the
        largest of all records; None for a magnitude of no slip at all.
    """
    config = methods.config
    rng = np.random.default_rng([config.seed, 2])
    windows = {}
    for window_min in config.windows_min:
        method = RestrictedPosterior(methods.sampler, window_min, methods.gauges)
        shape = (config.null_count, len(method.gauges), len(method.times_s))
        noise = config.noise_sd_m * rng.standard_normal(shape) + drift(config.drift_m, shape, rng)
        slip = method.slip(method.draw(noise, config.n_draws, rng))
        magnitude = magnitude_of_slip(slip, list(method.sources))
        of_records = np.quantile(magnitude, QUANTILES, axis=1, method="lower")
        windows[f"{window_min:g}"] = {
            f"{p:g}": {"median": _plain(np.quantile(row, 0.5, method="lower")), "largest": _plain(row.max())}
            for p, row in zip(QUANTILES, of_records, strict=True)
        }
    return {"count": config.null_count, "windows": windows}


def forecast_example(methods: Methods, scenarios: ScenarioSet) -> dict[str, Any]:
    """Forecast one large event at one point, as it is seen after a shorter and a longer window.

    Parameters
    ----------
    methods : Methods
        With the sampler and the settings.
    scenarios : ScenarioSet
        The main set; of its events of Mw 8.6 and more (of all, if there is none) the one is taken whose maximum at the
        point is the median.

    Returns
    -------
    forecast : dict
        ``scenario``, ``magnitude``, ``gauge``, ``time_s``, ``true_m``, ``probabilities`` and ``windows``: by window,
        in minutes, quantiles of sea level, m, a list for each probability.
    """
    points = scenarios.gauge_names("forecast")
    gauge = _POINT if _POINT in points else points[0]
    magnitude = scenarios.dataset["magnitude"].to_numpy()
    records = scenarios.dataset["records"].isel(gauge=scenarios.gauges.index(gauge)).to_numpy()
    large = np.flatnonzero(magnitude >= _LARGE) if (magnitude >= _LARGE).any() else np.arange(len(magnitude))
    highest = np.nanmax(records[large], axis=1)
    number = int(large[np.argsort(highest)[len(large) // 2]])
    config, windows = methods.config, {}
    whole = scenarios.load_records(methods.gauges, methods.longest_min, [number], noise_sd_m=config.noise_sd_m)
    whole = drifting(whole, config.drift_m, np.random.default_rng([config.seed, 6]))
    for window_min in _WINDOWS_MIN:
        window_min = min(window_min, methods.longest_min)
        method = RestrictedPosterior(methods.sampler, window_min, methods.gauges)
        seen = whole.sel(time=method.times_s)
        draws = method.draw(seen.to_numpy(), config.n_draws, np.random.default_rng([config.seed, 3]))[0]
        level = method.sea_level(draws, gauge)
        windows[f"{window_min:g}"] = np.quantile(level, QUANTILES, axis=0).round(4).tolist()
    length = level.shape[1]
    return {
        "scenario": number,
        "magnitude": round(float(magnitude[number]), 3),
        "gauge": gauge,
        "time_s": scenarios.time_s[:length].tolist(),
        "true_m": records[number, :length].astype(float).round(4).tolist(),
        "probabilities": list(QUANTILES),
        "windows": windows,
    }


def measure_latency(methods: Methods, scenarios: ScenarioSet) -> dict[str, Any]:
    """Measure how long the sampler takes for one record, on one thread, loaded and warm.

    Parameters
    ----------
    methods : Methods
        With the sampler and the settings.
    scenarios : ScenarioSet
        The main set, whose first record is taken.

    Returns
    -------
    latency : dict
        Medians, ms: ``slip_ms``, draws of slip with their mean, quantiles and magnitudes; ``forecast_ms``, from the
        record to these and to mean sea level and quantiles of the maximum at every gauge; ``fan_ms``, to quantiles of
        sea level at every gauge and minute too.
    """
    import torch

    config = methods.config
    method = RestrictedPosterior(methods.sampler, config.table_window_min, methods.gauges)
    seen = scenarios.load_records(methods.gauges, config.table_window_min, [0], noise_sd_m=config.noise_sd_m).to_numpy()
    waves = wave_matrices(method, scenarios)
    rng = np.random.default_rng(config.seed)
    sources = list(method.sources)

    def slip() -> np.ndarray:
        draws = method.draw(seen, config.n_draws, rng)
        on_sources = method.slip(draws)[0]
        on_sources.mean(axis=0)
        np.quantile(on_sources, QUANTILES, axis=0)
        np.quantile(magnitude_of_slip(on_sources, sources), QUANTILES, method="lower")
        return draws[0]

    def forecast(probabilities: tuple[float, ...] = ()) -> None:
        draws = slip()
        for gauge, wave in waves.items():
            level = method.sea_level(draws, gauge)
            np.quantile(level.max(axis=1), QUANTILES)
            draws.mean(axis=0) @ wave
            if probabilities:
                np.quantile(level, probabilities, axis=0)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with single_threaded():
            return {
                "window_min": config.table_window_min,
                "n_draws": config.n_draws,
                "gauges": len(waves),
                "slip_ms": _median_ms(slip),
                "forecast_ms": _median_ms(forecast),
                "fan_ms": _median_ms(lambda: forecast(QUANTILES)),
            }
    finally:
        torch.set_num_threads(threads)


def _median_ms(call: Callable[[], Any]) -> float:
    """Return the median time of a call, ms, after a first one that does not count."""
    call()
    times = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return round(1e3 * float(np.median(times)), 2)


def _plain(value: float) -> float | None:
    """Round to three digits; None where it is not finite."""
    return round(float(value), 3) if np.isfinite(value) else None
