"""Errors and warnings: one line with the argument, the rule and the value got."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from reprlib import Repr
from typing import Any

__all__ = ["InputError", "SlipcastWarning", "check_kind", "invalid_setting", "nearest_names", "unknown_name"]


class InputError(ValueError):
    """An input that the user can mend; the command line shows it as one line and exits with 2."""


class SlipcastWarning(UserWarning):
    """A result that is valid but less accurate than its user may expect."""


class _ShortRepr(Repr):
    """Representations of at most about 60 characters, also of arrays and long text."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = 60


_SHORT = _ShortRepr()


def check_kind(value: Any, kinds: type | tuple[type, ...], argument: str, wanted: str) -> None:
    """Refuse a value of a wrong kind in one line.

    Parameters
    ----------
    value : object
        What was given.
    kinds : type or tuple of types
        Kinds that are accepted. ``True`` and ``False`` are numbers only where ``bool`` is listed.
    argument : str
        Name of the argument.
    wanted : str
        The rule in words, e.g. ``"a number of minutes"``.

    Raises
    ------
    InputError
        If the value is of none of the kinds.

    Examples
    --------
    >>> check_kind("20", (int, float), "window_min", "a number of minutes")
    Traceback (most recent call last):
    slipcast.errors.InputError: window_min must be a number of minutes, got '20' (str)
    """
    accepted = kinds if isinstance(kinds, tuple) else (kinds,)
    # bool is a subclass of int, and True metres is a slip of the pen
    fits = isinstance(value, accepted) and (not isinstance(value, bool) or bool in accepted or object in accepted)
    if not fits:
        shown = " ".join(_SHORT.repr(value).split())
        raise InputError(f"{argument} must be {wanted}, got {shown} ({type(value).__name__})")


def nearest_names(name: str, known: Iterable[str], *, count: int = 3) -> list[str]:
    """Return the known names most like a misspelt one.

    Parameters
    ----------
    name : str
        The name that was not found.
    known : iterable of str
        Names that exist.
    count : int, optional
        How many to return at most.

    Returns
    -------
    names : list of str
        Best first; empty where nothing is alike.

    Examples
    --------
    >>> nearest_names("cascadai", ["cascadia", "chile"])
    ['cascadia']
    """
    return get_close_matches(name, list(known), n=count, cutoff=0.5)


def unknown_name(kind: str, name: str, known: Iterable[str], *, where: str = "") -> InputError:
    """Build the error for a name that does not exist, with the nearest ones offered.

    Parameters
    ----------
    kind : str
        What the name should be, e.g. ``"gauge"``.
    name : str
        The name got.
    known : iterable of str
        Names that exist.
    where : str, optional
        Where they exist, e.g. ``"in bank cascadia"``.

    Returns
    -------
    error : InputError
        To be raised by the caller.

    Examples
    --------
    >>> print(unknown_name("region", "chilli", ["cascadia", "chile"]))
    unknown region 'chilli'; nearest: chile
    """
    known = list(known)
    place = f" {where}" if where else ""
    near = nearest_names(name, known)
    if near:
        hint = f"; nearest: {', '.join(near)}"
    elif len(known) <= 12:
        hint = f"; known: {', '.join(known)}"
    else:
        hint = ""
    return InputError(f"unknown {kind} {name!r}{place}{hint}")


def invalid_setting(problem: Any, kind: str, known: Iterable[str]) -> InputError:
    """Word the first problem that pydantic found, an unknown key before all others: key, rule, value got.

    Parameters
    ----------
    problem : pydantic.ValidationError
        With at least one problem.
    kind : str
        What an unknown key should have been, e.g. ``"training setting"``.
    known : iterable of str
        Keys that exist.

    Returns
    -------
    error : InputError
        To be raised by the caller.
    """
    problems = problem.errors()
    # a misspelt key is missing too, and the misspelling is what helps
    first = next((each for each in problems if each["type"] == "extra_forbidden"), problems[0])
    if first["type"] == "extra_forbidden":
        return unknown_name(kind, str(first["loc"][-1]), known)
    key = ".".join(str(part) for part in first["loc"])
    rule = first["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    got = f", got {first['input']!r}" if isinstance(first["input"], str | int | float | tuple) else ""
    return InputError(f"{key} {rule}{got}".lstrip())
