"""Training of a comparison."""

import pytest

from sklearn_robust.attacks import BIM
from sklearn_robust.report import Settings
from sklearn_robust.report._data import load_data
from sklearn_robust.report._train import make_net, train_net


def test_adversarial_nets_train_with_the_middle_strength():
    settings = Settings(data="digits", train_eps=0.07, epochs=3, seed=5)
    for name, eps in {"MinMaxNet": 0.07, "AdvTrainNet": 0.07, "NaturalNet": None}.items():
        params = make_net(name, settings).get_params()
        assert params.get("attack__eps") == eps
        assert (params["max_epochs"], params["random_state"]) == (3, 5)


def test_watching_a_net_does_not_change_it():
    data = load_data("moons", train_samples=150, samples=50)
    settings = Settings(data="moons", train_eps=0.05, epochs=3)
    told = []
    net, facts = train_net("MinMaxNet", data, settings, lambda: told.append(1), lambda: False)
    alone = make_net("MinMaxNet", settings).fit(data.X_train, data.y_train)
    for name, value in net.module_.state_dict().items():
        assert value.equal(alone.module_.state_dict()[name])
    assert len(told) == facts["epochs"] == len(facts["attacked_accuracy"]) == 3
    fooled = BIM(eps=0.05).evaluate(net, data.X_test, data.y_test).fooled
    assert facts["attacked_accuracy"][-1] == pytest.approx(1 - fooled.mean())
    assert facts["natural_accuracy"][-1] == net.score(data.X_test, data.y_test)
