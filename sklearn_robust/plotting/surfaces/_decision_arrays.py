"""The arrays of a decision surface, and how they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from ... import _validation as check
from .._display import Display, shared_docs
from . import _drawing as draw
from ._html import write_surface

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RESPONSES", "DecisionArrays", "scale_of"]

RESPONSES = {"margin": "decision function S", "loss": "cross-entropy", "predict": "predicted class"}


class DecisionArrays(Display):
    """Arrays of a decision surface; see :class:`DecisionSurfaceDisplay`, which computes them."""

    def __init__(
        self,
        *,
        xx0: NDArray[Any],
        xx1: NDArray[Any],
        margin: NDArray[Any],
        loss: NDArray[Any] | None,
        predicted: NDArray[Any] | None,
        target: Any,
        directions: Sequence[str] = ("random", "C&W"),
        norm: str = "linf",
        boundary_distances: Sequence[float] | None = None,
        trajectory: Bunch | None = None,
        response: str = "margin",
        name: str | None = None,
        vectors: NDArray[Any] | None = None,
    ) -> None:
        self.xx0 = xx0
        self.xx1 = xx1
        self.margin = margin
        self.loss = loss
        self.predicted = predicted
        self.target = target
        self.directions = directions
        self.norm = norm
        self.boundary_distances = boundary_distances
        self.trajectory = trajectory
        self.response = response
        self.name = name
        self.vectors = vectors

    @shared_docs
    def plot(
        self,
        *,
        response: str | None = None,
        plot_method: str = "contourf",
        ax: Axes | None = None,
        show_boundary: bool = True,
        show_arrows: bool = True,
        show_trajectory: bool = True,
        colorbar: bool = True,
        scale: draw.Scale | None = None,
        xlabel: str | None = None,
        ylabel: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the arrays.

        Parameters
        ----------
        response : {"margin", "loss", "predict"}, default=None
            Array to draw; None is the ``response`` of the display.
        plot_method : {"contourf", "contour", "pcolormesh", "surface"}, default="contourf"
            Bands, lines, cells, or a surface in three dimensions. Classes are drawn in cells.
        %(ax)s
        show_boundary : bool, default=True
            Whether to draw the line S = 0.
        show_arrows : bool, default=True
            Whether to draw arrows to that line along both directions (in two dimensions).
        show_trajectory : bool, default=True
            Whether to draw the path of the attack, if there is one (in two dimensions).
        colorbar : bool, default=True
            Whether to draw a colour bar, or a legend of the classes.
        scale : Scale, default=None
            Colours shared with other surfaces; None derives them from these arrays.
        %(axis_labels)s
        **kwargs
            Passed to the method of matplotlib that ``plot_method`` names.

        Returns
        -------
        display : DecisionSurfaceDisplay
            Itself, with ``ax_`` and ``figure_``.
        """
        response = check.check_choice("response", response or self.response, RESPONSES)
        check.check_choice("plot_method", plot_method, draw.METHODS)
        solid = plot_method == "surface"
        ax = self.open_axes(ax, "3d" if solid else None)
        scale = scale or scale_of([self], response)
        plane = self.xx0, self.xx1
        self.surface_ = draw.draw_surface(
            ax, *plane, self._values(response), plot_method, scale, **kwargs
        )
        self._draw_overlays(ax, response, scale, solid, show_boundary, show_arrows, show_trajectory)
        given = zip((xlabel, ylabel), self._labels(), strict=True)
        xlabel, ylabel = (usual if label is None else label for label, usual in given)
        ax.set(xlabel=xlabel, ylabel=ylabel, title=self.name)
        draw.finish_axes(ax, self.xx0, scale, solid)
        if colorbar:
            draw.draw_colorbar([ax], self.surface_, scale, RESPONSES[response])
        return self

    def _draw_overlays(
        self,
        ax: Any,
        response: str,
        scale: draw.Scale,
        solid: bool,
        show_boundary: bool,
        show_arrows: bool,
        show_trajectory: bool,
    ) -> None:
        """Draw boundary, arrows and trajectory, where they are wanted and can be drawn."""
        boundary = show_boundary and not (solid and response != "margin")
        self.boundary_ = (
            draw.draw_boundary(ax, self.xx0, self.xx1, self.margin) if boundary else None
        )
        self.arrows_ = []
        if show_arrows and not solid and self.boundary_distances is not None:
            path = None
            if show_trajectory and self.trajectory is not None:
                path = self.trajectory.coordinates
            self.arrows_ = draw.draw_arrows(ax, self.boundary_distances, self.xx0.max(), path)
        self.trajectory_ = None
        if show_trajectory and not solid and self.trajectory is not None:
            own = scale if response == "margin" else scale_of([self], "margin")
            self.trajectory_ = draw.draw_trajectory(ax, self.trajectory, own)
            ax.legend(loc="lower left", fontsize=8.5, framealpha=0.9)

    def to_html(self, path: str | PathLike[str], *, response: str | None = None) -> None:
        """Write the surface as a web page that can be turned with the mouse.

        Parameters
        ----------
        path : str or path-like
            File to write; viewing it needs no network.
        response : {"margin", "loss"}, default=None
            Array to draw; None is the ``response`` of the display.

        Raises
        ------
        ImportError
            If plotly is not installed: ``pip install "sklearn-robust[interactive]"``.
        """
        response = check.check_choice("response", response or self.response, ("margin", "loss"))
        first, second = self._labels()
        labels = (first, second, RESPONSES[response])
        write_surface(path, self, self._values(response), scale_of([self], response), labels)

    def _values(self, response: str) -> NDArray[Any]:
        values = {"margin": self.margin, "loss": self.loss, "predict": self.predicted}[response]
        return np.asarray(values)

    def _labels(self) -> list[str]:
        return [f"{direction} direction ({self.norm} distance)" for direction in self.directions]


def scale_of(displays: Sequence[DecisionArrays], response: str) -> draw.Scale:
    """Return the colours that several surfaces share."""
    values = [display._values(response) for display in displays]
    if response == "predict":
        return draw.class_scale(values)
    return draw.value_scale(values, centered=response == "margin")
