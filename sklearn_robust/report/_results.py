"""The results of a comparison as plain data, and what follows from them."""

from dataclasses import dataclass, field

import numpy as np
from scipy.stats import binomtest

from ._attack import WORST

__all__ = ["Results", "interval", "judge", "sign_test"]

_SIGNIFICANT = 0.05


@dataclass
class Results:
    """Everything a report shows.

    Attributes
    ----------
    plain : dict
        Numbers, strings, lists and dicts, as ``results.json`` holds them.
    arrays : dict of str to array
        What is too large for that, as ``arrays.npz`` holds it.
    """

    plain: dict
    arrays: dict = field(default_factory=dict)

    def __getitem__(self, key):
        return self.plain[key]

    def get(self, key, default=None):
        """Return a plain result, or ``default`` where there is none."""
        return self.plain.get(key, default)

    @property
    def trained(self):
        """Names of the nets that finished training."""
        return [name for name, net in self["nets"].items() if "natural" in net]

    @property
    def attacked(self):
        """Names of the nets attacked with every strength of the tables."""
        n = 1 + max(self.place(eps) for eps in self["eps"])
        return [name for name in self.trained if len(self.curve(name)) >= n]

    def place(self, eps):
        """Index of a strength among all radii."""
        return int(np.argmin(np.abs(np.subtract(self["radii"], eps))))

    def curve(self, name, attack=WORST):
        """Accuracies of a net under an attack, one for each radius that was reached."""
        return self["nets"][name]["attacks"].get(attack, [])

    def accuracy(self, name, attack, eps):
        """Accuracy of a net under an attack of strength ``eps``, or None."""
        curve = self.curve(name, attack)
        place = self.place(eps)
        return curve[place] if place < len(curve) else None

    def mask(self, name, eps, attack=WORST):
        """Bool array (n_samples,): which samples withstand the attack."""
        return self.arrays[f"{name}/{attack}"][self.place(eps)]


def interval(share, n):
    """95 % interval (low, high) of a share of ``n`` samples, by Wilson's score."""
    found = binomtest(round(share * n), n).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


def sign_test(better, worse):
    """Compare two nets on the same samples.

    Parameters
    ----------
    better, worse : bool arrays of shape (n_samples,)
        Which samples each net keeps.

    Returns
    -------
    wins, losses : int
        Samples that the first alone, and the second alone, keeps.
    p_value : float
        How likely so uneven a split is by chance (exact, two-sided).
    """
    wins, losses = int(np.sum(better & ~worse)), int(np.sum(worse & ~better))
    p_value = binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    return wins, losses, float(p_value)


def judge(results):
    """Say which net is most robust, and whether its lead is more than chance.

    Parameters
    ----------
    results : Results
        With at least one attacked net.

    Returns
    -------
    verdict : dict
        "eps", "ranking" (names, best first), "accuracy" and "interval" of the first, and against
        the second "wins", "losses", "p_value" and "clear"; None if no net was attacked.
    """
    if not results.attacked:
        return None
    eps = results["verdict_eps"]
    score = {name: results.accuracy(name, WORST, eps) for name in results.attacked}
    ranking = sorted(score, key=lambda name: -score[name])
    best = ranking[0]
    verdict = {
        "eps": eps,
        "ranking": ranking,
        "accuracy": score[best],
        "interval": interval(score[best], results["data"]["n_test"]),
    }
    if len(ranking) > 1:
        wins, losses, p_value = sign_test(*(results.mask(name, eps) for name in ranking[:2]))
        verdict |= {"wins": wins, "losses": losses, "p_value": p_value}
        verdict["clear"] = p_value < _SIGNIFICANT
    return verdict
