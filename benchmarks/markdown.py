"""Markdown of result pages: tables, numbers in words, and blocks of a page that a script fills."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from slipcast.errors import InputError

__all__ = ["Rows", "digits", "fill", "made_by_words", "percent", "ranged", "table"]


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, text: bool = False) -> str:
    """Write a table.

    Parameters
    ----------
    header : sequence of str
        Titles of the columns.
    rows : sequence of sequences of str
        Cells; each row as long as the header.
    text : bool, optional
        Whether cells are text: by default numbers, to the right in all columns but the first.

    Returns
    -------
    table : str
        Markdown, without a newline at the end.

    Examples
    --------
    >>> print(table(["", "m"], [["slip", "2.0"]]))
    |  | m |
    | --- | ---: |
    | slip | 2.0 |
    """
    lines = [header, ["---"] + (["---"] if text else ["---:"]) * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


class Rows:
    """A table that is printed as its rows come, and kept.

    Parameters
    ----------
    *header : str
        Titles of the columns.
    """

    def __init__(self, *header: str):
        self.header, self.rows = list(header), list[list[str]]()
        sys.stdout.write(f"\n{table(self.header, [])}\n")

    def add(self, *cells: str) -> None:
        """Add a row.

        Raises
        ------
        InputError
            If it has another number of cells than the header.
        """
        if len(cells) != len(self.header):
            raise InputError(f"cells must be {len(self.header)}, as the header, got {len(cells)}")
        self.rows.append(list(cells))
        sys.stdout.write(f"| {' | '.join(cells)} |\n")
        sys.stdout.flush()

    def results(self) -> dict[str, Any]:
        """Return ``header`` and ``rows``, as :func:`benchmarks.provenance.tables` takes them."""
        return {"header": self.header, "rows": self.rows}


def digits(value: float) -> str:
    """Write a number to three digits, never with an exponent.

    Examples
    --------
    >>> digits(0.01234), digits(1.2), digits(12345.6)
    ('0.0123', '1.20', '12346')
    """
    if value == 0 or not np.isfinite(value):
        return f"{value:g}"
    decimals = max(0, 2 - int(np.floor(np.log10(abs(value)))))
    return f"{value:.{min(decimals, 4)}f}"


def percent(share: float) -> str:
    """Write a share as whole percent.

    Examples
    --------
    >>> percent(0.913)
    '91 %'
    """
    return f"{100 * share:.0f} %"


def ranged(values: Mapping[str, float]) -> str:
    """Word a median with the least and the most.

    Examples
    --------
    >>> ranged({"median": 2.5, "least": 1.0, "most": 2000.0})
    '2.50 (1.00 to 2,000)'
    """
    return f"{_short(values['median'])} ({_short(values['least'])} to {_short(values['most'])})"


def _short(value: float) -> str:
    """Write a number >= 0 to three digits, thousands apart."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def made_by_words(made_by: Mapping[str, Any]) -> str:
    """Word the provenance of results: code, commit, and what bank and model they are of."""
    parts = [f"code `{made_by['code']}`", f"commit `{made_by['commit']}`"]
    parts += [f"{name} `{made_by[name]}`" for name in ("bank", "model") if name in made_by]
    return ", ".join(parts)


def fill(text: str, blocks: Mapping[str, str]) -> str:
    r"""Put blocks in their places in a page.

    Parameters
    ----------
    text : str
        With ``<!-- NAME -->`` before each place and ``<!-- end -->`` after it, on lines of their own.
    blocks : mapping of str to str
        What stands there, by name.

    Returns
    -------
    text : str

    Raises
    ------
    InputError
        If a block has no place in the page, or several.

    Examples
    --------
    >>> fill("a\n<!-- b -->\nold\n<!-- end -->\n", {"b": "new"})
    'a\n<!-- b -->\n\nnew\n\n<!-- end -->\n'
    """
    for name, block in blocks.items():
        pattern = rf"(<!-- {re.escape(name)} -->\n).*?(<!-- end -->)"
        text, count = re.subn(
            pattern, lambda found, block=block: f"{found[1]}\n{block}\n\n{found[2]}", text, flags=re.S
        )
        if count != 1:
            raise InputError(f"blocks must each have one place in the page, got {count} of <!-- {name} -->")
    return text
