"""Robust accuracy: which samples are classified correctly whatever an attack does to them.

Scores, curves, reports, scorers, callbacks and the command all find it here.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from torch.utils.data import Dataset

from .. import _validation as check
from .._random import seed_of
from .._trees import TreeSearcher
from .._units import check_units
from ..differentiable import Model
from ..exceptions import BlackBoxWarning
from ._base import BaseAttack
from ._sharing import find_all
from ._square import Square
from ._trees import TreeAttack
from ._worst_case import WorstCase

__all__ = [
    "choose_attack",
    "minimal_distances",
    "open_samples",
    "params_of",
    "robust_mask",
    "robust_mask_of_batches",
]


def choose_attack(attack: BaseAttack | None, model: Model) -> BaseAttack:
    """Return the attack that robust accuracy is about; None is chosen for the model.

    Parameters
    ----------
    attack : attack or None
        None is the worst case over several losses. For trees it is an exact search, for another
        model without a gradient a search by scores, and a warning says so.
    model : Model
        What is attacked.

    Returns
    -------
    attack : attack
        The given one as it is, or a new one.
    """
    if attack is not None:
        check.check_attack(attack).logits_of(model)  # a model without a gradient is refused first
        return attack
    if model.differentiable:
        return WorstCase(random_state=0)
    if TreeSearcher.suits(model):
        return TreeAttack()
    warnings.warn(
        f"{model.name} has no gradient: Square searched by its scores alone, so that the score is "
        "an upper bound which a stronger attack may lower.",
        BlackBoxWarning,
        stacklevel=4,
    )
    return Square(random_state=0)


def open_samples(
    model: Model, X: ArrayLike, y: ArrayLike | None, *, unseen: bool = False
) -> tuple[NDArray[np.float32], Any]:
    """Check samples for a model, and code their labels.

    Parameters
    ----------
    model : Model
        What is attacked.
    X : array-like of shape (n_samples, ...)
        Clean samples.
    y : array-like of shape (n_samples,) or None
        True labels.
    unseen : bool, default=False
        Whether labels that the model was not fitted on are errors of the model, with the code
        -1, rather than of the caller.

    Returns
    -------
    X : array of shape (n_samples, ...), float32
        The samples.
    codes : int array of shape (n_samples,) or None
        Class codes of the labels.
    """
    if isinstance(X, Dataset):
        raise ValueError(
            f"X is a {type(X).__name__}, a dataset: give its samples as an array, or type "
            "use_caching=False where it comes from skorch's EpochScoring."
        )
    samples: NDArray[np.float32] = model.read(X)
    check.check_sample_shape(samples, model.input_shape, model.name)
    model.examine(samples)
    return samples, None if y is None else model.label_codes(samples, y, unseen=unseen)


def params_of(attack: BaseAttack | None) -> dict[str, Any] | None:
    """Return the parameters of an attack that may speak of columns, for ``open_model``."""
    return attack.column_params() if isinstance(attack, BaseAttack) else None


def robust_mask(
    model: Model,
    X: NDArray[np.float32],
    codes: NDArray[np.int64] | None,
    attack: BaseAttack,
    *,
    correct: NDArray[np.bool_] | None = None,
    n_jobs: int | None = None,
    index: NDArray[np.int64] | None = None,
    cache: str | os.PathLike[str] | None = None,
    units_known: bool = False,
) -> NDArray[np.bool_]:
    """Say which samples are classified correctly whatever the attack does to them.

    Parameters
    ----------
    model : Model
        What is attacked.
    X : array of shape (n_samples, ...), float32
        Clean samples, as of ``open_samples``.
    codes : int array of shape (n_samples,) or None
        True class codes. None stands for the predicted ones, so that stability is judged.
    attack : attack
        Left as it is.
    correct : bool array of shape (n_samples,), default=None
        Which clean samples the model classifies correctly, where that is known.
    n_jobs : int, default=None
        Processes that share the samples.
    index : int array of shape (n_samples,), default=None
        Numbers that errors name the samples by; None counts them from 0.
    cache : path-like, default=None
        Folder of verdicts that are kept, as for :class:`._cache.VerdictCache`.
    units_known : bool, default=False
        Whether the caller itself says what the radius means in the units of X.

    Returns
    -------
    robust : bool array of shape (n_samples,)
        Clean errors are not robust.
    """
    if model.table is not None:
        attack = attack.on_columns(model)
    _check_radius(attack)
    given = (correct, n_jobs, index, units_known, cache)
    robust, fooled = _attacked(model, X, codes, attack, "fooled", *given)
    robust[robust] = ~fooled
    return robust


def minimal_distances(
    model: Model,
    X: NDArray[np.float32],
    codes: NDArray[np.int64] | None,
    attack: BaseAttack,
    *,
    n_jobs: int | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> NDArray[np.float64]:
    """How far an attack for the nearest point had to go: 0 for clean errors, inf for failures.

    Parameters
    ----------
    model, X, codes, n_jobs, cache
        As for :func:`robust_mask`.
    attack : MinimumNormAttack
        Its norm is that of the distances.

    Returns
    -------
    distance : array of shape (n_samples,), float64
        Upper bounds of the distances to the decision boundary.
    """
    given = (None, n_jobs, None, True, cache)
    correct, found = _attacked(model, X, codes, attack, "distance", *given)
    distance = np.zeros(len(correct))
    distance[correct] = found
    return distance


def robust_mask_of_batches(
    logits: Callable[[torch.Tensor], torch.Tensor],
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]],
    attack: BaseAttack,
) -> torch.Tensor:
    """Say which samples of tensor batches are robust, for a net in training.

    Parameters
    ----------
    logits : callable
        Maps (n, ...) to logits (n, n_classes).
    batches : iterable of (samples, class codes)
        On the device of the model.
    attack : attack
        Whose ``bounds_`` is the box of all data.

    Returns
    -------
    robust : bool tensor of shape (n_samples,)
        Clean errors are not robust.
    """
    _check_radius(attack)
    return torch.cat([attack.robust_mask(logits, x, y) for x, y in batches])


def _check_radius(attack: BaseAttack) -> None:
    """Raise if an attack has no radius: without one every sample is fooled somewhere."""
    if np.ndim(attack.threat_model.eps) == 0 and attack.threat_model.eps == np.inf:
        raise ValueError(
            f"{type(attack).__name__} has no radius: give it an eps, or ask robustness_curve(..., "
            f"attack={type(attack).__name__}()) for accuracies at several."
        )


def _attacked(
    model: Model,
    X: NDArray[np.float32],
    codes: NDArray[np.int64] | None,
    attack: BaseAttack,
    key: str,
    correct: NDArray[np.bool_] | None,
    n_jobs: int | None,
    index: NDArray[np.int64] | None,
    units_known: bool,
    cache: str | os.PathLike[str] | None,
) -> tuple[NDArray[np.bool_], NDArray[Any]]:
    """Which samples are classified correctly, and what came of attacking those."""
    attack = clone(attack) if model.table is None else attack.on_columns(model)
    if attack.targeted:
        raise ValueError("A targeted attack does not measure robustness; use targeted=False.")
    attack.check_parameters()
    attack.logits_of(model)
    attack.threat_model.check_resolution(X)
    if not units_known:
        check_units(attack.threat_model, X, default=attack.has_default_radius)
    if codes is None:
        codes, correct = model.predict_codes(X), np.ones(len(X), dtype=bool)
    elif correct is None:
        correct = model.predict_codes(X) == codes
    correct = np.array(correct, dtype=bool)
    # The box is that of the whole call, and every process draws alike.
    bounds = check.check_bounds(attack.bounds, X)
    if cache is not None and attack.random_state is None:
        raise ValueError(
            f"cache={os.fspath(cache)!r} keeps nothing for an attack that draws anew each time: "
            f"give it a seed, {type(attack).__name__}(..., random_state=0)."
        )
    attack.random_state = seed_of(attack.random_state)
    found = find_all(
        attack,
        model,
        X,
        codes,
        np.flatnonzero(correct),
        bounds=bounds,
        key=key,
        index=np.arange(len(X)) if index is None else index,
        n_jobs=n_jobs,
        cache=cache,
    )
    attack._warn_of_stuck(found.n_stuck, len(found.values))
    return correct, found.values
