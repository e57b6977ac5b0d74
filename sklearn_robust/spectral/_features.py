"""What the layers of a model hold while it looks at a batch."""

from contextlib import contextmanager

import torch

from ._layers import last_matrix, layers_of
from ._trace import module_names, trace_of

__all__ = ["features_of", "hidden_layers", "last_input", "tapped"]


def hidden_layers(view, x):
    """Names and classes of the linear layers, in the order of the run."""
    trace = trace_of(view, x)
    owners = {call.name: type(call.module).__name__ for call in trace.calls}
    names = [
        layer.name.partition("#")[0]
        for layer in layers_of(trace, fold_bn=False)
        if layer.map is not None and hasattr(layer.map, "scaled")
    ]
    return {name: owners[name] for name in dict.fromkeys(names) if name in owners}


def last_input(view, x):
    """Name of the module whose input the last linear layer sees, or None."""
    trace = trace_of(view, x)
    number = trace.output
    if last_matrix(trace) is None:
        return None
    while trace.nodes[number].op not in ("addmm", "mm", "linear"):
        number = trace.nodes[number].inputs[0]
    call = trace.nodes[number].call
    return call.name if call is not None and call.start == number else None


@contextmanager
def tapped(view, wanted):
    """Keep what modules return in a dict, anew on each run of the view.

    Parameters
    ----------
    view : torch.nn.Module
        The model.
    wanted : list of str
        Names of modules, ``conv:2`` for a second run; with ``<`` before the name, their input.

    Yields
    ------
    held : dict of str to tensor of shape (n, n_features)
        Copies: a later operation in place does not change them.
    """
    held: dict[str, torch.Tensor] = {}
    runs: dict[str, int] = {}
    plain = {name.removeprefix("<").partition(":")[0] for name in wanted}
    handles = [view.register_forward_pre_hook(lambda module, args: runs.clear())]

    def keep(name, mark):
        def hook(module, args, output=None):
            number = runs[mark + name] = runs.get(mark + name, 0) + 1
            key = mark + (name if number == 1 else f"{name}:{number}")
            if key in wanted:
                value = args[0] if mark else output
                value = value[0] if isinstance(value, (tuple, list)) else value
                held[key] = value.detach().flatten(1).clone()

        return hook

    for module, name in module_names(view).items():
        if name in plain:
            handles.append(module.register_forward_hook(keep(name, "")))
            handles.append(module.register_forward_pre_hook(keep(name, "<")))
    try:
        yield held
    finally:
        for handle in handles:
            handle.remove()


def features_of(view, X, name, batches):
    """Features (n, n_features) of one module, batch by batch."""
    parts = []
    with tapped(view, [name]) as held, torch.no_grad():
        for rows in batches:
            view(view.tensor(X[rows]))
            parts.append(held[name].cpu())
    return torch.cat(parts)
