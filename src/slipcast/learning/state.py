"""State of a training in a file, for resuming."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open

from slipcast.errors import InputError
from slipcast.io.atomic import atomic_path
from slipcast.io.seal import SEAL, check_json, sealed_json
from slipcast.learning.checkpoint import STATE_FILE, Checkpoint
from slipcast.learning.config import TrainConfig

__all__ = ["Complete", "State", "Stopped", "find_begun", "write_state"]

_FORMAT = 5

State = tuple[dict[str, torch.Tensor], dict[str, Any]]
"""All that the next epoch depends on: tensors, and what goes into JSON."""


@dataclass(frozen=True)
class _Begun:
    """A training found in a folder."""

    config: TrainConfig
    scenarios: str

    def refuse_other(self, folder: Path, config: TrainConfig, scenarios: str) -> None:
        """Refuse to resume with other scenarios or settings; InputError names the first that differs."""
        if scenarios != self.scenarios:
            raise InputError(f"cannot resume {folder}: it began with scenario set {self.scenarios}, not {scenarios}")
        for key, was in self.config:
            if (now := getattr(config, key)) != was:
                raise InputError(f"cannot resume {folder}: it began with {key} = {was!r}, not {now!r}")


@dataclass(frozen=True)
class Stopped(_Begun):
    """One that was stopped, with its state."""

    tensors: Mapping[str, torch.Tensor] = field(repr=False)
    history: list[dict[str, Any]] = field(repr=False)


@dataclass(frozen=True)
class Complete(_Begun):
    """One that is complete."""

    checkpoint: Checkpoint


def find_begun(folder: Path) -> Stopped | Complete:
    """Find the training to resume in a folder.

    Raises
    ------
    InputError
        If there is none, or its state is damaged.
    """
    path = folder / STATE_FILE
    if path.is_file():
        return _read_state(path)
    if (folder / "model.json").is_file():
        checkpoint = Checkpoint.open(folder)
        return Complete(checkpoint.config, checkpoint.scenarios, checkpoint)
    raise InputError(f"nothing to resume in {folder}: no training was begun there")


def _read_state(path: Path) -> Stopped:
    """Read a state."""
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("slipcast", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError, ValueError, RecursionError) as error:
        raise InputError(f"cannot resume from {path}: it is truncated or of another format") from error
    if not isinstance(about, dict) or about.get("format") != _FORMAT:
        raise InputError(f"cannot resume from {path}: no training state that this slipcast knows")
    if about.get("tensors") != _digest(tensors) or SEAL not in about:
        raise InputError(f"{path} is damaged: its numbers do not match its seal")
    check_json(about, path)
    return Stopped(TrainConfig(**about["config"]), about["scenarios"], tensors, about["history"])


def write_state(path: Path, state: State) -> None:
    """Write a state as one file with its seal, whole or not at all."""
    tensors, about = state
    sealed = sealed_json({"format": _FORMAT, "tensors": _digest(tensors), **about})
    with atomic_path(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(tensors, {"slipcast": json.dumps(sealed)}))


def _digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """Return a digest of names, kinds and numbers."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
