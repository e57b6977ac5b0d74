"""Drawings of surfaces over a plane: bands, lines, a mesh or in three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Bunch

from .._display import axes_for, pyplot_for
from .._style import INK, PALETTE, PAPER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize

__all__ = [
    "METHODS",
    "Scale",
    "class_scale",
    "draw_arrows",
    "draw_boundary",
    "draw_colorbar",
    "draw_surface",
    "draw_together",
    "draw_trajectory",
    "finish_axes",
    "value_scale",
]

METHODS = ("contourf", "contour", "pcolormesh", "surface")
_N_LEVELS = 20


class Scale:
    """Colours of a surface, shared by all that are compared.

    Parameters
    ----------
    low, high : float
        Ends of the colour scale.
    cmap : str or Colormap
        Colours between these ends.
    levels : array
        Values at which one band of colour ends and the next begins.
    classes : array, default=None
        Labels, where the values are positions among them.
    azimuth : float, default=-125
        Direction in degrees from which solid surfaces are seen.
    """

    def __init__(
        self,
        low: float,
        high: float,
        cmap: str | Colormap,
        levels: ArrayLike,
        classes: NDArray[Any] | None = None,
        azimuth: float = -125.0,
    ) -> None:
        self.low, self.high, self.cmap, self.levels = low, high, cmap, levels
        self.classes, self.azimuth = classes, azimuth

    @property
    def norm(self) -> Normalize:
        """New matplotlib normalisation."""
        from matplotlib.colors import Normalize

        return Normalize(self.low, self.high)


def value_scale(values: Sequence[NDArray[Any]], *, centered: bool) -> Scale:
    """Scale for several arrays of numbers; a centered one is blue above 0 and red below."""
    from matplotlib.ticker import MaxNLocator

    low, high = (float(f([f(v) for v in values])) for f in (np.min, np.max))
    if centered:
        high = max(-low, high) or 1.0
        low = -high
    if high <= low:
        low, high = low - 0.5, high + 0.5
    levels = MaxNLocator(_N_LEVELS, symmetric=centered).tick_values(low, high)
    cmap = "RdBu" if centered else "viridis"
    return Scale(levels[0], levels[-1], cmap, levels, azimuth=_azimuth(values))


def class_scale(labels: Sequence[NDArray[Any]]) -> Scale:
    """Scale for several arrays of labels, one colour for each label."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    classes = np.unique(np.concatenate([np.ravel(part) for part in labels]))
    colors = PALETTE if len(classes) <= len(PALETTE) else colormaps["tab20"](range(20))
    cmap = ListedColormap([colors[k % len(colors)] for k in range(len(classes))])
    edges = np.arange(len(classes) + 1) - 0.5
    return Scale(-0.5, len(classes) - 0.5, cmap, edges, classes)


def draw_surface(
    ax: Any,
    xx0: NDArray[Any],
    xx1: NDArray[Any],
    values: NDArray[Any],
    method: str,
    scale: Scale,
    **kwargs: Any,
) -> Any:
    """Draw the values over the plane; return the artist that a colour bar describes."""
    if scale.classes is not None:
        values = np.searchsorted(scale.classes, values)
        method = method if method == "surface" else "pcolormesh"
    options: dict[str, Any] = {"cmap": scale.cmap, "norm": scale.norm}
    if method == "surface":
        options |= {"rstride": 1, "cstride": 1, "linewidth": 0, "antialiased": True}
        return ax.plot_surface(xx0, xx1, values, **options | kwargs)
    if method == "pcolormesh":
        return ax.pcolormesh(xx0, xx1, values, **{"shading": "nearest"} | options | kwargs)
    return getattr(ax, method)(xx0, xx1, values, **{"levels": scale.levels} | options | kwargs)


def _outlined(width: float) -> list[Any]:
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground=PAPER)]


def finish_axes(ax: Any, xx0: NDArray[Any], scale: Scale, solid: bool) -> None:
    """Give both coordinates the same scale; show all of a solid surface, on the scale's height."""
    ends = xx0.min(), xx0.max()
    ax.set(xlim=ends, ylim=ends)
    ax.locator_params(axis="both", nbins=5)
    if solid:
        ax.set_box_aspect((1, 1, 0.7), zoom=0.8)
        ax.set_zlim(scale.low, scale.high)
        ax.view_init(elev=35, azim=scale.azimuth)
        ax.tick_params(labelsize=8.5)
        ax.xaxis.labelpad = ax.yaxis.labelpad = 6
    else:
        ax.set_aspect("equal")
        ax.plot(0, 0, marker="o", ms=5, mfc=PAPER, mec=INK, zorder=7)


def _azimuth(surfaces: Sequence[NDArray[Any]]) -> float:
    """Direction to look from, over the low side of the surfaces, so that no slope is hidden.

    The axis along which they fall more runs away from the eye.
    """
    falls = np.zeros(2)
    for values in surfaces:
        for axis, v in enumerate((np.transpose(values), values)):
            half = len(v) // 2
            falls[axis] += float(np.mean(v[:half]) - np.mean(v[len(v) - half :]))
    x, y = np.where(falls > 0, 1.0, -1.0)
    steep_y = abs(falls[1]) >= abs(falls[0])
    return float(
        np.degrees(np.arctan2(y * (0.82 if steep_y else 0.57), x * (0.57 if steep_y else 0.82)))
    )


def draw_boundary(ax: Axes, xx0: NDArray[Any], xx1: NDArray[Any], margin: NDArray[Any]) -> Any:
    """Draw the line S = 0, if it crosses the plane."""
    if not margin.min() < 0 < margin.max():
        return None
    lines = ax.contour(xx0, xx1, margin, levels=[0], colors=INK, linewidths=1.6, zorder=3)
    if ax.name != "3d":
        lines.set(path_effects=_outlined(3.2))
    return lines


def draw_arrows(
    ax: Axes, distances: Sequence[float], radius: float, path: NDArray[Any] | None = None
) -> list[Any]:
    """Draw an arrow from the sample to the boundary along each axis that reaches it.

    Its length stands beyond the tip, or beside the arrow on the side that a ``path`` (n_steps, 2)
    does not take.
    """
    return [
        artist
        for axis, distance in enumerate(distances)
        if 0 < distance < np.inf
        for artist in _arrow(ax, distance, axis, radius, path)
    ]


def _arrow(
    ax: Any, distance: float, axis: int, radius: float, path: NDArray[Any] | None
) -> tuple[Any, Any]:
    """Draw one arrow and its length beside it."""
    tip = np.eye(2)[axis]
    line = {"arrowstyle": "-|>", "color": INK, "lw": 1.8, "shrinkA": 0, "shrinkB": 0}
    arrow: Any = ax.annotate("", distance * tip, (0, 0), arrowprops=line, zorder=4)
    arrow.arrow_patch.set_path_effects(_outlined(3.6))
    # The length stands beyond the tip, or beside the middle of an arrow that ends at the edge.
    beyond = distance < 0.75 * radius and path is None
    side = 1.0 if path is None or path[:, 1 - axis].mean() <= 0 else -1.0
    across = ("left", "right") if axis == 1 else ("bottom", "top")
    at_side = across[0 if side > 0 else 1]
    text = ax.annotate(
        f"{distance:.2g}",
        distance * tip * (1 if beyond else 0.5),
        5 * tip if beyond else side * (5 if path is None else 9) * tip[::-1],
        textcoords="offset points",
        ha=("left" if beyond else "center") if axis == 0 else ("center" if beyond else at_side),
        va=("center" if beyond else at_side) if axis == 0 else ("bottom" if beyond else "center"),
        color=INK,
        zorder=8,
    )
    text.set_path_effects(_outlined(3))
    return arrow, text


def draw_trajectory(ax: Axes, trajectory: Bunch, scale: Scale) -> Any:
    """Draw the path of an attack, each point in the colour of its own margin."""
    x, y = trajectory.coordinates.T
    (line,) = ax.plot(x, y, color=INK, lw=1.2, zorder=5)
    line.set_path_effects(_outlined(2.6))
    return ax.scatter(
        x,
        y,
        c=trajectory.margin,
        cmap=scale.cmap,
        norm=scale.norm,
        s=28,
        edgecolors=INK,
        linewidths=1,
        zorder=6,
        label=f"attack, up to {trajectory.off_plane.max():.2g} off the plane",
    )


def draw_colorbar(axes: Sequence[Any], surface: Any, scale: Scale, label: str) -> Any:
    """Draw a colour bar beside the axes, or a legend of classes."""
    figure = axes[0].figure
    if scale.classes is not None:
        from matplotlib.patches import Patch

        colors: Any = scale.cmap
        fills = [Patch(color=colors(k), label=str(c)) for k, c in enumerate(scale.classes)]
        if figure.get_layout_engine() is None:  # nothing would make room beside the axes
            other = axes[-1].get_legend()
            legend = axes[-1].legend(handles=fills, title=label, loc="upper right")
            if other is not None:
                axes[-1].add_artist(other)
            return legend
        return figure.legend(handles=fills, title=label, loc="outside right upper")
    return figure.colorbar(surface, ax=list(axes), label=label)


def draw_together(
    displays: list[Any],
    axes: Sequence[Axes] | None,
    colorbar: bool,
    label: str,
    scale: Scale,
    options: dict[str, Any],
) -> list[Any]:
    """Draw displays side by side on one colour scale, and return them."""
    solid = options.get("plot_method") == "surface"
    row = row_of_axes(axes, displays[0], len(displays), solid)
    for number, (display, ax) in enumerate(zip(displays, row, strict=True)):
        display.plot(**{"ax": ax, "scale": scale, "colorbar": False} | options)
        if number and not solid:
            ax.set_ylabel("")
    if colorbar:
        draw_colorbar(row, displays[0].surface_, scale, label)
    return displays


def row_of_axes(
    axes: Sequence[Axes] | None, owner: object, n: int, three_dimensional: bool
) -> list[Any]:
    """Return axes for n surfaces side by side: the given ones, or those of a new figure."""
    if axes is None:
        options: dict[str, Any] = {"subplot_kw": {"projection": "3d"}} if three_dimensional else {}
        size = (1.2 + 4.2 * n, 4) if three_dimensional else (1.2 + 3.4 * n, 3.4)
        layout = "constrained" if three_dimensional else "compressed"
        figure = pyplot_for(owner).figure(figsize=size, layout=layout)
        return list(figure.subplots(1, n, squeeze=False, **options)[0])
    given = np.ravel(np.asarray(axes, dtype=object))
    if len(given) != n:
        raise ValueError(f"axes holds {len(given)} axes for {n} estimators: give one for each.")
    return [axes_for(ax, owner, "3d" if three_dimensional else None) for ax in given]
