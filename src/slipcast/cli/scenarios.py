"""The command line's verbs ``scenarios``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slipcast.cli.console import write_line
from slipcast.cli.options import Out, Scheduler, group, parse_each

__all__ = ["scenarios_app"]

scenarios_app = group("Stochastic earthquakes and the records they make.")


@scenarios_app.command("build")
def scenarios_build(
    bank: Annotated[Path, typer.Argument(help="A bank, from 'slipcast bank build'.")],
    count: Annotated[int, typer.Option(help="Number of scenarios.")],
    out: Out = Path("set.zarr"),
    seed: Annotated[int, typer.Option(help="The same seed, the same scenarios.")] = 1,
    magnitude: Annotated[tuple[float, float], typer.Option(help="Range of Mw.")] = (7.8, 9.2),
    hurst: Annotated[str, typer.Option(help="Hurst exponents to draw from, comma-separated.")] = "0.4,0.75",
    static: Annotated[bool, typer.Option("--static", help="All slip at time zero.")] = False,
    workers: Annotated[int | None, typer.Option(help="Processes; by default one per core.")] = None,
    scheduler: Scheduler = None,
) -> None:
    """Draw ruptures and compute their records.

    What is done is kept in OUT.parts until OUT is whole: after a kill, the same command resumes.

    Example: slipcast scenarios build bank.nc --count 1300 --seed 1 --out set.zarr
    """
    from slipcast.greens.bank import GreensBank
    from slipcast.io.atomic import check_target
    from slipcast.physics.ruptures import RuptureSettings
    from slipcast.scenarios.scenario_set import ScenarioSet

    check_target(out, folder=True)
    exponents = tuple(parse_each(hurst, float, "--hurst") or ())
    settings = RuptureSettings(magnitude=magnitude, hurst=exponents, kinematic=not static)
    ScenarioSet.build(
        GreensBank.open(bank),
        count=count,
        seed=seed,
        settings=settings,
        save_to=out,
        workers=workers,
        scheduler=scheduler,
        progress=True,
    )
    write_line(str(out))
