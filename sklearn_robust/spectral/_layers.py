"""The linear layers of a traced model, batch normalisation folded into them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from ..differentiable._layers.blocks import Matrix, Scale
from ._maps import Convolution, Dense, Diagonal, LinearMap, computable
from ._torch_layers import convolution_of, pairs_of
from ._trace import Call, Node, Ref, Trace, tensors_in

__all__ = ["LastLayer", "Layer", "channel_factors", "last_layer", "layers_of", "linear_map"]

_PRODUCTS = {"addmm": (1, 2), "mm": (0, 1), "linear": (0, 1)}  # places of sample and matrix
_BATCH_NORMS = {  # positions of the training flag and of eps among the arguments
    "native_batch_norm": (5, 7),
    "cudnn_batch_norm": (5, 7),
    "miopen_batch_norm": (5, 7),
    "_native_batch_norm_legit": (5, 7),
    "_native_batch_norm_legit_no_training": (None, 6),
}
_SAMPLE_NORMS = (nn.GroupNorm, nn.LayerNorm, nn.modules.instancenorm._InstanceNorm)
_REASONS = {
    _SAMPLE_NORMS: "divides by a statistic of each sample",
    (nn.MultiheadAttention,): "attention: its matrix depends on the sample",
    (nn.RNNBase, nn.RNNCellBase): "recurrent: its map depends on the sample",
}
# Operations that commute with a positive factor per channel.
_HOMOGENEOUS = {"relu", "relu_", "leaky_relu", "leaky_relu_", "max_pool2d", "avg_pool1d"}
_HOMOGENEOUS |= {f"max_pool{n}d_with_indices" for n in (2, 3)}
_HOMOGENEOUS |= {f"avg_pool{n}d" for n in (2, 3)} | {f"_adaptive_avg_pool{n}d" for n in (2, 3)}


@dataclass(frozen=True)
class Layer:
    """One row of a report.

    Attributes
    ----------
    name : str
        Dotted name of the module.
    kind : str
        Name of its class.
    shape : tuple
        Shape of a sample at its input.
    map : Dense, Convolution, Diagonal or None
        Its linear map; None where there is none.
    node : int
        Number of its node in the trace.
    note : str
        What was folded into it, or why it is skipped.
    call : Call or None
        Run of the module, where the layer is one.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    map: LinearMap | None
    node: int
    note: str = ""
    call: Call | None = None


@dataclass(frozen=True)
class LastLayer:
    """Linear layer that computes the logits, up to a constant.

    Attributes
    ----------
    matrix : tensor of shape (n_classes, n_features)
        Its weights.
    node : int
        Number of its node.
    source : int
        Number of the node that it reads.
    """

    matrix: Tensor
    node: int
    source: int


def layers_of(trace: Trace, fold_bn: bool = True) -> list[Layer]:
    """Layers with weights in the order of the run; the note of one without a map says why."""
    layers: dict[int, Layer] = {}
    for number, node in enumerate(trace.nodes):
        skip = node.call and _reason(node.call.module)
        linear: LinearMap | None = None if skip else linear_map(trace, node)
        factors = channel_factors(node)
        if factors is not None:
            linear = Diagonal(factors, math.prod(node.shape[2:]))
        elif linear is None:
            linear = _scaler(node)
        if linear is not None:
            layers[number] = _layer(node, number, linear)
    done = {id(trace.nodes[number].call) for number in layers}
    if fold_bn:
        _fold(trace, layers)
    rows = list(layers.values()) + _skipped(trace, done)
    return _distinct(sorted(rows, key=lambda layer: layer.node))


def _layer(node: Node, number: int, linear: LinearMap) -> Layer:
    name = node.call.name if node.call else "model"
    if node.call and node.call.step and isinstance(node.call.module, Matrix | Scale):
        name = node.call.step
    kind = type(node.call.module).__name__ if node.call else node.op
    shape = node.shapes[0][1:]
    if node.call and node.op in ("addmm", "mm") and len(node.call.shape) > 2:
        shape = node.call.shape[1:]
    return Layer(name, kind, tuple(shape), linear, number, call=node.call)


def _distinct(rows: list[Layer]) -> list[Layer]:
    """Give layers that one module computes in one run names that differ."""
    seen: dict[str, int] = {}
    for place, layer in enumerate(rows):
        seen[layer.name] = seen.get(layer.name, 0) + 1
        if seen[layer.name] > 1:
            rows[place] = replace(layer, name=f"{layer.name}#{seen[layer.name]}")
    return rows


def _reason(module: nn.Module) -> str | None:
    """Why the map of a module is no fixed linear one; None where no reason is known."""
    return next((why for kinds, why in _REASONS.items() if isinstance(module, kinds)), None)


def _skipped(trace: Trace, done: set[int]) -> list[Layer]:
    """Rows for the modules with weights that are no linear layer."""
    fused = {
        id(node.call): f"computed as one operation, {node.op}"
        for node in trace.nodes
        if node.call and any(isinstance(t, nn.Parameter) for t in tensors_in(node.args))
    }
    rows = []
    for call in trace.calls:
        if id(call) in done:
            continue
        reason = _reason(call.module)
        if reason is None and any(True for _ in call.module.parameters(recurse=False)):
            reason = "no fixed linear map"
        if isinstance(call.module, nn.modules.batchnorm._NormBase) and reason:
            reason = _REASONS[_SAMPLE_NORMS]
        reason = reason or fused.get(id(call))
        if reason:
            kind, shape = type(call.module).__name__, call.shape[1:]
            note = f"skipped: {reason}"
            rows.append(Layer(call.name, kind, shape, None, call.start, note, call))
    return rows


def linear_map(trace: Trace, node: Node) -> Dense | Convolution | None:
    """Linear map that a node applies to each sample; None if it is no layer."""
    if node.op == "convolution" and isinstance(node.args[0], Ref) and _constant(node.args[1]):
        return _convolution(node)
    if node.op not in _PRODUCTS:
        return None
    x, weight = (node.args[place] for place in _PRODUCTS[node.op])
    if not (isinstance(x, Ref) and _constant(weight)) or len(node.inputs) > 1:
        return None
    matrix = computable(weight if node.op == "linear" else weight.T)
    matrix = matrix * node.kwargs.get("alpha", 1)
    return Dense(matrix, max(1, math.prod(x.shape[:-1]) // trace.n_rows))


def _constant(value: Any) -> bool:
    return isinstance(value, Tensor)


def _convolution(node: Node) -> Convolution:
    _, weight, _, stride, padding, dilation, transposed, output_padding, groups = node.args
    weight = computable(weight)
    module = node.call.module if node.call else None
    if node.call and isinstance(module, _ConvNd) and not (transposed or module.transposed):
        known = convolution_of(module, node.call.shape[-weight.ndim + 1 :])
        return replace(known, weight=weight)  # as used, perhaps reparametrised
    n_axes = weight.ndim - 2
    return Convolution(
        weight,
        size=tuple((node.shape if transposed else node.shapes[0])[-n_axes:]),
        stride=tuple(stride),
        padding=pairs_of(padding, stride, output_padding),
        dilation=tuple(dilation),
        groups=groups,
        transposed=transposed,
    )


def channel_factors(node: Node) -> Tensor | None:
    """Factor of each channel under batch normalisation in eval mode; None for another node."""
    if node.op not in _BATCH_NORMS:
        return None
    training, eps = _BATCH_NORMS[node.op]
    _, weight, _, mean, variance = node.args[:5]
    if mean is None or (training is not None and node.args[training]):
        return None
    scale = (computable(variance) + node.args[eps]).rsqrt()
    return scale if weight is None else computable(weight) * scale


def _scaler(node: Node) -> Diagonal | None:
    """Factors of the features under the scaler of a pipeline; None for another node."""
    if not (node.call and node.call.step and isinstance(node.call.module, Scale)):
        return None
    if node.op != "mul" or node.shape != node.shapes[0]:
        return None
    other = node.args[1] if isinstance(node.args[0], Ref) else node.args[0]
    return Diagonal(computable(other).expand(node.shape[1:]).flatten())


def _fold(trace: Trace, layers: dict[int, Layer]) -> None:
    """Fold each batch normalisation into the layer before it, else into those behind."""
    readers = trace.consumers()
    for number, norm in list(layers.items()):
        if channel_factors(trace.nodes[number]) is None:
            continue
        assert isinstance(norm.map, Diagonal)
        source = trace.nodes[number].inputs[0]
        before = layers.get(source)
        if before and not isinstance(before.map, Diagonal) and readers[source] == [number]:
            layers[source] = _absorb(before, norm, outputs=norm.map.factors)
            del layers[number]
            continue
        behind = _reached(trace, layers, readers, number, norm.map.factors.abs())
        if behind:
            for place, factors in behind:
                layers[place] = _absorb(layers[place], norm, inputs=factors)
            del layers[number]


def _absorb(layer: Layer, norm: Layer, **factors: Tensor) -> Layer:
    """Layer with the factors of a batch normalisation in its map."""
    note = f"folds {norm.name}" if not layer.note else f"{layer.note} and {norm.name}"
    assert isinstance(layer.map, Dense | Convolution)
    return replace(layer, map=layer.map.scaled(**factors), note=note)


def _reached(
    trace: Trace,
    layers: dict[int, Layer],
    readers: list[list[int]],
    number: int,
    factors: Tensor,
) -> list[tuple[int, Tensor]] | None:
    """Layers that factors of a node's channels can be moved into, or None if some are lost.

    ReLU(a x + b) = |a| ReLU(sign(a) x + b / |a|): a factor passes on to what follows.
    """
    found = []
    for reader in readers[number]:
        node = trace.nodes[reader]
        if reader in layers and not isinstance(layers[reader].map, Diagonal):
            width = node.shapes[0][-1 if isinstance(layers[reader].map, Dense) else 1]
            if width != len(factors):
                return None
            found.append((reader, factors))
            continue
        moved = _moved(node, factors)
        rest = None if moved is None else _reached(trace, layers, readers, reader, moved)
        if not rest:
            return None
        found += rest
    return found


def _moved(node: Node, factors: Tensor) -> Tensor | None:
    """Factors of the channels behind a node, or None if it does not pass them on."""
    if node.op in _HOMOGENEOUS:
        return factors
    before, after = node.shapes[0], node.shape
    if node.op == "mean" and before[:2] == after[:2]:
        return factors
    if node.op in ("view", "_unsafe_view") and before[1] == len(factors):
        width = math.prod(before[1:])
        if after == (before[0], width):
            return factors.repeat_interleave(width // len(factors))
    return None


def last_layer(trace: Trace) -> LastLayer | None:
    """Linear layer at the end of the model, or None if the model ends in another way.

    What adds a constant, or the same to all logits, does not change differences of the logits.
    """
    number = trace.output
    while number is not None:
        node = trace.nodes[number]
        linear = linear_map(trace, node)
        if isinstance(linear, Dense) and linear.copies == 1:
            return LastLayer(linear.matrix, number, node.inputs[0])
        if node.op not in ("add", "_log_softmax") or len(node.inputs) != 1:
            return None
        number = node.inputs[0]
    return None
