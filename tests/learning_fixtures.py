"""A small scenario set with made-up waves and an untrained checkpoint, for tests of learning."""

from __future__ import annotations

import numpy as np
import torch
import xarray as xr

from slipcast.learning import TrainConfig
from slipcast.learning.checkpoint import Checkpoint
from slipcast.learning.networks import build_network
from slipcast.regions.region import Region
from slipcast.scenarios.scenario_set import ScenarioSet, split_codes

GAUGES = ("46404", "46407", "46419")
SOURCES = ("acsza57", "acsza58", "acszb57", "acszb58", "acszb59")


def scenario_set(
    count: int = 60,
    *,
    gauges=GAUGES,
    sources=SOURCES,
    minutes: int = 60,
    seed: int = 3,
    set_id: str = "made-up",
) -> ScenarioSet:
    """Make scenarios whose records are exact responses to slip; names, not order, decide on a response."""
    minute = np.arange(minutes + 1)
    response = np.empty((len(gauges), minutes + 1, len(sources)))
    for g, gauge in enumerate(gauges):
        for s, source in enumerate(sources):
            rng = np.random.default_rng([*gauge.encode(), *source.encode()])
            arrival, period, height = rng.uniform(2, 15), rng.uniform(10, 25), rng.uniform(0.02, 0.06)
            late = np.maximum(minute - arrival, 0.0)
            response[g, :, s] = height * np.sin(2 * np.pi * late / period) * np.exp(-late / 30)
    weights = np.random.default_rng(seed).gamma(1.5, 2.0, (count, len(sources)))
    n = len(gauges)
    return ScenarioSet(
        xr.Dataset(
            {
                "records": (
                    ("scenario", "gauge", "time"),
                    np.einsum("gts,ns->ngt", response, weights).astype(np.float32),
                    {"units": "m"},
                ),
                "weights": (("scenario", "source"), weights.astype(np.float32), {"units": "m"}),
                "magnitude": ("scenario", np.full(count, 8.0)),
                "split": ("scenario", split_codes(count, seed)),
                "source_response": (
                    ("gauge", "time", "source"),
                    response.astype(np.float32),
                    {"units": "m m-1"},
                ),
            },
            coords={
                "gauge": list(gauges),
                "gauge_kind": ("gauge", ["dart"] * n),
                "gauge_senses": ("gauge", ["pressure"] * n),
                "gauge_hours": ("gauge", np.full(n, minutes / 60)),
                "gauge_lon": ("gauge", np.full(n, 231.0)),
                "gauge_lat": ("gauge", np.full(n, 45.0)),
                "time": ("time", 60.0 * minute, {"units": "s"}),
                "source": list(sources),
            },
            attrs={
                "id": set_id,
                "seed": seed,
                "region": "cascadia",
                "region_json": Region.open("cascadia").json_text(),
            },
        )
    )


def changed(scenarios: ScenarioSet, **variables) -> ScenarioSet:
    """Return a set with some arrays replaced."""
    return ScenarioSet(scenarios.dataset.assign({k: (scenarios.dataset[k].dims, v) for k, v in variables.items()}))


ARGUMENTS = {"n_channels": 3, "n_sources": 5, "signal_length": 45, "channels": None, "hidden": 40}
HISTORY = tuple(
    {
        "epoch": epoch,
        "train_batch_loss_m2": train + 1,
        "validation_batch_loss_m2": validation + 0.01,
        "train_loss_m2": train,
        "validation_loss_m2": validation,
    }
    for epoch, train, validation in ((1, 9.1, 8.0), (2, 8.1, 7.25), (3, 0.1 + 0.2, 7.5))
)


def make_checkpoint(**changes) -> Checkpoint:
    """Make an untrained checkpoint, with some of its parts changed."""
    torch.manual_seed(changes.pop("seed", 1))
    arguments = changes.get("arguments", ARGUMENTS)
    return Checkpoint(
        **{
            "network": build_network("conv1d", **arguments),
            "architecture": "conv1d",
            "arguments": arguments,
            "gauges": ("46404", "46407", "46419"),
            "senses": ("pressure", "pressure", "pressure"),
            "sources": ("acsza57", "acsza58", "acszb57", "acszb58", "acszb59"),
            "window_min": 45.0,
            "record_scale_m": 0.08,
            "config": TrainConfig(epochs=3),
            "history": HISTORY,
            "epoch": 3,
            "scenarios": "made-up",
            "region": "cascadia",
        }
        | changes
    )


def random_records(n: int = 4) -> np.ndarray:
    """Draw records for it, m."""
    return np.random.default_rng(2).normal(0, 0.1, (n, 3, 45))
