"""How robust a net is while it trains."""

import numpy as np
import torch
from sklearn.base import clone

from .. import _validation as check
from ..attacks import PGD, WorstCase
from ..attacks._minimum_norm import MinimumNormAttack
from ..differentiable import frozen

__all__ = ["accuracy_under", "check_validation_attack", "validation_attack_of", "threat_of"]


def threat_of(net):
    """How a net's attack may move a sample, as parameters of any other; {} if it has none.

    A cascade stands for its first member.
    """
    attack = getattr(net, "attack_", None)
    if attack is None:
        return {}
    first = attack._members()[0] if isinstance(attack, WorstCase) else attack
    if isinstance(first, MinimumNormAttack) and first.eps is None:
        raise ValueError(
            f"{type(net).__name__} trains with attack={attack!r}, which has no radius that it "
            "could be judged at: give it attack__eps."
        )
    names = ("eps", "norm", "mask", "integer")
    return {"bounds": attack.bounds, **{name: getattr(first, name) for name in names}}


def check_validation_attack(callback, net):
    """Raise unless a callback has an attack that can judge epochs, or None, and a net to judge."""
    attack, who = callback.attack, type(callback).__name__
    if not hasattr(net, "crafting_once"):
        raise ValueError(f"{who} judges nets of sklearn_robust, not {type(net).__name__}.")
    if attack is None:
        threat_of(net)
        return
    if isinstance(attack, type) or not hasattr(attack, "verdict"):
        raise ValueError(
            f"attack is {attack!r}; give {who} an instance, PGD(eps=0.1) say, or None."
        )
    if attack.targeted:
        raise ValueError(f"the attack of {who} is targeted and judges nothing; leave that out.")
    attack._check_parameters()


def validation_attack_of(net):
    """Worst case over two losses, at what a net trains against: a single loss can be blind."""
    steps = [PGD(max_iter=10, loss=loss) for loss in ("cross_entropy", "margin")]
    return WorstCase(steps, **threat_of(net), random_state=0)


def accuracy_under(net, module, attack, dataset):
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
    attack, robust = clone(attack), []
    batches = list(net.get_iterator(dataset))
    ends = [np.stack([x.amin(0).cpu().numpy(), x.amax(0).cpu().numpy()]) for x, _ in batches]
    attack.bounds_ = check.check_bounds(attack.bounds, np.concatenate([net.extremes_, *ends]))

    def logits(x):
        z = module(x)
        return z[0] if isinstance(z, (tuple, list)) else z

    with frozen(module):
        for x, y in batches:
            robust.append(attack.verdict(logits, x.to(net.device_), y.to(net.device_)))
    return torch.cat(robust).double().mean().item()
