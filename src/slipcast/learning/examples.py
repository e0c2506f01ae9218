"""Training examples: records and slip of a scenario set, chosen, checked and scaled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import xarray as xr

from slipcast.errors import InputError
from slipcast.inversion.least_squares import LeastSquaresSolver
from slipcast.io.labels import positions_of
from slipcast.learning.config import TrainConfig
from slipcast.regions.region import Senses
from slipcast.scenarios.scenario_set import ScenarioSet

__all__ = ["Examples", "Task"]


@dataclass(frozen=True)
class Examples:
    """Scaled records, shape (n, n_gauges, n_times), and slip, m, shape (n, n_sources)."""

    records: torch.Tensor
    weights: torch.Tensor

    def to(self, device: torch.device) -> Examples:
        """Return the same on a device."""
        return Examples(self.records.to(device), self.weights.to(device))

    def __len__(self) -> int:
        return len(self.records)


@dataclass(frozen=True)
class Task:
    """Target, examples and network of a training.

    Attributes
    ----------
    config : TrainConfig
        The recipe.
    scenarios, region : str
        Identity of the scenario set, and name of its region.
    gauges, sources : tuple of str
        Names, in the order of channels and outputs.
    senses : tuple of str
        What each of the gauges senses.
    sample_step_s : float
        Between samples, s.
    record_scale_m : float
        Root mean square of the records of the train part, by which all are divided, m.
    parts : mapping of str to Examples
        ``"train"``, ``"validation"`` and, only where the config asks for its loss, ``"test"``.
    """

    config: TrainConfig
    scenarios: str
    region: str
    gauges: tuple[str, ...]
    senses: tuple[Senses, ...]
    sources: tuple[str, ...]
    sample_step_s: float
    record_scale_m: float
    parts: Mapping[str, Examples] = field(repr=False)

    @classmethod
    def load(cls, scenarios: ScenarioSet, config: TrainConfig) -> Task:
        """Load the parts of a set, checked and scaled.

        Raises
        ------
        InputError
            If a name is unknown, the window does not fit, a part is empty, or a value is not finite.
        """
        gauges = config.gauges or scenarios.region.observers or _complete_darts(scenarios, config.window_min)
        sources = config.sources or tuple(scenarios.sources)
        if config.split_fractions is not None:
            scenarios = scenarios.with_split(config.split_fractions, config.split_seed)
        loaded = {}
        for part in ("train", "validation", "test") if config.test_loss else ("train", "validation"):
            indices = scenarios.indices(part)
            if not indices.size:
                raise InputError(f"the scenario set has no scenario in its {part} part")
            records = scenarios.load_records(gauges, config.window_min, indices, noise_sd_m=config.noise_sd_m)
            weights = _target(scenarios, config, indices, gauges, sources)
            _check_finite(records, "record", "gauge")
            _check_finite(weights, "slip", "source")
            loaded[part] = (records.to_numpy().astype(np.float32), weights.to_numpy().astype(np.float32))
        scale_m = float(np.sqrt(np.mean(np.square(loaded["train"][0], dtype=np.float64))))
        if not scale_m > 0:
            raise InputError("records of the train part are all zero, there is nothing to learn from")
        parts = {
            part: Examples(torch.from_numpy(records / np.float32(scale_m)), torch.from_numpy(weights))
            for part, (records, weights) in loaded.items()
        }
        return cls(
            config=config,
            scenarios=scenarios.id,
            region=scenarios.region.name,
            gauges=tuple(gauges),
            senses=tuple(scenarios.senses[name] for name in gauges),
            sources=tuple(sources),
            sample_step_s=_even_step(records["time"].to_numpy()),
            record_scale_m=scale_m,
            parts=parts,
        )

    @property
    def shape(self) -> dict[str, int]:
        """Numbers of gauges, unit sources and samples, as a network takes them."""
        n_channels, signal_length = self.parts["train"].records.shape[1:]
        return {"n_channels": n_channels, "n_sources": len(self.sources), "signal_length": signal_length}

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of the network."""
        return {**self.shape, **self.config.network_settings}


def _target(
    scenarios: ScenarioSet, config: TrainConfig, indices: np.ndarray, gauges: Sequence[str], sources: Sequence[str]
) -> xr.DataArray:
    """Return the slip to be learned, dims (scenario, source), m."""
    held = scenarios.target
    if config.target in (None, held):
        columns = positions_of(sources, scenarios.sources, dim="source", where="in scenario set")
        return scenarios.load_weights(indices).isel(source=columns)
    if config.target == "area_mean":
        raise InputError(f"target area_mean is not in this scenario set, whose weights are {held}")
    window_min = config.target_window_min
    response = scenarios.source_response(gauges, sources=sources, window_min=window_min)
    records = scenarios.load_records(gauges, window_min, indices, noise_sd_m=config.noise_sd_m)
    _check_finite(records, "record", "gauge")
    return xr.DataArray(
        LeastSquaresSolver(response).solve(records.to_numpy()),
        dims=("scenario", "source"),
        coords={"scenario": indices, "source": list(sources)},
        attrs={"units": "m"},
    )


def _complete_darts(scenarios: ScenarioSet, window_min: float) -> list[str]:
    """Return the DARTs whose records cover the window in every scenario, in the order of their names."""
    complete = []
    hours = scenarios.dataset["gauge_hours"]
    for name in sorted(scenarios.gauge_names("dart")):
        long_enough = 60 * float(hours[scenarios.gauges.index(name)]) >= window_min
        if long_enough and np.isfinite(scenarios.load_records([name], window_min).to_numpy()).all():
            complete.append(name)
    if not complete:
        raise InputError(f"no DART of the scenario set has complete records over the window of {window_min:g} min")
    return complete


def _check_finite(values: xr.DataArray, what: str, labels: str) -> None:
    """Refuse values that are not finite, naming the first."""
    if (bad := ~np.isfinite(values.to_numpy())).any():
        first = np.argwhere(bad)[0]
        scenario = int(values["scenario"][first[0]])
        raise InputError(
            f"{what} of scenario {scenario} at {labels} {values[labels].to_numpy()[first[1]]} is not finite, "
            f"got {values.to_numpy()[tuple(first)]}"
        )


def _even_step(time_s: np.ndarray) -> float:
    """Return the step of samples that must be even and begin one step after the origin."""
    step = float(time_s[0])
    if not np.allclose(time_s, step * np.arange(1, len(time_s) + 1)):
        raise InputError("samples of the scenario set must be evenly spaced from the origin")
    return step
