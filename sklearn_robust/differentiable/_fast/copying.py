"""Copies of modules, whatever a user's module keeps on itself."""

from __future__ import annotations

import copy
from functools import lru_cache
from types import BuiltinFunctionType, FunctionType
from typing import Any

import torch
from torch import nn

__all__ = ["copy_module", "copy_state", "frozen_twin", "into_eval", "without_gradients"]

# Attributes of these types are never changed in place.
_IMMUTABLE = (
    bool,
    bytes,
    complex,
    float,
    int,
    str,
    type,
    type(None),
    torch.device,
    torch.dtype,
    BuiltinFunctionType,
    FunctionType,
)
_COPY_PROTOCOL = {
    "__deepcopy__",
    "__getstate__",
    "__reduce__",
    "__reduce_ex__",
    "__setstate__",
    "__slots__",
}


def copy_module(module: nn.Module, memo: dict[int, Any] | None = None) -> Any:
    """Deep copy of a module that may hold tensors with a graph, unlike ``copy.deepcopy``.

    An activation that a module keeps, or a weight that is computed by pruning or normalisation,
    is copied without its graph.

    Parameters
    ----------
    module : torch.nn.Module
        What to copy; not changed.
    memo : dict, default=None
        As for ``copy.deepcopy``: what stands for an object, by its id.

    Returns
    -------
    copy : torch.nn.Module
        Shares no tensor with ``module``, except by ``memo``.
    """
    graphs = {id(tensor): tensor.detach().clone() for tensor in _computed(module)}
    known = {**graphs, **(memo or {})}
    if isinstance(module, torch.jit.ScriptModule):
        return _with_leaves(copy.deepcopy(module), module)
    try:
        return _with_leaves(copy.deepcopy(module, dict(known)), module)
    except Exception:  # a lock, a generator, an open file: the copy shares it
        pass
    with torch.inference_mode(False), torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if id(tensor) not in known:
                known[id(tensor)] = copy.deepcopy(tensor)
        return _twin(module, known)


def _with_leaves(copied: Any, module: nn.Module) -> Any:
    """Return a copy whose weights are leaves; in copies of TorchScript modules they are not."""
    for weight, own in zip(copied.parameters(), module.parameters(), strict=False):
        if not weight.is_leaf:
            weight.detach_().requires_grad_(own.requires_grad)
    return copied


def into_eval(module: nn.Module) -> Any:
    """Put a module into evaluation mode, as its own ``eval`` defines it; return it."""
    try:
        module.eval()
    except (AttributeError, NotImplementedError, RuntimeError):  # an exported or frozen program
        for part in module.modules():
            if part is not module:
                part.training = False
    return module


def without_gradients(module: nn.Module) -> Any:
    """Let no weight of a module take part in gradients; return it."""
    for weight in module.parameters():
        if not weight.is_leaf:  # in copies of TorchScript modules
            weight.detach_()
        weight.requires_grad_(False)
    return module


def copy_state(module: nn.Module) -> dict[str, Any]:
    """State dict of a module that no longer changes with it."""
    return {
        name: value.detach().clone() if isinstance(value, torch.Tensor) else copy.deepcopy(value)
        for name, value in module.state_dict().items()
    }


def frozen_twin(module: nn.Module, *, compiled: bool = True) -> Any:
    """Copy of a module in eval mode that shares the memory of its weights.

    Flags, hooks, buffers and all other attributes belong to the twin alone, so threads may use the
    module and its twins at the same time. An attribute that cannot be copied is shared.

    Parameters
    ----------
    module : torch.nn.Module
        What to copy; neither it nor its flags change at any time.
    compiled : bool, default=True
        Whether a part that ``torch.compile`` made may be shared in place of being copied, so that
        it is not compiled anew. Its weights must stay as they are, then.

    Returns
    -------
    twin : torch.nn.Module
        Its weights need no gradient, and follow those of ``module`` when these change in place.
    """
    memo: dict[int, Any] = {}
    with torch.inference_mode(False), torch.no_grad():
        for part in module.modules():
            if isinstance(part, torch.jit.ScriptModule):  # copies its own weights
                continue
            for weight in part._parameters.values():
                if weight is not None:
                    memo[id(weight)] = nn.Parameter(weight.detach(), requires_grad=False)
            for buffer in part._buffers.values():
                if buffer is not None:
                    memo[id(buffer)] = buffer.detach().clone()
        twin = _twin(module, memo, compiled)
    return into_eval(twin)


def _twin(part: nn.Module, memo: dict[int, Any], compiled: bool = True) -> nn.Module:
    if id(part) in memo:
        return memo[id(part)]
    if isinstance(part, torch.jit.ScriptModule):
        memo[id(part)] = without_gradients(copy.deepcopy(part))
        return memo[id(part)]
    original = part._modules.get("_orig_mod")
    if original is not None:  # a compiled module: a copy would be compiled anew
        shared = compiled and not part.training
        memo[id(part)] = part if shared else _twin(original, memo, compiled)
        return memo[id(part)]
    cls: Any = type(part)
    if _copies_itself(cls):
        attempt = dict(memo)  # without what a copy that fails leaves in it
        try:
            twin = copy.deepcopy(part, attempt)
        except Exception:  # the parts one by one, then
            pass
        else:
            memo.update(attempt)
            return twin
    twin = memo[id(part)] = cls.__new__(cls)
    content = vars(twin)
    for name, value in list(vars(part).items()):
        if name == "_modules":
            content[name] = value.copy()
            for key, child in value.items():
                content[name][key] = None if child is None else _twin(child, memo, compiled)
        elif name in ("_parameters", "_buffers"):
            content[name] = value.copy()
            for key, tensor in value.items():
                content[name][key] = memo.get(id(tensor))
        elif isinstance(value, _IMMUTABLE):
            content[name] = value
        elif isinstance(value, dict) and not value:  # most attributes: tables of no hooks
            content[name] = copy.copy(value)
        else:
            content[name] = _private(value, memo)
    return twin


@lru_cache(maxsize=1024)
def _copies_itself(cls: type) -> bool:
    """Whether a class says how it is copied; torch's layers do so for old files alone."""
    for base in cls.__mro__:
        foreign = base is not object and not base.__module__.startswith("torch.nn.modules.")
        if foreign and _COPY_PROTOCOL & vars(base).keys():
            return True
    return False


def _private(value: Any, memo: dict[int, Any]) -> Any:
    for tensor in _computed(value):
        memo.setdefault(id(tensor), tensor.detach())
    try:
        return copy.deepcopy(value, memo)
    except Exception:  # a lock, a generator, an open file
        return value


def _computed(value: Any) -> list[torch.Tensor]:
    """List the tensors with a graph that a module holds, also in lists, tuples and dicts."""
    found, seen, left = [], set(), [value]
    while left:
        value = left.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, torch.Tensor):
            if not value.is_leaf:
                found.append(value)
        elif isinstance(value, nn.Module):
            left += vars(value).values()
        elif isinstance(value, dict):
            left += value.values()
        elif isinstance(value, (list, tuple)):
            left += value
    return found
