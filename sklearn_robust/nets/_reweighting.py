"""Closeness of samples to the decision boundary: how it is counted, and the weights it gives."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .. import _functional as F
from ..attacks._gradient import GradientAttack

__all__ = ["WEIGHT_FNS", "KappaObserver", "check_one_run", "log_weights"]

WEIGHT_FNS = ("linear", "margin", "sigmoid", "tanh")


class KappaObserver:
    """Observer that counts the correct iterates of each sample and stops samples early.

    It is an ``observe`` of an attack's ``perturb``: it reads the forward pass that gives the
    gradient, before the step, and costs no pass of its own.

    Parameters
    ----------
    y : tensor of shape (n,)
        Class codes.
    first : bool
        Whether kappa ends at the first misclassified iterate; otherwise later correct iterates
        count too.
    tau : int or None
        Steps that a sample still takes after an error; None stops no sample.
    also : callable or None
        Another observer that is told the same.

    Attributes
    ----------
    kappa : tensor of shape (n,)
        Correct iterates so far, as floats.
    """

    def __init__(
        self,
        y: Tensor,
        *,
        first: bool = False,
        tau: int | None = None,
        also: Callable | None = None,
    ) -> None:
        self.y, self.first, self.tau, self.also = y, first, tau, also
        self.kappa = torch.zeros(len(y), device=y.device)
        self.errors = torch.zeros_like(self.kappa)

    def __call__(self, step: int, rows: Tensor, z: Tensor, x_adv: Tensor) -> Tensor | None:
        """Count the iterates of ``rows``; return which of them stop here."""
        if self.also is not None:
            self.also(step, rows, z, x_adv)
        correct = z.argmax(1) == self.y[rows]
        self.kappa[rows] += correct & (self.errors[rows] == 0) if self.first else correct
        self.errors[rows] += ~correct
        return None if self.tau is None else self.errors[rows] > self.tau


def check_one_run(who: str, purpose: str, attack: object) -> None:
    """Raise unless an attack is one run of gradient steps, which can be observed."""
    if not isinstance(attack, GradientAttack) or attack.n_restarts > 1:
        raise ValueError(
            f"{who} {purpose} along one run of gradient steps and cannot use attack={attack!r}; "
            "give PGD or BIM with n_restarts=1."
        )


def log_weights(
    weight_fn: str | Callable,
    kappa: Tensor,
    max_iter: int,
    lam: float,
    z_adv: Tensor | None = None,
    y: Tensor | None = None,
) -> Tensor:
    """Logarithms of GAIRAT's weights before they are normalised, shape (n,), without a graph.

    Parameters
    ----------
    weight_fn : str or callable
        One of ``WEIGHT_FNS``, or ``(kappa, max_iter) -> weights``.
    kappa : tensor of shape (n,)
        Correct iterates of each sample, as floats.
    max_iter : int
        Steps of the attack.
    lam : float
        Shift.
    z_adv, y : tensors of shape (n, n_classes) and (n,)
        Logits of the adversarial examples and class codes, which "margin" needs.
    """
    if callable(weight_fn):
        return _checked(weight_fn(kappa, max_iter), kappa).log()
    if weight_fn == "margin":
        assert z_adv is not None and y is not None
        return F.mail_log_weights(z_adv.detach(), y, lam)
    if weight_fn == "linear":
        return F.gair_linear_log_weights(kappa, max_iter)
    if weight_fn == "sigmoid":
        return F.gair_sigmoid_log_weights(kappa, max_iter, lam)
    return F.gair_log_weights(kappa, max_iter, lam)


def _checked(weights, kappa):
    weights = torch.as_tensor(weights, device=kappa.device).detach()
    good = weights.shape == kappa.shape and bool((weights >= 0).all() & (weights > 0).any())
    if not good or not bool(weights.isfinite().all()):
        raise ValueError(
            f"weight_fn gave {weights.tolist()!r:.80} for {len(kappa)} samples: it must give each "
            "a finite number of at least 0, and one above 0."
        )
    return weights.to(kappa)
