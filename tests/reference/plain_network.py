"""Liu's network as it is written plainly, which slipcast's own is measured against."""

from __future__ import annotations

import torch
from torch import nn

from slipcast.learning.networks import conv_channels

__all__ = ["PlainNetwork"]


class PlainNetwork(nn.Module):
    """Liu's network (``conv1d``) by PyTorch's own layers.

    Parameters
    ----------
    n_channels, n_sources : int
        Gauges and unit sources.
    signal_length : int
        Samples of a record.
    """

    def __init__(self, n_channels: int, n_sources: int, signal_length: int):
        super().__init__()
        widths = conv_channels(signal_length)
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(nn.Conv1d(n_in, n_out, 3, padding=1), nn.LeakyReLU(0.01), nn.MaxPool1d(2, 2))
                for n_in, n_out in zip((n_channels, *widths), widths)
            )
        )
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(widths[-1], 40), nn.Dropout(0.3), nn.Linear(40, n_sources), nn.ReLU()
        )

    def forward(self, records: torch.Tensor) -> torch.Tensor:
        """Map scaled records, shape (n, n_channels, signal_length), to slip, m, (n, n_sources)."""
        return self.head(self.blocks(records))
