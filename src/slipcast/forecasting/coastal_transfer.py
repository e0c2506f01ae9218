"""Wave heights at the coast from those at an offshore point: Green's law with lognormal scatter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from slipcast.errors import InputError

__all__ = ["CoastalTransfer"]

_LEAST_M = 1e-6
_LEAST_STEPS, _MOST_STEPS = 64, 4096


@dataclass(frozen=True)
class CoastalTransfer:
    r"""Transfer of maximum wave heights from an offshore point to the coast.

    Attributes
    ----------
    coast_depth_m : float
        Depth of the water for which heights at the coast count, m, > 0.
    log_sd : float
        Standard deviation of the natural logarithm of the height about Green's law, >= 0.
    deepest_m : float
        Depth of the deepest offshore points that stand for a coast, m; more than that of the coast.

    Notes
    -----
    Green's law (1838) for waves that climb a gentle slope without reflection, breaking or change of width,

    .. math:: A_\mathrm{coast} = A\,(h / h_\mathrm{coast})^{1/4} \, e^{\sigma \varepsilon},
        \qquad \varepsilon \sim N(0, 1).

    In nonlinear runs of four ruptures of Cascadia on the packaged bathymetry, the highest sea level in the cells beside
    the shore within 30 km of an offshore point in 70 to 120 m of water has a median of 0.90 times Green's law to 1 m,
    and a scatter of 0.43 (``benchmarks/coast/green_law.py``); the default of 0.5 is that, rounded up, for real shores
    have bays that nodes 6 arc-minutes apart do not show. Detailed simulations of known tsunamis are accepted in Japan
    up to a scatter of ln 1.45 = 0.37 (Aida 1978; JSCE 2002), so less than that cannot be hoped for.

    Not for harbours and bays, which resonate, nor for heights on land; the offshore point should lie off the coast in
    question, outside the breaking waves.

    Raises
    ------
    InputError
        If a number is out of range.

    Examples
    --------
    >>> print(round(float(CoastalTransfer().median(0.5, 81.0)), 2))
    1.5
    """

    coast_depth_m: float = 1.0
    log_sd: float = 0.5
    deepest_m: float = 500.0

    def __post_init__(self):
        if not 0 < self.coast_depth_m < np.inf:
            raise InputError(f"coast_depth_m must be finite and > 0 m, got {self.coast_depth_m}")
        if not 0 <= self.log_sd < np.inf:
            raise InputError(f"log_sd must be finite and >= 0, got {self.log_sd}")
        if not self.deepest_m > self.coast_depth_m:
            raise InputError(f"deepest_m must be > coast_depth_m, {self.coast_depth_m:g} m, got {self.deepest_m}")

    def reaches(self, depth_m) -> np.ndarray:
        """Say of which offshore points heights at the coast follow, by their depths, m."""
        depth_m = np.asarray(depth_m, float)
        return (depth_m >= self.coast_depth_m) & (depth_m <= self.deepest_m)

    def median(self, offshore_m, depth_m) -> np.ndarray:
        """Compute the median height at the coast.

        Parameters
        ----------
        offshore_m : float or array
            Maximum sea level at the offshore point, m, >= 0; NaN stays NaN.
        depth_m : float or array
            Depth there, m, at least that of the coast.

        Returns
        -------
        coast_m : array
            m.

        Raises
        ------
        InputError
            If a height is negative, or a depth less than that of the coast; the message gives the first.
        """
        offshore_m, depth_m = np.asarray(offshore_m, float), np.asarray(depth_m, float)
        for name, values, least in (("offshore_m", offshore_m, 0.0), ("depth_m", depth_m, self.coast_depth_m)):
            if (bad := values < least).any():
                raise InputError(f"{name} must be >= {least:g} m, got {values[bad].flat[0]:g}")
        return offshore_m * (depth_m / self.coast_depth_m) ** 0.25

    def quantile(self, offshore_m, depth_m, probability) -> np.ndarray:
        """Compute a quantile of the height at the coast.

        Parameters
        ----------
        offshore_m, depth_m
            As in :meth:`median`.
        probability : float or array
            In (0, 1), broadcast against them.

        Returns
        -------
        coast_m : array
            m.

        Raises
        ------
        InputError
            As in :meth:`median`, or if a probability is out of range.
        """
        return self.median(offshore_m, depth_m) * np.exp(self.log_sd * ndtri(_probabilities(probability)))

    def predictive(self, offshore_m, depth_m: float, probabilities) -> np.ndarray:
        """Compute quantiles of the height at the coast when that offshore is uncertain too.

        Parameters
        ----------
        offshore_m : array, shape (n_draws,)
            Draws of the maximum sea level at the offshore point, m; what is below 1 um counts as that.
        depth_m : float
            Depth there, m.
        probabilities : sequence of float
            In (0, 1).

        Returns
        -------
        coast_m : array, shape (n_probabilities,)
            m, of the mixture of the lognormal distributions that all draws have; to 1 %.

        Raises
        ------
        InputError
            As in :meth:`median`, or if a probability is out of range.
        """
        probabilities = _probabilities(probabilities)
        median = np.log(np.maximum(self.median(np.maximum(offshore_m, 0.0), depth_m), _LEAST_M))
        if not self.log_sd:
            return np.exp(np.quantile(median, probabilities))
        ends = median.min() - 4 * self.log_sd, median.max() + 4 * self.log_sd
        log_height = np.linspace(*ends, int(np.clip(5 * np.ptp(ends) / self.log_sd, _LEAST_STEPS, _MOST_STEPS)))
        below = ndtr((log_height[:, np.newaxis] - median) / self.log_sd).mean(axis=1)
        return np.exp(np.interp(ndtri(probabilities), ndtri(below), log_height))


def _probabilities(values) -> np.ndarray:
    """Check that probabilities are in (0, 1)."""
    values = np.asarray(values, float)
    if not ((values > 0) & (values < 1)).all():
        raise InputError(f"probability must be in (0, 1), got {values}")
    return values
