"""The command line's verbs ``surface``: waves whose source is a sea surface of any cause, and no known fault."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slipcast.cli.console import print_json, say, write_line
from slipcast.cli.invert import parse_windows, write_forecast
from slipcast.cli.options import Json, Out, group, parse_by_grid, parse_names

if TYPE_CHECKING:
    from slipcast.greens.surface_bank import SurfaceBank
    from slipcast.inversion import SurfaceEstimate
    from slipcast.records import Records

__all__ = ["surface_app"]

surface_app = group("Sea surface at time zero from records: outer rise, landslide, any cause.")


@surface_app.command("build")
def surface_build(
    region: Annotated[str, typer.Argument(help="A built-in region or a TOML file: its gauges and grids.")],
    centre: Annotated[tuple[float, float], typer.Option(metavar="LON LAT", help="Such as the epicentre, degrees.")],
    out: Out = Path("surface-bank.nc"),
    radius: Annotated[float, typer.Option(help="Humps up to here from it, km.")] = 200.0,
    hump: Annotated[float, typer.Option(help="Between humps, and half the width of each, km.")] = 25.0,
    spacing: Annotated[
        list[str] | None, typer.Option(help="Cell size, arc-minutes, of the finest grid, or GRID=MIN; repeatable.")
    ] = None,
    hours: Annotated[
        list[str] | None, typer.Option(help="Hours of the finest grid, or GRID=HOURS; repeatable.")
    ] = None,
    gauges: Annotated[str | None, typer.Option(help="Some of the gauges, comma-separated.")] = None,
    bathymetry: Annotated[
        Path | None, typer.Option(help="netCDF (GEBCO, ETOPO), ESRI ASCII or topotype 3 instead of ETOPO1.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Runs at a time; by default one per core.")] = None,
) -> None:
    """Compute what gauges sense of humps of the sea surface around a place, one run per gauge.

    Example: slipcast surface build tonga --centre -172.1 -15.5 --out surface-bank.nc
    """
    from slipcast.greens.surface_bank import SurfaceBank
    from slipcast.io.atomic import check_target

    check_target(out)
    bank = SurfaceBank.build(
        region,
        centre=centre,
        radius_km=radius,
        spacing_km=hump,
        spacing_arcmin=parse_by_grid(spacing, "--spacing"),
        hours=parse_by_grid(hours, "--hours"),
        gauges=parse_names(gauges),
        bathymetry=bathymetry,
        workers=workers,
        progress=True,
    )
    bank.save(out)
    write_line(f"{out}: {len(bank.humps)} humps, {len(bank.gauges)} gauges")


@surface_app.command("invert")
def surface_invert(
    records: Annotated[str, typer.Argument(help="Records (netCDF), chile2010 or cascadia-simulation.")],
    bank: Annotated[Path, typer.Option(help="Of 'slipcast surface build'.")],
    window: Annotated[str, typer.Option(help="Minutes after the origin, or first-wave, or GAUGE=either,....")],
    out: Out = Path("surface.nc"),
    fault: Annotated[
        Path | None, typer.Option(help="A bank, from 'slipcast bank build', whose evidence is told beside.")
    ] = None,
    gauges: Annotated[str | None, typer.Option(help="DARTs, comma-separated.")] = None,
    noise: Annotated[float, typer.Option(help="Standard deviation of a sample, m.")] = 0.005,
    joint_tide: Annotated[
        bool | None,
        typer.Option(
            "--joint-tide/--no-joint-tide",
            help="Fit the uncertain part of the tide jointly; by default where the records say it.",
        ),
    ] = None,
    model_error: Annotated[
        float | None,
        typer.Option(help="Error of modelled waves, as a share of the largest level; by default found."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Invert records for the sea surface at time zero, and weigh it against a fault.

    Example: slipcast surface invert records.nc --bank surface-bank.nc --fault bank.nc --window 60
    """
    from slipcast.greens.bank import GreensBank
    from slipcast.greens.surface_bank import SurfaceBank
    from slipcast.inversion.surface_posterior import SurfacePosterior
    from slipcast.realtime.event_slip import EXPLAINED
    from slipcast.realtime.event_slip import invert as run
    from slipcast.records import PACKAGED, Records, packaged_records

    observed = packaged_records(records) if records in PACKAGED else Records.open(records)
    responses, names = SurfaceBank.open(bank), parse_names(gauges)
    known = [name for name in observed.gauges if name in responses.gauges]
    windows: Any = parse_windows(window, observed, names or known, by_method=False)
    posterior = SurfacePosterior(
        responses,
        max(windows.values()) if isinstance(windows, dict) else windows,
        gauges=tuple(names or known),
        fault=None if fault is None else GreensBank.open(fault),
        noise_sd_m=noise,
        joint_tide=joint_tide,
        model_error=model_error,
    )
    found = run(observed, posterior, window_min=windows)
    found.save(out)
    shares = _explained(found, responses, observed, windows)
    if as_json:
        print_json(_summary(found) | {"explained": shares})
        return
    write_line(f"{out}: {found.size_words}")
    told = ", ".join(f"{name} {round(share, 2) + 0.0:.0%}" for name, share in shares.items() if share is not None)
    write_line(f"explained: {told or 'nothing'} of the record in the window")
    if not any(share is not None and share >= EXPLAINED for share in shares.values()):
        say("no record is explained by half: the source is elsewhere, or no wave has come yet")
    write_line(found.evidence_words)
    write_line("no magnitude: a sea surface of any cause has none")
    for name, why in found.gauges_left_out.items():
        say(f"{name}: left out: {why}")


@surface_app.command("forecast")
def surface_forecast(
    surface: Annotated[Path, typer.Argument(help="Of 'slipcast surface invert'.")],
    bank: Annotated[Path, typer.Option(help="Of 'slipcast surface build'.")],
    out: Out = Path("forecast.nc"),
    as_json: Json = False,
) -> None:
    """Forecast sea level at every gauge of a bank from a sea surface.

    Example: slipcast surface forecast surface.nc --bank surface-bank.nc --out forecast.nc
    """
    from slipcast.forecasting.forecast import forecast as run
    from slipcast.greens.surface_bank import SurfaceBank
    from slipcast.inversion.surface_estimate import SurfaceEstimate

    write_forecast(run(SurfaceEstimate.open(surface), SurfaceBank.open(bank)), out, as_json=as_json)


def _explained(found: SurfaceEstimate, bank: SurfaceBank, records: Records, windows: Any) -> dict[str, float | None]:
    """Return which share of each record that was used a sea surface explains, None without samples."""
    from slipcast.forecasting.forecast import forecast as run
    from slipcast.forecasting.wave_fit import explained_shares

    used = str(found.dataset.attrs["gauges"]).split()
    shares = explained_shares(records, run(found, bank, gauges=used), used, windows)
    return {name: None if isnan(share) else round(share, 3) for name, share in shares.items()}


def _summary(found: SurfaceEstimate) -> dict[str, Any]:
    """Put a sea surface into a structure for JSON."""
    about = found.dataset.attrs
    return {
        **found.size,
        "intervals_90": found.size_intervals(0.9),
        "log_evidence": round(found.log_evidence, 3),
        "fault_log_evidence": None if found.fault_log_evidence is None else round(found.fault_log_evidence, 3),
        "magnitude": None,
        **{name: str(about[name]) for name in ("method", "region", "bank", "gauges")},
        "window_min": float(about["window_min"]),
        "gauges_left_out": found.gauges_left_out,
    }
