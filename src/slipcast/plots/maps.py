"""Maps: a region with its gauges, and slip on its unit sources."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from slipcast.errors import InputError
from slipcast.plots import geography
from slipcast.plots.canvas import (
    COLOURS,
    TITLE_SIZE,
    below_axes,
    check_array,
    colour_bar,
    legend_below,
    single_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_pacific", "plot_region", "plot_slip"]

_LAND, _SEA, _COAST, _SOURCE, _DART = "#dcdcd6", "#eaf2f8", "#5a5a5a", "#D55E00", "#111111"
_DEPTHS_M = (0, 200, 1000, 2000, 3000, 4000, 5000, 6000, 7000)
_LABEL_SIZE = 7.0


_Point = tuple[str, str, float, float]
"""Name, kind, longitude and latitude of a gauge."""


def _draw_map(ax: Axes, extent: geography.Extent, *, depth: bool) -> None:
    """Draw land, coast, the sea floor if wanted, and the frame of a map."""
    lon, lat, depth_m = geography.sea_depth(extent)
    ax.set_facecolor(_SEA)
    if depth:
        from matplotlib import colormaps

        shades = colormaps["Blues"](np.linspace(0.06, 0.62, len(_DEPTHS_M)))
        filled = ax.contourf(lon, lat, depth_m, levels=_DEPTHS_M, colors=shades, extend="max", zorder=0.5)
        colour_bar(ax, filled, "water depth (m)")
    ax.contourf(lon, lat, depth_m, levels=[-1e5, 0.0], colors=[_LAND], zorder=0.8)
    ax.contour(lon, lat, depth_m, levels=[0.0], colors=[_COAST], linewidths=0.5, zorder=0.9)
    ax.set_xlim(extent.west, extent.east)
    ax.set_ylim(extent.south, extent.north)
    ax.set_aspect(extent.aspect)
    ax.xaxis.set_major_formatter(lambda value, _: geography.longitude_label(value))
    ax.yaxis.set_major_formatter(lambda value, _: geography.latitude_label(value))
    ax.locator_params(axis="both", nbins=7, steps=[1, 2, 3, 5, 10], min_n_ticks=3)
    ax.set_xlabel("longitude")
    ax.set_ylabel("latitude")


def _page(extent: geography.Extent, largest_in: float) -> tuple[float, float]:
    """Return width and height of a figure, in, that a map with its bar and legend fills."""
    width, height = (extent.east - extent.west) / extent.aspect, extent.north - extent.south
    scale = min((largest_in - 1.0) / height, 5.6 / width)
    return scale * width + 1.6, scale * height + 1.1


def _type_points(ax: Axes) -> np.ndarray:
    """Return how many points of type a degree of longitude and of latitude take on a map."""
    # the layout, and so the size of the axes, is settled only by drawing
    ax.figure.draw_without_rendering()  # type: ignore[union-attr]
    box = ax.get_window_extent()
    (west, east), (south, north) = ax.get_xlim(), ax.get_ylim()
    return 72.0 / ax.figure.dpi * np.array([box.width / (east - west), box.height / (north - south)])


def _draw_gauges(ax: Axes, extent: geography.Extent, gauges: Sequence[_Point]) -> None:
    """Draw DARTs as triangles and forecast points as circles."""
    for kind, marker, size, colour in (("dart", "^", 38, _DART), ("forecast", "o", 20, COLOURS[0])):
        points = [(extent.wrap(lon), lat) for _, k, lon, lat in gauges if k == kind]
        if points:
            style: dict[str, Any] = {"s": size, "c": colour, "edgecolors": "white", "linewidths": 0.6}
            label = "DART" if kind == "dart" else "forecast point"
            ax.scatter(*np.transpose(points), marker=marker, label=label, zorder=4, **style)


def _label_gauges(
    ax: Axes, extent: geography.Extent, gauges: Sequence[_Point], outlines: np.ndarray, scale: np.ndarray
) -> None:
    """Write the names of gauges where they cover neither each other nor unit sources."""
    corner = np.array([extent.west, extent.south])
    groups: list[tuple[list[str], str, np.ndarray]] = []
    for name, kind, lon, lat in gauges:
        at = ((extent.wrap(lon), lat) - corner) * scale
        # gauges too near each other for two labels share one
        shared = (names for names, k, other in groups if k == kind and np.hypot(*(at - other)) < 6.0)
        if (names := next(shared, None)) is not None:
            names.append(name)
        else:
            groups.append(([name], kind, at))
    texts = [", ".join(names) for names, _, _ in groups]
    rings = (outlines - corner) * scale
    middles = geography.place_labels(
        np.array([at for _, _, at in groups]).reshape(-1, 2),
        np.array([(0.6 * _LABEL_SIZE * len(text), 1.25 * _LABEL_SIZE) for text in texts]).reshape(-1, 2),
        frame=((extent.east - extent.west) * scale[0], (extent.north - extent.south) * scale[1]),
        first_side=["left" if kind == "dart" else "right" for _, kind, _ in groups],
        radius=4.5,
        taken=np.hstack([rings.min(axis=1), rings.max(axis=1)]),
    )
    for (_, _, at), text, middle in zip(groups, texts, middles):
        _write_label(ax, at / scale + corner, text, middle - at)


def _write_label(ax: Axes, at: np.ndarray, text: str, offset: np.ndarray) -> None:
    """Write a label beside a point, with a white rim against the ground and a line if it stands far off."""
    from matplotlib.patheffects import withStroke

    half = 0.3 * _LABEL_SIZE * len(text)
    side = 0 if abs(offset[0]) < half else int(np.sign(offset[0]))
    # aligned by the end that faces the point, since the width of the text is only estimated
    start = (offset[0] - side * half, offset[1])
    far = np.hypot(*start) > 10.0 + (abs(offset[1]) if side == 0 else 0.0)
    ax.annotate(
        text,
        (float(at[0]), float(at[1])),
        xytext=start,
        textcoords="offset points",
        ha={1: "left", -1: "right", 0: "center"}[side],
        va="center",
        fontsize=_LABEL_SIZE,
        path_effects=[withStroke(linewidth=2.0, foreground="white", alpha=0.85)],
        arrowprops={"arrowstyle": "-", "lw": 0.5, "color": "#333333", "shrinkA": 0, "shrinkB": 3} if far else None,
        zorder=5,
        annotation_clip=True,
    )


def _draw_sources(ax: Axes, outlines: np.ndarray, **style) -> Any:
    """Draw unit sources as rectangles."""
    from matplotlib.collections import PolyCollection

    return ax.add_collection(PolyCollection(list(outlines), zorder=2, **style), autolim=False)


def _write_source_names(
    ax: Axes,
    extent: geography.Extent,
    sources: Sequence[str],
    outlines: np.ndarray,
    gauges: Sequence[_Point],
    scale: np.ndarray,
) -> None:
    """Write short names into unit sources that are large enough, clear of gauges and their lines."""
    from matplotlib.patheffects import withStroke

    if np.hypot(*((outlines[:, 2] - outlines[:, 1]) * scale).T).min() < 10.0:
        return
    points = np.array([(extent.wrap(lon), lat) for _, _, lon, lat in gauges]).reshape(-1, 2)
    for name, (lon, lat) in zip(sources, outlines.mean(axis=1)):
        away = ((lon, lat) - points) * scale
        close = away[(np.abs(away[:, 1]) < 5.0) & (away[:, 0] > -9.0) & (away[:, 0] < 36.0)]
        shift = 0.0 if not len(close) else 6.0 if close[0, 1] >= 0 else -6.0
        ax.annotate(
            geography.short_name(name),
            (lon, lat),
            xytext=(0.0, shift),
            textcoords="offset points",
            fontsize=5,
            color="#7a3500",
            ha="center",
            va="center",
            path_effects=[withStroke(linewidth=1.0, foreground="white", alpha=0.6)],
            zorder=3,
            annotation_clip=True,
        )


def plot_region(region: geography.RegionLike, *, ax: Axes | None = None) -> Axes:
    """Draw the map of a region: sea floor, unit sources, DARTs and forecast points near them.

    Parameters
    ----------
    region : Region
        Its far gauges (see :func:`slipcast.plots.geography.split_gauges`) are those of :func:`plot_pacific`.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    ax : Axes
    """
    near, _ = geography.split_gauges(region)
    outlines = geography.source_outlines(region.sources)
    extent = geography.extent_around(
        [*outlines[..., 0].ravel(), *(g.lon for g in near)],
        [*outlines[..., 1].ravel(), *(g.lat for g in near)],
        margin_deg=1.5,
        least_width=0.62,
    )
    ax = single_axes(ax, *_page(extent, 7.6))
    _draw_map(ax, extent, depth=True)
    outlines[..., 0] = extent.wrap(outlines[..., 0])
    _draw_sources(ax, outlines, facecolors="#D55E0026", edgecolors=_SOURCE, linewidths=0.7, label="unit source")
    gauges = [(g.name, g.kind, g.lon, g.lat) for g in near]
    _draw_gauges(ax, extent, gauges)
    ax.set_title(f"{region.title or region.name}: {len(region.sources)} unit sources", fontsize=TITLE_SIZE)
    legend_below(ax, 3)
    scale = _type_points(ax)
    _write_source_names(ax, extent, region.sources, outlines, gauges, scale)
    _label_gauges(ax, extent, gauges, outlines, scale)
    return ax


def plot_pacific(region: geography.RegionLike, *, ax: Axes | None = None) -> Axes:
    """Draw the map of the far gauges of a region, with its unit sources.

    Parameters
    ----------
    region : Region
        With at least one far gauge (see :func:`slipcast.plots.geography.split_gauges`).
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
    _, far = geography.split_gauges(region)
    if not far:
        raise InputError(f"region {region.name} has no far gauge; plot_region shows all it has")
    outlines = geography.source_outlines(region.sources)
    extent = geography.extent_around(
        [*outlines[..., 0].ravel(), *(g.lon for g in far)],
        [*outlines[..., 1].ravel(), *(g.lat for g in far)],
        margin_deg=8.0,
    )
    ax = single_axes(ax, *_page(extent, 5.4))
    _draw_map(ax, extent, depth=True)
    outlines[..., 0] = extent.wrap(outlines[..., 0])
    _draw_sources(ax, outlines, facecolors="#D55E0080", edgecolors=_SOURCE, linewidths=0.4, label="unit source")
    gauges = [(g.name, g.kind, g.lon, g.lat) for g in far]
    _draw_gauges(ax, extent, gauges)
    ax.set_title(f"{region.title or region.name}: far gauges", fontsize=TITLE_SIZE)
    legend_below(ax, 3)
    _label_gauges(ax, extent, gauges, outlines, _type_points(ax))
    return ax


def plot_slip(
    sources: Sequence[str],
    slip_m: Any,
    *,
    magnitude: float | None = None,
    gauges: Mapping[str, tuple[float, float]] | None = None,
    title: str = "",
    subtitle: str = "",
    note: str = "",
    largest_m: float | None = None,
    bar: bool = True,
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
    subtitle : str, optional
        A second line.
    note : str, optional
        A caution that the reader must see, in a box under the map.
    largest_m : float, optional
        End of the colours, m, for maps to be compared; by default the largest slip.
    bar : bool, optional
        Put a colour bar beside the map.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    ax : Axes

    Raises
    ------
    InputError
        If there is no source, one does not exist, the lengths differ, or a slip is negative or not finite.
    """
    if not len(sources):
        raise InputError("sources must have at least one unit source, got none")
    slip = check_array(slip_m, (len(sources),), "slip_m", "one value for each of sources")
    if (bad := ~(slip >= 0) | np.isinf(slip)).any():
        first = int(np.argmax(bad))
        raise InputError(f"slip_m must be finite and >= 0 m, got {slip[first]:g} for {sources[first]}")
    points = [(name, "dart", lon, lat) for name, (lon, lat) in (gauges or {}).items()]
    outlines = geography.source_outlines(sources)
    extent = geography.extent_around(
        [*outlines[..., 0].ravel(), *(point[2] for point in points)],
        [*outlines[..., 1].ravel(), *(point[3] for point in points)],
        margin_deg=1.5,
        least_width=0.62,
    )
    ax = single_axes(ax, *_page(extent, 6.2))
    _draw_map(ax, extent, depth=False)
    outlines[..., 0] = extent.wrap(outlines[..., 0])
    filled = _draw_sources(ax, outlines, label="slip", array=slip, cmap="YlOrRd", edgecolors="#444444", linewidths=0.4)
    filled.set_clim(0.0, (slip.max() if largest_m is None else largest_m) or 1.0)
    if bar:
        colour_bar(ax, filled, "slip (m)")
    _draw_gauges(ax, extent, points)
    strength = "" if magnitude is None else _strength(magnitude)
    heading = ": ".join(part for part in (title, strength) if part)
    ax.set_title("\n".join(part for part in (heading, subtitle) if part), fontsize=TITLE_SIZE)
    if note:
        _write_note(ax, note)
    _label_gauges(ax, extent, points, outlines, _type_points(ax))
    return ax


def _write_note(ax: Axes, note: str) -> None:
    """Write a caution in a box under the axes."""
    from matplotlib.offsetbox import AnchoredText

    box = AnchoredText(
        textwrap.fill(note, 62),
        loc="upper center",
        pad=0.5,
        borderpad=0.0,
        prop={"size": 7.5, "ha": "left"},
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=below_axes(ax),
    )
    box.patch.set(facecolor="#fff6d6", edgecolor="#b58900", linewidth=0.6)
    ax.add_artist(box)


def _strength(magnitude: float) -> str:
    """Word a magnitude; that of no slip is minus infinity."""
    return f"$M_w$ {magnitude:.2f}" if np.isfinite(magnitude) else "no slip"
