"""Attack on one saved classifier."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validation as check
from .._validation import check_sample_shape, encode_labels
from ..attacks import PGD, AutoAttack
from ..differentiable import open_model
from ..exceptions import NotDifferentiableError
from ..metrics._report_text import verdict_of
from ._attack import PAPER_ATTACKS, PROVEN, attack_model
from ._data import load_data
from ._models import load_classifier
from ._settings import BadInput, blame_input

__all__ = ["CHOICES", "evaluate"]

CHOICES: dict[str, dict[str, Any]] = {
    "worst": PAPER_ATTACKS,
    "pgd": {"PGD": PGD(max_iter=40)},
    "fgsm": {"FGSM": PAPER_ATTACKS["FGSM"]},
    "bim": {"BIM": PAPER_ATTACKS["BIM"]},
    "cw": {"C&W": PAPER_ATTACKS["C&W"]},
    "autoattack": {"AutoAttack": AutoAttack()},
}


def evaluate(
    path: str,
    data: str,
    *,
    eps: Sequence[float] | None = None,
    attack: str = "worst",
    certify: bool = False,
    trust_pickle: bool = False,
    device: str = "auto",
    **part: Any,
) -> dict[str, Any]:
    """Attack a saved classifier on the test part of a data set.

    Parameters
    ----------
    path : str
        File of the classifier.
    data : str
        Name of a data set, or a ``.npz`` file.
    eps : sequence of float, default=None
        Strengths of the attack; None takes the usual ones for the data.
    attack : {"worst", "pgd", "fgsm", "bim", "cw", "autoattack"}, default="worst"
        Attack; "worst" runs all attacks of a comparison and finds their worst case.
    certify : bool, default=False
        Whether to prove a lower bound for any classifier, and not only for those whose class has
        a certifier of its own.
    trust_pickle : bool, default=False
        Whether the file may be a pickle.
    device : str, default="auto"
        Device that a net computes on.
    **part
        ``seed``, ``samples`` and ``data_home``, as for :func:`load_data`.

    Returns
    -------
    result : dict
        Plain data: "net", "data", "n_samples", "seed", "natural", "eps", "accuracy" with one
        list for each attack, and both sides: "certified" and "verdict" with one entry for each
        strength, or None where nothing was proven.
    """
    check.check_path("path", path)
    model = load_classifier(os.fspath(path), trust_pickle=trust_pickle, device=device)
    loaded = load_data(data, **part)
    X, y = loaded.X_test, loaded.y_test
    radii = _strengths(eps or loaded.eps)
    natural = _natural(model, X, y)
    rounds = attack_model(
        model,
        X,
        y,
        radii,
        seed=part.get("seed", 0),
        bounds=loaded.bounds,
        attacks=CHOICES[attack],
        worst=attack == "worst",
        certify=certify or None,
    )
    return {
        "net": type(model).__name__,
        "data": loaded.title,
        "n_samples": len(X),
        "seed": part.get("seed", 0),
        "norm": "linf",
        "natural": natural,
        "eps": radii,
        **_sides(rounds),
    }


def _strengths(eps: Sequence[float] | None) -> list[float]:
    """Strengths in their order."""
    if not eps:
        raise BadInput(
            "there are no usual strengths for these data; give some, such as --eps 0.1 0.2."
        )
    return sorted(set(eps))


def _natural(model: Any, X: NDArray[Any], y: NDArray[Any]) -> float:
    """Accuracy without an attack; a model that cannot be attacked by gradients is refused."""
    with blame_input(ValueError, NotDifferentiableError):
        opened = open_model(model)
        module = opened.module
        check_sample_shape(X, module.input_shape, module.name)
        codes = encode_labels(y, opened.classes_, module.name)
        return float(np.mean(opened.predict_codes(X) == codes))


def _sides(rounds: Iterable[dict[str, NDArray[np.bool_]]]) -> dict[str, Any]:
    """Accuracies that the attacks left, those that are proven, and both in words."""
    accuracy: dict[str, list[float]] = {}
    for masks in rounds:
        for name, mask in masks.items():
            accuracy.setdefault(name, []).append(float(np.mean(mask)))
    certified = accuracy.pop(PROVEN, None)
    verdict = certified and _verdicts(certified, accuracy)
    return {"accuracy": accuracy, "certified": certified, "verdict": verdict}


def _verdicts(certified: list[float], accuracy: dict[str, list[float]]) -> list[str]:
    """Both sides of the accuracy at each strength, in words."""
    upper = map(min, zip(*accuracy.values(), strict=True))
    return [verdict_of(*sides) for sides in zip(certified, upper, strict=True)]
