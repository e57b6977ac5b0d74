"""The modules inside an opened model: their names, their precision, and a copy to hook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import singledispatch
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from .. import _validation as check
from ..differentiable import AnyDtype, DifferentiableModel, Model
from ..differentiable._fast.copying import copy_module
from ..differentiable._layers.outputs import Chain, OutputOf
from ..nets._engine.skorch_models import LogProbabilities, TwoColumns

__all__ = ["example_for", "hookable_copy", "module_names", "own_dtype", "step_names"]


@runtime_checkable
class _Shaped(Protocol):
    """Array, tensor or frame that knows its shape."""

    shape: Any


def hookable_copy(model: nn.Module) -> nn.Module:
    """Copy of a model whose modules are its own, so that hooks on them meet no other thread.

    The copy shares the weights of the model, and costs no memory for them.
    """
    return copy_module(model, {id(t): t for t in (*model.parameters(), *model.buffers())})


def module_names(model: nn.Module) -> dict[nn.Module, str]:
    """Modules of the model without its wrappers, with the names in the user's own network."""
    wrappers, root = _wrappers(model)
    names = {module: name.removeprefix("body.") for name, module in model.named_modules()}
    names |= {module: name for name, module in root.named_modules()}
    names[root] = "model"
    for module, name, _ in _modules_of_steps(wrappers):
        names[module] = name
    return {module: name for module, name in names.items() if module not in wrappers}


def step_names(model: nn.Module) -> dict[nn.Module, str]:
    """Modules inside the transformers of a pipeline, with the names that the user gave those.

    A step of a pipeline inside another is named ``outer.inner``.
    """
    return {module: step for module, _, step in _modules_of_steps(_wrappers(model)[0])}


def _wrappers(model: nn.Module) -> tuple[list[nn.Module], nn.Module]:
    """Wrappers around the user's own network, and that network."""
    wrappers: list[nn.Module] = []
    while (inner := _inner(model)) is not None:
        wrappers.append(model)
        model = inner
    return wrappers, model


def _modules_of_steps(wrappers: list[nn.Module]) -> Iterator[tuple[nn.Module, str, str]]:
    """Modules of the steps before the last, their own names and those of their steps."""
    for chain in wrappers:
        if isinstance(chain, Chain) and chain.names:
            for name, step in zip(chain.names, chain.steps, strict=False):
                yield from _modules_of_step(step, name)


def _modules_of_step(step: nn.Module, name: str) -> Iterator[tuple[nn.Module, str, str]]:
    yield step, name, name
    body = step.body if isinstance(step, OutputOf) else step
    if isinstance(body, Chain) and body.names:
        for inner, part in zip(body.names, (*body.steps, body.last), strict=True):
            yield from _modules_of_step(part, f"{name}.{inner}")
        return
    for path, module in body.named_modules():
        if module is not step:
            yield module, f"{name}.{path or 'body'}", name


@singledispatch
def _inner(module: nn.Module) -> nn.Module | None:
    """Find the module inside one of this package's wrappers; None for any other module."""
    return None


@_inner.register(DifferentiableModel)
@_inner.register(LogProbabilities)
@_inner.register(OutputOf)
@_inner.register(TwoColumns)
def _body(module: Any) -> nn.Module:
    return module.body


@_inner.register
def _copied(module: AnyDtype) -> nn.Module:
    return module.module


@_inner.register
def _last_step(module: Chain) -> nn.Module:
    return module.last


def own_dtype(model: nn.Module) -> torch.dtype:
    """Precision that the model computes in: that of its parameters; float64 if it has none."""
    return next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float64)


def example_for(
    model: Model, X: Any = None, input_shape: Sequence[int] | None = None
) -> torch.Tensor:
    """Two samples of zeros of the shape that the model takes, in its precision.

    ``X`` is only asked for its shape; a fitted net knows its own.
    """
    shape = _given_shape(X, input_shape) or model.input_shape
    wanted = model.input_shape
    if shape is None:
        raise ValueError(
            f"{model.name} does not say what shape its samples have: pass X, or "
            "input_shape=(1, 28, 28) for such images."
        )
    if wanted is not None and tuple(shape) != tuple(wanted):
        raise ValueError(
            f"The samples have shape {tuple(shape)}, but {model.name} was fitted on samples of "
            f"shape {tuple(wanted)}."
        )
    return torch.zeros((2, *shape), dtype=own_dtype(model.module), device=model.device)


def _given_shape(X: Any, input_shape: Sequence[int] | None) -> tuple[int, ...] | None:
    """Shape of one sample by the arguments; None if neither is given."""
    given = None if input_shape is None else check.check_shape("input_shape", input_shape)
    if X is None:
        return given
    shape = tuple(X.shape)[1:] if isinstance(X, _Shaped) else ()
    shape = shape or check.check_samples(X).shape[1:]
    if given not in (None, shape):
        raise ValueError(
            f"X has samples of shape {shape}, but input_shape is {given}: pass one of the two."
        )
    return shape
