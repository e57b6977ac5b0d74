"""Bad values for every parameter of every public thing: valid calls, values, and what came."""

import contextlib
import datetime
import inspect
import io
import re
import signal
import traceback
import warnings
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch._dynamo  # noqa: F401 - not half imported, if the alarm comes meanwhile
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from torch import nn

import sklearn_robust
from sklearn_robust import (
    attacks,
    callbacks,
    certification,
    clustering,
    datasets,
    differentiable,
    metrics,
    modules,
    nets,
    plotting,
    report,
    spectral,
)
from tests.cases import ATTACKS, NETS, blobs

X, Y = blobs(20, labels=(0, 1, 2))
X2, Y2 = blobs(20)
FEW = slice(0, 6)

VALUES = {
    "None": lambda: None,
    "True": lambda: True,
    "-1": lambda: -1,
    "0": lambda: 0,
    "1.5": lambda: 1.5,
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "-inf": lambda: -float("inf"),
    "1e30": lambda: 10**30,
    "1e10": lambda: 10**10,
    "empty text": lambda: "",
    "text": lambda: "no such",
    "bytes": lambda: b"x",
    "[]": lambda: [],
    "()": lambda: (),
    "{}": lambda: {},
    "set": lambda: set(),
    "[1]": lambda: [1],
    "long text": lambda: "a" * 1000,
    "object": object,
    "type": lambda: type,
    "lambda": lambda: lambda: None,
    "empty array": lambda: np.array([]),
    "nan array": lambda: np.array([np.nan]),
    "float32 nan": lambda: np.float32("nan"),
    "text array": lambda: np.array("x"),
    "complex": lambda: complex(1, 1),
    "path": lambda: Path("no_such_path"),
    "generator": lambda: (n for n in (1, 2)),
    "tensor": lambda: torch.ones(2, 3),
    "estimator class": lambda: LogisticRegression,
    "date": lambda: datetime.datetime(2020, 1, 1),
    "range": lambda: range(0),
    "null": lambda: "\x00",
}
FAST = ("True", "-1", "nan", "1e30", "text", "object", "[1]", "null")  # for every parameter


SLOW_AND_RIGHT = {("n_jobs", "-1"), ("compile", "True")}  # they start processes, or a compiler


class Case:
    """One public thing: how to call it validly with any one parameter replaced."""

    def __init__(self, room, name, thing, call, skip=(), only=None, **base):
        self.room, self.name, self.call, self.base = room, name, call, base
        parameters = inspect.signature(thing).parameters.values()
        self.defaults = {
            p.name: p.default
            for p in parameters
            if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) and p.name not in ("self", *skip)
        }
        if only is not None:
            self.defaults = {name: self.defaults.get(name) for name in only}

    def __repr__(self):
        return self.name


_MODEL = {}


def model(images=False):
    """A net that was fitted once, for all calls."""
    if images not in _MODEL:
        net = nets.NaturalNet(max_epochs=1, random_state=0, verbose=0)
        net.set_params(module__hidden=(8,))
        _MODEL[images] = net.fit(X, Y)
    return _MODEL[images]


def given(function, **base):
    """Case of a function whose arguments are all given by name."""
    return lambda **bad: function(**{**base, **bad})


def _fit_net(cls, **base):
    tiny = {"max_epochs": 1, "batch_size": 16, "random_state": 0, **base}
    return lambda **bad: cls(**{**tiny, **bad}).fit(X, Y)


def net_cases():
    """All nets; what they share is asked of NaturalNet alone."""
    shared = set(inspect.signature(nets.NaturalNet).parameters) - {"module"}
    for cls in [*NETS, nets.AdversarialNet, nets.BaseNet]:
        tiny = {"attack__max_iter": 2} if cls in (nets.MinMaxNet, nets.TRADESNet) else {}
        if cls is nets.AdversarialNet:
            continue
        yield Case(
            "nets",
            cls.__name__,
            cls,
            _fit_net(cls, **tiny),
            skip=() if cls is nets.NaturalNet else shared,
        )
    for option in ("module__hidden", "optimizer__weight_decay"):
        yield Case("nets", "NaturalNet", nets.NaturalNet, _fit_net(nets.NaturalNet), only=[option])
    attack_options = ["attack", "attack__eps", "attack__max_iter", "attack__norm", "eps_warm_up"]
    yield Case("nets", "MinMaxNet", nets.MinMaxNet, _fit_net(nets.MinMaxNet), only=attack_options)
    net = nets.NaturalNet(max_epochs=1, random_state=0)
    yield Case("nets", "fit", net.fit, lambda **bad: clone(net).fit(**{"X": X, "y": Y, **bad}))
    yield Case(
        "nets",
        "partial_fit",
        net.partial_fit,
        lambda **bad: clone(net).partial_fit(**{"X": X, "y": Y, "classes": None, **bad}),
    )
    for method in ("predict", "predict_proba", "decision_function"):
        yield Case(
            "nets", method, getattr(net, method), lambda m=method, **bad: getattr(model(), m)(**bad)
        )
    yield Case("nets", "save", net.save, lambda **bad: model().save(**bad))
    yield Case(
        "nets",
        "from_module",
        nets.NaturalNet.from_module,
        given(nets.NaturalNet.from_module, module=nn.Linear(4, 2), classes=[0, 1]),
    )
    yield Case("nets", "recipe_params", nets.recipe_params, given(nets.recipe_params))


def attack_cases():
    """All attacks by what they do to a fitted net."""

    def use(cls, **base):
        victim = model() if cls is not attacks.TreeAttack else DecisionTreeClassifier().fit(X, Y)
        return lambda **bad: cls(**{**base, **bad}).evaluate(victim, X[FEW], Y[FEW])

    for cls in [*ATTACKS]:
        base = {"eps": 0.1, "random_state": 0}
        if "max_iter" in inspect.signature(cls).parameters:
            base["max_iter"] = 2
        if cls is attacks.AutoAttack:
            base["attacks"] = [attacks.FGSM(eps=0.1)]
        if cls is attacks.WorstCase:
            base["attacks"] = [attacks.FGSM(), attacks.PGD(max_iter=2)]
        yield Case("attacks", cls.__name__, cls, use(cls, **base), skip=("estimator",))
    fgsm = attacks.FGSM(eps=0.1)
    base = {"attack": lambda model, x, y: x, "eps": 0.1}
    external = use(attacks.External, **base)
    yield Case("attacks", "External", attacks.External, external, skip=("estimator",))
    yield Case(
        "attacks",
        "FGSM.fit",
        attacks.FGSM,
        lambda **bad: attacks.FGSM(**{"eps": 0.1, **bad}).fit(X, Y).transform(X),
        only=["estimator"],
    )
    for method in ("generate", "evaluate"):
        base = {"estimator": None, "X": X[FEW], "y": Y[FEW]}
        yield Case(
            "attacks",
            method,
            getattr(fgsm, method),
            lambda m=method, **bad: getattr(fgsm, m)(
                **{"X": X[FEW], "y": Y[FEW], "estimator": model(), **bad}
            ),
        )
    yield Case(
        "attacks",
        "ThreatModel",
        attacks.ThreatModel,
        lambda **bad: attacks.ThreatModel(**{"eps": 0.1, **bad}).on(X),
    )
    yield Case("attacks", "register_norm", attacks.register_norm, given(attacks.register_norm))


def callback_cases():
    """Callbacks in a net that trains."""

    def use(cls, net=nets.NaturalNet, **base):
        def call(**bad):
            callback = cls(**{**base, **bad})
            net(max_epochs=1, random_state=0, callbacks=[callback]).fit(X, Y)

        return call

    for cls, net in (
        (callbacks.CatastrophicOverfittingGuard, nets.FastATNet),
        (callbacks.RobustEarlyStopping, nets.FastATNet),
        (callbacks.WeightAveraging, nets.NaturalNet),
        (callbacks.WeightPerturbation, nets.NaturalNet),
    ):
        base = {"validation_fraction": 0.3} if cls is callbacks.RobustEarlyStopping else {}
        yield Case("callbacks", cls.__name__, cls, use(cls, net, **base))


def certification_cases():
    """Smoothing."""
    yield Case(
        "certification",
        "SmoothedClassifier",
        certification.SmoothedClassifier,
        lambda **bad: (
            certification.SmoothedClassifier(
                **{"estimator": LogisticRegression(), "n_samples": 20, "n_draws_select": 5, **bad}
            )
            .fit(X, Y)
            .predict(X[:3])
        ),
    )


def clustering_cases():
    """Class hierarchies."""
    weights = np.random.default_rng(0).normal(size=(4, 3))

    def fit(cls, *data, **base):
        return lambda **bad: cls(**{**base, **bad}).fit(*data)

    c = clustering
    yield Case("clustering", "ClassClustering", c.ClassClustering, fit(c.ClassClustering, weights))
    yield Case(
        "clustering",
        "ClusterLoss",
        c.ClusterLoss,
        lambda **bad: c.ClusterLoss(**{"superclasses": [0, 0, 1], **bad})(
            torch.randn(6, 3, requires_grad=True), torch.tensor([0, 1, 2, 0, 1, 2])
        ),
    )
    yield Case(
        "clustering",
        "LinearizedClustering",
        c.LinearizedClustering,
        lambda **bad: c.LinearizedClustering(**{"estimator": model(), **bad}).fit(X, Y),
    )
    yield Case(
        "clustering",
        "SuperclassClassifier",
        c.SuperclassClassifier,
        lambda **bad: (
            c.SuperclassClassifier(
                **{"estimator": LogisticRegression(), "superclasses": [0, 0, 1], **bad}
            )
            .fit(X, Y)
            .predict(X)
        ),
    )
    yield Case(
        "clustering",
        "class_weight_matrix",
        c.class_weight_matrix,
        lambda **bad: c.class_weight_matrix(**{"estimator": model(), **bad}),
    )
    yield Case(
        "clustering",
        "feature_distance_matrix",
        c.feature_distance_matrix,
        lambda **bad: c.feature_distance_matrix(**{"estimator": model(), "X": X, "y": Y, **bad}),
    )
    yield Case(
        "clustering",
        "linearize",
        c.linearize,
        lambda **b: c.linearize(**{"estimator": model(), **b}),
    )
    yield Case(
        "clustering",
        "make_clustering_scorer",
        c.make_clustering_scorer,
        lambda **bad: c.make_clustering_scorer(**{"superclasses": [0, 0, 1], **bad})(model(), X, Y),
    )
    yield Case(
        "clustering",
        "weight_correlation",
        c.weight_correlation,
        given(c.weight_correlation, W=weights),
    )


def _no_download(function, download):
    if download is not True:
        function(data_home="no_such_folder", download=download)


def dataset_cases():
    """Data sets; nothing is downloaded."""
    d = datasets
    for name in ("fetch_cifar10", "fetch_mnist"):
        function = getattr(d, name)
        base = {"data_home": "no_such_folder", "download": False}
        yield Case("datasets", name, function, given(function, **base), skip=("download",))
        yield Case("datasets", name, function, partial(_no_download, function), only=["download"])
    yield Case("datasets", "load_moons", d.load_moons, given(d.load_moons))
    yield Case("datasets", "load_npz", d.load_npz, given(d.load_npz, path="no_such_file"))
    yield Case(
        "datasets",
        "make_hierarchical_blobs",
        d.make_hierarchical_blobs,
        given(d.make_hierarchical_blobs, n_samples_per_class=5),
    )


def differentiable_cases():
    """Models behind the seam."""
    d = differentiable
    yield Case(
        "differentiable",
        "Accelerated",
        d.Accelerated,
        lambda **b: d.as_module(d.Accelerated(**{"estimator": model(), **b}))(torch.as_tensor(X)),
    )
    yield Case("differentiable", "AnyDtype", d.AnyDtype, given(d.AnyDtype, module=nn.Linear(4, 3)))
    yield Case(
        "differentiable",
        "DifferentiableModel",
        d.DifferentiableModel,
        lambda **b: d.DifferentiableModel(**{"body": nn.Linear(4, 3), **b})(torch.as_tensor(X)),
    )
    for name in ("Model", "as_module"):
        yield Case("differentiable", name, getattr(d, name), given(getattr(d, name)))
    # Its X and params come from a public call that has checked them.
    opened = given(lambda estimator: d.open_model(estimator))
    yield Case("differentiable", "open_model", d.as_module, opened)
    yield Case("differentiable", "register", d.register, given(d.register, cls=Registered))


class Registered:
    """A class that ``register`` is asked about."""


def metric_cases():
    """Every measure on six samples."""
    m = metrics
    extra = {
        "assert_robust": {"eps": 0.1, "at_least": 0.0, "attack": attacks.FGSM()},
        "clever_score": {"radius": 0.1, "n_batches": 3, "n_draws": 2},
        "boundary_distance": {"max_distance": 1.0, "n_scan": 4},
        "prediction_divergence": {"eps": 0.1, "max_iter": 2},
        "prediction_stability": {"attack": attacks.FGSM(eps=0.1)},
        "robustness_curve": {"eps": [0.1], "attack": attacks.FGSM()},
        "robustness_report": {"attack": attacks.FGSM(eps=0.1)},
        "robust_score": {"attack": attacks.FGSM(eps=0.1)},
        "taylor_bound": {"eps": 0.1},
        "taylor_radius": {},
    }
    for name in m.__all__:
        function = getattr(m, name)
        if inspect.isclass(function) or name.startswith("make_"):
            continue
        base = {"X": X[FEW], "y": Y[FEW], **extra.get(name, {})}
        if name in extra and "max_iter" in inspect.signature(function).parameters:
            base["max_iter"] = 2
        yield Case(
            "metrics",
            name,
            function,
            given(function, X=X[FEW], y=Y[FEW])
            if name == "suggest_eps"
            else lambda f=function, b=base, **bad: f(**{"estimator": model(), **b, **bad}),
        )
    yield Case(
        "metrics",
        "make_indicator_scorer",
        m.make_indicator_scorer,
        lambda **bad: m.make_indicator_scorer(**{"indicator": m.jacobian_norm, **bad})(
            model(), X[FEW], Y[FEW]
        ),
    )
    yield Case(
        "metrics",
        "make_robust_scorer",
        m.make_robust_scorer,
        lambda **bad: m.make_robust_scorer(**{"attack": attacks.FGSM(eps=0.1), **bad})(
            model(), X[FEW], Y[FEW]
        ),
    )


def module_cases():
    """Modules: built, and one forward pass."""
    shapes = {"MLP": (4,), "auto_module": (4,), "MNISTConvNet": (1, 28, 28)}
    small = {
        "CIFARConvNet": {"channels": (2, 2, 2, 2, 2)},
        "MNISTConvNet": {"channels": (2, 2), "hidden": 4},
        "PreActResNet18": {"channels": (2, 2, 2, 2)},
        "WideResNet": {"depth": 10, "widen_factor": 1},
    }
    for name in modules.__all__:
        shape = shapes.get(name, (3, 32, 32))
        base = {"input_shape": shape, "n_classes": 3, **small.get(name, {})}
        thing = getattr(modules, name)

        def build(thing=thing, base=base, shape=shape, **bad):
            thing(**{**base, **bad})(torch.rand(2, *bad.get("input_shape", shape)))

        yield Case("modules", name, thing, build)


def spectral_cases():
    """Spectral measures."""
    s = spectral
    yield Case(
        "spectral",
        "LayerFeatures",
        s.LayerFeatures,
        lambda **b: s.LayerFeatures(**{"estimator": model(), **b}).fit(X).transform(X),
    )
    yield Case(
        "spectral",
        "conv_singular_values",
        s.conv_singular_values,
        given(s.conv_singular_values, layer=nn.Conv2d(1, 2, 3), input_shape=(1, 5, 5)),
    )
    on_data = {
        "feature_change_report": {"attack": attacks.FGSM(eps=0.1), "n_directions": 2},
        "generalization_bound_terms": {"eps": 0.1, "attack": attacks.FGSM(eps=0.1)},
        "layer_spectra": {},
        "margin_report": {"attack": attacks.FGSM(eps=0.1)},
    }
    for name, extra in on_data.items():
        function = getattr(s, name)
        base = {"X": X[FEW], **extra}
        if "y" in inspect.signature(function).parameters:
            base["y"] = Y[FEW]
        yield Case(
            "spectral",
            name,
            function,
            lambda f=function, b=base, **bad: f(**{"estimator": model(), **b, **bad}),
        )
    yield Case(
        "spectral",
        "make_regularization_scorer",
        s.make_regularization_scorer,
        lambda **b: s.make_regularization_scorer(**{"attack": attacks.FGSM(eps=0.1), **b})(
            model(), X[FEW], Y[FEW]
        ),
    )
    rng = np.random.default_rng(0)
    curve = {
        f"split{k}_{part}_accuracy": rng.random(2) for k in (0, 1) for part in ("train", "test")
    }
    curve["params"] = [{"attack__eps": 0.1}, {"attack__eps": 0.2}]
    base = {"results": curve}
    yield Case(
        "spectral",
        "regularization_path",
        s.regularization_path,
        given(s.regularization_path, **base),
    )


def plotting_cases():
    """Displays by their constructors of estimators."""
    base = {
        "DecisionSurfaceDisplay": {"grid_resolution": 3, "radius": 0.1},
        "LossSurfaceDisplay": {"grid_resolution": 3},
        "RobustnessCurveDisplay": {"eps": [0.1], "attack": attacks.FGSM()},
        "FeatureChangeDisplay": {"attack": attacks.FGSM(eps=0.1)},
        "GeometryDisplay": {"attack": attacks.PGD(eps=0.1, max_iter=2)},
        "MarginDisplay": {},
        "JacobianDisplay": {"indices": 2, "image_shape": (2, 2)},
    }
    with_y = lambda f: "y" in inspect.signature(f).parameters  # noqa: E731
    for name in plotting.__all__:
        cls = getattr(plotting, name)
        for method in ("from_estimator", "from_estimators"):
            function = getattr(cls, method, None)
            if function is None:
                continue
            many, extra = method.endswith("s"), base.get(name, {})
            given_data = {"X": X[FEW], **({"y": Y[FEW]} if with_y(function) else {})}

            def draw(f=function, many=many, b=extra, d=given_data, **bad):
                import matplotlib.pyplot as plt

                who = {"estimators": [model()]} if many else {"estimator": model()}
                try:
                    f(**{**who, **d, **b, **bad})
                finally:
                    plt.close("all")

            skip = ()
            if method == "from_estimators":  # what differs from from_estimator
                alone = getattr(cls, "from_estimator", None)
                skip = tuple(
                    set(inspect.signature(alone).parameters)
                    & set(inspect.signature(function).parameters) - {"estimators"}
                )
            yield Case("plotting", f"{name}.{method}", function, draw, skip=skip)


def top_cases():
    """What the package itself offers, and the report's functions."""
    yield Case(
        "top", "load_net", sklearn_robust.load_net, given(sklearn_robust.load_net, path="no")
    )
    yield Case(
        "top",
        "report.evaluate",
        report.evaluate,
        given(report.evaluate, path="no such.net", data="no such.npz"),
    )


ROOMS = {
    "nets": net_cases,
    "attacks": attack_cases,
    "callbacks": callback_cases,
    "certification": certification_cases,
    "clustering": clustering_cases,
    "datasets": dataset_cases,
    "differentiable": differentiable_cases,
    "metrics": metric_cases,
    "modules": module_cases,
    "plotting": plotting_cases,
    "spectral": spectral_cases,
    "top": top_cases,
}


@contextlib.contextmanager
def _silence():
    nowhere = io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        yield


class Hang(BaseException):
    """A call took longer than the alarm allows."""


def _alarm(*_):
    raise Hang


def try_value(case, parameter, value, seconds=3):
    """Kind of answer, and its text: accepted, sentence, foreign, raw or hang."""
    model()
    before = signal.signal(signal.SIGALRM, _alarm)
    signal.alarm(seconds)
    try:
        with warnings.catch_warnings(), _silence():
            warnings.simplefilter("ignore")
            case.call(**{parameter: value})
    except Hang:
        return "hang", ""
    except Exception as error:
        return judge(error, parameter)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return "accepted", ""


def judge(error, parameter):
    """Ours if this package raised it in words about the parameter; else foreign or raw."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    text = f"{type(error).__name__}: {error}"
    where = f"{text[:160]!r}  [{Path(frame.filename).name}:{frame.lineno}]"
    spoken = isinstance(error, (ValueError, TypeError, OSError, NotImplementedError))
    spoken |= type(error).__module__.startswith("sklearn_robust")
    ours = "sklearn_robust/" in frame.filename and "raise" in _statement(frame)
    if isinstance(error, OSError) and error.filename:
        return "sentence", where  # the system's own words about a path
    words = len(str(error).split()) >= 4
    if spoken and ours and words:
        return "sentence", where
    sklearns = "/sklearn/utils/" in frame.filename and spoken and words  # data and their checks
    if sklearns or (
        spoken and words and re.search(rf"\b{parameter.split('__')[-1]}\b", str(error))
    ):
        return ("sentence" if parameter in ("X", "y", "W") else "foreign"), where
    return "raw", where


def _statement(frame):
    lines = Path(frame.filename).read_text(encoding="utf-8").splitlines()
    return lines[frame.lineno - 1] + (frame.line or "")


def sweep(cases, values=tuple(VALUES)):
    """Outcome of every bad value of every parameter, as rows."""
    return [
        (case.room, case.name, parameter, value, *try_value(case, parameter, VALUES[value]()))
        for case in cases
        for parameter in case.defaults
        for value in values
        if (parameter, value) not in SLOW_AND_RIGHT
    ]


def counts(rows):
    """How often each kind of answer came."""
    return Counter(row[4] for row in rows)
