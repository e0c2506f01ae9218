"""Figures: functions that take arrays and matplotlib axes, draw, and return the axes.

They compute nothing, show nothing and keep no global state; matplotlib is imported when a figure is drawn. Axes
that are not given are made on a figure of their own, which :func:`save_figure` writes. Colours are those of Okabe
and Ito, which colour-blind readers can tell apart.
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from slipcast import maps
from slipcast.errors import InputError
from slipcast.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "gauge_traces",
    "plot_bank",
    "plot_forecast",
    "plot_history",
    "plot_max_amplitude",
    "plot_pacific",
    "plot_records",
    "plot_region",
    "plot_slip",
    "save_figure",
]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Colours of methods and models, in order of use."""

_DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (5, 1.5, 1.5, 1.5)), (0, (7, 3)), (0, (3, 2)))
_STYLE = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.axisbelow": True,
}
_LAND, _SEA, _COAST, _SOURCE, _DART = "#dcdcd6", "#eaf2f8", "#5a5a5a", "#D55E00", "#111111"
_DEPTHS_M = (0, 200, 1000, 2000, 3000, 4000, 5000, 6000, 7000)
_LABEL_SIZE = 7.0


def _make_axes(width_in: float, height_in: float, rows: int = 1, columns: int = 1, **options) -> np.ndarray:
    """Make a figure that no global state knows of, and its axes, shape (rows, columns)."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        FigureCanvasAgg(figure)
        return figure.subplots(rows, columns, squeeze=False, **options)


def _one_axes(ax: Axes | None, width_in: float, height_in: float) -> Axes:
    """Return the axes given, or new ones."""
    return _make_axes(width_in, height_in)[0, 0] if ax is None else ax


def _many_axes(axes: Any, count: int, width_in: float, height_in: float, columns: int, **options) -> np.ndarray:
    """Return the ``count`` axes given, or new ones in rows of ``columns``, those left over hidden."""
    if axes is None:
        made = _make_axes(width_in, height_in, -(-count // columns), columns, **options).ravel()
        for spare in made[count:]:
            spare.set_visible(False)
        return made[:count]
    given = np.ravel(np.asarray(axes, dtype=object))
    if len(given) != count:
        raise InputError(f"axes must be one for each of {count} panels, got {len(given)}")
    return given


def _array(values: Any, shape: tuple[int, ...], argument: str, meaning: str) -> np.ndarray:
    """Return an array of a shape, or say which argument has another."""
    array = np.asarray(values, dtype=float)
    if array.shape != shape:
        raise InputError(f"{argument} must have shape {shape} ({meaning}), got {array.shape}")
    return array


def save_figure(figure: Figure | Axes | np.ndarray, path: str | os.PathLike, *, dpi: float = 150) -> None:
    """Write a figure as PNG, whole or not at all, and close it.

    Parameters
    ----------
    figure : Figure, Axes or array of Axes
        What a function of this module returned, or the figure it is on.
    path : path
        The target; PNG whatever its suffix.
    dpi : float, optional
        Dots an inch.

    Raises
    ------
    InputError
        If the target cannot be written.
    """
    first = np.ravel(np.asarray(figure, dtype=object))[0]
    canvas_figure = getattr(first, "figure", None) or first
    with atomic_path(path) as temporary:
        canvas_figure.savefig(temporary, format="png", dpi=dpi)
    # only pyplot keeps figures open; where nobody imported it there is nothing to close
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        pyplot.close(canvas_figure)


def _draw_map(ax: Axes, extent: maps.Extent, *, depth: bool) -> None:
    """Draw land, coast, the sea floor if wanted, and the frame of a map."""
    lon, lat, depth_m = maps.sea_depth(extent)
    ax.set_facecolor(_SEA)
    if depth:
        from matplotlib import colormaps

        shades = colormaps["Blues"](np.linspace(0.06, 0.62, len(_DEPTHS_M)))
        filled = ax.contourf(lon, lat, depth_m, levels=_DEPTHS_M, colors=shades, extend="max", zorder=0.5)
        bar = ax.figure.colorbar(filled, ax=ax, shrink=0.6, pad=0.02, aspect=28, spacing="uniform")
        bar.set_label("water depth (m)")
    ax.contourf(lon, lat, depth_m, levels=[-1e5, 0.0], colors=[_LAND], zorder=0.8)
    ax.contour(lon, lat, depth_m, levels=[0.0], colors=[_COAST], linewidths=0.5, zorder=0.9)
    ax.set_xlim(extent.west, extent.east)
    ax.set_ylim(extent.south, extent.north)
    ax.set_aspect(extent.aspect)
    ax.xaxis.set_major_formatter(lambda value, _: maps.longitude_label(value))
    ax.yaxis.set_major_formatter(lambda value, _: maps.latitude_label(value))
    ax.locator_params(axis="both", nbins=7, steps=[1, 2, 3, 5, 10], min_n_ticks=3)
    ax.set_xlabel("longitude")
    ax.set_ylabel("latitude")


def _type_points(ax: Axes, extent: maps.Extent) -> tuple[float, float]:
    """Estimate how many points of type a degree of longitude and of latitude take on a map."""
    box = ax.get_window_extent()
    scale = 72.0 / ax.figure.dpi
    per_lat = scale * min(
        box.width / (extent.east - extent.west) * extent.aspect, box.height / (extent.north - extent.south)
    )
    return per_lat / extent.aspect, per_lat


def _draw_gauges(ax: Axes, extent: maps.Extent, gauges: Sequence[tuple[str, str, float, float]]) -> None:
    """Draw gauges (name, kind, lon, lat): DARTs as triangles, forecast points as circles, with labels."""
    per_lon, per_lat = _type_points(ax, extent)
    groups: list[tuple[list[str], str, np.ndarray]] = []
    for name, kind, lon, lat in gauges:
        at = np.array([(extent.wrap(lon) - extent.west) * per_lon, (lat - extent.south) * per_lat])
        for names, other_kind, other in groups:
            if kind == other_kind and np.hypot(*(at - other)) < 6.0:
                names.append(name)
                break
        else:
            groups.append(([name], kind, at))
    for kind, marker, size, colour in (("dart", "^", 38, _DART), ("forecast", "o", 20, COLOURS[0])):
        points = [(extent.wrap(lon), lat) for _, k, lon, lat in gauges if k == kind]
        if points:
            style = {"s": size, "c": colour, "edgecolors": "white", "linewidths": 0.6, "zorder": 4}
            label = "DART" if kind == "dart" else "forecast point"
            ax.scatter(*np.transpose(points), marker=marker, label=label, **style)
    if not groups:
        return
    texts = [", ".join(names) for names, _, _ in groups]
    sides = maps.place_labels(
        np.array([at for _, _, at in groups]),
        np.array([(0.6 * _LABEL_SIZE * len(text), 1.25 * _LABEL_SIZE) for text in texts]),
        frame=((extent.east - extent.west) * per_lon, (extent.north - extent.south) * per_lat),
        first_side=["left" if kind == "dart" else "right" for _, kind, _ in groups],
        gap=4.0,
    )
    for (_, _, at), text, side in zip(groups, texts, sides):
        _write_beside(ax, (extent.west + at[0] / per_lon, extent.south + at[1] / per_lat), text, side)


def _write_beside(ax: Axes, at: tuple[float, float], text: str, side: str) -> None:
    """Write a label on a side of a point, with a white rim that keeps it readable on any ground."""
    from matplotlib.patheffects import withStroke

    right = 1 if "right" in side else -1 if "left" in side else 0
    above = 1 if "above" in side else -1 if "below" in side else 0
    gap = 3.2 if right and above else 4.5
    ax.annotate(
        text,
        at,
        xytext=(gap * right, gap * above),
        textcoords="offset points",
        ha={1: "left", -1: "right", 0: "center"}[right],
        va={1: "bottom", -1: "top", 0: "center"}[above],
        fontsize=_LABEL_SIZE,
        path_effects=[withStroke(linewidth=2.0, foreground="white", alpha=0.85)],
        zorder=5,
        annotation_clip=True,
    )


def _draw_sources(ax: Axes, outlines: np.ndarray, **style) -> Any:
    """Draw unit sources as rectangles."""
    from matplotlib.collections import PolyCollection

    return ax.add_collection(PolyCollection(list(outlines), zorder=2, **style), autolim=False)


def _legend_below(ax: Axes, columns: int = 4, **options) -> None:
    """Put the legend under the axes, where it covers nothing."""
    options = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.13), "frameon": False, "fontsize": 7.5} | options
    ax.legend(ncols=columns, **options)


def plot_region(region: maps.RegionLike, *, ax: Axes | None = None) -> Axes:
    """Draw the map of a region: sea floor, unit sources, DARTs and forecast points near them.

    Parameters
    ----------
    region : Region
        Its far gauges (see :func:`slipcast.maps.split_gauges`) are those of :func:`plot_pacific`.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    ax : Axes
    """
    near, _ = maps.split_gauges(region)
    outlines = maps.source_outlines(region.sources)
    extent = maps.extent_around(
        [*outlines[..., 0].ravel(), *(g.lon for g in near)],
        [*outlines[..., 1].ravel(), *(g.lat for g in near)],
        margin_deg=1.0,
    )
    ax = _one_axes(ax, 6.6, 8.0)
    _draw_map(ax, extent, depth=True)
    outlines[..., 0] = extent.wrap(outlines[..., 0])
    _draw_sources(
        ax, outlines, facecolors="#D55E0026", edgecolors=_SOURCE, linewidths=0.7, label="unit source"
    )
    per_lon, per_lat = _type_points(ax, extent)
    sides_pt = np.hypot(*((outlines[:, 2] - outlines[:, 1]) * (per_lon, per_lat)).T)
    if sides_pt.min() > 12.0:
        for name, middle in zip(region.sources, outlines.mean(axis=1)):
            ax.text(
                *middle,
                maps.short_name(name),
                fontsize=5.5,
                color="#7a3500",
                ha="center",
                va="center",
                zorder=3,
                clip_on=True,
            )
    _draw_gauges(ax, extent, [(g.name, g.kind, g.lon, g.lat) for g in near])
    ax.set_title(f"{region.title or region.name}: {len(region.sources)} unit sources")
    _legend_below(ax, 3, bbox_to_anchor=(0.5, -0.06))
    return ax


def plot_pacific(region: maps.RegionLike, *, ax: Axes | None = None) -> Axes:
    """Draw the map of the far gauges of a region, with its unit sources.

    Parameters
    ----------
    region : Region
        With at least one far gauge (see :func:`slipcast.maps.split_gauges`).
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    ax : Axes

    Raises
    ------
    InputError
        If the region has no far gauge.
    """
    _, far = maps.split_gauges(region)
    if not far:
        raise InputError(f"region {region.name} has no far gauge; plot_region shows all it has")
    outlines = maps.source_outlines(region.sources)
    extent = maps.extent_around(
        [*outlines[..., 0].ravel(), *(g.lon for g in far)],
        [*outlines[..., 1].ravel(), *(g.lat for g in far)],
        margin_deg=8.0,
    )
    ax = _one_axes(ax, 7.2, 4.8)
    _draw_map(ax, extent, depth=True)
    outlines[..., 0] = extent.wrap(outlines[..., 0])
    _draw_sources(
        ax, outlines, facecolors="#D55E0080", edgecolors=_SOURCE, linewidths=0.4, label="unit source"
    )
    _draw_gauges(ax, extent, [(g.name, g.kind, g.lon, g.lat) for g in far])
    ax.set_title(f"{region.title or region.name}: far gauges")
    _legend_below(ax, 3)
    return ax


def plot_slip(
    sources: Sequence[str],
    slip_m: Any,
    *,
    magnitude: float | None = None,
    gauges: Mapping[str, tuple[float, float]] | None = None,
    title: str = "",
    note: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw slip on unit sources as a map.

    Parameters
    ----------
    sources : sequence of str
        Unit sources, at least one.
    slip_m : array, shape (n_sources,)
        Slip, m, finite and >= 0.
    magnitude : float, optional
        Moment magnitude, for the title.
    gauges : mapping of name to (lon, lat), optional
        The DARTs that were used, degrees; all of them are on the map, so leave out those an ocean away.
    title : str, optional
        What slip this is.
    note : str, optional
        A caution that the reader must see, in a box under the map.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    ax : Axes

    Raises
    ------
    InputError
        If a source does not exist, the lengths differ, or a slip is negative or not finite.
    """
    slip = _array(slip_m, (len(sources),), "slip_m", "one value for each of sources")
    if (bad := ~(slip >= 0) | np.isinf(slip)).any():
        first = int(np.argmax(bad))
        raise InputError(f"slip_m must be finite and >= 0 m, got {slip[first]:g} for {sources[first]}")
    points = dict(gauges or {})
    outlines = maps.source_outlines(sources)
    extent = maps.extent_around(
        [*outlines[..., 0].ravel(), *(lon for lon, _ in points.values())],
        [*outlines[..., 1].ravel(), *(lat for _, lat in points.values())],
        margin_deg=1.0,
    )
    ax = _one_axes(ax, 5.4, 6.4)
    _draw_map(ax, extent, depth=False)
    outlines[..., 0] = extent.wrap(outlines[..., 0])
    filled = _draw_sources(ax, outlines, array=slip, cmap="YlOrRd", edgecolors="#444444", linewidths=0.4)
    filled.set_clim(0.0, slip.max() or 1.0)
    ax.figure.colorbar(filled, ax=ax, shrink=0.7, pad=0.02, aspect=28).set_label("slip (m)")
    _draw_gauges(ax, extent, [(name, "dart", lon, lat) for name, (lon, lat) in points.items()])
    strength = "" if magnitude is None else f"$M_w$ {magnitude:.2f}"
    ax.set_title(": ".join(part for part in (title, strength) if part))
    if note:
        _write_note(ax, note)
    return ax


def _write_note(ax: Axes, note: str) -> None:
    """Write a caution in a box under the axes."""
    ax.annotate(
        textwrap.fill(note, 62),
        (0.5, 0.0),
        xycoords="axes fraction",
        xytext=(0, -36),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=7.5,
        bbox={"boxstyle": "round,pad=0.5", "facecolor": "#fff6d6", "edgecolor": "#b58900", "linewidth": 0.6},
    )


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
        str(name): _array(series, (n_times,), f"{what} at gauge {name}", "one value for each of time_s")
        for name, series in values.items()
    }


def model_traces(
    modelled: Mapping[str, Any] | None, gauges: Sequence[str], n_times: int
) -> dict[str, dict[str, np.ndarray]]:
    """Return modelled series by label and gauge; every model must have every observed gauge."""
    models = {
        label: gauge_traces(values, n_times, what=f"modelled {label!r}")
        for label, values in (modelled or {}).items()
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
    title: str = "",
    axes: Any = None,
) -> np.ndarray:
    """Draw records at DARTs and what models make of them, one panel a gauge.

    Parameters
    ----------
    time_s : array, shape (n_times,)
        Seconds since the origin.
    observed : mapping of gauge to array (n_times,), or xarray.DataArray (gauge, time)
        Sea level, m; a gap where NaN.
    modelled : mapping of label to the same, optional
        Models, each with every observed gauge; other gauges of theirs are not drawn.
    window_min : float, optional
        Minutes after the origin that the inversion used; shaded.
    title : str, optional
        Above all panels.
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
    own = axes is None
    axes = _many_axes(axes, len(records), 6.8, 1.1 + 1.45 * len(records), 1, sharex=True)
    largest_m = max([0.0, *(np.abs(v[np.isfinite(v)]).max(initial=0.0) for v in records.values())])
    unit, scale = ("cm", 100.0) if largest_m < 1.0 else ("m", 1.0)
    for ax, (name, series) in zip(axes, records.items()):
        if window_min is not None:
            ax.axvspan(0.0, window_min, color="#f3e9c9", lw=0, zorder=0, label=f"window, {window_min:g} min")
        ax.axhline(0.0, color="#999999", lw=0.5, zorder=1)
        ax.plot(minutes, scale * series, color="black", lw=1.2, label="observed", zorder=3)
        for i, (label, traces) in enumerate(models.items()):
            style = {"color": COLOURS[i % len(COLOURS)], "linestyle": _DASHES[i % len(_DASHES)]}
            ax.plot(minutes, scale * traces[name], lw=1.2, label=label, zorder=4, **style)
        ax.set_ylabel(f"sea level ({unit})")
        ax.set_title(f"DART {name}", loc="left", fontsize=8)
        ax.margins(x=0)
    axes[-1].set_xlabel("time after the earthquake (min)")
    _legend_below(axes[-1], 4, bbox_to_anchor=(0.5, -0.32))
    if own and title:
        axes[0].figure.suptitle(title, fontsize=9)
    return axes
