"""The command line's verb ``demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slipcast.cli.console import write_line
from slipcast.cli.options import Out

__all__ = ["demo"]


def demo(
    out: Out = Path("demo"),
    quick: Annotated[bool, typer.Option("--quick", help="Coarser grids and fewer scenarios: under a minute.")] = False,
) -> None:
    """Go the whole way on Cascadia, then invert the real record of Chile 2010; see OUT/report.html.

    Example: slipcast demo --quick --out demo-quick
    """
    from slipcast.demo import run_demo

    write_line(str(run_demo(out, quick=quick, progress=True)))
