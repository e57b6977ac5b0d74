"""Decision regions of nets over a plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...plotting._style import INK, PALETTE, PAPER, make_figure
from .._blocks import Figure, Section
from .._results import Results
from ._format import percent, strength

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

__all__ = ["regions"]

_N_POINTS = 250
_COLORS = (PALETTE[3], PALETTE[1], *PALETTE[2:3], *PALETTE[4:])
_SHAPES = ("o", "s", "^", "D", "v", "P", "X")


def regions(results: Results) -> Section | None:
    """Section with the boundaries of each net, and the points that an attack moves across."""
    found = results.get("regions")
    if found is None:
        return None
    figure = Figure("regions", lambda: _draw(results), _caption(found), _alt(results))
    return Section("regions", "Where the boundaries run", [figure])


def _caption(found: dict[str, Any]) -> str:
    return (
        "Background: the class that the net predicts there. Points are test samples in the colour "
        "and shape of their class; those that are errors in the worst case at "
        f"{strength(found['eps'])} are crossed out, and the square around one of them holds all "
        "points that the attack may reach from there. Titles give the accuracy in the worst case."
    )


def _alt(results: Results) -> str:
    eps, nets = results["regions"]["eps"], _nets(results)
    rows = [
        f"{name} loses {int(np.sum(~results.mask(name, eps)))}"
        for name in results.attacked
        if name in nets
    ]
    n = results["data"]["n_test"]
    return f"Decision regions of each net in the plane; of {n} points, {', '.join(rows)}."


def _nets(results: Results) -> list[str]:
    """Nets whose regions were found, best first."""
    return [n for n in results["summary"]["ranking"] if f"regions/{n}" in results.arrays]


def _draw(results: Results, n_columns: int = 3) -> MplFigure:
    names = _nets(results)
    n_rows = -(-len(names) // n_columns)
    low_x, high_x, low_y, high_y = results["regions"]["extent"]
    ratio = np.clip((high_y - low_y) / (high_x - low_x), 0.5, 1.2)
    figure, axes = make_figure(
        9,
        0.4 + (2.75 * ratio + 0.4) * n_rows,
        nrows=n_rows,
        ncols=n_columns,
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    for axis, name in zip(axes.flat, names, strict=False):
        _draw_net(axis, results, name)
    for axis in axes[:, 0]:
        axis.set_ylabel("feature 2")
    for place in range(max(0, len(names) - n_columns), len(names)):
        axes.flat[place].set_xlabel("feature 1")
        axes.flat[place].xaxis.set_tick_params(labelbottom=True)
    return figure


def _draw_net(axis: Any, results: Results, name: str) -> None:
    found, arrays = results["regions"], results.arrays
    codes, points = arrays["regions/codes"][:_N_POINTS], arrays["regions/points"][:_N_POINTS]
    kept = results.mask(name, found["eps"])[:_N_POINTS]
    _fill(axis, arrays[f"regions/{name}"], found["extent"])
    for code in np.unique(codes):
        shape, color = _SHAPES[code % len(_SHAPES)], _COLORS[code % len(_COLORS)]
        line = {"marker": shape, "edgecolor": PAPER, "linewidth": 0.5}
        axis.scatter(*points[codes == code].T, s=17, color=color, **line)
    axis.scatter(*points[~kept].T, s=26, color=INK, marker="x", linewidth=1.3)
    if not kept.all():
        _draw_ball(axis, points[~kept][0], found["eps"])
    axis.set_title(f"{name}: {percent(float(np.mean(results.mask(name, found['eps']))))}")
    axis.grid(visible=False)
    axis.set(xlim=found["extent"][:2], ylim=found["extent"][2:])


def _draw_ball(axis: Any, point: NDArray[Any], eps: float) -> None:
    from matplotlib.patches import Rectangle

    corner = float(point[0] - eps), float(point[1] - eps)
    square = Rectangle(corner, 2 * eps, 2 * eps, fill=False, edgecolor=INK, linewidth=1.2)
    axis.add_patch(square)


def _fill(axis: Any, plane: NDArray[Any], extent: list[float]) -> None:
    from matplotlib.colors import to_rgba

    image = np.array([to_rgba(color, 0.28) for color in _COLORS])[plane % len(_COLORS)]
    axis.imshow(image, extent=extent, origin="lower", aspect="auto", interpolation="none")
