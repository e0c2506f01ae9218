"""Inversion methods without a trained model, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from slipcast.errors import InputError
from slipcast.inversion.gaussian import GAUSSIAN_METHODS, GaussianPosterior
from slipcast.inversion.least_squares import DAMPINGS, NOISE_SD_M, Damping, LeastSquares
from slipcast.inversion.mixture import RuptureMixture

if TYPE_CHECKING:
    from slipcast.greens.responses import SourceResponses
    from slipcast.physics.ruptures import RuptureSettings
    from slipcast.scenarios.scenario_set import ScenarioSet

__all__ = ["DEFAULT_METHOD", "METHODS", "SLIP_SD_M", "method_named"]

METHODS = ("nnls", "tikhonov", *GAUSSIAN_METHODS, "mixture")
"""Names: non-negative least squares, plain or damped, those of :meth:`GaussianPosterior.from_bank`, and a mixture."""

DEFAULT_METHOD = "mixture"
"""The one for a real event where none is named: of all of them its intervals alone hold what buoys recorded."""

SLIP_SD_M = 5.0
"""Standard deviation of slip for the method ``"tikhonov"``, m, where none is given."""


def method_named(
    method: str,
    bank: SourceResponses,
    *,
    window_min: float,
    gauges: Sequence[str] | None = None,
    start_min: float = 0.0,
    noise_sd_m: float | None = None,
    slip_sd_m: float | Damping | None = None,
    scenarios: ScenarioSet | None = None,
    ruptures: RuptureSettings | None = None,
    joint_tide: bool | None = None,
    model_error: float = 0.0,
) -> LeastSquares | GaussianPosterior | RuptureMixture:
    """Make an inversion method from its name and options.

    Parameters
    ----------
    method : {"nnls", "tikhonov", "linear", "gaussian", "bayes", "mixture"}
        Non-negative least squares, plain or damped; the linear estimate of least mean squared error; the Gaussian
        posterior of slip on unit sources, as it is or cut at zero slip; the mixture of rupture families
        (:class:`~slipcast.inversion.mixture.RuptureMixture`). The last four give intervals.
    bank : GreensBank or ScenarioSet
        Responses of unit sources.
    window_min : float
        The (longest) window, minutes after the origin.
    gauges : sequence of str, optional
        By default those of the records that the bank has.
    start_min : float, optional
        For least squares: samples after it are used, minutes after the origin.
    noise_sd_m : float, optional
        Standard deviation of a sample, m, by default 0.005; counts for all but ``"nnls"``.
    slip_sd_m : float, "gcv" or "discrepancy", optional
        For ``"tikhonov"``: standard deviation of slip, m, by default 5, or the rule that chooses the damping.
    scenarios : ScenarioSet, optional
        For methods linear, gaussian and bayes: whose training part says what to expect; else ruptures are drawn.
    ruptures : RuptureSettings, optional
        For these: how ruptures are drawn.
    joint_tide, model_error : optional
        As :class:`~slipcast.inversion.least_squares.LeastSquares` takes them; the mixture learns the model's error.

    Returns
    -------
    inverter : LeastSquares, GaussianPosterior or RuptureMixture

    Raises
    ------
    InputError
        If the name is unknown, an option is for another method, or the method refuses an option.

    Examples
    --------
    >>> method_named("magic", None, window_min=45)
    Traceback (most recent call last):
    slipcast.errors.InputError: method must be one of nnls, tikhonov, linear, gaussian, bayes, mixture, got 'magic'
    """
    if method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if bank is None:
        raise InputError(f"method {method} needs a bank")
    if window_min is None:
        raise InputError(f"method {method} needs a window, minutes after the origin")
    noise_sd_m = NOISE_SD_M if noise_sd_m is None else noise_sd_m
    if method in (*GAUSSIAN_METHODS, "mixture"):
        if start_min != 0:
            raise InputError(f"start_min is for least squares; method {method} begins at the origin")
        if slip_sd_m is not None:
            raise InputError(f"slip_sd_m is for method tikhonov, no use for it with {method}")
    if method == "mixture":
        if scenarios is not None or ruptures is not None:
            raise InputError("method mixture has ruptures of its own, no use for scenarios or ruptures with it")
        if model_error:
            raise InputError("method mixture learns how wrong waves are from records, no use for model_error with it")
        names = () if gauges is None else tuple(gauges)
        return RuptureMixture(bank, window_min, gauges=names, noise_sd_m=noise_sd_m, joint_tide=joint_tide)  # type: ignore[arg-type]  # checked there
    if method in GAUSSIAN_METHODS:
        return GaussianPosterior.from_bank(
            bank,
            window_min,
            method=method,
            gauges=gauges,
            scenarios=scenarios,
            ruptures=ruptures,
            noise_sd_m=noise_sd_m,
            joint_tide=joint_tide,
            model_error=model_error,
        )
    if scenarios is not None or ruptures is not None:
        raise InputError(
            f"scenarios and ruptures are for {', '.join(GAUSSIAN_METHODS)}; method {method} learns from none"
        )
    if method == "nnls" and slip_sd_m is not None:
        raise InputError("slip_sd_m is for method tikhonov, no use for it with nnls")
    if method == "tikhonov" and slip_sd_m is None:
        slip_sd_m = SLIP_SD_M
    by_rule = isinstance(slip_sd_m, str)
    if by_rule and slip_sd_m not in DAMPINGS:
        raise InputError(f"slip_sd_m must be metres or one of {', '.join(DAMPINGS)}, got {slip_sd_m!r}")
    return LeastSquares(
        bank,
        window_min,
        gauges=() if gauges is None else tuple(gauges),
        start_min=start_min,
        damping=slip_sd_m if by_rule else None,  # type: ignore[arg-type]
        slip_sd_m=None if by_rule else slip_sd_m,  # type: ignore[arg-type]
        noise_sd_m=noise_sd_m,
        joint_tide=joint_tide,
        model_error=model_error,
    )
