"""The decision function over a plane of input space."""

from ... import _validation as check
from .._display import named
from . import _surface_drawing as draw
from ._drawn_surface import RESPONSES, DrawnSurface, scale_of
from ._plane import compute_planes

__all__ = ["DecisionSurfaceDisplay"]


class DecisionSurfaceDisplay(DrawnSurface):
    """Decision function, loss or predicted class on a plane through one sample.

    Make it with :meth:`from_estimator`; :meth:`plot` draws it again.

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
        What the two coordinates are called.
    norm : {"linf", "l2", "l1"}, default="linf"
        Unit of the coordinates.
    boundary_distances : (float, float), default=None
        Distance at which the margin ends along both directions, inf if not within the grid.
    trajectory : Bunch, default=None
        Where an attack went: ``coordinates`` (n_steps, 2), ``off_plane`` (n_steps,) distances from
        the plane, ``margin`` (n_steps,) at the attack's own points.
    response : {"margin", "loss", "predict"}, default="margin"
        What :meth:`plot` draws unless told otherwise.
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
    boundary_ : matplotlib ContourSet or None
        Where S = 0; None where the grid holds no boundary.
    arrows_ : list of matplotlib artists
        From the sample to the boundary, along each direction in which the grid reaches it.
    trajectory_ : matplotlib artist or None
        Points of the attack, coloured by their true margins.

    See Also
    --------
    LossSurfaceDisplay : The loss over a plane of parameter space.
    sklearn_robust.metrics.boundary_distance : The lengths of the arrows, for many samples.

    Notes
    -----
    ``V(i, j) = F(x + i a + j b)`` (paper 001, eq. 1) with ``a`` = ``other`` and ``b`` =
    ``direction``, both of length 1 in ``norm``: signs for linf, so that coordinates read as eps.
    The projection of an attack's point on to the plane is not that point: its own margin and its
    distance from the plane are kept with it.

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

    def __init__(
        self,
        *,
        xx0,
        xx1,
        margin,
        loss,
        predicted,
        target,
        directions=("random", "C&W"),
        norm="linf",
        boundary_distances=None,
        trajectory=None,
        response="margin",
        name=None,
    ):
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

    # -- computing ----------------------------------------------------------------------------

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        index=0,
        response="margin",
        direction="cw",
        other="random",
        norm="linf",
        radius=None,
        grid_resolution=51,
        trajectory=None,
        batch_size=None,
        random_state=None,
        name=None,
        ax=None,
        **plot_options,
    ):
        """Compute the surface around one sample and draw it.

        Parameters
        ----------
        estimator : fitted classifier, Pipeline, or torch.nn.Module of logits
            What to look at.
        X : array-like of shape (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,)
            True labels.
        index : int, default=0
            Around which sample.
        response : {"margin", "loss", "predict"}, default="margin"
            What to draw; all three are computed.
        direction : str or array of the samples' shape, default="cw"
            Vertical direction: "cw" down the margin, "ce" up the cross-entropy, "ce_ll" down the
            cross-entropy of the least likely class, "random", or "pca", the principal direction of
            ``trajectory``.
        other : str or array of the samples' shape, default="random"
            Horizontal direction; "pca" is the second principal one.
        norm : {"linf", "l2", "l1"}, default="linf"
            Unit of length; gradients are followed in the direction that is steepest for it.
        radius : float, default=None
            Half the width of the plane. None is twice the distance of the boundary, or of the
            attack's farthest point, or half the range of X where no boundary is near.
        grid_resolution : int, default=51
            Points along each direction; with an odd number the middle one is the sample.
        trajectory : attack, default=None
            Attack whose way to draw.
        batch_size : int, default=None
            Points computed together; None fits the cache.
        random_state : int, RandomState or None, default=None
            Seed of random directions and of the attack.
        name : str, default=None
            Title; None is the class of the estimator.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot_options
            Passed to :meth:`plot`.

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
        check.check_choice("response", response, RESPONSES)
        (arrays,) = compute_planes(
            {name or type(estimator).__name__: estimator},
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
    def from_estimators(
        cls,
        estimators,
        X,
        y,
        *,
        response="margin",
        axes=None,
        colorbar=True,
        plot_options=None,
        **options,
    ):
        """Compute one surface for each estimator and draw them side by side on one colour scale.

        Parameters
        ----------
        estimators : dict of str to classifier, or sequence of classifiers
            What to compare, with their titles.
        X : array-like of shape (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,)
            True labels.
        response : {"margin", "loss", "predict"}, default="margin"
            What to draw; all three are computed.
        axes : sequence of matplotlib Axes, default=None
            One for each estimator; None makes a figure with one row.
        colorbar : bool, default=True
            Whether to draw one for all.
        plot_options : dict, default=None
            Passed to :meth:`plot`.
        **options
            ``index``, ``direction``, ``other``, ``norm``, ``radius``, ``grid_resolution``,
            ``trajectory``, ``batch_size`` and ``random_state``, as for :meth:`from_estimator`. All
            planes have one radius and one random direction; the directions of gradients are each
            estimator's own.

        Returns
        -------
        displays : list of DecisionSurfaceDisplay
            One for each estimator.
        """
        check.check_choice("response", response, RESPONSES)
        found = compute_planes(named(estimators), X, y, **options)
        displays = [cls(**arrays, response=response) for arrays in found]
        scale = scale_of(displays, response)
        label = RESPONSES[response]
        return draw.draw_together(displays, axes, colorbar, label, scale, plot_options or {})
