"""Speed of Liu's training recipe: slipcast's loop against a plain one of PyTorch."""

from __future__ import annotations

import os
import time
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from tests.reference.plain_network import PlainNetwork
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.speed.timing import one_thread, ratios, spread
from slipcast.learning.checkpoint import Checkpoint
from slipcast.learning.config import TrainConfig
from slipcast.learning.examples import Task
from slipcast.learning.train import train
from slipcast.scenarios.scenario_set import ScenarioSet

__all__ = ["PlainLoop", "SlipcastLoop", "measure_training"]

_RECIPE_EPOCHS = 300


class PlainLoop:
    """Liu's training recipe as a tutorial of PyTorch writes it: loaders, Adam, a loop over batches.

    Parameters
    ----------
    scenarios : ScenarioSet
        Of the training.
    config : TrainConfig
        The recipe; of its networks ``conv1d`` alone, of its optimisers Adam.
    """

    def __init__(self, scenarios: ScenarioSet, config: TrainConfig):
        task = Task.load(scenarios, config)
        torch.manual_seed(config.seed)
        self.network = PlainNetwork(**task.shape)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=config.learning_rate)
        self.loss = nn.MSELoss()
        sets = {part: TensorDataset(examples.records, examples.weights) for part, examples in task.parts.items()}
        self.train_loader = DataLoader(sets["train"], batch_size=config.batch_size, shuffle=True)
        self.validation_loader = DataLoader(sets["validation"], batch_size=config.batch_size)

    def epoch(self) -> dict[str, float]:
        """Train once with every scenario; return the mean losses of the batches of both parts, m^2."""
        self.network.train()
        total = 0.0
        for records, weights in self.train_loader:
            self.optimizer.zero_grad()
            loss = self.loss(self.network(records), weights)
            loss.backward()
            self.optimizer.step()
            total += loss.item()
        self.network.eval()
        held_out = 0.0
        with torch.no_grad():
            for records, weights in self.validation_loader:
                held_out += self.loss(self.network(records), weights).item()
        return {
            "train_batch_loss_m2": total / len(self.train_loader),
            "validation_batch_loss_m2": held_out / len(self.validation_loader),
        }


class SlipcastLoop:
    """The same by :func:`slipcast.learning.train.train`, timed from the end of an epoch to the end of the next.

    Parameters
    ----------
    scenarios, config
        As in :class:`PlainLoop`.
    """

    def __init__(self, scenarios: ScenarioSet, config: TrainConfig):
        self.scenarios, self.config = scenarios, config

    def epochs(self, count: int, folder: str | os.PathLike) -> tuple[list[float], Checkpoint]:
        """Train some epochs; return seconds of each but the first, and the checkpoint."""
        ends: list[float] = []
        checkpoint = train(
            self.scenarios,
            folder,
            config=self.config.with_settings(epochs=count),
            progress=lambda *_: ends.append(time.perf_counter()),
        )
        return [later - earlier for earlier, later in pairwise(ends)], checkpoint


def measure_training(
    scenarios: ScenarioSet, out: Path, *, window_min: float, epochs: int, repeats: int
) -> dict[str, Any]:
    """Time an epoch of both, in turn, on one thread.

    Parameters
    ----------
    scenarios : ScenarioSet
        Of the training.
    out : Path
        Where the last network that was trained is left.
    window_min : float
        Window of the records, minutes.
    epochs : int
        In each round, >= 2.
    repeats : int
        Rounds.

    Returns
    -------
    found : dict
        ``scenarios``, of the train part, ``epochs``; spreads ``slipcast`` and ``plain``, seconds an epoch, and
        ``ratio``; ``recipe_s``, seconds of 300 epochs, an epoch multiplied; ``slipcast_loss_m2`` and
        ``plain_loss_m2``, of the validation part after the epochs of a round, the mean over rounds.
    """
    seconds: dict[str, list[float]] = {"slipcast": [], "plain": []}
    losses: dict[str, list[float]] = {"slipcast": [], "plain": []}
    with one_thread(), TemporaryDirectory() as folder:
        for number in range(repeats):
            config = TrainConfig(window_min=window_min, seed=number, device="cpu")
            times, checkpoint = SlipcastLoop(scenarios, config).epochs(epochs, Path(folder) / str(number))
            seconds["slipcast"].append(sum(times) / len(times))
            losses["slipcast"].append(checkpoint.history[-1]["validation_batch_loss_m2"])
            plain = PlainLoop(scenarios, config)
            plain.epoch()
            started = time.perf_counter()
            rows = [plain.epoch() for _ in range(epochs - 1)]
            seconds["plain"].append((time.perf_counter() - started) / len(rows))
            losses["plain"].append(rows[-1]["validation_batch_loss_m2"])
    checkpoint.save(out)
    of_epoch = spread(seconds["slipcast"])
    return {
        "scenarios": len(scenarios.indices("train")),
        "epochs": epochs,
        "slipcast": of_epoch,
        "plain": spread(seconds["plain"]),
        "ratio": ratios(seconds["plain"], seconds["slipcast"]),
        "recipe_s": {key: _RECIPE_EPOCHS * value for key, value in of_epoch.items()},
        **{f"{name}_loss_m2": sum(of_loop) / len(of_loop) for name, of_loop in losses.items()},
    }
