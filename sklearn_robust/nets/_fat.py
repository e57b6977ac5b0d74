"""Friendly adversarial training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from .. import _validation as check
from ..attacks import PGD
from ._adversarial import AdversarialNet
from ._engine.schedules import check_each_epoch, value_in
from ._reweighting import KappaObserver, check_one_run

__all__ = ["FATNet", "check_tau"]


def check_tau(net: Any) -> None:
    """Raise unless every tau of a net is a count of steps that its attack can take."""
    if net.attack_mode == "train":
        raise ValueError(
            f"{type(net).__name__} stops samples one by one, so that the rest of a batch has "
            "other statistics with attack_mode='train': leave attack_mode out."
        )
    top = net.attack_.max_iter

    def check_one(name: str, tau: Any) -> None:
        check.check_count(name, tau, low=0)
        if tau > top:
            raise ValueError(
                f"{name} is {tau}, but the attack takes {top} steps: give at most {top}, which "
                "stops no sample."
            )

    check_each_epoch("tau", net.tau, net.max_epochs, check_one)


class FATNet(AdversarialNet):
    """Friendly adversarial training: the attack on a sample stops soon after it is misclassified.

    Parameters
    ----------
    module : "auto", torch.nn.Module class or instance, default="auto"
        As for :class:`NaturalNet`, which documents all shared parameters.
    attack : attack class or instance, default=PGD
        Searches around each sample until that is misclassified; PGD takes at most 10 steps.
    tau : int, callable or list of (int, int), default=0
        Steps that a sample still takes once it is misclassified: 0 stops at the first such iterate.
        A callable gives it for an epoch, the first being 1; a list holds pairs (first epoch, tau).
        The paper has ``[(1, 0), (51, 1), (91, 2)]`` in 120 epochs. A tau equal to the number of
        attack steps is min-max training.
    **kwargs
        Shared parameters.

    Raises
    ------
    ValueError
        In ``fit``, if a tau exceeds the attack's steps or the attack takes several runs.

    See Also
    --------
    MinMaxNet : Takes all steps.
    GAIRATNet : Weights the samples too; ``base="fat"``.

    Notes
    -----
    The criterion is averaged over the points where the attack stopped, in the order of the batch. A
    sample leaves at its (tau + 1)-th misclassified iterate, and the batch that is attacked shrinks:
    training is faster than with all steps, most of all for weak nets. Clean accuracy is higher and
    robust accuracy lower than after min-max training. The random noise that the released code may
    add to each step is left out.

    References
    ----------
    Zhang et al., "Attacks which do not kill training make adversarial learning stronger",
    ICML 2020.

    Examples
    --------
    >>> from sklearn_robust import FATNet
    >>> from sklearn_robust.datasets import load_moons
    >>> X, y = load_moons(300, random_state=0)
    >>> net = FATNet(attack__eps=0.02, lr=0.01, max_epochs=20, random_state=0).fit(X, y)
    >>> bool(net.score(X, y) > 0.9)
    True
    """

    def __init__(
        self,
        module: str | type[nn.Module] | nn.Module = "auto",
        *,
        attack: Any = PGD,
        tau: int | Callable[[int], int] | Sequence[tuple[int, int]] = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(module, **kwargs)
        self.attack = attack
        self.tau = tau

    def initialize_attack(self) -> AdversarialNet:
        """Set ``attack_``; samples stop along one run of a gradient attack."""
        super().initialize_attack()
        check_one_run(type(self).__name__, "stops samples", self.attack_)
        check_tau(self)
        return self

    def perturb(self, x: Tensor, y: Tensor, *, observe: Callable | None = None) -> Tensor:
        """Find the points where the attack stopped; see :meth:`AdversarialNet.perturb`."""
        tau = value_in(len(self.history), self.tau)
        return super().perturb(x, y, observe=KappaObserver(y, tau=tau, also=observe))

    def batch_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Criterion of the points where the attack stopped."""
        return super().batch_loss(self.perturb(x, y), y)
