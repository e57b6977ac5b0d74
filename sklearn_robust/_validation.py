"""Input validation: each message says what came, what was wanted and what to type.

The checks of parameters in :mod:`._parameters` and of samples in :mod:`._samples` are importable
from here, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ._layouts import MOVE_CHANNELS, has_channels_last
from ._norms import check_norm, is_missing
from ._parameters import (
    COMMON,
    cannot_use,
    check_attack,
    check_callable,
    check_choice,
    check_count,
    check_flag,
    check_jobs,
    check_learner,
    check_names,
    check_number,
    check_options,
    check_path,
    check_seed,
    check_shape,
    check_takes,
    check_temperature,
    check_text,
    check_verbose,
    check_weights,
    optional,
    shown,
    validate,
)
from ._samples import (
    check_columns,
    check_sample_shape,
    check_samples,
    refuse_bytes,
    validate_samples,
)

__all__ = [
    "COMMON",
    "cannot_use",
    "check_attack",
    "check_bounds",
    "check_callable",
    "check_choice",
    "check_closed_box",
    "check_columns",
    "check_count",
    "check_eps",
    "check_features",
    "check_flag",
    "check_jobs",
    "as_rows",
    "check_labels",
    "check_learner",
    "check_norm",
    "check_names",
    "check_number",
    "check_on_grid",
    "check_options",
    "check_path",
    "check_samples",
    "check_sample_shape",
    "check_seed",
    "check_shape",
    "check_takes",
    "check_temperature",
    "check_text",
    "check_verbose",
    "check_weights",
    "encode_labels",
    "first_tensor",
    "histogram_trees",
    "logits_in",
    "neighbors_of",
    "optional",
    "power_scaler",
    "refuse_bytes",
    "shown",
    "svm_gamma",
    "validate",
    "validate_samples",
    "wrap_shape_errors",
]


def check_labels(y: Any) -> None:
    """Raise if ``y`` is None."""
    if y is None:
        raise ValueError(
            "y is None: give the true labels, one for each sample. The measure that needs none is "
            "prediction_stability(estimator, X)."
        )
    scalar = y.ndim == 0 if isinstance(y, np.ndarray) else not isinstance(y, Sized)
    if scalar or isinstance(y, (str, bytes)):
        raise ValueError(f"y is {shown(y)}; give the true labels, one for each sample.")


def encode_labels(
    y: ArrayLike, classes: ArrayLike, who: str, *, unseen: bool = False
) -> NDArray[np.int64]:
    """Class codes (n,) int64 of labels (n,) or (n, 1).

    A label that is not a class is an error, or has the code -1 where ``unseen`` allows it.
    """
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise ValueError(f"y has shape {y.shape}; {who} needs one label for each sample.")
    classes = np.asarray(classes)
    codes = np.searchsorted(classes, y) if _is_sorted(classes) else _search(classes, y)
    codes = np.minimum(codes, len(classes) - 1)
    unknown = classes[codes] != y
    if unseen:
        codes = np.where(unknown, -1, codes)
    elif np.any(unknown):
        raise ValueError(
            f"y contains labels that {who} was not fitted on: "
            f"{np.unique(y[unknown])[:5].tolist()}; known are {classes[:10].tolist()}. "
            "Leave those samples out, or give them a label that is known."
        )
    return codes.astype(np.int64)


def _is_sorted(classes: NDArray[Any]) -> bool:
    return bool(np.all(classes[:-1] <= classes[1:]))


def _search(classes: NDArray[Any], y: NDArray[Any]) -> NDArray[np.intp]:
    order = np.argsort(classes)
    return order[np.minimum(np.searchsorted(classes[order], y), len(classes) - 1)]


def first_tensor(output: Any) -> Any:
    """Logits of what a module returns: itself, what it calls ``logits``, or its first part."""
    if isinstance(output, torch.Tensor):
        return output
    if is_dataclass(output) and not isinstance(output, (dict, type)):
        output = {field.name: vars(output)[field.name] for field in fields(output)}
    elif not isinstance(output, Mapping) and isinstance(
        getattr(output, "logits", None), torch.Tensor
    ):
        return output.logits  # a named tuple, or an object of the user's class
    if isinstance(output, Mapping) and output:
        return output["logits"] if "logits" in output else first_tensor(next(iter(output.values())))
    return first_tensor(output[0]) if isinstance(output, (tuple, list)) and output else output


def as_rows(z: Any, n_samples: int) -> Any:
    """Output of a module with one row per sample, where its axes tell which they are."""
    if type(z) is not torch.Tensor:
        z = first_tensor(z)
    if not isinstance(z, torch.Tensor):
        return z
    if z.ndim > 2 and z.shape[2:].numel() == 1:
        return z.flatten(1)
    if z.ndim < 2 and n_samples == 1:  # squeeze() took the axis of the samples, too
        return z.reshape(1, -1)
    return z[:, None] if z.shape == (n_samples,) else z


def logits_in(who: str, z: Any, n_samples: int = -1) -> torch.Tensor:
    """Logits (n, n_classes): a model's output, or the first of several; else an error."""
    z = as_rows(z, n_samples)
    if not isinstance(z, torch.Tensor) or z.ndim != 2 or z.shape[1] < 2:
        tensor = isinstance(z, torch.Tensor)
        came = f"an output of shape {tuple(z.shape)}" if tensor else type(z).__name__
        raise ValueError(
            f"{who} returns {came}; a classifier returns logits of shape (n_samples, n_classes) "
            "with at least two classes. Turn one output z (n_samples, 1) into "
            "torch.cat([-z, z], 1) / 2."
        )
    if z.is_complex():
        raise ValueError(
            f"{who} returns complex numbers: let its forward return real logits, such as z.abs() "
            "or z.real."
        )
    return z


@contextmanager
def wrap_shape_errors(who: str, shape: Sequence[int]) -> Iterator[None]:
    """Turn a model's own error into one that names the shape of the samples it failed on."""
    try:
        yield
    except (RuntimeError, IndexError) as error:
        if type(error) not in (RuntimeError, IndexError):  # such as out of memory
            raise
        reason = str(error).split("\n")[0].rstrip(".")
        if has_channels_last(shape):
            raise ValueError(
                f"{who} fails on samples of shape {tuple(shape)} ({reason}), which look like "
                "images with their channels last, and networks take channels first: type "
                f"{MOVE_CHANNELS}."
            ) from error
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
    if X.dtype == np.float64:
        X = np.where(is_missing(X), np.nan, X)  # a comparison with it is never true
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
    if X.size:
        low, high = _with_rounding(low, high, X)
    if X.size and not _inside(X, low.astype(X.dtype), high.astype(X.dtype)):
        raise ValueError(
            f"X spans [{X.min():g}, {X.max():g}] and leaves bounds={bounds!r}: rescale X, widen "
            "bounds, or type bounds=None for no box."
        )
    return low, high


def _inside(X: NDArray[Any], low: NDArray[Any], high: NDArray[Any]) -> bool:
    """Whether all samples lie in a box; NaN leaves none."""
    least, greatest = X.min(axis=0), X.max(axis=0)
    if np.isnan(least).any():  # cells that are missing
        return not (np.any(X < low) or np.any(X > high))
    return not (np.any(least < low) or np.any(greatest > high))


def check_closed_box(norm: str, bounds: Any) -> None:
    """Raise unless the data have a box without open sides, which ``norm`` needs."""
    if bounds is None or not all(np.all(np.isfinite(side)) for side in bounds):
        raise ValueError(
            f"norm is {norm!r}, in which a feature may go as far as the box allows, and "
            f"{'X has no box' if bounds is None else 'the box has an open side'}: give "
            "bounds=(low, high), such as bounds=(X.min(0), X.max(0))."
        )


def _with_rounding(low, high, X):
    """Box that also holds samples which leave it by the rounding of float32 alone."""
    sides = []
    for side, sign in ((low, -1), (high, 1)):
        axis = 0 if side.ndim else None
        reach = (X.max if sign > 0 else X.min)(axis=axis).astype(np.float64)
        size = np.maximum(X.max(axis=axis), -X.min(axis=axis)).astype(np.float32)
        beyond = sign * (reach - side.astype(X.dtype)) > 0
        slight = sign * (reach - side) <= 4 * np.spacing(size).astype(np.float64)
        sides.append(np.where(beyond & slight, reach, side))
    return sides


# scikit-learn keeps these fitted values under private names only.


def svm_gamma(model: Any) -> float:
    """Kernel coefficient that an SVC or NuSVC computed for ``gamma="scale"`` or ``"auto"``."""
    return float(model._gamma)


def power_scaler(transformer: Any) -> Any:
    """Scaler behind a PowerTransformer, or None if it does not standardise."""
    return transformer._scaler if transformer.standardize else None


def histogram_trees(model: Any) -> list[list[NDArray[Any]]]:
    """Nodes of each tree of a HistGradientBoostingClassifier, stage by stage."""
    return [[tree.nodes for tree in stage] for stage in model._predictors]


def neighbors_of(model: Any) -> tuple[Any, NDArray[np.int64], str]:
    """Training samples and class codes of a KNeighborsClassifier, and the metric in use."""
    return model._fit_X, model._y, model.effective_metric_
