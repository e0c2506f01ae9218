"""The figure of raw records: tide, what is left, flags by shape and colour, shaking shaded."""

from typing import Any

import numpy as np
import numpy.testing as npt
import pytest

from slipcast import plots
from slipcast.errors import InputError

MASKS = {"gross_range": 1, "spike": 2, "shaking": 16}
TIME_S = np.arange(-7200.0, 14400.0, 60.0)


def raw(n_gauges=2):
    """Arguments of the figure: tide and a wave, a spike at the first gauge, a gap at the second."""
    tide = 5000.0 + np.sin(TIME_S / 7000.0) + np.zeros((n_gauges, 1))
    level = 0.3 * np.exp(-(((TIME_S - 3600.0) / 600.0) ** 2)) + np.zeros((n_gauges, 1))
    height = tide + level
    flags = np.zeros(height.shape, dtype=np.uint8)
    height[0, 200] -= 0.15
    flags[0, 200] = 2
    height[0, 210] = 0.0
    flags[0, 210] = 1
    height[-1, 50:90] = np.nan
    left = np.where(flags == 0, height - tide, np.nan)
    return TIME_S, height, tide, left, flags


def figure(arguments=None, **options) -> Any:
    arguments = raw() if arguments is None else arguments
    gauges = [f"2140{i}" for i in range(len(arguments[1]))]
    return plots.plot_raw_records(*arguments, **({"gauges": gauges, "masks": MASKS} | options))


def lines(ax):
    return {line.get_label(): line for line in ax.lines}


def test_two_panels_for_each_gauge():
    arguments = raw()
    before = [np.array(value) for value in arguments]
    axes = figure(arguments, title="an event", origin_label="the origin")
    assert axes.shape == (2, 2)
    assert [ax.get_title(loc="left") for ax in axes[:, 0]] == ["DART 21400", "DART 21401"]
    assert axes[0, 1].get_title() == "an event"
    assert [ax.get_ylabel() for ax in axes[0]] == ["water column (m)", "sea level (cm)"]
    assert [ax.get_xlabel() for ax in axes[-1]] == ["time after the origin (h)"] * 2
    median = np.nanmedian(arguments[1][0])
    npt.assert_allclose(lines(axes[0, 0])["tide"].get_ydata(), arguments[2][0] - median)
    npt.assert_allclose(lines(axes[0, 0])["raw, less its median"].get_ydata(), arguments[1][0] - median)
    known = np.isfinite(arguments[3][0])
    npt.assert_allclose(lines(axes[0, 1])["tide removed"].get_ydata(), 100.0 * arguments[3][0][known])
    for value, copy in zip(arguments, before):
        npt.assert_array_equal(value, copy)


def test_flags_have_shapes_and_colours_of_their_own():
    axes = figure()
    marks = lines(axes[0, 1])
    spike, gross = marks["spike"], marks["gross range"]
    assert spike.get_marker() != gross.get_marker()
    assert spike.get_markeredgecolor() != gross.get_markeredgecolor()
    npt.assert_allclose(spike.get_xdata(), TIME_S[200] / 3600.0)
    # a spike of -15 cm on no wave is below what the axis of the rest shows, as is a height of 0 m
    low = axes[0, 1].get_ylim()[0]
    npt.assert_allclose([spike.get_ydata()[0], gross.get_ydata()[0]], low)
    assert low > -10.0
    # the raw axis is not spoiled by the height of 0 m either
    assert axes[0, 0].get_ylim()[0] > -10.0
    # the legend under the last panel has the tests of all
    assert [t.get_text() for t in axes[-1, 1].get_legend().get_texts()] == ["tide removed", "gross range", "spike"]


def test_shaking_is_shaded_where_it_is_and_in_the_legend():
    axes = figure(shaking={"21400": (300.0, 1500.0), "21401": None})
    span = next(patch for patch in axes[0, 1].patches if patch.get_label() == "span of shaking")
    npt.assert_allclose((span.get_x(), span.get_x() + span.get_width()), (300.0 / 3600.0, 1500.0 / 3600.0))
    for ax in axes[-1]:
        assert "span of shaking" in [t.get_text() for t in ax.get_legend().get_texts()]


def test_hours_limit_what_is_drawn():
    axes = figure(hours=(0.0, 1.0), shaking={"21401": (7200.0, 8000.0)})
    assert axes[1, 0].get_xlim() == (0.0, 1.0)
    drawn = lines(axes[0, 1])["tide removed"].get_xdata()
    assert (drawn.min(), drawn.max()) == (0.0, 1.0)
    labels = [t.get_text() for t in axes[-1, 1].get_legend().get_texts()]
    assert labels == ["tide removed"]


def test_lines_break_at_gaps_and_not_between_quarter_hours():
    axes = figure()
    drawn = lines(axes[1, 1])["tide removed"].get_ydata()
    assert np.isnan(drawn).sum() == 1
    time = np.arange(0.0, 36000.0, 900.0)
    level = np.full((1, time.size), 2.0)
    axes = figure((time, level, level, level, np.zeros(level.shape, dtype=np.uint8)))
    assert not np.isnan(lines(axes[0, 1])["tide removed"].get_ydata()).any()
    assert axes[0, 1].get_ylabel() == "sea level (m)"


@pytest.mark.slow
@pytest.mark.parametrize("n_gauges", [1, 8])
def test_one_to_eight_gauges_are_laid_out(tmp_path, n_gauges, recwarn):
    axes = figure(raw(n_gauges), shaking={"21400": (0.0, 600.0)})
    plots.save_figure(axes, tmp_path / "raw.png", dpi=40)
    assert (tmp_path / "raw.png").read_bytes().startswith(b"\x89PNG")
    assert not [warning for warning in recwarn if "constrained_layout" in str(warning.message)]
    heights = {round(ax.get_position().height, 3) for ax in axes.ravel()}
    assert len(heights) == 1
    assert heights.pop() > 0.5 / n_gauges


def test_nothing_but_gaps_is_drawn():
    nothing = np.full((1, TIME_S.size), np.nan)
    axes = figure((TIME_S, nothing, nothing, nothing, np.zeros(nothing.shape, dtype=np.uint8)))
    assert axes[0, 1].get_ylabel() == "sea level (cm)"
    empty = np.empty((1, 0))
    assert figure((np.empty(0), empty, empty, empty, empty)).shape == (1, 2)


def test_given_axes_are_used():
    given = figure()
    axes = figure(axes=given.ravel())
    assert axes[1, 1] is given[1, 1]
    with pytest.raises(InputError, match="axes must be one for each of 4 panels, got 2"):
        figure(axes=given[0])


def test_what_does_not_fit_is_refused():
    time, height, tide, level, flags = raw()
    with pytest.raises(InputError, match=r"tide_m must have shape \(2, 360\) \(gauges by time_s\), got \(360,\)"):
        figure((time, height, tide[0], level, flags))
    with pytest.raises(InputError, match=r"flags must have shape \(2, 360\)"):
        figure((time, height, tide, level, flags[:1]))
    with pytest.raises(InputError, match="flags must be sums of the bits in masks, got 8"):
        figure((time, height, tide, level, flags | np.uint8(8)))
    with pytest.raises(InputError, match="masks must be of at most 8 tests, got 9"):
        figure(masks={str(i): 2**i for i in range(9)})
    with pytest.raises(InputError, match="unknown gauge '21409' in shaking"):
        figure(shaking={"21409": (0.0, 1.0)})
    with pytest.raises(InputError, match="hours must rise, got 2 and 1"):
        figure(hours=(2.0, 1.0))
    with pytest.raises(InputError, match="gauges must name at least one, got none"):
        figure((time, height[:0], tide[:0], level[:0], flags[:0]))
