"""How much an attack changes the features of every layer."""

import numpy as np

from ...attacks import PGD
from ...spectral import feature_change_report
from ._common import NotShown, plain, some_rows

__all__ = ["CHANGES", "changes"]

_N_SAMPLES = 200
CHANGES = ("adversarial_relative", "random_relative", "anisotropy")


def changes(results, data, nets):
    """Compare what one attack changes in each layer with what noise of its length does."""
    seed = results["settings"]["seed"]
    rows = some_rows(len(data.X_test), _N_SAMPLES, seed)
    X, y = data.X_test[rows], data.y_test[rows]
    attack = PGD(eps=results["verdict_eps"], bounds=data.bounds, random_state=seed)
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
        "eps": results["verdict_eps"],
        "nets": {
            name: {change: plain(np.asarray(report[change])) for change in CHANGES}
            for name, report in reports.items()
        },
    }
    return facts, {}
