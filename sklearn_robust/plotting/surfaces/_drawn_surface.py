"""How a decision surface is drawn from its arrays."""

from ... import _validation as check
from .._display import axes_for
from . import _surface_drawing as draw
from ._surface_html import write_surface

__all__ = ["RESPONSES", "DrawnSurface", "scale_of"]

RESPONSES = {"margin": "decision function S", "loss": "cross-entropy", "predict": "predicted class"}


class DrawnSurface:
    """The drawing half of :class:`DecisionSurfaceDisplay`, whose attributes it reads."""

    def plot(
        self,
        *,
        response=None,
        plot_method="contourf",
        ax=None,
        show_boundary=True,
        show_arrows=True,
        show_trajectory=True,
        colorbar=True,
        scale=None,
        xlabel=None,
        ylabel=None,
        **kwargs,
    ):
        """Draw the arrays.

        Parameters
        ----------
        response : {"margin", "loss", "predict"}, default=None
            What to draw; None is what the display was made for.
        plot_method : {"contourf", "contour", "pcolormesh", "surface"}, default="contourf"
            Bands, lines, cells, or a surface in three dimensions. Classes are drawn in cells.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        show_boundary : bool, default=True
            Whether to draw the line S = 0.
        show_arrows : bool, default=True
            Whether to draw arrows to it along both directions (in two dimensions).
        show_trajectory : bool, default=True
            Whether to draw the way of the attack, if there is one (in two dimensions).
        colorbar : bool, default=True
            Whether to draw a colour bar, or a legend of the classes.
        scale : Scale, default=None
            Colours shared with other surfaces; None suits these arrays.
        xlabel, ylabel : str, default=None
            Labels of the axes.
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
        self.ax_ = ax = axes_for(ax, self, "3d" if solid else None)
        self.figure_ = ax.figure
        scale = scale or scale_of([self], response)
        plane = self.xx0, self.xx1
        self.surface_ = draw.draw_surface(
            ax, *plane, self._values(response), plot_method, scale, **kwargs
        )
        boundary = show_boundary and not (solid and response != "margin")
        self.boundary_ = draw.draw_boundary(ax, *plane, self.margin) if boundary else None
        arrows = show_arrows and not solid and self.boundary_distances is not None
        self.arrows_ = (
            draw.draw_arrows(ax, self.boundary_distances, self.xx0.max()) if arrows else []
        )
        self.trajectory_ = None
        if show_trajectory and not solid and self.trajectory is not None:
            own = scale if response == "margin" else scale_of([self], "margin")
            self.trajectory_ = draw.draw_trajectory(ax, self.trajectory, own)
            ax.legend(loc="lower left", fontsize="small", framealpha=0.9)
        given = zip((xlabel, ylabel), self._labels(), strict=True)
        xlabel, ylabel = (usual if label is None else label for label, usual in given)
        ax.set(xlabel=xlabel, ylabel=ylabel, title=self.name)
        draw.finish_axes(ax, self.xx0, solid)
        if colorbar:
            draw.draw_colorbar([ax], self.surface_, scale, RESPONSES[response])
        return self

    def to_html(self, path, *, response=None):
        """Write the surface as a web page that can be turned with the mouse.

        Parameters
        ----------
        path : str or path-like
            File to write; it needs no network to be looked at.
        response : {"margin", "loss"}, default=None
            What to draw; None is what the display was made for.

        Raises
        ------
        ImportError
            If plotly is not installed: ``pip install "sklearn-robust[interactive]"``.
        """
        response = check.check_choice("response", response or self.response, ("margin", "loss"))
        labels = (*self._labels(), RESPONSES[response])
        write_surface(path, self, self._values(response), scale_of([self], response), labels)

    def _values(self, response):
        return {"margin": self.margin, "loss": self.loss, "predict": self.predicted}[response]

    def _labels(self):
        return [f"{direction} direction ({self.norm} distance)" for direction in self.directions]


def scale_of(displays, response):
    """Return colours that suit several surfaces."""
    values = [display._values(response) for display in displays]
    if response == "predict":
        return draw.class_scale(values)
    return draw.value_scale(values, centered=response == "margin")
