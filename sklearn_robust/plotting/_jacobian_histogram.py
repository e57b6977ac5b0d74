"""Histogram of the entries of input Jacobians."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import ArrayLike, NDArray

from .. import _validation as check
from ..metrics._jacobian import input_jacobian
from ._display import Display, label_of, name_of_function, named, opened, shared_docs
from ._histograms import draw_histograms

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["JacobianHistogramDisplay"]


@shared_docs
class JacobianHistogramDisplay(Display):
    """Histogram of the entries of input Jacobians, of one estimator or of several.

    :meth:`from_estimator` and :meth:`from_estimators` make it; :meth:`plot` draws it again.

    Parameters
    ----------
    gradients : dict of str to array of shape (n_samples, ...)
        Gradients by the names of their estimators.
    of : str, default="margin"
        Name of the function that was differentiated.

    Attributes
    ----------
    %(axes_attributes)s
    lines_ : list of matplotlib artists
        One outline for each estimator.

    See Also
    --------
    sklearn_robust.metrics.input_jacobian : The numbers.
    JacobianDisplay : Single gradients as images.

    Notes
    -----
    All samples and all features count alike, on a logarithmic scale (Fig. 8 of the paper below).
    ``JacobianHistogramDisplay(gradients={...}).plot()`` draws numbers that were computed
    elsewhere.

    References
    ----------
    Yu et al., "Interpreting adversarial robustness: a view from decision surface in input
    space", arXiv 1810.00144.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.plotting import JacobianHistogramDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> models = {C: LogisticRegression(C=C, max_iter=1000).fit(X / 16, y) for C in (0.01, 1)}
    >>> display = JacobianHistogramDisplay.from_estimators(models, X[:20] / 16, y[:20])
    >>> display.gradients["1"].shape
    (20, 64)
    """

    def __init__(self, *, gradients: Mapping[str, NDArray[Any]], of: str = "margin") -> None:
        self.gradients = gradients
        self.of = of

    @classmethod
    @shared_docs
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        of: str | Callable[..., Any] = "margin",
        name: str | None = None,
        ax: Axes | None = None,
        plot_options: dict[str, Any] | None = None,
        **options: Any,
    ) -> Self:
        """Compute the gradients at all samples and draw them.

        Parameters
        ----------
        %(estimator)s
        %(X)s
        %(y)s
        of : {"margin", "loss", "smooth_margin", "logits"} or callable, default="margin"
            Function to differentiate, as for :func:`sklearn_robust.metrics.input_jacobian`.
        %(label)s
        %(ax)s
        %(plot_dict)s
        **options
            Passed to :func:`sklearn_robust.metrics.input_jacobian`.

        Returns
        -------
        display : JacobianHistogramDisplay
            With the arrays, and drawn.
        """
        check.validate(locals(), plot_options=check.optional(check.check_options))
        estimators = {label_of(estimator, name): estimator}
        return cls.from_estimators(
            estimators, X, y, of=of, ax=ax, plot_options=plot_options, **options
        )

    @classmethod
    @shared_docs
    def from_estimators(
        cls,
        estimators: Mapping[Any, Any] | Iterable[Any],
        X: ArrayLike,
        y: ArrayLike,
        *,
        of: str | Callable[..., Any] = "margin",
        ax: Axes | None = None,
        plot_options: dict[str, Any] | None = None,
        **options: Any,
    ) -> Self:
        """Compute the gradients of several estimators and draw them over each other.

        Parameters
        ----------
        %(estimators)s
        X, y, of, ax, plot_options, **options
            As for :meth:`from_estimator`.

        Returns
        -------
        display : JacobianHistogramDisplay
            With the arrays, and drawn.
        """
        check.validate(locals(), plot_options=check.optional(check.check_options))
        gradients = {
            name: input_jacobian(model, X, y, of=of, **options)
            for name, model in opened(named(estimators)).items()
        }
        display = cls(gradients=gradients, of=name_of_function(of, "function"))
        return display.plot(ax=ax, **(plot_options or {}))

    @shared_docs
    def plot(self, *, ax: Axes | None = None, bins: int = 60, **kwargs: Any) -> Self:
        """Draw the arrays.

        Parameters
        ----------
        %(ax)s
        bins : int, default=60
            Number of bins, the same for all estimators; one of them is centred at zero.
        **kwargs
            Passed to ``Axes.stairs``.

        Returns
        -------
        display : JacobianHistogramDisplay
            Itself, with ``ax_``, ``figure_`` and ``lines_``.
        """
        check.check_count("bins", bins)
        ax = self.open_axes(ax)
        self.lines_ = draw_histograms(ax, self.gradients, bins, "entry", kwargs)
        ax.set(
            xlabel=f"entry of the input Jacobian of the {self.of.replace('_', ' ')}",
            ylabel="number of entries",
        )
        return self
