"""Differentiable models of calibrated classifiers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from scipy.special import logit
from sklearn.calibration import CalibratedClassifierCV
from torch import nn
from torch.nn import functional as F

from ...exceptions import NotDifferentiableError
from .._decision_scores import has_decision_function
from .._layers.blocks import Clip, Piecewise, log_of
from .._layers.outputs import (
    ClassifierModule,
    OutputOf,
    is_tabular,
    naming,
    normalized,
    signed_pair,
)
from .._layers.pairwise_voting import Smoothable, jumps
from .._registry import build, register
from ._ensemble import Mixture
from ._kernel import SupportVectors

__all__ = ["Calibrated", "Fold", "Isotonic", "Sigmoid", "Temperature"]


class Sigmoid(nn.Module):
    """Platt's sigmoid: the log-probabilities of not being and of being a class.

    Parameters
    ----------
    calibrator : fitted sigmoid calibrator
        With slope ``a_`` and intercept ``b_``.
    """

    def __init__(self, calibrator: Any) -> None:
        super().__init__()
        self.a, self.b = float(calibrator.a_), float(calibrator.b_)

    def forward(self, f: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pair of tensors (n,) from scores (n,)."""
        t = self.a * f + self.b
        return F.logsigmoid(t), F.logsigmoid(-t)


class Isotonic(Smoothable, nn.Module):
    """Isotonic regression: linear between thresholds, constant beyond them.

    It is flat nearly everywhere and steep between; when ``smooth``, a sigmoid near it that crosses
    one half where it does.

    Parameters
    ----------
    calibrator : fitted IsotonicRegression
        With ``X_thresholds_`` and ``y_thresholds_``.
    """

    jumping = True

    def __init__(self, calibrator: Any) -> None:
        super().__init__()
        x, y = calibrator.X_thresholds_.astype(float), calibrator.y_thresholds_.astype(float)
        if len(x) == 1:  # constant
            x, y = np.append(x, x + 1), np.repeat(y, 2)
        self.steepness, self.shift = _sigmoid_near(x, y)
        self.clip = Clip(x[0], x[-1])
        lines = np.stack([np.diff(y) / np.diff(x), y[:-1]], axis=1)
        self.lines = Piecewise(x[None], lines[None, ..., None])

    def forward(self, f: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pair of tensors (n,) from scores (n,)."""
        if self.smooth:
            t = self.steepness * f.double() + self.shift
            return F.logsigmoid(-t), F.logsigmoid(t)
        p = self.lines(self.clip(f[:, None])).flatten()
        return log_of(1 - p), log_of(p)


def _sigmoid_near(x, y):
    """Slope and shift of a line whose sigmoid is near the increasing curve from (x, y)."""
    odds = logit(y.clip(0.01, 0.99))
    slope = max(np.polyfit(x - x.mean(), odds, 1)[0], 0.0)
    above = int(np.searchsorted(y, 0.5))
    if slope and 0 < above < len(y):
        left, right = above - 1, above
        share = (0.5 - y[left]) / (y[right] - y[left])
        return slope, -slope * (x[left] + share * (x[right] - x[left]))
    return slope, odds.mean() - slope * x.mean()


class Fold(Smoothable, ClassifierModule):
    """A classifier and what calibrates it.

    If the classifier counts votes, its own smooth logits are better to follow than those behind
    the calibrators, whose sigmoids flatten what the votes have flattened.

    Parameters
    ----------
    body : torch.nn.Module
        The classifier.
    method : {"decision", "log_proba"}
        What is calibrated.
    """

    def __init__(self, body: nn.Module, method: str) -> None:
        super().__init__()
        self.scores = OutputOf(body, method)
        self.proba = method == "log_proba"
        self.jumps = jumps(body)
        self.tabular = is_tabular(body)

    def calibrate(self, f: torch.Tensor) -> torch.Tensor:
        """Log-probabilities (n, n_classes) of the scores."""
        raise NotImplementedError

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Log-probabilities (n, n_classes) in float64."""
        if self.smooth and self.jumps:
            return self.scores.body(x).log_softmax(1)
        return self.calibrate(self.scores(x))


class Calibrated(Fold):
    """A classifier with one calibrator per class, or one for two classes.

    Parameters
    ----------
    body, method
        See Fold.
    calibrators : list of torch.nn.Module
        Sigmoid or Isotonic.
    """

    def __init__(self, body: nn.Module, method: str, calibrators: Iterable[nn.Module]) -> None:
        super().__init__(body, method)
        self.calibrators = nn.ModuleList(calibrators)

    def calibrate(self, f: torch.Tensor) -> torch.Tensor:
        """Log-probabilities (n, n_classes) of the scores."""
        f = f.exp() if self.proba else f
        if len(self.calibrators) == 1 and f.shape[1] == 2:
            f = f[:, 1:]
        pairs = [calibrator(f[:, k]) for k, calibrator in enumerate(self.calibrators)]
        if len(pairs) == 1:
            return torch.stack(pairs[0], 1)
        return normalized(torch.stack([log_p for _, log_p in pairs], 1))


class Temperature(Fold):
    """A classifier whose scores are multiplied by one number, then normalised.

    Parameters
    ----------
    body, method
        See Fold.
    beta : float
        Inverse temperature.
    """

    def __init__(self, body: nn.Module, method: str, beta: float) -> None:
        super().__init__(body, method)
        self.beta = float(beta)

    def calibrate(self, f: torch.Tensor) -> torch.Tensor:
        """Log-probabilities (n, n_classes) of the scores."""
        if self.proba:
            f = (f.exp() + 1e-12).log()  # as scikit-learn guards its logarithm
        elif f.shape[1] == 1:
            f = 2 * signed_pair(f)
        return (self.beta * f).log_softmax(1)


def _one_fold(fold):
    if len(fold.estimator.classes_) < len(fold.classes):
        raise NotDifferentiableError(
            "one of its folds has no sample of some class. Take fewer folds (cv), or more samples."
        )
    method = "decision" if has_decision_function(fold.estimator) else "log_proba"
    body = build(fold.estimator)
    if fold.method == "temperature":
        if isinstance(body, SupportVectors) and body.paired and len(fold.classes) > 3:
            raise NotDifferentiableError(
                "a temperature needs a score for each class, not one for each pair: fit its SVC "
                "with decision_function_shape='ovr'."
            )
        return Temperature(body, method, fold.calibrators[0].beta_)
    kind = {"sigmoid": Sigmoid, "isotonic": Isotonic}[fold.method]
    return Calibrated(body, method, [kind(calibrator) for calibrator in fold.calibrators])


@register(CalibratedClassifierCV)
def _calibrated(model):
    with naming("The estimator of the CalibratedClassifierCV"):
        return Mixture([_one_fold(fold) for fold in model.calibrated_classifiers_])
