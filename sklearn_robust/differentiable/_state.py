"""What an attack needs of a module: frozen, seeded, and able to give gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import wraps
from types import MethodType
from typing import Any, TypeVar

import torch
from torch import nn

from .._random import torch_seed
from ._fast.copying import frozen_twin, into_eval
from ._module import DifferentiableModel
from ._scores import ScoreFunction

__all__ = ["frozen", "frozen_logits", "module_of", "records", "seeded", "without_graph"]

_Result = TypeVar("_Result")

_Function = TypeVar("_Function", bound=Callable[..., Any])


def module_of(logits: Any) -> nn.Module | None:
    """Find the torch module behind a callable.

    Parameters
    ----------
    logits : callable
        A module, a bound method of one, or any other callable.

    Returns
    -------
    module : torch.nn.Module or None
        The module itself, or the owner of the method; None if there is none.

    See Also
    --------
    frozen : Holds that module in eval mode.

    Examples
    --------
    >>> import torch
    >>> from sklearn_robust.differentiable import module_of
    >>> net = torch.nn.Linear(3, 2)
    >>> module_of(net.forward) is net
    True
    >>> module_of(torch.sin) is None
    True
    """
    if isinstance(logits, nn.Module):
        return logits
    owner = logits.__self__ if isinstance(logits, MethodType) else None
    return owner if isinstance(owner, nn.Module) else None


def frozen_logits(logits: Callable[..., Any]) -> Callable[..., Any]:
    """Return the same callable of a frozen twin of its module, which no other thread uses.

    Parameters
    ----------
    logits : callable
        A module or a bound method of one; any other callable is returned as it is, and so is a
        module that is frozen already.

    Returns
    -------
    frozen : callable
        Computes in eval mode, without gradients of weights. The module itself is not touched.
    """
    module = module_of(logits)
    if module is None or _is_frozen(module):
        return logits
    twin = frozen_twin(module)
    return MethodType(logits.__func__, twin) if isinstance(logits, MethodType) else twin


def _is_frozen(module: nn.Module) -> bool:
    trained = any(p.requires_grad for p in module.parameters())
    return not trained and not any(part.training for part in module.modules())


@contextmanager
def seeded(
    model: DifferentiableModel | ScoreFunction, x: torch.Tensor, seed: int
) -> Iterator[None]:
    """Context in which a model that draws random numbers itself draws those of ``seed``.

    The generators come back as they were. Other models never touch them, so attacks on these
    run in several threads at once; attacks on a random model take turns.

    Parameters
    ----------
    model : DifferentiableModel or ScoreFunction
        What is about to be called.
    x : tensor of shape (n, ...)
        Samples; one of them is enough to see whether the model draws.
    seed : int
        Seed.
    """
    random = model.draws_random(x)
    with torch_seed(seed, x.device) if random else nullcontext():
        yield


@contextmanager
def _borrowed(module: nn.Module) -> Iterator[None]:
    modes = [(part, part.training) for part in module.modules()]
    live = [p for p in module.parameters() if p.requires_grad]
    try:
        into_eval(module)
        for p in live:
            p.requires_grad_(False)
        yield
    finally:
        for part, training in modes:
            part.training = training
        for p in live:
            p.requires_grad_(True)


def frozen(logits: Any) -> AbstractContextManager[None]:
    """Context in which the module behind a callable is in eval mode and has no trainable part.

    Each part's own ``training`` flag and each parameter's ``requires_grad`` come back when the
    context ends, also after an exception. Other threads see the change: use it on a module that
    belongs to this thread, such as that of a net inside its own fit.

    Parameters
    ----------
    logits : callable
        A module or a bound method of one; any other callable is left alone.

    Returns
    -------
    context : context manager
        To be entered once.

    See Also
    --------
    module_of : Finds the module.

    Examples
    --------
    >>> import torch
    >>> from sklearn_robust.differentiable import frozen
    >>> net = torch.nn.Dropout().train()
    >>> with frozen(net):
    ...     net.training
    False
    >>> net.training
    True
    """
    module = module_of(logits)
    return nullcontext() if module is None else _borrowed(module)


def without_graph(function: Callable[[], _Result]) -> _Result:
    """Call a function that computes predictions, without a graph where the module allows it.

    A module that takes a gradient inside ``forward`` cannot do so in inference mode.
    """
    for mode in (torch.inference_mode, torch.no_grad):
        try:
            with mode():
                return function()
        except RuntimeError as error:
            if "grad" not in str(error) and "nference tensor" not in str(error):
                raise
    with torch.enable_grad():
        return function()


def records(function: _Function) -> _Function:
    """Let a function that needs gradients be called inside ``torch.inference_mode`` as well.

    Trainers validate in that mode, in which no tensor can ever take part in a gradient.
    """

    @wraps(function)
    def recording(*args: Any, **kwargs: Any) -> Any:
        if not torch.is_inference_mode_enabled():
            return function(*args, **kwargs)
        with torch.inference_mode(False), torch.no_grad():
            return function(*args, **kwargs)

    return recording  # type: ignore[return-value]
