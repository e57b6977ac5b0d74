"""JSON form of parameters, and the classes that a file may name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from skorch import NeuralNet
from torch import nn

from ...attacks._base import BaseAttack

__all__ = ["KnownClasses", "decode", "encode", "encode_all", "full_name"]

# What a file may name: classes of these kinds from these packages. All else could run code.
_KINDS = (NeuralNet, BaseAttack, nn.Module, torch.optim.Optimizer)
_PACKAGES = ("sklearn_robust", "torch.nn", "torch.optim")

_CONTAINERS = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset, "dict": dict}


def full_name(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _is_known(module: str) -> bool:
    return any(f"{module}.".startswith(f"{package}.") for package in _PACKAGES)


def encode(name: str, value: Any) -> Any:
    """JSON form of a parameter."""
    if isinstance(value, nn.Module):
        return {"instance": full_name(type(value))}
    if isinstance(value, type):
        return {"class": full_name(value)}
    if isinstance(value, BaseEstimator):
        params = value.get_params(deep=False)
        return {"object": full_name(type(value)), "params": encode_all(params)}
    if isinstance(value, np.ndarray):
        return {"array": value.tolist(), "dtype": str(value.dtype)}
    if isinstance(value, torch.Tensor):
        kind = str(value.dtype).removeprefix("torch.")
        return {"tensor": value.tolist(), "dtype": kind}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    value = list(value) if isinstance(value, range) else value
    for kind, container in _CONTAINERS.items():
        if isinstance(value, container):
            items = value.items() if kind == "dict" else value
            return {kind: [encode(name, item) for item in items]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(
        f"parameter {name}={value!r} cannot be written as JSON; save the net with joblib, or set "
        f"net.{name} to a plain value before net.save."
    )


def encode_all(params: dict[str, Any]) -> dict[str, Any]:
    return {name: encode(name, value) for name, value in params.items()}


class KnownClasses:
    """Classes that a file may name: those of known packages, and those that the caller gives."""

    def __init__(self, given: Sequence[type] = ()) -> None:
        self.given, self.used, self.named = tuple(given), set[type](), list[str]()

    def find(self, name: Any, param: str, kinds: tuple[type, ...] = _KINDS) -> type:
        """Return the class of a name in the file."""
        if (own := self._own(name)) is not None:
            return own
        module, _, qualified = str(name).partition(":")
        if _is_known(module):
            try:
                found = getattr(import_module(module), qualified)
            except (ImportError, AttributeError):
                found = None
            # Its own name, not that of something which the module happens to import.
            if isinstance(found, type) and issubclass(found, kinds) and full_name(found) == name:
                return found
        if self.given:
            raise ValueError(
                f"the file names the class {name!r} as {param}, and classes holds "
                f"{', '.join(map(full_name, self.given))}: add the file's class to it."
            )
        way = "" if param == "the net" else f"load_net(path, {param}=YourClass) or "
        raise ValueError(
            f"the file names the class {name!r} as {param}, which is not imported from a file "
            f"unasked: give it, {way}load_net(path, classes=[YourClass])."
        )

    def _own(self, name: Any) -> type | None:
        """Find a class of the caller's: by its whole name, or moved to another module."""
        qualified = str(name).partition(":")[2]
        same = [cls for cls in self.given if full_name(cls) == name]
        moved = [cls for cls in self.given if cls.__qualname__ == qualified]
        found = next(iter(same or moved), None)
        self.named.append(str(name))
        if found is not None:
            self.used.add(found)
        return found

    def check_used(self) -> None:
        """Raise if the caller gave a class that the file does not name."""
        left = [full_name(cls) for cls in self.given if cls not in self.used]
        if left:
            raise ValueError(
                f"classes holds {', '.join(left)}, which the file does not name; it names "
                f"{', '.join(dict.fromkeys(self.named))}: leave out the others."
            )

    def decode(self, value: Any, param: str) -> Any:
        """Return a parameter of its JSON form."""
        if not isinstance(value, dict):
            return value
        if "instance" in value:
            raise ValueError(
                f"the net was given a ready {param}, a {value['instance']}, and the file holds its "
                f"weights alone, if any: build it again and give it, load_net(path, {param}=...)."
            )
        if "class" in value:
            return self.find(value["class"], param)
        if "object" in value:
            params = {name: self.decode(item, name) for name, item in value["params"].items()}
            return self.find(value["object"], param)(**params)
        if "array" in value:
            return np.asarray(value["array"], dtype=value["dtype"])
        if "tensor" in value:
            return torch.tensor(value["tensor"], dtype=getattr(torch, value["dtype"]))
        ((kind, items),) = value.items()
        return _CONTAINERS[kind](self.decode(item, param) for item in items)


def decode(value: Any, param: str) -> Any:
    return KnownClasses().decode(value, param)
