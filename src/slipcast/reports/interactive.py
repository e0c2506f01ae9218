"""Interactive figures of the report, drawn by plotly: functions of arrays that return a figure.

They need no network: the coast is the zero contour of the packaged sea floor, drawn as lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from slipcast.errors import InputError, unknown_name
from slipcast.plots import geography
from slipcast.plots.canvas import COLOURS, check_array
from slipcast.plots.history import TrainingCurves
from slipcast.plots.series import gauge_traces, model_traces
from slipcast.plots.skill import scores_by_method

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["forecast_figure", "history_figure", "map_figure", "records_figure", "scatter_figure"]

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_SYMBOLS = ("circle", "triangle-up", "square", "diamond", "triangle-down", "cross")
_SLIP_COLOURS = "YlOrRd"
_LAND, _SEA, _COAST = "#dcdcd6", "#eaf2f8", "#5a5a5a"
_AXIS = {"ticks": "outside", "ticklen": 4, "showline": True, "linecolor": "#888", "zeroline": False}


def _finish(figure: Figure, *, title: str, height: int, **layout: Any) -> Figure:
    """Give a figure the common look: white in both themes of the page, legend above, readable on a phone."""
    # from the top: the buttons of plotly, the title, two rows of legend
    figure.update_layout(
        template="plotly_white",
        paper_bgcolor="white",
        height=height,
        autosize=True,
        title={"text": title, "font": {"size": 15}, "x": 0.02, "y": 1.0 - 34.0 / height, "yanchor": "top"},
        font={"size": 12, "color": "#1b1f24"},
        margin={"l": 58, "r": 14, "t": 104 if title else 80, "b": 48},
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "xanchor": "left"},
        hoverlabel={"namelength": -1},
    )
    figure.update_layout(**layout)
    return figure


def map_figure(
    region: geography.RegionLike,
    slip_m: Mapping[str, float] | None = None,
    *,
    largest_m: float | None = None,
    title: str = "",
) -> Figure:
    """Draw the map of a region, its unit sources coloured by slip.

    Parameters
    ----------
    region : Region
        Gauges near its sources (see :func:`slipcast.plots.geography.split_gauges`) are on the map.
    slip_m : mapping of source to float, optional
        Slip, m, of every unit source of the region.
    largest_m : float, optional
        End of the colours, m, for maps to be compared; by default the largest slip.
    title : str, optional
        Above the map.

    Returns
    -------
    figure : plotly.graph_objects.Figure

    Raises
    ------
    InputError
        If a slip is missing, or is given for a source that the region has not.
    """
    import plotly.graph_objects as go

    near, _ = geography.split_gauges(region)
    outlines = geography.source_outlines(region.sources)
    extent = geography.extent_around(
        [*outlines[..., 0].ravel(), *(g.lon for g in near)],
        [*outlines[..., 1].ravel(), *(g.lat for g in near)],
        margin_deg=1.5,
        least_width=0.62,
    )
    outlines[..., 0] = extent.wrap(outlines[..., 0])
    figure = go.Figure()
    _add_land(figure, extent)
    _add_sources(figure, region, outlines, slip_m, largest_m)
    for kind, symbol, colour in (("dart", "triangle-up", "#111111"), ("forecast", "circle", COLOURS[0])):
        _add_gauges(figure, extent, [g for g in near if g.kind == kind], kind, symbol, colour)
    _finish(figure, title=title, height=720, plot_bgcolor=_SEA, dragmode="pan", hovermode="closest")
    figure.update_xaxes(
        range=[extent.west, extent.east],
        constrain="domain",
        showgrid=False,
        title="longitude",
        mirror=True,
        **_degree_ticks(extent.west, extent.east, 5, geography.longitude_label),
        **_AXIS,
    )
    figure.update_yaxes(
        range=[extent.south, extent.north],
        scaleanchor="x",
        scaleratio=extent.aspect,
        constrain="domain",
        showgrid=False,
        title="latitude",
        mirror=True,
        **_degree_ticks(extent.south, extent.north, 7, geography.latitude_label),
        **_AXIS,
    )
    return figure


def _degree_ticks(low: float, high: float, count: int, label: Any) -> dict[str, list]:
    """Return ticks at round degrees, at most about ``count``, labelled as maps do."""
    step = next(step for step in (1, 2, 3, 5, 10, 20, 30, 60, 90) if (high - low) / step <= count + 1)
    values = np.arange(np.ceil(low / step) * step, high + 1e-9, step)
    return {"tickvals": values.tolist(), "ticktext": [label(value) for value in values]}


def _add_land(figure: Figure, extent: geography.Extent) -> None:
    """Fill the land and draw the coast."""
    rings = geography.land_rings(extent)
    path = " ".join("M" + " L".join(f"{lon:.2f},{lat:.2f}" for lon, lat in ring) + "Z" for ring in rings)
    if path:
        figure.add_shape(type="path", path=path, fillcolor=_LAND, fillrule="evenodd", line_width=0, layer="below")
    lines = geography.coast_lines((extent.west, extent.east), (extent.south, extent.north))
    joined = [point for line in lines for point in (*line.round(2).tolist(), (None, None))]
    lon, lat = zip(*joined) if joined else ((), ())
    figure.add_scatter(
        x=lon, y=lat, mode="lines", line={"color": _COAST, "width": 0.8}, hoverinfo="skip", showlegend=False
    )


def _add_sources(
    figure: Figure,
    region: geography.RegionLike,
    outlines: np.ndarray,
    slip_m: Mapping[str, float] | None,
    largest_m: float | None,
) -> None:
    """Draw unit sources, filled by slip where there is one, and invisible points that answer the pointer."""
    from plotly.colors import sample_colorscale

    middles = outlines.mean(axis=1)
    marker: dict[str, Any] = {"size": 16, "opacity": 0.0}
    texts = [f"unit source {name}" for name in region.sources]
    fills = ["rgba(213,94,0,0.18)"] * len(region.sources)
    if slip_m is not None:
        slip = _slip_in_order(slip_m, region)
        largest = (max(slip) if largest_m is None else largest_m) or 1.0
        fills = sample_colorscale(_SLIP_COLOURS, [min(value / largest, 1.0) for value in slip])
        texts = [f"{name}<br>slip {value:.2f} m" for name, value in zip(region.sources, slip)]
        bar = {"title": {"text": "slip (m)", "side": "bottom"}, "orientation": "h", "thickness": 12}
        marker |= {"color": slip, "colorscale": _SLIP_COLOURS, "cmin": 0.0, "cmax": largest}
        marker |= {"showscale": True, "colorbar": bar | {"y": -0.1, "yanchor": "top", "len": 0.7}}
    for outline, fill in zip(outlines, fills):
        ring = np.vstack([outline, outline[:1]])
        figure.add_scatter(
            x=ring[:, 0],
            y=ring[:, 1],
            mode="lines",
            fill="toself",
            fillcolor=fill,
            line={"color": "#444444" if slip_m is not None else COLOURS[1], "width": 0.8},
            hoverinfo="skip",
            showlegend=False,
        )
    figure.add_scatter(
        x=middles[:, 0],
        y=middles[:, 1],
        mode="markers",
        marker=marker,
        text=texts,
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )


def _slip_in_order(slip_m: Mapping[str, float], region: geography.RegionLike) -> list[float]:
    """Return slip in the order of the region's sources, exactly those."""
    known = set(region.sources)
    if unknown := [name for name in slip_m if name not in known]:
        raise unknown_name("source", unknown[0], region.sources, where=f"in region {region.name}")
    if missing := [name for name in region.sources if name not in slip_m]:
        raise InputError(f"slip_m lacks source {missing[0]} of region {region.name}")
    return [float(slip_m[name]) for name in region.sources]


def _add_gauges(
    figure: Figure,
    extent: geography.Extent,
    gauges: Sequence[geography.GaugeLike],
    kind: str,
    symbol: str,
    colour: str,
) -> None:
    """Draw gauges of a kind: DARTs with labels; forecast points stand too close and are named on hover."""
    if not gauges:
        return
    dart = kind == "dart"
    width_deg = extent.east - extent.west
    figure.add_scatter(
        x=[float(extent.wrap(g.lon)) for g in gauges],
        y=[g.lat for g in gauges],
        mode="markers+text" if dart else "markers",
        text=[g.name for g in gauges],
        textposition=[
            "middle left" if extent.wrap(g.lon) - extent.west > 0.15 * width_deg else "middle right" for g in gauges
        ],
        textfont={"size": 11},
        marker={
            "symbol": symbol,
            "size": 11 if dart else 8,
            "color": colour,
            "line": {"color": "white", "width": 1},
        },
        name="DART" if dart else "forecast point",
        customdata=[
            f"{geography.latitude_label(round(g.lat, 2))} {geography.longitude_label(round(g.lon, 2))}" for g in gauges
        ],
        hovertemplate="%{text}<br>%{customdata}<extra></extra>",
    )


def records_figure(
    time_s: Any,
    observed: Mapping[str, Any] | xr.DataArray,
    modelled: Mapping[str, Any] | None = None,
    *,
    window_min: float | None = None,
    title: str = "",
) -> Figure:
    """Draw records at DARTs with the fit of models, one panel per gauge, zoomed together.

    Arguments and errors are those of :func:`slipcast.plots.plot_records`.
    """
    from plotly.subplots import make_subplots

    minutes = np.asarray(time_s, dtype=float) / 60.0
    records = gauge_traces(observed, len(minutes), what="observed")
    if not records:
        raise InputError("observed must have at least one gauge, got none")
    models = model_traces(modelled, list(records), len(minutes))
    figure = make_subplots(
        rows=len(records),
        shared_xaxes=True,
        vertical_spacing=0.22 / len(records),
        subplot_titles=[f"DART {name}" for name in records],
    )
    for row, (name, series) in enumerate(records.items(), start=1):
        lines = [("observed", series, "black", "solid")]
        lines += [
            (label, traces[name], COLOURS[i % len(COLOURS)], _DASHES[i % len(_DASHES)])
            for i, (label, traces) in enumerate(models.items())
        ]
        for label, values, colour, dash in lines:
            figure.add_scatter(
                x=minutes.astype(np.float32),
                y=(100.0 * values).astype(np.float32),
                mode="lines",
                name=label,
                legendgroup=label,
                showlegend=row == 1,
                line={"color": colour, "dash": dash, "width": 1.6},
                row=row,
                col=1,
            )
        figure.update_yaxes(title="pressure (cm of water)", row=row, col=1)
    if window_min is not None:
        figure.add_vrect(x0=0, x1=window_min, fillcolor="#b58900", opacity=0.13, line_width=0, layer="below")
        shade = {"symbol": "square", "size": 11, "color": "#f6efdb"}
        name = f"window, {window_min:g} min"
        figure.add_scatter(x=[None], y=[None], mode="markers", marker=shade, name=name, row=1, col=1)
    _finish(figure, title=title, height=175 + 190 * len(records), hovermode="x unified")
    figure.update_layout(legend={"y": 1.0 + 20.0 / (190 * len(records))}, margin_t=124 if title else 100)
    figure.update_annotations(font_size=12, x=0.0, xanchor="left")
    figure.update_xaxes(**_AXIS)
    figure.update_yaxes(**_AXIS)
    figure.update_xaxes(title="time after the earthquake (min)", row=len(records), col=1)
    return figure


def history_figure(
    history: Sequence[Mapping[str, Any]], *, loss_label: str = "mean squared error (m²)", title: str = ""
) -> Figure:
    """Draw training and validation loss by epoch, the best validation epoch marked.

    Arguments and errors are those of :func:`slipcast.plots.plot_history`.
    """
    import plotly.graph_objects as go

    curves = TrainingCurves.of(history)
    figure = go.Figure()
    for name, values in curves.losses.items():
        line = {"color": curves.colour(name), "width": 1.6}
        figure.add_scatter(x=curves.epoch, y=values, mode="lines", name=name, line=line)
    figure.add_scatter(
        x=curves.epoch[[curves.best]],
        y=curves.losses["validation"][[curves.best]],
        mode="markers",
        name=curves.best_text,
        marker={"size": 10, "color": curves.colour("validation"), "line": {"color": "white", "width": 1}},
    )
    _finish(figure, title=title, height=400, hovermode="x unified")
    figure.update_xaxes(title="epoch", **_AXIS)
    figure.update_yaxes(title=loss_label, type="log", tickvals=_log_ticks(*curves.losses.values()), **_AXIS)
    return figure


def _log_ticks(*series: np.ndarray) -> list[float]:
    """Return 1, 2 and 5 times the powers of ten among some positive numbers; powers alone in a wide range."""
    values = np.concatenate(series)
    values = values[np.isfinite(values) & (values > 0)]
    if not values.size:
        return []
    decades = range(int(np.floor(np.log10(values.min()))), int(np.ceil(np.log10(values.max()))) + 1)
    steps = (1.0, 2.0, 5.0) if len(decades) <= 4 else (1.0,)
    return [float(f"{step * 10.0**decade:.3g}") for decade in decades for step in steps]


def scatter_figure(
    true_m: Any,
    predicted_m: Mapping[str, Any],
    gauge_names: Sequence[str],
    scores: Mapping[str, Any] | None = None,
    *,
    title: str = "",
) -> Figure:
    """Draw predicted against true maximum amplitude; a menu chooses the forecast point.

    Parameters
    ----------
    true_m : array, shape (n_scenarios, n_gauges)
        True maxima, m.
    predicted_m : mapping of method to array, shape (n_scenarios, n_gauges)
        Predicted maxima, m; at least one method.
    gauge_names : sequence of str
        Forecast points, at least one.
    scores : mapping of method to array, shape (n_gauges,), optional
        Explained variance, written beside each method; for all methods or none.
    title : str, optional
        Above the panel.

    Returns
    -------
    figure : plotly.graph_objects.Figure

    Raises
    ------
    InputError
        If there is no forecast point or method, the shapes differ, or a method has no score.
    """
    import plotly.graph_objects as go

    count = len(gauge_names)
    if count == 0 or not predicted_m:
        raise InputError("scatter_figure needs at least one of gauge_names and one method of predicted_m")
    true = check_array(true_m, (len(true_m), count), "true_m", "scenarios by gauge_names")
    shape = "the shape of true_m"
    predicted = {m: check_array(v, true.shape, f"predicted_m[{m!r}]", shape) for m, v in predicted_m.items()}
    values = None if scores is None else scores_by_method(scores, list(predicted), count, argument="scores")
    figure = go.Figure()
    tops = []
    for column in range(count):
        series = {method: cells[:, column] for method, cells in predicted.items()}
        labels = {m: m if values is None else f"{m} ({values[m][column]:.2f})" for m in series}
        tops.append(_add_scatter_panel(figure, true[:, column], series, labels, visible=column == 0))
    per_gauge = len(predicted) + 1
    buttons = [
        {
            "label": name,
            "method": "update",
            "args": [
                {"visible": [i // per_gauge == column for i in range(count * per_gauge)]},
                {"xaxis.range": [0, tops[column]], "yaxis.range": [0, tops[column]]},
            ],
        }
        for column, name in enumerate(gauge_names)
    ]
    _finish(figure, title=title, height=560, hovermode="closest")
    note = "" if values is None else " (legend: explained variance)"
    menu = {
        "buttons": buttons,
        "x": 1.0,
        "xanchor": "right",
        "y": 1.02,
        "yanchor": "bottom",
        "pad": {"b": 22},
    }
    figure.update_layout(updatemenus=[menu], margin_t=145, legend_traceorder="reversed")
    figure.update_xaxes(title=f"true maximum (m){note}", range=[0, tops[0]], constrain="domain", **_AXIS)
    figure.update_yaxes(title="predicted maximum (m)", range=[0, tops[0]], constrain="domain", scaleanchor="x", **_AXIS)
    return figure


def _add_scatter_panel(
    figure: Figure,
    true: np.ndarray,
    predicted: Mapping[str, np.ndarray],
    labels: Mapping[str, str],
    *,
    visible: bool,
) -> float:
    """Add the line of perfect prediction and each method, the first on top; return the end of the axes."""
    finite = np.concatenate([v[np.isfinite(v)] for v in (true, *predicted.values())])
    top = 1.05 * float(finite.max(initial=0.0)) or 1.0
    line = {"color": "#555555", "width": 1}
    figure.add_scatter(
        x=[0, top], y=[0, top], mode="lines", line=line, hoverinfo="skip", showlegend=False, visible=visible
    )
    for i, (method, values) in reversed(list(enumerate(predicted.items()))):
        figure.add_scatter(
            x=true.astype(np.float32),
            y=values.astype(np.float32),
            mode="markers",
            name=labels[method],
            visible=visible,
            marker={
                "color": COLOURS[i % len(COLOURS)],
                "symbol": _SYMBOLS[i % len(_SYMBOLS)],
                "size": 6,
                "opacity": 0.6,
            },
            hovertemplate="true %{x:.2f} m<br>predicted %{y:.2f} m",
        )
    return top


def forecast_figure(time_s: Any, traces_m: Mapping[str, Any], *, title: str = "") -> Figure:
    """Draw forecast sea level at gauges; a click in the legend hides one, a double click the others.

    Parameters
    ----------
    time_s : array, shape (n_times,)
        Seconds since the origin.
    traces_m : mapping of gauge to array, shape (n_times,), or xarray.DataArray (gauge, time)
        Sea level, m; NaN where it is not forecast. At least one gauge.
    title : str, optional
        Above the traces.

    Returns
    -------
    figure : plotly.graph_objects.Figure

    Raises
    ------
    InputError
        If there is no gauge or a length differs.
    """
    import plotly.graph_objects as go

    hours = np.asarray(time_s, dtype=float) / 3600.0
    traces = gauge_traces(traces_m, len(hours), what="traces_m")
    if not traces:
        raise InputError("traces_m must have at least one gauge, got none")
    figure = go.Figure()
    for i, (name, values) in enumerate(traces.items()):
        figure.add_scatter(
            x=hours.astype(np.float32),
            y=values.astype(np.float32),
            mode="lines",
            name=name,
            line={
                "color": COLOURS[i % len(COLOURS)],
                "dash": _DASHES[i // len(COLOURS) % len(_DASHES)],
                "width": 1.4,
            },
            hovertemplate="%{x:.2f} h: %{y:.2f} m",
        )
    _finish(
        figure,
        title=title,
        height=560,
        hovermode="closest",
        legend={"y": -0.22, "yanchor": "top"},
        margin_t=60,
    )
    figure.update_xaxes(title="time after the earthquake (h)", **_AXIS)
    figure.update_yaxes(title="sea level (m)", **_AXIS)
    return figure
