"""The command line: every verb's help, the whole way by hand, one line for a mistake, exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import typer

from cli_fixtures import check_usage_error
from slipcast.cli import main as cli
from slipcast.forecasting.forecast import Forecast
from slipcast.inversion import SlipEstimate
from slipcast.io.netcdf import read_netcdf
from slipcast.learning.checkpoint import Checkpoint
from slipcast.records import Records, simulated_records

DARTS = ["46404", "46407", "46419"]


def verbs(command, path=()):
    """List all verbs with their groups."""
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from verbs(inner, (*path, name))
    else:
        yield path


VERBS = sorted(verbs(typer.main.get_command(cli.app)))


@pytest.fixture(scope="module")
def files(small_bank, small_set, tmp_path_factory):
    """Write a bank, a set and records."""
    folder = tmp_path_factory.mktemp("files")
    small_bank.save(folder / "bank.nc")
    small_set.save(folder / "set.zarr")
    simulated_records(small_set, 3, DARTS, window_min=100, noise_sd_m=0.005).save(folder / "records.nc")
    return folder


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_has_help_with_an_example(slipcast, verb):
    code, out, _ = slipcast(*verb, "--help")
    assert code == 0
    assert f"Example: slipcast {' '.join(verb)}" in " ".join(out.split())


@pytest.mark.parametrize("verb", sorted({verb[:-1] for verb in VERBS}), ids=" ".join)
def test_a_group_alone_shows_its_help(slipcast, verb):
    code, out, err = slipcast(*verb)
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: {' '.join(('slipcast', *verb))} ")
    for other in VERBS:
        if other[: len(verb)] == verb:
            assert re.search(rf"^  {other[len(verb)]} ", out, re.MULTILINE)
    assert out == slipcast(*verb, "--help")[1]


def test_the_version(slipcast):
    assert slipcast("--version") == (0, f"slipcast {version('slipcast')}\n", "")


def test_the_verbs_of_the_design():
    named = {" ".join(verb) for verb in VERBS}
    assert {"demo", "regions list", "regions show", "regions check", "bank build", "bank check"} <= named
    assert {"scenarios build", "train", "evaluate", "invert", "forecast"} <= named
    assert {f"plot {what}" for what in ("region", "bank", "slip", "records", "history", "forecast")} <= named


def test_regions(slipcast):
    code, out, _ = slipcast("regions", "list", "--json")
    assert code == 0
    assert [region["name"] for region in json.loads(out)] == [
        "alaska",
        "cascadia",
        "chile",
        "japan",
        "kamchatka",
        "tonga",
    ]
    assert slipcast("regions", "list")[1].startswith("alaska")
    code, out, _ = slipcast("regions", "show", "chile")
    assert code == 0
    assert "32412" in out
    assert json.loads(slipcast("regions", "show", "chile", "--json")[1])["name"] == "chile"
    assert "all well" in slipcast("regions", "check", "kamchatka")[1]


def test_from_records_to_a_forecast(slipcast, files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # another folder than that of the files
    bank, records = files / "bank.nc", files / "records.nc"
    code, out, _ = slipcast("invert", records, "--bank", bank, "--method", "nnls", "--window", 90)
    assert (code, out.split()[:2]) == (0, ["slip.nc:", "Mw"])
    code, out, _ = slipcast("forecast", "slip.nc", "--bank", bank, "--json")
    points = {row["gauge"]: row["max_amplitude_m"] for row in json.loads(out)}
    assert code == 0
    assert points["westport"] == pytest.approx(
        float(Forecast.open("forecast.nc").max_amplitude.sel(gauge="westport")), abs=1e-4
    )
    lines = slipcast("forecast", "slip.nc", "--bank", bank)[1].splitlines()
    heights = [float(line.split()[1]) for line in lines]
    assert heights == sorted(heights, reverse=True)
    options = ("--method", "tikhonov", "--window", 90, "--json", "--slip-sd", 1)
    found = json.loads(slipcast("invert", records, "--bank", bank, *options)[1])
    assert found["magnitude"] == pytest.approx(SlipEstimate.open("slip.nc").magnitude, abs=1e-3)
    assert (found["method"], set(found["slip_m"])) == ("tikhonov", set(SlipEstimate.open("slip.nc").sources))
    options = ("--method", "bayes", "--window", 60, "--scenarios", files / "set.zarr", "--out", "b.nc")
    code, out, _ = slipcast("invert", records, "--bank", bank, *options)
    assert code == 0
    assert re.fullmatch(r"b\.nc: Mw \d\.\d\d \(90 %: \d\.\d\d to \d\.\d\d\), largest slip .* m\nexplained: .*\n", out)
    found = json.loads(slipcast("invert", records, "--bank", bank, *options, "--json")[1])
    assert found["magnitude_quantiles"]["0.05"] < found["magnitude"] < found["magnitude_quantiles"]["0.95"]
    lines = slipcast("forecast", "b.nc", "--bank", bank, "--out", "bf.nc")[1].splitlines()
    interval = r"\d+\.\d\d m \(90 %: \d+\.\d\d to \d+\.\d\d\)"
    assert [bool(re.search(rf" {interval}, at the coast {interval}  ", line)) for line in lines] == [
        not line.startswith(("4", "5")) for line in lines  # not at a DART
    ]  # fmt: skip
    rows = json.loads(slipcast("forecast", "b.nc", "--bank", bank, "--out", "bf.nc", "--json")[1])
    for row in rows:
        assert list(row["max_amplitude_quantiles_m"].values()) == sorted(row["max_amplitude_quantiles_m"].values())
        assert (row["coast_height_m"] is None) == row["gauge"].startswith(("4", "5"))
        if row["coast_height_m"] is not None:
            assert row["coast_height_quantiles_m"]["0.5"] == row["coast_height_m"] > row["max_amplitude_m"]
    for arguments in (
        ("plot", "slip", "slip.nc"),
        ("plot", "forecast", "bf.nc"),
        ("plot", "forecast", "forecast.nc"),
        ("plot", "records", records),
        ("plot", "records", records, "--slip", "slip.nc", "--bank", bank, "--out", "both.png"),
        ("plot", "bank", bank, "--source", "ac58b"),
        ("plot", "region", "japan"),
        ("plot", "records", "chile2010", "--out", "chile.png"),
    ):
        code, out, err = slipcast(*arguments)
        assert code == 0, err
        assert Path(out.strip()).read_bytes().startswith(b"\x89PNG")


def test_records_of_a_calm_sea(slipcast, files, tmp_path):
    calm = Records.open(files / "records.nc")
    calm.dataset["sea_level"][:] = 0
    calm.save(tmp_path / "calm.nc")
    command = ("invert", tmp_path / "calm.nc", "--bank", files / "bank.nc", "--method", "nnls", "--window", 90)
    out = tmp_path / "slip.nc"
    assert slipcast(*command, "--out", out)[:2] == (0, f"{out}: no slip\nno wave seen at 46404, 46407, 46419\n")
    assert json.loads(slipcast(*command, "--out", out, "--json")[1])["magnitude"] is None
    assert slipcast("plot", "slip", out, "--out", tmp_path / "slip.png")[0] == 0
    code, shown, _ = slipcast("forecast", out, "--bank", files / "bank.nc", "--out", tmp_path / "forecast.nc")
    assert code == 0
    assert all(line.endswith("0.00 m  no wave") for line in shown.splitlines())


@pytest.mark.slow
def test_from_scenarios_to_a_network(slipcast, files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = slipcast("scenarios", "build", files / "bank.nc", "--count", 20, "--seed", 5, "--static")
    assert (code, out.strip()) == (0, "set.zarr"), err
    Path("train.toml").write_text("window_min = 30\nbatch_size = 5\n")
    arguments = (
        "train",
        files / "set.zarr",
        "--config",
        "train.toml",
        "--epochs",
        3,
        "--set",
        "hidden=16",
        "--out",
        "run",
    )
    code, out, err = slipcast(*arguments)
    assert code == 0, err
    assert out.startswith("run: model ")
    config = Checkpoint.open("run").config
    assert (config.window_min, config.batch_size, config.epochs, config.hidden) == (30.0, 5, 3, 16)
    assert slipcast(*arguments, "--resume")[1] == out
    code, out, err = slipcast("evaluate", "run", files / "set.zarr", "--out", "judged", "--json")
    assert code == 0, err
    assert json.loads(out) == json.loads(Path("judged/metrics.json").read_text())
    assert Path("judged/figures/max_amplitude.png").read_bytes().startswith(b"\x89PNG")
    assert "slip MSE" in slipcast("evaluate", "run", files / "set.zarr", "--out", "judged")[1]
    code, _, err = slipcast("invert", files / "records.nc", "--bank", files / "bank.nc", "--model", "run")
    assert code == 0, err
    assert read_netcdf("slip.nc", "slip").attrs["model"] == Checkpoint.open("run").id
    assert slipcast("plot", "history", "run")[0] == 0


def test_a_bank_by_hand(slipcast, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = (
        "bank",
        "build",
        "cascadia",
        "--spacing",
        "near=12",
        "--hours",
        "near=0.5",
        "--gauges",
        "46404,newport",
    )
    code, out, err = slipcast(*arguments)
    assert (code, out.strip()) == (0, "bank.nc"), err
    assert "warning: DART 46404 is near the sources" in err
    summary = json.loads(slipcast("bank", "check", "bank.nc", "--json")[1])
    assert summary["gauges"] == ["46404", "newport"]
    assert "all well" in slipcast("bank", "check", "bank.nc")[1]


# --- mistakes


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("regions show cascadai", "unknown region 'cascadai'; nearest: cascadia"),
        ("bank build chilli", "unknown region 'chilli'; nearest: chile"),
        ("bank build cascadia --gauges 46440", "unknown gauge '46440' in region cascadia; nearest: 46407, 46404"),
        ("bank build cascadia --spacing fine", "--spacing must be a number or GRID=NUMBER, got 'fine'"),
        (
            "bank build cascadia --spacing 2 --spacing 3",
            "must be one number, or one GRID=NUMBER for each grid, got '2 3'",
        ),
        (
            "bank build cascadia --hours near=2 --hours near=3",
            "--hours must be one number, or one GRID=NUMBER",
        ),
        ("evaluate RUN SET --out r --scenarios a", "--scenarios must be comma-separated whole numbers, got 'a'"),
        ("bank build cascadia --device tpu", "device must be cpu or cuda, got 'tpu'"),
        ("bank build cascadia --bathymetry nowhere.nc", "no bathymetry file nowhere.nc"),
        ("bank build cascadia --out BANK/b.nc", "a part of its path is a file, not a folder"),
        ("bank build cascadia --out FOLDER", "cannot write FOLDER: it is a folder"),
        ("bank check nowhere.nc", "no file nowhere.nc"),
        ("bank check RECORDS", "holds records, not a bank of Green's functions"),
        ("scenarios build BANK --count 0", "count must be >= 1, got 0"),
        ("scenarios build BANK --count 9 --hurst a", "--hurst must be comma-separated numbers, got 'a'"),
        ("scenarios build BANK --count 9 --out FOLDER", "it is a folder with other files, which would be lost"),
        ("train SET --out r --set epoch=3", "unknown training setting 'epoch'; nearest: epochs"),
        ("train SET --out r --set epochs", "a setting must be KEY=VALUE, got 'epochs'"),
        ("train SET --out r --window 1", "signal_length must be a whole number >= 2, got 1"),
        ("train SET --out r --window 240", "window of 240 min is longer than the 120 min of scenario set cascadia"),
        ("train SET --out r --gauges 46411", "unknown gauge '46411' in scenario set cascadia; nearest: 464"),
        ("train SET --out r --sources ac54a", "unknown source 'acsza54' in scenario set"),
        ("train SET --out r --model conv2d", "unknown model 'conv2d'; nearest: conv1d"),
        ("train SET --out r --config no.toml", "cannot read no.toml"),
        ("train BANK --out r", "no folder BANK"),
        ("evaluate FOLDER SET --out r", "holds no checkpoint (no model.json)"),
        ("invert RECORDS --bank BANK", "method mixture needs a window, minutes after the origin"),
        (
            "invert RECORDS",
            "give either --model or a --bank (and --method: nnls, tikhonov, linear, gaussian, bayes, mixture)",
        ),
        ("invert RECORDS --bank BANK --method nnls", "method nnls needs a window, minutes after the origin"),
        (
            "invert RECORDS --bank BANK --method tikhonov --window 60 --slip-sd gvc",
            "--slip-sd must be metres or one of",
        ),
        ("invert chile2010 --bank BANK --method nnls --window 60", "must name at least one gauge, got none"),
        ("forecast RECORDS --bank BANK", "holds records, not a slip estimate"),
        ("plot bank BANK --source 58", "a unit source is named like acsza58 or ac58a, got '58'"),
        ("plot records RECORDS --slip s.nc", "--slip and --bank belong together"),
        ("bank biuld cascadia", "No such command 'biuld'"),
        ("forecast", "Missing argument"),
        ("invert --windw 3", "No such option"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(slipcast, files, tmp_path, monkeypatch, line, message):
    monkeypatch.chdir(tmp_path)
    words = {"BANK": "bank.nc", "SET": "set.zarr", "RECORDS": "records.nc", "FOLDER": ""}
    check_usage_error(slipcast, line, message, files, words)


def test_debug_shows_where(slipcast):
    code, _, err = slipcast("--debug", "bank", "check", "nowhere.nc")
    assert code == 2
    assert "Traceback" in err
    assert "slipcast: no file nowhere.nc" in err


def test_an_internal_error_is_exit_code_1(slipcast, monkeypatch):
    def fail(*_):
        raise RuntimeError("something\nbroke")

    monkeypatch.setattr("slipcast.regions.region.region_names", fail)
    code, _, err = slipcast("regions", "list")
    assert code == 1
    assert err == "slipcast: internal error: RuntimeError: something broke (--debug shows where)\n"


@pytest.mark.parametrize("how", ["as it is", "in compiled code", "in compiled code, behind others"])
def test_an_interrupt_is_exit_code_130(slipcast, monkeypatch, how):
    def interrupt(*_):
        if how == "in compiled code":
            raise SystemError("returned a result with an exception set") from KeyboardInterrupt()
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            if how == "as it is":
                raise
            try:
                raise RuntimeError("it was closed")
            except RuntimeError as error:
                raise SystemError("returned a result with an exception set") from error

    monkeypatch.setattr("slipcast.regions.region.region_names", interrupt)
    code, _, err = slipcast("regions", "list")
    assert code == 130
    assert "nothing is half-written" in err


@pytest.mark.slow
def test_the_reader_of_a_pipe_may_leave():
    command = f"{sys.executable} -m slipcast.cli.main regions show cascadia | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.startswith("cascadia"), done.stderr) == (0, True, "")


LEFT_PENDING = """
import asyncio
from slipcast.cli import main as cli

loops = []
def app(**_):
    loops.append(asyncio.new_event_loop())
    loops[0].create_task(asyncio.sleep(9))
    raise KeyboardInterrupt

cli._command = lambda: app
cli.main()
"""


def test_an_interrupt_says_nothing_of_tasks_that_were_under_way():
    done = subprocess.run([sys.executable, "-c", LEFT_PENDING], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert "slipcast: interrupted; what was finished is kept, nothing is half-written" in done.stderr
    assert "Task was destroyed" not in done.stderr
