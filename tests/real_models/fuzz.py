"""Verdict, gradient and margins of one random module beside plain torch."""

import copy
import re
import sys
import warnings
from collections import Counter, defaultdict

import numpy as np
import torch
from torch import nn

from sklearn_robust.attacks import PGD
from sklearn_robust.exceptions import NotDifferentiableError
from sklearn_robust.metrics import decision_margin, input_jacobian, robust_score
from tests.real_models.oracle import Oracle, tensor_of
from tests.real_models.random_modules import CHEAP, random_recipe
from tests.real_models.verdicts import (
    REFUSED,
    RIGHT,
    Mismatch,
    Verdict,
    expect,
    expect_close,
    judge,
)

__all__ = ["CHECKS", "Unusable", "examine", "survey", "tolerance"]

EPS, STEP, N_STEPS = 0.1, 0.05, 3


class Unusable(Exception):
    """A recipe that plain torch itself cannot run."""


def tolerance(recipe):
    """Share of the largest value that rounding of the module's own dtype may cost."""
    if {"float16 weights", "float16 inside"} & recipe.twists:
        return 2e-2
    return 1e-1 if "bfloat16 weights" in recipe.twists else 2e-3


class Plain:
    """The module as plain torch runs it: in its own dtype, on float32 samples.

    Parameters
    ----------
    recipe : Recipe
        Of the module.
    """

    def __init__(self, recipe):
        self.module, self.X = recipe.build(), recipe.samples()
        try:
            z = self.logits(torch.tensor(self.X)).detach().double()
        except (RuntimeError, ValueError) as error:
            raise Unusable(str(error)) from error
        if not bool(torch.isfinite(z).all()) or z.std() < 1e-4:
            raise Unusable("the logits are constant or not finite")
        self.z = z
        self.alone = self._one_by_one()
        self.by_batch = bool((z - self.alone).abs().max() > 0.05 * z.abs().max())
        self.y = z.argmax(1).numpy()
        self.y[-1] = (self.y[-1] + 1) % 3

    def _one_by_one(self):
        """Logits of each sample by itself; infinite where the module takes no single one."""
        try:
            rows = [self.logits(torch.tensor(self.X[i : i + 1])) for i in range(len(self.X))]
        except ValueError:
            return torch.full_like(self.z, torch.inf)
        return torch.cat(rows).detach().double()

    def logits(self, x):
        return tensor_of(copy.deepcopy(self.module)(x.clone()))

    @property
    def size(self):
        return float(self.z.abs().max())

    def margin(self, X):
        with torch.no_grad():
            z = self.logits(torch.as_tensor(np.asarray(X, dtype=np.float32))).double()
        return Oracle.lead(z, torch.tensor(self.y)).numpy()

    def slope(self, X, value=Oracle.lead):
        """Gradient for each sample; None where torch has none."""
        x = torch.tensor(np.asarray(X, dtype=np.float32), requires_grad=True)
        z = self.logits(x)
        if not z.requires_grad:
            return None
        values = value(z, torch.tensor(self.y)).sum()
        slope = torch.autograd.grad(values, x, allow_unused=True)[0]
        return None if slope is None else slope.double().numpy()

    def pgd(self):
        """Margin of each sample at its worst point seen."""
        x, worst = self.X.astype(np.float64), self.margin(self.X)

        def loss(z, y):
            return nn.functional.cross_entropy(z, y, reduction="none")

        for _ in range(N_STEPS):
            slope = np.nan_to_num(self.slope(x, loss))
            x = np.clip(x + STEP * np.sign(slope), self.X - EPS, self.X + EPS)
            worst = np.minimum(worst, self.margin(x))
        return worst


def margins(recipe, plain):
    got = decision_margin(recipe.build(), plain.X, plain.y)
    expect_close(got, plain.margin(plain.X), tolerance(recipe), "margin", 1e-3 * plain.size)
    wide = decision_margin(recipe.build(), plain.X.astype(np.float64), plain.y)
    expect_close(
        wide, plain.margin(plain.X), tolerance(recipe), "margin of float64", 1e-3 * plain.size
    )


def gradient(recipe, plain):
    right = plain.slope(plain.X)
    got = input_jacobian(recipe.build(), plain.X, plain.y)
    expect(right is not None, "a gradient that torch does not have")
    try:
        expect_close(got, right, 5 * tolerance(recipe), "gradient", 1e-4)
    except Mismatch:  # rounding to few digits may cross a kink: the same weights in float32 count
        if not set(CHEAP) & recipe.twists:
            raise
        plain.module.float()
        expect_close(got, plain.slope(plain.X), 5 * tolerance(recipe), "gradient", 1e-4)


def verdict(recipe, plain):
    attack = PGD(
        eps=EPS, max_iter=N_STEPS, step_size=STEP, random_start=False, bounds=None, random_state=0
    )
    found = attack.evaluate(recipe.build(), plain.X, plain.y)
    expect(plain.slope(plain.X) is not None, "an attack without a gradient")
    close = 5 * tolerance(recipe) * plain.size
    ours, theirs = plain.margin(found.X_adv), plain.pgd()
    liar = (found.fooled & (ours > close)) | (~found.fooled & (ours < -close))
    expect(not liar.any(), f"fooled is not what the module says for {int(liar.sum())} samples")
    weaker = ~found.fooled & (theirs < -close)
    expect(not weaker.any(), f"{int(weaker.sum())} samples withstood that plain PGD fools")
    correct = plain.z.argmax(1).numpy() == plain.y
    score = robust_score(recipe.build(), plain.X, plain.y, attack=attack)
    expect(
        abs(score - np.mean(correct & ~found.fooled)) < 1e-9, "the score is not that of the points"
    )


def state(recipe, plain):
    module = recipe.build()
    before = copy.deepcopy(module.state_dict())
    flags = [part.training for part in module.modules()]
    robust_score(module, plain.X, plain.y, attack=PGD(eps=EPS, max_iter=1, random_state=0))
    same = all(torch.equal(v, module.state_dict()[k]) for k, v in before.items())
    expect(same, "the module's weights or buffers changed")
    expect(flags == [part.training for part in module.modules()], "training flags changed")


CHECKS = {"margins": margins, "gradient": gradient, "verdict": verdict, "state": state}


def examine(recipe):
    """Verdicts by name of a check; Unusable where plain torch fails.

    Parameters
    ----------
    recipe : Recipe
        Of the module.
    """
    plain = Plain(recipe)
    try:
        cut = plain.slope(plain.X) is None
        plain.pgd() if not cut else None
    except (RuntimeError, ValueError) as error:
        raise Unusable(str(error)) from error
    found = {}
    for name, check in CHECKS.items():
        found[name] = judge(lambda check=check: check(recipe, plain))
        if plain.by_batch:  # nobody can say what is right: by sample, or refused
            found[name] = _by_batch(name, found[name], recipe, plain)
        elif cut and name in ("gradient", "verdict", "state"):
            found[name] = _cut(name, found[name])
    return found


def _by_batch(name, verdict, recipe, plain):
    if verdict.kind == REFUSED or name == "state":
        return verdict
    if name == "margins":

        def alone():
            got = decision_margin(recipe.build(), plain.X, plain.y)
            right = Oracle.lead(plain.alone, torch.tensor(plain.y)).numpy()
            expect_close(got, right, tolerance(recipe), "margin by sample", 1e-3 * plain.size)

        return judge(alone)
    if verdict.kind == RIGHT:
        return Verdict("wrong", "samples that share statistics were neither refused nor split")
    return verdict


def _cut(name, verdict):
    if verdict.kind == REFUSED and verdict.note.startswith(NotDifferentiableError.__name__):
        return verdict
    return (
        verdict
        if verdict.kind != REFUSED
        else Verdict("wrong", f"not NotDifferentiableError: {verdict.note}")
    )


def survey(n, seed=0):
    """Examine ``n`` random modules; print how many checks ended how, and one recipe of each fault.

    Parameters
    ----------
    n : int
        Modules, those that plain torch itself cannot run included.
    seed : int
        Of the recipes.
    """
    rng, kinds, faults = np.random.default_rng(seed), Counter(), defaultdict(list)
    for _ in range(n):
        recipe = random_recipe(rng)
        try:
            found = examine(recipe)
        except Unusable:
            kinds["unusable"] += 1
            continue
        kinds["modules"] += 1
        for name, verdict in found.items():
            kinds[verdict.kind] += 1
            if not verdict.good:
                what = re.sub(r"[\d.]+(e[+-]?\d+)?", "N", verdict.note[:100])
                faults[name, verdict.kind, what].append(recipe)
    print(dict(kinds))
    for fault, recipes in sorted(faults.items(), key=lambda item: -len(item[1])):
        simplest = min(recipes, key=lambda r: (len(r.twists), len(r.layers)))
        print(len(recipes), *fault, "|", simplest)


if __name__ == "__main__":  # python -m tests.real_models.fuzz 2000
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    survey(*map(int, sys.argv[1:]))
