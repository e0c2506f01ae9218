"""Figures of the benchmarks: they show what they are given, and refuse what cannot be drawn."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest
from benchmarks import figures

from slipcast.errors import InputError


def test_figures_show_what_they_are_given():
    ax = figures.plot_error_by_window(
        [10, 45], {"a": [3.0, 2.0], "b": [np.nan, 1.0]}, reference=1.5, reference_label="c"
    )
    assert [line.get_label() for line in ax.get_lines()] == ["a", "b", "c"]
    npt.assert_array_equal(ax.get_lines()[1].get_ydata(), [np.nan, 1.0])
    assert ax.get_yscale() == "log"
    axes = figures.plot_reliability([0.5, 0.9], {"slip": {"10 min": [0.4, 0.8]}, "waves": {"10 min": [0.5, 0.9]}})
    npt.assert_array_equal(axes[0].get_lines()[1].get_ydata(), [0.4, 0.8])
    bands = np.array([[-1.0], [-0.5], [0.1], [0.5], [1.0]]) * np.ones(3)
    axes = figures.plot_prediction_intervals(
        [0, 60, 120], [0.0, 0.1, 0.2], {1.0: bands, 2.0: 0.5 * bands}, title="west"
    )
    npt.assert_array_equal(axes[1].get_lines()[0].get_ydata(), 0.05)
    npt.assert_array_equal(axes[1].get_lines()[1].get_ydata(), [0.0, 0.1, 0.2])
    assert [ax.get_title(loc="left") for ax in axes] == ["west, after 1 min", "west, after 2 min"]
    npt.assert_array_equal([line.get_xdata()[0] for line in axes[1].get_lines()][-1], 2.0)


def test_figures_that_cannot_be_drawn():
    for draw, message in (
        (lambda: figures.plot_error_by_window([1], {}), "error_m2 must have at least one method, got none"),
        (lambda: figures.plot_error_by_window([1], {"a": [1, 2]}), r"error_m2\['a'\] must have shape \(1,\)"),
        (lambda: figures.plot_reliability([0.5], {}), "covered must have at least one quantity, got none"),
        (lambda: figures.plot_reliability([0.5], {"s": {"a": []}}), r"covered\['s'\]\['a'\] must have shape \(1,\)"),
        (
            lambda: figures.plot_prediction_intervals([0], [0], {}),
            "quantiles_m must have at least one window, got none",
        ),
    ):
        with pytest.raises(InputError, match=message):
            draw()
