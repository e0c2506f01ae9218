"""Architectures: maps from the records of a window to slip on unit sources."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, cast

import torch
from torch import nn

from slipcast.errors import InputError, unknown_name

__all__ = [
    "ACTIVATIONS",
    "ARCHITECTURES",
    "Conv1d",
    "Layer",
    "architecture",
    "build_network",
    "check_network",
    "conv_channels",
    "layer_table",
]

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "elu": nn.functional.elu,
    "gelu": nn.functional.gelu,
    "relu": nn.functional.relu,
    "silu": nn.functional.silu,
    "tanh": torch.tanh,
}
"""Activations by name, beside ``"leaky_relu"``, which has a slope."""


def conv_channels(signal_length: int) -> tuple[int, ...]:
    """Return the channels that follow each convolution, for a window of some samples.

    Parameters
    ----------
    signal_length : int
        Samples of the window, >= 2.

    Returns
    -------
    channels : tuple of int
        One number a block; there are as many blocks as halvings that take the signal to one sample,
        floor(log2(signal_length)).

    Raises
    ------
    InputError
        If the window has fewer than two samples.

    Notes
    -----
    Liu (2021) gives 20, 20, 40, 40, 80 for 45 samples (Table 1) and 20, 20, 40, 60 for 30. Other lengths
    continue the pattern of the table, each number twice and then doubled.

    Examples
    --------
    >>> conv_channels(45), conv_channels(30), conv_channels(64)
    ((20, 20, 40, 40, 80), (20, 20, 40, 60), (20, 20, 40, 40, 80, 80))
    """
    _whole("signal_length", signal_length, least=2)
    n_blocks = signal_length.bit_length() - 1
    if n_blocks == 4:
        return (20, 20, 40, 60)
    return tuple(20 * 2 ** (block // 2) for block in range(n_blocks))


class Conv1d(nn.Module):
    """Find slip with the one-dimensional convolutional network of Liu (2021), Table 1.

    Parameters
    ----------
    n_channels : int
        Gauges.
    n_sources : int
        Unit sources.
    signal_length : int
        Samples of the window, >= 2.
    channels : sequence of int, optional
        Channels after each convolution, floor(log2(signal_length)) of them; by default :func:`conv_channels`.
    hidden : int, optional
        Width of the first linear layer.
    dropout : float, optional
        Chance that one of its outputs is dropped while training, in [0, 1).
    activation : str, optional
        After each convolution: ``"leaky_relu"`` or one of :data:`ACTIVATIONS`.
    negative_slope : float, optional
        Slope of LeakyReLU below zero, >= 0; counts for no other activation.

    Raises
    ------
    InputError
        If an argument breaks its rule, or the number of channels does not fit the window.

    Notes
    -----
    Blocks of convolution (kernel 3, stride 1, padding 1), activation and max pooling (2, 2) halve the signal
    down to one sample; then Linear, Dropout, Linear, ReLU. These numbers are fixed: a convolution must keep the
    length of the signal and a pooling halve it for the blocks to end with one sample (Liu 2021, section 2.3.2).
    Input, shape (n, n_channels, signal_length), is dimensionless (the checkpoint scales records); output, shape
    (n, n_sources), is slip in m, >= 0.

    It knows gauges and sources by position alone; :class:`~slipcast.learning.checkpoint.Checkpoint` holds
    their names.

    Examples
    --------
    >>> network = Conv1d(3, 31, 45)
    >>> sum(parameter.numel() for parameter in network.parameters())
    22891
    """

    def __init__(
        self,
        n_channels: int,
        n_sources: int,
        signal_length: int,
        channels: Sequence[int] | None = None,
        hidden: int = 40,
        dropout: float = 0.3,
        activation: str = "leaky_relu",
        negative_slope: float = 0.01,
    ):
        super().__init__()
        for name, value in (("n_channels", n_channels), ("n_sources", n_sources), ("hidden", hidden)):
            _whole(name, value, least=1)
        if not (_is_number(dropout) and 0 <= dropout < 1):
            raise InputError(f"dropout must be in [0, 1), got {dropout!r}")
        if not (_is_number(negative_slope) and 0 <= negative_slope < math.inf):
            raise InputError(f"negative_slope must be finite and >= 0, got {negative_slope!r}")
        widths = _widths(signal_length, channels)
        self.input_shape = (n_channels, signal_length)
        self.activation = _activation(activation, negative_slope)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(n_in, n_out, kernel_size=3, stride=1, padding=1)
            for n_in, n_out in zip((n_channels, *widths), widths)
        )
        self.linear_1 = nn.Linear(widths[-1], hidden)
        self.dropout = nn.Dropout(dropout)
        self.linear_2 = nn.Linear(hidden, n_sources)

    def forward(self, records: torch.Tensor) -> torch.Tensor:
        """Map scaled records, shape (n, n_channels, signal_length), to slip, shape (n, n_sources), m, >= 0.

        Raises
        ------
        InputError
            If the records have another shape; a longer window would else be pooled as if it were the right
            one.
        """
        if records.shape[1:] != self.input_shape:
            raise InputError(f"records must have shape (n, {_by(self.input_shape)}), got ({_by(records.shape)})")
        signal = records.transpose(1, 2)
        for convolution in self.convolutions:
            signal = _convolve_and_halve(signal, cast(nn.Conv1d, convolution), self.activation)
        return torch.relu(self.linear_2(self.dropout(self.linear_1(signal.squeeze(1)))))


@dataclass(frozen=True)
class _Activation:
    """A function of a signal by name, and whether it never falls, so that it may follow a maximum."""

    name: str
    negative_slope: float
    function: Callable[[torch.Tensor], torch.Tensor]
    rises: bool


def _activation(name: str, negative_slope: float) -> _Activation:
    """Find an activation by name."""
    if name == "leaky_relu":
        leaky = partial(nn.functional.leaky_relu, negative_slope=negative_slope)
        return _Activation(name, negative_slope, leaky, rises=True)
    if name not in ACTIVATIONS:
        raise unknown_name("activation", name, ["leaky_relu", *ACTIVATIONS])
    return _Activation(name, negative_slope, ACTIVATIONS[name], rises=name not in ("gelu", "silu"))


def _convolve_and_halve(signal: torch.Tensor, convolution: nn.Conv1d, activation: _Activation) -> torch.Tensor:
    """Convolve, activate and pool a signal, shape (n, length, channels), to half its length.

    The numbers of torch's own three layers, as one matrix product over windows of three samples, which costs
    less for signals this short. An odd last sample is not pooled, hence not computed; an activation that never
    falls may follow the pooling.
    """
    n, length, n_in = signal.shape
    half = length // 2
    padded = nn.functional.pad(signal, (0, 0, 1, 1 - length % 2))
    windows = padded.unfold(1, 3, 1).transpose(2, 3).reshape(n * 2 * half, 3 * n_in)  # channels side by side, to copy
    products = nn.functional.linear(windows, convolution.weight.transpose(1, 2).flatten(1), convolution.bias)
    pairs = products.view(n, half, 2, convolution.out_channels)
    if activation.rises:
        return activation.function(torch.maximum(pairs[:, :, 0], pairs[:, :, 1]))
    pairs = activation.function(pairs)
    return torch.maximum(pairs[:, :, 0], pairs[:, :, 1])


ARCHITECTURES: dict[str, type[nn.Module]] = {"conv1d": Conv1d}
"""Networks by name."""


def architecture(name: str) -> type[nn.Module]:
    """Find the class of a network.

    Parameters
    ----------
    name : str
        One of :data:`ARCHITECTURES`, or a user's own as ``package.module:Class``. Its constructor takes
        ``n_channels``, ``n_sources`` and ``signal_length``, and keywords of its own; it maps a float32 tensor
        (n, n_channels, signal_length) to (n, n_sources).

    Returns
    -------
    network_class : type of torch.nn.Module

    Raises
    ------
    InputError
        If there is no such network, its module cannot be imported, or it is no ``torch.nn.Module``.
    """
    module_name, colon, class_name = name.partition(":")
    if not colon:
        if name not in ARCHITECTURES:
            raise unknown_name("model", name, ARCHITECTURES)
        return ARCHITECTURES[name]
    try:
        found = getattr(import_module(module_name), class_name)
    except ImportError as error:
        raise InputError(f"model {name}: cannot import {module_name}: {error}") from error
    except (AttributeError, ValueError) as error:
        raise InputError(f"model {name}: module {module_name} has no class {class_name!r}") from error
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise InputError(f"model {name} must be a class derived from torch.nn.Module, got {found!r}")
    return found


def build_network(name: str, **arguments: Any) -> nn.Module:
    """Build a network by the name of its architecture.

    Parameters
    ----------
    name : str
        As in :func:`architecture`.
    **arguments
        Of the architecture.

    Returns
    -------
    network : torch.nn.Module
        With weights drawn from torch's generator.

    Raises
    ------
    InputError
        If the name is unknown, or an argument is unknown, missing or wrong.
    """
    network_class = architecture(name)
    parameters = inspect.signature(network_class).parameters
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    for key in arguments:
        if key not in parameters and not open_ended:
            raise unknown_name("argument", key, parameters, where=f"of model {name}")
    for key, parameter in parameters.items():
        several = parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        needed = parameter.default is parameter.empty and not several
        if needed and key not in arguments:
            raise InputError(f"model {name} needs the argument {key}")
    return network_class(**arguments)


def check_network(network: nn.Module, name: str, *, n_channels: int, n_sources: int, signal_length: int) -> None:
    """Refuse a network whose output does not fit, before it is trained.

    Parameters
    ----------
    network : torch.nn.Module
        On any device; its mode (training or not) is left as it is.
    name : str
        For the message.
    n_channels, n_sources, signal_length : int
        Gauges, unit sources and samples.

    Raises
    ------
    InputError
        If the network has no parameter to train, fails on a batch of two records, or gives another shape or
        numbers that are not finite.
    """
    tensors = list(network.parameters())
    if not tensors:
        raise InputError(f"model {name} has no parameter to train")
    records = torch.zeros(2, n_channels, signal_length, device=tensors[0].device)
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            slip = network(records)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"model {name} fails on records of shape ({_by(records.shape)}): {first}") from error
    finally:
        network.train(was_training)
    shape = tuple(slip.shape) if isinstance(slip, torch.Tensor) else type(slip).__name__
    if shape != (2, n_sources):
        raise InputError(f"model {name} must give slip of shape (n, {n_sources}) for n = 2 records, got {shape}")
    if not torch.isfinite(slip).all():
        raise InputError(f"model {name} gives slip that is not finite for records of zeros")


@dataclass(frozen=True)
class Layer:
    """A row of Table 1 of Liu (2021).

    Attributes
    ----------
    name : str
        ``"Conv1D-1"``, ..., ``"Squeeze"``, ``"Linear-1"``, ``"Linear-2"``.
    in_channels, out_channels : int
        Channels before and after.
    in_signal, out_signal : int
        Length of the signal before and after, pooling included; features, after the squeeze.
    """

    name: str
    in_channels: int
    out_channels: int
    in_signal: int
    out_signal: int


def layer_table(network: Conv1d) -> list[Layer]:
    """Return the output shape of each layer of a network.

    Parameters
    ----------
    network : Conv1d

    Returns
    -------
    layers : list of Layer
        From the first convolution to the last linear layer.

    Examples
    --------
    >>> for layer in layer_table(Conv1d(3, 31, 45))[:2]:
    ...     print(layer.name, layer.in_channels, layer.out_channels, layer.in_signal, layer.out_signal)
    Conv1D-1 3 20 45 22
    Conv1D-2 20 20 22 11
    """
    n_channels, signal_length = network.input_shape
    signal = torch.zeros(1, signal_length, n_channels)
    layers = []
    with torch.no_grad():
        for number, convolution in enumerate(network.convolutions, start=1):
            before = signal
            signal = _convolve_and_halve(before, cast(nn.Conv1d, convolution), network.activation)
            shapes = (before.shape[2], signal.shape[2], before.shape[1], signal.shape[1])
            layers.append(Layer(f"Conv1D-{number}", *shapes))
    n_features = network.linear_1.in_features
    return [
        *layers,
        Layer("Squeeze", n_features, 1, 1, n_features),
        Layer("Linear-1", 1, 1, n_features, network.linear_1.out_features),
        Layer("Linear-2", 1, 1, network.linear_2.in_features, network.linear_2.out_features),
    ]


def _widths(signal_length: int, channels: Sequence[int] | None) -> tuple[int, ...]:
    """Return the channels given, checked against the window, or else the usual ones."""
    usual = conv_channels(signal_length)
    if channels is None:
        return usual
    if len(channels) != len(usual):
        raise InputError(f"channels must have {len(usual)} numbers for {signal_length} samples, got {len(channels)}")
    for width in channels:
        _whole("channels", width, least=1)
    return tuple(channels)


def _is_number(value: object) -> bool:
    """Tell whether a value is a number and no bool."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(name: str, value: object, *, least: int) -> None:
    """Refuse what is no whole number, or too small."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InputError(f"{name} must be a whole number >= {least}, got {value!r}")


def _by(shape: Sequence[int]) -> str:
    """Word a shape."""
    return ", ".join(str(size) for size in shape)
