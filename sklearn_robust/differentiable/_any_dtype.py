"""The one wrapper of torch modules that other people wrote."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from .._functional import REENTRANT
from .._validation import check_flag, first_tensor, shown
from ._fast.copying import copy_module, into_eval, without_gradients
from ._fast.dry_run import draws_random_numbers, dry_run_lock
from ._outputs import log_of, looks_like_probabilities
from ._precision import CastAround, MakesFloat64, own_dtype, twin_in

__all__ = ["AnyDtype"]

_N_TRIED = 2  # samples on which two ways to compute are compared
_TOLERANCE = 1e-2  # of the largest logit: above rounding in float32, below a lost imaginary part


class AnyDtype(nn.Module):
    """A frozen copy of ``module`` that computes in the dtype of its input.

    The first batch of each dtype shows how. In float64 a copy of the weights serves, and what the
    module makes inside is made in float64. Where that fails, or gives other numbers, the module
    computes in its own dtype: derivatives are then as exact as that is, some 1e-6 of the largest
    in float32. Weights that are all of half precision always stay so.

    Parameters
    ----------
    module : torch.nn.Module
        Copied, so that neither its mode, its statistics nor its gradients are ever touched. It
        may write on its input, and return a tensor, a tuple or list that begins with the logits, a
        dict or dataclass, or an output with an entry ``logits``.
    logits : bool or None, default=None
        Whether the module returns logits; probabilities are taken back to them by the logarithm.
        None lets a DifferentiableModel that holds this as its body find out from the first batch.

    See Also
    --------
    DifferentiableModel : What holds it.

    Examples
    --------
    >>> import torch
    >>> from sklearn_robust.differentiable import AnyDtype
    >>> body = AnyDtype(torch.nn.Linear(3, 2))
    >>> body(torch.zeros(1, 3, dtype=torch.float64)).dtype
    torch.float64
    """

    def __init__(self, module: nn.Module, *, logits: bool | None = None) -> None:
        super().__init__()
        if not isinstance(module, nn.Module):
            raise TypeError(f"module is {shown(module)}; give a torch.nn.Module.")
        if logits is not None and not isinstance(logits, bool):
            raise ValueError(f"logits is {shown(logits)}; give True, False or None.")
        while isinstance(module, (nn.DataParallel, DistributedDataParallel)):
            module = module.module
        self.module = without_gradients(into_eval(copy_module(module)))
        if logits is not None:
            check_flag("logits", logits)
        self.probabilities = None if logits is None else not logits
        self._others: dict[torch.dtype, nn.Module] = {}
        self._reentrant: bool | None = None

    def train(self, mode: bool = True) -> AnyDtype:
        """Stay in evaluation mode, as the module's own ``eval`` defines it."""
        self.training = False
        for module in (self.module, *self._others.values()):
            into_eval(module)
        return self

    def forward(self, x: torch.Tensor) -> Any:
        """Logits in the dtype of ``x``."""
        z = self._compute(x)
        return log_of(z) if self.probabilities and isinstance(z, torch.Tensor) else z

    def recognised(self, z: torch.Tensor) -> torch.Tensor:
        """Logits, of what the module returned for a first batch."""
        if self.probabilities is None and len(z):
            with torch._C.DisableTorchFunction():
                self.probabilities = looks_like_probabilities(z)
            return log_of(z) if self.probabilities else z
        return z

    def _compute(self, x: torch.Tensor) -> Any:
        module = self._module_for(x)
        if self._reentrant:
            return _BackwardInside.apply(x, module)
        z = first_tensor(module(x.clone()))  # a module may write on its input
        if self._reentrant is None and isinstance(z, torch.Tensor) and z.requires_grad:
            self._reentrant = _is_checkpointed(z)
            if self._reentrant:
                return _BackwardInside.apply(x, module)
        return z

    def _module_for(self, x: torch.Tensor) -> nn.Module:
        """Return the module itself, or what stands for it in the dtype of ``x``."""
        weights = (p.dtype for p in self.module.parameters() if p.is_floating_point())
        own = next(weights, None)
        if x.dtype == own or not x.is_floating_point():
            return self.module
        if x.dtype not in self._others:
            with dry_run_lock():
                if x.dtype not in self._others:
                    # Whatever mode the caller computes in, the choice is made on plain tensors.
                    with torch.inference_mode(False), torch._C.DisableTorchFunction():
                        self._others[x.dtype] = self._chosen(x.detach().clone())
        return self._others[x.dtype]

    def _chosen(self, x: torch.Tensor) -> nn.Module:
        """Choose by the first samples of a batch."""
        low = own_dtype(self.module)
        if low is not None:
            return CastAround(self.module, low, first_tensor)
        ways = list(self._ways(x))
        if not len(x) or draws_random_numbers(ways[0], x[:1].clone()):
            with torch.random.fork_rng(devices=[]):
                return next((way for way in ways if _output(way, x[:1]) is not None), ways[0])
        x = x[:_N_TRIED]
        outputs = [_output(way, x) for way in ways]
        wanted = outputs[-1]
        for way, z in zip(ways, outputs, strict=True):
            if z is not None and (wanted is None or _agree(z, wanted)):
                return way
        return ways[-1] if wanted is not None else ways[0]

    def _ways(self, x: torch.Tensor) -> Iterator[nn.Module]:
        """Ways to compute in the dtype of ``x``, the best first and the module's own last."""
        twin = twin_in(self.module, x)
        yield twin
        if x.dtype == torch.float64:
            yield MakesFloat64(twin)
        kinds = [p.dtype for p in self.module.parameters() if p.is_floating_point()]
        # Of mixed weights, inputs mostly have the widest.
        own = max(kinds, key=lambda kind: torch.finfo(kind).bits, default=torch.float32)
        if own != x.dtype:
            yield CastAround(self.module, own, first_tensor)


class _BackwardInside(torch.autograd.Function):
    """Forward pass with a backward pass of its own, which reentrant checkpoints need."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, module: nn.Module) -> torch.Tensor:
        """Output of the module."""
        with torch.enable_grad():
            ctx.leaf = x.detach().clone().requires_grad_(True)
            ctx.z = first_tensor(module(ctx.leaf.clone()))
        return ctx.z.detach().clone()

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, None]:
        """Gradient of the input."""
        if torch.is_grad_enabled():
            raise ValueError(REENTRANT)
        ctx.leaf.grad = None
        # In this thread torch forbids such a checkpoint within ``autograd.grad``.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(ctx.z.backward, grad, retain_graph=True).result()
        return ctx.leaf.grad, None


def _is_checkpointed(z: torch.Tensor) -> bool:
    """Whether a graph holds a reentrant checkpoint."""
    nodes, seen = [z.grad_fn], set()
    while nodes:
        node = nodes.pop()
        if node is None or node in seen:
            continue
        if node.name() == "CheckpointFunctionBackward":
            return True
        seen.add(node)
        nodes += [parent for parent, _ in node.next_functions]
    return False


def _output(module: nn.Module, x: torch.Tensor) -> torch.Tensor | None:
    """Return what a module gives for a few samples, in their dtype; None if it fails."""
    try:
        with torch.no_grad():
            z = first_tensor(module(x.clone()))
    except Exception:  # the user's code may raise anything
        return None
    return z if isinstance(z, torch.Tensor) and z.dtype == x.dtype else None


def _agree(found: torch.Tensor, wanted: torch.Tensor) -> bool:
    """Whether two outputs differ by rounding alone where both are finite."""
    if found.shape != wanted.shape:
        return False
    finite = found.isfinite() & wanted.isfinite()
    found, wanted = found[finite], wanted[finite]
    if not len(wanted):
        return True
    scale = float(wanted.abs().max())
    return torch.allclose(found, wanted, rtol=0, atol=_TOLERANCE * scale + 1e-6)
