"""Changes of the features of each layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Bunch

from .. import _validation as check
from ..spectral import feature_change_report
from ._display import Display, label_of, named, shared_docs
from ._layer_lines import draw_over_layers, shared_layers
from ._style import INK, line_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FeatureChangeDisplay"]

KINDS = {
    "relative": "relative change of the features",
    "mean": "change of the features (l2)",
    "gain": "gain of the change in the input",
    "local_gain": "gain over the layer before",
    "anisotropy": "change: attack / noise",
}


@shared_docs
class FeatureChangeDisplay(Display):
    """Change of the features over the layers, under attack and under noise of the same length.

    :meth:`from_estimator` and :meth:`from_estimators` make it; :meth:`plot` draws it again.

    Parameters
    ----------
    reports : dict of str to Bunch
        Result of :func:`sklearn_robust.spectral.feature_change_report` for each model.
    kind : str, default="relative"
        Default ``kind`` of :meth:`plot`.
    name : str, default=None
        Title.

    Attributes
    ----------
    %(axes_attributes)s
    lines_ : list of matplotlib Line2D
        For each model the mean change under attack and, dashed, under noise.
    bands_ : list of matplotlib collections
        One standard deviation over the samples on either side of each line.

    See Also
    --------
    LayerSpectrumDisplay : Factors by which each layer can lengthen a change.

    References
    ----------
    Wen, Li, Jia, "Towards understanding the regularization of adversarial robustness on neural
    networks", ICML 2020.

    Examples
    --------
    >>> from sklearn_robust import NaturalNet
    >>> from sklearn_robust.datasets import load_moons
    >>> from sklearn_robust.plotting import FeatureChangeDisplay
    >>> X, y = load_moons(200, random_state=0)
    >>> net = NaturalNet(max_epochs=1, random_state=0).fit(X, y)
    >>> display = FeatureChangeDisplay.from_estimator(net, X, y)
    >>> [line.get_label() for line in display.lines_]
    ['NaturalNet, attack', 'NaturalNet, noise']
    """

    def __init__(
        self, *, reports: Mapping[str, Bunch], kind: str = "relative", name: str | None = None
    ) -> None:
        self.reports = reports
        self.kind = kind
        self.name = name

    @classmethod
    @shared_docs
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        name: str | None = None,
        **options: Any,
    ) -> Self:
        """Measure the changes in one model and draw them.

        Parameters
        ----------
        %(estimator)s
        %(X)s
        y : array-like of shape (n_samples,), optional
            True labels; without them the predicted labels are attacked.
        %(label)s
        **options
            As for :meth:`from_estimators`.

        Returns
        -------
        display : FeatureChangeDisplay
            With the changes, and drawn.
        """
        check.validate(locals())
        return cls.from_estimators({label_of(estimator, name): estimator}, X, y, **options)

    @classmethod
    @shared_docs
    def from_estimators(
        cls,
        estimators: Mapping[Any, Any] | Iterable[Any],
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        attack: Any = None,
        n_directions: int = 8,
        layers: list[str] | None = None,
        random_state: int | np.random.RandomState | None = 0,
        kind: str = "relative",
        name: str | None = None,
        ax: Axes | None = None,
        **plot_options: Any,
    ) -> Self:
        """Measure the changes in several models of one architecture and draw them.

        Parameters
        ----------
        %(estimators)s
        %(X)s
        y : array-like of shape (n_samples,), optional
            True labels; without them the predicted labels are attacked.
        attack : attack, default=None
            As for :func:`sklearn_robust.spectral.feature_change_report`, like the next three; the
            same for all models.
        n_directions : int, default=8
            Number of random perturbations of each sample.
        layers : list of str, optional
            Names of modules.
        random_state : int, RandomState or None, default=0
            Seed of the directions.
        kind : str, default="relative"
            As for :meth:`plot`.
        %(plain_title)s
        %(ax)s
        %(plot_options)s

        Returns
        -------
        display : FeatureChangeDisplay
            With the changes, and drawn.
        """
        check.validate(locals())
        check.check_choice("kind", kind, KINDS)
        options = {"attack": attack, "n_directions": n_directions, "layers": layers}
        reports = {
            label: feature_change_report(model, X, y, random_state=random_state, **options)
            for label, model in named(estimators).items()
        }
        return cls(reports=reports, kind=kind, name=name).plot(ax=ax, **plot_options)

    @shared_docs
    def plot(
        self,
        *,
        kind: str | None = None,
        ax: Axes | None = None,
        xlabel: str | None = None,
        ylabel: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the means of the changes over the layers, with bands of one standard deviation.

        Parameters
        ----------
        kind : {"relative", "mean", "gain", "local_gain", "anisotropy"}, default=None
            Column of the report; "anisotropy" is the ratio of the change under attack to that
            under noise. None is the kind of the display.
        %(ax)s
        %(axis_labels)s
        **kwargs
            Passed to ``ax.plot``.

        Returns
        -------
        display : FeatureChangeDisplay
            Itself, with ``ax_`` and ``figure_``.
        """
        kind = check.check_choice("kind", kind or self.kind, KINDS)
        layers = shared_layers(self.reports)
        ax = self.open_axes(ax)
        self.bands_: list[Any] = []
        curves = []
        for number, (label, report) in enumerate(self.reports.items()):
            if kind == "anisotropy":
                curves.append((label, number, report.anisotropy, kwargs))
                continue
            faint = {"linestyle": "--", "markerfacecolor": "none", **kwargs}
            for way in ("adversarial", "random"):
                self._draw_band(ax, number, report, way, kind)
            curves.append((f"{label}, attack", number, report[f"adversarial_{kind}"], kwargs))
            curves.append((f"{label}, noise", number, report[f"random_{kind}"], faint))
        self.lines_ = draw_over_layers(ax, layers, curves)
        if kind == "anisotropy":
            ax.axhline(1, color=INK, linewidth=0.8, linestyle=":", label="same in all directions")
        ax.set(
            xlabel="layer" if xlabel is None else xlabel,
            ylabel=KINDS[kind] if ylabel is None else ylabel,
            title=self.name,
        )
        ax.set_ylim(bottom=0)
        ax.legend()
        return self

    def _draw_band(self, ax: Axes, number: int, report: Bunch, way: str, kind: str) -> None:
        """Shade one standard deviation over the samples around a mean."""
        mean = report[f"{way}_{kind}"]
        std = report.get(f"{way}_std" if kind == "mean" else f"{way}_{kind}_std")
        if std is None:  # a report of an earlier release
            return
        color = line_style(number)["color"]
        low, high = np.maximum(mean - std, 0), mean + std
        places, alpha = np.arange(len(mean)), 0.16 if way == "adversarial" else 0.08
        self.bands_.append(ax.fill_between(places, low, high, color=color, alpha=alpha, lw=0))
