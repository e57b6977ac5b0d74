"""Format of numbers, names and lines in all sections, and the blocks of a study."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ...plotting._style import line_style, shown_radius
from .._blocks import Text
from .._results import Results
from .._settings import NETS, net_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "CERTAIN",
    "count",
    "hollow",
    "look",
    "name_nets",
    "number",
    "percent",
    "strength",
    "study_blocks",
]

CERTAIN = "95\N{NO-BREAK SPACE}%"  # of the intervals


def percent(share: float | None, unit: str = "\N{NO-BREAK SPACE}%") -> str:
    """Share as a percentage with one decimal, or a dash where there is none."""
    return "–" if share is None else f"{100 * share:.1f}{unit}"


def count(n: int, noun: str) -> str:
    """Write a number with its noun, as a word if it is small."""
    small = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    text = small[n] if n < len(small) else f"{n:,}"
    return f"{text} {noun}{'' if n == 1 else 's'}"


def number(value: float | None, digits: int = 3) -> str:
    """Write a number with so many significant digits, or a dash where there is none."""
    if value is None:
        return "–"
    text = f"{value:#.{digits}g}" if 1e-4 <= abs(value) < 1e5 or not value else f"{value:.1e}"
    return text.rstrip(".").replace("-", "−")


def strength(eps: float) -> str:
    """Strength of an attack, as "eps = 0.1"."""
    return f"eps\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{shown_radius(eps)}"


def look(name: str, results: Results | None = None) -> dict[str, Any]:
    """Colour and marker of a net, or of a model of these results."""
    if name in NETS or results is None:
        return line_style(net_number(name))
    models = [other for other in results["nets"] if other not in NETS]
    return line_style(len(NETS) + models.index(name))


def hollow(color: str) -> dict[str, Any]:
    """Line with hollow marks and dashes, of numbers that are only an upper bound."""
    return {"mfc": "none", "mec": color, "mew": 1.6, "ls": "--"}


def name_nets(figure: Figure, names: Iterable[str], **line: Any) -> None:
    """Replace the legends of all axes by one above them."""
    from matplotlib.lines import Line2D

    for axis in figure.axes:
        legend = axis.get_legend()
        if legend:
            legend.remove()
    lines = [Line2D([], [], label=name, **look(name) | line) for name in names]
    figure.legend(handles=lines, loc="outside upper left", ncols=min(5, len(lines)))


def study_blocks(
    results: Results,
    study: str,
    what: str,
    show: Callable[[Results, dict[str, Any]], list[Any]],
) -> list[Any]:
    """Blocks of one study, or a sentence on why there are none.

    Parameters
    ----------
    results : Results
        Results of the comparison.
    study : str
        Name of the study.
    what : str
        What it shows, as part of a sentence.
    show : callable
        ``show(results, facts)`` returns the blocks.

    Returns
    -------
    blocks : list
        Empty if the comparison was interrupted before the study.
    """
    facts = results["studies"].get(study)
    if facts is None:
        return []
    if "missing" in facts:
        return [Text(f"There is no picture of {what} here: {facts['missing'].rstrip('.')}.")]
    return [*show(results, facts), *(Text(f"Note: {note}") for note in facts["notes"])]
