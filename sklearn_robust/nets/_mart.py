"""Misclassification-aware adversarial training."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from .. import _validation as check
from ..attacks import PGD
from ._adversarial import AdversarialNet
from ._losses import check_criterion, mart

__all__ = ["MARTNet"]


class MARTNet(AdversarialNet):
    """Adversarial training that weighs misclassified samples more than others.

    Parameters
    ----------
    module : "auto", torch.nn.Module class or instance, default="auto"
        As for :class:`NaturalNet`, which documents all shared parameters.
    attack : attack class or instance, default=PGD
        Solves the inner maximisation of cross-entropy.
    beta : float, default=5.0
        Strength of the divergence; the released code has 5 for ResNet-18 and 6 for WideResNet.
    **kwargs
        Shared parameters, except ``criterion``.

    Raises
    ------
    ValueError
        In ``fit``, if a criterion is set: the loss has no place for one.

    See Also
    --------
    TRADESNet : Weighs the divergence of all samples alike.
    MinMaxNet : The baseline to compare with under AutoAttack.

    Notes
    -----
    ``BCE(p_adv, y) + beta * KL(p || p_adv) * (1 - p_y)`` averaged over the batch, with p and p_adv
    the probabilities of the clean samples and of the adversarial examples and BCE = -log p_adv,y -
    log(1 - max_{k != y} p_adv,k). The small constants of the released code are not needed here,
    and the attack starts uniformly in the ball, where that code starts from small normal noise.

    MART raises accuracy under cross-entropy PGD. On public leaderboards it falls below plain
    min-max training under AutoAttack: compare with ``robust_score``.

    References
    ----------
    Wang et al., "Improving adversarial robustness requires revisiting misclassified examples",
    ICLR 2020.

    Examples
    --------
    >>> from sklearn_robust import MARTNet
    >>> from sklearn_robust.datasets import load_moons
    >>> X, y = load_moons(300, random_state=0)
    >>> net = MARTNet(attack__eps=0.02, lr=0.01, max_epochs=20, random_state=0).fit(X, y)
    >>> bool(net.score(X, y) > 0.9)
    True
    """

    def __init__(
        self,
        module: str | type[nn.Module] | nn.Module = "auto",
        *,
        attack: Any = PGD,
        beta: float = 5.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(module, **kwargs)
        self.attack = attack
        self.beta = beta

    def check_parameters(self) -> None:
        """Raise if a parameter makes no sense."""
        super().check_parameters()
        check.check_number("beta", self.beta)
        check_criterion(self)

    def batch_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Boosted cross-entropy of the adversarial examples, and their divergence."""
        return mart(self, x, self.perturb(x, y), y)
