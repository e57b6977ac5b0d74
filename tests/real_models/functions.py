"""The public functions that every architecture is taken through, each with its oracle."""

import copy
import os
import tempfile
from functools import cached_property

import numpy as np
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from sklearn_robust import JacobianRegNet, MinMaxNet, NaturalNet, load_net, robust_score
from sklearn_robust.attacks import APGD, FAB, PGD, AutoAttack, Square
from sklearn_robust.clustering import linearize
from sklearn_robust.differentiable import as_module
from sklearn_robust.metrics import hessian_norm, input_jacobian, taylor_radius
from sklearn_robust.spectral import layer_spectra
from tests.real_models.oracle import Oracle, tensor_of
from tests.real_models.verdicts import ABSENT, Verdict, expect, expect_close, judge

EPS, STEP = 0.02, 0.01
RTOL = 2e-3  # of float32, where a module computes in nothing else


class Subject:
    """An architecture, made once, with its samples, labels and oracle.

    Parameters
    ----------
    architecture : Architecture
        What to make.
    """

    def __init__(self, architecture):
        self.architecture = architecture
        self.model = architecture.build()
        self.X = architecture.samples()

    @cached_property
    def module(self):
        """The torch module behind it, if there is one."""
        if self.architecture.kind == "skorch":
            return self.model.module_
        return self.model if self.architecture.kind == "module" else None

    @cached_property
    def oracle(self):
        if self.module is not None:
            return Oracle(self.module, self.architecture.kind == "skorch")
        return LinearOracle(self.model)

    @cached_property
    def y(self):
        """What the model predicts, but for one sample."""
        codes = self.oracle.codes(self.X) if self.architecture.gradient else self.predicted(self.X)
        codes = codes.copy()
        codes[-1] = (codes[-1] + 1) % self.n_classes
        return codes

    def predicted(self, X):
        return np.asarray(self.model.predict(np.asarray(X, dtype=np.float32))).ravel().astype(int)

    @property
    def n_classes(self):
        classes = getattr(self.model, "classes_", None)
        return 3 if classes is None else len(classes)

    def codes(self, X):
        """Codes that the model names, by its own word."""
        return self.oracle.codes(X) if self.architecture.gradient else self.predicted(X)


class LinearOracle(Oracle):
    """Of a pipeline whose samplers act in fit alone: a scaler and a linear model."""

    def __init__(self, pipeline):
        scaler, linear = pipeline[0], pipeline[-1]
        layer = nn.Linear(*linear.coef_.shape[::-1]).double()
        weight = linear.coef_ / scaler.scale_
        layer.load_state_dict(
            {
                "weight": torch.tensor(weight),
                "bias": torch.tensor(linear.intercept_ - weight @ scaler.mean_),
            }
        )
        super().__init__(layer)


# -- one function each: raise Mismatch where a number is wrong ------------------------------------


def opened(subject):
    right = subject.oracle.z(subject.X)
    for dtype in (torch.float32, torch.float64):
        with torch.no_grad():
            z = as_module(subject.model)(torch.tensor(subject.X, dtype=dtype))
        expect_close(z.numpy(), right, RTOL, f"logits of {dtype}")


def predict(subject):
    right = subject.oracle.z(subject.X)
    if subject.architecture.kind != "module":
        expect(np.array_equal(subject.predicted(subject.X), right.argmax(1)), "predict differs")
        return
    net = NaturalNet.from_module(subject.model, classes=["a", "b", "c"])
    expect_close(net.decision_function(subject.X), right, RTOL, "decision_function")
    p = torch.tensor(right).softmax(1).numpy()
    expect_close(net.predict_proba(subject.X), p, RTOL, "predict_proba")
    named = np.array(["a", "b", "c"])[right.argmax(1)]
    expect(np.array_equal(net.predict(subject.X), named), "predict names other classes")


def _within(subject, found, eps):
    gap = np.abs(found.X_adv.astype(np.float64) - subject.X).max()
    expect(gap <= eps + 1e-6, f"a point is {gap:.4g} away, eps is {eps}")
    outside = found.X_adv.min() < 0 or found.X_adv.max() > 1
    expect(not outside, "a point left the box")
    if not subject.architecture.gradient:
        fooled = subject.codes(found.X_adv) != subject.y
        expect(np.array_equal(fooled, found.fooled), "fooled is not what predict says")
        return
    margin = subject.oracle.margin(found.X_adv, subject.y)
    clear = np.abs(margin) > 1e-4 * np.abs(subject.oracle.z(subject.X)).max()
    wrong = (margin < 0) != found.fooled
    expect(not (wrong & clear).any(), f"fooled is wrong for {int((wrong & clear).sum())} samples")


def pgd(subject):
    attack = PGD(eps=EPS, max_iter=3, step_size=STEP, random_start=False, bounds=(0, 1))
    found = attack.evaluate(subject.model, subject.X, subject.y)
    _within(subject, found, EPS)
    theirs = subject.oracle.pgd(subject.X, subject.y, EPS, STEP, 3)
    loss = [_losses(subject, points) for points in (subject.X, theirs, found.X_adv)]
    short = (loss[1] - loss[2]) > 0.1 * (loss[1] - loss[0]).clip(0) + 1e-4
    still = ~found.fooled  # a point that fools may have been kept early
    expect(not (short & still).any(), f"weaker than plain PGD on {int((short & still).sum())} rows")


def _losses(subject, X):
    z = torch.tensor(subject.oracle.z(X))
    return nn.functional.cross_entropy(z, torch.tensor(subject.y), reduction="none").numpy()


def autoattack(subject):
    members = [APGD(max_iter=4), FAB(max_iter=3), Square(max_iter=6)]
    if not subject.architecture.gradient:
        members = [Square(max_iter=6)]
    attack = AutoAttack(version="custom", attacks=members, eps=EPS, bounds=(0, 1), random_state=0)
    found = attack.evaluate(subject.model, subject.X, subject.y)
    _within(subject, found, EPS)
    score = robust_score(subject.model, subject.X, subject.y, attack=attack)
    expect(abs(score - np.mean(~found.fooled)) < 1e-9, "the score is not that of the points")


def jacobian(subject):
    right = subject.oracle.jacobian(subject.X, subject.y)
    for dtype in (np.float32, np.float64):
        got = input_jacobian(subject.model, subject.X.astype(dtype), subject.y)
        expect_close(got, right, RTOL, f"Jacobian of {dtype.__name__}", atol=1e-7)


def hessian(subject):
    X, y = subject.X[:2], subject.y[:2]
    right = subject.oracle.spectral_norm_of_hessian(X, y)
    got = hessian_norm(subject.model, X, y, norm="spectral", random_state=0)
    slope = np.abs(subject.oracle.jacobian(X, y)).max()
    expect_close(got, right, 0.05, "largest curvature", atol=1e-3 * slope)


def radius(subject):
    margin = subject.oracle.margin(subject.X, subject.y)
    slope = np.abs(subject.oracle.jacobian(subject.X, subject.y)).reshape(len(margin), -1).sum(1)
    got = taylor_radius(subject.model, subject.X, subject.y)
    expect_close(got, np.where(margin > 0, margin / slope, 0), 5 * RTOL, "radius")


TWINS = {"VGG-11 with BatchNorm", "1-D CNN"}  # whose activations are all modules
ACTIVATIONS = (nn.ReLU, nn.Hardswish, nn.SiLU, nn.GELU, nn.Tanh, nn.ELU)


def linearized(subject):
    affine = linearize(subject.model)
    x = torch.tensor(subject.X[:2], dtype=torch.float32)
    middle = (x[:1] + x[1:]) / 2
    with torch.no_grad():
        both, mean = affine(x), affine(middle)
    expect_close(mean.numpy(), both.mean(0, keepdim=True).numpy(), RTOL, "value halfway")
    if subject.architecture.name in TWINS:
        twin = copy.deepcopy(subject.model).eval()
        _replace(twin)
        with torch.no_grad():
            expect_close(both.numpy(), twin(x).numpy(), RTOL, "the network without activations")


def _replace(module):
    for name, part in module.named_children():
        if isinstance(part, ACTIVATIONS):
            setattr(module, name, nn.Identity())
        elif isinstance(part, nn.MaxPool2d | nn.MaxPool1d):
            kind = nn.AvgPool2d if isinstance(part, nn.MaxPool2d) else nn.AvgPool1d
            setattr(module, name, kind(part.kernel_size, part.stride, part.padding))
        else:
            _replace(part)


def spectra(subject):
    report = layer_spectra(subject.model, subject.X[:1].astype(np.float32), fold_bn=False)
    expect(len(report.name) > 0, "no layer was found")
    parts, compared = dict(subject.module.named_modules()), 0
    for row, name in enumerate(report.name):
        part = parts.get(name.split(":")[0])
        right = _frobenius(part, report.input_shape[row])
        if right is not None and np.isfinite(report.frobenius[row]):
            gap = abs(report.frobenius[row] - right)
            said = f"{name}: Frobenius norm {report.frobenius[row]:.4g}"
            shape = report.input_shape[row]
            expect(gap < RTOL * right, f"{said}, but {right:.4g} for samples of its shape {shape}")
            compared += 1
    return f"{compared} of {len(report.name)} layers compared"


def _frobenius(part, shape):
    """Frobenius norm of a layer as an operator on one sample, by squared weights."""
    zeros = getattr(part, "padding_mode", None) == "zeros"
    if type(part) is nn.Linear:
        rows = int(np.prod(shape[:-1])) if len(shape) > 1 else 1
        return float(part.weight.detach().double().norm() * rows**0.5)
    if type(part) in (nn.Conv1d, nn.Conv2d) and zeros:
        ones = torch.ones(1, *shape, dtype=torch.float64)
        squares = part.weight.detach().double().square()
        convolve = nn.functional.conv1d if type(part) is nn.Conv1d else nn.functional.conv2d
        out = convolve(ones, squares, None, part.stride, part.padding, part.dilation, part.groups)
        return float(out.sum().sqrt())
    return None


# -- training ------------------------------------------------------------------------------------


def _one_step(subject, net, **params):
    given = {
        "max_epochs": 1,
        "batch_size": -1,
        "lr": 1e-3,
        "optimizer": torch.optim.SGD,
        "iterator_train__shuffle": False,
        "random_state": 0,
        **params,
    }
    y = np.arange(len(subject.X)) % 3
    return net(copy.deepcopy(subject.module), **given).fit(subject.X.astype(np.float32), y), y


def _compare_batch(got, right, what):
    expect(np.isfinite(got), f"{what} is {got}")
    expect(
        abs(got - right) < 5e-3 * abs(right) + 1e-5, f"{what} {got:.6g}, plain torch {right:.6g}"
    )


def min_max_fit(subject):
    attack = {"max_iter": 1, "step_size": STEP, "random_start": False, "bounds": (0, 1)}
    params = {f"attack__{name}": value for name, value in attack.items()}
    fit, y = _one_step(subject, MinMaxNet, attack__eps=EPS, eps_warm_up=0, **params)
    X = Oracle(subject.module).pgd(subject.X, y, EPS, STEP, 1)
    plain = copy.deepcopy(subject.module).train()
    with torch.no_grad():
        z = tensor_of(plain(torch.tensor(X, dtype=torch.float32)))
    right = float(nn.functional.cross_entropy(z.float(), torch.tensor(y)))
    _compare_batch(fit.history[0, "batches", 0, "train_loss"], right, "loss")


def jacobian_fit(subject):
    fit, y = _one_step(subject, JacobianRegNet, lam=0.01)
    plain = copy.deepcopy(subject.module).train()
    x = torch.tensor(subject.X, dtype=torch.float32, requires_grad=True)
    with sdpa_kernel(SDPBackend.MATH):
        lead = Oracle.lead(tensor_of(plain(x)), torch.tensor(y))
        slope = torch.autograd.grad(lead.sum(), x)[0]
    right = float(slope.abs().flatten(1).sum(1).mean())
    _compare_batch(fit.history[0, "batches", 0, "jacobian_penalty"], right, "penalty")


def files(subject):
    net = NaturalNet.from_module(copy.deepcopy(subject.module), classes=[0, 1, 2])
    before = net.decision_function(subject.X)
    fresh = subject.architecture.build()
    with torch.no_grad():
        for weight in fresh.parameters():
            weight.zero_()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.net")
        net.save(path)
        again = load_net(path, module=fresh)
    expect(np.array_equal(again.decision_function(subject.X), before), "the logits changed")


FUNCTIONS = {
    "as_module": opened,
    "predict": predict,
    "PGD": pgd,
    "AutoAttack": autoattack,
    "input_jacobian": jacobian,
    "hessian_norm": hessian,
    "taylor_radius": radius,
    "linearize": linearized,
    "layer_spectra": spectra,
    "MinMaxNet": min_max_fit,
    "JacobianRegNet": jacobian_fit,
    "save and load": files,
}
ONLY_MODULES = {"layer_spectra", "linearize", "MinMaxNet", "JacobianRegNet", "save and load"}
BY_GRADIENT = {"as_module", "PGD", "input_jacobian", "hessian_norm", "taylor_radius"}


def applies(architecture, function):
    """Whether a cell of the table has a meaning."""
    return architecture.kind == "module" or function not in ONLY_MODULES


def cell(subject, function):
    """Verdict of one function on one architecture."""
    architecture = subject.architecture
    if not applies(architecture, function):
        return Verdict(ABSENT)
    if architecture.gradient or function not in BY_GRADIENT:
        return judge(lambda: _by_name(subject, function))
    return judge(lambda: _refused(subject, function))


def _by_name(subject, function):
    if function == "predict" and not subject.architecture.gradient:
        found = robust_score(subject.model, subject.X, subject.y, attack=Square(eps=0.0))
        expect(abs(found - np.mean(subject.predicted(subject.X) == subject.y)) < 1e-9, "accuracy")
        return None
    return FUNCTIONS[function](subject)


def _refused(subject, function):
    """Call what needs a gradient, with nothing to compare: it has to refuse."""
    call = {
        "as_module": lambda: as_module(subject.model),
        "PGD": lambda: PGD(eps=EPS).evaluate(subject.model, subject.X, subject.y),
        "input_jacobian": lambda: input_jacobian(subject.model, subject.X, subject.y),
        "hessian_norm": lambda: hessian_norm(subject.model, subject.X, subject.y),
        "taylor_radius": lambda: taylor_radius(subject.model, subject.X, subject.y),
    }[function]
    call()
    expect(False, "a model without a gradient was not refused")


def must_be_right(architecture, function):
    """Whether a refusal of this cell counts as a failure."""
    if not architecture.gradient:
        return function not in BY_GRADIENT
    return function not in architecture.may_refuse
