"""Borrow a module for an attack and hand it back exactly as it was."""

from contextlib import contextmanager, nullcontext
from functools import wraps

import torch
from torch import nn

__all__ = ["frozen", "module_of", "records"]


def module_of(logits):
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
    frozen : Borrows that module.

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
    owner = getattr(logits, "__self__", None)
    return owner if isinstance(owner, nn.Module) else None


@contextmanager
def _borrowed(module):
    modes = [(part, part.training) for part in module.modules()]
    live = [p for p in module.parameters() if p.requires_grad]
    try:
        for part, _ in modes:
            part.training = False
        for p in live:
            p.requires_grad_(False)
        yield
    finally:
        for part, training in modes:
            part.training = training
        for p in live:
            p.requires_grad_(True)


def frozen(logits):
    """Context in which the module behind a callable is in eval mode and has no trainable part.

    Each part's own ``training`` flag and each parameter's ``requires_grad`` come back when the
    context ends, also after an exception.

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


def records(function):
    """Let a function that needs gradients be called inside ``torch.inference_mode`` as well.

    Trainers validate in that mode, in which no tensor can ever take part in a gradient.
    """

    @wraps(function)
    def recording(*args, **kwargs):
        if not torch.is_inference_mode_enabled():
            return function(*args, **kwargs)
        with torch.inference_mode(False), torch.no_grad():
            return function(*args, **kwargs)

    return recording
