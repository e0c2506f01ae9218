"""Longitudes, distances and azimuths on a sphere."""

from __future__ import annotations

import numpy as np

__all__ = ["EARTH_RADIUS_M", "destination", "distance_azimuth", "great_circle_distance", "wrap_longitude"]

EARTH_RADIUS_M = 6_371_000.0
"""Mean radius of the Earth, m."""


def wrap_longitude(lon_deg, *, west_deg: float = 0.0):
    """Bring longitudes into [west, west + 360).

    Parameters
    ----------
    lon_deg : float or array
        Longitudes, degrees east.
    west_deg : float, optional
        Lower end of the interval, degrees east.

    Returns
    -------
    lon_deg : float or array
        The same meridians.

    Examples
    --------
    >>> print(round(wrap_longitude(-128.7), 6))
    231.3
    """
    wrapped = west_deg + np.mod(np.subtract(lon_deg, west_deg), 360.0)
    return np.where(wrapped >= west_deg + 360.0, west_deg, wrapped)[()]  # rounding may reach the upper end


def distance_azimuth(lon1_deg, lat1_deg, lon2_deg, lat2_deg):
    """Compute great-circle distance and initial azimuth from point 1 to point 2.

    Parameters
    ----------
    lon1_deg, lat1_deg, lon2_deg, lat2_deg : float or array
        Points, degrees; they broadcast.

    Returns
    -------
    distance_m : float or array
        Along the sphere, m.
    azimuth_deg : float or array
        At point 1, clockwise from north, in [0, 360).

    Notes
    -----
    Haversine formula; exact on a sphere and well conditioned for near points.

    Examples
    --------
    >>> d, az = distance_azimuth(359.9, 0.0, 0.1, 0.0)
    >>> print(f"{d:.0f} m, {az:.0f} degrees")
    22239 m, 90 degrees
    """
    lat1, lat2 = np.radians(lat1_deg), np.radians(lat2_deg)
    dlon = np.radians(np.subtract(lon2_deg, lon1_deg))
    a = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin(dlon / 2) ** 2
    distance_m = 2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(a, 0, 1)))
    azimuth = np.arctan2(
        np.sin(dlon) * np.cos(lat2),
        np.cos(lat1) * np.sin(lat2) - np.sin(lat1) * np.cos(lat2) * np.cos(dlon),
    )
    return distance_m, np.mod(np.degrees(azimuth), 360.0)


def great_circle_distance(lon1_deg, lat1_deg, lon2_deg, lat2_deg):
    """Compute the great-circle distance between points.

    Parameters
    ----------
    lon1_deg, lat1_deg, lon2_deg, lat2_deg : float or array
        Points, degrees; they broadcast.

    Returns
    -------
    distance_m : float or array
        Along the sphere, m.

    Examples
    --------
    >>> print(f"{great_circle_distance(0, 0, 0, 1) / 1e3:.1f} km")
    111.2 km
    """
    return distance_azimuth(lon1_deg, lat1_deg, lon2_deg, lat2_deg)[0]


def destination(lon_deg, lat_deg, azimuth_deg, distance_m):
    """Go a distance along a great circle.

    Parameters
    ----------
    lon_deg, lat_deg : float or array
        Start, degrees.
    azimuth_deg : float or array
        Initial azimuth, clockwise from north, degrees.
    distance_m : float or array
        Distance, m; a negative one goes backwards.

    Returns
    -------
    lon_deg, lat_deg : float or array
        End, degrees; longitude in [0, 360).

    Examples
    --------
    >>> lon, lat = destination(359.5, 0.0, 90.0, 111_194.9)
    >>> print(f"{lon:.2f} {lat:.2f}")
    0.50 0.00
    """
    lat1, azimuth = np.radians(lat_deg), np.radians(azimuth_deg)
    angle = np.divide(distance_m, EARTH_RADIUS_M)
    sin_lat2 = np.sin(lat1) * np.cos(angle) + np.cos(lat1) * np.sin(angle) * np.cos(azimuth)
    dlon = np.arctan2(
        np.sin(azimuth) * np.sin(angle) * np.cos(lat1),
        np.cos(angle) - np.sin(lat1) * sin_lat2,
    )
    return wrap_longitude(lon_deg + np.degrees(dlon)), np.degrees(np.arcsin(sin_lat2))
