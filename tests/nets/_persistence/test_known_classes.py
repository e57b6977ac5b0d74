"""Classes that a file names: those of the user must be given."""

import pytest

from sklearn_robust import NaturalNet, load_net
from tests.cases import Linear, blobs, quick, same_weights
from tests.nets._persistence.saved import round_trip

X, Y = blobs()


class Own(NaturalNet):
    """A user's net."""


class Other(NaturalNet):
    """Another one."""


OWN = [([Own, Linear], {}), ([Own], {"module": Linear}), ((Linear, Own), {"lr": 0.5})]


@pytest.mark.parametrize(("classes", "params"), OWN, ids=str)
def test_a_net_of_the_user_comes_back_where_its_classes_are_given(classes, params, path):
    net = quick(Own, module=Linear).fit(X, Y)
    again = round_trip(net, path, classes=classes, **params)
    assert type(again) is Own and same_weights(net, again)
    assert again.module is Linear and again.lr == params.get("lr", net.lr)


def test_one_class_needs_no_list(path):
    net = quick(Own).fit(X, Y)
    assert same_weights(net, round_trip(net, path, classes=Own))


def test_a_class_that_moved_to_another_module_is_still_the_files(path, monkeypatch):
    net = quick(Own).fit(X, Y)
    net.save(path)
    monkeypatch.setattr(Own, "__module__", "elsewhere")
    assert type(load_net(path, classes=[Own])) is Own


WRONG = [
    (
        [],
        f"names the class '{__name__}:Own' as the net, .*: give it, load_net.path, classes=",
    ),
    (
        [Other],
        f"names the class '{__name__}:Own' as the net, and classes holds .*:Other: add",
    ),
    (
        [Own, Other],
        f"holds {__name__}:Other, which the file does not name; it names tests.*Own",
    ),
    ([Own, "a"], "classes holds types and other things, .*Own.*'a'.; give the classes"),
]


@pytest.mark.parametrize(("classes", "match"), WRONG, ids=["none", "other", "more", "mixed"])
def test_classes_that_are_not_the_files_are_refused(classes, match, path):
    quick(Own).fit(X, Y).save(path)
    with pytest.raises((TypeError, ValueError), match=match):
        load_net(path, classes=classes or None)
