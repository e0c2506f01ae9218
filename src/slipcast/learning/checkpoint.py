"""Checkpoints: a trained network with the names, units and scaling that it was trained for."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from torch import nn

from slipcast.errors import InputError
from slipcast.io.atomic import atomic_path, read_json
from slipcast.io.identity import fingerprint, package_version
from slipcast.io.seal import check_json, sealed_json
from slipcast.learning.config import TrainConfig
from slipcast.learning.networks import build_network
from slipcast.regions.region import Senses

__all__ = ["BEST_FOLDER", "STATE_FILE", "Checkpoint", "checkpoint_folder", "made_with"]

STATE_FILE = "training.safetensors"
"""Where a training that is under way keeps its state, in the folder of its checkpoint."""

BEST_FOLDER = "best"
"""Folder in that of a checkpoint with the one of the lowest validation loss."""

_FORMAT = 2
_CHUNK = 4096


def made_with() -> dict[str, str]:
    """Return the versions that a checkpoint was made with."""
    return {
        "slipcast": package_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


@dataclass(frozen=True)
class Checkpoint:
    """A trained network with everything needed to use it on metres of water.

    Attributes
    ----------
    network : torch.nn.Module
        Takes scaled records, gives slip.
    architecture : str
        Its name in :data:`slipcast.learning.networks.ARCHITECTURES`.
    arguments : mapping of str to value
        The arguments it was built with.
    gauges, sources : sequence of str
        Names, in the order of its channels and of its outputs.
    senses : sequence of str
        What each of the gauges senses (:class:`slipcast.regions.region.Gauge`).
    window_min : float
        Minutes after the origin that it sees.
    record_scale_m : float
        Records are divided by it: their root mean square over the training part, m.
    config : TrainConfig
        How it was trained.
    history : sequence of mapping
        One an epoch, losses in m^2: ``train_batch_loss_m2``, the mean of its batches as it was trained, with
        dropout; ``train_loss_m2`` and ``validation_loss_m2``, exact means over the parts after it, without;
        ``validation_batch_loss_m2``, the mean of batches, as Liu's Figure 1 has it. ``test_...`` if asked for.
    epoch : int
        The epoch whose weights these are.
    scenarios, region : str
        Identity of the scenario set, and name of its region.
    sample_step_s : float
        Between samples, s; the first sample is one step after the origin.
    versions : mapping of str to str
        Of slipcast, torch, numpy and Python.

    Raises
    ------
    InputError
        If names, arguments, window and scale contradict one another.

    Notes
    -----
    It answers for the gauges, window, noise and kind of rupture it was trained with, and for nothing else; it
    gives a best guess without an uncertainty. Records must be free of the tide.
    """

    network: nn.Module = field(repr=False)
    architecture: str
    arguments: Mapping[str, Any]
    gauges: Sequence[str]
    senses: Sequence[Senses]
    sources: Sequence[str]
    window_min: float
    record_scale_m: float
    config: TrainConfig
    history: Sequence[Mapping[str, float]] = field(repr=False)
    epoch: int
    scenarios: str
    region: str
    sample_step_s: float = 60.0
    versions: Mapping[str, str] = field(default_factory=made_with)

    def __post_init__(self):
        for name, labels, argument in (
            ("gauges", self.gauges, "n_channels"),
            ("sources", self.sources, "n_sources"),
        ):
            if len(set(labels)) != len(labels):
                raise InputError(f"{name} of a checkpoint must differ from one another, got {', '.join(labels)}")
            if len(labels) != self.arguments[argument]:
                raise InputError(f"{name} must be {self.arguments[argument]} ({argument}), got {len(labels)}")
        for key in ("window_min", "sample_step_s", "record_scale_m"):
            value = getattr(self, key)
            if not 0 < value < math.inf:
                raise InputError(f"{key} must be finite and > 0, got {value}")
        n_samples = int((60 * self.window_min + 1e-6) // self.sample_step_s)
        if n_samples != self.arguments["signal_length"]:
            raise InputError(
                f"window_min of {self.window_min:g} min holds {n_samples} samples of "
                f"{self.sample_step_s:g} s, not the {self.arguments['signal_length']} of signal_length"
            )

    @property
    def sample_times_s(self) -> np.ndarray:
        """Times of the samples that it takes, s since the origin, shape (n_times,)."""
        return self.sample_step_s * np.arange(1, self.arguments["signal_length"] + 1)

    @property
    def id(self) -> str:
        """Fingerprint of names, scaling and weights."""
        tensors = [(name, tensor.numpy()) for name, tensor in sorted(self.network.state_dict().items())]
        labels = [
            list(self.gauges),
            list(self.sources),
            self.window_min,
            self.record_scale_m,
            self.architecture,
        ]
        return fingerprint(*labels, *(part for pair in tensors for part in pair))

    @property
    def best_epoch(self) -> int:
        """The epoch whose validation loss was lowest (:data:`BEST_FOLDER` holds its weights)."""
        return int(min(self.history, key=lambda row: row["validation_loss_m2"])["epoch"])

    def predict(self, records) -> np.ndarray:
        """Find slip from records.

        Parameters
        ----------
        records : array, shape (..., n_gauges, n_times)
            What gauges sense, m, tide removed: gauges in the order of ``gauges``, at ``sample_times_s``.

        Returns
        -------
        slip : array, shape (..., n_sources)
            m, float32, >= 0, in the order of ``sources``.

        Raises
        ------
        InputError
            If records have another shape or a sample is not finite (the network has no notion of a missing
            one), or a network of the user's own gives slip that is negative or not finite.
        """
        records = np.asarray(records, dtype=np.float32)
        shape = (len(self.gauges), self.arguments["signal_length"])
        if records.shape[-2:] != shape:
            raise InputError(f"records must have shape (..., {shape[0]}, {shape[1]}), got {records.shape}")
        rows = records.reshape(-1, *shape)
        if (bad := ~np.isfinite(rows)).any():
            row, gauge, sample = (int(i) for i in np.argwhere(bad)[0])
            raise InputError(
                f"records must be finite, got {rows[row, gauge, sample]} in record {row} at gauge "
                f"{self.gauges[gauge]}, {self.sample_times_s[sample] / 60:g} min after the origin"
            )
        self.network.eval()
        slip = np.empty((len(rows), len(self.sources)), np.float32)
        with torch.inference_mode():
            for start in range(0, len(rows), _CHUNK):
                part = slice(start, start + _CHUNK)
                slip[part] = self.network(torch.from_numpy(rows[part] / np.float32(self.record_scale_m))).numpy()
        if (bad := ~(slip >= 0)).any():
            row, source = (int(i) for i in np.argwhere(bad)[0])
            raise InputError(
                f"model {self.architecture} must give slip >= 0 m, got {slip[row, source]} at source "
                f"{self.sources[source]} for record {row}; end it with a ReLU or a softplus"
            )
        return slip.reshape(*records.shape[:-2], len(self.sources))

    def save(self, folder: str | os.PathLike) -> None:
        """Write ``model.safetensors``, ``model.json``, ``config.toml`` and ``history.csv`` into a folder, all or none.

        Parameters
        ----------
        folder : path
            Made if need be; other files in it are left alone.

        Raises
        ------
        InputError
            If the folder cannot be written; an older checkpoint in it is then still whole.

        Notes
        -----
        ``model.json`` goes first and comes last, so a run killed between leaves no checkpoint rather than two
        halves; it holds the SHA-256 of the weights, so that files of two checkpoints are never taken for one.
        """
        folder = checkpoint_folder(folder)
        weights = safetensors.torch.save(self.network.state_dict())
        header = _Header(
            slipcast="checkpoint",
            format=_FORMAT,
            architecture=self.architecture,
            arguments=dict(self.arguments),
            gauges=list(self.gauges),
            senses=list(self.senses),
            sources=list(self.sources),
            window_min=self.window_min,
            sample_step_s=self.sample_step_s,
            record_scale_m=self.record_scale_m,
            region=self.region,
            scenarios=self.scenarios,
            epoch=self.epoch,
            best_validation_epoch=self.best_epoch,
            config=self.config.model_dump(mode="json"),
            history=[_Epoch.model_validate(dict(row)) for row in self.history],
            versions=dict(self.versions),
            weights_sha256=hashlib.sha256(weights).hexdigest(),
        )
        with (
            atomic_path(folder / "model.json") as json_path,
            atomic_path(folder / "model.safetensors") as weights_path,
            atomic_path(folder / "history.csv") as history_path,
            atomic_path(folder / "config.toml") as config_path,
        ):
            about = sealed_json(header.model_dump(mode="json", exclude_none=True))
            json_path.write_text(json.dumps(about, indent=1, allow_nan=False) + "\n", encoding="utf-8")
            weights_path.write_bytes(weights)
            history_path.write_text(self._history_csv(), encoding="utf-8")
            config_path.write_text(self.config.toml(), encoding="utf-8")
            (folder / "model.json").unlink(missing_ok=True)

    def _history_csv(self) -> str:
        """Return the history as a table."""
        columns = list(self.history[0])
        rows = [",".join(repr(row[column]) for column in columns) for row in self.history]
        return "\n".join([",".join(columns), *rows]) + "\n"

    @classmethod
    def open(cls, folder: str | os.PathLike) -> Checkpoint:
        """Read a checkpoint.

        Parameters
        ----------
        folder : path
            Written by :meth:`save`.

        Returns
        -------
        checkpoint : Checkpoint
            On the CPU, ready to predict.

        Raises
        ------
        InputError
            If the folder or a file of it is missing, truncated, foreign, newer than this slipcast, or of
            another checkpoint than the rest.
        """
        folder = Path(folder)
        header = _read_header(folder)
        try:
            network = _read_network(folder / "model.safetensors", header)
            return cls(
                network=network,
                architecture=header.architecture,
                arguments=header.arguments,
                gauges=tuple(header.gauges),
                senses=tuple(header.senses),
                sources=tuple(header.sources),
                window_min=header.window_min,
                sample_step_s=header.sample_step_s,
                record_scale_m=header.record_scale_m,
                config=TrainConfig(**header.config),
                history=tuple(row.model_dump(exclude_none=True) for row in header.history),
                epoch=header.epoch,
                scenarios=header.scenarios,
                region=header.region,
                versions=header.versions,
            )
        except InputError as error:
            raise InputError(f"checkpoint {folder}: {error}") from error


def wrong_format(found: Any, known: int, *, of_sea_level: int) -> str:
    """Word what is wrong with the format of a model; up to one of them, models were trained on sea level."""
    if isinstance(found, int) and found <= of_sea_level:
        return "is of a model that an older slipcast trained on sea level, which no DART measures; train it again"
    return f"has format {found!r}, this slipcast reads format {known}"


def checkpoint_folder(path: str | os.PathLike) -> Path:
    """Return the path of a checkpoint to be written; InputError if a file is there."""
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"a checkpoint is a folder, got {folder}, which is a file")
    return folder


class _Epoch(BaseModel):
    """A line of the history."""

    model_config = ConfigDict(extra="forbid", strict=True)

    epoch: int
    train_batch_loss_m2: float
    validation_batch_loss_m2: float
    test_batch_loss_m2: float | None = None
    train_loss_m2: float
    validation_loss_m2: float
    test_loss_m2: float | None = None


class _Header(BaseModel):
    """What ``model.json`` holds."""

    model_config = ConfigDict(extra="forbid", strict=True)

    slipcast: str
    format: int
    architecture: str
    arguments: dict[str, Any]
    gauges: list[str]
    senses: list[Senses]
    sources: list[str]
    window_min: float
    sample_step_s: float
    record_scale_m: float
    region: str
    scenarios: str
    epoch: int
    best_validation_epoch: int
    config: dict[str, Any]
    history: list[_Epoch]
    versions: dict[str, str]
    weights_sha256: str
    seal: str | None = None


def _read_header(folder: Path) -> _Header:
    """Read ``model.json`` and check that it is one of ours and complete."""
    path = folder / "model.json"
    if not folder.is_dir():
        raise InputError(f"no folder {folder}: a checkpoint is the folder that a training wrote")
    if not path.is_file():
        unfinished = ", only a training that did not finish; resume it" if (folder / STATE_FILE).is_file() else ""
        raise InputError(f"{folder} holds no checkpoint (no model.json){unfinished}")
    content = read_json(path)
    if not isinstance(content, dict) or content.get("slipcast") != "checkpoint":
        raise InputError(f"{path} does not describe a slipcast checkpoint")
    if content.get("format") != _FORMAT:
        raise InputError(f"{path} {wrong_format(content.get('format'), _FORMAT, of_sea_level=1)}")
    check_json(content, path)
    try:
        return _Header.model_validate(content)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise InputError(f"{path} is damaged at {key}: {problem['msg']}") from error


def _read_network(path: Path, header: _Header) -> nn.Module:
    """Build the network of a header and fill it with its weights, after checking that they fit."""
    try:
        content = path.read_bytes()
        tensors = safetensors.torch.load(content)
    except OSError as error:
        raise InputError(f"cannot read model.safetensors: {error.strerror}") from error
    except SafetensorError as error:
        raise InputError(f"model.safetensors is truncated or no safetensors file: {error}") from error
    if hashlib.sha256(content).hexdigest() != header.weights_sha256:
        raise InputError("model.safetensors and model.json are not of the same checkpoint (the checksum differs)")
    with torch.random.fork_rng(devices=[]):  # for weights that are replaced at once
        network = build_network(header.architecture, **header.arguments)
    _check_tensors(network.state_dict(), tensors)
    network.load_state_dict(tensors)
    return network


def _check_tensors(own: Mapping[str, torch.Tensor], tensors: Mapping[str, torch.Tensor]) -> None:
    """Refuse tensors that are not those of the architecture, or hold what is no number."""
    for name in own.keys() | tensors.keys():
        if name not in tensors:
            raise InputError(f"model.safetensors lacks the tensor {name}")
        if name not in own:
            raise InputError(f"model.safetensors holds a tensor {name} that the architecture lacks")
    for name, expected in own.items():
        tensor = tensors[name]
        if tensor.shape != expected.shape or tensor.dtype != expected.dtype:
            raise InputError(f"tensor {name} must be {_kind(expected)}, got {_kind(tensor)}")
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise InputError(f"tensor {name} holds a value that is not finite")


def _kind(tensor: torch.Tensor) -> str:
    """Word what a tensor is."""
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"
