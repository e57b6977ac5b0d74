"""Guard of one-step adversarial training, which may collapse within an epoch."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch.utils.data import Subset

from .. import _validation as check
from ..attacks import FGSM
from ..differentiable._fast.copying import copy_state
from ..exceptions import CatastrophicOverfittingWarning, StopTraining
from ._averaging import put_back
from ._base import TrainingCallback
from ._validation_attack import (
    accuracy_under,
    check_validation_attack,
    threat_of,
    validation_attack_of,
)

__all__ = ["CatastrophicOverfittingGuard"]


class CatastrophicOverfittingGuard(TrainingCallback):
    """End one-step adversarial training when it collapses, with the last good weights.

    Parameters
    ----------
    attack : attack, default=None
        Of several steps, judges each epoch; give it a ``random_state``. None is the worst case of
        ten steps of PGD on cross-entropy and on the margin, at the eps, norm and box that the net
        trains against.
    n_samples : int, default=256
        Training samples to judge by, the same every epoch.
    drop : float in (0, 1], default=0.2
        How far accuracy under the attack may fall below its best.
    random_state : int, default=0
        Seed of the choice of samples.

    Attributes
    ----------
    best_score_ : float
        Best accuracy under the attack so far.
    collapsed_epoch_ : int or None
        The epoch that collapsed; None if none did.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter makes no sense.

    Warns
    -----
    CatastrophicOverfittingWarning
        When training is ended, or ends with a net that is robust to one step alone.

    See Also
    --------
    RobustEarlyStopping : Picks the best epoch on samples held out; takes longer.

    Notes
    -----
    A net that is trained on FGSM may learn, from one epoch to the next, to defeat that one step
    alone: accuracy under FGSM rises while accuracy under PGD falls to nothing. An epoch is taken
    for such a collapse when accuracy under ``attack`` is more than ``drop`` below both its best
    and the accuracy under FGSM of the same eps. A net that never got robust has nothing to fall
    from: training goes on, and a warning at its end says so if accuracy under ``attack`` is below
    half of that under FGSM. ``history`` holds both as ``guard_acc`` and ``guard_fgsm_acc``.

    References
    ----------
    Wong, Rice, Kolter, "Fast is better than free: revisiting adversarial training", ICLR 2020.

    Examples
    --------
    >>> from sklearn_robust import AdvTrainNet
    >>> from sklearn_robust.callbacks import CatastrophicOverfittingGuard
    >>> from sklearn_robust.datasets import load_moons
    >>> X, y = load_moons(200, random_state=0)
    >>> guard = CatastrophicOverfittingGuard(n_samples=100)
    >>> net = AdvTrainNet(adv_weight=1, attack__eps=0.02, callbacks=[guard], random_state=0)
    >>> net.set_params(max_epochs=3).fit(X, y).n_iter_  # nothing collapsed
    3
    """

    best_state_: dict[str, Any] | None = None
    collapsed_epoch_: int | None = None

    def __init__(
        self,
        attack: Any = None,
        *,
        n_samples: int = 256,
        drop: float = 0.2,
        random_state: int = 0,
    ) -> None:
        self.attack = attack
        self.n_samples = n_samples
        self.drop = drop
        self.random_state = random_state

    def on_train_begin(self, net: Any, *args: Any, **kwargs: Any) -> None:
        """Forget what earlier calls of fit found."""
        check_validation_attack(self, net)
        check.check_count("n_samples", self.n_samples)
        check.check_count("random_state", self.random_state, low=0)
        check.check_number("drop", self.drop, high=1, strict=True)
        self.best_score_ = 0.0
        self.best_state_ = self.collapsed_epoch_ = None

    def on_epoch_end(
        self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any
    ) -> None:
        """Judge the epoch; keep its weights, or end training."""
        generator = torch.Generator().manual_seed(self.random_state)
        chosen = torch.randperm(len(dataset_train), generator=generator)[: self.n_samples]
        some = Subset(dataset_train, chosen.tolist())
        attack = validation_attack_of(net) if self.attack is None else self.attack
        score = accuracy_under(net, net.module_, attack, some)
        one_step = accuracy_under(net, net.module_, FGSM(**threat_of(net)), some)
        net.history.record("guard_acc", score)
        net.history.record("guard_fgsm_acc", one_step)
        if min(self.best_score_, one_step) - score > self.drop:
            self._give_up(net, score, one_step)
        if score >= self.best_score_:
            self.best_score_, self.best_state_ = score, copy_state(net.module_)

    def _give_up(self, net: Any, score: float, one_step: float) -> None:
        self.collapsed_epoch_ = len(net.history)
        if self.best_state_ is not None:
            put_back(net, self.best_state_)
        warnings.warn(
            f"{type(net).__name__} overfitted to its own attack in epoch {self.collapsed_epoch_}: "
            f"accuracy under several steps fell from {self.best_score_:.2f} to {score:.2f}, while "
            f"under FGSM it is {one_step:.2f}. "
            "Training ends with the weights of the best epoch before. Lower eps, or train with "
            "more steps.",
            CatastrophicOverfittingWarning,
            stacklevel=2,
        )
        raise StopTraining

    def on_train_end(self, net: Any, *args: Any, **kwargs: Any) -> None:
        """Let go of the copy; say so if the net was never robust to more than one step."""
        self.best_state_ = None
        last = net.history[-1] if len(net.history) else {}
        if self.collapsed_epoch_ is not None or "guard_acc" not in last:
            return
        score, one_step = last["guard_acc"], last["guard_fgsm_acc"]
        if one_step - score > self.drop and score < one_step / 2:
            warnings.warn(
                f"{type(net).__name__} ends with accuracy {score:.2f} under several steps and "
                f"{one_step:.2f} under FGSM: it is robust to one step alone. Lower eps, or train "
                "with more steps.",
                CatastrophicOverfittingWarning,
                stacklevel=2,
            )
