"""Wave heights at the coast from those at an offshore point: Green's law with lognormal scatter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from slipcast.errors import InputError

__all__ = ["CoastalTransfer"]


@dataclass(frozen=True)
class CoastalTransfer:
    r"""Transfer of maximum wave heights from an offshore point to the coast.

    Attributes
    ----------
    coast_depth_m : float
        Depth of the water for which heights at the coast count, m, > 0.
    log_sd : float
        Standard deviation of the natural logarithm of the height about Green's law, >= 0.

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

    def __post_init__(self):
        if not 0 < self.coast_depth_m < np.inf:
            raise InputError(f"coast_depth_m must be finite and > 0 m, got {self.coast_depth_m}")
        if not 0 <= self.log_sd < np.inf:
            raise InputError(f"log_sd must be finite and >= 0, got {self.log_sd}")

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
        probability = np.asarray(probability, float)
        if not ((probability > 0) & (probability < 1)).all():
            raise InputError(f"probability must be in (0, 1), got {probability}")
        return self.median(offshore_m, depth_m) * np.exp(self.log_sd * ndtri(probability))

    def draw(self, offshore_m, depth_m, rng: np.random.Generator) -> np.ndarray:
        """Draw heights at the coast, one for each height offshore.

        Parameters
        ----------
        offshore_m, depth_m
            As in :meth:`median`; draws of a forecast, for example.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        coast_m : array
            m.

        Raises
        ------
        InputError
            As in :meth:`median`.
        """
        median = self.median(offshore_m, depth_m)
        return median * np.exp(self.log_sd * rng.standard_normal(median.shape))
