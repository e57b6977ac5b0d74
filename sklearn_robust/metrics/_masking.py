"""Signs that an attack failed for lack of a gradient rather than for lack of a weakness."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from .. import _functional as F
from .._threat_model import ThreatModel
from ..attacks import FGSM, PGD, BaseAttack, Square
from ..attacks._evaluation import robust_mask
from ..attacks._minimum_norm import MinimumNormAttack
from ..differentiable import Model

__all__ = ["MaskingProbe", "StepsAlone", "masking_signs"]

_POINTS = 0.05  # a gap of five points of accuracy is no accident on enough samples
_SHARE = 0.2  # and it must be a fifth of what it is measured against
_TENTH = 0.1  # share for signs that honest models show here and there
_FEW = 2  # so many samples may differ by accident
_DIRECTIONS = 8  # random directions along which a gradient is tried
_STEP = 0.125  # length of such a step, as a share of the radius
_EXPLAINED = 0.5  # correlation below which a gradient says little of what a step does
_ROUNDING = 1e-5  # changes below this share of the logits may be rounding
_BOTH = ("cross_entropy", "margin")

Mask: TypeAlias = NDArray[np.bool_]


class StepsAlone(PGD):
    """PGD without the point that a verdict tries last, so that what its losses find stays apart."""

    _tries_linear: ClassVar[bool] = False


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
    members : list of (attack, bool array of shape (n,))
        Attacks of the report, one by one, and which samples are robust to each.
    on_nan : {"raise", "robust"}
        What NaN logits mean.
    seed : int
        Seed of every attack.
    """

    model: Model
    X: NDArray[np.float32]
    codes: NDArray[np.int64]
    threat: ThreatModel
    members: Sequence[tuple[BaseAttack, Mask]]
    on_nan: str = "raise"
    seed: int = 0
    _known: dict[str, Mask] = field(default_factory=dict, repr=False)

    @cached_property
    def by_gradients(self) -> Mask:
        """Samples robust to the members with gradients and to 40 steps of PGD on two losses."""
        left = self.left([m for m in self.members if m[0].needs_gradient] or self.members)
        return left & self.robust_to_pgd("cross_entropy") & self.robust_to_pgd("margin")

    @cached_property
    def by_all(self) -> Mask:
        """Samples that are robust to all members."""
        return self.left(self.members)

    def left(self, members: Sequence[tuple[BaseAttack, Mask]]) -> Mask:
        """Tell which samples are robust to all of some members."""
        return np.all([mask for _, mask in members], axis=0)

    def robust(
        self, attack_class: type[BaseAttack], rows: Any = slice(None), **params: Any
    ) -> Mask:
        """Tell which of the samples ``rows`` are robust to an attack, bool array of shape (n,)."""
        settings = {"on_nan": self.on_nan, "random_state": self.seed}
        attack = attack_class(**{**self.threat.params(), **settings, **params})
        X, codes = self.X[rows], self.codes[rows]
        correct = np.ones(len(X), dtype=bool)
        return robust_mask(self.model, X, codes, attack, correct=correct, units_known=True)

    def robust_within(self, share: float) -> Mask:
        """Tell which samples are robust to both losses within a share of the radius."""
        search = {"max_iter": 40, "eps": share * self.threat.eps}
        left = [self.robust(StepsAlone, loss=loss, **search) for loss in _BOTH]
        return np.all(left, axis=0)

    def robust_to_pgd(self, loss: str) -> Mask:
        """Tell which samples are robust to 40 steps of PGD, found once for each loss."""
        if loss not in self._known:
            self._known[loss] = self.robust(StepsAlone, max_iter=40, loss=loss)
        return self._known[loss]


def _differs(weaker: float, stronger: float) -> bool:
    """Whether ``weaker`` exceeds ``stronger`` by more than chance and rounding explain."""
    gap = weaker - stronger
    return gap > _POINTS and gap > _SHARE * max(weaker, 1e-9)


def one_step_beats_many(probe: MaskingProbe) -> str | None:
    """One step fools what several do not: the loss is too rough to climb."""
    many = probe.robust_to_pgd("cross_entropy") & probe.robust_to_pgd("margin")
    if not many.any():
        return None
    found = many & ~probe.robust(FGSM)
    # Of honest models, too, it finds a few: many steps near one class, one goes on to another.
    if found.sum() > max(_FEW, _POINTS * len(found), _SHARE * (~many).sum()):
        return (
            f"one step (FGSM) fools {found.sum()} samples that 40 steps of PGD on cross-entropy "
            "and on the margin leave"
        )
    return None


def black_box_beats_white_box(probe: MaskingProbe) -> str | None:
    """Look for samples that only a search without gradients fools, a member or one of our own."""
    found = probe.by_gradients & ~probe.by_all
    rows = np.flatnonzero(probe.by_gradients & probe.by_all)
    found[rows] = ~probe.robust(Square, rows, max_iter=500)
    # What a search without gradients adds is little where those with gradients fool the most.
    if found.sum() > max(_FEW, 0.02 * len(found), _TENTH * (~probe.by_gradients).sum()):
        return (
            f"a search that sees scores alone fools {found.sum()} samples that are robust to "
            "every attack with gradients"
        )
    return None


def nearest_point_beats_ascent(probe: MaskingProbe) -> str | None:
    """Look for samples that only a search for the nearest point fools."""
    near = [m for m in probe.members if isinstance(m[0], MinimumNormAttack)]
    climbing = [m for m in probe.members if m[0].needs_gradient and m not in near]
    if not near or not climbing:
        return None
    left = probe.left(climbing) & probe.robust_to_pgd("cross_entropy")
    found = left & probe.robust_to_pgd("margin") & ~probe.left(near)
    if found.sum() > max(_FEW, _POINTS * len(found)):
        return (
            f"{type(near[0][0]).__name__}, which looks for the nearest point, fools {found.sum()} "
            "samples that are robust to every attack that climbs a loss"
        )
    return None


def restarts_keep_finding(probe: MaskingProbe) -> str | None:
    """Look for samples that restart after restart goes on to fool."""
    rows, found = np.flatnonzero(probe.by_gradients & probe.by_all), 0
    for restart in (1, 2):
        if not len(rows):
            return None
        seed = {"random_start": True, "random_state": probe.seed + restart}
        left = probe.robust(PGD, rows, max_iter=40, loss="margin", **seed)
        rows, found = rows[left], int((~left).sum())
    if found > max(_FEW, 0.02 * len(probe.X)):
        return f"a second restart of PGD still fools {found} samples that all attacks left"
    return None


def does_not_fall_to_zero(probe: MaskingProbe) -> str | None:
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
            if share <= _TENTH:
                return None
    return f"{share:.1%} stay correct in a ball that holds every input (eps={wide:g})"


def noise_as_strong(probe: MaskingProbe) -> str | None:
    """Random points of the ball fool nearly as often as the search does."""
    held = np.ones(len(probe.X), dtype=bool)
    for draw in range(10):
        noisy = probe.threat.sample(probe.X, random_state=probe.seed, draw=draw)
        held &= probe.model.predict_codes(noisy) == probe.codes
    by_noise, by_search = (~held).sum(), (~probe.by_all).sum()
    # Where the search fools most samples, a model that noise fools too is weak, not masked.
    searching = by_search < len(held) / 2
    near = by_noise > max(_FEW, 0.02 * len(held)) and by_noise > 0.75 * by_search
    # Of few features, one of ten points comes nearly as far along a gradient as the search: then a
    # search in three quarters of the radius finds as many.
    if searching and near and by_noise > (~probe.robust_within(0.75)).sum():
        return f"ten random points fool {by_noise} samples, the whole search {by_search}"
    return None


def gradient_vanishes(probe: MaskingProbe) -> str | None:
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


def gradient_misleads(probe: MaskingProbe) -> str | None:
    """Look for samples called robust whose gradient does not predict what small steps do."""
    rows = np.flatnonzero(probe.by_gradients)
    if not len(rows):
        return None
    inside = probe.threat.sample(probe.X[rows], random_state=probe.seed)
    misled = _misled(probe, rows, probe.X[rows]) | _misled(probe, rows, inside)
    if misled.sum() > max(_FEW, _TENTH * len(probe.X)):
        return (
            f"of {len(rows)} samples that are robust to every attack with gradients, the gradient "
            f"does not predict how steps of an eighth of eps change the margin of {misled.sum()}"
        )
    return None


def _misled(probe: MaskingProbe, rows: NDArray[np.int64], at: NDArray[np.float32]) -> Mask:
    """Compare the margin's gradient at points with its differences along random steps."""
    logits, threat, clean = probe.model.logits, probe.threat, probe.X[rows]
    x = logits.tensor(at).requires_grad_(True)
    y = torch.as_tensor(probe.codes[rows], device=x.device)
    z = logits(x)
    grad = F.input_gradient(F.margin_loss(z, y), x).flatten(1)
    x, box = x.detach(), threat.box(x.detach())
    predicted, seen = [], []
    for draw in range(1, 1 + _DIRECTIONS):
        d = threat.sample(clean, random_state=probe.seed, draw=draw) - clean
        step = _STEP * torch.as_tensor(d).to(x)
        ahead, behind = box.clamp(x + step), box.clamp(x - step)
        with torch.no_grad():
            seen.append(F.margin_loss(logits(ahead), y) - F.margin_loss(logits(behind), y))
        predicted.append((grad * (ahead - behind).flatten(1)).sum(1))
    told, true = torch.stack(predicted, 1).double(), torch.stack(seen, 1).double()
    size = told.norm(dim=1) * true.norm(dim=1)
    correlation = (told * true).sum(1) / size.clamp_min(1e-300)
    clear = true.norm(dim=1) > _ROUNDING * z.detach().abs().amax(1)
    return (clear & ~(correlation > _EXPLAINED)).cpu().numpy()


def losses_disagree(probe: MaskingProbe) -> str | None:
    """One loss is far weaker than another."""
    rate = {loss: probe.robust_to_pgd(loss).mean() for loss in _BOTH}
    weak, strong = sorted(rate, key=lambda name: rate[name], reverse=True)
    apart = _differs(rate[weak], rate[strong])
    if apart and weak == "margin":  # of honest models, too, it changes its target on the way
        apart = rate[weak] - rate[strong] > 3 * _POINTS
    elif apart:  # what helps an honest model's cross-entropy is no scale of its logits
        apart = _differs(rate[weak], probe.robust_to_pgd("scaled_cross_entropy").mean())
    if apart:
        return (
            f"PGD on {weak} leaves {rate[weak]:.1%} robust, on {strong} {rate[strong]:.1%}: "
            "a single loss overestimates the robustness of this model"
        )
    return None


def outputs_are_random(probe: MaskingProbe) -> str | None:
    """Two passes over the same samples differ."""
    module = probe.model.module
    x = module.tensor(probe.X[:64])
    with torch.no_grad():
        if not torch.equal(module(x), module(x)):
            return "two passes over the same samples differ: use AutoAttack(version='rand')"
    return None


def names_other_classes(probe: MaskingProbe) -> str | None:
    """Look for logits that name other classes than ``predict``, which named the right ones."""
    apart = float((probe.model.module.codes(probe.X) != probe.codes).mean())
    if apart > _POINTS:
        return (
            f"the model that gives the gradient names another class than predict for {apart:.1%} "
            "of the samples: fix what was registered for the estimator or one of its steps"
        )
    return None


CHECKS: dict[str, Callable[[MaskingProbe], str | None]] = {
    "view": names_other_classes,
    "randomness": outputs_are_random,
    "zero gradient": gradient_vanishes,
    "gradient": gradient_misleads,
    "one step": one_step_beats_many,
    "losses": losses_disagree,
    "random noise": noise_as_strong,
    "nearest": nearest_point_beats_ascent,
    "restarts": restarts_keep_finding,
    "black box": black_box_beats_white_box,
    "large eps": does_not_fall_to_zero,
}


def masking_signs(probe: MaskingProbe) -> dict[str, str]:
    """Run all checks of gradient masking.

    Parameters
    ----------
    probe : MaskingProbe
        Estimator, correctly classified samples and what the attacks of the report found.

    Returns
    -------
    signs : dict of str to str
        Name of each check that tripped, and what it saw.
    """
    signs = {name: function(probe) for name, function in CHECKS.items()}
    return {name: sign for name, sign in signs.items() if sign is not None}
