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

from ..._tables import selected_places
from ...exceptions import NotDifferentiableError
from .._layers.blocks import Columns, Scale, Sequence, Union, buffer
from .._layers.outputs import Chain, naming
from .._meta import transformer
from .._reading import at_columns, current_names
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
    """Samples as an imputer returns them: a missing value is NaN, and has no gradient.

    Parameters
    ----------
    kept : array of ints
        Features that were observed in fit.
    fill : array of shape (len(kept),)
        What stands for missing values.
    flags : array of ints
        Features whose missing values are indicated.
    """

    tabular = True
    fill: torch.Tensor

    def __init__(self, kept: ArrayLike, fill: ArrayLike, flags: ArrayLike) -> None:
        super().__init__()
        self.columns, self.flags = Columns(kept), Columns(flags)
        self.register_buffer("fill", buffer(fill))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Kept features and flags (n, len(kept) + len(flags))."""
        kept = self.columns(x)
        filled = torch.where(kept.isnan(), self.fill.to(x), kept)
        return torch.cat([filled, self.flags(x.detach()).isnan().to(x)], 1)


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
    try:
        fill = np.array(imputer.statistics_, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise NotDifferentiableError("SimpleImputer fills in texts or objects.") from error
    empty = np.isnan(fill)
    if imputer.keep_empty_features:
        fill, empty = np.where(empty, 0.0, fill), np.zeros_like(empty)
    kept = np.flatnonzero(~empty)
    flags = imputer.indicator_.features_ if imputer.add_indicator else []
    return Imputed(kept, fill[kept], flags)


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
    names = current_names() or range(model.n_features_in_)
    parts = []
    for name, fitted, columns in model.transformers_:
        index = selected_places(model, columns, names)
        if len(index) and not (isinstance(fitted, str) and fitted == "drop"):
            with naming(f"Transformer {name!r} of the ColumnTransformer"), at_columns(index):
                part = Sequence(Columns(index), _part(fitted))
            parts.append(_weighted(part, weights.get(name)))
    return Union(parts)


def _part(fitted):
    return nn.Identity() if isinstance(fitted, str) else transformer(fitted)


def _weighted(part, weight):
    return part if weight is None else Sequence(part, Scale(weight))
