"""One scorer of all numbers for a sweep over the strength of robust training."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from .. import _functional as F
from .. import _validation as check
from ..attacks import BaseAttack
from ..attacks._evaluation import choose_attack, robust_mask
from ..differentiable import Model
from ._layer_spectra import layer_spectra
from ._margin_report import logits_of, open_samples

__all__ = ["RegularizationScorer", "make_regularization_scorer"]


class RegularizationScorer:
    """Scorer ``(estimator, X, y) -> dict``; :func:`make_regularization_scorer` makes it.

    Parameters
    ----------
    attack : attack or None
        Attack that decides which samples are robust.
    tau : float
        Margins up to it are near the boundary.
    spectra : bool
        Whether to sum up the singular values.
    max_samples : int or None
        Number of samples attacked.
    """

    def __init__(
        self,
        attack: BaseAttack | None = None,
        tau: float = 0.1,
        spectra: bool = True,
        max_samples: int | None = None,
    ) -> None:
        self.attack = attack
        self.tau = tau
        self.spectra = spectra
        self.max_samples = max_samples

    def __call__(self, estimator: Any, X: ArrayLike, y: ArrayLike) -> dict[str, float]:
        """Scores of a fitted estimator by name; greater is not always better."""
        opened, samples, codes = open_samples(estimator, X, y)
        z, labels = logits_of(opened.module, samples), torch.from_numpy(codes)
        p = z.softmax(1)
        margin, narrow = F.margin(z, labels), F.margin(p, labels)
        scores = {
            "accuracy": float((z.argmax(1) == labels).double().mean()),
            "neg_cross_entropy": -float(F.cross_entropy(z, labels).mean()),
            "robust_accuracy": self._robust_accuracy(opened, samples.astype(np.float32), codes),
            "margin_mean": float(margin.mean()),
            "margin_std": float(margin.std(correction=0)),
            "softmax_margin_mean": float(narrow.mean()),
            "softmax_margin_std": float(narrow.std(correction=0)),
            "boundary_mass": float((narrow.abs() <= self.tau).double().mean()),
            "confidence": float(p.amax(1).mean()),
        }
        return scores | (_spectrum_scores(opened, samples) if self.spectra else {})

    def _robust_accuracy(
        self, model: Model, X: NDArray[np.float32], codes: NDArray[np.int64]
    ) -> float:
        attack = choose_attack(self.attack, model)
        rows = np.arange(len(X))
        if self.max_samples is not None and len(rows) > self.max_samples:
            rows = np.linspace(0, len(rows) - 1, self.max_samples).round().astype(int)
        return 1 - float(np.mean(~robust_mask(model, X[rows], codes[rows], attack)))

    def __repr__(self) -> str:
        changed = [
            f"{name}={value!r}"
            for name, value, default in (
                ("attack", self.attack, None),
                ("tau", self.tau, 0.1),
                ("spectra", self.spectra, True),
                ("max_samples", self.max_samples, None),
            )
            if value is not default and value != default
        ]
        return f"make_regularization_scorer({', '.join(changed)})"


def _spectrum_scores(opened: Model, X: NDArray[Any]) -> dict[str, float]:
    """Spread of the singular values, of all layers and of each."""
    report = layer_spectra(opened, X)
    scaler = np.array([kind == "Scale" for kind in report.type], dtype=bool)
    rows = np.flatnonzero(np.isfinite(report["std"]) & ~scaler)  # of the network alone
    if not len(rows):
        return {}
    scores = {"spectrum_std": float(report["std"][rows].mean())}
    scores["spectrum_cv"] = float(report.cv[rows].mean())
    scores |= {f"spectrum_std/{report.name[row]}": float(report["std"][row]) for row in rows}
    return scores


def make_regularization_scorer(
    attack: BaseAttack | None = None,
    *,
    tau: float = 0.1,
    spectra: bool = True,
    max_samples: int | None = None,
) -> RegularizationScorer:
    """Make a scorer of accuracy, loss, robust accuracy, margins, confidence and spectra.

    Parameters
    ----------
    attack : attack, default=None
        None is the worst case of :func:`sklearn_robust.metrics.robust_score`. All models of a
        sweep must face the same one: give it an integer ``random_state``.
    tau : float, default=0.1
        Softmax margins up to ``tau`` count as near the boundary.
    spectra : bool, default=True
        Whether to sum up the singular values of the layers.
    max_samples : int, default=None
        Number of samples to attack, evenly spaced; None attacks all. Train scores cost as much
        as test scores do.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y) -> dict``, picklable, with ``accuracy``, ``neg_cross_entropy``,
        ``robust_accuracy``, ``margin_mean``, ``margin_std``, ``softmax_margin_mean``,
        ``softmax_margin_std``, ``boundary_mass``, ``confidence`` and, with ``spectra``,
        ``spectrum_std`` and ``spectrum_cv`` (means over the layers) and ``spectrum_std/<layer>``.
        For ``scoring=`` of a search with ``refit=False`` or one of these names: only the first
        three are better when greater, the rest describe a model.

    Raises
    ------
    TypeError
        If ``attack`` is not an attack.

    See Also
    --------
    regularization_path : Reads the results of the search.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import PGD
    >>> from sklearn_robust.spectral import make_regularization_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> scorer = make_regularization_scorer(PGD(eps=0.3, random_state=0))
    >>> scores = scorer(LogisticRegression(max_iter=1000).fit(X, y), X, y)
    >>> bool(scores["robust_accuracy"] < scores["accuracy"])
    True
    >>> bool(scores["spectrum_std/matrix"] > 0)
    True
    """
    check.validate(
        locals(), spectra=check.check_flag, max_samples=check.optional(check.check_count)
    )
    if attack is not None:
        check.check_attack(attack)
    check.check_number("tau", tau)
    if max_samples is not None:
        check.check_count("max_samples", max_samples)
    return RegularizationScorer(attack, tau, spectra, max_samples)
