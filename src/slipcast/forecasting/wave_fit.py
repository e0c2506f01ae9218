"""How an inversion stands beside the waves that buoys recorded, used for it or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from slipcast import plots
from slipcast.errors import InputError
from slipcast.forecasting.forecast import Forecast, forecast
from slipcast.geodesy import great_circle_distance
from slipcast.greens.responses import SourceResponses
from slipcast.inversion.estimate import SlipEstimate
from slipcast.inversion.invert import invert_records
from slipcast.inversion.inverter import Inverter, PreparedInverter, WaveInverter
from slipcast.metrics import explained_variance
from slipcast.physics.unit_sources import unit_source
from slipcast.records import Records
from slipcast.records.first_wave import first_wave_span

__all__ = ["WaveFit", "draw_event", "fit_waves", "leave_one_out"]

_ARRIVED = 0.2
_ON_MAP_M = 1500e3


@dataclass(frozen=True)
class WaveFit:
    """A modelled first wave beside the recorded one.

    Attributes
    ----------
    gauge : str
        Name.
    used : bool
        Whether the inversion used its record.
    start_s, end_s : float
        Span of the recorded first wave (:func:`~slipcast.records.first_wave.first_wave`), s since the origin.
    explained_variance : float
        Of the record by the model over that span.
    observed_m, modelled_m : float
        Highest levels over that span, m.
    observed_arrival_s, modelled_arrival_s : float
        When the level first reaches a fifth of that, from ten minutes before the span on, s since the origin.
    """

    gauge: str
    used: bool
    start_s: float
    end_s: float
    explained_variance: float
    observed_m: float
    modelled_m: float
    observed_arrival_s: float
    modelled_arrival_s: float


def fit_waves(records: Records, made: Forecast, *, used: Iterable[str]) -> list[WaveFit]:
    """Compare first waves at all gauges that have both a record and a forecast.

    Parameters
    ----------
    records : Records
        Of one event, whole.
    made : Forecast
        From slip.
    used : iterable of str
        Gauges from whose records the slip is.

    Returns
    -------
    fits : list of WaveFit
        In the order of the records; gauges whose record ends before its first wave has a crest are left out.
    """
    records, made = records.one_event(), made.one_event()
    chosen, time_s = set(used), made.dataset["time"].to_numpy()
    fits = []
    for gauge in records.gauges:
        if gauge not in made.gauges:
            continue
        try:
            start_s, end_s = first_wave_span(records, gauge)
        except InputError:
            continue  # it recorded no wave
        observed = records.resample(time_s, [gauge]).to_numpy()[0]
        modelled = made.sea_level.sel(gauge=gauge).to_numpy().astype(float)
        both = np.isfinite(observed) & np.isfinite(modelled)
        inside = both & (time_s >= start_s) & (time_s <= end_s)
        if inside.sum() < 3:
            continue
        early = both & (time_s >= start_s - 600) & (time_s <= end_s)
        fits.append(
            WaveFit(
                gauge=gauge,
                used=gauge in chosen,
                start_s=start_s,
                end_s=end_s,
                explained_variance=float(explained_variance(observed[inside], modelled[inside])),
                observed_m=float(observed[inside].max()),
                modelled_m=float(modelled[inside].max()),
                observed_arrival_s=_arrival(time_s[early], observed[early]),
                modelled_arrival_s=_arrival(time_s[early], modelled[early]),
            )
        )
    return fits


def _arrival(time_s: np.ndarray, level_m: np.ndarray) -> float:
    """Find when a level first reaches a fifth of its highest."""
    return float(time_s[np.argmax(level_m >= _ARRIVED * level_m.max())]) if level_m.max() > 0 else float("nan")


def draw_event(records: Records, slip: SlipEstimate, waves: SourceResponses, *, title: str = "") -> np.ndarray:
    """Draw an event on one page (:func:`~slipcast.plots.plot_event`).

    Parameters
    ----------
    records : Records
        Of one event, whole.
    slip : SlipEstimate
        From some of them.
    waves : GreensBank
        Whose gauges are shown where they have a record; those within 1,500 km of the unit sources on the map.
    title : str, optional
        What event this is.

    Returns
    -------
    axes : array of Axes

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
    more: dict[str, Any] = {}
    if slip.samples is not None:
        level = made.dataset["sea_level_quantile"].sel(gauge=gauges)
        more = {
            "interval_m": (level.sel(quantile=0.05), level.sel(quantile=0.95)),
            "slip_sd_m": slip.dataset["slip_sd"].to_numpy(),
            "magnitude_interval": tuple(slip.dataset["magnitude_quantile"].to_numpy()[[0, -1]]),
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
        **more,
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


def leave_one_out(
    records: Records,
    inverter: Inverter,
    waves: SourceResponses | WaveInverter,
    *,
    window_min: float | Mapping[str, float] | None = None,
    gauges: Iterable[str] | None = None,
) -> dict[str, tuple[SlipEstimate, WaveFit]]:
    """Predict each DART from the others.

    Parameters
    ----------
    records : Records
        Of one event.
    inverter : Inverter
        The method.
    waves : GreensBank or WaveInverter
        What forecasts are made with.
    window_min : float or mapping of gauge to float, optional
        As :func:`~slipcast.inversion.invert.invert_records` takes it.
    gauges : iterable of str, optional
        At least two; by default those of the records that the method knows.

    Returns
    -------
    found : dict of str to (SlipEstimate, WaveFit)
        By the gauge left out: the slip from the others, and the wave that it makes there.

    Raises
    ------
    InputError
        If there are fewer than two gauges, or a record has no first wave.
    """
    if gauges is None:
        ready = inverter.prepared(records) if isinstance(inverter, PreparedInverter) else inverter
        names = list(ready.gauges)
    else:
        names = list(gauges)
    if len(names) < 2:
        raise InputError(f"leaving one out needs at least two gauges, got {', '.join(names) or 'none'}")
    found = {}
    for left_out in names:
        others = [name for name in names if name != left_out]
        slip = invert_records(records, inverter, window_min=window_min, gauges=others)
        fits = fit_waves(records, forecast(slip, waves, gauges=[left_out]), used=others)
        if not fits:
            raise InputError(f"gauge {left_out} has recorded no first wave")
        found[left_out] = (slip, fits[0])
    return found
