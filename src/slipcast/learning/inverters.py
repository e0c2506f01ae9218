"""Slip by a trained network: one that gives slip, or one that draws it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from slipcast.errors import InputError
from slipcast.inversion.estimate import SlipEstimate
from slipcast.inversion.inverter import invert_records, invert_samples
from slipcast.io.atomic import read_json
from slipcast.records import Records

if TYPE_CHECKING:
    from slipcast.learning.checkpoint import Checkpoint
    from slipcast.learning.posterior.posterior import NeuralPosterior

__all__ = ["N_SAMPLES", "Network", "invert_network", "invert_posterior", "model_names", "open_model", "open_posterior"]

N_SAMPLES = 200
"""Draws of slip that go with an estimate."""


def model_names() -> list[str]:
    """Return the names of the trained models in the package.

    Examples
    --------
    >>> model_names()
    ['cascadia']
    """
    folder = files("slipcast").joinpath("models")
    found = folder.iterdir() if folder.is_dir() else iter(())
    return sorted(item.name for item in found if item.joinpath("model.json").is_file())


def open_model(name_or_folder: str | os.PathLike) -> Checkpoint | NeuralPosterior:
    """Open a trained network.

    Parameters
    ----------
    name_or_folder : str or path
        ``"cascadia"``, the name of one in the package, or a folder; ``"./cascadia"`` is always a folder.

    Returns
    -------
    model : Checkpoint or NeuralPosterior

    Raises
    ------
    InputError
        If the folder holds none, or files are damaged.
    """
    from slipcast.learning.checkpoint import Checkpoint
    from slipcast.learning.posterior.posterior import NeuralPosterior

    text = os.fspath(name_or_folder)
    folder = Path(str(files("slipcast").joinpath("models", text))) if text in model_names() else Path(text)
    if not folder.is_dir():
        raise InputError(f"no model {text}: neither a folder nor one of the package ({', '.join(model_names())})")
    about = folder / "model.json"
    if about.is_file() and isinstance(content := read_json(about), dict) and content.get("slipcast") == "sampler":
        return NeuralPosterior.open(folder)
    return Checkpoint.open(folder)


def open_posterior(name_or_folder: str | os.PathLike) -> NeuralPosterior:
    """Open a trained sampler as :func:`open_model`; InputError if it is a network of another kind."""
    from slipcast.learning.posterior.posterior import NeuralPosterior

    model = open_model(name_or_folder)
    if not isinstance(model, NeuralPosterior):
        raise InputError(f"{name_or_folder} is no sampler; waves of a network of its kind need a bank")
    return model


@dataclass(frozen=True)
class Network:
    """A trained network as a way from records to slip.

    Attributes
    ----------
    checkpoint : Checkpoint
        The network with its names, window and scaling.
    """

    checkpoint: Checkpoint

    @property
    def method(self) -> str:
        """Its name."""
        return "network"

    @property
    def gauges(self) -> Sequence[str]:
        """Names of the gauges, in order."""
        return self.checkpoint.gauges

    @property
    def sources(self) -> Sequence[str]:
        """Names of the unit sources, in order."""
        return self.checkpoint.sources

    @property
    def times_s(self) -> np.ndarray:
        """Times of the samples, s since the origin."""
        return self.checkpoint.sample_times_s

    @property
    def gaps(self) -> Literal["none"]:
        """It has no notion of a missing sample."""
        return "none"

    def solve(self, records) -> np.ndarray:
        """Find slip, as :meth:`slipcast.learning.checkpoint.Checkpoint.predict`."""
        return self.checkpoint.predict(records)


def invert_network(records: Records, checkpoint: Checkpoint) -> SlipEstimate:
    """Invert records with a trained network.

    Parameters
    ----------
    records : Records
        Of one event or several, tide removed; gauges are found by name, those that the network does not know
        are left alone.
    checkpoint : Checkpoint
        The network with its names, window and scaling.

    Returns
    -------
    estimate : SlipEstimate
        Method ``"network"``; its ``model`` is the identity of the checkpoint.

    Raises
    ------
    InputError
        If records still hold the tide, lack a gauge of the network, or have a gap in its window.
    """
    _refuse_tide(records)
    return invert_records(Network(checkpoint), records, region=checkpoint.region, model=checkpoint.id)


def invert_posterior(records: Records, sampler: NeuralPosterior, *, window_min: float | None = None) -> SlipEstimate:
    """Draw slip that fits records.

    Parameters
    ----------
    records : Records
        Of one event or several, tide removed; gauges are found by name, those that the sampler does not know are left
        alone, and of those that it knows at least one is needed.
    sampler : NeuralPosterior
        A trained sampler.
    window_min : float, optional
        Samples up to it are used, minutes after the origin; by default all that it can take.

    Returns
    -------
    estimate : SlipEstimate
        Method ``"sampler"``, with draws on unit sources, on subfaults and as amplitudes; its slip is their mean.

    Raises
    ------
    InputError
        If records still hold the tide, no gauge of the sampler is in them, an event has no sample, or the window is
        shorter or longer than any it was trained on.
    """
    _refuse_tide(records)
    gauges = [name for name in sampler.gauges if name in records.gauges]
    if not gauges:
        raise InputError(f"records have none of the gauges that the model takes: {', '.join(sampler.gauges)}")
    shortest, longest = sampler.shortest_min, sampler.window_min
    if window_min is not None and not shortest <= window_min <= longest:
        raise InputError(
            f"window must be in [{shortest:g}, {longest:g}] min, those that the model knows, got {window_min:g}"
        )
    level = records.resample(sampler.times_s, gauges)
    within = level["time"] <= 60 * (window_min or longest)
    seen = level.where(within).reindex(gauge=list(sampler.gauges)).to_numpy()
    heard = np.isfinite(seen).any(axis=-1)
    if (silent := ~heard.any(axis=-1)).any():
        of_event = f" in event {int(np.argmax(silent))}" if silent.ndim else ""
        raise InputError(f"no gauge has a sample in the window of {window_min or longest:g} min{of_event}")
    estimate = invert_samples(sampler, seen, region=sampler.region, model=sampler.id, n_samples=N_SAMPLES)
    used = [name for place, name in enumerate(sampler.gauges) if heard[..., place].any()]
    return SlipEstimate(estimate.dataset.assign_attrs(window_min=float(window_min or longest), gauges=" ".join(used)))


def _refuse_tide(records: Records) -> None:
    """Refuse records that still hold the tide."""
    if not records.dataset.attrs.get("tide_removed", 0):
        raise InputError("records must be free of the tide for a network, got tide_removed = 0")
