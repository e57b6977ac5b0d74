"""What an object has learnt so far, as plain data that a file can hold without code."""

import numbers

import numpy as np
import torch

__all__ = ["restore", "state_of"]

# Attributes that end in an underscore and are no state: made anew by every call of fit.
_NOT_STATE = {"callbacks_", "checkpoints_", "good_state_", "progress_"}


def state_of(holder):
    """State of an object: its attributes that end in an underscore.

    Numbers, text, arrays, tensors, generators, things with a ``state_dict``, and lists and
    dicts of such are kept; the rest is left out.
    """
    found = {}
    for name, value in vars(holder).items():
        if name.endswith("_") and name not in _NOT_STATE:
            try:
                found[name] = _plain(value)
            except TypeError:
                continue
    return found


def _plain(value):
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, torch.Generator):
        return {"__generator__": value.get_state()}
    if hasattr(value, "load_state_dict"):
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
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [_plain(item) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    raise TypeError(f"{type(value).__name__} is no plain data")


def _plain_items(state):
    """Keep of a state dict what is plain: some schedulers put functions in theirs."""
    found = {}
    for key, value in state.items():
        try:
            found[key] = _plain(value)
        except TypeError:
            continue
    return found


def restore(holder, state, device):
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
        if not isinstance(value, dict):
            vars(holder)[name] = _like(current, value, device)
        elif "__generator__" in value:
            current.set_state(value["__generator__"])
        elif "__state__" in value:
            _load(current, value["__state__"])
        else:
            vars(holder)[name] = _like(current, value, device)


def _load(current, state):
    if isinstance(current, torch.nn.Module):
        current.load_state_dict(state)
    else:
        current.load_state_dict({**current.state_dict(), **state})


def _like(current, value, device):
    if isinstance(value, dict):
        if "__array__" in value:
            return value["__array__"].numpy()
        return {key: _like(None, item, device) for key, item in value.items()}
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(current, list):  # skorch's history is a kind of list
        return type(current)(value)
    return value
