"""Adversarial weight perturbation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from .. import _validation as check
from ._base import TrainingCallback, is_trainable

__all__ = ["WeightPerturbation"]


class WeightPerturbation(TrainingCallback):
    """Adversarial weight perturbation (AWP): compute each loss at the worst weights nearby.

    Works on any net, natural training included. Adversarial examples are searched once, against
    the weights as they are.

    Parameters
    ----------
    gamma : float, default=0.01
        Length of the perturbation of each weight tensor, relative to the tensor's own norm. The
        paper takes 0.01 for adversarial training and 0.005 for TRADES; 0 does nothing.
    warm_up : int, default=0
        Epochs without it; the paper takes 10 for TRADES.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter makes no sense.

    See Also
    --------
    WeightAveraging : Another way to flatter minima, without additional cost; the two can be
        combined.

    Notes
    -----
    ``min over w of L(w + v)`` with ``v_l = gamma ||w_l|| g_l / ||g_l||`` for every weight ``w_l``,
    and ``g = grad_w L`` of the same loss on the same adversarial
    batch. One more forward and backward pass a batch. Weights are the parameters of more than one
    dimension that have "weight" in their names, as in the authors' code: biases, normalisation,
    embeddings of positions and class tokens stay; running statistics do not see the additional
    pass. The saved tensors are put back before the optimiser steps, so that it moves the weights
    themselves and not a rounded copy.
    ``train_loss`` is the loss at ``w + v``.

    References
    ----------
    Wu, Xia, Wang, "Adversarial weight perturbation helps robust generalization", NeurIPS 2020.

    Examples
    --------
    >>> from sklearn_robust import MinMaxNet
    >>> from sklearn_robust.callbacks import WeightPerturbation
    >>> from sklearn_robust.datasets import load_moons
    >>> X, y = load_moons(200, random_state=0)
    >>> net = MinMaxNet(callbacks=[WeightPerturbation(gamma=0.01)], lr=0.01, random_state=0)
    >>> bool(net.set_params(attack__eps=0.02, max_epochs=15).fit(X, y).score(X, y) > 0.8)
    True
    """

    def __init__(self, gamma: float = 0.01, *, warm_up: int = 0) -> None:
        self.gamma = gamma
        self.warm_up = warm_up

    def on_train_begin(self, net: Any, *args: Any, **kwargs: Any) -> None:
        """Check the parameters."""
        check.check_number("gamma", self.gamma)
        check.check_count("warm_up", self.warm_up, low=0)
        if not is_trainable(net):
            raise ValueError(
                f"WeightPerturbation acts inside the training step of sklearn_robust's nets and "
                f"cannot reach that of {type(net).__name__}."
            )

    @contextmanager
    def around_loss(self, net: Any, x: Tensor, y: Tensor) -> Iterator[None]:
        """Context of one loss and its gradients, in which the weights are the worst nearby.

        Parameters
        ----------
        net : BaseNet
            In training.
        x : tensor of shape (n, ...)
            Clean samples.
        y : tensor of shape (n,), int64
            Class codes.
        """
        if self.gamma == 0 or len(net.history) <= self.warm_up:
            yield
            return
        weights = _weights_of(net.module_)
        with net.replay_batch() as cache:
            ascent = _gradients(net, weights, x, y)
            cache.rewind()
            saved = [w.detach().clone() for w in weights]
            try:
                self._move(weights, ascent)
                yield
            finally:
                with torch.no_grad():
                    for w, value in zip(weights, saved, strict=True):
                        w.copy_(value)

    @torch.no_grad()
    def _move(self, weights: list[Tensor], ascent: Any) -> None:
        for w, g in zip(weights, ascent, strict=True):
            size = 0 if g is None else g.norm().item()
            if size:
                w.add_(g * (self.gamma * w.norm() / size))


def _weights_of(module: torch.nn.Module) -> list[Tensor]:
    """Weights of layers: parameters of more than one axis with "weight" in their names.

    A module that names none of its parameters so has all of more than one axis moved.
    """
    named = [(n, p) for n, p in module.named_parameters() if p.requires_grad and p.ndim > 1]
    return [p for name, p in named if "weight" in name] or [p for _, p in named]


def _gradients(net: Any, weights: list[Tensor], x: Tensor, y: Tensor) -> Any:
    """Gradient of the net's loss for the weights; nothing else of the net moves."""
    buffers = [(b, b.clone()) for b in net.module_.buffers()]
    rows = [net.history[-1], net.history[-1]["batches"][-1]]  # objectives may count in them
    kept = [dict(row) for row in rows]
    loss, _ = net.loss_and_logits(x, y)
    found = torch.autograd.grad(loss, weights, allow_unused=True)
    for row, before in zip(rows, kept, strict=True):
        row.clear()
        row.update(before)
    with torch.no_grad():
        for buffer, value in buffers:
            buffer.copy_(value)
    return found
