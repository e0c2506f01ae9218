"""The interactive figure of a replay: map, records and magnitude, with a slider over the minutes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from slipcast.plots.canvas import COLOURS
from slipcast.realtime.replay import Replay
from slipcast.reports.interactive import map_figure

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as PlotlyFigure

__all__ = ["replay_figure"]

_MOST_PANELS, _MOST_FRAMES, _MOST_SAMPLES = 6, 60, 300
_AFTER_ARRIVAL_MIN, _AFTER_MIN = 90.0, 30.0
_FRAME_MS, _PER_ROW, _ABOVE, _BELOW = 350, 150, 140, 170
_TIME = "time after the earthquake (min)"
_RECORDED, _LATER, _MODEL, _MODEL_BAND = "#111111", "#8f8f8f", COLOURS[1], "rgba(213,94,0,0.22)"
_MAGNITUDE, _MAGNITUDE_BAND, _CURSOR = COLOURS[0], "rgba(0,114,178,0.18)", "#777777"
_AXIS = {"ticks": "outside", "ticklen": 4, "showline": True, "linecolor": "#888", "zeroline": False}


@dataclass(frozen=True)
class _Point:
    """A buoy on the map."""

    name: str
    lon: float
    lat: float
    kind: str = "dart"
    grid: str = "map"


@dataclass(frozen=True)
class _Scene:
    """What the map shows: unit sources and buoys with records."""

    name: str
    sources: Sequence[str]
    gauges: Sequence[_Point]
    title: str = ""
    finest_grid: str = "map"


def replay_figure(replay: Replay, *, reference_magnitude: float | None = None) -> PlotlyFigure:
    """Make the interactive figure of a replay.

    Parameters
    ----------
    replay : Replay
        Of any method.
    reference_magnitude : float, optional
        Mw for comparison: a line.

    Returns
    -------
    figure : plotly.graph_objects.Figure
        At most 60 frames, spread over the minutes, and six gauges: those with records, or forecast points where none
        of the forecasts is at a gauge with a record.
    """
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    shown = replay.shown_gauges(_MOST_PANELS)
    recorded = [str(name) for name in replay.dataset["observed_gauge"].to_numpy()]
    gauges = sorted(
        [name for name in shown if name in recorded] or shown, key=lambda name: name not in replay.gauges_used
    )
    rows = max(len(gauges), 3)
    below = rows - rows // 3 + 1
    specs: list[list[dict[str, int] | None]] = [[None, {} if row < len(gauges) else None] for row in range(rows)]
    specs[0][0], specs[below - 1][0] = {"rowspan": below - 1}, {"rowspan": rows - below + 1}
    figure = make_subplots(
        rows=rows,
        cols=2,
        specs=specs,
        column_widths=[0.45, 0.55],
        horizontal_spacing=0.1,
        vertical_spacing=0.34 / rows,
    )
    steps = np.unique(np.linspace(0, len(replay.minutes) - 1, _MOST_FRAMES).round().astype(int)).tolist()
    begin = next(number for number, step in enumerate(steps) if np.isfinite(replay.dataset["slip"][step]).all())
    stage = _Stage(figure, replay, steps[begin], [])
    _add_map(stage, recorded)
    for row, name in enumerate(gauges, start=1):
        _add_records(stage, name, row, _shown_times(replay, gauges))
    figure.update_xaxes(title=_TIME, row=len(gauges), col=2)
    _add_magnitude(stage, below, reference_magnitude)
    places = [place for place, _ in stage.moving]
    figure.frames = [
        go.Frame(name=f"{replay.minutes[step]:g}", data=[at(step) for _, at in stage.moving], traces=places)
        for step in steps
    ]
    _finish(figure, _PER_ROW * rows, begin)
    return figure


@dataclass(frozen=True)
class _Stage:
    """A figure in the making.

    Attributes
    ----------
    figure : plotly.graph_objects.Figure
        Its frames come last.
    replay : Replay
        What it shows.
    begin : int
        The minute, by number, that it shows first.
    moving : list of (int, callable)
        Traces that change: their number, and what turns the number of a minute into their properties.
    """

    figure: Any
    replay: Replay
    begin: int
    moving: list[tuple[int, Callable[[int], dict[str, Any]]]]

    def move(self, at: Callable[[int], dict[str, Any]], row: int, col: int, **properties: Any) -> None:
        """Add a trace that changes."""
        self.figure.add_scatter(**properties, **at(self.begin), row=row, col=col)
        self.moving.append((len(self.figure.data) - 1, at))


def _role(replay: Replay, gauge: str) -> str:
    """Say whether a gauge was used, in words: colours alone would not tell everybody."""
    return f"{gauge} ({'used' if gauge in replay.gauges_used else 'not used'})"


def _plain(values: Any, digits: int = 1) -> list[float | None]:
    """Return short numbers, for a small file; None where there is none."""
    return [round(value, digits) if np.isfinite(value) else None for value in np.ravel(values).tolist()]


def _add_map(stage: _Stage, recorded: Sequence[str]) -> None:
    """Draw the map, its unit sources coloured by slip on one scale."""
    from plotly.colors import sample_colorscale

    data = stage.replay.dataset
    slip, sources = data["slip"].to_numpy(), [str(name) for name in data["source"].to_numpy()]
    places = zip(recorded, data["observed_lon"].to_numpy().tolist(), data["observed_lat"].to_numpy().tolist())
    scene = _Scene("map", sources, [_Point(_role(stage.replay, name), lon, lat) for name, lon, lat in places])
    largest = float(np.nanmax(slip)) or 1.0
    base = map_figure(scene, dict(zip(sources, slip[stage.begin].tolist())), largest_m=largest)
    (points,) = base.select_traces({"marker.showscale": True})
    scale = [list(pair) for pair in points.marker.colorscale]
    outlines = iter(range(len(sources)))

    def fill(source: int) -> Callable[[int], dict[str, Any]]:
        def at(step: int) -> dict[str, Any]:
            share = np.nan_to_num(slip[step, source]) / largest
            return {"fillcolor": sample_colorscale(scale, [min(share, 1.0)])[0]}

        return at

    def words(step: int) -> dict[str, Any]:
        texts = [
            f"{name}<br>" + ("nothing sent yet" if np.isnan(value) else f"slip {value:.1f} m")
            for name, value in zip(sources, slip[step])
        ]
        return {"text": texts}

    for trace in base.data:
        stage.figure.add_trace(trace, row=1, col=1)
        place = len(stage.figure.data) - 1
        stage.figure.data[place].showlegend = False
        if trace.fill == "toself":
            stage.moving.append((place, fill(next(outlines))))
        elif trace == points:
            stage.moving.append((place, words))
            bar = {"x": 0.0, "xanchor": "left", "y": 1.0, "yanchor": "bottom", "len": 0.4, "ticks": "outside"}
            stage.figure.data[place].marker.colorbar.update(bar)
    _take_frame(stage.figure, base)


def _take_frame(figure: Any, base: Any) -> None:
    """Give the first axes of a figure the extent, ticks, sea and land of a map."""
    west, east = base.layout.xaxis.range
    south, north = base.layout.yaxis.range
    sea = {"type": "rect", "x0": west, "x1": east, "y0": south, "y1": north, "line_width": 0, "layer": "below"}
    figure.add_shape(**sea, fillcolor=base.layout.plot_bgcolor, xref="x", yref="y")
    for shape in base.layout.shapes:
        figure.add_shape(shape, xref="x", yref="y")
    figure.layout.xaxis.update(base.layout.xaxis.to_plotly_json())
    figure.layout.yaxis.update(base.layout.yaxis.to_plotly_json())
    figure.layout.yaxis.constraintoward = "top"


def _shown_times(replay: Replay, gauges: Sequence[str]) -> np.ndarray:
    """Choose the samples that panels show: to well after the last arrival, and not too many."""
    data = replay.dataset
    arrival_min = data["arrival_time"].isel(minute=-1).sel(gauge=list(gauges)).to_numpy() / 60
    last_min = max(np.nanmax(arrival_min, initial=0.0) + _AFTER_ARRIVAL_MIN, replay.minutes[-1] + _AFTER_MIN)
    shown = np.flatnonzero(data["time"].to_numpy() <= 60 * last_min)
    return shown[:: -(-len(shown) // _MOST_SAMPLES)]


def _add_records(stage: _Stage, gauge: str, row: int, shown: np.ndarray) -> None:
    """Draw what a gauge had recorded, and the forecast with its interval."""
    replay, data = stage.replay, stage.replay.dataset.isel(time=shown)
    minutes = data["time"].to_numpy() / 60
    model = 100 * data["sea_level"].sel(gauge=gauge).transpose("minute", "time").to_numpy()
    record = np.full(len(minutes), np.nan)
    if gauge in data["observed_gauge"]:
        record = 100 * data["observed"].sel(observed_gauge=gauge).to_numpy()
    sent_min = replay.minutes
    if gauge in replay.gauges_used:
        sent_min = data["last_sample"].sel(gauge_used=gauge).to_numpy() / 60
    legend = {"showlegend": row == 1}
    later: dict[str, Any] = {"name": "recorded later", "legendgroup": "later", "legendrank": 2} | legend
    stage.figure.add_scatter(x=_plain(minutes), y=_plain(record), mode="lines", row=row, col=2, **later)
    stage.figure.data[-1].line = {"color": _LATER, "width": 1}
    if "sea_level_low" in data:
        low, high = (
            100 * data[name].sel(gauge=gauge).transpose("minute", "time").to_numpy()
            for name in ("sea_level_low", "sea_level_high")
        )
        stage.move(
            lambda step: {"y": _plain([*low[step], *high[step][::-1]])},
            row,
            2,
            x=_plain([*minutes, *minutes[::-1]]),
            mode="lines",
            fill="toself",
            fillcolor=_MODEL_BAND,
            line={"width": 0},
            name="90 % interval",
            legendrank=4,
            legendgroup="interval",
            hoverinfo="skip",
            **legend,
        )
    moving: tuple[tuple[str, int, str, Callable[[int], np.ndarray]], ...] = (
        ("recorded so far", 1, _RECORDED, lambda step: np.where(minutes <= sent_min[step], record, np.nan)),
        ("forecast", 3, _MODEL, lambda step: model[step]),
    )
    for name, rank, colour, values in moving:
        stage.move(
            partial(_ordinates, values),
            row,
            2,
            x=_plain(minutes),
            mode="lines",
            line={"color": colour, "width": 1.6},
            name=name,
            legendrank=rank,
            legendgroup=name,
            **legend,
        )
    stage.figure.add_annotation(
        text=f"{_role(replay, gauge)}, cm",
        x=0.0,
        y=1.0,
        xref="x domain",
        yref="y domain",
        xanchor="left",
        yanchor="bottom",
        showarrow=False,
        row=row,
        col=2,
    )
    ends = _range(np.concatenate([record, _usual(model)]))
    _add_cursor(stage, row, 2, ends)
    stage.figure.update_yaxes(range=ends, row=row, col=2, **_AXIS)
    stage.figure.update_xaxes(range=[0.0, minutes[-1]], row=row, col=2, **_AXIS)


def _ordinates(values: Callable[[int], np.ndarray], step: int) -> dict[str, Any]:
    """Return the ordinates of a trace at a minute."""
    return {"y": _plain(values(step))}


def _usual(model: np.ndarray) -> np.ndarray:
    """Return lowest and highest levels of nine in ten minutes: the first ones can be far off."""
    known = model[np.isfinite(model).any(axis=1)]
    return np.array([np.quantile(np.nanmin(known, axis=1), 0.05), np.quantile(np.nanmax(known, axis=1), 0.95)])


def _range(values: np.ndarray) -> list[float]:
    """Return the ends of an axis around values."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = 0.1 * (high - low) or 1.0
    return [low - room, high + room]


def _add_cursor(stage: _Stage, row: int, col: int, ends: Sequence[float]) -> None:
    """Mark the minute that is shown."""
    stage.move(
        lambda step: {"x": [stage.replay.minutes[step]] * 2},
        row,
        col,
        y=list(ends),
        mode="lines",
        line={"color": _CURSOR, "width": 1, "dash": "dot"},
        hoverinfo="skip",
        showlegend=False,
    )


def _add_magnitude(stage: _Stage, row: int, reference: float | None) -> None:
    """Draw the magnitude against time, with a mark at the minute that is shown."""
    data, minutes = stage.replay.dataset, stage.replay.minutes
    magnitude = np.where(np.isfinite(data["magnitude"].to_numpy()), data["magnitude"].to_numpy(), np.nan)
    seen = [magnitude]
    if "magnitude_quantile" in data:
        spread = data["magnitude_quantile"].transpose("quantile", "minute").to_numpy()[[0, -1]]
        low, high = np.where(np.isfinite(spread), spread, np.nan)
        known = np.isfinite(low) & np.isfinite(high)
        stage.figure.add_scatter(
            x=_plain([*minutes[known], *minutes[known][::-1]]),
            y=_plain([*low[known], *high[known][::-1]], 3),
            row=row,
            col=1,
        )
        stage.figure.data[-1].update(mode="lines", fill="toself", fillcolor=_MAGNITUDE_BAND, line_width=0)
        stage.figure.data[-1].update(hoverinfo="skip", showlegend=False)
        seen += [low, high]
    stage.figure.add_scatter(x=_plain(minutes), y=_plain(magnitude, 3), row=row, col=1)
    stage.figure.data[-1].update(mode="lines", line={"color": _MAGNITUDE, "width": 2}, name="Mw", showlegend=False)
    if reference is not None:
        seen.append(np.array([reference]))
        stage.figure.add_hline(reference, line={"color": _RECORDED, "width": 1, "dash": "dash"}, row=row, col=1)
    ends = _range(np.concatenate(seen)) if np.isfinite(np.concatenate(seen)).any() else [0.0, 10.0]
    _add_cursor(stage, row, 1, ends)

    def mark(step: int) -> dict[str, Any]:
        known = bool(np.isfinite(magnitude[step]))
        text = f" Mw {magnitude[step]:.2f}" if known else ""
        return {"x": [minutes[step]], "y": _plain(magnitude[[step]], 3), "text": [text]}

    stage.move(
        mark,
        row,
        1,
        mode="markers+text",
        textposition="bottom right" if len(minutes) > 1 else "top center",
        marker={"color": _MAGNITUDE, "size": 9, "line": {"color": "white", "width": 1}},
        hoverinfo="skip",
        showlegend=False,
        cliponaxis=False,
    )
    stage.figure.update_yaxes(title="Mw", range=ends, row=row, col=1, **_AXIS)
    stage.figure.update_xaxes(title=_TIME, range=[0.0, 1.12 * minutes[-1]], row=row, col=1, **_AXIS)


def _finish(figure: Any, panels_px: int, begin: int) -> None:
    """Lay out the figure, with a slider over its frames and buttons that play and stop them."""
    at_once = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}}
    play = {"frame": {"duration": _FRAME_MS, "redraw": True}, "transition": {"duration": 0}, "fromcurrent": True}
    slider = {
        "active": begin,
        "currentvalue": {"prefix": "minutes after the earthquake: ", "font": {"size": 14}},
        "pad": {"t": 60},
        "x": 0.16,
        "len": 0.84,
        "steps": [{"label": each.name, "method": "animate", "args": [[each.name], at_once]} for each in figure.frames],
    }
    buttons = {
        "type": "buttons",
        "direction": "left",
        "showactive": False,
        "x": 0.0,
        "xanchor": "left",
        "y": 0.0,
        "yanchor": "top",
        "pad": {"t": 85},
        "buttons": [
            {"label": "play", "method": "animate", "args": [None, play]},
            {"label": "stop", "method": "animate", "args": [[None], at_once]},
        ],
    }
    figure.update_layout(
        template="plotly_white",
        paper_bgcolor="white",
        height=panels_px + _ABOVE + _BELOW,
        margin={"l": 58, "r": 14, "t": _ABOVE, "b": _BELOW},
        font={"size": 12, "color": "#1b1f24"},
        legend={"orientation": "h", "x": 1.0, "xanchor": "right", "y": 1.0 + 72 / panels_px, "yanchor": "bottom"},
        hovermode="closest",
        sliders=[slider],
        updatemenus=[buttons],
    )
