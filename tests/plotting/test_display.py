"""The base of displays: what a display of a user's own needs, and what it gets."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import BaggingClassifier
from sklearn.linear_model import LogisticRegression

from sklearn_robust import plotting
from sklearn_robust.differentiable import open_model
from sklearn_robust.metrics import decision_margin
from sklearn_robust.plotting import Display
from sklearn_robust.plotting._display import label_of, named, shared_docs

X, Y = load_iris(return_X_y=True)
MODEL = LogisticRegression(max_iter=1000).fit(X, Y)
OWN = [getattr(plotting, name) for name in plotting.__all__ if name != "Display"]


class SortedMarginDisplay(Display):
    """A display of a user's own, of public names alone."""

    def __init__(self, *, margins):
        self.margins = margins

    @classmethod
    def from_estimator(cls, estimator, X, y, *, ax=None, **plot_options):
        return cls(margins=np.sort(decision_margin(estimator, X, y))).plot(ax=ax, **plot_options)

    def draw(self, ax, **kwargs):
        self.lines_ = ax.plot(self.margins, **kwargs)


def test_a_display_of_a_users_own_is_drawn_on_new_axes_or_on_given_ones(pyplot):
    display = SortedMarginDisplay.from_estimator(MODEL, X, Y, color="green")
    assert display.ax_.figure is display.figure_
    assert display.lines_[0].get_color() == "green"
    assert np.array_equal(display.lines_[0].get_ydata(), np.sort(decision_margin(MODEL, X, Y)))
    _, (ax, other) = pyplot.subplots(1, 2)
    assert (
        display.plot(ax=other) is display and display.ax_ is other and display.figure_ is ax.figure
    )
    assert len(ax.lines) == 0 and len(other.lines) == 1


def test_an_opened_model_serves_as_well(pyplot):
    display = SortedMarginDisplay.from_estimator(open_model(MODEL), X, Y)
    assert np.array_equal(display.margins, np.sort(decision_margin(MODEL, X, Y)))


@pytest.mark.parametrize("call", [lambda display: display.plot(), lambda display: display.draw(0)])
def test_a_display_that_does_not_say_how_to_draw_is_refused(call):
    class Empty(Display):
        pass

    with pytest.raises(TypeError, match=r"Empty does not say how to draw: define draw\(self, ax"):
        call(Empty())


@pytest.mark.parametrize("cls", OWN, ids=lambda cls: cls.__name__)
def test_all_displays_have_the_base(cls):
    assert issubclass(cls, Display)


def test_draw_of_a_display_that_has_its_own_plot_draws_on_the_axes(pyplot):
    display = plotting.MarginDisplay(values={"a": np.array([0.1, 0.4])})
    _, ax = pyplot.subplots()
    display.draw(ax, bins=3)
    assert display.ax_ is ax and len(display.histograms_) == 1


@pytest.mark.parametrize(
    "single", [MODEL, BaggingClassifier(), open_model(MODEL), 3], ids=lambda one: type(one).__name__
)
def test_one_estimator_in_place_of_several_is_refused(single):
    with pytest.raises(TypeError, match="estimators is one .*; give a dict"):
        named(single)


def test_estimators_of_one_class_are_numbered():
    one = BaggingClassifier()
    assert list(named([MODEL, one, MODEL])) == [
        "LogisticRegression 1",
        "BaggingClassifier",
        "LogisticRegression 2",
    ]
    assert named({1: MODEL}) == {"1": MODEL}
    with pytest.raises(ValueError, match="estimators is empty"):
        named({})


def test_a_label_is_the_class_of_the_estimator():
    assert label_of(MODEL) == label_of(open_model(MODEL)) == "LogisticRegression"
    assert label_of(MODEL, "mine") == "mine"


def test_shared_parameters_stand_in_the_docstrings():
    @shared_docs
    def plot():
        """Draw.

        Parameters
        ----------
        %(ax)s
        """

    assert plot.__doc__.splitlines()[4:6] == [
        "        ax : matplotlib Axes, default=None",
        "            Axes to draw on; None makes a new figure.",
    ]
    left = [cls for cls in OWN for text in (cls.__doc__, cls.plot.__doc__) if "%(" in text]
    assert left == []
