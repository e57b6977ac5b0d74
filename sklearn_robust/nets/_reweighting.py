"""Weights of samples by their closeness to the decision boundary."""

import torch

from .. import _functional as F

__all__ = ["WEIGHT_FNS", "log_weights"]

WEIGHT_FNS = ("linear", "margin", "sigmoid", "tanh")


def log_weights(weight_fn, kappa, max_iter, lam, z_adv=None, y=None):
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
        Logits of the worst points and class codes, which "margin" needs.
    """
    if callable(weight_fn):
        return _checked(weight_fn(kappa, max_iter), kappa).log()
    if weight_fn == "margin":
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
