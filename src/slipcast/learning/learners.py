"""Epochs of training: Liu's networks by hand-written passes, any other by autograd; whole parts as tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import nn

from slipcast.learning.config import TrainConfig
from slipcast.learning.conv_stack import Conv1dStack
from slipcast.learning.examples import Examples
from slipcast.learning.networks import Conv1d
from slipcast.learning.stacked_optimizers import StackedOptimizer

__all__ = ["AutogradLearner", "Learner", "epoch_seed", "learner_of"]

_CHUNK = 8192
_STACKED_CHUNK = 512
_KINDS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}

Tensors = dict[str, torch.Tensor]
Loss = tuple[float, float]
"""Of a part without dropout, m^2: the mean of its batches, and of all its scenarios."""


class Learner(Protocol):
    """Some networks under training, with their optimiser; the k-th is asked for by its number."""

    def train_epoch(self, epoch: int) -> list[float]:
        """Take the steps of an epoch; return the mean loss of the batches of each network, m^2."""

    def losses(self, part: str) -> list[Loss]:
        """Return the loss of each network over a part."""

    def weights(self, k: int) -> Tensors:
        """Copy the weights of a network, to the CPU."""

    def moments(self, k: int) -> Tensors:
        """Copy the state of the optimiser for it, as ``key/name``."""

    def restore(self, k: int, weights: Mapping[str, torch.Tensor], moments: Mapping[str, torch.Tensor]) -> None:
        """Take up weights and moments."""

    def keep(self, which: Sequence[int]) -> None:
        """Continue with some of the networks."""


def epoch_seed(seed: int, epoch: int) -> int:
    """Derive the seed of an epoch; epoch 0 draws the first weights."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0])


def learner_of(
    networks: Sequence[nn.Module],
    configs: Sequence[TrainConfig],
    parts: Mapping[str, Examples],
    device: torch.device,
) -> Learner:
    """Choose a learner: by hand-written passes for any number of Liu's networks, by autograd for one of another kind.

    Parameters
    ----------
    networks : sequence of torch.nn.Module
        On the device. All :class:`~slipcast.learning.networks.Conv1d` of the same arguments, dropout apart, or one.
    configs : sequence of TrainConfig
        One per network.
    parts : mapping of str to Examples
        The training part, ``"train"``, and others that losses are asked for of.
    device : torch.device
        Where the parts are brought.
    """
    if all(type(network) is Conv1d for network in networks):
        return _StackedLearner([cast(Conv1d, network) for network in networks], configs, parts, device)
    (network,), (config,) = networks, configs
    return AutogradLearner(network, config, parts, device)


class _StackedLearner:
    """Liu's networks of one architecture by a hand-written pass; each shuffled and dropped out as if alone."""

    def __init__(
        self,
        networks: Sequence[Conv1d],
        configs: Sequence[TrainConfig],
        parts: Mapping[str, Examples],
        device: torch.device,
    ):
        self._configs, self._device = list(configs), device
        self._stack = Conv1dStack(networks, device)
        parts = {part: examples.to(device) for part, examples in parts.items()}
        self._records = {
            part: examples.records.transpose(1, 2).flatten(1).contiguous() for part, examples in parts.items()
        }
        self._slip = {part: examples.weights for part, examples in parts.items()}
        self._optimizer = StackedOptimizer(
            configs[0].optimizer,
            [config.learning_rate for config in configs],
            [config.weight_decay for config in configs],
            self._stack.values,
        )

    @torch.no_grad()
    def train_epoch(self, epoch: int) -> list[float]:
        """Take the steps of an epoch; return the mean loss of the batches of each network, m^2."""
        records, slip = self._records["train"], self._slip["train"]
        count, size = len(records), self._configs[0].batch_size
        draws = []
        for config in self._configs:
            draws.append(torch.Generator())
            draws[-1].manual_seed(epoch_seed(config.seed, epoch))
        orders = torch.stack([torch.randperm(count, generator=draw) for draw in draws]).to(self._device)
        losses = torch.empty(-(-count // size), len(self._stack), device=self._device)
        for batch, chosen in enumerate(orders.split(size, dim=1)):
            flat = chosen.reshape(-1)
            keep = self._dropped(draws, chosen.shape[1])
            self._stack.learn(records.index_select(0, flat), slip.index_select(0, flat), keep, losses[batch])
            self._optimizer.step(self._stack.values, self._stack.gradient)
        return losses.double().mean(dim=0).tolist()

    def _dropped(self, draws: Sequence[torch.Generator], n: int) -> torch.Tensor | None:
        """Draw the factors of hidden values, shape (n_networks, n, hidden), as torch's dropout does."""
        if not any(config.dropout for config in self._configs):
            return None
        factors = torch.ones(len(draws), n, self._configs[0].hidden)
        for config, draw, own in zip(self._configs, draws, factors):
            if config.dropout:
                own.bernoulli_(1 - config.dropout, generator=draw).div_(1 - config.dropout)
        return factors.to(self._device)

    @torch.no_grad()
    def losses(self, part: str) -> list[Loss]:
        """Return the loss of each network over a part."""
        size = max(1, _STACKED_CHUNK // len(self._stack))
        squares = [
            (self._stack.predict(records) - slip).double().square().mean(dim=2)
            for records, slip in zip(self._records[part].split(size), self._slip[part].split(size))
        ]
        by_scenario = torch.cat(squares, dim=1)
        batches = torch.stack([batch.mean(dim=1) for batch in by_scenario.split(self._configs[0].batch_size, dim=1)])
        return list(zip(batches.mean(dim=0).tolist(), by_scenario.mean(dim=1).tolist(), strict=True))

    def weights(self, k: int) -> Tensors:
        """Copy the weights of a network, to the CPU."""
        return self._stack.tensors_of(self._stack.values[k])

    def moments(self, k: int) -> Tensors:
        """Copy the state of the optimiser for it, as ``key/name of the weight``."""
        found = {
            f"{key}/{name}": tensor
            for key, moment in self._optimizer.moments.items()
            for name, tensor in self._stack.tensors_of(moment[k]).items()
        }
        return found | {"step/all": torch.tensor(self._optimizer.steps)}

    def restore(self, k: int, weights: Mapping[str, torch.Tensor], moments: Mapping[str, torch.Tensor]) -> None:
        """Take up weights and moments."""
        self._stack.values[k] = self._stack.row_of(weights)
        for key, moment in self._optimizer.moments.items():
            named = {name.removeprefix(f"{key}/"): tensor for name, tensor in moments.items()}
            moment[k] = self._stack.row_of(named)
        self._optimizer.steps = int(moments["step/all"])

    def keep(self, which: Sequence[int]) -> None:
        """Continue with some of the networks."""
        self._stack.keep(which)
        self._optimizer.keep(which)
        self._configs = [self._configs[k] for k in which]


class AutogradLearner:
    """A network of any kind by autograd.

    Parameters
    ----------
    network : torch.nn.Module
        Trained in place; its parameters become views of one array for each of their types, so that a step of the
        optimiser is one operation.
    config : TrainConfig
        Batch size, optimiser and seed.
    parts : mapping of str to Examples
        What it learns from (``"train"``), and what losses are asked for of.
    device : torch.device
        Where the network is, and where the parts are brought.
    """

    def __init__(self, network: nn.Module, config: TrainConfig, parts: Mapping[str, Examples], device: torch.device):
        self._network, self._config = network, config
        self._parts = {part: examples.to(device) for part, examples in parts.items()}
        self._flat, self._gradients = _flattened(network)
        self._optimizer = _optimizer(self._flat, config, device)

    def train_epoch(self, epoch: int) -> list[float]:
        """Take the steps of an epoch, in an order drawn from the seed; return the mean loss of its batches, m^2."""
        examples = self._parts["train"]
        self._network.train()
        torch.manual_seed(epoch_seed(self._config.seed, epoch))
        losses = []
        for chosen in torch.randperm(len(examples)).to(examples.records.device).split(self._config.batch_size):
            records, slip = examples.records.index_select(0, chosen), examples.weights.index_select(0, chosen)
            for gradient in self._gradients:
                gradient.zero_()
            loss = nn.functional.mse_loss(self._network(records), slip)
            loss.backward()
            self._optimizer.step()
            losses.append(loss.detach())
        return [float(torch.stack(losses).double().mean())]

    @torch.no_grad()
    def losses(self, part: str) -> list[Loss]:
        """Return the loss over a part."""
        self._network.eval()
        examples, squares = self._parts[part], []
        for records, slip in zip(examples.records.split(_CHUNK), examples.weights.split(_CHUNK)):
            squares.append((self._network(records) - slip).double().square().mean(dim=1))
        by_scenario = torch.cat(squares)
        batches = torch.stack([batch.mean() for batch in by_scenario.split(self._config.batch_size)])
        return [(float(batches.mean()), float(by_scenario.mean()))]

    def weights(self, k: int = 0) -> Tensors:
        """Copy the weights, to the CPU."""
        return {name: tensor.detach().cpu().clone() for name, tensor in self._network.state_dict().items()}

    def moments(self, k: int = 0) -> Tensors:
        """Copy the state of the optimiser, as ``key/number of the array``."""
        return {
            f"{key}/{number}": value.detach().cpu().clone()
            for number, values in enumerate(self._flat)
            for key, value in self._optimizer.state[values].items()
            if isinstance(value, torch.Tensor)
        }

    def restore(self, k: int, weights: Mapping[str, torch.Tensor], moments: Mapping[str, torch.Tensor]) -> None:
        """Take up weights and moments."""
        self._network.load_state_dict(weights)
        for name, tensor in moments.items():
            key, _, number = name.partition("/")
            values = self._flat[int(number)]
            self._optimizer.state[values][key] = tensor.to(values.device)

    def keep(self, which: Sequence[int]) -> None:
        """Continue with the network, the only one."""


def _flattened(network: nn.Module) -> tuple[list[nn.Parameter], list[torch.Tensor]]:
    """Lay the parameters that are trained, and their gradients, into one array for each type; return the arrays."""
    by_type: dict[torch.dtype, list[nn.Parameter]] = {}
    for parameter in network.parameters():
        if parameter.requires_grad:
            by_type.setdefault(parameter.dtype, []).append(parameter)
    flat, gradients = [], []
    for parameters in by_type.values():
        values = nn.Parameter(torch.cat([parameter.detach().flatten() for parameter in parameters]))
        values.grad = gradient = torch.zeros_like(values)
        sizes = [parameter.numel() for parameter in parameters]
        for parameter, own, grad in zip(parameters, values.data.split(sizes), gradient.split(sizes), strict=True):
            parameter.data, parameter.grad = own.view_as(parameter), grad.view_as(parameter)
        flat.append(values)
        gradients.append(gradient)
    return flat, gradients


def _optimizer(values: list[nn.Parameter], config: TrainConfig, device: torch.device) -> torch.optim.Optimizer:
    """Make the optimiser that the config names, with torch's defaults for all else."""
    options: dict[str, Any] = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
    if config.optimizer != "rmsprop":  # the only one that has no fused steps
        options["fused"] = device.type in ("cpu", "cuda")
    return _KINDS[config.optimizer](values, **options)
