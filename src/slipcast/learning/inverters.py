"""Trained models as inversion methods, by object, name or folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from slipcast.errors import InputError, check_kind
from slipcast.inversion.inverter import Inverter
from slipcast.io.atomic import read_json
from slipcast.records import Records

if TYPE_CHECKING:
    from slipcast.learning.checkpoint import Checkpoint
    from slipcast.learning.posterior.posterior import NeuralPosterior

__all__ = ["Network", "model_names", "open_inverter", "open_model", "open_posterior"]


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

    check_kind(name_or_folder, (str, os.PathLike), "name_or_folder", "the name or folder of a model")
    text = os.fspath(name_or_folder)
    folder = Path(str(files("slipcast").joinpath("models", text))) if text in model_names() else Path(text)
    if not folder.is_dir():
        raise InputError(f"no model {text}: neither a folder nor one of the package ({', '.join(model_names())})")
    about = folder / "model.json"
    if about.is_file() and isinstance(content := read_json(about), dict) and content.get("slipcast") == "sampler":
        return NeuralPosterior.open(folder)
    return Checkpoint.open(folder)


def open_posterior(name_or_folder: str | os.PathLike) -> NeuralPosterior:
    """Open a trained neural posterior as :func:`open_model`; InputError if it is a network of another kind."""
    from slipcast.learning.posterior.posterior import NeuralPosterior

    model = open_model(name_or_folder)
    if not isinstance(model, NeuralPosterior):
        raise InputError(f"{name_or_folder} is no neural posterior; waves of a network of its kind need a bank")
    return model


@dataclass(frozen=True)
class Network:
    """A trained network as an inversion method.

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
    def senses(self) -> Sequence[str]:
        """What each of the gauges senses."""
        return self.checkpoint.senses

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

    @property
    def provenance(self) -> Mapping[str, str]:
        """Region, and identity of the checkpoint."""
        return {"region": self.checkpoint.region, "model": self.checkpoint.id}

    def prepared(self, records: Records) -> Network:
        """Return itself; InputError if the records still hold the tide."""
        records.require_detided()
        return self

    def solve(self, records) -> np.ndarray:
        """Find slip, as :meth:`slipcast.learning.checkpoint.Checkpoint.predict`."""
        return self.checkpoint.predict(records)


def open_inverter(
    inverter: Inverter | Checkpoint | str | os.PathLike,
    *,
    argument: str = "inverter",
    wanted: str = "an Inverter, or the name or folder of a model",
) -> Inverter:
    """Return an inversion method from whatever names one.

    Parameters
    ----------
    inverter : Inverter, Checkpoint, str or path
        A method; a network as :func:`~slipcast.learning.train.train` returns it; or the name of a model in the package
        or a folder, which is opened (:func:`open_model`).
    argument, wanted : str, optional
        Name of the argument, and what it must be, in the message for anything else.

    Returns
    -------
    inverter : Inverter

    Raises
    ------
    InputError
        If it is none of these, or the model cannot be opened.

    Examples
    --------
    >>> open_inverter(45)
    Traceback (most recent call last):
    slipcast.errors.InputError: inverter must be an Inverter, or the name or folder of a model, got 45 (int)
    """
    if isinstance(inverter, (str, os.PathLike)):
        inverter = open_model(inverter)
    if isinstance(inverter, Inverter):
        return inverter
    from slipcast.learning.checkpoint import Checkpoint

    check_kind(inverter, Checkpoint, argument, wanted)
    return Network(inverter)
