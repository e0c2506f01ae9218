"""The command line's verb ``train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slipcast.cli.console import write_line
from slipcast.cli.options import Out, Settings, parse_names

__all__ = ["train"]


def train(
    scenarios: Annotated[Path, typer.Argument(metavar="SET", help="A scenario set.")],
    out: Out,
    config: Annotated[Path | None, typer.Option(help="Settings, a TOML file; see docs/workflow.md.")] = None,
    window: Annotated[float | None, typer.Option(help="Minutes after the origin.")] = None,
    model: Annotated[str | None, typer.Option(help="Architecture: conv1d, or your own package.module:Class.")] = None,
    gauges: Annotated[str | None, typer.Option(help="DARTs, comma-separated.")] = None,
    sources: Annotated[str | None, typer.Option(help="Unit sources, comma-separated.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Times that each scenario is seen.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed, the same network.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    settings: Settings = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume a training that was stopped.")] = False,
) -> None:
    """Train a network to find slip; by default with the settings of Liu (2021).

    Example: slipcast train set.zarr --window 45 --set batch_size=32 --out runs/first
    """
    from slipcast.learning.config import TrainConfig, parse_settings
    from slipcast.learning.train import train as run
    from slipcast.scenarios.scenario_set import ScenarioSet

    chosen = {"window_min": window, "model": model, "epochs": epochs, "seed": seed, "device": device}
    overrides = parse_settings(settings or []) | {key: value for key, value in chosen.items() if value is not None}
    for key, names in (("gauges", gauges), ("sources", sources)):
        if names is not None:
            overrides[key] = tuple(parse_names(names) or ())
    begin = None if config is None else TrainConfig.open(config)
    trained = run(ScenarioSet.open(scenarios), out, config=begin, resume=resume, progress=True, **overrides)
    last = trained.history[-1]
    write_line(
        f"{out}: model {trained.id}, validation loss {last['validation_loss_m2']:.3f} m² "
        f"(best at epoch {trained.best_epoch}, in {out / 'best'})"
    )
