"""Banks of events: a region's grids and unit sources, and DARTs where they stood on the day."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from benchmarks.events.waves import FirstWave
from slipcast.errors import InputError, SlipcastWarning, invalid_setting
from slipcast.greens.bank import GreensBank
from slipcast.greens.reciprocity import check_region
from slipcast.greens.surface_bank import SurfaceBank
from slipcast.records import Records
from slipcast.regions.region import Gauge, Region

__all__ = ["event_bank", "event_region", "event_surface_bank", "has_what_is_wanted"]

_LONGEST_H = 24.0
_MARGIN_MIN = 15.0
_HUMPS = {"radius_km": 200.0, "spacing_km": 25.0}


def event_region(region: Region, records: Records, waves: Sequence[FirstWave]) -> tuple[Region, dict[str, str]]:
    """Put the gauges of an event into a region.

    Parameters
    ----------
    region : Region
        With grids and unit sources.
    records : Records
        That say where the gauges stood.
    waves : sequence of FirstWave
        The gauges, and how long a wave there takes.

    Returns
    -------
    region : Region
        With these gauges alone, each on the finest grid that holds it in water and that the region runs until its
        first wave has ended, else on the coarsest; runs of all grids are as long as the last first wave needs.
    left_out : dict of str to str
        By station why it has no place.

    Raises
    ------
    InputError
        If no gauge has a place.
    """
    grids = sorted(region.grids, key=lambda name: region.grids[name].spacing_arcmin)
    gauges, left_out = [], {}
    for wave in waves:
        if wave.end_min + _MARGIN_MIN > 60 * _LONGEST_H:
            left_out[wave.gauge] = f"its first wave ends after {wave.end_min:.0f} min, later than a bank reaches"
            continue
        row = records.gauges.index(wave.gauge)
        lon, lat = (float(records.dataset[name][row]) for name in ("gauge_lon", "gauge_lat"))
        errors = []
        for name in grids:
            if name != grids[-1] and 60 * region.grids[name].hours < wave.end_min:
                continue
            gauge = Gauge(name=wave.gauge, kind="dart", lon=lon, lat=lat, grid=name, senses="pressure")
            try:
                check_region(_with_gauges(region, [gauge]))
            except InputError as error:
                errors.append(str(error))
                continue
            gauges.append(gauge)
            break
        else:
            left_out[wave.gauge] = "; ".join(errors)
    if not gauges:
        told = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise InputError(
            f"no station with a first wave lies on a grid of region {region.name}: {told or 'none has one'}"
        )
    placed = {gauge.name for gauge in gauges}
    last_min = max(wave.end_min for wave in waves if wave.gauge in placed)
    hours = float(np.ceil(2 * (last_min + _MARGIN_MIN) / 60) / 2)
    used = {gauge.grid for gauge in gauges}
    made = _with_gauges(region, gauges).with_grids(hours=dict.fromkeys(used, hours))
    return made.model_copy(update={"grids": {name: made.grids[name] for name in grids if name in used}}), left_out


def _with_gauges(region: Region, gauges: Sequence[Gauge]) -> Region:
    """Return a region with other gauges; InputError if one lies outside its grid."""
    content = region.model_dump() | {"gauges": [gauge.model_dump() for gauge in gauges], "observers": ()}
    try:
        return Region.model_validate(content)
    except ValidationError as error:
        raise invalid_setting(error, "key", sorted(Region.model_fields)) from error


def has_what_is_wanted(kept: Region, wanted: Region) -> bool:
    """Tell whether the bank of a region has what is wanted of another."""
    same = (kept.name, kept.sources, kept.subfault_km) == (wanted.name, wanted.sources, wanted.subfault_km)
    if not same or not set(wanted.gauges) <= set(kept.gauges) or not set(wanted.grids) <= set(kept.grids):
        return False
    pairs = [(kept.grids[name], plan) for name, plan in wanted.grids.items()]
    return all(one.hours >= plan.hours and one.model_copy(update={"hours": plan.hours}) == plan for one, plan in pairs)


def event_bank(region: Region, path: Path, *, workers: int | None = None) -> GreensBank:
    """Open the bank of an event, or build it where there is none of this region, or of more gauges and longer runs.

    Parameters
    ----------
    region : Region
        As of :func:`event_region`.
    path : path
        Where the bank is kept.
    workers : int, optional
        Runs at a time.

    Returns
    -------
    bank : GreensBank
    """
    if path.exists():
        kept = GreensBank.open(path)
        if has_what_is_wanted(kept.region, region):
            return kept
    path.parent.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SlipcastWarning)  # some grids are coarse near the sources
        bank = GreensBank.build(region, workers=workers, save_to=path)
    sys.stdout.write(f"bank {path.name}: {time.monotonic() - begin:.0f} s, {path.stat().st_size / 1e6:.0f} MB\n")
    sys.stdout.flush()
    return bank


def event_surface_bank(region: Region, path: Path, epicentre: tuple[float, float]) -> SurfaceBank:
    """Open the bank of humps around an epicentre, or build it where there is none of this region and place.

    Parameters
    ----------
    region : Region
        As of :func:`event_region`.
    path : path
        Where the bank is kept.
    epicentre : (float, float)
        Longitude and latitude, degrees.

    Returns
    -------
    bank : SurfaceBank

    Raises
    ------
    InputError
        If the humps do not fit on a grid of the region.
    """
    if path.exists():
        kept = SurfaceBank.open(path)
        about = [*kept.humps.centre, *(kept.dataset.attrs.get(name, np.nan) for name in _HUMPS)]
        same = np.allclose(about, [epicentre[0] % 360.0, epicentre[1], *_HUMPS.values()])
        if same and has_what_is_wanted(kept.region, region):
            return kept
    path.parent.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    bank = SurfaceBank.build(region, centre=epicentre, workers=1, **_HUMPS)
    bank.save(path)
    sys.stdout.write(f"bank {path.name}: {time.monotonic() - begin:.0f} s, {path.stat().st_size / 1e6:.0f} MB\n")
    sys.stdout.flush()
    return bank
