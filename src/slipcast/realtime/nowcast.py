"""From the samples of an event to its answer: records, slip, forecast, and what an operator must know of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from slipcast.errors import InputError
from slipcast.forecasting.forecast import Forecast, forecast
from slipcast.geodesy import great_circle_distance, wrap_longitude
from slipcast.greens.bank import GreensBank
from slipcast.inversion import SlipEstimate, candidate_sources, invert
from slipcast.io.identity import fingerprint
from slipcast.parallel.threads import single_threaded
from slipcast.physics.ruptures import RuptureSettings
from slipcast.physics.unit_sources import unit_source
from slipcast.realtime.detiding import GaugeLevels, gauge_levels
from slipcast.records import Records
from slipcast.regions.region import Region
from slipcast.service.storage.store import EventRow, Key

__all__ = ["Alerts", "Answer", "Engine"]

_SHORTEST_MIN = 5.0
_LATE_S = 600.0
_FAR_M = 300e3
_UNEXPLAINED = 0.5
_MAGNITUDES = RuptureSettings().magnitude
_NOISE_SD_M = 0.02  # of a real record against a bank's waves, for a method
_SAMPLES_S = 60.0
_LEAST_MAGNITUDE, _LARGEST_MAGNITUDE = 6.0, 9.6  # that choose unit sources
_MOST_BANKS = 8


@dataclass(frozen=True)
class Alerts:
    """From which highest sea level on a forecast is called what, m; an index offshore, no official level."""

    information_m: float = 0.03
    advisory_m: float = 0.3
    warning_m: float = 1.0

    def of(self, height_m: float) -> str:
        """Name a height.

        Examples
        --------
        >>> Alerts().of(0.5)
        'advisory'
        """
        if height_m >= self.warning_m:
            return "warning"
        if height_m >= self.advisory_m:
            return "advisory"
        return "information" if height_m >= self.information_m else "none"


@dataclass(frozen=True)
class Answer:
    """What samples say.

    Attributes
    ----------
    digest : str
        Of what it was computed from; the same samples have the same.
    summary, detail : dict
        For clients, but what depends on when it was computed.
    slip : SlipEstimate
        With its draws where the method has them.
    forecast : Forecast
        At all gauges.
    """

    digest: str
    summary: dict[str, Any]
    detail: dict[str, Any]
    slip: SlipEstimate = field(repr=False)
    forecast: Forecast = field(repr=False)


@dataclass(frozen=True)
class Engine:
    """How the events of a region are answered.

    Attributes
    ----------
    region : Region
        Its sources and gauges.
    model : NeuralPosterior or None
        A trained sampler.
    bank : GreensBank or None
        With a model, what forecasts are made with in place of the model's own waves; a method needs one.
    method : str or None
        Without a model: how slip is found.
    alerts : Alerts
        What heights are called.
    """

    region: Region
    model: Any = None
    bank: GreensBank | None = None
    method: str | None = None
    alerts: Alerts = field(default_factory=Alerts)
    _banks: dict[tuple[str, ...], GreensBank] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self):
        if (self.model is None) == (self.method is None):
            raise InputError(f"region {self.region.name} needs either a model or a method")
        if self.method is not None and self.bank is None:
            raise InputError(f"method {self.method} needs a bank of {self.region.name}")
        if self.model is not None and self.model.region != self.region.name:
            raise InputError(f"model of region {self.model.region} cannot answer for {self.region.name}")

    @property
    def gauges(self) -> list[str]:
        """Names of the DARTs that slip is found from, in order."""
        if self.model is not None:
            return list(self.model.gauges)
        return [name for name in self.region.gauge_names("dart") if name in self._waves_bank.gauges]

    @cached_property
    def window_min(self) -> tuple[float, float]:
        """Shortest and longest window, minutes after the origin."""
        if self.model is not None:
            return float(self.model.shortest_min), float(self.model.window_min)
        hours = self._waves_bank.dataset["gauge_hours"].to_numpy()
        used = [self._waves_bank.gauges.index(name) for name in self.gauges]
        return _SHORTEST_MIN, 60 * float(hours[used].min())

    @property
    def sources(self) -> list[str]:
        """Names of the unit sources that slip is found on, in order."""
        return list(self.model.sources if self.model is not None else self._waves_bank.sources)

    @property
    def model_id(self) -> str:
        """Identity of the model; empty for a method."""
        return "" if self.model is None else str(self.model.id)

    @property
    def bank_id(self) -> str:
        """Identity of the bank that forecasts are made with."""
        return str(self.model.bank) if self.bank is None else self.bank.id

    @property
    def _waves_bank(self) -> GreensBank:
        """The bank, which a method has."""
        if self.bank is None:
            raise InputError(f"region {self.region.name} is served without a bank")
        return self.bank

    def warm_up(self) -> None:
        """Answer a still sea, so that no answer to an event waits for what is loaded, or memory, on first use."""
        lon, lat = self._middles[0].tolist()
        event = EventRow(0, "", self.region.name, "", "2000-01-01T00:00:00Z", lon, lat, None, True, "")
        minutes = range(1, int(self.window_min[1]) + 1)
        self.answer(event, {(name, "sea_level", 60_000 * at): 0.0 for name in self.gauges for at in minutes})

    def levels(self, event: EventRow, heights_m: Mapping[Key, float]) -> dict[str, GaugeLevels]:
        """Return what every DART of the region has sent, without the tide, by name."""
        names = list(dict.fromkeys([*self.gauges, *self.region.gauge_names("dart")]))
        middles = [(lon, lat) for lon, lat in self._middles.tolist()]
        return gauge_levels(event, heights_m, names, self.region, middles)

    def records(self, event: EventRow, levels: Mapping[str, GaugeLevels], gauges: Sequence[str]) -> Records:
        """Put gauges on common times."""
        time_s = np.unique(np.concatenate([levels[name].time_s for name in gauges]))
        level = np.full((len(gauges), time_s.size), np.nan)
        for row, name in enumerate(gauges):
            level[row, np.searchsorted(time_s, levels[name].time_s)] = levels[name].level_m
        places = [self.region.gauge(name) for name in gauges]
        made = Records.from_arrays(
            time_s,
            level,
            gauges=list(gauges),
            lon_deg=[place.lon for place in places],
            lat_deg=[place.lat for place in places],
            origin_time=event.origin_time,
            title=event.name,
        )
        epicentre = [float(wrap_longitude(event.longitude)), event.latitude]
        return Records(made.dataset.assign_attrs(epicentre=epicentre, simulation=int(event.simulation)))

    def answer(self, event: EventRow, heights_m: Mapping[Key, float], *, known: str = "") -> Answer | None:
        """Find slip and forecast.

        Parameters
        ----------
        event : EventRow
            Of which event.
        heights_m : mapping of Key to float
            All samples as they stand, in any order.
        known : str, optional
            Digest of the last answer.

        Returns
        -------
        answer : Answer or None
            None if no gauge has a sample in the window yet, or if nothing changed since the last answer. It depends on
            nothing but the event and the samples.
        """
        levels = self.levels(event, heights_m)
        first, longest = self.window_min
        heard = {name: levels[name].within(0.0, 60 * longest) for name in self.gauges}
        used = [name for name, of_gauge in heard.items() if of_gauge.time_s.size]
        if not used:
            return None
        newest_s = max(float(heard[name].time_s[-1]) for name in used)
        window = float(np.clip(newest_s / 60, first, longest))
        records = self.records(event, {name: heard[name] for name in used}, used)
        grid_s = _SAMPLES_S * np.arange(1, int(longest) + 1)
        sampled = records.resample(grid_s).to_numpy()
        if not (seen := np.isfinite(sampled).any(axis=1)).any():
            return None
        flags = [*levels_flags(levels, self.gauges), *self._flags(event, levels, used, newest_s, window)]
        digest = fingerprint(used, round(window, 4), sampled, flags, self.model_id, self.bank_id, self.method or "")
        if digest == known:
            return None
        with single_threaded():  # threads that wait for each other over small matrices are slower
            slip = self._invert(event, records, window, [name for name, has in zip(used, seen) if has])
            made = forecast(slip, self.model if self.bank is None else self.bank)
        flags += self._flags_of(slip, made, grid_s, sampled, used, levels)
        summary = self._summary(slip, made, used, window, newest_s, flags)
        return Answer(digest, summary, self._detail(slip, made), slip, made)

    def _invert(self, event: EventRow, records: Records, window: float, gauges: list[str]) -> SlipEstimate:
        """Find slip."""
        if self.model is not None:
            return invert(records, model=self.model, window_min=window)
        bank = self._bank_near(tuple(self._candidates(event) or self.sources))
        return invert(records, bank, method=self.method, window_min=window, gauges=gauges, noise_sd_m=self._noise_sd_m)

    def _candidates(self, event: EventRow) -> list[str]:
        """Return the unit sources that may have broken: all without a magnitude, none where none is near."""
        if self.model is not None or event.magnitude is None or event.magnitude < _LEAST_MAGNITUDE:
            return self.sources
        epicentre, magnitude = (event.longitude, event.latitude), min(event.magnitude, _LARGEST_MAGNITUDE)
        try:
            return candidate_sources(self.sources, epicentre, magnitude)
        except InputError:  # a flag says it
            return []

    def _bank_near(self, sources: tuple[str, ...]) -> GreensBank:
        """Return the bank with some of its unit sources; kept, since an event asks for the same again and again."""
        if sources not in self._banks:
            while len(self._banks) >= _MOST_BANKS:
                self._banks.pop(next(iter(self._banks)))
            self._banks[sources] = self._waves_bank.with_sources(list(sources))
        return self._banks[sources]

    @property
    def _noise_sd_m(self) -> float | None:
        """What a method takes a sample's error for, m."""
        return None if self.method == "nnls" else _NOISE_SD_M

    def _flags(
        self, event: EventRow, levels: Mapping[str, GaugeLevels], used: list[str], newest_s: float, window: float
    ) -> list[str]:
        """Say what is special about the samples."""
        flags = []
        for name in self.gauges:
            if name not in used:
                flags.append(f"{name} silent")
            elif newest_s - (last_s := float(levels[name].within(0.0, newest_s).time_s[-1])) > _LATE_S:
                flags.append(f"{name} silent since minute {last_s / 60:.0f}")
        if newest_s < 60 * self.window_min[0]:
            flags.append(f"window shorter than {self.window_min[0]:g} min")
        if any((levels[name].time_s > 60 * self.window_min[1]).any() for name in used):
            flags.append(f"samples after minute {self.window_min[1]:g} not used")
        if not any(levels[name].within(0.0, 60 * window).wave_seen for name in used):
            flags.append("no wave seen yet")
        middles = self._middles
        if great_circle_distance(event.longitude, event.latitude, middles[:, 0], middles[:, 1]).min() > _FAR_M:
            flags.append("extrapolated: epicentre far from the unit sources")
        elif not self._candidates(event):
            flags.append("extrapolated: no unit source is near enough for the magnitude, all are used")
        return flags

    @cached_property
    def _middles(self) -> np.ndarray:
        """Middles of the unit sources, shape (n_sources, 2), degrees."""
        return np.array([unit_source(name).corners()[:, :2].mean(axis=0) for name in self.sources])

    def _flags_of(
        self,
        slip: SlipEstimate,
        made: Forecast,
        grid_s: np.ndarray,
        sampled: np.ndarray,
        used: list[str],
        levels: Mapping[str, GaugeLevels],
    ) -> list[str]:
        """Say what is special about the answer."""
        flags = []
        if self.model is not None and np.isfinite(slip.magnitude) and slip.magnitude > _MAGNITUDES[1]:
            flags.append(f"extrapolated: above Mw {_MAGNITUDES[1]:g}, the largest that the model has learnt")
        time_s = made.dataset["time"].to_numpy()
        for name, row in zip(used, sampled):
            if name not in made.gauges or not levels[name].within(0.0, float(grid_s[-1])).wave_seen:
                continue
            known = np.isfinite(row)
            modelled = np.interp(grid_s[known], time_s, made.sea_level.sel(gauge=name).to_numpy())
            if np.sum((row[known] - modelled) ** 2) > _UNEXPLAINED * np.sum(row[known] ** 2):
                flags.append(f"{name} not explained by the slip found")
        return flags

    def _summary(
        self, slip: SlipEstimate, made: Forecast, used: list[str], window: float, newest_s: float, flags: list[str]
    ) -> dict[str, Any]:
        """Put an answer in short."""
        low = high = None
        if slip.samples is not None:
            spread = slip.dataset["magnitude_quantile"].to_numpy()
            low, high = _number(spread[0], 3), _number(spread[-1], 3)
        magnitude = _number(slip.magnitude, 3)
        below = self.model is not None and (magnitude is None or magnitude < _MAGNITUDES[0])
        heights = made.max_amplitude.to_numpy()
        worst = int(np.nanargmax(heights))
        return {
            "minute": round(newest_s / 60, 2),
            "window_min": round(window, 2),
            "gauges_used": used,
            "flags": flags,
            "magnitude": magnitude,
            "magnitude_low": low,
            "magnitude_high": high,
            "below_range": below,
            "worst": {"gauge": made.gauges[worst], "max_amplitude_m": _number(heights[worst], 4)},
        }

    def _detail(self, slip: SlipEstimate, made: Forecast) -> dict[str, Any]:
        """Put slip on every unit source, and the forecast of every gauge, worst first, into a structure."""
        kinds = {gauge.name: gauge.kind for gauge in self.region.gauges}
        return {
            "model": self.model_id,
            "bank": self.bank_id,
            "method": str(slip.dataset.attrs["method"]),
            "region": self.region.name,
            "slip": _slip_rows(slip),
            "forecast": [
                row | {"kind": kinds.get(row["gauge"], "forecast"), "alert": self.alerts.of(row["max_amplitude_m"])}
                for row in _forecast_rows(made)
            ],
        }


def levels_flags(levels: Mapping[str, GaugeLevels], gauges: Sequence[str]) -> list[str]:
    """Say at which gauges something went wrong with the tide, or was done to it."""
    return [f"{name} {levels[name].note}" for name in gauges if levels[name].note]


def _number(value: Any, digits: int) -> float | None:
    """Round a number; None where there is none."""
    return round(float(value), digits) if np.isfinite(value) else None


def _slip_rows(slip: SlipEstimate) -> list[dict[str, Any]]:
    """Return slip on every unit source, m, with its standard deviation and 90 % interval where they are known."""
    nothing = np.full(len(slip.sources), np.nan)
    sd, low, high = nothing, nothing, nothing
    if slip.samples is not None:
        sd = slip.dataset["slip_sd"].to_numpy()
        low, high = slip.dataset["slip_quantile"].to_numpy()[[0, -1]]
    return [
        {
            "source": name,
            "slip_m": _number(value, 4),
            "sd_m": _number(s, 4),
            "low_m": _number(a, 4),
            "high_m": _number(b, 4),
        }
        for name, value, s, a, b in zip(slip.sources, slip.slip.to_numpy(), sd, low, high)
    ]


def _forecast_rows(made: Forecast) -> list[dict[str, Any]]:
    """Return heights, m, and times, s, of every gauge, the highest first."""
    spread = np.full((5, len(made.gauges)), np.nan)
    if "max_amplitude_quantile" in made.dataset:
        spread = made.dataset["max_amplitude_quantile"].to_numpy()
    rows = [
        {
            "gauge": name,
            "max_amplitude_m": _number(height, 4),
            "low_m": _number(of_gauge[0], 4),
            "high_m": _number(of_gauge[-1], 4),
            "q25_m": _number(of_gauge[1], 4),
            "q75_m": _number(of_gauge[-2], 4),
            "arrival_s": _number(arrival, 0),
            "max_time_s": _number(peak, 0),
        }
        for name, height, of_gauge, arrival, peak in zip(
            made.gauges,
            made.max_amplitude.to_numpy(),
            spread.T,
            made.arrival_time.to_numpy(),
            made.dataset["max_time"].to_numpy(),
        )
    ]
    return sorted(rows, key=lambda row: (-(row["max_amplitude_m"] or 0.0), row["gauge"]))
