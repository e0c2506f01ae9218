"""slipcast: deep-ocean tsunami records to fault slip, and slip to a forecast.

The names below are loaded when first used, so that ``import slipcast`` is quick and reads nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slipcast.errors import InputError, SlipcastWarning
    from slipcast.evaluation.evaluation import evaluate
    from slipcast.forecasting.forecast import Forecast, forecast
    from slipcast.greens.bank import GreensBank
    from slipcast.inversion import SlipEstimate, invert
    from slipcast.learning.checkpoint import Checkpoint
    from slipcast.learning.config import TrainConfig
    from slipcast.learning.inverters import open_model
    from slipcast.learning.train import train
    from slipcast.physics.bathymetry import Bathymetry
    from slipcast.physics.ruptures import RuptureSettings
    from slipcast.realtime.replay import replay
    from slipcast.records import Records, packaged_records, read_records
    from slipcast.regions.region import Region, region_names
    from slipcast.scenarios.scenario_set import ScenarioSet

_HOMES = {
    "Bathymetry": "physics.bathymetry",
    "Checkpoint": "learning.checkpoint",
    "Forecast": "forecasting.forecast",
    "GreensBank": "greens.bank",
    "InputError": "errors",
    "Records": "records",
    "Region": "regions.region",
    "RuptureSettings": "physics.ruptures",
    "ScenarioSet": "scenarios.scenario_set",
    "SlipEstimate": "inversion",
    "SlipcastWarning": "errors",
    "TrainConfig": "learning.config",
    "evaluate": "evaluation.evaluation",
    "forecast": "forecasting.forecast",
    "invert": "inversion",
    "open_model": "learning.inverters",
    "packaged_records": "records",
    "read_records": "records",
    "region_names": "regions.region",
    "replay": "realtime.replay",
    "train": "learning.train",
}

__all__ = [
    "Bathymetry",
    "Checkpoint",
    "Forecast",
    "GreensBank",
    "InputError",
    "Records",
    "Region",
    "RuptureSettings",
    "ScenarioSet",
    "SlipEstimate",
    "SlipcastWarning",
    "TrainConfig",
    "evaluate",
    "forecast",
    "invert",
    "open_model",
    "packaged_records",
    "read_records",
    "region_names",
    "replay",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'slipcast' has no attribute {name!r}")
    value = getattr(import_module(f"slipcast.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
