"""Size of a saved net's module, known before it takes any memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["TooLargeError", "build_without_memory", "size_of"]


class TooLargeError(Exception):
    """A module that has more layers, or larger ones, than its weights in the file can fill."""


class _CountedOps(TorchDispatchMode):
    """Mode that stops after so many operations; each layer takes a few to build."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.left = most

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        self.left -= 1
        if self.left < 0:
            raise TooLargeError("it has more layers than weights")
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
    # A tensor takes some 300 bytes in a file at the least, and some 10 operations to make.
    net.init_context_ = "module"  # skorch lets no one else set components
    with _CountedOps(min(1000 + n_bytes // 20, 100_000)), torch.device("meta"):
        net.initialize_module()
    return net.module_


def size_of(module: nn.Module) -> int:
    """Bytes that the weights of a module take, each storage once."""
    sizes: dict[Any, int] = {}
    for name, weight in module.state_dict().items():
        if isinstance(weight, torch.Tensor) and not is_lazy(weight):
            shared = weight.untyped_storage()._cdata if weight.layout == torch.strided else name
            sizes[shared] = weight.numel() * weight.element_size()
    return sum(sizes.values())
