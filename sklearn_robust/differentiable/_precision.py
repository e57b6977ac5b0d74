"""Modules in another dtype than their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ._fast.copying import frozen_twin

__all__ = ["CastAround", "MakesFloat64", "own_dtype", "twin_in"]

_COMPLEX = {
    torch.float16: torch.complex64,
    torch.bfloat16: torch.complex64,
    torch.float32: torch.complex64,
    torch.float64: torch.complex128,
}
_LOW = {torch.float16, torch.bfloat16}
_CASTS = {torch.Tensor.to, torch.Tensor.type}
_FACTORIES = {
    torch.arange,
    torch.as_tensor,
    torch.empty,
    torch.eye,
    torch.from_numpy,
    torch.full,
    torch.linspace,
    torch.logspace,
    torch.normal,
    torch.ones,
    torch.rand,
    torch.randn,
    torch.scalar_tensor,
    torch.tensor,
    torch.zeros,
    torch.Tensor.new_empty,
    torch.Tensor.new_full,
    torch.Tensor.new_ones,
    torch.Tensor.new_tensor,
    torch.Tensor.new_zeros,
}


def own_dtype(module: nn.Module) -> torch.dtype | None:
    """Dtype of a module's weights if all of them are in half precision, else None."""
    kinds = {p.dtype for p in module.parameters() if p.is_floating_point()}
    return kinds.pop() if len(kinds) == 1 and kinds <= _LOW else None


def twin_in(module: nn.Module, x: torch.Tensor) -> Any:
    """Frozen twin whose floating-point weights have the dtype of ``x``, complex ones its digits."""

    def cast(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.is_complex():
            return tensor.to(x.device, _COMPLEX[x.dtype])
        return tensor.to(x.device, x.dtype if tensor.is_floating_point() else None)

    with torch.inference_mode(False), torch.no_grad():
        return frozen_twin(module, compiled=False)._apply(cast)


class _Float64(TorchFunctionMode):
    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is torch.Tensor.float:
            return args[0].double()
        made = func(*args, **kwargs)
        if func not in _FACTORIES and not (func in _CASTS and _names_float32(args, kwargs)):
            return made
        return made.double() if made.dtype == torch.float32 else made


def _names_float32(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return any(value is torch.float32 for value in (*args, *kwargs.values()))


class MakesFloat64(nn.Module):
    """Module whose ``forward`` makes float64 tensors where it asks for float32 ones.

    Other threads and other modules notice nothing.

    Parameters
    ----------
    module : torch.nn.Module
        In float64.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> Any:
        """Output of the module."""
        with _Float64():
            return self.module(x)


class CastAround(nn.Module):
    """Module that computes in its own dtype, whatever that of its input.

    Parameters
    ----------
    module : torch.nn.Module
        The module.
    dtype : torch.dtype
        What it is given.
    tensor_of : callable
        Finds the tensor in what it returns.
    """

    def __init__(
        self, module: nn.Module, dtype: torch.dtype, tensor_of: Callable[[Any], Any]
    ) -> None:
        super().__init__()
        self.module, self.dtype, self.tensor_of = module, dtype, tensor_of

    def forward(self, x: torch.Tensor) -> Any:
        """Output of the module in the dtype of ``x``."""
        z = self.tensor_of(self.module(x.to(self.dtype)))
        return z.to(x.dtype) if isinstance(z, torch.Tensor) else z
