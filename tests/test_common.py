"""scikit-learn's own checks of every public net and attack: all run, one is expected to fail."""

from unittest import SkipTest

import pytest
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from skorch import NeuralNet

from sklearn_robust.attacks import CarliniWagner, HopSkipJump, SigmaZero
from tests.cases import ATTACKS, CRAFTING, NETS

# The checks bring data in units of their own, on which the default eps is small.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn_robust.exceptions.UnitsWarning")

SKORCH = {
    "check_no_attributes_set_in_init": (
        "skorch's own __init__ sets history_, initialized_, virtual_params_"
    )
}


def expected_failures(estimator):
    return SKORCH if isinstance(estimator, NeuralNet) else {}


# Nets that attack their batches, and two attacks, take minutes with all their epochs and steps.
SHORT = {
    **dict.fromkeys(CRAFTING, {"max_epochs": 6}),
    CarliniWagner: {"max_iter": 20},
    HopSkipJump: {"max_iter": 2, "n_directions": 10},
}
BOXED = {SigmaZero: {"bounds": (-1000, 1000), "max_iter": 20}}  # l0 needs a box
EVERYTHING = [kind(**(SHORT | BOXED).get(kind, {})) for kind in (*NETS, *ATTACKS)]


def run(estimator, check):
    try:
        check(estimator)
    except SkipTest as reason:
        pytest.fail(f"the check did not run: {reason}")


@pytest.fixture(autouse=True)
def array_api(monkeypatch):
    """One check hands over arrays of another library, and runs only where this is set."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


@parametrize_with_checks(EVERYTHING, expected_failed_checks=expected_failures)
def test_a_check_of_scikit_learn(estimator, check):
    run(estimator, check)


@pytest.mark.slow
@parametrize_with_checks([kind() for kind in SHORT], expected_failed_checks=expected_failures)
def test_a_check_of_scikit_learn_with_all_epochs(estimator, check):
    run(estimator, check)


@pytest.mark.parametrize("estimator", EVERYTHING, ids=lambda e: type(e).__name__)
def test_no_tag_keeps_a_check_away(estimator):
    tags = get_tags(estimator)
    assert tags.requires_fit and not (tags.no_validation or tags.non_deterministic)
    assert not tags._skip_test
    assert tags.classifier_tags is None or not tags.classifier_tags.poor_score
    names = {check.func.__name__ for _, check in estimator_checks_generator(estimator)}
    assert {"check_fit_idempotent", "check_methods_subset_invariance"} <= names
