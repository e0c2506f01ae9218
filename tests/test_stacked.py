"""Many networks at once: gradients as autograd has them, steps as torch's optimisers, histories as alone."""

from __future__ import annotations

import math

import numpy.testing as npt
import pytest
import torch
from tests.reference.plain_network import PlainNetwork

from learning_fixtures import scenario_set
from slipcast.errors import InputError
from slipcast.learning import TrainConfig
from slipcast.learning.conv_stack import Conv1dStack
from slipcast.learning.examples import Task
from slipcast.learning.history import first_network, train_epoch
from slipcast.learning.learners import AutogradLearner, learner_of
from slipcast.learning.networks import ACTIVATIONS, Conv1d
from slipcast.learning.stacked import train_many
from slipcast.learning.stacked_optimizers import MOMENTS, StackedOptimizer
from slipcast.learning.train import train

SHORT = TrainConfig(epochs=3, device="cpu")


@pytest.fixture(scope="module")
def scenarios():
    return scenario_set()


@pytest.mark.parametrize("samples", [2, 3, 5, 30, 45, 64])
@pytest.mark.parametrize("activation", ["leaky_relu", *ACTIVATIONS])
def test_gradients_are_those_of_autograd(activation, samples):
    torch.manual_seed(samples)
    options = {"activation": activation, "channels": None, "hidden": 7}
    networks = [Conv1d(3, 5, samples, dropout=0.4, **options).double().eval() for _ in range(2)]
    records = torch.randn(2, 6, 3, samples, dtype=torch.float64)
    slip = 3 * torch.rand(2, 6, 5, dtype=torch.float64)
    keep = (torch.rand(2, 6, 7, dtype=torch.float64) < 0.6) / 0.6
    stack = Conv1dStack(networks)
    loss = torch.empty(2, dtype=torch.float64)
    with torch.no_grad():
        stack.learn(records.transpose(2, 3).reshape(12, -1), slip.reshape(12, -1), keep, loss)
        predicted = stack.predict(records[0].transpose(1, 2).reshape(6, -1))
    for k, network in enumerate(networks):
        network.dropout.forward = lambda hidden, factors=keep[k]: hidden * factors
        expected = torch.nn.functional.mse_loss(network(records[k]), slip[k])
        expected.backward()
        npt.assert_allclose(loss[k], expected.detach(), rtol=1e-12)
        found = stack.tensors_of(stack.gradient[k])
        for name, parameter in network.named_parameters():
            npt.assert_allclose(found[name], parameter.grad, rtol=1e-9, atol=1e-12, err_msg=name)
        network.dropout.forward = lambda hidden: hidden
        npt.assert_allclose(predicted[k], network(records[0]).detach(), rtol=1e-12)


def test_of_equal_values_the_first_of_a_pair_takes_the_derivative():
    # records that do not change in time: within a signal pairs are equal, as before a wave comes
    torch.manual_seed(1)
    network = Conv1d(3, 6, 45).double().eval()
    plain = PlainNetwork(3, 6, 45).double().eval()  # pooled by torch's own layer
    with torch.no_grad():
        for ours, theirs in zip(network.parameters(), plain.parameters(), strict=True):
            theirs.copy_(ours)
    records = torch.linspace(-1, 1, 12, dtype=torch.float64).reshape(4, 3, 1).expand(4, 3, 45)
    slip = torch.ones(4, 6, dtype=torch.float64)
    stack, loss = Conv1dStack([network]), torch.empty(1, dtype=torch.float64)
    with torch.no_grad():
        stack.learn(records.transpose(1, 2).reshape(4, -1), slip, None, loss)
    torch.nn.functional.mse_loss(plain(records), slip).backward()
    found = list(stack.tensors_of(stack.gradient[0]).values())
    assert any(gradient.abs().max() > 1e-3 for gradient in found)
    for ours, theirs in zip(found, plain.parameters(), strict=True):
        npt.assert_allclose(ours, theirs.grad, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(MOMENTS))
@pytest.mark.parametrize(("rates", "decays"), [((0.01, 0.01), (0.0, 0.0)), ((0.01, 0.003), (0.1, 0.0))])
def test_steps_are_those_of_torch(kind, rates, decays):
    values = torch.randn(2, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    rows = [torch.nn.Parameter(row.clone()) for row in values]
    optimizer = StackedOptimizer(kind, rates, decays, values)
    theirs = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "rmsprop": "RMSprop"}[kind]
    torchs = [
        getattr(torch.optim, theirs)([row], lr=rate, weight_decay=decay)
        for row, rate, decay in zip(rows, rates, decays, strict=True)
    ]
    for step in range(5):
        gradient = torch.cos(values + step)
        for row, own, other in zip(rows, gradient, torchs, strict=True):
            row.grad = own.clone()
            other.step()
        optimizer.step(values, gradient)
    npt.assert_allclose(values, torch.stack([row.detach() for row in rows]), rtol=1e-12)


def test_an_optimizer_that_is_none():
    with pytest.raises(InputError, match="unknown optimizer 'adan'"):
        StackedOptimizer("adan", [0.1], [0.0], torch.zeros(1, 3))


def test_each_is_what_it_would_be_alone(scenarios, tmp_path):
    own = [
        {"seed": 1},
        {"seed": 2, "learning_rate": 3e-3, "weight_decay": 0.01},
        {"seed": 3, "dropout": 0.0},
    ]
    configs = [SHORT.with_settings(**settings) for settings in own]
    for number, (config, trained) in enumerate(zip(configs, train_many(scenarios, configs), strict=True)):
        alone = train(scenarios, tmp_path / f"{number}", config=config)
        assert trained.ended == "complete"
        assert trained.last.config == config
        assert trained.last.epoch == 3
        assert trained.best.epoch == alone.best_epoch
        for row, expected in zip(trained.last.history, alone.history, strict=True):
            npt.assert_allclose(list(row.values()), list(expected.values()), rtol=1e-4)


def test_one_that_diverges_or_is_stopped_leaves_the_others_alone(scenarios):
    config = SHORT.with_settings(optimizer="sgd")
    configs = [config, config.with_settings(learning_rate=1e30), config.with_settings(seed=2), config]
    rows: dict[int, list[int]] = {}

    def go_on(k, row, best):
        rows.setdefault(k, []).append(row["epoch"])
        assert best["validation_loss_m2"] <= row["validation_loss_m2"]
        return not (k == 2 and row["epoch"] == 2)

    found = train_many(scenarios, configs, go_on=go_on)
    assert [trained.ended for trained in found] == ["complete", "diverged", "stopped", "complete"]
    assert found[1].last is None
    assert found[2].best is None
    assert rows == {0: [1, 2, 3], 2: [1, 2], 3: [1, 2, 3]}
    npt.assert_array_equal(
        *([[row["validation_loss_m2"] for row in trained.last.history] for trained in (found[0], found[3])])
    )
    assert all(math.isfinite(row["train_loss_m2"]) for row in found[0].last.history)


@pytest.mark.parametrize(
    ("configs", "message"),
    [
        ([], "configs must name one network at least, got none"),
        ([SHORT.with_settings(model="some.module:Net")], "trained at once must be conv1d, got model some.module:Net"),
        (
            [SHORT, SHORT.with_settings(hidden=20)],
            "may differ in seed, learning_rate, weight_decay, dropout alone, got hidden = 40 and 20",
        ),
    ],
)
def test_networks_that_do_not_go_together(scenarios, configs, message):
    with pytest.raises(InputError, match=message):
        train_many(scenarios, configs)


def test_scenarios_of_a_wrong_kind():
    with pytest.raises(InputError, match="scenarios must be a ScenarioSet, got "):
        train_many("set.zarr", [SHORT])  # type: ignore[arg-type]


@pytest.mark.slow
def test_both_learners_find_the_same(scenarios):
    config = SHORT.with_settings(dropout=0.0, weight_decay=0.01)
    task, device = Task.load(scenarios, config), torch.device("cpu")
    stacked = learner_of([first_network(task, device)], [config], task.parts, device)
    autograd = AutogradLearner(first_network(task, device), config, task.parts, device)
    first = stacked.weights(0)
    for epoch in range(1, 4):
        (found,), (expected,) = (train_epoch(learner, epoch, task.parts) for learner in (stacked, autograd))
        npt.assert_allclose(list(found.values()), list(expected.values()), rtol=1e-5)
    for name, tensor in stacked.weights(0).items():
        assert not torch.equal(tensor, first[name])
        npt.assert_allclose(tensor, autograd.weights(0)[name], atol=1e-4)  # steps of Adam magnify rounding


def test_threads_are_one_at_least(scenarios):
    with pytest.raises(InputError, match="n_threads must be >= 1, got 0"):
        train_many(scenarios, [SHORT], n_threads=0)
