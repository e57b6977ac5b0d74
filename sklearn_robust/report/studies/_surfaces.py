"""Decision surfaces, gradients and indicators of the nets."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import spearmanr

from ...metrics import input_jacobian, robustness_indicator, taylor_radius
from ...plotting._jacobian_display import as_images
from ...plotting.surfaces._input_plane import compute_planes
from .._attack import WORST
from .._data import Data
from .._results import Results
from ._common import Found, NotShown, plain, some_rows, telling_rows, two_nets

__all__ = ["MEASURES", "indicators", "jacobians", "surface"]

_N_IMAGES = 6
_N_SAMPLES = 500  # test samples of the indicators

# Sign that the rank correlation of each indicator with robust accuracy should have.
MEASURES = {
    "jacobian": -1,
    "curvature": -1,
    "margin": 1,
    "jacobian_sparsity": 1,
    "hessian_sparsity": 1,
    "taylor_radius": 1,
}


def surface(results: Results, data: Data, nets: dict[str, Any]) -> Found:
    """Compute the decision function over one plane for two nets."""
    if data.kind == "plane":
        raise NotShown("samples have only two features, and their whole plane is shown above")
    rows = telling_rows(results, data, nets, 1)
    if not len(rows):
        raise NotShown("no test sample is classified correctly by all nets")
    names = two_nets(results, nets)
    planes = compute_planes(
        {name: nets[name] for name in names},
        data.X_test,
        data.y_test,
        index=int(rows[0]),
        random_state=results["settings"]["seed"],
    )
    facts: dict[str, Any] = {
        "row": int(rows[0]),
        "label": data.name_of(data.y_test[rows].tolist()[0]),
        "directions": list(planes[0]["directions"]),
        "norm": planes[0]["norm"],
        "nets": {},
    }
    for plane in planes:
        distances = zip(facts["directions"], plane["boundary_distances"], strict=True)
        facts["nets"][plane["name"]] = {f"distance, {d}": plain(far) for d, far in distances}
    arrays = {plane["name"]: plane["margin"] for plane in planes}
    return facts, {"xx0": planes[0]["xx0"], "xx1": planes[0]["xx1"], **arrays}


def jacobians(results: Results, data: Data, nets: dict[str, Any]) -> Found:
    """Find the gradient of every net at a few images."""
    if data.kind != "image":
        raise NotShown("samples are not images")
    rows = telling_rows(results, data, nets, _N_IMAGES)
    if not len(rows):
        raise NotShown("no test sample is classified correctly by all nets")
    X, y = data.X_test[rows], data.y_test[rows]
    low, high = min(float(X.min()), 0.0), max(float(X.max()), 1.0)
    arrays = {"images": (as_images(X) - low) / (high - low)}
    for name, net in nets.items():
        arrays[name] = as_images(input_jacobian(net, X, y))
    labels = [data.name_of(label) for label in y.tolist()]
    return {"rows": rows.tolist(), "labels": labels, "nets": {}}, arrays


def indicators(results: Results, data: Data, nets: dict[str, Any]) -> Found:
    """Measure gradient, curvature, margin and sparsity, and correlate them with robustness."""
    rows = some_rows(len(data.X_test), _N_SAMPLES, results["settings"]["seed"])
    X, y = data.X_test[rows], data.y_test[rows]
    found: dict[str, dict[str, Any]] = {}
    curvature_of = set()
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
        "eps": results["summary_eps"],
        "nets": found,
        "correlations": {measure: _correlation(results, found, measure) for measure in MEASURES},
    }
    return facts, {}


def _correlation(results: Results, found: dict[str, dict[str, Any]], measure: str) -> float | None:
    """Spearman's rank correlation with the worst case over the nets; None where there is none."""
    values = [found[name][measure] for name in found]
    worst = [results.accuracy(name, WORST, results["summary_eps"]) for name in found]
    if len(found) < 3 or None in values or min(map(len, (set(values), set(worst)))) < 2:
        return None
    return plain(spearmanr(values, worst).statistic)
