"""The attacks of a comparison, and which samples withstand them."""

import numpy as np
from sklearn.base import clone

from ..attacks import BIM, FGSM, PGD, WorstCase

__all__ = ["ATTACKS", "PAPER_ATTACKS", "WORST", "attack_net"]

WORST = "worst case"
PAPER_ATTACKS = {
    "FGSM": FGSM(),
    "BIM": BIM(max_iter=10),
    "C&W": PGD(loss="margin", random_start=False, max_iter=10),
}
ATTACKS = (*PAPER_ATTACKS, WORST)


def attack_net(net, X, y, eps, *, seed, bounds, attacks=PAPER_ATTACKS, worst=True):
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
        worst case withstand, at this strength and at all smaller ones, the attacks here and
        PGD with 40 steps on three losses.
    """
    alive = np.asarray(net.predict(X) == y)

    def left(attack, radius, rows):
        mask = np.zeros(len(X), dtype=bool)
        if rows.any():
            attack = clone(attack).set_params(eps=float(radius), bounds=bounds, random_state=seed)
            mask[rows] = ~attack.evaluate(net, X[rows], y[rows]).fooled
        return mask

    correct = alive.copy()
    for radius in eps:
        masks = {name: left(attack, radius, correct) for name, attack in attacks.items()}
        if worst:
            alive = np.logical_and.reduce([alive, *masks.values()])
            alive = masks[WORST] = left(WorstCase(), radius, alive)
        yield masks
