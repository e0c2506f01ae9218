"""Settings of a training: Liu's recipe, and what may be changed in it."""

from __future__ import annotations

import os
import tomllib
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from slipcast.errors import InputError, invalid_setting

__all__ = ["TrainConfig"]

_Count = Annotated[int, Field(strict=True, ge=1)]
_Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class TrainConfig(BaseModel):
    """Settings of a training; the defaults are the recipe of Liu (2021).

    Attributes
    ----------
    model : str
        Architecture, one of :data:`slipcast.learning.networks.ARCHITECTURES`.
    window_min : float
        Minutes after the origin that the network sees, (0, 1440].
    gauges : tuple of str or None
        DARTs by name, in the order of the channels. None: the observers of the region, or if it names none
        every DART of the set whose records cover the window, in the order of their names.
    noise_sd_m : float
        Standard deviation of the noise added to records, m, >= 0.
    batch_size, epochs : int
        Scenarios a step, and times that each is seen; >= 1.
    learning_rate : float
        Of Adam, > 0.
    seed : int
        Of first weights, shuffling and dropout; in [0, 2^63).
    channels : tuple of int or None
        Channels after each convolution; None: those that go with the window.
    hidden : int
        Width of the first linear layer, >= 1.
    dropout : float
        In [0, 1).
    negative_slope : float
        Of LeakyReLU, >= 0.
    device : {"cpu", "cuda", "auto"}
        Where to train; ``"auto"`` takes a GPU where there is one.

    Raises
    ------
    InputError
        If a setting is unknown (the nearest are named) or breaks its rule.

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
    window_min: _Number = Field(default=45.0, gt=0, le=1440)
    gauges: tuple[str, ...] | None = None
    noise_sd_m: _Number = Field(default=0.005, ge=0)
    batch_size: _Count = 20
    epochs: _Count = 300
    learning_rate: _Number = Field(default=5e-4, gt=0)
    seed: int = Field(default=1, strict=True, ge=0, lt=2**63)
    channels: tuple[_Count, ...] | None = None
    hidden: _Count = 40
    dropout: _Number = Field(default=0.3, ge=0, lt=1)
    negative_slope: _Number = Field(default=0.01, ge=0)
    device: Literal["cpu", "cuda", "auto"] = "cpu"

    def __init__(self, **settings: Any):
        try:
            super().__init__(**settings)
        except ValidationError as error:
            raise invalid_setting(error, "training setting", TrainConfig.model_fields) from error

    @field_validator("gauges")
    @classmethod
    def _named_once(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """Refuse an empty list, or a gauge that comes twice."""
        if names == ():
            raise ValueError("must name at least one gauge")
        if names and (twice := [name for name, times in Counter(names).items() if times > 1]):
            raise ValueError(f"must name each gauge once, {twice[0]} comes {names.count(twice[0])} times")
        return names

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
        path = Path(path)
        try:
            settings = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from error
        except ValueError as error:  # TOMLDecodeError, or no UTF-8
            raise InputError(f"{path} is not valid TOML: {error}") from error
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

    @property
    def network_settings(self) -> dict[str, Any]:
        """The settings that are arguments of the architecture."""
        return {key: getattr(self, key) for key in ("channels", "hidden", "dropout", "negative_slope")}
