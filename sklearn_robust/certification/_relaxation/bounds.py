"""Linear bounds of what a graph computes on a region."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .activations import Activation
from .affine import (
    constant_part,
    keeps_boxes,
    multiplications,
    pull_back,
)
from .graph import Graph, Ref
from .intervals import Interval, node_intervals, plan_of
from .patches import Patches, patch_size, pull_back_patches, unit_patches
from .pooling import PooledMaximum
from .region import Region

__all__ = ["Bounds"]

_MEMORY = 10**6  # numbers that one backward pass may hold for one node
_WORK = 2e10  # multiplications per sample above which a layer keeps its interval


@dataclass
class _Walk:
    """Way of unit functions back to the input.

    Attributes
    ----------
    numbers : list of int
        Nodes that are passed in patches.
    work : float
        Multiplications per function and sample.
    largest : int
        Numbers per function and sample that are held at once.
    """

    numbers: list[int] = field(default_factory=list)
    work: float = 0.0
    largest: int = 1


class Bounds:
    """Bounds of linear functions of a graph's output on a region (CROWN).

    Each activation lies between two lines on the interval of its input. Going backwards with
    them, a linear function of the output becomes one of the input that lies below. The intervals of
    the inputs of activations are found likewise, each from those before it.

    Parameters
    ----------
    graph : Graph
        What is computed on the samples of the region.
    region : Region
        Points that an adversary may choose.
    output : Ref
        Node of the logits.

    Raises
    ------
    NotBoundableError
        If an operation is not known.
    OverflowError
        If a bound is not finite.
    """

    def __init__(self, graph: Graph, region: Region, output: Ref) -> None:
        self.graph, self.region, self.output = graph, region, output
        self.rules = plan_of(graph, output)
        self.inputs: dict[Ref, Interval] = {}  # of activations
        self._tight: set[Ref] = set()  # whose intervals linear bounds cannot make smaller
        needed = {rule.ref for rule in self.rules.values() if rule is not None}
        found: dict[Ref, Interval] = {}
        for number, rule in self.rules.items():
            start = region.low, region.high
            for ref, interval in node_intervals(graph, number, rule, found, start).items():
                if ref in needed:
                    interval = self.inputs[ref] = self._tightened(ref, interval)
                found[ref] = interval
        self.interval = found[output]

    # -- intervals of the inputs of activations ---------------------------------------------

    def _readers(self, ref: Ref) -> list[Activation | PooledMaximum]:
        return [rule for rule in self.rules.values() if rule is not None and rule.ref == ref]

    def _tightened(self, ref: Ref, interval: Interval) -> Interval:
        """Interval of a node by backward linear bounds where that is worth it."""
        low, high = (_finite(end) for end in interval)
        if self.graph.nodes[ref.node].op == "input" or self._is_pooled(ref):
            self._tight.add(ref)
            return low, high
        wanted = torch.zeros_like(low, dtype=torch.bool)
        for reader in self._readers(ref):
            wanted |= reader.undecided(low, high)
        wanted = wanted.flatten(1)
        n_wanted = int(wanted.sum(1).max()) if wanted.numel() else 0
        walk = self._walk(ref)
        is_exact = self._is_exact(ref)
        if is_exact or 2 * n_wanted * walk.work <= _WORK:
            self._tight.add(ref)
        if is_exact or ref not in self._tight:
            return low, high
        order = wanted.to(torch.int8).argsort(dim=1, descending=True, stable=True)
        flat_low, flat_high = low.flatten(1).clone(), high.flatten(1).clone()
        step = max(1, _MEMORY // (2 * max(1, walk.largest * len(low))))
        for start in range(0, n_wanted, step):
            index = order[:, start : min(start + step, n_wanted)]
            if walk.numbers:
                least = self._lower_by_patches(ref, unit_patches(index, low), walk)
            else:
                least = self.lower(ref, _unit_rows(index, low))
            least, most = least.chunk(2)
            below = torch.maximum(flat_low.gather(1, index), least.T)
            above = torch.minimum(flat_high.gather(1, index), -most.T)
            flat_low.scatter_(1, index, torch.minimum(below, above))
            flat_high.scatter_(1, index, torch.maximum(below, above))
        return flat_low.reshape(low.shape), flat_high.reshape(high.shape)

    def _is_exact(self, ref: Ref) -> bool:
        """Whether a box goes through one layer alone, so that interval arithmetic is exact."""
        numbers = [n for n in self.graph.ancestors(ref) if self.graph.nodes[n].op != "input"]
        layers = [n for n in numbers if not keeps_boxes(self.graph.nodes[n])]
        return self.region.norm is None and len(layers) <= 1 and self._is_chain(numbers)

    def _is_pooled(self, ref: Ref) -> bool:
        """Whether a node is the maximum of inputs whose intervals are as small as can be.

        A linear bound of a maximum is that of one input, or the largest upper end.
        """
        rule = self.rules[ref.node]
        return isinstance(rule, PooledMaximum) and rule.ref in self._tight

    def _is_chain(self, numbers: list[int]) -> bool:
        nodes = [self.graph.nodes[n] for n in numbers]
        return all(len(node.moving_refs(self.graph)) == 1 for node in nodes)

    def _walk(self, ref: Ref) -> _Walk:
        """Plan how unit functions of a node go backwards: in patches as far as that is possible."""
        graph, walk, size = self.graph, _Walk(), (1, 1)
        while True:
            node = graph.nodes[ref.node]
            rule = self.rules[ref.node]
            ahead = patch_size(graph, ref.node, rule, size) if ref.place == 0 else None
            if ahead is None or graph.value(ref)[0, 0].numel() < 4 * size[0] * size[1]:
                break
            walk.numbers.append(ref.node)
            channels = graph.value(ref).shape[1]
            source: Ref = node.args[0] if rule is None else rule.ref
            if node.op == "convolution":
                kernel = multiplications(graph, node) / graph.value(ref).numel()
                walk.work += channels * size[0] * size[1] * kernel
            ref, size = source, ahead
            area = graph.value(ref).shape[1] * size[0] * size[1]
            walk.work += area
            walk.largest = max(walk.largest, area)
        numbers, n_samples = graph.ancestors(ref), len(self.region.x)
        rest = [graph.nodes[n] for n in numbers if n in self.rules]
        walk.work += sum(multiplications(graph, node) for node in rest) / n_samples
        numel = max(node.value[0].numel() for node in rest) // n_samples
        walk.largest = max(walk.largest, numel)
        return walk

    def _lower_by_patches(self, ref: Ref, patches: Patches, walk: _Walk) -> Tensor:
        """Lower bounds of unit functions: in patches first, then in whole tensors."""
        offset = patches.a.new_zeros(patches.a.shape[:2])
        for number in walk.numbers:
            rule = self.rules[number]
            interval = None if rule is None else self.inputs[rule.ref]
            ref, patches, constant = pull_back_patches(self.graph, number, rule, patches, interval)
            offset = offset + constant
        return _finite(offset + self.lower(ref, patches.dense()))

    # -- linear bounds ----------------------------------------------------------------------

    def lower(self, ref: Ref, a: Tensor, slopes: dict[Ref, Tensor] | None = None) -> Tensor:
        """Lower bound of linear functions of a node on the region.

        Parameters
        ----------
        ref : Ref
            The node.
        a : tensor of shape (n_functions, n_samples, ...)
            Coefficients of its output.
        slopes : dict, optional
            Slopes of the lower lines of ReLUs, by the Ref of their input.

        Returns
        -------
        lower : tensor of shape (n_functions, n_samples)
            No point of the region has less.
        """
        pending: dict[Ref, Tensor] = {ref: a}
        offset = a.new_zeros(a.shape[:2])
        for number in sorted((n for n in self.rules if n <= ref.node), reverse=True):
            places = sorted(r.place for r in pending if r.node == number)
            for place in places:
                coefficients = pending.pop(Ref(number, place))
                if self.graph.nodes[number].op == "input":
                    return _finite(offset + self.region.minimum(coefficients))
                back, constant = self._step(number, place, coefficients, slopes or {})
                offset = offset + constant
                for source, part in back:
                    pending[source] = pending[source] + part if source in pending else part
        return _finite(offset)

    def _step(
        self, number: int, place: int, a: Tensor, slopes: dict[Ref, Tensor]
    ) -> tuple[list[tuple[Ref, Tensor]], Tensor]:
        """Coefficients of a node's inputs, and what is to be added."""
        rule, node = self.rules[number], self.graph.nodes[number]
        if rule is None:
            constant = (a * constant_part(self.graph, node, place)).flatten(2).sum(2)
            return pull_back(self.graph, node, a, place), constant
        low, high = self.inputs[rule.ref]
        if isinstance(rule, PooledMaximum):
            back, constant = rule.pull_back(a, low, high)
            return [(rule.ref, back)], constant
        lines = rule.lines(low, high, slopes.get(rule.ref))
        up, down = a.clamp_min(0), a.clamp_max(0)
        constant = (up * lines.low_offset + down * lines.high_offset).flatten(2).sum(2)
        return [(rule.ref, up * lines.low_slope + down * lines.high_slope)], constant

    def optimised(self, ref: Ref, a: Tensor, n_steps: int) -> Tensor:
        """Lower bounds with slopes that ``n_steps`` steps of Adam raise (alpha-CROWN).

        Parameters
        ----------
        ref, a
            As for :meth:`lower`.
        n_steps : int
            Number of steps.

        Returns
        -------
        lower : tensor of shape (n_functions, n_samples)
            The best of all steps; each of them is valid.
        """
        slopes = {
            key: value.expand(len(a), *value.shape).clone().requires_grad_(True)
            for key, value in self.relus().items()
        }
        best = self.lower(ref, a)
        if not slopes:
            return best
        optimiser = torch.optim.Adam(slopes.values(), lr=0.1)
        for _ in range(n_steps):
            with torch.enable_grad():
                lower = self.lower(ref, a, slopes)
                optimiser.zero_grad()
                (-lower.sum()).backward()
            best = torch.maximum(best, lower.detach())
            optimiser.step()
            with torch.no_grad():
                for value in slopes.values():
                    value.clamp_(0, 1)
        return best

    def relus(self) -> dict[Ref, Tensor]:
        """Slopes of the lower lines of all ReLUs, by the Ref of their input."""
        return {
            rule.ref: rule.lines(*self.inputs[rule.ref]).low_slope
            for rule in self.rules.values()
            if isinstance(rule, Activation) and rule.negative_slope == 0.0
        }


def _unit_rows(index: Tensor, like: Tensor) -> Tensor:
    """Coefficients (2 k, n, ...) that pick each entry of ``index`` (n, k), then its negative."""
    n, k = index.shape
    rows = like.new_zeros(k, n, like[0].numel())
    rows.scatter_(2, index.T[:, :, None], 1.0)
    rows = rows.reshape(k, *like.shape)
    return torch.cat([rows, -rows])


def _finite(value: Any) -> Tensor:
    if not torch.isfinite(value).all():
        raise OverflowError("A bound of the network is infinite or NaN.")
    return value
