"""Convergence time of magnitude and forecasts in a replay."""

from __future__ import annotations

from typing import Literal

import numpy as np

from slipcast.errors import InputError
from slipcast.io.labels import positions_of
from slipcast.realtime.replay import Replay

__all__ = ["forecast_convergence_min", "magnitude_convergence_min"]


def magnitude_convergence_min(replay: Replay, *, reference: float | None = None, within: float = 0.1) -> float | None:
    """Find from when on the magnitude stayed near a value.

    Parameters
    ----------
    replay : Replay
        Of any method.
    reference : float, optional
        Mw; by default that of the last minute.
    within : float, optional
        How near, > 0.

    Returns
    -------
    minute : float or None
        First minute m after the origin with ``abs(magnitude - reference) <= within`` at it and at every later one of
        the replay; a minute without a magnitude, or without slip, is not near. None if the last one is not.

    Raises
    ------
    InputError
        If ``within`` is not positive.

    Examples
    --------
    >>> import xarray as xr
    >>> magnitude = xr.Dataset({"magnitude": ("minute", [8.0, 8.9, 8.5, 8.85, 8.9])}, {"minute": [5.0, 10, 15, 20, 25]})
    >>> magnitude_convergence_min(Replay(magnitude))
    20.0
    """
    magnitude = replay.dataset["magnitude"].to_numpy()
    target = magnitude[-1] if reference is None else reference
    return _converged(replay.minutes, magnitude, float(target), _positive(within))


def forecast_convergence_min(
    replay: Replay, gauge: str, *, within: float = 0.2, against: Literal["observed", "last"] = "observed"
) -> float | None:
    """Find from when on the forecast height at a gauge stayed near a value.

    Parameters
    ----------
    replay : Replay
        Of any method.
    gauge : str
        Of the forecasts.
    within : float, optional
        Share of that value, > 0.
    against : {"observed", "last"}, optional
        The value h: ``observed_maximum``, the crest of the first wave that the gauge recorded, as was known only
        afterwards; or the gauge's forecast at the last minute.

    Returns
    -------
    minute : float or None
        First minute m after the origin with ``abs(max_amplitude - h) <= within * h`` at it and at every later one of
        the replay, where ``max_amplitude`` is the highest sea level of the whole forecast (with draws, the mean of
        theirs). A minute without a forecast is not near. None if the last one is not.

    Raises
    ------
    InputError
        If the gauge is not forecast, has recorded no first wave, or an argument is out of range.
    """
    place = positions_of([gauge], replay.gauges, dim="gauge", where="in the replay's forecasts")[0]
    height = replay.dataset["max_amplitude"].to_numpy()[:, place]
    if against == "last":
        target = float(height[-1])
    elif against != "observed":
        raise InputError(f"against must be observed or last, got {against!r}")
    elif gauge not in (recorded := replay.observed_maximum_m):
        raise InputError(f"gauge {gauge} has recorded no first wave; compare with its last forecast")
    else:
        target = recorded[gauge]
    return _converged(replay.minutes, height, target, _positive(within) * target)


def _positive(within: float) -> float:
    """Return how near is near, or refuse it."""
    if not within > 0:
        raise InputError(f"within must be > 0, got {within:g}")
    return within


def _converged(minutes: np.ndarray, values: np.ndarray, target: float, within: float) -> float | None:
    """Find the first minute from which on all values are within reach of a target."""
    with np.errstate(invalid="ignore"):  # without slip Mw is -inf, and near to nothing
        far = np.flatnonzero(~(np.abs(values - target) <= within + 1e-9))
    first = int(far[-1]) + 1 if far.size else 0
    return float(minutes[first]) if first < len(minutes) else None
