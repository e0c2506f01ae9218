"""The command line's verbs ``bank``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slipcast.cli.console import print_json, write_line
from slipcast.cli.options import Json, Out, Scheduler, group, parse_by_grid, parse_names

__all__ = ["bank_app"]

bank_app = group("Green's functions: sea level at gauges per metre of slip.")


@bank_app.command("build")
def bank_build(
    region: Annotated[str, typer.Argument(help="A built-in region or a TOML file.")],
    out: Out = Path("bank.nc"),
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
    kajiura: Annotated[bool, typer.Option(help="Smooth the uplift of the surface by 1/cosh(kh).")] = False,
    elastic: Annotated[
        bool, typer.Option(help="Slow waves down as compressible water and the give of the Earth do.")
    ] = True,
    dispersion: Annotated[bool, typer.Option(help="Give waves the dispersion of water.")] = True,
    losses: Annotated[bool, typer.Option(help="Let later waves decay, and the coast reflect 0.8 of them.")] = True,
    workers: Annotated[int | None, typer.Option(help="Runs at a time; by default one per core.")] = None,
    device: Annotated[str, typer.Option(help="cpu, or cuda: a GPU, all gauges of a grid in one run.")] = "cpu",
    scheduler: Scheduler = None,
) -> None:
    """Compute Green's functions by reciprocity, one run per gauge.

    Gauges that are done are kept in OUT.parts until OUT is written: after a kill, the same command resumes.

    Example: slipcast bank build cascadia --spacing 2 --out bank.nc
    """
    from slipcast.greens.bank import GreensBank

    GreensBank.build(
        region,
        spacing_arcmin=parse_by_grid(spacing, "--spacing"),
        hours=parse_by_grid(hours, "--hours"),
        gauges=parse_names(gauges),
        bathymetry=bathymetry,
        kajiura=kajiura,
        elastic=elastic,
        dispersion=dispersion,
        losses=losses,
        workers=workers,
        scheduler=scheduler,
        device=device,
        save_to=out,
        progress=True,
    )
    write_line(str(out))


@bank_app.command("check")
def bank_check(
    bank: Annotated[Path, typer.Argument(help="A bank, from 'slipcast bank build'.")], as_json: Json = False
) -> None:
    """Verify a bank: labels, numbers, the checksum of each gauge, fingerprint.

    Example: slipcast bank check bank.nc
    """
    from slipcast.greens.bank import GreensBank

    opened = GreensBank.open(bank)
    opened.check()
    summary = {
        "region": opened.region.name,
        "id": opened.id,
        "gauges": opened.gauges,
        "sources": len(opened.sources),
        "subfaults": len(opened.subfaults),
        "grids": opened.dataset.attrs["grids"],
    }
    if as_json:
        print_json(summary)
        return
    write_line(f"{bank}: bank {opened.id} of {opened.region.name}, {summary['grids']}")
    write_line(
        f"{len(opened.gauges)} gauges, {summary['sources']} unit sources, {summary['subfaults']} subfaults, all well"
    )
