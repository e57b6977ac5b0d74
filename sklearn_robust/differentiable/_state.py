"""Borrow a module for an attack and hand it back exactly as it was."""

from contextlib import contextmanager, nullcontext

from torch import nn

__all__ = ["frozen", "module_of"]


def module_of(logits):
    """Return the module behind a callable: itself, or the owner of a bound method; else None."""
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
    """Context in which the module behind ``logits`` is in eval mode and has no trainable part.

    Each part's own ``training`` flag and each parameter's ``requires_grad`` come back when the
    context ends, also after an exception. A callable that is no module is left alone.
    """
    module = module_of(logits)
    return nullcontext() if module is None else _borrowed(module)
