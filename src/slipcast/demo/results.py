"""Settings and results of the demonstration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipcast.evaluation.evaluation import Evaluation
from slipcast.forecasting.forecast import Forecast
from slipcast.forecasting.wave_fit import WaveFit
from slipcast.greens.bank import GreensBank
from slipcast.inversion import SlipEstimate, Timing
from slipcast.learning.checkpoint import Checkpoint
from slipcast.records import Records
from slipcast.scenarios.scenario_set import ScenarioSet

__all__ = ["CHILE_MAGNITUDE", "CHILE_WINDOW_MIN", "DARTS", "CascadiaResult", "ChileResult", "DemoPlan"]

DARTS = ("46404", "46407", "46419")
"""The three channels of Liu (2021)."""

CHILE_MAGNITUDE = 8.8
"""Of the earthquake of 2010, by which unit sources are chosen."""

CHILE_WINDOW_MIN = 240.0
"""What is used of the record of DART 32412, minutes after the origin: up to the trough of its first wave."""


@dataclass(frozen=True)
class DemoPlan:
    """Sizes of the demonstration.

    Attributes
    ----------
    spacing_arcmin : mapping of grid name to float
        Grids of Cascadia, arc-minutes.
    chile_spacing_arcmin : float
        The Pacific grid of Chile, arc-minutes.
    scenarios, epochs : int
        Scenarios drawn, and epochs of training.
    window_min : float
        Of the network, and of the first least squares, minutes.
    long_window_min : float
        Of the second least squares, minutes.
    seed : int
        Of scenarios and training.
    """

    spacing_arcmin: Mapping[str, float]
    chile_spacing_arcmin: float
    scenarios: int
    epochs: int
    window_min: float = 45.0
    long_window_min: float = 240.0
    seed: int = 1

    @classmethod
    def full(cls) -> DemoPlan:
        """Return the plan of ``slipcast demo``: Liu's training recipe on 1,300 scenarios."""
        return cls({"near": 2.0, "pacific": 6.0}, 6.0, scenarios=1300, epochs=300)

    @classmethod
    def quick(cls) -> DemoPlan:
        """Return the plan of ``slipcast demo --quick``: coarser grids, fewer scenarios and epochs."""
        return cls({"near": 4.0, "pacific": 12.0}, 12.0, scenarios=300, epochs=60)


@dataclass(frozen=True)
class CascadiaResult:
    """Results of the simulated part."""

    bank: GreensBank
    scenarios: ScenarioSet
    checkpoint: Checkpoint
    evaluation: Evaluation
    example: int
    records: Records
    slip: dict[str, SlipEstimate]
    forecasts: dict[str, Forecast]


@dataclass(frozen=True)
class ChileResult:
    """Results of the real record."""

    bank: GreensBank
    records: Records
    slip: SlipEstimate
    forecast: Forecast
    fit: WaveFit
    timing: Timing
    scores: dict[str, Any]
