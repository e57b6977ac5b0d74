"""Attacks of other libraries, as attacks of this one."""

from __future__ import annotations

import copy
import inspect
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from .. import _validation as check
from .._random import seed_of
from ..differentiable import Model
from ._base import BaseAttack
from ._batch import AttackBatch, AttackResult
from ._parameters import attack_class

__all__ = ["External", "to_art", "to_foolbox"]

_numpy_lock = threading.Lock()


@runtime_checkable
class _ArtAttack(Protocol):
    """As much of an evasion attack of ART as is used."""

    estimator: Any

    def generate(self, x: Any, y: Any = None) -> Any: ...


@runtime_checkable
class _TorchAttack(Protocol):
    """As much of an attack of torchattacks as is used."""

    model: Any
    device: Any

    def __call__(self, inputs: Any, labels: Any) -> Any: ...


class _Logits(nn.Module):
    """Logits of a batch as a module, which counts how many samples it was asked about."""

    def __init__(self, logits: Callable[[torch.Tensor], torch.Tensor], dtype: torch.dtype) -> None:
        super().__init__()
        self.logits = [logits]  # in a list, so that no module of the user's is registered here
        self.dtype, self.n_asked = dtype, 0
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits (n, n_classes)."""
        self.n_asked += len(x)
        return self.logits[0](x.to(self.dtype))


@attack_class
class External(BaseAttack):
    """Attack of foolbox, torchattacks or the Adversarial Robustness Toolbox, or a function.

    Its points are put into ball and box exactly, and only those count that ``predict`` itself
    gets wrong, whatever the other library says of its success.

    Parameters
    ----------
    attack : object
        An attack of foolbox, of torchattacks (made for any model: a copy gets this one), an
        evasion attack of ART (the same), or a function of (model, x, y) that returns x_adv,
        where the model maps tensors to logits.
    %(estimator)s
    %(eps)s
    %(norm)s
    %(constraints)s
    black_box : bool, default=False
        Whether the attack needs no gradient. Models without one can be attacked then.
    %(settings)s

    See Also
    --------
    WorstCase : Takes it as a member, beside attacks of this library.
    to_art : Another direction: an estimator as a classifier of ART.

    Notes
    -----
    ``eps`` is passed on where the other attack has such a parameter; step sizes are not, so set
    them to suit. A radius for each feature is passed on as its largest, and kept by projection.
    torchattacks accepts data in [0, 1] alone, and foolbox needs a box: without one it gets the
    range of the batch and eps around it. ``n_queries`` counts forward passes, the mean of a batch.

    References
    ----------
    Rauber, Zimmermann, Bethge, Brendel, "Foolbox Native", JOSS 2020. Kim, "Torchattacks", arXiv
    2010.01950. Nicolae et al., "Adversarial Robustness Toolbox v1.0.0", arXiv 1807.01069.

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust import robust_score
    >>> from sklearn_robust.attacks import External
    >>> def one_step(model, x, y):  # or torchattacks.PGD(...), foolbox.attacks.LinfPGD(), ...
    ...     x = x.clone().requires_grad_(True)
    ...     loss = torch.nn.functional.cross_entropy(model(x), y)
    ...     return x + 0.3 * torch.autograd.grad(loss, x)[0].sign()
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> round(robust_score(model, X, y, attack=External(one_step, eps=0.3)), 2)
    0.72
    """

    attack: Any = field(default=None, kw_only=False)
    estimator: Any = field(default=None, kw_only=True)
    black_box: bool = False

    @property
    def needs_gradient(self) -> bool:  # type: ignore[override]
        """Whether gradients are asked for."""
        return not self.black_box

    def __sklearn_clone__(self) -> External:
        """Copy the parameters; the other library's attack is shared, and never changed."""
        return type(self)(**self.get_params(deep=False))

    def check_parameters(self) -> None:
        """Raise unless all parameters are valid."""
        _kind(self.attack)
        check.check_flag("black_box", self.black_box)
        super().check_parameters()

    def run(self, batch: AttackBatch) -> AttackResult:
        """Let the other library attack, and judge its points.

        Parameters
        ----------
        batch : AttackBatch
            What is attacked.

        Returns
        -------
        result : AttackResult
            Points in ball and box, and which of them are adversarial.
        """
        model = _Logits(batch.logits, batch.x.dtype)
        eps = float(np.max(self.threat_model.eps if self.eps is not None else 8 / 255))
        call = _CALLERS[_kind(self.attack)]
        with numpy_seeded(seed_of(self.random_state)):
            found = call(self.attack, model, batch, eps)
        x_adv = self._inside(found, batch)
        result, rows = batch.result(), batch.rows()
        with torch.no_grad():
            z = batch.forward(x_adv, rows)
        fooled = batch.fooled(z, rows)
        batch.n_queries += model.n_asked // max(len(rows), 1)
        result.record(rows, x_adv, -z.gather(1, batch.y[:, None])[:, 0], fooled)
        return result

    def _inside(self, found: Any, batch: AttackBatch) -> torch.Tensor:
        """Points of the other library, in ball and box; those that are NaN stay clean."""
        x = batch.x
        x_adv = torch.as_tensor(found, device=x.device).detach().to(x)
        if x_adv.shape != x.shape:
            raise ValueError(
                f"attack returned points of shape {tuple(x_adv.shape)} for samples of shape "
                f"{tuple(x.shape)}: give one that returns a point for each sample."
            )
        x_adv = torch.where(x_adv.isfinite(), x_adv, x)
        return batch.exact_ball.project_exact(x_adv, x, batch.box)


def _kind(attack: Any) -> str:
    """Library that an attack is of."""
    if isinstance(attack, type) or attack is None:
        raise TypeError(
            f"attack is {check.shown(attack)}; give an attack of foolbox, torchattacks or ART, or "
            "a function of (model, x, y)."
        )
    if isinstance(attack, _ArtAttack):
        return "art"
    if isinstance(attack, _TorchAttack):
        return "torchattacks"
    if callable(attack):
        try:
            names = inspect.signature(attack).parameters
        except ValueError:  # written in C
            return "function"
        if "epsilons" in names:
            return "foolbox"
        check.check_takes("attack", attack, "model, x, y")
        return "function"
    raise TypeError(
        f"attack is {check.shown(attack)}; give an attack of foolbox, torchattacks or ART, or a "
        "function of (model, x, y)."
    )


@contextmanager
def numpy_seeded(seed: int) -> Iterator[None]:
    """Context in which numpy's global generator has a seed, as some libraries draw from it."""
    with _numpy_lock:
        before = np.random.get_state()
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            np.random.set_state(before)


# -- the other libraries ---------------------------------------------------------------------------


def _limits(batch: AttackBatch, eps: float) -> tuple[float, float]:
    """Range of the box, or of the batch with room for eps where there is none."""
    if batch.box.bounds is not None:
        low, high = (float(np.min(batch.box.bounds[0])), float(np.max(batch.box.bounds[1])))
        if np.isfinite([low, high]).all():
            return low, high
    return float(batch.x.min()) - eps, float(batch.x.max()) + eps


def _rebound(attack: Any, kind: Any, values: dict[str, Any], eps: float) -> Any:
    """Copy an attack, and those inside it, for another model and radius."""
    known: dict[int, Any] = {}

    def rebound(thing: Any) -> Any:
        if type(thing) in (list, tuple):
            return type(thing)(map(rebound, thing))
        if type(thing) in (dict, OrderedDict):
            return type(thing)((key, rebound(value)) for key, value in thing.items())
        if isinstance(thing, (type, nn.Module)) or not isinstance(thing, kind):
            return thing
        if id(thing) not in known:
            known[id(thing)] = mine = copy.copy(thing)
            parts = {name: rebound(value) for name, value in vars(thing).items()}
            vars(mine).update(parts | values | ({"eps": eps} if "eps" in parts else {}))
        return known[id(thing)]

    return rebound(attack)


def _call_function(attack: Any, model: nn.Module, batch: AttackBatch, eps: float) -> Any:
    return attack(model, batch.x.clone(), batch.y)


def _call_foolbox(attack: Any, model: nn.Module, batch: AttackBatch, eps: float) -> Any:
    import foolbox  # type: ignore[import-not-found]

    wrapped = foolbox.PyTorchModel(model, bounds=_limits(batch, eps), device=batch.x.device)
    criterion: Any = batch.y
    if batch.targeted:
        criterion = foolbox.criteria.TargetedMisclassification(batch.y)
    _, clipped, _ = attack(wrapped, batch.x.clone(), criterion, epsilons=eps)
    return clipped


def _call_torchattacks(attack: Any, model: nn.Module, batch: AttackBatch, eps: float) -> Any:
    mine = _rebound(attack, _TorchAttack, {"model": model, "device": batch.x.device}, eps)
    return mine(batch.x.clone(), batch.y)


def _call_art(attack: Any, model: nn.Module, batch: AttackBatch, eps: float) -> Any:
    n_classes = batch.clean().shape[1]
    classifier = _art_classifier(
        model, tuple(batch.x.shape[1:]), n_classes, _limits(batch, eps), batch.x.device
    )
    mine = _rebound(attack, _ArtAttack, {"_estimator": classifier}, eps)
    one_hot = np.eye(n_classes, dtype=np.float32)[batch.y.cpu().numpy()]
    return mine.generate(x=batch.x.cpu().numpy(), y=one_hot)


_CALLERS: dict[str, Callable[..., Any]] = {
    "art": _call_art,
    "foolbox": _call_foolbox,
    "function": _call_function,
    "torchattacks": _call_torchattacks,
}


def _art_classifier(
    model: nn.Module,
    shape: tuple[int, ...],
    n_classes: int,
    limits: tuple[float, float] | None,
    device: torch.device,
) -> Any:
    from art.estimators.classification import PyTorchClassifier  # type: ignore[import-not-found]

    return PyTorchClassifier(
        model=model,
        loss=nn.CrossEntropyLoss(),
        input_shape=shape,
        nb_classes=n_classes,
        clip_values=limits,
        device_type="cpu" if device.type == "cpu" else "gpu",
    )


def _shape_of(model: Model, input_shape: Any) -> tuple[int, ...]:
    shape = model.input_shape if input_shape is None else input_shape
    if shape is None:
        raise ValueError(
            f"{model.name} accepts samples of any shape: give that of one, such as "
            "input_shape=(3, 32, 32)."
        )
    return check.check_shape("input_shape", shape)


def to_art(estimator: Any, *, input_shape: Any = None, bounds: Any = None) -> Any:
    """Classifier of the Adversarial Robustness Toolbox that computes as a fitted estimator.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline or torch.nn.Module
        With a gradient. Its raw X is the input, before any scaler of a pipeline.
    input_shape : tuple, default=None
        Shape of one sample, where the estimator does not know it.
    bounds : (low, high), default=None
        Range of the data, ART's ``clip_values``.

    Returns
    -------
    classifier : art.estimators.classification.PyTorchClassifier
        Predicts logits, one column for each of ``estimator.classes_``.

    Raises
    ------
    NotDifferentiableError
        If no gradient reaches the input.

    See Also
    --------
    External : An attack of ART on an estimator of scikit-learn.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import to_art
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> classifier = to_art(model)  # doctest: +SKIP
    >>> classifier.predict(X[:2].astype("float32")).shape  # doctest: +SKIP
    (2, 3)
    """
    from ..differentiable import open_model

    model = open_model(estimator)
    limits = None if bounds is None else (float(bounds[0]), float(bounds[1]))
    shape = _shape_of(model, input_shape)
    module = _Logits(model.logits, torch.float32)
    with torch.no_grad():
        n_classes = module(torch.zeros(2, *shape, device=model.device)).shape[1]
    return _art_classifier(module, shape, n_classes, limits, model.device)


def to_foolbox(estimator: Any, *, bounds: tuple[float, float] = (0.0, 1.0)) -> Any:
    """Model of foolbox that computes as a fitted estimator.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline or torch.nn.Module
        With a gradient. Its raw X is the input, before any scaler of a pipeline.
    bounds : (low, high), default=(0.0, 1.0)
        Range of the data.

    Returns
    -------
    model : foolbox.PyTorchModel
        Returns logits, one column for each of ``estimator.classes_``.

    Raises
    ------
    NotDifferentiableError
        If no gradient reaches the input.

    See Also
    --------
    External : An attack of foolbox on an estimator of scikit-learn.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import to_foolbox
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> fmodel = to_foolbox(model, bounds=(0, 8))  # doctest: +SKIP
    """
    import foolbox

    from ..differentiable import open_model

    model = open_model(estimator)
    module = _Logits(model.logits, torch.float32)
    return foolbox.PyTorchModel(module, bounds=bounds, device=model.device)
