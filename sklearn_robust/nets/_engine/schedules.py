"""Settings that change during training: by epoch, after a burn-in, and the learning rate."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from skorch.callbacks import LRScheduler

from ... import _validation as check
from ..._parameters import check_takes

__all__ = [
    "burn_in_epochs",
    "check_burn_in",
    "check_burn_in_fits",
    "check_each_epoch",
    "check_lr_schedule",
    "follow_lr_schedule",
    "forget_schedule",
    "lr_factor",
    "value_in",
]

# -- parameters by epoch -------------------------------------------------------------------------


def is_varied(value: object) -> bool:
    """Whether a parameter is a callable of the epoch or a list of (first epoch, value)."""
    return callable(value) or isinstance(value, (list, tuple))


def value_in(epoch: int, given: Any) -> Any:
    """Value of a parameter in an epoch; the first epoch is 1.

    Parameters
    ----------
    epoch : int
        Number of the epoch.
    given : object
        The value itself, a callable ``epoch -> value``, or a list of pairs (first epoch, value).
    """
    if callable(given):
        return given(epoch)
    if not is_varied(given):
        return given
    return [value for first, value in given if first <= max(epoch, 1)][-1]


def check_each_epoch(
    name: str, given: Any, max_epochs: int, check: Callable[[str, Any], object]
) -> None:
    """Raise unless ``check(name, value)`` accepts the value of every epoch.

    Parameters
    ----------
    name : str
        What to call the parameter.
    given : object
        As for :func:`value_in`.
    max_epochs : int
        A callable is asked for the epochs 1 to ``max_epochs``.
    check : callable
        Checks one value.
    """
    if not is_varied(given):
        check(name, given)
    elif callable(given):
        check_takes(name, given, "epoch")
        for epoch in range(1, max_epochs + 1):
            check(f"{name} in epoch {epoch}", given(epoch))
    else:
        _check_pairs(name, given)
        for first, value in given:
            check(f"{name} from epoch {first}", value)


def _check_pairs(name: str, pairs: Any) -> None:
    try:
        epochs = [first for first, _ in pairs]
        good = epochs[0] == 1 and sorted(set(epochs)) == epochs
    except (TypeError, ValueError, IndexError):
        good = False
    if not good:
        raise ValueError(
            f"{name} is {pairs!r}; give a number, a callable of the epoch, or pairs (first epoch, "
            "value) that begin with epoch 1 and ascend, such as [(1, 0), (41, 3)]."
        )


# -- burn-in -------------------------------------------------------------------------------------


def check_burn_in(burn_in: Any) -> None:
    """Raise unless ``burn_in`` is a share of all epochs or a count."""
    if isinstance(burn_in, numbers.Integral):
        check.check_count("burn_in", burn_in, low=0)
    else:
        check.check_number("burn_in", burn_in, high=1)


def check_burn_in_fits(net: Any, what: str, least: int = 0) -> None:
    """Raise if one call of ``fit`` would end before the burn-in does; warn if it ends with it.

    ``what`` says what would never happen; ``least`` is the shortest burn-in, in epochs.
    """
    if not isinstance(net.max_epochs, numbers.Integral):
        return
    whole = isinstance(net.burn_in, numbers.Integral)
    advice = "Give fewer, a share such as 0.5, or train on with partial_fit."
    if whole and net.burn_in > net.max_epochs:
        raise ValueError(
            f"burn_in is {net.burn_in} epochs and max_epochs {net.max_epochs}: training would end "
            f"first. {advice}"
        )
    wanted = not whole and net.burn_in == 1
    if not wanted and max(least, burn_in_epochs(net)) >= net.max_epochs:
        warnings.warn(
            f"burn_in={net.burn_in} takes all of training (max_epochs={net.max_epochs}), so {what}."
            f" {advice}",
            stacklevel=4,
        )


def burn_in_epochs(net: Any) -> int:
    """Count the epochs that a net's ``burn_in`` means."""
    whole = isinstance(net.burn_in, numbers.Integral)
    return net.burn_in if whole else round(net.burn_in * net.max_epochs)


# -- learning rate -------------------------------------------------------------------------------

# torch's CosineAnnealingLR and CyclicLR add up small steps, so that most of their rates differ
# from the formula in the last bits; a factor of the moment needs no state and resumes anywhere.
_SHAPES = ("cyclic", "cosine")
_OWN = "lr_without_schedule"


def check_lr_schedule(schedule: Any) -> None:
    """Raise unless ``schedule`` is None, the name of a shape, or pairs (epoch, factor)."""
    if schedule is None or (isinstance(schedule, str) and schedule in _SHAPES):
        return
    try:
        pairs = [(epoch, factor) for epoch, factor in schedule]
        good = bool(pairs) and all(_is_pair(epoch, factor) for epoch, factor in pairs)
        epochs = [epoch for epoch, _ in pairs]
        good = good and epochs == sorted(set(epochs))
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ValueError(
            f"lr_schedule is {schedule!r}; give 'cyclic', 'cosine', None, or pairs of a first "
            "epoch and the factor of lr from there on, in order, such as [(31, 0.1), (61, 0.01)]."
        )


def _is_pair(epoch: Any, factor: Any) -> bool:
    counts = isinstance(epoch, numbers.Integral) and int(epoch) >= 1
    return counts and isinstance(factor, numbers.Real) and float(factor) >= 0


def lr_factor(schedule: str | Sequence[tuple[int, float]], epoch: float, max_epochs: int) -> float:
    """Factor of ``lr`` at a moment of training.

    Parameters
    ----------
    schedule : "cyclic", "cosine" or pairs of (epoch, factor)
        "cyclic" rises from 0 to 1 over half of the epochs and falls back to 0; "cosine" falls
        from 1 to 0 along half a wave; pairs give the factor from the beginning of an epoch on, the
        first epoch being 1, and before them the factor is 1.
    epoch : float
        Epochs trained, with the share of the current one.
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
    now, pairs = int(epoch) + 1, list(schedule)
    return next((float(factor) for first, factor in reversed(pairs) if now >= int(first)), 1.0)


def follow_lr_schedule(net: Any, epoch: float) -> None:
    """Set the learning rate of all parameter groups; ``epoch`` counts from the call of fit."""
    groups = net.optimizer_.param_groups
    if any(isinstance(callback, LRScheduler) for _, callback in net.callbacks_):
        raise ValueError(
            f"lr_schedule={net.lr_schedule!r} and the callback LRScheduler both set the learning "
            "rate: leave one out."
        )
    factor = lr_factor(net.lr_schedule, epoch, net.max_epochs)
    for group in groups:
        group["lr"] = factor * group.setdefault(_OWN, group["lr"])
    net.history.record_batch("lr", groups[0]["lr"])


def forget_schedule(net: Any) -> None:
    """Give each parameter group its own learning rate back."""
    for group in net.optimizer_.param_groups:
        group["lr"] = group.pop(_OWN, group["lr"])
