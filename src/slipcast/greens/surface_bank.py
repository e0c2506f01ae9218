"""Banks of responses to humps of the sea surface, for waves whose source is on no fault that is known."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from numbers import Integral, Real
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np
import xarray as xr

from slipcast.errors import InputError, check_kind
from slipcast.greens.checks import bank_id, check_id
from slipcast.greens.labelled import GaugeResponses, gauge_coordinates, joined_responses
from slipcast.greens.reciprocity import run_gauges
from slipcast.io.identity import require
from slipcast.io.labels import check_names, positions_of, window_samples
from slipcast.io.netcdf import read_netcdf, write_netcdf
from slipcast.io.summary import Summary, shortened
from slipcast.parallel.progress import Progress, shown_progress
from slipcast.physics.bathymetry import Bathymetry
from slipcast.physics.humps import Humps, hump_box, lay_humps, wet_areas_m2
from slipcast.physics.shallow_water import LongWaves
from slipcast.regions.region import Region

__all__ = ["SurfaceBank"]

_NEEDED = {"response", "hump_lon", "hump_lat", "hump_area", "gauge_hours", "gauge_senses"}
_ABOUT = {"id", "region_json", "centre", "half_widths"}


@dataclass(frozen=True, repr=False)
class SurfaceBank(GaugeResponses):
    """What gauges sense per metre of height of humps of the sea surface around a place.

    Attributes
    ----------
    dataset : xarray.Dataset
        ``response(gauge, time, hump)``, m per m of height, NaN after the end of a gauge's run; coordinates of gauges as
        a :class:`~slipcast.greens.bank.GreensBank` has them, and of humps: ``hump_lon``, ``hump_lat``, and
        ``hump_area``, the volume in the sea per metre of height, m^2.

    Notes
    -----
    A hump (:mod:`slipcast.physics.humps`) stands at time zero, at rest, and the floor under it is taken to have risen
    by as much, at once: a gauge of pressure inside senses sea level less that uplift, as with a fault. So it is for
    earthquakes of any mechanism, and for landslides and volcanoes as far as they are as fast as the wave; not for air
    pressure, and not for sources that move for minutes. Physics and limits otherwise as those of a bank of slip.
    """

    dataset: xr.Dataset

    @classmethod
    def build(
        cls,
        region: Region | str | os.PathLike,
        *,
        centre: tuple[float, float],
        radius_km: float = 200.0,
        spacing_km: float = 25.0,
        spacing_arcmin: float | Mapping[str, float] | None = None,
        hours: float | Mapping[str, float] | None = None,
        gauges: Iterable[str] | None = None,
        bathymetry: Bathymetry | str | os.PathLike | None = None,
        min_depth_m: float = 10.0,
        elastic: bool = True,
        dispersion: bool = True,
        losses: bool = True,
        workers: int | None = None,
        progress: Progress | bool | None = None,
    ) -> SurfaceBank:
        """Compute a bank by reciprocity, one run per gauge.

        Parameters
        ----------
        region : Region, str or path
            Whose gauges and grids are used; its unit sources are not.
        centre : (float, float)
            Longitude and latitude, degrees, such as those of the epicentre.
        radius_km : float, optional
            Humps up to here from it, where there is sea.
        spacing_km : float, optional
            Between humps, and half the width of each; it must be two cells of each grid at least.
        spacing_arcmin, hours, gauges, bathymetry, min_depth_m, elastic, dispersion, losses, workers, progress
            As :meth:`slipcast.greens.bank.GreensBank.build` takes them.

        Returns
        -------
        bank : SurfaceBank

        Raises
        ------
        InputError
            If an argument is of a wrong kind or out of range, a gauge is on land or outside its grid, no hump is at
            sea, or one reaches outside a grid or is too narrow for it.
        """
        check_kind(region, (Region, str, os.PathLike), "region", "a Region, a name or the path of a TOML file")
        check_kind(bathymetry, (Bathymetry, str, os.PathLike, NoneType), "bathymetry", "a Bathymetry or a path")
        for name, value in (("radius_km", radius_km), ("spacing_km", spacing_km), ("min_depth_m", min_depth_m)):
            check_kind(value, Real, name, "a number")
        options: dict[str, Any] = {"elastic": elastic, "dispersion": dispersion, "losses": losses}
        for name, value in options.items():
            check_kind(value, bool, name, "True or False")
        check_kind(workers, (Integral, NoneType), "workers", "a whole number")
        lon, lat = _place(centre)
        if not isinstance(region, Region):
            region = Region.open(region)
        region = region.with_grids(spacing_arcmin=spacing_arcmin, hours=hours)
        if gauges is not None:
            region = region.with_gauges(check_names(gauges, "gauges"))
        plans = {name: region.grids[name] for name in dict.fromkeys(gauge.grid for gauge in region.gauges)}
        if bathymetry is None:
            bathymetry = Bathymetry.etopo1()
        elif not isinstance(bathymetry, Bathymetry):
            bathymetry = Bathymetry.open(bathymetry, grids=[plan.grid() for plan in plans.values()])
        finest = min(plans.values(), key=lambda plan: plan.spacing_arcmin).grid()
        waves = LongWaves(finest, bathymetry.depth_on(finest), min_depth_m=min_depth_m)
        humps = _at_sea(lay_humps((lon, lat), radius_km=radius_km, spacing_km=spacing_km), waves)
        options["min_depth_m"] = min_depth_m
        with shown_progress(progress, f"humps around ({lon:g}, {lat:g})") as report:
            series, depths = run_gauges(region, bathymetry, humps=humps, **options, workers=workers, progress=report)
        attributes = {
            "radius_km": float(radius_km),
            "spacing_km": float(spacing_km),
            "grids": ", ".join(f"{name} {plan.spacing_arcmin:g} arc-minutes" for name, plan in plans.items()),
            "bathymetry": bathymetry.title,
            "bathymetry_digest": bathymetry.digest,
            **{name: int(value) if isinstance(value, bool) else value for name, value in options.items()},
        }
        return cls.from_series(region, humps, series, wet_areas_m2(waves, humps), depths, attributes)

    @classmethod
    def from_series(
        cls,
        region: Region,
        humps: Humps,
        series: Mapping[str, np.ndarray],
        area_m2: np.ndarray,
        depths_m: Mapping[str, float] | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> SurfaceBank:
        """Make a bank from given responses.

        Parameters
        ----------
        region : Region
            Whose gauges they are at.
        humps : Humps
            Sources.
        series : mapping of gauge name to array, shape (n_times, n_humps)
            What the gauge senses, m per m of height, every minute from the origin; lengths may differ.
        area_m2 : array, shape (n_humps,)
            Volume of each hump in the sea per metre of height, m^2.
        depths_m : mapping of gauge name to float, optional
            Depth of the water at the gauges, m; NaN where unknown.
        attributes : mapping, optional
            Where the responses are from.

        Returns
        -------
        bank : SurfaceBank
        """
        about = {"units": "m m-1", "long_name": "what the gauge senses, m of water, per height of a hump"}
        dataset = xr.Dataset(
            {"response": (("gauge", "time", "hump"), joined_responses(region, series), about)},
            coords=gauge_coordinates(region, series, depths_m or {})
            | {
                "hump": humps.names,
                "hump_lon": ("hump", humps.lon_deg, {"units": "degrees_east"}),
                "hump_lat": ("hump", humps.lat_deg, {"units": "degrees_north"}),
                "hump_area": ("hump", np.asarray(area_m2, float), {"units": "m2"}),
            },
            attrs={
                "region": region.name,
                "region_json": region.json_text(),
                "centre": list(humps.centre),
                "half_widths": [humps.half_lon_deg, humps.half_lat_deg],
                **(attributes or {}),
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
            },
        )
        return cls(dataset.assign_attrs(id=bank_id(dataset)))

    @classmethod
    def open(cls, path: str | os.PathLike) -> SurfaceBank:
        """Read a bank; InputError if the file is missing, incomplete, damaged or of another kind."""
        dataset = read_netcdf(path, "surface bank", check=check_id)
        require(dataset, _NEEDED, _ABOUT, f"{path} is an incomplete bank file")
        return cls(dataset)

    def save(self, path: str | os.PathLike) -> None:
        """Write the bank as netCDF4, whole or not at all."""
        write_netcdf(self.dataset, Path(path), "surface bank")

    def _summary(self) -> Summary:
        lon, lat = self.humps.centre
        about = self.dataset.attrs
        facts = [
            ("humps", f"{len(self.humps)} around ({lon:g}, {lat:g})"),
            ("gauges", shortened(self.gauges)),
            ("time", f"0 to {float(self.dataset['time'][-1]) / 3600:g} h after the origin"),
            ("grids", str(about.get("grids") or "unknown")),
            ("bathymetry", str(about.get("bathymetry") or "unknown")),
            ("id", self.id),
        ]
        return Summary(f"SurfaceBank: {self.region.name}", facts)

    @cached_property
    def humps(self) -> Humps:
        """The humps, in order."""
        lon, lat = (float(degrees) for degrees in self.dataset.attrs["centre"])
        half_lon, half_lat = (float(degrees) for degrees in self.dataset.attrs["half_widths"])
        at_lon, at_lat = (self.dataset[name].to_numpy() for name in ("hump_lon", "hump_lat"))
        return Humps((lon, lat), at_lon, at_lat, half_lon, half_lat)

    @property
    def hump_area_m2(self) -> np.ndarray:
        """Volume of each hump in the sea per metre of height, m^2, shape (n_humps,)."""
        return self.dataset["hump_area"].to_numpy()

    def hump_response(self, gauges: Iterable[str] | None = None, *, window_min: float | None = None) -> xr.DataArray:
        """Return what gauges sense per metre of height of each hump.

        Parameters
        ----------
        gauges : iterable of str, optional
            By name, in the order wanted; by default all.
        window_min : float, optional
            Only samples later than the origin and up to this time, minutes; by default all from zero, NaN after the
            end of a gauge's run.

        Returns
        -------
        response : xarray.DataArray, dims (gauge, time, hump)
            m per m.

        Raises
        ------
        InputError
            If a name is unknown or the window longer than the bank.
        """
        index = positions_of(gauges, self.gauges, dim="gauge", where=f"in bank {self.region.name}")
        response = self.dataset["response"].isel(gauge=index)
        if window_min is None:
            return response
        hours = self.dataset["gauge_hours"].to_numpy()[index]
        shortest = int(np.argmin(hours))
        where = f"bank {self.region.name} at gauge {self.gauges[index[shortest]]}"
        wanted = window_samples(self.time_s, window_min, available_s=3600 * float(hours[shortest]), where=where)
        return response.isel(time=wanted)


def _place(centre: Any) -> tuple[float, float]:
    """Return longitude and latitude; InputError where they are not two numbers."""
    try:
        lon, lat = (float(degrees) for degrees in centre)
    except (TypeError, ValueError):
        raise InputError(f"centre must be longitude and latitude, degrees, got {centre!r}") from None
    return lon, lat


def _at_sea(humps: Humps, waves: LongWaves) -> Humps:
    """Leave out humps whose middle is on land; InputError if none is left, or one reaches outside the grid."""
    hump_box(waves, humps)
    rows, columns = (np.floor(at + 0.5).astype(int) for at in waves.grid.position(humps.lon_deg, humps.lat_deg))
    wet = waves.wet[rows, columns]
    if not wet.any():
        lon, lat = humps.centre
        raise InputError(f"no hump around ({lon:g}, {lat:g}) is at sea")
    return humps.kept(wet)
