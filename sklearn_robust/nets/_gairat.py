"""Geometry-aware instance-reweighted adversarial training."""

import math

import torch

from .. import _functional as F
from .. import _validation as check
from ..attacks import PGD
from ..attacks._gradient import GradientAttack
from ._adversarial import AdversarialNet
from ._burn_in import burn_in_epochs, check_burn_in

__all__ = ["GAIRATNet"]


class GAIRATNet(AdversarialNet):
    """Adversarial training that weights each sample by its closeness to the boundary.

    Parameters
    ----------
    module : "auto", torch.nn.Module class or instance, default="auto"
        As for :class:`NaturalNet`, which documents all shared parameters.
    attack : attack class or instance, default=PGD
        Solves the inner maximisation and counts kappa on the way.
    lam : float, default=-1.0
        Shift of the weight function: the larger, the flatter; ``np.inf`` weights all alike.
    burn_in : float or int, default=0.5
        Epochs without weights: a float is a share of ``max_epochs``, an integer a count.
    max_epochs : int, default=50
        Passes over the data.
    **kwargs
        Shared parameters.

    Attributes
    ----------
    history : list
        Also holds ``kappa_mean`` and the effective sample size ``ess`` of each batch.

    See Also
    --------
    MinMaxNet : The same with equal weights; the baseline to compare with under AutoAttack.

    Notes
    -----
    kappa counts the forward passes of the attack, before each step, on which the sample is
    still classified correctly. The loss is ``sum_i w_i CE_i / sum_i w_i`` over the batch with
    ``w = (1 + tanh(lam + 5 (1 - 2 kappa / K))) / 2`` (paper 003, eq. 6), K the attack's steps.

    GAIRAT improves accuracy under cross-entropy PGD, the attack it trains with. It is known to be
    weaker than plain min-max training under AutoAttack, margin and logit-scaled attacks; its
    authors say so. Misclassified samples, wrong labels included, get the largest weight.

    References
    ----------
    Zhang et al., "Geometry-aware instance-reweighted adversarial training", ICLR 2021.
    Hitaj et al., "Evaluating the robustness of geometry-aware instance-reweighted adversarial
    training", arXiv 2103.01914.

    Examples
    --------
    >>> from sklearn_robust import GAIRATNet
    >>> from sklearn_robust.datasets import load_moons
    >>> X, y = load_moons(300, random_state=0)
    >>> net = GAIRATNet(attack__eps=0.02, lr=0.01, max_epochs=20, random_state=0).fit(X, y)
    >>> bool(net.score(X, y) > 0.9)
    True
    """

    def __init__(
        self, module="auto", *, attack=PGD, lam=-1.0, burn_in=0.5, max_epochs=50, **kwargs
    ):
        super().__init__(module, max_epochs=max_epochs, **kwargs)
        self.attack = attack
        self.lam = lam
        self.burn_in = burn_in

    def _check_parameters(self):
        super()._check_parameters()
        check.check_number("lam", self.lam, low=-math.inf, strict=True)
        check_burn_in(self.burn_in)

    def initialize_attack(self):
        """Set ``attack_``; kappa is counted along one run of a gradient attack."""
        super().initialize_attack()
        if not isinstance(self.attack_, GradientAttack) or self.attack_.n_restarts > 1:
            raise ValueError(
                f"GAIRATNet counts kappa along one run of gradient steps and cannot use attack="
                f"{self.attack_!r}; give PGD or BIM with n_restarts=1."
            )
        return self

    def batch_loss(self, x, y):
        """Weighted cross-entropy of the worst points found."""
        if self.lam == math.inf or len(self.history) <= burn_in_epochs(self):
            return super().batch_loss(self.craft(x, y), y)
        kappa = torch.zeros(len(y), device=y.device)

        def count(step, rows, z, x_adv):
            kappa[rows] += z.argmax(1) == y[rows]

        x_adv = self.craft(x, y, observe=count)
        weights = F.gair_log_weights(kappa, self.attack_.max_iter, self.lam).softmax(0)
        self.history.record_batch("kappa_mean", kappa.mean().item())
        self.history.record_batch("ess", F.effective_sample_size(weights).item())
        z = self.compute_logits(x_adv)
        return (weights * F.cross_entropy(z, y)).sum(), z
