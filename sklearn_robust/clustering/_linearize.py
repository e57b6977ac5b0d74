"""A network without its non-linear parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from .. import _validation as check
from .._random import rng_lock
from ..differentiable import DifferentiableModel, Model, open_model
from ..differentiable._fast.copying import copy_module
from ..exceptions import NotLinearizableError
from ._ops import LinearOps, mark

__all__ = ["Linearized", "known_classes", "linearize", "open_network"]

_TOLERANCE = (
    1e-6  # relative change of a gradient; that of an affine network is the same bit for bit
)
_TINY = 1e-20  # size of a gradient that float32 would not hold with all its digits
_ROUNDING = 1e4  # error of the value of an affine network, in roundings of its terms
_INSTEAD = (
    "Average the gradients of the network itself instead, "
    "class_weight_matrix(estimator, X, method='mean_jacobian')."
)
_PAIRS = 8  # of inputs to try where a function may not be affine


@runtime_checkable
class _Net(Protocol):
    """Fitted net, with its torch module."""

    module_: Any


class _Evaluation(NamedTuple):
    """A network at one input."""

    x: Tensor  # (1, *shape)
    terms: Tensor  # (1, n_classes): logits times their weights
    gradient: Tensor  # (1, *shape), of the sum of the terms


class Linearized(nn.Module):
    """A module computed without its non-linear parts.

    Parameters
    ----------
    body : torch.nn.Module
        Network, in eval mode.
    batch_norm : {"fold", "drop"}
        What to do with BatchNorm.
    name : str
        What to call the network in messages.

    Attributes
    ----------
    affine : bool
        Whether it is known to be affine.
    dtype : torch.dtype
        Precision that its gradient needs, known by then.
    """

    affine: bool
    dtype: torch.dtype | None

    def __init__(self, body: nn.Module, batch_norm: str, name: str) -> None:
        super().__init__()
        self.body, self.batch_norm, self.name = body, batch_norm, name
        self.affine, self.dtype = False, None

    def forward(self, x: Tensor) -> Tensor:
        """Affine logits (n, n_classes)."""
        self.ensure_affine(x.shape[1:], x.device)
        return self.run(x, LinearOps(self.batch_norm))

    def run(self, x: Tensor, ops: LinearOps) -> Tensor:
        """Logits with the replacements that ``ops`` makes."""
        with ops:  # a copy of x, since a network may write on its input
            z = self.body(mark(x.clone()))
        return check.logits_in(self.name, z)

    def ensure_affine(self, shape: Sequence[int], device: torch.device) -> None:
        """Raise unless gradients and values at very different inputs fit one affine map; once.

        The way back through an affine network uses no value of the way forward, so the gradients
        of one random combination of logits agree to the last bit. What autograd does not see, a
        detached part or a step, shows in the values.
        """
        if self.affine:
            return
        with rng_lock():  # one thread settles the precision
            if not self.affine:
                self._settle(shape, device)

    def _settle(self, shape: Sequence[int], device: torch.device) -> None:
        """Find the precision in which the network is affine, and convert it, or raise."""
        ops, own = LinearOps(self.batch_norm), _own_type(self.body)
        for self.dtype in _precisions(own, device):
            if self.dtype != own:
                self.body.to(self.dtype)
            size, change, error = self._examine(shape, device, ops)
            if _TINY < size < 1 / _TINY and error <= _ROUNDING:
                break
        self._refuse_unless_affine(size, change, error, ops)
        ops.warn()
        self.affine = True

    def _examine(
        self, shape: Sequence[int], device: torch.device, ops: LinearOps
    ) -> tuple[float, float, float]:
        """Size of the gradient, and how far other inputs are from the map of the first one."""
        inputs = (x.to(device, self.dtype) for x in _inputs(shape, ops))
        first = self._evaluate(next(inputs), ops)
        worst = np.zeros(3)
        for x in inputs:
            worst = np.maximum(worst, _compare(first, self._evaluate(x, ops)))  # keeps NaN
            if worst[1] > _TOLERANCE:
                break
        size, change, error = worst.tolist()
        return size, change, error

    def _evaluate(self, x: Tensor, ops: LinearOps) -> _Evaluation:
        """Logits at ``x``, each with a weight of its own, and the gradient of their sum."""
        try:
            shapes = check.wrap_shape_errors(self.name, x.shape[1:])
            with shapes, _following(self.body, ops.stack):
                z, pull_back, *_ = torch.func.vjp(lambda x: self.run(x, ops), x)
            n = z.shape[1]
            weights = torch.linspace(1, 2, n, dtype=z.dtype, device=z.device).sqrt()
            return _Evaluation(x, weights * z, pull_back(weights.expand_as(z))[0])
        except NotLinearizableError as error:
            raise NotLinearizableError(f"{self.name} cannot be linearised: {error}") from error
        except RuntimeError as error:
            raise NotLinearizableError(
                f"{self.name} cannot be linearised: torch cannot transform one of its "
                f"operations ({str(error).splitlines()[0][:100]}). {_INSTEAD}"
            ) from error

    def _refuse_unless_affine(
        self, size: float, change: float, error: float, ops: LinearOps
    ) -> None:
        if change <= _TOLERANCE and error <= _ROUNDING:
            return
        suspects = ", ".join(sorted(ops.suspects))
        if size == 0:
            reason = "what is left is constant: no input reaches the logits"
        elif suspects or np.isfinite([change, error]).all():
            reason = f"what is left is still not affine, because of {suspects or 'its own code'}"
        else:
            reason = "its gradient overflows"
        raise NotLinearizableError(f"{self.name} cannot be linearised: {reason}. {_INSTEAD}")


@contextmanager
def _following(body: nn.Module, stack: list[str]) -> Iterator[None]:
    """Context in which the modules that run put their names on a stack."""
    handles = []
    for name, module in body.named_modules():
        own = name.removeprefix("module.")
        own = "" if own == "module" else own

        def enter(module: nn.Module, args: Any, name: str = own) -> None:
            stack.append(name)

        def leave(module: nn.Module, args: Any, output: Any) -> None:
            stack.pop()

        handles += [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]
    try:
        yield
    finally:
        stack.clear()
        for handle in handles:
            handle.remove()


def _compare(first: _Evaluation, other: _Evaluation) -> list[float]:
    """Size of two gradients, the change from one to the other, and the error of a value.

    The error is that of going from one input to the other along the gradient at the first, in
    roundings of the terms that it is made of.
    """
    gradients = torch.stack([first.gradient, other.gradient])
    way = first.gradient * (other.x - first.x)
    change = (first.gradient - other.gradient).norm() / torch.maximum(*map(torch.norm, gradients))
    error = (other.terms - first.terms).sum() - way.sum()
    terms = first.terms.abs().sum() + other.terms.abs().sum() + way.abs().sum()
    roundings = error.abs() / terms / torch.finfo(first.terms.dtype).eps
    return [float(gradients.abs().max()), float(change), float(roundings)]


def _own_type(body: nn.Module) -> torch.dtype:
    """Precision of the network's weights; models without weights compute in float64."""
    return next((p.dtype for p in body.parameters() if p.is_floating_point()), torch.float64)


def _precisions(own: torch.dtype, device: torch.device) -> Iterator[torch.dtype]:
    """Give the precision of the weights, at least float32, and float64 in case it is too coarse."""
    yield torch.promote_types(own, torch.float32)
    if own != torch.float64 and torch.device(device).type != "mps":  # which has no float64
        yield torch.float64


def _inputs(shape: Sequence[int], ops: LinearOps) -> Iterator[Tensor]:
    """Pairs of inputs (1, *shape) with all signs opposite; one if no function is suspect by then.

    The second one of a pair has values from hundredths to ten thousands.
    """
    for seed in range(_PAIRS):
        if seed and not ops.suspects:
            return
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(1, *shape, generator=generator, dtype=torch.float64)
        yield x
        yield -x * 10 ** (6 * torch.rand(x.shape, generator=generator, dtype=x.dtype) - 2)


def linearize(estimator: Any, *, batch_norm: str = "fold") -> DifferentiableModel:
    """Remove the non-linear parts of a fitted network.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module
        The network; a copy of it is linearised. Scalers of a pipeline belong to it.
    batch_norm : {"fold", "drop"}, default="fold"
        "fold" keeps BatchNorm as the affine map it is in eval mode. "drop" leaves it out, as
        the paper's code does; the result then depends on how a layer and its BatchNorm share the
        scale between them.

    Returns
    -------
    module : torch.nn.Module
        The affine map ``f(x) = W x + b`` from raw samples ``(n, *sample_shape)`` to logits
        (n, n_classes), a model as :func:`~sklearn_robust.differentiable.as_module` returns.

    Raises
    ------
    NotLinearizableError
        If the rest is not affine: gates, attention, recurrence, or a way through the network that
        depends on the data. The message names the functions that may be the cause. The error comes
        with the first call if the shape of a sample is not known before.

    See Also
    --------
    class_weight_matrix : The matrix W of the affine map.

    Notes
    -----
    Activations, dropout and a softmax at the end are left out; a max-pooling becomes the
    average-pooling of the same kernel, stride and padding; layer, group, instance and local
    response normalisation are left out with a warning. Modules, functional calls, methods and
    in-place calls are all seen, shortcuts and branches stay (paper 002, section 1.1).

    References
    ----------
    Bai et al., "Clustering effect of (linearized) adversarial robust models", NeurIPS 2021.

    Examples
    --------
    >>> import torch
    >>> from sklearn_robust.clustering import linearize
    >>> from torch import nn
    >>> network = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3)).double()
    >>> f = linearize(network)
    >>> x, y = torch.randn(2, 1, 5, dtype=torch.float64)
    >>> torch.allclose(f(2 * x - y), 2 * f(x) - f(y))
    True
    >>> torch.allclose(network(2 * x - y), 2 * network(x) - network(y))
    False
    """
    check.check_choice("batch_norm", batch_norm, ["fold", "drop"])
    opened = open_network(estimator)
    model = opened.module
    given = opened is estimator or model is estimator  # an opened model is not ours to change
    body = _uncompiled(copy_module(model.body) if given else model.body)
    linear = Linearized(body, batch_norm, model.name)
    shape = model.input_shape
    affine = DifferentiableModel(
        linear, known_classes(opened), input_shape=shape, name=f"linearised {model.name}"
    )
    if shape is not None:
        linear.ensure_affine(shape, affine.device)
    return affine


def known_classes(model: Model) -> Any:
    """Labels of the classes; None for a bare module that has not run yet."""
    try:
        return model.classes_
    except AttributeError:
        return None


def open_network(estimator: Any) -> Model:
    """Open a network to linearise; refuse TorchScript, which hides its functions."""
    module = estimator.module_ if isinstance(estimator, _Net) else estimator
    if isinstance(module, nn.Module):
        if any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
            raise NotLinearizableError(
                "a TorchScript module hides its functions, so it cannot be linearised: pass the "
                "Python module that it was made from."
            )
    return open_model(estimator)


def _uncompiled(body: nn.Module) -> nn.Module:
    """Take compiled modules out of their wrappers."""
    for parent in list(body.modules()):
        for name, child in list(parent.named_children()):
            original = dict(child.named_children()).get("_orig_mod")
            if original is not None:
                setattr(parent, name, original)
    return body
