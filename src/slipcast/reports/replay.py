"""Report of a replay: findings in words, a still figure, and a page with a slider over the minutes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slipcast import plots
from slipcast.inversion.estimate import magnitude_words
from slipcast.realtime.convergence import forecast_convergence_min, magnitude_convergence_min
from slipcast.realtime.replay import Replay
from slipcast.reports.html import Figure, Section, Table, Text, write_report
from slipcast.reports.replay_figure import replay_figure

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as PlotlyFigure

__all__ = ["draw_replay", "findings", "write_replay_page"]

_MOST_PANELS = 6
_ABOUT = """Every frame uses only the samples that had been sent by its minute. This is a calculation after the event,
or of a made-up one. It is no official warning and replaces none: in an emergency follow the tsunami warning centre and
the local authorities.

Linear waves over the grid of the bank: at forecast points an index offshore, not a height at the coast."""


def draw_replay(replay: Replay, *, reference_magnitude: float | None = None, title: str = "") -> np.ndarray:
    """Draw magnitude and forecast maxima of a replay, by :func:`slipcast.plots.plot_replay`, at six gauges at most.

    Parameters
    ----------
    replay : Replay
        Of any method.
    reference_magnitude : float, optional
        Mw for comparison.
    title : str, optional
        By default that of the records, with the method.

    Returns
    -------
    axes : array of Axes
    """
    data, gauges = replay.dataset, replay.shown_gauges(_MOST_PANELS)
    quantiles = {}
    if "max_amplitude_quantile" in data:
        spread = data["max_amplitude_quantile"].transpose("gauge", "quantile", "minute")
        quantiles = {name: spread.sel(gauge=name).to_numpy() for name in gauges}
    of_magnitude = data.get("magnitude_quantile")
    return plots.plot_replay(
        replay.minutes,
        data["magnitude"].to_numpy(),
        {name: data["max_amplitude"].sel(gauge=name).to_numpy() for name in gauges},
        magnitude_quantiles=None if of_magnitude is None else of_magnitude.transpose("quantile", "minute").to_numpy(),
        max_amplitude_quantiles_m=quantiles,
        observed_maximum_m=replay.observed_maximum_m,
        used=replay.gauges_used,
        contribution_min=replay.contribution_min,
        reference_magnitude=reference_magnitude,
        title=title or _title(replay),
    )


def write_replay_page(
    path: str | os.PathLike, replay: Replay, *, reference_magnitude: float | None = None, title: str = ""
) -> None:
    """Write a replay as one HTML file that loads nothing, with a slider and a button that plays the minutes.

    Parameters
    ----------
    path : path
        The target.
    replay : Replay
        Of any method.
    reference_magnitude : float, optional
        Mw for comparison.
    title : str, optional
        By default that of the records, with the method.

    Raises
    ------
    InputError
        If the target cannot be written.
    """
    caption = (
        "Left, slip on unit sources, one scale for all minutes. Right, what buoys had recorded (black; grey is what "
        "came later) and the forecast with its 90 % interval. Below, magnitude with its 90 % interval. The interval "
        "is missing where the method does not know how uncertain it is."
    )
    sections: list[Section] = [
        Text(_ABOUT),
        Text(findings(replay, reference_magnitude=reference_magnitude)[0]),
        Figure(_Paused(replay_figure(replay, reference_magnitude=reference_magnitude)), caption),
        _table(replay),
    ]
    write_report(path, title=title or _title(replay), sections=sections)


def _title(replay: Replay) -> str:
    """Return the title of a replay."""
    about = replay.dataset.attrs
    what = about.get("title") or about.get("origin_time") or about.get("region")
    return f"Replay of {what}, {about['method']}"


def findings(replay: Replay, *, reference_magnitude: float | None = None) -> list[str]:
    """Word the convergence times of magnitude and forecasts.

    Parameters
    ----------
    replay : Replay
        Of any method.
    reference_magnitude : float, optional
        Mw for comparison.

    Returns
    -------
    lines : list of str
        One on the magnitude, then one for each gauge with a recorded first wave that was not used.
    """
    data = replay.dataset.isel(minute=-1)
    line = f"{magnitude_words(data)} at minute {replay.minutes[-1]:g}"
    line += f"; within 0.1 of it {_from_when(magnitude_convergence_min(replay))}"
    if reference_magnitude is not None:
        when = magnitude_convergence_min(replay, reference=reference_magnitude)
        line += f", within 0.1 of {reference_magnitude:g} {_from_when(when)}"
    lines = [line]
    for name, recorded in replay.observed_maximum_m.items():
        if name in replay.gauges and name not in replay.gauges_used:
            when = forecast_convergence_min(replay, name)
            own = forecast_convergence_min(replay, name, against="last")
            lines.append(
                f"{name}, not used: forecast {float(data['max_amplitude'].sel(gauge=name)):.2f} m, within 20 % of it "
                f"{_from_when(own)}; recorded {recorded:.2f} m, within 20 % of it {_from_when(when)}"
            )
    return lines


def _from_when(minute: float | None) -> str:
    """Word from which minute on something was so."""
    return "at no time to the end" if minute is None else f"from minute {minute:g} on"


def _table(replay: Replay) -> Table:
    """Tabulate from when on forecasts stayed near their last value and the record."""
    recorded, last = replay.observed_maximum_m, replay.dataset["max_amplitude"].isel(minute=-1)
    rows = [
        [
            name,
            "used" if name in replay.gauges_used else "not used",
            float(last.sel(gauge=name)),
            forecast_convergence_min(replay, name, against="last"),
            recorded.get(name),
            forecast_convergence_min(replay, name) if name in recorded else None,
        ]
        for name in replay.gauges
    ]
    return Table(
        ["gauge", "record", "last forecast (m)", "within 20 % from (min)", "recorded (m)", "within 20 % from (min)"],
        rows,
        "Forecast maxima, the crest of the recorded first wave, and the minute from which on to the end forecasts were "
        "within 20 % of the one and of the other; a dash where they were not, or nothing was recorded.",
    )


@dataclass(frozen=True)
class _Paused:
    """A plotly figure that waits for its reader: one with frames would play as soon as the page opens."""

    figure: PlotlyFigure

    @property
    def layout(self) -> Any:
        """The layout of the figure."""
        return self.figure.layout

    def to_html(self, **options: Any) -> str:
        """Turn the figure into HTML."""
        return self.figure.to_html(auto_play=False, **options)
