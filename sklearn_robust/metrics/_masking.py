"""Signs that an attack failed for lack of a gradient rather than for lack of a weakness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from .. import _functional as F
from .._threat_model import ThreatModel
from ..attacks import FGSM, PGD, BaseAttack, Square
from ..attacks._evaluation import robust_mask
from ..differentiable import Model

__all__ = ["MaskingProbe", "masking_signs"]

_POINTS = 0.05  # a gap of five points of accuracy is no accident on enough samples
_SHARE = 0.2  # and it must be a fifth of what it is measured against
_FEW = 2  # so many samples may differ by accident

Mask: TypeAlias = NDArray[np.bool_]


@dataclass
class MaskingProbe:
    """Estimator, samples and threat model that the checks of gradient masking look at.

    Parameters
    ----------
    model : Model
        A differentiable one.
    X, codes : arrays
        Samples that the checks attack, float32, and their class codes. All are classified
        correctly.
    threat : ThreatModel
        Where they may move, as of ``ThreatModel.on``.
    on_nan : {"raise", "robust"}
        What NaN logits mean.
    seed : int
        Seed of every attack.
    """

    model: Model
    X: NDArray[np.float32]
    codes: NDArray[np.int64]
    threat: ThreatModel
    on_nan: str = "raise"
    seed: int = 0

    def robust(
        self, attack_class: type[BaseAttack], rows: Any = slice(None), **params: Any
    ) -> Mask:
        """Tell which of the samples ``rows`` are robust to an attack, bool array of shape (n,)."""
        settings = {"on_nan": self.on_nan, "random_state": self.seed}
        attack = attack_class(**{**self.threat.params(), **settings, **params})
        X, codes = self.X[rows], self.codes[rows]
        return robust_mask(self.model, X, codes, attack, correct=np.ones(len(X), dtype=bool))


def _differs(weaker: float, stronger: float) -> bool:
    """Whether ``weaker`` exceeds ``stronger`` by more than chance and rounding explain."""
    gap = weaker - stronger
    return gap > _POINTS and gap > _SHARE * max(weaker, 1e-9)


def one_step_beats_many(probe: MaskingProbe, white_box: Mask) -> str | None:
    """One step fools more than several: the loss is too rough to climb."""
    one, many = probe.robust(FGSM).mean(), probe.robust(PGD, max_iter=40).mean()
    if many - one > max(_POINTS / 2, _FEW / len(probe.X)):
        return f"one step (FGSM, {one:.1%} robust) fools more than 40 steps of PGD ({many:.1%})"
    return None


def black_box_beats_white_box(probe: MaskingProbe, white_box: Mask) -> str | None:
    """Look for samples that only a search without gradients fools."""
    by_scores = probe.robust(Square, max_iter=500)
    found = white_box & ~by_scores
    if found.sum() > max(_FEW, 0.02 * len(found)):
        return (
            f"Square, which sees scores alone, fools {found.sum()} samples that are robust to "
            "every attack with gradients"
        )
    return None


def does_not_fall_to_zero(probe: MaskingProbe, white_box: Mask) -> str | None:
    """Accuracy stays although the ball holds every input."""
    wide = probe.threat.covering_radius(probe.X)
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


def noise_as_strong(probe: MaskingProbe, white_box: Mask) -> str | None:
    """Random points of the ball fool nearly as often as the search does."""
    held = np.ones(len(probe.X), dtype=bool)
    for draw in range(10):
        noisy = probe.threat.sample(probe.X, random_state=probe.seed, draw=draw)
        held &= probe.model.predict_codes(noisy) == probe.codes
    by_noise, by_search = (~held).sum(), (~white_box).sum()
    # Where the search fools most samples, a model that noise fools too is weak, not masked.
    searching = by_search < len(held) / 2
    if searching and by_noise > max(_FEW, 0.02 * len(held)) and by_noise > 0.75 * by_search:
        return f"ten random points fool {by_noise} samples, the whole search {by_search}"
    return None


def gradient_vanishes(probe: MaskingProbe, white_box: Mask) -> str | None:
    """Look for samples whose loss has no gradient at all."""
    logits = probe.model.logits
    x = logits.tensor(probe.X).requires_grad_(True)
    y = torch.as_tensor(probe.codes, device=x.device)
    dead: dict[str, float] = {}
    for name, loss in (("cross-entropy", F.cross_entropy), ("margin", F.margin_loss)):
        grad = F.input_gradient(loss(logits(x), y), x)
        dead[name] = float((F.flat_norm(grad, torch.inf) == 0).double().mean())
    worst = max(dead, key=lambda name: dead[name])
    if dead[worst] > 0.02:
        return f"the gradient of {worst} is exactly zero for {dead[worst]:.1%} of the samples"
    return None


def losses_disagree(probe: MaskingProbe, white_box: Mask) -> str | None:
    """One loss is far weaker than another."""
    rate = {
        "cross_entropy": probe.robust(PGD, max_iter=40).mean(),
        "margin": probe.robust(PGD, max_iter=40, loss="margin").mean(),
    }
    weak, strong = sorted(rate, key=lambda name: rate[name], reverse=True)
    if _differs(rate[weak], rate[strong]):
        return (
            f"PGD on {weak} leaves {rate[weak]:.1%} robust, on {strong} {rate[strong]:.1%}: "
            "a single loss flatters this model"
        )
    return None


def outputs_are_random(probe: MaskingProbe, white_box: Mask) -> str | None:
    """Two passes over the same samples differ."""
    module = probe.model.module
    x = module.tensor(probe.X[:64])
    with torch.no_grad():
        if not torch.equal(module(x), module(x)):
            return "two passes over the same samples differ: use AutoAttack(version='rand')"
    return None


def names_other_classes(probe: MaskingProbe, white_box: Mask) -> str | None:
    """Look for logits that name other classes than ``predict``, which named the right ones."""
    apart = float((probe.model.module.codes(probe.X) != probe.codes).mean())
    if apart > _POINTS:
        return (
            f"the model that gives the gradient names another class than predict for {apart:.1%} "
            "of the samples: fix what was registered for the estimator or one of its steps"
        )
    return None


CHECKS: dict[str, Callable[[MaskingProbe, Mask], str | None]] = {
    "view": names_other_classes,
    "randomness": outputs_are_random,
    "zero gradient": gradient_vanishes,
    "one step": one_step_beats_many,
    "losses": losses_disagree,
    "random noise": noise_as_strong,
    "black box": black_box_beats_white_box,
    "large eps": does_not_fall_to_zero,
}


def masking_signs(probe: MaskingProbe, white_box: Mask) -> dict[str, str]:
    """Run all checks of gradient masking.

    Parameters
    ----------
    probe : MaskingProbe
        Estimator and correctly classified samples.
    white_box : bool array of shape (n,)
        Samples that are robust to the attacks with gradients.

    Returns
    -------
    signs : dict of str to str
        Name of each check that tripped, and what it saw.
    """
    signs = {name: function(probe, white_box) for name, function in CHECKS.items()}
    return {name: sign for name, sign in signs.items() if sign is not None}
