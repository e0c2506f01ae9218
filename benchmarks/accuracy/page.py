"""Page of the benchmark of accuracy: tables in Markdown, and figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import figures
from benchmarks.accuracy.tables import BY_MAGNITUDE, WITHOUT
from benchmarks.markdown import digits, made_by_words, table
from slipcast import plots
from slipcast.io.atomic import write_text

__all__ = ["accuracy_page", "over_sets", "write_accuracy"]

_COMMAND = "`python -m benchmarks.accuracy --bank bank.nc --model MODEL --out OUT`"

_SCORES = (
    ("weight_mse_m2", "Slip MSE (m²)"),
    ("largest_source_bias_m", "Bias of the unit source where it is largest (m)"),
    ("magnitude_error_absolute", "Mean absolute error of Mw"),
    ("magnitude_error", "Mean error of Mw"),
    ("max_amplitude_explained_variance", "Explained variance of maximum amplitude, mean of the forecast points"),
    ("max_amplitude_r2", "R² of maximum amplitude, mean of the forecast points"),
    ("max_amplitude_bias_m", "Bias of maximum amplitude, mean of the forecast points (m)"),
    ("max_amplitude_top_decile_bias", "Bias of the highest tenth of maxima, mean of the forecast points"),
    ("arrival_error_s", "Mean absolute error of arrival at the forecast points (s)"),
    ("dart_fit_median", "Fit at the DARTs over {longest:g} min, median"),
    ("slip_coverage_90", "90 % intervals of slip hold the truth (randomised)"),
    ("slip_coverage_50", "50 % intervals of slip hold the truth (randomised)"),
    ("slip_closed_coverage_90", "90 % intervals of slip hold the truth (ends included)"),
    ("max_amplitude_coverage_90", "90 % intervals of maximum amplitude hold the truth (randomised)"),
    ("max_amplitude_coverage_50", "50 % intervals of maximum amplitude hold the truth (randomised)"),
    ("max_amplitude_closed_coverage_90", "90 % intervals of maximum amplitude hold the truth (ends included)"),
    ("slip_crps_m", "CRPS of slip (m)"),
    ("max_amplitude_crps_m", "CRPS of maximum amplitude (m)"),
    ("slip_width_90_m", "Mean width of the 90 % interval of slip (m)"),
    ("max_amplitude_width_90_m", "Mean width of the 90 % interval of maximum amplitude (m)"),
)
_HEADLINE = (
    ("weight_mse_m2", "Slip MSE (m²)"),
    ("weight_mse_m2_of_linear", "Slip MSE, share of the {linear}'s"),
    ("weight_mse_m2_of_network", "Slip MSE, share of {network}'s"),
    ("magnitude_error_absolute", "Mean absolute error of Mw"),
    ("max_amplitude_explained_variance", "Explained variance of maximum amplitude, mean of the forecast points"),
    ("max_amplitude_top_decile_bias", "Bias of the highest tenth of maxima, mean of the forecast points"),
    ("slip_coverage_90", "90 % intervals of slip hold the truth (randomised)"),
    ("max_amplitude_coverage_90", "90 % intervals of maximum amplitude hold the truth (randomised)"),
    ("slip_crps_m", "CRPS of slip (m)"),
    ("max_amplitude_crps_m", "CRPS of maximum amplitude (m)"),
)
_SHIFTED = (
    ("weight_mse_m2", "Slip MSE (m²)"),
    ("weight_mse_m2_ratio", "Slip MSE, ratio to that on the main set"),
    ("max_amplitude_mse_m2", "MSE of maximum amplitude (m²)"),
    ("max_amplitude_mse_m2_ratio", "MSE of maximum amplitude, ratio to that on the main set"),
    ("slip_coverage_90", "90 % intervals of slip hold the truth"),
    ("slip_coverage_50", "50 % intervals of slip hold the truth"),
    ("max_amplitude_coverage_90", "90 % intervals of maximum amplitude hold the truth"),
    ("max_amplitude_coverage_50", "50 % intervals of maximum amplitude hold the truth"),
    ("slip_width_90_m_ratio", "Width of the 90 % interval of slip, ratio to that on the main set"),
    (
        "max_amplitude_width_90_m_ratio",
        "Width of the 90 % interval of maximum amplitude, ratio to that on the main set",
    ),
)


def write_accuracy(folder: Path, results: Mapping[str, Any], headline: Mapping[str, Any]) -> None:
    """Write ``accuracy.md`` and ``figures/*.png`` into a folder.

    Parameters
    ----------
    folder : Path
        Made if need be.
    results, headline : mapping
        ``accuracy.json`` and ``headline.json`` of :func:`benchmarks.accuracy.run_accuracy`.
    """
    drawn: dict[str, Callable[[], Any]] = {
        "error_by_window": lambda: _draw_errors(results),
        "reliability": lambda: _draw_reliability(results),
        "forecast": lambda: _draw_forecast(results["forecast"]),
    }
    for name, draw in drawn.items():
        plots.save_figure(draw(), folder / "figures" / f"{name}.png")
    write_text(folder / "accuracy.md", accuracy_page(results, headline))


def accuracy_page(results: Mapping[str, Any], headline: Mapping[str, Any]) -> str:
    """Render the page of the benchmark.

    Parameters
    ----------
    results, headline : mapping
        ``accuracy.json`` and ``headline.json`` of :func:`benchmarks.accuracy.run_accuracy`.

    Returns
    -------
    page : str
        Markdown.
    """
    return "\n\n".join(_page(results, headline)) + "\n"


def _page(results: Mapping[str, Any], headline: Mapping[str, Any]) -> Iterator[str]:
    """Give the blocks of the page."""
    yield "# Accuracy"
    yield _what_was_run(headline)
    yield from _headline(headline)
    yield "## One test set"
    yield _main_set(results, same=results["made_by"]["code"] == headline["made_by"]["code"])
    yield "![Error against window](figures/error_by_window.png)"
    yield "![Reliability](figures/reliability.png)"
    yield "![A forecast with its prediction intervals](figures/forecast.png)"
    yield _forecast_words(results["forecast"])
    yield "## By window"
    longest = max(float(window) for window in results["windows"])
    for key, title in _SCORES:
        yield f"### {title.format(longest=longest)}"
        yield _by_window(results, results["windows"], key)
    for gauge, windows in results["without"].items():
        yield f"## Without DART {gauge}"
        for key in WITHOUT:
            yield f"### {dict(_SCORES)[key]}"
            yield _by_window(results, windows, key)
    yield f"## By magnitude, {results['about']['config']['table_window_min']:g} min"
    for key in BY_MAGNITUDE:
        yield f"### {dict(_SCORES)[key]}"
        yield _by_magnitude(results, key)
    yield from _shifted(results)
    yield from _neural_alone(results)


def _what_was_run(headline: Mapping[str, Any]) -> str:
    """Say what the numbers are of."""
    about, made_by = headline["about"], headline["made_by"]
    config, labels = about["config"], about["labels"]
    return (
        f"Written by {_COMMAND}; every number is in `headline.json` (the means) and `accuracy.json`.\n\n"
        f"Neural posterior `{made_by['model']}` (trained with bank `{about['model_bank']}`) and all other methods on "
        f"{config['test_sets']} independent test sets of {config['count']} scenarios of region {about['region']}, bank "
        f"`{made_by['bank']}`, with which none was trained; records of DARTs {', '.join(about['gauges'])} with white "
        f"noise of {1e3 * config['noise_sd_m']:g} mm{_drift_words(config)}. Probabilistic methods are scored by "
        f"{config['n_draws']} posterior samples. {labels['network']}, one for each window, is trained with "
        f"{config['train_count']} scenarios in {config['network_epochs']} epochs; the {labels['linear']} and the "
        f"{labels['gaussian']} are made from {config['linear_count']}."
    )


def _drift_words(config: Mapping[str, Any]) -> str:
    """Say how records drift, and that methods know it; nothing where they do not."""
    hours = [1, 2]
    drift = [
        np.hypot.reduce([1e3 * size * hour**power for power, size in enumerate(config.get("drift_m", ()), 1)])
        for hour in hours
    ]
    if not any(drift):
        return ""
    return (
        f" and a drift as of a predicted tide ({drift[0]:.1f} mm after an hour, {drift[1]:.1f} after two), which the "
        "linear methods know and the networks are trained with"
    )


def _headline(headline: Mapping[str, Any]) -> Iterator[str]:
    """Tabulate means over test sets."""
    about, windows = headline["about"], headline["windows"]
    config, labels = about["config"], about["labels"]
    yield f"## Means of {config['test_sets']} test sets"
    yield (
        f"Each cell is the mean over {config['test_sets']} sets of {config['count']} scenarios (seeds of their own) "
        f"and, in brackets, the least and the most of the sets. Made by {made_by_words(headline['made_by'])}."
    )
    for key, title in _HEADLINE:
        rows = [
            [label, *(over_sets(methods.get(name, {}).get(key)) for methods in windows.values())]
            for name, label in labels.items()
        ]
        yield f"### {title.format(**labels)}"
        yield table(["", *(f"{window} min" for window in windows)], [row for row in rows if any(row[1:])])


def over_sets(score: Mapping[str, Any] | None) -> str:
    """Word the mean of a score and its range over test sets; nothing where there is none."""
    if score is None or score["mean"] is None:
        return ""
    if score["sd"] is None:
        return digits(score["mean"])
    return f"{digits(score['mean'])} ({digits(min(score['sets']))} to {digits(max(score['sets']))})"


def _main_set(results: Mapping[str, Any], *, same: bool) -> str:
    """Say what the tables of the first set are of."""
    about = results["about"]
    config, labels = about["config"], about["labels"]
    first = f"the first of the above (seed {config['seed']})" if same else "by other code than the means above"
    without = about["counts"].get("without", config["count"])
    return (
        f"All that follows is of one test set, {first}: made by {made_by_words(results['made_by'])}. The "
        f"{labels['bayes']}, slow to draw from, is scored on its first {about['counts']['bayes']} scenarios, all "
        f"methods on the first {without} where a DART is missing. The variance of true slip on unit sources is "
        f"{results['slip_variance_m2']:.3g} m².\n\n"
        f"In brackets: 90 % intervals from {config['resamples']} bootstrap resamples of the scenarios; they do not "
        "hold what differs from one test set to another by its largest earthquakes. Coverage is randomised where a "
        "value, no slip, has a probability of its own: calibrated samples give the nominal share, while intervals that "
        "include their ends hold more."
    )


def _by_window(results: Mapping[str, Any], windows: Mapping[str, Any], key: str) -> str:
    """Tabulate a score: a row for each method that has it, a column for each window."""
    rows = []
    for name, label in results["about"]["labels"].items():
        cells = [_cell(methods.get(name, {}).get(key)) for methods in windows.values()]
        if any(cells):
            rows.append([label, *cells])
    return table(["", *(f"{window} min" for window in windows)], rows)


def _by_magnitude(results: Mapping[str, Any], key: str) -> str:
    """Tabulate a score: a row for each method, a column for each range of magnitude."""
    bins = results["by_magnitude"]
    counts = {name: max(found["count"] for found in methods.values()) for name, methods in bins.items()}
    rows = []
    for name, label in results["about"]["labels"].items():
        cells = [_cell(methods.get(name, {}).get(key)) for methods in bins.values()]
        if any(cells):
            rows.append([label, *cells])
    return table(["", *(f"Mw {name} (n = {count})" for name, count in counts.items())], rows)


def _shifted(results: Mapping[str, Any]) -> Iterator[str]:
    """Tabulate the shifted sets."""
    config, labels = results["about"]["config"], results["about"]["labels"]
    yield f"## Distribution shift, {config['table_window_min']:g} min"
    yield (
        f"{config['other_count']} scenarios in each set. Uniform slip, the smooth patch, the other grid, the perturbed "
        "bathymetry, the coloured noise and the least-squares target are the first ruptures of the main set seen in "
        "another way, and ratios are to these; ratios of the others are to the whole main set. Errors in m² grow with "
        "the slip itself, so a set of larger earthquakes has larger ones, and wider intervals, for every "
        "method. The least-squares target is "
        f"what non-negative least squares finds on long records; its own error, {results['target_mse_m2']:.3g} m², "
        "counts against every method there."
    )
    for key, title in _SHIFTED:
        sets = results["shifted"].values()
        names = [name for name in labels if any(key in found["methods"].get(name, {}) for found in sets)]
        rows = [[found["label"], *(_cell(found["methods"].get(name, {}).get(key)) for name in names)] for found in sets]
        yield f"### {title}"
        yield table(["", *(labels[name] for name in names)], rows)


def _neural_alone(results: Mapping[str, Any]) -> Iterator[str]:
    """Tabulate noise-only records and times."""
    found, latency = results["noise_alone"], results["latency"]
    yield "## Posterior for noise-only records"
    yield (
        f"{found['count']} records without an earthquake: quantiles of Mw over posterior samples, the median and the "
        "largest of all records; a dash where there is no slip at all."
    )
    probabilities = list(next(iter(found["windows"].values())))
    yield table(
        ["", *(f"{float(p):.0%} quantile, {which}" for p in probabilities for which in ("median", "largest"))],
        [
            [f"{window} min", *(_magnitude(row[p][which]) for p in probabilities for which in ("median", "largest"))]
            for window, row in found["windows"].items()
        ],
    )
    yield "## Time"
    yield (
        f"One record of {latency['window_min']:g} min, {latency['n_draws']} posterior samples, one thread, the model "
        f"loaded: slip with its intervals and magnitude in {latency['slip_ms']:g} ms; with mean sea level and the "
        f"intervals of the maximum at {latency['gauges']} gauges in {latency['forecast_ms']:g} ms; with intervals of "
        f"sea level at every minute too in {latency['fan_ms']:g} ms."
    )


def _magnitude(value: float | None) -> str:
    """Word a magnitude that may not exist."""
    return "–" if value is None else f"{value:.2f}"


def _cell(score: Mapping[str, Any] | None) -> str:
    """Word a score with its interval; nothing where there is none."""
    if score is None or score["value"] is None:
        return ""
    if score["interval"] is None:
        return digits(score["value"])
    low, high = score["interval"]
    return f"{digits(score['value'])} ({digits(low)} to {digits(high)})"


def _forecast_words(found: Mapping[str, Any]) -> str:
    """Name the event of the figure of a forecast."""
    event = f"scenario {found['scenario']} (Mw {found['magnitude']:.2f})"
    return f"The forecast is for {found['gauge']}, {event}, after {' and '.join(found['windows'])} min."


def _draw_errors(results: Mapping[str, Any]) -> Any:
    """Draw the error of weights against the window."""
    windows, labels = results["windows"], results["about"]["labels"]
    minutes = [float(window) for window in windows]
    at = f"{results['about']['config']['table_window_min']:g}"
    errors, intervals = {}, {}
    for name, label in labels.items():
        found = [methods.get(name, {}).get("weight_mse_m2") for methods in windows.values()]
        errors[label] = [np.nan if score is None else score["value"] for score in found]
        ends = [(np.nan, np.nan) if score is None else score["interval"] for score in found]
        intervals[label] = np.transpose(ends)
    reference = windows[at].get("network", {}).get("weight_mse_m2")
    return figures.plot_error_by_window(
        minutes,
        errors,
        intervals=intervals,
        reference=None if reference is None else reference["value"],
        reference_label=f"{labels['network']}, {at} min",
    )


def _draw_reliability(results: Mapping[str, Any]) -> Any:
    """Draw how often intervals hold the truth."""
    found = results["reliability"]
    titles = {"slip": "slip on unit sources", "max_amplitude": "maximum amplitude"}
    return figures.plot_reliability(
        found["nominal"],
        {
            title: {f"{window} min": shares[name] for window, shares in found["windows"].items()}
            for name, title in titles.items()
        },
    )


def _draw_forecast(found: Mapping[str, Any]) -> Any:
    """Draw a forecast with its prediction intervals after each window."""
    bands = {float(window): np.array(quantiles) for window, quantiles in found["windows"].items()}
    return figures.plot_prediction_intervals(
        found["time_s"],
        found["true_m"],
        bands,
        title=f"{found['gauge']}, Mw {found['magnitude']:.1f}",
    )
