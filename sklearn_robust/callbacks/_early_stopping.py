"""Early stopping by robust accuracy on samples held out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import _validation as check
from ..differentiable._fast.copying import copy_state
from ..exceptions import StopTraining
from ._averaging import judged_module, put_back
from ._base import TrainingCallback
from ._validation_attack import (
    accuracy_under,
    check_held_out,
    check_validation_attack,
    split_of,
    validation_attack_of,
)

__all__ = ["RobustEarlyStopping"]


class RobustEarlyStopping(TrainingCallback):
    """End with the weights of the epoch that is most robust on samples held out from training.

    Parameters
    ----------
    attack : attack, default=None
        Judges each epoch; give it a ``random_state``. None is the worst case of ten steps of PGD
        on cross-entropy and on the margin, at the eps, norm and box that the net trains against
        (8/255 in linf if it has no attack).
    validation_fraction : float in (0, 1), default=0.1
        Share of the data of ``fit`` that is held out, stratified by class. A net with a
        ``train_split`` of its own is judged on that.
    patience : int, default=None
        Epochs without a gain after which training ends; None trains them all.
    random_state : int, default=0
        Seed of the split.

    Attributes
    ----------
    best_epoch_ : int
        The epoch whose weights were kept; the first is 1.
    best_score_ : float
        Its robust accuracy on the samples held out.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter makes no sense.

    See Also
    --------
    CatastrophicOverfittingGuard : Ends one-step training that collapses.
    WeightAveraging : If there is one, its average is judged and kept.

    Notes
    -----
    Robust accuracy on new samples falls long before training ends ("robust overfitting"), while
    clean accuracy still rises. The best epoch is picked on training data alone, so that a score on
    test data stays honest; the score of the best epoch itself is optimistic. ``history`` holds
    ``robust_valid_acc`` of every epoch.

    References
    ----------
    Rice, Wong, Kolter, "Overfitting in adversarially robust deep learning", ICML 2020.

    Examples
    --------
    >>> from sklearn_robust import MinMaxNet
    >>> from sklearn_robust.callbacks import RobustEarlyStopping
    >>> from sklearn_robust.datasets import load_moons
    >>> X, y = load_moons(200, random_state=0)
    >>> net = MinMaxNet(callbacks=[RobustEarlyStopping()], lr=0.01, max_epochs=9, random_state=0)
    >>> scores = net.set_params(attack__eps=0.02).fit(X, y).history[:, "robust_valid_acc"]
    >>> stopping = dict(net.callbacks_)["RobustEarlyStopping"]
    >>> max(scores) == stopping.best_score_ == scores[stopping.best_epoch_ - 1]
    True
    """

    best_state_: dict[str, Any] | None = None

    def __init__(
        self,
        attack: Any = None,
        *,
        validation_fraction: float = 0.1,
        patience: int | None = None,
        random_state: int = 0,
    ) -> None:
        self.attack = attack
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state

    @property
    def train_split(self) -> Callable:  # type: ignore[override]
        """Split that holds samples out of the training of a net that has none of its own."""
        return split_of(self)

    def on_train_begin(self, net: Any, *args: Any, **kwargs: Any) -> None:
        """Forget what earlier calls of fit found."""
        check_validation_attack(self, net)
        if self.patience is not None:
            check.check_count("patience", self.patience)
        self.best_epoch_, self.best_score_ = 0, -1.0
        self.best_state_ = None

    def on_epoch_end(
        self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any
    ) -> None:
        """Judge the epoch, keep its weights if they are the best so far, or end training."""
        check_held_out(self, net, dataset_valid)
        module, epoch = judged_module(net), len(net.history)
        attack = validation_attack_of(net) if self.attack is None else self.attack
        score = accuracy_under(net, module, attack, dataset_valid)
        better = score > self.best_score_
        net.history.record("robust_valid_acc", score)
        net.history.record("robust_valid_acc_best", better)
        if better:
            self.best_epoch_, self.best_score_ = epoch, score
            self.best_state_ = copy_state(module)
        elif self.patience is not None and epoch - self.best_epoch_ >= self.patience:
            raise StopTraining

    def on_train_end(self, net: Any, *args: Any, **kwargs: Any) -> None:
        """Put the best weights back."""
        if self.best_state_ is not None:
            put_back(net, self.best_state_)
        self.best_state_ = None
