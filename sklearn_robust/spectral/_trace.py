"""What a model computes: its operations, and the modules they belong to, in the order of one run.

The record is taken below autograd, so a functional ReLU, a shortcut, a layer used twice and the
scaler of a Pipeline are all seen, and nothing of the model is changed.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from .. import _validation as check
from ..differentiable import as_module

__all__ = [
    "Call",
    "Node",
    "Ref",
    "Trace",
    "module_names",
    "open_model",
    "own_dtype",
    "tensors_in",
    "trace_of",
]

# Operations that return their input, perhaps elsewhere in memory.
_COPIES = {"_to_copy", "alias", "clone", "detach", "lift_fresh", "contiguous"}


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
    """

    name: str
    module: nn.Module
    shape: tuple
    start: int


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
    args: tuple
    kwargs: dict
    inputs: list[int]
    shapes: list[tuple]
    shape: tuple
    call: Call | None


@dataclass(frozen=True)
class Ref:
    """Stands for the output of a node among the arguments of another."""

    node: int
    shape: tuple


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

    def consumers(self):
        """For each node, the numbers of the nodes that read it."""
        readers: list[list[int]] = [[] for _ in self.nodes]
        for number, node in enumerate(self.nodes):
            for source in node.inputs:
                readers[source].append(number)
        return readers


class _Recorder(TorchDispatchMode):
    def __init__(self, trace):
        super().__init__()
        self.trace = trace
        self.known: dict[int, tuple[torch.Tensor, int]] = {}
        self.written: dict[int, int] = {}  # memory that an operation wrote into
        self.stack: list[Call] = []

    def follow(self, tensor, number):
        # Holding the tensor keeps its identity from being given to another.
        self.known[id(tensor)] = (tensor, number)

    def number_of(self, tensor):
        """Node that a tensor comes from; None for a constant."""
        if id(tensor) in self.known:
            return self.known[id(tensor)][1]
        return self.written.get(tensor.untyped_storage().data_ptr())

    def _ref(self, value):
        if isinstance(value, (list, tuple)):
            return type(value)([self._ref(v) for v in value])
        number = self.number_of(value) if isinstance(value, torch.Tensor) else None
        return value if number is None else Ref(number, tuple(value.shape))

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        marked = self._ref(args), {key: self._ref(v) for key, v in kwargs.items()}
        refs = list(_refs(marked[0])) + list(_refs(tuple(marked[1].values())))
        out = func(*args, **kwargs)
        if refs:
            self._note(func.overloadpacket.__name__, *marked, refs, out)
        return out

    def _note(self, op, args, kwargs, refs, out):
        outputs = [t for t in tensors_in(out) if t.is_floating_point()]
        if not outputs:
            return
        if op in _COPIES:
            self.follow(outputs[0], refs[0].node)
            return
        number = len(self.trace.nodes)
        inputs, shapes = [ref.node for ref in refs], [ref.shape for ref in refs]
        call = self.stack[-1] if self.stack else None
        shape = tuple(outputs[0].shape)
        self.trace.nodes.append(Node(op, args, kwargs, inputs, shapes, shape, call))
        if op.endswith("_"):
            self._spoil(outputs[0], number)
        for tensor in outputs:
            self.follow(tensor, number)

    def _spoil(self, changed, number):
        """Move on whatever shares the memory of a tensor that was changed in place."""
        memory = changed.untyped_storage().data_ptr()
        self.written[memory] = number
        for tensor, _ in list(self.known.values()):
            if tensor.untyped_storage().data_ptr() == memory:
                self.follow(tensor, number)
                if tensor.numel() != changed.numel():
                    self.trace.nodes[number].op = "assignment to a part"


def _refs(value):
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _refs(part)


def tensors_in(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from tensors_in(part)


def trace_of(view, x):
    """Record a run of the view on the batch ``x``."""
    trace = Trace(n_rows=len(x))
    trace.nodes.append(Node("input", (), {}, [], [], tuple(x.shape), None))
    recorder = _Recorder(trace)
    recorder.follow(x, 0)
    fits = check.wrap_shape_errors(view.name, x.shape[1:])
    with fits, torch.no_grad(), _watched(view, recorder), recorder:
        z = view(x)
    trace.output = recorder.number_of(z)
    return trace


@contextmanager
def _watched(view, recorder):
    """Keep the recorder told which module is running."""
    names, runs, handles = module_names(view), {}, []

    def enter(module, args):
        runs[module] = runs.get(module, 0) + 1
        name = names[module] if runs[module] == 1 else f"{names[module]}:{runs[module]}"
        shape = tuple(args[0].shape) if args and isinstance(args[0], torch.Tensor) else ()
        call = Call(name, module, shape, len(recorder.trace.nodes))
        recorder.stack.append(call)
        recorder.trace.calls.append(call)

    def leave(module, args, output):
        recorder.stack.pop()

    try:
        for module in names:
            handles.append(module.register_forward_pre_hook(enter))
            handles.append(module.register_forward_hook(leave))
        yield
    finally:
        for handle in handles:
            handle.remove()


def module_names(view):
    """Modules of the view, without its wrappers, and what the user's own network calls them."""
    wrappers, root = set(), view
    while (inner := _wrapped(root)) is not None:
        wrappers.add(root)
        root = inner
    names = {module: name.removeprefix("body.") for name, module in view.named_modules()}
    names |= {module: name for name, module in root.named_modules()}
    names[root] = "model"
    return {module: name for module, name in names.items() if module not in wrappers}


def _wrapped(module):
    """Look inside one of the views' wrappers; None for a user's own module."""
    home = type(module).__module__
    if not home.startswith(("sklearn_robust.differentiable.", "sklearn_robust.nets.")):
        return None
    inside = (getattr(module, name, None) for name in ("body", "module", "last"))
    return next((inner for inner in inside if isinstance(inner, nn.Module)), None)


def own_dtype(view):
    """Precision that the model computes in: that of its parameters; float64 if it has none."""
    return next((p.dtype for p in view.parameters() if p.is_floating_point()), torch.float64)


def open_model(estimator, X=None, input_shape=None):
    """Return the view of an estimator, and two samples of the right shape to run it on.

    ``X`` is only asked for its shape; a fitted net knows its own.
    """
    view: Any = as_module(estimator)
    given = None if input_shape is None else check.check_shape("input_shape", input_shape)
    if X is not None:
        shape = tuple(getattr(X, "shape", ()))[1:] or check.check_samples(X).shape[1:]
        if given not in (None, shape):
            raise ValueError(
                f"X has samples of shape {shape}, but input_shape is {given}: pass one of the two."
            )
    elif given is not None:
        shape = given
    elif view.input_shape is not None:
        shape = view.input_shape
    else:
        raise ValueError(
            f"{view.name} does not say what shape its samples have: pass X, or "
            "input_shape=(1, 28, 28), say."
        )
    wanted = view.input_shape
    if wanted is not None and tuple(shape) != tuple(wanted):
        raise ValueError(
            f"The samples have shape {tuple(shape)}, but {view.name} was fitted on samples of "
            f"shape {tuple(wanted)}."
        )
    return view, torch.zeros((2, *shape), dtype=own_dtype(view), device=view.device)
