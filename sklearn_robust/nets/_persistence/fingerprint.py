"""What a fit is, in words and digests: two fits of one description train the same weights."""

import functools
import hashlib
import numbers
import os
import pickle
import types
from pathlib import Path

import numpy as np
import torch
from sklearn.base import BaseEstimator
from skorch.callbacks import ParamMapper
from torch.nn.parameter import is_lazy

from ..._version import __version__
from .._engine.batching import as_rows

__all__ = ["architecture", "describe", "digest"]

# Not part of what is trained: where it is kept and computed, and what is shown meanwhile.
_ASIDE = {"checkpoint", "device", "random_state", "recipe", "verbose"}
_CHUNK = 4096
_TORCHS = set(vars(torch.nn.Module()))  # attributes of any module, which its repr and weights show
# Packages whose code does not change between two fits of one description, or has a version in it.
_KNOWN = {"builtins", "functools", "numpy", "sklearn", "sklearn_robust", "skorch", "torch"}


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
    samples = data.content if rows is None else rows.X
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
    # Of layers that the module makes for itself the code alone is left to be known.
    about["layers"] = digest(*sorted({_name_of(type(part)) for part in net.module_.modules()}))
    return about


def architecture(module):
    """Shape of each of a module's weights, by name."""
    return {
        f"weights {name}": list(value.shape)
        for name, value in module.state_dict().items()
        if isinstance(value, torch.Tensor)  # a module may add what it likes
    }


def _seed(random_state):
    if random_state is None or isinstance(random_state, numbers.Integral):
        return random_state if random_state is None else int(random_state)
    return digest(*map(np.asarray, random_state.get_state()[1:3]))


def _name_of(thing):
    """Name of a class or function, and a digest of its code where that is the user's."""
    name = f"{getattr(thing, '__module__', None)}.{thing.__qualname__}"
    codes = _codes_of(thing)
    return f"{name} {digest(*codes)}" if codes else name


def _codes_of(thing):
    if hasattr(thing, "__code__"):
        return _code(thing.__code__)
    if not isinstance(thing, type):
        return []
    own = [base for base in thing.__mro__ if base.__module__.split(".")[0] not in _KNOWN]
    members = [pair for base in own for pair in sorted(vars(base).items())]
    found = []
    for name, member in members:
        member = getattr(member, "fget", None) or getattr(member, "__func__", member)
        if hasattr(member, "__code__"):
            found += [name, *_code(member.__code__)]
        elif isinstance(member, (bool, numbers.Number, str)) and not name.startswith("__"):
            found += [name, member]
    return found


def _code(code):
    """List what a code object does: instructions, names, constants, functions within."""
    return [code.co_code, code.co_names, *map(_constant, code.co_consts)]


def _constant(value):
    if isinstance(value, types.CodeType):
        return _code(value)
    if isinstance(value, frozenset):  # in an order that is the same in every process
        return sorted(map(repr, value))
    return [_constant(item) for item in value] if isinstance(value, tuple) else value


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
    elif is_lazy(value):
        about[name] = _name_of(type(value))
    elif isinstance(value, (np.ndarray, torch.Tensor)):
        array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value
        about[name] = f"array {array.shape} {array.dtype} {digest(array)}"
    elif id(value) not in inside:
        named = hasattr(value, "__qualname__")
        about[name] = _name_of(value if named else type(value))
        for key, item in _parts(value):
            _describe(f"{name}.{key}", item, about, (*inside, id(value)))


def _parts(value):
    """Yield the named parts that make an object what it is."""
    if isinstance(value, dict):
        yield from ((str(key), item) for key, item in value.items())
    elif isinstance(value, (list, tuple)):
        yield from enumerate(value)
    elif isinstance(value, (set, frozenset)):
        yield "items", repr(sorted(map(repr, value)))
    elif isinstance(value, functools.partial):
        yield from (("func", value.func), ("args", value.args), ("keywords", value.keywords))
    elif isinstance(value, torch.nn.Module):
        yield from _parts_of_module(value)
    elif isinstance(value, types.MethodType):
        yield "of", value.__self__
        yield "function", value.__func__
    elif isinstance(value, types.FunctionType):
        yield from _parts_of_function(value)
    elif isinstance(value, ParamMapper):
        yield from _parts_of_mapper(value)
    elif not hasattr(value, "__qualname__"):
        yield from _parts_of_object(value)


def _parts_of_module(module):
    yield "repr", repr(module)
    yield from module.state_dict().items()
    for prefix, part in module.named_modules():
        if type(part).__module__.split(".")[0] not in _KNOWN:
            yield f"class of {prefix or 'all'}", type(part)
            for key, item in vars(part).items():
                left = isinstance(item, torch.Tensor) and not item.is_leaf  # by a forward pass
                if key not in _TORCHS and not left:
                    yield f"{prefix}.{key}".strip("."), item


def _parts_of_function(function):
    """Yield what a function takes from elsewhere: defaults, enclosed and global values."""
    code = function.__code__
    yield "defaults", function.__defaults__
    yield "kwdefaults", function.__kwdefaults__
    for key, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield key, cell.cell_contents
        except ValueError:  # not filled yet
            continue
    for key in code.co_names:
        item = function.__globals__.get(key)
        if hasattr(item, "__qualname__"):  # what that one calls is left alone
            yield f"global {key}", _name_of(item)
        elif not isinstance(item, types.ModuleType):
            yield f"global {key}", item


def _parts_of_mapper(mapper):
    """Yield what a Freezer was given, of which ``initialize`` makes lists and functions."""
    patterns, at, schedule = mapper.patterns, mapper.at, mapper.schedule
    yield "fn", mapper.fn
    yield "patterns", patterns if isinstance(patterns, (list, tuple)) else [patterns]
    first = getattr(at, "func", None) == mapper._epoch_at
    yield "at", at.keywords["epoch"] if first else at
    yield "schedule", None if schedule == mapper._default_schedule else schedule


def _parts_of_object(value):
    own = isinstance(value, BaseEstimator)
    items = value.get_params(deep=False) if own else getattr(value, "__dict__", None)
    if items is None:
        yield "content", _digest_of_pickle(value)
        return
    yield from ((k, v) for k, v in items.items() if not k.startswith("_") and k[-1:] != "_")
    if hasattr(value, "module_"):
        yield "module_", value.module_


def _digest_of_pickle(value):
    try:
        return digest(pickle.dumps(value))
    except Exception:  # whatever an object that cannot be copied may raise
        return "unknown"


def _digest_of_file(path):
    try:
        return digest(Path(path).read_bytes())
    except OSError:
        return "unreadable"
