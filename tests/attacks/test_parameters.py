"""No parameter of an attack is without effect; and attacks travel to other processes whole."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from sklearn_robust import NaturalNet, attacks
from sklearn_robust.attacks import FGSM, PGD, BaseAttack, DeepFool, attack_class
from tests.attacks.models import BALL, NEAREST, brief, curved, predicted, samples
from tests.cases import quick

MASK = np.ones((1, 6, 6), bool)
MASK[0, 2, 3] = False
# What to set instead of the default.
OTHER = {
    "eps": 0.01,
    "norm": "l2",
    "bounds": None,
    "mask": MASK,
    "integer": ~MASK,
    "max_iter": 3,
    "step_size": 0.02,
    "n_restarts": 3,
    "random_start": False,
    "targeted": True,
    "loss": "margin",
    "random_state": 5,
    "decay": 0.1,
    "gamma": 0.3,
    "sigma": 1.0,
    "p_init": 0.1,
    "overshoot": 0.5,
    "n_candidates": 1,
    "n_directions": 3,
    "patience": 1,
    "n_searches": 1,
    "n_target_classes": 1,
    "version": "rand",
    "attacks": [FGSM()],
}
OWN = {
    ("MinimumNorm", "attacks"): [DeepFool()],
    ("SigmaZero", "bounds"): (-1, 2),
    ("SigmaZero", "eps"): 1,
}
# Where the effect shows in something other than the points, and is tested for it.
ELSEWHERE = {"estimator", "batch_size", "on_nan", "verbose", "n_eot"}
ELSEWHERE |= {"increasing", "categorical", "max_flips", "relations"}  # of tables
# Those that draw no random numbers have the parameter for cascades and clones.
UNUSED = {(name, "random_state") for name in ("FGSM", "BIM", "MIFGSM", "DeepFool", "FAB")}
UNUSED |= {(name, "random_state") for name in ("DDN", "FMN", "ALMA", "SigmaZero", "MinimumNorm")}
UNUSED |= {("DDN", "norm"), ("SigmaZero", "norm")}
UNUSED |= {("CarliniWagner", "random_state"), ("PGD", "n_restarts")}
SHAPE = (1, 6, 6)


def settings(name):
    """Parameters from which every other parameter shows its effect."""
    params = {"norm": "linf", "eps": 0.35, "bounds": (0, 1)}
    if name == "APGD":
        params["loss"] = "targeted_dlr"
    if name == "Square":
        params["loss"] = "cross_entropy"
    if name in NEAREST:
        params["eps"] = 0.6
    if name == "FAB":
        params["n_target_classes"] = 3
    if name == "ALMA":
        params |= {"norm": "l1", "eps": 6.0}
    if name == "SigmaZero":
        params |= {"norm": "l0", "eps": 20}
    if name == "DeepFool":
        params |= {"max_iter": 2, "eps": 3.0}
    return params


def points(name, x, y, **changes):
    params = {**settings(name), **changes}
    if "version" in changes:
        params["attacks"] = None
    return brief(name, **params).perturb(curved(4, SHAPE, width=40), x, y)


@pytest.mark.parametrize(
    ("name", "param"),
    [
        (name, param)
        for name in (*BALL, *NEAREST)
        for param in getattr(attacks, name)().get_params()
        if param not in ELSEWHERE and (name, param) not in UNUSED
    ],
)
def test_every_parameter_changes_something(name, param):
    x = samples(20, SHAPE)
    x[:, ~MASK] = x[:, ~MASK].round()
    y = predicted(curved(4, SHAPE, width=40), x)
    before, after = (
        points(name, x, y, **c) for c in ({}, {param: OWN.get((name, param), OTHER[param])})
    )
    assert not torch.equal(before, after)


LOAD = """
import pickle, sys
import numpy as np
with open(sys.argv[1], "rb") as file:
    attack, model, X, y = pickle.load(file)
np.save(sys.argv[2], attack.generate(model, X, y))
"""


@pytest.mark.parametrize("model", [LogisticRegression(), quick(NaturalNet)], ids=repr)
def test_a_pickle_needs_no_other_file(model, tmp_path):
    """It is loaded by another process, in an empty home folder, and gives the same points."""
    X, y = samples(30).float().numpy(), np.arange(30) % 3
    model = model.fit(X, y)
    attack = PGD(estimator=FrozenEstimator(model), eps=0.1, random_state=0).fit(X, y)
    (tmp_path / "attack.pkl").write_bytes(pickle.dumps((attack, model, X, y)))
    home = tmp_path / "home"
    home.mkdir()
    command = [sys.executable, "-c", LOAD, tmp_path / "attack.pkl", tmp_path / "points.npy"]
    subprocess.run(command, check=True, env=os.environ | {"HOME": str(home)}, timeout=300)
    assert np.array_equal(np.load(tmp_path / "points.npy"), attack.generate(model, X, y))


def test_annotated_attributes_of_a_users_attack_are_parameters():
    @attack_class
    class RandomPoints(BaseAttack):
        """Random points of the ball.

        Parameters
        ----------
        %(eps)s
        """

        needs_gradient = False
        n_points: int = 3

        def run(self, batch):
            result, rows = batch.result(), batch.rows()
            for draw in range(self.n_points):
                x_adv = batch.confine(
                    batch.x + batch.ball.sample(batch.noise, batch.x, draw), batch.x
                )
                hit = batch.fooled(batch.forward(x_adv, rows), rows)
                result.record(rows, x_adv, hit.double(), hit)
            return result

    attack = clone(RandomPoints(eps=0.1, n_points=7))
    assert attack.get_params()["n_points"] == 7
    assert RandomPoints().n_points == 3
    assert "Radius of the ball" in RandomPoints.__doc__
    X, y = np.random.default_rng(0).random((40, 3)), np.arange(40) % 2
    model = LogisticRegression().fit(X, y)
    assert (attack.evaluate(model, X, y).n_queries >= 7).all()
