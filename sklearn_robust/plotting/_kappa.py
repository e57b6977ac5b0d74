"""Steps of an attack before it fools a sample, and samples in the plane of the logits."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone

from .. import _validation as check
from ..attacks import PGD, BaseAttack
from ..nets._reweighting import KappaObserver, check_one_run

__all__ = ["attack_of", "count_steps", "plane"]

CHUNK = 256


def attack_of(estimator: Any, attack: BaseAttack | None, X: NDArray[Any]) -> BaseAttack:
    """One run of gradient steps, with the box of all the data."""
    if attack is None:
        own = getattr(estimator, "attack_", None)
        attack = PGD(random_state=0) if own is None else own
    attack = clone(attack)
    check_one_run("GeometryDisplay", "counts kappa", attack)
    attack.bounds_ = check.check_bounds(attack.bounds, X)
    return attack


def count_steps(
    view: Any, attack: BaseAttack, X: NDArray[Any], codes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Count kappa (n,) and ask for the clean logits (n, n_classes) of each sample."""
    kappa, logits = [], []
    for start in range(0, len(X), CHUNK):
        x = view.tensor(X[start : start + CHUNK])
        y = torch.as_tensor(codes[start : start + CHUNK], device=x.device)
        path = KappaObserver(y)
        attack.perturb(view, x, y, observe=path)
        kappa.append(path.kappa.cpu())
        with torch.no_grad():
            logits.append(view(x).cpu())
    return torch.cat(kappa).long().numpy(), torch.cat(logits).double().numpy()


def plane(logits: NDArray[np.float64], first: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Coordinates along the two directions of greatest variance; the ``first`` lie left."""
    centred = logits - logits.mean(0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    points = centred @ directions[:2].T
    if sizes[1] <= 1e-9 * sizes[0]:  # two logits that mirror each other: the rest is rounding
        points[:, 1] = 0
    points[:, 0] *= -1 if points[first, 0].sum() > 0 else 1
    points[:, 1] *= -1 if points[np.abs(points[:, 1]).argmax(), 1] < 0 else 1
    return points
