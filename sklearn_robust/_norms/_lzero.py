"""The norm l0: how many features change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.functional import pad

from ._base import Norm
from ._box import Box
from ._noise import Noise, column
from ._register import register_norm

__all__ = ["L0Norm", "keep_largest"]

_REACH = 400  # edges of the box that the steepest feature moves in a step of relative size 1
_ENOUGH = 1 - 1e-6  # share of a gain that rounding may leave


@register_norm
class L0Norm(Norm):
    """At most eps features change, each as far as the box allows."""

    name, aliases, order, dual = "l0", (0,), 0, None
    needs_box = True

    @classmethod
    def check_eps(cls, eps: Any, shape: Sequence[int] | None) -> None:
        """Raise unless the radius is a number of features that a sample has."""
        given = np.unique(np.asarray(eps, dtype=np.float64))
        counts = given[given > 0]
        if len(counts) > 1 or not np.all(counts == counts.round()):
            raise ValueError(
                f"eps is {eps!r} with norm='l0', which counts features: give one whole number, "
                "such as eps=10, and leave features out by mask."
            )
        n_features = None if shape is None else int(np.prod(shape))
        if n_features is not None and len(counts) and n_features < counts[0] < np.inf:
            raise ValueError(
                f"eps is {counts[0]:g} with norm='l0', but a sample has {n_features} features: "
                f"give a number up to {n_features}."
            )

    def size(self, d: torch.Tensor) -> torch.Tensor:
        """Count the features that change, as a share of the radius, shape (n,)."""
        return self.length(self.only_free(d)) / (self.radius or 1.0)

    def sample(self, noise: Noise, x: torch.Tensor, stream: int) -> torch.Tensor:
        """Random features that move by up to the largest value of their sample."""
        reach = x.flatten(1).abs().amax(1)
        u = 2 * noise.uniform(x, stream) - 1
        chosen = self._largest(self.only_free(noise.uniform(x, stream + (1 << 17))))
        return torch.where(chosen, u * column(torch.where(reach > 0, reach, 1), x), 0)

    def project(self, d: torch.Tensor, slack: torch.Tensor | None = None) -> torch.Tensor:
        """Nearest perturbations that change few features and leave no feature's ``slack``."""
        d = self.only_free(d)
        if slack is None:
            return torch.where(self._largest(d.abs()), d, 0)
        inside = torch.minimum(d.abs(), slack)
        worth = inside * (2 * d.abs() - inside)  # what moving the feature saves in l2
        return torch.where(self._largest(worth), inside * d.sign(), 0)

    def confine(self, d: torch.Tensor, x: torch.Tensor, box: Box) -> torch.Tensor:
        """Nearest points to ``x + d`` in the box that change few features of ``x``."""
        return box.clamp(x + self.project(d, box.slack(x, d)))

    def ascent_step(
        self, x_adv: torch.Tensor, grad: torch.Tensor, step: float | torch.Tensor, box: Box
    ) -> torch.Tensor:
        """Step along ``grad`` in units of the box, which ``confine`` thins out.

        The lengths of the moves rank the features, so they may lead out of the box.
        """
        edge = (box.upper - box.lower).to(grad) * self.free
        climb = grad * edge
        tiny = torch.finfo(climb.dtype).tiny
        return _REACH * step * edge * climb / column(_peak(climb).clamp_min(tiny), climb)

    def steepest_step(
        self, grad: torch.Tensor, step: float | torch.Tensor, slack: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Move the features that gain most along ``grad`` as far as their ``slack``."""
        slack = self._finite(slack)
        gain = self.only_free(grad).abs() * slack
        chosen = keep_largest(gain, _rows(step, gain) * self.radius)
        return torch.where(chosen, slack * grad.sign(), 0)

    def smallest_step(
        self, grad: torch.Tensor, gain: torch.Tensor, slack: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Fewest features that together gain ``gain``, each moved as far as its ``slack``."""
        slack = self._finite(slack)
        worth = (self.only_free(grad).abs() * slack).flatten(1)
        ranked, order = worth.sort(dim=1, descending=True, stable=True)
        before = pad(ranked.cumsum(1)[:, :-1], (1, 0))
        wanted = (before < _ENOUGH * gain[:, None]) & (ranked > 0)
        chosen = torch.zeros_like(wanted).scatter(1, order, wanted).reshape(grad.shape)
        return torch.where(chosen, slack * grad.sign(), 0)

    def _largest(self, values: torch.Tensor) -> torch.Tensor:
        """Which features have the ``radius`` largest of the positive values."""
        return keep_largest(values, values.new_full((len(values),), self.radius))

    @staticmethod
    def _finite(slack: torch.Tensor | None) -> torch.Tensor:
        if slack is None:
            raise ValueError(
                "norm is 'l0', in which a feature may go as far as the box allows, and there is no "
                "box here: give bounds=(low, high), or choose another norm."
            )
        return slack


def keep_largest(values: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Which features have the ``counts`` (n,) largest positive ``values`` of their sample."""
    flat = values.flatten(1)
    n_most = int(counts.clamp(0, flat.shape[1]).max()) if len(flat) else 0
    if n_most == flat.shape[1]:
        n_most -= 1
        everything = counts >= flat.shape[1]
    else:
        everything = torch.zeros_like(counts, dtype=torch.bool)
    top, order = flat.topk(max(n_most, 1), dim=1)
    wanted = torch.arange(top.shape[1], device=flat.device) < counts[:, None]
    chosen = torch.zeros_like(flat, dtype=torch.bool).scatter(1, order, wanted & (top > 0))
    return (chosen | (everything[:, None] & (flat > 0))).reshape(values.shape)


def _peak(values: torch.Tensor) -> torch.Tensor:
    """Largest absolute value of each sample, shape (n,)."""
    return values.flatten(1).abs().amax(1)


def _rows(step: float | torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """One number per row of what broadcasts over the rows."""
    step = torch.as_tensor(step, dtype=like.dtype, device=like.device)
    return step.reshape(-1).expand(len(like))
