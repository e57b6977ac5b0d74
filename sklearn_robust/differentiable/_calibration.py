"""Views of calibrated classifiers."""

import numpy as np
import torch
from sklearn.calibration import CalibratedClassifierCV
from torch import nn
from torch.nn import functional as F

from ..exceptions import NotDifferentiableError
from ._blocks import Clip, Piecewise, log_of
from ._ensemble import Mixture
from ._registry import build, register
from ._responses import Response, Responses, naming, normalized, signed_pair

__all__ = ["Calibrated", "Isotonic", "Sigmoid", "Temperature"]


class Sigmoid(nn.Module):
    """Platt's sigmoid: the log-probabilities of not being and of being a class.

    Parameters
    ----------
    calibrator : fitted sigmoid calibrator
        With slope ``a_`` and intercept ``b_``.
    """

    def __init__(self, calibrator):
        super().__init__()
        self.a, self.b = float(calibrator.a_), float(calibrator.b_)

    def forward(self, f):
        """Pair of tensors (n,) from scores (n,)."""
        t = self.a * f + self.b
        return F.logsigmoid(t), F.logsigmoid(-t)


class Isotonic(nn.Module):
    """Isotonic regression: linear between thresholds, constant beyond them.

    Parameters
    ----------
    calibrator : fitted IsotonicRegression
        With ``X_thresholds_`` and ``y_thresholds_``.
    """

    def __init__(self, calibrator):
        super().__init__()
        x, y = calibrator.X_thresholds_, calibrator.y_thresholds_
        if len(x) == 1:  # constant
            x, y = np.append(x, x + 1), np.repeat(y, 2)
        self.clip = Clip(x[0], x[-1])
        lines = np.stack([np.diff(y) / np.diff(x), y[:-1]], axis=1)
        self.lines = Piecewise(x[None], lines[None, ..., None])

    def forward(self, f):
        """Pair of tensors (n,) from scores (n,)."""
        p = self.lines(self.clip(f[:, None])).flatten()
        return log_of(1 - p), log_of(p)


class Calibrated(Responses):
    """A classifier with one calibrator a class; its logits are log-probabilities.

    Parameters
    ----------
    scores : torch.nn.Module
        Maps samples to scores, one column a calibrator.
    calibrators : list of torch.nn.Module
        Sigmoid or Isotonic.
    """

    def __init__(self, scores, calibrators):
        super().__init__()
        self.scores, self.calibrators = scores, nn.ModuleList(calibrators)

    def forward(self, x):
        """Log-probabilities (n, n_classes) in float64."""
        f = self.scores(x)
        pairs = [calibrator(f[:, k]) for k, calibrator in enumerate(self.calibrators)]
        if len(pairs) == 1:
            return torch.stack(pairs[0], 1)
        return normalized(torch.stack([log_p for _, log_p in pairs], 1))


class Temperature(Responses):
    """A classifier whose logits are multiplied by one number, then normalised.

    Parameters
    ----------
    scores : torch.nn.Module
        Maps samples to decision values, or to log-probabilities if ``proba``.
    beta : float
        Inverse temperature.
    proba : bool
        Whether the scores are log-probabilities, which scikit-learn keeps above log(1e-12).
    """

    def __init__(self, scores, beta, *, proba):
        super().__init__()
        self.scores, self.beta, self.proba = scores, float(beta), proba

    def forward(self, x):
        """Log-probabilities (n, n_classes) in float64."""
        z = self.scores(x)
        if self.proba:
            z = (z.exp() + 1e-12).log()
        elif z.shape[1] == 1:
            z = 2 * signed_pair(z)
        return (self.beta * z).log_softmax(1)


class _Positive(nn.Module):
    """Probabilities of all classes, or of the second of two."""

    def __init__(self, log_proba):
        super().__init__()
        self.log_proba = log_proba

    def forward(self, x):
        p = self.log_proba(x).exp()
        return p[:, 1:] if p.shape[1] == 2 else p


def _one_fold(fold):
    if len(fold.estimator.classes_) < len(fold.classes):
        raise NotDifferentiableError(
            "one of its folds has no sample of some class. Take fewer folds (cv), or more samples."
        )
    proba = not hasattr(fold.estimator, "decision_function")
    scores = Response(build(fold.estimator), "log_proba" if proba else "decision")
    if fold.method == "temperature":
        return Temperature(scores, fold.calibrators[0].beta_, proba=proba)
    kind = {"sigmoid": Sigmoid, "isotonic": Isotonic}[fold.method]
    calibrators = [kind(calibrator) for calibrator in fold.calibrators]
    return Calibrated(_Positive(scores) if proba else scores, calibrators)


@register(CalibratedClassifierCV)
def _calibrated(model):
    with naming("The estimator of the CalibratedClassifierCV"):
        return Mixture([_one_fold(fold) for fold in model.calibrated_classifiers_])
