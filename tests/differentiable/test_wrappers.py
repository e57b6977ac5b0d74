"""Pipelines, column transformers, searches and ensembles: whole compositions at once."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.datasets import load_digits, make_moons
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    BaggingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import RFE, SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression, Perceptron, RidgeClassifier, SGDClassifier
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import (
    KBinsDiscretizer,
    Normalizer,
    OneHotEncoder,
    PolynomialFeatures,
    SplineTransformer,
    StandardScaler,
)
from sklearn.svm import SVC, LinearSVC

from sklearn_robust.attacks import WorstCase
from sklearn_robust.differentiable import as_module
from sklearn_robust.differentiable.classifiers._calibration import Isotonic
from sklearn_robust.exceptions import NotDifferentiableError

LINEAR = LogisticRegression(max_iter=2000)
MLP = MLPClassifier((5,), max_iter=3000, tol=1e-2, random_state=0)
SPREAD = make_pipeline(StandardScaler(), SVC(break_ties=True))


def columns(*transformers, **kwargs):
    kwargs = {"sparse_threshold": 0} | kwargs
    return ColumnTransformer([(f"part{k}", *t) for k, t in enumerate(transformers)], **kwargs)


PIPELINES = {
    "scaled": make_pipeline(StandardScaler(), LINEAR),
    "passthrough": make_pipeline("passthrough", StandardScaler(), None, LINEAR),
    "nested": make_pipeline(make_pipeline(StandardScaler(), PCA(3)), make_pipeline(SPREAD)),
    "curved": make_pipeline(SplineTransformer(), PCA(5), MLP),
    "polynomial": make_pipeline(Normalizer(), PolynomialFeatures(), LinearDiscriminantAnalysis()),
    "projected": make_pipeline(LinearDiscriminantAnalysis(), GaussianNB()),
    "selected": make_pipeline(SelectKBest(k=3), SGDClassifier(random_state=0)),
    "eliminated": make_pipeline(RFE(RandomForestClassifier(5, random_state=0)), LINEAR),
    "eliminating": RFE(LINEAR, n_features_to_select=2),
    "union": make_pipeline(
        FeatureUnion(
            [("a", PCA(2)), ("b", StandardScaler()), ("c", "passthrough"), ("d", "drop")],
            transformer_weights={"a": 2.0, "c": 0.5},
        ),
        LINEAR,
    ),
    "columns-list": make_pipeline(
        columns((StandardScaler(), [2, 0]), ("passthrough", [3]), ("drop", [1])), LINEAR
    ),
    "columns-remainder": make_pipeline(
        columns((PCA(1), [3, 2]), remainder=StandardScaler()), LINEAR
    ),
    "columns-slice": make_pipeline(
        columns((StandardScaler(), slice(1, 3)), remainder="passthrough"), LINEAR
    ),
    "columns-mask": make_pipeline(
        columns((StandardScaler(), [True, False, True, False]), ("passthrough", [-1, 1])), LINEAR
    ),
    "columns-int": make_pipeline(columns((PCA(1), [0, 1]), ("passthrough", [2])), LINEAR),
    "columns-callable": make_pipeline(columns((StandardScaler(), lambda X: [1, 3])), LINEAR),
    "columns-empty": make_pipeline(columns((StandardScaler(), []), ("passthrough", [1])), LINEAR),
    "columns-weights": make_pipeline(
        columns((PCA(2), [0, 1, 2]), transformer_weights={"part0": 3.0}, remainder="passthrough"),
        LINEAR,
    ),
    "columns-nested": make_pipeline(
        columns((make_pipeline(StandardScaler(), PCA(1)), [0, 2]), (make_union(PCA(1)), [1, 3])),
        LINEAR,
    ),
    "grid": GridSearchCV(SPREAD, {"svc__C": [0.1, 1]}, cv=2),
    "random": RandomizedSearchCV(LINEAR, {"C": [0.1, 1]}, n_iter=1, cv=2, random_state=0),
}


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", PIPELINES)
def test_pipelines_are_one_module_from_raw_features(agrees, flowers, name, n_classes):
    X, y = flowers(n_classes, names=["moss", "ash", "elm"])
    model = PIPELINES[name].fit(X, y)
    shape = None if name == "passthrough" else (4,)  # a first step "passthrough" counts nothing
    assert agrees(model, X).input_shape == shape


FRAME_COLUMNS = {
    "names": [(StandardScaler(), ["b", "d"]), ("passthrough", ["a"])],
    "name-slice": [(StandardScaler(), slice("b", "c")), ("drop", ["a"])],
    "open-slice": [(StandardScaler(), slice("c", None))],
    "positions": [(StandardScaler(), [0, 3]), ("passthrough", slice(1, 2))],
    "selector": [(StandardScaler(), make_column_selector(pattern="[ac]"))],
}


@pytest.mark.parametrize("remainder", ["passthrough", "drop", PCA(1)], ids=str)
@pytest.mark.parametrize("name", FRAME_COLUMNS)
def test_frames_are_viewed_by_position(flowers, name, remainder):
    pandas = pytest.importorskip("pandas")
    X, y = flowers()
    frame = pandas.DataFrame(X, columns=list("abcd"))
    model = make_pipeline(columns(*FRAME_COLUMNS[name], remainder=remainder), LINEAR)
    model.fit(frame, y)
    z = as_module(model)(torch.tensor(X)).numpy()
    np.testing.assert_allclose(z, model.decision_function(frame), atol=1e-8)


def test_sparse_output_of_a_column_transformer_does_not_matter(agrees, flowers):
    X, y = flowers()
    mixed = make_column_transformer(
        (SplineTransformer(sparse_output=True), [0, 1]), (StandardScaler(), [2]), sparse_threshold=1
    )
    agrees(make_pipeline(mixed, LINEAR).fit(X, y), X)


VOTERS = [("linear", LINEAR), ("mlp", MLP), ("bayes", GaussianNB())]

ENSEMBLES = {
    "vote": VotingClassifier(VOTERS, voting="soft"),
    "vote-weighted": VotingClassifier(
        [*VOTERS, ("pipe", make_pipeline(StandardScaler(), LINEAR))],
        voting="soft",
        weights=[1, 0, 2, 0.5],
    ),
    "vote-dropped": VotingClassifier(
        [("gone", "drop"), *VOTERS], voting="soft", weights=[9, 1, 2, 3]
    ),
    "vote-sgd": VotingClassifier(
        [
            ("log", SGDClassifier(loss="log_loss", random_state=0)),
            ("huber", SGDClassifier(loss="modified_huber", random_state=0)),
            ("rest", OneVsRestClassifier(LINEAR)),
            ("lda", LinearDiscriminantAnalysis()),
        ],
        voting="soft",
    ),
    "vote-nested": VotingClassifier(
        [("vote", VotingClassifier(VOTERS, voting="soft"))], voting="soft"
    ),
    "bagging": BaggingClassifier(LINEAR, 3, max_features=3, random_state=0),
    "calibrated-linear": CalibratedClassifierCV(LinearSVC(), cv=2),
    "calibrated-bayes": CalibratedClassifierCV(GaussianNB(), cv=2),
    "calibrated-svc": CalibratedClassifierCV(SPREAD, cv=2),
    "calibrated-once": CalibratedClassifierCV(LINEAR, cv=2, ensemble=False),
    "calibrated-isotonic": CalibratedClassifierCV(LINEAR, method="isotonic", cv=2),
    "calibrated-bagging": CalibratedClassifierCV(
        BaggingClassifier(LINEAR, 3, max_samples=0.4, random_state=0), cv=2
    ),
    "calibrated-isotonic-bayes": CalibratedClassifierCV(MLP, method="isotonic", cv=2),
    "vote-calibrated": VotingClassifier(
        [("svc", CalibratedClassifierCV(LinearSVC(), cv=2)), *VOTERS], voting="soft"
    ),
}
if "temperature" in str(CalibratedClassifierCV._parameter_constraints["method"]):
    for label, member in {"linear": LinearSVC(), "bayes": GaussianNB(), "mlp": MLP}.items():
        ENSEMBLES[f"temperature-{label}"] = CalibratedClassifierCV(
            member, method="temperature", cv=2
        )


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", ENSEMBLES)
def test_ensembles_give_their_log_probabilities(agrees, flowers, name, n_classes):
    X, y = flowers(n_classes, names=["moss", "ash", "elm"])
    kinks = 0.005 if "isotonic" in name else 0.0
    agrees(ENSEMBLES[name].fit(X, y), X, "predict_proba", kinks=kinks)


STACKS = {
    "auto": StackingClassifier([*VOTERS, ("svc", SVC(break_ties=True))], cv=2),
    "passthrough": StackingClassifier(
        [("ridge", RidgeClassifier()), ("pairs", SVC(decision_function_shape="ovo"))],
        final_estimator=make_pipeline(StandardScaler(), LINEAR),
        passthrough=True,
        cv=2,
    ),
    "dropped": StackingClassifier(
        [("gone", "drop"), *VOTERS], final_estimator=LinearSVC(), stack_method="predict_proba", cv=2
    ),
    "mlp": StackingClassifier(VOTERS, final_estimator=MLP, cv=2),
    "bagging": StackingClassifier(
        [("bag", BaggingClassifier(LINEAR, 3, max_samples=0.4, random_state=0))],
        stack_method="decision_function",
        cv=2,
    ),
}


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", STACKS)
def test_stacks_are_their_final_estimator_behind_their_members(agrees, flowers, name, n_classes):
    X, y = flowers(n_classes)
    agrees(STACKS[name].fit(X, y), X, "predict_proba" if name == "mlp" else None)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", ["vote", "vote-weighted", "passthrough", "mlp"])
def test_ensembles_as_transformers_hand_on_their_members_answers(agrees, flowers, name, n_classes):
    X, y = flowers(n_classes)
    agrees(make_pipeline({**ENSEMBLES, **STACKS}[name], StandardScaler(), LINEAR).fit(X, y), X)


def test_calibrators_read_the_pairs_that_they_were_fitted_to():
    X, y = load_digits(n_class=5, return_X_y=True)
    pairs = SVC(decision_function_shape="ovo", gamma=0.001)
    model = CalibratedClassifierCV(pairs, cv=2).fit(X[:200], y[:200])
    log_p = as_module(model)(torch.tensor(X[200:260]))
    np.testing.assert_allclose(log_p.exp(), model.predict_proba(X[200:260]), atol=1e-6)


@pytest.mark.parametrize("member", [LINEAR, SVC(), GaussianNB()], ids=lambda m: type(m).__name__)
def test_isotonic_calibration_hides_nothing_from_an_attack(member):
    """It is flat nearly everywhere; the truth is known from a dense grid of the square."""
    X, y = make_moons(120, noise=0.2, random_state=0)
    model = CalibratedClassifierCV(member, method="isotonic", cv=2).fit(X, y)
    line = np.linspace(-0.2, 0.2, 21)
    square = np.stack(np.meshgrid(line, line), 2).reshape(-1, 2)
    X, y = X[:40], y[:40]
    withstand = [(model.predict(x + square) == label).all() for x, label in zip(X, y, strict=True)]
    fooled = WorstCase(eps=0.2, bounds=None, random_state=0).evaluate(model, X, y).fooled
    assert 0.2 < np.mean(withstand) < model.score(X, y) - 0.05
    assert (1 - fooled.mean()) <= np.mean(withstand) + 0.03


@pytest.mark.parametrize("curve", [[0, 0, 1], [0.2, 0.2, 0.2], [0.7, 0.8, 1.0]], ids=str)
def test_the_surrogate_of_isotonic_calibration_decides_as_it_does(curve):
    calibrator = IsotonicRegression(out_of_bounds="clip").fit([-1.0, 0.5, 2.0], curve)
    step, smooth = Isotonic(calibrator), Isotonic(calibrator)
    smooth.smooth = True
    f = torch.linspace(-1, 2, 61, dtype=torch.float64)
    no, yes = step(f)
    clear = (yes - no).abs() > 0.1
    assert torch.equal((smooth(f)[1] > smooth(f)[0])[clear], (yes > no)[clear])


def test_saturated_members_keep_their_slopes():
    """Probabilities that round to 1 still have logarithms that can be climbed."""
    X = np.array([[-1.0], [1.0]])
    members = [("a", LogisticRegression(C=1e9, tol=1e-12)), ("b", LogisticRegression())]
    model = VotingClassifier(members, voting="soft").fit(X, [0, 1])
    sure = make_pipeline(VotingClassifier(members[:1], voting="soft")).fit(X, [0, 1])
    for viewed in (model, sure):
        x = torch.tensor([[50.0]], dtype=torch.float64, requires_grad=True)
        z = as_module(viewed)(x)
        (grad,) = torch.autograd.grad(z[0, 1] - z[0, 0], x)
        assert torch.isfinite(z).all() and float(grad) > 0.1


def test_certainty_of_isotonic_regression_is_finite():
    X = np.linspace(-1, 1, 40)[:, None]
    model = CalibratedClassifierCV(LINEAR, method="isotonic", cv=2).fit(X, X[:, 0] > 0)
    x = torch.tensor(X, requires_grad=True)
    z = as_module(model)(x)
    (grad,) = torch.autograd.grad(z.sum(), x)
    assert (model.predict_proba(X) == 0).any()
    assert torch.isfinite(z).all() and torch.isfinite(grad).all()


@pytest.mark.parametrize(
    "name", ["vote-weighted", "bagging", "calibrated-svc", "calibrated-isotonic"]
)
def test_ensembles_survive_pickling_and_moving(flowers, moves, name):
    X, y = flowers()
    view = as_module(ENSEMBLES[name].fit(X, y))
    moves(view, X)
    moves(view.surrogate, X)
    x = torch.tensor(X)
    assert torch.equal(pickle.loads(pickle.dumps(view))(x), view(x))


def test_frozen_estimators_are_seen_through(agrees, flowers):
    X, y = flowers()
    agrees(FrozenEstimator(SPREAD.fit(X, y)), X)


def test_the_surrogate_is_found_at_the_end_of_a_pipeline(flowers):
    X, y = flowers()
    view = as_module(GridSearchCV(SPREAD, {"svc__C": [1.0]}, cv=2).fit(X, y))
    scaler, svc = SPREAD.fit(X, y).named_steps.values()
    inner = as_module(svc).surrogate(torch.tensor(scaler.transform(X)))
    assert view.surrogate is not view
    torch.testing.assert_close(view.surrogate(torch.tensor(X)), inner)
    binary = as_module(SPREAD.fit(*flowers(2)))
    assert binary.surrogate is binary


FOREST = RandomForestClassifier(3, random_state=0)

REFUSED = {
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


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_gradient_is_refused_by_name(flowers, name):
    model, message = REFUSED[name]
    with pytest.raises(NotDifferentiableError, match=message):
        as_module(model.fit(*flowers()))


@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")
def test_coupled_probabilities_of_an_svc_are_refused_where_they_are_needed(flowers):
    X, y = flowers()
    svc = make_pipeline(StandardScaler(), SVC(probability=True, random_state=0))
    model = VotingClassifier([("svc", svc)], voting="soft").fit(X, y)
    with pytest.raises(NotDifferentiableError, match="Member 'svc'.*CalibratedClassifierCV"):
        as_module(model)
    as_module(svc.fit(X, y))


def test_searches_of_other_packages_are_viewed_by_what_they_found(flowers):
    class Search(GridSearchCV.__base__):
        def __init__(self, estimator):
            super().__init__(estimator, cv=2)

        def _run_search(self, evaluate_candidates):
            evaluate_candidates([{"C": 0.5}])

    X, y = flowers()
    search = Search(LINEAR).fit(X, y)
    z = as_module(search)(torch.tensor(X)).numpy()
    np.testing.assert_allclose(z, search.decision_function(X), atol=1e-8)


def test_a_search_without_refit_has_nothing_to_view(flowers):
    search = GridSearchCV(LINEAR, {"C": [1.0]}, cv=2, refit=False).fit(*flowers())
    with pytest.raises(NotDifferentiableError, match="refit=True"):
        as_module(search)


def test_a_fold_that_lacks_a_class_is_refused(flowers):
    X, y = flowers()
    folds = [(np.flatnonzero(y > 0), np.arange(len(y)))]
    model = CalibratedClassifierCV(LINEAR, cv=folds).fit(X, y)
    with pytest.raises(NotDifferentiableError, match="fewer folds"):
        as_module(model)
