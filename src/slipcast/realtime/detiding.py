"""Samples of an event as sea level without the tide, gauge by gauge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import numpy as np
import xarray as xr

from slipcast.errors import InputError
from slipcast.geodesy import wrap_longitude
from slipcast.realtime.waves_seen import detected_at, wave_since
from slipcast.records import Records, earliest_arrival, flag_summary, parse_origin, records_of
from slipcast.records.arrival import earliest_from
from slipcast.records.dart import series_of_samples
from slipcast.records.level_checks import ready_levels, words_for
from slipcast.regions.region import Region

__all__ = [
    "Event",
    "GaugeLevels",
    "SampleKey",
    "gauge_levels",
    "records_of_levels",
]

SampleKey = tuple[str, str, int]
"""Gauge, kind of height (sea level, or water column with the tide), and time since the origin, ms."""

_NAMED_S = 6 * 3600.0  # what is left out since then is named
_ABOUT_LEVEL = ("step", "level changes")


class Event(Protocol):
    """An earthquake as it is reported."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def origin_time(self) -> str:
        """UTC, ISO 8601."""

    @property
    def longitude(self) -> float:
        """Of the epicentre, degrees."""

    @property
    def latitude(self) -> float:
        """Of the epicentre, degrees."""

    @property
    def magnitude(self) -> float | None:
        """Mw as first reported."""

    @property
    def simulation(self) -> bool:
        """Whether it is an exercise."""


@dataclass(frozen=True)
class GaugeLevels:
    """Samples of a gauge.

    Attributes
    ----------
    time_s : array, shape (n,)
        s since the origin, rising.
    level_m : array, shape (n,)
        Sea level without the tide, m, finite.
    note : str
        What was done about the tide; empty if it was gone already.
    earliest_s : float
        Before it no tsunami can be there, s since the origin: what moves earlier is the shaking.
    detected_s : float or None
        Since when a tsunami is detected in its heights of the water column
        (:func:`~slipcast.records.detection.detect`), s since the origin, infinite where none is; None where it sent sea
        level, or heights of less than half a day before the origin:
        :func:`~slipcast.realtime.waves_seen.wave_since` looks for one in the levels then.
    tide_m : array, shape (n_columns, n)
        What is not known of the tide that was taken out here, as columns of unit scatter
        (:class:`~slipcast.records.tides.TideFit`); none where it was gone already.
    """

    time_s: np.ndarray
    level_m: np.ndarray
    note: str = ""
    earliest_s: float = 0.0
    detected_s: float | None = None
    tide_m: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)), repr=False)

    def within(self, first_s: float, last_s: float) -> GaugeLevels:
        """Return the samples of a span, both ends included."""
        inside = (self.time_s >= first_s) & (self.time_s <= last_s)
        tide_m = self.tide_m[:, inside] if self.tide_m.size else self.tide_m
        return replace(self, time_s=self.time_s[inside], level_m=self.level_m[inside], tide_m=tide_m)

    @property
    def wave_since_s(self) -> float:
        """Since when a wave has been seen, s since the origin; infinite where none has."""
        if self.detected_s is not None:
            return self.detected_s
        tide_sd_m = np.sqrt(np.square(self.tide_m).sum(axis=0)) if self.tide_m.size else None
        return wave_since(self.time_s, self.level_m, self.earliest_s, tide_sd_m)

    @property
    def wave_seen(self) -> bool:
        """Whether a wave has been seen since it can have come."""
        return bool(np.isfinite(self.wave_since_s))

    @property
    def state(self) -> Literal["no data", "no wave detected", "wave detected"]:
        """State for the operator; no data without any sample since the origin."""
        if not (self.time_s >= 0).any():
            return "no data"
        return "wave detected" if self.wave_seen else "no wave detected"


def records_of_levels(event: Event, levels: Mapping[str, GaugeLevels], region: Region) -> Records:
    """Put gauges on common times.

    Parameters
    ----------
    event : Event
        Of which event.
    levels : mapping of str to GaugeLevels
        By gauge, each with a sample.
    region : Region
        Says where they are.

    Returns
    -------
    records : Records
        With epicentre and magnitude of the event, and what is not known of tides; NaN where a gauge has no sample.
    """
    time_s = np.unique(np.concatenate([of_gauge.time_s for of_gauge in levels.values()]))
    level = np.full((len(levels), time_s.size), np.nan)
    tide = np.zeros((len(levels), max(of_gauge.tide_m.shape[0] for of_gauge in levels.values()), time_s.size))
    for row, of_gauge in enumerate(levels.values()):
        level[row, np.searchsorted(time_s, of_gauge.time_s)] = of_gauge.level_m
        for number, column in enumerate(of_gauge.tide_m):
            tide[row, number] = np.interp(time_s, of_gauge.time_s, column)
    places = [region.gauge(name) for name in levels]
    made = Records.from_arrays(
        time_s,
        level,
        gauges=list(levels),
        lon_deg=[place.lon for place in places],
        lat_deg=[place.lat for place in places],
        senses=[place.senses for place in places],
        origin_time=event.origin_time,
        title=event.name,
    )
    epicentre = [float(wrap_longitude(event.longitude)), event.latitude]
    named: dict[str, Any] = (
        {} if event.magnitude is None else {key: float(event.magnitude) for key in ("magnitude", "first_magnitude")}
    )
    checked = ("gauge", "time"), np.zeros(level.shape, np.uint8), {"long_name": "what is wrong with a sample"}
    dataset = made.dataset.assign(flag=checked).assign_attrs(
        epicentre=epicentre, simulation=int(event.simulation), **named
    )
    if tide.size:
        dataset["tide_column"] = (
            ("gauge", "column", "time"),
            tide,
            {"units": "m", "long_name": "uncertainty of the tide"},
        )
    return Records(dataset)


def gauge_levels(
    event: Event,
    heights_m: Mapping[SampleKey, float],
    gauges: Sequence[str],
    region: Region,
    sources: Sequence[tuple[float, float]] = (),
) -> dict[str, GaugeLevels]:
    """Sort samples by gauge and time, and take the tide out of those that have it.

    Parameters
    ----------
    event : Event
        Of which event.
    heights_m : mapping of SampleKey to float
        Samples in any order, m.
    gauges : sequence of str
        Names wanted.
    region : Region
        Says where they are.
    sources : sequence of (float, float), optional
        Longitudes and latitudes, degrees, from where a tsunami may come, besides the epicentre.

    Returns
    -------
    levels : dict of str to GaugeLevels
        One for each name. Where a gauge sent sea level and heights of the water column for the same time, the first
        counts. Heights whose tide cannot be taken out are left alone, and the note says why.
    """
    ready: dict[str, dict[int, float]] = {name: {} for name in gauges}
    raw: dict[str, dict[int, float]] = {name: {} for name in gauges}
    for (gauge, kind, at_ms), height_m in heights_m.items():
        if gauge in ready:
            (ready if kind == "sea_level" else raw)[gauge][at_ms] = height_m
    found = {}
    for name in gauges:
        note, level, columns = "", ready[name], None
        if raw[name]:
            detided, note, columns = _without_tide(event, name, raw[name], region)
            level = detided | level
        times_ms = sorted(level)
        heights = np.array([level[each] for each in times_ms], dtype=float)
        place = region.gauge(name)
        earliest_s = earliest_arrival((event.longitude, event.latitude), place.lon, place.lat, event.magnitude)
        earliest_s = min(earliest_s, earliest_from(tuple(sources), (place.lon, place.lat)))
        time_s = np.array(times_ms, dtype=float) / 1e3
        detected = None
        if raw[name]:
            known_s = np.array(sorted(raw[name])) / 1e3
            detected = detected_at(known_s, np.array([raw[name][round(1e3 * at)] for at in known_s]), earliest_s)
        else:
            heights, flags, told = ready_levels(time_s, heights, earliest_s)
            note = ", ".join([*map(words_for, flag_summary(flags, time_s)), *told])
            time_s, heights = time_s[np.isfinite(heights)], heights[np.isfinite(heights)]
        found[name] = GaugeLevels(time_s, heights, note, earliest_s, detected)
        if columns is not None:
            tide_m = columns.interp(time=time_s, kwargs={"fill_value": 0.0}).to_numpy()
            found[name] = replace(found[name], tide_m=tide_m)
    return found


def _without_tide(
    event: Event, gauge: str, heights_m: Mapping[int, float], region: Region
) -> tuple[dict[int, float], str, xr.DataArray | None]:
    """Take the tide out of heights of the water column; sea level by time, ms, a note, what is not known."""
    origin = parse_origin(event.origin_time)
    at_ms, height_m = (np.array(values) for values in zip(*sorted(heights_m.items()), strict=True))
    at_s = np.round(at_ms / 1e3).astype("timedelta64[s]")
    try:
        series = series_of_samples(gauge, origin + at_s, height_m)
        time_s = series.seconds_since(origin)
        records = records_of(
            [series],
            origin=origin,
            region=region,
            epicentre=(event.longitude, event.latitude),
            magnitude=event.magnitude,
            until_min=float(time_s[-1]) / 60,
        )
    except InputError:
        return {}, "not used: its tide cannot be taken out yet", None
    level = records.sea_level.to_numpy()[0]
    kept = np.isfinite(level)
    notes = ["tide taken out here"]
    for found in flag_summary(records.dataset["flag"].to_numpy()[0], records.time_s):
        if found["test"] != "shaking" and found["last_s"] >= -_NAMED_S:
            notes.append(words_for(found))
    notes += [said for said in records.dataset["left_out"].to_numpy()[0].split("; ") if said.startswith(_ABOUT_LEVEL)]
    return (
        {round(1e3 * at): float(value) for at, value in zip(records.time_s[kept], level[kept])},
        ", ".join(notes),
        records.dataset["tide_column"].isel(gauge=0),
    )
