"""Copies of modules, whatever a user's module keeps on itself."""

import copy

import torch
from torch import nn

__all__ = ["copy_module", "copy_state"]


def copy_module(module, memo=None):
    """Deep copy of a module that may hold tensors with a graph, which ``copy.deepcopy`` refuses.

    An activation that a module keeps, or a weight that is computed by pruning or normalisation,
    is copy_module without its graph.

    Parameters
    ----------
    module : torch.nn.Module
        What to copy; not changed.
    memo : dict, default=None
        As for ``copy.deepcopy``: what stands for an object, by its id.

    Returns
    -------
    copy : torch.nn.Module
        Shares no tensor with ``module``, except by ``memo``.
    """
    graphs = {id(tensor): tensor.detach().clone() for tensor in _computed(module, set())}
    return copy.deepcopy(module, {**graphs, **(memo or {})})


def copy_state(module):
    """State dict of a module that no longer changes with it."""
    return {
        name: value.detach().clone() if isinstance(value, torch.Tensor) else copy.deepcopy(value)
        for name, value in module.state_dict().items()
    }


def _computed(value, seen):
    """Yield the tensors with a graph that a module holds, also in lists, tuples and dicts."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, torch.Tensor):
        if not value.is_leaf:
            yield value
        return
    parts = vars(value) if isinstance(value, nn.Module) else value
    if isinstance(parts, (dict, list, tuple)):
        for part in parts.values() if isinstance(parts, dict) else parts:
            yield from _computed(part, seen)
