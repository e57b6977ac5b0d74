"""Lines below and above activations on an interval.

ReLU and its leaky forms have the lines of CROWN. Any other function of one number, whose second
derivative is bounded by a number between its kinks, is evaluated on a fine grid: with a step h and
a bound c, no point lies further than c h^2 / 8 beyond the values at the grid. So whatever
slope is chosen, the line is moved until it is below, or above, for sure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .graph import Graph, Node, Ref

__all__ = ["Activation", "Lines", "activation_of"]

_N_STEPS = 32
_N_SLOPES = 8
_COMPARISONS = {"lt": "low", "le": "low", "gt": "high", "ge": "high"}


@dataclass
class Lines:
    """``low_slope * t + low_offset <= f(t) <= high_slope * t + high_offset`` on an interval."""

    low_slope: Tensor
    low_offset: Tensor
    high_slope: Tensor
    high_offset: Tensor


@dataclass
class Activation:
    """A function of one number that a node applies to each entry of its input.

    Attributes
    ----------
    ref : Ref
        The input.
    f : callable
        The function, of a tensor with any number of leading axes.
    kinks : sequence of numbers or tensors
        Where the derivative jumps.
    curvature : float
        Bound of the absolute second derivative elsewhere.
    negative_slope : float or None
        Slope left of 0 where the function is a (leaky) ReLU, else None.
    rises : bool
        Whether it is known that the function never falls.
    """

    ref: Ref
    f: Callable[[Tensor], Tensor]
    kinks: Sequence[Any] = ()
    curvature: float | Callable[[Tensor, Tensor], Tensor] = 0.0
    negative_slope: Any = None
    rises: bool = False

    def undecided(self, low: Tensor, high: Tensor) -> Tensor:
        """Where a smaller interval would give better lines."""
        if self.negative_slope is None:
            return high > low
        return (low < 0) & (high > 0)

    def range(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Smallest and largest value on an interval, or a little beyond."""
        convex = self.negative_slope is not None and _is_between(self.negative_slope)
        if self.rises or convex:
            return self.f(low), self.f(high)
        values, slack = self._on_grid(low, high)[1:]
        return values.amin(0) - slack, values.amax(0) + slack

    def lines(self, low: Tensor, high: Tensor, slope: Tensor | None = None) -> Lines:
        """Lines on an interval.

        Parameters
        ----------
        low, high : tensors
            Ends of the interval of each input.
        slope : tensor, optional
            Slopes of the lower lines of undecided ReLUs; None chooses the line by the area.

        Returns
        -------
        lines : Lines
            Of the same shape.
        """
        if self.negative_slope is not None and _is_between(self.negative_slope):
            return _relu_lines(low, high, self.negative_slope, slope)
        t, values, slack = self._on_grid(low, high)
        lower = _best_line(t, values, slack)
        upper = _best_line(t, -values, slack)
        return Lines(*lower, -upper[0], -upper[1])

    def _on_grid(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Points of the interval, values there, and how far beyond these the function may go."""
        bound = self.curvature(low, high) if callable(self.curvature) else self.curvature
        curved = callable(self.curvature) or bound > 0
        n_steps = _N_STEPS if curved else 1
        steps = torch.linspace(0, 1, n_steps + 1, dtype=low.dtype, device=low.device)
        grid = low + (high - low) * steps.reshape(-1, *[1] * low.ndim)
        grid[-1] = high
        kinks = [_like(kink, low).expand_as(low) for kink in self.kinks]
        grid = torch.cat([grid, *[k.clamp(low, high)[None] for k in kinks]])
        grid = grid.sort(0).values
        slack = bound * ((high - low) / n_steps) ** 2 / 8
        return grid, self.f(grid), _like(slack, low).expand_as(low)


def _like(value: Any, like: Tensor) -> Tensor:
    """Tensor of a number in the precision of another, without a detour by float32."""
    return torch.as_tensor(value, dtype=like.dtype, device=like.device)


def _is_between(slope: Any) -> bool:
    """Whether a slope left of 0 makes a function that is convex and never falls."""
    if isinstance(slope, Tensor):
        return bool(((slope >= 0) & (slope <= 1)).all())
    return 0 <= slope <= 1


def _relu_lines(low: Tensor, high: Tensor, negative: Any, slope: Tensor | None) -> Lines:
    zero, one = torch.zeros_like(low), torch.ones_like(low)
    left, right = high <= 0, low >= 0
    width = (high - low).clamp_min(torch.finfo(low.dtype).tiny)
    secant = (high - negative * low) / width
    chosen = torch.where(high > -low, one, negative * one) if slope is None else slope
    line = torch.where(left, negative * one, torch.where(right, one, secant))
    offset = torch.where(left | right, zero, high * (1 - secant))
    chosen = torch.where(left, negative * one, torch.where(right, one, chosen))
    return Lines(chosen, zero, line, offset)


def _best_line(t: Tensor, values: Tensor, slack: Tensor) -> tuple[Tensor, Tensor]:
    """Slope and offset of a line below the values that is highest in the middle."""
    middle = (t[0] + t[-1]) / 2
    n = len(t) - 1
    places = sorted({round(i * n / _N_SLOPES) for i in range(_N_SLOPES + 1)})
    slopes, offsets = [], []
    for i, j in [(0, n), *zip(places[:-1], places[1:], strict=True)]:
        gap = t[j] - t[i]
        slope = torch.where(gap > 0, (values[j] - values[i]) / torch.where(gap > 0, gap, 1), 0)
        slopes.append(slope)
        offsets.append((values - slope * t).amin(0) - slack)
    slope, offset = torch.stack(slopes), torch.stack(offsets)
    best = (slope * middle + offset).argmax(0, keepdim=True)
    return slope.gather(0, best)[0], offset.gather(0, best)[0]


# -- which functions ------------------------------------------------------------------------

_SMOOTH: dict[str, float | Callable[[Tensor, Tensor], Tensor]] = {
    "atan": 0.65,
    "cos": 1.0,
    "erf": 0.97,
    "exp": lambda low, high: high.exp(),
    "gelu": 0.81,
    "log_sigmoid_forward": 0.25,
    "mish": 0.65,
    "sigmoid": 0.0963,
    "silu": 0.5,
    "sin": 1.0,
    "square": 2.0,
    "tanh": 0.77,
}
_RISING = frozenset("atan erf exp log_sigmoid_forward sigmoid tanh hardsigmoid".split())
_FIXED_KINKS = {"abs": (0.0,), "hardsigmoid": (-3.0, 3.0), "hardswish": (-3.0, 3.0)}


def activation_of(graph: Graph, node: Node) -> Activation | None:
    """Activation that a node applies to one input; None if it is none that is known."""
    if node.op == "where":
        return _confined(graph, node)
    refs = node.moving_refs(graph)
    if len(refs) != 1 or node.args[0] != refs[0]:
        return None

    def f(t: Tensor) -> Tensor:
        out = node.run(lambda ref: t if ref == refs[0] else graph.value(ref))
        return out[0] if isinstance(out, (tuple, list)) else out

    args = node.args[1:]
    if node.op in _SMOOTH:
        return Activation(refs[0], f, (), _SMOOTH[node.op], rises=node.op in _RISING)
    if node.op in _FIXED_KINKS:
        curvature = 1 / 3 if node.op == "hardswish" else 0.0
        kinks, rises = _FIXED_KINKS[node.op], node.op in _RISING
        return Activation(refs[0], f, kinks, curvature, rises=rises)
    return _with_arguments(graph, node, refs[0], f, args)


def _with_arguments(
    graph: Graph, node: Node, ref: Ref, f: Callable[[Tensor], Tensor], args: tuple[Any, ...]
) -> Activation | None:
    """Activation whose shape its arguments decide."""
    op = node.op
    if op == "relu":
        return Activation(ref, f, (0.0,), negative_slope=0.0)
    if op == "leaky_relu":
        return Activation(ref, f, (0.0,), negative_slope=float(args[0]) if args else 0.01)
    if op == "_prelu_kernel":
        slope = graph.value(args[0]) if isinstance(args[0], Ref) else args[0]
        return Activation(ref, f, (0.0,), negative_slope=slope)
    if op in ("clamp", "clamp_min", "clamp_max", "hardtanh"):
        ends = args or (-1.0, 1.0)
        given = {key: value for key, value in node.kwargs.items() if key in ("min", "max")}
        kinks = [end for end in (*ends, *given.values()) if end is not None]
        return Activation(ref, f, kinks, rises=True)
    if op == "softshrink":
        half = float(args[0]) if args else 0.5
        return Activation(ref, f, (-half, half), rises=True)
    if op == "elu":
        alpha, scale, inner = [*map(float, args), *[1.0] * (3 - len(args))]
        return Activation(ref, f, (0.0,), abs(alpha * scale) * inner**2)
    if op == "celu":
        alpha = float(args[0]) if args else 1.0
        return Activation(ref, f, (0.0,), 1 / abs(alpha))
    if op == "softplus":
        beta = float(args[0]) if args else 1.0
        return Activation(
            ref, lambda t: torch.logaddexp(beta * t, 0 * t) / beta, (), beta / 4, rises=True
        )
    if op == "pow" and args == (2,):
        return Activation(ref, f, (), 2.0)
    return None


def _confined(graph: Graph, node: Node) -> Activation | None:
    """Clamp that is written as ``where(x < low, low, x)`` or ``where(x > high, high, x)``."""
    condition, end, ref = node.args
    if not (isinstance(condition, Ref) and isinstance(ref, Ref)) or isinstance(end, Ref):
        return None
    comparison = graph.nodes[condition.node]
    side = _COMPARISONS.get(comparison.op)
    if side is None or comparison.args[0] != ref or isinstance(comparison.args[1], Ref):
        return None
    threshold = _like(comparison.args[1], end)
    if not torch.equal(threshold.expand_as(end), end):
        return None

    def f(t: Tensor) -> Tensor:
        return torch.maximum(t, end) if side == "low" else torch.minimum(t, end)

    return Activation(ref, f, (end,), rises=True)
