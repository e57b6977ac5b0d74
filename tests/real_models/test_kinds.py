"""Kinds of torch modules that broke, several of each, beside closed forms and plain torch."""

import copy
import threading
import warnings

import numpy as np
import pytest
import torch
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

from sklearn_robust import JacobianRegNet, MinMaxNet, NaturalNet, load_net, robust_score
from sklearn_robust.attacks import APGD, FAB, FGSM, PGD, CarliniWagner, DeepFool, Square
from sklearn_robust.differentiable import as_module
from sklearn_robust.exceptions import BlackBoxWarning, NotDifferentiableError
from sklearn_robust.metrics import (
    decision_margin,
    hessian_eigvals,
    hessian_norm,
    input_jacobian,
    robustness_indicator,
    robustness_report,
    taylor_bound,
    taylor_radius,
)
from tests.real_models.exact import affine_map, exact_mask, refused, right_or_refused
from tests.real_models.oracle import Oracle

pytestmark = pytest.mark.filterwarnings("ignore")
RNG = np.random.default_rng


def made(cls, *args):
    torch.manual_seed(0)
    return cls(*args).eval()


def scored(module, shape, eps=0.02, n=40, attack=PGD, **params):
    """Robust score of an affine module by an attack, and the exact one."""
    X = RNG(0).uniform(0, 1, (n, *shape)).astype(np.float32)
    W, b = affine_map(copy.deepcopy(module), shape)
    y = (X.reshape(n, -1) @ W.T + b).argmax(1)
    right = exact_mask(W, b, X, y, eps).mean()
    params = {"eps": eps, "norm": "linf", "bounds": None, **params}
    if attack is not DeepFool:
        params["random_state"] = 0
    if attack in (FGSM, PGD, APGD):
        params["loss"] = "margin"  # cross-entropy aims between two rivals
    before = X.copy()
    got = robust_score(module, X, y, attack=attack(**params))
    assert np.array_equal(X, before), "the user's samples changed"
    return got, right


# -- flattening by view (01) ----------------------------------------------------------------------


class Viewed(nn.Module):
    """Convolutions, then something that needs memory in one piece."""

    def __init__(self, kind):
        super().__init__()
        channels = 1 if kind == "second convolution" else 3
        self.kind, self.conv = kind, nn.Conv2d(channels, 6, 3, padding=1)
        self.more = nn.Conv2d(6, 6, 3, padding=1) if kind == "second convolution" else nn.Identity()
        self.pool = nn.AvgPool2d(2) if kind == "pooled" else nn.Identity()
        self.head = nn.Linear(6 * (9 if kind == "pooled" else 36), 3)

    def forward(self, x):
        h = self.pool(self.more(self.conv(x)))
        if self.kind == "split channels":
            h = h.view(len(h), 2, 3, 36).view(len(h), -1)
        elif self.kind == "merged rows":
            h = h.view(h.size(0) * 6, 36).view(len(x), -1)
        elif self.kind == "demands contiguity":
            if not h.is_contiguous():
                raise RuntimeError("my kernel wants contiguous memory")
            h = h.flatten(1)
        elif self.kind == "strides":
            h = torch.as_strided(h, (len(h), 216), (216, 1))
        else:
            h = h.view(h.size(0), -1)
        return self.head(h)


VIEWS = [
    "plain",
    "second convolution",
    "pooled",
    "split channels",
    "merged rows",
    "demands contiguity",
    "strides",
]


def image_shape(kind):
    return (1, 6, 6) if kind == "second convolution" else (3, 6, 6)


@pytest.mark.parametrize("attack", [PGD, APGD, FAB])
@pytest.mark.parametrize("kind", VIEWS)
def test_modules_that_flatten_by_view_are_scored(kind, attack):
    got, right = scored(made(Viewed, kind), image_shape(kind), attack=attack)
    assert got == pytest.approx(right, abs=0.03)


@pytest.mark.parametrize("kind", VIEWS)
def test_modules_that_flatten_by_view_are_measured_and_trained(kind):
    module, X = made(Viewed, kind), RNG(0).uniform(0, 1, (8, *image_shape(kind)))
    oracle = Oracle(module)
    y = oracle.codes(X)
    right = oracle.jacobian(X, y)
    for dtype in (np.float32, np.float64):
        np.testing.assert_allclose(input_jacobian(module, X.astype(dtype), y), right, atol=1e-5)
    report = robustness_report(module, X, y, attack=PGD(eps=0.01), output_dict=True)
    assert report["clean"] == 1
    MinMaxNet(module, max_epochs=1, random_state=0).fit(
        X, y % 3 if len(set(y)) > 1 else [0, 1, 2, 0] * 2
    )


# -- operations in place on the input (03) --------------------------------------------------------


class InPlace(nn.Module):
    """A first operation that writes on its input."""

    def __init__(self, kind):
        super().__init__()
        self.kind, self.line = kind, nn.Linear(4, 3)
        self.first = {
            "ReLU": nn.ReLU(inplace=True),
            "Hardtanh": nn.Hardtanh(-5, 5, inplace=True),
            "Dropout": nn.Dropout(0.5, inplace=True),
            "LeakyReLU": nn.LeakyReLU(0.2, inplace=True),
        }.get(kind, nn.Identity())

    def forward(self, x):
        if self.kind == "normalises":
            x.sub_(0.5).div_(0.25)
        elif self.kind == "adds":
            x += 0.3
        elif self.kind == "writes a column":
            x[:, 0] = x[:, 0] * 2
        elif self.kind == "clamps":
            x.clamp_(-5, 5)
        return self.line(self.first(x))


WRITES = [
    "normalises",
    "adds",
    "writes a column",
    "clamps",
    "ReLU",
    "Hardtanh",
    "Dropout",
    "LeakyReLU",
]
GRADIENT_ATTACKS = [FGSM, PGD, APGD, DeepFool, FAB, CarliniWagner]


@pytest.mark.parametrize("attack", GRADIENT_ATTACKS)
@pytest.mark.parametrize("kind", ["normalises", "adds"])
def test_every_attack_takes_modules_that_write_on_their_input(kind, attack):
    got, right = scored(made(InPlace, kind), (4,), 0.05, attack=attack)
    assert got == pytest.approx(right, abs=0.03)


@pytest.mark.parametrize("kind", WRITES)
def test_indicators_and_nets_take_them_too(kind):
    module, X = made(InPlace, kind), RNG(0).uniform(0.1, 1, (12, 4))
    oracle = Oracle(copy.deepcopy(module))
    plain = made(InPlace, kind)

    def logits(x):  # the oracle's own leaf must not be written on either
        return plain(x.clone())

    oracle.module = logits
    plain.double()
    y = oracle.codes(X)
    before = X.copy()
    np.testing.assert_allclose(input_jacobian(module, X, y), oracle.jacobian(X, y), atol=1e-6)
    assert np.abs(hessian_norm(module, X, y)).max() < 1e-9
    slope = np.abs(oracle.jacobian(X, y)).sum(1)
    np.testing.assert_allclose(taylor_radius(module, X, y), oracle.margin(X, y) / slope, rtol=1e-4)
    net = NaturalNet.from_module(module, classes=[0, 1, 2])
    assert np.array_equal(net.predict(X), y) and np.array_equal(net.predict(X), y)
    JacobianRegNet(module, max_epochs=1, random_state=0).fit(X, np.arange(12) % 3)
    assert np.array_equal(X, before), "the user's samples changed"


# -- tensors made inside forward, and mixed dtypes (04) -------------------------------------------


class MakesTensors(nn.Module):
    """A module that makes a tensor of its own, in torch's default dtype or a fixed one."""

    def __init__(self, kind):
        super().__init__()
        if kind == "first weight half":
            self.scale = nn.Parameter(torch.ones(18, dtype=torch.half))
        self.kind, self.head = kind, nn.Linear(5, 2)
        self.rnn = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}.get(kind, nn.RNN)(
            3, 5, batch_first=True
        )
        self.body = nn.Linear(18, 5)

    def forward(self, x):
        n = len(x)
        if self.kind in ("LSTM", "GRU", "RNN"):
            zero = torch.zeros(1, n, 5)
            return self.head(self.rnn(x, (zero, zero) if self.kind == "LSTM" else zero)[0][:, -1])
        h = x.flatten(1)
        if self.kind == "positions":
            h = h + torch.arange(18).float() / 18
        elif self.kind == "constants":
            h = (h - torch.tensor([0.5])) / torch.tensor([0.25])
        elif self.kind == "mask":
            h = h @ torch.triu(torch.ones(18, 18)) / 18
        elif self.kind == "float inside":
            h = h.float()
        elif self.kind == "half inside":
            h = h.half().float()
        elif self.kind == "own dtype":
            h = h.to(torch.float32)
        elif self.kind == "first weight half":
            h = h * self.scale.float()
        return self.head(torch.tanh(self.body(h)))


MADE = [
    "LSTM",
    "GRU",
    "RNN",
    "positions",
    "constants",
    "mask",
    "float inside",
    "half inside",
    "own dtype",
]
MADE += ["first weight half"]


@pytest.mark.parametrize("kind", MADE)
def test_float64_samples_meet_tensors_made_in_forward(kind):
    module, X = made(MakesTensors, kind), RNG(0).uniform(0, 1, (10, 6, 3))
    x = torch.tensor(X, dtype=torch.float32, requires_grad=True)
    z = module(x)
    y = z.argmax(1)
    lead = Oracle.lead(z, y)
    right = torch.autograd.grad(lead.sum(), x)[0].numpy()
    tolerance = 5e-2 if kind == "half inside" else 1e-4
    for dtype in (np.float32, np.float64):
        samples = X.astype(dtype)
        np.testing.assert_allclose(input_jacobian(module, samples, y), right, atol=tolerance)
        margin = decision_margin(module, samples, y)
        np.testing.assert_allclose(margin, lead.detach().numpy(), atol=tolerance)


@pytest.mark.parametrize("kind", MADE)
def test_indicators_of_second_order_meet_them_too(kind):
    module, X = made(MakesTensors, kind), RNG(0).uniform(0, 1, (4, 6, 3)).astype(np.float32)
    y = module(torch.tensor(X)).argmax(1).numpy()
    oracle = Oracle(module)
    if kind in ("float inside", "half inside", "own dtype", "first weight half"):
        oracle.module = copy.deepcopy(module)
        oracle.logits = lambda x: oracle.module(x.float()).double()
    right = oracle.spectral_norm_of_hessian(X, y)
    eigenvalues = hessian_eigvals(module, X, y)
    np.testing.assert_allclose(np.abs(eigenvalues).max(1), right, rtol=0.05, atol=1e-2)
    assert np.isfinite(taylor_bound(module, X, y, eps=0.01)).all()
    assert np.isfinite(taylor_radius(module, X, y, order=2)).all()
    found = robustness_indicator(module, X, y, random_state=0)
    numbers = [v for v in found.values() if isinstance(v, float)]
    assert numbers and np.isfinite(numbers).all()


# -- attention under second derivatives (06) ------------------------------------------------------


class Attends(nn.Module):
    """Attention in one of the ways that people write it."""

    def __init__(self, kind):
        super().__init__()
        self.kind, self.embed, self.head = kind, nn.Linear(3, 8), nn.Linear(8, 2)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1)

    def forward(self, x):
        h = self.embed(x)
        if self.kind == "encoder":
            h = self.encoder(h)
        elif self.kind == "multihead":
            h = self.attention(h, h, h, need_weights=False)[0]
        elif self.kind == "multihead with weights":
            h = self.attention(h, h, h)[0]
        elif self.kind == "causal":
            h = F.scaled_dot_product_attention(h[:, None], h[:, None], h[:, None], is_causal=True)[
                :, 0
            ]
        else:
            h = F.scaled_dot_product_attention(h[:, None], h[:, None], h[:, None])[:, 0]
        return self.head(h.mean(1))


ATTENTION = ["encoder", "multihead", "multihead with weights", "causal", "dot product"]


@pytest.mark.parametrize("target", ["margin", "loss"])
@pytest.mark.parametrize("kind", ATTENTION)
def test_jacobian_training_differentiates_attention_twice(kind, target):
    module, rng = made(Attends, kind), RNG(0)
    X, y = rng.uniform(0, 1, (24, 5, 3)).astype(np.float32), np.arange(24) % 2
    x, t = torch.tensor(X, requires_grad=True), torch.tensor(y)
    with sdpa_kernel(SDPBackend.MATH):
        z = copy.deepcopy(module).train()(x)
        value = Oracle.lead(z, t) if target == "margin" else F.cross_entropy(z, t, reduction="none")
        right = torch.autograd.grad(value.sum(), x)[0].abs().flatten(1).sum(1).mean().item()
    given = {"max_epochs": 1, "batch_size": -1, "iterator_train__shuffle": False, "random_state": 0}
    net = JacobianRegNet(module, jacobian_target=target, **given).fit(X, y)
    got = net.history[0, "batches", 0, "jacobian_penalty"]
    assert got == pytest.approx(right, rel=1e-3)


@pytest.mark.parametrize("kind", ATTENTION)
def test_curvature_of_attention_is_that_of_plain_torch(kind):
    module, X = made(Attends, kind), RNG(0).uniform(0, 1, (4, 5, 3))
    oracle = Oracle(module)
    y = oracle.codes(X)
    right = oracle.spectral_norm_of_hessian(X, y)
    np.testing.assert_allclose(
        hessian_norm(module, X, y, norm="spectral"), right, rtol=1e-3, atol=1e-6
    )


# -- complex weights (07) ------------------------------------------------------------------------


class Spectral(nn.Module):
    """Complex numbers in one of the places where they may be."""

    def __init__(self, kind):
        super().__init__()
        self.kind, self.head = kind, nn.Linear(8, 2)
        weight = torch.randn(5, dtype=torch.cfloat)
        if kind == "buffer":
            self.register_buffer("w", weight)
        elif kind == "complex128":
            self.w = nn.Parameter(weight.to(torch.cdouble))
        elif kind == "matrix":
            self.w = nn.Parameter(torch.randn(5, 5, dtype=torch.cfloat))
        else:
            self.w = nn.Parameter(weight)

    def forward(self, x):
        if self.kind == "made of pairs":
            pairs = torch.view_as_complex(x.reshape(len(x), 4, 2).contiguous())
            return self.head(torch.view_as_real(pairs * self.w[:4]).flatten(1))
        spectrum = torch.fft.rfft(x)
        if self.kind == "matrix":
            spectrum = spectrum @ self.w
        elif self.kind == "complex128":
            spectrum = (spectrum * self.w).to(spectrum.dtype)
        else:
            spectrum = spectrum * self.w
        return self.head(torch.fft.irfft(spectrum, n=8))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["parameter", "buffer", "complex128", "matrix", "made of pairs"])
def test_the_imaginary_part_of_weights_counts(kind, dtype):
    module, X = made(Spectral, kind), RNG(0).standard_normal((30, 8)).astype(np.float32)
    plain = made(Spectral, kind)
    with torch.no_grad():
        z = plain(torch.tensor(X))
    y = z.argmax(1).numpy()
    right = Oracle.lead(z, torch.tensor(y)).numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(decision_margin(module, X.astype(dtype), y), right, atol=1e-4)
        x = torch.tensor(X, requires_grad=True)
        slope = torch.autograd.grad(Oracle.lead(plain(x), torch.tensor(y)).sum(), x)[0]
        np.testing.assert_allclose(input_jacobian(module, X.astype(dtype), y), slope, atol=1e-4)
    W, b = affine_map(plain, (8,))
    exact = exact_mask(W, b, X, y, 0.1).mean()
    got = robust_score(module, X.astype(dtype), y, attack=PGD(eps=0.1, bounds=None, random_state=0))
    assert got == pytest.approx(exact)


# -- outputs that are no logits (09, 53) ----------------------------------------------------------


class Ends(nn.Module):
    """A linear model that ends in something."""

    def __init__(self, end=None, n=1, squeeze=False):
        super().__init__()
        self.line, self.end, self.squeeze = nn.Linear(3, n), end, squeeze

    def forward(self, x):
        z = self.line(x)
        z = z if self.end is None else self.end(z)
        return z.squeeze(1) if self.squeeze else z


class OwnBCE(nn.BCELoss):
    """A criterion of the user's, by inheritance."""


def as_columns(p):
    """Probabilities of both classes, which skorch makes itself for the criteria it knows."""
    return torch.stack([1 - p, p], 1)


def binary(criterion, module, threshold=0.5):
    X = RNG(0).standard_normal((200, 3)).astype(np.float32)
    y = (X[:, 0] - X[:, 1] > 0).astype(int)
    torch.manual_seed(0)
    net = NeuralNetBinaryClassifier(
        module, criterion=criterion, lr=0.5, max_epochs=20, train_split=None, verbose=0,
        threshold=threshold,
        predict_nonlinearity=as_columns if criterion is nn.MSELoss else "auto",
    )  # fmt: skip
    return net.fit(X, y.astype(np.float32)), X, y


SIGMOID = {
    "BCELoss": (nn.BCELoss, lambda: Ends(torch.sigmoid, squeeze=True), 0.5),
    "BCELoss, threshold 0.3": (nn.BCELoss, lambda: Ends(torch.sigmoid, squeeze=True), 0.3),
    "a criterion of one's own": (OwnBCE, lambda: Ends(torch.sigmoid, squeeze=True), 0.5),
    "MSE": (nn.MSELoss, lambda: Ends(torch.sigmoid, squeeze=True), 0.5),
    "logits": (nn.BCEWithLogitsLoss, lambda: Ends(squeeze=True), 0.5),
    "logits, threshold 0.3": (nn.BCEWithLogitsLoss, lambda: Ends(squeeze=True), 0.3),
}


@pytest.mark.parametrize("kind", SIGMOID)
def test_binary_nets_of_skorch_mean_what_their_criterion_says(kind):
    criterion, module, threshold = SIGMOID[kind]
    net, X, y = binary(criterion, module(), threshold)
    w, b = (p.detach().double().numpy().ravel() for p in net.module_.parameters())
    f = X @ w + b - np.log(threshold / (1 - threshold))
    correct = net.predict(X) == y
    assert np.array_equal(correct, (f > 0) == y)
    margin = decision_margin(net, X, y)
    assert np.array_equal(margin > 0, correct)
    np.testing.assert_allclose(margin, np.where(y == 1, f, -f), rtol=1e-3, atol=1e-3)
    right = np.where(correct, np.abs(f) / np.abs(w).sum(), 0)
    np.testing.assert_allclose(taylor_radius(net, X, y), right, rtol=1e-2, atol=1e-4)
    assert np.array_equal(as_module(net).codes(X), net.predict(X))
    attack = PGD(eps=0.1, bounds=None, random_state=0)
    kept = np.mean(np.where(y == 1, f, -f) > 0.1 * np.abs(w).sum())
    assert robust_score(net, X, y, attack=attack) == pytest.approx(kept, abs=0.006)


SEVERAL = {
    "NLLLoss on Softmax": (nn.NLLLoss, nn.Softmax(1)),
    "cross-entropy": (nn.CrossEntropyLoss, None),
    "cross-entropy on LogSoftmax": (nn.CrossEntropyLoss, nn.LogSoftmax(1)),
}


@pytest.mark.parametrize("kind", SEVERAL)
def test_skorch_nets_of_several_classes_mean_what_their_criterion_says(kind):
    criterion, end = SEVERAL[kind]
    X = RNG(0).standard_normal((150, 3)).astype(np.float32)
    y = X.argmax(1)
    torch.manual_seed(0)
    net = NeuralNetClassifier(
        Ends(end, 3), criterion=criterion, lr=0.3, max_epochs=10, train_split=None, verbose=0
    ).fit(X, y)
    W, b = (p.detach().double().numpy() for p in net.module_.parameters())
    z = X @ W.T + b
    assert np.array_equal(net.predict(X), z.argmax(1))
    right = Oracle.lead(torch.tensor(z), torch.tensor(y)).numpy()
    np.testing.assert_allclose(decision_margin(net, X, y), right, rtol=1e-3, atol=1e-3)
    attack = PGD(eps=0.1, bounds=None, random_state=0)
    exact = exact_mask(W, b, X, y, 0.1).mean()
    assert robust_score(net, X, y, attack=attack) == pytest.approx(exact, abs=0.01)


def probabilities(kind):
    torch.manual_seed(0)
    line = nn.Linear(4, 3)
    ends = {
        "Softmax": nn.Softmax(1),
        "functional softmax": None,
        "Softmax in a tuple": None,
        "normalised": None,
        "LogSoftmax": nn.LogSoftmax(1),
    }
    if ends[kind] is not None:
        return nn.Sequential(line, ends[kind]), line

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.line = line

        def forward(self, x):
            if kind == "normalised":
                e = self.line(x).exp()
                return e / e.sum(1, keepdim=True)
            p = F.softmax(self.line(x), 1)
            return (p, None) if kind == "Softmax in a tuple" else p

    return Own(), line


PROBABILITIES = ["Softmax", "functional softmax", "Softmax in a tuple", "normalised", "LogSoftmax"]


@pytest.mark.parametrize("kind", PROBABILITIES)
def test_probabilities_are_not_taken_for_logits(kind, tmp_path):
    module, line = probabilities(kind)
    X = RNG(0).standard_normal((60, 4)).astype(np.float32)
    with torch.no_grad():
        z = line(torch.tensor(X)).double()
    y, p = z.argmax(1).numpy(), z.softmax(1).numpy()
    margin = Oracle.lead(z, torch.tensor(y)).numpy()

    def wrapped():
        return NaturalNet.from_module(module, classes=[0, 1, 2]).predict_proba(X)

    right_or_refused(wrapped, p, "robabilit", 1e-4)
    right_or_refused(lambda: decision_margin(module, X, y), margin, "robabilit", 1e-3)
    W, b = (v.detach().double().numpy() for v in line.parameters())
    attack = PGD(eps=0.1, bounds=None, random_state=0)
    exact = exact_mask(W, b, X, y, 0.1).mean()
    right_or_refused(lambda: robust_score(module, X, y, attack=attack), exact, "robabilit")
    radius = margin / np.abs(W[y] - W[np.argsort(z.numpy(), 1)[:, -2]]).sum(1)
    right_or_refused(lambda: taylor_radius(module, X, y), radius, "robabilit", 1e-3)
    NaturalNet.from_module(nn.Sequential(line), classes=[0, 1, 2]).save(tmp_path / "a.net")
    if kind == "Softmax":
        loaded = nn.Sequential(nn.Linear(4, 3), nn.Softmax(1))
        right_or_refused(
            lambda: load_net(tmp_path / "a.net", module=loaded).predict_proba(X),
            p,
            "robabilit",
            1e-4,
        )


# -- methods of the module's own (10) -------------------------------------------------------------


class Methods(nn.Linear):
    """A torch module with methods that scikit-learn's estimators have, but of another meaning."""

    kind = "codes"

    def predict(self, x):
        z = self(torch.as_tensor(x) if self.kind == "numpy" else x)
        found = {"codes": z.argmax(1), "probabilities": z.softmax(1), "logits": z}
        if self.kind == "strings":
            return [f"class {k}" for k in z.argmax(1).tolist()]
        return found.get(self.kind, z.argmax(1))

    def predict_proba(self, x):
        return self(x).softmax(1)

    def decision_function(self, x):
        return self(x)

    def score(self, x, y):
        return float((self.predict(x) == y).float().mean())


class WithFit(Methods):
    """One that trains itself."""

    def fit(self, x, y):
        return self


class WithClasses(Methods):
    """One that names its classes, as a list."""

    classes_ = ("a", "b", "c")


@pytest.mark.parametrize("cls", [Methods, WithFit, WithClasses])
@pytest.mark.parametrize("kind", ["codes", "probabilities", "logits", "strings", "numpy"])
def test_a_module_is_a_module_whatever_its_methods_are_called(kind, cls):
    module = made(cls, 4, 3)
    module.kind = kind
    got, right = scored_with_labels(module, cls is WithClasses)
    assert got == pytest.approx(right)


def scored_with_labels(module, named):
    X = RNG(0).standard_normal((60, 4)).astype(np.float32)
    W, b = (p.detach().double().numpy() for p in (module.weight, module.bias))
    y = (X @ W.T + b).argmax(1)
    right = exact_mask(W, b, X, y, 0.1).mean()
    labels = np.array(["a", "b", "c"])[y] if named else y
    attack = PGD(eps=0.1, bounds=None, random_state=0)
    report = robustness_report(module, X, labels, attack=attack, output_dict=True)
    assert report["worst_case"] == pytest.approx(right)
    return robust_score(module, X, labels, attack=attack), right


# -- no gradient (12, 14) -------------------------------------------------------------------------


class NoBackward(torch.autograd.Function):
    """A custom operation whose author wrote no backward."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()


class Cut(nn.Module):
    """A module that no gradient passes, by one of several causes."""

    def __init__(self, kind):
        super().__init__()
        self.kind, self.back, self.head = kind, nn.Linear(4, 8), nn.Linear(8, 2)
        self.table = nn.Embedding(10, 8)

    def forward(self, x):
        if self.kind == "codes":
            return self.head(self.table(x.long()).mean(1))
        if self.kind == "one-hot codes":
            return self.head(F.one_hot(x.long(), 10).float().mean(1)[:, :8])
        if self.kind == "no_grad":
            with torch.no_grad():
                h = self.back(x)
        elif self.kind == "inference_mode":
            with torch.inference_mode():
                h = self.back(x)
            h = h.clone()
        elif self.kind == "detach":
            h = self.back(x).detach()
        elif self.kind == "data":
            h = self.back(x.data)
        elif self.kind == "numpy":
            h = torch.from_numpy(self.back(x).detach().numpy() * 1.0)
        elif self.kind == "log of a frozen part":
            h = self.back(x.log().detach())
        elif self.kind == "comparison":
            h = (self.back(x) > 0).to(x.dtype)
        else:
            h = NoBackward.apply(self.back(x))
        return self.head(torch.relu(h))


CUTS = [
    "no_grad",
    "inference_mode",
    "detach",
    "data",
    "numpy",
    "log of a frozen part",
    "comparison",
]
CUTS += ["no backward", "codes", "one-hot codes"]


def cut(kind):
    module, rng = made(Cut, kind), RNG(0)
    coded = "codes" in kind
    X = rng.integers(0, 9, (30, 4)).astype(np.float32) if coded else rng.uniform(0.1, 1, (30, 4))
    return module, X.astype(np.float32), rng.integers(0, 2, 30)


NEEDS_GRADIENT = {
    "FGSM": lambda m, X, y: robust_score(m, X, y, attack=FGSM(eps=0.4)),
    "PGD": lambda m, X, y: robust_score(m, X, y, attack=PGD(eps=0.4)),
    "APGD": lambda m, X, y: APGD(eps=0.4).evaluate(m, X, y),
    "DeepFool": lambda m, X, y: DeepFool(eps=0.4).evaluate(m, X, y),
    "FAB": lambda m, X, y: FAB(eps=0.4).evaluate(m, X, y),
    "CarliniWagner": lambda m, X, y: CarliniWagner(eps=0.4, norm="l2").evaluate(m, X, y),
    "input_jacobian": lambda m, X, y: input_jacobian(m, X, y),
    "hessian_norm": lambda m, X, y: hessian_norm(m, X, y),
    "taylor_radius": lambda m, X, y: taylor_radius(m, X, y),
    "report": lambda m, X, y: robustness_report(m, X, y, attack=PGD(eps=0.4), output_dict=True),
}


@pytest.mark.parametrize("what", NEEDS_GRADIENT)
@pytest.mark.parametrize("kind", CUTS)
def test_what_needs_a_gradient_says_that_there_is_none(kind, what):
    module, X, y = cut(kind)
    with pytest.raises(NotDifferentiableError) as caught:
        NEEDS_GRADIENT[what](module, X, y)
    assert "Cut" in str(caught.value) or "gradient" in str(caught.value)


@pytest.mark.parametrize("kind", CUTS)
def test_by_default_they_are_searched_by_their_scores(kind):
    module, X, y = cut(kind)
    with torch.no_grad():
        clean = float((module(torch.tensor(X)).argmax(1).numpy() == y).mean())
    with pytest.warns(BlackBoxWarning):
        score = robust_score(module, X, y)
    assert 0 <= score <= clean
    report = robustness_report(module, X, y, output_dict=True)
    assert report["trusted"] is False and "black box" in report["warnings"]
    with torch.no_grad():
        z = module(torch.tensor(X))
    right = Oracle.lead(z, torch.tensor(y)).numpy()
    np.testing.assert_allclose(decision_margin(module, X, y), right, atol=1e-5)


# -- TorchScript and its relatives (15) -----------------------------------------------------------


def _small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Identity(), nn.Linear(6, 3)).eval()


def _exported():
    rows = torch.export.Dim("rows", min=1)
    return torch.export.export(_small(), (torch.zeros(2, 4),), dynamic_shapes=({0: rows},)).module()


SCRIPTS = {
    "script": lambda: torch.jit.script(_small()),
    "trace": lambda: torch.jit.trace(_small(), torch.zeros(2, 4)),
    "frozen": lambda: torch.jit.freeze(torch.jit.script(_small())),
    "for inference": lambda: torch.jit.optimize_for_inference(torch.jit.script(_small())),
    "symbolic trace": lambda: torch.fx.symbolic_trace(_small()),
    "export": _exported,
    "compiled, eager": lambda: torch.compile(_small(), backend="eager"),
    "data parallel": lambda: nn.DataParallel(_small()),
}


@pytest.mark.parametrize("kind", SCRIPTS)
def test_deployed_modules_are_scored(kind):
    X = RNG(0).standard_normal((40, 4)).astype(np.float32)
    W, b = affine_map(_small(), (4,))
    y = (X @ W.T + b).argmax(1)
    z = torch.tensor(X @ W.T + b)
    attack = PGD(eps=0.1, bounds=None, random_state=0)
    module = SCRIPTS[kind]()
    assert robust_score(module, X, y, attack=attack) == exact_mask(W, b, X, y, 0.1).mean()
    margin = Oracle.lead(z, torch.tensor(y)).numpy()
    np.testing.assert_allclose(decision_margin(module, X, y), margin, atol=1e-4)
    second = np.argsort(z.numpy(), 1)[:, -2]
    np.testing.assert_allclose(input_jacobian(module, X, y), W[y] - W[second], atol=1e-4)
    net = NaturalNet.from_module(module, classes=[0, 1, 2])
    assert np.array_equal(net.predict(X), y)


# -- modules that choose their own mode (16) ------------------------------------------------------


class ModeOfItsOwn(nn.Module):
    """A module that overrides ``train`` or ``eval``."""

    def __init__(self, kind="dropout by train"):
        super().__init__()
        self.kind = kind
        self.a, self.norm, self.drop, self.b = (
            nn.Linear(4, 32),
            nn.BatchNorm1d(32),
            nn.Dropout(0.5),
            nn.Linear(32, 2),
        )

    def train(self, mode=True):
        super().train(mode)
        if self.kind == "dropout by train":
            self.drop.train(True)
        if self.kind == "frozen norm":
            self.norm.eval()
        return self

    def eval(self):
        super().eval()
        if self.kind == "dropout by eval":
            self.drop.train(True)
        return self

    def forward(self, x):
        h = torch.relu(self.norm(self.a(x)) if "norm" in self.kind else self.a(x))
        if self.kind == "functional dropout":
            return self.b(F.dropout(h, 0.5, training=True))
        return self.b(self.drop(h))


MODES = ["dropout by train", "dropout by eval", "functional dropout", "frozen norm"]


@pytest.mark.parametrize("kind", MODES)
def test_predict_and_the_opened_model_are_in_the_same_mode(kind):
    X = RNG(0).uniform(0, 1, (64, 4)).astype(np.float32)
    y = (X[:, 0] + X[:, 1] > 1).astype(int)
    net = NaturalNet(ModeOfItsOwn, module__kind=kind, max_epochs=5, lr=0.01, random_state=0).fit(
        X, y
    )
    plain, view, x = copy.deepcopy(net.module_).eval(), as_module(net), torch.tensor(X)
    with torch.no_grad():
        random = {
            "plain": not torch.equal(plain(x), plain(x)),
            "view": not torch.equal(view(x), view(x)),
            "predict": not np.array_equal(net.predict_proba(X), net.predict_proba(X)),
        }
    assert len(set(random.values())) == 1, random
    report = robustness_report(net, X, y, attack=PGD(eps=0.05), output_dict=True)
    assert ("randomness" in report["warnings"]) is random["plain"]
    if not random["plain"]:
        with torch.no_grad():
            right = plain(x).numpy()
        np.testing.assert_allclose(view(x).numpy(), right, atol=1e-6)


def test_a_norm_that_stays_frozen_keeps_its_statistics_in_training():
    X = RNG(0).uniform(0, 1, (64, 4)).astype(np.float32)
    torch.manual_seed(0)
    module = ModeOfItsOwn("frozen norm")
    module.norm.running_mean.fill_(0.7)
    net = NaturalNet(module, max_epochs=2, random_state=0).fit(X, np.arange(64) % 2)
    assert torch.equal(net.module_.norm.running_mean, torch.full((32,), 0.7))


# -- samples that share statistics (17) -----------------------------------------------------------


class Shares(nn.Module):
    """Logits that depend on the other rows of the batch."""

    def __init__(self, kind):
        super().__init__()
        self.kind, self.a, self.b = kind, nn.Linear(4, 16), nn.Linear(16, 2)
        self.norm = nn.BatchNorm1d(16, track_running_stats=False)

    def forward(self, x):
        if self.kind == "maximum":
            x = x / x.abs().max()
        h = self.a(x)
        if self.kind == "mean":
            h = h - h.mean(0, keepdim=True)
        elif self.kind == "norm of the batch":
            h = h / h.square().mean().sqrt()
        elif self.kind == "attention over the batch":
            h = torch.softmax(h @ h.T, 1) @ h
        elif self.kind == "contrastive":
            h = h - 0.3 * (h.sum(0, keepdim=True) - h) / max(len(h) - 1, 1)
        elif self.kind == "functional batch norm":
            h = F.batch_norm(h, None, None, training=True)
        elif self.kind == "no running statistics":
            h = self.norm(h)
        elif self.kind == "first row":
            h = h - h[:1]
        elif self.kind == "sorted batch":
            h = h + h.sort(0).values.mean(1, keepdim=True) * torch.linspace(0, 1, 16)
        return self.b(torch.relu(h))


SHARING = [
    "mean",
    "maximum",
    "norm of the batch",
    "attention over the batch",
    "contrastive",
    "functional batch norm",
    "no running statistics",
    "first row",
    "sorted batch",
]


@pytest.mark.parametrize("kind", SHARING)
def test_a_score_does_not_depend_on_the_batch_size(kind):
    module, X = made(Shares, kind), RNG(0).uniform(0, 1, (60, 4)).astype(np.float32)
    with torch.no_grad():
        y = module(torch.tensor(X)).argmax(1).numpy()
    y[::5] = 1 - y[::5]

    def score(batch_size):
        attack = PGD(eps=0.05, max_iter=5, random_state=0, batch_size=batch_size)
        return robust_score(module, X, y, attack=attack)

    try:
        found = {n: score(n) for n in (1, 7, 30, 60)}
    except (ValueError, TypeError):
        for n in (1, 7, 60):
            refused(lambda n=n: score(n), "batch")
        refused(lambda: decision_margin(module, X, y), "batch")
        refused(lambda: input_jacobian(module, X, y), "batch")
        return
    assert len(set(found.values())) == 1, found
    margins = [decision_margin(module, X, y, batch_size=n) for n in (1, 60)]
    np.testing.assert_allclose(margins[0], margins[1], atol=1e-5)


def test_modules_that_only_look_at_their_own_row_are_not_accused():
    class OwnRow(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.norm, self.b = nn.Linear(4, 16), nn.LayerNorm(16), nn.Linear(16, 2)

        def forward(self, x):
            h = self.norm(self.a(x / x.abs().amax(1, keepdim=True)))
            return self.b(torch.relu(h - h.mean(1, keepdim=True)))

    module, X = made(OwnRow), RNG(0).uniform(0.1, 1, (40, 4)).astype(np.float32)
    y = np.arange(40) % 2
    scores = {
        robust_score(module, X, y, attack=PGD(eps=0.02, random_state=0, batch_size=n))
        for n in (1, 9, 40)
    }
    assert len(scores) == 1


# -- curvature of some rows alone, and derivatives that are NaN (19, 21) --------------------------


class Bends(nn.Module):
    """z_0 = g(x_0 - 1), z_1 = 0 with a g that is straight in most places."""

    CURVES = {
        "squared ReLU": (lambda t: torch.relu(t) ** 2, lambda t: np.where(t > 0, 2.0, 0.0)),
        "cubed ReLU": (lambda t: torch.relu(t) ** 3, lambda t: 6 * np.maximum(t, 0)),
        "Huber": (
            lambda t: torch.where(t.abs() < 1, t**2 / 2, t.abs() - 0.5),
            lambda t: np.where(np.abs(t) < 1, 1.0, 0.0),
        ),
        "hardswish by hand": (
            lambda t: t * F.relu6(t + 3) / 6,
            lambda t: np.where(np.abs(t) < 3, 1 / 3, 0.0),
        ),
        "cube": (lambda t: t**3, lambda t: 6 * t),
        "spline": (
            lambda t: torch.relu(t) ** 2 - 2 * torch.relu(t - 1) ** 2,
            lambda t: 2.0 * (t > 0) - 4.0 * (t > 1),
        ),
    }

    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def forward(self, x):
        return torch.stack([self.CURVES[self.kind][0](x[:, 0] - 1) + x[:, 1], 0 * x[:, 1]], 1)


# Where most rows lie, and where the few do.
STRAIGHT = {"Huber": 4.0, "hardswish by hand": 9.0, "cube": 1.0}
CURVED = {"Huber": 1.4, "hardswish by hand": 1.5}


@pytest.mark.parametrize("where", [[5, 17, 23, 33], [39], [7]])
@pytest.mark.parametrize("kind", Bends.CURVES)
def test_no_row_hides_the_curvature_of_another(kind, where):
    X = np.full((40, 2), STRAIGHT.get(kind, 0.5))
    X[:, 1] = RNG(0).uniform(1, 2, 40)
    X[where, 0] = CURVED.get(kind, 1.5)
    module, y = Bends(kind), np.zeros(40, dtype=int)
    right = Bends.CURVES[kind][1](X[:, 0] - 1)
    found = hessian_eigvals(module, X, y)
    largest = np.take_along_axis(found, np.abs(found).argmax(1)[:, None], 1)[:, 0]
    np.testing.assert_allclose(largest, right, atol=1e-6)
    np.testing.assert_allclose(hessian_norm(module, X, y), np.abs(right), atol=1e-6)
    # For the other class the margin bends downwards, which the second order has to tell.
    first, second = (taylor_bound(module, X, y + 1, eps=0.1, order=order) for order in (1, 2))
    np.testing.assert_allclose(second - first, 0.1**2 / 2 * right, atol=1e-6)


SINGULAR = {
    "norm": (lambda x: torch.exp(-(torch.linalg.vector_norm(x - 0.5, dim=1) ** 2)), 0.5),
    "square root": (lambda x: (x - 0.5).square().sum(1).sqrt(), 0.5),
    "arc cosine": (lambda x: torch.acos(x[:, 0].clamp(max=1.0)), 1.0),
    "power": (lambda x: (x[:, 0] - 0.5).abs().pow(0.5), 0.5),
    "logarithm": (lambda x: torch.log(x[:, 0] - 0.5), 0.5),
}


class Singular(nn.Module):
    """A margin whose derivatives do not exist at one point."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def forward(self, x):
        return torch.stack([SINGULAR[self.kind][0](x), 0 * x[:, 0]], 1)


SECOND_ORDER = {
    "eigenvalues": lambda m, X, y: hessian_eigvals(m, X, y),
    "largest eigenvalue": lambda m, X, y: hessian_eigvals(m, X, y, k=1),
    "norm": lambda m, X, y: hessian_norm(m, X, y),
    "radius": lambda m, X, y: taylor_radius(m, X, y, order=2),
}


@pytest.mark.parametrize("what", SECOND_ORDER)
@pytest.mark.parametrize("kind", SINGULAR)
def test_derivatives_that_do_not_exist_name_their_sample(kind, what):
    X = np.full((3, 4), SINGULAR[kind][1])
    X[0] += 0.1 if kind != "arc cosine" else -0.1
    X[2] = X[0]
    y = np.zeros(3, dtype=int)
    try:
        found = SECOND_ORDER[what](Singular(kind), X, y)
    except ValueError as error:
        assert "sample 1" in str(error), str(error)
        return
    if kind == "norm":
        assert what in ("radius",) or np.allclose(np.abs(found[1]).max(), [2, 4], atol=1e-3)
    assert np.isfinite(found[[0, 2]]).all()


# -- modules that hold what cannot be copied (36) -------------------------------------------------


class Holds(nn.Linear):
    """A linear module with something on itself."""

    def __init__(self, thing):
        super().__init__(4, 3)
        self.thing = thing


@pytest.fixture
def open_file(tmp_path):
    with open(tmp_path / "log.txt", "w") as file:
        yield file


THINGS = {
    "lock": threading.Lock,
    "thread": threading.Thread,
    "generator": lambda: (i for i in range(3)),
    "module": lambda: np,
    "function": lambda: lambda: 0,
    "torch generator": torch.Generator,
    "event": threading.Event,
    "memory": lambda: memoryview(b"abc"),
}


@pytest.mark.parametrize("name", THINGS)
def test_modules_that_cannot_be_copied_are_attacked(name):
    torch.manual_seed(0)
    module = Holds(THINGS[name]())
    W, b = (p.detach().double().numpy() for p in (module.weight, module.bias))
    X = RNG(0).standard_normal((40, 4)).astype(np.float32)
    y = (X @ W.T + b).argmax(1)
    attack = PGD(eps=0.1, bounds=None, random_state=0)
    module.train()
    exact = exact_mask(W, b, X, y, 0.1).mean()
    assert robust_score(module, X, y, attack=attack) == pytest.approx(exact)
    assert module.training and all(p.requires_grad for p in module.parameters())
    net = NaturalNet.from_module(module, classes=[0, 1, 2])
    assert np.array_equal(net.predict(X), y)
    assert np.isfinite(input_jacobian(module, X, y)).all()


def test_a_module_that_holds_an_open_file(open_file):
    torch.manual_seed(0)
    module, X = Holds(open_file), RNG(0).standard_normal((20, 4)).astype(np.float32)
    with torch.no_grad():
        y = module(torch.tensor(X)).argmax(1).numpy()
    assert 0 < robust_score(module, X, y, attack=PGD(eps=0.1, random_state=0)) <= 1


# -- compiled, checkpointed and self-differentiating modules (39, 40, 41) -------------------------


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("net", [NaturalNet, MinMaxNet, JacobianRegNet])
def test_compiled_nets_train_or_say_why_not(net, backend):
    X, y = RNG(0).uniform(0, 1, (40, 4)).astype(np.float32), np.arange(40) % 2
    module = nn.Sequential(nn.Linear(4, 8), nn.Softplus(), nn.Linear(8, 2))

    def fit():
        params = {"compile": True, "compile__backend": backend, "max_epochs": 1, "random_state": 0}
        compiled = net(copy.deepcopy(module), **params).fit(X, y)
        plain = net(copy.deepcopy(module), max_epochs=1, random_state=0).fit(X, y)
        return compiled.decision_function(X) - plain.decision_function(X)

    right_or_refused(fit, 0, "compile", 1e-3)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_curvature_of_a_compiled_module_is_right_or_refused(backend):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 8), nn.Softplus(), nn.Linear(8, 2)).eval()
    X = RNG(0).uniform(0, 1, (6, 4))
    oracle = Oracle(module)
    y = oracle.codes(X)
    right = oracle.spectral_norm_of_hessian(X, y)
    compiled = torch.compile(module, backend=backend)
    call = lambda: hessian_norm(compiled, X, y, norm="spectral")  # noqa: E731
    right_or_refused(call, right, "compile", 1e-4)
    compiled = torch.compile(copy.deepcopy(module), backend=backend)
    np.testing.assert_allclose(input_jacobian(compiled, X, y), oracle.jacobian(X, y), atol=1e-5)


class Checkpointed(nn.Module):
    """A module that trades time for memory."""

    def __init__(self, reentrant, smooth=False):
        super().__init__()
        self.line, self.head = nn.Linear(4, 6), nn.Linear(6, 3)
        self.reentrant, self.smooth = reentrant, smooth

    def forward(self, x):
        h = checkpoint(self.line, x, use_reentrant=self.reentrant)
        return self.head(torch.tanh(h) if self.smooth else h)


@pytest.mark.parametrize("attack", [PGD, APGD, FAB, DeepFool])
@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointed_modules_are_attacked(reentrant, attack):
    got, right = scored(made(Checkpointed, reentrant), (4,), 0.05, attack=attack)
    assert got == pytest.approx(right, abs=0.03)


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointed_modules_are_measured(reentrant):
    module, X = made(Checkpointed, reentrant, True), RNG(0).uniform(0, 1, (6, 4))
    plain = made(Checkpointed, False, True)
    oracle = Oracle(plain)
    y = oracle.codes(X)
    np.testing.assert_allclose(input_jacobian(module, X, y), oracle.jacobian(X, y), atol=1e-5)
    right = oracle.spectral_norm_of_hessian(X, y)
    right_or_refused(lambda: hessian_norm(module, X, y, norm="spectral"), right, "checkpoint", 1e-4)
    t = np.arange(6) % 3
    params = {"max_epochs": 1, "random_state": 0}
    right_or_refused(
        lambda: np.isfinite(JacobianRegNet(module, **params).fit(X, t).decision_function(X)).all(),
        True,
        "checkpoint",
    )


class Differentiates(nn.Module):
    """A module that takes a gradient inside ``forward``."""

    def __init__(self, kind):
        super().__init__()
        self.kind, self.line = kind, nn.Linear(4, 3)

    def forward(self, x):
        with torch.enable_grad():
            t = x if x.requires_grad else x.detach().clone().requires_grad_(True)
            energy = torch.logsumexp(self.line(t), 1).sum()
            create = self.kind == "energy" and x.requires_grad
            step = torch.autograd.grad(energy, t, create_graph=create)[0]
        return self.line(x + 0.1 * (step.detach() if self.kind == "purification" else step))


@pytest.mark.parametrize("kind", ["energy", "purification"])
def test_modules_that_differentiate_in_forward(kind):
    module, X = made(Differentiates, kind), RNG(0).uniform(0, 1, (20, 4)).astype(np.float32)
    with torch.no_grad():
        z = made(Differentiates, kind)(torch.tensor(X)).double()
    net = NaturalNet.from_module(module, classes=[0, 1, 2])
    np.testing.assert_allclose(net.decision_function(X), z.numpy(), atol=1e-5)
    np.testing.assert_allclose(net.predict_proba(X), z.softmax(1).numpy(), atol=1e-5)
    y = z.argmax(1)
    np.testing.assert_allclose(decision_margin(net, X, y.numpy()), Oracle.lead(z, y), atol=1e-5)
    x = torch.tensor(X, requires_grad=True)
    right = torch.autograd.grad(Oracle.lead(made(Differentiates, kind)(x), y).sum(), x)[0]
    np.testing.assert_allclose(input_jacobian(net, X, y.numpy()), right, atol=1e-4)
    score = robust_score(net, X, y.numpy(), attack=PGD(eps=0.01, random_state=0))
    assert 0.3 < score <= 1
    fitted = NaturalNet(module, max_epochs=1, random_state=0).fit(X, np.arange(20) % 3)
    assert np.isfinite(fitted.predict_proba(X)).all()


# -- classes that are masked out (54) -------------------------------------------------------------


class MaskedClasses(nn.Linear):
    """A linear model some of whose classes are switched off."""

    def __init__(self, kind):
        super().__init__(4, 4)
        self.kind = kind

    def forward(self, x):
        z = super().forward(x)
        off = torch.tensor([0.0, 0.0, 1.0, 0.0])
        if self.kind == "two":
            off = torch.tensor([0.0, 1.0, 1.0, 0.0])
        if self.kind == "very negative":
            return z - 1e30 * off
        if self.kind == "smallest float":
            return torch.where(off > 0, torch.finfo(z.dtype).min, z)
        if self.kind == "filled":
            return z.masked_fill(off > 0, -torch.inf)
        return z + torch.where(off > 0, -torch.inf, 0.0)


OFF = ["one", "two", "filled", "very negative", "smallest float"]
MINIMAL = {
    "PGD": lambda: PGD(eps=0.1, bounds=None, random_state=0),
    "PGD scaled": lambda: PGD(eps=0.1, bounds=None, loss="scaled_cross_entropy", random_state=0),
    "APGD dlr": lambda: APGD(eps=0.1, bounds=None, loss="dlr", random_state=0),
    "APGD targeted": lambda: APGD(eps=0.1, bounds=None, loss="targeted_dlr", random_state=0),
    "DeepFool": lambda: DeepFool(eps=0.1, norm="linf", bounds=None),
    "FAB": lambda: FAB(eps=0.1, bounds=None, random_state=0),
    "FAB targeted": lambda: FAB(eps=0.1, bounds=None, n_target_classes=3, random_state=0),
    "CarliniWagner": lambda: CarliniWagner(eps=0.1, norm="linf", bounds=None),
    "Square": lambda: Square(eps=0.1, bounds=None, max_iter=500, random_state=0),
}


@pytest.mark.parametrize("attack", MINIMAL)
@pytest.mark.parametrize("kind", OFF)
def test_a_class_that_is_off_is_no_rival(kind, attack):
    torch.manual_seed(0)
    module, X = MaskedClasses(kind), RNG(0).standard_normal((120, 4)).astype(np.float32)
    kept = [0, 3] if kind == "two" else [0, 1, 3]
    W, b = (p.detach().double().numpy()[kept] for p in (module.weight, module.bias))
    codes = (X @ W.T + b).argmax(1)
    y = np.array(kept)[codes]
    right = exact_mask(W, b, X, codes, 0.1).mean()
    labels = np.append(y, [k for k in range(4) if k not in y])  # every class is known
    assert len(set(labels)) == 4
    assert robust_score(module, X, y, attack=MINIMAL[attack]()) == pytest.approx(right, abs=0.02)
    margin = decision_margin(module, X, y)
    z = torch.tensor(X @ W.T + b)
    np.testing.assert_allclose(margin, Oracle.lead(z, torch.tensor(codes)), atol=1e-4)


@pytest.mark.parametrize("attack", ["PGD", "DeepFool", "FAB", "CarliniWagner", "APGD targeted"])
def test_probabilities_that_underflow_are_no_nan(attack):
    class Underflows(nn.Linear):
        def forward(self, x):
            return torch.log(torch.softmax(100 * super().forward(x), 1))

    torch.manual_seed(0)
    module, X = Underflows(4, 4), RNG(0).standard_normal((60, 4)).astype(np.float32)
    W, b = (p.detach().double().numpy() for p in (module.weight, module.bias))
    y = (X @ W.T + b).argmax(1)
    right = exact_mask(W, b, X, y, 0.1).mean()
    got = robust_score(module, X, y, attack=MINIMAL[attack]())
    # torch's own gradient is NaN where the own class's probability is 1 and others' are 0.
    assert got >= right - 1e-9
    assert got < 1
