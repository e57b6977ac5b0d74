"""Training that draws the logits of each superclass together."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from .. import _functional as F
from .. import _validation as check
from ..clustering import ClassClustering, class_weight_matrix
from ..clustering._loss import AVERAGES
from ..clustering._taxonomy import superclass_codes
from ..exceptions import NotLinearizableError
from ._adversarial import AdversarialNet
from ._engine.schedules import burn_in_epochs, check_burn_in, check_burn_in_fits

__all__ = ["ClusterRegNet"]


class ClusterRegNet(AdversarialNet):
    """Training with a penalty on logits that differ within a superclass.

    Parameters
    ----------
    module : "auto", torch.nn.Module class or instance, default="auto"
        As for :class:`NaturalNet`, which documents all shared parameters.
    superclasses : "auto", array-like of shape (n_classes,) or dict, default="auto"
        Superclass of each class in the order of ``classes_``, or the classes of each superclass.
        "auto" finds them after ``burn_in`` epochs by clustering the classes' linearised weights.
    n_clusters : int, default=2
        Number of superclasses to find; as many as classes leaves the penalty at 0.
    lam : float, default=0.1
        Strength of the penalty.
    average : {"class", "superclass"}, default="class"
        Whether every class counts the same, or every superclass.
    attack : attack class or instance, default=None
        None trains on clean samples; with an attack each batch is replaced by adversarial
        examples, as in :class:`MinMaxNet`, and the penalty acts on the logits of those samples.
    burn_in : float or int, default=0.2
        Epochs before superclasses are looked for, without the penalty, at least one: a float is
        a share of ``max_epochs``, an integer a count. Superclasses that are given act at once.
    **kwargs
        Shared parameters.

    Attributes
    ----------
    superclass_codes_ : array of shape (n_classes,) or None
        Superclass of each class, as a number in the sorted order of the superclasses; None until
        found. A saved net keeps it.
    history : list
        Also holds the ``cluster_penalty`` of each batch.

    See Also
    --------
    MinMaxNet : With an attack, the same with ``lam=0``, bit for bit.
    sklearn_robust.clustering.ClusterLoss : The same penalty as a criterion for other nets.

    Notes
    -----
    ``CE(f(x), y) + lam * mean_b sum_c (z_bc - m_bc)^2 / C``, where m_bc is the mean logit of the
    classes that share the superclass of c (paper 002, section 4), at the adversarial examples if
    there is an attack. The attack does not see the penalty.

    The penalty makes the class clusters clearer. A gain in robustness has not been seen beyond
    chance at small scale: compare with MinMaxNet under ``robust_score`` before relying on one.

    References
    ----------
    Bai et al., "Clustering effect of (linearized) adversarial robust models", NeurIPS 2021.

    Examples
    --------
    >>> from sklearn_robust import ClusterRegNet
    >>> from sklearn_robust.datasets import make_hierarchical_blobs
    >>> X, y, superclasses = make_hierarchical_blobs(20, random_state=0)
    >>> net = ClusterRegNet(superclasses=superclasses, max_epochs=10, random_state=0).fit(X, y)
    >>> bool(net.score(X, y) > 0.9)
    True
    """

    attack_optional = True
    _codes: NDArray | None = None  # superclasses of the fit that runs

    def __init__(
        self,
        module: str | type[nn.Module] | nn.Module = "auto",
        *,
        superclasses: str | ArrayLike | dict = "auto",
        n_clusters: int = 2,
        lam: float = 0.1,
        average: str = "class",
        attack: Any = None,
        burn_in: float = 0.2,
        **kwargs: Any,
    ) -> None:
        super().__init__(module, **kwargs)
        self.superclasses = superclasses
        self.n_clusters = n_clusters
        self.lam = lam
        self.average = average
        self.attack = attack
        self.burn_in = burn_in

    def check_parameters(self) -> None:
        """Raise if a parameter makes no sense."""
        super().check_parameters()
        check.check_number("lam", self.lam)
        check.check_choice("average", self.average, AVERAGES)
        check.check_count("n_clusters", self.n_clusters)
        check_burn_in(self.burn_in)
        if isinstance(self.superclasses, str):
            check.check_choice("superclasses", self.superclasses, ["auto"])

    def check_whole_fit(self) -> None:
        """Raise if one call of fit would end before the burn-in does."""
        super().check_whole_fit()
        check_burn_in(self.burn_in)
        if isinstance(self.superclasses, str):  # to be found after the burn-in
            check_burn_in_fits(self, "superclasses are never looked for", least=1)

    @property
    def superclass_codes_(self) -> NDArray | None:
        """Superclass of each class, given or found in training; None until found."""
        given, n_classes = self.superclasses, len(self.classes_)
        if not isinstance(given, str):
            return superclass_codes(given, self.classes_, groups=False)[0]
        if self.n_clusters in (1, n_classes):  # nothing to find
            return np.arange(n_classes) % self.n_clusters
        found = [row["superclass_codes"] for row in self.history if "superclass_codes" in row]
        return np.array(found[-1]) if found else None

    def begin_training(self, seed: int) -> None:
        """Take the superclasses that are given, or that an earlier call found."""
        super().begin_training(seed)
        if isinstance(self.superclasses, str) and self.n_clusters > len(self.classes_):
            raise ValueError(
                f"n_clusters is {self.n_clusters}, but there are {len(self.classes_)} classes: "
                "give at most that."
            )
        self._codes = self.superclass_codes_  # those found in an earlier call stay

    def batch_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropy, of adversarial examples if there is an attack, and the penalty."""
        x = x if self.attack_ is None else self.perturb(x, y)
        loss, z = super().batch_loss(x, y)
        if self.lam == 0 or not self._know_superclasses():
            return loss, z
        codes = torch.as_tensor(self._codes, device=z.device)
        penalty = F.cluster_penalty(z, codes, self.average)
        self.history.record_batch("cluster_penalty", penalty.item())
        return loss + self.lam * penalty, z

    def _know_superclasses(self) -> bool:
        if self._codes is None:
            self._codes = self.superclass_codes_  # a checkpoint may have brought them
        if self._codes is None and len(self.history) > max(1, burn_in_epochs(self)):
            self._codes = self._find_superclasses()
        if self._codes is not None and self.superclass_codes_ is None:
            self.history.record("superclass_codes", self._codes.tolist())
        return self._codes is not None

    def _find_superclasses(self) -> NDArray:
        try:
            weights = class_weight_matrix(self.module_, input_shape=self.input_shape_)
        except NotLinearizableError as error:
            raise NotLinearizableError(
                f"give superclasses=[...], one per class, since they cannot be found: {error}"
            ) from error
        return ClassClustering(self.n_clusters).fit(weights).labels_
