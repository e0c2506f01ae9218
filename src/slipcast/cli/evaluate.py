"""The command line's verb ``evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slipcast.cli.console import print_json, write_line
from slipcast.cli.options import Json, Out, parse_each, parse_names

__all__ = ["evaluate"]


def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="A trained network, from 'slipcast train'.")],
    scenarios: Annotated[Path, typer.Argument(metavar="SET", help="A scenario set.")],
    out: Out,
    split: Annotated[str, typer.Option(help="test, validation or train.")] = "test",
    shown: Annotated[
        str | None, typer.Option("--scenarios", help="Scenarios to draw, comma-separated; by default three.")
    ] = None,
    export: Annotated[str | None, typer.Option(help="Predictions for other tools too: npy, csv or both.")] = None,
    as_json: Json = False,
) -> None:
    """Score a network beside least squares on the same window and on all of the records; see OUT/report.html.

    Example: slipcast evaluate runs/first set.zarr --out runs/first/test
    """
    from slipcast.evaluation.evaluation import evaluate_with_baselines
    from slipcast.io.atomic import check_target
    from slipcast.learning.checkpoint import Checkpoint
    from slipcast.reports.evaluation import write_evaluation
    from slipcast.scenarios.scenario_set import ScenarioSet

    check_target(out / "metrics.json")
    examples = parse_each(shown, int, "--scenarios")
    opened = ScenarioSet.open(scenarios)
    found = evaluate_with_baselines(opened, Checkpoint.open(checkpoint), split=split)
    page = write_evaluation(out, found, opened, examples=examples, exports=parse_names(export) or ())
    if as_json:
        print_json(found.scores)
        return
    for name, score in found.scores.items():
        explained = _or_undefined(score["max_amplitude_mean"].get("explained_variance"))
        write_line(
            f"{name:<24} slip MSE {score['weight_mse_m2']:.2f} m², mean |Mw error| "
            f"{_or_undefined(score['magnitude_error']['mean_absolute'])}, explained variance of maximum amplitude "
            f"{explained}"
        )
    write_line(str(page))


def _or_undefined(score: float | None) -> str:
    """Word a score that may not exist."""
    return "not defined" if score is None else f"{score:.3f}"
