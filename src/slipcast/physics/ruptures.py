r"""Stochastic ruptures of a megathrust: where slip is, how much, and when.

After FakeQuakes (Melgar et al. 2016) and LeVeque et al. (2016): length and width from scaling laws, lognormal slip
with a von Karman correlation sampled through its Karhunen-Loeve expansion, a rupture front that spreads from a
hypocentre.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from scipy.linalg import eigh
from scipy.special import gamma, kv

from slipcast.errors import InputError
from slipcast.physics.moment import moment_of_magnitude, seismic_moment
from slipcast.physics.unit_sources import MEGATHRUST_ROWS, Subfaults

__all__ = [
    "Rupture",
    "RuptureGenerator",
    "RuptureSettings",
    "correlation_lengths_km",
    "draw_dimensions",
    "max_plausible_slip",
    "von_karman_correlation",
]

_COEFFICIENT_OF_VARIATION = 0.9  # of lognormal slip; the value of FakeQuakes
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


def von_karman_correlation(distance, hurst: float) -> np.ndarray:
    r"""Compute the von Karman correlation of slip.

    Parameters
    ----------
    distance : array
        Distance in units of the correlation length, :math:`r = \sqrt{(x/a_x)^2 + (y/a_y)^2}`; >= 0.
    hurst : float
        Hurst exponent, in (0, 1].

    Returns
    -------
    correlation : array
        1 at zero distance.

    Notes
    -----
    :math:`C(r) = G_H(r)/G_H(0)` with :math:`G_H(r) = r^H K_H(r)`. Mai and Beroza (2002).

    Examples
    --------
    A Hurst exponent of one half is the exponential:

    >>> print(von_karman_correlation(np.array([0.0, 1.0]), 0.5).round(4))
    [1.     0.3679]
    """
    distance = np.asarray(distance, dtype=float)
    safe = np.where(distance > 1e-8, distance, 1.0)
    value = safe**hurst * kv(hurst, safe) / (2 ** (hurst - 1) * gamma(hurst))
    return np.where(distance > 1e-8, value, 1.0)


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
    """How ruptures are drawn.

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

    @property
    def _size_km(self) -> tuple[float, float]:
        """Edge lengths of a subfault along strike and down dip, km."""
        return self.subfaults.length_m[0] / 1e3, self.subfaults.width_m[0] / 1e3

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

        Most of the cost of a rupture is in the modes of its size; a hundred alike cost little more than ten that
        differ. Good for what wants many ruptures and minds little that they come in families, as a training does.

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
        ruptures: list[Rupture] = []
        for _ in range(_MAX_SIZES):
            # the size is kept while patterns are tried, so that rejection does not favour large ruptures
            length_km, width_km = (float(size) for size in draw_dimensions(magnitude, rng))
            hurst = float(rng.choice(self.settings.hurst))
            tries = 0
            while tries < _MAX_PATTERNS and len(ruptures) < count:
                tries += 1
                slip = self._draw_slip(length_km, width_km, hurst, rng)
                slip *= moment_of_magnitude(magnitude) / seismic_moment(slip, self.subfaults.area_m2)
                if slip.max() <= max_plausible_slip(magnitude):
                    onset, rise_time = self._draw_onset(slip, rng)
                    ruptures.append(Rupture(slip, onset, rise_time, magnitude, length_km, width_km, hurst))
                    tries = 0
            if ruptures:
                return ruptures
        raise InputError(
            f"the fault is too small for magnitude {magnitude:.2f}: slip passes the plausible maximum of "
            f"{max_plausible_slip(magnitude):.0f} m"
        )

    def _draw_slip(self, length_km: float, width_km: float, hurst: float, rng: np.random.Generator) -> np.ndarray:
        """Draw a slip pattern of any scale on a patch of a given size at a random place."""
        along, down = self.subfaults.along, self.subfaults.down
        size = self._size_km
        n_along = _cut(length_km / size[0], int(np.ptp(along)) + 1)
        n_down = _cut(width_km / size[1], int(np.ptp(down)) + 1)
        # a patch is placed so that it holds a random subfault; where the fault has no row there, it is cut
        centre = rng.integers(len(self.subfaults))
        first_along = _place(along, centre, n_along, rng)
        first_down = _place(down, centre, n_down, rng)
        modes = _karhunen_loeve_modes(n_along, n_down, *size, *correlation_lengths_km(length_km, width_km), hurst)
        logarithm = sum(part.sample(n_down, n_along, rng) for part in modes)
        i, j = along - first_along, down - first_down
        inside = (i >= 0) & (i < n_along) & (j >= 0) & (j < n_down)
        slip = np.zeros(len(self.subfaults))
        slip[inside] = np.exp(logarithm)[j[inside], i[inside]]
        return slip

    def _draw_onset(self, slip: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float]:
        """Draw a hypocentre on the rupture, and the arrival of a front of constant speed on the unrolled fault."""
        if not self.settings.kinematic:
            return np.zeros(slip.shape), 0.0
        hypocentre = rng.choice(np.flatnonzero(slip))
        speed = rng.uniform(*self.settings.speed_km_s)
        rise_time = float(rng.uniform(*self.settings.rise_time_s))
        size = self._size_km
        distance_km = np.hypot(
            (self.subfaults.along - self.subfaults.along[hypocentre]) * size[0],
            (self.subfaults.down - self.subfaults.down[hypocentre]) * size[1],
        )
        return np.where(slip > 0, distance_km / speed, 0.0), rise_time


def _cut(cells: float, limit: int) -> int:
    """Round a size to whole cells, at least one and at most the fault."""
    return int(np.clip(round(cells), 1, limit))


def _place(index: np.ndarray, centre: np.integer, count: int, rng: np.random.Generator) -> int:
    """Choose the first cell of a run of cells that holds a given one and stays on the fault."""
    low = max(int(index.min()), int(index[centre]) - count + 1)
    high = min(int(index.max()) - count + 1, int(index[centre]))
    return int(rng.integers(low, high + 1))


@dataclass(frozen=True)
class _Modes:
    """Karhunen-Loeve modes of one parity: eigenvectors on half the cells, times the root of their eigenvalues."""

    scaled: np.ndarray
    sign_down: int
    sign_along: int

    def sample(self, n_down: int, n_along: int, rng: np.random.Generator) -> np.ndarray:
        """Draw this part of the field, shape (n_down, n_along)."""
        half = (self.scaled @ rng.standard_normal(self.scaled.shape[1])).reshape(_half(n_down, self.sign_down), -1)
        return _unfold(_unfold(half, n_down, self.sign_down).T, n_along, self.sign_along).T


def _half(count: int, sign: int) -> int:
    """Return the number of independent values of an even (+1) or odd (-1) vector."""
    return (count + 1) // 2 if sign > 0 else count // 2


def _unfold(half: np.ndarray, count: int, sign: int) -> np.ndarray:
    """Continue orthonormal half-vectors to the whole, along the first axis."""
    pairs = half[: count // 2] / np.sqrt(2)
    middle = half[count // 2 :] if count % 2 and sign > 0 else np.zeros((count % 2, half.shape[1]))
    return np.concatenate([pairs, middle, sign * pairs[::-1]])


@lru_cache(maxsize=32)
def _karhunen_loeve_modes(
    n_along: int, n_down: int, dx_km: float, dy_km: float, ax_km: float, ay_km: float, hurst: float
) -> tuple[_Modes, ...]:
    """Compute modes of the Gaussian field whose exponential is lognormal slip with a von Karman correlation.

    All modes are kept. The covariance depends on distances only, so the field splits into parts that are even or odd
    in each direction; each of the four has a quarter of the cells, which makes its eigenvalues 16 times cheaper.
    """
    x, y = np.arange(n_along) * dx_km / ax_km, np.arange(n_down) * dy_km / ay_km
    # covariance of the logarithm that gives slip this coefficient of variation and correlation (LeVeque et al. 2016)
    lag = np.log1p(
        _COEFFICIENT_OF_VARIATION**2 * von_karman_correlation(np.hypot(x[np.newaxis], y[:, np.newaxis]), hurst)
    )
    return tuple(
        _Modes(_modes_of_parity(lag, sign_down, sign_along), sign_down, sign_along)
        for sign_down in (1, -1)
        for sign_along in (1, -1)
        if _half(n_down, sign_down) and _half(n_along, sign_along)
    )


def _modes_of_parity(lag: np.ndarray, sign_down: int, sign_along: int) -> np.ndarray:
    """Compute the scaled modes of one parity from the covariance by lag, shape (n_down, n_along)."""
    axes = []
    for count, sign in zip(lag.shape, (sign_down, sign_along)):
        index = np.arange(_half(count, sign))
        scale = np.where((count % 2 == 1) & (index == count // 2), np.sqrt(0.5), 1.0)
        axes.append((np.abs(np.subtract.outer(index, index)), count - 1 - np.add.outer(index, index), scale, sign))
    (direct_down, mirror_down, scale_down, _), (direct_along, mirror_along, scale_along, _) = axes
    # each half-vector stands for two cells: a lag counts to the cell itself and to its mirror image
    folded = sum(
        factor * lag[down[:, np.newaxis, :, np.newaxis], along[np.newaxis, :, np.newaxis, :]]
        for down, down_sign in ((direct_down, 1), (mirror_down, sign_down))
        for along, factor in ((direct_along, down_sign), (mirror_along, down_sign * sign_along))
    )
    scale = np.multiply.outer(scale_down, scale_along).ravel()
    size = scale.size
    values, vectors = eigh(
        folded.reshape(size, size) * scale[:, np.newaxis] * scale,
        driver="evd",
        overwrite_a=True,
        check_finite=False,
    )
    return vectors * np.sqrt(np.clip(values, 0, None))
