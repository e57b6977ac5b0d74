"""What a few samples tell about a torch module: shared statistics, missing gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ._fast.dry_run import draws_random_numbers
from ._module import DifferentiableModel
from ._registry import BLACK_BOX

__all__ = ["missing_gradient", "refuse_shared_statistics"]

_N_ROWS = 8


def _some(model: DifferentiableModel, X: NDArray[Any]) -> torch.Tensor:
    """Evenly spread samples, that of the least magnitude last."""
    rows = np.unique(np.linspace(0, len(X) - 1, min(len(X), _N_ROWS)).astype(int))
    x = model.tensor(X[rows])
    least = x.flatten(1).abs().amax(1).argsort(descending=True)
    return x[least]


@torch.no_grad()
def refuse_shared_statistics(model: DifferentiableModel, X: NDArray[Any]) -> None:
    """Raise if the samples of a batch change each other's logits.

    The samples of the least and the largest magnitude must each have alone the logits that they
    have among others; a batch of one sample is compared with that beside itself at half the size.
    """
    x = _some(model, X)
    if len(x) == 1:
        x = torch.cat([x / 2, x])
    if draws_random_numbers(model.exact, x):
        return
    together, tolerance = model(x), _tolerance(model)
    for row in (len(x) - 1, 0):
        alone = _alone(model, x, row)
        if alone is not None and _differ(alone, together[row : row + 1], tolerance):
            break
    else:
        return
    raise ValueError(
        f"The logits that {model.name} gives a sample depend on the other samples of its batch "
        "(batch statistics, a BatchNorm without running ones, attention or a mean over the batch), "
        "so no sample has a verdict of its own: compute such numbers sample by sample, or give the "
        "module ones of the training data in eval mode."
    )


def _alone(model: DifferentiableModel, x: torch.Tensor, row: int) -> torch.Tensor | None:
    """Logits of one sample in another batch, the smallest that the module takes."""
    other = (row + 1) % len(x) if len(x) > 2 else row  # two would be the same batch again
    for rows in ([row], [other, row]):
        try:
            return model(x[rows])[-1:]
        except (RuntimeError, ValueError):
            continue
    return None


def _tolerance(model: DifferentiableModel) -> float:
    kinds = [p.dtype for p in model.parameters() if p.is_floating_point()]
    return max([1e-4, *(8 * torch.finfo(kind).eps for kind in kinds)])


def _differ(found: torch.Tensor, wanted: torch.Tensor, tolerance: float) -> bool:
    both = found.isfinite() & wanted.isfinite()
    found, wanted = found[both], wanted[both]
    if not len(wanted):
        return False
    return bool((found - wanted).abs().max() > tolerance * wanted.abs().max() + 1e-6)


def missing_gradient(model: DifferentiableModel, X: NDArray[Any]) -> str | None:
    """Why no gradient reaches the input of a module; None if one does.

    A module whose logits are the same for all samples has a gradient of zero.
    """
    with torch.inference_mode(False), torch.enable_grad():
        x = _some(model, X).requires_grad_(True)
        z = model(x)
        if z.requires_grad:
            try:
                (grad,) = torch.autograd.grad(z.double().square().sum(), x, allow_unused=True)
            except (NotImplementedError, RuntimeError) as error:
                return _reason(model, str(error).split("\n")[0].rstrip("."))
            if grad is not None:
                return None
        if torch.equal(z, z[:1].expand_as(z)) and (len(x) > 1 or _constant_near(model, x)):
            return None
    return _reason(model, "a part runs under no_grad, is detached, or reads codes and not numbers")


def _constant_near(model: DifferentiableModel, x: torch.Tensor) -> bool:
    return torch.equal(model(x.detach() / 2), model(x.detach()))


def _reason(model: DifferentiableModel, cause: str) -> str:
    return (
        f"The logits of {model.name} change with the input, but no gradient reaches it ({cause}): "
        "keep every step of the model in torch, without detach(), no_grad() and inference_mode(). "
        f"{BLACK_BOX}"
    )
