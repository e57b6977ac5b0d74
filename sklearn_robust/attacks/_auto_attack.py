"""AutoAttack."""

from __future__ import annotations

from dataclasses import field, replace
from typing import Any

from .. import _validation as check
from .._tables import Table
from ._apgd import APGD
from ._base import BaseAttack
from ._batch import AttackBatch
from ._fab import FAB
from ._fast_search import FastSearch
from ._parameters import attack_class
from ._result import AttackResult
from ._square import Square
from ._worst_case import WorstCase

__all__ = ["AutoAttack"]


@attack_class
class AutoAttack(WorstCase):
    """AutoAttack: four attacks in a row, each on the samples that the attacks before it left.

    Parameters
    ----------
    %(estimator)s
    %(eps)s
    %(norm)s
    %(constraints)s
    attacks : list of attacks, default=None
        With ``version="custom"``: the cascade; ``eps`` and ``norm`` take the place of theirs.
    version : {"standard", "fast", "rand", "custom"}, default="standard"
        "standard": APGD on cross-entropy, APGD on the targeted DLR loss, FAB toward single
        classes (100 steps and 9 classes each; in l1 5 restarts of the first and 5 classes),
        Square with 5000 queries. "fast": the same attacks, the ones that find most in their time
        first, and most of the effort on samples near a boundary; a sample that only one of many
        restarts fools may be left. "rand", for models that draw random numbers: APGD on
        cross-entropy and on DLR, averaged over ``n_eot`` draws. "custom": ``attacks``.
    n_eot : int, default=20
        With ``version="rand"``: draws for each step.
    %(settings)s

    See Also
    --------
    WorstCase : Any attacks; quicker by default.
    sklearn_robust.metrics.robust_score : Robust accuracy under any attack.

    Notes
    -----
    Works from two classes up: no more classes are aimed at than there are, and the DLR losses
    are plain margins where there are too few for their scale. A sample is done when it is fooled,
    also in ``generate``; a sample that no attack fools keeps the best point of the last one.

    References
    ----------
    Croce, Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse
    parameter-free attacks", ICML 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import FGSM, AutoAttack
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> result = AutoAttack(eps=0.5, random_state=0).evaluate(model, X, y)
    >>> bool(result.fooled.mean() >= FGSM(eps=0.5).evaluate(model, X, y).fooled.mean())
    True
    """

    estimator: Any = field(default=None, kw_only=False)
    norm: Any = "linf"
    attacks: Any = field(default=None, kw_only=True)
    version: str = "standard"
    n_eot: int = 20

    @property
    def has_default_radius(self) -> bool:
        """Whether the radius is the one that stands for None, 8/255."""
        return self.eps is None

    def _given(self) -> dict[str, Any]:
        given = super()._given()
        if self.eps is None:  # minimum-norm members would take None for no limit
            given["eps"] = float(check.check_eps(None, check.check_norm(self.norm), ()))
        return given

    def _on_table(self, table: Table) -> dict[str, Any]:
        return BaseAttack._on_table(self, table)

    def _chosen(self) -> list[BaseAttack]:
        if self.version == "standard":
            # l1 has more local optima: its authors restart more and aim at fewer classes.
            n_runs, n_classes = (5, 5) if check.check_norm(self.norm) == "l1" else (1, 9)
            return [
                APGD(n_restarts=n_runs),
                APGD(loss="targeted_dlr", n_target_classes=n_classes),
                FAB(n_target_classes=n_classes),
                Square(max_iter=5000),
            ]
        if self.version == "fast":
            return [FastSearch()]
        if self.version == "rand":
            return [APGD(n_eot=self.n_eot), APGD(loss="dlr", n_eot=self.n_eot)]
        return super()._chosen()

    def check_parameters(self) -> None:
        """Raise unless version and attacks fit together and each attack is valid."""
        check.check_choice("version", self.version, ("standard", "fast", "rand", "custom"))
        if (self.version == "custom") != (self.attacks is not None):
            raise ValueError(
                f"version is {self.version!r} and attacks is {self.attacks!r}: attacks go with "
                "version='custom', and with no other."
            )
        super().check_parameters()

    def _results(self, *data: Any, **flags: Any) -> list[AttackResult]:
        return super()._results(*data, **flags | {"stop": True})

    def _attack(self, batch: AttackBatch) -> AttackResult:
        return super()._attack(replace(batch, stop=True))
