"""Picture of an event: records, model and 90 % intervals at its buoys, and slip."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.events.cases import Case
from benchmarks.events.event import Event
from benchmarks.events.waves import known_samples
from slipcast import plots
from slipcast.greens.bank import GreensBank
from slipcast.inversion.estimate import SlipEstimate
from slipcast.records import Records
from slipcast.reports.event import draw_event

__all__ = ["draw_figure"]

_SHOWN_MIN = 90.0
_THIN_S = 300.0


def draw_figure(
    event: Event,
    records: Records,
    bank: GreensBank,
    cases: Sequence[Case],
    slips: Mapping[tuple[str, str], SlipEstimate],
    folder: Path,
) -> None:
    """Draw the first case of at least 90 minutes with records, by the last method that gives intervals there.

    Parameters
    ----------
    event : Event
        Names the file.
    records, bank
        Of the event.
    cases : sequence of Case
        Of the event.
    slips : mapping of (str, str) to SlipEstimate
        By case and method, of methods with posterior samples.
    folder : path
        Where it is written.
    """
    late = [case for case in sorted(cases, key=lambda case: case.last_min) if case.last_min >= _SHOWN_MIN]
    for case in [case for case in late if case.kind != "left out"] + late:
        methods = [method for name, method in slips if name == case.name]
        if methods:
            title = f"{event.title}, {case.last_min:g} min"
            axes = draw_event(records, slips[case.name, methods[-1]], bank, title=title)
            _add_samples(axes, records)
            _key_below(axes)
            folder.mkdir(parents=True, exist_ok=True)
            plots.save_figure(axes, folder / f"{event.name}.png")
            return


def _key_below(axes: np.ndarray) -> None:
    """Move the key out of the first panel, where a wave may be, below all."""
    if (key := axes[0].get_legend()) is not None:
        handles, labels = key.legend_handles, [text.get_text() for text in key.get_texts()]
        key.remove()
        axes[0].figure.legend(handles, labels, loc="outside lower left", ncols=len(labels), fontsize=7, frameon=False)


def _add_samples(axes: Iterable[Any], records: Records) -> None:
    """Add samples of records that are too thin for a line."""
    for gauge in records.gauges:
        time_s, level_m = known_samples(records, gauge)
        for ax in axes:
            if not ax.get_title(loc="left").startswith(f"DART {gauge},"):
                continue
            west, east = ax.get_xlim()
            seen = (time_s >= 60 * west) & (time_s <= 60 * east)
            if seen.sum() < 2 or np.median(np.diff(time_s[seen])) < _THIN_S:
                continue
            ax.plot(time_s[seen] / 60, 100 * level_m[seen], ".", color="black", ms=4, zorder=3)
            low, high = ax.get_ylim()
            room = 0.05 * (high - low)
            highest, lowest = 100 * level_m[seen].max(), 100 * level_m[seen].min()
            ax.set_ylim(min(low, lowest - room), max(high, highest + room))
