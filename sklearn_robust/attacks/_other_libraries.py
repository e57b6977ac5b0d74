"""Calls of foolbox, torchattacks and ART, and estimators as their models."""

from __future__ import annotations

import copy
import inspect
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from .. import _validation as check
from ..differentiable import Model, open_model
from ._batch import AttackBatch

__all__ = ["CALLERS", "LogitsModule", "kind_of", "to_art", "to_foolbox"]


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


class LogitsModule(nn.Module):
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


def kind_of(attack: Any) -> str:
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


CALLERS: dict[str, Callable[..., Any]] = {
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
    model = open_model(estimator)
    limits = None if bounds is None else (float(bounds[0]), float(bounds[1]))
    shape = _shape_of(model, input_shape)
    module = LogitsModule(model.logits, torch.float32)
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

    model = open_model(estimator)
    module = LogitsModule(model.logits, torch.float32)
    return foolbox.PyTorchModel(module, bounds=bounds, device=model.device)
