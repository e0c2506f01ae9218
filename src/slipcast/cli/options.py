"""Options that several verbs share, their text forms, and groups of verbs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from slipcast.cli.console import write_line
from slipcast.errors import InputError

__all__ = [
    "Epicentre",
    "Json",
    "Model",
    "Out",
    "Scheduler",
    "Settings",
    "group",
    "parse_by_grid",
    "parse_each",
    "parse_names",
    "parse_number",
]

Number = TypeVar("Number", int, float)

Out = Annotated[Path, typer.Option("--out", help="Where to write.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Model = Annotated[str | None, typer.Option(help="A trained network: a folder, or cascadia, which is in the package.")]
Epicentre = Annotated[tuple[float, float] | None, typer.Option(metavar="LON LAT", help="Of the earthquake, degrees.")]
Scheduler = Annotated[
    str | None, typer.Option(help="A Dask scheduler, such as tcp://host:8786, to compute on its workers.")
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting, as in TOML; repeatable.")
]


def group(about: str) -> typer.Typer:
    """Make a group of verbs that shows its help where it is called without a verb.

    Parameters
    ----------
    about : str
        The first line of its help.

    Returns
    -------
    app : typer.Typer
        To which verbs are added.
    """
    app = typer.Typer(help=about, invoke_without_command=True)

    @app.callback(help=about)
    def _show_help(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            write_line(context.get_help())

    return app


def parse_names(value: str | None) -> list[str] | None:
    """Read comma-separated names; None where there is no text."""
    return None if value is None else [name.strip() for name in value.split(",") if name.strip()]


def parse_each(value: str | None, kind: Callable[[str], Number], option: str) -> list[Number] | None:
    """Read comma-separated numbers.

    Parameters
    ----------
    value : str or None
        As given, such as ``"0.4,0.75"``.
    kind : callable
        ``int`` or ``float``.
    option : str
        For the message, such as ``"--hurst"``.

    Returns
    -------
    numbers : list of int or float, or None
        None where there is no text.

    Raises
    ------
    InputError
        If one of them is no such number.
    """
    try:
        return None if value is None else [kind(name) for name in parse_names(value) or []]
    except ValueError:
        what = "whole numbers" if kind is int else "numbers"
        raise InputError(f"{option} must be comma-separated {what}, got {value!r}") from None


def parse_number(text: str, option: str) -> float:
    """Read a number; InputError with the name of the option where it is none."""
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{option} must be a number, got {text!r}") from None


def parse_by_grid(values: Iterable[str] | None, option: str) -> float | dict[str, float] | None:
    """Read a number, or numbers by the name of a grid.

    Parameters
    ----------
    values : iterable of str or None
        As given, such as ``["2"]`` or ``["near=2", "pacific=6"]``.
    option : str
        For the message, such as ``"--spacing"``.

    Returns
    -------
    number : float, dict of str to float, or None
        None where nothing is given.

    Raises
    ------
    InputError
        If a text is neither, a grid is given twice, or a bare number stands beside others.
    """
    values = list(values or [])
    numbers: dict[str, float] = {}
    for value in values:
        grid, _, number = value.rpartition("=")
        try:
            numbers[grid] = float(number)
        except ValueError:
            raise InputError(f"{option} must be a number or GRID=NUMBER, got {value!r}") from None
    if len(numbers) < len(values) or ("" in numbers and len(values) > 1):
        raise InputError(f"{option} must be one number, or one GRID=NUMBER for each grid, got {' '.join(values)!r}")
    return numbers.get("", numbers or None)
