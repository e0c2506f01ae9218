"""Out-of-distribution test sets: other slip, another bathymetry, other noise."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from slipcast.errors import InputError
from slipcast.geodesy import EARTH_RADIUS_M
from slipcast.greens.bank import GreensBank
from slipcast.io.identity import fingerprint
from slipcast.physics.bathymetry import Bathymetry
from slipcast.physics.unit_sources import Subfaults
from slipcast.scenarios.kinematics import rupture_records
from slipcast.scenarios.scenario_set import ScenarioSet

__all__ = ["coloured_noise", "perturbed_bathymetry", "resimulated", "smooth_slip", "uniform_slip"]

_BATCH = 128
_LEAST_COSINE = 0.1


def uniform_slip(slip_m, area_m2) -> np.ndarray:
    """Spread the slip of ruptures evenly over where they slip.

    Parameters
    ----------
    slip_m : array, shape (n_ruptures, n_subfaults)
        m, >= 0; each rupture slips somewhere.
    area_m2 : array, shape (n_subfaults,)
        m^2.

    Returns
    -------
    slip_m : array, shape (n_ruptures, n_subfaults)
        The same moment and the same patch, one slip on all of it.

    Examples
    --------
    >>> uniform_slip([[0.0, 1.0, 4.0]], np.array([1.0, 2.0, 1.0])).tolist()
    [[0.0, 2.0, 2.0]]
    """
    slip = np.asarray(slip_m, dtype=float)
    return _with_moment_of(slip, (slip > 0).astype(float), area_m2)


def smooth_slip(slip_m, subfaults: Subfaults) -> np.ndarray:
    r"""Replace the slip of ruptures by one smooth patch each.

    Parameters
    ----------
    slip_m : array, shape (n_ruptures, n_subfaults)
        m, >= 0; each rupture slips somewhere.
    subfaults : Subfaults
        Where.

    Returns
    -------
    slip_m : array, shape (n_ruptures, n_subfaults)
        Where the rupture slipped, and with its moment: :math:`\exp(-2 (x^2 + y^2))`, x and y from -1 to 1 over the
        length and the width of the patch.
    """
    slip = np.asarray(slip_m, dtype=float)
    shape = np.where(slip > 0, 1.0, 0.0)
    for position in (subfaults.along, subfaults.down):
        low = np.where(slip > 0, position, np.inf).min(axis=1, keepdims=True) - 0.5
        high = np.where(slip > 0, position, -np.inf).max(axis=1, keepdims=True) + 0.5
        shape *= np.exp(-2 * ((position - (low + high) / 2) / ((high - low) / 2)) ** 2)
    return _with_moment_of(slip, shape, subfaults.area_m2)


def _with_moment_of(slip: np.ndarray, shape: np.ndarray, area_m2: np.ndarray) -> np.ndarray:
    """Scale other slip to the moment of each rupture."""
    return shape * ((slip @ area_m2) / (shape @ area_m2))[:, np.newaxis]


def resimulated(scenarios: ScenarioSet, bank: GreensBank, *, slip_m=None) -> ScenarioSet:
    """Simulate the ruptures of a set again, on another bank or with other slip.

    Parameters
    ----------
    scenarios : ScenarioSet
        Its onsets and rise times are kept, and its responses of unit sources, by which methods work.
    bank : GreensBank
        Of the same gauges, times and subfaults.
    slip_m : array, shape (n_scenarios, n_subfaults), optional
        Other slip, m, zero where the rupture has none.

    Returns
    -------
    scenarios : ScenarioSet

    Raises
    ------
    InputError
        If gauges, times or subfaults differ.
    """
    data = scenarios.dataset.load()
    for what, own, other in (
        ("gauges", scenarios.gauges, bank.gauges),
        ("times", len(scenarios.time_s), len(bank.time_s)),
        ("subfaults", data.sizes["subfault"], len(bank.subfaults)),
    ):
        if own != other:
            raise InputError(f"{what} of bank {bank.id} must be those of the scenarios, {own}, got {other}")
    slip = np.asarray(data["slip"].to_numpy() if slip_m is None else slip_m, dtype=np.float32)
    onset, rise_time = data["onset"].to_numpy(), data["rise_time"].to_numpy()
    records = np.concatenate(
        [
            rupture_records(bank, *(part[start : start + _BATCH] for part in (slip, onset, rise_time)))
            for start in range(0, len(slip), _BATCH)
        ]
    )
    weights = (slip @ bank.subfaults.averaging_matrix().T).astype(np.float32)
    changed = data.assign(
        slip=data["slip"].copy(data=slip),
        records=data["records"].copy(data=records),
        weights=data["weights"].copy(data=weights),
    )
    return ScenarioSet(changed.assign_attrs(id=fingerprint(scenarios.id, bank.id, slip)))


def perturbed_bathymetry(
    bathymetry: Bathymetry, *, sd: float = 0.02, correlation_km: float = 100.0, seed: int
) -> Bathymetry:
    r"""Multiply a sea floor by one plus a smooth random field.

    Parameters
    ----------
    bathymetry : Bathymetry
        Global, or a part of the globe.
    sd : float, optional
        Standard deviation of the field; the coast stays where it is.
    correlation_km : float, optional
        Where the correlation of the field falls to :math:`1/e`, km.
    seed : int
        The same seed, the same field.

    Returns
    -------
    bathymetry : Bathymetry

    Notes
    -----
    White noise smoothed by a Gaussian of half the correlation length, so that the correlation is
    :math:`\exp(-(r/L)^2)`; polewards of 84 degrees the length in longitude grows no more.
    """
    step_lat = np.radians(bathymetry.spacing_arcmin / 60)
    step_lon = np.radians(float(bathymetry.lon_deg[1] - bathymetry.lon_deg[0]))
    cells = 0.5e3 * correlation_km / EARTH_RADIUS_M
    cosine = np.maximum(np.cos(np.radians(bathymetry.lat_deg)), _LEAST_COSINE)
    period = round(2 * np.pi / step_lon)
    whole = len(bathymetry.lon_deg) >= period
    rng = np.random.default_rng(seed)
    white = rng.standard_normal((len(bathymetry.lat_deg), period if whole else len(bathymetry.lon_deg)))
    n_columns = len(bathymetry.lon_deg)
    field = np.empty((len(bathymetry.lat_deg), n_columns), np.float32)
    for row, width in enumerate(cells / (step_lon * cosine)):
        smooth = gaussian_filter1d(white[row], width, mode="wrap" if whole else "reflect")
        field[row] = np.resize(smooth * _gain(width), n_columns)  # a column that comes again is the same again
    width = cells / step_lat
    field = _gain(width) * gaussian_filter1d(field, width, axis=0, mode="reflect")
    return Bathymetry(
        bathymetry.lon_deg,
        bathymetry.lat_deg,
        (bathymetry.elevation_m * (1 + sd * field)).astype(np.float32),
        title=f"{bathymetry.title}, perturbed by {100 * sd:g} % (seed {seed})",
    )


def _gain(width: float) -> float:
    """Return what white noise, smoothed by a Gaussian of a width in cells, is multiplied by for unit variance."""
    reach = int(np.ceil(5 * width))
    kernel = gaussian_filter1d(np.eye(1, 2 * reach + 1, reach)[0], width)
    return float(1 / np.sqrt(np.sum(kernel**2)))


def coloured_noise(
    shape: tuple[int, int, int],
    rng: np.random.Generator,
    *,
    sd_m: float = 0.005,
    correlation_min: float = 10.0,
    drift_m_per_h: float = 0.003,
) -> np.ndarray:
    r"""Draw noise that remembers, and drifts.

    Parameters
    ----------
    shape : (int, int, int)
        Scenarios, gauges, samples of a minute.
    rng : numpy.random.Generator
        Source of randomness.
    sd_m : float, optional
        Standard deviation of the noise without its drift, m.
    correlation_min : float, optional
        Its correlation is :math:`\exp(-t/T)`, T in minutes (a first-order autoregressive process).
    drift_m_per_h : float, optional
        Standard deviation of a linear drift from zero at the origin, m/h, one for a gauge and scenario.

    Returns
    -------
    noise : array of this shape
        m, float32.
    """
    memory = np.exp(-1 / correlation_min)
    n_scenarios, n_gauges, n_times = shape
    white = sd_m * rng.standard_normal(shape)
    noise = np.zeros((n_scenarios, n_gauges, n_times))
    noise[..., 0] = white[..., 0]
    for sample in range(1, n_times):
        noise[..., sample] = memory * noise[..., sample - 1] + np.sqrt(1 - memory**2) * white[..., sample]
    hours = np.arange(1, n_times + 1) / 60
    drift = drift_m_per_h * rng.standard_normal((n_scenarios, n_gauges, 1)) * hours
    return (noise + drift).astype(np.float32)
