"""Plain torch in float64: what the library's numbers must agree with."""

import copy
from contextlib import contextmanager

import numpy as np
import scipy.sparse.linalg
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

_WIDE = {torch.float32: torch.float64, torch.complex64: torch.complex128}


@contextmanager
def in_float64():
    """What a module makes inside ``forward`` is float64, and attention differentiates twice."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.set_default_dtype(before)


def tensor_of(output):
    """Logits of a tensor, tuple, dict or Hugging Face output."""
    if isinstance(output, torch.Tensor):
        return output
    if hasattr(output, "logits"):
        return output.logits
    if isinstance(output, dict):
        return output["logits"] if "logits" in output else next(iter(output.values()))
    return output[0]


class Hardsigmoid(nn.Module):
    """The same function, but torch knows its second derivative."""

    def forward(self, x):
        return nn.functional.relu6(x + 3) / 6


class Hardswish(Hardsigmoid):
    """The same function, but torch knows its second derivative."""

    def forward(self, x):
        return x * super().forward(x)


_TWICE = {nn.Hardsigmoid: Hardsigmoid, nn.Hardswish: Hardswish}


def widened(module):
    """A copy in eval mode whose real and complex weights have twice the digits."""
    copied = copy.deepcopy(module).eval()
    for part in list(copied.modules()):
        for name, child in part.named_children():
            if type(child) in _TWICE:
                setattr(part, name, _TWICE[type(child)]())
    for part in copied.modules():
        for table in (part._parameters, part._buffers):
            for name, value in table.items():
                if value is not None and value.dtype in _WIDE:
                    wide = value.detach().to(_WIDE[value.dtype])
                    table[name] = nn.Parameter(wide, False) if table is part._parameters else wide
    return copied


class Oracle:
    """Logits of a module in float64, and everything that follows from them.

    Parameters
    ----------
    module : torch.nn.Module
        Never changed.
    two_columns : bool
        Whether its single logit z stands for the columns -z/2 and z/2.
    """

    def __init__(self, module, two_columns=False):
        self.module, self.two_columns = widened(module), two_columns

    def logits(self, x):
        z = tensor_of(self.module(x))
        if self.two_columns:
            z = z.reshape(-1, 1) / 2
            z = torch.cat([-z, z], 1)
        return z

    def z(self, X):
        with in_float64(), torch.no_grad():
            return self.logits(torch.tensor(np.asarray(X), dtype=torch.float64)).numpy()

    def codes(self, X):
        return self.z(X).argmax(1)

    @staticmethod
    def lead(z, y):
        """Lead of the class ``y`` over the best other one."""
        others = z.scatter(1, y[:, None], -torch.inf)
        return z.gather(1, y[:, None])[:, 0] - others.amax(1)

    def margin(self, X, y):
        with torch.no_grad():
            return self.lead(torch.tensor(self.z(X)), torch.tensor(y)).numpy()

    def jacobian(self, X, y, value=None):
        """Gradient of each sample's margin, or of ``value(z, y)``."""
        with in_float64(), torch.enable_grad():
            x = torch.tensor(np.asarray(X), dtype=torch.float64, requires_grad=True)
            values = (value or self.lead)(self.logits(x), torch.tensor(y))
            return torch.autograd.grad(values.sum(), x)[0].numpy()

    def spectral_norm_of_hessian(self, X, y):
        """Largest magnitude of an eigenvalue of each sample's Hessian of the margin."""
        return np.array([self._largest(X[i : i + 1], y[i : i + 1]) for i in range(len(X))])

    def _largest(self, X, y):
        with in_float64(), torch.enable_grad():
            x = torch.tensor(np.asarray(X), dtype=torch.float64, requires_grad=True)
            value = self.lead(self.logits(x), torch.tensor(y)).sum()
            slope = torch.autograd.grad(value, x, create_graph=True)[0]

            def product(v):
                v = torch.tensor(np.asarray(v, dtype=np.float64).reshape(x.shape))
                if not slope.requires_grad:
                    return np.zeros(x.numel())
                found = torch.autograd.grad(
                    slope, x, v, retain_graph=True, allow_unused=True, materialize_grads=True
                )
                return found[0].flatten().numpy()

            d = x.numel()
            start = np.random.default_rng(0).standard_normal(d)
            if not np.abs(product(start)).max():
                return 0.0
            if d <= 64:
                H = np.stack([product(e) for e in np.eye(d)])
                return float(np.abs(np.linalg.eigvalsh((H + H.T) / 2)).max())
            operator = scipy.sparse.linalg.LinearOperator((d, d), product, dtype=np.float64)
            found = scipy.sparse.linalg.eigsh(
                operator, 1, which="LM", v0=start, tol=1e-3, return_eigenvectors=False
            )
            return float(np.abs(found).max())

    def pgd(self, X, y, eps, step, n_steps):
        """PGD on cross-entropy in the unit box, from the sample itself."""
        X, x = np.asarray(X, dtype=np.float64), np.asarray(X, dtype=np.float64)

        def loss(z, t):
            return nn.functional.cross_entropy(z, t, reduction="none")

        for _ in range(n_steps):
            x = x + step * np.sign(self.jacobian(x, y, loss))
            x = np.clip(np.clip(x, X - eps, X + eps), 0, 1)
        return x


def bare(module, two_columns=False):
    """The module itself in float32 as a plain function of tensors, for comparisons in its dtype."""
    copied = copy.deepcopy(module).eval()

    def logits(x):
        z = tensor_of(copied(x))
        return torch.cat([-z.reshape(-1, 1), z.reshape(-1, 1)], 1) / 2 if two_columns else z

    return logits
