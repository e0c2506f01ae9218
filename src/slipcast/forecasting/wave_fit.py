"""Fit of modelled to recorded first waves, at gauges used for the inversion and others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from slipcast.errors import InputError
from slipcast.forecasting.forecast import Forecast, forecast
from slipcast.greens.responses import SourceResponses
from slipcast.inversion.estimate import SlipEstimate
from slipcast.inversion.invert import invert_records
from slipcast.inversion.inverter import Inverter, PreparedInverter, WaveInverter
from slipcast.metrics import explained_variance
from slipcast.records import Records
from slipcast.records.first_wave import first_wave_span

__all__ = ["WaveFit", "explained_shares", "fit_waves", "leave_one_out"]

_ARRIVED = 0.2


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
    """Compare first waves at all gauges that have both a record and a forecast, at the record's own times.

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
    chosen = set(used)
    fits = []
    for gauge in records.gauges:
        if gauge not in made.gauges:
            continue
        try:
            start_s, end_s = first_wave_span(records, gauge)
        except InputError:
            continue  # it recorded no wave
        observed = records.sea_level.sel(gauge=gauge).to_numpy().astype(float)
        known = np.isfinite(observed)
        time_s, observed = records.time_s[known], observed[known]
        modelled = _at_times(made, gauge, time_s)
        inside = np.isfinite(modelled) & (time_s >= start_s) & (time_s <= end_s)
        if inside.sum() < 3:
            continue
        early = np.isfinite(modelled) & (time_s >= start_s - 600) & (time_s <= end_s)
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


def explained_shares(
    records: Records, made: Forecast, gauges: Iterable[str], window_min: float | Mapping[str, float]
) -> dict[str, float]:
    """Compute which share of each record a forecast explains.

    Parameters
    ----------
    records : Records
        Of one event.
    made : Forecast
        At these gauges, and perhaps others.
    gauges : iterable of str
        Of both.
    window_min : float or mapping of gauge to float
        Samples from the origin up to it count, minutes.

    Returns
    -------
    shares : dict of str to float
        1 less the sum of squares that is left over that of the record, at most 1; NaN without samples.
    """
    records, made, shares = records.one_event(), made.one_event(), {}
    for gauge in gauges:
        end_min = window_min[gauge] if isinstance(window_min, Mapping) else window_min
        observed = records.sea_level.sel(gauge=gauge).to_numpy().astype(float)
        inside = np.isfinite(observed) & (records.time_s > 0) & (records.time_s <= 60 * end_min)
        modelled = _at_times(made, gauge, records.time_s[inside])
        known, power = np.isfinite(modelled), float(np.square(observed[inside]).sum())
        left = float(np.square(observed[inside] - modelled)[known].sum())
        shares[gauge] = 1.0 - left / power if power > 0 and known.any() else float("nan")
    return shares


def _at_times(made: Forecast, gauge: str, time_s: np.ndarray) -> np.ndarray:
    """Interpolate a forecast to the times of a record; NaN beyond its end."""
    level = made.sea_level.sel(gauge=gauge).to_numpy().astype(float)
    known = np.isfinite(level)
    if known.sum() < 4:
        return np.full(time_s.shape, np.nan)
    return CubicSpline(made.dataset["time"].to_numpy()[known], level[known], extrapolate=False)(time_s)


def _arrival(time_s: np.ndarray, level_m: np.ndarray) -> float:
    """Find when a level first reaches a fifth of its highest."""
    return float(time_s[np.argmax(level_m >= _ARRIVED * level_m.max())]) if level_m.max() > 0 else float("nan")


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
