"""Classifiers whose indicators are known in closed form, in float64."""

import numpy as np
import torch
from torch import nn

from sklearn_robust.modules import MLP, CIFARConvNet, MNISTConvNet

N_FEATURES, N_CLASSES = 12, 4


class Quadratic(nn.Module):
    """Two classes: z = (x^T A x / 2 + b^T x, 0), so S = z_0 for class 0, J = Ax + b and H = A."""

    def __init__(self, A, b):
        super().__init__()
        self.A, self.b = nn.Parameter(torch.tensor(A)), nn.Parameter(torch.tensor(b))

    def forward(self, x):
        f = ((x @ self.A) * x).sum(1) / 2 + x @ self.b
        return torch.stack([f, torch.zeros_like(f)], 1)


class Scaled(nn.Module):
    """Another module with its logits, or its input, multiplied by a number."""

    def __init__(self, module, logits=1.0, inputs=1.0):
        super().__init__()
        self.module, self.logits, self.inputs = module, logits, inputs

    def forward(self, x):
        return self.logits * self.module(self.inputs * x)


class Constant(nn.Module):
    """The same logits for every sample."""

    def forward(self, x):
        return torch.arange(N_CLASSES, dtype=x.dtype).expand(len(x), -1)


class Detached(nn.Module):
    """Logits that depend on the input behind autograd's back."""

    def forward(self, x):
        f = x.detach().flatten(1).sum(1)
        return torch.stack([f, -f], 1)


class LogSoftmax(nn.Module):
    """Log-probabilities of another module."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x).log_softmax(1)


def linear():
    torch.manual_seed(0)
    return nn.Linear(N_FEATURES, N_CLASSES).double()


def quadratic(n=N_FEATURES):
    rng = np.random.default_rng(0)
    A = rng.normal(size=(n, n))
    return Quadratic(A + A.T, rng.normal(size=n)).double()


def mlp(activation, seed=0, spread=3.0):
    """Untrained MLP whose weights are large enough to bend."""
    torch.manual_seed(seed)
    module = MLP((N_FEATURES,), N_CLASSES, hidden=(16, 16), activation=activation).double()
    with torch.no_grad():
        for p in module.parameters():
            p.mul_(spread if p.ndim > 1 else 0)
    return module


def relu_nets():
    """Networks with piecewise linear logits, each with the shape of its samples."""
    torch.manual_seed(0)
    return [
        (mlp(nn.ReLU), (N_FEATURES,)),
        (mlp(nn.LeakyReLU), (N_FEATURES,)),
        (LogSoftmax(mlp(nn.ReLU)), (N_FEATURES,)),
        (MNISTConvNet((1, 6, 6), 5, channels=(4, 4), kernel_size=3, hidden=8).double(), (1, 6, 6)),
        (CIFARConvNet((3, 4, 4), 3, channels=(4, 4, 6)).double(), (3, 4, 4)),
    ]


def samples(n=20, shape=(N_FEATURES,), seed=0):
    return np.random.default_rng(seed).normal(size=(n, *shape))


def labels(module, X):
    """What the module predicts."""
    with torch.no_grad():
        return module.eval()(torch.tensor(X)).argmax(1).numpy()


def top(spectrum, k):
    rank = np.argsort(-abs(spectrum), axis=1)[:, :k]
    return np.sort(np.take_along_axis(spectrum, rank, 1), axis=1)


KINDS = ["auto", "spectral", "entrywise", "eigen"]


def points(norm, n=3000):
    """Random perturbations of length 1, corners of the ball among them."""
    rng = np.random.default_rng(0)
    v = rng.normal(size=(n, N_FEATURES))
    if norm == "linf":
        return np.sign(v)
    if norm == "l1":
        corners = np.concatenate([np.eye(N_FEATURES), -np.eye(N_FEATURES)])
        return np.concatenate([v / abs(v).sum(1, keepdims=True), corners])
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def some_labels(n=20, n_classes=N_CLASSES):
    return np.arange(n) % n_classes
