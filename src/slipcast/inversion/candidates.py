"""Candidate unit sources around an epicentre, by magnitude."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from slipcast.errors import InputError
from slipcast.geodesy import great_circle_distance
from slipcast.physics.unit_sources import unit_source
from slipcast.records.arrival import check_magnitude

__all__ = ["candidate_sources", "check_epicentre", "distance_to_sources", "reached_sources", "source_middles"]

_MARGIN_M, _TOO_FAR_M = 100e3, 500e3
_MAGNITUDES = (6.0, 9.6)


def candidate_sources(sources: Sequence[str], epicentre: tuple[float, float], magnitude: float) -> list[str]:
    r"""Choose unit sources by epicentre and magnitude.

    Parameters
    ----------
    sources : sequence of str
        Those of a region.
    epicentre : (float, float)
        Longitude and latitude, degrees.
    magnitude : float
        Mw, in [6, 9.6]. The first ones after a great earthquake are too small; add half a unit where in doubt.

    Returns
    -------
    names : list of str
        With a middle within the length of the rupture, :math:`10^{-2.37 + 0.57 M_w}` km (Blaser et al. 2010), and
        100 km of the epicentre, in the order given: an earthquake may break from an end.

    Raises
    ------
    InputError
        If the epicentre or magnitude is out of range, or no unit source is as near.

    Examples
    --------
    >>> candidate_sources(["kiszb12", "kiszb26", "kiszb27"], (142.4, 38.3), 7.5)
    ['kiszb26', 'kiszb27']
    """
    lon, lat = epicentre
    if not (-360 <= lon <= 720 and -90 <= lat <= 90):
        raise InputError(f"epicentre must be longitude and latitude, degrees, got {lon:g} {lat:g}")
    if not _MAGNITUDES[0] <= magnitude <= _MAGNITUDES[1]:
        raise InputError(f"magnitude must be in [{_MAGNITUDES[0]:g}, {_MAGNITUDES[1]:g}], got {magnitude:g}")
    reach_m = 1e3 * 10 ** (-2.37 + 0.57 * magnitude) + _MARGIN_M
    distance_m = great_circle_distance(lon, lat, *np.array(source_middles(tuple(sources))).T)
    if not (near := distance_m <= reach_m).any():
        nearest = int(np.argmin(distance_m))
        raise InputError(
            f"epicentre {lon:g} {lat:g} is {distance_m[nearest] / 1e3:.0f} km from the nearest unit source, "
            f"{sources[nearest]}; an earthquake of Mw {magnitude:g} reaches {reach_m / 1e3:.0f} km"
        )
    return [name for name, is_near in zip(sources, near, strict=True) if is_near]


def reached_sources(sources: Sequence[str], epicentre: tuple[float, float], magnitude: float) -> list[str]:
    """Choose unit sources by epicentre and any first magnitude: all below Mw 6, where it says little of the rupture.

    Parameters
    ----------
    sources, epicentre
        As :func:`candidate_sources` takes them.
    magnitude : float
        Mw, in [0, 10]; beyond 9.6 as at 9.6.

    Returns
    -------
    names : list of str

    Raises
    ------
    InputError
        As :func:`candidate_sources`.

    Examples
    --------
    >>> reached_sources(["kiszb12", "kiszb26"], (142.4, 38.3), 5.5)
    ['kiszb12', 'kiszb26']
    """
    check_magnitude(magnitude)
    if magnitude < _MAGNITUDES[0]:
        return list(sources)
    return candidate_sources(sources, epicentre, min(magnitude, _MAGNITUDES[1]))


def check_epicentre(sources: Sequence[str], epicentre: tuple[float, float], region: str = "") -> None:
    """Refuse an earthquake that none of the unit sources can stand for.

    Parameters
    ----------
    sources : sequence of str
        Names of unit sources.
    epicentre : (float, float)
        Longitude and latitude, degrees.
    region : str, optional
        Whose they are, for the message.

    Raises
    ------
    InputError
        If it is more than 500 km from the middles of all of them.
    """
    if (distance_m := distance_to_sources(sources, epicentre)) > _TOO_FAR_M:
        of_region = f" of region {region}" if region else ""
        raise InputError(
            f"epicentre must be within {_TOO_FAR_M / 1e3:.0f} km of the unit sources{of_region}, "
            f"got {epicentre[0]:g} {epicentre[1]:g}, {distance_m / 1e3:.0f} km away; "
            "give a model or bank of another region"
        )


def distance_to_sources(sources: Sequence[str], epicentre: tuple[float, float]) -> float:
    """Return the distance to the middle of the nearest unit source, m.

    Parameters
    ----------
    sources : sequence of str
        Names of unit sources.
    epicentre : (float, float)
        Longitude and latitude, degrees.

    Returns
    -------
    distance_m : float
        Along a great circle, m.

    Examples
    --------
    >>> f"{distance_to_sources(['acsza57', 'acszb57'], (-125.0, 45.5)) / 1e3:.0f} km"
    '294 km'
    """
    return float(great_circle_distance(*epicentre, *np.array(source_middles(tuple(sources))).T).min())


@lru_cache(maxsize=64)
def source_middles(sources: tuple[str, ...]) -> tuple[tuple[float, float], ...]:
    """Return longitudes and latitudes of the middles of unit sources, degrees."""
    middles = ((source := unit_source(name)).point(0.0, source.width_m / 2) for name in sources)
    return tuple((float(lon), float(lat)) for lon, lat, *_ in middles)
