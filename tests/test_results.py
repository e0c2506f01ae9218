"""Results that show themselves: intervals against samples, plots, and summaries in text and HTML."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from inversion_fixtures import replay_by
from slipcast.errors import InputError
from slipcast.evaluation.evaluation import evaluate
from slipcast.forecasting.forecast import forecast
from slipcast.inversion import LeastSquares, SlipEstimate, magnitude_of_slip
from slipcast.io.summary import Summarised, Summary, shortened
from slipcast.records import Records, simulated_records
from slipcast.scenarios.scenario_set import ScenarioSet

SAMPLES = np.random.default_rng(8).gamma(2.0, 2.0, (40, 9))
GAUGES = ["46404", "46407"]


def estimate_of(sources, samples=SAMPLES, **options) -> SlipEstimate:
    """Label posterior samples of slip."""
    about = {"method": "gaussian", "window_min": 45, "region": "cascadia", "gauges": GAUGES} | options
    return SlipEstimate.from_slip(samples.mean(axis=-2), sources, samples_m=samples, **about)


@pytest.fixture(scope="module")
def slip(small_bank):
    return estimate_of(small_bank.sources)


@pytest.fixture(scope="module")
def plain(small_bank):
    about = {"method": "nnls", "window_min": 45, "region": "cascadia"}
    return SlipEstimate.from_slip(SAMPLES[0], small_bank.sources, **about)


@pytest.fixture(scope="module")
def made(slip, small_bank):
    return forecast(slip, small_bank)


# intervals of slip


def test_intervals_of_slip_are_quantiles_of_the_samples(slip):
    found = slip.interval(0.8)
    assert found.dims == ("bound", "source")
    assert found["bound"].to_numpy().tolist() == ["low", "high"]
    assert (found.attrs["units"], found.attrs["probability"]) == ("m", 0.8)
    npt.assert_allclose(found.sel(bound="low"), np.quantile(SAMPLES, 0.1, axis=0), rtol=1e-6)
    npt.assert_allclose(found.sel(bound="high"), np.quantile(SAMPLES, 0.9, axis=0), rtol=1e-6)


@pytest.mark.parametrize(("probability", "ends"), [(0.9, (0.05, 0.95)), (0.5, (0.25, 0.75))])
def test_intervals_agree_with_the_quantiles_that_are_stored(slip, probability, ends):
    stored = slip.dataset.sel(quantile=list(ends))
    npt.assert_allclose(slip.interval(probability), stored["slip_quantile"], rtol=1e-6)
    npt.assert_allclose(slip.magnitude_interval(probability), stored["magnitude_quantile"], rtol=1e-6)


def test_the_default_interval_is_of_90_percent(slip, made):
    xr.testing.assert_identical(slip.interval(), slip.interval(0.9))
    assert slip.magnitude_interval() == slip.magnitude_interval(0.9)
    xr.testing.assert_identical(made.interval(), made.interval(0.9, of="max_amplitude"))


def test_ends_of_the_magnitude_are_magnitudes_of_samples(slip, small_bank):
    low, high = slip.magnitude_interval(0.6)
    ordered = np.sort(magnitude_of_slip(SAMPLES, small_bank.sources))
    npt.assert_allclose([low, high], [ordered[7], ordered[31]], rtol=1e-7)  # floor(0.2 * 39), floor(0.8 * 39)
    assert isinstance(low, float)
    none = estimate_of(small_bank.sources, np.concatenate([np.zeros((20, 9)), SAMPLES]))
    assert none.magnitude_interval()[0] == -np.inf


def test_intervals_of_several_events_are_those_of_each(slip, small_bank):
    both = estimate_of(small_bank.sources, np.stack([SAMPLES, 2 * SAMPLES]))
    found = both.interval(0.7)
    assert found.dims == ("event", "bound", "source")
    npt.assert_allclose(found[0], slip.interval(0.7))
    npt.assert_allclose(found[1], 2 * found[0], rtol=1e-6)
    low, high = both.magnitude_interval(0.7)
    assert low.shape == high.shape == (2,)
    npt.assert_allclose([low[0], high[0]], slip.magnitude_interval(0.7))
    of_waves = forecast(both, small_bank).interval(0.5)
    assert of_waves.dims == ("event", "bound", "gauge")


def test_a_method_without_samples_has_no_interval(plain, small_bank):
    message = "method 'nnls' gives no posterior samples, so .*; methods gaussian and bayes and neural posteriors do"
    for ask in (plain.interval, plain.magnitude_interval, forecast(plain, small_bank).interval):
        with pytest.raises(InputError, match=message):
            ask(0.9)


@pytest.mark.parametrize(
    ("probability", "message"),
    [
        (0.0, r"probability must be a number in \(0, 1\), got 0$"),
        (1.0, r"probability must be a number in \(0, 1\), got 1$"),
        (90, r"probability must be a number in \(0, 1\), got 90$"),
        (float("nan"), r"probability must be a number in \(0, 1\), got nan$"),
        ("0.9", r"probability must be a number in \(0, 1\), got '0.9' \(str\)"),
        (True, r"probability must be a number in \(0, 1\), got True \(bool\)"),
    ],
)
def test_probabilities_that_are_none(slip, made, probability, message):
    for ask in (slip.interval, slip.magnitude_interval, made.interval):
        with pytest.raises(InputError, match=message):
            ask(probability)


# intervals of forecasts


def test_intervals_of_a_forecast_are_quantiles_that_it_keeps(made):
    for of in ("max_amplitude", "sea_level"):
        for probability, ends in ((0.9, [0.05, 0.95]), (0.5, [0.25, 0.75])):
            found = made.interval(probability, of=of)
            assert found["bound"].to_numpy().tolist() == ["low", "high"]
            npt.assert_array_equal(found, made.dataset[f"{of}_quantile"].sel(quantile=ends))
    assert made.interval(of="sea_level").dims == ("bound", "gauge", "time")


def test_intervals_that_a_forecast_does_not_have(made):
    with pytest.raises(
        InputError, match=r"probability must be 0.9 or 0.5 \(the forecast keeps no other quantiles\), got 0.8$"
    ):
        made.interval(0.8)
    with pytest.raises(InputError, match="of must be max_amplitude, sea_level or coast_height, got 'arrival_time'"):
        made.interval(of="arrival_time")


# plots


def test_slip_draws_itself(slip, plain, small_bank):
    ax = slip.plot()
    heading, interval = ax.get_title().split("\n")
    assert heading == f"cascadia, gaussian: $M_w$ {slip.magnitude:.2f}"
    assert interval == "90 %: {:.2f} to {:.2f}".format(*slip.magnitude_interval())
    (filled,) = [each for each in ax.collections if each.get_label() == "slip"]
    npt.assert_array_equal(filled.get_array(), slip.slip)
    assert plain.plot(ax) is ax
    assert "\n" not in plain.plot().get_title()
    with pytest.raises(InputError, match="the slip estimate must hold one event, got 2"):
        estimate_of(small_bank.sources, np.stack([SAMPLES, SAMPLES])).plot()


def test_a_forecast_draws_itself_at_a_gauge(made, plain, small_bank):
    ax = made.plot("newport")
    level = next(line for line in ax.lines if line.get_label() == "mean")
    npt.assert_array_equal(level.get_ydata(), made.sea_level.sel(gauge="newport"))
    outer, inner = ax.collections
    ends = made.interval(of="sea_level").sel(gauge="newport")
    npt.assert_allclose(outer.get_datalim(ax.transData).intervaly, [float(ends.min()), float(ends.max())])
    ends = made.interval(0.5, of="sea_level").sel(gauge="newport")
    npt.assert_allclose(inner.get_datalim(ax.transData).intervaly, [float(ends.min()), float(ends.max())])
    assert (ax.get_title(loc="left"), ax.get_xlabel()) == ("newport, gaussian", "time after the earthquake (min)")
    sharp = forecast(plain, small_bank).plot("newport", ax)
    assert sharp is ax
    assert any(line.get_label() == "forecast" for line in ax.lines)
    with pytest.raises(InputError, match="unknown gauge 'hilo' in the forecast"):
        made.plot("hilo")


def test_a_forecast_draws_all_gauges(made, plain, small_bank):
    ax = made.plot()
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert sorted(names) == sorted(made.gauges)
    assert len(ax.collections) >= len(names)
    low, high = made.interval().sel(gauge="newport").to_numpy()
    words = f"{float(made.max_amplitude.sel(gauge='newport')):.2f} ({low:.2f} to {high:.2f})"
    assert words in [text.get_text() for text in ax.texts]
    sharp = forecast(plain, small_bank)
    assert f"{float(sharp.max_amplitude.sel(gauge='newport')):.2f}" in [text.get_text() for text in sharp.plot().texts]


@pytest.mark.slow
def test_plotting_waits_for_a_plot():
    code = (
        "import sys, slipcast.inversion.estimate, slipcast.forecasting.forecast, slipcast.io.summary\n"
        "assert not {'matplotlib', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# summaries


class Cells(HTMLParser):
    """Texts of the cells of all tables."""

    def __init__(self, page):
        super().__init__()
        self.cells, self.tags = [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.cells.append(data)


def test_a_summary_is_escaped_and_the_same_in_text_and_html():
    summary = Summary("<b>", [("a & b", "1"), ("longer", "<script>")], ["x", "yy"], [["1", "2"], ["333", "4"]])
    assert summary.text() == "<<b>>\n  a & b   1\n  longer  <script>\n  x    yy\n  1    2\n  333  4"
    read = Cells(summary.html())
    assert read.cells == ["<b>", "a & b", "1", "longer", "<script>", "x", "yy", "1", "2", "333", "4"]
    assert not {"b", "script"} & set(read.tags)
    assert Summary("alone").html() == "<div><strong>alone</strong></div>"
    assert shortened([]) == "none"
    assert shortened("abc", 3) == "a, b, c"
    with pytest.raises(NotImplementedError, match="Summarised has no summary"):
        repr(Summarised())


def test_slip_shows_magnitude_method_window_gauges_and_largest_slips(slip, plain, small_bank):
    lines = repr(slip).splitlines()
    assert lines[0] == "<SlipEstimate: cascadia, 9 unit sources>"
    low, high = slip.magnitude_interval()
    assert lines[1].split(maxsplit=1) == ["magnitude", f"Mw {slip.magnitude:.2f} (90 %: {low:.2f} to {high:.2f})"]
    assert [line.split()[-1] for line in lines[2:5]] == ["gaussian", "origin", "46407"]
    order = np.argsort(-slip.slip.to_numpy())[:5]
    assert [line.split()[0] for line in lines[6:]] == [small_bank.sources[i] for i in order]
    ends = slip.interval().isel(source=order[0]).to_numpy()
    assert lines[6].endswith("  {:.2f} to {:.2f}".format(*ends))
    assert "interval" not in repr(plain)
    none = SlipEstimate.from_slip([0.0], ["acsza58"], method="nnls", window_min=5, start_min=2, region="")
    assert "no slip" in repr(none)
    assert "2 to 5 min" in repr(none)
    several = repr(estimate_of(small_bank.sources, np.stack([SAMPLES] * 7)))
    assert several.startswith("<SlipEstimate: cascadia, 9 unit sources, 7 events>")
    assert several.splitlines()[-1].startswith("  4 ")


def test_a_forecast_shows_arrivals_and_maxima(made, slip, plain, small_bank):
    lines = repr(made).splitlines()
    order = np.argsort(-made.max_amplitude.to_numpy())
    assert [line.split()[0] for line in lines[-5:]] == [made.gauges[i] for i in order]
    minutes = (float(made.dataset[name][order[0]]) / 60 for name in ("arrival_time", "max_time"))
    assert lines[-5].split()[1:4] == [*(f"{at:.0f}" for at in minutes), f"{float(made.max_amplitude[order[0]]):.2f}"]
    intervals = [made.interval(of=what)[:, order[0]] for what in ("max_amplitude", "coast_height")]
    assert lines[-5].split()[4:] == " ".join("{:.2f} to {:.2f}".format(*ends) for ends in intervals).split()
    assert "window to 45 min" in lines[1]
    calm = forecast(SlipEstimate(plain.dataset.assign(slip=0 * plain.slip)), small_bank)
    assert repr(calm).splitlines()[-1].split()[1] == "-"
    both = forecast(estimate_of(small_bank.sources, np.stack([SAMPLES, SAMPLES])), small_bank)
    assert repr(both).startswith("<Forecast: cascadia, 5 gauges, 2 events>")


def test_other_results_say_what_they_are_of(small_bank, small_set):
    records = simulated_records(small_set, 3, ["46404", "46407"], window_min=60)
    judged = evaluate(small_set, {"ls": LeastSquares(small_set, window_min=45, gauges=GAUGES)}, split="test")
    played = replay_by(records, small_bank, minutes=[20, 40], method="nnls")
    error = judged.scores["ls"]["weight_mse_m2"]
    for result, words in (
        (records, ["Records: scenario 3 of cascadia", "46404, 46407", "60 samples, 1 to 60 min", "unknown", "removed"]),
        (small_bank, ["GreensBank: cascadia", "9 on 72 subfaults", "0 to 2 h", "near 6 arc-minutes", small_bank.id]),
        (small_set, ["ScenarioSet: cascadia, 40 scenarios", "28 train, 6 validation, 6 test", small_set.id]),
        (judged, ["Evaluation", "6 of the test part", "westport, newport", "ls", f"{error:.3g}"]),
        (played, ["Replay: cascadia", "nnls", "2, 20 to 40 after", f"Mw {played.dataset['magnitude'][-1]:.2f}"]),
    ):
        shown = Cells(result._repr_html_())
        assert "table" in shown.tags
        for word in words:
            assert word in repr(result)
            assert any(word in cell for cell in shown.cells), word


def test_a_set_on_disk_is_shown_without_its_records(small_set, tmp_path, monkeypatch):
    small_set.save(tmp_path / "set.zarr")
    opened = ScenarioSet.open(tmp_path / "set.zarr")
    assert repr(opened) == repr(small_set)
    assert not opened.dataset["records"].variable._in_memory


def test_records_of_several_events_and_with_tide():
    records = Records.from_arrays(
        [0.0, 60.0], np.zeros((3, 1, 2)), gauges=["a"], lon_deg=[0.0], lat_deg=[0.0], tide_removed=False, title="t"
    )
    assert repr(records).startswith("<Records: t, 3 events>")
    assert "not removed" in repr(records)
