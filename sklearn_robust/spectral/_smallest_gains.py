"""Smallest singular value of each step of a traced model, by its exact operator."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.conv import _ConvNd

from ._krylov import fits
from ._layers import channel_factors, layers_of
from ._maps import Convolution, LinearMap
from ._solve import spectrum_of
from ._trace import Node, Ref, Trace

__all__ = ["smallest_gains"]

# Operations that keep distances, add a constant, or that the theorem itself allows for.
_NEUTRAL = """view _unsafe_view reshape t transpose permute squeeze unsqueeze neg relu relu_
leaky_relu leaky_relu_ add add_ sub sub_ rsub max_pool1d_with_indices max_pool2d
max_pool2d_with_indices max_pool3d_with_indices""".split()
_POOLS = [f"{kind}avg_pool{n}d" for kind in ("", "_adaptive_") for n in (1, 2, 3)]
_PIXELS = 4096  # of one channel, up to which the matrix of a pooling is built


def smallest_gains(trace: Trace, end: int, who: str) -> dict[str, float]:
    """Smallest singular value of each step before the node ``end``, by the name of the step.

    Batch normalisation counts as part of the layer that it is folded into. Of a step with fewer
    outputs than inputs it is the smallest of as many values as it has outputs.

    Raises
    ------
    ValueError
        At an operation whose value is unknown, such as attention, a shortcut or a sigmoid.
    """
    layers = {layer.node: layer for layer in layers_of(trace) if layer.map is not None}
    gains: dict[str, float] = {}
    with torch.no_grad():
        for number, node in enumerate(trace.nodes[1:end], 1):
            layer = layers.get(number)
            if layer is not None and layer.map is not None:
                gains[layer.name] = _smallest(layer.map, f"{layer.name} of {who}")
                continue
            gain = _gain(node)
            name = f"{node.call.name if node.call else 'model'} ({node.op})"
            if gain is None:
                raise ValueError(
                    f"No smallest singular value is known of {node.op} in {name.split(' ')[0]} of "
                    f"{who}, so the bound has no value: give a model of linear layers, ReLU, "
                    "pooling and batch normalisation, one after the other."
                )
            if gain != 1:
                gains[name if name not in gains else f"{name}#{number}"] = gain
    return gains


def _smallest(linear_map: LinearMap, who: str) -> float:
    """Smallest singular value of a layer by its true operator."""
    method = "auto"
    if isinstance(linear_map, Convolution) and not linear_map.is_torus:
        if not fits(linear_map):
            n_out, n_in = linear_map.dims
            raise ValueError(
                f"{who} has a matrix of {n_out} x {n_in} entries, too large for its smallest "
                "singular value, which no quicker method finds: give a smaller image or network."
            )
        method = "exact"
    return float(spectrum_of(linear_map, method).values.min())


def _gain(node: Node) -> float | None:
    """Smallest singular value of an operation that is no layer; None where it is unknown."""
    if len(node.inputs) != 1:
        return None
    if channel_factors(node) is not None or (node.call and isinstance(node.call.module, _ConvNd)):
        return 1.0  # folded into a layer, or the padding of a convolution
    if node.op in _NEUTRAL:
        return 1.0
    if node.op in ("mul", "mul_", "div", "div_"):
        return _factor(node)
    if node.op in ("mean", "sum"):
        return _reduction(node)
    return _pooling(node) if node.op in _POOLS else None


def _factor(node: Node) -> float | None:
    """Smallest factor of a product with a constant, or of a quotient by one."""
    if node.shape != node.shapes[0] or len(node.kwargs) or len(node.args) != 2:
        return None
    first = isinstance(node.args[0], Ref)
    other: Any = node.args[1] if first else node.args[0]
    size = other.abs().double() if isinstance(other, Tensor) else torch.tensor(abs(float(other)))
    if node.op.startswith("mul"):
        return float(size.min())
    return float(1 / size.max()) if first else None


def _reduction(node: Node) -> float | None:
    """Value of a mean or a sum of disjoint groups: its rows are orthogonal and alike."""
    axes = node.args[1] if len(node.args) > 1 else ()
    if not axes or not all(axis % len(node.shapes[0]) for axis in axes):
        return None
    members = math.prod(node.shapes[0]) / math.prod(node.shape)
    return members**0.5 if node.op == "sum" else members**-0.5


def _pooling(node: Node) -> float | None:
    """Smallest value of the matrix that an average pooling is on one channel."""
    shape = node.shapes[0][2:]
    if math.prod(shape) > _PIXELS:
        return None
    eye = torch.eye(math.prod(shape), dtype=torch.float64).reshape(-1, 1, *shape)
    run = getattr(torch.ops.aten, node.op)
    return float(torch.linalg.svdvals(run(eye, *node.args[1:]).flatten(1)).min())
