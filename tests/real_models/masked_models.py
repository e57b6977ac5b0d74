"""Models whose gradient hides their weakness, and honest ones, all on handwritten digits."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from torch import nn

from sklearn_robust import JacobianRegNet, MinMaxNet, NaturalNet, TRADESNet

__all__ = ["EPS", "HONEST", "MASKED", "data", "honest", "masked"]

EPS = 0.1
LABELS = range(10)


@lru_cache
def data():
    """Training and test digits in [0, 1], and the test samples that are looked at."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    return X[:1000], y[:1000], X[1200:1320], y[1200:1320]


@lru_cache
def natural():
    """An undefended net: what the masks are put before."""
    X, y, *_ = data()
    return NaturalNet(max_epochs=20, random_state=0).fit(X, y)


@dataclass(frozen=True)
class Masked:
    """A masked net.

    Parameters
    ----------
    net : NaturalNet
        What is to be found out.
    stand_in : NaturalNet or None
        An honest net whose adversarial examples fool it: the proof that it is masked. None where
        the net itself proves it, under a loss or a surrogate of its own.
    """

    net: object
    stand_in: object = None


def _wrapped(module):
    return NaturalNet.from_module(module.eval(), classes=LABELS)


def _front(function):
    """The natural net behind a function of its input, and the natural net alone."""

    def make():
        return Masked(_wrapped(Front(natural().module_, function)), natural())

    return make


def _behind(function):
    """A function of the natural net's logits."""

    def make():
        return Masked(_wrapped(Behind(natural().module_, function)), natural())

    return make


class Front(nn.Module):
    """A net behind a function of its input."""

    def __init__(self, net, function):
        super().__init__()
        self.net, self.function = net, function

    def forward(self, x):
        return self.net(self.function(x))


class Behind(nn.Module):
    """A function of a net's logits."""

    def __init__(self, net, function):
        super().__init__()
        self.net, self.function = net, function

    def forward(self, x):
        return self.function(self.net(x))


# -- functions of the input -------------------------------------------------------------------


def quantised(x):
    """Eight shades, by rounding."""
    return (x * 8).round() / 8


def thermometer(x, n_levels=8):
    """Codes of how many levels a pixel exceeds, read off again."""
    levels = torch.linspace(0, 1, n_levels + 1)[1:-1]
    return (x[..., None] > levels).to(x.dtype).mean(-1) + 0 * x


def noisy(x):
    """A draw of noise at each pass."""
    return x + 0.25 * torch.randn_like(x)


def dropped(x):
    """A fifth of the pixels is lost at each pass."""
    return x * (torch.rand_like(x) > 0.2) * 1.25


def stepped(x):
    """A staircase of steep sigmoids: the gradient is tiny but on the steps."""
    shades = torch.arange(8) + 0.5
    return torch.sigmoid(400 * (x[..., None] * 8 - shades)).mean(-1)


def jpeg(x):
    """Rounds the cosine transform of the image, as JPEG does."""
    basis = _cosines().to(x)
    image = x.reshape(-1, 8, 8)
    spectrum = (basis @ image @ basis.T * 4).round() / 4
    return (basis.T @ spectrum @ basis).reshape(x.shape)


def _cosines():
    n = torch.arange(8.0)
    basis = torch.cos(torch.pi * (n + 0.5)[None] * n[:, None] / 8) / 2
    basis[0] /= 2**0.5
    return basis


def sine(x):
    """A wave too fast to follow: the slope's sign is that of the wave."""
    return x + 0.01 * torch.sin(2000 * x)


def purified(x):
    """The projection on the principal components of the training data, without a gradient."""
    mean, parts = _components()
    inner = (x.detach() - mean) @ parts.T @ parts + mean
    return inner + 0 * x


def prototypes(x):
    """A weighted mean of the nearest training samples: a projection that saturates."""
    bank = torch.tensor(data()[0][:300])
    weights = torch.softmax(-60 * torch.cdist(x, bank).square(), 1)
    return (0.6 * weights.detach() @ bank + 0.4 * x.detach()) + 0 * x


@lru_cache
def _components():
    pca = PCA(30, random_state=0).fit(data()[0])
    return torch.tensor(pca.mean_).float(), torch.tensor(pca.components_).float()


def faint_wave(x):
    """A wave of three thousandths, fast enough for its slope to be six times the image's."""
    return x + 0.003 * torch.sin(2000 * x)


def reversed_gradient(x):
    """The input, with a gradient that points the wrong way."""
    return 2 * x.detach() - x


def permuted_gradient(x):
    """The input, with the gradient of another pixel in the place of each."""
    return x.detach() + (x - x.detach())[:, torch.arange(64) * 37 % 64]


def reversed_where_light(x):
    """A gradient that points the wrong way for the images of little ink."""
    light = (x.mean(1, keepdim=True) < 0.3).to(x.dtype).detach()
    return light * reversed_gradient(x) + (1 - light) * x


def only_dark(x):
    """Quantises the images of more ink than most: a mask of some samples alone."""
    heavy = (x.mean(1, keepdim=True) > 0.3).to(x.dtype).detach()
    return heavy * quantised(x) + (1 - heavy) * x


# -- functions of the logits -------------------------------------------------------------------


def scaled(z):
    return 1000 * z


def saturated(z):
    """Logits that a tanh has driven to their ends: no slope is left."""
    return torch.tanh(8 * (z - z.mean(1, keepdim=True))) + 1e-4 * z.detach()


def squashed(z):
    """Sigmoids of steep logits, and of what is left a small share."""
    return torch.sigmoid(30 * z) * 10 + 1e-3 * z.detach()


def rounded(z):
    """Logits in two digits, as an interface may give them."""
    return z.round(decimals=1) + 0 * z


# -- nets that training masks ---------------------------------------------------------------------


class Winners(nn.Module):
    """k-winners-take-all: of many hidden units the few largest go on, the rest is zero."""

    def __init__(self, width=1000, k=20):
        super().__init__()
        self.first, self.second = nn.Linear(64, width), nn.Linear(width, width // 2)
        self.last, self.k = nn.Linear(width // 2, 10), k
        nn.init.normal_(self.first.weight, std=1.0)
        nn.init.normal_(self.second.weight, std=0.1)

    def forward(self, x):
        h = self._largest(self.first(x - 0.3), self.k)
        return self.last(self._largest(self.second(h), self.k // 2))

    @staticmethod
    def _largest(h, k):
        return h * (h >= h.topk(k, dim=1).values[:, -1:])


class Distilled(nn.Module):
    """A net trained at temperature 40 and used at 1, as in defensive distillation."""

    def __init__(self, temperature=40.0):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        self.temperature = temperature

    def forward(self, x):
        z = self.layers(x)
        return z / self.temperature if self.training else z


class Voting(nn.Module):
    """Three nets that vote: votes have no slope."""

    def __init__(self, nets):
        super().__init__()
        self.nets = nn.ModuleList(nets)

    def forward(self, x):
        z = torch.stack([net(x) for net in self.nets])
        votes = torch.zeros_like(z).scatter(2, z.argmax(2, keepdim=True), 1.0).sum(0)
        return votes + 0 * z.mean(0)


def _trained(module, epochs=20, net=NaturalNet, **params):
    X, y, *_ = data()
    return net(module, max_epochs=epochs, random_state=0, **params).fit(X, y)


def _winners():
    return Masked(_trained(Winners, 15))


def _distilled():
    return Masked(_trained(Distilled, 60, lr=0.02), natural())


def _voting():
    nets = [_trained("auto", 8, module__hidden=w).module_ for w in (32, 48, 64)]
    return Masked(_wrapped(Voting(nets)), natural())


def _flat_cross_entropy():
    """A net whose cross-entropy was made flat: huge gaps of the logits where the data are."""
    net = _trained(
        "auto", 30, JacobianRegNet, jacobian_target="loss", lam=0.3, jacobian_norm="l1", lr=3e-3
    )
    return Masked(_wrapped(Behind(net.module_, lambda z: 60 * z)), net)


MASKED = {
    "logits times 1000": _behind(scaled),
    "saturated logits": _behind(saturated),
    "squashed logits": _behind(squashed),
    "rounded logits": _behind(rounded),
    "quantised input": _front(quantised),
    "thermometer codes": _front(thermometer),
    "steep staircase": _front(stepped),
    "input noise": _front(noisy),
    "random pixels lost": _front(dropped),
    "JPEG": _front(jpeg),
    "fast sine": _front(sine),
    "detached purification": _front(purified),
    "prototypes": _front(prototypes),
    "quantised where dark": _front(only_dark),
    "faint wave": _front(faint_wave),
    "reversed gradient": _front(reversed_gradient),
    "permuted gradient": _front(permuted_gradient),
    "reversed where light": _front(reversed_where_light),
    "k winners": _winners,
    "distilled": _distilled,
    "votes": _voting,
    "flat cross-entropy": _flat_cross_entropy,
}
RANDOM = {"input noise", "random pixels lost"}


def _sklearn(estimator):
    return lambda: estimator.fit(*data()[:2])


class Convolutional(nn.Sequential):
    """A small CNN on rows of 64 pixels."""

    def __init__(self):
        super().__init__(
            nn.Unflatten(1, (1, 8, 8)),
            nn.Conv2d(1, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(128, 10),
        )


RADII = {"attack__eps": EPS, "attack__max_iter": 5}
HONEST = {
    "LogisticRegression": _sklearn(LogisticRegression(max_iter=500)),
    "LinearSVC": _sklearn(LinearSVC()),
    "SVC": _sklearn(SVC()),
    "MLPClassifier": _sklearn(MLPClassifier((32,), max_iter=200, random_state=0, tol=1e-3)),
    "GaussianNB": _sklearn(GaussianNB(var_smoothing=1e-2)),
    "QDA": _sklearn(QuadraticDiscriminantAnalysis(reg_param=0.3)),
    "pipeline": _sklearn(
        make_pipeline(StandardScaler(), PCA(20), LogisticRegression(max_iter=500))
    ),
    "RandomForestClassifier": _sklearn(RandomForestClassifier(20, random_state=0)),
    "NaturalNet": natural,
    "wide NaturalNet": lambda: _trained("auto", 30, module__hidden=128),
    "convolutional NaturalNet": lambda: _trained(Convolutional, 10),
    "smooth NaturalNet": lambda: _trained(
        nn.Sequential(nn.Linear(64, 32), nn.Softplus(), nn.Linear(32, 10)), 25
    ),
    "MinMaxNet": lambda: _trained("auto", 15, MinMaxNet, **RADII),
    "TRADESNet": lambda: _trained("auto", 15, TRADESNet, **RADII),
    "JacobianRegNet": lambda: _trained("auto", 20, JacobianRegNet, lam=0.03),
}
BLACK_BOX = {"RandomForestClassifier"}


@lru_cache
def masked(name):
    """The masked model of a name, made once."""
    return MASKED[name]()


@lru_cache
def honest(name):
    """The honest model of a name, made once."""
    return HONEST[name]()
