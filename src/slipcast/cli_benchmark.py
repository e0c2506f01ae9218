"""The command line's verbs ``benchmark ...``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slipcast.console import progress, write_line

__all__ = ["benchmark_app"]

benchmark_app = typer.Typer(help="How good the methods are, and how fast everything is.", no_args_is_help=True)


@benchmark_app.command("accuracy")
def accuracy(
    bank: Annotated[Path, typer.Option(help="Green's functions.")],
    model: Annotated[str, typer.Option(help="A trained sampler: a folder, or the name of one that is shipped.")],
    out: Annotated[Path, typer.Option("--out", help="Folder; what is done is kept there.")],
    shared: Annotated[
        Path | None, typer.Option(help="Folder for what does not depend on the model, by default OUT/shared.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer scenarios: some minutes, and rough numbers.")] = False,
) -> None:
    """Compare a sampler with all other methods; see OUT/accuracy.md.

    Example: slipcast benchmark accuracy --bank bank.nc --model cascadia --out runs/accuracy
    """
    from slipcast.accuracy import AccuracyConfig, run_accuracy
    from slipcast.greens import GreensBank
    from slipcast.inversion.network import open_model

    config = AccuracyConfig.quick() if quick else AccuracyConfig()
    opened = GreensBank.open(bank)
    with progress("Accuracy") as advance:
        run_accuracy(opened, open_model(model), out, config=config, shared=shared, progress=advance)
    write_line(str(out / "accuracy.md"))


@benchmark_app.command("speed")
def speed(
    out: Annotated[Path, typer.Option("--out", help="Folder; what is done is kept there.")],
    bank: Annotated[
        Path | None, typer.Option(help="Green's functions to draw and forecast from, by default some built for it.")
    ] = None,
    workers: Annotated[
        Path | None, typer.Option(help="What benchmarks/workers.py measured of two Dask workers, to be shown too.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A minute instead of several, and rough numbers.")] = False,
) -> None:
    """Measure every part against its reference and the limits of the machine; see OUT/speed.md.

    Example: slipcast benchmark speed --bank bank.nc --out runs/speed
    """
    from slipcast.greens import GreensBank
    from slipcast.speed import SpeedConfig, run_speed

    opened = None if bank is None else GreensBank.open(bank)
    with progress("Speed") as advance:
        config = SpeedConfig.quick() if quick else SpeedConfig()
        run_speed(out, bank=opened, config=config, workers=workers, progress=advance)
    write_line(str(out / "speed.md"))
