"""Geometry-aware instance-reweighted adversarial training."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from .. import _functional as F
from .. import _validation as check
from ..attacks import PGD
from ._adversarial import AdversarialNet
from ._engine.schedules import (
    burn_in_epochs,
    check_burn_in,
    check_burn_in_fits,
    check_each_epoch,
    value_in,
)
from ._fat import check_tau
from ._losses import check_criterion, equal, mart, min_max, trades
from ._reweighting import WEIGHT_FNS, KappaObserver, check_one_run, log_weights
from ._trades import check_start

__all__ = ["GAIRATNet"]

_OBJECTIVES: dict[str, Callable[..., tuple[Tensor, Tensor]]] = {
    "at": min_max,
    "fat": min_max,
    "trades": trades,
    "mart": mart,
}


class GAIRATNet(AdversarialNet):
    """Adversarial training that weights each sample by its closeness to the boundary.

    Parameters
    ----------
    module : "auto", torch.nn.Module class or instance, default="auto"
        As for :class:`NaturalNet`, which documents all shared parameters.
    attack : attack class or instance, default=PGD
        Solves the inner problem and counts kappa on the way.
    base : {"at", "fat", "trades", "mart"}, default="at"
        What is weighted: the loss of :class:`MinMaxNet` or of :class:`FATNet` (the paper's two),
        the clean loss of :class:`TRADESNet`, or the boosted cross-entropy of :class:`MARTNet`. The
        last two are experimental: no published code of theirs runs.
    weight_fn : {"tanh", "sigmoid", "linear", "margin"} or callable, default="tanh"
        Weight of a sample, up to a factor: see Notes. A callable maps kappa, floats of shape (n,),
        and the number of steps to weights of at least 0, one of them above 0 in every batch.
    lam : float, callable or list of (int, float), default=-1.0
        Shift of the weight function. A larger value makes the function flatter, and ``np.inf``
        gives all samples the same weight. "linear" and callables use only whether it is infinite. A
        callable gives it for an epoch, the first being 1; a list holds pairs (first epoch, lam).
        The released code has 0 for ``base="fat"``.
    burn_in : float or int, default=0.5
        Epochs without weights: a float is a share of ``max_epochs``, an integer a count.
    kappa : {"count", "first"}, default="count"
        All correctly classified iterates, as the paper's algorithm has it, or only those before
        the first misclassified one, as its text has it. They rarely differ.
    tau : int, callable or list of (int, int), default=0
        For ``base="fat"``, as in :class:`FATNet`. The released code has
        ``[(1, 0), (41, 3), (71, 6)]`` in 100 epochs.
    beta : float, default=6.0
        For "trades" and "mart", the strength of the divergence.
    max_epochs : int, default=50
        Passes over the data.
    **kwargs
        Shared parameters.

    Attributes
    ----------
    history : list
        Also holds ``kappa_mean`` of each batch, the effective sample size ``ess`` of each weighted
        batch, and for each epoch ``kappa_counts``, how many samples had kappa 0, 1, ..., K, and
        whether samples were ``weighted``.

    Raises
    ------
    ValueError
        In ``fit``, if the burn-in outlasts training, a tau exceeds the attack's steps, or the
        attack takes several runs.

    See Also
    --------
    MinMaxNet : The same with ``lam=np.inf``, bit for bit; compare under AutoAttack.
    sklearn_robust.plotting.GeometryDisplay : Draws kappa.

    Notes
    -----
    kappa counts the forward passes of the attack, before each of its K steps, on which the sample
    is still classified correctly; the passes are those that give the gradient. The loss is
    ``sum_i w_i CE_i / sum_i w_i`` over the batch, where w is (paper 003, eq. 6)

    - "tanh": ``(1 + tanh(lam + 5 (1 - 2 kappa / K))) / 2``,
    - "sigmoid": ``sigmoid(lam + 5 (1 - 2 kappa / K))``,
    - "linear": ``1 - kappa / (K + 1)``,
    - "margin": "tanh" with ``max_{k != y} p_k - p_y`` of the adversarial example in place of
      ``1 - 2 kappa / K``; ``lam=-2.5`` gives MAIL's weights.

    GAIRAT improves accuracy under cross-entropy PGD, the attack it trains with. It is known to be
    weaker than plain min-max training under AutoAttack, margin and logit-scaled attacks; its
    authors say so. Misclassified samples, wrong labels included, get the largest weight. ``ess``
    far below the batch size says that few samples do the training.

    References
    ----------
    Zhang et al., "Geometry-aware instance-reweighted adversarial training", ICLR 2021.
    Hitaj et al., "Evaluating the robustness of geometry-aware instance-reweighted adversarial
    training", arXiv 2103.01914. Liu et al., "Probabilistic margins for instance reweighting in
    adversarial training", NeurIPS 2021.

    Examples
    --------
    >>> from sklearn_robust import GAIRATNet
    >>> from sklearn_robust.datasets import load_moons
    >>> X, y = load_moons(300, random_state=0)
    >>> net = GAIRATNet(attack__eps=0.02, lr=0.01, max_epochs=20, random_state=0).fit(X, y)
    >>> bool(net.score(X, y) > 0.9)
    True
    >>> sum(net.history[-1]["kappa_counts"])
    300
    """

    def __init__(
        self,
        module: str | type[nn.Module] | nn.Module = "auto",
        *,
        attack: Any = PGD,
        base: str = "at",
        weight_fn: str | Callable = "tanh",
        lam: Any = -1.0,
        burn_in: float = 0.5,
        kappa: str = "count",
        tau: Any = 0,
        beta: float = 6.0,
        weighted_term: str = "loss",
        max_epochs: int = 50,
        **kwargs: Any,
    ) -> None:
        super().__init__(module, max_epochs=max_epochs, **kwargs)
        self.attack = attack
        self.base = base
        self.weight_fn = weight_fn
        self.lam = lam
        self.burn_in = burn_in
        self.kappa = kappa
        self.tau = tau
        self.beta = beta
        self.weighted_term = weighted_term

    def check_parameters(self) -> None:
        """Raise if a parameter makes no sense."""
        super().check_parameters()
        check.check_choice("base", self.base, _OBJECTIVES)
        if not callable(self.weight_fn):
            check.check_choice("weight_fn", self.weight_fn, WEIGHT_FNS)
        else:
            check.check_takes("weight_fn", self.weight_fn, "kappa, max_iter")
        check.check_choice("kappa", self.kappa, ["count", "first"])
        check.check_number("beta", self.beta)
        check.check_choice("weighted_term", self.weighted_term, ["loss", "divergence", "both"])
        if self.weighted_term != "loss" and self.base != "trades":
            raise ValueError(
                f"weighted_term={self.weighted_term!r} is for base='trades', whose loss has a "
                f"divergence; base is {self.base!r}: leave weighted_term out."
            )
        check_each_epoch("lam", self.lam, self.max_epochs, _check_lam)
        check_each_epoch("tau", self.tau, self.max_epochs, partial(check.check_count, low=0))
        check_burn_in(self.burn_in)
        if self.base == "mart":
            check_criterion(self)

    def check_whole_fit(self) -> None:
        """Raise if one call of fit would end before the burn-in does."""
        super().check_whole_fit()
        check_burn_in(self.burn_in)
        check_burn_in_fits(self, "no sample is ever weighted")

    def attack_defaults(self) -> dict[str, Any]:
        """Parameters of the attack that differ from its own defaults, unless they are set."""
        return {"loss": "kl"} if self.base == "trades" else {}

    def initialize_attack(self) -> AdversarialNet:
        """Set ``attack_``; kappa is counted along one run of a gradient attack."""
        super().initialize_attack()
        check_one_run(type(self).__name__, "counts kappa", self.attack_)
        if self.base == "fat":
            check_tau(self)
        if self.base == "trades":
            check_start(self)
        return self

    def perturb(self, x: Tensor, y: Tensor, *, observe: Callable | None = None) -> Tensor:
        """Find adversarial examples, for "fat" those where the attack stopped on a sample.

        See :meth:`AdversarialNet.perturb`. Training counts kappa by ``observe``, so an override
        passes it on.
        """
        if self.base == "fat":
            tau = value_in(len(self.history), self.tau)
            observe = KappaObserver(y, tau=tau, also=observe)
        return super().perturb(x, y, observe=observe)

    def batch_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Weighted loss of the adversarial examples."""
        counter = KappaObserver(y, first=self.kappa == "first")
        x_adv = self.perturb(x, y, observe=counter)
        kappa = counter.kappa
        self._record_kappa(kappa)
        epoch = len(self.history)
        lam = value_in(epoch, self.lam)

        def weigh(z_adv: Tensor) -> Tensor:
            count = kappa.to(z_adv.dtype)
            logs = log_weights(self.weight_fn, count, self.attack_.max_iter, lam, z_adv, y)
            weights = logs.softmax(0)
            self.history.record_batch("ess", F.effective_sample_size(weights).item())
            return weights

        weighted = lam != math.inf and epoch > burn_in_epochs(self)
        self.history.record("weighted", weighted)
        given = {"weighted_term": self.weighted_term} if self.base == "trades" else {}
        return _OBJECTIVES[self.base](self, x, x_adv, y, weigh if weighted else equal, **given)

    def _record_kappa(self, kappa: Tensor) -> None:
        self.history.record_batch("kappa_mean", kappa.mean().item())
        counts = torch.bincount(kappa.long().cpu(), minlength=self.attack_.max_iter + 1)
        epoch, name, none = self.history[-1], "kappa_counts", torch.zeros_like(counts)
        again = epoch["batches"][-1].get(name, none)  # where the loss of a batch is taken twice
        total = torch.as_tensor(epoch.get(name, none)) + counts - torch.as_tensor(again)
        self.history.record_batch(name, counts.tolist())
        self.history.record(name, total.tolist())


def _check_lam(name: str, lam: Any) -> None:
    check.check_number(name, lam, low=-math.inf, strict=True)
