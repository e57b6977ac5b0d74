"""Checks of what a module and a net's objective return, before hours are spent on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..._layouts import MOVE_CHANNELS, has_channels_last
from ...differentiable._any_dtype import check_callable
from ...differentiable._outputs import looks_like_probabilities
from ...modules import CIFARConvNet, MNISTConvNet, PreActResNet18, WideResNet
from .batching import Rows

_ONE_LOGIT = " Turn one logit z (n_samples, 1) into torch.cat([-z, z], 1) / 2."
_CHANNELS_FIRST = (MNISTConvNet, CIFARConvNet, PreActResNet18, WideResNet)

__all__ = [
    "check_batch_loss",
    "check_dtype",
    "check_layout",
    "check_logits",
    "check_outputs",
    "check_shape",
    "check_trainable",
    "refuse_output",
    "uncompiled",
]


def uncompiled(module: nn.Module) -> Any:
    """Return the module that ``torch.compile`` was given, or the module itself."""
    return dict(module.named_children()).get("_orig_mod", module)


def check_layout(module: Any, input_shape: Sequence[int] | None) -> None:
    """Raise if a network of this library is built for images whose channels are last.

    MLP takes samples of any shape, and a module of the user's own knows its layout.
    """
    factory = module if isinstance(module, type) else type(module)
    ours = module == "auto" if isinstance(module, str) else factory in _CHANNELS_FIRST
    if ours and input_shape is not None and has_channels_last(input_shape):
        raise ValueError(
            f"X has samples of shape {tuple(input_shape)}, which look like images with their "
            f"channels last, and networks take channels first: type {MOVE_CHANNELS}. "
            "If the shape is right, choose the network by module=MLP, say, or by a module of yours."
        )


def check_trainable(net: Any) -> None:
    """Raise unless the module can be called with samples alone and has weights to train."""
    check_callable(net.module_, sized=False)
    if net.optimizer_ is None:
        raise ValueError(
            f"{type(net.module_).__name__} has no weights, so there is nothing to train: take it "
            f"as it is, by {type(net).__name__}.from_module(module, classes=[...])."
        )


def check_outputs(net: Any, data: Any, n_probe: int = 16) -> None:
    """Raise unless the module maps a few samples to one logit per class.

    Outputs that are never negative and sum to one in every row are probabilities: the loss
    would apply a second softmax to them, so they are refused.
    """
    n_probe = min(n_probe, len(data))
    if isinstance(data, Rows):
        x = torch.tensor(data.X[:n_probe])
    else:
        x = torch.as_tensor(np.stack([data[index][0] for index in range(n_probe)]))
    net.module_.eval()
    with torch.no_grad():
        z = net.compute_logits(x.to(net.device_))
    check_shape(z, n_probe, len(net.classes_))
    check_logits(z)


def check_logits(z: Tensor) -> None:
    """Raise if outputs look like probabilities."""
    if len(z) and looks_like_probabilities(z):
        raise ValueError(
            "the module's outputs look like probabilities (not negative, rows sum to 1): remove "
            "its last Softmax so that it returns logits."
        )


def check_dtype(module: nn.Module, x: Tensor, error: RuntimeError) -> None:
    """Raise if an error of the module comes from weights of another dtype than its input."""
    weights = {p.dtype for p in module.parameters() if p.is_floating_point()} - {x.dtype}
    if weights and "type" in str(error):
        kinds = sorted(str(kind).removeprefix("torch.") for kind in weights)
        raise ValueError(
            f"the module has weights of {', '.join(kinds)}, and nets compute in float32: give "
            "module.float()."
        ) from error


def refuse_output(z: object) -> NoReturn:
    """Raise because the module returned no tensor."""
    raise ValueError(
        f"the module returns a {type(z).__name__}: it must return the logits, a tensor of "
        "shape (n_samples, n_classes), or a tuple that begins with them."
    )


def check_batch_loss(net: Any, returned: Any) -> tuple[Tensor, Tensor]:
    """Return (loss, logits) as ``net.batch_loss`` gave them; raise unless it is such a pair."""
    if isinstance(returned, (tuple, list)) and len(returned) == 2:
        loss, z = returned
        if isinstance(loss, Tensor) and isinstance(z, Tensor) and loss.numel() == 1:
            return loss, z
    raise TypeError(
        f"{type(net).__name__}.batch_loss returned {_describe(returned)}; return the pair (loss, "
        "logits), a tensor of one number and a tensor of shape (n_samples, n_classes)."
    )


def _describe(returned: Any) -> str:
    if isinstance(returned, Tensor):
        return f"a tensor of shape {tuple(returned.shape)}"
    if isinstance(returned, (tuple, list)):
        return f"({', '.join(map(_describe, returned))})"
    return f"{returned!r:.80}"


def check_shape(z: Tensor | NDArray, n_samples: int, n_classes: int) -> None:
    """Raise unless there is one logit for each sample and class."""
    if tuple(z.shape) != (n_samples, n_classes):
        raise ValueError(
            f"the module returns an output of shape {tuple(z.shape)} for {n_samples} samples, but "
            f"there are {n_classes} classes: it must return logits (n_samples, {n_classes})."
            + (
                _ONE_LOGIT
                if tuple(z.shape) in ((n_samples,), (n_samples, 1)) and n_classes == 2
                else ""
            )
        )
