"""The registry of certifiers: one for each class of classifier."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from .._parameters import shown
from .._threat_model import ThreatModel
from ..differentiable import Accelerated, Model
from ._problem import Certificate, Problem, Radii

__all__ = ["certify", "make_problem", "proven_radii", "register_certifier"]

Certifier: TypeAlias = Callable[[Problem], "Certificate | NDArray[np.bool_]"]
RadiusFinder: TypeAlias = Callable[[Problem], "Radii | NDArray[np.float64]"]


@singledispatch
def _certifier(classifier: Any, problem: Problem) -> Any:
    """Prove what can be proved of a classifier of an unknown class: nothing."""
    return Certificate.nothing(
        problem,
        f"Nothing is proven of {type(classifier).__name__}: no certifier knows it. Register one "
        "with sklearn_robust.certification.register_certifier.",
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
        ``Certificate``, which also holds adversarial examples and a note. Without the function,
        ``register_certifier`` is a decorator.
    radius : callable, optional
        ``radius(problem) -> array of shape (n_samples,)``, proved radii, or ``Radii``, which says
        where they are exact. Without it ``certified_radius`` bisects.

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
    model: Model, X: NDArray[Any], codes: NDArray[np.int64], threat: ThreatModel
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

    Returns
    -------
    problem : Problem
        With the classifier inside pipelines, searches and the like.
    """
    classifier, steps = model.estimator, []
    while True:
        if isinstance(classifier, Pipeline):
            parts = [step for _, step in classifier.steps if step not in (None, "passthrough")]
            if not parts:
                break
            steps += parts[:-1]
            classifier = parts[-1]
        elif isinstance(classifier, FrozenEstimator):
            classifier = classifier.estimator
        elif isinstance(classifier, Accelerated):
            classifier = classifier.estimator_
        elif isinstance(classifier, GridSearchCV.__base__) and "best_estimator_" in vars(
            classifier
        ):
            classifier = classifier.best_estimator_
        else:
            break
    return Problem(model, tuple(steps), classifier, X.astype(np.float64), codes, threat)


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
    answer = _certifier(problem.classifier, problem)
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
    answer = _radius_finder(problem.classifier, problem)
    if answer is None or isinstance(answer, Radii):
        return answer
    return Radii(np.asarray(answer, dtype=np.float64), np.zeros(len(problem.X), dtype=bool))
