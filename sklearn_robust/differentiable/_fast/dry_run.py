"""Observer of one forward pass: which tensors the layers read, and whether random numbers fall."""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode, _pop_mode_temporarily

__all__ = [
    "DryRun",
    "UnpredictableError",
    "draws_random_numbers",
    "dry_run_lock",
    "without_modes",
]


_LOCK = threading.RLock()


def _new_lock() -> None:
    global _LOCK
    _LOCK = threading.RLock()


if sys.platform != "win32":  # a forked process begins with a free lock
    os.register_at_fork(after_in_child=_new_lock)


def dry_run_lock() -> Any:
    """Context that one thread of a process is in at a time; its own calls may nest."""
    return _LOCK


@contextmanager
def without_modes() -> Iterator[None]:
    """Compute in this thread as if nothing observed it, such as a dry run that is under way."""
    with ExitStack() as modes:
        for _ in range(torch._C._len_torch_dispatch_stack()):
            modes.enter_context(_pop_mode_temporarily())
        yield


class UnpredictableError(RuntimeError):
    """A forward pass draws random numbers, or decides by the values of its tensors."""


class _Observer(TorchDispatchMode):
    """Report every operation of this thread, and stop before one of an unpredictable kind."""

    def __init__(
        self, unpredictable: set[torch.Tag], report: Callable[[Iterable[Any]], None] | None = None
    ) -> None:
        super().__init__()
        self.unpredictable, self.report = unpredictable, report
        self.stopped = False  # also known where the user's code catches the error

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run one operation."""
        kwargs = kwargs or {}
        if not self.unpredictable.isdisjoint(func.tags):
            self.stopped = True
            raise UnpredictableError(str(func))
        if self.report is not None:
            self.report((args, kwargs))
        return func(*args, **kwargs)


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _tensors(part)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


class DryRun:
    """Record of one forward pass: what each layer is given and returns, and who reads what.

    Parameters
    ----------
    module : torch.nn.Module
        A private module, on whose layers hooks are put meanwhile.
    layers : list of torch.nn.Module
        Those of its layers to watch.
    x : tensor
        The batch to run on.

    Attributes
    ----------
    output : object
        What the module returned.

    Raises
    ------
    UnpredictableError
        Where another forward pass may take another way; no random number is drawn before.
    """

    def __init__(self, module: nn.Module, layers: list[nn.Module], x: torch.Tensor) -> None:
        self.calls: Counter[nn.Module] = Counter()
        self.inputs: dict[nn.Module, Any] = {}
        self.outputs: dict[nn.Module, Any] = {}
        self._readers: dict[int, set[nn.Module | None]] = {}
        self._alive: list[torch.Tensor] = []  # an id must not be given twice
        self._running: list[nn.Module] = []
        kinds = {torch.Tag.nondeterministic_seeded, torch.Tag.data_dependent_output}
        observer = _Observer(kinds, self._read)
        hooks = [layer.register_forward_pre_hook(self._enter) for layer in layers]
        hooks += [layer.register_forward_hook(self._leave) for layer in layers]
        try:
            with _LOCK, torch.no_grad(), observer:
                self.output = module(x)
        finally:
            for hook in hooks:
                hook.remove()
        if observer.stopped:
            raise UnpredictableError(f"{type(module).__name__} catches the errors of its layers")

    def _enter(self, layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        self.calls[layer] += 1
        self.inputs[layer] = inputs[0] if len(inputs) == 1 else None
        self._running.append(layer)

    def _leave(self, layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        self.outputs[layer] = output
        self._running.pop()

    def _read(self, values: Iterable[Any]) -> None:
        reader = self._running[-1] if self._running else None
        for tensor in _tensors(values):
            self._alive.append(tensor)
            self._readers.setdefault(id(tensor), set()).add(reader)

    def read_by(self, tensor: torch.Tensor | None, layer: nn.Module) -> bool:
        """Whether nothing but the layer computes with the tensor."""
        return tensor is None or self._readers.get(id(tensor), set()) <= {layer}


def draws_random_numbers(function: Callable[[torch.Tensor], Any], x: torch.Tensor) -> bool:
    """Whether a function of a batch draws from torch's generators; finding out draws nothing.

    Parameters
    ----------
    function : callable
        A module, or any other function of tensors.
    x : tensor
        A small batch to call it with.
    """
    observer = _Observer({torch.Tag.nondeterministic_seeded})
    try:
        with _LOCK, torch.no_grad(), observer:
            function(x)
    except Exception:  # the user's own error comes again, from the call that is meant
        return True
    return observer.stopped
