"""Scatter of predicted against true maximum amplitude."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from slipcast.errors import InputError
from slipcast.plots.canvas import COLOURS, check_array, many_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_max_amplitude", "scores_by_method"]

_MARKERS = ("o", "^", "s", "D", "v", "P")


def plot_max_amplitude(
    true_m: Any,
    predicted_m: Mapping[str, Any],
    gauge_names: Sequence[str],
    *,
    explained_variance: Mapping[str, Any] | None = None,
    notes: Mapping[str, Sequence[str]] | None = None,
    axes: Any = None,
) -> np.ndarray:
    """Draw predicted against true maximum amplitude, one panel a forecast point.

    Parameters
    ----------
    true_m : array, shape (n_scenarios, n_gauges)
        True maxima, m.
    predicted_m : mapping of method to array, shape (n_scenarios, n_gauges)
        Predicted maxima, m.
    gauge_names : sequence of str
        Forecast points, at least one.
    explained_variance : mapping of method to array, shape (n_gauges,), optional
        Written above each panel in the colours of the methods; for all methods or none.
    notes : mapping of method to sequence of str, one a forecast point, optional
        Other scores in words, a line for each method instead.
    axes : array of Axes, optional
        One for each forecast point.

    Returns
    -------
    axes : array of Axes, shape (n_gauges,)

    Raises
    ------
    InputError
        If there is no forecast point, the shapes differ, or a method has no explained variance.
    """
    count = len(gauge_names)
    if count == 0:
        raise InputError("gauge_names must have at least one forecast point, got none")
    true = check_array(true_m, (len(true_m), count), "true_m", "scenarios by gauge_names")
    shape = "the shape of true_m"
    predicted = {m: check_array(v, true.shape, f"predicted_m[{m!r}]", shape) for m, v in predicted_m.items()}
    scores = (
        None
        if explained_variance is None
        else scores_by_method(explained_variance, list(predicted), count, argument="explained_variance")
    )
    columns = min(4, count)
    rows = -(-count // columns)
    lines = 0 if notes is None else len(notes)
    axes = many_axes(axes, count, 0.5 + 1.85 * columns, 0.9 + (2.05 + 0.11 * lines) * rows, columns)
    for column, (ax, name) in enumerate(zip(axes, gauge_names)):
        series = {method: values[:, column] for method, values in predicted.items()}
        _draw_scatter(ax, true[:, column], series)
        ax.set_title(name, loc="left", fontsize=8, pad=5 + 8 * lines if lines else 13 if scores else 4)
        for line, texts in enumerate((notes or {}).values()):
            _write_above(ax, texts[column], (0, 3 + 8 * (lines - 1 - line)), COLOURS[line % len(COLOURS)], size=5.5)
        if scores:
            _write_scores(ax, [values[column] for values in scores.values()])
        if column % columns == 0:
            ax.set_ylabel("predicted maximum (m)")
        if column + columns >= count:
            ax.set_xlabel("true maximum (m)")
    _legend_of_methods(axes, with_scores=scores is not None)
    return axes


def scores_by_method(
    scores: Mapping[str, Any], methods: Sequence[str], count: int, *, argument: str
) -> dict[str, np.ndarray]:
    """Return scores in the order of the methods, every one of which must have ``count`` of them.

    Raises
    ------
    InputError
        If a method has no scores or a wrong number of them; the message names the argument.
    """
    if missing := [method for method in methods if method not in scores]:
        raise InputError(f"{argument} lacks method {missing[0]!r}")
    meaning = "one value for each of gauge_names"
    return {m: check_array(scores[m], (count,), f"{argument}[{m!r}]", meaning) for m in methods}


def _draw_scatter(ax: Axes, true: np.ndarray, predicted: Mapping[str, np.ndarray]) -> None:
    """Draw one panel: equal axes from zero, and the line of perfect prediction."""
    finite = np.concatenate([v[np.isfinite(v)] for v in (true, *predicted.values())])
    top = 1.05 * finite.max(initial=0.0) or 1.0
    ax.plot([0, top], [0, top], color="#555555", lw=0.7, zorder=1)
    for i, (method, values) in enumerate(predicted.items()):
        style: dict[str, Any] = {"c": COLOURS[i % len(COLOURS)], "marker": _MARKERS[i % len(_MARKERS)]}
        ax.scatter(true, values, s=7, alpha=0.55, linewidths=0, label=method, zorder=20 - i, **style)
    ax.set_xlim(0, top)
    ax.set_ylim(0, top)
    ax.set_aspect("equal")
    ax.locator_params(nbins=4)


def _write_scores(ax: Axes, values: Sequence[float]) -> None:
    """Write the scores of the methods above a panel, each in its colour."""
    for i, value in enumerate(values):
        _write_above(ax, f"{value:.2f}", (25 * i, 3), COLOURS[i % len(COLOURS)], size=7)


def _write_above(ax: Axes, text: str, offset: tuple[float, float], colour: str, *, size: float) -> None:
    """Write above the left end of a panel; the offset is in points."""
    ax.annotate(
        text,
        (0.0, 1.0),
        xycoords="axes fraction",
        xytext=offset,
        textcoords="offset points",
        fontsize=size,
        color=colour,
    )


def _legend_of_methods(axes: np.ndarray, *, with_scores: bool) -> None:
    """Put one legend for all panels under them."""
    handles, labels = axes[0].get_legend_handles_labels()
    if handles:
        axes[0].figure.legend(
            handles,
            labels,
            title="numbers: explained variance" if with_scores else None,
            loc="outside lower center",
            ncols=min(4, len(handles)),
            frameon=False,
            fontsize=7.5,
            title_fontsize=7.5,
            markerscale=2.0,
        )
