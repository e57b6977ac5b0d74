"""Gaps, margins, singular values and feature changes of the nets."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import Bunch

from ...attacks import PGD
from ...spectral import feature_change_report, layer_spectra, margin_report
from .._data import Data
from .._results import Results
from ._common import Found, NotShown, plain, some_rows

__all__ = ["CHANGES", "STATISTICS", "changes", "margins", "spectra"]

_N_SAMPLES = 2000  # of the train and of the test part, for the margins
_N_ATTACKED = 500  # test samples whose distance to the boundary is searched
_N_CHANGED = 200  # test samples whose features are compared
_TAU = 0.1
STATISTICS = ("std", "cv", "max", "min", "directional_gain_mean", "directional_gain_var")
CHANGES = (
    "adversarial_relative", "adversarial_relative_std", "random_relative", "random_relative_std",
    "anisotropy",
)  # fmt: skip


def margins(results: Results, data: Data, nets: dict[str, Any]) -> Found:
    """Measure both sides of the gap, the margins and the confidence of every net."""
    seed = results["settings"]["seed"]
    sides = {}
    for side, X, y in (
        ("train", data.X_train, data.y_train),
        ("test", data.X_test, data.y_test),
    ):
        rows = some_rows(len(X), _N_SAMPLES, seed)
        sides[side] = X[rows], y[rows]
    near = some_rows(len(data.X_test), _N_ATTACKED, seed)
    facts: dict[str, Any] = {
        "n_train": len(sides["train"][0]),
        "n_test": len(sides["test"][0]),
        "n_attacked": len(near),
        "tau": _TAU,
        "nets": {},
    }
    arrays = {}
    for name, net in nets.items():
        measured = {
            side: margin_report(net, *part, kinds=("output", "softmax"), tau=_TAU)
            for side, part in sides.items()
        }
        distance = margin_report(net, data.X_test[near], data.y_test[near], kinds="input")
        facts["nets"][name] = _numbers(measured["train"], measured["test"], distance)
        arrays[f"softmax/{name}"] = measured["test"].softmax
        arrays[f"distance/{name}"] = distance.input_upper
    return facts, arrays


def _numbers(train: Bunch, test: Bunch, distance: Bunch) -> dict[str, float | None]:
    """Gaps, margins and distances of one net as plain numbers."""
    sides = {"train": train, "test": test}
    numbers: dict[str, Any] = {}
    for side, report in sides.items():
        numbers[f"{side}_error"] = 1 - float(np.mean(report.correct))
        numbers[f"{side}_loss"] = float(np.mean(report.loss))
    for gap in ("error", "loss"):
        numbers[f"{gap}_gap"] = numbers[f"test_{gap}"] - numbers[f"train_{gap}"]
    softmax = test.summary.softmax
    numbers |= {
        "softmax_margin_mean": softmax.mean,
        "softmax_margin_std": softmax.std,
        "boundary_mass": softmax.near,
        "confidence": float(np.mean(test.confidence)),
        "confidence_right": test.right.confidence_mean,
        "confidence_wrong": test.wrong.confidence_mean,
        "distance_upper": float(np.median(distance.input_upper)),
        "distance_lower": float(np.median(distance.input_lower)),
    }
    return {name: plain(value) for name, value in numbers.items()}


def spectra(results: Results, data: Data, nets: dict[str, Any]) -> Found:
    """Summarise the singular values of all layers that have a matrix."""
    reports = {name: layer_spectra(net, data.X_test[:1]) for name, net in nets.items()}
    first = next(iter(reports.values()))
    if any(report.name != first.name for report in reports.values()):
        raise NotShown("the nets have different layers")
    rows = np.flatnonzero(first.n_values)
    if not len(rows):
        raise NotShown("no layer of the nets is a fixed linear map")
    facts = {
        "layers": [first.name[row] for row in rows],
        "methods": [first.method[row] for row in rows],
        "skipped": {
            name: note
            for name, note, n in zip(first.name, first.note, first.n_values, strict=True)
            if not n
        },
        "nets": {
            name: {statistic: plain(report[statistic][rows]) for statistic in STATISTICS}
            for name, report in reports.items()
        },
    }
    return facts, {}


def changes(results: Results, data: Data, nets: dict[str, Any]) -> Found:
    """Compare the change of each layer's features under an attack and under noise."""
    seed = results["settings"]["seed"]
    rows = some_rows(len(data.X_test), _N_CHANGED, seed)
    X, y = data.X_test[rows], data.y_test[rows]
    attack = PGD(eps=results["summary_eps"], bounds=data.bounds, random_state=seed)
    reports = {
        name: feature_change_report(net, X, y, attack=attack, random_state=seed)
        for name, net in nets.items()
    }
    first = next(iter(reports.values()))
    if any(report.name != first.name for report in reports.values()):
        raise NotShown("the nets have different layers")
    facts = {
        "layers": list(first.name),
        "n_samples": len(rows),
        "eps": results["summary_eps"],
        "nets": {
            name: {change: plain(np.asarray(report[change])) for change in CHANGES}
            for name, report in reports.items()
        },
    }
    return facts, {}
