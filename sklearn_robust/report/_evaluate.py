"""Attack on one saved classifier."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, is_classifier

from .._validation import check_path, check_sample_shape, encode_labels
from ..attacks import PGD
from ..differentiable import open_model
from ..exceptions import NotDifferentiableError
from ..nets import load_net
from ._attack import PAPER_ATTACKS, WORST, attack_net
from ._data import load_data
from ._settings import BadInput, blame_input

__all__ = ["CHOICES", "evaluate", "load_classifier"]

CHOICES: dict[str, dict[str, Any]] = {
    "worst": PAPER_ATTACKS,
    "pgd": {"PGD": PGD(max_iter=40)},
    "fgsm": {"FGSM": PAPER_ATTACKS["FGSM"]},
    "bim": {"BIM": PAPER_ATTACKS["BIM"]},
    "cw": {"C&W": PAPER_ATTACKS["C&W"]},
}


def load_classifier(path: str, *, trust_pickle: bool = False, device: str = "auto") -> Any:
    """Read a classifier from a file.

    Parameters
    ----------
    path : str
        File written by ``net.save`` or, if trusted, by ``joblib.dump`` or ``pickle.dump``.
    trust_pickle : bool, default=False
        Whether to unpickle a file, which may run any code that it holds.
    device : str, default="auto"
        Device that a net computes on.

    Returns
    -------
    estimator : fitted classifier
        Classifier of the file.

    Raises
    ------
    BadInput
        If the file holds no classifier, or may not be read.
    """
    try:
        check_path("path", path)
    except ValueError as error:
        raise BadInput(str(error)) from None
    if not Path(path).is_file():
        raise BadInput(f"there is no file {path}; give one written by net.save(path).")
    if zipfile.is_zipfile(path):
        with blame_input(ValueError, TypeError, OSError, RuntimeError):
            return load_net(path, device=device)
    if not trust_pickle:
        raise BadInput(
            f"{path} is not a net written by net.save; if it is a pickle or joblib file that you "
            "trust to run code, add --trust-pickle."
        )
    import joblib

    try:
        estimator = joblib.load(path)
    except Exception as error:  # a damaged pickle may fail in any way
        raise BadInput(f"{path} cannot be unpickled ({error}).") from error
    if not (isinstance(estimator, BaseEstimator) and is_classifier(estimator)):
        raise BadInput(f"{path} holds a {type(estimator).__name__}, not a fitted classifier.")
    return estimator


def evaluate(
    path: str,
    data: str,
    *,
    eps: Sequence[float] | None = None,
    attack: str = "worst",
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
    attack : {"worst", "pgd", "fgsm", "bim", "cw"}, default="worst"
        Attack; "worst" runs all attacks of a comparison and finds their worst case.
    trust_pickle : bool, default=False
        Whether the file may be a pickle.
    device : str, default="auto"
        Device that a net computes on.
    **part
        ``seed``, ``samples`` and ``data_home``, as for :func:`load_data`.

    Returns
    -------
    result : dict
        Plain data: "net", "data", "n_samples", "seed", "natural", "eps", and "accuracy" with one
        list for each attack.
    """
    model = load_classifier(path, trust_pickle=trust_pickle, device=device)
    loaded = load_data(data, **part)
    X, y = loaded.X_test, loaded.y_test
    radii = sorted(set(eps or loaded.eps or ()))
    if not radii:
        raise BadInput(
            "there are no usual strengths for these data; give some, such as --eps 0.1 0.2."
        )
    with blame_input(ValueError, NotDifferentiableError):
        opened = open_model(model)
        module = opened.module
        check_sample_shape(X, module.input_shape, module.name)
        codes = encode_labels(y, opened.classes_, module.name)
        natural = float(np.mean(opened.predict_codes(X) == codes))
    rounds = attack_net(
        model,
        X,
        y,
        radii,
        seed=part.get("seed", 0),
        bounds=loaded.bounds,
        attacks=CHOICES[attack],
        worst=attack == "worst",
    )
    names = (*CHOICES[attack], *([WORST] if attack == "worst" else []))
    accuracy: dict[str, list[float]] = {name: [] for name in names}
    for masks in rounds:
        for name, mask in masks.items():
            accuracy[name].append(float(np.mean(mask)))
    return {
        "net": type(model).__name__,
        "data": loaded.title,
        "n_samples": len(X),
        "seed": part.get("seed", 0),
        "norm": "linf",
        "natural": natural,
        "eps": radii,
        "accuracy": accuracy,
    }
