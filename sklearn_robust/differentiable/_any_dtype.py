"""The one wrapper of torch modules that other people wrote."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.parameter import is_lazy

from .._functional import REENTRANT
from .._validation import as_rows, check_flag, first_tensor, shown
from ._fast.copying import copy_module, into_eval, without_gradients
from ._fast.dry_run import draws_random_numbers, dry_run_lock, without_modes
from ._outputs import log_of, looks_like_probabilities, two_columns_of, within_unit_interval
from ._precision import CastAround, MakesFloat64, own_dtype, twin_in

__all__ = ["AnyDtype", "explain_fixed_batch", "check_callable"]

_N_TRIED = 2  # samples on which two ways to compute are compared
_FAR = 1e3  # factor that takes inputs to where a logit leaves [0, 1] and a probability does not
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
        check_callable(module)
        while isinstance(module, (nn.DataParallel, DistributedDataParallel)):
            module = module.module
        self.module = without_gradients(into_eval(copy_module(module)))
        if logits is not None:
            check_flag("logits", logits)
        self.probabilities = None if logits is None else not logits
        self._by_row = any("quantized.dynamic" in type(p).__module__ for p in module.modules())
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
        if not self.probabilities or not isinstance(z, torch.Tensor):
            return z
        return log_of(z) if as_rows(z, len(x)).shape[-1] > 1 else z

    def recognised(self, z: Any, x: torch.Tensor) -> Any:
        """Logits, of what the module returned for a batch ``x``, of which the first decides.

        One output per sample is the logit, or the probability, of the second of two classes.
        """
        if not isinstance(z, torch.Tensor) or z.ndim != 2:
            return z
        single = z.shape[1] == 1 and not z.is_complex()
        if self.probabilities is None and len(z):
            with torch._C.DisableTorchFunction():
                found = self._is_probability(z, x) if single else looks_like_probabilities(z)
            self.probabilities = found
            z = log_of(z) if found and not single else z
        return two_columns_of(z, bool(self.probabilities)) if single else z

    def _is_probability(self, z: torch.Tensor, x: torch.Tensor) -> bool:
        """Whether one output stays in [0, 1] for the batch and for inputs far from it."""
        if not within_unit_interval(z):
            return False
        try:
            with torch.no_grad():
                far = [self._compute(side * x[:_N_TRIED].detach()) for side in (-_FAR, _FAR)]
        except (RuntimeError, IndexError, ValueError):  # a module of a limited domain
            return True
        return all(within_unit_interval(part) for part in far)

    def _compute(self, x: torch.Tensor) -> Any:
        module = self._module_for(x)
        if self._by_row and len(x) > 1:  # else the largest of a batch sets the scale of all
            return torch.cat([self._compute(row) for row in x.split(1)])
        if self._reentrant:
            return _BackwardInside.apply(x, module)
        try:
            z = first_tensor(module(x.clone()))  # a module may write on its input
        except AssertionError as error:
            explain_fixed_batch(error)
            raise
        if self._reentrant is None and isinstance(z, torch.Tensor) and z.requires_grad:
            self._reentrant = _is_checkpointed(z)
            if self._reentrant:
                return _BackwardInside.apply(x, module)
        casts = isinstance(z, torch.Tensor) and z.is_floating_point() and x.is_floating_point()
        return z.to(x.dtype) if casts else z

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
                        with without_modes():
                            self._others[x.dtype] = self._chosen(x.detach().clone())
        return self._others[x.dtype]

    def _chosen(self, x: torch.Tensor) -> nn.Module:
        """Choose by the first samples of a batch."""
        low = own_dtype(self.module)
        if low is not None:
            return CastAround(self.module, low, first_tensor)
        if x.dtype == self._widest() and _takes(self.module, x[:1]):
            return self.module  # of mixed weights, whose casts are the module's own
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
        if x.dtype != self._widest():
            yield CastAround(self.module, self._widest(), first_tensor)

    def _widest(self) -> torch.dtype:
        """Dtype that inputs mostly have: of mixed weights the widest."""
        kinds = [p.dtype for p in self.module.parameters() if p.is_floating_point()]
        return max(kinds, key=lambda kind: torch.finfo(kind).bits, default=torch.float32)


def check_callable(module: nn.Module, *, sized: bool = True) -> None:
    """Raise if a module cannot be called with samples alone, or lacks the sizes of its weights."""
    lazy = sized and [name for name, weight in module.named_parameters() if is_lazy(weight)]
    if lazy:
        raise ValueError(
            f"{type(module).__name__} has weights without a size yet, such as {lazy[0]}: call "
            "module(x) on a batch of samples first, then train it."
        )
    try:
        wanted = inspect.signature(module.forward)
    except (TypeError, ValueError):  # a compiled function does not tell
        return
    try:
        wanted.bind(None)
    except TypeError as error:
        raise TypeError(
            f"{type(module).__name__} cannot be called as module(x) with a batch of samples "
            f"({error}): wrap it in a module whose forward takes x alone and gives it the rest."
        ) from error


def explain_fixed_batch(error: AssertionError) -> None:
    """Raise a sentence if an exported program met a batch of another size than its own."""
    if "Guard failed" in str(error):
        raise ValueError(
            f"the module was exported for batches of one shape alone ({error}): export it with "
            'dynamic_shapes=({0: torch.export.Dim("rows", min=1)},), or pass the module itself.'
        ) from error


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


def _takes(module: nn.Module, x: torch.Tensor) -> bool:
    """Whether a module computes, in whatever dtype, on a few samples of that of ``x``."""
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            module(x.clone())
    except Exception:  # the user's code may raise anything
        return False
    return True


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
