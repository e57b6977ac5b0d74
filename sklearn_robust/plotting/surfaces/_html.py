"""A surface as a web page that can be turned with the mouse."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from ._drawing import Scale

__all__ = ["write_surface"]


def write_surface(
    path: str | PathLike[str],
    display: Any,
    values: NDArray[Any],
    scale: Scale,
    labels: tuple[str, str, str],
) -> None:
    """Write an interactive picture of a surface.

    Parameters
    ----------
    path : str or path-like
        HTML file to write; viewing it needs no network.
    display : object
        Display with coordinates ``xx0`` and ``xx1`` and a ``name``.
    values : array of shape (n, n)
        Heights.
    scale : Scale
        Colours.
    labels : (str, str, str)
        Names of the three axes.
    """
    try:
        from plotly import graph_objects
    except ImportError as error:
        raise ImportError(
            f"{type(display).__name__}.to_html writes with plotly, which is not installed: type "
            "pip install plotly, or draw with plot(plot_method='surface')."
        ) from error
    surface = graph_objects.Surface(
        x=display.xx0[0],
        y=display.xx1[:, 0],
        z=values,
        colorscale=scale.cmap,
        cmin=scale.low,
        cmax=scale.high,
        colorbar={"title": labels[2]},
        hovertemplate="%{x:.3g}, %{y:.3g}: %{z:.3g}<extra></extra>",
    )
    if scale.low < 0:  # the line on which S is zero
        # Levels from start to below end: this one alone.
        line = {"show": True, "start": 0, "end": 1, "size": 2, "color": "black", "width": 4}
        surface.contours = {"z": line}
    axes = dict(zip(("xaxis", "yaxis", "zaxis"), ({"title": text} for text in labels), strict=True))
    figure = graph_objects.Figure(surface)
    scene = {**axes, "camera": {"eye": {"x": 1.7, "y": 1.9, "z": 1.3}}}
    figure.update_layout(title=display.name, scene=scene, margin={"l": 0, "r": 0, "b": 0, "t": 50})
    figure.write_html(path, include_plotlyjs=True, default_height="95vh")
