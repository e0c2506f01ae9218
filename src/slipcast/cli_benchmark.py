"""The command line's verbs ``benchmark ...``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slipcast.console import progress, write_line

__all__ = ["benchmark_app"]

benchmark_app = typer.Typer(help="How good the methods are, by scenarios that none has seen.", no_args_is_help=True)


@benchmark_app.callback()
def _verbs() -> None:
    """Keep the name of the verb, were it the only one."""


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
