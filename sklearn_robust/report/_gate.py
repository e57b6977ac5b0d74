"""A gate for a build: demands on the evidence of an audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ..metrics._assert_robust import drop_test, why_not_robust
from ._evidence import unpack
from ._settings import BadInput

__all__ = ["Demand", "compare_evidence", "judge", "write_junit"]


@dataclass(frozen=True)
class Demand:
    """One demand, whether it is met, and what was found."""

    name: str
    passed: bool
    said: str


def compare_evidence(baseline: Mapping[str, Any], found: Mapping[str, Any], path: str) -> None:
    """Refuse a baseline that is about other samples or another threat.

    Parameters
    ----------
    baseline, found : dict
        Evidence.
    path : str
        File of the baseline, for the message.

    Raises
    ------
    BadInput
        With the first difference.
    """
    pairs = {
        "norm": ("threat", "norm"),
        "eps": ("threat", "eps"),
        "bounds": ("threat", "bounds"),
        "mask": ("threat", "mask"),
        "integer": ("threat", "integer"),
        "number of samples": ("data", "n_samples"),
        "samples or labels (SHA-256)": ("data", "sha256"),
    }
    for name, (part, key) in pairs.items():
        before, now = baseline[part][key], found[part][key]
        if before != now:
            raise BadInput(
                f"the baseline {path} cannot be compared, since its {name} differs: "
                f"{before!r:.60} there, {now!r:.60} here; write it again with --json."
            )


def judge(
    found: Mapping[str, Any],
    *,
    at_least: float | None = None,
    baseline: Mapping[str, Any] | None = None,
    by: str = "attacked",
    alpha: float = 0.05,
    allow_black_box: bool = False,
) -> list[Demand]:
    """Hold evidence against demands.

    Parameters
    ----------
    found : dict
        Evidence.
    at_least : float, default=None
        Robust accuracy that is asked for.
    baseline : dict, default=None
        Earlier evidence on the same samples, from which robust accuracy must not drop.
    by : {"attacked", "certified"}, default="attacked"
        Number to judge.
    alpha : float, default=0.05
        Share of false alarms of the comparison with the baseline.
    allow_black_box : bool, default=False
        Whether to accept the number of a model without a gradient.

    Returns
    -------
    demands : list of Demand
        Each with what was found. A certified number needs no trust in an attack.
    """
    accuracy = found["accuracy"]
    if accuracy[by] is None:
        raise BadInput(
            f"no certified robust accuracy is known for {found['model']['name']} here: leave out "
            "--by certified."
        )
    low, high = accuracy[f"{by}_interval"]
    numbers = {
        "worst_case": accuracy[by],
        "interval": (low, high),
        "n_samples": found["data"]["n_samples"],
        "warnings": found["verdict"]["signs"],
    }
    reasons = why_not_robust(numbers, at_least or 0.0, allow_black_box=allow_black_box)
    demands = []
    if at_least is not None:
        said = f"{accuracy[by]:.1%} of {numbers['n_samples']:,} samples, {at_least:.1%} asked for"
        said = reasons.get("robust accuracy", said)
        demands.append(Demand("robust accuracy", "robust accuracy" not in reasons, said))
    if baseline is not None:
        demands.append(_no_drop(baseline, found, by, alpha))
    if by == "attacked":
        said = reasons.get("trust", "no sign of gradient masking")
        if "trust" not in reasons and numbers["warnings"]:
            said = "an upper bound from scores alone, accepted by --allow-black-box"
        demands.append(Demand("trust", "trust" not in reasons, said))
    return demands


def _no_drop(
    baseline: Mapping[str, Any], found: Mapping[str, Any], by: str, alpha: float
) -> Demand:
    n = found["data"]["n_samples"]
    before, after = baseline["samples"][by], found["samples"][by]
    if before is None:
        raise BadInput("the baseline holds no certified samples: write it again with --json.")
    lost, won, p_value = drop_test(unpack(before, n), unpack(after, n))
    old, new = baseline["accuracy"][by], found["accuracy"][by]
    said = (
        f"{old:.1%} before, {new:.1%} now; {lost} samples lost and {won} won (exact McNemar test, "
        f"p = {p_value:.2g})"
    )
    return Demand("no drop against the baseline", p_value >= alpha, said)


def write_junit(demands: Sequence[Demand], path: Path) -> None:
    """Write the outcome as JUnit XML, which builds know how to show.

    Parameters
    ----------
    demands : list of Demand
        As of :func:`judge`.
    path : pathlib.Path
        File to write.
    """
    failed = [demand for demand in demands if not demand.passed]
    suite = ElementTree.Element(
        "testsuite",
        name="sklearn-robust check",
        tests=str(len(demands)),
        failures=str(len(failed)),
        errors="0",
    )
    for demand in demands:
        case = ElementTree.SubElement(
            suite, "testcase", classname="sklearn_robust.check", name=demand.name
        )
        if demand.passed:
            ElementTree.SubElement(case, "system-out").text = demand.said
        else:
            ElementTree.SubElement(case, "failure", message=demand.said).text = demand.said
    ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
