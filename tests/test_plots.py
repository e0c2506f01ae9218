"""Figures: what is drawn, with which units; no global state; messages that name what does not fit."""

import subprocess
import sys
from typing import Any

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from plot_fixtures import texts
from slipcast import plots
from slipcast.errors import InputError
from slipcast.io.atomic import atomic_path
from slipcast.physics.unit_sources import unit_source
from slipcast.plots import geography
from slipcast.plots.series import gauge_traces
from slipcast.regions.region import Region, region_names

TIME_S = np.arange(0.0, 7200.0, 60.0)
RECORDS = {"46404": 0.3 * np.sin(TIME_S / 900.0), "46407": 0.1 * np.cos(TIME_S / 900.0)}


@pytest.fixture(scope="module")
def cascadia():
    return Region.open("cascadia")


# geography


def test_coast_runs_where_the_depth_changes_sign():
    lines = geography.coast_lines((230.0, 240.0), (40.0, 48.0))
    coast = max(lines, key=len)
    at_newport = coast[np.abs(coast[:, 1] - 44.6) < 0.05]
    # Newport, Oregon, lies at 124.07 W (USGS GNIS); ETOPO1 is at 6 arc-minutes here
    npt.assert_allclose(at_newport[:, 0], 360.0 - 124.07, atol=0.15)


def test_coast_keeps_the_branch_of_the_range():
    west = geography.coast_lines((-130.0, -120.0), (40.0, 48.0))
    east = geography.coast_lines((230.0, 240.0), (40.0, 48.0))
    assert len(west) == len(east)
    for a, b in zip(west, east):
        npt.assert_allclose(np.add(a, (360.0, 0.0)), b)


@pytest.mark.parametrize(
    ("lon", "lat", "message"),
    [
        ((240.0, 230.0), (40.0, 48.0), "lon_range must rise by at most 360 degrees"),
        ((230.0, 240.0), (48.0, 40.0), r"lat_range must rise within \[-88, 88\]"),
        ((230.0, 240.0), (40.0, 90.0), r"lat_range must rise within \[-88, 88\]"),
    ],
)
def test_coast_refuses_empty_ranges(lon, lat, message):
    with pytest.raises(InputError, match=message):
        geography.coast_lines(lon, lat)


def test_land_rings_hold_the_land():
    from matplotlib.path import Path

    extent = geography.Extent(230.0, 240.0, 40.0, 48.0)
    points = [(238.0, 44.0), (232.0, 44.0)]
    inside = sum(Path(ring).contains_points(points) for ring in geography.land_rings(extent))
    npt.assert_array_equal(inside % 2, [1, 0])


def test_sea_depth_is_shared_but_cannot_be_changed():
    _, _, depth_m = geography.sea_depth(geography.Extent(230.0, 240.0, 40.0, 48.0))
    with pytest.raises(ValueError, match="read-only"):
        depth_m[0, 0] = 1.0


def test_extent_crosses_the_antimeridian_and_greenwich():
    pacific = geography.extent_around([175.0, -170.0], [0.0, 5.0], margin_deg=1.0)
    assert (pacific.west, pacific.east) == (174.0, 191.0)
    atlantic = geography.extent_around([2.0, 350.0], [0.0, 5.0], margin_deg=1.0)
    assert (atlantic.west, atlantic.east) == (349.0, 363.0)
    npt.assert_allclose(atlantic.wrap([2.0, -10.0]), [362.0, 350.0])


def test_extent_is_widened_to_the_least_width():
    extent = geography.extent_around([230.0, 231.0], [40.0, 50.0], margin_deg=1.0, least_width=0.5)
    assert (extent.east - extent.west) / extent.aspect >= 0.5 * (extent.north - extent.south)


@pytest.mark.parametrize("name", region_names())
def test_every_gauge_is_near_or_far(name):
    region = Region.open(name)
    near, far = geography.split_gauges(region)
    assert sorted(g.name for g in [*near, *far]) == sorted(region.gauge_names())


def test_labels_do_not_overlap():
    rng = np.random.default_rng(4)
    points = rng.uniform(50, 350, (14, 2))
    sizes = np.full((14, 2), (40.0, 9.0))
    middles = geography.place_labels(points, sizes, frame=(400.0, 400.0), first_side=["right"] * 14, radius=4.0)
    boxes = np.hstack([middles - sizes / 2, middles + sizes / 2])
    for i in range(14):
        shared = np.minimum(boxes[i, 2:], boxes[i + 1 :, 2:]) - np.maximum(boxes[i, :2], boxes[i + 1 :, :2])
        assert not (shared > 0).all(axis=1).any()
    assert boxes.min() >= 0
    assert boxes.max() <= 400


def test_a_free_label_goes_to_its_first_side():
    middles = geography.place_labels(
        np.array([[100.0, 100.0], [300.0, 300.0]]),
        np.full((2, 2), (40.0, 9.0)),
        frame=(400.0, 400.0),
        first_side=["right", "left"],
        radius=4.0,
    )
    npt.assert_allclose(middles, [[124.0, 100.0], [276.0, 300.0]])


# maps


def test_region_map_shows_its_sources_and_near_gauges(cascadia):
    ax: Any = plots.plot_region(cascadia)
    sources = next(c for c in ax.collections if c.get_label() == "unit source")
    assert len(sources.get_paths()) == 31
    near, _ = geography.split_gauges(cascadia)
    assert {g.name for g in near} <= set(texts(ax))
    assert "58a" in texts(ax)
    for kind, label in (("dart", "DART"), ("forecast", "forecast point")):
        drawn = next(c for c in ax.collections if c.get_label() == label)
        assert len(drawn.get_offsets()) == sum(g.kind == kind for g in near)
    assert ax.xaxis.get_major_formatter()(235.0) == "125°W"
    assert ax.yaxis.get_major_formatter()(45.0) == "45°N"
    assert any(other.get_ylabel() == "water depth (m)" for other in ax.figure.axes)
    lat = np.mean(ax.get_ylim())
    npt.assert_allclose(ax.get_aspect(), 1 / np.cos(np.radians(lat)))


def test_source_rectangles_stand_where_the_sources_are(cascadia):
    ax: Any = plots.plot_region(cascadia)
    sources = next(c for c in ax.collections if c.get_label() == "unit source")
    index = cascadia.sources.index("acsza58")
    npt.assert_allclose(sources.get_paths()[index].vertices[:4], unit_source("acsza58").corners()[:, :2], atol=1e-9)


@pytest.mark.parametrize("name", ["chile", "japan", "kamchatka"])
def test_other_regions_are_drawn(name):
    region = Region.open(name)
    for ax in (plots.plot_region(region), plots.plot_pacific(region)):
        sources = next(c for c in ax.collections if c.get_label() == "unit source")
        assert len(sources.get_paths()) == len(region.sources)


def test_pacific_map_shows_the_far_gauges_together(cascadia):
    ax = plots.plot_pacific(cascadia)
    assert "hilo1, hilo2" in texts(ax)
    assert "46404" not in texts(ax)


def test_pacific_map_needs_a_far_gauge(cascadia):
    with pytest.raises(InputError, match="region cascadia has no far gauge"):
        plots.plot_pacific(cascadia.with_gauges(["46404"]))


def test_slip_map(cascadia):
    slip = np.linspace(0.0, 9.0, 31)
    before = slip.copy()
    ax: Any = plots.plot_slip(
        cascadia.sources,
        slip,
        magnitude=8.954,
        gauges={"46404": (231.264, 45.857)},
        title="Network",
        note="One buoy only.",
    )
    filled = next(c for c in ax.collections if c.get_label() == "slip")
    npt.assert_array_equal(filled.get_array(), slip)
    assert filled.get_clim() == (0.0, 9.0)
    assert ax.get_title() == "Network: $M_w$ 8.95"
    assert any(other.get_ylabel() == "slip (m)" for other in ax.figure.axes)
    assert any("One buoy only." in artist.txt.get_text() for artist in ax.artists if hasattr(artist, "txt"))
    assert "46404" in texts(ax)
    npt.assert_array_equal(slip, before)


def test_slip_map_of_no_slip_has_a_scale():
    ax: Any = plots.plot_slip(["acsza58"], [0.0])
    filled = next(c for c in ax.collections if c.get_label() == "slip")
    assert filled.get_clim() == (0.0, 1.0)


@pytest.mark.parametrize(
    ("slip", "message"),
    [
        ([1.0], r"slip_m must have shape \(2,\) \(one value for each of sources\), got \(1,\)"),
        ([1.0, -0.5], "slip_m must be finite and >= 0 m, got -0.5 for acsza59"),
        ([np.nan, 0.5], "slip_m must be finite and >= 0 m, got nan for acsza58"),
        ([1.0, np.inf], "slip_m must be finite and >= 0 m, got inf for acsza59"),
    ],
)
def test_slip_map_refuses_bad_slip(slip, message):
    with pytest.raises(InputError, match=message):
        plots.plot_slip(["acsza58", "acsza59"], slip)


def test_slip_map_refuses_sources_that_do_not_exist():
    with pytest.raises(InputError, match="sources must have at least one unit source"):
        plots.plot_slip([], [])
    with pytest.raises(InputError, match="unknown unit source 'acsza999'"):
        plots.plot_slip(["acsza999"], [1.0])


# series


def test_records_one_panel_a_gauge_in_minutes_and_cm():
    before = {name: series.copy() for name, series in RECORDS.items()}
    axes = plots.plot_records(TIME_S, RECORDS, {"network": RECORDS, "NNLS": RECORDS}, window_min=45)
    assert [ax.get_title(loc="left") for ax in axes] == ["DART 46404", "DART 46407"]
    lines = {line.get_label(): line for line in axes[0].lines}
    npt.assert_allclose(lines["observed"].get_xdata(), TIME_S / 60)
    npt.assert_allclose(lines["observed"].get_ydata(), 100 * RECORDS["46404"])
    assert lines["observed"].get_color() == "black"
    assert lines["network"].get_color() != lines["NNLS"].get_color()
    assert axes[0].get_ylabel() == "pressure (cm of water)"
    assert axes[-1].get_xlabel() == "time after the earthquake (min)"
    legends = [ax.get_legend() for ax in axes]
    assert legends[0] is None
    assert [t.get_text() for t in legends[1].get_texts()] == ["window, 45 min", "observed", "network", "NNLS"]
    for name, series in before.items():
        npt.assert_array_equal(RECORDS[name], series)


def test_large_records_are_in_metres():
    axes = plots.plot_records(TIME_S, {"46404": 10 * RECORDS["46404"]})
    assert axes[0].get_ylabel() == "pressure (m of water)"


def test_records_of_nothing_but_gaps_are_drawn():
    axes = plots.plot_records(TIME_S, {"46404": np.full(TIME_S.shape, np.nan)})
    assert axes[0].get_ylabel() == "pressure (cm of water)"


def test_records_are_joined_by_name():
    observed = xr.DataArray(np.stack(list(RECORDS.values())), dims=("gauge", "time"), coords={"gauge": list(RECORDS)})
    axes = plots.plot_records(TIME_S, observed, {"network": observed.isel(gauge=[1, 0]).transpose()})
    for ax, name in zip(axes, RECORDS):
        for line in (ln for ln in ax.lines if ln.get_label() in ("observed", "network")):
            npt.assert_allclose(line.get_ydata(), 100 * RECORDS[name])


def test_records_refuse_what_does_not_fit():
    with pytest.raises(InputError, match=r"observed at gauge 46404 must have shape \(120,\).*got \(3,\)"):
        plots.plot_records(TIME_S, {"46404": np.zeros(3)})
    with pytest.raises(InputError, match="modelled 'network' lacks gauge 46407"):
        plots.plot_records(TIME_S, RECORDS, {"network": {"46404": RECORDS["46404"]}})
    with pytest.raises(InputError, match=r"modelled 'network' at gauge 46404 must have shape \(120,\)"):
        plots.plot_records(TIME_S, RECORDS, {"network": {"46404": np.zeros(2)}})
    with pytest.raises(InputError, match="observed must have at least one gauge"):
        plots.plot_records(TIME_S, {})
    with pytest.raises(InputError, match="axes must be one for each of 2 panels, got 1"):
        plots.plot_records(TIME_S, RECORDS, axes=plots.plot_records(TIME_S, {"a": TIME_S}))


def test_gauge_traces_refuses_a_wrong_length():
    with pytest.raises(InputError, match="bank at gauge a must have shape"):
        gauge_traces({"a": [1.0]}, 2, what="bank")


def test_forecast_is_sorted_by_maximum():
    level = np.stack([0.1 * np.sin(TIME_S / 600), 0.5 * np.sin(TIME_S / 600), np.full(TIME_S.shape, np.nan)])
    ax: Any = plots.plot_forecast(
        TIME_S, level, ["hilo", "seaside", "dry"], [0.1, 0.5, np.nan], arrival_time_s=[600.0, 300.0, np.nan]
    )
    assert [label.get_text() for label in ax.get_yticklabels()] == ["seaside", "hilo", "dry"]
    assert {"maximum (m)", "0.50", "0.10", "nan"} <= set(texts(ax))
    arrivals = next(line for line in ax.lines if line.get_label() == "arrival")
    npt.assert_allclose(arrivals.get_xdata(), [5.0, 10.0, np.nan])
    assert ax.get_xlabel() == "time after the earthquake (min)"


def test_long_forecasts_are_in_hours():
    time_s = np.arange(0.0, 8 * 3600.0, 60.0)
    ax: Any = plots.plot_forecast(time_s, np.ones((1, time_s.size)), ["hilo"], [1.0])
    assert ax.get_xlabel() == "time after the earthquake (h)"


def test_a_forecast_with_its_interval():
    level = np.stack([0.1 * np.sin(TIME_S / 600), 0.5 * np.sin(TIME_S / 600)])
    interval = np.stack([level - 0.1, level + 0.3])
    ends = [[0.0, 0.4], [0.4, 0.8]]
    ax: Any = plots.plot_forecast(
        TIME_S, level, ["hilo", "seaside"], [0.1, 0.5], interval_m=interval, max_interval_m=ends
    )
    assert "0.50 (0.40 to 0.80)" in texts(ax)
    # the first band is that of the largest, seaside, scaled to 0.48 at its own highest end
    edge = ax.collections[0].get_paths()[0].vertices[:, 1]
    npt.assert_allclose(edge.max(), 0.48 * (0.5 * np.sin(TIME_S / 600) + 0.3).max() / np.abs(interval[:, 1]).max())
    npt.assert_allclose(edge.min(), 0.48 * (0.5 * np.sin(TIME_S / 600) - 0.1).min() / np.abs(interval[:, 1]).max())
    with pytest.raises(InputError, match=r"interval_m must have shape \(2, 2, 120\)"):
        plots.plot_forecast(TIME_S, level, ["hilo", "seaside"], [0.1, 0.5], interval_m=level)


def test_forecast_refuses_what_does_not_fit():
    level = np.zeros((2, TIME_S.size))
    with pytest.raises(InputError, match=r"sea_level_m must have shape \(1, 120\) \(names by time_s\)"):
        plots.plot_forecast(TIME_S, level, ["hilo"], [0.0])
    with pytest.raises(InputError, match=r"max_amplitude_m must have shape \(2,\)"):
        plots.plot_forecast(TIME_S, level, ["hilo", "seaside"], [0.0])
    with pytest.raises(InputError, match=r"arrival_time_s must have shape \(2,\)"):
        plots.plot_forecast(TIME_S, level, ["hilo", "seaside"], [0.0, 0.0], arrival_time_s=[1.0])


def test_bank_traces():
    response = np.stack([0.02 * np.sin(TIME_S / 600), np.zeros(TIME_S.shape)])
    ax = plots.plot_bank(TIME_S, response, ["46404", "46407"], source="acsza58")
    assert "acsza58" in ax.get_title()
    assert {"largest (mm/m)", "20.0", "0.0"} <= set(texts(ax))
    with pytest.raises(InputError, match="response_m_per_m must have shape"):
        plots.plot_bank(TIME_S, response, ["46404"], source="acsza58")


def test_a_prediction_interval():
    bands = np.array([[-1.0], [-0.5], [0.1], [0.5], [1.0]]) * np.ones(3)
    time_s, level = [0.0, 60.0, 120.0], [0.1, 0.2, 0.3]
    ax = plots.plot_prediction_interval(
        time_s, level, bands, true_m=[0.0, 0.1, 0.0], label="median", window_min=1.5, title="hilo"
    )
    lines = {line.get_label(): line for line in ax.lines}
    npt.assert_array_equal(lines["median"].get_ydata(), level)
    npt.assert_array_equal(lines["median"].get_xdata(), [0.0, 1.0, 2.0])
    npt.assert_array_equal(lines["truth"].get_ydata(), [0.0, 0.1, 0.0])
    npt.assert_array_equal(lines["end of the window"].get_xdata(), 1.5)
    shades = {shade.get_label(): shade.get_datalim(ax.transData).intervaly for shade in ax.collections}
    npt.assert_array_equal(shades["90 % interval"], [-1.0, 1.0])
    npt.assert_array_equal(shades["50 % interval"], [-0.5, 0.5])
    assert ax.get_title(loc="left") == "hilo"
    plain = plots.plot_prediction_interval(time_s, level)
    assert [text.get_text() for text in plain.get_legend().get_texts()] == ["forecast"]
    for arguments, options, message in (
        (([0.0], [1.0, 2.0]), {}, r"level_m must have shape \(1,\)"),
        (([0.0], [1.0], np.ones((3, 1))), {}, r"quantiles_m must have shape \(5, 1\)"),
        (([0.0], [1.0]), {"true_m": [1.0, 2.0]}, r"true_m must have shape \(1,\)"),
    ):
        with pytest.raises(InputError, match=message):
            plots.plot_prediction_interval(*arguments, **options)


# skill


def test_history_marks_the_best_epoch():
    history = [
        {"epoch": i + 1, "train_loss_m2": 10.0 / (i + 1), "validation_loss_m2": loss}
        for i, loss in enumerate([9.0, 5.0, 4.0, 6.0])
    ]
    ax: Any = plots.plot_history(history)
    assert ax.get_yscale() == "log"
    assert ax.get_xlabel() == "epoch"
    assert ax.get_ylabel() == "mean squared error (m²)"
    best = next(line for line in ax.lines if line.get_label().startswith("best validation"))
    assert (best.get_xdata()[0], best.get_ydata()[0]) == (3.0, 4.0)


def test_history_refuses_what_it_cannot_draw():
    with pytest.raises(InputError, match="history must have at least one epoch"):
        plots.plot_history([])
    with pytest.raises(InputError, match="history entry 0 lacks 'validation_loss_m2'"):
        plots.plot_history([{"epoch": 1, "train_loss_m2": 1.0}])
    with pytest.raises(InputError, match="finite validation_loss"):
        plots.plot_history([{"epoch": 1, "train_loss_m2": 1.0, "validation_loss_m2": np.nan}])


def test_max_amplitude_panels():
    rng = np.random.default_rng(1)
    true = rng.uniform(0, 2, (20, 5))
    names = ["a", "b", "c", "d", "e"]
    methods = {"network": true * 1.1, "NNLS": true * 0.8}
    scores = {"NNLS": np.full(5, 0.5), "network": np.full(5, 0.9)}
    axes = plots.plot_max_amplitude(true, methods, names, explained_variance=scores)
    assert [ax.get_title(loc="left") for ax in axes] == names
    assert texts(axes[0])[:2] == ["0.90", "0.50"]
    assert len(axes[0].collections) == 2
    points = np.stack([true[:, 0], 1.1 * true[:, 0]], axis=1)
    npt.assert_allclose(axes[0].collections[0].get_offsets(), points)
    assert axes[0].get_xlim() == axes[0].get_ylim()
    assert axes[0].get_ylabel() == "predicted maximum (m)"
    assert axes[-1].get_xlabel() == "true maximum (m)"
    assert len(axes[0].figure.legends) == 1


def test_max_amplitude_refuses_what_does_not_fit():
    true = np.ones((4, 2))
    with pytest.raises(InputError, match="gauge_names must have at least one forecast point"):
        plots.plot_max_amplitude(np.ones((4, 0)), {}, [])
    with pytest.raises(InputError, match=r"true_m must have shape \(4, 1\)"):
        plots.plot_max_amplitude(true, {}, ["a"])
    with pytest.raises(InputError, match=r"predicted_m\['network'\] must have shape \(4, 2\)"):
        plots.plot_max_amplitude(true, {"network": np.ones((3, 2))}, ["a", "b"])
    with pytest.raises(InputError, match="explained_variance lacks method 'network'"):
        plots.plot_max_amplitude(true, {"network": true}, ["a", "b"], explained_variance={})
    with pytest.raises(InputError, match=r"explained_variance\['network'\] must have shape \(2,\)"):
        plots.plot_max_amplitude(true, {"network": true}, ["a", "b"], explained_variance={"network": [1.0]})


# files and state


def test_save_figure_writes_a_png_whole(tmp_path):
    path = tmp_path / "deep" / "figure.png"
    ax: Any = plots.plot_history([{"epoch": 1, "train_loss_m2": 1.0, "validation_loss_m2": 1.0}])
    for figure in (ax, ax.figure, np.array([ax], dtype=object)):
        plots.save_figure(figure, path, dpi=50)
        assert path.read_bytes().startswith(b"\x89PNG")
    assert [p.name for p in path.parent.iterdir()] == ["figure.png"]


def test_save_figure_says_what_it_cannot_write(tmp_path):
    (tmp_path / "figure.png").mkdir()
    ax: Any = plots.plot_history([{"epoch": 1, "train_loss_m2": 1.0, "validation_loss_m2": 1.0}])
    with pytest.raises(InputError, match="cannot write"):
        plots.save_figure(ax, tmp_path / "figure.png")


def test_save_figure_closes_what_pyplot_opened(tmp_path):
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, ax = pyplot.subplots()
    assert plots.plot_history([{"epoch": 1, "train_loss_m2": 1.0, "validation_loss_m2": 1.0}], ax=ax) is ax
    plots.save_figure(ax, tmp_path / "figure.png", dpi=50)
    assert not pyplot.fignum_exists(figure.number)


def test_an_old_figure_survives_a_failure(tmp_path):
    path = tmp_path / "figure.png"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="stop"), atomic_path(path):
        raise RuntimeError("stop")
    assert path.read_bytes() == b"old"


def test_matplotlib_waits_and_pyplot_is_never_imported():
    code = (
        "import sys, slipcast.plots as p\n"
        "assert 'matplotlib' not in sys.modules\n"
        "ax = p.plot_history([{'epoch': 1, 'train_loss_m2': 1.0, 'validation_loss_m2': 1.0}])\n"
        "p.plot_slip(['acsza58'], [1.0])\n"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_style_of_the_session_is_left_alone():
    import matplotlib

    before = dict(matplotlib.rcParams)
    plots.plot_records(TIME_S, RECORDS)
    assert dict(matplotlib.rcParams) == before
