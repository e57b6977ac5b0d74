"""What a net asks of callbacks, its own library's and skorch's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from skorch.callbacks import Callback
from torch import Tensor

from ..._parameters import shown

__all__ = [
    "ActsAroundLoss",
    "AveragesWeights",
    "HoldsOut",
    "check_callbacks",
    "context_of",
]


@runtime_checkable
class ActsAroundLoss(Protocol):
    """Callback that puts a context around each loss and its gradients."""

    def around_loss(self, net: Any, x: Tensor, y: Tensor) -> AbstractContextManager:
        """Return the context of one loss."""


@runtime_checkable
class AveragesWeights(Protocol):
    """Callback that averages weights, before other callbacks judge the average."""

    averages: bool


@runtime_checkable
class HoldsOut(Protocol):
    """Callback that needs samples held out from training."""

    train_split: Callable | None


def check_callbacks(callbacks: object) -> None:
    """Raise unless ``callbacks`` is a list, None or "disable"."""
    if callbacks is None or (isinstance(callbacks, str) and callbacks == "disable"):
        return
    if not isinstance(callbacks, (list, tuple)):
        raise ValueError(f"callbacks is {shown(callbacks)}; give a list, callbacks=[...].")
    for item in callbacks:
        callback = item[1] if isinstance(item, tuple) and len(item) == 2 else item
        if not isinstance(callback, (Callback, type)) or (
            isinstance(callback, type) and not issubclass(callback, Callback)
        ):
            raise ValueError(
                f"callbacks holds {shown(item)}; give instances of skorch.callbacks.Callback, or "
                "pairs (name, callback)."
            )


def context_of(callback: ActsAroundLoss, net: Any, x: Tensor, y: Tensor) -> AbstractContextManager:
    """Ask a callback for its context around a loss."""
    context = callback.around_loss(net, x, y)
    if not isinstance(context, AbstractContextManager):
        raise TypeError(
            f"{type(callback).__name__}.around_loss returned {context!r}; return a context, for "
            "example by the decorator contextlib.contextmanager."
        )
    return context
