"""Question that a certifier answers, and its answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._threat_model import ThreatModel
from ..differentiable import Model

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Certificate", "Problem", "Radii"]


@dataclass
class Problem:
    """Question to a certifier: which samples keep their class wherever an adversary moves them.

    Attributes
    ----------
    model : Model
        The whole estimator, opened; a Pipeline with all its steps.
    steps : tuple of transformers
        Fitted transformers in front of the classifier, in order.
    classifier : object
        The classifier behind them, by whose class the certifier was found.
    X : float64 array of shape (n_samples, ...)
        Samples as float32 holds them, since attacks see them so. All are classified as ``codes``.
    codes : int array of shape (n_samples,)
        True class codes.
    threat : ThreatModel
        Norm, box, mask and grid, checked on all of X. The radius is that of ``radius``.
    factor : float64 array of shape (n_samples,) or None
        What each sample's ball is larger by than that of ``threat``; None is 1. It is infinite
        where the largest radius is searched.
    time_limit : float
        Seconds of search per sample, after which a certifier that searches gives up.

    See Also
    --------
    register_certifier : Takes a function of one Problem.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import ThreatModel
    >>> from sklearn_robust.certification import Problem
    >>> from sklearn_robust.differentiable import open_model
    >>> X, y = np.array([[0.0, 0.5], [1.0, 0.5]]), np.array([0, 1])
    >>> model = LogisticRegression().fit(X, y)
    >>> threat = ThreatModel(eps=0.25, mask=[True, False]).on(X)
    >>> problem = Problem(open_model(model), (), model, X, y, threat)
    >>> low, high = problem.limits
    >>> high
    array([[0.25, 0.5 ],
           [1.  , 0.5 ]])
    """

    model: Model
    steps: tuple[Any, ...]
    classifier: Any
    X: NDArray[np.float64]
    codes: NDArray[np.int64]
    threat: ThreatModel
    factor: NDArray[np.float64] | None = None
    time_limit: float = 1.0

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.model.classes_)

    def part(self, rows: Any) -> Self:
        """Problem of some of the samples."""
        factor = None if self.factor is None else self.factor[rows]
        return replace(self, X=self.X[rows], codes=self.codes[rows], factor=factor)

    def scaled(self, factor: NDArray[np.float64]) -> Self:
        """Problem in balls that are ``factor`` times as large as that of the threat model."""
        return replace(self, factor=np.asarray(factor, dtype=np.float64))

    @cached_property
    def radius(self) -> NDArray[np.float64]:
        """Radius of each feature of each sample, of the shape of ``X``: 0 where it cannot move.

        In norm p a perturbation d is allowed if the p-norm of d / radius is at most 1.
        """
        radius = np.broadcast_to(self.threat.radius, self.X.shape)
        if self.factor is None:
            return radius
        factor = self.factor.reshape(-1, *[1] * (self.X.ndim - 1))
        return np.where(radius > 0, radius, 1) * np.where(radius > 0, factor, 0)

    @cached_property
    def limits(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Smallest box around each sample that holds all points of the threat model.

        Two arrays of the shape of ``X``. In linf without integer features it is the threat model
        itself; in another norm it is larger.
        """
        return self.threat.limits(self.X, self.radius)


@dataclass
class Certificate:
    """Answer of a certifier, one entry per sample.

    Attributes
    ----------
    proven : bool array of shape (n_samples,)
        Whether no point of the threat model changes the class: a proof, never a guess.
    X_adv : array of shape (n_samples, ...), optional
        Where a search found adversarial examples; NaN in the samples for which it found none.
        Each is confirmed by ``predict`` before it counts.
    note : str, optional
        What a reader of the numbers must know, such as why nothing is proven.

    See Also
    --------
    register_certifier : Takes a function that returns one.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_robust.certification import Certificate
    >>> Certificate(np.array([True, False]), note="Proven for all real numbers.").proven
    array([ True, False])
    """

    proven: NDArray[np.bool_]
    X_adv: NDArray[np.float32] | None = None
    note: str | None = None

    @classmethod
    def nothing(cls, problem: Problem, note: str) -> Self:
        """Certificate that proves nothing, and says why."""
        return cls(np.zeros(len(problem.X), dtype=bool), note=note)


@dataclass
class Radii:
    """Radii within which nothing changes the class, one per sample.

    Attributes
    ----------
    radius : array of shape (n_samples,), float64
        Proved: no point nearer than that is adversarial. Infinite where there is none at all.
    exact : bool array of shape (n_samples,)
        Whether it is the distance of the nearest adversarial example, up to rounding.

    See Also
    --------
    register_certifier : Takes a function that returns them.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_robust.certification import Radii
    >>> Radii(np.array([0.1, np.inf]), np.array([True, True])).radius
    array([0.1, inf])
    """

    radius: NDArray[np.float64]
    exact: NDArray[np.bool_]
