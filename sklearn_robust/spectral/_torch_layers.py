"""Linear maps of torch's own layers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from .. import _validation as check
from ._maps import Convolution, Dense, computable

__all__ = ["convolution_of", "map_of", "pairs_of"]


def map_of(layer: nn.Module, input_shape: Sequence[int] | None = None) -> Dense | Convolution:
    """Linear map of a torch layer on samples of a shape (without the batch axis)."""
    shape = () if input_shape is None else check.check_shape("input_shape", input_shape)
    if isinstance(layer, LazyModuleMixin):
        raise ValueError(f"{type(layer).__name__} has no weights yet: run it on a batch first.")
    if isinstance(layer, nn.Linear):
        return _linear(layer, shape or (layer.in_features,))
    if not isinstance(layer, _ConvNd):
        raise TypeError(
            f"{type(layer).__name__} is not a layer with a fixed matrix; give a Linear, Conv1d, "
            "Conv2d or Conv3d layer, or a transposed one."
        )
    n_axes = layer.weight.ndim - 2
    wanted = "(C, L)" if n_axes == 1 else f"(C, {'D, ' * (n_axes == 3)}H, W)"
    if len(shape) != n_axes + 1 or shape[0] != layer.in_channels:
        raise ValueError(
            f"input_shape is {input_shape}; {type(layer).__name__} needs the shape {wanted} of one "
            f"sample, with C = {layer.in_channels} channels."
        )
    build = _transposed if isinstance(layer, _ConvTransposeNd) else convolution_of
    return build(layer, shape)


def current_weight(layer: nn.Linear | _ConvNd) -> Tensor:
    """Weight that the layer's next run in eval mode uses.

    torch's older ``weight_norm``, ``spectral_norm`` and pruning keep a copy of the weight that they
    renew at each run: it is stale once their own parameters have changed.
    """
    for hook in layer._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm) and hook.name == "weight":
            return hook.compute_weight(layer)
        if isinstance(hook, SpectralNorm) and hook.name == "weight":
            return hook.compute_weight(layer, do_power_iteration=False)
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == "weight":
            return hook.apply_mask(layer)
    return layer.weight


def _linear(layer: nn.Linear, shape: tuple[int, ...]) -> Dense:
    if not shape or shape[-1] != layer.in_features:
        raise ValueError(
            f"input_shape is {shape}; {type(layer).__name__} needs a shape that ends with its "
            f"{layer.in_features} features."
        )
    return Dense(computable(current_weight(layer)), math.prod(shape[:-1]))


def convolution_of(layer: _ConvNd, shape: tuple[int, ...]) -> Convolution:
    """Linear map of a convolution that is not transposed, on samples of a shape."""
    padding, mode = _pairs(layer), layer.padding_mode
    return Convolution(
        computable(current_weight(layer)),
        size=shape[1:],
        stride=layer.stride,
        padding=padding,
        dilation=layer.dilation,
        groups=layer.groups,
        # Without padding nothing wraps around.
        mode=mode if mode != "circular" or any(map(any, padding)) else "zeros",
    )


def _pairs(layer: _ConvNd) -> tuple[tuple[int, int], ...]:
    """Pair (low, high) of the padding of each axis."""
    if layer.padding == "valid":
        return ((0, 0),) * len(layer.kernel_size)
    if layer.padding == "same":
        total = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        return tuple((t // 2, t - t // 2) for t in total)
    return tuple((int(p), int(p)) for p in layer.padding)


def pairs_of(
    padding: Iterable[int], stride: Iterable[int], output_padding: Iterable[int]
) -> tuple[tuple[int, int], ...]:
    """Pair (low, high) of each axis, of the convolution whose adjoint a transposed one is.

    Whole strides of output padding add outputs that no input of the layer reaches; they are cut.
    """
    axes = zip(padding, stride, output_padding, strict=True)
    return tuple((p, p - extra // s * s) for p, s, extra in axes)


def _transposed(layer: _ConvNd, shape: tuple[int, ...]) -> Convolution:
    padding = [low for low, _ in _pairs(layer)]
    axes = zip(
        shape[1:], layer.stride, padding, layer.dilation, layer.kernel_size,
        layer.output_padding, strict=True,
    )  # fmt: skip
    return Convolution(
        computable(current_weight(layer)),
        size=tuple((n - 1) * s - 2 * p + d * (k - 1) + 1 + extra for n, s, p, d, k, extra in axes),
        stride=layer.stride,
        padding=pairs_of(padding, layer.stride, layer.output_padding),
        dilation=layer.dilation,
        groups=layer.groups,
        transposed=True,
    )
