"""Outlines of several histograms with bins in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._style import line_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_histograms"]


def draw_histograms(
    ax: Axes,
    values: Mapping[str, NDArray[Any]],
    bins: int,
    symbol: str,
    options: Mapping[str, Any],
) -> list[Any]:
    """Draw one outline for each array, counts on a logarithmic scale, and a legend of means.

    Parameters
    ----------
    ax : matplotlib Axes
        Where to draw.
    values : dict of str to array
        Numbers by name.
    bins : int
        Number of bins, the same for all; one of them is centred at zero.
    symbol : str
        What the legend calls a number.
    options : dict
        Passed to ``Axes.stairs``.
    """
    flat = {name: np.ravel(array) for name, array in values.items()}
    edges = edges_around_zero(np.concatenate(list(flat.values())), bins)
    lines = []
    for number, (name, array) in enumerate(flat.items()):
        counts, color = np.histogram(array, edges)[0], line_style(number)["color"]
        label = f"{name}: mean |{symbol}| {abs(array).mean():.3g}"
        ax.stairs(counts, edges, fill=True, color=color, alpha=0.15)
        look = {"color": color, "lw": 1.8, "label": label}
        lines.append(ax.stairs(counts, edges, **look | dict(options)))
    ax.set_yscale("log")
    ax.set_ylim(0.7, None)
    ax.legend(frameon=False)
    return lines


def edges_around_zero(values: NDArray[Any], bins: int) -> NDArray[np.float64]:
    """Edges of equal bins over all values, one of them centred at zero."""
    low, high = min(values.min(), 0.0), max(values.max(), 0.0)
    width = (high - low) / bins or 1.0
    first, last = np.floor(low / width - 0.5), np.ceil(high / width + 0.5)
    return (np.arange(first, last + 1) + 0.5) * width
