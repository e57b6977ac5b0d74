"""Training of networks whose robustness can be proven."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from .. import _validation as check
from ..attacks import PGD
from ..certification._relaxation.graph import Graph, Ref, record
from ..certification._relaxation.intervals import Interval, intervals, worst_logits
from ..differentiable import frozen
from ..exceptions import NotBoundableError
from ._adversarial import AdversarialNet
from ._engine.module_checks import uncompiled

__all__ = ["CertifiedNet"]

_TIGHT = 0.5  # ratio of widths below which a layer is penalised, as in the paper


class CertifiedNet(AdversarialNet):
    """Training on interval bounds, so that robustness can be proven and not only attacked.

    Parameters
    ----------
    module : "auto", torch.nn.Module class or instance, default="auto"
        As for :class:`NaturalNet`, which documents all shared parameters.
    attack : attack class or instance, default=PGD
        Says the box of radius ``attack__eps`` around each sample, in linf, and makes the
        adversarial examples of the mixed loss.
    ibp_weight : float in [0, 1], default=1.0
        Share of the interval loss; the rest is the loss of adversarial examples, as of
        :class:`MinMaxNet`.
    ibp_init : bool, default=True
        Whether ``fit`` draws the weights so that intervals neither grow nor shrink from layer to
        layer.
    tightness : float, default=0.5
        Weight of the penalty on layers with wide intervals while eps warms up; it falls to 0
        with the end of the warm-up.
    eps_warm_up : float or None, default=None
        Epochs over which eps grows from 0 to its full size. None is half of ``max_epochs``.
    lr : float, default=5e-3
        Learning rate. Interval losses are flat: with 1e-3 the net learns far more slowly.
    lr_schedule : default="cosine"
        As for :class:`NaturalNet`; proofs gain most in the last epochs, at a small rate.
    **kwargs
        Shared parameters.

    See Also
    --------
    MinMaxNet : Withstands attacks better, and proves little.
    sklearn_robust.certification.robust_bounds : The proven share of samples.

    Notes
    -----
    ``ibp_weight * CE(worst logits) + (1 - ibp_weight) * CE(f(x_adv), y)``, where the worst logits
    are bounds of each logit minus the true one on the whole box, the last linear layer bounded
    together with the difference. A mix (MTL-IBP of De Palma et al.) trades proofs for accuracy.
    Intervals are those of the module in eval mode: BatchNorm takes its running statistics there,
    and dropout does nothing.

    Weights are drawn with standard deviation ``sqrt(2 pi) / fan_in``. The penalty on a layer
    is ``relu(1 - 2 r)`` with r the mean width of the input's intervals over that of the inputs
    of the layer's activation (Shi et al., whose balance of active ReLUs is left out).

    References
    ----------
    Gowal et al., "Scalable verified training for provably robust image classification", ICCV 2019.
    Shi et al., "Fast certified robust training with short warmup", NeurIPS 2021. De Palma et al.,
    "Expressive losses for verified robustness via convex combinations", ICLR 2024.

    Examples
    --------
    >>> from sklearn_robust.certification import robust_bounds
    >>> from sklearn_robust.datasets import load_moons
    >>> from sklearn_robust.nets import CertifiedNet
    >>> X, y = load_moons(300, random_state=0)
    >>> net = CertifiedNet(attack__eps=0.03, lr=0.01, max_epochs=30, eps_warm_up=10, random_state=0)
    >>> result = robust_bounds(net.fit(X, y), X, y, eps=0.03)
    >>> result.lower > 0.8
    True
    """

    def __init__(
        self,
        module: str | type[nn.Module] | nn.Module = "auto",
        *,
        attack: Any = PGD,
        ibp_weight: float = 1.0,
        ibp_init: bool = True,
        tightness: float = 0.5,
        eps_warm_up: float | None = None,
        lr: float = 5e-3,
        lr_schedule: Any = "cosine",
        **kwargs: Any,
    ) -> None:
        kwargs.update(eps_warm_up=eps_warm_up, lr=lr, lr_schedule=lr_schedule)
        super().__init__(module, **kwargs)
        self.attack = attack
        self.ibp_weight = ibp_weight
        self.ibp_init = ibp_init
        self.tightness = tightness

    def warm_up_epochs(self) -> float:
        """Epochs over which eps grows, half of them unless it is told."""
        return self.max_epochs / 2 if self.eps_warm_up is None else self.eps_warm_up

    def check_parameters(self) -> None:
        """Raise if a parameter makes no sense."""
        super().check_parameters()
        check.check_number("ibp_weight", self.ibp_weight, high=1)
        check.check_number("tightness", self.tightness)
        check.check_flag("ibp_init", self.ibp_init)

    def initialize_attack(self) -> AdversarialNet:
        """Set ``attack_``, whose ball must be a box."""
        super().initialize_attack()
        norm = check.check_norm(self.attack_.norm)
        if norm != "linf":
            raise ValueError(
                f"CertifiedNet trains on boxes, and the attack's norm is {norm!r}: give "
                "attack__norm='linf', with an eps that holds the ball."
            )
        return self

    def begin_training(self, seed: int) -> None:
        """Draw the weights for intervals, in a fit from scratch."""
        super().begin_training(seed)
        if self.ibp_init and self.fit_state.from_scratch and self.init_from is None:
            _draw_weights(self.module_)

    def batch_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Loss of the worst logits, mixed with that of adversarial examples."""
        if self.ibp_weight < 1:
            loss, z = super().batch_loss(self.perturb(x, y), y)
        else:
            with torch.no_grad():  # BatchNorm learns its statistics
                loss, z = super().batch_loss(x, y)
        if not self.ibp_weight:
            return loss, z
        worst, penalty = self._interval_loss(x, y)
        if self.ibp_weight == 1:
            return worst + penalty, z
        return self.ibp_weight * worst + (1 - self.ibp_weight) * loss + penalty, z

    def _interval_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Loss of the worst logits in the box, and the penalty on wide intervals."""
        low, high = self._box_around(x)
        try:
            graph = self._recorded(x)
            found = intervals(graph, low, high, graph.output)
        except NotBoundableError as error:
            raise _unbounded(self, error) from error
        worst = self.criterion_(worst_logits(graph, found, graph.output, y), y)
        share = self.share_of_eps()
        if not self.tightness or share >= 1:
            return worst, worst.new_zeros(())
        return worst, self.tightness * (1 - share) * _looseness(graph, found)

    def _recorded(self, x: Tensor) -> Graph:
        """Record of the module in eval mode, whose weights have gradients."""
        module = uncompiled(self.module_)
        weights = list(module.parameters())
        with frozen(module):
            graph = record(module, x, weights)
        graph.renew_constants()
        return graph

    def _box_around(self, x: Tensor) -> Interval:
        """Find the ends of the box around each sample, by the attack's eps as it is now."""
        attack = self.current_attack()
        threat = attack.threat_model.with_shape(x.shape[1:], self.attack_.bounds_)
        radius = torch.as_tensor(threat.radius).to(x)
        box = threat.box(x)
        return torch.minimum(box.clamp(x - radius), x), torch.maximum(box.clamp(x + radius), x)


def _unbounded(net: CertifiedNet, error: Exception) -> ValueError:
    return ValueError(
        f"{type(net).__name__} cannot train this module: no bounds are known of {error}. Give a "
        "module of linear layers, convolutions, pooling, normalisation by running statistics "
        "and activations such as ReLU."
    )


@torch.no_grad()
def _draw_weights(module: nn.Module) -> None:
    """Draw weights with which the mean width of intervals stays the same (Shi et al.)."""
    for part in module.modules():
        if isinstance(part, (nn.Linear, _ConvNd)) and part.weight.requires_grad:
            fan_in = part.weight[0].numel()
            part.weight.normal_(0, math.sqrt(2 * math.pi) / fan_in)
            if part.bias is not None:
                part.bias.zero_()


def _looseness(graph: Graph, found: dict[Ref, Interval]) -> Tensor:
    """Mean penalty on the inputs of activations with wide intervals, in [0, 1]."""
    start = found[Ref(0)]
    width = (start[1] - start[0]).mean()
    parts = [
        torch.relu(1 - width / (_TIGHT * (high - low).mean().clamp_min(1e-12)))
        for low, high in (found[ref] for ref in _inputs_of_activations(graph, found))
    ]
    return torch.stack(parts).mean() if parts else width * 0


def _inputs_of_activations(graph: Graph, found: dict[Ref, Interval]) -> list[Ref]:
    refs = [
        ref
        for node in graph.nodes
        if node.op in ("elu", "gelu", "leaky_relu", "relu", "sigmoid", "silu", "softplus", "tanh")
        for ref in node.moving_refs(graph)
    ]
    return [ref for ref in dict.fromkeys(refs) if ref in found and ref != Ref(0)]
