"""Description of a fit by parameters, data and code: equal ones train the same weights."""

from __future__ import annotations

import functools
import hashlib
import numbers
import os
import pickle
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from skorch import NeuralNet
from skorch.callbacks import ParamMapper
from torch import nn
from torch.nn.parameter import is_lazy

from ..._version import __version__
from .._engine.batching import as_rows
from .user_code import UserCode, is_library, name_of, version_of

__all__ = ["architecture", "describe", "differences", "digest"]

# Not part of what is trained: where it is kept and computed, and what is shown meanwhile.
_ASIDE = {"checkpoint", "device", "random_state", "recipe", "verbose"}
_CHUNK = 4096
_TORCHS = set(vars(nn.Module()))  # attributes of any module, which its repr and weights show
_CODE = re.compile(r"(.+) \(code \w+\)")


def digest(*parts: Any) -> str:
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


def describe(net: Any, data: Any) -> dict[str, Any]:
    """Describe a fit: net, data, parameters, code and versions.

    Library code is described by the version of its package, the user's by its source without
    docstrings, comments, layout and import paths.

    Returns
    -------
    about : dict
        Plain values by dotted name.
    """
    labels = np.asarray(net.classes_)
    rows = as_rows(data)
    samples = data.content if rows is None else rows.X
    said = _Description()
    said.about = {
        "sklearn_robust": __version__,
        "torch": str(torch.__version__),
        "net": said.name(type(net)),
        "data": f"{len(data)} samples {digest(samples, data.codes, labels.tolist())}",
        "random_state": _seed(net.random_state),
    }
    for name, value in sorted(net.get_params(deep=False).items()):
        if name not in _ASIDE:
            said.add(name, value)
    # Layers that the module makes for itself are known by their code alone.
    layers = {said.name(type(part)) for part in net.module_.modules()}
    said.about["layers"] = ", ".join(sorted(layers))
    return said.result()


def architecture(module: nn.Module) -> dict[str, list[int]]:
    """Shape of each of a module's weights, by name."""
    return {
        f"weights {name}": list(value.shape)
        for name, value in module.state_dict().items()
        if isinstance(value, torch.Tensor)  # a module may add what it likes
    }


def differences(now: dict[str, Any], was: dict[str, Any]) -> list[str]:
    """Say in which parts two descriptions differ: parameters first, then the code they use."""
    other = [name for name in {**was, **now} if now.get(name) != was.get(name)]
    direct = [name for name in other if not name.startswith(("code of ", "layers"))]
    code = [n for n in other if n.startswith("code of ") and n in now and n in was]
    return list(dict.fromkeys(_difference(name, now, was) for name in direct + code or other))


def _difference(name: str, now: dict[str, Any], was: dict[str, Any]) -> str:
    ours, theirs = now.get(name, "absent"), was.get(name, "absent")
    if name.startswith("code of ") and "absent" not in (ours, theirs):
        return f"the {name} has changed"
    mine, other = (_CODE.fullmatch(str(value)) for value in (ours, theirs))
    if mine and other and mine[1] == other[1]:
        return f"the code of {mine[1]} has changed"
    return f"{name} is {ours!r} and was {theirs!r}"


def _seed(random_state: Any) -> int | str | None:
    if random_state is None or isinstance(random_state, numbers.Integral):
        return random_state if random_state is None else int(random_state)
    return digest(*map(np.asarray, random_state.get_state()[1:3]))


class _Description:
    """Description in the making: plain values by dotted name, and the code behind them."""

    def __init__(self) -> None:
        self.about: dict[str, Any] = {}
        self._code = UserCode()
        self._versions: dict[str, str] = {}

    def result(self) -> dict[str, Any]:
        """Give the description with code and versions."""
        texts = self._code.texts.items()
        code = {f"code of {name}": digest(*text) for name, text in texts if text}
        return {**self._versions, **self.about, **code}

    def name(self, thing: Any) -> str:
        """Name of a class or function, and a digest of its code where that is the user's."""
        self._versions.update(version_of(thing))
        name, own = name_of(thing), self._code.add(thing)
        return f"{name} (code {digest(*own)})" if own else name

    def add(self, name: str, value: Any, inside: tuple[int, ...] = ()) -> None:
        """Add what ``value`` is, under dotted names."""
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, (bool, numbers.Real, str)):
            self.about[name] = value
            if name == "init_from" and isinstance(value, str):
                self.about[name] = f"{value} {_digest_of_file(value)}"
        elif isinstance(value, os.PathLike):
            self.add(name, os.fspath(value), inside)
        elif is_lazy(value):
            self.about[name] = self.name(type(value))
        elif isinstance(value, (np.ndarray, torch.Tensor)):
            array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value
            self.about[name] = f"array {array.shape} {array.dtype} {digest(array)}"
        elif id(value) not in inside:
            self.about[name] = self.name(value if _is_named(value) else type(value))
            for key, item in _parts(value):
                self.add(f"{name}.{key}", item, (*inside, id(value)))


def _is_named(value: Any) -> bool:
    """Whether a value is a class or function, with a name of its own."""
    return isinstance(value, type) or hasattr(value, "__qualname__")


def _parts(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the named parts that make an object what it is."""
    if isinstance(value, dict):
        yield from ((str(key), item) for key, item in value.items())
    elif isinstance(value, (list, tuple)):
        yield from enumerate(value)
    elif isinstance(value, (set, frozenset)):
        yield "items", repr(sorted(map(repr, value)))
    elif isinstance(value, functools.partial):
        yield from (("func", value.func), ("args", value.args), ("keywords", value.keywords))
    elif isinstance(value, nn.Module):
        yield from _parts_of_module(value)
    elif isinstance(value, types.MethodType):
        yield "of", value.__self__
        yield "function", value.__func__
    elif isinstance(value, types.FunctionType):
        yield from _parts_of_function(value)
    elif isinstance(value, ParamMapper):
        yield from _parts_of_mapper(value)
    elif not _is_named(value):
        yield from _parts_of_object(value)


def _parts_of_module(module: nn.Module) -> Iterator[tuple[str, Any]]:
    yield "repr", repr(module)
    yield from module.state_dict().items()
    for prefix, part in module.named_modules():
        if not is_library(type(part)):
            yield f"class of {prefix or 'all'}", type(part)
            for key, item in vars(part).items():
                left = isinstance(item, torch.Tensor) and not item.is_leaf  # by a forward pass
                if key not in _TORCHS and not left:
                    yield f"{prefix}.{key}".strip("."), item


def _parts_of_function(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
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
        if not _is_named(item) and not isinstance(item, types.ModuleType):
            yield f"global {key}", item


def _parts_of_mapper(mapper: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a Freezer was given, of which ``initialize`` makes lists and functions."""
    patterns, at, schedule = mapper.patterns, mapper.at, mapper.schedule
    yield "fn", mapper.fn
    yield "patterns", patterns if isinstance(patterns, (list, tuple)) else [patterns]
    first = isinstance(at, functools.partial) and at.func == mapper._epoch_at
    yield "at", at.keywords["epoch"] if first else at
    yield "schedule", None if schedule == mapper._default_schedule else schedule


def _parts_of_object(value: Any) -> Iterator[tuple[str, Any]]:
    own = isinstance(value, BaseEstimator)
    items = value.get_params(deep=False) if own else getattr(value, "__dict__", None)
    if items is None:
        yield "content", _digest_of_pickle(value)
        return
    yield from ((k, v) for k, v in items.items() if not k.startswith("_") and k[-1:] != "_")
    if isinstance(value, NeuralNet) and value.initialized_:
        yield "module_", value.module_


def _digest_of_pickle(value: Any) -> str:
    try:
        return digest(pickle.dumps(value))
    except Exception:  # whatever an object that cannot be copied may raise
        return "unknown"


def _digest_of_file(path: str | os.PathLike) -> str:
    try:
        return digest(Path(path).read_bytes())
    except OSError:
        return "unreadable"
