"""Inversion: records of sea level turned into slip on unit sources."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from slipcast.errors import InputError
from slipcast.greens import GreensBank, SourceResponses
from slipcast.inversion.estimate import QUANTILES, SlipEstimate, centroid_latitude, magnitude_of_slip
from slipcast.inversion.gaussian import GaussianPosterior
from slipcast.inversion.inverter import Inverter, SamplingInverter, WaveInverter, invert_records
from slipcast.inversion.least_squares import invert_least_squares
from slipcast.inversion.moments import JointMoments
from slipcast.labels import in_order
from slipcast.nonnegative import Damping, LeastSquares
from slipcast.records import Records
from slipcast.scenarios import ScenarioSet

if TYPE_CHECKING:
    from slipcast.learning.checkpoint import Checkpoint
    from slipcast.learning.slip_sampler import SlipSampler

__all__ = [
    "METHODS",
    "QUANTILES",
    "GaussianPosterior",
    "Inverter",
    "JointMoments",
    "LeastSquares",
    "SamplingInverter",
    "SlipEstimate",
    "WaveInverter",
    "centroid_latitude",
    "invert",
    "invert_least_squares",
    "invert_records",
    "magnitude_of_slip",
]

METHODS = ("nnls", "tikhonov", "linear", "gaussian", "bayes")
"""Methods that need no network."""

_FROM_MOMENTS = ("linear", "gaussian", "bayes")
_N_SAMPLES = 200
_NOISE_SD_M, _SLIP_SD_M = 0.005, 5.0


def invert(
    records: Records,
    bank: SourceResponses | None = None,
    *,
    model: Checkpoint | SlipSampler | None = None,
    method: str | None = None,
    window_min: float | None = None,
    start_min: float = 0.0,
    gauges: Iterable[str] | None = None,
    noise_sd_m: float | None = None,
    slip_sd_m: float | Damping | None = None,
    scenarios: ScenarioSet | None = None,
) -> SlipEstimate:
    """Find the slip that made records.

    Parameters
    ----------
    records : Records
        Of one event or several.
    bank : GreensBank or ScenarioSet
        Responses of unit sources; a method needs them. Given with a model, it must have the sources of that.
    model : Checkpoint or SlipSampler, optional
        A trained network; then ``window_min``, if given, must be its own, or for a sampler within what it knows.
    method : {"nnls", "tikhonov", "linear", "gaussian", "bayes"}, optional
        Without a model: non-negative least squares, plain or damped; the linear estimate of least mean squared error;
        the Gaussian posterior of slip on unit sources, as it is or cut at zero slip. The last three say how uncertain
        they are.
    window_min, start_min : float, optional
        Minutes after the origin; a method needs ``window_min``. ``start_min`` is for least squares.
    gauges : iterable of str, optional
        For a method; by default all gauges of the records.
    noise_sd_m : float, optional
        For a method: standard deviation of a sample, m (model errors included for ``"tikhonov"``), by default 0.005;
        counts for all but ``"nnls"``.
    slip_sd_m : float, "gcv" or "discrepancy", optional
        For ``"tikhonov"``: standard deviation of slip, m, by default 5, or the rule that chooses the damping.
    scenarios : ScenarioSet, optional
        For the last three: whose training part says what to expect. By default a thousand ruptures are drawn, for
        which ``bank`` must be a :class:`~slipcast.greens.GreensBank`.

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
        from slipcast.inversion.network import invert_network, invert_sampler
        from slipcast.learning.slip_sampler import SlipSampler

        for option, given in (
            ("start_min", start_min != 0),
            ("gauges", gauges is not None),
            ("noise_sd_m", noise_sd_m is not None),
            ("slip_sd_m", slip_sd_m is not None),
            ("scenarios", scenarios is not None),
        ):
            if given:
                raise InputError(f"{option} is for a method; a model uses what it was trained for")
        if bank is not None:
            in_order(model.sources, bank.sources, dim="source", where=f"in bank {bank.region.name}")
        if isinstance(model, SlipSampler):
            return invert_sampler(records, model, window_min=window_min)
        if window_min is not None and window_min != model.window_min:
            raise InputError(f"window of {window_min:g} min is not the model's {model.window_min:g} min")
        return invert_network(records, model)
    if method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if bank is None:
        raise InputError(f"method {method} needs a bank")
    noise_sd_m = _NOISE_SD_M if noise_sd_m is None else noise_sd_m
    slip_sd_m = _SLIP_SD_M if slip_sd_m is None else slip_sd_m
    if window_min is None:
        raise InputError(f"method {method} needs a window, minutes after the origin")
    if method in _FROM_MOMENTS:
        if start_min != 0:
            raise InputError(f"start_min is for least squares; method {method} begins at the origin")
        return _invert_gaussian(
            records, bank, method, scenarios, window_min=window_min, gauges=gauges, noise_sd_m=noise_sd_m
        )
    return invert_least_squares(
        records,
        bank,
        window_min=window_min,
        start_min=start_min,
        gauges=gauges,
        noise_sd_m=noise_sd_m,
        slip_sd_m=slip_sd_m if method == "tikhonov" else None,
    )


def _invert_gaussian(
    records: Records,
    bank: SourceResponses,
    method: str,
    scenarios: ScenarioSet | None,
    *,
    window_min: float,
    gauges: Iterable[str] | None,
    noise_sd_m: float,
) -> SlipEstimate:
    """Invert with what ruptures of a set, or drawn for it, say beforehand."""
    names = records.gauges if gauges is None else list(gauges)
    if scenarios is not None:
        moments = JointMoments.from_scenarios(scenarios, names, window_min)
    elif isinstance(bank, GreensBank):
        moments = JointMoments.from_bank(bank, names, window_min)
    else:
        raise InputError(f"method {method} needs scenarios, or a bank to draw ruptures from")
    if method != "linear":
        moments = moments.through(bank.source_response(names, sources=moments.sources, window_min=window_min))
    posterior = GaussianPosterior(moments, noise_sd_m=noise_sd_m, nonnegative=method == "bayes", method=method)
    return invert_records(posterior, records, region=bank.region.name, bank=bank.id, n_samples=_N_SAMPLES)
