"""State of one running call of fit."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from ..._random import StreamNoise

if TYPE_CHECKING:
    from .._persistence.checkpoint import Checkpoints

__all__ = ["FitState"]


@dataclass
class FitState:
    """State of one call of ``fit`` or ``partial_fit``; a net holds it only while it trains.

    Parameters
    ----------
    seed : int
        Seed of this call; differs from call to call of ``partial_fit``.
    split_seed : int
        Seed of the validation split.
    device : torch.device
        Device that holds the module.
    shuffler : torch.Generator
        Source of the order of the samples.
    first_epoch : int
        Epochs that earlier calls trained.
    from_scratch : bool
        Whether all components were built for this call.
    progress : float
        Epochs trained, with the share of the current one; infinite before the first batch.
    noise : StreamNoise or None
        Source of the attack's random starts.
    mixed_precision : bool
        Whether forward passes run in bfloat16 at this moment.
    good_weights : dict or None
        State of the module after the last whole epoch, to go back to if training diverges.
    checkpoints : Checkpoints or None
        Files that this fit resumes from after a kill.
    kept : dict of str to object
        What a net keeps from batch to batch; tensors and plain values come back from checkpoints.
    """

    seed: int
    split_seed: int
    device: torch.device
    shuffler: torch.Generator
    first_epoch: int = 0
    from_scratch: bool = True
    progress: float = math.inf
    noise: StreamNoise | None = None
    mixed_precision: bool = False
    good_weights: dict[str, Any] | None = None
    checkpoints: Checkpoints | None = None
    kept: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def begin(
        cls, seed: int, device: torch.device, epochs_before: int = 0, *, from_scratch: bool = True
    ) -> FitState:
        """Make the state of a new call; a later call must not repeat the draws of an earlier."""
        later = seed + epochs_before
        shuffler = torch.Generator().manual_seed(later)
        return cls(later, seed, device, shuffler, epochs_before, from_scratch)
