"""The command line's verbs ``plot``: any result to PNG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slipcast.cli.console import write_line
from slipcast.cli.options import Out, group
from slipcast.errors import InputError

if TYPE_CHECKING:
    from slipcast.records import Records

__all__ = ["plots_app"]

plots_app = group("Draw any result to PNG.")


@plots_app.command("region")
def plot_region(region: str, out: Out = Path("region.png")) -> None:
    """Draw a region: coast, unit sources, gauges.

    Example: slipcast plot region cascadia --out cascadia.png
    """
    from slipcast import plots
    from slipcast.regions.region import Region

    _save(plots.plot_region(Region.open(region)), out)


@plots_app.command("bank")
def plot_bank(
    bank: Path,
    source: Annotated[str, typer.Option(help="A unit source.")],
    out: Out = Path("bank.png"),
) -> None:
    """Draw the response of every gauge to 1 m of slip on a unit source.

    Example: slipcast plot bank bank.nc --source acszb60 --out bank.png
    """
    from slipcast import plots
    from slipcast.greens.bank import GreensBank
    from slipcast.physics.unit_sources import standard_name

    opened, name = GreensBank.open(bank), standard_name(source)
    response = opened.source_response(sources=[name])[..., 0]
    _save(plots.plot_bank(opened.time_s, response, opened.gauges, source=name), out)


@plots_app.command("slip")
def plot_slip(slip: Path, out: Out = Path("slip.png"), title: str = "") -> None:
    """Draw slip on the map, with its magnitude.

    Example: slipcast plot slip slip.nc --out slip.png
    """
    from slipcast import plots
    from slipcast.inversion import SlipEstimate

    found = SlipEstimate.open(slip).one_event()
    _save(plots.plot_slip(found.sources, found.slip.to_numpy(), magnitude=found.magnitude, title=title), out)


@plots_app.command("records")
def plot_records(
    records: Annotated[str, typer.Argument(help="Records (netCDF), chile2010 or cascadia-simulation.")],
    out: Out = Path("records.png"),
    slip: Annotated[Path | None, typer.Option(help="Draw what this slip makes, too.")] = None,
    bank: Annotated[Path | None, typer.Option("--bank", help="Needed with --slip.")] = None,
    hours: Annotated[
        tuple[float, float], typer.Option(metavar="FROM TO", help="Of raw records: what to show, after the origin.")
    ] = (-6.0, 6.0),
) -> None:
    """Draw records: raw heights, tide, residual and flags where they have them; or with the fit of a slip estimate.

    Example: slipcast plot records records.nc --slip slip.nc --bank bank.nc --out records.png
    """
    from slipcast import plots
    from slipcast.forecasting.forecast import forecast as run
    from slipcast.greens.bank import GreensBank
    from slipcast.inversion import SlipEstimate
    from slipcast.records import PACKAGED, Records, packaged_records

    if (slip is None) != (bank is None):
        raise InputError("--slip and --bank belong together")
    opened = packaged_records(records) if records in PACKAGED else Records.open(records)
    if (slip is None or bank is None) and "height" in opened.dataset:
        _save(_draw_raw(opened, hours), out)
        return
    if slip is None or bank is None:
        _save(plots.plot_records(opened.time_s, opened.one_event().sea_level), out)
        return
    estimate, greens = SlipEstimate.open(slip).one_event(), GreensBank.open(bank)
    made = run(estimate, greens, gauges=opened.gauges)
    observed = opened.one_event().resample(greens.time_s)
    used = estimate.dataset.attrs
    _save(
        plots.plot_records(
            greens.time_s,
            observed,
            {str(used["method"]): made.sea_level},
            window_min=used["window_min"],
            start_min=used.get("start_min", 0.0),
        ),
        out,
    )


def _draw_raw(records: Records, hours: tuple[float, float]) -> Any:
    """Draw raw records with what became of them."""
    import numpy as np

    from slipcast import plots
    from slipcast.records import MASKS

    held = records.dataset
    spans = zip(held["shaking_start"].to_numpy().tolist(), held["shaking_end"].to_numpy().tolist(), strict=True)
    return plots.plot_raw_records(
        records.time_s,
        held["height"].to_numpy(),
        held["tide"].to_numpy(),
        held["sea_level"].to_numpy(),
        held["flag"].to_numpy(),
        gauges=records.gauges,
        masks=MASKS,
        shaking={name: span for name, span in zip(records.gauges, spans, strict=True) if np.isfinite(span).all()},
        hours=hours,
        origin_label=held.attrs["origin_time"],
    )


@plots_app.command("event")
def plot_event(
    records: Annotated[str, typer.Argument(help="Records (netCDF), chile2010 or cascadia-simulation.")],
    slip: Annotated[Path, typer.Option(help="Found from some of them.")],
    bank: Annotated[Path, typer.Option("--bank", help="With the buoys of the records as gauges.")],
    out: Out = Path("event.png"),
    title: str = "",
) -> None:
    """Draw an event: first waves at buoys used and not used beside the model, and slip with its intervals.

    Example: slipcast plot event records.nc --slip slip.nc --bank bank.nc --out event.png
    """
    from slipcast.greens.bank import GreensBank
    from slipcast.inversion import SlipEstimate
    from slipcast.records import PACKAGED, Records, packaged_records
    from slipcast.reports.event import draw_event

    opened = packaged_records(records) if records in PACKAGED else Records.open(records)
    estimate = SlipEstimate.open(slip).one_event()
    _save(draw_event(opened, estimate, GreensBank.open(bank), title=title), out)


@plots_app.command("history")
def plot_history(checkpoint: Path, out: Out = Path("history.png")) -> None:
    """Draw the losses of a training; the best epoch and where validation begins to rise are marked.

    Example: slipcast plot history runs/first --out history.png
    """
    from slipcast import plots
    from slipcast.learning.checkpoint import Checkpoint
    from slipcast.metrics import rising_epoch

    history = Checkpoint.open(checkpoint).history
    rises = rising_epoch([row["validation_loss_m2"] for row in history])
    _save(plots.plot_history(history, rising_epoch=rises), out)


@plots_app.command("forecast")
def plot_forecast(forecast: Path, out: Out = Path("forecast.png")) -> None:
    """Draw the forecast at every gauge, the largest first.

    Example: slipcast plot forecast forecast.nc --out forecast.png
    """
    from slipcast.forecasting.forecast import Forecast

    _save(Forecast.open(forecast).plot(), out)


def _save(drawn: Any, out: Path) -> None:
    """Write a figure and say where."""
    from slipcast.plots import save_figure

    save_figure(drawn, out)
    write_line(str(out))
