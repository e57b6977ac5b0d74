"""Record of what a module computes on a batch, strict enough to prove something with.

The record is taken below autograd in this thread alone. Whatever it could misread raises a
NotBoundableError that names it: a value that is read out of a tensor, a part of a tensor that is
written on, an operation in place on memory that two views see differently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ...exceptions import NotBoundableError

__all__ = ["Graph", "Node", "Ref", "record", "refs_in"]

_INPUT = "input"
_CONSTANT = "constant"
# Operations that return the numbers of their first argument; a change of precision is checked.
_COPIES = frozenset(["_to_copy", "alias", "clone", "detach", "lift_fresh", "contiguous"])
# Operations that ask a tensor for its shape alone.
_SHAPES = frozenset("full_like new_full new_ones new_zeros ones_like zeros_like".split())


@dataclass(frozen=True)
class Ref:
    """Placeholder for an output of a node among the arguments of another.

    Attributes
    ----------
    node : int
        Number of the node.
    place : int
        Which of its outputs.
    """

    node: int
    place: int = 0


@dataclass
class Node:
    """One operation.

    Attributes
    ----------
    op : str
        Name of the operation in ATen; "input" and "constant" for the leaves.
    function : callable or None
        The operation itself; None for leaves.
    args, kwargs
        Its arguments, with other nodes as Refs.
    value : tensor or None
        What it returned in the run, as a tuple of tensors.
    moving : bool
        Whether it depends on the input.
    """

    op: str
    function: Callable[..., Any] | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    value: tuple[Any, ...]
    moving: bool

    def moving_refs(self, graph: Graph) -> list[Ref]:
        """Arguments that depend on the input, in order."""
        refs = refs_in((self.args, tuple(self.kwargs.values())))
        return [ref for ref in refs if graph.nodes[ref.node].moving]

    def run(self, fill: Callable[[Ref], Any]) -> Any:
        """Call the operation, with the values that ``fill`` gives for other nodes."""
        assert self.function is not None
        kwargs = {key: _filled(value, fill) for key, value in self.kwargs.items()}
        return self.function(*_filled(self.args, fill), **kwargs)


@dataclass
class Graph:
    """Nodes in the order of the run; node 0 is the input and ``output`` that of the logits."""

    nodes: list[Node] = field(default_factory=list)
    output: Ref = Ref(0)

    def value(self, ref: Ref) -> Tensor:
        """Tensor that a node returned in the run."""
        return self.nodes[ref.node].value[ref.place]

    def replay(self, x: Tensor) -> Tensor:
        """Compute the output for another batch of the same shape."""
        values: list[tuple[Any, ...]] = []
        for node in self.nodes:
            if node.function is None or not node.moving:
                values.append((x,) if node.op == _INPUT else node.value)
            else:
                values.append(outputs_of(node.run(lambda ref: values[ref.node][ref.place])))
        return values[self.output.node][self.output.place]

    def renew_constants(self) -> None:
        """Compute what depends on recorded constants alone anew, with a graph to them."""
        for node in self.nodes:
            if node.function is not None and not node.moving:
                node.value = outputs_of(node.run(self.value))

    def ancestors(self, ref: Ref) -> set[int]:
        """Numbers of the moving nodes that a node depends on, itself included."""
        found, left = set(), [ref.node]
        while left:
            number = left.pop()
            if number not in found:
                found.add(number)
                left += [ref.node for ref in self.nodes[number].moving_refs(self)]
        return found


def outputs_of(value: Any) -> tuple[Any, ...]:
    """Give the outputs of an operation as a tuple."""
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def refs_in(value: Any) -> Iterator[Ref]:
    """Refs in nested lists and tuples, in order."""
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from refs_in(part)


def _filled(value: Any, fill: Callable[[Ref], Any]) -> Any:
    if isinstance(value, Ref):
        return fill(value)
    if isinstance(value, (list, tuple)):
        return type(value)([_filled(part, fill) for part in value])
    return value


class _Recorder(TorchDispatchMode):
    """Mode of one thread that writes down every operation on the leaves."""

    def __init__(self, x: Tensor, constants: Iterable[Tensor]) -> None:
        super().__init__()
        self.graph = Graph()
        self.known: dict[int, tuple[Tensor, Ref | None]] = {}
        for number, leaf in enumerate([x, *constants]):
            op = _CONSTANT if number else _INPUT
            self.graph.nodes.append(Node(op, None, (), {}, (leaf,), moving=not number))
            self._follow(leaf, Ref(number))

    def _follow(self, tensor: Tensor, ref: Ref | None) -> None:
        """Take note of the node that a tensor comes from; None once it is written on."""
        # The reference keeps the identity of the tensor from being given to another.
        self.known[id(tensor)] = (tensor, ref)

    def ref_of(self, value: Any) -> Any:
        """Arguments with Refs in place of the tensors that nodes returned."""
        if isinstance(value, (list, tuple)):
            return type(value)([self.ref_of(part) for part in value])
        if not isinstance(value, Tensor) or id(value) not in self.known:
            return value
        ref = self.known[id(value)][1]
        if ref is None:
            raise NotBoundableError("an operation in place that another view of a tensor shares")
        return ref

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        refs = self.ref_of(tuple(args)), {key: self.ref_of(v) for key, v in kwargs.items()}
        out = func(*args, **kwargs)
        used = list(refs_in((refs[0], tuple(refs[1].values()))))
        if used and func.overloadpacket.__name__ not in _SHAPES:
            self._note(func, refs, used, args, out)
        return out

    def _note(self, func: Any, refs: tuple[Any, Any], used: list[Ref], args: Any, out: Any) -> None:
        op, nodes = func.overloadpacket.__name__, self.graph.nodes
        moving = any(nodes[ref.node].moving for ref in used)
        tensors = [value for value in outputs_of(out) if isinstance(value, Tensor)]
        if not tensors:
            if moving:
                raise NotBoundableError(f"{op} (a number read out of a tensor)")
            return
        if op in _COPIES and out.dtype == args[0].dtype and isinstance(refs[0][0], Ref):
            self._follow(out, refs[0][0])
            return
        function = func
        if func._schema.is_mutable:
            function = _functional(func)
            op = op.rstrip("_")
            self._forget_views(args[0], refs[0][0], out, op)
        for place, value in enumerate(outputs_of(out)):
            if isinstance(value, Tensor):
                self._follow(value, Ref(len(nodes), place))
        args_, kwargs_ = refs
        nodes.append(Node(op, function, args_, kwargs_, outputs_of(out), moving))

    def _forget_views(self, changed: Any, ref: Any, out: Any, op: str) -> None:
        """Refuse to read what shares the memory of a tensor changed in place."""
        if out is not changed or not isinstance(ref, Ref):
            raise NotBoundableError(f"{op}, which writes on a tensor that is not of the input")
        memory = changed.untyped_storage().data_ptr()
        for tensor, _ in list(self.known.values()):
            if tensor.untyped_storage().data_ptr() == memory:
                self._follow(tensor, None)


def _functional(func: Any) -> Callable[..., Any]:
    """Return the operation that returns what another writes in place."""
    name = func.overloadpacket.__name__
    try:
        return getattr(getattr(torch.ops.aten, name.rstrip("_")), func._overloadname)
    except AttributeError:
        raise NotBoundableError(f"{name} (in place)") from None


def record(
    module: Callable[[Tensor], Tensor], x: Tensor, constants: Iterable[Tensor] = ()
) -> Graph:
    """Record one run of a module.

    Parameters
    ----------
    module : callable
        Maps a batch to logits.
    x : tensor of shape (n_samples, ...)
        The batch.
    constants : iterable of tensors
        Tensors, such as weights, whose operations are to be recorded too.

    Returns
    -------
    graph : Graph
        Valid for batches of this shape.

    Raises
    ------
    NotBoundableError
        If something in the run cannot be told apart from what depends on the data.
    """
    x = x.detach().clone()
    recorder = _Recorder(x, constants)
    with torch.inference_mode(False), torch.no_grad(), recorder:
        z = module(x)
    ref = recorder.ref_of(z)
    if not isinstance(ref, Ref):
        raise NotBoundableError("logits that do not depend on the input")
    recorder.graph.output = ref
    return recorder.graph
