"""Logits of classifiers that let every pair of classes fight it out."""

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["Duels"]

_SHARPNESS = 6.0  # a margin of 1, that of a support vector, wins its duel with probability 0.998


class Duels(nn.Module):
    """Scores of n classes from one number for each pair (i, j), i < j, in row order.

    A positive number means that j beats i.

    Parameters
    ----------
    n_classes : int
        At least two.
    """

    def __init__(self, n_classes):
        super().__init__()
        n_pairs = n_classes * (n_classes - 1) // 2
        first, second = torch.triu_indices(n_classes, n_classes, 1)
        table = torch.zeros(n_classes, n_classes, dtype=torch.int64)
        table[first, second] = torch.arange(n_pairs) + 1 + n_pairs
        table[second, first] = torch.arange(n_pairs) + 1
        self.register_buffer("table", table)

    def tabulate(self, f):
        """Antisymmetric (n, n_classes, n_classes): row i holds by how much i beats each other."""
        return torch.cat([torch.zeros_like(f[:, :1]), f, -f], 1)[:, self.table]

    def votes(self, f, confidence=None):
        """Count of duels won, plus the sum of confidences squashed into (-1/3, 1/3).

        Parameters
        ----------
        f : tensor of shape (n, n_pairs)
            Its signs decide the duels; the first of a pair wins a draw.
        confidence : tensor of shape (n, n_pairs), optional
            What to sum; ``f`` by default.
        """
        gain = self.tabulate(f)
        draw = (gain == 0).triu(1)
        total = self.tabulate(f if confidence is None else confidence).sum(2)
        return ((gain > 0) | draw).sum(2) + total / (3 * (total.abs() + 1))

    def surrogate(self, f):
        """Smooth log-probabilities of winning every duel, up to a constant.

        Class i wins the duel with j with probability sigmoid(6 f_ij). Where one class beats all
        others clearly, it has the largest score.
        """
        return F.logsigmoid(_SHARPNESS * self.tabulate(f)).sum(2)
