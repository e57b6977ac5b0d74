"""Assertion that a classifier is robust enough, for tests."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest
from sklearn.base import clone

from .. import _validation as check
from ..attacks import BaseAttack, Square, WorstCase
from ..attacks._evaluation import open_samples
from ..differentiable import Model, open_model
from ..differentiable._state import records
from ..exceptions import BlackBoxWarning, ZeroGradientWarning
from ._report import measure

__all__ = ["assert_robust", "attack_for", "drop_test", "why_not_robust"]


def attack_for(model: Model, attack: BaseAttack | None, **threat: Any) -> BaseAttack:
    """Return the attack that a report is about, with its threat model set.

    Parameters
    ----------
    model : Model
        What is attacked.
    attack : attack or None
        None is the worst case over three losses, or a search by scores where no gradient reaches
        the input.
    **threat
        ``eps``, ``norm``, ``bounds`` and so on, in place of those of the attack; None leaves them.

    Returns
    -------
    attack : attack
        A new one, with a seed.
    """
    if attack is None:
        attack = WorstCase() if model.differentiable else Square()
    attack = clone(check.check_attack(attack))
    attack.set_params(**{name: value for name, value in threat.items() if value is not None})
    if attack.random_state is None:
        attack.set_params(random_state=0)
    attack.logits_of(model)
    return attack


def drop_test(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> tuple[int, int, float]:
    """McNemar's exact test of whether fewer samples are robust than before.

    Parameters
    ----------
    before, after : bool arrays of shape (n_samples,)
        Samples that are robust, the same ones in both.

    Returns
    -------
    lost, won : int
        Numbers of samples that are no longer robust, and that have become robust.
    p_value : float
        Probability of so many losses among those that changed, if losses were no likelier than
        gains (one-sided).
    """
    lost, won = int(np.sum(before & ~after)), int(np.sum(after & ~before))
    p_value = binomtest(lost, lost + won, alternative="greater").pvalue if lost + won else 1.0
    return lost, won, float(p_value)


def why_not_robust(
    numbers: Mapping[str, Any], at_least: float, *, allow_black_box: bool = False
) -> dict[str, str]:
    """Reasons why a report fails a demand, by name; none if it meets the demand.

    Parameters
    ----------
    numbers : dict
        As of ``robustness_report(..., output_dict=True)``.
    at_least : float
        Robust accuracy that is asked for.
    allow_black_box : bool, default=False
        Whether to accept the number of a model without a gradient.

    Returns
    -------
    reasons : dict of str to str
        "robust accuracy" and "trust" may be among them, each with a sentence.
    """
    reasons = {}
    low, high = numbers["interval"]
    if numbers["worst_case"] < at_least:
        reasons["robust accuracy"] = (
            f"robust accuracy is {numbers['worst_case']:.1%} (95 % interval {low:.1%} to "
            f"{high:.1%}, {numbers['n_samples']:,} samples), and at least {at_least:.1%} is asked "
            "for"
        )
    signs = dict(numbers["warnings"])
    if set(signs) == {"black box"} and "no gradient" in signs["black box"]:
        if not allow_black_box:
            reasons["trust"] = (
                "no gradient reaches the input, so that a search by scores found only an upper "
                "bound; allow_black_box (--allow-black-box) accepts it"
            )
    elif signs:
        said = "; ".join(f"{name}: {sign}" for name, sign in signs.items())
        reasons["trust"] = f"the number cannot be trusted ({said})"
    return reasons


@records
def assert_robust(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    eps: Any,
    at_least: float,
    norm: str | float | None = None,
    attack: BaseAttack | None = None,
    allow_black_box: bool = False,
    n_jobs: int | None = None,
) -> None:
    """Raise AssertionError unless robust accuracy is high enough and can be trusted.

    Parameters
    ----------
    estimator : fitted classifier
        What to judge.
    X : array-like of shape (n_samples, ...)
        Clean samples.
    y : array-like of shape (n_samples,)
        True labels.
    eps : float or array of the samples' shape
        Radius in the units of X.
    at_least : float
        Robust accuracy that is asked for, from 0 to 1.
    norm : {"linf", "l2", "l1"}, default=None
        Norm of the ball; None takes that of the attack, which is linf if there is none.
    attack : attack, default=None
        As for :func:`robustness_report`; ``eps`` and ``norm`` replace its own.
    allow_black_box : bool, default=False
        Whether to accept the number of a model without a gradient, such as a forest. It is an
        upper bound that a stronger attack may lower.
    n_jobs : int, default=None
        Processes that share the samples.

    Raises
    ------
    AssertionError
        If robust accuracy is below ``at_least``, or a sign of gradient masking was found.

    See Also
    --------
    robustness_report : The numbers behind it.

    Notes
    -----
    The number is the share of these samples, and its interval is in the message: with 100
    samples an accuracy near one half is known to about ten points. The attack's seed is 0 unless
    the attack has one, so that the same model passes again.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.metrics import assert_robust
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> assert_robust(model, X, y, eps=0.1, at_least=0.9)
    >>> assert_robust(model, X, y, eps=0.2, at_least=0.9)
    Traceback (most recent call last):
        ...
    AssertionError: LogisticRegression: robust accuracy is 86.7% (95 % interval 80.3% to 91.2%,
    150 samples), and at least 90.0% is asked for.
    """
    check.validate(locals(), allow_black_box=check.check_flag)
    check.check_number("at_least", at_least, high=1.0)
    check.check_labels(y)
    model = open_model(estimator)
    X, codes = open_samples(model, X, y)
    main = attack_for(model, attack, eps=eps, norm=norm)
    main.check_parameters()
    if not np.any(main.threat_model.on(X).eps > 0):
        raise ValueError("eps is 0; give a radius above 0, or compare estimator.score(X, y).")
    with warnings.catch_warnings():  # the message has its own words for them
        warnings.simplefilter("ignore", ZeroGradientWarning)
        warnings.simplefilter("ignore", BlackBoxWarning)
        numbers, _ = measure(model, X, codes, main, main, n_jobs)
    reasons = why_not_robust(numbers, at_least, allow_black_box=allow_black_box)
    if reasons:
        raise AssertionError(f"{model.name}: {'; '.join(reasons.values())}.")
