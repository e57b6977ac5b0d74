"""Look at a module's first outputs before hours are spent on it."""

import numpy as np
import torch

__all__ = ["check_dtype", "check_outputs", "check_shape", "check_tensor"]


def check_outputs(net, data, n_probe=16):
    """Raise unless the module maps a few samples to one logit a class.

    Outputs that are never negative and sum to one in every row are probabilities: the loss
    would apply a second softmax to them, so they are refused.
    """
    n_probe = min(n_probe, len(data))
    x = torch.as_tensor(np.stack([data[index][0] for index in range(n_probe)]))
    net.module_.eval()
    with torch.no_grad():
        z = net.compute_logits(x.to(net.device_))
    check_shape(z, n_probe, len(net.classes_))
    sums = z.sum(1)
    if bool((z >= 0).all()) and bool(((sums - 1).abs() < 1e-4).all()):
        raise ValueError(
            "the module's outputs look like probabilities (not negative, rows sum to 1): remove "
            "its last Softmax so that it returns logits."
        )


def check_dtype(module, x, error):
    """Raise if an error of the module comes from weights of another dtype than its input."""
    weights = {p.dtype for p in module.parameters() if p.is_floating_point()} - {x.dtype}
    if weights and "type" in str(error):
        kinds = sorted(str(kind).removeprefix("torch.") for kind in weights)
        raise ValueError(
            f"the module has weights of {', '.join(kinds)}, and nets compute in float32: give "
            "module.float()."
        ) from error


def check_tensor(z):
    """Raise unless the module returned a tensor."""
    if not isinstance(z, torch.Tensor):
        raise ValueError(
            f"the module returns a {type(z).__name__}: it must return the logits, a tensor of "
            "shape (n_samples, n_classes), or a tuple that begins with them."
        )


def check_shape(z, n_samples, n_classes):
    """Raise unless there is one logit for each sample and class."""
    if tuple(z.shape) != (n_samples, n_classes):
        raise ValueError(
            f"the module returns an output of shape {tuple(z.shape)} for {n_samples} samples, but "
            f"there are {n_classes} classes: it must return logits (n_samples, {n_classes})."
        )
