"""Inversion: records of sea level turned into slip on unit sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from slipcast.errors import InputError
from slipcast.greens.bank import GreensBank
from slipcast.greens.responses import SourceResponses
from slipcast.inversion.candidates import candidate_sources
from slipcast.inversion.estimate import QUANTILES, SlipEstimate, centroid_latitude, magnitude_of_slip
from slipcast.inversion.gaussian import GaussianPosterior
from slipcast.inversion.inverter import Inverter, SamplingInverter, WaveInverter, invert_records
from slipcast.inversion.least_squares import invert_least_squares
from slipcast.inversion.moments import JointMoments
from slipcast.inversion.nonnegative import Damping, LeastSquares
from slipcast.inversion.timing import Timing, fit_timing
from slipcast.io.labels import positions_of
from slipcast.physics.ruptures import RuptureSettings
from slipcast.records import Records
from slipcast.records.correlated_noise import CorrelatedNoise
from slipcast.scenarios.scenario_set import ScenarioSet

if TYPE_CHECKING:
    from slipcast.learning.checkpoint import Checkpoint
    from slipcast.learning.posterior.posterior import NeuralPosterior

__all__ = [
    "METHODS",
    "QUANTILES",
    "GaussianPosterior",
    "Inverter",
    "JointMoments",
    "LeastSquares",
    "SamplingInverter",
    "SlipEstimate",
    "Timing",
    "WaveInverter",
    "candidate_sources",
    "centroid_latitude",
    "fit_timing",
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
    model: Checkpoint | NeuralPosterior | None = None,
    method: str | None = None,
    window_min: float | Mapping[str, float] | None = None,
    start_min: float = 0.0,
    gauges: Iterable[str] | None = None,
    noise_sd_m: float | None = None,
    slip_sd_m: float | Damping | None = None,
    scenarios: ScenarioSet | None = None,
    ruptures: RuptureSettings | None = None,
    joint_tide: bool = False,
    model_error: float = 0.0,
) -> SlipEstimate:
    """Find the slip that made records.

    Parameters
    ----------
    records : Records
        Of one event or several.
    bank : GreensBank or ScenarioSet
        Responses of unit sources; a method needs them. Given with a model, it must have the sources of that.
    model : Checkpoint or NeuralPosterior, optional
        A trained network; then ``window_min``, if given, must be its own, or for a sampler within what it knows.
    method : {"nnls", "tikhonov", "linear", "gaussian", "bayes"}, optional
        Without a model: non-negative least squares, plain or damped; the linear estimate of least mean squared error;
        the Gaussian posterior of slip on unit sources, as it is or cut at zero slip. The last three say how uncertain
        they are.
    window_min : float or mapping of gauge to float, optional
        Minutes after the origin, for all gauges or, where named, each; a method needs it.
    start_min : float, optional
        Minutes after the origin; for least squares.
    gauges : iterable of str, optional
        For a method; by default all gauges of the records.
    noise_sd_m : float, optional
        For a method: standard deviation of a sample, m (model errors included for ``"tikhonov"``), by default 0.005;
        counts for all but ``"nnls"``.
    slip_sd_m : float, "gcv" or "discrepancy", optional
        For ``"tikhonov"``: standard deviation of slip, m, by default 5, or the rule that chooses the damping.
    scenarios : ScenarioSet, optional
        For the last three: whose training part says what to expect. By default a thousand ruptures are drawn, for
        which ``bank`` must be a :class:`~slipcast.greens.bank.GreensBank`.
    ruptures : RuptureSettings, optional
        How these are drawn.
    joint_tide : bool, optional
        For a method: fit what is not known of the tide, as :func:`~slipcast.records.read_records` left it, jointly with
        the slip.
    model_error : float, optional
        For a method: what the bank gets wrong of a real wave, as a share of the largest level in each record; 0 for
        records that it made. Correlated over ten minutes (:class:`~slipcast.records.correlated_noise.CorrelatedNoise`).

    Returns
    -------
    estimate : SlipEstimate
        Attribute ``tide``: ``"joint"``, else how the records say that it was taken out.

    Raises
    ------
    InputError
        If neither or both of model and method are given, a name is unknown or missing, or the window does not fit.
    """
    if (model is None) == (method is None):
        raise InputError(f"give either a model or a method ({', '.join(METHODS)})")
    if isinstance(window_min, Mapping):
        if not window_min:
            raise InputError("window_min must name at least one gauge, got none")
        records = records.windowed({name: (-np.inf, end) for name, end in window_min.items()})
        window_min = max(window_min.values())
    if model is not None:
        from slipcast.learning.inverters import invert_network, invert_posterior
        from slipcast.learning.posterior.posterior import NeuralPosterior

        for option, given in (
            ("start_min", start_min != 0),
            ("gauges", gauges is not None),
            ("noise_sd_m", noise_sd_m is not None),
            ("slip_sd_m", slip_sd_m is not None),
            ("scenarios", scenarios is not None),
            ("ruptures", ruptures is not None),
            ("joint_tide", joint_tide),
            ("model_error", model_error != 0),
        ):
            if given:
                raise InputError(f"{option} is for a method; a model uses what it was trained for")
        if bank is not None:
            positions_of(model.sources, bank.sources, dim="source", where=f"in bank {bank.region.name}")
        if isinstance(model, NeuralPosterior):
            return _said_of_tide(invert_posterior(records, model, window_min=window_min), records)
        if window_min is not None and window_min != model.window_min:
            raise InputError(f"window of {window_min:g} min is not the model's {model.window_min:g} min")
        return _said_of_tide(invert_network(records, model), records)
    if method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if bank is None:
        raise InputError(f"method {method} needs a bank")
    if ruptures is not None and (scenarios is not None or method not in _FROM_MOMENTS):
        raise InputError(f"ruptures are drawn for {', '.join(_FROM_MOMENTS)}, without scenarios; no use for them here")
    noise_sd_m = _NOISE_SD_M if noise_sd_m is None else noise_sd_m
    slip_sd_m = _SLIP_SD_M if slip_sd_m is None else slip_sd_m
    if window_min is None:
        raise InputError(f"method {method} needs a window, minutes after the origin")
    names = records.gauges if gauges is None else list(gauges)
    correlated = None
    if joint_tide or model_error:
        times_s = bank.source_response(names, window_min=window_min)["time"].to_numpy()
        times_s = times_s[times_s > 60 * start_min]
        correlated = _correlated(records, names, times_s, joint_tide=joint_tide, model_error=model_error)
    if method in _FROM_MOMENTS:
        if start_min != 0:
            raise InputError(f"start_min is for least squares; method {method} begins at the origin")
        moments = _moments(bank, method, names, window_min, scenarios, ruptures)
        posterior = GaussianPosterior(
            moments, noise_sd_m=noise_sd_m, nonnegative=method == "bayes", method=method, correlated=correlated
        )
        found = invert_records(posterior, records, region=bank.region.name, bank=bank.id, n_samples=_N_SAMPLES)
    else:
        found = invert_least_squares(
            records,
            bank,
            window_min=window_min,
            start_min=start_min,
            gauges=names,
            noise_sd_m=noise_sd_m,
            slip_sd_m=slip_sd_m if method == "tikhonov" else None,
            correlated=correlated,
        )
    return _said_of_tide(found, records, joint=joint_tide)


def _correlated(
    records: Records, gauges: list[str], times_s: np.ndarray, *, joint_tide: bool, model_error: float
) -> CorrelatedNoise | None:
    """Return the noise of records that is not white."""
    tide = records.tide_columns(times_s, gauges) if joint_tide else None
    if not model_error:
        return tide
    of_model = CorrelatedNoise.of_model(records.one_event().resample(times_s, gauges), model_error)
    return of_model if tide is None else tide + of_model


def _said_of_tide(estimate: SlipEstimate, records: Records, *, joint: bool = False) -> SlipEstimate:
    """Say in an estimate what became of the tide."""
    tide = "joint" if joint else str(records.dataset.attrs.get("tide_method", ""))
    return SlipEstimate(estimate.dataset.assign_attrs(tide=tide))


def _moments(
    bank: SourceResponses,
    method: str,
    gauges: list[str],
    window_min: float,
    scenarios: ScenarioSet | None,
    ruptures: RuptureSettings | None,
) -> JointMoments:
    """Find what ruptures of a set, or drawn for it, say beforehand."""
    if scenarios is not None:
        moments = JointMoments.from_scenarios(scenarios, gauges, window_min)
    elif isinstance(bank, GreensBank):
        moments = JointMoments.from_bank(bank, gauges, window_min, settings=ruptures)
    else:
        raise InputError(f"method {method} needs scenarios, or a bank to draw ruptures from")
    if method == "linear":
        return moments
    return moments.through(bank.source_response(gauges, sources=moments.sources, window_min=window_min))
