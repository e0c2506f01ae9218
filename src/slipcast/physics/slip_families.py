r"""Families of ruptures that share magnitude, size and place, with slip as a lognormal field.

Wider than the generator that networks are trained on (:mod:`slipcast.physics.ruptures`): what real earthquakes may be.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.linalg import toeplitz
from scipy.special import ndtri
from scipy.stats import qmc

from slipcast.errors import InputError
from slipcast.geodesy import great_circle_distance
from slipcast.physics.fault_segments import FaultSegment, interface_segments, segment_cells
from slipcast.physics.moment import (
    RIGIDITY_PA,
    moment_of_magnitude,
    rigidity_at_depth,
    seismic_moment,
    usual_half_duration,
)
from slipcast.physics.ruptures import correlation_lengths_km, max_plausible_slip, scaled_dimensions
from slipcast.physics.slip_field import von_karman_correlation
from slipcast.physics.unit_sources import Subfaults

__all__ = ["N_PARAMETERS", "FamilyPrior", "FamilySettings", "SlipFamily"]

N_PARAMETERS = 10
"""Parameters of a family: magnitude, length, width, the parts of these before and above the hypocentre, the hypocentre,
Hurst exponent, variation of slip, delay, what slip does near the trench."""

_EPICENTRE_SD_M = 30e3
_EDGE = 0.15  # of a patch's length and width, over which slip fades
_VARIANCE_KEPT = 0.96
_MOST_MODES = 96
_SHALLOW_KM = 50.0  # width of the shallowest row of unit sources
_SLOWER = 3.0  # a rupture front of about 1 km/s: Kanamori and Kikuchi (1993)


@dataclass(frozen=True)
class FamilySettings:
    """What families of ruptures may be like: wider than what networks are trained on, for real earthquakes.

    Attributes
    ----------
    magnitude : (float, float)
        Range of Mw, evenly filled.
    size_scatter : float
        How many times as much lengths and widths scatter as in the scaling law; with them the stress drop.
    hurst : (float, float)
        Range of Hurst exponents.
    variation : (float, float)
        Range of the coefficient of variation of slip on a patch, evenly filled in its logarithm; 0.9 is usual.
    delay : (float, float)
        By how much waves are later than those of slip at once at the origin time: scatter about half of the usual
        duration, s, and as a share of it. That stands for the rupture's own time and for where the fault really is.
    slow : float
        Share of families that are tsunami earthquakes: on the shallowest 50 km of the fault alone, of the rigidity that
        is usual there (:func:`~slipcast.physics.moment.rigidity_at_depth`), so that they slip more for their moment,
        and three times as long as usual.
    tapered : float
        Share of the others whose slip fades towards the trench, where they reach it.
    """

    magnitude: tuple[float, float] = (7.0, 9.5)
    size_scatter: float = 1.5
    hurst: tuple[float, float] = (0.2, 1.0)
    variation: tuple[float, float] = (0.6, 2.5)
    delay: tuple[float, float] = (45.0, 0.5)
    slow: float = 0.1
    tapered: float = 0.5

    def __post_init__(self):
        for name, floor, top in (
            ("magnitude", 5.0, 9.7),
            ("hurst", 0.01, 1.0),
            ("variation", 0.05, 10.0),
        ):
            low, high = getattr(self, name)
            if not floor <= low <= high <= top:
                raise InputError(f"{name} must be a rising range in [{floor:g}, {top:g}], got {(low, high)}")
        if not 0 < self.size_scatter <= 5:
            raise InputError(f"size_scatter must be in (0, 5], got {self.size_scatter:g}")
        if min(self.delay) < 0 or max(self.delay) > 300:
            raise InputError(f"delay must be seconds and a share, both in [0, 300], got {self.delay}")
        for name in ("slow", "tapered"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must be a share, in [0, 1], got {getattr(self, name):g}")


@dataclass(frozen=True, eq=False)
class SlipFamily:
    r"""Slip of the ruptures of a family, :math:`s = m e^{B z}` with independent standard normal :math:`z`.

    Attributes
    ----------
    magnitude : float
        Mw of the mean.
    length_km, width_km : float
        Before the fault's edges cut them.
    subfaults : array of int, shape (n,)
        Those that slip.
    middle_m : array, shape (n,)
        The median :math:`m`, m.
    modes : array, shape (n, n_modes)
        :math:`B`.
    delay_s : float
        By how much waves are later than those of slip at once at the origin time, s; negative where earlier.
    more_slip : float
        How many times as much it slips as a fault of the unit sources' rigidity does for the same moment.
    """

    magnitude: float
    length_km: float
    width_km: float
    subfaults: np.ndarray
    middle_m: np.ndarray
    modes: np.ndarray
    delay_s: float
    more_slip: float = 1.0

    def slip(self, amplitudes) -> np.ndarray:
        """Turn amplitudes, shape (..., n_modes), into slip, m, shape (..., n)."""
        return self.middle_m * np.exp(np.asarray(amplitudes) @ self.modes.T)


@dataclass(frozen=True)
class FamilyPrior:
    r"""Families that together cover what ruptures may be.

    Attributes
    ----------
    subfaults : Subfaults
        On rows of the plate interface (b, a, z, ...), of one zone or several.
    settings : FamilySettings, optional
        What they may be like.

    Raises
    ------
    InputError
        If there are subfaults of the outer rise, or of several sizes in a zone.

    Notes
    -----
    Lengths and widths scatter about Blaser et al. (2010, BSSA 100, 2914). Slip on a patch has the mean that the
    magnitude asks for, fades at the patch's edges but not at those of the fault (at the trench in a share of families
    alone), and is lognormal with a von Karman
    correlation of its logarithm, along strike times down dip, with the lengths of
    :func:`~slipcast.physics.ruptures.correlation_lengths_km`, in modes that hold 96 % of its variance. The usual half
    duration is :func:`~slipcast.physics.moment.usual_half_duration`.
    """

    subfaults: Subfaults
    settings: FamilySettings = field(default_factory=FamilySettings)

    def __post_init__(self):
        _ = self._segments  # refuses what cannot be laid out

    @cached_property
    def _segments(self) -> tuple[FaultSegment, ...]:
        """Connected parts of the fault."""
        return interface_segments(self.subfaults)

    @cached_property
    def _place(self) -> np.ndarray:
        """Segment of each subfault, and its cell there down dip and along strike, shape (n_subfaults, 3)."""
        return segment_cells(self._segments)

    def points(self, count: int, seed: int = 0) -> np.ndarray:
        """Return points that fill the unit cube of families evenly, shape (count, N_PARAMETERS)."""
        if count < 1:
            raise InputError(f"count must be >= 1, got {count}")
        sequence = qmc.Sobol(N_PARAMETERS, rng=np.random.default_rng(seed))
        return sequence.random(1 << (count - 1).bit_length())[:count]

    def family(
        self,
        point: np.ndarray,
        *,
        epicentre: tuple[float, float] | None = None,
        magnitude: tuple[float, float] | None = None,
    ) -> SlipFamily | None:
        """Make the family of a point of the unit cube.

        Parameters
        ----------
        point : array, shape (N_PARAMETERS,)
            In [0, 1]: what share of families has a smaller magnitude, length, width, part before and above the
            hypocentre, ..., each evenly filled.
        epicentre : (float, float), optional
            Longitude and latitude, degrees: ruptures begin near it (a standard deviation of 30 km; on the fault,
            where it is off it). By default they begin anywhere.
        magnitude : (float, float), optional
            Range of Mw; by default that of the settings.

        Returns
        -------
        family : SlipFamily or None
            None where it asks for more slip than is plausible of the fault, or the fault has nothing so shallow there.
        """
        point = np.clip(point, 1e-6, 1 - 1e-6)
        low, high = self.settings.magnitude if magnitude is None else magnitude
        near, chance = self._hypocentres(epicentre)
        hypocentre = int(near[min(np.searchsorted(chance, point[5]), len(near) - 1)])
        return self._family(low + (high - low) * float(point[0]), point, hypocentre)

    @cached_property
    def _known_hypocentres(self) -> dict:
        """What was found for epicentres before."""
        return {}

    def _hypocentres(self, epicentre: tuple[float, float] | None) -> tuple[np.ndarray, np.ndarray]:
        """Return the subfaults, the nearest to an epicentre first, and how likely a rupture begins before each."""
        if epicentre not in self._known_hypocentres:
            near = np.arange(len(self.subfaults)) if epicentre is None else np.argsort(self._distance_m(epicentre))
            self._known_hypocentres[epicentre] = near, np.cumsum(self.hypocentre_probability(epicentre)[near])
        return self._known_hypocentres[epicentre]

    def _distance_m(self, epicentre: tuple[float, float]) -> np.ndarray:
        """Return the distance of each subfault from an epicentre, m."""
        return great_circle_distance(*epicentre, self.subfaults.lon_deg, self.subfaults.lat_deg)

    def hypocentre_probability(self, epicentre: tuple[float, float] | None) -> np.ndarray:
        """Return how likely a rupture begins on each subfault, shape (n_subfaults,), as :meth:`family` has it."""
        if epicentre is None:
            return np.full(len(self.subfaults), 1.0 / len(self.subfaults))
        distance_m = self._distance_m(epicentre)
        density = np.exp(-0.5 * (distance_m**2 - distance_m.min() ** 2) / _EPICENTRE_SD_M**2)
        return density / density.sum()

    def _family(self, magnitude: float, point: np.ndarray, hypocentre: int) -> SlipFamily | None:
        """Make the family of a point of the unit cube; None where it asks for more slip than is plausible."""
        settings, (number, at_down, at_along) = self.settings, (int(at) for at in self._place[hypocentre])
        scatter = settings.size_scatter * ndtri(point[1:3])
        length_km, width_km = (float(size) for size in scaled_dimensions(magnitude, *scatter))
        segment, slow = self._segments[number], bool(point[9] < settings.slow)
        subfaults, fades, modes = self._patch(segment, (at_down, at_along), (length_km, width_km), point)
        if not subfaults.size:  # a fault that begins deeper there than tsunami earthquakes are
            return None
        ones, area_m2 = np.ones((len(subfaults), 1)), self.subfaults.area_m2[subfaults][:, np.newaxis]
        rigidity_pa = rigidity_at_depth(self.subfaults.depth_m[subfaults])[:, np.newaxis] if slow else RIGIDITY_PA
        moment, usual = (fades @ seismic_moment(ones, area_m2, rigidity_pa=of) for of in (rigidity_pa, RIGIDITY_PA))
        mean_m = fades * float(moment_of_magnitude(magnitude)) / float(moment)
        if mean_m.max() > max_plausible_slip(magnitude):
            return None
        usual_s = usual_half_duration(magnitude) * (_SLOWER if slow else 1.0)
        return SlipFamily(
            magnitude=magnitude,
            length_km=length_km,
            width_km=width_km,
            subfaults=subfaults,
            middle_m=(mean_m * np.exp(-0.5 * np.square(modes).sum(axis=1))).astype(np.float32),
            modes=modes.astype(np.float32),
            delay_s=usual_s + np.hypot(settings.delay[0], settings.delay[1] * usual_s) * float(ndtri(point[8])),
            more_slip=float(usual / moment),
        )

    def _patch(
        self, segment: FaultSegment, at: tuple[int, int], size_km: tuple[float, float], point: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Lay a patch around a cell (down, along); return its subfaults, how much slip fades on them, and the modes."""
        low, high = self.settings.hurst
        hurst, variation = low + (high - low) * float(point[6]), self.settings.variation
        variance = np.log1p((variation[0] * (variation[1] / variation[0]) ** float(point[7])) ** 2)
        slow = self.settings.slow
        deepest, tapered = segment.cells.shape[0], slow <= point[9] < slow + (1 - slow) * self.settings.tapered
        if point[9] < slow:
            deepest = min(max(round(_SHALLOW_KM / segment.cell_km[1]), 1), deepest)
        rows = min(at[0], deepest - 1), size_km[1] / segment.cell_km[1], deepest, float(point[4])
        along = _extent(at[1], size_km[0] / segment.cell_km[0], segment.cells.shape[1], float(point[3]))
        down = _extent(*rows, tapered=tapered)
        cells = segment.cells[down[0].start : down[0].stop, along[0].start : along[0].stop]
        steps = [km / at for km, at in zip(segment.cell_km, correlation_lengths_km(*size_km), strict=True)]
        fades = np.outer(down[1], along[1])[cells >= 0]
        return cells[cells >= 0], fades, np.sqrt(variance) * _modes(cells >= 0, steps, hurst)


def _extent(at: int, cells: float, limit: int, before: float, *, tapered: bool = False) -> tuple[range, np.ndarray]:
    """Lay a run of cells around one of them; return it, and by how much slip fades in each.

    It is moved onto the fault where it does not fit, and cut where it is longer; it does not fade at the fault's edges,
    or at the first one alone, if it is tapered there.
    """
    cells = max(cells, 1.0)
    start = at + 0.5 - before * cells
    start = min(max(start, 0.0), max(limit - cells, 0.0))
    end = min(start + cells, float(limit))
    edge = max(_EDGE * cells, 0.5)
    middle = np.arange(limit) + 0.5
    rising = np.ones(limit) if start <= 0 else np.clip(0.5 + (middle - start) / (2 * edge), 0.0, 1.0)
    if tapered and start <= 0:
        rising = np.clip(middle / (2 * edge), 0.0, 1.0)
    falling = np.ones(limit) if end >= limit else np.clip(0.5 + (end - middle) / (2 * edge), 0.0, 1.0)
    fades = np.minimum(rising, falling)
    some = np.flatnonzero(fades > 0)
    return range(int(some[0]), int(some[-1]) + 1), np.sin(0.5 * np.pi * fades[some[0] : some[-1] + 1]) ** 2


def _modes(there: np.ndarray, steps: list[float], hurst: float) -> np.ndarray:
    """Return modes of a correlated field of unit variance on a grid of cells (down dip, along strike), (n, n_modes)."""
    powers, shapes = [], []
    for count, step in ((there.shape[0], steps[1]), (there.shape[1], steps[0])):
        power, shape = np.linalg.eigh(toeplitz(von_karman_correlation(np.arange(count) * step, hurst)))
        powers.append(np.maximum(power, 0.0))
        shapes.append(shape)
    power = np.outer(*powers)
    order = np.argsort(-power, axis=None)
    needed = int(np.searchsorted(np.cumsum(power.ravel()[order]), _VARIANCE_KEPT * power.sum())) + 1
    down, along = np.unravel_index(order[: min(needed, _MOST_MODES)], power.shape)
    modes = np.sqrt(power[down, along]) * shapes[0][:, np.newaxis, down] * shapes[1][np.newaxis, :, along]
    return modes[there]
