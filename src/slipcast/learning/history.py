"""Training history: losses by epoch, the best epoch, early stopping."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
from torch import nn

from slipcast.errors import InputError
from slipcast.learning.checkpoint import Checkpoint
from slipcast.learning.examples import Task
from slipcast.learning.learners import Learner, epoch_seed
from slipcast.learning.networks import build_network, check_network

__all__ = ["Diverged", "TrainingHistory", "first_network", "train_epoch"]


class Diverged(InputError):
    """A training whose loss is no number any more."""


class TrainingHistory:
    """Losses of a training epoch by epoch, with the weights of the best epoch.

    Attributes
    ----------
    task : Task
    rows : list of dict
        A row an epoch.
    best : dict of str to Tensor
        Weights at the epoch with the lowest validation loss.
    """

    def __init__(self, task: Task):
        self.task = task
        self.rows: list[dict[str, Any]] = []
        self.best: dict[str, torch.Tensor] = {}

    @property
    def best_row(self) -> dict[str, Any]:
        """The row of the epoch with the lowest validation loss, the first of equals."""
        return min(self.rows, key=lambda row: row["validation_loss_m2"])

    @property
    def over(self) -> bool:
        """Whether all epochs are done, or early stopping applies."""
        config = self.task.config
        if len(self.rows) >= config.epochs:
            return True
        patience = config.early_stopping_epochs
        if patience is None or not self.rows:
            return False
        return len(self.rows) - self.best_row["epoch"] >= patience

    def note(self, row: dict[str, Any], weights: Callable[[], dict[str, torch.Tensor]]) -> None:
        """Add a row, and keep the weights if none were better; Diverged where a loss is no number."""
        if not all(math.isfinite(loss) for loss in row.values()):
            rate = self.task.config.learning_rate
            raise Diverged(f"training diverged in epoch {row['epoch']} with learning_rate = {rate:g}")
        self.rows.append(row)
        if self.best_row is row:
            self.best = weights()

    def checkpoint(self, weights: dict[str, torch.Tensor]) -> Checkpoint:
        """Make a checkpoint of the network with the weights of the last epoch."""
        return self._checkpoint(weights, len(self.rows))

    def best_checkpoint(self) -> Checkpoint:
        """Return the same for the epoch with the lowest validation loss."""
        return self._checkpoint(self.best, self.best_row["epoch"])

    def _checkpoint(self, weights: dict[str, torch.Tensor], epoch: int) -> Checkpoint:
        task = self.task
        network = build_network(task.config.model, **task.arguments)
        network.load_state_dict(weights)
        return Checkpoint(
            network=network,
            architecture=task.config.model,
            arguments=task.arguments,
            gauges=task.gauges,
            senses=task.senses,
            sources=task.sources,
            window_min=task.config.window_min,
            sample_step_s=task.sample_step_s,
            record_scale_m=task.record_scale_m,
            config=task.config,
            epoch=epoch,
            history=tuple(self.rows),
            scenarios=task.scenarios,
            region=task.region,
        )


def first_network(task: Task, device: torch.device) -> nn.Module:
    """Draw first weights from the seed, and see that the network fits."""
    torch.manual_seed(epoch_seed(task.config.seed, 0))
    network = build_network(task.config.model, **task.arguments).to(device)
    check_network(network, task.config.model, **task.shape)
    return network


def train_epoch(learner: Learner, epoch: int, parts: Collection[str]) -> Sequence[dict[str, Any]]:
    """Train an epoch, and return a row of the history for each network."""
    rows: list[dict[str, Any]] = [{"epoch": epoch, "train_batch_loss_m2": loss} for loss in learner.train_epoch(epoch)]
    losses = {part: learner.losses(part) for part in parts}
    for k, row in enumerate(rows):
        row |= {f"{part}_batch_loss_m2": losses[part][k][0] for part in parts if part != "train"}
        row |= {f"{part}_loss_m2": losses[part][k][1] for part in parts}
    return rows
