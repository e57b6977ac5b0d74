"""Training that penalises the input gradient."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from .. import _functional as F
from .. import _validation as check
from .._norms import Norm, get_norm, norm_names
from .._random import RowNoise, seed_of
from ..differentiable._twice import twice_differentiable
from ._adversarial import AdversarialNet
from ._engine.replay import draw_once

__all__ = ["JacobianRegNet"]

_VARIANTS = ("exact", "finite_difference", "random_projection")


class JacobianRegNet(AdversarialNet):
    """Natural training plus a penalty on the input Jacobian of the decision function.

    Parameters
    ----------
    module : "auto", torch.nn.Module class or instance, default="auto"
        As for :class:`NaturalNet`, which documents all shared parameters.
    lam : float, default=0.01
        Strength of the penalty (the paper's c), for inputs in [0, 1]. With inputs ``a`` times
        larger use ``a * lam`` (``a**2 * lam`` for "l2_squared"). 0 is natural training.
    jacobian_norm : {"l1", "l2", "l2_squared", "linf"}, default="l1"
        Norm of each sample's Jacobian. Choose the dual of the threat model's norm: "l1" for linf
        attacks, "l2" for l2, "linf" for l1.
    jacobian_target : {"margin", "loss"}, default="margin"
        Function whose Jacobian is penalised: the decision function S, or the cross-entropy of each
        sample (the gradient regularisation of Ross and Doshi-Velez, with
        ``jacobian_norm="l2_squared"``).
    variant : {"exact", "random_projection", "finite_difference"}, default="exact"
        How the penalty is computed. "exact" differentiates the gradient of ``jacobian_target``;
        "random_projection" differentiates that of a random combination of all logits, which with
        ``jacobian_norm="l2_squared"`` estimates the squared Frobenius norm of the whole Jacobian;
        "finite_difference" takes the slope along the gradient of ``jacobian_target``, and warns:
        see Notes.
    difference_step : float, default=0.01
        Length of the step of "finite_difference", in the norm dual to ``jacobian_norm``.
    adversarial : attack class or instance, default=None
        Adds adversarial samples to the clean ones (the paper's "Ours + AdvTrain"); its parameters
        are ``adversarial__eps`` and so on.
    adv_weight : float in [0, 1], default=0.5
        Share w of the adversarial loss in ``(1 - w) CE(x) + w CE(x_adv) + lam * penalty``: the
        penalty, on the clean samples, keeps its full strength.
    warm_up : int, default=0
        Epochs over which the strength grows linearly to ``lam``; avoids a collapse to a
        constant when ``lam`` is large.
    penalty_fraction : float in (0, 1], default=1.0
        Share of each batch that is penalised; the mean is unbiased and cheaper. The two parts
        pass through the module one after the other, so BatchNorm sees two smaller batches.
    penalty_dtype : {"float32", "bfloat16"}, default="float32"
        Precision of the penalised forward pass. "bfloat16" pays on a GPU and on processors with
        bfloat16 instructions, and is many times slower on others.
    **kwargs
        Shared parameters.

    See Also
    --------
    NaturalNet : The same with ``lam=0``, bit for bit.

    Notes
    -----
    ``CE(x) + lam * mean ||dS/dx||``, or ``(1 - adv_weight) CE(x) + adv_weight CE(x_adv) + lam *
    mean ||dS/dx||`` with an attack, with S(x) = z_y - max_{i != y} z_i (paper 001, eqs. 2, 11, 12),
    differentiated twice through one shared forward pass (of the plain module under ``compile``,
    since a compiled one has no second derivative). The paper's c = 500 belongs to another
    scale of inputs and penalty and collapses here. With BatchNorm in training mode a sample's
    gradient contains its batch neighbours' influence. In ReLU nets penalising S leaves the margin
    attack weaker than cross-entropy: score with several losses, as ``robust_score`` does.

    "random_projection" penalises ``||sqrt(C) v^T dz/dx||`` with v uniform on the unit sphere of the
    C logits, drawn for each sample. "finite_difference" penalises ``(S(x + h d) - S(x)) / h`` with
    d the steepest direction: its value is that of "exact" to a few percent, but where a ReLU or a
    maximum switches between the two points its gradient for the weights points elsewhere (cosine
    0.05 to 0.8 on the papers' nets). It is meant for smooth activations.

    References
    ----------
    Yu et al., "Interpreting adversarial robustness: a view from decision surface in input
    space", arXiv 1810.00144. Ross and Doshi-Velez, "Improving the adversarial robustness and
    interpretability of deep neural networks by regularizing their input gradients", AAAI 2018.
    Hoffman, Roberts, Yaida, "Robust learning with Jacobian regularization", arXiv 1908.02729.

    Examples
    --------
    >>> from sklearn_robust import JacobianRegNet
    >>> from sklearn_robust.datasets import load_moons
    >>> X, y = load_moons(300, random_state=0)
    >>> net = JacobianRegNet(lam=0.003, lr=0.01, max_epochs=20, random_state=0).fit(X, y)
    >>> bool(net.score(X, y) > 0.9)
    True
    """

    attack_parameter = "adversarial"
    attack_optional = True
    prefixes_ = [*AdversarialNet.prefixes_[:-1], "adversarial"]

    def __init__(
        self,
        module: str | type[nn.Module] | nn.Module = "auto",
        *,
        lam: float = 0.01,
        jacobian_norm: str = "l1",
        jacobian_target: str = "margin",
        variant: str = "exact",
        difference_step: float = 0.01,
        adversarial: Any = None,
        adv_weight: float = 0.5,
        warm_up: int = 0,
        penalty_fraction: float = 1.0,
        penalty_dtype: str = "float32",
        **kwargs: Any,
    ) -> None:
        super().__init__(module, **kwargs)
        self.lam = lam
        self.jacobian_norm = jacobian_norm
        self.jacobian_target = jacobian_target
        self.variant = variant
        self.difference_step = difference_step
        self.adversarial = adversarial
        self.adv_weight = adv_weight
        self.warm_up = warm_up
        self.penalty_fraction = penalty_fraction
        self.penalty_dtype = penalty_dtype

    def check_parameters(self) -> None:
        """Raise if a parameter makes no sense."""
        super().check_parameters()
        check.check_number("lam", self.lam)
        norms = [*norm_names(with_dual=True), "l2_squared"]
        check.check_choice("jacobian_norm", self.jacobian_norm, norms)
        check.check_choice("jacobian_target", self.jacobian_target, ["margin", "loss"])
        check.check_choice("penalty_dtype", self.penalty_dtype, ["float32", "bfloat16"])
        check.check_number("adv_weight", self.adv_weight, high=1)
        check.check_number("penalty_fraction", self.penalty_fraction, high=1, strict=True)
        check.check_count("warm_up", self.warm_up, low=0)
        check.check_choice("variant", self.variant, _VARIANTS)
        check.check_number("difference_step", self.difference_step, strict=True)
        if self.variant == "random_projection" and self.jacobian_target != "margin":
            raise ValueError(
                f"variant='random_projection' penalises all logits, and jacobian_target is "
                f"{self.jacobian_target!r}: leave one of them out."
            )
        if self.variant == "finite_difference" and self.penalty_dtype == "bfloat16":
            raise ValueError(
                "variant='finite_difference' loses its differences in bfloat16; give "
                "penalty_dtype='float32'."
            )

    def begin_training(self, seed: int) -> None:
        """Warn if the variant has a wrong gradient at the kinks of the module."""
        super().begin_training(seed)
        if self.variant == "finite_difference" and self.lam:
            warnings.warn(
                "variant='finite_difference' gives the weights a wrong gradient wherever a ReLU or "
                "a maximum of the module switches within difference_step; with those use "
                "variant='exact', which costs about the same.",
                stacklevel=2,
            )

    def batch_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Clean loss, penalty, and adversarial loss where there is an attack."""
        mixed = self.attack_ is not None and self.adv_weight > 0
        x_adv = self.perturb(x, y) if mixed else None
        with twice_differentiable() if self.lam else nullcontext():
            loss, penalty, z = self._loss_and_penalty(x, y)
        if x_adv is not None:
            adversarial, _ = super().batch_loss(x_adv, y)
            loss = (1 - self.adv_weight) * loss + self.adv_weight * adversarial
        return loss if penalty is None else loss + penalty, z

    def _loss_and_penalty(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """Clean loss, ``lam`` times the mean norm (None where lam is 0), and logits."""
        lam = self.lam * min(1.0, len(self.history) / (self.warm_up + 1))
        if lam == 0:
            loss, z = super().batch_loss(x, y)
            return loss, None, z
        n_part = round(self.penalty_fraction * len(x))
        if not 2 <= n_part <= len(x) - 2:  # BatchNorm needs two rows on either side
            n_part = len(x)
        part = x[:n_part].detach().requires_grad_(True)
        if self.penalty_dtype == "bfloat16":
            with torch.autocast(x.device.type, torch.bfloat16):
                z_part = self.compute_logits(part).float()
            z = self.compute_logits(x)
        else:
            z_part = z = self.compute_logits(part, precise=True)
            if n_part < len(x):
                z = torch.cat([z_part, self.compute_logits(x[n_part:])])
        penalty = self._penalty(part, z_part, y[:n_part])
        self.history.record_batch("jacobian_penalty", penalty.item())
        return self.criterion_(z, y), lam * penalty, z

    def _penalty(self, x: Tensor, z: Tensor, y: Tensor) -> Tensor:
        """Mean norm of the input gradient, with a graph to the weights."""
        values = self._target(z, y)
        if self.variant == "finite_difference":
            size = self._difference_ahead(x, values, y)
        else:
            grad = F.input_gradient(values, x, create_graph=True)
            size = self._norm().length(grad)
        return (size**2 if self.jacobian_norm == "l2_squared" else size).mean()

    def _norm(self) -> type[Norm]:
        return get_norm(self.jacobian_norm.removesuffix("_squared"))

    def _target(self, z: Tensor, y: Tensor) -> Tensor:
        """Quantity whose gradient is penalised, one value per sample."""
        if self.variant == "random_projection":
            v = draw_once(self, lambda: self._draw_like(z.detach()))
            return (z * v).sum(1) * z.shape[1] ** 0.5 / F.flat_norm(v, 2)
        return F.margin(z, y) if self.jacobian_target == "margin" else F.cross_entropy(z, y)

    def _draw_like(self, z: Tensor) -> Tensor:
        state = self._fit_state
        if state is not None and state.noise is not None:
            return state.noise.normal(z, 0)
        return RowNoise(seed_of(self.random_state), z).normal(z, 0)

    def _difference_ahead(self, x: Tensor, values: Tensor, y: Tensor) -> Tensor:
        """Slope of each value along its own gradient, by a finite difference."""
        grad = F.input_gradient(values, x, retain_graph=True)
        direction = self._norm().dual_class().steepest_direction(grad)
        ahead = x.detach() + self.difference_step * direction
        z = self.compute_logits(ahead, precise=True)
        return (self._target(z, y) - values) / self.difference_step
