"""Estimators without a gradient are refused by name."""

import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import RFE
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

from sklearn_robust.differentiable import as_module
from sklearn_robust.exceptions import NotDifferentiableError
from tests.differentiable.estimators import LINEAR, VOTERS, columns

FOREST = RandomForestClassifier(3, random_state=0)

WITHOUT_GRADIENT = {
    "step": (
        make_pipeline(KBinsDiscretizer(quantile_method="averaged_inverted_cdf"), LINEAR)
        if "quantile_method" in KBinsDiscretizer().get_params()
        else make_pipeline(KBinsDiscretizer(), LINEAR),
        "Step 'kbinsdiscretizer' of the pipeline .*KBinsDiscretizer maps.*Leave the step out",
    ),
    "last": (make_pipeline(StandardScaler(), FOREST), "Step 'randomforestclassifier' .*Square"),
    "columns": (
        make_pipeline(columns((StandardScaler(), [0]), (OneHotEncoder(), [1])), LINEAR),
        "Step 'columntransformer' .*Transformer 'part1' .*OneHotEncoder takes",
    ),
    "union": (
        make_pipeline(FeatureUnion([("bins", OneHotEncoder())]), LINEAR),
        "Transformer 'bins' of the FeatureUnion",
    ),
    "vote": (
        VotingClassifier([("wood", FOREST), ("line", LINEAR)], voting="soft"),
        "Member 'wood' of the VotingClassifier .*RandomForestClassifier",
    ),
    "vote-hard": (VotingClassifier(VOTERS), "voting='soft'"),
    "bagging-votes": (BaggingClassifier(Perceptron(), 2, random_state=0), "can only vote"),
    "bagging-trees": (BaggingClassifier(n_estimators=2), "The estimator of the BaggingClassifier"),
    "stack": (StackingClassifier([("wood", FOREST)], cv=2), "Member 'wood' of the Stacking"),
    "stack-labels": (
        StackingClassifier([("line", LINEAR)], stack_method="predict", cv=2),
        "hands on labels",
    ),
    "stack-final": (
        StackingClassifier([("line", LINEAR)], final_estimator=FOREST, cv=2),
        "The final estimator of the StackingClassifier",
    ),
    "calibrated": (CalibratedClassifierCV(FOREST, cv=2), "The estimator of the Calibrated"),
    "rest": (OneVsRestClassifier(FOREST), "The estimator of the OneVsRestClassifier"),
    "eliminating": (RFE(FOREST), "RandomForestClassifier predicts by trees"),
}


@pytest.mark.parametrize("name", WITHOUT_GRADIENT)
def test_what_has_no_gradient_is_refused_by_name(flowers, name):
    model, message = WITHOUT_GRADIENT[name]
    with pytest.raises(NotDifferentiableError, match=message):
        as_module(model.fit(*flowers()))


X, y = load_iris(return_X_y=True)

REFUSED = [
    DecisionTreeClassifier(),
    RandomForestClassifier(2),
    ExtraTreesClassifier(2),
    GradientBoostingClassifier(n_estimators=2),
    HistGradientBoostingClassifier(max_iter=2),
    AdaBoostClassifier(n_estimators=2),
    KNeighborsClassifier(),
    BernoulliNB(),
    GaussianProcessClassifier(),
]


@pytest.mark.parametrize("model", REFUSED, ids=lambda model: type(model).__name__)
def test_classifiers_without_a_gradient_are_named_with_a_way_out(model):
    name = type(model).__name__
    with pytest.raises(NotDifferentiableError, match=f"^{name} .*Square.*BlackBoxWarning"):
        as_module(model.fit(X, y))


@pytest.mark.parametrize("step", [Binarizer(), OrdinalEncoder()], ids=lambda s: type(s).__name__)
def test_steps_without_a_gradient_are_named_with_a_way_out(step):
    name = type(step).__name__
    message = f"Step '{name.lower()}' of the pipeline .*: {name} .*Leave the step out.*Square"
    with pytest.raises(NotDifferentiableError, match=message):
        as_module(make_pipeline(step, LogisticRegression(max_iter=1000)).fit(X, y))
