"""What a search for better settings may try."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from slipcast.errors import InputError, invalid_setting
from slipcast.learning.config import TrainConfig, read_settings
from slipcast.learning.networks import ARCHITECTURES, build_network, conv_channels

__all__ = ["Range", "SearchSpace", "Suggests", "open_search"]

_FIRST_CHANNELS = conv_channels(45)[0]


class Suggests(Protocol):
    """Protocol of an Optuna trial."""

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Draw one of some values."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """Draw a whole number."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Draw a number."""


class Range(BaseModel):
    """Numbers from low to high, both included; whole ones if both are whole.

    Attributes
    ----------
    low, high : int or float
    log : bool
        Evenly over the logarithm; needs low > 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _rises(self) -> Range:
        if not self.low < self.high:
            raise ValueError(f"must have low < high, got {self.low} and {self.high}")
        if self.log and not self.low > 0:
            raise ValueError(f"must have low > 0 where log is true, got {self.low}")
        return self

    @property
    def whole(self) -> bool:
        """Whether values are integers."""
        return isinstance(self.low, int) and isinstance(self.high, int)


Choices = tuple[Any, ...]


class SearchSpace(BaseModel):
    """Values to be tried, by setting: a list of them, or a range ``{low = 1e-4, high = 3e-3, log = true}``.

    Attributes
    ----------
    first_channels : choices or range
        Channels of the first convolution; the others follow in the proportions of Liu's table.
    channels : choices
        Channels of all convolutions, a list of lists; not together with ``first_channels``.
    hidden, dropout, activation, learning_rate, batch_size, optimizer, weight_decay : choices or range
        As in :class:`slipcast.learning.config.TrainConfig`.

    Raises
    ------
    InputError
        If a setting is unknown or cannot be searched, or has no two values.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    first_channels: Range | Choices | None = None
    channels: Choices | None = None
    hidden: Range | Choices | None = None
    dropout: Range | Choices | None = None
    activation: Choices | None = None
    learning_rate: Range | Choices | None = None
    batch_size: Range | Choices | None = None
    optimizer: Choices | None = None
    weight_decay: Range | Choices | None = None

    def __init__(self, **settings: Any):
        try:
            super().__init__(**{key: _values(key, value) for key, value in settings.items()})
        except ValidationError as error:
            raise invalid_setting(error, "searched setting", SearchSpace.model_fields) from error

    @field_validator("*")
    @classmethod
    def _at_least_two(cls, values: Any) -> Any:
        if isinstance(values, tuple) and len(values) < 2:
            raise ValueError(f"must have two values at least, got {len(values)}")
        return values

    @model_validator(mode="after")
    def _searches(self) -> SearchSpace:
        if not any(True for _ in self.items()):
            raise InputError("search must name at least one setting")
        if self.channels is not None and self.first_channels is not None:
            raise InputError("search.channels and search.first_channels exclude each other")
        return self

    @classmethod
    def default(cls) -> SearchSpace:
        """Return the default search space, which contains Liu's recipe.

        Examples
        --------
        >>> sorted(name for name, _ in SearchSpace.default().items())[:3]
        ['activation', 'batch_size', 'dropout']
        """
        return cls(
            first_channels=(10, 20, 30, 40),
            hidden={"low": 20, "high": 160, "log": True},
            dropout={"low": 0.0, "high": 0.5},
            learning_rate={"low": 1e-4, "high": 5e-3, "log": True},
            batch_size=(10, 20, 50, 100),
            activation=("leaky_relu", "gelu", "silu", "tanh"),
            weight_decay=(0.0, 1e-5, 1e-4, 1e-3),
        )

    def items(self) -> Iterator[tuple[str, Range | Choices]]:
        """Return the settings that are searched, with their values."""
        for name in SearchSpace.model_fields:
            if (values := getattr(self, name)) is not None:
                yield name, values

    def check(self, config: TrainConfig, samples: int) -> None:
        """Try every choice and both ends of every range in a config; InputError where one breaks its rule."""
        for name, values in self.items():
            for value in (values.low, values.high) if isinstance(values, Range) else values:
                try:
                    tried = config.with_settings(**_setting(name, value, samples))
                    if tried.model in ARCHITECTURES:
                        shape = {"n_channels": 1, "n_sources": 1, "signal_length": samples}
                        build_network(tried.model, **shape, **tried.network_settings)
                except InputError as error:
                    raise InputError(f"search.{name}: {error}") from error

    def suggest(self, trial: Suggests, samples: int) -> dict[str, Any]:
        """Draw settings for a window of some samples."""
        settings: dict[str, Any] = {}
        for name, values in self.items():
            if not isinstance(values, Range):
                # by number, since a study keeps plain values only
                value = values[trial.suggest_categorical(name, list(range(len(values))))]
            elif values.whole:
                value = trial.suggest_int(name, int(values.low), int(values.high), log=values.log)
            else:
                value = trial.suggest_float(name, float(values.low), float(values.high), log=values.log)
            settings |= _setting(name, value, samples)
        return settings

    def drawn(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings that a study's parameters stand for."""
        return {
            name: parameters[name] if isinstance(values, Range) else values[parameters[name]]
            for name, values in self.items()
            if name in parameters
        }

    def parameters_of(self, config: TrainConfig, samples: int) -> dict[str, Any]:
        """Return a study's parameters for the settings of a config, as far as they are in the space."""
        found: dict[str, Any] = {}
        for name, values in self.items():
            settings = config.model_dump()
            if isinstance(values, Range):
                value = _FIRST_CHANNELS if name == "first_channels" else settings[name]
                if values.low <= value <= values.high and (name != "first_channels" or config.channels is None):
                    found[name] = value
                continue
            for number, value in enumerate(values):
                wanted = _setting(name, value, samples)
                have = {key: settings[key] for key in wanted}
                if have.get("channels", ()) is None:
                    have["channels"] = conv_channels(samples)
                if all(_same(have[key], wanted[key]) for key in wanted):
                    found[name] = number
        return found


def open_search(path: str | os.PathLike) -> tuple[TrainConfig, SearchSpace]:
    """Read a TOML file with training settings and, in a table ``search``, the search space.

    Returns
    -------
    config : TrainConfig
    space : SearchSpace
        The default one if there is no such table.

    Raises
    ------
    InputError
        If the file is missing or not TOML, or a key is unknown or breaks its rule.
    """
    settings = read_settings(path)
    search = settings.pop("search", None)
    if search is not None and not isinstance(search, dict):
        raise InputError(f"{path}: search must be a table [search], got {search!r}")
    try:
        return TrainConfig(**settings), SearchSpace.default() if search is None else SearchSpace(**search)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _values(name: str, values: Any) -> Any:
    """Turn what TOML gives for a searched setting into a list or a range."""
    if isinstance(values, list | tuple):
        return tuple(values)
    if isinstance(values, dict):
        try:
            return Range(**values)
        except ValidationError as error:
            raise InputError(f"search.{name}: {invalid_setting(error, 'key', Range.model_fields)}") from error
    if values is None or isinstance(values, Range):
        return values
    raise InputError(f"search.{name} must be a list of values or a range {{low, high, log}}, got {values!r}")


def _setting(name: str, value: Any, samples: int) -> dict[str, Any]:
    """Return what a value means in a config."""
    if name != "first_channels":
        return {name: tuple(value) if isinstance(value, list) else value}
    if not isinstance(value, int) or value < 1:
        raise InputError(f"must be whole numbers >= 1, got {value!r}")
    return {"channels": tuple(max(1, round(number * value / _FIRST_CHANNELS)) for number in conv_channels(samples))}


def _same(one: Any, other: Any) -> bool:
    """Compare settings; a list is a tuple."""
    return (tuple(one) if isinstance(one, list) else one) == (tuple(other) if isinstance(other, list) else other)
