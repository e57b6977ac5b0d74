"""Training that trades clean for robust accuracy."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from .. import _validation as check
from ..attacks import PGD
from ..attacks._gradient import GradientAttack
from ._adversarial import AdversarialNet
from ._losses import trades

__all__ = ["TRADESNet", "check_start"]


def check_start(net: Any) -> None:
    """Raise if an attack would begin where the divergence from the clean sample is flat."""
    if net.attack_.loss == "kl" and not _starts_at_random(net.attack_):
        raise ValueError(
            f"{type(net).__name__}'s attack begins at the clean sample, where its loss 'kl' has no "
            "gradient: give attack=PGD, which begins elsewhere, or attack__loss='cross_entropy'."
        )


def _starts_at_random(attack: Any) -> bool:
    return isinstance(attack, GradientAttack) and bool(attack.random_start)


class TRADESNet(AdversarialNet):
    """Training on clean samples plus a penalty on the largest change of predictions nearby.

    Parameters
    ----------
    module : "auto", torch.nn.Module class or instance, default="auto"
        As for :class:`NaturalNet`, which documents all shared parameters.
    attack : attack class or instance, default=PGD
        Searches for the largest divergence. Its ``loss`` is "kl" unless you set another one.
    beta : float, default=6.0
        Strength of the divergence, the paper's 1 / lambda; 0 is natural training. The released
        code has 6 for CIFAR-10 and 1 for MNIST.
    **kwargs
        Shared parameters.

    See Also
    --------
    MARTNet : Weighs misclassified samples more.
    MinMaxNet : Trains on the adversarial examples alone.
    NaturalNet : The same with ``beta=0``, bit for bit.

    Notes
    -----
    ``CE(f(x), y) + beta * KL(softmax f(x) || softmax f(x_adv))``, both averaged over the batch,
    with a gradient through both sides of the divergence. The attack starts uniformly in the ball,
    where the released code starts at the sample with a little normal noise. The clean batch passes
    through the module once in training mode, the adversarial one after it.

    References
    ----------
    Zhang et al., "Theoretically principled trade-off between robustness and accuracy", ICML 2019.

    Examples
    --------
    >>> from sklearn_robust import TRADESNet
    >>> from sklearn_robust.datasets import load_moons
    >>> X, y = load_moons(300, random_state=0)
    >>> net = TRADESNet(attack__eps=0.02, lr=0.01, max_epochs=20, random_state=0).fit(X, y)
    >>> bool(net.score(X, y) > 0.9)
    True
    """

    def __init__(
        self,
        module: str | type[nn.Module] | nn.Module = "auto",
        *,
        attack: Any = PGD,
        beta: float = 6.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(module, **kwargs)
        self.attack = attack
        self.beta = beta

    def check_parameters(self) -> None:
        """Raise if a parameter makes no sense."""
        super().check_parameters()
        check.check_number("beta", self.beta)

    def attack_defaults(self) -> dict[str, Any]:
        """Parameters of the attack that differ from its own defaults, unless they are set."""
        return {"loss": "kl"}

    def initialize_attack(self) -> AdversarialNet:
        """Set ``attack_``, which must not begin at the clean sample."""
        super().initialize_attack()
        check_start(self)
        return self

    def batch_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Clean loss, and divergence of the adversarial examples."""
        if self.beta == 0:
            return super().batch_loss(x, y)
        return trades(self, x, self.perturb(x, y), y)
