"""Epochs of training: whole parts as tensors on the device, batches by index, one step of the optimiser each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from slipcast.learning.config import TrainConfig
from slipcast.learning.examples import Examples

__all__ = ["Learner", "epoch_seed"]

_CHUNK = 8192
_KINDS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}

Tensors = dict[str, torch.Tensor]
Loss = tuple[float, float]
"""Of a part without dropout, m^2: the mean of its batches, and of all its scenarios."""


def epoch_seed(seed: int, epoch: int) -> int:
    """Derive the seed of an epoch; epoch 0 draws the first weights."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0])


class Learner:
    """A network under training, with its optimiser.

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

    def train_epoch(self, epoch: int) -> float:
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
        return float(torch.stack(losses).double().mean())

    @torch.no_grad()
    def losses(self, part: str) -> Loss:
        """Return the loss over a part."""
        self._network.eval()
        examples, squares = self._parts[part], []
        for records, slip in zip(examples.records.split(_CHUNK), examples.weights.split(_CHUNK)):
            squares.append((self._network(records) - slip).double().square().mean(dim=1))
        by_scenario = torch.cat(squares)
        batches = torch.stack([batch.mean() for batch in by_scenario.split(self._config.batch_size)])
        return float(batches.mean()), float(by_scenario.mean())

    def weights(self) -> Tensors:
        """Copy the weights, to the CPU."""
        return {name: tensor.detach().cpu().clone() for name, tensor in self._network.state_dict().items()}

    def moments(self) -> Tensors:
        """Copy the state of the optimiser, as ``key/number of the array``."""
        return {
            f"{key}/{number}": value.detach().cpu().clone()
            for number, values in enumerate(self._flat)
            for key, value in self._optimizer.state[values].items()
            if isinstance(value, torch.Tensor)
        }

    def restore(self, weights: Mapping[str, torch.Tensor], moments: Mapping[str, torch.Tensor]) -> None:
        """Take up weights and moments."""
        self._network.load_state_dict(weights)
        for name, tensor in moments.items():
            key, _, number = name.partition("/")
            values = self._flat[int(number)]
            self._optimizer.state[values][key] = tensor.to(values.device)


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
