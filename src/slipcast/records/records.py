"""What gauges sense, in metres of water, against time since the earthquake."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from slipcast.errors import InputError, check_kind
from slipcast.geodesy import wrap_longitude
from slipcast.io.identity import require
from slipcast.io.labels import check_names, one_event, positions_of, reasons_in
from slipcast.io.netcdf import read_netcdf, write_netcdf
from slipcast.io.summary import Summarised, Summary, shortened
from slipcast.records.correlated_noise import CorrelatedNoise
from slipcast.regions.region import SENSES

__all__ = ["Records"]

_LINE_S, _CURVE_S = 150.0, 241.0  # 4 min, whatever an origin between seconds leaves
_LONE_S = 30.0
_MOST_M = 100.0


@dataclass(frozen=True, repr=False)
class Records(Summarised):
    """Records of one event, or of several on the same times.

    Attributes
    ----------
    dataset : xarray.Dataset
        ``sea_level([event,] gauge, time)`` m, NaN where missing; ``time`` s since the origin, rising; coordinates
        ``gauge_lon``, ``gauge_lat`` degrees and ``gauge_senses``: ``"pressure"``, sea level less the uplift of the
        floor, as a DART has it (taken for granted where it lacks), or ``"sea_level"``; attributes ``origin_time``
        (UTC, ISO 8601, may be empty) and ``tide_removed`` (1 or 0).

    Raises
    ------
    InputError
        If the array has other dimensions, times do not rise, a gauge comes twice or senses something else, a value is
        infinite, or one that is free of the tide is farther than 100 m from zero (9999 stands for a missing sample in
        other files).
    """

    dataset: xr.Dataset

    def __post_init__(self):
        if "sea_level" not in self.dataset:
            raise InputError("records need a variable sea_level")
        sea_level = self.dataset["sea_level"]
        if sea_level.dims[-2:] != ("gauge", "time") or len(sea_level.dims) > 3:
            raise InputError(f"sea_level must have dimensions ([event,] gauge, time), got {sea_level.dims}")
        time = self.time_s
        if not (np.diff(time) > 0).all():
            raise InputError(f"times of records must rise, they do not after {time[np.argmin(np.diff(time) > 0)]} s")
        names = self.gauges
        if twice := [name for i, name in enumerate(names) if name in names[:i]]:
            raise InputError(f"gauge {twice[0]} comes twice in records")
        if unknown := [f"{what!r} at {name}" for name, what in self.senses.items() if what not in SENSES]:
            raise InputError(f"gauges sense {' or '.join(SENSES)}, got {unknown[0]}")
        if np.isinf(sea_level.to_numpy()).any():
            raise InputError("sea_level must be finite or NaN, got an infinite value")
        if self.dataset.attrs.get("tide_removed", 0):
            self._refuse_no_wave(sea_level.to_numpy(), time)

    def _refuse_no_wave(self, level: np.ndarray, time: np.ndarray) -> None:
        """Refuse numbers that are no wave, such as those that stand for a missing sample in other files."""
        if (far := np.abs(level) > _MOST_M).any():
            place = tuple(int(i) for i in np.argwhere(far)[0])
            raise InputError(
                f"sea_level without tide must be within {_MOST_M:g} m of zero, got {level[place]:g} m at gauge "
                f"{self.gauges[place[-2]]}, {time[place[-1]] / 60:g} min after the origin; a missing sample is NaN"
            )

    @classmethod
    def from_arrays(
        cls,
        time_s,
        sea_level_m,
        *,
        gauges: Sequence[str],
        lon_deg: Sequence[float] | np.ndarray,
        lat_deg: Sequence[float] | np.ndarray,
        origin_time: str = "",
        tide_removed: bool = True,
        title: str = "",
        senses: str | Sequence[str] = "pressure",
    ) -> Records:
        """Label plain arrays.

        Parameters
        ----------
        time_s : array, shape (n_times,)
            Seconds since the origin, rising.
        sea_level_m : array, shape ([n_events,] n_gauges, n_times)
            m, NaN where missing.
        gauges : sequence of str
            Names.
        lon_deg, lat_deg : sequence of float
            Positions, degrees.
        origin_time : str, optional
            UTC, ISO 8601.
        tide_removed : bool, optional
            Whether the tide has been taken out.
        title : str, optional
            What the records are of.
        senses : str or sequence of str, optional
            What all gauges sense, or each: ``"pressure"`` in metres of water, as DARTs do, or ``"sea_level"``.

        Returns
        -------
        records : Records

        Raises
        ------
        InputError
            If an argument is of a wrong kind, numbers and labels do not fit each other, or a rule of records is broken.
        """
        names = check_names(gauges, "gauges")
        check_kind(origin_time, str, "origin_time", "a time such as 2011-03-11T05:46:24Z")
        check_kind(tide_removed, (bool, Integral), "tide_removed", "True or False")
        check_kind(title, str, "title", "a text")
        sensed = [senses] * len(names) if isinstance(senses, str) else check_names(senses, "senses")
        if len(sensed) != len(names):
            raise InputError(f"senses must be one word for each of {len(names)} gauges, got {len(sensed)}")
        sea_level, time = _numbers(sea_level_m, "sea_level_m"), _numbers(time_s, "time_s")
        lon, lat = _numbers(lon_deg, "lon_deg"), _numbers(lat_deg, "lat_deg")
        if time.ndim != 1 or sea_level.ndim not in (2, 3) or sea_level.shape[-2:] != (len(names), time.size):
            raise InputError(
                f"sea_level_m must have shape ([n_events,] {len(names)}, {time.size}) for {len(names)} gauges and "
                f"{time.size} times, got {sea_level.shape}"
            )
        for argument, values in (("lon_deg", lon), ("lat_deg", lat)):
            if values.shape != (len(names),):
                raise InputError(f"{argument} must be a number for each of {len(names)} gauges, got {values.shape}")
        lead = ("event",) * (sea_level.ndim - 2)
        return cls(
            xr.Dataset(
                {"sea_level": ((*lead, "gauge", "time"), sea_level, {"units": "m"})},
                coords={
                    "gauge": names,
                    "time": ("time", time.astype(float), {"units": "s"}),
                    "gauge_lon": ("gauge", wrap_longitude(lon.astype(float)), {"units": "degrees_east"}),
                    "gauge_lat": ("gauge", lat.astype(float), {"units": "degrees_north"}),
                    "gauge_senses": ("gauge", sensed),
                },
                attrs={"origin_time": origin_time, "tide_removed": int(tide_removed), "title": title},
            )
        )

    @classmethod
    def open(cls, path: str | os.PathLike) -> Records:
        """Read records; InputError if the file is missing, damaged or holds something else."""
        dataset = read_netcdf(path, "records")
        require(dataset, ("sea_level", "gauge", "time"), (), f"{path} is an incomplete records file")
        return cls(dataset)

    def save(self, path: str | os.PathLike) -> None:
        """Write the records as netCDF4, whole or not at all."""
        write_netcdf(self.dataset, Path(path), "records")

    def require_detided(self) -> None:
        """Refuse records that still hold the tide; InputError."""
        if not self.dataset.attrs.get("tide_removed", 0):
            raise InputError("records must be free of the tide for a network, got tide_removed = 0")

    def one_event(self) -> Records:
        """Return the same without a dimension of events; InputError if there are several."""
        return Records(one_event(self.dataset, what="records"))

    @property
    def gauges(self) -> list[str]:
        """Names of the gauges, in order."""
        return [str(name) for name in _plain(self.dataset, "gauge")]

    @property
    def time_s(self) -> np.ndarray:
        """Seconds since the origin, shape (n_times,)."""
        return _plain(self.dataset, "time")

    @property
    def senses(self) -> dict[str, str]:
        """What each gauge senses, by name."""
        if "gauge_senses" not in self.dataset.coords:
            return dict.fromkeys(self.gauges, "pressure")
        return dict(zip(self.gauges, map(str, _plain(self.dataset, "gauge_senses")), strict=True))

    @property
    def gauges_left_out(self) -> dict[str, str]:
        """Gauges that were to be read and cannot be used, and why."""
        return reasons_in(self.dataset)

    @property
    def sea_level(self) -> xr.DataArray:
        """What the gauges sense, m, dims ([event,] gauge, time)."""
        return self.dataset["sea_level"]

    def _summary(self) -> Summary:
        about, events = self.dataset.attrs, self.dataset.sizes.get("event")
        first, last = (f"{self.time_s[at] / 60:g}" if len(self.time_s) else "-" for at in (0, -1))
        title = f"Records: {about.get('title') or 'no title'}" + ("" if events is None else f", {events} events")
        facts = [
            ("gauges", shortened(self.gauges)),
            ("time", f"{len(self.time_s)} samples, {first} to {last} min after the origin"),
            ("origin", str(about.get("origin_time") or "unknown")),
            ("sensed", ", ".join(dict.fromkeys(self.senses.values())).replace("_", " ")),
            ("tide", "removed" if about.get("tide_removed") else "not removed"),
        ]
        if left_out := self.gauges_left_out:
            facts.append(("left out", "; ".join(f"{name}: {reason}" for name, reason in left_out.items())))
        return Summary(title, facts)

    @property
    def first_magnitude(self) -> float | None:
        """Mw of the event as first reported, where that is named (attribute ``first_magnitude``).

        Attribute ``magnitude`` is no first report: it is the largest that was thought likely when the tide was taken
        out, and the truth in a simulation.
        """
        found = self.dataset.attrs.get("first_magnitude")
        return None if found is None else float(found)

    def with_event(self, *, epicentre: Sequence[float] | None = None, magnitude: float | None = None) -> Records:
        """Name the place and size of the earthquake in place of what the records say of them.

        Parameters
        ----------
        epicentre : (float, float), optional
            Longitude and latitude, degrees.
        magnitude : float, optional
            Mw as first reported.

        Returns
        -------
        records : Records
        """
        named: dict[str, Any] = {} if magnitude is None else {"first_magnitude": float(magnitude)}
        if epicentre is not None:
            named["epicentre"] = [float(degrees) for degrees in epicentre]
        return Records(self.dataset.assign_attrs(named)) if named else self

    def windowed(self, windows: Mapping[str, tuple[float, float]]) -> Records:
        """Mask samples outside a window at each gauge.

        Parameters
        ----------
        windows : mapping of gauge to (float, float)
            Minutes after the origin, from (excluded) and to (included); gauges that are not named stay as they are.

        Returns
        -------
        records : Records
            With NaN outside.

        Raises
        ------
        InputError
            If a gauge is unknown, or a window ends before it begins.
        """
        level = self.sea_level.to_numpy().copy()
        positions = positions_of(windows, self.gauges, dim="gauge", where="in records")
        for row, (name, (start_min, end_min)) in zip(positions, windows.items(), strict=True):
            if not start_min < end_min:
                raise InputError(f"window of {name} must end after it begins, got {start_min:g} to {end_min:g} min")
            minutes = self.time_s / 60
            level[..., row, (minutes <= start_min) | (minutes > end_min)] = np.nan
        return Records(self.dataset.assign(sea_level=self.sea_level.copy(data=level)))

    def retimed(self, *, stretch: float = 0.0, shift_s: Mapping[str, float] | None = None) -> Records:
        r"""Take a delay of real waves behind modelled ones out of records.

        Parameters
        ----------
        stretch : float, optional
            By how much all travel times are longer, in (-0.1, 0.1).
        shift_s : mapping of gauge to float, optional
            By how much, s, those to a gauge are longer besides.

        Returns
        -------
        records : Records
            What would have been recorded without: :math:`d(t) = d_{old}((1 + a) t + b)`, every minute.

        Raises
        ------
        InputError
            If a gauge is unknown or the stretch out of range.
        """
        if not -0.1 < stretch < 0.1:
            raise InputError(f"stretch must be in (-0.1, 0.1), got {stretch:g}")
        delays = np.zeros(len(self.gauges))
        shift_s = shift_s or {}
        delays[positions_of(shift_s, self.gauges, dim="gauge", where="in records")] = list(shift_s.values())
        times_s = 60.0 * np.arange(np.floor(self.time_s[0] / 60), np.ceil(self.time_s[-1] / 60) + 1)
        level, columns = [], []
        for name, delay in zip(self.gauges, delays):
            at_s = (1 + stretch) * times_s + delay
            level.append(self.resample(at_s, [name]).to_numpy()[..., 0, :])
            if "tide_column" in self.dataset:
                columns.append(self._columns_of(name, at_s))
        dataset = Records.from_arrays(
            times_s,
            np.stack(level, axis=-2),
            gauges=self.gauges,
            lon_deg=self.dataset["gauge_lon"].to_numpy(),
            lat_deg=self.dataset["gauge_lat"].to_numpy(),
            senses=list(self.senses.values()),
        ).dataset
        if columns:
            dataset = dataset.assign(tide_column=(("gauge", "column", "time"), np.stack(columns), {"units": "m"}))
        if "flag" in self.dataset:  # what was flagged is NaN, and checked they are
            flag = np.zeros((len(self.gauges), times_s.size), np.uint8)
            dataset = dataset.assign(flag=(("gauge", "time"), flag, self.dataset["flag"].attrs))
        if "left_out" in self.dataset:
            dataset = dataset.assign(left_out=self.dataset["left_out"])
        return Records(dataset.assign_attrs(self.dataset.attrs))

    @property
    def tide_known(self) -> bool:
        """Whether they say how well their tide is known (:meth:`tide_columns`)."""
        return bool(self.dataset.sizes.get("column", 0)) and bool(self.dataset["tide_column"].any())

    def tide_columns(self, times_s, gauges: Sequence[str] | None = None) -> CorrelatedNoise:
        """Return the uncertainty of the tides that were removed, as columns.

        Parameters
        ----------
        times_s, gauges
            As in :meth:`resample`.

        Returns
        -------
        columns : CorrelatedNoise

        Raises
        ------
        InputError
            If the records do not say: they were read without, or the tide was fitted by harmonic analysis.
        """
        if not self.dataset.sizes.get("column", 0):
            raise InputError("records say nothing of how well their tide is known; read them with tide short")
        positions = positions_of(gauges, self.gauges, dim="gauge", where="in records")
        names, times = [self.gauges[i] for i in positions], np.asarray(times_s, dtype=float)
        return CorrelatedNoise(
            xr.DataArray(
                [self._columns_of(name, times) for name in names],
                dims=("gauge", "column", "time"),
                coords={"gauge": names, "time": times},
            )
        )

    def _columns_of(self, gauge: str, times_s: np.ndarray) -> np.ndarray:
        """Interpolate the columns of the tide at a gauge, which are smooth, over the times of its own samples."""
        row = self.gauges.index(gauge)
        columns, own = self.dataset["tide_column"].to_numpy()[row], np.ones(self.time_s.size, bool)
        if "height" in self.dataset:
            own = np.isfinite(self.dataset["height"].to_numpy()[row])
        return np.array([np.interp(times_s, self.time_s[own], column[own]) for column in columns])

    def resample(self, times_s, gauges: Sequence[str] | None = None) -> xr.DataArray:
        """Interpolate records to given times.

        Parameters
        ----------
        times_s : array, shape (n,)
            Seconds since the origin.
        gauges : sequence of str, optional
            By name, in the order wanted; by default all.

        Returns
        -------
        sea_level : xarray.DataArray, dims ([event,] gauge, time)
            m, float64. Linear between samples of a gauge no more than 150 s apart, and a smooth curve (modified Akima)
            between those no more than 4 min apart, as where three bad ones of a minute are left out. A sample that is
            farther from both its neighbours, as of 15 min, counts at the nearest time that is asked for, up to 30 s
            from its own. NaN elsewhere.

        Raises
        ------
        InputError
            If a gauge is unknown.
        """
        positions = positions_of(gauges, self.gauges, dim="gauge", where="in records")
        source, times = self.dataset.variables["sea_level"], np.asarray(times_s, dtype=float)
        values = source.values[..., positions, :].astype(float)
        rows = [_interpolate(times, self.time_s, row) for row in values.reshape(-1, values.shape[-1])]
        return xr.DataArray(
            np.reshape(rows, (*values.shape[:-1], times.size)),
            dims=source.dims,
            coords={"gauge": _plain(self.dataset, "gauge")[positions], "time": times},
            attrs={"units": "m"},
        )


def _plain(dataset: xr.Dataset, name: str) -> np.ndarray:
    """Return a coordinate as an array, without the label that xarray takes long to make; by number where it lacks."""
    found = dataset.variables.get(name)
    return dataset[name].to_numpy() if found is None else found.values


def _numbers(values: Any, argument: str) -> np.ndarray:
    """Return an array of numbers; InputError where it is none."""
    try:
        array = np.asarray(values)
    except ValueError:  # rows of unequal length
        array = np.asarray(None)
    if array.dtype.kind not in "fiu":
        check_kind(values, (), argument, "an array of numbers")
    return array


def _interpolate(times: np.ndarray, at: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Interpolate one series over neighbouring samples, never over a gap."""
    known = np.isfinite(values)
    if not known.any():
        return np.full(times.shape, np.nan)
    at, values = at[known], values[known]
    after = np.clip(np.searchsorted(at, times), 0, at.size - 1)
    before = np.where(at[after] == times, after, after - 1)
    inside = (times >= at[0]) & (times <= at[-1])
    span_s = np.where(inside, at[after] - at[np.maximum(before, 0)], np.inf)
    found = np.where(span_s <= _LINE_S, np.interp(times, at, values), np.nan)
    if (bridged := (span_s > _LINE_S) & (span_s <= _CURVE_S)).any():
        from scipy.interpolate import Akima1DInterpolator

        found[bridged] = Akima1DInterpolator(at, values, method="makima")(times[bridged])
    apart = np.diff(at, prepend=-np.inf, append=np.inf)
    for lone in np.flatnonzero(np.minimum(apart[:-1], apart[1:]) > _CURVE_S):
        closest = int(np.argmin(np.abs(times - at[lone]))) if times.size else 0
        if times.size and abs(times[closest] - at[lone]) <= _LONE_S and np.isnan(found[closest]):
            found[closest] = values[lone]
    return found
