"""Figures of the accuracy benchmark: error against window, reliability, forecasts after several windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from slipcast.errors import InputError
from slipcast.plots import plot_prediction_interval
from slipcast.plots.canvas import COLOURS, DASHES, TITLE_SIZE, check_array, legend_below, many_axes, single_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_error_by_window", "plot_prediction_intervals", "plot_reliability"]

_LAST = "#000000"


def plot_error_by_window(
    window_min: Any,
    error_m2: Mapping[str, Any],
    *,
    intervals: Mapping[str, Any] | None = None,
    reference: float | None = None,
    reference_label: str = "",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw the error of methods against the window that they see, on a logarithmic axis.

    Parameters
    ----------
    window_min : array, shape (n_windows,)
        Minutes after the origin, rising.
    error_m2 : mapping of method to array, shape (n_windows,)
        m^2, > 0; NaN where a method has none. The last method is drawn heavier.
    intervals : mapping of method to array, shape (2, n_windows), optional
        Ends of the interval of each error, m^2; shaded.
    reference : float, optional
        An error to be reached, m^2: a horizontal line.
    reference_label : str, optional
        What it is.
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
        If there is no method or a length differs.
    """
    minutes = np.asarray(window_min, dtype=float)
    meaning = "one value for each of window_min"
    errors = {
        name: check_array(values, minutes.shape, f"error_m2[{name!r}]", meaning) for name, values in error_m2.items()
    }
    if not errors:
        raise InputError("error_m2 must have at least one method, got none")
    ax = single_axes(ax, 6.4, 4.4)
    for i, (name, error) in enumerate(errors.items()):
        last = i == len(errors) - 1
        colour = _LAST if last else COLOURS[i % len(COLOURS)]
        style: dict[str, Any] = {"linestyle": "-" if last else DASHES[i % len(DASHES)], "lw": 2.0 if last else 1.2}
        ax.plot(minutes, error, color=colour, marker="o", ms=3.5, label=name, zorder=4 if last else 3, **style)
        if intervals and name in intervals:
            ends = check_array(intervals[name], (2, *minutes.shape), f"intervals[{name!r}]", "ends by window_min")
            ax.fill_between(minutes, *ends, color=colour, alpha=0.2, lw=0, zorder=2)
    if reference is not None:
        ax.axhline(reference, color="#777777", lw=0.8, ls=":", label=reference_label, zorder=1)
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter("{x:g}")
    ax.set_xscale("log")
    ax.set_xticks(minutes, [f"{value:g}" for value in minutes], minor=False)
    ax.minorticks_off()
    ax.grid(axis="y", color="#dddddd", lw=0.5)
    ax.set_xlabel("window (min after the earthquake)")
    ax.set_ylabel("slip MSE (m²)")
    ax.set_title(title, fontsize=TITLE_SIZE)
    legend_below(ax, 3)
    return ax


def plot_reliability(nominal: Any, covered: Mapping[str, Mapping[str, Any]], *, axes: Any = None) -> np.ndarray:
    """Draw how often central intervals hold the truth against how often they should, one panel a quantity.

    Parameters
    ----------
    nominal : array, shape (n_shares,)
        In (0, 1), rising.
    covered : mapping of quantity to mapping of label to array, shape (n_shares,)
        In [0, 1].
    axes : array of Axes, optional
        One for each quantity.

    Returns
    -------
    axes : array of Axes, shape (n_quantities,)

    Raises
    ------
    InputError
        If there is no quantity or a length differs.
    """
    from matplotlib import colormaps

    shares = np.asarray(nominal, dtype=float)
    if not covered:
        raise InputError("covered must have at least one quantity, got none")
    axes = many_axes(axes, len(covered), 0.6 + 3.1 * len(covered), 3.9, len(covered))
    for ax, (quantity, lines) in zip(axes, covered.items(), strict=True):
        ax.plot([0, 1], [0, 1], color="#555555", lw=0.7, zorder=1)
        colours = colormaps["viridis"](np.linspace(0.0, 0.9, max(len(lines), 1)))
        for colour, (label, values) in zip(colours, lines.items(), strict=False):
            values = check_array(
                values, shares.shape, f"covered[{quantity!r}][{label!r}]", "one value for each of nominal"
            )
            ax.plot(shares, values, color=colour, lw=1.1, label=label)
        ax.set_xlim(0, 1)
        ax.set_ylim(0, 1)
        ax.set_aspect("equal")
        ax.set_xlabel("nominal share of the interval")
        ax.set_title(quantity, fontsize=TITLE_SIZE)
        ax.legend(loc="upper left", frameon=False, fontsize=7)
    axes[0].set_ylabel("share of truths that it holds")
    return axes


def plot_prediction_intervals(
    time_s: Any, true_m: Any, quantiles_m: Mapping[float, Any], *, title: str = "", axes: Any = None
) -> np.ndarray:
    """Draw the forecasts of one event after several windows, one panel each (:func:`plot_prediction_interval`).

    Parameters
    ----------
    time_s, true_m : array, shape (n_times,)
        Seconds since the origin, and what came, m.
    quantiles_m : mapping of window to array, shape (5, n_times)
        By minutes after the origin at which the forecast was made, m.
    title : str, optional
        Begins the title of each panel.
    axes : array of Axes, optional
        One for each window.

    Returns
    -------
    axes : array of Axes, shape (n_windows,)

    Raises
    ------
    InputError
        If there is no window or a length differs.
    """
    if not quantiles_m:
        raise InputError("quantiles_m must have at least one window, got none")
    axes = many_axes(axes, len(quantiles_m), 6.8, 0.9 + 2.2 * len(quantiles_m), 1, sharex=True, sharey=True)
    for ax, (window_min, quantiles) in zip(axes, quantiles_m.items(), strict=True):
        after = f"after {window_min:g} min"
        plot_prediction_interval(
            time_s,
            quantiles[2],
            quantiles,
            label="median",
            true_m=true_m,
            window_min=window_min,
            title=f"{title}, {after}" if title else after,
            ax=ax,
        )
    for ax in axes[:-1]:
        ax.set_xlabel("")
        ax.get_legend().remove()
    return axes
