"""Tables of mixed kinds are attacked in their numbers alone, and keep their dtypes."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import CategoricalNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeClassifier

from sklearn_robust import make_robust_scorer, robust_score
from sklearn_robust.attacks import APGD, FAB, PGD, AutoAttack, Square, TreeAttack
from sklearn_robust.metrics import robustness_curve, robustness_report
from sklearn_robust.plotting import DecisionSurfaceDisplay

from .people import CODED, FRAME, KIND, NUMBERS, NUMERIC, RNG, TOWNS, N, Y, exact, pipeline

pytestmark = pytest.mark.filterwarnings("ignore::sklearn_robust.exceptions.BlackBoxWarning")


def pgd(**params):
    return PGD(**{"eps": 0.1, "bounds": None, "random_state": 0, **params})


ENCODERS = {
    "one-hot": lambda: OneHotEncoder(),
    "dropped": lambda: OneHotEncoder(sparse_output=False, drop="first"),
    "infrequent": lambda: OneHotEncoder(handle_unknown="ignore", min_frequency=30),
    "ordinal": lambda: OrdinalEncoder(),
    "target": lambda: TargetEncoder(),
    "imputed": lambda: make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_encoders_over_texts_are_constants(name):
    model = pipeline(encoder=ENCODERS[name]())
    assert robust_score(model, FRAME, Y, attack=pgd()) == exact(model, FRAME, 0.1)


@pytest.mark.parametrize("name", ["one-hot", "ordinal", "target"])
def test_coded_columns_of_arrays_stay(name):
    model = pipeline(CODED, ENCODERS[name](), coded=[2], numeric=[0, 1])
    assert robust_score(model, CODED, Y, attack=pgd()) == exact(model, CODED, 0.1)
    moved = pgd().generate(model, CODED, Y)
    assert moved.dtype == CODED.dtype and np.array_equal(moved[:, 2], CODED[:, 2])


ATTACKS = [pgd(), APGD(eps=0.1), FAB(eps=0.1), Square(eps=0.1, max_iter=200, random_state=0)]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: type(attack).__name__)
def test_every_attack_knows_what_stays(attack):
    model = pipeline()
    assert robust_score(model, FRAME, Y, attack=attack) == exact(model, FRAME, 0.1)


@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_the_other_norms_agree_on_one_number(norm):
    model, one = pipeline(), {"eps": {"age": 0.2}, "bounds": {"age": (-9, 9)}}
    right = robust_score(model, FRAME, Y, attack=pgd(**one))
    for attack in (pgd(norm=norm, **one), Square(norm=norm, random_state=0, max_iter=200, **one)):
        assert robust_score(model, FRAME, Y, attack=attack) == right


def test_the_text_book_pipeline_needs_no_setting():
    model = pipeline()
    assert robust_score(model, FRAME, Y) == exact(model, FRAME, 8 / 255)
    curve = robustness_curve(model, FRAME, Y, eps=[0, 0.1, 0.2])
    assert curve.tolist() == [model.score(FRAME, Y), *(exact(model, FRAME, e) for e in (0.1, 0.2))]
    report = robustness_report(model, FRAME, Y, output_dict=True)
    assert report["trusted"] and report["worst_case"] == exact(model, FRAME, 8 / 255)
    attacks = [APGD(), FAB(), Square(max_iter=50)]
    options = {"eps": 0.1, "bounds": None, "random_state": 0}
    attack = AutoAttack(version="custom", attacks=attacks, **options)
    assert robust_score(model, FRAME, Y, attack=attack) == exact(model, FRAME, 0.1)
    plane = {"direction": np.array([1.0, 0, 0]), "other": np.array([0, 1.0, 0])}
    display = DecisionSurfaceDisplay.from_estimator(model, FRAME, Y, grid_resolution=5, **plane)
    f = model.decision_function(FRAME.iloc[:1])[0] * (2 * Y[0] - 1)
    assert display.margin[2, 2] == pytest.approx(f)
    scoring = make_robust_scorer(pgd())
    search = GridSearchCV(model, {"logisticregression__C": [0.1, 1]}, scoring=scoring, cv=2)
    search.fit(FRAME, Y)
    best = exact(search.best_estimator_, FRAME, 0.1)
    assert robust_score(search, FRAME, Y, attack=pgd()) == best


MIXED = FRAME.assign(
    age=FRAME.age.astype("Float64"),
    small=FRAME.age.astype("float32"),
    town=FRAME.town.astype("string"),
    flag=pd.array(RNG.rand(N) > 0.5, dtype="boolean"),
    count=pd.array(RNG.randint(0, 9, N), dtype="Int64"),
    day=pd.date_range("2020", periods=N),
    kids=RNG.randint(0, 5, N).astype("int8"),
    owner=RNG.rand(N) > 0.5,
    kind=pd.Categorical(TOWNS),
    level=pd.Categorical(KIND),
)
HELD = [*NUMERIC, "small", "count", "kids", "owner"]


def test_every_dtype_comes_back():
    model, attack = pipeline(MIXED, numeric=HELD), pgd(eps=1.5)
    moved = attack.generate(model, MIXED, Y)
    assert (moved.dtypes == MIXED.dtypes).all() and moved.index.equals(MIXED.index)
    still = ["town", "flag", "day", "kind", "level"]
    pd.testing.assert_frame_equal(
        moved[still].drop(columns="flag"), MIXED[still].drop(columns="flag")
    )
    for name in HELD:
        gap = (moved[name].astype(float) - MIXED[name].astype(float)).abs()
        assert 0 < gap.max() <= 1.5 * (1 + 1e-9)
    result = attack.evaluate(model, MIXED, Y)
    assert (result.X_adv.dtypes == MIXED.dtypes).all()
    assert np.array_equal(model.predict(result.X_adv) != Y, result.fooled)


def test_frames_of_polars():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(
        {"age": NUMBERS[:, 0], "income": NUMBERS[:, 1], "town": list(TOWNS), "kids": KIND}
    )
    model = pipeline(frame)
    with pytest.warns(UserWarning, match="columns .'kids'. hold integers, which eps=0.1 does not"):
        assert robust_score(model, frame, Y, attack=pgd()) == exact(model, frame, 0.1)
    moved = pgd(eps=1).generate(model, frame, Y)
    assert moved.schema == frame.schema and moved["town"].equals(frame["town"])


def test_objects_in_an_array():
    rows = np.array(
        [[*pair, town] for pair, town in zip(NUMBERS, TOWNS, strict=True)], dtype=object
    )
    model = pipeline(rows, coded=[2], numeric=[0, 1])
    assert robust_score(model, rows, Y, attack=pgd()) == exact(model, rows, 0.1)


def test_missing_values_stay_missing():
    frame = FRAME.copy()
    frame.loc[::5, "income"], frame.loc[::7, "town"] = np.nan, np.nan
    fill = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    encoder = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    model = pipeline(frame, encoder, scaler=fill)
    f = model.decision_function(frame)
    w = np.abs(model[-1].coef_[0, :2] / model[0].transformers_[0][1][1].scale_[:2])
    reach = 0.1 * (w[0] + w[1] * frame.income.notna())
    right = np.mean(np.where(Y == 1, f, -f) > reach)
    for attack in (pgd(), Square(eps=0.1, bounds=None, max_iter=200, random_state=0)):
        assert robust_score(model, frame, Y, attack=attack) == right
    assert pgd().generate(model, frame, Y).isna().equals(frame.isna())


def test_trees_with_categories_and_missing_values():
    frame = FRAME.assign(town=FRAME.town.astype("category"))
    frame.loc[::5, "income"] = np.nan
    model = HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype")
    model.fit(frame, Y)
    attack = Square(eps=0.2, bounds=None, max_iter=60, random_state=0)
    line = np.linspace(-0.2, 0.2, 11)
    right = []
    for k in range(N):
        grid = pd.concat([frame.iloc[[k]]] * len(line) ** 2, ignore_index=True)
        steps = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
        grid[NUMERIC] = grid[NUMERIC] + steps
        right.append((model.predict(grid) == Y[k]).all())
    assert robust_score(model, frame, Y, attack=attack) == pytest.approx(np.mean(right), abs=0.01)


def test_bins_move_and_are_looked_up_where_they_stay():
    frame = FRAME.assign(z=RNG.randn(N))
    model = pipeline(frame, KBinsDiscretizer(4, strategy="uniform"), ["z"])
    right = exact(model, frame, 0.1)
    assert robust_score(model, frame, Y, attack=pgd(mask=NUMERIC)) == right
    assert robust_score(model, frame, Y, attack=Square(eps=0.1, max_iter=50)) <= right


def test_ensembles_and_nested_pipelines():
    soft = VotingClassifier(
        [("a", pipeline()), ("b", pipeline(encoder=TargetEncoder()))], voting="soft"
    )
    soft.fit(FRAME, Y)
    assert robust_score(soft, FRAME, Y, attack=pgd()) <= soft.score(FRAME, Y)
    inner = make_pipeline(pipeline(encoder=OneHotEncoder(sparse_output=False))[0])
    nested = make_pipeline(inner.set_output(transform="pandas"), LogisticRegression()).fit(FRAME, Y)
    assert robust_score(nested, FRAME, Y, attack=pgd()) == exact(pipeline(), FRAME, 0.1)
    made = FunctionTransformer(lambda frame: frame.assign(age=frame.age * 2))
    opaque = make_pipeline(made, *pipeline()).fit(FRAME, Y)
    quick = Square(eps=0.1, max_iter=20)
    assert robust_score(opaque, FRAME, Y, attack=quick) <= opaque.score(FRAME, Y)


BAD = {
    "a new category": (lambda: FRAME.assign(town="q"), {}, "'q', which OneHotEncoder never saw"),
    "sparse": (
        lambda: FRAME.assign(age=pd.arrays.SparseArray(FRAME.age)),
        {},
        "Column 'age' of X is sparse .*to_dense",
    ),
    "infinite": (lambda: FRAME.assign(age=np.inf), {}, "contains infinity .*in column 'age'"),
    "too large": (lambda: FRAME.assign(age=2.0**99), {}, "too large for an attack in column 'age'"),
    "other columns": (lambda: FRAME[["town", "age"]], {}, r"type X\[estimator.feature_names_in_\]"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_no_attack_can_take_is_refused(name):
    frame, params, match = BAD[name]
    with pytest.raises(ValueError, match=match):
        robust_score(pipeline(), frame(), Y, attack=pgd(**params))


def test_nothing_that_moves_is_refused():
    codes = RNG.randint(0, 3, (N, 4))
    with pytest.raises(ValueError, match="No column of X moves: column 0 .* CategoricalNB reads"):
        robust_score(CategoricalNB().fit(codes, Y), codes, Y)


def test_a_feature_that_stays_keeps_its_digits():
    X = np.c_[1e8 + 0.5 * np.arange(N), RNG.randn(N)]
    y = (np.arange(N) > 50).astype(int)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1e6, max_iter=5000)).fit(X, y)
    f, w = model.decision_function(X), model[-1].coef_[0] / model[0].scale_
    right = np.mean(np.where(y == 1, f, -f) > 0.001 * abs(w[1]))
    assert robust_score(model, X, y, attack=pgd(eps=np.array([0.0, 0.001]))) == right
    assert robustness_curve(model, X, y, eps=[0.0])[0] == model.score(X, y)


@pytest.mark.parametrize("order", [["town", "income", "age"], ["more", "age", "town", "income"]])
def test_frames_in_another_order_are_those_that_the_pipeline_takes(order):
    frame = FRAME.assign(town=KIND, more=5.0)
    model = pipeline(frame.drop(columns="more"))
    moved = pgd().generate(model, frame[order], Y)
    assert moved.town.equals(frame.town) and [*moved.columns] == order
    assert robust_score(model, frame[order], Y, attack=pgd()) == exact(model, frame, 0.1)
    trees = make_pipeline(model[0], DecisionTreeClassifier(max_depth=3)).fit(frame, Y)
    assert robustness_curve(trees, frame[order], Y, eps=[0.0])[0] == trees.score(frame, Y)


def test_columns_named_by_numbers_are_meant_by_name_everywhere():
    frame = FRAME.set_axis([1, 0, 9], axis=1)
    model = pipeline(frame, coded=[2], numeric=[0, 1])
    by_mask = pgd(eps=0.5, mask=[0]).generate(model, frame, Y)
    assert by_mask[1].equals(frame[1]) and not by_mask[0].equals(frame[0])
    assert by_mask.equals(pgd(eps={0: 0.5}).generate(model, frame, Y))
    with pytest.raises(ValueError, match="eps names the column 2, which X does not have"):
        robust_score(model, frame, Y, attack=pgd(eps={2: 0.5}))


def test_digits_that_float32_drops_decide_nothing():
    x = np.r_[100 * RNG.randn(50), 1 + 1e-10 * np.arange(-25, 25)]
    X, y = np.c_[x, RNG.randn(100)], (x > 1).astype(int)
    model = LogisticRegression().fit(X, y)
    model.coef_[:], model.intercept_[:] = [1e3, 0.0], [-1e3]
    assert robustness_curve(model, X, y, eps=[0.0])[0] == model.score(X, y) == 1
    for attack in (
        pgd(eps=np.array([0.0, 0.1]), loss="margin"),
        Square(eps=np.array([0.0, 0.1]), max_iter=5),
    ):
        assert robust_score(model, X, y, attack=attack) == 1


def test_trees_with_missing_values_are_searched_by_their_scores():
    X = NUMBERS.copy()
    X[::7, 1] = np.nan
    for model in (HistGradientBoostingClassifier(max_iter=3), DecisionTreeClassifier(max_depth=3)):
        model.fit(X, Y)
        assert robustness_curve(model, X, Y, eps=[0.0])[0] == model.score(X, Y)
        with pytest.raises(ValueError, match="missing values, which TreeAttack does not read"):
            robust_score(model, X, Y, attack=TreeAttack(eps=0.1))
    X[0, 0] = np.inf
    with pytest.raises(ValueError, match="X contains infinity"):
        robust_score(model, X, Y, attack=Square(eps=0.1))


def test_transformers_take_mixed_frames():
    linear = pipeline()
    attack = pgd(estimator=linear).fit(FRAME, Y)
    moved = attack.transform(FRAME)
    assert moved.equals(pgd().generate(linear, FRAME)) and not moved.age.equals(FRAME.age)
    part = pgd(estimator=linear, eps={"age": 0.1}).fit(FRAME, Y).transform(FRAME[:9])
    assert part.income.equals(FRAME.income[:9]) and moved.dtypes.equals(part.dtypes)
    with pytest.raises(ValueError, match="estimator is None: give the pipeline"):
        pgd().fit(FRAME, Y)


def test_surfaces_over_columns_by_name():
    def draw(**axes):
        return DecisionSurfaceDisplay.from_estimator(
            pipeline(), FRAME, Y, grid_resolution=5, radius=1.0, **axes
        )

    named = draw(direction="age", other="income")
    given = draw(direction=np.array([1.0, 0, 0]), other=np.array([0, 1.0, 0]))
    np.testing.assert_array_equal(named.margin, given.margin)
    assert named.directions == ("income", "age")
    with pytest.raises(ValueError, match="direction names column 'town', but it holds"):
        draw(direction="town")


def test_reports_name_the_scale_of_a_radius():
    report = robustness_report(pipeline(), FRAME, Y, attack=pgd(eps="0.1 std"), output_dict=True)
    said = f"{NUMBERS[:, 0].std():.4g} (age), {NUMBERS[:, 1].std():.4g} (income), of the training"
    assert said in report["caveats"][0]
    wide = pd.DataFrame(RNG.randn(N, 9) * np.arange(1, 10), columns=list("abcdefghi"))
    model = LogisticRegression().fit(wide, Y)
    report = robustness_report(model, wide, Y, attack=pgd(eps="0.1 std"))
    assert "(a), " in report and "smallest and largest of 9, of the samples" in report


def test_trees_on_integers_are_searched_exactly():
    frame = pd.DataFrame(RNG.randint(0, 30, (N, 2)), columns=["a", "b"])
    y = ((frame.a - 15) * (frame.b - 15) > 0).to_numpy().astype(int)
    model = DecisionTreeClassifier(random_state=0).fit(frame, y)
    steps = [frame + [i, j] for i in (-2, -1, 0, 1, 2) for j in (-2, -1, 0, 1, 2)]
    brute = np.mean(np.all([model.predict(moved) == y for moved in steps], axis=0))
    assert robust_score(model, frame, y, eps=2) == robust_score(model, frame, y, eps=2.5) == brute


def test_at_radius_0_categories_stay():
    attack = pgd(eps={"age": 0.1}, categorical={"town": "any"})
    curve = robustness_curve(pipeline(), FRAME, Y, eps=[0, 1], attack=attack)
    assert curve[0] == pipeline().score(FRAME, Y) > curve[1]
    with pytest.raises(ValueError, match="eps is {}; give a radius by column"):
        robust_score(pipeline(), FRAME, Y, attack=pgd(eps={}))
