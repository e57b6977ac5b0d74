"""Robustness curves: they fall, begin at the clean accuracy, and follow the order asked for."""

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sklearn_robust import NaturalNet, robust_score
from sklearn_robust.attacks import FAB, FGSM, PGD, DeepFool, WorstCase
from sklearn_robust.metrics import robustness_curve
from tests.cases import blobs, generators_untouched, quick

X, Y = blobs(60, labels=(0, 1, 2))
EPS = [0, 0.02, 0.05, 0.1, 0.3, 1]


@pytest.fixture(scope="module")
def net():
    return quick(NaturalNet, max_epochs=10, lr=0.01).fit(X, Y)


ATTACKS = [None, FGSM(), PGD(), PGD(max_iter=1), WorstCase([FGSM(), PGD(loss="margin")])]


@pytest.mark.parametrize("attack", ATTACKS, ids=repr)
def test_a_curve_falls_from_the_clean_accuracy(net, attack):
    with generators_untouched():
        curve = robustness_curve(net, X, Y, eps=EPS, attack=attack)
    assert curve.dtype == np.float64 and curve.shape == (len(EPS),)
    assert curve[0] == net.score(X, Y)
    assert (np.diff(curve) <= 0).all() and curve[-1] == 0


def test_the_first_point_that_is_not_nought_is_the_score():
    model = LogisticRegression().fit(X, Y)
    attack = PGD(eps=0.1, random_state=0)
    curve = robustness_curve(model, X, Y, eps=[0.1], attack=attack)
    assert curve == [robust_score(model, X, Y, attack=attack)]


def test_radii_come_back_in_the_order_asked_for(net):
    order = [3, 0, 5, 1, 1, 4]
    sorted_curve = robustness_curve(net, X, Y, eps=EPS, attack=PGD(random_state=0))
    curve = robustness_curve(net, X, Y, eps=np.array(EPS)[order], attack=PGD(random_state=0))
    np.testing.assert_array_equal(curve, sorted_curve[order])


def test_on_a_linear_model_a_curve_is_the_distribution_of_the_margins():
    samples, y = blobs(60)
    model = LogisticRegression().fit(samples, y)
    reach = (2 * y - 1) * model.decision_function(samples) / np.abs(model.coef_).sum()
    radii = np.quantile(reach, [0.2, 0.5, 0.9]) + 1e-4
    attack = PGD(bounds=None, random_state=0)
    curve = robustness_curve(model, samples, y, eps=radii, attack=attack)
    np.testing.assert_allclose(curve, [(reach > eps).mean() for eps in radii])


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_an_attack_for_the_nearest_point_runs_once_for_all_radii(net, norm):
    asked = []

    class Counted(DeepFool):
        def _evaluate(self, *data, **flags):
            asked.append(self.eps)
            return super()._evaluate(*data, **flags)

    curve = robustness_curve(net, X, Y, eps=EPS, attack=Counted(norm=norm, eps=0.3))
    assert asked == [None]
    assert curve[0] == net.score(X, Y) and (np.diff(curve) <= 0).all() and curve[-1] == 0
    single = [
        robust_score(net, X, Y, attack=DeepFool(norm=norm, eps=eps)) for eps in EPS if eps > 0
    ]
    np.testing.assert_allclose(curve[1:], single, atol=0.05)
    with joblib.parallel_config(backend="threading"):
        shared = robustness_curve(net, X, Y, eps=EPS, attack=FAB(norm=norm, max_iter=5), n_jobs=3)
    alone = robustness_curve(net, X, Y, eps=EPS, attack=FAB(norm=norm, max_iter=5))
    assert np.array_equal(shared, alone)


def test_the_attack_that_was_given_is_not_touched(net):
    attack = PGD(eps=0.7, random_state=0)
    robustness_curve(net, X, Y, eps=[0.1], attack=attack)
    assert repr(attack) == "PGD(eps=0.7, random_state=0)"


def test_processes_agree(net):
    with joblib.parallel_config(backend="threading"):
        shared = robustness_curve(net, X, Y, eps=EPS, attack=PGD(random_state=0), n_jobs=3)
    np.testing.assert_array_equal(
        shared, robustness_curve(net, X, Y, eps=EPS, attack=PGD(random_state=0))
    )


@pytest.mark.parametrize("eps", [[0, -0.1], [9, np.nan], [0, np.inf], 0.1, [], [[0.1]], ["a"]])
def test_radii_that_make_no_sense_are_refused(net, eps):
    with pytest.raises(ValueError, match="eps is|could not convert"):
        robustness_curve(net, X, Y, eps=eps)


def test_radii_are_multiples_where_each_feature_has_its_own():
    model = LogisticRegression().fit(X, Y)
    unit = np.array([0.05, 0.1, 0.2, 0.0])
    curve = robustness_curve(model, X, Y, eps=[0.5, 1, 2], attack=PGD(eps=unit, random_state=0))
    score = robust_score(model, X, Y, attack=PGD(eps=unit, random_state=0))
    assert curve[1] == pytest.approx(score, abs=1 / 60) and curve[0] > curve[2]
    with pytest.raises(ValueError, match="one radius for all features: give it no eps"):
        robustness_curve(model, X, Y, eps=[1], attack=DeepFool(eps=unit))
