"""Scores of methods with bootstrap intervals over scenarios."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from slipcast.inversion import magnitude_of_slip

__all__ = ["Scores", "ratio", "resample_counts", "scores_of", "stated"]

Scores = Mapping[str, np.ndarray]
"""By name an array: the score over all scenarios, then that over every resample."""

_SHARES = {"50": (0.25, 0.75), "90": (0.05, 0.95)}


def resample_counts(n_scenarios: int, resamples: int, seed: int) -> np.ndarray:
    """Draw the counts of each scenario in each bootstrap resample.

    Parameters
    ----------
    n_scenarios, resamples, seed : int
        The same numbers, the same draws, so that scores over the same scenarios can be compared resample by resample.

    Returns
    -------
    counts : array, shape (resamples + 1, n_scenarios)
        The first row is ones: the scenarios as they are.

    Examples
    --------
    >>> resample_counts(5, 2, seed=1).sum(axis=1).tolist()
    [5.0, 5.0, 5.0]
    """
    drawn = np.random.default_rng(seed).multinomial(n_scenarios, np.full(n_scenarios, 1 / n_scenarios), resamples)
    return np.concatenate([np.ones((1, n_scenarios)), drawn])


def scores_of(scored: xr.Dataset, truth: xr.Dataset, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Compute all scores of a method.

    Parameters
    ----------
    scored, truth : xarray.Dataset
        As :func:`~slipcast.evaluation.scoring.score_method` and :class:`~slipcast.evaluation.scoring.Truth` give
        them, for the same scenarios.
    counts : array, shape (resamples + 1, n_scenarios)
        From :func:`resample_counts`.

    Returns
    -------
    scores : dict of str to array, shape (resamples + 1,)
        NaN where a score is undefined; those of intervals are there only if the method has any.
    """
    points = truth["gauge"].to_numpy()[truth["gauge_kind"].to_numpy() == "forecast"]
    true, found = (data[name].to_numpy().astype(float) for data, name in ((truth, "weights_true"), (scored, "weights")))
    scores = _slip_scores(true, found, truth, counts)
    scores["dart_fit_median"] = _median(scored["dart_fit"].to_numpy(), counts)
    true_at, found_at = truth.sel(gauge=points), scored.sel(gauge=points)
    scores |= _wave_scores(true_at, found_at, counts)
    if "weights_pit" in scored and bool(np.isfinite(scored["weights_pit"]).all()):
        for what, variable, true_part, part in (
            ("slip", "weights", truth, scored),
            ("max_amplitude", "max_amplitude", true_at, found_at),
        ):
            scores |= {f"{what}_{name}": score for name, score in _spread(variable, true_part, part, counts).items()}
    return scores


def _slip_scores(true: np.ndarray, found: np.ndarray, truth: xr.Dataset, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Compute what concerns slip itself."""
    biases = _mean(found - true, counts)
    worst = int(np.argmax(np.abs(biases[0])))
    sources = [str(name) for name in truth["source"].to_numpy()]
    late = magnitude_of_slip(np.maximum(found, 0.0), sources) - truth["magnitude_true"].to_numpy()
    late = np.where(np.isfinite(late), late, np.nan)
    return {
        "weight_mse_m2": _mean(((found - true) ** 2).mean(axis=1), counts),
        "largest_source_bias_m": biases[:, worst],
        "magnitude_error": _mean(late, counts),
        "magnitude_error_absolute": _mean(np.abs(late), counts),
    }


def _wave_scores(truth: xr.Dataset, scored: xr.Dataset, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Compute what concerns waves at the forecast points, each the mean over them."""
    true, found = (
        data[name].to_numpy().astype(float) for data, name in ((truth, "max_amplitude_true"), (scored, "max_amplitude"))
    )
    error = found - true
    variance = _mean((true - true.mean(axis=0)) ** 2, counts) - _mean(true - true.mean(axis=0), counts) ** 2
    bias, square = _mean(error, counts), _mean(error**2, counts)
    late = np.abs(scored["arrival"].to_numpy() - truth["arrival_true"].to_numpy())
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "max_amplitude_explained_variance": (1 - (square - bias**2) / variance).mean(axis=1),
            "max_amplitude_r2": (1 - square / variance).mean(axis=1),
            "max_amplitude_bias_m": bias.mean(axis=1),
            "max_amplitude_top_decile_bias": _top_decile_bias(true, found, counts).mean(axis=1),
            "max_amplitude_mse_m2": square.mean(axis=1),
            "arrival_error_s": _mean(late, counts).mean(axis=1),
        }


def _spread(variable: str, truth: xr.Dataset, scored: xr.Dataset, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Compute how well a method knows how uncertain it is, of slip or of maxima."""
    true = truth[f"{variable}_true"].to_numpy().astype(np.float32)
    pit = scored[f"{variable}_pit"].to_numpy()
    scores = {"crps_m": _mean(scored[f"{variable}_crps"].to_numpy().mean(axis=1), counts)}
    for share, probabilities in _SHARES.items():
        low, high = (scored[f"{variable}_quantile"].sel(quantile=p).to_numpy() for p in probabilities)
        scores[f"closed_coverage_{share}"] = _mean(((low <= true) & (true <= high)).mean(axis=1), counts)
        scores[f"coverage_{share}"] = _mean((np.abs(pit - 0.5) <= int(share) / 200).mean(axis=1), counts)
        scores[f"width_{share}_m"] = _mean((high - low).mean(axis=1), counts)
    return scores


def _mean(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the mean over scenarios of each resample, NaN left out: (n,) or (n, k) to (r,) or (r, k)."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (counts @ np.where(known, values, 0.0)) / (counts @ known.astype(float))


def _median(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the lower median over scenarios of each resample."""
    order = np.argsort(values)
    reached = np.cumsum(counts[:, order], axis=1) >= counts.shape[1] / 2
    return values[order][np.argmax(reached, axis=1)].astype(float)


def _top_decile_bias(true: np.ndarray, found: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the relative bias of the cases in the top tenth of each resample, shape (r, k)."""
    top = max(1, round(0.1 * len(true)))
    biases = np.empty((len(counts), true.shape[1]))
    for column in range(true.shape[1]):
        order = np.argsort(-true[:, column])
        order = order[: 3 * top]  # the top tenth of a resample lies within
        within = np.minimum(np.cumsum(counts[:, order], axis=1), top)
        weights = np.diff(within, axis=1, prepend=0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            biases[:, column] = (weights @ found[order, column]) / (weights @ true[order, column]) - 1
    return biases


def ratio(score: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Divide a score by another, resample by resample; NaN or infinite where the other is zero."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return score / other


def stated(score: np.ndarray) -> dict[str, float | list[float | None] | None]:
    """Return a score as plain numbers, with the interval of 90 % of its resamples; None where undefined.

    Examples
    --------
    >>> stated(np.array([1.0, 0.9, 1.1]))
    {'value': 1.0, 'interval': [0.91, 1.09]}
    """
    if not np.isfinite(score).all():
        return {"value": _plain(score[0]), "interval": None}
    return {"value": _plain(score[0]), "interval": [_plain(end) for end in np.quantile(score[1:], (0.05, 0.95))]}


def _plain(value) -> float | None:
    """Round to five digits; None where it is not finite."""
    return float(f"{float(value):.5g}") if np.isfinite(value) else None
