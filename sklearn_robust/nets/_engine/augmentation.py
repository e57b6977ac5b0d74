"""Random copies of a batch for training: shifted, mirrored, or through a transform."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..._parameters import check_takes

__all__ = ["augmented", "check_augment", "crop_flip"]


def check_augment(
    augment: Any, sample_shape: tuple[int, ...] | None, recipe: str | None = None
) -> None:
    """Raise unless ``augment``, maybe that of a recipe, can be done to samples of this shape."""
    if augment is None or (callable(augment) and not isinstance(augment, type)):
        if augment is not None:
            check_takes("augment", augment, "x")
        return
    if not isinstance(augment, str) or augment != "crop-flip":
        raise ValueError(
            f"augment is {augment!r}; give 'crop-flip', None, or a transform of one sample, such "
            "as an instance of a class of torchvision.transforms.v2."
        )
    if sample_shape is not None and len(sample_shape) < 2:
        raise ValueError(
            f"augment='crop-flip' moves pixels, but the samples have shape {tuple(sample_shape)}: "
            "give images (n, C, H, W) or (n, H, W), or leave augment out"
            + (f" (recipe={recipe!r} sets it)." if recipe else ".")
        )


def crop_flip(x: Tensor) -> Tensor:
    """Shift each image by up to an eighth of its sides, and mirror every other one at random.

    Parameters
    ----------
    x : tensor of shape (n, ..., height, width)
        Images. The edge that a shift uncovers is 0; of 32 pixels that is up to 4, as in the
        papers.

    Returns
    -------
    x : tensor of the same shape
        One random shift and mirror for each image, from torch's global generator.
    """
    n, (height, width) = len(x), x.shape[-2:]
    pad = max(1, height // 8), max(1, width // 8)
    images = nn.functional.pad(x.reshape(n, -1, height, width), [pad[1]] * 2 + [pad[0]] * 2)
    rows = torch.randint(2 * pad[0] + 1, (n, 1)) + torch.arange(height)
    columns = torch.randint(2 * pad[1] + 1, (n, 1)) + torch.arange(width)
    columns = torch.where(torch.rand(n, 1) < 0.5, columns.flip(1), columns)
    each, rows, columns = torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None]
    picked = images[each.to(x.device), :, rows.to(x.device), columns.to(x.device)]
    return picked.movedim(-1, 1).reshape(x.shape)


def augmented(x: Tensor, augment: Any, box: Any) -> Tensor:
    """Random copy of a batch.

    Parameters
    ----------
    x : tensor of shape (n, *sample_shape)
        Clean samples.
    augment : "crop-flip", callable or None
        A callable is given one sample after the other: transforms draw once for all they get.
    box : (low, high) or None
        Where the copies must lie, as arrays.

    Returns
    -------
    x : tensor of shape (n, *sample_shape), float32
        The copy.
    """
    if augment is None:
        return x
    with torch.no_grad():
        new = crop_flip(x) if augment == "crop-flip" else torch.stack([augment(row) for row in x])
    if new.shape != x.shape or new.dtype != x.dtype:
        raise ValueError(
            f"augment made samples {tuple(new.shape[1:])} of {new.dtype} from {tuple(x.shape[1:])} "
            f"of {x.dtype}: it must keep both."
        )
    if box is not None:
        low, high = (torch.as_tensor(side, dtype=x.dtype, device=x.device) for side in box)
        if bool(((new < low) | (new > high)).any()):
            raise ValueError(
                f"augment made samples from {new.min():g} to {new.max():g}, outside the box that "
                "the attack keeps to: choose a transform that stays inside, widen "
                "attack__bounds, or type attack__bounds=None for no box."
            )
    return new
