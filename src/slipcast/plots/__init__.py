"""Figures: functions that take arrays and matplotlib axes, draw, and return the axes.

They compute nothing, show nothing and keep no global state; matplotlib is imported when a figure is drawn.
Axes that are not given are made on a figure of their own, which :func:`save_figure` writes.
"""

from slipcast.plots.canvas import save_figure
from slipcast.plots.comparison import plot_errors, plot_scenario
from slipcast.plots.event import plot_event
from slipcast.plots.history import plot_history
from slipcast.plots.maps import plot_pacific, plot_region, plot_slip
from slipcast.plots.raw_records import plot_raw_records
from slipcast.plots.replay import plot_replay
from slipcast.plots.series import plot_bank, plot_forecast, plot_prediction_interval, plot_records
from slipcast.plots.skill import plot_max_amplitude
from slipcast.plots.tuning import plot_importance, plot_search

__all__ = [
    "plot_bank",
    "plot_errors",
    "plot_event",
    "plot_forecast",
    "plot_history",
    "plot_importance",
    "plot_max_amplitude",
    "plot_pacific",
    "plot_prediction_interval",
    "plot_raw_records",
    "plot_records",
    "plot_region",
    "plot_replay",
    "plot_scenario",
    "plot_search",
    "plot_slip",
    "save_figure",
]
