"""Files of a neural posterior: what ``model.json`` holds, and the reading of both files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError

from slipcast.errors import InputError
from slipcast.io.atomic import read_json
from slipcast.io.seal import check_json
from slipcast.learning.checkpoint import wrong_format
from slipcast.regions.region import Senses

__all__ = ["FORMAT", "Header", "read_header", "read_tensors"]

FORMAT = 3
"""Of the files."""


class Header(BaseModel):
    """What ``model.json`` holds."""

    model_config = ConfigDict(extra="forbid", strict=True)

    slipcast: Literal["sampler"]
    format: int
    arguments: dict[str, int]
    gauges: list[str]
    sources: list[str]
    wave_gauges: list[str]
    window_min: float
    noise_sd_m: float
    drift_m: list[float]
    senses: list[Senses]
    gauge_depth_m: dict[str, float]
    region: str
    bank: str
    training: dict[str, Any]
    versions: dict[str, str]
    weights_sha256: str
    seal: str = ""


def read_header(folder: Path) -> Header:
    """Read ``model.json`` and check that it is one of ours and complete."""
    path = folder / "model.json"
    if not path.is_file():
        raise InputError(f"{folder} holds no posterior (no model.json)")
    content = read_json(path)
    if not isinstance(content, dict) or content.get("slipcast") != "sampler":
        raise InputError(f"{path} does not describe a posterior")
    if content.get("format") != FORMAT:
        raise InputError(f"{path} {wrong_format(content.get('format'), FORMAT, of_sea_level=2)}")
    check_json(content, path)
    try:
        return Header.model_validate(content)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise InputError(f"{path} is damaged at {key}: {problem['msg']}") from error


def read_tensors(folder: Path, header: Header) -> dict[str, torch.Tensor]:
    """Read all numbers of a posterior; refuse those of another one."""
    try:
        content = (folder / "model.safetensors").read_bytes()
        tensors = safetensors.torch.load(content)
    except OSError as error:
        raise InputError(f"posterior {folder}: cannot read model.safetensors: {error.strerror}") from error
    except SafetensorError as error:
        raise InputError(f"posterior {folder}: model.safetensors is truncated or of another format: {error}") from error
    if hashlib.sha256(content).hexdigest() != header.weights_sha256:
        raise InputError(f"posterior {folder}: model.safetensors and model.json are not of the same posterior")
    return {name: tensor.float() for name, tensor in tensors.items()}
