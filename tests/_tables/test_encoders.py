"""Which columns an estimator reads as categories."""

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import CategoricalNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

from sklearn_robust._tables import coded_columns
from sklearn_robust._tables._encoders import column_places, scaled_columns

from .people import CODED, FRAME, NUMBERS, Y, pipeline


def test_encoders_are_found_where_they_are():
    direct = pipeline()
    nested = GridSearchCV(direct, {"logisticregression__C": [1]}, cv=2).fit(FRAME, Y)
    bag = BaggingClassifier(pipeline(CODED, coded=[2], numeric=[0, 1]), 2).fit(CODED, Y)
    filled = make_pipeline(
        SimpleImputer(),
        ColumnTransformer([("n", StandardScaler(), [0]), ("c", OrdinalEncoder(), [2])]),
        LogisticRegression(),
    ).fit(CODED, Y)
    trees = HistGradientBoostingClassifier(max_iter=2, categorical_features=[2]).fit(CODED, Y)
    for model in (direct, nested, bag, filled, trees):
        assert [*coded_columns(model, range(3))] == [2] or [
            *coded_columns(model, [*FRAME.columns])
        ] == [2]
    coding = coded_columns(direct, [*FRAME.columns])[2]
    assert coding.categories == list("wxyz") and coding.strict and coding.reader == "OneHotEncoder"


def test_columns_behind_other_features_are_not_those_of_the_table():
    chosen = ColumnTransformer([("n", StandardScaler(), [1]), ("k", "passthrough", [2])])
    model = make_pipeline(chosen, OneHotEncoder(), LogisticRegression()).fit(CODED.round(), Y)
    assert coded_columns(model, range(3)) == {}


def test_places_and_spreads():
    assert column_places(slice("a", "b"), list("xab")).tolist() == [1, 2]
    assert column_places([True, False, True], list("xab")).tolist() == [0, 2]
    assert column_places("b", list("xab")).tolist() == [2]
    spreads = scaled_columns(pipeline(), [*FRAME.columns])
    np.testing.assert_allclose([spreads[0], spreads[1]], NUMBERS.std(0))


def test_spreads_are_in_the_units_of_the_samples():
    scaled = make_pipeline(MinMaxScaler(), StandardScaler(), LogisticRegression()).fit(NUMBERS, Y)
    assert scaled_columns(scaled, range(2)) == {}
    twice = make_pipeline(StandardScaler(), StandardScaler(), LogisticRegression())
    spreads = scaled_columns(twice.fit(10 * NUMBERS, Y), range(2))
    np.testing.assert_allclose([spreads[0], spreads[1]], 10 * NUMBERS.std(0))


def test_ensembles_are_read_by_their_fitted_members():
    model = BaggingClassifier(make_pipeline(StandardScaler(), LogisticRegression()), 2)
    assert set(scaled_columns(model.fit(NUMBERS, Y), range(2))) == {0, 1}
    codes = BaggingClassifier(CategoricalNB(min_categories=4), 2).fit(CODED[:, 2:], Y)
    assert coded_columns(codes, [0])[0].reader == "CategoricalNB"
