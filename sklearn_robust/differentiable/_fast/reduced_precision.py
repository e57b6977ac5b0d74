"""A module that computes in reduced precision, or compiled."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .._layers.outputs import is_tabular

__all__ = ["PRECISIONS", "ReducedPrecision"]

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class ReducedPrecision(nn.Module):
    """A module under autocast, compiled on its first call if asked; ``full`` turns both off."""

    def __init__(self, inner: nn.Module, precision: str, compiled: bool) -> None:
        super().__init__()
        self.inner = inner
        self.dtype = PRECISIONS[precision]
        self.compiled = compiled
        self.full = False
        self.tabular = is_tabular(inner)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits in the dtype of ``x``."""
        if self.full:
            return self.inner(x)
        inner = self._compiled() if self.compiled else self.inner
        with torch.autocast(x.device.type, self.dtype, enabled=self.dtype != torch.float32):
            z = inner(x)
        return (z[0] if isinstance(z, (tuple, list)) else z).to(x.dtype)

    def _compiled(self):
        if "_program" not in self.__dict__:
            # Batches shrink as samples are fooled: one program for all sizes.
            self.__dict__["_program"] = torch.compile(self.inner, dynamic=True)
        return self.__dict__["_program"]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_program"}
