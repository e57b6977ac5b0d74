"""One self-contained HTML page from the sections."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import singledispatch
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from ..plotting._style import settle, style, to_png, to_svg
from ._blocks import Cell, Code, Details, Figure, Points, Section, Step, Table, Text, Tiles
from ._results import Results
from .sections import SECTIONS
from .sections._format import count

__all__ = ["compose_page", "write_page"]


def write_page(results: Results, folder: Path) -> Path:
    """Write ``index.html`` and the folder ``figures``.

    Parameters
    ----------
    results : Results
        Results to show.
    folder : pathlib.Path
        Folder to write to.

    Returns
    -------
    page : pathlib.Path
        Path of the page.
    """
    sections = [section for make in SECTIONS if (section := make(results)) is not None]
    about = results["about"]
    made = about["sklearn_robust"], about["date"][:10]
    return compose_page(_title(results), sections, folder, *made)


def compose_page(
    title: str, sections: Sequence[Section], folder: Path, version: str, date: str
) -> Path:
    """Write ``index.html`` from sections, and their figures to ``figures``.

    Parameters
    ----------
    title : str
        Title of the page.
    sections : list of Section
        What it shows.
    folder : pathlib.Path
        Folder to write to.
    version, date : str
        Version of the library and date of the results.

    Returns
    -------
    page : pathlib.Path
        Path of the page.
    """
    parts = files(__package__)
    page = Template((parts / "page.html").read_text(encoding="utf-8")).substitute(
        style=(parts / "page.css").read_text(encoding="utf-8"),
        title=escape(title),
        version=escape(version),
        date=escape(date),
        links="\n".join(f'<li><a href="#{s.name}">{escape(s.title)}</a></li>' for s in sections),
        sections="\n".join(_section(section, folder) for section in sections),
    )
    path = folder / "index.html"
    path.write_text(page, encoding="utf-8")
    return path


def _title(results: Results) -> str:
    n_nets = len(results.trained)
    nets, models = count(n_nets, "net"), count(len(results.judged) - n_nets, "model")
    what = " and ".join(text for text in (nets, models) if not text.startswith("no "))
    return f"Robustness of {what} on {results['data']['title']}"


def _section(section: Section, folder: Path) -> str:
    blocks = "\n".join(render(block, folder) for block in section.blocks)
    title = f"<h2>{escape(section.title)}</h2>"
    return f'<section id="{section.name}">\n{title}\n{blocks}\n</section>'


def _inline(text: str) -> str:
    """Escape a text and convert its bold and code."""
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escape(text, quote=False))
    return re.sub(r"`(.+?)`", r"<code>\1</code>", text)


@singledispatch
def render(block: Any, folder: Path) -> str:
    """HTML of a block; its files are written to ``folder``."""
    raise TypeError(f"a report cannot show {type(block).__name__}")


@render.register
def _(block: Text, folder: Path) -> str:
    return f"<p>{_inline(block.text)}</p>"


@render.register
def _(block: Points, folder: Path) -> str:
    return "<ul>" + "".join(f"<li>{_inline(point)}</li>" for point in block.points) + "</ul>"


@render.register
def _(block: Code, folder: Path) -> str:
    return f'<pre tabindex="0"><code>{escape(block.text)}</code></pre>'


@render.register
def _(block: Step, folder: Path) -> str:
    code = f'<pre tabindex="0"><code>{escape(block.code)}</code></pre>' if block.code else ""
    return (
        f'<div class="step"><h3>{_inline(block.title)}</h3><p>{_inline(block.why)}</p>{code}</div>'
    )


@render.register
def _(block: Tiles, folder: Path) -> str:
    tiles = "".join(
        f"<div{' class=bound' if bound else ''}><dt>{_inline(label)}</dt><dd>{escape(number)}</dd>"
        "</div>"
        for number, label, bound in block.tiles
    )
    return f'<dl class="tiles">{tiles}</dl>'


@render.register
def _(block: Details, folder: Path) -> str:
    inside = "\n".join(render(part, folder) for part in block.blocks)
    return f"<details><summary>{escape(block.title)}</summary>\n{inside}\n</details>"


@render.register
def _(block: Table, folder: Path) -> str:
    head = "".join(f"<tr>{row}</tr>" for row in _head(block) if row)
    body = "".join(f"<tr>{_row(row)}</tr>" for row in block.rows)
    note = f'<p class="note">{_inline(block.note)}</p>' if block.note else ""
    spans = "".join(f'<colgroup span="{max(1, len(names))}">' for _, names in block.head)
    label = escape(re.sub(r"[*`]", "", block.caption))
    return (
        f'<div class="table{" narrow" if block.narrow else ""}" role="region" tabindex="0" '
        f'aria-label="{label}"><table>'
        f"<caption>{_inline(block.caption)}</caption>{spans}"
        f"<thead>{head}</thead><tbody>{body}</tbody></table></div>{note}"
    )


def _head(block: Table) -> tuple[str, str]:
    """One or two lines of headings; those above words are aligned to the left."""
    span = ' rowspan="2"' if any(names for _, names in block.head) else ""
    cells = block.rows[0] if block.rows else []
    first: list[str] = []
    second: list[str] = []
    place = 0
    for title, names in block.head:
        if names:
            first.append(f'<th scope="colgroup" colspan="{len(names)}">{escape(title)}</th>')
            second += [f'<th scope="col">{escape(name)}</th>' for name in names]
        else:
            words = place < len(cells) and isinstance(cells[place], Cell) and cells[place].words
            kind = ' class="words"' if words else ""
            first.append(f'<th scope="col"{kind}{span}>{escape(title)}</th>')
        place += max(1, len(names))
    return "".join(first), "".join(second)


def _row(cells: list[Any]) -> str:
    heading, *rest = cells
    return f'<th scope="row">{escape(heading)}</th>' + "".join(map(_cell, rest))


def _cell(cell: Any) -> str:
    cell = cell if isinstance(cell, Cell) else Cell(str(cell))
    shade = "" if cell.share is None else f' style="--share:{cell.share:.3f}"'
    text = _inline(cell.text)
    kind = ' class="words"' if cell.words else ""
    return f"<td{kind}{shade}>{f'<strong>{text}</strong>' if cell.best else text}</td>"


@render.register
def _(block: Figure, folder: Path) -> str:
    with style():
        figure = block.draw()
    settle(figure)
    to_png(figure, folder / "figures" / f"{block.name}.png")
    svg = to_svg(figure, block.name)
    named = svg.replace("<svg", f'<svg role="img" aria-label="{escape(block.alt)}"', 1)
    return (
        f'<figure><div class="plot{" narrow" if block.narrow else ""}" tabindex="0">{named}</div>'
        f"<figcaption>{_inline(block.caption)}</figcaption></figure>"
    )
