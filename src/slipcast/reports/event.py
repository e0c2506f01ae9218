"""Figure of an event: first waves at DARTs used and not used, the model, and slip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from slipcast import plots
from slipcast.errors import InputError
from slipcast.forecasting.forecast import forecast
from slipcast.forecasting.wave_fit import fit_waves
from slipcast.geodesy import great_circle_distance
from slipcast.greens.responses import SourceResponses
from slipcast.inversion.estimate import SlipEstimate
from slipcast.physics.unit_sources import unit_source
from slipcast.records import Records

__all__ = ["draw_event"]

_ON_MAP_M = 1500e3


def draw_event(records: Records, slip: SlipEstimate, waves: SourceResponses, *, title: str = "") -> np.ndarray:
    """Draw records, model and slip of an event on one page (:func:`~slipcast.plots.plot_event`).

    Parameters
    ----------
    records : Records
        Of one event, whole.
    slip : SlipEstimate
        From some of them.
    waves : GreensBank
        Its gauges are shown where they have a record; those within 1,500 km of the unit sources on the map.
    title : str, optional
        Name of the event.

    Returns
    -------
    axes : array of Axes
        A panel for each gauge, then the map; with a probabilistic method also a map of the standard deviation of slip.

    Raises
    ------
    InputError
        If no gauge of the records has both a first wave and a response.
    """
    used = str(slip.dataset.attrs["gauges"]).split()
    made = forecast(slip, waves)
    fits = fit_waves(records, made, used=used)
    if not fits:
        raise InputError("no gauge of the records has recorded a first wave that the bank forecasts")
    gauges = [fit.gauge for fit in fits]
    spread: dict[str, Any] = {}
    if slip.samples is not None:
        level = made.interval(of="sea_level").sel(gauge=gauges)
        spread = {
            "interval_m": (level.sel(bound="low"), level.sel(bound="high")),
            "slip_sd_m": slip.dataset["slip_sd"].to_numpy(),
            "magnitude_interval": slip.magnitude_interval(),
        }
    time_s = made.dataset["time"].to_numpy()
    return plots.plot_event(
        time_s,
        records.resample(time_s, gauges),
        made.sea_level,
        slip.sources,
        slip.slip.to_numpy(),
        used=used,
        first_waves_s={fit.gauge: (fit.start_s, fit.end_s) for fit in fits},
        windows_min=dict.fromkeys(used, slip.dataset.attrs["window_min"]),
        magnitude=slip.magnitude,
        notes={
            fit.gauge: f"explained variance {fit.explained_variance:.2f}, "
            f"crest {fit.modelled_m:.2f} m ({fit.observed_m:.2f})"
            for fit in fits
        },
        gauges=_near(records, slip.sources, gauges),
        title=title,
        **spread,
    )


def _near(records: Records, sources: Sequence[str], gauges: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return the positions of gauges that fit on a map of some unit sources."""
    middle = unit_source(sources[len(sources) // 2])
    places = {}
    for name in gauges:
        row = records.gauges.index(name)
        lon, lat = (float(records.dataset[key].to_numpy()[row]) for key in ("gauge_lon", "gauge_lat"))
        if great_circle_distance(middle.lon_deg, middle.lat_deg, lon, lat) < _ON_MAP_M:
            places[name] = (lon, lat)
    return places
