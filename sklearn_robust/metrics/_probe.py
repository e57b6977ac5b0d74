"""A classifier and the samples to look at, checked once for all indicators."""

import copy

import numpy as np
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from .. import _functional as F
from .. import _validation as check
from ..attacks._arrays import batches_of
from ..differentiable import open_model
from ..exceptions import NotDifferentiableError

__all__ = ["Probe", "slope", "value_and_slope"]

_SCALARS = {"margin": F.margin, "loss": F.cross_entropy, "smooth_margin": F.smooth_margin}
_UNUSED = object()


class Probe:
    """The differentiable view of a fitted classifier, and samples of its kind.

    Parameters
    ----------
    estimator : fitted classifier
        What to look at.
    X : array-like of shape (n_samples, ...)
        Samples. Floats keep their precision, which is that of the computation.
    y : array-like of shape (n_samples,)
        True labels; left out where they play no part.
    first_order : bool, default=False
        Whether nothing is differentiated twice: a quicker copy of the view then serves.
    """

    def __init__(self, estimator, X, y=_UNUSED, *, first_order=False):
        self.model = open_model(estimator)
        self.view = self.model.module
        self._smooth = self.model.fused if first_order else self.model.logits
        _refuse_batch_statistics(self.view)
        self.X = check.check_samples(X, dtype=(np.float64, np.float32), of=self.model.estimator)
        check.check_sample_shape(self.X, self.view.input_shape, self.view.name)
        self.codes = None if y is _UNUSED else self.model.label_codes(self.X, y)

    def take(self, index):
        """Return a probe of some of the samples."""
        part = copy.copy(self)
        part.X = self.X[index]
        part.codes = None if self.codes is None else self.codes[index]
        return part

    @property
    def n_features(self):
        """Numbers in one sample."""
        return self.X[0].size

    def logits(self, x):
        """Logits whose gradient is worth following; that of a constant model is zero."""
        z = self._smooth(x)
        if z.requires_grad or not (x.requires_grad and torch.is_grad_enabled()):
            return z
        if not torch.equal(self._smooth(1.5 * x.detach() + 0.25), z):
            raise NotDifferentiableError(
                f"The logits of {self.view.name} change with the input, but no gradient reaches "
                "it: keep every step of the model in torch, without detach(), no_grad() and "
                "inference_mode()."
            )
        return z + 0 * x.flatten(1).sum(1, keepdim=True)

    def scalar(self, of, tau=1.0):
        """Return the function ``(x, y) -> (n,)`` that an indicator is about.

        Parameters
        ----------
        of : {"margin", "loss", "smooth_margin"} or callable
            A name, or ``of(z, y) -> (n,)`` from logits and class codes.
        tau : float
            Temperature of the smooth margin.
        """
        logits = self.logits
        if callable(of):
            return lambda x, y: of(logits(x), y)
        check.check_choice("of", of, _SCALARS)
        if of == "smooth_margin":
            check.check_number("tau", tau, strict=True)
            return lambda x, y: F.smooth_margin(logits(x), y, tau)
        return lambda x, y: _SCALARS[of](logits(x), y)

    def batches(self, label, *, batch_size=None, verbose=0, dtype=None):
        """Yield the rows of each batch, its samples and its class codes as tensors."""
        if batch_size is not None:
            check.check_count("batch_size", batch_size)
        device = self.view.device
        for rows in batches_of(self.X, batch_size, device, verbose, label):
            x = self.view.tensor(self.X[rows])
            y = None if self.codes is None else torch.as_tensor(self.codes[rows], device=device)
            yield rows, x if dtype is None else x.to(dtype), y

    def map(self, function, label, **options):
        """Array of ``function(x, y)``, one entry a sample, computed batch by batch."""
        parts = []
        for rows, x, y in self.batches(label, **options):
            with torch.enable_grad():
                part = function(x, y).detach()
            self.refuse_nan(part, rows)
            parts.append(part.cpu())
        return torch.cat(parts).numpy()

    def refuse_nan(self, part, rows):
        """Raise if a value of the samples ``rows`` is NaN."""
        broken = part.flatten(1).isnan().any(1) if part.ndim > 1 else part.isnan()
        if bool(broken.any()):
            first = rows.start + int(broken.nonzero()[0])
            raise ValueError(
                f"The logits of {self.view.name}, or their derivatives, are NaN at sample {first}: "
                "mend the model, or leave the sample out."
            )


def slope(value, x, y, *, create_graph=False):
    """Gradient of ``value(x, y)`` with respect to each sample, shape of ``x``."""
    return value_and_slope(value, x, y, create_graph=create_graph)[1]


def value_and_slope(value, x, y, *, create_graph=False):
    """Values (n,) of ``value(x, y)`` and their gradients, shape of ``x``."""
    x = x if x.requires_grad else x.detach().requires_grad_(True)
    values = value(x, y)
    return values.detach(), F.input_gradient(values, x, create_graph=create_graph)


def _refuse_batch_statistics(view):
    for part in view.modules():
        if isinstance(part, _BatchNorm) and (part.training or part.running_mean is None):
            raise ValueError(
                f"{view.name} holds a {type(part).__name__} that takes its statistics from the "
                "batch, so that samples change each other's logits and none has a gradient of its "
                "own: call .eval() on the view, and build the layer with track_running_stats=True."
            )
