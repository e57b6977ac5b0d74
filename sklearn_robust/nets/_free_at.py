"""Adversarial training at the cost of natural training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .. import _validation as check
from ..attacks import FGSM
from ._adversarial import AdversarialNet
from ._fast_at import check_fgsm

__all__ = ["FreeATNet"]


class FreeATNet(AdversarialNet):
    """Adversarial training that uses each training gradient for the perturbation as well.

    Parameters
    ----------
    module : "auto", torch.nn.Module class or instance, default="auto"
        As for :class:`NaturalNet`, which documents all shared parameters.
    attack : FGSM class or instance, default=FGSM
        Gives the ball: ``attack__eps``, ``attack__norm`` and so on; its loss is the criterion.
    m : int, default=4
        Replays of each batch, each with an update of the weights. An epoch costs ``m`` natural
        ones, so the paper divides ``max_epochs`` by ``m``.
    **kwargs
        Shared parameters.

    Raises
    ------
    ValueError
        In ``fit``, if the attack is not FGSM on cross-entropy without integer features.

    See Also
    --------
    FastATNet : Resets the perturbation, at twice the cost of an update.
    NaturalNet : The same with ``m=1`` and ``attack__eps=0``, bit for bit.

    Notes
    -----
    Each replay takes one backward pass of ``CE(f(x + d), y)``: its gradient for the weights makes
    the update, its gradient for the input moves ``d <- clip(d + eps sign(grad))`` for the next
    one. The perturbation persists from batch to batch and lives as long as one call of ``fit``.
    ``history`` holds the loss of each batch's last replay.

    References
    ----------
    Shafahi et al., "Adversarial training for free!", NeurIPS 2019.

    Examples
    --------
    >>> from sklearn_robust import FreeATNet
    >>> from sklearn_robust.datasets import load_moons
    >>> X, y = load_moons(300, random_state=0)
    >>> net = FreeATNet(attack__eps=0.02, lr=0.01, max_epochs=5, random_state=0).fit(X, y)
    >>> bool(net.score(X, y) > 0.8)
    True
    """

    def __init__(
        self,
        module: str | type[nn.Module] | nn.Module = "auto",
        *,
        attack: Any = FGSM,
        m: int = 4,
        **kwargs: Any,
    ) -> None:
        super().__init__(module, **kwargs)
        self.attack = attack
        self.m = m

    def check_parameters(self) -> None:
        """Raise if a parameter makes no sense."""
        super().check_parameters()
        if self.attack_mode != "eval":
            raise ValueError(
                "FreeATNet takes its gradients from the training pass itself, so "
                f"attack_mode={self.attack_mode!r} changes nothing: leave it out."
            )
        check.check_count("m", self.m)

    def initialize_attack(self) -> AdversarialNet:
        """Set ``attack_``, of which the ball is used."""
        super().initialize_attack()
        check_fgsm(self)
        if self.attack_.loss != "cross_entropy" or self.attack_.integer is not None:
            raise ValueError(
                "FreeATNet moves along the gradient of its criterion and cannot use the loss or "
                f"the integer features of attack={self.attack_!r}: leave them out."
            )
        return self

    def train_step(self, batch: Any, **fit_params: Any) -> dict[str, Tensor]:
        """Take ``m`` steps on one batch."""
        for _ in range(self.m):
            step = super().train_step(batch, **fit_params)
        return step

    def batch_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Criterion of the perturbed samples; its backward pass moves the perturbation on."""
        attack = self.current_attack()
        threat = attack.threat_model.with_shape(x.shape[1:], attack.bounds_)
        ball, box = threat.ball(x).to(x), threat.box(x)
        if ball.radius == 0:
            return super().batch_loss(x, y)
        delta = self._delta(x)
        x_adv = ball.confine(delta[: len(x)], x, box).requires_grad_(True)

        def climb(grad: Tensor) -> None:
            here = x_adv.detach()
            ahead = ball.ascent_step(here, grad, 1.0, box)
            delta[: len(x)] = ball.confine(here + ahead - x, x, box) - x

        x_adv.register_hook(climb)
        return super().batch_loss(x_adv, y)

    def _delta(self, x: Tensor) -> Tensor:
        """Perturbation of the last batch, and none for rows that it did not have."""
        kept = {} if self._fit_state is None else self._fit_state.kept
        last = kept.get("delta", x[:0])
        kept["delta"] = torch.cat([last, torch.zeros_like(x[len(last) :])])
        return kept["delta"]
