"""The look of every drawing: colours that all eyes can tell apart, and helpers for the axes."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "DIVERGING",
    "GRID",
    "INK",
    "MUTED",
    "PAPER",
    "eps_axis",
    "line_style",
    "make_figure",
    "percent_axis",
    "put_labels",
    "settle",
    "shown_radius",
    "spread",
    "style",
    "to_png",
    "to_svg",
    "typed_radius",
]

# Okabe and Ito, "Color universal design", 2008, without black and yellow, which vanish on a dark
# and on a light page; grey comes first and suits a baseline.
PALETTE = ("#767676", "#E69F00", "#009E73", "#0072B2", "#D55E00", "#56B4E9", "#CC79A7")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "h")
DIVERGING = "RdBu_r"  # blue and red differ for every kind of colour vision

INK, MUTED, GRID, PAPER = "#1f2328", "#59636e", "#d1d9e0", "#fefefe"
_ROLES = {INK: "--ink", MUTED: "--muted", GRID: "--grid", PAPER: "--paper"}

_STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "figure.facecolor": PAPER,
    "font.family": "sans-serif",
    "font.size": 9.5,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markeredgecolor": PAPER,
    "lines.markeredgewidth": 0.8,
    "lines.markersize": 6.5,
    "savefig.facecolor": PAPER,
    "text.color": INK,
    "text.parse_math": False,  # a label of the data may have a dollar sign
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
}


@contextmanager
def style() -> Iterator[None]:
    """Context in which matplotlib draws in the library's look; its settings stay as they were."""
    import matplotlib.style

    with matplotlib.style.context(["default", _STYLE]):
        yield


def line_style(number: int) -> dict[str, Any]:
    """Colour and marker of the ``number``-th line; no two of the first 77 share both."""
    return {
        "color": PALETTE[number % len(PALETTE)],
        "marker": MARKERS[number % len(MARKERS)],
    }


def make_figure(width: float = 9.0, height: float = 4.0, **grid: Any) -> tuple[Figure, Any]:
    """Make a figure and its axes without a window; ``grid`` is passed to ``subplots``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(**grid)


def shown_radius(eps: float) -> str:
    """Radius as people write it: 8/255 where that is meant, else the plain number."""
    shades = eps * 255
    whole = round(shades)
    if whole and abs(shades - whole) < 1e-6 and abs(eps - round(eps, 3)) > 1e-9:
        return f"{whole}/255"
    return f"{eps:.4g}"


def typed_radius(eps: float) -> str:
    """Radius to type: as people write it, or with all digits where that is another number."""
    shown = shown_radius(eps)
    number, _, shades = shown.partition("/")
    same = abs(float(number) / float(shades or 1) - eps) < 1e-9 * eps
    return shown if same else repr(float(eps))


def percent_axis(axis: Axes, label: str = "accuracy (%)") -> None:
    """Show shares from 0 to 1 on a y axis as percentages."""
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    axis.set(ylim=(-0.02, 1.02), ylabel=label)
    axis.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axis.yaxis.set_major_formatter(PercentFormatter(1, symbol="", decimals=0))


def eps_axis(
    axis: Axes,
    eps: Sequence[float],
    n_ticks: int = 6,
    prune: str | None = None,
    norm: str = "linf",
) -> None:
    """Label an x axis as the radius, in units of 1/255 where the radii are multiples of it."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

    top, label = max(eps), f"eps ({norm} radius)"
    if any("/" in shown_radius(radius) for radius in eps):
        axis.xaxis.set_major_locator(MultipleLocator(max(1, round(top * 255 / n_ticks)) / 255))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{round(x * 255)}"))
        label = f"eps ({norm} radius, of 255)"
    else:
        axis.xaxis.set_major_locator(MaxNLocator(n_ticks, steps=[1, 2, 2.5, 5, 10], prune=prune))
    axis.set(xlim=(-0.02 * top, 1.02 * top), xlabel=label)


def spread(values: ArrayLike, gap: float) -> NDArray[np.float64]:
    """Positions near ``values``, in their order, at least ``gap`` apart."""
    order = np.argsort(values, kind="stable")
    placed = np.asarray(values, dtype=float)[order]
    for _ in range(200):
        lacking = np.maximum(gap - np.diff(placed), 0) / 2
        if not lacking.any():
            break
        placed[:-1] -= lacking
        placed[1:] += lacking
    result = np.empty_like(placed)
    result[order] = placed
    return result


def put_labels(
    axis: Axes,
    x: ArrayLike,
    y: ArrayLike,
    labels: Sequence[str],
    width: float = 0.14,
    height: float = 0.055,
) -> None:
    """Write labels to the right of points, none on top of another.

    ``width`` and ``height`` of a label are shares of the axes; set limits and scales before.
    """
    from matplotlib.transforms import offset_copy

    points = axis.transData.transform(np.column_stack([x, y]))
    points = axis.transAxes.inverted().transform(points)
    figure = axis.get_figure(root=True)
    beside = offset_copy(axis.transAxes, figure, x=9, units="points")
    order = np.argsort(points[:, 0])
    breaks = np.flatnonzero(np.diff(points[order, 0]) > width) + 1
    for rows in np.split(order, breaks):
        for row, place in zip(rows, spread(points[rows, 1], height), strict=True):
            axis.text(points[row, 0], place, labels[row], transform=beside, va="center")


def settle(figure: Figure) -> None:
    """Lay a figure out once, for all the files that are made of it."""
    engine = figure.get_layout_engine()
    if engine is not None:
        with style():
            engine.execute(figure)
        figure.set_layout_engine("none")


def to_png(figure: Figure, path: str | PathLike[str], dpi: int = 160) -> None:
    """Write the figure as a bitmap on white."""
    with style():
        figure.savefig(path, dpi=dpi, format="png", metadata={"Software": None})


def to_svg(figure: Figure, prefix: str) -> str:
    """Figure as one ``<svg>`` element for a web page, with its text as text.

    Text, lines and grid take the page's colours (the CSS variables ``--ink``, ``--muted``,
    ``--grid`` and ``--paper``), so that the figure is readable on a dark page too. Every id begins
    with ``prefix``.
    """
    import matplotlib

    stream = io.StringIO()
    with style(), matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": prefix}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font: \1 var(--sans)", svg)
    for color, role in _ROLES.items():
        svg = svg.replace(color, f"var({role})")
    return svg
