"""Comparison of methods with the truth: one scenario, and errors against magnitude or latitude."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from slipcast.errors import InputError
from slipcast.plots.canvas import COLOURS, TITLE_SIZE, check_array, legend_below, single_axes, stack_and_panels
from slipcast.plots.maps import plot_slip
from slipcast.plots.series import plot_records

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

__all__ = ["plot_errors", "plot_scenario"]

_MARKERS = ("o", "^", "s", "D", "v", "P")
_BINS = 8
_LEAST_IN_BIN = 4


def plot_scenario(
    time_s: Any,
    observed: Mapping[str, Any] | xr.DataArray,
    modelled: Mapping[str, Any],
    sources: Sequence[str],
    slip_m: Mapping[str, Any],
    *,
    magnitude: Mapping[str, float],
    notes: Mapping[str, str] | None = None,
    gauges: Mapping[str, tuple[float, float]] | None = None,
    window_min: float | None = None,
    title: str = "",
) -> np.ndarray:
    """Draw one scenario: records at the DARTs beside maps of slip, one a method, on one scale.

    Parameters
    ----------
    time_s, observed, modelled, window_min, title
        As :func:`slipcast.plots.plot_records` takes them.
    sources : sequence of str
        Unit sources.
    slip_m : mapping of label to array, shape (n_sources,)
        Slip, m, for instance of the truth and of each method; at least one.
    magnitude : mapping of label to float
        Moment magnitudes, for the titles of the maps.
    notes : mapping of label to str, optional
        A second line of the titles, such as the latitude of the centroid.
    gauges : mapping of name to (lon, lat), optional
        The DARTs, degrees, for the maps.

    Returns
    -------
    axes : array of Axes
        Of the records, one per gauge, then of the maps.

    Raises
    ------
    InputError
        If there is no slip or no record, or shapes differ.
    """
    if not slip_m:
        raise InputError("slip_m must have at least one map, got none")
    if not len(observed):
        raise InputError("observed must have at least one gauge, got none")
    rows, maps = len(observed), len(slip_m)
    height_in = max(4.8, 0.9 + 1.35 * rows)
    axes, panels = stack_and_panels(4.4 + 2.1 * maps, height_in, rows, [2.0] + [1.0] * maps)
    plot_records(time_s, observed, modelled, window_min=window_min, title=title, legend_columns=2, axes=axes)
    largest = max(float(np.max(values)) for values in slip_m.values())
    for ax, (label, values) in zip(panels, slip_m.items()):
        plot_slip(
            sources,
            values,
            magnitude=magnitude[label],
            gauges=gauges,
            title=label[:1].upper() + label[1:],
            subtitle=(notes or {}).get(label, ""),
            largest_m=largest,
            bar=ax is panels[-1],
            ax=ax,
        )
        ax.set_xticks(ax.get_xticks()[1::2])
        if ax is not panels[0]:
            ax.set_ylabel("")
            ax.tick_params(labelleft=False)
    return np.array([*axes, *panels], dtype=object)


def plot_errors(
    against: Any,
    errors: Mapping[str, Any],
    *,
    xlabel: str,
    ylabel: str,
    log: bool = False,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw errors of methods against something, with the median of each in bins.

    Parameters
    ----------
    against : array, shape (n_scenarios,)
        Magnitude or latitude, for instance.
    errors : mapping of method to array, shape (n_scenarios,)
        In the unit of ``ylabel``; NaN where there is none.
    xlabel, ylabel : str
        With units.
    log : bool, optional
        For errors > 0: a logarithmic scale.
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
        If the shapes differ.
    """
    x = check_array(against, (len(against),), "against", "scenarios")
    ax = single_axes(ax, 5.2, 3.6)
    if log:
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    else:
        ax.axhline(0.0, color="#999999", lw=0.6, zorder=1)
    edges = np.linspace(x.min(), x.max(), _BINS + 1)
    bins = np.clip(np.digitize(x, edges) - 1, 0, _BINS - 1)
    for i, (method, values) in enumerate(errors.items()):
        y = check_array(values, x.shape, f"errors[{method!r}]", "the shape of against")
        colour = COLOURS[i % len(COLOURS)]
        ax.scatter(x, y, s=9, alpha=0.4, linewidths=0, c=colour, marker=_MARKERS[i % len(_MARKERS)], zorder=2)
        known = np.isfinite(y)
        middles = [
            (x[inside].mean(), np.median(y[inside]))
            for inside in ((bins == number) & known for number in range(_BINS))
            if inside.sum() >= _LEAST_IN_BIN
        ]
        ax.plot(*np.array(middles).reshape(-1, 2).T, color=colour, lw=1.6, label=f"{method}, median", zorder=3)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.set_title(title, fontsize=TITLE_SIZE)
    legend_below(ax, 2)
    return ax
