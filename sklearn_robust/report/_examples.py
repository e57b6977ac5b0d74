"""What an attack does to single samples, for the eye."""

import numpy as np

from ..attacks import WorstCase
from ._attack import WORST
from .studies._common import telling_rows

__all__ = ["add_examples"]

_N_EXAMPLES = 4
_GRID = 240  # points a side of a plane of decision regions
_MARGIN = 0.08  # of a plane around the data, as a share of their range


def add_examples(results, data, nets):
    """Add adversarial images, or decision regions where samples are points of a plane.

    Parameters
    ----------
    results : Results
        Gets "examples" or "regions", and the arrays that belong to them.
    data : Data
        The data; rows of more than two features are shown in no figure.
    nets : dict of str to net
        The nets that were attacked.
    """
    add = {"image": _add_images, "plane": _add_regions}.get(data.kind)
    if add is not None and nets:
        add(results, data, nets)


def _add_images(results, data, nets):
    rows = telling_rows(results, data, nets, _N_EXAMPLES)
    if not len(rows):
        return
    X, y = data.X_test[rows], data.y_test[rows]
    attack = WorstCase(
        eps=results["verdict_eps"], bounds=data.bounds, random_state=results["settings"]["seed"]
    )
    found = {}
    for name, net in nets.items():
        X_adv = attack.evaluate(net, X, y).X_adv
        proba = net.predict_proba(X_adv)
        found[name] = {
            "predicted": [data.name_of(label) for label in net.predict(X_adv).tolist()],
            "confidence": [float(p) for p in proba.max(1)],
            "fooled": [bool(wrong) for wrong in net.predict(X_adv) != y],
        }
        results.arrays[f"examples/{name}"] = X_adv
    results.arrays["examples/clean"] = X
    results.plain["examples"] = {
        "rows": rows.tolist(),
        "labels": [data.name_of(label) for label in y.tolist()],
        "eps": results["verdict_eps"],
        "nets": found,
    }


def _add_regions(results, data, nets):
    low, high = data.X_test.min(0), data.X_test.max(0)
    low, high = low - _MARGIN * (high - low), high + _MARGIN * (high - low)
    axes = [np.linspace(*ends, _GRID, dtype=np.float32) for ends in zip(low, high, strict=True)]
    plane = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    for name, net in nets.items():
        codes = np.searchsorted(net.classes_, net.predict(plane))
        results.arrays[f"regions/{name}"] = codes.astype(np.uint8).reshape(_GRID, _GRID)
    results.arrays["regions/points"] = data.X_test
    results.arrays["regions/codes"] = np.searchsorted(np.unique(data.y_train), data.y_test)
    results.plain["regions"] = {
        "extent": [float(end) for pair in zip(low, high, strict=True) for end in pair],
        "eps": results["verdict_eps"],
        "attack": WORST,
    }
