"""Checks at the door: each says what came, what was wanted and what to type."""

import numbers
from collections.abc import Sequence
from contextlib import contextmanager

import numpy as np
import torch
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from ._norms import check_norm

__all__ = [
    "check_attack",
    "check_bounds",
    "check_choice",
    "check_count",
    "check_eps",
    "check_features",
    "check_labels",
    "check_norm",
    "check_number",
    "check_on_grid",
    "check_samples",
    "check_sample_shape",
    "check_shape",
    "encode_labels",
    "logits_in",
    "power_scaler",
    "refuse_bytes",
    "wrap_shape_errors",
    "svm_gamma",
    "validate_samples",
]


def refuse_bytes(X):
    """Refuse images of bytes, whose values would be a million times beyond any usual eps."""
    # A frame has a dtype for each column.
    kinds = {str(kind) for kind in np.ravel(getattr(X, "dtypes", getattr(X, "dtype", None)))}
    if not kinds <= {"uint8", "torch.uint8"} or 0 in X.shape:
        return
    top = int(X.max().max())
    if top > 1:
        raise ValueError(
            f"X is uint8 with values up to {top}: divide by 255 (X / 255) so that pixels "
            "lie in [0, 1], or type X.astype('float32') if these are no images."
        )


def _as_array(X):
    X = np.asarray(X) if isinstance(X, Sequence) and hasattr(X, "__array__") else X
    refuse_bytes(X)
    return X.detach().cpu().numpy() if isinstance(X, torch.Tensor) else X


def validate_samples(estimator, X, y="no_validation", **kwargs):
    """scikit-learn's ``validate_data`` for samples of any shape, as float32 in C order."""
    X = _as_array(X)
    kwargs = {"dtype": np.float32, "allow_nd": True, "order": "C", **kwargs}
    if isinstance(y, torch.Tensor):
        y = y.detach().cpu().numpy()
    return validate_data(estimator, X, y, **kwargs)


def check_samples(X, dtype=np.float32, *, of=None):
    """Return finite samples (n, ...) in C order, or say what is wrong with them.

    They are float32, or of the first of several dtypes unless they already are of another.
    The columns of a frame must be those that the estimator ``of`` was fitted on.
    """
    _check_columns(X, of)
    return check_array(_as_array(X), dtype=dtype, order="C", allow_nd=True, input_name="X")


def _check_columns(X, estimator):
    """Refuse a frame of other columns, or in another order: positions tell features apart."""
    wanted, given = getattr(estimator, "feature_names_in_", None), getattr(X, "columns", None)
    if wanted is None or given is None or len(given) != len(wanted):
        return
    if [*given] != [*wanted]:
        raise ValueError(
            f"X has the columns {[*given][:5]}, but {type(estimator).__name__} was fitted on "
            f"{[*wanted][:5]}, or on another order of them: type X[estimator.feature_names_in_]."
        )


def check_sample_shape(X, wanted, who):
    """Raise unless every sample of ``X`` has the shape the estimator was fitted on."""
    if wanted is not None and tuple(X.shape[1:]) != tuple(wanted):
        raise ValueError(
            f"X has {_describe(X.shape[1:])}, but {who} was fitted on {_describe(wanted)}: pass "
            "samples of that shape, X[:, None] adds a channel axis and X.reshape(...) changes it."
        )


def _describe(shape):
    # The words "n features" are those that scikit-learn's own tools look for.
    return f"{shape[0]} features" if len(shape) == 1 else f"sample shape {tuple(shape)}"


def check_labels(y):
    """Raise if there are no labels where they are needed."""
    if y is None:
        raise ValueError(
            "y is None: give the true labels, one for each sample. The measure that needs none is "
            "prediction_stability(estimator, X)."
        )


def encode_labels(y, classes, who):
    """Class codes (n,) int64 of the labels ``y``; a label that is not a class is an error."""
    y = np.asarray(y)
    if y.ndim != 1:
        raise ValueError(f"y has shape {y.shape}; {who} needs one label for each sample.")
    classes = np.asarray(classes)
    codes = np.searchsorted(classes, y) if _is_sorted(classes) else _search(classes, y)
    codes = np.minimum(codes, len(classes) - 1)
    unknown = classes[codes] != y
    if np.any(unknown):
        raise ValueError(
            f"y contains labels that {who} was not fitted on: "
            f"{np.unique(y[unknown])[:5].tolist()}; known are {classes[:10].tolist()}."
        )
    return codes.astype(np.int64)


def _is_sorted(classes):
    return bool(np.all(classes[:-1] <= classes[1:]))


def _search(classes, y):
    order = np.argsort(classes)
    return order[np.minimum(np.searchsorted(classes[order], y), len(classes) - 1)]


def check_choice(name, value, choices):
    """Raise unless ``value`` is one of ``choices``."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} is {value!r}; choose one of {sorted(choices)}.")
    return value


def check_number(name, value, *, low=0.0, high=np.inf, strict=False):
    """Raise unless ``value`` is a number from ``low`` to ``high``, above ``low`` if strict."""
    good = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not good or not low <= value <= high or (strict and value == low):
        wanted = f"a number {'above' if strict else 'of at least'} {low:g}"
        if high < np.inf:
            wanted += f" and at most {high:g}"
        raise ValueError(f"{name} is {value!r}; give {wanted}.")
    return float(value)


def check_count(name, value, *, low=1):
    """Raise unless ``value`` is an integer of at least ``low``."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < low:
        raise ValueError(f"{name} is {value!r}; give an integer of at least {low}.")
    return int(value)


def check_attack(attack):
    """Raise unless ``attack`` is an attack instance."""
    if isinstance(attack, type) or not hasattr(attack, "evaluate"):
        raise TypeError(f"attack is {attack!r}; give an attack instance, such as PGD(eps=0.1).")
    return attack


def check_shape(name, shape):
    """Shape of one sample as a tuple of positive integers."""
    axes = tuple(shape) if isinstance(shape, (tuple, list, np.ndarray, torch.Size)) else ()
    if not axes or not all(isinstance(n, numbers.Integral) and n > 0 for n in axes):
        raise ValueError(
            f"{name} is {shape!r}; give the shape of one sample as a tuple of positive integers, "
            "such as (3, 32, 32) for images or (4,) for rows."
        )
    return tuple(int(n) for n in axes)


def logits_in(who, z):
    """Logits (n, n_classes), the first of several outputs of a model; refused if they are none."""
    if isinstance(z, (tuple, list)) and z:
        z = z[0]
    if not isinstance(z, torch.Tensor) or z.ndim != 2 or z.shape[1] < 2:
        tensor = isinstance(z, torch.Tensor)
        came = f"an output of shape {tuple(z.shape)}" if tensor else type(z).__name__
        raise ValueError(
            f"{who} returns {came}; a classifier returns logits of shape (n_samples, n_classes) "
            "with at least two classes: of one output z (n_samples, 1) make "
            "torch.cat([-z, z], 1) / 2."
        )
    return z


@contextmanager
def wrap_shape_errors(who, shape):
    """Say which samples the model fails on, and that their shape may be why."""
    try:
        yield
    except (RuntimeError, IndexError) as error:
        if type(error) not in (RuntimeError, IndexError):  # out of memory, say
            raise
        reason = str(error).split("\n")[0].rstrip(".")
        raise ValueError(
            f"{who} fails on samples of shape {tuple(shape)} ({reason}): if that is not their "
            "shape, pass samples, or input_shape, of the shape that it was made for; else the "
            "network itself fails."
        ) from error


def check_eps(eps, norm, sample_shape):
    """Radius as float64: 0-d, or one number a feature; None means 8/255 for linf."""
    if eps is None:
        if norm != "linf":
            raise ValueError(f"eps must be given for norm={norm!r}; type eps=0.5, say.")
        eps = 8 / 255
    try:
        radius = np.asarray(eps)
        numeric = radius.dtype.kind in "iuf"
        radius = radius.astype(np.float64) if numeric else np.array(np.nan)
    except (TypeError, ValueError):
        radius = np.array(np.nan)
    if not np.all(np.isfinite(radius)) or np.any(radius < 0):
        raise ValueError(
            f"eps is {eps!r}; give a finite radius of at least 0, in the units of X, or an array "
            "with one for each feature."
        )
    return _per_feature("eps", radius, sample_shape)


def _per_feature(name, values, sample_shape):
    if values.ndim and values.shape != tuple(sample_shape):
        raise ValueError(
            f"{name} has shape {values.shape}, but the samples have shape {tuple(sample_shape)}: "
            f"give one number, or an array of the samples' shape with one for each feature."
        )
    return values


def check_features(name, features, sample_shape):
    """Boolean array of a sample's shape, from one or from the indices of flat features."""
    shape = tuple(sample_shape)
    chosen = np.asarray(features)
    if chosen.dtype == bool and chosen.shape == shape:
        return chosen
    n_features = shape[0] if len(shape) == 1 else 0
    indices = chosen.ndim == 1 and (chosen.size == 0 or chosen.dtype.kind in "iu")
    flags = chosen.size == n_features and set(chosen.flat) <= {0, 1}  # a mask of 0 and 1?
    if indices and not flags and np.all((chosen >= 0) & (chosen < n_features)):
        return np.isin(np.arange(n_features), chosen).reshape(shape)
    raise ValueError(
        f"{name} has shape {chosen.shape} and dtype {chosen.dtype}, but the samples have shape "
        f"{shape}: give a boolean array of the samples' shape"
        + (f", or indices from 0 to {n_features - 1}." if n_features else ".")
    )


def check_on_grid(X, integer, index):
    """Raise unless the features of ``X`` that were declared integer hold integers."""
    off = (X != np.round(X)) & integer
    if off.any():
        row, *feature = np.argwhere(off)[0].tolist()
        raise ValueError(
            f"Sample {index[row]} holds {X[(row, *feature)]:g} in feature {feature}, which was "
            "declared integer: round it, or leave the feature out of integer."
        )


def check_bounds(bounds, X):
    """Box of the data as (lower, upper) float64 arrays, or None for no box.

    ``"auto"`` is (0, 1) when all of ``X`` lies inside it and no box otherwise.
    """
    if bounds is None:
        return None
    if isinstance(bounds, str):
        if bounds != "auto":
            raise ValueError(f"bounds is {bounds!r}; give 'auto', None or (low, high).")
        inside = X.size == 0 or (X.min() >= 0 and X.max() <= 1)
        return (np.array(0.0), np.array(1.0)) if inside else None
    try:
        low, high = (np.asarray(side, dtype=np.float64) for side in bounds)
    except (TypeError, ValueError):
        raise ValueError(f"bounds is {bounds!r}; give 'auto', None or (low, high).") from None
    low, high = (_per_feature("bounds", side, X.shape[1:]) for side in (low, high))
    if not np.all(low <= high):
        raise ValueError(
            f"bounds is {bounds!r}; each lower bound must not exceed its upper one, and an open "
            "side is -np.inf or np.inf."
        )
    if X.size and (np.any(X < low.astype(X.dtype)) or np.any(X > high.astype(X.dtype))):
        raise ValueError(
            f"X spans [{X.min():g}, {X.max():g}] and leaves bounds={bounds!r}: rescale X, widen "
            "bounds, or type bounds=None for no box."
        )
    return low, high


# scikit-learn keeps these fitted values under private names only.


def svm_gamma(model):
    """Kernel coefficient that an SVC or NuSVC computed for ``gamma="scale"`` or ``"auto"``."""
    return float(model._gamma)


def power_scaler(transformer):
    """Scaler behind a PowerTransformer, or None if it does not standardise."""
    return transformer._scaler if transformer.standardize else None
