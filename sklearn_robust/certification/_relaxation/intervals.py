"""Interval arithmetic: intervals of all that a graph computes."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import Tensor

from ...exceptions import NotBoundableError
from .activations import Activation, activation_of
from .affine import interval_through, is_affine
from .graph import Graph, Ref
from .pooling import PooledMaximum, pooling_of

__all__ = [
    "Interval",
    "Rule",
    "intervals",
    "node_intervals",
    "plan_of",
    "rule_of",
    "worst_logits",
]

Interval: TypeAlias = tuple[Tensor, Tensor]
Rule: TypeAlias = Activation | PooledMaximum | None


def rule_of(graph: Graph, number: int) -> Rule:
    """How to bound a node: None says that it is affine; what is unknown raises."""
    node = graph.nodes[number]
    if node.op == "input" or is_affine(graph, node):
        return None
    rule = activation_of(graph, node) or pooling_of(graph, node)
    if rule is None:
        raise NotBoundableError(node.op)
    return rule


def plan_of(graph: Graph, output: Ref) -> dict[int, Rule]:
    """Nodes that the output depends on, in order, with how to bound each."""
    rules: dict[int, Rule] = {}
    left = [output.node]
    while left:
        number = left.pop()
        if number in rules:
            continue
        rule = rules[number] = rule_of(graph, number)
        refs = graph.nodes[number].moving_refs(graph) if rule is None else [rule.ref]
        left += [ref.node for ref in refs]
    return dict(sorted(rules.items()))


def intervals(graph: Graph, low: Tensor, high: Tensor, output: Ref) -> dict[Ref, Interval]:
    """Intervals of all that an output depends on (interval arithmetic).

    Parameters
    ----------
    graph : Graph
        What is computed.
    low, high : tensors of shape (n_samples, ...)
        Ends of the interval of each input.
    output : Ref
        What to bound.

    Returns
    -------
    intervals : dict of Ref to (low, high)
        In the order of the run, the output included; with a graph to the weights where gradients
        are on.

    Raises
    ------
    NotBoundableError
        If an operation is not known.
    """
    found: dict[Ref, Interval] = {}
    for number, rule in plan_of(graph, output).items():
        found |= node_intervals(graph, number, rule, found, (low, high))
    return found


def worst_logits(graph: Graph, found: dict[Ref, Interval], output: Ref, codes: Tensor) -> Tensor:
    """Logits that no point of the intervals exceeds, relative to that of the true class.

    Parameters
    ----------
    graph : Graph
        What is computed.
    found : dict
        As of :func:`intervals`.
    output : Ref
        Node of the logits.
    codes : tensor of shape (n_samples,), int64
        True class codes.

    Returns
    -------
    logits : tensor of shape (n_samples, n_classes)
        Upper bound of each logit minus the true one, which is 0. A last layer that is linear is
        bounded together with the difference.
    """
    node, own = graph.nodes[output.node], codes[:, None]
    if node.op == "addmm" and not node.kwargs and _is_constant(graph, node.args[2]):
        bias, x, weight = node.args
        bias, weight = (graph.value(w) if isinstance(w, Ref) else w for w in (bias, weight))
        low, high = found[x]
        difference = weight - weight.T[codes][:, :, None]
        center = torch.einsum("nf,nfk->nk", (low + high) / 2, difference)
        radius = torch.einsum("nf,nfk->nk", (high - low) / 2, difference.abs())
        return center + radius + bias - bias[codes][:, None]
    low, high = found[output]
    worst = high - low.gather(1, own)
    return worst.scatter(1, own, 0.0)


def _is_constant(graph: Graph, value: Any) -> bool:
    return not isinstance(value, Ref) or not graph.nodes[value.node].moving


def node_intervals(
    graph: Graph,
    number: int,
    rule: Rule,
    found: dict[Ref, Interval],
    start: Interval,
) -> dict[Ref, Interval]:
    """Intervals of all outputs of a node."""
    node = graph.nodes[number]
    if node.op == "input":
        return {Ref(number): start}
    if rule is not None:
        return {Ref(number): rule.range(*found[rule.ref])}
    return {
        Ref(number, place): interval_through(graph, node, found, place)
        for place, value in enumerate(node.value)
        if isinstance(value, Tensor) and value.is_floating_point() and value.numel()
    }
