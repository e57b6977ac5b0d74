"""Words of a report on robustness."""

from __future__ import annotations

from typing import Any

from ._suggest_eps import describe_eps

__all__ = ["report_text", "verdict_of"]


def verdict_of(lower: float, upper: float) -> str:
    """Say in words how far the proven and the attacked accuracy are apart.

    Parameters
    ----------
    lower, upper : float
        Both sides.

    Returns
    -------
    verdict : str
        "exact", "within 0.8 points" or "between 0.39 and 0.78".
    """
    if lower == upper:
        return "exact"
    gap = 100 * (upper - lower)
    return f"within {gap:.1f} points" if gap <= 5 else f"between {lower:.2f} and {upper:.2f}"


def report_text(numbers: dict[str, Any], who: str) -> str:
    """Lines of a report: accuracies, classes, and whether to trust them."""
    width = max(24, *(len(name) for name in numbers["attacks"]))
    low, high = numbers["interval"]
    by_feature = numbers["eps_per_feature"]
    eps = describe_eps(numbers["eps"] if by_feature is None else by_feature)
    lines = [
        f"Robustness of {who}: {numbers['norm']} ball of eps = {eps}, "
        f"{numbers['n_samples']} samples",
        "",
        f"{'':<{width}}  accuracy",
        f"{'clean':<{width}}  {numbers['clean']:8.3f}",
        *(f"{name:<{width}}  {value:8.3f}" for name, value in numbers["attacks"].items()),
        f"{'worst case':<{width}}  {numbers['worst_case']:8.3f}   "
        f"(95 % interval {low:.3f} to {high:.3f})",
        *_certified_line(numbers, width),
        "",
        f"{'class':<{width}}  {'clean':>8}  {'worst':>8}  {'support':>8}",
        *(
            f"{label!s:<{width}}  {row['clean']:8.3f}  {row['worst_case']:8.3f}  "
            f"{row['support']:8d}"
            for label, row in numbers["per_class"].items()
        ),
        "",
    ]
    if numbers["verdict"] == "exact" and numbers["trusted"]:
        lines.append("Exact: the accuracy is proven, and no attack lowers it.")
    elif numbers["trusted"]:
        lines.append("No sign of gradient masking. A finite attack still finds an upper bound.")
    else:
        lines.append("Do not trust this number:")
        lines += [f"- {name}: {sign}" for name, sign in numbers["warnings"].items()]
    told = numbers["warnings"].values()
    lines += [f"Caveat: {caveat}" for caveat in numbers["caveats"] if caveat not in told]
    if numbers["certified"] and numbers["verdict"] != "exact":
        lines.append(f"The true accuracy is {_truth(numbers)}.")
    return "\n".join(lines)


def _certified_line(numbers: dict[str, Any], width: int) -> list[str]:
    """Line of the proven accuracy, where there is one."""
    certified = numbers["certified"]
    return [] if certified is None else [f"{'certified':<{width}}  {certified:8.3f}"]


def _truth(numbers: dict[str, Any]) -> str:
    """Where the true accuracy lies, by both sides."""
    low, high = numbers["certified"], numbers["worst_case"]
    sides = f"between {low:.3f} (proven) and {high:.3f} (attacked)"
    close = numbers["verdict"].startswith("within")
    return f"{numbers['verdict']} of the number, {sides}" if close else sides
