"""What the layers of a model hold while it runs on a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..differentiable import DifferentiableModel
from ._layers import last_layer, layers_of
from ._maps import Diagonal
from ._modules import hookable_copy, module_names
from ._trace import Trace

__all__ = ["FeatureReader", "features_of", "hidden_layers", "last_input"]

_INPUT = "<"  # before the name of a module whose input is wanted


@dataclass(frozen=True)
class _Place:
    """A place in a run of a model: a module, which of its runs, its input or its output."""

    module: str
    run: int = 1
    at_input: bool = False

    @classmethod
    def named(cls, name: str) -> _Place:
        """Place of a name as users know it: ``conv``, ``conv:2`` or ``<conv``."""
        module, _, run = name.removeprefix(_INPUT).partition(":")
        return cls(module, int(run or 1), name.startswith(_INPUT))


def hidden_layers(trace: Trace) -> dict[str, str]:
    """Names and classes of the linear layers that are modules, in the order of the run."""
    layers = layers_of(trace, fold_bn=False)
    linear = [layer for layer in layers if not isinstance(layer.map, Diagonal | None)]
    calls = [layer.call for layer in linear if layer.call is not None]
    return {call.name: type(call.module).__name__ for call in calls}


def last_input(trace: Trace) -> str | None:
    """Name of the input of the module that is the last linear layer, or None."""
    last = last_layer(trace)
    if last is None:
        return None
    call = trace.nodes[last.node].call
    return _INPUT + call.name if call is not None and call.start == last.node else None


class FeatureReader:
    """Copy of a model that returns what its modules hold, instead of its logits.

    Parameters
    ----------
    model : DifferentiableModel
        The model; it is not changed.
    wanted : list of str
        Names of modules, ``conv:2`` for a second run; with ``<`` before the name, their input.
    """

    def __init__(self, model: DifferentiableModel, wanted: list[str]) -> None:
        self._wanted = {_Place.named(name): name for name in wanted}
        self._held: dict[str, Tensor] = {}
        self._runs: Counter[tuple[nn.Module, bool]] = Counter()
        self._copy = hookable_copy(model)
        modules = {place.module for place in self._wanted}
        for module, name in module_names(self._copy).items():
            if name in modules:
                self._watch(module, name)

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        """Features (n, n_features) of each name, for the samples ``x``.

        They are copies: a later operation in place does not change them.
        """
        self._held = {}
        self._runs.clear()
        self._copy(x)
        return self._held

    def _watch(self, module: nn.Module, name: str) -> None:
        def enter(module: nn.Module, args: tuple[Any, ...]) -> None:
            self._runs[module, True] += 1
            self._keep(_Place(name, self._runs[module, True], at_input=True), args[0])

        def leave(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            self._runs[module, False] += 1
            self._keep(_Place(name, self._runs[module, False]), output)

        module.register_forward_pre_hook(enter)
        module.register_forward_hook(leave)

    def _keep(self, place: _Place, value: Any) -> None:
        if place in self._wanted:
            value = value[0] if isinstance(value, (tuple, list)) else value
            self._held[self._wanted[place]] = value.detach().flatten(1).clone()


def features_of(
    model: DifferentiableModel, X: NDArray[Any], name: str, batches: Iterable[slice]
) -> Tensor:
    """Features (n, n_features) of one module, batch by batch."""
    reader = FeatureReader(model, [name])
    with torch.no_grad():
        return torch.cat([reader(model.tensor(X[rows]))[name].cpu() for rows in batches])
