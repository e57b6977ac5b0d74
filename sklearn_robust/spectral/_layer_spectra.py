"""Singular values of all layers of a model, summed up."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.utils import Bunch

from .. import _validation as check
from ..differentiable import open_model
from ._layers import Layer, layers_of
from ._maps import check_finite
from ._modules import example_for
from ._solve import METHODS, spectrum_of
from ._trace import trace_of

__all__ = ["layer_spectra"]

STATISTICS = (
    "max", "min", "mean", "std", "cv", "directional_gain_mean", "directional_gain_var",
)  # fmt: skip


def layer_spectra(
    estimator: Any,
    X: ArrayLike | None = None,
    *,
    input_shape: tuple[int, ...] | None = None,
    method: str = "auto",
    fold_bn: bool = True,
    max_grid: int | None = None,
    spectra: bool = False,
) -> Bunch:
    r"""Statistics of the singular values of every linear layer of a model.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline or torch.nn.Module
        Model to measure; it is not changed. A module need not be a classifier: one layer or a
        backbone will do. Of a pipeline the scalers and projections are listed by the names of
        their steps.
    X : array-like of shape (n_samples, ...), optional
        Samples, of which only the shape matters. A fitted net or a Pipeline needs none.
    input_shape : tuple, optional
        Shape of one sample, instead of ``X``.
    method : {"auto", "fft", "exact", "lanczos", "reshape"}, default="auto"
        As for :func:`conv_singular_values`, but "auto" is "lanczos" wherever a convolution is too
        large for "exact" and is not on a torus itself: it keeps the true padding. Its mean and std
        are estimates with an error of about 1 %, its ``min`` is NaN.
    fold_bn : bool, default=True
        Whether batch normalisation, which in eval mode multiplies each channel by a constant, is
        counted as part of the layer before it (or, behind the activation, after it). Without, the
        scale of a layer followed by batch normalisation is arbitrary.
    max_grid : int or None, default=None
        Cap of the number of frequencies along each axis for ``method="fft"`` and no other. 8 saves
        nine tenths of the time of a wide layer on 32 x 32 pixels: means of the second and fourth
        powers stay exact, mean and std change by less than 0.1 %, max is a little too low and min
        too high. None takes all.
    spectra : bool, default=False
        Whether to keep the singular values themselves.

    Returns
    -------
    report : Bunch
        Columns with one entry per layer, in the order in which the model runs them, ready for
        ``pandas.DataFrame(report)``: ``name``, ``type``, ``input_shape``, ``n_values``, ``max``,
        ``min``, ``mean``, ``std`` (over all singular values, not a sample of them), ``cv`` (std /
        mean), ``directional_gain_mean`` and ``directional_gain_var`` (of ||Mu||^2 for a random unit
        vector u), ``frobenius`` (the true operator's norm in closed form), ``method`` (the one
        used) and ``note`` (what was folded in, what is approximate, why a layer is skipped).
        Skipped layers have NaN. With ``spectra``, ``values`` holds the distinct singular values of
        each layer and ``weights`` how many each stands for. A layer that runs twice has two rows,
        ``conv`` and ``conv:2``.

    Raises
    ------
    ValueError
        If the shape of the samples is unknown or wrong, or a dense matrix would be too large.

    See Also
    --------
    conv_singular_values : All singular values of one layer.
    sklearn_robust.plotting.LayerSpectrumDisplay : Draws them.

    Notes
    -----
    Following [1]_, whose main spectral statistic is the standard deviation of a layer's singular
    values. With u uniform on the unit sphere of R^d,

    .. math:: E\,\|Mu\|^2 = \frac{\sum \sigma^2}{d}, \qquad
       Var\,\|Mu\|^2 = \frac{2}{d (d + 2)}
       \Big(\sum \sigma^4 - \frac{(\sum \sigma^2)^2}{d}\Big),

    so no spread means the same gain in every direction. The layers of a residual branch are listed
    one by one; multiplying their norms says nothing about the branch and its shortcut together.

    References
    ----------
    .. [1] Y. Wen, S. Li and K. Jia, "Towards understanding the regularization of adversarial
       robustness on neural networks", ICML 2020.

    Examples
    --------
    >>> from sklearn_robust import NaturalNet
    >>> from sklearn_robust.datasets import load_moons
    >>> from sklearn_robust.spectral import layer_spectra
    >>> X, y = load_moons(200, random_state=0)
    >>> net = NaturalNet(max_epochs=1, random_state=0).fit(X, y)
    >>> report = layer_spectra(net)
    >>> report.name
    ['features.1', 'features.3', 'classifier']
    >>> report.n_values.tolist()
    [2, 128, 2]
    """
    check.validate(
        locals(),
        fold_bn=check.check_flag,
        spectra=check.check_flag,
        max_grid=check.optional(check.check_count),
    )
    check.check_choice("method", method, METHODS)
    if max_grid is not None:
        check.check_count("max_grid", max_grid)
    model = open_model(estimator)
    x = example_for(model, X, input_shape)
    layers = layers_of(trace_of(model.module, x, logits=False), fold_bn)
    with torch.no_grad():
        rows = [_row(layer, method, max_grid) for layer in layers]
    report = Bunch(
        name=[layer.name for layer in layers],
        type=[layer.kind for layer in layers],
        input_shape=[layer.shape for layer in layers],
        n_values=np.array([row.get("n_values", 0) for row in rows], dtype=int),
    )
    for column in (*STATISTICS, "frobenius"):
        report[column] = np.array([row.get(column, math.nan) for row in rows], dtype=float)
    for column in ("method", "note", *(["values", "weights"] if spectra else [])):
        report[column] = [row[column] for row in rows]
    return report


def _row(layer: Layer, method: str, max_grid: int | None) -> dict[str, Any]:
    """Entries of one layer in the columns of the report."""
    if layer.map is None:
        empty = np.empty(0)
        return {"method": "none", "note": layer.note, "values": empty, "weights": empty}
    check_finite(layer.map, layer.name)
    spectrum = spectrum_of(layer.map, method, max_grid if method == "fft" else None)
    square = layer.map.squared_frobenius()
    if square is None:  # no closed form
        square = spectrum.power_sum(2)
    return {
        **spectrum.statistics(),
        "frobenius": math.sqrt(square),
        "method": spectrum.method,
        "note": "; ".join(part for part in (layer.note, spectrum.note) if part),
        "values": spectrum.values.cpu().numpy(),
        "weights": spectrum.weights.numpy(),
    }
