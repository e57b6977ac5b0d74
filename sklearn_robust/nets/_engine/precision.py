"""Mixed precision: where a forward pass may run in bfloat16."""

import warnings
from contextlib import contextmanager, nullcontext

import torch

__all__ = ["check_amp", "forward_precision", "mixed_precision"]


def _pays(device):
    return device.type == "cuda"


def check_amp(amp, device):
    """Raise unless ``amp`` is a bool; warn where it does nothing."""
    if not isinstance(amp, bool):
        raise ValueError(f"amp is {amp!r}; give True or False.")
    if amp and not _pays(device):
        warnings.warn(
            f"amp=True acts on a GPU alone: this fit runs on {device}, in float32 throughout.",
            stacklevel=4,
        )


@contextmanager
def mixed_precision(net):
    """Context of a training step, in which forward passes of a net with ``amp`` are bfloat16."""
    net.amp_ = net.amp and _pays(net.device_)
    try:
        yield
    finally:
        net.amp_ = False


def forward_precision(net, precise):
    """Context of one forward pass: autocast if the step is one of mixed precision."""
    if precise or not getattr(net, "amp_", False):
        return nullcontext()
    return torch.autocast(net.device_.type, torch.bfloat16)
