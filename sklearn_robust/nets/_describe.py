"""What a fit is, in words and digests: two fits of one description train the same weights."""

import functools
import hashlib
import numbers
import os
from pathlib import Path

import numpy as np
import torch
from sklearn.base import BaseEstimator

from .._version import __version__
from ._batches import as_rows

__all__ = ["architecture", "describe", "digest"]

# Not part of what is trained: where it is kept and computed, and what is shown meanwhile.
_ASIDE = {"checkpoint", "device", "random_state", "recipe", "verbose"}
_CHUNK = 4096


def digest(*parts):
    """Short digest of bytes, arrays and text."""
    hashed = hashlib.blake2b(digest_size=8)
    for part in parts:
        if isinstance(part, np.ndarray) and part.dtype.kind != "O":
            for start in range(0, max(len(part), 1) if part.ndim else 1, _CHUNK):
                chunk = part[start : start + _CHUNK] if part.ndim else part
                hashed.update(np.ascontiguousarray(chunk).data.cast("B") if chunk.size else b"")
        else:
            hashed.update(part if isinstance(part, bytes) else repr(part).encode())
    return hashed.hexdigest()


def describe(net, data):
    """Describe a fit: net, data, parameters and versions.

    Returns
    -------
    about : dict
        Plain values by dotted name.
    """
    labels = np.asarray(net.classes_)
    rows = as_rows(data)
    samples = net.extremes_ if rows is None else rows.X
    about = {
        "sklearn_robust": __version__,
        "torch": str(torch.__version__),
        "net": _name_of(type(net)),
        "data": f"{len(data)} samples {digest(samples, data.codes, labels.tolist())}",
        "random_state": _seed(net.random_state),
    }
    for name, value in sorted(net.get_params(deep=False).items()):
        if name not in _ASIDE:
            _describe(name, value, about, ())
    return about


def architecture(module):
    """Shape of each of a module's weights, by name."""
    return {f"weights {name}": list(value.shape) for name, value in module.state_dict().items()}


def _seed(random_state):
    if random_state is None or isinstance(random_state, numbers.Integral):
        return random_state if random_state is None else int(random_state)
    return digest(*map(np.asarray, random_state.get_state()[1:3]))


def _name_of(thing):
    name = f"{getattr(thing, '__module__', None)}.{thing.__qualname__}"
    code = getattr(thing, "__code__", None)
    if code is None:
        return name
    constants = [c for c in code.co_consts if isinstance(c, (str, bytes, numbers.Number))]
    return f"{name} {digest(code.co_code, code.co_names, constants)}"  # all lambdas share a name


def _describe(name, value, about, inside):
    """Add what ``value`` is to ``about``, under dotted names."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, numbers.Real, str)):
        about[name] = value
        if name == "init_from" and value is not None:
            about[name] = f"{value} {_digest_of_file(value)}"
    elif isinstance(value, os.PathLike):
        _describe(name, os.fspath(value), about, inside)
    elif isinstance(value, (np.ndarray, torch.Tensor)):
        array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value
        about[name] = f"array {array.shape} {array.dtype} {digest(array)}"
    elif hasattr(value, "__qualname__"):
        about[name] = _name_of(value)
    elif id(value) not in inside:
        about[name] = type(value).__qualname__
        for key, item in _parts(value):
            _describe(f"{name}.{key}", item, about, (*inside, id(value)))


def _parts(value):
    """Yield the named parts that make an object what it is."""
    if isinstance(value, dict):
        yield from ((str(key), item) for key, item in value.items())
    elif isinstance(value, (list, tuple)):
        yield from enumerate(value)
    elif isinstance(value, functools.partial):
        yield from (("func", value.func), ("args", value.args), ("keywords", value.keywords))
    elif isinstance(value, torch.nn.Module):
        yield "repr", repr(value)
        yield from value.state_dict().items()
    else:
        own = isinstance(value, BaseEstimator)
        items = value.get_params(deep=False) if own else getattr(value, "__dict__", {})
        yield from ((k, v) for k, v in items.items() if not k.startswith("_") and k[-1:] != "_")
        if hasattr(value, "module_"):
            yield "module_", value.module_


def _digest_of_file(path):
    try:
        return digest(Path(path).read_bytes())
    except OSError:
        return "unreadable"
