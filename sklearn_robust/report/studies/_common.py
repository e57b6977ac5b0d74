"""What studies share: which nets and samples to look at, numbers that JSON can hold."""

import math

import numpy as np

__all__ = ["NotShown", "plain", "some_rows", "telling_rows", "two_nets"]

_NATURAL, _ROBUST = "NaturalNet", "MinMaxNet"


class NotShown(Exception):
    """Why there is nothing to show for these data or nets, as part of a sentence."""


def two_nets(results, names):
    """Names of a natural and a robust net, or of the only net.

    They are NaturalNet and MinMaxNet where these are at hand, else the last and the first of the
    ranking.
    """
    ranking = [name for name in results["verdict"]["ranking"] if name in names]
    natural = _NATURAL if _NATURAL in ranking else ranking[-1]
    robust = _ROBUST if _ROBUST in ranking else ranking[0]
    if robust == natural:
        robust = ranking[0]
    return list(dict.fromkeys([natural, robust]))


def telling_rows(results, data, names, n):
    """First samples of different classes that all nets know; those that divide them go first."""
    known = np.logical_and.reduce([results.arrays[f"{name}/natural"] for name in names])
    kept = np.sum([results.mask(name, results["verdict_eps"]) for name in names], axis=0)
    divided = (kept > 0) & (kept < len(names))
    rows = np.flatnonzero(known)
    rows = rows[np.argsort(~divided[rows], kind="stable")]
    _, first = np.unique(data.y_test[rows], return_index=True)
    return rows[np.sort(first)[:n]]


def some_rows(n_samples, n, seed):
    """Positions of ``n`` of the samples, drawn with the seed, all of them at most."""
    if n >= n_samples:
        return np.arange(n_samples)
    return np.sort(np.random.default_rng(seed).choice(n_samples, n, replace=False))


def plain(value):
    """Return a number as a float, None where it is not finite; arrays as lists of such."""
    if np.ndim(value):
        return [plain(part) for part in value]
    return float(value) if math.isfinite(value) else None
