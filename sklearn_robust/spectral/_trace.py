"""Record of what a model computes: its operations and their modules, in the order of one run.

The record is taken below autograd, so a functional ReLU, a shortcut, a layer used twice and the
scaler of a Pipeline are all seen. The run is that of a copy, in this thread alone: the model and
the process stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from .. import _validation as check
from ..differentiable import DifferentiableModel
from ._modules import hookable_copy, module_names, step_names

__all__ = ["Call", "Node", "Ref", "Trace", "tensors_in", "trace_of"]

# Operations that return their input, perhaps elsewhere in memory.
_COPIES = {"_to_copy", "alias", "clone", "detach", "lift_fresh", "contiguous"}
_PARTIAL_WRITE = "assignment to a part"  # an operation that no other module knows


@dataclass
class Call:
    """One run of a module.

    Attributes
    ----------
    name : str
        Dotted name of the module; the second run of ``conv`` is ``conv:2``.
    module : torch.nn.Module
        The module.
    shape : tuple
        Shape of its first argument, with the batch axis.
    start : int
        Number of the first node after it began.
    step : str or None
        Name of the transformer of a pipeline that it is inside of.
    """

    name: str
    module: nn.Module
    shape: tuple[int, ...]
    start: int
    step: str | None = None


@dataclass
class Node:
    """One operation on numbers that depend on the sample.

    Attributes
    ----------
    op : str
        Name of the operation, as in ATen.
    args, kwargs
        Its arguments; those that depend on the sample are numbers of nodes, wrapped in Ref.
    inputs : list of int
        Numbers of the nodes that it reads.
    shapes : list of tuple
        Shapes of those inputs.
    shape : tuple
        Shape of its (first) output.
    call : Call or None
        The innermost module that ran it.
    """

    op: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    inputs: list[int]
    shapes: list[tuple[int, ...]]
    shape: tuple[int, ...]
    call: Call | None


@dataclass(frozen=True)
class Ref:
    """Placeholder for the output of a node among the arguments of another."""

    node: int
    shape: tuple[int, ...]


@dataclass
class Trace:
    """Record of one run on ``n_rows`` samples.

    Node 0 is the input and ``output`` the number of the node of the logits, None where these do not
    depend on the sample.
    """

    n_rows: int
    nodes: list[Node] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    output: int | None = None

    def consumers(self) -> list[list[int]]:
        """For each node, the numbers of the nodes that read it."""
        readers: list[list[int]] = [[] for _ in self.nodes]
        for number, node in enumerate(self.nodes):
            for source in node.inputs:
                readers[source].append(number)
        return readers


class _Recorder(TorchDispatchMode):
    """Mode of one thread that writes down each operation on numbers that depend on the sample."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self.trace = trace
        self.known: dict[int, tuple[Tensor, int]] = {}
        self.written: dict[int, int] = {}  # memory that an operation wrote into
        self.stack: list[Call] = []

    def enter(
        self, name: str, module: nn.Module, args: tuple[Any, ...], step: str | None = None
    ) -> None:
        """Take note that a module begins to run."""
        shape = tuple(args[0].shape) if args and isinstance(args[0], Tensor) else ()
        call = Call(name, module, shape, len(self.trace.nodes), step)
        self.stack.append(call)
        self.trace.calls.append(call)

    def leave(self) -> None:
        """Take note that the module that began last has ended."""
        self.stack.pop()

    def follow(self, tensor: Tensor, number: int) -> None:
        """Take note of the node that a tensor comes from."""
        # The reference keeps the identity of the tensor from being given to another.
        self.known[id(tensor)] = (tensor, number)

    def number_of(self, tensor: Tensor) -> int | None:
        """Node that a tensor comes from; None for a constant."""
        if id(tensor) in self.known:
            return self.known[id(tensor)][1]
        return self.written.get(tensor.untyped_storage().data_ptr())

    def _ref(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)([self._ref(v) for v in value])
        number = self.number_of(value) if isinstance(value, Tensor) else None
        return value if number is None else Ref(number, tuple(value.shape))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        marked = self._ref(args), {key: self._ref(v) for key, v in kwargs.items()}
        refs = list(_refs(marked[0])) + list(_refs(tuple(marked[1].values())))
        out = func(*args, **kwargs)
        if refs:
            self._note(func.overloadpacket.__name__, *marked, refs, out)
        return out

    def _note(
        self,
        op: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        refs: list[Ref],
        out: Any,
    ) -> None:
        outputs = [t for t in tensors_in(out) if t.is_floating_point() or t.is_complex()]
        if not outputs:
            return
        if any(t.is_complex() for t in outputs):
            op = f"{op} of complex numbers"  # no rule knows it
        if op in _COPIES:
            self.follow(outputs[0], refs[0].node)
            return
        number = len(self.trace.nodes)
        inputs, shapes = [ref.node for ref in refs], [ref.shape for ref in refs]
        call = self.stack[-1] if self.stack else None
        shape = tuple(outputs[0].shape)
        self.trace.nodes.append(Node(op, args, kwargs, inputs, shapes, shape, call))
        if op.endswith("_"):  # ATen's mark of an operation in place
            self._overwrite(outputs[0], number)
        for tensor in outputs:
            self.follow(tensor, number)

    def _overwrite(self, changed: Tensor, number: int) -> None:
        """Assign the node to all tensors that share the memory of one changed in place."""
        memory = changed.untyped_storage().data_ptr()
        self.written[memory] = number
        for tensor, _ in list(self.known.values()):
            if tensor.untyped_storage().data_ptr() == memory:
                self.follow(tensor, number)
                if tensor.numel() != changed.numel():
                    self.trace.nodes[number].op = _PARTIAL_WRITE


def _refs(value: Any) -> Iterator[Ref]:
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _refs(part)


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Tensors in a value, also inside lists and tuples."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from tensors_in(part)


def trace_of(model: DifferentiableModel, x: Tensor, *, logits: bool = True) -> Trace:
    """Record a run of the model on the batch ``x``; without ``logits`` it may return anything."""
    trace = Trace(n_rows=len(x))
    trace.nodes.append(Node("input", (), {}, [], [], tuple(x.shape), None))
    recorder = _Recorder(trace)
    recorder.follow(x, 0)
    copy = hookable_copy(model)
    _report_modules(copy, recorder)
    body = copy.get_submodule("body")
    with check.wrap_shape_errors(model.name, x.shape[1:]), torch.no_grad(), recorder:
        z = copy(x) if logits else body(x)
    trace.output = recorder.number_of(z) if isinstance(z, Tensor) else None
    return trace


def _report_modules(copy: nn.Module, recorder: _Recorder) -> None:
    """Let each module of a copy tell the recorder when it runs."""
    names, steps = module_names(copy), step_names(copy)
    runs: dict[nn.Module, int] = {}

    def enter(module: nn.Module, args: tuple[Any, ...]) -> None:
        runs[module] = runs.get(module, 0) + 1
        name = names[module] if runs[module] == 1 else f"{names[module]}:{runs[module]}"
        recorder.enter(name, module, args, steps.get(module))

    def leave(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        recorder.leave()

    for module in names:
        if isinstance(module, torch.jit.ScriptModule):  # which takes no hooks
            continue
        module.register_forward_pre_hook(enter)
        module.register_forward_hook(leave)
