"""Base of all callbacks: the hooks, and a check that a subclass writes no other."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, runtime_checkable

from skorch.callbacks import Callback
from torch import Tensor

__all__ = ["TrainingCallback", "is_trainable"]

# What each hook is called with: positional arguments after self, then keywords.
_HOOKS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "on_train_begin": (("net",), ("X", "y")),
    "on_train_end": (("net",), ("X", "y")),
    "on_epoch_begin": (("net",), ("dataset_train", "dataset_valid")),
    "on_epoch_end": (("net",), ("dataset_train", "dataset_valid")),
    "on_batch_begin": (("net",), ("batch", "training")),
    "on_batch_end": (("net",), ("batch", "training", "loss", "y_pred")),
    "on_grad_computed": (("net", "named_parameters"), ("X", "y", "training")),
    "around_loss": (("net", "x", "y"), ()),
}


class TrainingCallback(Callback):
    """Base of callbacks: code that acts at given moments of the training of any net.

    A subclass overrides some of the hooks below, and takes ``**kwargs`` in those named ``on_...``.
    A method that looks like a hook and is none, or has other arguments, is refused when the class
    is made. To end training early, raise :class:`~sklearn_robust.callbacks.StopTraining` in a hook
    of an epoch or a batch.

    Attributes
    ----------
    train_split : callable or None
        Class attribute or property: a validation split of skorch, for a callback that needs
        samples held out from a net without a split of its own.
    averages : bool
        Class attribute: whether the callback averages weights, so that it is called before those
        that judge them.

    Raises
    ------
    TypeError
        When a subclass with a wrong hook is made.

    See Also
    --------
    RobustEarlyStopping : Keeps the most robust epoch.
    WeightPerturbation : Acts around the loss.

    Notes
    -----
    Attributes that end in an underscore are state: a checkpoint keeps those that are numbers,
    text, arrays or tensors. The order within an epoch is ``on_epoch_begin``; for each batch
    ``on_batch_begin``, ``around_loss``, ``on_grad_computed``, ``on_batch_end``; ``on_epoch_end``.

    Examples
    --------
    >>> from sklearn_robust import NaturalNet
    >>> from sklearn_robust.callbacks import StopTraining, TrainingCallback
    >>> from sklearn_robust.datasets import load_moons
    >>> class StopWhenGood(TrainingCallback):
    ...     def __init__(self, loss=0.3):
    ...         self.loss = loss
    ...
    ...     def on_epoch_end(self, net, **kwargs):
    ...         if net.history[-1, "train_loss"] < self.loss:
    ...             raise StopTraining
    >>> X, y = load_moons(200, random_state=0)
    >>> net = NaturalNet(callbacks=[StopWhenGood()], lr=0.01, random_state=0).fit(X, y)
    >>> net.n_iter_ < 30
    True
    """

    train_split: Callable | None = None
    averages: bool = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, member in vars(cls).items():
            if inspect.isfunction(member):
                _check_hook(cls, name, member)

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Act before the first epoch, and reset the state that earlier calls left.

        Parameters
        ----------
        net : BaseNet
            About to train, with its module built.
        X : dataset
            All training data.
        y : array or None
            Labels.
        **kwargs
            Nothing today.
        """

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Act after the last epoch; may change the weights that the net ends with.

        Parameters
        ----------
        net : BaseNet
            Trained.
        X : dataset
            All training data.
        y : array or None
            Labels.
        **kwargs
            Nothing today.
        """

    def on_epoch_begin(
        self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any
    ) -> None:
        """Act before an epoch.

        Parameters
        ----------
        net : BaseNet
            In training; ``len(net.history)`` is the number of the epoch.
        dataset_train, dataset_valid : dataset
            What is trained on, and what is held out, or None.
        **kwargs
            Nothing today.
        """

    def on_epoch_end(
        self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any
    ) -> None:
        """Act after an epoch; ``net.history.record(name, value)`` keeps a number of it.

        Parameters
        ----------
        net : BaseNet
            In training; ``net.history[-1]`` holds the losses of the epoch.
        dataset_train, dataset_valid : dataset
            What is trained on, and what is held out, or None.
        **kwargs
            Nothing today.
        """

    def on_batch_begin(
        self, net: Any, batch: Any = None, training: bool | None = None, **kwargs: Any
    ) -> None:
        """Act before a batch.

        Parameters
        ----------
        net : BaseNet
            In training.
        batch : (x, y)
            Samples and class codes.
        training : bool
            False for a batch of the samples held out.
        **kwargs
            Nothing today.
        """

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool | None = None, **kwargs: Any
    ) -> None:
        """Act after a batch, and after the optimiser's step if it was trained on.

        Parameters
        ----------
        net : BaseNet
            In training.
        batch : (x, y)
            Samples and class codes.
        training : bool
            False for a batch of the samples held out.
        **kwargs
            ``loss`` and ``y_pred``, the logits.
        """

    def on_grad_computed(
        self,
        net: Any,
        named_parameters: Any,
        X: Any = None,
        y: Any = None,
        training: bool | None = None,
        **kwargs: Any,
    ) -> None:
        """Act between the backward pass and the optimiser's step; may change gradients.

        Parameters
        ----------
        net : BaseNet
            In training.
        named_parameters : iterable of (str, parameter)
            Weights with their gradients.
        X, y : tensors
            The batch.
        training : bool
            True.
        **kwargs
            Nothing today.
        """

    def around_loss(self, net: Any, x: Tensor, y: Tensor) -> AbstractContextManager:
        """Return a context around the loss of a batch and its gradients.

        ``contextlib.contextmanager`` makes one of a function with a ``yield``. What it changes is
        to be put back at its end.

        Parameters
        ----------
        net : BaseNet
            In training.
        x : tensor of shape (n, ...)
            Clean samples.
        y : tensor of shape (n,), int64
            Class codes.

        Returns
        -------
        context : context manager
            Entered before the loss is computed, left before the optimiser steps.
        """
        return nullcontext()


def _check_hook(cls: type, name: str, function: Callable) -> None:
    """Raise if a method looks like a hook and is none, or cannot be called as it will be."""
    if name not in _HOOKS:
        close = difflib.get_close_matches(name, _HOOKS, 1, cutoff=0.85)
        if name.startswith(("on_", "around_")) or close:
            meant = close or difflib.get_close_matches(name, _HOOKS, 1, cutoff=0) or list(_HOOKS)
            raise TypeError(
                f"{cls.__name__}.{name} is not a hook of callbacks and would never be called: "
                f"rename it to {meant[0]}, or begin its name with an underscore."
            )
        return
    first, keywords = _HOOKS[name]
    try:
        inspect.signature(function).bind(None, *first, **dict.fromkeys(keywords))
    except TypeError:
        wanted = ", ".join(["self", *first, *(["**kwargs"] if name.startswith("on_") else [])])
        raise TypeError(
            f"{cls.__name__}.{name}{inspect.signature(function)} cannot be called by a net: write "
            f"def {name}({wanted})."
        ) from None


@runtime_checkable
class _Trainable(Protocol):
    """Net whose training step callbacks of this package can reach into."""

    def replay_batch(self) -> AbstractContextManager: ...


def is_trainable(net: object) -> bool:
    """Whether a net is one of this package, and not of skorch alone."""
    return isinstance(net, _Trainable)
