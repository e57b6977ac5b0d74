"""What a fitted classifier answers: logits, and what other estimators ask of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ...exceptions import NotDifferentiableError

__all__ = [
    "Chain",
    "OutputOf",
    "ClassifierModule",
    "is_tabular",
    "naming",
    "normalized",
    "output_of",
    "signed_pair",
    "two_columns",
    "unsupported_by",
]


def two_columns(weight: Any, bias: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Give a linear map with one output f the outputs -f/2 and f/2; leave others as they are."""
    weight, bias = np.asarray(weight), np.atleast_1d(bias)
    if weight.shape[1] > 1:
        return weight, bias
    return np.hstack([-weight, weight]) / 2, np.hstack([-bias, bias]) / 2


def signed_pair(f: torch.Tensor) -> torch.Tensor:
    """Logits (-f/2, f/2) of a decision function f of shape (n, 1)."""
    return torch.cat([-f, f], 1) / 2


def normalized(log_p: torch.Tensor) -> torch.Tensor:
    """Log-probabilities that sum to one in each row."""
    return log_p - log_p.logsumexp(1, keepdim=True)


class ClassifierModule(nn.Module):
    """Base of a classifier's module: ``forward`` gives logits, the methods other answers.

    The methods here are right for a module whose logits are the decision function (binary: its
    difference of two columns) and whose probabilities are their softmax. They serve modules of
    other classes, too.

    Attributes
    ----------
    tabular : bool
        Whether samples are rows of features.
    unsupported : dict
        Reasons, by name, why an answer has no gradient.
    """

    tabular = True
    unsupported: dict[str, str] = {}

    def decision(self, x: torch.Tensor) -> torch.Tensor:
        """Decision function (n, n_outputs) in float64, one column if there are two classes."""
        z = self(x).double()
        return z[:, 1:] - z[:, :1] if z.shape[1] == 2 else z

    def log_proba(self, x: torch.Tensor) -> torch.Tensor:
        """Log-probabilities (n, n_classes) in float64."""
        return self(x).double().log_softmax(1)

    def transform(self, x: torch.Tensor) -> torch.Tensor:
        """Give what the estimator returns when used as a transformer."""
        return self(x)


def is_tabular(*bodies: nn.Module) -> bool:
    """Whether all modules say that a sample is a row of features."""
    return all([getattr(body, "tabular", False) for body in bodies])


def unsupported_by(body: nn.Module) -> dict[str, str]:
    """Reasons, by name, why an answer of a module has no gradient."""
    return body.unsupported if isinstance(body, ClassifierModule) else {}


def output_of(body: nn.Module, name: str, x: torch.Tensor) -> torch.Tensor:
    """Answer ``name`` of a module, which need not be one of ClassifierModule."""
    owner = type(body) if isinstance(body, ClassifierModule) else ClassifierModule
    return getattr(owner, name)(body, x)


class OutputOf(nn.Module):
    """One answer of a classifier's module, as a module.

    Parameters
    ----------
    body : torch.nn.Module
        Module of a fitted estimator.
    name : {"forward", "decision", "log_proba", "transform"}
        The answer.

    Raises
    ------
    NotDifferentiableError
        If that answer has no gradient.
    """

    def __init__(self, body: nn.Module, name: str) -> None:
        super().__init__()
        reason = unsupported_by(body).get(name)
        if reason is not None:
            raise NotDifferentiableError(reason)
        self.body, self.name = body, name
        self.tabular = is_tabular(body)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give the answer for the samples ``x``."""
        return self.body(x) if self.name == "forward" else output_of(self.body, self.name, x)


class Chain(ClassifierModule):
    """A classifier behind transformers.

    Parameters
    ----------
    steps : list of torch.nn.Module
        Transformers, in order.
    last : torch.nn.Module
        What they feed.
    names : sequence of str, default=()
        What the user calls all of them, the last included.
    """

    def __init__(
        self, steps: Sequence[nn.Module], last: nn.Module, names: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.names = tuple(names)
        self.steps, self.last = nn.Sequential(*steps), last
        self.tabular = is_tabular(steps[0] if steps else last)
        self.unsupported = unsupported_by(last)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of the last step."""
        return self.last(self.steps(x))

    def decision(self, x: torch.Tensor) -> torch.Tensor:
        """Decision function of the last step."""
        return output_of(self.last, "decision", self.steps(x))

    def log_proba(self, x: torch.Tensor) -> torch.Tensor:
        """Log-probabilities of the last step."""
        return output_of(self.last, "log_proba", self.steps(x))

    def transform(self, x: torch.Tensor) -> torch.Tensor:
        """Transform samples by all steps."""
        return output_of(self.last, "transform", self.steps(x))


@contextmanager
def naming(part: str) -> Iterator[None]:
    """Say which part of an estimator an error is about."""
    try:
        yield
    except NotDifferentiableError as error:
        raise NotDifferentiableError(f"{part} cannot be differentiated: {error}") from error
