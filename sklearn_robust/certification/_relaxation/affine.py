"""Operations that are affine in what depends on the input, and their two directions.

Forwards an interval goes through them, backwards the coefficients of a linear function: those
are vector-Jacobian products, so that a convolution needs no matrix.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.func import vjp, vmap

from .graph import Graph, Node, Ref

__all__ = [
    "channel_factors",
    "is_batch_norm",
    "constant_part",
    "interval_through",
    "is_affine",
    "pull_back",
]

Interval = tuple[Tensor, Tensor]

# Operations whose outputs are sums of inputs with factors of at least 0.
_POSITIVE = frozenset(
    """
    _adaptive_avg_pool2d _adaptive_avg_pool3d _reshape_alias _to_copy _unsafe_view
    adaptive_avg_pool1d alias avg_pool1d avg_pool2d avg_pool3d cat clone constant_pad_nd contiguous
    copy cumsum detach diagonal expand flip im2col index index_select lift_fresh mean narrow permute
    pixel_shuffle pixel_unshuffle reflection_pad1d reflection_pad2d repeat replication_pad1d
    replication_pad2d reshape roll select slice split split_with_sizes squeeze stack sum t transpose
    tril triu unbind unfold unsqueeze upsample_bilinear2d upsample_nearest2d view
    """.split()
)
_SUMS = frozenset(["add", "neg", "rsub", "sub"])
_PRODUCTS = frozenset(["addmm", "baddbmm", "bmm", "convolution", "mm", "mul", "mv"])
_BATCH_NORMS = frozenset(
    ["_native_batch_norm_legit_no_training", "cudnn_batch_norm", "native_batch_norm"]
)
_BIASED = {"addmm": 0, "baddbmm": 0, "convolution": 2}  # place of what is added


def is_affine(graph: Graph, node: Node) -> bool:
    """Whether an operation is affine in all of its arguments that depend on the input."""
    refs = node.moving_refs(graph)
    if node.op in _POSITIVE or node.op in _SUMS:
        return True
    if len(refs) != 1:
        return False
    if node.op in _PRODUCTS:
        return node.op not in _BIASED or node.args[_BIASED[node.op]] != refs[0]
    if node.op == "div":
        return node.args[0] == refs[0] and not node.kwargs
    if node.op in _BATCH_NORMS:
        trains = node.op != "_native_batch_norm_legit_no_training" and node.args[5]
        return node.args[0] == refs[0] and not trains
    return False


def is_batch_norm(node: Node) -> bool:
    """Whether a node normalises channels."""
    return node.op in _BATCH_NORMS


def _filled(graph: Graph, values: dict[Ref, Tensor]) -> Any:
    """Make a function that looks a Ref up among the values, and among the constants."""
    return lambda ref: values[ref] if ref in values else graph.value(ref)


def _first(node: Node, out: Any, place: int) -> Tensor:
    return out[place] if isinstance(out, (tuple, list)) else out


def apply(graph: Graph, node: Node, values: dict[Ref, Tensor], place: int = 0) -> Tensor:
    """Compute an operation for values of the arguments that depend on the input."""
    return _first(node, node.run(_filled(graph, values)), place)


def constant_part(graph: Graph, node: Node, place: int = 0) -> Tensor:
    """Output of an affine operation for inputs of zero."""
    zeros = {ref: torch.zeros_like(graph.value(ref)) for ref in node.moving_refs(graph)}
    return apply(graph, node, zeros, place)


def keeps_boxes(node: Node) -> bool:
    """Whether the image of any box is a box: entries are moved, scaled or shifted."""
    if node.op in ("mean", "sum", "cumsum", "cat", "stack", "expand", "repeat"):
        return False
    if node.op in ("add", "sub", "rsub", "mul", "div"):
        return True
    return node.op in _BATCH_NORMS or (node.op in _POSITIVE and "pool" not in node.op)


def multiplications(graph: Graph, node: Node) -> int:
    """Count roughly the multiplications of an operation."""
    out = next((v.numel() for v in node.value if isinstance(v, Tensor)), 0)
    if node.op == "convolution":
        weight = node.args[1]
        weight = graph.value(weight) if isinstance(weight, Ref) else weight
        return out * weight[0].numel()
    if node.op in ("addmm", "mm", "bmm", "baddbmm"):
        x = node.args[-2]
        return out * (graph.value(x) if isinstance(x, Ref) else x).shape[-1]
    return out


# -- forwards -------------------------------------------------------------------------------


def interval_through(
    graph: Graph, node: Node, given: dict[Ref, Interval], place: int = 0
) -> Interval:
    """Smallest box that holds the outputs of an affine operation.

    Parameters
    ----------
    graph, node
        The operation.
    given : dict
        Interval of each argument that depends on the input.
    place : int, default=0
        Which output.

    Returns
    -------
    low, high : tensors
        Ends of the interval of each output.
    """
    low = {ref: given[ref][0] for ref in node.moving_refs(graph)}
    high = {ref: given[ref][1] for ref in low}
    if node.op in _POSITIVE:
        return apply(graph, node, low, place), apply(graph, node, high, place)
    if node.op in _SUMS:
        return _sum_interval(graph, node, low, high)
    (ref,) = low
    center = apply(graph, node, {ref: (low[ref] + high[ref]) / 2}, place)
    radius = _through_absolute(graph, node, ref, (high[ref] - low[ref]) / 2)
    return center - radius, center + radius


def _sum_interval(
    graph: Graph, node: Node, low: dict[Ref, Tensor], high: dict[Ref, Tensor]
) -> Interval:
    """Interval of a sum or a difference."""
    if node.op == "neg":
        return -high[node.args[0]], -low[node.args[0]]
    alpha = node.kwargs.get("alpha", node.args[2] if len(node.args) > 2 else 1)
    factors = [1, alpha if node.op == "add" else -alpha]
    if node.op == "rsub":
        factors = [-alpha, 1]
    ends = []
    for lower, upper in ((low, high), (high, low)):
        parts: list[Any] = []
        for factor, arg in zip(factors, node.args[:2], strict=True):
            chosen = lower if factor > 0 else upper
            parts.append(factor * (_filled(graph, chosen)(arg) if isinstance(arg, Ref) else arg))
        ends.append(parts[0] + parts[1])
    return ends[0], ends[1]


def _through_absolute(graph: Graph, node: Node, ref: Ref, radius: Tensor) -> Tensor:
    """Radius of the outputs: that of the inputs through the absolute values of the factors."""
    if node.op in _BATCH_NORMS:
        return radius * channel_factors(graph, node).abs()

    def absolute(value: Any) -> Any:
        if isinstance(value, Ref):
            return radius if value == ref else graph.value(value).abs()
        return value.abs() if isinstance(value, Tensor) else value

    args = [absolute(value) for value in node.args]
    if node.op in ("mul", "div"):
        args = [abs(value) if isinstance(value, (int, float)) else value for value in args]
    assert node.function is not None
    if node.op == "convolution":
        args[2] = None
    elif node.op in _BIASED:
        args[0] = torch.zeros_like(args[0])
    return node.function(*args, **node.kwargs)


def channel_factors(graph: Graph, node: Node) -> Tensor:
    """Factor of each channel in a batch normalisation, ready to be multiplied with its input."""
    x = node.args[0]
    ones = torch.ones_like(graph.value(x))
    return apply(graph, node, {x: ones}) - apply(graph, node, {x: torch.zeros_like(ones)})


# -- backwards ------------------------------------------------------------------------------


def pull_back(graph: Graph, node: Node, a: Tensor, place: int = 0) -> list[tuple[Ref, Tensor]]:
    """Coefficients of the inputs of an affine operation, from those of its output.

    Parameters
    ----------
    graph, node
        The operation.
    a : tensor of shape (n_functions, n_samples, ...)
        Coefficients of linear functions of the output.
    place : int, default=0
        Which output.

    Returns
    -------
    coefficients : list of (Ref, tensor)
        For each argument that depends on the input.
    """
    refs = node.moving_refs(graph)
    if node.op in ("addmm", "mm") and node.args[-2] == refs[0] and not node.kwargs:
        weight = node.args[-1]
        weight = graph.value(weight) if isinstance(weight, Ref) else weight
        return [(refs[0], a @ weight.T)]
    if node.op in _BATCH_NORMS:
        return [(refs[0], a * channel_factors(graph, node))]
    if node.op == "convolution" and node.args[0] == refs[0]:
        return [(refs[0], _through_convolution(graph, node, a))]
    return _through_any(graph, node, a, place)


def _through_convolution(graph: Graph, node: Node, a: Tensor) -> Tensor:
    x, weight = node.args[:2]
    rest = node.args[3:]
    weight = graph.value(weight) if isinstance(weight, Ref) else weight
    shape = graph.value(x).shape[1:]
    flat = a.flatten(0, 1)
    like = flat.new_zeros(1).expand(len(flat), *shape)
    mask = [True, False, False]
    back = torch.ops.aten.convolution_backward(flat, like, weight, None, *rest, mask)[0]
    return back.unflatten(0, a.shape[:2])


def _through_any(graph: Graph, node: Node, a: Tensor, place: int) -> list[tuple[Ref, Tensor]]:
    refs = list(dict.fromkeys(node.moving_refs(graph)))

    def outputs(*values: Tensor) -> Tensor:
        return apply(graph, node, dict(zip(refs, values, strict=True)), place)

    zeros = [torch.zeros_like(graph.value(ref)) for ref in refs]
    back: Any = vjp(outputs, *zeros)[1]
    return list(zip(refs, vmap(back)(a), strict=True))
