"""Linear functions of single pixels: their coefficients are small patches, not whole images.

A pixel behind convolutions and pooling depends on a small part of the layers before it. Going
backwards from many pixels at once with the patches alone takes a small part of the work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .activations import Activation
from .affine import channel_factors, constant_part, is_batch_norm
from .graph import Graph, Node, Ref
from .pooling import PooledMaximum, geometry_of

__all__ = ["Patches", "patch_size", "pull_back_patches", "unit_patches"]


@dataclass
class Patches:
    """Linear functions of the images (n_samples, channels, height, width) of a node.

    Attributes
    ----------
    a : tensor of shape (n_functions, n_samples, channels, rows, columns)
        Coefficients; 0 for what lies outside of the image.
    top, left : int tensors of shape (n_functions, n_samples)
        Where in the image the first row and column lie; may be negative.
    shape : tuple
        Shape (channels, height, width) of one image.
    """

    a: Tensor
    top: Tensor
    left: Tensor
    shape: tuple[int, ...]

    def _places(self) -> tuple[Tensor, Tensor]:
        """Numbers of the pixels (n_functions, n_samples, rows * columns), and which exist."""
        _, height, width = self.shape
        rows = self.top[..., None] + torch.arange(self.a.shape[3], device=self.a.device)
        columns = self.left[..., None] + torch.arange(self.a.shape[4], device=self.a.device)
        exist = ((rows >= 0) & (rows < height))[..., None]
        exist = exist & ((columns >= 0) & (columns < width))[..., None, :]
        places = rows.clamp(0, height - 1)[..., None] * width
        places = places + columns.clamp(0, width - 1)[..., None, :]
        return places.flatten(2), exist.flatten(2)

    def clipped(self) -> Patches:
        """Patches without coefficients outside of the image."""
        _, exist = self._places()
        a = self.a * exist[:, :, None].reshape(*exist.shape[:2], 1, *self.a.shape[3:])
        return Patches(a, self.top, self.left, self.shape)

    def read(self, image: Tensor) -> Tensor:
        """Parts (n_functions, n_samples, channels, rows, columns) of images under the patches."""
        places, _ = self._places()
        flat = image.expand(self.a.shape[1], *self.shape).flatten(2)
        flat = flat.expand(len(self.a), *flat.shape)
        where = places[:, :, None].expand(-1, -1, self.shape[0], -1)
        return flat.gather(3, where).reshape(self.a.shape)

    def dense(self) -> Tensor:
        """Coefficients (n_functions, n_samples, channels, height, width) of whole images."""
        places, _ = self._places()
        channels, height, width = self.shape
        whole = self.a.new_zeros(*self.a.shape[:2], channels, height * width)
        where = places[:, :, None].expand(-1, -1, channels, -1)
        a = self.clipped().a.flatten(3)
        return whole.scatter_add(3, where, a).unflatten(3, (height, width))


def unit_patches(index: Tensor, like: Tensor) -> Patches:
    """Patches (2 k, n) of one pixel that pick the entries ``index`` (n, k), then their negatives.

    Parameters
    ----------
    index : int tensor of shape (n_samples, k)
        Places in the flattened images.
    like : tensor of shape (n_samples, channels, height, width)
        The images.

    Returns
    -------
    patches : Patches
        One function for each entry.
    """
    channels, height, width = like.shape[1:]
    place = index.T
    channel, pixel = place // (height * width), place % (height * width)
    a = F.one_hot(channel, channels).to(like)[..., None, None]
    top, left = pixel // width, pixel % width
    twice = torch.cat([a, -a]), torch.cat([top, top]), torch.cat([left, left])
    return Patches(*twice, (channels, height, width))


def _is_plain(graph: Graph, node: Node) -> bool:
    """Whether a node is a convolution of images by a fixed kernel."""
    if node.op != "convolution" or graph.value(Ref(0)).ndim < 3:
        return False
    x, weight, _, stride, *_, transposed = node.args[:7]
    kernel = graph.value(weight) if isinstance(weight, Ref) else weight
    return isinstance(x, Ref) and kernel.ndim == 4 and len(stride) == 2 and not transposed


def patch_size(
    graph: Graph, number: int, rule: Activation | PooledMaximum | None, size: tuple[int, int]
) -> tuple[int, int] | None:
    """Size of the patch of a node's input behind one of its output; None if that is not known."""
    node = graph.nodes[number]
    if graph.value(Ref(number)).ndim != 4:
        return None
    if isinstance(rule, Activation) or is_batch_norm(node):
        return size
    if isinstance(rule, PooledMaximum):
        window = geometry_of(node)
        if window is None or window.dilation != (1, 1):
            return None
        stride, span = window.stride, window.kernel
    elif _is_plain(graph, node):
        kernel = node.args[1]
        kernel = graph.value(kernel) if isinstance(kernel, Ref) else kernel
        stride, dilation = node.args[3], node.args[5]
        span = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel.shape[2:], strict=True))
    else:
        return None
    rows, columns = ((m - 1) * s + w for m, s, w in zip(size, stride, span, strict=True))
    return rows, columns


def pull_back_patches(
    graph: Graph,
    number: int,
    rule: Activation | PooledMaximum | None,
    patches: Patches,
    interval: tuple[Tensor, Tensor] | None,
) -> tuple[Ref, Patches, Tensor]:
    """Patches of a node's input, from those of its output.

    Parameters
    ----------
    graph, number, rule
        The node, for which :func:`patch_size` is known.
    patches : Patches
        Of its output.
    interval : (low, high) or None
        That of its input, where a rule needs one.

    Returns
    -------
    ref : Ref
        The input.
    patches : Patches
        Linear lower bounds as functions of the input.
    offset : tensor of shape (n_functions, n_samples)
        To be added.
    """
    node, a = graph.nodes[number], patches.a
    if isinstance(rule, PooledMaximum):
        assert interval is not None
        return rule.ref, *_through_pooling(rule, patches, *interval)
    if isinstance(rule, Activation):
        assert interval is not None
        lines = rule.lines(*interval)
        up, down = a.clamp_min(0), a.clamp_max(0)
        low, high = patches.read(lines.low_offset), patches.read(lines.high_offset)
        offset = (up * low + down * high).flatten(2).sum(2)
        a = up * patches.read(lines.low_slope) + down * patches.read(lines.high_slope)
        return rule.ref, Patches(a, patches.top, patches.left, patches.shape), offset
    # The constant of a convolution or a normalisation is the same for all pixels of a channel.
    constant = constant_part(graph, node)[:1, :, 0, 0]
    offset = (a.flatten(3).sum(3) * constant).sum(2)
    ref: Ref = node.args[0]
    if is_batch_norm(node):
        a = a * patches.read(channel_factors(graph, node))
        return ref, Patches(a, patches.top, patches.left, patches.shape), offset
    return ref, _through_convolution(graph, node, patches), offset


def _through_convolution(graph: Graph, node: Node, patches: Patches) -> Patches:
    x, weight, _, stride, padding, dilation = node.args[:6]
    weight = graph.value(weight) if isinstance(weight, Ref) else weight
    flat = patches.a.flatten(0, 1)
    options: dict[str, Any] = {"stride": stride, "dilation": dilation, "groups": node.args[8]}
    a = F.conv_transpose2d(flat, weight, **options).unflatten(0, patches.a.shape[:2])
    top, left = patches.top * stride[0] - padding[0], patches.left * stride[1] - padding[1]
    return Patches(a, top, left, tuple(graph.value(x).shape[1:])).clipped()


def _through_pooling(
    rule: PooledMaximum, patches: Patches, low: Tensor, high: Tensor
) -> tuple[Patches, Tensor]:
    known, index, largest = rule.decide(low, high)
    window = geometry_of(rule.node)
    assert window is not None
    a = patches.a
    sure = patches.read(known.to(a)) > 0
    offset = (torch.where(sure, 0.0, a.clamp_max(0)) * patches.read(largest)).flatten(2).sum(2)
    a = torch.where(sure, a, a.clamp_min(0))
    place = patches.read(index.to(a)).long()
    top = patches.top * window.stride[0] - window.padding[0]
    left = patches.left * window.stride[1] - window.padding[1]
    sides = [
        (m - 1) * s + k for m, s, k in zip(a.shape[3:], window.stride, window.kernel, strict=True)
    ]
    width = low.shape[3]
    row = (place // width - top[:, :, None, None, None]).clamp(0, sides[0] - 1)
    column = (place % width - left[:, :, None, None, None]).clamp(0, sides[1] - 1)
    back = a.new_zeros(*a.shape[:3], sides[0] * sides[1])
    back.scatter_add_(3, (row * sides[1] + column).flatten(3), a.flatten(3))
    shape = tuple(low.shape[1:])
    return Patches(back.unflatten(3, tuple(sides)), top, left, shape), offset
