"""Deep-ocean tsunami records to fault slip, and slip to a forecast.

The names below are loaded when first used, so that ``import slipcast`` is quick and reads nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str

    from slipcast import metrics, plots  # noqa: F401
    from slipcast.errors import InputError, SlipcastWarning
    from slipcast.evaluation.evaluation import Evaluation, evaluate
    from slipcast.forecasting.forecast import Forecast, forecast
    from slipcast.forecasting.wave_fit import WaveFit, fit_waves
    from slipcast.greens.bank import GreensBank
    from slipcast.greens.surface_bank import SurfaceBank
    from slipcast.inversion.estimate import SlipEstimate
    from slipcast.inversion.gaussian import GaussianPosterior
    from slipcast.inversion.inverter import Inverter
    from slipcast.inversion.least_squares import LeastSquares
    from slipcast.inversion.mixture import RuptureMixture
    from slipcast.inversion.surface_estimate import SurfaceEstimate
    from slipcast.inversion.surface_posterior import SurfacePosterior
    from slipcast.learning.checkpoint import Checkpoint
    from slipcast.learning.config import TrainConfig
    from slipcast.learning.inverters import open_inverter, open_model
    from slipcast.learning.posterior.posterior import NeuralPosterior
    from slipcast.learning.train import train
    from slipcast.physics.bathymetry import Bathymetry
    from slipcast.physics.ruptures import RuptureSettings
    from slipcast.realtime.event_slip import invert
    from slipcast.realtime.nowcast import Nowcast
    from slipcast.realtime.real_event import EventInversion, invert_event
    from slipcast.realtime.replay import Replay, replay
    from slipcast.records.packaged import packaged_records
    from slipcast.records.read import read_records
    from slipcast.records.records import Records
    from slipcast.regions.region import Region, region_names
    from slipcast.scenarios.scenario_set import ScenarioSet

_HOMES = {
    "Bathymetry": "physics.bathymetry",
    "Checkpoint": "learning.checkpoint",
    "Evaluation": "evaluation.evaluation",
    "EventInversion": "realtime.real_event",
    "Forecast": "forecasting.forecast",
    "GaussianPosterior": "inversion.gaussian",
    "RuptureMixture": "inversion.mixture",
    "GreensBank": "greens.bank",
    "InputError": "errors",
    "Inverter": "inversion.inverter",
    "LeastSquares": "inversion.least_squares",
    "NeuralPosterior": "learning.posterior.posterior",
    "Nowcast": "realtime.nowcast",
    "Records": "records.records",
    "Region": "regions.region",
    "Replay": "realtime.replay",
    "RuptureSettings": "physics.ruptures",
    "ScenarioSet": "scenarios.scenario_set",
    "SlipEstimate": "inversion.estimate",
    "SlipcastWarning": "errors",
    "SurfaceBank": "greens.surface_bank",
    "SurfaceEstimate": "inversion.surface_estimate",
    "SurfacePosterior": "inversion.surface_posterior",
    "TrainConfig": "learning.config",
    "WaveFit": "forecasting.wave_fit",
    "evaluate": "evaluation.evaluation",
    "fit_waves": "forecasting.wave_fit",
    "forecast": "forecasting.forecast",
    "invert": "realtime.event_slip",
    "invert_event": "realtime.real_event",
    "open_inverter": "learning.inverters",
    "open_model": "learning.inverters",
    "packaged_records": "records.packaged",
    "read_records": "records.read",
    "region_names": "regions.region",
    "replay": "realtime.replay",
    "train": "learning.train",
}

__all__ = [
    "Bathymetry",
    "Checkpoint",
    "Evaluation",
    "EventInversion",
    "Forecast",
    "GaussianPosterior",
    "GreensBank",
    "InputError",
    "Inverter",
    "LeastSquares",
    "NeuralPosterior",
    "Nowcast",
    "Records",
    "Region",
    "Replay",
    "RuptureMixture",
    "RuptureSettings",
    "ScenarioSet",
    "SlipEstimate",
    "SlipcastWarning",
    "SurfaceBank",
    "SurfaceEstimate",
    "SurfacePosterior",
    "TrainConfig",
    "WaveFit",
    "__version__",
    "evaluate",
    "fit_waves",
    "forecast",
    "invert",
    "invert_event",
    "open_inverter",
    "open_model",
    "packaged_records",
    "read_records",
    "region_names",
    "replay",
    "train",
]

_MODULES = ("metrics", "plots")


def __getattr__(name: str) -> Any:
    value: Any
    if name == "__version__":
        value = import_module("slipcast.io.identity").package_version()
    elif name in _MODULES:
        value = import_module(f"slipcast.{name}")
    elif name in _HOMES:
        value = getattr(import_module(f"slipcast.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module 'slipcast' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
