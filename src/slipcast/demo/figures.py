"""Figures of the demonstration."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from slipcast import plots
from slipcast.demo.results import DARTS, CascadiaResult, ChileResult
from slipcast.reports.event import draw_event

__all__ = ["demo_figures"]


def demo_figures(cascadia: CascadiaResult, chile: ChileResult) -> dict[str, Callable]:
    """Return the figures by name, each with the function that draws it."""
    region, bank, evaluation = cascadia.bank.region, cascadia.bank, cascadia.evaluation
    near = {g.name: (g.lon, g.lat) for g in region.gauges if g.name in DARTS}
    shown = {name: estimate for name, estimate in cascadia.slip.items() if name != "truth"}
    darts = cascadia.records.sea_level
    largest_m = max(float(estimate.slip.max()) for estimate in cascadia.slip.values())
    truth, found, scores = evaluation.max_amplitude_arrays()
    network = cascadia.forecasts["network"].dataset.sel(gauge=evaluation.forecast_points)
    return {
        "overview": lambda: _overview(cascadia),
        "cascadia_region": lambda: plots.plot_region(region),
        "cascadia_pacific": lambda: plots.plot_pacific(region),
        "cascadia_bank": lambda: plots.plot_bank(
            bank.time_s, bank.source_response(sources=["acszb60"])[..., 0], bank.gauges, source="acszb60"
        ),
        **{
            f"cascadia_slip_{name.replace(' ', '_')}": partial(
                plots.plot_slip,
                estimate.sources,
                estimate.slip.to_numpy(),
                magnitude=estimate.magnitude,
                largest_m=largest_m,
                gauges=near,
                title=name[0].upper() + name[1:],
            )
            for name, estimate in cascadia.slip.items()
        },
        "cascadia_records": lambda: plots.plot_records(
            darts["time"].to_numpy(),
            darts,
            {
                name: bank.forward(estimate.slip, gauges=DARTS, window_min=darts["time"].to_numpy()[-1] / 60)
                for name, estimate in shown.items()
            },
            window_min=cascadia.checkpoint.window_min,
        ),
        "cascadia_history": lambda: plots.plot_history(cascadia.checkpoint.history),
        "cascadia_max_amplitude": lambda: plots.plot_max_amplitude(
            truth, found, evaluation.forecast_points, explained_variance=scores
        ),
        "cascadia_forecast": lambda: plots.plot_forecast(
            network["time"].to_numpy(),
            network["sea_level"].to_numpy(),
            evaluation.forecast_points,
            network["max_amplitude"].to_numpy(),
            arrival_time_s=network["arrival_time"].to_numpy(),
        ),
        "chile_region": lambda: plots.plot_region(chile.bank.region),
        "chile_slip": lambda: plots.plot_slip(
            chile.slip.sources,
            chile.slip.slip.to_numpy(),
            magnitude=chile.slip.magnitude,
            title="Chile 2010",
            note="One buoy, 2,500 km away: total slip is constrained,\nits place along strike and down dip only poorly",
        ),
        "chile_event": lambda: draw_event(chile.records, chile.slip, chile.bank, title="Chile 2010"),
    }


def _overview(cascadia: CascadiaResult):
    """Draw records at the DARTs, the true slip and the slip found by the network."""
    truth, network = cascadia.slip["truth"], cascadia.slip["network"]
    darts = cascadia.records.sea_level
    time_s = darts["time"].to_numpy()
    return plots.plot_scenario(
        time_s,
        darts,
        {"network": cascadia.bank.forward(network.slip, gauges=DARTS, window_min=time_s[-1] / 60)},
        truth.sources,
        {"an earthquake": truth.slip.to_numpy(), "found by the network": network.slip.to_numpy()},
        magnitude={"an earthquake": truth.magnitude, "found by the network": network.magnitude},
        gauges={g.name: (g.lon, g.lat) for g in cascadia.bank.region.gauges if g.name in DARTS},
        window_min=cascadia.checkpoint.window_min,
        title="Records at three DARTs",
    )
