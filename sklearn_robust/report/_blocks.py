"""Blocks of a section of a report: text, tables and figures as plain data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

__all__ = [
    "Cell",
    "Code",
    "Details",
    "Figure",
    "Points",
    "Section",
    "Step",
    "Table",
    "Text",
    "Tiles",
]


@dataclass
class Text:
    """A paragraph; ``**bold**`` and `` `code` `` are the only markup."""

    text: str


@dataclass
class Points:
    """A list of short paragraphs."""

    points: list[str]


@dataclass
class Code:
    """Lines to type."""

    text: str


@dataclass
class Step:
    """Advice: what to do, why, and the lines to type."""

    title: str
    why: str
    code: str


@dataclass
class Tiles:
    """Large numbers side by side.

    Attributes
    ----------
    tiles : list of (str, str, bool)
        Number, what it is, and whether it is only a bound, which gets a dashed frame.
    """

    tiles: list[tuple[str, str, bool]]


@dataclass
class Cell:
    """A cell of a table.

    Attributes
    ----------
    text : str
        Text of the cell.
    share : float or None
        Darkness of its background, from 0 to 1; None for no background.
    best : bool
        Whether to print it in bold.
    words : bool
        Whether it holds words, which are aligned to the left and may take several lines.
    """

    text: str
    share: float | None = None
    best: bool = False
    words: bool = False


@dataclass
class Table:
    """Rows under one or two lines of headings.

    Attributes
    ----------
    caption : str
        Description of the table.
    head : list of (str, list of str)
        Groups of columns and the headings inside each; a group with none is a single column.
    rows : list of list of str or Cell
        The first entry of a row is its heading.
    note : str
        Small print below.
    narrow : bool
        Whether its words may be broken, so that it fits a phone.
    """

    caption: str
    head: list[tuple[str, list[str]]]
    rows: list[list[Any]]
    note: str = ""
    narrow: bool = False


@dataclass
class Figure:
    """A drawing.

    Attributes
    ----------
    name : str
        Name of its file, without ending.
    draw : callable
        Returns a matplotlib figure.
    caption : str
        Text below the figure.
    alt : str
        Description for readers who cannot see the figure.
    narrow : bool
        Whether it is drawn for the width of a phone.
    """

    name: str
    draw: Callable[[], MplFigure]
    caption: str
    alt: str
    narrow: bool = False


@dataclass
class Details:
    """Blocks that are folded away under a title."""

    title: str
    blocks: list[Any] = field(default_factory=list)


@dataclass
class Section:
    """A part of the report with a title of its own."""

    name: str
    title: str
    blocks: list[Any] = field(default_factory=list)
