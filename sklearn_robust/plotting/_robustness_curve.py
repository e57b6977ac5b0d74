"""Accuracy against the radius of the attack."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validation as check
from .._threat_model import ThreatModel
from .._validation import check_norm
from ..certification._bounds import certified_curve, has_certifier
from ..metrics._curve import robustness_curve
from ._display import Display, label_of, named, opened, shared_docs
from ._intervals import binomial_band
from ._style import eps_axis, line_style, percent_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RobustnessCurveDisplay"]


@shared_docs
class RobustnessCurveDisplay(Display):
    """Accuracy under attack against the radius, for one classifier or several.

    :meth:`from_estimator` and :meth:`from_estimators` make it; :meth:`plot` draws it again.

    Parameters
    ----------
    eps : array of shape (n_radii,)
        Radii.
    accuracy : dict of str to array of shape (n_radii,)
        Accuracies by the names of their estimators.
    norm : {"linf", "l2", "l1"}, default="linf"
        Norm of the radii.
    n_classes : int, default=None
        Number of classes, for the line of guessing.
    n_samples : int, default=None
        Number of samples, for the bands; without it there are none.
    certified : dict of str to array of shape (n_radii,), default=None
        Proven accuracies by the names of their estimators, for those that have any.

    Attributes
    ----------
    %(axes_attributes)s
    lines_ : list of matplotlib Line2D
        One for each estimator.
    bands_ : list of matplotlib collections
        Around each line, its interval over the samples.
    certified_bands_ : list of matplotlib collections
        Hatched, between the attacked and the proven accuracy, one for each estimator in
        ``certified``: the truth lies there.

    See Also
    --------
    sklearn_robust.metrics.robustness_curve : The numbers.

    Notes
    -----
    A band reaches from the accuracy under attack down to the accuracy that is proven: the truth
    lies in it. A curve that does not fall to zero as the radius grows belongs to an attack that
    failed, not to a robust model.

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

    def __init__(
        self,
        *,
        eps: NDArray[np.float64],
        accuracy: Mapping[str, NDArray[np.float64]],
        norm: str = "linf",
        n_classes: int | None = None,
        n_samples: int | None = None,
        certified: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> None:
        self.eps = eps
        self.accuracy = accuracy
        self.norm = norm
        self.n_classes = n_classes
        self.n_samples = n_samples
        self.certified = certified

    @classmethod
    @shared_docs
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        eps: ArrayLike,
        attack: Any = None,
        certify: bool | None = None,
        n_jobs: int | None = None,
        cache: str | os.PathLike[str] | None = None,
        name: str | None = None,
        ax: Axes | None = None,
        **plot_options: Any,
    ) -> Self:
        """Measure the curve and draw it.

        Parameters
        ----------
        estimator : fitted classifier
            Model to attack.
        X : array-like of shape (n_samples, ...)
            Clean samples.
        %(y)s
        eps : array-like of shape (n_radii,)
            Radii.
        attack : attack, default=None
            As for :func:`sklearn_robust.metrics.robustness_curve`.
        certify : bool, default=None
            Whether to prove lower bounds, too. None does so for classifiers whose class has a
            certifier of its own.
        n_jobs : int, default=None
            Number of processes that share the samples.
        cache : path-like, default=None
            Folder of verdicts that are kept, as for :func:`sklearn_robust.metrics.robust_score`.
        %(label)s
        %(ax)s
        %(plot_options)s

        Returns
        -------
        display : RobustnessCurveDisplay
            With the arrays, and drawn.
        """
        check.validate(locals())
        estimators = {label_of(estimator, name): estimator}
        options = {"eps": eps, "attack": attack, "n_jobs": n_jobs, "cache": cache}
        options |= {"ax": ax, "certify": certify}
        return cls.from_estimators(estimators, X, y, **options, **plot_options)

    @classmethod
    @shared_docs
    def from_estimators(
        cls,
        estimators: Mapping[Any, Any] | Iterable[Any],
        X: ArrayLike,
        y: ArrayLike,
        *,
        eps: ArrayLike,
        attack: Any = None,
        certify: bool | None = None,
        n_jobs: int | None = None,
        cache: str | os.PathLike[str] | None = None,
        ax: Axes | None = None,
        **plot_options: Any,
    ) -> Self:
        """Measure the curves of several estimators under one attack and draw them together.

        Parameters
        ----------
        %(estimators)s
        X, y, eps, attack, certify, n_jobs, cache, ax, **plot_options
            As for :meth:`from_estimator`.

        Returns
        -------
        display : RobustnessCurveDisplay
            With the arrays, and drawn.
        """
        check.validate(locals(), certify=check.optional(check.check_flag))
        options = {"eps": eps, "attack": attack, "n_jobs": n_jobs, "cache": cache}
        models = opened(named(estimators))
        accuracy = {
            name: robustness_curve(model, X, y, **options) for name, model in models.items()
        }
        threat = ThreatModel() if attack is None else attack.threat_model
        certified = {
            name: certified_curve(model, X, y, eps, threat)
            for name, model in models.items()
            if certify or (certify is None and has_certifier(model))
        }
        classes = next(iter(models.values())).classes_
        display = cls(
            eps=np.asarray(eps, dtype=np.float64),
            accuracy=accuracy,
            norm=_norm_of(attack),
            n_classes=len(classes),
            n_samples=len(np.asarray(y)),
            certified=certified,
        )
        return display.plot(ax=ax, **plot_options)

    @shared_docs
    def plot(
        self,
        *,
        ax: Axes | None = None,
        show_guessing: bool = True,
        confidence: float | None = 0.95,
        **kwargs: Any,
    ) -> Self:
        """Draw the arrays.

        Parameters
        ----------
        %(ax)s
        show_guessing : bool, default=True
            Whether to draw a line at the accuracy of guessing.
        confidence : float or None, default=0.95
            Level of the bands, Wilson intervals of accuracies of as many samples; None draws none.
        **kwargs
            Passed to ``Axes.plot``.

        Returns
        -------
        display : RobustnessCurveDisplay
            Itself, with ``ax_``, ``figure_``, ``lines_``, ``bands_`` and ``certified_bands_``.
        """
        if confidence is not None:
            check.check_number("confidence", confidence, high=1, strict=True)
        ax = self.open_axes(ax)
        order = np.argsort(self.eps)
        radii = self.eps[order]
        self.bands_ = []
        for number, curve in enumerate(self.accuracy.values()):
            if self.n_samples and confidence is not None:
                ends = binomial_band(curve[order], self.n_samples, confidence)
                color = line_style(number)["color"]
                self.bands_.append(ax.fill_between(radii, *ends, color=color, alpha=0.15, lw=0))
        self.lines_ = [
            ax.plot(radii, curve[order], label=name, **line_style(number) | kwargs)[0]
            for number, (name, curve) in enumerate(self.accuracy.items())
        ]
        self.certified_bands_ = self._draw_certified(ax, order)
        if show_guessing and self.n_classes:
            ax.axhline(1 / self.n_classes, color="0.5", lw=1, ls=":", label="guessing")
        eps_axis(ax, radii.tolist(), norm=self.norm)
        percent_axis(ax, "accuracy under attack (%)")
        ax.legend(frameon=False)
        return self

    def _draw_certified(self, ax: Axes, order: NDArray[np.intp]) -> list[Any]:
        """Hatch what lies between proof and attack; the first band that is seen has a label."""
        bands, labelled = [], False
        for (name, attacked), line in zip(self.accuracy.items(), self.lines_, strict=True):
            proven = (self.certified or {}).get(name)
            if proven is None:
                continue
            look: dict[str, Any] = {"facecolor": "none", "hatch": "////"}
            look["edgecolor"] = line.get_color()
            ends = proven[order], attacked[order]
            bands.append(ax.fill_between(self.eps[order], *ends, alpha=0.5, lw=0, **look))
            if not labelled and (attacked > proven).any():
                bands[-1].set_label("between proof and attack")
                labelled = True
        return bands


def _norm_of(attack: Any) -> str:
    """Name of the norm of an attack, or of the members of a cascade."""
    return "linf" if attack is None else check_norm(attack.threat_model.norm)
