"""Settings of a training: Liu's recipe, and what may be changed in it."""

from __future__ import annotations

import os
import tomllib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from slipcast.errors import InputError, invalid_setting
from slipcast.physics.unit_sources import expand_names

__all__ = ["TrainConfig", "parse_settings", "read_settings"]

_Count = Annotated[int, Field(strict=True, ge=1)]
_Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
_Fraction = Annotated[float, Field(strict=True, gt=0, lt=1)]


_FIXED = {
    "kernel_size": "3",
    "stride": "1",
    "padding": "1",
    "pooling": "2",
    "pool_size": "2",
}
_CONV1D_ONLY = ("channels", "hidden", "dropout", "activation", "negative_slope")


class TrainConfig(BaseModel):
    """Settings of a training; the defaults are the recipe of Liu (2021).

    Attributes
    ----------
    model : str
        Architecture, one of :data:`slipcast.learning.networks.ARCHITECTURES`, or a user's own class as
        ``package.module:Class``.
    network : mapping of str to value
        Arguments of a user's own class.
    window_min : float
        Minutes after the origin that the network sees, (0, 1440].
    gauges : tuple of str or None
        DARTs by name, in the order of the channels. None: the observers of the region, or if it names none
        every DART of the set whose records cover the window, in the order of their names.
    sources : tuple of str or None
        Unit sources by name in either style, or ranges such as ``acsza54..65``, in the order of the outputs.
        None: all of the set.
    target : {"area_mean", "least_squares"} or None
        What is learned: the area-averaged slip of each unit source, or what non-negative least squares finds on
        ``target_window_min`` of the same records (Liu's networks learned NOAA's inversions). None: the slip
        that the set holds.
    target_window_min : float
        Minutes after the origin that the least squares of ``target`` see.
    noise_sd_m : float
        Standard deviation of the noise added to records, m, >= 0.
    split_fractions : tuple of three floats or None
        Fractions for training, validation and test, each > 0, that sum to one. None: the set's own split.
    split_seed : int
        Of that split; counts with ``split_fractions`` only.
    batch_size, epochs : int
        Scenarios a step, and times that each is seen; >= 1.
    optimizer : {"adam", "adamw", "sgd", "rmsprop"}
        With torch's defaults but for the next two.
    learning_rate : float
        > 0.
    weight_decay : float
        >= 0.
    early_stopping_epochs : int or None
        Stop after this many epochs without a lower validation loss, >= 1. None: never.
    test_loss : bool
        Note the loss over the test part too. It is never used for a choice, and should not be by a reader.
    seed : int
        Of first weights, shuffling and dropout; in [0, 2^63).
    channels : tuple of int or None
        Channels after each convolution; None: those that go with the window.
    hidden : int
        Width of the first linear layer, >= 1.
    dropout : float
        In [0, 1).
    activation : str
        After each convolution: ``"leaky_relu"`` or one of :data:`slipcast.learning.networks.ACTIVATIONS`.
    negative_slope : float
        Of LeakyReLU, >= 0.
    device : {"auto", "cpu", "cuda"}
        Where to train; ``"auto"`` takes a GPU where there is one.

    Raises
    ------
    InputError
        If a setting is unknown (the nearest are named) or breaks its rule, or does not count with the others.

    Notes
    -----
    Kernel, stride, padding and pooling are no settings: convolutions must keep the length of the signal and
    poolings halve it, or the blocks would not end with one sample (Liu 2021, section 2.3.2).

    Examples
    --------
    >>> TrainConfig(window_min=30).epochs
    300
    >>> TrainConfig(epoch=10)
    Traceback (most recent call last):
    ...
    slipcast.errors.InputError: unknown training setting 'epoch'; nearest: epochs
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = "conv1d"
    network: dict[str, Any] = Field(default_factory=dict)
    window_min: _Number = Field(default=45.0, gt=0, le=1440)
    gauges: tuple[str, ...] | None = None
    sources: tuple[str, ...] | None = None
    target: Literal["area_mean", "least_squares"] | None = None
    target_window_min: _Number = Field(default=240.0, gt=0)
    noise_sd_m: _Number = Field(default=0.005, ge=0)
    split_fractions: tuple[_Fraction, _Fraction, _Fraction] | None = None
    split_seed: int = Field(default=1, strict=True, ge=0, lt=2**63)
    batch_size: _Count = 20
    epochs: _Count = 300
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    learning_rate: _Number = Field(default=5e-4, gt=0)
    weight_decay: _Number = Field(default=0.0, ge=0)
    early_stopping_epochs: _Count | None = None
    test_loss: bool = Field(default=False, strict=True)
    seed: int = Field(default=1, strict=True, ge=0, lt=2**63)
    channels: tuple[_Count, ...] | None = None
    hidden: _Count = 40
    dropout: _Number = Field(default=0.3, ge=0, lt=1)
    activation: str = "leaky_relu"
    negative_slope: _Number = Field(default=0.01, ge=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def __init__(self, **settings: Any):
        if fixed := [key for key in settings if key in _FIXED]:
            raise InputError(
                f"{fixed[0]} is fixed at {_FIXED[fixed[0]]}: convolutions must keep the length of the signal and "
                "poolings halve it"
            )
        try:
            super().__init__(**settings)
        except ValidationError as error:
            raise invalid_setting(error, "training setting", TrainConfig.model_fields) from error

    @field_validator("sources")
    @classmethod
    def _expanded(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """Expand ranges of unit sources and bring all names into the long style."""
        return tuple(expand_names(names)) if names else names

    @field_validator("gauges", "sources")
    @classmethod
    def _named_once(cls, names: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        """Refuse an empty list, or a name that comes twice."""
        kind = (info.field_name or "").removesuffix("s")
        if names == ():
            raise ValueError(f"must name at least one {kind}")
        if names and (twice := [name for name, times in Counter(names).items() if times > 1]):
            raise ValueError(f"must name each {kind} once, {twice[0]} comes {names.count(twice[0])} times")
        return names

    @field_validator("split_fractions")
    @classmethod
    def _sum_to_one(cls, fractions: tuple[float, float, float] | None) -> tuple[float, float, float] | None:
        """Refuse fractions that do not share out the whole set."""
        if fractions is not None and abs(sum(fractions) - 1) > 1e-9:
            raise ValueError(f"must sum to one, they sum to {sum(fractions):g}")
        return fractions

    @model_validator(mode="after")
    def _all_count(self) -> TrainConfig:
        """Refuse settings that would be swallowed: those of one network given with another."""
        defaults = TrainConfig.model_fields
        if ":" in self.model:
            if useless := [key for key in _CONV1D_ONLY if getattr(self, key) != defaults[key].default]:
                raise InputError(f"{useless[0]} is for conv1d; give model {self.model} its arguments in network")
        elif self.network:
            raise InputError(f"network is for a class of your own; {self.model} has {', '.join(_CONV1D_ONLY)}")
        elif self.activation != "leaky_relu" and self.negative_slope != defaults["negative_slope"].default:
            raise InputError(f"negative_slope is for activation leaky_relu, got activation {self.activation!r}")
        if self.split_fractions is None and self.split_seed != defaults["split_seed"].default:
            raise InputError("split_seed counts with split_fractions only")
        if self.target != "least_squares" and self.target_window_min != defaults["target_window_min"].default:
            raise InputError("target_window_min is for target least_squares")
        return self

    @classmethod
    def open(cls, path: str | os.PathLike) -> TrainConfig:
        """Read settings from a TOML file of ``key = value`` lines.

        Parameters
        ----------
        path : path
            What it does not set keeps its default.

        Returns
        -------
        config : TrainConfig

        Raises
        ------
        InputError
            If the file is missing or not TOML, or a key is unknown or breaks its rule; the message names the
            key.
        """
        settings = read_settings(path)
        try:
            return cls(**settings)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    def with_settings(self, **settings: Any) -> TrainConfig:
        """Return a copy with some settings changed (errors as in the class).

        Examples
        --------
        >>> TrainConfig().with_settings(epochs=10).epochs
        10
        """
        return TrainConfig(**(self.model_dump() | settings))

    def toml(self) -> str:
        """Return all settings but those that are None as TOML, which :meth:`open` reads from a file."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))

    @property
    def network_settings(self) -> dict[str, Any]:
        """The settings that are arguments of the architecture."""
        return dict(self.network) if ":" in self.model else {key: getattr(self, key) for key in _CONV1D_ONLY}


def read_settings(path: str | os.PathLike) -> dict[str, Any]:
    """Read a TOML file; InputError if it is missing or not TOML."""
    path = Path(path)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, no UTF-8, too many digits or brackets
        raise InputError(f"{path} is not valid TOML: {error}") from error


def parse_settings(texts: Iterable[str]) -> dict[str, Any]:
    """Read settings given as ``KEY=VALUE``, the value as TOML writes it; a bare word is text.

    Parameters
    ----------
    texts : iterable of str
        One setting each.

    Returns
    -------
    settings : dict
        For :meth:`TrainConfig.with_settings`.

    Raises
    ------
    InputError
        If there is no ``=`` in one.

    Examples
    --------
    >>> parse_settings(["batch_size=32", "optimizer=sgd", "channels=[10, 10, 20, 20, 40]"])
    {'batch_size': 32, 'optimizer': 'sgd', 'channels': [10, 10, 20, 20, 40]}
    """
    settings = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (equals and key.strip() and value.strip()):
            raise InputError(f"a setting must be KEY=VALUE, got {text!r}")
        try:
            settings[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except (ValueError, RecursionError):
            settings[key.strip()] = value.strip()
    return settings
