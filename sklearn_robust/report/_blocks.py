"""What a section of a report is made of: text, tables, figures, as plain data."""

from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Cell", "Code", "Figure", "Points", "Section", "Table", "Text"]


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
class Cell:
    """A cell of a table.

    Attributes
    ----------
    text : str
        What it says.
    share : float or None
        From 0 to 1, how dark its background is; None for none.
    best : bool
        Whether to stress it.
    words : bool
        Whether it holds words, which begin at the left and may take several lines.
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
        What the table shows.
    head : list of (str, list of str)
        Groups of columns and the headings inside each; a group with none is a single column.
    rows : list of list of str or Cell
        The first entry of a row is its heading.
    note : str
        Small print below.
    """

    caption: str
    head: list[tuple[str, list[str]]]
    rows: list[list]
    note: str = ""


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
        What to see in it.
    alt : str
        What it shows, for those who cannot see it.
    """

    name: str
    draw: Callable
    caption: str
    alt: str


@dataclass
class Section:
    """A part of the report with a title of its own."""

    name: str
    title: str
    blocks: list = field(default_factory=list)
