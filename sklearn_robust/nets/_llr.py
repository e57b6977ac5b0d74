"""Training that penalises how far the loss leaves its tangent."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .. import _functional as F
from .. import _validation as check
from .._random import Noise, RowNoise, StreamNoise, seed_of
from ..differentiable import frozen
from ..differentiable._twice import twice_differentiable
from ._base import BaseNet
from ._engine.replay import draw_once
from ._engine.tangent import tangent

__all__ = ["LLRNet"]


class LLRNet(BaseNet):
    """Natural training plus a penalty on the loss's distance to its tangent in a ball.

    Parameters
    ----------
    module : "auto", torch.nn.Module class or instance, default="auto"
        As for :class:`NaturalNet`, which documents all shared parameters.
    lam : float, default=4.0
        Strength of the largest distance to the tangent (the paper's lambda).
    mu : float, default=3.0
        Strength of the slope at the point found (the paper's mu). With both 0 training is natural.
    eps : float, default=8/255
        Radius of the linf ball, in the units of X.
    n_steps : int, default=2
        Steps of the search for the largest distance, each of length ``eps / 2``.
    **kwargs
        Shared parameters.

    See Also
    --------
    CURENet : Penalises the change of the gradient, without a search.
    MinMaxNet : Trains on the largest loss itself.

    Notes
    -----
    ``CE(x) + lam * mean g(d) + mu * mean |<d, grad CE(x)>|`` with ``g(d) = |l(x + d) - l(x) -
    <d, grad l(x)>|`` for each sample's loss l, and d the largest g that sign steps from a uniform
    start in the ball find, in eval mode. The search gives a lower bound of the maximum. Points may
    leave the box of the data. Two passes are differentiated twice or once.

    References
    ----------
    Qin et al., "Adversarial robustness through local linearization", NeurIPS 2019.

    Examples
    --------
    >>> from sklearn_robust.datasets import load_moons
    >>> from sklearn_robust.nets import LLRNet
    >>> X, y = load_moons(300, random_state=0)
    >>> net = LLRNet(eps=0.02, lr=0.01, max_epochs=20, random_state=0).fit(X, y)
    >>> bool(net.score(X, y) > 0.9)
    True
    """

    def __init__(
        self,
        module: str | type[nn.Module] | nn.Module = "auto",
        *,
        lam: float = 4.0,
        mu: float = 3.0,
        eps: float = 8 / 255,
        n_steps: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(module, **kwargs)
        self.lam = lam
        self.mu = mu
        self.eps = eps
        self.n_steps = n_steps

    def check_parameters(self) -> None:
        """Raise if a parameter makes no sense."""
        super().check_parameters()
        check.check_number("lam", self.lam)
        check.check_number("mu", self.mu)
        check.check_number("eps", self.eps, strict=True)
        check.check_count("n_steps", self.n_steps)

    def begin_training(self, seed: int) -> None:
        """Prepare the draws of the searches' starts."""
        super().begin_training(seed)
        state = self.fit_state
        state.noise = StreamNoise(torch.Generator(device=state.device).manual_seed(seed))

    def batch_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Criterion of the clean samples, and the two penalties."""
        if not (self.lam or self.mu):
            return super().batch_loss(x, y)
        delta = draw_once(self, lambda: self.search(x, y))
        with twice_differentiable():
            z, loss, grad = tangent(self, x, y, create_graph=True)
            slope = (delta * grad).flatten(1).sum(1)
            ahead = F.cross_entropy(self.compute_logits(x + delta, precise=True), y)
            distance = (ahead - loss - slope).abs().mean()
        self.history.record_batch("linearity_penalty", distance.item())
        penalty = self.lam * distance + self.mu * slope.abs().mean()
        return self.criterion_(z, y) + penalty, z

    def search(self, x: Tensor, y: Tensor) -> Tensor:
        """Find where in the ball the loss is farthest from its tangent.

        Parameters
        ----------
        x : tensor of shape (n, ...)
            Clean samples.
        y : tensor of shape (n,), int64
            Class codes.

        Returns
        -------
        delta : tensor of shape (n, ...)
            Perturbations of at most ``eps`` in linf.
        """
        with frozen(self.module_):
            _, loss, grad = tangent(self, x, y)
            loss, grad = loss.detach(), grad.detach()
            delta = self.eps * (2 * self._noise(x).uniform(x, 0) - 1)
            for _ in range(self.n_steps):
                delta.requires_grad_(True)
                ahead = F.cross_entropy(self.compute_logits(x + delta, precise=True), y)
                distance = (ahead - loss - (delta * grad).flatten(1).sum(1)).abs()
                step = self.eps / 2 * F.input_gradient(distance, delta).sign()
                delta = (delta.detach() + step).clamp(-self.eps, self.eps)
        return delta

    def _noise(self, x: Tensor) -> Noise:
        state = self._fit_state
        if state is not None and state.noise is not None:
            return state.noise
        return RowNoise(seed_of(self.random_state), x)
