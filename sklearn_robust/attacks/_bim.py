"""Iterated gradient attacks without a random start."""

from __future__ import annotations

from typing import Any

import torch

from .._functional import flat_norm
from .._norms import column
from ._gradient import GradientAttack
from ._parameters import attack_class

__all__ = ["BIM", "MIFGSM"]


@attack_class
class BIM(GradientAttack):
    """Basic iterative method: projected gradient steps that start at the sample itself.

    Parameters
    ----------
    %(estimator)s
    %(eps)s
    %(norm)s
    %(constraints)s
    %(targeted)s
    %(loss)s
    %(steps)s
    %(settings)s

    See Also
    --------
    PGD : The same from a random start, with restarts.

    References
    ----------
    Kurakin, Goodfellow, Bengio, "Adversarial machine learning at scale", ICLR 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import BIM
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> X_adv = BIM(eps=1.0, norm="l2").generate(model, X, y)
    >>> bool(model.score(X_adv, y) < model.score(X, y))
    True
    """

    max_iter: int = 10
    step_size: float | None = None


@attack_class
class MIFGSM(BIM):
    """Momentum iterative method: steps along a decaying sum of normalised gradients.

    Parameters
    ----------
    %(estimator)s
    %(eps)s
    %(norm)s
    %(constraints)s
    %(targeted)s
    %(loss)s
    %(steps)s
    decay : float, default=1.0
        Share of the last momentum that is kept.
    %(settings)s

    Notes
    -----
    ``m <- decay * m + g / ||g||_1``, then a step along ``m`` that is steepest in the norm.

    References
    ----------
    Dong et al., "Boosting adversarial attacks with momentum", CVPR 2018.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import MIFGSM
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> X_adv = MIFGSM(eps=0.5).generate(model, X, y)
    >>> bool(model.score(X_adv, y) < model.score(X, y))
    True
    """

    decay: float = 1.0

    def direction(self, grad: torch.Tensor, memory: Any) -> tuple[torch.Tensor, Any]:
        """Add the normalised gradient to the momentum, and climb that.

        Parameters
        ----------
        grad : tensor of shape (n, ...)
            Gradient of the loss.
        memory : tensor of shape (n, ...) or None
            Momentum of the last step.

        Returns
        -------
        direction, memory : tensors of shape (n, ...)
            The momentum.
        """
        size = flat_norm(grad, 1).clamp_min(torch.finfo(grad.dtype).tiny)
        grad = grad / column(size, grad)
        memory = grad if memory is None else self.decay * memory + grad
        return memory, memory
