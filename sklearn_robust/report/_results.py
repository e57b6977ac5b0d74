"""Results of a comparison as plain data, and the statistics of their summary."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from ._attack import PROVEN, WORST

__all__ = ["Results", "interval", "sign_test", "summarize"]

_SIGNIFICANT = 0.05


@dataclass
class Results:
    """Results of a comparison: everything that a report shows.

    Attributes
    ----------
    plain : dict
        Numbers, strings, lists and dicts, as ``results.json`` holds them.
    arrays : dict of str to array
        Large arrays, as ``arrays.npz`` holds them.
    """

    plain: dict[str, Any]
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)

    def __getitem__(self, key: str) -> Any:
        return self.plain[key]

    def get(self, key: str, default: Any = None) -> Any:
        """Return a plain result, or ``default`` where there is none."""
        return self.plain.get(key, default)

    @property
    def judged(self) -> list[str]:
        """Names of the nets and models whose natural accuracy is known."""
        return [name for name, net in self["nets"].items() if "natural" in net]

    @property
    def trained(self) -> list[str]:
        """Names of the nets that finished training."""
        return [name for name in self.judged if "training" in self["nets"][name]]

    @property
    def attacked(self) -> list[str]:
        """Names of the nets and models attacked with every strength of the tables."""
        n = 1 + max(self.place(eps) for eps in self["eps"])
        return [name for name in self.judged if len(self.curve(name)) >= n]

    @property
    def white_box(self) -> list[str]:
        """Names of those of :attr:`attacked` that were attacked by their gradients."""
        nets = self["nets"]
        return [name for name in self.attacked if nets[name].get("kind") != "black box"]

    def is_bound(self, name: str, eps: float | None = None) -> bool:
        """Whether a worst case is only an upper bound: found without gradients, and not exact.

        ``eps`` is a strength; None asks whether this is so at any strength of the tables.
        """
        if self["nets"][name].get("kind") != "black box":
            return False
        radii = self["eps"] if eps is None else [eps]
        return any(
            self.accuracy(name, WORST, radius) != self.accuracy(name, PROVEN, radius)
            for radius in radii
        )

    def place(self, eps: float) -> int:
        """Index of a strength among all radii."""
        return int(np.argmin(np.abs(np.subtract(self["radii"], eps))))

    def curve(self, name: str, attack: str = WORST) -> list[float]:
        """Accuracies of a net under an attack, one for each radius that was reached."""
        return self["nets"][name]["attacks"].get(attack, [])

    def accuracy(self, name: str, attack: str, eps: float) -> Any:
        """Accuracy of a net under an attack of strength ``eps``; None if it was not reached."""
        curve = self.curve(name, attack)
        place = self.place(eps)
        return curve[place] if place < len(curve) else None

    def mask(self, name: str, eps: float, attack: str = WORST) -> NDArray[np.bool_]:
        """Mask (n_samples,) of the samples that are correct under the attack."""
        return self.arrays[f"{name}/{attack}"][self.place(eps)]


def interval(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval (low, high) of a share of ``n`` samples."""
    found = binomtest(round(share * n), n).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


def sign_test(better: NDArray[np.bool_], worse: NDArray[np.bool_]) -> tuple[int, int, float]:
    """Compare two nets on the same samples.

    Parameters
    ----------
    better, worse : bool arrays of shape (n_samples,)
        Samples that each net classifies correctly under attack.

    Returns
    -------
    wins, losses : int
        Numbers of samples that only the first, and only the second net keeps.
    p_value : float
        Probability of so uneven a split by chance (exact, two-sided).
    """
    wins, losses = int(np.sum(better & ~worse)), int(np.sum(worse & ~better))
    p_value = binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    return wins, losses, float(p_value)


def summarize(results: Results) -> dict[str, Any] | None:
    """Find the most robust net, and whether its lead is more than chance.

    Parameters
    ----------
    results : Results
        Results of the comparison.

    Returns
    -------
    summary : dict or None
        "eps", "ranking" (names, best first; those whose number is only an upper bound come last),
        "accuracy" and "interval" of the first, and against the second, if it is no such bound,
        "wins", "losses", "p_value" and "clear"; None if no net was attacked.
    """
    if not results.attacked:
        return None
    eps = results["summary_eps"]
    score = {name: results.accuracy(name, WORST, eps) for name in results.attacked}
    ranking = sorted(score, key=lambda name: (results.is_bound(name, eps), -score[name]))
    best = ranking[0]
    summary: dict[str, Any] = {
        "eps": eps,
        "ranking": ranking,
        "accuracy": score[best],
        "interval": interval(score[best], results["data"]["n_test"]),
    }
    if len(ranking) > 1 and not results.is_bound(ranking[1], eps):
        wins, losses, p_value = sign_test(*(results.mask(name, eps) for name in ranking[:2]))
        summary |= {"wins": wins, "losses": losses, "p_value": p_value}
        summary["clear"] = p_value < _SIGNIFICANT
    return summary
