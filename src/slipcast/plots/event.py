"""Figure of a real event: records and model at DARTs used and not used, slip with its uncertainty."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from slipcast.errors import InputError
from slipcast.plots.canvas import COLOURS, check_array, grid_and_panels
from slipcast.plots.maps import plot_slip
from slipcast.plots.series import gauge_traces, model_traces

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_event"]

_BEFORE_MIN, _AFTER_MIN = 20.0, 30.0
_MOST_TICKS = 5
_USED, _NOT_USED = "#f6efdb", "#e8eef4"


def plot_event(
    time_s: Any,
    observed: Mapping[str, Any] | xr.DataArray,
    modelled: Mapping[str, Any] | xr.DataArray,
    sources: Sequence[str],
    slip_m: Any,
    *,
    used: Iterable[str],
    first_waves_s: Mapping[str, tuple[float, float]],
    windows_min: Mapping[str, float] | None = None,
    interval_m: tuple[Any, Any] | None = None,
    slip_sd_m: Any = None,
    magnitude: float | None = None,
    magnitude_interval: tuple[float, float] | None = None,
    notes: Mapping[str, str] | None = None,
    gauges: Mapping[str, tuple[float, float]] | None = None,
    title: str = "",
) -> np.ndarray:
    """Draw an event: first waves at its DARTs, the map of slip and that of its uncertainty.

    Parameters
    ----------
    time_s : array, shape (n_times,)
        Seconds since the origin.
    observed, modelled : mapping of gauge to array (n_times,), or xarray.DataArray (gauge, time)
        Sea level, m; the model has every observed gauge.
    sources : sequence of str
        Unit sources.
    slip_m : array, shape (n_sources,)
        Slip, m.
    used : iterable of str
        Gauges from whose records the slip is.
    first_waves_s : mapping of gauge to (float, float)
        Spans of the first waves, s; each panel shows its own and half an hour more.
    windows_min : mapping of gauge to float, optional
        End of what the inversion used, minutes after the origin; shaded.
    interval_m : (mapping or xarray.DataArray, same), optional
        Ends of the 90 % interval of the model, m.
    slip_sd_m : array, shape (n_sources,), optional
        Standard deviation of slip, m; drawn as a second map.
    magnitude : float, optional
        Mw.
    magnitude_interval : (float, float), optional
        Ends of its 90 % interval.
    notes : mapping of gauge to str, optional
        Behind the names of gauges, such as scores.
    gauges : mapping of name to (lon, lat), optional
        DARTs for the maps, degrees; leave out those an ocean away.
    title : str, optional
        What event this is.

    Returns
    -------
    axes : array of Axes
        Of the records, one per gauge, then of the maps.

    Raises
    ------
    InputError
        If nothing is observed, a length differs, or a gauge has no model or no first wave.
    """
    minutes = np.asarray(time_s, dtype=float) / 60.0
    records = gauge_traces(observed, len(minutes), what="observed")
    if not records:
        raise InputError("observed must have at least one gauge, got none")
    if missing := [name for name in records if name not in first_waves_s]:
        raise InputError(f"first_waves_s lacks gauge {missing[0]}, which is observed")
    model = model_traces({"model": modelled}, list(records), len(minutes))["model"]
    interval = dict(zip(("lower end of interval_m", "upper end of interval_m"), interval_m or ()))
    ends = [*model_traces(interval, list(records), len(minutes)).values()]
    chosen = set(used)
    maps, columns = (1 if slip_sd_m is None else 2), (1 if len(records) < 4 else 2)
    height = max(1.0 + 1.6 * -(-len(records) // columns), 4.4)
    widths = [1.25 if columns == 1 else 1.0] * columns + [0.85] * maps
    stack, panels = grid_and_panels(3.3 * sum(widths) + 0.6, height, len(records), columns, widths)
    for ax, (name, series) in zip(stack, records.items()):
        _draw_window(ax, name, name in chosen, first_waves_s[name], (windows_min or {}).get(name))
        if ends:
            low, high = (100 * end[name] for end in ends)
            ax.fill_between(minutes, low, high, color=COLOURS[1], alpha=0.25, lw=0, zorder=2)
        ax.axhline(0.0, color="#999999", lw=0.5, zorder=1)
        ax.plot(minutes, 100 * series, color="black", lw=1.2, zorder=3)
        ax.plot(minutes, 100 * model[name], color=COLOURS[1], lw=1.2, ls=(0, (5, 1.5)), zorder=4)
        ax.set_xlim(first_waves_s[name][0] / 60 - _BEFORE_MIN, first_waves_s[name][1] / 60 + _AFTER_MIN)
        _scale(ax, minutes, [series, model[name]])
        note = (notes or {}).get(name, "")
        role = "used" if name in chosen else "not used"
        ax.set_title(f"DART {name}, {role}" + (f"\n{note}" if note else ""), loc="left", fontsize=7.5)
    for ax in stack[::columns]:
        ax.set_ylabel("pressure (cm of water)")
    for ax in stack[-columns:]:
        ax.set_xlabel("minutes after the earthquake")
    _add_key(stack[0], bool(ends), windows_min is not None, len(chosen & set(records)) < len(records))
    spread = "" if magnitude_interval is None else "90 %: {:.2f} to {:.2f}".format(*magnitude_interval)
    plot_slip(sources, slip_m, magnitude=magnitude, gauges=gauges, title=title, subtitle=spread, ax=panels[0])
    if slip_sd_m is not None:
        sd = check_array(slip_sd_m, (len(sources),), "slip_sd_m", "one value for each of sources")
        plot_slip(sources, sd, title="standard deviation of slip", subtitle="of draws" if ends else "", ax=panels[1])
    for panel in panels:
        west, east = panel.get_xlim()
        ticks = [tick for tick in panel.get_xticks() if west <= tick <= east]  # others would widen the map
        panel.set_xticks(ticks[:: 1 + len(ticks) // _MOST_TICKS])
    return np.array([*stack, *panels], dtype=object)


def _draw_window(ax: Axes, name: str, used: bool, wave_s: tuple[float, float], window_min: float | None) -> None:
    """Shade what an inversion used at a gauge, or the first wave that it did not see."""
    if used and window_min is not None:
        ax.axvspan(0.0, window_min, color=_USED, lw=0, zorder=0)
    elif not used:
        ax.axvspan(wave_s[0] / 60, wave_s[1] / 60, color=_NOT_USED, lw=0, zorder=0)


def _add_key(ax: Axes, has_interval: bool, has_windows: bool, has_unused: bool) -> None:
    """Explain lines and shades inside the first panel."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[Any] = [
        Line2D([], [], color="black", lw=1.2, label="recorded"),
        Line2D([], [], color=COLOURS[1], lw=1.2, ls=(0, (5, 1.5)), label="model"),
    ]
    if has_interval:
        entries.append(Patch(color=COLOURS[1], alpha=0.25, lw=0, label="90 % interval"))
    if has_windows:
        entries.append(Patch(color=_USED, lw=0, label="used by the inversion"))
    if has_unused:
        entries.append(Patch(color=_NOT_USED, lw=0, label="first wave, not used"))
    ax.legend(handles=entries, loc="upper right", fontsize=6.5, frameon=True, framealpha=0.9, edgecolor="none")


def _scale(ax: Axes, minutes: np.ndarray, traces: Sequence[np.ndarray]) -> None:
    """Fit the ordinate to what is seen."""
    inside = (minutes >= ax.get_xlim()[0]) & (minutes <= ax.get_xlim()[1])
    seen = 100 * np.concatenate([trace[inside] for trace in traces])
    if np.isfinite(seen).any():
        low, high = np.nanmin(seen), np.nanmax(seen)
        room = 0.12 * (high - low) or 1.0
        ax.set_ylim(low - room, high + room)
