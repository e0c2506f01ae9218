"""Earliest arrival of a tsunami at a gauge, whatever the rupture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from numbers import Real

import numpy as np

from slipcast.errors import InputError, check_kind
from slipcast.geodesy import great_circle_distance
from slipcast.records.records import Records

__all__ = ["SOURCE_MW", "Place", "check_magnitude", "earliest_arrival", "earliest_arrivals", "earliest_from"]

Place = tuple[float, float]
"""Longitude and latitude, degrees."""

SOURCE_MW = 7.5
"""The largest earthquake of one unit source of 100 km: wherever others slip too, these are sources themselves."""

_FASTEST_MS = 250.0  # of a long wave over 6.4 km of water
# of the interface earthquakes of Strasser et al. (2010), two standard deviations above the mean, km
_LENGTH, _PER_MAGNITUDE, _SCATTER = -2.477, 0.585, 2 * 0.180
_SHORTEST_M, _LONGEST_M = 100e3, 1600e3


def check_magnitude(magnitude: float) -> None:
    """Refuse a magnitude that no earthquake has; InputError."""
    check_kind(magnitude, Real, "magnitude", "a number")
    if not 0 <= magnitude <= 10:
        raise InputError(f"magnitude must be between 0 and 10, got {magnitude:g}")


def earliest_arrival(
    epicentre: tuple[float, float], lon_deg: float, lat_deg: float, magnitude: float | None = None
) -> float:
    r"""Bound the arrival of a tsunami from below.

    Parameters
    ----------
    epicentre : (float, float)
        Longitude and latitude, degrees.
    lon_deg, lat_deg : float
        Of the gauge, degrees.
    magnitude : float, optional
        Mw, as large as it may turn out to be; by default that of the longest rupture.

    Returns
    -------
    arrival_s : float
        s since the origin, >= 0: at 250 m/s, from the end of a rupture that begins at the epicentre and runs towards
        the gauge.

    Raises
    ------
    InputError
        If the magnitude is not between 0 and 10.

    Notes
    -----
    The length is :math:`10^{-2.477 + 0.585 M_w}` km with a standard deviation of 0.18 in the logarithm, for
    earthquakes at the interface of subduction zones (Strasser, Arango and Bommer 2010, Seismol. Res. Lett. 81, 941),
    two standard deviations longer than the mean, but from 100 km to 1,600 km: Sumatra 2004, the longest known, ran
    1,300 km from its epicentre.

    Examples
    --------
    >>> for magnitude in (7.5, 8.3, 9.1):
    ...     print(f"{earliest_arrival((142.4, 38.3), 178.3, 48.9, magnitude) / 60:.0f} min")
    193 min
    169 min
    99 min
    """
    extent_m = _LONGEST_M
    if magnitude is not None:
        check_magnitude(magnitude)
        length_m = 1e3 * 10.0 ** (_LENGTH + _PER_MAGNITUDE * magnitude + _SCATTER)
        extent_m = float(np.clip(length_m, _SHORTEST_M, _LONGEST_M))
    distance_m = great_circle_distance(*epicentre, lon_deg, lat_deg)
    return float(max(distance_m - extent_m, 0.0) / _FASTEST_MS)


def earliest_arrivals(records: Records, sources: Sequence[Place] = ()) -> np.ndarray:
    """Bound the arrivals at all gauges of records, by the epicentre and the magnitude that they name, likely or first.

    Parameters
    ----------
    records : Records
        Of one event.
    sources : sequence of (float, float), optional
        Longitudes and latitudes, degrees, from where a tsunami may come besides the epicentre (:func:`earliest_from`).

    Returns
    -------
    arrivals_s : array, shape (n_gauges,)
        s since the origin (:func:`earliest_arrival`); 0 where neither an epicentre nor a source is known.
    """
    named = records.dataset.attrs
    places = [
        (float(lon), float(lat))
        for lon, lat in zip(
            records.dataset["gauge_lon"].to_numpy(), records.dataset["gauge_lat"].to_numpy(), strict=True
        )
    ]
    if "epicentre" not in named and not sources:
        return np.zeros(len(places))
    arrivals_s = np.array([earliest_from(tuple(sources), place) for place in places])
    if "epicentre" in named:
        lon, lat = (float(value) for value in named["epicentre"])
        told = None if named.get("simulation", 0) else named.get("magnitude")  # that of a simulation is the truth
        told = named.get("first_magnitude") if told is None else told
        magnitude = None if told is None else float(told)
        from_there = [earliest_arrival((lon, lat), *place, magnitude) for place in places]
        arrivals_s = np.minimum(arrivals_s, from_there)
    return arrivals_s


@lru_cache(maxsize=1024)
def earliest_from(sources: tuple[Place, ...], place: Place) -> float:
    """Bound from below when a tsunami of unit sources can be at a place (:func:`earliest_arrival`).

    Parameters
    ----------
    sources : tuple of (float, float)
        Longitudes and latitudes of their middles, degrees.
    place : (float, float)
        Longitude and latitude, degrees.

    Returns
    -------
    earliest_s : float
        s since the origin, for an earthquake of :data:`SOURCE_MW` at the nearest in time; infinite without sources.

    Examples
    --------
    >>> f"{earliest_from(((-125.0, 45.0), (-126.0, 48.0)), (178.3, 48.9)) / 60:.0f} min"
    '255 min'
    """
    return min((earliest_arrival(source, *place, SOURCE_MW) for source in sources), default=np.inf)
