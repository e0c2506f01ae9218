"""Options of verbs that wait, listen or take long, by what they ask of the library; and that no option is untested."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import typer

from slipcast.cli import main as cli
from slipcast.errors import InputError
from slipcast.records.nctr import NctrImport
from slipcast.scenarios.scenario_set import ScenarioSet
from test_cli_options import CASES, FIGURES, SMALLER_SLIP


@pytest.fixture
def slipcast(monkeypatch, capsys, tmp_path):
    """Return a function that runs the command line in an empty folder: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def run(line: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["slipcast", *line.split()])
        with pytest.raises(SystemExit) as done:
            cli.main()
        return int(done.value.code or 0), *capsys.readouterr()

    return run


class Recorder:
    """A function of the library that does nothing but keep what it was called with."""

    def __init__(self, result: Any):
        self.result, self.arguments, self.options = result, (), {}

    def __call__(self, *arguments, **options):
        self.arguments, self.options = arguments, options
        return self.result


# --- demo


@pytest.mark.parametrize(
    ("line", "out", "quick"),
    [("demo", "demo", False), ("demo --quick", "demo", True), ("demo --out other", "other", False)],
)
def test_the_demonstration(slipcast, monkeypatch, line, out, quick):
    run = Recorder(Path("report.html"))
    monkeypatch.setattr("slipcast.demo.run_demo", run)
    assert slipcast(line)[:2] == (0, "report.html\n")
    assert (run.arguments, run.options) == ((Path(out),), {"quick": quick, "progress": True})


# --- evaluate

EVALUATED = [
    ("--out other", lambda asked, out: asked["folder"] == Path("other")),
    ("--split validation", lambda asked, out: asked["split"] == "validation"),
    ("--scenarios 3,4", lambda asked, out: asked["examples"] == [3, 4]),
    ("--export npy,csv", lambda asked, out: asked["exports"] == ["npy", "csv"]),
    ("--json", lambda asked, out: out.startswith("{")),
]


@pytest.mark.parametrize(("option", "check"), EVALUATED, ids=[option for option, _ in EVALUATED])
def test_evaluating(slipcast, monkeypatch, small_set, option, check):
    score = {"weight_mse_m2": 1.25, "magnitude_error": {"mean_absolute": 0.125}, "max_amplitude_mean": {}}
    evaluated, write = Recorder(SimpleNamespace(scores={"network": score})), Recorder(Path("report.html"))
    monkeypatch.setattr("slipcast.evaluation.evaluation.evaluate_with_baselines", evaluated)
    monkeypatch.setattr("slipcast.reports.evaluation.write_evaluation", write)
    monkeypatch.setattr("slipcast.learning.checkpoint.Checkpoint.open", lambda path: path)
    monkeypatch.setattr("slipcast.scenarios.scenario_set.ScenarioSet.open", lambda path: small_set)
    told = []
    for line in ("evaluate run set.zarr --out ev", f"evaluate run set.zarr --out ev {option}"):
        code, out, err = slipcast(line)
        assert code == 0, err
        told.append(check(evaluated.options | write.options | {"folder": write.arguments[0]}, out))
    assert told == [False, True]


# --- replay --to

PLAYED = [
    ("--speed 10", {"speed": 10.0}),
    ("--begin 15", {"begin_min": 15.0}),
    ("--until 60", {"until_min": 60.0}),
    ("--latency 46404=3", {"latency_min": {"46404": 3.0}}),
    ("--latency 2", {"latency_min": 2.0}),
    ("--epicentre -125 46", {"epicentre": (-125.0, 46.0)}),
    ("--magnitude 8.4", {"magnitude": 8.4}),
    ("--simulation", {"simulation": True}),
    ("--token-file other", {"token": "another-token-of-24-chars"}),
]
PLAY_DEFAULTS = {
    "speed": 60.0,
    "begin_min": 0.0,
    "until_min": 120.0,
    "latency_min": 0.0,
    "epicentre": None,
    "magnitude": None,
    "simulation": None,
    "token": "the-token-of-the-service",
}


@pytest.mark.parametrize(("option", "changed"), [("", {}), *PLAYED], ids=lambda value: str(value))
def test_playing_into_a_service(slipcast, monkeypatch, tmp_path, option, changed):
    pytest.importorskip("httpx", reason="the service needs slipcast[serve]")
    play = Recorder(SimpleNamespace(event="e", n_samples=9, n_batches=2, result=None))
    monkeypatch.setattr("slipcast.service.client.play", play)
    (tmp_path / "token").write_text(PLAY_DEFAULTS["token"])
    (tmp_path / "other").write_text("another-token-of-24-chars")
    code, out, err = slipcast(f"replay chile2010 --to http://127.0.0.1:9 --token-file token {option}")
    assert (code, out) == (0, "event e: 9 samples in 2 batches, last result none\n"), err
    assert play.arguments[1] == "http://127.0.0.1:9"
    assert {key: play.options[key] for key in PLAY_DEFAULTS} == PLAY_DEFAULTS | changed


# --- serve

SERVED = [
    ("--host 0.0.0.0", lambda served, _: served.host == "0.0.0.0"),
    ("--port 8123", lambda served, _: served.port == 8123),
    ("--database sqlite:///other.sqlite", lambda served, _: served.settings.database == "sqlite:///other.sqlite"),
    ("--token-file token", lambda served, _: served.settings.token == "the-token-of-the-service"),
    ("--private", lambda served, _: served.settings.private),
    ("--allowed-host floor.example.org", lambda served, _: "floor.example.org" in served.settings.hosts),
    ("--proxy 10.0.0.1", lambda served, _: served.proxy == "10.0.0.1"),
    ("--poll", lambda served, _: served.ndbc_url == "https://www.ndbc.noaa.gov"),
    ("--poll --ndbc-url https://a.org", lambda served, _: served.ndbc_url == "https://a.org"),
    ("--poll-seconds 5", lambda served, _: served.poll_s == 5.0),
    ("--region chile", lambda _, asked: list(asked[0]) == ["chile"]),
    ("--model other", lambda _, asked: list(asked[1]) == ["other"]),
    ("--bank other.nc", lambda _, asked: list(asked[2]) == [Path("other.nc")]),
    ("--method nnls", lambda _, asked: asked[3] == "nnls"),
    ("--records-alone", lambda _, asked: asked[-1] is False),
]


@pytest.mark.parametrize(("option", "check"), SERVED, ids=[option for option, _ in SERVED])
def test_serving(slipcast, monkeypatch, tmp_path, option, check):
    pytest.importorskip("fastapi", reason="the service needs slipcast[serve]")
    monkeypatch.setenv("SLIPCAST_TOKEN", "a-token-of-the-environment")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    (tmp_path / "token").write_text("the-token-of-the-service")
    loaded, run = Recorder({"cascadia": None}), Recorder(None)
    monkeypatch.setattr("slipcast.service.running.load_nowcasts", loaded)
    monkeypatch.setattr("slipcast.service.running.run", run)
    assert slipcast(f"serve {option}")[0] == 0
    assert check(run.arguments[0], (*loaded.arguments, loaded.options["hold_first"]))
    assert slipcast("serve")[0] == 0
    assert not check(run.arguments[0], (*loaded.arguments, loaded.options["hold_first"]))


# --- records fetch


@pytest.mark.parametrize(
    ("option", "place", "changed"),
    [
        ("", None, None),
        ("--start 2011-03-09", 1, np.datetime64("2011-03-09", "s")),
        ("--end 2011-03-15", 2, np.datetime64("2011-03-15", "s")),
        ("--out other.txt", 3, Path("other.txt")),
        ("--address http://a.org", "address", "http://a.org"),
    ],
)
def test_fetching(slipcast, monkeypatch, option, place, changed):
    fetch = Recorder(Path("21418.txt"))
    monkeypatch.setattr("slipcast.records.fetch_dart", fetch)
    assert slipcast(f"records fetch 21418 --start 2011-03-10 --end 2011-03-13 {option}")[:2] == (0, "21418.txt\n")
    days = [np.datetime64(f"2011-03-{day}", "s") for day in (10, 13)]
    expected = dict(enumerate(["21418", *days, Path("21418.txt")])) | {"address": "https://www.ndbc.noaa.gov"}
    found = dict(enumerate(fetch.arguments)) | fetch.options
    assert found == (expected if place is None else expected | {place: changed})


# --- import nctr


@pytest.mark.parametrize(
    ("option", "check"),
    [
        ("--out other.zarr", lambda out, asked: len(ScenarioSet.open("other.zarr")) == 40),
        ("--bank bank.nc", lambda out, asked: Path("bank.nc").is_file()),
        ("--region japan", lambda out, asked: asked["region"] == "japan"),
        ("--seed 7", lambda out, asked: asked["seed"] == 7),
        ("--json", lambda out, asked: out.startswith("{")),
    ],
)
def test_importing(slipcast, monkeypatch, small_bank, small_set, option, check):
    read = Recorder(NctrImport(small_set, small_bank, 40, {}, {}))
    monkeypatch.setattr("slipcast.records.nctr.import_nctr", read)
    code, out, err = slipcast("import nctr .")
    assert (code, out) == (0, "set.zarr: 40 of 40 runs at 5 gauges\n"), err
    with suppress(InputError):  # there is no such set
        assert not check(out, read.options)
    code, out, err = slipcast(f"import nctr . {option}")
    assert code == 0, err
    assert check(out, read.options)


# --- surface

BUILT = [
    ("--centre -125 46", lambda bank, asked: asked["centre"] == (-125.0, 46.0)),
    ("--out other.nc", lambda bank, asked: bank.save.arguments == (Path("other.nc"),)),
    ("--radius 150", lambda bank, asked: asked["radius_km"] == 150.0),
    ("--hump 30", lambda bank, asked: asked["spacing_km"] == 30.0),
    ("--spacing 4", lambda bank, asked: asked["spacing_arcmin"] == 4.0),
    ("--hours near=2", lambda bank, asked: asked["hours"] == {"near": 2.0}),
    ("--gauges 46404,46407", lambda bank, asked: asked["gauges"] == ["46404", "46407"]),
    ("--bathymetry gebco.nc", lambda bank, asked: asked["bathymetry"] == Path("gebco.nc")),
    ("--workers 1", lambda bank, asked: asked["workers"] == 1),
]


@pytest.mark.parametrize(("option", "check"), BUILT, ids=[option for option, _ in BUILT])
def test_building_humps(slipcast, monkeypatch, option, check):
    bank = SimpleNamespace(save=Recorder(None), humps=range(9), gauges=["46404"])
    build = Recorder(bank)
    monkeypatch.setattr("slipcast.greens.surface_bank.SurfaceBank.build", build)
    plain = "surface build cascadia --centre -126.5 46.5"
    assert slipcast(plain)[:2] == (0, "surface-bank.nc: 9 humps, 1 gauges\n")
    assert not check(bank, build.options)
    line = plain.replace("--centre -126.5 46.5", option) if option.startswith("--centre") else f"{plain} {option}"
    assert slipcast(line)[0] == 0
    assert build.arguments == ("cascadia",)
    assert check(bank, build.options)


SURFACE_FOUND = [
    ("--bank other.nc", lambda asked: asked["bank"] == Path("other.nc")),
    ("--window 45", lambda asked: asked["window_min"] == 45.0),
    ("--out other.nc", lambda asked: asked["saved"] == Path("other.nc")),
    ("--fault bank.nc", lambda asked: asked["fault"] == "opened bank.nc"),
    ("--gauges 46404", lambda asked: asked["gauges"] == ("46404",)),
    ("--noise 0.01", lambda asked: asked["noise_sd_m"] == 0.01),
    ("--joint-tide", lambda asked: asked["joint_tide"] is True),
    ("--no-joint-tide", lambda asked: asked["joint_tide"] is False),
    ("--model-error 0.1", lambda asked: asked["model_error"] == 0.1),
    ("--json", lambda asked: asked["told"].startswith("{")),
]


@pytest.mark.parametrize(("option", "check"), SURFACE_FOUND, ids=[option for option, _ in SURFACE_FOUND])
def test_finding_the_sea_surface(slipcast, monkeypatch, option, check):
    found = SimpleNamespace(save=Recorder(None), size_words="", evidence_words="", gauges_left_out={})
    opened, made = Recorder(SimpleNamespace(gauges=["46404", "46407"])), Recorder("posterior")
    monkeypatch.setattr("slipcast.greens.surface_bank.SurfaceBank.open", opened)
    monkeypatch.setattr("slipcast.greens.bank.GreensBank.open", lambda path: f"opened {path}")
    monkeypatch.setattr("slipcast.inversion.surface_posterior.SurfacePosterior", made)
    monkeypatch.setattr("slipcast.realtime.event_slip.invert", Recorder(found))
    monkeypatch.setattr("slipcast.cli.surface._summary", lambda found: {})
    monkeypatch.setattr("slipcast.cli.surface._explained", lambda *told: {"46404": 0.9})

    def asked(line: str) -> dict[str, Any]:
        code, out, err = slipcast(line)
        assert code == 0, err
        about = {"bank": opened.arguments[0], "window_min": made.arguments[1], "saved": found.save.arguments[0]}
        return about | made.options | {"told": out}

    plain = "surface invert cascadia-simulation --bank humps.nc --window 60"
    assert not check(asked(plain))
    assert check(asked(f"{plain} {option}"))  # of an option that is given twice the last counts


@pytest.mark.parametrize(
    ("option", "check"),
    [
        ("--bank other.nc", lambda opened, out, told: opened == Path("other.nc")),
        ("--out other.nc", lambda opened, out, told: out == Path("other.nc")),
        ("--json", lambda opened, out, told: told),
    ],
)
def test_forecasting_from_the_sea_surface(slipcast, monkeypatch, option, check):
    opened, written = Recorder("bank"), Recorder(None)
    monkeypatch.setattr("slipcast.greens.surface_bank.SurfaceBank.open", opened)
    monkeypatch.setattr("slipcast.inversion.surface_estimate.SurfaceEstimate.open", lambda path: path)
    monkeypatch.setattr("slipcast.forecasting.forecast.forecast", lambda surface, bank: (surface, bank))
    monkeypatch.setattr("slipcast.cli.surface.write_forecast", written)
    for line, expected in (("", False), (option, True)):
        assert slipcast(f"surface forecast surface.nc --bank humps.nc {line}")[0] == 0
        made, out = written.arguments
        assert made == (Path("surface.nc"), "bank")
        assert bool(check(opened.arguments[0], out, written.options["as_json"])) is expected


# --- all of them


def options(command, path=()):
    """List all verbs with their options."""
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from options(inner, (*path, name))
    else:
        for parameter in command.params:
            for option in (*parameter.opts, *parameter.secondary_opts):
                if option.startswith("--"):
                    yield " ".join(path), option


def test_every_option_has_a_test():
    tested = {(verb, option.split()[0]) for verb, _, option, *_ in (*CASES, *FIGURES, *SMALLER_SLIP)}
    tested |= {("demo", "--out"), ("demo", "--quick"), ("replay", "--to")}
    tested |= {("evaluate", option.split()[0]) for option, _ in EVALUATED}
    tested |= {("replay", option.split()[0]) for option, _ in PLAYED}
    tested |= {("serve", word) for option, _ in SERVED for word in option.split() if word.startswith("--")}
    tested |= {("records fetch", option) for option in ("--start", "--end", "--out", "--address")}
    tested |= {("import nctr", option) for option in ("--out", "--bank", "--region", "--seed", "--json")}
    words = [("surface build", option) for option, _ in BUILT] + [
        ("surface invert", option) for option, _ in SURFACE_FOUND
    ]
    tested |= {(verb, option.split()[0]) for verb, option in words}
    tested |= {("surface forecast", option) for option in ("--bank", "--out", "--json")}
    there = set(options(typer.main.get_command(cli.app)))
    assert sorted(there - tested) == []
    assert sorted(tested - there) == []
