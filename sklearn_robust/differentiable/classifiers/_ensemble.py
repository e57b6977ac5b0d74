"""Differentiable models of ensembles, which average probabilities as logarithms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from torch import nn

from ...exceptions import NotDifferentiableError
from .._decision_scores import has_decision_function
from .._layers.blocks import Columns, Union, buffer
from .._layers.outputs import Chain, ClassifierModule, OutputOf, is_tabular, naming
from .._reading import at_columns, behind
from .._registry import build, register

__all__ = ["Mixture", "Probabilities"]


class Mixture(ClassifierModule):
    """Logarithm of the weighted mean of the members' probabilities.

    Parameters
    ----------
    members : list of torch.nn.Module
        Each maps samples to log-probabilities (n, n_classes).
    weights : array of shape (n_members,), optional
        Nonnegative weights; equal ones by default.
    """

    log_weights: torch.Tensor

    def __init__(self, members: Sequence[nn.Module], weights: ArrayLike | None = None) -> None:
        super().__init__()
        weights = np.ones(len(members)) if weights is None else np.asarray(weights, dtype=float)
        used = np.flatnonzero(weights)
        self.members = nn.ModuleList(members[int(i)] for i in used)
        self.tabular = is_tabular(*members)
        self.register_buffer("log_weights", buffer(np.log(weights[used] / weights.sum())))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Log-probabilities (n, n_classes) in float64."""
        parts = [
            member(x) + shift for member, shift in zip(self.members, self.log_weights, strict=True)
        ]
        return torch.stack(parts).logsumexp(0)


class Bag(Mixture):
    """Members that each see some features: the means of their probabilities and decisions.

    Parameters
    ----------
    bodies : list of torch.nn.Module
        Modules of the members.
    subsets : list of arrays of ints
        The features that each sees.
    decides : bool
        Whether the members have decision functions.
    """

    def __init__(
        self, bodies: Sequence[nn.Module], subsets: Sequence[ArrayLike], decides: bool
    ) -> None:
        def answers(name):
            pairs = zip(bodies, subsets, strict=True)
            return [Chain([Columns(subset)], OutputOf(body, name)) for body, subset in pairs]

        super().__init__(answers("log_proba"))
        self.deciders = nn.ModuleList(answers("decision") if decides else [])

    def decision(self, x: torch.Tensor) -> torch.Tensor:
        """Mean of the members' decision functions, if they have them."""
        if not self.deciders:
            return super().decision(x)
        return torch.stack([decider(x) for decider in self.deciders]).mean(0)


class Vote(Mixture):
    """Soft vote; as a transformer it gives every member's probabilities side by side.

    Parameters
    ----------
    members, weights
        See Mixture.
    """

    def __init__(self, members: Sequence[nn.Module], weights: ArrayLike | None = None) -> None:
        super().__init__(members, weights)
        self.voters = nn.ModuleList(members)  # those of weight 0 included

    def transform(self, x: torch.Tensor) -> torch.Tensor:
        """Probabilities (n, n_members * n_classes)."""
        return torch.cat([voter(x).exp() for voter in self.voters], 1)


class Stack(Chain):
    """A classifier of other classifiers' answers, which it gives as a transformer."""

    def transform(self, x: torch.Tensor) -> torch.Tensor:
        """Answers of the members (n, n_answers)."""
        return self.steps(x)


class Probabilities(nn.Module):
    """Probabilities of a classifier, as features.

    Parameters
    ----------
    log_proba : torch.nn.Module
        Maps samples to log-probabilities (n, n_classes).
    first : int
        First class to keep.
    """

    tabular = True

    def __init__(self, log_proba: nn.Module, first: int) -> None:
        super().__init__()
        self.log_proba, self.first = log_proba, first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Probabilities (n, n_classes - first)."""
        return self.log_proba(x)[:, self.first :].exp()


@register(VotingClassifier)
def _voting(model):
    if model.voting != "soft":
        raise NotDifferentiableError(
            "VotingClassifier(voting='hard') counts votes, which have no gradient, and gives no "
            "scores for Square either. Fit it with voting='soft'."
        )
    kept = [i for i, (_, member) in enumerate(model.estimators) if not isinstance(member, str)]
    members = []
    for i, fitted in zip(kept, model.estimators_, strict=True):
        with naming(f"Member {model.estimators[i][0]!r} of the VotingClassifier"):
            members.append(OutputOf(build(fitted), "log_proba"))
    weights = None if model.weights is None else np.asarray(model.weights)[kept]
    return Vote(members, weights)


@register(BaggingClassifier)
def _bagging(model):
    bodies = []
    with naming("The estimator of the BaggingClassifier"):
        for fitted, seen in zip(model.estimators_, model.estimators_features_, strict=True):
            if not hasattr(fitted, "predict_proba") or len(fitted.classes_) < len(model.classes_):
                raise NotDifferentiableError(
                    f"its {type(fitted).__name__} has no probability for each class, so it can "
                    "only vote. Take one that has predict_proba and draw more samples for it."
                )
            with at_columns(seen):
                bodies.append(build(fitted))
        decides = all(has_decision_function(fitted) for fitted in model.estimators_)
        return Bag(bodies, model.estimators_features_, decides)


@register(StackingClassifier)
def _stacking(model):
    names = [name for name, member in model.estimators if not isinstance(member, str)]
    parts = []
    for name, method, fitted in zip(names, model.stack_method_, model.estimators_, strict=True):
        with naming(f"Member {name!r} of the StackingClassifier"):
            parts.append(_stacked(fitted, method, n_classes=len(model.classes_)))
    if model.passthrough:
        parts.append(nn.Identity())
    with naming("The final estimator of the StackingClassifier"), behind():
        return Stack([Union(parts)], build(model.final_estimator_))


def _stacked(fitted, method, n_classes):
    if method == "predict_proba":
        return Probabilities(OutputOf(build(fitted), "log_proba"), first=int(n_classes == 2))
    if method == "decision_function":
        return OutputOf(build(fitted), "decision")
    raise NotDifferentiableError(
        f"{type(fitted).__name__} hands on labels, which have no gradient. Take a classifier with "
        "predict_proba or decision_function."
    )
