"""Max-pooling: its intervals, and linear bounds through it."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .graph import Graph, Node, Ref

__all__ = ["PooledMaximum", "geometry_of", "pooling_of"]

_POOLINGS = frozenset(["adaptive_max_pool2d", "max_pool2d_with_indices"])


class PooledMaximum:
    """Maxima of windows of an image.

    A maximum is at least the input whose lower end is largest. It is that input where the lower end
    exceeds all other upper ends of the window; else it is at most the largest upper end.

    Parameters
    ----------
    node : Node
        Max-pooling.
    ref : Ref
        Its input.
    """

    def __init__(self, node: Node, ref: Ref) -> None:
        self.node, self.ref = node, ref

    def _pooled(self, x: Tensor) -> tuple[Tensor, Tensor]:
        value, index = self.node.run(lambda _: x)
        return value, index

    def range(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Interval of each maximum."""
        return self._pooled(low)[0], self._pooled(high)[0]

    def undecided(self, low: Tensor, high: Tensor) -> Tensor:
        """Where a smaller interval would help: the sure input of a window, and its rivals."""
        _, index = self._pooled(low)
        windows = _windows(self.node, high, index)
        if windows is None:
            return high > low
        values, places = windows
        best = low.flatten(2).gather(2, index.flatten(2))[:, :, None]
        places = places.expand_as(values)
        rivals = (values > best) & (places >= 0)
        rivals &= ~self._is_decided(low, high, index).flatten(2)[:, :, None]
        count = torch.zeros_like(high).flatten(2)
        where = places.clamp_min(0).long().flatten(2)
        count.scatter_add_(2, where, rivals.to(high).flatten(2))
        count.scatter_(2, index.flatten(2), 1.0)
        return (count > 0).reshape(high.shape) & (high > low)

    def decide(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Whether a maximum is known, where the largest lower end is, and the largest upper end."""
        _, index = self._pooled(low)
        largest, _ = self._pooled(high)
        return self._is_decided(low, high, index), index, largest

    def pull_back(self, a: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Linear lower bound of functions of the maxima as one of functions of the inputs.

        Parameters
        ----------
        a : tensor of shape (n_functions, n_samples, channels, height, width)
            Coefficients of the maxima.
        low, high : tensors of shape (n_samples, channels, height, width)
            Interval of each input.

        Returns
        -------
        coefficients : tensor of shape (n_functions, n_samples, ...)
            Of the inputs.
        offset : tensor of shape (n_functions, n_samples)
            To be added.
        """
        known, index, largest = self.decide(low, high)
        on_input = torch.where(known, a, a.clamp_min(0))
        size = low.shape[-2:].numel()
        back = a.new_zeros(*a.shape[:3], size)
        where = index.flatten(2).expand(*a.shape[:3], -1)
        back = back.scatter_add(3, where, on_input.flatten(3))
        offset = (torch.where(known, 0.0, a.clamp_max(0)) * largest).flatten(2).sum(2)
        return back.unflatten(3, low.shape[-2:]), offset

    def _is_decided(self, low: Tensor, high: Tensor, index: Tensor) -> Tensor:
        """Whether the input of largest lower end is the maximum for sure."""
        windows = _windows(self.node, high, index)
        if windows is None:
            return torch.zeros_like(index, dtype=torch.bool)
        values, places = windows
        winner = places == index.flatten(2)[:, :, None]
        others = values.masked_fill(winner, -torch.inf).amax(2)
        best = low.flatten(2).gather(2, index.flatten(2))
        return (best >= others).reshape(index.shape)


class Window(NamedTuple):
    """Geometry of pooling, rows first."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]


def geometry_of(node: Node) -> Window | None:
    """Windows of max-pooling; None where they differ in size."""
    if node.op != "max_pool2d_with_indices":
        return None
    args = [*node.args[1:], *[None] * 4]
    return Window(_pair(args[0], 1), _pair(args[1], args[0]), _pair(args[2], 0), _pair(args[3], 1))


def _windows(node: Node, high: Tensor, index: Tensor) -> tuple[Tensor, Tensor] | None:
    """List inputs of each window and places, (n, channels, inputs, windows); None if adaptive."""
    if node.op != "max_pool2d_with_indices":
        return None
    window = geometry_of(node)
    assert window is not None
    kernel, stride, padding, dilation = window
    border = []
    for axis in (1, 0):
        span = dilation[axis] * (kernel[axis] - 1) + 1
        end = (index.shape[2 + axis] - 1) * stride[axis] + span
        # What is left over at the end, or cut off there, belongs to no window.
        border += [padding[axis], end - padding[axis] - high.shape[2 + axis]]
    places = torch.arange(high[0, 0].numel(), dtype=high.dtype, device=high.device)
    parts = []
    for image, fill in ((high, -torch.inf), (places.reshape(1, 1, *high.shape[2:]), -1.0)):
        padded = F.pad(image, border, value=fill)
        part = F.unfold(padded, kernel, dilation=dilation, stride=stride)
        parts.append(part.reshape(*image.shape[:2], kernel[0] * kernel[1], -1))
    return parts[0], parts[1]


def _pair(value: Any, default: Any) -> tuple[int, int]:
    """Two numbers of an argument of ATen, which may be one number, or empty for the default."""
    if value is None or (isinstance(value, (list, tuple)) and not value):
        value = default
    if isinstance(value, (list, tuple)):
        return (value[0], value[0]) if len(value) == 1 else (value[0], value[1])
    return value, value


def pooling_of(graph: Graph, node: Node) -> PooledMaximum | None:
    """Max-pooling that a node does; None if it does something else."""
    refs = node.moving_refs(graph)
    if node.op not in _POOLINGS or node.args[0] != refs[0] or graph.value(refs[0]).ndim != 4:
        return None
    return PooledMaximum(node, refs[0])
