"""The learning rate as a function of the epoch."""

import math
import numbers

from skorch.callbacks import LRScheduler

__all__ = ["check_lr_schedule", "follow_lr_schedule", "forget_schedule", "lr_factor"]

_SHAPES = ("cyclic", "cosine")
_OWN = "lr_without_schedule"


def check_lr_schedule(schedule):
    """Raise unless ``schedule`` is None, the name of a shape, or pairs (epoch, factor)."""
    if schedule is None or (isinstance(schedule, str) and schedule in _SHAPES):
        return
    try:
        pairs = [(epoch, factor) for epoch, factor in schedule]
        epochs = [epoch for epoch, _ in pairs]
        good = all(isinstance(epoch, numbers.Integral) and epoch >= 1 for epoch in epochs)
        good &= all(isinstance(factor, numbers.Real) and factor >= 0 for _, factor in pairs)
        good &= epochs == sorted(set(epochs))
    except (TypeError, ValueError):
        good = False
    if not good or not pairs:
        raise ValueError(
            f"lr_schedule is {schedule!r}; give 'cyclic', 'cosine', None, or pairs of a first "
            "epoch and the factor of lr from there on, in order: [(31, 0.1), (61, 0.01)], say."
        )


def lr_factor(schedule, epoch, max_epochs):
    """Factor of ``lr`` at a moment of training.

    Parameters
    ----------
    schedule : "cyclic", "cosine" or pairs of (epoch, factor)
        "cyclic" rises from 0 to 1 over half of the epochs and falls back to 0; "cosine" falls
        from 1 to 0 along half a wave; pairs say what holds from the beginning of an epoch on, the
        first being 1, and before them the factor is 1.
    epoch : float
        Epochs trained, with the share of the one that is under way.
    max_epochs : int
        Epochs in all.

    Returns
    -------
    factor : float
        At least 0.
    """
    share = epoch / max_epochs
    if schedule == "cyclic":
        return max(0.0, 1 - abs(2 * share - 1))
    if schedule == "cosine":
        return (1 + math.cos(math.pi * share)) / 2
    now = int(epoch) + 1
    return next((factor for first, factor in reversed(list(schedule)) if now >= first), 1.0)


def follow_lr_schedule(net, epoch):
    """Set the learning rate of all parameter groups; ``epoch`` counts from the call of fit."""
    groups = net.optimizer_.param_groups
    if net.lr_schedule is None:
        forget_schedule(net)  # of an earlier call
        return
    if any(isinstance(callback, LRScheduler) for _, callback in net.callbacks_):
        raise ValueError(
            f"lr_schedule={net.lr_schedule!r} and the callback LRScheduler both set the learning "
            "rate: leave one out."
        )
    factor = lr_factor(net.lr_schedule, epoch, net.max_epochs)
    for group in groups:
        group["lr"] = factor * group.setdefault(_OWN, group["lr"])
    net.history.record_batch("lr", groups[0]["lr"])


def forget_schedule(net):
    """Give each parameter group its own learning rate back."""
    for group in net.optimizer_.param_groups:
        group["lr"] = group.pop(_OWN, group["lr"])
