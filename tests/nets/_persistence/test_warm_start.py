"""A net that begins with the weights of a fitted one."""

import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from sklearn_robust import MinMaxNet, NaturalNet, load_net
from tests.cases import NETS, Linear, blobs, quick, same_weights

X, Y = blobs()


@pytest.fixture(scope="module")
def natural():
    return quick(NaturalNet, module=Linear, lr=0.1, random_state=5).fit(X, Y)


@pytest.mark.parametrize("as_path", [False, True], ids=["frozen", "path"])
@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_any_net_begins_with_the_weights_of_a_fitted_one(net, as_path, natural, tmp_path):
    source = FrozenEstimator(natural)
    if as_path:
        natural.save(tmp_path / "a.net")
        source = tmp_path / "a.net"
    before = {k: v.clone() for k, v in natural.module_.state_dict().items()}
    still = {"optimizer": torch.optim.SGD, "lr": 1e-30, "module": Linear}
    fitted = clone(quick(net, init_from=source, **still)).fit(X, Y)
    assert same_weights(fitted, natural)
    trained = quick(net, init_from=source, module=Linear, lr=0.1).fit(X, Y)
    assert not same_weights(trained, natural)
    assert all(torch.equal(v, before[k]) for k, v in natural.module_.state_dict().items())


def test_a_warm_start_lives_in_a_search_and_a_file(natural, tmp_path):
    net = quick(NaturalNet, module=Linear, init_from=FrozenEstimator(natural))
    search = GridSearchCV(net, {"lr": [1e-9, 1e-8]}, cv=2).fit(X, Y)
    assert search.best_score_ == pytest.approx(natural.score(X, Y), abs=0.1)
    natural.save(tmp_path / "a.net")
    for source in (FrozenEstimator(natural), tmp_path / "a.net"):
        net.set_params(init_from=source).fit(X, Y).save(tmp_path / "b.net")
    (tmp_path / "a.net").unlink()  # a fitted net needs what it began with no more
    again = load_net(tmp_path / "b.net", module=Linear)
    assert same_weights(again, net) and again.init_from == str(tmp_path / "a.net")
    net.set_params(init_from=FrozenEstimator(natural)).fit(X, Y).save(tmp_path / "b.net")
    assert load_net(tmp_path / "b.net", module=Linear).init_from is None


BAD_SOURCES = [
    (lambda n: n, "init_from is a bare NaturalNet, which clone and GridSearchCV would empty: wrap"),
    (lambda n: 3, "init_from is 3; give the path of a saved net, or FrozenEstimator"),
    (lambda n: FrozenEstimator(NaturalNet()), "not (initialized|fitted)"),
    (lambda n: FrozenEstimator(LogisticRegression().fit(X, Y)), "LogisticRegression, which has no"),
    (lambda n: FrozenEstimator(quick(NaturalNet).fit(X, Y)), "weights of init_from do not fit"),
    (
        lambda n: FrozenEstimator(clone(n).fit(X, Y + 1)),
        r"on the labels \[1, 2\], and these are \[0",
    ),
    (lambda n: __file__, "is not a net written by net.save"),
]


@pytest.mark.parametrize(("source", "match"), BAD_SOURCES, ids=[m[:40] for _, m in BAD_SOURCES])
def test_what_cannot_be_begun_with_is_refused(source, match, natural):
    net = quick(MinMaxNet, module=Linear, init_from=source(natural))
    with pytest.raises(Exception, match=match):
        net.fit(X, Y)
