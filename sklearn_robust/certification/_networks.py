"""Certifier of networks and of everything else that is differentiable: intervals, then CROWN."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._norms import get_norm
from ..differentiable import DifferentiableModel
from ..exceptions import NotBoundableError, NotDifferentiableError
from ._problem import Certificate, Problem
from ._registry import register_certifier
from ._relaxation.bounds import Bounds
from ._relaxation.graph import Graph, Ref, record
from ._relaxation.intervals import intervals, worst_logits
from ._relaxation.region import Region

__all__ = ["certify_network", "margin_bounds"]

_N_ROWS = 16  # samples bounded at once
_N_STEPS = 8  # of the slopes of ReLUs, where the first ones prove nothing
_ROUNDING = 16  # how much larger than those seen the errors of rounding may be
_SAME_ORDER = frozenset(["_log_softmax", "_softmax"])


@register_certifier(object)
def certify_network(problem: Problem) -> Certificate:
    """Prove what interval and linear bounds of the opened model prove.

    Parameters
    ----------
    problem : Problem
        Of any classifier that the package can open as a torch module.

    Returns
    -------
    certificate : Certificate
        Nothing is proven, and the note says why, where the model has no gradient or holds an
        operation that cannot be bounded.
    """
    try:
        module = problem.model.module.exact
    except NotDifferentiableError:
        return Certificate.nothing(
            problem,
            f"Nothing is proven of {type(problem.classifier).__name__}: no certifier knows it. "
            "Register one with sklearn_robust.certification.register_certifier: it has no "
            "differentiable model, whose bounds would serve.",
        )
    proven = np.zeros(len(problem.X), dtype=bool)
    try:
        for start in range(0, len(problem.X), _N_ROWS):
            rows = slice(start, start + _N_ROWS)
            proven[rows] = _proven(module, problem.part(rows))
    except NotBoundableError as error:
        return Certificate.nothing(
            problem, f"Nothing is proven of {module.name}: no bounds are known of {error}."
        )
    return Certificate(proven)


def _proven(module: DifferentiableModel, problem: Problem) -> NDArray[np.bool_]:
    """Which samples of a batch are proven; a batch whose bounds overflow is taken apart."""
    try:
        lower, noise = margin_bounds(module, problem, n_steps=_N_STEPS)
    except OverflowError:
        if len(problem.X) == 1:
            return np.zeros(1, dtype=bool)
        parts = [problem.part(slice(i, i + 1)) for i in range(len(problem.X))]
        return np.concatenate([_proven(module, part) for part in parts])
    return lower > noise


def margin_bounds(
    module: DifferentiableModel,
    problem: Problem,
    *,
    method: str = "crown",
    n_steps: int = 0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower bound of the margin of the true class over all others, on the whole threat model.

    Parameters
    ----------
    module : DifferentiableModel
        Computes in the dtype of its input.
    problem : Problem
        A few samples.
    method : {"crown", "ibp"}, default="crown"
        Backward linear bounds, or intervals alone.
    n_steps : int, default=0
        Steps that optimise the slopes of ReLUs (alpha-CROWN).

    Returns
    -------
    lower : array of shape (n_samples,)
        In the units of the logits.
    noise : array of shape (n_samples,)
        How far rounding in the estimator's own precision may move a margin.

    Raises
    ------
    NotBoundableError
        If the model holds an operation without known bounds.
    OverflowError
        If a bound is not finite.
    """
    x = torch.tensor(problem.X, device=module.device)
    with torch.no_grad():
        z = module(x)  # chooses how to compute in float64, before the record
        graph = _recorded(module, x, z)
    output = _logits_of(graph)
    region = _region_of(problem, x)
    codes = torch.as_tensor(problem.codes, device=x.device)
    noise = _noise(module, x, graph, output)
    with torch.no_grad():
        found = intervals(graph, region.low, region.high, output)
        lower = _interval_margin(worst_logits(graph, found, output, codes), codes)
        left = torch.arange(len(x), device=x.device)[~(lower > noise)]
    if method == "crown" and len(left):
        # The record holds the number of samples: the rest are recorded anew.
        part = _linear_margin(module, x[left], region.part(left), codes[left], noise[left], n_steps)
        lower[left] = torch.maximum(lower[left], part)
    return lower.cpu().numpy(), noise.cpu().numpy()


def _linear_margin(
    module: DifferentiableModel,
    x: Tensor,
    region: Region,
    codes: Tensor,
    noise: Tensor,
    n_steps: int,
) -> Tensor:
    """Smallest lower bound of the margins by backward linear bounds."""
    with torch.no_grad():
        graph = record(module, x)
        output = _logits_of(graph)
        bounds = Bounds(graph, region, output)
        a = _margins_of(codes, graph.value(output))
        lower = bounds.lower(output, a).amin(0)
    if n_steps and (lower <= noise).any():
        lower = torch.maximum(lower, bounds.optimised(output, a, n_steps).amin(0))
    return lower


def _margins_of(codes: Tensor, z: Tensor) -> Tensor:
    """Coefficients (n_classes - 1, n, n_classes) of the true logit minus each other one."""
    n, n_classes = z.shape
    others = torch.arange(1, n_classes, device=z.device)[:, None]
    others = (codes + others) % n_classes
    eye = torch.eye(n_classes, dtype=z.dtype, device=z.device)
    return eye[codes] - eye[others]


def _interval_margin(worst: Tensor, codes: Tensor) -> Tensor:
    lower = -worst.scatter(1, codes[:, None], -torch.inf).amax(1)
    return torch.where(torch.isfinite(lower), lower, -torch.inf)


def _recorded(module: DifferentiableModel, x: Tensor, z: Tensor) -> Graph:
    """Record of the model on a batch, checked on another batch against the model itself."""
    graph = record(module, x)
    for node in graph.nodes:
        low = [t for t in node.value if isinstance(t, Tensor) and t.is_floating_point()]
        if any(tensor.dtype != torch.float64 for tensor in low):
            raise NotBoundableError(f"{node.op} in less than float64, whatever the input's dtype")
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(x.shape, dtype=x.dtype, generator=generator).to(x.device)
    other = x + (noise - 0.5) * (x.abs().amax() / 4 + 1e-3)
    wanted, found = module(other), graph.replay(other)
    scale = wanted.abs().amax() + z.abs().amax()
    if not torch.allclose(wanted, found, rtol=0, atol=1e-9 * float(scale), equal_nan=True):
        raise NotBoundableError("a path through the network that depends on the data")
    return graph


def _logits_of(graph: Graph) -> Ref:
    """Node whose order of classes is that of the output: what a final softmax is applied to."""
    ref, logarithm = graph.output, False
    while True:
        node = graph.nodes[ref.node]
        if node.op in _SAME_ORDER and node.args[1] in (1, -1):
            return node.args[0]
        if node.op == "log" and not logarithm:
            logarithm, ref = True, node.args[0]
        elif node.op in ("clamp_min", "clamp") and logarithm:
            ref = node.args[0]
        else:
            return graph.output


def _region_of(problem: Problem, x: Tensor) -> Region:
    """Region of the problem: its box, and its ball where the norm has a dual."""
    low, high = (torch.as_tensor(end, device=x.device) for end in problem.limits)
    if not (torch.isfinite(low).all() and torch.isfinite(high).all()):
        raise NotBoundableError("a feature without limits: give bounds")
    norm = get_norm(problem.threat.norm)
    radius = torch.tensor(problem.radius, device=x.device)
    is_box = norm.name == "linf" or norm.dual is None or not torch.isfinite(radius).all()
    return Region(x, low, high) if is_box else Region(x, low, high, norm, radius)


def _noise(module: DifferentiableModel, x: Tensor, graph: Graph, output: Ref) -> Tensor:
    """Margin that rounding in float32 may eat, from what it does to the samples themselves."""
    z = graph.value(graph.output)
    with torch.no_grad():
        single = module(x.float()).double()
    seen = (single - z).abs().amax()
    size = graph.value(output).abs().amax(1)
    return _ROUNDING * (torch.where(seen.isfinite(), seen, torch.inf) + 1e-7 * size) + 1e-9
