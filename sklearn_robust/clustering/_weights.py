"""What a network weighs for each class: the rows of its linearised matrix, and their angles."""

import warnings
from contextlib import contextmanager

import numpy as np
import torch
from sklearn.utils import check_array

from .. import _functional as F
from .. import _validation as check
from ..differentiable import AnyDtype, as_module
from ._linearize import linearize
from ._ops import mark

__all__ = ["centered", "class_labels", "class_weight_matrix", "weight_correlation"]

_CHUNK = 32  # classes whose way back is held in memory together
_CENTERS = {"classes": 0, "features": 1}
_EMPTY = {None: "zero", "classes": "equal to the mean of all rows", "features": "constant"}
_NOISE = 1e-12  # of the weights: what rounding leaves of a row from which itself was subtracted


def class_weight_matrix(
    estimator, X=None, *, method="linearized", batch_norm="fold", layer=None, input_shape=None
):
    """Weights that a network gives its inputs for each class.

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
    sklearn_robust.metrics.input_jacobian : Jacobian of the margin, one a sample.

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
    X = None if X is None else check.check_samples(X, of=estimator)
    if method == "mean_jacobian":
        if X is None or layer is not None:
            raise ValueError(
                "method='mean_jacobian' averages the slope at the network's own input over "
                "samples: pass X and leave layer out."
            )
        if batch_norm != "fold":
            raise ValueError(
                f"method='mean_jacobian' takes the network as it is and has no use for batch_norm="
                f"{batch_norm!r}: leave it out, or use method='linearized'."
            )
        return _mean_jacobian(as_module(estimator), X)
    affine = linearize(estimator, batch_norm=batch_norm)
    shape = _sample_shape(affine, X, input_shape)
    affine.body.ensure_affine(shape, affine.device)
    x = torch.zeros(1, *shape, device=affine.device, dtype=affine.body.dtype)
    if layer is None:
        return _rows(affine, x)
    part = _layer_of(affine, layer)
    return _rows(lambda u: _from_layer(affine, x, part, u), _input_of(affine, x, part))


def weight_correlation(W, *, center=None):
    """Cosines between the classes' weights.

    Parameters
    ----------
    W : array-like of shape (n_classes, n_inputs)
        One row for each class, as :func:`class_weight_matrix` gives them.
    center : {None, "classes", "features"}, default=None
        None takes the rows as they are, like the paper. "classes" subtracts the mean row, to
        which a softmax is blind. "features" subtracts each row's own mean: Pearson's correlation.

    Returns
    -------
    correlation : array of shape (n_classes, n_classes)
        Symmetric, from -1 to 1, with ones on its diagonal.

    Raises
    ------
    ValueError
        If all rows are zero, once they are centred. A single one has no direction either; its
        cosines are 0, with a warning.

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
    W = centered(given, center)
    size = np.abs(W).max(axis=1, keepdims=True)  # keeps the squares of tiny weights above zero
    axis = None if center == "classes" else 1  # the mean row is as precise as the largest one
    empty = np.flatnonzero(size <= _NOISE * np.abs(given).max(axis=axis, keepdims=True))
    if len(empty):
        what = (
            f"the weights of the classes in rows {empty[:5].tolist()} are {_EMPTY[center]}, so "
            "their correlation is not defined"
        )
        advice = "leave those classes out, or train the network further."
        if len(empty) == len(W):
            raise ValueError(f"{what}: {advice}")
        warnings.warn(f"{what} and counts as 0: {advice}", stacklevel=2)
        size[empty] = 1
    W = W / size
    W[empty] = 0
    W /= np.maximum(np.linalg.norm(W, axis=1, keepdims=True), 0.5)  # a row of zeros, or above 1
    correlation = np.clip(W @ W.T, -1, 1)
    np.fill_diagonal(correlation, 1)
    return (correlation + correlation.T) / 2


def class_labels(estimator, n_classes):
    """Labels of the classes in order; their numbers where none are known, as of a bare module."""
    return np.asarray(getattr(as_module(estimator), "classes_", np.arange(n_classes)))


def centered(W, center):
    """Weights without the mean row, or each without its own mean."""
    if center is None:
        return W
    axis = _CENTERS[check.check_choice("center", center, _CENTERS)]
    return W - W.mean(axis=axis, keepdims=True)


def _sample_shape(affine, X, input_shape):
    given = [] if affine.input_shape is None else [affine.input_shape]
    given += [] if input_shape is None else [check.check_shape("input_shape", input_shape)]
    given += [] if X is None else [X.shape[1:]]
    if not given:
        raise ValueError(
            f"{affine.name} does not say what it takes: pass input_shape=(3, 32, 32), say, or X."
        )
    if len(set(given)) > 1:
        raise ValueError(
            f"{affine.name} takes samples of shape {given[0]}, but shape {given[-1]} was passed."
        )
    return given[0]


def _rows(logits, x):
    """Jacobian (n_classes, n_inputs) of one sample's logits."""
    z, pull_back = torch.func.vjp(logits, x)
    unit = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)[:, None]
    rows = torch.func.vmap(lambda v: pull_back(v)[0], chunk_size=_CHUNK)(unit)
    return rows.flatten(1).double().cpu().numpy()


def _mean_jacobian(view, X, batch_size=256):
    check.check_sample_shape(X, view.input_shape, view.name)
    total = 0.0
    for start in range(0, len(X), batch_size):
        x = view.tensor(X[start : start + batch_size]).requires_grad_(True)
        z = view.surrogate(x)
        slopes = [F.input_gradient(z[:, c], x, retain_graph=True) for c in range(z.shape[1])]
        total = total + torch.stack([slope.double().sum(0) for slope in slopes])
    return (total / len(X)).flatten(1).cpu().numpy()


def _layer_of(affine, layer):
    """Submodule of the user's own network by its name there."""
    own = [part.module for part in affine.modules() if isinstance(part, AnyDtype)]
    parts = [pair for root in own or [affine.body.body] for pair in root.named_modules()]
    found = [part for name, part in parts if name and name == layer]
    if not found:
        names = ", ".join(repr(name) for name, _ in parts[:20] if name)
        raise ValueError(
            f"layer is {layer!r}, which {affine.name} does not have; take one of {names}."
        )
    if len(found) > 1:
        raise ValueError(
            f"layer is {layer!r}, which {len(found)} networks in {affine.name} have: take the "
            "weights of one of them by itself."
        )
    return found[0]


@contextmanager
def _hooked(part, hook):
    handle = part.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _input_of(affine, x, part):
    seen = []
    with _hooked(part, lambda module, args: seen.append(args[0])):
        affine(x)
    if not seen:
        raise ValueError("the layer takes no part in the network's forward pass.")
    return seen[0].detach().clone()


def _from_layer(affine, x, part, u):
    """Logits as a function of one layer's input."""
    with _hooked(part, lambda module, args: (mark(u.clone()), *args[1:])):
        return affine(x)
