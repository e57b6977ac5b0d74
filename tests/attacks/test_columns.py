"""Parameters of attacks that speak of columns."""

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from sklearn_robust.attacks import PGD
from sklearn_robust.differentiable import open_model


def test_names_of_columns_become_arrays():
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = LogisticRegression(max_iter=1000).fit(X, y)
    attack = PGD(eps={X.columns[1]: 0.5})
    moved = attack.on_columns(open_model(model, X, attack.column_params()))
    assert moved is not attack
    assert (moved.eps * moved.mask).tolist() == [0, 0.5, 0, 0]


def test_an_attack_on_an_array_is_left_as_it_is():
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=1000).fit(X, y)
    attack = PGD(eps=0.5)
    assert attack.on_columns(open_model(model, X, attack.column_params())) is attack
