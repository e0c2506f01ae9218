"""Trials of a search for settings, and the importance of each setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from slipcast.errors import InputError
from slipcast.plots.canvas import COLOURS, TITLE_SIZE, check_array, legend_below, single_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_importance", "plot_search"]


def plot_search(loss_m2: Any, finished: Any, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw the lowest validation loss of each trial of a search, and the best so far.

    Parameters
    ----------
    loss_m2 : array, shape (n_trials,)
        m^2, in the order of the trials; NaN where a trial reported none.
    finished : array of bool, shape (n_trials,)
        Whether the trial was trained to its end; the others were stopped.
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
        If no trial was trained to its end, or the lengths differ.
    """
    loss = check_array(loss_m2, (np.size(loss_m2),), "loss_m2", "one value a trial")
    whole = np.asarray(finished, dtype=bool)
    if whole.shape != loss.shape:
        raise InputError(f"finished must have one value a trial, {loss.size}, got {whole.size}")
    if not (whole & np.isfinite(loss)).any():
        raise InputError("finished must have at least one trial that was trained to its end, got none")
    ax = single_axes(ax, 7.0, 4.5)
    number = np.arange(1, loss.size + 1)
    so_far = np.fmin.accumulate(np.where(whole, loss, np.nan))
    ax.plot(number[~whole], loss[~whole], "x", color="#999999", label="stopped")
    ax.plot(number[whole], loss[whole], "o", color=COLOURS[0], label="trained to the end")
    ax.step(number, so_far, where="post", color=COLOURS[1], label="best so far")
    if np.nanmax(loss) > 3 * np.nanmin(loss):
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter("{x:g}")
    ax.set_xlabel("trial")
    ax.set_ylabel("lowest validation loss (m²)")
    ax.set_title(title, fontsize=TITLE_SIZE)
    ax.locator_params(axis="x", integer=True)
    legend_below(ax, 3)
    return ax


def plot_importance(importance: Mapping[str, float], *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw the importance of each setting for the loss.

    Parameters
    ----------
    importance : mapping of setting to float
        >= 0; at least one.
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
        If there is no setting.
    """
    if not importance:
        raise InputError("importance must have at least one setting, got none")
    names: Sequence[str] = sorted(importance, key=importance.__getitem__)
    ax = single_axes(ax, 6.0, 1.2 + 0.4 * len(names))
    bars = ax.barh([name.replace("_", " ") for name in names], [importance[name] for name in names], color=COLOURS[0])
    ax.bar_label(bars, fmt="%.2f", padding=3)
    ax.set_xlim(0, 1.12 * max(*importance.values(), 1e-9))
    ax.set_xlabel("share of the spread of validation loss")
    ax.set_title(title, fontsize=TITLE_SIZE)
    return ax
