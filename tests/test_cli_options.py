"""Every option of the command line changes what is shown, written or asked of the library."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
import xarray as xr

from conftest import small_region
from slipcast.cli import main as cli
from slipcast.learning.checkpoint import Checkpoint
from slipcast.learning.train import train
from slipcast.realtime.replay import Replay
from slipcast.records import Records, read_records, simulated_records
from slipcast.scenarios.scenario_set import ScenarioSet
from tide_fixtures import ndbc_text, tide_m

DARTS = ["46404", "46407", "46419"]
ORIGIN, EPICENTRE = "2011-03-11T05:46:24Z", (-125.5, 47.0)


@dataclass(frozen=True)
class Done:
    """What a run of the command line left."""

    code: int
    out: str
    err: str
    folder: Path

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()

    def json(self) -> Any:
        return json.loads(self.out)

    def attrs(self, name: str) -> dict[str, Any]:
        return self.data(name).attrs

    def data(self, name: str) -> xr.Dataset:
        with xr.open_dataset(self.folder / name, engine="netcdf4", decode_times=False) as opened:
            return opened.load()

    def bytes(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


@pytest.fixture(scope="module")
def files(small_bank, small_set, tmp_path_factory) -> dict[str, Path]:
    """Write inputs of every kind, by the words that stand for them below."""
    folder = tmp_path_factory.mktemp("files")
    content = small_region().model_dump()
    content["grids"]["near"] |= {"spacing_arcmin": 12.0, "hours": 0.5}
    (folder / "region.toml").write_text(tomli_w.dumps(content))
    lon, lat = np.arange(222.0, 242.0, 0.5), np.arange(36.0, 56.0, 0.5)
    flat = np.full((lat.size, lon.size), -2500.0)
    xr.Dataset({"z": (("lat", "lon"), flat)}, coords={"lat": lat, "lon": lon}).to_netcdf(folder / "flat.nc")
    shallow = xr.Dataset({"z": (("lat", "lon"), flat / 1000)}, coords={"lat": lat, "lon": lon})
    shallow.to_netcdf(folder / "shallow.nc")
    small_bank.save(folder / "bank.nc")
    small_bank.with_sources(["acsza58", "acszb58"]).save(folder / "few.nc")
    small_set.save(folder / "set.zarr")
    simulated_records(small_set, 3, DARTS, window_min=100, noise_sd_m=0.005).save(folder / "records.nc")
    stuck = Records.open(folder / "records.nc").dataset
    stuck["sea_level"].loc[{"gauge": "46407"}] = 5.0
    Records(stuck).save(folder / "stuck.nc")
    slip = np.array([0.0, 4.0, 1.0, 2.0, 8.0, 0.0, 0.0, 3.0, 0.5])
    time_s = np.union1d(np.arange(-86400.0, 0.0, 900.0), small_bank.time_s)
    rng = np.random.default_rng(6)
    for name, level in zip(DARTS, small_bank.source_response(DARTS).to_numpy() @ slip, strict=True):
        wave = np.interp(time_s / 1.01, small_bank.time_s, level) * (time_s >= 0)
        height = 2800 + tide_m(time_s) + wave + 0.001 * rng.standard_normal(time_s.size)
        (folder / f"{name}.txt").write_text(ndbc_text(time_s, height, np.where(time_s < 0, 1, 2)))
    texts = [folder / f"{name}.txt" for name in DARTS]
    read_records(*texts, origin=ORIGIN, region="cascadia", epicentre=EPICENTRE).save(folder / "raw.nc")
    (folder / "stations.csv").write_text("station,lon_deg,lat_deg\n46404,231.0,45.0\n")
    train(small_set, folder / "run", window_min=30, epochs=2, hidden=8, device="cpu")
    (folder / "train.toml").write_text("batch_size = 5\n")
    (folder / "tune.toml").write_text("[search]\nhidden = [5, 40]\n")
    (folder / "token").write_text("a-token-of-twenty-four-chars\n")
    named = {
        "REGION": "region.toml", "FLAT": "flat.nc", "BANK": "bank.nc", "FEW": "few.nc", "SET": "set.zarr",
        "RECORDS": "records.nc", "RAW": "raw.nc", "TEXT": "46404.txt", "STATIONS": "stations.csv", "RUN": "run",
        "TRAIN": "train.toml", "TUNE": "tune.toml", "TOKEN": "token", "SLIP": "slip.nc",
        "FORECAST": "forecast.nc", "SHALLOW": "shallow.nc", "STUCK": "stuck.nc",
    }  # fmt: skip
    found = {word: folder / name for word, name in named.items()}
    for line in (
        "invert RECORDS --bank BANK --method nnls --window 90 --out SLIP",
        "forecast SLIP --bank BANK --out FORECAST",
    ):
        assert call(line, found, folder) == 0
    return found


def call(line: str, files: dict[str, Path], folder: Path) -> int:
    """Run the command line in a folder, as its entry point does; return its exit code."""
    words = [str(files.get(word, word)) for word in shlex.split(line)]
    before, sys.argv = sys.argv, ["slipcast", *words]
    try:
        with chdir(folder), pytest.raises(SystemExit) as done:
            cli.main()
    finally:
        sys.argv = before
    return int(done.value.code or 0)


@pytest.fixture
def slipcast(files, tmp_path, capsys):
    """Return a function that runs a line in a folder of its own."""

    def run(line: str) -> Done:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        code = call(line, files, folder)
        return Done(code, *capsys.readouterr(), folder)

    return run


BUILD = "bank build REGION --gauges 46404,newport"
SCENARIOS = "scenarios build BANK --count 4"
TRAINED = "train SET --out run --epochs 1 --window 30 --set hidden=8 --device cpu"
TUNED = "tune SET --out search --trials 2 --set epochs=1 --set window_min=30 --config TUNE"
INVERTED = "invert RECORDS --bank BANK --method tikhonov --window 60"
RAW = "invert RAW --bank BANK --method tikhonov --window 90 --noise 0.01"
REPLAYED = "replay RECORDS --bank BANK --method tikhonov --until 20 --every 5"
READ = f"records read TEXT --origin {ORIGIN} --region cascadia"

Check = Callable[[Done], bool]


def fails(message: str) -> Check:
    """Check that a value was passed on: the library refuses it."""
    return lambda done: done.code == 2 and message in done.err


def attr(file: str, name: str, value: Any) -> Check:
    """Check an attribute of a file."""
    return lambda done: done.attrs(file)[name] == value


CASES: list[tuple[str, str, str, Check]] = [
    # verb, the line without the option, the option, what holds with it and does not without
    ("regions list", "regions list", "--json", lambda d: d.json()[0]["name"] == "alaska"),
    ("regions show", "regions show chile", "--json", lambda d: d.json()["name"] == "chile"),
    ("regions check", "regions check REGION", "--bathymetry SHALLOW",
     fails("depth_m must reach min_depth_m = 10.0 m somewhere, got 2.5 m")),
    ("bank build", BUILD, "--out other.nc", lambda d: d.out == "other.nc\n" and d.has("other.nc")),
    ("bank build", BUILD, "--spacing 15", lambda d: "15 arc-minutes" in d.attrs("bank.nc")["grids"]),
    ("bank build", BUILD, "--hours near=0.3", lambda d: d.data("bank.nc")["time"][-1] == 0.3 * 3600),
    ("bank build", "bank build REGION", "--gauges 46407,newport", lambda d: d.data("bank.nc")["gauge"].size == 2),
    ("bank build", BUILD, "--bathymetry FLAT", lambda d: np.allclose(d.data("bank.nc")["gauge_depth"], 2500)),
    ("bank build", BUILD, "--kajiura", attr("bank.nc", "kajiura", 1)),
    ("bank build", BUILD + " --kajiura", "--no-kajiura", attr("bank.nc", "kajiura", 0)),
    ("bank build", BUILD, "--no-elastic", attr("bank.nc", "elastic", 0)),
    ("bank build", BUILD + " --no-elastic", "--elastic", attr("bank.nc", "elastic", 1)),
    ("bank build", BUILD, "--no-dispersion", attr("bank.nc", "dispersion", 0)),
    ("bank build", BUILD + " --no-dispersion", "--dispersion", attr("bank.nc", "dispersion", 1)),
    ("bank build", BUILD, "--no-losses", attr("bank.nc", "losses", 0)),
    ("bank build", BUILD + " --no-losses", "--losses", attr("bank.nc", "losses", 1)),
    ("bank build", BUILD, "--workers 0", fails("workers must be >= 1, got 0")),
    ("bank build", BUILD, "--device tpu", fails("device must be cpu or cuda, got 'tpu'")),
    ("bank build", BUILD, "--scheduler nonsense://a", fails("no Dask scheduler answers at 'nonsense://a'")),
    ("bank check", "bank check BANK", "--json", lambda d: d.json()["gauges"][:3] == DARTS),
    ("scenarios build", "scenarios build BANK --count 3", "--count 5", lambda d: len(scenarios(d)) == 5),
    ("scenarios build", SCENARIOS, "--out other.zarr", lambda d: d.has("other.zarr")),
    ("scenarios build", SCENARIOS, "--seed 5", lambda d: scenarios(d).dataset.attrs["seed"] == 5),
    (
        "scenarios build",
        SCENARIOS,
        "--magnitude 8.9 9.0",
        lambda d: bool(((m := scenarios(d).dataset["magnitude"]) >= 8.9).all() and (m <= 9.0).all()),
    ),
    ("scenarios build", SCENARIOS, "--hurst 0.5", lambda d: bool((scenarios(d).dataset["hurst"] == 0.5).all())),
    ("scenarios build", SCENARIOS, "--static", lambda d: bool((scenarios(d).dataset["onset"] == 0).all())),
    ("scenarios build", SCENARIOS, "--workers 0", fails("workers must be >= 1, got 0")),
    ("scenarios build", SCENARIOS, "--scheduler nonsense://a", fails("no Dask scheduler answers")),
    ("train", TRAINED, "--out other", lambda d: d.has("other/model.json")),
    ("train", TRAINED, "--config TRAIN", lambda d: trained(d).config.batch_size == 5),
    ("train", TRAINED, "--window 20", lambda d: trained(d).window_min == 20),
    ("train", TRAINED, "--model conv2d", fails("unknown model 'conv2d'")),
    ("train", TRAINED, "--gauges 46407,46404", lambda d: list(trained(d).gauges) == ["46407", "46404"]),
    ("train", TRAINED, "--sources ac58a,ac58b", lambda d: list(trained(d).sources) == ["acsza58", "acszb58"]),
    ("train", TRAINED, "--epochs 2", lambda d: len(trained(d).history) == 2),
    ("train", TRAINED, "--seed 2", lambda d: trained(d).config.seed == 2),
    ("train", TRAINED, "--device tpu", fails("device must be 'auto', 'cpu' or 'cuda', got 'tpu'")),
    ("train", TRAINED, "--set batch_size=7", lambda d: trained(d).config.batch_size == 7),
    ("train", TRAINED, "--resume", fails("run")),
    ("tune", TUNED, "--out other", lambda d: d.has("other/best.toml")),
    ("tune", TUNED.removesuffix("--config TUNE"), "--config TUNE", lambda d: "learning_rate" not in searched(d)),
    ("tune", TUNED, "--trials 3", lambda d: "the best of 3 trials" in d.out),
    ("tune", TUNED, "--workers 0", fails("workers must be >= 1, got 0")),
    ("tune", TUNED, "--together 0", fails("together must be >= 1, got 0")),
    ("tune", TUNED, "--scheduler nonsense://a", fails("no Dask scheduler answers")),
    ("tune", TUNED, "--seed -1", fails("seed must be >= 0, got -1")),
    ("tune", TUNED, "--set batch_size=7", lambda d: "batch_size = 7" in (d.folder / "search/best.toml").read_text()),
    ("tune", TUNED, "--resume", fails("search")),
    ("invert", INVERTED, "--bank FEW", lambda d: d.data("slip.nc")["source"].size == 2),
    ("invert", INVERTED, "--out s.nc", lambda d: d.out.startswith("s.nc: Mw ") and d.has("s.nc")),
    ("invert", "invert RECORDS --window 30", "--model RUN", attr("slip.nc", "method", "network")),
    ("invert", INVERTED, "--method nnls", attr("slip.nc", "method", "nnls")),
    ("invert", INVERTED, "--window 90", attr("slip.nc", "window_min", 90.0)),
    ("invert", INVERTED, "--start 20", attr("slip.nc", "start_min", 20.0)),
    ("invert", INVERTED, "--gauges 46407,46419", attr("slip.nc", "gauges", "46407 46419")),
    (
        "invert",
        "invert RECORDS --bank BANK --method linear --window 60",
        "--scenarios SET",
        lambda d: "scenarios" in d.attrs("slip.nc"),
    ),
    (
        "invert",
        INVERTED + " --magnitude 7.2",
        "--epicentre -125.5 47.0",
        lambda d: 0 < d.data("slip.nc")["source"].size < 9,
    ),
    (
        "invert",
        INVERTED + " --epicentre -125.5 47.0",
        "--magnitude 7.2",
        lambda d: 0 < d.data("slip.nc")["source"].size < 9,
    ),
    (
        "invert",
        INVERTED,
        "--half-duration 90",
        lambda d: d.attrs("slip.nc")["half_duration_s"] == 90.0,
    ),
    ("invert", f"{RAW} --no-joint-tide", "--joint-tide", attr("slip.nc", "tide", "joint")),
    ("invert", RAW, "--no-joint-tide", attr("slip.nc", "tide", "short")),
    ("invert", RAW, "--stretch", lambda d: d.attrs("slip.nc")["stretch"] == pytest.approx(0.01, abs=0.003)),
    ("invert", RAW, "--shifts", lambda d: "shift_s" in d.attrs("slip.nc")),
    ("invert", RAW, "--leave-one-out", lambda d: d.out.count(" from the others: ") == 3),
    ("invert", "invert STUCK --bank BANK --method tikhonov --window 60", "--keep-all",
     lambda d: len(d.attrs("slip.nc")["gauges"].split()) == 3),
    ("invert", f"{RAW} --epicentre 235 47 --magnitude 6.5", "--records-alone",
     lambda d: "note" not in d.attrs("slip.nc")),
    ("invert", INVERTED, "--json", lambda d: d.json()["method"] == "tikhonov"),
    ("forecast", "forecast SLIP", "--bank BANK", lambda d: d.has("forecast.nc")),
    ("forecast", "forecast SLIP", "--model nowhere", fails("nowhere")),
    ("forecast", "forecast SLIP --bank BANK", "--out f.nc", lambda d: d.has("f.nc")),
    ("forecast", "forecast SLIP --bank BANK", "--json", lambda d: len(d.json()) == 5),
    ("replay", "replay RECORDS --method tikhonov --until 10 --every 5", "--bank BANK", lambda d: d.has("replay.nc")),
    ("replay", REPLAYED, "--out r.nc", lambda d: d.has("r.nc")),
    ("replay", REPLAYED, "--page r.html", lambda d: b"</html>" in d.bytes("r.html")),
    ("replay", REPLAYED, "--figure r.png", lambda d: d.bytes("r.png").startswith(b"\x89PNG")),
    ("replay", REPLAYED, "--model nowhere", fails("")),
    ("replay", REPLAYED, "--epicentre 160 52.5", fails("epicentre must be within 500 km of the unit sources")),
    ("replay", REPLAYED + " --magnitude 6.5", "--records-alone",
     lambda d: replayed(d).dataset["magnitude"][-1] > 7),
    ("replay", REPLAYED, "--magnitude 6.5", lambda d: replayed(d).dataset["magnitude"][-1] < 7),
    ("replay", REPLAYED, "--method nnls", attr("replay.nc", "method", "nnls")),
    ("replay", REPLAYED, "--gauges 46407", lambda d: list(replayed(d).gauges_used) == ["46407"]),
    ("replay", REPLAYED, "--until 30", lambda d: d.data("replay.nc")["minute"][-1] == 30),
    ("replay", REPLAYED, "--every 3", lambda d: d.data("replay.nc")["minute"].size == 6),
    ("replay", REPLAYED, "--latency soon", fails("--latency must be a number, got 'soon'")),
    ("replay", REPLAYED, "--noise -1", fails("noise_sd_m")),
    ("replay", REPLAYED, "--slip-sd -1", fails("slip_sd_m")),
    ("replay", REPLAYED, "--model-error -1", fails("model_error")),
    ("replay", REPLAYED, "--joint-tide", fails("tide")),
    ("replay", "replay RAW --bank BANK --method tikhonov --until 20 --every 5", "--no-joint-tide",
     attr("replay.nc", "tide", "short")),
    ("replay", REPLAYED, "--reference-magnitude 8.9", lambda d: "within 0.1 of 8.9" in d.out),
    ("replay", REPLAYED, "--json", lambda d: d.json()["minute"] == 20),
    ("records read", f"records read TEXT --region cascadia --origin {ORIGIN}", "--origin 2011-03-11T05:40:24Z",
     attr("records.nc", "origin_time", "2011-03-11T05:40:24Z")),
    ("records read", READ, "--out r.nc", lambda d: d.has("r.nc")),
    ("records read", READ, "--station 46407", lambda d: d.data("records.nc")["gauge"].item() == "46407"),
    ("records read", READ, "--magnitude 7.2", attr("records.nc", "magnitude", 7.2)),
    ("records read", READ, "--epicentre -125.5 47.0", lambda d: "epicentre" in d.attrs("records.nc")),
    ("records read", f"records read TEXT --origin {ORIGIN}", "--region japna",
     fails("unknown region 'japna'; nearest: japan")),
    ("records read", READ, "--position 46404=-128.5,45.5", lambda d: d.data("records.nc")["gauge_lon"] == 231.5),
    ("records read", f"records read TEXT --origin {ORIGIN}", "--stations STATIONS",
     lambda d: d.data("records.nc")["gauge_lon"] == 231.0),
    ("records read", READ, "--tide harmonic", fails("46404")),
    ("records read", READ, "--shaking 46404=20", lambda d: "shaking from 0 to 20 min" in d.out),
    ("records read", READ, "--until 60", lambda d: " to 1.0 h" in d.out),
    ("records read", READ, "--json", lambda d: d.json()[0]["gauge"] == "46404"),
    ("plot region", "plot region chile", "--out r.png", lambda d: d.has("r.png")),
    ("plot bank", "plot bank BANK --source ac58b", "--out r.png", lambda d: d.has("r.png")),
    ("plot bank", "plot bank BANK", "--source ac58b", lambda d: d.has("bank.png")),
    ("plot slip", "plot slip SLIP", "--out r.png", lambda d: d.has("r.png")),
    ("plot records", "plot records RECORDS", "--out r.png", lambda d: d.has("r.png")),
    ("plot records", "plot records RECORDS --bank BANK", "--slip SLIP", lambda d: d.has("records.png")),
    ("plot records", "plot records RECORDS --slip SLIP", "--bank BANK", lambda d: d.has("records.png")),
    ("plot event", "plot event RECORDS --slip SLIP --bank BANK", "--out r.png", lambda d: d.has("r.png")),
    ("plot event", "plot event RECORDS --bank BANK", "--slip SLIP", lambda d: d.has("event.png")),
    ("plot event", "plot event RECORDS --slip SLIP", "--bank BANK", lambda d: d.has("event.png")),
    ("plot history", "plot history RUN", "--out r.png", lambda d: d.has("r.png")),
    ("plot forecast", "plot forecast FORECAST", "--out r.png", lambda d: d.has("r.png")),
]  # fmt: skip

# the slip is smaller where samples are trusted less, or slip is thought to be small
SMALLER_SLIP = [
    ("invert", INVERTED, "--noise 0.05"),
    ("invert", INVERTED, "--slip-sd 0.5"),
    ("invert", INVERTED, "--model-error 0.3"),
]

# both figures are drawn, and differ
FIGURES = [
    ("plot slip", "plot slip SLIP --out a.png", "--title Exercise"),
    ("plot records", "plot records RAW --out a.png", "--hours -2 3"),
    ("plot event", "plot event RECORDS --slip SLIP --bank BANK --out a.png", "--title Exercise"),
]


def replayed(done: Done) -> Replay:
    return Replay.open(done.folder / "replay.nc")


def scenarios(done: Done) -> ScenarioSet:
    return ScenarioSet.open(done.folder / "set.zarr")


def trained(done: Done) -> Checkpoint:
    return Checkpoint.open(done.folder / "run")


def searched(done: Done) -> list[str]:
    """Return the columns of the table of trials."""
    return (done.folder / "search/trials.csv").read_text().splitlines()[0].split(",")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verb", "line", "option", "check"), CASES, ids=[f"{verb} {option}" for verb, _, option, _ in CASES]
)
def test_an_option_changes_the_result(slipcast, monkeypatch, verb, line, option, check):
    monkeypatch.setattr("slipcast.parallel.executor._CONNECT_S", 0.2)
    with_it = slipcast(f"{line} {option}")
    assert check(with_it), with_it.err
    without = slipcast(line)
    assert without.code == 2 or not quietly(check, without)


def quietly(check: Check, done: Done) -> bool:
    """Check a run that may lack what is looked for."""
    try:
        return bool(check(done))
    except (OSError, KeyError, ValueError):
        return False


@pytest.mark.parametrize(
    ("verb", "line", "option"), SMALLER_SLIP, ids=[f"{verb} {option}" for verb, _, option in SMALLER_SLIP]
)
def test_an_option_makes_slip_smaller(slipcast, verb, line, option):
    runs = [slipcast(f"{line} {option}"), slipcast(line)]
    with_it, without = (float((done.data("slip.nc")["slip"] ** 2).sum()) for done in runs)
    assert 0 < with_it < 0.99 * without


@pytest.mark.slow
@pytest.mark.parametrize(("verb", "line", "option"), FIGURES, ids=[f"{verb} {option}" for verb, _, option in FIGURES])
def test_an_option_changes_the_figure(slipcast, verb, line, option):
    with_it, without = slipcast(f"{line} {option}"), slipcast(line)
    assert (with_it.code, without.code) == (0, 0), with_it.err
    assert with_it.bytes("a.png") != without.bytes("a.png")
