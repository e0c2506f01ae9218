"""Retrospective real-time replay: slip, magnitude and forecasts minute by minute."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from slipcast.errors import InputError, SlipcastWarning, check_kind
from slipcast.forecasting.forecast import Forecast
from slipcast.greens.bank import GreensBank
from slipcast.greens.reciprocity import SAMPLE_S
from slipcast.inversion.estimate import QUANTILES, SlipEstimate, magnitude_words
from slipcast.inversion.inverter import Inverter, PreparedInverter, WindowInverter, recorded_gauges
from slipcast.io.identity import require
from slipcast.io.labels import positions_of
from slipcast.io.netcdf import read_netcdf, write_netcdf
from slipcast.io.summary import Summarised, Summary, shortened
from slipcast.learning.inverters import open_inverter
from slipcast.parallel.progress import Progress, shown_progress
from slipcast.realtime.nowcast import Nowcast, Result
from slipcast.realtime.waves_seen import detections
from slipcast.records import Records
from slipcast.records.arrival import earliest_arrivals
from slipcast.records.first_wave import first_wave

if TYPE_CHECKING:
    from slipcast.learning.checkpoint import Checkpoint

__all__ = ["FIRST_MIN", "Replay", "replay"]

FIRST_MIN, _LAST_MIN = 5.0, 120.0
_LEAST_CREST_M = 0.01
_METRES, _SECONDS, _MAGNITUDE = {"units": "m"}, {"units": "s"}, {"units": "1", "long_name": "Mw"}
_UNITS = {
    "slip": (("source",), _METRES),
    "slip_sd": (("source",), _METRES),
    "magnitude": ((), _MAGNITUDE),
    "magnitude_quantile": (("quantile",), _MAGNITUDE),
    "max_amplitude": (("gauge",), _METRES | {"long_name": "highest sea level"}),
    "max_amplitude_quantile": (("quantile", "gauge"), _METRES),
    "arrival_time": (("gauge",), _SECONDS | {"long_name": "arrival after the earthquake"}),
    "sea_level": (("gauge", "time"), _METRES),
    "sea_level_low": (("gauge", "time"), _METRES | {"long_name": f"{QUANTILES[0]:.0%} quantile of sea level"}),
    "sea_level_high": (("gauge", "time"), _METRES | {"long_name": f"{QUANTILES[-1]:.0%} quantile of sea level"}),
}
_NEEDED = ("slip", "magnitude", "max_amplitude", "sea_level", "observed", "observed_maximum", "last_sample")


@dataclass(frozen=True, repr=False)
class Replay(Summarised):
    """Slip, magnitude and forecasts of an event, minute by minute.

    Attributes
    ----------
    dataset : xarray.Dataset
        Over ``minute``, minutes after the origin: ``slip(minute, source)`` m; ``magnitude(minute)``, -inf without slip;
        ``max_amplitude(minute, gauge)`` m, the highest sea level of the forecast; ``arrival_time(minute, gauge)`` s;
        ``sea_level(minute, gauge, time)`` m, float32; ``last_sample(minute, gauge_used)`` s, time of the last sample
        used, NaN while there was none. Where the method knows how uncertain it is: ``slip_sd``,
        ``magnitude_quantile(minute, quantile)``, ``max_amplitude_quantile(minute, quantile, gauge)`` and the ends of
        the 90 % interval of sea level, ``sea_level_low`` and ``sea_level_high``. NaN at minutes when no gauge had sent
        a sample. What came of it: ``observed(observed_gauge, time)`` m, whole records at the times of the forecast;
        ``observed_maximum(observed_gauge)`` m and ``observed_start`` s, crest and start of the first wave
        (:func:`~slipcast.records.first_wave.first_wave`), NaN where none of 1 cm was recorded past its crest.
        ``latency`` of each ``gauge_used``, min; ``flags(minute)``, what qualified the estimate. Attributes
        ``method``, ``model``, ``bank``, ``region``, ``origin_time``, ``tide``.

    Notes
    -----
    Only samples are held back. Whatever was done to the records beforehand, such as a tide that was fitted over days
    after the earthquake or bad samples that were found by what followed them, knows more than was known then.
    """

    dataset: xr.Dataset

    @classmethod
    def open(cls, path: str | os.PathLike) -> Replay:
        """Read a replay; InputError if the file is missing, damaged or holds something else."""
        dataset = read_netcdf(path, "replay")
        require(dataset, _NEEDED, ("method",), f"{path} is an incomplete replay file")
        return cls(dataset)

    def save(self, path: str | os.PathLike) -> None:
        """Write the replay as netCDF4, whole or not at all."""
        write_netcdf(self.dataset, Path(path), "replay")

    @property
    def minutes(self) -> np.ndarray:
        """Minutes after the origin, shape (n_minutes,), rising."""
        return self.dataset["minute"].to_numpy()

    @property
    def gauges(self) -> list[str]:
        """Names of the gauges of the forecasts, in order."""
        return _names(self.dataset["gauge"])

    @property
    def gauges_used(self) -> list[str]:
        """Names of the gauges whose records were used, in order."""
        return _names(self.dataset["gauge_used"])

    @property
    def observed_maximum_m(self) -> dict[str, float]:
        """Crest of the recorded first wave by gauge, m; gauges without one are left out."""
        values = self.dataset["observed_maximum"].to_numpy().tolist()
        return {
            name: value for name, value in zip(_names(self.dataset["observed_gauge"]), values) if np.isfinite(value)
        }

    @property
    def contribution_min(self) -> dict[str, float]:
        """First of the minutes at which a gauge contributed, by gauge; one that never did is left out.

        It contributes when the start of its first wave has been sent, or, where no first wave was recorded, with its
        first sample.
        """
        starts = dict(zip(_names(self.dataset["observed_gauge"]), self.dataset["observed_start"].to_numpy().tolist()))
        found = {}
        for name, last_s in zip(self.gauges_used, self.dataset["last_sample"].transpose("gauge_used", "minute")):
            begins = starts.get(name, np.nan)
            sent = last_s.to_numpy() >= (0.0 if np.isnan(begins) else begins)
            if sent.any():
                found[name] = float(self.minutes[np.argmax(sent)])
        return found

    def _summary(self) -> Summary:
        about, last = self.dataset.attrs, self.dataset.isel(minute=-1)
        facts = [
            ("method", str(about.get("method", ""))),
            ("minutes", f"{len(self.minutes)}, {self.minutes[0]:g} to {self.minutes[-1]:g} after the origin"),
            ("gauges used", shortened(self.gauges_used)),
            ("forecasts at", shortened(self.gauges)),
            ("last magnitude", magnitude_words(last)),
        ]
        return Summary(f"Replay: {about.get('region') or 'no region'}", facts)

    def shown_gauges(self, count: int) -> list[str]:
        """Choose gauges for a figure: forecast ones with a recorded first wave, those not used first, then the others.

        The others come by their last forecast, the largest first.
        """
        recorded = [name for name in self.gauges if name in self.observed_maximum_m]
        ordered = sorted(recorded, key=lambda name: name in self.gauges_used)
        last = dict(zip(self.gauges, self.dataset["max_amplitude"].to_numpy()[-1].tolist()))
        return [*ordered, *sorted(set(last) - set(ordered), key=lambda name: (-last[name], name))][:count]


def replay(
    records: Records,
    inverter: Inverter | Checkpoint | str | os.PathLike,
    *,
    bank: GreensBank | None = None,
    minutes: Sequence[float] | np.ndarray | None = None,
    latency_min: float | Mapping[str, float] = 0.0,
    gauges: Iterable[str] | None = None,
    forecast_gauges: Iterable[str] | None = None,
    magnitude: float | None = None,
    hold_first: bool = True,
    progress: Progress | bool | None = None,
) -> Replay:
    """Invert records and forecast waves at each minute, from the samples received by then.

    Parameters
    ----------
    records : Records
        Of one event, whole.
    inverter : Inverter, Checkpoint, str or path
        A method for windows of any length, or the name or folder of a trained posterior; a network for one window is
        refused.
    bank : GreensBank, optional
        What forecasts are made with in place of the waves or the bank of the method.
    minutes : sequence of float, optional
        After the origin, > 0, rising. By default every minute from 5 to 120, or to where the records, the bank or the
        windows of the model end.
    latency_min : float or mapping of gauge to float, optional
        Minutes from a sample to its receipt, >= 0, for all gauges or, where named, each: at minute m those up to
        m - latency are used.
    gauges : iterable of str, optional
        DARTs used; by default all of the records that the method knows.
    forecast_gauges : iterable of str, optional
        By default all.
    magnitude : float, optional
        Mw as first reported, by default that of the records (:attr:`Records.first_magnitude`): a method with a bank
        then looks for slip near the epicentre of the records alone.
    hold_first : bool, optional
        Hold each result against that magnitude (:class:`~slipcast.inversion.first_magnitude.FirstMagnitude`), as the
        service does.
    progress : callable or bool, optional
        Called with minutes done, their total and an empty note; ``True`` shows a bar on the error stream.

    Returns
    -------
    replay : Replay

    Raises
    ------
    InputError
        If an argument is of a wrong kind, a name is unknown, a minute or latency is out of range, or no gauge has sent
        anything by the last minute.

    Warns
    -----
    SlipcastWarning
        If there are minutes by which no gauge had sent a sample.

    Notes
    -----
    Each minute is what :meth:`~slipcast.realtime.nowcast.Nowcast.update` finds from the samples that had been sent, as
    the service does. A gauge without any sample yet is left out. Minutes in which nothing new came keep the estimate
    before them.
    """
    check_kind(records, Records, "records", "Records (sc.read_records, sc.Records.open)")
    records = records.one_event()
    nowcast = Nowcast(_replayable(open_inverter(inverter), records, gauges), bank, hold_first)
    sent = _Sent.of(records, nowcast.gauges, latency_min)
    steps = _steps(nowcast, sent, minutes)
    targets = None if forecast_gauges is None else list(forecast_gauges)
    last_s = np.full((len(steps), len(sent.gauges)), np.nan)
    rows: list[dict[str, np.ndarray]] = []
    flags: list[str] = []
    latest: Result | None = None
    detected_s = detections(sent.records, nowcast.source_middles)
    with shown_progress(progress, "Minutes") as report:
        for place, minute in enumerate(steps):
            seen, last_s[place] = sent.by(minute)
            found = nowcast.update(
                seen,
                magnitude=magnitude,
                waves_seen={
                    name: detected_s[name] <= at_s
                    for name, at_s in zip(sent.gauges, last_s[place].tolist(), strict=True)
                    if name in detected_s
                },
                forecast_gauges=targets,
                known="" if latest is None else latest.digest,
            )
            if found is not None:
                latest = found
                rows.append(_numbers(found.slip, found.forecast))
                flags.append("; ".join(found.flags))
            else:  # nothing new, or nothing yet
                rows.append(rows[-1] if rows else {})
                flags.append(flags[-1] if flags else "")
            report(place + 1, len(steps), "")
    if latest is None:
        raise InputError(f"no gauge of {', '.join(sent.gauges)} had sent a sample by minute {steps[-1]:g}")
    if empty := [minute for minute, row in zip(steps, rows) if not row]:
        warnings.warn(
            f"no gauge had sent a sample at {len(empty)} of {len(steps)} minutes, the last of them minute "
            f"{empty[-1]:g}; there is no slip then",
            SlipcastWarning,
            stacklevel=2,
        )
    dataset = _assemble(steps, rows, latest.slip, latest.forecast)
    dataset["flags"] = ("minute", np.array(flags, dtype=object), {"long_name": "what qualifies the estimate"})
    observed = _observed(records, nowcast.wave_gauges, dataset["time"].to_numpy())
    about = {key: str(records.dataset.attrs.get(key, "")) for key in ("origin_time", "title")}
    return Replay(dataset.merge(sent.labelled(last_s)).merge(observed).assign_attrs(about))


def _numbers(found: SlipEstimate, made: Forecast) -> dict[str, np.ndarray]:
    """Take what a replay holds from an estimate and its forecast: no draws, and not all quantiles of sea level."""
    both = {**made.dataset.data_vars, **found.dataset.data_vars}
    if (spread := both.get("sea_level_quantile")) is not None:
        both |= {"sea_level_low": spread.isel(quantile=0), "sea_level_high": spread.isel(quantile=-1)}
    return {name: both[name].to_numpy() for name in _UNITS if name in both}


def _assemble(
    steps: np.ndarray, rows: Sequence[Mapping[str, np.ndarray]], found: SlipEstimate, made: Forecast
) -> xr.Dataset:
    """Put the minutes one upon the other, NaN where nothing was known, with the labels of the last estimate."""
    known = next(row for row in rows if row)
    blank = {name: np.full_like(values, np.nan) for name, values in known.items()}
    stacked = {
        name: (("minute", *_UNITS[name][0]), np.stack([row.get(name, nothing) for row in rows]), _UNITS[name][1])
        for name, nothing in blank.items()
    }
    return xr.Dataset(
        stacked,
        coords={
            "minute": ("minute", steps, {"units": "min", "long_name": "time after the earthquake"}),
            "source": found.sources,
            "gauge": made.gauges,
            "time": ("time", made.dataset["time"].to_numpy(), _SECONDS),
        }
        | ({"quantile": list(QUANTILES)} if "magnitude_quantile" in stacked else {}),
        attrs={key: found.dataset.attrs.get(key, "") for key in ("method", "model", "region", "tide")}
        | {"bank": str(made.dataset.attrs.get("bank", ""))},
    )


def _replayable(inverter: Inverter, records: Records, gauges: Iterable[str] | None) -> Inverter:
    """Return a method for the gauges that are asked for, or those of the records that it knows."""
    if not isinstance(inverter, WindowInverter):
        window_min = float(inverter.times_s[-1]) / 60
        raise InputError(f"a replay needs a method for windows of any length, got one for {window_min:g} min")
    if gauges is not None:
        names = list(gauges)
        positions_of(names, records.gauges, dim="gauge", where="in records")
        return inverter.restricted(gauges=names)
    if isinstance(inverter, PreparedInverter):
        return inverter.restricted(gauges=list(inverter.prepared(records).gauges))
    return inverter.restricted(gauges=recorded_gauges(records, inverter.gauges, where="known to the method"))


def _steps(nowcast: Nowcast, sent: _Sent, minutes: Sequence[float] | np.ndarray | None) -> np.ndarray:
    """Check the minutes that are asked for, or choose them."""
    shortest, longest = nowcast.window_range_min
    first = shortest if nowcast.is_model else 0.0
    last = longest + float(sent.latency_min.min())
    if minutes is None:
        ends = sent.ends_min()
        last, first = min(_LAST_MIN, last, float(np.ceil(ends.max()))), max(FIRST_MIN, first)
        if last < first:
            raise InputError(f"records must last beyond minute {first:g}, got an end at {ends.max():g}")
        return np.arange(first, np.floor(last) + 1)
    steps = np.asarray(minutes, dtype=float)
    if steps.ndim != 1 or not steps.size or not (np.diff(steps) > 0).all() or not (steps > 0).all():
        raise InputError(f"minutes must be a rising sequence of numbers > 0, got {minutes}")
    if steps[0] < first or steps[-1] > last:
        raise InputError(f"minutes must be in [{first:g}, {last:g}], got {steps[0]:g} to {steps[-1]:g}")
    return steps


@dataclass(frozen=True)
class _Sent:
    """Records as they came in.

    Attributes
    ----------
    records : Records
        Of the gauges used alone.
    latency_min : array, shape (n_gauges,)
        From a sample to its receipt.
    """

    records: Records
    latency_min: np.ndarray

    @classmethod
    def of(cls, records: Records, gauges: Sequence[str], latency_min: float | Mapping[str, float]) -> _Sent:
        """Choose gauges of records, and check their latencies."""
        index = positions_of(gauges, records.gauges, dim="gauge", where="in records")
        return cls(Records(records.dataset.isel(gauge=index)), _latencies(latency_min, gauges))

    @property
    def gauges(self) -> list[str]:
        """Names of the gauges."""
        return self.records.gauges

    def ends_min(self) -> np.ndarray:
        """Return when the last sample of each gauge comes in, minutes after the origin."""
        known = np.isfinite(self.records.sea_level.to_numpy())
        return np.where(known, self.records.time_s / 60, -np.inf).max(axis=1) + self.latency_min

    def by(self, minute: float) -> tuple[Records, np.ndarray]:
        """Return the records as they were at a minute, and the time of each gauge's last sample, s; NaN for none."""
        ends = minute - self.latency_min
        seen = self.records.windowed({name: (-np.inf, end) for name, end in zip(self.gauges, ends)})
        times_s = SAMPLE_S * np.arange(1, np.floor(60 * minute / SAMPLE_S) + 1)
        known = np.isfinite(seen.resample(times_s).to_numpy())
        last_s = np.where(known, times_s, -np.inf).max(axis=1, initial=-np.inf)
        return seen, np.where(np.isfinite(last_s), last_s, np.nan)

    def labelled(self, last_s: np.ndarray) -> xr.Dataset:
        """Label the times of last samples, shape (n_minutes, n_gauges)."""
        return xr.Dataset(
            {"last_sample": (("minute", "gauge_used"), last_s, _SECONDS)},
            coords={"gauge_used": self.gauges, "latency": ("gauge_used", self.latency_min, {"units": "min"})},
        )


def _latencies(latency_min: float | Mapping[str, float], gauges: Sequence[str]) -> np.ndarray:
    """Return the latency of each gauge, min."""
    latency = np.zeros(len(gauges))
    if isinstance(latency_min, Mapping):
        latency[positions_of(latency_min, gauges, dim="gauge", where="in the gauges used")] = list(latency_min.values())
    else:
        latency[:] = latency_min
    if (bad := ~(np.isfinite(latency) & (latency >= 0))).any():
        place = int(np.argmax(bad))
        raise InputError(f"latency_min must be finite and >= 0, got {latency[place]:g} at gauge {gauges[place]}")
    return latency


def _observed(records: Records, known: list[str], times_s: np.ndarray) -> xr.Dataset:
    """Return whole records at known gauges, and crest and start of their first waves."""
    gauges = [name for name in records.gauges if name in known]
    level = records.resample(times_s, gauges).to_numpy()
    rows = [records.gauges.index(name) for name in gauges]
    places = records.dataset[["gauge_lon", "gauge_lat"]].isel(gauge=rows)
    lon, lat = places["gauge_lon"].to_numpy(), places["gauge_lat"].to_numpy()
    after_s = earliest_arrivals(records)[rows]
    waves = [_first_crest(times_s, row, begin) for row, begin in zip(level, after_s)]
    start_s, crest_m = np.reshape(waves, (-1, 2)).T
    return xr.Dataset(
        {
            "observed": (("observed_gauge", "time"), level.astype(np.float32), _METRES),
            "observed_maximum": ("observed_gauge", crest_m, _METRES | {"long_name": "crest of the first wave"}),
            "observed_start": ("observed_gauge", start_s, _SECONDS | {"long_name": "start of the first wave"}),
        },
        coords={
            "observed_gauge": gauges,
            "observed_lon": ("observed_gauge", lon, {"units": "degrees_east"}),
            "observed_lat": ("observed_gauge", lat, {"units": "degrees_north"}),
        },
    )


def _first_crest(times_s: np.ndarray, level_m: np.ndarray, after_s: float) -> tuple[float, float]:
    """Return start, s, and crest, m, of a recorded first wave; NaN if there is none or its crest may be to come."""
    try:
        start_s, end_s = first_wave(times_s, level_m, after_s=after_s)
    except InputError:
        return np.nan, np.nan
    inside = np.where((times_s >= start_s) & (times_s <= end_s), level_m, -np.inf)
    inside[np.isnan(inside)] = -np.inf
    crest_m = float(inside.max())
    passed = bool((level_m[int(inside.argmax()) :] < crest_m / 2).any())
    return (start_s, crest_m) if passed and crest_m > _LEAST_CREST_M else (np.nan, np.nan)


def _names(labels: xr.DataArray) -> list[str]:
    """Return labels as text."""
    return [str(name) for name in labels.to_numpy()]
