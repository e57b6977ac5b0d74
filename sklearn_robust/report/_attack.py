"""Attacks of a comparison, and which samples are robust to them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from .._threat_model import ThreatModel
from ..attacks import BIM, FGSM, PGD, BaseAttack, WorstCase
from ..attacks._evaluation import choose_attack, open_samples, robust_mask
from ..certification._bounds import certified_mask, has_certifier
from ..differentiable import Model, open_model
from ..exceptions import BlackBoxWarning

__all__ = ["ATTACKS", "PAPER_ATTACKS", "PROVEN", "WORST", "attack_model"]

WORST, PROVEN = "worst case", "certified"
Mask = NDArray[np.bool_]
PAPER_ATTACKS: dict[str, BaseAttack] = {
    "FGSM": FGSM(),
    "BIM": BIM(max_iter=10),
    "C&W": PGD(loss="margin", random_start=False, max_iter=10),
}
ATTACKS = (*PAPER_ATTACKS, WORST)


def attack_model(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    eps: Sequence[float],
    *,
    seed: int,
    bounds: tuple[ArrayLike, ArrayLike] | None,
    attacks: Mapping[str, BaseAttack] = PAPER_ATTACKS,
    worst: bool = True,
    certify: bool | None = None,
    known: Mapping[str, Mask] | None = None,
) -> Iterator[dict[str, Mask]]:
    """Attack a model with growing strength.

    Parameters
    ----------
    estimator : fitted classifier, module of logits, or Model
        What to attack.
    X : array of shape (n_samples, ...)
        Clean samples.
    y : array of shape (n_samples,)
        True labels.
    eps : sequence of float
        Strengths, ascending.
    seed : int
        Seed of the random starts.
    bounds : (low, high) or None
        Box of the data.
    attacks : dict of str to attack
        The single attacks; their eps, bounds and seed are set here.
    worst : bool, default=True
        Whether to find the worst case too.
    certify : bool, default=None
        Whether to prove which samples no attack can change. None does so for classifiers whose
        class has a certifier of its own.
    known : dict of str to bool array, default=None
        Masks at the strength before the first.

    Yields
    ------
    masks : dict of str to bool array of shape (n_samples,)
        For each strength, which samples each attack leaves correctly classified. Those of the
        worst case are robust, at this strength and at all smaller ones, to the attacks here and
        to PGD with 40 steps on three losses. A model without a gradient has only a worst case:
        an exact search of trees, or one by scores.
    """
    model = open_model(estimator, X)
    X, codes = open_samples(model, X, y)
    correct = model.predict_codes(X) == codes
    alive = proven = correct
    if known:
        alive, proven = known.get(WORST, correct), known.get(PROVEN, correct)
    attacks, strongest = (attacks, WorstCase()) if model.differentiable else ({}, _search(model))
    proves = has_certifier(model) if certify is None else certify

    def left(attack: BaseAttack, radius: float, rows: Mask) -> Mask:
        attack = clone(attack).set_params(eps=float(radius), bounds=bounds, random_state=seed)
        return robust_mask(model, X, codes, attack, correct=rows)

    for radius in eps:
        masks = {name: left(attack, radius, correct) for name, attack in attacks.items()}
        if worst:
            alive = np.logical_and.reduce([alive, *masks.values()])
            alive = masks[WORST] = left(strongest, radius, alive)
        if proves:
            rows = np.logical_and.reduce([proven, *masks.values()])
            proven = masks[PROVEN] = _prove(model, X, codes, float(radius), bounds, rows)
        yield masks


def _search(model: Model) -> BaseAttack:
    """Return the attack on a model without a gradient."""
    with warnings.catch_warnings():  # the report has its own words for it
        warnings.simplefilter("ignore", BlackBoxWarning)
        return choose_attack(None, model)


def _prove(
    model: Model,
    X: NDArray[np.float32],
    codes: NDArray[np.int64],
    eps: float,
    bounds: tuple[ArrayLike, ArrayLike] | None,
    rows: Mask,
) -> Mask:
    """Which of some samples are proven to keep their class; what no attack left needs no proof."""
    proven = np.array(rows)
    if rows.any():
        threat = ThreatModel(eps, bounds=bounds).on(X)
        proven[rows] = certified_mask(model, X[rows], codes[rows], threat)
    return proven
