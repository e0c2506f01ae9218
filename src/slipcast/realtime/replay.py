"""A tsunami as it happened: at each minute slip, magnitude and forecasts from what had been sent by then."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from slipcast.errors import InputError, SlipcastWarning
from slipcast.forecasting.forecast import Forecast, forecast
from slipcast.greens.bank import SAMPLE_S, GreensBank
from slipcast.inversion import QUANTILES, SlipEstimate, WaveInverter, invert
from slipcast.inversion.nonnegative import Damping
from slipcast.io.identity import require
from slipcast.io.labels import positions_of
from slipcast.io.netcdf import read_netcdf, write_netcdf
from slipcast.parallel.threads import single_threaded
from slipcast.physics.ruptures import RuptureSettings
from slipcast.records import Records, earliest_arrival
from slipcast.records.first_wave import first_wave
from slipcast.scenarios.scenario_set import ScenarioSet

if TYPE_CHECKING:
    from slipcast.learning.checkpoint import Checkpoint
    from slipcast.learning.posterior.posterior import NeuralPosterior

__all__ = ["FIRST_MIN", "Replay", "replay"]

FIRST_MIN, _LAST_MIN = 5.0, 120.0
_FROM_RUPTURES = ("linear", "gaussian", "bayes")
_N_RUPTURES = 1000  # as many as an inversion draws for itself
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


@dataclass(frozen=True)
class Replay:
    """What was known of an earthquake and its waves, minute by minute.

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
        ``latency`` of each ``gauge_used``, min. Attributes ``method``, ``model``, ``bank``, ``region``,
        ``origin_time``, ``tide``.

    Notes
    -----
    Only samples are held back. Whatever was done to the records beforehand, such as a tide that was fitted over days
    after the earthquake or bad samples that were found by what followed them, knows more than was known then.
    """

    dataset: xr.Dataset

    @classmethod
    def open(cls, path: str | os.PathLike) -> Replay:
        """Read a replay; InputError if the file is missing, truncated or holds something else."""
        dataset = read_netcdf(path, "replay")
        require(dataset, _NEEDED, ("method",), f"{path} is no whole replay")
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
    bank: GreensBank | None = None,
    *,
    model: Checkpoint | NeuralPosterior | None = None,
    method: str | None = None,
    minutes: Sequence[float] | np.ndarray | None = None,
    latency_min: float | Mapping[str, float] = 0.0,
    gauges: Iterable[str] | None = None,
    forecast_gauges: Iterable[str] | None = None,
    noise_sd_m: float | None = None,
    slip_sd_m: float | Damping | None = None,
    ruptures: RuptureSettings | None = None,
    joint_tide: bool = False,
    model_error: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> Replay:
    """Invert records and forecast waves at each minute, from what had been sent by then.

    Parameters
    ----------
    records : Records
        Of one event, whole.
    bank : GreensBank, optional
        A method needs one. Given with a model, forecasts are made with it and not with the model's own waves.
    model : NeuralPosterior, optional
        A trained sampler, which takes windows of any length; a network for one window is refused.
    method, noise_sd_m, slip_sd_m, ruptures, joint_tide, model_error
        As :func:`slipcast.inversion.invert` takes them; ``ruptures`` are drawn once.
    minutes : sequence of float, optional
        After the origin, > 0, rising. By default every minute from 5 to 120, or to where the records, the bank or what
        the model knows end.
    latency_min : float or mapping of gauge to float, optional
        Minutes from a sample to its receipt, >= 0, for all gauges or, where named, each: at minute m those up to
        m - latency are used.
    gauges : iterable of str, optional
        DARTs used; by default all of the records that the bank has, or that the model takes.
    forecast_gauges : iterable of str, optional
        By default all.
    progress : callable, optional
        Called with minutes done and their total.

    Returns
    -------
    replay : Replay

    Raises
    ------
    InputError
        If neither or both of model and method are given, a name is unknown, a minute or latency is out of range, no
        gauge has sent anything by the last minute, or an option is for another method.

    Warns
    -----
    SlipcastWarning
        If there are minutes by which no gauge had sent a sample.

    Notes
    -----
    A gauge without any sample yet is left out. Minutes in which nothing new came keep the estimate before them.
    """
    options = {"noise_sd_m": noise_sd_m, "slip_sd_m": slip_sd_m, "joint_tide": joint_tide, "model_error": model_error}
    watch = _Watch.over(records.one_event(), bank, model, method, latency_min, gauges, options)
    steps = watch.steps(minutes)
    if ruptures is not None and method not in _FROM_RUPTURES:
        raise InputError(f"ruptures are for a method of {', '.join(_FROM_RUPTURES)}, got {method or 'a model'}")
    if method in _FROM_RUPTURES:
        watch = watch.with_ruptures(ruptures, float(steps[-1]))
    targets = None if forecast_gauges is None else list(forecast_gauges)
    last_s = np.full((len(steps), len(watch.gauges)), np.nan)
    rows: list[dict[str, np.ndarray]] = []
    latest: tuple[SlipEstimate, Forecast] | None = None
    for place, minute in enumerate(steps):
        seen, last_s[place] = watch.sent(minute)
        if place and np.array_equal(last_s[place], last_s[place - 1], equal_nan=True):
            rows.append(rows[-1])
        elif np.isnan(last_s[place]).all():
            rows.append({})
        else:
            # threads that wait for each other over small matrices are many times slower on a busy machine
            with single_threaded(blas_alone=True):
                found = watch.find(seen, minute, last_s[place])
                latest = found, forecast(found, watch.waves, gauges=targets)
            rows.append(_numbers(*latest))
        if progress:
            progress(place + 1, len(steps))
    if latest is None:
        raise InputError(f"no gauge of {', '.join(watch.gauges)} had sent a sample by minute {steps[-1]:g}")
    if empty := [minute for minute, row in zip(steps, rows) if not row]:
        warnings.warn(
            f"no gauge had sent a sample at {len(empty)} of {len(steps)} minutes, the last of them minute "
            f"{empty[-1]:g}; there is no slip then",
            SlipcastWarning,
            stacklevel=2,
        )
    dataset = _assemble(steps, rows, *latest)
    observed = _observed(records.one_event(), watch.wave_gauges, dataset["time"].to_numpy())
    about = {key: str(records.dataset.attrs.get(key, "")) for key in ("origin_time", "title")}
    return Replay(dataset.merge(watch.labelled(last_s)).merge(observed).assign_attrs(about))


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


@dataclass(frozen=True)
class _Watch:
    """How records are inverted at any minute.

    Attributes
    ----------
    records : Records
        Of the gauges used alone.
    bank : GreensBank or None
        None with a model that has its own waves.
    model, method, options
        As :func:`~slipcast.inversion.invert` takes them.
    latency_min : array, shape (n_gauges,)
        From a sample to its receipt.
    """

    records: Records
    bank: Any
    model: Any
    method: str | None
    latency_min: np.ndarray
    options: Mapping[str, Any]

    @classmethod
    def over(
        cls,
        records: Records,
        bank: Any,
        model: Any,
        method: str | None,
        latency_min: float | Mapping[str, float],
        gauges: Iterable[str] | None,
        options: Mapping[str, Any],
    ) -> _Watch:
        """Check what a replay was given, and choose its gauges."""
        if (model is None) == (method is None):
            raise InputError("a replay needs either a model or a method")
        if model is None and bank is None:
            raise InputError(f"method {method} needs a bank")
        if model is not None and not isinstance(model, WaveInverter):
            raise InputError(f"a replay needs a model for windows of any length, got one for {model.window_min:g} min")
        takes: Any = bank if model is None else model
        known, where = list(takes.gauges), f"in {'the bank' if model is None else 'the model'}"
        names = [name for name in records.gauges if name in known] if gauges is None else list(gauges)
        if not names:
            raise InputError(f"a replay needs a gauge that is {where}, got records of {', '.join(records.gauges)}")
        positions_of(names, known, dim="gauge", where=where)
        index = positions_of(names, records.gauges, dim="gauge", where="in records")
        latency = _latencies(latency_min, names)
        return cls(Records(records.dataset.isel(gauge=index)), bank, model, method, latency, options)

    @property
    def gauges(self) -> list[str]:
        """Names of the gauges used."""
        return self.records.gauges

    @property
    def waves(self) -> Any:
        """What forecasts are made with."""
        return self.model if self.bank is None else self.bank

    @property
    def wave_gauges(self) -> list[str]:
        """Names of the gauges at which the waves are known."""
        return list(self.model.waves if self.bank is None else self.bank.gauges)

    def labelled(self, last_s: np.ndarray) -> xr.Dataset:
        """Label the times of last samples, shape (n_minutes, n_gauges)."""
        return xr.Dataset(
            {"last_sample": (("minute", "gauge_used"), last_s, _SECONDS)},
            coords={"gauge_used": self.gauges, "latency": ("gauge_used", self.latency_min, {"units": "min"})},
        )

    def span_min(self) -> tuple[float, float]:
        """Return the first and last minute that can be replayed."""
        if self.model is not None:
            return float(self.model.shortest_min), float(self.model.window_min)
        hours = self.bank.dataset["gauge_hours"].to_numpy()[[self.bank.gauges.index(name) for name in self.gauges]]
        return 0.0, 60 * float(hours.min()) + float(self.latency_min.min())

    def steps(self, minutes: Sequence[float] | np.ndarray | None) -> np.ndarray:
        """Check the minutes that are asked for, or choose them."""
        first, last = self.span_min()
        if minutes is None:
            sent = np.isfinite(self.records.sea_level.to_numpy())
            ends = np.where(sent, self.records.time_s / 60, -np.inf).max(axis=1) + self.latency_min
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

    def with_ruptures(self, settings: RuptureSettings | None, last_min: float) -> _Watch:
        """Draw once, for the longest window, ruptures that each inversion would else draw anew."""
        window_min = last_min - float(self.latency_min.min())
        drawn = ScenarioSet.build(
            self.bank.with_window(self.gauges, window_min), count=_N_RUPTURES, seed=0, settings=settings
        )
        return replace(self, options={**self.options, "scenarios": drawn.with_split((1.0, 0.0, 0.0), 0)})

    def sent(self, minute: float) -> tuple[Records, np.ndarray]:
        """Return the records as they were at a minute, and the time of each gauge's last sample, s; NaN for none."""
        ends = minute - self.latency_min
        seen = self.records.windowed({name: (-np.inf, end) for name, end in zip(self.gauges, ends)})
        times_s = SAMPLE_S * np.arange(1, np.floor(60 * minute / SAMPLE_S) + 1)
        known = np.isfinite(seen.resample(times_s).to_numpy())
        last_s = np.where(known, times_s, -np.inf).max(axis=1, initial=-np.inf)
        return seen, np.where(np.isfinite(last_s), last_s, np.nan)

    def find(self, seen: Records, minute: float, last_s: np.ndarray) -> SlipEstimate:
        """Invert what had been sent at a minute."""
        if self.model is not None:
            return invert(seen, self.bank, model=self.model, window_min=minute, **self.options)
        heard = np.isfinite(last_s)
        names = [name for name, has in zip(self.gauges, heard) if has]
        window_min = float((minute - self.latency_min[heard]).max())
        return invert(seen, self.bank, method=self.method, window_min=window_min, gauges=names, **self.options)


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
    places = records.dataset[["gauge_lon", "gauge_lat"]].isel(gauge=[records.gauges.index(name) for name in gauges])
    lon, lat = places["gauge_lon"].to_numpy(), places["gauge_lat"].to_numpy()
    after_s = np.zeros(len(gauges))
    if "epicentre" in records.dataset.attrs:
        epicentre = tuple(float(value) for value in records.dataset.attrs["epicentre"])
        after_s = np.array([earliest_arrival((epicentre[0], epicentre[1]), *place) for place in zip(lon, lat)])
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
