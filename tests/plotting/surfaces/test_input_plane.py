"""Planes through a sample, and the directions that span them."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from torch import nn

from sklearn_robust.attacks import BIM, PGD
from sklearn_robust.metrics import decision_margin
from tests.metrics.indicator_cases import N_CLASSES, Constant, labels, mlp, samples
from tests.plotting.surfaces.planes import plane, surface, two_classes

pytestmark = pytest.mark.usefixtures("pyplot")
X = samples(10)


@pytest.mark.parametrize("direction", ["cw", "ce", "ce_ll", "random"])
@pytest.mark.parametrize(("norm", "order"), [("linf", np.inf), ("l2", 2), ("l1", 1)])
def test_directions_have_length_one(direction, norm, order):
    here = plane(mlp(nn.Tanh), direction=direction, norm=norm)
    for v in (here.alpha, here.beta):
        assert np.linalg.norm(v.numpy().ravel(), order) == pytest.approx(1)
        if norm == "linf":
            assert (abs(v) == 1).all()


def test_two_features_make_a_plane():
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression().fit(X[:, 2:], y)
    for seed in range(5):  # random signs must not be those of the gradient
        display = surface(model, X[:, 2:], y, index=60, radius=2, random_state=seed)
        assert np.ptp(display.margin[25]) > 1e-6


def test_a_straight_attack_stays_in_the_plane():
    module = two_classes()
    y = labels(module, X)
    attack = BIM(eps=0.3, step_size=0.1, max_iter=3, bounds=None)
    display = surface(module, X, y, trajectory=attack, random_state=0)
    way = display.trajectory
    assert np.allclose(way.coordinates, [[0, 0], [0, 0.1], [0, 0.2], [0, 0.3]], atol=1e-12)
    assert np.allclose(way.off_plane, 0, atol=1e-12)
    x_adv = attack.perturb(module, torch.tensor(X[:1]), torch.tensor(y[:1])).numpy()
    assert way.margin[-1] == pytest.approx(decision_margin(module, x_adv, y[:1])[0])
    assert display.xx0.max() >= 0.3 and display.trajectory_ is not None


def test_the_principal_plane_is_nearest_to_the_attack():
    module = mlp(nn.Tanh)
    attack = PGD(eps=0.5, bounds=None)
    ways = {
        (direction, other): plane(
            module, direction=direction, other=other, attack=attack, norm="l2"
        )
        for direction, other in [("pca", "pca"), ("cw", "random"), ("pca", "random")]
    }
    off = {names: np.square(p.trajectory().off_plane).sum() for names, p in ways.items()}
    assert off["pca", "pca"] < off["pca", "random"] < off["cw", "random"]
    assert ways["pca", "pca"].trajectory().coordinates[-1].min() >= -1e-9


Y = np.arange(10) % N_CLASSES


def test_a_gradient_of_zero_leads_nowhere():
    with pytest.raises(ValueError, match="gradient behind direction='cw' is zero at sample 0"):
        surface(Constant(), X, Y)


def test_one_feature_has_no_plane():
    model = LogisticRegression().fit(X[:, :1], Y)
    with pytest.raises(ValueError, match="data of more than one feature"):
        surface(model, X[:, :1], Y)
