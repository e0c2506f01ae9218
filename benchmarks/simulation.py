"""Synthetic events, any number of them, for trying a service out under load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slipcast.errors import InputError
from slipcast.inversion import magnitude_of_slip
from slipcast.physics.unit_sources import unit_source
from slipcast.records import Records
from slipcast.regions.region import Region

if TYPE_CHECKING:
    from slipcast.learning.posterior.posterior import NeuralPosterior

__all__ = ["simulate"]

_N_DRAWS = 50


def simulate(model: NeuralPosterior, *, magnitude: float = 8.9, seed: int = 1, origin_time: str = "") -> Records:
    """Let a trained sampler make an earthquake, its waves, and the noise of the buoys.

    Parameters
    ----------
    model : NeuralPosterior
        Which earthquakes it knows, and which waves they make.
    magnitude : float, optional
        Mw, in [7.8, 9.2].
    seed : int, optional
        The same seed, the same earthquake.
    origin_time : str, optional
        UTC, ISO 8601.

    Returns
    -------
    records : Records
        Every minute of the longest window of the model; attributes ``simulation`` 1, ``magnitude``, ``epicentre``.

    Raises
    ------
    InputError
        If the magnitude is out of range.

    Notes
    -----
    Random amplitudes of the model's modes make a first record; the earthquake is a draw that fits it, made larger or
    smaller to have the magnitude. A sampler finds the slip of its own earthquakes more easily than that of others: this
    shows how the service works, not how well slip is found.
    """
    if not 7.8 <= magnitude <= 9.2:
        raise InputError(f"magnitude must be in [7.8, 9.2], got {magnitude:g}")
    rng = np.random.default_rng(seed)
    places, n_times = model.times_s.astype(int) // 60, len(model.times_s)
    first = rng.standard_normal(model.modes.n_modes) * model.modes.amplitude_sd
    level = np.stack([(first @ model.waves[name])[places] for name in model.gauges])
    draws = model.draw(level, _N_DRAWS, rng)
    amplitudes = draws[int(np.argmax(magnitude_of_slip(model.slip(draws), model.sources)))].astype(float)
    # moment grows with slip, ten to the 1.5 Mw
    amplitudes *= 10 ** (1.5 * (magnitude - float(magnitude_of_slip(model.slip(amplitudes), model.sources))))
    waves = np.stack([(amplitudes @ model.waves[name])[places] for name in model.gauges])
    slip = model.slip(amplitudes)
    fault = unit_source(model.sources[int(np.argmax(slip))])
    lon, lat, _ = fault.point(0.0, fault.width_m / 2)
    gauges = [Region.open(model.region).gauge(name) for name in model.gauges]
    records = Records.from_arrays(
        model.times_s,
        waves + model.noise_sd_m * rng.standard_normal((len(gauges), n_times)),
        gauges=list(model.gauges),
        lon_deg=[gauge.lon for gauge in gauges],
        lat_deg=[gauge.lat for gauge in gauges],
        senses=[gauge.senses for gauge in gauges],
        origin_time=origin_time,
        title=f"Simulated Mw {magnitude:.1f}, {model.region}",
    )
    more = {"simulation": 1, "magnitude": float(magnitude), "epicentre": [float(lon), float(lat)]}
    return Records(records.dataset.assign_attrs(more))
