"""Signs that an attack failed for lack of a gradient rather than for lack of a weakness."""

from dataclasses import dataclass

import numpy as np
import torch

from .. import _functional as F
from .._random import RowNoise
from ..attacks import FGSM, PGD, Square
from ..attacks._norms import make_ball
from ..attacks._task import Box
from ..differentiable import as_module
from ._robust import withstood

__all__ = ["Probe", "masking_signs"]

_POINTS = 0.05  # a gap of five points of accuracy is no accident on enough samples
_SHARE = 0.2  # and it must be a fifth of the accuracy it is measured against


@dataclass
class Probe:
    """What the checks look at: one estimator, its samples and the ball they may move in.

    Parameters
    ----------
    estimator : fitted classifier
        With a differentiable view.
    X, y : arrays
        Samples that the checks attack, float32, and their labels.
    eps : float
        Radius.
    norm : str
        Norm of the ball.
    bounds : tuple or None
        Box of the data.
    seed : int
        Seed of every attack.
    """

    estimator: object
    X: np.ndarray
    y: np.ndarray
    eps: float
    norm: str
    bounds: tuple | None
    seed: int

    def robust(self, attack_class, **params):
        """Tell which samples withstand an attack, bool array of shape (n,)."""
        given = {"eps": self.eps, "norm": self.norm, "bounds": self.bounds}
        attack = attack_class(**{**given, "random_state": self.seed, **params})
        return withstood(self.estimator, self.X, self.y, attack=attack)


def _differs(weaker, stronger):
    """Whether ``weaker`` exceeds ``stronger`` by more than chance and rounding explain."""
    gap = weaker - stronger
    return gap > _POINTS and gap > _SHARE * max(weaker, 1e-9)


def one_step_beats_many(probe, white_box):
    """One step fools more than several: the loss is too rough to climb."""
    one, many = probe.robust(FGSM).mean(), probe.robust(PGD, max_iter=40).mean()
    if many - one > _POINTS / 2:
        return f"one step (FGSM, {one:.1%} robust) fools more than 40 steps of PGD ({many:.1%})"
    return None


def black_box_beats_white_box(probe, white_box):
    """Look for samples that only a search without gradients fools."""
    by_scores = probe.robust(Square, max_iter=500)
    found = white_box & ~by_scores
    if found.sum() > max(2, 0.02 * len(found)):
        return (
            f"Square, which sees scores alone, fools {found.sum()} samples that withstood every "
            "attack with gradients"
        )
    return None


def does_not_fall_to_zero(probe, white_box):
    """Accuracy stays although the ball holds every input."""
    spread = float(np.ptp(probe.X)) if probe.bounds is None else 1.0
    if probe.bounds is not None:
        spread = float(np.max(np.asarray(probe.bounds[1]) - np.asarray(probe.bounds[0])))
    factor = 1.0 if probe.norm == "linf" else probe.X[0].size ** (1 if probe.norm == "l1" else 0.5)
    wide = (10 if probe.bounds is None else 1) * spread * factor
    left = np.ones(len(probe.X), dtype=bool)
    for eps in (wide / 8, wide / 4, wide / 2, wide):  # the larger ball holds the smaller ones
        left &= probe.robust(PGD, max_iter=40, eps=eps, loss="margin")
        left &= probe.robust(PGD, max_iter=40, eps=eps)
    if left.mean() > _POINTS:
        return f"{left.mean():.1%} stay correct in a ball that holds every input (eps={wide:g})"
    return None


def noise_as_strong(probe, white_box):
    """Random points of the ball fool nearly as often as the search does."""
    view = as_module(probe.estimator)
    x = view.tensor(probe.X)
    ball = make_ball(probe.norm, torch.tensor(float(probe.eps)).to(x))
    predict = getattr(probe.estimator, "predict", lambda X: view.classes_[view.codes(X)])
    held = np.ones(len(probe.X), dtype=bool)
    for draw in range(10):
        noisy = Box(probe.bounds, x).clamp(x + ball.sample(RowNoise(probe.seed, x), x, draw))
        held &= predict(noisy.cpu().numpy()) == probe.y
    by_noise, by_search = (~held).sum(), (~white_box).sum()
    # Where the search fools most samples, a model that noise fools too is weak, not masked.
    searching = by_search < len(held) / 2
    if searching and by_noise > max(2, 0.02 * len(held)) and by_noise > 0.75 * by_search:
        return f"ten random points fool {by_noise} samples, the whole search {by_search}"
    return None


def gradient_vanishes(probe, white_box):
    """Look for samples whose loss has no gradient at all."""
    view = as_module(probe.estimator).surrogate
    x = view.tensor(probe.X).requires_grad_(True)
    y = torch.as_tensor(np.searchsorted(view.classes_, probe.y), device=x.device)
    dead = {}
    for name, loss in (("cross-entropy", F.cross_entropy), ("margin", F.margin_loss)):
        grad = F.input_gradient(loss(view(x), y), x)
        dead[name] = float((F.flat_norm(grad, torch.inf) == 0).double().mean())
    worst = max(dead, key=dead.get)
    if dead[worst] > 0.02:
        return f"the gradient of {worst} is exactly zero for {dead[worst]:.1%} of the samples"
    return None


def losses_disagree(probe, white_box):
    """One loss is far weaker than another."""
    rate = {
        "cross_entropy": probe.robust(PGD, max_iter=40).mean(),
        "margin": probe.robust(PGD, max_iter=40, loss="margin").mean(),
    }
    weak, strong = sorted(rate, key=rate.get, reverse=True)
    if _differs(rate[weak], rate[strong]):
        return (
            f"PGD on {weak} leaves {rate[weak]:.1%} robust, on {strong} {rate[strong]:.1%}: "
            "a single loss flatters this model"
        )
    return None


def outputs_are_random(probe, white_box):
    """Two passes over the same samples differ."""
    view = as_module(probe.estimator)
    x = view.tensor(probe.X[:64])
    with torch.no_grad():
        if not torch.equal(view(x), view(x)):
            return "two passes over the same samples differ: use AutoAttack(version='rand')"
    return None


CHECKS = {
    "randomness": outputs_are_random,
    "zero gradient": gradient_vanishes,
    "one step": one_step_beats_many,
    "losses": losses_disagree,
    "random noise": noise_as_strong,
    "black box": black_box_beats_white_box,
    "large eps": does_not_fall_to_zero,
}


def masking_signs(probe, white_box):
    """Run all checks of gradient masking.

    Parameters
    ----------
    probe : Probe
        Estimator and correctly classified samples.
    white_box : bool array of shape (n,)
        Samples that withstood the attacks with gradients.

    Returns
    -------
    signs : dict of str to str
        Name of each check that tripped, and what it saw.
    """
    signs = {name: function(probe, white_box) for name, function in CHECKS.items()}
    return {name: sign for name, sign in signs.items() if sign is not None}
