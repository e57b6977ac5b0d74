"""What the sections on studies share."""

from .._blocks import Text
from ._words import look

__all__ = ["blocks_of", "name_nets", "number"]


def blocks_of(results, study, what, show):
    """Blocks of one study, or a sentence on why there are none.

    Parameters
    ----------
    results : Results
        What was found.
    study : str
        Name of the study.
    what : str
        What it shows, in words.
    show : callable
        ``show(results, facts)`` returns the blocks.

    Returns
    -------
    blocks : list
        Empty if an interruption came before the study.
    """
    facts = results["studies"].get(study)
    if facts is None:
        return []
    if "missing" in facts:
        return [Text(f"There is no picture of {what} here: {facts['missing'].rstrip('.')}.")]
    return [*show(results, facts), *(Text(f"Note: {note}") for note in facts["notes"])]


def number(value, digits=3):
    """Write a number with so many significant digits, or a dash where there is none."""
    if value is None:
        return "–"
    text = f"{value:#.{digits}g}" if 1e-4 <= abs(value) < 1e5 or not value else f"{value:.1e}"
    return text.rstrip(".").replace("-", "−")


def name_nets(figure, names, **line):
    """Write one legend above all axes, in place of theirs."""
    from matplotlib.lines import Line2D

    for axis in figure.axes:
        if axis.get_legend():
            axis.get_legend().remove()
    lines = [Line2D([], [], label=name, **look(name) | line) for name in names]
    figure.legend(handles=lines, loc="outside upper left", ncols=min(5, len(lines)))
