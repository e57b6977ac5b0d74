"""What torch modules return: logits, or probabilities that are taken back to logits."""

from __future__ import annotations

import torch

__all__ = ["log_of", "looks_like_probabilities", "two_columns_of", "within_unit_interval"]

_TOLERANCE = {torch.float16: 1e-2, torch.bfloat16: 5e-2}  # of a sum, which rounding moves


@torch.no_grad()
def looks_like_probabilities(z: torch.Tensor) -> bool:
    """Whether outputs (n, n_classes) are not negative and sum to one in every row."""
    if z.ndim != 2 or not len(z) or not z.is_floating_point():
        return False
    error = (z.sum(1) - 1).abs()
    return bool((z >= 0).all()) and bool((error < _TOLERANCE.get(z.dtype, 1e-4)).all())


def log_of(p: torch.Tensor) -> torch.Tensor:
    """Logarithm of probabilities, finite also where they underflow."""
    return p.clamp_min(torch.finfo(p.dtype).tiny).log()


@torch.no_grad()
def within_unit_interval(z: torch.Tensor) -> bool:
    """Whether outputs that are numbers lie in [0, 1]."""
    return z.is_floating_point() and not bool(((z < 0) | (z > 1)).any())


def two_columns_of(z: torch.Tensor, probability: bool) -> torch.Tensor:
    """Logits (n, 2) of one output (n, 1): the logit, or probability, of the second class."""
    if probability:
        return torch.cat([log_of(1 - z), log_of(z)], 1)
    return torch.cat([-z, z], 1) / 2
