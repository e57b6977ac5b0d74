"""The eigenvalues of input Hessians as a histogram."""

import numpy as np

from .. import _validation as check
from ..metrics._hessian import hessian_eigvals
from ._display import axes_for, named
from ._style import line_style

__all__ = ["HessianSpectrumDisplay"]


class HessianSpectrumDisplay:
    """Histogram of the eigenvalues of input Hessians, of one estimator or of several.

    Make it with :meth:`from_estimator`; :meth:`plot` draws it again.

    Parameters
    ----------
    eigenvalues : dict of str to array of shape (n_samples, n_eigenvalues)
        Eigenvalues by the names of their estimators.
    of : str, default="margin"
        Whose Hessian.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the drawing.
    figure_ : matplotlib Figure
        Its figure.
    lines_ : list of matplotlib artists
        One outline for each estimator.

    See Also
    --------
    sklearn_robust.metrics.hessian_eigvals : The numbers.

    Notes
    -----
    The number of eigenvalues has a logarithmic scale: nearly all of them are zero (paper 001,
    Fig. 8). ``HessianSpectrumDisplay(eigenvalues={...}).plot()`` draws numbers computed elsewhere.

    References
    ----------
    Yu et al., "Interpreting adversarial robustness: a view from decision surface in input
    space", arXiv 1810.00144.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.plotting import HessianSpectrumDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> models = {C: LogisticRegression(C=C, max_iter=1000).fit(X / 16, y) for C in (0.01, 1)}
    >>> display = HessianSpectrumDisplay.from_estimators(models, X[:20] / 16, y[:20], of="loss")
    >>> display.eigenvalues["1"].shape
    (20, 64)
    """

    def __init__(self, *, eigenvalues, of="margin"):
        self.eigenvalues = eigenvalues
        self.of = of

    @classmethod
    def from_estimator(
        cls, estimator, X, y, *, of="margin", name=None, ax=None, plot_options=None, **options
    ):
        """Compute the eigenvalues at all samples and draw them.

        Parameters
        ----------
        estimator : fitted classifier, Pipeline, or torch.nn.Module of logits
            What to look at.
        X : array-like of shape (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,)
            True labels.
        of : {"margin", "loss", "smooth_margin"} or callable, default="margin"
            Whose Hessian.
        name : str, default=None
            Name in the legend; None is the class of the estimator.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        plot_options : dict, default=None
            Passed to :meth:`plot`.
        **options
            Passed to :func:`sklearn_robust.metrics.hessian_eigvals`.

        Returns
        -------
        display : HessianSpectrumDisplay
            With the arrays, and drawn.
        """
        estimators = {name or type(estimator).__name__: estimator}
        return cls.from_estimators(
            estimators, X, y, of=of, ax=ax, plot_options=plot_options, **options
        )

    @classmethod
    def from_estimators(
        cls, estimators, X, y, *, of="margin", ax=None, plot_options=None, **options
    ):
        """Compute the eigenvalues of several estimators and draw them over each other.

        Parameters
        ----------
        estimators : dict of str to classifier, or sequence of classifiers
            What to compare, with their names.
        X, y, of, ax, plot_options, **options
            As for :meth:`from_estimator`.

        Returns
        -------
        display : HessianSpectrumDisplay
            With the arrays, and drawn.
        """
        eigenvalues = {
            name: hessian_eigvals(estimator, X, y, of=of, **options)
            for name, estimator in named(estimators).items()
        }
        label = of if isinstance(of, str) else getattr(of, "__name__", "function")
        display = cls(eigenvalues=eigenvalues, of=label)
        return display.plot(ax=ax, **(plot_options or {}))

    def plot(self, *, ax=None, bins=60, **kwargs):
        """Draw the arrays.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        bins : int, default=60
            Number of bins, the same for all estimators; one of them is centred at zero.
        **kwargs
            Passed to ``Axes.stairs``.

        Returns
        -------
        display : HessianSpectrumDisplay
            Itself, with ``ax_``, ``figure_`` and ``lines_``.
        """
        check.check_count("bins", bins)
        self.ax_ = ax = axes_for(ax, self)
        self.figure_ = ax.figure
        values = {name: np.ravel(lam) for name, lam in self.eigenvalues.items()}
        edges = _edges(np.concatenate(list(values.values())), bins)
        self.lines_ = []
        for number, (name, lam) in enumerate(values.items()):
            counts = np.histogram(lam, edges)[0]
            color = line_style(number)["color"]
            options = {
                "color": color,
                "lw": 1.8,
                "label": f"{name}: mean |λ| {abs(lam).mean():.3g}",
            }
            ax.stairs(counts, edges, fill=True, color=color, alpha=0.15)
            self.lines_.append(ax.stairs(counts, edges, **options | kwargs))
        ax.set_yscale("log")
        ax.set(
            xlabel=f"eigenvalue of the input Hessian of the {self.of.replace('_', ' ')}",
            ylabel="number of eigenvalues",
            ylim=(0.7, None),
        )
        ax.legend(frameon=False)
        return self


def _edges(values, bins):
    """Edges of equal bins over all values, one of them centred at zero."""
    low, high = min(values.min(), 0.0), max(values.max(), 0.0)
    width = (high - low) / bins or 1.0
    first, last = np.floor(low / width - 0.5), np.ceil(high / width + 0.5)
    return (np.arange(first, last + 1) + 0.5) * width
