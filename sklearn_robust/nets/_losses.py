"""Losses of adversarial nets, given the adversarial examples.

A loss is ``(net, x, x_adv, y, weigh) -> (loss, z)``: a scalar with a graph, and the logits
that training reports. ``weigh(z_adv)`` gives weights that sum to one, shape (n,), or None for equal
ones; a loss says which of its terms they act on.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from .. import _functional as F

__all__ = ["check_criterion", "equal", "mart", "min_max", "trades"]

Weigh = Callable[[Tensor], Tensor | None]


def equal(z_adv: Tensor) -> None:
    """Weigh all samples alike."""
    return


def min_max(
    net: Any, x: Tensor, x_adv: Tensor, y: Tensor, weigh: Weigh = equal
) -> tuple[Tensor, Tensor]:
    """Criterion of the adversarial examples; weights act on it."""
    z = net.compute_logits(x_adv)
    return _criterion(net, z, y, weigh(z)), z


def trades(
    net: Any,
    x: Tensor,
    x_adv: Tensor,
    y: Tensor,
    weigh: Weigh = equal,
    weighted_term: str = "loss",
) -> tuple[Tensor, Tensor]:
    """TRADES: criterion of the clean samples and beta KL(p || p_adv).

    Weights act on the "loss", the criterion, on the "divergence", or on "both".
    """
    z, z_adv = net.compute_logits(x), net.compute_logits(x_adv)
    weights, divergence = weigh(z_adv), F.kl(z_adv, z)
    loss = _criterion(net, z, y, None if weighted_term == "divergence" else weights)
    if weights is None or weighted_term == "loss":
        return loss + net.beta * divergence.mean(), z
    return loss + net.beta * (weights * divergence).sum(), z


def mart(
    net: Any, x: Tensor, x_adv: Tensor, y: Tensor, weigh: Weigh = equal
) -> tuple[Tensor, Tensor]:
    """MART: boosted cross-entropy, on which weights act, and beta (1 - p_y) KL(p || p_adv)."""
    z, z_adv = net.compute_logits(x), net.compute_logits(x_adv)
    weights, boosted = weigh(z_adv), F.boosted_cross_entropy(z_adv, y)
    loss = boosted.mean() if weights is None else (weights * boosted).sum()
    unsure = -(-F.cross_entropy(z, y)).expm1()
    return loss + net.beta * (F.kl(z_adv, z) * unsure).mean(), z_adv


def _criterion(net: Any, z: Tensor, y: Tensor, weights: Tensor | None) -> Tensor:
    if weights is None:
        return net.criterion_(z, y)
    each = copy.copy(net.criterion_)
    each.reduction = "none"
    losses = each(z, y)
    if losses.shape != y.shape:
        raise ValueError(
            f"{type(net).__name__} weights the loss of each sample, but criterion={net.criterion} "
            f"gives shape {tuple(losses.shape)} for {len(y)}: it must support reduction='none'."
        )
    loss, of_class = (weights * losses).sum(), getattr(each, "weight", None)
    # As in the mean of the criterion, class weights share out the loss and do not scale it.
    return loss if of_class is None else loss / (weights * of_class[y]).sum()


def check_criterion(net: Any) -> None:
    """Raise if a criterion is set on a net whose loss has no place for one."""
    options = sorted(net.get_params_for("criterion"))
    if net.criterion is not nn.CrossEntropyLoss or options:
        said = f" and {options} is set for it" if options else ""
        raise ValueError(
            f"criterion is {net.criterion!r}{said}, but MART's loss is its own: leave it out."
        )
