"""Many small convolutional networks at once: their forward and backward passes written out over stacked parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from slipcast.learning.networks import Conv1d

__all__ = ["Conv1dStack"]

_aten = torch.ops.aten


@dataclass(frozen=True)
class _Block:
    """Where a tensor of a network lies in a row of values, and how it is turned for torch's own layers."""

    name: str
    begin: int
    shape: tuple[int, ...]
    turn: tuple[int, ...]

    def cut(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the view of these values in rows, shape (k, n_values)."""
        size = torch.Size(self.shape).numel()
        return rows[:, self.begin : self.begin + size].unflatten(1, self.shape)

    def matrix(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the same as matrices, shape (k, taps times in, out), or vectors, shape (k, out)."""
        view = self.cut(rows)
        return view.flatten(1, 2) if view.ndim == 4 else view


class Conv1dStack:
    """Hold networks of one architecture as rows of one array, and run them together.

    Parameters
    ----------
    networks : sequence of Conv1d
        With the same arguments, dropout apart; their weights are copied.
    device : torch.device, optional

    Attributes
    ----------
    values, gradient : Tensor, shape (n_networks, n_values)
        Weights of each network in a row, and the derivative of its loss by them after :meth:`learn`.

    Notes
    -----
    A convolution of kernel 3 is one matrix product over windows of three samples, batched over networks; maxima of
    pairs and activations follow in place, in arrays that are made once for each size of batch. The derivatives are
    the chain rule by hand, without autograd, whose bookkeeping costs more than the arithmetic of networks this
    small. :class:`~slipcast.learning.networks.Conv1d` is the definition; tests compare the two.
    """

    def __init__(self, networks: Sequence[Conv1d], device: torch.device | None = None):
        first = networks[0]
        self.activation = first.activation.name
        self.slope = first.activation.negative_slope
        self.n_channels, self.length = first.input_shape
        self.blocks = _layout(first)
        self.values = torch.stack([self.row_of(dict(network.state_dict())) for network in networks]).to(device)
        self._begin()

    def _begin(self) -> None:
        """Make what has the size of the values."""
        self.gradient = torch.zeros_like(self.values)
        self._weights = [block.matrix(self.values) for block in self.blocks]
        self._gradients = [block.matrix(self.gradient) for block in self.blocks]
        self._passes: dict[int, _Pass] = {}

    def __len__(self) -> int:
        return len(self.values)

    def row_of(self, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Put tensors that are named as torch's layers name them into a row of values."""
        first = tensors[self.blocks[0].name]
        row = torch.empty(sum(torch.Size(block.shape).numel() for block in self.blocks), dtype=first.dtype)
        for block in self.blocks:
            block.cut(row[None])[0] = tensors[block.name].detach().permute(block.turn)
        return row

    def tensors_of(self, row: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the tensors in a row of values, on the CPU, as torch's layers name and turn them; copies."""
        found = {}
        for block in self.blocks:
            back = tuple(block.turn.index(axis) for axis in range(len(block.turn)))
            found[block.name] = block.cut(row[None])[0].permute(back).cpu().contiguous().clone()
        return found

    def keep(self, which: Sequence[int]) -> None:
        """Continue with some of the networks."""
        self.values = self.values[list(which)].clone()
        self._begin()

    def predict(self, records: torch.Tensor) -> torch.Tensor:
        """Find slip, m, shape (n_networks, n, n_sources), without dropout.

        Parameters
        ----------
        records : Tensor, shape (n, signal_length * n_channels)
            Scaled, channels of a sample side by side, the same for all networks.
        """
        run = self._pass(len(records))
        run.records.copy_(records.view(1, len(records), self.length, self.n_channels))
        return run.forward(self._weights, None, learning=False)

    def learn(
        self, records: torch.Tensor, weights: torch.Tensor, keep: torch.Tensor | None, loss: torch.Tensor
    ) -> None:
        """Compute the loss of a batch for each network, and its gradient.

        Parameters
        ----------
        records : Tensor, shape (n_networks * n, signal_length * n_channels)
            A batch of each network.
        weights : Tensor, shape (n_networks * n, n_sources)
            Its true slip, m.
        keep : Tensor, shape (n_networks, n, hidden), or None
            Factors of the hidden values: 0 where one is dropped.
        loss : Tensor, shape (n_networks,)
            Filled with the mean squared error, m^2.
        """
        n = len(records) // len(self)
        run = self._pass(n)
        run.records.copy_(records.view(len(self), n, self.length, self.n_channels))
        slip = run.forward(self._weights, keep, learning=True)
        run.backward(slip - weights.view_as(slip), keep, self._weights, self._gradients, loss)

    def _pass(self, n: int) -> _Pass:
        """Return the arrays for batches of a size."""
        if n not in self._passes:
            self._passes[n] = _Pass(self, n)
        return self._passes[n]


def _layout(network: Conv1d) -> list[_Block]:
    """Lay out the tensors of a network: convolutions as (tap, channel in, channel out), layers as (in, out)."""
    blocks, begin = [], 0
    for name, tensor in network.state_dict().items():
        turn = {3: (2, 1, 0), 2: (1, 0), 1: (0,)}[tensor.ndim]
        blocks.append(_Block(name, begin, tuple(tensor.shape[axis] for axis in turn), turn))
        begin += tensor.numel()
    return blocks


class _Halving:
    """Arrays of a convolution with its pooling, for a batch of each of the networks."""

    def __init__(self, values: torch.Tensor, n: int, length: int, n_in: int, n_out: int):
        count, half, padded = len(values), length // 2, 2 * (length // 2) + 2

        def array(*shape: int, dtype: torch.dtype = values.dtype) -> torch.Tensor:
            return torch.zeros(count, *shape, dtype=dtype, device=values.device)

        pad = array(n, padded, n_in)  # its ends stay zero
        self.signal = pad[:, :, 1 : 1 + length]
        self.overlapping = pad.as_strided((count, n, 2 * half, 3 * n_in), (n * padded * n_in, padded * n_in, n_in, 1))
        self.windows = array(n, 2 * half, 3 * n_in)
        self.window_rows = self.windows.view(count, n * 2 * half, 3 * n_in)
        self.window_columns = self.window_rows.transpose(1, 2)
        self.products = array(n * 2 * half, n_out)
        self.pairs = self.products.view(count, n, half, 2, n_out)
        self.first = array(n, half, n_out, dtype=torch.bool)
        self.d_products = array(n * 2 * half, n_out)
        d_pairs = self.d_products.view(count, n, half, 2, n_out)
        self.d_first, self.d_second = d_pairs[:, :, :, 0], d_pairs[:, :, :, 1]
        self.d_windows = array(n * 2 * half, 3 * n_in)
        taps = self.d_windows.view(count, n, 2 * half, 3, n_in)
        self.d_signal = array(n, length, n_in)  # an odd last sample gets the last tap alone
        after = length - 1 if length % 2 == 0 else 2 * half
        self.d_middle = (self.d_signal[:, :, : 2 * half], taps[:, :, :, 1])
        self.d_before = (self.d_signal[:, :, : 2 * half - 1], taps[:, :, 1:, 0])
        self.d_after = (self.d_signal[:, :, 1 : 1 + after], taps[:, :, :after, 2])
        self.d_last = self.d_signal[:, :, 2 * half :] if length % 2 else None

    def spread(self) -> None:
        """Take the derivative by windows to the samples that they overlap in."""
        if self.d_last is not None:
            self.d_last.zero_()
        self.d_middle[0].copy_(self.d_middle[1])
        self.d_before[0].add_(self.d_before[1])
        self.d_after[0].add_(self.d_after[1])


class _Pass:
    """A forward and a backward pass of all networks over batches of one size."""

    def __init__(self, stack: Conv1dStack, n: int):
        self.act = _ACTIVATIONS[stack.activation](stack.slope)
        count, length, n_in = len(stack), stack.length, stack.n_channels
        self.halvings = []
        for block in stack.blocks[: len(stack.blocks) - 4 : 2]:
            n_out = block.shape[-1]
            self.halvings.append(_Halving(stack.values, n, length, n_in, n_out))
            length, n_in = length // 2, n_out
        self.records = self.halvings[0].signal
        self.last = stack.values.new_zeros(count, n, 1, n_in)
        self.features = self.last.view(count, n, n_in)
        self.outs = [halving.signal for halving in self.halvings[1:]] + [self.last]

    def forward(self, weights: Sequence[torch.Tensor], keep: torch.Tensor | None, *, learning: bool) -> torch.Tensor:
        """Return slip, m, shape (n_networks, n, n_sources)."""
        for number, (halving, out) in enumerate(zip(self.halvings, self.outs)):
            halving.windows.copy_(halving.overlapping)
            torch.bmm(halving.window_rows, weights[2 * number], out=halving.products)
            pairs, bias = halving.pairs, weights[2 * number + 1][:, None, None]
            if not self.act.rises:
                pairs = self.act.forward(pairs.add_(bias.unsqueeze(3)))
            first, second = pairs[:, :, :, 0], pairs[:, :, :, 1]
            torch.maximum(first, second, out=out)
            if self.act.rises:  # what is added to both of a pair, and what never falls, may follow the maximum
                self.act.forward(out.add_(bias))
            if learning:
                torch.ge(first, second, out=halving.first)
        self.hidden = torch.baddbmm(weights[-3].unsqueeze(1), self.features, weights[-4])
        if keep is not None:
            self.hidden.mul_(keep)
        self.slip = torch.baddbmm(weights[-1].unsqueeze(1), self.hidden, weights[-2]).relu_()
        return self.slip

    def backward(
        self,
        error: torch.Tensor,
        keep: torch.Tensor | None,
        weights: Sequence[torch.Tensor],
        gradients: Sequence[torch.Tensor],
        loss: torch.Tensor,
    ) -> None:
        """Fill the loss, m^2, and the gradients from the error of the slip found, m, which is used up."""
        torch.mean(error.square(), (1, 2), out=loss)
        error.mul_(2 / (error.shape[1] * error.shape[2]))
        d_slip = _aten.threshold_backward(error, self.slip, 0)
        torch.sum(d_slip, 1, out=gradients[-1])
        gradients[-2].copy_(torch.bmm(self.hidden.transpose(1, 2), d_slip))
        d_hidden = torch.bmm(d_slip, weights[-2].transpose(1, 2))
        if keep is not None:
            d_hidden.mul_(keep)
        torch.sum(d_hidden, 1, out=gradients[-3])
        gradients[-4].copy_(torch.bmm(self.features.transpose(1, 2), d_hidden))
        d_out = torch.bmm(d_hidden, weights[-4].transpose(1, 2)).view(self.last.shape)
        for number in reversed(range(len(self.halvings))):
            halving = self.halvings[number]
            d_top = self.act.backward(d_out, self.outs[number]) if self.act.rises else d_out
            torch.mul(d_top, halving.first, out=halving.d_first)
            torch.sub(d_top, halving.d_first, out=halving.d_second)
            if not self.act.rises:
                halving.d_products.copy_(self.act.backward(halving.d_products, halving.products))
            torch.sum(
                d_top if self.act.rises else halving.d_products.unsqueeze(1), (1, 2), out=gradients[2 * number + 1]
            )
            gradients[2 * number].copy_(torch.bmm(halving.window_columns, halving.d_products))
            if number:
                torch.bmm(halving.d_products, weights[2 * number].transpose(1, 2), out=halving.d_windows)
                halving.spread()
                d_out = halving.d_signal


@dataclass(frozen=True)
class _Act:
    """An activation and its derivative: in place and by its result where it never falls, else by its argument."""

    forward: Callable[[torch.Tensor], torch.Tensor]
    backward: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    rises: bool = True


_ACTIVATIONS: dict[str, Callable[[float], _Act]] = {
    "leaky_relu": lambda slope: _Act(
        lambda signal: functional.leaky_relu_(signal, slope),
        lambda d, result: _aten.leaky_relu_backward(d, result, slope, True),
    ),
    "relu": lambda _: _Act(torch.relu_, lambda d, result: _aten.threshold_backward(d, result, 0)),
    "elu": lambda _: _Act(functional.elu_, lambda d, result: _aten.elu_backward(d, 1, 1, 1, True, result)),
    "tanh": lambda _: _Act(torch.tanh_, _aten.tanh_backward),
    "gelu": lambda _: _Act(functional.gelu, _aten.gelu_backward, rises=False),
    "silu": lambda _: _Act(functional.silu, _aten.silu_backward, rises=False),
}
