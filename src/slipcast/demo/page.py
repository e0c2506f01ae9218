"""Report page of the demonstration."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import xarray as xr

from slipcast.demo.results import CHILE_WINDOW_MIN, DARTS, CascadiaResult, ChileResult
from slipcast.reports import interactive
from slipcast.reports.html import Figure, Heading, Section, Table, Text, write_report

__all__ = ["write_page"]


def write_page(path: str | os.PathLike, metrics: dict, cascadia: CascadiaResult, chile: ChileResult) -> None:
    """Write the page of the demonstration, one file that works offline.

    Parameters
    ----------
    path : path
        Target, HTML.
    metrics : dict
        Contents of ``metrics.json``.
    cascadia : CascadiaResult
        The simulated part.
    chile : ChileResult
        The real record.
    """
    sections: list[Section] = [
        *_introduction(metrics),
        *_one_event(cascadia),
        *_comparison(metrics, cascadia),
        *_chile(metrics, chile),
        *_limits(),
    ]
    write_report(path, title="slipcast: from deep-ocean records to slip and forecast", sections=sections)


def _introduction(metrics: dict) -> list[Section]:
    """Describe the demonstration."""
    part = metrics["cascadia"]
    near, darts = part["near_spacing_arcmin"], ", ".join(part["darts"])
    return [
        Text(
            f"This page was made by slipcast {metrics['slipcast_version']}. Part one is simulated: Green's functions "
            f"of 31 unit sources of the Cascadia subduction zone were computed over real bathymetry ({near:g} "
            f"arc-minute cells near the coast), {part['scenarios']} stochastic earthquakes drawn, and the network of "
            "Liu (2021) trained "
            f"to find slip from the first 45 minutes at DARTs {darts}. Part two inverts a real record: DART 32412 "
            "during the Maule tsunami of 2010."
        ),
        Text("A demonstration for research, not a tsunami warning."),
    ]


def _one_event(cascadia: CascadiaResult) -> list[Section]:
    """Show one earthquake in detail."""
    region, bank = cascadia.bank.region, cascadia.bank
    truth, network = cascadia.slip["truth"], cascadia.slip["network"]
    darts = cascadia.records.sea_level
    window_min = float(darts["time"][-1]) / 60
    modelled = {
        name: bank.forward(estimate.slip, gauges=DARTS, window_min=window_min)
        for name, estimate in cascadia.slip.items()
        if name != "truth"
    }
    points = bank.gauge_names("forecast")
    forecasts = {name: made.dataset.sel(gauge=points) for name, made in cascadia.forecasts.items()}
    traces = forecasts["network"]
    rows = [
        [
            point,
            float(traces["arrival_time"].sel(gauge=point)) / 60,
            *(float(made["max_amplitude"].sel(gauge=point)) for made in forecasts.values()),
        ]
        for point in points
    ]
    shown = ("truth", "network", "least squares 4 h")
    largest_m = max(float(cascadia.slip[name].slip.max()) for name in shown)
    slip_maps = [
        Figure(
            interactive.map_figure(
                region,
                dict(zip(estimate.sources, estimate.slip.to_numpy().tolist())),
                largest_m=largest_m,
                title=f"{name[0].upper()}{name[1:]}: Mw {estimate.magnitude:.2f}",
            ),
            caption,
        )
        for name, estimate, caption in (
            ("truth", truth, "True slip, averaged over each unit source."),
            ("network", network, "Slip found by the network from 45 minutes at three DARTs."),
            (
                "least squares 4 h",
                cascadia.slip["least squares 4 h"],
                "Slip found by non-negative least squares from four hours at the same DARTs.",
            ),
        )
    ]
    forecast_figures = [
        Figure(_forecast_figure(traces, names), caption)
        for names, caption in (
            ([name for name in points if region.gauge(name).grid == "near"], "Forecast of the network off the coast."),
            ([name for name in points if region.gauge(name).grid != "near"], "Forecast across the Pacific."),
        )
        if names
    ]
    return [
        Heading("One simulated earthquake"),
        Text(
            f"Scenario {cascadia.example} of the test part, magnitude {truth.magnitude:.2f}, which no training saw. "
            "Records carry 5 mm of noise."
        ),
        *slip_maps,
        Figure(
            interactive.records_figure(
                darts["time"].to_numpy(), darts, modelled, window_min=cascadia.checkpoint.window_min
            ),
            "Sea level at the DARTs and what each slip makes there. Shaded: the 45 minutes that the network and the "
            "first least squares see. Zoom by dragging.",
        ),
        *forecast_figures,
        Table(
            ["forecast point", "arrival (min)", *(f"{name} (m)" for name in forecasts)],
            rows,
            "Arrival forecast by the network, minutes after the earthquake, and maximum amplitude by each slip. "
            "Offshore indices, not heights at the coast.",
        ),
    ]


def _forecast_figure(forecast: xr.Dataset, points: list[str]) -> Any:
    """Draw a forecast at some points, as long as it goes there."""
    sea_level = forecast["sea_level"].sel(gauge=points).dropna("time", how="all")
    return interactive.forecast_figure(
        sea_level["time"].to_numpy(), {name: sea_level.sel(gauge=name).to_numpy() for name in points}
    )


def _comparison(metrics: dict, cascadia: CascadiaResult) -> list[Section]:
    """Compare the methods over the test part."""
    evaluation, part = cascadia.evaluation, metrics["cascadia"]
    points, methods = evaluation.forecast_points, evaluation.methods
    scores = part["methods"]
    overall = [
        [
            name,
            score["weight_mse_m2"],
            score["magnitude_error"]["mean"],
            score["magnitude_error"]["mean_absolute"],
            score["dart_fit"]["median"],
            score["max_amplitude_mean"].get("explained_variance"),
            score["max_amplitude_mean"].get("r2"),
        ]
        for name, score in scores.items()
    ]
    by_point = [
        [
            point,
            *(scores[name]["max_amplitude"][point][key] for key in ("explained_variance", "r2") for name in methods),
        ]
        for point in points
    ]
    true, found, explained = evaluation.max_amplitude_arrays()
    return [
        Heading(f"Network and least squares on {part['test_scenarios']} test scenarios"),
        Table(
            [
                "method",
                "slip MSE (m²)",
                "mean Mw error",
                "mean |Mw error|",
                "DART fit, median",
                "expl. variance",
                "R²",
            ],
            overall,
            f"Variance of the true slip: {scores[methods[0]]['weight_variance_m2']:.1f} m². DART fit: energy of the "
            "noise-free records over four hours that the slip explains. Explained variance and R² of maximum "
            "amplitude, mean over the forecast points.",
        ),
        Figure(
            interactive.history_figure(cascadia.checkpoint.history),
            "Training: loss over the train part (mean of its batches, with dropout) and the validation part.",
        ),
        Figure(
            interactive.scatter_figure(true, found, points, explained),
            "Maximum amplitude at a forecast point: predicted against true, a dot a scenario. Choose the point on top.",
        ),
        Table(
            ["forecast point", *(f"{label}, {name}" for label in ("expl. var.", "R²") for name in methods)],
            by_point,
            "Maximum amplitude at each forecast point.",
        ),
    ]


def _chile(metrics: dict, chile: ChileResult) -> list[Section]:
    """Show the real record."""
    scores = metrics["chile2010"]
    low, high = scores["gaussian_magnitude_interval_90"]
    observed = chile.records.resample(chile.bank.time_s).to_numpy()[0]
    modelled = chile.forecast.sea_level.sel(gauge="32412").to_numpy()
    shown = chile.bank.time_s >= 150 * 60
    return [
        Heading("A real record: Chile 2010 at DART 32412"),
        Text(
            f"From the epicentre and magnitude, {scores['unit_sources']} unit sources are within reach. Damped "
            f"non-negative least squares on the record up to {CHILE_WINDOW_MIN:.0f} minutes after the origin explains "
            f"{100 * scores['explained_variance_first_wave']:.0f} % of the variance of the first wave "
            f"({scores['first_wave_start_min']:.0f} to {scores['first_wave_end_min']:.0f} min) and finds magnitude "
            f"{scores['magnitude']:.2f}; the earthquake had 8.8. The Gaussian posterior, which takes a tenth of the "
            f"wave for errors of the model, says {scores['gaussian_magnitude']:.2f} and with 90 % probability "
            f"{low:.2f} to {high:.2f}. Observed maximum {scores['observed_maximum_m']:.2f} m, modelled "
            f"{scores['modelled_maximum_m']:.2f} m."
        ),
        Text(
            "The real wave is slower than a long wave on a rigid Earth: the fit is best with travel times stretched by "
            f"{100 * scores['stretch']:.2f} %, as the elastic sea floor and dispersion let one expect."
        ),
        Text(
            "One buoy, 2,500 km away, constrains the slip poorly: the wave tells how much water was moved, and roughly "
            "when it left, but slip can be traded along strike and between rows with little change of this record. "
            "The map is one of many that fit."
        ),
        Figure(
            interactive.records_figure(
                chile.bank.time_s[shown],
                {"32412": observed[shown]},
                {"damped least squares": {"32412": modelled[shown]}},
            ),
            "Record and model; the inversion saw it up to the trough of the first wave only.",
        ),
        Figure(
            interactive.map_figure(
                chile.bank.region,
                dict.fromkeys(chile.bank.sources, 0.0)
                | dict(zip(chile.slip.sources, np.asarray(chile.slip.slip).tolist())),
                title=f"Chile 2010: Mw {chile.slip.magnitude:.2f} from one buoy (poorly constrained)",
            ),
            "Slip on the unit sources of central Chile. Constrained by one buoy: see the text.",
        ),
    ]


def _limits() -> list[Section]:
    """State the limits."""
    return [
        Heading("Limits"),
        Text(
            "Waves are linear: no wetting, breaking, friction or dispersion. On the shelf the model rings longer and "
            "higher than the sea does, so near forecast points are indices of size, not heights at the coast. Training "
            "and test share one solver and one rupture generator, which flatters every method. See docs/limits.md."
        ),
    ]
