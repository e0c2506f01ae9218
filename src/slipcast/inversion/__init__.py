"""Inversion: records of sea level turned into slip on unit sources."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from slipcast.errors import InputError
from slipcast.greens import SourceResponses
from slipcast.inversion.estimate import SlipEstimate, centroid_latitude, magnitude_of_slip
from slipcast.inversion.least_squares import LeastSquares, invert_least_squares
from slipcast.labels import in_order
from slipcast.records import Records

if TYPE_CHECKING:
    from slipcast.learning.checkpoint import Checkpoint

__all__ = [
    "METHODS",
    "LeastSquares",
    "SlipEstimate",
    "centroid_latitude",
    "invert",
    "invert_least_squares",
    "magnitude_of_slip",
]

METHODS = ("nnls", "tikhonov")
"""Methods that need no training."""


def invert(
    records: Records,
    bank: SourceResponses,
    *,
    model: Checkpoint | None = None,
    method: str | None = None,
    window_min: float | None = None,
    start_min: float = 0.0,
    gauges: Iterable[str] | None = None,
    noise_sd_m: float = 0.005,
    slip_sd_m: float = 5.0,
) -> SlipEstimate:
    """Find the slip that made records.

    Parameters
    ----------
    records : Records
        Of one event or several.
    bank : GreensBank or ScenarioSet
        Responses of unit sources; it must have those that a model finds slip on.
    model : Checkpoint, optional
        A trained network; then ``window_min``, if given, must be its own.
    method : {"nnls", "tikhonov"}, optional
        Without a model; non-negative least squares, plain or damped.
    window_min, start_min : float, optional
        Minutes after the origin; a method needs ``window_min``.
    gauges : iterable of str, optional
        For a method; by default all gauges of the records.
    noise_sd_m, slip_sd_m : float, optional
        For the damping of ``"tikhonov"``: standard deviations of a sample (model errors included) and of slip, m.

    Returns
    -------
    estimate : SlipEstimate

    Raises
    ------
    InputError
        If neither or both of model and method are given, a name is unknown or missing, or the window does not fit.
    """
    if (model is None) == (method is None):
        raise InputError(f"give either a model or a method ({', '.join(METHODS)})")
    if model is not None:
        from slipcast.inversion.network import invert_network

        for option, given in (("start_min", start_min != 0), ("gauges", gauges is not None)):
            if given:
                raise InputError(f"{option} is for a method; a model uses what it was trained for")
        if window_min is not None and window_min != model.window_min:
            raise InputError(f"window of {window_min:g} min is not the model's {model.window_min:g} min")
        in_order(model.sources, bank.sources, dim="source", where=f"in bank {bank.region.name}")
        return invert_network(records, model)
    if method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if window_min is None:
        raise InputError(f"method {method} needs a window, minutes after the origin")
    return invert_least_squares(
        records,
        bank,
        window_min=window_min,
        start_min=start_min,
        gauges=gauges,
        noise_sd_m=noise_sd_m,
        slip_sd_m=slip_sd_m if method == "tikhonov" else None,
    )
