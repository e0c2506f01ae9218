"""slipcast: deep-ocean tsunami records to fault slip, and slip to a forecast.

The names below are loaded when first used, so that ``import slipcast`` is quick and reads nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slipcast.errors import InputError, SlipcastWarning
    from slipcast.evaluate import evaluate
    from slipcast.forecast import Forecast, forecast
    from slipcast.greens import GreensBank
    from slipcast.inversion import SlipEstimate, invert
    from slipcast.inversion.network import open_model
    from slipcast.learning.checkpoint import Checkpoint
    from slipcast.learning.config import TrainConfig
    from slipcast.learning.train import train
    from slipcast.physics.bathymetry import Bathymetry
    from slipcast.physics.ruptures import RuptureSettings
    from slipcast.records import Records, packaged_records, read_records
    from slipcast.region import Region, region_names
    from slipcast.replay import replay
    from slipcast.scenarios import ScenarioSet

_HOMES = {
    "Bathymetry": "physics.bathymetry",
    "Checkpoint": "learning.checkpoint",
    "Forecast": "forecast",
    "GreensBank": "greens",
    "InputError": "errors",
    "Records": "records",
    "Region": "region",
    "RuptureSettings": "physics.ruptures",
    "ScenarioSet": "scenarios",
    "SlipEstimate": "inversion",
    "SlipcastWarning": "errors",
    "TrainConfig": "learning.config",
    "evaluate": "evaluate",
    "forecast": "forecast",
    "invert": "inversion",
    "open_model": "inversion.network",
    "packaged_records": "records",
    "read_records": "records",
    "region_names": "region",
    "replay": "replay",
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


class _Package(ModuleType):
    """The package: a function keeps its name although its module has the same (``forecast``, ``evaluate``)."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (isinstance(value, ModuleType) and name in _HOMES):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
