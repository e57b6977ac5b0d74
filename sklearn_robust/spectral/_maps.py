"""Layers as the linear maps they are: a matrix, a convolution, or one factor a channel."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.lazy import LazyModuleMixin

from .. import _validation as check

__all__ = ["Convolution", "Dense", "Diagonal", "check_finite", "map_of", "pairs_of"]

_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def computable(tensor):
    """Detached tensor of a dtype that has a singular value decomposition."""
    tensor = tensor.detach()
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()


def side_by_side(sizes):
    """Sizes as people write them: 3 x 3."""
    return " x ".join(map(str, sizes)) or "1"


@dataclass(frozen=True)
class Diagonal:
    """One factor a channel, each applied to ``copies`` numbers: batch normalisation in eval mode.

    Attributes
    ----------
    factors : tensor of shape (n_channels,)
        The factors.
    copies : int
        Numbers in a channel.
    """

    factors: torch.Tensor
    copies: int = 1

    @property
    def n_inputs(self):
        """Dimension of the input."""
        return len(self.factors) * self.copies

    @property
    def n_outputs(self):
        """Dimension of the output."""
        return self.n_inputs

    def squared_frobenius(self):
        """Sum of all squared singular values."""
        return self.copies * float(self.factors.double().square().sum())


@dataclass(frozen=True)
class Dense:
    """A matrix, applied to each of ``copies`` vectors.

    Attributes
    ----------
    matrix : tensor of shape (n_rows, n_columns)
        The matrix.
    copies : int
        Number of vectors in a sample.
    """

    matrix: torch.Tensor
    copies: int = 1

    @property
    def n_inputs(self):
        """Dimension of the input."""
        return self.matrix.shape[1] * self.copies

    @property
    def n_outputs(self):
        """Dimension of the output."""
        return self.matrix.shape[0] * self.copies

    def scaled(self, outputs=None, inputs=None):
        """Return the map between diagonal matrices."""
        matrix = self.matrix if outputs is None else outputs[:, None] * self.matrix
        return replace(self, matrix=matrix if inputs is None else matrix * inputs)

    def squared_frobenius(self):
        """Sum of all squared singular values."""
        return self.copies * float(self.matrix.double().square().sum())


@dataclass(frozen=True)
class Convolution:
    """A convolution of one size of image, or the adjoint of one: a transposed convolution.

    Attributes
    ----------
    weight : tensor of shape (n_out, n_in // groups, *kernel)
        The kernel.
    size : tuple
        Spatial shape of the convolution's input: the output of a transposed one.
    stride, dilation : tuple
        One number an axis.
    padding : tuple of (low, high)
        One pair an axis; less than 0 cuts pixels off.
    groups : int
        Number of groups.
    mode : {"zeros", "circular", "reflect", "replicate"}
        What the padding is filled with.
    transposed : bool
        Whether the layer is the adjoint.
    """

    weight: torch.Tensor
    size: tuple
    stride: tuple
    padding: tuple
    dilation: tuple
    groups: int = 1
    mode: str = "zeros"
    transposed: bool = False

    def __post_init__(self):
        if min(self.out_size) < 1:
            padded = [n + sum(pad) for n, pad in zip(self.size, self.padding, strict=True)]
            raise ValueError(
                f"The kernel covers {side_by_side(self.reach)} pixels, but the padded input has "
                f"only {side_by_side(padded)}: give a larger input_shape."
            )

    @property
    def kernel(self):
        """Number of taps along each axis."""
        return tuple(self.weight.shape[2:])

    @property
    def reach(self):
        """Number of pixels that the kernel covers along each axis."""
        return tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True))

    @property
    def out_size(self):
        """Spatial shape of the convolution's output."""
        axes = zip(self.size, self.padding, self.reach, self.stride, strict=True)
        return tuple((n + sum(pad) - reach) // s + 1 for n, pad, reach, s in axes)

    @property
    def is_torus(self):
        """Whether the layer itself convolves on a torus: each pixel is as good as any other."""
        axes = zip(self.size, self.stride, self.out_size, strict=True)
        if any(n != s * out for n, s, out in axes):
            return False
        padded = any(map(any, self.padding))
        return self.mode == "circular" or (max(self.reach) == 1 and not padded)

    @property
    def in_shape(self):
        """Shape of the convolution's input, without the batch."""
        return (self.groups * self.weight.shape[1], *self.size)

    @property
    def dims(self):
        """Dimensions (n_out, n_in) of the convolution, adjoint or not."""
        return self.weight.shape[0] * math.prod(self.out_size), math.prod(self.in_shape)

    @property
    def n_inputs(self):
        """Dimension of the layer's input."""
        return self.dims[0 if self.transposed else 1]

    @property
    def n_outputs(self):
        """Dimension of the layer's output."""
        return self.dims[1 if self.transposed else 0]

    def scaled(self, outputs=None, inputs=None):
        """Return the layer between factors of its output and of its input channels."""
        rows, columns = (inputs, outputs) if self.transposed else (outputs, inputs)
        weight = self.weight
        if rows is not None:
            weight = weight * rows.reshape(-1, *[1] * (weight.ndim - 1))
        if columns is not None:
            # Each group sees channels of its own.
            shape = (self.groups, -1, *weight.shape[1:])
            factors = columns.reshape(self.groups, 1, -1, *[1] * len(self.size))
            weight = (weight.reshape(shape) * factors).reshape(weight.shape)
        return replace(self, weight=weight)

    def apply(self, x):
        """Convolve a batch of images (n, *in_shape)."""
        pads = [side for pair in reversed(self.padding) for side in pair]
        if any(pads):
            x = F.pad(x, pads, mode="constant" if self.mode == "zeros" else self.mode)
        convolve = _CONV[len(self.size)]
        return convolve(x, self.weight, None, self.stride, 0, self.dilation, self.groups)

    def dense(self):
        """Matrix of the convolution, (n_in, n_out): its transpose, column by column."""
        n_in = self.dims[1]
        eye = torch.eye(n_in, dtype=self.weight.dtype, device=self.weight.device)
        images = eye.reshape(-1, *self.in_shape).split(256)
        return torch.cat([self.apply(x).flatten(1) for x in images])

    def squared_frobenius(self):
        """Sum of all squared singular values, in closed form; None where there is none.

        Each tap counts as often as it meets a pixel: under zero padding the product over the axes
        of #{o : 0 <= o * stride + tap * dilation - low < size}.
        """
        if self.mode == "zeros":
            hits = [self._hits(axis) for axis in range(len(self.size))]
        elif self.mode == "circular" and all(map(int.__le__, self.reach, self.size)):
            hits = [torch.full((k,), n) for k, n in zip(self.kernel, self.out_size, strict=True)]
        else:
            return None
        power = self.weight.double().square().sum((0, 1)).cpu()
        for count in reversed(hits):
            power = power @ count.double()
        return float(power)

    def _hits(self, axis):
        taps = self.dilation[axis] * torch.arange(self.kernel[axis]) - self.padding[axis][0]
        pixels = taps[:, None] + self.stride[axis] * torch.arange(self.out_size[axis])
        return ((pixels >= 0) & (pixels < self.size[axis])).sum(1)


def map_of(layer, input_shape=None):
    """Return the linear map of a torch layer on samples of a shape (without the batch axis)."""
    shape = () if input_shape is None else check.check_shape("input_shape", input_shape)
    if isinstance(layer, LazyModuleMixin):
        raise ValueError(f"{type(layer).__name__} has no weights yet: run it on a batch first.")
    if isinstance(layer, nn.Linear):
        return _linear(layer, shape or (layer.in_features,))
    if not isinstance(layer, _ConvNd):
        raise TypeError(
            f"{type(layer).__name__} is no layer with a fixed matrix; give a Linear, Conv1d, "
            "Conv2d, Conv3d layer or a transposed one."
        )
    n_axes = layer.weight.ndim - 2
    wanted = "(C, L)" if n_axes == 1 else f"(C, {'D, ' * (n_axes == 3)}H, W)"
    if len(shape) != n_axes + 1 or shape[0] != layer.in_channels:
        raise ValueError(
            f"input_shape is {input_shape}; {type(layer).__name__} needs the shape {wanted} of one "
            f"sample, with C = {layer.in_channels} channels."
        )
    build = _transposed if isinstance(layer, _ConvTransposeNd) else _plain
    return build(layer, shape)


def check_finite(linear_map, name):
    """Raise if the weights of a layer hold NaN or infinity: it has no singular values then."""
    kinds = {Diagonal: "factors", Dense: "matrix", Convolution: "weight"}
    if not bool(getattr(linear_map, kinds[type(linear_map)]).isfinite().all()):
        raise ValueError(
            f"{name} has weights that are NaN or infinite, so it has no singular values: train the "
            "network again, with a smaller learning rate, lr=1e-4, say."
        )


def _linear(layer, shape):
    if not shape or shape[-1] != layer.in_features:
        raise ValueError(
            f"input_shape is {shape}; {type(layer).__name__} needs a shape that ends with its "
            f"{layer.in_features} features."
        )
    return Dense(computable(layer.weight), math.prod(shape[:-1]))


def _plain(layer, shape):
    padding, mode = _pairs(layer), layer.padding_mode
    return Convolution(
        computable(layer.weight),
        size=shape[1:],
        stride=layer.stride,
        padding=padding,
        dilation=layer.dilation,
        groups=layer.groups,
        # Without padding nothing goes round.
        mode=mode if mode != "circular" or any(map(any, padding)) else "zeros",
    )


def _pairs(layer):
    if layer.padding == "valid":
        return ((0, 0),) * len(layer.kernel_size)
    if layer.padding == "same":
        total = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        return tuple((t // 2, t - t // 2) for t in total)
    return tuple((p, p) for p in layer.padding)


def pairs_of(padding, stride, output_padding):
    """Pair (low, high) of each axis, of the convolution that a transposed one turns round.

    Whole strides of output padding make room for outputs that are no inputs of the layer: they go.
    """
    axes = zip(padding, stride, output_padding, strict=True)
    return tuple((p, p - extra // s * s) for p, s, extra in axes)


def _transposed(layer, shape):
    axes = zip(
        shape[1:], layer.stride, layer.padding, layer.dilation, layer.kernel_size,
        layer.output_padding, strict=True,
    )  # fmt: skip
    return Convolution(
        computable(layer.weight),
        size=tuple((n - 1) * s - 2 * p + d * (k - 1) + 1 + extra for n, s, p, d, k, extra in axes),
        stride=layer.stride,
        padding=pairs_of(layer.padding, layer.stride, layer.output_padding),
        dilation=layer.dilation,
        groups=layer.groups,
        transposed=True,
    )
