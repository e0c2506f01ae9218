"""The command line's verb ``tune``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slipcast.cli.console import write_line
from slipcast.cli.options import Scheduler, Settings

__all__ = ["tune"]


def tune(
    scenarios: Annotated[Path, typer.Argument(metavar="SET", help="A scenario set.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the search.")],
    config: Annotated[
        Path | None, typer.Option(help="Settings, a TOML file with a table [search]; see docs/workflow.md.")
    ] = None,
    trials: Annotated[int, typer.Option(help="Trainings in all.")] = 30,
    workers: Annotated[int, typer.Option(help="Processes at a time.")] = 1,
    together: Annotated[int, typer.Option(help="Trials that a worker trains at once; they share an architecture.")] = 1,
    scheduler: Scheduler = None,
    seed: Annotated[int, typer.Option(help="The same seed, the same search (with one worker).")] = 1,
    settings: Settings = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the search in the folder.")] = False,
) -> None:
    """Search for better settings with Optuna; the test part is never loaded.

    Example: slipcast tune set.zarr --config tune.toml --trials 50 --workers 2 --out runs/search
    """
    from slipcast.learning.config import TrainConfig, parse_settings
    from slipcast.learning.tuning.search import BEST_CONFIG
    from slipcast.learning.tuning.search import tune as run
    from slipcast.learning.tuning.space import open_search
    from slipcast.scenarios.scenario_set import ScenarioSet

    begin, space = (TrainConfig(), None) if config is None else open_search(config)
    found = run(
        ScenarioSet.open(scenarios),
        out,
        config=begin.with_settings(**parse_settings(settings or [])),
        space=space,
        trials=trials,
        workers=workers,
        together=together,
        scheduler=scheduler,
        seed=seed,
        resume=resume,
        progress=True,
    )
    plot_tuning(out)
    write_line(
        f"{out / BEST_CONFIG}: validation loss {found.best_loss_m2:.3f} m², the best of {len(found.trials)} trials"
    )


def plot_tuning(folder: Path) -> None:
    """Draw the history of a search and the importance of settings: FOLDER/history.png and FOLDER/importance.png.

    Example: slipcast plot tuning runs/search
    """
    import pandas as pd

    from slipcast import plots
    from slipcast.errors import InputError
    from slipcast.io.atomic import read_json

    table = folder / "trials.csv"
    if not table.is_file():
        raise InputError(f"no search in {folder}: there is no {table.name}")
    rows = pd.read_csv(table)
    plots.save_figure(
        plots.plot_search(rows["validation_loss_m2"].to_numpy(), (rows["state"] == "complete").to_numpy()),
        folder / "history.png",
    )
    write_line(str(folder / "history.png"))
    if importance := read_json(folder / "importance.json"):
        plots.save_figure(plots.plot_importance(importance), folder / "importance.png")
        write_line(str(folder / "importance.png"))
