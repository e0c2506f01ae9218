"""Time series at gauges: records beside models, forecasts with intervals, responses to a unit source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from slipcast.errors import InputError
from slipcast.plots.canvas import COLOURS, DASHES, TITLE_SIZE, check_array, legend_below, many_axes, single_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["gauge_traces", "model_traces", "plot_bank", "plot_forecast", "plot_prediction_interval", "plot_records"]


def gauge_traces(values: Any, n_times: int, *, what: str) -> dict[str, np.ndarray]:
    """Return series by gauge from either of the forms in which records come.

    Parameters
    ----------
    values : mapping of gauge to array, or xarray.DataArray (gauge, time)
        Sea level, m.
    n_times : int
        Length of every series.
    what : str
        For messages, e.g. ``"observed"``.

    Returns
    -------
    traces : dict of str to array, shape (n_times,)

    Raises
    ------
    InputError
        If a series has another length; the message names the gauge.
    """
    if isinstance(values, xr.DataArray):
        rows = values.transpose("gauge", "time").to_numpy()
        values = {str(name): row for name, row in zip(values["gauge"].to_numpy(), rows)}
    return {
        str(name): check_array(series, (n_times,), f"{what} at gauge {name}", "one value for each of time_s")
        for name, series in values.items()
    }


def model_traces(
    modelled: Mapping[str, Any] | None, gauges: Sequence[str], n_times: int
) -> dict[str, dict[str, np.ndarray]]:
    """Return modelled series by label and gauge; every model must have every observed gauge."""
    models = {
        label: gauge_traces(values, n_times, what=f"modelled {label!r}") for label, values in (modelled or {}).items()
    }
    for label, traces in models.items():
        if missing := [name for name in gauges if name not in traces]:
            raise InputError(f"modelled {label!r} lacks gauge {missing[0]}, which is observed")
    return models


def plot_records(
    time_s: Any,
    observed: Mapping[str, Any] | xr.DataArray,
    modelled: Mapping[str, Any] | None = None,
    *,
    window_min: float | None = None,
    start_min: float = 0.0,
    title: str = "",
    legend_columns: int = 4,
    axes: Any = None,
) -> np.ndarray:
    """Draw records at DARTs with the fit of models, one panel per gauge.

    Parameters
    ----------
    time_s : array, shape (n_times,)
        Seconds since the origin.
    observed : mapping of gauge to array (n_times,), or xarray.DataArray (gauge, time)
        Pressure in metres of water, m; a gap where NaN.
    modelled : mapping of label to the same, optional
        Models, each with every observed gauge; other gauges of theirs are not drawn.
    window_min, start_min : float, optional
        End and start of what the inversion used, minutes after the origin; shaded.
    title : str, optional
        Above the first panel.
    legend_columns : int, optional
        Of the legend under the last panel.
    axes : array of Axes, optional
        One for each gauge.

    Returns
    -------
    axes : array of Axes, shape (n_gauges,)

    Raises
    ------
    InputError
        If nothing is observed, a length differs from that of ``time_s``, or a model lacks a gauge.
    """
    minutes = np.asarray(time_s, dtype=float) / 60.0
    records = gauge_traces(observed, len(minutes), what="observed")
    if not records:
        raise InputError("observed must have at least one gauge, got none")
    models = model_traces(modelled, list(records), len(minutes))
    axes = many_axes(axes, len(records), 6.8, 1.1 + 1.45 * len(records), 1, sharex=True)
    largest_m = max([0.0, *(np.abs(v[np.isfinite(v)]).max(initial=0.0) for v in records.values())])
    unit, scale = ("cm", 100.0) if largest_m < 1.0 else ("m", 1.0)
    for ax, (name, series) in zip(axes, records.items()):
        if window_min is not None:
            used = f"{window_min:g} min" if not start_min else f"{start_min:g} to {window_min:g} min"
            ax.axvspan(start_min, window_min, color="#f6efdb", lw=0, zorder=0, label=f"window, {used}")
        ax.axhline(0.0, color="#999999", lw=0.5, zorder=1)
        ax.plot(minutes, scale * series, color="black", lw=1.2, label="observed", zorder=3)
        for i, (label, traces) in enumerate(models.items()):
            style = {"color": COLOURS[i % len(COLOURS)], "linestyle": DASHES[i % len(DASHES)]}
            ax.plot(minutes, scale * traces[name], lw=1.2, label=label, zorder=4, **style)
        ax.set_ylabel(f"pressure ({unit} of water)")
        ax.set_title(f"DART {name}", loc="left", fontsize=8)
        ax.margins(x=0)
    axes[-1].set_xlabel("time after the earthquake (min)")
    legend_below(axes[-1], legend_columns)
    axes[0].set_title(title, fontsize=TITLE_SIZE)
    return axes


def _draw_stack(
    ax: Axes, time_s: np.ndarray, traces: np.ndarray, labels: Sequence[str], bands: np.ndarray | None = None
) -> float:
    """Draw traces one above another, each to its own scale; return the seconds in a unit of the axis.

    A band, shape (2, n_traces, n_times), is what each trace lies in; then the scale is that of the band.
    """
    hours = float(time_s[-1]) > 3 * 3600.0
    per_unit = 3600.0 if hours else 60.0
    for row, trace in enumerate(traces):
        shown = trace if bands is None else bands[:, row]
        largest = np.abs(shown[np.isfinite(shown)]).max(initial=0.0)
        level = -float(row)
        ax.axhline(level, color="#cccccc", lw=0.5, zorder=1)
        # scaled to 0.48 so that neighbours touch but do not cross
        height = 0.48 * trace / largest if largest > 0 else trace
        ax.plot(time_s / per_unit, level + height, color=COLOURS[0], lw=0.9, zorder=3)
        if bands is not None and largest > 0:
            low, high = level + 0.48 * shown / largest
            label = "90 % interval" if row == 0 else None
            ax.fill_between(time_s / per_unit, low, high, color=COLOURS[0], alpha=0.3, lw=0, label=label, zorder=2)
    ax.set_yticks(-np.arange(len(traces)), labels)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-len(traces) + 0.4, 0.6)
    ax.margins(x=0)
    ax.set_xlabel(f"time after the earthquake ({'h' if hours else 'min'})")
    return per_unit


def _write_values(ax: Axes, heading: str, values: Sequence[str]) -> None:
    """Write a column of values at the right of stacked traces."""
    for row, value in enumerate(values):
        ax.annotate(
            value,
            (1.0, -row),
            xycoords=("axes fraction", "data"),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
        )
    ax.annotate(
        heading,
        (1.0, 1.0),
        xycoords="axes fraction",
        xytext=(5, 3),
        textcoords="offset points",
        va="bottom",
        fontsize=7.5,
    )


def plot_forecast(
    time_s: Any,
    sea_level_m: Any,
    names: Sequence[str],
    max_amplitude_m: Any,
    *,
    arrival_time_s: Any = None,
    interval_m: Any = None,
    max_interval_m: Any = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw forecast sea level, one trace a gauge, the largest maximum on top.

    Parameters
    ----------
    time_s : array, shape (n_times,)
        Seconds since the origin.
    sea_level_m : array, shape (n_gauges, n_times)
        Sea level, m; NaN where a gauge is not forecast. Every trace is drawn to its own scale.
    names : sequence of str
        Gauges.
    max_amplitude_m : array, shape (n_gauges,)
        Maximum of each, m; written beside the trace and the order of drawing; NaN comes last.
    arrival_time_s : array, shape (n_gauges,), optional
        First arrival, s since the origin; ticked on the trace unless NaN.
    interval_m : array, shape (2, n_gauges, n_times), optional
        Lower and upper end of the 90 % interval of sea level, m; shaded.
    max_interval_m : array, shape (2, n_gauges), optional
        Likewise of the maximum, m; written beside it.
    title : str, optional
        Above the traces.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    ax : Axes

    Raises
    ------
    InputError
        If the lengths differ.
    """
    time = np.asarray(time_s, dtype=float)
    level = check_array(sea_level_m, (len(names), len(time)), "sea_level_m", "names by time_s")
    largest = check_array(max_amplitude_m, (len(names),), "max_amplitude_m", "one value for each of names")
    order = np.argsort(-largest, kind="stable")
    bands = None
    if interval_m is not None:
        bands = check_array(interval_m, (2, *level.shape), "interval_m", "ends by names by time_s")[:, order]
    ax = single_axes(ax, 6.4, 1.2 + 0.36 * len(names))
    per_unit = _draw_stack(ax, time, level[order], [names[i] for i in order], bands)
    if arrival_time_s is not None:
        arrival = check_array(arrival_time_s, (len(names),), "arrival_time_s", "one value for each of names")
        rows = -np.arange(len(names))
        ax.plot(arrival[order] / per_unit, rows, "|", color=COLOURS[1], ms=9, mew=1.6, label="arrival", zorder=4)
    if arrival_time_s is not None or bands is not None:
        legend_below(ax, 2)
    values = [f"{value:.2f}" for value in largest]
    if max_interval_m is not None:
        ends = check_array(max_interval_m, (2, len(names)), "max_interval_m", "ends by names")
        values = [f"{value} ({low:.2f} to {high:.2f})" for value, low, high in zip(values, *ends, strict=True)]
    _write_values(ax, "maximum (m)", [values[i] for i in order])
    ax.set_ylabel("sea level (each trace to its own scale)")
    ax.set_title(title, fontsize=TITLE_SIZE)
    return ax


def plot_bank(
    time_s: Any,
    response_m_per_m: Any,
    names: Sequence[str],
    *,
    source: str,
    ax: Axes | None = None,
) -> Axes:
    """Draw the response of each gauge to 1 m of slip on one unit source.

    Parameters
    ----------
    time_s : array, shape (n_times,)
        Seconds since the origin.
    response_m_per_m : array, shape (n_gauges, n_times)
        Sea level, m per m of slip; NaN beyond what was computed. Every trace is drawn to its own scale.
    names : sequence of str
        Gauges, from top to bottom.
    source : str
        The unit source, for the title.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    ax : Axes

    Raises
    ------
    InputError
        If the lengths differ.
    """
    time = np.asarray(time_s, dtype=float)
    response = check_array(response_m_per_m, (len(names), len(time)), "response_m_per_m", "names by time_s")
    ax = single_axes(ax, 6.4, 1.2 + 0.36 * len(names))
    _draw_stack(ax, time, response, names)
    largest = [np.abs(trace[np.isfinite(trace)]).max(initial=0.0) for trace in response]
    _write_values(ax, "largest (mm/m)", [f"{1e3 * value:.1f}" for value in largest])
    ax.set_ylabel("sea level (each trace to its own scale)")
    ax.set_title(f"response to 1 m of slip on {source}", fontsize=TITLE_SIZE)
    return ax


def plot_prediction_interval(
    time_s: Any,
    level_m: Any,
    quantiles_m: Any = None,
    *,
    true_m: Any = None,
    label: str = "forecast",
    window_min: float | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw a forecast of sea level at one point, with its 50 and 90 % prediction intervals and the truth.

    Parameters
    ----------
    time_s : array, shape (n_times,)
        Seconds since the origin.
    level_m : array, shape (n_times,)
        Forecast sea level, m; NaN where there is none.
    quantiles_m : array, shape (5, n_times), optional
        The 5, 25, 50, 75 and 95 % quantiles of the forecast, m.
    true_m : array, shape (n_times,), optional
        Recorded or true sea level, m.
    label : str, optional
        Name of the line of ``level_m``, such as "median".
    window_min : float, optional
        When the forecast was made, minutes after the origin; marked.
    title : str, optional
        Above the axes.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    ax : Axes

    Raises
    ------
    InputError
        If a length differs.
    """
    minutes = np.asarray(time_s, dtype=float) / 60
    one_each = "one value for each of time_s"
    level = check_array(level_m, minutes.shape, "level_m", one_each)
    ax = single_axes(ax, 6.8, 3.0)
    if quantiles_m is not None:
        bands = check_array(quantiles_m, (5, *minutes.shape), "quantiles_m", "five quantiles by time_s")
        ax.fill_between(minutes, bands[0], bands[4], color=COLOURS[0], alpha=0.2, lw=0, label="90 % interval")
        ax.fill_between(minutes, bands[1], bands[3], color=COLOURS[0], alpha=0.35, lw=0, label="50 % interval")
    ax.plot(minutes, level, color=COLOURS[0], lw=1.2, label=label)
    if true_m is not None:
        ax.plot(minutes, check_array(true_m, minutes.shape, "true_m", one_each), color="black", lw=1.0, label="truth")
    ax.axhline(0.0, color="#999999", lw=0.5, zorder=1)
    if window_min is not None:
        ax.axvline(window_min, color=COLOURS[1], lw=1.0, ls="--", label="end of the window")
    ax.margins(x=0)
    ax.set_xlabel("time after the earthquake (min)")
    ax.set_ylabel("sea level (m)")
    ax.set_title(title, loc="left", fontsize=TITLE_SIZE)
    legend_below(ax, 5)
    return ax
