"""The public names of the package, its version, and wrong kinds of arguments at its doors."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import slipcast as sc
from slipcast.errors import InputError
from slipcast.parallel.progress import shown_progress


@pytest.mark.parametrize("name", [*sc.__all__, "metrics", "plots"])
def test_every_public_name_is_there(name):
    assert getattr(sc, name) is not None
    assert name in dir(sc)


def test_names_that_are_not_there():
    with pytest.raises(AttributeError, match="module 'slipcast' has no attribute 'invrt'"):
        sc.invrt  # noqa: B018


def test_modules_are_reached_from_the_package():
    command = "import slipcast as sc; print(sc.metrics.__name__, sc.plots.__name__)"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["slipcast.metrics", "slipcast.plots"]


def test_the_version_is_that_of_the_project():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    assert sc.__version__ == project["project"]["version"]


# --- progress


def test_progress_that_is_shown(capsys):
    with shown_progress(True, "Work") as report:
        report(1, 1, "done")
    assert re.fullmatch(r"Work \.\.\.\nWork: 1/1, \d+ s, done\n", capsys.readouterr().err)
    for quiet in (None, False):
        with shown_progress(quiet, "Work") as report:
            report(1, 1, "done")
    assert capsys.readouterr().err == ""
    told: list[tuple] = []
    with shown_progress(lambda *of: told.append(of), "Work") as report:
        report(1, 2, "a")
    assert told == [(1, 2, "a")]


@pytest.mark.parametrize("progress", ["bar", 1])
def test_progress_that_cannot_be(progress):
    with (
        pytest.raises(InputError, match=rf"^progress must be True for a bar, .*, got {progress!r} \("),
        shown_progress(progress, "Work"),
    ):
        pass


# --- kinds


def arrays(**changed: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "time_s": [0.0, 60.0],
        "sea_level_m": [[0.0, 0.1]],
        "gauges": ["46404"],
        "lon_deg": [231.0],
        "lat_deg": [46.0],
    }
    return given | changed


def read(*files: Any, **changed: Any) -> sc.Records:
    return sc.read_records(*files, **({"origin": "2011-03-11T05:46:24Z"} | changed))


# called with a bank and a set; the message
KINDS: list[tuple[Callable[[Any, Any], Any], str]] = [
    (lambda b, s: sc.Region.open(3), "region must be a name or the path of a TOML file, got 3 (int)"),
    (lambda b, s: sc.Region.open(None), "region must be a name or the path of a TOML file, got None (NoneType)"),
    (lambda b, s: s.region.with_grids(hours="2"), "hours must be a number, or a number for each grid by name, got '2'"),
    (lambda b, s: sc.GreensBank.build(None), "region must be a Region, a name or the path of a TOML file, got None"),
    (lambda b, s: sc.GreensBank.build("cascadia", spacing_arcmin="2"), "spacing_arcmin must be a number, or a number"),
    (lambda b, s: sc.GreensBank.build("cascadia", gauges="46404"), "gauges must be a list of names, got '46404' (str)"),
    (lambda b, s: sc.GreensBank.build("cascadia", gauges=[46404]), "gauges must be a list of names, got 46404 (int)"),
    (lambda b, s: sc.GreensBank.build("cascadia", bathymetry=3), "bathymetry must be a Bathymetry or a path, got 3"),
    (lambda b, s: sc.GreensBank.build("cascadia", min_depth_m="10"), "min_depth_m must be a number of metres, got '1"),
    (lambda b, s: sc.GreensBank.build("cascadia", kajiura="no"), "kajiura must be True or False, got 'no' (str)"),
    (lambda b, s: sc.GreensBank.build("cascadia", workers=1.5), "workers must be a whole number, got 1.5 (float)"),
    (lambda b, s: sc.GreensBank.build("cascadia", save_to=3), "save_to must be a path, got 3 (int)"),
    (lambda b, s: sc.GreensBank.build("cascadia", scheduler=3), "scheduler must be an address such as tcp://host"),
    (lambda b, s: sc.GreensBank.build("cascadia", device=None), "device must be cpu or cuda, got None (NoneType)"),
    (lambda b, s: sc.ScenarioSet.build("bank.nc", count=1, seed=1), "bank must be a GreensBank, got 'bank.nc' (str)"),
    (lambda b, s: sc.ScenarioSet.build(b, count="4", seed=1), "count must be a whole number, got '4' (str)"),
    (lambda b, s: sc.ScenarioSet.build(b, count=4, seed=None), "seed must be a whole number, got None (NoneType)"),
    (lambda b, s: sc.ScenarioSet.build(b, count=4, seed=True), "seed must be a whole number, got True (bool)"),
    (lambda b, s: sc.ScenarioSet.build(b, count=4, seed=1, settings={}), "settings must be RuptureSettings, got {}"),
    (lambda b, s: sc.ScenarioSet.build(b, count=4, seed=1, save_to=3), "save_to must be a path, got 3 (int)"),
    (lambda b, s: sc.ScenarioSet.build(b, count=4, seed=1, workers="2"), "workers must be a whole number, got '2'"),
    (lambda b, s: sc.ScenarioSet.build(b, count=4, seed=1, scheduler=3), "scheduler must be an address such as"),
    (lambda b, s: sc.ScenarioSet.build(b, count=4, seed=1, workers=2), "workers needs save_to, got 2 without it"),
    (lambda b, s: sc.ScenarioSet.build(b, count=4, seed=1, scheduler="a"), "scheduler needs save_to, got 'a' without"),
    (lambda b, s: sc.train("set.zarr", "run"), "scenarios must be a ScenarioSet, got 'set.zarr' (str)"),
    (lambda b, s: sc.train(s, None), "out must be the path of a folder, got None (NoneType)"),
    (lambda b, s: sc.train(s, "run", config="train.toml"), "config must be a TrainConfig, got 'train.toml' (str)"),
    (lambda b, s: sc.train(s, "run", resume="yes"), "resume must be True or False, got 'yes' (str)"),
    (lambda b, s: sc.train(s, "run", epochs="3"), "epochs must be a valid integer, got '3'"),
    (lambda b, s: read(3), "files must be paths, got 3 (int)"),
    (lambda b, s: read("a.txt", origin=None), "origin must be a time such as 2011-03-11T05:46:24Z, got None"),
    (lambda b, s: read("a.txt", origin="2011-03-11"), "cannot read a.txt"),
    (lambda b, s: sc.Records.from_arrays(**arrays(gauges="46404")), "gauges must be a list of names, got '46404'"),
    (lambda b, s: sc.Records.from_arrays(**arrays(gauges=None)), "gauges must be a list of names, got None"),
    (lambda b, s: sc.Records.from_arrays(**arrays(time_s="0")), "time_s must be an array of numbers, got '0' (str)"),
    (lambda b, s: sc.Records.from_arrays(**arrays(sea_level_m=None)), "sea_level_m must be an array of numbers, got"),
    (lambda b, s: sc.Records.from_arrays(**arrays(sea_level_m=[[1], [1, 2]])), "sea_level_m must be an array of num"),
    (lambda b, s: sc.Records.from_arrays(**arrays(lon_deg=["a"])), "lon_deg must be an array of numbers, got ['a']"),
    (lambda b, s: sc.Records.from_arrays(**arrays(lat_deg=[1.0, 2.0])), "lat_deg must be a number for each of 1 ga"),
    (lambda b, s: sc.Records.from_arrays(**arrays(sea_level_m=[0.0, 0.1])), "sea_level_m must have shape ([n_events,"),
    (lambda b, s: sc.Records.from_arrays(**arrays(origin_time=3)), "origin_time must be a time such as"),
    (lambda b, s: sc.Records.from_arrays(**arrays(tide_removed="yes")), "tide_removed must be True or False, got"),
    (lambda b, s: sc.Records.from_arrays(**arrays(title=None)), "title must be a text, got None (NoneType)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), KINDS, ids=[message[:40] for _, message in KINDS])
def test_wrong_kinds_are_one_line(small_bank, small_set, tmp_path, monkeypatch, call, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as problem:
        call(small_bank, small_set)
    assert str(problem.value).startswith(message)
    assert "\n" not in str(problem.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"origin": None}, "origin must be a time such as 2011-03-11T05:46:24Z, got None (NoneType)"),
        ({"region": 3}, "region must be a Region, a name or the path of a TOML file, got 3 (int)"),
        ({"positions": [1, 2]}, "positions must be longitude and latitude by station, got [1, 2] (list)"),
        ({"deployments": 3}, "deployments must be Deployments or a path, got 3 (int)"),
        ({"shaking": 20}, "shaking must be find, keep or minutes by station, got 20 (int)"),
        ({"quality": {}}, "quality must be QualitySettings, got {} (dict)"),
        ({"until_min": "60"}, "until_min must be a number of minutes, got '60' (str)"),
        ({"epicentre": 142.4}, "epicentre must be longitude and latitude, degrees, got 142.4 (float)"),
        ({"epicentre": ("142", "38")}, "epicentre must be longitude and latitude, degrees, got ('142', '38')"),
        ({"epicentre": (142.4,)}, "epicentre must be longitude and latitude, degrees, got (142.4,)"),
    ],
)
def test_wrong_kinds_of_arguments_of_reading(tmp_path, changed, message):
    (tmp_path / "46404.csv").write_text("time,height_m\n2011-03-11T00:00:00Z,2800.0\n")
    with pytest.raises(InputError) as problem:
        read(tmp_path / "46404.csv", **changed)
    assert str(problem.value) == message


def test_numbers_of_numpy_are_numbers(small_bank):
    built = sc.ScenarioSet.build(small_bank, count=np.int64(2), seed=np.int32(1))
    assert built.id == sc.ScenarioSet.build(small_bank, count=2, seed=1).id


def test_a_set_is_written_as_it_is_built(small_bank, tmp_path):
    built = sc.ScenarioSet.build(small_bank, count=3, seed=1)
    saved = sc.ScenarioSet.build(small_bank, count=3, seed=1, save_to=tmp_path / "set.zarr")
    assert sc.ScenarioSet.open(tmp_path / "set.zarr").id == saved.id == built.id
    np.testing.assert_array_equal(saved.load_records(["46404"], 60), built.load_records(["46404"], 60))
    assert [path.name for path in tmp_path.iterdir()] == ["set.zarr"]
