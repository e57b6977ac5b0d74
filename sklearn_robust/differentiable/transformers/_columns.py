"""Differentiable models of transformers that pick, drop and join features."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import RFE, SelectorMixin
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion
from torch import nn

from ...exceptions import NotDifferentiableError
from .._layers.blocks import Columns, Scale, Sequence, Union
from .._layers.outputs import Chain, naming
from .._meta import transformer
from .._registry import build, register

__all__ = ["Elimination", "Imputed"]


class Elimination(Chain):
    """Recursive feature elimination: the selection, or the classifier behind it.

    Parameters
    ----------
    columns : torch.nn.Module
        Selects the features.
    classifier : torch.nn.Module
        The estimator fitted on them.
    """

    def __init__(self, columns: nn.Module, classifier: nn.Module) -> None:
        super().__init__([columns], classifier)

    def transform(self, x: torch.Tensor) -> torch.Tensor:
        """Give the selected features."""
        return self.steps(x)


class Imputed(nn.Module):
    """Samples without missing values as an imputer returns them.

    Parameters
    ----------
    kept : array of ints
        Features that were observed in fit.
    n_flags : int
        Number of indicators of missing values, which are all 0.
    """

    tabular = True

    def __init__(self, kept: ArrayLike, n_flags: int) -> None:
        super().__init__()
        self.columns, self.n_flags = Columns(kept), n_flags

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Kept features and flags (n, len(kept) + n_flags)."""
        return torch.cat([self.columns(x), x.new_zeros(len(x), self.n_flags)], 1)


@register(SelectorMixin)
def _selector(selector):
    return Columns(selector.get_support(indices=True))


@register(RFE)
def _rfe(selector):
    columns = _selector(selector)
    try:
        return Elimination(columns, build(selector.estimator_))
    except NotDifferentiableError as error:
        body = Elimination(columns, nn.Identity())
        answers = ("forward", "decision", "log_proba")
        body.unsupported = dict.fromkeys(answers, str(error))
        return body


@register(SimpleImputer)
def _simple_imputer(imputer):
    missing = imputer.missing_values
    if isinstance(missing, str) or (missing is not None and missing == missing):
        raise NotDifferentiableError(
            f"SimpleImputer(missing_values={missing!r}) jumps where a feature takes that value. "
            "Mark missing values as NaN."
        )
    kept = np.arange(len(imputer.statistics_))
    if not imputer.keep_empty_features:
        kept = kept[[value == value for value in imputer.statistics_]]
    return Imputed(kept, len(imputer.indicator_.features_) if imputer.add_indicator else 0)


@register(FeatureUnion)
def _feature_union(union):
    weights = union.transformer_weights or {}
    parts = []
    for name, fitted in union.transformer_list:
        if fitted != "drop":
            with naming(f"Transformer {name!r} of the FeatureUnion"):
                parts.append(_weighted(_part(fitted), weights.get(name)))
    return Union(parts)


@register(ColumnTransformer)
def _column_transformer(model):
    weights = model.transformer_weights or {}
    names = vars(model).get("feature_names_in_")
    parts = []
    for name, fitted, columns in model.transformers_:
        index = _indices(columns, names, model.n_features_in_)
        if len(index) and not (isinstance(fitted, str) and fitted == "drop"):
            with naming(f"Transformer {name!r} of the ColumnTransformer"):
                part = Sequence(Columns(index), _part(fitted))
            parts.append(_weighted(part, weights.get(name)))
    return Union(parts)


def _part(fitted):
    return nn.Identity() if isinstance(fitted, str) else transformer(fitted)


def _weighted(part, weight):
    return part if weight is None else Sequence(part, Scale(weight))


def _indices(columns, names, n_features):
    """Find the features that are given in any of the ways that ColumnTransformer takes."""
    if isinstance(columns, slice):
        ends = [columns.start, columns.stop]
        if any(isinstance(end, str) for end in ends):
            start, stop = (None if end is None else _position(end, names) for end in ends)
            columns = slice(start, None if stop is None else stop + 1, columns.step)
        return np.arange(n_features)[columns]
    columns = np.atleast_1d(np.asarray(columns))
    if columns.dtype.kind in "OUT":
        return np.array([_position(name, names) for name in columns.tolist()], dtype=np.int64)
    return np.arange(n_features)[columns] if columns.size else np.empty(0, dtype=np.int64)


def _position(name, names):
    return int(np.flatnonzero(names == name)[0])
