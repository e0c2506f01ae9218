"""The methods that are compared, each made for a window when it is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import xarray as xr

from benchmarks.accuracy.config import AccuracyConfig
from benchmarks.accuracy.noise import drift_noise, drifting
from benchmarks.accuracy.store import Store
from slipcast.errors import InputError
from slipcast.greens.bank import GreensBank
from slipcast.inversion import (
    GaussianPosterior,
    Inverter,
    JointMoments,
    LeastSquaresSolver,
    RestrictedPosterior,
    WaveInverter,
)
from slipcast.learning.inverters import Network
from slipcast.scenarios.scenario_set import ScenarioSet

__all__ = ["LABELS", "Methods", "Sampler"]

LABELS = {
    "nnls": "least squares",
    "tikhonov": "Tikhonov (GCV)",
    "linear": "linear estimator",
    "gaussian": "Gaussian posterior",
    "bayes": "posterior cut at zero",
    "network": "Liu's network",
    "sampler": "slipcast",
}
"""Methods by name, in the order of the tables, with what they are called there."""

_LINEAR_CHUNK = 2000
_LEAST_NETWORK_MIN = 2


@runtime_checkable
class Sampler(WaveInverter, Protocol):
    """A trained posterior of slip and waves, as :class:`~slipcast.learning.posterior.posterior.NeuralPosterior`."""

    @property
    def id(self) -> str:
        """Its identity."""

    @property
    def bank(self) -> str:
        """Identity of the bank that it was trained with."""


@dataclass(frozen=True)
class Methods:
    """All methods, on the records of the same DARTs.

    Attributes
    ----------
    bank : GreensBank
        Whose responses they know.
    sampler : Sampler
        The one that is to be compared.
    config : AccuracyConfig
        From how many scenarios the others are made.
    store : Store
        Where these scenarios and networks are kept.
    """

    bank: GreensBank
    sampler: Sampler
    config: AccuracyConfig
    store: Store

    @cached_property
    def gauges(self) -> list[str]:
        """The DARTs: the observers of the region or, if it names none, all that have the longest window."""
        hours = dict(zip(self.bank.gauges, self.bank.dataset["gauge_hours"].to_numpy().tolist(), strict=True))
        long_enough = [name for name in self.bank.gauge_names("dart") if 60 * hours[name] >= self.longest_min]
        found = list(self.bank.region.observers) or long_enough
        if not found:
            raise InputError(f"bank {self.bank.region.name} has no DART with a window of {self.longest_min:g} min")
        return found

    @property
    def longest_min(self) -> float:
        """The longest window, minutes."""
        return max(self.config.windows_min)

    def names_at(self, window_min: float) -> list[str]:
        """Return the methods that there are for a window: Liu's network has to halve its samples."""
        return [name for name in LABELS if name != "network" or window_min >= _LEAST_NETWORK_MIN]

    def at(self, name: str, window_min: float, *, without: str = "") -> Inverter:
        """Make a method for a window, with one of the DARTs missing if it is named."""
        gauges = [gauge for gauge in self.gauges if gauge != without]
        if name == "sampler":
            return RestrictedPosterior(self.sampler, window_min, gauges)
        if name == "network":
            return self._network(window_min)
        response = self.bank.source_response(gauges, window_min=window_min)
        noise_sd_m, drift = self.config.noise_sd_m, drift_noise(gauges, response.sizes["time"], self.config.drift_m)
        if name in ("nnls", "tikhonov"):
            slip_sd_m: Literal["gcv"] | None = None if name == "nnls" else "gcv"
            return LeastSquaresSolver(response, noise_sd_m=noise_sd_m, slip_sd_m=slip_sd_m, correlated=drift)
        moments = self._moments.restricted(gauges, window_min)
        if name != "linear":
            moments = moments.through(response)
        return GaussianPosterior(
            moments, noise_sd_m=noise_sd_m, correlated=drift, nonnegative=name == "bayes", method=name
        )

    @cached_property
    def _window(self) -> GreensBank:
        """The part of the bank by which methods are made."""
        return self.bank.with_window(self.gauges, self.longest_min)

    @cached_property
    def _moments(self) -> JointMoments:
        """Moments for the longest window, from scenarios of their own."""
        parts = []
        for number, start in enumerate(range(0, self.config.linear_count, _LINEAR_CHUNK)):
            count = min(_LINEAR_CHUNK, self.config.linear_count - start)
            part = self.store.scenarios(f"linear/{number:02d}", partial(self._drawn, count, 100 + number))
            parts.append(part.dataset.load())
        scenarios = ScenarioSet(
            xr.concat(parts, dim="scenario", data_vars="minimal", coords="minimal", join="override")
        )
        return JointMoments.from_scenarios(scenarios, self.gauges, self.longest_min, split=None)

    def _drawn(self, count: int, number: int) -> ScenarioSet:
        """Draw scenarios without what no method is made from."""
        drawn = ScenarioSet.build(self._window, count=count, seed=self.config.seed + number)
        return ScenarioSet(drawn.dataset.drop_vars(["slip", "onset"]))

    def _drawn_with_drift(self) -> ScenarioSet:
        """Draw the scenarios of Liu's network, whose training adds white noise alone."""
        drawn = self._drawn(self.config.train_count, 1)
        rng = np.random.default_rng([self.config.seed, 5])
        return ScenarioSet(drawn.dataset.assign(records=drifting(drawn.dataset["records"], self.config.drift_m, rng)))

    def _network(self, window_min: float) -> Network:
        """Train Liu's network by Liu's training recipe, or open it."""
        from slipcast.learning.config import TrainConfig
        from slipcast.learning.train import train

        drawn = self.store.scenarios("network/scenarios", self._drawn_with_drift)
        folder = self.store.folder / "network" / f"{window_min:g}_min"
        config = TrainConfig(
            window_min=float(window_min),
            gauges=tuple(self.gauges),
            noise_sd_m=self.config.noise_sd_m,
            epochs=self.config.network_epochs,
            device="cpu",
        )
        return Network(train(drawn, folder, config=config, resume=folder.is_dir()))
