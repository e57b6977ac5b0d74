"""Min-max training."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ..attacks import PGD
from ._adversarial import AdversarialNet

__all__ = ["MinMaxNet"]


class MinMaxNet(AdversarialNet):
    """Adversarial training: the loss of each batch is that of its adversarial examples.

    Parameters
    ----------
    module : "auto", torch.nn.Module class or instance, default="auto"
        As for :class:`NaturalNet`, which documents all shared parameters.
    attack : attack class or instance, default=PGD
        Solves the inner maximisation; PGD takes 10 steps. Its parameters are ``attack__eps``
        and so on, in the constructor, in ``set_params`` and in a grid.
    **kwargs
        Shared parameters.

    See Also
    --------
    TRADESNet : Trades clean for robust accuracy.
    FATNet : Stops the attack on a sample once it is misclassified.
    GAIRATNet : Weights the samples by their distance to the boundary.
    FastATNet : Takes one step.

    Notes
    -----
    Training minimises ``mean_i max_{||d|| <= eps} CE(f(x_i + d), y_i)`` over the weights. The
    attack looks for the inner maximum. It runs in eval mode and draws from a generator of its own.
    On a CPU it searches on a copy of the module whose convolutions are laid out for speed, and
    finds the same examples up to rounding.

    References
    ----------
    Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018.

    Examples
    --------
    >>> from sklearn_robust import MinMaxNet
    >>> from sklearn_robust.datasets import load_moons
    >>> X, y = load_moons(300, random_state=0)
    >>> net = MinMaxNet(attack__eps=0.02, lr=0.01, max_epochs=20, random_state=0).fit(X, y)
    >>> bool(net.score(X, y) > 0.9)
    True
    """

    def __init__(
        self,
        module: str | type[nn.Module] | nn.Module = "auto",
        *,
        attack: Any = PGD,
        **kwargs: Any,
    ) -> None:
        super().__init__(module, **kwargs)
        self.attack = attack

    def batch_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropy of the adversarial examples."""
        return super().batch_loss(self.perturb(x, y), y)
