"""Slip by a trained network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slipcast.errors import InputError
from slipcast.inversion.estimate import SlipEstimate
from slipcast.records import Records

if TYPE_CHECKING:
    from slipcast.learning.checkpoint import Checkpoint

__all__ = ["invert_network"]


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
    gauges = list(checkpoint.gauges)
    if missing := [name for name in gauges if name not in records.gauges]:
        raise InputError(f"records lack gauge {', '.join(missing)}; the model takes {', '.join(gauges)}")
    times_s = checkpoint.sample_times_s
    sampled = records.resample(times_s, gauges).to_numpy()
    if (gaps := np.isnan(sampled)).any():
        *event, gauge, sample = (int(i) for i in np.argwhere(gaps)[0])
        of_event = f" of event {event[0]}" if event else ""
        raise InputError(
            f"gauge {gauges[gauge]}{of_event} has no sample at {times_s[sample] / 60:g} min after the "
            f"origin; the model needs all of its {checkpoint.window_min:g} min"
        )
    return SlipEstimate.from_slip(
        checkpoint.predict(sampled),
        list(checkpoint.sources),
        method="network",
        window_min=checkpoint.window_min,
        region=checkpoint.region,
        gauges=gauges,
        model=checkpoint.id,
    )
