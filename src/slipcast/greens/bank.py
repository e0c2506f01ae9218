"""Banks of Green's functions: what gauges sense per metre of slip on subfaults, one run per gauge."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral, Real
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np
import xarray as xr

from slipcast.errors import InputError, check_kind
from slipcast.greens.checks import CHECKSUMS, check_bank, check_id
from slipcast.greens.labelled import GaugeResponses, labelled_responses
from slipcast.greens.parts import ResponseParts
from slipcast.greens.reciprocity import run_gauges, warn_if_coarse
from slipcast.io.atomic import check_target
from slipcast.io.identity import require
from slipcast.io.labels import align, check_names, positions_of, window_samples
from slipcast.io.lock import lock, parts_folder
from slipcast.io.netcdf import read_netcdf, write_netcdf
from slipcast.io.probe import unreadable_rows
from slipcast.io.summary import Summary, shortened
from slipcast.parallel.progress import Progress, shown_progress
from slipcast.physics.bathymetry import Bathymetry
from slipcast.physics.unit_sources import Subfaults
from slipcast.regions.region import Region

__all__ = ["GreensBank"]

_ABOUT = ("grids", "bathymetry", "bathymetry_digest", "min_depth_m", "kajiura", "elastic", "dispersion", "losses")


@dataclass(frozen=True, repr=False)
class GreensBank(GaugeResponses):
    """A bank of Green's functions.

    Attributes
    ----------
    dataset : xarray.Dataset
        ``response(gauge, time, subfault)``, m per m of slip, NaN after the end of a gauge's run; coordinates of
        gauges (``gauge_lon``, ``gauge_lat``, ``gauge_depth``, ``gauge_kind``, ``gauge_senses``, ``gauge_grid``,
        ``gauge_hours``) and of subfaults (``subfault_lon``, ``subfault_lat``, ``subfault_depth``,
        ``subfault_area``, ``subfault_source``,
        ``subfault_along``, ``subfault_down``).

    Notes
    -----
    What a gauge senses (:class:`slipcast.regions.region.Gauge`) is sea level, or pressure: sea level less the uplift of
    the floor at the gauge, which stays after the wave has gone. Linear: no wetting, breaking or friction, so not for
    heights on land or in harbours, nor closer to the source than its grid resolves (``docs/limits.md``).
    """

    dataset: xr.Dataset

    @classmethod
    def build(
        cls,
        region: Region | str | os.PathLike,
        *,
        spacing_arcmin: float | Mapping[str, float] | None = None,
        hours: float | Mapping[str, float] | None = None,
        gauges: Iterable[str] | None = None,
        bathymetry: Bathymetry | str | os.PathLike | None = None,
        min_depth_m: float = 10.0,
        kajiura: bool = False,
        elastic: bool = True,
        dispersion: bool = True,
        losses: bool = True,
        workers: int | None = None,
        progress: Progress | bool | None = None,
        save_to: str | os.PathLike | None = None,
        scheduler: str | None = None,
        device: str = "cpu",
    ) -> GreensBank:
        """Compute a bank by reciprocity, one run per gauge.

        Parameters
        ----------
        region : Region, str or path
            What to compute; a name or a TOML file.
        spacing_arcmin, hours : float or mapping of grid name to float, optional
            Instead of the region's; a bare number counts for its finest grid.
        gauges : iterable of str, optional
            Some of the region's gauges; by default all.
        bathymetry : Bathymetry or path, optional
            By default the packaged ETOPO1.
        min_depth_m : float, optional
            Shallower cells are land.
        kajiura : bool, optional
            Smooth the uplift of the surface against that of the floor by 1/cosh(kh), h the mean depth around the
            sources (Kajiura 1963).
        elastic : bool, optional
            Slow waves down as compressible water and the give of the Earth do (:class:`LongWaves`), by about 1 %.
        dispersion : bool, optional
            Give waves the dispersion of water, and take that of the grid out (:mod:`slipcast.physics.dispersion`).
        losses : bool, optional
            Let the coast reflect 0.8 of waves, and what follows the first decay over a day
            (:mod:`slipcast.physics.dissipation`).
        workers : int, optional
            Runs at a time; by default one per core.
        progress : callable or bool, optional
            Called with gauges done, their total and a name; ``True`` shows a bar on the error stream.
        save_to : path, optional
            Where to write the bank, whole or not at all. Until then the response of each gauge is kept as it is done,
            in a folder beside it with ``.parts`` added to its name; the same call resumes a build that was stopped.
            Responses of other settings and damaged ones are not used.
        scheduler : str, optional
            Address of a Dask scheduler, such as ``tcp://host:8786``, on whose workers the runs are made.
        device : str, optional
            ``"cpu"``, or ``"cuda"`` for a GPU: all gauges of a grid in one run, the same numbers to 1e-5.

        Returns
        -------
        bank : GreensBank

        Raises
        ------
        InputError
            If an argument is of a wrong kind, a gauge is on land or outside its grid, the bathymetry does not cover a
            grid, the bank cannot be written or another process builds it, no scheduler answers, or the device is not
            there.

        Warns
        -----
        SlipcastWarning
            If a DART near the sources is on a grid coarser than 2 arc-minutes.
        """
        check_kind(region, (Region, str, os.PathLike), "region", "a Region, a name or the path of a TOML file")
        check_kind(bathymetry, (Bathymetry, str, os.PathLike, NoneType), "bathymetry", "a Bathymetry or a path")
        check_kind(min_depth_m, Real, "min_depth_m", "a number of metres")
        options: dict[str, Any] = {
            "min_depth_m": min_depth_m,
            "kajiura": kajiura,
            "elastic": elastic,
            "dispersion": dispersion,
            "losses": losses,
        }
        for name in ("kajiura", "elastic", "dispersion", "losses"):
            check_kind(options[name], bool, name, "True or False")
        check_kind(workers, (Integral, NoneType), "workers", "a whole number")
        check_kind(save_to, (str, os.PathLike, NoneType), "save_to", "a path")
        check_kind(scheduler, (str, NoneType), "scheduler", "an address such as tcp://host:8786")
        check_kind(device, str, "device", "cpu or cuda")
        if save_to is not None:
            check_target(save_to)
        if not isinstance(region, Region):
            region = Region.open(region)
        region = region.with_grids(spacing_arcmin=spacing_arcmin, hours=hours)
        if gauges is not None:
            region = region.with_gauges(check_names(gauges, "gauges"))
        if bathymetry is None:
            bathymetry = Bathymetry.etopo1()
        elif not isinstance(bathymetry, Bathymetry):
            grids = [region.grids[name].grid() for name in dict.fromkeys(gauge.grid for gauge in region.gauges)]
            bathymetry = Bathymetry.open(bathymetry, grids=grids)
        warn_if_coarse(region)
        how: dict[str, Any] = {"workers": workers, "scheduler": scheduler, "device": device}
        attributes = {
            "grids": ", ".join(f"{name} {plan.spacing_arcmin:g} arc-minutes" for name, plan in region.grids.items()),
            "bathymetry": bathymetry.title,
            "bathymetry_digest": bathymetry.digest,
            **{name: int(value) if isinstance(value, bool) else value for name, value in options.items()},
        }

        def computed(parts: ResponseParts | None) -> GreensBank:
            with shown_progress(progress, f"Green's functions of {region.name}") as report:
                series, depths = run_gauges(region, bathymetry, **options, **how, parts=parts, progress=report)
            return cls.from_series(region, series, depths_m=depths, attributes=attributes)

        if save_to is None:
            return computed(None)
        with lock(parts_folder(save_to)) as folder:
            parts = ResponseParts.of(folder, region, bathymetry, **options, device=device)
            computed(parts).save(save_to)
            parts.remove()
        return cls.open(save_to)

    @classmethod
    def from_series(
        cls,
        region: Region,
        series: Mapping[str, np.ndarray],
        *,
        depths_m: Mapping[str, float] | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> GreensBank:
        """Make a bank from given responses.

        Parameters
        ----------
        region : Region
            Whose gauges and subfaults they are of.
        series : mapping of gauge name to array, shape (n_times, n_subfaults)
            What the gauge senses, m per m of slip, every minute from the origin; lengths may differ.
        depths_m : mapping of gauge name to float, optional
            Depth of the water at the gauges, m; NaN where unknown.
        attributes : mapping, optional
            Where the responses are from.

        Returns
        -------
        bank : GreensBank
        """
        return cls(labelled_responses(region, series, depths_m or {}, attributes or {}))

    @classmethod
    def open(cls, path: str | os.PathLike) -> GreensBank:
        """Read a bank; InputError if the file is missing, incomplete, truncated, damaged or no bank."""
        try:
            dataset = read_netcdf(path, "bank", check=check_id)
        except InputError as error:
            if lost := unreadable_rows(Path(path), "response", "gauge"):
                raise InputError(
                    f"{path} is damaged: the response at gauge {', '.join(lost)} cannot be read"
                ) from error
            raise
        variables, attributes = {"response", "subfault_source", "gauge_hours"}, {"id", "region_json", CHECKSUMS}
        if variables <= {*dataset.variables} and "gauge_senses" not in dataset.variables:
            raise InputError(
                f"{path} is a bank of sea level at all gauges, made by an older slipcast, which no DART measures; "
                "build it again (slipcast bank build)"
            )
        require(dataset, variables, attributes, f"{path} is an incomplete bank file")
        return cls(dataset)

    def save(self, path: str | os.PathLike) -> None:
        """Write the bank as netCDF4, whole or not at all."""
        # a chunk for each gauge, so that damage to one leaves the others
        chunks = {"response": (1, *self.dataset["response"].shape[1:])}
        write_netcdf(self.dataset, Path(path), "bank", chunks=chunks)

    def _summary(self) -> Summary:
        subfaults, about = self.dataset.sizes["subfault"], self.dataset.attrs
        facts = [
            ("unit sources", f"{len(self.sources)} on {subfaults} subfaults"),
            ("gauges", shortened(self.gauges)),
            ("time", f"0 to {float(self.dataset['time'][-1]) / 3600:g} h after the origin"),
            ("grids", str(about.get("grids") or "unknown")),
            ("bathymetry", str(about.get("bathymetry") or "unknown")),
            ("id", self.id),
        ]
        return Summary(f"GreensBank: {self.region.name}", facts)

    def with_window(self, gauges: Iterable[str], window_min: float) -> GreensBank:
        """Return a smaller bank: some gauges, in the order of the region, from time zero to the end of a window.

        Raises
        ------
        InputError
            If a gauge is unknown or the window longer than the bank.
        """
        region = self.region.with_gauges(list(gauges))
        index = positions_of(region.gauge_names(), self.gauges, dim="gauge", where=f"in bank {self.region.name}")
        count = int(np.flatnonzero(self._window(index, window_min))[-1]) + 1
        series = dict(zip(region.gauge_names(), self.dataset["response"].to_numpy()[index, :count], strict=True))
        depths = dict(zip(self.gauges, self.dataset["gauge_depth"].to_numpy().tolist(), strict=True))
        about = {key: self.dataset.attrs[key] for key in _ABOUT if key in self.dataset.attrs}
        return self.from_series(region, series, depths_m=depths, attributes=about)

    def with_sources(self, sources: Iterable[str]) -> GreensBank:
        """Return a smaller bank: some unit sources, in the order of the region.

        Raises
        ------
        InputError
            If a unit source is unknown, or none is named.
        """
        wanted = positions_of(sources, self.sources, dim="source", where=f"in bank {self.region.name}")
        if not wanted:
            raise InputError(f"a bank needs at least one unit source, got none of {self.region.name}")
        index = sorted(set(wanted))
        region = self.region.model_copy(update={"sources": tuple(self.sources[i] for i in index)})
        subfaults = np.flatnonzero(np.isin(self.subfaults.source_index, index))
        response = self.dataset["response"].to_numpy()[..., subfaults]
        counts = np.isfinite(response[..., 0]).sum(axis=1)
        series = {name: row[:count] for name, row, count in zip(self.gauges, response, counts, strict=True)}
        depths = dict(zip(self.gauges, self.dataset["gauge_depth"].to_numpy().tolist(), strict=True))
        about = {key: self.dataset.attrs[key] for key in _ABOUT if key in self.dataset.attrs}
        return self.from_series(region, series, depths_m=depths, attributes=about)

    @cached_property
    def subfaults(self) -> Subfaults:
        """The subfaults, in order."""
        return self.region.subfaults()

    @property
    def sources(self) -> list[str]:
        """Names of the unit sources, in order."""
        return list(self.region.sources)

    @cached_property
    def _all_source_responses(self) -> xr.DataArray:
        """Responses to unit sources at all gauges."""
        response = self.dataset["response"].to_numpy()
        starts = np.searchsorted(self.subfaults.source_index, np.arange(len(self.sources)))
        return xr.DataArray(
            np.add.reduceat(response, starts, axis=2, dtype=np.float64),
            dims=("gauge", "time", "source"),
            coords={"gauge": self.gauges, "time": self.time_s, "source": self.sources},
            attrs={"units": "m m-1"},
        )

    def source_response(
        self,
        gauges: Iterable[str] | None = None,
        *,
        sources: Iterable[str] | None = None,
        window_min: float | None = None,
    ) -> xr.DataArray:
        """Return what gauges sense per metre of uniform slip on each unit source.

        Parameters
        ----------
        gauges, sources : iterable of str, optional
            By name, in the order wanted; by default all.
        window_min : float, optional
            Only samples later than the origin and up to this time, minutes; by default all from zero, NaN after the
            end of a gauge's run.

        Returns
        -------
        response : xarray.DataArray, dims (gauge, time, source)
            m per m, float64.

        Raises
        ------
        InputError
            If a name is unknown or the window longer than the bank.
        """
        gauge_index = positions_of(gauges, self.gauges, dim="gauge", where=f"in bank {self.region.name}")
        source_index = positions_of(sources, self.sources, dim="source", where=f"in bank {self.region.name}")
        response = self._all_source_responses.isel(gauge=gauge_index, source=source_index)
        return response if window_min is None else response.isel(time=self._window(gauge_index, window_min))

    def _window(self, gauge_index: list[int], window_min: float) -> np.ndarray:
        """Find the samples of a window that all of some gauges have."""
        hours = self.dataset["gauge_hours"].to_numpy()[gauge_index]
        shortest = int(np.argmin(hours))
        return window_samples(
            self.time_s,
            window_min,
            available_s=3600 * float(hours[shortest]),
            where=f"bank {self.region.name} at gauge {self.gauges[gauge_index[shortest]]}",
        )

    def _matrix(self, on: str, gauges: Iterable[str] | None, window_min: float | None) -> xr.DataArray:
        """Return the linear map as a labelled array (gauge, time, on), float64."""
        if on == "source":
            return self.source_response(gauges, window_min=window_min)
        if on != "subfault":
            raise InputError(f"slip is on 'source' or 'subfault', got {on!r}")
        index = positions_of(gauges, self.gauges, dim="gauge", where=f"in bank {self.region.name}")
        response = self.dataset["response"].isel(gauge=index)
        if window_min is not None:
            response = response.isel(time=self._window(index, window_min))
        return response.astype(np.float64)

    def forward(
        self, slip: xr.DataArray, *, gauges: Iterable[str] | None = None, window_min: float | None = None
    ) -> xr.DataArray:
        """Turn slip into what gauges sense: all of it at time zero.

        Parameters
        ----------
        slip : xarray.DataArray, dims (..., source) or (..., subfault)
            m; sources by name in any order, subfaults in the bank's order. Any sign: the map is linear.
        gauges : iterable of str, optional
            By default all.
        window_min : float, optional
            As in :meth:`source_response`.

        Returns
        -------
        sea_level : xarray.DataArray, dims (..., gauge, time)
            m, float64; NaN after the end of a gauge's run if no window is given.

        Raises
        ------
        InputError
            If names differ, the number of subfaults does, or the window is too long.
        """
        on = "source" if "source" in slip.dims else "subfault"
        if on == "source":
            slip = align(slip, "source", self.sources, what="slip")
        elif slip.sizes.get("subfault") != len(self.subfaults):
            raise InputError(
                f"slip must have {len(self.subfaults)} subfaults, got {slip.sizes.get('subfault', 'none')}"
            )
        matrix = self._matrix(on, gauges, window_min)
        slip = slip.transpose(..., on)
        values = np.tensordot(slip.to_numpy(), matrix.to_numpy(), axes=(-1, -1))
        lead = [dim for dim in slip.dims if dim != on]
        coords = {dim: slip[dim] for dim in lead if dim in slip.coords}
        return xr.DataArray(
            values,
            dims=(*lead, "gauge", "time"),
            coords=coords | {"gauge": matrix["gauge"].to_numpy(), "time": matrix["time"].to_numpy()},
            attrs={"units": "m"},
        )

    def adjoint(self, sea_level: xr.DataArray, *, on: str = "source") -> xr.DataArray:
        """Apply the transpose of :meth:`forward`: sea level back onto slip.

        Parameters
        ----------
        sea_level : xarray.DataArray, dims (..., gauge, time)
            m, finite; the gauges it has, at a whole window of the bank's times (from the first minute on).
        on : {"source", "subfault"}, optional
            What slip is counted on.

        Returns
        -------
        slip : xarray.DataArray, dims (..., source) or (..., subfault)
            float64.

        Raises
        ------
        InputError
            If a gauge is unknown or the times are no window of the bank.
        """
        gauges = [str(name) for name in sea_level["gauge"].to_numpy()]
        times = sea_level["time"].to_numpy()
        matrix = self._matrix(on, gauges, float(times[-1]) / 60)
        if matrix.sizes["time"] != times.size or not np.allclose(matrix["time"], times):
            raise InputError("times of sea_level must be those of a window of the bank, from its first minute on")
        sea_level = sea_level.transpose(..., "gauge", "time")
        lead = sea_level.dims[:-2]
        coords = {dim: sea_level[dim] for dim in lead if dim in sea_level.coords}
        if on == "source":
            coords["source"] = matrix["source"]
        return xr.DataArray(
            np.tensordot(sea_level.to_numpy(), matrix.to_numpy(), axes=((-2, -1), (0, 1))),
            dims=(*lead, on),
            coords=coords,
        )

    def check(self) -> None:
        """Verify the bank (:func:`slipcast.greens.checks.check_bank`).

        Raises
        ------
        InputError
            Naming the first thing that is wrong.
        """
        check_bank(self)
