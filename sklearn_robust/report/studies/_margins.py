"""Margins, confidence and the gaps between train and test."""

import numpy as np

from ...spectral import margin_report
from ._common import plain, some_rows

__all__ = ["margins"]

_N_SAMPLES = 2000  # of the train and of the test part
_N_ATTACKED = 500  # test samples whose distance to the boundary is searched
_TAU = 0.1


def margins(results, data, nets):
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
    facts = {
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


def _numbers(train, test, distance):
    sides = {"train": train, "test": test}
    numbers = {}
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
