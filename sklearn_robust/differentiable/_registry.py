"""The registry behind ``as_module``: one builder for each class of estimator."""

from functools import singledispatch

from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from ..exceptions import NotDifferentiableError
from ._view import View

__all__ = ["as_module", "build", "register"]

_ADVICE = (
    "Register one with sklearn_robust.differentiable.register, or put a differentiable model in "
    "its place"
)


@singledispatch
def build(estimator):
    """Return the torch module of a fitted estimator or transformer."""
    raise NotDifferentiableError(
        f"{type(estimator).__name__} has no differentiable view, so no gradient reaches its "
        f"input. {_ADVICE}."
    )


def register(cls, function=None):
    """Teach ``as_module`` a class of estimator or transformer.

    Parameters
    ----------
    cls : type
        Class whose instances ``function`` handles; subclasses inherit it.
    function : callable, optional
        ``function(fitted) -> torch.nn.Module``. The module maps raw samples (n, ...) to
        logits (n, n_classes) for a classifier, to the transformed samples for a transformer,
        and should compute in the dtype of its input. Without it, ``register`` is a decorator.

    Returns
    -------
    function : callable
        The function, or a decorator for it.

    Examples
    --------
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from torch import nn
    >>> from sklearn_robust.differentiable import register
    >>> class Halve(FunctionTransformer):
    ...     def transform(self, X):
    ...         return X / 2
    >>> class HalveModule(nn.Module):
    ...     def forward(self, x):
    ...         return x / 2
    >>> @register(Halve)
    ... def halve_as_module(fitted):
    ...     return HalveModule()
    """
    return build.register(cls) if function is None else build.register(cls, function)


def as_module(estimator):
    """Differentiable view of a fitted estimator, a whole Pipeline included.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module
        What to view. A module must return logits.

    Returns
    -------
    view : torch.nn.Module
        Maps raw samples ``(n, *sample_shape)``, in the units of the X the user holds, to logits
        (n, n_classes) whose columns are ordered as ``estimator.classes_``. It is a frozen copy
        in eval mode: nothing done with it changes the estimator. ``view.classes_`` holds the
        labels, ``view.device`` the device.

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
    The view computes in the dtype of its input; scikit-learn's own classifiers run in float64
    inside. For linear classifiers the logits are the decision function (two columns, -f/2 and
    f/2, when it is binary and has a single one).

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.differentiable import as_module
    >>> X, y = load_iris(return_X_y=True)
    >>> view = as_module(LogisticRegression(max_iter=1000).fit(X, y))
    >>> view(torch.tensor(X[:2])).shape
    torch.Size([2, 3])
    """
    if isinstance(estimator, View):
        return estimator
    _check_fitted(estimator)
    body = build(estimator)
    shape = getattr(estimator, "input_shape_", None)
    n_features = getattr(estimator, "n_features_in_", None)
    if shape is None and n_features is not None and getattr(body, "tabular", False):
        shape = (n_features,)
    classes = getattr(estimator, "classes_", getattr(body, "classes_", None))
    return View(body, classes, input_shape=shape, name=type(estimator).__name__)


def _check_fitted(estimator):
    if not hasattr(estimator, "fit"):
        return
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise NotFittedError(
            f"This {type(estimator).__name__} is not fitted yet: call fit(X, y) first, or pass a "
            "fitted estimator."
        ) from error
