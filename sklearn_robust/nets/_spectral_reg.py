"""Training that keeps the layers close to maps of equal gain in all directions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from .. import _validation as check
from .._random import RowNoise, seed_of
from ._adversarial import AdversarialNet
from ._engine.replay import draw_once

__all__ = ["SpectralRegNet"]


class SpectralRegNet(AdversarialNet):
    """Training with a penalty on the singular values of the weights.

    Parameters
    ----------
    module : "auto", torch.nn.Module class or instance, default="auto"
        As for :class:`NaturalNet`, which documents all shared parameters.
    penalty : {"orthogonality", "srip", "spectral_norm"}, default="orthogonality"
        What is summed over the layers, with G the Gram matrix of a layer's weight on its smaller
        side. "orthogonality" is ``||G - I||_F^2``, "srip" the spectral norm of ``G - I``, and
        "spectral_norm" the square of what the largest singular value exceeds ``cap`` by.
    lam : float, default=0.01
        Strength of the penalty. 0 is training without it.
    cap : float, default=1.0
        Largest singular value that "spectral_norm" leaves alone.
    power_iterations : int, default=5
        Steps of power iteration for "srip" and "spectral_norm", from a new random start in each
        batch. The estimate is never above the true value.
    attack : attack class or instance, default=None
        Trains on adversarial examples in place of the clean ones, as :class:`MinMaxNet` does; its
        parameters are ``attack__eps`` and so on.
    **kwargs
        Shared parameters.

    See Also
    --------
    JacobianRegNet : Penalises the gradient at the samples in place of the weights.
    sklearn_robust.spectral.layer_spectra : Singular values of the layers after training.

    Notes
    -----
    ``CE(x) + lam * sum_l penalty(W_l)`` over all linear layers and convolutions with weights that
    train. A convolution counts as the matrix (n_out, n_in * kernel) of its weight, as in the papers
    (groups and transposed ones by their blocks): this is not its operator on images, whose largest
    singular value is up to ``sqrt(kernel size)`` times larger. With all singular values near one a
    layer changes all directions alike, which paper 000 finds in robust nets; no radius follows. Too
    strong a penalty takes away the gain that a task needs: in the example accuracy falls to 0.86.

    References
    ----------
    Bansal, Chen and Wang, "Can we gain more from orthogonality regularizations in training deep
    CNNs?", NeurIPS 2018. Cisse et al., "Parseval networks", ICML 2017. Yoshida and Miyato,
    "Spectral norm regularization for improving the generalizability of deep learning", 2017.

    Examples
    --------
    >>> import torch
    >>> from sklearn_robust.datasets import load_moons
    >>> from sklearn_robust.nets import SpectralRegNet
    >>> X, y = load_moons(300, random_state=0)
    >>> net = SpectralRegNet(lam=1, lr=0.01, max_epochs=60, random_state=0).fit(X, y)
    >>> first = next(net.module_.parameters()).detach()  # of the first layer, (64, 2)
    >>> [round(float(value), 1) for value in torch.linalg.svdvals(first)]
    [1.0, 1.0]
    """

    attack_optional = True

    def __init__(
        self,
        module: str | type[nn.Module] | nn.Module = "auto",
        *,
        penalty: str = "orthogonality",
        lam: float = 0.01,
        cap: float = 1.0,
        power_iterations: int = 5,
        attack: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(module, **kwargs)
        self.penalty = penalty
        self.lam = lam
        self.cap = cap
        self.power_iterations = power_iterations
        self.attack = attack

    def check_parameters(self) -> None:
        """Raise if a parameter makes no sense."""
        super().check_parameters()
        check.check_choice("penalty", self.penalty, ["orthogonality", "srip", "spectral_norm"])
        check.check_number("lam", self.lam)
        check.check_number("cap", self.cap)
        check.check_count("power_iterations", self.power_iterations)

    def begin_training(self, seed: int) -> None:
        """Raise if the module has no weights to penalise."""
        super().begin_training(seed)
        if self.lam and not _layers(self.module_):
            raise ValueError(
                "SpectralRegNet penalises the weights of linear layers and convolutions, and "
                "module has none that train: give another module, or lam=0."
            )

    def batch_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropy, of adversarial examples if there is an attack, and the penalty."""
        loss, z = super().batch_loss(x if self.attack_ is None else self.perturb(x, y), y)
        if not self.lam:
            return loss, z
        grams = [_gram(_matrices(layer)) for layer in _layers(self.module_)]
        penalty = torch.stack([self._size(gram) for gram in grams]).sum()
        self.history.record_batch("spectral_penalty", penalty.item())
        return loss + self.lam * penalty, z

    def _size(self, gram: Tensor) -> Tensor:
        """Penalty of one layer by its Gram matrices (n_groups, k, k)."""
        excess = gram - torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
        if self.penalty == "orthogonality":
            return excess.square().sum()
        start = draw_once(self, lambda: self._draw_like(gram[:, 0].detach()))
        if self.penalty == "srip":
            return _rayleigh(excess, start, self.power_iterations).abs().sum()
        squared = _rayleigh(gram, start, self.power_iterations)
        over = squared > self.cap**2  # the root has no derivative at 0
        largest = torch.where(over, squared, torch.ones_like(squared)).sqrt()
        return torch.where(over, (largest - self.cap).square(), torch.zeros_like(squared)).sum()

    def _draw_like(self, rows: Tensor) -> Tensor:
        state = self._fit_state
        if state is not None and state.noise is not None:
            return state.noise.normal(rows, 0)
        return RowNoise(seed_of(self.random_state), rows).normal(rows, 0)


def _layers(module: nn.Module) -> list[Any]:
    """Linear layers and convolutions whose weights train."""
    return [
        part
        for part in module.modules()
        if isinstance(part, (nn.Linear, _ConvNd)) and part.weight.requires_grad
    ]


def _matrices(layer: Any) -> Tensor:
    """Weight of a layer as one matrix per group, (n_groups, n_out, n_in * kernel)."""
    weight = layer.weight
    if isinstance(layer, nn.Linear):
        return weight[None]
    blocks = weight.unflatten(0, (layer.groups, -1))
    if isinstance(layer, _ConvTransposeNd):
        blocks = blocks.transpose(1, 2)
    return blocks.flatten(2)


def _gram(matrices: Tensor) -> Tensor:
    """Products of matrices with their transposes, on the smaller side."""
    n_rows, n_columns = matrices.shape[1:]
    return matrices @ matrices.mT if n_rows <= n_columns else matrices.mT @ matrices


def _rayleigh(matrices: Tensor, start: Tensor, n_steps: int) -> Tensor:
    """Rayleigh quotients (n_groups,) of symmetric matrices after power iteration."""
    with torch.no_grad():
        v = start[..., None]
        for _ in range(n_steps):
            v = _unit(matrices @ v)
        v = _unit(v)
    return (v.mT @ matrices @ v).flatten()


def _unit(v: Tensor) -> Tensor:
    return v / v.norm(dim=1, keepdim=True).clamp_min(torch.finfo(v.dtype).tiny)
