"""The nearest point of several attacks."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone

from .. import _validation as check
from ._alma import ALMA
from ._batch import AttackBatch
from ._ddn import DDN
from ._fab import FAB
from ._fmn import FMN
from ._minimum_norm import MinimumNormAttack, MinimumNormSearch, check_nearest
from ._parameters import attack_class
from ._sigma_zero import SigmaZero

__all__ = ["MinimumNorm"]

# What comes nearest for its time in each norm, as examples/benchmarks/compare_nearest.py measures.
_MEMBERS: dict[str, list[MinimumNormAttack]] = {
    "linf": [FMN(), FAB(max_iter=20)],
    "l2": [DDN(norm="l2"), ALMA(norm="l2", max_iter=100)],
    "l1": [FMN(norm="l1"), ALMA(norm="l1")],
    "l0": [SigmaZero(norm="l0"), FMN(norm="l0")],
}


@attack_class
class MinimumNorm(MinimumNormAttack):
    """Run several attacks for the nearest point; each sample keeps the nearest of all.

    Parameters
    ----------
    %(estimator)s
    %(largest_distance)s
    norm : {"linf", "l2", "l1", "l0"}, default="linf"
        Norm of the distance; l0 counts features and needs bounds.
    %(constraints)s
    attacks : list of attacks for the nearest point, default=None
        Whose steps are taken; norm, radius, constraints and seed are those of the cascade. None
        means FMN and FAB in linf, DDN and ALMA in l2, FMN and ALMA in l1, SigmaZero and FMN in l0.
    %(targeted)s
    %(settings)s

    See Also
    --------
    WorstCase : A cascade inside a ball.
    sklearn_robust.metrics.robustness_curve : Accuracy for all radii from one run of it.

    Notes
    -----
    With ``eps`` a sample leaves at the first success within it, and the later attacks see only
    the rest.

    %(nearest)s

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import FAB, MinimumNorm
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> nearest = MinimumNorm(norm="l2").evaluate(model, X, y).distance
    >>> fab = FAB(norm="l2").evaluate(model, X, y).distance
    >>> bool((nearest <= 1.001 * fab).all())
    True
    """

    attacks: Any = None
    targeted: bool = False

    supported_norms = ("linf", "l2", "l1", "l0")

    def _chosen(self) -> list[MinimumNormAttack]:
        if self.attacks is None:
            return _MEMBERS[check.check_norm(self.norm)]
        if isinstance(self.attacks, (list, tuple)):
            return [check_nearest(attack) for attack in self.attacks]
        return list(check.check_names("attacks", self.attacks, "a list of attacks, or None"))

    def members(self) -> list[MinimumNormAttack]:
        """List the attacks, with the cascade's own settings in place of theirs.

        Returns
        -------
        attacks : list of attacks
            Copies.
        """
        given = {"norm": self.norm, "eps": self.eps, "mask": self.mask, "integer": self.integer}
        given["targeted"] = self.targeted
        return [clone(attack).set_params(**given) for attack in self._chosen()]

    def check_parameters(self) -> None:
        """Raise unless the attacks fit together and each of them is valid."""
        super().check_parameters()
        members = self.members()
        if not members:
            raise ValueError("attacks is empty; give at least one attack, or None.")
        for member in members:
            member.check_parameters()

    def find_nearest(self, batch: AttackBatch, search: MinimumNormSearch) -> None:
        """Search for the nearest adversarial examples.

        Parameters
        ----------
        batch : AttackBatch
            What is attacked.
        search : MinimumNormSearch
            Keeps what is found.
        """
        rows, best = batch.rows(), search.result
        for member in self.members():
            part = batch.part(rows)
            own = MinimumNormSearch(part)  # each polishes its own points
            member.find_nearest(part, own)
            best.record(rows, own.result.x_adv, own.result.loss, own.result.fooled)
            batch.n_queries[rows] += part.n_queries
            rows = rows[search.unfinished(rows)]
            if not len(rows):
                return
