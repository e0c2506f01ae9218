"""Seismic moment and moment magnitude."""

from __future__ import annotations

import numpy as np

from slipcast.errors import InputError

__all__ = [
    "RIGIDITY_PA",
    "moment_magnitude",
    "moment_of_magnitude",
    "rigidity_at_depth",
    "seismic_moment",
    "usual_half_duration",
]

RIGIDITY_PA = 40e9
"""Shear modulus of NOAA's unit sources, Pa (Gica et al. 2008)."""

_DEPTH_M, _RIGIDITY_PA = (7.5e3, 15e3, 35e3), (10e9, 30e9, 67e9)


def rigidity_at_depth(depth_m) -> np.ndarray:
    """Compute the usual rigidity along a plate interface.

    Parameters
    ----------
    depth_m : float or array
        Below the sea floor, m; >= 0.

    Returns
    -------
    rigidity_pa : array
        Shear modulus, Pa.

    Notes
    -----
    10 GPa down to 7.5 km, 30 GPa at 15 km, 67 GPa from 35 km on, its logarithm linear between: the curve that Davies
    and Griffin (2018, Geoscience Australia Record 2018/41) draw through the estimates of Bilek and Lay (1999, Nature
    400, 443).

    Examples
    --------
    >>> (rigidity_at_depth([0.0, 11.25e3, 50e3]) / 1e9).round(1).tolist()
    [10.0, 17.3, 67.0]
    """
    return np.exp(np.interp(np.asarray(depth_m, dtype=float), _DEPTH_M, np.log(_RIGIDITY_PA)))


def seismic_moment(slip_m, area_m2, *, rigidity_pa=RIGIDITY_PA):
    r"""Compute the seismic moment of a set of faults.

    Parameters
    ----------
    slip_m : array, shape (..., n_faults)
        Slip, m, along the rake; >= 0 (turn the rake, not the sign).
    area_m2 : float or array, shape (n_faults,)
        Area of each fault, m^2.
    rigidity_pa : float or array, shape (n_faults,), optional
        Shear modulus, Pa.

    Returns
    -------
    moment_nm : array, shape (...)
        Scalar seismic moment, N m.

    Raises
    ------
    InputError
        If a slip is negative or not finite; the message names the first one.

    Notes
    -----
    :math:`M_0 = \sum_i \mu A_i s_i`.

    Examples
    --------
    >>> print(f"{seismic_moment(np.array([2.0, 3.0]), area_m2=5e9):.1e}")
    1.0e+21
    """
    slip_m = np.asarray(slip_m, dtype=float)
    if (bad := ~(slip_m >= 0) | np.isinf(slip_m)).any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InputError(f"slip_m must be finite and >= 0 m, got {slip_m[where]} at index {where}")
    return (np.asarray(rigidity_pa) * np.asarray(area_m2) * slip_m).sum(axis=-1)


def moment_magnitude(moment_nm):
    r"""Convert seismic moment to moment magnitude.

    Parameters
    ----------
    moment_nm : float or array
        Scalar seismic moment, N m; >= 0.

    Returns
    -------
    magnitude : float or array
        Mw; -inf where the moment is zero.

    Notes
    -----
    :math:`M_w = \tfrac{2}{3}(\log_{10} M_0 - 9.1)`.

    Examples
    --------
    >>> print(f"{moment_magnitude(40e9 * 100e3 * 50e3 * 1.0):.2f}")
    7.47
    """
    with np.errstate(divide="ignore"):
        return (2.0 / 3.0) * (np.log10(moment_nm) - 9.1)


def moment_of_magnitude(magnitude):
    """Convert moment magnitude to seismic moment, N m; the inverse of :func:`moment_magnitude`.

    Examples
    --------
    >>> print(f"{moment_of_magnitude(9.0):.2e}")
    3.98e+22
    """
    return 10.0 ** (1.5 * np.asarray(magnitude, dtype=float) + 9.1)


def usual_half_duration(magnitude: float) -> float:
    r"""Compute half the usual duration of a rupture.

    Parameters
    ----------
    magnitude : float
        Mw.

    Returns
    -------
    half_duration_s : float
        s; :math:`2.26 \cdot 10^{-6} M_0^{1/3}`, the moment in N m: what the Global CMT Project takes for granted
        (Ekström, Nettles and Dziewoński 2012, Phys. Earth Planet. Inter. 200-201, 1).

    Examples
    --------
    >>> [round(usual_half_duration(magnitude)) for magnitude in (7.0, 8.0, 9.0)]
    [8, 24, 77]
    """
    return 2.26e-6 * float(moment_of_magnitude(magnitude)) ** (1 / 3)
