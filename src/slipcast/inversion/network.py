"""Slip by a trained network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from slipcast.errors import InputError
from slipcast.inversion.estimate import SlipEstimate
from slipcast.inversion.inverter import invert_records
from slipcast.records import Records

if TYPE_CHECKING:
    from slipcast.learning.checkpoint import Checkpoint

__all__ = ["Network", "invert_network"]


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
    if not records.dataset.attrs.get("tide_removed", 0):
        raise InputError("records must be free of the tide for a network, got tide_removed = 0")
    return invert_records(Network(checkpoint), records, region=checkpoint.region, model=checkpoint.id)
