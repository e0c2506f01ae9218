"""Test sets: in distribution, several of them, and shifted ones."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr

from benchmarks.accuracy.methods import Methods
from benchmarks.accuracy.noise import drifting
from slipcast.errors import SlipcastWarning
from slipcast.evaluation.shifted_sets import (
    coloured_noise,
    perturbed_bathymetry,
    resimulated,
    smooth_slip,
    uniform_slip,
)
from slipcast.greens.bank import GreensBank
from slipcast.inversion import LeastSquaresSolver
from slipcast.physics.bathymetry import Bathymetry
from slipcast.physics.ruptures import RuptureSettings
from slipcast.scenarios.scenario_set import ScenarioSet

__all__ = ["MAIN", "Case", "Cases"]

MAIN = "main"
"""Name of the first set that is in distribution."""

_TARGET_MIN = 240.0
_REPEAT_SEED = 500


@dataclass(frozen=True)
class Case:
    """A test set.

    Attributes
    ----------
    name : str
        For files.
    label : str
        For tables.
    make : callable
        Makes its scenarios.
    paired : bool
        Whether they are the first ruptures of the main set, seen in another way.
    coloured : bool
        Whether records have coloured noise with a drift of its own, not white noise and the drift of a tide.
    """

    name: str
    label: str
    make: Callable[[], ScenarioSet]
    paired: bool = True
    coloured: bool = False


@dataclass(frozen=True)
class Cases:
    """All test sets of a benchmark.

    Attributes
    ----------
    methods : Methods
        With bank, settings and store.
    """

    methods: Methods

    @cached_property
    def main(self) -> ScenarioSet:
        """The main set."""
        config = self.methods.config
        kept = self.methods.store.scenarios(
            "scenarios", lambda: ScenarioSet.build(self.methods.bank, count=config.count, seed=config.seed)
        )
        return ScenarioSet(kept.dataset.load())  # every part reads all of it

    @cached_property
    def some(self) -> ScenarioSet:
        """The first scenarios of the main set."""
        return ScenarioSet(self.main.dataset.isel(scenario=slice(0, self.methods.config.other_count)).load())

    @cached_property
    def all(self) -> dict[str, Case]:
        """The main set, and then the shifted ones."""
        subfaults = self.methods.bank.subfaults
        config = self.methods.config
        cases = [
            Case(MAIN, "in distribution", lambda: self.main),
            *(
                self._drawn(20 + n, f"hurst_{h:g}", f"Hurst {h:g}", RuptureSettings(hurst=(h,)))
                for n, h in enumerate((0.4, 0.75, 0.2, 1.0))
            ),
            *(
                self._drawn(30 + n, f"mw_{low}_{high}", f"Mw {low} to {high}", RuptureSettings(magnitude=(low, high)))
                for n, (low, high) in enumerate(config.other_magnitudes)
            ),
            self._other_slip("uniform", "uniform slip", lambda slip: uniform_slip(slip, subfaults.area_m2)),
            self._other_slip("smooth", "one smooth patch", lambda slip: smooth_slip(slip, subfaults)),
            self._other_bank("grid", f"grid of {config.other_spacing_arcmin:g}'", self._coarser_bank),
            self._other_bank("bathymetry", "bathymetry off by 2 %", self._perturbed_bank),
            Case("noise", "coloured noise, drift", lambda: self.some, coloured=True),
            Case("target", "least-squares target", self._least_squares_target),
        ]
        return {case.name: case for case in cases}

    @cached_property
    def repeats(self) -> dict[str, Case]:
        """More sets like the main one, each with a seed of its own, by name."""
        config = self.methods.config
        numbers = range(2, config.test_sets + 1)
        return {f"set_{number}": self._repeat(f"set_{number}", _REPEAT_SEED + number) for number in numbers}

    def records(self, case: Case, scenarios: ScenarioSet) -> xr.DataArray:
        """Return the records of a set with their noise and drift, dims (scenario, gauge, time), m.

        Noise and drift of the sets that are paired are the same.
        """
        methods, config = self.methods, self.methods.config
        if not case.coloured:
            records = scenarios.load_records(methods.gauges, methods.longest_min, noise_sd_m=config.noise_sd_m)
            of_set = 0 if case.paired else zlib.crc32(case.name.encode())
            return drifting(records, config.drift_m, np.random.default_rng([config.seed, 4, of_set]))
        records = scenarios.load_records(methods.gauges, methods.longest_min)
        rng = np.random.default_rng([config.seed, 1])
        n_scenarios, n_gauges, n_times = records.shape
        return records + coloured_noise((n_scenarios, n_gauges, n_times), rng, sd_m=config.noise_sd_m)

    def _repeat(self, name: str, number: int) -> Case:
        """Describe another set like the main one."""
        methods = self.methods
        count, seed = methods.config.count, methods.config.seed + number

        def make() -> ScenarioSet:
            return ScenarioSet.build(methods.bank, count=count, seed=seed)

        return Case(name, "in distribution", make, paired=False)

    def _drawn(self, number: int, name: str, label: str, settings: RuptureSettings) -> Case:
        """Describe a set of ruptures drawn otherwise."""
        methods = self.methods
        count, seed = methods.config.other_count, methods.config.seed + number

        def make() -> ScenarioSet:
            return ScenarioSet.build(methods.bank, count=count, seed=seed, settings=settings)

        return Case(name, label, make, paired=False)

    def _other_slip(self, name: str, label: str, change: Callable[[np.ndarray], np.ndarray]) -> Case:
        """Describe the ruptures of the main set with other slip."""

        def make() -> ScenarioSet:
            slip = change(self.some.dataset["slip"].to_numpy())
            return resimulated(self.some, self.methods.bank, slip_m=slip)

        return Case(name, label, make)

    def _other_bank(self, name: str, label: str, build: Callable[[], GreensBank]) -> Case:
        """Describe the ruptures of the main set with other waves."""
        return Case(name, label, lambda: resimulated(self.some, self.methods.store.bank(f"bank_{name}", build)))

    def _coarser_bank(self) -> GreensBank:
        """Compute the bank with another spacing of its finest grid."""
        return self._build(spacing_arcmin=self.methods.config.other_spacing_arcmin)

    def _perturbed_bank(self) -> GreensBank:
        """Compute the bank over a perturbed sea floor."""
        return self._build(bathymetry=perturbed_bathymetry(Bathymetry.etopo1(), seed=self.methods.config.seed))

    def _build(self, **options) -> GreensBank:
        """Compute a bank that may be coarse, as it is meant to be."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SlipcastWarning)
            return GreensBank.build(self.methods.bank.region, **options)

    def _least_squares_target(self) -> ScenarioSet:
        """Put in the place of true slip what least squares finds on long records, the target of Liu (2021)."""
        methods = self.methods
        hours = dict(zip(self.some.gauges, self.some.dataset["gauge_hours"].to_numpy().tolist(), strict=True))
        window_min = min(_TARGET_MIN, *(60 * hours[name] for name in methods.gauges))
        response = methods.bank.source_response(methods.gauges, window_min=window_min)
        records = self.some.load_records(methods.gauges, window_min, noise_sd_m=methods.config.noise_sd_m)
        weights = LeastSquaresSolver(response).solve(records.to_numpy()).astype(np.float32)
        data = self.some.dataset
        return ScenarioSet(data.assign(weights=data["weights"].copy(data=weights)).assign_attrs(target="least_squares"))
