"""The network that draws slip: features of the records and random numbers in, amplitudes of slip out."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["SlipGenerator", "energy_score", "marginal_crps"]

_VIEW_WIDTH = 128


class SlipGenerator(nn.Module):
    """Draw amplitudes of slip that fit features of records.

    Parameters
    ----------
    n_features : int
        What is known of a record.
    n_modes : int
        Amplitudes of slip.
    width : int, optional
        Of the part that sees features alone.
    depth : int, optional
        Residual blocks in it.
    draw_width : int, optional
        Of the part that sees random numbers too.
    n_random : int, optional
        Random numbers of a draw.
    n_view : int, optional
        How many of the features, the last ones, say what a record is seen through; by these the layers that see
        features alone are scaled and shifted, each on its own (FiLM: Perez et al. 2018, AAAI 32), so that one network
        can do another thing for every window. 0: they are not.

    Notes
    -----
    A draw is a correction to the linear estimate: its mean, found from the features, and a scatter, a function of the
    features and of normal random numbers, both in units of the error of that estimate. At first the mean is zero. The
    function is free, so the distribution may have any shape; trained by proper scores of its draws it becomes that of
    the truth given the features ("engression", Shen and Meinshausen 2025, J. R. Stat. Soc. B 87, 653).
    """

    def __init__(
        self,
        n_features: int,
        n_modes: int,
        width: int = 512,
        depth: int = 2,
        draw_width: int = 256,
        n_random: int = 64,
        n_view: int = 0,
    ):
        super().__init__()
        self.n_random, self.n_view = n_random, n_view
        self.enter = nn.Linear(n_features, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width)) for _ in range(depth)
        )
        self.mean = nn.Linear(width, n_modes)
        self.scale = nn.Linear(width, n_modes)
        self.to_draw = nn.Linear(width, draw_width)
        self.random_to_draw = nn.Linear(n_random, draw_width, bias=False)
        self.draw = nn.Linear(draw_width, draw_width)
        self.scatter = nn.Linear(draw_width, n_modes)
        self.linear_scatter = nn.Linear(n_random, n_modes, bias=False)
        nn.init.zeros_(self.mean.weight)
        nn.init.zeros_(self.mean.bias)
        if n_view:
            self.view = nn.Sequential(
                nn.Linear(n_view, _VIEW_WIDTH), nn.SiLU(), nn.Linear(_VIEW_WIDTH, _VIEW_WIDTH), nn.SiLU()
            )
            self.of_view = nn.Linear(_VIEW_WIDTH, 2 * (depth + 1) * width)
            nn.init.zeros_(self.of_view.weight)
            nn.init.zeros_(self.of_view.bias)

    def forward(self, features: torch.Tensor, random: torch.Tensor) -> torch.Tensor:
        """Map features, shape (n, n_features), and random numbers, (n, m, n_random), to draws, (n, m, n_modes)."""
        return self.centre_and_draws(features, random)[1]

    def centre_and_draws(self, features: torch.Tensor, random: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the centre of the samples, shape (n, n_modes), and the samples."""
        turned = self.of_view(self.view(features[:, -self.n_view :])) if self.n_view else None
        hidden = nn.functional.silu(_seen(self.enter(features), turned, 0))
        for number, block in enumerate(self.blocks, start=1):
            hidden = hidden + _seen(block(nn.functional.silu(hidden)), turned, number)
        hidden = nn.functional.silu(hidden)
        drawn = nn.functional.silu(self.to_draw(hidden)[:, None] + self.random_to_draw(random))
        drawn = drawn + nn.functional.silu(self.draw(drawn))
        scatter = self.scatter(drawn) + self.linear_scatter(random)
        centre = self.mean(hidden)
        return centre, centre[:, None] + scatter * nn.functional.softplus(self.scale(hidden))[:, None]


def _seen(hidden: torch.Tensor, turned: torch.Tensor | None, number: int) -> torch.Tensor:
    """Scale and shift what layer ``number`` makes, by what the record is seen through."""
    if turned is None:
        return hidden
    width = hidden.shape[-1]
    scale, shift = turned[:, 2 * number * width : 2 * (number + 1) * width].split(width, dim=1)
    return hidden * (1.0 + scale) + shift


def energy_score(true: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    r"""Compute the energy score of draws of a vector.

    Parameters
    ----------
    true : tensor, shape (n, k)
        The truth.
    draws : tensor, shape (n, m, k)
        At least two for each.

    Returns
    -------
    score : tensor, shape (n,)
        :math:`\overline{\|x_i - y\|} - \frac12 \overline{\|x_i - x_j\|}`, pairs of different draws (Gneiting and
        Raftery 2007, JASA 102, 359); in the mean least for the true distribution.
    """
    count = draws.shape[1]
    near = (draws - true[:, None]).square().sum(-1).add(1e-8).sqrt().mean(1)
    apart = (draws[:, :, None] - draws[:, None]).square().sum(-1).add(1e-8).sqrt().sum((1, 2))
    return near - 0.5 * (apart - count * 1e-4) / (count * (count - 1))


def marginal_crps(true: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """Compute the continuous ranked probability score of each element: (n, k) and (n, m, k) to (n, k)."""
    count = draws.shape[1]
    near = (draws - true[:, None]).abs().mean(1)
    apart = (draws[:, :, None] - draws[:, None]).abs().sum((1, 2))
    return near - 0.5 * apart / (count * (count - 1))
