"""The registry behind ``as_module``: one builder for each class of estimator."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ..exceptions import NotDifferentiableError
from ._layers.outputs import is_tabular, unsupported_by
from ._module import DifferentiableModel
from ._scores import sample_shape

__all__ = ["as_module", "build", "check_fitted", "register"]

BLACK_BOX = (
    "Attack it with sklearn_robust.attacks.Square, which needs scores only; robust_score does so "
    "by itself, with a BlackBoxWarning."
)


@singledispatch
def build(estimator: Any) -> nn.Module:
    """Return the torch module of a fitted estimator or transformer."""
    raise NotDifferentiableError(
        f"{type(estimator).__name__} has no differentiable model, so no gradient reaches its "
        f"input. Register one with sklearn_robust.differentiable.register. {BLACK_BOX}"
    )


def register(cls, function: Callable[[Any], nn.Module] | None = None) -> Callable[..., Any]:
    """Register how ``as_module`` converts a class of estimators or transformers.

    Parameters
    ----------
    cls : type
        Class whose instances ``function`` handles; subclasses inherit it.
    function : callable, optional
        ``function(fitted) -> torch.nn.Module``. The module maps raw samples (n, ...) to
        logits (n, n_classes) for a classifier, to the transformed samples for a transformer,
        and should compute in the dtype of its input. Give it an attribute ``tabular = True`` to
        have samples checked against the estimator's ``n_features_in_``. Without the function,
        ``register`` is a decorator.

    Returns
    -------
    function : callable
        The function, or a decorator for it.

    See Also
    --------
    as_module : Uses what is registered, inside pipelines and ensembles, too.

    Notes
    -----
    Ensembles that average probabilities take the softmax of a registered classifier's logits, so
    its ``predict_proba`` has to be just that.

    Examples
    --------
    A transformer of one's own, at work in a pipeline:

    >>> import torch
    >>> from sklearn.base import BaseEstimator, TransformerMixin
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_robust.differentiable import as_module, register
    >>> class Halve(TransformerMixin, BaseEstimator):
    ...     def fit(self, X, y=None):
    ...         self.fitted_ = True
    ...         return self
    ...
    ...     def transform(self, X):
    ...         return X / 2
    >>> class HalveModule(torch.nn.Module):
    ...     def forward(self, x):
    ...         return x / 2
    >>> @register(Halve)
    ... def halve_as_module(fitted):
    ...     return HalveModule()
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(Halve(), LogisticRegression(max_iter=1000)).fit(X, y)
    >>> z = as_module(model)(torch.tensor(X))
    >>> bool(abs(z.numpy() - model.decision_function(X)).max() < 1e-8)
    True
    """
    if not isinstance(cls, type):
        raise TypeError(
            f"cls is {cls!r:.80}; give a class of estimators, such as register(MyModel)."
        )
    if function is not None and not callable(function):
        raise TypeError(
            f"function is {function!r:.80}; give a function that maps a fitted {cls.__name__} to a "
            "torch.nn.Module."
        )
    return build.register(cls) if function is None else build.register(cls, function)


def as_module(estimator: Any) -> DifferentiableModel:
    """Convert a fitted estimator or Pipeline into one torch module that returns logits.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module
        What to open. A module returns logits; probabilities are recognised by the first batch,
        and their logarithms are the logits then.

    Returns
    -------
    model : DifferentiableModel
        Maps raw samples ``(n, *sample_shape)``, in the units of the X the user holds, to logits
        (n, n_classes) whose columns are ordered as ``estimator.classes_``. It is a frozen copy
        in eval mode: nothing done with it changes the estimator. ``model.classes_`` holds
        the labels, ``model.device`` the device.

    Raises
    ------
    NotDifferentiableError
        If the estimator, or a step of a pipeline, has no gradient.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    register : Teach it another class.

    Notes
    -----
    Transformers compute in the dtype of the input, scikit-learn's own classifiers in float64.
    The logits are the ``decision_function`` where the classifier has one (with two classes, the
    columns -f/2 and f/2 of it), else the log-probabilities. Ensembles and calibrated classifiers
    give log-probabilities.

    Multiclass SVC, NuSVC and OneVsOneClassifier count the pairs of classes that a class wins. Their
    logits are the decision function of shape "ovr", which jumps where the decision of a pair
    changes. Their gradient does not contain the jumps, so that an attack that follows it
    overestimates the robustness of the model. The same holds for isotonic calibration, which is
    flat nearly everywhere. ``as_module(estimator).surrogate`` has logits without jumps, also where
    such a classifier is part of a pipeline or an ensemble; their largest belongs to the same class
    except close to a tie. Attacks on an estimator follow it and leave the verdict to ``predict``.
    The surrogate of any other model is the model itself.

    Missing values do not exist here: an imputer passes samples through. Box-Cox transforms give
    NaN, and some classifiers raise in ``predict``, if an attack leaves the positive numbers;
    ``bounds`` prevents that.

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.differentiable import as_module
    >>> X, y = load_iris(return_X_y=True)
    >>> module = as_module(LogisticRegression(max_iter=1000).fit(X, y))
    >>> module(torch.tensor(X[:2])).shape
    torch.Size([2, 3])
    """
    if isinstance(estimator, DifferentiableModel):
        return estimator
    check_fitted(estimator)
    body = build(estimator)
    if "forward" in unsupported_by(body):
        raise NotDifferentiableError(unsupported_by(body)["forward"])
    shape = sample_shape(estimator, tabular=is_tabular(body))
    classes = getattr(estimator, "classes_", getattr(body, "classes_", None))
    return DifferentiableModel(body, classes, input_shape=shape, name=type(estimator).__name__)


def check_fitted(estimator: Any) -> None:
    """Raise unless an estimator is fitted."""
    own = isinstance(estimator, nn.Module) and not isinstance(estimator, BaseEstimator)
    if own or not hasattr(estimator, "fit"):
        return
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise NotFittedError(
            f"This {type(estimator).__name__} is not fitted yet: call fit(X, y) first, or pass a "
            "fitted estimator."
        ) from error
