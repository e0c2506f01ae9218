"""Training: a scenario set and a recipe turned into a checkpoint, killed and resumed at will."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from slipcast.errors import InputError
from slipcast.learning.checkpoint import BEST_FOLDER, STATE_FILE, Checkpoint, checkpoint_folder
from slipcast.learning.config import TrainConfig
from slipcast.learning.examples import Examples, Task
from slipcast.learning.networks import build_network, check_network
from slipcast.learning.state import Complete, State, Stopped, find_begun, write_state
from slipcast.scenarios import ScenarioSet

__all__ = ["Diverged", "train", "training_note"]

_SAVE_EVERY_S = 5.0
_CHUNK = 8192

Losses = Mapping[str, float]
Progress = Callable[[int, int, Losses, Losses], None]
"""Called with the number of an epoch, the number of epochs, and two rows of the history: its own and the best."""


class Diverged(InputError):
    """A training whose loss is no number any more."""


def train(
    scenarios: ScenarioSet,
    out: str | os.PathLike,
    *,
    config: TrainConfig | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    **overrides: Any,
) -> Checkpoint:
    """Train a network to find slip from records.

    Parameters
    ----------
    scenarios : ScenarioSet
        Learnt from its train part; the loss over its validation part is noted each epoch, and decides which
        epoch is kept as the best and, if asked to, when to stop. The test part is not looked at unless the config
        asks for its loss.
    out : path
        Folder of the checkpoint, made if need be: ``model.safetensors``, ``model.json``, ``config.toml``,
        ``history.csv`` of the last epoch, and the same in ``best`` of the epoch with the lowest validation loss.
        Logs for TensorBoard go to ``tensorboard`` where that is installed.
    config : TrainConfig, optional
        The recipe; by default Liu's or, on resuming, that of the training begun.
    resume : bool, optional
        Go on with a training that was stopped; one that is complete is returned as it is. Else start anew, in
        place of whatever training the folder holds.
    progress : callable, optional
        Called after each epoch with its number, the number of epochs, its row of the history and that of the
        best epoch so far.
    **overrides
        Settings of :class:`TrainConfig` to change.

    Returns
    -------
    checkpoint : Checkpoint
        Of the last epoch.

    Raises
    ------
    InputError
        If a setting is wrong, the network does not fit, the set has no part to train on or a value in it is not
        finite, the loss diverges, the folder cannot be written, or there is nothing to resume or it began with
        other settings or scenarios.

    Notes
    -----
    Liu (2021): batches of 20 in shuffled order, Adam, mean squared error of slip (m^2), 300 epochs. Shuffling
    and dropout of an epoch are drawn from the seed and its number, and the state is kept in
    ``training.safetensors`` in the folder, at most every 5 s: on the CPU a training that was killed and
    resumed ends with the same weights, bit for bit. Torch's own generator and number of threads are left as
    they were.
    """
    folder = checkpoint_folder(out)
    begun = find_begun(folder) if resume else None
    config = (config or (begun.config if begun else TrainConfig())).with_settings(**overrides)
    if begun:
        begun.refuse_other(folder, config, scenarios.id)
    if isinstance(begun, Complete):
        return begun.checkpoint
    device = _device(config.device)
    task = Task.load(scenarios, config)
    with _quiet_torch(device):
        training = _Training.start(task, device)
        if begun:
            training.restore(begun)
        training.run(folder, progress)
        training.best_checkpoint().save(folder / BEST_FOLDER)
        checkpoint = training.checkpoint()
    checkpoint.save(folder)
    (folder / STATE_FILE).unlink(missing_ok=True)
    return checkpoint


def training_note(row: Losses, best: Losses) -> str:
    """Word how a training goes, from a row of its history and that of the best epoch.

    Examples
    --------
    >>> row = {"epoch": 9, "train_batch_loss_m2": 8.1, "validation_loss_m2": 7.2}
    >>> training_note(row, row | {"epoch": 5, "validation_loss_m2": 7.0})
    'loss 8.10 m², validation 7.20 m², best 7.00 m² at epoch 5'
    """
    return (
        f"loss {row['train_batch_loss_m2']:.2f} m², validation {row['validation_loss_m2']:.2f} m², "
        f"best {best['validation_loss_m2']:.2f} m² at epoch {best['epoch']:.0f}"
    )


class _Training:
    """A network under training, with its optimiser, its history, and its weights at the best epoch."""

    def __init__(self, task: Task, network: nn.Module, device: torch.device):
        self.task = task
        self.network = network
        self.parts = {part: examples.to(device) for part, examples in task.parts.items()}
        self.optimizer = _optimizer(network, task.config, device)
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, torch.Tensor] = {}

    @classmethod
    def start(cls, task: Task, device: torch.device) -> _Training:
        """Draw first weights from the seed, and see that the network fits."""
        torch.manual_seed(_epoch_seed(task.config.seed, 0))
        network = build_network(task.config.model, **task.arguments).to(device)
        check_network(network, task.config.model, **task.shape)
        return cls(task, network, device)

    def run(self, folder: Path, progress: Progress | None) -> None:
        """Train the epochs that are left, keeping the state."""
        config, path = self.task.config, folder / STATE_FILE
        state = self.state()
        write_state(path, state)  # at once, to fail before the work and to be resumable from the first moment
        saved_s = time.monotonic()
        try:
            with _log(folder, len(self.history)) as log:
                while len(self.history) < config.epochs and not self.stopped_early():
                    row = self.advance()
                    state = self.state()
                    if time.monotonic() - saved_s >= _SAVE_EVERY_S:
                        write_state(path, state)
                        saved_s = time.monotonic()
                    log(row)
                    if progress:
                        progress(row["epoch"], config.epochs, row, self.best_row)
        except KeyboardInterrupt:
            write_state(path, state)  # of the last whole epoch
            raise

    @property
    def best_row(self) -> dict[str, Any]:
        """The row of the epoch with the lowest validation loss, the first of equals."""
        return min(self.history, key=lambda row: row["validation_loss_m2"])

    def stopped_early(self) -> bool:
        """Tell whether the validation loss has not fallen for as long as the config allows."""
        patience = self.task.config.early_stopping_epochs
        if patience is None or not self.history:
            return False
        return len(self.history) - self.best_row["epoch"] >= patience

    def advance(self) -> dict[str, Any]:
        """Train one epoch, and note its losses."""
        epoch = len(self.history) + 1
        row = {"epoch": epoch, "train_batch_loss_m2": self._train_epoch(epoch)}
        exact = {}
        for part, examples in self.parts.items():
            by_batch, exact[f"{part}_loss_m2"] = self._losses(examples)
            if part != "train":
                row[f"{part}_batch_loss_m2"] = by_batch
        row |= exact
        if not all(math.isfinite(loss) for loss in row.values()):
            raise Diverged(
                f"training diverged in epoch {epoch} with learning_rate = {self.task.config.learning_rate:g}"
            )
        self.history.append(row)
        if self.best_row is row:
            self.best = {name: tensor.detach().cpu().clone() for name, tensor in self.network.state_dict().items()}
        return row

    def _train_epoch(self, epoch: int) -> float:
        """Take the steps of an epoch; return the mean loss of its batches, m^2."""
        examples = self.parts["train"]
        self.network.train()
        torch.manual_seed(_epoch_seed(self.task.config.seed, epoch))
        order = torch.randperm(len(examples)).to(examples.records.device)
        size = self.task.config.batch_size
        losses = []
        for records, weights in zip(examples.records[order].split(size), examples.weights[order].split(size)):
            loss = nn.functional.mse_loss(self.network(records), weights)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.detach())
        return float(torch.stack(losses).double().mean())

    def _losses(self, examples: Examples) -> tuple[float, float]:
        """Return the loss of a part without dropout, m^2: the mean of its batches, and of all its scenarios."""
        self.network.eval()
        squares = []
        with torch.no_grad():
            for records, weights in zip(examples.records.split(_CHUNK), examples.weights.split(_CHUNK)):
                squares.append((self.network(records) - weights).double().square().mean(dim=1))
        by_scenario = torch.cat(squares)
        batches = torch.stack([batch.mean() for batch in by_scenario.split(self.task.config.batch_size)])
        return float(batches.mean()), float(by_scenario.mean())

    def state(self) -> State:
        """Copy all that the next epoch depends on."""
        tensors = {f"weight/{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {f"best/{name}": tensor for name, tensor in self.best.items()}
        for name, parameter in self.network.named_parameters():
            for key, value in self.optimizer.state[parameter].items():
                if isinstance(value, torch.Tensor):
                    tensors[f"optimizer/{key}/{name}"] = value
        about = {
            "config": self.task.config.model_dump(mode="json"),
            "scenarios": self.task.scenarios,
            "history": list(self.history),
        }
        return {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}, about

    def restore(self, begun: Stopped) -> None:
        """Take up a state."""
        self.history = list(begun.history)
        named: dict[str, dict[str, torch.Tensor]] = {"weight": {}, "best": {}, "optimizer": {}}
        for name, tensor in begun.tensors.items():
            kind, _, rest = name.partition("/")
            named[kind][rest] = tensor
        self.network.load_state_dict(named["weight"])
        self.best = named["best"]
        parameters = dict(self.network.named_parameters())
        for name, tensor in named["optimizer"].items():
            key, _, of = name.partition("/")
            self.optimizer.state[parameters[of]][key] = tensor.to(parameters[of].device)

    def checkpoint(self) -> Checkpoint:
        """Put the network, on the CPU, together with what it was trained for."""
        return self._checkpoint(self.network.cpu(), len(self.history))

    def best_checkpoint(self) -> Checkpoint:
        """Return the same for the epoch with the lowest validation loss."""
        network = build_network(self.task.config.model, **self.task.arguments)
        network.load_state_dict(self.best)
        return self._checkpoint(network, self.best_row["epoch"])

    def _checkpoint(self, network: nn.Module, epoch: int) -> Checkpoint:
        task = self.task
        return Checkpoint(
            network=network,
            architecture=task.config.model,
            arguments=task.arguments,
            gauges=task.gauges,
            sources=task.sources,
            window_min=task.config.window_min,
            sample_step_s=task.sample_step_s,
            record_scale_m=task.record_scale_m,
            config=task.config,
            epoch=epoch,
            history=tuple(self.history),
            scenarios=task.scenarios,
            region=task.region,
        )


def _optimizer(network: nn.Module, config: TrainConfig, device: torch.device) -> torch.optim.Optimizer:
    """Make the optimiser that the config names."""
    options: dict[str, Any] = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(network.parameters(), **options)
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
    return kinds[config.optimizer](network.parameters(), **options, fused=device.type in ("cpu", "cuda"))


@contextmanager
def _log(folder: Path, epochs_done: int) -> Iterator[Callable[[Losses], None]]:
    """Give a function that logs a row of the history for TensorBoard, or does nothing where that is missing."""
    if find_spec("tensorboard") is None:
        yield lambda row: None
        return
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder / "tensorboard"), purge_step=epochs_done + 1) as writer:

        def log(row: Losses) -> None:
            for name, value in row.items():
                if name != "epoch":
                    writer.add_scalar(name, value, int(row["epoch"]))

        yield log


def _epoch_seed(seed: int, epoch: int) -> int:
    """Derive the seed of an epoch; epoch 0 draws the first weights."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0])


def _device(name: str) -> torch.device:
    """Choose the device to train on."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise InputError("device cuda is not available: torch finds no GPU; use device cpu")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


@contextmanager
def _quiet_torch(device: torch.device) -> Iterator[None]:
    """Train on one thread (tensors this small gain nothing from more), and leave torch as it was."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if device.type == "cuda" else []):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
