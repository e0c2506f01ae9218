"""A search with several trials at once, on processes or a cluster, and when they or their parent are killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from learning_fixtures import scenario_set
from slipcast.cli import main as cli
from slipcast.errors import InputError, SlipcastWarning
from slipcast.learning import TrainConfig
from slipcast.learning.checkpoint import Checkpoint
from slipcast.learning.stacked import train_many
from slipcast.learning.tuning.search import tune
from slipcast.learning.tuning.space import SearchSpace
from slipcast.learning.tuning.trials import Search
from slipcast.learning.tuning.workers import _run_numbers

CONFIG = TrainConfig(epochs=2, device="cpu")
SPACE = SearchSpace(
    hidden=(5, 10, 20, 40),
    learning_rate={"low": 1e-4, "high": 1e-2, "log": True},
    dropout={"low": 0.0, "high": 0.5},
)
SPACE_OF_RATES = SearchSpace(learning_rate=(1e-4, 1e-3))
LONG = CONFIG.with_settings(epochs=40)


@pytest.fixture(scope="module")
def scenarios():
    return scenario_set()


def settings_of(found) -> list[dict]:
    """Return what was tried and what came of it, but for the time it took."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in found.trials]


def assert_whole(found, folder: Path, count: int) -> None:
    """Check that a search has all its trials, and the network of the best."""
    assert len(found.trials) == count
    best = Checkpoint.open(folder / "best")
    assert best.history[best.best_epoch - 1]["validation_loss_m2"] == found.best_loss_m2
    assert best.config == found.best


@pytest.mark.slow
def test_trials_at_once_share_an_architecture(scenarios, tmp_path):
    found = tune(scenarios, tmp_path, config=CONFIG, space=SPACE, trials=7, together=3)
    assert_whole(found, tmp_path, 7)
    for batch in (found.trials[:3], found.trials[3:6]):
        assert len({trial["hidden"] for trial in batch}) == 1
        assert len({trial["learning_rate"] for trial in batch}) == 3
    assert len({trial["hidden"] for trial in found.trials}) > 1
    assert (found.trials[0]["hidden"], found.trials[0]["learning_rate"]) == (40, 5e-4)
    alone = tune(scenarios, tmp_path / "alone", config=CONFIG, space=SPACE, trials=1).trials[0]
    assert found.trials[0]["validation_loss_m2"] == pytest.approx(alone["validation_loss_m2"], rel=1e-4)


@pytest.mark.slow
def test_trials_at_once_are_the_same_after_a_kill(scenarios, tmp_path):
    def stop(done: int, total: int, note: str) -> None:
        raise KeyboardInterrupt

    options = {"config": CONFIG, "space": SPACE, "trials": 6, "together": 3}
    whole = tune(scenarios, tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        tune(scenarios, tmp_path / "cut", progress=stop, **options)
    assert settings_of(tune(scenarios, tmp_path / "cut", resume=True, **options)) == settings_of(whole)


@pytest.mark.slow
def test_bad_trials_are_stopped_among_others(scenarios, tmp_path):
    space = SearchSpace(learning_rate={"low": 1e-12, "high": 1e-2, "log": True})
    config = CONFIG.with_settings(epochs=8)
    found = tune(scenarios, tmp_path, config=config, space=space, trials=24, together=4)
    stopped = [row for row in found.trials if row["state"] == "stopped"]
    assert stopped
    assert all(row["epochs"] < 8 and row["validation_loss_m2"] > found.best_loss_m2 for row in stopped)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"together": 0}, "together must be >= 1, got 0"),
        ({"space": SearchSpace(hidden=(5, 10))}, "together needs learning_rate, weight_decay or dropout in the search"),
        (
            {"config": CONFIG.with_settings(model="some:Net"), "space": SPACE_OF_RATES},
            "together is for conv1d, got model s",
        ),
    ],
)
def test_trials_that_cannot_be_at_once(scenarios, tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        tune(scenarios, tmp_path, **({"config": CONFIG, "space": SPACE, "trials": 2, "together": 2} | arguments))


def test_the_verb_takes_them_at_once(scenarios, tmp_path, monkeypatch):
    given: list[int] = []

    def counted(scenarios, configs, **options):
        given.append(len(configs))
        return train_many(scenarios, configs, **options)

    monkeypatch.setattr("slipcast.learning.tuning.trials.train_many", counted)
    scenarios.save(tmp_path / "set.zarr")
    (tmp_path / "tune.toml").write_text("[search]\nlearning_rate = {low = 1e-4, high = 1e-2, log = true}\n")
    arguments = ["tune", tmp_path / "set.zarr", "--config", tmp_path / "tune.toml", "--out", tmp_path / "search"]
    options = ["--trials", "2", "--together", "2", "--set", "epochs=1"]
    done = CliRunner().invoke(cli.app, [str(each) for each in (*arguments, *options)], catch_exceptions=False)
    assert "the best of 2 trials" in done.stdout
    assert given == [2]  # networks at once
    with pytest.raises(InputError, match="together must be >= 1, got 0"):
        CliRunner().invoke(cli.app, [*map(str, arguments), "--together", "0"], catch_exceptions=False)


@pytest.fixture
def not_here(monkeypatch):
    """Let no trial run in this process."""

    def refuse(*arguments, **options):
        raise AssertionError("a trial runs in the process of the search")

    for name in ("train", "train_many"):
        monkeypatch.setattr(f"slipcast.learning.tuning.trials.{name}", refuse)


def test_one_worker_is_this_process(scenarios, tmp_path, not_here):
    for together in (1, 2):
        with pytest.raises(AssertionError, match="in the process of the search"):
            tune(scenarios, tmp_path / f"{together}", config=CONFIG, space=SPACE, trials=2, together=together)


@pytest.mark.slow
@pytest.mark.parametrize("together", [1, 2])
def test_processes_run_the_trials(scenarios, tmp_path, not_here, together):
    calls = []
    options = {"config": CONFIG, "space": SPACE, "trials": 6, "workers": 2, "together": together}
    found = tune(scenarios, tmp_path, **options, progress=lambda *of: calls.append(of))
    assert_whole(found, tmp_path, 6)
    assert (found.trials[0]["hidden"], found.trials[0]["learning_rate"]) == (40, 5e-4)
    # also those that were asked for before any had finished
    assert len({trial["learning_rate"] for trial in found.trials}) == 6
    assert calls[-1][:2] == (6, 6)
    assert calls[-1][2] == f"best validation {found.best_loss_m2:.2f} m²"


@pytest.mark.slow
def test_the_verb_hands_workers_on(scenarios, tmp_path, not_here):
    scenarios.save(tmp_path / "set.zarr")
    arguments = ["tune", tmp_path / "set.zarr", "--out", tmp_path / "search", "--trials", "2", "--workers", "2"]
    command = [*map(str, arguments), "--set", "epochs=1"]
    done = CliRunner().invoke(cli.app, command, catch_exceptions=False)
    assert "the best of 2 trials" in done.stdout


@pytest.mark.slow
def test_a_killed_process_leaves_its_trials_to_others(scenarios, tmp_path, not_here):
    killed = []

    def kill_one(done: int, total: int, note: str) -> None:
        if not killed:
            killed.append(multiprocessing.active_children()[0])
            killed[0].kill()

    options = {"config": LONG, "space": SPACE, "trials": 16, "workers": 2, "together": 2}
    with pytest.warns(SlipcastWarning, match="one of 2 workers was killed, perhaps for want of memory; continuing"):
        found = tune(scenarios, tmp_path, **options, progress=kill_one)
    assert_whole(found, tmp_path, 16)
    assert sorted(row["trial"] for row in found.trials) == list(range(16))


def distributed_of_processes(count: int):
    """Start a local cluster whose workers are processes that can be killed."""
    distributed = pytest.importorskip("distributed")
    return distributed.LocalCluster(n_workers=count, threads_per_worker=1, processes=True, dashboard_address=None)


@pytest.mark.slow
def test_a_cluster_runs_the_trials(scenarios, tmp_path, not_here):
    with distributed_of_processes(2) as cluster:
        found = tune(
            scenarios, tmp_path, config=CONFIG, space=SPACE, trials=5, together=2, scheduler=cluster.scheduler_address
        )
    assert_whole(found, tmp_path, 5)
    assert (found.trials[0]["hidden"], found.trials[0]["learning_rate"]) == (40, 5e-4)


@pytest.mark.slow
def test_a_killed_worker_of_a_cluster(scenarios, tmp_path, not_here):
    killed = []
    with distributed_of_processes(2) as cluster:

        def kill_one(done: int, total: int, note: str) -> None:
            if not killed:
                killed.append(next(iter(cluster.workers.values())).pid)
                os.kill(killed[0], signal.SIGKILL)

        found = tune(
            scenarios,
            tmp_path,
            config=LONG,
            space=SPACE,
            trials=8,
            scheduler=cluster.scheduler_address,
            progress=kill_one,
        )
    assert killed
    assert_whole(found, tmp_path, 8)
    assert sorted(row["trial"] for row in found.trials) == list(range(8))


PARENT = """
import sys
from test_tune_workers import LONG, SPACE
from learning_fixtures import scenario_set
from slipcast.learning.stacked import train_many
from slipcast.learning.tuning.search import tune
tune(scenario_set(), sys.argv[1], config=LONG, space=SPACE, trials=12, scheduler=sys.argv[2])
"""


@pytest.mark.slow
def test_a_killed_parent_of_a_cluster(scenarios, tmp_path):
    folder = tmp_path / "search"
    with distributed_of_processes(2) as cluster:
        address = cluster.scheduler_address
        command = [sys.executable, "-c", textwrap.dedent(PARENT), str(folder), address]
        tests = str(Path(__file__).parent)
        path = os.pathsep.join([tests, *filter(None, [os.environ.get("PYTHONPATH")])])
        parent = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path})
        deadline = time.monotonic() + 120
        while not (folder / "best").is_dir() and parent.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        parent.kill()
        parent.wait()
        journal = (folder / "study.log").read_bytes()
        found = tune(scenarios, folder, config=LONG, space=SPACE, trials=12, scheduler=address, resume=True)
    assert_whole(found, folder, 12)
    assert (folder / "study.log").read_bytes().startswith(journal)


def test_workers_that_do_not_see_the_folder(scenarios, tmp_path):
    with pytest.raises(InputError, match=r"a worker does not see .*study.log: the folder of a search must be shared"):
        _run_numbers(Search(tmp_path, scenarios, CONFIG, SPACE, 1), [0])


def test_a_cluster_that_is_not_there(scenarios, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("slipcast.parallel.executor._CONNECT_S", 0.2)
    with pytest.raises(InputError, match=r"no Dask scheduler answers at .tcp://127\.0\.0\.1:9."):
        tune(scenarios, tmp_path, config=CONFIG, space=SPACE, trials=1, scheduler="tcp://127.0.0.1:9")
