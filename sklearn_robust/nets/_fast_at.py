"""Adversarial training in one step from a random point."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor, nn

from .. import _validation as check
from ..attacks import FGSM
from ..attacks._batch import AttackBatch
from ._adversarial import AdversarialNet

__all__ = ["FastATNet", "check_fgsm"]

_ALPHA = {"rs": 1.25, "n": 1.0}  # the papers' steps


class _RandomPoint(FGSM):
    """Any point of the ball, and no step."""

    random_start = True
    max_iter = 0


class _RandomStep(FGSM):
    """One step of ``alpha`` times the radius from any point of the ball, and back onto it."""

    random_start = True
    alpha = 1.0

    def relative_step(self, batch: AttackBatch) -> float:
        """Length of the step as a share of the radius."""
        return self.alpha


def check_fgsm(net: Any) -> None:
    """Raise unless a net's attack is FGSM, whose step the net takes in its own way."""
    if type(net.attack_) is not FGSM:
        raise ValueError(
            f"{type(net).__name__} takes one step of its own from attack=FGSM and cannot use "
            f"attack={net.attack_!r}; MinMaxNet trains with any attack."
        )


class FastATNet(AdversarialNet):
    """Adversarial training with one gradient step from a random point (FGSM-RS, N-FGSM).

    Parameters
    ----------
    module : "auto", torch.nn.Module class or instance, default="auto"
        As for :class:`NaturalNet`, which documents all shared parameters.
    attack : FGSM class or instance, default=FGSM
        Gives ball and loss of the step: ``attack__eps`` and so on.
    variant : {"rs", "n"}, default="rs"
        "rs" starts anywhere in the ball and stays in it; "n" adds more noise and takes its step
        from there without returning to the ball, at most ``noise + alpha`` times eps away.
    alpha : float, default=None
        Length of the step in multiples of eps; None is 1.25 for "rs" and 1 for "n".
    noise : float, default=2.0
        Radius of the noise of "n" in multiples of eps.
    **kwargs
        Shared parameters.

    Raises
    ------
    ValueError
        In ``fit``, if the attack is not FGSM.

    See Also
    --------
    FreeATNet : Takes its step from the gradient of training itself.
    MinMaxNet : Takes many steps.

    Notes
    -----
    "rs": ``d = clip(u + alpha eps sign(grad CE(f(x + u), y)))`` with u uniform in the ball and clip
    onto the ball; "n" has u uniform in the ball of radius ``noise * eps`` and no clip; both stay in
    the box of the data. The gradient is taken in eval mode, where the released codes train.

    One-step training can collapse within an epoch: accuracy under PGD falls to zero while that
    under FGSM stays high ("catastrophic overfitting"). "n" is less prone to it than "rs"; large
    eps and long training invite it. Score with several steps, as ``robust_score`` does.

    References
    ----------
    Wong, Rice, Kolter, "Fast is better than free: revisiting adversarial training", ICLR 2020.
    De Jorge et al., "Make some noise: reliable and efficient single-step adversarial training",
    NeurIPS 2022.

    Examples
    --------
    >>> from sklearn_robust import FastATNet
    >>> from sklearn_robust.datasets import load_moons
    >>> X, y = load_moons(300, random_state=0)
    >>> net = FastATNet(attack__eps=0.02, lr=0.01, max_epochs=20, random_state=0).fit(X, y)
    >>> bool(net.score(X, y) > 0.9)
    True
    """

    def __init__(
        self,
        module: str | type[nn.Module] | nn.Module = "auto",
        *,
        attack: Any = FGSM,
        variant: str = "rs",
        alpha: float | None = None,
        noise: float = 2.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(module, **kwargs)
        self.attack = attack
        self.variant = variant
        self.alpha = alpha
        self.noise = noise

    def check_parameters(self) -> None:
        """Raise if a parameter makes no sense."""
        super().check_parameters()
        check.check_choice("variant", self.variant, _ALPHA)
        check.check_number("noise", self.noise)
        if self.alpha is not None:
            check.check_number("alpha", self.alpha, strict=True)

    def initialize_attack(self) -> AdversarialNet:
        """Set ``attack_``, one step of FGSM."""
        super().initialize_attack()
        check_fgsm(self)
        if self.variant == "n" and self.attack_.integer is not None:
            raise ValueError("variant='n' leaves the grid of integer features; use variant='rs'.")
        return self

    def perturb(self, x: Tensor, y: Tensor, *, observe: Callable | None = None) -> Tensor:
        """Find points one step from noise; see :meth:`AdversarialNet.perturb`."""
        attack, alpha = self.current_attack(), self.alpha or _ALPHA[self.variant]
        if self.variant == "rs":
            return self._search(_like(attack, _RandomStep, alpha=alpha), x, y, observe)
        x = self._search(_like(attack, _RandomPoint, self.noise), x, y)
        return self._search(_like(attack, FGSM, alpha), x, y, observe)

    def batch_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Criterion of the points one step from noise."""
        return super().batch_loss(self.perturb(x, y), y)


def _like(attack: Any, kind: type, times: float = 1.0, **settings: Any) -> Any:
    """Attack of another kind with the parameters of ``attack``, and ``times`` its radius."""
    made = kind()
    vars(made).update(vars(attack), **settings)
    made.eps = times * np.asarray(8 / 255 if attack.eps is None else attack.eps)
    return made
