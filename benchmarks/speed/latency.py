"""Latency from one record to slip, and to sea level at all gauges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.speed.config import SpeedConfig
from benchmarks.speed.timing import one_thread, percentiles_ms
from slipcast.forecasting.forecast import forecast
from slipcast.greens.bank import GreensBank
from slipcast.inversion import GaussianPosterior, JointMoments, LeastSquares, LeastSquaresSolver, invert_records
from slipcast.learning.inverters import Network
from slipcast.records import Records
from slipcast.scenarios.stream import ScenarioStream

if TYPE_CHECKING:
    from slipcast.learning.checkpoint import Checkpoint
    from slipcast.learning.posterior.posterior import NeuralPosterior

__all__ = ["measure_latency"]

_FEWER = 6  # labelled calls are slower and are timed fewer times

_Call = Callable[[], Any]


def measure_latency(
    bank: GreensBank, checkpoint: Checkpoint, sampler: NeuralPosterior | None, config: SpeedConfig
) -> dict[str, Any]:
    """Time answers to one record, on one core, everything loaded.

    Parameters
    ----------
    bank : GreensBank
        Whose gauges are all forecast.
    checkpoint : Checkpoint
        A network for unit sources and gauges of the bank.
    sampler : NeuralPosterior or None
        One whose gauges the bank has; left out if it is None.
    config : SpeedConfig
        Window, noise, draws and calls.

    Returns
    -------
    found : dict
        ``gauges``, those that observe, ``forecast_gauges``, ``window_min``, ``n_draws``; ``calls``: by name ``p50_ms``
        and ``p99_ms``. ``arrays`` are plain numbers by objects that were made once, ``labelled`` the public functions
        with names and checks; ``slip`` is from the record to slip, ``forecast`` from the record to sea level, with the
        intervals of a method that has them.
    """
    gauges = list(bank.region.observers) or bank.gauge_names("dart")
    records, of_sampler = _records(bank, gauges, config), None
    seen = records.resample(60.0 * np.arange(1, config.window_min + 1), gauges).to_numpy()
    calls: dict[str, _Call] = {}
    calls |= _least_squares(bank, gauges, records, seen, config)
    calls |= _gaussian(bank, gauges, records, seen, config)
    calls |= _network(bank, checkpoint, records)
    if sampler is not None:
        of_sampler = _records(bank, list(sampler.gauges), config)
        calls |= _sampler(sampler, of_sampler, config)
    found = {}
    with one_thread():
        for name, call in calls.items():
            labelled = "labelled" in name or "sampler" in name
            found[name] = percentiles_ms(call, max(3, config.calls // _FEWER) if labelled else config.calls)
    return {
        "gauges": len(gauges),
        "forecast_gauges": len(bank.gauges),
        "window_min": config.window_min,
        "n_draws": config.n_draws,
        "calls": found,
    }


def _records(bank: GreensBank, gauges: Sequence[str], config: SpeedConfig) -> Records:
    """Draw one scenario, and its records at some gauges, with noise."""
    stream = ScenarioStream(bank, list(gauges), config.window_min, alike=1)
    rng = np.random.default_rng(3)
    level = next(stream.batches(1, rng)).records[0]
    return Records.from_arrays(
        stream.times_s,
        level + config.noise_sd_m * rng.standard_normal(level.shape),
        gauges=list(gauges),
        lon_deg=[bank.region.gauge(name).lon for name in gauges],
        lat_deg=[bank.region.gauge(name).lat for name in gauges],
    )


def _least_squares(
    bank: GreensBank, gauges: list[str], records: Records, seen: np.ndarray, config: SpeedConfig
) -> dict[str, _Call]:
    """Give calls of non-negative least squares."""
    solver = LeastSquaresSolver(bank.source_response(gauges, window_min=config.window_min))

    def labelled():
        return invert_records(records, LeastSquares(bank, config.window_min, gauges=tuple(gauges)))

    return {
        "least squares, arrays, slip": lambda: solver.solve(seen),
        "least squares, labelled, slip": labelled,
        "least squares, labelled, forecast": lambda: forecast(labelled(), bank),
    }


def _gaussian(
    bank: GreensBank, gauges: list[str], records: Records, seen: np.ndarray, config: SpeedConfig
) -> dict[str, _Call]:
    """Give calls of the Gaussian posterior, made once."""
    response = bank.source_response(gauges, window_min=config.window_min)
    moments = JointMoments.from_bank(bank, gauges, config.window_min, count=200).through(response)
    posterior = GaussianPosterior(moments, noise_sd_m=config.noise_sd_m)

    def labelled():
        return invert_records(records, posterior, seed=4)

    return {
        "Gaussian, arrays, slip": lambda: posterior.posterior(seen),
        "Gaussian, labelled, slip": labelled,
        "Gaussian, labelled, forecast": lambda: forecast(labelled(), bank),
    }


def _network(bank: GreensBank, checkpoint: Checkpoint, records: Records) -> dict[str, _Call]:
    """Give calls of Liu's network."""
    seen = records.resample(checkpoint.sample_times_s, checkpoint.gauges).to_numpy()
    network = Network(checkpoint)
    return {
        "network, arrays, slip": lambda: checkpoint.predict(seen),
        "network, labelled, slip": lambda: invert_records(records, network),
        "network, labelled, forecast": lambda: forecast(invert_records(records, network), bank),
    }


def _sampler(sampler: NeuralPosterior, records: Records, config: SpeedConfig) -> dict[str, _Call]:
    """Give calls of the sampler in the package."""
    level = records.resample(sampler.times_s, list(sampler.gauges)).to_numpy()
    rng = np.random.default_rng(5)

    def labelled():
        return invert_records(records, sampler, window_min=config.window_min)

    return {
        "sampler, arrays, slip": lambda: sampler.slip(sampler.draw(level, config.n_draws, rng)),
        "sampler, labelled, slip": labelled,
        "sampler, labelled, forecast": lambda: forecast(labelled(), sampler),
    }
