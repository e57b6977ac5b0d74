"""Faster logits for attacks of many steps on a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ..._validation import first_tensor
from ...differentiable._fast.fuse import fused_copy
from .._base import BaseNet

__all__ = ["fused_logits"]


def fused_logits(net: BaseNet, attack: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """Logits of a net's frozen module, from a faster copy where that pays for itself.

    A copy with convolutions laid out channels-last and batch normalisation fused costs about one
    step of an attack and saves a fifth to a third of each, on a CPU.
    """
    # A subclass may compute logits in its own way, and so do compiled and mixed-precision nets.
    own = type(net).compute_logits is not BaseNet.compute_logits
    own = own or net.compile or net.amp
    brief = getattr(attack, "max_iter", 1) < 3
    if own or brief or net.device_.type != "cpu":
        return net.compute_logits
    if not [part for part in net.module_.modules() if isinstance(part, nn.Conv2d)]:
        return net.compute_logits
    state = net._fit_state
    known = {} if state is None else state.kept.setdefault("fused_logits", {})
    fused = fused_copy(net.module_, known)

    def logits(x: torch.Tensor) -> torch.Tensor:
        return first_tensor(fused(x.clone()))  # the module may write on its input

    return logits
