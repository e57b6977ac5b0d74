"""Training that penalises how the input gradient of the loss changes."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from .. import _validation as check
from ..differentiable._twice import twice_differentiable
from ._base import BaseNet
from ._engine.tangent import tangent

__all__ = ["CURENet"]


class CURENet(BaseNet):
    """Natural training plus a penalty on the curvature of the loss in the input.

    Parameters
    ----------
    module : "auto", torch.nn.Module class or instance, default="auto"
        As for :class:`NaturalNet`, which documents all shared parameters.
    lam : float, default=4.0
        Strength of the penalty (the paper's gamma). 0 is natural training.
    eps : float, default=0.03
        Step along the sign of the gradient, in the units of X: the paper's h is ``eps sqrt(d)``
        for d features, and its 1.5 on CIFAR-10 is 0.027.
    warm_up : int, default=0
        Epochs over which the step grows linearly to ``eps``.
    **kwargs
        Shared parameters.

    See Also
    --------
    LLRNet : Penalises the distance of the loss to its tangent, at the worst point of a ball.
    JacobianRegNet : Penalises the gradient, not its change.

    Notes
    -----
    ``CE(x) + lam * mean ||grad CE(x + eps s) - grad CE(x)||_2^2`` with s the sign of the gradient
    at x, which has no graph to the weights: to first order ``eps^2 ||H s||^2`` with the
    input Hessian H of each sample's loss. It costs two passes that are differentiated twice. Points
    may leave the box of the data. With BatchNorm in training mode a sample's gradient contains the
    influence of its batch neighbours. No radius follows from a flat loss: score by an attack.

    References
    ----------
    Moosavi-Dezfooli et al., "Robustness via curvature regularization, and vice versa", CVPR 2019.

    Examples
    --------
    >>> from sklearn_robust.datasets import load_moons
    >>> from sklearn_robust.nets import CURENet
    >>> X, y = load_moons(300, random_state=0)
    >>> net = CURENet(lam=0.1, lr=0.01, max_epochs=20, random_state=0).fit(X, y)
    >>> bool(net.score(X, y) > 0.9)
    True
    """

    def __init__(
        self,
        module: str | type[nn.Module] | nn.Module = "auto",
        *,
        lam: float = 4.0,
        eps: float = 0.03,
        warm_up: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(module, **kwargs)
        self.lam = lam
        self.eps = eps
        self.warm_up = warm_up

    def check_parameters(self) -> None:
        """Raise if a parameter makes no sense."""
        super().check_parameters()
        check.check_number("lam", self.lam)
        check.check_number("eps", self.eps, strict=True)
        check.check_count("warm_up", self.warm_up, low=0)

    def batch_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Criterion of the clean samples, and the penalty."""
        if not self.lam:
            return super().batch_loss(x, y)
        with twice_differentiable():
            z, _, here = tangent(self, x, y, create_graph=True)
            step = self.eps * min(1.0, len(self.history) / (self.warm_up + 1))
            there = x + step * here.detach().sign()
            _, _, ahead = tangent(self, there, y, create_graph=True)
            penalty = (ahead - here).flatten(1).square().sum(1).mean()
        self.history.record_batch("curvature_penalty", penalty.item())
        return self.criterion_(z, y) + self.lam * penalty, z
