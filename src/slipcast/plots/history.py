"""Training curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slipcast.errors import InputError
from slipcast.plots.canvas import COLOURS, TITLE_SIZE, legend_below, single_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["TrainingCurves", "plot_history"]

_NEEDED = ("epoch", "train_loss_m2", "validation_loss_m2")
_LABELS = {
    "train_batch_loss_m2": "training, batches with dropout",
    "train_loss_m2": "training",
    "validation_loss_m2": "validation",
    "test_loss_m2": "test",
}


@dataclass(frozen=True)
class TrainingCurves:
    """Losses by epoch, ready to be drawn.

    Attributes
    ----------
    epoch : array, shape (n_epochs,)
    losses : dict of label to array, shape (n_epochs,)
        m^2.
    best : int
        Index of the lowest validation loss.
    """

    epoch: np.ndarray
    losses: dict[str, np.ndarray]
    best: int

    @classmethod
    def of(cls, history: Sequence[Mapping[str, Any]]) -> TrainingCurves:
        """Take the curves from a history.

        Raises
        ------
        InputError
            If the history is empty, an entry lacks a key, or no validation loss is finite.
        """
        if not history:
            raise InputError("history must have at least one epoch, got none")
        for i, entry in enumerate(history):
            if missing := [key for key in _NEEDED if key not in entry]:
                raise InputError(f"history entry {i} lacks {missing[0]!r}")
        columns = {key: np.array([entry.get(key, np.nan) for entry in history], dtype=float) for key in _LABELS}
        validation = columns["validation_loss_m2"]
        if not np.isfinite(validation).any():
            raise InputError("history must have a finite validation_loss_m2, got none")
        losses = {_LABELS[key]: values for key, values in columns.items() if key in history[0]}
        epoch = np.array([entry["epoch"] for entry in history], dtype=float)
        return cls(epoch, losses, int(np.nanargmin(validation)))

    @property
    def best_text(self) -> str:
        """The lowest validation loss and its epoch, in words."""
        return f"best validation: {self.losses['validation'][self.best]:.3g} at epoch {self.epoch[self.best]:g}"

    @staticmethod
    def colour(label: str) -> str:
        """Colour of a curve."""
        return {"training": COLOURS[0], "validation": COLOURS[1], "test": COLOURS[2]}.get(label, "#a6c8e4")


def plot_history(
    history: Sequence[Mapping[str, Any]],
    *,
    rising_epoch: int | None = None,
    loss_label: str = "mean squared error (m²)",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw losses by epoch, as Figure 1 of Liu (2021), the best validation epoch marked.

    Parameters
    ----------
    history : sequence of mappings
        One an epoch with ``epoch``, ``train_loss_m2``, ``validation_loss_m2`` and, where known,
        ``train_batch_loss_m2`` and ``test_loss_m2`` (> 0; the axis is logarithmic).
    rising_epoch : int, optional
        From where validation rises (:func:`slipcast.metrics.rising_epoch`), marked too.
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
    curves = TrainingCurves.of(history)
    ax = single_axes(ax, 5.6, 3.6)
    for label, values in curves.losses.items():
        ax.plot(curves.epoch, values, color=curves.colour(label), lw=1.0, label=label)
    best = curves.epoch[curves.best]
    ax.axvline(best, color="#777777", lw=0.7, ls=":", zorder=1)
    ax.plot(
        best,
        curves.losses["validation"][curves.best],
        "o",
        color=curves.colour("validation"),
        mec="white",
        ms=6,
        label=curves.best_text,
        ls="none",
    )
    if rising_epoch is not None:
        ax.axvline(rising_epoch, color=COLOURS[3], lw=1.0, ls="--", label=f"validation rises from {rising_epoch}")
    _draw_log_axis(ax)
    ax.grid(axis="y", which="major", color="#e5e5e5", lw=0.5)
    ax.set_xlabel("epoch")
    ax.set_ylabel(loss_label)
    ax.set_title(title, fontsize=TITLE_SIZE)
    legend_below(ax, 2)
    return ax


def _draw_log_axis(ax: Axes) -> None:
    """Make the vertical axis logarithmic, with plain numbers: 1, 2, 5 in a narrow range, else 1."""
    from matplotlib.ticker import LogLocator, NullFormatter

    ax.set_yscale("log")
    low, high = ax.get_ylim()
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 1e3 * low else (1.0,)))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())
