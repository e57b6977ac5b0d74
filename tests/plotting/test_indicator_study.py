"""The study is drawn with its intervals."""

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from sklearn_robust.attacks import PGD
from sklearn_robust.plotting import IndicatorStudyDisplay

X, Y = load_iris(return_X_y=True)
MODELS = {C: LogisticRegression(C=C, max_iter=5000).fit(X, Y) for C in (0.01, 0.1, 1, 10)}


def test_each_indicator_has_a_panel_with_its_correlation_and_interval(pyplot):
    names = ["taylor_radius", "neg_jacobian_l1"]
    display = IndicatorStudyDisplay.from_estimators(
        MODELS, X, Y, attack=PGD(eps=0.3, random_state=0), indicators=names
    )
    assert display.axes_.shape == (1, 2)
    for axis, name in zip(display.axes_[0], names, strict=True):
        found = display.study.correlations[name]
        assert f"{found.rho:.2f}" in axis.get_title() and f"{found.low:.2f}" in axis.get_title()
        points = [bar[0].get_xydata()[0] for bar in axis.containers]
        assert [p[0] for p in points] == display.study["values"][name].tolist()
        assert [p[1] for p in points] == display.study.robust_accuracy.tolist()
    assert display.axes_[0, 0].get_ylim() == display.axes_[0, 1].get_ylim()
    _, ax = pyplot.subplots()
    assert display.plot(ax=ax).ax_ is ax
