"""The search for better settings: what may be searched, what is tried, kept, shared and resumed."""

from __future__ import annotations

import builtins
import csv
import json
import os
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from learning_fixtures import changed, scenario_set
from slipcast import plots
from slipcast.cli import main as cli
from slipcast.errors import InputError
from slipcast.io.lock import lock
from slipcast.learning import TrainConfig
from slipcast.learning.checkpoint import Checkpoint
from slipcast.learning.train import train
from slipcast.learning.tuning.search import tune
from slipcast.learning.tuning.space import Range, SearchSpace, open_search

CONFIG = TrainConfig(epochs=3, device="cpu")
SPACE = SearchSpace(
    first_channels=(4, 8),
    hidden={"low": 5, "high": 40, "log": True},
    learning_rate={"low": 1e-4, "high": 1e-2, "log": True},
)


def settings_of(found) -> list[dict]:
    """Return what was tried and what came of it, but for the time it took."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in found.trials]


@pytest.fixture(scope="module")
def scenarios():
    return scenario_set()


@pytest.fixture(scope="module")
def found(scenarios, tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    return folder, tune(scenarios, folder, config=CONFIG, space=SPACE, trials=6)


def test_the_best_is_the_lowest_and_ready_to_train(found, scenarios, tmp_path):
    folder, tuning = found
    whole = [row["validation_loss_m2"] for row in tuning.trials if row["state"] == "complete"]
    assert tuning.best_loss_m2 == min(whole)
    assert TrainConfig.open(folder / "best.toml") == tuning.best
    kept = Checkpoint.open(folder / "best")
    assert kept.history[kept.best_epoch - 1]["validation_loss_m2"] == tuning.best_loss_m2
    again = train(scenarios, tmp_path / "run", config=TrainConfig.open(folder / "best.toml"))
    assert again.id == kept.id
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) == [
        "best",
        "best.toml",
        "importance.json",
        "study.log",
        "trials.csv",
    ]


def test_the_table_has_every_trial(found):
    folder, tuning = found
    rows = list(csv.DictReader((folder / "trials.csv").open()))
    assert len(rows) == len(tuning.trials) == 6
    assert set(rows[0]) > {"trial", "state", "validation_loss_m2", "first_channels", "hidden", "learning_rate"}
    assert {int(row["first_channels"]) for row in rows} <= {4, 8}
    assert all(5 <= int(row["hidden"]) <= 40 and 1e-4 <= float(row["learning_rate"]) <= 1e-2 for row in rows)
    importance = json.loads((folder / "importance.json").read_text())
    assert set(importance) <= {"first_channels", "hidden", "learning_rate"}
    assert all(value >= 0 for value in importance.values())


def test_the_first_trial_is_the_config(scenarios, tmp_path):
    space = SearchSpace(hidden=(10, 40), learning_rate={"low": 1e-4, "high": 1e-2, "log": True}, batch_size=(20, 30))
    first = tune(scenarios, tmp_path, config=CONFIG, space=space, trials=1).trials[0]
    assert (first["hidden"], first["learning_rate"], first["batch_size"]) == (40, 5e-4, 20)


def test_the_same_seed_tries_the_same_also_when_interrupted(found, scenarios, tmp_path):
    def stop(done: int, total: int, note: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(scenarios, tmp_path, config=CONFIG, space=SPACE, trials=6, progress=stop)
    again = tune(scenarios, tmp_path, config=CONFIG, space=SPACE, trials=6, resume=True)
    assert settings_of(again) == settings_of(found[1])
    other = tune(scenarios, tmp_path / "other", config=CONFIG, space=SPACE, trials=2, seed=2)
    assert settings_of(other)[1] != settings_of(again)[1]


def test_a_trial_cut_in_its_middle_is_tried_again(scenarios, tmp_path, monkeypatch):
    def killed(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("slipcast.learning.tuning.trials.train", killed)
        with pytest.raises(KeyboardInterrupt):
            tune(scenarios, tmp_path, config=CONFIG, space=SPACE, trials=2)
    again = tune(scenarios, tmp_path, config=CONFIG, space=SPACE, trials=2, resume=True)
    whole = tune(scenarios, tmp_path / "whole", config=CONFIG, space=SPACE, trials=2)
    for one, other in zip(settings_of(again), settings_of(whole), strict=True):
        assert {**one, "trial": 0} == {**other, "trial": 0}


def test_more_trials_later(found, scenarios):
    folder, tuning = found
    calls = []
    again = tune(
        scenarios, folder, config=CONFIG, space=SPACE, trials=7, resume=True, progress=lambda *row: calls.append(row)
    )
    assert len(again.trials) == 7
    assert settings_of(again)[:6] == settings_of(tuning)
    assert calls == [(7, 7, f"best validation {again.best_loss_m2:.2f} m²")]


@pytest.mark.slow
def test_workers_share_a_study(scenarios, tmp_path):
    config = CONFIG.with_settings(epochs=2)
    shared = tune(scenarios, tmp_path, config=config, space=SPACE, trials=4, workers=2)
    assert sorted(row["trial"] for row in shared.trials) == [0, 1, 2, 3]
    tried = {tuple(row[key] for key in ("first_channels", "hidden", "learning_rate")) for row in shared.trials}
    assert len(tried) == 4
    assert Checkpoint.open(tmp_path / "best").best_epoch <= 2


@pytest.mark.slow
def test_a_worker_that_cannot_says_why(scenarios, tmp_path):
    records = scenarios.dataset["records"].to_numpy().copy()
    records[scenarios.indices("validation")[0], 0, 5] = np.nan
    with pytest.raises(InputError, match=r"record .* finite"):
        tune(changed(scenarios, records=records), tmp_path, config=CONFIG, space=SPACE, trials=2, workers=2)


def test_the_test_part_is_never_loaded(scenarios, found, tmp_path):
    records, weights = (scenarios.dataset[name].to_numpy().copy() for name in ("records", "weights"))
    records[scenarios.indices("test")] = np.nan
    weights[scenarios.indices("test")] = np.nan
    spoilt = tune(changed(scenarios, records=records, weights=weights), tmp_path, config=CONFIG, space=SPACE, trials=2)
    assert settings_of(spoilt) == settings_of(found[1])[:2]


@pytest.mark.slow
def test_a_bad_trial_is_stopped(scenarios, tmp_path):
    space = SearchSpace(learning_rate={"low": 1e-12, "high": 1e-2, "log": True})
    found = tune(scenarios, tmp_path, config=CONFIG.with_settings(epochs=8), space=space, trials=16)
    stopped = [row for row in found.trials if row["state"] == "stopped"]
    assert stopped
    assert all(row["epochs"] < 8 and row["validation_loss_m2"] > found.best_loss_m2 for row in stopped)


def test_a_trial_that_diverges_is_no_end(scenarios, tmp_path):
    space = SearchSpace(learning_rate=(1e-3, 1e30), optimizer=("sgd", "adam"))
    config = CONFIG.with_settings(optimizer="sgd", learning_rate=1e30, epochs=2)
    found = tune(scenarios, tmp_path, config=config, space=space, trials=6)
    assert found.trials[0]["state"] == "stopped"
    assert np.isfinite(found.best_loss_m2)
    with pytest.raises(InputError, match="no trial finished: all diverged; lower learning_rate in the search"):
        tune(scenarios, tmp_path / "one", config=config, space=space, trials=1)


def test_a_search_is_locked_by_one_process(scenarios, tmp_path):
    with lock(tmp_path), pytest.raises(InputError, match=rf"{tmp_path.name} is locked by process {os.getpid()} on"):
        tune(scenarios, tmp_path, config=CONFIG, trials=1)


def test_a_search_is_not_overwritten_nor_mixed(found, scenarios):
    folder, _ = found
    options = {"config": CONFIG, "space": SPACE, "trials": 7}
    with pytest.raises(InputError, match="holds a search already; --resume continues it"):
        tune(scenarios, folder, **options)
    for name, other in (
        ("config", {"config": CONFIG.with_settings(epochs=4)}),
        ("space", {"space": SearchSpace(hidden=(1, 2))}),
        ("seed", {"seed": 2}),
    ):
        with pytest.raises(InputError, match=f"was begun with another {name}"):
            tune(scenarios, folder, **(options | other), resume=True)
    with pytest.raises(InputError, match="was begun with another scenarios"):
        tune(scenario_set(set_id="other"), folder, **options, resume=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trials": 0}, "trials must be >= 1, got 0"),
        ({"workers": 0}, "workers must be >= 1, got 0"),
        ({"seed": -1}, "seed must be >= 0, got -1"),
        ({"resume": True}, "holds no search to resume"),
        ({"config": TrainConfig(test_loss=True)}, "test_loss cannot be asked for in a search"),
        ({"config": TrainConfig(window_min=500)}, "window of 500 min is longer than the 60 min of the set"),
        ({"space": SearchSpace(dropout={"low": 0.1, "high": 1.0})}, "search.dropout: dropout must be less than 1"),
        ({"space": SearchSpace(hidden=(10, 2.5))}, "search.hidden: hidden must be a valid integer"),
        (
            {"space": SearchSpace(activation=("relu", "rule"))},
            "search.activation: unknown activation 'rule'; nearest: relu",
        ),
        ({"space": SearchSpace(channels=([1, 2], [3, 4, 5, 6, 7]))}, "search.channels: channels .*"),
        ({"space": SearchSpace(first_channels=(10, 0))}, "search.first_channels: must be whole numbers >= 1, got 0"),
    ],
)
def test_arguments_that_cannot_be(scenarios, tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        tune(scenarios, tmp_path, **({"config": CONFIG, "trials": 1} | arguments))
    assert not list(tmp_path.glob("*.toml"))


def test_a_damaged_study(scenarios, tmp_path):
    (tmp_path / "study.log").write_text("no journal\n" * 3)
    with pytest.raises(InputError, match=r"study.log is damaged, or no study"):
        tune(scenarios, tmp_path, config=CONFIG, trials=1, resume=True)


def test_without_optuna(scenarios, tmp_path, monkeypatch):
    real = builtins.__import__

    def no_optuna(name, *rest):
        if name == "optuna":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", no_optuna)
    with pytest.raises(InputError, match=re.escape("tuning needs Optuna: pip install 'slipcast[tune]'")):
        tune(scenarios, tmp_path, trials=1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hiden": (1, 2)}, "unknown searched setting 'hiden'; nearest: hidden"),
        ({"epochs": (1, 2)}, "unknown searched setting 'epochs'"),
        ({"hidden": 40}, r"search.hidden must be a list of values or a range {low, high, log}, got 40"),
        ({"hidden": (40,)}, "hidden must have two values at least, got 1"),
        ({"hidden": {"low": 1}}, "search.hidden: high Field required"),
        ({"hidden": {"low": 1, "high": 2, "step": 1}}, "search.hidden: unknown key 'step'"),
        ({"hidden": {"low": 2, "high": 2}}, "search.hidden: must have low < high, got 2 and 2"),
        ({"dropout": {"low": 0.0, "high": 0.5, "log": True}}, "search.dropout: must have low > 0 where log is true"),
        ({}, "search must name at least one setting"),
        ({"channels": ([1], [2]), "first_channels": (1, 2)}, "search.channels and search.first_channels exclude"),
    ],
)
def test_spaces_that_cannot_be(settings, message):
    with pytest.raises(InputError, match=message):
        SearchSpace(**settings)


def test_channels_follow_the_table_or_are_listed():
    class First:
        def suggest_categorical(self, name, choices):
            return choices[-1]

    assert SearchSpace(first_channels=(10, 40)).suggest(First(), 45)["channels"] == (40, 40, 80, 80, 160)
    assert SearchSpace(first_channels=(40, 10)).suggest(First(), 30)["channels"] == (10, 10, 20, 30)
    listed = SearchSpace(channels=([1, 2, 3, 4, 5], [5, 4, 3, 2, 1]))
    assert listed.suggest(First(), 45) == {"channels": (5, 4, 3, 2, 1)}
    assert listed.parameters_of(TrainConfig(channels=(1, 2, 3, 4, 5)), 45) == {"channels": 0}


def test_ranges_are_drawn_as_they_say():
    class Noted:
        def __init__(self):
            self.drawn = []

        def suggest_int(self, name, low, high, *, log=False):
            self.drawn.append((name, "int", low, high, log))
            return low

        def suggest_float(self, name, low, high, *, log=False):
            self.drawn.append((name, "float", low, high, log))
            return low

    trial = Noted()
    SearchSpace(
        hidden={"low": 20, "high": 160, "log": True},
        dropout={"low": 0.0, "high": 0.5},
        learning_rate={"low": 1e-4, "high": 1e-2, "log": True},
        batch_size={"low": 10, "high": 20},
    ).suggest(trial, 45)
    assert trial.drawn == [
        ("hidden", "int", 20, 160, True),
        ("dropout", "float", 0.0, 0.5, False),
        ("learning_rate", "float", 1e-4, 1e-2, True),
        ("batch_size", "int", 10, 20, False),
    ]


def test_the_recipe_is_in_the_default_space():
    space = SearchSpace.default()
    space.check(TrainConfig(), 45)
    assert set(space.parameters_of(TrainConfig(), 45)) == {name for name, _ in space.items()}


def test_a_file_of_settings_and_a_search(tmp_path):
    path = tmp_path / "tune.toml"
    path.write_text("epochs = 9\n[search]\nhidden = [10, 20]\nlearning_rate = {low = 1e-4, high = 1e-2, log = true}\n")
    config, space = open_search(path)
    assert config.epochs == 9
    assert dict(space.items()) == {"hidden": (10, 20), "learning_rate": Range(low=1e-4, high=1e-2, log=True)}
    path.write_text("epochs = 9\n")
    assert open_search(path)[1] == SearchSpace.default()
    for text, message in (
        ("search = 3\n", r"tune.toml: search must be a table \[search\], got 3"),
        ("[search]\nhiden = [1, 2]\n", "tune.toml: unknown searched setting 'hiden'; nearest: hidden"),
        ("epoch = 3\n", "tune.toml: unknown training setting 'epoch'"),
        ("epochs = \n", "tune.toml is not valid TOML"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            open_search(path)
    with pytest.raises(InputError, match=r"cannot read .*nowhere.toml"):
        open_search(tmp_path / "nowhere.toml")


@pytest.mark.slow
def test_the_verb_and_its_figures(scenarios, tmp_path):
    scenarios.save(tmp_path / "set.zarr")
    (tmp_path / "tune.toml").write_text("[search]\nhidden = [5, 40]\nbatch_size = [10, 20]\n")
    arguments = ["tune", tmp_path / "set.zarr", "--config", tmp_path / "tune.toml", "--out", tmp_path / "search"]
    options = ["--trials", "5", "--set", "epochs=2"]
    done = CliRunner().invoke(cli.app, [str(each) for each in (*arguments, *options)], catch_exceptions=False)
    assert done.exit_code == 0
    assert re.search(r"best.toml: validation loss \d+\.\d{3} m², the best of 5 trials", done.stdout)
    for name in ("history.png", "importance.png"):
        assert (tmp_path / "search" / name).read_bytes().startswith(b"\x89PNG")
        (tmp_path / "search" / name).unlink()
    again = CliRunner().invoke(cli.app, ["plot", "tuning", str(tmp_path / "search")], catch_exceptions=False)
    assert again.stdout.splitlines() == [str(tmp_path / "search" / name) for name in ("history.png", "importance.png")]
    with pytest.raises(InputError, match=r"no search in .*: there is no trials.csv"):
        CliRunner().invoke(cli.app, ["plot", "tuning", str(tmp_path)], catch_exceptions=False)


def test_figures_of_a_search():
    ax = plots.plot_search([5.0, 9.0, 4.0, np.nan], [True, False, True, False])
    steps = next(line for line in ax.lines if line.get_label() == "best so far")
    np.testing.assert_array_equal(steps.get_ydata(), [5, 5, 4, 4])
    assert ax.get_ylabel() == "lowest validation loss (m²)"
    bars = plots.plot_importance({"hidden": 0.2, "learning_rate": 0.8})
    assert [text.get_text() for text in bars.get_yticklabels()] == ["hidden", "learning rate"]
    for call, message in (
        (lambda: plots.plot_search([1.0], [False]), "at least one trial that was trained to its end"),
        (lambda: plots.plot_search([1.0], [True, False]), "finished must have one value a trial, 1, got 2"),
        (lambda: plots.plot_importance({}), "importance must have at least one setting, got none"),
    ):
        with pytest.raises(InputError, match=message):
            call()
