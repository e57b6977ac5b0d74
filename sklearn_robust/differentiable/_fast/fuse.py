"""A faster copy of a frozen module: batch normalisation fused, convolutions channels-last."""

from collections import Counter

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .copying import copy_module
from .single_channel_conv import SingleChannelConv2d

__all__ = ["fused_copy"]

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMALISATIONS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class _LeafTracer(fx.Tracer):
    """Trace down to the modules without children, whoever wrote them."""

    def is_leaf_module(self, module, name):
        """Whether to look no further."""
        return not any(True for _ in module.children()) and not isinstance(module, nn.Sequential)


def _fuse(layer, norm):
    """One convolution that does in eval mode what two layers do, or None."""
    # A subclass, a parametrised weight or a hook may make its weight anew.
    if type(layer) not in _CONVOLUTIONS or type(norm) not in _NORMALISATIONS:
        return None
    if not norm.track_running_stats or layer.weight.dtype != norm.running_mean.dtype:
        return None
    hooked = (hooks for part in (layer, norm) for hooks in _hooks(part))
    return None if any(hooked) else fuse_conv_bn_eval(layer, norm)


def _hooks(layer):
    return layer._forward_pre_hooks, layer._forward_hooks


def _same(x):
    return x


def _fold_normalisation(module):
    """Fold in place; the module keeps its own ``forward``, which a trace would freeze."""
    nodes = _LeafTracer().trace(module).nodes
    users = Counter(node.target for node in nodes if node.op == "call_module")
    # A layer whose weight is read by itself must keep it.
    users.update(node.target.rpartition(".")[0] for node in nodes if node.op == "get_attr")
    for node in nodes:
        source = node.args[0] if node.op == "call_module" and node.args else None
        if getattr(source, "op", None) != "call_module" or len(source.users) > 1:
            continue
        if users[node.target] > 1 or users[source.target] > 1:
            continue
        layer, norm = module.get_submodule(source.target), module.get_submodule(node.target)
        fused = _fuse(layer, norm)
        if fused is not None:
            # The same layer may be known by other names: change it, and not who holds it.
            layer.weight, layer.bias = fused.weight, fused.bias
            norm.forward = _same
    return module


def _tile_grey(module):
    """Put a faster copy in the place of each convolution of grey images that has a parent."""
    for parent in list(module.modules()):
        for name, layer in parent.named_children():
            if SingleChannelConv2d.suits(layer):
                setattr(parent, name, SingleChannelConv2d(layer))


def fused_copy(module):
    """Copy of an eval-mode module that gives the same output, up to rounding, sooner.

    Batch normalisation is fused into the convolution before it, and on a CPU convolutions are laid
    out channels-last, those of grey images so that their gradient is fast. A module that cannot
    be traced keeps its batch normalisation.

    Parameters
    ----------
    module : torch.nn.Module
        In eval mode; not changed.

    Returns
    -------
    fused : torch.nn.Module
        Frozen copy, or ``module`` itself where nothing can be gained.
    """
    layers = list(module.modules())
    normalised = any(isinstance(layer, _NORMALISATIONS) for layer in layers)
    fused = copy_module(module)
    if normalised:
        try:
            fused = _fold_normalisation(fused)
        except Exception:  # tracing runs the user's own code on proxies: anything may be raised
            fused = copy_module(module)
    if any(isinstance(layer, nn.Conv2d) and layer.in_channels > 1 for layer in layers):
        fused = fused.to(memory_format=torch.channels_last)
    _tile_grey(fused)
    return fused.eval().requires_grad_(False)
