"""Short summaries of results: a few lines of text, and a small table in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

__all__ = ["Summarised", "Summary", "shortened"]


@dataclass(frozen=True)
class Summary:
    """A few facts on a result.

    Attributes
    ----------
    title : str
        What it is.
    facts : sequence of (str, str)
        Names and values, with units.
    columns : sequence of str, optional
        Of a small table under the facts.
    rows : sequence of sequences of str, optional
        Its cells.
    """

    title: str
    facts: Sequence[tuple[str, str]] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = field(default=())

    def text(self) -> str:
        """Return the summary as lines of text."""
        width = max((len(name) for name, _ in self.facts), default=0)
        lines = [f"<{self.title}>", *(f"  {name:<{width}}  {value}" for name, value in self.facts)]
        table = [self.columns, *self.rows] if self.rows else []
        widths = [max(map(len, cells)) for cells in zip(*table)]
        lines += ["  " + "  ".join(f"{cell:<{size}}" for cell, size in zip(row, widths)).rstrip() for row in table]
        return "\n".join(lines)

    def html(self) -> str:
        """Return the summary as HTML, escaped, in the colours of the page that it stands on."""
        facts = "".join(f"<tr>{_cell(name, 'th')}{_cell(value)}</tr>" for name, value in self.facts)
        parts = [f"<div><strong>{escape(self.title)}</strong>", f"<table>{facts}</table>" if facts else ""]
        if self.rows:
            head = "".join(_cell(name, "th") for name in self.columns)
            body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in self.rows)
            parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
        return "".join(parts) + "</div>"


def _cell(text: str, tag: str = "td") -> str:
    """Return one cell of a table."""
    return f'<{tag} style="text-align: left">{escape(text)}</{tag}>'


class Summarised:
    """Base of results that show themselves: ``repr`` and a table in a notebook, both from :meth:`_summary`.

    A dataclass that has this base is made with ``repr=False``, or it would replace the one here.
    """

    def _summary(self) -> Summary:
        """Return what to show, without reading large arrays."""
        raise NotImplementedError(f"{type(self).__name__} has no summary")

    def __repr__(self) -> str:
        return self._summary().text()

    def _repr_html_(self) -> str:
        return self._summary().html()


def shortened(names: Iterable[str], most: int = 8) -> str:
    """Join names, the first few and the number of the others where there are many.

    Examples
    --------
    >>> shortened(["46404", "46407", "46419"], 2)
    '46404, 46407 and 1 more'
    """
    listed = list(names)
    more = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {more} more" if more > 0 else "") if listed else "none"
