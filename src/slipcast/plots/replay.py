"""Retrospective real-time replay: magnitude and forecast maxima, minute by minute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from slipcast.errors import InputError
from slipcast.plots.canvas import COLOURS, TITLE_SIZE, check_array, legend_below, many_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_replay"]

_OBSERVED, _MARK = "#000000", "#555555"
_LINE = (0, (5, 2))
_N_QUANTILES = 5
# width of a letter of a name as a share of the panel, and height of a row of names, points
_LETTER, _ROW_PT = 0.012, 9.0


def plot_replay(
    minutes: Any,
    magnitude: Any,
    max_amplitude_m: Mapping[str, Any],
    *,
    magnitude_quantiles: Any = None,
    max_amplitude_quantiles_m: Mapping[str, Any] | None = None,
    observed_maximum_m: Mapping[str, float] | None = None,
    used: Iterable[str] = (),
    contribution_min: Mapping[str, float] | None = None,
    reference_magnitude: float | None = None,
    title: str = "",
    axes: Any = None,
) -> np.ndarray:
    """Draw magnitude and forecast maxima at gauges against the minutes after the earthquake.

    Parameters
    ----------
    minutes : array, shape (n_minutes,)
        After the origin, rising.
    magnitude : array, shape (n_minutes,)
        Mw; not drawn where it is not finite.
    max_amplitude_m : mapping of gauge to array, shape (n_minutes,)
        Forecast maximum, m; one panel each.
    magnitude_quantiles : array, shape (5, n_minutes), optional
        5, 25, 50, 75 and 95 % quantiles; the intervals of 90 and 50 % are shaded.
    max_amplitude_quantiles_m : mapping of gauge to array, shape (5, n_minutes), optional
        Likewise of the maxima, m.
    observed_maximum_m : mapping of gauge to float, optional
        What was recorded, m: a line, where a gauge of the panels has one.
    used : iterable of str, optional
        Gauges from whose records the slip is; the titles say so.
    contribution_min : mapping of gauge to float, optional
        Minute from which on a gauge contributed: a vertical mark in all panels, named in the first.
    reference_magnitude : float, optional
        Mw for comparison: a line.
    title : str, optional
        Above the first panel.
    axes : array of Axes, optional
        One for the magnitude and one for each gauge.

    Returns
    -------
    axes : array of Axes, shape (1 + n_gauges,)

    Raises
    ------
    InputError
        If there is no gauge, or a length differs.
    """
    at = np.asarray(minutes, dtype=float)
    if not max_amplitude_m:
        raise InputError("max_amplitude_m must have at least one gauge, got none")
    maxima = {name: _series(values, at, f"max_amplitude_m[{name!r}]") for name, values in max_amplitude_m.items()}
    spread = {
        name: _quantiles(values, at, f"max_amplitude_quantiles_m[{name!r}]")
        for name, values in (max_amplitude_quantiles_m or {}).items()
    }
    axes = many_axes(axes, 1 + len(maxima), 6.8, 1.6 + 1.35 * (1 + len(maxima)), 1, sharex=True)
    of_magnitude = None if magnitude_quantiles is None else _quantiles(magnitude_quantiles, at, "magnitude_quantiles")
    _draw_bands(axes[0], at, of_magnitude)
    axes[0].plot(at, _series(magnitude, at, "magnitude"), color=COLOURS[0], lw=1.4, zorder=4)
    if reference_magnitude is not None:
        axes[0].axhline(reference_magnitude, color=_OBSERVED, lw=0.9, ls=_LINE, zorder=3)
        _write_at_end(axes[0], reference_magnitude, f"Mw {reference_magnitude:g}")
    axes[0].set_ylabel("Mw")
    chosen = set(used)
    for ax, (name, maximum) in zip(axes[1:], maxima.items()):
        _draw_bands(ax, at, spread.get(name))
        ax.plot(at, maximum, color=COLOURS[0], lw=1.4, label="estimate", zorder=4)
        if (recorded := (observed_maximum_m or {}).get(name)) is not None:
            ax.axhline(recorded, color=_OBSERVED, lw=0.9, ls=_LINE, zorder=3)
            _write_at_end(ax, recorded, f"{recorded:.2f} m")
        ax.set_ylabel("maximum (m)")
        ax.set_ylim(0.0, _top(maximum, spread.get(name), recorded))
        ax.set_title(f"{name}, {'used' if name in chosen else 'not used'}", loc="left", fontsize=8)
    rows = _draw_marks(axes, contribution_min or {}, float(at[-1]))
    axes[-1].set_xlim(0.0, at[-1])
    axes[-1].set_xlabel("time after the earthquake (min)")
    # without data, so that the legend has it even if the last panel has no such line
    axes[-1].plot([], [], color=_OBSERVED, lw=0.9, ls=_LINE, label="recorded")
    legend_below(axes[-1], 4)
    axes[0].set_title(title, fontsize=TITLE_SIZE, pad=5 + _ROW_PT * rows)
    return axes


def _series(values: Any, minutes: np.ndarray, argument: str) -> np.ndarray:
    """Return a series of the right length, with gaps where it is not finite."""
    series = check_array(values, minutes.shape, argument, "one value for each of minutes")
    return np.where(np.isfinite(series), series, np.nan)


def _quantiles(values: Any, minutes: np.ndarray, argument: str) -> np.ndarray:
    """Return quantiles of the right shape, with gaps where they are not finite."""
    series = check_array(values, (_N_QUANTILES, *minutes.shape), argument, "quantiles by minutes")
    return np.where(np.isfinite(series), series, np.nan)


def _draw_bands(ax: Axes, minutes: np.ndarray, quantiles: np.ndarray | None) -> None:
    """Shade the intervals of 90 and 50 %."""
    if quantiles is None:
        return
    for low, high, alpha, label in ((0, 4, 0.18, "90 % interval"), (1, 3, 0.3, "50 % interval")):
        ax.fill_between(
            minutes, quantiles[low], quantiles[high], color=COLOURS[0], alpha=alpha, lw=0, label=label, zorder=2
        )


def _top(*series: Any) -> float:
    """Return the end of an axis with room above everything on it."""
    known = np.concatenate([np.ravel(np.asarray(each, dtype=float)) for each in series if each is not None])
    return 1.12 * float(known[np.isfinite(known)].max(initial=0.0)) or 1.0


def _write_at_end(ax: Axes, height: float, text: str) -> None:
    """Write what a horizontal line stands for, at its right end outside the axes."""
    ax.annotate(
        text,
        (1.0, height),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=7.5,
    )


def _draw_marks(axes: np.ndarray, contribution_min: Mapping[str, float], last_min: float) -> int:
    """Mark from when on gauges contributed, those of one minute by one line; return how many rows of names that took.

    Names that would touch stand above one another.
    """
    together: dict[float, list[str]] = {}
    for name, minute in sorted(contribution_min.items(), key=lambda item: item[1]):
        together.setdefault(minute, []).append(name)
    ends: list[float] = []
    for minute, names in together.items():
        text = ", ".join(names)
        half = _LETTER * len(text) * last_min / 2
        row = next((row for row, end in enumerate(ends) if minute - half > end), len(ends))
        ends[row : row + 1] = [minute + half]
        for ax in axes:
            ax.axvline(minute, color=_MARK, lw=0.8, ls=":", zorder=1)
        axes[0].annotate(
            text,
            (minute, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2 + _ROW_PT * row),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=7,
            color=_MARK,
        )
    return len(ends)
