"""Lines over the layers of one model or several, for two displays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import Bunch

from ._style import line_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

__all__ = ["draw_over_layers", "shared_layers"]

_NAMES = 24  # of layers along an axis


def shared_layers(reports: Mapping[str, Bunch]) -> list[str]:
    """Names of the layers, which all reports must have in common."""
    names = [tuple(report.name) for report in reports.values()]
    if len(set(names)) > 1:
        raise ValueError(
            f"The models have different layers, {list(names[0])} and "
            f"{list(next(other for other in names if other != names[0]))}: draw each by itself."
        )
    return list(names[0])


def draw_over_layers(
    ax: Axes, layers: Sequence[str], curves: Sequence[tuple[str, int, Any, dict[str, Any]]]
) -> list[Line2D]:
    """Draw one line for each curve over the layers, whose names stand on the x axis.

    Of more than 24 layers every second, third or further one is named, in legible letters.

    Parameters
    ----------
    ax : matplotlib Axes
        Axes to draw on.
    layers : list of str
        Names of the layers.
    curves : list of (label, number, values, options)
        Label, number of the colour, one value per layer, and options of the line.

    Returns
    -------
    lines : list of matplotlib Line2D
        One for each curve.
    """
    x = np.arange(len(layers))
    lines: list[Line2D] = []
    for label, number, values, options in curves:
        look: dict[str, Any] = {**line_style(number), "label": label, **options}
        lines += ax.plot(x, values, **look)
    steep = len(layers) > 3 or max(map(len, layers)) > 12
    turn: dict[str, Any] = (
        {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if steep else {}
    )
    step = -(-len(layers) // _NAMES)  # more names would not be legible beside each other
    if len(layers) > 12:
        turn = {"rotation": 90, "fontsize": 8.5}
    ax.set_xticks(x, minor=True)
    ax.set_xticks(x[::step], list(layers)[::step], **turn)
    ax.set_xlim(-0.3, len(layers) - 0.7)
    return lines
