"""Optimisers of stacked networks: torch's rules, with a learning rate and a weight decay for each row."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from slipcast.errors import unknown_name

__all__ = ["MOMENTS", "StackedOptimizer"]

MOMENTS: dict[str, tuple[str, ...]] = {
    "adam": ("exp_avg", "exp_avg_sq"),
    "adamw": ("exp_avg", "exp_avg_sq"),
    "sgd": (),
    "rmsprop": ("square_avg",),
}
"""State of each optimiser for every value, by torch's names."""

_MEAN, _SQUARE, _EPS, _RMS = 0.9, 0.999, 1e-8, 0.99


class StackedOptimizer:
    """Take steps for networks whose weights are rows.

    Parameters
    ----------
    kind : {"adam", "adamw", "sgd", "rmsprop"}
        Torch's rules, with torch's defaults for all but what follows.
    rates, decays : sequence of float
        Learning rate and weight decay of each row.
    values : Tensor, shape (n_networks, n_values)
        The weights that the first step will be given.

    Attributes
    ----------
    moments : dict of str to Tensor
        Named as in :data:`MOMENTS`, each of the shape of the values.
    steps : int
        Steps taken.

    Raises
    ------
    InputError
        If the kind is unknown.
    """

    def __init__(self, kind: str, rates: Sequence[float], decays: Sequence[float], values: torch.Tensor):
        if kind not in MOMENTS:
            raise unknown_name("optimizer", kind, MOMENTS)
        self.kind = kind
        self.steps = 0
        self.moments = {name: torch.zeros_like(values) for name in MOMENTS[kind]}
        self._rates, self._decays = _column(rates, values), _column(decays, values)
        self._one_rate = rates[0] if len(set(rates)) == 1 else None
        self._decaying = any(decays)
        self._scratch = torch.empty_like(values)

    def keep(self, which: Sequence[int]) -> None:
        """Continue with some of the rows."""
        rows = list(which)
        self.moments = {name: moment[rows].clone() for name, moment in self.moments.items()}
        self._rates, self._decays = self._rates[rows], self._decays[rows]
        self._scratch = self._scratch[rows].clone()

    def step(self, values: torch.Tensor, gradient: torch.Tensor) -> None:
        """Change the values by a gradient, which is used up."""
        self.steps += 1
        if self._decaying and self.kind == "adamw":
            values.mul_(1 - self._rates * self._decays)
        elif self._decaying:
            gradient.addcmul_(values, self._decays)
        if self.kind == "sgd":
            self._move(values, gradient, 1.0)
        elif self.kind == "rmsprop":
            square = self.moments["square_avg"].mul_(_RMS).addcmul_(gradient, gradient, value=1 - _RMS)
            torch.sqrt(square, out=self._scratch)
            self._move(values, gradient.div_(self._scratch.add_(_EPS)), 1.0)
        else:
            root = math.sqrt(1 - _SQUARE**self.steps)
            mean = self.moments["exp_avg"].lerp_(gradient, 1 - _MEAN)
            square = self.moments["exp_avg_sq"].mul_(_SQUARE).addcmul_(gradient, gradient, value=1 - _SQUARE)
            torch.sqrt(square, out=self._scratch)
            torch.div(mean, self._scratch.add_(_EPS * root), out=gradient)
            self._move(values, gradient, root / (1 - _MEAN**self.steps))

    def _move(self, values: torch.Tensor, direction: torch.Tensor, factor: float) -> None:
        """Go down along a direction, by the rate of each row times a factor."""
        if self._one_rate is not None:
            values.sub_(direction, alpha=self._one_rate * factor)
        else:
            values.addcmul_(direction, self._rates, value=-factor)


def _column(numbers: Sequence[float], values: torch.Tensor) -> torch.Tensor:
    """Return numbers as a column, to go with rows of values."""
    return torch.tensor(numbers, dtype=values.dtype, device=values.device)[:, None]
