r"""Vertical displacement of the sea floor by slip on a rectangle: Okada (1985), compiled.

The free surface of an elastic half-space that is a Poisson solid (equal Lamé constants). Displacement is linear in
slip, to the last bit of a product: nothing is cut off, however small or far.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit, prange

from slipcast.errors import InputError
from slipcast.geodesy import distance_azimuth
from slipcast.physics.unit_sources import Subfaults, UnitSource

__all__ = ["rectangle_uplift", "subfault_uplift", "unit_source_uplift"]

_POISSON_RATIO_TERM = 0.5  # mu / (lambda + mu) of a Poisson solid


@njit(cache=True)
def _strike_slip_term(eta, q, r, r_eta, sin_dip, cos_dip):
    """Vertical term of Okada's eq. (25), strike slip, times -2 pi / U1."""
    d_tilde = eta * sin_dip - q * cos_dip
    log_r_eta = np.log(r_eta) if r_eta > 0.0 else -np.log(r - eta)
    if abs(cos_dip) > 1e-6:
        i4 = _POISSON_RATIO_TERM / cos_dip * (np.log(r + d_tilde) - sin_dip * log_r_eta)
    else:
        i4 = -_POISSON_RATIO_TERM * q / (r + d_tilde)
    over = 1.0 / (r * r_eta) if r_eta > 0.0 else 0.0
    over_eta = 1.0 / r_eta if r_eta > 0.0 else 0.0
    return d_tilde * q * over + q * sin_dip * over_eta + i4 * sin_dip


@njit(cache=True)
def _dip_slip_term(xi, eta, q, r, x, sin_dip, cos_dip):
    """Vertical term of Okada's eq. (26), dip slip, times -2 pi / U2; x is sqrt(xi^2 + q^2)."""
    d_tilde = eta * sin_dip - q * cos_dip
    i5_cos_dip = 0.0  # it vanishes with the cosine
    if abs(cos_dip) > 1e-6 and xi != 0.0:
        top = eta * (x + q * cos_dip) + x * (r + x) * sin_dip
        i5_cos_dip = _POISSON_RATIO_TERM * 2.0 * np.arctan(top / (xi * (r + x) * cos_dip))
    r_xi = r + xi
    over = d_tilde * q / (r * r_xi) if r_xi > 0.0 else 0.0
    angle = np.arctan(xi * eta / (q * r)) if q != 0.0 else 0.0
    return over + sin_dip * angle - i5_cos_dip * sin_dip


@njit(cache=True)
def _corner(xi, eta, q, sin_dip, cos_dip, strike_slip, dip_slip):
    """Contribution of one corner to the uplift, for slip components of any size."""
    x_squared = xi * xi + q * q
    r = np.sqrt(x_squared + eta * eta)
    value = 0.0
    if dip_slip != 0.0:
        value += dip_slip * _dip_slip_term(xi, eta, q, r, np.sqrt(x_squared), sin_dip, cos_dip)
    if strike_slip != 0.0:
        # r + eta without cancellation where eta < 0
        r_eta = r + eta if eta >= 0.0 else x_squared / (r - eta)
        value += strike_slip * _strike_slip_term(eta, q, r, r_eta, sin_dip, cos_dip)
    return -value / (2.0 * np.pi)


@njit(cache=True, parallel=True)
def _uplift_of_divided_rectangle(
    x, y, bottom_depth, length, width, sin_dip, cos_dip, strike_slip, dip_slip, n_along, n_down, out
):
    """Fill out[point, part]: a corner shared by several parts is evaluated once."""
    for k in prange(x.size):
        q = y[k] * sin_dip - bottom_depth * cos_dip
        p = y[k] * cos_dip + bottom_depth * sin_dip
        nodes = np.empty((n_down + 1, n_along + 1))
        for j in range(n_down + 1):
            eta = p - width * (n_down - j) / n_down
            for i in range(n_along + 1):
                xi = x[k] - length * i / n_along
                nodes[j, i] = _corner(xi, eta, q, sin_dip, cos_dip, strike_slip, dip_slip)
        for j in range(n_down):
            for i in range(n_along):
                # Chinnery's notation; node j is the upper edge of a part, j + 1 its lower one
                out[k, j * n_along + i] = nodes[j + 1, i] - nodes[j, i] - nodes[j + 1, i + 1] + nodes[j, i + 1]


def rectangle_uplift(
    x_m,
    y_m,
    *,
    depth_m: float,
    dip_deg: float,
    length_m: float,
    width_m: float,
    strike_slip_m: float = 0.0,
    dip_slip_m: float = 0.0,
    divisions: tuple[int, int] = (1, 1),
):
    r"""Compute the uplift of a flat surface by slip on a buried rectangle, in Okada's own coordinates.

    Parameters
    ----------
    x_m, y_m : array, shape (...)
        Points, m: x along strike from the end of the fault, y horizontal to the left of strike from the line above
        the **bottom** edge (so up dip).
    depth_m : float
        Depth of the bottom edge, m.
    dip_deg : float
        Dip, degrees, in (0, 90].
    length_m, width_m : float
        Size along strike and up dip, m.
    strike_slip_m, dip_slip_m : float, optional
        Slip, m: left-lateral, and reverse (both as Okada counts them).
    divisions : (int, int), optional
        Parts along strike and down dip.

    Returns
    -------
    uplift_m : array, shape (..., n_parts)
        Positive up, m; parts ordered from the top row down, and along strike within a row.

    Raises
    ------
    InputError
        If the fault reaches above the surface, or its size, dip or number of parts is out of range.

    Notes
    -----
    Okada (1985), BSSA 75, 1135, eqs. (25), (26), (28), (29); Poisson solid. Units of length may be any, if all are
    the same.

    Examples
    --------
    Case 2 of the checklist, Table 2:

    >>> okada = dict(depth_m=4.0, dip_deg=70.0, length_m=3.0, width_m=2.0)
    >>> print(f"{rectangle_uplift(2.0, 3.0, strike_slip_m=1.0, **okada)[0]:.3e}")
    -2.747e-03
    >>> print(f"{rectangle_uplift(2.0, 3.0, dip_slip_m=1.0, **okada)[0]:.3e}")
    -3.564e-02
    """
    if not 0 < dip_deg <= 90:
        raise InputError(f"dip_deg must be in (0, 90], got {dip_deg}")
    if not (0 < length_m < np.inf and 0 < width_m < np.inf):
        raise InputError(f"length_m and width_m must be > 0 and finite, got {length_m} and {width_m}")
    if not np.isfinite(depth_m):
        raise InputError(f"depth_m must be finite, got {depth_m}")
    if min(divisions) < 1:
        raise InputError(f"divisions must be at least 1, got {divisions}")
    sin_dip, cos_dip = float(np.sin(np.radians(dip_deg))), float(np.cos(np.radians(dip_deg)))
    if depth_m - width_m * sin_dip < -1e-9 * depth_m:
        raise InputError(f"a fault must lie below the surface, got a top edge {depth_m - width_m * sin_dip:g} m deep")
    x, y = np.broadcast_arrays(np.asarray(x_m, dtype=float), np.asarray(y_m, dtype=float))
    out = np.empty((x.size, divisions[0] * divisions[1]))
    _uplift_of_divided_rectangle(
        x.ravel(),
        y.ravel(),
        float(depth_m),
        float(length_m),
        float(width_m),
        sin_dip,
        cos_dip,
        float(strike_slip_m),
        float(dip_slip_m),
        *divisions,
        out,
    )
    return out.reshape(*x.shape, -1)


def unit_source_uplift(lon_deg, lat_deg, source: UnitSource, *, divisions: tuple[int, int] = (1, 1)) -> np.ndarray:
    """Compute the uplift by 1 m of slip on a unit source, or on each of its parts.

    Parameters
    ----------
    lon_deg, lat_deg : array, shape (...)
        Points, degrees; any branch of longitude.
    source : UnitSource
        Geometry and rake.
    divisions : (int, int), optional
        Parts along strike and down dip.

    Returns
    -------
    uplift : array, shape (..., n_parts)
        m per m of slip on the part, positive up; ordered as in :class:`Subfaults`.

    Notes
    -----
    The half-space is laid on the sphere by distance and azimuth from the source's reference point.

    Examples
    --------
    >>> from slipcast.physics.unit_sources import unit_source
    >>> source = unit_source("acszb58")
    >>> print(f"{unit_source_uplift(234.07, 47.1, source)[0]:.2f}")
    0.39
    """
    distance, azimuth = distance_azimuth(source.lon_deg, source.lat_deg, lon_deg, lat_deg)
    from_strike = np.radians(azimuth - source.strike_deg)
    rake = np.radians(source.rake_deg)
    strike_slip, dip_slip = np.cos(rake), np.sin(rake)
    return rectangle_uplift(
        distance * np.cos(from_strike) + source.length_m / 2,
        -distance * np.sin(from_strike),
        depth_m=source.bottom_depth_m,
        dip_deg=source.dip_deg,
        length_m=source.length_m,
        width_m=source.width_m,
        strike_slip_m=0.0 if abs(strike_slip) < 1e-12 else strike_slip,
        dip_slip_m=0.0 if abs(dip_slip) < 1e-12 else dip_slip,
        divisions=divisions,
    )


def subfault_uplift(lon_deg, lat_deg, subfaults: Subfaults, *, dtype=np.float64) -> np.ndarray:
    """Compute the uplift by 1 m of slip on each subfault.

    Parameters
    ----------
    lon_deg, lat_deg : array, shape (n_points,)
        Degrees.
    subfaults : Subfaults
        From :func:`slipcast.physics.unit_sources.subdivide`.
    dtype : dtype, optional
        Of the result; the arithmetic is float64.

    Returns
    -------
    uplift : array, shape (n_points, n_subfaults)
        m per m of slip, positive up.
    """
    blocks: Sequence[np.ndarray] = [
        unit_source_uplift(lon_deg, lat_deg, source, divisions=divisions).astype(dtype)
        for source, divisions in zip(subfaults.sources, subfaults.divisions, strict=True)
    ]
    return np.concatenate(blocks, axis=-1)
