"""Raw records of bottom pressure: tide removed, residual, and samples that failed quality control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from slipcast.errors import InputError, unknown_name
from slipcast.plots.canvas import COLOURS, TITLE_SIZE, check_array, legend_below, many_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_raw_records"]

_MARKERS = ("s", "^", "D", "v", "o", "p", "h", "8")
_MARKER_COLOURS = (COLOURS[3], COLOURS[1], COLOURS[2], COLOURS[5], COLOURS[4])
_SHADE = "#f6efdb"
_LONGEST_LINE_H = 0.35
# levels farther from their median are not of the sea, and would flatten the tide
_FARTHEST_M = 10.0


def plot_raw_records(
    time_s: Any,
    height_m: Any,
    tide_m: Any,
    sea_level_m: Any,
    flags: Any,
    *,
    gauges: Sequence[str],
    masks: Mapping[str, int],
    shaking: Mapping[str, tuple[float, float] | None] | None = None,
    hours: tuple[float, float] | None = None,
    origin_label: str = "",
    title: str = "",
    axes: Any = None,
) -> np.ndarray:
    """Draw raw records with their tide, and beside each the residual with the flagged samples marked.

    Parameters
    ----------
    time_s : array, shape (n_times,)
        Seconds since the origin.
    height_m : array, shape (n_gauges, n_times)
        Height of the water column, m; NaN where a gauge has no sample.
    tide_m : array, shape (n_gauges, n_times)
        Tide of the same water column, m; NaN where it is not known.
    sea_level_m : array, shape (n_gauges, n_times)
        Residual, m; NaN where a sample is missing or failed quality control. The vertical axes fit it.
    flags : array of integers, shape (n_gauges, n_times)
        Sum of the bits in ``masks`` of the tests that a sample fails. Each is marked at height less tide, or at the
        edge of the panel where that is beyond.
    gauges : sequence of str
        Names, from top to bottom.
    masks : mapping of str to int
        Bit of each test, by name; at most 8.
    shaking : mapping of gauge to (first, last) or None, optional
        Spans of shaking, s since the origin; shaded.
    hours : tuple of float, optional
        First and last hour since the origin to draw; by default all.
    origin_label : str, optional
        What the time counts from; by default "the earthquake".
    title : str, optional
        Above the first panels.
    axes : array of Axes, optional
        Two for each gauge, those of a gauge beside each other.

    Returns
    -------
    axes : array of Axes, shape (n_gauges, 2)
        Of raw levels less their median, and of the residual.

    Raises
    ------
    InputError
        If there is no gauge, shapes differ, a flag has a bit that no test has, shaking is of an unknown gauge, there
        are more than 8 tests, or ``hours`` do not rise.
    """
    time_h = np.asarray(time_s, dtype=float) / 3600.0
    shape = (len(gauges), time_h.size)
    height, tide, level = (
        check_array(values, shape, name, "gauges by time_s")
        for name, values in (("height_m", height_m), ("tide_m", tide_m), ("sea_level_m", sea_level_m))
    )
    bits = _checked_flags(flags, shape, masks)
    first_h, last_h = _checked_hours(hours, time_h)
    spans = {
        name: (begins, ends)
        for name, (begins, ends) in _checked_spans(shaking, gauges).items()
        if begins <= last_h and ends >= first_h
    }
    if not gauges:
        raise InputError("gauges must name at least one, got none")
    shown = (time_h >= first_h) & (time_h <= last_h)
    time_h, height, tide, level, bits = time_h[shown], height[:, shown], tide[:, shown], level[:, shown], bits[:, shown]
    largest_m = np.abs(level[np.isfinite(level)]).max(initial=0.0)
    unit, scale = ("cm", 100.0) if largest_m < 1.0 else ("m", 1.0)
    panels = many_axes(axes, 2 * len(gauges), 9.6, 1.1 + 1.5 * len(gauges), 2, sharex=True).reshape(-1, 2)
    tests = {test: mask for test, mask in masks.items() if (bits & mask).any()}
    for row, ((left, right), name) in enumerate(zip(panels, gauges)):
        for ax in (left, right) if spans else ():
            _shade(ax, spans.get(name))
        _draw_height(left, time_h, height[row], tide[row])
        _draw_level(right, time_h, scale * level[row])
        _mark(right, time_h, scale * (height[row] - tide[row]), bits[row], tests, list(masks))
        left.set_ylabel("water column (m)")
        right.set_ylabel(f"sea level ({unit})")
        left.set_title(f"DART {name}", loc="left", fontsize=8)
        for ax in (left, right):
            ax.set_xlim(first_h, last_h)
    for ax, columns in zip(panels[-1], (3, 4)):
        ax.set_xlabel(f"time after {origin_label or 'the earthquake'} (h)")
        legend_below(ax, columns)
    panels[0, 1].set_title(title, fontsize=TITLE_SIZE)
    return panels


def _checked_flags(flags: Any, shape: tuple[int, int], masks: Mapping[str, int]) -> np.ndarray:
    """Return flags as integers, or say which bit means nothing."""
    if len(masks) > len(_MARKERS):
        raise InputError(f"masks must be of at most {len(_MARKERS)} tests, got {len(masks)}")
    bits = check_array(flags, shape, "flags", "gauges by time_s").astype(int)
    unnamed = bits & ~sum(masks.values())
    if unnamed.any():
        raise InputError(f"flags must be sums of the bits in masks, got {bits[unnamed != 0][0]}")
    return bits


def _checked_spans(
    shaking: Mapping[str, tuple[float, float] | None] | None, gauges: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Return the spans of those gauges that have one, h."""
    for name in shaking or {}:
        if name not in gauges:
            raise unknown_name("gauge", name, gauges, where="in shaking")
    return {name: (span[0] / 3600.0, span[1] / 3600.0) for name, span in (shaking or {}).items() if span is not None}


def _checked_hours(hours: tuple[float, float] | None, time_h: np.ndarray) -> tuple[float, float]:
    """Return the first and last hour to draw."""
    if hours is None:
        return (float(time_h.min()), float(time_h.max())) if time_h.size else (0.0, 1.0)
    if not hours[0] < hours[1]:
        raise InputError(f"hours must rise, got {hours[0]:g} and {hours[1]:g}")
    return hours


def _shade(ax: Axes, span_h: tuple[float, float] | None) -> None:
    """Shade the span of shaking; without one an empty patch tells the legend, which is that of the last panels."""
    style: dict[str, Any] = {"color": _SHADE, "lw": 0, "zorder": 0, "label": "span of shaking"}
    if span_h is None:
        ax.fill([], [], **style)
    else:
        ax.axvspan(*span_h, **style)


def _line(ax: Axes, time_h: np.ndarray, values: np.ndarray, **style) -> None:
    """Draw known samples, joined where no farther apart than one of 15 min that is late."""
    known = np.isfinite(values)
    time_h, values = time_h[known], values[known]
    gaps = np.flatnonzero(np.diff(time_h) > _LONGEST_LINE_H) + 1
    ax.plot(np.insert(time_h, gaps, np.nan), np.insert(values, gaps, np.nan), **style)


def _fit(ax: Axes, values: np.ndarray) -> None:
    """Fit the vertical axis to known values; far outliers that are flagged must not decide it."""
    known = values[np.isfinite(values)]
    if known.size:
        margin = 0.08 * float(np.ptp(known)) or 0.5
        ax.set_ylim(float(known.min()) - margin, float(known.max()) + margin)


def _draw_height(ax: Axes, time_h: np.ndarray, height: np.ndarray, tide: np.ndarray) -> None:
    """Draw the raw levels of one gauge and the tide on top."""
    known = height[np.isfinite(height)]
    middle = float(np.median(known)) if known.size else 0.0
    _line(
        ax, time_h, height - middle, color="black", lw=0.6, marker=".", ms=1.5, label="raw, less its median", zorder=3
    )
    _line(ax, time_h, tide - middle, color=COLOURS[0], lw=1.1, ls="--", label="tide", zorder=4)
    _fit(ax, np.where(np.abs(height - middle) < _FARTHEST_M, height - middle, np.nan))


def _draw_level(ax: Axes, time_h: np.ndarray, level: np.ndarray) -> None:
    """Draw the residual at one gauge."""
    ax.axhline(0.0, color="#999999", lw=0.5, zorder=1)
    _line(ax, time_h, level, color="black", lw=0.7, marker=".", ms=1.5, label="tide removed", zorder=3)
    _fit(ax, level)


def _mark(
    ax: Axes, time_h: np.ndarray, level: np.ndarray, bits: np.ndarray, tests: Mapping[str, int], order: Sequence[str]
) -> None:
    """Mark flagged samples, each test with its shape and colour; those beyond the axis on its edge."""
    low, high = ax.get_ylim()
    for test, mask in tests.items():
        flagged = (bits & mask) > 0
        number = order.index(test)
        ax.plot(
            time_h[flagged],
            np.clip(level[flagged], low, high),
            ls="",
            marker=_MARKERS[number],
            mfc="none",
            mec=_MARKER_COLOURS[number % len(_MARKER_COLOURS)],
            mew=0.8,
            ms=3.2 + 0.8 * (number % 3),
            label=test.replace("_", " "),
            clip_on=False,
            # without points and clipping a line claims the corner of the figure
            in_layout=False,
            zorder=5,
        )
