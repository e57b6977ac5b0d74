"""The worst of several attacks, sample by sample."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone

from .. import _validation as check
from .._norms import Bounds
from .._random import seed_of
from .._tables import Table, has_columns
from .._threat_model import ThreatModel
from ._base import BaseAttack
from ._batch import AttackBatch
from ._cache import KeptEntry
from ._core import TABLE_PARAMS
from ._losses import make_objective
from ._minimum_norm import MinimumNormAttack
from ._parameters import attack_class
from ._pgd import PGD
from ._result import AttackResult

__all__ = ["WorstCase"]

_LOSSES = ("cross_entropy", "margin", "scaled_cross_entropy")


@attack_class
class WorstCase(BaseAttack):
    """Run attacks one after the other; a sample is robust if all of them fail.

    Parameters
    ----------
    attacks : list of attacks, default=None
        The cascade, cheapest first. None means PGD with 40 steps on cross-entropy, margin and
        scaled cross-entropy.
    %(estimator)s
    eps : float or array of the samples' shape, default=None
        Radius for every attack in place of its own; None leaves each its own.
    norm : {"linf", "l2", "l1", "l0"}, default=None
        Norm for every attack in place of its own; None leaves each its own.
    %(constraints)s
    %(settings)s

    See Also
    --------
    sklearn_robust.metrics.robust_score : Robust accuracy, by default under this attack.

    Notes
    -----
    Samples that one attack fools are not shown to the next, so a weak model costs little. One
    loss alone can be blind (cross-entropy saturates on confident nets, the margin on nets with
    several close competitors); the worst over several is a much better estimate of the truth,
    though still an upper bound of robust accuracy. Minimum-norm and black-box attacks may be
    members; a cascade of black-box attacks alone accepts any classifier that gives scores.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import FGSM, PGD, WorstCase
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> cascade = WorstCase([FGSM(), PGD(loss="margin")], eps=0.5, random_state=0)
    >>> result = cascade.evaluate(model, X, y)
    >>> bool(result.fooled.mean() >= FGSM(eps=0.5).evaluate(model, X, y).fooled.mean())
    True
    """

    attacks: Any = field(default=None, kw_only=False)
    estimator: Any = field(default=None, kw_only=True)
    norm: Any = None

    @property
    def targeted(self) -> bool:  # type: ignore[override]
        """Whether the attacks of the cascade are targeted."""
        return any(attack.targeted for attack in self._chosen())

    @property
    def needs_gradient(self) -> bool:  # type: ignore[override]
        """Whether one of the attacks needs a gradient."""
        return any(attack.needs_gradient for attack in self._chosen())

    @property
    def threat_model(self) -> ThreatModel:
        """How samples may move by the first of the attacks, in the box of the cascade."""
        threat = self._member(self._chosen()[0]).threat_model
        threat.bounds = self.bounds
        return threat

    @property
    def has_default_radius(self) -> bool:
        """Whether the first of the attacks has the radius that stands for None, 8/255."""
        return self.threat_model.eps is None

    def members(self) -> list[BaseAttack]:
        """List the attacks, with the cascade's own settings in place of theirs.

        Returns
        -------
        attacks : list of attacks
            Copies.
        """
        return [self._member(attack) for attack in self._chosen()]

    def _member(self, attack: BaseAttack) -> BaseAttack:
        return clone(attack).set_params(**self._given())

    def _chosen(self) -> list[BaseAttack]:
        if self.attacks is None:
            return [PGD(max_iter=40, loss=loss) for loss in _LOSSES]
        if isinstance(self.attacks, BaseAttack):
            return [self.attacks]
        if isinstance(self.attacks, (list, tuple)):
            return list(self.attacks)
        return list(check.check_names("attacks", self.attacks, "a list of attacks, or None"))

    def _given(self) -> dict[str, Any]:
        given = {
            "eps": self.eps,
            "norm": self.norm,
            "mask": self.mask,
            "integer": self.integer,
            **{name: vars(self)[name] for name in TABLE_PARAMS},
        }
        return {name: value for name, value in given.items() if value is not None}

    def column_params(self) -> dict[str, Any]:
        """Return the parameters of the first attack, in the box of the cascade.

        Returns
        -------
        params : dict
            As of any attack.
        """
        members = [member.column_params() | self._given() for member in self._chosen()]
        named = [params for params in members if has_columns(params)] or members
        return named[0] | {"bounds": self.bounds} if named else {}

    def _on_table(self, table: Table) -> dict[str, Any]:
        params: dict[str, Any] = {"eps": None, "norm": None, "mask": None, "integer": None}
        members = []
        for member in self.members():
            member.bounds = self.bounds
            members.append(member.set_params(**member._on_table(table)))
        params |= dict.fromkeys(TABLE_PARAMS)
        for member in members:
            params["bounds"], member.bounds = member.bounds, "auto"
        return params | {"attacks": members}

    def check_parameters(self) -> None:
        """Raise unless the attacks fit together and each of them is valid."""
        self._check_settings()
        chosen = self._chosen()
        if not chosen:
            raise ValueError("attacks is empty; give at least one attack, or None.")
        for attack in chosen:
            member = self._member(check.check_attack(attack))
            member.check_parameters()
            if isinstance(member, MinimumNormAttack) and member.eps is None:
                raise ValueError(
                    f"{type(member).__name__} in a cascade needs a radius: give "
                    f"{type(self).__name__} or {type(member).__name__} an eps."
                )
            if not _same_box(member.bounds, ("auto", self.bounds)):
                raise ValueError(
                    f"{type(member).__name__} has bounds={member.bounds!r}, but all attacks of a "
                    f"cascade share one box: give bounds to {type(self).__name__}, which has "
                    f"{self.bounds!r}."
                )
        if len({attack.targeted for attack in chosen}) > 1:
            raise ValueError("attacks mixes targeted and untargeted ones; y cannot serve both.")

    def _stages(self) -> list[tuple[str, Callable[[AttackBatch], AttackResult]]]:
        """List the stages (name, attack on one batch), the clean samples first."""

        def run(
            member: BaseAttack, number: int
        ) -> tuple[str, Callable[[AttackBatch], AttackResult]]:
            def stage(batch: AttackBatch) -> AttackResult:
                part = batch.part(batch.rows(), number, judge=True, checked=batch.stop)
                return member._attack(part)

            return type(member).__name__, stage

        members = self.members()
        searches = [run(member, number) for number, member in enumerate(members)]
        first = members[0].threat_model

        def check_clean(batch: AttackBatch) -> AttackResult:
            return self._check_clean(batch, first)

        return [("clean", check_clean), *searches]

    def _check_clean(self, batch: AttackBatch, threat: ThreatModel) -> AttackResult:
        # Before samples that are fooled anyway leave:
        self._integers(batch, threat.with_shape(batch.x.shape[1:], batch.box.bounds))
        if batch.stop:
            batch.clean()  # known to all parts from now on
        batch = replace(batch, targeted=self.targeted)
        objective = make_objective("margin", batch.targeted, batch.y, batch.clean)
        result = AttackResult.after_clean(batch, objective)
        result.fooled = batch.confirmed(result)
        result.has_gradient.fill_(-1)  # until one of the attacks moves them
        return result

    def _zero_gradient_advice(self) -> str:
        return (
            "every loss is exactly zero, as on flat or saturated predictions, which says nothing "
            "of robustness. Use AutoAttack or Square, which need no gradient."
        )

    def _results(
        self,
        logits: Any,
        X: NDArray[np.float32],
        codes: NDArray[np.int64],
        bounds: Bounds,
        *,
        index: NDArray[np.int64] | None = None,
        keep: KeptEntry | None = None,
        **flags: Any,
    ) -> list[AttackResult]:
        """AttackResult of all samples: what one stage leaves is batched anew for the next.

        A stage that ``keep`` remembers is not run again; its points are then the clean ones.
        """
        seed, rows, total = seed_of(self.random_state), np.arange(len(X)), None
        index = rows if index is None else index
        for number, (name, stage) in enumerate(self._stages()):
            data = (logits, X[rows], codes[rows], bounds, seed)
            batches = self._batches(stage, *data, index=index[rows], label=name, **flags)
            if keep is None or not number:  # the clean samples cost one pass
                part = AttackResult.join(batches)
            else:
                part = _remembered(keep, number, rows, logits.tensor(X[rows]), batches)
            total = part if total is None else total.update(torch.as_tensor(rows), part)
            rows = np.flatnonzero(~total.fooled.cpu().numpy())
            if not len(rows):
                break
        assert total is not None
        return [total]

    def _attack(self, batch: AttackBatch) -> AttackResult:
        total = rows = None
        for _, stage in self._stages():
            part = stage(batch if rows is None else batch.part(rows))
            total = part if total is None or rows is None else total.update(rows, part)
            rows = torch.nonzero(~total.fooled).flatten()
            if not len(rows):
                break
        assert total is not None
        return total


def _remembered(
    keep: KeptEntry,
    number: int,
    rows: NDArray[np.int64],
    x: torch.Tensor,
    batches: Iterable[AttackResult],
) -> AttackResult:
    """Verdicts of one stage on the samples x, read or found and written down."""

    def compute() -> NDArray[np.float64]:
        part = AttackResult.join(batches)
        return torch.stack([part.fooled, part.has_gradient]).double().cpu().numpy()

    found = keep.stage(number, rows).recall((2, len(rows)), compute)
    fooled, has_gradient = torch.as_tensor(found, device=x.device)
    has_gradient = has_gradient.long()
    zeros = torch.zeros_like(has_gradient)
    return AttackResult(
        x_adv=x,
        fooled=fooled.bool(),
        loss=zeros.double(),
        n_queries=zeros,
        has_gradient=has_gradient,
    )


def _same_box(bounds: Any, known: tuple[Any, ...]) -> bool:
    """Whether ``bounds`` are among the ``known``; they may hold arrays."""
    return any(repr(bounds) == repr(other) for other in known)
