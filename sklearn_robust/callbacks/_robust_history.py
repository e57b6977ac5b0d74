"""Robust accuracy of every epoch, on training samples and on samples held out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.data import Subset

from .. import _validation as check
from ._averaging import judged_module
from ._base import TrainingCallback
from ._validation_attack import (
    accuracy_under,
    check_held_out,
    check_validation_attack,
    split_of,
    validation_attack_of,
)

__all__ = ["RobustHistory"]


class RobustHistory(TrainingCallback):
    """Record robust accuracy on training samples and on samples held out, after every epoch.

    Parameters
    ----------
    attack : attack, default=None
        Judges each epoch; give it a ``random_state``. None is that of
        :class:`RobustEarlyStopping`.
    n_samples : int, default=500
        Largest number of samples that are attacked on either side.
    validation_fraction : float in (0, 1), default=0.2
        Share of the data of ``fit`` that is held out, stratified by class. A net with a
        ``train_split`` of its own is judged on that.
    random_state : int, default=0
        Seed of the split and of the choice of samples.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter makes no sense.

    See Also
    --------
    RobustEarlyStopping : Keeps the best epoch.
    sklearn_robust.plotting.RobustOverfittingDisplay : Draws the record.

    Notes
    -----
    ``history`` holds ``robust_train_acc`` and ``robust_test_acc`` of every epoch and the numbers of
    samples, ``robust_train_n`` and ``robust_test_n``. Robust accuracy on new samples falls long
    before training ends while that on training samples rises: robust overfitting.

    References
    ----------
    Rice, Wong, Kolter, "Overfitting in adversarially robust deep learning", ICML 2020.

    Examples
    --------
    >>> from sklearn_robust import MinMaxNet
    >>> from sklearn_robust.callbacks import RobustHistory
    >>> from sklearn_robust.datasets import load_moons
    >>> X, y = load_moons(200, random_state=0)
    >>> net = MinMaxNet(callbacks=[RobustHistory()], lr=0.01, max_epochs=3, random_state=0)
    >>> history = net.set_params(attack__eps=0.02).fit(X, y).history
    >>> len(history[:, "robust_test_acc"]), history[-1, "robust_test_n"]
    (3, 40)
    """

    def __init__(
        self,
        attack: Any = None,
        *,
        n_samples: int = 500,
        validation_fraction: float = 0.2,
        random_state: int = 0,
    ) -> None:
        self.attack = attack
        self.n_samples = n_samples
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    @property
    def train_split(self) -> Callable:  # type: ignore[override]
        """Split that holds samples out of the training of a net that has none of its own."""
        return split_of(self)

    def on_train_begin(self, net: Any, *args: Any, **kwargs: Any) -> None:
        """Check the parameters."""
        check_validation_attack(self, net)
        check.check_count("n_samples", self.n_samples)
        check.check_count("random_state", self.random_state, low=0)

    def on_epoch_end(
        self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any
    ) -> None:
        """Attack both sides and write their accuracies down."""
        check_held_out(self, net, dataset_valid)
        attack = validation_attack_of(net) if self.attack is None else self.attack
        module = judged_module(net)
        for side, dataset in (("train", dataset_train), ("test", dataset_valid)):
            some = self._some(dataset)
            net.history.record(f"robust_{side}_acc", accuracy_under(net, module, attack, some))
            net.history.record(f"robust_{side}_n", len(some))

    def _some(self, dataset: Any) -> Any:
        """Return the same part of a dataset in every epoch."""
        if len(dataset) <= self.n_samples:
            return dataset
        generator = torch.Generator().manual_seed(self.random_state)
        rows = torch.randperm(len(dataset), generator=generator)[: self.n_samples]
        return Subset(dataset, rows.tolist())
