"""Classes that a saved net may name: an allow-list, and those that the caller gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import torch
from skorch import NeuralNet
from torch import nn
from torch.nn.modules import (
    activation,
    batchnorm,
    dropout,
    instancenorm,
    linear,
    loss,
    normalization,
)

from ... import attacks, modules
from ...attacks import BaseAttack

__all__ = ["KnownClasses", "full_name", "is_known_module"]

_LAYERS = (activation, batchnorm, dropout, instancenorm, linear, loss, normalization)
_NOT_PLAIN = ("_", "Lazy", "SyncBatchNorm")


def full_name(cls: type) -> str:
    """Name of a class as a file holds it."""
    return f"{cls.__module__}:{cls.__qualname__}"


def _public(package: ModuleType) -> list[type]:
    """List the public classes of a package."""
    found = (vars(package).get(name) for name in package.__all__)
    return [cls for cls in found if isinstance(cls, type)]


def _plain(module: ModuleType, kind: type) -> list[type]:
    """List the plain layers, losses or optimisers that one of torch's modules defines."""
    return [
        cls
        for name, cls in vars(module).items()
        if isinstance(cls, type)
        and issubclass(cls, kind)
        and cls is not kind
        and cls.__module__.startswith(module.__name__)
        and not name.startswith(_NOT_PLAIN)
    ]


def _nets(cls: type[NeuralNet] = NeuralNet) -> Iterator[type[NeuralNet]]:
    """Yield this library's nets, all of which are loaded by now."""
    for net in cls.__subclasses__():
        yield from _nets(net)
        if net.__module__.startswith("sklearn_robust.") and not net.__name__.startswith("_"):
            yield net


def _allowed(param: str) -> list[type]:
    """List the classes that a file may name as a parameter."""
    if param == "the net":
        return list(_nets())
    # Layers without weights of their own could make any sample huge.
    if param == "module":
        return [*_public(modules), nn.Linear]
    if param == "criterion":
        return _plain(loss, nn.Module)
    if param == "optimizer":
        return _plain(torch.optim, torch.optim.Optimizer)
    layers = [layer for module in _LAYERS for layer in _plain(module, nn.Module)]
    return [*_attacks(), *_public(modules), *layers]


def _attacks() -> list[type]:
    return [cls for cls in _public(attacks) if issubclass(cls, BaseAttack)]


def is_known_module(module: Any) -> bool:
    """Whether a net's ``module`` is built by this library or torch alone."""
    return isinstance(module, str) or module in _allowed("module")


class KnownClasses:
    """Classes that a file may name: those of known packages, and those that the caller gives."""

    def __init__(self, given: Sequence[type] = ()) -> None:
        self.given, self.used, self.named = tuple(given), set[type](), list[str]()

    def find(self, name: Any, param: str) -> type:
        """Return the class that a file names as a parameter; nothing is imported."""
        return self._find(name, param, _allowed(param))

    def find_attack(self, name: Any, param: str) -> type:
        """Return the class of an attack that a file describes."""
        return self._find(name, param, _attacks())

    def _find(self, name: Any, param: str, allowed: Sequence[type]) -> type:
        own = self._own(name)
        if own is not None:
            return own
        for cls in allowed:
            if name in (full_name(cls), _moved_name(cls, name)):
                return cls
        short = f"{str(name)[:200]!r}"
        if self.given:
            raise ValueError(
                f"the file names the class {short} as {param[:50]}, and classes holds "
                f"{', '.join(map(full_name, self.given))}: add the file's class to it."
            )
        way = "" if param == "the net" else f"load_net(path, {param[:50]}=YourClass) or "
        raise ValueError(
            f"the file names the class {short} as {param[:50]}, which is not imported from a file "
            f"unasked: give it, {way}load_net(path, classes=[YourClass])."
        )

    def _own(self, name: Any) -> type | None:
        """Find a class of the caller's: by its whole name, or moved to another module."""
        qualified = str(name).partition(":")[2]
        same = [cls for cls in self.given if full_name(cls) == name]
        moved = [cls for cls in self.given if cls.__qualname__ == qualified]
        found = next(iter(same or moved), None)
        self.named.append(str(name)[:200])
        if found is not None:
            self.used.add(found)
        return found

    def check_used(self) -> None:
        """Raise if the caller gave a class that the file does not name."""
        left = [full_name(cls) for cls in self.given if cls not in self.used]
        if left:
            raise ValueError(
                f"classes holds {', '.join(left)}, which the file does not name; it names "
                f"{', '.join(list(dict.fromkeys(self.named))[:8])}: leave out the others."
            )


def _moved_name(cls: type, name: Any) -> str | None:
    """Return ``name`` if it is that of a class of ours in a file of another name."""
    module, _, qualified = str(name).partition(":")
    ours = module.startswith("sklearn_robust.") and cls.__module__.startswith("sklearn_robust.")
    return name if ours and qualified == cls.__qualname__ else None
