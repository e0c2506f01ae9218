"""Neural posterior: samples of slip and waves from records of any of its gauges over any window."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors.torch
import torch

from slipcast.errors import InputError
from slipcast.inversion.inverter import recorded_gauges
from slipcast.inversion.restricted import RestrictedPosterior
from slipcast.io.atomic import atomic_path
from slipcast.io.identity import fingerprint
from slipcast.io.seal import sealed_json
from slipcast.learning.checkpoint import checkpoint_folder, made_with
from slipcast.learning.posterior.augmentation import noise_columns
from slipcast.learning.posterior.calibration import AmplitudeCalibration, SizeCalibration
from slipcast.learning.posterior.generator import SlipGenerator
from slipcast.learning.posterior.model_file import FORMAT, Header, read_header, read_tensors
from slipcast.learning.posterior.modes import JointComponents
from slipcast.learning.posterior.scaled_linear import ScaledEstimate, ScaledLinear, ScaledMoments
from slipcast.records import Records
from slipcast.regions.region import Senses

__all__ = ["N_NUMBERS", "NeuralPosterior", "features_of"]

N_NUMBERS = 4
"""Of the features, the last ones: noise, size and how well they are known; before them the share of each gauge."""

_MEAN_DRAWS = 200
_CHUNK = 256
_FEATURE_LIMIT = 30.0


def features_of(
    estimate: ScaledEstimate,
    amplitude_sd: np.ndarray,
    n_sources: int,
    known: np.ndarray,
    n_gauges: int,
    noise_sd_m: float,
) -> np.ndarray:
    """Assemble the input of the network from an estimate.

    Parameters
    ----------
    estimate : ScaledEstimate
        Of amplitudes, of records and of slip on unit sources, in this order.
    amplitude_sd : array, shape (n_modes,)
        Scale of the amplitudes.
    n_sources : int
        Unit sources.
    known : array of bool, shape (n_gauges * n_times,)
        Which samples there are.
    n_gauges : int
        Gauges.
    noise_sd_m : float
        Standard deviation of a sample, m.

    Returns
    -------
    features : array, shape (n, n_latent + n_gauges + 4)
        float32; unchanged if records and noise are multiplied by the same number.
    """
    n_modes = len(amplitude_sd)
    share = known.reshape(n_gauges, -1).mean(axis=1)
    slip_sd = estimate.latent_sd[:, -n_sources:]
    numbers = (
        np.log(noise_sd_m / estimate.size_m),
        np.log(estimate.noise_m / noise_sd_m),
        estimate.log_size_sd,
        np.log(slip_sd.mean(axis=1)),
    )
    features = np.concatenate(
        [
            estimate.latent[:, :n_modes] / amplitude_sd,
            estimate.latent[:, n_modes:-n_sources],
            slip_sd,
            np.broadcast_to(share, (len(estimate.size_m), n_gauges)),
            np.stack(numbers, axis=1),
        ],
        axis=1,
    )
    return np.clip(features, -_FEATURE_LIMIT, _FEATURE_LIMIT).astype(np.float32)


@dataclass(frozen=True)
class NeuralPosterior:
    """A trained neural posterior of slip, with everything needed to use it on metres of water.

    Attributes
    ----------
    network : SlipGenerator
        Features and random numbers to amplitudes of slip.
    arguments : mapping of str to int
        The arguments it was built with.
    linear : ScaledLinear
        Records to features.
    modes : JointComponents
        Amplitudes to slip and waves.
    feature_mean, feature_sd : array, shape (n_features,)
        What features are centred and scaled by.
    calibration : AmplitudeCalibration
        What the waves of draws lack in scatter.
    size_calibration : SizeCalibration, optional
        What the size of draws lacks in scatter.
    gauges, sources : sequence of str
        Names, in order.
    window_min : float
        The longest window it knows, minutes after the origin.
    noise_sd_m : float
        Standard deviation of a sample that it takes for granted, m.
    drift_m : sequence of float
        Standard deviations of a drift that it takes for granted, an hour after the origin, m
        (:class:`~slipcast.learning.posterior.config.SamplerConfig`).
    senses : sequence of str
        What each of its gauges senses, as it was trained (:class:`slipcast.regions.region.Gauge`).
    gauge_depth_m : mapping of gauge name to float
        Depth of the sea at the gauges of its waves, m.
    region, bank : str
        Name of the region, and identity of the bank it was trained on.
    training : mapping
        How it was trained.
    versions : mapping of str to str
        Of slipcast, torch, numpy and Python.

    Notes
    -----
    It takes records of any of its gauges over any part of its window; what is missing plays no part. A draw is an
    earthquake that fits: amplitudes (:class:`~slipcast.learning.posterior.modes.JointComponents`), from which slip on
    unit sources and subfaults and the waves at every gauge of the bank follow. It knows ruptures of the kind that it
    was trained on, simulated with the same solver over the same bathymetry; on others its error grows.
    Records must be free of the tide and of the earthquake's own shaking.
    """

    network: SlipGenerator = field(repr=False)
    arguments: Mapping[str, int]
    linear: ScaledLinear = field(repr=False)
    modes: JointComponents = field(repr=False)
    feature_mean: np.ndarray = field(repr=False)
    feature_sd: np.ndarray = field(repr=False)
    calibration: AmplitudeCalibration = field(repr=False)
    gauges: Sequence[str]
    sources: Sequence[str]
    window_min: float
    noise_sd_m: float
    drift_m: Sequence[float]
    senses: Sequence[Senses]
    gauge_depth_m: Mapping[str, float] = field(repr=False)
    region: str
    bank: str
    training: Mapping[str, Any] = field(repr=False)
    versions: Mapping[str, str] = field(default_factory=made_with, repr=False)
    size_calibration: SizeCalibration = field(default_factory=SizeCalibration)

    def __post_init__(self):
        n_samples = len(self.gauges) * len(self.times_s)
        for name, found, expected in (
            ("moments of records", len(self.linear.moments.records), n_samples),
            ("sources", self.modes.to_sources.shape[1], len(self.sources)),
            ("features", len(self.feature_mean), self.arguments["n_features"]),
            ("scales of features", len(self.feature_sd), self.arguments["n_features"]),
            ("modes", self.modes.n_modes, self.arguments["n_modes"]),
        ):
            if found != expected:
                raise InputError(f"{name} of a posterior must be {expected}, got {found}")
        for name in _CALIBRATION:
            if {*getattr(self.calibration, name)} != {*self.waves}:
                raise InputError(f"calibration of a posterior must be of the gauges of its waves, got {name} of others")
        if {*self.gauge_depth_m} != {*self.waves}:
            raise InputError("gauge_depth_m of a posterior must be of the gauges of its waves, got other gauges")

    @property
    def method(self) -> str:
        """Its name."""
        return "sampler"

    @property
    def gaps(self) -> Literal["whole gauges"]:
        """Any sample may be missing, if one is there."""
        return "whole gauges"

    @property
    def provenance(self) -> Mapping[str, str]:
        """Region, and identity of the model."""
        return {"region": self.region, "model": self.id}

    @property
    def window_range_min(self) -> tuple[float, float]:
        """Shortest and longest window it was trained on, minutes after the origin."""
        return self.shortest_min, self.window_min

    def restricted(
        self, *, gauges: Sequence[str] | None = None, window_min: float | None = None
    ) -> RestrictedPosterior:
        """Return the posterior for some of its gauges and a window; InputError if it does not know them."""
        window = self.window_min if window_min is None else window_min
        shortest, longest = self.window_range_min
        if not shortest <= window <= longest:
            raise InputError(
                f"window_min must be in [{shortest:g}, {longest:g}] min, which the model was trained on, got {window:g}"
            )
        if gauges is not None and not gauges:
            raise InputError("gauges must name at least one gauge, got none")
        return RestrictedPosterior(self, window, tuple(gauges or ()))

    def prepared(self, records: Records) -> RestrictedPosterior:
        """Return the posterior for the gauges that records have; InputError if they have none, or hold the tide."""
        records.require_detided()
        return RestrictedPosterior(self, gauges=recorded_gauges(records, self.gauges, where="known to the model"))

    @property
    def shortest_min(self) -> float:
        """The shortest window it was trained on, minutes after the origin."""
        return float(self.training.get("windows_min", [1])[0])

    @property
    def times_s(self) -> np.ndarray:
        """Times of the samples, s since the origin, shape (n_times,)."""
        return 60.0 * np.arange(1, int(self.window_min) + 1)

    @cached_property
    def id(self) -> str:
        """Fingerprint of names, scaling and weights."""
        tensors = self._tensors()
        labels = [list(self.gauges), list(self.sources), self.window_min, self.noise_sd_m, self.region]
        depths = [(name, self.gauge_depth_m[name]) for name in self.waves]  # in whichever order they are given
        labels += [list(self.drift_m), list(self.senses), depths]
        return fingerprint(*labels, *(part for name in sorted(tensors) for part in (name, tensors[name].numpy())))

    @property
    def waves(self) -> Mapping[str, np.ndarray]:
        """Waves of the amplitudes at every gauge of the bank, m, shape (n_modes, n_times), every minute from zero."""
        return self.modes.waves

    @property
    def displacement(self) -> Mapping[str, np.ndarray]:
        """What the gauges sense of the displacement alone, m, shape (n_modes,)."""
        return self.modes.displacement

    def record_moments(self) -> np.ndarray:
        """Return the second moments of records for a root mean square slip of 1 m on unit sources, m^2."""
        return self.linear.moments.records.astype(float)

    def slip(self, amplitudes) -> np.ndarray:
        """Turn amplitudes into slip on unit sources.

        Parameters
        ----------
        amplitudes : array, shape (..., n_modes)
            Of :meth:`draw`.

        Returns
        -------
        slip_m : array, shape (..., n_sources)
            m; zero where it is negative.
        """
        return np.maximum(amplitudes @ self.modes.to_sources, 0.0)

    def sea_level(self, amplitudes, gauge: str) -> np.ndarray:
        """Turn amplitudes into waves, scattered as those of the truth are about those of the amplitudes.

        Parameters
        ----------
        amplitudes : array, shape (..., count, n_modes)
            Of :meth:`draw`, all draws of a record together.
        gauge : str
            One of :attr:`waves`.

        Returns
        -------
        sea_level_m : array, shape (..., count, n_times)
            m, every minute from the origin.
        """
        level = np.asarray(amplitudes, dtype=np.float32) @ self.waves[gauge]
        level *= self.calibration.factors(level.max(axis=-1), gauge)[..., np.newaxis]
        return level

    def subfault_slip(self, amplitudes) -> np.ndarray:
        """Turn amplitudes into slip on subfaults, m, shape (..., n_subfaults).

        What unit sources and waves can tell of it; parts that they cannot may be negative.
        """
        return amplitudes @ self.modes.to_subfaults

    def sample(self, records, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw slip on unit sources that fits records, as :meth:`draw`.

        Returns
        -------
        slip_m : array, shape (..., count, n_sources)
            m, >= 0; exactly zero where no slip is likely.
        """
        return self.slip(self.draw(records, count, rng))

    def solve(self, records) -> np.ndarray:
        """Find the expected slip on unit sources: the mean of draws, shape (..., n_sources), m, >= 0."""
        return self.sample(records, _MEAN_DRAWS, np.random.default_rng(0)).mean(axis=-2)

    def draw(self, records, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw earthquakes that fit records.

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
        amplitudes : array, shape (..., count, n_modes)
            float32.

        Raises
        ------
        InputError
            If records have another shape or a record has no sample.
        """
        records = np.asarray(records, dtype=np.float32)
        shape = (len(self.gauges), len(self.times_s))
        if records.shape[-2:] != shape:
            raise InputError(f"records must have shape (..., {shape[0]}, {shape[1]}), got {records.shape}")
        if count < 1:
            raise InputError(f"count must be >= 1, got {count}")
        rows = records.reshape(-1, shape[0] * shape[1])
        random = rng.standard_normal((len(rows), count, self.network.n_random), dtype=np.float32)
        draws = np.empty((len(rows), count, self.modes.n_modes), np.float32)
        patterns, members = np.unique(np.isfinite(rows), axis=0, return_inverse=True)
        for number, known in enumerate(patterns):
            of_pattern = np.flatnonzero(members == number)
            if not known.any():
                raise InputError(f"record {int(of_pattern[0])} has no sample in the window")
            for part in np.array_split(of_pattern, -(-len(of_pattern) // _CHUNK)):
                draws[part] = self._draw_alike(rows[part], known, random[part])
        draws *= self.size_calibration.factors(self.slip(draws).mean(axis=-1))[..., np.newaxis]
        return draws.reshape(*records.shape[:-2], count, self.modes.n_modes)

    def _draw_alike(self, rows: np.ndarray, known: np.ndarray, random: np.ndarray) -> np.ndarray:
        """Draw for records with the same samples."""
        n_modes = self.modes.n_modes
        estimate = self.linear.estimate(rows, known, self.noise_sd_m)
        features = features_of(
            estimate, self.modes.amplitude_sd, len(self.sources), known, len(self.gauges), self.noise_sd_m
        )
        self.network.eval()
        with torch.inference_mode():
            scaled = torch.from_numpy((features - self.feature_mean) / self.feature_sd)
            correction = self.network(scaled, torch.from_numpy(random)).numpy()
        linear, sd = (part[:, np.newaxis, :n_modes] for part in (estimate.latent, estimate.latent_sd))
        amplitudes = linear + correction * sd
        return amplitudes * estimate.size_m[:, np.newaxis, np.newaxis]

    def _tensors(self) -> dict[str, torch.Tensor]:
        """Return all numbers of the posterior by name."""
        arrays = {f"moments.{name}": getattr(self.linear.moments, name) for name in _MOMENTS}
        arrays |= {f"modes.{name}": getattr(self.modes, name) for name in _MODES}
        arrays |= {f"waves.{gauge}": wave for gauge, wave in self.waves.items()}
        arrays |= {"displacement": [self.displacement[gauge] for gauge in self.waves]}
        arrays |= {
            f"heights.{name}": [getattr(self.calibration, name)[gauge] for gauge in self.waves] for name in _CALIBRATION
        }
        arrays |= {"size": astuple(self.size_calibration)}
        arrays |= {"features.mean": self.feature_mean, "features.sd": self.feature_sd}
        tensors = {name: torch.from_numpy(np.array(value, np.float32)) for name, value in arrays.items()}
        tensors |= {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        return {name: tensor.to(torch.float16) if _is_short(name) else tensor for name, tensor in tensors.items()}

    def save(self, folder: str | os.PathLike) -> None:
        """Write ``model.safetensors`` and ``model.json`` into a folder, both or none; InputError if it cannot be."""
        folder = checkpoint_folder(folder)
        content = safetensors.torch.save(self._tensors())
        header = Header(
            slipcast="sampler",
            format=FORMAT,
            arguments=dict(self.arguments),
            gauges=list(self.gauges),
            sources=list(self.sources),
            wave_gauges=list(self.waves),
            window_min=self.window_min,
            noise_sd_m=self.noise_sd_m,
            drift_m=list(self.drift_m),
            senses=list(self.senses),
            gauge_depth_m=dict(self.gauge_depth_m),
            region=self.region,
            bank=self.bank,
            training=dict(self.training),
            versions=dict(self.versions),
            weights_sha256=hashlib.sha256(content).hexdigest(),
        )
        with atomic_path(folder / "model.json") as json_path, atomic_path(folder / "model.safetensors") as weights_path:
            about = sealed_json(header.model_dump())
            json_path.write_text(json.dumps(about, indent=1, allow_nan=False) + "\n", encoding="utf-8")
            weights_path.write_bytes(content)
            (folder / "model.json").unlink(missing_ok=True)

    @classmethod
    def open(cls, folder: str | os.PathLike) -> NeuralPosterior:
        """Read a posterior; InputError if a file is missing, truncated, of another format or of another posterior."""
        folder = Path(folder)
        header = read_header(folder)
        tensors = read_tensors(folder, header)
        try:
            network = SlipGenerator(**header.arguments)
            network.load_state_dict({name: tensors.pop(f"network.{name}") for name in network.state_dict()})
            arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
            waves = {name.removeprefix("waves."): part for name, part in arrays.items() if name.startswith("waves.")}
            return cls(
                network=network,
                arguments=header.arguments,
                linear=ScaledLinear(
                    ScaledMoments(*(arrays[f"moments.{name}"] for name in _MOMENTS)),
                    noise_columns(header.drift_m, header.noise_sd_m, len(header.gauges), int(header.window_min)),
                ),
                modes=JointComponents(
                    **{name: arrays[f"modes.{name}"] for name in _MODES},
                    waves={name: waves[name] for name in header.wave_gauges},
                    displacement=dict(zip(header.wave_gauges, arrays["displacement"], strict=True)),
                ),
                feature_mean=arrays["features.mean"],
                feature_sd=arrays["features.sd"],
                calibration=AmplitudeCalibration(
                    **{
                        name: dict(zip(header.wave_gauges, arrays[f"heights.{name}"].tolist(), strict=True))
                        for name in _CALIBRATION
                    }
                ),
                size_calibration=SizeCalibration(*map(tuple, arrays["size"].tolist())),
                **{name: getattr(header, name) for name in _LABELS},
            )
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise InputError(f"posterior {folder}: model.safetensors does not fit model.json: {error}") from error


_MOMENTS = tuple(ScaledMoments.__dataclass_fields__)
_CALIBRATION = tuple(AmplitudeCalibration.__dataclass_fields__)
_MODES = ("amplitude_sd", "to_sources", "to_subfaults")


_LABELS = (Header.model_fields.keys() & NeuralPosterior.__dataclass_fields__.keys()) - {"arguments"}


def _is_short(name: str) -> bool:
    """Say whether numbers are stored in half the bytes: what is large and needs no more than three digits."""
    return name.startswith(("network.", "waves.", "modes.to_"))
