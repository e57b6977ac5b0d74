"""The loss over a plane of weight space."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import _validation as check
from ..._random import seed_of
from .._display import Display, label_of, name_of_function, named, shared_docs
from . import _drawing as draw
from ._html import write_surface
from ._weight_plane import WeightPlane

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LossSurfaceDisplay"]

_AXES = ("first random direction", "second random direction")
LABELS = {"loss": "cross-entropy", "error": "share of errors"}


@shared_docs
class LossSurfaceDisplay(Display):
    """Loss of a network over two random directions in the space of its weights.

    :meth:`from_estimator` makes it, :meth:`from_estimators` makes several; :meth:`plot` draws it
    again.

    Parameters
    ----------
    xx0, xx1 : arrays of shape (grid_resolution, grid_resolution)
        Coordinates along both directions; 1 is the length of the weights, filter by filter.
    response : array of shape (grid_resolution, grid_resolution)
        Mean loss, or share of errors.
    scoring : str, default="cross-entropy"
        Name of the response.
    cosine : float, default=None
        Cosine of the angle between the directions.
    name : str, default=None
        Title.
    directions : pair of dict of arrays, default=None
        Both directions by the name of the parameter: what is added to it at 1 on the axis.

    Attributes
    ----------
    %(axes_attributes)s
    surface_ : matplotlib artist
        The surface: a contour set, a mesh or a 3-D surface.

    See Also
    --------
    DecisionSurfaceDisplay : The decision function over a plane of input space.

    Notes
    -----
    The surface is ``V(i, j) = L(theta + i a + j b)``. With filter normalisation each filter of a
    direction has the norm of that filter of the weights; without it, a rescaling that leaves the
    network's outputs the same would change the picture. Biases, and parameters and statistics of
    batch normalisation, stay fixed. The estimator is never changed: the weights are replaced in a
    copy, for one forward pass at a time.

    References
    ----------
    Li et al., "Visualizing the loss landscape of neural nets", NeurIPS 2018.

    Examples
    --------
    >>> from sklearn_robust import NaturalNet
    >>> from sklearn_robust.datasets import load_moons
    >>> from sklearn_robust.plotting import LossSurfaceDisplay
    >>> X, y = load_moons(200, random_state=0)
    >>> net = NaturalNet(max_epochs=20, random_state=0).fit(X, y)
    >>> display = LossSurfaceDisplay.from_estimator(
    ...     net, X, y, grid_resolution=9, random_state=0
    ... )
    >>> bool(display.response[4, 4] < display.response[[0, 0, -1, -1], [0, -1, 0, -1]].min())
    True
    """

    def __init__(
        self,
        *,
        xx0: NDArray[Any],
        xx1: NDArray[Any],
        response: NDArray[Any],
        scoring: str = "cross-entropy",
        cosine: float | None = None,
        name: str | None = None,
        directions: Sequence[Mapping[str, NDArray[Any]]] | None = None,
    ) -> None:
        self.xx0 = xx0
        self.xx1 = xx1
        self.response = response
        self.scoring = scoring
        self.cosine = cosine
        self.name = name
        self.directions = directions

    @classmethod
    @shared_docs
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        normalize: str | None = "filter",
        ignore_bias_bn: bool = True,
        distance: float = 1.0,
        grid_resolution: int = 25,
        scoring: str | Callable[..., float] = "loss",
        batch_size: int | None = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        name: str | None = None,
        ax: Axes | None = None,
        **plot_options: Any,
    ) -> Self:
        """Compute the surface around the trained weights and draw it.

        Parameters
        ----------
        estimator : fitted net, Pipeline that ends in one, or torch.nn.Module of logits
            Model whose weights to move.
        %(X)s
        %(y)s
        normalize : {"filter", "layer", "weight", None}, default="filter"
            How to scale the random directions: by the norm of each filter, of each layer, by the
            magnitude of each weight, or not at all.
        ignore_bias_bn : bool, default=True
            Whether tensors of one axis, biases and those of batch normalisation, stay fixed.
        distance : float, default=1.0
            Half the width of the plane.
        grid_resolution : int, default=25
            Points along each direction; with an odd number the middle one is the trained net.
        scoring : {"loss", "error"} or callable, default="loss"
            Mean cross-entropy, share of errors, or ``scoring(logits, x, y) -> float`` for a batch,
            where ``logits`` is the network with the weights of a point; such as a loss at
            adversarial examples.
        %(batch_size)s
        n_jobs : int, default=None
            Number of processes that share the rows of the grid.
        random_state : int, RandomState or None, default=None
            Seed of the directions.
        %(title)s
        %(ax)s
        %(plot_options)s

        Returns
        -------
        display : LossSurfaceDisplay
            With the arrays, and drawn.

        Raises
        ------
        TypeError
            If the estimator holds no torch parameters.
        """
        check.validate(
            locals(),
            grid_resolution=partial(check.check_count, low=3),
            ignore_bias_bn=check.check_flag,
        )
        (display,) = cls._compute(
            {label_of(estimator, name): estimator},
            X,
            y,
            normalize=normalize,
            ignore_bias_bn=ignore_bias_bn,
            distance=distance,
            grid_resolution=grid_resolution,
            scoring=scoring,
            batch_size=batch_size,
            n_jobs=n_jobs,
            random_state=random_state,
        )
        return display.plot(ax=ax, **plot_options)

    @classmethod
    @shared_docs
    def from_estimators(
        cls,
        estimators: Mapping[Any, Any] | Iterable[Any],
        X: ArrayLike,
        y: ArrayLike,
        *,
        axes: Sequence[Axes] | None = None,
        colorbar: bool = True,
        plot_options: dict[str, Any] | None = None,
        **options: Any,
    ) -> list[Self]:
        """Compute one surface for each estimator and draw them side by side on one colour scale.

        Parameters
        ----------
        %(estimators)s
        %(X)s
        %(y)s
        axes : sequence of matplotlib Axes, default=None
            One for each estimator; None makes a figure with one row.
        colorbar : bool, default=True
            Whether to draw one colour bar for all.
        %(plot_dict)s
        **options
            ``normalize``, ``ignore_bias_bn``, ``distance``, ``grid_resolution``, ``scoring``,
            ``batch_size``, ``n_jobs`` and ``random_state``, as for :meth:`from_estimator`.
            Networks of one architecture share the same random draws.

        Returns
        -------
        displays : list of LossSurfaceDisplay
            One for each estimator.
        """
        check.validate(locals(), plot_options=check.optional(check.check_options))
        displays = cls._compute(named(estimators), X, y, **options)
        label, scale = displays[0].scoring, _scale(displays)
        return draw.draw_together(displays, axes, colorbar, label, scale, plot_options or {})

    @classmethod
    def _compute(
        cls,
        estimators: Mapping[str, Any],
        X: ArrayLike,
        y: ArrayLike,
        *,
        distance: float = 1.0,
        grid_resolution: int = 25,
        scoring: str | Callable[..., float] = "loss",
        batch_size: int | None = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        **directions: Any,
    ) -> list[Self]:
        """Return the displays of several estimators."""
        check.check_number("distance", distance, strict=True, high=1e18)
        check.check_count("grid_resolution", grid_resolution, low=3)
        if isinstance(scoring, str) or not callable(scoring):
            check.check_choice("scoring", scoring, LABELS)
            label = LABELS[scoring]
        else:
            check.check_takes("scoring", scoring, "logits, x, y")
            label = name_of_function(scoring, "score")
        directions["random_state"] = seed_of(random_state)
        displays = []
        for name, estimator in estimators.items():
            plane = WeightPlane(estimator, X, y, **directions)
            xx0, xx1, response = plane.grid(distance, grid_resolution, scoring, batch_size, n_jobs)
            arrays: dict[str, Any] = {"xx0": xx0, "xx1": xx1, "response": response}
            arrays |= {"cosine": plane.cosine(), "directions": plane.directions()}
            displays.append(cls(**arrays, scoring=label, name=name))
        return displays

    @shared_docs
    def plot(
        self,
        *,
        plot_method: str = "contourf",
        ax: Axes | None = None,
        colorbar: bool = True,
        scale: draw.Scale | None = None,
        xlabel: str = _AXES[0],
        ylabel: str = _AXES[1],
        **kwargs: Any,
    ) -> Self:
        """Draw the arrays.

        Parameters
        ----------
        plot_method : {"contourf", "contour", "pcolormesh", "surface"}, default="contourf"
            Bands, lines, cells, or a surface in three dimensions.
        %(ax)s
        colorbar : bool, default=True
            Whether to draw a colour bar.
        scale : Scale, default=None
            Colours shared with other surfaces; None derives them from these arrays.
        xlabel, ylabel : str
            Labels of the axes.
        **kwargs
            Passed to the method of matplotlib that ``plot_method`` names.

        Returns
        -------
        display : LossSurfaceDisplay
            Itself, with ``ax_`` and ``figure_``.
        """
        check.check_choice("plot_method", plot_method, draw.METHODS)
        solid = plot_method == "surface"
        ax = self.open_axes(ax, "3d" if solid else None)
        scale = scale or _scale([self])
        self.surface_ = draw.draw_surface(
            ax, self.xx0, self.xx1, self.response, plot_method, scale, **kwargs
        )
        ax.set(xlabel=xlabel, ylabel=ylabel, title=self.name)
        draw.finish_axes(ax, self.xx0, scale, solid)
        if colorbar:
            draw.draw_colorbar([ax], self.surface_, scale, self.scoring)
        return self

    def to_html(self, path: str | PathLike[str]) -> None:
        """Write the surface as a web page that can be turned with the mouse.

        Parameters
        ----------
        path : str or path-like
            File to write; viewing it needs no network.

        Raises
        ------
        ImportError
            If plotly is not installed: ``pip install "sklearn-robust[interactive]"``.
        """
        write_surface(path, self, self.response, _scale([self]), (*_AXES, self.scoring))


def _scale(displays: Sequence[LossSurfaceDisplay]) -> draw.Scale:
    return draw.value_scale([display.response for display in displays], centered=False)
