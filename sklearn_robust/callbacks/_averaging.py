"""Averages of the weights along training."""

from __future__ import annotations

import numbers
import warnings
from typing import Any

from skorch.callbacks import Checkpoint, EarlyStopping
from torch import nn
from torch.optim.swa_utils import (
    AveragedModel,
    get_ema_multi_avg_fn,
    get_swa_multi_avg_fn,
    update_bn,
)

from .. import _validation as check
from ..differentiable._fast.copying import copy_module
from ._base import TrainingCallback

__all__ = ["WeightAveraging", "judged_module", "put_back"]


class WeightAveraging(TrainingCallback):
    """Train as usual and end with an average of the weights along training.

    Parameters
    ----------
    method : {"ema", "swa"}, default="ema"
        "ema" is an exponential moving average over batches; "swa" the plain mean over the ends of
        epochs.
    decay : float in [0, 1), default=0.999
        Share of the moving average that stays at each batch: it reaches back about
        ``1 / (1 - decay)`` batches. "swa" has no use for it.
    start : int or float, default=0
        Epochs before averaging begins: a float is a share of ``max_epochs``, an integer a count.
        "swa" wants a late start, such as 0.75.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter makes no sense.

    Warns
    -----
    UserWarning
        If another callback will load weights over the average, if training ends before averaging
        begins, or when more than half of the moving average is still the weights that it began
        with.

    See Also
    --------
    RobustEarlyStopping : Judges the average, if there is one, and picks its best epoch.
    WeightPerturbation : Flatter minima by another way.

    Notes
    -----
    ``w_avg <- decay w_avg + (1 - decay) w`` after each batch, or ``w_avg <- w_avg + (w - w_avg) /
    (n + 1)`` after each epoch. The statistics of BatchNorm are averaged by "ema" as the weights
    are; "swa" computes them anew, on the clean training samples after every averaged epoch.

    References
    ----------
    Izmailov et al., "Averaging weights leads to wider optima and better generalization", UAI 2018.

    Examples
    --------
    >>> from sklearn_robust import NaturalNet
    >>> from sklearn_robust.callbacks import WeightAveraging
    >>> from sklearn_robust.datasets import load_moons
    >>> X, y = load_moons(200, random_state=0)
    >>> net = NaturalNet(callbacks=[WeightAveraging("swa", start=0.5)], lr=0.01, random_state=0)
    >>> bool(net.fit(X, y).score(X, y) > 0.9)
    True
    """

    averages = True  # so that a net calls it before callbacks that judge
    averaged_: AveragedModel | None = None

    def __init__(self, method: str = "ema", *, decay: float = 0.999, start: float = 0) -> None:
        self.method = method
        self.decay = decay
        self.start = start

    def on_train_begin(self, net: Any, *args: Any, **kwargs: Any) -> None:
        """Begin a new average."""
        check.check_choice("method", self.method, ["ema", "swa"])
        whole = isinstance(self.start, numbers.Integral)
        check.check_number("start", self.start, high=float("inf") if whole else 1)
        if check.check_number("decay", self.decay, high=1) == 1:
            raise ValueError(
                "decay is 1, which keeps the first weights for ever; give a smaller number."
            )
        before = self.start if whole else round(self.start * net.max_epochs)
        self.first_ = len(net.history) + before
        ema = self.method == "ema"
        average = get_ema_multi_avg_fn(self.decay) if ema else get_swa_multi_avg_fn()
        model = copy_module(net.module_)
        self.averaged_ = AveragedModel(model, multi_avg_fn=average, use_buffers=ema)
        competitors = [name for name, other in net.callbacks_ if _loads_best(other)]
        if competitors:
            warnings.warn(
                f"{competitors[0]} has load_best=True and will put its epoch's own weights in the "
                "place of the average: leave load_best out, or use RobustEarlyStopping, which "
                "judges the average.",
                stacklevel=2,
            )

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool | None = False, **kwargs: Any
    ) -> None:
        """Take the weights of this batch into the moving average."""
        assert self.averaged_ is not None
        if training and self.method == "ema" and len(net.history) > self.first_:
            self.averaged_.update_parameters(net.module_)

    def on_epoch_end(
        self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any
    ) -> None:
        """Take the weights of this epoch into the mean."""
        assert self.averaged_ is not None
        if self.method == "swa" and len(net.history) > self.first_:
            self.averaged_.update_parameters(net.module_)
            update_bn(net.get_iterator(dataset_train), self.averaged_.module, net.device_)

    def on_train_end(self, net: Any, *args: Any, **kwargs: Any) -> None:
        """Give the net the average; say so if it is none, or mostly where it began."""
        assert self.averaged_ is not None
        n_averaged = int(self.averaged_.n_averaged)
        if n_averaged:
            net.module_.load_state_dict(self.averaged_.module.state_dict())
        self._complain(net, n_averaged)
        self.averaged_ = None

    def _complain(self, net: Any, n_averaged: int) -> None:
        first = self.decay ** max(n_averaged - 1, 0)  # share of the moving average
        if not n_averaged:
            said = (
                f"WeightAveraging averaged nothing: training ended after epoch {len(net.history)} "
                f"and averaging was to begin after epoch {self.first_}. Give an earlier start."
            )
        elif self.method == "ema" and first > 0.5:
            said = (
                f"WeightAveraging met {n_averaged} batches, and {first:.0%} of their average with "
                f"decay={self.decay} is the weights of the first. Give a smaller decay, or train "
                "longer."
            )
        else:
            return
        warnings.warn(said, stacklevel=2)

    def __getstate__(self) -> dict[str, Any]:
        """State without the average, which holds a function that cannot be pickled."""
        return {name: value for name, value in vars(self).items() if name != "averaged_"}


def _loads_best(callback: Any) -> bool:
    """Whether a callback of skorch puts the weights of its best epoch into the net."""
    return isinstance(callback, (Checkpoint, EarlyStopping)) and bool(callback.load_best)


def _averages(net: Any) -> list[AveragedModel]:
    found = [c.averaged_ for _, c in net.callbacks_ if isinstance(c, WeightAveraging)]
    return [average for average in found if average is not None]


def judged_module(net: Any) -> nn.Module:
    """Find the module that a net would end with: the average of its weights, if there is one."""
    begun = [average.module for average in _averages(net) if average.n_averaged]
    return begun[0] if begun else net.module_


def put_back(net: Any, state: dict[str, Any]) -> None:
    """Load weights into a net's module, and into the average that would replace them."""
    for module in (net.module_, *(average.module for average in _averages(net))):
        module.load_state_dict(state)
