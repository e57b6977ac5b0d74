"""Accuracy against the radius of the attack."""

import numpy as np

from .._validation import check_norm
from ..metrics._curve import robustness_curve
from ._display import axes_for, named
from ._style import eps_axis, line_style, percent_axis

__all__ = ["RobustnessCurveDisplay"]


class RobustnessCurveDisplay:
    """Accuracy under attack against the radius, for one classifier or several.

    Make it with :meth:`from_estimator`; :meth:`plot` draws it again.

    Parameters
    ----------
    eps : array of shape (n_radii,)
        Radii.
    accuracy : dict of str to array of shape (n_radii,)
        Accuracies by the names of their estimators.
    norm : {"linf", "l2", "l1"}, default="linf"
        Norm of the radii.
    n_classes : int, default=None
        Draws the line of guessing.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the drawing.
    figure_ : matplotlib Figure
        Its figure.
    lines_ : list of matplotlib Line2D
        One for each estimator.

    See Also
    --------
    sklearn_robust.metrics.robustness_curve : The numbers.

    Notes
    -----
    A curve that does not fall to zero as the radius grows belongs to an attack that failed, not to
    a robust model.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.plotting import RobustnessCurveDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> display = RobustnessCurveDisplay.from_estimator(model, X, y, eps=[0, 0.2, 0.5])
    >>> bool((display.accuracy["LogisticRegression"][:-1] > 0).all())
    True
    """

    def __init__(self, *, eps, accuracy, norm="linf", n_classes=None):
        self.eps = eps
        self.accuracy = accuracy
        self.norm = norm
        self.n_classes = n_classes

    @classmethod
    def from_estimator(
        cls, estimator, X, y, *, eps, attack=None, n_jobs=None, name=None, ax=None, **plot_options
    ):
        """Measure the curve and draw it.

        Parameters
        ----------
        estimator : fitted classifier
            What to attack.
        X : array-like of shape (n_samples, ...)
            Clean samples.
        y : array-like of shape (n_samples,)
            True labels.
        eps : array-like of shape (n_radii,)
            Radii.
        attack : attack, default=None
            As for :func:`sklearn_robust.metrics.robustness_curve`.
        n_jobs : int, default=None
            Processes that share the samples.
        name : str, default=None
            Name in the legend; None is the class of the estimator.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot_options
            Passed to :meth:`plot`.

        Returns
        -------
        display : RobustnessCurveDisplay
            With the arrays, and drawn.
        """
        estimators = {name or type(estimator).__name__: estimator}
        options = {"eps": eps, "attack": attack, "n_jobs": n_jobs, "ax": ax}
        return cls.from_estimators(estimators, X, y, **options, **plot_options)

    @classmethod
    def from_estimators(
        cls, estimators, X, y, *, eps, attack=None, n_jobs=None, ax=None, **plot_options
    ):
        """Measure the curves of several estimators under one attack and draw them together.

        Parameters
        ----------
        estimators : dict of str to classifier, or sequence of classifiers
            What to compare, with their names.
        X, y, eps, attack, n_jobs, ax, **plot_options
            As for :meth:`from_estimator`.

        Returns
        -------
        display : RobustnessCurveDisplay
            With the arrays, and drawn.
        """
        options = {"eps": eps, "attack": attack, "n_jobs": n_jobs}
        estimators = named(estimators)
        accuracy = {
            name: robustness_curve(estimator, X, y, **options)
            for name, estimator in estimators.items()
        }
        known = (getattr(estimator, "classes_", None) for estimator in estimators.values())
        classes = next((labels for labels in known if labels is not None), np.unique(y))
        display = cls(
            eps=np.asarray(eps, dtype=np.float64),
            accuracy=accuracy,
            norm=_norm_of(attack),
            n_classes=len(classes),
        )
        return display.plot(ax=ax, **plot_options)

    def plot(self, *, ax=None, show_guessing=True, **kwargs):
        """Draw the arrays.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        show_guessing : bool, default=True
            Whether to draw the accuracy of a guess among the classes.
        **kwargs
            Passed to ``Axes.plot``.

        Returns
        -------
        display : RobustnessCurveDisplay
            Itself, with ``ax_``, ``figure_`` and ``lines_``.
        """
        self.ax_ = ax = axes_for(ax, self)
        self.figure_ = ax.figure
        order = np.argsort(self.eps)
        radii = self.eps[order]
        self.lines_ = [
            ax.plot(radii, curve[order], label=name, **line_style(number) | kwargs)[0]
            for number, (name, curve) in enumerate(self.accuracy.items())
        ]
        if show_guessing and self.n_classes:
            ax.axhline(1 / self.n_classes, color="0.5", lw=1, ls=":", label="guessing")
        eps_axis(ax, radii.tolist(), norm=self.norm)
        percent_axis(ax, "accuracy under attack (%)")
        ax.legend(frameon=False)
        return self


def _norm_of(attack):
    """Name of the norm of an attack, or of what a cascade is made of."""
    return "linf" if attack is None else check_norm(attack.threat_model.norm)
