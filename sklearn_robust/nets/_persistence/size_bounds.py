"""Bounds on the module that a saved net describes: how large it may be, and how many layers."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["Bounded", "TooLargeError", "build_without_memory", "size_of"]

_MOST_OPS = 100_000


class TooLargeError(Exception):
    """A module that has more layers, or larger ones, than its weights in the file can fill."""


class Bounded(TorchDispatchMode):
    """Mode of one thread in which torch makes few and small tensors.

    Parameters
    ----------
    n_bytes : int
        Size of the weights in the file, of which a tensor takes some 300 at the least.
    few_ops : int
        Operations for a file without weights; each tensor may take some ten more.
    most_numbers : float, default=inf
        Numbers in all new tensors.
    """

    def __init__(self, n_bytes: int, few_ops: int, most_numbers: float = math.inf) -> None:
        super().__init__()
        self.ops, self.numbers = min(few_ops + n_bytes // 20, _MOST_OPS), most_numbers

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        self.ops -= 1
        if args and isinstance(args[0], (list, tuple)) and all(type(n) is int for n in args[0]):
            self.numbers -= math.prod(args[0])  # the shape of a new tensor
        if self.ops < 0 or self.numbers < 0:
            raise TooLargeError("it is larger than its weights in the file")
        return func(*args, **(kwargs or {}))


def build_without_memory(net: Any, n_bytes: int) -> nn.Module:
    """Build a net's module on torch's meta device, where tensors have shapes and no content.

    Parameters
    ----------
    net : BaseNet
        Knows its labels and the shape of its samples; its ``module_`` is set.
    n_bytes : int
        Size of the weights in the file, which bounds the number of layers.

    Returns
    -------
    module : torch.nn.Module
        The module, without content.
    """
    net.init_context_ = "module"  # skorch lets no one else set components
    with Bounded(n_bytes, 1000), torch.device("meta"):
        net.initialize_module()
    return net.module_


def size_of(module: nn.Module) -> int | None:
    """Bytes that the weights of a module take, each storage once; None if some have no shape."""
    sizes: dict[Any, int] = {}
    for name, weight in module.state_dict().items():
        if is_lazy(weight):
            return None
        if isinstance(weight, torch.Tensor):
            shared = weight.untyped_storage()._cdata if weight.layout == torch.strided else name
            sizes[shared] = weight.numel() * weight.element_size()
    return sum(sizes.values())
