"""What an evaluation leaves behind: complete, the same numbers everywhere, and readable by other tools."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import numpy.testing as npt
import pytest

from slipcast import plots
from slipcast.errors import InputError
from slipcast.evaluation.evaluation import evaluate, evaluate_with_baselines
from slipcast.inversion import LeastSquares, centroid_latitude, magnitude_of_slip
from slipcast.learning.train import train
from slipcast.physics.unit_sources import unit_source
from slipcast.reports.evaluation import draw_scenario, example_scenarios, write_evaluation

DARTS = ["46404", "46407", "46419"]


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def judged(small_set):
    methods = {f"least squares {minutes} min": LeastSquares(small_set, minutes, gauges=DARTS) for minutes in (45, 120)}
    return evaluate(small_set, methods, split="train")


@pytest.fixture(scope="module")
def folder(judged, small_set, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page") / "new"
    assert write_evaluation(folder, judged, small_set, exports=("npy", "csv")) == folder / "report.html"
    return folder


def test_errors_scenario_by_scenario(judged, small_set):
    errors = judged.errors()
    numbers = small_set.indices("train")
    true = small_set.load_weights(numbers).to_numpy().astype(float)
    found = judged.dataset["weights"].sel({"method": "least squares 45 min"}).to_numpy()
    one = errors.sel({"method": "least squares 45 min"})
    expected = magnitude_of_slip(found, small_set.sources) - small_set.dataset["magnitude"].to_numpy()[numbers]
    npt.assert_allclose(one["magnitude"], expected, atol=1e-6)
    npt.assert_allclose(one["weight_rms"], np.sqrt(((found - true) ** 2).mean(axis=1)), rtol=1e-6)
    npt.assert_allclose(errors["latitude_true"], centroid_latitude(true, small_set.sources))
    # the mean of squares over all scenarios is the score
    score = judged.scores["least squares 45 min"]["weight_mse_m2"]
    npt.assert_allclose((one["weight_rms"] ** 2).mean(), score, rtol=1e-6)


def test_the_centroid_of_slip():
    names = ["acsza57", "acsza59"]
    north, south = (unit_source(name).point(0.0, 25e3)[1] for name in names)
    npt.assert_allclose(
        centroid_latitude([[1.0, 0.0], [0.0, 2.0], [1.0, 3.0]], names), [north, south, (north + 3 * south) / 4]
    )
    assert np.isnan(centroid_latitude([0.0, 0.0], names))


def test_everything_is_there(folder, judged):
    assert json.loads((folder / "metrics.json").read_text()) == judged.scores
    figures = sorted(path.name for path in (folder / "figures").iterdir())
    examples = [f"scenario_{number:05d}.png" for number in sorted(example_scenarios(judged))]
    assert figures == [
        "centroid_error.png",
        "error_by_latitude.png",
        "error_by_magnitude.png",
        "max_amplitude.png",
        *examples,
    ]
    page = (folder / "report.html").read_text()
    assert page.count("<img") == len(figures)
    assert not re.search(r"<(script|img|link|iframe)\b[^>]*(src|href)=[\"']http", page)
    table = (folder / "metrics.md").read_text()
    for name, score in judged.scores.items():
        assert f"| {name} | {score['window_min']:.3g} | {score['weight_mse_m2']:.3g} |" in table
    assert "| westport |" in table


def test_predictions_for_other_tools(folder, judged, small_set):
    predictions = folder / "predictions"
    weights = np.load(predictions / "weights_least_squares_45_min.npy")
    npt.assert_array_equal(weights, judged.dataset["weights"].sel({"method": "least squares 45 min"}))
    npt.assert_array_equal(np.load(predictions / "scenario.npy"), small_set.indices("train"))
    assert (predictions / "source.txt").read_text().split() == small_set.sources
    with (predictions / "weights_true.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["scenario", *small_set.sources]
    npt.assert_array_equal(np.array(rows[1:], dtype=float)[:, 1:], judged.dataset["weights_true"])
    with (predictions / "max_amplitude_least_squares_120_min.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["scenario", "westport", "newport"]


def test_examples_are_of_three_sizes(judged):
    magnitude = judged.dataset["magnitude_true"].to_series()
    small, middling, large = (magnitude[number] for number in example_scenarios(judged))
    assert small < middling < large


def test_a_scenario_on_a_page(judged, small_set):
    number = int(small_set.indices("train")[2])
    axes = draw_scenario(judged, small_set, number)
    assert [ax.get_title(loc="left") for ax in axes[:3]] == [f"DART {name}" for name in DARTS]
    titles = [ax.get_title() for ax in axes[3:]]
    assert [title.split(":")[0] for title in titles] == ["Truth", "Least squares 45 min", "Least squares 120 min"]
    magnitude = float(small_set.dataset["magnitude"][number])
    assert f"{magnitude:.2f}" in titles[0]
    assert all("centroid 4" in title for title in titles)


def test_what_cannot_be_written(judged, small_set, tmp_path):
    with pytest.raises(InputError, match="export must be of npy, csv, got 'mat'"):
        write_evaluation(tmp_path, judged, small_set, exports=("npy", "mat"))
    other = int(small_set.indices("test")[0])
    with pytest.raises(InputError, match=f"scenario {other} is not in the train part"):
        write_evaluation(tmp_path, judged, small_set, examples=[other])
    assert not list(tmp_path.iterdir())


def test_a_network_is_judged_on_its_own_split(small_set, tmp_path):
    options = {"epochs": 1, "window_min": 30, "split_fractions": (0.5, 0.25, 0.25), "split_seed": 3}
    trained = train(small_set, tmp_path, **options)
    found = evaluate_with_baselines(small_set, trained)
    expected = small_set.with_split((0.5, 0.25, 0.25), 3).indices("test")
    npt.assert_array_equal(found.dataset["scenario"], expected)
    assert found.methods == ["network", "least squares 30 min", "least squares 2 h"]


# --- drawing


def test_errors_against_something():
    x = np.linspace(8, 9, 40)
    ax = plots.plot_errors(x, {"a": x - 8, "b": np.where(x > 8.5, np.nan, 1.0)}, xlabel="Mw", ylabel="error (m)")
    lines = {line.get_label(): line for line in ax.lines}
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Mw", "error (m)")
    median = lines["a, median"]
    npt.assert_allclose(median.get_ydata(), median.get_xdata() - 8, atol=1e-9)
    assert max(lines["b, median"].get_xdata()) < 8.6
    with pytest.raises(InputError, match=r"errors\['a'\] must have shape \(40,\)"):
        plots.plot_errors(x, {"a": [1.0]}, xlabel="", ylabel="")


def test_maps_on_one_scale():
    time, record = 60.0 * np.arange(10), {"46404": np.ones(10)}
    slip = {"truth": [1.0, 2.0], "found": [4.0, 0.0]}
    axes = plots.plot_scenario(
        time, record, {"found": record}, ["acsza57", "acsza58"], slip, magnitude={"truth": 7.0, "found": 7.1}
    )
    limits = [
        collection.get_clim() for ax in axes[1:] for collection in ax.collections if collection.get_label() == "slip"
    ]
    assert limits == [(0.0, 4.0), (0.0, 4.0)]
    with pytest.raises(InputError, match="slip_m must have at least one map, got none"):
        plots.plot_scenario(time, record, {}, ["acsza57"], {}, magnitude={})
    with pytest.raises(InputError, match="observed must have at least one gauge, got none"):
        plots.plot_scenario(time, {}, {}, ["acsza57"], {"truth": [1.0]}, magnitude={"truth": 7.0})
