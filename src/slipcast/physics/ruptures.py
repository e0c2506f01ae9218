r"""Stochastic ruptures of a megathrust: where slip is, how much, and when.

After FakeQuakes (Melgar et al. 2016) and LeVeque et al. (2016): length and width from scaling laws, lognormal slip
with a von Karman correlation, a rupture front that spreads from a hypocentre.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numba import njit

from slipcast.errors import InputError
from slipcast.physics.fault_segments import FaultSegment, connected_cells, interface_segments, segment_cells
from slipcast.physics.moment import moment_of_magnitude, seismic_moment
from slipcast.physics.slip_field import SlipField
from slipcast.physics.unit_sources import Subfaults

__all__ = [
    "Rupture",
    "RuptureGenerator",
    "RuptureSettings",
    "correlation_lengths_km",
    "draw_dimensions",
    "max_plausible_slip",
    "scaled_dimensions",
]

_MAX_PATTERNS = 30
_MAX_SIZES = 10


def draw_dimensions(magnitude, rng: np.random.Generator):
    """Draw length and width of thrust ruptures.

    Parameters
    ----------
    magnitude : float or array
        Moment magnitude.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    length_km, width_km : float or array
        km; not limited by any fault.

    Notes
    -----
    log10 L = N(-2.37 + 0.57 Mw, 0.18), log10 W = N(-1.86 + 0.46 Mw, 0.17), for thrust faulting. Blaser et al. (2010),
    BSSA 100, 2914.
    """
    magnitude = np.asarray(magnitude, dtype=float)
    return scaled_dimensions(magnitude, rng.standard_normal(magnitude.shape), rng.standard_normal(magnitude.shape))


def scaled_dimensions(magnitude, length_scatter, width_scatter):
    """Compute length and width of thrust ruptures, by how far each is from what is usual.

    Parameters
    ----------
    magnitude : float or array
        Moment magnitude.
    length_scatter, width_scatter : float or array
        Standard deviations above the median.

    Returns
    -------
    length_km, width_km : float or array
        km; the scaling law of :func:`draw_dimensions`.

    Examples
    --------
    >>> length_km, width_km = scaled_dimensions(9.0, 0.0, 0.0)
    >>> print(f"{length_km:.0f} km, {width_km:.0f} km")
    575 km, 191 km
    """
    length_km = 10 ** (-2.37 + 0.57 * magnitude + 0.18 * length_scatter)
    width_km = 10 ** (-1.86 + 0.46 * magnitude + 0.17 * width_scatter)
    return length_km, width_km


def correlation_lengths_km(length_km: float, width_km: float) -> tuple[float, float]:
    """Return the correlation lengths of slip along strike and down dip, km.

    Notes
    -----
    17.7 + 0.34 L and 6 + 0.4 W (Mai and Beroza 2002, JGR 107, 2308, the values used by Melgar et al. 2016).

    Examples
    --------
    >>> correlation_lengths_km(100.0, 50.0)
    (51.7, 26.0)
    """
    return 17.7 + 0.34 * length_km, 6.0 + 0.4 * width_km


def max_plausible_slip(magnitude: float) -> float:
    """Return the slip above which a rupture is rejected: three times the expected maximum, m.

    Notes
    -----
    3 x 10^(-4.94 + 0.71 Mw), the rule of FakeQuakes.

    Examples
    --------
    >>> print(f"{max_plausible_slip(9.0):.0f} m")
    85 m
    """
    return 3.0 * 10 ** (-4.94 + 0.71 * magnitude)


@dataclass(frozen=True)
class RuptureSettings:
    """Settings of the rupture generator.

    Attributes
    ----------
    magnitude : (float, float)
        Range of Mw, drawn uniformly.
    hurst : tuple of float
        Hurst exponents, one of which is drawn for each rupture.
    speed_km_s : (float, float)
        Range of rupture speed, km/s, drawn uniformly.
    rise_time_s : (float, float)
        Range of rise time, s, drawn uniformly, one for a rupture.
    kinematic : bool
        False: all slip at time zero.
    """

    magnitude: tuple[float, float] = (7.8, 9.2)
    hurst: tuple[float, ...] = (0.4, 0.75)
    speed_km_s: tuple[float, float] = (2.0, 3.0)
    rise_time_s: tuple[float, float] = (10.0, 40.0)
    kinematic: bool = True

    def __post_init__(self):
        for name, floor in (("magnitude", 5.0), ("speed_km_s", 0.1), ("rise_time_s", 0.0)):
            low, high = getattr(self, name)
            if not floor <= low <= high:
                raise InputError(f"{name} must be a rising range from {floor:g} up, got {(low, high)}")
        if self.magnitude[1] > 9.7:
            raise InputError(f"magnitude must be at most 9.7, got {self.magnitude[1]}")
        if not self.hurst or not all(0 < h <= 1 for h in self.hurst):
            raise InputError(f"hurst must hold exponents in (0, 1], got {self.hurst}")


@dataclass(frozen=True)
class Rupture:
    """One earthquake on the subfaults.

    Attributes
    ----------
    slip_m : array, shape (n_subfaults,)
        Along the rake, >= 0.
    onset_s : array, shape (n_subfaults,)
        When a subfault begins to slip, s after the origin; zero where it does not slip.
    rise_time_s : float
        How long each takes, s.
    magnitude : float
        Mw.
    length_km, width_km : float
        As drawn from the scaling law, before the fault's edges cut them.
    hurst : float
        Hurst exponent of the correlation.
    """

    slip_m: np.ndarray
    onset_s: np.ndarray
    rise_time_s: float
    magnitude: float
    length_km: float
    width_km: float
    hurst: float


@dataclass(frozen=True)
class RuptureGenerator:
    """Draw ruptures on a set of subfaults.

    Attributes
    ----------
    subfaults : Subfaults
        On rows of the plate interface (b, a, z, ...), of one zone or several.
    settings : RuptureSettings, optional

    Raises
    ------
    InputError
        If there are subfaults of the outer rise, or of several sizes in a zone.

    Notes
    -----
    A rupture lies within one connected segment of the fault
    (:func:`~slipcast.physics.fault_segments.fault_segments`): it does not run across a gap of more than 50 km, nor from
    one zone into another. A place on the fault is drawn, every subfault alike, and so a segment; where it is too small
    for the magnitude, slip passes the plausible maximum and another place is drawn.

    Distances are counted on the unrolled segment, along the trench and down dip, subfault by subfault. A rupture that
    is wider or longer than its segment is cut at the edges and slips more for its magnitude. Where only a part of a
    rupture's rectangle is connected within it, as in deep rows that fan out at a bend, that part slips.
    """

    subfaults: Subfaults
    settings: RuptureSettings = field(default_factory=RuptureSettings)

    def __post_init__(self):
        _ = self._segments  # refuses what cannot be laid out

    @cached_property
    def _segments(self) -> tuple[FaultSegment, ...]:
        """Connected parts of the fault."""
        return interface_segments(self.subfaults)

    @cached_property
    def _cell_of(self) -> np.ndarray:
        """Segment of each subfault, and its cell there down dip and along strike, shape (n_subfaults, 3)."""
        return segment_cells(self._segments)

    @cached_property
    def _moment_of_a_metre(self) -> np.ndarray:
        """Seismic moment of 1 m of slip on each subfault, N m, shape (n_subfaults,)."""
        return seismic_moment(np.ones((len(self.subfaults), 1)), self.subfaults.area_m2[:, np.newaxis])

    def draw(self, rng: np.random.Generator, *, magnitude: float | None = None) -> Rupture:
        """Draw one rupture.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of randomness.
        magnitude : float, optional
            Mw; by default drawn from the settings.

        Returns
        -------
        rupture : Rupture
            Its magnitude is exact.

        Raises
        ------
        InputError
            If the fault is too small: the magnitude asks for more slip than is plausible, try after try.
        """
        return self.draw_alike(rng, 1, magnitude=magnitude)[0]

    def draw_alike(self, rng: np.random.Generator, count: int, *, magnitude: float | None = None) -> list[Rupture]:
        """Draw ruptures that share magnitude, length, width and Hurst exponent, and nothing else.

        A part of the cost of a rupture is in preparing a field of its size, which these share. Good for what wants many
        ruptures and minds little that they come in families, as a training does.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of randomness.
        count : int
            How many, >= 1.
        magnitude : float, optional
            Mw; by default drawn from the settings.

        Returns
        -------
        ruptures : list of Rupture
            ``count`` of them, or fewer but at least one where most patterns of the size pass the plausible slip.

        Raises
        ------
        InputError
            As :meth:`draw`, or if the count is less than one.
        """
        if count < 1:
            raise InputError(f"count must be >= 1, got {count}")
        magnitude = float(rng.uniform(*self.settings.magnitude)) if magnitude is None else float(magnitude)
        moment, plausible = float(moment_of_magnitude(magnitude)), max_plausible_slip(magnitude)
        ruptures: list[Rupture] = []
        for _ in range(_MAX_SIZES):
            # the size is kept while patterns are tried, so that rejection does not favour large ruptures
            length_km, width_km = (float(size) for size in draw_dimensions(magnitude, rng))
            hurst = float(self.settings.hurst[rng.integers(len(self.settings.hurst))])
            fields: dict[int, SlipField] = {}
            tries = 0
            while tries < _MAX_PATTERNS and len(ruptures) < count:
                tries += 1
                slip, highest = self._draw_slip(fields, (length_km, width_km, hurst), moment, rng)
                if highest <= plausible:
                    onset, rise_time = self._draw_onset(slip, rng)
                    ruptures.append(Rupture(slip, onset, rise_time, magnitude, length_km, width_km, hurst))
                    tries = 0
            if ruptures:
                return ruptures
        raise InputError(
            f"the fault is too small for magnitude {magnitude:.2f}: slip passes the plausible maximum of "
            f"{plausible:.0f} m"
        )

    def _slip_field(self, segment: FaultSegment, length_km: float, width_km: float, hurst: float) -> SlipField:
        """Prepare the logarithm of slip on a patch of a given size, cut at the edges of a segment."""
        n_down, n_along = segment.cells.shape
        return SlipField.of_size(
            _cut(length_km / segment.cell_km[0], n_along),
            _cut(width_km / segment.cell_km[1], n_down),
            segment.cell_km,
            correlation_lengths_km(length_km, width_km),
            hurst,
        )

    def _draw_slip(
        self,
        fields: dict[int, SlipField],
        size: tuple[float, float, float],
        moment_nm: float,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, float]:
        """Draw slip of a given moment on a patch at a random place; return it on all subfaults, and its maximum, m.

        Fields of the size (length and width, km, and Hurst exponent) are kept by segment.
        """
        # a patch is placed so that it holds a random subfault; where the segment has no row there, it is cut
        number, at_down, at_along = (int(of) for of in self._cell_of[rng.integers(len(self.subfaults))])
        segment = self._segments[number]
        if number not in fields:
            fields[number] = self._slip_field(segment, *size)
        shape = fields[number].n_down, fields[number].n_along
        n_down, n_along = segment.cells.shape
        along = _place(at_along, shape[1], n_along, rng)
        down = _place(at_down, shape[0], n_down, rng)
        connected = connected_cells(
            segment.cells, segment.joined_along, segment.joined_down, (down, along), shape, (at_down, at_along)
        )
        cells = np.where(connected, segment.cells[down : down + shape[0], along : along + shape[1]], -1)
        return _lognormal_slip(fields[number].sample(rng), cells, self._moment_of_a_metre, moment_nm)

    def _draw_onset(self, slip: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float]:
        """Draw a hypocentre on the rupture, and the arrival of a front of constant speed on the unrolled segment."""
        if not self.settings.kinematic:
            return np.zeros(slip.shape), 0.0
        slipping = np.flatnonzero(slip)
        hypocentre = slipping[rng.integers(len(slipping))]
        speed = rng.uniform(*self.settings.speed_km_s)
        rise_time = float(rng.uniform(*self.settings.rise_time_s))
        cell_km = self._segments[self._cell_of[hypocentre, 0]].cell_km
        return _front(slipping, hypocentre, self._cell_of, cell_km, speed), rise_time


@njit(cache=True, nogil=True)
def _lognormal_slip(logarithm: np.ndarray, cells: np.ndarray, moment_of_a_metre: np.ndarray, moment: float):
    """Put the exponential of a field, of a given moment, onto the subfaults of its cells; return it, its maximum."""
    slip = np.zeros(moment_of_a_metre.size)
    total = highest = 0.0
    for j in range(logarithm.shape[0]):
        for i in range(logarithm.shape[1]):
            subfault = cells[j, i]
            if subfault >= 0:
                slip[subfault] = np.exp(logarithm[j, i])
                total += slip[subfault] * moment_of_a_metre[subfault]
                highest = max(highest, slip[subfault])
    slip *= moment / total
    return slip, highest * (moment / total)


@njit(cache=True, nogil=True)
def _front(slipping: np.ndarray, hypocentre: int, place: np.ndarray, cell_km, speed_km_s: float):
    """Compute when a front of constant speed reaches the subfaults that slip, s; zero on all others."""
    onset = np.zeros(place.shape[0])
    for subfault in slipping:
        x = (place[subfault, 2] - place[hypocentre, 2]) * cell_km[0]
        y = (place[subfault, 1] - place[hypocentre, 1]) * cell_km[1]
        onset[subfault] = np.sqrt(x * x + y * y) / speed_km_s
    return onset


def _cut(cells: float, limit: int) -> int:
    """Round a size to whole cells, at least one and at most the fault."""
    return min(max(round(cells), 1), limit)


def _place(at: int, count: int, limit: int, rng: np.random.Generator) -> int:
    """Choose the first cell of a run of cells that holds a given one and stays on the fault, which has a limit."""
    return int(rng.integers(max(0, at - count + 1), min(limit - count, at) + 1))
