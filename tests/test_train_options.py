"""Every option of a training beyond the recipe: best epoch, stopping, losses, targets, sources, own networks."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.testing as npt
import pytest
import torch

from learning_fixtures import GAUGES, SOURCES, changed, scenario_set
from slipcast.errors import InputError
from slipcast.inversion import LeastSquaresSolver
from slipcast.learning import TrainConfig
from slipcast.learning.checkpoint import Checkpoint
from slipcast.learning.train import train
from slipcast.scenarios.scenario_set import ScenarioSet

FEW: dict[str, Any] = {"epochs": 6, "window_min": 30, "noise_sd_m": 0.001}
OWN = '''
"""A network of a user's own."""

import torch
from torch import nn


class Dense(nn.Module):
    """Two layers, with a running mean that is no parameter."""

    def __init__(self, n_channels, n_sources, signal_length, width=16):
        super().__init__()
        self.norm = nn.BatchNorm1d(n_channels)
        first, last = nn.Linear(n_channels * signal_length, width), nn.Linear(width, n_sources)
        self.layers = nn.Sequential(nn.Flatten(), first, nn.Tanh(), last, nn.Softplus())

    def forward(self, records):
        return self.layers(self.norm(records))


class Negative(Dense):
    def forward(self, records):
        return -super().forward(records) - 1


class Short(Dense):
    def forward(self, records):
        return super().forward(records)[:, 1:]


class Broken(Dense):
    def forward(self, records):
        return self.layers(records[:, :, 1:])


class Empty(nn.Module):
    def __init__(self, n_channels, n_sources, signal_length):
        super().__init__()


class Infinite(Dense):
    def forward(self, records):
        return super().forward(records) / 0


def function(n_channels, n_sources, signal_length):
    return None
'''


@pytest.fixture(scope="module")
def scenarios() -> ScenarioSet:
    return scenario_set()


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Put a module with networks on the path."""
    (tmp_path / "own_networks.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("own_networks", None)


@pytest.fixture(scope="module")
def plain(scenarios, tmp_path_factory) -> Checkpoint:
    """Train without an option."""
    return train(scenarios, tmp_path_factory.mktemp("plain"), **FEW)


def same(first: Checkpoint, second: Checkpoint) -> bool:
    """Tell whether all numbers of two networks are the same, to the bit."""
    one, two = first.network.state_dict(), second.network.state_dict()
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def stop_at(epoch: int):
    """Make a progress that stops a training as Ctrl-C does."""

    def progress(done, *_):
        if done == epoch:
            raise KeyboardInterrupt

    return progress


def test_the_best_epoch_is_kept_beside_the_last(scenarios, tmp_path):
    # a rate so high that losses go up and down
    last = train(scenarios, tmp_path, **(FEW | {"epochs": 25, "learning_rate": 0.02}))
    best = Checkpoint.open(tmp_path / "best")
    assert (best.epoch, last.epoch) == (last.best_epoch, 25)
    assert best.epoch < 25
    indices = scenarios.indices("validation")
    records = scenarios.load_records(GAUGES, 30, indices, noise_sd_m=0.001)
    error = np.mean((best.predict(records) - scenarios.load_weights(indices).to_numpy()) ** 2)
    npt.assert_allclose(error, last.history[best.epoch - 1]["validation_loss_m2"], rtol=1e-5)
    npt.assert_allclose(error, min(row["validation_loss_m2"] for row in last.history), rtol=1e-5)


def test_the_losses_of_an_epoch(scenarios, tmp_path):
    trained = train(scenarios, tmp_path, **FEW, batch_size=4, test_loss=True)
    row = trained.history[-1]
    for part in ("train", "validation", "test"):
        indices = scenarios.indices(part)
        found = trained.predict(scenarios.load_records(GAUGES, 30, indices, noise_sd_m=0.001))
        squares = ((found - scenarios.load_weights(indices).to_numpy()) ** 2).mean(axis=1)
        npt.assert_allclose(row[f"{part}_loss_m2"], squares.mean(), rtol=1e-5)
        if part != "train":  # nine scenarios in batches of four: the last, alone, counts as much as the others
            batches = [squares[start : start + 4].mean() for start in range(0, squares.size, 4)]
            npt.assert_allclose(row[f"{part}_batch_loss_m2"], np.mean(batches), rtol=1e-5)
            assert not np.isclose(np.mean(batches), squares.mean(), rtol=1e-3)
    assert "test_loss_m2" in (tmp_path / "history.csv").read_text().splitlines()[0]


def test_the_test_part_is_not_looked_at_unasked(scenarios, tmp_path):
    records = scenarios.dataset["records"].to_numpy().copy()
    records[scenarios.indices("test")] = np.nan
    spoilt = changed(scenarios, records=records)
    assert same(train(spoilt, tmp_path / "a", gauges=GAUGES, **FEW), train(scenarios, tmp_path / "b", **FEW))
    assert "test_loss_m2" not in (tmp_path / "a" / "history.csv").read_text()
    with pytest.raises(InputError, match=r"record of scenario \d+ at gauge 46404 is not finite"):
        train(spoilt, tmp_path / "c", gauges=GAUGES, test_loss=True, **FEW)


def test_early_stopping(scenarios, tmp_path):
    options = FEW | {"epochs": 60, "learning_rate": 0.02}
    whole = train(scenarios, tmp_path / "whole", **options)
    losses = [row["validation_loss_m2"] for row in whole.history]
    expected = next(n for n in range(3, 61) if np.argmin(losses[:n]) == n - 4)
    stopped = train(scenarios, tmp_path / "stopped", early_stopping_epochs=3, **options)
    assert len(stopped.history) == expected < 60
    assert stopped.best_epoch == expected - 3
    assert list(stopped.history) == list(whole.history)[:expected]
    # resumed, it stops in the same place
    with pytest.raises(KeyboardInterrupt):
        train(scenarios, tmp_path / "again", early_stopping_epochs=3, progress=stop_at(2), **options)
    resumed = train(scenarios, tmp_path / "again", resume=True)
    assert same(resumed, stopped)
    assert same(Checkpoint.open(tmp_path / "again" / "best"), Checkpoint.open(tmp_path / "stopped" / "best"))


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": "adamw", "weight_decay": 0.1},
        {"weight_decay": 0.1},
        {"optimizer": "sgd", "learning_rate": 0.01},
        {"optimizer": "rmsprop"},
        {"activation": "tanh"},
        {"activation": "gelu"},
        {"split_fractions": (0.6, 0.2, 0.2)},
        {"split_fractions": (0.7, 0.15, 0.15), "split_seed": 2},
        {"target": "least_squares", "target_window_min": 60},
        {"sources": ("acsza57", "acszb59")},
    ],
    ids=str,
)
def test_every_option_changes_the_result_and_is_resumed(scenarios, plain, tmp_path, change):
    trained = train(scenarios, tmp_path / "changed", **(FEW | change))
    assert trained.id != plain.id
    assert Checkpoint.open(tmp_path / "changed").config == trained.config == TrainConfig(**(FEW | change))
    with pytest.raises(KeyboardInterrupt):
        train(scenarios, tmp_path / "stopped", progress=stop_at(3), **(FEW | change))
    assert same(train(scenarios, tmp_path / "stopped", resume=True), trained)


def test_options_that_others_could_hide(scenarios, tmp_path):
    """The seed of a split beside another seed, and an optimiser beside its like with the same settings."""
    split = {"split_fractions": (0.7, 0.15, 0.15)}
    for number, (one, other) in enumerate(
        (
            (split | {"split_seed": 2}, split | {"split_seed": 3}),
            ({"optimizer": "adam", "weight_decay": 0.1}, {"optimizer": "adamw", "weight_decay": 0.1}),
            ({"optimizer": "sgd"}, {"optimizer": "rmsprop"}),
        )
    ):
        trained = [train(scenarios, tmp_path / f"{number}-{k}", **(FEW | each)) for k, each in enumerate((one, other))]
        assert not same(*trained), (one, other)


def test_least_squares_finds_slip_on_the_sources_asked_for(scenarios, tmp_path):
    names = ("acszb59", "acsza57")
    options: dict[str, Any] = {"target": "least_squares", "target_window_min": 60, "sources": names}
    trained = train(scenarios, tmp_path, **FEW, **options)
    assert trained.sources == names
    indices = scenarios.indices("validation")
    records = scenarios.load_records(GAUGES, 60, indices, noise_sd_m=0.001)
    response = scenarios.source_response(GAUGES, sources=names, window_min=60)
    target = LeastSquaresSolver(response).solve(records.to_numpy())
    found = trained.predict(scenarios.load_records(GAUGES, 30, indices, noise_sd_m=0.001))
    npt.assert_allclose(trained.history[-1]["validation_loss_m2"], np.mean((found - target) ** 2), rtol=1e-4)


def test_some_of_the_sources_in_an_order_of_ones_own(scenarios, tmp_path):
    some = train(scenarios, tmp_path / "some", sources=("ac59b", "acsza57..58"), **FEW)
    assert some.sources == ("acszb59", "acsza57", "acsza58")
    other = scenario_set(sources=SOURCES[::-1])
    assert same(train(other, tmp_path / "other", sources=("acszb59", "acsza57", "acsza58"), **FEW), some) is False
    # the other set has other slip; the order alone changes nothing
    columns = [SOURCES.index(name) for name in SOURCES[::-1]]
    turned = ScenarioSet(scenarios.dataset.isel(source=columns))
    assert same(train(turned, tmp_path / "turned", sources=("acszb59", "acsza57", "acsza58"), **FEW), some)
    with pytest.raises(InputError, match="unknown source 'acsza60' in scenario set; nearest: acsza5"):
        train(scenarios, tmp_path / "none", sources=("acsza60",))


def test_learning_what_least_squares_finds(scenarios, tmp_path):
    trained = train(scenarios, tmp_path, target="least_squares", target_window_min=60, **FEW)
    indices = scenarios.indices("validation")
    response = scenarios.source_response(GAUGES, window_min=60)
    records = scenarios.load_records(GAUGES, 60, indices, noise_sd_m=0.001)
    target = LeastSquaresSolver(response).solve(records.to_numpy())
    found = trained.predict(scenarios.load_records(GAUGES, 30, indices, noise_sd_m=0.001))
    npt.assert_allclose(trained.history[-1]["validation_loss_m2"], np.mean((found - target) ** 2), rtol=1e-4)
    assert np.abs(target - scenarios.load_weights(indices).to_numpy()).max() > 1e-3  # the noise makes them differ


def test_a_set_that_holds_inversions(scenarios, tmp_path):
    held = ScenarioSet(scenarios.dataset.assign_attrs(target="least_squares"))
    plain = train(held, tmp_path / "plain", **FEW)
    assert same(train(held, tmp_path / "named", target="least_squares", **FEW), plain)
    with pytest.raises(InputError, match="target area_mean is not in this scenario set, whose weights are least_sq"):
        train(held, tmp_path / "none", target="area_mean", **FEW)


@pytest.mark.parametrize(("minutes", "blocks"), [(2, 1), (3, 1), (30, 4), (45, 5), (64, 6), (240, 7)])
def test_windows_from_2_to_240_minutes(minutes, blocks, tmp_path):
    scenarios = scenario_set(30, minutes=240)
    trained: Any = train(scenarios, tmp_path, window_min=minutes, epochs=1)
    assert len(trained.network.convolutions) == blocks
    assert trained.predict(scenarios.load_records(GAUGES, minutes)).shape == (30, 5)


def test_logs_for_tensorboard(scenarios, tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with pytest.raises(KeyboardInterrupt):
        train(scenarios, tmp_path, progress=stop_at(3), **FEW)
    trained = train(scenarios, tmp_path, resume=True)
    log = reader.EventAccumulator(str(tmp_path / "tensorboard"))
    log.Reload()
    logged = {event.step: event.value for event in log.Scalars("validation_loss_m2")}
    expected = {row["epoch"]: row["validation_loss_m2"] for row in trained.history}
    assert logged.keys() == expected.keys()
    npt.assert_allclose(list(logged.values()), list(expected.values()), rtol=1e-6)


# --- networks of the user's own


@pytest.mark.slow
@pytest.mark.usefixtures("own")
def test_a_network_of_the_users_own(scenarios, tmp_path):
    options = FEW | {"model": "own_networks:Dense", "network": {"width": 8}, "learning_rate": 0.01}
    trained = train(scenarios, tmp_path / "run", **options)
    opened = Checkpoint.open(tmp_path / "run")
    records = scenarios.load_records(GAUGES, 30)
    npt.assert_array_equal(opened.predict(records), trained.predict(records))
    assert opened.history[-1]["validation_loss_m2"] < opened.history[0]["validation_loss_m2"]
    assert not same(train(scenarios, tmp_path / "wide", **(options | {"network": {"width": 9}})), trained)
    # running means are resumed, too
    with pytest.raises(KeyboardInterrupt):
        train(scenarios, tmp_path / "stopped", progress=stop_at(3), **options)
    assert same(train(scenarios, tmp_path / "stopped", resume=True), trained)


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Short", r"model own_networks:Short must give slip of shape \(n, 5\) for n = 2 records, got \(2, 4\)"),
        ("Broken", r"model own_networks:Broken fails on records of shape \(2, 3, 30\): mat1 and mat2 shapes"),
        ("Empty", "model own_networks:Empty has no parameter to train"),
        ("Infinite", "model own_networks:Infinite gives slip that is not finite for records of zeros"),
        ("Nothing", "model own_networks:Nothing: module own_networks has no class 'Nothing'"),
        ("function", "model own_networks:function must be a class derived from torch.nn.Module, got <function"),
    ],
)
def test_networks_that_do_not_fit(scenarios, tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        train(scenarios, tmp_path / "run", model=f"own_networks:{name}", **FEW)
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("own")
def test_a_network_that_gives_negative_slip(scenarios, tmp_path):
    trained = train(scenarios, tmp_path / "run", model="own_networks:Negative", **FEW)
    with pytest.raises(InputError, match=r"must give slip >= 0 m, got -.* at source acsza57 for record 0; end it with"):
        trained.predict(scenarios.load_records(GAUGES, 30))


def test_modules_that_cannot_be_imported(scenarios, tmp_path):
    with pytest.raises(InputError, match=r"model nowhere.of:Mine: cannot import nowhere.of: No module named 'nowhere'"):
        train(scenarios, tmp_path, model="nowhere.of:Mine")


@pytest.mark.usefixtures("own")
def test_a_checkpoint_whose_class_is_gone(scenarios, tmp_path):
    train(scenarios, tmp_path / "run", model="own_networks:Dense", **FEW)
    sys.modules.pop("own_networks")
    (tmp_path / "own_networks.py").unlink()
    with pytest.raises(InputError, match=r"checkpoint .*run: model own_networks:Dense: cannot import own_networks"):
        Checkpoint.open(tmp_path / "run")
