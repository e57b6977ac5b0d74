"""State of an object as plain data, which a file can hold without code."""

from __future__ import annotations

import numbers
import warnings
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

__all__ = ["is_state", "restore", "state_of", "state_of_fit"]

_NOT_STATE = {"callbacks_"}  # made anew by every call of fit
_OF_FIT = ("kept", "noise", "shuffler")  # what moves while a fit runs


@runtime_checkable
class _Stateful(Protocol):
    """Object with a state dict, such as a module, an optimiser or a stream of noise."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> Any: ...


def state_of(holder: object) -> dict[str, Any]:
    """State of an object: its attributes that end in an underscore.

    Numbers, text, arrays, tensors, generators, things with a ``state_dict``, and lists and
    dicts of such are kept; the rest is left out.
    """
    return _plain_items({name: value for name, value in vars(holder).items() if is_state(name)})


def state_of_fit(fit: object) -> dict[str, Any]:
    """State of a running fit: generators, and what the net keeps from batch to batch."""
    return _plain_items({name: vars(fit)[name] for name in _OF_FIT})


def is_state(name: Any) -> bool:
    """Whether an attribute of this name is part of an object's state."""
    return isinstance(name, str) and name.endswith("_") and name not in _NOT_STATE


def _plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, torch.Generator):
        return {"__generator__": value.get_state()}
    if isinstance(value, _Stateful) and not isinstance(value, type):
        return {"__state__": _plain_items(value.state_dict())}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return {"__array__": torch.from_numpy(np.array(value))}
    if value is None or type(value) in (str, bool, int, float):
        return value
    if isinstance(value, (str, numbers.Real)):  # of a class that a file would have to name
        return str(value) if isinstance(value, str) else float(value)
    if isinstance(value, dict):
        return _plain_items(value)
    if isinstance(value, (list, tuple)):
        items = [_plain(item) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    raise TypeError(f"{type(value).__name__} is not plain data")


def _plain_items(items: dict) -> dict:
    """Keep of a dict what is plain: some schedulers put functions into their state."""
    found = {}
    for key, value in items.items():
        try:
            found[key] = _plain(value)
        except TypeError:
            continue
    return found


def restore(holder: Any, state: dict[str, Any], device: torch.device) -> None:
    """Put a state back into an object that was made in the same way.

    Parameters
    ----------
    holder : object
        What to fill.
    state : dict
        Came from ``state_of``.
    device : torch.device
        Where its tensors go.
    """
    for name, value in state.items():
        current = getattr(holder, name, None)
        if isinstance(value, dict) and "__generator__" in value:
            assert isinstance(current, torch.Generator)
            current.set_state(value["__generator__"])
        elif isinstance(value, dict) and "__state__" in value:
            _load(current, value["__state__"], f"{type(holder).__name__}.{name}")
        else:
            value = _from_plain(value, device)
            # skorch's history is a kind of list
            vars(holder)[name] = type(current)(value) if isinstance(current, list) else value


def _load(current: Any, state: dict[str, Any], name: str) -> None:
    if isinstance(current, torch.nn.Module):
        current.load_state_dict(state)
    elif isinstance(current, _Stateful):
        current.load_state_dict({**current.state_dict(), **state})
    else:
        warnings.warn(
            f"the state of {name} in the checkpoint is left out, since training begins without "
            "it: build it in on_train_begin.",
            stacklevel=2,
        )


def _from_plain(value: Any, device: torch.device) -> Any:
    if isinstance(value, dict):
        if "__array__" in value:
            return value["__array__"].numpy()
        return {key: _from_plain(item, device) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_from_plain(item, device) for item in value)
    return value.to(device) if isinstance(value, torch.Tensor) else value
