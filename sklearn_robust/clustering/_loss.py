"""The clustering loss of the paper, as a criterion."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from .. import _functional as F
from .. import _validation as check

__all__ = ["AVERAGES", "ClusterLoss"]

AVERAGES = ["class", "superclass"]


class ClusterLoss(nn.CrossEntropyLoss):
    """Cross-entropy plus a penalty on logits that differ within a superclass.

    It is a criterion for any net that has one: ``MinMaxNet(criterion=ClusterLoss,
    criterion__superclasses=[0, 0, 1, 1])`` penalises the logits of the adversarial samples, and
    TRADESNet those of the clean ones, which is where its criterion acts. MARTNet has none.

    Parameters
    ----------
    superclasses : array-like of shape (n_classes,), ints
        Superclass of each class in the order of ``classes_``, numbered from 0.
    lam : float, default=0.1
        Strength of the penalty.
    average : {"class", "superclass"}, default="class"
        Whether every class counts the same, or every superclass.
    **kwargs
        Parameters of :class:`torch.nn.CrossEntropyLoss`; ``reduction`` can only be "mean".

    See Also
    --------
    sklearn_robust.nets.ClusterRegNet : takes labels, or finds the superclasses itself.

    Notes
    -----
    ``CE(z, y) + lam * R(z)``, where R is the mean over the batch and the classes of the squared
    distance of a logit to the mean logit of its superclass (paper 002, section 4). One superclass
    for all classes gives logit squeezing; one for each gives R = 0.

    References
    ----------
    Bai et al., "Clustering effect of (linearized) adversarial robust models", NeurIPS 2021.

    Examples
    --------
    >>> import torch
    >>> from sklearn_robust.clustering import ClusterLoss
    >>> z = torch.tensor([[3.0, 1.0, -2.0, -2.0]])
    >>> y = torch.tensor([0])
    >>> loss = ClusterLoss([0, 0, 1, 1], lam=1.0)(z, y) - torch.nn.CrossEntropyLoss()(z, y)
    >>> round(loss.item(), 4)
    0.5
    """

    superclasses: Tensor

    def __init__(
        self,
        superclasses: ArrayLike,
        lam: float = 0.1,
        average: str = "class",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check.check_choice("reduction", self.reduction, ["mean"])  # like that of the penalty
        self.lam = check.check_number("lam", lam)
        self.average = check.check_choice("average", average, AVERAGES)
        codes = np.asarray(superclasses)
        if codes.ndim != 1 or codes.dtype.kind not in "iu" or codes.min(initial=0) < 0:
            raise ValueError(
                f"superclasses is {superclasses!r}; give the number of the superclass of each "
                "class, from 0, such as [0, 0, 1, 1]. ClusterRegNet takes names, too."
            )
        self.register_buffer("superclasses", torch.as_tensor(codes.astype(np.int64)))

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Mean loss of the logits ``input`` (n, n_classes) and the class codes ``target`` (n,)."""
        if input.shape[1] != len(self.superclasses):
            raise ValueError(
                f"superclasses has {len(self.superclasses)} entries, but there are logits of "
                f"{input.shape[1]} classes: give one for each class."
            )
        penalty = F.cluster_penalty(input, self.superclasses, self.average)
        return super().forward(input, target) + self.lam * penalty
