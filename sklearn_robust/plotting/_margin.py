"""Distributions of margins, confidence and loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validation as check
from ..spectral import margin_report
from ._display import Display, label_of, named, shared_docs
from ._style import INK, line_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MarginDisplay"]

KINDS = {
    "output": "margin of the logits",
    "softmax": "margin of the probabilities",
    "feature": "distance to the boundary in the last features (l2)",
    "input_upper": "distance to the boundary found by the attack ({norm})",
    "input_linear": "distance to the linearised boundary ({norm})",
    "input_lower": "distance certified by the Lipschitz bound ({norm})",
    "confidence": "confidence",
    "loss": "cross-entropy (nats)",
}


@shared_docs
class MarginDisplay(Display):
    """Distributions of the margins of one model or several.

    :meth:`from_estimator` and :meth:`from_estimators` make it; :meth:`plot` draws it again.

    Parameters
    ----------
    values : dict of str to array of shape (n_samples,)
        Margins of each model.
    kind : str, default="softmax"
        Kind of the margins: one of the arrays of :func:`sklearn_robust.spectral.margin_report`.
    name : str, default=None
        Title.
    norm : str, default="l2"
        Norm of distances in the input, which the label of the axis names.

    Attributes
    ----------
    %(axes_attributes)s
    histograms_ : list of matplotlib artists
        Outline of each distribution.

    See Also
    --------
    RegularizationPathDisplay : Means of the same against the strength of training.

    References
    ----------
    Wen, Li, Jia, "Towards understanding the regularization of adversarial robustness on neural
    networks", ICML 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.plotting import MarginDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> models = {
    ...     f"C={C}": LogisticRegression(C=C, max_iter=1000).fit(X, y) for C in (0.01, 1)
    ... }
    >>> display = MarginDisplay.from_estimators(models, X, y)
    >>> bool(display.values["C=0.01"].max() < display.values["C=1"].max())
    True
    """

    def __init__(
        self,
        *,
        values: Mapping[str, NDArray[Any]],
        kind: str = "softmax",
        name: str | None = None,
        norm: str = "l2",
    ) -> None:
        self.values = values
        self.kind = kind
        self.name = name
        self.norm = norm

    @property
    def _quantity(self) -> str:
        """What the values are, in words."""
        return KINDS[self.kind].format(norm=self.norm)

    @classmethod
    @shared_docs
    def from_estimator(
        cls, estimator: Any, X: ArrayLike, y: ArrayLike, *, name: str | None = None, **options: Any
    ) -> Self:
        """Measure the margins of one model and draw them.

        Parameters
        ----------
        %(estimator)s
        %(X)s
        %(y)s
        %(label)s
        **options
            As for :meth:`from_estimators`.

        Returns
        -------
        display : MarginDisplay
            With the margins, and drawn.
        """
        check.validate(locals())
        return cls.from_estimators({label_of(estimator, name): estimator}, X, y, **options)

    @classmethod
    @shared_docs
    def from_estimators(
        cls,
        estimators: Mapping[Any, Any] | Iterable[Any],
        X: ArrayLike,
        y: ArrayLike,
        *,
        kind: str = "softmax",
        attack: Any = None,
        by_outcome: bool = False,
        name: str | None = None,
        ax: Axes | None = None,
        **plot_options: Any,
    ) -> Self:
        """Measure the margins of several models and draw them over each other.

        Parameters
        ----------
        %(estimators)s
        %(X)s
        %(y)s
        kind : str, default="softmax"
            "output", "softmax", "feature", "input_upper", "input_linear", "input_lower",
            "confidence" or "loss". Logits of different models have different scales.
        attack : attack, default=None
            Minimum-norm attack for the margins in the input.
        by_outcome : bool, default=False
            Whether to draw right and wrong predictions of each model separately.
        %(plain_title)s
        %(ax)s
        %(plot_options)s

        Returns
        -------
        display : MarginDisplay
            With the margins, and drawn.
        """
        check.validate(locals(), by_outcome=check.check_flag)
        check.check_choice("kind", kind, KINDS)
        measured = kind.split("_")[0]
        kinds = (measured,) if measured in ("softmax", "feature", "input") else ("output",)
        values, norm = {}, "l2"
        for label, model in named(estimators).items():
            report = margin_report(model, X, y, kinds=kinds, attack=attack)
            right, norm = report.correct, report.get("norm", norm)
            parts = {f"{label}, right": right, f"{label}, wrong": ~right}
            for part, rows in (parts if by_outcome else {label: np.full(len(right), True)}).items():
                if rows.any():
                    values[part] = report[kind][rows]
        return cls(values=values, kind=kind, name=name, norm=norm).plot(ax=ax, **plot_options)

    @shared_docs
    def plot(
        self,
        *,
        bins: ArrayLike = 30,
        ax: Axes | None = None,
        xlabel: str | None = None,
        ylabel: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw one histogram for each model, all with the same bins.

        Parameters
        ----------
        bins : int or array, default=30
            Number of bins over the range of all models, or their edges. If margins lie on both
            sides of 0, one edge is at 0, so that no bin mixes right and wrong predictions.
        %(ax)s
        %(axis_labels)s
        **kwargs
            Passed to ``ax.stairs``.

        Returns
        -------
        display : MarginDisplay
            Itself, with ``ax_`` and ``figure_``.
        """
        finite = {name: v[np.isfinite(v)] for name, v in self.values.items()}
        everything = np.concatenate(list(finite.values()))
        if not len(everything):
            raise ValueError(
                f"No {self._quantity} is finite: choose another kind, or an attack that succeeds."
            )
        ax = self.open_axes(ax)
        edges = _edges(everything, bins)
        self.histograms_ = []
        for number, (name, values) in enumerate(finite.items()):
            share = np.histogram(values, edges)[0] / len(self.values[name])
            missing = len(self.values[name]) - len(values)
            label = f"{name} ({missing} infinite)" if missing else name
            color = line_style(number)["color"]
            ax.stairs(share, edges, fill=True, alpha=0.12, color=color)
            look: dict[str, Any] = {"color": color, "label": label, "linewidth": 1.8, **kwargs}
            self.histograms_.append(ax.stairs(share, edges, **look))
        if edges[0] < 0 < edges[-1]:
            ax.axvline(0, color=INK, linewidth=0.8, linestyle=":", label="decision boundary")
        ax.set(
            xlabel=self._quantity if xlabel is None else xlabel,
            ylabel="share of samples" if ylabel is None else ylabel,
            title=self.name,
        )
        ax.set_ylim(bottom=0)
        ax.locator_params(axis="x", nbins=7, steps=[1, 2, 5, 10])
        ax.legend()
        return self


def _edges(values: NDArray[Any], bins: Any) -> NDArray[np.float64]:
    """Edges of bins of one width, with 0 among them where the values lie on both sides of it."""
    low, high = values.min(), values.max()
    if np.ndim(bins) or isinstance(bins, str) or not low < 0 < high:
        return np.histogram_bin_edges(values, bins)
    n_bins = max(2, check.check_count("bins", bins))
    below = int(np.clip(round(-low / (high - low) * n_bins), 1, n_bins - 1))
    width = max(-low / below, high / (n_bins - below))
    return width * np.arange(-below, n_bins - below + 1)
