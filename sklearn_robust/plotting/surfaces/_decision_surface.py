"""The decision function over a plane of input space."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ... import _validation as check
from .._display import label_of, named, shared_docs
from . import _drawing as draw
from ._decision_arrays import RESPONSES, DecisionArrays, scale_of
from ._input_plane import compute_planes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["DecisionSurfaceDisplay"]


@shared_docs
class DecisionSurfaceDisplay(DecisionArrays):
    """Decision function, loss or predicted class on a plane through one sample.

    :meth:`from_estimator` makes it, :meth:`from_estimators` makes several; :meth:`plot` draws it
    again.

    Parameters
    ----------
    xx0, xx1 : arrays of shape (grid_resolution, grid_resolution)
        Coordinates along ``other`` and along ``direction``, as distances in ``norm``.
    margin : array of shape (grid_resolution, grid_resolution)
        Decision function S: positive where the true class wins.
    loss : array of shape (grid_resolution, grid_resolution)
        Cross-entropy.
    predicted : array of shape (grid_resolution, grid_resolution)
        Predicted labels.
    target : label
        True label of the sample.
    directions : (str, str), default=("random", "C&W")
        Names of the two coordinates.
    norm : {"linf", "l2", "l1"}, default="linf"
        Unit of the coordinates.
    boundary_distances : (float, float), default=None
        Distance at which the margin becomes zero along both directions, inf if beyond the grid.
    trajectory : Bunch, default=None
        Path of an attack: ``coordinates`` (n_steps, 2), ``off_plane`` (n_steps,) distances from the
        plane, ``margin`` (n_steps,) at the attack's own points.
    response : {"margin", "loss", "predict"}, default="margin"
        Default ``response`` of :meth:`plot`.
    name : str, default=None
        Title.
    vectors : array of shape (2, ...), default=None
        What is added to the sample at 1 on the first and on the second axis.

    Attributes
    ----------
    %(axes_attributes)s
    surface_ : matplotlib artist
        The surface: a contour set, a mesh or a 3-D surface.
    boundary_ : matplotlib ContourSet or None
        Line S = 0; None where the grid holds no boundary.
    arrows_ : list of matplotlib artists
        Arrows from the sample to the boundary, along each direction that reaches it.
    trajectory_ : matplotlib artist or None
        Points of the attack, coloured by their true margins.

    See Also
    --------
    LossSurfaceDisplay : The loss over a plane of parameter space.
    sklearn_robust.metrics.boundary_distance : The lengths of the arrows, for many samples.

    Notes
    -----
    The surface is ``V(i, j) = F(x + i a + j b)`` (eq. 1 of the paper below) with ``a`` = ``other``
    and ``b`` = ``direction``, both of length 1 in ``norm``; for linf they are signs, so that
    coordinates read as eps. A point of an attack is drawn at its projection onto the plane, with
    the margin of the point itself; ``off_plane`` is its distance from the plane.

    References
    ----------
    Yu et al., "Interpreting adversarial robustness: a view from decision surface in input
    space", arXiv 1810.00144.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.plotting import DecisionSurfaceDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> X = X / 16
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> display = DecisionSurfaceDisplay.from_estimator(model, X, y, index=0, random_state=0)
    >>> display.margin.shape
    (51, 51)
    >>> bool(display.margin[25, 25] > 0 > display.margin[50, 25])
    True
    """

    @classmethod
    @shared_docs
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        index: int = 0,
        response: str = "margin",
        direction: str | ArrayLike = "cw",
        other: str | ArrayLike = "random",
        norm: str = "linf",
        radius: float | None = None,
        grid_resolution: int = 51,
        trajectory: Any = None,
        batch_size: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        name: str | None = None,
        ax: Axes | None = None,
        **plot_options: Any,
    ) -> Self:
        """Compute the surface around one sample and draw it.

        Parameters
        ----------
        %(estimator)s
        %(X)s
        %(y)s
        index : int, default=0
            Position of the sample.
        response : {"margin", "loss", "predict"}, default="margin"
            Array to draw; all three are computed.
        direction : str or array of the samples' shape, default="cw"
            Vertical direction: "cw" down the margin, "ce" up the cross-entropy, "ce_ll" down the
            cross-entropy of the least likely class, "random", or "pca", the principal direction of
            ``trajectory``. Of a frame, also the name of a column of numbers.
        other : str or array of the samples' shape, default="random"
            Horizontal direction; "pca" is the second principal one.
        norm : {"linf", "l2", "l1"}, default="linf"
            Unit of length; gradients are followed in the direction that is steepest in this norm.
        radius : float, default=None
            Half the width of the plane. None is twice the distance to the boundary or to the
            attack's farthest point, or half the range of X where no boundary is near.
        grid_resolution : int, default=51
            Points along each direction; with an odd number the middle one is the sample.
        trajectory : attack, default=None
            Attack whose path to draw.
        batch_size : int, default=None
            Number of points computed together; None chooses one that fits the cache.
        random_state : int, RandomState or None, default=None
            Seed of random directions and of the attack.
        %(title)s
        %(ax)s
        %(plot_options)s

        Returns
        -------
        display : DecisionSurfaceDisplay
            With the arrays, and drawn.

        Raises
        ------
        ValueError
            If the index is out of range, the radius is not positive, a gradient is zero, or the
            directions are parallel.
        """
        check.validate(locals(), grid_resolution=partial(check.check_count, low=3))
        check.check_choice("response", response, RESPONSES)
        (arrays,) = compute_planes(
            {label_of(estimator, name): estimator},
            X,
            y,
            index=index,
            direction=direction,
            other=other,
            norm=norm,
            radius=radius,
            grid_resolution=grid_resolution,
            trajectory=trajectory,
            batch_size=batch_size,
            random_state=random_state,
        )
        return cls(**arrays, response=response).plot(ax=ax, **plot_options)

    @classmethod
    @shared_docs
    def from_estimators(
        cls,
        estimators: Mapping[Any, Any] | Iterable[Any],
        X: ArrayLike,
        y: ArrayLike,
        *,
        response: str = "margin",
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
        response : {"margin", "loss", "predict"}, default="margin"
            Array to draw; all three are computed.
        axes : sequence of matplotlib Axes, default=None
            One for each estimator; None makes a figure with one row.
        colorbar : bool, default=True
            Whether to draw one colour bar for all.
        %(plot_dict)s
        **options
            ``index``, ``direction``, ``other``, ``norm``, ``radius``, ``grid_resolution``,
            ``trajectory``, ``batch_size`` and ``random_state``, as for :meth:`from_estimator`. All
            planes share one radius and one random direction; each estimator has gradient directions
            of its own.

        Returns
        -------
        displays : list of DecisionSurfaceDisplay
            One for each estimator.
        """
        check.validate(locals(), plot_options=check.optional(check.check_options))
        check.check_choice("response", response, RESPONSES)
        found = compute_planes(named(estimators), X, y, **options)
        displays = [cls(**arrays, response=response) for arrays in found]
        return cls.plot_together(displays, axes=axes, colorbar=colorbar, **plot_options or {})

    @classmethod
    @shared_docs
    def plot_together(
        cls,
        displays: Sequence[Self],
        *,
        response: str | None = None,
        axes: Sequence[Axes] | None = None,
        colorbar: bool = True,
        **plot_options: Any,
    ) -> list[Self]:
        """Draw several surfaces side by side on one colour scale, and one height in 3-D.

        Parameters
        ----------
        displays : sequence of DecisionSurfaceDisplay
            Surfaces to compare, such as those of one sample along several directions.
        response : {"margin", "loss", "predict"}, default=None
            Array to draw; None is the ``response`` of the first display.
        axes : sequence of matplotlib Axes, default=None
            One for each display; None makes a figure with one row.
        colorbar : bool, default=True
            Whether to draw one colour bar for all.
        %(plot_options)s

        Returns
        -------
        displays : list of DecisionSurfaceDisplay
            The same, drawn.
        """
        displays = list(displays)
        if not displays:
            raise ValueError("displays is empty; give surfaces that from_estimator made.")
        response = check.check_choice("response", response or displays[0].response, RESPONSES)
        scale, options = scale_of(displays, response), {"response": response, **plot_options}
        return draw.draw_together(displays, axes, colorbar, RESPONSES[response], scale, options)
