"""The figure of an event: records and model at buoys used and not used, slip, and how sure it is."""

from typing import Any

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from inversion_fixtures import invert_by
from plot_fixtures import texts
from record_fixtures import DARTS, records_of
from slipcast import plots
from slipcast.errors import InputError
from slipcast.forecasting.forecast import forecast
from slipcast.forecasting.wave_fit import fit_waves
from slipcast.records import Records
from slipcast.reports.event import draw_event

TIME_S = np.arange(0.0, 10800.0, 60.0)
GAUGES = ["21418", "21401", "21413"]
SOURCES, TRUE_M = ["kisza26", "kiszb26"], [12.0, 20.0]


def wave(middle_min: float, height_m: float) -> np.ndarray:
    """A crest and a trough."""
    phase = (TIME_S / 60 - middle_min) / 10.0
    return height_m * np.exp(-(phase**2)) * np.cos(phase)


def figure(n_gauges=3, **options) -> Any:
    names = [f"2140{i}" for i in range(n_gauges)]
    observed = {name: wave(40 + 10 * i, 1.0 / (1 + i)) for i, name in enumerate(names)}
    spans = {name: (60.0 * (30 + 10 * i), 60.0 * (55 + 10 * i)) for i, name in enumerate(names)}
    arguments = {"used": names[:2], "first_waves_s": spans, "windows_min": dict.fromkeys(names, 60.0)} | options
    modelled = arguments.pop("modelled", {name: 0.9 * row for name, row in observed.items()})
    return plots.plot_event(TIME_S, arguments.pop("observed", observed), modelled, SOURCES, TRUE_M, **arguments)


def series(ax):
    """Return what is drawn against time, but for the line at zero."""
    return [line.get_ydata() for line in ax.lines if len(line.get_ydata()) == TIME_S.size]


def test_a_panel_for_each_gauge_and_a_map():
    axes = figure(notes={"21400": "explained variance 0.99"}, title="an event", magnitude=8.9)
    assert axes.shape == (4,)
    titles = [ax.get_title(loc="left") for ax in axes[:3]]
    assert titles == ["DART 21400, used\nexplained variance 0.99", "DART 21401, used", "DART 21402, not used"]
    for i, ax in enumerate(axes[:3]):
        recorded, modelled = series(ax)
        npt.assert_allclose(recorded, 100 * wave(40 + 10 * i, 1.0 / (1 + i)))
        npt.assert_allclose(modelled, 0.9 * recorded)
        # its own first wave, from 20 min before to half an hour after
        npt.assert_allclose(ax.get_xlim(), (10 + 10 * i, 85 + 10 * i))
        low, high = ax.get_ylim()
        assert low < recorded.min() or low < 0
        assert high > recorded.max()
    assert axes[0].get_ylabel() == "pressure (cm of water)"
    assert axes[2].get_xlabel() == "minutes after the earthquake"
    assert "an event" in " ".join([*texts(axes[3]), axes[3].get_title(loc="left")])


def shades(ax):
    """Return the spans that are shaded, min."""
    return [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in ax.patches]


def test_what_was_used_is_shaded_and_what_was_not():
    axes = figure()
    npt.assert_allclose(shades(axes[0]), [(0, 60)])
    npt.assert_allclose(shades(axes[2]), [(50, 75)])
    labels = [text.get_text() for text in axes[0].get_legend().get_texts()]
    assert labels == ["recorded", "model", "used by the inversion", "first wave, not used"]
    without = figure(2, windows_min=None)[0]
    assert shades(without) == []
    assert [text.get_text() for text in without.get_legend().get_texts()] == ["recorded", "model"]


def test_uncertainty_is_a_band_and_a_second_map():
    names = [f"2140{i}" for i in range(3)]
    ends = tuple({name: np.full(TIME_S.size, end) for name in names} for end in (-0.2, 0.3))
    axes = figure(interval_m=ends, slip_sd_m=[1.0, 2.0], magnitude=8.9, magnitude_interval=(8.81, 8.97))
    assert axes.shape == (5,)
    for ax in axes[:3]:
        (band,) = ax.collections
        npt.assert_allclose(band.get_datalim(ax.transData).intervaly, (-20, 30))
    assert "90 %: 8.81 to 8.97" in " ".join([*texts(axes[3]), axes[3].get_title(loc="left")])
    assert "standard deviation of slip" in " ".join([*texts(axes[4]), axes[4].get_title(loc="left")])


@pytest.mark.slow
def test_five_gauges_are_laid_out_in_two_columns(tmp_path, recwarn):
    axes = figure(5, slip_sd_m=[1.0, 2.0], used=[], gauges={"21418": (148.7, 38.7)})
    assert axes.shape == (7,)
    columns = [round(ax.get_position().x0, 3) for ax in axes[:5]]
    assert columns[0] == columns[2] == columns[4] < columns[1] == columns[3]
    plots.save_figure(axes, tmp_path / "event.png", dpi=40)
    assert (tmp_path / "event.png").read_bytes().startswith(b"\x89PNG")
    assert not [warning for warning in recwarn if "constrained_layout" in str(warning.message)]


def test_arguments_stay_as_they_were_and_gaps_are_gaps():
    level = wave(40, 1.0)
    level[30:35] = np.nan
    observed = xr.DataArray(
        np.stack([level, np.full(TIME_S.size, np.nan)]),
        coords={"gauge": ["21400", "21401"]},
        dims=("gauge", "time"),
    )
    before = observed.copy(deep=True)
    axes = figure(observed=observed)
    npt.assert_array_equal(series(axes[0])[0], 100 * level)
    xr.testing.assert_identical(observed, before)


def test_what_does_not_fit():
    with pytest.raises(InputError, match="observed must have at least one gauge, got none"):
        figure(observed={})
    with pytest.raises(InputError, match="first_waves_s lacks gauge 21400, which is observed"):
        figure(first_waves_s={})
    with pytest.raises(InputError, match="modelled 'model' lacks gauge 21400, which is observed"):
        figure(modelled={})
    with pytest.raises(InputError, match="observed at gauge 21400 must have shape"):
        figure(observed={"21400": np.zeros(5)})
    ends = ({"21400": np.zeros(TIME_S.size)}, {"21400": np.zeros(TIME_S.size)})
    with pytest.raises(InputError, match="lower end of interval_m' lacks gauge 21401, which is observed"):
        figure(interval_m=ends)
    with pytest.raises(InputError, match="slip_sd_m must have shape"):
        figure(slip_sd_m=[1.0])


# from records and slip


@pytest.mark.slow
def test_an_event_is_drawn_from_its_parts(small_bank, small_set):
    gauges, records = DARTS, records_of(small_bank)
    options = {"window_min": 60, "gauges": gauges[:2]}
    plain = invert_by(records, small_bank, method="nnls", **options)
    axes = draw_event(records, plain, small_bank, title="a twin")
    assert axes.shape == (4,)
    fits = fit_waves(records, forecast(plain, small_bank), used=gauges[:2])
    for ax, fit in zip(axes[:3], fits, strict=True):
        role = "used" if fit.used else "not used"
        assert ax.get_title(loc="left").startswith(f"DART {fit.gauge}, {role}\nexplained variance 1.00, crest")
        npt.assert_allclose(ax.get_xlim(), (fit.start_s / 60 - 20, fit.end_s / 60 + 30))
    scenarios = small_set.with_split((1.0, 0.0, 0.0), 1)
    sure = invert_by(records, small_bank, method="gaussian", scenarios=scenarios, **options)
    assert draw_event(records, sure, small_bank).shape == (5,)
    calm = Records(records.dataset.assign(sea_level=0 * records.sea_level))
    with pytest.raises(InputError, match="no gauge of the records has recorded a first wave that the bank forecasts"):
        draw_event(calm, plain, small_bank)
