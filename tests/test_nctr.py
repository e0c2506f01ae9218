"""NOAA's files, written here in their formats and read back: scenario set, bank, and what is left out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.testing as npt
import pandas as pd
import pytest
from scipy.io import savemat
from typer.testing import CliRunner

from inversion_fixtures import least_squares
from slipcast.cli import main as cli
from slipcast.errors import InputError
from slipcast.evaluation.evaluation import evaluate_with_baselines
from slipcast.forecasting.forecast import forecast
from slipcast.greens.bank import GreensBank
from slipcast.learning.train import train
from slipcast.physics.unit_sources import unit_source
from slipcast.records import simulated_records
from slipcast.records.nctr import NctrImport, _Faulty, _on_whole_minutes, import_nctr
from slipcast.scenarios.scenario_set import ScenarioSet

DARTS = ("46404", "46407", "46419")
POINTS = ("hilo1", "dart51407")
SOURCES = ("acsza57", "acsza58", "acszb57", "acszb58")
RUNS = 24
MINUTES = {"dart": 119, "point": 240}


def short_style(name: str) -> str:
    """Return a name as NOAA's inversions have it: acsza58 is ac58a."""
    return f"{name[:2]}{name[5:]}{name[4]}"


def response(gauge: str, minutes: int) -> np.ndarray:
    """Make up responses at a gauge, m per m, shape (minutes + 1, n_sources); zero at time zero."""
    minute = np.arange(minutes + 1)[:, np.newaxis]
    rng = np.random.default_rng(list(gauge.encode()))
    arrival, period, height = rng.uniform([[2], [10], [0.02]], [[15], [25], [0.06]], (3, len(SOURCES)))
    late = np.maximum(minute - arrival, 0.0)
    return height * np.sin(2 * np.pi * late / period) * np.exp(-late / 60)


def truth() -> np.ndarray:
    """Return NOAA's slip of every run, m; a third of it zero."""
    rng = np.random.default_rng(4)
    return rng.gamma(1.5, 3.0, (RUNS, len(SOURCES))) * (rng.random((RUNS, len(SOURCES))) > 0.3)


def write_run(folder: Path, run: int, slip: np.ndarray, *, sample_s: float = 60.0) -> None:
    """Write the records and the inversion of a run as MATLAB does: columns, names in cells, sources with slip only."""
    for gauge in DARTS:
        t = np.arange(0, 60 * MINUTES["dart"] + 1, sample_s)
        h = np.interp(t / 60, np.arange(MINUTES["dart"] + 1), 100 * response(gauge, MINUTES["dart"]) @ slip)
        h[0] = np.nan
        savemat(folder / f"fq{run:06d}_{gauge}.mat", {"t": t[:, np.newaxis], "h": h[:, np.newaxis]})
    for gauge in POINTS:
        t = np.arange(MINUTES["point"] + 1) / 60
        savemat(folder / f"{gauge}_fq{run:06d}.mat", {"t": t, "h": 100 * response(gauge, MINUTES["point"]) @ slip})
    names = np.array([[short_style(name) for name in SOURCES]], dtype=object)[:, slip > 0]
    savemat(folder / f"fq{run:06d}_autoinv_slip.mat", {"faults": names, "slip": slip[slip > 0][:, np.newaxis]})


def write_responses(folder: Path, *, sources=SOURCES) -> None:
    """Write the responses to unit sources, m and minutes."""
    for gauge in (*DARTS, *POINTS):
        eta = response(gauge, MINUTES["point"])
        columns = [SOURCES.index(name) for name in sources]
        pd.DataFrame(eta[:, columns], columns=list(sources)).to_csv(folder / f"eta_{gauge}.csv", index=False)
        minutes = np.repeat(np.arange(len(eta))[:, np.newaxis], len(sources), axis=1)
        pd.DataFrame(minutes, columns=list(sources)).to_csv(folder / f"t_{gauge}.csv", index=False)


def write_folder(folder: Path, **options) -> Path:
    """Write everything."""
    for run, slip in enumerate(truth()):
        write_run(folder, run, slip, **options)
    write_responses(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_folder(tmp_path_factory.mktemp("nctr"))


@pytest.fixture(scope="module")
def imported(folder) -> NctrImport:
    return import_nctr(folder)


@pytest.fixture
def few(tmp_path) -> Path:
    """Write a folder of three runs."""
    for run, slip in enumerate(truth()[:3]):
        write_run(tmp_path, run, slip)
    write_responses(tmp_path)
    return tmp_path


def test_everything_comes_back(imported):
    scenarios = imported.scenarios
    assert (imported.n_runs, len(scenarios), imported.runs_left_out, imported.gauges_left_out) == (RUNS, RUNS, {}, {})
    assert scenarios.gauges == ["46404", "46407", "46419", "51407", "hilo1"]  # the region's order and names
    assert scenarios.gauge_names("forecast") == ["hilo1"]
    assert scenarios.sources == list(SOURCES)
    assert scenarios.target == "least_squares"
    npt.assert_allclose(scenarios.load_weights(), truth(), rtol=1e-6)
    npt.assert_array_equal(scenarios.dataset["run"], np.arange(RUNS))
    npt.assert_array_equal(scenarios.dataset["gauge_hours"] * 60, [119, 119, 119, 240, 240])
    for gauge, minutes in (("46407", 119), ("hilo1", 240)):
        expected = truth() @ response(gauge, minutes).T
        found = scenarios.load_records([gauge], minutes).sel(gauge=gauge)
        npt.assert_allclose(found, expected[:, 1:], rtol=0, atol=1e-6)
    assert (scenarios.dataset["records"].sel(time=0) == 0).all()
    assert np.isnan(scenarios.dataset["records"].sel(gauge="46404", time=120 * 60.0)).all()


def test_the_magnitude_is_that_of_the_slip(imported):
    areas = [unit_source(name).area_m2 for name in SOURCES]
    moment = 40e9 * (truth() * areas).sum(axis=1)
    npt.assert_allclose(imported.scenarios.dataset["magnitude"], (np.log10(moment) - 9.1) / 1.5, atol=1e-6)


def test_the_bank_gives_the_records(imported):
    imported.bank.check()
    npt.assert_array_equal(imported.bank.source_response(), imported.scenarios.source_response())
    weights = imported.scenarios.load_weights([5]).isel(scenario=0)
    records = imported.bank.forward(weights, window_min=100)
    npt.assert_allclose(records, imported.scenarios.load_records(imported.bank.gauges, 100, [5])[0], atol=1e-5)


def test_short_samples_are_brought_to_minutes(imported, tmp_path):
    again = import_nctr(write_folder(tmp_path, sample_s=15.0))
    npt.assert_allclose(again.scenarios.dataset["records"], imported.scenarios.dataset["records"], atol=1e-6)


def test_order_in_the_files_does_not_matter(few, tmp_path):
    before = import_nctr(few).scenarios
    write_responses(few, sources=SOURCES[::-1])
    path = few / "fq000001_autoinv_slip.mat"
    slip = truth()[1]
    order = [3, 0, 2, 1]
    names = np.array([short_style(SOURCES[i]) for i in order], dtype=object)
    savemat(path, {"faults": names, "slip": slip[order]})
    (few / "deeper").mkdir()
    path.rename(few / "deeper" / path.name)  # folders do not matter either
    assert import_nctr(few).scenarios.id == before.id


def test_the_rest_of_slipcast_works_on_it(imported, tmp_path):
    imported.scenarios.save(tmp_path / "set.zarr")
    imported.bank.save(tmp_path / "bank.nc")
    scenarios, bank = ScenarioSet.open(tmp_path / "set.zarr"), GreensBank.open(tmp_path / "bank.nc")
    trained = train(scenarios, tmp_path / "run", window_min=45, epochs=2)
    assert trained.sources == SOURCES
    scores = evaluate_with_baselines(scenarios, trained).scores
    assert np.isfinite(scores["network"]["weight_mse_m2"])
    # the records are exact sums of the responses, so least squares finds NOAA's slip, and the forecast is the record
    slip = least_squares(simulated_records(scenarios, 7, DARTS, window_min=100), bank, window_min=100)
    npt.assert_allclose(slip.slip, truth()[7], atol=0.02)
    ahead = forecast(slip, bank, gauges=["hilo1"])
    npt.assert_allclose(ahead.sea_level[0], response("hilo1", 240) @ truth()[7], atol=0.01)


def cut(path: Path, minutes: int) -> None:
    """Write a series that ends early."""
    t = np.arange(minutes + 1) * 60.0
    savemat(path, {"t": t, "h": np.where(t > 0, 1.0, np.nan)})


def test_runs_that_are_left_out(few):
    for run in (3, 4, 5, 6, 7, 8):
        write_run(few, run, truth()[run])
    (few / "fq000003_autoinv_slip.mat").unlink()
    cut(few / "fq000004_46407.mat", 31)
    (few / "fq000005_46404.mat").unlink()
    t = np.arange(120) * 60.0
    savemat(few / "fq000006_46419.mat", {"t": t, "h": np.where((t == 0) | (t == 600), np.nan, 1.0)})
    savemat(few / "fq000007_46419.mat", {"t": np.delete(t, [20, 21, 22]), "h": np.ones(117)})
    cut(few / "fq000008_46404.mat", 1)
    found = import_nctr(few)
    assert found.runs_left_out == {
        3: "it has no inversion",
        4: "its record at 46407 ends after 31 min, others after 119 min",
        5: "it has no record at 46404",
        6: "its record at 46419 has no number at 10 min",
        7: "its record at 46419 has a gap of 4 min after 19 min",
        8: "its record at 46404 ends after 1 min, others after 119 min",
    }
    npt.assert_array_equal(found.scenarios.dataset["run"], [0, 1, 2])


def test_a_record_that_begins_late_and_slip_where_no_response_is(few):
    savemat(few / "fq000000_46404.mat", {"t": np.arange(10, 120) * 60.0, "h": np.ones(110)})
    savemat(few / "fq000001_autoinv_slip.mat", {"faults": np.array(["ac60b"], dtype=object), "slip": [2.0]})
    assert import_nctr(few).runs_left_out == {
        0: "its record at 46404 begins at 10 min only",
        1: "its inversion has 2 m on acszb60, to which there are no responses",
    }


def test_a_response_that_begins_late_is_zero_before(few):
    eta = response("hilo1", 240)[40:]
    pd.DataFrame(eta, columns=list(SOURCES)).to_csv(few / "eta_hilo1.csv", index=False)
    pd.DataFrame({"t": np.arange(40, 241)}).to_csv(few / "t_hilo1.csv", index=False)  # one column for all sources
    found = import_nctr(few).bank.source_response(["hilo1"])[0]
    assert (found[:40] == 0).all()
    npt.assert_allclose(found[40:], eta, atol=1e-7)


def test_gauges_that_are_left_out(few):
    for run in range(3):
        savemat(few / f"csz_fq{run:06d}.mat", {"t": np.arange(10.0), "h": np.ones(10)})
        savemat(few / f"hilo2_fq{run:06d}.mat", {"t": np.arange(10.0), "h": np.ones(10)})
    savemat(few / "fq000001_46411.mat", {"t": np.arange(10.0), "h": np.ones(10)})
    for name in ("eta", "t"):
        (few / f"{name}_46411.csv").write_bytes((few / f"{name}_46404.csv").read_bytes())
    left_out = import_nctr(few).gauges_left_out
    assert list(left_out) == ["46411", "csz", "hilo2"]
    assert left_out["46411"] == "it has records of 1 runs only, others have 3"
    assert left_out["csz"].startswith("unknown gauge 'csz' in region cascadia")
    assert left_out["hilo2"] == "there is no eta_hilo2.csv with its responses to unit sources"


def nothing(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def spoil(name: str, **variables):
    """Return what writes a MATLAB file anew."""
    return lambda folder: savemat(folder / name, variables)


def csv(name: str, text: str):
    """Return what writes a table anew."""
    return lambda folder: (folder / name).write_text(text)


RECORD, INVERSION = "fq000001_46404.mat", "fq000001_autoinv_slip.mat"
FAULTS = np.array(["ac57a", "ac58a"], dtype=object)
HEADER = ",".join(SOURCES)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (nothing, r"holds no file such as fq000000_46404.mat"),
        (spoil(RECORD, t=[0.0, 60.0]), rf"{RECORD} lacks the variable h$"),
        (spoil(RECORD, t=[0.0, 60.0], h=[1.0]), rf"{RECORD}: t has 2 samples, h 1$"),
        (spoil(RECORD, t=[0.0, 60.0, 60.0], h=[1.0, 2.0, 3.0]), rf"{RECORD}: t must rise"),
        (spoil(RECORD, t=[0.0], h=[np.nan]), rf"{RECORD}: t must rise"),
        (spoil(INVERSION, faults=FAULTS), rf"{INVERSION} lacks the variable slip$"),
        (spoil(INVERSION, faults=FAULTS, slip=[1.0]), rf"{INVERSION}: faults has 2 names, slip 1 values$"),
        (spoil(INVERSION, faults=FAULTS, slip=[1.0, -2.0]), "slip must be finite and >= 0 m, got -2.0 on ac58a"),
        (spoil(INVERSION, faults=FAULTS, slip=[np.nan, 2.0]), "slip must be finite and >= 0 m, got nan on ac57a"),
        (
            spoil(INVERSION, faults=np.array(["ac99a"], dtype=object), slip=[1.0]),
            rf"{INVERSION}: unknown unit source 'acsza99' in NOAA's propagation database; nearest: acsza",
        ),
        (spoil(INVERSION, faults=np.array(["?"], dtype=object), slip=[1.0]), "a unit source is named like acsza58"),
        (lambda folder: (folder / RECORD).write_bytes(b"MATLAB 5.0 MAT-file" + bytes(9)), f"{RECORD} cannot be read"),
        (
            lambda folder: (folder / RECORD).write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(99)),
            f"{RECORD} is a MATLAB file of version 7.3; save it with -v7",
        ),
        (
            lambda folder: (folder / RECORD).write_bytes((folder / RECORD).read_bytes()[:300]),
            f"{RECORD} cannot be read as a MATLAB file",
        ),
        (csv("eta_46404.csv", "1,2,3,4\n0,0,0,0\n"), r"eta_46404.csv: a unit source is named like acsza58 .* got '1'"),
        (csv("eta_46404.csv", ""), r"eta_46404.csv cannot be read as a table"),
        (csv("eta_46404.csv", HEADER), r"eta_46404.csv must hold numbers under a header of unit sources"),
        (csv("eta_46404.csv", "acsza57,ac57a\n0,0\n"), r"eta_46404.csv has a unit source twice"),
        (csv("t_46404.csv", f"{HEADER}\n0,0,0,0\n"), r"t_46404.csv has 1 rows, eta_46404.csv 241"),
        (csv("t_46404.csv", "acsza57,acszb57\n" + "0,0\n" * 241), r"t_46404.csv lacks unit source acsza58"),
        (
            csv("t_46404.csv", HEADER + "\n" + "1,1,1,1\n" * 241),
            "eta_46404.csv: the response to acsza57 has times that do not rise",
        ),
        (
            csv("eta_46404.csv", f"{HEADER}\n" + ",,,0\n" * 241),
            "eta_46404.csv: the response to acsza57 is empty",
        ),
        (
            lambda folder: [
                (folder / f"{name}_46407.csv").write_text("acsza57\n" + "\n".join(map(str, range(241))))
                for name in ("eta", "t")
            ],
            r"eta_46407.csv lacks unit source acsza58, which other gauges have",
        ),
        (
            lambda folder: [path.unlink() for path in folder.glob("eta_*.csv")],
            "no gauge of .* can be used; gauge 46404: there is no eta_46404.csv",
        ),
        (
            lambda folder: [path.unlink() for path in folder.glob("*_autoinv_slip.mat")],
            "no run of .* can be used; run 0: it has no inversion",
        ),
        (
            lambda folder: savemat(folder / "FQ000001_46404.mat", {"t": [0.0], "h": [0.0]}),
            "two files for the same: .*FQ000001_46404.mat and .*fq000001_46404.mat",
        ),
    ],
)
def test_files_that_cannot_be(few, damage, message):
    damage(few)
    with pytest.raises(InputError, match=message):
        import_nctr(few)


def test_responses_in_another_unit(few):
    for path in few.glob("eta_*.csv"):
        (100 * pd.read_csv(path)).to_csv(path, index=False)
    with pytest.raises(InputError, match=r"slip times unit responses is 100 times the records; are heights in eta_"):
        import_nctr(few)


def test_arguments_that_cannot_be(few):
    with pytest.raises(InputError, match=r"no folder .*nowhere"):
        import_nctr(few / "nowhere")
    with pytest.raises(InputError, match="seed must be >= 0, got -1"):
        import_nctr(few, seed=-1)
    with pytest.raises(InputError, match="unknown region 'cascade'; nearest: cascadia"):
        import_nctr(few, region="cascade")


def test_the_verb(few, tmp_path_factory):
    (few / "fq000002_autoinv_slip.mat").unlink()
    out = tmp_path_factory.mktemp("out")
    arguments = ["import", "nctr", str(few), "--out", str(out / "set.zarr"), "--bank", str(out / "bank.nc")]
    done = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    assert done.stdout == f"{out / 'set.zarr'}: 2 of 3 runs at 5 gauges\n"
    assert "run 2 is left out: it has no inversion\n" in done.stderr
    assert len(ScenarioSet.open(out / "set.zarr")) == 2
    GreensBank.open(out / "bank.nc").check()
    shown = json.loads(CliRunner().invoke(cli.app, [*arguments, "--json"], catch_exceptions=False).stdout)
    assert shown["runs_left_out"] == {"2": "it has no inversion"}
    assert shown["sources"] == list(SOURCES)


# --- a series on whole minutes


def test_a_series_that_begins_at_time_zero_keeps_its_first_height():
    found = _on_whole_minutes(np.array([0.0, 60.0, 120.0]), np.array([0.3, 0.5, 0.1]))
    npt.assert_array_equal(found, np.float32([0.3, 0.5, 0.1]))


def test_a_series_that_begins_later_was_at_rest_a_minute_before():
    found = _on_whole_minutes(np.array([90.0, 150.0]), np.array([0.4, 0.8]))
    # at rest until 30 s, a line from there to 90 s
    npt.assert_allclose(found, [0.0, 0.2, 0.6], rtol=1e-6)
    npt.assert_allclose(_on_whole_minutes(np.array([30.0, 60.0]), np.array([0.4, 0.8])), [0.0, 0.8], rtol=1e-6)


@pytest.mark.parametrize(("last_s", "count"), [(180.0, 4), (174.1, 4), (173.9, 3), (185.9, 4)])
def test_a_last_minute_that_rounding_cut_counts(last_s, count):
    found = _on_whole_minutes(np.array([0.0, 60.0, 120.0, last_s]), np.ones(4))
    assert found.size == count


def test_gaps_up_to_150_seconds_are_bridged():
    npt.assert_array_equal(_on_whole_minutes(np.array([150.0, 300.0]), np.ones(2))[3:], 1.0)
    with pytest.raises(_Faulty, match=r"begins at 2\.51667 min only"):
        _on_whole_minutes(np.array([151.0, 200.0]), np.ones(2))
    assert _on_whole_minutes(np.array([151.0, 200.0]), np.ones(2), late=True).size == 4
    with pytest.raises(_Faulty, match=r"has a gap of 2\.51667 min after 1 min"):
        _on_whole_minutes(np.array([0.0, 60.0, 211.0]), np.ones(3))
    with pytest.raises(_Faulty, match="has no number at 1 min"):
        _on_whole_minutes(np.array([0.0, 60.0, 120.0]), np.array([0.0, np.nan, 0.0]))
    with pytest.raises(_Faulty, match="has times that do not rise"):
        _on_whole_minutes(np.array([0.0, 60.0, 60.0]), np.ones(3))
    with pytest.raises(_Faulty, match="is empty"):
        _on_whole_minutes(np.array([np.nan]), np.ones(1))
