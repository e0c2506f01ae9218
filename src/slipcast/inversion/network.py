"""Slip by a trained network: one that gives slip, or one that draws it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from slipcast.errors import InputError
from slipcast.files import read_json
from slipcast.inversion.estimate import SlipEstimate
from slipcast.inversion.inverter import invert_records, invert_samples
from slipcast.records import Records

if TYPE_CHECKING:
    from slipcast.learning.checkpoint import Checkpoint
    from slipcast.learning.slip_sampler import SlipSampler

__all__ = ["N_SAMPLES", "Network", "invert_network", "invert_sampler", "open_model"]

N_SAMPLES = 200
"""Draws of slip that go with an estimate."""


def open_model(folder: str | os.PathLike) -> Checkpoint | SlipSampler:
    """Open a trained network of either kind; InputError if the folder holds none."""
    from slipcast.learning.checkpoint import Checkpoint
    from slipcast.learning.slip_sampler import SlipSampler

    about = Path(folder) / "model.json"
    if about.is_file() and isinstance(content := read_json(about), dict) and content.get("slipcast") == "sampler":
        return SlipSampler.open(folder)
    return Checkpoint.open(folder)


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
    _refuse_tide(records)
    return invert_records(Network(checkpoint), records, region=checkpoint.region, model=checkpoint.id)


def invert_sampler(records: Records, sampler: SlipSampler, *, window_min: float | None = None) -> SlipEstimate:
    """Draw slip that fits records.

    Parameters
    ----------
    records : Records
        Of one event or several, tide removed; gauges are found by name, those that the sampler does not know are left
        alone, and of those that it knows at least one is needed.
    sampler : SlipSampler
        A trained sampler.
    window_min : float, optional
        Samples up to it are used, minutes after the origin; by default all that it can take.

    Returns
    -------
    estimate : SlipEstimate
        Method ``"sampler"``, with draws on unit sources and on subfaults; its slip is their mean.

    Raises
    ------
    InputError
        If records still hold the tide, no gauge of the sampler is in them, or the window is longer than it knows.
    """
    _refuse_tide(records)
    gauges = [name for name in sampler.gauges if name in records.gauges]
    if not gauges:
        raise InputError(f"records have none of the gauges that the model takes: {', '.join(sampler.gauges)}")
    longest = sampler.window_min
    if window_min is not None and not 0 < window_min <= longest:
        raise InputError(
            f"window must be in (0, {longest:g}] min, the longest that the model knows, got {window_min:g}"
        )
    level = records.resample(sampler.times_s, gauges)
    within = level["time"] <= 60 * (window_min or longest)
    seen = level.where(within).reindex(gauge=list(sampler.gauges)).to_numpy()
    estimate = invert_samples(sampler, seen, region=sampler.region, model=sampler.id, n_samples=N_SAMPLES)
    used = {"window_min": float(window_min or longest), "gauges": " ".join(gauges)}
    return SlipEstimate(estimate.dataset.assign_attrs(used))


def _refuse_tide(records: Records) -> None:
    """Refuse records that still hold the tide."""
    if not records.dataset.attrs.get("tide_removed", 0):
        raise InputError("records must be free of the tide for a network, got tide_removed = 0")
