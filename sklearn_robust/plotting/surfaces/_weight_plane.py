"""A plane through the weights of a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch.func import functional_call

from ... import _functional as F
from ... import _validation as check
from ..._random import seed_of
from ...differentiable._fast.copying import copy_module
from ...metrics._indicator_input import IndicatorInput

__all__ = ["WeightPlane", "normalize_direction"]


def normalize_direction(
    direction: torch.Tensor, weight: torch.Tensor, how: str | None
) -> torch.Tensor:
    """Scale a random direction for one tensor of weights.

    Parameters
    ----------
    direction, weight : tensors of one shape
        Direction, and weights that set its scale.
    how : {"filter", "layer", "weight", None}
        "filter" gives each slice along the first axis (the weights of one neuron or filter) the
        norm of that slice of the weights, "layer" the whole tensor, "weight" every entry the
        magnitude of its weight.
    """
    if how is None:
        return direction
    if how == "weight":
        return direction.sign() * weight.abs()
    axes = None if how == "layer" or weight.ndim < 2 else tuple(range(1, weight.ndim))
    size, wanted = (
        torch.linalg.vector_norm(v, dim=axes, keepdim=True) for v in (direction, weight)
    )
    return direction * (wanted / torch.where(size > 0, size, 1))


class WeightPlane:
    """Weights ``theta + i a + j b`` of an estimator's network, which is never changed.

    Parameters
    ----------
    estimator : fitted classifier
        Estimator with a torch module inside, or an opened one.
    X, y : arrays
        Samples and labels.
    normalize : {"filter", "layer", "weight", None}
        As for :func:`normalize_direction`.
    ignore_bias_bn : bool
        Whether biases and parameters of batch normalisation stay fixed.
    random_state : int, RandomState or None
        Seed of the two directions.
    """

    def __init__(
        self,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        normalize: str | None = "filter",
        ignore_bias_bn: bool = True,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        if normalize is not None:
            check.check_choice("normalize", normalize, ("filter", "layer", "weight"))
        self.probe = IndicatorInput(estimator, X, y)
        self.module = self.probe.model.module
        self.center = dict(self.module.named_parameters())
        if not self.center:
            raise TypeError(
                f"{self.module.name} holds no torch parameters to move: give a net, or a pipeline "
                "that ends in one. DecisionSurfaceDisplay draws any classifier in input space."
            )
        generator = torch.Generator().manual_seed(seed_of(random_state))
        self.a, self.b = (self._direction(generator, normalize, ignore_bias_bn) for _ in range(2))

    def _direction(
        self, generator: torch.Generator, normalize: str | None, ignore_bias_bn: bool
    ) -> dict[str, torch.Tensor]:
        direction = {}
        for name, weight in self.center.items():
            draw = torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
            scaled = normalize_direction(draw.to(weight.device), weight, normalize)
            still = ignore_bias_bn and weight.ndim < 2
            direction[name] = torch.zeros_like(weight) if still else scaled
        return direction

    def cosine(self) -> float:
        """Cosine of the angle between the two directions."""
        a, b = (torch.cat([v.flatten() for v in d.values()]) for d in (self.a, self.b))
        return float(a @ b / (a.norm() * b.norm()))

    def directions(self) -> tuple[dict[str, NDArray[Any]], ...]:
        """Both directions as arrays, by the names of the parameters."""
        return tuple(
            {
                name.removeprefix("body.").removeprefix("module."): v.cpu().numpy()
                for name, v in d.items()
            }
            for d in (self.a, self.b)
        )

    def logits_at(
        self, module: torch.nn.Module, i: float, j: float
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return the function from samples to logits for the weights at one point."""
        weights = {
            name: weight + i * self.a[name] + j * self.b[name]
            for name, weight in self.center.items()
        }
        return lambda x: functional_call(module, weights, (x,))

    def grid(
        self,
        distance: float,
        resolution: int,
        scoring: str | Callable[..., float],
        batch_size: int | None,
        n_jobs: int | None,
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Coordinates and scores on a grid, each (n, n)."""
        line = np.linspace(-distance, distance, resolution)
        xx0, xx1 = np.meshgrid(line, line)
        rows = joblib.Parallel(n_jobs=n_jobs)(
            joblib.delayed(self._row)(line, j, scoring, batch_size) for j in line
        )
        return xx0, xx1, np.array(rows)

    def _row(
        self,
        line: NDArray[Any],
        j: float,
        scoring: str | Callable[..., float],
        batch_size: int | None,
    ) -> list[float]:
        module = copy_module(self.module)  # functional_call swaps its weights for a moment
        return [self.score(self.logits_at(module, i, j), scoring, batch_size) for i in line]

    def score(
        self,
        logits: Callable[[torch.Tensor], torch.Tensor],
        scoring: str | Callable[..., float],
        batch_size: int | None = None,
    ) -> float:
        """Mean of ``scoring`` of these logits over the samples."""
        # The module copies its network for other dtypes, and those copies have other weights.
        dtype = next(iter(self.center.values())).dtype
        total = 0.0
        for _, x, y in self.probe.batches("loss surface", batch_size=batch_size, dtype=dtype):
            if callable(scoring):
                total += float(scoring(logits, x, y)) * len(x)
                continue
            with torch.no_grad():
                z = logits(x)
            values = F.cross_entropy(z, y) if scoring == "loss" else z.argmax(1) != y
            total += float(values.double().sum())
        return total / len(self.probe.X)
