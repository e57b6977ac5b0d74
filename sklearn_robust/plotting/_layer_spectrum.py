"""Singular values of the layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Bunch

from .. import _validation as check
from ..spectral import layer_spectra
from ._display import Display, label_of, named, shared_docs
from ._layer_lines import draw_over_layers, shared_layers
from ._style import line_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LayerSpectrumDisplay"]

KINDS = {
    "std": "std of the singular values",
    "cv": "std / mean of the singular values",
    "max": "largest singular value",
    "min": "smallest singular value",
    "mean": "mean singular value",
    "directional_gain_mean": "mean squared gain",
    "directional_gain_var": "variance of the squared gain",
    "values": "singular value",
}


_FEW = 7  # lines that have colours of their own, and room for a legend inside


@shared_docs
class LayerSpectrumDisplay(Display):
    """Singular values of a model's layers, or one statistic of them for several models.

    :meth:`from_estimator` and :meth:`from_estimators` make it; :meth:`plot` draws it again.

    Parameters
    ----------
    reports : dict of str to Bunch
        Result of :func:`sklearn_robust.spectral.layer_spectra` for each model; drawing the
        values themselves needs ``spectra=True``.
    kind : str, default="std"
        Default ``kind`` of :meth:`plot`.
    name : str, default=None
        Title.

    Attributes
    ----------
    %(axes_attributes)s
    lines_ : list of matplotlib Line2D
        One for each model, or for each layer if the values are drawn.

    See Also
    --------
    FeatureChangeDisplay : What the layers do to perturbed samples.

    Notes
    -----
    The name of a layer is followed by the method that found its singular values, such as
    "(lanczos)" or "(fft)", unless they are those of its whole matrix.

    References
    ----------
    Wen, Li, Jia, "Towards understanding the regularization of adversarial robustness on neural
    networks", ICML 2020.

    Examples
    --------
    >>> from sklearn_robust.modules import MLP
    >>> from sklearn_robust.plotting import LayerSpectrumDisplay
    >>> display = LayerSpectrumDisplay.from_estimator(MLP((4,), 3), input_shape=(4,))
    >>> [line.get_label() for line in display.lines_]
    ['features.1', 'features.3', 'classifier']
    """

    def __init__(
        self, *, reports: Mapping[str, Bunch], kind: str = "std", name: str | None = None
    ) -> None:
        self.reports = reports
        self.kind = kind
        self.name = name

    @classmethod
    @shared_docs
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike | None = None,
        *,
        kind: str = "values",
        name: str | None = None,
        **options: Any,
    ) -> Self:
        """Find the singular values of one model and draw them.

        Parameters
        ----------
        %(estimator)s
        X : array-like of shape (n_samples, ...), optional
            Samples, of which only the shape matters.
        kind : str, default="values"
            As for :meth:`plot`.
        %(title)s
        **options
            As for :meth:`from_estimators`.

        Returns
        -------
        display : LayerSpectrumDisplay
            With the singular values, and drawn.
        """
        check.validate(locals())
        name = label_of(estimator, name)
        return cls.from_estimators({name: estimator}, X, kind=kind, name=name, **options)

    @classmethod
    @shared_docs
    def from_estimators(
        cls,
        estimators: Mapping[Any, Any] | Iterable[Any],
        X: ArrayLike | None = None,
        *,
        input_shape: tuple[int, ...] | None = None,
        method: str = "auto",
        fold_bn: bool = True,
        max_grid: int | None = None,
        kind: str = "std",
        name: str | None = None,
        ax: Axes | None = None,
        **plot_options: Any,
    ) -> Self:
        """Find the singular values of several models of one architecture and draw a statistic.

        Parameters
        ----------
        %(estimators)s
        X : array-like of shape (n_samples, ...), optional
            Samples, of which only the shape matters.
        input_shape : tuple, optional
            As for :func:`sklearn_robust.spectral.layer_spectra`, like the next three.
        method : str, default="auto"
            How to find the singular values.
        fold_bn : bool, default=True
            Whether batch normalisation is part of the layers.
        max_grid : int or None, default=None
            Largest number of frequencies along each axis for ``method="fft"``.
        kind : str, default="std"
            As for :meth:`plot`.
        %(plain_title)s
        %(ax)s
        %(plot_options)s

        Returns
        -------
        display : LayerSpectrumDisplay
            With the singular values, and drawn.
        """
        check.validate(locals())
        check.check_choice("kind", kind, KINDS)
        options: dict[str, Any] = {"input_shape": input_shape, "method": method, "fold_bn": fold_bn}
        reports = {
            label: layer_spectra(model, X, max_grid=max_grid, spectra=True, **options)
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
        """Draw the spectra of one model, or a statistic over the layers of all.

        Parameters
        ----------
        kind : str, default=None
            "values" draws all singular values of each layer in descending order; "std", "cv",
            "max", "min", "mean", "directional_gain_mean" and "directional_gain_var" draw one
            number per layer. None is the kind of the display.
        %(ax)s
        %(axis_labels)s
        **kwargs
            Passed to ``ax.plot``.

        Returns
        -------
        display : LayerSpectrumDisplay
            Itself, with ``ax_`` and ``figure_``.
        """
        kind = check.check_choice("kind", kind or self.kind, KINDS)
        if kind == "values" and len(self.reports) > 1:
            raise ValueError(
                f"kind='values' draws one model, but there are {list(self.reports)}: choose "
                "kind='std', or draw each by itself."
            )
        ax = self.open_axes(ax)
        draw = self._draw_values if kind == "values" else self._draw_statistic
        default = draw(ax, kind, kwargs)
        ax.set(
            xlabel=default if xlabel is None else xlabel,
            ylabel=KINDS[kind] if ylabel is None else ylabel,
            title=self.name,
        )
        ax.set_ylim(bottom=0)
        many = len(self.lines_) > _FEW
        if len(self.lines_) > 1:
            beside: dict[str, Any] = {
                "loc": "upper left",
                "bbox_to_anchor": (1, 1),
                "fontsize": 8.5,
            }
            ax.legend(**({**beside, "ncols": -(-len(self.lines_) // 24)} if many else {}))
        return self

    def _draw_values(self, ax: Axes, kind: str, options: dict[str, Any]) -> str:
        ((_, report),) = self.reports.items()
        self.lines_ = []
        known = np.flatnonzero(report.n_values)
        # Lines of a few layers are told apart; those of many show their depth, dark to light.
        shades = _depths(len(known)) if len(known) > _FEW else None
        for place, row in enumerate(known):
            name = report.name[row]
            order = np.argsort(report["values"][row])[::-1]
            values, weights = report["values"][row][order], report.weights[row][order]
            # Each value takes as much room as there are singular values that it stands for.
            ends = np.cumsum(weights) / weights.sum()
            x = np.stack([np.concatenate([[0], ends[:-1]]), ends], 1).ravel()
            color = line_style(place)["color"] if shades is None else shades[place]
            label = _with_method(name, {report.method[row]})
            look: dict[str, Any] = {"color": color, "label": label, **options}
            self.lines_ += ax.plot(x, values.repeat(2), **look)
        return "share of the singular values, in descending order"

    def _draw_statistic(self, ax: Axes, kind: str, options: dict[str, Any]) -> str:
        layers = shared_layers(self.reports)
        rows = np.flatnonzero([n > 0 for n in next(iter(self.reports.values())).n_values])
        curves = [
            (label, number, report[kind][rows], options)
            for number, (label, report) in enumerate(self.reports.items())
        ]
        reports = self.reports.values()
        labels = [_with_method(layers[k], {r.method[k] for r in reports}) for k in rows]
        self.lines_ = draw_over_layers(ax, labels, curves)
        return "layer"


def _with_method(name: str, methods: set[str]) -> str:
    """Name of a layer, with the method that found its values unless that was exact."""
    inexact = sorted(methods - {"exact"})
    return f"{name} ({', '.join(inexact)})" if inexact else name


def _depths(n: int) -> Any:
    """Colours of ``n`` layers in the order of their depth."""
    from matplotlib import colormaps

    return colormaps["viridis"](np.linspace(0, 0.92, n))
