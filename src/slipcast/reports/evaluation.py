"""Report of an evaluation: scores, tables, figures, a page, and predictions for other tools."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from slipcast import plots
from slipcast.errors import InputError
from slipcast.evaluation.evaluation import Evaluation
from slipcast.inversion import centroid_latitude, magnitude_of_slip
from slipcast.io.atomic import atomic_path, write_json, write_text
from slipcast.records import simulated_records
from slipcast.reports import interactive
from slipcast.reports.html import Figure, Heading, Image, Section, Table, Text, write_report
from slipcast.scenarios.scenario_set import ScenarioSet

__all__ = ["EXPORTS", "example_scenarios", "write_evaluation"]

EXPORTS = ("npy", "csv")
"""Formats in which predictions can be written."""

_QUANTILES = (0.1, 0.5, 0.9)
_SHOWN_MIN = 240.0


def example_scenarios(evaluation: Evaluation) -> list[int]:
    """Choose a small, a middling and a large earthquake of those evaluated: 10, 50 and 90 % of magnitudes."""
    magnitude = evaluation.dataset["magnitude_true"].to_numpy()
    numbers = evaluation.dataset["scenario"].to_numpy()
    wanted = np.quantile(magnitude, _QUANTILES)
    return list(dict.fromkeys(int(numbers[np.argmin(np.abs(magnitude - value))]) for value in wanted))


def write_evaluation(
    folder: str | os.PathLike,
    evaluation: Evaluation,
    scenarios: ScenarioSet,
    *,
    examples: Sequence[int] | None = None,
    exports: Sequence[str] = (),
) -> Path:
    """Write scores, tables, figures and a page.

    Parameters
    ----------
    folder : path
        Made if need be: ``metrics.json``, ``metrics.md``, ``report.html``, ``figures/*.png``.
    evaluation : Evaluation
        From :func:`slipcast.evaluation.evaluation.evaluate`.
    scenarios : ScenarioSet
        The set that the evaluation is of.
    examples : sequence of int, optional
        Scenarios to be drawn, of those evaluated; by default :func:`example_scenarios`.
    exports : sequence of str, optional
        Of :data:`EXPORTS`: predictions as arrays (``weights_METHOD.npy``, rows as in ``scenario.npy``, columns as in
        ``source.txt``) or as tables (``weights_METHOD.csv``, ``max_amplitude_METHOD.csv``); the truth alike.

    Returns
    -------
    page : Path
        ``report.html``.

    Raises
    ------
    InputError
        If an export is unknown, or a scenario was not evaluated.
    """
    folder = Path(folder)
    if unknown := [name for name in exports if name not in EXPORTS]:
        raise InputError(f"export must be of {', '.join(EXPORTS)}, got {unknown[0]!r}")
    examples = example_scenarios(evaluation) if examples is None else list(examples)
    evaluated = set(evaluation.dataset["scenario"].to_numpy().tolist())
    if missing := [number for number in examples if number not in evaluated]:
        raise InputError(f"scenario {missing[0]} is not in the {evaluation.dataset.attrs['split']} part")
    tables = list(_tables(evaluation))
    write_json(folder / "metrics.json", evaluation.scores)
    write_text(folder / "metrics.md", "\n\n".join(_markdown(table) for table in tables) + "\n")
    figures = {name: folder / "figures" / f"{name}.png" for name in _drawn(evaluation)}
    for name, path in figures.items():
        plots.save_figure(_draw(evaluation, name), path)
    drawn = {number: folder / "figures" / f"scenario_{number:05d}.png" for number in examples}
    for number, path in drawn.items():
        plots.save_figure(draw_scenario(evaluation, scenarios, number), path)
    if exports:
        _export(folder / "predictions", evaluation, exports)
    page = folder / "report.html"
    write_report(
        page, title=f"Evaluation: {scenarios.region.title}", sections=_page(evaluation, tables, figures, drawn)
    )
    return page


def draw_scenario(evaluation: Evaluation, scenarios: ScenarioSet, number: int) -> np.ndarray:
    """Draw one scenario: records at the DARTs beside the slip, the truth's and each method's."""
    data = evaluation.dataset.sel(scenario=number)
    darts = evaluation.darts
    sources = [str(name) for name in data["source"].to_numpy()]
    slip = {"truth": data["weights_true"].to_numpy()}
    slip |= {name: data["weights"].sel({"method": name}).to_numpy() for name in evaluation.methods}
    hours = scenarios.dataset["gauge_hours"].to_numpy()[[scenarios.gauges.index(name) for name in darts]]
    window_min = min(_SHOWN_MIN, 60 * float(hours.min()))
    noise_sd_m = evaluation.dataset.attrs["noise_sd_m"]
    records = simulated_records(scenarios, number, darts, window_min=window_min, noise_sd_m=noise_sd_m)
    response = scenarios.source_response(darts, window_min=window_min).transpose("gauge", "time", "source")
    return plots.plot_scenario(
        records.time_s,
        records.sea_level,
        {name: dict(zip(darts, response.to_numpy() @ slip[name])) for name in evaluation.methods},
        sources,
        slip,
        magnitude={name: float(magnitude_of_slip(values, sources)) for name, values in slip.items()},
        notes={name: f"centroid {centroid_latitude(values, sources):.1f}°N" for name, values in slip.items()},
        gauges={name: (float(lon), float(lat)) for name, lon, lat in _places(scenarios, darts)},
        window_min=float(data["window_min"].min()),
        title=f"Scenario {number}",
    )


def _places(scenarios: ScenarioSet, gauges: Sequence[str]) -> Iterator[tuple[str, float, float]]:
    """Give gauges with their positions."""
    for name in gauges:
        at = scenarios.gauges.index(name)
        yield name, scenarios.dataset["gauge_lon"].to_numpy()[at], scenarios.dataset["gauge_lat"].to_numpy()[at]


def _drawn(evaluation: Evaluation) -> dict[str, str]:
    """Name the figures over all scenarios, with their captions."""
    captions = {
        "error_by_magnitude": "Error of the magnitude against the magnitude; lines: medians.",
        "error_by_latitude": "Root mean square error of slip against its latitude.",
        "centroid_error": "Error of the latitude of the slip centroid.",
    }
    if evaluation.forecast_points:
        captions["max_amplitude"] = (
            "Maximum amplitude, predicted against true. EV: explained variance; top: bias of the highest tenth."
        )
    return captions


def _draw(evaluation: Evaluation, name: str) -> Any:
    """Draw one of the figures over all scenarios."""
    if name == "max_amplitude":
        true, found, _ = evaluation.max_amplitude_arrays()
        notes = {
            method: [_score_text(score["max_amplitude"][point]) for point in evaluation.forecast_points]
            for method, score in evaluation.scores.items()
        }
        return plots.plot_max_amplitude(true, found, evaluation.forecast_points, notes=notes)
    variable, against, xlabel, ylabel = {
        "error_by_magnitude": ("magnitude", "magnitude_true", "true Mw", "Mw error"),
        "error_by_latitude": ("weight_rms", "latitude_true", "latitude of slip (°N)", "rms error of slip (m)"),
        "centroid_error": ("latitude", "latitude_true", "latitude of slip (°N)", "latitude error (degrees)"),
    }[name]
    errors = evaluation.errors()
    by_method = {method: errors[variable].sel({"method": method}).to_numpy() for method in evaluation.methods}
    log = name == "error_by_latitude"
    return plots.plot_errors(errors[against].to_numpy(), by_method, xlabel=xlabel, ylabel=ylabel, log=log)


def _score_text(score: dict) -> str:
    """Word the scores of one forecast point."""
    top = score["top_decile_bias"]
    return (
        f"EV {_two(score['explained_variance'])}  R² {_two(score['r2'])}  bias {_two(score['bias_m'])} m  "
        f"top {'–' if top is None else f'{100 * top:+.0f} %'}"
    )


def _two(value: float | None) -> str:
    """Write two decimals, or a dash."""
    return "–" if value is None else f"{value:.2f}"


def _tables(evaluation: Evaluation) -> Iterator[Table]:
    """Make the tables: one of all methods, then one a method with its forecast points."""
    errors = evaluation.errors()
    rows = []
    for name, score in evaluation.scores.items():
        mean, magnitude = score["max_amplitude_mean"], score["magnitude_error"]
        latitude = np.abs(errors["latitude"].sel({"method": name}).to_numpy())
        late = [point["arrival_error_s"]["mean_absolute"] for point in score["max_amplitude"].values()]
        known = [value / 60 for value in late if value is not None]
        rows.append(
            [
                name,
                score["window_min"],
                score["weight_mse_m2"],
                magnitude["mean"],
                magnitude["mean_absolute"],
                float(np.nanmean(latitude)) if np.isfinite(latitude).any() else None,
                score["dart_fit"]["median"],
                mean.get("explained_variance"),
                mean.get("r2"),
                float(np.mean(known)) if known else None,
            ]
        )
    columns = [
        *("method", "window (min)", "slip MSE (m²)", "mean Mw error", "mean |Mw error|"),
        *("mean |centroid error| (degrees)", "DART fit, median", "EV", "R²", "|arrival error| (min)"),
    ]
    split, count = evaluation.dataset.attrs["split"], evaluation.dataset.sizes["scenario"]
    yield Table(
        columns, rows, f"Scores on the {count} scenarios of the {split} part; maximum amplitude: mean of points."
    )
    for name, score in evaluation.scores.items():
        if score["max_amplitude"]:
            yield Table(
                ["forecast point", "explained variance", "R²", "bias (m)", "top-decile bias", "arrival error (min)"],
                [
                    [
                        point,
                        *(of[key] for key in ("explained_variance", "r2", "bias_m", "top_decile_bias")),
                        None if of["arrival_error_s"]["mean"] is None else of["arrival_error_s"]["mean"] / 60,
                    ]
                    for point, of in score["max_amplitude"].items()
                ],
                f"{name[:1].upper()}{name[1:]}: maximum amplitude and arrival.",
            )


def _markdown(table: Table) -> str:
    """Write a table as Markdown."""

    def cell(value: Any) -> str:
        if value is None:
            return "–"
        return f"{value:.3g}" if isinstance(value, float) else str(value).replace("|", "\\|")

    lines = [f"**{table.caption}**", "", *(f"| {' | '.join(map(cell, row))} |" for row in [table.columns, *table.rows])]
    lines.insert(3, "|" + "---|" * len(table.columns))
    return "\n".join(lines)


def _page(
    evaluation: Evaluation, tables: Sequence[Table], figures: dict[str, Path], drawn: dict[int, Path]
) -> list[Section]:
    """Put the page together."""
    captions = _drawn(evaluation)
    sections: list[Section] = [Text("Simulated earthquakes. For research; not a tsunami warning."), tables[0]]
    if evaluation.forecast_points:
        true, found, variance = evaluation.max_amplitude_arrays()
        scatter = interactive.scatter_figure(true, found, evaluation.forecast_points, variance)
        sections += [Heading("Maximum amplitude"), Figure(scatter, "Choose a forecast point in the menu."), *tables[1:]]
    sections += [Heading("Errors"), *(Image(path, captions[name]) for name, path in figures.items())]
    sections += [Heading("Scenarios"), *(Image(path, f"Scenario {number}.") for number, path in drawn.items())]
    return sections


def _export(folder: Path, evaluation: Evaluation, exports: Sequence[str]) -> None:
    """Write predictions for other tools."""
    data = evaluation.dataset
    numbers = data["scenario"].to_numpy()
    points = evaluation.forecast_points
    arrays = {}
    for what, labels in (("weights", data["source"].to_numpy().tolist()), ("max_amplitude", points)):
        for name in ("true", *evaluation.methods):
            chosen = data[f"{what}_true"] if name == "true" else data[what].sel({"method": name})
            chosen = chosen.sel(gauge=points) if what == "max_amplitude" else chosen
            arrays[f"{what}_{name.replace(' ', '_')}"] = (chosen.to_numpy(), [str(label) for label in labels])
    for name, (values, labels) in arrays.items():
        if "csv" in exports:
            rows = [",".join([str(number), *map(repr, row)]) for number, row in zip(numbers.tolist(), values.tolist())]
            write_text(folder / f"{name}.csv", "\n".join([",".join(["scenario", *labels]), *rows]) + "\n")
        if "npy" in exports:
            _write_npy(folder / f"{name}.npy", values)
    if "npy" in exports:
        _write_npy(folder / "scenario.npy", numbers)
        write_text(folder / "source.txt", "\n".join(data["source"].to_numpy().tolist()) + "\n")
        write_text(folder / "gauge.txt", "".join(f"{point}\n" for point in points))


def _write_npy(path: Path, values: np.ndarray) -> None:
    """Write an array, whole or not at all."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, values)
