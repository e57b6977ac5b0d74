"""Look at a module's first outputs before hours are spent on it."""

import numpy as np
import torch

__all__ = ["check_outputs"]


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
    n_classes = len(net.classes_)
    if z.shape != (n_probe, n_classes):
        raise ValueError(
            f"the module returns an output of shape {tuple(z.shape)} for {n_probe} samples, but y "
            f"has {n_classes} classes: it must return logits of shape (n_samples, {n_classes})."
        )
    sums = z.sum(1)
    if bool((z >= 0).all()) and bool(((sums - 1).abs() < 1e-4).all()):
        raise ValueError(
            "the module's outputs look like probabilities (not negative, rows sum to 1): remove "
            "its last Softmax so that it returns logits."
        )
