"""Indicators of robustness against robust accuracy, over several networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Bunch

from .. import _validation as check
from ..metrics._study import indicator_study
from ._display import Display, panels, shared_docs
from ._intervals import binomial_band
from ._style import line_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["IndicatorStudyDisplay"]


@shared_docs
class IndicatorStudyDisplay(Display):
    """One panel for each indicator: its value and the robust accuracy of every network.

    :meth:`from_estimators` makes it; :meth:`plot` draws it again.

    Parameters
    ----------
    study : Bunch
        Result of :func:`sklearn_robust.metrics.indicator_study`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes around all panels.
    axes_ : array of matplotlib Axes, (1, n_indicators)
        The panels.
    figure_ : matplotlib Figure
        Figure of these axes.

    See Also
    --------
    sklearn_robust.metrics.indicator_study : The numbers.

    Notes
    -----
    Bars are Wilson intervals of robust accuracy over the samples. The title of a panel gives the
    rank correlation with its bootstrap interval over the networks; one that holds 0 is no evidence
    of a relation.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import PGD
    >>> from sklearn_robust.plotting import IndicatorStudyDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> models = {C: LogisticRegression(C=C, max_iter=5000).fit(X, y) for C in (0.01, 0.1, 1, 10)}
    >>> display = IndicatorStudyDisplay.from_estimators(
    ...     models, X, y, attack=PGD(eps=0.3, random_state=0), indicators=["taylor_radius"]
    ... )
    >>> display.axes_.shape
    (1, 1)
    """

    def __init__(self, *, study: Bunch) -> None:
        self.study = study

    @classmethod
    @shared_docs
    def from_estimators(
        cls,
        estimators: Mapping[Any, Any],
        X: ArrayLike,
        y: ArrayLike,
        *,
        attack: Any = None,
        ax: Axes | None = None,
        plot_options: dict[str, Any] | None = None,
        **options: Any,
    ) -> Self:
        """Measure indicators and robust accuracy of several networks and draw them.

        Parameters
        ----------
        estimators : dict of str to classifier
            Fitted networks, at least four.
        %(X)s
        %(y)s
        attack : attack, default=None
            As for :func:`sklearn_robust.metrics.indicator_study`.
        ax : matplotlib Axes, default=None
            Axes whose place the panels take; None makes a new figure.
        %(plot_dict)s
        **options
            Passed to :func:`sklearn_robust.metrics.indicator_study`.

        Returns
        -------
        display : IndicatorStudyDisplay
            With the study, and drawn.
        """
        check.validate(locals(), plot_options=check.optional(check.check_options))
        study = indicator_study(estimators, X, y, attack=attack, **options)
        return cls(study=study).plot(ax=ax, **(plot_options or {}))

    def plot(self, *, ax: Axes | None = None, size: float = 3.2, **kwargs: Any) -> Self:
        """Draw the study.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes whose place the panels take; None makes a new figure.
        size : float, default=3.2
            Width of a panel in inches.
        **kwargs
            Passed to ``Axes.errorbar``.

        Returns
        -------
        display : IndicatorStudyDisplay
            Itself, with ``ax_``, ``axes_`` and ``figure_``.
        """
        study = self.study
        self.ax_, self.axes_ = panels(ax, self, 1, len(study["values"]), size)
        self.figure_ = self.ax_.figure
        robust = study.robust_accuracy
        low, high = binomial_band(robust, study.n_samples, study.confidence)
        for axis, (name, values) in zip(self.axes_[0], study["values"].items(), strict=True):
            for row, net in enumerate(study.names):
                bar = np.array([[robust[row] - low[row]], [high[row] - robust[row]]])
                look = {**line_style(row), "linestyle": "none", "label": net, "elinewidth": 1}
                axis.errorbar(values[row], robust[row], bar, **look | kwargs)
            found = study.correlations[name]
            axis.set_xlabel(name.replace("_", " "))
            axis.set_title(
                f"rank correlation {found.rho:.2f}\n[{found.low:.2f}, {found.high:.2f}], "
                f"p = {found.p_value:.2g}",
                fontsize=9.5,
            )
            axis.locator_params(axis="x", nbins=4)
        self.axes_[0, 0].set_ylabel("robust accuracy")
        for axis in self.axes_[0, 1:]:
            axis.sharey(self.axes_[0, 0])
            axis.tick_params(labelleft=False)
        self.axes_[0, -1].legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8.5)
        return self
