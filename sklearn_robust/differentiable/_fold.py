"""A quicker copy of a frozen module: batch normalisation folded, convolutions channels-last."""

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from ._copies import copied
from ._grey import GreyConv2d

__all__ = ["folded"]

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMALISATIONS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class _LeafTracer(fx.Tracer):
    """Trace down to the modules without children, whoever wrote them."""

    def is_leaf_module(self, module, name):
        """Whether to look no further."""
        return not any(True for _ in module.children()) and not isinstance(module, nn.Sequential)


def _fuse(layer, norm):
    """One layer that does what two do in eval mode, or None."""
    if not norm.track_running_stats or layer.weight.dtype != norm.running_mean.dtype:
        return None
    if isinstance(layer, _CONVOLUTIONS):
        return fuse_conv_bn_eval(layer, norm)
    flat = isinstance(layer, nn.Linear) and isinstance(norm, nn.BatchNorm1d)
    return fuse_linear_bn_eval(layer, norm) if flat else None


def _fold_normalisation(graph_module):
    modules = dict(graph_module.named_modules())
    for node in list(graph_module.graph.nodes):
        norm = modules.get(node.target) if node.op == "call_module" else None
        if not isinstance(norm, _NORMALISATIONS):
            continue
        source = node.args[0]
        layer = modules.get(source.target) if source.op == "call_module" else None
        uses = sum(other.target == source.target for other in graph_module.graph.nodes)
        if layer is None or len(source.users) > 1 or uses > 1:
            continue
        fused = _fuse(layer, norm)
        if fused is not None:
            graph_module.set_submodule(source.target, fused)
            modules[source.target] = fused
            node.replace_all_uses_with(source)
            graph_module.graph.erase_node(node)
    graph_module.recompile()
    return graph_module


def _tile_grey(module):
    """Put a quick copy in the place of each convolution of grey images that has a parent."""
    for parent in list(module.modules()):
        for name, layer in parent.named_children():
            if GreyConv2d.suits(layer):
                setattr(parent, name, GreyConv2d(layer))


def folded(module):
    """Copy of an eval-mode module that gives the same output, up to rounding, sooner.

    Batch normalisation is folded into the layer before it, and on a CPU convolutions are laid
    out channels-last, those of grey images so that their gradient is quick. A module that cannot
    be traced keeps its batch normalisation.

    Parameters
    ----------
    module : torch.nn.Module
        In eval mode; not changed.

    Returns
    -------
    quick : torch.nn.Module
        Frozen copy, or ``module`` itself where nothing can be gained.
    """
    layers = list(module.modules())
    normalised = any(isinstance(layer, _NORMALISATIONS) for layer in layers)
    quick = copied(module)
    if normalised:
        try:
            quick = _fold_normalisation(fx.GraphModule(quick, _LeafTracer().trace(quick)))
        except Exception:  # tracing runs the user's own code on proxies: anything may be raised
            quick = copied(module)
    if any(isinstance(layer, nn.Conv2d) and layer.in_channels > 1 for layer in layers):
        quick = quick.to(memory_format=torch.channels_last)
    _tile_grey(quick)
    return quick.eval().requires_grad_(False)
