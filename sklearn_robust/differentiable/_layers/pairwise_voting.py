"""Logits of classifiers that compare every pair of classes."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["Guiding", "PairwiseVoting", "Smoothable", "jumps"]

# A lead of 1, that of a support vector, wins a smooth comparison with probability 0.998, and earns
# 0.95 of a smooth vote, whose gradient fades so slowly that every pair keeps a part in it.
_SHARPNESS = 6.0
_STEEPNESS = 10.0


class Smoothable:
    """Base of modules whose output jumps or is flat, unless ``smooth`` is set.

    Attributes
    ----------
    smooth : bool
        Whether to replace jumps by something whose gradient is worth following.
    jumping : bool
        Whether it jumps by itself, not by a part that does.
    """

    smooth = False
    jumping = False


class Guiding:
    """Base of modules whose gradient may lead away from all classes, unless ``guiding`` is set.

    Attributes
    ----------
    guiding : bool
        Whether to give something that names the same classes and leads to the others. Only
        attacks ask for it: its size means nothing.
    """

    guiding = False


class PairwiseVoting(Smoothable, nn.Module):
    """Scores of n classes from one number for each pair (i, j), i < j, in row order.

    A positive number means that j beats i.

    Parameters
    ----------
    n_classes : int
        At least two.
    """

    jumping = True
    table: torch.Tensor

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        n_pairs = n_classes * (n_classes - 1) // 2
        first, second = torch.triu_indices(n_classes, n_classes, 1)
        table = torch.zeros(n_classes, n_classes, dtype=torch.int64)
        table[first, second] = torch.arange(n_pairs) + 1 + n_pairs
        table[second, first] = torch.arange(n_pairs) + 1
        self.register_buffer("table", table)

    def _leads(self, f):
        """Antisymmetric (n, n_classes, n_classes): row i holds by how much i beats each other."""
        return torch.cat([torch.zeros_like(f[:, :1]), f, -f], 1)[:, self.table]

    def votes(self, f: torch.Tensor, confidence: torch.Tensor | None = None) -> torch.Tensor:
        """Count of pairs won, plus the sum of confidences squashed into (-1/3, 1/3).

        Parameters
        ----------
        f : tensor of shape (n, n_pairs)
            Its signs decide the pairs; the first class of a pair wins a draw. When ``smooth``, a
            pair gives a share of a vote, which grows with the lead.
        confidence : tensor of shape (n, n_pairs), optional
            What to sum; ``f`` by default.
        """
        lead = self._leads(f)
        if self.smooth:
            steep = _STEEPNESS * lead
            won = (1 + steep / (1 + steep.abs())).sum(2) / 2 - 0.5  # less that against itself
        else:
            won = ((lead > 0) | (lead == 0).triu(1)).sum(2)
        total = self._leads(f if confidence is None else confidence).sum(2)
        return won + total / (3 * (total.abs() + 1))

    def logits(self, f: torch.Tensor, confidence: torch.Tensor | None = None) -> torch.Tensor:
        """Give the votes; when ``smooth``, the log-probabilities of winning every pair.

        These hold up to a constant, if i beats j with probability sigmoid(6 f_ij). Where one class
        clearly beats all others it has the largest logit.
        """
        if self.smooth:
            return F.logsigmoid(_SHARPNESS * self._leads(f)).sum(2)
        return self.votes(f, confidence)


def jumps(module: nn.Module) -> bool:
    """Whether a module has parts that jump, such as those that count votes."""
    return bool([p for p in module.modules() if isinstance(p, Smoothable) and p.jumping])
