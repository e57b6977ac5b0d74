"""Errors, losses and gaps against the strength of robust training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Bunch

from ..spectral import regularization_path
from ._display import Display, shared_docs
from ._style import INK, line_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RegularizationPathDisplay"]

# Metrics of make_regularization_scorer, in words.
UNITS = {
    "error": "error (share)",
    "loss": "cross-entropy (nats)",
    "robust_accuracy": "accuracy under attack (share)",
    "margin_mean": "mean margin of the logits",
    "margin_std": "std of the margins of the logits",
    "softmax_margin_mean": "mean margin of the probabilities",
    "softmax_margin_std": "std of the margins of the probabilities",
    "boundary_mass": "share of samples near the boundary",
    "confidence": "mean confidence",
    "spectrum_std": "std of the singular values",
    "spectrum_cv": "std / mean of the singular values",
}


@shared_docs
class RegularizationPathDisplay(Display):
    """Errors, losses and gaps of a model against the strength of its robust training.

    :meth:`from_results` makes it; :meth:`plot` draws it again.

    Parameters
    ----------
    path : Bunch
        Result of :func:`sklearn_robust.spectral.regularization_path`.
    name : str, default=None
        Title.

    Attributes
    ----------
    %(axes_attributes)s
    lines_ : list of matplotlib Line2D
        One for each curve.

    See Also
    --------
    sklearn_robust.spectral.make_regularization_scorer : The scorer to sweep with.
    MarginDisplay : Whole distributions instead of means.

    References
    ----------
    Wen, Li, Jia, "Towards understanding the regularization of adversarial robustness on neural
    networks", ICML 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn_robust.plotting import RegularizationPathDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000)
    >>> search = GridSearchCV(model, {"C": [0.01, 1]}, return_train_score=True).fit(X, y)
    >>> display = RegularizationPathDisplay.from_results(search, param="C")
    >>> [line.get_label() for line in display.lines_]
    ['train', 'test', 'gap (test - train)']
    """

    def __init__(self, *, path: Bunch, name: str | None = None) -> None:
        self.path = path
        self.name = name

    @classmethod
    @shared_docs
    def from_results(
        cls,
        results: Any,
        *,
        param: str = "attack__eps",
        values: ArrayLike | None = None,
        fixed: dict[str, Any] | None = None,
        accuracy: str | None = None,
        loss: str | None = None,
        kind: str | None = None,
        name: str | None = None,
        ax: Axes | None = None,
        **plot_options: Any,
    ) -> Self:
        """Read the results of a search or of a validation curve and draw them.

        Parameters
        ----------
        results : fitted GridSearchCV, dict or (train_scores, test_scores)
            As for :func:`sklearn_robust.spectral.regularization_path`, like the next five.
        param : str, default="attack__eps"
            Name of the parameter that sets the strength.
        values : array-like, optional
            Strengths of a validation curve.
        fixed : dict, optional
            Values of other parameters of the search.
        accuracy, loss : str, optional
            Names of these metrics.
        kind : str, default=None
            As for :meth:`plot`.
        %(plain_title)s
        %(ax)s
        %(plot_options)s

        Returns
        -------
        display : RegularizationPathDisplay
            With the path, and drawn.
        """
        path = regularization_path(
            results, param=param, values=values, fixed=fixed, accuracy=accuracy, loss=loss
        )
        return cls(path=path, name=name).plot(kind=kind, ax=ax, **plot_options)

    @shared_docs
    def plot(
        self,
        *,
        kind: str | None = None,
        ax: Axes | None = None,
        show_spread: bool = True,
        xlabel: str | None = None,
        ylabel: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the curves of the train and of the test side.

        Parameters
        ----------
        kind : str, default=None
            "error" or "loss", drawn with their gap, or any other metric of the path, such as
            "robust_accuracy" or "confidence". None is "error", or "loss" if there is no error.
        %(ax)s
        show_spread : bool, default=True
            Whether to shade one standard deviation over the folds on either side.
        %(axis_labels)s
        **kwargs
            Passed to ``ax.plot``.

        Returns
        -------
        display : RegularizationPathDisplay
            Itself, with ``ax_`` and ``figure_``.
        """
        path = self.path
        if kind is None:
            kind = "error" if "test_error" in path else "loss"
        if f"test_{kind}" not in path:
            known = [key[5:] for key in path if key.startswith("test_") and key[-4:] != "_std"]
            raise ValueError(f"kind is {kind!r}; the path has {known}.")
        ax = self.open_axes(ax)
        curves = [("train", f"train_{kind}", 0), ("test", f"test_{kind}", 3)]
        if f"{kind}_gap" in path:
            curves.append(("gap (test - train)", f"{kind}_gap", 4))
        # Strengths that are not numbers are placed side by side.
        numeric = np.issubdtype(path["values"].dtype, np.number)
        x = path["values"] if numeric else np.arange(len(path["values"]))
        self.lines_ = []
        for label, column, number in curves:
            mean, std = path[column], path[f"{column}_std"]
            (line,) = ax.plot(x, mean, **{**line_style(number), "label": label, **kwargs})
            self.lines_.append(line)
            if show_spread:
                look: dict[str, Any] = {"color": line.get_color(), "alpha": 0.15, "linewidth": 0}
                ax.fill_between(x, mean - std, mean + std, **look)
        if len(curves) == 3:  # a gap is read against zero
            ax.axhline(0, color=INK, linewidth=0.8, linestyle=":")
        if not numeric:
            ax.set_xticks(x, [str(value) for value in path["values"]])
        metric, _, layer = kind.partition("/")
        default = UNITS.get(metric, metric.replace("_", " ")) + (f", {layer}" if layer else "")
        ax.set(
            xlabel=path.param if xlabel is None else xlabel,
            ylabel=default if ylabel is None else ylabel,
            title=self.name,
        )
        ax.legend()
        return self
