"""What the sampler is meant to reach, and what it reaches, by the numbers of the tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["aims"]

_SHARE_OF_NETWORK, _SHARE_OF_LINEAR = 0.22, 0.35
_SOON_MIN = 20.0
_EXPLAINED, _TOP_DECILE = 0.97, 0.05
_COVERED = (0.88, 0.92)
_LEAST_MAGNITUDE = 7.8
_LATENCY_MS = 20.0

Aim = dict[str, Any]


def aims(results: Mapping[str, Any]) -> list[Aim]:
    """Compare the results of a benchmark with what they are meant to be.

    Parameters
    ----------
    results : mapping
        As :func:`benchmarks.accuracy.run_accuracy` puts them together.

    Returns
    -------
    aims : list of dict
        ``aim``, ``wanted`` and ``found`` in words, ``met`` true or false.
    """
    draws, gauges = results["latency"]["n_draws"], results["latency"]["gauges"]
    return [
        *_errors(results),
        *_waves(results),
        *_coverages(results),
        _scores_of_draws(results),
        *_elsewhere(results),
        _noise_alone(results),
        _aim(
            f"one record to {draws} draws of slip and, at {gauges} gauges, intervals of maximum amplitude, on one core",
            f"under {_LATENCY_MS:g} ms",
            f"{results['latency']['forecast_ms']:g} ms",
            results["latency"]["forecast_ms"] < _LATENCY_MS,
        ),
    ]


def _aim(aim: str, wanted: str, found: str, met: bool) -> Aim:
    """Put an aim together."""
    return {"aim": aim, "wanted": wanted, "found": found, "met": bool(met)}


def _table(results: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the window of the table and the scores of all methods there."""
    window = f"{results['about']['config']['table_window_min']:g}"
    return window, results["windows"][window]


def _errors(results: Mapping[str, Any]) -> Iterator[Aim]:
    """Compare errors of weights with those of others."""
    window, methods = _table(results)
    for name, most in (("network", _SHARE_OF_NETWORK), ("linear", _SHARE_OF_LINEAR)):
        share = results["ratios"].get(f"weight_mse_m2_of_{name}")
        if share is not None:
            aim = f"weight MSE at {window} min as a share of that of the {results['about']['labels'][name]}"
            yield _aim(aim, f"at most {most:g}", _words(share), share["value"] <= most)
    if "network" in methods:
        yield _sooner(results, window, methods["network"]["weight_mse_m2"]["value"])


def _sooner(results: Mapping[str, Any], window: str, error_m2: float) -> Aim:
    """Find the shortest window with the error that the seed's network has at the table's."""
    reached = [
        float(minutes)
        for minutes, methods in results["windows"].items()
        if methods["sampler"]["weight_mse_m2"]["value"] <= error_m2
    ]
    found = f"{min(reached):g} min" if reached else "at no window"
    return _aim(
        f"the seed's weight MSE at {window} min is reached",
        f"with at most {_SOON_MIN:g} min",
        found,
        bool(reached) and min(reached) <= _SOON_MIN,
    )


def _waves(results: Mapping[str, Any]) -> Iterator[Aim]:
    """Look at the maxima at the forecast points."""
    window, methods = _table(results)
    explained = methods["sampler"]["max_amplitude_explained_variance"]
    aim = f"explained variance of maximum amplitude at {window} min, mean of the points"
    yield _aim(aim, f"at least {_EXPLAINED:g}", _words(explained), (explained["value"] or 0) >= _EXPLAINED)
    bias = methods["sampler"]["max_amplitude_top_decile_bias"]
    yield _aim(
        f"bias of the highest tenth of maxima at {window} min, mean of the points",
        f"within {_TOP_DECILE:.0%}",
        _words(bias),
        bias["value"] is not None and abs(bias["value"]) <= _TOP_DECILE,
    )


def _coverages(results: Mapping[str, Any]) -> Iterator[Aim]:
    """Look at the 90 % intervals at every window, with all DARTs and with each one missing."""
    low, high = _COVERED
    for what, name in (("slip", "slip_coverage_90"), ("maximum amplitude", "max_amplitude_coverage_90")):
        for who, tables in (
            ("every window", [results["windows"]]),
            ("every window with any one DART missing", list(results["without"].values())),
        ):
            found = [methods["sampler"][name]["value"] for table in tables for methods in table.values()]
            if found:
                yield _aim(
                    f"90 % intervals of {what} hold the truth, {who}",
                    f"{low:.0%} to {high:.0%}",
                    f"{min(found):.1%} to {max(found):.1%}",
                    low <= min(found) and max(found) <= high,
                )


def _scores_of_draws(results: Mapping[str, Any]) -> Aim:
    """Compare the CRPS with that of the Gaussian posterior."""
    shares = [
        methods["sampler"][name]["value"] / methods["gaussian"][name]["value"]
        for methods in results["windows"].values()
        for name in ("slip_crps_m", "max_amplitude_crps_m")
    ]
    return _aim(
        "CRPS of slip and of maximum amplitude as a share of that of the Gaussian posterior, every window",
        "below 1",
        f"{min(shares):.2f} to {max(shares):.2f}",
        max(shares) < 1,
    )


def _elsewhere(results: Mapping[str, Any]) -> Iterator[Aim]:
    """Compare how much worse sampler and linear estimator get off the training ground, and how much less sure."""
    sets = results["elsewhere"].values()
    for what, mse, width in (
        ("slip", "weight_mse_m2_ratio", "slip_width_90_m_ratio"),
        ("maximum amplitude", "max_amplitude_mse_m2_ratio", "max_amplitude_width_90_m_ratio"),
    ):
        worse, narrow = [], []
        for found in sets:
            own, linear = (found["methods"][name][mse]["value"] for name in ("sampler", "linear"))
            if own > linear:
                worse.append(f"{found['label']} ({own:.2f} against {linear:.2f})")
            if (wider := found["methods"]["sampler"][width]["value"]) <= 1:
                narrow.append(f"{found['label']} ({wider:.2f})")
        for aim, exceptions in (
            (f"MSE of {what} off the training ground grows by no greater factor than the linear estimator's", worse),
            (f"90 % intervals of {what} widen off the training ground", narrow),
        ):
            found = f"on all but {', '.join(exceptions)}" if exceptions else "on all"
            yield _aim(aim, f"on all {len(sets)} sets", found, not exceptions)


def _noise_alone(results: Mapping[str, Any]) -> Aim:
    """Look at what noise alone is taken for."""
    largest = [found["0.95"]["largest"] for found in results["noise_alone"]["windows"].values()]
    known = [value for value in largest if value is not None]
    return _aim(
        "noise alone is no earthquake: the 95 % quantile of Mw, the largest of all records and windows",
        f"below {_LEAST_MAGNITUDE:g}",
        f"{max(known):.2f}" if known else "no slip",
        not known or max(known) < _LEAST_MAGNITUDE,
    )


def _words(score: Mapping[str, Any]) -> str:
    """Word a score with its interval."""
    if score["value"] is None or score["interval"] is None:
        return "not defined"
    return f"{score['value']:.3g} ({score['interval'][0]:.3g} to {score['interval'][1]:.3g})"
