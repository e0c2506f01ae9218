"""Slip by non-negative least squares, plain or damped: the classical way (Percival et al. 2011)."""

from __future__ import annotations

from collections.abc import Iterable

from slipcast.errors import InputError
from slipcast.greens.responses import SourceResponses
from slipcast.inversion.estimate import SlipEstimate
from slipcast.inversion.inverter import invert_records
from slipcast.inversion.nonnegative import Damping, LeastSquares
from slipcast.records import Records
from slipcast.records.correlated_noise import CorrelatedNoise

__all__ = ["invert_least_squares"]


def invert_least_squares(
    records: Records,
    bank: SourceResponses,
    *,
    window_min: float,
    start_min: float = 0.0,
    gauges: Iterable[str] | None = None,
    sources: Iterable[str] | None = None,
    noise_sd_m: float = 0.005,
    slip_sd_m: float | Damping | None = None,
    correlated: CorrelatedNoise | None = None,
) -> SlipEstimate:
    """Invert records by non-negative least squares.

    Parameters
    ----------
    records : Records
        Of one event or several.
    bank : GreensBank or ScenarioSet
        Responses of unit sources.
    window_min, start_min : float
        Samples after ``start_min`` and up to ``window_min`` are used, minutes after the origin.
    gauges : iterable of str, optional
        By default all the gauges of the records, which the bank must have.
    sources : iterable of str, optional
        By default all of the bank.
    noise_sd_m, slip_sd_m, correlated : optional
        As in :class:`slipcast.inversion.nonnegative.LeastSquares`; with ``slip_sd_m`` the solution is damped.

    Returns
    -------
    estimate : SlipEstimate
        Method ``"nnls"`` or ``"tikhonov"``.

    Raises
    ------
    InputError
        If a name is unknown, the window is longer than the bank, or a gauge has no sample in it.
    """
    names = records.gauges if gauges is None else list(gauges)
    if not 0 <= start_min < window_min:
        raise InputError(f"start_min must be in [0, {window_min:g}) min, got {start_min:g}")
    response = bank.source_response(names, sources=sources, window_min=window_min)
    response = response.isel(time=response["time"].to_numpy() > 60 * start_min)
    solver = LeastSquares(response, noise_sd_m=noise_sd_m, slip_sd_m=slip_sd_m, correlated=correlated)
    return invert_records(solver, records, region=bank.region.name, bank=bank.id, start_min=start_min)
