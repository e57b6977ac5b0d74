"""A network without its non-linear parts."""

import copy

import torch
from torch import nn

from .. import _functional as F
from .. import _validation as check
from ..differentiable import View, as_module
from ..exceptions import NotLinearizableError
from ._ops import LinearOps, mark

__all__ = ["float_type", "linearize"]

_TOLERANCE = 1e-6  # of the slope; that of an affine network is the same bit for bit


class Linearized(nn.Module):
    """A module computed without its non-linear parts.

    Parameters
    ----------
    body : torch.nn.Module
        Network, in eval mode.
    batch_norm : {"fold", "drop"}
        What to do with BatchNorm.
    name : str
        What to call the network in messages.
    """

    def __init__(self, body, batch_norm, name):
        super().__init__()
        self.body, self.batch_norm, self.name = body, batch_norm, name
        self.affine = False

    def forward(self, x):
        """Affine logits (n, n_classes)."""
        self.ensure_affine(x.shape[1:], x.device)
        return self.run(x, LinearOps(self.batch_norm))

    def run(self, x, ops):
        """Logits with the functions that ``ops`` puts in the place of others."""
        with ops:  # a copy, since a network may write on its input
            return self.body(mark(x.clone()))

    def ensure_affine(self, shape, device):
        """Raise unless the slope is the same at two inputs as different as can be; once.

        The way back through an affine network uses no value of the way forward, so the two
        slopes of one random combination of logits agree to the last bit.
        """
        if self.affine:
            return
        ops = LinearOps(self.batch_norm)
        generator = torch.Generator().manual_seed(0)
        n_values = torch.Size(shape).numel()
        x = torch.randn(2, n_values, generator=generator, dtype=torch.float64)
        # From hundredths to ten thousands, so that pieces of any width are left.
        x[1] *= 10 ** (6 * torch.rand(n_values, generator=generator, dtype=torch.float64) - 2)
        slopes = []
        for point in x.reshape(2, 1, *shape).to(device, float_type(device)):
            point = point.requires_grad_(True)
            with torch.enable_grad():
                z = self._first_run(point, ops)
                reached = z.requires_grad
                slope = F.input_gradient((z * _weights(z)).sum(1), point) if reached else 0 * point
            slopes.append(slope.detach())
        self._judge(*slopes, ops)
        ops.warn()
        self.affine = True

    def _first_run(self, x, ops):
        try:
            z = self.run(x, ops)
        except NotLinearizableError as error:
            raise NotLinearizableError(f"{self.name} cannot be linearised: {error}") from error
        return z[0] if isinstance(z, (tuple, list)) else z

    def _judge(self, first, second, ops):
        change = (first - second).norm() / torch.maximum(first.norm(), second.norm())
        if change <= _TOLERANCE:
            return
        suspects = ", ".join(sorted(ops.suspects))
        if not bool(first.any() | second.any()):
            reason = "what is left is constant: no input reaches the logits"
        elif suspects or bool(change.isfinite()):
            reason = f"what is left is still not affine, because of {suspects or 'its own code'}"
        else:
            reason = "its slope overflows"
        raise NotLinearizableError(
            f"{self.name} cannot be linearised: {reason}. Average the slopes of the network itself "
            "instead, class_weight_matrix(estimator, X, method='mean_jacobian')."
        )


def float_type(device):
    """Float64 wherever the device has it."""
    return torch.float32 if torch.device(device).type == "mps" else torch.float64


def _weights(z):
    """Give each logit a number, none of which cancel."""
    return torch.linspace(1, 2, z.shape[1], dtype=z.dtype, device=z.device).sqrt()


def linearize(estimator, *, batch_norm="fold"):
    """Leave the non-linear parts of a fitted network out.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module
        The network; a copy of it is linearised. Scalers of a pipeline belong to it.
    batch_norm : {"fold", "drop"}, default="fold"
        "fold" keeps BatchNorm as the affine map it is in eval mode. "drop" leaves it out, as
        the paper's code does; the result then depends on how a layer and its BatchNorm share the
        scale between them.

    Returns
    -------
    module : torch.nn.Module
        The affine map ``f(x) = W x + b`` from raw samples ``(n, *sample_shape)`` to logits
        (n, n_classes), a view as :func:`~sklearn_robust.differentiable.as_module` returns.

    Raises
    ------
    NotLinearizableError
        If the rest is not affine: gates, attention, recurrence, or a way through the network that
        depends on the data. The message names the functions to blame. It comes with the first
        call if the shape of a sample is not known before.

    See Also
    --------
    class_weight_matrix : The matrix W of the affine map.

    Notes
    -----
    Activations, dropout and a softmax at the end are left out; a max-pooling becomes the
    average-pooling of the same kernel, stride and padding; layer, group, instance and local
    response normalisation are left out with a warning. Modules, functional calls, methods and
    in-place calls are all seen, shortcuts and branches stay (paper 002, section 1.1).

    References
    ----------
    Bai et al., "Clustering effect of (linearized) adversarial robust models", NeurIPS 2021.

    Examples
    --------
    >>> import torch
    >>> from sklearn_robust.clustering import linearize
    >>> from torch import nn
    >>> network = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3)).double()
    >>> f = linearize(network)
    >>> x, y = torch.randn(2, 1, 5, dtype=torch.float64)
    >>> torch.allclose(f(2 * x - y), 2 * f(x) - f(y))
    True
    >>> torch.allclose(network(2 * x - y), 2 * network(x) - network(y))
    False
    """
    check.check_choice("batch_norm", batch_norm, ["fold", "drop"])
    _refuse_script(estimator)
    view = as_module(estimator)
    body = _uncompiled(copy.deepcopy(view.body) if view is estimator else view.body)
    linear = Linearized(body.to(float_type(view.device)), batch_norm, view.name)
    classes, shape = getattr(view, "classes_", None), view.input_shape
    affine = View(linear, classes, input_shape=shape, name=f"linearised {view.name}")
    if shape is not None:
        linear.ensure_affine(shape, affine.device)
    return affine


def _refuse_script(estimator):
    module = getattr(estimator, "module_", estimator)
    if isinstance(module, nn.Module):
        if any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
            raise NotLinearizableError(
                "a TorchScript module cannot be looked into, so it cannot be linearised: pass the "
                "Python module that it was made from."
            )


def _uncompiled(body):
    """Take compiled modules out of their wrappers."""
    for parent in list(body.modules()):
        for name, child in list(parent.named_children()):
            if hasattr(child, "_orig_mod"):
                setattr(parent, name, child._orig_mod)
    return body
