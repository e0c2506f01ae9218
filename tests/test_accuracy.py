"""Benchmark of accuracy: resuming, its numbers against direct ones, and shifted test sets."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from benchmarks.accuracy import AccuracyConfig, run_accuracy
from benchmarks.accuracy.__main__ import main as command
from benchmarks.accuracy.cases import Cases
from benchmarks.accuracy.methods import Methods
from benchmarks.accuracy.page import accuracy_page
from benchmarks.accuracy.store import Store

from accuracy_fixtures import DARTS, GaussianSampler
from slipcast import metrics
from slipcast.errors import InputError
from slipcast.evaluation.bootstrap import ratio, resample_counts, scores_of, stated
from slipcast.evaluation.shifted_sets import (
    coloured_noise,
    perturbed_bathymetry,
    resimulated,
    smooth_slip,
    uniform_slip,
)
from slipcast.greens.bank import GreensBank
from slipcast.inversion import GaussianPosterior, JointMoments, magnitude_of_slip
from slipcast.physics.bathymetry import Bathymetry
from slipcast.physics.moment import moment_magnitude, seismic_moment
from slipcast.scenarios.scenario_set import ScenarioSet

TINY = AccuracyConfig(
    noise_sd_m=0.005,
    drift_m=(),
    count=40,
    test_sets=2,
    headline_windows_min=(30,),
    other_count=24,
    bayes_count=20,
    null_count=10,
    windows_min=(10, 30),
    table_window_min=30,
    n_draws=40,
    train_count=40,
    network_epochs=2,
    linear_count=200,
    other_magnitudes=((7.4, 7.8),),
    other_spacing_arcmin=12.0,
    resamples=40,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sampler(small_bank) -> GaussianSampler:
    return GaussianSampler(small_bank)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("accuracy") / "out"


@pytest.fixture(scope="module")
def results(small_bank, sampler, folder):
    return run_accuracy(small_bank, sampler, folder, config=TINY)


# --- the course


def test_what_it_leaves(results, folder):
    assert json.loads((folder / "accuracy.json").read_text()) == results
    text = (folder / "accuracy.md").read_text()
    assert "| Liu's network |" in text
    assert "scored on its first 20 scenarios" in text
    assert results["made_by"]["model"] == "one"
    for name in ("error_by_window", "reliability", "forecast"):
        assert (folder / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert f"(figures/{name}.png)" in text
    assert list(results["windows"]) == ["10", "30"]
    assert list(results["windows"]["30"]) == ["nnls", "tikhonov", "linear", "gaussian", "bayes", "network", "sampler"]
    assert list(results["without"]) == DARTS
    assert list(results["without"]["46407"]["10"]) == ["linear", "gaussian", "sampler"]
    sets = ["hurst_0.4", "hurst_0.75", "hurst_0.2", "hurst_1", "mw_7.4_7.8"]
    assert list(results["shifted"]) == [*sets, "uniform", "smooth", "grid", "bathymetry", "noise", "target"]


def test_the_headline_is_of_several_sets(results, small_bank, folder):
    headline = json.loads((folder / "headline.json").read_text())
    assert headline["made_by"] == results["made_by"]
    assert list(headline["windows"]) == ["30"]
    found = headline["windows"]["30"]
    assert list(found) == ["linear", "network", "sampler"]
    mse = found["linear"]["weight_mse_m2"]
    assert mse["sets"][0] == results["windows"]["30"]["linear"]["weight_mse_m2"]["value"]
    moments = JointMoments.from_scenarios(
        ScenarioSet.build(small_bank.with_window(DARTS, 30), count=TINY.linear_count, seed=TINY.seed + 100),
        DARTS,
        30,
        split=None,
    )
    another = ScenarioSet.build(small_bank, count=40, seed=TINY.seed + 502)
    slip = GaussianPosterior(moments, noise_sd_m=0.005).solve(another.load_records(DARTS, 30, noise_sd_m=0.005))
    error = metrics.weight_mse(another.load_weights().to_numpy(), slip)
    npt.assert_allclose(mse["sets"][1], error, rtol=1e-4)
    npt.assert_allclose(mse["mean"], np.mean(mse["sets"]), rtol=1e-4)
    npt.assert_allclose(mse["sd"], np.std(mse["sets"], ddof=1), rtol=1e-2)
    share = found["sampler"]["weight_mse_m2_of_linear"]["sets"][1]
    npt.assert_allclose(share, found["sampler"]["weight_mse_m2"]["sets"][1] / error, rtol=1e-3)


def test_the_headline_alone(results, small_bank, sampler, folder, tmp_path):
    done = []
    found = run_accuracy(
        small_bank,
        sampler,
        tmp_path / "out",
        config=TINY,
        shared=folder / "shared",
        headline_only=True,
        progress=lambda *step: done.append(step),
    )
    assert found == json.loads((folder / "headline.json").read_text())
    assert len(done) == done[-1][1] == 2 * 3
    assert not (tmp_path / "out" / "accuracy.json").exists()


def test_pages_name_the_code_of_each_part(results, folder):
    headline = json.loads((folder / "headline.json").read_text())
    page = accuracy_page(results, headline)
    assert page == (folder / "accuracy.md").read_text()
    assert page.count(f"code `{results['made_by']['code']}`, commit `{results['made_by']['commit']}`") == 2
    assert "the first of the above (seed 70000)" in page
    old = results | {"made_by": {"code": "0123", "commit": "abc"}}
    page = accuracy_page(old, headline)
    assert "by other code than the means above: made by code `0123`, commit `abc`" in page
    assert "the first of the above" not in page


def test_records_drift_as_a_tide_does_and_linear_methods_know(small_bank, sampler, tmp_path):
    config = replace(TINY, drift_m=(0.03, 0.02))
    methods = Methods(small_bank, sampler, config, Store.begin(tmp_path / "store", {}))
    cases = Cases(methods)
    main = cases.all["main"]
    clean = main.make().load_records(methods.gauges, 30, noise_sd_m=0.005)
    drift = (cases.records(main, cases.main) - clean).to_numpy()
    hours = clean["time"].to_numpy() / 3600
    parts = np.linalg.lstsq(np.stack([hours, hours**2], axis=1), drift.reshape(-1, len(hours)).T, rcond=None)
    npt.assert_allclose(parts[0].std(axis=1), [0.03, 0.02], rtol=0.25)
    assert parts[1].max() < 1e-8
    assert not np.allclose(drift[0], drift[1])
    truth = cases.main.load_weights().to_numpy()
    assert methods.at("nnls", 30).correlated is not None
    linear, seen = methods.at("linear", 30), clean.to_numpy() + drift
    blind = replace(linear, correlated=None)
    assert np.square(linear.solve(seen) - truth).mean() < 0.8 * np.square(blind.solve(seen) - truth).mean()


def test_parts_of_other_code_are_refused(results, small_bank, sampler, folder, monkeypatch):
    monkeypatch.setattr("benchmarks.accuracy.run.code_digest", lambda paths: "0123")
    with pytest.raises(InputError, match=r"holds a benchmark of code [0-9a-f]{16}, not 0123; choose another folder"):
        run_accuracy(small_bank, sampler, folder, config=TINY)


def test_where_a_dart_is_missing_the_first_scenarios_are_enough(results, folder):
    for name, count in (("sampler_30", 40), ("sampler_30_without_46404", 24)):
        with xr.open_dataset(folder / "sampler" / "main" / f"{name}.nc") as scored:
            assert scored.sizes["scenario"] == count
    assert "slip_crps_m" not in results["without"]["46404"]["30"]["sampler"]


def test_again_it_computes_nothing(results, small_bank, sampler, folder):
    before, done = sampler.records_seen, []
    again = run_accuracy(small_bank, sampler, folder, config=TINY, progress=lambda *step: done.append(step))
    assert again == results
    assert sampler.records_seen == before
    assert done[-1][:2] == (len(done), len(done))


def test_a_stopped_one_goes_on_with_what_is_missing(results, small_bank, sampler, folder):
    lost = folder / "sampler" / "main" / "sampler_30.nc"
    lost.unlink()
    before = sampler.records_seen
    assert run_accuracy(small_bank, sampler, folder, config=TINY) == results
    assert sampler.records_seen == before + 40
    assert lost.is_file()


@pytest.mark.slow
def test_another_sampler_can_share_what_is_not_its_own(results, small_bank, sampler, folder, tmp_path):
    other = copy.copy(sampler)
    other.id, other.records_seen = "two", 0
    parts = sorted((folder / "shared").rglob("*.nc"))
    times = [part.stat().st_mtime_ns for part in parts]
    found = run_accuracy(small_bank, other, tmp_path / "new", config=TINY, shared=folder / "shared")
    assert other.records_seen > 0
    assert [part.stat().st_mtime_ns for part in parts] == times
    assert found["windows"] == results["windows"]
    assert not (tmp_path / "new" / "shared").exists()


def test_folders_of_others(results, small_bank, sampler, folder, tmp_path):
    other = copy.copy(sampler)
    other.id = "two"
    with pytest.raises(InputError, match=r"holds a benchmark of sampler one, not two; choose another folder"):
        run_accuracy(small_bank, other, folder, config=TINY)
    with pytest.raises(InputError, match=r"holds a benchmark of config \{'count': 40"):
        run_accuracy(small_bank, sampler, folder, config=replace(TINY, seed=3))
    changed = GreensBank(small_bank.dataset.assign_attrs(id="other"))
    with pytest.raises(InputError, match=rf"holds a benchmark of bank {small_bank.id}, not other"):
        run_accuracy(changed, sampler, folder, config=TINY)
    (tmp_path / "sampler").mkdir()
    (tmp_path / "sampler" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="is no folder of this benchmark, and not empty"):
        run_accuracy(small_bank, sampler, tmp_path, config=TINY)


def test_what_cannot_be_run(small_bank, sampler, tmp_path):
    with pytest.raises(InputError, match="the model must draw slip and waves, as a trained sampler does, got object"):
        run_accuracy(small_bank, object(), tmp_path / "a", config=TINY)
    with pytest.raises(InputError, match=r"window_min must be in \(0, 60\] and hold a sample, got 90"):
        run_accuracy(small_bank, sampler, tmp_path / "b", config=replace(TINY, windows_min=(30, 90)))
    elsewhere, partial = copy.copy(sampler), copy.copy(sampler)
    elsewhere.sources = ["acsza60", *sampler.sources[1:]]
    with pytest.raises(InputError, match="acsza60"):
        run_accuracy(small_bank, elsewhere, tmp_path / "b", config=TINY)
    partial.waves = {name: wave for name, wave in sampler.waves.items() if name != "newport"}
    with pytest.raises(InputError, match="unknown gauge 'newport' among the waves of the posterior"):
        run_accuracy(small_bank, partial, tmp_path / "b", config=TINY)
    # a refused sampler leaves the folder to the next one
    assert not (tmp_path / "b").exists()
    for wrong, message in (
        ({"count": 3}, "count must be >= 20, got 3"),
        ({"windows_min": (30, 10)}, r"windows_min must rise from above zero, got \(30, 10\)"),
        ({"table_window_min": 20}, "table_window_min must be one of windows_min, got 20"),
        ({"test_sets": 0}, "test_sets must be >= 1, got 0"),
        ({"headline_windows_min": (10,)}, r"headline_windows_min must be of windows_min, table_window_min among"),
        ({"headline_windows_min": (20, 30)}, r"headline_windows_min must be of windows_min, .* got \(20, 30\)"),
        ({"other_count": 50}, "other_count and bayes_count must be at most count, 40"),
    ):
        with pytest.raises(InputError, match=message):
            replace(TINY, **wrong)
    assert AccuracyConfig.quick().count < AccuracyConfig().count


@pytest.mark.slow
def test_the_command(small_bank, sampler, results, folder, tmp_path, monkeypatch, capsys):
    small_bank.save(tmp_path / "bank.nc")
    monkeypatch.setattr("benchmarks.accuracy.__main__.open_model", lambda name: sampler if name == "mine" else None)
    monkeypatch.setattr(AccuracyConfig, "quick", classmethod(lambda cls: TINY))
    options = ["--bank", str(tmp_path / "bank.nc"), "--model", "mine", "--quick", "--out", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", ["accuracy", *options, "--shared", str(folder / "shared")])
    command()
    assert capsys.readouterr().out == f"{tmp_path / 'out' / 'accuracy.md'}\n"
    assert json.loads((tmp_path / "out" / "accuracy.json").read_text())["windows"] == results["windows"]


# --- the numbers


@pytest.fixture(scope="module")
def main(small_bank) -> ScenarioSet:
    return ScenarioSet.build(small_bank, count=40, seed=TINY.seed)


def test_numbers_of_the_linear_estimator(results, small_bank, main):
    window = small_bank.with_window(DARTS, 30)
    moments = JointMoments.from_scenarios(
        ScenarioSet.build(window, count=TINY.linear_count, seed=TINY.seed + 100), DARTS, 30, split=None
    )
    true = main.load_weights().to_numpy()
    found = GaussianPosterior(moments, noise_sd_m=0.005).solve(main.load_records(DARTS, 30, noise_sd_m=0.005))
    stated_scores = results["windows"]["30"]["linear"]
    npt.assert_allclose(stated_scores["weight_mse_m2"]["value"], metrics.weight_mse(true, found), rtol=1e-4)
    low, high = stated_scores["weight_mse_m2"]["interval"]
    spread = ((found - true) ** 2).mean(axis=1).std() / np.sqrt(40)
    # the bootstrap of a mean is its standard error, 1.64 of it to each side
    npt.assert_allclose(high - low, 2 * 1.645 * spread, rtol=0.4)
    biases = metrics.bias(true, found)
    npt.assert_allclose(stated_scores["largest_source_bias_m"]["value"], biases[np.argmax(np.abs(biases))], rtol=1e-3)
    late = magnitude_of_slip(found, main.sources) - main.dataset["magnitude"].to_numpy()
    npt.assert_allclose(stated_scores["magnitude_error_absolute"]["value"], np.abs(late).mean(), rtol=1e-3)
    share = results["ratios"]["weight_mse_m2_of_linear"]["value"]
    own = results["windows"]["30"]["sampler"]["weight_mse_m2"]["value"]
    npt.assert_allclose(share * stated_scores["weight_mse_m2"]["value"], own, rtol=1e-3)


def test_numbers_of_least_squares_waves(results, small_bank, main):
    from slipcast.inversion.least_squares import LeastSquaresSolver

    slip = LeastSquaresSolver(small_bank.source_response(DARTS, window_min=30)).solve(
        main.load_records(DARTS, 30, noise_sd_m=0.005)
    )
    level = np.einsum("gts,ns->ngt", small_bank.source_response().to_numpy(), slip)
    points = [3, 4]
    true = main.dataset["records"].to_numpy()[:, points].max(axis=-1)
    scores = results["windows"]["30"]["nnls"]
    for name, expected in (
        ("explained_variance", metrics.explained_variance(true, level[:, points].max(axis=-1))),
        ("r2", metrics.r2(true, level[:, points].max(axis=-1))),
        ("bias_m", metrics.bias(true, level[:, points].max(axis=-1))),
        ("top_decile_bias", metrics.top_decile_bias(true, level[:, points].max(axis=-1))),
    ):
        npt.assert_allclose(scores[f"max_amplitude_{name}"]["value"], expected.mean(), rtol=2e-3, atol=1e-4)
    assert "slip_crps_m" not in scores


def test_the_sampler_that_is_the_linear_estimator_scores_like_it(results):
    """The fake sampler is a Gaussian posterior from 200 scenarios, the linear estimator one from 200 others."""
    for window in ("10", "30"):
        own, other = (results["windows"][window][name] for name in ("sampler", "linear"))
        npt.assert_allclose(own["slip_coverage_90"]["value"], other["slip_coverage_90"]["value"], atol=0.1)
        npt.assert_allclose(own["slip_width_90_m"]["value"], other["slip_width_90_m"]["value"], rtol=0.3)
        assert own["slip_closed_coverage_90"]["value"] >= own["slip_coverage_90"]["value"] - 0.05
        assert own["slip_width_50_m"]["value"] < own["slip_width_90_m"]["value"]
    assert results["windows"]["10"]["sampler"]["slip_width_90_m"]["value"] > own["slip_width_90_m"]["value"]


def test_sets_elsewhere(results, main, small_bank):
    found = results["shifted"]
    assert results["about"]["config"]["other_count"] == 24
    assert list(found["uniform"]["methods"]) == ["nnls", "linear", "gaussian", "network", "sampler"]
    # smaller earthquakes have smaller errors in m², and other grids change no truth of slip
    assert found["mw_7.4_7.8"]["slip_variance_m2"] < 0.1 * results["slip_variance_m2"]
    assert found["grid"]["slip_variance_m2"] == found["noise"]["slip_variance_m2"]
    first = main.load_weights(np.arange(24)).to_numpy().astype(float)
    npt.assert_allclose(found["grid"]["slip_variance_m2"], first.var(), rtol=1e-3)
    # a ratio to the same ruptures: the error there times the ratio is the error here
    from slipcast.inversion.least_squares import LeastSquaresSolver

    records = main.load_records(DARTS, 30, np.arange(24), noise_sd_m=0.005)
    slip = LeastSquaresSolver(small_bank.source_response(DARTS, window_min=30)).solve(records)
    scores = found["noise"]["methods"]["nnls"]
    npt.assert_allclose(
        scores["weight_mse_m2"]["value"] / scores["weight_mse_m2_ratio"]["value"],
        metrics.weight_mse(first, slip),
        rtol=1e-3,
    )
    assert results["target_mse_m2"] > 0
    assert found["target"]["methods"]["linear"]["max_amplitude_mse_m2_ratio"]["value"] == 1.0


def test_noise_fan_and_time(results):
    noise = results["noise_alone"]["windows"]["30"]
    assert noise["0.05"]["median"] <= noise["0.5"]["median"] <= noise["0.95"]["median"] <= noise["0.95"]["largest"]
    fan = results["forecast"]
    assert fan["gauge"] == "westport"
    assert np.shape(fan["windows"]["20"]) == (5, 121)
    assert (np.diff(fan["windows"]["30"], axis=0) >= 0).all()
    assert 0 < results["latency"]["slip_ms"] < results["latency"]["fan_ms"]


def test_scores_are_those_of_metrics_and_follow_the_resamples():
    rng = np.random.default_rng(1)
    true, found = rng.gamma(2.0, 1.0, (50, 3)), rng.gamma(2.0, 1.0, (50, 3))
    truth = xr.Dataset(
        {
            "weights_true": (("scenario", "source"), true),
            "max_amplitude_true": (("scenario", "gauge"), true),
            "arrival_true": (("scenario", "gauge"), 60 * true),
            "magnitude_true": ("scenario", magnitude_of_slip(true, SOURCES)),
        },
        coords={"gauge": ["a", "b", "c"], "gauge_kind": ("gauge", ["forecast", "dart", "forecast"]), "source": SOURCES},
    )
    judged = xr.Dataset(
        {
            "weights": (("scenario", "source"), found),
            "max_amplitude": (("scenario", "gauge"), found),
            "arrival": (("scenario", "gauge"), 60 * found),
            "dart_fit": ("scenario", found[:, 0]),
        },
        coords={"gauge": ["a", "b", "c"], "source": SOURCES},
    )
    counts = resample_counts(50, 30, seed=2)
    scores = scores_of(judged, truth, counts)
    assert counts.shape == (31, 50)
    for row in (0, 7):
        picked = np.repeat(np.arange(50), counts[row].astype(int))
        y, p = true[picked], found[picked]
        at = [0, 2]
        for name, expected in (
            ("weight_mse_m2", metrics.weight_mse(y, p)),
            ("max_amplitude_explained_variance", metrics.explained_variance(y, p)[at].mean()),
            ("max_amplitude_r2", metrics.r2(y, p)[at].mean()),
            ("max_amplitude_bias_m", metrics.bias(y, p)[at].mean()),
            ("max_amplitude_mse_m2", np.mean((y - p)[:, at] ** 2)),
            ("arrival_error_s", 60 * np.abs(y - p)[:, at].mean()),
            ("dart_fit_median", np.sort(p[:, 0])[24]),
        ):
            npt.assert_allclose(scores[name][row], expected, rtol=1e-9, err_msg=name)
        top = np.argsort(y, axis=0, kind="stable")[-5:]
        expected = np.take_along_axis(p, top, 0).mean(0) / np.take_along_axis(y, top, 0).mean(0) - 1
        npt.assert_allclose(scores["max_amplitude_top_decile_bias"][row], expected[at].mean(), rtol=1e-9)
    npt.assert_allclose(ratio(scores["weight_mse_m2"], 2 * scores["weight_mse_m2"]), 0.5)
    assert stated(np.array([np.nan, 1.0, 2.0])) == {"value": None, "interval": None}


SOURCES = ["acsza57", "acsza58", "acsza59"]


def test_moments_of_less_are_those_of_records_with_less(small_bank):
    moments = JointMoments.from_bank(small_bank, DARTS, 60, count=100, seed=4)
    less = moments.restricted(["46419", "46404"], 20)
    records = np.random.default_rng(5).normal(0.0, 0.1, (3, 3, 60))
    known = np.full_like(records, np.nan)
    known[:, [0, 2], :20] = records[:, [0, 2], :20]
    npt.assert_allclose(
        GaussianPosterior(less).solve(records[:, [2, 0], :20]), GaussianPosterior(moments).solve(known), rtol=1e-6
    )


# --- shifted test sets


def test_uniform_and_smooth_slip(main, small_bank):
    slip, subfaults = main.dataset["slip"].to_numpy()[:10], small_bank.subfaults
    magnitude = main.dataset["magnitude"].to_numpy()[:10]
    uniform, smooth = uniform_slip(slip, subfaults.area_m2), smooth_slip(slip, subfaults)
    for other in (uniform, smooth):
        npt.assert_array_equal(other > 0, slip > 0)
        npt.assert_allclose(moment_magnitude(seismic_moment(other, subfaults.area_m2)), magnitude, atol=1e-6)
    for row in uniform:
        npt.assert_allclose(row[row > 0], row.max(), rtol=1e-12)
    # a smooth patch is highest in its middle and falls to exp(-2) towards the ends of its axes
    row = int(np.argmax((slip > 0).sum(axis=1)))
    along = subfaults.along[slip[row] > 0]
    peak = subfaults.along[np.argmax(smooth[row])]
    assert abs(peak - (along.min() + along.max()) / 2) <= 1
    assert smooth[row][slip[row] > 0].min() < 0.2 * smooth[row].max()


def test_the_same_ruptures_again(main, small_bank):
    some = ScenarioSet(main.dataset.isel(scenario=slice(0, 6)))
    again = resimulated(some, small_bank)
    npt.assert_allclose(again.dataset["records"], some.dataset["records"], atol=1e-5)
    npt.assert_allclose(again.load_weights(), some.load_weights(), rtol=1e-5, atol=1e-6)
    twice = resimulated(some, small_bank, slip_m=2 * some.dataset["slip"].to_numpy())
    npt.assert_allclose(twice.dataset["records"], 2 * some.dataset["records"], atol=2e-5)
    npt.assert_allclose(twice.load_weights(), 2 * some.load_weights(), rtol=1e-5, atol=1e-6)
    assert len({some.id, again.id, twice.id}) == 3
    with pytest.raises(InputError, match=r"gauges of bank \w+ must be those of the scenarios"):
        resimulated(some, small_bank.with_window(DARTS, 60))


def test_a_sea_floor_that_is_perturbed():
    floor = Bathymetry(
        lon_deg=np.arange(220.0, 240.0, 0.1),
        lat_deg=np.arange(30.0, 50.0, 0.1),
        elevation_m=np.where(np.arange(200) % 7 == 0, 50.0, -2000.0) * np.ones((200, 1)),
        title="flat",
    )
    changed = perturbed_bathymetry(floor, seed=3)
    field = changed.elevation_m / floor.elevation_m - 1
    # some hundred patches of 100 km: the deviation is known to some percent
    npt.assert_allclose(field.std(), 0.02, rtol=0.15)
    assert abs(field.mean()) < 0.005
    npt.assert_array_equal(np.sign(changed.elevation_m), np.sign(floor.elevation_m))
    npt.assert_array_equal(perturbed_bathymetry(floor, seed=3).elevation_m, changed.elevation_m)
    assert not np.array_equal(perturbed_bathymetry(floor, seed=4).elevation_m, changed.elevation_m)
    npt.assert_allclose(
        perturbed_bathymetry(floor, sd=0.04, seed=3).elevation_m / floor.elevation_m - 1, 2 * field, atol=1e-6
    )
    # 100 km are nine rows: the correlation has fallen to 1/e there
    lag = np.mean(field[:-9] * field[9:]) / np.mean(field**2)
    npt.assert_allclose(lag, np.exp(-1), atol=0.15)
    assert "perturbed by 2 % (seed 3)" in changed.title


def test_the_globe_has_no_seam():
    floor = Bathymetry(np.arange(0.0, 360.5, 0.5), np.arange(-60.0, 60.5, 0.5), np.full((241, 721), -3000.0), "ocean")
    field = perturbed_bathymetry(floor, seed=5, correlation_km=300.0).elevation_m / -3000.0 - 1
    npt.assert_array_equal(field[:, 0], field[:, -1])
    steps = np.abs(np.diff(field, axis=1)).mean(axis=0)
    assert steps[-1] < 2 * steps.mean()
    npt.assert_allclose(field.std(), 0.02, rtol=0.1)


def test_noise_that_remembers_and_drifts():
    rng = np.random.default_rng(6)
    noise = coloured_noise((3000, 2, 60), rng, drift_m_per_h=0.0)
    npt.assert_allclose(noise.std(axis=(0, 1)), 0.005, rtol=0.05)
    npt.assert_allclose(np.mean(noise[..., 0] * noise[..., 10]) / 0.005**2, np.exp(-1), atol=0.04)
    drifting = coloured_noise((3000, 2, 60), rng, sd_m=1e-9, drift_m_per_h=0.003)
    npt.assert_allclose(drifting[..., -1].std(), 0.003, rtol=0.05)
    npt.assert_allclose(drifting[..., 29], drifting[..., -1] / 2, atol=1e-7)
