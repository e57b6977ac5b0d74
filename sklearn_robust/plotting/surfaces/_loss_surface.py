"""The loss over a plane of parameter space."""

from ... import _validation as check
from ..._random import seed_of
from .._display import axes_for, named
from .._parameters import ParameterPlane
from . import _surface_drawing as draw

__all__ = ["LossSurfaceDisplay"]

LABELS = {"loss": "cross-entropy", "error": "share of errors"}


class LossSurfaceDisplay:
    """Loss of a network over two random directions in the space of its weights.

    Make it with :meth:`from_estimator`; :meth:`plot` draws it again.

    Parameters
    ----------
    xx0, xx1 : arrays of shape (grid_resolution, grid_resolution)
        Coordinates along both directions; 1 is as far as the weights are long, filter by filter.
    response : array of shape (grid_resolution, grid_resolution)
        Mean loss, or share of errors.
    scoring : str, default="cross-entropy"
        What the response is called.
    cosine : float, default=None
        Cosine of the angle between the directions.
    name : str, default=None
        Title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the drawing.
    figure_ : matplotlib Figure
        Its figure.
    surface_ : matplotlib artist
        The surface: a contour set, a mesh or a 3-D surface.

    See Also
    --------
    DecisionSurfaceDisplay : The decision function over a plane of input space.

    Notes
    -----
    ``V(i, j) = L(theta + i a + j b)`` (paper 001, eq. 1). With filter normalisation each filter of
    a direction has the norm of that filter of the weights: without it a rescaling that leaves the
    network the same would change the picture. Biases and batch normalisation stay, and so do the
    latter's statistics. The estimator is not touched: the weights are replaced in a copy, for one
    forward pass at a time.

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

    def __init__(self, *, xx0, xx1, response, scoring="cross-entropy", cosine=None, name=None):
        self.xx0 = xx0
        self.xx1 = xx1
        self.response = response
        self.scoring = scoring
        self.cosine = cosine
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        normalize="filter",
        ignore_bias_bn=True,
        distance=1.0,
        grid_resolution=25,
        scoring="loss",
        batch_size=None,
        n_jobs=None,
        random_state=None,
        name=None,
        ax=None,
        **plot_options,
    ):
        """Compute the surface around the trained weights and draw it.

        Parameters
        ----------
        estimator : fitted net, Pipeline that ends in one, or torch.nn.Module of logits
            Whose weights to move.
        X : array-like of shape (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,)
            True labels.
        normalize : {"filter", "layer", "weight", None}, default="filter"
            How to scale the random directions: by the norm of each filter, of each layer, by the
            magnitude of each weight, or not at all.
        ignore_bias_bn : bool, default=True
            Whether tensors of one axis, biases and those of batch normalisation, stay.
        distance : float, default=1.0
            Half the width of the plane.
        grid_resolution : int, default=25
            Points along each direction; with an odd number the middle one is the trained net.
        scoring : {"loss", "error"} or callable, default="loss"
            Mean cross-entropy, share of errors, or ``scoring(logits, x, y) -> float`` for a batch,
            where ``logits`` is the network with the weights of a point: a loss at attacked
            samples, say.
        batch_size : int, default=None
            Samples computed together; None fits the cache.
        n_jobs : int, default=None
            Processes that share the rows of the grid.
        random_state : int, RandomState or None, default=None
            Seed of the directions.
        name : str, default=None
            Title; None is the class of the estimator.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot_options
            Passed to :meth:`plot`.

        Returns
        -------
        display : LossSurfaceDisplay
            With the arrays, and drawn.

        Raises
        ------
        TypeError
            If the estimator holds no torch parameters.
        """
        (display,) = _compute(
            {name or type(estimator).__name__: estimator},
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
    def from_estimators(
        cls, estimators, X, y, *, axes=None, colorbar=True, plot_options=None, **options
    ):
        """Compute one surface for each estimator and draw them side by side on one colour scale.

        Parameters
        ----------
        estimators : dict of str to estimator, or sequence of estimators
            What to compare, with their titles.
        X : array-like of shape (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,)
            True labels.
        axes : sequence of matplotlib Axes, default=None
            One for each estimator; None makes a figure with one row.
        colorbar : bool, default=True
            Whether to draw one for all.
        plot_options : dict, default=None
            Passed to :meth:`plot`.
        **options
            ``normalize``, ``ignore_bias_bn``, ``distance``, ``grid_resolution``, ``scoring``,
            ``batch_size``, ``n_jobs`` and ``random_state``, as for :meth:`from_estimator`.
            Networks of one architecture move along the same random draws.

        Returns
        -------
        displays : list of LossSurfaceDisplay
            One for each estimator.
        """
        displays = _compute(named(estimators), X, y, **options)
        label, scale = displays[0].scoring, _scale(displays)
        return draw.draw_together(displays, axes, colorbar, label, scale, plot_options or {})

    def plot(
        self,
        *,
        plot_method="contourf",
        ax=None,
        colorbar=True,
        scale=None,
        xlabel="first random direction",
        ylabel="second random direction",
        **kwargs,
    ):
        """Draw the arrays.

        Parameters
        ----------
        plot_method : {"contourf", "contour", "pcolormesh", "surface"}, default="contourf"
            Bands, lines, cells, or a surface in three dimensions.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        colorbar : bool, default=True
            Whether to draw a colour bar.
        scale : Scale, default=None
            Colours shared with other surfaces; None suits these arrays.
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
        self.ax_ = ax = axes_for(ax, self, "3d" if solid else None)
        self.figure_ = ax.figure
        scale = scale or _scale([self])
        self.surface_ = draw.draw_surface(
            ax, self.xx0, self.xx1, self.response, plot_method, scale, **kwargs
        )
        ax.set(xlabel=xlabel, ylabel=ylabel, title=self.name)
        draw.finish_axes(ax, self.xx0, solid)
        if colorbar:
            draw.draw_colorbar([ax], self.surface_, scale, self.scoring)
        return self


def _scale(displays):
    return draw.value_scale([display.response for display in displays], centered=False)


def _compute(
    estimators,
    X,
    y,
    *,
    normalize="filter",
    ignore_bias_bn=True,
    distance=1.0,
    grid_resolution=25,
    scoring="loss",
    batch_size=None,
    n_jobs=None,
    random_state=None,
):
    """Return the displays of several estimators."""
    check.check_number("distance", distance, strict=True)
    check.check_count("grid_resolution", grid_resolution, low=3)
    if not callable(scoring):
        check.check_choice("scoring", scoring, LABELS)
    label = getattr(scoring, "__name__", "score") if callable(scoring) else LABELS[scoring]
    options = {"normalize": normalize, "ignore_bias_bn": ignore_bias_bn}
    options["random_state"] = seed_of(random_state)
    displays = []
    for name, estimator in estimators.items():
        plane = ParameterPlane(estimator, X, y, **options)
        xx0, xx1, response = plane.grid(distance, grid_resolution, scoring, batch_size, n_jobs)
        arrays = {"xx0": xx0, "xx1": xx1, "response": response}
        display = LossSurfaceDisplay(**arrays, scoring=label, cosine=plane.cosine(), name=name)
        displays.append(display)
    return displays
