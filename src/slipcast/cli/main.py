"""The command line: its verbs put together, and what its entry point does with errors."""

from __future__ import annotations

import logging
import sys
import traceback
from functools import cache
from typing import Annotated, Any

import typer

from slipcast.cli.bank import bank_app
from slipcast.cli.console import say, say_warnings, write_line
from slipcast.cli.demo import demo
from slipcast.cli.evaluate import evaluate
from slipcast.cli.imports import import_app
from slipcast.cli.invert import forecast, invert
from slipcast.cli.plot import plots_app
from slipcast.cli.records import records_app
from slipcast.cli.regions import regions_app
from slipcast.cli.replay import replay
from slipcast.cli.scenarios import scenarios_app
from slipcast.cli.serve import serve
from slipcast.cli.surface import surface_app
from slipcast.cli.train import train
from slipcast.cli.tune import plot_tuning, tune
from slipcast.errors import InputError

__all__ = ["app", "main"]

app = typer.Typer(
    help="From the first minutes of deep-ocean pressure records to fault slip, and from slip to a tsunami forecast.\n\n"
    "Start with: slipcast demo --quick",
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(regions_app, name="regions")
app.add_typer(bank_app, name="bank")
app.add_typer(scenarios_app, name="scenarios")
app.add_typer(records_app, name="records")
app.add_typer(surface_app, name="surface")
app.add_typer(plots_app, name="plot")
app.add_typer(import_app, name="import")
plots_app.command("tuning")(plot_tuning)
for _verb in (demo, train, tune, evaluate, invert, forecast, replay, serve):
    app.command()(_verb)


@app.callback()
def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Take the options that count for all verbs (``--debug`` is read by :func:`main`)."""
    if version:
        from slipcast.io.identity import package_version

        write_line(f"slipcast {package_version()}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        write_line(context.get_help())


def main() -> None:
    """Run the command line; exit 0 done, 2 usage error, 1 internal error, 130 interrupted."""
    say_warnings()
    usage_error: Any = typer.BadParameter.__base__
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    try:
        status = _command()(args=arguments, standalone_mode=False, prog_name="slipcast")
    except (InputError, usage_error) as error:
        if debug:
            traceback.print_exc()
        say(f"slipcast: {_one_line(error)}")
        status = 2
    except (KeyboardInterrupt, typer.Abort):
        status = 130
    except Exception as error:  # noqa: BLE001 (the top-level handler: one line, and --debug shows where)
        if debug:
            traceback.print_exc()
        if _interrupted(error):
            status = 130
        else:
            say(f"slipcast: internal error: {type(error).__name__}: {_one_line(error)} (--debug shows where)")
            status = 1
    if status == 130:  # typer turns Ctrl-C into this code
        say("slipcast: interrupted; what was finished is kept, nothing is half-written")
        logging.getLogger("asyncio").disabled = True  # of reads and writes of zarr's that were under way
        # an interrupt inside text that is compiled and run (a library's) makes Python end by the signal, not by this
        # code, unless something is run after it
        exec("")
    raise SystemExit(status if isinstance(status, int) else 0)


@cache
def _command() -> Any:
    """Make the command of its verbs and their options, which takes a tenth of a second, once."""
    return typer.main.get_command(app)


def _interrupted(error: BaseException | None) -> bool:
    """Tell whether an interrupt is behind an error: compiled code, and what was under way there, report it so."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def _one_line(error: BaseException) -> str:
    """Fold the message of an error into one line."""
    text = getattr(error, "format_message", lambda: str(error))()
    return " ".join(str(text).split())


if __name__ == "__main__":
    main()
