"""Both sides of robust accuracy: what is proven and what an attack leaves."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import Bunch

from .. import _validation as check
from .._threat_model import ThreatModel
from ..attacks import BaseAttack, Square, TreeAttack
from ..attacks._evaluation import choose_attack, open_samples, robust_mask
from ..differentiable import Model, open_model
from ..differentiable._state import records
from ..exceptions import BlackBoxWarning
from ._problem import Certificate
from ._registry import certify, is_registered, make_problem

__all__ = ["both_sides", "certified_curve", "certified_mask", "has_certifier", "robust_bounds"]


@records
def robust_bounds(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    eps: Any,
    norm: str | float = "linf",
    bounds: Any = "auto",
    mask: Any = None,
    integer: Any = None,
    attack: BaseAttack | None = None,
    time_limit: float = 1.0,
    n_jobs: int | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> Bunch:
    """Robust accuracy from both sides: proven from below, attacked from above.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module of logits
        What to judge.
    X : array-like of shape (n_samples, ...)
        Clean samples.
    y : array-like of shape (n_samples,)
        True labels.
    eps : float or array of the samples' shape
        Radius in the units of X, before any scaler of a pipeline.
    norm : {"linf", "l2", "l1"} or the name of a registered norm, default="linf"
        Norm of the ball.
    bounds : "auto", None or (low, high), default="auto"
        Box of the data; "auto" is (0, 1) if all of X lies inside it, else no box.
    mask : bool array of the samples' shape or indices, default=None
        Features that may move; None means all.
    integer : bool array of the samples' shape or indices, default=None
        Features that are kept on integers.
    attack : attack, default=None
        What gives the upper side, in the threat model above whatever its own. None is that of
        :func:`sklearn_robust.metrics.robust_score`.
    time_limit : float, default=1.0
        Seconds of search per sample, for certifiers that search, such as that of trees. A sample
        that is left undecided is not certified, and ``note`` says so.
    n_jobs : int, default=None
        Processes that share the samples of the attack.
    cache : path-like, default=None
        Folder of the attack's verdicts, as for :func:`sklearn_robust.metrics.robust_score`. Proofs
        are found anew.

    Returns
    -------
    result : Bunch
        ``lower`` and ``upper``, the two sides of robust accuracy; ``certified`` (bool per sample,
        proven to be classified correctly in the whole ball), ``attacked`` (bool per sample,
        classified correctly whatever the attack did), and ``note``, what the numbers do not say,
        or None.

    Raises
    ------
    ValueError
        If a parameter or sample is not valid.

    See Also
    --------
    certified_radius : Largest radius proven for each sample.
    register_certifier : Teaches it another class of classifiers.

    Notes
    -----
    Where the truth is known, both sides are equal. A certifier that finds an adversarial example
    spares the attack that sample, and no attack is tried where a proof says that none succeeds.
    Samples are taken as float32 holds them, as by every attack. A model that nothing is known
    of has ``lower`` 0, and ``note`` says so.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.certification import robust_bounds
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> result = robust_bounds(model, X, y, eps=0.3)
    >>> result.lower == result.upper
    True
    """
    check.validate(locals())
    check.check_labels(y)
    if attack is not None:
        check.check_attack(attack)
    threat = ThreatModel(eps, norm=norm, bounds=bounds, mask=mask, integer=integer)
    check.check_number("time_limit", time_limit, strict=True)
    options: dict[str, Any] = {"time_limit": time_limit, "cache": cache}
    return both_sides(open_model(estimator), X, y, threat, attack, n_jobs, **options)


def both_sides(
    model: Model,
    X: ArrayLike,
    y: ArrayLike,
    threat: ThreatModel,
    attack: BaseAttack | None,
    n_jobs: int | None = None,
    *,
    time_limit: float = 1.0,
    unseen: bool = False,
    cache: str | os.PathLike[str] | None = None,
) -> Bunch:
    """Judge an opened model from both sides.

    Parameters
    ----------
    model : Model
        What is judged.
    X, y, n_jobs, time_limit, cache
        As for :func:`robust_bounds`.
    threat : ThreatModel
        Not checked yet.
    attack : attack or None
        None is chosen for the model.
    unseen : bool, default=False
        Whether labels that the model was not fitted on are its errors.

    Returns
    -------
    result : Bunch
        As of :func:`robust_bounds`.
    """
    X, codes = open_samples(model, X, y, unseen=unseen)
    threat = threat.on(X)
    correct = model.predict_codes(X) == codes
    certificate = _certified(model, X, codes, threat, correct, time_limit)
    certified = correct.copy()
    certified[correct] = certificate.proven
    open_ = correct & ~certified
    if certificate.X_adv is not None:
        found = _confirmed(model, X, codes, threat, correct, certificate.X_adv)
        open_ &= ~found
    attacked = certified.copy()
    if open_.any():
        chosen = _attack_in(threat, attack, model, searched=certificate.X_adv is not None)
        rows = np.flatnonzero(open_)
        data, known = (X[rows], codes[rows], chosen), np.ones(len(rows), dtype=bool)
        options: dict[str, Any] = {
            "correct": known,
            "n_jobs": n_jobs,
            "index": rows,
            "cache": cache,
        }
        attacked[rows] = robust_mask(model, *data, **options)
    return Bunch(
        lower=float(certified.mean()),
        upper=float(attacked.mean()),
        certified=certified,
        attacked=attacked,
        note=certificate.note,
    )


def certified_curve(
    model: Model, X: ArrayLike, y: ArrayLike, eps: ArrayLike, threat: ThreatModel
) -> NDArray[np.float64]:
    """Proven accuracy for several radii.

    Parameters
    ----------
    model : Model
        What is judged.
    X, y
        As for :func:`robust_bounds`.
    eps : array-like of shape (n_radii,)
        Radii, in any order.
    threat : ThreatModel
        Whose eps is not looked at.

    Returns
    -------
    accuracy : array of shape (n_radii,)
        In the order of ``eps``.
    """
    X, codes = open_samples(model, X, y)
    balls = [replace(threat, eps=float(radius)).on(X) for radius in np.asarray(eps)]
    return np.array([certified_mask(model, X, codes, ball).mean() for ball in balls])


def has_certifier(model: Model) -> bool:
    """Whether the class of a classifier has a certifier of its own.

    Parameters
    ----------
    model : Model
        What would be judged.

    Returns
    -------
    known : bool
        Not whether it proves anything.
    """
    empty = np.zeros((0, 1), dtype=np.float32)
    return is_registered(make_problem(model, empty, np.zeros(0, dtype=np.int64), ThreatModel()))


def certified_mask(
    model: Model,
    X: NDArray[np.float32],
    codes: NDArray[np.int64],
    threat: ThreatModel,
    time_limit: float = 1.0,
) -> NDArray[np.bool_]:
    """Say which samples are proven to be classified correctly in the whole ball.

    Parameters
    ----------
    model : Model
        What is judged.
    X, codes
        As of ``open_samples``.
    threat : ThreatModel
        Checked on X.
    time_limit : float, default=1.0
        Seconds of search per sample.

    Returns
    -------
    certified : bool array of shape (n_samples,)
        Clean errors are not certified.
    """
    certified = model.predict_codes(X) == codes
    certified[certified] = _certified(model, X, codes, threat, certified, time_limit).proven
    return certified


def _certified(
    model: Model,
    X: NDArray[np.float32],
    codes: NDArray[np.int64],
    threat: ThreatModel,
    correct: NDArray[np.bool_],
    time_limit: float,
) -> Certificate:
    if threat.integer is not None:
        check.check_on_grid(X, threat.integer, np.arange(len(X)))
    return certify(make_problem(model, X[correct], codes[correct], threat, time_limit))


def _confirmed(
    model: Model,
    X: NDArray[np.float32],
    codes: NDArray[np.int64],
    threat: ThreatModel,
    correct: NDArray[np.bool_],
    X_adv: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Which samples have an adversarial example that lies in the ball and that predict confirms."""
    found = np.zeros(len(X), dtype=bool)
    given = np.isfinite(X_adv.reshape(len(X_adv), -1)).all(1)
    rows = np.flatnonzero(correct)[given]
    if len(rows):
        points = X_adv[given].astype(np.float32)
        inside = threat.project(points, X[rows]) == points
        inside = inside.reshape(len(rows), -1).all(1)
        found[rows] = inside & (model.predict_codes(points) != codes[rows])
    return found


def _attack_in(
    threat: ThreatModel, attack: BaseAttack | None, model: Model, *, searched: bool
) -> BaseAttack:
    """Return the attack, or the one that suits the model, in the threat model.

    Where trees were searched in vain, scores are followed.
    """
    if attack is not None:
        choose_attack(attack, model)
        return clone(attack).set_params(**threat.params())
    with warnings.catch_warnings():  # that the upper side is only one is what it is called for
        warnings.simplefilter("ignore", BlackBoxWarning)
        chosen = choose_attack(None, model)
    if searched and isinstance(chosen, TreeAttack):
        chosen = Square(random_state=0)
    return chosen.set_params(**threat.params())
