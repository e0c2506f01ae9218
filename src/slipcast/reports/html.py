"""Reports as one HTML file: headings, text, tables and figures, with nothing loaded from a network.

The page is the Jinja2 template ``template.html`` with ``style.css``, beside this module. The figures' script is
embedded once, images as data, and a content security policy in the page forbids every request, so the file can be
mailed, archived and opened without a network.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slipcast.errors import InputError
from slipcast.io.atomic import write_text
from slipcast.io.identity import package_version

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["Figure", "Heading", "Image", "Section", "Table", "Text", "write_report"]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_BUTTONS = ["zoom2d", "pan2d", "resetScale2d", "toImage"]


@dataclass(frozen=True)
class Heading:
    """A heading, listed in the table of contents.

    Attributes
    ----------
    text : str
        Plain text.
    level : int
        2 for a chapter, 3 for a part of one.
    """

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """Plain paragraphs; a blank line begins a new one. Markup is shown as it stands.

    Attributes
    ----------
    text : str
        Plain text.
    """

    text: str


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes
    ----------
    columns : sequence of str
        Names, with units.
    rows : sequence of sequences
        Cells: text or numbers. A float is shown with three significant digits (whole from 1000), None and NaN
        as a dash.
    caption : str
        Above the table.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""


@dataclass(frozen=True)
class Figure:
    """An interactive figure.

    Attributes
    ----------
    figure : plotly.graph_objects.Figure
        See :mod:`slipcast.reports.interactive`; its layout may set a height.
    caption : str
        Below the figure.
    """

    figure: Any
    caption: str = ""


@dataclass(frozen=True)
class Image:
    """A still image, embedded.

    Attributes
    ----------
    png : bytes or path
        A PNG, or the path of one.
    caption : str
        Below the image, and what a screen reader says.
    """

    png: bytes | str | os.PathLike
    caption: str = ""


Section = Heading | Text | Table | Figure | Image


def write_report(path: str | os.PathLike, *, title: str, sections: Sequence[Section]) -> None:
    """Write a report as one HTML file, whole or not at all.

    Parameters
    ----------
    path : path
        The target.
    title : str
        Plain text.
    sections : sequence of Heading, Text, Table, Figure or Image
        In order.

    Raises
    ------
    InputError
        If a section is of another type, a table's row has another length than its columns, an image is no PNG
        or cannot be read, or the target cannot be written.
    """
    shown = [_prepare(section, number) for number, section in enumerate(sections, start=1)]
    script = ""
    if any(isinstance(section, Figure) for section in sections):
        from plotly.offline import get_plotlyjs

        script = get_plotlyjs()
    page = _template().render(
        title=title,
        style=_resource("style.css"),
        script=script,
        chapters=_chapters(sections),
        sections=shown,
        version=package_version(),
    )
    write_text(path, page)


def _resource(name: str) -> str:
    """Read a text that is packaged beside this module."""
    return files("slipcast.reports").joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    """Compile the template of pages; whatever it is given is escaped but for style, script and plotly's figures."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_resource),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("template.html")


def _prepare(section: Section, number: int) -> dict[str, Any]:
    """Check a section, and return what the template shows of it."""
    match section:
        case Heading(text, level):
            if level not in (2, 3):
                raise InputError(f"level of heading {text!r} must be 2 or 3, got {level}")
            return {"kind": "heading", "text": text, "level": level}
        case Text(text):
            paragraphs = (part.strip() for part in text.replace("\r\n", "\n").split("\n\n"))
            return {"kind": "text", "paragraphs": [part for part in paragraphs if part]}
        case Table():
            return {"kind": "table"} | _cells(section)
        case Figure():
            return {"kind": "figure", "html": _figure_html(section, number), "caption": section.caption}
        case Image():
            encoded = base64.b64encode(_png(section)).decode("ascii")
            return {"kind": "image", "data": encoded, "caption": section.caption}
    raise InputError(f"section {number} must be a Heading, Text, Table, Figure or Image, got {type(section).__name__}")


def _chapters(sections: Sequence[Section]) -> list[dict[str, Any]]:
    """List the headings of two levels, with the numbers of their sections, for the table of contents."""
    chapters: list[dict[str, Any]] = []
    for number, section in enumerate(sections, start=1):
        if isinstance(section, Heading):
            entry = {"number": number, "text": section.text, "parts": []}
            (chapters if section.level == 2 or not chapters else chapters[-1]["parts"]).append(entry)
    return chapters


def _is_number(cell: Any) -> bool:
    """Tell whether a cell is set to the right; numpy numbers have these methods too, text has not."""
    return cell is None or (hasattr(cell, "__float__") and not isinstance(cell, bool))


def _cell_text(cell: Any) -> str:
    """Write a cell as text."""
    if cell is None or cell != cell:
        return "–"
    if _is_number(cell) and not hasattr(cell, "__index__"):
        value = float(cell)
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(cell)


def _cells(table: Table) -> dict[str, Any]:
    """Return a table as text, and which of its columns are of numbers."""
    for i, row in enumerate(table.rows):
        if len(row) != len(table.columns):
            raise InputError(f"row {i} of table {table.caption!r} must have {len(table.columns)} cells, got {len(row)}")
    columns = list(zip(*table.rows)) or [()] * len(table.columns)
    return {
        "caption": table.caption,
        "columns": [
            {"name": name, "number": bool(cells) and all(map(_is_number, cells))}
            for name, cells in zip(table.columns, columns)
        ],
        "rows": [[_cell_text(cell) for cell in row] for row in table.rows],
    }


def _figure_html(section: Figure, number: int) -> str:
    """Turn a plotly figure into HTML without its script, which the page holds once."""
    if not hasattr(section.figure, "to_html"):
        raise InputError(f"figure of section {number} must be a plotly figure, got {type(section.figure).__name__}")
    height = section.figure.layout.height or 450
    return section.figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id=f"figure-{number}",
        default_height=f"{height}px",
        config={"responsive": True, "displaylogo": False, "modeBarButtons": [_BUTTONS]},
    )


def _png(section: Image) -> bytes:
    """Return an image, read if need be."""
    if isinstance(section.png, bytes):
        content, name = section.png, "png"
    else:
        name = f"image {section.png}"
        try:
            content = Path(section.png).read_bytes()
        except OSError as error:
            raise InputError(f"cannot read {name}: {error.strerror}") from error
    if not content.startswith(_PNG_SIGNATURE):
        raise InputError(f"{name} must be a PNG, got one that begins with {content[:8]!r}")
    return content
