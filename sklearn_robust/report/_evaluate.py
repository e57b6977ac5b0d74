"""Attack one saved classifier."""

import zipfile
from pathlib import Path

import numpy as np

from .._validation import check_sample_shape, encode_labels
from ..attacks import PGD
from ..differentiable import as_module
from ..exceptions import NotDifferentiableError
from ..nets import load_net
from ._attack import PAPER_ATTACKS, WORST, attack_net
from ._data import load_data
from ._errors import BadInput, blame_input

__all__ = ["CHOICES", "evaluate", "load_classifier"]

CHOICES = {
    "worst": PAPER_ATTACKS,
    "pgd": {"PGD": PGD(max_iter=40)},
    "fgsm": {"FGSM": PAPER_ATTACKS["FGSM"]},
    "bim": {"BIM": PAPER_ATTACKS["BIM"]},
    "cw": {"C&W": PAPER_ATTACKS["C&W"]},
}


def load_classifier(path, *, trust_pickle=False, device="auto"):
    """Read a classifier from a file.

    Parameters
    ----------
    path : str
        A file written by ``net.save``; or, if trusted, by ``joblib.dump`` or ``pickle.dump``.
    trust_pickle : bool, default=False
        Whether to unpickle a file, which may run any code that it holds.
    device : str, default="auto"
        Where a net computes.

    Returns
    -------
    estimator : fitted classifier
        The classifier.

    Raises
    ------
    BadInput
        If there is none in the file, or none that may be read.
    """
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
    if not hasattr(estimator, "predict"):
        raise BadInput(f"{path} holds a {type(estimator).__name__}, not a fitted classifier.")
    return estimator


def evaluate(path, data, *, eps=None, attack="worst", trust_pickle=False, device="auto", **part):
    """Attack a saved classifier on the test part of a data set.

    Parameters
    ----------
    path : str
        The file.
    data : str
        Name of a data set, or a ``.npz`` file.
    eps : sequence of float, default=None
        Strengths; None takes those usual for the data.
    attack : {"worst", "pgd", "fgsm", "bim", "cw"}, default="worst"
        What to attack with; "worst" runs all of a comparison and finds their worst case.
    trust_pickle : bool, default=False
        Whether the file may be a pickle.
    device : str, default="auto"
        Where a net computes.
    **part
        ``seed``, ``samples`` and ``data_home``, as for :func:`load_data`.

    Returns
    -------
    result : dict
        Plain data: "net", "data", "n_samples", "seed", "natural", "eps", and "accuracy" with one
        list for each attack.
    """
    model = load_classifier(path, trust_pickle=trust_pickle, device=device)
    data = load_data(data, **part)
    X, y = data.X_test, data.y_test
    eps = sorted(set(eps or data.eps or ()))
    if not eps:
        raise BadInput("there are no usual strengths for these data; give some, --eps 0.1 say.")
    with blame_input(ValueError, NotDifferentiableError):
        view = as_module(model)
        check_sample_shape(X, view.input_shape, view.name)
        natural = float(np.mean(model.predict(X) == y))
        encode_labels(y, model.classes_, view.name)
    rounds = attack_net(
        model,
        X,
        y,
        eps,
        seed=part.get("seed", 0),
        bounds=data.bounds,
        attacks=CHOICES[attack],
        worst=attack == "worst",
    )
    accuracy = {name: [] for name in (*CHOICES[attack], *([WORST] if attack == "worst" else []))}
    for masks in rounds:
        for name, mask in masks.items():
            accuracy[name].append(float(np.mean(mask)))
    return {
        "net": type(model).__name__,
        "data": data.title,
        "n_samples": len(X),
        "seed": part.get("seed", 0),
        "norm": "linf",
        "natural": natural,
        "eps": eps,
        "accuracy": accuracy,
    }
