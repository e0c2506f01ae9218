"""Training: a scenario set and a recipe turned into a checkpoint, killed and resumed at will."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
import xarray as xr
from safetensors import SafetensorError, safe_open

from slipcast.errors import InputError
from slipcast.files import atomic_path
from slipcast.learning.checkpoint import STATE_FILE, Checkpoint, checkpoint_folder
from slipcast.learning.config import TrainConfig
from slipcast.learning.networks import Conv1d, build_network
from slipcast.scenarios import ScenarioSet

__all__ = ["train"]

_SAVE_EVERY_S = 5.0
_STATE_FORMAT = 1
_CHUNK = 8192

Progress = Callable[[int, int, float, float], None]


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
        Learnt from its train part; the loss over its validation part is noted each epoch, and no choice is
        made on it.
    out : path
        Folder of the checkpoint, made if need be: ``model.safetensors``, ``model.json``, ``history.csv``.
    config : TrainConfig, optional
        The recipe; by default Liu's or, on resuming, that of the training begun.
    resume : bool, optional
        Go on with a training that was stopped; one that is complete is returned as it is. Else start anew, in
        place of whatever training the folder holds.
    progress : callable, optional
        Called after each epoch with its number, the number of epochs, and the losses of training and
        validation, m^2.
    **overrides
        Settings of :class:`TrainConfig` to change.

    Returns
    -------
    checkpoint : Checkpoint
        Of the last epoch.

    Raises
    ------
    InputError
        If a setting is wrong, the set has no part to train on or a value in it is not finite, the loss
        diverges, the folder cannot be written, or there is nothing to resume or it began with other settings
        or scenarios.

    Notes
    -----
    Liu (2021): batches of 20 in shuffled order, Adam, mean squared error of slip (m^2), 300 epochs. Shuffling
    and dropout of an epoch are drawn from the seed and its number, and the state is kept in
    ``training.safetensors`` in the folder, at most every 5 s: on the CPU a training that was killed and
    resumed ends with the same weights, bit for bit. Torch's own generator and number of threads are left as
    they were.
    """
    folder = checkpoint_folder(out)
    begun = _read_begun(folder) if resume else None
    config = (config or (begun.config if begun else TrainConfig())).with_settings(**overrides)
    if begun:
        begun.refuse_other(folder, config, scenarios.id)
    if isinstance(begun, _Complete):
        return begun.checkpoint
    device = _device(config.device)
    task = _Task.load(scenarios, config)
    with _quiet_torch(device):
        training = _Training.start(task, device)
        if begun:
            training.restore(begun.tensors, begun.history)
        training.run(folder / STATE_FILE, progress)
        checkpoint = training.checkpoint()
    checkpoint.save(folder)
    (folder / STATE_FILE).unlink(missing_ok=True)
    return checkpoint


@dataclass(frozen=True)
class _Examples:
    """Scaled records, shape (n, n_gauges, n_times), and slip, m, shape (n, n_sources)."""

    records: torch.Tensor
    weights: torch.Tensor

    def to(self, device: torch.device) -> _Examples:
        return _Examples(self.records.to(device), self.weights.to(device))

    def __len__(self) -> int:
        return len(self.records)


@dataclass(frozen=True)
class _Task:
    """What is to be learnt, from what, and by which network."""

    config: TrainConfig
    scenarios: str
    region: str
    gauges: tuple[str, ...]
    sources: tuple[str, ...]
    sample_step_s: float
    record_scale_m: float
    train: _Examples = field(repr=False)
    validation: _Examples = field(repr=False)

    @classmethod
    def load(cls, scenarios: ScenarioSet, config: TrainConfig) -> _Task:
        """Load the parts of a set, checked and scaled."""
        gauges = config.gauges or scenarios.region.observers or _complete_darts(scenarios, config.window_min)
        parts = {}
        for split in ("train", "validation"):
            indices = scenarios.indices(split)
            if not indices.size:
                raise InputError(f"the scenario set has no scenario in its {split} part")
            records = scenarios.load_records(gauges, config.window_min, indices, noise_sd_m=config.noise_sd_m)
            weights = scenarios.load_weights(indices)
            _check_finite(records, "record", "gauge")
            _check_finite(weights, "slip", "source")
            parts[split] = (records.to_numpy().astype(np.float32), weights.to_numpy().astype(np.float32))
        scale_m = float(np.sqrt(np.mean(np.square(parts["train"][0], dtype=np.float64))))
        if not scale_m > 0:
            raise InputError("records of the train part are all zero, there is nothing to learn from")
        examples = {
            split: _Examples(torch.from_numpy(records / np.float32(scale_m)), torch.from_numpy(weights))
            for split, (records, weights) in parts.items()
        }
        return cls(
            config=config,
            scenarios=scenarios.id,
            region=scenarios.region.name,
            gauges=tuple(gauges),
            sources=tuple(scenarios.sources),
            sample_step_s=_even_step(records["time"].to_numpy()),
            record_scale_m=scale_m,
            train=examples["train"],
            validation=examples["validation"],
        )

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of the network."""
        n_channels, signal_length = self.train.records.shape[1:]
        return {
            "n_channels": n_channels,
            "n_sources": len(self.sources),
            "signal_length": signal_length,
            **self.config.network_settings,
        }


class _Training:
    """A network under training, with its optimiser and history."""

    def __init__(self, task: _Task, network: Conv1d, device: torch.device):
        self.task = task
        self.network = network
        self.train = task.train.to(device)
        self.validation = task.validation.to(device)
        self.optimizer = torch.optim.Adam(network.parameters(), lr=task.config.learning_rate, fused=True)
        self.history: list[dict[str, Any]] = []

    @classmethod
    def start(cls, task: _Task, device: torch.device) -> _Training:
        """Draw first weights from the seed."""
        torch.manual_seed(_epoch_seed(task.config.seed, 0))
        return cls(task, build_network(task.config.model, **task.arguments).to(device), device)

    def run(self, state_path: Path, progress: Progress | None) -> None:
        """Train the epochs that are left, keeping the state."""
        config = self.task.config
        state = self.state()
        _write_state(state_path, state)  # at once, to fail before the work and to be resumable from the first moment
        saved_s = time.monotonic()
        try:
            for epoch in range(len(self.history) + 1, config.epochs + 1):
                losses = self._train_epoch(epoch), self._validation_loss()
                if not all(math.isfinite(loss) for loss in losses):
                    raise InputError(
                        f"training diverged in epoch {epoch} with learning_rate = {config.learning_rate:g}"
                    )
                self.history.append({"epoch": epoch, "train_loss_m2": losses[0], "validation_loss_m2": losses[1]})
                state = self.state()
                if time.monotonic() - saved_s >= _SAVE_EVERY_S:
                    _write_state(state_path, state)
                    saved_s = time.monotonic()
                if progress:
                    progress(epoch, config.epochs, *losses)
        except KeyboardInterrupt:
            _write_state(state_path, state)  # of the last whole epoch
            raise

    def _train_epoch(self, epoch: int) -> float:
        """Take the steps of an epoch; return the mean loss of its batches, m^2."""
        self.network.train()
        torch.manual_seed(_epoch_seed(self.task.config.seed, epoch))
        order = torch.randperm(len(self.train)).to(self.train.records.device)
        size = self.task.config.batch_size
        losses = []
        for records, weights in zip(self.train.records[order].split(size), self.train.weights[order].split(size)):
            loss = torch.nn.functional.mse_loss(self.network(records), weights)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.detach())
        return float(torch.stack(losses).double().mean())

    def _validation_loss(self) -> float:
        """Return the mean squared error over the validation part, without dropout, m^2."""
        self.network.eval()
        squares = 0.0
        with torch.no_grad():
            for records, weights in zip(self.validation.records.split(_CHUNK), self.validation.weights.split(_CHUNK)):
                squares += float((self.network(records) - weights).double().square().sum())
        return squares / self.validation.weights.numel()

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Copy all that the next epoch depends on: tensors, and what goes into JSON."""
        tensors = {}
        for name, parameter in self.network.named_parameters():
            tensors[f"weight/{name}"] = parameter.detach().cpu().clone()
            for key, moment in self.optimizer.state[parameter].items():
                tensors[f"{key}/{name}"] = moment.cpu().clone()
        about = {
            "format": _STATE_FORMAT,
            "config": self.task.config.model_dump(mode="json"),
            "scenarios": self.task.scenarios,
            "history": list(self.history),
        }
        return tensors, about

    def restore(self, tensors: Mapping[str, torch.Tensor], history: list[dict[str, Any]]) -> None:
        """Take up a state."""
        self.history = list(history)
        with torch.no_grad():
            for name, parameter in self.network.named_parameters():
                parameter.copy_(tensors[f"weight/{name}"])
                self.optimizer.state[parameter] = {
                    key: tensors[f"{key}/{name}"].to(parameter.device)
                    for key in ("step", "exp_avg", "exp_avg_sq")
                    if f"{key}/{name}" in tensors
                }

    def checkpoint(self) -> Checkpoint:
        """Put the network, on the CPU, together with what it was trained for."""
        task = self.task
        return Checkpoint(
            network=self.network.cpu(),
            architecture=task.config.model,
            arguments=task.arguments,
            gauges=task.gauges,
            sources=task.sources,
            window_min=task.config.window_min,
            sample_step_s=task.sample_step_s,
            record_scale_m=task.record_scale_m,
            config=task.config,
            history=tuple(self.history),
            scenarios=task.scenarios,
            region=task.region,
        )


@dataclass(frozen=True)
class _Begun:
    """A training found in a folder."""

    config: TrainConfig
    scenarios: str

    def refuse_other(self, folder: Path, config: TrainConfig, scenarios: str) -> None:
        """Refuse to go on with other scenarios or settings."""
        if scenarios != self.scenarios:
            raise InputError(f"cannot resume {folder}: it began with scenario set {self.scenarios}, not {scenarios}")
        for key, was in self.config:
            if (now := getattr(config, key)) != was:
                raise InputError(f"cannot resume {folder}: it began with {key} = {was!r}, not {now!r}")


@dataclass(frozen=True)
class _Stopped(_Begun):
    """One that was stopped, with its state."""

    tensors: Mapping[str, torch.Tensor] = field(repr=False)
    history: list[dict[str, Any]] = field(repr=False)


@dataclass(frozen=True)
class _Complete(_Begun):
    """One that is complete."""

    checkpoint: Checkpoint


def _read_begun(folder: Path) -> _Stopped | _Complete:
    """Find the training to resume."""
    path = folder / STATE_FILE
    if path.is_file():
        return _read_state(path)
    if (folder / "model.json").is_file():
        checkpoint = Checkpoint.open(folder)
        return _Complete(checkpoint.config, checkpoint.scenarios, checkpoint)
    raise InputError(f"nothing to resume in {folder}: no training was begun there")


def _read_state(path: Path) -> _Stopped:
    """Read a state."""
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("slipcast", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError, ValueError) as error:
        raise InputError(f"cannot resume from {path}: it is truncated or of another format") from error
    if about.get("format") != _STATE_FORMAT:
        raise InputError(f"cannot resume from {path}: no training state that this slipcast knows")
    return _Stopped(TrainConfig(**about["config"]), about["scenarios"], tensors, about["history"])


def _write_state(path: Path, state: tuple[dict[str, torch.Tensor], dict[str, Any]]) -> None:
    """Write a state as one file, whole or not at all."""
    tensors, about = state
    with atomic_path(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(tensors, {"slipcast": json.dumps(about)}))


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


def _complete_darts(scenarios: ScenarioSet, window_min: float) -> list[str]:
    """Return the DARTs whose records cover the window in every scenario, in the order of their names."""
    complete = []
    hours = scenarios.dataset["gauge_hours"]
    for name in sorted(scenarios.gauge_names("dart")):
        long_enough = 60 * float(hours[scenarios.gauges.index(name)]) >= window_min
        if long_enough and np.isfinite(scenarios.load_records([name], window_min).to_numpy()).all():
            complete.append(name)
    if not complete:
        raise InputError(f"no DART of the scenario set has complete records over the window of {window_min:g} min")
    return complete


def _check_finite(values: xr.DataArray, what: str, labels: str) -> None:
    """Refuse values that are not finite, naming the first."""
    if (bad := ~np.isfinite(values.to_numpy())).any():
        first = np.argwhere(bad)[0]
        scenario = int(values["scenario"][first[0]])
        raise InputError(
            f"{what} of scenario {scenario} at {labels} {values[labels].to_numpy()[first[1]]} is not finite, "
            f"got {values.to_numpy()[tuple(first)]}"
        )


def _even_step(time_s: np.ndarray) -> float:
    """Return the step of samples that must be even and begin one step after the origin."""
    step = float(time_s[0])
    if not np.allclose(time_s, step * np.arange(1, len(time_s) + 1)):
        raise InputError("samples of the scenario set must be evenly spaced from the origin")
    return step
