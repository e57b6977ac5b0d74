"""Upper bounds of the l2 Lipschitz constant of each node of a traced model."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.conv import _ConvNd

from ._layers import channel_factors, linear_map
from ._solve import largest_bound
from ._trace import Node, Ref, Trace

__all__ = ["lipschitz_bounds"]

Rule = Callable[[Node, list[float]], float | None]

# Operations that never lengthen a change: with derivatives from -1 to 1, or rearrangements.
_CONTRACTIONS = """relu relu_ clamp clamp_ clamp_min clamp_max hardtanh hardtanh_ tanh tanh_ abs neg
atan sin cos celu celu_ softplus softshrink log_sigmoid_forward view _unsafe_view reshape t
transpose permute squeeze unsqueeze slice select split split_with_sizes unbind chunk
constant_pad_nd amax""".split()
_CONSTANTS = dict.fromkeys(_CONTRACTIONS, 1.0) | {
    "sigmoid": 0.25,
    "_softmax": 0.5,
    "hardsigmoid": 1 / 6,
    "gelu": 1.13,
    "silu": 1.1,
    "mish": 1.09,
    "hardswish": 1.5,
}


def lipschitz_bounds(trace: Trace) -> tuple[list[float], list[str]]:
    """Bound of each node as a function of the input, inf where none is known.

    Returns
    -------
    bounds : list of float
        One for each node. Bounds of the branches of a sum add up; of parts that are joined, their
        squares do.
    unknown : list of str
        Names of the operations without a rule.
    """
    bounds: list[float] = [1.0]
    unknown: list[str] = []
    for node in trace.nodes[1:]:
        gain = _gain(trace, node, [bounds[source] for source in node.inputs])
        if gain is None:
            unknown.append(node.op)
        bounds.append(math.inf if gain is None else gain)
    return bounds, list(dict.fromkeys(unknown))


def _gain(trace: Trace, node: Node, incoming: list[float]) -> float | None:
    """Bound of a node from those of its inputs."""
    linear = linear_map(trace, node)
    if linear is None and node.call and isinstance(node.call.module, _ConvNd):
        return max(incoming)  # the padding is part of the convolution's map
    if linear is not None:
        return incoming[0] * largest_bound(linear)
    factors = channel_factors(node)
    if factors is not None:
        return incoming[0] * float(factors.abs().max())
    if node.op in _CONSTANTS:
        return incoming[0] * _CONSTANTS[node.op] if len(incoming) == 1 else None
    rule = _RULES.get(node.op)
    return None if rule is None else rule(node, incoming)


def _ratio(node: Node, place: int = 0) -> float:
    """Count the outputs per input."""
    return math.prod(node.shape) / max(1, math.prod(node.shapes[place]))


def _spread(node: Node, place: int = 0) -> float:
    """Gain of repeating the input so that it fills the output."""
    return math.sqrt(max(1.0, _ratio(node, place)))


def _add(node: Node, incoming: list[float]) -> float:
    factors = [1.0, abs(float(node.kwargs.get("alpha", 1)))]
    if node.op == "rsub":
        factors.reverse()
    moving = [f for f, arg in zip(factors, node.args[:2], strict=False) if isinstance(arg, Ref)]
    gains = zip(moving, incoming, strict=True)
    return sum(f * bound * _spread(node, place) for place, (f, bound) in enumerate(gains))


def _size(value: Any) -> Tensor:
    return value.abs() if isinstance(value, Tensor) else torch.tensor(abs(float(value)))


def _mul(node: Node, incoming: list[float]) -> float | None:
    if len(incoming) > 1:
        return None
    other = node.args[1] if isinstance(node.args[0], Ref) else node.args[0]
    return incoming[0] * float(_size(other).max()) * _spread(node)


def _div(node: Node, incoming: list[float]) -> float | None:
    if len(incoming) > 1 or not isinstance(node.args[0], Ref) or len(node.kwargs):
        return None
    least = float(_size(node.args[1]).min())
    return incoming[0] / least * _spread(node) if least > 0 else None


def _keeps_rows(node: Node) -> bool:
    """Whether a reduction leaves the batch axis alone."""
    axes = node.args[1] if len(node.args) > 1 else ()
    return bool(axes) and all(axis % len(node.shapes[0]) for axis in axes)


def _sum(node: Node, incoming: list[float]) -> float | None:
    return incoming[0] / math.sqrt(_ratio(node)) if _keeps_rows(node) else None


def _mean(node: Node, incoming: list[float]) -> float | None:
    return incoming[0] * math.sqrt(_ratio(node)) if _keeps_rows(node) else None


def _join(node: Node, incoming: list[float]) -> float:
    return math.hypot(*incoming)


def _windows(node: Node) -> tuple[int, int] | None:
    """Pixels in a window, and the most windows that share a pixel."""
    kernel = list(node.args[1])
    stride = list(node.args[2]) if len(node.args) > 2 and node.args[2] else kernel
    dilation = [1] * len(kernel)
    if "max" in node.op and len(node.args) > 4:
        dilation = list(node.args[4])
    if len(kernel) != len(stride):
        return None
    sides = zip(kernel, stride, dilation, strict=True)
    shared = [math.ceil(k / s) if d == 1 else k for k, s, d in sides]
    return math.prod(kernel), math.prod(shared)


def _max_pool(node: Node, incoming: list[float]) -> float | None:
    windows = _windows(node)
    return None if windows is None else incoming[0] * math.sqrt(windows[1])


def _avg_pool(node: Node, incoming: list[float]) -> float | None:
    windows = _windows(node)
    if windows is None or len(node.args) > 4:  # other than the plain mean of a window
        return None
    return incoming[0] * math.sqrt(windows[1] / windows[0])


def _adaptive_pool(node: Node, incoming: list[float]) -> float:
    sides = list(zip(node.shapes[0][2:], node.shape[2:], strict=True))
    if all(before % after == 0 for before, after in sides):
        return incoming[0] * math.sqrt(_ratio(node))
    return incoming[0] * math.sqrt(2 ** len(sides))  # neighbours share one pixel per axis


def _pad(node: Node, incoming: list[float]) -> float:
    return incoming[0] * math.sqrt(math.prod(1 + n for n in node.args[1]))


def _log_softmax(node: Node, incoming: list[float]) -> float:
    # Its Jacobian I - 1 p^T projects along 1: of norm sqrt(K) |p|, and |p| is 1 at most.
    return incoming[0] * math.sqrt(node.shape[node.args[1]])


def _leaky(node: Node, incoming: list[float]) -> float:
    negative_slope = float(node.args[1]) if len(node.args) > 1 else 0.01
    return incoming[0] * max(1.0, abs(negative_slope))


def _elu(node: Node, incoming: list[float]) -> float:
    alpha, scale, input_scale = [*node.args[1:], 1.0, 1.0, 1.0][:3]
    return incoming[0] * abs(scale) * max(1.0, abs(alpha * input_scale))


def _prelu(node: Node, incoming: list[float]) -> float | None:
    return incoming[0] * max(1.0, float(_size(node.args[1]).max())) if len(incoming) == 1 else None


def _index(node: Node, incoming: list[float]) -> float | None:
    """Bound of a choice of features, perhaps with repetitions."""
    chosen = [i for i in node.args[1] if i is not None]
    if len(chosen) != 1 or node.args[1][0] is not None or chosen[0].dtype == torch.bool:
        return None
    return incoming[0] * math.sqrt(int(chosen[0].flatten().bincount().max()))


_RULES: dict[str, Rule] = {
    **dict.fromkeys(["add", "add_", "sub", "sub_", "rsub"], _add),
    **dict.fromkeys(["mul", "mul_"], _mul),
    **dict.fromkeys(["div", "div_"], _div),
    **dict.fromkeys(["cat", "stack"], _join),
    **{f"max_pool{kind}": _max_pool for kind in ("2d", "2d_with_indices", "3d_with_indices")},
    **dict.fromkeys(["avg_pool1d", "avg_pool2d", "avg_pool3d"], _avg_pool),
    **dict.fromkeys(["_adaptive_avg_pool2d", "_adaptive_avg_pool3d"], _adaptive_pool),
    **dict.fromkeys(["leaky_relu", "leaky_relu_"], _leaky),
    **dict.fromkeys(["elu", "elu_"], _elu),
    **{f"{kind}_pad{n}d": _pad for kind in ("reflection", "replication") for n in (1, 2, 3)},
    "_log_softmax": _log_softmax,
    "_prelu_kernel": _prelu,
    "expand": lambda node, incoming: incoming[0] * _spread(node),
    "index": _index,
    "mean": _mean,
    "sum": _sum,
}
