"""Singular values of the layers of every net."""

import numpy as np

from ...spectral import layer_spectra
from ._common import NotShown, plain

__all__ = ["STATISTICS", "spectra"]

STATISTICS = ("std", "cv", "max", "min", "directional_gain_mean", "directional_gain_var")


def spectra(results, data, nets):
    """Sum up the singular values of all layers that have a matrix."""
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
