"""The trained sampler: records of any gauges and any window in, draws of slip that fit them out."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError

from slipcast.errors import InputError
from slipcast.files import atomic_path, fingerprint, read_json
from slipcast.learning.checkpoint import checkpoint_folder, made_with
from slipcast.learning.scaled_linear import ScaledEstimate, ScaledLinear, ScaledMoments
from slipcast.learning.slip_basis import SlipBasis
from slipcast.learning.slip_generator import SlipGenerator

__all__ = ["SlipSampler", "features_of"]

_FORMAT = 1
_MEAN_DRAWS = 200
_CHUNK = 256
_FEATURE_LIMIT = 30.0


def features_of(estimate: ScaledEstimate, n_modes: int, amplitude_sd: np.ndarray, noise_sd_m: float) -> np.ndarray:
    """Assemble what the network sees of an estimate.

    Parameters
    ----------
    estimate : ScaledEstimate
        Whose first ``n_modes`` latent quantities are amplitudes of slip.
    n_modes : int
        Amplitudes of slip.
    amplitude_sd : array, shape (n_modes,)
        Their scale.
    noise_sd_m : float
        Standard deviation of a sample, m.

    Returns
    -------
    features : array, shape (n, n_latent + n_sources + 3)
        float32; unchanged if records and noise are multiplied by the same number.
    """
    mean_sd = np.log(estimate.slip_sd.mean(axis=1))
    features = np.concatenate(
        [
            estimate.latent[:, :n_modes] / amplitude_sd,
            estimate.latent[:, n_modes:],
            estimate.slip_sd,
            np.stack([np.log(noise_sd_m / estimate.size_m), estimate.log_size_sd, mean_sd], axis=1),
        ],
        axis=1,
    )
    return np.clip(features, -_FEATURE_LIMIT, _FEATURE_LIMIT).astype(np.float32)


@dataclass(frozen=True)
class SlipSampler:
    """A trained sampler of slip, with everything needed to use it on metres of sea level.

    Attributes
    ----------
    network : SlipGenerator
        Features and random numbers to amplitudes of slip.
    arguments : mapping of str to int
        The arguments it was built with.
    linear : ScaledLinear
        Records to features.
    basis : SlipBasis
        Amplitudes to slip on subfaults.
    feature_mean, feature_sd : array, shape (n_features,)
        What features are centred and scaled by.
    averaging : array, shape (n_sources, n_subfaults)
        Slip on subfaults to unit sources.
    gauges, sources : sequence of str
        Names, in order.
    window_min : float
        The longest window it knows, minutes after the origin.
    noise_sd_m : float
        Standard deviation of a sample that it takes for granted, m.
    region, bank : str
        Name of the region, and identity of the bank it learnt from.
    training : mapping
        How it was trained.
    versions : mapping of str to str
        Of slipcast, torch, numpy and Python.

    Notes
    -----
    It takes records of any of its gauges over any part of its window; what is missing plays no part. Draws are of slip
    on subfaults, at time zero, from which slip on unit sources and waves at any gauge follow. It knows ruptures of the
    kind it was trained on, simulated with the same solver over the same bathymetry; on others its intervals are too
    narrow. Records must be free of the tide and of the earthquake's own shaking.
    """

    network: SlipGenerator = field(repr=False)
    arguments: Mapping[str, int]
    linear: ScaledLinear = field(repr=False)
    basis: SlipBasis = field(repr=False)
    feature_mean: np.ndarray = field(repr=False)
    feature_sd: np.ndarray = field(repr=False)
    averaging: np.ndarray = field(repr=False)
    gauges: Sequence[str]
    sources: Sequence[str]
    window_min: float
    noise_sd_m: float
    region: str
    bank: str
    training: Mapping[str, Any] = field(repr=False)
    versions: Mapping[str, str] = field(default_factory=made_with, repr=False)

    def __post_init__(self):
        n_samples = len(self.gauges) * len(self.times_s)
        for name, found, expected in (
            ("moments of records", len(self.linear.moments.records), n_samples),
            ("sources", len(self.averaging), len(self.sources)),
            ("subfaults", self.basis.analysis.shape[1], self.averaging.shape[1]),
            ("features", len(self.feature_mean), self.arguments["n_features"]),
            ("modes", self.basis.n_modes, self.arguments["n_modes"]),
        ):
            if found != expected:
                raise InputError(f"{name} of a sampler must be {expected}, got {found}")

    @property
    def method(self) -> str:
        """Its name."""
        return "sampler"

    @property
    def gaps(self) -> Literal["whole gauges"]:
        """Any sample may be missing, if one is there."""
        return "whole gauges"

    @property
    def times_s(self) -> np.ndarray:
        """Times of the samples, s since the origin, shape (n_times,)."""
        return 60.0 * np.arange(1, int(self.window_min) + 1)

    @property
    def id(self) -> str:
        """Fingerprint of names, scaling and weights."""
        tensors = self._tensors()
        labels = [list(self.gauges), list(self.sources), self.window_min, self.noise_sd_m, self.region]
        return fingerprint(*labels, *(part for name in sorted(tensors) for part in (name, tensors[name].numpy())))

    def sample_subfaults(self, records, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw slip on subfaults that fits records.

        Parameters
        ----------
        records : array, shape (..., n_gauges, n_times)
            m, tide removed; NaN samples are missing.
        count : int
            Draws for each record, >= 1.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        slip_m : array, shape (..., count, n_subfaults)
            float32. What unit sources and waves can tell of it; parts that they cannot may be negative.

        Raises
        ------
        InputError
            If records have another shape or a record has no sample.
        """
        return self._draw(records, count, rng) @ self.basis.synthesis

    def mean_over_sources(self, slip_m) -> np.ndarray:
        """Average slip on subfaults over unit sources.

        Parameters
        ----------
        slip_m : array, shape (..., n_subfaults)
            m.

        Returns
        -------
        slip_m : array, shape (..., n_sources)
            m; zero where the mean is negative.
        """
        return np.maximum(np.asarray(slip_m) @ self.averaging.T, 0.0)

    def sample(self, records, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw slip on unit sources that fits records, as :meth:`sample_subfaults`; negative means are cut to zero.

        Returns
        -------
        slip_m : array, shape (..., count, n_sources)
            >= 0; exactly zero where no slip is likely.
        """
        return np.maximum(self._draw(records, count, rng) @ self._to_sources, 0.0)

    def solve(self, records) -> np.ndarray:
        """Find the expected slip on unit sources: the mean of draws, shape (..., n_sources), m, >= 0."""
        return self.sample(records, _MEAN_DRAWS, np.random.default_rng(0)).mean(axis=-2)

    @property
    def _to_sources(self) -> np.ndarray:
        """Amplitudes to slip on unit sources, shape (n_modes, n_sources)."""
        return self.basis.synthesis @ self.averaging.T

    def _draw(self, records, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw amplitudes, shape (..., count, n_modes)."""
        records = np.asarray(records, dtype=np.float32)
        shape = (len(self.gauges), len(self.times_s))
        if records.shape[-2:] != shape:
            raise InputError(f"records must have shape (..., {shape[0]}, {shape[1]}), got {records.shape}")
        if count < 1:
            raise InputError(f"count must be >= 1, got {count}")
        rows = records.reshape(-1, shape[0] * shape[1])
        random = rng.standard_normal((len(rows), count, self.network.n_random), dtype=np.float32)
        draws = np.empty((len(rows), count, self.basis.n_modes), np.float32)
        patterns, members = np.unique(np.isfinite(rows), axis=0, return_inverse=True)
        for number, known in enumerate(patterns):
            of_pattern = np.flatnonzero(members == number)
            if not known.any():
                raise InputError(f"record {int(of_pattern[0])} has no sample in the window")
            for part in np.array_split(of_pattern, -(-len(of_pattern) // _CHUNK)):
                draws[part] = self._draw_alike(rows[part], known, random[part])
        return draws.reshape(*records.shape[:-2], count, self.basis.n_modes)

    def _draw_alike(self, rows: np.ndarray, known: np.ndarray, random: np.ndarray) -> np.ndarray:
        """Draw for records with the same samples."""
        n_modes, amplitude_sd = self.basis.n_modes, self.basis.amplitude_sd
        estimate = self.linear.estimate(rows, known, self.noise_sd_m)
        features = features_of(estimate, n_modes, amplitude_sd, self.noise_sd_m)
        self.network.eval()
        with torch.inference_mode():
            scaled = torch.from_numpy((features - self.feature_mean) / self.feature_sd)
            correction = self.network(scaled, torch.from_numpy(random)).numpy()
        amplitudes = estimate.latent[:, np.newaxis, :n_modes] + correction * amplitude_sd
        return amplitudes * estimate.size_m[:, np.newaxis, np.newaxis]

    def _tensors(self) -> dict[str, torch.Tensor]:
        """Return all numbers of the sampler by name."""
        moments = self.linear.moments
        arrays = {
            "moments.records": moments.records,
            "moments.latent": moments.latent,
            "moments.slip": moments.slip,
            "moments.slip_power": moments.slip_power,
            "basis.analysis": self.basis.analysis,
            "basis.synthesis": self.basis.synthesis,
            "basis.amplitude_sd": self.basis.amplitude_sd,
            "features.mean": self.feature_mean,
            "features.sd": self.feature_sd,
            "averaging": self.averaging,
        }
        tensors = {name: torch.from_numpy(np.ascontiguousarray(value, np.float32)) for name, value in arrays.items()}
        return tensors | {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}

    def save(self, folder: str | os.PathLike) -> None:
        """Write ``model.safetensors`` and ``model.json`` into a folder, both or none; InputError if it cannot be."""
        folder = checkpoint_folder(folder)
        content = safetensors.torch.save(self._tensors())
        header = _Header(
            slipcast="sampler",
            format=_FORMAT,
            arguments=dict(self.arguments),
            gauges=list(self.gauges),
            sources=list(self.sources),
            window_min=self.window_min,
            noise_sd_m=self.noise_sd_m,
            region=self.region,
            bank=self.bank,
            training=dict(self.training),
            versions=dict(self.versions),
            weights_sha256=hashlib.sha256(content).hexdigest(),
        )
        with atomic_path(folder / "model.json") as json_path, atomic_path(folder / "model.safetensors") as weights_path:
            json_path.write_text(json.dumps(header.model_dump(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
            weights_path.write_bytes(content)
            (folder / "model.json").unlink(missing_ok=True)

    @classmethod
    def open(cls, folder: str | os.PathLike) -> SlipSampler:
        """Read a sampler; InputError if the folder or a file is missing, truncated, foreign or of another sampler."""
        folder = Path(folder)
        header = _read_header(folder)
        tensors = _read_tensors(folder, header)
        network = SlipGenerator(**header.arguments)
        try:
            network.load_state_dict({name: tensors.pop(f"network.{name}") for name in network.state_dict()})
            arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
            moments = ScaledMoments(
                *(arrays[f"moments.{name}"] for name in ("records", "latent", "slip", "slip_power"))
            )
            return cls(
                network=network,
                arguments=header.arguments,
                linear=ScaledLinear(moments),
                basis=SlipBasis(*(arrays[f"basis.{name}"] for name in ("analysis", "synthesis", "amplitude_sd"))),
                feature_mean=arrays["features.mean"],
                feature_sd=arrays["features.sd"],
                averaging=arrays["averaging"],
                **{name: getattr(header, name) for name in _LABELS},
            )
        except (KeyError, RuntimeError) as error:
            raise InputError(f"sampler {folder}: model.safetensors does not fit model.json: {error}") from error


_LABELS = ("gauges", "sources", "window_min", "noise_sd_m", "region", "bank", "training", "versions")


class _Header(BaseModel):
    """What ``model.json`` holds."""

    model_config = ConfigDict(extra="forbid", strict=True)

    slipcast: Literal["sampler"]
    format: int
    arguments: dict[str, int]
    gauges: list[str]
    sources: list[str]
    window_min: float
    noise_sd_m: float
    region: str
    bank: str
    training: dict[str, Any]
    versions: dict[str, str]
    weights_sha256: str


def _read_header(folder: Path) -> _Header:
    """Read ``model.json`` and check that it is one of ours and complete."""
    path = folder / "model.json"
    if not path.is_file():
        raise InputError(f"{folder} holds no sampler (no model.json)")
    content = read_json(path)
    if not isinstance(content, dict) or content.get("slipcast") != "sampler":
        raise InputError(f"{path} does not describe a sampler")
    if content.get("format") != _FORMAT:
        raise InputError(f"{path} has format {content.get('format')!r}, this slipcast reads format {_FORMAT}")
    try:
        return _Header.model_validate(content)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise InputError(f"{path} is damaged at {key}: {problem['msg']}") from error


def _read_tensors(folder: Path, header: _Header) -> dict[str, torch.Tensor]:
    """Read all numbers of a sampler; refuse those of another one."""
    try:
        content = (folder / "model.safetensors").read_bytes()
        tensors = safetensors.torch.load(content)
    except OSError as error:
        raise InputError(f"sampler {folder}: cannot read model.safetensors: {error.strerror}") from error
    except SafetensorError as error:
        raise InputError(f"sampler {folder}: model.safetensors is truncated or no safetensors file: {error}") from error
    if hashlib.sha256(content).hexdigest() != header.weights_sha256:
        raise InputError(f"sampler {folder}: model.safetensors and model.json are not of the same sampler")
    return tensors
