"""Training on a mix of clean and one-step adversarial samples."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from .. import _validation as check
from ..attacks import FGSM
from ._adversarial import AdversarialNet

__all__ = ["AdvTrainNet"]


class AdvTrainNet(AdversarialNet):
    """Adversarial training on a mix of clean samples and their one-step perturbations.

    Parameters
    ----------
    module : "auto", torch.nn.Module class or instance, default="auto"
        As for :class:`NaturalNet`, which documents all shared parameters.
    attack : attack class or instance, default=FGSM
        Makes the adversarial half; its parameters are ``attack__eps`` and so on.
    adv_weight : float in [0, 1], default=0.5
        Share of the adversarial loss; 0 is natural training.
    **kwargs
        Shared parameters.

    See Also
    --------
    MinMaxNet : Trains on adversarial examples alone, found in several steps.

    Notes
    -----
    ``(1 - adv_weight) * CE(f(x), y) + adv_weight * CE(f(x_adv), y)``, both averaged over the
    same batch. One-step training is known to overfit to its own attack ("catastrophic
    overfitting"): score it with several steps and losses, as ``robust_score`` does.

    References
    ----------
    Kurakin, Goodfellow, Bengio, "Adversarial machine learning at scale", ICLR 2017.

    Examples
    --------
    >>> from sklearn_robust import AdvTrainNet
    >>> from sklearn_robust.datasets import load_moons
    >>> X, y = load_moons(300, random_state=0)
    >>> net = AdvTrainNet(attack__eps=0.02, lr=0.01, max_epochs=20, random_state=0).fit(X, y)
    >>> bool(net.score(X, y) > 0.9)
    True
    """

    def __init__(
        self,
        module: str | type[nn.Module] | nn.Module = "auto",
        *,
        attack: Any = FGSM,
        adv_weight: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(module, **kwargs)
        self.attack = attack
        self.adv_weight = adv_weight

    def check_parameters(self) -> None:
        """Raise if a parameter makes no sense."""
        super().check_parameters()
        check.check_number("adv_weight", self.adv_weight, high=1)

    def batch_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Weighted mean of the clean and the adversarial loss."""
        x_adv = self.perturb(x, y) if self.adv_weight else None
        loss, z = super().batch_loss(x, y)
        if x_adv is None:
            return loss, z
        adversarial, _ = super().batch_loss(x_adv, y)
        return (1 - self.adv_weight) * loss + self.adv_weight * adversarial, z
