"""Formulas over tensors, named as in the papers; one number per sample unless said otherwise.

Notation: ``z`` holds the logits, shape (n, n_classes); ``y`` the class codes, shape (n,), int64.
Every loss is one that an untargeted attack maximises.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "REENTRANT",
    "ascent_gradient",
    "boosted_cross_entropy",
    "cluster_penalty",
    "competing_classes",
    "cross_entropy",
    "dlr",
    "effective_sample_size",
    "flat_norm",
    "gair_linear_log_weights",
    "gair_log_weights",
    "gair_sigmoid_log_weights",
    "input_gradient",
    "jensen_shannon",
    "kl",
    "log_others",
    "mail_log_weights",
    "margin",
    "margin_loss",
    "runner_up",
    "scaled_cross_entropy",
    "smooth_margin",
    "targeted_dlr",
    "total_variation",
]


REENTRANT = (
    "The module checkpoints activations with use_reentrant=True, of which torch knows no such "
    "gradient: type torch.utils.checkpoint.checkpoint(..., use_reentrant=False)."
)
_LARGEST_GRADIENT = 1e15  # its square still fits float32
_MASKED = 1e20  # spread of logits that only a class which is switched off explains


def _others(z: Tensor, y: Tensor) -> Tensor:
    """Logits with the entry of class ``y`` replaced by minus infinity."""
    return z.scatter(1, y[:, None], -torch.inf)


def _of(z: Tensor, y: Tensor) -> Tensor:
    return z.gather(1, y[:, None]).squeeze(1)


def margin(z: Tensor, y: Tensor) -> Tensor:
    """Decision function S(x) = z_y - max_{i != y} z_i (paper 001, eq. 2)."""
    return _of(z, y) - _others(z, y).amax(1)


def smooth_margin(z: Tensor, y: Tensor, tau: float = 1.0) -> Tensor:
    """Smooth S_tau = z_y - tau log sum_{i != y} exp(z_i / tau): below S, near it for small tau.

    With tau = 1 it is -log(exp(CE) - 1): its gradient is opposite to that of cross-entropy, and
    does not vanish where that loss is flat.
    """
    return _of(z, y) - tau * log_others(z / tau, y)


def runner_up(z: Tensor, y: Tensor) -> Tensor:
    """Code of the most likely class other than ``y``."""
    return _others(z, y).argmax(1)


def competing_classes(z: Tensor, y: Tensor) -> Tensor:
    """Codes of the classes other than ``y``, the likeliest first, shape (n, n_classes - 1)."""
    order = _others(z, y).argsort(dim=1, descending=True)
    return order[order != y[:, None]].view(len(z), -1)  # another class may be -inf, too


def log_others(z: Tensor, y: Tensor) -> Tensor:
    """Log of the summed probability of all classes other than ``y``, up to the partition."""
    return _others(z, y).logsumexp(1)


def margin_loss(z: Tensor, y: Tensor) -> Tensor:
    """C&W objective max_{i != y} z_i - z_y = -S(x), as the papers name it."""
    return -margin(z, y)


def cross_entropy(z: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy -log softmax(z)_y."""
    return F.cross_entropy(z, y, reduction="none")


def boosted_cross_entropy(z: Tensor, y: Tensor) -> Tensor:
    """MART's -log p_y - log(1 - max_{k != y} p_k), finite for any logits (paper 003)."""
    best = runner_up(z, y)
    return cross_entropy(z, y) + z.logsumexp(1) - log_others(z, best)


def scaled_cross_entropy(z: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of the logits divided by the gap of their two largest entries.

    The gap is a constant to the gradient, so a rescaling of the logits does not change the loss:
    neither saturated nor nearly uniform predictions weaken the gradient.
    """
    top = z.detach().topk(2, dim=1).values
    gap = (top[:, 0] - top[:, 1]).clamp_min(torch.finfo(z.dtype).tiny ** 0.5)
    return cross_entropy((z - top[:, :1]) / gap[:, None], y)


def dlr(z: Tensor, y: Tensor) -> Tensor:
    """Difference of logits ratio -S / (z_(1) - z_(3)); plain -S below three classes."""
    if z.shape[1] < 3:
        return margin_loss(z, y)
    top = z.topk(3, dim=1).values
    return margin_loss(z, y) / _spread(top[:, 0] - top[:, 2])


def targeted_dlr(z: Tensor, y: Tensor, target: Tensor) -> Tensor:
    """Targeted ratio (z_t - z_y) / (z_(1) - (z_(3) + z_(4)) / 2); unscaled below four classes."""
    gap = _of(z, target) - _of(z, y)
    if z.shape[1] < 4:
        return gap
    top = z.topk(4, dim=1).values
    return gap / _spread(top[:, 0] - (top[:, 2] + top[:, 3]) / 2)


def _spread(spread: Tensor) -> Tensor:
    """Spread of the largest logits by which a ratio divides; 1 where a class is masked out."""
    return torch.where(spread < _MASKED, spread + 1e-12, torch.ones_like(spread))


def kl(z: Tensor, reference: Tensor) -> Tensor:
    """Divergence KL(softmax(reference) || softmax(z))."""
    log_p = reference.log_softmax(1)
    return (log_p.exp() * (log_p - z.log_softmax(1))).sum(1)


def jensen_shannon(z: Tensor, reference: Tensor) -> Tensor:
    """Jensen-Shannon divergence of softmax(z) and softmax(reference), at most log 2."""
    log_p, log_q = reference.log_softmax(1), z.log_softmax(1)
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    return ((log_p.exp() * (log_p - log_m)).sum(1) + (log_q.exp() * (log_q - log_m)).sum(1)) / 2


def total_variation(z: Tensor, reference: Tensor) -> Tensor:
    """Total variation distance of softmax(z) and softmax(reference), at most 1."""
    return (z.softmax(1) - reference.softmax(1)).abs().sum(1) / 2


def input_gradient(
    values: Tensor, x: Tensor, *, create_graph: bool = False, retain_graph: bool | None = None
) -> Tensor:
    """Gradient of each sample's value with respect to that sample's input, shape of ``x``.

    Summing before differentiating keeps a small gradient from being divided away, and
    asking for ``x`` alone leaves the parameters' ``.grad`` untouched.
    """
    try:
        return torch.autograd.grad(
            values.sum(), x, create_graph=create_graph, retain_graph=retain_graph
        )[0]
    except RuntimeError as error:
        if "use_reentrant=True" not in str(error):
            raise
        raise ValueError(REENTRANT) from error


def ascent_gradient(values: Tensor, x: Tensor, *, retain_graph: bool | None = None) -> Tensor:
    """``input_gradient`` with finite entries: an infinite one, as of a root at 0, becomes large."""
    return input_gradient(values, x, retain_graph=retain_graph).nan_to_num(
        0.0, _LARGEST_GRADIENT, -_LARGEST_GRADIENT
    )


def flat_norm(v: Tensor, order: float) -> Tensor:
    """Vector norm of each sample of ``v``, shape (n,); its gradient at zero is zero."""
    return torch.linalg.vector_norm(v.flatten(1), order, dim=1)


def gair_log_weights(kappa: Tensor, max_iter: int, lam: float) -> Tensor:
    """Log of GAIRAT's weight (1 + tanh(lam + 5 (1 - 2 kappa / K))) / 2 (paper 003, eq. 6).

    Computed as log sigmoid(2 (...)), which is the same number without cancellation.
    """
    return F.logsigmoid(2 * (lam + 5 * (1 - 2 * kappa / max_iter)))


def gair_sigmoid_log_weights(kappa: Tensor, max_iter: int, lam: float) -> Tensor:
    """Log of the weight sigmoid(lam + 5 (1 - 2 kappa / K)), half as steep as GAIRAT's own."""
    return F.logsigmoid(lam + 5 * (1 - 2 * kappa / max_iter))


def gair_linear_log_weights(kappa: Tensor, max_iter: int) -> Tensor:
    """Log of the weight 1 - kappa / (K + 1)."""
    return torch.log1p(-kappa / (max_iter + 1))


def mail_log_weights(z: Tensor, y: Tensor, lam: float) -> Tensor:
    """Log of GAIRAT's weight with the margin max_{k != y} p_k - p_y in place of 1 - 2 kappa / K.

    With ``lam=-2.5`` it is MAIL-AT's sigmoid(10 (margin - 0.5)).
    """
    return F.logsigmoid(2 * (lam + 5 * margin_loss(z.softmax(1), y)))


def effective_sample_size(weights: Tensor) -> Tensor:
    """Kish's effective sample size (sum w)^2 / sum w^2 of a batch, a scalar."""
    return weights.sum() ** 2 / (weights**2).sum()


def cluster_penalty(z: Tensor, superclasses: Tensor, average: str = "class") -> Tensor:
    """Mean square of the logits' distances to the means of their superclasses, a scalar.

    ``R = mean_b sum_c a_c (z_bc - m_bc)^2`` with m the mean logit of the classes that share the
    superclass of c (paper 002). ``superclasses`` holds the code of each class, shape (C,). With
    "class", a_c = 1 / C; with "superclass", each of K superclasses of n_k classes counts the
    same, a_c = 1 / (K n_k).
    """
    members = F.one_hot(superclasses).to(z)
    size = members.sum(0)
    means = z @ members / size.clamp_min(1) @ members.T
    weight = torch.ones_like(z[0])
    if average == "superclass":
        weight = 1 / size[superclasses]
    return (((z - means) ** 2) @ (weight / weight.sum())).mean()
