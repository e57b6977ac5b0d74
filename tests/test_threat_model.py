"""The threat model: what it lets through, against brute force and closed forms; bad input."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from sklearn_robust.attacks import APGD, FAB, PGD, AutoAttack, ThreatModel, WorstCase

ORDER = {"linf": np.inf, "l2": 2, "l1": 1}
NORMS = list(ORDER)
SHAPE = (2, 3)
RNG = np.random.default_rng(0)
X = RNG.uniform(0, 1, (200, *SHAPE)).astype(np.float32)
FAR = (X + RNG.normal(0, 1, X.shape)).astype(np.float32)
MASK = np.array([[True, True, False], [True, True, True]])


def lengths(X_adv, norm, clean=X):
    return np.linalg.norm(
        (X_adv.astype(float) - clean).reshape(len(clean), -1), ORDER[norm], axis=1
    )


@pytest.mark.parametrize("bounds", [None, (0, 1)])
@pytest.mark.parametrize("norm", NORMS)
def test_projected_points_are_inside_and_nearest(norm, bounds):
    threat = ThreatModel(0.4, norm=norm, bounds=bounds, mask=MASK)
    inside = threat.project(FAR, X)
    assert inside.dtype == np.float32
    assert (lengths(inside, norm) <= 0.4 * (1 + 1e-12)).all()
    assert np.array_equal(inside[:, ~MASK], X[:, ~MASK])
    if bounds:
        assert inside.min() >= 0 and inside.max() <= 1
        return
    # No other allowed point is nearer to where the points came from.
    for _ in range(50):
        other = threat.project(inside + RNG.normal(0, 0.1, X.shape), X)
        gaps = [
            np.linalg.norm((z - FAR)[:, MASK].reshape(len(X), -1), axis=1) for z in (inside, other)
        ]
        assert (gaps[0] <= gaps[1] + 1e-5).all()


def test_a_radius_for_each_feature():
    eps = np.array([[0.1, 0.2, 0.0], [0.3, 0.4, 0.5]])
    inside = ThreatModel(eps, bounds=None).project(FAR, X)
    wanted = np.clip(FAR.astype(float), X - eps, X + eps)
    np.testing.assert_allclose(inside, wanted, atol=1e-6)
    assert (np.abs(inside.astype(float) - X) <= eps).all()


def test_samples_are_uniform_in_a_linf_ball_and_repeatable():
    threat = ThreatModel(0.25, bounds=None)
    drawn = threat.sample(X, random_state=3)
    moved = (drawn - X).ravel() / 0.25
    assert stats.kstest(moved, stats.uniform(-1, 2).cdf).pvalue > 1e-3
    assert np.array_equal(drawn, threat.sample(X, random_state=3))
    assert not np.array_equal(drawn, threat.sample(X, random_state=3, draw=1))
    assert not np.array_equal(drawn, threat.sample(X, random_state=4))


def test_integers_are_rounded_toward_the_clean_sample():
    clean, integer = np.round(X * 9), np.zeros(SHAPE, bool)
    integer[0] = True
    threat = ThreatModel(3.0, bounds=None, integer=integer)
    points = clean + RNG.uniform(-3, 3, X.shape).astype(np.float32)
    rounded = threat.round_to_grid(points, clean)
    steps = points.astype(float) - clean
    wanted = np.where(integer, clean + np.trunc(steps * (1 + 1e-5)), points)
    np.testing.assert_allclose(rounded, wanted, atol=1e-6)
    sampled = threat.sample(clean, random_state=0)
    assert np.array_equal(sampled[:, integer], np.round(sampled[:, integer]))


@pytest.mark.parametrize("norm", NORMS)
def test_distances_and_the_radius_that_covers_the_box(norm):
    threat = ThreatModel(0.1, norm=norm, bounds=(-1, 2))
    assert np.array_equal(threat.distance(FAR, X), lengths(FAR, norm))
    corners = np.stack([np.full(SHAPE, -1.0), np.full(SHAPE, 2.0)])
    radius = threat.covering_radius(X)
    assert radius == pytest.approx(lengths(corners[:1], norm, corners[1:])[0])
    wide = ThreatModel(0.1, norm=norm, bounds=None).covering_radius(X)
    assert wide == pytest.approx(10 * float(np.ptp(X)) * 6 ** (1 / ORDER[norm]))


def test_a_checked_threat_model_is_its_own_and_gives_parameters():
    threat = ThreatModel(norm=np.inf, mask=MASK, integer=None).on(X)
    assert (float(threat.eps), threat.norm, threat.input_shape) == (8 / 255, "linf", SHAPE)
    assert [float(side) for side in threat.bounds] == [0, 1]
    assert threat.eps.dtype == np.float64
    again = threat.on(X)
    assert again.params()["eps"] == threat.params()["eps"] == 8 / 255
    assert np.array_equal(threat.radius, np.where(MASK, 8 / 255, 0))
    PGD(**threat.params()).check_parameters()
    indices = ThreatModel(1.0, mask=[0, 2], bounds=None).on(X[:, 0])
    assert indices.mask.tolist() == [True, False, True]
    assert "input_shape" not in repr(threat)


def test_tensors_get_ball_and_box_in_their_own_dtype():
    threat, x = ThreatModel(0.3, norm="l2").on(X), torch.as_tensor(X)
    assert threat.ball(x).eps.dtype == torch.float64
    box = threat.box(x)
    assert box.clamp(x + 5).max() == 1 and box.contains(x) and not box.contains(x + 5)
    assert torch.equal(box.slack(x, torch.ones_like(x)), 1 - x)
    assert ThreatModel(0.3, bounds=None).on(X).box(x).slack(x, x) is None


def test_attacks_have_one():
    attack = PGD(eps=0.2, norm="l2", bounds=(0, 2), mask=MASK)
    threat = attack.threat_model
    assert threat.params() == {
        "eps": 0.2,
        "norm": "l2",
        "bounds": (0, 2),
        "mask": MASK,
        "integer": None,
        **dict.fromkeys(["increasing", "categorical", "max_flips", "relations"]),
    }
    assert FAB().threat_model.eps == np.inf and FAB(eps=1.0).threat_model.eps == 1.0
    cascade = WorstCase([PGD(eps=0.1), APGD(eps=0.3)], bounds=None)
    assert cascade.threat_model.eps == 0.1 and cascade.threat_model.bounds is None
    widest = ThreatModel.widest([m.threat_model.on(X) for m in cascade.members()])
    assert float(widest.eps) == 0.3
    assert AutoAttack().threat_model.eps == 8 / 255
    np.testing.assert_allclose(FAB().threat_model.on(X).eps, np.inf)


REFUSED = {
    "norm": ({"norm": "l9"}, "norm is 'l9'; choose 'linf', 'l2'"),
    "no eps": ({"norm": "l2"}, "eps must be given for norm='l2'"),
    "negative": ({"eps": -0.1}, "eps is -0.1; give a finite radius"),
    "nan": ({"eps": np.nan}, "eps is nan"),
    "shape": ({"eps": np.ones(5)}, r"eps has shape \(5,\), but the samples have shape \(2, 3\)"),
    "mask": ({"mask": [1, 0]}, "mask has shape"),
    "integer": ({"integer": np.ones((3, 2), bool)}, "integer has shape"),
    "bounds": ({"bounds": (1, 0)}, "each lower bound must not exceed"),
    "outside": ({"bounds": (0, 0.5)}, "leaves bounds="),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_parameters_end_in_a_sentence(case):
    params, text = REFUSED[case]
    with pytest.raises(ValueError, match=text):
        ThreatModel(**params).on(X)


def test_values_too_large_for_float32_are_told():
    with pytest.warns(UserWarning, match="too coarse for eps=0.1"):
        ThreatModel(0.1, bounds=None).check_resolution(X + np.float32(1e7))


@pytest.mark.parametrize("what", ["frame", "radius"])
def test_tables_are_for_attacks(what):
    frame = pd.DataFrame({"age": [1.0, 2.0], "job": ["cook", "clerk"]})
    threat = ThreatModel({"age": 2} if what == "radius" else 0.1)
    samples = frame if what == "frame" else X
    for ask in (threat.on, threat.sample, threat.covering_radius, partial(threat.project, X)):
        with pytest.raises(ValueError, match=r"type PGD\(eps=.*generate\(estimator, X, y\)"):
            ask(samples)
