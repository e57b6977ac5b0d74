"""Robust accuracy of a net in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from skorch.dataset import ValidSplit

from .. import _validation as check
from ..attacks import PGD, BaseAttack, WorstCase
from ..attacks._evaluation import robust_mask_of_batches
from ..differentiable import frozen
from ._base import is_trainable

__all__ = [
    "accuracy_under",
    "check_held_out",
    "check_validation_attack",
    "split_of",
    "threat_of",
    "validation_attack_of",
]


def threat_of(net: Any) -> dict[str, Any]:
    """How a net's attack may move a sample, as parameters of any other; {} if it has none.

    A cascade stands for its first member.
    """
    attack = net.attack_
    if attack is None:
        return {}
    threat = attack.threat_model
    if threat.eps is not None and np.ndim(threat.eps) == 0 and threat.eps == np.inf:
        raise ValueError(
            f"{type(net).__name__} trains with attack={attack!r}, which has no radius to judge the "
            "net at: give it attack__eps."
        )
    return threat.params()


def split_of(callback: Any) -> ValidSplit:
    """Split that holds out the share ``validation_fraction`` of a callback, seeded by it."""
    share = check.check_number("validation_fraction", callback.validation_fraction, strict=True)
    if share >= 1:
        raise ValueError(f"validation_fraction is {share:g}; give a number below 1.")
    return ValidSplit(share, stratified=True, random_state=callback.random_state)


def check_held_out(callback: Any, net: Any, dataset_valid: Any) -> None:
    """Raise unless a net held out samples for a callback."""
    if dataset_valid is None:
        raise ValueError(
            f"{type(net).__name__} held out no samples for {type(callback).__name__}: give it a "
            "train_split that does, or train_split=None."
        )


def check_validation_attack(callback: Any, net: Any) -> None:
    """Raise unless a callback has an attack that can judge epochs, or None, and a net to judge."""
    attack, who = callback.attack, type(callback).__name__
    if not is_trainable(net):
        raise ValueError(f"{who} judges nets of sklearn_robust, not {type(net).__name__}.")
    if attack is None:
        threat_of(net)
        return
    if not isinstance(attack, BaseAttack):
        raise ValueError(
            f"attack is {attack!r}; give {who} an instance, such as PGD(eps=0.1), or None."
        )
    if attack.targeted:
        raise ValueError(
            f"The attack of {who} is targeted, and there are no targets: leave it out."
        )
    attack.check_parameters()


def validation_attack_of(net: Any) -> WorstCase:
    """Worst case over two losses, at what a net trains against: a single loss can be blind."""
    steps = [PGD(max_iter=10, loss=loss) for loss in ("cross_entropy", "margin")]
    return WorstCase(steps, **threat_of(net), random_state=0)


def accuracy_under(net: Any, module: torch.nn.Module, attack: BaseAttack, dataset: Any) -> float:
    """Share of samples that a module classifies correctly whatever an attack does to them.

    Parameters
    ----------
    net : BaseNet
        In training; knows the range of all its data, and makes batches.
    module : torch.nn.Module
        Whose predictions are judged; in whatever mode, which it keeps.
    attack : attack
        Its box is that of all data of the fit.
    dataset : Dataset
        Samples and class codes.

    Returns
    -------
    accuracy : float
        In [0, 1].
    """
    attack, batches = clone(attack), list(net.get_iterator(dataset))
    ends = [np.stack([x.amin(0).cpu().numpy(), x.amax(0).cpu().numpy()]) for x, _ in batches]
    attack.bounds_ = check.check_bounds(attack.bounds, np.concatenate([net.extremes_, *ends]))

    def logits(x: torch.Tensor) -> torch.Tensor:
        z = module(x)
        return z[0] if isinstance(z, (tuple, list)) else z

    on_device = ((x.to(net.device_), y.to(net.device_)) for x, y in batches)
    with frozen(module):
        robust = robust_mask_of_batches(logits, on_device, attack)
    return robust.double().mean().item()
