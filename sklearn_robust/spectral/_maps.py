"""Layers as linear maps: a matrix, a convolution, or one factor per channel."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "Convolution",
    "Dense",
    "Diagonal",
    "LinearMap",
    "check_finite",
    "computable",
    "side_by_side",
]

_CONV: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def computable(tensor: Tensor) -> Tensor:
    """Detached tensor of a dtype that has a singular value decomposition."""
    tensor = tensor.detach()
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()


def side_by_side(sizes: Iterable[int]) -> str:
    """Text of several sizes, such as 3 x 3."""
    return " x ".join(map(str, sizes)) or "1"


@dataclass(frozen=True)
class Diagonal:
    """One factor per channel, for ``copies`` numbers each: batch normalisation in eval mode.

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
    def n_inputs(self) -> int:
        """Dimension of the input."""
        return len(self.factors) * self.copies

    @property
    def n_outputs(self) -> int:
        """Dimension of the output."""
        return self.n_inputs

    def squared_frobenius(self) -> float:
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
    def n_inputs(self) -> int:
        """Dimension of the input."""
        return self.matrix.shape[1] * self.copies

    @property
    def n_outputs(self) -> int:
        """Dimension of the output."""
        return self.matrix.shape[0] * self.copies

    def scaled(self, outputs: Tensor | None = None, inputs: Tensor | None = None) -> Dense:
        """Return the map between diagonal matrices."""
        matrix = self.matrix if outputs is None else outputs[:, None] * self.matrix
        return replace(self, matrix=matrix if inputs is None else matrix * inputs)

    def squared_frobenius(self) -> float:
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
        One number per axis.
    padding : tuple of (low, high)
        One pair per axis; less than 0 cuts pixels off.
    groups : int
        Number of groups.
    mode : {"zeros", "circular", "reflect", "replicate"}
        What the padding is filled with.
    transposed : bool
        Whether the layer is the adjoint.
    """

    weight: torch.Tensor
    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int = 1
    mode: str = "zeros"
    transposed: bool = False

    def __post_init__(self) -> None:
        if min(self.out_size) < 1:
            padded = [n + sum(pad) for n, pad in zip(self.size, self.padding, strict=True)]
            raise ValueError(
                f"The kernel covers {side_by_side(self.receptive_field)} pixels, but the padded "
                f"input has only {side_by_side(padded)}: give a larger input_shape."
            )

    @property
    def kernel(self) -> tuple[int, ...]:
        """Number of taps along each axis."""
        return tuple(self.weight.shape[2:])

    @property
    def receptive_field(self) -> tuple[int, ...]:
        """Number of pixels that the kernel covers along each axis."""
        return tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True))

    @property
    def out_size(self) -> tuple[int, ...]:
        """Spatial shape of the convolution's output."""
        axes = zip(self.size, self.padding, self.receptive_field, self.stride, strict=True)
        return tuple((n + sum(pad) - field) // s + 1 for n, pad, field, s in axes)

    @property
    def is_torus(self) -> bool:
        """Whether the layer itself convolves on a torus, where all pixels are alike."""
        axes = zip(self.size, self.stride, self.out_size, strict=True)
        if any(n != s * out for n, s, out in axes):
            return False
        padded = any(map(any, self.padding))
        return self.mode == "circular" or (max(self.receptive_field) == 1 and not padded)

    @property
    def in_shape(self) -> tuple[int, ...]:
        """Shape of the convolution's input, without the batch."""
        return (self.groups * self.weight.shape[1], *self.size)

    @property
    def dims(self) -> tuple[int, int]:
        """Dimensions (n_out, n_in) of the convolution, adjoint or not."""
        return self.weight.shape[0] * math.prod(self.out_size), math.prod(self.in_shape)

    @property
    def n_inputs(self) -> int:
        """Dimension of the layer's input."""
        return self.dims[0 if self.transposed else 1]

    @property
    def n_outputs(self) -> int:
        """Dimension of the layer's output."""
        return self.dims[1 if self.transposed else 0]

    def scaled(self, outputs: Tensor | None = None, inputs: Tensor | None = None) -> Convolution:
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

    def apply(self, x: Tensor) -> Tensor:
        """Convolve a batch of images (n, *in_shape)."""
        pads = [side for pair in reversed(self.padding) for side in pair]
        if any(pads):
            x = F.pad(x, pads, mode="constant" if self.mode == "zeros" else self.mode)
        convolve = _CONV[len(self.size)]
        return convolve(x, self.weight, None, self.stride, 0, self.dilation, self.groups)

    def dense(self) -> Tensor:
        """Matrix of the convolution, (n_in, n_out): its transpose, column by column."""
        n_in = self.dims[1]
        eye = torch.eye(n_in, dtype=self.weight.dtype, device=self.weight.device)
        images = eye.reshape(-1, *self.in_shape).split(256)
        return torch.cat([self.apply(x).flatten(1) for x in images])

    def squared_frobenius(self) -> float | None:
        """Sum of all squared singular values, in closed form; None where there is none.

        Each tap counts as often as it meets a pixel: under zero padding the product over the axes
        of #{o : 0 <= o * stride + tap * dilation - low < size}.
        """
        if self.mode == "zeros":
            hits = [self._hits(axis) for axis in range(len(self.size))]
        elif self.mode == "circular" and all(map(int.__le__, self.receptive_field, self.size)):
            hits = [torch.full((k,), n) for k, n in zip(self.kernel, self.out_size, strict=True)]
        else:
            return None
        power = self.weight.double().square().sum((0, 1)).cpu()
        for count in reversed(hits):
            power = power @ count.double()
        return float(power)

    def _hits(self, axis: int) -> Tensor:
        """How many pixels each tap meets along one axis."""
        taps = self.dilation[axis] * torch.arange(self.kernel[axis]) - self.padding[axis][0]
        pixels = taps[:, None] + self.stride[axis] * torch.arange(self.out_size[axis])
        return ((pixels >= 0) & (pixels < self.size[axis])).sum(1)


LinearMap = Dense | Convolution | Diagonal


def check_finite(linear_map: LinearMap, name: str) -> None:
    """Raise if the weights of a layer hold NaN or infinity: it has no singular values then."""
    if not bool(_weights_of(linear_map).isfinite().all()):
        raise ValueError(
            f"{name} has weights that are NaN or infinite, so it has no singular values: train the "
            "network again with a smaller learning rate, such as lr=1e-4."
        )


def _weights_of(linear_map: LinearMap) -> Tensor:
    if isinstance(linear_map, Diagonal):
        return linear_map.factors
    return linear_map.matrix if isinstance(linear_map, Dense) else linear_map.weight
