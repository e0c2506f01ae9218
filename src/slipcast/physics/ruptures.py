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
from slipcast.physics.moment import moment_of_magnitude, seismic_moment
from slipcast.physics.slip_field import SlipField
from slipcast.physics.unit_sources import MEGATHRUST_ROWS, Subfaults

__all__ = [
    "Rupture",
    "RuptureGenerator",
    "RuptureSettings",
    "correlation_lengths_km",
    "draw_dimensions",
    "max_plausible_slip",
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
    length = 10 ** (-2.37 + 0.57 * magnitude + 0.18 * rng.standard_normal(magnitude.shape))
    width = 10 ** (-1.86 + 0.46 * magnitude + 0.17 * rng.standard_normal(magnitude.shape))
    return length, width


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
        Of one zone, on rows of the plate interface (b, a, z, ...).
    settings : RuptureSettings, optional

    Raises
    ------
    InputError
        If the subfaults are of several zones, of the outer rise, or of several sizes.

    Notes
    -----
    Distances are counted on the unrolled fault, along the trench and down dip, subfault by subfault. A rupture that is
    wider or longer than the fault is cut at its edges and slips more for its magnitude.
    """

    subfaults: Subfaults
    settings: RuptureSettings = field(default_factory=RuptureSettings)

    def __post_init__(self):
        zones = sorted({source.zone for source in self.subfaults.sources})
        if len(zones) != 1:
            raise InputError(f"ruptures need unit sources of one zone, got {', '.join(zones)}")
        for source in self.subfaults.sources:
            if source.row not in MEGATHRUST_ROWS:
                raise InputError(f"ruptures need unit sources of the plate interface, got {source.name}")
        if len(set(self.subfaults.divisions)) != 1:
            raise InputError(f"ruptures need subfaults of one size, got divisions {set(self.subfaults.divisions)}")

    @cached_property
    def _size_km(self) -> tuple[float, float]:
        """Edge lengths of a subfault along strike and down dip, km."""
        return float(self.subfaults.length_m[0]) / 1e3, float(self.subfaults.width_m[0]) / 1e3

    @cached_property
    def _along(self) -> np.ndarray:
        """Place of each subfault along strike, from the edge of the fault, shape (n_subfaults,)."""
        return self.subfaults.along - self.subfaults.along.min()

    @cached_property
    def _down(self) -> np.ndarray:
        """Place of each subfault down dip, from the edge of the fault, shape (n_subfaults,)."""
        return self.subfaults.down - self.subfaults.down.min()

    @cached_property
    def _cells(self) -> np.ndarray:
        """The subfault of every cell of the unrolled fault, shape (n_down, n_along); -1 where there is none."""
        cells = np.full((self._down.max() + 1, self._along.max() + 1), -1)
        cells[self._down, self._along] = np.arange(len(self.subfaults))
        return cells

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
            logarithm = self._slip_field(length_km, width_km, hurst)
            tries = 0
            while tries < _MAX_PATTERNS and len(ruptures) < count:
                tries += 1
                slip, highest = self._draw_slip(logarithm, moment, rng)
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

    def _slip_field(self, length_km: float, width_km: float, hurst: float) -> SlipField:
        """Prepare the logarithm of slip on a patch of a given size, cut at the edges of the fault."""
        n_down, n_along = self._cells.shape
        return SlipField.of_size(
            _cut(length_km / self._size_km[0], n_along),
            _cut(width_km / self._size_km[1], n_down),
            self._size_km,
            correlation_lengths_km(length_km, width_km),
            hurst,
        )

    def _draw_slip(self, logarithm: SlipField, moment_nm: float, rng: np.random.Generator) -> tuple[np.ndarray, float]:
        """Draw slip of a given moment on a patch at a random place; return it on all subfaults, and its maximum, m."""
        # a patch is placed so that it holds a random subfault; where the fault has no row there, it is cut
        centre = rng.integers(len(self.subfaults))
        n_down, n_along = self._cells.shape
        along = _place(int(self._along[centre]), logarithm.n_along, n_along, rng)
        down = _place(int(self._down[centre]), logarithm.n_down, n_down, rng)
        return _lognormal_slip(logarithm.sample(rng), self._cells, down, along, self._moment_of_a_metre, moment_nm)

    def _draw_onset(self, slip: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float]:
        """Draw a hypocentre on the rupture, and the arrival of a front of constant speed on the unrolled fault."""
        if not self.settings.kinematic:
            return np.zeros(slip.shape), 0.0
        slipping = np.flatnonzero(slip)
        hypocentre = slipping[rng.integers(len(slipping))]
        speed = rng.uniform(*self.settings.speed_km_s)
        rise_time = float(rng.uniform(*self.settings.rise_time_s))
        return _front(slipping, hypocentre, self._along, self._down, self._size_km, speed), rise_time


@njit(cache=True, nogil=True)
def _lognormal_slip(
    logarithm: np.ndarray, cells: np.ndarray, down: int, along: int, moment_of_a_metre: np.ndarray, moment: float
):
    """Put the exponential of a field, of a given moment, onto the cells from one on; return it and its maximum."""
    slip = np.zeros(moment_of_a_metre.size)
    total = highest = 0.0
    for j in range(logarithm.shape[0]):
        for i in range(logarithm.shape[1]):
            subfault = cells[down + j, along + i]
            if subfault >= 0:
                slip[subfault] = np.exp(logarithm[j, i])
                total += slip[subfault] * moment_of_a_metre[subfault]
                highest = max(highest, slip[subfault])
    slip *= moment / total
    return slip, highest * (moment / total)


@njit(cache=True, nogil=True)
def _front(slipping: np.ndarray, hypocentre: int, along: np.ndarray, down: np.ndarray, size_km, speed_km_s: float):
    """Compute when a front of constant speed reaches the subfaults that slip, s; zero on all others."""
    onset = np.zeros(along.size)
    for subfault in slipping:
        x = (along[subfault] - along[hypocentre]) * size_km[0]
        y = (down[subfault] - down[hypocentre]) * size_km[1]
        onset[subfault] = np.sqrt(x * x + y * y) / speed_km_s
    return onset


def _cut(cells: float, limit: int) -> int:
    """Round a size to whole cells, at least one and at most the fault."""
    return min(max(round(cells), 1), limit)


def _place(at: int, count: int, limit: int, rng: np.random.Generator) -> int:
    """Choose the first cell of a run of cells that holds a given one and stays on the fault, which has a limit."""
    return int(rng.integers(max(0, at - count + 1), min(limit - count, at) + 1))
