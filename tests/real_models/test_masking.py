"""The report finds every masked model, under any attack, and accuses no honest one."""

import numpy as np
import pytest

from sklearn_robust.attacks import APGD, FAB, PGD, AutoAttack, Square, WorstCase
from sklearn_robust.metrics import robust_score, robustness_report
from sklearn_robust.metrics._masking import StepsAlone
from tests.real_models.masked_models import (
    BLACK_BOX,
    EPS,
    HONEST,
    MASKED,
    RANDOM,
    data,
    honest,
    masked,
)

SEED = {"eps": EPS, "random_state": 0}
ATTACKS = {
    "PGD": PGD(max_iter=20, **SEED),
    "WorstCase": WorstCase([PGD(max_iter=20), PGD(max_iter=20, loss="margin")], **SEED),
    "AutoAttack": AutoAttack(
        version="custom",
        attacks=[
            APGD(max_iter=20),
            APGD(max_iter=20, loss="targeted_dlr", n_target_classes=3),
            FAB(max_iter=10, n_target_classes=3),
            Square(max_iter=500),
        ],
        **SEED,
    ),
}
SCORES_ONLY = {"PGD": Square(max_iter=100, **SEED)}
SCORES_ONLY["WorstCase"] = WorstCase([Square(max_iter=100)], **SEED)
SCORES_ONLY["AutoAttack"] = AutoAttack(version="custom", attacks=[Square(max_iter=100)], **SEED)

pytestmark = pytest.mark.filterwarnings("ignore")


def report(model, attack):
    _, _, X, y = data()
    return robustness_report(model, X, y, attack=attack, output_dict=True)


QUICK = {  # by default; all others come with --slow
    "quantised input",
    "permuted gradient",
    "reversed where light",
    "LogisticRegression",
    "LinearSVC",
    "NaturalNet",
}


def marked(models):
    """Each attack and model."""
    for attack in ATTACKS:
        for name in models:
            quick = name in QUICK and attack != "WorstCase"
            marks = [] if quick else [pytest.mark.slow]
            yield pytest.param(name, attack, id=f"{name}-{attack}", marks=marks)


@pytest.mark.parametrize(("name", "attack"), list(marked(MASKED)))
def test_every_masked_model_is_found_out(name, attack):
    found = report(masked(name).net, ATTACKS[attack])
    assert found["trusted"] is False, f"clean {found['clean']:.3f}, worst {found['worst_case']:.3f}"
    assert found["warnings"]


@pytest.mark.parametrize(("name", "attack"), list(marked(HONEST)))
def test_no_honest_model_is_accused(name, attack):
    attacks = SCORES_ONLY if name in BLACK_BOX else ATTACKS
    signs = report(honest(name), attacks[attack])["warnings"]
    assert set(signs) <= ({"black box"} if name in BLACK_BOX else set()), signs


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in MASKED]
)
def test_each_masked_model_is_weaker_than_its_own_gradient_says(name):
    """The points of an honest net, or of a search by scores, fool it far more often."""
    model, (_, _, X, y) = masked(name), data()
    own = robust_score(model.net, X, y, attack=StepsAlone(max_iter=40, **SEED))
    fooled = model.net.predict(X) != y
    if model.stand_in is None:
        fooled |= Square(max_iter=1000, **SEED).evaluate(model.net, X, y).fooled
    else:
        for attack in (PGD(max_iter=40, **SEED), PGD(max_iter=40, loss="margin", **SEED)):
            fooled |= model.net.predict(attack.generate(model.stand_in, X, y)) != y
    truth = 1 - fooled.mean()
    if name in RANDOM:  # a pass that fools is no proof, but one that draws is
        assert not np.array_equal(model.net.decision_function(X), model.net.decision_function(X))
    else:
        assert own - truth > 0.05, f"its own gradient leaves {own:.3f}, others' {truth:.3f}"


def test_there_are_at_least_twelve_of_each():
    assert len(MASKED) >= 12 and len(HONEST) >= 12
