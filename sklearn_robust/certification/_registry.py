"""The registry of certifiers: one for each class of classifier."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._parameters import shown
from .._threat_model import ThreatModel
from ..differentiable import Accelerated, Model
from ..differentiable._meta import unwrapped
from ._problem import Certificate, Problem, Radii

__all__ = [
    "certify",
    "is_registered",
    "make_problem",
    "proven_radii",
    "register_by_name",
    "register_certifier",
]

Certifier: TypeAlias = Callable[[Problem], "Certificate | NDArray[np.bool_] | str"]
RadiusFinder: TypeAlias = Callable[[Problem], "Radii | NDArray[np.float64] | None"]

_NAMED: dict[str, Any] = {}


@singledispatch
def _certifier(classifier: Any, problem: Problem) -> Any:
    """Prove what can be proved of a classifier of an unknown class: nothing."""
    return Certificate.nothing(
        problem,
        f"Nothing is proven of {type(problem.classifier).__name__}: no certifier knows it. "
        "Register one with sklearn_robust.certification.register_certifier.",
    )


@singledispatch
def _radius_finder(classifier: Any, problem: Problem) -> Any:
    """Find proved radii of a classifier directly; None where only a search by bisection can."""
    return None


def register_certifier(
    cls, function: Certifier | None = None, *, radius: RadiusFinder | None = None
) -> Callable[..., Any]:
    """Teach ``robust_bounds`` to prove the robustness of a class of classifiers.

    Parameters
    ----------
    cls : type
        Class of classifiers; subclasses inherit the certifier. In a Pipeline it is that of the
        last step, in a search or a FrozenEstimator that of the estimator inside.
    function : callable, optional
        ``function(problem) -> bool array of shape (n_samples,)``, True where no point of
        ``problem.threat`` changes the class of a sample: a proof, never a guess. It may return a
        ``Certificate``, which also holds adversarial examples and a note, or a sentence that says
        why it does not apply: the certifier of class ``object`` is asked then. Without the
        function, ``register_certifier`` is a decorator.
    radius : callable, optional
        ``radius(problem) -> array of shape (n_samples,)``, proved radii, or ``Radii``, which says
        where they are exact; None where it does not apply. Without it ``certified_radius``
        bisects.

    Returns
    -------
    function : callable
        The function, or a decorator for it.

    See Also
    --------
    robust_bounds : Uses what is registered.

    Notes
    -----
    ``problem`` holds the opened ``model``, the ``steps`` in front of the ``classifier``, samples
    ``X`` that are all classified as ``codes``, the ``threat`` model, the ``radius`` of each feature
    of each sample, and ``limits``, the smallest box around each sample that holds all its
    perturbations. A certifier that cannot follow a
    norm, a box or a step proves a larger set of perturbations, or nothing, never a smaller set.

    Examples
    --------
    A classifier that no perturbation changes:

    >>> from sklearn.base import BaseEstimator, ClassifierMixin
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn_robust.certification import register_certifier, robust_bounds
    >>> @register_certifier(DummyClassifier)
    ... def certify_constant(problem):
    ...     constant = problem.classifier.strategy in ("most_frequent", "prior", "constant")
    ...     return np.full(len(problem.X), constant)
    >>> X, y = load_iris(return_X_y=True)
    >>> bounds = robust_bounds(DummyClassifier().fit(X, y), X, y, eps=0.1)
    >>> round(bounds.lower, 3), round(bounds.upper, 3)
    (0.333, 0.333)
    """
    if not isinstance(cls, type):
        raise TypeError(
            f"cls is {shown(cls)}; give a class of classifiers, such as "
            "register_certifier(MyModel)."
        )
    for name, value in (("function", function), ("radius", radius)):
        if value is not None and not callable(value):
            raise TypeError(
                f"{name} is {shown(value)}; give a function of one Problem, for classifiers of "
                f"class {cls.__name__}."
            )

    def add(certifier: Certifier) -> Certifier:
        _certifier.register(cls)(lambda _, problem: certifier(problem))
        finder = radius if radius is not None else lambda _: None
        _radius_finder.register(cls)(lambda _, problem: finder(problem))
        return certifier

    return add if function is None else add(function)


def make_problem(
    model: Model,
    X: NDArray[Any],
    codes: NDArray[np.int64],
    threat: ThreatModel,
    time_limit: float = 1.0,
) -> Problem:
    """State the problem for samples that the model classifies correctly.

    Parameters
    ----------
    model : Model
        As of ``open_model``.
    X : array of shape (n_samples, ...)
        Clean samples.
    codes : int array of shape (n_samples,)
        True class codes.
    threat : ThreatModel
        Checked on all samples of the call.
    time_limit : float, default=1.0
        Seconds of search per sample.

    Returns
    -------
    problem : Problem
        With the classifier inside pipelines, searches and the like.
    """
    steps, classifier = unwrapped(model.estimator)
    while isinstance(classifier, Accelerated):
        inner, classifier = unwrapped(classifier.estimator_)
        steps += inner
    samples = X.astype(np.float64)
    return Problem(model, steps, classifier, samples, codes, threat, time_limit=time_limit)


def _key(classifier: Any) -> Any:
    """Classifier by whose class the registry is asked.

    Classifiers of libraries that are not imported here stand under the names of their classes.
    """
    for base in type(classifier).__mro__:
        if base in _certifier.registry and base is not object:
            return classifier
        name = f"{base.__module__.split('.')[0]}.{base.__name__}"
        if name in _NAMED:
            return _NAMED[name]
    return classifier


def register_by_name(name: str, like: type) -> None:
    """Give classifiers of a library that is not imported the certifier of another class.

    Parameters
    ----------
    name : str
        Top package and class, such as ``"xgboost.XGBClassifier"``.
    like : type
        Class whose certifier serves them.
    """
    _NAMED[name] = object.__new__(like)


def is_registered(problem: Problem) -> bool:
    """Whether the classifier's class has a certifier of its own.

    Parameters
    ----------
    problem : Problem
        As of ``make_problem``.

    Returns
    -------
    registered : bool
        False if only what serves any model applies.
    """
    kind = type(_key(problem.classifier))
    return _certifier.dispatch(kind) is not _certifier.dispatch(object)


def certify(problem: Problem) -> Certificate:
    """Ask the certifier of the classifier's class.

    Parameters
    ----------
    problem : Problem
        As of ``make_problem``.

    Returns
    -------
    certificate : Certificate
        Checked for its shape.
    """
    if not len(problem.X):
        return Certificate(np.zeros(0, dtype=bool))
    answer = _certifier(_key(problem.classifier), problem)
    if isinstance(answer, str):  # why it does not apply; perhaps what serves any model does
        reason, answer = answer, _certifier.dispatch(object)(problem.classifier, problem)
        if not answer.proven.any():
            answer.note = reason
    if not isinstance(answer, Certificate):
        answer = Certificate(np.asarray(answer))
    if answer.proven.shape != problem.codes.shape or answer.proven.dtype != bool:
        raise ValueError(
            f"The certifier of {type(problem.classifier).__name__} returned an array of shape "
            f"{answer.proven.shape} and dtype {answer.proven.dtype}; it must return a bool for "
            f"each of the {len(problem.X)} samples."
        )
    return answer


def proven_radii(problem: Problem) -> Radii | None:
    """Ask for proved radii of each sample; None where the class has none to offer.

    Parameters
    ----------
    problem : Problem
        As of ``make_problem``, of infinite radius.

    Returns
    -------
    radii : Radii or None
        None calls for a search by bisection.
    """
    answer = _radius_finder(_key(problem.classifier), problem)
    if answer is None or isinstance(answer, Radii):
        return answer
    return Radii(np.asarray(answer, dtype=np.float64), np.zeros(len(problem.X), dtype=bool))
