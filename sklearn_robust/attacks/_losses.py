"""Names of the losses and the objective that an attack climbs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .. import _functional as F
from .._validation import check_choice, check_takes

__all__ = ["LOSSES", "make_objective"]

LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "cross_entropy": F.cross_entropy,
    "margin": F.margin_loss,
    "scaled_cross_entropy": F.scaled_cross_entropy,
    "dlr": F.dlr,
    "targeted_dlr": F.targeted_dlr,
    "kl": F.kl,
}
_NEED_CLEAN = ("kl", "targeted_dlr")


def check_loss(loss: Any, targeted: bool) -> None:
    """Raise unless ``loss`` is a known name or a callable that fits ``targeted``."""
    if not callable(loss):
        check_choice("loss", loss, LOSSES)
    else:
        check_takes("loss", loss, "z, y")
    if loss == "kl" and targeted:
        raise ValueError("loss='kl' has no target; use targeted=False or loss='cross_entropy'.")


def make_objective(
    loss: str | Callable[..., torch.Tensor],
    targeted: bool,
    y: torch.Tensor,
    clean: Callable[[], torch.Tensor],
    rank: int = 0,
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Objective ``(z, rows) -> (n_rows,)`` to maximise.

    Parameters
    ----------
    loss : str or callable
        Name from DESIGN's list, or ``loss(z, y) -> (n,)`` that an untargeted attack maximises.
    targeted : bool
        Whether ``y`` is the class to reach.
    y : tensor of shape (n,)
        Class codes.
    clean : callable
        Gives the logits of the clean samples; called only by losses that refer to them.
    rank : int
        Which of the other classes "targeted_dlr" aims at, the likeliest of the clean sample
        being 0.
    """
    function = LOSSES[loss] if isinstance(loss, str) else loss
    if isinstance(loss, str) and loss in _NEED_CLEAN:
        reference = clean()
        if loss == "kl":
            return lambda z, rows: F.kl(z, reference[rows])
        other = F.competing_classes(reference, y)[:, 0 if targeted else rank]
        source, target = (other, y) if targeted else (y, other)
        return lambda z, rows: F.targeted_dlr(z, source[rows], target[rows])
    sign = -1.0 if targeted else 1.0

    def objective(z: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        values = function(z, y[rows])
        if values.shape != z.shape[:1]:
            raise ValueError(
                f"loss={describe_loss(loss)} returns shape {tuple(values.shape)} for {len(z)} "
                "samples; return one value for each, shape (n,): torch's own losses do with "
                "reduction='none'."
            )
        return sign * values

    return objective


def describe_loss(loss: Any) -> str:
    """Short name of a loss for tables."""
    return loss if isinstance(loss, str) else getattr(loss, "__name__", "callable")
