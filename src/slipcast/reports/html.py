"""One offline page: headings, text, tables and figures in a single HTML file that loads nothing.

The figures' script is embedded once, images as data, and a content security policy in the page forbids every
request, so the file can be mailed, archived and opened without a network.
"""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipcast.errors import InputError
from slipcast.io.atomic import write_text
from slipcast.io.identity import package_version

__all__ = ["Figure", "Heading", "Image", "Section", "Table", "Text", "write_report"]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'; "
    "img-src data: blob:; font-src data:; worker-src blob:"
)

_BUTTONS = ["zoom2d", "pan2d", "resetScale2d", "toImage"]

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #ffffff; --line: #d8dee4;
  --stripe: #f6f8fa; --link: #0058a3; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --soft: #a3abb5; --paper: #14171b;
  --line: #353b43; --stripe: #1d2127; --link: #7dbbf5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1.25rem 3rem; max-width: 62rem; background: var(--paper);
  color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  overflow-wrap: break-word; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0.5rem 0 1rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 0.75rem; padding-top: 0.75rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.75rem 0 0.5rem; }
p { margin: 0 0 0.9rem; max-width: 46rem; }
a { color: var(--link); }
nav { padding: 0.75rem 1rem; background: var(--stripe); border-radius: 8px; }
nav ol { margin: 0.25rem 0 0; padding-left: 1.4rem; }
nav ol ol { margin: 0; }
figure { margin: 1.25rem 0 1.75rem; }
figcaption, caption, footer { color: var(--soft); font-size: 0.9rem; }
figcaption { margin-top: 0.5rem; max-width: 46rem; }
.card { background: #ffffff; border: 1px solid var(--line); border-radius: 8px; padding: 0.5rem;
  overflow: hidden; }
.card img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
.scroll { overflow-x: auto; margin: 1.25rem 0 1.75rem; }
table { border-collapse: collapse; font-size: 0.92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: 0.5rem; }
th, td { padding: 0.35rem 0.8rem; border-bottom: 1px solid var(--line); text-align: left;
  white-space: nowrap; }
thead th { border-bottom: 2px solid var(--soft); }
tbody tr:nth-child(even) { background: var(--stripe); }
th.number, td.number { text-align: right; }
footer { margin-top: 3rem; padding-top: 0.75rem; border-top: 1px solid var(--line); }
@media (max-width: 600px) { body { padding: 1rem 0.75rem 2rem; font-size: 15px; } h1 { font-size: 1.4rem; }
  .card { padding: 0.15rem; } }
@media print { :root { --ink: #000; --soft: #444; --paper: #fff; --stripe: #fff; --link: #000; }
  nav, .modebar { display: none; } figure, table, tr { break-inside: avoid; } h2, h3 { break-after: avoid; } }
"""


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
    body = [_render(section, number) for number, section in enumerate(sections, start=1)]
    script = ""
    if any(isinstance(section, Figure) for section in sections):
        from plotly.offline import get_plotlyjs

        script = f"<script>{get_plotlyjs()}</script>\n"
    shown = html.escape(title)
    write_text(
        path,
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{shown}</title>\n<style>{_STYLE}</style>\n{script}</head>\n<body>\n"
        f"<h1>{shown}</h1>\n{_contents(sections)}<main>\n" + "\n".join(body) + "\n</main>\n"
        f"<footer>Made by slipcast {html.escape(package_version())}.</footer>\n</body>\n</html>\n",
    )


def _render(section: Section, number: int) -> str:
    """Turn the section with a number into HTML."""
    match section:
        case Heading(text, level):
            if level not in (2, 3):
                raise InputError(f"level of heading {text!r} must be 2 or 3, got {level}")
            return f'<h{level} id="section-{number}">{html.escape(text)}</h{level}>'
        case Text(text):
            paragraphs = (part.strip() for part in text.replace("\r\n", "\n").split("\n\n"))
            return "\n".join(f"<p>{html.escape(part)}</p>" for part in paragraphs if part)
        case Table():
            return _render_table(section)
        case Figure():
            return _render_figure(section, number)
        case Image():
            return _render_image(section)
    raise InputError(f"section {number} must be a Heading, Text, Table, Figure or Image, got {type(section).__name__}")


def _contents(sections: Sequence[Section]) -> str:
    """Write the table of contents, of two levels; nothing where there is no heading."""
    chapters: list[tuple[str, list[str]]] = []
    for number, section in enumerate(sections, start=1):
        if isinstance(section, Heading):
            link = f'<a href="#section-{number}">{html.escape(section.text)}</a>'
            if section.level == 2 or not chapters:
                chapters.append((link, []))
            else:
                chapters[-1][1].append(f"<li>{link}</li>")
    if not chapters:
        return ""
    items = (f"<li>{link}" + (f"<ol>{''.join(parts)}</ol>" if parts else "") + "</li>" for link, parts in chapters)
    return '<nav aria-label="Contents">Contents<ol>\n' + "\n".join(items) + "\n</ol></nav>\n"


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


def _render_table(table: Table) -> str:
    """Turn a table into HTML; it scrolls sideways by itself on a narrow screen."""
    for i, row in enumerate(table.rows):
        if len(row) != len(table.columns):
            raise InputError(f"row {i} of table {table.caption!r} must have {len(table.columns)} cells, got {len(row)}")
    columns = list(zip(*table.rows)) or [()] * len(table.columns)
    kinds = [' class="number"' if cells and all(map(_is_number, cells)) else "" for cells in columns]
    heads = "".join(f'<th scope="col"{kind}>{html.escape(str(name))}</th>' for name, kind in zip(table.columns, kinds))
    rows = "\n".join(
        "<tr>" + "".join(f"<td{kind}>{html.escape(_cell_text(cell))}</td>" for cell, kind in zip(row, kinds)) + "</tr>"
        for row in table.rows
    )
    caption = f"<caption>{html.escape(table.caption)}</caption>" if table.caption else ""
    body = f"<thead><tr>{heads}</tr></thead>\n<tbody>{rows}</tbody>"
    return f'<div class="scroll"><table>{caption}{body}</table></div>'


def _with_caption(content: str, caption: str) -> str:
    """Put content on a white card, light in both themes, with a caption under it."""
    words = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return f'<figure><div class="card">{content}</div>{words}</figure>'


def _render_figure(section: Figure, number: int) -> str:
    """Turn a plotly figure into HTML without its script, which the page holds once."""
    if not hasattr(section.figure, "to_html"):
        raise InputError(f"figure of section {number} must be a plotly figure, got {type(section.figure).__name__}")
    height = section.figure.layout.height or 450
    content = section.figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id=f"figure-{number}",
        default_height=f"{height}px",
        config={"responsive": True, "displaylogo": False, "modeBarButtons": [_BUTTONS]},
    )
    return _with_caption(content, section.caption)


def _render_image(section: Image) -> str:
    """Turn a PNG into HTML that holds it."""
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
    encoded = base64.b64encode(content).decode("ascii")
    alt = html.escape(section.caption, quote=True)
    return _with_caption(f'<img alt="{alt}" src="data:image/png;base64,{encoded}">', section.caption)
