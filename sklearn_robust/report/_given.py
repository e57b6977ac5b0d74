"""Samples, labels and radius of an audit, made to fit the model that they are for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from torch import nn

from .. import _validation as check
from .._norms import is_missing
from ..differentiable import Model
from ..metrics import suggest_eps
from ..metrics._suggest_eps import EpsMeaning

__all__ = ["check_radius", "column_names", "labels_for", "meaning_of", "parse_share", "shaped_for"]

_SHARE = 0.1  # of the spread of a column, where no eps is given for a table


def parse_share(eps: Any) -> float | None:
    """Share that a text such as "5%" means, or None for anything else."""
    if not isinstance(eps, str):
        return None
    try:
        share = float(eps.strip().removesuffix("%")) / 100
    except ValueError:
        share = np.nan
    if not eps.strip().endswith("%") or not 0 < share < np.inf:
        raise ValueError(
            f"eps is {eps!r}; give a radius in the units of X, such as 0.1, or a share of each "
            "feature's standard deviation, such as '5%'."
        )
    return share


def column_names(X: Any) -> list[str] | None:
    """Names of the columns of a frame; None for anything else."""
    columns = getattr(X, "columns", None)
    return None if columns is None else [str(name) for name in columns]


def shaped_for(model: Model, X: Any) -> Any:
    """Return samples in the shape of the model: as rows for one that was fitted on rows."""
    wanted = model.input_shape
    if wanted is None or not isinstance(X, np.ndarray) or X.ndim < 3:
        return X
    flat = X.reshape(len(X), -1)
    return flat if tuple(wanted) == flat.shape[1:] else X


def labels_for(model: Model, y: Any, names: list[str] | None) -> tuple[Any, list[str] | None]:
    """Labels as the model spells them, and names of its classes to show."""
    labels = np.asarray(y)
    estimator = model.estimator
    bare = isinstance(estimator, nn.Module) and not isinstance(estimator, BaseEstimator)
    if bare:
        if labels.dtype.kind in "UO":  # the columns of the module are the sorted names
            found, labels = np.unique(labels.astype(str), return_inverse=True)
            return labels, names or found.tolist()
        return labels, names
    known = np.asarray(model.classes_)
    if names is not None and labels.dtype.kind in "iu" and known.dtype.kind in "UO":
        return np.asarray(names)[labels], None
    return y, names if names is not None and len(names) == len(known) else None


def meaning_of(
    eps: Any, norm: Any, model: Model, X: NDArray[Any], codes: NDArray[np.int64]
) -> EpsMeaning:
    """Radius of the audit, and what it means; categories of a table move by no distance."""
    share, moves = parse_share(eps), np.array(1.0)
    if model.table is not None:
        missing, moves = is_missing(X), 1.0 - model.table.still
        X = np.where(missing, np.where(missing, 0.0, X).mean(axis=0), X)
        share = _SHARE if eps is None else share
    if share is not None:
        eps = share * np.asarray(X, np.float64).std(axis=0) * moves
        if not np.any(eps > 0):
            raise ValueError("no feature of X varies, so that a share of it is no radius.")
    return suggest_eps(X, codes, eps=eps, norm=norm)


def check_radius(threat: dict[str, Any], X: NDArray[np.float32]) -> None:
    """Refuse a ball that holds the whole box: it asks nothing of a classifier."""
    box = check.check_bounds(threat["bounds"], X)
    if box is None or threat["norm"] != "linf":
        return
    width = np.asarray(box[1] - box[0])
    if np.all(np.asarray(threat["eps"]) >= width):
        eps = float(np.max(threat["eps"]))
        hint = "give a smaller one."
        if 1 <= eps < 256 and abs(eps * 8 - 255) < 1e-6:
            hint = "did you mean 8/255?"
        raise ValueError(
            f"eps is {eps:.4g}, and X spans {X.min():.4g} to {X.max():.4g}: every sample could "
            f"become any other; {hint}"
        )
