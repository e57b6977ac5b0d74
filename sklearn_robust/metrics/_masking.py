"""Signs that an attack failed for lack of a gradient rather than for lack of a weakness."""

from dataclasses import dataclass

import numpy as np
import torch

from .. import _functional as F
from .._random import RowNoise
from ..attacks import FGSM, PGD, Square
from ..attacks._batch import Box
from ..attacks._norms import make_ball
from ..differentiable import Model
from ._robust import withstood
from ._threat import Threat

__all__ = ["Probe", "masking_signs"]

_POINTS = 0.05  # a gap of five points of accuracy is no accident on enough samples
_SHARE = 0.2  # and it must be a fifth of what it is measured against
_FEW = 2  # so many samples may differ by accident


@dataclass
class Probe:
    """What the checks look at: one estimator, its samples and how they may move.

    Parameters
    ----------
    model : Model
        A differentiable one.
    X, y : arrays
        Samples that the checks attack, float32, and their labels.
    threat : Threat
        Where they may move.
    seed : int
        Seed of every attack.
    """

    model: Model
    X: np.ndarray
    y: np.ndarray
    threat: Threat
    seed: int = 0

    def __post_init__(self):
        self.view = self.model.module
        self.codes = self.model.label_codes(self.X, self.y)

    def robust(self, attack_class, rows=slice(None), **params):
        """Tell which of the samples ``rows`` withstand an attack, bool array of shape (n,)."""
        attack = attack_class(**{**self.threat.params(), "random_state": self.seed, **params})
        return withstood(self.model, self.X[rows], self.y[rows], attack=attack)


def _differs(weaker, stronger):
    """Whether ``weaker`` exceeds ``stronger`` by more than chance and rounding explain."""
    gap = weaker - stronger
    return gap > _POINTS and gap > _SHARE * max(weaker, 1e-9)


def one_step_beats_many(probe, white_box):
    """One step fools more than several: the loss is too rough to climb."""
    one, many = probe.robust(FGSM).mean(), probe.robust(PGD, max_iter=40).mean()
    if many - one > max(_POINTS / 2, _FEW / len(probe.X)):
        return f"one step (FGSM, {one:.1%} robust) fools more than 40 steps of PGD ({many:.1%})"
    return None


def black_box_beats_white_box(probe, white_box):
    """Look for samples that only a search without gradients fools."""
    by_scores = probe.robust(Square, max_iter=500)
    found = white_box & ~by_scores
    if found.sum() > max(_FEW, 0.02 * len(found)):
        return (
            f"Square, which sees scores alone, fools {found.sum()} samples that withstood every "
            "attack with gradients"
        )
    return None


def does_not_fall_to_zero(probe, white_box):
    """Accuracy stays although the ball holds every input."""
    wide = probe.threat.reach(probe.X)
    start = np.clip(probe.threat.eps.max(), wide / 256, wide)
    left = np.arange(len(probe.X))
    # Far from all data the gradient of honest models vanishes too, as that of an RBF kernel does:
    # begin where it does not, and let a few samples stay.
    for eps in np.geomspace(start, wide, 1 + int(np.ceil(np.log(wide / start) / np.log(1.5)))):
        for loss, anywhere in (("margin", False), ("cross_entropy", True)):
            search = {"max_iter": 40, "loss": loss, "random_start": anywhere}
            left = left[probe.robust(PGD, left, eps=float(eps), mask=None, **search)]
            share = len(left) / len(probe.X)
            if share <= _POINTS:
                return None
    return f"{share:.1%} stay correct in a ball that holds every input (eps={wide:g})"


def noise_as_strong(probe, white_box):
    """Random points of the ball fool nearly as often as the search does."""
    threat, x = probe.threat, probe.view.tensor(probe.X)
    ball = make_ball(threat.norm, torch.as_tensor(threat.radius(x.shape[1:]), device=x.device))
    held = np.ones(len(probe.X), dtype=bool)
    for draw in range(10):
        noise = ball.to(x).sample(RowNoise(probe.seed, x), x, draw)
        noisy = threat.on_grid(Box(threat.bounds, x).clamp(x + noise).cpu().numpy(), probe.X)
        held &= probe.model.predict_codes(noisy) == probe.codes
    by_noise, by_search = (~held).sum(), (~white_box).sum()
    # Where the search fools most samples, a model that noise fools too is weak, not masked.
    searching = by_search < len(held) / 2
    if searching and by_noise > max(_FEW, 0.02 * len(held)) and by_noise > 0.75 * by_search:
        return f"ten random points fool {by_noise} samples, the whole search {by_search}"
    return None


def gradient_vanishes(probe, white_box):
    """Look for samples whose loss has no gradient at all."""
    view = probe.view.surrogate
    x = view.tensor(probe.X).requires_grad_(True)
    y = torch.as_tensor(probe.codes, device=x.device)
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
    view, x = probe.view, probe.view.tensor(probe.X[:64])
    with torch.no_grad():
        if not torch.equal(view(x), view(x)):
            return "two passes over the same samples differ: use AutoAttack(version='rand')"
    return None


def view_is_anothers(probe, white_box):
    """Look for a view that names other classes than ``predict``, which named the right ones."""
    apart = float((probe.view.codes(probe.X) != probe.codes).mean())
    if apart > _POINTS:
        return (
            f"the view that gives the gradient names another class than predict for {apart:.1%} of "
            "the samples: mend what was registered for the estimator or one of its steps"
        )
    return None


CHECKS = {
    "view": view_is_anothers,
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
