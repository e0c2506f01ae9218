"""Training of a network on a scenario set, which can be stopped and resumed at any time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import NoneType
from typing import Any

import torch

from slipcast.errors import InputError, check_kind
from slipcast.learning.checkpoint import BEST_FOLDER, STATE_FILE, Checkpoint, checkpoint_folder
from slipcast.learning.config import TrainConfig
from slipcast.learning.examples import Task
from slipcast.learning.history import Diverged, TrainingHistory, first_network, train_epoch
from slipcast.learning.learners import learner_of
from slipcast.learning.state import Complete, State, Stopped, find_begun, write_state
from slipcast.parallel.progress import Progress, shown_progress
from slipcast.scenarios.scenario_set import ScenarioSet

__all__ = ["Diverged", "train", "training_note"]

_SAVE_EVERY_S = 5.0

Losses = Mapping[str, float]


def train(
    scenarios: ScenarioSet,
    out: str | os.PathLike,
    *,
    config: TrainConfig | None = None,
    resume: bool = False,
    progress: Progress | bool | None = None,
    after_epoch: Callable[[Losses, Losses], None] | None = None,
    **overrides: Any,
) -> Checkpoint:
    """Train a network to find slip from records.

    Parameters
    ----------
    scenarios : ScenarioSet
        The network is trained on its train part; the loss over its validation part is noted each epoch, and decides
        which epoch is kept as the best and, if asked to, when to stop. The test part is not looked at unless the
        config asks for its loss.
    out : path
        Folder of the checkpoint, made if need be: ``model.safetensors``, ``model.json``, ``config.toml``,
        ``history.csv`` of the last epoch, and the same in ``best`` of the epoch with the lowest validation loss.
        Logs for TensorBoard go to ``tensorboard`` where that is installed.
    config : TrainConfig, optional
        The recipe; by default Liu's or, on resuming, that of the training begun.
    resume : bool, optional
        Resume a training that was stopped; one that is complete is returned as it is. Else start again from the
        beginning, in place of whatever training the folder holds.
    progress : callable or bool, optional
        Called after each epoch with its number, the number of epochs and a note with the losses
        (:func:`training_note`); ``True`` shows a bar on the error stream.
    after_epoch : callable, optional
        Called after each epoch with its row of the history and that of the best epoch so far, losses in m^2. What it
        raises ends the training.
    **overrides
        Settings of :class:`TrainConfig` to change.

    Returns
    -------
    checkpoint : Checkpoint
        Of the last epoch.

    Raises
    ------
    InputError
        If an argument is of a wrong kind, a setting is wrong, the network does not fit, the set has no part to train
        on or a value in it is not finite, the loss diverges, the folder cannot be written, or there is nothing to
        resume or it began with other settings or scenarios.

    Notes
    -----
    Liu (2021): batches of 20 in shuffled order, Adam, mean squared error of slip (m^2), 300 epochs. Shuffling
    and dropout of an epoch are drawn from the seed and its number, and the state is kept in
    ``training.safetensors`` in the folder, at most every 5 s: on the CPU a training that was killed and
    resumed ends with the same weights, bit for bit. Liu's network is trained by a hand-written backward pass
    (:class:`~slipcast.learning.conv_stack.Conv1dStack`), one of your own by autograd. Torch's own generator and number
    of threads are left as they were.
    """
    check_kind(scenarios, ScenarioSet, "scenarios", "a ScenarioSet")
    check_kind(out, (str, os.PathLike), "out", "the path of a folder")
    check_kind(config, (TrainConfig, NoneType), "config", "a TrainConfig")
    check_kind(resume, bool, "resume", "True or False")
    folder = checkpoint_folder(out)
    begun = find_begun(folder) if resume else None
    config = (config or (begun.config if begun else TrainConfig())).with_settings(**overrides)
    if begun:
        begun.refuse_other(folder, config, scenarios.id)
    if isinstance(begun, Complete):
        return begun.checkpoint
    device = device_of(config.device)
    task = Task.load(scenarios, config)
    with quiet_torch(device), shown_progress(progress, "Training") as report:
        training = _Training(task, device)
        if begun:
            training.restore(begun)
        training.run(folder, report, after_epoch)
        training.history.best_checkpoint().save(folder / BEST_FOLDER)
        checkpoint = training.history.checkpoint(training.learner.weights(0))
    checkpoint.save(folder)
    (folder / STATE_FILE).unlink(missing_ok=True)
    return checkpoint


def training_note(row: Losses, best: Losses) -> str:
    """Summarise a row of the training history and that of the best epoch in words.

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
    """A network under training, kept in a file."""

    def __init__(self, task: Task, device: torch.device):
        self.history = TrainingHistory(task)
        self.learner = learner_of([first_network(task, device)], [task.config], task.parts, device)

    def run(self, folder: Path, report: Progress, after_epoch: Callable[[Losses, Losses], None] | None) -> None:
        """Train the epochs that are left, keeping the state."""
        history, path = self.history, folder / STATE_FILE
        state = self.state()
        write_state(path, state)  # at once, to fail before the work and to be resumable from the first moment
        saved_s = time.monotonic()
        try:
            with _log(folder, len(history.rows)) as log:
                while not history.over:
                    (row,) = train_epoch(self.learner, len(history.rows) + 1, history.task.parts)
                    history.note(row, lambda: self.learner.weights(0))
                    state = self.state()
                    if time.monotonic() - saved_s >= _SAVE_EVERY_S:
                        write_state(path, state)
                        saved_s = time.monotonic()
                    log(row)
                    report(int(row["epoch"]), history.task.config.epochs, training_note(row, history.best_row))
                    if after_epoch is not None:
                        after_epoch(row, history.best_row)
        except KeyboardInterrupt:
            write_state(path, state)  # of the last whole epoch
            raise

    def state(self) -> State:
        """Copy all that the next epoch depends on."""
        history = self.history
        tensors = {f"weight/{name}": tensor for name, tensor in self.learner.weights(0).items()}
        tensors |= {f"best/{name}": tensor for name, tensor in history.best.items()}
        tensors |= {f"optimizer/{name}": tensor for name, tensor in self.learner.moments(0).items()}
        about = {
            "config": history.task.config.model_dump(mode="json"),
            "scenarios": history.task.scenarios,
            "history": list(history.rows),
        }
        return tensors, about

    def restore(self, begun: Stopped) -> None:
        """Take up a state."""
        self.history.rows = list(begun.history)
        named: dict[str, dict[str, torch.Tensor]] = {"weight": {}, "best": {}, "optimizer": {}}
        for name, tensor in begun.tensors.items():
            kind, _, rest = name.partition("/")
            named[kind][rest] = tensor
        self.history.best = named["best"]
        self.learner.restore(0, named["weight"], named["optimizer"])


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


def device_of(name: str) -> torch.device:
    """Choose the device to train on."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise InputError("device cuda is not available: torch finds no GPU; use device cpu")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


@contextmanager
def quiet_torch(device: torch.device, *, n_threads: int = 1) -> Iterator[None]:
    """Set the number of threads of torch for small tensors, one by default, and restore it afterwards."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if device.type == "cuda" else []):
        torch.set_num_threads(n_threads)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
