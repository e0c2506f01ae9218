"""Speed of a bank by reciprocity, and of scenarios from it, against forward runs."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.speed.config import SpeedConfig
from benchmarks.speed.timing import interleaved, one_thread, ratios, spread
from slipcast.errors import SlipcastWarning
from slipcast.greens.bank import GreensBank
from slipcast.greens.reciprocity import SAMPLE_S
from slipcast.physics.bathymetry import Bathymetry
from slipcast.physics.okada import subfault_uplift
from slipcast.physics.projection import uplift_box
from slipcast.physics.shallow_water import LongWaves
from slipcast.regions.region import Region
from slipcast.scenarios.stream import ScenarioStream

__all__ = ["build_bank", "finest_gauges", "measure_bank", "measure_scenarios"]


def finest_gauges(region: Region, count: int) -> list[str]:
    """Return up to so many gauges of the finest grid of a region, in order."""
    return [gauge.name for gauge in region.gauges if gauge.grid == region.finest_grid][:count]


def build_bank(config: SpeedConfig) -> GreensBank:
    """Build the bank of the benchmark: gauges of Cascadia's near grid, with one worker."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SlipcastWarning)  # coarse on purpose
        return GreensBank.build(
            "cascadia",
            spacing_arcmin=config.spacing_arcmin,
            hours=config.hours,
            gauges=finest_gauges(Region.open("cascadia"), config.n_gauges),
            workers=1,
        )


def _forward(region: Region) -> Callable[..., Callable[[], np.ndarray]]:
    """Lay the finest grid of a region; return what makes a forward run of 1 m of slip on some unit sources.

    With ``ready`` the uplift of the sea floor is there beforehand.
    """
    plan = region.grids[region.finest_grid]
    grid = plan.grid()
    waves = LongWaves(grid, Bathymetry.etopo1().depth_on(grid))
    of_grid = [gauge for gauge in region.gauges if gauge.grid == region.finest_grid]
    stencils = [waves.stencil(gauge.lon, gauge.lat) for gauge in of_grid]
    box = uplift_box(waves, region.subfaults())
    lat, lon = np.meshgrid(grid.lat_deg[box.slices[0]], grid.lon_deg[box.slices[1]], indexing="ij")
    wet = waves.wet[box.slices]

    def of_sources(sources: list[str], *, ready: bool = False) -> Callable[[], np.ndarray]:
        def uplifted() -> np.ndarray:
            sea_level = np.zeros(grid.shape)
            for source in sources:  # one at a time, for all at once are large
                subfaults = region.model_copy(update={"sources": (source,)}).subfaults()
                sea_level[box.slices][wet] += subfault_uplift(lon[wet], lat[wet], subfaults).sum(axis=1)
            return sea_level

        known = uplifted() if ready else None
        count = round(plan.hours * 3600 / SAMPLE_S)

        def run() -> np.ndarray:
            start = uplifted() if known is None else known
            return waves.gauge_series(start, stencils, interval_s=SAMPLE_S, count=count)

        return run

    return of_sources


def measure_bank(config: SpeedConfig) -> dict[str, Any]:
    """Time a bank by reciprocity, and one forward run of one unit source on the same grid, on one core.

    Parameters
    ----------
    config : SpeedConfig
        Grid, gauges and repeats.

    Returns
    -------
    found : dict
        ``gauges``, ``sources``, ``subfaults``, ``spacing_arcmin``, ``hours``; spreads of seconds ``bank`` and
        ``forward``, one run; spreads of ratios ``by_source`` and ``by_subfault``: as many forward runs as there are
        unit sources or subfaults, one measured and multiplied, over the bank.
    """
    with one_thread():
        bank = build_bank(config)
        run = _forward(bank.region)(bank.sources[:1])
        seconds = interleaved({"bank": lambda: build_bank(config), "forward": run}, 3, warm=False)
    once = ratios(seconds["forward"], seconds["bank"])
    return {
        "gauges": len(bank.gauges),
        "sources": len(bank.sources),
        "subfaults": len(bank.subfaults),
        "spacing_arcmin": config.spacing_arcmin,
        "hours": config.hours,
        "bank": spread(seconds["bank"]),
        "forward": spread(seconds["forward"]),
        "by_source": {key: len(bank.sources) * value for key, value in once.items()},
        "by_subfault": {key: len(bank.subfaults) * value for key, value in once.items()},
    }


def measure_scenarios(bank: GreensBank, config: SpeedConfig) -> dict[str, Any]:
    """Time scenarios drawn from a bank, and one forward run of one earthquake on its finest grid, on one core.

    Parameters
    ----------
    bank : GreensBank
        At most ``n_gauges`` of its finest grid are used, as long as their runs are.
    config : SpeedConfig
        Size of a batch, and repeats.

    Returns
    -------
    found : dict
        ``gauges``, ``minutes``; spreads: ``a_second``, kinematic scenarios, sizes shared by
        :class:`~slipcast.scenarios.stream.ScenarioStream`'s default; ``own_sizes``, each with a size of its own;
        ``forward_s``, seconds of one static forward run, its uplift ready; ``over_forward``, its
        time over that of a scenario.
    """
    region = bank.region
    names = finest_gauges(region, config.n_gauges)
    hours = dict(zip(bank.gauges, bank.dataset["gauge_hours"].to_numpy(), strict=True))
    minutes = float(60 * min(hours[name] for name in names))
    shared = ScenarioStream(bank, names, minutes)
    own = ScenarioStream(bank, names, minutes, alike=1)
    own_batch = max(1, config.batch // 8)  # slower, and needs no more to be timed
    batches = {
        "shared": shared.batches(config.batch, np.random.default_rng(1)),
        "own": own.batches(own_batch, np.random.default_rng(1)),
    }
    run = _forward(region)(bank.sources[:1], ready=True)  # whatever the slip, a run takes as long
    with one_thread():
        for drawn in batches.values():
            next(drawn)  # the first one prepares what the others use
        works = {name: partial(next, drawn) for name, drawn in batches.items()} | {"forward": run}
        seconds = interleaved(works, 3, warm=False)
    return {
        "gauges": len(names),
        "minutes": minutes,
        "spacing_arcmin": region.grids[region.finest_grid].spacing_arcmin,
        "a_second": spread([config.batch / s for s in seconds["shared"]]),
        "own_sizes": spread([own_batch / s for s in seconds["own"]]),
        "forward_s": spread(seconds["forward"]),
        "over_forward": {
            key: config.batch * value for key, value in ratios(seconds["forward"], seconds["shared"]).items()
        },
    }
