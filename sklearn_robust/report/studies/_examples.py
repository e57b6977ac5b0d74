"""Adversarial images, or decision regions in a plane."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...attacks import WorstCase
from .._attack import WORST
from .._data import Data
from .._results import Results
from ._common import telling_rows

__all__ = ["add_examples"]

_N_EXAMPLES = 4
_GRID = 240  # points along each side of a plane of decision regions
_MARGIN = 0.08  # of a plane around the data, as a share of their range


def add_examples(results: Results, data: Data, nets: dict[str, Any]) -> None:
    """Add adversarial images, or decision regions where samples are points of a plane.

    Parameters
    ----------
    results : Results
        Receives "examples" or "regions", and their arrays.
    data : Data
        Data of the comparison; rows of more than two features have no figure.
    nets : dict of str to net
        Nets that were attacked.
    """
    add = {"image": _add_images, "plane": _add_regions}.get(data.kind)
    if add is not None and nets:
        add(results, data, nets)


def _add_images(results: Results, data: Data, nets: dict[str, Any]) -> None:
    rows = telling_rows(results, data, nets, _N_EXAMPLES)
    if not len(rows):
        return
    X, y = data.X_test[rows], data.y_test[rows]
    attack = WorstCase(
        eps=results["summary_eps"], bounds=data.bounds, random_state=results["settings"]["seed"]
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
        "eps": results["summary_eps"],
        "nets": found,
    }


def _add_regions(results: Results, data: Data, nets: dict[str, Any]) -> None:
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
        "eps": results["summary_eps"],
        "attack": WORST,
    }
