"""Differentiable models of classifiers that reduce many classes to pairs of classes."""

from __future__ import annotations

from typing import Any

import torch
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from torch import nn

from ...exceptions import NotDifferentiableError
from .._decision_scores import has_decision_function
from .._layers.outputs import (
    ClassifierModule,
    is_tabular,
    naming,
    normalized,
    output_of,
    signed_pair,
    unsupported_by,
)
from .._layers.pairwise_voting import PairwiseVoting
from .._registry import build, register

__all__ = ["OneVsOne", "OneVsRest"]


def _bodies(model):
    with naming(f"The estimator of the {type(model).__name__}"):
        return nn.ModuleList(build(member) for member in model.estimators_)


def _decides(model):
    """Whether the members are compared by decision functions, not by probabilities."""
    return all(has_decision_function(member) for member in model.estimators_)


class OneVsRest(ClassifierModule):
    """One binary classifier per class.

    Parameters
    ----------
    model : fitted OneVsRestClassifier
        On one label per sample.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        if model.multilabel_:
            raise NotDifferentiableError(
                "This OneVsRestClassifier was fitted on several labels per sample: fit it on y of "
                "shape (n_samples,), with one class for each sample."
            )
        self.members = _bodies(model)
        self.decides = _decides(model)
        self.tabular = is_tabular(*self.members)
        self.unsupported = unsupported_by(self.members[0])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (n, n_classes): decision functions, or log-probabilities for lack of them."""
        if not self.decides:
            return self.log_proba(x)
        f = torch.cat([output_of(member, "decision", x) for member in self.members], 1)
        return signed_pair(f) if len(self.members) == 1 else f

    def log_proba(self, x: torch.Tensor) -> torch.Tensor:
        """Log-probabilities (n, n_classes), normalised over the classes."""
        parts = [output_of(member, "log_proba", x) for member in self.members]
        if len(parts) == 1:
            return parts[0]
        return normalized(torch.stack([part[:, 1] for part in parts], 1))


class OneVsOne(ClassifierModule):
    """One binary classifier for each pair of classes.

    Parameters
    ----------
    model : fitted OneVsOneClassifier
        On arrays of features.

    Notes
    -----
    The logits are the decision function: pairs won, plus confidences squashed into (-1/3, 1/3);
    with two classes, their difference is the decision function less the threshold of ``predict``.
    Votes jump, so attacks follow the smooth logits of ``PairwiseVoting``.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.members = _bodies(model)
        self.decides = _decides(model)
        self.voting = PairwiseVoting(len(model.classes_))

    def _pairs(self, x):
        """Numbers (n, n_pairs) whose signs decide the pairs, and scikit-learn's confidences."""
        if self.decides:
            f = torch.cat([output_of(member, "decision", x) for member in self.members], 1)
            return f, f
        log_p = torch.stack([output_of(member, "log_proba", x) for member in self.members], 1)
        return log_p[..., 1] - log_p[..., 0], log_p[..., 1].exp()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (n, n_classes) in float64."""
        f, confidence = self._pairs(x)
        if f.shape[1] > 1:
            return self.voting.logits(f, confidence)
        if self.voting.smooth:
            return signed_pair(f)
        return signed_pair(self.voting.votes(f, confidence)[:, 1:] - (0 if self.decides else 0.5))

    def decision(self, x: torch.Tensor) -> torch.Tensor:
        """Decision function (n, n_classes), or (n, 1) for two classes."""
        votes = self.voting.votes(*self._pairs(x))
        return votes if votes.shape[1] > 2 else votes[:, 1:]


@register(OneVsRestClassifier)
def _one_vs_rest(model):
    return OneVsRest(model)


@register(OneVsOneClassifier)
def _one_vs_one(model):
    return OneVsOne(model)
