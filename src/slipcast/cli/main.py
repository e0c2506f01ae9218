"""The command line: parse, call one function of the library, write."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer

from slipcast.cli.console import parse_names, print_json, say, say_warnings, write_line
from slipcast.cli.imports import import_app
from slipcast.cli.invert import forecast, invert
from slipcast.cli.plot import plots_app
from slipcast.cli.records import records_app
from slipcast.cli.replay import replay
from slipcast.cli.serve import serve
from slipcast.cli.tune import plot_tuning, tune
from slipcast.errors import InputError
from slipcast.parallel.progress import progress_bar

__all__ = ["app", "main"]

app = typer.Typer(
    help="From the first minutes of deep-ocean pressure records to fault slip, and from slip to a tsunami forecast.\n\n"
    "Start with: slipcast demo --quick",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
_regions = typer.Typer(help="What a study is about: unit sources, gauges, grids.", no_args_is_help=True)
_bank = typer.Typer(help="Green's functions: sea level at gauges per metre of slip.", no_args_is_help=True)
_scenarios = typer.Typer(help="Stochastic earthquakes and the records they make.", no_args_is_help=True)
app.add_typer(_regions, name="regions")
app.add_typer(_bank, name="bank")
app.add_typer(_scenarios, name="scenarios")
app.add_typer(records_app, name="records")
app.add_typer(plots_app, name="plot")
app.add_typer(import_app, name="import")
app.command()(tune)
plots_app.command("tuning")(plot_tuning)

Out = Annotated[Path, typer.Option("--out", help="Where to write.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Take the options that count for all commands (``--debug`` is read by :func:`main`)."""


def main() -> None:
    """Run the command line; exit 0 done, 2 the user's mistake, 1 a fault, 130 interrupted."""
    say_warnings()
    usage_error: Any = typer.BadParameter.__base__
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    try:
        status = app(args=arguments, standalone_mode=False, prog_name="slipcast")
    except (InputError, usage_error) as error:
        if debug:
            traceback.print_exc()
        say(f"slipcast: {_one_line(error)}")
        status = 2
    except (KeyboardInterrupt, typer.Abort):
        status = 130
    except Exception as error:  # noqa: BLE001 (the last door: a fault is one line too, and --debug shows it all)
        if debug:
            traceback.print_exc()
        say(f"slipcast: fault: {type(error).__name__}: {_one_line(error)} (--debug shows where)")
        status = 1
    if status == 130:  # typer turns Ctrl-C into this code
        say("slipcast: interrupted; what was finished is kept, nothing is half-written")
    raise SystemExit(status if isinstance(status, int) else 0)


def _one_line(error: BaseException) -> str:
    """Fold the message of an error into one line."""
    text = getattr(error, "format_message", lambda: str(error))()
    return " ".join(str(text).split())


def _or_undefined(score: float | None) -> str:
    """Word a score that may not exist."""
    return "not defined" if score is None else f"{score:.3f}"


def _by_grid(values: list[str] | None, option: str) -> float | dict[str, float] | None:
    """Read ``2`` or ``near=2`` given once or more."""
    if not values:
        return None
    numbers: dict[str, float] = {}
    for value in values:
        grid, _, number = value.rpartition("=")
        try:
            numbers[grid] = float(number)
        except ValueError:
            raise InputError(f"{option} must be a number or GRID=NUMBER, got {value!r}") from None
    if "" not in numbers:
        return numbers
    if len(values) > 1:
        raise InputError(f"{option} must be one number, or GRID=NUMBER for each, got {' '.join(values)!r}")
    return numbers[""]


@app.command()
def demo(
    out: Out = Path("demo"),
    quick: Annotated[bool, typer.Option("--quick", help="Coarser grids and fewer scenarios: under a minute.")] = False,
) -> None:
    """Go the whole way on Cascadia, then invert the real record of Chile 2010; see OUT/report.html.

    Example: slipcast demo --quick --out demo-quick
    """
    from slipcast.demo import run_demo

    write_line(str(run_demo(out, quick=quick, show=progress_bar)))


@_regions.command("list")
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


@_regions.command("show")
def regions_show(name: str, as_json: Json = False) -> None:
    """Show a region, built-in or a TOML file.

    Example: slipcast regions show cascadia
    """
    from slipcast.regions.region import Region

    region = Region.open(name)
    if as_json:
        write_line(region.model_dump_json(indent=2))
        return
    write_line(f"{region.name}: {region.title}")
    write_line(f"unit sources ({len(region.sources)}): {' '.join(region.sources)}")
    write_line(f"subfaults: {region.subfault_km:g} km")
    for grid_name, plan in region.grids.items():
        write_line(
            f"grid {grid_name}: lon {plan.lon}, lat {plan.lat}, {plan.spacing_arcmin:g} arc-minutes, {plan.hours:g} h"
        )
    for gauge in region.gauges:
        write_line(f"{gauge.kind:<8} {gauge.name:<14} {gauge.lon:8.3f} {gauge.lat:8.3f}  {gauge.grid}")


@_regions.command("check")
def regions_check(file: str) -> None:
    """Check a region against the sea floor: every gauge in deep enough water, every source on its grid.

    Example: slipcast regions check myregion.toml
    """
    from slipcast.greens.reciprocity import check_region
    from slipcast.regions.region import Region

    region = Region.open(file)
    check_region(region)
    write_line(f"{region.name}: {len(region.sources)} unit sources, {len(region.gauges)} gauges, all well")


@_bank.command("build")
def bank_build(
    region: Annotated[str, typer.Argument(help="A built-in region or a TOML file.")],
    out: Out = Path("bank.nc"),
    spacing: Annotated[
        list[str] | None, typer.Option(help="Cell size, arc-minutes, of the finest grid, or GRID=MIN; repeatable.")
    ] = None,
    hours: Annotated[
        list[str] | None, typer.Option(help="Hours of the finest grid, or GRID=HOURS; repeatable.")
    ] = None,
    gauges: Annotated[str | None, typer.Option(help="Some of the gauges, between commas.")] = None,
    bathymetry: Annotated[Path | None, typer.Option(help="A netCDF file (GEBCO, ETOPO) instead of ETOPO1.")] = None,
    kajiura: Annotated[bool, typer.Option(help="Smooth the uplift of the surface by 1/cosh(kh).")] = False,
    workers: Annotated[int | None, typer.Option(help="Runs at a time; by default one a core.")] = None,
    device: Annotated[str, typer.Option(help="cpu, or cuda: a GPU, all gauges of a grid in one run.")] = "cpu",
    scheduler: Annotated[
        str | None, typer.Option(help="A Dask scheduler, such as tcp://host:8786, to compute on its workers.")
    ] = None,
) -> None:
    """Compute Green's functions by reciprocity, one run a gauge.

    Gauges that are done are kept in OUT.parts until OUT is written: after a kill, the same command goes on.

    Example: slipcast bank build cascadia --spacing 2 --out bank.nc
    """
    from slipcast.greens.bank import GreensBank
    from slipcast.greens.parts import remove_parts
    from slipcast.io.atomic import check_target
    from slipcast.io.lock import parts_folder

    check_target(out)
    with progress_bar(f"Green's functions of {region}") as advance:
        bank = GreensBank.build(
            region,
            spacing_arcmin=_by_grid(spacing, "--spacing"),
            hours=_by_grid(hours, "--hours"),
            gauges=parse_names(gauges),
            bathymetry=bathymetry,
            kajiura=kajiura,
            workers=workers,
            progress=advance,
            parts=parts_folder(out),
            scheduler=scheduler,
            device=device,
        )
    bank.save(out)
    remove_parts(parts_folder(out))
    write_line(str(out))


@_bank.command("check")
def bank_check(file: Path, as_json: Json = False) -> None:
    """Verify a bank: labels, numbers, the checksum of each gauge, fingerprint.

    Example: slipcast bank check bank.nc
    """
    from slipcast.greens.bank import GreensBank

    bank = GreensBank.open(file)
    bank.check()
    summary = {
        "region": bank.region.name,
        "id": bank.id,
        "gauges": bank.gauges,
        "sources": len(bank.sources),
        "subfaults": len(bank.subfaults),
        "grids": bank.dataset.attrs["grids"],
    }
    if as_json:
        print_json(summary)
    else:
        write_line(f"{file}: bank {bank.id} of {bank.region.name}, {summary['grids']}")
        write_line(
            f"{len(bank.gauges)} gauges, {summary['sources']} unit sources, {summary['subfaults']} subfaults, all well"
        )


@_scenarios.command("build")
def scenarios_build(
    bank: Path,
    count: Annotated[int, typer.Option(help="Number of scenarios.")],
    out: Out = Path("set.zarr"),
    seed: Annotated[int, typer.Option(help="The same seed, the same scenarios.")] = 1,
    magnitude: Annotated[tuple[float, float], typer.Option(help="Range of Mw.")] = (7.8, 9.2),
    hurst: Annotated[str, typer.Option(help="Hurst exponents to draw from, between commas.")] = "0.4,0.75",
    static: Annotated[bool, typer.Option("--static", help="All slip at time zero.")] = False,
    workers: Annotated[int | None, typer.Option(help="Processes; by default one a core.")] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="A Dask scheduler, such as tcp://host:8786, to compute on its workers.")
    ] = None,
) -> None:
    """Draw ruptures and compute their records.

    What is done is kept in OUT.parts until OUT is whole: after a kill, the same command goes on.

    Example: slipcast scenarios build bank.nc --count 1300 --seed 1 --out set.zarr
    """
    from slipcast.greens.bank import GreensBank
    from slipcast.io.atomic import check_target
    from slipcast.physics.ruptures import RuptureSettings
    from slipcast.scenarios.writing import write_scenarios

    check_target(out, folder=True)
    try:
        exponents = tuple(float(text) for text in parse_names(hurst) or [])
    except ValueError:
        raise InputError(f"--hurst must hold numbers between commas, got {hurst!r}") from None
    settings = RuptureSettings(magnitude=magnitude, hurst=exponents, kinematic=not static)
    opened = GreensBank.open(bank)
    with progress_bar("Scenarios") as advance:
        write_scenarios(
            opened,
            out,
            count=count,
            seed=seed,
            settings=settings,
            workers=workers,
            scheduler=scheduler,
            progress=advance,
        )
    write_line(str(out))


@app.command()
def train(
    scenarios: Annotated[Path, typer.Argument(metavar="SET", help="A scenario set.")],
    out: Out,
    config: Annotated[Path | None, typer.Option(help="Settings, a TOML file; see docs/workflow.md.")] = None,
    window: Annotated[float | None, typer.Option(help="Minutes after the origin.")] = None,
    model: Annotated[str | None, typer.Option(help="Architecture: conv1d, or your own package.module:Class.")] = None,
    gauges: Annotated[str | None, typer.Option(help="DARTs, between commas.")] = None,
    sources: Annotated[str | None, typer.Option(help="Unit sources, between commas.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Times that each scenario is seen.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed, the same network.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting, as in TOML; repeatable.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a training that was stopped.")] = False,
) -> None:
    """Train a network to find slip; by default the recipe of Liu (2021).

    Example: slipcast train set.zarr --window 45 --set batch_size=32 --out runs/first
    """
    from slipcast.learning.config import TrainConfig, parse_settings
    from slipcast.learning.train import train as run
    from slipcast.learning.train import training_note
    from slipcast.scenarios.scenario_set import ScenarioSet

    chosen = {"window_min": window, "model": model, "epochs": epochs, "seed": seed, "device": device}
    overrides = parse_settings(settings or []) | {key: value for key, value in chosen.items() if value is not None}
    for key, names in (("gauges", gauges), ("sources", sources)):
        if names is not None:
            overrides[key] = tuple(parse_names(names) or ())
    opened = ScenarioSet.open(scenarios)
    begin = None if config is None else TrainConfig.open(config)
    with progress_bar("Training") as advance:
        checkpoint = run(
            opened,
            out,
            config=begin,
            resume=resume,
            progress=lambda epoch, epochs, row, best: advance(epoch, epochs, training_note(row, best)),
            **overrides,
        )
    last = checkpoint.history[-1]
    write_line(
        f"{out}: model {checkpoint.id}, validation loss {last['validation_loss_m2']:.3f} m² "
        f"(best at epoch {checkpoint.best_epoch}, in {out / 'best'})"
    )


@app.command()
def evaluate(
    checkpoint: Path,
    scenarios: Annotated[Path, typer.Argument(metavar="SET", help="A scenario set.")],
    out: Out,
    split: Annotated[str, typer.Option(help="test, validation or train.")] = "test",
    shown: Annotated[
        str | None, typer.Option("--scenarios", help="Scenarios to be drawn, between commas; by default three.")
    ] = None,
    export: Annotated[str | None, typer.Option(help="Predictions for other tools too: npy, csv or both.")] = None,
    as_json: Json = False,
) -> None:
    """Judge a network beside least squares on the same window and on all of the records; see OUT/report.html.

    Example: slipcast evaluate runs/first set.zarr --out runs/first/test
    """
    from slipcast.evaluation.evaluation import evaluate_with_baselines
    from slipcast.io.atomic import check_target
    from slipcast.learning.checkpoint import Checkpoint
    from slipcast.reports.evaluation import write_evaluation
    from slipcast.scenarios.scenario_set import ScenarioSet

    check_target(out / "metrics.json")
    try:
        examples = None if shown is None else [int(text) for text in parse_names(shown) or []]
    except ValueError:
        raise InputError(f"--scenarios must hold numbers between commas, got {shown!r}") from None
    opened = ScenarioSet.open(scenarios)
    found = evaluate_with_baselines(opened, Checkpoint.open(checkpoint), split=split)
    page = write_evaluation(out, found, opened, examples=examples, exports=parse_names(export) or ())
    if as_json:
        print_json(found.scores)
        return
    for name, score in found.scores.items():
        explained = _or_undefined(score["max_amplitude_mean"].get("explained_variance"))
        write_line(
            f"{name:<24} weight MSE {score['weight_mse_m2']:.2f} m², mean |Mw error| "
            f"{_or_undefined(score['magnitude_error']['mean_absolute'])}, explained variance of maximum amplitude "
            f"{explained}"
        )
    write_line(str(page))


app.command()(invert)
app.command()(forecast)
app.command()(replay)
app.command()(serve)


if __name__ == "__main__":
    main()
