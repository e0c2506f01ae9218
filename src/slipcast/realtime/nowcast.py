"""Current estimate of an event: slip, forecast and flags from the samples so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from cachetools import LRUCache

from slipcast.errors import InputError, check_kind
from slipcast.forecasting.forecast import Forecast, forecast, wave_source
from slipcast.greens.bank import GreensBank
from slipcast.inversion.candidates import check_epicentre, distance_to_sources, source_middles
from slipcast.inversion.estimate import SlipEstimate, magnitude_of_slip
from slipcast.inversion.first_magnitude import FirstMagnitude
from slipcast.inversion.inverter import Inverter, WaveInverter, WindowInverter, provenance_of
from slipcast.io.identity import fingerprint
from slipcast.learning.inverters import open_inverter
from slipcast.parallel.threads import single_threaded
from slipcast.physics.ruptures import RuptureSettings
from slipcast.realtime.detiding import (
    Event,
    GaugeLevels,
    SampleKey,
    gauge_levels,
    records_of_levels,
)
from slipcast.realtime.event_slip import EXPLAINED, on_sources, slip_of_event, sources_in_reach
from slipcast.realtime.waves_seen import standing_off, waves_seen_in
from slipcast.records import Records
from slipcast.records.level_checks import examined, notes_on_samples
from slipcast.regions.region import Region

if TYPE_CHECKING:
    from slipcast.greens.responses import SourceResponses

__all__ = ["SHORTEST_MIN", "Nowcast", "Result"]

SHORTEST_MIN = 5.0
"""Shortest window, minutes after the origin, where the method has no shortest one of its own."""

_LATE_S = 600.0
_FAR_M = 300e3
_MAGNITUDES = RuptureSettings().magnitude
_SAMPLES_S = 60.0
_KEPT_METHODS = 8
_PRIOR_DRAWS, _NEAR_LARGEST = 1000, 0.5


@dataclass(frozen=True)
class Result:
    """The estimate from all samples of a moment.

    Attributes
    ----------
    digest : str
        Of what it was computed from; the same samples have the same.
    newest_s : float
        Time of the newest sample in the window, s since the origin.
    window_min : float
        Window of the inversion, minutes after the origin.
    gauges : list of str
        Gauges with a sample in the window.
    flags : list of str
        What qualifies it, in words.
    below_range : bool
        Whether its magnitude is below those that the model was trained on.
    explained : dict of str to float
        By gauge with a sample: the share of its record in the window that the forecast explains (1 less the sum of
        squares that is left over that of the record), at most 1; NaN where it has seen no wave. Those that were put
        aside are among them.
    put_aside : dict of str to float
        Gauges that were left out, and by how many standard deviations each contradicts the others, or what slip can
        make (:class:`~slipcast.inversion.consistency.Consistency`).
    slip : SlipEstimate
        With posterior samples where the method gives them.
    forecast : Forecast
        At all gauges.
    beyond_m : dict of str to float
        Gauges whose forecast is higher than any earthquake of the model makes it (:attr:`Nowcast.highest_m`), and that
        height, m: not to be relied on.
    """

    digest: str
    newest_s: float
    window_min: float
    gauges: list[str]
    flags: list[str]
    below_range: bool
    explained: dict[str, float]
    put_aside: dict[str, float]
    slip: SlipEstimate = field(repr=False)
    forecast: Forecast = field(repr=False)
    beyond_m: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Nowcast:
    """Slip and forecast of an event, from whatever has been recorded so far.

    Attributes
    ----------
    inverter : Inverter, Checkpoint, str or path
        A method for windows of any length (:class:`~slipcast.inversion.inverter.WindowInverter`), or the name or folder
        of a model.
    bank : GreensBank, optional
        What forecasts are made with in place of the waves or the bank of the method.
    hold_first : bool, optional
        Hold each result against the first magnitude of the event, where it is known
        (:class:`~slipcast.inversion.first_magnitude.FirstMagnitude`).

    Raises
    ------
    InputError
        If the method is for one window alone, knows no waves and there is no bank, or the bank is of another region.

    Notes
    -----
    A replay and the service ask the same: with the same samples, made ready by the same hand, they get the same result;
    :func:`~slipcast.realtime.event_slip.invert` finds the same slip.
    """

    inverter: Inverter
    bank: GreensBank | None = None
    hold_first: bool = True
    _by_sources: LRUCache = field(default_factory=lambda: LRUCache(_KEPT_METHODS), init=False, repr=False)

    def __post_init__(self):
        inverter = open_inverter(self.inverter)
        object.__setattr__(self, "inverter", inverter)
        if not isinstance(inverter, WindowInverter):
            window_min = float(inverter.times_s[-1]) / 60
            raise InputError(f"inverter must be for windows of any length, got one for {window_min:g} min")
        if self.bank is not None:
            check_kind(self.bank, GreensBank, "bank", "a GreensBank")
            own = provenance_of(inverter).get("region", "")
            if own and own != self.bank.region.name:
                raise InputError(f"method of region {own} cannot be used with a bank of {self.bank.region.name}")

    @cached_property
    def waves(self) -> SourceResponses | WaveInverter:
        """What forecasts are made with."""
        return wave_source(self.inverter if self.bank is None else self.bank)

    @cached_property
    def region(self) -> Region:
        """The region of the method."""
        found = getattr(self.waves, "region", "")
        return found if isinstance(found, Region) else Region.open(found)

    @property
    def gauges(self) -> list[str]:
        """Names of the DARTs that slip is found from, in order."""
        return list(self.inverter.gauges)

    @property
    def sources(self) -> list[str]:
        """Names of the unit sources that slip is found on, in order."""
        return list(self.inverter.sources)

    @property
    def wave_gauges(self) -> list[str]:
        """Names of the gauges of the forecasts, in order."""
        return list(self.waves.waves if isinstance(self.waves, WaveInverter) else self.waves.gauges)

    @property
    def window_range_min(self) -> tuple[float, float]:
        """Shortest and longest window, minutes after the origin."""
        shortest, longest = self._window_inverter.window_range_min
        return (shortest if self.is_model else max(shortest, SHORTEST_MIN)), longest

    @property
    def is_model(self) -> bool:
        """Whether the method is a trained model with waves of its own."""
        return isinstance(self.inverter, WaveInverter)

    @property
    def model_id(self) -> str:
        """Identity of the model; empty for a method without one."""
        return provenance_of(self.inverter).get("model", "")

    @property
    def bank_id(self) -> str:
        """Identity of the bank that forecasts are made with."""
        waves: Any = self.waves
        return str(waves.bank if self.is_model and self.bank is None else waves.id)

    @property
    def _window_inverter(self) -> WindowInverter:
        """The method, which takes windows of any length."""
        inverter: Any = self.inverter
        return inverter

    @cached_property
    def highest_m(self) -> dict[str, float]:
        """The highest sea level that draws of the model make at each gauge of its waves, m.

        Of a thousand earthquakes drawn before any wave can have come, those within half a magnitude of the largest that
        the model was trained on, scaled up to it. Empty for a method without a model, which has no largest earthquake.
        """
        if not isinstance(self.inverter, WaveInverter) or self.bank is not None:
            return {}
        still = np.full((len(self.gauges), len(self.inverter.times_s)), np.nan)
        still[:, 0] = 0.0
        drawn = self.inverter.draw(still, _PRIOR_DRAWS, np.random.default_rng(0))
        below = _MAGNITUDES[1] - magnitude_of_slip(self.inverter.slip(drawn), self.sources)
        large = below <= _NEAR_LARGEST
        if not large.any():
            return {}
        scaled = drawn[large] * 10 ** (1.5 * np.maximum(below[large], 0.0))[:, np.newaxis]
        return {name: float((scaled @ waves).max()) for name, waves in self.inverter.waves.items()}

    def warm_up(self) -> None:
        """Compute the result of a still sea once, so that the first event does not wait for imports and memory."""
        minutes = 60.0 * np.arange(1, int(self.window_range_min[1]) + 1)
        places = [self.region.gauge(name) for name in self.gauges]
        records = Records.from_arrays(
            minutes,
            np.zeros((len(places), minutes.size)),
            gauges=self.gauges,
            lon_deg=[place.lon for place in places],
            lat_deg=[place.lat for place in places],
            senses=[place.senses for place in places],
        )
        self.update(records)

    def check_epicentre(self, lon_deg: float, lat_deg: float) -> None:
        """Refuse an earthquake that none of the unit sources can stand for.

        Raises
        ------
        InputError
            If it is more than 500 km from all of them.
        """
        check_epicentre(self.sources, (lon_deg, lat_deg), self.region.name)

    def levels(self, event: Event, heights_m: Mapping[SampleKey, float]) -> dict[str, GaugeLevels]:
        """Return the samples of every DART of the region without the tide, by name."""
        names = list(dict.fromkeys([*self.gauges, *self.region.gauge_names("dart")]))
        return gauge_levels(event, heights_m, names, self.region, self.source_middles)

    def records(self, event: Event, levels: Mapping[str, GaugeLevels]) -> Records:
        """Put the gauges that have sent samples on common times."""
        sent = {name: of_gauge for name, of_gauge in levels.items() if of_gauge.time_s.size}
        return records_of_levels(event, sent, self.region)

    def answer(self, event: Event, heights_m: Mapping[SampleKey, float], *, known: str = "") -> Result | None:
        """Find slip and forecast from the samples of an event.

        Parameters
        ----------
        event : Event
            Origin, place, magnitude as first reported.
        heights_m : mapping of SampleKey to float
            All samples as they stand, in any order.
        known : str, optional
            Digest of the last result.

        Returns
        -------
        result : Result or None
            As :meth:`update`.
        """
        levels = self.levels(event, heights_m)
        longest_s = 60 * self.window_range_min[1]
        used = {name: levels[name].within(0.0, longest_s) for name in self.gauges}
        used = {name: of_gauge for name, of_gauge in used.items() if of_gauge.time_s.size}
        if not used:
            return None
        notes = [f"{name}: {levels[name].note}" for name in self.gauges if levels[name].note]
        if any((levels[name].time_s > longest_s).any() for name in used):
            notes.append(f"samples after minute {longest_s / 60:g} not used")
        records = records_of_levels(event, used, self.region)
        seen = {name: levels[name].within(0.0, longest_s).wave_seen for name in used}
        return self.update(records, magnitude=event.magnitude, notes=notes, waves_seen=seen, known=known)

    def update(
        self,
        records: Records,
        *,
        magnitude: float | None = None,
        notes: list[str] | None = None,
        waves_seen: Mapping[str, bool] | None = None,
        forecast_gauges: list[str] | None = None,
        known: str = "",
    ) -> Result | None:
        """Find slip and forecast from what has been recorded so far.

        Parameters
        ----------
        records : Records
            Of one event, tide removed; with its epicentre, places far from the sources are flagged.
        magnitude : float, optional
            As first reported, by default that of the records (:attr:`Records.first_magnitude`); a method with a bank
            then looks for slip near the epicentre alone.
        notes : list of str, optional
            Flags about how the records were made.
        waves_seen : mapping of str to bool, optional
            Where a tsunami has been detected, or not (:func:`~slipcast.realtime.waves_seen.detections`); at others a
            wave is looked for in the records.
        forecast_gauges : list of str, optional
            By default all.
        known : str, optional
            Digest of the last result.

        Returns
        -------
        result : Result or None
            None if no gauge has a sample in the window yet, or if nothing changed since the last result. It depends on
            nothing but the arguments.

        Raises
        ------
        InputError
            If the records are of several events or still hold the tide, or their epicentre is too far from the sources.
        """
        records = records.one_event()
        magnitude = records.first_magnitude if magnitude is None else magnitude
        records = records.with_event(magnitude=magnitude)
        if (place := _epicentre(records)) is not None:
            self.check_epicentre(*place)
        shortest, longest = self.window_range_min
        if not (checked := "flag" in records.dataset):
            records = examined(records, 60.0 * longest, self.source_middles)
        time_s = records.time_s
        inside = (time_s >= 0) & (time_s <= 60 * longest)
        level = records.sea_level.to_numpy()[:, inside]
        rows = [name for name in self.gauges if name in records.gauges]
        last_s = {name: _last(time_s[inside], level[records.gauges.index(name)]) for name in rows}
        used = [name for name in rows if np.isfinite(last_s[name])]
        if not used:
            return None
        newest_s = max(last_s[name] for name in used)
        window_min = float(np.clip(newest_s / 60, shortest, longest))
        grid_s = _SAMPLES_S * np.arange(1, int(longest) + 1)
        sampled = records.resample(grid_s, used).to_numpy()
        sampled[:, grid_s > newest_s] = np.nan
        seen = [name for name, row in zip(used, sampled, strict=True) if np.isfinite(row).any()]
        if not seen:
            return None
        waves_seen = waves_seen or {}
        if rest := [name for name in used if name not in waves_seen]:
            waves_seen = {**waves_seen, **waves_seen_in(records, rest, self.source_middles, 60 * window_min)}
        epicentre = _epicentre(records)
        candidates = sources_in_reach(self.inverter, records, magnitude)
        flags = list(notes or [])
        if not checked:
            flags += [f"{name}: {note}" for name, note in notes_on_samples(records, 60.0 * longest).items()]
        flags += self._record_flags(last_s, newest_s)
        flags += self._place_flags(epicentre, candidates)
        digest = fingerprint(
            used,
            round(window_min, 4),
            sampled,
            flags,
            sorted(waves_seen.items()),
            self.model_id,
            self.bank_id,
            self.inverter.method,
            magnitude,
        )
        if digest == known:
            return None
        first = FirstMagnitude(magnitude) if self.hold_first and magnitude is not None else None
        with single_threaded():  # threads that wait for each other over small matrices are slower
            found = slip_of_event(
                records,
                self._on_sources(tuple(candidates or self.sources)),
                whole=self.inverter,
                waves=self.waves,
                window_min=window_min,
                gauges=seen,
                waves_seen=waves_seen,
                first=first,
                or_still=True,
            )
            made = forecast(found.slip, self.waves, gauges=forecast_gauges)
        aside, explained = found.put_aside, dict.fromkeys(used, float("nan")) | found.explained
        flags += [
            f"{name}: not used, its record contradicts the others or what slip can make, by {by:.0f} sd"
            for name, by in aside.items()
        ]
        flags += [
            f"{name}: stays off, and no wave detected there ({100 * off_m:+.1f} cm)"
            for name, off_m in standing_off(records, used, 60 * window_min).items()
            if not waves_seen[name] and name not in aside
        ]
        flags += [] if found.wave_seen else ["no wave detected yet"]
        flags += [found.note] if found.note else []
        flags += self._result_flags(found.slip, {name: share for name, share in explained.items() if name not in aside})
        heights = dict(zip(made.gauges, made.max_amplitude.to_numpy().tolist(), strict=True))
        beyond = {name: most for name, most in self.highest_m.items() if heights.get(name, 0.0) > most}
        flags += self._beyond_flags(heights, beyond)
        below = self.is_model and not found.slip.magnitude >= _MAGNITUDES[0]
        return Result(digest, newest_s, window_min, used, flags, below, explained, aside, found.slip, made, beyond)

    def _on_sources(self, sources: tuple[str, ...]) -> Inverter:
        """Return the method on some of its unit sources; kept, since an event asks for the same again and again."""
        if sources not in self._by_sources:
            self._by_sources[sources] = on_sources(self.inverter, sources)
        return self._by_sources[sources]

    def _record_flags(self, last_s: Mapping[str, float], newest_s: float) -> list[str]:
        """Tell what is special about the samples."""
        flags = []
        for name in self.gauges:
            if not np.isfinite(last_s.get(name, np.nan)):
                flags.append(f"{name}: no data")
            elif newest_s - last_s[name] > _LATE_S:
                flags.append(f"{name}: no data since minute {last_s[name] / 60:.0f}")
        if newest_s < 60 * self.window_range_min[0]:
            flags.append(f"window shorter than {self.window_range_min[0]:g} min")
        return flags

    def _place_flags(self, epicentre: tuple[float, float] | None, candidates: list[str]) -> list[str]:
        """Tell what is special about where the event is."""
        if epicentre is None:
            return []
        if distance_to_sources(self.sources, epicentre) > _FAR_M:
            return ["extrapolated: epicentre far from the unit sources"]
        if not candidates:
            return ["extrapolated: no unit source is near enough for the magnitude, all are used"]
        return []

    def _result_flags(self, slip: SlipEstimate, explained: Mapping[str, float]) -> list[str]:
        """Tell what is special about the result."""
        flags = []
        if self.is_model and np.isfinite(slip.magnitude) and slip.magnitude > _MAGNITUDES[1]:
            flags.append(f"extrapolated: above Mw {_MAGNITUDES[1]:g}, the largest that the model was trained on")
        flags += [f"{name}: not explained by the slip found" for name, share in explained.items() if share < EXPLAINED]
        return flags

    @staticmethod
    def _beyond_flags(heights_m: Mapping[str, float], beyond_m: Mapping[str, float]) -> list[str]:
        """Tell that forecasts are higher than the model can make them, at the farthest beyond by name."""
        if not beyond_m:
            return []
        worst = max(beyond_m, key=lambda name: heights_m[name] / beyond_m[name])
        return [
            f"forecast beyond what any earthquake of the model makes at {len(beyond_m)} of {len(heights_m)} gauges, "
            f"first of all at {worst} ({beyond_m[worst]:.1f} m)"
        ]

    @property
    def source_middles(self) -> tuple[tuple[float, float], ...]:
        """Longitudes and latitudes of the middles of the unit sources, degrees."""
        return source_middles(tuple(self.sources))


def _last(time_s: np.ndarray, level_m: np.ndarray) -> float:
    """Return the time of the last sample, s; NaN if there is none."""
    known = np.isfinite(level_m)
    return float(time_s[known][-1]) if known.any() else np.nan


def _epicentre(records: Records) -> tuple[float, float] | None:
    """Return the epicentre that records name."""
    if "epicentre" not in records.dataset.attrs:
        return None
    lon, lat = (float(value) for value in records.dataset.attrs["epicentre"])
    return lon, lat
