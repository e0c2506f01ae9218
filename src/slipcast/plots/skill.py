"""How good a network or a method is: training curves, and predicted against true maxima."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from slipcast.errors import InputError
from slipcast.plots.canvas import COLOURS, TITLE_SIZE, array_of, legend_below, many_axes, one_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["history_columns", "plot_history", "plot_max_amplitude", "scores_by_method"]

_MARKERS = ("o", "^", "s", "D", "v", "P")
_HISTORY_KEYS = ("epoch", "train_loss_m2", "validation_loss_m2")


def history_columns(
    history: Sequence[Mapping[str, Any]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Return epochs, training and validation losses, and where the validation loss is best.

    Raises
    ------
    InputError
        If the history is empty, an entry lacks a key, or no validation loss is finite.
    """
    if not history:
        raise InputError("history must have at least one epoch, got none")
    for i, entry in enumerate(history):
        if missing := [key for key in _HISTORY_KEYS if key not in entry]:
            raise InputError(f"history entry {i} lacks {missing[0]!r}")
    epoch, train, validation = (np.array([entry[key] for entry in history], dtype=float) for key in _HISTORY_KEYS)
    if not np.isfinite(validation).any():
        raise InputError("history must have a finite validation_loss, got none")
    return epoch, train, validation, int(np.nanargmin(validation))


def plot_history(
    history: Sequence[Mapping[str, Any]],
    *,
    loss_label: str = "mean squared error (m²)",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw training and validation loss by epoch, the best validation epoch marked.

    Parameters
    ----------
    history : sequence of mappings
        One an epoch with ``epoch``, ``train_loss_m2``, ``validation_loss_m2`` (> 0; the axis is logarithmic).
    loss_label : str, optional
        The loss and its unit.
    title : str, optional
        Above the curves.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    ax : Axes

    Raises
    ------
    InputError
        If the history is empty, lacks a key, or has no finite validation loss.
    """
    epoch, train, validation, best = history_columns(history)
    ax = one_axes(ax, 5.2, 3.4)
    ax.plot(epoch, train, color=COLOURS[0], lw=1.2, label="training")
    ax.plot(epoch, validation, color=COLOURS[1], lw=1.2, label="validation")
    ax.axvline(epoch[best], color="#777777", lw=0.7, ls=":", zorder=1)
    text = f"best validation: {validation[best]:.3g} at epoch {epoch[best]:g}"
    ax.plot(epoch[best], validation[best], "o", color=COLOURS[1], mec="white", ms=6, label=text, ls="none")
    _draw_log_axis(ax)
    ax.grid(axis="y", which="major", color="#e5e5e5", lw=0.5)
    ax.set_xlabel("epoch")
    ax.set_ylabel(loss_label)
    ax.set_title(title, fontsize=TITLE_SIZE)
    legend_below(ax, 3)
    return ax


def _draw_log_axis(ax: Axes) -> None:
    """Make the vertical axis logarithmic, with plain numbers: 1, 2, 5 in a narrow range, else 1."""
    from matplotlib.ticker import LogLocator, NullFormatter

    ax.set_yscale("log")
    low, high = ax.get_ylim()
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 1e3 * low else (1.0,)))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())


def plot_max_amplitude(
    true_m: Any,
    predicted_m: Mapping[str, Any],
    gauge_names: Sequence[str],
    *,
    explained_variance: Mapping[str, Any] | None = None,
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
    true = array_of(true_m, (len(true_m), count), "true_m", "scenarios by gauge_names")
    shape = "the shape of true_m"
    predicted = {m: array_of(v, true.shape, f"predicted_m[{m!r}]", shape) for m, v in predicted_m.items()}
    scores = (
        None
        if explained_variance is None
        else scores_by_method(explained_variance, list(predicted), count, argument="explained_variance")
    )
    columns = min(4, count)
    rows = -(-count // columns)
    axes = many_axes(axes, count, 0.5 + 1.85 * columns, 0.9 + 2.05 * rows, columns)
    for column, (ax, name) in enumerate(zip(axes, gauge_names)):
        series = {method: values[:, column] for method, values in predicted.items()}
        _draw_scatter(ax, true[:, column], series)
        ax.set_title(name, loc="left", fontsize=8, pad=13 if scores else 4)
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
    return {m: array_of(scores[m], (count,), f"{argument}[{m!r}]", meaning) for m in methods}


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
        ax.annotate(
            f"{value:.2f}",
            (0.0, 1.0),
            xycoords="axes fraction",
            xytext=(25 * i, 3),
            textcoords="offset points",
            fontsize=7,
            color=COLOURS[i % len(COLOURS)],
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
