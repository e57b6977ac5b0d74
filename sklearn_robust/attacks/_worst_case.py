"""The worst of several attacks, sample by sample."""

from dataclasses import replace

import numpy as np
import torch
from sklearn.base import clone

from .._random import seed_of
from ._base import BaseAttack
from ._batch import AttackResult
from ._losses import make_objective
from ._minimum_norm import MinimumNormAttack
from ._pgd import PGD

__all__ = ["WorstCase"]

_LOSSES = ("cross_entropy", "margin", "scaled_cross_entropy")


class WorstCase(BaseAttack):
    """Run attacks one after the other; a sample is robust if it withstands them all.

    Parameters
    ----------
    attacks : list of attacks, default=None
        The cascade, cheapest first. None means PGD with 40 steps on cross-entropy, margin and
        scaled cross-entropy.
    estimator : classifier, default=None
        What ``fit`` fits and ``transform`` attacks; None means LogisticRegression.
    eps : float or array of the samples' shape, default=None
        Radius for every attack in place of its own; None leaves each its own.
    norm : {"linf", "l2", "l1"}, default=None
        Norm for every attack in place of its own; None leaves each its own.
    bounds : "auto", None or (low, high), default="auto"
        Box of the data, for every attack.
    mask : bool array of the samples' shape, default=None
        Features that may move, for every attack in place of its own.
    integer : bool array of the samples' shape or indices, default=None
        Features kept on integers, for every attack in place of its own.
    batch_size : int, default=None
        Rows attacked together; None fits the cache.
    on_nan : {"raise", "robust"}, default="raise"
        What to make of NaN logits: an error that names the sample, or a point withstood.
    random_state : int, RandomState or None, default=None
        Seed for the whole cascade.
    verbose : int, default=0
        Whether to show a progress bar.

    See Also
    --------
    sklearn_robust.metrics.robust_score : A thin shell over the verdict.

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

    def __init__(
        self,
        attacks=None,
        *,
        estimator=None,
        eps=None,
        norm=None,
        bounds="auto",
        mask=None,
        integer=None,
        batch_size=None,
        on_nan="raise",
        random_state=None,
        verbose=0,
    ):
        self.attacks = attacks
        self.estimator = estimator
        self.eps = eps
        self.norm = norm
        self.bounds = bounds
        self.mask = mask
        self.integer = integer
        self.batch_size = batch_size
        self.on_nan = on_nan
        self.random_state = random_state
        self.verbose = verbose

    @property
    def targeted(self):
        """Whether the attacks of the cascade are targeted."""
        return any(member.targeted for member in self._members())

    @property
    def _needs_gradient(self):
        return any(member._needs_gradient for member in self._members())

    def _chosen(self):
        if self.attacks is None:
            return [PGD(max_iter=40, loss=loss) for loss in _LOSSES]
        return [self.attacks] if isinstance(self.attacks, BaseAttack) else list(self.attacks)

    def _given(self):
        given = {name: getattr(self, name) for name in ("eps", "norm", "mask", "integer")}
        return {name: value for name, value in given.items() if value is not None}

    def _members(self):
        """List the attacks, with the cascade's own settings in place of theirs."""
        return [clone(attack).set_params(**self._given()) for attack in self._chosen()]

    def _check_parameters(self):
        self._check_settings()
        members = self._members()
        if not members:
            raise ValueError("attacks is empty; give at least one attack, or None.")
        for member in members:
            member._check_parameters()
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
        if len({member.targeted for member in members}) > 1:
            raise ValueError("attacks mixes targeted and untargeted ones; y cannot serve both.")

    def _order(self):
        return self._members()[0]._order()

    def _check_resolution(self, X):
        self._members()[0]._check_resolution(X)

    def _stages(self):
        """List the stages (name, attack on one batch), the clean samples first."""

        def run(member, number):
            def stage(batch):
                part = batch.part(batch.rows(), number, judge=True, checked=batch.stop)
                return member._attack(part)

            return type(member).__name__, stage

        members = enumerate(self._members())
        return [("clean", self._check_clean), *(run(member, number) for number, member in members)]

    def _check_clean(self, batch):
        self._integers(batch)  # before samples that are fooled anyway leave
        if batch.stop:
            batch.clean()  # known to all parts from now on
        batch = replace(batch, targeted=self.targeted)
        objective = make_objective("margin", batch.targeted, batch.y, None)
        result = AttackResult.after_clean(batch, objective)
        result.fooled = batch.confirmed(result)
        result.slope.fill_(-1)  # until one of the attacks moves them
        return result

    def _still(self):
        return (
            "every loss is exactly zero, as on flat or saturated predictions, which says nothing "
            "of robustness. Use AutoAttack or Square, which need no gradient."
        )

    def _results(self, view, X, codes, bounds, index=None, **flags):
        """AttackResult of all samples: what one stage leaves is batched anew for the next."""
        seed, rows, total = seed_of(self.random_state), np.arange(len(X)), None
        index = rows if index is None else index
        for name, stage in self._stages():
            data = (view, X[rows], codes[rows], bounds, seed)
            part = AttackResult.join(
                self._batches(stage, *data, index=index[rows], label=name, **flags)
            )
            total = part if total is None else total.update(torch.as_tensor(rows), part)
            rows = np.flatnonzero(~total.fooled.cpu().numpy())
            if not len(rows):
                break
        return [total]

    def _attack(self, batch):
        total = rows = None
        for _, stage in self._stages():
            part = stage(batch if rows is None else batch.part(rows))
            total = part if rows is None else total.update(rows, part)
            rows = torch.nonzero(~total.fooled).flatten()
            if not len(rows):
                break
        return total


def _same_box(bounds, known):
    """Whether ``bounds`` are among the ``known``; they may hold arrays."""
    return any(repr(bounds) == repr(other) for other in known)
