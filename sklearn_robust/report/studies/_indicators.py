"""The indicators of every net, and whether they rank the nets as the attacks do."""

import numpy as np
from scipy.stats import spearmanr

from ...metrics import robustness_indicator, taylor_radius
from .._attack import WORST
from ._common import plain, some_rows

__all__ = ["MEASURES", "indicators"]

_N_SAMPLES = 500

# Sign of the rank correlation with robust accuracy that would bear out the indicator.
MEASURES = {
    "jacobian": -1,
    "curvature": -1,
    "margin": 1,
    "jacobian_sparsity": 1,
    "hessian_sparsity": 1,
    "taylor_radius": 1,
}


def indicators(results, data, nets):
    """Measure gradient, curvature, margin and sparsity, and correlate them with robustness."""
    rows = some_rows(len(data.X_test), _N_SAMPLES, results["settings"]["seed"])
    X, y = data.X_test[rows], data.y_test[rows]
    found, curvature_of = {}, set()
    for name, net in nets.items():
        indicator = robustness_indicator(
            net, X, y, n_samples=None, random_state=results["settings"]["seed"]
        )
        radius = np.median(taylor_radius(net, X, y, norm=results["norm"]))
        curvature_of.add(indicator.curvature_of)
        found[name] = {name: plain(indicator[name]) for name in MEASURES if name in indicator}
        found[name]["taylor_radius"] = plain(radius)
    facts = {
        "n_samples": len(rows),
        "curvature_of": " and ".join(sorted(curvature_of)),
        "eps": results["verdict_eps"],
        "nets": found,
        "correlations": {measure: _correlation(results, found, measure) for measure in MEASURES},
    }
    return facts, {}


def _correlation(results, found, measure):
    """Spearman's rank correlation with the worst case over the nets, or None."""
    values = [found[name][measure] for name in found]
    worst = [results.accuracy(name, WORST, results["verdict_eps"]) for name in found]
    if len(found) < 3 or None in values or min(map(len, (set(values), set(worst)))) < 2:
        return None
    return plain(spearmanr(values, worst).statistic)
