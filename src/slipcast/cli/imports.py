"""The command line's verb ``import``: data of other systems."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slipcast.cli.console import print_json, say, write_line
from slipcast.cli.options import Json, group

__all__ = ["import_app"]

import_app = group("Bring in data of other systems.")


@import_app.command("nctr")
def import_nctr(
    folder: Annotated[Path, typer.Argument(help="With .mat and .csv files, also in folders of it.")],
    out: Annotated[Path, typer.Option("--out", help="Where to write the scenario set.")] = Path("set.zarr"),
    bank: Annotated[Path | None, typer.Option(help="Where to write the bank of unit responses.")] = None,
    region: Annotated[str, typer.Option(help="Whose gauges they are: a name or a TOML file.")] = "cascadia",
    seed: Annotated[int, typer.Option(help="Of the division into training, validation and test.")] = 1,
    as_json: Json = False,
) -> None:
    """Make a scenario set and a bank of the files that Liu (2021) used: docs/nctr.md.

    Example: slipcast import nctr nctr_files --out set.zarr --bank bank.nc
    """
    from slipcast.io.atomic import check_target
    from slipcast.records.nctr import import_nctr as read

    check_target(out, folder=True)
    if bank is not None:
        check_target(bank)
    found = read(folder, region=region, seed=seed, progress=True)
    found.scenarios.save(out)
    if bank is not None:
        found.bank.save(bank)
    for gauge, reason in found.gauges_left_out.items():
        say(f"gauge {gauge} is left out: {reason}")
    for run, reason in found.runs_left_out.items():
        say(f"run {run} is left out: {reason}")
    if as_json:
        summary = {
            "runs": found.n_runs,
            "used": len(found.scenarios),
            "gauges": found.scenarios.gauges,
            "sources": found.scenarios.sources,
            "runs_left_out": found.runs_left_out,
            "gauges_left_out": found.gauges_left_out,
        }
        print_json(summary)
    else:
        write_line(f"{out}: {len(found.scenarios)} of {found.n_runs} runs at {len(found.scenarios.gauges)} gauges")
