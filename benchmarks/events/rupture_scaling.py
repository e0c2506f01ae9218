"""Sizes and slip of ruptures beside published scaling of earthquakes of plate interfaces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np

from benchmarks.events.conditioned import family_ruptures, generator_ruptures
from benchmarks.markdown import Rows, digits
from slipcast.physics.fault_segments import FaultSegment, interface_segments, segment_cells
from slipcast.physics.moment import RIGIDITY_PA, moment_of_magnitude
from slipcast.physics.slip_families import FamilyPrior
from slipcast.regions.region import Region

__all__ = ["MAGNITUDES", "PUBLISHED", "RuptureSize", "rupture_size", "scaling_table", "trimmed"]

MAGNITUDES = (7.5, 8.0, 8.5, 9.0)

_AROUND_MW = 0.05
_EDGE, _ASPERITY = 0.3, 1.5  # of the mean slip
_DIP_SLIP = 8.0 / (3.0 * np.pi)


@dataclass(frozen=True)
class RuptureSize:
    r"""What is measured of a rupture.

    Attributes
    ----------
    length_km, width_km, area_km2 : float
        Of the rectangle that slips (:func:`trimmed`).
    mean_slip_m : float
        On it.
    max_over_mean : float
        Largest slip over mean slip.
    asperities : float
        Share of the area with at least 1.5 times the mean slip (Murotani, Miyake and Koketsu 2008, Earth Planets Space
        60, 987).
    stress_drop_mpa : float
        MPa; of a long dip-slip fault, :math:`8 \mu D / (3 \pi W)` (Kanamori and Anderson 1975, BSSA 65, 1073).
    """

    length_km: float
    width_km: float
    area_km2: float
    mean_slip_m: float
    max_over_mean: float
    asperities: float
    stress_drop_mpa: float


def trimmed(slip_m: np.ndarray) -> np.ndarray:
    """Cut edges that hardly slip off a rupture, as Somerville et al. (1999, Seismol. Res. Lett. 70, 59) do.

    Parameters
    ----------
    slip_m : array, shape (n_down, n_along)
        Slip on a grid of cells, m, somewhere above zero.

    Returns
    -------
    part : array
        A rectangle of it without edge rows and columns whose mean slip is less than 0.3 times that of the rectangle;
        the weakest is cut first, and the mean is taken again.
    """
    down, along = (np.flatnonzero(slip_m.any(axis=axis)) for axis in (1, 0))
    part = slip_m[down[0] : down[-1] + 1, along[0] : along[-1] + 1]
    cuts = (np.s_[1:, :], np.s_[:-1, :], np.s_[:, 1:], np.s_[:, :-1])
    while part.size > 1:
        means = np.array([part[0].mean(), part[-1].mean(), part[:, 0].mean(), part[:, -1].mean()])
        means[:2] += np.inf if part.shape[0] == 1 else 0.0
        means[2:] += np.inf if part.shape[1] == 1 else 0.0
        weakest = int(np.argmin(means))
        if means[weakest] >= _EDGE * part.mean():
            break
        part = part[cuts[weakest]]
    return part


def rupture_size(slip_m: np.ndarray, cell_km: tuple[float, float]) -> RuptureSize:
    """Measure a rupture.

    Parameters
    ----------
    slip_m : array, shape (n_down, n_along)
        Slip on a grid of cells, m.
    cell_km : (float, float)
        Edge lengths of a cell along strike and down dip, km.

    Returns
    -------
    size : RuptureSize

    Examples
    --------
    >>> size = rupture_size(np.array([[1.0, 1.0, 1.0, 5.0]]), (10.0, 20.0))
    >>> size.length_km, size.mean_slip_m, size.max_over_mean, size.asperities
    (40.0, 2.0, 2.5, 0.25)
    """
    part = trimmed(slip_m)
    length_km, width_km = part.shape[1] * cell_km[0], part.shape[0] * cell_km[1]
    mean = float(part.mean())
    return RuptureSize(
        length_km=length_km,
        width_km=width_km,
        area_km2=length_km * width_km,
        mean_slip_m=mean,
        max_over_mean=float(part.max()) / mean,
        asperities=float(np.mean(part >= _ASPERITY * mean)),
        stress_drop_mpa=1e-6 * _DIP_SLIP * RIGIDITY_PA * mean / (1e3 * width_km),
    )


@dataclass(frozen=True)
class Law:
    """A published median by magnitude, and its scatter where it is known.

    Attributes
    ----------
    median : callable
        From Mw to the quantity.
    log10_sd : float or None
        Standard deviation of its decimal logarithm.
    """

    median: Callable[[float], float]
    log10_sd: float | None = None

    def words(self, magnitude: float) -> str:
        """Word the median, and 16 to 84 % of earthquakes."""
        middle = self.median(magnitude)
        if self.log10_sd is None:
            return digits(middle)
        low, high = (middle * 10 ** (sign * self.log10_sd) for sign in (-1, 1))
        return f"{digits(middle)} ({digits(low)} to {digits(high)})"


def _power(constant: float, slope: float) -> Callable[[float], float]:
    """Return the law of a straight line for the decimal logarithm."""
    return lambda magnitude: float(10 ** (constant + slope * magnitude))


def _moment_power(factor: float, exponent: float) -> Callable[[float], float]:
    """Return the law of a power of the moment, N m."""
    return lambda magnitude: float(factor * moment_of_magnitude(magnitude) ** exponent)


PUBLISHED: dict[str, dict[str, Law]] = {
    "Strasser et al. 2010": {
        "length_km": Law(_power(-2.477, 0.585), 0.180),
        "width_km": Law(_power(-0.882, 0.351), 0.173),
        "area_km2": Law(_power(-3.476, 0.952), 0.304),
    },
    "Allen and Hayes 2017": {
        "length_km": Law(_power(-2.90, 0.63)),
        "width_km": Law(_power(-0.86, 0.35)),
        "area_km2": Law(_power(-3.63, 0.96), 0.255),
        "mean_slip_m": Law(_power(-5.05, 0.66)),
        "max_over_mean": Law(_power(-4.94 + 5.05, 0.71 - 0.66)),
    },
    "Murotani et al. 2013": {
        "area_km2": Law(_moment_power(1.34e-10, 2 / 3)),
        "mean_slip_m": Law(_moment_power(1.66e-7, 1 / 3)),
        "asperities": Law(lambda magnitude: 2.81e-11 / 1.34e-10),
    },
}
"""Laws of interface earthquakes: Strasser, Arango and Bommer (2010, Seismol. Res. Lett. 81, 941), Allen and Hayes
(2017, BSSA 107, 1240; linear ones), Murotani, Satake and Fujii (2013, Geophys. Res. Lett. 40, 5070)."""

_WORDS = {
    "length_km": "length (km)",
    "width_km": "width (km)",
    "area_km2": "area (km²)",
    "mean_slip_m": "mean slip (m)",
    "max_over_mean": "largest over mean slip",
    "asperities": "share of asperities",
    "stress_drop_mpa": "stress drop (MPa)",
}


def _sizes(slip_m: np.ndarray, segments: Sequence[FaultSegment], cells: np.ndarray) -> list[tuple[float, ...]]:
    """Measure ruptures on subfaults, shape (n, n_subfaults)."""
    found = []
    for slip in slip_m:
        segment = segments[int(cells[np.argmax(slip), 0])]
        on_cells = np.where(segment.cells >= 0, slip[segment.cells], 0.0)
        found.append(astuple(rupture_size(on_cells, segment.cell_km)))
    return found


def scaling_table(regions: Sequence[Region], count: int, rng: np.random.Generator) -> Rows:
    """Compare sizes and slip of ruptures with published scaling.

    Parameters
    ----------
    regions : sequence of Region
        On whose faults ruptures are drawn, anywhere, as many on each.
    count : int
        Ruptures of each magnitude and prior.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    rows : Rows
        Medians, and 16 to 84 % in brackets.
    """
    measured: dict[tuple[str, float], list[tuple[float, ...]]] = {}
    for number, region in enumerate(regions):
        subfaults = region.subfaults()
        segments, prior = interface_segments(subfaults), FamilyPrior(subfaults)
        cells = segment_cells(segments)
        share = count // len(regions) + (number < count % len(regions))
        for magnitude in MAGNITUDES:
            range_mw = magnitude - _AROUND_MW, magnitude + _AROUND_MW
            drawn = {
                "generator": generator_ruptures(subfaults, None, range_mw, share, rng),
                "families": family_ruptures(prior, None, range_mw, share, rng),
            }
            for name, ruptures in drawn.items():
                measured.setdefault((name, magnitude), []).extend(_sizes(ruptures.slip_m, segments, cells))
    rows = Rows("quantity", "Mw", "generator", "families", *PUBLISHED)
    for place, field in enumerate(fields(RuptureSize)):
        for magnitude in MAGNITUDES:
            own = []
            for name in ("generator", "families"):
                values = np.array([size[place] for size in measured[name, magnitude]])
                low, middle, high = np.quantile(values, [0.16, 0.5, 0.84])
                own.append(f"{digits(middle)} ({digits(low)} to {digits(high)})")
            laws = [laws.get(field.name) for laws in PUBLISHED.values()]
            published = ["–" if law is None else law.words(magnitude) for law in laws]
            rows.add(_WORDS[field.name], f"{magnitude:g}", *own, *published)
    return rows
