"""Heat maps of classes with their trees, names and scale of colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import dendrogram

from ._style import INK, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.image import AxesImage
    from matplotlib.text import Text

__all__ = ["color_scale", "heat_map", "make_room", "trees"]

_GAP, _HEIGHT = 0.02, 0.2  # of the trees, in widths of a heat map


def make_room(axis: Axes) -> None:
    """Make room for the trees above and to the left of a heat map, if no layout does."""
    if not _is_laid_out(axis):
        x0, y0, width, height = axis.get_position(original=True).bounds
        width, height = width / (1 + _GAP + _HEIGHT), height / (1 + _GAP + _HEIGHT)
        axis.set_position((x0 + (_GAP + _HEIGHT) * width, y0, width, height))


def _figure(axis: Axes) -> Any:
    """Figure of the axes, or its part that holds them."""
    return axis.figure


def _is_laid_out(axis: Axes) -> bool:
    return _figure(axis).get_layout_engine() is not None


def heat_map(
    axis: Axes,
    correlation: NDArray[Any],
    tree: NDArray[Any],
    labels: NDArray[Any] | None,
    classes: Sequence[Any],
    look: dict[str, Any],
) -> AxesImage:
    """Draw cosines in the order of the leaves, and frames around clusters if there are labels."""
    leaves = dendrogram(tree, no_plot=True)["leaves"]
    if labels is not None:
        _frame(axis, labels[leaves])
    image = axis.imshow(correlation[np.ix_(leaves, leaves)], **look)
    names = [str(classes[leaf]) for leaf in leaves]
    axis.set_xticks(range(len(leaves)), names)
    axis.set_yticks(range(len(leaves)), names)
    axis.yaxis.tick_right()
    axis.tick_params(length=0)
    _fit_names(axis)
    axis.grid(False)
    return image


def _fit_names(axis: Axes) -> None:
    """Make names as small as their rows, and upright where they are wider than their columns."""
    beside, below = axis.get_yticklabels(), axis.get_xticklabels()
    pitch = min(axis.bbox.size) / len(beside)  # pixels per class
    points = max(0.7 * pitch * 72 / _figure(axis).dpi, 2)
    for letter in beside + below:
        letter.set_fontsize(min(letter.get_fontsize(), points))
    for letter in below:
        letter.set_rotation(90 if _width(beside) > 0.8 * pitch else 0)


def _width(letters: Sequence[Text]) -> float:
    """Width of the longest name in pixels."""
    return max(letter.get_window_extent().width for letter in letters)


def trees(axis: Axes, linkage_matrix: NDArray[Any], top: float) -> tuple[Axes, Axes]:
    """Draw the tree above a heat map and to its left; both move with the heat map."""
    tree = dendrogram(linkage_matrix, no_plot=True)
    above = axis.inset_axes((0, 1 + _GAP, 1, _HEIGHT), sharex=axis)
    beside = axis.inset_axes((-_GAP - _HEIGHT, 0, _HEIGHT, 1), sharey=axis)
    for places, heights in zip(np.array(tree["icoord"]), tree["dcoord"], strict=True):
        places = (places - 5) / 10  # in units of one class
        above.plot(places, heights, color=MUTED, linewidth=1.2)
        beside.plot(heights, places, color=MUTED, linewidth=1.2)
    above.set_ylim(0, top)
    beside.set_xlim(top, 0)
    for inset in (above, beside):
        inset.set_axis_off()
    return above, beside


def _frame(axis: Axes, labels: NDArray[Any]) -> None:
    """Frame runs of equal labels along the diagonal."""
    from matplotlib.patches import Rectangle

    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(labels)], strict=True):
        side = stop - start
        square = Rectangle((start - 0.5, start - 0.5), side, side, fill=False, ec=INK, lw=1.8)
        square.set_clip_on(False)
        axis.add_patch(square)


def color_scale(images: Sequence[AxesImage], wanted: bool) -> Colorbar | None:
    """Draw the scale that heat maps share, to the right of all names, if it is wanted."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    axes: list[Any] = [image.axes for image in images]
    several, free = len(axes) > 1, not _is_laid_out(axes[0])
    place: dict[str, Any] = {"ax": axes if several else axes[0], "shrink": 0.75 if several else 1}
    if free:
        for axis in axes:
            _make_room_for_names(axis, beside=several or not wanted)
        place["use_gridspec"] = False
    if not isinstance(axes[0].figure.get_layout_engine(), ConstrainedLayoutEngine):
        left, right = axes[0].get_position(original=True), axes[-1].get_position(original=True)
        pad = 0.03 + _share(axes[-1], "width") / (right.x1 - left.x0)
        place["pad"] = min(pad, 0.6)
    if not wanted:
        return None
    label, ticks = "cosine of the classes' weights", [-1, -0.5, 0, 0.5, 1]
    scale = axes[0].figure.colorbar(images[-1], label=label, ticks=ticks, **place)
    if free:
        for axis in axes:
            _fit_names(axis)
    if free and not several:  # as high as the square of the heat map
        axes[0].apply_aspect()
        box, own = axes[0].get_position(), scale.ax.get_position(original=True)
        scale.ax.set_position([own.x0, box.y0, own.width, box.height])
    return scale


def _share(axis: Axes, side: str) -> float:
    """Length of the longest name of a heat map, as a share of the figure's width or height."""
    box = axis.figure.bbox
    return _width(axis.get_yticklabels()) / (box.width if side == "width" else box.height)


def _make_room_for_names(axis: Axes, beside: bool) -> None:
    x0, y0, width, height = axis.get_position(original=True).bounds
    right = min(1.2 * _share(axis, "width"), 0.5 * width) if beside else 0
    below = min(_share(axis, "height"), 0.5 * height)
    axis.set_position((x0, y0 + below, width - right, height - below))
    _fit_names(axis)
