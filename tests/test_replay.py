"""A tsunami as it happened: nothing from the future, each minute what an inversion alone finds, and when it settled."""

from __future__ import annotations

import json

import numpy as np
import numpy.testing as npt
import pytest
import typer
import xarray as xr
from typer.testing import CliRunner

from inversion_fixtures import invert_by, named, replay_by
from learning_fixtures import make_checkpoint
from slipcast import plots
from slipcast.cli.replay import replay as replay_command
from slipcast.errors import InputError, SlipcastWarning
from slipcast.forecasting.forecast import forecast
from slipcast.inversion import method_named
from slipcast.io import identity
from slipcast.learning.inverters import open_posterior
from slipcast.realtime.convergence import forecast_convergence_min, magnitude_convergence_min
from slipcast.realtime.event_slip import invert
from slipcast.realtime.replay import Replay, replay
from slipcast.records import Records, simulated_records
from slipcast.reports.replay import draw_replay, findings, write_replay_page
from slipcast.reports.replay_figure import replay_figure

DARTS = ["46404", "46407", "46419"]
OPTIONS = {"method": "tikhonov", "noise_sd_m": 0.01, "slip_sd_m": 5.0}


@pytest.fixture(scope="module")
def records(small_set) -> Records:
    return simulated_records(small_set, 3, DARTS, window_min=120, noise_sd_m=0.002)


@pytest.fixture(scope="module")
def whole(records, small_bank) -> Replay:
    return replay_by(records, small_bank, minutes=np.arange(5, 121, 5), gauges=DARTS[:2], **OPTIONS)


@pytest.fixture(scope="module")
def with_draws(records, small_bank) -> Replay:
    return replay_by(records, small_bank, minutes=[10, 40, 120], method="bayes", noise_sd_m=0.01, gauges=DARTS[1:])


def changed(records: Records, where, value: float) -> Records:
    """Replace samples, by an index of (gauge, time)."""
    level = records.sea_level.to_numpy().copy()
    level[where] = value
    return Records(records.dataset.assign(sea_level=records.sea_level.copy(data=level)))


def hand_made(magnitude, height, *, observed: float = np.nan) -> Replay:
    """Make a replay of five minutes apart with one gauge, by hand."""
    minutes = 5.0 * np.arange(1, len(magnitude) + 1)
    return Replay(
        xr.Dataset(
            {
                "magnitude": ("minute", np.asarray(magnitude, float)),
                "max_amplitude": (("minute", "gauge"), np.asarray(height, float)[:, np.newaxis]),
                "observed_maximum": ("observed_gauge", [observed]),
            },
            coords={"minute": minutes, "gauge": ["g"], "observed_gauge": ["g"]},
        )
    )


# what was known


@pytest.mark.parametrize("latency_min", [0.0, 7.0, {"46407": 12.0}])
def test_the_future_plays_no_part(records, small_bank, latency_min):
    options = {"minutes": [20.0, 40.0, 60.0], "latency_min": latency_min, **OPTIONS}
    true = replay_by(records, small_bank, **options).dataset
    late = latency_min if isinstance(latency_min, dict) else dict.fromkeys(DARTS, latency_min)
    after = np.array([records.time_s > 60 * (40.0 - late.get(name, 0.0)) for name in DARTS])
    other = replay_by(changed(records, after, 5.0), small_bank, **options).dataset
    for name in ("slip", "magnitude", "max_amplitude", "arrival_time", "sea_level", "last_sample"):
        npt.assert_array_equal(other[name][:2], true[name][:2], err_msg=name)
    assert not np.allclose(other["slip"][2], true["slip"][2])


def test_no_sample_is_interpolated_from_one_to_come(small_bank, records):
    # samples half a minute after the full minute: minute m lies between one that was sent and one that was not
    between = Records(records.dataset.assign_coords(time=records.time_s + 30.0))
    made = replay_by(between, small_bank, minutes=[30.0], **OPTIONS).dataset
    npt.assert_array_equal(made["last_sample"], 60 * 29.0)


@pytest.mark.parametrize("method", ["nnls", "tikhonov", "linear", "gaussian", "bayes"])
def test_each_minute_is_what_an_inversion_finds(records, small_bank, method):
    options = {"method": method, "gauges": DARTS[:2], "noise_sd_m": 0.01}
    made = replay_by(records, small_bank, minutes=[15, 45], **options).dataset
    from_ruptures = method in ("linear", "gaussian", "bayes")
    inverter = named(records, small_bank, window_min=120, **options)
    for place, minute in enumerate((15, 45)):
        alone = invert(records, inverter, window_min=minute, gauges=DARTS[:2])
        ahead = forecast(alone, small_bank)
        npt.assert_allclose(made["max_amplitude"][place], ahead.max_amplitude, rtol=1e-6)
        npt.assert_allclose(made["sea_level"][place], ahead.sea_level, atol=1e-5)
        if alone.samples is not None:
            of_level = ahead.dataset["sea_level_quantile"]
            npt.assert_allclose(made["sea_level_low"][place], of_level.sel(quantile=0.05), atol=1e-5)
            npt.assert_allclose(made["sea_level_high"][place], of_level.sel(quantile=0.95), atol=1e-5)
            spread = ahead.dataset["max_amplitude_quantile"]
            npt.assert_allclose(made["max_amplitude_quantile"][place], spread, rtol=1e-5, atol=1e-5)
            npt.assert_allclose(made["magnitude_quantile"][place], alone.dataset["magnitude_quantile"], atol=1e-5)
            npt.assert_allclose(made["slip_sd"][place], alone.dataset["slip_sd"], rtol=1e-5, atol=1e-5)
    assert ("slip_sd" in made) == from_ruptures


def test_latency_is_a_later_minute(records, small_bank, whole):
    late = replay_by(records, small_bank, minutes=[22.0, 47.0], latency_min=2.0, gauges=DARTS[:2], **OPTIONS).dataset
    for minute, before in ((22.0, 20.0), (47.0, 45.0)):
        npt.assert_allclose(late["slip"].sel(minute=minute), whole.dataset["slip"].sel(minute=before), rtol=1e-9)
    npt.assert_array_equal(late["last_sample"], [[1200.0] * 2, [2700.0] * 2])
    npt.assert_array_equal(late["latency"], [2.0, 2.0])


def test_a_gauge_is_left_out_until_it_sends(records, small_bank):
    silent = changed(records, (np.array([1]), slice(0, 30)), np.nan)  # minutes 1 to 30
    made = replay_by(silent, small_bank, minutes=[20.0, 40.0], gauges=DARTS[:2], **OPTIONS)
    alone = invert_by(records, small_bank, window_min=20, gauges=["46404"], **OPTIONS)
    npt.assert_allclose(made.dataset["slip"][0], alone.slip, rtol=1e-9, atol=1e-9)
    npt.assert_array_equal(np.isfinite(made.dataset["last_sample"]), [[True, False], [True, True]])


def test_minutes_without_a_sample(records, small_bank):
    silent = changed(records, (slice(None), slice(0, 17)), np.nan)
    with pytest.warns(
        SlipcastWarning, match="no gauge had sent a sample at 3 of 4 minutes, the last of them minute 15"
    ):
        made = replay_by(silent, small_bank, minutes=[5, 10, 15, 20], **OPTIONS).dataset
    for name in ("slip", "magnitude", "max_amplitude", "sea_level", "last_sample"):
        assert np.isnan(made[name][:3]).all()
    assert np.isfinite(made["slip"][3]).all()
    with pytest.raises(InputError, match="no gauge of 46404, 46407, 46419 had sent a sample by minute 15"):
        replay_by(silent, small_bank, minutes=[10, 15], **OPTIONS)


def test_minutes_without_anything_new_keep_the_estimate(records, small_bank):
    short = Records(records.dataset.isel(time=slice(0, 40)))
    made = replay_by(short, small_bank, minutes=[40, 60, 90], **OPTIONS).dataset
    npt.assert_array_equal(made["slip"][1:], made["slip"][[0, 0]])
    npt.assert_array_equal(made["sea_level"][1:], made["sea_level"][[0, 0]])


def test_default_minutes(records, small_bank):
    short = Records(records.dataset.isel(time=slice(0, 8)))
    steps = []
    made = replay_by(
        short, small_bank, latency_min=1.0, progress=lambda done, total, note: steps.append((done, total)), **OPTIONS
    )
    npt.assert_array_equal(made.minutes, [5, 6, 7, 8, 9])
    assert steps == [(count, 5) for count in range(1, 6)]
    assert (made.gauges_used, made.gauges) == (DARTS, small_bank.gauges)
    with pytest.raises(InputError, match="records must last beyond minute 5, got an end at 3"):
        replay_by(Records(records.dataset.isel(time=slice(0, 3))), small_bank, **OPTIONS)


def test_forecasts_of_some_gauges_and_the_attributes(records, small_bank):
    made = replay_by(records, small_bank, minutes=[30], forecast_gauges=["newport", "46404"], **OPTIONS)
    assert made.gauges == ["newport", "46404"]
    about = made.dataset.attrs
    assert (about["method"], about["bank"], about["region"]) == ("tikhonov", small_bank.id, "cascadia")
    assert about["title"] == "scenario 3 of cascadia"


def test_model_error_and_tide_pass_through(records, small_bank, whole):
    made = replay_by(records, small_bank, minutes=[60], gauges=DARTS[:2], model_error=0.3, **OPTIONS).dataset
    alone = invert_by(records, small_bank, window_min=60, gauges=DARTS[:2], model_error=0.3, **OPTIONS)
    npt.assert_allclose(made["slip"][0], alone.slip, rtol=1e-9, atol=1e-9)
    assert not np.allclose(made["slip"][0], whole.dataset["slip"].sel(minute=60))
    with pytest.raises(InputError, match="records say nothing of how well their tide is known"):
        replay_by(records, small_bank, minutes=[60], joint_tide=True, **OPTIONS)


def test_the_tide_is_fitted_jointly(records, small_bank):
    column = np.broadcast_to(0.02, (3, 1, records.time_s.size))  # an offset that is not known
    tidal = Records(records.dataset.assign(tide_column=(("gauge", "column", "time"), column)))
    made = replay_by(tidal, small_bank, minutes=[60], joint_tide=True, **OPTIONS).dataset
    alone = invert_by(tidal, small_bank, window_min=60, joint_tide=True, **OPTIONS)
    npt.assert_allclose(made["slip"][0], alone.slip, rtol=1e-9, atol=1e-9)
    assert made.attrs["tide"] == "joint"


# a trained sampler


@pytest.fixture(scope="module")
def sampler():
    return open_posterior("cascadia")


def test_a_posterior(sampler, records):
    made = replay(records, sampler, minutes=[5, 40], latency_min={"46407": 60}, forecast_gauges=["46404", "hilo1"])
    seen = records.windowed(dict.fromkeys(DARTS, (-np.inf, 40.0))).windowed({"46407": (0.0, 1e-9)})
    alone = invert(seen, sampler, window_min=40)
    npt.assert_allclose(made.dataset["slip"][1], alone.slip, rtol=1e-5, atol=1e-5)
    ahead = forecast(alone, sampler, gauges=["46404", "hilo1"]).dataset
    npt.assert_allclose(made.dataset["max_amplitude_quantile"][1], ahead["max_amplitude_quantile"], rtol=1e-4)
    npt.assert_array_equal(np.isfinite(made.dataset["last_sample"]), [[True, False, True]] * 2)
    assert made.dataset.attrs["model"] == sampler.id


def test_what_a_sampler_cannot_do(sampler, records, small_bank):
    with pytest.raises(InputError, match=r"minutes must be in \[5, 120\], got 2 to 40"):
        replay(records, sampler, minutes=[2, 40])
    with pytest.raises(InputError, match="a replay needs a method for windows of any length, got one for 45 min"):
        replay(records, make_checkpoint())
    elsewhere = Records(records.dataset.assign_coords(gauge=["1", "2", "3"]))
    with pytest.raises(InputError, match="records need a gauge that is known to the model, got 1, 2, 3"):
        replay(elsewhere, sampler)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "lsq"}, "method must be one of nnls"),
        ({"gauges": ["46411"]}, "unknown gauge '46411' in bank cascadia"),
        ({"gauges": ["newport"]}, "unknown gauge 'newport' in records"),
        ({"forecast_gauges": ["hilo1"]}, "unknown gauge 'hilo1' in bank cascadia"),
        ({"minutes": []}, "minutes must be a rising sequence of numbers > 0"),
        ({"minutes": [20, 10]}, "minutes must be a rising sequence of numbers > 0"),
        ({"minutes": [0, 10]}, "minutes must be a rising sequence of numbers > 0"),
        ({"minutes": [10, 130]}, r"minutes must be in \[0, 120\], got 10 to 130"),
        ({"latency_min": -1.0}, "latency_min must be finite and >= 0, got -1 at gauge 46404"),
        ({"latency_min": {"46407": np.nan}}, "latency_min must be finite and >= 0, got nan at gauge 46407"),
        ({"latency_min": {"1": 2.0}}, "unknown gauge '1' in the gauges used"),
        (
            {"ruptures": object()},
            "scenarios and ruptures are for linear, gaussian, bayes; method tikhonov learns from none",
        ),
    ],
)
def test_what_is_refused(records, small_bank, options, message):
    with pytest.raises(InputError, match=message):
        replay_by(records, small_bank, **{"minutes": [10.0], "method": "tikhonov", **options})


def test_a_method_needs_a_bank_and_one_event(records, small_bank):
    with pytest.raises(InputError, match="method nnls needs a bank"):
        replay(records, method_named("nnls", None, window_min=60))
    two = Records(xr.concat([records.dataset[["sea_level"]]] * 2, "event").assign_coords(records.dataset.coords))
    with pytest.raises(InputError, match="records must hold one event, got 2"):
        replay_by(two, small_bank, method="nnls")


# what came of it


def test_observed_crests(records, whole):
    level = records.sea_level.to_numpy()
    for name, row in zip(DARTS, level):
        assert whole.observed_maximum_m[name] == pytest.approx(row.max(), rel=0.2)
    npt.assert_allclose(whole.dataset["observed"][:, 1:], level, rtol=1e-6)
    starts = dict(zip(DARTS, whole.dataset["observed_start"].to_numpy() / 60))
    assert whole.contribution_min == {name: 5 * np.ceil(starts[name] / 5) for name in DARTS[:2]}


def test_no_crest_where_the_record_ends_before_it(small_bank, records):
    flat = changed(records, (np.array([0]), slice(None)), 0.002)  # no wave
    rising = changed(flat, (np.array([1]), slice(None)), 0.001 * records.time_s)
    made = replay_by(rising, small_bank, minutes=[30, 60], **OPTIONS)
    assert list(made.observed_maximum_m) == ["46419"]
    assert made.contribution_min["46404"] == 30.0  # its first sample
    with pytest.raises(InputError, match="gauge 46407 has recorded no first wave; compare with its last forecast"):
        forecast_convergence_min(made, "46407")
    assert made.shown_gauges(2)[0] == "46419"


def test_nothing_arrives_before_it_can(small_bank, records):
    shaken = changed(records, (slice(None), slice(0, 2)), 9.0)
    # an epicentre from which no wave arrives in the first two minutes
    known = Records(shaken.dataset.assign_attrs(epicentre=np.array([234.7, 45.9]), magnitude=7.5))
    crests = [replay_by(each, small_bank, minutes=[30], **OPTIONS).observed_maximum_m for each in (known, records)]
    assert crests[0] == crests[1]
    assert max(replay_by(shaken, small_bank, minutes=[30], **OPTIONS).observed_maximum_m.values()) == 9.0


def test_gauges_of_a_figure(whole):
    shown = whole.shown_gauges(9)
    assert shown[:3] == ["46419", "46404", "46407"]  # recorded and not used, then used
    last = whole.dataset["max_amplitude"][-1].to_series()
    assert shown[3:] == last[["newport", "westport"]].sort_values(ascending=False).index.tolist()
    assert len(whole.shown_gauges(2)) == 2


# when it settled


@pytest.mark.parametrize(
    ("magnitude", "reference", "settled"),
    [
        ([8.0, 8.9, 8.5, 8.85, 8.9], None, 20.0),
        ([8.0, 8.9, 8.5, 8.85, 8.9], 8.95, 20.0),
        ([8.0, 8.9, 8.5, 8.85, 8.9], 8.5, None),  # it left again
        ([8.9, 8.8, 8.9], None, 5.0),  # always; 0.1 away is within
        ([np.nan, -np.inf, 8.9], None, 15.0),
        ([8.9, np.nan, 8.9], None, 15.0),  # a minute without a magnitude is not near
        ([8.9, -np.inf, -np.inf], None, None),  # without slip there is none
    ],
)
def test_when_the_magnitude_settled(magnitude, reference, settled):
    made = hand_made(magnitude, np.zeros(len(magnitude)))
    assert magnitude_convergence_min(made, reference=reference) == settled


@pytest.mark.parametrize(
    ("height", "against", "settled"),
    [
        ([0.1, 0.5, 0.9, 1.21, 0.8, 1.2], "observed", 25.0),
        ([0.1, 0.5, 0.9, 1.1, 0.8, 1.2], "observed", 15.0),
        ([0.1, 0.5, 0.9, 1.1, 0.8, 1.3], "observed", None),
        ([np.nan, 1.0, 0.0, 1.0], "observed", 20.0),
        ([0.1, 2.0, 1.7, 2.0], "last", 10.0),
        ([0.0, 0.0], "last", 5.0),
    ],
)
def test_when_a_forecast_settled(height, against, settled):
    made = hand_made(np.full(len(height), 8.0), height, observed=1.0)
    assert forecast_convergence_min(made, "g", against=against) == settled


def test_wider_is_earlier():
    made = hand_made([8.0, 8.7, 8.9], [0.1, 0.7, 1.0], observed=1.0)
    assert magnitude_convergence_min(made, within=0.3) == 10.0
    assert forecast_convergence_min(made, "g", within=0.4) == 10.0
    for refused in (0.0, -1.0, np.nan):
        with pytest.raises(InputError, match="within must be > 0, got"):
            magnitude_convergence_min(made, within=refused)
        with pytest.raises(InputError, match="within must be > 0, got"):
            forecast_convergence_min(made, "g", within=refused)
    with pytest.raises(InputError, match="unknown gauge 'h' in the replay's forecasts"):
        forecast_convergence_min(made, "h")
    with pytest.raises(InputError, match="against must be observed or last, got 'first'"):
        forecast_convergence_min(made, "g", against="first")


# files, figures, the page and the command


def test_a_file_comes_back(with_draws, tmp_path, monkeypatch, records):
    with_draws.save(tmp_path / "r.nc")
    opened = Replay.open(tmp_path / "r.nc")
    xr.testing.assert_identical(opened.dataset[list(with_draws.dataset)].drop_attrs(), with_draws.dataset.drop_attrs())
    assert opened.observed_maximum_m == with_draws.observed_maximum_m
    assert opened.contribution_min == with_draws.contribution_min
    monkeypatch.setitem(identity.FILE_KINDS, "replay", "a replay")
    records.save(tmp_path / "records.nc")
    with pytest.raises(InputError, match=r"records.nc holds records, not a replay"):
        Replay.open(tmp_path / "records.nc")
    Replay(opened.dataset.drop_vars("slip")).save(tmp_path / "less.nc")
    with pytest.raises(InputError, match=r"less.nc is an incomplete replay file: it lacks slip"):
        Replay.open(tmp_path / "less.nc")


def test_the_still_figure(whole, with_draws):
    axes = draw_replay(with_draws, reference_magnitude=8.5)
    assert [ax.get_title(loc="left") for ax in axes[1:3]] == ["46404, not used", "46407, used"]
    assert axes[0].get_title() == "Replay of scenario 3 of cascadia, bayes"
    assert len(axes[0].collections) == 2  # intervals of 90 and 50 %
    assert "Mw 8.5" in [text.get_text() for text in axes[0].texts]
    npt.assert_array_equal(axes[1].lines[0].get_ydata(), with_draws.dataset["max_amplitude"].sel(gauge="46404"))
    plain = draw_replay(whole, title="of my own")
    assert plain[0].get_title() == "of my own"
    assert not plain[0].collections
    assert len(plain) == 6


def test_what_the_still_figure_refuses():
    with pytest.raises(InputError, match="max_amplitude_m must have at least one gauge, got none"):
        plots.plot_replay([1.0], [8.0], {})
    with pytest.raises(InputError, match=r"max_amplitude_m\['g'\] must have shape \(1,\)"):
        plots.plot_replay([1.0], [8.0], {"g": [1.0, 2.0]})
    with pytest.raises(InputError, match=r"magnitude must have shape \(1,\)"):
        plots.plot_replay([1.0], [8.0, 8.1], {"g": [1.0]})
    with pytest.raises(InputError, match=r"magnitude_quantiles must have shape \(5, 1\) \(quantiles by minutes\)"):
        plots.plot_replay([1.0], [8.0], {"g": [1.0]}, magnitude_quantiles=[8.0])


def test_names_of_marks_do_not_touch():
    axes = plots.plot_replay([0, 100], [8, 8], {"g": [1, 1]}, contribution_min={"a" * 9: 50, "b" * 9: 52, "c": 50})
    marks = {text.get_text(): text.xyann[1] for text in axes[0].texts}
    assert marks["a" * 9 + ", c"] < marks["b" * 9]


def test_the_interactive_figure(with_draws):
    figure = replay_figure(with_draws, reference_magnitude=8.5)
    assert [frame.name for frame in figure.frames] == ["10", "40", "120"]
    texts = [note.text for note in figure.layout.annotations]
    assert [text for text in texts if "used" in text] == [
        "46407 (used), cm",
        "46419 (used), cm",
        "46404 (not used), cm",
    ]
    outlines = [trace for trace in figure.data if trace.fill == "toself" and trace.xaxis == "x"]
    assert len(outlines) == with_draws.dataset.sizes["source"]
    recorded = [trace for trace in figure.data if trace.name == "recorded so far"]
    shown = {frame.name: dict(zip(frame.traces, frame.data)) for frame in figure.frames}
    place = figure.data.index(recorded[0])
    for name in ("10", "40"):
        seen = np.array(shown[name][place].y, dtype=float)
        assert np.isfinite(seen[1 : int(name) + 1]).all()
        assert np.isnan(seen[int(name) + 1 :]).all()
    # a frame changes every outline, and the colours differ from minute to minute
    fills = [[shown[name][figure.data.index(trace)].fillcolor for trace in outlines] for name in ("10", "120")]
    assert fills[0] != fills[1]


@pytest.mark.slow
def test_many_minutes_few_frames(whole):
    steps = np.linspace(5.0, 120.0, 200)
    many = Replay(whole.dataset.sel(minute=steps, method="nearest").assign_coords(minute=steps))
    assert len(replay_figure(many).frames) == 60


def test_the_figure_of_points_without_records(records, small_bank):
    made = replay_by(records, small_bank, minutes=[30, 60], forecast_gauges=["newport"], **OPTIONS)
    assert any(note.text == "newport (not used), cm" for note in replay_figure(made).layout.annotations)


def test_minutes_without_slip_have_their_frame(records, small_bank):
    silent = changed(records, (slice(None), slice(0, 17)), np.nan)
    with pytest.warns(SlipcastWarning, match="no gauge had sent"):
        made = replay_by(silent, small_bank, minutes=[10, 20], **OPTIONS)
    figure = replay_figure(made)
    assert figure.layout.sliders[0].active == 1
    texts = [trace.text for trace in figure.frames[0].data if trace.text]
    assert "nothing sent yet" in texts[0][0]


def test_the_page(with_draws, tmp_path):
    write_replay_page(tmp_path / "r.html", with_draws, reference_magnitude=8.5)
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "It is no official warning" in page
    assert "default-src 'none'" in page
    assert "Replay of scenario 3 of cascadia, bayes" in page
    body = page[page.index("<body>") :]
    assert "<script src" not in body
    assert "addFrames" in body
    assert "Plotly.animate(" not in body  # it waits for its reader


def test_findings(whole, with_draws):
    first, *others = findings(whole, reference_magnitude=5.0)
    assert first.startswith(
        f"Mw {float(whole.dataset['magnitude'][-1]):.2f} at minute 120; within 0.1 of it from minute"
    )
    assert first.endswith("within 0.1 of 5 at no time to the end")
    assert [line.split(",")[0] for line in others] == ["46419"]
    assert "(90 %: " in findings(with_draws)[0]
    nothing = Replay(whole.dataset.assign(magnitude=whole.dataset["magnitude"] * -np.inf))
    assert findings(nothing)[0] == "no slip at minute 120; within 0.1 of it at no time to the end"


@pytest.fixture(scope="module")
def command():
    app = typer.Typer()
    app.command()(replay_command)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def paths(tmp_path_factory, records, small_bank):
    folder = tmp_path_factory.mktemp("replay")
    records.save(folder / "records.nc")
    small_bank.save(folder / "bank.nc")
    return folder


@pytest.mark.slow
def test_the_command(command, paths, records, small_bank):
    arguments = [paths / "records.nc", "--bank", paths / "bank.nc", "--method", "tikhonov", "--noise", "0.01"]
    arguments += ["--gauges", "46404,46407", "--until", "60", "--every", "5", "--latency", "46407=3", "--slip-sd", "4"]
    outputs = [paths / "r.nc", paths / "r.html", paths / "r.png"]
    targets = ["--out", outputs[0], "--page", outputs[1], "--figure", outputs[2], "--reference-magnitude", "8.5"]
    done = command(*arguments, *targets)
    assert done.exit_code == 0, done.output
    assert all(path.stat().st_size > 0 for path in outputs)
    made = Replay.open(outputs[0])
    npt.assert_array_equal(made.minutes, np.arange(5.0, 61.0, 5.0))
    alone = invert_by(
        records,
        small_bank,
        window_min={"46404": 60, "46407": 57},
        gauges=DARTS[:2],
        method="tikhonov",
        noise_sd_m=0.01,
        slip_sd_m=4.0,
    )
    npt.assert_allclose(made.dataset["slip"][-1], alone.slip, rtol=1e-9, atol=1e-9)
    assert f"Mw {alone.magnitude:.2f} at minute 60" in done.output
    assert "46419, not used: forecast" in done.output
    shown = command(*arguments, "--out", outputs[0], "--json", "--reference-magnitude", "8.5")
    summary = json.loads(shown.output[shown.output.index("{") :])
    assert summary["magnitude"] == pytest.approx(alone.magnitude, abs=1e-3)
    assert summary["gauges"]["46419"]["used"] is False
    assert summary["gauges"]["newport"]["recorded_m"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--until", "4"], "--until must be >= 5 min, got 4"),
        (["--every", "0"], "--every must be > 0 min, got 0"),
        (["--slip-sd", "much"], "--slip-sd must be metres or one of gcv, discrepancy, got 'much'"),
        (["--latency", "soon"], "--latency must be a number, got 'soon'"),
        (["--latency", "46404=3,2"], "--latency must be minutes, or GAUGE=MIN for each gauge that has one"),
        (["--out", "."], "cannot write .: it is a folder"),
    ],
)
def test_what_the_command_refuses(command, paths, arguments, message):
    done = command(paths / "records.nc", "--bank", paths / "bank.nc", "--method", "tikhonov", *arguments)
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)
