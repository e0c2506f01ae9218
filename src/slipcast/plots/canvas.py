"""Common parts of figures: colours, axes without global state, legends, PNG files."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from slipcast.errors import InputError
from slipcast.io.atomic import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "DASHES",
    "TITLE_SIZE",
    "below_axes",
    "check_array",
    "colour_bar",
    "grid_and_panels",
    "legend_below",
    "many_axes",
    "save_figure",
    "single_axes",
    "stack_and_panels",
]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Colours of methods and models, in order of use; Okabe and Ito chose them for colour-blind readers."""

DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (5, 1.5, 1.5, 1.5)), (0, (7, 3)), (0, (3, 2)))
"""Line styles that go with :data:`COLOURS`, for print in grey."""

TITLE_SIZE = 9
"""Of the titles, points."""

_STYLE: Any = {
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


def _make_axes(width_in: float, height_in: float, rows: int = 1, columns: int = 1, **options) -> np.ndarray:
    """Make a figure that no global state knows of, and its axes, shape (rows, columns)."""
    from matplotlib import rc_context

    with rc_context(_STYLE):
        return _make_figure(width_in, height_in).subplots(rows, columns, squeeze=False, **options)


def _make_figure(width_in: float, height_in: float) -> Figure:
    """Make a figure that no global state knows of."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def stack_and_panels(
    width_in: float, height_in: float, rows: int, widths: Sequence[float]
) -> tuple[list[Axes], list[Axes]]:
    """Return axes of a new figure: a first column of ``rows``, one above the other, then a panel a column.

    ``widths`` are relative, the first column's first.
    """
    from matplotlib import rc_context

    with rc_context(_STYLE):
        figure = _make_figure(width_in, height_in)
        cells = figure.add_gridspec(rows, len(widths), width_ratios=widths)
        first = figure.add_subplot(cells[0, 0])
        stack = [first, *(figure.add_subplot(cells[row, 0], sharex=first) for row in range(1, rows))]
        return stack, [figure.add_subplot(cells[:, column]) for column in range(1, len(widths))]


def grid_and_panels(
    width_in: float, height_in: float, count: int, columns: int, widths: Sequence[float]
) -> tuple[list[Axes], list[Axes]]:
    """Return axes of a new figure: ``count`` in rows of ``columns``, then a panel a column of the full height.

    ``widths`` are relative, those of the columns of the grid first.
    """
    from matplotlib import rc_context

    with rc_context(_STYLE):
        figure = _make_figure(width_in, height_in)
        cells = figure.add_gridspec(-(-count // columns), len(widths), width_ratios=widths)
        grid = [figure.add_subplot(cells[number // columns, number % columns]) for number in range(count)]
        return grid, [figure.add_subplot(cells[:, column]) for column in range(columns, len(widths))]


def single_axes(ax: Axes | None, width_in: float, height_in: float) -> Axes:
    """Return the axes given, or new ones."""
    return _make_axes(width_in, height_in)[0, 0] if ax is None else ax


def many_axes(axes: Any, count: int, width_in: float, height_in: float, columns: int, **options) -> np.ndarray:
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


def check_array(values: Any, shape: tuple[int, ...], argument: str, meaning: str) -> np.ndarray:
    """Return an array of a given shape; InputError names the argument that has another."""
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


def below_axes(ax: Axes) -> Any:
    """Return the transform of axes moved down by the height of the labels of the horizontal axis."""
    from matplotlib.transforms import ScaledTranslation

    return ax.transAxes + ScaledTranslation(0.0, -0.42, ax.figure.dpi_scale_trans)


def legend_below(ax: Axes, columns: int) -> None:
    """Put the legend under the axes and their label, where it covers nothing."""
    ax.legend(
        ncols=columns,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=below_axes(ax),
        borderaxespad=0.0,
        frameon=False,
        fontsize=7.5,
    )


def colour_bar(ax: Axes, filled: Any, label: str) -> None:
    """Put a colour bar with its unit beside the axes."""
    bar = ax.figure.colorbar(filled, ax=ax, shrink=0.6, pad=0.02, aspect=28)
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=7.5, width=0.6)
    bar.outline.set_linewidth(0.6)
