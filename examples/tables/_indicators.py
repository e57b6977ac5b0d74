"""Indicators of a net, found without an attack, and how well each of them ranks several nets."""

import numpy as np
from scipy.stats import spearmanr

from sklearn_robust.metrics import robustness_indicator, taylor_radius

INDICATORS = (
    "jacobian",
    "curvature",
    "margin",
    "jacobian_sparsity",
    "hessian_sparsity",
    "taylor_radius",
)


def indicate(net, X, y):
    """Indicators by name: means over the samples, the radius a median."""
    found = robustness_indicator(net, X, y, n_samples=None, random_state=0)
    found["taylor_radius"] = np.median(taylor_radius(net, X, y))
    return {name: float(found[name]) for name in INDICATORS}


def print_rank_correlations(indicators, accuracy, what):
    """Say how each indicator orders the nets, against the accuracy that an attack leaves them.

    Parameters
    ----------
    indicators : list of dict
        What ``indicate`` found, one a net.
    accuracy : list of float
        Of the same nets.
    what : str
        The accuracy's name.
    """
    print(f"\nSpearman's rho of indicators and {what}, {len(accuracy)} nets:")
    for name in INDICATORS:
        values = [found[name] for found in indicators]
        constant = min(len(set(values)), len(set(accuracy))) < 2
        print(f"  {name}: {'-' if constant else format(spearmanr(values, accuracy)[0], '+.2f')}")
