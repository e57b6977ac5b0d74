"""Attacks of a comparison, and which samples are robust to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from ..attacks import BIM, FGSM, PGD, BaseAttack, WorstCase
from ..attacks._evaluation import open_samples, robust_mask
from ..differentiable import open_model

__all__ = ["ATTACKS", "PAPER_ATTACKS", "WORST", "attack_net"]

WORST = "worst case"
PAPER_ATTACKS: dict[str, BaseAttack] = {
    "FGSM": FGSM(),
    "BIM": BIM(max_iter=10),
    "C&W": PGD(loss="margin", random_start=False, max_iter=10),
}
ATTACKS = (*PAPER_ATTACKS, WORST)


def attack_net(
    net: Any,
    X: ArrayLike,
    y: ArrayLike,
    eps: Sequence[float],
    *,
    seed: int,
    bounds: tuple[ArrayLike, ArrayLike] | None,
    attacks: Mapping[str, BaseAttack] = PAPER_ATTACKS,
    worst: bool = True,
) -> Iterator[dict[str, NDArray[np.bool_]]]:
    """Attack a net with growing strength.

    Parameters
    ----------
    net : fitted classifier
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

    Yields
    ------
    masks : dict of str to bool array of shape (n_samples,)
        For each strength, which samples each attack leaves correctly classified. Those of the
        worst case are robust, at this strength and at all smaller ones, to the attacks here and
        to PGD with 40 steps on three losses.
    """
    model = open_model(net, X)
    X, codes = open_samples(model, X, y)
    correct = model.predict_codes(X) == codes
    alive = correct.copy()

    def left(attack: BaseAttack, radius: float, rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
        attack = clone(attack).set_params(eps=float(radius), bounds=bounds, random_state=seed)
        return robust_mask(model, X, codes, attack, correct=rows)

    for radius in eps:
        masks = {name: left(attack, radius, correct) for name, attack in attacks.items()}
        if worst:
            alive = np.logical_and.reduce([alive, *masks.values()])
            alive = masks[WORST] = left(WorstCase(), radius, alive)
        yield masks
