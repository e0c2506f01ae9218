"""The command line's verbs ``regions``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slipcast.cli.console import print_json, write_line
from slipcast.cli.options import Json, group

__all__ = ["regions_app"]

regions_app = group("Regions: unit sources, gauges and grids.")

RegionName = Annotated[str, typer.Argument(metavar="REGION", help="A built-in region or a TOML file.")]


@regions_app.command("list")
def regions_list(as_json: Json = False) -> None:
    """List the built-in regions.

    Example: slipcast regions list
    """
    from slipcast.regions.region import Region, region_names

    regions = [Region.open(name) for name in region_names()]
    if as_json:
        print_json([{"name": r.name, "title": r.title, "sources": len(r.sources)} for r in regions])
    else:
        for region in regions:
            write_line(
                f"{region.name:<12} {region.title}: {len(region.sources)} unit sources, {len(region.gauges)} gauges"
            )


@regions_app.command("show")
def regions_show(region: RegionName, as_json: Json = False) -> None:
    """Show a region: its unit sources, grids and gauges.

    Example: slipcast regions show cascadia
    """
    from slipcast.regions.region import Region

    opened = Region.open(region)
    if as_json:
        write_line(opened.model_dump_json(indent=2))
        return
    write_line(f"{opened.name}: {opened.title}")
    write_line(f"unit sources ({len(opened.sources)}): {' '.join(opened.sources)}")
    write_line(f"subfaults: {opened.subfault_km:g} km")
    for grid_name, plan in opened.grids.items():
        write_line(
            f"grid {grid_name}: lon {plan.lon}, lat {plan.lat}, {plan.spacing_arcmin:g} arc-minutes, {plan.hours:g} h"
        )
    for gauge in opened.gauges:
        write_line(f"{gauge.kind:<8} {gauge.name:<14} {gauge.lon:8.3f} {gauge.lat:8.3f}  {gauge.grid}")


@regions_app.command("check")
def regions_check(
    region: RegionName,
    bathymetry: Annotated[
        Path | None, typer.Option(help="netCDF (GEBCO, ETOPO), ESRI ASCII or topotype 3 instead of ETOPO1.")
    ] = None,
) -> None:
    """Check a region against the sea floor: every gauge in deep enough water, every source on its grid.

    Example: slipcast regions check myregion.toml --bathymetry gebco.nc
    """
    from slipcast.greens.reciprocity import check_region
    from slipcast.physics.bathymetry import Bathymetry
    from slipcast.regions.region import Region

    opened = Region.open(region)
    check_region(opened, bathymetry=None if bathymetry is None else Bathymetry.open(bathymetry))
    write_line(f"{opened.name}: {len(opened.sources)} unit sources, {len(opened.gauges)} gauges, all well")
