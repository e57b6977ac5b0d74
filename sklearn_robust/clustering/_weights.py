"""Weights that a network gives its inputs for each class, and their angles."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array
from torch import Tensor, nn

from .. import _functional as F
from .. import _validation as check
from ..differentiable import AnyDtype, DifferentiableModel, Model, open_model
from ._linearize import Linearized, known_classes, linearize, open_network
from ._ops import mark

__all__ = ["centered", "class_labels", "class_weight_matrix", "weight_correlation"]

_CHUNK = 32  # classes whose way back is held in memory together
_CENTERS = {"classes": 0, "features": 1}
_EMPTY = {None: "zero", "classes": "equal to the mean of all rows", "features": "constant"}
_NOISE = 1e-12  # relative size of what rounding leaves of a row minus itself


def class_weight_matrix(
    estimator: Any,
    X: ArrayLike | None = None,
    *,
    method: str = "linearized",
    batch_norm: str = "fold",
    layer: str | None = None,
    input_shape: tuple[int, ...] | None = None,
) -> NDArray[np.float64]:
    """Weight of each input for each class in the linearised network.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module
        The network.
    X : array-like of shape (n_samples, ...), default=None
        Samples: needed by "mean_jacobian", else they only show the shape of one.
    method : {"linearized", "mean_jacobian"}, default="linearized"
        "linearized" is the matrix of the network without its non-linear parts, see
        :func:`linearize`. "mean_jacobian" is the Jacobian of the network itself, averaged over X,
        which exists for any network with a gradient.
    batch_norm : {"fold", "drop"}, default="fold"
        As for :func:`linearize`.
    layer : str, default=None
        Name of a submodule of the torch network, exactly as in its ``named_modules()``: the
        weights of that layer's input instead of the network's.
    input_shape : tuple of int, default=None
        Shape of one sample; needed for a bare module without X.

    Returns
    -------
    W : array of shape (n_classes, n_inputs), float64
        One row for each class in the order of ``classes_``; inputs are flattened.

    Raises
    ------
    NotLinearizableError
        If the network without its non-linear parts is not affine.

    See Also
    --------
    weight_correlation : Cosines between the rows.
    sklearn_robust.metrics.input_jacobian : Jacobian of the margin at each sample.

    Notes
    -----
    ``W[c] = d f_c / d x`` of the linearised network f, which is the same at every x: one forward
    pass and one way back for each class, in the precision of the network's weights, or in float64
    where the product of its layers would leave the range of float32. Linear models give their
    ``coef_`` (with two classes, ``-coef_ / 2`` and ``coef_ / 2``).

    References
    ----------
    Bai et al., "Clustering effect of (linearized) adversarial robust models", NeurIPS 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.clustering import class_weight_matrix
    >>> model = LogisticRegression(max_iter=1000).fit(*load_iris(return_X_y=True))
    >>> bool(np.array_equal(class_weight_matrix(model), model.coef_))
    True
    """
    check.check_choice("method", method, ["linearized", "mean_jacobian"])
    opened = open_network(estimator) if method == "linearized" else open_model(estimator)
    samples = None if X is None else check.check_samples(X, of=opened.estimator)
    if method == "mean_jacobian":
        if samples is None or layer is not None:
            raise ValueError(
                "method='mean_jacobian' averages the gradient at the network's own input over "
                "samples: pass X and leave layer out."
            )
        if batch_norm != "fold":
            raise ValueError(
                f"method='mean_jacobian' uses the network as it is and does not support "
                f"batch_norm={batch_norm!r}: leave it out, or use method='linearized'."
            )
        return _mean_jacobian(opened, samples)
    affine = linearize(opened, batch_norm=batch_norm)
    linearized = affine.body
    assert isinstance(linearized, Linearized)
    shape = _sample_shape(affine, samples, input_shape)
    linearized.ensure_affine(shape, affine.device)
    x = torch.zeros(1, *shape, device=affine.device, dtype=linearized.dtype)
    if layer is None:
        return _rows(affine, x)
    part = _layer_of(affine, linearized.body, layer)
    return _rows(lambda u: _from_layer(affine, x, part, u), _input_of(affine, x, part))


def weight_correlation(W: ArrayLike, *, center: str | None = None) -> NDArray[np.float64]:
    """Cosines between the classes' weights.

    Parameters
    ----------
    W : array-like of shape (n_classes, n_inputs)
        One row for each class, as :func:`class_weight_matrix` gives them.
    center : {None, "classes", "features"}, default=None
        None uses the rows as they are, like the paper. "classes" subtracts the mean row, which
        does not change a softmax. "features" subtracts each row's own mean: Pearson's correlation.

    Returns
    -------
    correlation : array of shape (n_classes, n_classes)
        Symmetric, from -1 to 1, with ones on its diagonal.

    Raises
    ------
    ValueError
        If all rows are zero, once they are centred. A single zero row has no direction either:
        its cosines are 0, with a warning.

    See Also
    --------
    ClassClustering : Puts classes of similar weights together.

    Notes
    -----
    ``C_ij = <w_i, w_j> / (||w_i|| ||w_j||)`` (paper 002, section 1.3).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_robust.clustering import weight_correlation
    >>> weight_correlation([[3.0, 0.0], [0.0, 2.0], [-1.0, 0.0]]) + 0.0
    array([[ 1.,  0., -1.],
           [ 0.,  1.,  0.],
           [-1.,  0.,  1.]])
    """
    given = check_array(W, dtype=np.float64, input_name="W")
    rows = centered(given, center)
    size = np.abs(rows).max(axis=1, keepdims=True)  # keeps the squares of tiny weights above zero
    axis = None if center == "classes" else 1  # the mean row is as precise as the largest one
    empty = np.flatnonzero(size <= _NOISE * np.abs(given).max(axis=axis, keepdims=True))
    if len(empty):
        what = (
            f"the weights of the classes in rows {empty[:5].tolist()} are {_EMPTY[center]}, so "
            "their correlation is not defined"
        )
        advice = "leave those classes out, or train the network further."
        if len(empty) == len(rows):
            raise ValueError(f"{what}: {advice}")
        warnings.warn(f"{what} and counts as 0: {advice}", stacklevel=2)
        size[empty] = 1
    rows = rows / size
    rows[empty] = 0
    rows /= np.maximum(
        np.linalg.norm(rows, axis=1, keepdims=True), 0.5
    )  # a row of zeros, or above 1
    correlation = np.clip(rows @ rows.T, -1, 1)
    np.fill_diagonal(correlation, 1)
    return (correlation + correlation.T) / 2


def class_labels(estimator: Any, n_classes: int) -> NDArray[Any]:
    """Labels of the classes in order; their numbers where none are known, as of a bare module."""
    classes = known_classes(open_model(estimator))
    return np.arange(n_classes) if classes is None else np.asarray(classes)


def centered(W: NDArray[np.float64], center: str | None) -> NDArray[np.float64]:
    """Weights without the mean row, or each without its own mean."""
    if center is None:
        return W
    axis = _CENTERS[check.check_choice("center", center, _CENTERS)]
    return W - W.mean(axis=axis, keepdims=True)


def _sample_shape(
    affine: DifferentiableModel, X: NDArray[Any] | None, input_shape: tuple[int, ...] | None
) -> tuple[int, ...]:
    """Shape of one sample by the model and the arguments, which must agree."""
    given = [] if affine.input_shape is None else [affine.input_shape]
    given += [] if input_shape is None else [check.check_shape("input_shape", input_shape)]
    given += [] if X is None else [X.shape[1:]]
    if not given:
        raise ValueError(
            f"{affine.name} does not say what shape its samples have: pass X, or "
            "input_shape=(3, 32, 32) for such images."
        )
    if len(set(given)) > 1:
        raise ValueError(
            f"{affine.name} takes samples of shape {given[0]}, but shape {given[-1]} was passed."
        )
    return given[0]


def _rows(logits: Callable[[Tensor], Tensor], x: Tensor) -> NDArray[np.float64]:
    """Jacobian (n_classes, n_inputs) of one sample's logits."""
    z, pull_back, *_ = torch.func.vjp(logits, x)
    unit = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)[:, None]
    rows = torch.func.vmap(lambda v: pull_back(v)[0], chunk_size=_CHUNK)(unit)
    return rows.flatten(1).double().cpu().numpy()


def _mean_jacobian(opened: Model, X: NDArray[Any], batch_size: int = 256) -> NDArray[np.float64]:
    """Jacobian (n_classes, n_inputs) of the network itself, averaged over samples."""
    check.check_sample_shape(X, opened.input_shape, opened.name)
    model, total = opened.logits, torch.zeros(())
    for start in range(0, len(X), batch_size):
        x = model.tensor(X[start : start + batch_size]).requires_grad_(True)
        z = model(x)
        rows = [F.input_gradient(z[:, c], x, retain_graph=True) for c in range(z.shape[1])]
        total = total.to(x.device) + torch.stack([row.double().sum(0) for row in rows])
    return (total / len(X)).flatten(1).cpu().numpy()


def _layer_of(affine: DifferentiableModel, body: nn.Module, layer: str) -> nn.Module:
    """Submodule of the user's own network by its name there."""
    own = [part.module for part in affine.modules() if isinstance(part, AnyDtype)]
    parts = [pair for root in own or [body] for pair in root.named_modules()]
    found = [part for name, part in parts if name and isinstance(layer, str) and name == layer]
    if not found or not isinstance(layer, str):
        names = ", ".join(repr(name) for name, _ in parts[:20] if name)
        raise ValueError(
            f"layer is {layer!r}, which {affine.name} does not have; choose one of {names}."
        )
    if len(found) > 1:
        raise ValueError(
            f"layer is {layer!r}, which {len(found)} networks in {affine.name} have: compute the "
            "weights of one of them by itself."
        )
    return found[0]


@contextmanager
def _hooked(part: nn.Module, hook: Callable[..., Any]) -> Iterator[None]:
    """Run a hook before a module of a linearised network, which no other thread has."""
    handle = part.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _input_of(affine: DifferentiableModel, x: Tensor, part: nn.Module) -> Tensor:
    seen: list[Tensor] = []
    with _hooked(part, lambda module, args: seen.append(args[0])):
        affine(x)
    if not seen:
        raise ValueError("the layer is not used in the network's forward pass.")
    return seen[0].detach().clone()


def _from_layer(affine: DifferentiableModel, x: Tensor, part: nn.Module, u: Tensor) -> Tensor:
    """Logits as a function of one layer's input."""
    with _hooked(part, lambda module, args: (mark(u.clone()), *args[1:])):
        return affine(x)
