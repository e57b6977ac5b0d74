"""Projected gradient descent."""

from __future__ import annotations

from typing import ClassVar

import torch

from .._functional import ascent_gradient
from ._batch import AttackBatch, Objective
from ._gradient import GradientAttack
from ._losses import make_objective
from ._parameters import attack_class
from ._result import AttackResult

__all__ = ["PGD"]


@attack_class
class PGD(GradientAttack):
    """Projected gradient descent: many small steps that increase a loss, from a random start.

    ``PGD(loss="margin", random_start=False)`` is the attack that the papers call C&W.

    Parameters
    ----------
    %(estimator)s
    %(eps)s
    %(norm)s
    %(constraints)s
    %(targeted)s
    %(loss)s
    %(steps)s
    n_restarts : int, default=1
        Number of runs; each sample keeps its best.
    random_start : bool, default=True
        Whether to start from a uniformly drawn point of the ball. Restarts always do.
    %(settings)s

    Attributes
    ----------
    estimator_ : fitted classifier
        What ``transform`` attacks.
    bounds_ : tuple or None
        Box of the data seen in ``fit``.

    See Also
    --------
    FGSM : One step.
    WorstCase : The worst of several attacks for each sample.

    Notes
    -----
    Random starts are uniform in the ball; in l2 it is their length that is uniform. There the
    default path of 2.5 eps turns a start that points away from the gradient only so far: a linear
    model's margin falls by 96 to 100 % of what it could. ``random_start=False``, or more and
    longer steps (``max_iter=50, step_size=eps / 10``), gains the rest.

    A verdict (``evaluate``, ``robust_mask`` and all scores) tries one point more for each sample
    that the steps left: that of the ball where the margin, linearised at the last iterate, is
    worst. On a linear model it is the worst point of the ball for the competing class that is
    strongest there, which cross-entropy, a mixture of all classes, may pass by.

    Used as a step of a Pipeline the attack also acts at prediction time. To score robustness,
    attack in the scorer instead: :func:`sklearn_robust.metrics.make_robust_scorer`.

    References
    ----------
    Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import PGD
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> attack = PGD(FrozenEstimator(model), eps=0.5, random_state=0)
    >>> X_adv = attack.fit(X, y).transform(X)
    >>> bool(abs(X_adv - X.astype("float32")).max() <= 0.5)
    True
    """

    max_iter: int = 10
    step_size: float | None = None
    n_restarts: int = 1
    random_start: bool = True

    _tries_linear: ClassVar[bool] = True  # whether a verdict tries the point of the margin, too

    def _finish(
        self,
        batch: AttackBatch,
        result: AttackResult,
        objective: Objective,
        rows: torch.Tensor,
        x_adv: torch.Tensor,
    ) -> None:
        """Judge the last iterate, and where it fails the worst point of the linearised margin."""
        super()._finish(batch, result, objective, rows, x_adv)
        if not (batch.stop and self._tries_linear):
            return
        left = ~result.fooled[rows]
        if not bool(left.any()):
            return
        rows, x_adv = rows[left], x_adv[left].detach().requires_grad_(True)
        margin = make_objective("margin", batch.targeted, batch.y, batch.clean)
        grad = ascent_gradient(margin(batch.forward(x_adv, rows), rows), x_adv).detach()
        x = batch.x[rows]
        x_adv = batch.confine(x + batch.ball.ascent_step(x, grad, 1.0, batch.box), x)
        with torch.no_grad():
            x_adv, z, fooled = batch.judge_last(x_adv, rows)
            hit = rows[fooled]
            result.record(hit, x_adv[fooled], objective(z[fooled], hit), fooled[fooled])
